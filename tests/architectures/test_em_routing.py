"""Facts that the chapter on capsules and EM routing claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.mixture import GaussianMixture

from scispaces.architectures.em_routing import (
    capsule_votes,
    coding_cost,
    em_routing,
    gmm_em,
    log_gaussian,
    responsibilities,
)

X = np.array([[0, 0], [1, 0], [0, 1], [4, 4], [5, 4]], dtype=float)
VOTES = np.stack(
    [
        [(1, 1), (1.1, 0.9), (0.9, 1.05), (3, -1), (-2, 2)],
        [(0, 2), (-1, 0), (2, 1), (0.5, 0.5), (0.55, 0.45)],
    ],
    axis=1,
)
A_IN = np.array([1, 0.9, 0.8, 0.7, 0.6])
FIRST = [[0, 0], [1, 1]]
seeds = st.integers(0, 99)


def two_clouds():
    rng = np.random.default_rng(0)
    return np.vstack(
        [rng.normal((0, 0), (1, 0.3), (60, 2)), rng.normal((3, 1), (0.4, 0.8), (40, 2))]
    )


@pytest.mark.verifies("eq-em-routing-bayes", by="closed form")
def test_responsibilities():
    # Ratios of two normal densities, by hand.
    found = responsibilities(X, [0.5, 0.5], [[0, 0], [4, 4]], [[1, 1], [4, 4]])
    expected = [0.995441961, 0.982212197, 0.982212197, 4.50140e-7, 5.66644e-9]
    assert_allclose(found[:, 0], expected, rtol=0, atol=1e-8)
    assert_allclose(found[3:, 0], expected[3:], rtol=1e-5)
    assert_allclose(found.sum(axis=1), 1, rtol=1e-14)
    # Shares need not sum to one, may be zero, and nothing underflows a thousand deviations away.
    assert_allclose(responsibilities(X, [7, 7], [[0, 0], [4, 4]], [[1, 1], [4, 4]]), found)
    assert_allclose(responsibilities([[1e3, 0]], [0, 1], FIRST, np.ones((2, 2))), [[0, 1]])


@pytest.mark.verifies("eq-em-routing-bayes", by="property")
@given(seeds)
@settings(deadline=None)
def test_responsibilities_follow_bayes_rule(seed):
    rng = np.random.default_rng(seed)
    x, mu = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    roots = rng.normal(size=(4, 3, 3))
    cov = roots @ roots.swapaxes(1, 2) + 0.3 * np.eye(3)
    pi = rng.uniform(size=4)
    density = np.stack(
        [scipy.stats.multivariate_normal(m, c).pdf(x) for m, c in zip(mu, cov, strict=True)], axis=1
    )
    expected = pi * density / (density @ pi)[:, None]
    assert_allclose(responsibilities(x, pi, mu, cov), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.verifies("def-em-routing-mixture", by="library")
@pytest.mark.verifies("eq-em-routing-bayes", by="library")
def test_densities_agree_with_scipy():
    rng = np.random.default_rng(1)
    mu, variance = rng.normal(size=(2, 2)), rng.uniform(0.5, 2, size=(2, 2))
    law = scipy.stats.multivariate_normal
    for cov in (variance, np.stack([np.diag(v) for v in variance])):
        found = log_gaussian(X, mu, cov)
        for j in range(2):
            expected = law(mu[j], np.diag(variance[j])).logpdf(X)
            assert_allclose(found[:, j], expected, rtol=1e-12)


def test_normaliser():
    # See the erratum: in d dimensions the normaliser is (2 pi sigma^2)^(d/2).
    sigma = 0.7

    def mass(normaliser):
        inside = scipy.integrate.dblquad(
            lambda y, x: math.exp(-(x * x + y * y) / (2 * sigma**2)) / normaliser, -6, 6, -6, 6
        )
        return inside[0]

    assert_allclose(mass(2 * math.pi * sigma**2), 1, rtol=1e-6)
    assert_allclose(mass(math.sqrt(2 * math.pi) * sigma**2), math.sqrt(2 * math.pi), rtol=1e-6)
    peak = np.exp(log_gaussian([[0, 0]], [[0, 0]], [[sigma**2] * 2]))[0, 0]
    assert_allclose(peak, 1 / (2 * math.pi * sigma**2), rtol=1e-14)


@pytest.mark.verifies("eq-em-routing-hard", by="closed form")
def test_the_limit_of_small_variance():
    x, mu = [[1.9, 0]], [[0, 0], [4, 0]]
    expected = [0.52497919, 0.59868766, 0.83201839, 1]
    for sigma, share in zip((2, 1, 0.5, 0.1), expected, strict=True):
        found = responsibilities(x, [1, 1], mu, np.full((2, 2), sigma**2))[0]
        assert_allclose(found[0], share, rtol=0, atol=1e-8)
        # The squares of the distances differ by 2.1^2 - 1.9^2 = 0.8.
        assert_allclose(found[0], 1 / (1 + math.exp(-0.8 / (2 * sigma**2))), rtol=1e-12)
    assert_allclose(found[1], 4.24835e-18, rtol=1e-5)
    # The nearest centre takes all.
    rng = np.random.default_rng(3)
    points, centres = rng.normal(size=(50, 2)), rng.normal(size=(4, 2))
    hard = responsibilities(points, np.ones(4), centres, np.full((4, 2), 1e-8))
    nearest = np.argmin(((points[:, None] - centres) ** 2).sum(axis=2), axis=1)
    assert_allclose(hard, np.eye(4)[nearest], rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-em-routing-moments", by="library")
@pytest.mark.parametrize(
    ("covariance", "loglik"),
    [("diag", -222.2770829057), ("full", -221.5533551421), ("spherical", -258.2118791040)],
)
def test_mixtures_agree_with_scikit_learn(covariance, loglik):
    x = two_clouds()
    found = gmm_em(x, FIRST, 200, covariance, min_var=0)
    assert_allclose(found.loglik[-1], loglik, rtol=0, atol=1e-6)
    theirs = GaussianMixture(
        2,
        covariance_type=covariance,
        reg_covar=0,
        tol=1e-13,
        max_iter=1000,
        means_init=found.mu + 0.1,
        weights_init=[0.5, 0.5],
    ).fit(x)
    assert_allclose(theirs.score(x) * 100, loglik, rtol=0, atol=1e-6)
    # Both stop where the likelihood is flat to 1e-13, the parameters to the root of it.
    assert_allclose(found.mu, theirs.means_, rtol=0, atol=1e-4)
    assert_allclose(found.pi, theirs.weights_, rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-em-routing-moments", by="property")
@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_a_fixed_point_matches_two_moments(covariance):
    x = two_clouds()
    fit = gmm_em(x, FIRST, 300, covariance, min_var=0)
    share = responsibilities(x, fit.pi, fit.mu, fit.cov)
    assert_allclose(fit.resp, share, rtol=0, atol=1e-12)
    assert_allclose(share.mean(axis=0), fit.pi, rtol=0, atol=1e-10)
    weights = share / fit.pi / len(x)
    assert_allclose(weights.T @ x, fit.mu, rtol=0, atol=1e-9)
    for j in range(2):
        gaps = x - fit.mu[j]
        second = (weights[:, j] * gaps.T) @ gaps
        expected = second if covariance == "full" else np.diag(second)
        assert_allclose(fit.cov[j], expected, rtol=0, atol=1e-9)
    if covariance == "diag":
        assert_allclose(fit.pi, [0.6086902, 0.3913098], rtol=0, atol=1e-6)
        means = [[0.03415825, 0.04835852], [2.93932806, 1.02810189]]
        assert_allclose(fit.mu, means, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-em-routing-monotone", by="property")
@given(seeds, st.sampled_from(["diag", "full", "spherical"]))
@settings(deadline=None, max_examples=30)
def test_em_never_goes_down(seed, covariance):
    x = np.random.default_rng(seed).normal(size=(100, 2))
    fit = gmm_em(x, x[:2], 20, covariance, min_var=0)
    assert fit.loglik.shape == (21,)
    # Sums of a hundred logarithms: 1e-12.
    assert np.all(np.diff(fit.loglik) >= -1e-12)
    density = np.exp(log_gaussian(x, fit.mu, fit.cov)) @ fit.pi
    assert_allclose(fit.loglik[-1], np.log(density).sum(), rtol=1e-12)


@pytest.mark.verifies("eq-em-routing-votes", by="property")
def test_votes():
    rng = np.random.default_rng(4)
    poses, W = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 5, 2, 6))
    votes = capsule_votes(poses, W)
    assert votes.shape == (3, 5, 24)
    for i in range(3):
        for j in range(5):
            expected = [
                sum(poses[i, r, b] * W[i, j, b, c] for b in range(2))
                for r in range(4)
                for c in range(6)
            ]
            assert_allclose(votes[i, j], expected, rtol=1e-13, atol=1e-14)
    # A change of view on the left goes through.
    turn = rng.normal(size=(4, 4))
    moved = capsule_votes(turn @ poses, W).reshape(3, 5, 4, 6)
    assert_allclose(moved, turn @ votes.reshape(3, 5, 4, 6), rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-em-routing-entropy", by="closed form")
def test_entropy_of_a_normal_density():
    mean, var = X.mean(axis=0), X.var(axis=0)
    found = coding_cost(np.full(5, 0.2), X, mean, var)
    assert_allclose(found, 4.184649823859, rtol=0, atol=1e-10)
    assert_allclose(found, 1 + 0.5 * np.log(var).sum() + math.log(2 * math.pi), rtol=1e-14)
    assert_allclose(found, scipy.stats.multivariate_normal(mean, np.diag(var)).entropy())


@pytest.mark.verifies("eq-em-routing-cost", by="closed form")
def test_the_forgotten_factor():
    # See the erratum: weights that sum to R multiply all of the entropy by R, its half too.
    w = np.array([0.2, 0.9, 0.5, 0.1, 0.4])
    mean = w @ X / w.sum()
    var = w @ (X - mean) ** 2 / w.sum()
    found = coding_cost(w, X, mean, var)
    assert_allclose(found, 8.285315408720, rtol=0, atol=1e-10)
    rest = 0.5 * np.log(var).sum() + math.log(2 * math.pi)
    assert_allclose(found, w.sum() * (1 + rest), rtol=1e-13)
    assert_allclose(1 + w.sum() * rest, 7.185315, rtol=0, atol=1e-6)


def routed_with_mpmath(n_iter, lam):
    """The loop of the paper, one number at a time, with 30 digits."""
    mp = mpmath.mp
    with mpmath.workdps(30):
        votes = [[[mp.mpf(str(v)) for v in vote] for vote in row] for row in VOTES.tolist()]
        a_in = [mp.mpf(str(a)) for a in A_IN.tolist()]
        n, k, d = VOTES.shape
        R = [[mp.mpf(1) / k] * k for _ in range(n)]
        for step in range(n_iter):
            pose, var, act = [], [], []
            for j in range(k):
                w = [R[i][j] * a_in[i] for i in range(n)]
                total = sum(w)
                mu = [sum(w[i] * votes[i][j][h] for i in range(n)) / total for h in range(d)]
                s2 = [
                    sum(w[i] * (votes[i][j][h] - mu[h]) ** 2 for i in range(n)) / total
                    for h in range(d)
                ]
                cost = total * sum(mp.log(mp.sqrt(s)) for s in s2)
                pose.append(mu)
                var.append(s2)
                act.append(1 / (1 + mp.exp(-mp.mpf(lam) * (1 - cost))))
            if step == n_iter - 1:
                break
            for i in range(n):
                p = [
                    act[j]
                    * mp.exp(
                        -sum((votes[i][j][h] - pose[j][h]) ** 2 / (2 * var[j][h]) for h in range(d))
                    )
                    / mp.sqrt(mp.fprod(2 * mp.pi * s for s in var[j]))
                    for j in range(k)
                ]
                R[i] = [q / sum(p) for q in p]
    return [np.array(a, dtype=float) for a in (pose, var, act, R)]


@pytest.mark.verifies("eq-em-routing-activation", by="library")
@pytest.mark.verifies("eq-em-routing-assignment", by="library")
@pytest.mark.verifies("eq-em-routing-followers", by="library")
@pytest.mark.parametrize(
    ("n_iter", "activation"),
    [(1, [0.5619825, 0.69161638]), (2, [0.93973126, 0.78389422]), (3, [0.99949054, 0.93463557])],
)
def test_routing_agrees_with_a_slow_loop(n_iter, activation):
    found = em_routing(VOTES, A_IN, 0, 1, n_iter, lam=0.5, min_var=0)
    assert_allclose(found.activation, activation, rtol=0, atol=1e-7)
    pose, var, act, R = routed_with_mpmath(n_iter, 0.5)
    assert_allclose(found.pose, pose, rtol=0, atol=1e-12)
    assert_allclose(found.variance, var, rtol=1e-11)
    assert_allclose(found.activation, act, rtol=1e-12)
    assert_allclose(found.assignment, R, rtol=1e-8, atol=1e-30)
    if n_iter == 3:
        poses = [[1.00385601, 0.98136691], [0.51915353, 0.49636862]]
        assert_allclose(found.pose, poses, rtol=0, atol=1e-7)
        shares = [0.98407, 0.98638, 0.98160, 3e-23, 1e-19]
        assert_allclose(found.assignment[:, 0], shares, rtol=0, atol=1e-4)


def ring(m, s):
    angle = 2 * np.pi * np.arange(m) / m
    return math.sqrt(2) * s * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None]


@pytest.mark.verifies("eq-em-routing-threshold", by="closed form")
@pytest.mark.parametrize(
    ("s", "expected"),
    [
        (0.5, [0.6352, 0.7519, 0.9019, 0.9883]),
        (1, [0.5, 0.5, 0.5, 0.5]),
        (2, [0.3648, 0.2481, 0.0981, 0.0117]),
    ],
)
def test_more_followers_help_a_tight_cluster_only(s, expected):
    found = [em_routing(ring(m, s), np.ones(m), 0, 0, 1, 0.1).activation[0] for m in (4, 8, 16, 32)]
    assert_allclose(found, expected, rtol=0, atol=1e-4)
    # By hand: m followers at the price 2 ln s.
    assert_allclose(found, [s ** (-0.2 * m) / (1 + s ** (-0.2 * m)) for m in (4, 8, 16, 32)])
    # The threshold moves with the price.
    for beta_u in (-1.0, 0.7):
        at = math.exp(-beta_u)
        few, many = (em_routing(ring(m, at), np.ones(m), beta_u, 1, 1).activation for m in (4, 20))
        assert_allclose(few, many, rtol=1e-12)


@pytest.mark.verifies("eq-em-routing-units", by="property")
@given(seeds, st.floats(0.1, 10))
@settings(deadline=None)
def test_units_can_be_moved_into_the_price(seed, s):
    votes = np.random.default_rng(seed).normal(size=(6, 3, 2))
    a_in = np.random.default_rng(seed).uniform(0.1, 1, size=6)
    before = em_routing(votes, a_in, 0.3, 1, 3, 0.2, min_var=0)
    after = em_routing(s * votes, a_in, 0.3 - math.log(s), 1, 3, 0.2, min_var=0)
    assert_allclose(after.activation, before.activation, rtol=0, atol=1e-10)
    assert_allclose(after.assignment, before.assignment, rtol=0, atol=1e-8)
    assert_allclose(after.pose, s * before.pose, rtol=0, atol=1e-8 * s)


@given(seeds)
@settings(deadline=None)
def test_order_absence_and_shifts(seed):
    rng = np.random.default_rng(seed)
    votes, a_in = rng.normal(size=(6, 3, 2)), rng.uniform(0.1, 1, size=6)
    args = (0.1, 0.5, 3, 0.3, 1e-3)
    base = em_routing(votes, a_in, *args)
    i, j = rng.permutation(6), rng.permutation(3)
    mixed = em_routing(votes[i][:, j], a_in[i], *args)
    assert_allclose(mixed.assignment, base.assignment[i][:, j], rtol=0, atol=1e-8)
    assert_allclose(mixed.activation, base.activation[j], rtol=0, atol=1e-8)
    more = em_routing(np.vstack([votes, 9 * np.ones((1, 3, 2))]), [*a_in, 0], *args)
    assert_allclose(more.pose, base.pose, rtol=0, atol=1e-9)
    assert_allclose(more.activation, base.activation, rtol=0, atol=1e-9)
    shift = np.array([[0, 0], [5, -2], [0, 0]])
    moved = em_routing(votes + shift, a_in, *args)
    assert_allclose(moved.pose, base.pose + shift, rtol=0, atol=1e-8)
    once, half = (em_routing(votes, c * a_in, *args[:2], 1) for c in (1, 0.5))
    assert_allclose(once.pose, half.pose, rtol=0, atol=1e-12)
    alone = em_routing(votes[:, :1], a_in, *args)
    assert_allclose(alone.assignment, 1, rtol=1e-15)


def test_a_capsule_without_followers_costs_nothing():
    votes = np.zeros((4, 2, 2))
    votes[:, 0] = ring(4, 0.01)[:, 0]
    votes[:, 1] = 100 * ring(4, 1)[:, 0]
    found = em_routing(votes, np.ones(4), 0, 0, 6, 1.0)
    assert found.assignment[0, 1] < 1e-7
    assert_allclose(found.activation[1], 0.5, atol=1e-6)


def test_one_vote_makes_a_capsule_sure_of_itself():
    # For the exercise: the variance goes to the floor, the cost to minus infinity.
    sure = [
        em_routing([[[1, 2]]], [1], 0, 0, 1, 1.0, floor).activation[0] for floor in (1e-2, 1e-8)
    ]
    assert_allclose(sure, [1 / (1 + 1e-2), 1 / (1 + 1e-8)], rtol=1e-12)


def face(q, seed):
    """Route one draw with `q` bad parts; return what comes out, and the view."""
    rng = np.random.default_rng(seed)
    view, W = rng.normal(size=(4, 4)), rng.normal(size=(5, 2, 4, 4))
    votes = capsule_votes(view @ np.linalg.inv(W[:, 0]), W)
    noise = np.where(np.arange(5) < q, 0.5, 0.02)[:, None, None]
    votes = votes + noise * rng.normal(size=votes.shape)
    return em_routing(votes, np.ones(5), 0, 0, 3, 0.01, 1e-4), view.ravel()


def faces(q):
    draws = [face(q, seed) for seed in range(20)]
    return np.mean(
        [[*found.activation, np.linalg.norm(found.pose[0] - view) / 4] for found, view in draws],
        axis=0,
    )


def test_faces():
    table = np.array([faces(q) for q in range(6)])
    expected = [
        [0.964, 0.935, 0.803, 0.731, 0.696, 0.670],
        [0.500, 0.676, 0.641, 0.590, 0.597, 0.604],
        [0.009, 0.010, 0.121, 0.161, 0.219, 0.250],
    ]
    assert_allclose(table.T, expected, rtol=0, atol=6e-4)
    assert np.all(np.diff(table[:, 0]) < 0)
    assert table[0, 0] > 0.9
    assert table[5, 0] < 0.75
    assert table[1, 2] < 0.03


@pytest.mark.parametrize(("q", "gone"), [(1, {1: 20}), (2, {0: 4, 1: 16})])
def test_one_bad_vote_leaves_and_never_two(q, gone):
    found = {}
    for seed in range(20):
        share = face(q, seed)[0].assignment[:, 0]
        assert np.all(share[q:] > 0.5)  # the good votes stay together
        left = int(np.sum(share[:q] < 0.5))
        found[left] = found.get(left, 0) + 1
    assert found == gone


def test_numbers_quoted_in_the_chapter():
    # A capsule of one vote, at the floor of the variance.
    assert_allclose(1 / (1 + math.exp(-0.01 * 16 * math.log(100))), 0.676, atol=5e-4)
    assert 32 * 32 * 256 == 262144
    assert 32 * 32 * 16 == 16384
    first = em_routing(VOTES, A_IN, 0, 1, 1, 0.5)
    assert np.argmax(first.activation) == 1
    second = em_routing(VOTES, A_IN, 0, 1, 2, 0.5)
    assert np.argmax(second.activation) == 0
    assert_allclose(second.assignment[:, 0], [0.62, 0.69, 0.64, 0.02, 0.03], atol=5e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: log_gaussian(X[0], FIRST, np.ones((2, 2))), r"`x` must be a finite matrix"),
        (lambda: log_gaussian(X, [[0]], [[1]]), "`mu` must be as wide as `x`, got 1 and 2"),
        (lambda: log_gaussian(X, FIRST, np.ones(2)), r"`cov` must have shape .* got \(2,\)"),
        (
            lambda: log_gaussian(X, FIRST, [[1, 0], [1, 1]]),
            "`cov` must hold positive variances, got 0",
        ),
        (
            lambda: log_gaussian(X, [[0, 0]], [[[1, 2], [2, 1]]]),
            "`cov` must hold positive definite matrices",
        ),
        (
            lambda: log_gaussian(X, [[0, 0]], [[[1, 2], [0, 1]]]),
            "`cov` must hold symmetric matrices",
        ),
        (
            lambda: responsibilities(X, [1, -1], FIRST, np.ones((2, 2))),
            "`pi` must hold 2 numbers, not negative and not all 0, got",
        ),
        (lambda: gmm_em(X, [[0]]), "`mu0` must be as wide as `x`, got 1 and 2"),
        (lambda: gmm_em(X, FIRST, covariance="tied"), "`covariance` must be .* got 'tied'"),
        (lambda: gmm_em(X, FIRST, 0), "`n_iter` must be an integer of at least 1, got 0"),
        (lambda: gmm_em(X, FIRST, min_var=-1), "`min_var` must be finite and not negative, got -1"),
        (
            lambda: gmm_em(np.zeros((3, 2)), FIRST, min_var=0),
            "`cov` must hold positive variances, got 0",
        ),
        (
            lambda: capsule_votes(np.ones((2, 4, 4)), np.ones((2, 3, 3, 4))),
            r"`W` must have shape \(n, k, b, c\)",
        ),
        (
            lambda: coding_cost([1, -1], X[:2], [0, 0], [1, 1]),
            "`weights` must hold 2 numbers that are not negative",
        ),
        (lambda: em_routing(X, A_IN, 0, 0), r"`votes` must have shape \(n, k, d\), got \(5, 2\)"),
        (lambda: em_routing(VOTES, 2 * A_IN, 0, 0), "`a_in` must hold 5 numbers between 0 and 1"),
        (lambda: em_routing(VOTES, 0 * A_IN, 0, 0), "`a_in` must hold 5 numbers .* not all 0"),
        (
            lambda: em_routing(VOTES, A_IN, [0, 0, 0], 0),
            "`beta_u` must be a finite number or 2 of them, got",
        ),
        (lambda: em_routing(VOTES, A_IN, 0, 0, 3, [1, 2]), "`lam` must be a finite number or 3"),
        (lambda: em_routing(VOTES, A_IN, 0, 0, 0), "`n_iter` must be an integer of at least 1"),
        (
            lambda: em_routing([[[1, 2]]], [1], 0, 0, 1, 1, 0),
            "`min_var` must be positive where votes coincide, got 0",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
