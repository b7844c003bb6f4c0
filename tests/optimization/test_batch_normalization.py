"""Facts that the chapter on batch normalization claims."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler

from scispaces.optimization.adaptive_learning_rates import gradient_descent
from scispaces.optimization.batch_normalization import (
    batch_norm_backward,
    batch_norm_forward,
    condition_number,
    gd_iterations,
    second_moment,
    smoothness,
    standardize,
    trace_bound,
    update_running_stats,
)

X = np.array([[1, 2], [3, 2.5], [5, 6], [7, 3.5]])
DY = np.array([[1, 0], [0, 2], [-1, 1], [3, 0.5]])
CENTRED = X - X.mean(axis=0)
seeds = st.integers(0, 10_000)


def batch(seed, n=8, d=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.exp(rng.uniform(-1, 1, d)) + rng.uniform(-3, 3, d)


def squared(x, y):
    """Mean of half the squared error of a linear model, and its gradient."""
    design = np.column_stack([x, np.ones(len(x))])
    return (
        lambda w: np.mean((design @ w - y) ** 2) / 2,
        lambda w: design.T @ (design @ w - y) / len(y),
    )


@pytest.mark.verifies("eq-batch-normalization-descent", by="property")
@given(seeds)
@settings(deadline=None)
def test_descent_lemma(seed):
    rng = np.random.default_rng(seed)
    x, y = batch(seed), rng.normal(size=8)
    loss, grad = squared(x, y)
    top = smoothness(x)
    w, step = rng.normal(size=(2, 4))
    rise = loss(w + step) - loss(w) - grad(w) @ step
    assert rise <= top / 2 * step @ step * (1 + 1e-9) + 1e-9
    # Along the top eigenvector it is an equality.
    steepest = np.linalg.eigh(second_moment(x, True))[1][:, -1]
    rise = loss(w + steepest) - loss(w) - grad(w) @ steepest
    assert_allclose(rise, top / 2, rtol=1e-8)


@pytest.mark.verifies("eq-batch-normalization-rate", by="property")
@given(seeds, st.floats(0.1, 1.9))
@settings(deadline=None)
def test_guaranteed_descent(seed, share):
    rng = np.random.default_rng(seed)
    x, y = batch(seed), rng.normal(size=8)
    loss, grad = squared(x, y)
    top, w = smoothness(x), rng.normal(size=4)
    eta, g = share / smoothness(x), grad(w)
    assert loss(w - eta * g) <= loss(w) - eta * (1 - eta * top / 2) * g @ g + 1e-9 * loss(w)


@pytest.mark.verifies("eq-batch-normalization-rate", by="property")
def test_two_over_the_smoothness_is_the_limit():
    loss, grad = squared(X, np.array([1.0, -1, 2, 0]))
    top = smoothness(X)
    safe = [loss(w) for w in gradient_descent(grad, np.zeros(3), 1 / top, 300)]
    assert np.all(np.diff(safe) <= 0)
    assert loss(gradient_descent(grad, np.zeros(3), 2.02 / top, 2000)[-1]) > 1e6


@pytest.mark.verifies("eq-batch-normalization-cauchy", by="property")
@given(seeds)
@settings(deadline=None)
def test_cauchy_schwarz(seed):
    x, weight = batch(seed), np.random.default_rng(seed).normal(size=8)
    left = np.linalg.norm(np.mean(weight[:, None] * x, axis=0))
    assert left <= math.sqrt(np.mean(weight**2) * trace_bound(x)) * (1 + 1e-12)
    # In one dimension, with weights proportional to the input, it is an equality.
    x = x[:, :1]
    left = abs(np.mean(3 * x * x))
    assert_allclose(left, math.sqrt(np.mean((3 * x) ** 2) * trace_bound(x)), rtol=1e-12)


@pytest.mark.verifies("eq-batch-normalization-shift", by="closed form")
@given(seeds, st.floats(-5, 5))
@settings(deadline=None)
def test_the_mean_is_the_best_shift(seed, mu):
    x = batch(seed)
    excess = 3 * mu**2 - 2 * mu * x.mean(axis=0).sum() + np.sum(x.mean(axis=0) ** 2)
    assert_allclose(
        trace_bound(x, mu), trace_bound(x, x.mean(axis=0)) + excess, rtol=1e-10, atol=1e-10
    )


@pytest.mark.verifies("eq-batch-normalization-scale", by="property")
@given(seeds)
@settings(deadline=None)
def test_every_feature_counts_one(seed):
    x = batch(seed)
    z, mu, std = standardize(x)
    assert_allclose(trace_bound(x, mu, std), 3, rtol=1e-12)
    assert_allclose(np.diag(second_moment(z)), 1, rtol=1e-12)
    assert_allclose(z, StandardScaler().fit_transform(x), rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-batch-normalization-trace", by="closed form")
def test_trace_bounds():
    shifted = trace_bound(X, X.mean(axis=0))
    assert_allclose([trace_bound(X), shifted], [35.625, 7.375], rtol=0, atol=1e-12)
    assert_allclose(trace_bound(X, X.mean(axis=0), X.std(axis=0)), 2, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-batch-normalization-trace", by="property")
@given(seeds)
@settings(deadline=None)
def test_trace_against_the_largest_eigenvalue(seed):
    x = batch(seed)
    total = trace_bound(x) + 1
    assert smoothness(x) <= total * (1 + 1e-12)
    assert total <= 4 * smoothness(x) * (1 + 1e-12)
    centred = x - x.mean(axis=0)
    assert smoothness(centred, fit_intercept=False) <= smoothness(x, fit_intercept=False) + 1e-9
    assert smoothness(centred) <= smoothness(x) + 1e-9


@pytest.mark.verifies("eq-batch-normalization-exact", by="table")
def test_smoothness():
    found = [smoothness(X), smoothness(X, fit_intercept=False)]
    assert_allclose(found, [34.9580076982, 34.1269155963], rtol=0, atol=1e-8)
    assert_array_equal(second_moment(X, True)[-1], [4, 3.5, 1])
    assert_allclose(second_moment(X), [[21, 16], [16, 14.625]], rtol=1e-14)


@pytest.mark.verifies("eq-batch-normalization-logistic", by="property")
@given(seeds)
@settings(deadline=None)
def test_smoothness_of_the_logistic_loss(seed):
    rng = np.random.default_rng(seed)
    x = batch(seed)
    design = np.column_stack([x, np.ones(8)])
    w = 0.3 * rng.normal(size=4)
    p = 1 / (1 + np.exp(-design @ w))
    hessian = design.T @ (design * (p * (1 - p))[:, None]) / 8
    assert np.linalg.eigvalsh(hessian)[-1] <= smoothness(x, "logistic") * (1 + 1e-12)
    # At weights zero the bound is reached.
    assert_allclose(
        np.linalg.eigvalsh(design.T @ design / 4 / 8)[-1], smoothness(x, "logistic"), rtol=1e-12
    )


def test_smoothness_of_the_logistic_loss_in_numbers():
    assert_allclose(smoothness(X, "logistic"), 8.7395019245, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-batch-normalization-one-dim", by="closed form")
@given(mu=st.floats(-20, 20), sigma=st.floats(0.1, 4))
@settings(deadline=None)
def test_one_feature(mu, sigma):
    x = np.array([[mu - sigma], [mu + sigma]])
    t = sigma**2 + mu**2 + 1
    root = math.sqrt(t * t - 4 * sigma**2)
    values = np.linalg.eigvalsh(second_moment(x, True))
    assert_allclose(values, [(t - root) / 2, (t + root) / 2], rtol=1e-9, atol=1e-11 * t)
    assert_allclose(smoothness(x), (t + root) / 2, rtol=1e-12)


@pytest.mark.verifies("eq-batch-normalization-kappa", by="closed form")
@given(mu=st.floats(-20, 20), sigma=st.floats(0.1, 4))
@settings(deadline=None)
def test_condition_of_one_feature(mu, sigma):
    x = np.array([[mu - sigma], [mu + sigma]])
    t = sigma**2 + mu**2 + 1
    top = (t + math.sqrt(t * t - 4 * sigma**2)) / 2
    # The product of the eigenvalues is the determinant, sigma^2.
    assert_allclose(condition_number(x), top**2 / sigma**2, rtol=1e-9)


@pytest.mark.verifies("eq-batch-normalization-kappa", by="table")
def test_condition_numbers():
    x = np.array([[9.0], [11.0]])
    assert_allclose(smoothness(x), 101.9901951359, rtol=0, atol=1e-6)
    assert_allclose(condition_number(x), 10401.9999039, rtol=0, atol=1e-6)
    assert_allclose(condition_number(x) / 10**4, 1.0402, atol=1e-4)
    x = np.array([[2.9], [3.1]])
    assert_allclose(smoothness(x), 10.0090008993, rtol=0, atol=1e-4)
    assert_allclose(condition_number(x), 10018.0099002, rtol=0, atol=1e-4)
    found = [condition_number(v) for v in (X, CENTRED, standardize(X)[0])]
    assert_allclose(found, [235.669031267, 6.0797074011, 3.7662284130], rtol=0, atol=1e-7)
    assert condition_number(np.array([[2.0], [2.0]])) == math.inf
    assert condition_number(np.ones((1, 3))) == math.inf


def points_with_moment(matrix):
    """Points with mean zero whose second moment is the given matrix."""
    d = len(matrix)
    rows = math.sqrt(d) * np.linalg.cholesky(matrix).T
    return np.vstack([rows, -rows])


@pytest.mark.verifies("eq-batch-normalization-sluis", by="literature")
@given(seeds)
@settings(deadline=None, max_examples=25)
def test_unit_diagonal_is_within_a_factor_of_d(seed):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(3, 4))
    moment = factor @ factor.T * np.outer(*[np.exp(rng.uniform(-2, 2, 3))] * 2)
    x = points_with_moment(moment)
    z = standardize(x)[0]

    def log_condition(scale):
        return math.log(condition_number(z * np.exp(scale), fit_intercept=False))

    best = minimize(log_condition, np.zeros(3), method="Nelder-Mead", options={"maxiter": 300})
    # A. van der Sluis (1969): no diagonal scaling is better by more than a factor of d.
    assert log_condition(np.zeros(3)) <= best.fun + math.log(3) + 1e-9


def test_standardising_can_make_it_worse():
    x = points_with_moment(
        np.array([[2.51, 2.798, 1.23], [2.798, 3.199, 1.395], [1.23, 1.395, 0.67]])
    )
    assert_allclose(condition_number(x, False), 179.69, rtol=0, atol=0.005)
    assert_allclose(condition_number(standardize(x)[0], False), 235.14, rtol=0, atol=0.005)


def sheet():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) * [1, 0.5, 3, 0.2, 2, 1] + [5, -3, 10, 0, 20, 1]
    w = rng.normal(size=6)
    return x, x @ w + 0.1 * rng.normal(size=200) + 2


@pytest.mark.verifies("eq-batch-normalization-iterations", by="table")
def test_iterations():
    x, y = sheet()
    z, mu, std = standardize(x)
    raw = gd_iterations(x, y, max_steps=2_000_000)
    assert_allclose(raw, 189256, rtol=1e-3)
    found = [gd_iterations(v, y) for v in (x / std, x - mu, z)]
    assert_allclose(found, [65339, 288, 5], rtol=0.01)
    for v, n in ((x, raw), (x / std, found[0]), (x - mu, found[1]), (z, found[2])):
        assert n <= condition_number(v) / 2 * math.log(1e6) + 1
    with pytest.raises(RuntimeError, match="`max_steps` = 1000 steps do not reach 1e-06"):
        gd_iterations(x, y, max_steps=1000)


@pytest.mark.verifies("eq-batch-normalization-iterations", by="property")
@given(seeds, st.booleans())
@settings(deadline=None, max_examples=30)
def test_iterations_are_those_of_gradient_descent(seed, centre):
    x = batch(seed, n=12)
    x = standardize(x)[0] if centre else x
    y = np.random.default_rng(seed).normal(size=12)
    loss, grad = squared(x, y)
    best = loss(np.linalg.lstsq(np.column_stack([x, np.ones(12)]), y, rcond=None)[0])
    n = gd_iterations(x, y, tol=1e-2)
    if n > 3000:
        return
    path = gradient_descent(grad, np.zeros(4), 1 / smoothness(x), n + 1)
    left = np.array([loss(w) - best for w in path]) / (loss(np.zeros(4)) - best)
    assert left[n] <= 1e-2 * (1 + 1e-8)
    assert n == 0 or left[n - 1] > 1e-2 * (1 - 1e-8)


def test_iterations_with_dependent_features():
    # A direction along which the loss is flat was once counted as loss that never falls.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    x = np.column_stack([x, x.sum(axis=1)])
    y = x[:, 0] + rng.normal(size=30)
    loss, grad = squared(x, y)
    best = loss(np.linalg.lstsq(np.column_stack([x, np.ones(30)]), y, rcond=None)[0])
    path = gradient_descent(grad, np.zeros(4), 1 / smoothness(x), 200)
    left = np.array([loss(w) - best for w in path]) / (loss(np.zeros(4)) - best)
    assert gd_iterations(x, y) == np.argmax(left <= 1e-6) > 10
    assert gd_iterations(np.zeros((3, 2)), [1, 2, 3], fit_intercept=False) == 0


# Keras 3.15.1 (JAX) with training=True, epsilon 1e-3; single precision inside.
KERAS = [
    [-1.68301332, -1.48656178],
    [0.10566235, -1.32437444],
    [1.89433765, -0.18906355],
    [3.68301344, -1.0],
]
# jax.vjp of the same formula in double precision.
JAX_DX = [
    [0.8942036378555015, -0.2582300001545877],
    [-0.4472135887939894, 0.3819865400119145],
    [-1.7886308154434807, -0.0021160798320888907],
    [1.3416407663819685, -0.12164046002523798],
]


@pytest.mark.verifies("eq-batch-normalization-forward", by="library")
def test_forward():
    y, _ = batch_norm_forward(X, (2, 0.5), (1, -1), 1e-3)
    assert_allclose(y, KERAS, rtol=0, atol=3e-7)
    by_hand = [-1.68301329, 0.10566224, 1.89433776, 3.68301329]
    assert_allclose(y[:, 0], by_hand, rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-batch-normalization-backward", by="library")
def test_backward():
    _, cache = batch_norm_forward(X, (2, 0.5), (1, -1), 1e-3)
    dx, dgamma, dbeta = batch_norm_backward(DY, cache)
    # jax differentiated in single precision where it met its own constants.
    assert_allclose(dx, JAX_DX, rtol=0, atol=1e-7)
    assert_allclose(dgamma, [2.2358444, 0.32437456], rtol=0, atol=1e-7)
    assert_allclose(dbeta, [3, 3.5], rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-batch-normalization-backward", by="property")
@given(seeds)
@settings(deadline=None, max_examples=30)
def test_backward_against_differences(seed):
    rng = np.random.default_rng(seed)
    x, dy = batch(seed, 6), rng.normal(size=(6, 3))
    gamma, beta = rng.normal(size=(2, 3))

    def value(x, gamma, beta):
        return np.sum(dy * batch_norm_forward(x, gamma, beta)[0])

    dx, dgamma, dbeta = batch_norm_backward(dy, batch_norm_forward(x, gamma, beta)[1])
    h = 1e-5
    for i, j in ((0, 0), (2, 1), (5, 2)):
        step = np.zeros((6, 3))
        step[i, j] = h
        slope = (value(x + step, gamma, beta) - value(x - step, gamma, beta)) / (2 * h)
        assert_allclose(dx[i, j], slope, rtol=1e-4, atol=1e-5)
    for j in range(3):
        step = h * np.eye(3)[j]
        slope = (value(x, gamma + step, beta) - value(x, gamma - step, beta)) / (2 * h)
        assert_allclose(dgamma[j], slope, rtol=1e-6, atol=1e-6)
        slope = (value(x, gamma, beta + step) - value(x, gamma, beta - step)) / (2 * h)
        assert_allclose(dbeta[j], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.verifies("eq-batch-normalization-projection", by="property")
@given(seeds)
@settings(deadline=None)
def test_backward_is_a_projection(seed):
    x, dy = batch(seed), np.random.default_rng(seed).normal(size=(8, 3))
    _, cache = batch_norm_forward(x, 1.7, 0.3, 0)
    normal, std, gamma = cache
    dx = batch_norm_backward(dy, cache)[0]
    assert_allclose(dx.sum(axis=0), 0, atol=1e-10)
    assert_allclose(np.sum(dx * normal, axis=0), 0, atol=1e-10)
    right = np.sum(dy**2, axis=0) - (dy.sum(axis=0) ** 2 + np.sum(dy * normal, axis=0) ** 2) / 8
    assert_allclose(np.sum(dx**2, axis=0), (gamma / std) ** 2 * right, rtol=1e-9, atol=1e-10)
    # Twice is once.
    again = batch_norm_backward(dx * std / gamma, cache)[0]
    assert_allclose(again, dx, rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-batch-normalization-projection", by="table")
def test_length_of_the_gradient():
    _, cache = batch_norm_forward(X, (2, 0.5), (1, -1), 0)
    found = np.sum(batch_norm_backward(DY, cache)[0] ** 2, axis=0)
    assert_allclose(found, [6, 0.22749307], rtol=0, atol=1e-7)


@pytest.mark.verifies("eq-batch-normalization-forward", by="property")
@given(seeds, st.floats(0.1, 10), st.floats(-5, 5))
@settings(deadline=None)
def test_shift_and_scale_of_the_batch_do_not_matter(seed, a, c):
    x = batch(seed)
    y = batch_norm_forward(x, (1, 2, 3), (0, 1, -1), 0)[0]
    assert_allclose(batch_norm_forward(a * x + c, (1, 2, 3), (0, 1, -1), 0)[0], y, atol=1e-9)
    flipped = batch_norm_forward(-a * x + c, (1, 2, 3), 0, 0)[0]
    assert_allclose(flipped, -(y - np.array([0, 1, -1])), atol=1e-9)
    y = batch_norm_forward(x, 2, 3, 0.5)[0]
    assert_allclose(y.mean(axis=0), 3, rtol=1e-10)
    assert_allclose(y.var(axis=0), 4 * x.var(axis=0) / (x.var(axis=0) + 0.5), rtol=1e-10)


def scale_free(seed, n=20):
    """Loss and gradient of a linear layer before a normalisation."""
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=(n, 4)) * [1, 3, 0.5, 1], rng.normal(size=(n, 2))

    def value_and_grad(w):
        y, cache = batch_norm_forward(x @ w, 1.3, 0.2, 0)
        dy = (y - target) / n
        return np.sum((y - target) ** 2) / 2 / n, x.T @ batch_norm_backward(dy, cache)[0]

    return value_and_grad, rng.normal(size=(4, 2))


@pytest.mark.verifies("eq-batch-normalization-scale-free", by="property")
@given(seeds, st.floats(0.2, 5))
@settings(deadline=None)
def test_size_of_the_weights_does_not_matter(seed, a):
    value_and_grad, w = scale_free(seed)
    value, grad = value_and_grad(w)
    larger, smaller_grad = value_and_grad(a * w)
    assert_allclose(larger, value, rtol=1e-9)
    assert_allclose(np.sum(w * grad, axis=0), 0, atol=1e-10)
    assert_allclose(smaller_grad, grad / a, rtol=1e-7, atol=1e-9)


@pytest.mark.verifies("eq-batch-normalization-growth", by="property")
def test_weights_grow_by_pythagoras():
    value_and_grad, w = scale_free(3)
    for _ in range(20):
        grad = value_and_grad(w)[1]
        after = w - 0.7 * grad
        assert_allclose(np.sum(after**2), np.sum(w**2) + 0.49 * np.sum(grad**2), rtol=1e-12)
        w = after


def test_running_stats():
    mean, var = update_running_stats([0, 0], [1, 1], X, 0.99)
    # Keras gives 0.04, 0.035 and 1.04, 1.01375.
    assert_allclose(mean, [0.04, 0.035], rtol=1e-12)
    assert_allclose(var, [1.04, 1.01375], rtol=1e-12)
    unbiased = update_running_stats([0, 0], [1, 1], X, 0.9, unbiased=True)[1]
    assert_allclose(unbiased, 0.9 + 0.1 * X.var(axis=0, ddof=1), rtol=1e-12)


# The training run of the chapter: 10 features, three hidden layers of 32.

SHAPES = [(10, 32), (32,), (32, 32), (32,), (32, 32), (32,), (32, 1), (1,)]


def problem(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 10)) * np.exp(rng.uniform(-1, 1, 10)) + rng.uniform(-3, 3, 10)
    z = standardize(x)[0]
    y = np.sin(2 * z[:, 0]) + z[:, 1] * z[:, 2] + 0.5 * z[:, 3]
    start = [rng.normal(size=s) / math.sqrt(s[0]) if len(s) == 2 else np.zeros(s) for s in SHAPES]
    return x, (y - y.mean()) / y.std(), np.concatenate([p.ravel() for p in start])


def train(seed, normalise, lr, steps=200):
    x, y, w = problem(seed)
    ends = np.cumsum([np.prod(s) for s in SHAPES])[:-1]
    for _ in range(steps):
        p = [v.reshape(s) for v, s in zip(np.split(w, ends), SHAPES, strict=True)]
        h, caches = x, []
        for i in range(4):
            inner, cache = h, None
            if normalise and i < 3:
                inner, cache = batch_norm_forward(h, 1.0, 0.0)
            out = inner @ p[2 * i] + p[2 * i + 1]
            h = np.tanh(out) if i < 3 else out
            caches.append((inner, cache, h))
        off = h[:, 0] - y
        if not np.mean(off**2) < 1e4:
            return math.inf
        d, slopes = off[:, None] / 200, []
        for i in (3, 2, 1, 0):
            inner, cache, h = caches[i]
            if i < 3:
                d = d * (1 - h * h)
            slopes = [inner.T @ d, d.sum(0), *slopes]
            d = d @ p[2 * i].T
            if cache is not None:
                d = batch_norm_backward(d, cache)[0]
        w = w - lr * np.concatenate([s.ravel() for s in slopes])
    return np.mean(off**2) / 2


def test_only_the_mean_couples():
    # The smallest eigenvalue of six features does not see their units, only their means.
    rng = np.random.default_rng(0)
    data = rng.normal(size=(200, 6)) * [1, 0.5, 3, 0.2, 2, 1] + [5, -3, 10, 0, 20, 1]
    mean, spread = data.mean(axis=0), data.std(axis=0)
    expected = {
        "raw": (data, 532, 5.88e-3),
        "divided": (data / spread, None, 5.89e-3),
        "centred": (data - mean, 9.3, 4.06e-2),
    }
    for x, largest, smallest in expected.values():
        if largest:
            assert_allclose(smoothness(x), largest, rtol=6e-3)
        assert_allclose(smoothness(x) / condition_number(x), smallest, rtol=1e-2)
    for x in (data, data / spread):
        corner = np.linalg.inv(second_moment(x, fit_intercept=True))[-1, -1]
        assert_allclose(corner, 169, atol=0.5)
        inverse = np.linalg.inv(np.cov(x.T, bias=True))
        assert_allclose(corner, 1 + x.mean(axis=0) @ inverse @ x.mean(axis=0), rtol=1e-9)


def test_training_run_of_the_chapter():
    plain = {lr: [train(s, False, lr) for s in range(3)] for lr in (0.1, 0.2, 0.4)}
    normal = {lr: [train(s, True, lr) for s in range(3)] for lr in (0.1, 0.3, 0.5, 0.8)}
    best_plain = min(np.mean(v) for v in plain.values())
    best_normal = min(np.mean(v) for v in normal.values())
    # Measured 0.144 and 0.017.
    assert best_normal < 0.4 * best_plain
    assert np.all(np.isfinite(normal[0.5]))
    assert not np.any(np.isfinite(plain[0.4]))
    assert not np.any(np.isfinite(normal[0.8]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: second_moment([1, 2]), r"`x` must have shape \(n, d\) and entries, got \(2,\)"),
        (lambda: second_moment([[math.nan]]), "`x` must be finite, got nan"),
        (lambda: trace_bound(X, 0, 0), "`sigma` must be positive, got 0"),
        (lambda: smoothness(X, "hinge"), "`loss` must be .* got 'hinge'"),
        (lambda: standardize(X, -1), "`eps` must be finite and not negative, got -1"),
        (lambda: standardize([[1.0], [1.0]]), "`eps` must be positive where a column is constant"),
        (lambda: batch_norm_forward(X[:1], 1, 0), "`x` must have at least 2 rows, got 1"),
        (lambda: batch_norm_forward(X, 1, 0, -1), "`eps` must be finite and not negative"),
        (lambda: batch_norm_forward([[1.0], [1.0]], 1, 0, 0), "`eps` must be positive where"),
        (
            lambda: batch_norm_backward(DY[:2], batch_norm_forward(X, 1, 0)[1]),
            r"`dy` must have the shape \(4, 2\) of the batch, got \(2, 2\)",
        ),
        (lambda: update_running_stats(0, 1, X, 2), "`momentum` must be between 0 and 1, got 2"),
        (lambda: update_running_stats(0, 1, X[:1], 0.9, True), "`x` must have at least 2 rows for"),
        (lambda: gd_iterations(X, [1, 2]), r"`y` must have shape \(4,\) to match `x`, got \(2,\)"),
        (lambda: gd_iterations(X, np.ones(4), 1), "`tol` must be between 0 and 1, got 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
