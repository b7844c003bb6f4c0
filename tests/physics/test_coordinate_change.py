"""Facts that the chapter on changing coordinates claims."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.special import jn_zeros

from scispaces.physics.coordinate_change import (
    CHARTS,
    christoffel,
    disc_eigenvalues,
    doubled_lagrangian,
    euler_lagrange,
    laplacian,
    levi_civita_kepler,
    metric,
    pullback,
    rotating_chart,
)

PLANE = ["polar", "log_polar", "parabolic", "elliptic", "shear"]
# Second differences of h = 1e-3 are good to 1e-12 / 1e-3 of what they differentiate.
OUTER = 1e-8


def free(x, v, t):
    return np.sum(v * v, -1) / 2


def kepler(x, v, t):
    return np.sum(v * v, -1) / 2 + 1 / np.sqrt(np.sum(x * x, -1))


def damped(x, v, t):
    return np.exp(0.6 * t) * (v * v - 4 * x * x)[..., 0] / 2


def bessel(x, v, t):
    return t * (v * v - (1 - 1 / t**2) * x * x)[..., 0] / 2


def swirl(x, v, t):
    return -0.2 * v - x + 0.3 * np.stack([-v[..., 1], v[..., 0]], -1)


def moved(lagrangian, chart, q, qdot, t=0.0):
    return euler_lagrange(pullback(lagrangian, chart), q, qdot, t)


# Closed forms by hand or by sympy; the eigenvalues from the matrices by hand or by numpy.
ROWS = {
    "Kepler, polar": (
        lambda: moved(kepler, CHARTS["polar"], [1.3, 0.7], [0.4, -0.9]),
        [1.3 * 0.81 - 1 / 1.69, 2 * 0.4 * 0.9 / 1.3],
    ),
    "Kepler, parabolic": (
        lambda: moved(kepler, CHARTS["parabolic"], [0.8, 0.6], [0.4, -0.9]),
        [0.552, -0.114],
    ),
    "free, spherical": (
        lambda: moved(free, CHARTS["spherical"], [1.2, 0.7, 0.3], [0.4, -0.9, 0.5]),
        [1.0965049286, 0.7231812162, 0.7351843156],
    ),
    "pendulum on a sphere": (
        lambda: moved(
            lambda x, v, t: np.sum(v * v, -1) / 2 - x[..., 2],
            CHARTS["sphere"],
            [2, 0.3],
            [0.4, 0.9],
        ),
        [0.6027924162, 0.3295134391],
    ),
    "free, rotating": (
        lambda: moved(free, rotating_chart(0.5), [1.3, 0.7], [0.4, -0.9], 2),
        [-0.575, -0.225],
    ),
    "damped": (lambda: euler_lagrange(damped, [0.7], [0.4], 1.5), [-3.04]),
    "damping transformed away": (
        lambda: moved(damped, lambda q, t: np.exp(-0.3 * t) * q, [0.7], [0.4], 1.5),
        [-2.737],
    ),
    "Bessel": (
        lambda: moved(bessel, lambda q, t: q / np.sqrt(t), [1], [0.3], 2),
        [-0.8125],
    ),
    "doubled": (
        lambda: euler_lagrange(
            pullback(doubled_lagrangian(swirl), CHARTS["polar"], passive=2),
            [1.3, 0.7, 0.4, -0.3],
            [0.4, -0.9, 0.2, 1.1],
        )[:2],
        [0.024, 0.8261538462],
    ),
    "metric": (lambda: metric(CHARTS["elliptic"], [0.8, 0.6]), 1.1075533584 * np.eye(2)),
    "Christoffel, shear": (
        lambda: christoffel(CHARTS["shear"], [0.8, 0.6]),
        [[[0, 0], [0, 1]], [[0, 0], [0, 0]]],
    ),
    "Christoffel, sphere": (
        lambda: christoffel(CHARTS["sphere"], [1.1, 0.4]),
        [[[0, 0], [0, -0.4042482019]], [[0, 0.5089681052], [0.5089681052, 0]]],
    ),
    "Laplacian, polar": (
        lambda: laplacian(
            CHARTS["polar"], lambda q: q[..., 0] ** 3 * np.cos(2 * q[..., 1]), [1.3, 0.7]
        ),
        5 * 1.3 * math.cos(1.4),
    ),
    "Laplacian, sphere": (
        lambda: laplacian(
            CHARTS["sphere"], lambda q: np.sin(q[..., 0]) ** 2 * np.cos(2 * q[..., 1]), [1.3, 0.7]
        ),
        -6 * math.sin(1.3) ** 2 * math.cos(1.4),
    ),
    "Laplacian, shear": (
        lambda: laplacian(
            CHARTS["shear"], lambda q: np.exp(q[..., 0]) * np.sin(q[..., 1]), [0.4, 0.6]
        ),
        -2.0166097208,
    ),
    "Laplacian, elliptic": (
        lambda: laplacian(
            CHARTS["elliptic"], lambda q: q[..., 0] ** 2 + q[..., 1] ** 3, [0.9, 0.6]
        ),
        5.6 / (math.sinh(0.9) ** 2 + math.sin(0.6) ** 2),
    ),
    "disc of two rings": (lambda: disc_eigenvalues(0, 2, 2), [16 / 3, 16]),
    "disc of 40 rings": (
        lambda: disc_eigenvalues(2, 40, 3),
        [26.3652351494, 70.7161011208, 134.4192214813],
    ),
    "disc, extrapolated": (
        lambda: (4 * disc_eigenvalues(0, 160) - disc_eigenvalues(0, 80)) / 3,
        [5.78318596231, 30.471261935, 74.887000101],
    ),
}


@pytest.mark.verifies("eq-coordinate-change-polar", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-rotating", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-damping", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-doubled", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-polar-laplacian", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-geodesic", by="library")
@pytest.mark.parametrize(("value", "expected"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected):
    assert_allclose(value(), expected, rtol=0, atol=OUTER)


def accelerations(name, q, qdot, qddot):
    """Return J and x'' of a curve in a chart, by differences of the chart along a parabola."""
    h, chart = 1e-3, CHARTS[name]
    q, qdot, qddot = map(np.asarray, (q, qdot, qddot))

    def along(e):
        return chart(q + e * qdot + e * e / 2 * qddot)

    second = (-along(2 * h) + 16 * along(h) - 30 * along(0) + 16 * along(-h) - along(-2 * h)) / (
        12 * h * h
    )
    J = np.stack(
        [
            (chart(q - 2 * d) - 8 * chart(q - d) + 8 * chart(q + d) - chart(q + 2 * d)) / (12 * h)
            for d in h * np.eye(len(q))
        ],
        axis=-1,
    )
    return J, second


@pytest.mark.verifies("eq-coordinate-change-chore", by="property")
@pytest.mark.verifies("eq-coordinate-change-geodesic", by="property")
@pytest.mark.parametrize("name", [*PLANE, "spherical", "sphere"])
def test_christoffel_off_shell(name):
    rng = np.random.default_rng(3)
    n = 3 if name == "spherical" else 2
    q, qdot, qddot = rng.uniform(0.4, 1.1, (3, n))
    J, acceleration = accelerations(name, q, qdot, qddot)
    gamma = christoffel(CHARTS[name], q)
    left = metric(CHARTS[name], q) @ (qddot + np.einsum("kij,i,j->k", gamma, qdot, qdot))
    # Rounding of 1e-16 / h^2 in the second difference.
    assert_allclose(left, J.T @ acceleration, rtol=0, atol=1e-8)
    assert_allclose(gamma, np.swapaxes(gamma, -1, -2), rtol=0, atol=1e-11)
    # Free motion is the same statement, from the Lagrangian.
    expected = -np.einsum("kij,i,j->k", gamma, qdot, qdot)
    assert_allclose(moved(free, CHARTS[name], q, qdot), expected, rtol=0, atol=OUTER)


@pytest.mark.parametrize("name", [*PLANE, "sphere"])
def test_trace_of_christoffel_is_the_slope_of_the_volume(name):
    q, h = np.array([0.7, 0.9]), 1e-4
    trace = np.einsum("kki->i", christoffel(CHARTS[name], q))

    def log_volume(q):
        return np.log(np.linalg.det(metric(CHARTS[name], q))) / 2

    slopes = [(log_volume(q + d) - log_volume(q - d)) / (2 * h) for d in h * np.eye(2)]
    assert_allclose(trace, slopes, rtol=0, atol=1e-7)


def symbolic(name):
    """Return q(t) and the place of a chart, for sympy."""
    t, omega = sympy.symbols("t omega")
    a, b = sympy.Function("a")(t), sympy.Function("b")(t)
    place = {
        "polar": (a * sympy.cos(b), a * sympy.sin(b)),
        "parabolic": (a**2 - b**2, 2 * a * b),
        "rotating": (
            sympy.cos(omega * t) * a - sympy.sin(omega * t) * b,
            sympy.sin(omega * t) * a + sympy.cos(omega * t) * b,
        ),
    }[name]
    return t, (a, b), place


@pytest.mark.verifies("eq-coordinate-change-covector", by="library")
@pytest.mark.parametrize("name", ["polar", "parabolic", "rotating"])
def test_euler_expression_is_a_covector_off_shell(name):
    t, q, place = symbolic(name)
    x, y = sympy.Function("x")(t), sympy.Function("y")(t)

    def expression(L, q):
        return sympy.diff(L.diff(q.diff(t)), t) - L.diff(q)

    # A potential and a velocity-dependent force.
    L = (x.diff(t) ** 2 + y.diff(t) ** 2) / 2 - x**2 * y + x * y.diff(t)
    old = [expression(L, z).subs({x: place[0], y: place[1]}).doit() for z in (x, y)]
    moved = L.subs({x: place[0], y: place[1]}).doit()
    for z in q:
        pulled = sum(p.diff(z) * e for p, e in zip(place, old, strict=True))
        assert sympy.simplify(sympy.expand_trig(expression(moved, z) - pulled)) == 0


@pytest.mark.verifies("eq-coordinate-change-covector", by="property")
def test_two_charts_tell_one_motion():
    # The acceleration of the place, from polar and from parabolic coordinates.
    place, speed = np.array([0.28, 0.96]), np.array([0.3, -0.5])
    expected = -place  # Kepler at distance 1
    for name, q in (
        ("polar", [1.0, math.atan2(0.96, 0.28)]),
        ("parabolic", [0.8, 0.6]),
    ):
        J, _ = accelerations(name, q, [0, 0], [0, 0])
        qdot = np.linalg.solve(J, speed)
        qddot = moved(kepler, CHARTS[name], q, qdot)
        assert_allclose(accelerations(name, q, qdot, qddot)[1], expected, rtol=0, atol=1e-7)


def test_total_derivatives_and_factors_do_not_matter():
    def other(q, v, t):
        # Three times Kepler, plus d/dt of x^2 y + t x.
        x, y = q[..., 0], q[..., 1]
        slope = 2 * x * y * v[..., 0] + x * x * v[..., 1] + x + t * v[..., 0]
        return 3 * kepler(q, v, t) + slope

    q, qdot = [0.6, -0.7], [0.2, 0.5]
    assert_allclose(
        euler_lagrange(other, q, qdot, 1.3), euler_lagrange(kepler, q, qdot), atol=OUTER
    )


@pytest.mark.verifies("eq-coordinate-change-rotating", by="property")
@given(st.floats(-2, 2), *[st.floats(-1, 1)] * 4)
@settings(max_examples=20, deadline=None)
def test_rotating_frame(omega, x, y, vx, vy):
    found = moved(free, rotating_chart(omega), [x, y], [vx, vy], 0.7)
    expected = [omega**2 * x + 2 * omega * vy, omega**2 * y - 2 * omega * vx]
    assert_allclose(found, expected, rtol=0, atol=OUTER)


@pytest.mark.verifies("eq-coordinate-change-conserved", by="property")
def test_missing_angle_is_a_conserved_momentum():
    # d/dt (r^2 theta') = 0 along the flow, off by the accuracy of the accelerations.
    r, rdot, rate = 1.3, 0.4, -0.9
    q = moved(kepler, CHARTS["polar"], [r, 0.7], [rdot, rate])
    assert_allclose(2 * r * rdot * rate + r**2 * q[1], 0, atol=OUTER)


@pytest.mark.verifies("eq-coordinate-change-damping", by="property")
@given(st.floats(0.3, 3), st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=15, deadline=None)
def test_first_derivatives_can_be_removed(t, y, ydot):
    # x'' + p x' + q x = 0 with p = 1 / t: q - p^2 / 4 - p' / 2 = q + 1 / (4 t^2).
    found = moved(bessel, lambda q, t: q / np.sqrt(t), [y], [ydot], t)
    assert_allclose(found, [-(1 - 1 / t**2 + 1 / (4 * t**2)) * y], rtol=0, atol=1e-7)


def test_general_charts_accept_stacks():
    q, qdot = np.random.default_rng(0).uniform(0.4, 1.2, (2, 4, 3, 2))
    found = moved(kepler, CHARTS["elliptic"], q, qdot)
    single = moved(kepler, CHARTS["elliptic"], q[1, 2], qdot[1, 2])
    assert found.shape == (4, 3, 2)
    # Another step, since the step follows the largest velocity.
    assert_allclose(found[1, 2], single, rtol=0, atol=OUTER)
    assert christoffel(CHARTS["sphere"], q).shape == (4, 3, 2, 2, 2)
    assert metric(CHARTS["sphere"], q).shape == (4, 3, 2, 2)
    assert laplacian(CHARTS["polar"], lambda q: q[..., 0] ** 2, q).shape == (4, 3)


@pytest.mark.verifies("eq-coordinate-change-laplacian", by="property")
@pytest.mark.parametrize("name", PLANE)
def test_harmonic_functions(name):
    for power in (1, 2, 3):

        def harmonic(q, power=power):
            x = CHARTS[name](q)
            real, imaginary = 1.0, 0.0
            for _ in range(power):
                real, imaginary = (
                    real * x[..., 0] - imaginary * x[..., 1],
                    real * x[..., 1] + imaginary * x[..., 0],
                )
            return real

        assert_allclose(laplacian(CHARTS[name], harmonic, [0.7, 0.5]), 0, atol=1e-8)
    square = laplacian(CHARTS[name], lambda q: np.sum(CHARTS[name](q) ** 2, -1), [0.7, 0.5])
    assert_allclose(square, 4, rtol=0, atol=1e-8)
    assert laplacian(CHARTS[name], lambda q: 1 + 0 * q[..., 0], [0.7, 0.5]) == 0


@pytest.mark.verifies("eq-coordinate-change-laplacian", by="library")
def test_laplacian_of_a_shear_by_sympy():
    u, v, x, y = sympy.symbols("u v x y")
    f = sympy.exp(u) * sympy.sin(v)
    flat = f.subs({u: x - y**2 / 2, v: y}, simultaneous=True)
    exact = (flat.diff(x, 2) + flat.diff(y, 2)).subs({x: 0.4 + 0.18, y: 0.6})
    found = laplacian(CHARTS["shear"], lambda q: np.exp(q[..., 0]) * np.sin(q[..., 1]), [0.4, 0.6])
    assert_allclose(found, float(exact), rtol=1e-9)


@pytest.mark.verifies("eq-coordinate-change-orthogonal", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-spherical", by="closed form")
def test_spherical_laplacian_has_no_square():
    def f(q):
        r, a, b = q[..., 0], q[..., 1], q[..., 2]
        return r**2 * np.sin(a) ** 3 * np.cos(b)

    r, a, b = 1.2, 0.7, 0.3
    found = laplacian(CHARTS["spherical"], f, [r, a, b])
    # By hand from h = (1, r, r sin a): radial 6 s^3, polar 9 s c^2 - 3 s^3, azimuth -s.
    s, c = math.sin(a), math.cos(a)
    by_hand = math.cos(b) * (6 * s**3 + 9 * s * c**2 - 3 * s**3 - s)
    assert_allclose(found, by_hand, rtol=1e-9)
    # 1 / r is harmonic. Squaring d(sin a du/da)/da, as the post prints, spoils even r cos a,
    # which is harmonic: 2 cos a / r becomes balanced no more.
    harmonic = laplacian(CHARTS["spherical"], lambda q: 1 / q[..., 0], [r, a, b])
    assert_allclose(harmonic, 0, atol=1e-9)
    plane = laplacian(CHARTS["spherical"], lambda q: q[..., 0] * np.cos(q[..., 1]), [r, a, b])
    assert_allclose(plane, 0, atol=1e-9)
    inner = -2 * r * s * c  # d(sin a d(r cos a)/da)/da
    right, printed = inner / (r**2 * s), inner**2 / (r**2 * s)
    assert_allclose(2 * c / r + right, 0, atol=1e-14)
    assert abs(2 * c / r + printed) > 1


def test_biharmonic_is_not_the_laplacian():
    def inner(q):
        return q[..., 0] ** 2

    once = laplacian(CHARTS["polar"], inner, [1.3, 0.7])
    twice = laplacian(CHARTS["polar"], lambda q: 4 + 0 * q[..., 0], [1.3, 0.7])
    assert_allclose([once, twice], [4, 0], atol=1e-9)


@pytest.mark.verifies("eq-coordinate-change-conformal", by="property")
@pytest.mark.parametrize("name", ["log_polar", "parabolic", "elliptic"])
def test_conformal_charts_have_no_first_derivatives(name):
    q = np.array([0.7, 0.5])
    g = metric(CHARTS[name], q)
    assert_allclose(g, g[0, 0] * np.eye(2), rtol=0, atol=1e-14)

    def f(q):
        return np.exp(q[..., 0]) * np.cos(2 * q[..., 1]) + q[..., 0] ** 3

    flat = -3 * math.exp(0.7) * math.cos(1.0) + 6 * 0.7
    assert_allclose(laplacian(CHARTS[name], f, q) * g[0, 0], flat, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-coordinate-change-disc", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-disc", by="library")
@pytest.mark.parametrize("m", [0, 1, 2, 5])
def test_disc_converges_to_bessel(m):
    exact = jn_zeros(m, 3) ** 2
    errors = np.array([exact - disc_eigenvalues(m, n) for n in (40, 80, 160)])
    # From below and of second order; the third error term is 1e-3 of the first.
    assert np.all(errors > 0)
    assert_allclose(errors[:-1] / errors[1:], 4, rtol=0.01)
    assert_allclose(disc_eigenvalues(m, 80, radius=2.5) * 2.5**2, exact - errors[1], rtol=1e-12)


def test_disc_eigenvalues_interlace():
    values = [disc_eigenvalues(m, 50, 4) for m in range(4)]
    for lower, upper in itertools.pairwise(values):
        assert np.all(lower < upper)
        assert np.all(upper[:-1] < lower[1:])


# The Kepler equation solved by mpmath at 30 digits.
ORBITS = [
    (
        ([1, 0], [0, 0.5], [1, 5], 1.0),
        [0.885492673323, 2.962488488114],
        [[0.568793564814, 0.366408118877], [0.968945769519, 0.122903236133]],
    ),
    (([1, 2], [0.3, 1.2], [2], 3.0), [8.535848934962], [[0.811055201601, 4.840129300928]]),
    (
        ([1, 0], [0, 0], [math.pi / math.sqrt(2), math.pi * math.sqrt(2)], 1.0),
        [1.110720734540, 2.221441469079],
        [[0, 0], [1, 0]],
    ),
]


@pytest.mark.verifies("eq-coordinate-change-oscillator", by="closed form")
@pytest.mark.verifies("eq-coordinate-change-fictitious", by="closed form")
@pytest.mark.parametrize(("arguments", "times", "places"), ORBITS)
def test_orbits(arguments, times, places):
    t, x = levi_civita_kepler(*arguments)
    assert_allclose(t, times, rtol=0, atol=1e-11)
    assert_allclose(x, places, rtol=0, atol=1e-11)


def kepler_rate(_, y):
    return np.concatenate([y[2:], -y[:2] / np.hypot(*y[:2]) ** 3])


@pytest.mark.verifies("eq-coordinate-change-oscillator", by="library")
@pytest.mark.parametrize("speed", [0.7, 1.1, math.sqrt(2), 1.9])
def test_orbits_agree_with_an_integrator(speed):
    s = np.linspace(0, 4, 9)
    t, x = levi_civita_kepler([1, 0], [0.2, speed], s)
    y = [1, 0, 0.2, speed]
    for before, after, place in zip(t, t[1:], x[1:], strict=False):
        found = solve_ivp(kepler_rate, (before, after), y, method="DOP853", rtol=1e-12, atol=1e-13)
        y = found.y[:, -1]
        # Two figures are lost on the way past the centre.
        assert_allclose(place, y[:2], rtol=0, atol=1e-9)
    assert np.all(np.diff(t) > 0)


@pytest.mark.verifies("eq-coordinate-change-fictitious", by="property")
@given(st.floats(0.3, 1.3), st.floats(-1, 1), st.floats(0.2, 1.2))
@settings(max_examples=25)
def test_time_runs_with_the_distance(speed, radial, s):
    h = 1e-4
    t, x = levi_civita_kepler([1, 0.3], [radial, speed], np.array([s - h, s, s + h]))
    r = np.linalg.norm(x[1])
    assert_allclose((t[2] - t[0]) / (2 * h), r, rtol=0, atol=1e-6)
    # Energy and angular momentum, by differences.
    v = (x[2] - x[0]) / (t[2] - t[0])
    energy = v @ v / 2 - 1 / r
    expected = (speed**2 + radial**2) / 2 - 1 / math.hypot(1, 0.3)
    if r > 0.2:
        assert_allclose(energy, expected, rtol=0, atol=1e-4)
        assert_allclose(x[1, 0] * v[1] - x[1, 1] * v[0], speed - 0.3 * radial, atol=1e-5)


def test_orbit_symmetries():
    forward = levi_civita_kepler([1, 0.2], [0.1, 0.8], [0.0, 1.0, 2.0])
    backward = levi_civita_kepler([1, 0.2], [-0.1, -0.8], [0.0, -1.0, -2.0])
    assert_allclose(backward[0], -forward[0], rtol=1e-14)
    assert_allclose(backward[1], forward[1], rtol=1e-14)
    # A full turn: s = 2 pi sqrt(a / mu) takes 2 pi sqrt(a^3 / mu).
    mu, speed = 2.0, 0.8
    a = mu / (2 * mu - speed**2)
    turn = 2 * math.pi * math.sqrt(a / mu)
    t, x = levi_civita_kepler([1, 0], [0, speed], [turn], mu)
    assert_allclose(t, a * turn, rtol=1e-13)
    assert_allclose(x, [[1, 0]], rtol=0, atol=1e-13)
    # Continuous through zero energy, and where the series takes over.
    escape = math.sqrt(2)
    results = [
        np.concatenate([np.ravel(y) for y in levi_civita_kepler([1, 0], [0, escape + d], [1.5])])
        for d in (-1e-9, 0, 1e-9)
    ]
    assert_allclose(results[0], results[1], rtol=0, atol=1e-8)
    assert_allclose(results[2], results[1], rtol=0, atol=1e-8)


def runge_kutta(rate, y, step, n):
    for _ in range(n):
        a = rate(y)
        b = rate(y + step / 2 * a)
        c = rate(y + step / 2 * b)
        y = y + step / 6 * (a + 2 * b + 2 * c + rate(y + step * c))
    return y


def oscillator_rate(y):
    w, w1 = y[:2], y[2:4]
    return np.concatenate([w1, -w / 4, [w @ w]])


@pytest.mark.parametrize("e", [0.0, 0.6, 0.9, 0.99, 0.999])
def test_same_steps_in_other_coordinates(e):
    a = 1 + e
    start = np.array([math.sqrt(a), 0, 0, math.sqrt(1 - e) / 2, 0])
    end = runge_kutta(oscillator_rate, start, 2 * math.pi / 400, 400)
    w = complex(*end[:2])
    assert abs(w * w - a) < 1e-9
    assert abs(end[4] - 2 * math.pi) < 1e-8
    if e == 0.9:
        y = np.array([a, 0, 0, math.sqrt((1 - e) / (1 + e))])
        end = runge_kutta(lambda y: kepler_rate(0, y), y, 2 * math.pi / 400, 400)
        assert abs(np.linalg.norm(end[:2] - [a, 0]) - 7.1e-2) < 1e-3
    if e in (0.9, 0.99):  # the clock alone, dt = r ds
        y = np.array([a, 0, 0, math.sqrt((1 - e) / (1 + e))])
        end = runge_kutta(lambda y: np.hypot(*y[:2]) * kepler_rate(0, y), y, 2 * math.pi / 400, 400)
        error = np.linalg.norm(end[:2] - [a, 0])
        assert_allclose(error, {0.9: 1.6e-6, 0.99: 3.2e-3}[e], rtol=0.05)


@pytest.mark.verifies("eq-coordinate-change-duality", by="closed form")
@pytest.mark.parametrize("p", [2, 3, sympy.Rational(1, 2)])
def test_dual_force_laws(p):
    # rho V is constant and rho is the new potential, rho = p^2 |w|^(2 p - 2).
    size = sympy.symbols("w", positive=True)
    alpha, beta = -2 * (p - 1) / sympy.Integer(1) / p, 2 * (p - 1)
    rho = p**2 * size ** (2 * p - 2)
    assert sympy.simplify((rho * (size**p) ** alpha).diff(size)) == 0
    assert sympy.simplify(rho / size**beta).diff(size) == 0
    assert sympy.simplify((alpha + 2) * (beta + 2)) == 4


def test_numbers_quoted_in_the_chapter():
    # Exercise: the radial Laplacian in d dimensions after u = r^(-(d - 1) / 2) y.
    r, d = sympy.symbols("r d", positive=True)
    y = sympy.Function("y")(r)
    u = r ** (-(d - 1) / 2) * y
    left = u.diff(r, 2) + (d - 1) / r * u.diff(r)
    right = r ** (-(d - 1) / 2) * (y.diff(r, 2) - (d - 1) * (d - 3) / (4 * r**2) * y)
    assert sympy.simplify(left - right) == 0
    with mpmath.workdps(20):
        assert_allclose(float(mpmath.besseljzero(0, 1)) ** 2, 5.78318596295, atol=5e-12)
    # Routh's function gives the right sign, the consequence put into L the wrong one.
    momentum, mu, radius = 0.8, 1.0, 1.3

    def routh(q, v, t):
        return v[..., 0] ** 2 / 2 - momentum**2 / (2 * q[..., 0] ** 2) + mu / q[..., 0]

    right = euler_lagrange(routh, [radius], [0.2])[0]
    assert_allclose(right, momentum**2 / radius**3 - mu / radius**2, atol=OUTER)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rotating_chart(math.nan), "`omega` must be finite, got nan"),
        (lambda: pullback(free, CHARTS["polar"], passive=-1), "`passive` must be an integer.*-1"),
        (lambda: pullback(free, CHARTS["polar"], h=0), "`h` must be positive and finite, got 0"),
        (
            lambda: euler_lagrange(free, [1, 2], [1]),
            r"`qdot` must have the shape of `q`, \(2,\), got \(1,\)",
        ),
        (lambda: euler_lagrange(free, [math.inf], [1]), "`q` must be finite, got inf"),
        (
            lambda: euler_lagrange(lambda q, v, t: q[..., 0] * v[..., 1], [1, 2], [1, 2]),
            "`lagrangian` must have a regular second derivative",
        ),
        (lambda: metric(CHARTS["polar"], [1, math.nan]), "`q` must be finite, got nan"),
        (lambda: christoffel(CHARTS["polar"], [0, 1]), "`q` must keep away from points"),
        (
            lambda: laplacian(CHARTS["polar"], lambda q: q[..., 0], [0.002, 1]),
            "`q` must keep away from points",
        ),
        (lambda: disc_eigenvalues(-1, 10), "`m` must be an integer of at least 0, got -1"),
        (lambda: disc_eigenvalues(0, 1), "`n_cells` must be an integer of at least 2, got 1"),
        (lambda: disc_eigenvalues(0, 5, 6), "`k` must be an integer from 1 to 5, got 6"),
        (lambda: disc_eigenvalues(0.0, 5), "`m` must be an integer of at least 0, got 0.0"),
        (lambda: disc_eigenvalues(0, 5, 3, 0), "`radius` must be positive and finite, got 0"),
        (lambda: levi_civita_kepler([0, 0], [1, 0], [1]), "`x0` must not be the centre"),
        (lambda: levi_civita_kepler([1], [1, 0], [1]), r"`x0` must have shape \(2,\), got \(1,\)"),
        (lambda: levi_civita_kepler([1, 0], [1, 0], 1), r"`s` must have one axis, got shape \(\)"),
        (lambda: levi_civita_kepler([1, 0], [1, 0], [1], 0), "`mu` must be positive.*got 0"),
        (lambda: levi_civita_kepler([1, 0], [1, math.nan], [1]), "`v0` must be finite, got nan"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
