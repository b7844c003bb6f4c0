"""Facts that the chapter on reparameterization claims."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, logit

from scispaces.probability.reparameterization import (
    categorical_score_grad,
    concrete_logpdf,
    gradient_variances,
    gumbel_max,
    gumbel_softmax,
    pathwise_grad,
    relaxed_expectation,
    score_function_grad,
)
from scispaces.probability.softmax_alternatives import softmax

logits = arrays(float, st.integers(2, 5), elements=st.floats(-4, 4).map(lambda v: round(v, 3)))
seeds = st.integers(0, 10**6)


def itself(y):
    return y


# --- Gumbel noise


@pytest.mark.verifies("eq-reparameterization-gumbel-max", by="property")
def test_frequencies():
    o = np.array([1, 0, -1, 0.5])
    index = gumbel_max(o, np.random.default_rng(1).uniform(size=(400_000, 4)))
    shares = np.bincount(index, minlength=4) / 400_000
    # Four standard errors of a share.
    assert_allclose(shares, softmax(o), rtol=0, atol=4 * 0.5 / math.sqrt(400_000))
    assert_allclose(shares, [0.4731, 0.1742, 0.0644, 0.2883], rtol=0, atol=6e-5)


@pytest.mark.verifies("eq-reparameterization-gumbel-max", by="closed form")
def test_probability_by_integration():
    # Given u₁, class 1 beats class j with probability u₁^(p_j / p₁); the product is integrated.
    p = np.array([0.2, 0.3, 0.5])
    for i in range(3):
        others = np.delete(p, i)
        won = scipy.integrate.quad(lambda u, i=i, o=others: u ** (o.sum() / p[i]), 0, 1)[0]
        assert_allclose(won, p[i], rtol=1e-10)
    # The same boundary in the module: the first class wins just above it.
    u1 = 0.6
    edge = u1 ** (p[1] / p[0])
    for u2, winner in ((edge * (1 - 1e-9), 0), (edge * (1 + 1e-9), 1)):
        assert gumbel_max(np.log(p), [u1, u2, 0.0]) == winner


def test_events_are_not_independent():
    # The post's product needs a given u₁: without it, the events share that number.
    p = np.full(3, 1 / 3)
    each = p[0] / (p[0] + p[1])
    assert_allclose([each**2, p[0]], [1 / 4, 1 / 3])
    u = np.random.default_rng(3).uniform(size=(100_000, 3))
    beats = u[:, :1] > u[:, 1:]
    assert_allclose(beats.mean(0), 0.5, atol=4 * 0.5 / math.sqrt(100_000))
    assert_allclose(beats.all(1).mean(), 1 / 3, atol=4 * 0.5 / math.sqrt(100_000))


def test_gumbel_numbers_have_the_gumbel_law():
    # Two classes whose logits differ by d: the difference of Gumbel variables is logistic.
    u = np.linspace(0.001, 0.999, 333)
    gumbel = scipy.stats.gumbel_r.ppf(u)
    relaxed = gumbel_softmax([0.3, 0.0], np.stack([u, np.full_like(u, 0.5)], axis=1), 0.7)
    expected = expit((0.3 + gumbel - scipy.stats.gumbel_r.ppf(0.5)) / 0.7)
    assert_allclose(relaxed[:, 0], expected, rtol=1e-12)


@pytest.mark.verifies("eq-reparameterization-gumbel-max", by="property")
@given(logits, seeds, st.floats(1e-3, 10))
def test_argmax_is_exact_at_every_temperature(o, seed, tau):
    u = np.random.default_rng(seed).uniform(size=(20, len(o)))
    relaxed = gumbel_softmax(o, u, tau)
    assert_allclose(relaxed.sum(-1), 1, rtol=1e-12)
    assert np.array_equal(relaxed.argmax(-1), gumbel_max(o, u))
    assert_allclose(gumbel_softmax(o + 3, u, tau), relaxed, rtol=0, atol=1e-9)


def test_one_relaxed_sample():
    u = [0.3, 0.9, 0.6]
    expected = [0.0532655432, 0.9413149915, 0.0054194653]
    assert_allclose(gumbel_softmax([1, 0, -1], u, 0.5), expected, rtol=0, atol=1e-10)
    assert gumbel_max([1, 0, -1], u) == 1


def test_ends_of_the_uniform_numbers_are_allowed():
    assert gumbel_max([0, 0], [0.0, 1.0]) == 1
    assert np.all(np.isfinite(gumbel_softmax([0, 0], [[0.0, 1.0], [1.0, 1.0]], 1e-3)))


# --- the density on the simplex


@pytest.mark.verifies("eq-reparameterization-density", by="table")
def test_density_number():
    value = concrete_logpdf([0.2, 0.5, 0.3], np.log([0.2, 0.3, 0.5]), 0.7)
    assert_allclose(value, -0.0193881089, rtol=0, atol=1e-10)


@pytest.mark.verifies("eq-reparameterization-density", by="library")
@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_density_integrates_to_one(tau):
    o = np.log([0.2, 0.3, 0.5])

    # In the logarithms of ratios the volume is y1 y2 y3 and the tails are exponential, so that the
    # trapezoidal rule converges fast.
    step = 0.25 / tau
    a, b = np.meshgrid(*[step * np.arange(-160, 161)] * 2)
    y = softmax(np.stack([a, b, np.zeros_like(a)], axis=-1))
    total = np.sum(np.exp(concrete_logpdf(y, o, tau)) * np.prod(y, axis=-1)) * step**2
    assert_allclose(total, 1, rtol=1e-10)


@pytest.mark.verifies("eq-reparameterization-density", by="closed form")
@given(st.floats(0.01, 0.99), st.floats(-3, 3), st.floats(0.2, 3))
def test_density_of_two_classes(y, o, tau):
    # Push the logistic density through y = sigmoid((o + noise) / tau).
    noise = tau * logit(y) - o
    expected = scipy.stats.logistic.pdf(noise) * tau / (y * (1 - y))
    assert_allclose(np.exp(concrete_logpdf([y, 1 - y], [o, 0], tau)), expected, rtol=1e-10)


def test_equal_logits_at_temperature_one():
    y = np.array([0.1, 0.4, 0.8])
    assert_allclose(concrete_logpdf(np.stack([y, 1 - y], 1), [0, 0], 1), 0, atol=1e-13)
    centre, off = concrete_logpdf([[1 / 3] * 3, [0.1, 0.1, 0.8]], [0, 0, 0], 1)
    assert_allclose(centre, math.log(2), rtol=1e-13)  # constant for two classes only
    assert abs(off - centre) > 0.1


# --- the relaxed mean


def warm_mean(o):
    a = math.exp(o)
    return a / (a - 1) - a * math.log(a) / (a - 1) ** 2


@pytest.mark.verifies("eq-reparameterization-warm", by="closed form")
def test_mean_at_temperature_one():
    value = relaxed_expectation(itself, math.log(3), 1)
    assert_allclose(value, 1.5 - 0.75 * math.log(3), rtol=0, atol=1e-12)
    assert_allclose(value, 0.676040783499, rtol=0, atol=1e-12)
    values = [relaxed_expectation(itself, o, 1) for o in (1, 2)]
    assert_allclose(values, [0.661303112662, 0.794486812266], rtol=0, atol=1e-12)
    assert_allclose(values, [warm_mean(1), warm_mean(2)], rtol=0, atol=1e-12)
    assert_allclose(relaxed_expectation(itself, 0, 1), 0.5, rtol=1e-13)


COOL = {0.5: 0.720759093529, 0.2: 0.744159821696, 0.1: 0.748479630524, 0.05: 0.749615848901}


@pytest.mark.verifies("eq-reparameterization-extra-noise", by="table")
@pytest.mark.parametrize(("tau", "value"), COOL.items())
def test_mean_at_other_temperatures(tau, value):
    # Frozen from mpmath.quad with 30 digits.
    assert_allclose(relaxed_expectation(itself, math.log(3), tau), value, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-reparameterization-extra-noise", by="library")
@given(st.floats(-4, 4), st.floats(0.1, 2))
@settings(max_examples=30, deadline=None)
def test_relaxing_is_more_noise(o, tau):
    # P(noise + tau noise' < o), integrated over the second noise.
    law = scipy.stats.logistic
    expected = scipy.integrate.quad(lambda e: law.pdf(e) * law.cdf(o - tau * e), -40, 40)[0]
    assert_allclose(relaxed_expectation(itself, o, tau), expected, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-reparameterization-bias", by="closed form")
def test_small_temperatures():
    p, errors = 0.75, []
    laws = [p + tau**2 * math.pi**2 / 6 * p * (1 - p) * (1 - 2 * p) for tau in (0.1, 0.05)]
    assert_allclose(laws, [0.748457874, 0.749614469], rtol=0, atol=1e-9)
    for tau, law in zip((0.1, 0.05), laws, strict=True):
        errors.append(relaxed_expectation(itself, logit(p), tau) - law)
    assert_allclose(errors, [2.18e-5, 1.38e-6], rtol=0.02)
    assert_allclose(errors[0] / errors[1], 16, rtol=0.05)  # fourth order


@pytest.mark.verifies("eq-reparameterization-noise", by="closed form")
def test_noise_of_the_gradient():
    def second(tau):
        return relaxed_expectation(lambda y: (y * (1 - y) / tau) ** 2, 1.0, tau)

    p = expit(1.0)
    assert_allclose(second(0.1), 0.327304796, rtol=0, atol=1e-9)
    assert_allclose(p * (1 - p) / 0.6, 0.327686555, rtol=0, atol=1e-9)
    # The relative error is of second order.
    errors = [second(tau) * 6 * tau / (p * (1 - p)) - 1 for tau in (0.1, 0.05)]
    assert_allclose(errors[0] / errors[1], 4, rtol=0.05)


@given(st.floats(-5, 5), st.floats(0.05, 5))
@settings(deadline=None, max_examples=40)
def test_relaxed_mean_is_symmetric(o, tau):
    both = relaxed_expectation(itself, o, tau) + relaxed_expectation(itself, -o, tau)
    assert_allclose(both, 1, rtol=0, atol=1e-12)


# --- how cold is cold enough


def objective(o, tau, t):
    return relaxed_expectation(lambda y: (y - t) ** 2, o, tau)


@pytest.mark.verifies("eq-reparameterization-cold", by="closed form")
@pytest.mark.parametrize(
    ("tau", "measured", "law"),
    [
        (0.05, 0.0502062, 0.0502062),
        (0.2, -0.106893, -0.106896),
        (0.5, -0.628197, -0.628319),
    ],
)
def test_slope_at_the_true_optimum(tau, measured, law):
    value = math.exp(12) * (objective(-12, tau, 0.45) - 0.2025)
    formula = math.pi * tau / math.sin(math.pi * tau) * (1 - 0.9 - tau)
    assert_allclose(formula, law, rtol=0, atol=6e-7)
    # Rounding of 1e-17 times e¹² is 1e-12; the printed decimals are the limit.
    assert_allclose(value, measured, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-reparameterization-cold", by="property")
@pytest.mark.parametrize("t", [0.1, 0.3, 0.4, 0.45])
def test_threshold_is_global(t):
    o = np.linspace(-12, 12, 241)
    for factor, monotone in ((0.97, True), (1.05, False)):
        values = [objective(v, factor * (1 - 2 * t), t) for v in o]
        assert np.all(np.diff(values) > 0) == monotone


@pytest.mark.parametrize(
    ("tau", "theta"), [(1, 0.376977), (0.5, 0.355358), (0.2, 0.232816), (0.12, 0.078899)]
)
def test_where_the_relaxed_optimum_lies(tau, theta):
    found = minimize_scalar(
        lambda q: objective(logit(q), tau, 0.45), bounds=(0.01, 0.6), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    # A minimum is found to the root of the rounding error.
    assert_allclose(found.x, theta, rtol=0, atol=2e-6)


# --- the two estimates


NODE, WEIGHT = np.polynomial.hermite_e.hermegauss(20)
WEIGHT = WEIGHT / WEIGHT.sum()


@pytest.mark.verifies("eq-reparameterization-pathwise", by="closed form")
@pytest.mark.verifies("eq-reparameterization-score", by="closed form")
@given(st.floats(-2, 2), st.floats(0.3, 2), st.floats(-5, 5))
def test_both_estimates_have_the_right_mean(mu, sigma, b):
    # f = z³ + 2 z: E f = mu³ + 3 mu sigma² + 2 mu.  Twenty nodes are exact to degree 39.
    exact = 3 * mu**2 + 3 * sigma**2 + 2
    score = score_function_grad(lambda z: z**3 + 2 * z, mu, sigma, NODE, b)
    path = pathwise_grad(lambda z: 3 * z**2 + 2, mu, sigma, NODE)
    # Terms of size 1e4 cancel.
    assert_allclose([WEIGHT @ score, WEIGHT @ path], exact, rtol=1e-9)


@pytest.mark.verifies("eq-reparameterization-quadratic", by="closed form")
@pytest.mark.parametrize(
    ("mu", "sigma", "expected"), [(1, 1, (30, 14, 4)), (2, 0.5, (123.75, 33.5, 1))]
)
def test_variances_of_the_parabola(mu, sigma, expected):
    assert_allclose(gradient_variances("quadratic", mu, sigma), expected, rtol=1e-14)


def variances_by_nodes(f, df, mu, sigma):
    z = mu + sigma * NODE2
    score, path = f(z) * NODE2 / sigma, df(z)
    best = (WEIGHT2 @ (f(z) * NODE2**2)) / (WEIGHT2 @ NODE2**2)
    better = (f(z) - best) * NODE2 / sigma
    return [WEIGHT2 @ v**2 - (WEIGHT2 @ v) ** 2 for v in (score, better, path)]


NODE2, WEIGHT2 = np.polynomial.hermite_e.hermegauss(120)
WEIGHT2 = WEIGHT2 / WEIGHT2.sum()


@pytest.mark.verifies("eq-reparameterization-quadratic", by="library")
@pytest.mark.verifies("eq-reparameterization-baseline", by="library")
@given(st.floats(-2, 2), st.floats(0.3, 2))
def test_parabola_by_quadrature(mu, sigma):
    expected = variances_by_nodes(np.square, lambda z: 2 * z, mu, sigma)
    assert_allclose(gradient_variances("quadratic", mu, sigma), expected, rtol=1e-8)


@pytest.mark.verifies("eq-reparameterization-sine", by="library")
@pytest.mark.verifies("eq-reparameterization-baseline", by="library")
@given(st.floats(-2, 2), st.floats(0.3, 2), st.floats(0.1, 3))
def test_sine_by_quadrature(mu, sigma, omega):
    expected = variances_by_nodes(
        lambda z: np.sin(omega * z), lambda z: omega * np.cos(omega * z), mu, sigma
    )
    found = gradient_variances("sine", mu, sigma, omega)
    # 120 nodes carry waves of frequency 12; terms of size ten cancel.
    assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.verifies("eq-reparameterization-sine", by="table")
def test_sine_numbers():
    found = gradient_variances("sine", 0.3, 1, 1)
    assert_allclose(found, [0.3317938, 0.3317938, 0.2200968], rtol=0, atol=6e-8)
    assert_allclose(gradient_variances("sine", 0.3, 1, 5), [0.5, 0.5, 12.5], rtol=0, atol=1e-4)

    def race(omega):
        score, _, path = gradient_variances("sine", 0, 1, omega)
        return score - path

    crossing = brentq(race, 0.5, 2, xtol=1e-13)
    assert_allclose(crossing, 1.1089862171, rtol=0, atol=1e-10)
    assert_allclose(gradient_variances("sine", 0, 1, crossing)[2], 0.3079471153, atol=1e-10)


@pytest.mark.verifies("eq-reparameterization-baseline", by="closed form")
def test_no_other_baseline_is_better():
    mu, sigma = 1.0, 0.5
    best = mu**2 + 3 * sigma**2
    values = []
    for b in (best - 0.1, best, best + 0.1):
        grad = score_function_grad(np.square, mu, sigma, NODE, b)
        values.append(WEIGHT @ grad**2 - (WEIGHT @ grad) ** 2)
    assert_allclose(values[1], 8 * mu**2 + 6 * sigma**2, rtol=1e-10)
    assert values[1] < min(values[0], values[2])


@pytest.mark.verifies("eq-reparameterization-categorical", by="closed form")
@given(logits, st.floats(-3, 3), seeds)
def test_categorical_score(o, b, seed):
    f = np.random.default_rng(seed).normal(size=len(o))
    p = softmax(o)
    found = p @ categorical_score_grad(o, f, np.arange(len(o)), b)
    # The exact gradient of sum p f in the logits.
    assert_allclose(found, p * (f - p @ f), rtol=0, atol=1e-12)
    one = categorical_score_grad(o, f, 1, b)
    assert_allclose(one, (f[1] - b) * (np.eye(len(o))[1] - p), rtol=0, atol=1e-12)


# --- the experiment of the chapter


def descend(estimate, seed):
    rng, mu, track = np.random.default_rng(seed), 0.0, []
    for eps in rng.normal(size=1000):
        mu = mu - 0.01 * float(estimate(mu, eps))
        track.append(mu)
    return np.mean((np.array(track[500:]) - 3) ** 2)


def test_race():
    def path(mu, eps):
        return pathwise_grad(lambda z: 2 * (z - 3), mu, 0.1, eps)

    def score(constant, baseline=0.0):
        return lambda mu, eps: score_function_grad(
            lambda z: (z - 3) ** 2 + constant, mu, 0.1, eps, baseline
        )

    quiet, plain, shifted, repaired = (
        np.median([descend(e, seed) for seed in range(10)])
        for e in (path, score(0), score(1), score(1, 1.0))
    )
    assert_allclose([quiet, plain, shifted], [1.00e-4, 3.56e-4, 0.386], rtol=0.5)
    assert plain / quiet > 2
    assert shifted / quiet > 100
    assert_allclose(repaired, plain, rtol=1e-6)


REFUSALS = {
    "one class": (lambda: gumbel_max([1.0], [0.5]), "`logits` must be at least 2 finite numbers"),
    "matrix": (lambda: gumbel_max([[1, 2]], [0.5]), "`logits` must be at least 2 finite"),
    "nan": (lambda: gumbel_softmax([1, np.nan], [0.5, 0.5]), "`logits` must be .* finite"),
    "u shape": (lambda: gumbel_max([1, 2], [0.5]), r"`u` must have 2 entries.*got shape \(1,\)"),
    "u range": (lambda: gumbel_max([1, 2], [0.5, 1.5]), r"`u` must lie in \[0, 1\]"),
    "u nan": (lambda: gumbel_max([1, 2], [0.5, np.nan]), r"`u` must lie in \[0, 1\]"),
    "tau": (
        lambda: gumbel_softmax([1, 2], [0.5, 0.5], 0),
        "`tau` must be positive and finite, got 0",
    ),
    "y shape": (lambda: concrete_logpdf([1.0], [0, 0], 1), "`y` must have 2 entries"),
    "y edge": (lambda: concrete_logpdf([0, 1], [0, 0], 1), "`y` must be positive and sum to 1"),
    "y sum": (lambda: concrete_logpdf([0.5, 0.6], [0, 0], 1), "`y` must be positive and sum to 1"),
    "logit": (lambda: relaxed_expectation(itself, np.inf, 1), "`logit` must be finite, got inf"),
    "warm": (lambda: relaxed_expectation(itself, 0, -1), "`tau` must be positive and finite"),
    "sigma": (
        lambda: score_function_grad(np.sin, 0, 0, 1.0),
        "`sigma` must be positive and finite, got 0",
    ),
    "sigma path": (lambda: pathwise_grad(np.cos, 0, -1, 1.0), "`sigma` must be positive"),
    "kind": (lambda: gradient_variances("cubic", 0, 1), "`kind` must be one of .*got 'cubic'"),
    "sigma var": (lambda: gradient_variances("sine", 0, 0), "`sigma` must be positive"),
    "f": (lambda: categorical_score_grad([0, 0], [1.0], 0), "`f_values` must be 2 finite numbers"),
    "idx": (lambda: categorical_score_grad([0, 0], [1, 2], 2), "`idx` must hold integers from 0"),
    "idx real": (lambda: categorical_score_grad([0, 0], [1, 2], 0.5), "`idx` must hold integers"),
}


@pytest.mark.parametrize(("call", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
