"""Facts that the chapter on gradient accumulation claims."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from scispaces.cooler_keras.gradient_accumulation import (
    AccumModel,
    MicroStepSchedule,
    accum_stream,
    weighted_mean_gradient,
    with_accumulation,
)

# Keras 3.15.1 under numpy 2: `Variable.__array__` has no argument `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X = np.random.default_rng(0).standard_normal((64, 3)).astype("float32")
Y = (X @ [1, -2, 0.5] + 0.3).astype("float32")[:, None]


def stream(i, x):
    """Gradient of micro-batch i: centres 1 to 8 in turn, so the minimum is at 4.5."""
    return x - (i % 8 + 1)


# Averages of gradients


@pytest.mark.verifies("eq-gradient-accumulation-linear", by="property")
@pytest.mark.verifies("eq-gradient-accumulation-weighted", by="property")
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_the_mean_gradient_is_the_gradient_of_the_mean(seed, sizes):
    rng = np.random.default_rng(seed)
    a, y, w = rng.normal(size=(sum(sizes), 3)), rng.normal(size=sum(sizes)), rng.normal(size=3)

    def gradient(rows):
        return 2 * a[rows].T @ (a[rows] @ w - y[rows]) / len(rows)

    parts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    found = weighted_mean_gradient([gradient(p) for p in parts], sizes)
    assert_allclose(found, gradient(np.arange(sum(sizes))), rtol=1e-11, atol=1e-12)
    if len(set(sizes)) == 1:
        assert_allclose(
            np.mean([gradient(p) for p in parts], axis=0), found, rtol=1e-11, atol=1e-12
        )


def test_weights_by_hand():
    assert_allclose(weighted_mean_gradient([[1, 0], [0, 3]], [8, 4]), [2 / 3, 1], rtol=1e-12)


@pytest.mark.verifies("eq-gradient-accumulation-noise", by="property")
@pytest.mark.verifies("eq-gradient-accumulation-second-moment", by="property")
@pytest.mark.parametrize("k", [1, 4, 16])
def test_noise_of_the_average(k):
    rng = np.random.default_rng(7)
    g = 0.3 + rng.normal(size=(20_000, k))
    averages = np.array([weighted_mean_gradient(row, np.ones(k)) for row in g])
    # Four standard errors.
    assert_allclose(averages.std(), 1 / np.sqrt(k), rtol=4 / np.sqrt(2 * 20_000))
    assert abs(np.mean(averages**2) - (0.09 + 1 / k)) < 4 * np.std(averages**2) / np.sqrt(20_000)
    assert abs(np.mean(g**2) - 1.09) < 0.02  # what k small steps would feed to Adam


@pytest.mark.verifies("eq-gradient-accumulation-variance", by="closed form")
@given(arrays(float, (3, 4), elements=st.floats(-100, 100)))
def test_variance_within_and_between(parts):
    # The law of total variance: what batch normalization misses in a micro-batch.
    means = [weighted_mean_gradient(part, np.ones(4)) for part in parts]
    total = np.mean(parts.var(axis=1)) + np.var(means)
    assert_allclose(total, parts.var(), rtol=1e-9, atol=1e-9)


@pytest.mark.verifies("eq-gradient-accumulation-contrast", by="closed form")
def test_contrastive_losses_do_not_split():
    def loss(scores):
        return np.mean(np.log(np.exp(scores).sum(axis=1)) - np.diag(scores))

    whole, part = loss(np.zeros((64, 64))), loss(np.zeros((8, 8)))
    assert_allclose([whole, part], np.log([64, 8]), rtol=1e-14)
    assert_allclose(whole - weighted_mean_gradient([part] * 8, [8] * 8), np.log(8), rtol=1e-12)


# The emulator

STREAM = {
    "exact": ({}, {4: 0.25, 8: 0.875}, 1e-12),
    "exact, momentum": ({"momentum": 0.9}, {8: 1.1, 800: 4.554039099}, 1e-8),
    "lr zero": ({"strategy": "lr_zero"}, {5: 0.225, 6: 0.44999998, 9: 1.39124987}, 1e-6),
    "lr zero, momentum": ({"strategy": "lr_zero", "momentum": 0.9}, {800: 460.75}, 1e-2),
    "switch": ({"strategy": "switch_bug"}, {800: 4.03312847}, 1e-7),
}


@pytest.mark.verifies("eq-gradient-accumulation-update", by="table")
@pytest.mark.parametrize(("options", "values", "atol"), STREAM.values(), ids=STREAM)
def test_stream(options, values, atol):
    path = accum_stream(stream, 0.0, 800, 4, 0.1, **options)
    assert path.shape == (801,)
    assert_allclose(path[list(values)], list(values.values()), rtol=0, atol=atol)


@pytest.mark.verifies("eq-gradient-accumulation-update", by="closed form")
def test_where_the_stream_settles():
    assert_allclose(accum_stream(stream, 0.0, 800, 4, 0.1)[-8:].mean(), 4.5, rtol=0, atol=1e-8)
    # Batches 1 and 5 are never seen: the mean of 2, 3, 4, 6, 7, 8.
    thrown = accum_stream(stream, 0.0, 800, 4, 0.1, strategy="lr_zero")
    assert_allclose(thrown[-8:].mean(), 5.0, rtol=0, atol=1e-6)
    slow = accum_stream(stream, 0.0, 80_000, 4, 0.001, strategy="switch_bug")
    assert_allclose(slow[-8:].mean(), 4.0, rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-gradient-accumulation-lr-zero", by="property")
@pytest.mark.verifies("eq-gradient-accumulation-switch", by="property")
@pytest.mark.parametrize("k", [2, 4, 10])
def test_speed_on_a_slope(k):
    def travelled(strategy):
        path = accum_stream(lambda i, x: -1.0, 0.0, 40 * k, k, 0.1, strategy=strategy)
        return (path[30 * k] - path[20 * k]) / 10

    assert_allclose(travelled("exact"), 0.1, rtol=1e-9)
    # 1e-7 forgotten on each of k steps.
    assert_allclose(travelled("lr_zero"), 0.1 * (k - 1), rtol=1e-5)
    assert_allclose(travelled("switch_bug"), 0.1 * (k + 1) / 2, rtol=1e-9)
    if k == 4:
        ends = [
            accum_stream(lambda i, x: -1.0, 0.0, 400, 4, 0.1, strategy=s)[-1]
            for s in ("exact", "lr_zero", "switch_bug")
        ]
        assert_allclose(ends, [10, 29.7, 24.9], rtol=0, atol=1e-3)


@given(st.floats(0.01, 0.5), st.floats(0, 0.95))
def test_one_micro_step_is_the_heavy_ball(lr, momentum):
    path = accum_stream(stream, 2.0, 20, 1, lr, momentum)
    x, v = 2.0, 0.0
    for i in range(20):
        v = momentum * v - lr * stream(i, x)
        x += v
    assert_allclose(path[-1], x, rtol=1e-10, atol=1e-10)


@given(st.permutations(range(4)), st.sampled_from([0.0, 0.9]))
def test_order_inside_a_group_does_not_matter(order, momentum):
    shuffled = lambda i, x: stream(4 * (i // 4) + order[i % 4], x)  # noqa: E731
    path = accum_stream(shuffled, 0.0, 40, 4, 0.1, momentum)
    expected = accum_stream(stream, 0.0, 40, 4, 0.1, momentum)
    assert_allclose(path, expected, rtol=0, atol=1e-12)


def test_groups_are_one_step_at_a_frozen_point():
    path = accum_stream(stream, np.array([0.0, 7.0]), 8, 4, 0.1, 0.9)
    x, v = np.array([0.0, 7.0]), 0.0
    for group in (range(4), range(4, 8)):
        v = 0.9 * v - 0.1 * np.mean([stream(i, x) for i in group], axis=0)
        x = x + v
    assert_allclose(path[-1], x, rtol=1e-14)


# Keras


def net(cls=keras.Model, *norm):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(8, "tanh")(inputs)
    for layer in norm:
        hidden = layer(hidden)
    return cls(inputs, keras.layers.Dense(1)(hidden))


def fitted(model, optimizer, batch, epochs=10, n=64):
    model.compile(optimizer, "mse", metrics=["mae"])
    options = {"batch_size": batch, "epochs": epochs, "shuffle": False, "verbose": 0}
    history = model.fit(X[:n], Y[:n], **options).history
    weights = [np.asarray(w.value).ravel() for w in model.trainable_weights]
    return np.concatenate(weights), history


def gap(one, two):
    return np.abs(one[0] - two[0]).max()


def divided(model, parts):
    model.micro_batches = parts
    return model


@pytest.mark.parametrize("name", ["Adam", "SGD", "AdamW"])
def test_accumulating_is_the_big_batch(name):
    make = {
        "Adam": lambda: keras.optimizers.Adam(0.01),
        "SGD": lambda: keras.optimizers.SGD(0.05, 0.9),
        "AdamW": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    }[name]
    big = fitted(net(), make(), 64)
    optimizer = with_accumulation(make(), 8)
    assert gap(big, fitted(net(), optimizer, 8)) < 1e-5  # rounding of float32
    assert int(optimizer.iterations) == 10
    assert int(optimizer.variables[0]) == 80
    if name == "SGD":
        found = fitted(divided(net(AccumModel), 8), make(), 64)
        assert gap(big, found) < 1e-5
        for key in ("loss", "mae"):
            assert_allclose(found[1][key], big[1][key], rtol=1e-5)
        assert gap(big, fitted(net(), make(), 8)) > 0.1


def test_where_it_is_not_the_big_batch():
    make = lambda: keras.optimizers.SGD(0.05)  # noqa: E731
    gaps = {}
    for norm in (keras.layers.BatchNormalization, keras.layers.LayerNormalization):
        big = fitted(net(keras.Model, norm()), make(), 64)
        gaps[norm.__name__] = gap(
            big, fitted(net(keras.Model, norm()), with_accumulation(make(), 8), 8)
        )
    assert_allclose(gaps["BatchNormalization"], 0.07, atol=5e-3)
    assert gaps["LayerNormalization"] < 1e-5


def test_ragged_batches():
    make = lambda: keras.optimizers.SGD(0.05, 0.9)  # noqa: E731
    big = fitted(net(), make(), 60, 1, 60)
    ragged = fitted(net(), with_accumulation(make(), 8), 8, 1, 60)
    assert gap(big, ragged) > 1e-3
    assert_allclose(gap(big, ragged), 0.0060, atol=1e-3)


def test_leftovers_and_too_many_steps():
    optimizer = keras.optimizers.SGD(0.05, gradient_accumulation_steps=4)
    model = net()
    model.compile(optimizer, "mse")
    counts = []
    for _ in range(3):
        model.fit(X[:48], Y[:48], batch_size=8, epochs=1, shuffle=False, verbose=0)
        counts.append(int(optimizer.iterations))
    assert counts == [1, 3, 4]
    start = np.concatenate([np.asarray(w.value).ravel() for w in net().trainable_weights])
    never, _ = fitted(net(), keras.optimizers.SGD(0.05, gradient_accumulation_steps=99), 8, 2)
    assert np.all(never == start)
    with pytest.raises(ValueError, match="must be an integer >= 2"):
        keras.optimizers.SGD(0.05, gradient_accumulation_steps=1)


def test_schedules_count_micro_steps():
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.1, 0.01])
    big = fitted(net(), keras.optimizers.SGD(decay), 64)
    naive = fitted(net(), with_accumulation(keras.optimizers.SGD(decay), 8), 8)
    assert gap(big, naive) > 0.1
    mended = keras.optimizers.SGD(MicroStepSchedule(decay, 8), gradient_accumulation_steps=8)
    assert gap(big, fitted(net(), mended, 8)) < 1e-5


@pytest.mark.verifies("eq-gradient-accumulation-schedule", by="library")
def test_learning_rate_at_an_update():
    linear = keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.0)
    for k in (1, 2, 8):
        for update in (0, 3, 9):
            last = (update + 1) * k - 1
            assert_allclose(float(MicroStepSchedule(linear, k)(last)), 1 - update / 100, rtol=1e-6)
            assert_allclose(float(linear(last)), 1 - last / 100, rtol=1e-6)


def test_averages_of_weights_count_micro_steps():
    make = lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9)  # noqa: E731
    averages = []
    for optimizer, batch in ((make(), 64), (with_accumulation(make(), 8), 8)):
        fitted(net(), optimizer, batch, 5)
        ema = [v for v in optimizer.variables if v.name.endswith("average")]
        averages.append(np.concatenate([np.asarray(v.value).ravel() for v in ema]))
    assert np.abs(averages[0] - averages[1]).max() > 0.01


def test_clipping_acts_on_the_average():
    make = lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.1)  # noqa: E731
    big = fitted(net(), make(), 64, 3)
    assert gap(big, fitted(net(), with_accumulation(make(), 8), 8, 3)) < 1e-6


def test_model_with_one_part_and_with_dropout():
    dropout = lambda: keras.layers.Dropout(0.5, seed=3)  # noqa: E731
    make = lambda: keras.optimizers.SGD(0.05)  # noqa: E731
    whole = fitted(net(keras.Model, dropout()), make(), 64, 2)
    assert gap(whole, fitted(net(AccumModel, dropout()), make(), 64, 2)) < 1e-6
    parts = fitted(divided(net(AccumModel, dropout()), 4), make(), 64, 2)
    assert gap(whole, parts) > 1e-3  # other masks: equal in law only


def test_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="divisible by `micro_batches` = 5, got 64"):
        fitted(divided(net(AccumModel), 5), keras.optimizers.SGD(0.05), 64, 1)


def test_saving(tmp_path):
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.1, 0.01])
    model = divided(net(AccumModel), 8)
    fitted(model, keras.optimizers.SGD(MicroStepSchedule(decay, 8)), 64, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is AccumModel
    schedule = loaded.optimizer._learning_rate
    assert type(schedule) is MicroStepSchedule
    assert [round(float(schedule(i)), 6) for i in (0, 47, 48)] == [0.1, 0.1, 0.01]


def test_with_accumulation_leaves_its_argument():
    optimizer = keras.optimizers.Adam(0.01, beta_1=0.8)
    copy = with_accumulation(optimizer, 4)
    assert copy is not optimizer
    assert optimizer.gradient_accumulation_steps is None
    assert (copy.gradient_accumulation_steps, copy.beta_1) == (4, 0.8)
    assert with_accumulation(copy, 1).gradient_accumulation_steps is None


@pytest.mark.parametrize(("k", "lr", "momentum"), [(4, 0.1, 0.9), (4, 0.02, 0.9), (8, 0.05, 0.5)])
def test_rate_zero_is_a_recurrence_with_a_larger_determinant(k, lr, momentum):
    curvature = 1.3
    path = accum_stream(
        lambda i, x: curvature * x, 1.0, 12 * k, k, lr, momentum, strategy="lr_zero"
    )
    x = path[k::k]
    determinant = momentum + (k - 1) / 2 * lr * curvature
    trace = 1 + determinant - lr * curvature * (k - 1)
    # The velocity decays by 1e-7 a step in between.
    assert_allclose(x[2:], trace * x[1:-1] - determinant * x[:-2], rtol=0, atol=1e-5)


def test_numbers_quoted_in_the_chapter():
    assert_allclose(0.9 + 3 / 2 * 0.1, 1.05)
    assert_allclose(np.mean([2, 3, 4, 6, 7, 8]), 5)
    assert 10 * 1000 // 10 // 10 == 10 * 1000 // 100 == 100  # exercise: updates
    assert_allclose(np.log(8), 2.08, atol=5e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: weighted_mean_gradient([], []),
            r"`grads` and `sizes` must have shapes \(k, ...\)",
        ),
        (lambda: weighted_mean_gradient([1, 2], [1]), r"got \(2,\) and \(1,\)"),
        (lambda: weighted_mean_gradient([1, 2], [1, 0]), "`sizes` must be positive, got 0"),
        (lambda: accum_stream(stream, 0, -1, 1, 0.1), "`n_micro` must be an integer of at least 0"),
        (lambda: accum_stream(stream, 0, 1, 0, 0.1), "`k` must be an integer of at least 1, got 0"),
        (lambda: accum_stream(stream, 0, 1, 1.5, 0.1), "`k` must be an integer of at least 1"),
        (lambda: accum_stream(stream, 0, 1, 1, 0), "`lr` must be positive and finite, got 0"),
        (lambda: accum_stream(stream, 0, 1, 1, 1, 1.0), r"`momentum` must be in \[0, 1\), got 1"),
        (lambda: accum_stream(stream, 0, 1, 1, 1, 0, "sum"), "`strategy` must be one of .*'sum'"),
        (lambda: with_accumulation(keras.optimizers.SGD(), 0), "`steps` must be an integer of"),
        (lambda: with_accumulation(keras.optimizers.SGD(), 2.0), "`steps` .* got 2.0"),
        (lambda: MicroStepSchedule(None, 0), "`steps` must be an integer of at least 1, got 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
