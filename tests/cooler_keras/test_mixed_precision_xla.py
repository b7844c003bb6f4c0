"""Facts that the chapter on mixed precision and XLA claims."""

import math
import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax.numpy as jnp
import keras
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.cooler_keras.mixed_precision_xla import (
    DynamicLossScale,
    accumulate,
    adam_run,
    best_loss_scale,
    float_info,
    hlo_stats,
    overflow_fraction,
    round_to,
    sgd_in_format,
    underflow_fraction,
)

# Keras 3.15.1 under numpy 2: `Variable.__array__` has no argument `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}
FORMATS = [*DTYPES, "tf32"]
GRADIENTS = np.exp(np.random.default_rng(0).normal(math.log(1e-6), 3, 20_000))
TINY = np.full(100, 1e-9)


# Formats


@pytest.mark.verifies("eq-mixed-precision-xla-limits", by="library")
@pytest.mark.parametrize("fmt", DTYPES)
def test_limits_agree_with_the_libraries(fmt):
    theirs, ours = ml_dtypes.finfo(DTYPES[fmt]), float_info(fmt)
    assert ours == {
        "max": float(theirs.max),
        "min_normal": float(theirs.smallest_normal),
        "min_subnormal": float(theirs.smallest_subnormal),
        "eps": float(theirs.eps),
    }


@pytest.mark.verifies("eq-mixed-precision-xla-limits", by="closed form")
def test_limits_by_hand():
    half = float_info("float16")
    assert half == {"max": 65504, "min_normal": 2**-14, "min_subnormal": 2**-24, "eps": 2**-10}
    assert_allclose(float_info("bfloat16")["max"], 3.3895313893e38, rtol=1e-10)
    assert float_info("bfloat16")["eps"] == 7.8125e-3
    assert float_info("tf32")["eps"] == 9.765625e-4
    assert float_info("tf32")["min_normal"] == float_info("float32")["min_normal"]


@pytest.mark.verifies("eq-mixed-precision-xla-rounding", by="library")
@pytest.mark.parametrize("fmt", DTYPES)
def test_rounding_agrees_with_the_libraries(fmt):
    rng = np.random.default_rng(1)
    x = 10 ** rng.uniform(-46, 39, 100_000) * rng.choice([-1, 1], 100_000)
    if fmt == "bfloat16":  # from float64 ml_dtypes rounds twice
        with np.errstate(over="ignore"):
            x = x.astype(np.float32).astype(float)
    with np.errstate(over="ignore"):
        assert_array_equal(round_to(x, fmt), x.astype(DTYPES[fmt]).astype(float))


@pytest.mark.verifies("eq-mixed-precision-xla-rounding", by="table")
def test_rounding_by_hand():
    x = [0.1, 3e-8, 1e-8, 65519, 65520, 1 + 4.8e-4, 1 + 4.9e-4, 2049, 1e-12, np.inf, -1e9]
    expected = [
        0.0999755859375,
        2**-24,
        0,
        65504,
        np.inf,
        1,
        1.0009765625,
        2048,
        0,
        np.inf,
        -np.inf,
    ]
    assert_array_equal(round_to(x, "float16"), expected)
    assert_array_equal(round_to([1.003, 1.005, 257], "bfloat16"), [1, 1.0078125, 256])
    assert np.isnan(round_to(np.nan, "float16"))
    assert round_to(1 + 2.0**-11, "tf32") == 1  # a tie, to even


@pytest.mark.verifies("eq-mixed-precision-xla-rounding", by="property")
@given(st.floats(-8e3, 8e3), st.sampled_from(FORMATS), st.integers(-3, 3))
def test_laws_of_rounding(x, fmt, power):
    y, info = round_to(x, fmt), float_info(fmt)
    assert round_to(y, fmt) == y
    assert round_to(-x, fmt) == -y
    assert round_to(x + abs(x) * 1e-3, fmt) >= y
    if abs(x) >= 8 * info["min_normal"]:
        assert abs(y - x) <= info["eps"] / 2 * abs(x)
        assert round_to(x * 2.0**power, fmt) == y * 2.0**power


@pytest.mark.verifies("eq-mixed-precision-xla-exponential", by="closed form")
def test_largest_exponential():
    edge = math.log(65520)
    assert_allclose(edge, 11.0901, atol=1e-4)
    assert np.isfinite(round_to(np.exp(edge - 1e-9), "float16"))
    assert np.isinf(round_to(np.exp(edge + 1e-9), "float16"))


@pytest.mark.verifies("eq-mixed-precision-xla-sum", by="closed form")
def test_sums_stop():
    ones = np.ones(3000)
    for fmt, stop in (("float16", 2048), ("bfloat16", 256)):
        assert accumulate(ones, fmt) == stop == 2 / float_info(fmt)["eps"]
    assert accumulate(ones, "float16", "float32") == 3000
    assert accumulate([0.1] * 1000, "float16") == 105.1875
    sequence = np.random.default_rng(2).normal(size=50)
    total = np.float16(0)
    for value in sequence.astype(np.float16):
        total = np.float16(total + value)
    assert accumulate(sequence, "float16") == total


