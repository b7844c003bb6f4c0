"""Facts that the chapter on finite learning rates claims."""

import math

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.linalg import expm

from scispaces.optimization.finite_learning_rate import (
    gradient_descent,
    gradient_flow,
    modified_gradient,
    modified_loss,
    modified_rate,
    product_grad,
    product_hess,
    product_loss,
    product_third,
    train_product,
)

START = np.array([2.0, 0.3])
FAR = np.array([2.8, 3.5])
places = st.tuples(st.floats(-2, 2), st.floats(-2, 2)).map(lambda p: np.round(p, 3))


def product_field(lr, order):
    return lambda t: modified_gradient(product_grad, product_hess, t, lr, order, product_third)


def symbols():
    a, b, y, lr = sympy.symbols("a b y gamma")
    loss = (y - a * b) ** 2 / 2
    return a, b, y, lr, loss


@pytest.mark.parametrize(
    ("lr", "explicit", "ratio"), [(0.01, 6.5e-4, 1.04), (0.1, 5.5e-3, 1.53), (0.3, 1.24e-2, 4.31)]
)
def test_explicit_and_implicit_penalty(lr, explicit, ratio):
    none = math.hypot(START[0] ** 2 - START[1] ** 2, 2)
    gain = none - np.sum(gradient_flow(product_field(lr, 1), START, [60.0])[-1] ** 2)
    assert_allclose(gain, explicit, rtol=0.05)
    assert_allclose((none - np.sum(train_product(START, lr)[0] ** 2)) / gain, ratio, rtol=0.01)


@pytest.mark.verifies("eq-finite-learning-rate-field", by="closed form")
@pytest.mark.verifies("eq-finite-learning-rate-second", by="closed form")
def test_modified_gradient_by_hand():
    # r = 0.4; g = (-0.12, -0.8); H = [[0.09, 0.2], [0.2, 4]]; H g = (-0.1708, -3.224).
    expected = [(-0.12, -0.8), (-0.12854, -0.9612), (-0.12851124, -1.00365333)]
    for order, value in enumerate(expected):
        assert_allclose(product_field(0.1, order)(START), value, rtol=0, atol=1e-8)
    for order in (1, 2):
        assert_array_equal(product_field(0.0, order)(START), product_grad(START))


