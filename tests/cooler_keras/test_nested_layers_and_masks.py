"""Facts that the chapter on nested layers and masks claims."""

import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.cooler_keras.nested_layers_and_masks import (
    DenseStack,
    MaskedPooling1D,
    ReverseBidirectional,
    additive_masked_softmax,
    causal_mask,
    masked_max,
    masked_mean,
    masked_softmax,
    padding_mask,
    reverse_sequence,
)

# Keras 3.15.1 under numpy 2: `Variable.__array__` has no argument `copy`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IDS = np.array([[3, 1, 4, 1, 5, 0, 0, 0], [2, 7, 0, 0, 0, 0, 0, 0]])
FIVE = np.arange(8) < 5
numbers = st.floats(-50, 50).map(lambda v: round(v, 3))
rows = st.integers(1, 8).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=numbers), arrays(bool, n))
)


# Reductions


@pytest.mark.verifies("eq-nested-layers-and-masks-mean", by="library")
@pytest.mark.verifies("eq-nested-layers-and-masks-max", by="library")
@given(rows)
def test_reductions_agree_with_masked_arrays(row):
    x, mask = row
    kept = np.ma.array(x, mask=~mask)
    dirty = np.where(
        mask, x, np.random.default_rng(len(x)).choice([np.nan, np.inf, -np.inf], len(x))
    )
    if mask.any():
        # A sum of eight numbers, rounded in another order.
        assert_allclose(masked_mean(dirty, mask), kept.mean(), rtol=1e-12, atol=1e-12)
        assert masked_max(dirty, mask) == kept.max()
    else:
        assert masked_mean(dirty, mask, empty=7.0) == masked_max(dirty, mask, empty=7.0) == 7


@pytest.mark.verifies("eq-nested-layers-and-masks-mean", by="table")
@pytest.mark.verifies("eq-nested-layers-and-masks-max", by="table")
def test_examples_of_the_post():
    x = [1, 0, 3, 4, 5, 0, 0, 0]
    assert_allclose(masked_mean(x, FIVE), 2.6, rtol=1e-15)
    assert np.mean(x) == 1.625
    assert masked_max([-1, -2, -3, -4, -5, 0, 0, 0], FIVE) == -1
    assert_array_equal(reverse_sequence([x], [5]), [[5, 4, 3, 0, 1, 0, 0, 0]])
    assert_array_equal(padding_mask([1, 2, 0]), [True, True, False])
    assert_array_equal(padding_mask([1, 2, 9], pad=9), [True, True, False])
    assert_allclose(masked_mean(x, np.array(x) != 0), 3.25, rtol=1e-15)  # the real zero is lost


@pytest.mark.verifies("eq-nested-layers-and-masks-softmax", by="library")
@pytest.mark.verifies("eq-nested-layers-and-masks-renormalise", by="property")
@given(rows, st.floats(-100, 100))
def test_softmax_agrees_with_scipy_on_the_compressed_row(row, shift):
    x, mask = row
    dirty = np.where(mask, x, np.nan)
    found = masked_softmax(dirty, mask)
    expected = np.zeros(len(x))
    if mask.any():
        expected[mask] = scipy.special.softmax(x[mask])
        full = scipy.special.softmax(np.where(mask, x, x[mask].max())) * mask
        assert_allclose(full / full.sum(), found, rtol=1e-10, atol=1e-300)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    assert_allclose(masked_softmax(dirty + shift, mask), expected, rtol=1e-10, atol=1e-14)
    assert np.all(found[~mask] == 0)


@pytest.mark.verifies("eq-nested-layers-and-masks-softmax", by="closed form")
def test_softmax_values():
    assert_allclose(
        masked_softmax([1, 2, 3, 9], np.array([1, 1, 1, 0], bool)),
        [0.09003057, 0.24472847, 0.66524096, 0],
        rtol=0,
        atol=1e-8,
    )
    huge = masked_softmax([1e300, -1e300, 5e299], np.array([True, True, True]))
    assert_array_equal(huge, [1, 0, 0])
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    mask = np.random.default_rng(1).random((2, 3, 1)) < 0.7
    along = masked_softmax(np.swapaxes(x, 1, 2), np.swapaxes(mask, 1, 2))
    assert_allclose(masked_softmax(x, mask, axis=1), np.swapaxes(along, 1, 2), rtol=1e-14)


@pytest.mark.verifies("eq-nested-layers-and-masks-leak", by="closed form")
@pytest.mark.parametrize("pads", [1, 3, 40])
def test_what_padding_takes(pads):
    row = np.r_[[1.0, 2.0, 3.0], np.zeros(pads)]
    kept = masked_softmax(row, np.ones(3 + pads, bool))[:3].sum()
    mass = np.exp([1, 2, 3]).sum()
    assert_allclose(1 - kept, pads / (mass + pads), rtol=1e-12)
    if pads == 1:
        assert_allclose(kept, 0.9679413967, rtol=0, atol=1e-9)


