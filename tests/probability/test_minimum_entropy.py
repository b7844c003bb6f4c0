"""Facts that the chapter on minimum entropy claims."""

import itertools
import math
from collections import Counter

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.probability.minimum_entropy import (
    LEXICON,
    boundary_f1,
    description_length,
    entropy_per_char,
    learn_merges,
    merge_gain,
    merge_pair,
    viterbi_segment,
    zipf_corpus,
)

WORDS = zipf_corpus(LEXICON, 3000, 0)
TEXT = "".join(WORDS)
LETTERS = list(TEXT)
SIZE = len(set(TEXT))
MEANT = {
    "the": 0.2,
    "them": 0.1,
    "me": 0.05,
    "ant": 0.02,
    "meant": 0.03,
    "eant": 0.001,
    "a": 0.1,
}

texts = st.lists(st.sampled_from(["a", "b", "c", "ab"]), min_size=2, max_size=40)
shares = st.tuples(st.floats(1e-3, 0.5), st.floats(1e-3, 0.5), st.floats(1e-3, 1))


def nats(tokens):
    return len(tokens) * entropy_per_char(tokens, math.e)[0]


def score(tokens):
    return boundary_f1(tokens, WORDS)[2]


def replay(history, text=LETTERS, words=WORDS):
    """Return description length, F1 and bits per letter after each merge."""
    tokens, size = list(text), len(set(text))
    rows = [(description_length(tokens, size)[0], boundary_f1(tokens, words)[2], math.inf)]
    for pair, _, bits in history:
        tokens = merge_pair(tokens, pair)
        rows.append((description_length(tokens, size)[0], boundary_f1(tokens, words)[2], bits))
    return np.array(rows)


@pytest.fixture(scope="module")
def by_gain():
    return replay(learn_merges(LETTERS, 250)[1])


@pytest.fixture(scope="module")
def by_count():
    return replay(learn_merges(LETTERS, 160, "count")[1])


def test_what_the_post_compares():
    assert_allclose([9.65 * 800, 4.03 * 500 * 4, 10.8 / 1.5], [7720, 8060, 7.2], rtol=1e-12)
    assert_allclose(4.03 * 500 * 5, 10075, rtol=1e-12)


@pytest.mark.verifies("eq-minimum-entropy-bound", by="library")
@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.floats(0, 1))
def test_any_model_costs_at_least_the_entropy(weights, mix):
    p = np.array(weights) / sum(weights)
    # Counts in proportion to p would give the same entropy; here by hand from the definition.
    q = mix * p + (1 - mix) / 4
    cost = -np.sum(p * np.log(q))
    assert_allclose(cost, scipy.stats.entropy(p) + scipy.stats.entropy(p, q), rtol=1e-10)
    assert cost >= scipy.stats.entropy(p) - 1e-12


@pytest.mark.verifies("eq-minimum-entropy-per-char", by="closed form")
def test_entropy_by_hand():
    # Five a, five b, three c and two d among 15; then 3 of 5 against 2 of 5.
    letters = [5 / 15, 5 / 15, 3 / 15, 2 / 15]
    H = -sum(p * math.log2(p) for p in letters)
    assert_allclose(entropy_per_char(list("abcabcabdabcabd")), [H, 1, H], rtol=1e-12)
    assert_allclose(H, 1.9086126989, atol=5e-11)
    words = entropy_per_char(["abc", "abc", "abd", "abc", "abd"])
    assert_allclose(words, [0.9709505945, 3, 0.3236501982], atol=5e-11)
    assert_allclose(entropy_per_char(["abcabcabdabcabd"]), [0, 15, 0])


@pytest.mark.verifies("eq-minimum-entropy-per-char", by="library")
@given(texts, st.sampled_from([2.0, math.e, 10.0]))
def test_entropy_agrees_with_scipy(tokens, base):
    H, length, per_char = entropy_per_char(tokens, base)
    counts = list(Counter(tokens).values())
    assert_allclose(H, scipy.stats.entropy(counts, base=base), rtol=1e-12, atol=1e-14)
    assert_allclose(length, len("".join(tokens)) / len(tokens), rtol=1e-12)
    assert_allclose(per_char * length, H, rtol=1e-12)


