"""Facts that the chapter on T5 claims."""

import itertools
import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.architectures.t5 import (
    attention,
    corrupted_lengths,
    feed_forward,
    gated_feed_forward,
    gelu,
    greedy_decode,
    init_tiny_t5,
    parameter_count,
    random_spans,
    relative_position_bucket,
    rms_norm,
    span_corrupt,
    span_restore,
    tiny_t5_logits,
    toy_batch,
    train_tiny_t5,
)

POEM = (
    "明月几时有,把酒问青天,不知天上宫阙,今夕是何年?"
    "我欲乘风归去,又恐琼楼玉宇,高处不胜寒;起舞弄清影,何似在人间。"
)
SPANS = [(6, 8), (14, 18), (27, 29), (41, 44), (47, 48)]
SENTINELS = [f"[M{i}]" for i in range(5)]
seeds = st.integers(0, 999)


@pytest.mark.verifies("def-t5-corruption", by="table")
def test_the_example_of_the_post():
    assert len(POEM) == 57
    inputs, targets = span_corrupt(POEM, SPANS, SENTINELS)
    assert "".join(inputs) == (
        "明月几时有,[M0]问青天,不知[M1],今夕是何年?我欲[M2]归去,又恐琼楼玉宇,高处[M3];"
        "起舞[M4]清影,何似在人间。"
    )
    assert "".join(targets) == "[M0]把酒[M1]天上宫阙[M2]乘风[M3]不胜寒[M4]弄"
    assert (len(inputs), len(targets)) == (50, 17)
    assert "".join(span_restore(inputs, targets, SENTINELS)) == POEM


@pytest.mark.verifies("eq-t5-lengths", by="closed form")
def test_lengths():
    # 100: 15 masked in 5 spans; 512: 77 in 26; 568: 85 in 28.
    assert corrupted_lengths(100) == (91, 21)
    assert corrupted_lengths(512) == (462, 104)
    assert corrupted_lengths(568) == (512, 114)
    assert corrupted_lengths(1000) == (901, 201)
    assert corrupted_lengths(2, 0.9, 5) == (3, 3)


@pytest.mark.verifies("eq-t5-lengths", by="property")
@given(st.integers(2, 200), st.floats(0.01, 0.95), st.floats(1, 10), seeds)
@settings(deadline=None)
def test_random_spans_can_be_undone(length, density, mean, seed):
    spans = random_spans(length, np.random.default_rng(seed), density, mean)
    assert spans[-1][1] == length
    assert spans[0][0] > 0
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    tokens = list(range(length))
    sentinels = [-1 - k for k in range(len(spans))]
    inputs, targets = span_corrupt(tokens, spans, sentinels)
    assert span_restore(inputs, targets, sentinels) == tokens
    assert (len(inputs) + 1, len(targets) + 1) == corrupted_lengths(length, density, mean)
    # Nothing is lost, and each span costs one sentinel twice.
    assert sum(corrupted_lengths(length, density, mean)) == length + 2 * len(spans) + 2


@pytest.mark.verifies("eq-t5-bucket", by="table")
def test_buckets():
    both = [-200, -64, -32, -16, -8, -1, 0, 1, 8, 16, 127]
    assert_array_equal(relative_position_bucket(both), [15, 14, 12, 10, 8, 1, 0, 17, 24, 26, 31])
    past = [-200, -64, -32, -16, -12, 0, 5]
    assert_array_equal(relative_position_bucket(past, False), [31, 26, 21, 16, 12, 0, 0])
    back = -np.arange(400)
    first = np.searchsorted(relative_position_bucket(back), np.arange(8, 16))
    assert_array_equal(first, [8, 12, 16, 23, 32, 46, 64, 91])
    first = np.searchsorted(relative_position_bucket(back, False), np.arange(16, 32))
    expected = [16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59, 67, 77, 87, 99, 113]
    assert_array_equal(first, expected)


