"""Facts that the chapter on GANs with a quadratic potential claims."""

import math
from itertools import permutations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.spatial
import scipy.stats
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.generative.bigan_qp import (
    bigan_qp_divergence,
    conditional_mean_mse,
    encoder_joint,
    generator_joint,
    guide_gradient,
    js_divergence,
    pair_distance,
    posterior_generator,
    qp_critic,
    qp_discriminator,
    qp_divergence,
    qp_objective,
    reconstruction_mse,
)
from scispaces.generative.denoising_autoencoders import gmm_cdf_1d, gmm_logpdf
from scispaces.probability.information_bottleneck import mutual_information

X = np.array([0.0, 1.0, 3.0, 4.0])
DIST = np.abs(X[:, None] - X)
P, Q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
FOUR = np.full(4, 0.25)
STEPS = np.abs(np.arange(4)[:, None] - np.arange(4.0))
SHIFT, SWAP = np.eye(4)[[1, 2, 3, 0]], np.eye(4)[[1, 0, 2, 3]]
LEVEL = np.full((4, 4), 0.25)
PLACES = np.array([0.0, 1.0, 5.0, 6.0])
MASSES, CODE = np.array([0.1, 0.4, 0.3, 0.2]), np.eye(2)[[0, 0, 1, 1]]
ATOMS = np.array([[0.0, 3.0], [3.0, 0.0]])


def on_codes(enc, gen, lam=1.0):
    return bigan_qp_divergence(FOUR, enc, FOUR, gen, STEPS, STEPS, lam)


def optimum():
    return qp_discriminator(P, Q, DIST, 2.0)


def at_atom(g):
    """Divergence of half -1, half 1 from a single atom at g, on the grid -2, -1.5, ..., 2."""
    x = np.arange(-4, 5) / 2
    p, q = np.isin(x, [-1, 1]) / 2, (x == g).astype(float)
    return qp_divergence(p, q, np.abs(x[:, None] - x))


# Table of the fact sheet: sums over pairs written out once more, by hand or in another program.
ROWS = {
    "discriminator": (lambda: optimum()[0, [1, 3]], [0.9090909091, 7.0588235294], 1e-9),
    "divergence": (lambda: qp_divergence(P, Q, DIST, 2.0), 1.0418992772, 1e-9),
    "objective": (lambda: qp_objective(optimum(), P, Q, DIST, 2.0), 1.0418992772, 1e-9),
    "generator loss": (lambda: np.sum(np.outer(P, Q) * optimum()), 2.0837985544, 1e-9),
    "critic": (
        lambda: qp_critic(P, Q, DIST, 2.0)[0],
        [2.82941777, 1.32277835, -1.32277835, -2.82941777],
        1e-8,
    ),
    "value": (lambda: qp_critic(P, Q, DIST, 2.0)[1], 0.9811031665, 1e-9),
    "atoms": (lambda: [at_atom(g) for g in (-2, -1.5, -1, 0, 1)], [1, 0.75, 0.5, 0.5, 0.5], 1e-12),
    "inverse": (lambda: on_codes(SHIFT, SHIFT.T), 0.0, 1e-12),
    "the same shift": (lambda: on_codes(SHIFT, SHIFT), 1.25, 1e-12),
    "independent": (lambda: on_codes(LEVEL, LEVEL), 0.0, 1e-12),
    "half independent": (lambda: on_codes(np.eye(4), LEVEL), 0.9375, 1e-12),
    "swap": (lambda: on_codes(np.eye(4), SWAP), 1.125, 1e-12),
    "swap, twice lam": (lambda: on_codes(np.eye(4), SWAP, 2.0), 2.25, 1e-12),
    "posterior": (
        lambda: reconstruction_mse(MASSES, CODE, posterior_generator(MASSES, CODE), PLACES),
        0.4,
        1e-12,
    ),
    "mean": (lambda: conditional_mean_mse(MASSES, CODE, PLACES), 0.2, 1e-12),
    "guide": (lambda: guide_gradient(0.5, 0.8, 2.0), (-0.96, -2.4), 1e-12),
    "full guide": (
        lambda: guide_gradient(0.5, 0.8, 2.0, stop_gradient=False),
        (-4.8, -3.0),
        1e-12,
    ),
}


