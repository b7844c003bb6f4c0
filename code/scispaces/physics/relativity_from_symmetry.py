"""Mechanics of a particle on a line, read off from the generator of its changes of frame.

The generator is ``kappa * x d/dt + t d/dx``: Einstein's for ``kappa = 1 / c**2``, Galilei's for
``kappa = 0``, and a rotation for ``kappa < 0``.  Boosts are active: a positive `eta` sets a
resting particle moving to positive `x`.
"""

import numpy as np

__all__ = [
    "boost_charge",
    "boost_matrix",
    "determining_series",
    "lagrangian",
    "momentum_energy",
    "prolong_boost",
    "proper_acceleration",
    "velocity_addition",
]


def boost_matrix(eta, kappa=1.0):
    """Matrix of a finite boost, acting on the column of `t` and `x`.

    Parameters
    ----------
    eta : array_like, shape (...)
        Parameter of the group, a velocity for small values; broadcasts against `kappa`.
    kappa : array_like, shape (...), default 1.0
        One over the square of the invariant speed; may be zero or negative.

    Returns
    -------
    ndarray, shape (..., 2, 2)
        Exponential of ``eta * [[0, kappa], [1, 0]]``, of determinant 1.

    Raises
    ------
    ValueError
        If `eta` or `kappa` is not finite.
    """
    eta, kappa = np.broadcast_arrays(_finite("eta", eta), _finite("kappa", kappa))
    z = kappa * eta**2
    small = np.abs(z) < 1e-6
    root = np.emath.sqrt(np.where(small, 1.0, z))
    # Imaginary roots turn cosh and sinh into cos and sin.
    C = np.where(small, 1 + z / 2 + z**2 / 24, np.cosh(root).real)
    S = np.where(small, 1 + z / 6 + z**2 / 120, (np.sinh(root) / root).real)
    rows = [np.stack([C, kappa * eta * S], axis=-1), np.stack([eta * S, C], axis=-1)]
    return np.stack(rows, axis=-2)


def velocity_addition(u, v, kappa=1.0):
    """Velocity of a particle of velocity `v` after a boost that gives velocity `u` to rest.

    Parameters
    ----------
    u, v : array_like, shape (...)
        Velocities, below the invariant speed.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    ndarray, shape (...)
        ``(u + v) / (1 + kappa * u * v)``.  For ``kappa < 0`` the denominator vanishes where the
        result is a turn by 90 degrees.

    Raises
    ------
    ValueError
        If an argument is not finite, or ``kappa * u**2`` or ``kappa * v**2`` is not below 1.
    """
    kappa = _finite("kappa", kappa)
    u, v = _velocity("u", u, kappa), _velocity("v", v, kappa)
    return (u + v) / (1 + kappa * u * v)


def prolong_boost(t, x, v, a, kappa=1.0):
    """Rates at which time, place, velocity and acceleration change under a boost.

    Parameters
    ----------
    t, x, v, a : array_like, shape (...)
        Time, place, velocity and acceleration; any numbers, since the rates are polynomials.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    ndarray, shape (..., 4)
        Coefficients of the second prolongation of the generator.

    References
    ----------
    .. [1] P. J. Olver, "Applications of Lie Groups to Differential Equations", 2nd ed.,
       Springer (1993), section 2.3.
    """
    t, x, v, a, kappa = np.broadcast_arrays(*(np.asarray(y, float) for y in (t, x, v, a, kappa)))
    return np.stack([kappa * x, t, 1 - kappa * v**2, -3 * kappa * v * a], axis=-1)


def determining_series(n_terms, kappa=1.0):
    """First coefficients of the invariant ``L = sum(c[k] * v**(2 * k))`` with ``c[0] = 1``.

    Parameters
    ----------
    n_terms : int
        How many, at least 1.
    kappa : float, default 1.0

    Returns
    -------
    ndarray, shape (n_terms,)

    Raises
    ------
    ValueError
        If `n_terms` is not an integer of at least 1, or `kappa` is not finite.
    """
    if isinstance(n_terms, bool) or not isinstance(n_terms, (int, np.integer)) or n_terms < 1:
        raise ValueError(f"`n_terms` must be an integer of at least 1, got {n_terms}")
    k = np.arange(n_terms - 1)
    ratios = (2 * k - 1) * _finite("kappa", kappa) / (2 * (k + 1))
    return np.cumprod(np.concatenate([[1.0], ratios]))


def lagrangian(v, mass=1.0, kappa=1.0):
    """Lagrangian of a free particle that vanishes at rest and has a Newtonian limit.

    Parameters
    ----------
    v : array_like, shape (...)
        Velocity, below the invariant speed.
    mass : array_like, shape (...), default 1.0
        Positive.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    ndarray, shape (...)
        ``mass * v**2 / (1 + s)`` with ``s = sqrt(1 - kappa * v**2)``, which is
        ``mass / kappa * (1 - s)`` without its cancellation.

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` is not positive, or ``kappa * v**2`` not below 1.
    """
    v, mass, s = _particle(v, mass, kappa)
    return mass * v**2 / (1 + s)


def momentum_energy(v, mass=1.0, kappa=1.0):
    """Momentum and kinetic energy of a particle.

    Parameters
    ----------
    v : array_like, shape (...)
        Velocity, below the invariant speed.
    mass : array_like, shape (...), default 1.0
        Positive.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    p, T : ndarray, shape (...)
        Both to a few units in the last place, also for slow particles.

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` is not positive, or ``kappa * v**2`` not below 1.
    """
    v, mass, s = _particle(v, mass, kappa)
    return mass * v / s, mass * v**2 / (s * (1 + s))


def boost_charge(t, x, v, mass=1.0, kappa=1.0):
    """Quantity that a free particle conserves because boosts are a symmetry.

    Parameters
    ----------
    t, x, v : array_like, shape (...)
        Time, place and velocity.
    mass : array_like, shape (...), default 1.0
        Positive.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    ndarray, shape (...)
        ``t * p - x * (mass + kappa * T)``.

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` is not positive, or ``kappa * v**2`` not below 1.
    """
    p, T = momentum_energy(v, mass, kappa)
    return _finite("t", t) * p - _finite("x", x) * (mass + np.asarray(kappa) * T)


def proper_acceleration(v, a, kappa=1.0):
    """Acceleration that all observers agree on, the one that the particle feels.

    Parameters
    ----------
    v, a : array_like, shape (...)
        Velocity, below the invariant speed, and acceleration.
    kappa : array_like, shape (...), default 1.0

    Returns
    -------
    ndarray, shape (...)
        ``a / (1 - kappa * v**2)**1.5``.

    Raises
    ------
    ValueError
        If an argument is not finite, or ``kappa * v**2`` is not below 1.
    """
    kappa = _finite("kappa", kappa)
    return _finite("a", a) / (1 - kappa * _velocity("v", v, kappa) ** 2) ** 1.5


def _finite(name, value):
    value = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)].flat[0]}")
    return value


def _velocity(name, value, kappa):
    value = _finite(name, value)
    if np.any(kappa * value**2 >= 1):
        worst = value.flat[np.argmax(np.abs(value))]
        raise ValueError(f"`{name}` must be below the invariant speed, got {worst:g}")
    return value


def _particle(v, mass, kappa):
    """Return velocity, mass and the square root that all of mechanics shares."""
    mass, kappa = _finite("mass", mass), _finite("kappa", kappa)
    if np.any(mass <= 0):
        raise ValueError(f"`mass` must be positive, got {mass.min():g}")
    v = _velocity("v", v, kappa)
    return v, mass, np.sqrt(1 - kappa * v**2)
