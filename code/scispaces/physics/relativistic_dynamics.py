"""Dynamics of relativistic particles: momentum, action, forces, and orbits that precess.

The last axis of a vector holds its components in space.  Energies include the rest energy unless
they are called kinetic.
"""

import math

import numpy as np

__all__ = [
    "boris",
    "constant_force",
    "coulomb_orbit",
    "energy",
    "free_action",
    "invariant_mass",
    "kinetic_energy",
    "momentum",
    "precession_angle",
    "velocity",
]


def momentum(v, mass=1.0, c=1.0):
    """Momentum of a particle, which is the derivative of its Lagrangian by the velocity.

    Parameters
    ----------
    v : array_like, shape (..., d)
        Velocity, slower than `c`.
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` or `c` is not positive, or `v` is not slower than `c`.
    """
    mass, c = _positive("mass", mass), _positive("c", c)
    v = _finite("v", v)
    speed = np.linalg.norm(v, axis=-1, keepdims=True) / c
    if np.any(speed >= 1):
        raise ValueError(f"`v` must be slower than `c`, got {speed.max():g} c")
    # Near c the two factors keep the digits that 1 - speed**2 would lose.
    return mass * v / np.sqrt((1 - speed) * (1 + speed))


def velocity(p, mass=1.0, c=1.0):
    """Velocity of a particle of given momentum, at most `c`.

    Parameters
    ----------
    p : array_like, shape (..., d)
        Momentum, up to 1e150.
    mass : float, default 1.0
        Not negative; a particle without mass needs a momentum.
    c : float, default 1.0
        Positive.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` is negative, `c` is not positive, or `mass` and a
        momentum are both zero.
    """
    mass, c = _not_negative("mass", mass), _positive("c", c)
    p = _finite("p", p)
    size = np.hypot(np.linalg.norm(p, axis=-1, keepdims=True), mass * c)
    if np.any(size == 0):
        raise ValueError("`p` must not be zero for a particle with `mass` 0, got 0")
    return c * (p / size)


def energy(p, mass=1.0, c=1.0):
    """Energy of a particle, rest energy included.

    Parameters
    ----------
    p : array_like, shape (..., d)
        Momentum.
    mass : float, default 1.0
        Not negative.
    c : float, default 1.0
        Positive.

    Returns
    -------
    ndarray, shape (...)
        ``c * sqrt(p**2 + (mass * c)**2)``.

    Raises
    ------
    ValueError
        If an argument is not finite, `mass` is negative, or `c` is not positive.
    """
    mass, c = _not_negative("mass", mass), _positive("c", c)
    return c * np.hypot(np.linalg.norm(_finite("p", p), axis=-1), mass * c)


def kinetic_energy(p, mass=1.0, c=1.0):
    """Energy of a particle above its rest energy, to full precision also for slow ones.

    Parameters
    ----------
    p : array_like, shape (..., d)
        Momentum.
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an argument is not finite, or `mass` or `c` is not positive.
    """
    mass, c = _positive("mass", mass), _positive("c", c)
    size = np.linalg.norm(_finite("p", p), axis=-1)
    return c * size**2 / (mass * c + np.hypot(size, mass * c))


def invariant_mass(p, mass, c=1.0):
    """Mass of a system of free particles, the same for all observers.

    Parameters
    ----------
    p : array_like, shape (n, d)
        Momenta.
    mass : array_like, shape () or (n,)
        Masses, not negative.
    c : float, default 1.0
        Positive.

    Returns
    -------
    float
        At least the sum of the masses.

    Raises
    ------
    ValueError
        If `p` has not two axes, an argument is not finite, a mass is negative, or `c` is not
        positive.
    """
    c = _positive("c", c)
    p, mass = _finite("p", p), _finite("mass", mass)
    if p.ndim != 2:
        raise ValueError(f"`p` must have shape (n, d), got {p.shape}")
    if np.any(mass < 0):
        raise ValueError(f"`mass` must not be negative, got {mass.min():g}")
    total = np.sum(np.hypot(np.linalg.norm(p, axis=1), mass * c))
    size = np.linalg.norm(p.sum(axis=0))
    return math.sqrt(max((total - size) * (total + size), 0.0)) / c


def free_action(t, x, mass=1.0, c=1.0):
    """Action of a free particle on a worldline made of straight pieces.

    Parameters
    ----------
    t : array_like, shape (n,)
        Times of the corners, increasing.
    x : array_like, shape (n,) or (n, d)
        Places of the corners.
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    float
        ``-mass * c**2`` times the proper time.

    Raises
    ------
    ValueError
        If the shapes do not fit, an argument is not finite, `mass` or `c` is not positive, or a
        piece is not slower than `c`.
    """
    mass, c = _positive("mass", mass), _positive("c", c)
    t, x = _finite("t", t), _finite("x", x)
    if t.ndim != 1 or t.size < 2:
        raise ValueError(f"`t` must have shape (n,) with n at least 2, got {t.shape}")
    if x.ndim not in (1, 2) or len(x) != t.size:
        raise ValueError(f"`x` must have {t.size} rows to match `t`, got shape {x.shape}")
    dt = np.diff(t)
    dl = np.linalg.norm(np.diff(x.reshape(t.size, -1), axis=0), axis=1) / c
    if np.any(dt <= dl):
        raise ValueError(f"`x` must move slower than `c`, got a piece with {dt.min():g} of time")
    return float(-mass * c**2 * np.sum(np.sqrt((dt - dl) * (dt + dl))))


