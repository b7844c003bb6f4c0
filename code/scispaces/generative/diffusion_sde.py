"""Diffusion as a stochastic differential equation, forward and backward, with exact scores.

Time t runs from 0 (data) to 1 (noise).  A path fixes ``x_t = alpha(t) x_0 + beta(t) eps``; data are
Gaussian mixtures as in `scispaces.generative.denoising_autoencoders`.
"""

import math
import numbers

import numpy as np

from scispaces.generative.denoising_autoencoders import gmm_score

__all__ = [
    "GaussianPath",
    "dsm_loss",
    "forward_em",
    "forward_sample",
    "gaussian_reverse_moments",
    "marginal",
    "reverse_em",
    "reverse_kernel_anderson",
    "reverse_kernel_exact",
    "score_t",
    "sub_vp_path",
    "ve_path",
    "vp_path",
]


class GaussianPath:
    """A noising process ``dx = f(t) x dt + g(t) dw`` given by the law of x_t for a fixed x_0.

    Every method takes times in [0, 1], array_like of shape (...), returns an ndarray of that shape
    and raises ValueError for other times.

    Parameters
    ----------
    alpha, dalpha, beta2, dbeta2 : callable
        The factor of x_0, its derivative, the variance of the noise and its derivative, each a
        function of an array of times.
    """

    def __init__(self, alpha, dalpha, beta2, dbeta2):
        self._alpha, self._dalpha, self._beta2, self._dbeta2 = alpha, dalpha, beta2, dbeta2

    def alpha(self, t):
        """Factor of the data."""
        return self._alpha(_times(t))

    def beta(self, t):
        """Standard deviation of the noise."""
        return np.sqrt(self._beta2(_times(t)))

    def f(self, t):
        """Rate of the drift ``f(t) x``."""
        t = _times(t)
        return self._dalpha(t) / self._alpha(t)

    def g2(self, t):
        """Square of the noise strength."""
        t = _times(t)
        return self._dbeta2(t) - 2 * self._dalpha(t) / self._alpha(t) * self._beta2(t)


def vp_path(c=5.0):
    """Path with ``alpha = exp(-c t²)`` and ``alpha² + beta² = 1`` (variance preserving).

    Parameters
    ----------
    c : float, default 5.0
        Positive; 5 is close to the schedule of DDPM.

    Returns
    -------
    GaussianPath

    Raises
    ------
    ValueError
        If `c` is not positive and finite.
    """
    c = _positive("c", c)
    return GaussianPath(
        lambda t: np.exp(-c * t**2),
        lambda t: -2 * c * t * np.exp(-c * t**2),
        lambda t: -np.expm1(-2 * c * t**2),
        lambda t: 4 * c * t * np.exp(-2 * c * t**2),
    )


def ve_path(sigma_max=10.0):
    """Path with ``alpha = 1`` and ``beta = sigma_max t`` (variance exploding).

    Parameters
    ----------
    sigma_max : float, default 10.0
        Noise at time 1, positive.

    Returns
    -------
    GaussianPath

    Raises
    ------
    ValueError
        If `sigma_max` is not positive and finite.
    """
    sigma_max = _positive("sigma_max", sigma_max)
    return GaussianPath(
        np.ones_like,
        np.zeros_like,
        lambda t: (sigma_max * t) ** 2,
        lambda t: 2 * sigma_max**2 * t,
    )


def sub_vp_path(c=5.0):
    """Path with ``alpha = exp(-c t²)`` and ``beta = 1 - alpha²``.

    Parameters
    ----------
    c : float, default 5.0
        Positive.

    Returns
    -------
    GaussianPath

    Raises
    ------
    ValueError
        If `c` is not positive and finite.
    """
    c = _positive("c", c)
    return GaussianPath(
        lambda t: np.exp(-c * t**2),
        lambda t: -2 * c * t * np.exp(-c * t**2),
        lambda t: np.expm1(-2 * c * t**2) ** 2,
        lambda t: -2 * np.expm1(-2 * c * t**2) * 4 * c * t * np.exp(-2 * c * t**2),
    )


