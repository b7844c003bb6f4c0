"""Facts that the chapter on the Hilbert-Schmidt independence criterion claims."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise

from scispaces.probability.hsic import (
    cka,
    distance_kernel,
    hsic,
    hsic_gaussian,
    linear_kernel,
    permutation_mean,
    permutation_test,
    rbf_kernel,
)

FIVE = np.array([0.0, 1, 2, 3, 4]), np.array([1.0, 0, 1, 4, 2])
THREE = np.array([0.0, 1, 2]), np.array([0.0, 1, 0])
CURVE = np.arange(-2.0, 3), np.arange(-2.0, 3) ** 2
TABLE = np.array([[0.4, 0.1], [0.2, 0.3]])
TWO_K, TWO_L = np.array([[1, 0.5], [0.5, 1]]), np.array([[1, 0.3], [0.3, 1]])

seeds = st.integers(0, 10**6)
few = settings(max_examples=25, deadline=None)


def kernels(pair, sigma=1.0):
    return rbf_kernel(pair[0], sigma), rbf_kernel(pair[1], sigma)


def pairs(seed, low=4, high=12):
    """Kernels of a sample of related pairs: vectors on one side, numbers on the other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(low, high), 2))
    return rbf_kernel(x), rbf_kernel(x[:, 0] ** 2 + 0.5 * rng.normal(size=len(x)), 0.7)


# The values come from a second, separate program that sums over all pairs, triples and quadruples.
ROWS = {
    "three, v": (lambda: hsic(*kernels(THREE), "v"), 0.0482845796),
    "three, gretton": (lambda: hsic(*kernels(THREE)), 0.1086403041),
    "three, cka": (lambda: cka(*kernels(THREE)), 0.4649858932),
    "five, v": (lambda: hsic(*kernels(FIVE), "v"), 0.0978686131),
    "five, gretton": (lambda: hsic(*kernels(FIVE)), 0.1529197080),
    "five, unbiased": (lambda: hsic(*kernels(FIVE), "unbiased"), -0.0046776002),
    "five, cka": (lambda: cka(*kernels(FIVE)), 0.7384254997),
    "curve": (lambda: hsic(*kernels(CURVE), "v"), 0.0871777898),
    "post, dependent": (lambda: hsic_gaussian([[1, 1], [1, 1.01]]), 0.0945227622),
    "half": (lambda: hsic_gaussian([[1, 0.5], [0.5, 1]]), 0.0099695998),
}


