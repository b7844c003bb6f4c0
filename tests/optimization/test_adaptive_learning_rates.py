"""Facts that the chapter on adaptive learning rates claims."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp

from scispaces.optimization.adaptive_learning_rates import (
    adam,
    arc_length_euler,
    euler_local_error,
    gradient_descent,
    rmsprop,
    rmsprop_gain,
    sign_descent,
)

starts = arrays(float, 3, elements=st.floats(-2, 2).map(lambda v: round(v, 3)))
curvatures = arrays(float, 3, elements=st.floats(0.1, 50).map(lambda v: round(v, 3)))


def identity(theta):
    return theta


def rosenbrock(theta):
    x, y = theta
    return np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])


def rotation(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s], [s, c]])


def steps_to(path, radius=0.05):
    return int(np.argmax(np.linalg.norm(path, axis=1) <= radius))


@pytest.mark.verifies("eq-adaptive-learning-rates-local-error", by="closed form")
def test_local_error():
    leading = euler_local_error(identity, lambda t: np.eye(1), 1.0, 0.1)
    assert_allclose(leading, 0.005, rtol=0, atol=1e-10)
    flow, step = math.exp(-0.1), gradient_descent(identity, 1.0, 0.1, 1)[1, 0]
    assert_allclose(flow - step, 0.0048374180, rtol=0, atol=1e-10)
    # What is left is of third order: -h^3 / 6 here.
    assert_allclose(flow - step - leading, -(0.1**3) / 6, rtol=0.03)


@pytest.mark.verifies("eq-adaptive-learning-rates-local-error", by="library")
def test_local_error_on_a_curved_problem():
    def hessian(t):
        x, y = t
        return np.array([[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200]])

    start, lr = np.array([-1.2, 1.0]), 1e-6
    flow = solve_ivp(
        lambda s, t: -rosenbrock(t), (0, lr), start, rtol=1e-13, atol=1e-15, method="DOP853"
    ).y[:, -1]
    found = np.linalg.norm(flow - gradient_descent(rosenbrock, start, lr, 1)[1])
    # The next order is smaller by lr |H|, about 1.5e-3.
    assert_allclose(found, euler_local_error(rosenbrock, hessian, start, lr), rtol=2e-3)


@pytest.mark.verifies("eq-adaptive-learning-rates-stability", by="closed form")
@given(k=st.floats(0.1, 100), fraction=st.floats(0.05, 1.9))
@settings(deadline=None)
def test_gradient_descent_on_a_parabola(k, fraction):
    path = gradient_descent(lambda t: k * t, 1.0, fraction / k, 40)[:, 0]
    assert_allclose(path, (1 - fraction) ** np.arange(41), rtol=1e-10, atol=1e-14)


@pytest.mark.verifies("eq-adaptive-learning-rates-stability", by="property")
def test_stability_limit():
    below = gradient_descent(lambda t: 7 * t, 1.0, 1.99 / 7, 2000)
    above = gradient_descent(lambda t: 7 * t, 1.0, 2.01 / 7, 2000)
    assert abs(below[-1, 0]) < 1e-8
    assert abs(above[-1, 0]) > 1e8
    # At the limit the leading error is as large as the step.
    error = euler_local_error(lambda t: 7 * t, lambda t: 7 * np.eye(1), 0.3, 2 / 7)
    assert_allclose(error, 2 / 7 * 7 * 0.3, rtol=1e-14)


@pytest.mark.verifies("eq-adaptive-learning-rates-swap", by="closed form")
def test_time_is_solved_for():
    t, theta = arc_length_euler(identity, 1.0, 0.1, 5)
    assert_allclose(t[-1], 0.1 * (1 + 1 / 0.9 + 1 / 0.8 + 1 / 0.7 + 1 / 0.6), rtol=1e-14)
    assert_allclose(t[-1], 0.6456349206349207, rtol=0, atol=1e-12)
    assert_allclose(theta[-1], 0.5, rtol=0, atol=1e-12)
    fine = arc_length_euler(identity, 1.0, 0.001, 500)[0][-1]
    assert_allclose(fine, 0.6926474306, rtol=0, atol=1e-9)
    # First order in ds towards the time of the flow.
    assert_allclose((math.log(2) - t[-1]) / (math.log(2) - fine), 100, rtol=0.06)


@pytest.mark.verifies("eq-adaptive-learning-rates-swap", by="library")
def test_times_agree_with_the_flow_in_the_plane():
    curvature = np.array([1.0, 5.0])
    t, theta = arc_length_euler(lambda v: curvature * v, [1.0, 0.5], 1e-4, 8000)
    flow = np.array([1.0, 0.5]) * np.exp(-np.outer(t, curvature))
    assert_allclose(theta, flow, rtol=0, atol=2e-4)
    assert_allclose(np.linalg.norm(np.diff(theta, axis=0), axis=1), 1e-4, rtol=1e-8)


def test_arc_length_stops_where_the_gradient_is_zero():
    t, theta = arc_length_euler(np.round, 1.0, 0.6, 10)
    assert_allclose(theta[:, 0], [1.0, 0.4], rtol=1e-15)
    assert len(t) == 2


@pytest.mark.verifies("eq-adaptive-learning-rates-sign", by="property")
@given(starts, curvatures)
@settings(deadline=None)
def test_without_memory_it_is_sign_descent(theta0, k):
    signs = sign_descent(lambda t: k * t, theta0, 0.1, 30)
    assert_allclose(rmsprop(lambda t: k * t, theta0, 0.1, 0, 0, 30), signs, rtol=0, atol=1e-12)
    # In one dimension the normalised step is the sign.
    alone = arc_length_euler(lambda t: k[0] * t, theta0[0] + 0.05001, 0.1, 30)[1]
    assert_allclose(alone, sign_descent(identity, theta0[0] + 0.05001, 0.1, 30), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-adaptive-learning-rates-sign", by="closed form")
def test_sign_descent_walks_on_a_grid():
    path = sign_descent(lambda t: t**3, [1.03, -0.52, 0.0], 0.1, 30)
    assert_allclose(path[10], [0.03, 0.08, 0.0], rtol=0, atol=1e-14)
    # From there it goes back and forth between r and r - lr.
    assert_allclose(path[29], [-0.07, -0.02, 0.0], rtol=0, atol=1e-14)
    assert_allclose(path[30], path[10], rtol=0, atol=1e-14)


def test_without_memory_norm_is_normalised_descent():
    path = rmsprop(rosenbrock, [-1.2, 1], 0.01, 0, 0, 50, "norm")
    assert_allclose(path, arc_length_euler(rosenbrock, [-1.2, 1], 0.01, 50)[1], rtol=1e-12)


# Keras 3.15.1, KERAS_BACKEND=jax, x64: RMSprop(0.01, rho=0.9, epsilon=1e-7), and
# Adam(0.01, epsilon=1e-8), applied to a Variable of dtype float64 with these gradients.
KERAS_RMSPROP = {
    1: [-1.1683772233986562, 1.031622776599642],
    2: [-1.1488789101214254, 1.051360980575827],
    3: [-1.1343297935138523, 1.0661665731591108],
    20: [-1.0628243130382808, 1.1323490107839214],
}
KERAS_ADAM = {
    1: [-1.1900000000146673, 1.009999999964065],
    2: [-1.1800319628158613, 1.0199711120652748],
    3: [-1.1701205476955232, 1.0298906188884054],
    20: [-1.0438594611024938, 1.155868735847703],
}


@pytest.mark.verifies("eq-adaptive-learning-rates-rmsprop", by="library")
def test_rmsprop_agrees_with_keras():
    path = rmsprop(rosenbrock, [-1.2, 1], 0.01, 0.9, 1e-7, 20)
    for n, expected in KERAS_RMSPROP.items():
        assert_allclose(path[n], expected, rtol=0, atol=1e-13)
    assert_allclose(
        path[1:4],
        [[-1.16837722, 1.03162278], [-1.14887891, 1.05136098], [-1.13432979, 1.06616657]],
        rtol=0,
        atol=1e-7,
    )


@pytest.mark.verifies("eq-adaptive-learning-rates-norm", by="table")
def test_rmsprop_with_one_learning_rate():
    path = rmsprop(rosenbrock, [-1.2, 1], 0.01, 0.9, 1e-7, 3, "norm")
    expected = [[-1.17072213, 1.01195015], [-1.15188269, 1.01979348], [-1.13732646, 1.02592538]]
    assert_allclose(path[1:], expected, rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-adaptive-learning-rates-adam", by="library")
def test_adam_agrees_with_keras():
    path = adam(rosenbrock, [-1.2, 1], 0.01, steps=20)
    for n, expected in KERAS_ADAM.items():
        # Keras adds eps to the root before the correction: a difference of order eps.
        assert_allclose(path[n], expected, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-adaptive-learning-rates-adam", by="closed form")
def test_first_steps_of_adam():
    # By hand, for a constant gradient: lr with the correction, lr * 0.1 / sqrt(0.001) without.
    def constant(t):
        return np.array([3.0])

    assert_allclose(adam(constant, 0.0, 0.01, eps=0, steps=5)[:, 0], -0.01 * np.arange(6))
    raw = adam(constant, 0.0, 0.01, eps=0, steps=1, bias_correction=False)
    assert_allclose(raw[1], -0.01 * 0.1 / math.sqrt(0.001), rtol=1e-13)
    # Without memory of the gradient it is RMSprop.
    without = adam(rosenbrock, [-1.2, 1], 0.01, 0, 0.9, 0, 30, bias_correction=False)
    assert_allclose(without, rmsprop(rosenbrock, [-1.2, 1], 0.01, 0.9, 0, 30), rtol=1e-13)


@pytest.mark.verifies("eq-adaptive-learning-rates-gain", by="closed form")
def test_gain():
    assert_allclose(
        rmsprop_gain([1, 2, 10, 100], 0.9),
        [3.16227766, 2.29415734, 1.23908835, 1.00001328],
        rtol=0,
        atol=1e-8,
    )
    path = rmsprop(lambda t: np.array([-4.0]), 0.0, 0.01, 0.999, 0, 60)[:, 0]
    assert_allclose(np.diff(path), 0.01 * rmsprop_gain(np.arange(1, 61), 0.999), rtol=1e-9)
    assert_allclose(rmsprop_gain(1, 0.999), 31.6227766, rtol=1e-8)
    n = np.arange(1, 6000)
    assert n[rmsprop_gain(n, 0.999) <= 1.01][0] == 3925


@pytest.mark.verifies("eq-adaptive-learning-rates-bound", by="property")
@given(seed=st.integers(0, 999), rho=st.floats(0, 0.995))
@settings(max_examples=40, deadline=None)
def test_no_step_is_longer_than_the_bound(seed, rho):
    rng = np.random.default_rng(seed)
    path = rmsprop(lambda t: rng.standard_cauchy(3), np.zeros(3), 0.01, rho, 0, 60)
    steps = np.abs(np.diff(path, axis=0))
    bound = 0.01 / math.sqrt(1 - rho)
    assert steps.max() <= bound * (1 + 1e-10)
    assert_allclose(steps[0], bound, rtol=1e-10)


def test_scale_of_the_loss_does_not_matter():
    for mode in ("coordinate", "norm"):
        plain = rmsprop(rosenbrock, [-1.2, 1], 0.01, 0.9, 0, 50, mode)
        scaled = rmsprop(lambda t: 1e3 * rosenbrock(t), [-1.2, 1], 0.01, 0.9, 0, 50, mode)
        assert_allclose(scaled, plain, rtol=0, atol=1e-13)


def test_state():
    path, averages = rmsprop(rosenbrock, [-1.2, 1], steps=7, return_state=True)
    assert averages.shape == path.shape == (8, 2)
    assert_array_equal(averages[0], 0)
    assert_allclose(averages[1], 0.1 * rosenbrock(path[0]) ** 2, rtol=1e-14)
    assert rmsprop(rosenbrock, [-1.2, 1], steps=7, mode="norm", return_state=True)[1].shape == (8,)


@pytest.mark.verifies("eq-adaptive-learning-rates-norm", by="property")
@given(degrees=st.floats(0, 360))
@settings(max_examples=20, deadline=None)
def test_norm_turns_with_the_axes(degrees):
    turn = rotation(degrees)
    plain = rmsprop(rosenbrock, [-1.2, 1], 0.01, 0.9, 1e-8, 30, "norm")
    turned = rmsprop(
        lambda t: turn @ rosenbrock(turn.T @ t), turn @ [-1.2, 1], 0.01, 0.9, 1e-8, 30, "norm"
    )
    # Rounding grows by the curvature, up to 1e3 here.
    assert_allclose(turned, plain @ turn.T, rtol=0, atol=1e-10)


def test_coordinate_turns_with_flips_and_swaps_only():
    def turned_path(turn):
        return rmsprop(lambda t: turn @ rosenbrock(turn.T @ t), turn @ [-1.2, 1], 0.01, steps=30)

    plain = rmsprop(rosenbrock, [-1.2, 1], 0.01, steps=30)
    for turn in (np.array([[0, 1], [1, 0]]), np.diag([-1, 1])):
        assert_array_equal(turned_path(turn), plain @ turn.T)
    turn = rotation(30)
    assert np.abs(turned_path(turn) - plain @ turn.T).max() > 0.05


def test_modes_agree_in_one_dimension():
    plain = rmsprop(lambda t: t**3, 1.0, 0.05, steps=40)
    assert_allclose(rmsprop(lambda t: t**3, 1.0, 0.05, steps=40, mode="norm"), plain, rtol=1e-14)


@pytest.mark.verifies("eq-adaptive-learning-rates-blind", by="property")
@given(starts, curvatures)
@settings(max_examples=40, deadline=None)
def test_curvatures_along_the_axes_do_not_matter(theta0, k):
    plain = rmsprop(identity, theta0, 0.05, 0.9, 0, 12)
    # Twelve steps: later, oscillations may amplify rounding.
    assert_allclose(rmsprop(lambda t: k * t, theta0, 0.05, 0.9, 0, 12), plain, rtol=0, atol=1e-9)


def valley(kappa, degrees, mode, steps):
    turn = rotation(degrees)
    hessian = turn @ np.diag([1.0, kappa]) @ turn.T
    return rmsprop(
        lambda t: hessian @ t, turn @ np.ones(2), 0.01, 0.9, 1e-12, int(steps * 1.1) + 20, mode
    )


@pytest.mark.verifies("eq-adaptive-learning-rates-blind", by="table")
def test_condition_number_sweep():
    kappas = [1, 10, 100, 1000]
    assert [steps_to(valley(k, 0, "coordinate", 112)) for k in kappas] == [112] * 4
    turned = [153, 169, 244, 1661]
    found = [steps_to(valley(k, 45, "coordinate", n)) for k, n in zip(kappas, turned, strict=True)]
    assert_allclose(found, turned, rtol=0.03)
    assert found[3] / found[2] > 5
    for degrees, expected in ((0, [153, 208, 261, 1595]), (45, [153, 208, 282, 1609])):
        found = [
            steps_to(valley(k, degrees, "norm", 1.15 * n))
            for k, n in zip(kappas, expected, strict=True)
        ]
        # The oscillation amplifies rounding.
        assert_allclose(found, expected, rtol=0.1)
    plain = [
        steps_to(gradient_descent(lambda t, k=k: np.array([1, k]) * t, np.ones(2), 1 / k, 3050))
        for k in kappas
    ]
    assert_allclose(plain, [1, 29, 299, 2995], rtol=0, atol=1)


def test_condition_number_ten_thousand():
    assert steps_to(valley(1e4, 0, "coordinate", 112)) == 112
    assert_allclose(steps_to(valley(1e4, 45, "coordinate", 15937)), 15937, rtol=0.03)
    # Gradient descent contracts by 1 - 1/k a step.
    assert math.ceil(math.log(0.05) / math.log(1 - 1e-4)) == 29956


@pytest.mark.verifies("eq-adaptive-learning-rates-cycle", by="closed form")
@pytest.mark.parametrize("k", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("rho", [0.5, 0.9, 0.99])
def test_final_cycle(k, rho):
    path, averages = rmsprop(lambda t: k * t, 0.7, 0.1, rho, 0, 6000, return_state=True)
    assert_allclose(np.abs(path[-20:, 0]), 0.05, rtol=0, atol=1e-9)
    assert_array_equal(np.sign(path[-20::2, 0]), -np.sign(path[-19::2, 0]))
    assert_allclose(0.1 / np.sqrt(averages[-1, 0]), 2 / k, rtol=1e-9)


def deviation(rho, steps):
    """Size of the deviation from the cycle, in the eigenvectors of the linearised map."""
    path, averages = rmsprop(lambda t: t, 1.3, 0.1, rho, 0, steps, return_state=True)
    state = np.log(np.stack([averages[1:, 0], path[1:, 0] ** 2]) / 0.05**2)
    vectors = np.linalg.eig([[rho, 1 - rho], [-2 * rho, 2 * rho - 1]])[1]
    return np.abs(np.linalg.solve(vectors, state.astype(complex))[0])


@pytest.mark.verifies("eq-adaptive-learning-rates-thermostat", by="property")
@pytest.mark.parametrize(("rho", "steps"), [(0.3, 60), (0.5, 90), (0.9, 420)])
def test_speed_of_the_thermostat(rho, steps):
    size = deviation(rho, steps)
    inside = np.flatnonzero((size < 1e-3) & (size > 1e-9))
    rate = np.exp(np.polyfit(inside, np.log(size[inside]), 1)[0])
    # What is beyond first order is below 1e-3.
    assert_allclose(rate, math.sqrt(rho), rtol=1e-3)


@pytest.mark.verifies("eq-adaptive-learning-rates-thermostat", by="library")
@given(st.floats(0.01, 0.99))
@settings(deadline=None)
def test_eigenvalues_of_the_thermostat(rho):
    sizes = np.abs(np.linalg.eigvals([[rho, 1 - rho], [-2 * rho, 2 * rho - 1]]))
    assert sizes.max() < 1
    assert_allclose(np.prod(sizes), rho, rtol=1e-12)
    if rho > 1 / 9 + 1e-6:
        assert_allclose(sizes, math.sqrt(rho), rtol=1e-6)


def random_hessian(seed, d):
    a = np.random.default_rng(seed).normal(size=(d, d + 2))
    return a @ a.T


@pytest.mark.verifies("eq-adaptive-learning-rates-norm-floor", by="closed form")
@pytest.mark.parametrize("seed", range(3))
def test_where_norm_ends(seed):
    hessian = random_hessian(seed, 4)
    start = np.random.default_rng(seed).normal(size=4)
    path, averages = rmsprop(
        lambda t: hessian @ t, start, 0.1, 0.9, 0, 4000, "norm", return_state=True
    )
    values, vectors = np.linalg.eigh(hessian)
    assert_allclose(path[0], start, rtol=1e-15)
    assert_allclose(np.abs(path[-1] @ vectors), [0, 0, 0, 0.05], rtol=0, atol=1e-9)
    assert_allclose(0.1 / np.sqrt(averages[-1]), 2 / values[-1], rtol=1e-9)
    assert_allclose(path[-1] @ hessian @ path[-1] / 2, 0.1**2 * values[-1] / 8, rtol=1e-9)


@pytest.mark.verifies("eq-adaptive-learning-rates-sign-cycle", by="closed form")
@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_where_coordinate_ends(seed):
    hessian = random_hessian(seed, 3)
    start = np.random.default_rng(seed).normal(size=3)
    path, averages = rmsprop(lambda t: hessian @ t, start, 0.1, 0.9, 0, 4000, return_state=True)
    assert_allclose(np.abs(path[-1]), 0.05, rtol=0, atol=1e-7)
    assert_allclose(path[-1], -path[-2], rtol=0, atol=1e-7)
    s = np.sign(path[-1])
    assert_array_equal(s, np.sign(hessian @ s))
    assert_allclose(path[-1] @ hessian @ path[-1] / 2, 0.1**2 * (s @ hessian @ s) / 8, rtol=1e-6)
    # 2 is an eigenvalue of the curvature as the learning rates see it.
    seen = np.linalg.eigvals(0.1 * hessian / np.sqrt(averages[-1])[:, None])
    assert np.abs(seen - 2).min() < 1e-6


def test_not_every_run_ends_in_the_cycle():
    hessian = random_hessian(3, 3)
    start = np.random.default_rng(3).normal(size=3)
    path = rmsprop(lambda t: hessian @ t, start, 0.1, 0.9, 0, 4000)
    assert np.abs(np.abs(path[-50:]) - 0.05).max() > 0.01
    excess = np.einsum("ni,ij,nj->n", path[-1000:], hessian, path[-1000:]) / 2
    assert excess.mean() < 0.1**2 * np.abs(hessian).sum() / 8


@pytest.mark.verifies("eq-adaptive-learning-rates-noise", by="closed form")
def test_averaging_does_not_remove_the_bias():
    rng = np.random.default_rng(4)
    averages = {}
    for rho in (0.9, 0.99):
        noise = rng.normal(0.1, 1.0, size=20_001)
        draws = iter(noise)
        averages[rho] = rmsprop(
            lambda t, draws=draws: np.array([next(draws)]), 0.0, 0.01, rho, 0, 20_000,
            return_state=True,
        )[1][1000:, 0]  # fmt: skip
    # The squares have variance 2 + 4 * 0.01; the mean of 19000 of them has an error of 0.0104.
    for values in averages.values():
        assert_allclose(values.mean(), 0.1**2 + 1, rtol=0, atol=0.045)
    assert averages[0.99].std() < 0.4 * averages[0.9].std()


def test_convergence_is_a_mirage():
    size = np.abs(rmsprop(identity, 1.0, 0.1, 0.9, 0, 200)[:, 0])
    assert_allclose(size[[10, 20, 100]], [3.2e-2, 6.9e-5, 2.4e-2], rtol=0.02)
    # Rounding decides where between them the smallest values lie.
    assert size[40] < 1e-16
    assert size[60] < 1e-11
    assert_allclose(size[200], 0.05, rtol=0.01)


def test_numbers_quoted_in_the_chapter():
    # Around these steps of the mirage the effective rate passes 1 / k, then 2 / k.
    g2 = np.square(rmsprop(lambda t: t, 1.0, lr=0.1, eps=0, steps=60)[:, 0])
    average, rates = 0.0, []
    for square in g2[:-1]:
        average = 0.9 * average + 0.1 * square
        rates.append(0.1 / math.sqrt(average))
    assert [np.argmax(np.array(rates) > edge) + 1 for edge in (1, 2)] == [31, 44]
    assert 1000 / 2 * math.log(20) == pytest.approx(1498, abs=0.5)
    # The floor that eps = 1e-7 inside the root sets.
    assert_allclose(math.sqrt(1e-7), 3.2e-4, rtol=0.02)
    path = rmsprop(lambda t: 1e-5 * t, 1.0, 0.01, 0.9, 1e-7, 1)
    assert_allclose(1 - path[1, 0], 0.01 * 1e-5 / math.sqrt(1e-11 + 1e-7), rtol=1e-9)
    # Learning rates that the last steps use: eps outside would give almost lr.
    assert_allclose(1e-5 / math.sqrt(1e-10 + 1e-7), 0.0316, rtol=1e-2)
    assert_allclose(1e-5 / (1e-5 + 1e-7), 0.990, rtol=1e-3)


def test_a_network_is_driven_to_the_edge_too():
    # The training run of the chapter: 6 tanh units, 20 points, one learning rate.
    u = np.linspace(-1, 1, 20)

    def grad(theta):
        a, b, c, d = theta[:6], theta[6:12], theta[12:18], theta[18]
        hidden = np.tanh(np.outer(u, a) + b)
        off = (hidden @ c + d - np.sin(np.pi * u) - 0.5 * u) / 20
        back = np.outer(off, c) * (1 - hidden**2)
        return np.concatenate([u @ back, back.sum(0), hidden.T @ off, [off.sum()]])

    def sharpness(theta, h=1e-5):
        rows = [(grad(theta + e) - grad(theta - e)) / (2 * h) for e in h * np.eye(19)]
        return np.linalg.eigvalsh((np.array(rows) + np.transpose(rows)) / 2)[-1]

    start = np.random.default_rng(0).normal(size=19)
    for lr in (0.005, 0.02, 0.05):
        path, averages = rmsprop(
            grad, start, lr, eps=1e-12, steps=2000, mode="norm", return_state=True
        )
        seen = lr * sharpness(path[-1]) / math.sqrt(averages[-1])
        # The curvature goes on changing: measured 2.001, 1.997, 2.005.
        assert_allclose(seen, 2, rtol=0, atol=0.02)


def test_edges():
    assert_array_equal(rmsprop(np.zeros_like, [1.0, 2.0], eps=0, steps=3), [[1.0, 2.0]] * 4)
    assert_array_equal(adam(np.zeros_like, 1.0, eps=0, steps=2), [[1.0]] * 3)
    assert gradient_descent(identity, 1.0, 0.1, 0).shape == (1, 1)

    def in_place(theta):
        theta *= 2
        return theta

    path = gradient_descent(in_place, [1.0, 1.0], 0.1, 2)
    assert_allclose(path[:, 0], [1, 0.8, 0.64], rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_descent(identity, 1, 0, 1), "`lr` must be positive and finite, got 0"),
        (lambda: sign_descent(identity, 1, math.nan, 1), "`lr` must be positive .* got nan"),
        (lambda: arc_length_euler(identity, 1, math.inf, 1), "`ds` must be positive .* got inf"),
        (lambda: gradient_descent(identity, 1, 0.1, -1), "`steps` must be an integer .* got -1"),
        (lambda: gradient_descent(identity, 1, 0.1, 1.0), "`steps` must be an integer .* got 1.0"),
        (lambda: gradient_descent(identity, [[1]], 0.1, 1), r"`theta0` must .* shape \(1, 1\)"),
        (lambda: gradient_descent(identity, [], 0.1, 1), r"`theta0` must .* shape \(0,\)"),
        (lambda: rmsprop(identity, [1, math.nan]), "`theta0` must be finite, got nan"),
        (lambda: rmsprop(identity, 1, rho=1), "`rho` must be at least 0 and less than 1, got 1"),
        (lambda: rmsprop(identity, 1, eps=-1), "`eps` must be finite and not negative, got -1"),
        (lambda: rmsprop(identity, 1, mode="both"), '`mode` must be .* got \'both\''),
        (lambda: adam(identity, 1, beta1=-0.1), "`beta1` must be at least 0 .* got -0.1"),
        (lambda: adam(identity, 1, beta2=1), "`beta2` must be at least 0 .* got 1"),
        (lambda: gradient_descent(lambda t: [1, 2], 1, 0.1, 1), r"`grad` must return shape \(1,\)"),
        (lambda: rmsprop_gain(0, 0.9), "`n` must be at least 1, got 0"),
        (
            lambda: euler_local_error(identity, lambda t: np.eye(1), math.inf, 0.1),
            "`theta` must be finite, got inf",
        ),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