@pytest.mark.verifies("eq-t5-bucket", by="property")
@given(st.sampled_from([4, 8, 16, 32, 64]), st.integers(40, 300))
def test_buckets_grow_with_the_distance(size, far):
    distance = np.arange(400)
    behind, ahead = (
        relative_position_bucket(-distance, True, size, far),
        relative_position_bucket(distance, True, size, far),
    )
    assert np.all(np.diff(behind) >= 0)
    assert_array_equal(ahead[1:], behind[1:] + size // 2)
    assert behind.max() == size // 2 - 1
    assert len(set(behind[far:])) == 1
    # By hand, with exact powers: bucket e + j begins where distance/e reaches (far/e)^(j/(s - e)).
    exact, half = size // 4, size // 2
    for j in range(half - exact):
        edge = exact * (far / exact) ** (j / (half - exact))
        assert behind[math.floor(edge) - 1 if j == 0 else math.ceil(edge - 1e-9) - 1] < exact + j
        assert behind[math.ceil(edge + 1e-9)] >= exact + j


@pytest.mark.verifies("eq-t5-rms", by="library")
def test_rms_norm():
    assert_allclose(rms_norm([3, 4]), [0.8485281, 1.1313708], rtol=0, atol=1e-7)
    expected = [0.36514837, 0.73029674, 1.09544512, 1.46059349]
    assert_allclose(rms_norm([1, 2, 3, 4], eps=0), expected, rtol=0, atol=1e-7)
    # keras.layers.RMSNormalization(epsilon=1e-6) of Keras 3.15.1 on JAX; 32 bits.
    theirs = [0.18181817, -0.72727269, 1.81818175, 0.36363634]
    assert_allclose(rms_norm([0.5, -2.0, 5.0, 1.0]), theirs, rtol=0, atol=2e-7)


@pytest.mark.verifies("eq-t5-rms", by="property")
@given(seeds, st.floats(0.01, 100))
def test_rms_norm_ignores_scale_and_not_shifts(seed, c):
    x = np.random.default_rng(seed).normal(size=(3, 8))
    normed = rms_norm(x, eps=0)
    assert_allclose(rms_norm(c * x, eps=0), normed, rtol=1e-12)
    assert_allclose(np.mean(normed**2, axis=-1), 1, rtol=1e-12)
    assert np.abs(rms_norm(x + 1, eps=0) - normed).max() > 1e-3
    assert_allclose(rms_norm(x, np.arange(8.0), eps=0), normed * np.arange(8), rtol=1e-12)


@pytest.mark.verifies("eq-t5-geglu", by="closed form")
def test_feed_forward_layers():
    assert_allclose(gelu([-1, 1, 3]), [-0.15880801, 0.84119199, 2.99636261], rtol=0, atol=1e-8)
    gate, lin, out = [[1, 0, 1], [0, 1, 1]], [[2, 1, 0], [1, 0, 1]], [[1, 0], [0, 1], [1, 1]]
    # gate: (1, -2, -1) through gelu; lin: (0, 1, -2).
    found = gated_feed_forward([1, -2], gate, lin, out)
    assert_allclose(found, [0.31761602, 0.27221371], rtol=0, atol=1e-8)
    assert_allclose(feed_forward([1, -2], gate, out), [1, 0])


@pytest.mark.verifies("eq-t5-geglu", by="library")
def test_gelu_agrees_with_jax():
    x = np.linspace(-6, 6, 121)
    # 32 bits on the other side.
    assert_allclose(gelu(x), jax.nn.gelu(jnp.asarray(x, jnp.float32)), rtol=0, atol=1e-6)
    # The exact form, x times the normal distribution function, is near.
    assert_allclose(gelu(x), x * scipy.special.ndtr(x), rtol=0, atol=5e-4)


@pytest.mark.verifies("eq-t5-attention", by="library")
def test_attention_agrees_with_jax():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 2, 5, 4, 8))
    bias = rng.normal(size=(2, 4, 5, 5))
    theirs = jax.nn.dot_product_attention(
        *(jnp.asarray(x, jnp.float32) for x in (q, k, v, bias)), scale=1.0
    )
    ours = attention(*(x.swapaxes(1, 2) for x in (q, k, v)), bias).swapaxes(1, 2)
    assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.verifies("eq-t5-attention", by="property")
