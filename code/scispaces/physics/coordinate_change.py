"""Equations of motion and Laplacians in any coordinates, from one line: the chart.

A chart maps coordinates ``q`` of shape (..., n), and the time, to places of shape (..., d) with
``d >= n``.  A Lagrangian maps ``q``, ``qdot`` and the time to shape (...).  Both must be analytic
and accept complex input: no ``abs``, ``hypot``, ``linalg.norm`` or ``conj``.  First derivatives
are taken by a complex step and are exact to rounding, outer ones by central differences over five
points.
"""

import math

import numpy as np
from scipy.linalg import eigh_tridiagonal

__all__ = [
    "CHARTS",
    "christoffel",
    "disc_eigenvalues",
    "doubled_lagrangian",
    "euler_lagrange",
    "laplacian",
    "levi_civita_kepler",
    "metric",
    "pullback",
    "rotating_chart",
]

_TINY = 1e-30


def _polar(q, t=0.0):
    r, angle = q[..., 0], q[..., 1]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1)


def _log_polar(q, t=0.0):
    size, angle = np.exp(q[..., 0]), q[..., 1]
    return np.stack([size * np.cos(angle), size * np.sin(angle)], axis=-1)


def _parabolic(q, t=0.0):
    u, v = q[..., 0], q[..., 1]
    return np.stack([u * u - v * v, 2 * u * v], axis=-1)


def _elliptic(q, t=0.0):
    a, b = q[..., 0], q[..., 1]
    return np.stack([np.cosh(a) * np.cos(b), np.sinh(a) * np.sin(b)], axis=-1)


def _shear(q, t=0.0):
    u, v = q[..., 0], q[..., 1]
    return np.stack([u + v * v / 2, v], axis=-1)


def _sphere(q, t=0.0):
    polar, azimuth = q[..., 0], q[..., 1]
    across = np.sin(polar)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), np.cos(polar)], axis=-1)


def _spherical(q, t=0.0):
    return q[..., :1] * _sphere(q[..., 1:])


CHARTS = {
    "polar": _polar,
    "log_polar": _log_polar,
    "parabolic": _parabolic,
    "elliptic": _elliptic,
    "shear": _shear,
    "spherical": _spherical,
    "sphere": _sphere,
}
"""Charts by name: five of the plane; ``spherical`` of space, with the polar angle second; and
``sphere``, two angles on the unit sphere in space."""


def rotating_chart(omega):
    """Chart that takes coordinates turning counter-clockwise at rate `omega` to inertial ones.

    Parameters
    ----------
    omega : float
        Radians per unit of time.

    Returns
    -------
    callable
        ``chart(q, t=0.0)``, shapes (..., 2) to (..., 2).

    Raises
    ------
    ValueError
        If `omega` is not finite.
    """
    omega = float(_finite("omega", omega))

    def chart(q, t=0.0):
        c, s = np.cos(omega * t), np.sin(omega * t)
        return np.stack([c * q[..., 0] - s * q[..., 1], s * q[..., 0] + c * q[..., 1]], axis=-1)

    return chart


def pullback(lagrangian, chart, passive=0, h=1e-3):
    """The same Lagrangian in the coordinates of a chart.

    Parameters
    ----------
    lagrangian : callable
        ``L(x, xdot, t)``.
    chart : callable
        May depend on the time, at no extra cost.
    passive : int, default 0
        How many of the last coordinates are left as they are.
    h : float, default 1e-3
        Step of the outer differences.

    Returns
    -------
    callable
        ``L(q, qdot, t)``, analytic again.

    Raises
    ------
    ValueError
        If `passive` is not an integer of at least 0, or `h` is not positive.
    """
    if isinstance(passive, bool) or not isinstance(passive, (int, np.integer)) or passive < 0:
        raise ValueError(f"`passive` must be an integer of at least 0, got {passive}")
    h = _step(h)

    def pulled(q, qdot, t=0.0):
        q, qdot = np.asarray(q), np.asarray(qdot)
        n = q.shape[-1] - passive
        inner, speed = q[..., :n], qdot[..., :n]
        xdot = _slope(lambda e: chart(inner + e * speed, t + e), h / _size(speed))
        x = np.concatenate([chart(inner, t), q[..., n:]], axis=-1)
        return lagrangian(x, np.concatenate([xdot, qdot[..., n:]], axis=-1), t)

    return pulled


