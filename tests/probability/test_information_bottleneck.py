"""Facts that the chapter on the information bottleneck claims."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize
from scipy.special import entr, rel_entr
from sklearn.metrics import mutual_info_score

from scispaces.probability.information_bottleneck import (
    gaussian_kl,
    information_bottleneck,
    interpolate,
    mi_and_bound,
    mutual_information,
    reverse_water_filling,
    vib_loss,
    vib_optimum,
)

BITS = np.array([[0.45, 0.05], [0.05, 0.45]])
seeds = st.integers(0, 10**6)
correlations = st.floats(0.05, 0.98)
few = settings(max_examples=8, deadline=None)


def table(seed, shape=(4, 3)):
    return np.random.default_rng(seed).dirichlet(np.ones(math.prod(shape))).reshape(shape)


# --- the loss


@pytest.mark.verifies("eq-information-bottleneck-vae", by="property")
@given(seeds)
def test_divergence_of_joints_is_the_loss(seed):
    # Everything finite: x has 4 values, z has 3.
    rng = np.random.default_rng(seed)
    data, encoder = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3), size=4)
    prior, decoder = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(4), size=3)
    joint = rel_entr(data[:, None] * encoder, (prior[:, None] * decoder).T).sum()
    error = -np.sum(data[:, None] * encoder * np.log(decoder.T))
    price = data @ rel_entr(encoder, prior).sum(axis=1)
    assert_allclose(joint, error + price - entr(data).sum(), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-information-bottleneck-kl", by="closed form")
def test_gaussian_kl_by_hand():
    value = gaussian_kl([1, -0.5], [0, math.log(0.25)])
    assert_allclose(value, 0.25 + math.log(2), rtol=1e-14)
    assert_allclose(value, 0.9431471806, rtol=0, atol=1e-10)
    assert gaussian_kl([0.0], [0.0]) == 0
    # Near the standard normal law: (m² + v²/2) / 2 with all digits.
    assert_allclose(gaussian_kl([0.0], [1e-9]), 1e-18 / 4, rtol=1e-6)


@pytest.mark.verifies("eq-information-bottleneck-kl", by="library")
@given(st.floats(-3, 3), st.floats(0.2, 3))
@few
def test_gaussian_kl_by_quadrature(m, s):
    law, base = scipy.stats.norm(m, s), scipy.stats.norm()
    exact = scipy.integrate.quad(
        lambda z: law.pdf(z) * (law.logpdf(z) - base.logpdf(z)), m - 12 * s, m + 12 * s
    )[0]
    assert_allclose(gaussian_kl([m], [2 * math.log(s)]), exact, rtol=0, atol=1e-7)


# --- information and its bound


@pytest.mark.verifies("eq-information-bottleneck-bound", by="table")
@pytest.mark.parametrize(
    ("mu", "sigma", "information", "bound"),
    [
        ((-1, 1), 0.5, 0.6327201937, 0.8181471806),
        ((0, 0), 0.5, 0, 0.3181471806),
        ((-2, 2), 0.5, 0.6930536455, 2.3181471806),
        ((-1.2, 0, 0.7), (0.3, 0.5, 1.1), 0.5630533638, 0.6806032684),
    ],
)
def test_information_and_bound(mu, sigma, information, bound):
    assert_allclose(mi_and_bound(mu, sigma), (information, bound), rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-information-bottleneck-bound", by="library")
@given(seeds)
@few
def test_gap_is_the_divergence_of_the_mean(seed):
    rng = np.random.default_rng(seed)
    mu, sigma = rng.normal(size=3), rng.uniform(0.3, 1.5, size=3)
    information, bound = mi_and_bound(mu, sigma)

    def integrand(z):
        mean = np.mean(scipy.stats.norm.pdf(z, mu, sigma))
        return mean * (math.log(mean) - scipy.stats.norm.logpdf(z))

    gap = scipy.integrate.quad(integrand, -14, 14, points=list(mu), limit=200)[0]
    assert_allclose(bound - information, gap, rtol=0, atol=1e-7)
    assert 0 <= information <= min(bound, math.log(3)) + 1e-12


def test_bound_is_an_equality_when_the_codes_together_are_normal():
    # The strict sign of the post: with all codes at N(0, 1), both sides are zero.
    assert_allclose(mi_and_bound([0.0, 0.0], 1.0), (0, 0), atol=1e-13)
    # And in the linear model with w² + s² = 1, at any information.
    w = math.sqrt(0.75)
    price = vib_loss(w, 0.5, 0.8, 1.0) - vib_loss(w, 0.5, 0.8, 0.0)
    assert_allclose(price, -math.log(1 - 0.75) / 2, rtol=1e-12)


def test_information_at_wide_ranges():
    assert_allclose(mi_and_bound([-50, 0, 50], [0.02, 0.02, 0.02])[0], math.log(3), rtol=1e-9)
    assert mi_and_bound([-50, 50], 50.0)[0] < math.log(2)


@given(seeds)
@few
def test_mutual_information_agrees_with_sklearn(seed):
    counts = np.random.default_rng(seed).integers(0, 9, size=(3, 4))
    counts[0, 0] += 1
    expected = mutual_info_score(None, None, contingency=counts)
    assert_allclose(mutual_information(counts / counts.sum()), expected, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-information-bottleneck-bits", by="closed form")
def test_bits():
    # log 2 minus the entropy of a coin of 0.1.
    exact = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert_allclose(mutual_information(BITS), exact, rtol=1e-12)
    assert_allclose(mutual_information(BITS), 0.3680642072, rtol=0, atol=1e-10)
    assert mutual_information(np.outer([0.3, 0.7], [0.4, 0.6])) < 1e-15


# --- the linear bottleneck


@pytest.mark.verifies("eq-information-bottleneck-optimum", by="table")
@pytest.mark.verifies("eq-information-bottleneck-plane", by="table")
def test_optimum_numbers():
    expected = (0.7589285714, 0.7113310026, 0.3324881518)
    assert_allclose(vib_optimum(0.8, 0.3), expected, rtol=0, atol=1e-10)
    assert_allclose(vib_optimum(0.8, 0.05)[0], 0.9703947368, rtol=0, atol=1e-10)
    assert_allclose(vib_optimum(0.8, 0.5)[0], 0.4375, rtol=1e-13)
    assert vib_optimum(0.8, 0.64) == (0.0, 0.0, 0.0)
    assert vib_optimum(-0.8, 0.7) == (0.0, 0.0, 0.0)


@pytest.mark.verifies("eq-information-bottleneck-linear", by="library")
@pytest.mark.verifies("eq-information-bottleneck-optimum", by="library")
@pytest.mark.parametrize(("lam", "least"), [(0.3, 1.2998496822), (0.7, 1.4189385332)])
def test_least_loss(lam, least):
    found = minimize(
        lambda p: vib_loss(p[0], math.exp(p[1]), 0.8, lam),
        [0.3, 0.1],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-15, "maxiter": 2000},
    )
    assert_allclose(found.fun, least, rtol=0, atol=1e-10)
    w, s = found.x[0], math.exp(found.x[1])
    # At a minimum the place is known to the root of the rounding error.
    assert_allclose(w * w + s * s, 1, rtol=0, atol=1e-4)
    assert_allclose(w * w / (w * w + s * s), vib_optimum(0.8, lam)[0], rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-information-bottleneck-linear", by="library")
@settings(deadline=None)
@given(st.floats(-2, 2), st.floats(0.3, 2), st.floats(-0.9, 0.9), st.floats(0, 2))
def test_loss_is_the_error_plus_the_price(w, s, rho, lam):
    # The best decoder is the regression of y on z, with the residual variance.
    cov = np.array([[w * w + s * s, w * rho], [w * rho, 1.0]])
    residual = np.linalg.det(cov) / cov[0, 0]
    error = math.log(2 * math.pi * residual) / 2 + 0.5
    price = (w * w + s * s - 1 - 2 * math.log(s)) / 2  # the mean over x of the divergence
    assert_allclose(vib_loss(w, s, rho, lam), error + lam * price, rtol=1e-10, atol=1e-12)


@pytest.mark.verifies("eq-information-bottleneck-optimum", by="property")
@given(correlations, st.floats(0.01, 1.5), st.floats(-2, 2), st.floats(0.2, 2))
def test_nothing_is_better(rho, lam, w, s):
    u, i_xz, i_zy = vib_optimum(rho, lam)
    best = vib_loss(math.sqrt(u), math.sqrt(1 - u), rho, lam)
    assert best <= vib_loss(w, s, rho, lam) + 1e-12
    assert (u == 0) == (lam >= rho * rho * (1 - 1e-15))
    assert_allclose(i_xz, -math.log(1 - u) / 2, rtol=1e-9, atol=1e-14)
    assert_allclose(i_zy, -math.log(1 - rho * rho * u) / 2, rtol=1e-9, atol=1e-14)


@pytest.mark.verifies("eq-information-bottleneck-plane", by="property")
@given(correlations, st.floats(0.01, 0.95))
def test_curve_and_its_slope(rho, share):
    lam = share * rho * rho
    _, i_xz, i_zy = vib_optimum(rho, lam)

    def curve(i):
        return -math.log(1 - rho * rho * (1 - math.exp(-2 * i))) / 2

    assert_allclose(i_zy, curve(i_xz), rtol=1e-9, atol=1e-12)
    # At the optimum the tangent has the slope lambda.
    h = 1e-5
    assert_allclose((curve(i_xz + h) - curve(i_xz - h)) / (2 * h), lam, rtol=1e-5, atol=1e-9)


@pytest.mark.verifies("eq-information-bottleneck-slope", by="property")
@given(correlations)
def test_slope_at_the_origin(rho):
    _, i_xz, i_zy = vib_optimum(rho, rho * rho * (1 - 1e-6))
    # First order in the distance to the cliff.
    assert_allclose(i_zy / i_xz, rho * rho, rtol=1e-4)


@given(correlations, st.floats(0.01, 1.0))
def test_dearer_memory_is_less_memory(rho, lam):
    assert vib_optimum(rho, lam * 1.01)[0] <= vib_optimum(rho, lam)[0]
    assert vib_optimum(min(rho * 1.01, 0.99), lam)[0] >= vib_optimum(rho, lam)[0]


# --- the bottleneck of a table


def bits_by_equation(beta, flip=0.1):
    """Informations from the one unknown of the symmetric pair: how often the code is wrong."""

    def equation(d):
        far = flip + d - 2 * flip * d
        return math.log((1 - d) / d) - beta * (1 - 2 * flip) * math.log((1 - far) / far)

    d = brentq(equation, 1e-12, 0.4999, xtol=1e-15)
    far = flip + d - 2 * flip * d

    def kept(q):
        return math.log(2) - entr([q, 1 - q]).sum()

    return kept(d), kept(far), d


@pytest.mark.verifies("eq-information-bottleneck-bits", by="library")
@pytest.mark.verifies("eq-information-bottleneck-consistent", by="library")
@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (2, (0.4827303826, 0.2822729836, 0.0541007)),
        (3, (0.6577625913, 0.3580764777, 0.0057479)),
        (5, (0.6916481043, 0.3677949557, 0.00015322)),
    ],
)
def test_bits_beyond_the_cliff(beta, expected):
    encoder, i_xt, i_ty = information_bottleneck(BITS, beta, 2)
    assert_allclose(bits_by_equation(beta), expected, rtol=0, atol=6e-8)
    assert_allclose([i_xt, i_ty, encoder.min()], bits_by_equation(beta), rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-information-bottleneck-bits", by="property")
def test_cliff_of_bits():
    critical = 1 / (1 - 2 * 0.1) ** 2
    assert_allclose(critical, 1.5625)
    assert_allclose(information_bottleneck(BITS, 1.5, 2)[1:], 0, atol=1e-6)
    # Just beyond, the iteration is slow: the small memory is there.
    assert information_bottleneck(BITS, 1.6, 2, n_iter=5000)[1] > 0.02


@pytest.mark.verifies("eq-information-bottleneck-consistent", by="property")
@given(seeds, st.floats(0.5, 12))
@few
def test_fixed_point(seed, beta):
    pxy = table(seed)
    px = pxy.sum(1)
    encoder, i_xt, i_ty = information_bottleneck(pxy, beta, 3, n_iter=1500, seed=1)
    again, _, _ = information_bottleneck(pxy, beta, 3, n_iter=1501, seed=1)
    assert_allclose(again, encoder, rtol=0, atol=1e-3)
    assert_allclose(encoder.sum(1), 1, rtol=1e-12)
    assert i_xt - beta * i_ty <= 1e-9
    # The formula, written anew.
    pt = px @ encoder
    alive = pt > 1e-12
    given_t = (pxy.T @ encoder / np.maximum(pt, 1e-300))[:, alive]
    far = np.array([[rel_entr(row / row.sum(), t).sum() for t in given_t.T] for row in pxy])
    expected = pt[alive] * np.exp(-beta * far)
    expected /= expected.sum(axis=1, keepdims=True)
    assert_allclose(encoder[:, alive], expected, rtol=0, atol=2e-3)


@pytest.mark.verifies("eq-information-bottleneck-processing", by="property")
@given(seeds, st.floats(0, 20), st.integers(1, 5))
@few
def test_a_code_knows_no_more_than_its_input(seed, beta, n_clusters):
    pxy = table(seed)
    _, i_xt, i_ty = information_bottleneck(pxy, beta, n_clusters, n_iter=60)
    assert i_ty <= min(i_xt, mutual_information(pxy)) + 1e-12
    assert i_xt <= math.log(n_clusters) + 1e-12


def test_free_memory_keeps_all_that_matters():
    # One start may end in a local minimum, with two rows in one cluster: take the best of some.
    pxy = table(5)
    kept = [information_bottleneck(pxy, 100.0, 4, 300, seed)[2] for seed in range(8)]
    assert_allclose(max(kept), mutual_information(pxy), rtol=1e-3)
    assert min(kept) < 0.9 * max(kept)


def test_zeros_in_the_table():
    pxy = np.array([[0.5, 0.0], [0.0, 0.5]])
    encoder, i_xt, i_ty = information_bottleneck(pxy, 5.0, 3)
    assert_allclose([i_xt, i_ty], math.log(2), rtol=1e-9)
    assert np.all(np.isfinite(encoder))


# --- water


@pytest.mark.verifies("eq-information-bottleneck-water", by="table")
def test_water_level():
    distortion, rate = reverse_water_filling([4, 1, 0.25], 0.5)
    assert_allclose(distortion, [0.5, 0.5, 0.25], rtol=1e-15)
    assert_allclose(rate, [1.0397207708, 0.3465735903, 0], rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-information-bottleneck-water", by="library")
@pytest.mark.parametrize(
    ("v", "beta", "decoder"), [(4.0, 2, 0.25), (1.0, 2, 0.25), (0.25, 2, 0.25)]
)
def test_linear_vae_fills_up(v, beta, decoder):
    # One direction: z = w x + s e, decoder a z with a fixed variance.
    def loss(p):
        w, s, a = p[0], math.exp(p[1]), p[2]
        error = ((1 - a * w) ** 2 * v + a * a * s * s) / (2 * decoder)
        return error + beta * (w * w * v + s * s - 1 - 2 * math.log(s)) / 2

    found = minimize(loss, [0.5, -0.3, 0.8], method="BFGS", options={"gtol": 1e-10})
    w, s, a = found.x[0], math.exp(found.x[1]), found.x[2]
    distortion, rate = reverse_water_filling([v], beta * decoder)
    # Where the direction dies, the loss is quartic in w: the place is less sharp.
    assert_allclose((1 - a * w) ** 2 * v + (a * s) ** 2, distortion[0], rtol=0, atol=1e-3)
    kept = w * w * v / (w * w * v + s * s)
    assert_allclose(-math.log(1 - kept) / 2, rate[0], rtol=0, atol=1e-3)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.floats(0.01, 100))
def test_water_balances(variances, level):
    distortion, rate = reverse_water_filling(variances, level)
    assert_allclose(distortion * np.exp(2 * rate), variances, rtol=1e-12)
    assert np.all(distortion <= level)
    assert np.all((rate == 0) == (np.array(variances) <= level))


# --- between two codes


@pytest.mark.verifies("eq-information-bottleneck-between", by="closed form")
@given(st.floats(0, 1), seeds)
def test_variance_on_the_way(t, seed):
    # The coefficients, from the two unit vectors; their squares are the variance.
    for mode, expected in (("linear", (1 - t) ** 2 + t * t), ("spherical", 1.0)):
        weights = interpolate([1.0, 0.0], [0.0, 1.0], t, mode)
        assert_allclose(np.sum(weights**2), expected, rtol=1e-12)
    z1, z2 = np.random.default_rng(seed).normal(size=(2, 5))
    for mode in ("linear", "spherical"):
        assert_allclose(interpolate(z1, z2, 0, mode), z1, atol=1e-15)
        assert_allclose(interpolate(z1, z2, 1, mode), z2, atol=1e-15)
        assert_allclose(interpolate(z1, z2, t, mode), interpolate(z2, z1, 1 - t, mode), atol=1e-12)


@pytest.mark.verifies("eq-information-bottleneck-between", by="property")
def test_norms_half_way():
    z1, z2 = np.random.default_rng(0).normal(size=(2, 2000, 256))
    norms = [
        np.linalg.norm(interpolate(z1, z2, 0.5, mode), axis=1).mean()
        for mode in ("linear", "spherical")
    ]
    # The spread of a norm is 0.5 and 0.7; over 2000 pairs, four standard errors are 0.06.
    assert_allclose(norms, [11.28, 15.95], rtol=0, atol=0.06)


# --- the hinge of the post


@pytest.mark.verifies("eq-information-bottleneck-hinge", by="library")
@pytest.mark.parametrize("u", [0.2, 0.75])
def test_hinge_inside_the_mean_is_no_cap(u):
    # Correlation r: the density of information has the mean I and is r (A² - B²) / 2 off.
    r = math.sqrt(u)
    node, weight = np.polynomial.hermite_e.hermegauss(200)
    weight = weight / weight.sum()
    x, z = np.meshgrid(node, node)
    z = r * x + math.sqrt(1 - u) * z
    density = -math.log(1 - u) / 2 + (z * z - (z - r * x) ** 2 / (1 - u)) / 2
    mean = weight @ density @ weight
    information = -math.log(1 - u) / 2
    assert_allclose(mean, information, rtol=1e-9)
    excess = weight @ np.maximum(density - information, 0) @ weight
    # A kink: quadrature is good to some 1e-3; the sampled value decides below.
    assert_allclose(excess, r / math.pi, rtol=5e-3)
    a, b = np.random.default_rng(0).normal(size=(2, 1_000_000))
    sampled = np.maximum(r * (a * a - b * b) / 2, 0)
    assert abs(sampled.mean() - r / math.pi) < 4 * sampled.std() / 1000


# --- the experiment of the chapter


def train(lam, rho=0.8, steps=3000):
    """Linear bottleneck by reparameterized samples and Adam; mean of the last fifth."""
    rng = np.random.default_rng(0)
    w, log_s, a, log_t = 0.3, math.log(0.8), 0.3, 0.0
    p, m, v, kept = np.array([w, log_s, a, log_t]), np.zeros(4), np.zeros(4), []
    for step in range(1, steps + 1):
        x, noise, eps = rng.normal(size=(3, 256))
        y = rho * x + math.sqrt(1 - rho * rho) * noise
        s, t2 = math.exp(p[1]), math.exp(2 * p[3])
        z = p[0] * x + s * eps
        rest = y - p[2] * z
        back = -p[2] * rest / t2
        grad = np.array(
            [
                np.mean(back * x) + lam * p[0],
                np.mean(back * s * eps) + lam * (s * s - 1),
                -np.mean(rest * z) / t2,
                1 - np.mean(rest * rest) / t2,
            ]
        )
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        rate = 0.02 * (0.1 ** (step / steps))
        p = p - rate * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        s = math.exp(p[1])
        kept.append((p[0] ** 2 / (p[0] ** 2 + s * s), p[0] ** 2 + s * s))
    return np.mean(kept[-steps // 5 :], axis=0)


@pytest.mark.parametrize("lam", [0.1, 0.3, 0.5, 0.7])
def test_training_finds_the_optimum(lam):
    u, power = train(lam)
    assert abs(u - vib_optimum(0.8, lam)[0]) < 0.02
    assert abs(power - 1) < 0.02


def test_numbers_quoted_in_the_chapter():
    # Bound beyond the ceiling; information that a price of 0.6 still buys at 0.8.
    assert mi_and_bound([-2, 2], 0.5)[1] > 3 * math.log(2)
    assert_allclose(vib_optimum(0.8, 0.6)[0], 0.15625, rtol=1e-12)


REFUSALS = {
    "kl shapes": (lambda: gaussian_kl([0.0], [0.0, 1.0]), "`log_var` must have the shape of `mu`"),
    "kl scalar": (lambda: gaussian_kl(0.0, 0.0), "`log_var` must have the shape of `mu`"),
    "kl nan": (lambda: gaussian_kl([np.nan], [0.0]), "`mu` and `log_var` must be finite"),
    "axes": (lambda: mutual_information([1.0]), r"`pxy` must have two axes, got shape \(1,\)"),
    "sum": (lambda: mutual_information([[0.5, 0.4]]), "`pxy` must hold probabilities"),
    "sign": (lambda: mutual_information([[1.5, -0.5]]), "`pxy` must hold probabilities"),
    "mi shape": (lambda: mi_and_bound([0, 1], [1, 1, 1]), "`sigma` must be a number or fit `mu`"),
    "mi mu": (lambda: mi_and_bound([0, 99], 1.0), "`mu` must lie between -50 and 50"),
    "mi sigma": (lambda: mi_and_bound([0, 1], 0.0), "`sigma` must lie between 0.02 and 50"),
    "w": (lambda: vib_loss(np.inf, 1, 0.5, 1), "`w` must be finite, got inf"),
    "s": (lambda: vib_loss(1, 0, 0.5, 1), "`s` must be positive and finite, got 0"),
    "rho": (lambda: vib_loss(1, 1, 1, 1), "`rho` must lie strictly between -1 and 1, got 1"),
    "lam": (lambda: vib_loss(1, 1, 0.5, -1), "`lam` must be finite and not negative, got -1"),
    "lam zero": (lambda: vib_optimum(0.5, 0), "`lam` must be positive and finite, got 0"),
    "rho nan": (lambda: vib_optimum(np.nan, 1), "`rho` must lie strictly"),
    "row": (
        lambda: information_bottleneck([[0, 0], [0.5, 0.5]], 1, 2),
        "`pxy` must give every x some probability, row 0",
    ),
    "beta": (lambda: information_bottleneck(BITS, -1, 2), "`beta` must be finite and not negative"),
    "clusters": (lambda: information_bottleneck(BITS, 1, 0), "`n_clusters` must be an integer"),
    "steps": (lambda: information_bottleneck(BITS, 1, 2, 2.5), "`n_iter` must be an integer"),
    "variance": (lambda: reverse_water_filling([0.0], 1), "`variances` must be positive and"),
    "level": (lambda: reverse_water_filling([1.0], 0), "`level` must be positive and finite"),
    "codes": (
        lambda: interpolate([0.0], [0.0, 1.0], 0.5),
        r"`z2` must have shape \(1,\) like `z1`",
    ),
    "t": (lambda: interpolate([0.0], [0.0], 1.5), "`t` must lie between 0 and 1, got 1.5"),
    "mode": (lambda: interpolate([0.0], [0.0], 0.5, "slerp"), "`mode` must be one of.*'slerp'"),
}


@pytest.mark.parametrize(("call", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
