"""Facts that the chapter on denoising autoencoders claims."""

import itertools
import math

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

from scispaces.generative.denoising_autoencoders import (
    RBFDenoiser,
    annealed_langevin,
    bit_denoiser,
    generator_gradient,
    gmm_cdf_1d,
    gmm_logpdf,
    gmm_score,
    kolmogorov_distance,
    langevin,
    mmse_1d,
    optimal_denoiser,
    posterior_covariance,
    smoothed_kl_1d,
)

A = ([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], [0.5, 0.5])
A1 = ([0.5, 0.5], [[-2.0], [2.0]], [0.5, 0.5])
DELTAS = ([0.5, 0.5], [[-2.0], [2.0]], [0.0, 0.0])
SKEW = ([0.3, 0.7], [[-1.0], [2.0]], [0.4, 0.8])
SMALL = np.array([[-1.0], [0.4], [1.5]])


def smoothed(mixture, sigma):
    weights, means, stds = mixture
    return weights, means, np.hypot(stds, sigma)


@st.composite
def mixtures(draw, d=2):
    k = draw(st.integers(1, 3))
    number = st.floats(-3, 3).map(lambda v: round(v, 3))
    means = np.array(draw(st.lists(number, min_size=k * d, max_size=k * d))).reshape(k, d)
    parts = np.array(draw(st.lists(st.integers(1, 9), min_size=k, max_size=k)), float)
    stds = draw(st.lists(st.sampled_from([0.2, 0.5, 1.3]), min_size=k, max_size=k))
    return parts / parts.sum(), means, np.array(stds)


points = st.tuples(st.floats(-4, 4), st.floats(-4, 4)).map(np.array)
noises = st.sampled_from([0.3, 0.7, 1.0, 2.0])


def differences(function, x, h=1e-5):
    """Central differences of `function` in each coordinate of `x`, along a last axis."""
    steps = h * np.eye(x.size)
    return np.stack([(function(x + s) - function(x - s)) / (2 * h) for s in steps], axis=-1)


def mp_density(y, mixture, sigma):
    """Noisy density and its derivative by mpmath."""
    value = slope = mpmath.mpf(0)
    for w, (m,), s in zip(*mixture, strict=True):
        total = mpmath.sqrt(mpmath.mpf(s) ** 2 + mpmath.mpf(sigma) ** 2)
        part = w * mpmath.npdf(y, m, total)
        value, slope = value + part, slope - part * (y - m) / total**2
    return value, slope


def mp_fisher(mixture, sigma):
    def integrand(y):
        value, slope = mp_density(y, mixture, sigma)
        return slope**2 / value

    return float(mpmath.quad(integrand, [-2 - 12 * (1 + sigma), -2, 0, 2, 2 + 12 * (1 + sigma)]))


@pytest.mark.verifies("eq-denoising-autoencoders-mixture-score", by="closed form")
def test_density_and_score_of_two_blobs():
    # At (1, 1) the far blob has a share of exp(-16) / (1 + exp(-16)) at most.
    assert_allclose(gmm_score([1.0, 1.0], *A), [3.9999982, -4.0], rtol=0, atol=1e-7)
    assert_allclose(gmm_logpdf([1.0, 1.0], *A), -5.144729773, rtol=0, atol=1e-8)
    far = 1 / (1 + math.exp(16))
    assert_allclose(gmm_score([1.0, 1.0], *A)[0], 4 - 16 * far, rtol=1e-12)


@pytest.mark.verifies("eq-denoising-autoencoders-mixture-score", by="library")
@given(mixtures(), points)
@settings(deadline=None)
def test_density_agrees_with_scipy(mixture, x):
    weights, means, stds = mixture
    terms = [
        math.log(w) + scipy.stats.multivariate_normal(m, s**2 * np.eye(2)).logpdf(x)
        for w, m, s in zip(weights, means, stds, strict=True)
    ]
    assert_allclose(gmm_logpdf(x, *mixture), logsumexp(terms), rtol=1e-12, atol=1e-12)
    # Differences of a log-density of size 500: 1e-14 * 500 / 1e-5.
    found = differences(lambda z: gmm_logpdf(z, *mixture), x)
    assert_allclose(gmm_score(x, *mixture), found, rtol=1e-6, atol=2e-6)


