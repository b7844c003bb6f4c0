"""Facts that the chapter on path integrals claims."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad, solve_bvp, solve_ivp

from scispaces.physics.path_integrals import (
    feynman_kac_propagator,
    fokker_planck,
    gbm_density,
    mehler_kernel,
    om_action,
    ou_propagator,
    sde_propagator,
    simulate_paths,
    walk_pmf,
)

X = np.linspace(-8, 8, 321)
DX = X[1] - X[0]
NEAR = np.abs(X) <= 2  # starts from which nothing reaches the walls
WELL = np.linspace(-4, 4, 321)
DW = WELL[1] - WELL[0]
RIGHT = (WELL > 1e-9) + 0.5 * (np.abs(WELL) < 1e-9)
START = np.exp(-((WELL + 1) ** 2) / 0.02) / math.sqrt(0.02 * math.pi)


def back(x):
    return -x


def hill(x):
    return x - x**3


def refined():
    """Return the density of the double well at T = 2 on a grid 8 times as fine, by the PDE."""
    x = np.linspace(-4, 4, 2561)
    P0 = np.exp(-((x + 1) ** 2) / 0.02) / math.sqrt(0.02 * math.pi)
    return fokker_planck(x, P0, 2, 2000, hill, 0.5)[::8]


@pytest.mark.verifies("eq-path-integrals-walk", by="closed form")
def test_short_walks():
    positions, pmf = walk_pmf(4)
    assert_allclose(positions, [-4, -2, 0, 2, 4])
    assert_allclose(pmf * 16, [1, 4, 6, 4, 1], rtol=1e-13)
    assert_allclose(walk_pmf(3, 0.75)[1] * 64, [1, 9, 27, 27], rtol=1e-13)
    assert_allclose(walk_pmf(2, 1.0)[1], [0, 0, 1])
    assert_allclose(walk_pmf(2, 0.0)[1], [1, 0, 0])


@pytest.mark.verifies("eq-path-integrals-walk", by="library")
@given(st.integers(1, 300), st.floats(1e-6, 1 - 1e-6))
def test_walk_is_binomial(n, p):
    positions, pmf = walk_pmf(n, p)
    exact = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
    assert_allclose(pmf, exact, rtol=1e-9, atol=1e-300)
    mean = positions @ pmf
    assert_allclose(mean, n * (2 * p - 1), rtol=1e-9, atol=1e-9)
    assert_allclose((positions - mean) ** 2 @ pmf, 4 * n * p * (1 - p), rtol=1e-8, atol=1e-9)


def test_long_walk():
    assert_allclose(walk_pmf(100_000)[1].sum(), 1, rtol=1e-9)
    assert_allclose(walk_pmf(100)[1][50], 0.0795892374, atol=5e-11)


@pytest.mark.verifies("eq-path-integrals-scaling", by="closed form")
def test_only_one_scaling_is_random():
    # The characteristic function of the walk at omega = 1, t = 1.
    n = 10**6
    values = [math.cos((1 / n) ** (beta / 2)) ** n for beta in (0.5, 1.0, 1.5)]
    assert_allclose(values, [6.6e-218, 0.606531, 0.999500], rtol=1e-2)
    assert_allclose(values[1:], [math.exp(-0.5), 1], atol=6e-4)
    # And from the module's own probabilities.
    positions, pmf = walk_pmf(10_000)
    assert_allclose(np.cos(positions / 100) @ pmf, math.exp(-0.5), atol=1e-5)


@pytest.mark.verifies("eq-path-integrals-heat", by="property")
def test_walk_becomes_the_gaussian():
    n = 400
    positions, pmf = walk_pmf(n, 0.5 * (1 + 0.7 / math.sqrt(n)))
    density = pmf / (2 / math.sqrt(n))
    exact = ou_propagator(positions / math.sqrt(n), 0.7, 1.0, k=0.0)
    assert np.abs(density - exact).max() < 2e-3
    assert_allclose(walk_pmf(100)[1][50], 1 / math.sqrt(50 * math.pi), rtol=3e-3)
    # It solves P_t = alpha / 2 P_xx.
    h, x, t, alpha = 1e-3, 0.4, 0.8, 0.6
    rate = (ou_propagator(x, 0, t + h, 0, alpha) - ou_propagator(x, 0, t - h, 0, alpha)) / (2 * h)
    ends = ou_propagator([x - h, x, x + h], 0, t, 0, alpha)
    assert_allclose(rate, alpha / 2 * (ends[0] - 2 * ends[1] + ends[2]) / h**2, rtol=1e-5)


@pytest.mark.verifies("eq-path-integrals-bias", by="property")
def test_biased_walk_solves_the_equation():
    x0 = -1 + 0.1 * np.random.default_rng(1).standard_normal(20_000)
    ends = simulate_paths(x0, 2, 400, 20_000, hill, 0.5, rng=2, method="walk")[-1]
    # Three standard errors, and an error of the order of a step.
    assert abs(np.mean(ends > 0) - 0.1304) < 0.007 + 0.005
    # A constant drift adds its velocity, and leaves the variance up to 1 / n_steps.
    pushed = simulate_paths(1.0, 2, 100, 20_000, lambda x: 0.5 + 0 * x, 0.5, 3, method="walk")[-1]
    assert_allclose([pushed.mean(), pushed.var()], [2, 1], atol=0.04)


@pytest.mark.verifies("eq-path-integrals-ou", by="closed form")
def test_linear_drift():
    values = [ou_propagator(1, 0.5, 1, k) for k in (1, 0, -1)]
    assert_allclose(values, [0.218745526704, 0.352065326764, 0.280874816074], atol=1e-12)
    assert_allclose(ou_propagator(1, 0.5, 1, 1e-9), values[1], rtol=1e-8)


@pytest.mark.verifies("eq-path-integrals-ou", by="property")
@given(st.floats(-1, 1), st.floats(0.1, 1), st.floats(0.2, 2), st.floats(-1, 1))
@settings(max_examples=30)
def test_two_durations_make_one(k, T, alpha, x0):
    z = np.linspace(-40, 40, 4001)
    through = np.sum(ou_propagator(0.3, z, T, k, alpha) * ou_propagator(z, x0, 0.5, k, alpha))
    assert_allclose(through * 0.02, ou_propagator(0.3, x0, T + 0.5, k, alpha), rtol=1e-7)
    mean = np.sum(z * ou_propagator(z, x0, T, k, alpha)) * 0.02
    assert_allclose(mean, x0 * math.exp(k * T), atol=1e-6)


@pytest.mark.verifies("eq-path-integrals-fokker-planck", by="closed form")
def test_pde_gives_the_gaussian():
    P0 = ou_propagator(X, 0.5, 0.25, -1.0)
    found = fokker_planck(X, P0, 1.0, 400, back)
    # Of the second order in dx = 0.05.
    assert_allclose(found, ou_propagator(X, 0.5, 1.25, -1.0), rtol=0, atol=3e-4)
    assert_allclose(found.sum(), P0.sum(), rtol=1e-11)


@pytest.mark.verifies("eq-path-integrals-fokker-planck", by="library")
def test_pde_agrees_with_an_adaptive_solver():
    found = fokker_planck(WELL, START, 2, 400, hill, 0.5)
    assert_allclose(found.sum(), START.sum(), rtol=1e-12)
    assert_allclose((RIGHT * found).sum() * DW, 0.13040, atol=5e-6)
    # Minus the derivative of the flux, by a solver for stiff systems.
    middle = (WELL[1:] + WELL[:-1]) / 2

    def rate(_, P):
        flux = hill(middle) * (P[1:] + P[:-1]) / 2 - 0.25 * np.diff(P) / DW
        return -np.diff(flux, prepend=0, append=0) / DW

    band = 1
    peer = solve_ivp(
        rate, (0, 2), START, method="LSODA", lband=band, uband=band, rtol=1e-8, atol=1e-10
    )
    # Crank and Nicolson's steps err by 1e-5 after the sharp start.
    assert_allclose(found, peer.y[:, -1], rtol=0, atol=5e-5)


@pytest.mark.verifies("eq-path-integrals-stationary", by="closed form")
def test_stationary_law():
    law = np.exp(2 * (WELL**2 / 2 - WELL**4 / 4) / 0.5)
    law /= law.sum() * DW
    assert_allclose(law.max(), 0.50665, atol=5e-6)
    at_40 = fokker_planck(WELL, START, 40, 2000, hill, 0.5)
    assert_allclose(np.abs(at_40 - law).max(), 5e-4, atol=1e-4)
    at_80 = fokker_planck(WELL, START, 80, 4000, hill, 0.5)
    assert_allclose(np.abs(at_80 - law).max(), 2.1e-4, atol=2e-5)
    by_paths = sde_propagator(WELL, 40, 2000, hill, 0.5, rule="trapezoid") @ START * DW
    assert_allclose(np.abs(by_paths - law).max(), 3.8e-4, atol=5e-5)


def test_detailed_balance():
    law = np.exp(2 * (WELL**2 / 2 - WELL**4 / 4) / 0.5)
    G = sde_propagator(WELL, 1, 100, hill, 0.5, rule="trapezoid")
    inside = np.abs(WELL) <= 1.5
    flow = (G * law)[np.ix_(inside, inside)]
    assert np.abs(flow - flow.T).max() < 1e-3 * flow.max()


@pytest.mark.verifies("eq-path-integrals-schroedinger", by="library")
def test_drift_removed():
    x, t, alpha = sympy.symbols("x t alpha", positive=True)
    phi = sympy.Function("phi")(x, t)
    p = x * sympy.sin(t) + x**3
    total = sympy.integrate(p, x)
    P = phi * sympy.exp(total / alpha)
    residue = sympy.diff(P, t) - alpha / 2 * sympy.diff(P, x, 2) + sympy.diff(p * P, x)
    V = p**2 / (2 * alpha) + sympy.diff(p, x) / 2 + sympy.integrate(sympy.diff(p, t), x) / alpha
    wanted = sympy.diff(phi, t) - alpha / 2 * sympy.diff(phi, x, 2) + V * phi
    assert sympy.simplify(residue / sympy.exp(total / alpha) - wanted) == 0
    # The most probable path feels the slope of alpha V.
    force = alpha / 2 * sympy.diff(p, x, 2) + p * sympy.diff(p, x) + sympy.diff(p, t)
    assert sympy.simplify(alpha * sympy.diff(V, x) - force) == 0


@pytest.mark.verifies("eq-path-integrals-schroedinger", by="property")
def test_both_path_integrals_of_the_double_well():
    def potential(x):
        return hill(x) ** 2 / (2 * 0.5) + (1 - 3 * x**2) / 2

    K = feynman_kac_propagator(WELL, 2, 200, potential, 0.5)
    tilt = np.exp((WELL**2 / 2 - WELL**4 / 4) / 0.5)
    inside = np.abs(WELL) <= 1.6
    G = (tilt[:, None] * K / tilt)[np.ix_(inside, inside)]
    peer = sde_propagator(WELL, 2, 200, hill, 0.5, rule="trapezoid")[np.ix_(inside, inside)]
    assert_allclose(G, peer, rtol=0, atol=1e-3)


@pytest.mark.verifies("eq-path-integrals-chapman", by="property")
def test_kernels_multiply():
    parts = [sde_propagator(X, T, n, back) for T, n in ((0.4, 20), (0.6, 30), (1.0, 50))]
    assert_allclose(parts[0] @ parts[1] * DX, parts[2], rtol=1e-10, atol=1e-13)
    assert np.all(parts[2] >= 0)


@pytest.mark.verifies("eq-path-integrals-chapman", by="closed form")
def test_one_slice_is_a_step():
    found = sde_propagator(X, 0.1, 1, back, 0.7, lam=0)
    gap = X[:, None] - X * 0.9
    exact = np.exp(-(gap**2) / 0.14) / math.sqrt(0.14 * math.pi)
    assert_allclose(found, exact, rtol=1e-10, atol=1e-300)


@pytest.mark.verifies("eq-path-integrals-jacobian", by="closed form")
def test_what_the_factor_saves():
    norms = [
        sde_propagator(X, 1, 50, back, jacobian=kind)[:, 160].sum() * DX
        for kind in ("exact", "exp", "none")
    ]
    # A slice without it sums to 1 / (1 - lam k dt).
    assert_allclose(norms, [1, (math.exp(0.01) / 1.01) ** 50, 1.01**-50], rtol=1e-9)
    assert_allclose(norms, [1.0000, 1.00249, 0.6080], atol=5e-5)
    assert_allclose(math.exp(-0.5), 0.6065, atol=5e-5)


@pytest.mark.verifies("eq-path-integrals-jacobian", by="property")
@pytest.mark.parametrize("lam", [0, 0.25, 0.5, 1])
def test_lambda_does_not_matter(lam):
    exact = ou_propagator(X[:, None], X[None, :], 1, -1.0)
    errors = [
        np.abs(sde_propagator(X, 1, n, back, lam=lam) - exact)[:, NEAR].max() for n in (25, 50)
    ]
    assert errors[1] < 6e-3
    order = math.log2(errors[0] / errors[1])
    assert_allclose(order, 2 if lam == 0.5 else 1, atol=0.1)


def test_errors_of_the_linear_drift():
    exact = ou_propagator(X[:, None], X[None, :], 1, -1.0)

    def error(n, lam):
        return np.abs(sde_propagator(X, 1, n, back, lam=lam) - exact)[:, NEAR].max()

    assert_allclose([error(50, lam) for lam in (0, 0.5, 1)], [5.64e-3, 1.40e-5, 5.63e-3], rtol=5e-3)
    series = [error(n, 0.5) for n in (10, 20, 40, 80)]
    assert_allclose(series, [3.51e-4, 8.76e-5, 2.19e-5, 5.48e-6], rtol=2e-3)


@pytest.mark.verifies("eq-path-integrals-onsager", by="closed form")
def test_action_by_hand():
    path = [0, 0.5, 0.2, 1]
    assert_allclose(om_action(path, 0.1, back, 2.0, lam=0), 2.46225, rtol=1e-12)
    kinds = [om_action(path, 0.1, back, 2.0, jacobian=kind) for kind in ("exact", "exp", "none")]
    assert_allclose(kinds, [2.5672545075, 2.563625, 2.713625], atol=5e-10)
    assert_allclose(kinds[2] - kinds[0], 3 * math.log(1.05), rtol=1e-9)
    assert_allclose(kinds[2] - kinds[1], 0.15, rtol=1e-9)
    # The square of dx - p dt by hand, without averaging: 0.5, -0.25, 0.82.
    assert_allclose(2.46225, (0.5**2 + 0.25**2 + 0.82**2) / 0.4, rtol=1e-12)


@pytest.mark.verifies("eq-path-integrals-onsager", by="property")
@pytest.mark.parametrize("rule", ["midpoint", "trapezoid"])
def test_action_is_the_weight_of_the_kernel(rule):
    path = np.array([-1.0, -0.7, -0.2, 0.1])
    dt, alpha = 0.05, 0.5
    weight = math.exp(-om_action(path, dt, hill, alpha, rule=rule))
    product = 1.0
    for old, new in itertools.pairwise(path):
        grid = np.linspace(old, 2 * new - old, 3)
        product *= sde_propagator(grid, dt, 1, hill, alpha, rule=rule)[1, 0]
    assert_allclose(product, weight / (2 * math.pi * alpha * dt) ** 1.5, rtol=1e-9)


@pytest.mark.verifies("eq-path-integrals-onsager", by="closed form")
def test_action_of_a_smooth_path():
    # x = sin t up to 1 with p = x - x^3, by quadrature of the continuous action.
    t = np.linspace(0, 1, 2001)
    exact = quad(
        lambda s: (math.cos(s) - hill(math.sin(s))) ** 2 / 1.4 + (1 - 3 * math.sin(s) ** 2) / 2,
        0,
        1,
    )[0]
    for rule in ("midpoint", "trapezoid"):
        assert_allclose(om_action(np.sin(t), t[1], hill, 0.7, rule=rule), exact, rtol=1e-3)


def test_orders_of_the_rules():
    exact = refined()
    assert_allclose((RIGHT * exact).sum() * DW, 0.13041, atol=2e-5)
    errors = {}
    for rule in ("midpoint", "trapezoid"):
        ends = [sde_propagator(WELL, 2, n, hill, 0.5, rule=rule) for n in (50, 100, 200)]
        ends = [G @ START * DW for G in ends]
        errors[rule] = [np.abs(P - exact).max() for P in ends]
        assert_allclose(ends[-1].sum() * DW, 1, rtol=1e-3 if rule == "midpoint" else 1e-6)
        share = (RIGHT * ends[-1]).sum() * DW
        assert_allclose(share, {"midpoint": 0.12974, "trapezoid": 0.13042}[rule], atol=5e-6)
    assert_allclose(errors["midpoint"], [1.53e-2, 7.85e-3, 3.97e-3], rtol=5e-3)
    assert_allclose(errors["trapezoid"], [3.9e-4, 1.0e-4, 2.7e-5], rtol=3e-2)
    norms = [
        (sde_propagator(WELL, 2, 200, hill, 0.5, jacobian=kind) @ START).sum() * DW * DW
        for kind in ("exp", "none")
    ]
    assert_allclose(norms, [1.0159, 0.3010], atol=5e-5)


def test_euler_paths():
    x0 = -1 + 0.1 * np.random.default_rng(0).standard_normal(20_000)
    paths = simulate_paths(x0, 2, 200, 20_000, hill, 0.5, rng=1)
    assert paths.shape == (201, 20_000)
    # Four standard errors of a share of 0.13.
    assert abs(np.mean(paths[-1] > 0) - 0.1304) < 0.0095
    again = simulate_paths(x0, 2, 200, 20_000, hill, 0.5, rng=np.random.default_rng(1))
    assert_allclose(again, paths)
    free = simulate_paths(0.0, 1, 1, 50_000, lambda x: 0 * x, 2.0, rng=3)[-1]
    assert_allclose([free.mean(), free.var()], [0, 2], atol=0.05)


@pytest.mark.verifies("eq-path-integrals-trotter", by="closed form")
def test_slices_of_the_oscillator():
    x = np.linspace(-6, 6, 241)
    exact = mehler_kernel(x[:, None], x, 1.0)
    errors = []
    for n in (10, 20, 40):
        K = feynman_kac_propagator(x, 1, n, lambda z: z * z / 2)
        assert_allclose(K, K.T, rtol=0, atol=1e-14)
        errors.append(np.abs(K - exact).max())
    assert_allclose(errors, [3.30e-4, 8.27e-5, 2.07e-5], rtol=5e-3)


@pytest.mark.verifies("eq-path-integrals-trotter", by="literature")
def test_energies():
    # The levels of the quartic oscillator, by a basis of 200 states in other books: 0.667986.
    x = np.linspace(-6, 6, 241)
    for V, dt, levels in (
        (lambda z: z * z / 2, 0.05, [0.49995, 1.49984]),
        (lambda z: z**4, 0.02, [0.66792, 2.39333]),
    ):
        K = feynman_kac_propagator(x, dt, 1, V) * (x[1] - x[0])
        found = -np.log(np.linalg.eigvalsh(K)[::-1][:2]) / dt
        assert_allclose(found, levels, atol=6e-6)
    assert_allclose([0.66792, 2.39333], [0.66799, 2.39364], atol=5e-4)


@pytest.mark.verifies("eq-path-integrals-trace", by="closed form")
def test_trace_of_the_oscillator():
    x = np.linspace(-6, 6, 241)
    found = np.trace(feynman_kac_propagator(x, 1, 20, lambda z: z * z / 2)) * 0.05
    assert_allclose(found, 0.95963, atol=5e-6)
    exact = np.sum(mehler_kernel(x, x, 1.0)) * 0.05
    assert_allclose(exact, 1 / (2 * math.sinh(0.5)), rtol=1e-7)
    assert_allclose(exact, sum(math.exp(-(n + 0.5)) for n in range(60)), rtol=1e-7)


@pytest.mark.verifies("eq-path-integrals-mehler", by="closed form")
def test_mehler_values():
    assert_allclose(mehler_kernel(0.3, -0.2, 1), 0.321081403276, atol=5e-13)
    assert_allclose(mehler_kernel(0, 0, 1, omega=2, alpha=0.5), 0.418962006848, atol=5e-13)
    by_hand = math.sqrt(1 / (2 * math.pi * math.sinh(1))) * math.exp(
        -((0.09 + 0.04) * math.cosh(1) + 0.12) / (2 * math.sinh(1))
    )
    assert_allclose(mehler_kernel(0.3, -0.2, 1), by_hand, rtol=1e-13)
    ground = math.exp(-350) / math.sqrt(math.pi)
    assert_allclose(mehler_kernel(0, 0, 700), ground, rtol=1e-12)


def classical_action(x, y, T, omega):
    c, s = math.cosh(omega * T), math.sinh(omega * T)
    return omega * ((x * x + y * y) * c - 2 * x * y) / (2 * s)


@pytest.mark.verifies("eq-path-integrals-van-vleck", by="property")
@pytest.mark.parametrize(("x", "y", "omega", "alpha"), [(-0.2, 0.3, 2, 0.5), (1.0, 0.4, 0.7, 1.3)])
def test_van_vleck(x, y, omega, alpha):
    h = 1e-3
    corners = [
        sign * classical_action(x + a * h, y + b * h, 1, omega)
        for sign, a, b in ((1, 1, 1), (-1, 1, -1), (-1, -1, 1), (1, -1, -1))
    ]
    mixed = abs(sum(corners)) / (4 * h * h)
    built = math.sqrt(mixed / (2 * math.pi * alpha))
    built *= math.exp(-classical_action(x, y, 1, omega) / alpha)
    assert_allclose(built, mehler_kernel(x, y, 1, omega, alpha), rtol=1e-8)
    if omega == 2:
        assert_allclose(built, 0.2994374289, atol=1e-8)


@pytest.mark.verifies("eq-path-integrals-perturbation", by="property")
def test_perturbation_series():
    def exact(w):
        return math.sqrt(2 * math.pi) * float(mehler_kernel(0, 0, 1, w))

    def series(w):
        return 1 - w**2 / 12 + w**4 / 160

    assert_allclose([exact(0.5), series(0.5)], [0.97954958, 0.97955729], atol=5e-9)
    assert_allclose([exact(2), series(2)], [0.74259, 0.76667], atol=5e-6)
    assert_allclose((exact(0.2) - series(0.2)) / (exact(0.1) - series(0.1)), 64, rtol=2e-2)
    # The first term: minus omega^2 / 2 times the variance s (1 - s) of the bridge.
    assert_allclose(-quad(lambda s: s * (1 - s), 0, 1)[0] / 2, -1 / 12, rtol=1e-12)


@pytest.mark.verifies("eq-path-integrals-constant", by="closed form")
def test_constant_that_was_thrown_away():
    alpha, T, y = 0.7, 1.3, 0.4
    total = quad(
        lambda z: math.exp((z * z - y * y) / (2 * alpha)) * mehler_kernel(z, y, T, 1, alpha),
        -20,
        20,
    )[0]
    assert_allclose(total, math.exp(T / 2), rtol=1e-8)
    assert_allclose(total, 1.91554083, atol=5e-9)


@pytest.mark.verifies("eq-path-integrals-constant", by="property")
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.1, 3), st.floats(0.2, 2), st.floats(0.3, 2))
def test_tilted_oscillator_is_the_linear_drift(x, y, T, omega, alpha):
    M = mehler_kernel(x, y, T, omega, alpha)
    tilt = omega * (x * x - y * y) / (2 * alpha)
    growing = math.exp(tilt - omega * T / 2) * M
    assert_allclose(ou_propagator(x, y, T, omega, alpha), growing, rtol=1e-8, atol=1e-200)
    decaying = math.exp(-tilt + omega * T / 2) * M
    assert_allclose(ou_propagator(x, y, T, -omega, alpha), decaying, rtol=1e-8, atol=1e-200)


def best_path(T):
    def rates(_, y):
        return np.vstack([y[1], hill(y[0]) * (1 - 3 * y[0] ** 2)])

    t = np.linspace(0, T, 201)
    found = solve_bvp(
        rates,
        lambda a, b: np.array([a[0] + 1, b[0] - 1]),
        t,
        np.vstack([np.tanh(t - T / 2), np.cosh(t - T / 2) ** -2.0]),
        tol=1e-8,
        max_nodes=20_000,
    )
    assert found.status == 0
    return found.sol


@pytest.mark.verifies("eq-path-integrals-best-path", by="property")
def test_most_probable_paths():
    values = []
    for T in (2, 4, 8):
        t = np.linspace(0, T, 4001)
        x = best_path(T)(t)[0]
        # Small noise: alpha times the action, less the Jacobian's part.
        dt = t[1] - t[0]
        action = 1e-3 * om_action(x, dt, hill, 1e-3, jacobian="none")
        values.append(action)
        bump = x + 1e-3 * np.sin(math.pi * t / T)
        dent = x - 1e-3 * np.sin(math.pi * t / T)
        for other in (bump, dent):
            assert 1e-3 * om_action(other, dt, hill, 1e-3, jacobian="none") > action
    assert_allclose(values, [1.07551, 0.64693, 0.51279], atol=1e-5)


@pytest.mark.verifies("eq-path-integrals-stock", by="library")
def test_prices():
    s = np.array([50, 80, 100, 150.0])
    found = gbm_density(s, 100, 1, 0.05, 0.2)
    peer = scipy.stats.lognorm(0.2, scale=100 * math.exp(0.05 - 0.02)).pdf(s)
    assert_allclose(found, peer, rtol=1e-12)
    assert_allclose(found[[2, 1]], [0.0197239665454, 0.0111920902809], atol=5e-14)
    assert_allclose(gbm_density([-1, 0], 100, 1), 0)


@pytest.mark.verifies("eq-path-integrals-stock", by="closed form")
@given(st.floats(0.3, 3), st.floats(-0.3, 0.3), st.floats(0.1, 0.5))
@settings(max_examples=20)
def test_mean_price(T, mu, sigma):
    y = np.linspace(-12, 12, 4001)
    s = 100 * np.exp(sigma * math.sqrt(T) * y + (mu - sigma**2 / 2) * T)
    weights = gbm_density(s, 100, T, mu, sigma) * s * sigma * math.sqrt(T) * (y[1] - y[0])
    assert_allclose([weights.sum(), s @ weights], [1, 100 * math.exp(mu * T)], rtol=1e-9)


def test_price_with_the_wrong_alpha():
    # ln S is normal with mean (mu - sigma^2 / 2) T; the variance is sigma^2 T, not sigma T.
    right, wrong = (100 * math.exp(0.05 - 0.02 + var / 2) for var in (0.2**2, 0.2))
    assert_allclose([right, wrong], [105.12711, 113.88284], atol=5e-6)
    logs = simulate_paths(0, 1, 1, 20_000, lambda x: 0.03 + 0 * x, 0.04, rng=0)[-1]
    # Four standard errors of 0.15.
    assert_allclose(100 * np.exp(logs).mean(), right, atol=0.6)


def test_numbers_quoted_in_the_chapter():
    assert_allclose([(1 + n**-0.5) / 2 for n in (2, 80)], [0.854, 0.556], atol=5e-4)
    assert_allclose(1.05**-20, 0.377, atol=5e-4)
    # The limit of the Jacobian, in its place, inflates the norm by T dt p'^2 / 8.
    for dt in (0.2, 0.02):
        norm = (math.exp(0.5 * dt) / (1 + 0.5 * dt)) ** (1 / dt)
        assert_allclose(norm, 1 + dt / 8, atol=dt**2 / 10)
    # The best price of a crossing in a long time is twice the barrier of 1/4.
    t = np.linspace(0, 12, 8001)
    x = best_path(12)(t)[0]
    price = np.sum((np.diff(x) / t[1] - hill((x[1:] + x[:-1]) / 2)) ** 2) * t[1] / 2
    assert_allclose(price, 0.5, atol=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: walk_pmf(0), "`n` must be an integer of at least 1, got 0"),
        (lambda: walk_pmf(3, 1.2), "`p_right` must be from 0 to 1, got 1.2"),
        (lambda: simulate_paths(0, -1, 1, 1, back), "`T` must be positive and finite, got -1"),
        (lambda: simulate_paths(0, 1, 1.5, 1, back), "`n_steps` must be an integer .* got 1.5"),
        (lambda: simulate_paths([0, 1], 1, 1, 3, back), r"`x0` must be a number or of shape \(3,"),
        (lambda: simulate_paths(0, 1, 1, 1, back, method="rk"), "`method` must be 'em' or 'walk'"),
        (
            lambda: simulate_paths(3.0, 1, 2, 1, hill, method="walk"),
            r"`n_steps` must make the walk's .* at most 1, got 16.97; refine",
        ),
        (lambda: ou_propagator(0, 0, 0), "`T` must be positive and finite, got 0"),
        (lambda: ou_propagator(0, 0, 1, np.inf), "`k` must be finite, got inf"),
        (lambda: sde_propagator([0, 1], 1, 1, back), "`x` must be a 1-D increasing grid of 3"),
        (lambda: sde_propagator([0, 1, 3], 1, 1, back), "`x` must be uniform, got steps 1 to 2"),
        (lambda: sde_propagator(X, 1, 1, back, lam=2), "`lam` must be from 0 to 1, got 2"),
        (
            lambda: sde_propagator(X, 1, 1, back, rule="simpson"),
            "`rule` must be 'midpoint' or 'trapezoid', got 'simpson'",
        ),
        (
            lambda: sde_propagator(X, 1, 1, back, jacobian="half"),
            "`jacobian` must be 'exact', 'exp' or 'none', got 'half'",
        ),
        (
            lambda: sde_propagator(X, 4, 1, lambda x: x),
            "`n_slices` must make 1 - lam p' dt positive, got -1: slice too coarse",
        ),
        (lambda: sde_propagator(X, 1, 1, back, -1.0), "`alpha` must be positive and finite"),
        (lambda: om_action([0], 0.1, back), "`path` must be 1-D, finite, of 2 points or more"),
        (lambda: om_action([0, 1], 0, back), "`dt` must be positive and finite, got 0"),
        (lambda: fokker_planck(X, [1, 2], 1, 1, back), r"`P0` must be finite, of shape \(321,\)"),
        (lambda: feynman_kac_propagator(X, 1, True, back), "`n_slices` must be an integer"),
        (lambda: mehler_kernel(0, 0, 1, omega=0), "`omega` must be positive and finite, got 0"),
        (lambda: gbm_density(1, 0, 1), "`s0` must be positive and finite, got 0"),
        (lambda: gbm_density(1, 1, 1, np.nan), "`mu` must be finite, got nan"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
