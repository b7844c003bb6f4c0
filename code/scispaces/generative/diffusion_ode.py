"""The ordinary differential equation that carries noise to data, with the noise level as its clock.

At noise ``sigma`` the density is ``p_sigma = p * N(0, sigma²)``; data are Gaussian mixtures as in
`scispaces.generative.denoising_autoencoders`.
"""

import math
import numbers

import numpy as np
from scipy.special import log_ndtr, logsumexp

from scispaces.generative.denoising_autoencoders import (
    gmm_logpdf,
    gmm_score,
    posterior_covariance,
)

__all__ = [
    "divergence",
    "flow_map_1d",
    "heat_solve_1d",
    "log_likelihood",
    "rk4_step",
    "solve_flow",
    "velocity",
]


def velocity(x, sigma, weights, means, stds, swirl=0.0):
    """Velocity ``dx/dsigma`` of the flow that keeps the marginals ``p_sigma``.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    sigma : float
        Noise level, ``>= 0``; 0 only if no standard deviation is 0.
    weights : array_like, shape (K,)
    means : array_like, shape (K, d)
    stds : array_like, shape (K,)
        Mixture of the data.
    swirl : float, default 0.0
        Strength of a rotating part along the level lines of the density, which changes the paths
        and no marginal; needs ``d == 2`` unless 0.

    Returns
    -------
    ndarray, shape (..., d)
        ``-sigma grad log p_sigma``, plus ``swirl sigma`` times that gradient turned by 90 degrees.

    Raises
    ------
    ValueError
        If `sigma` is negative or not finite, `swirl` is used outside the plane, or as for
        `gmm_score`.
    """
    sigma = _noise("sigma", sigma)
    score = gmm_score(x, weights, means, np.hypot(stds, sigma))
    if not swirl:
        return -sigma * score
    if score.shape[-1] != 2:
        raise ValueError(f"`swirl` needs points in the plane, got d = {score.shape[-1]}")
    turned = np.stack([-score[..., 1], score[..., 0]], axis=-1)
    return sigma * (swirl * turned - score)


def divergence(x, sigma, weights, means, stds):
    """Divergence of `velocity`, with or without swirl.

    Parameters
    ----------
    x, sigma, weights, means, stds
        As for `velocity`.

    Returns
    -------
    ndarray, shape (...)
        ``-sigma`` times the Laplacian of ``log p_sigma``.

    Raises
    ------
    ValueError
        As for `velocity`.
    """
    sigma = _noise("sigma", sigma)
    noisy = np.hypot(stds, sigma)
    # Any part of the spread may be called noise in the second-order Tweedie formula; calling all
    # of the narrowest component so avoids a difference of large numbers at small sigma.
    split = noisy.min()
    if not split > 0:
        raise ValueError(f"`stds` must be positive where `sigma` is 0, got {np.asarray(stds)}")
    rest = np.sqrt(np.maximum(noisy**2 - split**2, 0))
    trace = np.trace(posterior_covariance(x, split, weights, means, rest), axis1=-2, axis2=-1)
    return sigma * (np.shape(means)[1] - trace / split**2) / split**2


def rk4_step(slope, x, t, h):
    """One step of the classical Runge-Kutta method for ``dx/dt = slope(x, t)``.

    Parameters
    ----------
    slope : callable
        ``slope(x, t)``, an array of the shape of `x`.
    x : array_like, shape (...)
        State at time `t`.
    t : float
        Time, or whatever the clock of the equation is.
    h : float
        Step, negative to go back.

    Returns
    -------
    ndarray, shape (...)
        State at ``t + h``, with an error of order ``h**5``.
    """
    x = np.asarray(x, dtype=float)
    first = slope(x, t)
    second = slope(x + h / 2 * first, t + h / 2)
    third = slope(x + h / 2 * second, t + h / 2)
    last = slope(x + h * third, t + h)
    return x + h / 6 * (first + 2 * second + 2 * third + last)


_METHODS = ("euler", "heun", "rk4")


def solve_flow(x, sigmas, weights, means, stds, method="heun", swirl=0.0):
    """Carry points along the flow by fixed steps.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points at the first noise level.
    sigmas : array_like, shape (n,)
        Noise levels, ``n >= 2``, not negative, strictly rising or strictly falling.
    weights, means, stds
        As for `velocity`.
    method : {"heun", "euler", "rk4"}
        Of order 2, 1 and 4.
    swirl : float, default 0.0
        As for `velocity`.

    Returns
    -------
    ndarray, shape (n, ..., d)
        The points at each level; the first row is `x`.

    Raises
    ------
    ValueError
        If `sigmas` or `method` is not as described, or as for `velocity`.
    """
    sigmas = np.asarray(sigmas, dtype=float)
    if sigmas.ndim != 1 or sigmas.size < 2:
        raise ValueError(f"`sigmas` must have shape (n,) with n >= 2, got {sigmas.shape}")
    steps = np.diff(sigmas)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError(f"`sigmas` must be strictly monotone, got {sigmas}")
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {_METHODS}, got {method!r}")

    def slope(x, sigma):
        return velocity(x, sigma, weights, means, stds, swirl)

    x = np.array(x, dtype=float)
    rows = [x]
    for sigma, h in zip(sigmas, steps, strict=False):
        if method == "rk4":
            x = rk4_step(slope, x, sigma, h)
        else:
            first = slope(x, sigma)
            last = slope(x + h * first, sigma + h) if method == "heun" else first
            x = x + h / 2 * (first + last)
        rows.append(x)
    return np.stack(rows)