@pytest.mark.verifies("eq-denoising-autoencoders-mixture-score", by="library")
def test_density_agrees_with_scikit_learn():
    weights, means, stds = [0.2, 0.5, 0.3], [[-1.0, 0.0], [2.0, 1.0], [0.0, -3.0]], [0.5, 1.0, 0.7]
    model = GaussianMixture(3, covariance_type="spherical")
    model.weights_, model.means_ = np.array(weights), np.array(means)
    model.covariances_ = np.square(stds)
    model.precisions_cholesky_ = 1 / np.array(stds)
    x = np.random.default_rng(3).normal(0, 3, (50, 2))
    assert_allclose(gmm_logpdf(x, weights, means, stds), model.score_samples(x), rtol=1e-12)


def test_far_points_stay_finite():
    for size in (1e3, 1e6):
        assert np.isfinite(gmm_logpdf([size, -size], *A))
        # Far away the mixture is its nearest blob.
        assert_allclose(gmm_score([size, 0.0], *A), [-4 * (size - 2), 0], rtol=1e-12)


def test_zero_weights_and_leading_axes():
    more = ([0.5, 0.0, 0.5], [[-2.0, 0.0], [9.0, 9.0], [2.0, 0.0]], [0.5, 0.3, 0.5])
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    assert gmm_logpdf(x, *A).shape == (3, 4)
    assert_allclose(gmm_score(x, *more), gmm_score(x, *A), rtol=1e-14)
    assert posterior_covariance(x, 1.0, *A).shape == (3, 4, 2, 2)
    assert_allclose(
        optimal_denoiser(x, 1.0, *A)[1, 2], optimal_denoiser(x[1, 2], 1.0, *A), rtol=1e-14
    )


@pytest.mark.verifies("eq-denoising-autoencoders-posterior-mean", by="library")
def test_the_denoiser_is_the_posterior_mean():
    # Both integrals of the chapter by mpmath, for a mixture with unequal parts.
    sigma, y = 0.8, mpmath.mpf("0.7")

    def prior(x):
        return mp_density(x, SKEW, 0)[0]

    def noise(x):
        return mpmath.npdf(y - x, 0, sigma)

    top = mpmath.quad(lambda x: prior(x) * noise(x) * x, [-8, -1, 0, 2, 8])
    below = mpmath.quad(lambda x: prior(x) * noise(x), [-8, -1, 0, 2, 8])
    assert_allclose(optimal_denoiser([0.7], sigma, *SKEW), [float(top / below)], rtol=1e-12)


@pytest.mark.verifies("eq-denoising-autoencoders-posterior-mean", by="property")
def test_no_other_denoiser_has_a_smaller_error():
    rng = np.random.default_rng(1)
    x = rng.choice([-2.0, 2.0], 40_000)[:, None] + 0.5 * rng.standard_normal((40_000, 1))
    y = x + rng.standard_normal(x.shape)
    best = optimal_denoiser(y, 1.0, *A1)
    least = np.mean((best - x) ** 2)
    for other in (best + 0.1, 1.1 * best, best + 0.2 * np.sin(y)):
        assert np.mean((other - x) ** 2) > least
    # Four standard errors: the squared error has a standard deviation of about 0.8.
    assert abs(least - mmse_1d(1.0, *A1)) < 4 * 0.8 / 200


