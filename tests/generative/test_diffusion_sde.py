"""Facts that the chapter on diffusion as a stochastic differential equation claims."""

import math

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.generative.denoising_autoencoders import (
    RBFDenoiser,
    gmm_logpdf,
    kolmogorov_distance,
)
from scispaces.generative.diffusion_sde import (
    GaussianPath,
    dsm_loss,
    forward_em,
    forward_sample,
    gaussian_reverse_moments,
    marginal,
    reverse_em,
    reverse_kernel_anderson,
    reverse_kernel_exact,
    score_t,
    sub_vp_path,
    ve_path,
    vp_path,
)

PATHS = {"vp": vp_path(), "ve": ve_path(), "sub-vp": sub_vp_path()}
every_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
MIXTURE = ([0.3, 0.7], [[-2.0, 0.0], [2.0, 1.0]], [0.3, 0.5])
LINE = ([0.3, 0.7], [[-1.5], [1.5]], [0.3, 0.4])
VP, VE = vp_path(5), ve_path(10)
times = st.floats(0.02, 0.98)


def test_numbers_of_the_paths():
    assert_allclose(VP.alpha(0.3), 0.63762815, atol=5e-9)
    assert_allclose(VP.beta(0.3), 0.77034430, atol=5e-9)
    assert_allclose([VP.f(0.3), VP.g2(0.3)], [-3, 6], rtol=1e-14)
    assert_allclose(sub_vp_path(5).beta(0.5), 0.91791500, atol=5e-9)
    assert_allclose(sub_vp_path(5).g2(0.5), 9.93262053, atol=5e-9)
    assert_allclose(VP.alpha(1.0), 0.00673795, atol=5e-9)
    # The schedule of DDPM: the product of 1 - 0.02 k / 1000.
    ddpm = math.sqrt(math.prod(1 - 0.02 * k / 1000 for k in range(1, 1001)))
    assert_allclose(ddpm, 0.00648203, atol=5e-9)


@pytest.mark.verifies("eq-diffusion-sde-coefficients", by="property")
@every_path
@given(t=times)
@settings(deadline=None)
def test_coefficients_solve_the_moment_equations(path, t):
    h = 1e-5
    alpha_slope = (path.alpha(t + h) - path.alpha(t - h)) / (2 * h)
    beta2_slope = (path.beta(t + h) ** 2 - path.beta(t - h) ** 2) / (2 * h)
    assert_allclose(path.f(t) * path.alpha(t), alpha_slope, rtol=1e-6, atol=1e-8)
    assert_allclose(2 * path.f(t) * path.beta(t) ** 2 + path.g2(t), beta2_slope, rtol=1e-6)
    # The form of the chapter: alpha² times the slope of beta² / alpha².
    ratio = [(path.beta(s) / path.alpha(s)) ** 2 for s in (t - h, t + h)]
    form = path.alpha(t) ** 2 * (ratio[1] - ratio[0]) / (2 * h)
    assert_allclose(path.g2(t), form, rtol=1e-5)


@pytest.mark.verifies("eq-diffusion-sde-vp", by="closed form")
@given(times, st.floats(0.5, 8))
@settings(deadline=None)
def test_variance_preserving(t, c):
    path = vp_path(c)
    assert_allclose(path.alpha(t) ** 2 + path.beta(t) ** 2, 1, rtol=1e-13)
    # Cancellation of beta's part near t = 1.
    assert_allclose(path.g2(t), -2 * path.f(t), rtol=1e-12)
    assert_allclose(path.f(t), -2 * c * t, rtol=1e-13)


@pytest.mark.verifies("eq-diffusion-sde-line", by="closed form")
@given(st.floats(0.01, 0.95))
@settings(deadline=None)
def test_straight_line(t):
    line = GaussianPath(
        lambda t: 1 - t, lambda t: -np.ones_like(t), lambda t: t**2, lambda t: 2 * t
    )
    assert_allclose(line.f(t), -1 / (1 - t), rtol=1e-12)
    assert_allclose(line.g2(t), 2 * t / (1 - t), rtol=1e-11)


