"""Generative differential equations from isotropic force fields: gravity, Gaussian and others.

Data are atoms `data` of shape (n, d) with `weights`.  At time t an atom is smeared out by a kernel
``phi_t(r)`` of its distance r; all kernels here have ``phi_t(r) = t^-d phi_1(r / t)``.
"""

import math
import numbers

import numpy as np
from scipy.special import betainc, gammainc, gammaln, logsumexp

from scispaces.generative.diffusion_ode import rk4_step
from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "cdf_1d",
    "flow",
    "green_from_mass",
    "kernel_mass",
    "log_density",
    "log_kernel",
    "posterior_mean",
    "posterior_weights",
    "sample_kernel",
    "sphere_area",
    "velocity",
]

_KERNELS = ("poisson", "student", "gauss", "rational")


def sphere_area(d):
    """Area of the unit sphere in d dimensions.

    Parameters
    ----------
    d : int
        At least 1.

    Returns
    -------
    float
        2 for d = 1, 2 pi for d = 2.

    Raises
    ------
    ValueError
        If `d` is not a positive integer.
    """
    d = _dimension(d)
    return 2 * math.pi ** (d / 2) / math.gamma(d / 2)


def log_kernel(r, t, d, kernel="poisson", D=1.0):
    """Logarithm of the density of a smeared atom.

    Parameters
    ----------
    r : array_like, shape (...)
        Distances from the atom, ``>= 0``.
    t : float
        Time, positive.
    d : int
        Dimension of the space.
    kernel : {"poisson", "student", "gauss", "rational"}
        Poisson is Student with ``D = 1``.
    D : float, default 1.0
        Degrees of freedom of the Student kernel, positive; not used by the others.

    Returns
    -------
    ndarray, shape (...)
        ``log phi_t(r)``, normalised in d dimensions.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    r, t, d, D = _distances(r), _time(t), _dimension(d), _degrees(kernel, D)
    q = r / t
    if kernel == "gauss":
        return -(q**2) / 2 - d * (math.log(t) + math.log(2 * math.pi) / 2)
    if kernel == "rational":
        log_q = np.log(np.maximum(q, 1e-300))
        scale = math.log(d / sphere_area(d)) - d * math.log(t)
        return scale - 2 * np.logaddexp(0, d * log_q)
    constant = gammaln((d + D) / 2) - gammaln(D / 2) - d / 2 * math.log(math.pi)
    return constant - d * math.log(t) - (d + D) * np.log(np.hypot(1, q))


def kernel_mass(r, t, d, kernel="poisson", D=1.0):
    """Probability within a distance of the atom.

    Parameters
    ----------
    r, t, d, kernel, D
        As for `log_kernel`.

    Returns
    -------
    ndarray, shape (...)
        ``psi_t(r)``, from 0 at the atom to 1 far away.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    r, t, d, D = _distances(r), _time(t), _dimension(d), _degrees(kernel, D)
    q = r / t
    if kernel == "gauss":
        return gammainc(d / 2, q**2 / 2)
    if kernel == "rational":
        # Of the two forms each is exact on its side of q = 1.
        small = np.minimum(q, 1 / np.maximum(q, 1e-300)) ** d
        return np.where(q <= 1, small, 1) / (1 + small)
    return betainc(d / 2, D / 2, (q / np.hypot(1, q)) ** 2)


def sample_kernel(x0, t, rng, kernel="poisson", D=1.0):
    """Smear points at random.

    Parameters
    ----------
    x0 : array_like, shape (n, d)
        Atoms.
    t : float
        Time, positive.
    rng : numpy.random.Generator
    kernel, D
        As for `log_kernel`.

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    ValueError
        If `x0` is not two-dimensional, or another argument is out of range.
    """
    x0, t, D = np.asarray(x0, dtype=float), _time(t), _degrees(kernel, D)
    if x0.ndim != 2:
        raise ValueError(f"`x0` must have shape (n, d), got {x0.shape}")
    n, d = x0.shape
    z = rng.standard_normal((n, d))
    if kernel == "gauss":
        return x0 + t * z
    if kernel == "rational":
        u = rng.random((n, 1))
        radius = (u / (1 - u)) ** (1 / d)
        return x0 + t * radius * z / np.linalg.norm(z, axis=1, keepdims=True)
    return x0 + t * z / np.sqrt(rng.chisquare(D, (n, 1)))


def log_density(x, t, data, weights=None, kernel="poisson", D=1.0):
    """Logarithm of the density of the smeared data.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    t : float
        Time, positive.
    data : array_like, shape (n, d)
        Atoms.
    weights : array_like of shape (n,), optional
        Not negative, with sum 1; equal if left out.
    kernel, D
        As for `log_kernel`.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    return logsumexp(_log_terms(x, t, data, weights, kernel, D), axis=-1)


def posterior_weights(x, t, data, weights=None, kernel="poisson", D=1.0):
    """Probability of each atom given where its smeared point is.

    Parameters
    ----------
    x, t, data, weights, kernel, D
        As for `log_density`.

    Returns
    -------
    ndarray, shape (..., m)
        One entry for each atom of positive weight, in the order of `data`; with sum 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    return softmax(_log_terms(x, t, data, weights, kernel, D))