@pytest.mark.verifies("eq-denoising-autoencoders-tweedie", by="property")
@given(mixtures(), points, noises)
@settings(deadline=None)
def test_tweedie(mixture, y, sigma):
    found = optimal_denoiser(y, sigma, *mixture)
    score = gmm_score(y, *smoothed(mixture, sigma))
    assert_allclose(found, y + sigma**2 * score, rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-denoising-autoencoders-mixture", by="closed form")
@pytest.mark.verifies("eq-denoising-autoencoders-tweedie", by="closed form")
def test_denoiser_at_a_point():
    # 2 tanh of 2 * 0.5 / 1.25 by hand, then shrunk towards the blob.
    t = math.tanh(2 * 0.5 / 1.25)
    by_hand = [2 * t * 1.0 / 1.25 + 0.2 * 0.5, 0.2 * 0.3]
    assert_allclose(by_hand, [1.16245883, 0.06], atol=5e-9)
    assert_allclose(optimal_denoiser([0.5, 0.3], 1.0, *A), by_hand, rtol=1e-13)


@pytest.mark.verifies("eq-denoising-autoencoders-tanh", by="closed form")
@given(st.floats(-6, 6), st.floats(0.2, 4), st.floats(0, 4))
@settings(deadline=None)
def test_two_points_give_a_hyperbolic_tangent(y, sigma, a):
    pair = ([0.5, 0.5], [[-a], [a]], [0.0, 0.0])
    assert_allclose(
        optimal_denoiser([y], sigma, *pair), [a * math.tanh(a * y / sigma**2)], rtol=0, atol=1e-12
    )


@pytest.mark.verifies("eq-denoising-autoencoders-tanh", by="closed form")
def test_slope_at_the_watershed():
    assert_allclose(optimal_denoiser([0.5], 1.0, *DELTAS), [1.5231883119], atol=5e-11)
    assert_allclose(posterior_covariance([0.0], 1.0, *DELTAS), [[4.0]], rtol=1e-14)


@pytest.mark.verifies("eq-denoising-autoencoders-covariance", by="property")
@given(mixtures(), points, noises)
@settings(deadline=None, max_examples=50)
def test_covariance_is_the_slope_of_the_denoiser(mixture, y, sigma):
    covariance = posterior_covariance(y, sigma, *mixture)
    slope = differences(lambda z: optimal_denoiser(z, sigma, *mixture), y)
    hessian = differences(lambda z: gmm_score(z, *smoothed(mixture, sigma)), y)
    # Curvatures of size (6 / 0.2²)³ times h², and rounding of 1e-15 / h.
    assert_allclose(covariance, sigma**2 * slope, rtol=0, atol=1e-6)
    assert_allclose(covariance, sigma**2 * (np.eye(2) + sigma**2 * hessian), rtol=0, atol=1e-6)
    assert_allclose(covariance, covariance.T, rtol=0, atol=1e-13)
    assert np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.verifies("eq-denoising-autoencoders-covariance", by="closed form")
def test_covariance_at_a_point():
    # Within: 0.25 / 1.25 each way.  Between: the two shrunk centres are ±1.6 apart from 0.1.
    t = math.tanh(0.8)
    expected = np.diag([0.2 + 1.6**2 * (1 - t**2), 0.2])
    assert_allclose(posterior_covariance([0.5, 0.3], 1.0, *A), expected, rtol=0, atol=1e-13)
    assert_allclose(expected[0, 0], 1.63118123, atol=5e-9)


MMSE = {0.25: 0.05008575, 0.5: 0.13217626, 1: 0.48211365, 2: 1.89600947, 4: 3.34284130}


@pytest.mark.verifies("eq-denoising-autoencoders-floor", by="library")
@pytest.mark.parametrize(("sigma", "expected"), MMSE.items())
def test_floor_of_the_loss(sigma, expected):
    assert_allclose(mmse_1d(float(sigma), *A1), expected, rtol=0, atol=5e-9)
    fisher = mp_fisher(A1, sigma)
    assert_allclose(mmse_1d(float(sigma), *A1), sigma**2 - sigma**4 * fisher, rtol=0, atol=1e-9)


def test_fisher_information():
    assert_allclose(mp_fisher(A1, 1.0), 0.517886345, atol=5e-10)
    assert_allclose(mp_fisher(A1, 0.5), 1.885179885, atol=5e-10)


@pytest.mark.verifies("eq-denoising-autoencoders-floor", by="property")
def test_bounds_of_the_floor():
    sigmas = np.geomspace(0.05, 20, 25)
    floor = np.array([mmse_1d(s, *A1) for s in sigmas])
    assert np.all(np.diff(floor) > 0)
    wiener = 4.25 * sigmas**2 / (4.25 + sigmas**2)
    assert np.all(floor <= wiener)
    assert np.all(floor <= np.minimum(sigmas**2, 4.25))
    assert_allclose(4.25 / 5.25, 0.80952381, atol=5e-9)
    assert_allclose([mmse_1d(8.0, *A1), 4.25 * 64 / 68.25], [3.98486717, 3.98534799], atol=5e-9)
    # Scaling everything by 3 scales the mean square by 9.
    assert_allclose(mmse_1d(3.0, A1[0], [[-6.0], [6.0]], [1.5, 1.5]), 9 * floor_at(1.0))


def floor_at(sigma):
    return sigma**2 - sigma**4 * mp_fisher(A1, sigma)


@pytest.mark.verifies("eq-denoising-autoencoders-score-matching", by="property")
def test_two_losses_differ_by_a_constant():
    # For three fields, the difference of the losses is d / sigma² - J, up to 4 standard errors.
    rng, n, sigma = np.random.default_rng(5), 200_000, 1.0
    x = rng.choice([-2.0, 2.0], n)[:, None] + 0.5 * rng.standard_normal((n, 1))
    y = x + sigma * rng.standard_normal(x.shape)
    true = gmm_score(y, *smoothed(A1, sigma))
    constant = 1 / sigma**2 - mp_fisher(A1, sigma)
    for field in (true, -y / 5.25, np.sin(y)):
        gap = np.sum((field + (y - x) / sigma**2) ** 2 - (field - true) ** 2, axis=1)
        assert abs(gap.mean() - constant) < 4 * gap.std() / math.sqrt(n)
        assert abs(gap.mean() - constant) < 0.05


@given(mixtures(), points, noises, st.floats(0, 6.28), st.floats(0.5, 2))
@settings(deadline=None)
def test_equivariance(mixture, y, sigma, angle, c):
    weights, means, stds = mixture
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift, plain = np.array([0.7, -1.2]), optimal_denoiser(y, sigma, *mixture)
    moved = optimal_denoiser(y + shift, sigma, weights, means + shift, stds)
    turned = optimal_denoiser(turn @ y, sigma, weights, means @ turn.T, stds)
    scaled = optimal_denoiser(c * y, c * sigma, weights, c * means, c * stds)
    assert_allclose(moved, plain + shift, rtol=0, atol=1e-10)
    assert_allclose(turned, turn @ plain, rtol=0, atol=1e-10)
    assert_allclose(scaled, c * plain, rtol=0, atol=1e-10)


def test_limits_of_the_denoiser():
    assert_allclose(optimal_denoiser([0.9, -0.4], 1e-6, *A), [0.9, -0.4], atol=1e-9)
    weights, means, stds = [0.2, 0.8], [[-1.0, 0.0], [3.0, 2.0]], [0.5, 1.0]
    assert_allclose(optimal_denoiser([0.9, -0.4], 1e6, weights, means, stds), [2.2, 1.6], atol=1e-9)


def test_means_of_score_and_denoiser():
    y = np.linspace(-12, 14, 8001)[:, None]
    density = np.exp(gmm_logpdf(y, *smoothed(SKEW, 0.8)))
    step = y[1, 0] - y[0, 0]
    assert_allclose(step * density @ gmm_score(y, *smoothed(SKEW, 0.8)), [0], atol=1e-12)
    # The mean of the data is 0.3 * (-1) + 0.7 * 2.
    assert_allclose(step * density @ optimal_denoiser(y, 0.8, *SKEW), [1.1], atol=1e-12)


@pytest.mark.verifies("def-denoising-autoencoders-distance", by="library")
def test_kolmogorov_distance_agrees_with_scipy():
    rng = np.random.default_rng(11)
    samples = rng.normal(0.3, 2.0, 400)
    found = kolmogorov_distance(samples, *SKEW)
    assert_allclose(found, scipy.stats.kstest(samples, lambda x: gmm_cdf_1d(x, *SKEW)).statistic)
    x = np.linspace(-4, 6, 11)
    normal = scipy.stats.norm.cdf
    by_parts = 0.3 * normal(x, -1, 0.4) + 0.7 * normal(x, 2, 0.8)
    assert_allclose(gmm_cdf_1d(x, *SKEW), by_parts, rtol=1e-12)


@pytest.mark.verifies("def-denoising-autoencoders-distance", by="property")
def test_kolmogorov_distance_of_true_samples():
    rng, n = np.random.default_rng(2), 4000
    found = [kolmogorov_distance(rng.normal(size=n), [1.0], [[0.0]], [1.0]) for _ in range(200)]
    # Mean of Kolmogorov's law is sqrt(pi / 2) ln 2, standard deviation 0.26.
    expected = math.sqrt(math.pi / 2) * math.log(2)
    assert abs(np.mean(found) * math.sqrt(n) - expected) < 4 * 0.26 / math.sqrt(200) + 0.01


@pytest.mark.verifies("eq-denoising-autoencoders-stationary", by="closed form")
def test_stationary_variance_of_langevin():
    # v / (1 - h / 2v) by hand; 200 000 chains have a standard error of 0.0033.
    x = langevin(lambda x: -x, np.zeros(200_000), 0.1, 200, np.random.default_rng(0))
    assert_allclose(1 / (1 - 0.05), 1.0526316, atol=5e-8)
    assert abs(x.var() - 1 / 0.95) < 0.01


def test_langevin_leaves_its_start_alone():
    start = np.ones((5, 2))
    same = langevin(lambda x: -x, start, 0.1, 0, np.random.default_rng(0))
    assert_allclose(same, start)
    assert same is not start
    langevin(lambda x: -x, start, 0.1, 3, np.random.default_rng(0))
    annealed_langevin(lambda x, s: -x, start, [1.0, 0.5], 0.1, 3, np.random.default_rng(0))
    assert_allclose(start, 1)


@pytest.mark.verifies("eq-denoising-autoencoders-last-step", by="closed form")
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0])
def test_variance_after_the_last_step(sigma):
    # The slope of the score is constant for one blob, so two points give the factor.
    one = ([1.0], [[0.0]], [1.0])
    v = 1 + sigma**2
    for fraction in (1.0, 0.5):
        factor = 1 + fraction * (optimal_denoiser([1.0], sigma, *one)[0] - 1)
        expected = 1 / v if fraction == 1 else 1 + sigma**4 / (4 * v)
        assert_allclose(factor**2 * v, expected, rtol=1e-14)