@pytest.mark.verifies("eq-bigan-qp-optimum", by="closed form")
@pytest.mark.verifies("eq-bigan-qp-divergence", by="closed form")
@pytest.mark.verifies("eq-bigan-qp-generator", by="closed form")
@pytest.mark.verifies("eq-bigan-qp-critic", by="closed form")
@pytest.mark.verifies("eq-bigan-qp-guide", by="closed form")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@st.composite
def problems(draw, least=2, zeros=True):
    """Two laws on points of the plane, none nearer than 0.05, and a scale."""
    n = draw(st.integers(least, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = np.stack([np.arange(n) + 0.9 * rng.random(n), rng.normal(size=n)], axis=1)
    laws = rng.dirichlet(np.ones(n), size=2)
    if zeros and draw(st.booleans()):
        laws = laws * (rng.random((2, n)) < 0.6) + 1e-3 * np.eye(n)[rng.integers(0, n, 2)]
        laws /= laws.sum(axis=1, keepdims=True)
    return *laws, scipy.spatial.distance.cdist(x, x), draw(st.floats(0.1, 10)), rng


@pytest.mark.verifies("eq-bigan-qp-optimum", by="property")
@given(problems())
@settings(max_examples=40, deadline=None)
def test_no_other_discriminator_is_better(problem):
    p, q, dist, lam, rng = problem
    best = qp_discriminator(p, q, dist, lam)
    value = qp_objective(best, p, q, dist, lam)
    assert_allclose(best, -best.T, rtol=0, atol=1e-13 * lam)
    for size in (1e-3, 1.0):
        step = np.triu(rng.normal(size=dist.shape), 1) * size
        step -= step.T
        up, down = (qp_objective(best + s * step, p, q, dist, lam) for s in (1, -1))
        # A concave parabola with its vertex in the middle; rounding of sums of size lam * dist.
        assert max(up, down) <= value + 1e-12 * lam
        assert_allclose(up - down, 0, atol=1e-11 * lam)


@pytest.mark.verifies("eq-bigan-qp-generator", by="property")
@given(problems())
@settings(max_examples=40, deadline=None)
def test_generator_pays_twice(problem):
    p, q, dist, lam, _ = problem
    best = qp_discriminator(p, q, dist, lam)
    divergence = qp_divergence(p, q, dist, lam)
    assert_allclose(np.sum(np.outer(p, q) * best), 2 * divergence, rtol=1e-12, atol=1e-13)
    assert_allclose(np.sum(np.outer(q, p) * best), -2 * divergence, rtol=1e-12, atol=1e-13)


@pytest.mark.verifies("eq-bigan-qp-divergence", by="property")
@given(problems(), st.floats(0.1, 10))
@settings(max_examples=40, deadline=None)
def test_what_kind_of_divergence(problem, c):
    p, q, dist, lam, rng = problem
    value = qp_divergence(p, q, dist, lam)
    assert_allclose(qp_divergence(q, p, dist, lam), value, rtol=1e-12)
    assert qp_divergence(p, p, dist, lam) == 0
    assert value > 0 or np.allclose(p, q)
    assert_allclose(qp_divergence(p, q, dist, c * lam), c * value, rtol=1e-12)
    assert_allclose(qp_divergence(p, q, c * dist, lam), c * value, rtol=1e-12)
    order = rng.permutation(p.size)
    mixed = dist[np.ix_(order, order)]
    assert_allclose(qp_divergence(p[order], q[order], mixed, lam), value, rtol=1e-12)
    T, lower = qp_critic(p, q, dist, lam)
    again, same = qp_critic(p[order], q[order], mixed, lam)
    assert_allclose(same, lower, rtol=1e-9, atol=1e-13)
    assert_allclose(again, T[order], rtol=1e-7, atol=1e-8 * lam)


@pytest.mark.verifies("eq-bigan-qp-bound", by="property")
@given(problems())
@settings(max_examples=40, deadline=None)
def test_divergence_is_below_half_the_mean_distance(problem):
    p, q, dist, lam, _ = problem
    bound = lam / 2 * p @ dist @ q
    assert qp_divergence(p, q, dist, lam) <= bound * (1 + 1e-12)
    # Disjoint supports: the same points twice, p on one copy and q on the other.
    far = np.block([[dist, dist + 1], [dist + 1, dist]])
    none = np.zeros_like(p)
    apart = qp_divergence(np.r_[p, none], np.r_[none, q], far, lam)
    assert_allclose(apart, lam / 2 * p @ (dist + 1) @ q, rtol=1e-12)


def test_one_atom_wants_a_median():
    rng = np.random.default_rng(3)
    x = np.sort(rng.normal(size=9))
    dist, p = np.abs(x[:, None] - x), rng.dirichlet(np.ones(9))
    values = [qp_divergence(p, atom, dist) for atom in np.eye(9)]
    assert_allclose(values, dist @ p / 2, rtol=1e-12)
    assert np.argmin(values) == np.searchsorted(np.cumsum(p), 0.5)


@pytest.mark.verifies("eq-bigan-qp-atoms", by="closed form")
@pytest.mark.parametrize("t", [1e-6, 0.5, 3.0, 1e4])
def test_two_atoms(t):
    dist = np.array([[0.0, t], [t, 0.0]])
    T, value = qp_critic([1, 0], [0, 1], dist)
    assert_allclose(qp_divergence([1, 0], [0, 1], dist), t / 2, rtol=1e-12)
    assert_allclose(value, t / 2, rtol=1e-12)
    assert_allclose(T, [t / 2, -t / 2], rtol=1e-12)
    assert_allclose(js_divergence([1, 0], [0, 1]), math.log(2), rtol=1e-12)


def test_js_agrees_with_scipy():
    rng = np.random.default_rng(0)
    for p, q in rng.dirichlet(np.ones(5), size=(20, 2)):
        exact = scipy.spatial.distance.jensenshannon(p, q) ** 2
        assert_allclose(js_divergence(p, q), exact, rtol=1e-10, atol=1e-14)


@pytest.mark.verifies("eq-bigan-qp-laplacian", by="library")
@pytest.mark.verifies("eq-bigan-qp-critic", by="library")
@given(problems(zeros=False))
@settings(max_examples=15, deadline=None)
def test_critic_agrees_with_an_optimiser(problem):
    p, q, dist, lam, _ = problem

    def loss(T):
        return -qp_objective(T[:, None] - T, p, q, dist, lam)

    T, value = qp_critic(p, q, dist, lam)
    found = scipy.optimize.minimize(loss, np.zeros(p.size), options={"gtol": 1e-9})
    # BFGS with numerical slopes finds the value to some 1e-8 of its size.
    assert_allclose(value, -found.fun, rtol=1e-6, atol=1e-9)
    assert_allclose(value, -loss(T), rtol=1e-9, atol=1e-13)
    assert_allclose(T.mean(), 0, atol=1e-9 * lam)
    assert value <= qp_divergence(p, q, dist, lam) * (1 + 1e-9)


@pytest.mark.verifies("eq-bigan-qp-laplacian", by="closed form")
def test_critic_solves_the_network():
    a = np.outer(P, Q)
    weight = (a + a.T) / (2.0 * DIST + np.eye(4)) * (1 - np.eye(4))
    laplacian = np.diag(weight.sum(1)) - weight
    T, value = qp_critic(P, Q, DIST, 2.0)
    assert_allclose(laplacian @ T, P - Q, rtol=0, atol=1e-14)
    assert_allclose(value, (P - Q) @ np.linalg.pinv(laplacian) @ (P - Q) / 2, rtol=1e-12)


def test_critic_beside_points_that_never_come():
    wide = np.zeros((6, 6))
    wide[:4, :4] = DIST
    T, value = qp_critic(np.r_[P, 0, 0], np.r_[Q, 0, 0], wide, 2.0)
    assert_allclose(T, np.r_[qp_critic(P, Q, DIST, 2.0)[0], 0, 0], rtol=1e-12)
    T, value = qp_critic([1.0], [1.0], [[0.0]])
    assert T.tolist() == [0]
    assert value == 0
    # Masses of 1e-30 do not disturb the rest, and their voltage is the mean seen from there.
    x = np.r_[X, 10.0]
    T, value = qp_critic(np.r_[P, 1e-30], np.r_[Q, 0], np.abs(x[:, None] - x), 2.0)
    pull = Q / (2.0 * np.abs(x[4] - X))
    assert_allclose(value, 0.9811031665, atol=1e-9)
    assert_allclose(T[4], (1 + pull @ T[:4]) / pull.sum(), rtol=1e-9)


def test_twins_can_be_merged():
    # Point 1 split into two at distance 0, with p and q in proportion.
    split = [0, 1, 1, 2, 3]
    share = np.array([1, 0.3, 0.7, 1, 1])
    twins = DIST[np.ix_(split, split)]
    merged = qp_divergence(P[split] * share, Q[split] * share, twins, 2.0)
    assert_allclose(merged, 1.0418992772, atol=1e-9)
    with pytest.raises(ValueError, match=r"`dist` must be positive .* got 0 between 1 and 2"):
        qp_critic(P[split] * share, Q[split] * share, twins)


def test_distance_zero_forbids_a_difference():
    twins = np.zeros((2, 2))
    D = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert qp_objective(D, [0.5, 0.5], [0.5, 0.5], twins) == -np.inf
    assert qp_objective(D, [1.0, 0.0], [1.0, 0.0], twins) == 0
    assert qp_objective(0 * D, [0.5, 0.5], [0.5, 0.5], twins) == 0


def codes(rng, n, m):
    return rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m), size=n)