@pytest.mark.verifies("def-diffusion-sde-conditional", by="property")
@every_path
def test_one_stroke(path):
    x = forward_sample(np.full(200_000, 2.0), 0.4, path, np.random.default_rng(1))
    alpha, beta = path.alpha(0.4), path.beta(0.4)
    # Four standard errors.
    assert abs(x.mean() - 2 * alpha) < 4 * beta / math.sqrt(200_000)
    assert abs(x.var() / beta**2 - 1) < 4 * math.sqrt(2 / 200_000)


def forward_moments(path, n, m=2.0, v=0.25):
    """Mean and variance of Euler-Maruyama without samples."""
    for t in np.arange(n) / n:
        factor = 1 + path.f(t) / n
        m, v = factor * m, factor**2 * v + path.g2(t) / n
    return m, v


@pytest.mark.verifies("def-diffusion-sde-forward", by="property")
def test_small_steps_lead_to_the_marginal():
    expected = {
        50: (0.01039267, 1.1039092),
        200: (0.01269320, 1.0241847),
        1000: (0.01331881, 1.0047228),
    }
    for n, moments in expected.items():
        assert_allclose(forward_moments(VP, n), moments, rtol=0, atol=6e-8)
    _, means, stds = marginal(VP, 1.0, [1.0], [[2.0]], [0.5])
    assert_allclose([means[0, 0], stds[0] ** 2], [0.01347589, 0.99996595], atol=5e-9)
    # Order one: the error falls by ten from 200 to 2000 steps.
    errors = [forward_moments(VP, n)[1] - stds[0] ** 2 for n in (200, 2000)]
    assert_allclose(errors[0] / errors[1], 10, rtol=0.05)
    rng = np.random.default_rng(4)
    x0 = 2 + 0.5 * rng.standard_normal(40_000)
    x = forward_em(x0, VP, 50, rng)
    m, v = forward_moments(VP, 50)
    assert abs(x.mean() - m) < 4 * math.sqrt(v / 40_000)
    assert abs(x.var() / v - 1) < 4 * math.sqrt(2 / 40_000)


def test_wrong_power_of_the_step_kills_the_noise():
    # Steps of size dt instead of sqrt(dt): the noise part of the variance, exactly.
    for n in (50, 500, 5000):
        v = 0.0
        for t in np.arange(n) / n:
            v = (1 + VP.f(t) / n) ** 2 * v + VP.g2(t) / n**2
        assert v < 2.2 / n


@pytest.mark.verifies("eq-diffusion-sde-reverse-kernel", by="closed form")
def test_reverse_kernels():
    exact, approximate = (
        kernel(1.0, VP, 2.0, 0.5, 0.3, 0.01)
        for kernel in (reverse_kernel_exact, reverse_kernel_anderson)
    )
    assert_allclose(exact, [1.05124156, 0.05767936], rtol=0, atol=5e-9)
    assert_allclose(approximate, [1.05160080, 0.0620], rtol=0, atol=5e-9)
    assert_allclose(
        reverse_kernel_exact(1.0, VP, 2.0, 0.5, 0.3, 0.001), [1.00535031, 0.00597627], atol=5e-9
    )
    assert_allclose(
        reverse_kernel_anderson(1.0, VP, 2.0, 0.5, 0.3, 0.001), [1.00535468, 0.00602], atol=5e-9
    )


@pytest.mark.verifies("eq-diffusion-sde-reverse-kernel", by="property")
@every_path
def test_reverse_kernel_is_right_to_first_order(path):
    # Mean error / dt and variance ratio - 1 both fall in proportion to dt.
    gaps = []
    for dt in (1e-4, 1e-5):
        exact = reverse_kernel_exact(0.7, path, 2.0, 0.5, 0.4, dt)
        found = reverse_kernel_anderson(0.7, path, 2.0, 0.5, 0.4, dt)
        gaps.append([abs(found[0] - exact[0]) / dt, abs(found[1] / exact[1] - 1)])
    assert_allclose(np.divide(gaps[0], gaps[1]), 10, rtol=0.15)


