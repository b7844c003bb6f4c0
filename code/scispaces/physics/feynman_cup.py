"""A cup that turns, the arm that holds it, and the sign that a rotation by 360 degrees leaves.

Quaternions are Hamilton's, with the scalar first: ``(w, x, y, z)``.
"""

import math
import numbers

import numpy as np

__all__ = [
    "arm_quaternion",
    "axis_angle_to_quat",
    "interference",
    "lift_path",
    "loop_class",
    "quat_mul",
    "quat_to_matrix",
    "quat_to_su2",
    "string_points",
    "untwist",
]


def quat_mul(a, b):
    """Product of quaternions.

    Parameters
    ----------
    a, b : array_like, shape (..., 4)
        They broadcast.

    Returns
    -------
    ndarray, shape (..., 4)
        ``a b``: the rotation `b` first, then `a`.

    Raises
    ------
    ValueError
        If a last axis is not of length 4.
    """
    aw, ax, ay, az = np.moveaxis(_last("a", a, 4), -1, 0)
    bw, bx, by, bz = np.moveaxis(_last("b", b, 4), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def axis_angle_to_quat(axis, angle):
    """Unit quaternion of a rotation; the angle is not reduced.

    Parameters
    ----------
    axis : array_like, shape (..., 3)
        Axis, of any length but zero.
    angle : array_like, shape (...)
        Angle in radians, any real number: 2 pi gives -1 and 4 pi gives +1.

    Returns
    -------
    ndarray, shape (..., 4)
        ``cos(angle / 2) + sin(angle / 2) n`` with the unit vector `n` along the axis.

    Raises
    ------
    ValueError
        If `axis` is zero, not finite or not of length 3, or `angle` is not finite.
    """
    axis, angle = _last("axis", axis, 3), np.asarray(angle, dtype=float)
    length = np.linalg.norm(axis, axis=-1, keepdims=True)
    if not np.all((length > 0) & (length < math.inf)):
        raise ValueError(f"`axis` must be finite and not zero, got {axis.tolist()}")
    if not np.all(np.isfinite(angle)):
        raise ValueError(f"`angle` must be finite (radians), got {angle.tolist()}")
    half = angle[..., None] / 2
    vector = np.sin(half) * axis / length
    return np.concatenate([np.broadcast_to(np.cos(half), (*vector.shape[:-1], 1)), vector], axis=-1)


def quat_to_matrix(q):
    """Rotation matrix of a quaternion of any length.

    Parameters
    ----------
    q : array_like, shape (..., 4)
        Not zero; ``q`` and ``-q`` give the same matrix.

    Returns
    -------
    ndarray, shape (..., 3, 3)

    Raises
    ------
    ValueError
        If `q` is zero, not finite or not of length 4.
    """
    q = _last("q", q, 4)
    length = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all((length > 0) & (length < math.inf)):
        raise ValueError(f"`q` must be finite and not zero, got {q.tolist()}")
    w, x, y, z = np.moveaxis(q / length, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quat_to_su2(q):
    """Complex matrix of a quaternion; of a unit quaternion it is unitary with determinant 1.

    Parameters
    ----------
    q : array_like, shape (..., 4)
        Not normalised.

    Returns
    -------
    ndarray of complex, shape (..., 2, 2)
        ``[[w - iz, -ix - y], [-ix + y, w + iz]]``, which multiplies as the quaternions do.

    Raises
    ------
    ValueError
        If `q` is not of length 4.
    """
    w, x, y, z = np.moveaxis(_last("q", q, 4), -1, 0)
    rows = [[w - 1j * z, -1j * x - y], [-1j * x + y, w + 1j * z]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def lift_path(R):
    """Continuous path of quaternions above a path of rotations.

    Parameters
    ----------
    R : array_like, shape (n, 3, 3)
        Rotation matrices, each at most 90 degrees from the one before.

    Returns
    -------
    ndarray, shape (n, 4)
        Unit quaternions.  In the first, the first component larger than 1e-9 in size is positive;
        the sign of the others follows by continuity.

    Raises
    ------
    ValueError
        If `R` has another shape, is no path of rotations (to 1e-6), or takes a longer step.
    """
    R = np.asarray(R, dtype=float)
    if R.ndim != 3 or R.shape[1:] != (3, 3) or len(R) < 1:
        raise ValueError(f"`R` must have shape (n, 3, 3) with n >= 1, got {R.shape}")
    if not np.all(np.isfinite(R)):
        raise ValueError("`R` must be finite, got NaN or infinity")
    gap = np.abs(np.swapaxes(R, 1, 2) @ R - np.eye(3)).max()
    if gap > 1e-6:
        raise ValueError(f"`R` must be orthogonal to 1e-6, got {gap:.2g}")
    if np.any(np.linalg.det(R) < 0):
        raise ValueError("`R` must hold rotations, with determinant 1, got a reflection")
    # q q^T is linear in R: its largest column never divides by a small number, as the usual
    # formula with sqrt(1 + trace) does at 180 degrees.
    trace = np.trace(R, axis1=1, axis2=2)
    square = np.empty((len(R), 4, 4))
    square[:, 0, 0] = 1 + trace
    square[:, 1:, 1:] = R + np.swapaxes(R, 1, 2) + (1 - trace)[:, None, None] * np.eye(3)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        square[:, 0, i + 1] = square[:, i + 1, 0] = R[:, k, j] - R[:, j, k]
    best = np.argmax(np.diagonal(square, axis1=1, axis2=2), axis=1)
    q = square[np.arange(len(R)), best]
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    steps = np.sum(q[1:] * q[:-1], axis=1)
    # |q . q'| is the cosine of half the angle between the rotations.
    if np.any(np.abs(steps) < math.cos(math.pi / 4) - 1e-9):
        worst = np.degrees(2 * np.arccos(np.min(np.abs(steps))))
        raise ValueError(
            f"`R` must take steps of at most 90 degrees, got {worst:.4g}; sample it more finely"
        )
    first = q[0][np.argmax(np.abs(q[0]) > 1e-9)]
    signs = np.cumprod(np.concatenate([[np.sign(first)], np.where(steps < 0, -1.0, 1.0)]))
    return q * signs[:, None]


def loop_class(R):
    """Whether a loop of rotations can be shrunk to a point.

    Parameters
    ----------
    R : array_like, shape (n, 3, 3)
        Rotation matrices as for `lift_path`, the first and the last equal.

    Returns
    -------
    int
        0 if the loop can be shrunk, 1 if it cannot.

    Raises
    ------
    ValueError
        As for `lift_path`, or if the first and the last rotation differ by more than 1e-6.
    """
    q = lift_path(R)
    end = float(q[0] @ q[-1])
    if abs(abs(end) - 1) > 1e-6:
        angle = math.degrees(2 * math.acos(min(abs(end), 1.0)))
        raise ValueError(f"`R` must end where it began, got {angle:.4g} degrees apart")
    return int(end < 0)


def untwist(s, t):
    """Shrink the double turn about z: circles through 1 on the sphere of quaternions.

    Parameters
    ----------
    s : array_like, shape (...)
        Place along the loop, from 0 to 1.
    t : array_like, shape (...)
        Stage, from 0 (two full turns about z) to 1 (no turn); broadcasts against `s`.

    Returns
    -------
    ndarray, shape (..., 4)
        Unit quaternions, 1 at both ends of the loop at every stage.

    Raises
    ------
    ValueError
        If `s` or `t` is not in [0, 1].
    """
    return _circle(_between("s", s, 0.0, 1.0), _between("t", t, 0.0, 1.0) * math.pi / 2)


def arm_quaternion(s, phi):
    """Orientation of a section of the arm that holds the cup.

    Parameters
    ----------
    s : array_like, shape (...)
        Place along the arm, from 0 (shoulder, which never moves) to 1 (hand).
    phi : array_like, shape (...)
        Angle by which the hand has turned about the vertical, 0 to 4 pi radians; broadcasts
        against `s`.

    Returns
    -------
    ndarray, shape (..., 4)
        Unit quaternions: at ``s = 1`` the rotation about z by `phi`, for every `phi`.

    Raises
    ------
    ValueError
        If `s` is not in [0, 1], or `phi` not in [0, 4 pi].
    """
    s, phi = _between("s", s, 0.0, 1.0), _between("phi", phi, 0.0, 4 * math.pi)
    return _circle(phi / (4 * math.pi), (1 - s) * math.pi / 2)


def string_points(phi, direction, n=60, r_cup=0.25, r_wall=1.0):
    """A string from the wall to the cup that meets no other string.

    Section ``s`` lies on a sphere of its own, and all of that sphere turns by
    ``arm_quaternion(s, phi)``.

    Parameters
    ----------
    phi : float
        Angle by which the cup has turned, 0 to 4 pi radians.
    direction : array_like, shape (3,)
        Where the string hangs when nothing has turned; not zero.
    n : int, default 60
        Number of points, at least 2.
    r_cup, r_wall : float
        Radii of the smallest and the largest sphere, ``0 < r_cup < r_wall``.

    Returns
    -------
    ndarray, shape (n, 3)
        From the wall (row 0) to the cup (last row).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    direction = _last("direction", direction, 3)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not 0 < length < math.inf:
        raise ValueError(f"`direction` must be a vector other than zero, got {direction.tolist()}")
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 2:
        raise ValueError(f"`n` must be an integer of at least 2, got {n!r}")
    if not 0 < r_cup < r_wall < math.inf:
        raise ValueError(f"`r_cup` must be positive and below `r_wall`, got {r_cup} and {r_wall}")
    s = np.linspace(0, 1, n)
    radius = r_wall + (r_cup - r_wall) * s
    turned = quat_to_matrix(arm_quaternion(s, phi)) @ (direction / length)
    return radius[:, None] * turned


def interference(angle, contrast=1.0):
    """Intensity behind a neutron interferometer in which the spin of one beam has been turned.

    Parameters
    ----------
    angle : array_like, shape (...)
        Angle of the turn in radians.
    contrast : float, default 1.0
        From 0 to 1.

    Returns
    -------
    ndarray, shape (...)
        ``(1 + contrast cos(angle / 2)) / 2``: the period is 4 pi.

    Raises
    ------
    ValueError
        If `contrast` is not in [0, 1].

    References
    ----------
    .. [1] S. A. Werner, R. Colella, A. W. Overhauser, C. F. Eagen, Phys. Rev. Lett. 35 (1975) 1053.
    """
    contrast = float(_between("contrast", contrast, 0.0, 1.0))
    return (1 + contrast * np.cos(np.asarray(angle, dtype=float) / 2)) / 2


def _circle(s, beta):
    """Point ``s`` of the circle through 1 in the plane at angle `beta` to the one of 1 and k."""
    c, across = np.cos(beta), 1 - np.cos(2 * math.pi * s)
    w, x, z = 1 - c * c * across, c * np.sin(beta) * across, c * np.sin(2 * math.pi * s)
    return np.stack([w, x, np.zeros_like(w), z], axis=-1)


def _last(name, value, size):
    value = np.asarray(value, dtype=float)
    if value.ndim == 0 or value.shape[-1] != size:
        raise ValueError(f"`{name}` must have a last axis of length {size}, got {value.shape}")
    return value


def _between(name, value, low, high):
    value = np.asarray(value, dtype=float)
    # Four turns computed by the caller may exceed 4 pi by a rounding.
    slack = 1e-12
    if not np.all((value >= low) & (value <= high + slack)):
        raise ValueError(f"`{name}` must be from {low:g} to {high:.6g}, got {value.tolist()}")
    return np.minimum(value, high)
