"""Facts that the chapter on force fields and generative equations claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import erf

from scispaces.generative import diffusion_ode
from scispaces.generative.denoising_autoencoders import gmm_score
from scispaces.generative.ode_force_fields import (
    cdf_1d,
    flow,
    green_from_mass,
    kernel_mass,
    log_density,
    log_kernel,
    posterior_mean,
    posterior_weights,
    sample_kernel,
    sphere_area,
    velocity,
)

KERNELS = ("poisson", "student", "gauss", "rational")
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
ATOMS, WEIGHTS = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]]), np.array([0.5, 0.3, 0.2])
Q = (ATOMS, WEIGHTS)
LINE = ([[-1.0], [2.0]], [0.3, 0.7])
POINT = [0.5, 0.3]
points = st.tuples(st.floats(-4, 4), st.floats(-4, 4)).map(np.array)


def values(function, D=3.0):
    return [function(kernel, D) for kernel in KERNELS]


@pytest.mark.verifies("eq-ode-force-fields-poisson", by="library")
def test_constant_of_gravity():
    quoted = {1: 0.31830989, 2: 0.15915494, 3: 0.10132118, 10: 0.09650115}
    for d, expected in quoted.items():
        exact = float(
            mpmath.gamma((d + 1) / mpmath.mpf(2)) / mpmath.pi ** ((d + 1) / mpmath.mpf(2))
        )
        assert_allclose(exact, expected, atol=5e-9)
        assert_allclose(np.exp(log_kernel(0.0, 1.0, d)), exact, rtol=1e-13)
        r, t = 0.7, 0.4
        by_hand = exact * t / (t * t + r * r) ** ((d + 1) / 2)
        assert_allclose(np.exp(log_kernel(r, t, d)), by_hand, rtol=1e-12)


@pytest.mark.verifies("eq-ode-force-fields-poisson", by="property")
@given(st.floats(0.2, 3), st.lists(st.floats(-2, 2), min_size=3, max_size=3).map(np.array))
@settings(deadline=None, max_examples=40)
def test_gravity_has_no_sources_in_space_and_time(t, x):
    def field(t, x):
        size = math.exp(float(log_kernel(np.linalg.norm(x), t, 3)))
        return np.concatenate([[size], size * x / t])

    h = 1e-4
    total = (field(t + h, x)[0] - field(t - h, x)[0]) / (2 * h)
    for i, e in enumerate(np.eye(3)):
        total += (field(t, x + h * e)[i + 1] - field(t, x - h * e)[i + 1]) / (2 * h)
    # Third derivatives of up to 100 / t^6 times h².
    assert abs(total) < 1e-6 / t**6


def test_kernels_in_numbers():
    density = values(lambda k, D: np.exp(log_kernel(1.5, 0.5, 2, k, D)))
    assert_allclose(density, [0.02013168, 0.00603951, 0.00707221, 0.01273240], rtol=0, atol=5e-9)
    mass = values(lambda k, D: kernel_mass(1.5, 0.5, 2, k, D))
    assert_allclose(mass, [0.68377223, 0.96837722, 0.98889100, 0.9], rtol=0, atol=5e-9)
    assert_allclose(1 - 0.5 / math.hypot(1.5, 0.5), 0.68377223, atol=5e-9)
    half_space = 2 / math.pi * (math.atan(3) - 0.3)
    assert_allclose(half_space, 0.60418130, atol=5e-9)
    assert_allclose(kernel_mass(1.5, 0.5, 3), half_space, rtol=1e-12)
    tails = [1 - float(m) for m in values(lambda k, D: kernel_mass(10.0, 1.0, 2, k, D))]
    assert_allclose(tails[:2], [0.0995037, 9.8519e-4], atol=5e-8)
    assert tails[2] < 1e-15


@pytest.mark.verifies("eq-ode-force-fields-student", by="library")
@pytest.mark.parametrize(("d", "D"), [(1, 1.0), (2, 3.0), (3, 1.0), (5, 8.5)])
def test_student_agrees_with_scipy(d, D):
    x = np.random.default_rng(0).normal(0, 2, (20, d))
    law = scipy.stats.multivariate_t(np.zeros(d), 0.7**2 / D * np.eye(d), df=D)
    found = log_kernel(np.linalg.norm(x, axis=1), 0.7, d, "student", D)
    assert_allclose(found, law.logpdf(x), rtol=1e-11)
    if d == 1:
        cauchy = scipy.stats.cauchy(scale=0.7)
        assert_allclose(found, cauchy.logpdf(x[:, 0]), rtol=1e-12)
        assert_allclose(kernel_mass(1.3, 0.7, 1), 2 * cauchy.cdf(1.3) - 1, rtol=1e-13)


def test_gauss_agrees_with_scipy():
    x = np.random.default_rng(0).normal(0, 2, (20, 3))
    law = scipy.stats.multivariate_normal(np.zeros(3), 0.49 * np.eye(3))
    assert_allclose(log_kernel(np.linalg.norm(x, axis=1), 0.7, 3, "gauss"), law.logpdf(x))


@pytest.mark.verifies("eq-ode-force-fields-mass", by="library")
@every_kernel
@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_mass_is_the_integral_of_the_density(kernel, d):
    for r in (0.2, 1.5):
        exact = scipy.integrate.quad(
            lambda s: (
                sphere_area(d) * s ** (d - 1) * math.exp(float(log_kernel(s, 0.5, d, kernel, 3.0)))
            ),
            0,
            r,
            epsabs=1e-13,
        )[0]
        assert_allclose(kernel_mass(r, 0.5, d, kernel, 3.0), exact, rtol=1e-9)


@pytest.mark.verifies("eq-ode-force-fields-rational", by="closed form")
@given(st.floats(0, 50), st.floats(0.05, 10), st.integers(1, 6))
@settings(deadline=None)
def test_rational_kernel(r, t, d):
    assert_allclose(kernel_mass(r, t, d, "rational"), r**d / (r**d + t**d), rtol=1e-10, atol=1e-300)
    expected = d / sphere_area(d) * t**d / (t**d + r**d) ** 2
    assert_allclose(np.exp(log_kernel(r, t, d, "rational")), expected, rtol=1e-9)


def test_areas_of_spheres():
    expected = [2, 2 * math.pi, 4 * math.pi, 2 * math.pi**2]
    assert_allclose([sphere_area(d) for d in (1, 2, 3, 4)], expected, rtol=1e-14)


@every_kernel
@given(st.floats(0, 20), st.floats(0.1, 5))
@settings(deadline=None, max_examples=40)
def test_scaling_of_the_kernels(kernel, r, t):
    scaled = log_kernel(r / t, 1.0, 3, kernel, 3.0) - 3 * math.log(t)
    assert_allclose(log_kernel(r, t, 3, kernel, 3.0), scaled, rtol=1e-12, atol=1e-12)
    more, later = kernel_mass([r, r + 0.1], t, 3, kernel, 3.0), kernel_mass(r, t + 0.1, 3, kernel)
    assert more[0] <= more[1]
    assert later <= kernel_mass(r, t, 3, kernel) + 1e-15


def test_far_and_near_values_stay_finite():
    for kernel in KERNELS:
        assert np.isfinite(log_kernel([0.0, 1e-12, 1e12], 1.0, 2, kernel, 3.0)).all()
        assert kernel_mass(0.0, 1.0, 2, kernel) == 0
        far = velocity([1e8, 0.0], 1.0, *Q, kernel, 3.0)
        assert_allclose(far, [1e8, -0.6], rtol=1e-6, atol=1)
    # Far away gravity and the other long tails keep all atoms.
    assert_allclose(posterior_mean([1e8, 0.0], 1.0, *Q), [-0.4, 0.6], atol=1e-6)


@pytest.mark.verifies("eq-ode-force-fields-sampler", by="library")
@pytest.mark.parametrize("d", [1, 2, 5])
def test_ratio_of_gaussians(d):
    x = sample_kernel(np.zeros((20_000, d)), 1.0, np.random.default_rng(d))
    radius = np.linalg.norm(x, axis=1)
    # The density of the chapter, by quadrature: r = tan u keeps the tail.
    area = scipy.integrate.quad(lambda u: math.sin(u) ** (d - 1), 0, math.pi / 2)[0]

    def law(r):
        u = np.arctan(r)
        grid = np.linspace(0, math.pi / 2, 4001)
        total = scipy.integrate.cumulative_simpson(np.sin(grid) ** (d - 1), x=grid, initial=0)
        return np.interp(u, grid, total) / area

    assert scipy.stats.kstest(radius, law).pvalue > 1e-3
    assert_allclose(kernel_mass(1.3, 1.0, d), law(1.3), rtol=1e-6)


@pytest.mark.verifies("eq-ode-force-fields-sampler", by="property")
@every_kernel
def test_samples_follow_the_mass(kernel):
    x0 = np.full((20_000, 2), [1.0, -1.0])
    x = sample_kernel(x0, 0.6, np.random.default_rng(3), kernel, 3.0)
    away = x - x0
    mass = kernel_mass(np.linalg.norm(away, axis=1), 0.6, 2, kernel, 3.0)
    assert scipy.stats.kstest(mass, "uniform").pvalue > 1e-3
    angle = np.arctan2(away[:, 1], away[:, 0]) / (2 * math.pi) + 0.5
    assert scipy.stats.kstest(angle, "uniform").pvalue > 1e-3


VELOCITIES = {
    "poisson": (-0.08329456, 0.00789520),
    "student": (-0.68343908, 0.15244419),
    "gauss": (-0.71473872, 0.18349924),
    "rational": (-0.40513002, 0.08859483),
}


@pytest.mark.verifies("eq-ode-force-fields-velocity", by="closed form")
@every_kernel
def test_velocity_in_numbers(kernel):
    found = velocity(POINT, 1.0, *Q, kernel, 3.0)
    assert_allclose(found, VELOCITIES[kernel], rtol=0, atol=5e-9)
    # The sum over the atoms of flux over the sum of densities, written out.
    shapes = {
        "poisson": lambda r: (1 + r * r) ** -1.5,
        "student": lambda r: (1 + r * r) ** -2.5,
        "gauss": lambda r: math.exp(-r * r / 2),
        "rational": lambda r: (1 + r * r) ** -2,
    }
    weight = [
        w * shapes[kernel](np.linalg.norm(POINT - a)) for a, w in zip(ATOMS, WEIGHTS, strict=True)
    ]
    by_hand = sum(w * (POINT - a) for a, w in zip(ATOMS, weight, strict=True)) / sum(weight)
    assert_allclose(found, by_hand, rtol=1e-11)
    assert_allclose(posterior_weights(POINT, 1.0, *Q, kernel, 3.0), weight / np.sum(weight))


@pytest.mark.verifies("eq-ode-force-fields-gauss", by="library")
@given(points, st.floats(0.3, 4))
@settings(deadline=None)
def test_gauss_is_the_diffusion_equation(x, t):
    found = velocity(x, t, *Q, "gauss")
    score = gmm_score(x, WEIGHTS, ATOMS, np.full(3, t))
    assert_allclose(found, -t * score, rtol=0, atol=1e-11)
    same = diffusion_ode.velocity(x, t, WEIGHTS, ATOMS, np.zeros(3))
    assert_allclose(found, same, rtol=0, atol=1e-11)


def test_only_gauss_follows_the_score():
    # Velocity and -t grad log p by differences, at two points: no common factor for gravity.
    h = 1e-5
    ratios = []
    for x in (np.array([0.5, 0.3]), np.array([3.0, -1.0])):
        slope = [
            (log_density(x + h * e, 1.0, *Q) - log_density(x - h * e, 1.0, *Q)) / (2 * h)
            for e in np.eye(2)
        ]
        ratios.append(velocity(x, 1.0, *Q) / -np.array(slope))
    assert abs(ratios[0] / ratios[1] - 1).max() > 0.1


@pytest.mark.verifies("eq-ode-force-fields-bridge", by="property")
def test_student_becomes_gauss():
    def scaled(D):
        return math.sqrt(D) * velocity(POINT, math.sqrt(D), *Q, "student", D)

    assert_allclose(scaled(100), [-0.68557531, 0.17612183], rtol=0, atol=5e-9)
    assert_allclose(scaled(1e5), [-0.71470850, 0.18349164], rtol=0, atol=5e-9)
    errors = [scaled(D) - VELOCITIES["gauss"] for D in (1e3, 1e4)]
    # First order in 1 / D.
    assert_allclose(errors[0] / errors[1], 10, rtol=0.05)
    one = velocity(POINT, 0.8, *Q, "student", 1.0)
    assert_allclose(one, velocity(POINT, 0.8, *Q), rtol=1e-12)


@pytest.mark.verifies("eq-ode-force-fields-continuity", by="property")
@every_kernel
@given(points, st.floats(0.5, 3))
@settings(deadline=None, max_examples=30)
def test_continuity(kernel, x, t):
    def density(x, t):
        return math.exp(float(log_density(x, t, *Q, kernel, 3.0)))

    h = 1e-4
    total = (density(x, t + h) - density(x, t - h)) / (2 * h)
    for i, e in enumerate(np.eye(2)):
        up = density(x + h * e, t) * velocity(x + h * e, t, *Q, kernel, 3.0)[i]
        down = density(x - h * e, t) * velocity(x - h * e, t, *Q, kernel, 3.0)[i]
        total += (up - down) / (2 * h)
    # h² times third derivatives; next to an atom the rational kernel has a kink of order 2.
    assert abs(total) < 2e-5


ENDS = {
    "poisson": -11.400627336,
    "gauss": -9.5477299,
    "student": -5.7385230,
    "rational": -9.0884541,
}


@pytest.mark.verifies("eq-ode-force-fields-quantile", by="property")
@every_kernel
def test_shares_are_kept_on_the_line(kernel):
    start = np.array([[0.2], [-1.7], [1.2], [5.0]])
    ends = flow(start, np.geomspace(0.5, 20, 400), *LINE, kernel, 3.0)[-1]
    assert_allclose(ends[0, 0], ENDS[kernel], rtol=0, atol=1e-6)
    before, after = cdf_1d(start, 0.5, *LINE, kernel, 3.0), cdf_1d(ends, 20.0, *LINE, kernel, 3.0)
    assert_allclose(before, after, rtol=0, atol=3e-7)
    order = np.argsort(start[:, 0])
    assert np.all(np.diff(ends[order, 0]) > 0)


@pytest.mark.verifies("eq-ode-force-fields-angles", by="library")
def test_gravity_keeps_a_sum_of_angles():
    share = 0.5 + (0.3 * math.atan(1.2 / 0.5) + 0.7 * math.atan(-1.8 / 0.5)) / math.pi
    assert_allclose(share, 0.322671768, atol=5e-10)
    assert_allclose(cdf_1d([0.2], 0.5, *LINE), share, rtol=1e-12)
    root = mpmath.findroot(
        lambda x: (
            0.5
            + (0.3 * mpmath.atan((x + 1) / 20) + 0.7 * mpmath.atan((x - 2) / 20)) / mpmath.pi
            - share
        ),
        -11,
    )
    assert_allclose(float(root), -11.400627336, rtol=0, atol=5e-10)
    assert_allclose(flow([0.2], np.geomspace(0.5, 20, 400), *LINE)[-1, 0], float(root), atol=1e-6)


@pytest.mark.verifies("eq-ode-force-fields-mass", by="closed form")
@pytest.mark.verifies("eq-ode-force-fields-separable", by="property")
@pytest.mark.verifies("eq-ode-force-fields-scale", by="property")
def test_two_derivatives_of_the_mass():
    found = green_from_mass(lambda r, t: float(kernel_mass(r, t, 3)), 1.2, 0.7, 3)
    assert_allclose(found, [0.0190407336, 0.0272010480], rtol=0, atol=5e-9)
    assert_allclose(np.exp(log_kernel(1.2, 0.7, 3)), found[0], rtol=1e-7)
    assert_allclose(found[0] / 0.7, found[1], rtol=1e-6)
    tables = {
        (1, "tanh"): (0.08693574, 0.12419391),
        (2, "tanh"): (0.02306042, 0.03294346),
        (1, "exp"): (0.12863737, 0.18376766),
        (2, "exp"): (0.03412212, 0.04874589),
    }
    shapes = {"tanh": np.tanh, "exp": lambda q: 1 - np.exp(-q)}
    for (d, name), expected in tables.items():
        found = green_from_mass(lambda r, t, H=shapes[name]: H(r / t), 1.2, 0.7, d)
        assert_allclose(found, expected, rtol=0, atol=1.1e-8)
    by_hand = 1 / (math.cosh(1.2 / 0.7) ** 2 * 2 * 0.7)
    assert_allclose(by_hand, 0.08693574, atol=5e-9)


@pytest.mark.verifies("eq-ode-force-fields-separable", by="property")
@every_kernel
def test_separable_equation(kernel):
    # d phi / dt + r^(1-d) d(r^d varphi) / dr = 0 with varphi = phi / t.
    h, d, r, t = 1e-4, 3, 0.9, 0.7

    def phi(r, t):
        return math.exp(float(log_kernel(r, t, d, kernel, 3.0)))

    in_time = (phi(r, t + h) - phi(r, t - h)) / (2 * h)
    flux = [s**d * phi(s, t) / t for s in (r - h, r + h)]
    assert abs(in_time + r ** (1 - d) * (flux[1] - flux[0]) / (2 * h)) < 1e-6


def test_pole_of_the_posts_own_choice():
    def tanh(r, t):
        return math.tanh(r / t)

    found = [green_from_mass(tanh, r, 0.7, 2, 1e-5)[0] for r in (0.1, 0.01, 0.001)]
    assert_allclose(found, [2.228, 22.73, 227.4], rtol=1e-3)
    mended = [
        green_from_mass(lambda r, t: math.tanh((r / t) ** 2), r, 0.7, 2, 1e-5)[0]
        for r in (0.1, 0.01, 0.001)
    ]
    assert_allclose(mended, [0.64934, 0.64961, 0.64961], atol=5e-6)


def test_a_moving_constant_adds_a_source():
    # Gaussian mass in the plane plus 0.2 t: the radius by its equation of motion.
    def speed(t, r):
        return r / t - 0.2 * t**2 * math.exp(float(r[0]) ** 2 / (2 * t**2)) / r

    end = scipy.integrate.solve_ivp(speed, (1, 2), [1.5], rtol=1e-10, atol=1e-12).y[0, -1]
    assert_allclose(end, 2.2716, atol=5e-5)
    inside = [float(kernel_mass(r, t, 2, "gauss")) for r, t in ((1.5, 1.0), (end, 2.0))]
    assert_allclose(inside, [0.67535, 0.47535], atol=5e-6)
    assert_allclose(kernel_mass(3.0, 2.0, 2, "gauss"), inside[0], rtol=1e-12)


@pytest.mark.verifies("eq-ode-force-fields-recipe", by="closed form")
def test_recipe_given_the_time():
    expected = [0.00659, 0.03885, 0.12716, 0.26265, 0.29289]
    b = np.array([0.2, 0.5, 1.0, 2.0, 5.0])
    closed = 1 - erf(b) / (math.sqrt(2) * erf(b / math.sqrt(2)))
    assert_allclose(closed, expected, atol=5e-6)
    # What the kernel has at every time.
    assert_allclose([kernel_mass(t, t, 2) for t in b], 1 - 1 / math.sqrt(2), rtol=1e-12)
    # The recipe itself: log t sweeps a wide window; keep the draws near a time.
    rng = np.random.default_rng(0)
    n = 2_000_000
    eps = np.abs(rng.standard_normal(n))
    stretch = np.exp(rng.uniform(0, 6, n))
    radius = np.hypot(*rng.standard_normal((2, n)))
    for time, share in zip((0.5, 1.0, 2.0), expected[1:4], strict=True):
        near = np.abs(np.log(eps * stretch / time)) < 0.05
        inside = np.mean(radius[near] <= eps[near])
        # The window ends at exp(6): far above; four standard errors.
        assert abs(inside - share) < 4 * math.sqrt(share / near.sum()) + 2e-3


@pytest.mark.verifies("eq-ode-force-fields-velocity", by="closed form")
def test_posterior_means():
    times = (0.1, 1.0, 10.0, 100.0)
    gravity = [posterior_mean(POINT, t, *Q) for t in times]
    expected = [
        (0.838068, 0.232936),
        (0.583295, 0.292105),
        (-0.3593, 0.581598),
        (-0.399583, 0.599806),
    ]
    assert_allclose(gravity, expected, rtol=0, atol=1e-6)
    gauss = [posterior_mean(POINT, t, *Q, "gauss") for t in times]
    expected = [(2, 0), (1.214739, 0.116501), (-0.386002, 0.593524), (-0.399861, 0.599935)]
    assert_allclose(gauss, expected, rtol=0, atol=1e-6)
    # By hand for gravity at t = 1.
    weight = WEIGHTS / (1 + np.sum((POINT - ATOMS) ** 2, axis=1)) ** 1.5
    assert_allclose(gravity[1], weight @ ATOMS / weight.sum(), rtol=1e-12)


def variation(kernel, T):
    """Total variation on the line between smeared atoms at +-2 and one at 0, by x = T tan u."""
    u = np.linspace(-math.pi / 2, math.pi / 2, 400_003)[1:-1]
    x = T * np.tan(u)
    gap = np.exp(log_density(x[:, None], T, [[-2.0], [2.0]], kernel=kernel))
    gap = np.abs(gap - np.exp(log_kernel(np.abs(x), T, 1, kernel)))
    return (gap * T / np.cos(u) ** 2).sum() * (u[1] - u[0]) / 2


@pytest.mark.parametrize(
    ("kernel", "expected"), [("poisson", (0.07927, 0.008148)), ("gauss", (0.10005, 0.009615))]
)
def test_distance_from_the_prior(kernel, expected):
    assert_allclose([variation(kernel, 3.0), variation(kernel, 10.0)], expected, rtol=0, atol=6e-6)


@pytest.mark.parametrize("kernel", ["gauss", "student"])
def test_density_integrates_to_one(kernel):
    grid = np.linspace(-60, 60, 481)
    x = np.stack(np.meshgrid(grid, grid), -1)
    total = np.exp(log_density(x, 1.0, *Q, kernel, 3.0)).sum() / 16
    # The Student tail beyond 58 is 58^-3.
    assert_allclose(total, 1, atol=1e-9 if kernel == "gauss" else 2e-5)


@every_kernel
@given(points, st.floats(0.3, 3), st.floats(0, 6.28), st.floats(0.5, 2))
@settings(deadline=None, max_examples=30)
def test_equivariance(kernel, x, t, angle, c):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    plain = velocity(x, t, *Q, kernel, 3.0)
    shift = np.array([0.3, -2.0])
    moved = velocity(x + shift, t, ATOMS + shift, WEIGHTS, kernel, 3.0)
    turned = velocity(turn @ x, t, ATOMS @ turn.T, WEIGHTS, kernel, 3.0)
    scaled = velocity(c * x, c * t, c * ATOMS, WEIGHTS, kernel, 3.0)
    assert_allclose(moved, plain, rtol=0, atol=1e-9)
    assert_allclose(turned, turn @ plain, rtol=0, atol=1e-9)
    assert_allclose(scaled, plain, rtol=0, atol=1e-9)


GRID = np.geomspace(60, 0.02, 150)


@pytest.mark.verifies("eq-ode-force-fields-tail", by="property")
def test_generation():
    rng = np.random.default_rng(0)
    gaps = {}
    for kernel in ("poisson", "gauss"):
        start = sample_kernel(np.zeros((3000, 2)), 60.0, rng, kernel)
        x = flow(start, GRID, *Q, kernel)[-1]
        away = np.linalg.norm(x[:, None] - ATOMS, axis=2)
        shares = np.bincount(away.argmin(axis=1), minlength=3) / 3000
        assert_allclose(shares, WEIGHTS, atol=0.03)
        gaps[kernel] = np.quantile(away.min(axis=1), [0.5, 0.99])
    assert_allclose(gaps["gauss"], [0.0235, 0.061], rtol=0.1)
    assert_allclose(gaps["poisson"][0], 0.0337, rtol=0.1)
    assert gaps["poisson"][1] > 10 * gaps["gauss"][1]
    # t / R to first order in t / R: at R = 2 the share is 1 %.
    assert_allclose(1 - kernel_mass(2.0, 0.02, 2), 0.01, rtol=1e-3)
    assert_allclose(1 - kernel_mass(2.0, 0.002, 2), 0.001, rtol=1e-4)


def test_two_kernels_are_not_one_flow():
    # Starts paired by direction and mass, about the mean of the data.
    rng = np.random.default_rng(1)
    z = rng.standard_normal((2000, 2))
    mean = WEIGHTS @ ATOMS
    mass = kernel_mass(60 * np.linalg.norm(z, axis=1), 60.0, 2, "gauss")
    radius = 60 * np.sqrt(1 / (1 - mass) ** 2 - 1)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    ends = [
        np.linalg.norm(flow(start, GRID, *Q, kernel)[-1][:, None] - ATOMS, axis=2).argmin(axis=1)
        for start, kernel in ((mean + 60 * z, "gauss"), (mean + radius[:, None] * unit, "poisson"))
    ]
    assert 0.005 < np.mean(ends[0] != ends[1]) < 0.08


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sphere_area(0), "`d` must be a positive integer, got 0"),
        (lambda: sphere_area(2.0), "`d` must be a positive integer, got 2.0"),
        (lambda: log_kernel(-1, 1, 2), "`r` must be non-negative, got -1"),
        (lambda: log_kernel(1, 0, 2), "`t` must be a positive finite number, got 0"),
        (lambda: kernel_mass(1, np.inf, 2), "`t` must be a positive finite number"),
        (lambda: kernel_mass(1, 1, 2, "cauchy"), "`kernel` must be one of.*got 'cauchy'"),
        (lambda: kernel_mass(1, 1, 2, "student", 0), "`D` must be positive and finite, got 0"),
        (lambda: sample_kernel([0.0], 1, None), r"`x0` must have shape \(n, d\), got \(1,\)"),
        (lambda: log_density([0.0], 1, *Q), r"`x` must have shape \(\.\.\., 2\), got \(1,\)"),
        (lambda: log_density([0.0], 1, [0.0]), r"`data` must have shape \(n, d\), got \(1,\)"),
        (lambda: posterior_mean(POINT, 1, ATOMS, [1.0]), r"`weights` must have shape \(3,\)"),
        (lambda: posterior_mean(POINT, 1, ATOMS, [0.5] * 3), "`weights` must be non-negative"),
        (lambda: velocity(POINT, -1, *Q), "`t` must be a positive finite number, got -1"),
        (lambda: flow(POINT, [1.0], *Q), r"`ts` must have shape \(n,\) with n >= 2"),
        (lambda: flow(POINT, [1, 2, 1], *Q), "`ts` must be strictly monotone"),
        (lambda: flow(POINT, [1, 0], *Q), "`t` must be a positive finite number"),
        (lambda: cdf_1d(POINT, 1, *Q), r"`data` must have shape \(n, 1\)"),
        (lambda: green_from_mass(min, 1, 1, 2, 0), "`h` must be positive and finite, got 0"),
        (lambda: green_from_mass(min, 1e-5, 1, 2), "`r` must be finite and larger than h"),
        (lambda: green_from_mass(min, 1, 1e-5, 2), "`t` must be finite and larger than h"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