def test_joints_and_their_distances():
    rng = np.random.default_rng(1)
    px, enc = codes(rng, 3, 2)
    assert_allclose(encoder_joint(px, enc).sum(axis=1), px)
    qz, gen = codes(rng, 2, 3)
    assert_allclose(generator_joint(qz, gen).sum(axis=0), qz)
    assert_allclose(generator_joint(qz, gen)[2, 1], qz[1] * gen[1, 2])
    dx, dz = STEPS[:3, :3], 10 * STEPS[:2, :2]
    both = pair_distance(dx, dz)
    assert both.shape == (6, 6)
    assert both[0 * 2 + 1, 2 * 2 + 0] == 2 + 10


def test_names_of_the_codes_do_not_matter():
    rng = np.random.default_rng(2)
    px, enc = codes(rng, 3, 4)
    qz, gen = codes(rng, 4, 3)
    dx, order = STEPS[:3, :3], np.array([2, 0, 3, 1])
    renamed = bigan_qp_divergence(
        px, enc[:, order], qz[order], gen[order], dx, STEPS[np.ix_(order, order)]
    )
    assert_allclose(renamed, bigan_qp_divergence(px, enc, qz, gen, dx, STEPS), rtol=1e-12)


@pytest.mark.verifies("eq-bigan-qp-independent", by="property")
def test_zero_without_information():
    rng = np.random.default_rng(4)
    for _ in range(10):
        px, qz = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3))
        enc, gen = np.tile(qz, (4, 1)), np.tile(px, (3, 1))
        value = bigan_qp_divergence(px, enc, qz, gen, STEPS, STEPS[:3, :3])
        assert_allclose(value, 0, atol=1e-15)
        assert_allclose(mutual_information(encoder_joint(px, enc)), 0, atol=1e-14)
        mse = reconstruction_mse(px, enc, gen, X)
        assert_allclose(mse, 2 * (px @ X**2 - (px @ X) ** 2), rtol=1e-12)


