"""Gaussian mixtures by EM, and the routing between capsules that grew out of it."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import expit, log_expit, logsumexp

__all__ = [
    "GMMResult",
    "RoutingResult",
    "capsule_votes",
    "coding_cost",
    "em_routing",
    "gmm_em",
    "log_gaussian",
    "responsibilities",
]


@dataclass(frozen=True)
class GMMResult:
    """A fitted mixture of k normal distributions in d dimensions, of n points.

    Attributes
    ----------
    pi : ndarray, shape (k,)
        Shares.
    mu : ndarray, shape (k, d)
        Means.
    cov : ndarray, shape (k, d) or (k, d, d)
        Variances, or covariance matrices.
    resp : ndarray, shape (n, k)
        Responsibilities.
    loglik : ndarray, shape (n_iter + 1,)
        Log likelihood at the start of each iteration, and at the end.
    """

    pi: np.ndarray
    mu: np.ndarray
    cov: np.ndarray
    resp: np.ndarray
    loglik: np.ndarray


@dataclass(frozen=True)
class RoutingResult:
    """Upper capsules, k of them, and how n lower ones were assigned to them.

    Attributes
    ----------
    pose : ndarray, shape (k, d)
    variance : ndarray, shape (k, d)
    activation : ndarray, shape (k,)
    assignment : ndarray, shape (n, k)
        Rows sum to one; those of the last M step, without the lower activations.
    """

    pose: np.ndarray
    variance: np.ndarray
    activation: np.ndarray
    assignment: np.ndarray


def log_gaussian(x, mu, cov):
    """Logarithms of normal densities.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Points.
    mu : array_like, shape (k, d)
        Means.
    cov : array_like, shape (k, d) or (k, d, d)
        Variances along the axes, or covariance matrices.

    Returns
    -------
    ndarray, shape (n, k)

    Raises
    ------
    ValueError
        If shapes do not fit, a variance is not positive, or a matrix is not symmetric and positive
        definite.
    """
    x, mu = _matrix("x", x), _matrix("mu", mu)
    cov = np.asarray(cov, dtype=float)
    k, d = mu.shape
    if x.shape[1] != d:
        raise ValueError(f"`mu` must be as wide as `x`, got {d} and {x.shape[1]}")
    if cov.shape not in {(k, d), (k, d, d)}:
        raise ValueError(f"`cov` must have shape {(k, d)} or {(k, d, d)}, got {cov.shape}")
    if cov.ndim == 2:
        if not np.all(cov > 0):
            raise ValueError(f"`cov` must hold positive variances, got {cov.min():g}")
        return _log_normal(x[:, None], mu, cov)
    if not np.allclose(cov, cov.swapaxes(1, 2), rtol=1e-10, atol=0):
        raise ValueError("`cov` must hold symmetric matrices")
    try:
        roots = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise ValueError("`cov` must hold positive definite matrices") from None
    logs = [
        -0.5 * np.sum(solve_triangular(root, (x - m).T, lower=True) ** 2, axis=0)
        - np.log(np.diag(root)).sum()
        for root, m in zip(roots, mu, strict=True)
    ]
    return np.stack(logs, axis=1) - d / 2 * np.log(2 * np.pi)


def _log_normal(x, mu, variance):
    terms = (x - mu) ** 2 / variance + np.log(variance) + np.log(2 * np.pi)
    return -0.5 * terms.sum(axis=-1)


def responsibilities(x, pi, mu, cov):
    """Probability that each point came from each component, by Bayes' rule.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Points.
    pi : array_like, shape (k,)
        Shares, not negative, not all zero; they need not sum to one.
    mu : array_like, shape (k, d)
        Means.
    cov : array_like, shape (k, d) or (k, d, d)
        Variances along the axes, or covariance matrices.

    Returns
    -------
    ndarray, shape (n, k)
        Rows sum to one.

    Raises
    ------
    ValueError
        If `pi` is not a vector of k such numbers, or as for `log_gaussian`.
    """
    logs = log_gaussian(x, mu, cov)
    pi = np.asarray(pi, dtype=float)
    if pi.shape != logs.shape[1:] or not np.all(pi >= 0) or not 0 < pi.sum() < np.inf:
        k = logs.shape[1]
        raise ValueError(f"`pi` must hold {k} numbers, not negative and not all 0, got {pi}")
    with np.errstate(divide="ignore"):  # a share of zero has the logarithm minus infinity
        return _shared(logs + np.log(pi))


def _shared(logs):
    return np.exp(logs - logsumexp(logs, axis=1, keepdims=True))


def gmm_em(x, mu0, n_iter=50, covariance="diag", min_var=1e-6):
    """Fit a Gaussian mixture by EM from given means, equal shares and the variance of all points.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Points.
    mu0 : array_like, shape (k, d)
        First means.
    n_iter : int, default 50
        At least 1.
    covariance : {"diag", "full", "spherical"}
        One variance for each axis, a matrix, or one variance for all axes.
    min_var : float, default 1e-6
        Not negative.  Variances are not let below it; matrices get it added on the diagonal.

    Returns
    -------
    GMMResult

    Raises
    ------
    ValueError
        If shapes do not fit, an argument is out of range, or a variance becomes zero.
    """
    x, mu = _matrix("x", x), _matrix("mu0", mu0)
    if mu.shape[1] != x.shape[1]:
        raise ValueError(f"`mu0` must be as wide as `x`, got {mu.shape[1]} and {x.shape[1]}")
    if covariance not in ("diag", "full", "spherical"):
        raise ValueError(f'`covariance` must be "diag", "full" or "spherical", got {covariance!r}')
    _check_loop(n_iter, min_var)

    def spread(weights, mu):
        """Second moments of the weighted points about each mean."""
        gaps = x[:, None] - mu
        if covariance == "full":
            cov = np.einsum("nk,nka,nkb->kab", weights, gaps, gaps)
            return cov + min_var * np.eye(x.shape[1])
        var = np.einsum("nk,nka->ka", weights, gaps**2)
        if covariance == "spherical":
            var = np.broadcast_to(var.mean(axis=1, keepdims=True), var.shape)
        return np.maximum(var, min_var)

    k = len(mu)
    pi = np.full(k, 1 / k)
    cov = spread(np.full((len(x), k), 1 / len(x)), np.tile(x.mean(axis=0), (k, 1)))
    logs, loglik = log_gaussian(x, mu, cov) + np.log(pi), []
    for _ in range(n_iter):
        loglik.append(logsumexp(logs, axis=1).sum())
        resp = _shared(logs)
        sizes = resp.sum(axis=0)
        pi, weights = sizes / len(x), resp / sizes
        mu = weights.T @ x
        cov = spread(weights, mu)
        logs = log_gaussian(x, mu, cov) + np.log(pi)
    loglik.append(logsumexp(logs, axis=1).sum())
    return GMMResult(pi, mu, cov, _shared(logs), np.array(loglik))


def capsule_votes(poses, W):
    """Poses of lower capsules, transformed into what each says about each upper capsule.

    Parameters
    ----------
    poses : array_like, shape (n, a, b)
        A matrix for each lower capsule.
    W : array_like, shape (n, k, b, c)
        A matrix for each pair.

    Returns
    -------
    ndarray, shape (n, k, a * c)
        ``poses[i] @ W[i, j]``, row by row.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    poses, W = np.asarray(poses, dtype=float), np.asarray(W, dtype=float)
    if (
        poses.ndim != 3
        or W.ndim != 4
        or poses.shape[0] != W.shape[0]
        or poses.shape[2] != W.shape[2]
    ):
        raise ValueError(
            f"`W` must have shape (n, k, b, c) for `poses` of shape (n, a, b), got {W.shape} and "
            f"{poses.shape}"
        )
    votes = poses[:, None] @ W
    return votes.reshape(*votes.shape[:2], -1)