@pytest.mark.verifies("eq-minimum-entropy-gain", by="library")
@given(shares)
def test_gain_agrees_with_mpmath(case):
    p_a, p_b, part = case
    p_ab = part * min(p_a, p_b)
    with mpmath.workdps(40):
        p, a, b = map(mpmath.mpf, (p_ab, p_a, p_b))
        exact = p * mpmath.log(p / (a * b)) - (1 - p) * mpmath.log(1 - p)
        for q in (a, b):
            if q > p:
                exact += (q - p) * mpmath.log(1 - p / q)
        assert_allclose(float(merge_gain(p_ab, p_a, p_b)), float(exact), rtol=1e-9, atol=1e-15)


@pytest.mark.verifies("eq-minimum-entropy-gain", by="closed form")
def test_known_gains():
    values = merge_gain([0.03, 0.01, 0.02, 0.01 * math.e], 0.1, [0.08, 0.1, 0.2, 0.1])
    exact = [0.0207306789, -0.0090150603, -0.0170177237, 0.0077949126]
    assert_allclose(values, exact, atol=5e-11)


@pytest.mark.verifies("eq-minimum-entropy-small", by="closed form")
def test_small_shares():
    rough = 0.03 * (math.log(0.03 / 0.008) - 1)
    better = rough + (1 / 0.1 + 1 / 0.08 - 1) * 0.03**2 / 2
    assert_allclose([rough, better], [0.0096526752, 0.0193276752], atol=5e-11)
    # The next term is of the third order: a tenth of the share, a thousandth of what is left.
    rest = []
    for p in (1e-3, 1e-4):
        lead = p * (math.log(p / 0.008) - 1) + (1 / 0.1 + 1 / 0.08 - 1) * p * p / 2
        rest.append(float(merge_gain(p, 0.1, 0.08)) - lead)
    assert_allclose(rest[0] / rest[1], 1000, rtol=2e-2)


@pytest.mark.verifies("eq-minimum-entropy-sufficient", by="property")
@given(shares)
def test_mutual_information_above_one_is_enough(case):
    p_a, p_b, part = case
    p_ab = part * min(p_a, p_b)
    gain = float(merge_gain(p_ab, p_a, p_b))
    bound = p_ab * (math.log(p_ab / (p_a * p_b)) - 1)
    # The gap is at least x + (1 - x) ln(1 - x).
    rest = p_ab + (1 - p_ab) * math.log1p(-p_ab)
    assert gain >= bound + rest - 1e-14
    assert rest > 0


@given(shares)
def test_gain_grows_with_the_pair(case):
    p_a, p_b, part = case
    low = p_a * p_b * 1.01
    high = min(p_a, p_b)
    assume(low < high)
    p = low + part * (high - low)
    assert merge_gain(min(p * 1.001, high), p_a, p_b) >= merge_gain(p, p_a, p_b) - 1e-15


@pytest.mark.verifies("eq-minimum-entropy-everything", by="closed form")
def test_one_merge_that_saves_everything():
    assert_allclose(merge_gain(0.5, 0.5, 0.5), math.log(2), rtol=1e-14)
    tokens = list("ab" * 50)
    assert_allclose(nats(tokens), 100 * math.log(2), rtol=1e-12)
    assert merge_pair(tokens, ("a", "b")) == ["ab"] * 50
    assert nats(["ab"] * 50) == 0


@pytest.mark.verifies("eq-minimum-entropy-merged", by="property")
@pytest.mark.verifies("eq-minimum-entropy-drop", by="property")
@given(texts)
def test_gain_is_what_a_merge_saves(tokens):
    pair = ("a", "b")
    tokens = [t.replace("ab", "c") for t in tokens]
    n = sum(t == pair for t in itertools.pairwise(tokens))
    merged = merge_pair(tokens, pair)
    assert len(merged) == len(tokens) - n
    assume(n)
    counts, N = Counter(tokens), len(tokens)
    assume(max(counts.values()) < N)
    gain = float(merge_gain(n / N, counts["a"] / N, counts["b"] / N))
    assert_allclose(N * gain, nats(tokens) - nats(merged), rtol=0, atol=1e-10)
    (H, length, L), (H2, length2, L2) = (entropy_per_char(t, math.e) for t in (tokens, merged))
    assert_allclose(H2, (H - gain) / (1 - n / N), atol=1e-12)
    assert_allclose(length2, length / (1 - n / N), rtol=1e-12)
    assert_allclose(L - L2, gain / length, atol=1e-12)