def marginal(path, t, weights, means, stds):
    """Mixture at time t of data that are a mixture.

    Parameters
    ----------
    path : GaussianPath
    t : float
        Time in [0, 1].
    weights : array_like, shape (K,)
    means : array_like, shape (K, d)
    stds : array_like, shape (K,)
        Mixture of the data; a standard deviation may be 0.

    Returns
    -------
    weights : ndarray, shape (K,)
    means : ndarray, shape (K, d)
    stds : ndarray, shape (K,)

    Raises
    ------
    ValueError
        If `t` is out of range.
    """
    alpha, beta = path.alpha(t), path.beta(t)
    stds = np.hypot(alpha * np.asarray(stds, dtype=float), beta)
    return np.asarray(weights, dtype=float), alpha * np.asarray(means, dtype=float), stds


def score_t(x, t, path, weights, means, stds):
    """Exact score of the mixture at time t.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    t : float
        Time in [0, 1]; 0 only if no standard deviation is 0.
    path : GaussianPath
    weights, means, stds
        As for `marginal`.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If `t` is out of range, or as for `gmm_score`.
    """
    return gmm_score(x, *marginal(path, t, weights, means, stds))


def forward_sample(x0, t, path, rng):
    """Noisy points at time t in one stroke.

    Parameters
    ----------
    x0 : array_like, shape (...)
        Data.
    t : float
        Time in [0, 1].
    path : GaussianPath
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (...)
        ``alpha x0 + beta eps``.

    Raises
    ------
    ValueError
        If `t` is out of range.
    """
    x0 = np.asarray(x0, dtype=float)
    return path.alpha(t) * x0 + path.beta(t) * rng.standard_normal(x0.shape)


def forward_em(x0, path, n_steps, rng):
    """Noisy points at time 1 by Euler-Maruyama steps.

    Parameters
    ----------
    x0 : array_like, shape (...)
        Data.
    path : GaussianPath
    n_steps : int
        Number of equal steps, at least 1; coefficients are taken at the early end of each.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `n_steps` is not a positive integer.
    """
    n_steps = _count(n_steps)
    x, dt = np.array(x0, dtype=float), 1 / n_steps
    for t in np.arange(n_steps) * dt:
        kick = math.sqrt(path.g2(t) * dt) * rng.standard_normal(x.shape)
        x = x + path.f(t) * x * dt + kick
    return x


def reverse_em(x1, score, path, n_steps, rng, t_end=1e-3, lam=1.0):
    """Run noise back to data by Euler-Maruyama steps.

    Parameters
    ----------
    x1 : array_like, shape (...)
        Points at time 1.
    score : callable
        ``score(x, t)``, the gradient of the log-density at time t.
    path : GaussianPath
    n_steps : int
        Number of equal steps, at least 1; coefficients are taken at the late end of each.
    rng : numpy.random.Generator or None
        Source of the noise; not touched if `lam` is 0.
    t_end : float, default 1e-3
        Where to stop, in [0, 1).
    lam : float, default 1.0
        Noise, ``>= 0``: 1 is the reversed equation, 0 the ordinary differential equation.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `n_steps`, `t_end` or `lam` is out of range.
    """
    times, dt = _grid(n_steps, t_end)
    lam = _noise(lam)
    x = np.array(x1, dtype=float)
    for t in times:
        drift = path.f(t) * x - (1 + lam**2) / 2 * path.g2(t) * score(x, t)
        x = x - drift * dt
        if lam:
            x = x + lam * math.sqrt(path.g2(t) * dt) * rng.standard_normal(x.shape)
    return x


