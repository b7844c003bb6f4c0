"""How much a code keeps of its input: variational and exact information bottlenecks, in nats."""

import math
import numbers

import numpy as np
from scipy.special import entr, logsumexp, rel_entr

__all__ = [
    "gaussian_kl",
    "information_bottleneck",
    "interpolate",
    "mi_and_bound",
    "mutual_information",
    "reverse_water_filling",
    "vib_loss",
    "vib_optimum",
]


def gaussian_kl(mu, log_var):
    """Divergence of a normal law with diagonal covariance from the standard normal law.

    Parameters
    ----------
    mu, log_var : array_like, shape (..., d)
        Means, and logarithms of variances; finite.

    Returns
    -------
    ndarray, shape (...)
        Not negative, in nats; zero just for the standard normal law.

    Raises
    ------
    ValueError
        If shapes differ, there is no axis, or a number is not finite.
    """
    mu, log_var = np.asarray(mu, dtype=float), np.asarray(log_var, dtype=float)
    if mu.ndim == 0 or mu.shape != log_var.shape:
        raise ValueError(
            f"`log_var` must have the shape of `mu` with at least one axis, got {log_var.shape} "
            f"and {mu.shape}"
        )
    if not (np.all(np.isfinite(mu)) and np.all(np.isfinite(log_var))):
        raise ValueError("`mu` and `log_var` must be finite, got NaN or infinity")
    # expm1 keeps the digits near the standard normal law, where 1 would cancel.
    return np.sum(mu**2 + np.expm1(log_var) - log_var, axis=-1) / 2


def mutual_information(pxy):
    """Mutual information of a table of joint probabilities.

    Parameters
    ----------
    pxy : array_like, shape (n, m)
        Not negative, with the sum 1 within 1e-9; zeros are allowed.

    Returns
    -------
    float
        Not negative, in nats.

    Raises
    ------
    ValueError
        If `pxy` is no table of probabilities.
    """
    pxy = _joint(pxy)
    separate = np.outer(pxy.sum(1), pxy.sum(0))
    # Rounding can leave some -1e-17.
    return max(0.0, float(np.sum(rel_entr(pxy, separate))))


def mi_and_bound(mu, sigma):
    """Information that a noisy code keeps about N equally likely points, and its bound.

    Parameters
    ----------
    mu : array_like, shape (N,)
        Mean of the code of each point, at most 50 in size.
    sigma : array_like, scalar or shape (N,)
        Its standard deviation, from 0.02 to 50.

    Returns
    -------
    information : float
        Mutual information of point and code in nats, off by less than 1e-8.
    bound : float
        Mean divergence of the codes from the standard normal law, never smaller.

    Raises
    ------
    ValueError
        If shapes do not fit, or a number is out of range.
    """
    mu = np.asarray(mu, dtype=float)
    sigma = np.asarray(sigma, dtype=float)
    if mu.ndim != 1 or mu.size == 0 or sigma.shape not in ((), mu.shape):
        raise ValueError(
            f"`sigma` must be a number or fit `mu` of shape (N,), got {sigma.shape} and {mu.shape}"
        )
    if not np.all(np.abs(mu) <= 50):  # this way round, NaN is refused too
        raise ValueError("`mu` must lie between -50 and 50, got another number")
    if not np.all((sigma >= 0.02) & (sigma <= 50)):
        raise ValueError("`sigma` must lie between 0.02 and 50, got another number")
    sigma = np.broadcast_to(sigma, mu.shape)
    # I = mean over the points of E log p(z | i) / p(z).  Each point has its own nodes: ten
    # standard deviations, at a step that follows its own and the narrowest law in reach.
    information = 0.0
    for m, s in zip(mu, sigma, strict=True):
        step = min(s, sigma.min()) / 8
        z = m + step * np.arange(-math.ceil(10 * s / step), math.ceil(10 * s / step) + 1)
        log_each = -(((z[:, None] - mu) / sigma) ** 2) / 2 - np.log(sigma)
        log_own = -(((z - m) / s) ** 2) / 2 - math.log(s)
        log_mean = logsumexp(log_each, axis=1) - math.log(len(mu))
        weight = step * np.exp(log_own) / math.sqrt(2 * math.pi)
        information += np.sum(weight * (log_own - log_mean)) / len(mu)
    bound = np.mean(gaussian_kl(mu[:, None], 2 * np.log(sigma)[:, None]))
    return max(0.0, float(information)), float(bound)


def vib_loss(w, s, rho, lam):
    """Loss of the linear variational bottleneck with the best Gaussian decoder.

    ``x`` and ``y`` are standard normal with correlation `rho`; the code is ``z = w x + s eps``.

    Parameters
    ----------
    w : float
        Gain of the encoder, finite.
    s : float
        Its noise, positive and finite.
    rho : float
        Correlation, below 1 in size.
    lam : float
        Weight of the divergence, not negative and finite.

    Returns
    -------
    float
        Mean negative log likelihood of y given z plus `lam` times the divergence, in nats.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if not math.isfinite(w):
        raise ValueError(f"`w` must be finite, got {w}")
    if not 0 < s < math.inf:
        raise ValueError(f"`s` must be positive and finite, got {s}")
    if not 0 <= lam < math.inf:
        raise ValueError(f"`lam` must be finite and not negative, got {lam}")
    _check_correlation(rho)
    kept = w * w / (w * w + s * s)
    error = math.log(2 * math.pi * math.e * (1 - rho * rho * kept)) / 2
    return error + lam * (w * w + s * s - 1 - 2 * math.log(s)) / 2


def vib_optimum(rho, lam):
    """Where the loss of `vib_loss` is least.

    Parameters
    ----------
    rho : float
        Correlation, below 1 in size.
    lam : float
        Weight of the divergence, positive and finite.

    Returns
    -------
    kept : float
        Squared correlation of x and z, exactly zero for ``lam >= rho**2``.
    i_xz, i_zy : float
        Information of the code about input and target, in nats.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _check_correlation(rho)
    if not 0 < lam < math.inf:
        raise ValueError(f"`lam` must be positive and finite, got {lam}")
    square = float(rho * rho)
    # The square of 0.8 is rounded up: 0.64 must count as its equal.
    if lam >= square * (1 - 1e-15):
        return 0.0, 0.0, 0.0
    kept = (square - lam) / (square * (1 - lam))
    # 1 - kept and 1 - square * kept, without subtracting.
    return (
        kept,
        -math.log(lam * (1 - square) / (square * (1 - lam))) / 2,
        -math.log((1 - square) / (1 - lam)) / 2,
    )