def posterior_mean(x, t, data, weights=None, kernel="poisson", D=1.0):
    """Mean of the atom given where its smeared point is.

    Parameters
    ----------
    x, t, data, weights, kernel, D
        As for `log_density`.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    belief = posterior_weights(x, t, data, weights, kernel, D)
    return belief @ _atoms(data, weights)[1]


def velocity(x, t, data, weights=None, kernel="poisson", D=1.0):
    """Velocity ``dx/dt`` of the flow that smears the data.

    Parameters
    ----------
    x, t, data, weights, kernel, D
        As for `log_density`.

    Returns
    -------
    ndarray, shape (..., d)
        ``(x - E[x0 | x]) / t``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    return (np.asarray(x, dtype=float) - posterior_mean(x, t, data, weights, kernel, D)) / t


def flow(x, ts, data, weights=None, kernel="poisson", D=1.0):
    """Carry points along the flow by classical Runge-Kutta steps.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points at the first time.
    ts : array_like, shape (n,)
        Times, ``n >= 2``, positive, strictly rising or strictly falling.
    data, weights, kernel, D
        As for `log_density`.

    Returns
    -------
    ndarray, shape (n, ..., d)
        The points at each time; the first row is `x`.

    Raises
    ------
    ValueError
        If `ts` is not as described, or another argument is out of range.
    """
    ts = np.asarray(ts, dtype=float)
    if ts.ndim != 1 or ts.size < 2:
        raise ValueError(f"`ts` must have shape (n,) with n >= 2, got {ts.shape}")
    steps = np.diff(ts)
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError(f"`ts` must be strictly monotone, got {ts}")

    def slope(x, t):
        return velocity(x, t, data, weights, kernel, D)

    x = np.array(x, dtype=float)
    rows = [x]
    for t, h in zip(ts, steps, strict=False):
        x = rk4_step(slope, x, t, h)
        rows.append(x)
    return np.stack(rows)


def cdf_1d(x, t, data, weights=None, kernel="poisson", D=1.0):
    """Distribution function of the smeared data on the line, which the flow keeps.

    Parameters
    ----------
    x : array_like, shape (..., 1)
        Points.
    t, data, weights, kernel, D
        As for `log_density`, with ``d == 1``.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If the data are not on the line, or another argument is out of range.
    """
    weights, data = _atoms(data, weights)
    if data.shape[1] != 1:
        raise ValueError(f"`data` must have shape (n, 1), atoms on the line, got {data.shape}")
    gap = _points(x, data) - data[:, 0]
    inside = kernel_mass(np.abs(gap), t, 1, kernel, D)
    return (1 + np.sign(gap) * inside) / 2 @ weights


def green_from_mass(psi, r, t, d, h=1e-4):
    """Density and flux of one atom from the mass within a distance, by central differences.

    Parameters
    ----------
    psi : callable
        ``psi(r, t)``, the mass within r at time t; rises with r and falls with t.
    r, t : float
        Distance and time, both larger than `h`.
    d : int
        Dimension of the space.
    h : float, default 1e-4
        Step of the differences, positive.

    Returns
    -------
    phi : float
        Density at distance r.
    varphi : float
        The flux is ``varphi (x - x0)``.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    area = sphere_area(d)
    if not 0 < h < math.inf:
        raise ValueError(f"`h` must be positive and finite, got {h}")
    for name, value in (("r", r), ("t", t)):
        if not h < value < math.inf:
            raise ValueError(f"`{name}` must be finite and larger than h = {h}, got {value}")
    in_space = (psi(r + h, t) - psi(r - h, t)) / (2 * h)
    in_time = (psi(r, t + h) - psi(r, t - h)) / (2 * h)
    return float(in_space / (area * r ** (d - 1))), float(-in_time / (area * r**d))


def _log_terms(x, t, data, weights, kernel, D):
    """Logarithms of the weighted kernels, shape (..., m)."""
    weights, data = _atoms(data, weights)
    # Not by squares: points as far as 1e8 must not lose the atoms.
    r = np.linalg.norm(_points(x, data)[..., None, :] - data, axis=-1)
    return np.log(weights) + log_kernel(r, t, data.shape[1], kernel, D)


def _atoms(data, weights):
    data = np.asarray(data, dtype=float)
    if data.ndim != 2 or not data.size:
        raise ValueError(f"`data` must have shape (n, d), got {data.shape}")
    n = len(data)
    weights = np.full(n, 1 / n) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != (n,):
        raise ValueError(
            f"`weights` must have shape ({n},), one for each atom, got {weights.shape}"
        )
    if not (np.all(weights >= 0) and np.isclose(weights.sum(), 1)):
        raise ValueError(f"`weights` must be non-negative with sum 1, got {weights}")
    return weights[weights > 0], data[weights > 0]


def _points(x, data):
    x = np.asarray(x, dtype=float)
    if x.ndim == 0 or x.shape[-1] != data.shape[1]:
        raise ValueError(f"`x` must have shape (..., {data.shape[1]}), got {x.shape}")
    return x


def _distances(r):
    r = np.asarray(r, dtype=float)
    if not np.all(r >= 0):
        raise ValueError(f"`r` must be non-negative, got {r}")
    return r


def _time(t):
    if not (isinstance(t, numbers.Real) and 0 < t < math.inf):
        raise ValueError(f"`t` must be a positive finite number, got {t!r}")
    return float(t)


def _dimension(d):
    if not isinstance(d, numbers.Integral) or isinstance(d, bool) or d < 1:
        raise ValueError(f"`d` must be a positive integer, got {d!r}")
    return int(d)


def _degrees(kernel, D):
    """Return the degrees of freedom of the kernel, seen as a Student kernel."""
    if kernel not in _KERNELS:
        raise ValueError(f"`kernel` must be one of {_KERNELS}, got {kernel!r}")
    if kernel != "student":
        return 1.0
    if not 0 < D < math.inf:
        raise ValueError(f"`D` must be positive and finite, got {D}")
    return float(D)
