"""Facts that the chapter on custom optimizers claims."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from scispaces.cooler_keras.custom_optimizers import (
    GradientModel,
    HeavyBall,
    HeunModel,
    PlainSGD,
    gradient_flow_step,
    minimize,
    stability_limit,
    stability_polynomial,
)

# Keras 3.15.1 under numpy 2: `Variable.__array__` has no argument `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

METHODS = [("euler", 1), ("heun", 1), ("rk4", 1), ("chebyshev", 2), ("chebyshev", 5)]
every_method = pytest.mark.parametrize(("method", "stages"), METHODS)


def valley(x):
    return np.array([1.0, 25.0]) * x


# The stability polynomials


@pytest.mark.verifies("eq-custom-optimizers-heun", by="closed form")
@pytest.mark.verifies("eq-custom-optimizers-recurrence", by="table")
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("euler", [0.95, -0.25]),
        ("heun", [0.95125, 0.53125]),
        ("rk4", [0.95122943, 0.30745443]),
        ("chebyshev", [0.95055933, 0.06585804]),
    ],
)
def test_one_step_in_the_valley(method, expected):
    step = gradient_flow_step(valley, [1.0, 1.0], 0.05, method, stages=5)
    assert_allclose(step, expected, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-custom-optimizers-polynomials", by="property")
@pytest.mark.verifies("eq-custom-optimizers-chebyshev", by="property")
@every_method
@given(st.floats(0.01, 40), st.floats(0.1, 10))
def test_polynomial_is_the_factor_of_a_step(method, stages, z, curvature):
    step = gradient_flow_step(lambda x: curvature * x, 3.0, z / curvature, method, stages)
    expected = 3 * stability_polynomial(z, method, stages)
    # Cancelling terms of the polynomial reach the size of its terms' sum.
    size = 3 * (1 + z) ** 4 if method != "chebyshev" else 3 * (1 + z**stages)
    assert_allclose(step, expected, rtol=0, atol=1e-13 * size)


@pytest.mark.verifies("eq-custom-optimizers-polynomials", by="closed form")
def test_polynomials_by_hand():
    for z in (0.5, 1.0, 2.0, 2.5):
        assert_allclose(stability_polynomial(z, "euler"), 1 - z, rtol=1e-15)
        assert_allclose(stability_polynomial(z, "heun"), 1 - z + z * z / 2, rtol=1e-15)
    assert_allclose(stability_polynomial([1, 2, 2.5], "heun"), [0.5, 1, 1.625], rtol=1e-15)
    exact = sympy.series(sympy.exp(-sympy.Symbol("z")), n=5).removeO()
    for z in (0.3, 2.0, 2.785):
        assert_allclose(stability_polynomial(z, "rk4"), float(exact.subs("z", z)), rtol=1e-14)


@pytest.mark.verifies("eq-custom-optimizers-consistency", by="property")
@pytest.mark.parametrize(
    ("method", "stages", "order"),
    [("euler", 1, 1), ("heun", 1, 2), ("rk4", 1, 4), ("chebyshev", 5, 1)],
)
def test_consistency(method, stages, order):
    assert_allclose(stability_polynomial(0.0, method, stages), 1, rtol=1e-14)
    errors = [abs(stability_polynomial(z, method, stages) - np.exp(-z)) for z in (0.1, 0.05)]
    assert_allclose(np.log2(errors[0] / errors[1]), order + 1, atol=0.08)


@pytest.mark.verifies("eq-custom-optimizers-consistency", by="closed form")
@pytest.mark.parametrize(("method", "order"), [("euler", 1.011), ("heun", 2.033), ("rk4", 4.026)])
def test_order_on_a_nonlinear_flow(method, order):
    exact = 2 * np.arctan(np.tan(1.0) * np.exp(-2.0))
    errors = [abs(minimize(np.sin, 2.0, 2 / n, n, method)[-1] - exact) for n in (20, 40)]
    assert_allclose(np.log2(errors[0] / errors[1]), order, atol=0.02)


@every_method
def test_small_steps_follow_the_flow(method, stages):
    def grad(x):
        return np.array([4 * x[0] ** 3 - x[1], 2 * x[1] - x[0]])

    exact = solve_ivp(lambda t, x: -grad(x), (0, 1), [1.5, -1.0], rtol=1e-10, atol=1e-12).y[:, -1]
    found = minimize(grad, [1.5, -1.0], 1e-3, 1000, method, stages)[-1]
    # First order: the error is below ten step sizes; the others do better.
    assert_allclose(found, exact, atol=1e-2 if method in ("euler", "chebyshev") else 1e-5)


@pytest.mark.verifies("eq-custom-optimizers-limits", by="library")
def test_limits_of_classical_methods():
    assert stability_limit("euler") == stability_limit("heun") == 2
    root = brentq(lambda z: z**3 - 4 * z**2 + 12 * z - 24, 2, 3, xtol=1e-14)
    assert_allclose(stability_limit("rk4"), root, rtol=1e-13)
    for method, gradients, expected in (("euler", 1, 2), ("heun", 2, 1), ("rk4", 4, 0.6963)):
        limit = stability_limit(method)
        assert_allclose(limit / gradients, expected, atol=5e-5)
        inside = stability_polynomial(np.linspace(0, limit, 1001), method)
        assert np.all(np.abs(inside) <= 1 + 1e-12)
        assert abs(stability_polynomial(limit * 1.001, method)) > 1


@pytest.mark.verifies("eq-custom-optimizers-chebyshev-limit", by="closed form")
def test_limits_of_chebyshev():
    found = [stability_limit("chebyshev", s) for s in (1, 2, 5, 10)]
    assert_allclose(found, [2, 5.88235294, 32.30770270, 126.54166099], rtol=0, atol=1e-8)
    for s in (1, 2, 3, 7, 10):
        assert_allclose(stability_limit("chebyshev", s, 0), 2 * s * s, rtol=1e-13)


@pytest.mark.verifies("eq-custom-optimizers-chebyshev", by="closed form")
@given(st.integers(1, 12), st.floats(0, 5), st.floats(0, 1))
def test_chebyshev_by_angles(s, damping, share):
    # T_s(cos a) = cos(s a) inside [-1, 1], T_s(cosh a) = cosh(s a) outside.
    w0 = 1 + damping / s**2
    a = np.arccosh(w0)
    slope = s * np.sinh(s * a) / np.sinh(a) if a > 1e-4 else s * s * (1 + (s * s - 1) * a * a / 6)
    w1 = np.cosh(s * a) / slope
    z = share * stability_limit("chebyshev", s, damping)
    argument = w0 - w1 * z
    if abs(argument) <= 1:
        value = np.cos(s * np.arccos(argument))
    else:
        value = np.sign(argument) ** s * np.cosh(s * np.arccosh(abs(argument)))
    found = stability_polynomial(z, "chebyshev", s, damping)
    # Near the ends of [-1, 1] arccos loses half the digits; a series stands in for a -> 0.
    assert_allclose(found, value / np.cosh(s * a), rtol=0, atol=1e-6)
    assert abs(found) <= 1 + 1e-9


@pytest.mark.verifies("eq-custom-optimizers-damping", by="property")
@given(st.integers(2, 12), st.floats(0.01, 5), st.floats(0, 1))
def test_damping(s, damping, share):
    w0 = 1 + damping / s**2
    w1 = 2 * w0 / stability_limit("chebyshev", s, damping)
    z = ((w0 - 1) + 2 * share) / w1
    bound = 1 / np.cosh(s * np.arccosh(w0))
    assert abs(stability_polynomial(z, "chebyshev", s, damping)) <= bound * (1 + 1e-9)


@pytest.mark.verifies("eq-custom-optimizers-minimax", by="literature")
@pytest.mark.parametrize("kappa", [10, 100, 1000])
@pytest.mark.parametrize("s", [5, 20])
def test_the_right_damping_is_the_optimal_polynomial(kappa, s):
    # Every polynomial with value 1 at 0 reaches 1 / T_s((kappa + 1) / (kappa - 1)) on [1, kappa].
    damping = 2 * s**2 / (kappa - 1)
    w0 = 1 + damping / s**2
    lr = (w0 + 1) / (kappa * 2 * w0) * stability_limit("chebyshev", s, damping)
    curvature = np.linspace(1, kappa, 4001)
    worst = np.abs(
        gradient_flow_step(lambda x: curvature * x, np.ones(4001), lr, "chebyshev", s, damping)
    )
    best = 1 / np.cosh(s * np.arccosh((kappa + 1) / (kappa - 1)))
    assert_allclose(worst.max(), best, rtol=1e-6)
    root = np.sqrt(kappa)
    assert best <= 2 * ((root - 1) / (root + 1)) ** s
    assert_allclose(stability_polynomial(0, "chebyshev", s, damping), 1, rtol=1e-12)


@pytest.mark.verifies("eq-custom-optimizers-polyak", by="literature")
@pytest.mark.parametrize("kappa", [10, 100])
def test_many_stages_become_the_heavy_ball(kappa):
    # Polyak's coefficients for curvatures from 1 to kappa.
    root = np.sqrt(kappa)
    momentum, lr = ((root - 1) / (root + 1)) ** 2, 4 / (root + 1) ** 2
    curvature, w0 = np.linspace(1, kappa, 7), (kappa + 1) / (kappa - 1)

    def point(s):
        damping = s**2 * (w0 - 1)
        step = (w0 + 1) / (kappa * 2 * w0) * stability_limit("chebyshev", s, damping)
        return gradient_flow_step(
            lambda x: curvature * x, np.ones(7), step, "chebyshev", s, damping
        )

    for s in (60, 61):
        before, now, after = point(s - 1), point(s), point(s + 1)
        expected = now + momentum * (now - before) - lr * curvature * now
        assert_allclose(after, expected, rtol=0, atol=1e-6 * np.abs(now).max())


def test_one_undamped_stage_is_euler():
    z = np.linspace(0, 4, 9)
    assert_allclose(stability_polynomial(z, "chebyshev", 1, 0), 1 - z, rtol=0, atol=1e-15)


FINAL = {"euler": 3.9170, "heun": 9.3605, "rk4": 14.124, "chebyshev": 0.088178}


@pytest.mark.parametrize("method", FINAL)
def test_equal_budgets(method):
    curvature = np.geomspace(1, 1000, 30)
    gradients = {"euler": 1, "heun": 2, "rk4": 4, "chebyshev": 10}[method]
    lr = 0.95 * stability_limit(method, 10) / 1000
    path = minimize(lambda x: curvature * x, np.ones(30), lr, 100 // gradients, method, 10)
    losses = (curvature * path**2).sum(axis=1) / 2
    assert_allclose(losses[0], 2357.15, rtol=1e-5)
    assert_allclose(losses[-1], FINAL[method], rtol=1e-3)


# Keras


def regression():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3))
    y = (x @ [1, -2, 0.5] + 0.3 + 0.01 * rng.standard_normal(64))[:, None]
    return x.astype("float32"), y.astype("float32")


def linear_model(cls=keras.Model, **dense):
    inputs = keras.Input((3,))
    layer = keras.layers.Dense(1, kernel_initializer="zeros", **dense)
    return cls(inputs, layer(inputs))


def fitted(model, optimizer, epochs=20, **more):
    x, y = regression()
    model.compile(optimizer, "mse", metrics=["mae"])
    options = {"batch_size": 64, "epochs": epochs, "shuffle": False, "verbose": 0} | more
    history = model.fit(x, y, **options)
    return weights(model), history.history


def weights(model):
    return np.concatenate([np.asarray(w.value).ravel() for w in model.weights])


@pytest.mark.verifies("eq-custom-optimizers-sgd", by="library")
@pytest.mark.parametrize(("cls", "method"), [(keras.Model, "euler"), (HeunModel, "heun")])
def test_keras_agrees_with_numpy(cls, method):
    x, y = regression()
    a = np.c_[x, np.ones(64)].astype(float)
    grad = lambda w: 2 * a.T @ (a @ w - y[:, 0]) / 64  # noqa: E731
    expected = minimize(grad, np.zeros(4), 0.1, 20, method)[-1]
    found, history = fitted(linear_model(cls), PlainSGD(0.1))
    assert_allclose(found, expected, rtol=0, atol=1e-5)  # float32
    before_last = minimize(grad, np.zeros(4), 0.1, 19, method)[-1]
    assert_allclose(history["loss"][-1], np.mean((a @ before_last - y[:, 0]) ** 2), rtol=1e-4)
    assert_allclose(history["mae"][-1], np.mean(np.abs(a @ before_last - y[:, 0])), rtol=1e-4)


@pytest.mark.verifies("eq-custom-optimizers-heavy-ball", by="library")
def test_heavy_ball_is_keras_momentum():
    ours, _ = fitted(linear_model(), HeavyBall(0.05, 0.9))
    theirs, _ = fitted(linear_model(), keras.optimizers.SGD(0.05, 0.9))
    assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    nesterov, _ = fitted(linear_model(), keras.optimizers.SGD(0.05, 0.9, nesterov=True))
    assert np.abs(ours - nesterov).max() > 1e-3
    plain, _ = fitted(linear_model(), PlainSGD(0.05))
    assert_allclose(plain, fitted(linear_model(), keras.optimizers.SGD(0.05))[0], atol=1e-6)


def test_saving_keeps_class_config_and_slots(tmp_path):
    model = linear_model()
    fitted(model, HeavyBall(0.05, 0.8))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is HeavyBall
    config = loaded.optimizer.get_config()
    assert (config["momentum"], config["learning_rate"]) == (0.8, 0.05000000074505806)
    names = [v.name for v in loaded.optimizer.variables]
    assert names[:2] == ["iteration", "learning_rate"]
    assert [name.split("_", 1)[1] for name in names[2:]] == [
        "kernel_velocity",
        "bias_velocity",
    ] or (names[2].endswith("kernel_velocity") and names[3].endswith("bias_velocity"))
    assert int(loaded.optimizer.iterations) == 20
    for mine, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        assert_allclose(np.asarray(mine.value), np.asarray(theirs.value), rtol=0, atol=0)
    # Both go on in the same way.
    on = [fitted_more(m) for m in (model, loaded)]
    assert_allclose(*on, rtol=0, atol=0)


def fitted_more(model):
    x, y = regression()
    model.fit(x, y, batch_size=64, epochs=3, shuffle=False, verbose=0)
    return weights(model)


def test_unregistered_optimizers_save_but_do_not_load(tmp_path):
    class Unregistered(PlainSGD):
        pass

    model = linear_model()
    fitted(model, Unregistered(0.05), epochs=1)
    model.save(tmp_path / "model.keras")
    with pytest.raises(TypeError, match="Could not locate class 'Unregistered'"):
        keras.models.load_model(tmp_path / "model.keras")


def test_what_the_base_class_does():
    model = linear_model(kernel_constraint="non_neg")
    found, _ = fitted(model, PlainSGD(0.1))
    assert found[1] == 0 < found[0]  # the true second weight is -2
    x, y = regression()
    a = np.c_[x, np.ones(64)]
    gradient = -2 * a.T @ y[:, 0] / 64
    clipped, _ = fitted(linear_model(), PlainSGD(0.1, global_clipnorm=0.5), epochs=1)
    expected = -0.1 * gradient * 0.5 / np.linalg.norm(gradient)
    assert_allclose(clipped, expected, rtol=1e-5, atol=1e-7)


def test_schedules_arrive_in_heun():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.02])
    x, y = regression()
    a = np.c_[x, np.ones(64)].astype(float)
    grad = lambda w: 2 * a.T @ (a @ w - y[:, 0]) / 64  # noqa: E731
    expected = np.zeros(4)
    for lr in (0.1, 0.1, 0.02, 0.02):  # boundaries are inclusive: iterations 0 and 1
        expected = gradient_flow_step(grad, expected, lr, "heun")
    found, _ = fitted(linear_model(HeunModel), PlainSGD(schedule), epochs=4)
    assert_allclose(found, expected, rtol=0, atol=1e-5)


def small_net(cls, *middle):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, "tanh")(inputs)
    for layer in middle:
        hidden = layer(hidden)
    return cls(inputs, keras.layers.Dense(1)(hidden))


def test_gradient_model_is_keras_model():
    sizes = np.linspace(0.1, 2, 64, dtype="float32")
    runs = []
    for cls in (keras.Model, GradientModel):
        model = small_net(cls, keras.layers.BatchNormalization(), keras.layers.Dropout(0.3, seed=7))
        found, history = fitted(model, HeavyBall(0.05), 4, batch_size=16, sample_weight=sizes)
        runs.append((found, history["loss"], history["mae"]))
    for theirs, ours in zip(*runs, strict=True):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_heun_tends_to_sgd():
    # The second pass sees the masks of the first, or the difference would be of first order.
    gaps = []
    for lr in (0.04, 0.02):
        models = [
            small_net(cls, keras.layers.Dropout(0.5, seed=7)) for cls in (keras.Model, HeunModel)
        ]
        plain, heun = (fitted(model, PlainSGD(lr), epochs=1)[0] for model in models)
        gaps.append(np.abs(plain - heun).max())
    assert 3 < gaps[0] / gaps[1] < 5


def test_heun_moves_batch_statistics_once():
    moved = []
    for cls in (keras.Model, HeunModel):
        norm = keras.layers.BatchNormalization()
        fitted(small_net(cls, norm), PlainSGD(0.3), epochs=1)
        moved.append(np.asarray(norm.moving_mean.value))
    assert_allclose(*moved, rtol=0, atol=1e-7)


def test_same_seed_same_weights():
    runs = [
        fitted(small_net(HeunModel, keras.layers.Dropout(0.2)), HeavyBall(0.05), 3) for _ in "12"
    ]
    assert_allclose(runs[0][0], runs[1][0], rtol=0, atol=1e-6)


class Soft(keras.optimizers.Optimizer):
    """Meant to move every fourth step; the erratum's three ways to say so."""

    def __init__(self, way, **kw):
        super().__init__(**kw)
        self.way = way

    def update_step(self, gradient, variable, learning_rate):
        due = (self.iterations + 1) % 4 == 0
        new = variable - learning_rate * gradient
        if self.way == "values":
            self.assign(variable, keras.ops.where(due, new, variable.value))
        elif self.way == "where":
            keras.ops.where(due, self.moved(variable, new), variable.value)
        else:
            keras.ops.cond(due, lambda: self.moved(variable, new), lambda: variable.value)

    def moved(self, variable, new):
        self.assign(variable, new)
        return variable.value