# Master weights


@pytest.mark.verifies("eq-mixed-precision-xla-stall", by="closed form")
def test_where_descent_stalls():
    pull = lambda x: x - 2  # noqa: E731
    ends = {
        (fmt, master): sgd_in_format(pull, 1, 1e-3, 3000, fmt, master)[-1]
        for fmt in ("float16", "bfloat16")
        for master in (True, False)
    }
    expected = [1.9502884, 1.51171875, 1.9502665, 1.0]
    assert_allclose(list(ends.values()), expected, rtol=0, atol=1e-6)
    assert_allclose(expected[::2], 2 - 0.999**3000, atol=1e-4)  # in exact arithmetic
    # Half a spacing of the numbers from 1 to 2 over the learning rate.
    for fmt, end in (("float16", ends["float16", False]), ("bfloat16", ends["bfloat16", False])):
        spacing = float_info(fmt)["eps"]
        assert abs(end - max(1, 2 - spacing / 2 / 1e-3)) <= spacing
    together = sgd_in_format(pull, 1, [1e-3, 1e-2], 100, "float16")
    assert_array_equal(together[:, 1], sgd_in_format(pull, 1, 1e-2, 100, "float16"))


# Loss scaling


@pytest.mark.verifies("eq-mixed-precision-xla-underflow", by="table")
def test_shares_of_a_histogram():
    low = [underflow_fraction(GRADIENTS, 2.0**k) for k in (0, 10, 15)]
    high = [overflow_fraction(GRADIENTS, 2.0**k) for k in (20, 24)]
    assert_allclose(low, [0.1169, 0.00025, 0], rtol=0, atol=1e-9)
    assert_allclose(high, [0.0001, 0.00235], rtol=0, atol=1e-9)
    assert low[0] == np.mean(GRADIENTS <= 2.0**-25)
    assert underflow_fraction([0.0, 1.0]) == 0
    assert underflow_fraction([0.0]) == 0
    for share, order in ((underflow_fraction, -1), (overflow_fraction, 1)):
        shares = [share(GRADIENTS, 2.0**k) for k in range(0, 40, 4)]
        assert np.all(order * np.diff(shares) >= 0)
    assert underflow_fraction(GRADIENTS, 1.0, "bfloat16") == 0


@pytest.mark.verifies("eq-mixed-precision-xla-best", by="property")
@given(st.floats(1e-20, 1e3), st.sampled_from(["float16", "bfloat16"]))
def test_best_scale(top, fmt):
    scale = best_loss_scale([top, -top / 3], fmt)
    assert math.log2(scale).is_integer()
    assert np.isfinite(round_to(top * scale, fmt))
    assert np.isinf(round_to(2 * top * scale, fmt))


@pytest.mark.verifies("eq-mixed-precision-xla-best", by="table")
def test_best_scale_of_the_histogram():
    assert best_loss_scale(GRADIENTS) == 2**18
    assert 65504 / 2 < 2**18 * GRADIENTS.max() <= 65504


@pytest.mark.verifies("eq-mixed-precision-xla-dynamic", by="library")
def test_dynamic_scale_is_that_of_keras():
    sequence = [1, 1, 1, 1, np.inf, 1, 1, 1, np.nan, np.inf, 1]
    ours = DynamicLossScale(8, 3)
    variable = keras.Variable(np.ones(1, "float32"))
    theirs = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=8, dynamic_growth_steps=3
    )
    theirs.build([variable])
    state, value, scales = [v.value for v in theirs.variables], variable.value, []
    index = [v.name for v in theirs.variables].index("dynamic_scale")
    for g in sequence:
        before = np.asarray(value)
        taken = ours.update([np.array([g])])
        (value,), state = theirs.stateless_apply(state, [jnp.full(1, g, "float32")], [value])
        assert taken == bool(np.isfinite(g))
        assert bool(np.any(np.asarray(value) != before)) == taken
        assert float(state[index]) == ours.scale
        scales.append(ours.scale)
    assert scales == [8, 8, 16, 16, 8, 8, 8, 16, 8, 4, 4]


@pytest.mark.verifies("eq-mixed-precision-xla-adam", by="property")
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e6))
def test_scaling_the_loss_is_shrinking_epsilon(seed, c):
    grads = np.random.default_rng(seed).normal(size=(20, 3)) * 1e-6
    scaled = adam_run(grads, eps=1e-7, loss_scale=c)
    assert_allclose(scaled, adam_run(grads, eps=1e-7 / c), rtol=0, atol=1e-14)
    assert_allclose(
        adam_run(grads, eps=0, loss_scale=c), adam_run(grads, eps=0), rtol=0, atol=1e-14
    )