@pytest.mark.verifies("eq-hsic-gaussian", by="table")
@pytest.mark.verifies("eq-hsic-trace", by="table")
@pytest.mark.verifies("eq-hsic-unbiased", by="table")
@pytest.mark.parametrize(("value", "expected"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected):
    # Ten decimals are quoted.
    assert_allclose(value(), expected, rtol=0, atol=1e-10)


# --- kernels


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
@pytest.mark.verifies("eq-hsic-waves", by="library")
def test_rbf_agrees_with_sklearn(sigma):
    x = np.random.default_rng(0).normal(size=(20, 3))
    # scikit-learn expands the square of the distance, which costs some digits.
    assert_allclose(rbf_kernel(x, sigma), pairwise.rbf_kernel(x, gamma=sigma**-2), atol=1e-13)
    assert_allclose(linear_kernel(x), pairwise.linear_kernel(x), atol=1e-13)


@few
@given(seeds, st.floats(0.2, 5))
def test_rbf_sees_only_shape(seed, sigma):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    # A few roundings of distances of size 10, over sigma squared.
    for moved in (x + np.array([3, -2, 1]), x @ turn):
        assert_allclose(rbf_kernel(moved, sigma), rbf_kernel(x, sigma), atol=1e-12)
    assert_allclose(rbf_kernel(7 * x, 7 * sigma), rbf_kernel(x, sigma), atol=1e-12)


@given(seeds)
def test_distance_kernel_is_positive(seed):
    x = np.random.default_rng(seed).normal(size=(9, 2))
    values = np.linalg.eigvalsh(distance_kernel(x))
    assert values.min() > -1e-13 * values.max()


# --- the three estimates


def three_sums(K, L):
    """The definition, with averages over all indices."""
    n = len(K)
    pair = sum(K[i, j] * L[i, j] for i in range(n) for j in range(n)) / n**2
    triple = sum(K[i].sum() * L[i].sum() for i in range(n)) / n**3
    return pair + K.mean() * L.mean() - 2 * triple


def distinct_sums(K, L):
    """The definition, with averages over distinct indices."""
    n = len(K)

    def mean(r, term):
        return np.mean([term(*index) for index in itertools.permutations(range(n), r)])

    return (
        mean(2, lambda i, j: K[i, j] * L[i, j])
        + mean(4, lambda i, j, q, r: K[i, j] * L[q, r])
        - 2 * mean(3, lambda i, j, q: K[i, j] * L[i, q])
    )


@pytest.mark.verifies("eq-hsic-trace", by="property")
@few
@given(seeds)
def test_trace_is_the_definition(seed):
    K, L = pairs(seed)
    n = len(K)
    J = np.eye(n) - 1 / n
    expected = three_sums(K, L)
    # Sums of some hundred terms of size one, over n².
    assert_allclose(hsic(K, L, "v"), expected, rtol=0, atol=1e-14)
    assert_allclose(np.trace(K @ J @ L @ J) / n**2, expected, rtol=0, atol=1e-14)
    assert_allclose(hsic(K, L), expected * n**2 / (n - 1) ** 2, rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-hsic-eigen", by="property")
@few
@given(seeds)
def test_eigenvectors_are_the_functions(seed):
    K, L = pairs(seed)
    n = len(K)
    alpha, U = np.linalg.eigh(K)
    beta, V = np.linalg.eigh(L)
    covariances = U.T @ (np.eye(n) - 1 / n) @ V
    assert_allclose(hsic(K, L, "v"), alpha @ covariances**2 @ beta / n**2, rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-hsic-waves", by="library")
@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_waves(sigma):
    # Gauss-Hermite: 80 nodes integrate waves of frequency below 4 to the last digits.
    node, weight = np.polynomial.hermite.hermgauss(80)
    frequency, weight = 2 * node / sigma, weight / math.sqrt(math.pi)
    x, y = FIVE
    along_x, along_y = np.exp(1j * np.outer(frequency, x)), np.exp(1j * np.outer(frequency, y))
    joint = along_x @ along_y.T / len(x)
    gap = np.abs(joint - np.outer(along_x.mean(1), along_y.mean(1))) ** 2
    assert_allclose(hsic(*kernels(FIVE, sigma), "v"), weight @ gap @ weight, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-hsic-unbiased", by="property")
@settings(max_examples=12, deadline=None)
@given(seeds)
def test_unbiased_is_the_mean_over_distinct_indices(seed):
    K, L = pairs(seed, 4, 8)
    assert_allclose(hsic(K, L, "unbiased"), distinct_sums(K, L), rtol=0, atol=1e-13)


def enumerated(n):
    """Exact expectation of the three estimates over all samples of n pairs of bits."""
    total = np.zeros(3)
    for counts in itertools.product(range(n + 1), repeat=4):
        if sum(counts) != n:
            continue
        cells = np.repeat(np.arange(4), counts)
        K, L = TWO_K[np.ix_(cells // 2, cells // 2)], TWO_L[np.ix_(cells % 2, cells % 2)]
        ways = math.factorial(n) / math.prod(math.factorial(c) for c in counts)
        chance = ways * np.prod(TABLE.ravel() ** counts)
        total += chance * np.array([hsic(K, L, e) for e in ("v", "gretton", "unbiased")])
    return total


@pytest.mark.verifies("eq-hsic-unbiased", by="closed form")
@pytest.mark.parametrize(
    ("n", "v", "gretton"), [(4, 0.0223125, 0.0396666667), (5, 0.021056, 0.0329)]
)
def test_only_one_estimate_is_unbiased(n, v, gretton):
    # The law of a sample is a sum over 4ⁿ cases; the truth is 0.014.
    assert_allclose(enumerated(n), [v, gretton, 0.014], rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-hsic-table", by="closed form")
@pytest.mark.verifies("eq-hsic-population", by="closed form")
def test_two_by_two():
    px, py = TABLE.sum(1), TABLE.sum(0)
    joint = np.einsum("ab,cd,ac,bd", TABLE, TABLE, TWO_K, TWO_L)
    separate = (px @ TWO_K @ px) * (py @ TWO_L @ py)
    mixed = np.einsum("ab,a,b", TABLE, TWO_K @ px, TWO_L @ py)
    assert_allclose(joint + separate - 2 * mixed, 0.014, rtol=0, atol=1e-15)
    assert_allclose(4 * 0.5 * 0.7 * (0.4 - 0.5 * 0.6) ** 2, 0.014, rtol=1e-13)
    # A sample with exactly these shares has that very value.
    x, y = np.repeat([0, 0, 1, 1], [4, 1, 2, 3]), np.repeat([0, 1, 0, 1], [4, 1, 2, 3])
    value = hsic(TWO_K[np.ix_(x, x)], TWO_L[np.ix_(y, y)], "v")
    assert_allclose(value, 0.014, rtol=0, atol=1e-15)


@few
@given(seeds)
def test_symmetries(seed):
    K, L = pairs(seed)
    order = np.random.default_rng(seed).permutation(len(K))
    for estimator in ("v", "gretton", "unbiased"):
        value = hsic(K, L, estimator)
        shuffled = [M[np.ix_(order, order)] for M in (K, L)]
        assert_allclose(hsic(L, K, estimator), value, rtol=0, atol=1e-13)
        assert_allclose(hsic(*shuffled, estimator), value, rtol=0, atol=1e-13)
    assert hsic(K, L, "v") > -1e-15


def test_constant_carries_nothing():
    K, ones = rbf_kernel(FIVE[0]), np.ones((5, 5))
    for estimator in ("v", "gretton", "unbiased"):
        assert_allclose(hsic(K, ones, estimator), 0, atol=1e-15)


# --- what to expect without dependence


@pytest.mark.verifies("eq-hsic-permutation-mean", by="closed form")
@settings(max_examples=6, deadline=None)
@given(seeds)
def test_permutation_mean(seed):
    K, L = pairs(seed, 4, 7)
    values = [hsic(K, L[np.ix_(o, o)]) for o in itertools.permutations(range(len(K)))]
    assert_allclose(permutation_mean(K, L), np.mean(values), rtol=1e-12)


def test_permutation_mean_for_any_kernel():
    K, L = linear_kernel(FIVE[0]), distance_kernel(FIVE[1])
    values = [hsic(K, L[np.ix_(o, o)]) for o in itertools.permutations(range(5))]
    assert_allclose(permutation_mean(K, L), np.mean(values), rtol=1e-12)


@pytest.mark.verifies("eq-hsic-null-mean", by="closed form")
def test_null_mean():
    # Independent fair bits, by enumeration: m is the mean of the kernel over two copies.
    m_x, m_y = (1 + 0.5) / 2, (1 + 0.3) / 2
    for n in (2, 3, 4):
        samples = itertools.product(itertools.product((0, 1), repeat=n), repeat=2)
        values = [hsic(TWO_K[np.ix_(x, x)], TWO_L[np.ix_(y, y)]) for x, y in samples]
        assert_allclose(np.mean(values), (1 - m_x) * (1 - m_y) / (n - 1), rtol=1e-12)


NULL = (1 - 5**-0.5) ** 2 / 999


def test_the_posts_independent_example():
    values = []
    for seed in range(20):
        x, y = np.random.default_rng(seed).normal(size=(2, 1000))
        K, L = rbf_kernel(x), rbf_kernel(y)
        values.append((hsic(K, L), hsic(K, L, "unbiased")))
    mean, spread = np.mean(values, axis=0), np.std(values, axis=0)
    assert_allclose(NULL, 3.0588e-4, rtol=0, atol=5e-9)
    # Four standard errors of a mean of 20.
    assert abs(mean[0] - NULL) < 4 * 1.17e-4 / math.sqrt(20)
    assert abs(mean[1]) < 4 * 1.17e-4 / math.sqrt(20)
    assert_allclose(spread, 1.17e-4, rtol=0.5)


@pytest.mark.verifies("eq-hsic-gaussian", by="property")
def test_the_posts_dependent_example():
    values = []
    for seed in range(20):
        x, e = np.random.default_rng(seed).normal(size=(2, 1000))
        values.append(hsic(rbf_kernel(x), rbf_kernel(x + 0.1 * e), "unbiased"))
    # Four standard errors.
    assert abs(np.mean(values) - hsic_gaussian([[1, 1], [1, 1.01]])) < 4 * 0.0021 / math.sqrt(20)
    assert_allclose(np.std(values), 0.0021, rtol=0.5)


# --- the normal pair


@pytest.mark.verifies("eq-hsic-gaussian", by="closed form")
def test_gaussian_without_dependence():
    assert abs(hsic_gaussian(np.eye(2))) < 1e-15
    assert abs(hsic_gaussian([[3, 0], [0, 0.2]], 0.5, 2)) < 1e-15
    assert abs(hsic_gaussian([[0, 0], [0, 1]])) < 1e-15


@pytest.mark.verifies("eq-hsic-population", by="library")
@pytest.mark.verifies("eq-hsic-gaussian", by="library")
@pytest.mark.parametrize(
    ("cov", "widths"),
    [
        ([[1, 0.5], [0.5, 1]], (1, 1)),
        ([[2, -0.9], [-0.9, 0.7]], (1.3, 0.6)),
        ([[1, 1]] * 2, (2, 3)),
    ],
)
def test_gaussian_agrees_with_quadrature(cov, widths):
    # Nodes of a two-dimensional Gauss-Hermite rule as an exact finite law.
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    weight = weight / weight.sum()
    (xx, xy), (_, yy) = cov
    x = np.repeat(math.sqrt(xx) * node, 40)
    rest = math.sqrt(max(yy - xy**2 / xx, 0))
    y = xy / xx * x + rest * np.tile(node, 40)
    p = np.outer(weight, weight).ravel()
    K = np.exp(-(np.subtract.outer(x, x) ** 2) / widths[0] ** 2)
    L = np.exp(-(np.subtract.outer(y, y) ** 2) / widths[1] ** 2)
    expected = p @ (K * L) @ p + (p @ K @ p) * (p @ L @ p) - 2 * (p * (K @ p)) @ (L @ p)
    # The rule is exact for polynomials of degree 79; the narrowest kernel leaves 3e-7.
    assert_allclose(hsic_gaussian(cov, *widths), expected, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-hsic-gaussian", by="property")
@given(st.floats(-0.99, 0.99), st.floats(0.1, 5))
def test_gaussian_is_even_and_grows(rho, sigma):
    def value(r):
        return hsic_gaussian([[1, r], [r, 1]], sigma, sigma)

    assert_allclose(value(rho), value(-rho), rtol=0, atol=1e-15)
    assert value(rho) <= value(min(abs(rho) + 0.01, 1)) + 1e-15
    # Scaling a variable with its width changes nothing.
    scaled = hsic_gaussian([[9, 3 * rho], [3 * rho, 1]], 3 * sigma, sigma)
    assert_allclose(scaled, value(rho), rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-hsic-wide", by="property")
def test_wide_kernels_see_the_covariance():
    gaps = []
    for sigma in (10.0, 20.0):
        value = hsic_gaussian([[1, 0.6], [0.6, 2]], sigma, sigma)
        gaps.append(value * sigma**4 / (4 * 0.36) - 1)
    # First order in 1/sigma², with a coefficient of some 2 (variances of 1 and 2).
    assert abs(gaps[0]) < 0.2
    assert_allclose(gaps[0] / gaps[1], 4, rtol=0.1)
    sample = hsic(*kernels(FIVE, 300.0), "v") * 300**4 / 4
    assert_allclose(sample, 1.2**2, rtol=1e-3)


def test_narrow_kernels_see_nothing():
    line = [hsic_gaussian([[1, 0.5], [0.5, 1]], s, s) for s in (1.0, 0.1, 0.01)]
    full = [hsic_gaussian([[1, 1], [1, 1]], s, s) for s in (1.0, 0.1, 0.01)]
    assert np.all(np.diff(np.divide(line, full)) < 0)
    assert line[-1] / full[-1] < 0.01


# --- other kernels


@pytest.mark.verifies("eq-hsic-linear", by="closed form")
def test_linear_kernel_is_the_covariance():
    value = hsic(linear_kernel(FIVE[0]), linear_kernel(FIVE[1]), "v")
    assert_allclose(value, 1.44, rtol=0, atol=1e-13)
    assert_allclose(value, np.cov(*FIVE, bias=True)[0, 1] ** 2, rtol=1e-13)
    # A parabola over symmetric points: no covariance, and yet no independence.
    assert abs(hsic(linear_kernel(CURVE[0]), linear_kernel(CURVE[1]), "v")) < 1e-13


@given(seeds)
def test_linear_kernel_is_blind_in_any_dimension(seed):
    x, y = np.random.default_rng(seed).normal(size=(2, 7, 3))
    cross = (x - x.mean(0)).T @ (y - y.mean(0)) / 7
    value = hsic(linear_kernel(x), linear_kernel(y), "v")
    assert_allclose(value, np.sum(cross**2), rtol=1e-10, atol=1e-14)


def centred_distances(x):
    d = cdist(x, x)
    return d - d.mean(0) - d.mean(1)[:, None] + d.mean()


@pytest.mark.verifies("eq-hsic-dcov", by="closed form")
def test_distance_covariance():
    # By hand: norms on the diagonal, (1 + 3 - 2) / 2 beside it.
    assert_allclose(distance_kernel([1.0, 3.0]), [[1, 1], [1, 3]], rtol=1e-15)
    for pair, expected in ((FIVE, 0.704), (CURVE, 0.448)):
        value = 4 * hsic(distance_kernel(pair[0]), distance_kernel(pair[1]), "v")
        assert_allclose(value, expected, rtol=0, atol=1e-13)
    x, y = np.random.default_rng(3).normal(size=(2, 12, 2))
    y = y + x**2
    value = 4 * hsic(distance_kernel(x), distance_kernel(y), "v")
    assert_allclose(value, np.mean(centred_distances(x) * centred_distances(y)), rtol=1e-12)


# --- how large is large


@pytest.mark.verifies("eq-hsic-cka", by="property")
@few
@given(seeds)
def test_cka_is_a_cosine(seed):
    K, L = pairs(seed)
    assert 0 <= cka(K, L) <= 1
    assert_allclose(cka(K, K), 1, rtol=1e-13)
    assert_allclose(cka(3 * K + 2, L), cka(K, L), rtol=1e-11)
    expected = hsic(K, L) / math.sqrt(hsic(K, K) * hsic(L, L))
    assert_allclose(cka(K, L), expected, rtol=1e-12)


@pytest.mark.verifies("eq-hsic-cka", by="closed form")
def test_cka_of_linear_kernels_is_the_square_of_pearson():
    value = cka(linear_kernel(FIVE[0]), linear_kernel(FIVE[1]))
    assert_allclose(value, np.corrcoef(*FIVE)[0, 1] ** 2, rtol=1e-12)


@pytest.mark.verifies("eq-hsic-p", by="property")
def test_permutation_test():
    rng = np.random.default_rng(4)
    x = rng.normal(size=40)
    K, L = rbf_kernel(x), rbf_kernel(x**2)
    statistic, p = permutation_test(K, L, 99, 0)
    assert statistic == hsic(K, L)
    assert p == 0.01  # nothing reaches it: 1 / 100, never zero
    # The same permutations, counted by hand.
    order, value = np.random.default_rng(1), rbf_kernel(rng.normal(size=40))
    shuffles = [order.permutation(40) for _ in range(50)]
    reached = sum(hsic(K, value[np.ix_(o, o)]) >= hsic(K, value) for o in shuffles)
    assert_allclose(permutation_test(K, value, 50, np.random.default_rng(1))[1], (1 + reached) / 51)


def test_ties_count_against_dependence():
    # All points alike on one side: every shuffle equals the sample.
    assert permutation_test(np.eye(6) + 1, rbf_kernel(np.arange(6)), 30, 0)[1] == 1.0


def test_p_is_uniform_without_dependence():
    p = [
        permutation_test(*(rbf_kernel(v) for v in rng.normal(size=(2, 20))), 19, rng)[1]
        for rng in map(np.random.default_rng, range(300))
    ]
    # Exactly uniform on 1/20 .. 20/20; four standard deviations of a share of 300.
    for level in (0.05, 0.25, 0.5):
        assert abs(np.mean(np.array(p) <= level + 1e-9) - level) < 4 * math.sqrt(
            level * (1 - level) / 300
        )


# --- the experiments of the chapter


def median_width(x):
    d = np.abs(np.subtract.outer(x, x))
    return np.median(d[np.triu_indices(len(x), 1)])


def test_power():
    rejected = {"independent": [], "quadratic": [], "linear": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, e = rng.normal(size=(2, 100))
        for name, y in (
            ("independent", e),
            ("quadratic", x**2 + 0.5 * e),
            ("linear", 0.3 * x + e),
        ):
            K, L = (rbf_kernel(v, median_width(v)) for v in (x, y))
            by_hsic = permutation_test(K, L, 99, rng)[1] <= 0.05
            by_pearson = permutation_test(linear_kernel(x), linear_kernel(y), 99, rng)[1] <= 0.05
            rejected[name].append((by_hsic, by_pearson))
    power = {name: np.mean(values, axis=0) for name, values in rejected.items()}
    assert np.all(power["independent"] <= 0.15)
    assert power["quadratic"][0] >= 0.95
    assert power["quadratic"][1] < 0.5
    assert power["linear"][0] < power["linear"][1]


def unmixing_curve():
    sources = np.random.default_rng(0).uniform(-math.sqrt(3), math.sqrt(3), size=(400, 2)).T
    values = []
    for degrees in range(0, 91, 2):
        turn = math.radians(30 - degrees)
        x = math.cos(turn) * sources[0] - math.sin(turn) * sources[1]
        y = math.sin(turn) * sources[0] + math.cos(turn) * sources[1]
        values.append((hsic(rbf_kernel(x), rbf_kernel(y)), abs(np.corrcoef(x, y)[0, 1])))
    return np.array(values)


def test_unmixing():
    values = unmixing_curve()
    assert 2 * np.argmin(values[:, 0]) == 30
    assert_allclose([values[:, 0].min(), values[:, 0].max()], [0.0020, 0.0082], atol=5e-5)
    assert values[:, 1].max() < 0.11


def test_numbers_quoted_in_the_chapter():
    # A circle of 80 points: blind at one width, clear at another.
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 80)
    x, y = np.cos(angle), np.sin(angle)
    for sigma, p in ((1.0, 0.033), (0.7, 0.002), (0.4, 0.001)):
        found = permutation_test(*(rbf_kernel(v, sigma) for v in (x, y)), 999, 0)[1]
        assert_allclose(found, p, rtol=0, atol=1e-12)
    assert all(
        0.65 < np.median(np.abs(v[:, None] - v)[np.triu_indices(80, 1)]) < 0.8 for v in (x, y)
    )


# --- refusals

EYE = np.eye(4)
REFUSALS = {
    "one point": (lambda: rbf_kernel([1.0]), r"`x` must have shape \(n,\) or \(n, d\) with n >= 2"),
    "three axes": (lambda: linear_kernel(np.zeros((2, 2, 2))), r"`x` must have shape .* got"),
    "nan": (lambda: distance_kernel([0.0, np.nan]), "`x` must be finite"),
    "sigma": (lambda: rbf_kernel([0, 1], 0), "`sigma` must be positive and finite, got 0"),
    "not square": (lambda: hsic(np.ones((3, 4)), EYE), "`K` must be a square matrix"),
    "not symmetric": (lambda: hsic(EYE, np.triu(np.ones((4, 4)))), "`L` must be symmetric"),
    "not finite": (lambda: hsic(EYE, EYE + np.inf), "`L` must be finite"),
    "shapes": (lambda: hsic(EYE, np.eye(3)), r"`L` must have shape \(4, 4\) to match `K`"),
    "name": (lambda: hsic(EYE, EYE, "best"), "`estimator` must be one of .* got 'best'"),
    "too small": (
        lambda: hsic(np.eye(3), np.eye(3), "unbiased"),
        '"unbiased" needs at least 4 points, got 3',
    ),
    "permutations": (
        lambda: permutation_test(EYE, EYE, 0),
        "`n_perm` must be an integer of at least 1, got 0",
    ),
    "true": (lambda: permutation_test(EYE, EYE, True), "`n_perm` must be an integer"),
    "constant": (lambda: cka(EYE, np.ones((4, 4))), "`L` must belong to a variable that varies"),
    "constant K": (lambda: cka(np.ones((4, 4)), EYE), "`K` must belong to a variable that varies"),
    "cov shape": (lambda: hsic_gaussian(np.eye(3)), r"`cov` must have shape \(2, 2\)"),
    "cov finite": (lambda: hsic_gaussian([[1, np.nan], [np.nan, 1]]), "`cov` must be finite"),
    "cov sym": (lambda: hsic_gaussian([[1, 0.5], [0, 1]]), "`cov` must be finite and symmetric"),
    "cov sign": (lambda: hsic_gaussian([[1, 2], [2, 1]]), "`cov` must be positive semidefinite"),
    "width": (lambda: hsic_gaussian(EYE[:2, :2], 1, -1), "`sigma_y` must be positive and finite"),
}


@pytest.mark.parametrize(("call", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