def test_exact_kernel_agrees_with_quadrature():
    t, dt, x = 0.3, 0.01, 1.0
    centre, spread = VP.alpha(t) * 2, (VP.alpha(t) * 0.5) ** 2 + VP.beta(t) ** 2
    carried = VP.alpha(t + dt) / VP.alpha(t)
    added = VP.beta(t + dt) ** 2 - (carried * VP.beta(t)) ** 2

    def weight(y, k):
        return y**k * math.exp(
            -((y - centre) ** 2) / (2 * spread) - (x - carried * y) ** 2 / (2 * added)
        )

    zero, one, two = (scipy.integrate.quad(weight, -1, 3, (k,), epsabs=1e-14)[0] for k in range(3))
    expected = [one / zero, two / zero - (one / zero) ** 2]
    assert_allclose(reverse_kernel_exact(x, VP, 2.0, 0.5, t, dt), expected, rtol=1e-8)


MOMENTS = {
    (10, 1.0): (2.12172580, 0.32109530),
    (100, 1.0): (2.01230177, 0.25344750),
    (1000, 1.0): (2.00120907, 0.25033029),
    (10, 0.0): (2.05473355, 0.23324642),
    (100, 0.0): (2.00006690, 0.24745219),
    (1000, 0.0): (1.99394220, 0.24974004),
    (1000, 2.0): (2.00088836, 0.25115847),
}


@pytest.mark.verifies("eq-diffusion-sde-reverse", by="property")
@pytest.mark.parametrize(("case", "expected"), MOMENTS.items())
def test_moments_of_the_sampler(case, expected):
    n, lam = case
    found = gaussian_reverse_moments(VP, 2, 0.5, n, lam=lam)
    assert_allclose(found, expected, rtol=0, atol=6e-9)


def test_moments_of_the_exploding_path():
    assert_allclose(
        gaussian_reverse_moments(VE, 2, 0.5, 1000, lam=0), [1.90086569, 0.24569027], atol=5e-9
    )
    assert_allclose(gaussian_reverse_moments(VE, 2, 0.5, 1000), [1.99515885, 0.25023131], atol=5e-9)
    assert_allclose(gaussian_reverse_moments(VE, 2, 0.5, 10)[1], 3.42220854, atol=5e-9)
    end = marginal(VP, 1e-3, [1.0], [[2.0]], [0.5])
    assert_allclose([end[1][0, 0], end[2][0] ** 2], [1.99999, 0.2500075], atol=5e-8)


@pytest.mark.verifies("eq-diffusion-sde-family", by="property")
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0, 2.0])
@every_path
def test_every_noise_gives_the_same_marginal(path, lam):
    truth = np.array([2 * path.alpha(1e-3), (0.5 * path.alpha(1e-3)) ** 2 + path.beta(1e-3) ** 2])
    errors = []
    for n in (1000, 2000):
        found = gaussian_reverse_moments(path, 2, 0.5, n, lam=lam, start="exact")
        errors.append(np.array(found) - truth)
    # Order one in the step, so extrapolation leaves a second-order rest.
    assert_allclose(2 * errors[1] - errors[0], 0, atol=3e-3)
    assert np.abs(errors[1]).max() < (0.03 if lam == 2 else 0.01)


@pytest.mark.verifies("eq-diffusion-sde-reverse", by="property")
@pytest.mark.verifies("eq-diffusion-sde-recursion", by="property")
@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_samples_agree_with_the_recursion(lam):
    rng = np.random.default_rng(7)
    one = ([1.0], [[2.0]], [0.5])
    start = VP.beta(1.0) * rng.standard_normal((20_000, 1))
    x = reverse_em(start, lambda x, t: score_t(x, t, VP, *one), VP, 40, rng, lam=lam)
    m, v = gaussian_reverse_moments(VP, 2, 0.5, 40, lam=lam)
    # Four standard errors.
    assert abs(x.mean() - m) < 4 * math.sqrt(v / 20_000)
    assert abs(x.var() / v - 1) < 4 * math.sqrt(2 / 20_000)


@pytest.mark.verifies("eq-diffusion-sde-family", by="library")
def test_without_noise_it_is_an_ordinary_differential_equation():
    one = ([1.0], [[2.0]], [0.5])

    def slope(t, x):
        score = score_t(x[:, None], t, VP, *one)[:, 0]
        return VP.f(t) * x - VP.g2(t) / 2 * score

    start = np.array([-1.0, 0.3, 2.0])
    found = scipy.integrate.solve_ivp(slope, (1, 0.001), start, rtol=1e-10, atol=1e-12).y[:, -1]

    def score(x, t):
        return score_t(x, t, VP, *one)

    ends = [reverse_em(start[:, None], score, VP, n, None, lam=0.0)[:, 0] for n in (1000, 2000)]
    # First order, extrapolated.
    assert_allclose(2 * ends[1] - ends[0], found, rtol=0, atol=2e-3)
    assert np.abs(ends[1] - found).max() < 0.01