def gaussian_reverse_moments(path, mean, std, n_steps, t_end=1e-3, lam=1.0, start="prior"):
    """Exact mean and variance of what `reverse_em` returns for Gaussian data on the line.

    Parameters
    ----------
    path : GaussianPath
    mean, std : float
        Data ``N(mean, std²)``, ``std >= 0``; the sampler is given their true score.
    n_steps, t_end, lam
        As for `reverse_em`.
    start : {"prior", "exact"}
        ``N(0, beta(1)²)`` or the true law at time 1.

    Returns
    -------
    mean : float
    var : float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    times, dt = _grid(n_steps, t_end)
    lam = _noise(lam)
    centres, variances = _moments(path, times, mean, std)
    if start == "exact":
        m, v = centres[0], variances[0]
    elif start == "prior":
        m, v = 0.0, path.beta(1.0) ** 2
    else:
        raise ValueError(f"`start` must be 'prior' or 'exact', got {start!r}")
    # The score is linear, so a step is x <- factor * x + shift + noise.
    pull = (1 + lam**2) / 2 * path.g2(times) / variances
    factors, shifts = 1 - (path.f(times) + pull) * dt, pull * centres * dt
    kicks = lam**2 * path.g2(times) * dt
    for factor, shift, kick in zip(factors, shifts, kicks, strict=True):
        m, v = factor * m + shift, factor**2 * v + kick
    return float(m), float(v)


def reverse_kernel_exact(x, path, mean, std, t, dt):
    """Law of x_t given ``x_{t+dt} = x`` for Gaussian data on the line.

    Parameters
    ----------
    x : float
        Point at time ``t + dt``.
    path : GaussianPath
    mean, std : float
        Data ``N(mean, std²)``, ``std >= 0``.
    t, dt : float
        ``0 < t < t + dt <= 1``.

    Returns
    -------
    mean : float
    var : float

    Raises
    ------
    ValueError
        If the times or `std` are out of range.
    """
    _interval(t, dt)
    carried = path.alpha(t + dt) / path.alpha(t)
    added = path.beta(t + dt) ** 2 - (carried * path.beta(t)) ** 2
    centre, spread = _moments(path, t, mean, std)
    total = carried**2 * spread + added
    gain = carried * spread / total
    return float(centre + gain * (x - carried * centre)), float(spread * added / total)


def reverse_kernel_anderson(x, path, mean, std, t, dt):
    """Approximation of the same law to first order in dt, the step of the reversed equation.

    Parameters
    ----------
    x, path, mean, std, t, dt
        As for `reverse_kernel_exact`.

    Returns
    -------
    mean : float
    var : float

    Raises
    ------
    ValueError
        If the times or `std` are out of range.
    """
    _interval(t, dt)
    late = t + dt
    centre, spread = _moments(path, late, mean, std)
    drift = path.f(late) * x - path.g2(late) * (centre - x) / spread
    return float(x - drift * dt), float(path.g2(late) * dt)


def dsm_loss(score, x0, t, path, rng):
    """Loss of conditional score matching at one time, with one draw of noise.

    Parameters
    ----------
    score : callable
        ``score(x, t)``.
    x0 : array_like, shape (n, d)
        Data.
    t : float
        Time in (0, 1].
    path : GaussianPath
    rng : numpy.random.Generator

    Returns
    -------
    float
        Mean over the rows of ``|score(x_t, t) + eps / beta|²``.

    Raises
    ------
    ValueError
        If `x0` is not two-dimensional, or `t` is out of range.
    """
    x0 = np.asarray(x0, dtype=float)
    if x0.ndim != 2:
        raise ValueError(f"`x0` must have shape (n, d), got {x0.shape}")
    if t == 0:
        raise ValueError("`t` must be positive: there is no noise at time 0, got 0")
    eps = rng.standard_normal(x0.shape)
    x = path.alpha(t) * x0 + path.beta(t) * eps
    return float(np.mean(np.sum((score(x, t) + eps / path.beta(t)) ** 2, axis=1)))


def _times(t):
    t = np.asarray(t, dtype=float)
    if not np.all((t >= 0) & (t <= 1)):
        raise ValueError(f"`t` must be between 0 and 1, got {t}")
    return t


def _moments(path, t, mean, std):
    """Mean and variance of x_t for data ``N(mean, std²)`` on the line."""
    if not (math.isfinite(std) and std >= 0):
        raise ValueError(f"`std` must be finite and not negative, got {std}")
    alpha = path.alpha(t)
    return alpha * mean, (alpha * std) ** 2 + path.beta(t) ** 2


def _grid(n_steps, t_end):
    """Return the late ends of equal steps from 1 down to `t_end`, and their length."""
    n_steps = _count(n_steps)
    if not 0 <= t_end < 1:
        raise ValueError(f"`t_end` must be at least 0 and below 1, got {t_end}")
    dt = (1 - t_end) / n_steps
    return 1 - np.arange(n_steps) * dt, dt


def _interval(t, dt):
    if not (t > 0 and dt > 0 and t + dt <= 1):
        raise ValueError(f"`t` and `dt` must satisfy 0 < t < t + dt <= 1, got {t} and {dt}")


def _noise(lam):
    if not (math.isfinite(lam) and lam >= 0):
        raise ValueError(f"`lam` must be finite and not negative, got {lam}")
    return float(lam)


def _count(n_steps):
    if not isinstance(n_steps, numbers.Integral) or isinstance(n_steps, bool) or n_steps < 1:
        raise ValueError(f"`n_steps` must be a positive integer, got {n_steps!r}")
    return int(n_steps)


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)