def constant_force(t, force, mass=1.0, c=1.0):
    """Motion from rest under a force that stays the same.

    Parameters
    ----------
    t : array_like, shape (...)
        Time since the start.
    force : float
        May be zero or negative.
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    x, v, tau : ndarray, shape (...)
        Distance, velocity and proper time.

    Raises
    ------
    ValueError
        If an argument is not finite, or `mass` or `c` is not positive.
    """
    mass, c = _positive("mass", mass), _positive("c", c)
    t, g = _finite("t", t), _finite("force", force) / mass
    z = g * t / c
    root = np.hypot(1, z)
    shrink = np.where(z == 0, 1.0, np.arcsinh(z) / np.where(z == 0, 1.0, z))
    return g * t**2 / (1 + root), g * t / root, t * shrink


def boris(x0, p0, E, B, dt, n_steps, charge=1.0, mass=1.0, c=1.0):
    """Track of a charge in uniform fields, ``dp/dt = charge * (E + v x B)``.

    Parameters
    ----------
    x0, p0, E, B : array_like, shape (..., 3)
        Place and momentum at the start, and the fields; leading axes broadcast.
    dt : float
        Step, positive.
    n_steps : int
        At least 1.
    charge : float, default 1.0
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    X, P : ndarray, shape (n_steps + 1, ..., 3)
        Second order in `dt`; without `E` the size of the momentum is kept to rounding.

    Raises
    ------
    ValueError
        If a vector has not three components, an argument is not finite, `dt`, `mass` or `c` is
        not positive, or `n_steps` is not an integer of at least 1.

    References
    ----------
    .. [1] A. V. Higuera and J. R. Cary, "Structure-preserving second-order integration of
       relativistic charged particle trajectories in electromagnetic fields", Phys. Plasmas 24
       (2017) 052104, which compares this scheme with later ones.
    """
    mass, c, dt = _positive("mass", mass), _positive("c", c), _positive("dt", dt)
    if isinstance(n_steps, bool) or not isinstance(n_steps, (int, np.integer)) or n_steps < 1:
        raise ValueError(f"`n_steps` must be an integer of at least 1, got {n_steps}")
    vectors = []
    for name, value in (("x0", x0), ("p0", p0), ("E", E), ("B", B)):
        vector = _finite(name, value)
        if vector.ndim == 0 or vector.shape[-1] != 3:
            raise ValueError(f"`{name}` must have three components, got shape {vector.shape}")
        vectors.append(vector)
    x, p, E, B = np.broadcast_arrays(*vectors)
    half = float(_finite("charge", charge)) * dt / 2
    X, P = np.empty((2, n_steps + 1, *x.shape))
    X[0], P[0] = x, p
    for n in range(n_steps):
        x = x + dt / 2 * velocity(p, mass, c)
        p = p + half * E
        # The angle depends on the energy after half the kick: this makes the step second order.
        a = half * B / (energy(p, mass, c)[..., None] / c**2)
        turned = p + np.cross(p, a)
        p = p + np.cross(turned, 2 * a / (1 + np.sum(a * a, axis=-1, keepdims=True)))
        p = p + half * E
        x = x + dt / 2 * velocity(p, mass, c)
        X[n + 1], P[n + 1] = x, p
    return X, P


def coulomb_orbit(phi, L, k, E, mass=1.0, c=1.0):
    """Distance from the centre on an orbit with the potential energy ``-k / r``.

    Parameters
    ----------
    phi : array_like, shape (...)
        Angle from the point nearest to the centre.
    L : float
        Angular momentum, above ``k / c``.
    k : float
        Strength of the attraction, positive.
    E : float
        Energy, rest energy included; at least that of the circular orbit.
    mass, c : float, default 1.0
        Positive.

    Returns
    -------
    ndarray, shape (...)
        Infinite in directions that an open orbit does not reach.

    Raises
    ------
    ValueError
        If an argument is not finite, `L`, `k`, `mass` or `c` is not positive, ``k >= L * c``, or
        `E` is too small.

    References
    ----------
    .. [1] L. D. Landau and E. M. Lifshitz, "The Classical Theory of Fields", section 39.
    """
    mass, q = _positive("mass", mass), _strength(L, k, c)
    E, phi = float(_finite("E", E)), _finite("phi", phi)
    least = mass * c**2 * math.sqrt(1 - q)
    if least * (1 - 1e-12) > E:
        raise ValueError(f"`E` must be at least {least:g}, that of the circular orbit, got {E:g}")
    root = L * math.sqrt(max((E - least) * (E + least), 0.0))
    below = c * root * np.cos(math.sqrt(1 - q) * phi) + E * k
    open_ = below <= 0
    return np.where(open_, np.inf, c**2 * L**2 * (1 - q) / np.where(open_, 1.0, below))


def precession_angle(L, k, c=1.0):
    """Angle by which the nearest point advances on each turn of `coulomb_orbit`.

    Parameters
    ----------
    L : float
        Angular momentum, above ``k / c``.
    k : float
        Strength of the attraction, positive.
    c : float, default 1.0
        Positive.

    Returns
    -------
    float
        In radians; to full precision also where it is tiny.

    Raises
    ------
    ValueError
        If an argument is not positive and finite, or ``k >= L * c``.
    """
    q = _strength(L, k, c)
    s = math.sqrt(1 - q)
    return 2 * math.pi * q / (s * (1 + s))


def _strength(L, k, c):
    L, k, c = _positive("L", L), _positive("k", k), _positive("c", c)
    if k >= L * c:
        raise ValueError(f"`k` must be below `L` times `c`, {L * c:g}, got {k:g}")
    return (k / (L * c)) ** 2


def _finite(name, value):
    value = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)].flat[0]}")
    return value


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)


def _not_negative(name, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be finite and not negative, got {value}")
    return float(value)