@pytest.mark.verifies("eq-bigan-qp-inverse", by="property")
def test_deterministic_maps_with_zero_divergence_are_inverse():
    # All 24 encoders against all 24 generators that are bijections of four codes.
    maps = [np.eye(4)[list(order)] for order in permutations(range(4))]
    for enc in maps:
        for gen in maps:
            zero = abs(on_codes(enc, gen)) < 1e-12
            assert zero == np.array_equal(enc @ gen, np.eye(4))


@pytest.mark.verifies("eq-bigan-qp-posterior", by="property")
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_only_the_posterior_matches(seed):
    rng = np.random.default_rng(seed)
    px, enc = codes(rng, 4, 3)
    qz, gen = px @ enc, posterior_generator(px, enc)
    assert_allclose(gen.sum(axis=1), 1, rtol=1e-12)
    dz = STEPS[:3, :3]
    assert_allclose(bigan_qp_divergence(px, enc, qz, gen, STEPS, dz), 0, atol=1e-14)
    other = 0.9 * gen + 0.1 * rng.dirichlet(np.ones(4), size=3)
    assert bigan_qp_divergence(px, enc, qz, other, STEPS, dz) > 1e-8


@pytest.mark.verifies("eq-bigan-qp-twice", by="property")
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_posterior_costs_twice_the_mean(seed, k):
    rng = np.random.default_rng(seed)
    px, enc = codes(rng, 5, 3)
    x = rng.normal(size=(5, k))
    sharp = reconstruction_mse(px, enc, posterior_generator(px, enc), x)
    assert_allclose(sharp, 2 * conditional_mean_mse(px, enc, x), rtol=1e-11)


