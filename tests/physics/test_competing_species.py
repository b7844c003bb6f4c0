"""Facts that the chapter on competing species claims."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp
from scipy.optimize import root

from scispaces.physics.competing_species import (
    classify,
    coexistence,
    jacobian,
    latex_system,
    lyapunov,
    outcome,
    rhs,
    separatrix,
    simulate,
)

POND = [0.1, 0.3], [500, 1000 / 3], [1e-4, 2e-4]
RIVALS = [0.1, 0.3], [500, 1000 / 3], [4e-4, 8e-4]
START = [100, 150]

positive = st.floats(0.05, 2.0)
pairs = st.tuples(positive, positive).map(np.array)
# Any rates and capacities, and pressures a_1 N_2 / r_1 and a_2 N_1 / r_2 on both sides of 1.
cases = st.tuples(pairs, st.tuples(positive, positive), pairs).map(
    lambda c: (c[0], 300 * np.array(c[1]), c[2] * c[0] / (300 * np.array(c[1])[::-1]))
)


def sides(r, N, a):
    """Return the pressures on species 1 and 2."""
    return np.array(a) * np.array(N)[::-1] / np.array(r)


def distinct(case):
    """Whether no pressure, nor their product, is near 1, where equilibria merge."""
    pressures = sides(*case)
    return np.all(np.abs([*pressures - 1, np.prod(pressures) - 1]) > 1e-2)


@pytest.mark.verifies("eq-competing-species-model", by="closed form")
def test_rates_by_hand():
    # 0.1 * 100 * 0.8 - 1e-4 * 15000, and 0.3 * 150 * 0.55 - 2e-4 * 15000.
    assert_allclose(rhs(START, *POND), [6.5, 21.75], rtol=1e-13)
    grid = rhs(np.full((3, 4, 2), START), *POND)
    assert_allclose(grid, np.full((3, 4, 2), [6.5, 21.75]), rtol=1e-13)
    many = rhs(START, POND[0], POND[1], [[1e-4, 2e-4], [0, 0]])
    assert_allclose(many, [[6.5, 21.75], [8, 24.75]], rtol=1e-13)


@pytest.mark.verifies("eq-competing-species-logistic", by="closed form")
@pytest.mark.parametrize("a", [[0, 0], [1e-4, 2e-4]])
def test_alone(a):
    t = np.linspace(0, 40, 9)
    alone = simulate(t, [100, 0], *POND[:2], a)
    assert_allclose(alone[:, 0], 500 / (1 + 4 * np.exp(-t / 10)), rtol=1e-7)
    assert_array_equal(alone[:, 1], 0)
    both = simulate(t, START, *POND[:2], [0, 0])
    exact = 1000 / 3 / (1 + (1000 / 3 / 150 - 1) * np.exp(-0.3 * t))
    assert_allclose(both[:, 1], exact, rtol=1e-7)


@pytest.mark.verifies("eq-competing-species-equilibrium", by="closed form")
def test_equilibrium_of_the_pond():
    # The post: x2 settles at 250.
    assert_allclose(coexistence(*POND), [375, 250], rtol=1e-13)
    assert_allclose(coexistence(*RIVALS), [1500 / 7, 1000 / 7], rtol=1e-13)
    assert_allclose(coexistence([1, 1], [1, 1], [2, 2]), [1 / 3, 1 / 3], rtol=1e-14)


@pytest.mark.verifies("eq-competing-species-equilibrium", by="library")
@given(cases)
@settings(max_examples=60)
def test_equilibrium_agrees_with_a_root_finder(case):
    point = coexistence(*case)
    assume(point is not None and distinct(case))
    found = root(
        lambda x: rhs(x, *case), point * [1.01, 0.99], jac=lambda x: jacobian(x, *case), tol=1e-13
    )
    assert_allclose(found.x, point, rtol=1e-7)
    share = (1 - sides(*case)) / (1 - np.prod(sides(*case)))
    assert_allclose(point / case[1], share, rtol=1e-9)


def test_no_equilibrium_inside():
    assert coexistence(*POND[:2], [1e-4, 8e-4]) is None
    assert coexistence([1, 1], [1, 1], [1, 1]) is None  # the nullclines coincide
    assert coexistence([1, 1], [1, 2], [0.5, 1]) is None  # on the edge: at (0, 2)


@pytest.mark.verifies("eq-competing-species-jacobian", by="closed form")
def test_eigenvalues_of_the_pond():
    rates = np.sort(np.linalg.eigvals(jacobian([375, 250], *POND)))
    assert_allclose(rates, [-0.15 - math.sqrt(0.0075), -0.15 + math.sqrt(0.0075)], rtol=1e-12)
    assert_allclose(rates, [-0.2366025404, -0.0633974596], atol=5e-11)
    rates = np.sort(np.linalg.eigvals(jacobian([1 / 3, 1 / 3], [1, 1], [1, 1], [2, 2])))
    assert_allclose(rates, [-1, 1 / 3], rtol=1e-12)


@pytest.mark.verifies("eq-competing-species-jacobian", by="property")
@given(cases, pairs)
def test_jacobian_is_the_derivative(case, share):
    x, h = share * case[1], 1e-3
    slopes = [(rhs(x + s, *case) - rhs(x - s, *case)) / (2 * h) for s in h * np.eye(2)]
    # The rates are quadratic: the difference quotient errs by rounding alone.
    assert_allclose(jacobian(x, *case), np.transpose(slopes), rtol=1e-8, atol=1e-9)
    point = coexistence(*case)
    if point is not None and np.all(point < 50 * case[1]):
        b = case[0] / case[1]
        by_hand = -point[:, None] * [[b[0], case[2][0]], [case[2][1], b[1]]]
        assert_allclose(jacobian(point, *case), by_hand, rtol=0, atol=1e-9 * np.abs(by_hand).max())


@pytest.mark.verifies("eq-competing-species-determinant", by="property")
@given(cases)
def test_trace_and_determinant(case):
    point = coexistence(*case)
    assume(point is not None and distinct(case))
    J, b = jacobian(point, *case), case[0] / case[1]
    assert_allclose(np.trace(J), -b @ point, rtol=1e-9)
    by_hand = (np.prod(b) - np.prod(case[2])) * np.prod(point)
    # What is left after the differences is a hundredth at least.
    assert_allclose(np.linalg.det(J), by_hand, rtol=1e-8)


@pytest.mark.verifies("eq-competing-species-real", by="property")
@given(cases)
def test_competitors_never_spiral(case):
    point = coexistence(*case)
    assume(point is not None)
    J = jacobian(point, *case)
    discriminant = np.trace(J) ** 2 - 4 * np.linalg.det(J)
    by_hand = (J[0, 0] - J[1, 1]) ** 2 + 4 * np.prod(case[2]) * np.prod(point)
    assert_allclose(discriminant, by_hand, rtol=1e-7)
    assert by_hand > 0
    assert classify(J) in {"stable node", "saddle", "degenerate"}


@pytest.mark.parametrize(
    ("J", "expected"),
    [
        ([[-1, 0], [0, -2]], "stable node"),
        ([[3, 1], [0, 3]], "unstable node"),
        ([[-1, 1], [0, -1]], "stable node"),  # a double eigenvalue
        ([[-1, -5], [5, -1]], "stable focus"),
        ([[1, -5], [5, 1]], "unstable focus"),
        ([[0, -2], [1, 0]], "center"),
        ([[1, 3], [3, 1]], "saddle"),
        ([[1, 1], [1, 1]], "degenerate"),
        ([[0, 0], [0, 0]], "degenerate"),
    ],
)
def test_types(J, expected):
    assert classify(J) == expected
    assert classify(1e-9 * np.array(J)) == expected


@pytest.mark.verifies("eq-competing-species-invasion", by="library")
def test_invasion_is_an_eigenvalue():
    for case, expected in ((POND, [2 / 30, 0.2]), (RIVALS, [-1 / 30, -0.1])):
        r, N, a = case
        rare = np.array(r) - np.array(a) * N[::-1]
        assert_allclose(rare, expected, rtol=1e-12)
        assert_allclose(np.linalg.eigvals(jacobian([N[0], 0], *case)), [-r[0], rare[1]], rtol=1e-12)
        eigenvalues = np.sort(np.linalg.eigvals(jacobian([0, N[1]], *case)))
        assert_allclose(eigenvalues, np.sort([-r[1], rare[0]]), rtol=1e-12)
    assert classify(jacobian([500, 0], *POND)) == classify(jacobian([0, 1000 / 3], *POND))
    assert classify(jacobian([500, 0], *POND)) == "saddle"


FATES = {
    (1e-4, 2e-4): "coexistence",
    (1e-4, 8e-4): "species 1 wins",
    (4e-4, 2e-4): "species 2 wins",
    (4e-4, 8e-4): "bistable",
    (3e-4, 8e-4): "degenerate",
    (0, 0): "coexistence",
}


@pytest.mark.verifies("eq-competing-species-cases", by="property")
@pytest.mark.parametrize(("a", "expected"), FATES.items())
def test_outcomes(a, expected):
    assert outcome(*POND[:2], a) == expected


@pytest.mark.verifies("eq-competing-species-cases", by="property")
@given(cases, st.booleans())
@settings(max_examples=40, deadline=None)
def test_outcome_is_what_happens(case, ahead):
    r, N, a = case
    pressures = sides(*case)
    assume(np.all(np.abs(pressures - 1) > 0.1))
    start = N * ([0.9, 0.01] if ahead else [0.01, 0.9])
    end = simulate([0, 2000 / min(r)], start, *case)[-1]
    survivors = tuple(end > 1e-3 * N)
    expected = {
        "coexistence": (True, True),
        "species 1 wins": (True, False),
        "species 2 wins": (False, True),
        "bistable": (ahead, not ahead),
    }
    assert survivors == expected[outcome(*case)]
    swapped = outcome(r[::-1], N[::-1], a[::-1])
    assert swapped.translate(str.maketrans("12", "21")) == outcome(*case)


@pytest.mark.verifies("eq-competing-species-scaling", by="property")
@given(cases, st.floats(0.1, 10), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_units_do_not_matter(case, c, k):
    r, N, a = case
    scaled = c * r, k * N, c / k * a
    assume(np.all(np.abs(sides(*case) - 1) > 1e-6))
    assert outcome(*scaled) == outcome(*case)
    start = 0.3 * N
    before = simulate([0, 5], start, *case)[-1]
    after = simulate([0, 5 / c], k * start, *scaled)[-1]
    assert_allclose(after, k * before, rtol=1e-6)
    # Rate and loss of one species together: the equilibrium stays.
    faster = r * [1, c], N, a * [1, c]
    assert outcome(*faster) == outcome(*case)
    point = coexistence(*case)
    if point is not None:
        assert_allclose(coexistence(*faster), point, rtol=1e-7)
        assert_allclose(coexistence(*scaled), k * point, rtol=1e-7)
        assert_allclose(jacobian(k * point, *scaled), c * jacobian(point, *case), rtol=1e-8)


def test_run_of_the_post():
    found = simulate([0, 50, 200], START, *POND)
    # Taylor series of mpmath.odefun with 30 digits.
    assert_allclose(found[1], [342.950421, 259.353124], atol=1e-5)
    assert_allclose(found[2], [374.9974, 250.0008], atol=1e-4)
    peer = solve_ivp(
        lambda _, x: rhs(x, *POND), (0, 50), START, method="DOP853", rtol=1e-12, atol=1e-12
    )
    assert_allclose(found[1], peer.y[:, -1], rtol=1e-8)
    t = np.linspace(0, 200, 20001)
    x = simulate(t, START, *POND)
    peak = np.argmax(x[:, 1])
    assert_allclose([t[peak], *x[peak]], [14.98, 196.56, 289.658], atol=1e-2)
    assert np.all(np.diff(x[:, 0]) > 0)


@given(cases, pairs)
@settings(max_examples=30, deadline=None)
def test_populations_stay_in_their_box(case, share):
    start = share * case[1]
    x = simulate(np.linspace(0, 30, 50), start, *case)
    assert np.all(x > 0)
    assert np.all(x <= np.maximum(start, case[1]) * (1 + 1e-7))


@pytest.mark.verifies("eq-competing-species-dulac", by="library")
def test_no_cycles():
    x, y, r1, r2, b1, b2, a1, a2 = sympy.symbols("x y r1 r2 b1 b2 a1 a2", positive=True)
    flow = x * (r1 - b1 * x - a1 * y), y * (r2 - b2 * y - a2 * x)
    divergence = sympy.diff(flow[0] / (x * y), x) + sympy.diff(flow[1] / (x * y), y)
    assert sympy.simplify(divergence + b1 / y + b2 / x) == 0
    # The module's own rates, by differences.
    at, h = np.array([120.0, 80.0]), 1e-3
    total = sum(
        (rhs(at + s, *POND)[i] / np.prod(at + s) - rhs(at - s, *POND)[i] / np.prod(at - s))
        / (2 * h)
        for i, s in enumerate(h * np.eye(2))
    )
    assert_allclose(total, -0.1 / 500 / 80 - 0.0009 / 120, rtol=1e-7)


@pytest.mark.verifies("eq-competing-species-descent", by="property")
@given(cases, pairs)
def test_descent(case, share):
    r, N, a = case
    point = coexistence(*case)
    assume(point is not None and np.all(point < 20 * N))
    x = share * N
    flow = rhs(x, *case)
    h = 1e-4 * np.min(x) / (np.abs(flow).max() + 1e-9)
    slope = (lyapunov(x + h * flow, *case) - lyapunov(x - h * flow, *case)) / (2 * h)
    u, w = x - point
    b = r / N
    by_hand = -(a[1] * b[0] * u**2 + 2 * a[0] * a[1] * u * w + a[0] * b[1] * w**2)
    # Rounding of V, divided by the step.
    size = a[1] * b[0] * u**2 + a[0] * b[1] * w**2
    rounding = 1e-15 * a.sum() * (x + point).max() * 20 / h
    assert_allclose(slope, by_hand, rtol=0, atol=1e-5 * size + rounding)
    if outcome(*case) == "coexistence":
        assert by_hand <= 0


@pytest.mark.verifies("eq-competing-species-descent", by="closed form")
def test_volterra_function_of_the_pond():
    at_start = 2e-4 * (100 - 375 - 375 * math.log(100 / 375))
    at_start += 1e-4 * (150 - 250 - 250 * math.log(150 / 250))
    assert_allclose(lyapunov(START, *POND), at_start, rtol=1e-12)
    assert_allclose(at_start, 0.0469023286, atol=5e-11)
    assert_allclose(lyapunov([375, 250], *POND), 0, atol=1e-15)
    V = lyapunov(simulate(np.linspace(0, 60, 61), START, *POND), *POND)
    assert np.all(np.diff(V) < 0)
    alone = lyapunov([[100, 150]], [0.1, 0.3], [500, 300], [0, 1e-4])
    assert np.all(alone > 1)  # weights 1


@pytest.mark.verifies("eq-competing-species-separatrix", by="property")
@pytest.mark.parametrize("speed", [0.5, 1, 2])
def test_separatrix_near_the_origin(speed):
    case = [0.1, 0.3 * speed], RIVALS[1], [4e-4, 8e-4 * speed]
    border = np.log(separatrix(*case))
    slope = (border[20, 1] - border[0, 1]) / (border[20, 0] - border[0, 0])
    assert_allclose(slope, 3 * speed, rtol=1e-3)


@pytest.mark.verifies("eq-competing-species-separatrix", by="property")
def test_separatrix_decides():
    border = separatrix(*RIVALS)
    assert border.shape == (401, 2)
    assert_allclose(border[200], [1500 / 7, 1000 / 7], rtol=1e-13)
    assert_allclose(np.max(border[0] / RIVALS[1]), 1e-6, rtol=1e-8)
    assert_allclose(np.max(border[-1] / RIVALS[1]), 1.5, rtol=1e-8)
    assert np.all(np.diff(border, axis=0) > 0)
    for row in (120, 195, 230, 380):
        for side, winner in ((1 + 1e-4, 0), (1 - 1e-4, 1)):
            end = simulate([0, 3000], border[row] * [side, 1], *RIVALS)[-1]
            assert np.argmax(end) == winner
    # The flow is tangent to the border.
    step, flow = border[301] - border[299], rhs(border[300], *RIVALS)
    assert abs(step[0] * flow[1] - step[1] * flow[0]) < 1e-4 * np.linalg.norm(
        step
    ) * np.linalg.norm(flow)


@pytest.mark.verifies("eq-competing-species-separatrix", by="closed form")
def test_separatrix_of_equals_is_the_diagonal():
    border = separatrix([1, 1], [1, 1], [2, 2], n=50)
    assert_allclose(border[:, 0], border[:, 1], rtol=1e-12)
    assert_allclose(border[50], [1 / 3, 1 / 3], rtol=1e-14)
    assert_allclose(border[[0, -1], 0], [1e-6, 1.5], rtol=1e-8)


def arrival(offset):
    """Return when species 1 reaches 490, started off the border, and the rate that sets it."""
    border = separatrix(*RIVALS)
    start = border[260] * [1 + offset, 1]
    t = np.linspace(0, 1500, 150_001)
    return t[np.argmax(simulate(t, start, *RIVALS)[:, 0] > 490)]


@pytest.mark.verifies("eq-competing-species-dwell", by="property")
def test_waiting_near_the_saddle():
    growing = np.linalg.eigvals(jacobian([1500 / 7, 1000 / 7], *RIVALS)).max()
    times = [arrival(offset) for offset in (1e-3, 1e-4, 1e-5)]
    # Grid of times 0.01; the start is off the linear regime by a thousandth.
    assert_allclose(np.diff(times), math.log(10) / growing, rtol=2e-3)
    assert_allclose(growing, 0.02214, atol=5e-6)
    assert_allclose(math.log(10) / growing, 104.0, atol=0.05)


@pytest.mark.verifies("eq-competing-species-harvest", by="property")
@given(cases, st.floats(0, 0.9), pairs)
def test_harvest(case, share, at):
    r, N, a = case
    h, x = share * r[0], at * N
    caught = rhs(x, *case) - [h * x[0], 0]
    other = rhs(x, r - [h, 0], N * [1 - h / r[0], 1], a)
    assert_allclose(caught, other, rtol=0, atol=1e-12 * np.max(r * x * (1 + at)) * 10)


@pytest.mark.verifies("eq-competing-species-relaxation", by="property")
def test_relaxation():
    slow = 0.15 - math.sqrt(0.0075)
    x = simulate([0, 100, 140], START, *POND) - [375, 250]
    assert_allclose(np.log(x[1] / x[2]) / 40, slow, rtol=1e-2)
    assert_allclose([1 / slow, math.log(100) / slow], [15.8, 72.6], atol=0.05)


def grid_labels(n=40, steps=1500):
    r, N = np.array(POND[0]), np.array(POND[1])
    a = np.stack(np.meshgrid(np.linspace(0, 6e-4, n), np.linspace(0, 1.2e-3, n)), axis=-1)
    x = np.array([np.broadcast_to(s, a.shape) for s in ([10.0, 300.0], [450.0, 5.0])])
    labels = {}
    for step in range(1, steps + 1):
        k1 = rhs(x, r, N, a)
        k2 = rhs(x + k1 / 2, r, N, a)
        k3 = rhs(x + k2 / 2, r, N, a)
        x = x + (k1 + 2 * k2 + 2 * k3 + rhs(x + k3, r, N, a)) / 6
        if step in (400, steps):
            alive = x > 0.01 * N
            both, one = alive[0].all(axis=-1), alive[0, ..., 0]
            same = (alive[0] == alive[1]).all(axis=-1)
            label = np.where(both, "coexistence", np.where(one, "species 1 wins", "species 2 wins"))
            labels[step] = np.where(same, label, "bistable")
    theory = np.array([[outcome(r, N, pair) for pair in row] for row in a])
    return [(label == theory).mean() for label in labels.values()]


def test_map_of_outcomes():
    early, late = grid_labels()
    # 3 and 69 of 1600 cells, all on a border, where relaxation is infinitely slow.
    assert late >= 0.99
    assert_allclose([early, late], [1531 / 1600, 1597 / 1600], atol=2.5 / 1600)


def euler(dt, steps):
    x = np.array(START, dtype=float)
    rows = [x]
    for _ in range(steps):
        x = x + dt * rhs(x, *POND)
        rows.append(x)
    return np.array(rows)


def test_euler_steps_that_are_too_long():
    assert_allclose(2 / 0.2366025404, 8.45, atol=5e-3)
    assert_allclose(euler(5, 200)[-1], [375, 250], rtol=1e-6)
    tail = euler(9, 400)[-2:, 1]
    assert abs(tail[1] - tail[0]) > 50
    assert_allclose(euler(12, 2)[2, 1], -109.3, atol=0.05)


def test_numbers_quoted_in_the_chapter():
    border = separatrix(*RIVALS)
    needed = np.interp([150.0], border[:, 1], border[:, 0])[0]
    assert_allclose(needed, 218.3, atol=0.05)
    for start, winner in ((218, 1), (219, 0)):
        end = simulate([0, 2000], [start, 150], *RIVALS)[-1]
        assert np.argmax(end) == winner
    assert_allclose(sides(*POND), [1 / 3, 1 / 3], rtol=1e-12)
    assert_allclose(sides(*RIVALS), [4 / 3, 4 / 3], rtol=1e-12)
    # Enough to hold back the faster species, at two speeds.
    heads = []
    for speed in (0.2, 1.0, 3.0):
        case = [0.1, 0.3 * speed], RIVALS[1], [4e-4, 8e-4 * speed]
        border = separatrix(*case)
        heads.append(np.interp(100.0, border[:, 0], border[:, 1]))
    t = np.linspace(0, 200, 20001)
    x = simulate(t, START, *POND)
    assert_allclose(t[np.argmax(x[:, 0] > x[:, 1])], 29.2, atol=0.05)
    assert_allclose(t[np.argmax(x[:, 0] > 0.99 * 375)], 84.9, atol=0.05)
    assert_allclose(math.log(275 / 3.75) / 0.0633974596, 67.75, atol=0.05)
    assert_allclose(heads, [88.1, 18.0, 0.38], rtol=1e-2)


def test_latex():
    text = latex_system([0.1, 2], [500, 1000 / 3], [1e-5, 2e-4])
    assert text.startswith(r"\left\{\begin{aligned}\dot x_1 &= 0.1\,x_1\left(1-\frac{x_1}{500}")
    assert text.endswith(r"-0.0002\,x_1x_2\end{aligned}\right.")
    assert r"-1\times10^{-5}\,x_1x_2\\ \dot x_2 &= 2\,x_2\left(1-\frac{x_2}{333.333}\right)" in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rhs([1, 2, 3], *POND), r"`x` must have a last axis of length 2, got shape \(3,\)"),
        (lambda: rhs(1.0, *POND), r"`x` must have a last axis of length 2, got shape \(\)"),
        (lambda: rhs([1, 2], [0, 1], *POND[1:]), r"`r` must be positive and finite .* got \[0"),
        (lambda: jacobian([1, np.nan], *POND), r"`x` must be two finite numbers, got \[1.0, nan\]"),
        (lambda: jacobian([[1, 2]], *POND), r"`x` must be two finite numbers, got \[\[1"),
        (lambda: coexistence([1, 1], [1, -1], [1, 1]), r"`N` must be positive and finite"),
        (lambda: outcome([1, 1], [1, 1], [-1, 1]), r"`a` must be finite and not negative"),
        (lambda: outcome([1, 1], [1, 1], [1, 1, 1]), r"`a` must have a last axis of length 2"),
        (lambda: classify([1, 2]), r"`J` must be a finite matrix of shape \(2, 2\), got"),
        (lambda: classify([[1, 2], [3, np.inf]]), r"`J` must be a finite matrix"),
        (
            lambda: lyapunov([0, 1], *POND),
            r"`x` must be positive \(the logarithm is taken\), got 0",
        ),
        (lambda: lyapunov([1, 1], *POND[:2], [1e-4, 8e-4]), r"`a` must leave an equilibrium"),
        (lambda: simulate([0], START, *POND), r"`t` must be 1-D, finite and increasing"),
        (lambda: simulate([1, 0], START, *POND), r"`t` must be 1-D, finite and increasing"),
        (
            lambda: simulate([0, 1], [-1, 1], *POND),
            r"`x0` must not be negative \(animals\), got -1",
        ),
        (lambda: separatrix(*POND), r"`a` must make the outcome bistable, got .* coexistence"),
        (lambda: separatrix(*RIVALS, n=1), r"`n` must be an integer of at least 2, got 1"),
        (lambda: separatrix(*RIVALS, n=True), r"`n` must be an integer .* got True"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