def log_likelihood(x, weights, means, stds, sigma_max=20.0, n_steps=400):
    """Log-density of points at noise 0, computed along the flow.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    weights, means, stds
        Mixture of the data; no standard deviation is 0.
    sigma_max : float, default 20.0
        Noise at the far end, positive.
    n_steps : int, default 400
        Steps of the classical Runge-Kutta method, at least 2.

    Returns
    -------
    ndarray, shape (...)
        ``log p_sigma_max`` at the end of the path plus the integral of the divergence.

    Raises
    ------
    ValueError
        If an argument is out of range, or as for `velocity`.
    """
    if not 0 < sigma_max < math.inf:
        raise ValueError(f"`sigma_max` must be positive and finite, got {sigma_max}")
    if not isinstance(n_steps, numbers.Integral) or n_steps < 2:
        raise ValueError(f"`n_steps` must be an integer of at least 2, got {n_steps!r}")

    def slope(state, sigma):
        at = (state[..., :-1], sigma, weights, means, stds)
        return np.concatenate([velocity(*at), divergence(*at)[..., None]], axis=-1)

    low = min(1e-3, sigma_max / 2)
    sigmas = np.concatenate([[0.0], np.geomspace(low, sigma_max, n_steps)])
    # The last coordinate of the state is the integral of the divergence so far.
    x = np.atleast_1d(np.asarray(x, dtype=float))
    state = np.concatenate([x, np.zeros((*x.shape[:-1], 1))], axis=-1)
    for sigma, h in zip(sigmas, np.diff(sigmas), strict=False):
        state = rk4_step(slope, state, sigma, h)
    far = gmm_logpdf(state[..., :-1], weights, means, np.hypot(stds, sigma_max))
    return far + state[..., -1]


def flow_map_1d(x, sigma_from, sigma_to, weights, means, stds):
    """Exact flow on the line, which keeps the share of probability to the left.

    Parameters
    ----------
    x : array_like, shape (...)
        Points; there is no axis for the single coordinate.
    sigma_from, sigma_to : float
        Noise levels, ``>= 0``.
    weights, means, stds
        Mixture of the data, with ``d == 1``.

    Returns
    -------
    ndarray, shape (...)
        ``F_to^{-1}(F_from(x))``, found on the smaller tail.

    Raises
    ------
    ValueError
        If the mixture is not on the line, a noise level is negative, or a component has no spread
        at one of them.
    """
    weights, means, stds = (np.asarray(a, dtype=float) for a in (weights, means, stds))
    if means.ndim != 2 or means.shape[1] != 1:
        raise ValueError(
            f"`means` must have shape (K, 1), a mixture on the line, got {means.shape}"
        )
    x, centres = np.asarray(x, dtype=float), means[:, 0]
    here = np.hypot(stds, _noise("sigma_from", sigma_from))
    there = np.hypot(stds, _noise("sigma_to", sigma_to))
    if not (np.all(here > 0) and np.all(there > 0)):
        raise ValueError("`stds` must be positive where a noise level is 0: the map has no inverse")

    def log_tail(y, spread, side):
        return logsumexp(log_ndtr(side * (y[..., None] - centres) / spread), b=weights, axis=-1)

    left, right = log_tail(x, here, 1), log_tail(x, here, -1)
    side = np.where(left < right, 1.0, -1.0)
    goal = np.minimum(left, right)
    reach = 4 + np.max(np.abs(x[..., None] - centres) / here, axis=-1)
    low, high = (
        (centres - reach[..., None] * there).min(axis=-1),
        (centres + reach[..., None] * there).max(axis=-1),
    )
    for _ in range(90):
        middle = (low + high) / 2
        too_far = np.where(side > 0, log_tail(middle, there, 1), log_tail(middle, there, -1)) > goal
        up = too_far == (side < 0)
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return (low + high) / 2


def heat_solve_1d(p0, dx, sigma):
    """Density on a periodic grid after the heat equation has added Gaussian noise.

    Parameters
    ----------
    p0 : array_like, shape (n,)
        Density on a uniform grid.
    dx : float
        Spacing of the grid, positive.
    sigma : float
        Standard deviation of the noise, ``>= 0``.

    Returns
    -------
    ndarray, shape (n,)
        Each frequency omega is multiplied by ``exp(-sigma² omega² / 2)``; the sum is kept.

    Raises
    ------
    ValueError
        If `p0` is not a vector, `dx` is not positive, or `sigma` is negative.
    """
    p0, sigma = np.asarray(p0, dtype=float), _noise("sigma", sigma)
    if p0.ndim != 1 or not p0.size:
        raise ValueError(f"`p0` must have shape (n,), got {p0.shape}")
    if not 0 < dx < math.inf:
        raise ValueError(f"`dx` must be positive and finite, got {dx}")
    omega = 2 * math.pi * np.fft.rfftfreq(p0.size, dx)
    return np.fft.irfft(np.fft.rfft(p0) * np.exp(-((sigma * omega) ** 2) / 2), n=p0.size)


def _noise(name, sigma):
    if not (isinstance(sigma, numbers.Real) and 0 <= sigma < math.inf):
        raise ValueError(f"`{name}` must be a finite number and not negative, got {sigma!r}")
    return float(sigma)
