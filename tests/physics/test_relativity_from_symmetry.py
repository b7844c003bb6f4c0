"""Facts that the chapter on mechanics from one symmetry claims."""

import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Chebyshev
from numpy.testing import assert_allclose
from scipy.linalg import expm

from scispaces.physics.relativity_from_symmetry import (
    boost_charge,
    boost_matrix,
    determining_series,
    lagrangian,
    momentum_energy,
    prolong_boost,
    proper_acceleration,
    velocity_addition,
)

ANY = st.floats(-3, 3).map(lambda value: round(value, 3))
SLOW = st.floats(-0.95, 0.95)  # below the invariant speed for every kappa up to 1
KAPPA = st.floats(-1, 1)
PAIR = (st.floats(-2, 2), st.floats(-2, 2))

# By hand where the numbers are short; the boosts from mpmath, the series from sympy.
ROWS = {
    "prolongation": (lambda: prolong_boost(2, 3, 0.5, 0.4), [3, 2, 0.75, -0.6], 1e-14),
    "prolongation, kappa 1/4": (
        lambda: prolong_boost(2, 3, 0.5, 0.4, kappa=0.25),
        [0.75, 2, 0.9375, -0.15],
        1e-14,
    ),
    "series": (
        lambda: determining_series(6),
        [1, -1 / 2, -1 / 8, -1 / 16, -5 / 128, -7 / 256],
        1e-15,
    ),
    "boost": (
        lambda: boost_matrix(1.0),
        [[1.5430806348, 1.1752011936], [1.1752011936, 1.5430806348]],
        1e-10,
    ),
    "boost, kappa 1.3": (
        lambda: boost_matrix(0.7, 1.3),
        [[1.33577015, 1.00973583], [0.77671987, 1.33577015]],
        1e-8,
    ),
    "quarter turn": (lambda: boost_matrix(math.pi / 2, -1.0), [[0, -1], [1, 0]], 1e-15),
    "shear": (lambda: boost_matrix(2.0, 0.0), [[1, 0], [2, 1]], 0),
    "0.9 and 0.9": (lambda: velocity_addition(0.9, 0.9), 1.8 / 1.81, 1e-15),
    "tangents": (lambda: velocity_addition(0.5, 0.5, -1.0), 4 / 3, 1e-15),
    "lagrangian": (lambda: lagrangian(0.6), 0.2, 1e-15),
    "p and T": (lambda: momentum_energy(0.6), [0.75, 0.25], 1e-15),
    "p and T, mass 2": (lambda: momentum_energy(0.8, mass=2), [8 / 3, 4 / 3], 1e-14),
    "proper acceleration": (lambda: proper_acceleration(0.6, 0.256), 0.5, 1e-15),
    "charge": (lambda: boost_charge(2, 1, 0.6), 0.25, 1e-15),
}


@pytest.mark.verifies("eq-relativity-from-symmetry-series", by="closed form")
@pytest.mark.verifies("eq-relativity-from-symmetry-momentum", by="closed form")
@pytest.mark.verifies("eq-relativity-from-symmetry-prolongation", by="closed form")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-relativity-from-symmetry-boost", by="library")
@given(ANY, KAPPA)
def test_boost_agrees_with_the_matrix_exponential(eta, kappa):
    expected = expm(eta * np.array([[0, kappa], [1, 0]]))
    # expm itself errs by 6e-14 at eta = 3.
    assert_allclose(boost_matrix(eta, kappa), expected, rtol=2e-13, atol=1e-13)


@pytest.mark.verifies("eq-relativity-from-symmetry-boost", by="property")
@given(*PAIR, KAPPA)
def test_boosts_form_a_group(s, t, kappa):
    both = boost_matrix(s, kappa) @ boost_matrix(t, kappa)
    assert_allclose(both, boost_matrix(s + t, kappa), rtol=0, atol=1e-12)
    assert_allclose(np.linalg.det(both), 1, rtol=1e-12)
    assert_allclose(boost_matrix(s, kappa) @ boost_matrix(-s, kappa), np.eye(2), atol=1e-13)