@pytest.mark.verifies("eq-bigan-qp-tradeoff", by="library")
@pytest.mark.parametrize("c", [0.0, 0.3, 0.5, 1.0])
def test_between_blurred_and_sharp(c):
    rng = np.random.default_rng(6)
    x, px = np.sort(rng.normal(size=12)), rng.dirichlet(np.ones(12))
    enc = np.repeat(np.eye(3), 4, axis=0)
    posterior = posterior_generator(px, enc)
    mean = (enc @ posterior @ x)[:, None]
    # x runs along rows; what is made of its code, along columns of the same code.
    made = mean + c * (x - mean)
    pairs = encoder_joint(px, enc) @ posterior
    mse = np.sum(pairs * (x[:, None] - made) ** 2)
    assert_allclose(mse, (1 + c**2) * conditional_mean_mse(px, enc, x), rtol=1e-11)
    moved = (mean[:, 0]) + c * (x - mean[:, 0])
    distance = scipy.stats.wasserstein_distance(moved, x, px, px)
    assert_allclose(distance, (1 - c) * px @ np.abs(x - mean[:, 0]), rtol=1e-10, atol=1e-14)


@pytest.mark.verifies("eq-bigan-qp-guide", by="library")
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.2, 3), st.floats(0, 3), st.floats(0, 3))
@settings(max_examples=20, deadline=None)
def test_guide_is_what_sympy_derives(e, g, s, beta1, beta2):
    E, G = sympy.symbols("E G")
    first, second = beta1 * (1 - E * G) ** 2, beta2 * s**2 * (1 - G * E) ** 2
    at = {E: e, G: g}
    stopped = [sympy.diff(first, E).subs(at), sympy.diff(second, G).subs(at)]
    full = [sympy.diff(first + second, v).subs(at) for v in (E, G)]
    close = {"rtol": 1e-10, "atol": 1e-11}
    assert_allclose(guide_gradient(e, g, s, beta1, beta2), np.array(stopped, float), **close)
    whole = guide_gradient(e, g, s, beta1, beta2, stop_gradient=False)
    assert_allclose(whole, np.array(full, float), **close)


def curl(e, g, s, beta1, beta2, stop=True):
    # Central differences are exact for polynomials of degree two.
    on_e = [guide_gradient(e, g + h, s, beta1, beta2, stop)[0] for h in (0.5, -0.5)]
    on_g = [guide_gradient(e + h, g, s, beta1, beta2, stop)[1] for h in (0.5, -0.5)]
    return (on_e[0] - on_e[1]) - (on_g[0] - on_g[1])


@pytest.mark.verifies("eq-bigan-qp-curl", by="closed form")
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.2, 3), st.floats(0, 3), st.floats(0, 3))
def test_curl(e, g, s, beta1, beta2):
    expected = -2 * (beta1 - beta2 * s**2) * (1 - 2 * e * g)
    assert_allclose(curl(e, g, s, beta1, beta2), expected, rtol=1e-10, atol=1e-10)
    assert_allclose(curl(e, g, s, beta1, beta2, stop=False), 0, atol=1e-9)


