"""Facts that the chapter on linear attention claims."""

import ast
import math
import re
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.architectures.linear_attention import (
    attention_matrix,
    efficient_attention,
    feature_map,
    flops,
    linear_attention,
    linear_attention_step,
    memory,
    softmax_attention,
)

ROOT = Path(__file__).parents[2]
Q = np.array([[1, 0], [0, 2], [-1, 1]])
K = np.array([[1, 1], [0, -1], [2, 0]])
V = np.array([[1, 0], [0, 1], [2, -1]])
POSITIVE = ["elu1", "exp", "taylor2"]

# By hand from the definitions; the rows of V sum to 1, so the second column is 1 - first.
FIRST_COLUMNS = {
    "softmax": (lambda: softmax_attention(Q, K, V, scale=1), [1.57521038, 1.10143419, 0.84530210]),
    "softmax causal": (
        lambda: softmax_attention(Q, K, V, causal=True),
        [1, 0.94419278, 0.85603384],
    ),
    "elu1": (lambda: linear_attention(Q, K, V), [1.30141573, 1.24195536, 1.22363771]),
    "elu1 causal": (
        lambda: linear_attention(Q, K, V, causal=True),
        [1, 0.79179398, 1.22363771],
    ),
    "taylor": (lambda: linear_attention(Q, K, V, "taylor"), [1.21244472, 1.36939806, 1]),
    "taylor causal": (lambda: linear_attention(Q, K, V, "taylor", causal=True), [1, 1, 1]),
    "exp": (lambda: linear_attention(Q, K, V, "exp"), [1.52508407, 1.26779112, 1.26779112]),
    "taylor2": (lambda: linear_attention(Q, K, V, "taylor2"), [1.47058824, 1, 1.2]),
    "efficient": (lambda: efficient_attention(Q, K, V), [1.46211716, 1.20482421, 1.20482421]),
}


def heads(seed, n=7, d=4, e=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)), rng.normal(size=(n, e))


@pytest.mark.verifies("eq-linear-attention-softmax", by="closed form")
@pytest.mark.verifies("eq-linear-attention-kernel", by="closed form")
@pytest.mark.verifies("eq-linear-attention-two-softmaxes", by="closed form")
@pytest.mark.verifies("eq-linear-attention-taylor2", by="closed form")
@pytest.mark.parametrize(("value", "expected"), FIRST_COLUMNS.values(), ids=FIRST_COLUMNS)
def test_numbers(value, expected):
    # 1e-8: the numbers are given with eight decimals.
    assert_allclose(value()[:, 0], expected, rtol=0, atol=1e-8)
    assert_allclose(value().sum(axis=1), 1, rtol=1e-12)