@pytest.mark.verifies("eq-finite-learning-rate-penalty", by="closed form")
def test_modified_loss_by_hand():
    value = modified_loss(product_loss, product_grad, START, 0.1)
    assert_allclose(value, 0.08 + 0.025 * 0.6544, rtol=0, atol=1e-12)
    assert_allclose(value, 0.09636, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-finite-learning-rate-penalty", by="library")
def test_first_order_field_is_the_gradient_of_the_modified_loss():
    a, b, y, lr, loss = symbols()
    penalised = loss + lr / 4 * (loss.diff(a) ** 2 + loss.diff(b) ** 2)
    slopes = sympy.lambdify((a, b, y, lr), [penalised.diff(a), penalised.diff(b)])
    for theta in ([2.0, 0.3], [-1.5, 0.7], [0.4, 1.1]):
        assert_allclose(product_field(0.1, 1)(theta), slopes(*theta, 1.0, 0.1), rtol=1e-13)


@pytest.mark.verifies("eq-finite-learning-rate-penalty", by="property")
@given(places, st.floats(0, 0.5))
@settings(deadline=None)
def test_first_order_field_against_differences(theta, lr):
    h = 1e-5
    slopes = [
        (
            modified_loss(product_loss, product_grad, theta + e, lr)
            - modified_loss(product_loss, product_grad, theta - e, lr)
        )
        / (2 * h)
        for e in h * np.eye(2)
    ]
    # h^2 times the fifth power of the parameters, and rounding of 1e-15 / h.
    assert_allclose(product_field(lr, 1)(theta), slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.verifies("eq-finite-learning-rate-field", by="property")
@pytest.mark.verifies("eq-finite-learning-rate-second", by="property")
@pytest.mark.parametrize(
    ("order", "errors"),
    [
        (0, [2.947e-3, 1.468e-3, 7.383e-4, 3.706e-4]),
        (1, [8.496e-4, 2.250e-4, 5.913e-5, 1.522e-5]),
        (2, [2.722e-4, 3.715e-5, 4.913e-6, 6.326e-7]),
    ],
)
def test_order_of_the_flow(order, errors):
    found = []
    for lr in (0.1, 0.05, 0.025, 0.0125):
        flow = gradient_flow(product_field(lr, order), START, [1.0])[-1]
        found.append(
            np.linalg.norm(gradient_descent(product_grad, START, lr, round(1 / lr))[-1] - flow)
        )
    assert_allclose(found, errors, rtol=1e-2)
    slopes = np.diff(np.log2(found))
    assert_allclose(slopes, -(order + 1), rtol=0, atol=0.15)


@pytest.mark.verifies("eq-finite-learning-rate-second", by="library")
def test_second_order_from_the_definition():
    # The flow of the field, expanded in time to third order, must reach theta - lr g.
    a, b, _, lr, loss = symbols()
    x = sympy.Matrix([a, b])
    g = sympy.Matrix([loss.diff(v) for v in x])
    hessian = g.jacobian(x)
    third = sympy.Matrix(
        [
            sum(hessian[i, j].diff(x[k]) * g[j] * g[k] for j in (0, 1) for k in (0, 1))
            for i in (0, 1)
        ]
    )
    field = g + lr / 2 * hessian * g + lr**2 * (hessian * hessian * g / 3 + third / 12)
    velocity = -field
    acceleration = velocity.jacobian(x) * velocity
    jerk = acceleration.jacobian(x) * velocity
    end = x + lr * velocity + lr**2 / 2 * acceleration + lr**3 / 6 * jerk
    for entry in end - x + lr * g:
        lowest = min(power for (power,) in sympy.Poly(sympy.expand(entry), lr).monoms())
        assert lowest == 4
    values = {a: 1.3, b: -0.4, sympy.Symbol("y"): 1, lr: 0.2}
    assert_allclose(
        product_field(0.2, 2)([1.3, -0.4]), np.array(field.subs(values), float).ravel(), rtol=1e-13
    )


@pytest.mark.verifies("eq-finite-learning-rate-curl", by="library")
def test_second_order_is_no_gradient():
    a, b, _, _, loss = symbols()
    loss = loss.subs(sympy.Symbol("y"), 1)
    x = sympy.Matrix([a, b])
    g = sympy.Matrix([loss.diff(v) for v in x])
    hessian = g.jacobian(x)
    along = sympy.Matrix(2, 2, lambda i, j: sum(hessian[i, j].diff(x[k]) * g[k] for k in (0, 1)))
    field = hessian * hessian * g / 3 + along * g / 12
    curl = field[1].diff(a) - field[0].diff(b)
    closed = sympy.Rational(1, 3) * (a**2 - b**2) * (a**2 + b**2) * (a * b - 1)
    assert sympy.simplify(curl - closed) == 0
    jacobian = field.jacobian(x)
    commutator = (hessian * along - along * hessian) / 6
    assert (jacobian - jacobian.T - commutator).applyfunc(sympy.simplify) == sympy.zeros(2, 2)
    # The same from the module, by differences.
    h, theta = 1e-5, np.array([1.3, 0.4])

    def second(t):
        g = product_grad(t)
        return product_hess(t) @ product_hess(t) @ g / 3 + product_third(t, g, g) / 12

    right, up = h * np.eye(2)
    found = (second(theta + right) - second(theta - right))[1] / (2 * h)
    found -= (second(theta + up) - second(theta - up))[0] / (2 * h)
    assert_allclose(found, float(closed.subs({a: 1.3, b: 0.4})), rtol=1e-6)


@pytest.mark.verifies("eq-finite-learning-rate-bernoulli", by="library")
def test_operator_series():
    with mpmath.workdps(30):
        series = mpmath.taylor(lambda x: x / mpmath.expm1(x) if x else mpmath.mpf(1), 0, 4)
        bernoulli = [mpmath.bernoulli(n) / mpmath.factorial(n) for n in range(5)]
    assert_allclose([float(v) for v in bernoulli], [1, -1 / 2, 1 / 12, 0, -1 / 720], atol=1e-15)
    assert_allclose([float(v) for v in series], [1, -1 / 2, 1 / 12, 0, -1 / 720], atol=1e-9)
    # On a parabola D is the number -rate, and the operator equation must hold exactly.
    k, lr = 1.3, 0.4
    rate = float(modified_rate(k, lr))
    assert_allclose(rate, k * (-lr * rate) / math.expm1(-lr * rate), rtol=1e-14)


@pytest.mark.verifies("eq-finite-learning-rate-rate", by="closed form")
def test_modified_rate():
    assert_allclose(modified_rate(1, 0.5), 2 * math.log(2), rtol=0, atol=1e-10)
    expected = [1, 1.25, 1.3333333333, 1.3645833333, 1.3770833333]
    found = [modified_rate(1, 0.5, order) for order in range(5)]
    assert_allclose(found, expected, rtol=0, atol=1e-10)
    # Tiny rates do not cancel.
    assert_allclose(modified_rate(1.0, 1e-12), 1 + 5e-13, rtol=1e-15)
    assert_allclose(modified_rate(3.0, 0.5, 1), 3 + 0.5 * 9 / 2, rtol=1e-15)


@pytest.mark.verifies("eq-finite-learning-rate-rate", by="property")
@given(k=st.floats(0.1, 10), fraction=st.floats(0.01, 0.95))
@settings(deadline=None)
def test_rate_passes_through_the_points(k, fraction):
    lr = fraction / k
    path = gradient_descent(lambda t: k * t, 1.0, lr, 12)[:, 0]
    # Twelve roundings, relative to numbers that may be as small as 0.05^12.
    assert_allclose(
        np.exp(-modified_rate(k, lr) * lr * np.arange(13)), path, rtol=1e-11, atol=1e-14
    )


def test_beyond_one_the_points_change_sign():
    path = gradient_descent(lambda t: t, 1.0, 1.5, 30)[:, 0]
    assert_array_equal(np.sign(path), (-1.0) ** np.arange(31))
    assert abs(path[-1]) < 1e-8
    assert_array_equal(gradient_descent(lambda t: t, 1.0, 1.0, 3)[1:, 0], 0)


@pytest.mark.verifies("eq-finite-learning-rate-steepest", by="property")
def test_loss_falls_by_the_squared_gradient():
    t = np.linspace(0, 1.5, 1501)
    path = gradient_flow(product_grad, START, t)
    falls = np.gradient(product_loss(path), t)[1:-1]
    # Differences of step 1e-3: an error of 1e-6 times the third derivative.
    assert_allclose(falls, -np.sum(product_grad(path) ** 2, axis=1)[1:-1], rtol=0, atol=3e-5)


def test_flow_of_a_linear_field():
    matrix = np.array([[1.0, 0.3, 0.0], [0.2, 2.0, -0.5], [0.0, 0.4, 0.7]])
    start, t = np.array([1.0, -2.0, 0.5]), np.array([0.0, 0.4, 1.7])
    exact = [expm(-matrix * s) @ start for s in t]
    assert_allclose(gradient_flow(lambda v: matrix @ v, start, t), exact, rtol=0, atol=1e-9)
    assert_array_equal(gradient_flow(lambda v: v, start, [0.0]), [start])


@pytest.mark.verifies("eq-finite-learning-rate-conserved", by="property")
def test_flow_conserves_the_imbalance():
    path = gradient_flow(product_grad, FAR, np.linspace(0, 5, 51))
    assert_allclose(path[:, 0] ** 2 - path[:, 1] ** 2, -4.41, rtol=0, atol=1e-8)
    assert_allclose(path[-1, 0] * path[-1, 1], 1, rtol=0, atol=1e-8)
    assert_allclose(np.sum(path[-1] ** 2), 4.8423238223, rtol=0, atol=1e-7)
    assert_allclose(math.sqrt(4.41**2 + 4), 4.8423238223, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-finite-learning-rate-imbalance", by="property")
@given(places, st.floats(0.001, 0.5), st.floats(-2, 2))
@settings(deadline=None)
def test_imbalance_after_one_step(theta, lr, y):
    a, b = theta
    after = gradient_descent(lambda t: product_grad(t, y), theta, lr, 1)[1]
    exact = (a * a - b * b) * (1 - lr**2 * (y - a * b) ** 2)
    assert_allclose(after[0] ** 2 - after[1] ** 2, exact, rtol=1e-12, atol=1e-13)


@pytest.mark.verifies("eq-finite-learning-rate-sharpness", by="library")
@given(st.floats(0.3, 3), st.floats(0.3, 3))
@settings(deadline=None)
def test_sharpness_at_a_minimum(a, y):
    b = y / a
    values = np.linalg.eigvalsh(product_hess([a, b], y))
    # The loss is flat along the curve of minima.
    assert_allclose(values, [0, math.sqrt((a * a - b * b) ** 2 + 4 * y * y)], rtol=0, atol=1e-12)
    assert_allclose(values[1], a * a + b * b, rtol=1e-13)


@pytest.mark.verifies("eq-finite-learning-rate-decay", by="property")
@given(places, st.floats(0.0, 0.3))
@settings(deadline=None)
def test_imbalance_along_the_modified_flow(theta, lr):
    a, b = theta
    da, db = -product_field(lr, 1)(theta)
    r = 1 - a * b
    assert_allclose(2 * a * da - 2 * b * db, -lr * r * r * (a * a - b * b), rtol=1e-10, atol=1e-12)


def leading_imbalance(theta0, lr):
    """To first order in the exponent: the closed form of the chapter, with y = 1."""
    a, b = theta0
    c, p = a * a - b * b, a * b
    arc = math.asinh(2 / abs(c)) - math.asinh(2 * p / abs(c))
    spent = arc / 2 - (math.hypot(c, 2) - math.hypot(c, 2 * p)) / 4
    return c * math.exp(-lr * spent), spent


@pytest.mark.verifies("eq-finite-learning-rate-spent", by="library")
def test_how_much_is_spent_on_the_way():
    c = -4.41
    integral = quad(lambda p: (1 - p) / math.hypot(c, 2 * p), 9.8, 1)[0]
    assert_allclose(leading_imbalance(FAR, 0.1)[1], integral, rtol=1e-12)
    t = np.linspace(0, 4, 8001)
    path = gradient_flow(product_grad, FAR, t)
    along = np.trapezoid((1 - path[:, 0] * path[:, 1]) ** 2, t)
    # The trapezoidal rule on a steep start.
    assert_allclose(along, integral, rtol=1e-4)
    # As the chapter says, a start with a smaller residual spends far less.
    assert_allclose([integral, leading_imbalance((1.0, 3.5), 0.1)[1]], [2.933, 0.250], atol=5e-4)
    # Gradient descent agrees to first order in the rate.
    off = []
    for lr in (0.002, 0.001):
        a, b = train_product(FAR, lr)[0]
        off.append(math.log((a * a - b * b) / leading_imbalance(FAR, lr)[0]) / lr)
    assert_allclose(off[0] / off[1], 2, rtol=0.05)
    assert abs(off[1]) < 0.03


@pytest.mark.verifies("eq-finite-learning-rate-imbalance", by="literature")
@pytest.mark.parametrize(
    ("lr", "expected"),
    [
        (0.001, 4.830511),
        (0.01, 4.720668),
        (0.05, 4.026413),
        (0.08, 2.984527),
        (0.1, 2.200846),
        (0.11, 2.011867),
        (0.12, 2.042974),
    ],
)
def test_sharpness_against_the_rate(lr, expected):
    # The start of figure 1 of Barrett and Dherin; the values are from a second program.
    theta, steps = train_product(FAR, lr)
    assert_allclose(theta @ theta, expected, rtol=0, atol=1e-5)
    path = gradient_descent(product_grad, FAR, lr, steps)
    r = 1 - path[:-1, 0] * path[:-1, 1]
    imbalance = -4.41 * np.prod(1 - lr**2 * r**2)
    assert_allclose(theta[0] ** 2 - theta[1] ** 2, imbalance, rtol=0, atol=1e-9)
    assert abs(1 - path[-1, 0] * path[-1, 1]) < 1e-12


def test_larger_rates_end_flatter():
    sharp = [np.sum(train_product(FAR, lr)[0] ** 2) for lr in (0.001, 0.01, 0.05, 0.08, 0.1, 0.11)]
    assert np.all(np.diff(sharp) < 0)
    assert sharp[-1] < 0.42 * 4.8423238223
    # The largest eigenvalue at the start, where a rate of 0.035 is already beyond the expansion.
    assert_allclose(np.linalg.eigvalsh(product_hess(FAR))[-1], 28.8, rtol=0, atol=0.05)
    slow = [np.sum(train_product((1.0, 3.5), lr)[0] ** 2) for lr in (0.001, 0.12)]
    assert_allclose(slow, [11.4, 10.2], rtol=0, atol=0.05)
    # Beyond, the factor turns negative and the path crosses to the other branch.
    assert_allclose(0.12 * (1 - 9.8), -1.056, rtol=1e-12)
    assert np.all(train_product(FAR, 0.12)[0] < 0)


@pytest.mark.verifies("eq-finite-learning-rate-imbalance", by="library")
def test_end_points_in_high_precision():
    theta, steps = train_product(FAR, 0.1)
    with mpmath.workdps(40):
        a, b = mpmath.mpf("2.8"), mpmath.mpf("3.5")
        for _ in range(400):
            r = 1 - a * b
            a, b = a + r * b / 10, b + r * a / 10
    assert_allclose(theta, [float(a), float(b)], rtol=0, atol=1e-9)
    assert_allclose(theta, [0.80071916873, 1.24887730812], rtol=0, atol=1e-9)
    assert_allclose(theta[0] ** 2 - theta[1] ** 2, -0.918543343554, rtol=0, atol=1e-9)
    assert steps == 121
    near, _ = train_product(START, 0.2)
    assert_allclose(near, [2.03139262203, 0.492273127882], rtol=0, atol=1e-9)
    assert_allclose(near @ near, 4.36888881725, rtol=0, atol=1e-9)


def test_explicit_penalty_goes_the_same_way():
    for h, explicit, implicit in (
        (0.1, 4.38629, 4.38337),
        (0.2, 4.38236, 4.36889),
        (0.3, 4.37943, 4.33838),
    ):
        end = gradient_flow(product_field(h, 1), START, [60.0])[-1]
        assert_allclose(end @ end, explicit, rtol=0, atol=1e-5)
        assert_allclose(np.sum(train_product(START, h)[0] ** 2), implicit, rtol=0, atol=1e-5)


@given(places, st.floats(0.01, 0.2))
@settings(max_examples=30, deadline=None)
def test_symmetries(theta, lr):
    path = gradient_descent(product_grad, theta, lr, 10)
    assert_allclose(gradient_descent(product_grad, theta[::-1], lr, 10), path[:, ::-1], rtol=1e-12)
    assert_allclose(gradient_descent(product_grad, -theta, lr, 10), -path, rtol=1e-12)


@given(places, places, places, st.floats(-2, 2))
@settings(max_examples=30, deadline=None)
def test_derivatives_of_the_product(theta, u, v, y):
    h = 1e-4
    slopes = [
        (product_loss(theta + e, y) - product_loss(theta - e, y)) / (2 * h) for e in h * np.eye(2)
    ]
    assert_allclose(product_grad(theta, y), slopes, rtol=0, atol=1e-6)
    along = (product_grad(theta + h * u, y) - product_grad(theta - h * u, y)) / (2 * h)
    assert_allclose(product_hess(theta, y) @ u, along, rtol=0, atol=1e-6)
    bend = (product_hess(theta + h * v) - product_hess(theta - h * v)) @ u / (2 * h)
    assert_allclose(product_third(theta, u, v), bend, rtol=0, atol=1e-6)


def test_product_of_many_points():
    theta = np.random.default_rng(0).normal(size=(3, 4, 2))
    assert product_loss(theta).shape == (3, 4)
    assert product_grad(theta).shape == (3, 4, 2)
    assert product_hess(theta).shape == (3, 4, 2, 2)
    assert_allclose(product_hess(theta)[1, 2], product_hess(theta[1, 2]))


def small_network(seed, scale):
    """The network of the chapter: 5 tanh units on 5 points."""
    x = np.linspace(-1, 1, 5)

    def grad(t):
        a, b, c = t[:5], t[5:10], t[10:]
        hidden = np.tanh(np.outer(x, a) + b)
        off = (hidden @ c - np.sin(np.pi * x) - 0.5 * x) / 5
        back = np.outer(off, c) * (1 - hidden**2)
        return np.concatenate([x @ back, back.sum(0), hidden.T @ off])

    def sharpness(t, h=1e-5):
        rows = np.array([grad(t + e) - grad(t - e) for e in h * np.eye(15)]) / (2 * h)
        return np.linalg.eigvalsh((rows + rows.T) / 2)[-1]

    return grad, sharpness, scale * np.random.default_rng(seed).normal(size=15)


@pytest.mark.parametrize(
    ("seed", "scale", "expected"),
    [(0, 1.0, [5.3866, 5.3092, 5.2974, 3.797]), (2, 2.0, [3.1862, 3.1884, 3.1891, 3.1987])],
)
def test_training_runs_of_the_chapter(seed, scale, expected):
    grad, sharpness, start = small_network(seed, scale)

    def field(t, lr=0.2, h=1e-4):
        g = grad(t)
        step = h * g / (np.linalg.norm(g) + 1e-300)
        along = (grad(t + step) - grad(t - step)) * (np.linalg.norm(g) / (2 * h))
        return g + lr / 2 * along

    found = [
        sharpness(gradient_flow(grad, start, [150.0], 1e-6, 1e-8)[-1]),
        sharpness(gradient_flow(field, start, [150.0], 1e-6, 1e-8)[-1]),
        sharpness(gradient_descent(grad, start, 0.2, 750)[-1]),
        sharpness(gradient_descent(grad, start, 0.5, 300)[-1]),
    ]
    assert_allclose(found, expected, rtol=2e-4)
    # Below 2 / lr at the end, whatever the flow says.
    assert found[-1] < 2 / 0.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: modified_loss(product_loss, product_grad, START, -1),
            ValueError,
            "`lr` must be finite and not negative, got -1",
        ),
        (lambda: product_field(0.1, 3)(START), ValueError, "`order` must be 0, 1 or 2, got 3"),
        (
            lambda: modified_gradient(product_grad, product_hess, START, 0.1, 2),
            ValueError,
            "`third` must be given for order 2, got None",
        ),
        (lambda: product_field(0.1, 1)([[1, 2]]), ValueError, r"`theta` must have one axis"),
        (lambda: product_field(0.1, 1)([1, math.nan]), ValueError, "`theta` must be finite"),
        (
            lambda: gradient_flow(product_grad, START, [1, 1]),
            ValueError,
            "`t_eval` must increase and not be negative",
        ),
        (lambda: gradient_flow(product_grad, START, [-1, 1]), ValueError, "`t_eval` must increase"),
        (
            lambda: gradient_flow(lambda t: -(t**3), [1.0], [1.0]),
            RuntimeError,
            "the flow could not be followed",
        ),
        (lambda: modified_rate(2, 0.5), ValueError, "`lr` times `k` must be below 1, got 1"),
        (lambda: modified_rate(2, 0, 1), ValueError, "`lr` must be positive and finite, got 0"),
        (lambda: modified_rate(2, 0.1, -1), ValueError, "`order` must be an integer .* got -1"),
        (lambda: product_loss([1, 2, 3]), ValueError, r"`theta` must have two entries .*\(3,\)"),
        (lambda: train_product(START, 0), ValueError, "`lr` must be positive and finite, got 0"),
        (lambda: train_product(START, 0.01, max_steps=5), RuntimeError, "`lr` = 0.01 did not"),
        (lambda: train_product(FAR, 2.0), RuntimeError, "`lr` = 2.0 did not reach"),
        (
            lambda: gradient_descent(product_grad, START, 0, 1),
            ValueError,
            "`lr` must be positive and finite, got 0",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
