"""Facts that the chapter on softmax and its alternatives claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from scispaces.probability.softmax_alternatives import (
    am_softmax_loss,
    entmax,
    entmax_jacobian,
    fenchel_young_loss,
    perturb_max,
    softmax,
    sparse_softmax,
    sparsemax,
    taylor_softmax,
)

X = np.array([1.2, 0.9, 0.4, -1.0])
ALPHAS = [1.0, 1.25, 1.5, 2.0, 3.0]
FAMILY = {
    "softmax": softmax,
    "sparse": lambda x: sparse_softmax(x, 2),
    "sparsemax": sparsemax,
    "entmax 1.25": lambda x: entmax(x, 1.25),
    "entmax 1.5": entmax,
    "entmax 4": lambda x: entmax(x, 4),
    "probit": lambda x: perturb_max(x, "normal"),
    "logistic": lambda x: perturb_max(x, "logistic"),
}
logits = arrays(float, st.integers(2, 6), elements=st.floats(-5, 5).map(lambda v: round(v, 3)))
every_member = pytest.mark.parametrize("member", FAMILY.values(), ids=FAMILY)

# The values of entmax come from the package entmax 1.3 with torch in double precision.
ROWS = {
    "softmax": (
        lambda: softmax(X),
        [0.4346030339, 0.3219618463, 0.1952797310, 0.0481553888],
        1e-10,
    ),
    "entmax 1.25": (
        lambda: entmax(X, 1.25),
        [0.4910753512, 0.3373575468, 0.1647712205, 0.0067958816],
        1e-9,
    ),
    "entmax 1.5": (lambda: entmax(X, 1.5), [0.5425890216, 0.3441070948, 0.1133038836, 0], 1e-9),
    "sparsemax": (lambda: sparsemax(X), [0.65, 0.35, 0, 0], 1e-12),
    "entmax 4": (lambda: entmax(X, 4), [0.9655040631, 0.0344959369, 0, 0], 1e-9),
    "taylor": (
        lambda: taylor_softmax(X, 2),
        [0.4052741152, 0.3199167245, 0.2054129077, 0.0693962526],
        1e-9,
    ),
    "sparse softmax": (lambda: sparse_softmax(X, 2), [0.5744425168, 0.4255574832, 0, 0], 1e-9),
    "probit": (
        lambda: perturb_max(X, "normal"),
        [0.4818739983, 0.3350047176, 0.1694891560, 0.0136321282],
        1e-8,
    ),
    "logistic noise": (
        lambda: perturb_max(X, "logistic"),
        [0.4000693342, 0.3202249122, 0.2160932163, 0.0636125373],
        1e-8,
    ),
    "probit of two": (lambda: perturb_max([1, 0], "normal")[0], 0.7602499389, 1e-9),
    "loss, alpha 1": (lambda: fenchel_young_loss(X, 1, 1), 1.1333222303, 1e-9),
    "loss, alpha 1.5": (lambda: fenchel_young_loss(X, 1, 1.5), 0.5865663583, 1e-9),
    "loss, alpha 2": (lambda: fenchel_young_loss(X, 1, 2), 0.4225, 1e-9),
    "taylor breaks": (
        lambda: taylor_softmax([2, 0, -10], 2),
        [5 / 47, 1 / 47, 41 / 47],
        1e-12,
    ),
    "half the Jacobian": (lambda: np.abs(entmax_jacobian(X, 1)).sum() / 2, 0.6670076576, 1e-9),
    "entmax of two": (lambda: entmax([0.6, 0], 1.5)[0], 0.7073041245, 1e-9),
    "margin": (lambda: am_softmax_loss([0.8, 0.6, 0.1], 0), 4.5110480474, 1e-8),
    "no margin": (lambda: am_softmax_loss([0.8, 0.6, 0.1], 0, margin=0), 0.0024756859, 1e-8),
}


@pytest.mark.verifies("eq-softmax-alternatives-entmax", by="library")
@pytest.mark.verifies("eq-softmax-alternatives-perturb", by="library")
@pytest.mark.verifies("eq-softmax-alternatives-loss", by="library")
@pytest.mark.verifies("eq-softmax-alternatives-margin", by="closed form")
@pytest.mark.verifies("eq-softmax-alternatives-taylor", by="closed form")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-softmax-alternatives-softmax", by="library")
@given(logits, st.floats(0.05, 20))
def test_softmax_agrees_with_scipy(x, tau):
    assert_allclose(softmax(x, tau), scipy.special.softmax(x / tau), rtol=1e-12, atol=1e-300)


@pytest.mark.verifies("eq-softmax-alternatives-jacobian", by="closed form")
@given(logits)
def test_half_the_jacobian_is_the_spread(x):
    p = softmax(x)
    total = np.abs(entmax_jacobian(x, 1)).sum() / 2
    assert_allclose(total, 1 - np.sum(p * p), rtol=0, atol=1e-13)


@every_member
@given(x=logits)
@settings(max_examples=30)
def test_probabilities(member, x):
    p = member(x)
    assert p.shape == x.shape
    assert np.all(p >= 0)
    assert_allclose(p.sum(), 1, rtol=1e-12)


@every_member
@given(x=logits, shift=st.floats(-50, 50))
@settings(max_examples=30)
def test_shifts_change_nothing(member, x, shift):
    if len(np.unique(np.round(x + shift, 9))) == len(x):  # no ties made by rounding
        assert_allclose(member(x + shift), member(x), rtol=0, atol=1e-9)


@every_member
@given(x=logits)
@settings(max_examples=30)
def test_larger_logits_have_larger_shares(member, x):
    p = member(x)
    order = np.argsort(-x, kind="stable")
    # Equal logits may round differently in a sum.
    assert np.all(np.diff(p[order]) <= 1e-12)


@given(logits, st.randoms(use_true_random=False))
def test_order_of_the_classes_does_not_matter(x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    for alpha in ALPHAS:
        assert_allclose(entmax(x[order], alpha), entmax(x, alpha)[order], rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-softmax-alternatives-projection", by="library")
@given(logits)
@settings(max_examples=25, deadline=None)
def test_sparsemax_is_the_nearest_point(x):
    n = len(x)
    found = minimize(
        lambda p: np.sum((p - x) ** 2),
        np.full(n, 1 / n),
        jac=lambda p: 2 * (p - x),
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 300},
    )
    p = sparsemax(x)
    # Nothing that SLSQP finds is nearer, up to its own tolerance.
    assert np.sum((p - x) ** 2) <= found.fun + 1e-8
    assert_allclose(p, found.x, rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-softmax-alternatives-sparsemax", by="property")
@given(logits)
def test_sparsemax_cuts_at_one_level(x):
    p = sparsemax(x)
    levels = (x - p)[p > 0]
    assert_allclose(levels, levels[0], rtol=0, atol=1e-12)
    assert np.all(x[p == 0] <= levels[0] + 1e-12)
    assert_allclose(sparsemax(p), p, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-softmax-alternatives-entmax", by="library")
@pytest.mark.parametrize("alpha", [1.1, 1.25, 1.5, 1.9, 2.0, 4.0])
def test_entmax_agrees_with_a_root_finder(alpha):
    beta = alpha - 1
    with mpmath.workdps(30):
        z = [mpmath.mpf(beta) * v for v in X]

        def share(v, cut):
            return max(v - cut, mpmath.mpf(0)) ** (1 / mpmath.mpf(beta))

        cut = mpmath.findroot(
            lambda c: sum(share(v, c) for v in z) - 1, (max(z) - 1, max(z)), solver="anderson"
        )
        exact = [float(share(v, cut)) for v in z]
    assert_allclose(entmax(X, alpha), exact, rtol=0, atol=1e-12)


def test_family_is_continuous_at_softmax():
    assert_allclose(entmax(X, 1 + 1e-6), softmax(X), rtol=0, atol=1e-6)


@given(logits)
def test_support_shrinks_along_the_family(x):
    sizes = [np.count_nonzero(entmax(x, alpha)) for alpha in (1.0, 1.3, 1.7, 2.0, 3.0)]
    assert sizes == sorted(sizes, reverse=True)


def test_huge_logits_are_safe():
    x = np.array([1e4, 0.0, -1e4])
    for alpha in ALPHAS:
        assert_allclose(entmax(x, alpha), [1, 0, 0], rtol=0, atol=1e-12)
    assert np.isfinite(fenchel_young_loss(x, 2, 1.5))


@pytest.mark.verifies("eq-softmax-alternatives-zeros", by="property")
@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0, 3.0])
def test_where_the_zeros_begin(alpha):
    gap = 1 / (alpha - 1)
    assert_allclose(entmax([gap, 0.0], alpha), [1, 0], rtol=0, atol=1e-12)
    assert entmax([gap * 0.99, 0.0], alpha)[1] > 0
    assert entmax([gap * 1.01, 0.0, 0.0], alpha)[0] == 1


@pytest.mark.verifies("eq-softmax-alternatives-hard-sigmoid", by="closed form")
@given(st.floats(-3, 3))
def test_two_classes(gap):
    hard = np.clip((1 + gap) / 2, 0, 1)
    assert_allclose(sparsemax([gap, 0.0])[0], hard, rtol=0, atol=1e-14)
    # Shares are square roots here: near zero they keep half the digits.
    assert_allclose(entmax([gap, 0.0], 3.0)[0], np.clip(0.5 + gap, 0, 1), rtol=0, atol=1e-7)
    assert_allclose(
        perturb_max([gap, 0.0], "normal")[0], scipy.stats.norm.cdf(gap / math.sqrt(2)), atol=1e-11
    )
    if abs(gap) < 2:
        closed = (gap / 4 + math.sqrt(0.5 - gap * gap / 16)) ** 2
        assert_allclose(entmax([gap, 0.0])[0], closed, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-softmax-alternatives-perturb", by="closed form")
@given(logits)
@settings(max_examples=40)
def test_gumbel_noise_is_softmax(x):
    assert_allclose(perturb_max(x), softmax(x), rtol=1e-9, atol=1e-12)


@pytest.mark.verifies("eq-softmax-alternatives-perturb", by="library")
@pytest.mark.parametrize(
    ("noise", "law"), [("normal", scipy.stats.norm), ("logistic", scipy.stats.logistic)]
)
def test_noise_agrees_with_quadrature(noise, law):
    for i in range(4):
        others = np.delete(X, i)
        exact = scipy.integrate.quad(
            lambda u, i=i, others=others: law.pdf(u - X[i]) * np.prod(law.cdf(u - others)),
            -40,
            40,
            points=[0, 1],
            epsabs=1e-13,
        )[0]
        assert_allclose(perturb_max(X, noise)[i], exact, rtol=0, atol=1e-10)


def test_samples_with_noise():
    rng = np.random.default_rng(6)
    winners = np.argmax(X + rng.normal(size=(100_000, 4)), axis=1)
    shares = np.bincount(winners, minlength=4) / 100_000
    # Four standard errors of a share.
    assert_allclose(shares, perturb_max(X, "normal"), atol=4 * 0.5 / math.sqrt(100_000))


@pytest.mark.verifies("eq-softmax-alternatives-loss", by="property")
@pytest.mark.verifies("eq-softmax-alternatives-gradient", by="property")
@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradient_of_the_loss(alpha):
    h, x = 1e-5, np.array([1.3, 0.2, -0.4, 0.9])
    for t in range(4):
        slopes = [
            (fenchel_young_loss(x + step, t, alpha) - fenchel_young_loss(x - step, t, alpha))
            / (2 * h)
            for step in h * np.eye(4)
        ]
        # h^2 and rounding of 1e-16 / h.
        assert_allclose(slopes, entmax(x, alpha) - np.eye(4)[t], rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-softmax-alternatives-loss", by="closed form")
@given(logits)
def test_known_losses(x):
    assert_allclose(
        fenchel_young_loss(x, 0, 1), scipy.special.logsumexp(x) - x[0], rtol=0, atol=1e-12
    )
    p = sparsemax(x)
    cut = (x - p)[p > 0][0]
    support = x[p > 0]
    by_hand = 0.5 - x[0] + np.sum(support**2 - cut**2) / 2
    assert_allclose(fenchel_young_loss(x, 0, 2), by_hand, rtol=0, atol=1e-11)


@given(logits, st.sampled_from(ALPHAS), st.floats(0, 1))
def test_losses_are_convex_and_not_negative(x, alpha, s):
    y = np.roll(x, 1)[: len(x)] * 0.7
    middle = fenchel_young_loss(s * x + (1 - s) * y, 0, alpha)
    ends = s * fenchel_young_loss(x, 0, alpha) + (1 - s) * fenchel_young_loss(y, 0, alpha)
    assert -1e-12 <= middle <= ends + 1e-11


@pytest.mark.verifies("eq-softmax-alternatives-entmax-jacobian", by="property")
@pytest.mark.parametrize("alpha", ALPHAS)
def test_jacobian(alpha):
    h, x = 1e-6, np.array([1.3, 0.2, -0.45, 0.9])
    found = entmax_jacobian(x, alpha)
    steps = h * np.eye(4)
    slopes = [(entmax(x + s, alpha) - entmax(x - s, alpha)) / (2 * h) for s in steps]
    assert_allclose(found, np.transpose(slopes), rtol=0, atol=1e-8)
    assert_allclose(found.sum(axis=1), 0, atol=1e-14)
    assert np.linalg.eigvalsh(found).min() > -1e-14


def descend(alpha, steps, marks, n=10):
    x, losses = np.zeros(n), {}
    for step in range(1, steps + 1):
        x = x - 0.5 * (entmax(x, alpha) - np.eye(n)[0])
        if step in marks:
            losses[step] = fenchel_young_loss(x, 0, alpha)
    return losses


@pytest.mark.verifies("eq-softmax-alternatives-rate", by="property")
@pytest.mark.parametrize(
    ("alpha", "expected"),
    [(1.0, [1.820e-3, 9.05e-4]), (1.25, [8.13e-6, 2.54e-6]), (1.5, [4.06e-10, 4.95e-11])],
)
def test_when_training_stops(alpha, expected):
    losses = descend(alpha, 2000, (1000, 2000))
    assert_allclose(list(losses.values()), expected, rtol=2e-2)
    slope = math.log(losses[2000] / losses[1000]) / math.log(2)
    assert abs(slope + alpha / (2 - alpha)) < 0.1


def test_sparsemax_stops():
    assert descend(2.0, 60, (60,))[60] < 1e-15


@pytest.mark.parametrize(("alpha", "share"), [(2.0, 1.0), (3.0, 4 / 3)])
def test_from_two_on_the_gap_shrinks_by_a_factor(alpha, share):
    x, gaps = np.zeros(4), []
    for _ in range(200):
        x = x - 0.05 * (entmax(x, alpha) - np.eye(4)[0])
        gaps.append(1 / (alpha - 1) - (x[0] - x[1]))
    assert 0 < gaps[-1] < 1e-3
    # What the share leaves out is of the next order in the gap.
    assert_allclose(gaps[-1] / gaps[-2], 1 - 0.05 * share, rtol=1e-3)


@pytest.mark.verifies("eq-softmax-alternatives-taylor", by="property")
@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_even_taylor_polynomials_are_positive(order):
    x = np.linspace(-30, 5, 2001)
    exact = sum(x**k / math.factorial(k) for k in range(order + 1))
    assert np.all(exact > 0)
    # The first class has polynomial 1, so the ratio is the polynomial.
    pairs = taylor_softmax(np.stack([np.zeros_like(x), x], axis=1), order)
    assert_allclose(pairs[:, 1] / pairs[:, 0], exact, rtol=1e-9)


def test_where_taylor_turns():
    # Order 2 turns at -1, order 4 at the real root of 1 + x + x^2/2 + x^3/6.
    root = np.roots([1 / 6, 1 / 2, 1, 1])
    root = root[np.isreal(root)].real[0]
    assert_allclose(root, -1.5961, atol=5e-5)
    for order, turn in ((2, -1.0), (4, root)):
        at = [taylor_softmax([2, 0, turn + d], order)[2] for d in (-0.05, 0, 0.05)]
        assert at[1] < min(at[0], at[2])


def test_stopping_the_wrong_gradient():
    # What the post writes, and what it means: see the erratum.
    x, t = np.array([2, 1, 0.5, -1]), 2
    p = softmax(x)
    wrong = (np.diag(p) - np.outer(p, p)) @ x
    assert_allclose(wrong, [0.316, -0.108, -0.133, -0.075], atol=5e-4)
    assert_allclose(p - np.eye(4)[t], [0.609, 0.224, -0.864, 0.030], atol=6e-4)


def test_largest_prefix_is_right_for_entmax():
    rng = np.random.default_rng(8)
    for z in -np.sort(-rng.normal(size=(2000, 6)), axis=1):
        half = z / 2
        best = None
        for k in range(1, 7):
            mean, var = half[:k].mean(), half[:k].var()
            cut = mean - math.sqrt(max(1 / k - var, 0))
            if half[k - 1] >= cut and np.sum((half[:k] - half[k - 1]) ** 2) < 1:
                best = cut
        assert_allclose(entmax(z), np.maximum(half - best, 0) ** 2, rtol=0, atol=1e-12)


def test_axes():
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    for member in (softmax, sparsemax, entmax, taylor_softmax):
        rows = np.stack([[member(x[i, :, j]) for j in range(2)] for i in range(3)])
        assert_allclose(member(x, axis=1), np.swapaxes(rows, 1, 2), rtol=0, atol=1e-14)
    assert_allclose(sparse_softmax(x, 3, axis=1).sum(1), 1)
    assert np.all(np.count_nonzero(sparse_softmax(x, 3, axis=1), axis=1) == 3)
    assert_allclose(sparse_softmax([1, 1, 1], 1), [1, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: softmax(1.0), r"`x` must have at least one entry along an axis, got \(\)"),
        (lambda: softmax([]), r"`x` must have at least one entry"),
        (lambda: sparsemax([1, np.nan]), "`x` must be finite, got nan"),
        (lambda: softmax([1, 2], 0), "`tau` must be positive and finite, got 0"),
        (lambda: taylor_softmax([1, 2], 3), "`order` must be an even integer of at least 2, got 3"),
        (lambda: sparse_softmax([1, 2], 3), "`k` must be an integer from 1 to 2.*got 3"),
        (lambda: perturb_max([[1, 2]]), r"`x` must have one axis, got shape \(1, 2\)"),
        (lambda: perturb_max([1], "cauchy"), r"`noise` must be one of \['gumbel'.*got 'cauchy'"),
        (lambda: entmax([1, 2], 0.5), "`alpha` must be finite and at least 1, got 0.5"),
        (lambda: entmax_jacobian([[1]]), r"`x` must have one axis, got shape \(1, 1\)"),
        (lambda: fenchel_young_loss([1, 2], 2), "`t` must be a class from 0 to 1, got 2"),
        (lambda: fenchel_young_loss([[1]], 0), r"`x` must have one axis, got shape \(1, 1\)"),
        (lambda: fenchel_young_loss([1, 2], 0, math.inf), "`alpha` must be finite"),
        (lambda: am_softmax_loss([2, 0], 0), "`cos` must be between -1 and 1, got 2"),
        (
            lambda: am_softmax_loss([1, 0], 0, -1),
            "`margin` must be finite and not negative, got -1",
        ),
        (lambda: am_softmax_loss([1, 0], 0, 0, 0), "`tau` must be positive and finite, got 0"),
        (lambda: am_softmax_loss([1, 0], True), "`t` must be a class from 0 to 1, got True"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