@pytest.mark.verifies("eq-linear-attention-taylor", by="closed form")
def test_weights_of_the_first_order():
    expected = [
        [0.36266583, 0.21244472, 0.42488945],
        [0.63060194, 0, 0.36939806],
        [0.63060194, 0.18469903, 0.18469903],
    ]
    assert_allclose(attention_matrix(Q, K, "taylor"), expected, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-linear-attention-softmax", by="library")
@pytest.mark.parametrize("causal", [False, True])
def test_softmax_attention_agrees_with_jax(causal):
    q, k, v = heads(1, e=4)
    theirs = jax.nn.dot_product_attention(q[:, None], k[:, None], v[:, None], is_causal=causal)[
        :, 0
    ]
    # JAX computes with 32 bits.
    assert_allclose(softmax_attention(q, k, v, causal), theirs, rtol=0, atol=2e-6)


@pytest.mark.verifies("eq-linear-attention-softmax", by="library")
def test_softmax_attention_agrees_with_scipy():
    q, k, v = heads(2)
    expected = scipy.special.softmax(q @ k.T / 2, axis=1) @ v
    assert_allclose(softmax_attention(q, k, v), expected, rtol=0, atol=1e-14)
    # Huge logits neither overflow nor warn.
    far = softmax_attention(1e2 * q, 1e2 * k, v)
    assert_allclose(far, v[np.argmax(q @ k.T, axis=1)], rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-linear-attention-bracket", by="property")
@given(st.integers(1, 5000), st.integers(1, 200))
def test_moving_the_bracket(n, d):
    # Counted: two products of n x d, d x n and n x n, n x d against d x n, n x d and n x d, d x d.
    assert flops(n, d, "softmax") == 2 * (n * d * n) + 2 * (n * n * d)
    assert flops(n, d, "linear") == 2 * (d * n * d) + 2 * (n * d * d)
    assert flops(n, d, "softmax") * d == flops(n, d, "linear") * n
    assert (flops(n, d, "linear") < flops(n, d, "softmax")) == (n > d)


@pytest.mark.verifies("eq-linear-attention-memory", by="closed form")
def test_memory():
    assert memory(4096, 64, "softmax") == 16_777_216
    assert memory(4096, 64, "linear") == 4096
    assert memory(4096, 64, "cumsum") == 16_777_216
    assert memory(4095, 64, "cumsum") > memory(4095, 64, "softmax")
    assert memory(4097, 64, "cumsum") < memory(4097, 64, "softmax")


@pytest.mark.verifies("eq-linear-attention-kernel", by="property")
@given(st.integers(0, 99), st.sampled_from(POSITIVE), st.booleans(), st.integers(1, 9))
@settings(deadline=None)
def test_linear_attention_is_its_matrix(seed, kind, causal, chunk):
    q, k, v = heads(seed)
    A = attention_matrix(q, k, kind, causal)
    assert_allclose(A.sum(axis=1), 1, rtol=1e-13)
    # Sums of up to 21 features of both signs and of size up to 100: 1e-12.
    assert_allclose(linear_attention(q, k, v, kind, causal, chunk), A @ v, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-linear-attention-state", by="property")
@pytest.mark.verifies("eq-linear-attention-chunk", by="property")
@given(st.integers(0, 99), st.sampled_from(POSITIVE), st.integers(1, 40))
@settings(deadline=None, max_examples=40)
def test_three_ways_to_look_back(seed, kind, chunk):
    q, k, v = heads(seed, n=29)
    together = linear_attention(q, k, v, kind, causal=True, chunk=chunk)
    state = None
    for row in range(29):
        before = None if state is None else tuple(x.copy() for x in state)
        after, out = linear_attention_step(state, q[row], k[row], v[row], kind)
        if state is not None:
            assert_array_equal(state[0], before[0])
            assert_array_equal(state[1], before[1])
        state = after
        assert_allclose(out, together[row], rtol=0, atol=1e-12)
    assert_allclose(state[1], feature_map(k, kind).sum(axis=0), rtol=1e-12)
    assert_allclose(state[0], feature_map(k, kind).T @ v, rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-linear-attention-state", by="property")
def test_the_future_is_not_seen():
    q, k, v = heads(3, n=20)
    before = linear_attention(q, k, v, causal=True, chunk=6)
    k[11:], v[11:], q[11:] = 9, -7, 3
    after = linear_attention(q, k, v, causal=True, chunk=6)
    assert_array_equal(before[:11], after[:11])
    assert np.all(before[11:] != after[11:])


@given(st.integers(0, 99), st.sampled_from([*POSITIVE, "softmax", "efficient"]))
@settings(deadline=None)
def test_outputs_are_means(seed, kind):
    q, k, v = heads(seed)
    attend = {"softmax": softmax_attention, "efficient": efficient_attention}.get(
        kind, lambda q, k, v: linear_attention(q, k, v, kind)
    )
    out = attend(q, k, v)
    assert np.all(out <= v.max(axis=0) + 1e-12)
    assert np.all(out >= v.min(axis=0) - 1e-12)
    assert_allclose(attend(q, k, np.ones_like(v)), 1, rtol=1e-12)
    order = np.random.default_rng(seed).permutation(len(k))
    assert_allclose(attend(q, k[order], v[order]), out, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-linear-attention-two-softmaxes", by="property")
@given(st.integers(0, 99))
@settings(deadline=None)
def test_two_softmaxes_need_no_denominator(seed):
    q, k, _ = heads(seed)
    weights = efficient_attention(q, k, np.eye(len(k)))
    assert_allclose(weights.sum(axis=1), 1, rtol=1e-13)
    expected = scipy.special.softmax(q, axis=1) @ scipy.special.softmax(k, axis=0).T
    assert_allclose(weights, expected, rtol=0, atol=1e-14)


def test_two_softmaxes_are_not_the_kernel():
    # See the erratum: one normaliser per channel is not one normaliser for all.
    apart = efficient_attention(Q, K, V)[0, 0] - linear_attention(Q, K, V, "exp")[0, 0]
    assert_allclose(apart, 1.46211716 - 1.52508407, rtol=0, atol=2e-8)
    # With one channel, or where all columns of exp(K) have one sum, they agree.
    q, k, v = heads(5, d=1)
    assert_allclose(
        efficient_attention(q, k, v), linear_attention(q, k, v, "exp"), rtol=0, atol=1e-13
    )


@pytest.mark.verifies("eq-linear-attention-taylor", by="property")
@given(st.integers(0, 99))
@settings(deadline=None)
def test_first_order_is_a_kernel_all_the_same(seed):
    # See the erratum: the product of the features (1, x / |x|) is what the post writes.
    q, k, _ = heads(seed)
    cos = (q @ k.T) / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(k, axis=1)
    product = feature_map(q, "taylor") @ feature_map(k, "taylor").T
    assert_allclose(product, 1 + cos, rtol=0, atol=1e-14)
    assert np.all(product >= -1e-15)
    assert_allclose(
        attention_matrix(q, k, "taylor"),
        (1 + cos) / (1 + cos).sum(axis=1, keepdims=True),
        rtol=0,
        atol=1e-14,
    )


@pytest.mark.verifies("eq-linear-attention-taylor2", by="property")
@given(st.integers(0, 99))
@settings(deadline=None)
def test_second_order_is_half_of_one_and_a_square(seed):
    q, k, _ = heads(seed)
    product = feature_map(q, "taylor2") @ feature_map(k, "taylor2").T
    # Values up to some 100.
    assert_allclose(product, 0.5 + 0.5 * (1 + q @ k.T) ** 2, rtol=0, atol=1e-12)
    assert feature_map(q, "taylor2").shape == (7, 1 + 4 + 16)


@pytest.mark.verifies("eq-linear-attention-rank", by="library")
def test_rank():
    q, k, _ = np.random.default_rng(0).standard_normal((3, 200, 8))
    # Of the 73 second-order features, 28 are there twice: 1 + 8 + 36 differ.
    for kind, rank in (("elu1", 8), ("taylor", 9), ("taylor2", 45)):
        A = attention_matrix(q, k, kind)
        assert np.linalg.matrix_rank(A) == rank
        assert rank <= feature_map(q, kind).shape[1]
        assert_allclose(A.sum(axis=1), 1)
    full = softmax_attention(q, k, np.eye(200))
    assert np.linalg.matrix_rank(full) == 200
    # The mask breaks the bound: a triangle without zeros on its diagonal is invertible.
    assert np.linalg.matrix_rank(attention_matrix(q[:40], k[:40], causal=True)) == 40


@pytest.mark.verifies("eq-linear-attention-flat", by="closed form")
@pytest.mark.parametrize("beta", [0.5, 5.0, 20.0])
@pytest.mark.parametrize("n", [2, 6, 40])
def test_one_key_among_orthogonal_ones(n, beta):
    keys = np.sqrt(beta) * np.eye(n)
    row = attention_matrix(keys, keys, "taylor")[0]
    assert_allclose(row, [2 / (n + 1)] + [1 / (n + 1)] * (n - 1), rtol=1e-12)
    second = 1 + beta + beta**2 / 2
    assert_allclose(
        attention_matrix(keys, keys, "taylor2")[0, 0], second / (second + n - 1), rtol=1e-12
    )
    sharp = softmax_attention(keys, keys, np.eye(n), scale=1)[0, 0]
    assert_allclose(sharp, math.exp(beta) / (math.exp(beta) + n - 1), rtol=1e-12)


@pytest.mark.verifies("eq-linear-attention-temperature", by="property")
@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(-3, 3))
@settings(deadline=None)
def test_what_changes_nothing(seed, c, shift):
    q, k, v = heads(seed)
    for kind in ("elu1", "exp"):
        scaled = linear_attention(q, k, v, lambda x, kind=kind: c * feature_map(x, kind))
        assert_allclose(scaled, linear_attention(q, k, v, kind), rtol=0, atol=1e-12)
    assert_allclose(
        attention_matrix(q + shift, k, "exp"), attention_matrix(q, k, "exp"), rtol=0, atol=1e-12
    )
    assert_allclose(
        attention_matrix(c * q, k / c**2, "taylor"),
        attention_matrix(q, k, "taylor"),
        rtol=0,
        atol=1e-12,
    )


def test_entropies_of_rows():
    q, k, _ = np.random.default_rng(0).standard_normal((3, 200, 8))
    matrices = [
        attention_matrix(q, k),
        attention_matrix(q, k, "taylor"),
        softmax_attention(q, k, np.eye(200)),
    ]
    entropies = [scipy.special.entr(A).sum(axis=1).mean() for A in matrices]
    assert_allclose(entropies, [5.255, 5.232, 4.808], atol=1e-3)
    assert_allclose(math.log(200), 5.298, atol=5e-4)


def test_what_the_exponential_loses():
    s = np.array([-1, 0.5, 1])
    assert_allclose(np.exp(s) - (1 + s), [0.36787944, 0.14872127, 0.71828183], atol=1e-8)


def recalled(m, d=32):
    """Weight on the right one of m stored keys, mean of five draws."""
    rows = []
    for seed in range(5):
        keys = np.random.default_rng(seed).normal(size=(m, d))
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        long = math.sqrt(10) * keys
        matrices = [
            softmax_attention(long, long, np.eye(m), scale=1),
            softmax_attention(keys, keys, np.eye(m), scale=1),
            *(attention_matrix(long, long, kind) for kind in ("elu1", "relu", "taylor", "taylor2")),
        ]
        rows.append([A.trace() / m for A in matrices])
    return np.mean(rows, axis=0)


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (8, [0.9988, 0.2813, 0.1465, 0.3258, 0.2266, 0.7827]),
        (32, [0.9942, 0.0798, 0.0372, 0.0935, 0.0609, 0.4400]),
        (128, [0.9749, 0.0207, 0.0093, 0.0235, 0.0155, 0.1593]),
        (512, [0.9057, 0.0052, 0.0023, 0.0059, 0.0039, 0.0446]),
    ],
)
def test_recall(m, expected):
    found = recalled(m)
    # Four decimals are given.
    assert_allclose(found, expected, rtol=0, atol=6e-5)
    if m >= 32:
        assert_allclose(found[4], 2 / m, rtol=0.05)
    if m == 512:
        assert found[0] > 0.85
        assert np.all(found[2:] < 0.1)


@pytest.mark.verifies("eq-linear-attention-kernel", by="closed form")
@pytest.mark.verifies("eq-linear-attention-taylor2", by="closed form")
def test_features():
    x = np.array([-1000.0, -1.0, 0.0, 2.0])
    assert_allclose(feature_map(x), [0, math.exp(-1), 1, 3], rtol=1e-15)
    assert_allclose(feature_map(x, "relu"), [0, 0, 0, 2])
    assert_allclose(feature_map([3.0, 4.0], "taylor"), [1, 0.6, 0.8], rtol=1e-15)
    assert_allclose(feature_map([0.0, 0.0], "taylor"), [1, 0, 0])
    half = math.sqrt(0.5)
    assert_allclose(
        feature_map([2.0, 3.0], "taylor2"),
        [1, 2, 3, 4 * half, 6 * half, 6 * half, 9 * half],
        rtol=1e-15,
    )
    assert np.all(np.isfinite(feature_map([1e4, -1e4])))


def test_odd_polynomials_have_a_root_and_even_ones_have_none():
    # For the exercise.
    for order in range(1, 9):
        coefficients = [1 / math.factorial(k) for k in range(order, -1, -1)]
        real = np.abs(np.roots(coefficients).imag) < 1e-9
        assert real.any() == (order % 2 == 1)


def test_the_chapter_shows_the_committed_benchmark():
    result = (ROOT / "benchmarks/results/linear_attention.md").read_text(encoding="utf-8")
    chapter = (ROOT / "chapters/architectures/linear_attention.md").read_text(encoding="utf-8")
    times = ast.literal_eval(re.search(r"^TIMES = (\{.*?^\})$", chapter, re.M | re.S)[1])
    crossing = ast.literal_eval(re.search(r"^CROSSING = (.*)$", chapter, re.M)[1])
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", result, re.M)
    assert [int(n) for n, _ in rows] == [2**k for k in range(4, 13)]
    for column, d in enumerate((16, 32, 64, 128)):
        cells = [row.split(" | ")[column].split(" / ") for _, row in rows]
        assert times[d] == [[float(cell[kind]) for cell in cells] for kind in range(3)]
    found = re.search(r"从\$n\$约为 \| (.*) \|$", result, re.M)[1]
    assert crossing == dict(zip((16, 32, 64, 128), map(int, found.split(" | ")), strict=True))
    # What the prose says of the crossings.
    assert all(d < n for d, n in crossing.items())
    assert 1.8 < crossing[128] / 128 < 2.3
    slow, fast, _ = (curve[-1] for curve in times[64])
    assert slow / fast > 4
    said = f"Softmax用了{slow:.0f}毫秒，线性用了{fast:.1f}毫秒，相差{slow / fast:.0f}倍"
    assert said in chapter


def test_numbers_quoted_in_the_chapter():
    assert flops(65536, 64, "softmax") // flops(65536, 64, "linear") == 1024
    assert_allclose(flops(65536, 64, "softmax"), 1.1e12, rtol=0.01)
    assert_allclose(flops(65536, 64, "linear"), 1.07e9, rtol=0.01)
    assert 1 + 64 + 64**2 == 4161
    assert memory(4096, 64, "cumsum") == memory(4096, 64, "softmax")
    sharp = math.exp(5) / (math.exp(5) + 15)
    assert_allclose(sharp, 0.908, atol=5e-4)
    assert_allclose(2 / 17, 0.118, atol=5e-4)
    assert_allclose(18.5 / 33.5, 0.552, atol=5e-4)
    # Divided by the root of d as softmax is, the second order is flat.
    q, k, _ = np.random.default_rng(0).standard_normal((3, 200, 8))
    flat = attention_matrix(q / 8**0.25, k / 8**0.25, "taylor2")
    sharp = attention_matrix(q, k, "taylor2")
    for weights, entropy in ((flat, 5.050), (sharp, 4.748)):
        assert_allclose(scipy.special.entr(weights).sum(axis=1).mean(), entropy, atol=5e-4)
    q, k = np.random.default_rng(1).standard_normal((2, 64, 32))[..., :8]
    assert_allclose(softmax_attention(q, k, np.eye(64))[0].max(), 0.091, atol=5e-4)
    assert_allclose(attention_matrix(q, k)[0].max(), 0.027, atol=5e-4)
    # Keys of the recall: how alike the features of two are, and of one with itself.
    keys = np.random.default_rng(3).normal(size=(128, 32))
    features = feature_map(10**0.5 * keys / np.linalg.norm(keys, axis=1, keepdims=True), "elu1")
    alike = features @ features.T
    own = np.trace(alike) / 128
    other = (alike.sum() - np.trace(alike)) / (128 * 127)
    assert 0.8 < other / own < 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: softmax_attention(Q[0], K, V), r"`q` must have two axes .* got shape \(2,\)"),
        (lambda: linear_attention(Q, K[:, :1], V), "`k` must be as wide as `q`, got 1 and 2"),
        (lambda: efficient_attention(Q, K, V[:2]), "`v` must be as long as `k`, got 2 and 3"),
        (
            lambda: linear_attention(Q[:2], K, V, causal=True),
            "`q` must be as long as `k` when causal, got 2 and 3",
        ),
        (lambda: softmax_attention(Q * np.nan, K, V), "`q` must be finite, got nan"),
        (lambda: softmax_attention(Q, K, V, scale=math.inf), "`scale` must be finite, got inf"),
        (lambda: feature_map(Q, "cos"), "`kind` must be .* got 'cos'"),
        (lambda: feature_map(1.0), r"`x` must have at least one entry .* got shape \(\)"),
        (lambda: linear_attention(Q * 1000, K, V, "exp"), "`kind` must be finite, got inf"),
        (lambda: linear_attention(Q, K, V, chunk=0), "`chunk` must be an integer .* got 0"),
        (lambda: linear_attention(-Q, Q, V, "relu"), "must have a positive sum, got 0 in row 0"),
        (
            lambda: linear_attention([[1, 2]], [[-1, -2]], [[1]], "taylor", causal=True),
            "must have a positive sum, got .* in row 0; use positive features",
        ),
        (
            lambda: attention_matrix([[1, 2]], [[-1, -2]], "taylor"),
            "must have a positive sum, got .* in row 0",
        ),
        (
            lambda: linear_attention_step(None, [1, 2], [-1, -2], [1], "taylor"),
            "must have a positive sum",
        ),
        (lambda: linear_attention_step(None, Q, K, V), r"`q` must have one axis, got shape"),
        (lambda: linear_attention(Q, K, V, lambda x: x), "must have a positive sum"),
        (lambda: flops(1, 1, "fast"), r"`kind` must be one of \['linear', 'softmax'\], got 'fast'"),
        (lambda: flops(0, 1, "linear"), "`n` must be an integer of at least 1, got 0"),
        (lambda: memory(1, 2.5, "linear"), "`d` must be an integer of at least 1, got 2.5"),
        (lambda: memory(1, 1, "log"), "`kind` must be one of .* got 'log'"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
