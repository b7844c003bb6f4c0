"""A pendulum upside down on a shaken pivot: Mathieu's equation, averaging and Kapitza's well.

The pivot moves as ``h0 * cos(omega * t)`` (upwards positive), the angle is counted from the top,
and ``l * theta'' = (g - h0 * omega**2 * cos(omega * t)) * sin(theta)``.
"""

# ruff: noqa: E741 -- the length of a pendulum is l.

import math
import numbers

import numpy as np
from scipy.integrate import solve_ivp

__all__ = [
    "averaged_stiffness",
    "critical_frequency",
    "effective_potential",
    "escape_angle",
    "floquet_frequency",
    "floquet_trace",
    "is_stable",
    "largest_angle",
    "mathieu_parameters",
    "separated_solution",
    "simulate",
    "slow_energy",
]

RTOL, ATOL = 1e-9, 1e-11
"""Tolerances of the integration with adaptive steps (angles in radians)."""


def mathieu_parameters(h0, omega, l=1.0, g=9.81):
    """Parameters of ``theta'' + (a - 2 q cos(2 tau)) theta = 0`` for small angles.

    Time is measured by ``tau = omega t / 2``, and shifted by half a drive period, which makes `q`
    positive.

    Parameters
    ----------
    h0 : array_like, shape (...)
        Amplitude of the pivot in metres, ``h0 >= 0``.
    omega : array_like, shape (...)
        Angular frequency of the pivot in rad/s, ``omega > 0``.
    l : array_like, shape (...), default 1.0
        Length of the rod in metres, ``l > 0``.
    g : array_like, shape (...), default 9.81
        Gravity in m/s², ``g >= 0``.

    Returns
    -------
    a, q : ndarray, shape (...)
        ``-4 g / (l omega²)`` and ``2 h0 / l``.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite.
    """
    h0, omega, l, g = _parameters(h0, omega, l, g)
    return -4 * g / (l * omega**2), 2 * h0 / l


def averaged_stiffness(h0, omega, l=1.0, g=9.81):
    """Square of the slow angular frequency, after averaging over the drive.

    Parameters
    ----------
    h0, omega, l, g : array_like, shape (...)
        As for `mathieu_parameters`.

    Returns
    -------
    ndarray, shape (...)
        ``h0² omega² / (2 l²) - g / l`` in 1/s²; where it is negative, the pendulum falls at the
        rate of the root of its size.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite.
    """
    h0, omega, l, g = _parameters(h0, omega, l, g)
    return (h0 * omega / l) ** 2 / 2 - g / l


def critical_frequency(h0, l=1.0, g=9.81):
    """Drive frequency above which the averaged pendulum stands.

    Parameters
    ----------
    h0 : array_like, shape (...)
        Amplitude of the pivot in metres, ``h0 > 0``.
    l, g : array_like, shape (...)
        As for `mathieu_parameters`.

    Returns
    -------
    ndarray, shape (...)
        ``sqrt(2 g l) / h0`` in rad/s.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite; if `h0` is 0, when no frequency helps.
    """
    h0, _, l, g = _parameters(h0, 1.0, l, g)
    if np.any(h0 == 0):
        raise ValueError("`h0` must be positive (metres), got 0; a pivot at rest never helps")
    return np.sqrt(2 * g * l) / h0


def floquet_trace(a, q, n_steps=200):
    """Trace of the map of ``theta'' + (a - 2 q cos(2 tau)) theta = 0`` over ``0 <= tau <= pi``.

    Classical Runge-Kutta steps for all parameters at once.  With the default number of steps the
    error is below 3e-7 for ``|a|, q <= 1.5``; it falls as ``n_steps**-4``.

    Parameters
    ----------
    a, q : array_like, shape (...)
        Parameters of Mathieu's equation; they broadcast.
    n_steps : int, default 200
        Steps in a period, at least 8.

    Returns
    -------
    ndarray, shape (...)
        Sum of the two multipliers, whose product is 1.

    Raises
    ------
    ValueError
        If `a` or `q` is not finite, or `n_steps` is not an integer of at least 8.
    """
    a, q = np.broadcast_arrays(_finite("a", a), _finite("q", q))
    n_steps = _steps(n_steps)
    h = math.pi / n_steps

    def acceleration(tau, theta):
        return (2 * q * math.cos(2 * tau) - a) * theta

    # Two solutions side by side: one starts with angle 1, the other with velocity 1.
    theta, velocity = np.zeros((2, 2, *a.shape))
    theta[0], velocity[1] = 1.0, 1.0
    for step in range(n_steps):
        theta, velocity = _runge_kutta(acceleration, step * h, h, theta, velocity)
    return theta[0] + velocity[1]


