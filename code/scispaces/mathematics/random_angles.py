"""The angle between two random directions in n dimensions."""

import math

import numpy as np
from scipy.special import betainc, betaincinv, gammaln, polygamma

__all__ = [
    "angle_cdf",
    "angle_pdf",
    "angle_ppf",
    "angle_variance",
    "angle_variance_laplace",
    "cosine_cdf",
    "cosine_pdf",
    "cosine_variance",
    "log_norm_const",
    "packing_bound",
    "prob_within",
    "sample_angles",
]


def log_norm_const(n):
    """Logarithm of the factor that makes ``sin(theta)**(n - 2)`` a density on [0, pi].

    Parameters
    ----------
    n : int
        Dimension, at least 2.

    Returns
    -------
    float
        ``ln Gamma(n/2) - ln Gamma((n-1)/2) - ln(pi)/2``.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 2.

    References
    ----------
    .. [1] Su Jianlin, https://kexue.fm/archives/7076 (2019).
    """
    n = _dimension(n)
    return float(gammaln(n / 2) - gammaln((n - 1) / 2) - math.log(math.pi) / 2)


def angle_pdf(theta, n):
    """Density of the angle between two random directions.

    Parameters
    ----------
    theta : array_like, shape (...)
        Angle in radians, in [0, pi].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)
        Per radian.

    Raises
    ------
    ValueError
        If `theta` is outside [0, pi], or `n` is not an integer of at least 2.
    """
    n, theta = _dimension(n), _within("theta", theta, 0, math.pi)
    if n == 2:
        return np.full_like(theta, 1 / math.pi)[()]
    # In logarithms: both factors overflow or underflow alone for n above 300.
    with np.errstate(divide="ignore"):
        return np.exp(log_norm_const(n) + (n - 2) * np.log(np.sin(theta)))[()]


def cosine_pdf(eta, n):
    """Density of the cosine of the angle between two random directions.

    Parameters
    ----------
    eta : array_like, shape (...)
        Cosine, in [-1, 1].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)
        Infinite at both ends for ``n = 2``.

    Raises
    ------
    ValueError
        If `eta` is outside [-1, 1], or `n` is not an integer of at least 2.
    """
    n, eta = _dimension(n), _within("eta", eta, -1, 1)
    if n == 3:
        return np.full_like(eta, 0.5)[()]
    with np.errstate(divide="ignore"):
        return np.exp(log_norm_const(n) + (n - 3) / 2 * np.log((1 - eta) * (1 + eta)))[()]


def angle_cdf(theta, n):
    """Probability of an angle of at most `theta`.

    Parameters
    ----------
    theta : array_like, shape (...)
        In radians, in [0, pi].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)
        The lower tail is accurate relative to itself.

    Raises
    ------
    ValueError
        If `theta` is outside [0, pi], or `n` is not an integer of at least 2.
    """
    n, theta = _dimension(n), _within("theta", theta, 0, math.pi)
    return _cosine_cdf(-np.cos(theta), np.sin(theta) ** 2, n)


def cosine_cdf(eta, n):
    """Probability of a cosine of at most `eta`.

    Parameters
    ----------
    eta : array_like, shape (...)
        In [-1, 1].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)
        The lower tail is accurate relative to itself.

    Raises
    ------
    ValueError
        If `eta` is outside [-1, 1], or `n` is not an integer of at least 2.
    """
    n, eta = _dimension(n), _within("eta", eta, -1, 1)
    return _cosine_cdf(eta, (1 - eta) * (1 + eta), n)


def angle_ppf(q, n):
    """Angle that is not exceeded with probability `q`.

    Parameters
    ----------
    q : array_like, shape (...)
        In [0, 1].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)
        In radians.

    Raises
    ------
    ValueError
        If `q` is outside [0, 1], or `n` is not an integer of at least 2.
    """
    n, q = _dimension(n), _within("q", q, 0, 1)
    # By the smaller of sin^2 and cos^2, so that angles near 90 degrees keep their digits.
    tail = np.minimum(q, 1 - q)
    cosine = np.sqrt(betaincinv(0.5, (n - 1) / 2, 1 - 2 * tail))
    sine = np.sqrt(betaincinv((n - 1) / 2, 0.5, 2 * tail))
    angle = np.arctan2(sine, cosine)
    return np.where(q <= 0.5, angle, math.pi - angle)[()]