def euler_lagrange(lagrangian, q, qdot, t=0.0, h=1e-3):
    """Accelerations that make the action of a Lagrangian stationary.

    Parameters
    ----------
    lagrangian : callable
        ``L(q, qdot, t)``.
    q, qdot : array_like, shape (..., n)
        Coordinates and their velocities.
    t : float, default 0.0
    h : float, default 1e-3
        Step of the outer differences.

    Returns
    -------
    ndarray, shape (..., n)
        Off by about 1e-9 of itself; a few milliseconds a call, so not for long integrations.

    Raises
    ------
    ValueError
        If the shapes differ, an argument is not finite, `h` is not positive, or the Lagrangian
        does not fix the accelerations: its second derivative by the velocities is singular.
    """
    q, qdot, h = _finite("q", q), _finite("qdot", qdot), _step(h)
    t = float(_finite("t", t))
    if q.shape != qdot.shape or q.ndim == 0:
        raise ValueError(f"`qdot` must have the shape of `q`, {q.shape}, got {qdot.shape}")

    def momentum(q, qdot, t):
        return _gradient(lambda v: lagrangian(q, v, t), qdot)

    force = _gradient(lambda y: lagrangian(y, qdot, t), q)
    drift = _slope(lambda e: momentum(q + e * qdot, qdot, t + e), h / _size(qdot))
    step = h * _size(qdot)
    mass = np.stack(
        [_slope(lambda e, d=d: momentum(q, qdot + e * d, t), step) for d in np.eye(q.shape[-1])],
        axis=-1,
    )
    values = np.linalg.svd(mass, compute_uv=False)
    scale = np.maximum(values[..., 0], np.max(np.abs(momentum(q, qdot, t)), axis=-1) / _size(qdot))
    if np.any(values[..., -1] <= 1e-10 * scale):
        raise ValueError(
            "`lagrangian` must have a regular second derivative by the velocities, got the "
            f"singular values {values.reshape(-1, values.shape[-1])[0]}"
        )
    return np.linalg.solve(mass, (force - drift)[..., None])[..., 0]


def doubled_lagrangian(force):
    """Lagrangian of any equation ``x'' = force(x, x', t)``, with as many multipliers as places.

    Parameters
    ----------
    force : callable
        ``force(x, xdot, t)``, shapes (..., n) to (..., n), analytic.

    Returns
    -------
    callable
        ``L(Q, Qdot, t)`` on (..., 2n): places first, multipliers last.

    References
    ----------
    .. [1] H. Bateman, "On dissipative systems and related variational principles", Physical
       Review 38 (1931), 815.
    """

    def lagrangian(Q, Qdot, t=0.0):
        n = Q.shape[-1] // 2
        x, multiplier, xdot, rate = Q[..., :n], Q[..., n:], Qdot[..., :n], Qdot[..., n:]
        return -np.sum(rate * xdot + multiplier * force(x, xdot, t), axis=-1)

    return lagrangian


def metric(chart, q, t=0.0):
    """Metric of a chart, the matrix of ``ds**2`` in its coordinates.

    Parameters
    ----------
    chart : callable
    q : array_like, shape (..., n)
    t : float, default 0.0

    Returns
    -------
    ndarray, shape (..., n, n)
        ``J.T @ J``.

    Raises
    ------
    ValueError
        If `q` or `t` is not finite.
    """
    J = _jacobian(chart, _finite("q", q), float(_finite("t", t)))
    return np.swapaxes(J, -1, -2) @ J


