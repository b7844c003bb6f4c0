"""The Hilbert-Schmidt independence criterion: one number from two kernel matrices."""

import math
import numbers

import numpy as np

__all__ = [
    "cka",
    "distance_kernel",
    "hsic",
    "hsic_gaussian",
    "linear_kernel",
    "permutation_mean",
    "permutation_test",
    "rbf_kernel",
]

TIE = 1e-12
"""Differences below this share of the largest possible value are rounding."""


def rbf_kernel(x, sigma=1.0):
    """Gaussian kernel ``exp(-|x_i - x_j|² / sigma²)``, without a factor of two.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, d)
        Sample of numbers or of vectors, n >= 2.
    sigma : float, default 1.0
        Width, positive, in the unit of `x`.

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric, between 0 and 1, with ones on the diagonal.

    Raises
    ------
    ValueError
        If `x` has another shape or is not finite, or `sigma` is not positive and finite.
    """
    x = _sample(x)
    return np.exp(-_squared_distances(x) / _width("sigma", sigma) ** 2)


def linear_kernel(x):
    """Inner products of the points of a sample.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, d)
        Sample of numbers or of vectors, n >= 2.

    Returns
    -------
    ndarray, shape (n, n)

    Raises
    ------
    ValueError
        If `x` has another shape or is not finite.
    """
    x = _sample(x)
    return x @ x.T


def distance_kernel(x):
    """Kernel ``(|x_i| + |x_j| - |x_i - x_j|) / 2``, which makes HSIC a distance covariance.

    Parameters
    ----------
    x : array_like, shape (n,) or (n, d)
        Sample of numbers or of vectors, n >= 2.

    Returns
    -------
    ndarray, shape (n, n)
        Positive semidefinite.

    Raises
    ------
    ValueError
        If `x` has another shape or is not finite.
    """
    x = _sample(x)
    norms = np.linalg.norm(x, axis=1)
    return (norms[:, None] + norms[None, :] - np.sqrt(_squared_distances(x))) / 2


def hsic(K, L, estimator="gretton"):
    """Hilbert-Schmidt independence criterion of a sample of pairs, in O(n²) operations.

    Parameters
    ----------
    K, L : array_like, shape (n, n)
        Kernel matrices of the two halves of the pairs, symmetric.
    estimator : {"gretton", "v", "unbiased"}, default "gretton"
        With centred kernels, ``tr(K J L J)`` over ``(n - 1)²`` ("gretton") or ``n²`` ("v"), both
        biased; or the estimate of Song et al. ("unbiased", n >= 4), which can be negative.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `K` or `L` is not a symmetric matrix, their shapes differ, or `estimator` is unknown or
        needs more points.

    References
    ----------
    .. [1] A. Gretton, O. Bousquet, A. Smola, B. Schölkopf, "Measuring Statistical Dependence with
       Hilbert-Schmidt Norms", ALT 2005. doi:10.1007/11564089_7
    .. [2] L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt, "Feature Selection via Dependence
       Maximization", JMLR 13 (2012), 1393.
    """
    K, L = _kernels(K, L)
    n = len(K)
    if estimator in ("gretton", "v"):
        # tr(K J L J) = tr(J K J L): one of the matrices is centred, in its rows and columns.
        return float(np.sum(_centred(K) * L) / (n - (estimator == "gretton")) ** 2)
    if estimator != "unbiased":
        raise ValueError(
            f'`estimator` must be one of "v", "gretton" and "unbiased", got {estimator!r}'
        )
    if n < 4:
        raise ValueError(f'`estimator` "unbiased" needs at least 4 points, got {n}')
    K, L = (M - np.diag(np.diag(M)) for M in (K, L))
    pairs = np.sum(K * L)
    separate = K.sum() * L.sum() / ((n - 1) * (n - 2))
    triples = 2 / (n - 2) * (K.sum(0) @ L.sum(0))
    return float((pairs + separate - triples) / (n * (n - 3)))


def permutation_mean(K, L):
    """Mean of the "gretton" value over all permutations of the second half of the pairs.

    Parameters
    ----------
    K, L : array_like, shape (n, n)
        Kernel matrices, symmetric.

    Returns
    -------
    float
        ``tr(J K J) tr(J L J) / (n - 1)³``, exact.

    Raises
    ------
    ValueError
        If `K` or `L` is not a symmetric matrix, or their shapes differ.
    """
    K, L = _kernels(K, L)
    return float(np.trace(_centred(K)) * np.trace(_centred(L)) / (len(K) - 1) ** 3)