@pytest.mark.verifies("eq-mixed-precision-xla-plateau", by="closed form")
def test_tiny_gradients():
    ends = [adam_run(TINY, **o)[-1] for o in ({}, {"loss_scale": 1e3}, {"eps": 1e-10}, {"eps": 0})]
    expected = [-2.0874390e-4, -0.0653467329, -0.0653467329, -0.1]
    assert_allclose(ends, expected, rtol=0, atol=1e-9)
    t = np.arange(1, 101)
    steps = 1e-3 * 1e-9 / (1e-9 + 1e-7 / np.sqrt(1 - 0.999**t))
    assert_allclose(np.diff(adam_run(TINY)), -steps, rtol=1e-9)


@pytest.mark.verifies("eq-mixed-precision-xla-adam", by="library")
def test_adam_is_that_of_keras():
    grads = np.random.default_rng(3).normal(size=(30, 4)).astype("float32")
    variable = keras.Variable(np.zeros(4, "float32"))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build([variable])
    state, value = [v.value for v in optimizer.variables], variable.value
    path = [np.zeros(4)]
    for g in grads:
        (value,), state = optimizer.stateless_apply(state, [jnp.asarray(g)], [value])
        path.append(np.asarray(value))
    assert_allclose(path, adam_run(grads), rtol=0, atol=1e-6)  # float32


# The compiler


def chain(x):
    return jnp.tanh(2 * x + 1) * jnp.exp(-(x**2)) + jnp.sin(x)


@pytest.mark.verifies("eq-mixed-precision-xla-traffic", by="library")
def test_nine_operations_become_one():
    x = jnp.ones((4000, 1000), "float32")
    stats = hlo_stats(chain, x)
    assert (stats["jaxpr_eqns"], stats["fusions"]) == (9, 1)
    assert stats["bytes_accessed"] == 2 * 4 * 4_000_000  # read once, written once
    assert stats["flops"] == 6 * 4_000_000  # two sums, four products; tanh, exp, sin apart
    half = hlo_stats(chain, x.astype("float16"))
    assert half["bytes_accessed"] == stats["bytes_accessed"] / 2

    def telling(x):  # returns what lies between
        a = jnp.tanh(2 * x + 1)
        b = jnp.exp(-(x**2))
        return a, b, a * b + jnp.sin(x)

    told = hlo_stats(telling, x)
    # Reads x and writes a; reads x and writes b; reads a, b and x and writes the result.
    assert_allclose(told["bytes_accessed"], 8 * 4 * 4_000_000, rtol=1e-5)
    assert told["fusions"] <= told["jaxpr_eqns"]
    assert_allclose(np.asarray(chain(x[:1, :1])), np.tanh(3) * np.exp(-1) + np.sin(1), rtol=1e-6)


# Keras


def net(policy):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((20,))
    hidden = keras.layers.Dense(64, "relu", dtype=policy)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(hidden))


@pytest.fixture
def mixed_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


def test_policies(mixed_float16):
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    assert (layer.compute_dtype, layer.variable_dtype) == ("float16", "float32")
    assert layer(np.ones((1, 2))).dtype == "float16"
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile("adam", "mse")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(model.optimizer.initial_scale) == 2**15


def test_bfloat16_needs_no_scale():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    keras.config.set_dtype_policy(before)
    model.compile("adam", "mse")
    assert type(model.optimizer) is keras.optimizers.Adam


def cloud():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(2000, 20)).astype("float32")
    return x, (x[:, :10].sum(axis=1) > x[:, 10:].sum(axis=1)).astype("int32")


def test_three_precisions_learn_alike():
    x, y = cloud()
    final = {}
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        model = net(policy)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss)
        final[policy] = model.fit(x, y, epochs=5, shuffle=False, verbose=0).history["loss"][-1]
    values = np.array(list(final.values()))
    assert np.all(np.abs(values / values[0] - 1) < 0.2), final


@pytest.mark.parametrize("scaled", [True, False])
def test_loss_scaling_revives_the_first_layer(mixed_float16, scaled):
    x, _ = cloud()
    y = x[:, :2]
    model = net("mixed_float16")
    start = [np.asarray(w.value) for w in model.weights]
    model.compile(
        keras.optimizers.Adam(0.01),
        lambda t, p: 1e-8 * keras.ops.mean((t - p) ** 2, axis=-1),
        auto_scale_loss=scaled,
    )
    history = model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"]
    moved = np.abs(np.asarray(model.weights[0].value) - start[0]).max()
    assert history[-1] < history[0]  # the float32 head learns in either case
    assert moved > 1e-3 if scaled else moved == 0


# The committed table


