"""Two ellipses of paper, each bent into a cylinder and glued rim to rim."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ellipeinc

__all__ = [
    "Seam",
    "arc_length",
    "can_glue",
    "depth",
    "gluing_margin",
    "half_width",
    "param_of_arc",
    "quarter_perimeter",
    "sampled_margin",
    "seam",
    "sheets",
    "tangent_angle",
    "volume",
]


class Seam(NamedTuple):
    """A quarter of the seam, each an array of shape (n,)."""

    s: np.ndarray
    """Rim length from the long vertex of the first sheet."""
    x: np.ndarray
    """Coordinate along the axis of both bends, from 0."""
    y: np.ndarray
    """Half-width of the first sheet."""
    z: np.ndarray
    """Half-width of the second sheet."""


def arc_length(t, a, b):
    """Length of the rim from (a, 0) to (a cos t, b sin t).

    Parameters
    ----------
    t : array_like, shape (...)
        Parameter in radians, finite.
    a, b : float
        Semi-axes, positive.

    Returns
    -------
    ndarray or float, shape (...)

    Raises
    ------
    ValueError
        If a semi-axis is not positive and finite, or `t` is not finite.
    """
    _axes(a, b)
    t = np.asarray(t, dtype=float)
    if not np.all(np.isfinite(t)):
        raise ValueError(f"`t` must be finite, got {t[~np.isfinite(t)].flat[0]}")
    return b * ellipeinc(t, 1 - (a / b) ** 2)


def quarter_perimeter(a, b):
    """Length of a quarter of the rim.

    Parameters
    ----------
    a, b : float
        Semi-axes, positive.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a semi-axis is not positive and finite.
    """
    return float(arc_length(math.pi / 2, a, b))


def param_of_arc(s, a, b):
    """Parameter of the rim point at length `s` from (a, 0): the inverse of `arc_length`.

    Parameters
    ----------
    s : array_like, shape (...)
        Between 0 and the quarter perimeter.
    a, b : float
        Semi-axes, positive.

    Returns
    -------
    ndarray or float, shape (...)
        In [0, pi / 2], off by less than 1e-12.

    Raises
    ------
    ValueError
        If a semi-axis is not positive and finite, or `s` is out of range.
    """
    length = quarter_perimeter(a, b)
    s = np.asarray(s, dtype=float)
    inside = (s >= -1e-12 * length) & (s <= (1 + 1e-12) * length)
    if not np.all(inside):
        raise ValueError(f"`s` must be between 0 and {length:.6g}, got {s[~inside].flat[0]:g}")
    s = np.clip(s, 0, length)
    low, high = np.zeros_like(s), np.full_like(s, math.pi / 2)
    t = s / length * math.pi / 2
    for _ in range(60):
        excess = arc_length(t, a, b) - s
        low, high = np.where(excess <= 0, t, low), np.where(excess >= 0, t, high)
        step = t - excess / np.hypot(a * np.sin(t), b * np.cos(t))
        new = np.where((step >= low) & (step <= high), step, (low + high) / 2)
        done = np.all(np.abs(new - t) < 1e-15)
        t = new
        if done:
            break
    return t[()]


def half_width(s, a, b):
    """Half of the ruling through the rim point at length `s`.

    Parameters
    ----------
    s, a, b
        As for `param_of_arc`.

    Returns
    -------
    ndarray or float, shape (...)
        The height ``b sin t`` of that point over the long axis.

    Raises
    ------
    ValueError
        As for `param_of_arc`.
    """
    return b * np.sin(param_of_arc(s, a, b))


def tangent_angle(s, a, b):
    """Angle between the rim at length `s` and the short axis.

    Parameters
    ----------
    s, a, b
        As for `param_of_arc`.

    Returns
    -------
    ndarray or float, shape (...)
        In radians, from 0 at the long vertex to pi / 2.

    Raises
    ------
    ValueError
        As for `param_of_arc`.
    """
    t = param_of_arc(s, a, b)
    return np.arctan2(a * np.sin(t), b * np.cos(t))


def gluing_margin(s, a, b):
    """Square of the seam's speed along x: the sheets fit where it is not negative.

    Parameters
    ----------
    s, a, b
        As for `param_of_arc`; the sheets are bent along `a`, even if that is the short axis.

    Returns
    -------
    ndarray or float, shape (...)
        ``1 - h'(s)**2 - h'(l - s)**2`` for the half-width h and the quarter perimeter l.

    Raises
    ------
    ValueError
        As for `param_of_arc`.
    """
    length = quarter_perimeter(a, b)
    s = np.asarray(s, dtype=float)
    one, other = tangent_angle(s, a, b), tangent_angle(length - s, a, b)
    # As a product: the difference of squares cancels at both ends.
    return -np.cos(one + other) * np.cos(one - other)


def can_glue(a, b, n=2001):
    """Whether two ellipses bent along their axes `a` fit rim to rim.

    Parameters
    ----------
    a, b : float
        Semi-axes, positive.
    n : int, default 2001
        Points at which the margin is looked at, at least 2.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If a semi-axis is not positive and finite, or `n` is below 2.
    """
    s = np.linspace(0, quarter_perimeter(a, b), _count("n", n, 2))
    return bool(np.min(gluing_margin(s, a, b)) >= -1e-12)


def seam(a, b, n=401):
    """Quarter of the seam of the two sheets.

    Parameters
    ----------
    a, b : float
        Semi-axes, ``a >= b > 0``.
    n : int, default 401
        Number of points, evenly spaced along the seam, at least 3.

    Returns
    -------
    Seam

    Raises
    ------
    ValueError
        If ``a < b``, a semi-axis is not positive and finite, or `n` is below 3.
    """
    _long_first(a, b)
    s = np.linspace(0, quarter_perimeter(a, b), _count("n", n, 3))
    y = half_width(s, a, b)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    step = s[1] - s[0]
    inner = (s[:-1, None] + s[1:, None]) / 2 + step / 2 * nodes
    x = np.concatenate([[0], np.cumsum(_speed(inner, a, b) @ weights * step / 2)])
    return Seam(s, x, y, y[::-1].copy())


def depth(a, b):
    """Extent of the solid along the axis of both bends.

    Parameters
    ----------
    a, b : float
        Semi-axes, ``a >= b > 0``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``a < b``, or a semi-axis is not positive and finite.
    """
    s, weights = _nodes(a, b)
    return float(weights @ _speed(s, a, b))


def volume(a, b):
    """Volume of the solid.

    Parameters
    ----------
    a, b : float
        Semi-axes, ``a >= b > 0``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``a < b``, or a semi-axis is not positive and finite.
    """
    s, weights = _nodes(a, b)
    h = half_width(s, a, b)
    # Gauss nodes are symmetric, so the other sheet has the same widths the other way round.
    return float(4 * weights @ (h * h[::-1] * _speed(s, a, b)))


def sheets(a, b, n=61, m=9):
    """Vertices of both bent sheets, for drawing.

    Parameters
    ----------
    a, b : float
        Semi-axes, ``a >= b > 0``.
    n : int, default 61
        Rulings from the middle to an end, at least 3.
    m : int, default 9
        Points on a ruling, at least 2.

    Returns
    -------
    sheet1, sheet2 : ndarray, shape (2 n - 1, m, 3)
        The first has rulings along y, the second along z.

    Raises
    ------
    ValueError
        If ``a < b``, a semi-axis is not positive and finite, or a count is too small.
    """
    found = seam(a, b, n)
    across = np.linspace(-1, 1, _count("m", m, 2))

    def bent(x, width, height):
        # From one end of the long axis over the middle to the other.
        x, width = np.concatenate([x, x[-2::-1]]), np.concatenate([width, width[-2::-1]])
        height = np.concatenate([height, -height[-2::-1]])
        ones = np.ones_like(across)
        return np.outer(x, ones), np.outer(width, across), np.outer(height, ones)

    x, y, z = bent(found.x, found.y, found.z)
    first = np.stack([x, y, z], axis=-1)
    x, z, y = bent(found.x[::-1], found.z[::-1], found.y[::-1])
    return first, np.stack([x, y, z], axis=-1)


def sampled_margin(x, y):
    """The margin of any outline that is symmetric in both axes, from points on a quarter of it.

    Parameters
    ----------
    x, y : array_like, shape (k,)
        Points from (a, 0) to (0, b), at least 5; `x` never rises and `y` never falls.

    Returns
    -------
    s : ndarray, shape (k - 1,)
        Lengths along the outline, at the middle of each chord.
    margin : ndarray, shape (k - 1,)
        As in `gluing_margin`, off by a term of order k**-2.

    Raises
    ------
    ValueError
        If the points do not make a quarter outline.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or x.size < 5:
        raise ValueError(f"`x` and `y` must have one shape (k,), k >= 5, got {x.shape}, {y.shape}")
    dx, dy = np.diff(x), np.diff(y)
    if not (np.all(dx <= 0) and np.all(dy >= 0)):
        raise ValueError("`x` must not rise and `y` must not fall along the outline")
    chords = np.hypot(dx, dy)
    if not np.all(chords > 0):
        raise ValueError(f"`x` and `y` must not repeat a point, got one at {np.argmin(chords)}")
    s = np.cumsum(chords) - chords / 2
    angle = np.arctan2(-dx, dy)
    other = np.interp(chords.sum() - s, s, angle)
    return s, -np.cos(angle + other) * np.cos(angle - other)


def _speed(s, a, b):
    return np.sqrt(np.maximum(gluing_margin(s, a, b), 0))


def _nodes(a, b):
    _long_first(a, b)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    half = quarter_perimeter(a, b) / 2
    return half * (nodes + 1), half * weights


def _axes(a, b):
    for name, value in (("a", a), ("b", b)):
        if not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be positive and finite, got {value}")


def _long_first(a, b):
    _axes(a, b)
    if a < b:
        raise ValueError(f"`a` must be at least `b`, got {a:g} < {b:g}: the sheets do not fit")


def _count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value}")
    return int(value)