def is_stable(a, q, n_steps=200):
    """Whether all solutions of Mathieu's equation stay bounded.

    Parameters
    ----------
    a, q, n_steps
        As for `floquet_trace`.

    Returns
    -------
    ndarray of bool, shape (...)
        ``|trace| < 2``; the edges, where some solution grows in proportion to time, do not count.

    Raises
    ------
    ValueError
        As for `floquet_trace`.
    """
    return np.abs(floquet_trace(a, q, n_steps)) < 2


def floquet_frequency(h0, omega, l=1.0, g=9.81, n_steps=2000):
    """Exact slow angular frequency of small swings about the top.

    Parameters
    ----------
    h0, omega, l, g : array_like, shape (...)
        As for `mathieu_parameters`.
    n_steps : int, default 2000
        Steps in a drive period; many, since near ``trace = 2`` the arc cosine doubles the number
        of digits lost.

    Returns
    -------
    ndarray, shape (...)
        Angular frequency in rad/s, between 0 and ``omega / 2``.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite, or the pendulum is not stable.
    """
    trace = floquet_trace(*mathieu_parameters(h0, omega, l, g), n_steps)
    if not np.all(np.abs(trace) < 2):
        worst = trace.flat[np.argmax(np.abs(trace))]
        raise ValueError(f"`h0` and `omega` must make the top stable, |trace| < 2, got {worst:.9g}")
    return np.arccos(trace / 2) * np.asarray(omega) / (2 * math.pi)


def separated_solution(t, theta0, h0, omega, l=1.0, g=9.81):
    """Angle of a pendulum released at rest, as a slow swing that carries a fast ripple.

    Parameters
    ----------
    t : array_like, shape (...)
        Time in seconds; the pendulum is released at ``t = 0``, when the pivot is highest.
    theta0 : float
        Angle at release in radians; small.
    h0, omega, l, g : float
        As for `mathieu_parameters`.

    Returns
    -------
    theta : ndarray, shape (...)
        Angle in radians.
    phi : ndarray, shape (...)
        Its slow part.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite, or there is no slow swing, since the
        averaged stiffness is not positive.
    """
    stiffness = averaged_stiffness(h0, omega, l, g)
    if not stiffness > 0:
        raise ValueError(
            "`h0` and `omega` must make the averaged stiffness positive (1/s²), "
            f"got {stiffness:.6g}; below `critical_frequency` there is no slow swing"
        )
    t, theta0 = _finite("t", t), _finite("theta0", theta0)
    phi = theta0 / (1 + h0 / l) * np.cos(np.sqrt(stiffness) * t)
    return phi * (1 + h0 / l * np.cos(omega * t)), phi