def coding_cost(weights, x, mu, variance):
    """Nats that it takes to describe weighted points by a normal density.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Not negative; they need not sum to one.
    x : array_like, shape (n, d)
        Points.
    mu, variance : array_like, shape (d,)
        Mean and variances.

    Returns
    -------
    float
        Minus the weighted sum of the log densities; may be negative.

    Raises
    ------
    ValueError
        If shapes do not fit, a weight is negative, or a variance is not positive.
    """
    x, weights = _matrix("x", x), np.asarray(weights, dtype=float)
    if weights.shape != (len(x),) or not np.all(weights >= 0):
        raise ValueError(
            f"`weights` must hold {len(x)} numbers that are not negative, got {weights}"
        )
    return float(-weights @ log_gaussian(x, [mu], [variance])[:, 0])


def em_routing(votes, a_in, beta_u, beta_a, n_iter=3, lam=1.0, min_var=1e-8):
    """Route the votes of lower capsules to upper ones.

    Parameters
    ----------
    votes : array_like, shape (n, k, d)
        What lower capsule i says about the pose of upper capsule j.
    a_in : array_like, shape (n,)
        Activations of the lower capsules, between 0 and 1, not all 0.
    beta_u : float or array_like, shape (k,)
        Price, per coordinate and follower, of switching the capsule on, in nats.
    beta_a : float or array_like, shape (k,)
        What one is ready to pay for switching it on, in nats.
    n_iter : int, default 3
        At least 1.
    lam : float or array_like, shape (n_iter,), default 1.0
        Inverse temperature of each iteration.
    min_var : float, default 1e-8
        Variances are not let below it; not negative.

    Returns
    -------
    RoutingResult

    Raises
    ------
    ValueError
        If shapes do not fit or an argument is out of range.

    Notes
    -----
    A capsule that no vote reaches costs nothing; its pose is the plain mean of its votes.

    References
    ----------
    .. [1] G. E. Hinton, S. Sabour and N. Frosst, "Matrix Capsules with EM Routing", ICLR 2018.
    """
    votes, a_in = np.asarray(votes, dtype=float), np.asarray(a_in, dtype=float)
    if votes.ndim != 3 or votes.size == 0:
        raise ValueError(f"`votes` must have shape (n, k, d), got {votes.shape}")
    n, k, _ = votes.shape
    if a_in.shape != (n,) or not np.all((a_in >= 0) & (a_in <= 1)) or not a_in.any():
        raise ValueError(f"`a_in` must hold {n} numbers between 0 and 1, not all 0, got {a_in}")
    _check_loop(n_iter, min_var)
    beta_u, beta_a = _per("beta_u", beta_u, k), _per("beta_a", beta_a, k)
    rates = _per("lam", lam, n_iter)

    def capsules(R, rate):
        """M step: moments of the votes, and the logarithm of the odds of being active."""
        followers = R * a_in[:, None]
        total = followers.sum(axis=0)
        # Plain means stand in for the moments of a capsule without followers.
        shares = np.divide(followers, total, out=np.full((n, k), 1 / n), where=total > 0)
        pose = np.einsum("ij,ijd->jd", shares, votes)
        variance = np.einsum("ij,ijd->jd", shares, (votes - pose) ** 2)
        variance = np.maximum(variance, min_var)
        if not np.all(variance > 0):
            raise ValueError("`min_var` must be positive where votes coincide, got 0")
        cost = total * np.sum(beta_u[:, None] + 0.5 * np.log(variance), axis=1)
        return pose, variance, rate * (beta_a - cost)

    R = np.full((n, k), 1 / k)
    pose, variance, odds = capsules(R, rates[0])
    for rate in rates[1:]:
        R = _shared(_log_normal(votes, pose, variance) + log_expit(odds))
        pose, variance, odds = capsules(R, rate)
    return RoutingResult(pose, variance, expit(odds), R)


def _matrix(name, x):
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.size == 0 or not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be a finite matrix, got shape {x.shape}")
    return x


def _check_loop(n_iter, min_var):
    if not isinstance(n_iter, (int, np.integer)) or isinstance(n_iter, bool) or n_iter < 1:
        raise ValueError(f"`n_iter` must be an integer of at least 1, got {n_iter}")
    if not 0 <= min_var < np.inf:
        raise ValueError(f"`min_var` must be finite and not negative, got {min_var}")


def _per(name, value, size):
    value = np.asarray(value, dtype=float)
    if value.shape not in {(), (size,)} or not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be a finite number or {size} of them, got {value}")
    return np.broadcast_to(value, size)