def test_variance_after_the_last_step_in_numbers():
    v, score = 1.25, -1 / 1.25
    assert_allclose([(1 + 0.25 * score) ** 2 * v, (1 + 0.125 * score) ** 2 * v], [0.8, 1.0125])
    c = (v - math.sqrt(v)) / 0.25
    assert_allclose(c, 0.5278640450, atol=5e-11)
    assert_allclose((1 + c * 0.25 * score) ** 2 * v, 1, rtol=1e-14)


@pytest.mark.verifies("eq-denoising-autoencoders-shrink", by="property")
@pytest.mark.parametrize("mixture", [A1, SKEW], ids=["even", "skew"])
def test_denoised_samples_vary_too_little(mixture):
    weights, means, stds = (np.array(a) for a in mixture)
    centre = weights @ means[:, 0]
    variance = weights @ (stds**2 + means[:, 0] ** 2) - centre**2
    y = np.linspace(-14, 16, 12001)[:, None]
    density = np.exp(gmm_logpdf(y, *smoothed(mixture, 0.9))) * (y[1, 0] - y[0, 0])
    denoised = optimal_denoiser(y, 0.9, *mixture)[:, 0]
    spread = density @ (denoised - centre) ** 2
    assert_allclose(spread, variance - mmse_1d(0.9, *mixture), rtol=1e-9)