@pytest.mark.verifies("eq-diffusion-sde-mismatch", by="closed form")
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("path", "n"), [(VP, 4000), (ve_path(3), 4000)], ids=["vp", "ve"])
def test_what_is_left_of_a_wrong_start(path, n, lam):
    v1 = (path.alpha(1.0) * 0.5) ** 2 + path.beta(1.0) ** 2
    rho = path.alpha(1.0) * 0.5 / math.sqrt(v1)
    # The step error is that of the right start; the difference is the error of the start.
    wrong = np.array(gaussian_reverse_moments(path, 2, 0.5, n, t_end=0, lam=lam))
    right = np.array(gaussian_reverse_moments(path, 2, 0.5, n, t_end=0, lam=lam, start="exact"))
    power = 1 + lam**2
    expected = [-2 * rho**power, -0.25 * rho ** (2 * power)]
    assert_allclose(wrong - right, expected, rtol=0.02, atol=1e-12)


@pytest.mark.verifies("eq-diffusion-sde-mismatch", by="closed form")
@pytest.mark.parametrize(
    ("sigma", "ode", "sde"),
    [
        (2, 1.51493, 1.88390),
        (5, 1.80099, 1.98091),
        (10, 1.90012, 1.99538),
        (20, 1.95002, 1.99893),
        (40, 1.97500, 1.99977),
    ],
)
def test_wrong_start_of_the_exploding_path(sigma, ode, sde):
    assert_allclose(2 - 2 * math.sqrt(0.25 / (0.25 + sigma**2)), ode, atol=5e-6)
    assert_allclose(gaussian_reverse_moments(ve_path(sigma), 2, 0.5, 400)[0], sde, atol=5e-6)


def test_a_geometric_grid_is_a_change_of_the_clock():
    rate = math.log(10 / 0.01)
    path = GaussianPath(
        np.ones_like,
        np.zeros_like,
        lambda t: 1e-4 * np.exp(2 * rate * t),
        lambda t: 2e-4 * rate * np.exp(2 * rate * t),
    )
    geometric = gaussian_reverse_moments(path, 2, 0.5, 20, t_end=0)
    uniform = gaussian_reverse_moments(VE, 2, 0.5, 20)
    preserving = gaussian_reverse_moments(VP, 2, 0.5, 20)
    assert_allclose(geometric, [1.9999, 0.2596], atol=5e-5)
    assert_allclose(preserving, [2.0605, 0.2730], atol=5e-5)
    # With ten uniform steps it is 3.42.
    assert_allclose(uniform[1], 0.509, atol=5e-4)


@pytest.mark.verifies("eq-diffusion-sde-mixture", by="property")
@every_path
def test_marginal_of_a_mixture(path):
    rng = np.random.default_rng(3)
    n = 40_000
    pick = rng.random(n) < 0.3
    x0 = np.where(pick, -1.5, 1.5) + np.where(pick, 0.3, 0.4) * rng.standard_normal(n)
    x = forward_sample(x0, 0.35, path, rng)
    # 1.95 / sqrt(n): one in a thousand for Kolmogorov's law.
    assert kolmogorov_distance(x, *marginal(path, 0.35, *LINE)) < 1.95 / math.sqrt(n)


@pytest.mark.verifies("eq-diffusion-sde-mixture", by="closed form")
def test_score_of_one_component():
    x = np.array([[0.3, -1.0], [2.0, 0.5]])
    alpha, beta = VP.alpha(0.3), VP.beta(0.3)
    expected = -(x - alpha * np.array([2.0, 1.0])) / (0.25 * alpha**2 + beta**2)
    assert_allclose(score_t(x, 0.3, VP, [1.0], [[2.0, 1.0]], [0.5]), expected, rtol=1e-13)
    still = score_t(x, 0.0, VP, [1.0], [[2.0, 1.0]], [0.5])
    assert_allclose(still, -(x - np.array([2.0, 1.0])) / 0.25, rtol=1e-13)