@pytest.mark.verifies("eq-minimum-entropy-self", by="property")
@given(st.text("ab", min_size=4, max_size=60))
def test_merging_equal_neighbours(text):
    tokens = list(text)
    merged = merge_pair(tokens, ("a", "a"))
    n, N = len(tokens) - len(merged), len(tokens)
    assume(n and n < N - n)
    p, p_a = n / N, tokens.count("a") / N
    left = p_a - 2 * p
    gain = p * math.log(p / p_a**2) - (1 - p) * math.log(1 - p)
    gain += left * math.log(left / p_a) if left > 1e-12 else 0
    assert_allclose(N * gain, nats(tokens) - nats(merged), rtol=0, atol=1e-10)


def test_overlapping_neighbours():
    assert merge_pair(list("aaa"), ("a", "a")) == ["aa", "a"]
    assert merge_pair(["a", "b", "ab"], ("a", "b")) == ["ab", "ab"]
    assert merge_pair(["a"], ("a", "b")) == ["a"]


@given(texts, st.integers(0, 6), st.sampled_from(["gain", "count"]))
@settings(max_examples=60)
def test_merging_keeps_the_text(tokens, n, criterion):
    merged, history = learn_merges(tokens, n, criterion)
    assert "".join(merged) == "".join(tokens)
    assert len(history) <= n
    for pair, value, _ in history:
        count = sum(t == pair for t in itertools.pairwise(tokens))
        assert count >= 2
        if criterion == "count":
            assert value == count
        before, tokens = tokens, merge_pair(tokens, pair)
        if criterion == "gain":
            drop = nats(before) - nats(tokens)
            if "".join(pair) in before:  # then two different tokens become one, which saves more
                assert drop >= len(before) * value - 1e-10
            else:
                assert_allclose(len(before) * value, drop, atol=1e-10)
    assert tokens == merged


def test_ties_go_to_the_first_pair():
    # Each pair occurs twice.
    assert learn_merges(list("cdxabycdzab"), 1, "count")[1][0][0] == ("a", "b")


@pytest.mark.verifies("eq-minimum-entropy-mdl", by="closed form")
def test_description_length_by_hand():
    mark = math.log2(5)
    letters = description_length(list("abcabcabdabcabd"))
    assert_allclose(letters, [47.2046, 28.6292, 18.5754], atol=5e-5)
    assert_allclose(letters[2], 8 * mark, rtol=1e-12)
    words = description_length(["abc", "abc", "abd", "abc", "abd"])
    assert_allclose(words, [23.4302, 4.8548, 18.5754], atol=5e-5)
    one = description_length(["abcabcabdabcabd"])
    assert_allclose(one, [37.1508, 0, 16 * mark], atol=5e-5)
    assert_allclose(description_length(["ab"], alphabet_size=7), [9, 0, 9])


def test_viterbi_by_hand():
    assert viterbi_segment("themeant", MEANT) == ["the", "meant"]
    routes = [0.2 * 0.03, 0.2 * 0.05 * 0.02, 0.1 * 0.001]
    assert_allclose(np.log(routes), [-5.1160, -8.5172, -9.2103], atol=5e-5)
    rare = {**MEANT, "meant": 0.0008}
    assert viterbi_segment("themeant", rare) == ["the", "me", "ant"]


@pytest.mark.verifies("eq-minimum-entropy-viterbi", by="property")
@given(st.text("ab", min_size=1, max_size=9), st.lists(st.floats(0.01, 1), min_size=6, max_size=6))
@settings(max_examples=60)
def test_viterbi_agrees_with_trying_everything(text, weights):
    prob = dict(zip(["a", "b", "ab", "ba", "aab", "bb"], weights, strict=True))
    best = -math.inf
    for cuts in range(2 ** (len(text) - 1)):
        borders = [0, *(i + 1 for i in range(len(text) - 1) if cuts >> i & 1), len(text)]
        words = [text[i:j] for i, j in itertools.pairwise(borders)]
        if all(w in prob for w in words):
            best = max(best, sum(math.log(prob[w]) for w in words))
    found = viterbi_segment(text, prob)
    assert "".join(found) == text
    assert_allclose(sum(math.log(prob[w]) for w in found), best, rtol=1e-12, atol=1e-12)


@given(texts)
def test_borders(tokens):
    assert boundary_f1(tokens, tokens) == (1, 1, 1)
    whole = ["".join(tokens)]
    precision, recall, f1 = boundary_f1(tokens, whole)
    assert (precision, recall, f1) == ((0, 0, 0) if len(tokens) > 1 else (1, 1, 1))


