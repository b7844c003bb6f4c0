"""Facts that the chapter on the skipping rope claims."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad, solve_bvp
from scipy.optimize import brentq, minimize
from scipy.special import j0

from scispaces.physics.skipping_rope import (
    catenary,
    catenary_parameter,
    critical_speed,
    end_slope,
    hanging_chain,
    length_ratio,
    modulus,
    moment_of_inertia,
    sag,
    tension,
    troposkein,
)

RATIO = st.floats(1.02, 20)
Z = np.linspace(0, 1, 20_001)
FIRST = critical_speed(1, 1)

# Roots by mpmath at 30 digits; the chains by shooting, the first also by solve_bvp.
ROWS = {
    "m": (lambda: modulus(2, 1), 0.5241569272774, 1e-12),
    "sag": (lambda: sag(2, 1), 0.8114138298103, 1e-12),
    "slope": (lambda: end_slope(2, 1), 3.042964664666, 1e-11),
    "m, taut": (lambda: modulus(1.1, 1), 0.0919160605069, 1e-12),
    "sag, taut": (lambda: sag(1.1, 1), 0.2075125699950, 1e-12),
    "sag, slack": (lambda: sag(5, 1), 2.3788879552148, 1e-11),
    "sag, very slack": (lambda: sag(20, 1), 9.9176033331392, 1e-10),
    "tension": (lambda: tension([0.5, 0], 2, 1), [0.14942637, 0.47862257], 5e-9),
    "rope": (
        lambda: troposkein([0.1, 0.25, 0.5], 2, 1),
        [0.29383952, 0.62419887, 0.81141383],
        5e-9,
    ),
    "catenary": (
        lambda: catenary([0.1, 0.25, 0.5], 2, 1),
        [0.35052833, 0.64632339, 0.79638836],
        5e-9,
    ),
    "a": (lambda: catenary_parameter(2, 1), 0.2296402150776, 1e-12),
    "nearly taut, rope": (lambda: sag(1 + 1e-4, 1) * 100, 0.6366397, 1e-7),
    "nearly taut, chain": (lambda: catenary(0.5, 1 + 1e-4, 1) * 100, 0.6123939, 1e-6),
    "real sag": (lambda: sag(2.6, 0.9), 1.16226, 5e-6),
    "real tension": (
        lambda: tension([0, 0.45], 2.6, 0.9, 0.12 / 2.6, 5 * math.pi),
        [9.4365, 1.7448],
        5e-5,
    ),
    "critical speeds": (
        lambda: [critical_speed(n, 1) for n in (1, 2, 3)],
        [3.7660673884, 8.6446961137, 13.5521357783],
        1e-10,
    ),
}
CHAINS = {
    "1.2": (lambda: hanging_chain(1.2 * FIRST, 1), 0.7286749311, -0.6766056876),
    "2": (lambda: hanging_chain(2 * FIRST, 1), 0.9695831377, -0.2401456115),
    "offset": (lambda: hanging_chain(3.0, 1, offset=0.2), 0.6170140164, -0.9076203853),
    "1.0001": (lambda: hanging_chain(1.0001 * FIRST, 1), 0.02071, None),
    "1.01": (lambda: hanging_chain(1.01 * FIRST, 1), 0.20415, None),
}


@pytest.mark.verifies("eq-skipping-rope-ratio", by="library")
@pytest.mark.verifies("eq-skipping-rope-sag", by="library")
@pytest.mark.verifies("eq-skipping-rope-tension", by="library")
@pytest.mark.verifies("eq-skipping-rope-critical", by="library")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-skipping-rope-chain", by="library")
@pytest.mark.parametrize(("chain", "x", "y"), CHAINS.values(), ids=CHAINS)
def test_chains(chain, x, y):
    found = chain()
    assert_allclose(found.x[0], x, rtol=0, atol=1e-9 if y else 5e-6)
    if y:
        assert_allclose(found.y[0], y, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-skipping-rope-ratio", by="library")
@pytest.mark.parametrize("ratio", [1 + 1e-6, 1.0005, 1.01, 1.5, 7, 300, 1000])
def test_modulus_agrees_with_mpmath(ratio):
    with mpmath.workdps(30):

        def length(u):
            m = -mpmath.expm1(-u)
            return 2 * mpmath.ellipe(m) / (mpmath.exp(-u) * mpmath.ellipk(m)) - 1 - ratio

        u = mpmath.findroot(length, (1e-7, 30), solver="anderson", tol=1e-25, maxsteps=200)
        m = -mpmath.expm1(-u)
        K = mpmath.ellipk(m)
        exact = [m, mpmath.sqrt(m) * mpmath.exp(u) / K, 2 * mpmath.sqrt(m) * mpmath.exp(u)]
    # The ratio itself is known to 1e-16 / 1e-6 where the rope is nearly taut.
    found = [modulus(ratio, 1), sag(ratio, 1), end_slope(ratio, 1)]
    assert_allclose(found, [float(v) for v in exact], rtol=1e-9)
    assert_allclose(length_ratio(found[0]), ratio, rtol=1e-12)


@pytest.mark.verifies("eq-skipping-rope-sn", by="property")
@pytest.mark.verifies("eq-skipping-rope-slope", by="property")
@given(RATIO)
def test_curve_obeys_its_equation(ratio):
    # r'^2 = c^2 (R^2 - r^2)(Q^2 - r^2) with R^2 = m Q^2 and 1 / c = Q^2 (1 - m) / 2.
    m, R, h = modulus(ratio, 1), sag(ratio, 1), 1e-6
    z = np.linspace(0.05, 0.45, 9)
    slope = (troposkein(z + h, ratio, 1) - troposkein(z - h, ratio, 1)) / (2 * h)
    r, Q2 = troposkein(z, ratio, 1), R**2 / m
    c = 2 / (Q2 * (1 - m))
    # Central differences of a function of size `ratio`, with curvatures up to ratio^3.
    assert_allclose(slope, c * np.sqrt((R**2 - r**2) * (Q2 - r**2)), rtol=2e-5, atol=1e-8)
    assert_allclose(np.hypot(1, slope), c * ((R**2 + Q2) / 2 - r**2), rtol=2e-5)


@pytest.mark.verifies("eq-skipping-rope-ratio", by="property")
@given(RATIO, st.floats(0.1, 10))
def test_rope_has_its_length(ratio, span):
    r = troposkein(span * Z, ratio * span, span)
    assert r[0] == 0
    # At the far hand sn(2 K) is zero to rounding, times the slope.
    assert_allclose(r[-1], 0, atol=1e-11 * ratio**2 * span)
    assert_allclose(r, r[::-1], rtol=0, atol=1e-11 * ratio**2 * span)
    # Chords are short of arcs by 1e-8 of the curvature.
    assert_allclose(np.sum(np.hypot(np.diff(span * Z), np.diff(r))), ratio * span, rtol=1e-5)
    assert_allclose(sag(ratio * span, span), span * sag(ratio, 1), rtol=1e-12)
    assert_allclose(r.max(), sag(ratio * span, span), rtol=1e-7)


@pytest.mark.verifies("eq-skipping-rope-balance", by="property")
@pytest.mark.parametrize("ratio", [1.1, 2.0, 5.0])
def test_forces_balance(ratio):
    # (T r')' = -rho omega^2 r along the arc, and T dz/ds is constant.
    density, omega = 0.7, 3.0
    r, T = troposkein(Z, ratio, 1), tension(Z, ratio, 1, density, omega)
    ds = np.hypot(np.diff(Z), np.diff(r))
    middle = (T[1:] + T[:-1]) / 2
    pull = middle * np.diff(r) / ds
    load = -density * omega**2 * r[1:-1] * (ds[1:] + ds[:-1]) / 2
    assert_allclose(np.diff(pull), load, rtol=1e-4, atol=1e-9 * ratio)
    assert_allclose(middle * np.diff(Z) / ds, T[len(T) // 2], rtol=1e-4)


@pytest.mark.verifies("eq-skipping-rope-tension", by="property")
@given(RATIO, st.floats(0.1, 5), st.floats(0.1, 5))
def test_tension_scales(ratio, density, omega):
    T = tension([0.0, 0.3, 0.5], ratio, 1, density, omega)
    assert_allclose(T, density * omega**2 * tension([0.0, 0.3, 0.5], ratio, 1), rtol=1e-12)
    m = modulus(ratio, 1)
    assert_allclose(T[0] / T[2], (1 + m) / (1 - m), rtol=1e-7)
    difference = density * omega**2 * sag(ratio, 1) ** 2 / 2
    assert_allclose(T[0] - T[2], difference, rtol=1e-7)


@pytest.mark.verifies("eq-skipping-rope-virial", by="property")
@pytest.mark.parametrize("ratio", [1.1, 2.0, 5.0])
def test_virial(ratio):
    r, T = troposkein(Z, ratio, 1), tension(Z, ratio, 1)
    ds = np.hypot(np.diff(Z), np.diff(r))
    left = np.sum((T[1:] + T[:-1]) / 2 * ds)
    right = tension(0.5, ratio, 1) + moment_of_inertia(Z, r)
    assert_allclose(left, right, rtol=1e-6)
    if ratio == 2:
        assert_allclose(left, 0.6879722, atol=2e-7)


@pytest.mark.verifies("eq-skipping-rope-catenary", by="property")
@given(RATIO, st.floats(0.1, 10))
def test_catenary_is_a_cosh_of_its_length(ratio, span):
    a = catenary_parameter(ratio * span, span)
    assert_allclose(2 * a * math.sinh(span / (2 * a)), ratio * span, rtol=1e-12)
    z = np.array([0.0, 0.2, 0.5, 0.9, 1.0]) * span
    by_cosh = a * (math.cosh(span / (2 * a)) - np.cosh((z - span / 2) / a))
    assert_allclose(catenary(z, ratio * span, span), by_cosh, rtol=0, atol=1e-12 * ratio * span)


@pytest.mark.verifies("eq-skipping-rope-catenary", by="closed form")
def test_catenary_slope_has_a_factor():
    # dx/dy = a / sqrt(y^2 - a^2) for y = a cosh(x / a), with y measured above the directrix.
    a, h = catenary_parameter(2, 1), 1e-6
    lowest = catenary(0.5, 2, 1)
    for z in (0.6, 0.8):
        slope = (catenary(z - h, 2, 1) - catenary(z + h, 2, 1)) / (2 * h)
        y = a + lowest - catenary(z, 2, 1)
        assert_allclose(1 / slope, a / math.sqrt(y**2 - a**2), rtol=1e-8)
        assert abs(1 / slope - 1 / math.sqrt(y**2 - a**2)) > 0.1


def shaped(curve):
    """Return a curve scaled across the axis until it is 2 long."""

    def length(height):
        return np.sum(np.hypot(np.diff(Z), np.diff(height * curve)))

    return brentq(lambda height: length(height) - 2, 0.01, 30) * curve


@pytest.mark.verifies("eq-skipping-rope-inertia", by="property")
def test_turned_rope_has_the_largest_inertia():
    others = {
        "parabola": (Z * (1 - Z), 0.5382775),
        "sine": (np.sin(np.pi * Z), 0.5366233),
        "half ellipse": (np.sqrt(Z * (1 - Z)), 0.5187230),
        "triangle": (0.5 - np.abs(Z - 0.5), 0.5),
    }
    best = moment_of_inertia(Z, troposkein(Z, 2, 1))
    assert_allclose(best, 0.5385458, atol=1e-6)
    assert_allclose(moment_of_inertia(Z, catenary(Z, 2, 1)), 0.5365185, atol=1e-6)
    for curve, inertia in others.values():
        found = moment_of_inertia(Z, shaped(curve))
        # The ellipse is vertical at its ends: chords of 2e4 pieces lose 1e-5.
        assert_allclose(found, inertia, atol=2e-5)
        assert found < best
    rng = np.random.default_rng(4)
    for _ in range(20):
        bumps = sum(c * np.sin((k + 2) * np.pi * Z) for k, c in enumerate(rng.normal(size=4)))
        bent = shaped(troposkein(Z, 2, 1) + 0.02 * bumps)
        assert moment_of_inertia(Z, bent) < best


def test_hanging_chain_is_lower_on_average():
    def centre(r):
        ds = np.hypot(np.diff(Z), np.diff(r))
        return np.sum((r[1:] + r[:-1]) / 2 * ds) / np.sum(ds)

    assert centre(catenary(Z, 2, 1)) > centre(troposkein(Z, 2, 1))


@pytest.mark.verifies("eq-skipping-rope-shallow", by="property")
def test_nearly_taut():
    slack = np.array([1e-4, 1e-5, 1e-6])
    rope = [sag(1 + e, 1) / math.sqrt(e) for e in slack]
    chain = [float(catenary(0.5, 1 + e, 1)) / math.sqrt(e) for e in slack]
    # Off by a multiple of the slack.
    assert np.all(np.abs(np.array(rope) - 2 / math.pi) < slack)
    assert np.all(np.abs(np.array(chain) - math.sqrt(3 / 8)) < slack)
    assert_allclose(tension(0.5, 1 + 1e-6, 1), 1 / math.pi**2, rtol=1e-5)


@pytest.mark.verifies("eq-skipping-rope-forgotten", by="library")
def test_forgotten_multiplier_keeps_away_from_the_axis():
    # z = int dr / sqrt(beta^2 r^4 - 1) from r = beta^(-1/2); by substitution, half of
    # int dt / sqrt(cosh t) times beta^(-1/2).
    beta = 2.5
    least = beta**-0.5
    for t in (0.7, 2.0):
        r = least * math.sqrt(math.cosh(t))
        direct = quad(lambda r: 1 / math.sqrt(beta**2 * r**4 - 1), least, r, epsabs=1e-9)[0]
        by_parts = least / 2 * quad(lambda t: 1 / math.sqrt(math.cosh(t)), 0, t)[0]
        assert_allclose(direct, by_parts, rtol=1e-6)
    # On it ds/dz = beta r^2 >= 1; on the rope ds/dz falls with r, and T is positive.
    r, T = troposkein(Z, 2, 1), tension(Z, 2, 1)
    steep = np.hypot(1, np.gradient(r, Z))
    inner = slice(1, 10_000)
    assert np.all(np.diff(steep[inner]) < 0)
    assert np.all(np.diff(r[inner]) > 0)
    assert T.min() > 0


def links(n, rng):
    """Return places and distances of a chain of n links with the largest inertia."""
    piece, half = 2 / n, n // 2

    def corners(angles):
        ends = piece * np.cumsum([np.cos(angles), np.sin(angles)], axis=1)
        return np.concatenate([[[0], [0]], ends], axis=1)

    def loss(angles):
        z, r = corners(angles)
        slope = np.concatenate([4 * r[1:-1] + r[:-2] + r[2:], [2 * r[-1] + r[-2]]]) * piece / 3
        lever = np.cumsum(slope[::-1])[::-1]
        return -moment_of_inertia(z, r), -piece * np.cos(angles) * lever

    ends = {
        "type": "eq",
        "fun": lambda angles: corners(angles)[:, -1] - [1, 0],
        "jac": lambda angles: piece * np.array([-np.sin(angles), np.cos(angles)]),
    }
    start = np.repeat([math.pi / 3, -math.pi / 3], half) + 0.05 * rng.normal(size=n)
    options = {"maxiter": 500, "ftol": 1e-12}
    found = minimize(loss, start, jac=True, constraints=ends, method="SLSQP", options=options)
    return corners(found.x)


@pytest.mark.verifies("eq-skipping-rope-inertia", by="library")
def test_links_find_the_rope():
    z, r = links(40, np.random.default_rng(1))
    assert_allclose(moment_of_inertia(z, r), 0.538252, atol=2e-6)
    rope, chain = troposkein(np.clip(z, 0, 1), 2, 1), catenary(np.clip(z, 0, 1), 2, 1)
    assert np.max(np.abs(r - rope)) < 1e-3
    assert np.max(np.abs(r - chain)) > 0.04


@pytest.mark.verifies("eq-skipping-rope-chain", by="library")
def test_chain_agrees_with_a_boundary_value_solver():
    omega = 1.2 * FIRST
    q = omega**2 / 9.81
    s = np.linspace(1e-6, 1, 400)

    def rate(s, y):
        return np.stack([y[1], -q * y[0] / np.hypot(y[0], s)])

    guess = np.stack([-q * 0.5 * s * (1 - s / 2), -q * 0.5 * (1 - s)])
    found = solve_bvp(rate, lambda a, b: np.array([a[0], b[1]]), s, guess, tol=1e-8)
    chain = hanging_chain(omega, 1)
    # P'' = -q P / T with P(0) = 0 and P'(1) = -q x(1) = 0; x = -P' / q.
    assert_allclose(-found.sol(1e-6)[1] / q, chain.x[0], atol=1e-4)
    assert_allclose(-found.sol(0.5)[1] / q, chain.x[200], atol=1e-5)


@pytest.mark.verifies("eq-skipping-rope-chain", by="property")
@pytest.mark.parametrize(
    ("speed", "offset"), [(0.5, 0.2), (1.1, 0.0), (1.5, 0.1), (3.0, 0.0), (6.0, 0.3)]
)
def test_chain_balances(speed, offset):
    omega, length, g = speed * critical_speed(1, 2.0, 9.0), 2.0, 9.0
    s, x, y, T = hanging_chain(omega, length, g, offset, n=4001)
    assert_allclose([x[-1], y[-1]], [offset, 0], rtol=0, atol=1e-7 * length)
    assert np.all(x[:-1] > 0)
    # Chords of 4000 pieces: the length, and the vertical pull g s.
    assert_allclose(np.hypot(np.diff(x), np.diff(y)), length / 4000, rtol=1e-5)
    middle = (T[1:] + T[:-1]) / 2
    assert_allclose(
        middle * np.diff(y) / np.diff(s), g * (s[1:] + s[:-1]) / 2, rtol=1e-4, atol=1e-3
    )
    across = math.sqrt(T[-1] ** 2 - (g * length) ** 2)
    assert_allclose(across, omega**2 * np.trapezoid(x, s), rtol=1e-6)


def test_chain_depends_on_one_number():
    small = hanging_chain(6.0, 1.0, 9.81, n=11)
    large = hanging_chain(3.0, 4.0, 9.81, n=11)
    assert_allclose(large.x, 4 * small.x, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-skipping-rope-bessel", by="closed form")
def test_small_offset_is_magnified():
    chain = hanging_chain(2.0, 1, offset=1e-4)
    shape = j0(2 * 2.0 * np.sqrt(chain.s / 9.81))
    # Off by the square of the slope.
    assert_allclose(chain.x, 1e-4 * shape / shape[-1], rtol=1e-6)
    assert_allclose(chain.x[0] / 1e-4, 1.5823251, atol=1e-6)


@pytest.mark.verifies("eq-skipping-rope-critical", by="property")
def test_chain_hangs_straight_until_the_critical_speed():
    below = hanging_chain(0.999 * FIRST, 1, n=5)
    assert_allclose(below.x, 0)
    assert_allclose(below.y, [-1, -0.75, -0.5, -0.25, 0])
    assert_allclose(below.tension, 9.81 * below.s)
    out = [hanging_chain(FIRST * (1 + d), 1, n=3).x[0] for d in (1e-4, 4e-4)]
    # A square root: four times the distance, twice the deflection.
    assert_allclose(out[1] / out[0], 2, rtol=1e-3)
    assert_allclose(critical_speed(1, 1, 1), 1.2024, atol=1e-4)
    assert hanging_chain(30.0, 1, n=3).x[0] > 0.999


def test_moment_of_a_straight_piece():
    # A rod of length 5 from the axis to a distance of 3: 5 * 9 / 3.
    assert_allclose(moment_of_inertia([0, 4], [0, 3]), 15, rtol=1e-15)
    assert_allclose(moment_of_inertia([0, 2, 4], [0, 1.5, 3]), 15, rtol=1e-15)


def test_numbers_quoted_in_the_chapter():
    # Steeper at the ends hangs the chain, deeper in the middle goes the rope.
    assert_allclose(math.sinh(1 / (2 * catenary_parameter(2, 1))), 4.355, atol=5e-4)
    assert_allclose(sag(2, 1) / catenary(0.5, 2, 1), 1.019, atol=5e-4)
    angles = np.degrees(np.arctan([end_slope(2, 1), 4.3546]))
    assert_allclose(angles, [71.8, 77.1], atol=0.05)
    # A rope is steeper nearer to the axis; the forgotten multiplier's curve is 2.622 wide.
    width = quad(lambda t: 1 / math.sqrt(math.cosh(t)), 0, 60)[0]
    assert_allclose(width, math.gamma(0.25) ** 2 / (2 * math.sqrt(2 * math.pi)), rtol=1e-9)
    assert_allclose((2 / math.pi) / math.sqrt(3 / 8), 1.04, atol=5e-3)
    assert_allclose((5 * math.pi) ** 2 * sag(2.6, 0.9) / 9.81, 29.2, atol=0.05)
    assert_allclose(9.81 / (5 * math.pi) ** 2, 0.04, atol=5e-4)
    # Hands at rest in place of a rope of 0.12 kg: its weight.
    assert_allclose(0.12 * 9.81, 1.18, atol=5e-3)
    # A metre of chain swings out above 0.6 turns a second.
    assert_allclose(FIRST / (2 * math.pi), 0.5994, atol=5e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: length_ratio(1.0), "`m` must be at least 0 and below 1, got 1.0"),
        (lambda: length_ratio(-0.1), "`m` must be at least 0 and below 1, got -0.1"),
        (lambda: modulus(1, 1), "`length` must exceed `span`, both positive, got 1 and 1"),
        (lambda: sag(math.inf, 1), "`length` must exceed `span`.*got inf and 1"),
        (lambda: end_slope(2, 0), "`length` must exceed `span`.*got 2 and 0"),
        (lambda: troposkein(1.1, 2, 1), "`z` must lie between 0 and `span`, 1, got 1.1"),
        (lambda: catenary(math.nan, 2, 1), "`z` must lie between 0 and `span`, 1, got nan"),
        (lambda: catenary_parameter(0.5, 1), "`length` must exceed `span`"),
        (lambda: tension(0, 2, 1, density=0), "`density` must be positive and finite, got 0"),
        (lambda: tension(0, 2, 1, omega=-1), "`omega` must be positive and finite, got -1"),
        (lambda: moment_of_inertia([0], [0]), r"`z` and `r` must be vectors.*got \(1,\) and"),
        (lambda: moment_of_inertia([0, 1], [0, 1, 2]), "`z` and `r` must be vectors"),
        (lambda: critical_speed(0, 1), "`n` must be an integer of at least 1, got 0"),
        (lambda: critical_speed(1, 0), "`length` must be positive and finite, got 0"),
        (lambda: hanging_chain(0, 1), "`omega` must be positive and finite, got 0"),
        (lambda: hanging_chain(1, 1, offset=-1), "`offset` must be finite and not negative.*-1"),
        (lambda: hanging_chain(1, 1, n=2), "`n` must be an integer of at least 3, got 2"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
