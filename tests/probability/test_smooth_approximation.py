"""Facts that the chapter on smooth stand-ins for hard functions claims."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.metrics import accuracy_score, f1_score

from scispaces.probability.smooth_approximation import (
    fermi_topk,
    smooth_abs,
    smooth_max,
    soft_accuracy,
    soft_argmax,
    soft_f1,
    soft_kmax,
)
from scispaces.probability.softmax_alternatives import softmax

X = np.array([2.0, 1, 4, 5, 3])

vectors = arrays(float, st.integers(2, 6), elements=st.floats(-5, 5).map(lambda v: round(v, 3)))
sharpness = st.floats(0.1, 20)


# Values from a separate program, and by hand where the right-hand side is an expression.
ROWS = {
    "max, K=1": (lambda: smooth_max(X), 5.451914395937593),
    "max, K=2": (lambda: smooth_max(X, 2), 5.072684028454244),
    "max, K=10": (lambda: smooth_max(X, 10), 5.000004540096037),
    "argmax, K=1": (lambda: soft_argmax(X), 3.7336396629),
    "argmax, K=2": (lambda: soft_argmax(X, 2), 3.8918023362),
    "argmax, K=5": (lambda: soft_argmax(X, 5), 3.9933516313),
    "argmax, K=10": (lambda: soft_argmax(X, 10), 3.9999546042),
    "two peaks": (lambda: soft_argmax([5, 0, 0, 0, 5], 7), 3),
    "two entries": (lambda: smooth_max([1.3, 0.4], 2), 0.85 + math.log(2 * math.cosh(0.9)) / 2),
    "two entries, number": (lambda: smooth_max([1.3, 0.4], 2), 1.376488805263),
    "abs": (lambda: smooth_abs(0.0), math.log(2)),
    "f1": (lambda: soft_f1([1, 1, 0, 0], [0.9, 0.6, 0.4, 0.2]), 30 / 41),
    "kmax": (
        lambda: soft_kmax(X, 2),
        [0.1410236983, 0.0531746032, 0.6472552716, 0.8141805785, 0.3443658484],
    ),
    "kmax above one": (
        lambda: soft_kmax([100, 99, 0], 2),
        [scipy.special.expit(1), 2 - scipy.special.expit(1), 0],
    ),
    "kmax, all of them": (lambda: soft_kmax(X, 5, 50), [1.2, 0.2, 1.2, 1.2, 1.2]),
    "fermi": (
        lambda: fermi_topk(X, 2),
        [0.1692728368, 0.0697335445, 0.6008985360, 0.8036413754, 0.3564537073],
    ),
}


@pytest.mark.verifies("eq-smooth-approximation-argmax", by="table")
@pytest.mark.verifies("eq-smooth-approximation-f1", by="closed form")
@pytest.mark.verifies("eq-smooth-approximation-two", by="closed form")
@pytest.mark.verifies("eq-smooth-approximation-kmax", by="table")
@pytest.mark.verifies("eq-smooth-approximation-fermi", by="table")
@pytest.mark.parametrize(("value", "expected"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected):
    # Ten decimals are quoted.
    assert_allclose(value(), expected, rtol=0, atol=1e-10)


# --- max


@pytest.mark.verifies("eq-smooth-approximation-bound", by="library")
@given(vectors, sharpness)
def test_smooth_max_agrees_with_scipy(x, K):
    assert_allclose(smooth_max(x, K), scipy.special.logsumexp(K * x) / K, rtol=1e-12, atol=1e-13)


@pytest.mark.verifies("eq-smooth-approximation-bound", by="property")
@given(vectors, sharpness)
def test_bound(x, K):
    excess = smooth_max(x, K) - x.max()
    assert -1e-14 <= excess <= math.log(len(x)) / K + 1e-14
    tie = smooth_max(np.full(len(x), x[0]), K) - x[0]
    assert_allclose(tie, math.log(len(x)) / K, rtol=1e-12, atol=1e-14)


@given(vectors, sharpness, st.floats(-50, 50))
def test_shift_and_sharpness(x, K, c):
    assert_allclose(smooth_max(x + c, K), smooth_max(x, K) + c, rtol=0, atol=1e-12)
    assert smooth_max(x, 1.1 * K) <= smooth_max(x, K) + 1e-13


def test_large_numbers_are_safe():
    assert_allclose(smooth_max([1e5, -1e5], 1e3), 1e5)
    assert_allclose(smooth_abs([-1e5, 1e5], 1e3), 1e5)
    assert_allclose(fermi_topk([1e6, -1e6, 1e6 + 1], 2), [1, 0, 1], atol=1e-12)
    assert_allclose(fermi_topk([1e6, -1e6, -1e6, 1e6], 3).sum(), 3, rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-smooth-approximation-abs", by="library")
@pytest.mark.verifies("eq-smooth-approximation-two", by="property")
@given(st.floats(-30, 30), st.floats(-30, 30), sharpness)
def test_two_numbers(a, b, K):
    with mpmath.workdps(30):
        exact = float(mpmath.log(2 * mpmath.cosh(mpmath.mpf(K) * a)) / K)
    assert_allclose(smooth_abs(a, K), exact, rtol=1e-14)
    assert_allclose(smooth_abs(a, K), smooth_max([a, -a], K), rtol=0, atol=1e-13)
    # Mean and half the difference; the absolute value has half the argument.
    assert_allclose(smooth_max([a, b], K), (a + b + smooth_abs(a - b, K / 2)) / 2, atol=1e-12)


@pytest.mark.verifies("eq-smooth-approximation-relu", by="library")
@given(st.floats(-30, 30), sharpness)
def test_softplus(x, K):
    assert_allclose(smooth_max([x, 0], K), np.logaddexp(0, K * x) / K, rtol=1e-12, atol=1e-14)


@pytest.mark.verifies("eq-smooth-approximation-gradient", by="property")
@given(vectors, st.floats(0.2, 5))
def test_gradient_is_softmax(x, K):
    h = 1e-5
    steps = h * np.eye(len(x))
    slopes = (smooth_max(x + steps, K) - smooth_max(x - steps, K)) / (2 * h)
    # K² h² and rounding of 1e-15 / h.
    assert_allclose(slopes, softmax(x, 1 / K), rtol=0, atol=1e-8)


def hessian(x, K):
    p = softmax(np.asarray(x, float), 1 / K)
    return K * (np.diag(p) - np.outer(p, p))


@pytest.mark.verifies("eq-smooth-approximation-hessian", by="closed form")
def test_curvature():
    # A tie of two, the others far below: K / 2, the largest value there is.
    assert_allclose(np.linalg.eigvalsh(hessian([1, 1, -60], 3))[-1], 1.5, rtol=1e-12)
    h = 1e-4
    pairs = np.array([[h, h], [h, -h], [-h, h], [-h, -h]])
    values = smooth_max(np.array([0.3, 0.1]) + pairs, 3)
    mixed = (values[0] - values[1] - values[2] + values[3]) / (4 * h * h)
    # Rounding of 1e-16 / h².
    assert_allclose(mixed, hessian([0.3, 0.1], 3)[0, 1], atol=1e-6)


@pytest.mark.verifies("eq-smooth-approximation-hessian", by="property")
@given(vectors, sharpness)
def test_curvature_is_bounded(x, K):
    values = np.linalg.eigvalsh(hessian(x, K))
    assert values[0] > -1e-13 * K
    assert values[-1] <= K / 2 * (1 + 1e-12)


def entropy(p):
    return -np.sum(scipy.special.xlogy(p, p), axis=-1)


@pytest.mark.verifies("eq-smooth-approximation-entropy", by="property")
@given(vectors, sharpness, st.integers(0, 10**6))
def test_smoothing_adds_entropy(x, K, seed):
    best = softmax(x, 1 / K)
    assert_allclose(best @ x + entropy(best) / K, smooth_max(x, K), rtol=0, atol=1e-12)
    others = np.random.default_rng(seed).dirichlet(np.ones(len(x)), size=50)
    assert np.all(others @ x + entropy(others) / K <= smooth_max(x, K) + 1e-12)


@pytest.mark.verifies("eq-smooth-approximation-gumbel", by="property")
def test_gumbel_noise():
    g = np.random.default_rng(0).gumbel(size=(400_000, 5))
    noisy = np.max(X + g / 2, axis=1)
    # The spread of a Gumbel variable is pi / sqrt(6); four standard errors.
    error = 4 * math.pi / math.sqrt(6) / 2 / math.sqrt(400_000)
    assert abs(noisy.mean() - np.euler_gamma / 2 - smooth_max(X, 2)) < error
    assert_allclose(noisy.mean() - np.euler_gamma / 2, 5.07326, rtol=0, atol=5e-6)


@pytest.mark.verifies("eq-smooth-approximation-gumbel", by="closed form")
def test_gumbel_maximum_by_its_law():
    # P(max <= u) is a product of exp(-exp(-K (u - x))): integrate u against its density.
    with mpmath.workdps(20):
        rate = sum(mpmath.exp(2 * v) for v in (2, 1, 4, 5, 3))
        mean = mpmath.quad(
            lambda u: u * 2 * rate * mpmath.exp(-2 * u - rate * mpmath.exp(-2 * u)),
            [2, 4, 5, 6, 8, 12, 30],
        )
    assert_allclose(float(mean) - np.euler_gamma / 2, smooth_max(X, 2), rtol=0, atol=1e-12)


# --- positions


@pytest.mark.verifies("eq-smooth-approximation-argmax", by="property")
@given(vectors, st.integers(-3, 3))
def test_soft_argmax(x, base):
    places = np.arange(base, base + len(x))
    assert base <= soft_argmax(x, base=base) <= base + len(x) - 1 + 1e-12
    assert_allclose(soft_argmax(x, 3, base), scipy.special.softmax(3 * x) @ places, atol=1e-12)
    backwards = 2 * base + len(x) - 1 - soft_argmax(x[::-1], base=base)
    assert_allclose(soft_argmax(x, base=base), backwards, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-smooth-approximation-argmax", by="closed form")
@given(st.floats(0, 2), st.floats(0.1, 10))
def test_two_peaks(gap, K):
    # Two entries only: one plus the weight of the second.
    expected = 1 + 1 / (1 + math.exp(K * gap))
    assert_allclose(soft_argmax([gap, 0.0], K), expected, rtol=1e-12)


# --- metrics


@pytest.mark.verifies("eq-smooth-approximation-accuracy", by="library")
@settings(deadline=None)  # the first call of scikit-learn is slow
@given(st.integers(0, 10**6))
def test_hard_predictions_give_the_accuracy(seed):
    rng = np.random.default_rng(seed)
    labels, guesses = rng.integers(3, size=(2, 20))
    value = soft_accuracy(np.eye(3)[guesses], labels)
    assert_allclose(value, accuracy_score(labels, guesses), rtol=1e-14)


@pytest.mark.verifies("eq-smooth-approximation-accuracy", by="property")
@given(st.integers(0, 10**6))
def test_batches_do_not_bias_the_accuracy(seed):
    rng = np.random.default_rng(seed)
    probs, labels = rng.dirichlet(np.ones(3), size=12), rng.integers(3, size=12)
    batches = [soft_accuracy(probs[i : i + 4], labels[i : i + 4]) for i in (0, 4, 8)]
    assert_allclose(np.mean(batches), soft_accuracy(probs, labels), rtol=1e-12)


def pair(right):
    """Probabilities of two classes, the first being right."""
    right = np.array(right)
    return np.stack([right, 1 - right], axis=1), np.zeros(len(right), dtype=int)


def test_cross_entropy_can_fall_while_accuracy_falls():
    before, after = [0.51, 0.51, 0.51, 0.01], [0.49, 0.49, 0.49, 0.90]
    assert_allclose([-np.mean(np.log(p)) for p in (before, after)], [1.656301, 0.561353], atol=5e-7)
    assert np.mean(np.array(before) > 0.5) == 0.75
    assert np.mean(np.array(after) > 0.5) == 0.25
    assert_allclose([soft_accuracy(*pair(p)) for p in (before, after)], [0.385, 0.5925], rtol=1e-12)


@pytest.mark.verifies("eq-smooth-approximation-damped", by="property")
@given(vectors)
def test_gradient_of_the_accuracy(x):
    h = 1e-5
    steps = h * np.eye(len(x))
    slopes = [
        -(soft_accuracy([softmax(x + s)], [0]) - soft_accuracy([softmax(x - s)], [0])) / (2 * h)
        for s in steps
    ]
    p = softmax(x)
    assert_allclose(slopes, p[0] * (p - np.eye(len(x))[0]), rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-smooth-approximation-f1", by="library")
@settings(deadline=None)  # the first call of scikit-learn is slow
@given(st.integers(0, 10**6))
def test_hard_predictions_give_f1(seed):
    t, p = np.random.default_rng(seed).integers(2, size=(2, 15))
    if t.any() or p.any():
        assert_allclose(soft_f1(t, p), f1_score(t, p, zero_division=0), rtol=1e-14)


@pytest.mark.verifies("eq-smooth-approximation-f1", by="closed form")
def test_batches_bias_f1():
    t, p = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.4, 0.2])

    def mean(t, p, batches):
        return np.mean([soft_f1(t[list(b)], p[list(b)]) for b in batches])

    assert_allclose(mean(t, p, [(0, 2), (1, 3)]), (1.8 / 2.3 + 1.2 / 1.8) / 2, rtol=1e-12)
    assert_allclose(mean(t, p, [(0, 2), (1, 3)]), 0.7246376812, rtol=0, atol=1e-10)
    assert_allclose(mean(t, p, [(0, 3), (1, 2)]), (1.8 / 2.1 + 1.2 / 2.0) / 2, rtol=1e-12)
    assert_allclose(mean(t, p, [(0, 3), (1, 2)]), 0.7285714286, rtol=0, atol=1e-10)
    t, p = np.array([1, 0, 0, 0]), np.array([0.8, 0.3, 0.2, 0.1])
    assert_allclose(soft_f1(t, p), 2 / 3, rtol=1e-12)
    assert_allclose(mean(t, p, itertools.combinations(range(4), 2)), 0.4006683375, atol=1e-10)


# --- the k largest


@pytest.mark.verifies("eq-smooth-approximation-kmax", by="property")
@given(vectors, st.data())
def test_kmax_sums_to_k(x, data):
    k = data.draw(st.integers(1, len(x)))
    assert_allclose(soft_kmax(x, k).sum(), k, rtol=1e-12)
    assert_allclose(soft_kmax(x, 1, 2), softmax(2 * x), rtol=0, atol=1e-12)
    assert_allclose(soft_kmax(np.full(4, x[0]), 3), 0.75, rtol=1e-12)


def test_kmax_overshoots_and_turns_the_order():
    p = soft_kmax([100, 99, 0], 2)
    assert p[1] > 1 > p[0]  # the second best is ahead of the best
    assert_allclose(p, [0.7310585786, 1.2689414214, 0], atol=1e-10)


@pytest.mark.verifies("eq-smooth-approximation-fermi", by="property")
@given(vectors, sharpness, st.data())
def test_fermi(x, K, data):
    k = data.draw(st.integers(1, len(x) - 1))
    p = fermi_topk(x, k, K)
    assert_allclose(p.sum(), k, rtol=0, atol=1e-10)
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p[np.argsort(x)]) >= 0)


@pytest.mark.verifies("eq-smooth-approximation-fermi", by="library")
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_fermi_agrees_with_a_root_finder(k):
    with mpmath.workdps(30):
        levels = [mpmath.mpf(v) for v in (2, 1, 4, 5, 3)]

        def share(v, mu):
            return 1 / (1 + mpmath.exp(mu - v))

        mu = mpmath.findroot(lambda m: sum(share(v, m) for v in levels) - k, (-20, 20), "anderson")
        exact = [float(share(v, mu)) for v in levels]
    assert_allclose(fermi_topk(X, k), exact, rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-smooth-approximation-hole", by="property")
@given(vectors, sharpness, st.data())
def test_particles_and_holes(x, K, data):
    k = data.draw(st.integers(1, len(x) - 1))
    assert_allclose(fermi_topk(x, k, K), 1 - fermi_topk(-x, len(x) - k, K), rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-smooth-approximation-fermi-entropy", by="library")
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_fermi_is_the_entropic_choice(seed):
    rng = np.random.default_rng(seed)
    x, k, K = rng.normal(size=5), int(rng.integers(1, 5)), 2.0

    def objective(p):
        p = np.clip(p, 1e-12, 1 - 1e-12)
        return p @ x + (entropy(p) + entropy(1 - p)) / K

    best = fermi_topk(x, k, K)
    found = minimize(
        lambda p: -objective(p),
        np.full(5, k / 5),
        bounds=[(1e-9, 1 - 1e-9)] * 5,
        constraints={"type": "eq", "fun": lambda p: p.sum() - k},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 200},
    )
    assert objective(best) >= -found.fun - 1e-9
    # Near the top the objective is flat: the tolerance is the root of that of SLSQP.
    assert_allclose(found.x, best, rtol=0, atol=1e-4)


def test_fermi_becomes_the_hard_choice():
    for k, expected in ((1, [0, 0, 0, 1, 0]), (2, [0, 0, 1, 1, 0]), (4, [1, 0, 1, 1, 1])):
        assert_allclose(fermi_topk(X, k, 100), expected, rtol=0, atol=1e-12)


def test_derivative_of_fermi():
    # The formula of the last exercise.
    h, K, k = 1e-5, 1.5, 2
    p = fermi_topk(X, k, K)
    w = p * (1 - p)
    expected = K * (np.diag(w) - np.outer(w, w) / w.sum())
    steps = h * np.eye(5)
    slopes = [(fermi_topk(X + s, k, K) - fermi_topk(X - s, k, K)) / (2 * h) for s in steps]
    assert_allclose(slopes, expected, rtol=0, atol=1e-9)


# --- the experiment of the chapter


def scattered(seed):
    rng = np.random.default_rng(seed)
    points = np.concatenate(
        [
            rng.normal(size=(200, 2)) * 0.6 + [-1.5, 0],
            rng.normal(size=(200, 2)) * 0.6 + [1.5, 0],
            rng.normal(size=(40, 2)) * 0.5 + [8, 0],
        ]
    )
    return np.c_[points, np.ones(440)], np.repeat([0.0, 1.0, 0.0], [200, 200, 40])


def descend(features, labels, w, damped, steps=2000):
    for _ in range(steps):
        p = scipy.special.expit(features @ w)
        right = np.where(labels == 1, p, 1 - p) if damped else 1.0
        w = w - 0.2 * features.T @ (right * (p - labels)) / len(labels)
    return w


def scores(features, labels, w):
    z = features @ w
    return np.mean((z > 0) == (labels == 1)), np.mean(np.logaddexp(0, z) - labels * z)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_outliers(seed):
    features, labels = scattered(seed)
    w_ce = descend(features, labels, np.zeros(3), damped=False)
    w_acc = descend(features, labels, w_ce, damped=True)
    (acc_ce, ce_before), (acc, ce_after) = (scores(features, labels, w) for w in (w_ce, w_acc))
    assert acc_ce <= 0.70
    assert acc >= 0.89
    assert ce_after > ce_before + 1
    bad = np.array([-6.0, 0, 0])
    assert scores(features, labels, descend(features, labels, bad, damped=True))[0] <= 0.2
    assert scores(features, labels, descend(features, labels, bad, damped=False))[0] > 0.6


def test_numbers_quoted_in_the_chapter():
    p = softmax(X)
    assert_allclose(p, [0.0316849208, 0.0116562310, 0.2341216573, 0.6364086466, 0.0861285444])
    assert_allclose(X @ p, 4.4519, atol=5e-5)  # from below
    assert_allclose(smooth_max(X) - math.log(5), 3.8425, atol=5e-5)  # mellowmax


REFUSALS = {
    "scalar": (lambda: smooth_max(1.0), "`x` must have at least one entry"),
    "empty": (lambda: smooth_max([]), "`x` must have at least one entry"),
    "nan": (lambda: soft_argmax([1, np.nan]), "`x` must be finite, got nan"),
    "K": (lambda: smooth_max(X, 0), "`K` must be positive and finite, got 0"),
    "K abs": (lambda: smooth_abs(1.0, np.inf), "`K` must be positive and finite, got inf"),
    "probs": (lambda: soft_accuracy([0.5, 0.5], [0]), r"`probs` must have shape \(B, C\)"),
    "rows": (lambda: soft_accuracy([[0.5, 0.6]], [0]), "`probs` must hold rows"),
    "labels": (lambda: soft_accuracy([[0.5, 0.5]], [0.0]), "`labels` must be 1 integers"),
    "no class": (lambda: soft_accuracy([[0.5, 0.5]], [2]), r"`labels` must lie in \[0, 2\)"),
    "shapes": (lambda: soft_f1([1, 0], [0.5]), r"`p` must have shape \(2,\)"),
    "truth": (lambda: soft_f1([0.5], [0.5]), "`t` must hold zeros and ones"),
    "range": (lambda: soft_f1([1], [1.5]), "`p` must lie between 0 and 1"),
    "nothing": (lambda: soft_f1([0, 0], [0, 0]), "must not be all zero"),
    "matrix": (lambda: soft_kmax([[1.0]], 1), r"`x` must have one axis, got shape \(1, 1\)"),
    "k": (lambda: soft_kmax(X, 6), "`k` must be an integer from 1 to 5, got 6"),
    "k fermi": (lambda: fermi_topk(X, 5), "`k` must be an integer from 1 to 4, got 5"),
    "k real": (lambda: fermi_topk(X, 2.0), "`k` must be an integer from 1 to 4, got 2.0"),
    "k true": (lambda: fermi_topk(X, True), "`k` must be an integer"),
}


@pytest.mark.parametrize(("call", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