@pytest.mark.verifies("eq-diffusion-sde-fokker-planck", by="property")
@every_path
@given(t=st.floats(0.1, 0.9), x=st.floats(-3, 3))
@settings(deadline=None, max_examples=40)
def test_fokker_planck(path, t, x):
    def density(x, t):
        return float(np.exp(gmm_logpdf([x], *marginal(path, t, *LINE))))

    h, k = 1e-4, 1e-3
    in_time = (density(x, t + h) - density(x, t - h)) / (2 * h)
    flux = [path.f(t) * z * density(z, t) for z in (x - h, x + h)]
    bend = (density(x + k, t) - 2 * density(x, t) + density(x - k, t)) / k**2
    # Rounding of 1e-16 / k², differences of h² and k² times high derivatives.
    rest = in_time + (flux[1] - flux[0]) / (2 * h) - path.g2(t) / 2 * bend
    assert abs(rest) < 1e-3 * (1 + path.g2(t))


@pytest.mark.verifies("eq-diffusion-sde-score", by="library")
def test_score_is_a_conditional_mean():
    t, x = 0.3, 0.4
    alpha, beta = float(VP.alpha(t)), float(VP.beta(t))

    def weight(x0, power):
        prior = math.exp(float(gmm_logpdf([x0], *LINE)))
        pull = (alpha * x0 - x) / beta**2
        return prior * math.exp(-((x - alpha * x0) ** 2) / (2 * beta**2)) * pull**power

    top, below = (
        scipy.integrate.quad(weight, -5, 5, (k,), points=[-1.5, 0, 1.5], epsabs=1e-13)[0]
        for k in (1, 0)
    )
    assert_allclose(score_t([x], t, VP, *LINE), [top / below], rtol=1e-9)


@pytest.mark.verifies("eq-diffusion-sde-loss", by="closed form")
def test_floor_of_the_loss():
    # One blob: J = d / V.
    rng, n = np.random.default_rng(9), 100_000
    x0 = np.array([2.0, 1.0]) + 0.5 * rng.standard_normal((n, 2))
    one = ([1.0], [[2.0, 1.0]], [0.5])
    for t in (0.1, 0.4):
        beta2 = VP.beta(t) ** 2
        v = 0.25 * VP.alpha(t) ** 2 + beta2
        found = dsm_loss(lambda x, t: score_t(x, t, VP, *one), x0, t, VP, np.random.default_rng(1))
        floor = 2 / beta2 - 2 / v
        # The loss is floor times a chi-square with two degrees, halved: standard error 1 / sqrt(n).
        assert abs(found / floor - 1) < 4 / math.sqrt(n)
        worse = dsm_loss(
            lambda x, t: 1.1 * score_t(x, t, VP, *one), x0, t, VP, np.random.default_rng(1)
        )
        assert worse > found


def plane(n, rng):
    second = rng.random(n) < 0.7
    centres, stds = np.array(MIXTURE[1]), np.array(MIXTURE[2])
    return centres[second * 1] + stds[second * 1][:, None] * rng.standard_normal((n, 2))


@pytest.mark.verifies("eq-diffusion-sde-loss", by="property")
@pytest.mark.parametrize(
    ("t", "floor", "zero"),
    [(0.1, 13.3, 21.0), (0.3, 0.990, 3.38), (0.6, 0.105, 2.06), (1.0, 0.0002, 2.00)],
)
def test_only_early_times_are_hard(t, floor, zero):
    x0 = plane(20_000, np.random.default_rng(0))
    exact = dsm_loss(lambda x, t: score_t(x, t, VP, *MIXTURE), x0, t, VP, np.random.default_rng(1))
    # Over 40 draws the standard deviation is 1.7 % at most; the quoted value is a draw too.
    assert_allclose(exact, floor, rtol=0.07, atol=6e-5)
    nothing = dsm_loss(lambda x, t: 0 * x, x0, t, VP, np.random.default_rng(1))
    assert_allclose(nothing, zero, rtol=0.03)


