"""Facts that the chapter on ON-LSTM claims."""

import itertools
import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.architectures.on_lstm import (
    constituents,
    cumax,
    expand_levels,
    hard_segment_update,
    level,
    master_gates,
    on_lstm,
    on_lstm_cell,
    parse_tree,
    reachable_trees,
    segment_update,
    split_tree,
    toy_language,
    toy_lines,
    train_letter_model,
)

PARAMS = {
    "W": np.sin(np.arange(60)).reshape(3, 20),
    "U": 0.5 * np.cos(np.arange(80)).reshape(4, 20),
    "b": np.linspace(-1, 1, 20),
}
XS = np.vstack([np.eye(3), np.ones(3)])
APPLE = ["苹果", "的", "颜色", "是", "什么"]
LOVE = ["爱", "真的", "需要", "勇气"]
CATALAN = [1, 2, 5, 14, 42, 132, 429]
INVOLUTIONS = [2, 4, 10, 26, 76, 232, 764]

logits = arrays(float, st.integers(1, 8), elements=st.floats(-5, 5))


def random_params(rng, d, n, p):
    columns = 4 * n + 2 * p
    return {
        "W": rng.normal(size=(d, columns)),
        "U": rng.normal(size=(n, columns)) / 2,
        "b": rng.normal(size=columns),
    }


@pytest.mark.verifies("eq-on-lstm-soft", by="closed form")
def test_numbers_of_the_gates():
    # By hand: the softmax of (1, 2, 3) is (0.0900, 0.2447, 0.6652).
    assert_allclose(cumax([1, 2, 3]), [0.09003057, 0.33475904, 1], rtol=0, atol=1e-8)
    assert_allclose(cumax([1, 2, 3], True), [1, 0.90996943, 0.66524096], rtol=0, atol=1e-8)
    f, i = master_gates([1, 2, 3], [1, 2, 3], "paper")
    assert_allclose(f, [0.09003057, 0.33475904, 1], rtol=0, atol=1e-8)
    assert_allclose(i, [0.90996943, 0.66524096, 0], rtol=0, atol=1e-8)
    assert_allclose(cumax([-1000.0, 1000.0]), [0, 1])


