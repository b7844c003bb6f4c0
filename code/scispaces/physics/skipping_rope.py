"""Shapes of a turned rope: the skipping rope, the hanging chain, and the chain that swings out."""

import math
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ellipe, ellipj, ellipk, ellipkm1, jn_zeros

__all__ = [
    "Chain",
    "catenary",
    "catenary_parameter",
    "critical_speed",
    "end_slope",
    "hanging_chain",
    "length_ratio",
    "modulus",
    "moment_of_inertia",
    "sag",
    "tension",
    "troposkein",
]


class Chain(NamedTuple):
    """A chain that hangs from a turning rod.

    Attributes
    ----------
    s : ndarray, shape (n,)
        Length from the free end.
    x, y : ndarray, shape (n,)
        Distance from the axis, and height above the upper end.
    tension : ndarray, shape (n,)
        For a density of 1.
    """

    s: np.ndarray
    x: np.ndarray
    y: np.ndarray
    tension: np.ndarray


def length_ratio(m):
    """Length of a turned rope over the distance of its ends.

    Parameters
    ----------
    m : array_like, shape (...)
        Parameter of the elliptic functions, the square of their modulus; ``0 <= m < 1``.

    Returns
    -------
    ndarray, shape (...)
        Increasing from 1.

    Raises
    ------
    ValueError
        If `m` is outside of [0, 1).
    """
    m = np.asarray(m, dtype=float)
    if not np.all((m >= 0) & (m < 1)):
        raise ValueError(f"`m` must be at least 0 and below 1, got {m[~((m >= 0) & (m < 1))][0]}")
    return 2 * ellipe(m) / ((1 - m) * ellipk(m)) - 1


def modulus(length, span):
    """Parameter `m` of the turned rope of given length.

    Parameters
    ----------
    length, span : float
        Length of the rope and distance of its ends, ``length > span > 0``.

    Returns
    -------
    float
        Inverse of `length_ratio`.

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite.
    """
    _check_rope(length, span)
    return -math.expm1(-_shape(length, span))


def sag(length, span):
    """Largest distance of the turned rope from the axis.

    Parameters
    ----------
    length, span : float
        ``length > span > 0``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite.
    """
    _check_rope(length, span)
    u = _shape(length, span)
    return span * math.sqrt(-math.expm1(-u)) * math.exp(u) / ellipkm1(math.exp(-u))


def end_slope(length, span):
    """Slope of the turned rope against the axis, at a hand.

    Parameters
    ----------
    length, span : float
        ``length > span > 0``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite.
    """
    _check_rope(length, span)
    u = _shape(length, span)
    return 2 * math.sqrt(-math.expm1(-u)) * math.exp(u)


def troposkein(z, length, span):
    """Distance of the turned rope from the axis.

    Parameters
    ----------
    z : array_like, shape (...)
        Place along the axis, from 0 at one hand to `span` at the other.
    length, span : float
        ``length > span > 0``.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite, or `z` is not between the hands.

    References
    ----------
    .. [1] A. Nordmark and H. Essen, "The skipping rope curve", European Journal of Physics 28
       (2007), 241.
    """
    z = _between_hands(z, length, span)
    u = _shape(length, span)
    K = ellipkm1(math.exp(-u))
    return sag(length, span) * ellipj(2 * K * z / span, -math.expm1(-u))[0]


def tension(z, length, span, density=1.0, omega=1.0):
    """Tension of the turned rope.

    Parameters
    ----------
    z : array_like, shape (...)
        Place along the axis, from 0 to `span`.
    length, span : float
        ``length > span > 0``.
    density, omega : float, default 1.0
        Mass per length and angular speed, positive.

    Returns
    -------
    ndarray, shape (...)
        Largest at the hands.

    Raises
    ------
    ValueError
        If not ``length > span > 0``, all finite, `z` is not between the hands, or `density` or
        `omega` is not positive.
    """
    r = troposkein(z, length, span)
    density, omega = _positive("density", density), _positive("omega", omega)
    m = modulus(length, span)
    return density * omega**2 / 2 * (sag(length, span) ** 2 * (1 + m) / (2 * m) - r**2)


def catenary_parameter(length, span):
    """Radius of curvature at the lowest point of a hanging chain.

    Parameters
    ----------
    length, span : float
        ``length > span > 0``.

    Returns
    -------
    float
        ``a`` with ``2 * a * sinh(span / (2 * a)) == length``.

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite.
    """
    _check_rope(length, span)
    excess = length / span - 1

    def surplus(q):
        # sinh(q) / q - 1, by its series where the difference would cancel.
        small = q * q / 6 * (1 + q * q / 20 * (1 + q * q / 42))
        return (small if q < 0.1 else math.sinh(q) / q - 1) - excess

    # sinh(q) / q > q**2 / 6, and it exceeds any ratio by q = 2 log of it plus 4.
    q = brentq(surplus, 1e-9, 2 * math.log(length / span) + 4, xtol=1e-15, rtol=1e-14)
    return span / (2 * q)


def catenary(z, length, span):
    """Depth of a hanging chain below its ends.

    Parameters
    ----------
    z : array_like, shape (...)
        Place between the ends, from 0 to `span`.
    length, span : float
        ``length > span > 0``.

    Returns
    -------
    ndarray, shape (...)
        Not negative.

    Raises
    ------
    ValueError
        If not ``length > span > 0``, both finite, or `z` is not between the ends.
    """
    z = _between_hands(z, length, span)
    a = catenary_parameter(length, span)
    # The difference of two cosh, as a product.
    return 2 * a * np.sinh(z / (2 * a)) * np.sinh((span - z) / (2 * a))