def test_boosts_are_smooth_through_newton():
    # Nine digits on either side of kappa = 0, and the two formulas meet where the series ends.
    for kappa in (1e-9, -1e-9):
        assert_allclose(boost_matrix(1.5, kappa), boost_matrix(1.5, 0.0), rtol=0, atol=3e-9)
    below, above = boost_matrix(1.0, np.array([0.999999e-6, 1.000001e-6]))
    assert_allclose(below, above, rtol=0, atol=3e-12)
    assert boost_matrix([0.1, 0.2, 0.3], [[1.0], [0.0]]).shape == (2, 3, 2, 2)


@pytest.mark.verifies("eq-relativity-from-symmetry-interval", by="property")
@given(*PAIR, ANY, KAPPA)
def test_interval_is_the_same_for_all(t, x, eta, kappa):
    T, X = boost_matrix(eta, kappa) @ [t, x]
    # Squares up to 2000 cancel.
    assert_allclose(T**2 - kappa * X**2, t**2 - kappa * x**2, rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-relativity-from-symmetry-addition", by="library")
@given(SLOW, SLOW)
def test_rapidities_add(u, v):
    # Near speed 1 artanh magnifies roundings four hundred times.
    total = velocity_addition(u, v)
    assert_allclose(np.arctanh(total), np.arctanh(u) + np.arctanh(v), rtol=0, atol=1e-12)
    if abs(np.arctan(u) + np.arctan(v)) < 1.5:
        angle = np.arctan(velocity_addition(u, v, -1.0))
        assert_allclose(angle, np.arctan(u) + np.arctan(v), rtol=0, atol=1e-14)
    assert velocity_addition(u, v, 0.0) == u + v


@pytest.mark.verifies("eq-relativity-from-symmetry-addition", by="property")
@given(SLOW, SLOW, st.floats(0, 1))
def test_addition_is_what_two_boosts_do(u, v, kappa):
    def boost_to(speed):
        eta = speed if kappa < 1e-9 else np.arctanh(speed * kappa**0.5) / kappa**0.5
        return boost_matrix(eta, kappa)

    t, x = boost_to(u) @ boost_to(v) @ [1, 0]
    assert_allclose(velocity_addition(u, v, kappa), x / t, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-relativity-from-symmetry-flow", by="closed form")
@pytest.mark.parametrize("kappa", [1.0, 0.25, 0.0, -0.5])
def test_velocity_flows(kappa):
    eta = np.linspace(-1.4, 1.4, 29)
    boosted = boost_matrix(eta, kappa) @ [1, 0]
    v = boosted[:, 1] / boosted[:, 0]
    root = np.emath.sqrt(kappa)
    closed = np.real(np.tanh(root * eta) / root) if kappa else eta
    assert_allclose(v, closed, rtol=0, atol=1e-12)
    h = 1e-5
    ahead, behind = boost_matrix(eta + h, kappa) @ [1, 0], boost_matrix(eta - h, kappa) @ [1, 0]
    slope = (ahead[:, 1] / ahead[:, 0] - behind[:, 1] / behind[:, 0]) / (2 * h)
    rate = prolong_boost(0, 0, v, 0, kappa)[:, 2]
    # h^2 times a third derivative of up to 300, and 1e-16 / h.
    assert_allclose(slope, rate, rtol=1e-7)
    if kappa > 0:
        assert prolong_boost(0, 0, kappa**-0.5, 0, kappa)[2] == pytest.approx(0, abs=1e-15)


def boosted_curve(eta, kappa, t0):
    """Return t, x, v and a of the boosted curve ``x = sin t``, by fitting a polynomial."""
    t = t0 + 0.02 * np.cos(np.pi * (np.arange(12) + 0.5) / 12)
    T, X = boost_matrix(eta, kappa) @ np.stack([t, np.sin(t)])
    at = (boost_matrix(eta, kappa) @ [t0, np.sin(t0)])[0]
    fit = Chebyshev.fit(T, X, 8)
    return np.array([at, fit(at), fit.deriv()(at), fit.deriv(2)(at)])


@pytest.mark.verifies("eq-relativity-from-symmetry-prolongation", by="property")
@pytest.mark.parametrize("kappa", [1.0, 0.3, 0.0, -0.7])
def test_prolongation_is_what_a_boost_does_to_a_curve(kappa):
    h, t0 = 1e-4, 0.9
    found = (boosted_curve(h, kappa, t0) - boosted_curve(-h, kappa, t0)) / (2 * h)
    jet = (t0, np.sin(t0), np.cos(t0), -np.sin(t0))
    # The second derivative of the fit is good to 1e-11, which h divides.
    assert_allclose(found, prolong_boost(*jet, kappa), rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-relativity-from-symmetry-prolongation", by="library")
def test_prolongation_by_sympy():
    t, kappa = sympy.symbols("t kappa")
    x = sympy.Function("x")(t)
    tau, xi, v = kappa * x, t, x.diff(t)
    first = sympy.diff(xi, t) - v * sympy.diff(tau, t)
    second = sympy.diff(first, t) - x.diff(t, 2) * sympy.diff(tau, t)
    values = {t: 0.3, x: 0.7, x.diff(t): -0.4, x.diff(t, 2): 1.1, kappa: 0.6}
    found = [
        float(e.expand().subs({x.diff(t, 2): 1.1}).subs({x.diff(t): -0.4}).subs(values))
        for e in (first, second)
    ]
    assert_allclose(prolong_boost(0.3, 0.7, -0.4, 1.1, 0.6)[2:], found, rtol=1e-14)


@pytest.mark.verifies("eq-relativity-from-symmetry-determining", by="library")
@pytest.mark.verifies("eq-relativity-from-symmetry-lagrangian", by="library")
def test_sympy_solves_the_determining_equation():
    v, kappa = sympy.symbols("v kappa", positive=True)
    L = sympy.Function("L")
    equation = (1 - kappa * v**2) * L(v).diff(v) + kappa * v * L(v)
    found = sympy.dsolve(equation, L(v)).rhs
    ratio = sympy.simplify(found.diff(v) / found + kappa * v / (1 - kappa * v**2))
    assert ratio == 0
    # The module's own Lagrangian differs from C sqrt(1 - kappa v^2) by a constant only.
    speeds = np.linspace(-0.9, 0.9, 19)
    root = np.sqrt(1 - 0.8 * speeds**2)
    assert_allclose(lagrangian(speeds, 3.0, 0.8), 3 / 0.8 * (1 - root), rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-relativity-from-symmetry-series", by="library")
@pytest.mark.parametrize("kappa", [1.0, 0.3, -2.0])
def test_series_is_that_of_the_root(kappa):
    with mpmath.workdps(30):
        taylor = mpmath.taylor(lambda u: mpmath.sqrt(1 - kappa * u), 0, 9)
    # kappa itself is rounded the same way in both.
    assert_allclose(determining_series(10, kappa), [float(c) for c in taylor], rtol=1e-12)
    assert_allclose(determining_series(1, kappa), [1])


@pytest.mark.verifies("eq-relativity-from-symmetry-defect", by="property")
@pytest.mark.verifies("eq-relativity-from-symmetry-regular", by="property")
@given(SLOW, st.floats(0.1, 10), KAPPA)
def test_defect_is_the_momentum_of_newton(v, mass, kappa):
    # Central differences of a function of size 10 with h = 1e-5: h^2 times a third derivative
    # of up to 1e3 (the root is small at 0.95), and 1e-15 / h.
    h = 1e-5
    slope = (lagrangian(v + h, mass, kappa) - lagrangian(v - h, mass, kappa)) / (2 * h)
    left = (1 - kappa * v**2) * slope + kappa * v * lagrangian(v, mass, kappa)
    assert_allclose(left, mass * v, rtol=0, atol=1e-6)
    assert_allclose(slope, momentum_energy(v, mass, kappa)[0], rtol=0, atol=1e-5)


@pytest.mark.verifies("eq-relativity-from-symmetry-regular", by="closed form")
@given(SLOW)
def test_newton_is_the_limit(v):
    assert_allclose(lagrangian(v, 2.0, 0.0), v**2, rtol=1e-15)
    p, T = momentum_energy(v, 2.0, 0.0)
    assert_allclose([p, T], [2 * v, v**2], rtol=1e-15)
    for kappa in (1e-9, -1e-9):
        assert_allclose(lagrangian(v, 2.0, kappa), v**2, rtol=1e-9)


@pytest.mark.verifies("eq-relativity-from-symmetry-shell", by="property")
@given(SLOW, st.floats(0.1, 10), KAPPA)
def test_mass_shell(v, mass, kappa):
    p, T = momentum_energy(v, mass, kappa)
    # (m + kappa T)^2 - kappa p^2 = m^2, with squares up to 10 m^2.
    assert_allclose((mass + kappa * T) ** 2 - kappa * p**2, mass**2, rtol=1e-13)
    assert_allclose(p * v - lagrangian(v, mass, kappa), T, rtol=1e-12, atol=1e-15)


def test_slow_particles_keep_their_digits():
    # By hand, m v^2 / 2; subtraction gives four times as much, or nothing at all.
    assert_allclose(momentum_energy(1e-8)[1], 5e-17, rtol=1e-14)
    assert 1 / math.sqrt(1 - 1e-8**2) - 1 == 2**-52
    assert 1 / math.sqrt(1 - 1e-9**2) - 1 == 0


@pytest.mark.verifies("eq-relativity-from-symmetry-charge", by="property")
@given(SLOW, ANY, ANY, KAPPA)
def test_charge_of_a_free_particle(v, x0, t, kappa):
    start, later = boost_charge(0, x0, v, 2.0, kappa), boost_charge(t, x0 + v * t, v, 2.0, kappa)
    assert_allclose(later, start, rtol=0, atol=1e-12)
    assert_allclose(boost_charge(t, x0, v, 2.0, 0.0), 2 * (t * v - x0), rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-relativity-from-symmetry-charge", by="closed form")
def test_charge_is_noethers():
    t, x, v, kappa = 1.3, -0.4, 0.55, 0.8
    p, L = momentum_energy(v, 2.0, kappa)[0], lagrangian(v, 2.0, kappa)
    noether = L * kappa * x + (t - v * kappa * x) * p - 2.0 * x
    assert_allclose(boost_charge(t, x, v, 2.0, kappa), noether, rtol=1e-14)
    # The Lagrangian without a constant needs no F, and gives the same charge.
    absorbed = (L - 2.0 / kappa) * kappa * x + (t - v * kappa * x) * p
    assert_allclose(absorbed, noether, rtol=1e-14)


@pytest.mark.verifies("eq-relativity-from-symmetry-acceleration", by="property")
@given(SLOW, ANY, st.floats(-0.4, 0.4), st.floats(0, 1))
def test_proper_acceleration_is_the_same_for_all(v, a, eta, kappa):
    # The finite boost of velocity and acceleration: x'' transforms by the cube of dt / dT.
    (C, kS), (S, _) = boost_matrix(eta, kappa)
    stretch = C + kS * v
    V, A = (S + C * v) / stretch, a / stretch**3
    if kappa * V**2 < 0.99:
        assert_allclose(
            proper_acceleration(V, A, kappa), proper_acceleration(v, a, kappa), rtol=1e-11
        )


@pytest.mark.verifies("eq-relativity-from-symmetry-acceleration", by="property")
@given(SLOW, ANY, KAPPA)
def test_force_is_mass_times_proper_acceleration(v, a, kappa):
    h = 1e-5
    slope = (momentum_energy(v + h, 1.0, kappa)[0] - momentum_energy(v - h, 1.0, kappa)[0]) / 2 / h
    # dp/dt = p'(v) a; h^2 times a third derivative of up to 1e4 at 0.95.
    assert_allclose(slope * a, proper_acceleration(v, a, kappa), rtol=1e-5, atol=1e-12)


@pytest.mark.verifies("eq-relativity-from-symmetry-commutator", by="library")
def test_two_boosts_make_a_turn():
    t, x, y, kappa = sympy.symbols("t x y kappa")

    def along_x(f):
        return kappa * x * f.diff(t) + t * f.diff(x)

    def along_y(f):
        return kappa * y * f.diff(t) + t * f.diff(y)

    f = sympy.Function("f")(t, x, y)
    bracket = along_x(along_y(f)) - along_y(along_x(f))
    turn = kappa * (x * f.diff(y) - y * f.diff(x))
    assert sympy.simplify((bracket - turn).doit()) == 0


def determining_operator(kappa):
    nodes = 0.6 * np.cos(np.pi * (np.arange(40) + 0.5) / 40)[:, None]
    k = np.arange(10)
    slopes = np.where(k > 0, 2 * k * nodes ** np.maximum(2 * k - 1, 0), 0)
    return nodes[:, 0], (1 - kappa * nodes**2) * slopes + kappa * nodes * nodes ** (2 * k)


@pytest.mark.verifies("eq-relativity-from-symmetry-determining", by="property")
@pytest.mark.verifies("eq-relativity-from-symmetry-lagrangian", by="property")
def test_svd_discovers_the_lagrangian():
    _, operator = determining_operator(1.0)
    null = np.linalg.svd(operator)[2][-1]
    v = np.linspace(-0.6, 0.6, 241)
    values = v[:, None] ** (2 * np.arange(10)) @ (null / null[0])
    # Truncation after v^18 leaves 2e-11.
    assert np.max(np.abs(values - np.sqrt(1 - v**2))) < 1e-9
    # The module's Lagrangian is one minus it.
    assert_allclose(lagrangian(v), 1 - values, rtol=0, atol=1e-9)


def test_newton_has_no_strictly_invariant_lagrangian():
    nodes, operator = determining_operator(0.0)
    null = np.linalg.svd(operator)[2][-1]
    assert_allclose(np.abs(null), np.eye(10)[0], atol=1e-12)
    found = np.linalg.lstsq(operator, nodes, rcond=None)[0]
    # The condition of the monomials, 1e7, times roundings.
    assert_allclose(found, 0.5 * np.eye(10)[1], rtol=0, atol=1e-8)


def test_numbers_quoted_in_the_chapter():
    # A quarter of the defect's slope: 4 c - kappa / 2 vanishes at kappa / 8.
    c = -determining_series(3)[2]
    assert c == 1 / 8
    assert_allclose(velocity_addition(0.9, 0.9), 0.9945, atol=5e-5)
    # Boosting by 0.1 there and back in x and y leaves a turn of nearly kappa eta^2 = 0.01.
    x = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0.0]])
    y = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0.0]])
    loop = expm(-0.1 * y) @ expm(-0.1 * x) @ expm(0.1 * y) @ expm(0.1 * x)
    angle = np.arctan2(loop[2, 1] - loop[1, 2], loop[1, 1] + loop[2, 2])
    assert_allclose(abs(angle), 0.01, rtol=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boost_matrix(math.nan), "`eta` must be finite, got nan"),
        (lambda: boost_matrix(1.0, math.inf), "`kappa` must be finite, got inf"),
        (lambda: velocity_addition(1.0, 0.5), "`u` must be below the invariant speed, got 1"),
        (lambda: velocity_addition(0.5, 2.0, 0.25), "`v` must be below the invariant speed, got 2"),
        (lambda: determining_series(0), "`n_terms` must be an integer of at least 1, got 0"),
        (lambda: determining_series(2.0), "`n_terms` must be an integer of at least 1, got 2.0"),
        (lambda: lagrangian(1.0), "`v` must be below the invariant speed, got 1"),
        (lambda: lagrangian(math.nan), "`v` must be finite, got nan"),
        (lambda: momentum_energy(0.5, mass=0), "`mass` must be positive, got 0"),
        (lambda: boost_charge(0, math.inf, 0.5), "`x` must be finite, got inf"),
        (lambda: proper_acceleration(2.0, 1.0, 0.25), "`v` must be below the invariant speed"),
        (lambda: proper_acceleration(0.5, math.inf), "`a` must be finite, got inf"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
