"""Facts that the chapter on RealNVP and Glow claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad

from scispaces.generative.denoising_autoencoders import gmm_logpdf
from scispaces.generative.realnvp_glow import (
    actnorm,
    actnorm_init,
    bits_per_dim,
    conv1x1,
    coupling_floor,
    coupling_forward,
    coupling_inverse,
    fit_flow,
    flow_forward,
    flow_inverse,
    flow_log_prob,
    init_flow,
    kl_from_mixture,
    lu_compose,
    lu_params,
    multiscale_shapes,
    split_prior,
    squeeze,
    training_path,
    unsqueeze,
)

CENTRES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, -2.0], [0.0, 2.0]])
CROSS = ([0.25] * 4, CENTRES, [0.5] * 4)
W3 = np.array([[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0], [0.2, -2.0, 1.0]])
LN2 = math.log(2)


def log_scale(a):
    return np.tanh(a @ [[0.5, -1.0], [1.0, 0.3]])


def shift(a):
    return np.sin(a @ [[1.0, 2.0], [-1.0, 0.5]])


def wild(seed, n_couplings):
    """A flow with random last layers, far from the identity."""
    rng = np.random.default_rng([seed, 9])
    return [
        [*first, (0.5 * rng.standard_normal(last[0].shape), 0.5 * rng.standard_normal(2))]
        for *first, last in init_flow(seed, n_couplings, 8)
    ]


def jacobian(function, x, h=1e-5):
    """Central differences of `function`, which maps (D,) to (D,)."""
    steps = h * np.eye(len(x))
    return np.stack([(function(x + e) - function(x - e)) / (2 * h) for e in steps], axis=1)


def log_volume(function, x):
    return np.linalg.slogdet(jacobian(function, x))[1]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return CENTRES[rng.integers(0, 4, 20_000)] + 0.5 * rng.standard_normal((20_000, 2))


@pytest.fixture(scope="module")
def flows(data):
    # Short flows settle early.
    steps = {1: 500, 2: 1000, 6: 1500, 8: 1500}
    return {k: fit_flow(data, k, steps=n, seed=2 if k == 8 else 0)[0] for k, n in steps.items()}


def divergence(params):
    return kl_from_mixture(lambda x: flow_log_prob(params, x), *CROSS)


# Couplings


@pytest.mark.verifies("eq-realnvp-glow-coupling", by="table")
@pytest.mark.verifies("eq-realnvp-glow-logdet", by="table")
def test_a_coupling_by_hand():
    # tanh and sin of the four inner products, by mpmath.
    x1, x2 = [0.3, -0.7], [1.2, 0.5]
    s = [mpmath.tanh(0.5 * 0.3 - 0.7), mpmath.tanh(-0.3 - 0.21)]
    t = [mpmath.sin(0.3 + 0.7), mpmath.sin(0.6 - 0.35)]
    by_hand = [float(mpmath.exp(s[i]) * x2[i] + t[i]) for i in (0, 1)]
    h, logdet = coupling_forward([x1 + x2], log_scale, shift, 2)
    assert_allclose(h, [[*x1, *by_hand]], rtol=1e-14)
    assert_allclose(h, [[0.3, -0.7, 1.56892925, 0.55992222]], rtol=0, atol=1e-8)
    assert_allclose(logdet, [-0.97046541], rtol=0, atol=1e-8)
    assert_allclose(logdet, [float(sum(s))], rtol=1e-13)


@pytest.mark.verifies("eq-realnvp-glow-coupling", by="property")
@given(seed=st.integers(0, 10**6), d=st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_a_coupling_is_undone(seed, d):
    rng = np.random.default_rng(seed)
    A, B = rng.standard_normal((2, d, 5 - d))
    s, t = (lambda a: np.tanh(a @ A)), (lambda a: (a @ B) ** 3)
    x = rng.standard_normal((7, 5))
    h, forward = coupling_forward(x, s, t, d)
    back, inverse = coupling_inverse(h, s, t, d)
    # Shifts of size up to 1e3 lose 1e-13 of the coordinates.
    assert_allclose(back, x, rtol=0, atol=1e-11)
    assert_array_equal(inverse, -forward)


@pytest.mark.verifies("eq-realnvp-glow-logdet", by="property")
@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_logdet_of_a_coupling_is_the_change_of_volume(seed):
    x = np.random.default_rng(seed).standard_normal(4)
    found = log_volume(lambda y: coupling_forward(y[None], log_scale, shift, 2)[0][0], x)
    logdet = coupling_forward(x[None], log_scale, shift, 2)[1]
    # Differences of functions of size 1 with steps 1e-5: 1e-10.
    assert_allclose(logdet, [found], rtol=0, atol=1e-8)
    h = coupling_forward(x[None], log_scale, shift, 2)[0]
    assert_allclose(coupling_inverse(h, log_scale, shift, 2)[1], [-found], rtol=0, atol=1e-8)


@given(b=st.floats(-2, 2))
@settings(deadline=None, max_examples=20)
def test_nice_preserves_areas(b):
    # A square goes to a curved strip; polygons with many corners on its sides.
    s = np.linspace(0, 1, 2001)
    ring = np.concatenate(
        [np.c_[s, 0 * s], np.c_[1 + 0 * s, s], np.c_[s[::-1], 1 + 0 * s], np.c_[0 * s, s[::-1]]]
    )
    h, logdet = coupling_forward(ring, np.zeros_like, lambda a: np.sin(b * a), 1)
    area = np.sum(h[:, 0] * np.roll(h[:, 1], -1) - h[:, 1] * np.roll(h[:, 0], -1)) / 2
    assert_array_equal(logdet, 0)
    assert_allclose(area, 1, rtol=1e-12)


@pytest.mark.parametrize("d", [0, 4, -1, 1.0])
def test_bad_splits_are_refused(d):
    for function in (coupling_forward, coupling_inverse):
        with pytest.raises(ValueError, match=r"`d` must be an integer with 0 < d < D = 4, got"):
            function(np.zeros((1, 4)), log_scale, shift, d)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, D\), got \(4,\)"):
        coupling_forward(np.zeros(4), log_scale, shift, 2)
    with pytest.raises(ValueError, match=r"`h` must have shape \(n, D\), got \(4,\)"):
        coupling_inverse(np.zeros(4), log_scale, shift, 2)


# Squeeze, shapes, bits


@pytest.mark.verifies("eq-realnvp-glow-squeeze", by="table")
def test_squeeze_in_the_order_of_space_to_depth():
    # The values of tf.nn.space_to_depth on the same array.
    small = squeeze(np.arange(32).reshape(2, 4, 4, 1))
    assert small.shape == (2, 2, 2, 4)
    assert_array_equal(small[0, 0, 0], [0, 1, 4, 5])
    assert_array_equal(small[0, 1, 0], [8, 9, 12, 13])
    assert_array_equal(unsqueeze(small)[1, 2], [[24], [25], [26], [27]])


@pytest.mark.verifies("eq-realnvp-glow-squeeze", by="property")
@given(f=st.integers(1, 4), h=st.integers(1, 3), w=st.integers(1, 3), c=st.integers(1, 3))
def test_squeeze_keeps_every_number(f, h, w, c):
    x = np.arange(2 * h * f * w * f * c).reshape(2, h * f, w * f, c)
    y = squeeze(x, f)
    assert y.dtype == x.dtype
    assert_array_equal(unsqueeze(y, f), x)
    for a in range(f):
        for b in range(f):
            channels = y[..., (a * f + b) * c : (a * f + b + 1) * c]
            assert_array_equal(channels, x[:, a::f, b::f])


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"`f` must divide the sides 3 and 4 of `x`, got 2"):
        squeeze(np.zeros((1, 3, 4, 1)))
    with pytest.raises(ValueError, match=r"`f` squared must divide the 3 channels of `x`, got 2"):
        unsqueeze(np.zeros((1, 2, 2, 3)))
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, H, W, C\), got \(4, 4\)"):
        squeeze(np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("image", "shapes"),
    [
        ((32, 32, 3, 3), [(16, 16, 6), (8, 8, 12), (4, 4, 48)]),
        ((64, 64, 3, 3), [(32, 32, 6), (16, 16, 12), (8, 8, 48)]),
    ],
)
def test_shapes_of_a_multiscale_flow(image, shapes):
    assert multiscale_shapes(*image) == shapes
    assert sum(math.prod(s) for s in shapes) == math.prod(image[:3])


def test_shapes_of_the_largest_glow():
    assert multiscale_shapes(256, 256, 3, 6)[-1] == (4, 4, 384)
    assert [math.prod(s) for s in multiscale_shapes(32, 32, 3, 3)] == [1536, 768, 768]
    with pytest.raises(ValueError, match=r"`h` and `w` must be divisible by 8, got 28 and 28"):
        multiscale_shapes(28, 28, 1, 3)
    with pytest.raises(ValueError, match=r"`levels` must be a positive integer, got 0"):
        multiscale_shapes(32, 32, 3, 0)


@pytest.mark.verifies("eq-realnvp-glow-bits", by="closed form")
def test_bits_of_known_models():
    # The uniform density on [0, 1) knows nothing: 8 bits a byte.
    assert_allclose(bits_per_dim(0.0, 3072), 8, rtol=1e-14)
    assert_allclose(bits_per_dim(3072 * LN2 * 4.65, 3072), 3.35, rtol=1e-12)
    with pytest.raises(ValueError, match=r"`dim` must be a positive integer, got 0"):
        bits_per_dim(0.0, 0)


@pytest.mark.verifies("eq-realnvp-glow-bits", by="property")
def test_a_density_constant_on_steps_codes_the_bytes():
    # Four values with probabilities 1/2, 1/4, 1/8, 1/8: density 4 p, 1.75 bits.
    p = np.array([0.5, 0.25, 0.125, 0.125])
    assert_allclose(p @ bits_per_dim(np.log(4 * p), 1, n_bins=4), 1.75, rtol=1e-14)


# Matrices


@pytest.mark.verifies("eq-realnvp-glow-lu", by="library")
def test_lu_of_the_example():
    P, L, U, sign, log_s = lu_params(W3)
    assert_array_equal(sign, [1, -1, 1])
    assert_allclose(np.linalg.det(W3), 14.6, rtol=1e-12)
    assert_allclose(log_s.sum(), float(mpmath.log(mpmath.mpf("14.6"))), rtol=1e-13)
    assert_allclose(log_s.sum(), 2.6810215287, rtol=0, atol=1e-9)
    # Pivots by hand: 2; the larger of 1 and -2.1; the last is det / (2 * -2.1), up to sign.
    assert_allclose(np.exp(log_s), [2, 2.1, 14.6 / 4.2], rtol=1e-12)
    assert_allclose(U, [[0, 1, 0], [0, 0, 1], [0, 0, 0]], atol=1e-15)
    assert_allclose(L, [[1, 0, 0], [0.1, 1, 0], [-0.5, -1 / 2.1, 1]], rtol=1e-12)
    assert_array_equal(P, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


@pytest.mark.verifies("eq-realnvp-glow-lu", by="property")
@given(seed=st.integers(0, 10**6), c=st.integers(1, 6))
@settings(deadline=None)
def test_lu_parts_make_the_matrix(seed, c):
    W = np.random.default_rng(seed).standard_normal((c, c))
    P, L, U, sign, log_s = lu_params(W)
    assert_allclose(lu_compose(P, L, U, sign, log_s), W, rtol=0, atol=1e-13)
    assert_allclose(abs(np.linalg.det(P)), 1, rtol=1e-14)
    assert_allclose(log_s.sum(), np.linalg.slogdet(W)[1], rtol=0, atol=1e-12)
    # Whatever the trained parts become, the determinant is their business alone.
    other = np.random.default_rng(seed + 1).standard_normal((c, c))
    moved = lu_compose(P, other, other, sign, log_s)
    assert_allclose(np.linalg.slogdet(moved)[1], log_s.sum(), rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-realnvp-glow-conv", by="library")
def test_logdet_of_a_convolution():
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3))
    h, logdet = conv1x1(x, W3)
    assert_allclose(logdet, 64 * math.log(14.6), rtol=1e-13)
    assert_allclose(logdet, 171.58537784, rtol=0, atol=1e-7)
    assert_allclose(h[1, 3, 4], W3.T @ x[1, 3, 4], rtol=1e-13)
    # On a 2 × 2 image the Jacobian is a matrix of size 12.
    y = x[0, :2, :2].ravel()
    found = log_volume(lambda v: conv1x1(v.reshape(1, 2, 2, 3), W3)[0].ravel(), y)
    assert_allclose(conv1x1(x[:1, :2, :2], W3)[1], found, rtol=1e-8)


@pytest.mark.verifies("eq-realnvp-glow-conv", by="closed form")
def test_permutations_and_rotations_keep_volume():
    swap = np.zeros((4, 4))
    swap[[0, 1, 2, 3], [1, 0, 3, 2]] = 1
    h, logdet = conv1x1(np.arange(1.0, 5).reshape(1, 1, 1, 4), swap)
    assert_array_equal(h.ravel(), [2, 1, 4, 3])
    assert_allclose(logdet, 0, atol=1e-12)
    Q = np.linalg.qr(np.random.default_rng(3).standard_normal((7, 7)))[0]
    assert_allclose(lu_params(Q)[4].sum(), 0, atol=1e-12)


def test_bad_matrices_are_refused():
    with pytest.raises(ValueError, match=r"`W` must be invertible, got the pivots"):
        lu_params(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"`W` must be a square matrix, got shape \(2, 3\)"):
        lu_params(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"`W` must be invertible, got a matrix of determinant 0"):
        conv1x1(np.zeros((1, 1, 1, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"`W` must have 2 rows, the channels of `x`, got 3"):
        conv1x1(np.zeros((1, 1, 1, 2)), np.eye(3))
    with pytest.raises(ValueError, match=r"`sign` must have shape \(2,\), got \(3,\)"):
        lu_compose(np.eye(2), np.eye(2), np.eye(2), np.ones(3), np.zeros(2))


# Actnorm and the prior of a split


@pytest.mark.verifies("eq-realnvp-glow-actnorm", by="property")
@given(seed=st.integers(0, 10**6), space=st.sampled_from([(), (3,), (2, 4)]))
@settings(deadline=None, max_examples=30)
def test_actnorm_standardises_the_first_batch(seed, space):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, (40, *space, 3)) * [1, 5, 0.2]
    bias, scale = actnorm_init(x)
    y, logdet = actnorm(x, bias, scale)
    flat = y.reshape(-1, 3)
    assert_allclose(flat.mean(axis=0), 0, atol=1e-12)
    # The small number that is added to the deviation costs 1e-6 / 0.2 at most, or so.
    assert_allclose(flat.std(axis=0), 1, rtol=2e-5)
    back, minus = actnorm(y, bias, scale, inverse=True)
    assert_allclose(back, x, rtol=0, atol=1e-12)
    assert minus == -logdet
    size = math.prod(space) * 3
    found = log_volume(
        lambda v: actnorm(v.reshape(1, *space, 3), bias, scale)[0].ravel(), np.zeros(size)
    )
    assert_allclose(logdet, found, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-realnvp-glow-actnorm", by="closed form")
def test_actnorm_by_hand():
    # Means 2 and 0, deviations 1 and 4.
    bias, scale = actnorm_init([[1.0, -4.0], [3.0, 4.0]], eps=0.0)
    assert_allclose(bias, [-2, 0], atol=1e-15)
    assert_allclose(scale, [0, -2 * LN2], rtol=1e-14)
    y, logdet = actnorm([[5.0, 8.0]], bias, scale)
    assert_allclose(y, [[3, 2]], rtol=1e-14)
    assert_allclose(logdet, -2 * LN2, rtol=1e-14)
    assert_allclose(actnorm(np.ones((1, 3, 5, 2)), bias, scale)[1], -30 * LN2, rtol=1e-14)


def test_bad_channels_are_refused():
    with pytest.raises(ValueError, match=r"`bias` and `log_scale` must have shape \(2,\), one"):
        actnorm(np.zeros((1, 2)), np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, \.\.\., C\) with entries"):
        actnorm_init(np.zeros(3))


@pytest.mark.verifies("eq-realnvp-glow-split", by="closed form")
def test_split_prior_by_hand():
    z, mu, s = [[1, 2], [3, -1]], [[0.5, 0.5], [1, 1]], [[0, LN2], [-LN2, 0]]
    zhat, logdet = split_prior(z, mu, s)
    assert_allclose(zhat, [[0.5, 0.75], [4, -2]], rtol=1e-12)
    assert_allclose(logdet, [-LN2, LN2], rtol=1e-12)
    back, minus = split_prior(zhat, mu, s, inverse=True)
    assert_allclose(back, z, rtol=1e-12)
    assert_array_equal(minus, -logdet)


@pytest.mark.verifies("eq-realnvp-glow-split", by="library")
def test_split_prior_is_the_conditional_normal_density():
    rng = np.random.default_rng(5)
    z, mu, s = rng.standard_normal((3, 4, 2, 2, 3))
    zhat, logdet = split_prior(z, mu, s)
    direct = scipy.stats.norm(mu, np.exp(s)).logpdf(z).sum(axis=(1, 2, 3))
    found = scipy.stats.norm.logpdf(zhat).sum(axis=(1, 2, 3)) + logdet
    assert_allclose(found, direct, rtol=1e-12)


@pytest.mark.verifies("eq-realnvp-glow-split", by="property")
def test_split_prior_with_constants_is_actnorm():
    x = np.random.default_rng(1).standard_normal((3, 4, 4, 2))
    mu, s = np.array([0.3, -1.0]), np.array([0.7, -0.2])
    zhat, logdet = split_prior(x, mu, s)
    y, same = actnorm(x, -mu, -s)
    assert_allclose(zhat, y, rtol=1e-14)
    assert_allclose(logdet, same, rtol=1e-14)


def test_bad_splits_of_the_prior_are_refused():
    with pytest.raises(ValueError, match=r"`mu` must broadcast to the shape \(2, 3\) of `z`, got"):
        split_prior(np.zeros((2, 3)), np.zeros((2, 2)), 0.0)
    with pytest.raises(ValueError, match=r"`log_sigma` must broadcast to the shape"):
        split_prior(np.zeros((2, 3)), 0.0, np.zeros((5, 2, 3)))
    with pytest.raises(ValueError, match=r"`z` must have at least two axes, got shape \(3,\)"):
        split_prior(np.zeros(3), 0.0, 0.0)


def test_zero_initialised_glow_coupling_is_no_identity():
    # sigmoid(0 + 2) by mpmath: the affine layer of the released code starts as a contraction.
    start = float(1 / (1 + mpmath.exp(-2)))
    assert_allclose(start, 0.8807970780, rtol=0, atol=1e-9)
    x = np.array([[0.4, -1.0, 2.0, 3.0]])
    h, logdet = coupling_forward(x, lambda a: math.log(start), lambda a: 0.0, 2)
    assert_allclose(h, [[0.4, -1.0, 2 * start, 3 * start]], rtol=1e-14)
    assert_allclose(logdet / 2, [-0.1269280110], rtol=0, atol=1e-9)
    z, still = flow_forward(init_flow(0), [[0.3, -2.0]])
    assert_array_equal(z, [[0.3, -2.0]])  # an additive or a tanh-scaled layer does
    assert_array_equal(still, 0)


# Planar flows


@pytest.mark.verifies("eq-realnvp-glow-composition", by="property")
@given(seed=st.integers(0, 10**6), k=st.integers(1, 7))
@settings(deadline=None, max_examples=25)
def test_log_determinants_add(seed, k):
    params = wild(seed, 8)
    x = np.random.default_rng(seed).standard_normal((5, 2))
    middle, first = flow_forward(params[:2], x)
    z, second = flow_forward(params[2:], middle)
    whole = flow_forward(params, x)
    assert_allclose(whole[0], z, rtol=1e-14)
    assert_allclose(whole[1], first + second, rtol=0, atol=1e-13)
    found = log_volume(lambda y: flow_forward(params[:k], y[None])[0][0], x[0])
    # Slopes of up to exp(2) a layer: the differences keep six digits at least.
    assert_allclose(flow_forward(params[:k], x)[1][0], found, rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-realnvp-glow-composition", by="property")
@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_flows_are_undone(seed):
    params = wild(seed, 8)
    x = np.random.default_rng(seed).standard_normal((20, 2))
    # Rounding times the condition of eight layers.
    assert_allclose(flow_inverse(params, flow_forward(params, x)[0]), x, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-realnvp-glow-coupling", by="property")
def test_flow_layers_are_couplings():
    first, second = wild(3, 2)
    x = np.random.default_rng(0).standard_normal((6, 2))

    def part(layer, which):
        def network(a):
            (W1, b1), (W2, b2), (W3, b3) = layer
            raw = np.tanh(np.tanh(a @ W1 + b1) @ W2 + b2) @ W3 + b3
            return raw[:, 1:] if which == "shift" else 2 * np.tanh(raw[:, :1] / 2)

        return network

    y, one = coupling_forward(x, part(first, "log_scale"), part(first, "shift"), 1)
    swapped, two = coupling_forward(y[:, ::-1], part(second, "log_scale"), part(second, "shift"), 1)
    z, logdet = flow_forward([first, second], x)
    assert_allclose(z, swapped[:, ::-1], rtol=1e-13)
    assert_allclose(logdet, one + two, rtol=1e-13)


@pytest.mark.verifies("eq-realnvp-glow-change", by="closed form")
def test_an_untrained_flow_is_standard_normal():
    x = np.random.default_rng(0).standard_normal((9, 2))
    expected = scipy.stats.multivariate_normal(np.zeros(2)).logpdf(x)
    assert_allclose(flow_log_prob(init_flow(4), x), expected, rtol=1e-14)


@pytest.mark.verifies("eq-realnvp-glow-change", by="property")
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_densities_integrate_to_one(temperature):
    params = wild(1, 2)
    axis = np.linspace(-12, 12, 601)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    mass = np.exp(flow_log_prob(params, points, temperature)).sum() * (axis[1] - axis[0]) ** 2
    assert_allclose(mass, 1, rtol=0, atol=1e-4)


@pytest.mark.verifies("eq-realnvp-glow-temperature", by="property")
@given(seed=st.integers(0, 10**6), T=st.floats(0.2, 1.5))
@settings(deadline=None, max_examples=25)
def test_temperature_reweights_by_the_volume(seed, T):
    params = wild(seed, 4)
    x = np.random.default_rng(seed).standard_normal((8, 2))
    logdet = flow_forward(params, x)[1]
    rest = flow_log_prob(params, x, T) - flow_log_prob(params, x) / T**2 - (1 - 1 / T**2) * logdet
    # What is left is a constant; by hand, from the two normal densities.
    constant = math.log(2 * math.pi) * (1 / T**2 - 1) - 2 * math.log(T)
    assert_allclose(rest, constant, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-realnvp-glow-gap", by="library")
def test_entropy_and_divergences_of_the_cross():
    negative = kl_from_mixture(lambda x: np.zeros(len(x)), *CROSS)
    assert_allclose(-negative, 2.8246543, rtol=0, atol=1e-6)
    # One blob: the entropy and the divergence from a normal law are known.
    one = ([1.0], [[0.5, -0.3]], [0.8])
    found = kl_from_mixture(scipy.stats.multivariate_normal(np.zeros(2)).logpdf, *one)
    assert_allclose(found, 0.64 - 1 - math.log(0.64) + 0.34 / 2, rtol=1e-6)
    # The cross has covariance 2.25 I: the best normal law, by hand.
    best = kl_from_mixture(scipy.stats.multivariate_normal(np.zeros(2), 2.25).logpdf, *CROSS)
    assert_allclose(best, math.log(2 * math.pi * math.e * 2.25) + negative, rtol=1e-9)
    assert_allclose(best, 0.822, atol=0.02)


@pytest.mark.verifies("eq-realnvp-glow-gap", by="property")
@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=10)
def test_no_flow_beats_the_entropy(seed):
    params = wild(seed, 2)
    nll = kl_from_mixture(lambda x: flow_log_prob(params, x), *CROSS) + 2.8246543
    assert nll > 2.8246543


@pytest.mark.verifies("eq-realnvp-glow-floor", by="library")
def test_floor_of_one_coupling():
    marginal, conditional = coupling_floor(*CROSS)

    # Both integrals again, by scipy's adaptive rule and in another arrangement.
    def normal(x, m):
        return scipy.stats.norm.pdf(x, m, 0.5)

    def p1(x):
        return 0.25 * normal(x, -2) + 0.5 * normal(x, 0) + 0.25 * normal(x, 2)

    def log_ratio(x):
        return p1(x) * (math.log(p1(x)) - scipy.stats.norm.logpdf(x))

    assert_allclose(marginal, quad(log_ratio, -6, 6, limit=200)[0], rtol=0, atol=1e-7)
    assert_allclose(marginal, 0.36319217, rtol=0, atol=1e-6)
    axis = np.linspace(-6, 6, 401)

    def lost(x):
        # x2 | x1 is a blob at 0 or, with probability r, one of two at ±2.
        r = 0.5 * normal(x, 0) / p1(x)
        q = (1 - r) * normal(axis, 0) + r * (normal(axis, -2) + normal(axis, 2)) / 2
        entropy = -np.sum(q * np.log(q)) * (axis[1] - axis[0])
        return p1(x) * (math.log(2 * math.pi * math.e * (0.25 + 4 * r)) / 2 - entropy)

    assert_allclose(conditional, quad(lost, -5, 5, limit=100)[0], rtol=0, atol=1e-5)
    assert_allclose(marginal + conditional, 0.70250148, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-realnvp-glow-floor", by="closed form")
def test_one_blob_needs_no_second_layer():
    marginal, conditional = coupling_floor([1.0], [[0.4, 3.0]], [0.5])
    assert_allclose(marginal, (0.25 - 1 + 0.16) / 2 - math.log(0.5), rtol=1e-8)
    assert_allclose(conditional, 0, atol=1e-7)


def test_training_reaches_the_quoted_divergences(flows):
    found = {k: divergence(params) for k, params in flows.items()}
    floor = sum(coupling_floor(*CROSS))
    # The exact divergence of one coupling can only lie above the floor.
    assert floor - 1e-6 < found[1] < 0.80
    assert found[2] < 0.35
    assert found[6] < 0.12
    assert found[8] < found[2] < found[1]


def test_trained_flows_are_undone_and_normalised(flows, data):
    axis = np.linspace(-6, 6, 301)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    for params in flows.values():
        back = flow_inverse(params, flow_forward(params, data[:2000])[0])
        assert_allclose(back, data[:2000], rtol=0, atol=1e-10)
        assert -flow_log_prob(params, data).mean() > 2.81  # entropy, up to the sample
    mass = np.exp(flow_log_prob(flows[8], points)).sum() * 0.04**2
    assert_allclose(mass, 1, rtol=0, atol=1e-4)


def test_cooling_starves_blobs(flows):
    z = np.random.default_rng(1).standard_normal((20_000, 2))

    def measured(T):
        away = np.linalg.norm(flow_inverse(flows[8], T * z)[:, None] - CENTRES, axis=-1)
        share = np.bincount(away.argmin(axis=1), minlength=4).max() / len(z)
        nearest = away.min(axis=1)
        return np.mean(nearest > 1.5), np.sqrt(np.mean(nearest**2)), share

    assert measured(0.8)[0] < 0.6 * measured(1.0)[0]
    assert measured(0.5)[1] > 0.5  # a true power of the density would give 0.35
    assert measured(0.3)[2] > 0.32


def test_training_path(data):
    path, history = training_path(data[:500], 1, hidden=4, steps=6, batch=16, every=3)
    assert len(path) == 3
    assert history.shape == (6,)
    assert_allclose(flow_log_prob(path[0], data), flow_log_prob(init_flow(0, 1, 4), data))
    params, same = fit_flow(data[:500], 1, hidden=4, steps=6, batch=16)
    # Single precision, compiled twice.
    assert_allclose(same, history, rtol=1e-5)
    assert_allclose(flow_log_prob(params, data), flow_log_prob(path[-1], data), atol=1e-4)


def test_bad_training_is_refused():
    x = np.zeros((5, 2))
    with pytest.raises(ValueError, match=r"`every` must divide `steps` = 10, got 3"):
        training_path(x, steps=10, every=3)
    with pytest.raises(ValueError, match=r"`lr` must be positive and finite, got 0"):
        fit_flow(x, lr=0)
    with pytest.raises(ValueError, match=r"`x` must have shape \(n, 2\), points of the plane"):
        fit_flow(np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"`n_couplings` must be a positive integer, got 0"):
        init_flow(0, 0)
    with pytest.raises(ValueError, match=r"`temperature` must be positive and finite, got 0"):
        flow_log_prob(init_flow(0), x, 0)
    with pytest.raises(ValueError, match=r"`z` must have shape \(n, 2\)"):
        flow_inverse(init_flow(0), np.zeros(2))
    with pytest.raises(ValueError, match=r"`means` must have shape \(n, 2\)"):
        kl_from_mixture(len, [1.0], [[0.0]], [1.0])


def test_far_points_stay_finite(flows):
    far = [[1e3, -1e3], [0.0, 1e4]]
    assert np.all(np.isfinite(flow_log_prob(flows[8], far)))
    assert np.all(np.isfinite(gmm_logpdf(far, *CROSS)))


def test_numbers_quoted_in_the_chapter():
    # The density of the data between two blobs: two at the root of 2, two at the root of 10.
    squares = np.array([2.0, 2.0, 10.0, 10.0])
    assert_allclose(np.mean(np.exp(-squares / 0.5)) / (2 * np.pi * 0.25), 0.0058, atol=5e-5)
    # In a blob -log q is exponential; its mean near the centre, and between 2 and 3 deviations.
    inside = scipy.stats.truncexpon(0.5).mean()
    outside = 2 + scipy.stats.truncexpon(2.5).mean()
    assert_allclose(outside - inside, 2.5, atol=0.06)
    # The explorer of a coupling at its ends, the untrained flow, and Glow's density.
    widths = np.exp(coupling_forward([[-1.0, 0], [1.0, 0]], lambda u: np.tanh(2 * u), abs, 1)[1])
    assert_allclose(widths, [0.38, 2.62], atol=0.005)
    assert_allclose(divergence(init_flow(0)), 1.26, atol=0.005)
    assert_allclose(divergence(init_flow(0)), 2.25 + math.log(2 * math.pi) - 2.8246543, atol=1e-6)
    assert_allclose(3072 * LN2 * 4.65, 9901.5, atol=0.05)