def test_committed_benchmark():
    text = (ROOT / "benchmarks" / "results" / "mixed_precision.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| (是|否) \| (\d+) \| ([\d.]+) \| (\S+) \| ([\d.]+) \|$", text, re.M
    )
    assert [(row[0], row[1]) for row in rows] == [
        (policy, xla)
        for policy in ("float32", "mixed_float16", "mixed_bfloat16")
        for xla in ("是", "否")
    ]
    table = {
        (policy, xla): (int(ms), memory, float(loss)) for policy, xla, ms, _, memory, loss in rows
    }
    losses = [loss for _, _, loss in table.values()]
    assert np.ptp(losses) < 0.05
    chapter = ROOT / "chapters" / "cooler_keras" / "mixed_precision_xla.md"
    assert "benchmarks/results/mixed_precision.md" in chapter.read_text(encoding="utf-8")
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        assert table[policy, "是"][0] < table[policy, "否"][0]
    # The readings of the chapter.
    assert table["mixed_float16", "否"][0] > 3 * table["float32", "否"][0]
    held = {policy: float(table[policy, "是"][1]) for policy, _ in table}
    assert held["mixed_bfloat16"] < 0.8 * held["float32"] < held["mixed_float16"]
    assert not re.search(r"kexue|/work|/tmp|host", text)


@pytest.mark.verifies("eq-mixed-precision-xla-memory", by="closed form")
def test_bytes_of_a_parameter():
    model = net("mixed_float16")
    model.compile(keras.optimizers.Adam(0.01), "mse", auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    kept = sum(v.value.nbytes for v in model.trainable_variables)
    slots = sum(v.value.nbytes for v in model.optimizer.variables if v.ndim)
    assert (kept + slots) / model.count_params() == 12
    copies = sum(
        round_to(np.asarray(v.value), "float16").astype("float16").nbytes
        for v in model.trainable_variables
    )
    assert copies / model.count_params() == 2


def test_numbers_quoted_in_the_chapter():
    # A thousand tenths in float16: what each addition adds to sums from 16 to 64, and above.
    for low, high, added in ((16, 64, 0.09375), (64, 105, 0.125)):
        sums = np.arange(low + 1, high, dtype=np.float16)
        assert set((sums + np.float16(0.1)) - sums) == {np.float16(added)}
    assert_allclose(2 - 2.0**-11 / 1e-3, 1.5117, atol=5e-5)
    for power, end in ((-2.5, 1.0), (-2.25, 1.30)):
        walk = sgd_in_format(lambda x: x - 2, 1, 10.0**power, 3000, "bfloat16", False)
        assert_allclose(walk[-1], end, atol=0.02)
    slow = sgd_in_format(lambda x: x - 2, 1, [1e-4, 0.1], 3000, "float16", False)[-1]
    assert slow[0] == 1 < 1.99 < slow[1] < 2
    share = -np.diff(adam_run(TINY))[[0, -1]] / 1e-3
    assert_allclose(share, [3e-4, 3e-3], rtol=0.06)
    assert 300**2 > 65504
    assert_allclose(2.0**-25, 3e-8, rtol=0.01)
    assert round_to(1e10, "float16") == np.inf
    assert round_to(1e-5, "float16") > 0 == round_to(1e-12, "float16")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: float_info("float8"), r"`fmt` must be one of \['bfloat16'.*got 'float8'"),
        (lambda: round_to(1, "double"), "`fmt` must be one of"),
        (lambda: underflow_fraction([1], 0), "`scale` must be positive, got 0"),
        (lambda: underflow_fraction([]), "`g` must hold at least one number, got none"),
        (lambda: overflow_fraction([]), "`g` must hold at least one number, got none"),
        (lambda: overflow_fraction([1], -1), "`scale` must be positive, got -1"),
        (lambda: best_loss_scale([0, 0]), "`g` must be finite and hold a number that is not zero"),
        (lambda: best_loss_scale([1, np.inf]), "`g` must be finite"),
        (lambda: best_loss_scale([]), "`g` must be finite"),
        (lambda: DynamicLossScale(0), "`initial_scale` must be positive, got 0"),
        (lambda: DynamicLossScale(1, 0), "`growth_steps` must be at least 1, got 0"),
        (lambda: adam_run([1], lr=0), "`lr` must be positive, got 0"),
        (lambda: adam_run([1], eps=-1), "`eps` must not be negative, got -1"),
        (lambda: adam_run([1], loss_scale=0), "`loss_scale` must be positive, got 0"),
        (lambda: accumulate([1], "float16", "x"), "`fmt` must be one of"),
        (lambda: sgd_in_format(abs, 1, 0, 1, "float16"), "`lr` must be positive, got 0"),
        (lambda: sgd_in_format(abs, 1, 1, -1, "float16"), "`n_steps` must not be negative, got -1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