def test_constant_rows():
    mask = np.random.default_rng(2).random((50, 6)) < 0.5
    mask[:, 0] = True
    assert_allclose(masked_mean(np.full((50, 6), 3.7), mask), 3.7, rtol=1e-15)


# The additive mask


@pytest.mark.verifies("eq-nested-layers-and-masks-additive", by="closed form")
def test_additive_masks_that_fail():
    row, mask, nothing = [1, 2, 3, 0], np.array([1, 1, 1, 0], bool), np.zeros(4, bool)
    good = [0.0900, 0.2447, 0.6652, 0]
    with np.errstate(all="raise"):  # it fails silently
        assert np.all(np.isnan(additive_masked_softmax(row, mask, 1e10, "float16")))
    # Three significant digits of float16, two of bfloat16.
    assert_allclose(additive_masked_softmax(row, mask, 1e4, "float16"), good, rtol=0, atol=1e-3)
    found = additive_masked_softmax(row, mask, 1e10, "bfloat16")
    assert found.dtype == "bfloat16"
    assert_allclose(found.astype(float), [0.0903, 0.2451, 0.6680, 0], rtol=0, atol=1e-4)
    assert_allclose(additive_masked_softmax(row, mask), good, rtol=0, atol=1e-4)
    # Nothing to keep: uniform where the shift swallows the logits, unmasked where it does not.
    for dtype, big in (("float32", 1e10), ("bfloat16", 1e10), ("float16", 1e4)):
        assert_allclose(additive_masked_softmax(row, nothing, big, dtype).astype(float), 0.25)
    unmasked = additive_masked_softmax(row, nothing, 1e4, "float32")
    assert_allclose(unmasked, [0.0871443, 0.2368828, 0.6439143, 0.0320586], rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-nested-layers-and-masks-additive", by="library")
def test_additive_masks_in_double_precision():
    rng = np.random.default_rng(3)
    x, mask = rng.normal(size=(20, 5)), rng.random((20, 5)) < 0.6
    found = additive_masked_softmax(x, mask, 37.0, "float64")
    assert_allclose(found, scipy.special.softmax(x - 37.0 * ~mask, axis=-1), rtol=1e-12)


@pytest.mark.verifies("eq-nested-layers-and-masks-window", by="property")
def test_window_of_usable_shifts():
    # Logits between -20 and 20; the masked one on top, the kept one at the bottom.
    row, mask = [-20.0, 20.0], np.array([True, False])
    leak = {big: float(additive_masked_softmax(row, mask, big, "float16")[1]) for big in (57, 58)}
    assert leak[57] > 0 == leak[58]
    smallest = 2.0**-24
    assert_allclose(40 - np.log(smallest / 2), 57.33, atol=5e-3)
    assert float(additive_masked_softmax(row, mask, 65504, "float16")[1]) == 0
    assert np.isnan(float(additive_masked_softmax(row, mask, 65520, "float16")[0]))


# Sequences


@pytest.mark.verifies("eq-nested-layers-and-masks-reverse", by="property")
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 7))
def test_reversing(seed, batch, time):
    rng = np.random.default_rng(seed)
    x, lengths = rng.normal(size=(batch, time, 2)), rng.integers(0, time + 1, batch)
    found = reverse_sequence(x, lengths)
    for row, reverse, n in zip(x, found, lengths, strict=True):
        assert_array_equal(reverse[:n], row[:n][::-1])
        assert_array_equal(reverse[n:], row[n:])
    assert_array_equal(reverse_sequence(found, lengths), x)