def simulate(t, theta0, h0, omega, l=1.0, g=9.81, thetadot0=0.0, damping=0.0, linear=False):
    """Angle of the pendulum, by adaptive Runge-Kutta steps (DOP853).

    Parameters
    ----------
    t : array_like, shape (n,)
        Times in seconds, increasing, ``n >= 2``; the pendulum starts at ``t[0]``, which sets the
        phase ``omega * t[0]`` of the drive at that moment.
    theta0 : float
        Angle at ``t[0]`` in radians.
    h0, omega, l, g : float
        As for `mathieu_parameters`.
    thetadot0 : float, default 0.0
        Angular velocity at ``t[0]`` in rad/s.
    damping : float, default 0.0
        Rate in 1/s of the friction ``-damping * theta'``, ``damping >= 0``.
    linear : bool, default False
        Replace ``sin(theta)`` by ``theta``.

    Returns
    -------
    theta : ndarray, shape (n,)
        Angle in radians.
    thetadot : ndarray, shape (n,)
        Angular velocity in rad/s.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite, or `t` does not increase.
    """
    h0, omega, l, g = (float(x) for x in _parameters(h0, omega, l, g))
    t = _finite("t", t)
    if t.ndim != 1 or len(t) < 2 or not np.all(np.diff(t) > 0):
        raise ValueError(f"`t` must be 1-D, increasing, with 2 times or more, got shape {t.shape}")
    start = [float(_finite("theta0", theta0)), float(_finite("thetadot0", thetadot0))]
    if not 0 <= damping < math.inf:
        raise ValueError(f"`damping` must be non-negative and finite (1/s), got {damping}")
    weight, shake = g / l, h0 * omega**2 / l

    def rates(time, state):
        theta, thetadot = state
        lever = theta if linear else math.sin(theta)
        pull = (weight - shake * math.cos(omega * time)) * lever
        return thetadot, pull - damping * thetadot

    # Longer steps would jump over the drive, and the pendulum would fall as if never shaken.
    quarter = math.pi / (2 * omega)
    found = solve_ivp(
        rates,
        (t[0], t[-1]),
        start,
        method="DOP853",
        t_eval=t,
        rtol=RTOL,
        atol=ATOL,
        max_step=quarter,
    )
    if not found.success:
        raise ValueError(f"`t` must end before the solution overflows: {found.message}")
    return found.y[0], found.y[1]


def largest_angle(theta0, duration, h0, omega, l=1.0, g=9.81, phase=0.0, n_steps=40):
    """How far from the top pendulums come that are released at rest.

    Classical Runge-Kutta steps of the full equation, for all pendulums at once.

    Parameters
    ----------
    theta0 : array_like, shape (...)
        Angles at release in radians.
    duration : float
        Time to follow them in seconds, ``duration > 0``.
    h0, omega, l, g : float
        As for `mathieu_parameters`.
    phase : array_like, shape (...), default 0.0
        Phase of the pivot ``h0 * cos(omega * t + phase)`` at release, in radians; broadcasts
        against `theta0`.
    n_steps : int, default 40
        Steps in a drive period, at least 8.

    Returns
    -------
    ndarray, shape (...)
        Largest angle in radians on either side; above pi, the pendulum fell and went round.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite.
    """
    h0, omega, l, g = (float(x) for x in _parameters(h0, omega, l, g))
    theta, phase = np.broadcast_arrays(_finite("theta0", theta0), _finite("phase", phase))
    if not 0 < duration < math.inf:
        raise ValueError(f"`duration` must be positive and finite (seconds), got {duration}")
    h = 2 * math.pi / (omega * _steps(n_steps))

    def acceleration(t, theta):
        return (g / l - h0 * omega**2 / l * np.cos(omega * t + phase)) * np.sin(theta)

    velocity, farthest = np.zeros(theta.shape), np.abs(theta)
    for step in range(math.ceil(duration / h)):
        theta, velocity = _runge_kutta(acceleration, step * h, h, theta, velocity)
        farthest = np.maximum(farthest, np.abs(theta))
    return farthest


def effective_potential(theta, h0, omega, l=1.0, g=9.81):
    """Potential in which the averaged pendulum moves, per unit mass (Kapitza).

    Parameters
    ----------
    theta : array_like, shape (...)
        Angle from the top in radians.
    h0, omega, l, g : array_like, shape (...)
        As for `mathieu_parameters`.

    Returns
    -------
    ndarray, shape (...)
        ``g l cos(theta) + h0² omega² sin²(theta) / 4`` in m²/s²: height, and the mean kinetic
        energy of the ripple.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite.

    References
    ----------
    .. [1] L. D. Landau, E. M. Lifshitz, "Mechanics", 3rd ed., Pergamon (1976), section 30.
    """
    theta = _finite("theta", theta)
    h0, omega, l, g = _parameters(h0, omega, l, g)
    return g * l * np.cos(theta) + (h0 * omega * np.sin(theta)) ** 2 / 4