def distance_after(fraction, sigma):
    """Largest gap of the distribution functions of A1 and of the moved noisy density."""
    y = np.linspace(-8, 8, 4001)
    moved = y + fraction * sigma**2 * gmm_score(y[:, None], *smoothed(A1, sigma))[:, 0]
    return np.abs(gmm_cdf_1d(y, *smoothed(A1, sigma)) - gmm_cdf_1d(moved, *A1)).max()


def test_half_a_step_is_nearly_right():
    # A whole step is as far from the data as none: blurred before, too sharp after.
    none, half, whole = (distance_after(c, 0.5) for c in (0.0, 0.5, 1.0))
    assert_allclose([none, half, whole], [0.0415, 0.0071, 0.0415], atol=5e-5)


@pytest.mark.verifies("eq-denoising-autoencoders-kl", by="closed form")
def test_divergence_of_disjoint_points():
    # N(3, 4) from N(0, 4): 9 / 8.
    found = smoothed_kl_1d([3.0], 2.0, [1.0], [[0.0]], [0.0])
    assert_allclose(found, 1.125, rtol=1e-12)
    pull = generator_gradient([[3.0]], [[0.0]], 2.0, [1.0], [[0.0]], [0.0])
    assert_allclose(pull, [[3 / 4]], rtol=1e-14)