@pytest.mark.verifies("eq-nested-layers-and-masks-attention", by="closed form")
def test_three_masks_in_one_attention():
    rng = np.random.default_rng(4)
    scores, keys = rng.normal(size=(5, 5)), np.arange(5) < 3
    weights = masked_softmax(scores, causal_mask(5) & keys)
    for i in range(5):
        seen = min(i + 1, 3)
        assert_allclose(weights[i, :seen], scipy.special.softmax(scores[i, :seen]), rtol=1e-12)
        assert np.all(weights[i, seen:] == 0)
    assert_array_equal(causal_mask(3), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    # A mask after the softmax loses the sum: multiplying is not masking.
    late = masked_softmax(scores, np.ones((5, 5), bool)) * (causal_mask(5) & keys)
    assert np.all(late.sum(axis=1) < 0.999)


# Layers


@pytest.mark.verifies("eq-nested-layers-and-masks-stack", by="closed form")
@pytest.mark.verifies("eq-nested-layers-and-masks-count", by="closed form")
def test_dense_stack():
    layer = DenseStack(5, 2, "tanh", "sigmoid")
    layer.build((None, 3))
    assert layer.count_params() == (3 + 1) * 5 + (5 + 1) * 2 == 32
    names = ["hidden/kernel", "hidden/bias", "output/kernel", "output/bias"]
    assert [w.path.split("/", 1)[1] for w in layer.weights] == names
    w1, b1, w2, b2 = (np.asarray(w.value, dtype=float) for w in layer.weights)
    x = np.random.default_rng(5).normal(size=(4, 6, 3))
    expected = scipy.special.expit(np.tanh(x @ w1 + b1) @ w2 + b2)
    assert_allclose(layer(x.astype("float32")), expected, rtol=0, atol=1e-6)  # float32
    again = DenseStack.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_a_layer_made_in_call_trains_nothing():
    class Forgetful(keras.layers.Layer):
        def call(self, x):
            return keras.layers.Dense(3)(x)

    layer = Forgetful()
    first, second = (np.asarray(layer(np.ones((1, 2), "float32"))) for _ in "12")
    assert layer.count_params() == 0
    assert np.abs(first - second).max() > 0.01  # new weights each time


@pytest.mark.verifies("eq-nested-layers-and-masks-bidirectional", by="library")
def test_reverse_bidirectional_is_keras_bidirectional():
    keras.utils.set_random_seed(0)
    make = lambda: keras.layers.LSTM(3, return_sequences=True)  # noqa: E731
    embedded = keras.layers.Embedding(10, 4, mask_zero=True)(IDS)
    ours, theirs = ReverseBidirectional(make()), keras.layers.Bidirectional(make())
    found = np.asarray(ours(embedded))
    theirs(embedded)
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        other.assign(mine.value)
    kept = padding_mask(IDS)[..., None]
    assert_allclose(found, np.asarray(theirs(embedded)) * kept, rtol=0, atol=1e-5)
    assert np.all(found[~padding_mask(IDS)] == 0)
    # Without a mask: the ordinary bidirectional layer, which reads the padding first.
    bare = np.asarray(embedded)
    assert_allclose(ours(bare), theirs(bare), rtol=0, atol=1e-5)
    assert np.abs(np.asarray(ours(bare)) - found)[kept[..., 0]].max() > 0.01


@pytest.mark.verifies("eq-nested-layers-and-masks-mean", by="library")
@pytest.mark.verifies("eq-nested-layers-and-masks-max", by="library")
def test_pooling_agrees_with_numpy_and_keras():
    rng = np.random.default_rng(6)
    x, mask = rng.normal(size=(5, 7, 3)).astype("float32"), rng.random((5, 7)) < 0.5
    mask[0] = False
    wide = np.broadcast_to(mask[..., None], x.shape)
    for mode, reduce in (("mean", masked_mean), ("max", masked_max)):
        found = np.asarray(MaskedPooling1D(mode)(x, mask=mask))
        assert_allclose(found, reduce(x, wide, axis=1), rtol=0, atol=1e-6)
        full = np.asarray(MaskedPooling1D(mode)(x))
        assert_allclose(full, getattr(np, mode)(x, axis=1), rtol=0, atol=1e-6)
    theirs = keras.layers.GlobalAveragePooling1D()(x[1:], mask=mask[1:])
    assert_allclose(MaskedPooling1D()(x[1:], mask=mask[1:]), theirs, rtol=0, atol=1e-6)
    # Order does not matter.
    order = rng.permutation(7)
    turned = MaskedPooling1D("max")(x[:, order], mask=mask[:, order])
    assert_array_equal(turned, MaskedPooling1D("max")(x, mask=mask))


def everything():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(10, 8, mask_zero=True)(inputs)
    hidden = DenseStack(16, 8, "relu")(hidden)
    hidden = ReverseBidirectional(keras.layers.SimpleRNN(3, return_sequences=True))(hidden)
    pooled = [MaskedPooling1D(mode)(hidden) for mode in ("mean", "max")]
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.concatenate(pooled)))


@pytest.mark.verifies("eq-nested-layers-and-masks-invariance", by="property")
def test_padding_invariance():
    model = everything()
    short = np.asarray(model(IDS))
    longer = np.asarray(model(np.pad(IDS, ((0, 0), (0, 24)))))
    assert_allclose(longer, short, rtol=0, atol=1e-6)
    # The same model without its mask.
    bare = keras.layers.Embedding(10, 8)
    stack, pool = DenseStack(16, 8, "relu"), MaskedPooling1D()
    drift = [np.asarray(pool(stack(bare(np.pad(IDS, ((0, 0), (0, k))))))) for k in (0, 7)]
    assert np.abs(drift[1] - drift[0]).max() > 1e-3