@pytest.mark.parametrize(("way", "moves"), [("values", 1), ("where", 5), ("cond", 5)])
def test_selecting_assignments_runs_both(way, moves):
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Model(inputs, layer(inputs))
    model.compile(Soft(way, learning_rate=0.1), "mse")
    seen = {0.0}
    for _ in range(5):
        model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
        seen.add(float(np.asarray(layer.kernel.value)[0, 0]))
    assert len(seen) == moves + 1


def test_heun_does_not_win():
    x = np.linspace(-3, 3, 256, dtype="float32")[:, None]
    final = {}
    for cls, epochs in ((keras.Model, 200), (HeunModel, 100)):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((1,))
        model = cls(inputs, keras.layers.Dense(1)(keras.layers.Dense(16, "tanh")(inputs)))
        model.compile(PlainSGD(0.1), "mse")
        start = model.get_weights()
        for lr in (0.05, 0.1, 0.2):
            model.set_weights(start)
            model.optimizer.learning_rate = lr
            model.fit(x, np.sin(x), batch_size=256, epochs=epochs, shuffle=False, verbose=0)
            final[cls, lr] = model.evaluate(x, np.sin(x), batch_size=256, verbose=0)
    best = {cls: min(final[cls, lr] for lr in (0.05, 0.1, 0.2)) for cls in (keras.Model, HeunModel)}
    # 200 steps of float32 in another order of summation: 30 per cent are generous.
    assert_allclose([best[keras.Model], best[HeunModel]], [0.0080, 0.0102], rtol=0.3)
    assert best[keras.Model] < best[HeunModel]