def test_borders_by_hand():
    assert boundary_f1(["ab", "c", "d"], ["a", "b", "cd"]) == (0.5, 0.5, 0.5)
    assert boundary_f1(["abcd"], ["ab", "cd"]) == (0, 0, 0)
    assert boundary_f1(["abcd"], ["abcd"]) == (1, 1, 1)


def test_corpus():
    assert len(LEXICON) == len(set(LEXICON)) == 60
    assert len(TEXT) == 8457
    assert_allclose(entropy_per_char(LETTERS)[0], 3.67362, atol=5e-6)
    assert_allclose(entropy_per_char(WORDS), [4.76947, 2.819, 1.69190], atol=5e-6)
    assert zipf_corpus(["x", "y"], 50, exponent=40.0) == ["x"] * 50
    assert_allclose(description_length(WORDS, SIZE)[0], 15406.5, atol=0.05)


@pytest.mark.verifies("eq-minimum-entropy-rate", by="closed form")
def test_entropy_rate_of_the_source():
    p = 1 / np.arange(1, 61)
    p /= p.sum()
    H, length = scipy.stats.entropy(p, base=2), p @ [len(w) for w in LEXICON]
    assert_allclose([H, length, H / length], [4.79844, 2.80999, 1.70764], atol=5e-6)
    # A long sample comes near; a short one lies below.
    long = entropy_per_char(zipf_corpus(LEXICON, 300_000, 4))
    assert_allclose(long[2], H / length, rtol=2e-3)
    assert entropy_per_char(WORDS)[2] < H / length


@pytest.mark.verifies("eq-minimum-entropy-drop", by="property")
def test_first_merges():
    # By gain h and e come first, though t and h are more frequent.
    _, history = learn_merges(LETTERS, 1)
    assert history[0][0] == ("h", "e")
    assert_allclose(history[0][1], 0.165832627, atol=5e-10)
    assert_allclose(len(TEXT) * history[0][1], 1402.4465, atol=5e-5)
    merged = merge_pair(LETTERS, ("h", "e"))
    assert len(LETTERS) - len(merged) == 848
    assert_allclose(nats(LETTERS) - nats(merged), 1402.4465, atol=5e-5)
    _, history = learn_merges(LETTERS, 1, "count")
    assert history[0][:2] == (("t", "h"), 899)
    counts, N = Counter(LETTERS), len(LETTERS)
    gain = float(merge_gain(899 / N, counts["t"] / N, counts["h"] / N))
    assert_allclose(gain, 0.155801557, atol=5e-10)


def test_merging_by_gain(by_gain):
    at = [25, 50, 75, 100, 150, 250]
    assert_allclose(by_gain[at, 1], [0.816, 0.904, 0.961, 0.990, 0.969, 0.919], atol=5e-4)
    assert np.argmin(by_gain[:, 0]) == 93
    assert_allclose(by_gain[93], [16031.1, 0.9861, 1.7346], atol=0.06)
    assert_allclose(by_gain[0, 0], 31243.5, atol=0.05)
    assert np.all(np.diff(by_gain[1:, 2]) < 0)
    # Entropy goes on falling, past what the true words cost, while the words get worse.
    assert by_gain[160, 2] < by_gain[93, 2]
    assert by_gain[160, 1] < by_gain[93, 1] - 0.01
    assert by_gain[250, 2] < entropy_per_char(WORDS)[2]
    assert_allclose(by_gain[250, 2], 1.674, atol=5e-4)


def test_byte_pair_encoding(by_count):
    assert np.argmin(by_count[:, 0]) == 102
    assert_allclose(by_count[102, 0], 17619.3, atol=0.05)
    assert_allclose(by_count[102, 1], 0.8712, atol=5e-5)


def test_stopping_and_cutting_again():
    tokens, history = learn_merges(LETTERS, 300, stop="mdl")
    assert len(history) == 85
    assert_allclose(score(tokens), 0.9789, atol=5e-5)
    again = viterbi_segment(TEXT, shares_of(tokens))
    assert_allclose(score(again), 0.9914, atol=5e-5)
    assert_allclose(score(viterbi_segment(TEXT, shares_of(WORDS))), 0.9985, atol=5e-5)
    # With the same prices no segmentation is cheaper.
    prices = shares_of(tokens)
    assert sum(math.log(prices[w]) for w in again) >= sum(math.log(prices[w]) for w in tokens)


def shares_of(tokens):
    return {w: n / len(tokens) for w, n in Counter(tokens).items()}


