"""Facts that the chapter on integrals with a parameter claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.mathematics.feynman_integration import (
    abel_cos,
    abel_lorentz,
    check_family,
    cos_lorentz,
    cos_lorentz_derivative,
    cos_lorentz_quad,
    leibniz,
    truncated,
)

frequencies = st.floats(0.1, 10)
widths = st.floats(0.2, 5)


def quadosc(f, omega):
    """Twice an oscillating integral over the positive half-line, by mpmath."""
    return float(2 * mpmath.quadosc(f, [0, mpmath.inf], omega=omega))


def worst_second_derivative(L):
    a = np.linspace(0.5, 1.5, 201)
    return max(abs(truncated(x, L)[2] - cos_lorentz(x)) for x in a)


ROWS = {
    "F(1) is pi / e": (lambda: cos_lorentz(1.0), 1.1557273497909217, 1e-15),
    "F(1) by quadrature": (lambda: cos_lorentz_quad(1.0), 1.1557273497909217, 1e-12),
    "F(2)": (lambda: cos_lorentz(2.0), 0.4251683315876363, 1e-12),
    "F(0.1)": (lambda: cos_lorentz(0.1), 2.842630585194927, 1e-12),
    "F(5)": (lambda: cos_lorentz(5.0), 0.0211678847926043, 1e-12),
    "the post's I(2)": (lambda: cos_lorentz(1.0, 2.0), 0.2125841657938182, 1e-12),
    "c = 0.5, a = 3": (lambda: cos_lorentz(3.0, 0.5), 1.4019681438332432, 1e-12),
    "cut off at 10": (
        lambda: truncated(1, 10),
        [1.1484783197, -1.3290509994, 2.2365205415],
        1e-8,
    ),
    "cut off at 1000": (
        lambda: truncated(1, 1000),
        [1.1557290013, -1.1546009413, -0.4980300798],
        1e-7,
    ),
    "worst F'' at L = 10": (lambda: worst_second_derivative(10), 3.80, 0.02),
    "worst F'' at L = 100": (lambda: worst_second_derivative(100), 3.79, 0.02),
    "worst F'' at L = 1000": (lambda: worst_second_derivative(1000), 3.84, 0.02),
    "damped, eps = 1": (lambda: abel_lorentz(1, 1), 0.9588205096, 1e-9),
    "damped, eps = 0.1": (lambda: abel_lorentz(1, 0.1), 1.1603516546, 1e-9),
    "damped, eps = 0.01": (lambda: abel_lorentz(1, 0.01), 1.1566781556, 1e-9),
    "damped, eps = 0.001": (lambda: abel_lorentz(1, 0.001), 1.1558275998, 1e-9),
    "kernel at 1": (lambda: abel_cos(1, 0.01), 0.0199980002, 1e-10),
    "log power": (lambda: check_family("log_power", 2)["value"], 1.0986122886681098, 1e-8),
    "log power, slope": (lambda: check_family("log_power", 2)["derivative"], 1 / 3, 1e-8),
    "damped sinc": (lambda: check_family("damped_sinc", 1)["value"], math.pi / 4, 1e-8),
    "damped sinc near 0": (
        lambda: check_family("damped_sinc", 1e-3)["closed"],
        math.pi / 2,
        1.1e-3,
    ),
    "gauss": (lambda: check_family("gauss_cos", 2)["value"], 0.6520493321732922, 1e-9),
    "gauss, slope": (lambda: check_family("gauss_cos", 2)["derivative"], -0.6520493321732922, 1e-9),
}


@pytest.mark.verifies("eq-feynman-integration-lorentz", by="table")
@pytest.mark.verifies("eq-feynman-integration-truncated", by="table")
@pytest.mark.verifies("eq-feynman-integration-damped", by="table")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-feynman-integration-target", by="library")
@pytest.mark.verifies("eq-feynman-integration-lorentz", by="library")
@pytest.mark.parametrize(("a", "c"), [(1, 1), (0.3, 2), (3, 0.5), (-2, 1)])
def test_closed_form_agrees_with_mpmath(a, c):
    exact = quadosc(lambda x: mpmath.cos(a * x) / (c * c + x * x), abs(a))
    assert_allclose(cos_lorentz(a, c), exact, rtol=1e-12)
    assert_allclose(cos_lorentz_quad(a, c), exact, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-feynman-integration-slope", by="library")
@pytest.mark.parametrize("a", [0.5, 1, 4, -1])
def test_slope_agrees_with_mpmath(a):
    exact = -quadosc(lambda x: x * mpmath.sin(a * x) / (1 + x * x), abs(a))
    assert_allclose(cos_lorentz_derivative(a), exact, rtol=1e-12)


@pytest.mark.verifies("eq-feynman-integration-corner", by="closed form")
@pytest.mark.parametrize("c", [0.5, 1.0, 3.0])
def test_the_slope_jumps_at_zero(c):
    left, middle, right = cos_lorentz_derivative([-1e-14, 0.0, 1e-14], c)
    assert_allclose([left, middle, right], [math.pi, 0, -math.pi], atol=1e-12)


@given(a=st.floats(-10, 10), c=widths)
def test_even_and_scaled(a, c):
    assert cos_lorentz(a, c) == cos_lorentz(-a, c)
    assert_allclose(cos_lorentz(a, c), cos_lorentz(a * c) / c, rtol=1e-14)


@pytest.mark.verifies("eq-feynman-integration-lorentz", by="property")
@given(a=st.floats(0, 10), b=st.floats(0, 10))
def test_products_are_values(a, b):
    product = cos_lorentz(a) * cos_lorentz(b)
    # Exponents of up to 20 lose a digit.
    assert_allclose(product, math.pi * cos_lorentz(a + b), rtol=1e-13)


@pytest.mark.verifies("eq-feynman-integration-ode", by="property")
@given(a=frequencies)
def test_second_difference_is_the_function(a):
    h = 1e-3
    second = (cos_lorentz(a + h) - 2 * cos_lorentz(a) + cos_lorentz(a - h)) / h**2
    # Off by h^2 / 12 relatively, and by rounding of 1e-16 / h^2.
    assert_allclose(second, cos_lorentz(a), rtol=1e-6, atol=3e-9)


@pytest.mark.verifies("eq-feynman-integration-truncated", by="property")
@given(a=st.floats(0.2, 20), L=st.floats(1, 500))
def test_what_the_second_differentiation_leaves(a, L):
    F, _, d2F = truncated(a, L)
    assert_allclose(d2F, F - 2 * math.sin(a * L) / a, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-feynman-integration-truncated", by="library")
@pytest.mark.parametrize("L", [3.0, 40.0])
def test_truncated_agrees_with_simpson(L):
    x = np.linspace(-L, L, 80_001)
    for a in (0.0, 0.7, -2.0):
        by_simpson = [
            scipy.integrate.simpson(y / (1 + x * x), x=x)
            for y in (np.cos(a * x), -x * np.sin(a * x), -x * x * np.cos(a * x))
        ]
        assert_allclose(truncated(a, L), by_simpson, rtol=0, atol=1e-8)


def test_averages_of_the_second_derivative_converge():
    L = np.linspace(500, 500 + 20 * math.pi, 400, endpoint=False)
    values = np.array([truncated(1.0, x)[2] for x in L])
    assert abs(values.mean() - math.pi / math.e) < 1e-4
    assert np.ptp(values) > 3.5


@pytest.mark.verifies("eq-feynman-integration-abel", by="library")
@pytest.mark.parametrize(("a", "eps"), [(1.0, 0.3), (0.0, 0.5), (-4.0, 1.0)])
def test_abel_kernel_agrees_with_mpmath(a, eps):
    exact = 2 * mpmath.quad(lambda x: mpmath.exp(-eps * x) * mpmath.cos(a * x), [0, 20, 60, 120])
    assert_allclose(abel_cos(a, eps), float(exact), rtol=1e-10)


@pytest.mark.verifies("eq-feynman-integration-delta", by="property")
@pytest.mark.parametrize("eps", [0.01, 0.3, 2.0])
def test_area_of_the_kernel(eps):
    area = scipy.integrate.quad(lambda a: abel_cos(a, eps), -np.inf, np.inf)[0]
    assert_allclose(area, 2 * math.pi, rtol=1e-8)
    # Away from zero nothing is left of it: 2 eps / a^2.
    assert abel_cos(1.0, eps * 1e-6) < 3e-6 * eps


@pytest.mark.verifies("eq-feynman-integration-damped", by="property")
@given(a=st.floats(0.3, 5), eps=st.floats(0.05, 2))
def test_damped_equation(a, eps):
    h = 1e-3
    left, middle, right = (abel_lorentz(x, eps) for x in (a - h, a, a + h))
    # h^2 / 12 times the fourth derivative, which is of size eps / a^5 near zero.
    assert_allclose((left - 2 * middle + right) / h**2, middle - abel_cos(a, eps), atol=1e-3)


@pytest.mark.verifies("eq-feynman-integration-damped", by="library")
@pytest.mark.parametrize(("a", "eps"), [(0.0, 0.2), (1.0, 0.1), (-3.0, 0.7), (4.0, 1.0)])
def test_damped_agrees_with_quadrature(a, eps):
    exact = mpmath.quad(
        lambda x: 2 * mpmath.exp(-eps * x) * mpmath.cos(a * x) / (1 + x * x),
        mpmath.linspace(0, 40 / eps, 200),
    )
    assert_allclose(abel_lorentz(a, eps), float(exact), rtol=0, atol=1e-9)


@pytest.mark.parametrize("a", [0.0, 0.5, 3.0])
def test_damping_vanishes(a):
    assert_allclose(abel_lorentz(a, 1e-7), cos_lorentz(a), atol=1e-5)


@pytest.mark.verifies("eq-feynman-integration-leibniz", by="library")
def test_moving_limits():
    found = leibniz(
        lambda x, a: math.exp(-a * x * x),
        lambda x, a: -x * x * math.exp(-a * x * x),
        1.5,
        lambda a: a,
        lambda a: a * a,
        dlower=lambda a: 1.0,
        dupper=lambda a: 2 * a,
    )
    exact = mpmath.diff(
        lambda a: mpmath.quad(lambda x: mpmath.exp(-a * x * x), [a, a * a]), mpmath.mpf("1.5")
    )
    assert_allclose(found, float(exact), rtol=0, atol=1e-9)
    assert_allclose(found, -0.0516764367861242, rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-feynman-integration-leibniz", by="closed form")
def test_fixed_infinite_limits():
    found = leibniz(
        lambda x, a: math.exp(-x * x) * math.cos(a * x),
        lambda x, a: -x * math.exp(-x * x) * math.sin(a * x),
        2.0,
        lambda a: -math.inf,
        lambda a: math.inf,
    )
    assert_allclose(found, check_family("gauss_cos", 2.0)["d_closed"], atol=1e-9)


@pytest.mark.verifies("eq-feynman-integration-log-power", by="library")
@given(a=st.floats(-0.5, 10))
def test_log_power(a):
    found = check_family("log_power", a)
    assert_allclose(found["value"], math.log(1 + a), rtol=0, atol=1e-8)
    assert_allclose([found["derivative"], found["d_closed"]], 1 / (1 + a), rtol=0, atol=1e-8)
    assert_allclose(found["closed"], math.log(1 + a), rtol=0, atol=1e-14)


@pytest.mark.verifies("eq-feynman-integration-sinc", by="library")
@given(a=st.floats(0.1, 20))
def test_damped_sinc(a):
    found = check_family("damped_sinc", a)
    exact = math.pi / 2 - math.atan(a)
    assert_allclose([found["value"], found["closed"]], exact, rtol=0, atol=1e-8)
    assert_allclose([found["derivative"], found["d_closed"]], -1 / (1 + a * a), atol=1e-8)


@pytest.mark.verifies("eq-feynman-integration-gauss", by="library")
@given(a=st.floats(-5, 5))
def test_gauss_cos(a):
    found = check_family("gauss_cos", a)
    # The Fourier transform of a bell, from the characteristic function of a normal variable.
    exact = math.sqrt(math.pi) * math.exp(-((a / math.sqrt(2)) ** 2) / 2)
    assert_allclose([found["value"], found["closed"]], exact, rtol=0, atol=1e-8)
    assert_allclose([found["derivative"], found["d_closed"]], -a * exact / 2, rtol=0, atol=1e-8)


def test_three_integrals_equal_pi_over_e():
    values = [
        quadosc(f, 1)
        for f in (
            lambda x: mpmath.cos(x) / (1 + x * x),
            lambda x: x * mpmath.sin(x) / (1 + x * x),
            lambda x: mpmath.cos(x) / (1 + x * x) ** 2,
        )
    ]
    assert_allclose(values, math.pi / math.e, rtol=1e-12)


def test_answers_of_the_exercises():
    a = 1.7
    assert_allclose(
        quadosc(lambda x: mpmath.cos(a * x) / (1 + x * x) ** 2, a),
        math.pi / 2 * (1 + a) * math.exp(-a),
        rtol=1e-12,
    )
    assert_allclose(
        quadosc(lambda x: mpmath.sin(a * x) / (x * (1 + x * x)) if x else a, a),
        math.pi * (1 - math.exp(-a)),
        rtol=1e-10,
    )
    s = 1 / math.sqrt(2)
    assert_allclose(
        quadosc(lambda x: mpmath.cos(x) / (1 + x**4), 1),
        math.pi * s * math.exp(-s) * (math.cos(s) + math.sin(s)),
        rtol=1e-12,
    )
    assert_allclose(math.pi * s * math.exp(-s) * (math.cos(s) + math.sin(s)), 1.544276009618136)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cos_lorentz(np.nan), "`a` must be finite, got nan"),
        (lambda: cos_lorentz([1, np.inf]), "`a` must be finite, got inf"),
        (lambda: cos_lorentz(1, 0), "`c` must be positive and finite, got 0"),
        (lambda: cos_lorentz_derivative(1, -1), "`c` must be positive and finite, got -1"),
        (lambda: cos_lorentz_quad(1, math.inf), "`c` must be positive and finite, got inf"),
        (lambda: truncated(1, 0), "`L` must be positive and finite, got 0"),
        (lambda: abel_cos(1, 0), "`eps` must be positive and finite, got 0"),
        (lambda: abel_lorentz(1, math.nan), "`eps` must be positive and finite, got nan"),
        (lambda: check_family("gamma", 1), r"`name` must be one of \['damped_sinc', .*got 'gamma'"),
        (lambda: check_family("log_power", -1), "`a` must be above -1 for 'log_power', got -1"),
        (lambda: check_family("damped_sinc", 0), "`a` must be positive for 'damped_sinc', got 0"),
        (
            lambda: leibniz(
                max, lambda x, a: math.exp(-x), 1, lambda a: 0, lambda a: math.inf, dupper=abs
            ),
            "`dupper` must be None, because the limit is inf",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