def test_sampling_with_the_exact_score():
    rng = np.random.default_rng(0)
    start = VP.beta(1.0) * rng.standard_normal((5000, 2))
    x = reverse_em(start, lambda x, t: score_t(x, t, VP, *MIXTURE), VP, 200, rng)
    assert abs(np.mean(x[:, 0] < 0) - 0.3) < 0.03
    assert_allclose(x.mean(axis=0), [0.8, 0.7], atol=0.1)
    # Variances of the data: 3.562 and 0.412.
    assert_allclose(x.var(axis=0), [3.562, 0.412], rtol=0.06)


def test_learned_score():
    rng = np.random.default_rng(0)
    n = 20_000
    pick = rng.random(n) < 0.3
    x0 = np.where(pick, -1.5, 1.5) + np.where(pick, 0.3, 0.4) * rng.standard_normal(n)
    levels = np.linspace(0.05, 1, 20)
    nets = []
    for t in levels:
        x = forward_sample(x0[:, None], t, VP, rng)
        nets.append(RBFDenoiser(np.linspace(-3.5, 3.5, 25)[:, None], 0.3).fit(x, x0[:, None]))

    def score(x, t):
        k = int(np.argmin(np.abs(levels - t)))
        t = levels[k]
        return (VP.alpha(t) * nets[k].predict(x) - x) / VP.beta(t) ** 2

    start = rng.standard_normal((4000, 1))
    x = reverse_em(start, score, VP, 200, rng)
    assert kolmogorov_distance(x[:, 0], *LINE) < 0.06


def test_no_noise_is_drawn_without_noise():
    rng = np.random.default_rng(5)
    reverse_em(np.ones((3, 1)), lambda x, t: -x, VP, 5, rng, lam=0.0)
    assert rng.random() == np.random.default_rng(5).random()
    start = np.ones((3, 1))
    reverse_em(start, lambda x, t: -x, VP, 5, rng)
    forward_em(start, VP, 5, rng)
    assert_allclose(start, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VP.alpha(1.2), r"`t` must be between 0 and 1, got 1.2"),
        (lambda: VP.beta([0.1, np.nan]), "`t` must be between 0 and 1"),
        (lambda: VP.f(-0.1), "`t` must be between 0 and 1"),
        (lambda: VP.g2(np.inf), "`t` must be between 0 and 1"),
        (lambda: vp_path(0), "`c` must be positive and finite, got 0"),
        (lambda: sub_vp_path(-1), "`c` must be positive and finite, got -1"),
        (lambda: ve_path(np.inf), "`sigma_max` must be positive and finite"),
        (lambda: marginal(VP, 2, *MIXTURE), "`t` must be between 0 and 1"),
        (lambda: score_t([0.0], 0, VP, [1.0], [[0.0]], [0.0]), "`stds` must be positive"),
        (lambda: forward_em([0.0], VP, 0, None), "`n_steps` must be a positive integer, got 0"),
        (lambda: reverse_em([0.0], None, VP, 1.5, None), "`n_steps` must be a positive integer"),
        (
            lambda: reverse_em([0.0], None, VP, 5, None, t_end=1),
            "`t_end` must be at least 0 and below 1, got 1",
        ),
        (
            lambda: reverse_em([0.0], None, VP, 5, None, lam=-1),
            "`lam` must be finite and not negative, got -1",
        ),
        (
            lambda: gaussian_reverse_moments(VP, 0, 1, 5, start="zero"),
            "`start` must be 'prior' or 'exact', got 'zero'",
        ),
        (
            lambda: gaussian_reverse_moments(VP, 0, -1, 5),
            "`std` must be finite and not negative, got -1",
        ),
        (
            lambda: reverse_kernel_exact(0, VP, 0, 1, 0.9, 0.2),
            r"`t` and `dt` must satisfy 0 < t < t \+ dt <= 1, got 0.9 and 0.2",
        ),
        (lambda: reverse_kernel_anderson(0, VP, 0, 1, 0, 0.2), "`t` and `dt` must satisfy"),
        (lambda: reverse_kernel_exact(0, VP, 0, -1, 0.5, 0.2), "`std` must be finite and not neg"),
        (lambda: reverse_kernel_anderson(0, VP, 0, np.nan, 0.5, 0.2), "`std` must be finite"),
        (lambda: dsm_loss(None, [0.0], 0.5, VP, None), r"`x0` must have shape \(n, d\)"),
        (lambda: dsm_loss(None, [[0.0]], 0, VP, None), "`t` must be positive"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
