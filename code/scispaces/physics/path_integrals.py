"""A random particle three ways: biased walk, stochastic and partial differential equation.

All of it is in one dimension, for ``dx = p(x) dt + sqrt(alpha) dW``: `alpha` is the variance that
comes in a unit of time, and the diffusion coefficient is ``alpha / 2``.
"""

import math
import numbers

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import gammaln, xlog1py, xlogy

__all__ = [
    "feynman_kac_propagator",
    "fokker_planck",
    "gbm_density",
    "mehler_kernel",
    "om_action",
    "ou_propagator",
    "sde_propagator",
    "simulate_paths",
    "walk_pmf",
]


def walk_pmf(n, p_right=0.5):
    """Where a walk is after `n` steps of one unit.

    Parameters
    ----------
    n : int
        Number of steps, at least 1.
    p_right : float, default 0.5
        Probability of a step to the right, from 0 to 1.

    Returns
    -------
    positions : ndarray of int, shape (n + 1,)
        ``-n, -n + 2, ..., n``.
    pmf : ndarray, shape (n + 1,)
        Probabilities, through logarithms, so that large `n` do not overflow.

    Raises
    ------
    ValueError
        If `n` is no integer of at least 1, or `p_right` is not in [0, 1].
    """
    n = _count("n", n)
    if not 0 <= p_right <= 1:
        raise ValueError(f"`p_right` must be from 0 to 1, got {p_right}")
    k = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return 2 * k - n, np.exp(ways + xlogy(k, p_right) + xlog1py(n - k, -p_right))


def simulate_paths(x0, T, n_steps, n_paths, drift, alpha=1.0, rng=None, method="em"):
    """Random paths of ``dx = p dt + sqrt(alpha) dW``.

    Parameters
    ----------
    x0 : float or array_like, shape (n_paths,)
        Where the paths begin.
    T : float
        Duration, positive.
    n_steps, n_paths : int
        At least 1.
    drift : callable
        The velocity ``p(x)``, vectorised.
    alpha : float, default 1.0
        Variance in a unit of time, positive.
    rng : numpy.random.Generator or int, optional
        Source of chance, or its seed.
    method : {"em", "walk"}
        Euler-Maruyama steps, or steps of one fixed length to the right with probability
        ``(1 + p sqrt(dt / alpha)) / 2``.

    Returns
    -------
    ndarray, shape (n_steps + 1, n_paths)

    Raises
    ------
    ValueError
        If an argument is out of range, `method` is unknown, or the drift makes a probability of
        the walk leave [0, 1].
    """
    T, alpha = _positive("T", T), _positive("alpha", alpha)
    n_steps, n_paths = _count("n_steps", n_steps), _count("n_paths", n_paths)
    if method not in ("em", "walk"):
        raise ValueError(f"`method` must be 'em' or 'walk', got {method!r}")
    start = np.asarray(x0, dtype=float)
    if start.shape not in ((), (n_paths,)) or not np.all(np.isfinite(start)):
        raise ValueError(f"`x0` must be a number or of shape ({n_paths},), got {start.shape}")
    rng = np.random.default_rng(rng)
    dt = T / n_steps
    stride = math.sqrt(alpha * dt)
    x = np.empty((n_steps + 1, n_paths))
    x[0] = start
    for step in range(n_steps):
        p = drift(x[step])
        if method == "em":
            x[step + 1] = x[step] + p * dt + stride * rng.standard_normal(n_paths)
            continue
        bias = p * math.sqrt(dt / alpha)
        if not np.all(np.abs(bias) <= 1):
            raise ValueError(
                f"`n_steps` must make the walk's |p| sqrt(dt / alpha) at most 1, "
                f"got {np.abs(bias).max():.4g}; refine, or clip `drift`"
            )
        right = rng.random(n_paths) < (1 + bias) / 2
        x[step + 1] = x[step] + np.where(right, stride, -stride)
    return x