@given(seeds, st.floats(-50, 50))
@settings(deadline=None)
def test_a_constant_bias_changes_nothing(seed, c):
    rng = np.random.default_rng(seed)
    q, k, v = rng.normal(size=(3, 6, 4))
    bias = rng.normal(size=(6, 6))
    found = attention(q, k, v, bias + c * np.arange(6)[:, None])
    assert_allclose(found, attention(q, k, v, bias), rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-t5-scale", by="property")
@given(seeds)
@settings(deadline=None)
def test_the_factor_may_sit_in_the_weights(seed):
    # Queries are W times a normed vector, so W / sqrt(d) is the same as logits / sqrt(d).
    rng = np.random.default_rng(seed)
    x, (wq, wk) = rms_norm(rng.normal(size=(5, 16))), rng.normal(size=(2, 16, 16))
    scaled = attention(x @ (wq / 4), x @ wk, x)
    weights = scipy.special.softmax((x @ wq) @ (x @ wk).T / 4, axis=1)
    assert_allclose(scaled, weights @ x, rtol=0, atol=1e-10)


def test_logits_start_with_the_size_of_scaled_attention():
    params = init_tiny_t5(3, d_model=64, n_heads=4)
    layer = params["encoder"]["layers"][0]["self"]
    x = rms_norm(np.random.default_rng(4).normal(size=(400, 64)))
    q, k = ((x @ layer[name]).reshape(400, 4, 16).swapaxes(0, 1) for name in "qk")
    # A sum of 16 products of standard deviations 1/4 and 1.
    assert_allclose(np.std(q @ k.swapaxes(1, 2)), 1, rtol=0.1)


COUNTS = {
    # Known sizes of the released models, recounted matrix by matrix.
    "T5-small": ((32128, 512, 64, 8, 2048, 6, False, True), 60_506_624),
    "T5-base": ((32128, 768, 64, 12, 3072, 12, False, True), 222_903_552),
    "T5.1.1-small": ((32128, 512, 64, 6, 1024, 8), 76_961_152),
    "T5.1.1-base": ((32128, 768, 64, 12, 2048, 12), 247_577_856),
    "mT5-small": ((250112, 512, 64, 6, 1024, 8), 300_176_768),
    "mT5-base": ((250112, 768, 64, 12, 2048, 12), 582_401_280),
    "mT5-small, 32598 rows": ((32598, 512, 64, 6, 1024, 8), 77_442_432),
    "tiny": ((15, 48, 12, 4, 96, 1), 57_328),
}


@pytest.mark.verifies("eq-t5-count", by="literature")
@pytest.mark.parametrize(("sizes", "total"), COUNTS.values(), ids=COUNTS)
def test_parameter_counts(sizes, total):
    parts = parameter_count(*sizes)
    assert parts["total"] == total
    assert parts["total"] == sum(parts[part] for part in parts if part != "total")


@pytest.mark.verifies("eq-t5-count", by="closed form")
@pytest.mark.verifies("eq-t5-vocabulary", by="closed form")
@pytest.mark.verifies("eq-t5-two-thirds", by="closed form")
def test_where_the_parameters_sit():
    mt5 = parameter_count(250112, 512, 64, 6, 1024, 8)
    assert mt5["embedding"] == 256_114_688
    assert mt5["encoder"] == 8 * (4 * 512 * 384 + 3 * 512 * 1024 + 2 * 512) + 512
    assert mt5["decoder"] == 8 * (8 * 512 * 384 + 3 * 512 * 1024 + 3 * 512) + 512
    assert mt5["relative_bias"] == 2 * 32 * 6
    for rows in (5000, 32598):
        assert parameter_count(rows, 512, 64, 6, 1024, 8)["total"] == 44_062_080 + 1024 * rows
    # GEGLU at two thirds of the width costs the same.
    old = parameter_count(32128, 768, 64, 12, 3072, 12, gated=False)
    new = parameter_count(32128, 768, 64, 12, 2048, 12)
    assert old["encoder"] == new["encoder"] == 84_953_856
    wide = parameter_count(32128, 768, 64, 12, 3072, 12)
    assert wide["encoder"] - old["encoder"] == 12 * 768 * 3072


def test_the_tiny_model_has_the_parameters_of_the_formula():
    leaves = jax.tree_util.tree_leaves(init_tiny_t5(0))
    assert sum(leaf.size for leaf in leaves) == 57_328


@pytest.mark.verifies("eq-t5-tasks", by="closed form")
def test_questions_and_answers():
    x, y_in, y_out, task = toy_batch(np.random.default_rng(0), 300)
    assert set(task) == {0, 1, 2}
    assert_array_equal(x[:, 0], task + 2)
    assert_array_equal(x[:, -1], 1)
    assert_array_equal(y_in[:, 0], 0)
    assert_array_equal(y_in[:, 1:], y_out[:, :-1])
    assert_array_equal(y_out[:, -1], 1)
    digits, answer = x[:, 1:-1], y_out[:, :-1]
    assert digits.min() == 5
    assert digits.max() == 14
    for row, said, kind in zip(digits.tolist(), answer.tolist(), task, strict=True):
        assert said == (row, row[::-1], sorted(row))[kind]


def test_the_decoder_sees_no_future_and_the_encoder_no_order():
    logits = jax.jit(tiny_t5_logits, static_argnames=("n_heads", "use_position"))
    params = init_tiny_t5(1)
    x, y_in, _, _ = toy_batch(np.random.default_rng(1), 4)
    before = logits(params, x, y_in)
    later = y_in.copy()
    later[:, 4:] = 9
    assert_allclose(before[:, :4], logits(params, x, later)[:, :4], rtol=0, atol=1e-5)
    assert np.abs(before[:, 4:] - logits(params, x, later)[:, 4:]).max() > 0.01
    mixed = x[:, [3, 1, 0, 2, 5, 4, 7, 6]]
    assert np.abs(before - logits(params, mixed, y_in)).max() > 1e-3
    blind, blind_mixed = (logits(params, q, y_in, use_position=False) for q in (x, mixed))
    # 32 bits.
    assert_allclose(blind, blind_mixed, rtol=0, atol=1e-5)


def test_the_first_token_is_what_numpy_computes():
    # With one token of each side, attention is the identity on values.
    params = init_tiny_t5(2)

    def layer(x, parts):
        return rms_norm(x, parts["norm"])

    def feed(x, p):
        return x + gated_feed_forward(layer(x, p), p["gate"], p["lin"], p["out"])

    memory = params["embedding"][[[7]]]
    block = params["encoder"]["layers"][0]
    memory = feed(
        memory + layer(memory, block["self"]) @ block["self"]["v"] @ block["self"]["o"],
        block["feed"],
    )
    memory = rms_norm(memory, params["encoder"]["norm"])
    x = params["embedding"][[[0]]]
    block = params["decoder"]["layers"][0]
    x = x + layer(x, block["self"]) @ block["self"]["v"] @ block["self"]["o"]
    x = x + memory @ block["cross"]["v"] @ block["cross"]["o"]
    x = rms_norm(feed(x, block["feed"]), params["decoder"]["norm"])
    found = jax.jit(tiny_t5_logits)(params, np.array([[7]]), np.array([[0]]))
    assert_allclose(found, x @ params["output"], rtol=0, atol=1e-5)


@cache
def trained(use_position, steps, seed):
    params, losses = train_tiny_t5(steps, seed, use_position=use_position)
    x, _, y_out, task = toy_batch(np.random.default_rng(77), 600)
    said = greedy_decode(params, x, 7, use_position=use_position)
    right = np.all(said == y_out, axis=1)
    return params, losses, [right[task == kind].mean() for kind in range(3)]


def test_a_tiny_t5_answers():
    params, losses, (copied, reversed_, sorted_) = trained(True, 500, seed=1)
    assert losses[0] > 2.3
    assert losses[-1] < 0.1
    assert min(copied, reversed_, sorted_) > 0.9
    # All heads turn away from the first token when the seventh is to be written.
    bias = params["decoder"]["bias"][:7]
    assert np.all(bias[6] < bias[:6].min(axis=0) - 0.1)


def test_without_positions_only_sorting_is_left():
    _, _, (copied, reversed_, sorted_) = trained(False, 200, seed=0)
    assert sorted_ > 0.9
    assert max(copied, reversed_) < 0.1


def test_numbers_quoted_in_the_chapter():
    assert_allclose(256_114_688 / 300_176_768, 0.853, atol=5e-4)
    assert_allclose(300_176_768 / 77_442_432, 3.9, atol=0.05)
    assert_allclose(512 / 114, 4.5, atol=0.05)
    assert 2 * 3072 == 3 * 2048
    # BERT base: 12 layers of 4 maps with biases, 2 feed-forward maps with biases, 2 norms.
    width, inner = 768, 3072
    layer = 4 * (width**2 + width) + 2 * width * inner + inner + width + 4 * width
    assert 12 * layer == 85_054_464
    assert 2 * 2048 > 3 * 1024


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: span_corrupt("abc", [(0, 1), (1, 2)], ["X"]),
            "`sentinels` must hold one for each",
        ),
        (lambda: span_corrupt("abX", [(0, 1)], ["X"]), "`sentinels` must not occur in `tokens`"),
        (lambda: span_corrupt("abc", [(1, 1)], ["X"]), r"`spans` must be in order.*got \(1, 1\)"),
        (lambda: span_corrupt("abc", [(2, 4)], ["X"]), r"inside the 3 tokens, got \(2, 4\)"),
        (
            lambda: span_corrupt("abc", [(1, 3), (2, 3)], ["X", "Y"]),
            r"`spans` must be in order.*got \(2, 3\)",
        ),
        (lambda: span_restore("aX", "b", "X"), "`targets` must start with a sentinel, got 'b'"),
        (lambda: span_restore("aX", "XbXc", "X"), "`targets` must name each sentinel once"),
        (lambda: span_restore("aXY", "Xb", "XY"), "`inputs` must hold the sentinels of `targets`"),
        (lambda: span_restore("a", "Xb", "XY"), "`inputs` must hold the sentinels of `targets`"),
        (lambda: corrupted_lengths(1), "`length` must be an integer of at least 2, got 1"),
        (lambda: corrupted_lengths(9, 1.0), "`noise_density` must be between 0 and 1, got 1.0"),
        (
            lambda: random_spans(9, np.random.default_rng(0), 0.5, 0.5),
            "`mean_span_length` must be finite and at least 1, got 0.5",
        ),
        (lambda: relative_position_bucket([0.5]), "`relative_position` must hold integers, got"),
        (lambda: relative_position_bucket([1], True, 5), "`num_buckets` must be .* got 5"),
        (lambda: relative_position_bucket([1], False, 2), "`num_buckets` must be .* got 2"),
        (
            lambda: relative_position_bucket([1], True, 32, 8),
            "`max_distance` must be more than the 8 distances that are exact, got 8",
        ),
        (lambda: parameter_count(0, 1, 1, 1, 1, 1), "`vocab_size` must be at least 1, got 0"),
        (lambda: init_tiny_t5(0, n_heads=5), "`n_heads` must divide `d_model`, got 5 and 48"),
        (lambda: attention([[np.inf]], [[1.0]], [[1.0]]), "must be finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