@pytest.mark.parametrize(("seed", "gain", "count"), [(1, 0.982, 0.863), (2, 0.983, 0.884)])
def test_other_texts(seed, gain, count):
    words = zipf_corpus(LEXICON, 3000, seed)
    letters = list("".join(words))
    for criterion, expected in (("gain", gain), ("count", count)):
        rows = replay(learn_merges(letters, 120, criterion)[1], letters, words)
        assert_allclose(rows[np.argmin(rows[:, 0]), 1], expected, atol=5e-4)


def test_numbers_quoted_in_the_chapter():
    # Cutting between letters where their mutual information is low.
    counts, N = Counter(LETTERS), len(LETTERS)
    pairs = Counter(itertools.pairwise(LETTERS))
    scores = {}
    for floor in (0.5, 1.25, 2.0):
        tokens = [LETTERS[0]]
        for a, b in itertools.pairwise(LETTERS):
            if math.log(pairs[a, b] * N / (counts[a] * counts[b])) < floor:
                tokens.append(b)
            else:
                tokens[-1] += b
        scores[floor] = score(tokens)
    assert_allclose(list(scores.values()), [0.603, 0.776, 0.559], atol=5e-4)
    assert_allclose(1 / math.log(2), 1.4427, atol=5e-5)
    # Where the gain of equally frequent neighbours vanishes.
    for p, zero in ((0.001, 0.997), (0.1, 0.776), (0.3, 0.484)):
        at = [zero - 1e-3, zero + 1e-3]
        assert np.all(merge_gain(p * p * np.exp(at), p, p) * [-1, 1] > 0)
    # Byte pair encoding glues frequent words together, the gain does not.
    glued = learn_merges(LETTERS, 102, "count")[0]
    apart = learn_merges(LETTERS, 93)[0]
    assert glued.count("ofthe") > 50
    assert "ofthe" not in apart
    assert sorted(set(LEXICON) - set(apart)) == ["into", "them"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: zipf_corpus(["a"], 3), "`lexicon` must hold 2 distinct words or more"),
        (lambda: zipf_corpus(["a", "a"], 3), "`lexicon` must hold 2 distinct words or more"),
        (lambda: zipf_corpus(["a", ""], 3), r"`lexicon` must .* none empty, got \['a', ''\]"),
        (lambda: zipf_corpus(LEXICON, 0), "`n_words` must be an integer of at least 1, got 0"),
        (
            lambda: zipf_corpus(LEXICON, 1, exponent=-1),
            "`exponent` must be finite and not negative",
        ),
        (lambda: entropy_per_char([]), r"`tokens` must be a list of tokens, none empty, got \[\]"),
        (lambda: entropy_per_char(["a", ""]), "`tokens` must be a list of tokens, none empty"),
        (lambda: entropy_per_char(["a"], 1), "`base` must be finite and above 1, got 1"),
        (lambda: merge_gain(0, 0.1, 0.1), "`p_ab` must be positive and at most `p_a` and `p_b`"),
        (lambda: merge_gain(0.2, 0.1, 0.3), "`p_ab` must be positive .* got 0.2"),
        (lambda: merge_gain(0.2, 0.6, 0.6), "`p_a` and `p_b` must be below 1, .* got 0.6 and 0.6"),
        (lambda: merge_gain(1e-13, 1.0, 1e-13), "`p_a` and `p_b` must be below 1"),
        (lambda: merge_pair([], ("a", "b")), "`tokens` must be a list of tokens"),
        (lambda: learn_merges(["a"], -1), "`n_merges` must be an integer, not negative, got -1"),
        (lambda: learn_merges(["a"], 1, "pmi"), "`criterion` must be 'gain' or 'count', got 'pmi'"),
        (lambda: learn_merges(["a"], 1, stop="f1"), "`stop` must be 'none' or 'mdl', got 'f1'"),
        (lambda: description_length(["a"], 0), "`alphabet_size` must be an integer of at least 1"),
        (lambda: viterbi_segment("", {"a": 1}), "`text` must not be empty"),
        (lambda: viterbi_segment("a", {"a": 0}), "`prob` must give words positive numbers, got 0"),
        (lambda: viterbi_segment("ac", {"a": 1}), "`prob` must cover the text, got no way .* 'ac'"),
        (lambda: boundary_f1(["a"], ["b"]), "`pred` must be a segmentation of the same text"),
        (lambda: boundary_f1([""], ["b"]), "`pred` must be a list of tokens, none empty"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