def angle_variance(n):
    """Variance of the angle: half the trigamma function at ``n / 2``.

    Parameters
    ----------
    n : int
        Dimension, at least 2.

    Returns
    -------
    float
        In square radians.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 2.
    """
    return float(polygamma(1, _dimension(n) / 2) / 2)


def angle_variance_laplace(n):
    """Variance of the normal distribution that fits the peak of the density.

    Parameters
    ----------
    n : int
        Dimension, at least 3.

    Returns
    -------
    float
        ``1 / (n - 2)``, in square radians.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 3.
    """
    if _dimension(n) == 2:
        raise ValueError("`n` must be an integer of at least 3, got 2: the density has no peak")
    return 1 / (n - 2)


def cosine_variance(n):
    """Variance of the cosine.

    Parameters
    ----------
    n : int
        Dimension, at least 2.

    Returns
    -------
    float
        ``1 / n``.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 2.
    """
    return 1 / _dimension(n)


def prob_within(delta, n):
    """Probability that the angle differs from a right angle by at most `delta`.

    Parameters
    ----------
    delta : array_like, shape (...)
        In radians, in [0, pi / 2].
    n : int
        Dimension, at least 2.

    Returns
    -------
    ndarray or float, shape (...)

    Raises
    ------
    ValueError
        If `delta` is outside [0, pi / 2], or `n` is not an integer of at least 2.
    """
    n, delta = _dimension(n), _within("delta", delta, 0, math.pi / 2)
    return betainc(0.5, (n - 1) / 2, np.sin(delta) ** 2)[()]


def sample_angles(n, size, rng):
    """Angles between pairs of independent random directions.

    Parameters
    ----------
    n : int
        Dimension, at least 2.
    size : int
        Number of pairs, at least 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (size,)
        In radians.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 2, or `size` not one of at least 1.
    """
    n = _dimension(n)
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"`size` must be an integer of at least 1, got {size}")
    # A normal vector prefers no direction.
    x, y = rng.normal(size=(2, size, n))
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.arccos(np.clip(np.sum(x * y, axis=1) / norms, -1, 1))


def packing_bound(n, eps):
    """Number of random directions among which at most one pair is expected to have a large cosine.

    Parameters
    ----------
    n : int
        Dimension, at least 2.
    eps : float
        What counts as large: above `eps` in absolute value, ``0 < eps < 1``.

    Returns
    -------
    int
        Largest N whose ``N (N - 1) / 2`` pairs expect at most one.  So many vectors with all
        cosines up to `eps` exist.

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 2, `eps` is not between 0 and 1, or the probability
        of a large cosine is below 1e-300.
    """
    n = _dimension(n)
    if not 0 < eps < 1:
        raise ValueError(f"`eps` must be between 0 and 1, got {eps}")
    p = 2 * float(cosine_cdf(-eps, n))
    if p < 1e-300:
        raise ValueError(f"`n` must be smaller for `eps` = {eps}: the probability underflows")
    return math.floor((1 + math.sqrt(1 + 8 / p)) / 2)


def _cosine_cdf(cosine, squared_sine, n):
    # The tails by the sine, which keeps small values; the middle by the cosine, which keeps slopes.
    tail = betainc((n - 1) / 2, 0.5, squared_sine) / 2
    outer = np.where(cosine <= 0, tail, 1 - tail)
    middle = 0.5 + np.sign(cosine) * betainc(0.5, (n - 1) / 2, cosine**2) / 2
    return np.where(n * cosine**2 < 1, middle, outer)[()]


def _dimension(n):
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"`n` must be an integer of at least 2, got {n}")
    return int(n)


def _within(name, value, low, high):
    value = np.asarray(value, dtype=float)
    inside = (value >= low) & (value <= high)
    if not np.all(inside):
        worst = value[~inside].flat[0]
        raise ValueError(f"`{name}` must be between {low:.6g} and {high:.6g}, got {worst:g}")
    return value
