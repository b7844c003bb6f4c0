"""Facts that the chapter on the diffusion equation without noise claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.generative.denoising_autoencoders import (
    gmm_cdf_1d,
    gmm_logpdf,
    gmm_score,
    kolmogorov_distance,
    optimal_denoiser,
    posterior_covariance,
)
from scispaces.generative.diffusion_ode import (
    divergence,
    flow_map_1d,
    heat_solve_1d,
    log_likelihood,
    rk4_step,
    solve_flow,
    velocity,
)
from scispaces.generative.diffusion_sde import score_t, vp_path

A = ([0.5, 0.5], [[-2.0, 0.0], [2.0, 0.0]], [0.5, 0.5])
A1 = ([0.5, 0.5], [[-2.0], [2.0]], [0.5, 0.5])
SKEW = ([0.3, 0.7], [[-1.0, 0.5], [2.0, -1.0]], [0.4, 0.8])
SKEW1 = ([0.3, 0.7], [[-1.0], [2.0]], [0.4, 0.8])
points = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(np.array)
levels = st.floats(0.1, 4)


def noisy(mixture, sigma):
    return mixture[0], mixture[1], np.hypot(mixture[2], sigma)


def test_velocity_in_numbers():
    # Exactly -(r* - x) / sigma, then turned by hand.
    assert_allclose(velocity([0.5, 0.3], 1.0, *A), [-0.66245883, 0.24], rtol=0, atol=5e-9)
    expected = [-0.66245883 + 0.7 * 0.24, 0.24 + 0.7 * 0.66245883]
    assert_allclose(expected, [-0.49445883, 0.70372118], atol=1e-8)
    assert_allclose(velocity([0.5, 0.3], 1.0, *A, swirl=0.7), expected, rtol=0, atol=1e-8)


@given(st.floats(-3, 3), st.floats(-2, 2), st.floats(-1, 1))
def test_one_classical_step(x, t, h):
    # For x' = x the step is the exponential series up to h^4; for x' = 4 t³ it is Simpson's rule,
    # which is exact.
    series = x * (1 + h + h**2 / 2 + h**3 / 6 + h**4 / 24)
    assert_allclose(rk4_step(lambda x, t: x, x, t, h), series, rtol=1e-14, atol=1e-14)
    cubic = rk4_step(lambda x, t: 4 * t**3, x, t, h)
    assert_allclose(cubic, x + (t + h) ** 4 - t**4, rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-diffusion-ode-flow", by="property")
@given(points, levels)
@settings(deadline=None)
def test_velocity_leads_away_from_the_denoised_point(x, sigma):
    expected = (x - optimal_denoiser(x, sigma, *SKEW)) / sigma
    assert_allclose(velocity(x, sigma, *SKEW), expected, rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-diffusion-ode-flow", by="library")
@pytest.mark.parametrize("swirl", [0.0, 0.7])
def test_flow_agrees_with_scipy(swirl):
    def slope(sigma, x):
        return velocity(x, sigma, *SKEW, swirl=swirl)

    start = [0.5, 0.3]
    exact = scipy.integrate.solve_ivp(slope, (0.2, 3), start, rtol=1e-11, atol=1e-12).y[:, -1]
    found = solve_flow(start, np.geomspace(0.2, 3, 200), *SKEW, method="rk4", swirl=swirl)[-1]
    assert_allclose(found, exact, rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-diffusion-ode-divergence", by="property")
@given(points, levels)
@settings(deadline=None)
def test_divergence(x, sigma):
    trace = np.trace(posterior_covariance(x, sigma, *SKEW))
    assert_allclose(
        divergence(x, sigma, *SKEW), (2 - trace / sigma**2) / sigma, rtol=1e-9, atol=1e-9
    )
    h = 1e-5
    slopes = [
        (
            velocity(x + h * e, sigma, *SKEW, swirl=0.4)
            - velocity(x - h * e, sigma, *SKEW, swirl=0.4)
        )
        / (2 * h)
        for e in np.eye(2)
    ]
    # Third derivatives of size 100 times h², and rounding of 1e-15 / h.
    assert_allclose(divergence(x, sigma, *SKEW), np.trace(slopes), rtol=1e-6, atol=1e-6)


@pytest.mark.verifies("eq-diffusion-ode-divergence", by="closed form")
def test_divergence_in_numbers():
    # (2 - (1.63118123 + 0.2)) / 1, with the covariance of the chapter on denoising.
    assert_allclose(divergence([0.5, 0.3], 1.0, *A), 0.168818771, rtol=0, atol=1e-9)
    one = ([1.0], [[0.0, 0.0]], [0.5])
    assert_allclose(divergence([0.5, 0.3], 2.0, *one), 2 * 2.0 / 4.25, rtol=1e-14)
    assert divergence([0.5, 0.3], 0.0, *one) == 0


@pytest.mark.verifies("eq-diffusion-ode-continuity", by="property")
@given(points, st.floats(0.2, 3), st.sampled_from([0.0, 1.5, -2.0]))
@settings(deadline=None, max_examples=50)
def test_continuity(x, sigma, swirl):
    h = 1e-5
    rise = (gmm_logpdf(x, *noisy(SKEW, sigma + h)) - gmm_logpdf(x, *noisy(SKEW, sigma - h))) / (
        2 * h
    )
    carried = velocity(x, sigma, *SKEW, swirl=swirl) @ gmm_score(x, *noisy(SKEW, sigma))
    rest = rise + divergence(x, sigma, *SKEW) + carried
    # Differences of log-densities of size 30.
    assert abs(rest) < 1e-6 * (1 + abs(carried))


@pytest.mark.verifies("eq-diffusion-ode-gaussian", by="closed form")
@given(points, st.floats(0.1, 5), st.floats(0.2, 2))
@settings(deadline=None, max_examples=25)
def test_one_blob_is_stretched(x, sigma, s):
    mu = np.array([1.0, 0.0])
    expected = mu + (x - mu) * math.sqrt(1 + (sigma / s) ** 2)
    sigmas = np.linspace(0, sigma, 60)
    found = solve_flow(x, sigmas, [1.0], [mu], [s], method="rk4")[-1]
    # Fourth order in steps of up to 5/12 of s.
    assert_allclose(found, expected, rtol=2e-3, atol=1e-6)
    line = flow_map_1d(x[0], 0, sigma, [1.0], [[1.0]], [s])
    assert_allclose(line, expected[0], rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-diffusion-ode-gaussian", by="closed form")
def test_one_blob_in_numbers():
    found = solve_flow([3.0, 1.0], np.linspace(0, 2, 801), [1.0], [[1.0, 0.0]], [0.5], "rk4")[-1]
    by_hand = [1 + 2 * math.sqrt(17), math.sqrt(17)]
    assert_allclose(by_hand, [9.24621125, 4.12310563], atol=5e-9)
    assert_allclose(found, by_hand, rtol=0, atol=1e-7)


MAPS = {
    (0.5, 3): 0.006386181057,
    (2.0, 3): 2.524280901534,
    (1.5, 1): 0.9034877121,
    (1.5, 2): 0.6570220131,
    (1.5, 5): 1.0886714861,
}


@pytest.mark.verifies("eq-diffusion-ode-quantile", by="library")
@pytest.mark.parametrize(("case", "expected"), MAPS.items())
def test_exact_map_agrees_with_mpmath(case, expected):
    x, sigma = case
    share = (mpmath.ncdf((x + 2) / 0.5) + mpmath.ncdf((x - 2) / 0.5)) / 2
    spread = mpmath.sqrt(0.25 + sigma**2)
    root = mpmath.findroot(
        lambda y: (mpmath.ncdf((y + 2) / spread) + mpmath.ncdf((y - 2) / spread)) / 2 - share,
        expected,
    )
    assert_allclose(float(root), expected, rtol=0, atol=6e-11)
    assert_allclose(flow_map_1d(x, 0, sigma, *A1), float(root), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-diffusion-ode-quantile", by="property")
@given(st.floats(-8, 8), levels, levels, levels)
@settings(deadline=None, max_examples=30)
def test_exact_map_keeps_shares_and_composes(x, a, b, c):
    y = flow_map_1d(x, a, b, *SKEW1)
    assert_allclose(
        gmm_cdf_1d(y, *noisy(SKEW1, b)), gmm_cdf_1d(x, *noisy(SKEW1, a)), rtol=1e-9, atol=1e-15
    )
    direct = flow_map_1d(x, a, c, *SKEW1)
    # Roots lose digits where the density is small: relative error eps * F / (p x).
    assert_allclose(flow_map_1d(y, b, c, *SKEW1), direct, rtol=1e-9, atol=1e-9)


@pytest.mark.verifies("eq-diffusion-ode-quantile", by="property")
def test_exact_map_is_where_the_solver_goes():
    start = np.linspace(-3, 3.5, 14)
    found = solve_flow(start[:, None], np.linspace(0, 3, 400), *SKEW1, method="rk4")[-1, :, 0]
    assert_allclose(found, flow_map_1d(start, 0, 3, *SKEW1), rtol=0, atol=1e-8)
    assert np.all(np.diff(found) > 0)
    assert_allclose(
        flow_map_1d([-14.0, 14.0], 0, 3, *A1), [-1, 1] * flow_map_1d([14.0, 14.0], 0, 3, *A1)
    )
    there = flow_map_1d([14.0, -16.0], 0, 3, *A1)
    assert_allclose(flow_map_1d(there, 3, 0, *A1), [14, -16], rtol=1e-12)
    assert_allclose(flow_map_1d(0.1, 0, 2, *A1), 2.4406e-4, rtol=0, atol=5e-9)


ERRORS = {
    ("euler", "up"): -2.31e-3,
    ("heun", "up"): 3.87e-4,
    ("rk4", "up"): 1.62e-6,
    ("euler", "down"): -2.97e-2,
    ("heun", "down"): -1.77e-3,
    ("rk4", "down"): -1.94e-6,
}


@pytest.mark.parametrize(("case", "expected"), ERRORS.items())
def test_errors_of_the_solvers(case, expected):
    method, direction = case
    top = flow_map_1d(0.5, 0, 3, *A1)
    if direction == "up":
        error = solve_flow([0.5], np.linspace(0, 3, 65), *A1, method=method)[-1, 0] - top
    else:
        error = solve_flow([top], np.linspace(3, 0, 129), *A1, method=method)[-1, 0] - 0.5
    assert_allclose(error, expected, rtol=0.005)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_orders(method, order):
    exact = flow_map_1d(1.5, 0.5, 3, *A1)
    errors = [
        solve_flow([1.5], np.linspace(0.5, 3, n + 1), *A1, method=method)[-1, 0] - exact
        for n in (128, 256)
    ]
    assert abs(math.log2(abs(errors[0] / errors[1])) - order) < 0.15


def test_heun_with_32_steps_is_euler_with_512():
    shares = (np.arange(41) + 0.5) / 41
    x = np.linspace(-40, 40, 40_001)
    top = np.interp(shares, gmm_cdf_1d(x, *noisy(A1, 5.0)), x)
    exact = flow_map_1d(top, 5.0, 0.05, *A1)

    def error(method, n):
        grid = np.geomspace(5, 0.05, n + 1)
        gap = solve_flow(top[:, None], grid, *A1, method=method)[-1, :, 0] - exact
        return math.sqrt(np.mean(gap**2))

    assert_allclose([error("heun", 32), error("euler", 512)], 0.0021, atol=6e-5)
    assert error("rk4", 8) < 0.001


def test_half_the_error_is_the_start_and_half_the_steps():
    z = np.random.default_rng(1).standard_normal((40_000, 1))

    def distance(start, n):
        end = solve_flow(start, np.geomspace(5, 0.1, n + 1), *A1, method="euler")[-1, :, 0]
        return kolmogorov_distance(end, *noisy(A1, 0.1))

    prior, matched = 5 * z, math.sqrt(29.25) * z
    assert_allclose([distance(prior, 16), distance(matched, 16)], [0.042, 0.025], atol=0.002)
    assert_allclose([distance(prior, 256), distance(matched, 256)], [0.026, 0.008], atol=0.002)


def test_there_and_back():
    sigmas = np.linspace(0.1, 3, 300)
    start = np.array([[0.5, 0.3], [-1.0, 2.0]])
    there = solve_flow(start, sigmas, *SKEW, method="rk4", swirl=1.0)[-1]
    back = solve_flow(there, sigmas[::-1], *SKEW, method="rk4", swirl=1.0)[-1]
    assert_allclose(back, start, rtol=0, atol=1e-7)
    assert_allclose(solve_flow(start, [1.0, 2.0], *SKEW)[0], start)


@pytest.mark.verifies("eq-diffusion-ode-ddim", by="closed form")
@given(points, levels, st.floats(0.05, 0.95))
@settings(deadline=None)
def test_an_euler_step_moves_towards_the_denoised_point(x, sigma, ratio):
    r = optimal_denoiser(x, sigma, *SKEW)
    found = solve_flow(x, [sigma, ratio * sigma], *SKEW, method="euler")[-1]
    assert_allclose(found, r + ratio * (x - r), rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-diffusion-ode-ddim", by="closed form")
def test_an_euler_step_in_numbers():
    found = solve_flow([0.5], [2.0, 1.0], *A1, method="euler")[-1, 0]
    assert_allclose(found, 0.48216089, atol=5e-9)
    assert_allclose(found, (0.46432179 + 0.5) / 2, atol=1e-8)


@pytest.mark.verifies("eq-diffusion-ode-likelihood", by="closed form")
def test_likelihood():
    x = np.array([[0.5, 0.3], [2.0, 0.0], [5.0, 5.0]])
    found = log_likelihood(x, *A)
    assert_allclose(found, gmm_logpdf(x, *A), rtol=0, atol=1e-6)
    assert_allclose(found, [-5.8243945, -1.1447299, -69.144730], rtol=0, atol=1e-5)
    near, far = log_likelihood(x, *A, sigma_max=10.0), log_likelihood(x, *A, sigma_max=40.0)
    assert_allclose(near, far, rtol=0, atol=5e-6)
    assert_allclose(log_likelihood([0.4], *SKEW1), gmm_logpdf([0.4], *SKEW1), atol=1e-6)


@pytest.mark.verifies("eq-diffusion-ode-heat", by="closed form")
def test_heat_equation_blurs_a_mixture():
    x = np.linspace(-20, 20, 1024, endpoint=False)
    p0 = np.exp(gmm_logpdf(x[:, None], *A1))
    found = heat_solve_1d(p0, x[1] - x[0], 1.5)
    exact = np.exp(gmm_logpdf(x[:, None], *noisy(A1, 1.5)))
    assert_allclose(found, exact, rtol=0, atol=1e-15)
    assert_allclose(found.sum(), p0.sum(), rtol=1e-13)


@pytest.mark.verifies("eq-diffusion-ode-heat", by="library")
def test_heat_equation_agrees_with_scipy():
    p0 = np.zeros(400)
    p0[150:210] = 1.0
    found = heat_solve_1d(p0, 0.05, 0.6)
    sampled = scipy.ndimage.gaussian_filter1d(p0, 12, mode="wrap", truncate=8)
    # The sampled kernel differs from the band-limited one at the jump only.
    assert_allclose(found, sampled, rtol=0, atol=1e-6)
    assert_allclose(heat_solve_1d(p0, 0.05, 0.0), p0, atol=1e-12)
    assert heat_solve_1d(p0[:-1], 0.05, 0.6).shape == (399,)


@pytest.mark.verifies("eq-diffusion-ode-fourier", by="closed form")
@given(st.integers(1, 40), st.floats(0, 2))
@settings(deadline=None)
def test_one_wave_decays_by_its_factor(k, sigma):
    x = np.arange(256) * 0.05
    omega = 2 * math.pi * k / (256 * 0.05)
    found = heat_solve_1d(1 + np.cos(omega * x), 0.05, sigma)
    expected = 1 + math.exp(-((sigma * omega) ** 2) / 2) * np.cos(omega * x)
    assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_going_back_by_fourier_is_hopeless():
    x = np.linspace(-20, 20, 1024, endpoint=False)
    dx = x[1] - x[0]
    p = np.exp(gmm_logpdf(x[:, None], *noisy(A1, 1.0)))
    omega = 2 * math.pi * np.fft.rfftfreq(1024, dx)
    kept = omega < 10
    back = np.fft.irfft(np.where(kept, np.fft.rfft(p) * np.exp(np.minimum(omega, 10) ** 2 / 2), 0))
    assert np.abs(back).max() > 1000


@pytest.mark.verifies("eq-diffusion-ode-swirl", by="property")
def test_swirl_changes_no_marginal():
    rng = np.random.default_rng(0)
    start = np.array(A[1])[rng.integers(0, 2, 4000)] + np.hypot(5, 0.5) * rng.standard_normal(
        (4000, 2)
    )
    grid = np.geomspace(5, 0.02, 120)
    ends = [solve_flow(start, grid, *A, swirl=c)[-1] for c in (0.0, 1.0, 3.0)]
    for x in ends:
        assert abs(np.mean(x[:, 0] < 0) - 0.5) < 0.03
        assert_allclose(x.var(axis=0), [4.25, 0.25], rtol=0.05)
        # 1.95 / sqrt(n): one in a thousand.
        assert kolmogorov_distance(x[:, 0], *A1) < 1.95 / math.sqrt(4000)
    # The paths differ: most points end at the other blob.
    assert abs(np.mean((ends[0][:, 0] < 0) != (ends[2][:, 0] < 0)) - 0.86) < 0.005


@pytest.mark.verifies("eq-diffusion-ode-gauge", by="property")
@given(points, levels)
@settings(deadline=None)
def test_the_swirl_carries_no_probability_away(x, sigma):
    # v = f p is a rotated gradient: its divergence vanishes.
    def flux(x):
        extra = velocity(x, sigma, *SKEW, swirl=1.0) - velocity(x, sigma, *SKEW)
        return extra * np.exp(gmm_logpdf(x, *noisy(SKEW, sigma)))

    h = 1e-4
    spread = [(flux(x + h * e)[i] - flux(x - h * e)[i]) / (2 * h) for i, e in enumerate(np.eye(2))]
    # Third derivatives of size 1000 times h².
    assert abs(sum(spread)) < 1e-4


@pytest.mark.verifies("eq-diffusion-ode-swirl", by="closed form")
@given(points, levels, st.floats(0, 6.28))
@settings(deadline=None)
def test_turning_and_mirroring(x, sigma, angle):
    c, s = math.cos(angle), math.sin(angle)
    turn, mirror = np.array([[c, -s], [s, c]]), np.diag([1.0, -1.0])
    weights, means, stds = SKEW
    plain = velocity(x, sigma, *SKEW, swirl=0.8)
    turned = velocity(turn @ x, sigma, weights, means @ turn.T, stds, swirl=0.8)
    assert_allclose(turned, turn @ plain, rtol=0, atol=1e-10)
    mirrored = velocity(mirror @ x, sigma, weights, means @ mirror, stds, swirl=-0.8)
    assert_allclose(mirrored, mirror @ plain, rtol=0, atol=1e-10)
    gap = plain - velocity(x, sigma, *SKEW)
    score = gmm_score(x, *noisy(SKEW, sigma))
    assert_allclose(gap, 0.8 * sigma * np.array([-score[1], score[0]]), rtol=0, atol=1e-10)


def variation(mixture, sigma):
    """Total variation between the noisy density and its prior."""
    y = np.linspace(-60 * sigma, 60 * sigma, 200_001)[:, None]
    gap = np.exp(gmm_logpdf(y, *noisy(mixture, sigma)))
    gap = np.abs(gap - np.exp(gmm_logpdf(y, [1.0], [[0.0]], [sigma])))
    return gap.sum() * (y[1, 0] - y[0, 0]) / 2


@pytest.mark.verifies("eq-diffusion-ode-prior", by="property")
def test_distance_from_the_prior():
    for sigma, expected in ((3, 0.10415), (10, 0.010195), (50, 0.000411)):
        assert_allclose(variation(A1, sigma), expected, rtol=0, atol=6e-6)
    phi = math.exp(-0.5) / math.sqrt(2 * math.pi)
    # Next order: (s / sigma)^4.
    assert_allclose(variation(A1, 50), 4.25 * phi / 50**2, rtol=2e-3)
    off = ([1.0], [[1.5]], [0.5])
    assert_allclose(variation(off, 50), 1.5 / (50 * math.sqrt(2 * math.pi)), rtol=2e-3)


@pytest.mark.verifies("eq-diffusion-ode-vp", by="library")
def test_the_preserving_path_is_the_same_flow():
    path = vp_path()
    line = ([0.3, 0.7], [[-1.0], [2.0]], [0.4, 0.8])

    def slope(t, x):
        return path.f(t) * x - path.g2(t) / 2 * score_t(x, t, path, *line)

    x = scipy.integrate.solve_ivp(slope, (0.05, 0.8), [0.7], rtol=1e-11, atol=1e-12).y[0, -1]
    a, b = ((path.alpha(t), path.beta(t) / path.alpha(t)) for t in (0.05, 0.8))
    found = b[0] * flow_map_1d(0.7 / a[0], float(a[1]), float(b[1]), *line)
    assert_allclose(found, x, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: velocity([0.0], -1, *A1), "`sigma` must be a finite number and not negative"),
        (lambda: velocity([0.0], np.inf, *A1), "`sigma` must be a finite number"),
        (lambda: velocity([0.0], [1.0], *A1), "`sigma` must be a finite number"),
        (lambda: velocity([0.0], 1, *A1, swirl=1), "`swirl` needs points in the plane, got d = 1"),
        (lambda: velocity([0.0], 0, [1.0], [[0.0]], [0.0]), "`stds` must be positive"),
        (lambda: divergence([0.0], 0, [1.0], [[0.0]], [0.0]), "`stds` must be positive where"),
        (lambda: divergence([0.0], np.nan, *A1), "`sigma` must be a finite number"),
        (lambda: solve_flow([0.0], [1.0], *A1), r"`sigmas` must have shape \(n,\) with n >= 2"),
        (lambda: solve_flow([0.0], [1, 2, 2], *A1), "`sigmas` must be strictly monotone"),
        (lambda: solve_flow([0.0], [1, -2], *A1), "`sigma` must be a finite number and not neg"),
        (lambda: solve_flow([0.0], [1, 2], *A1, method="rk5"), "`method` must be one of.*'rk5'"),
        (lambda: log_likelihood([0.0], *A1, sigma_max=0), "`sigma_max` must be positive and fin"),
        (lambda: log_likelihood([0.0], *A1, n_steps=1), "`n_steps` must be an integer of at le"),
        (lambda: log_likelihood([0.0], [1.0], [[0.0]], [0.0]), "`stds` must be positive"),
        (lambda: flow_map_1d(0.0, 0, 1, *A), r"`means` must have shape \(K, 1\)"),
        (lambda: flow_map_1d(0.0, -1, 1, *A1), "`sigma_from` must be a finite number"),
        (lambda: flow_map_1d(0.0, 1, 0, [1.0], [[0.0]], [0.0]), "`stds` must be positive where"),
        (lambda: heat_solve_1d([[1.0]], 1, 1), r"`p0` must have shape \(n,\), got \(1, 1\)"),
        (lambda: heat_solve_1d([1.0, 2.0], 0, 1), "`dx` must be positive and finite, got 0"),
        (lambda: heat_solve_1d([1.0, 2.0], 1, -1), "`sigma` must be a finite number"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