@pytest.mark.verifies("eq-bigan-qp-invariant", by="library")
@pytest.mark.parametrize(("s", "stop"), [(0.5, True), (2.0, True), (2.0, False)])
def test_routes_are_hyperbolas(s, stop):
    def field(_, point):
        return -np.array(guide_gradient(*point, s, 1.0, 1.5, stop))

    for start in ([0.2, -0.1], [1.5, 1.2], [-0.3, -1.6]):
        route = scipy.integrate.solve_ivp(field, (0, 4), start, rtol=1e-10, atol=1e-12)
        e, g = route.y
        kept = 1.5 * s**2 * e**2 - g**2 if stop else e**2 - g**2
        # The tolerance of the solver, times a few steps.
        assert_allclose(kept, kept[0], rtol=0, atol=1e-7)
        # Both routes descend the same function.
        assert np.all(np.diff((1 - e * g) ** 2) <= 1e-9)


@pytest.mark.verifies("eq-bigan-qp-mutual", by="closed form")
@pytest.mark.parametrize("noise", [0.1, 0.7, 2.0])
def test_mean_squared_error_bounds_information_from_below(noise):
    # z standard normal, x = z + noise; encoders e x, decoded with variance v.
    information = 0.5 * math.log1p(1 / noise**2)
    entropy = 0.5 * math.log(2 * math.pi * math.e)

    def bound(e, v):
        mse = (1 - e) ** 2 + e**2 * noise**2
        return entropy - 0.5 * math.log(2 * math.pi * v) - mse / (2 * v)

    for e in np.linspace(-1, 2, 13):
        for v in np.geomspace(0.01, 10, 13):
            assert bound(e, v) <= information + 1e-12
    best = 1 / (1 + noise**2)
    assert_allclose(bound(best, noise**2 * best), information, rtol=1e-12)


@pytest.mark.verifies("eq-bigan-qp-transport", by="closed form")
def test_the_monotone_code():
    mixture = ([0.5, 0.5], [[-2.0], [2.0]], [0.5, 0.5])
    x, h = np.linspace(-3.5, 3.5, 29), 1e-5
    code = scipy.stats.norm.ppf(gmm_cdf_1d(x, *mixture))
    ahead, behind = (scipy.stats.norm.ppf(gmm_cdf_1d(x + d, *mixture)) for d in (h, -h))
    slope = (ahead - behind) / (2 * h)
    # Change of variables; h² and rounding over h.
    density = np.exp(gmm_logpdf(x[:, None], *mixture))
    assert_allclose(scipy.stats.norm.pdf(code) * slope, density, rtol=1e-4, atol=1e-9)
    assert_allclose(code, -code[::-1], rtol=0, atol=1e-9)


def bell(x, center, width):
    f = np.exp(-(((x - center) / width) ** 2) / 2)
    return f / f.sum()