def ou_propagator(x, x0, T, k=1.0, alpha=1.0):
    """Density at `x` after the time `T` for the linear drift ``p(x) = k x``.

    Parameters
    ----------
    x, x0 : array_like, shape (...)
        End and start; they broadcast.
    T : float
        Duration, positive.
    k : float, default 1.0
        Positive runs away, negative comes back.
    alpha : float, default 1.0
        Variance in a unit of time, positive.

    Returns
    -------
    ndarray, shape (...)
        Normal density with mean ``x0 e^(kT)`` and variance ``alpha (e^(2kT) - 1) / (2k)``.

    Raises
    ------
    ValueError
        If `T` or `alpha` is not positive and finite, or `k` is not finite.
    """
    T, alpha = _positive("T", T), _positive("alpha", alpha)
    if not math.isfinite(k):
        raise ValueError(f"`k` must be finite, got {k}")
    growth = 2 * k * T
    variance = alpha * T * (math.expm1(growth) / growth if growth else 1.0)
    gap = np.asarray(x, dtype=float) - np.asarray(x0, dtype=float) * math.exp(k * T)
    return np.exp(-(gap**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


def sde_propagator(x, T, n_slices, drift, alpha=1.0, lam=0.5, jacobian="exact", *, rule="midpoint"):
    """Path integral of ``dx = p dt + sqrt(alpha) dW`` as a power of the matrix of one slice.

    Parameters
    ----------
    x : array_like, shape (n,)
        Uniform increasing grid; its steps should not exceed ``sqrt(alpha T / n_slices)``, the width
        of a slice's kernel.
    T : float
        Duration, positive.
    n_slices : int
        At least 1.
    drift : callable
        The velocity ``p(x)``, vectorised.
    alpha : float, default 1.0
        Variance in a unit of time, positive.
    lam : float, default 0.5
        Weight of the new point in the drift of a slice, from 0 (Ito) to 1.
    jacobian : {"exact", "exp", "none"}
        The factor ``1 - lam p' dt`` of a slice, its limit ``exp(-lam p' dt)``, or no factor.
    rule : {"midpoint", "trapezoid"}
        The drift at ``x_j + lam (x_i - x_j)``, or ``(1 - lam) p(x_j) + lam p(x_i)``.

    Returns
    -------
    ndarray, shape (n, n)
        Entry ``(i, j)`` is the density at ``x[i]`` for the start ``x[j]``.

    Raises
    ------
    ValueError
        If an argument is out of range, or a slice so coarse that a factor ``1 - lam p' dt`` is not
        positive.
    """
    x, dx = _grid(x)
    T, alpha, n_slices = _positive("T", T), _positive("alpha", alpha), _count("n_slices", n_slices)
    dt = T / n_slices
    velocity, weight = _slice(x[:, None], x[None, :], dt, drift, lam, jacobian, rule)
    gap = x[:, None] - x[None, :] - velocity * dt
    K = weight * np.exp(-(gap**2) / (2 * alpha * dt)) / math.sqrt(2 * math.pi * alpha * dt)
    return np.linalg.matrix_power(K * dx, n_slices) / dx


def om_action(path, dt, drift, alpha=1.0, lam=0.5, jacobian="exact", *, rule="midpoint"):
    """Minus the logarithm of the weight of a polygonal path (Onsager and Machlup), less a constant.

    Parameters
    ----------
    path : array_like, shape (n + 1,)
        Positions at times ``0, dt, ..., n dt``.
    dt : float
        Duration of a slice, positive.
    drift, alpha, lam, jacobian, rule
        As for `sde_propagator`.

    Returns
    -------
    float
        Sum over slices of ``(dx - p dt)^2 / (2 alpha dt) - log J``.

    Raises
    ------
    ValueError
        As for `sde_propagator`, or if `path` is not 1-D, finite, with 2 points or more.
    """
    path = np.asarray(path, dtype=float)
    if path.ndim != 1 or len(path) < 2 or not np.all(np.isfinite(path)):
        raise ValueError(f"`path` must be 1-D, finite, of 2 points or more, got {path.shape}")
    dt, alpha = _positive("dt", dt), _positive("alpha", alpha)
    velocity, weight = _slice(path[1:], path[:-1], dt, drift, lam, jacobian, rule)
    gap = np.diff(path) - velocity * dt
    return float(np.sum(gap**2) / (2 * alpha * dt) - np.sum(np.log(weight)))


def fokker_planck(x, P0, T, n_steps, drift, alpha=1.0):
    """Solve ``P_t = alpha / 2 P_xx - (p P)_x`` by Crank and Nicolson's steps.

    Parameters
    ----------
    x : array_like, shape (n,)
        Uniform increasing grid; each point is the middle of a cell, and nothing leaves the ends.
    P0 : array_like, shape (n,)
        Density at the start.
    T : float
        Duration, positive.
    n_steps : int
        At least 1.
    drift : callable
        The velocity ``p(x)``, vectorised.
    alpha : float, default 1.0
        Variance in a unit of time, positive.

    Returns
    -------
    ndarray, shape (n,)
        Density at the time `T`, with the same sum as `P0`.

    Raises
    ------
    ValueError
        If an argument is out of range or of the wrong shape.
    """
    x, dx = _grid(x)
    P = np.asarray(P0, dtype=float)
    if P.shape != x.shape or not np.all(np.isfinite(P)):
        raise ValueError(f"`P0` must be finite, of shape {x.shape} as `x`, got {P.shape}")
    T, alpha, n_steps = _positive("T", T), _positive("alpha", alpha), _count("n_steps", n_steps)
    between = drift((x[1:] + x[:-1]) / 2)
    # Flux from cell i to cell i + 1: out * P[i] - back * P[i + 1].
    out, back = between / 2 + alpha / (2 * dx), -between / 2 + alpha / (2 * dx)
    diagonal = np.zeros_like(x)
    diagonal[:-1] -= out
    diagonal[1:] -= back
    half = T / n_steps / (2 * dx)
    implicit = np.zeros((3, len(x)))
    implicit[0, 1:], implicit[1], implicit[2, :-1] = -half * back, 1 - half * diagonal, -half * out
    for _ in range(n_steps):
        explicit = P + half * diagonal * P
        explicit[:-1] += half * back * P[1:]
        explicit[1:] += half * out * P[:-1]
        P = solve_banded((1, 1), implicit, explicit)
    return P


def feynman_kac_propagator(x, T, n_slices, potential, alpha=1.0):
    """Kernel of ``exp(T (alpha / 2 d^2/dx^2 - V))`` as a power of the matrix of one slice.

    Parameters
    ----------
    x : array_like, shape (n,)
        Uniform increasing grid, as for `sde_propagator`.
    T : float
        Duration, positive.
    n_slices : int
        At least 1.
    potential : callable
        The rate ``V(x)`` at which weight is lost, vectorised.
    alpha : float, default 1.0
        Variance in a unit of time, positive.

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric; half of the potential acts on either side of a slice, with an error of the
        second order in the length of a slice.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x, dx = _grid(x)
    T, alpha, n_slices = _positive("T", T), _positive("alpha", alpha), _count("n_slices", n_slices)
    dt = T / n_slices
    heat = np.exp(-((x[:, None] - x) ** 2) / (2 * alpha * dt)) / math.sqrt(2 * math.pi * alpha * dt)
    side = np.exp(-np.asarray(potential(x)) * dt / 2)
    return np.linalg.matrix_power(side[:, None] * heat * side * dx, n_slices) / dx


def mehler_kernel(x, y, T, omega=1.0, alpha=1.0):
    """Exact kernel of ``exp(T (alpha / 2 d^2/dx^2 - V))`` for ``V = omega^2 x^2 / (2 alpha)``.

    Parameters
    ----------
    x, y : array_like, shape (...)
        Ends; they broadcast.
    T : float
        Duration, positive.
    omega : float, default 1.0
        Positive.
    alpha : float, default 1.0
        Variance in a unit of time, positive.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `T`, `omega` or `alpha` is not positive and finite.
    """
    T, omega, alpha = _positive("T", T), _positive("omega", omega), _positive("alpha", alpha)
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    # With powers of exp(-omega T), which never overflow.
    decay = math.exp(-omega * T)
    spread = -math.expm1(-2 * omega * T)
    action = omega * ((x * x + y * y) * (1 + decay**2) / 2 - 2 * x * y * decay) / spread
    return np.sqrt(omega * decay / (math.pi * alpha * spread)) * np.exp(-action / alpha)


def gbm_density(s, s0, T, mu=0.0, sigma=1.0):
    """Density of a price with ``dS = S (mu dt + sigma dW)``.

    Parameters
    ----------
    s : array_like, shape (...)
        Prices; the density is 0 for ``s <= 0``.
    s0 : float
        Price at the start, positive.
    T : float
        Duration, positive.
    mu : float, default 0.0
        Rate of growth of the mean.
    sigma : float, default 1.0
        Volatility, in units of ``time**-0.5``, positive.

    Returns
    -------
    ndarray, shape (...)
        Log-normal density.

    Raises
    ------
    ValueError
        If `s0`, `T` or `sigma` is not positive and finite, or `mu` is not finite.
    """
    s0, T, sigma = _positive("s0", s0), _positive("T", T), _positive("sigma", sigma)
    if not math.isfinite(mu):
        raise ValueError(f"`mu` must be finite, got {mu}")
    s = np.asarray(s, dtype=float)
    inside = np.where(s > 0, s, 1.0)
    gap = np.log(inside / s0) - (mu - sigma**2 / 2) * T
    density = np.exp(-(gap**2) / (2 * sigma**2 * T)) / (inside * sigma * math.sqrt(2 * math.pi * T))
    return np.where(s > 0, density, 0.0)


def _slice(new, old, dt, drift, lam, jacobian, rule):
    """Drift and Jacobian of slices from `old` to `new`."""
    if not 0 <= lam <= 1:
        raise ValueError(f"`lam` must be from 0 to 1, got {lam}")
    if rule not in ("midpoint", "trapezoid"):
        raise ValueError(f"`rule` must be 'midpoint' or 'trapezoid', got {rule!r}")
    if jacobian not in ("exact", "exp", "none"):
        raise ValueError(f"`jacobian` must be 'exact', 'exp' or 'none', got {jacobian!r}")
    if rule == "midpoint":
        at = old + lam * (new - old)
        velocity = drift(at)
    else:
        at = new + 0 * old
        velocity = (1 - lam) * drift(old) + lam * drift(new)
    if jacobian == "none":
        return velocity, np.ones_like(at)
    h = 1e-5
    shrink = lam * dt * (drift(at + h) - drift(at - h)) / (2 * h)
    if jacobian == "exp":
        return velocity, np.exp(-shrink)
    if not np.all(shrink < 1):
        raise ValueError(
            f"`n_slices` must make 1 - lam p' dt positive, got {1 - shrink.max():.4g}: "
            "slice too coarse"
        )
    return velocity, 1 - shrink


def _grid(x):
    x = np.asarray(x, dtype=float)
    steps = np.diff(x)
    if x.ndim != 1 or len(x) < 3 or not np.all(steps > 0):
        raise ValueError(f"`x` must be a 1-D increasing grid of 3 points or more, got {x.shape}")
    dx = (x[-1] - x[0]) / (len(x) - 1)
    if np.abs(steps - dx).max() > 1e-8 * dx:
        raise ValueError(f"`x` must be uniform, got steps {steps.min():.6g} to {steps.max():.6g}")
    return x, dx


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)


def _count(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1, got {value!r}")
    return int(value)