def escape_angle(h0, omega, l=1.0, g=9.81):
    """Angle of the barrier around the well at the top.

    Parameters
    ----------
    h0, omega, l, g : array_like, shape (...)
        As for `mathieu_parameters`.

    Returns
    -------
    ndarray, shape (...)
        ``arccos(2 g l / (h0 omega)²)`` in radians; 0 where the top is no well.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite.
    """
    h0, omega, l, g = _parameters(h0, omega, l, g)
    weight, shake = 2 * g * l, (h0 * omega) ** 2
    well = shake > weight
    ratio = np.divide(weight, shake, out=np.ones(well.shape), where=well)
    return np.arccos(ratio)


def slow_energy(t, theta, thetadot, h0, omega, l=1.0, g=9.81):
    """Energy of the slow motion, from the full one: constant up to terms of order ``h0 / l``.

    Parameters
    ----------
    t : array_like, shape (...)
        Time in seconds; the pivot is at ``h0 * cos(omega * t)``.
    theta, thetadot : array_like, shape (...)
        Angle in radians and angular velocity in rad/s.
    h0, omega, l, g : float
        As for `mathieu_parameters`; ``h0 < l``.

    Returns
    -------
    ndarray, shape (...)
        ``l² phi'² / 2 + V(phi)`` in m²/s², with the slow angle `phi` and `effective_potential` V.

    Raises
    ------
    ValueError
        If a parameter is out of its range or not finite, or `h0` is not below `l`.
    """
    t, theta, thetadot = _finite("t", t), _finite("theta", theta), _finite("thetadot", thetadot)
    h0, omega, l, g = (float(x) for x in _parameters(h0, omega, l, g))
    if not h0 < l:
        raise ValueError(f"`h0` must be below `l` = {l:g} (metres), got {h0:g}")
    ripple = h0 / l * np.cos(omega * t)
    phi = theta
    # Newton's steps for phi + ripple sin(phi) = theta, a monotone function of phi.
    for _ in range(6):
        phi = phi - (phi + ripple * np.sin(phi) - theta) / (1 + ripple * np.cos(phi))
    swing = thetadot + h0 * omega / l * np.sin(phi) * np.sin(omega * t)
    phidot = swing / (1 + ripple * np.cos(phi))
    return (l * phidot) ** 2 / 2 + effective_potential(phi, h0, omega, l, g)


def _runge_kutta(acceleration, t, h, theta, velocity):
    """One classical Runge-Kutta step of ``theta'' = acceleration(t, theta)``."""
    k1 = acceleration(t, theta)
    k2 = acceleration(t + h / 2, theta + h / 2 * velocity)
    k3 = acceleration(t + h / 2, theta + h / 2 * velocity + h**2 / 4 * k1)
    k4 = acceleration(t + h, theta + h * velocity + h**2 / 2 * k2)
    return (
        theta + h * velocity + h**2 / 6 * (k1 + k2 + k3),
        velocity + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4),
    )


def _finite(name, value):
    value = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)].flat[0]}")
    return value


def _parameters(h0, omega, l, g):
    h0, omega, l, g = _finite("h0", h0), _finite("omega", omega), _finite("l", l), _finite("g", g)
    for name, value, unit in (("h0", h0, "metres"), ("g", g, "m/s²")):
        if not np.all(value >= 0):
            raise ValueError(f"`{name}` must be non-negative ({unit}), got {value.min():g}")
    for name, value, unit in (("omega", omega, "rad/s"), ("l", l, "metres")):
        if not np.all(value > 0):
            raise ValueError(f"`{name}` must be positive ({unit}), got {value.min():g}")
    return h0, omega, l, g


def _steps(value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 8:
        raise ValueError(f"`n_steps` must be an integer of at least 8, got {value!r}")
    return int(value)