def christoffel(chart, q, t=0.0, h=1e-3):
    """Christoffel symbols: what acceleration the coordinates alone produce.

    Parameters
    ----------
    chart : callable
    q : array_like, shape (..., n)
    t : float, default 0.0
    h : float, default 1e-3
        Step of the outer differences.

    Returns
    -------
    ndarray, shape (..., n, n, n)
        Indices [k, i, j], symmetric in i and j.

    Raises
    ------
    ValueError
        If `q` or `t` is not finite, `h` is not positive, or the metric is singular at `q`.
    """
    q, t, h = _finite("q", q), float(_finite("t", t)), _step(h)
    J = _jacobian(chart, q, t)
    g = np.swapaxes(J, -1, -2) @ J
    _volume(g)
    second = np.stack(
        [_slope(lambda e, d=d: _jacobian(chart, q + e * d, t), h) for d in np.eye(q.shape[-1])],
        axis=-1,
    )
    return np.einsum("...kl,...al,...aij->...kij", np.linalg.inv(g), J, second)


def laplacian(chart, f, q, t=0.0, h=1e-3):
    """Laplacian of a function given in the coordinates of a chart.

    Parameters
    ----------
    chart : callable
        Onto a surface if ``d > n``; then this is the Laplace-Beltrami operator.
    f : callable
        ``f(q)``, shapes (..., n) to (...), analytic.
    q : array_like, shape (..., n)
    t : float, default 0.0
    h : float, default 1e-3
        Step of the outer differences.

    Returns
    -------
    ndarray, shape (...)
        The divergence of the gradient: the flux ``sqrt(det g) * inv(g) @ grad f`` is
        differentiated and divided by ``sqrt(det g)``.

    Raises
    ------
    ValueError
        If `q` or `t` is not finite, `h` is not positive, or the metric is singular at `q` or at a
        distance of up to ``2 * h``.
    """
    q, t, h = _finite("q", q), float(_finite("t", t)), _step(h)

    def flux(q, i):
        g = metric(chart, q, t)
        volume = _volume(g)
        return volume * np.linalg.solve(g, _gradient(f, q)[..., None])[..., i, 0]

    total = sum(
        _slope(lambda e, i=i, d=d: flux(q + e * d, i), h) for i, d in enumerate(np.eye(q.shape[-1]))
    )
    return total / _volume(metric(chart, q, t))


def disc_eigenvalues(m, n_cells, k=3, radius=1.0):
    """Lowest eigenvalues of minus the Laplacian on a disc, from the action in polar form.

    Parameters
    ----------
    m : int
        Angular number, at least 0.
    n_cells : int
        Rings of equal width, at least 2.
    k : int, default 3
        How many eigenvalues, at most `n_cells`.
    radius : float, default 1.0
        Positive; the function vanishes there.

    Returns
    -------
    ndarray, shape (k,)
        Ascending, too small by an amount of second order in the width of the rings.

    Raises
    ------
    ValueError
        If `m`, `n_cells` or `k` is no integer in its range, or `radius` is not positive.
    """
    for name, value, low, high in (
        ("m", m, 0, math.inf),
        ("n_cells", n_cells, 2, math.inf),
        ("k", k, 1, n_cells),
    ):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not low <= value <= high:
            limits = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
            raise ValueError(f"`{name}` must be an integer {limits}, got {value}")
    if not 0 < radius < math.inf:
        raise ValueError(f"`radius` must be positive and finite, got {radius}")
    h, i = radius / n_cells, np.arange(n_cells)
    r = (i + 0.5) * h
    # Ring i meets its neighbours with weights i and i + 1: at the centre nothing is left to ask.
    stiffness = 2 * i + 1.0 + m**2 * h / r
    stiffness[-1] += n_cells
    weight = r * h
    bonds = -i[1:] / np.sqrt(weight[1:] * weight[:-1])
    return eigh_tridiagonal(
        stiffness / weight, bonds, eigvals_only=True, select="i", select_range=(0, k - 1)
    )