def test_numbers_quoted_in_the_chapter():
    # Two Gaussians: JS is flat, the divergence rises by 1/2, T has slope -1 between them.
    x = np.linspace(-7, 13, 81)
    dist, p = np.abs(x[:, None] - x), bell(x, 0, 1)
    fakes = {c: bell(x, c, 1) for c in (4, 5, 6)}
    js = {c: js_divergence(p, q) for c, q in fakes.items()}
    assert_allclose([js[4], js[6]], [0.63, 0.69], atol=0.005)
    values = [qp_divergence(p, q, dist) for q in fakes.values()]
    assert_allclose(np.diff(values), 0.5, atol=0.005)
    T = qp_critic(p, fakes[6], dist)[0]
    assert_allclose(np.diff(T[(x >= 0) & (x <= 6)]) / 0.25, -1, atol=0.02)
    narrow = qp_critic(p, bell(x, 0, 0.3), dist)[0][(x >= -3) & (x <= 3)]
    assert np.argmin(narrow) == narrow.size // 2
    # The scale moves nothing.
    line = np.linspace(-4, 4, 81)
    law = np.exp(gmm_logpdf(line[:, None], [0.7, 0.3], [[-1.5], [1.5]], [0.5, 0.5]))
    centers, gaps = np.linspace(-3, 3, 31), np.abs(line[:, None] - line)
    for lam in (0.01, 1.0, 100.0):
        all_values = [
            qp_divergence(law / law.sum(), bell(line, c, 0.5), gaps, lam) for c in centers
        ]
        assert_allclose(centers[np.argmin(all_values)], -1.4)
    # The channel: 10.5 is twice the variance 63/12.
    even, eight = np.full(8, 1 / 8), np.arange(8.0)
    for eps, sharp, copied in ((0.5, 7.875, 5.25), (1.0, 10.5, 10.5)):
        enc = (1 - eps) * np.eye(8) + eps / 8
        posterior = posterior_generator(even, enc)
        assert_allclose(reconstruction_mse(even, enc, posterior, eight), sharp)
        assert_allclose(reconstruction_mse(even, enc, np.eye(8), eight), copied)
    # Codes of the two lumps.
    fine = np.linspace(-4, 4, 161)
    law = np.exp(gmm_logpdf(fine[:, None], [0.5, 0.5], [[-2.0], [2.0]], [0.5, 0.5]))
    law /= law.sum()
    for k, mse in ((2, 0.250), (3, 0.786)):
        piece = np.minimum((np.cumsum(law) - law / 2) * k, k - 1).astype(int)
        assert_allclose(conditional_mean_mse(law, np.eye(k)[piece], fine), mse, atol=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: qp_divergence([0.5, 0.6], [1, 0], ATOMS), "`p` must be non-negative with sum 1"),
        (lambda: qp_divergence([1, 0], [2, -1], ATOMS), "`q` must be non-negative with sum 1"),
        (lambda: qp_divergence([[1]], [1], [[0]]), r"`p` must have shape \(n,\)"),
        (lambda: qp_divergence([1, 0, 0], [1, 0], ATOMS), r"`p` must have shape \(2,\).*got \(3,"),
        (lambda: qp_divergence([1, 0], [1], ATOMS), r"`q` must have shape \(2,\).*got \(1,"),
        (lambda: qp_critic([1, 0], [0, 1], ATOMS[0]), r"`dist` must have shape \(n, n\)"),
        (lambda: qp_critic([1, 0], [0, 1], -ATOMS), "`dist` must be symmetric, non-negative"),
        (lambda: qp_critic([1, 0], [0, 1], ATOMS + 1), "`dist` must be .* a zero diagonal"),
        (lambda: qp_discriminator([1, 0], [0, 1], ATOMS, 0), "`lam` must be positive.* got 0"),
        (lambda: qp_objective([1], [1, 0], [0, 1], ATOMS), r"`D` must have the shape .* got \(1,"),
        (lambda: js_divergence([1], [1, 0]), "`q` must have the length of `p`, 1, got 2"),
        (lambda: encoder_joint([1], [[0.5, 0.4]]), "`enc` must have non-negative rows with sum 1"),
        (lambda: encoder_joint([1], [[1], [1]]), r"`enc` must have shape \(1, m\)"),
        (lambda: generator_joint([1], [1]), r"`gen` must have shape \(1, m\), got \(1,\)"),
        (lambda: pair_distance(ATOMS, [[1]]), "`dz` must be symmetric"),
        (
            lambda: bigan_qp_divergence([1, 0], np.eye(2), [1], [[1, 0]], ATOMS, ATOMS),
            r"`gen` must have shape \(2, 2\) to match `enc`, got \(1, 2\)",
        ),
        (lambda: posterior_generator([1], [[1, 0]]), "`enc` must give every code .* got 0 for 1"),
        (
            lambda: reconstruction_mse([1], [[1]], [[0.5, 0.5]], [0]),
            r"`gen` must have shape \(1, 1\) to match `enc`, got \(1, 2\)",
        ),
        (lambda: conditional_mean_mse([1], [[1]], [0, 1]), r"`x` must have shape \(1,\) or"),
        (lambda: guide_gradient(1, 1, 0), "`s` must be positive and finite, got 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