@pytest.mark.verifies("eq-on-lstm-segments", by="closed form")
@pytest.mark.parametrize(
    ("d_f", "d_i", "expected"), [(1, 3, [10, 3, 4.5, 6, 5]), (3, 1, [10, 20, 0, 4, 5])]
)
def test_numbers_of_the_segments(d_f, d_i, expected):
    # By hand: copies, and 0.5 c + 0.1 c_hat where both reach.
    c = hard_segment_update([1, 2, 3, 4, 5], [10, 20, 30, 40, 50], 0.5, 0.1, d_f, d_i)
    assert_allclose(c, expected, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-on-lstm-master", by="property")
@pytest.mark.verifies("eq-on-lstm-segments", by="property")
def test_one_formula_holds_all_cases():
    rng = np.random.default_rng(0)
    n = 6
    c, c_hat = rng.normal(size=(2, n))
    f, i = rng.uniform(size=(2, n))
    for d_f, d_i in itertools.product(range(n), repeat=2):
        zf, zi = (np.where(np.arange(n) == d, 1e3, -1e3) for d in (d_f, d_i))
        soft = segment_update(c, c_hat, f, i, *master_gates(zf, zi))
        hard = hard_segment_update(c, c_hat, f, i, d_f, d_i)
        # The logits are so far apart that the softmax is exactly one-hot.
        assert_allclose(soft, hard, rtol=0, atol=1e-14)
        # Independently, position by position.
        for k in range(n):
            old, new = k >= d_f, k <= d_i
            both = f[k] * c[k] + i[k] * c_hat[k]
            expected = both if old and new else c[k] if old else c_hat[k] if new else 0.0
            assert_allclose(hard[k], expected, rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-on-lstm-soft", by="property")
@given(logits, st.data())
def test_gates_are_monotone(zf, data):
    zi = data.draw(arrays(float, zf.shape, elements=st.floats(-5, 5)))
    f, i = master_gates(zf, zi)
    assert_allclose([f[-1], i[0]], 1, rtol=1e-14)
    assert np.all(np.diff(f) >= 0)
    assert np.all(np.diff(i) <= 0)
    assert_allclose(np.diff(f, prepend=0), scipy.special.softmax(zf), rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-on-lstm-shift", by="property")
@given(logits)
def test_the_two_conventions_differ_by_one_level(z):
    mirrored, papers = master_gates(z, z)[1], master_gates(z, z, "paper")[1]
    assert_allclose(papers[:-1], mirrored[1:], rtol=0, atol=1e-14)
    assert_allclose(papers[-1], 0, atol=1e-14)


@pytest.mark.verifies("eq-on-lstm-expected", by="property")
@given(logits)
def test_mean_of_the_level(z):
    p = scipy.special.softmax(z)
    expected = np.sum(np.arange(1, len(z) + 1) * p)
    assert_allclose(len(z) * level(cumax(z)) + 1, expected, rtol=1e-12)
    assert -1e-14 <= level(cumax(z)) <= 1 - 1 / len(z) + 1e-14


@pytest.mark.verifies("eq-on-lstm-cell", by="table")
@pytest.mark.verifies("eq-on-lstm-dead", by="closed form")
def test_numbers_of_the_network():
    # From an implementation of its own, loop by loop, in double precision.
    h, c, levels = on_lstm(XS, PARAMS, 2)
    assert_allclose(levels, [0.18082255, 0.30650690, 0.38258694, 0.34936247], rtol=0, atol=1e-7)
    assert_allclose(h[-1], [0.37123634, 0.14785927, 0.07989866, -0.06386118], rtol=0, atol=1e-7)
    assert_allclose(c[-1], [0.80072089, 0.90664206, 0.60089176, -0.16925122], rtol=0, atol=1e-7)
    _, c, levels = on_lstm(XS, PARAMS, 2, "paper")
    assert_allclose(levels, [0.18082255, 0.31016011, 0.38250839, 0.34571739], rtol=0, atol=1e-7)
    assert_allclose(c[-1], [0.58049404, 0.69002068, 0, 0], rtol=0, atol=1e-7)
    # The top level is never written: 1 - cumax ends at zero up to rounding.
    assert_allclose(c[-1, 2:], 0, rtol=0, atol=1e-15)


@pytest.mark.verifies("eq-on-lstm-dead", by="property")
@given(st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_the_papers_top_level_is_dead(seed):
    rng = np.random.default_rng(seed)
    params = random_params(rng, 3, 8, 4)
    xs = rng.normal(size=(10, 3))
    _, c, _ = on_lstm(xs, params, 4, "paper")
    assert_allclose(c[:, 6:], 0, rtol=0, atol=1e-14)
    _, c, _ = on_lstm(xs, params, 4, "paper", c0=np.ones(8))
    # What was there at the start stays for ever.
    assert_allclose(c[:, 6:], 1, rtol=0, atol=1e-14)
    _, c, _ = on_lstm(xs, params, 4)
    assert np.all(c[:, 6:] != 0)


@pytest.mark.verifies("eq-on-lstm-cell", by="library")
def test_one_level_is_an_lstm():
    rng = np.random.default_rng(1)
    params = random_params(rng, 3, 5, 1)
    xs = rng.normal(size=(7, 3))
    # keras.layers.LSTM(5, unit_forget_bias=False) of Keras 3.15.1 on JAX with these weights, its
    # columns in the order input, forget, candidate, output; 32 bits, so 1e-6.
    theirs = [0.10116519, 0.09538045, -0.12838499, 0.39380261, -0.29291523]
    h, _, levels = on_lstm(xs, params, 1)
    assert_allclose(h[-1], theirs, rtol=0, atol=1e-6)
    assert_allclose(levels, 0, atol=1e-15)


@pytest.mark.verifies("eq-on-lstm-cell", by="property")
def test_a_step_and_its_gates():
    h, c, f_master, i_master = on_lstm_cell(XS[0], np.zeros(4), np.zeros(4), PARAMS, 2)
    z = PARAMS["W"][0] + PARAMS["b"]
    assert_allclose(f_master, np.cumsum(scipy.special.softmax(z[16:18])), rtol=1e-14)
    assert_allclose(i_master, [1, scipy.special.softmax(z[18:])[1]], rtol=1e-14)
    # Without history only the candidate counts.
    gate, wide = scipy.special.expit(z[4:8]), np.repeat(i_master, 2)
    overlap = wide * np.repeat(f_master, 2)
    assert_allclose(c, (overlap * gate + wide - overlap) * np.tanh(z[12:16]), rtol=1e-13)
    assert_allclose(h, scipy.special.expit(z[8:12]) * np.tanh(c), rtol=1e-13)


@pytest.mark.verifies("eq-on-lstm-permutation", by="property")
def test_units_may_change_places_only_inside_a_level():
    rng = np.random.default_rng(2)
    n, p = 6, 3
    params = random_params(rng, 2, n, p)
    xs = rng.normal(size=(5, 2))
    before, _, _ = on_lstm(xs, params, p)

    def permuted(order):
        columns = np.concatenate(
            [k * n + order for k in range(4)] + [np.arange(4 * n, 4 * n + 2 * p)]
        )
        moved = {
            "W": params["W"][:, columns],
            "U": params["U"][order][:, columns],
            "b": params["b"][columns],
        }
        return on_lstm(xs, moved, p)[0]

    inside = np.array([1, 0, 2, 3, 5, 4])
    assert_allclose(permuted(inside), before[:, inside], rtol=0, atol=1e-13)
    across = np.array([2, 1, 0, 3, 4, 5])
    assert np.abs(permuted(across) - before[:, across]).max() > 1e-3


@pytest.mark.verifies("eq-on-lstm-parse", by="closed form")
def test_the_sentences_of_the_post():
    found = parse_tree(APPLE, [0.1, 0.2, 0.6, 0.3, 0.9])
    assert found == [[["苹果", "的"], ["颜色", "是"]], "什么"]
    found = parse_tree(LOVE, [0.1, 0.9, 0.5, 0.2])
    assert found == ["爱", ["真的", ["需要", "勇气"]]]
    assert parse_tree(["一"], [0.3]) == "一"
    assert parse_tree("abc", [1, 1, 1]) == ["a", ["b", "c"]]
    assert split_tree(APPLE, [0.1, 0.2, 0.6, 0.3, 0.9]) == [
        [["苹果", "的"], ["颜色", "是"]],
        "什么",
    ]
    assert split_tree("abcde", [9, 1, 3, 1, 2]) == [["a", "b"], [["c", "d"], "e"]]


@pytest.mark.verifies("eq-on-lstm-reachable", by="property")
def test_reachable_trees():
    counts = [len(reachable_trees(n)) for n in range(1, 9)]
    assert counts == [1, 1, 2, 5, 13, 35, 97, 275]
    r = [1, 1]
    for n in range(2, 9):
        r.append(r[n - 1] + sum(r[a] * r[n - a - 1] for a in range(2, n)))
    assert counts == r[1:]
    for n in range(1, 7):
        orders = itertools.permutations(range(n))
        assert reachable_trees(n) == {repr(parse_tree(range(n), order)) for order in orders}


def all_trees(start, stop):
    if stop - start == 1:
        return [start]
    return [
        [left, right]
        for cut in range(start + 1, stop)
        for left in all_trees(start, cut)
        for right in all_trees(cut, stop)
    ]


def test_the_first_tree_out_of_reach():
    # Against all binary trees, and against the parser that cuts between words.
    assert [len(all_trees(0, n)) for n in range(2, 9)] == CATALAN
    missing = [t for t in all_trees(0, 5) if repr(t) not in reachable_trees(5)]
    assert missing == [[[0, 1], [[2, 3], 4]]]
    every = {repr(split_tree(range(5), order)) for order in itertools.permutations(range(5))}
    assert every == {repr(t) for t in all_trees(0, 5)}


@pytest.mark.verifies("eq-on-lstm-involutions", by="property")
def test_chance_leans_to_the_right():
    for n, expected in zip(range(2, 8), INVOLUTIONS, strict=False):
        right, left = n - 1, 0
        for token in range(n - 2, -1, -1):
            right = [token, right]
        for token in range(1, n):
            left = [left, token]
        trees = [parse_tree(range(n), order) for order in itertools.permutations(range(n))]
        assert trees.count(right) == expected
        assert trees.count(left) == 2
    involutions = [1, 1]
    for n in range(2, 9):
        involutions.append(involutions[n - 1] + (n - 1) * involutions[n - 2])
    assert involutions[2:] == INVOLUTIONS


def test_constituents():
    assert constituents(["a", [["b", "c"], "d"]]) == {(0, 4), (1, 4), (1, 3)}
    assert constituents("a") == set()


def test_levels_are_repeated():
    assert_array_equal(expand_levels([1, 2], 6), [1, 1, 1, 2, 2, 2])


def test_lines_of_the_toy_language():
    rng = np.random.default_rng(0)
    language = toy_language(rng)
    assert len(language) == 6
    assert {len(phrase) for phrase in language} <= {2, 3}
    assert {len(word) for phrase in language for word in phrase} <= {2, 3, 4}
    letters, starts = toy_lines(language, rng, 5, 40)
    assert letters.shape == starts.shape == (5, 40)
    for line, marks in zip(letters, starts, strict=True):
        assert marks[0] == 2
        first = np.flatnonzero(marks == 2)
        for a, b in itertools.pairwise(first):
            words = np.split(line[a:b], np.flatnonzero(marks[a:b])[1:])
            assert [tuple(map(int, word)) for word in words] in language


def test_what_a_reader_of_letters_can_reach():
    # Lines begin with a phrase, and no phrase begins another: what was read tells where one is.
    language = toy_language(np.random.default_rng(0))
    phrases = [tuple(letter for word in phrase for letter in word) for phrase in language]
    reached, surprise = {(): 1.0}, []
    for _ in range(40):
        after, mean = {}, 0.0
        for read, chance in reached.items():
            letters = [p[len(read)] for p in phrases if p[: len(read)] == read]
            for letter in set(letters):
                share = letters.count(letter) / len(letters)
                mean -= chance * share * math.log(share)
                now = (*read, letter)
                now = () if now in phrases else now
                after[now] = after.get(now, 0.0) + chance * share
        reached = after
        surprise.append(mean)
    assert_allclose(np.mean(surprise[1:]), 0.236, atol=5e-4)


def recovered(language, params, cut, rng=None):
    """Share of the words, and of the phrases, that are constituents of pairs of phrases."""
    letters, starts = toy_lines(language, np.random.default_rng(100), 64, 40)
    levels = on_lstm(params["E"][letters].swapaxes(0, 1), params, 12)[2].T
    found = {"word": [], "phrase": []}
    for line, marks in zip(levels, starts, strict=True):
        begins = np.flatnonzero(marks[8:] == 2) + 8
        for a, b in zip(begins, begins[2:], strict=False):
            tree = cut(range(b - a), line[a:b] if rng is None else rng.random(b - a))
            pieces = constituents(tree)
            for kind, least in (("word", 1), ("phrase", 2)):
                edges = [*np.flatnonzero(marks[a:b] >= least), b - a]
                found[kind] += [pair in pieces for pair in itertools.pairwise(edges)]
    return np.mean(found["word"]), np.mean(found["phrase"])


def test_a_network_that_reads_letters_finds_words():
    language = toy_language(np.random.default_rng(0))
    params, losses = train_letter_model(language)
    assert losses[0] > 2.3
    assert losses[-1] < 0.4
    letters, starts = toy_lines(language, np.random.default_rng(100), 64, 40)
    levels = on_lstm(params["E"][letters].swapaxes(0, 1), params, 12)[2].T
    inside, word, phrase = (levels[:, 8:][starts[:, 8:] == kind].mean() for kind in range(3))
    assert inside + 0.05 < word < phrase - 0.05
    # An area under the curve: a phrase start has a higher level than another letter.
    begin, other = levels[:, 8:][starts[:, 8:] == 2], levels[:, 8:][starts[:, 8:] < 2]
    assert np.mean(begin[:, None] > other) > 0.7
    words, _ = recovered(language, params, split_tree)
    assert words > 0.55
    words, _ = recovered(language, params, parse_tree)
    assert 0.3 < words < 0.55
    words, _ = recovered(language, params, split_tree, np.random.default_rng(5))
    assert words < 0.35


def test_numbers_quoted_in_the_chapter():
    assert INVOLUTIONS[3] / math.factorial(5) == 26 / 120
    assert_allclose([26 / 120, 2 / 120, 4 / 6], [0.217, 0.017, 0.667], atol=5e-4)
    assert_allclose([275 / 429], [0.641], atol=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cumax(1.0), "must have at least one entry"),
        (lambda: cumax([]), "must have at least one entry"),
        (
            lambda: master_gates([1, 2], [1]),
            r"`zi` must have the shape of `zf`, \(2,\), got \(1,\)",
        ),
        (lambda: master_gates([1], [1], "post"), "`convention` must be one of .* got 'post'"),
        (
            lambda: hard_segment_update([1, 2], [1, 2], 0.5, 0.5, 2, 0),
            "`d_f` must be a level from 0 to 1, got 2",
        ),
        (
            lambda: hard_segment_update([1, 2], [1, 2], 0.5, 0.5, 0, -1),
            "`d_i` must be a level from 0 to 1, got -1",
        ),
        (
            lambda: hard_segment_update([1, 2], [1], 0.5, 0.5, 0, 0),
            "`c_hat` must be a vector like `c_prev`",
        ),
        (lambda: expand_levels([1, 2], 5), "`n_hidden` must be a multiple .* got 5 and 2"),
        (
            lambda: on_lstm_cell(np.ones(2), np.zeros(4), np.zeros(4), PARAMS, 2),
            r"`params\[\"W\"\]` must have shape \(2, 20\), got \(3, 20\)",
        ),
        (
            lambda: on_lstm_cell(np.ones(3), np.zeros(4), np.zeros(4), PARAMS, 3),
            "`n_hidden` must be a multiple",
        ),
        (
            lambda: on_lstm_cell(np.ones(3), np.zeros(4), np.zeros(3), PARAMS, 2),
            "`c` must be as long as `h`, got 3 and 4",
        ),
        (lambda: on_lstm(np.zeros((0, 3)), PARAMS, 2), r"`xs` must have shape \(T, d\) .* got"),
        (lambda: parse_tree([], []), "`levels` must hold one number for each"),
        (lambda: split_tree("ab", [1]), "`levels` must hold one number for each"),
        (lambda: reachable_trees(9), "`n` must be an integer from 1 to 8, got 9"),
        (lambda: reachable_trees(0), "`n` must be an integer from 1 to 8, got 0"),
        (
            lambda: toy_language(np.random.default_rng(0), n_words=0),
            "`n_words` must be at least 1, got 0",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