def moment_of_inertia(z, r):
    """Moment of inertia about the axis of a thin line of density 1, given by its corners.

    Parameters
    ----------
    z, r : array_like, shape (n,)
        Places along the axis and distances from it, n at least 2.

    Returns
    -------
    float
        Exact for the straight pieces.

    Raises
    ------
    ValueError
        If `z` and `r` are not two vectors of one length of at least 2.
    """
    z, r = np.asarray(z, dtype=float), np.asarray(r, dtype=float)
    if z.ndim != 1 or z.shape != r.shape or z.size < 2:
        raise ValueError(f"`z` and `r` must be vectors of one length, got {z.shape} and {r.shape}")
    near, far = r[:-1], r[1:]
    pieces = np.hypot(np.diff(z), np.diff(r))
    return float(np.sum(pieces * (near**2 + near * far + far**2)) / 3)


def critical_speed(n, length, g=9.81):
    """Angular speed above which a chain on the axis can swing out in its n-th shape.

    Parameters
    ----------
    n : int
        Number of the shape, at least 1.
    length : float
        Length of the chain, positive.
    g : float, default 9.81
        Positive.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `n` is not an integer of at least 1, or `length` or `g` is not positive.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"`n` must be an integer of at least 1, got {n}")
    length, g = _positive("length", length), _positive("g", g)
    return float(jn_zeros(0, n)[-1]) / 2 * math.sqrt(g / length)


def hanging_chain(omega, length, g=9.81, offset=0.0, n=401):
    """Chain that hangs from a turning rod, in its first shape.

    Parameters
    ----------
    omega, length : float
        Angular speed and length, positive.
    g : float, default 9.81
        Positive.
    offset : float, default 0.0
        Distance of the upper end from the axis, not negative.
    n : int, default 401
        Number of points, at least 3.

    Returns
    -------
    Chain
        Straight down where the upper end is on the axis and `omega` is at most
        ``critical_speed(1, length, g)``.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    .. [1] I. I. Kolodner, "Heavy rotating string -- a nonlinear eigenvalue problem",
       Communications on Pure and Applied Mathematics 8 (1955), 395.
    """
    omega, length, g = (
        _positive("omega", omega),
        _positive("length", length),
        _positive("g", g),
    )
    if not 0 <= offset < math.inf:
        raise ValueError(f"`offset` must be finite and not negative, got {offset}")
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 3:
        raise ValueError(f"`n` must be an integer of at least 3, got {n}")
    # Lengths in units of `length`, tensions in units of g: one number q is left.
    s, q, top = np.linspace(0, 1, n), omega**2 * length / g, offset / length
    bent = omega > critical_speed(1, length, g)
    if offset == 0 and not bent:
        return Chain(length * s, np.zeros(n), length * (s - 1), g * length * s)
    # The wanted free end lies beyond the last one that the chain on the axis would have.
    low = 0.0
    if bent:
        low = _free_end(lambda x0: _shoot(x0, q).y[0, -1], 1.0)
    if offset > 0:
        x0 = brentq(lambda x0: _shoot(x0, q).y[0, -1] - top, low, 1 + top, xtol=1e-13, rtol=1e-13)
    else:
        x0 = low
    x, P, y = _shoot(x0, q, s).y
    return Chain(length * s, length * x, length * (y - y[-1]), g * length * np.hypot(P, s))


def _free_end(top, high):
    """Return the largest place of the free end for which the upper end is on the axis."""
    # In small steps: shapes with a node have their free ends further in.
    low = 0.9 * high
    while top(low) > 0:
        high, low = low, 0.9 * low
    return brentq(top, low, high, xtol=1e-13, rtol=1e-13)


def _shoot(x0, q, at=None):
    """Integrate from the free end: place `x`, ``P = T x'`` and height, all scaled."""

    def rate(s, state):
        x, P, _ = state
        T = math.hypot(P, s)
        return [P / T, -q * x, s / T]

    # At the free end the tension vanishes: P = -q x0 s + ..., so x' starts with a finite value.
    begin = 1e-8
    T = math.hypot(q * x0, 1)
    slope = -q * x0 / T
    start = [x0 + slope * begin, -q * (x0 * begin + slope * begin**2 / 2), begin / T]
    times = None if at is None else np.concatenate([[begin], at[1:]])
    found = solve_ivp(
        rate, (begin, 1.0), start, t_eval=times, method="DOP853", rtol=1e-11, atol=1e-13
    )
    if at is not None:
        found.y[:, 0] = x0, 0.0, 0.0
    return found


def _shape(length, span):
    """Return ``u = -log(1 - m)``, in which long ropes are as easy as short ones."""
    ratio = length / span

    def excess(u):
        m, rest = -math.expm1(-u), math.exp(-u)
        if u < 1e-3:
            # The series, since the difference would cancel.
            series = 1 + m * (7 / 8 + m * (13 / 16 + m * (791 / 1024 + m * 1523 / 2048)))
            return m * series - (ratio - 1)
        return 2 * ellipe(m) / (rest * ellipkm1(rest)) - 1 - ratio

    return brentq(excess, 1e-12, 2 * math.log(ratio) + 5, xtol=1e-16, rtol=1e-14)


def _check_rope(length, span):
    if not 0 < span < length < math.inf:
        raise ValueError(f"`length` must exceed `span`, both positive, got {length} and {span}")


def _between_hands(z, length, span):
    _check_rope(length, span)
    z = np.asarray(z, dtype=float)
    if not np.all((z >= 0) & (z <= span)):
        outside = z[~((z >= 0) & (z <= span))][0]
        raise ValueError(f"`z` must lie between 0 and `span`, {span}, got {outside}")
    return z


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)