def levi_civita_kepler(x0, v0, s, mu=1.0):
    """Kepler orbit as an oscillation in the square root of the place, through any collision.

    Parameters
    ----------
    x0, v0 : array_like, shape (2,)
        Place and velocity at ``s = 0``; any energy.
    s : array_like, shape (m,)
        Fictitious time, ``dt = r ds``; any sign.  For positive energies up to about
        ``350 / sqrt(E / 2)``.
    mu : float, default 1.0
        Strength of the attraction, positive.

    Returns
    -------
    t : ndarray, shape (m,)
    x : ndarray, shape (m, 2)

    Raises
    ------
    ValueError
        If a shape is wrong, an argument is not finite, `mu` is not positive, or `x0` is the
        centre.

    References
    ----------
    .. [1] T. Levi-Civita, "Sur la resolution qualitative du probleme restreint des trois corps",
       Acta Mathematica 30 (1906), 305.
    """
    x0, v0, s = _finite("x0", x0), _finite("v0", v0), _finite("s", s)
    for name, value in (("x0", x0), ("v0", v0)):
        if value.shape != (2,):
            raise ValueError(f"`{name}` must have shape (2,), got {value.shape}")
    if s.ndim != 1:
        raise ValueError(f"`s` must have one axis, got shape {s.shape}")
    if not 0 < mu < math.inf:
        raise ValueError(f"`mu` must be positive and finite, got {mu}")
    if not np.any(x0):
        raise ValueError("`x0` must not be the centre, got [0, 0]")
    w0 = np.sqrt(complex(*x0))
    w1 = complex(*v0) * np.conj(w0) / 2
    k = (mu / abs(w0) ** 2 - v0 @ v0 / 2) / 2
    angle = np.emath.sqrt(k) * s
    C = np.cos(angle).real
    S = s * np.where(angle == 0, 1.0, np.sin(angle) / np.where(angle == 0, 1.0, angle)).real
    z = k * s**2
    small = np.abs(z) < 0.01
    series = sum((-z) ** n * 4.0 ** (n + 1) / (2 * math.factorial(2 * n + 3)) for n in range(6))
    integral = np.where(small, s**3 * series, (s - C * S) / (2 * np.where(small, 1.0, k)))
    t = abs(w0) ** 2 * (s + C * S) / 2 + (w0 * np.conj(w1)).real * S**2 + abs(w1) ** 2 * integral
    z = (w0 * C + w1 * S) ** 2
    return t, np.stack([z.real, z.imag], axis=-1)


def _slope(f, h):
    """Derivative of `f` at 0, to fourth order in `h`."""
    return (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h)


def _gradient(f, q):
    """Gradient of `f`, from the imaginary part after a tiny step along the imaginary axis."""
    steps = _TINY * 1j * np.eye(q.shape[-1])
    return np.stack([np.imag(f(q + step)) / _TINY for step in steps], axis=-1)


def _jacobian(chart, q, t):
    steps = _TINY * 1j * np.eye(q.shape[-1])
    return np.stack([np.imag(chart(q + step, t)) / _TINY for step in steps], axis=-1)


def _volume(g):
    n = g.shape[-1]
    det = np.linalg.det(g)
    if np.any(det <= 1e-14 * (np.trace(g, axis1=-2, axis2=-1) / n) ** n):
        raise ValueError("`q` must keep away from points where the metric is singular, got one")
    return np.sqrt(det)


def _size(qdot):
    return max(1.0, float(np.max(np.abs(qdot), initial=0.0)))


def _step(h):
    if not 0 < h < math.inf:
        raise ValueError(f"`h` must be positive and finite, got {h}")
    return float(h)


def _finite(name, value):
    value = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)].flat[0]}")
    return value