def average_gradient(x, sigma, mixture, nodes=80):
    """Average of the generator's gradient over the noise, by Gauss-Hermite quadrature."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    return sum(
        p * generator_gradient(x, np.full_like(x, sigma * t), sigma, *mixture)
        for t, p in zip(z, w, strict=True)
    )


@pytest.mark.verifies("eq-denoising-autoencoders-kl", by="library")
@pytest.mark.verifies("eq-denoising-autoencoders-generator", by="property")
def test_generator_gradient_is_the_slope_of_the_divergence():
    def divergence(x):
        return smoothed_kl_1d(x, 0.6, *SKEW)

    def by_mpmath(x):
        def integrand(y):
            q = sum(mpmath.npdf(y, m, 0.6) for m in x) / len(x)
            return q * mpmath.log(q / mp_density(y, SKEW, 0.6)[0])

        return float(mpmath.quad(integrand, [-9, -5, -2, 0, 2, 5, 9]))

    assert_allclose(divergence(SMALL[:, 0]), 0.3248296443, rtol=0, atol=5e-10)
    assert_allclose(divergence(SMALL[:, 0]), by_mpmath(SMALL[:, 0]), rtol=0, atol=1e-10)
    slope = differences(divergence, SMALL[:, 0])
    found = average_gradient(SMALL, 0.6, SKEW)[:, 0] / 3
    assert_allclose(found, [0.1467273758, -0.0573142382, -0.3913320462], rtol=0, atol=1e-9)
    assert_allclose(found, slope, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-denoising-autoencoders-generator", by="closed form")
def test_generator_gradient_at_three_points():
    x = np.array([[-1.0, 0.5], [0.5, 0.0], [2.0, -1.0]])
    eps = np.array([[0.3, -0.2], [0.0, 0.4], [-0.5, 0.1]])
    found = generator_gradient(x, eps, 1.0, *A)
    assert_allclose(found[0], [0.9496905, 0.2635045], rtol=0, atol=5e-8)
    alone = generator_gradient(x, eps, 1.0, *A, with_q=False)
    assert_allclose(alone[0], [0.73211027, 0.24], rtol=0, atol=5e-9)
    order = [2, 0, 1]
    assert_allclose(generator_gradient(x[order], eps[order], 1.0, *A), found[order], rtol=1e-12)
    one = generator_gradient(x[:1], eps[:1], 0.7, *A)
    free = generator_gradient(x[:1], eps[:1], 0.7, *A, with_q=False)
    assert_allclose(one - free, -eps[:1] / 0.49, rtol=1e-12)


def run_particles(with_q, seed=0, steps=300):
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 0.3, (200, 1))
    for _ in range(steps):
        eps = rng.standard_normal(x.shape)
        x = x - 0.2 * generator_gradient(x, eps, 1.0, *PARTICLES, with_q=with_q)
    return x


PARTICLES = ([0.8, 0.2], [[-2.0], [2.0]], [0.5, 0.5])


def test_particles_learn_the_density():
    x = run_particles(True)
    assert abs(np.mean(x < 0) - 0.79) < 0.005
    assert smoothed_kl_1d(x[:, 0], 1.0, *PARTICLES) < 5e-4
    # 200 particles, steps of finite size: the bands hold over seeds.
    assert 0.74 < np.mean(x < 0) < 0.84
    assert 2.6 < x.var() < 3.1
    assert abs(x.mean() + 1.2) < 0.2
    alone = run_particles(False)
    assert np.mean(alone < 0) == 1
    assert abs(alone.var() - 0.08) < 0.005
    assert alone.var() < 0.2


def test_less_noise_leaves_the_particles_behind_a_barrier():
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 0.3, (150, 1))
    for _ in range(1500):
        eps = 0.5 * rng.standard_normal(x.shape)
        x = x - 0.05 * generator_gradient(x, eps, 0.5, *PARTICLES)
    assert 0.6 < np.mean(x < 0) < 0.72


def test_learned_denoiser():
    rng = np.random.default_rng(0)
    n = 20_000
    x = np.array(A[1])[rng.integers(0, 2, n)] + 0.5 * rng.standard_normal((n, 2))
    y = x + rng.standard_normal((n, 2))
    grid = np.stack(np.meshgrid(np.linspace(-5, 5, 15), np.linspace(-4, 4, 11)), -1).reshape(-1, 2)
    learned = RBFDenoiser(grid, 0.9).fit(y, x)
    test = np.array(A[1])[rng.integers(0, 2, 4000)] + rng.standard_normal((4000, 2)) * 1.25**0.5
    gap = np.sum((learned.predict(test) - optimal_denoiser(test, 1.0, *A)) ** 2, axis=1)
    assert gap.mean() < 0.01


def test_ridge_regression_by_hand():
    # One bump, three pairs: the normal equations written out.
    y, x = np.array([[0.0], [1.0], [-1.0]]), np.array([[0.5], [0.2], [-0.9]])
    e = math.exp(-0.5 / 0.49)
    features = np.array([[1.0, 0.0, 1.0], [e, 1.0, 1.0], [e, -1.0, 1.0]])
    normal = features.T @ features / 3 + 0.01 * np.eye(3)
    by_hand = features @ np.linalg.solve(normal, features.T @ x / 3)
    found = RBFDenoiser([[0.0]], 0.7, ridge=0.01).fit(y, x).predict(y)
    assert_allclose(found, by_hand, rtol=1e-12)


TWO_FAR = ([0.8, 0.2], [[-4.0, 0.0], [4.0, 0.0]], [0.5, 0.5])


def test_annealing_learns_the_weights():
    start = 8 * np.random.default_rng(0).standard_normal((4000, 2))

    def score_at(x, sigma):
        return gmm_score(x, *smoothed(TWO_FAR, sigma))

    plain = langevin(lambda x: score_at(x, 0.05), start, 0.02, 400, np.random.default_rng(1))
    sigmas = np.geomspace(8, 0.05, 20)
    annealed = annealed_langevin(score_at, start, sigmas, 0.1, 20, np.random.default_rng(1))
    longer = annealed_langevin(score_at, start[:1500], sigmas, 0.1, 100, np.random.default_rng(1))
    assert np.mean(plain[:, 0] < 0) < 0.6
    assert 0.72 < np.mean(annealed[:, 0] < 0) < 0.8
    # Three standard errors of 0.01.
    assert abs(np.mean(longer[:, 0] < 0) - 0.79) < 0.03


def test_annealing_is_langevin_at_each_level():
    start = np.ones((7, 2))
    found = annealed_langevin(
        lambda x, s: -x / s, start, [2.0, 1.0], 0.1, 3, np.random.default_rng(4)
    )
    rng = np.random.default_rng(4)
    middle = langevin(lambda x: -x / 2, start, 0.4, 3, rng)
    assert_allclose(found, langevin(lambda x: -x, middle, 0.1, 3, rng), rtol=1e-14)


@pytest.mark.verifies("eq-denoising-autoencoders-bits", by="closed form")
@given(st.lists(st.integers(0, 9), min_size=8, max_size=8).filter(any), st.floats(0.01, 0.45))
@settings(deadline=None)
def test_bits_agree_with_bayes(counts, rho):
    clean = np.array(counts, float).reshape(2, 2, 2) / sum(counts)
    words = list(itertools.product((0, 1), repeat=3))
    channel = {
        (x, y): math.prod(1 - rho if a == b else rho for a, b in zip(x, y, strict=True))
        for x in words
        for y in words
    }
    noisy = np.array([sum(clean[x] * channel[x, y] for x in words) for y in words])
    found = bit_denoiser(noisy.reshape(2, 2, 2), rho)
    for y in words:
        for i in range(3):
            same = sum(clean[x] * channel[x, y] for x in words if x[i] == y[i])
            bayes = same / noisy.reshape(2, 2, 2)[y]
            assert_allclose(found[(i, *y)], bayes, rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-denoising-autoencoders-bits", by="closed form")
def test_bit_in_numbers():
    # By Bayes: P(y = 01) = .4*.09 + .1*.81 + .2*.01 + .3*.09 = .146, first bit right: .117.
    clean = np.array([[0.4, 0.1], [0.2, 0.3]])
    flip = np.array([[0.9, 0.1], [0.1, 0.9]])
    found = bit_denoiser(flip @ clean @ flip, 0.1)[0, 0, 1]
    assert_allclose(found, 0.117 / 0.146, rtol=1e-13)
    assert_allclose(found, 0.8013698630, atol=5e-11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gmm_logpdf([0.0], *A), r"`x` must have shape \(\.\.\., 2\), got \(1,\)"),
        (lambda: gmm_logpdf([0.0, np.nan], *A), "`x` must be finite, got nan"),
        (lambda: gmm_logpdf([0.0], *DELTAS), "`stds` must be positive, since a point mass"),
        (lambda: gmm_score([0.0], *DELTAS), "`stds` must be positive"),
        (lambda: gmm_score([0.0], [1.0], [0.0], [1.0]), r"`means` must have shape \(K, d\)"),
        (lambda: gmm_score([0.0], [1.0], [[np.inf]], [1.0]), "`means` must be finite"),
        (lambda: gmm_score([0.0], [0.5, 0.6], *A1[1:]), "`weights` must be non-negative with sum"),
        (lambda: gmm_score([0.0], [1.5, -0.5], *A1[1:]), "`weights` must be non-negative"),
        (lambda: gmm_score([0.0], [1.0], *A1[1:]), r"`weights` and `stds` must have shape \(2,\)"),
        (lambda: gmm_score([0.0], *A1[:2], [1, -1]), "`stds` must be non-negative and finite"),
        (lambda: optimal_denoiser([0.0], 0.0, *A1), "`sigma` must be a positive finite number"),
        (lambda: optimal_denoiser([0.0], [1.0], *A1), "`sigma` must be a positive finite number"),
        (lambda: posterior_covariance([0.0], np.inf, *A1), "`sigma` must be a positive finite"),
        (lambda: mmse_1d(1.0, *A), r"`means` must have shape \(K, 1\)"),
        (lambda: mmse_1d(1.0, *A1, n=1), "`n` must be an integer of at least 2, got 1"),
        (lambda: gmm_cdf_1d(0.0, *A), r"`means` must have shape \(K, 1\)"),
        (lambda: kolmogorov_distance([[0.0]], *A1), r"`samples` must have shape \(n,\)"),
        (lambda: kolmogorov_distance([], *A1), r"`samples` must have shape \(n,\) with n >= 1"),
        (lambda: smoothed_kl_1d([[0.0]], 1.0, *A1), r"`x` must have shape \(m,\)"),
        (lambda: langevin(np.negative, [1.0], 0, 1, None), "`step` must be a positive finite"),
        (lambda: langevin(np.negative, [1.0], 1, -1, None), "`n_steps` must be an integer of at"),
        (lambda: langevin(np.negative, [1.0], 1, 1.5, None), "`n_steps` must be an integer"),
        (
            lambda: annealed_langevin(np.negative, [1.0], [1, 1], 1, 1, None),
            "`sigmas` must be positive and strictly decreasing",
        ),
        (
            lambda: annealed_langevin(np.negative, [1.0], [1, 0], 1, 1, None),
            "`sigmas` must be positive",
        ),
        (
            lambda: generator_gradient([0.0], [0.0], 1.0, *A1),
            r"`x` must have shape \(n, 1\), got \(1,\)",
        ),
        (
            lambda: generator_gradient([[0.0]], [0.0], 1.0, *A1),
            r"`eps` must have the shape of `x`, \(1, 1\), got \(1,\)",
        ),
        (lambda: bit_denoiser([0.5, 0.2, 0.3], 0.1), r"`noisy` must have shape \(2, \.\.\., 2\)"),
        (lambda: bit_denoiser([0.5, 0.6], 0.1), "`noisy` must be positive with sum 1"),
        (lambda: bit_denoiser([0.5, 0.5], 0.5), "`rho` must be at least 0 and below 1/2, got 0.5"),
        (lambda: RBFDenoiser([0.0], 1.0), r"`centers` must have shape \(K, d\)"),
        (lambda: RBFDenoiser([[0.0]], 0.0), "`width` must be a positive finite number"),
        (lambda: RBFDenoiser([[0.0]], 1.0, 0), "`ridge` must be a positive finite number"),
        (
            lambda: RBFDenoiser([[0.0]], 1.0).fit([[0.0]], [0.0]),
            r"`x` and `y` must both have shape \(n, d\)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_prediction_needs_a_fit():
    with pytest.raises(RuntimeError, match="must be fitted before it predicts"):
        RBFDenoiser([[0.0]], 1.0).predict([[0.0]])
