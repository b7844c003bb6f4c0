"""Facts that the chapter on exterior calculus claims."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scispaces.mathematics.exterior_calculus import (
    Form,
    d,
    dx,
    flux_form,
    function,
    integrate_boundary,
    integrate_box,
    line_integral,
    loop_integral,
    polygon_area,
    signed_area,
    wedge,
    work_form,
)

ROTATION = work_form({(0, 1): -1}, {(1, 0): 1})
MIXED = work_form({(1, 2): 1}, {(3, 0): 1})
FIELD = work_form({(0, 1, 1): 1}, {(1, 0, 2): 1}, {(2, 1, 0): 1})
SQUARES = flux_form({(2, 0, 0): 1}, {(0, 2, 0): 1}, {(0, 0, 2): 1})
CURVED = work_form({(0, 3): 1}, {(2, 1): 1})
X, U, V = np.array([1.0, 0.5]), np.array([1.0, 0.2]), np.array([-0.3, 1.0])
ALPHA, BETA, GAMMA = work_form(1, 2, 3), work_form(4, 5, 6), work_form(7, 8, 10)
SYMPLECTIC = wedge(dx(4, 0), dx(4, 1)) + wedge(dx(4, 2), dx(4, 3))
SOLID = Form(
    4,
    3,
    {
        (0, 1, 2): {(0, 0, 0, 3): 2},
        (1, 2, 3): {(2, 1, 0, 0): 1},
        (0, 2, 3): {(0, 2, 1, 0): -1},
    },
)


def loop_error(h):
    return loop_integral(CURVED, X, h * U, h * V) / h**2 - 0.265


def ellipse(k, a=2.0, b=1.0):
    t = 2 * np.pi * np.arange(k) / k
    return np.stack([a * np.cos(t), b * np.sin(t)], axis=1)


ROWS = {
    "wedge of two": (
        lambda: wedge(ALPHA, BETA),
        Form(3, 2, {(0, 1): -3, (0, 2): -6, (1, 2): -3}),
    ),
    "wedge of three": (
        lambda: wedge(wedge(ALPHA, BETA), GAMMA),
        Form(3, 3, {(0, 1, 2): -3}),
    ),
    "d of the rotation": (lambda: d(ROTATION), Form(2, 2, {(0, 1): 2})),
    "d of the mixed form": (
        lambda: d(MIXED),
        Form(2, 2, {(0, 1): {(2, 0): 3, (1, 1): -2}}),
    ),
    "mixed, box 3": (lambda: integrate_box(d(MIXED), [0, 0], [1, 3]), Fraction(-3, 2)),
    "mixed, boundary 3": (lambda: integrate_boundary(MIXED, [0, 0], [1, 3]), Fraction(-3, 2)),
    "mixed, box 2": (lambda: integrate_box(d(MIXED), [0, 0], [1, 2]), 0),
    "mixed, boundary 2": (lambda: integrate_boundary(MIXED, [0, 0], [1, 2]), 0),
    "curl": (
        lambda: d(FIELD),
        flux_form(
            {(2, 0, 0): 1, (1, 0, 1): -2},
            {(0, 1, 0): 1, (1, 1, 0): -2},
            {(0, 0, 2): 1, (0, 0, 1): -1},
        ),
    ),
    "divergence": (
        lambda: d(SQUARES),
        Form(3, 3, {(0, 1, 2): {(1, 0, 0): 2, (0, 1, 0): 2, (0, 0, 1): 2}}),
    ),
    "unit cube, inside": (lambda: integrate_box(d(SQUARES), [0] * 3, [1] * 3), 3),
    "unit cube, faces": (lambda: integrate_boundary(SQUARES, [0] * 3, [1] * 3), 3),
    "square of a 2-form": (
        lambda: wedge(SYMPLECTIC, SYMPLECTIC),
        Form(4, 4, {(0, 1, 2, 3): 2}),
    ),
    "four dimensions, inside": (lambda: integrate_box(d(SOLID), [0] * 4, [1, 2, 3, 1]), 12),
    "four dimensions, faces": (lambda: integrate_boundary(SOLID, [0] * 4, [1, 2, 3, 1]), 12),
}


@pytest.mark.verifies("eq-exterior-calculus-wedge", by="table")
@pytest.mark.verifies("eq-exterior-calculus-d", by="table")
@pytest.mark.verifies("eq-exterior-calculus-curl", by="table")
@pytest.mark.verifies("eq-exterior-calculus-divergence", by="table")
@pytest.mark.verifies("eq-exterior-calculus-stokes", by="table")
@pytest.mark.parametrize(("value", "expected"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected):
    assert value() == expected


@pytest.mark.verifies("eq-exterior-calculus-loop", by="table")
def test_numbers_of_the_loop():
    for x in ([0, 0], [3, -2]):
        assert_allclose(loop_integral(ROTATION, x, [1, 0], [0, 1]), 2, rtol=1e-13)
    assert_allclose(d(CURVED)(X, U, V), 0.265, rtol=0, atol=1e-12)
    # Printed with six and seven digits.
    assert_allclose(loop_error(0.1), -0.0364287, atol=5e-8)
    assert_allclose(loop_error(0.01), -0.0027493, atol=5e-8)


def test_flux_through_the_sphere():
    omega = flux_form({(1, 0, 0): 1}, 0, 0)

    def density(phi, theta):
        x = [math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)]
        south = [math.cos(theta) * math.cos(phi), math.cos(theta) * math.sin(phi), -math.sin(theta)]
        east = [-math.sin(theta) * math.sin(phi), math.sin(theta) * math.cos(phi), 0]
        return omega(x, south, east)

    found = scipy.integrate.dblquad(density, 0, math.pi, 0, 2 * math.pi, epsabs=1e-9)[0]
    assert_allclose(found, 4 * math.pi / 3, rtol=1e-10)


@pytest.mark.verifies("eq-exterior-calculus-planimeter", by="closed form")
def test_area_of_polygons():
    assert_allclose(polygon_area(ellipse(2000)), 6.283174971759, rtol=1e-12)
    # Inscribed in an ellipse: the area of the ellipse times sinc(2 pi / k).
    assert_allclose(polygon_area(ellipse(7)), 7 * math.sin(2 * math.pi / 7), rtol=1e-14)
    assert_allclose(polygon_area(ellipse(7)[::-1]), -7 * math.sin(2 * math.pi / 7), rtol=1e-14)
    assert_allclose(polygon_area([[1e8, 1e8], [1e8 + 1, 1e8], [1e8, 1e8 + 1]]), 0.5, rtol=1e-12)


def test_planimeter_is_of_second_order():
    counts = np.array([20, 50, 100, 200, 500, 1000, 2000])
    errors = []
    for k in counts:
        t = 2 * np.pi * np.arange(k) / k
        r = 1 + 0.3 * np.cos(5 * t)
        found = polygon_area(np.stack([r * np.cos(t), r * np.sin(t)], axis=1))
        errors.append(abs(found - np.pi * 1.045))
    assert_allclose(errors[0], 0.193, atol=5e-4)
    assert_allclose(errors[2], 9.07e-3, rtol=1e-3)
    assert_allclose(errors[-1], 2.28e-5, rtol=2e-3)
    assert -2.2 < np.polyfit(np.log(counts), np.log(errors), 1)[0] < -1.8


numbers = st.integers(-3, 3)


@st.composite
def forms(draw, n, p):
    """A form with up to three monomials of degree up to two in each variable."""
    terms = {}
    for indices in itertools.combinations(range(n), p):
        exponents = st.tuples(*[st.integers(0, 2)] * n)
        terms[indices] = draw(st.dictionaries(exponents, numbers, max_size=2))
    return Form(n, p, terms)


@st.composite
def spaces(draw, *degrees):
    """Forms of some degrees on one space."""
    n = draw(st.integers(1, 4))
    return [draw(forms(n, min(p, n))) for p in degrees]


@pytest.mark.verifies("eq-exterior-calculus-anticommute", by="property")
@given(st.tuples(spaces(1, 2), spaces(1, 1), spaces(2, 0)))
def test_wedge_commutes_up_to_a_sign(pairs):
    for a, b in pairs:
        assert wedge(a, b) == (-1) ** (a.p * b.p) * wedge(b, a)


@pytest.mark.verifies("eq-exterior-calculus-anticommute", by="property")
@given(spaces(1, 1, 2))
def test_wedge_is_associative_and_kills_squares(found):
    a, b, c = found
    assert wedge(wedge(a, b), c) == wedge(a, wedge(b, c))
    assert not wedge(a, a)


@pytest.mark.verifies("eq-exterior-calculus-d-squared", by="property")
@given(spaces(0, 1, 2))
def test_d_twice_is_nothing(found):
    for omega in found:
        assert not d(d(omega))


@pytest.mark.verifies("eq-exterior-calculus-leibniz", by="property")
@given(st.tuples(spaces(1, 1), spaces(0, 2), spaces(2, 1)))
def test_product_rule(pairs):
    for a, b in pairs:
        assert d(wedge(a, b)) == wedge(d(a), b) + (-1) ** a.p * wedge(a, d(b))


@given(spaces(1, 1))
def test_d_is_linear(pair):
    a, b = pair
    assert d(a + 3 * b) == d(a) + 3 * d(b)
    assert d(a - b) == d(a) - d(b)


@st.composite
def boxes(draw):
    n = draw(st.integers(1, 5))
    lo = draw(st.lists(st.fractions(-2, 2, max_denominator=4), min_size=n, max_size=n))
    sides = draw(st.lists(st.fractions("1/4", 2, max_denominator=4), min_size=n, max_size=n))
    return draw(forms(n, n - 1)), lo, [a + b for a, b in zip(lo, sides, strict=True)]


@pytest.mark.verifies("eq-exterior-calculus-stokes", by="property")
@given(boxes())
@settings(deadline=None)
def test_boundary_and_interior_agree(case):
    omega, lo, hi = case
    assert integrate_boundary(omega, lo, hi) == integrate_box(d(omega), lo, hi)


def test_one_dimension_is_newton_and_leibniz():
    f = function(1, {(3,): 1})
    assert integrate_boundary(f, [2], [5]) == 125 - 8 == integrate_box(d(f), [2], [5])


@pytest.mark.verifies("eq-exterior-calculus-stokes", by="library")
def test_green_agrees_with_quadrature():
    inside = scipy.integrate.dblquad(lambda y, x: 3 * x * x - 2 * x * y, 0, 1, 0, 3)[0]
    assert_allclose(float(integrate_box(d(MIXED), [0, 0], [1, 3])), inside, atol=1e-12)
    corners = [(0, 0), (1, 0), (1, 3), (0, 3), (0, 0)]
    round_it = sum(line_integral(MIXED, a, b) for a, b in itertools.pairwise(corners))
    assert_allclose(float(integrate_boundary(MIXED, [0, 0], [1, 3])), round_it, atol=1e-12)


vectors = st.lists(st.floats(-2, 2), min_size=3, max_size=3)


@pytest.mark.verifies("eq-exterior-calculus-shadow", by="library")
@given(vectors, vectors, vectors)
def test_forms_measure_shadows(u, v, w):
    cross = np.cross(u, v)
    # The six products of numbers of size 2 round at 1e-15.
    for (i, j), component in {(1, 2): 0, (2, 0): 1, (0, 1): 2}.items():
        assert_allclose(signed_area(u, v, i, j), cross[component], rtol=0, atol=1e-14)
        assert_allclose(wedge(dx(3, i), dx(3, j))([0] * 3, u, v), cross[component], atol=1e-13)
    volume = wedge(wedge(dx(3, 0), dx(3, 1)), dx(3, 2))
    assert_allclose(volume([0] * 3, u, v, w), np.linalg.det([u, v, w]), rtol=0, atol=1e-12)
    assert_allclose(volume([0] * 3, v, u, w), -np.linalg.det([u, v, w]), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-exterior-calculus-determinant", by="library")
@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3))
def test_product_of_all_is_the_determinant(rows):
    a, b, c = (work_form(*row) for row in rows)
    assert wedge(wedge(a, b), c) == Form(3, 3, {(0, 1, 2): int(sympy.Matrix(rows).det())})


@pytest.mark.verifies("eq-exterior-calculus-jacobian", by="library")
def test_jacobian_of_a_polynomial_map():
    x, y = sympy.symbols("x y")
    maps = [x**2 * y - y, x * y**2 + 3 * x]
    jacobian = sympy.Poly(sympy.Matrix(maps).jacobian([x, y]).det(), x, y)
    f, g = (function(2, {e: int(c) for e, c in sympy.Poly(m, x, y).terms()}) for m in maps)
    expected = Form(2, 2, {(0, 1): {e: int(c) for e, c in jacobian.terms()}})
    assert wedge(d(f), d(g)) == expected


@pytest.mark.verifies("eq-exterior-calculus-curl", by="library")
@pytest.mark.verifies("eq-exterior-calculus-divergence", by="library")
def test_curl_and_divergence_agree_with_sympy():
    from sympy.vector import CoordSys3D, curl, divergence

    R = CoordSys3D("R")
    field = R.y * R.z * R.i + R.x * R.z**2 * R.j + R.x**2 * R.y * R.k
    point = {R.x: 2, R.y: -3, R.z: 5}
    rotated = curl(field).to_matrix(R).subs(point)
    for component, (i, j) in enumerate([(1, 2), (2, 0), (0, 1)]):
        found = d(FIELD)([2, -3, 5], np.eye(3)[i], np.eye(3)[j])
        assert_allclose(found, float(rotated[component]), rtol=1e-13)
    flux = flux_form({(0, 1, 1): 1}, {(1, 0, 2): 1}, {(2, 1, 1): 1})
    spread = divergence(R.y * R.z * R.i + R.x * R.z**2 * R.j + R.x**2 * R.y * R.z * R.k)
    found = d(flux)([2, -3, 5], *np.eye(3))
    assert_allclose(found, float(spread.subs(point)), rtol=1e-13)


@pytest.mark.verifies("eq-exterior-calculus-loop", by="property")
def test_small_loops_measure_d():
    errors = [abs(loop_error(h)) for h in (1e-1, 1e-2, 1e-3)]
    centred = [
        abs(loop_integral(CURVED, X - h * (U + V) / 2, h * U, h * V) / h**2 - 0.265)
        for h in (1e-1, 1e-2)
    ]
    # First order from the corner, second order from the centre.
    assert_allclose(np.log10(np.array(errors[:-1]) / errors[1:]), 1, atol=0.15)
    assert_allclose(math.log10(centred[0] / centred[1]), 2, atol=0.05)


@given(forms(2, 0), st.floats(0.1, 1))
def test_exact_forms_have_no_circulation(f, h):
    # Cubic terms with values up to some hundreds.
    assert abs(loop_integral(d(f), X, h * U, h * V)) < 1e-11


@pytest.mark.verifies("eq-exterior-calculus-loop", by="property")
@given(forms(2, 1))
def test_the_other_way_round_is_the_opposite(omega):
    there, back = loop_integral(omega, X, U, V), loop_integral(omega, X, V, U)
    assert_allclose(there, -back, rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-exterior-calculus-stokes", by="property")
@given(forms(2, 1), st.integers(1, 6))
@settings(deadline=None)
def test_small_loops_add_up_to_the_big_one(omega, k):
    step = Fraction(1, k)
    small = sum(
        integrate_boundary(omega, [i * step, j * step], [(i + 1) * step, (j + 1) * step])
        for i in range(k)
        for j in range(k)
    )
    assert small == integrate_boundary(omega, [0, 0], [1, 1])


def test_angle_form_of_the_hole():
    t = np.linspace(0, 2 * np.pi, 4001)
    x, y = 2 * np.cos(t), np.sin(t)
    form = (-y * np.gradient(x, t) + x * np.gradient(y, t)) / (x * x + y * y)
    assert_allclose(scipy.integrate.simpson(form, x=t), 2 * np.pi, rtol=1e-5)


def test_terms_are_canonical():
    assert Form(3, 2, {(2, 0): 1}) == Form(3, 2, {(0, 2): -1})
    assert not Form(3, 2, {(1, 1): 5})
    assert Form(2, 1, {(0,): {(1, 0): 0.5}}).terms == {(0,): {(1, 0): Fraction(1, 2)}}
    assert not Form(2, 1, {(0,): {(1, 0): 0}})
    assert wedge(Form(2, 2, {(0, 1): 1}), dx(2, 0)) == Form(2, 3)
    assert function(2, {(1, 2): 3})([2.0, 5.0]) == 150.0
    assert "Form(2, 1" in repr(dx(2, 0))
    assert dx(2, 0) != 3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Form(0, 0), ValueError, "`n` must be an integer of at least 1, got 0"),
        (lambda: Form(1, -1), ValueError, "`p` must be an integer of at least 0, got -1"),
        (lambda: Form(2, 1, {(2,): 1}), ValueError, r"indices from 0 to 1, got \(2,\)"),
        (lambda: Form(2, 1, {(0, 1): 1}), ValueError, r"tuples of 1 indices, got \(0, 1\)"),
        (lambda: function(2, {(1, -1): 1}), ValueError, "exponents must be 2 integers of at least"),
        (lambda: function(2, {(1,): 1}), ValueError, r"exponents must be 2 integers.*got \(1,\)"),
        (lambda: function(1, "x"), TypeError, "`terms` must have real coefficients, got 'x'"),
        (lambda: function(1, math.nan), ValueError, "`terms` must have finite coefficients"),
        (lambda: dx(2, 2), ValueError, "indices from 0 to 1"),
        (lambda: dx(2, 0) + dx(3, 0), ValueError, "forms must have one dimension and degree"),
        (lambda: wedge(dx(2, 0), dx(3, 0)), ValueError, "must live on one space.* 2 and 3"),
        (lambda: dx(2, 0)([0, 0]), ValueError, "`vectors` must be 1 of them, got 0"),
        (lambda: dx(2, 0)([0, 0], [1, 2, 3]), ValueError, r"`vectors` must have shape \(2,\)"),
        (lambda: signed_area([1, 2], [1, 2, 3], 0, 1), ValueError, r"`v` must have shape \(2,\)"),
        (lambda: signed_area([1, 2], [1, 2], 0, 2), ValueError, "`j` must be an index from 0 to 1"),
        (lambda: line_integral(function(2, 1), X, U), ValueError, "`omega` must be of degree 1"),
        (lambda: loop_integral(ROTATION, [1], U, V), ValueError, r"`x` must have shape \(2,\)"),
        (lambda: integrate_box(ROTATION, [0, 0], [1, 1]), ValueError, "must be of degree 2, got 1"),
        (lambda: integrate_boundary(ROTATION, [0], [1]), ValueError, "must have 2 entries"),
        (lambda: integrate_boundary(function(2, 1), [0, 0], [1, 1]), ValueError, "of degree 1"),
        (
            lambda: integrate_boundary(ROTATION, [0, 1], [1, 1]),
            ValueError,
            "`lo` must be below `hi`, got 1 and 1 at index 1",
        ),
        (lambda: polygon_area([[0, 0], [1, 1]]), ValueError, r"`P` must have shape \(k, 2\)"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