def test_numbers_quoted_in_the_chapter():
    def valley_loss(lr, method, cost):
        end = minimize(valley, [-2.0, 0.7], lr, 40 // cost, method, 5)[-1]
        return (valley(end) * end).sum() / 2

    assert_allclose(valley_loss(0.07, "euler", 1), 0.006, atol=5e-5)
    assert valley_loss(0.08, "euler", 1) > 6
    assert valley_loss(0.08, "heun", 2) > 6
    assert valley_loss(0.09, "euler", 1) > 1e8
    assert valley_loss(1.2, "chebyshev", 5) < 1e-7
    assert valley_loss(1.4, "chebyshev", 5) > 1e12
    assert 1.2 / stability_limit("euler") * 25 == pytest.approx(15)

    def relative(kappa, method, cost):
        curvature = np.geomspace(1, kappa, 30)
        lr = 0.95 * stability_limit(method, 10) / kappa
        end = minimize(lambda x: curvature * x, np.ones(30), lr, 100 // cost, method, 10)[-1]
        return (curvature * end**2).sum() / curvature.sum()

    assert relative(10, "euler", 1) < relative(10, "chebyshev", 10)
    assert relative(10, "rk4", 4) < relative(10, "heun", 2)
    for kappa in (30, 100, 300, 1000, 3000, 10000, 30000):
        ranking = [relative(kappa, *way) for way in (("euler", 1), ("heun", 2), ("rk4", 4))]
        assert ranking == sorted(ranking)
    steepest = stability_polynomial(0.95 * stability_limit("heun"), "heun")
    assert_allclose(steepest, 0.905, atol=5e-4)
    assert steepest**50 < 0.01
    assert_allclose(stability_limit("chebyshev", 2), 5.9, atol=0.05)
    assert 2000 < relative(100, "euler", 1) / relative(100, "chebyshev", 10) < 5000
    assert 30 < relative(1000, "euler", 1) / relative(1000, "chebyshev", 10) < 60
    assert 2 / 25 == 0.08
    assert_allclose(stability_limit("rk4") / 25, 0.111, atol=5e-4)
    assert_allclose(stability_limit("chebyshev", 5) / 25, 1.292, atol=5e-4)
    assert stability_polynomial(25, "chebyshev", 5) > -1
    assert 31 < stability_limit("chebyshev", 5) < 33
    w0 = 1 + 1 / 25
    assert_allclose(1 / np.cosh(5 * np.arccosh(w0)), 0.46, atol=5e-3)
    assert_allclose(2 * (np.sqrt(1000) - 1) / (np.sqrt(1000) + 1), 1.877, atol=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stability_polynomial(1, "midpoint"), r"`method` must be one of .*got 'midpoint'"),
        (lambda: stability_limit("chebyshev", 0), "`stages` must be an integer of at least 1.*0"),
        (lambda: stability_limit("chebyshev", 2, -1), "`damping` must be finite and not negative"),
        (lambda: gradient_flow_step(valley, [1, 1], 0), "`lr` must be positive and finite, got 0"),
        (lambda: gradient_flow_step(valley, [1, 1], 1, "sgd"), "`method` must be one of"),
        (lambda: minimize(valley, [1, 1], 0.1, -1), "`n_steps` must be an integer of at least 0"),
        (lambda: minimize(valley, [1, 1], -0.1, 1), "`lr` must be positive and finite, got -0.1"),
        (lambda: HeavyBall(momentum=1.0), r"`momentum` must be in \[0, 1\), got 1.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