def information_bottleneck(pxy, beta, n_clusters, n_iter=2000, seed=0):
    """Bottleneck of a table by the self-consistent iteration, from a random start.

    Parameters
    ----------
    pxy : array_like, shape (n_x, n_y)
        Joint probabilities with the sum 1 within 1e-9; every x has some.
    beta : float
        Weight of the relevant information, not negative and finite.
    n_clusters : int
        Number of values of the code, at least 1.
    n_iter : int, default 2000
        Steps, at least 1.
    seed : int, default 0
        For the start, rows from a flat Dirichlet law.

    Returns
    -------
    encoder : ndarray, shape (n_x, n_clusters)
        Conditional probabilities of the code; rows sum to one.
    i_xt, i_ty : float
        Information of the code about x and y, in nats: a local minimum of ``i_xt - beta * i_ty``.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] N. Tishby, F. Pereira, W. Bialek, "The Information Bottleneck Method", 1999.
       arXiv:physics/0004057
    """
    pxy = _joint(pxy)
    px = pxy.sum(1)
    if np.any(px == 0):
        raise ValueError(f"`pxy` must give every x some probability, row {px.argmin()} is zero")
    if not 0 <= beta < math.inf:
        raise ValueError(f"`beta` must be finite and not negative, got {beta}")
    for name, value in (("n_clusters", n_clusters), ("n_iter", n_iter)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1, got {value}")
    rng = np.random.default_rng(seed)
    encoder = rng.dirichlet(np.ones(n_clusters), size=len(px))
    given_x = pxy / px[:, None]
    surprise = np.sum(entr(given_x), axis=1, keepdims=True)
    floor = np.finfo(float).tiny
    for _ in range(n_iter):
        pt = px @ encoder
        given_t = (pxy.T @ encoder) / np.maximum(pt, floor)
        # Divergence of p(y | x) from p(y | t), large but finite where the code lacks a y.
        far = -surprise - given_x @ np.log(np.maximum(given_t, floor))
        log_encoder = np.log(np.maximum(pt, floor)) - beta * far
        log_encoder -= log_encoder.max(axis=1, keepdims=True)
        encoder = np.exp(log_encoder)
        encoder /= encoder.sum(axis=1, keepdims=True)
    i_xt = mutual_information(px[:, None] * encoder)
    return encoder, i_xt, mutual_information(encoder.T @ pxy)


def reverse_water_filling(variances, level):
    """Distortion and rate of independent normal directions at a common water level.

    Parameters
    ----------
    variances : array_like, shape (...)
        Positive and finite.
    level : float
        Positive and finite.

    Returns
    -------
    distortion, rate : ndarray, shape (...)
        The smaller of variance and level; ``log(variance / distortion) / 2`` in nats.

    Raises
    ------
    ValueError
        If a number is not positive and finite.
    """
    variances = np.asarray(variances, dtype=float)
    if not np.all((variances > 0) & (variances < math.inf)):
        raise ValueError("`variances` must be positive and finite, got another number")
    if not 0 < level < math.inf:
        raise ValueError(f"`level` must be positive and finite, got {level}")
    distortion = np.minimum(variances, level)
    return distortion, np.log(variances / distortion) / 2


def interpolate(z1, z2, t, mode="linear"):
    """Point between two codes.

    Parameters
    ----------
    z1, z2 : array_like, shape (...)
        Codes of one shape.
    t : float
        From 0 to 1.
    mode : {"linear", "spherical"}
        ``(1 - t) z1 + t z2``, or ``cos(pi t / 2) z1 + sin(pi t / 2) z2``, which keeps the variance
        of independent codes.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If shapes differ, `t` lies outside, or `mode` is unknown.
    """
    z1, z2 = np.asarray(z1, dtype=float), np.asarray(z2, dtype=float)
    if z1.shape != z2.shape:
        raise ValueError(f"`z2` must have shape {z1.shape} like `z1`, got {z2.shape}")
    if not 0 <= t <= 1:
        raise ValueError(f"`t` must lie between 0 and 1, got {t}")
    if mode == "linear":
        return (1 - t) * z1 + t * z2
    if mode == "spherical":
        return math.cos(math.pi * t / 2) * z1 + math.sin(math.pi * t / 2) * z2
    raise ValueError(f'`mode` must be one of "linear" and "spherical", got {mode!r}')


def _joint(pxy):
    pxy = np.asarray(pxy, dtype=float)
    if pxy.ndim != 2 or pxy.size == 0:
        raise ValueError(f"`pxy` must have two axes, got shape {pxy.shape}")
    if not (np.all(pxy >= 0) and abs(pxy.sum() - 1) <= 1e-9):
        raise ValueError("`pxy` must hold probabilities with the sum 1, got other numbers")
    return pxy


def _check_correlation(rho):
    if not abs(rho) < 1:
        raise ValueError(f"`rho` must lie strictly between -1 and 1, got {rho}")