def test_saving_all_three_layers(tmp_path):
    model = everything()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_array_equal(np.asarray(loaded(IDS)), np.asarray(model(IDS)))
    assert [w.shape for w in loaded.weights] == [w.shape for w in model.weights]
    names = [layer.name for layer in loaded.layers]
    assert names == [layer.name for layer in model.layers]


def test_who_carries_the_mask():
    embedded = keras.layers.Embedding(10, 4, mask_zero=True)(keras.Input((None,), dtype="int32"))
    carried = lambda x: keras.src.backend.get_keras_mask(x) is not None  # noqa: E731
    for layer in (
        keras.layers.Dense(3),
        keras.layers.LayerNormalization(),
        keras.layers.Dropout(0.1),
        keras.layers.Activation("relu"),
        DenseStack(3, 3),
    ):
        assert carried(layer(embedded)), layer.name
    assert not carried(embedded * 2)
    assert not carried(embedded[:, 1:])
    assert not carried(MaskedPooling1D()(embedded))
    for layer in (keras.layers.Conv1D(3, 3), keras.layers.GlobalMaxPooling1D()):
        assert not layer.supports_masking
        with pytest.warns(UserWarning, match="does not support mask"):
            layer(embedded)


def test_keras_softmax_of_nothing():
    layer = keras.layers.Softmax()
    assert_array_equal(layer(np.ones((1, 3)), mask=np.zeros((1, 3), bool)), np.zeros((1, 3)))
    x, mask = np.array([[1.0, 2.0, 3.0, 9.0]]), np.array([[True, True, True, False]])
    assert_allclose(layer(x, mask=mask), masked_softmax(x, mask), rtol=0, atol=1e-6)


def task(rng, n, length):
    lengths = rng.integers(3, 9, n)
    ids = rng.integers(1, 10, (n, length)) * (np.arange(length) < lengths[:, None])
    return ids, (ids.sum(axis=1) / lengths)[:, None].astype("float32")


@pytest.mark.parametrize("masked", [True, False])
def test_experiment(masked):
    rng = np.random.default_rng(0)
    (x, y), (far_x, far_y) = task(rng, 3000, 8), task(rng, 1000, 32)
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(10, 8, mask_zero=masked)(inputs)
    hidden = MaskedPooling1D()(DenseStack(16, 8, "relu")(hidden))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, epochs=12, verbose=0)
    near, far = (model.evaluate(*data, verbose=0) for data in ((x, y), (far_x, far_y)))
    if masked:
        assert near < 1e-3
        assert far < 1e-3
    else:
        assert far > 3 * near


def test_numbers_quoted_in_the_chapter():
    # Sums of digits 1 to 9, divided by the mean length in place of the length, which is 3 to 8.
    lengths = np.arange(3, 9)
    variance = np.var(np.arange(1, 10))
    assert_allclose(variance, 20 / 3)
    assert_allclose(variance * (np.mean(1 / lengths) - 1 / 5.5), 0.14, atol=5e-3)
    assert_allclose(np.exp([1, 2, 3]).sum(), 30.19, atol=5e-3)
    assert_allclose(40 / (30.19 + 40), 0.57, atol=5e-3)
    padded = np.pad([1.0, 0, 3, 4, 5], (0, 40))
    assert_allclose(padded.mean(), 0.289, atol=5e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.float16(1e4) + np.float16(3) == np.float16(1e4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: padding_mask([1.0]), "`ids` must be integers, got float64"),
        (lambda: causal_mask(0), "`n` must be an integer of at least 1, got 0"),
        (lambda: causal_mask(1.5), "`n` must be an integer of at least 1, got 1.5"),
        (lambda: masked_mean([1, 2], [1, 0]), "`mask` must be boolean, got int64"),
        (lambda: masked_max([1, 2], [True] * 3), r"`mask` of shape \(3,\) must broadcast to `x`"),
        (lambda: masked_softmax([1, 2], [1.0, 0.0]), "`mask` must be boolean, got float64"),
        (lambda: additive_masked_softmax([1], [True], -1), "`big` must not be negative, got -1"),
        (lambda: reverse_sequence([[1, 2]], [3]), "`lengths` must be integers from 0 to 2"),
        (lambda: reverse_sequence([[1, 2]], [1.0]), "`lengths` must be integers from 0 to 2"),
        (lambda: reverse_sequence([1, 2], [1]), r"must have shapes \(b, t, ...\) and \(b,\)"),
        (lambda: DenseStack(0, 2), "`hidden_dim` must be at least 1, got 0"),
        (lambda: DenseStack(2, 0), "`output_dim` must be at least 1, got 0"),
        (lambda: MaskedPooling1D("sum"), "`mode` must be 'mean' or 'max', got 'sum'"),
        (lambda: ReverseBidirectional(keras.layers.GRU(2)), "`layer` must have `return_sequences"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