def permutation_test(K, L, n_perm=200, rng=None):
    """Test of independence: how rarely a shuffled sample looks as dependent as the given one.

    Parameters
    ----------
    K, L : array_like, shape (n, n)
        Kernel matrices, symmetric.
    n_perm : int, default 200
        Random permutations, at least 1.
    rng : int, Generator or None
        Passed to `numpy.random.default_rng`.

    Returns
    -------
    statistic : float
        The "gretton" value.
    p : float
        ``(1 + number of permutations with at least that value) / (1 + n_perm)``, never zero.

    Raises
    ------
    ValueError
        If `K` or `L` is not a symmetric matrix, their shapes differ, or `n_perm` is not an
        integer of at least 1.
    """
    K, L = _kernels(K, L)
    if isinstance(n_perm, bool) or not isinstance(n_perm, numbers.Integral) or n_perm < 1:
        raise ValueError(f"`n_perm` must be an integer of at least 1, got {n_perm!r}")
    rng = np.random.default_rng(rng)
    K, n = _centred(K), len(K)
    observed = np.sum(K * L)
    # A shuffle that changes nothing must count as a tie, in whatever order its terms are added.
    least = observed - TIE * np.linalg.norm(K) * np.linalg.norm(L)
    reached = 0
    for _ in range(n_perm):
        order = rng.permutation(n)
        reached += np.sum(K * L[np.ix_(order, order)]) >= least
    return float(observed / (n - 1) ** 2), float((1 + reached) / (1 + n_perm))


def cka(K, L):
    """Centred kernel alignment: the cosine of the angle between the centred kernel matrices.

    Parameters
    ----------
    K, L : array_like, shape (n, n)
        Kernel matrices, symmetric.

    Returns
    -------
    float
        Between 0 and 1 if both kernels are positive semidefinite.

    Raises
    ------
    ValueError
        If `K` or `L` is not a symmetric matrix, their shapes differ, or one of them belongs to a
        constant variable.
    """
    K, L = _kernels(K, L)
    lengths = []
    for name, M in (("K", K), ("L", L)):
        lengths.append(np.linalg.norm(_centred(M)))
        if lengths[-1] <= TIE * np.linalg.norm(M):
            raise ValueError(f"`{name}` must belong to a variable that varies, got a constant one")
    return float(np.sum(_centred(K) * _centred(L)) / (lengths[0] * lengths[1]))


def hsic_gaussian(cov, sigma_x=1.0, sigma_y=1.0):
    """HSIC of a normal pair with Gaussian kernels, without sampling.

    Parameters
    ----------
    cov : array_like, shape (2, 2)
        Covariance of the pair: symmetric, positive semidefinite.
    sigma_x, sigma_y : float, default 1.0
        Widths of the two kernels, as for `rbf_kernel`.

    Returns
    -------
    float
        Rounding leaves an absolute error of some 1e-16.

    Raises
    ------
    ValueError
        If `cov` is no covariance, or a width is not positive and finite.
    """
    S = np.asarray(cov, dtype=float)
    if S.shape != (2, 2):
        raise ValueError(f"`cov` must have shape (2, 2), got {S.shape}")
    scale = np.abs(S).max()
    if not (np.all(np.isfinite(S)) and abs(S[0, 1] - S[1, 0]) <= TIE * scale):
        raise ValueError(f"`cov` must be finite and symmetric, got {S.tolist()}")
    if np.linalg.eigvalsh(S)[0] < -TIE * scale:
        raise ValueError(f"`cov` must be positive semidefinite, got {S.tolist()}")
    a, b = _width("sigma_x", sigma_x) ** -2.0, _width("sigma_y", sigma_y) ** -2.0
    (xx, xy), (_, yy) = S

    def gauss(p, q):
        """E exp(-p x² - q y²) = det(I + 2 diag(p, q) S) ** -1/2."""
        return ((1 + 2 * p * xx) * (1 + 2 * q * yy) - 4 * p * q * xy * xy) ** -0.5

    joint = gauss(2 * a, 2 * b)
    separate = ((1 + 4 * a * xx) * (1 + 4 * b * yy)) ** -0.5
    wide_x, wide_y = 1 + 2 * a * xx, 1 + 2 * b * yy
    mixed = (wide_x * wide_y) ** -0.5 * gauss(a / wide_x, b / wide_y)
    return float(joint + separate - 2 * mixed)


def _sample(x):
    x = np.asarray(x, dtype=float)
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or len(x) < 2 or x.shape[1] < 1:
        raise ValueError(f"`x` must have shape (n,) or (n, d) with n >= 2, got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError("`x` must be finite, got NaN or infinity")
    return x


def _squared_distances(x):
    return sum(np.subtract.outer(column, column) ** 2 for column in x.T)


def _width(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)


def _kernels(K, L):
    K, L = np.asarray(K, dtype=float), np.asarray(L, dtype=float)
    for name, M in (("K", K), ("L", L)):
        if M.ndim != 2 or M.shape[0] != M.shape[1] or len(M) < 2:
            raise ValueError(f"`{name}` must be a square matrix, n >= 2, got shape {M.shape}")
        if not np.all(np.isfinite(M)):
            raise ValueError(f"`{name}` must be finite, got NaN or infinity")
        if np.abs(M - M.T).max() > TIE * np.abs(M).max():
            raise ValueError(f"`{name}` must be symmetric, got a matrix that is not")
    if K.shape != L.shape:
        raise ValueError(f"`L` must have shape {K.shape} to match `K`, got {L.shape}")
    return K, L


def _centred(M):
    """``J M J`` with ``J = I - 1 1ᵀ / n``."""
    means = M.mean(0)
    return M - means[:, None] - means[None, :] + means.mean()
