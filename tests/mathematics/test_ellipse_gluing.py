"""Facts that the chapter on glued ellipses claims."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from scispaces.mathematics.ellipse_gluing import (
    arc_length,
    can_glue,
    depth,
    gluing_margin,
    half_width,
    param_of_arc,
    quarter_perimeter,
    sampled_margin,
    seam,
    sheets,
    tangent_angle,
    volume,
)

L = quarter_perimeter(2, 1)
longs = st.floats(1.01, 8)


def best_aspect():
    return minimize_scalar(
        lambda k: -volume(k, 1) / (2 * math.pi * k) ** 1.5, bounds=(1.5, 4), method="bounded"
    )


ROWS = {
    "quarter perimeter": (lambda: quarter_perimeter(2, 1), 2.422112055136919, 1e-13),
    "depth": (lambda: depth(2, 1), 1.56975737884, 1e-9),
    "volume": (lambda: volume(2, 1), 3.16746359186, 1e-9),
    "largest margin": (lambda: gluing_margin(L / 2, 2, 1), 0.7595784158956, 1e-11),
    "margin at 0.5": (lambda: gluing_margin(0.5, 2, 1), 0.47597203, 1e-7),
    "half-width at 1": (lambda: half_width(1, 2, 1), 0.7221983145, 1e-9),
    "tangent angle at 1": (lambda: tangent_angle(1, 2, 1), 1.1241907425, 1e-9),
    "parameter at 1": (lambda: param_of_arc(1, 2, 1), 0.8069752653, 1e-9),
    "arc length at 1": (lambda: arc_length(1, 2, 1), 1.3256631976, 1e-9),
    "seam": (
        lambda: seam(2, 1, 401).x[[100, 200, 300]],
        [0.27940804, 0.78487869, 1.29034933],
        1e-7,
    ),
    "seam in the middle": (lambda: seam(2, 1, 401).y[200], 0.804116391, 1e-8),
    "1.1": (lambda: [depth(1.1, 1), volume(1.1, 1)], [0.3973269866, 0.6535606670], 1e-9),
    "depths": (
        lambda: [depth(k, 1) for k in (1.5, 3, 5)],
        [0.9867119966, 2.6572933486, 4.7472714600],
        1e-9,
    ),
    "volume of 3": (lambda: volume(3, 1), 5.7372689989, 1e-8),
    "volume of 10": (lambda: volume(10, 1), 22.6345455, 1e-7),
    "near the circle": (
        lambda: [depth(1 + e, 1) / math.sqrt(1.5 * e) for e in (0.1, 0.01, 0.001)],
        [1.02589, 1.00251, 1.00025],
        1e-4,
    ),
    "the wrong way": (
        lambda: np.min(gluing_margin(np.linspace(0, L, 2001), 1, 2)),
        -0.7595784159,
        1e-9,
    ),
    "best aspect": (lambda: best_aspect().x, 2.31803, 1e-4),
    "best volume": (lambda: -best_aspect().fun, 0.0718696, 1e-6),
}


@pytest.mark.verifies("eq-ellipse-gluing-speed", by="table")
@pytest.mark.verifies("eq-ellipse-gluing-margin", by="table")
@pytest.mark.verifies("eq-ellipse-gluing-volume", by="table")
@pytest.mark.verifies("eq-ellipse-gluing-shallow", by="table")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-ellipse-gluing-margin", by="closed form")
@given(k=longs, u=st.floats(0.02, 0.98))
def test_margin_is_one_minus_two_squares(k, u):
    s = u * quarter_perimeter(k, 1)
    # h' = cos psi, by the slope of the ellipse at that point.
    slopes = []
    for where in (s, quarter_perimeter(k, 1) - s):
        t = param_of_arc(where, k, 1)
        slopes.append(math.cos(t) / math.hypot(k * math.sin(t), math.cos(t)))
    expected = 1 - slopes[0] ** 2 - slopes[1] ** 2
    assert_allclose(gluing_margin(s, k, 1), expected, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-ellipse-gluing-speed", by="library")
@pytest.mark.parametrize("k", [1.2, 2.0, 5.0])
def test_arc_length_and_depth_agree_with_quadrature(k):
    length = quad(lambda t: math.hypot(k * math.sin(t), math.cos(t)), 0, 1.1)[0]
    assert_allclose(arc_length(1.1, k, 1), length, rtol=1e-12)
    perimeter = k * scipy.special.ellipe(1 - 1 / k**2)
    assert_allclose(quarter_perimeter(k, 1), perimeter, rtol=1e-13)
    by_quad = quad(lambda s: math.sqrt(max(gluing_margin(s, k, 1), 0)), 0, perimeter, epsabs=1e-9)
    assert_allclose(depth(k, 1), by_quad[0], rtol=0, atol=1e-8)
    found = seam(k, 1, 801)
    assert_allclose(found.x[-1], depth(k, 1), rtol=0, atol=1e-9)
    by_trapezoid = 4 * scipy.integrate.trapezoid(found.y * found.z, found.x)
    assert_allclose(volume(k, 1), by_trapezoid, rtol=1e-4)


@given(k=st.floats(0.2, 8), u=st.floats(0, 1))
def test_parameter_inverts_arc_length(k, u):
    s = u * quarter_perimeter(k, 1)
    assert_allclose(arc_length(param_of_arc(s, k, 1), k, 1), s, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-ellipse-gluing-criterion", by="property")
@given(k=longs)
def test_long_ellipses_can_be_glued_and_short_ones_not(k):
    assert can_glue(k, 1, 301)
    assert not can_glue(1, k, 301)
    s = np.linspace(0, quarter_perimeter(k, 1), 101)
    total = tangent_angle(s, k, 1) + tangent_angle(s[::-1], k, 1)
    assert np.all(total >= math.pi / 2 - 1e-12)
    assert_allclose(gluing_margin(s, k, 1), gluing_margin(s[::-1], k, 1), rtol=0, atol=1e-12)
    assert_allclose(gluing_margin(s, 1, k), -gluing_margin(s, k, 1), rtol=0, atol=1e-11)


@pytest.mark.verifies("eq-ellipse-gluing-margin", by="closed form")
def test_circles_lie_flat():
    s = np.linspace(0, math.pi / 2, 50)
    assert_allclose(half_width(s, 1, 1), np.sin(s), rtol=0, atol=1e-13)
    assert_allclose(gluing_margin(s, 1, 1), 0, atol=1e-12)
    assert depth(1, 1) < 1e-6
    assert can_glue(1, 1)


@given(k=longs, c=st.floats(0.2, 5))
def test_scaling(k, c):
    assert_allclose(depth(c * k, c), c * depth(k, 1), rtol=1e-9)
    assert_allclose(volume(c * k, c), c**3 * volume(k, 1), rtol=1e-9)


@pytest.mark.verifies("eq-ellipse-gluing-speed", by="property")
@pytest.mark.parametrize("k", [1.05, 1.2, 2, 3, 10])
def test_seam_has_the_length_of_the_rim(k):
    found = seam(k, 1, 2001)
    assert_allclose(found.s, np.linspace(0, quarter_perimeter(k, 1), 2001), rtol=1e-13)
    assert_allclose(found.x + found.x[::-1], found.x[-1], rtol=0, atol=1e-9)
    assert_allclose(found.y, found.z[::-1], rtol=0, atol=1e-14)
    steps = np.stack([np.diff(found.x), np.diff(found.y), np.diff(found.z)])
    # Chords are shorter than arcs, by a part of order (step times curvature)^2 / 24.
    assert_allclose(np.linalg.norm(steps, axis=0).sum(), quarter_perimeter(k, 1), rtol=2e-5)
    slopes = np.diff(found.z)[1:-1] / np.diff(found.x)[1:-1]
    assert np.all(np.diff(slopes) < 1e-9)
    assert depth(k, 1) < k


def test_middle_rib_keeps_the_long_axis():
    found = seam(2, 1, 401)
    rib = np.hypot(np.diff(found.x), np.diff(found.z)).sum()
    assert_allclose(rib, 2, atol=1e-4)


@pytest.mark.verifies("eq-ellipse-gluing-volume", by="property")
def test_sheets_keep_their_area_and_enclose_the_volume():
    total = 0.0
    for sheet in sheets(2, 1, 241, 3):
        u = np.diff(sheet, axis=0)[:, :-1]
        v = np.diff(sheet, axis=1)[:-1]
        w, back = np.diff(sheet, axis=1)[1:], np.diff(sheet, axis=0)[:, 1:]
        lower, upper = np.cross(u, v), np.cross(back, w)
        area = (np.linalg.norm(lower, axis=-1) + np.linalg.norm(upper, axis=-1)).sum() / 2
        assert_allclose(area, 2 * math.pi, rtol=1e-4)
        # By the divergence theorem, from a point inside: every facet is a pyramid.
        inside = np.array([depth(2, 1) / 2, 0, 0])
        corner = sheet[:-1, :-1] - inside
        far = sheet[1:, 1:] - inside
        pyramids = np.abs(np.sum(corner * lower, -1)) + np.abs(np.sum(far * upper, -1))
        total += pyramids.sum() / 6
    assert_allclose(total, volume(2, 1), rtol=2e-4)


def test_experiment_with_paper():
    found = seam(2, 1, 401)
    t = param_of_arc(found.s, 2, 1)
    flat = np.hypot(np.diff(2 * np.cos(t)), np.diff(np.sin(t)))
    space = np.sqrt(np.diff(found.x) ** 2 + np.diff(found.y) ** 2 + np.diff(found.z) ** 2)
    assert np.max(np.abs(flat / space - 1)) < 1e-5
    assert np.max(np.abs(flat[::-1] / space - 1)) < 1e-5


def test_numbers_quoted_in_the_chapter():
    # Sheets of 20 cm by 10 cm, in centimetres and millilitres.
    assert_allclose(depth(10, 5), 7.8, atol=0.05)
    assert_allclose(volume(10, 5), 396, atol=0.5)
    # A tube of half the length holds half; the ends are a correction of order (b / a)^2.
    assert_allclose(volume(40, 1), 2 * volume(20, 1), rtol=0.01)


@pytest.mark.verifies("eq-ellipse-gluing-shallow", by="property")
def test_shallow_solids():
    errors = [abs(depth(1 + e, 1) / math.sqrt(1.5 * e) - 1) for e in (1e-2, 1e-3)]
    assert_allclose(errors[0] / errors[1], 10, rtol=0.05)
    e = 1e-5
    assert_allclose(volume(1 + e, 1), math.pi / 2 * math.sqrt(1.5 * e), rtol=1e-3)


@pytest.mark.verifies("eq-ellipse-gluing-criterion", by="closed form")
def test_sampled_outlines():
    t = np.linspace(0, math.pi / 2, 2001)
    s, margin = sampled_margin(2 * np.cos(t), np.sin(t))
    middles = arc_length((t[:-1] + t[1:]) / 2, 2, 1)
    assert_allclose(s, middles, rtol=1e-4)
    # Off by a term of order k^-2.
    assert_allclose(margin, gluing_margin(middles, 2, 1), rtol=0, atol=1e-5)
    # A stadium: half a turn of a circle, then a straight side.
    x = np.concatenate([1 + np.cos(t), np.linspace(1, 0, 200)[1:]])
    y = np.concatenate([np.sin(t), np.ones(199)])
    assert np.min(sampled_margin(x, y)[1]) > -1e-6
    # A superellipse standing upright fails.
    for p in (1.5, 2.0, 4.0):
        u = np.linspace(0, math.pi / 2, 2001)
        wide, high = np.cos(u) ** (2 / p), np.sin(u) ** (2 / p)
        assert np.min(sampled_margin(2 * wide, high)[1]) > -2e-2
        assert np.min(sampled_margin(wide, 2 * high)[1]) < -0.3


def test_angle_at_the_end_of_the_seam():
    found = seam(2, 1, 20001)
    slope = (found.y[-1] - found.y[-2]) / (found.x[-1] - found.x[-2])
    kb, ka = 1 / 4, 2.0
    assert_allclose(kb / math.sqrt(ka**2 - kb**2), 0.125988, atol=1e-6)
    assert_allclose(slope, 0.125988, rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quarter_perimeter(0, 1), "`a` must be positive and finite, got 0"),
        (lambda: arc_length(1, 1, math.inf), "`b` must be positive and finite, got inf"),
        (lambda: arc_length(math.nan, 1, 1), "`t` must be finite, got nan"),
        (lambda: param_of_arc(3, 2, 1), "`s` must be between 0 and 2.42211, got 3"),
        (lambda: half_width(-1, 2, 1), "`s` must be between 0"),
        (lambda: tangent_angle(-1, 2, 1), "`s` must be between 0"),
        (lambda: gluing_margin(-1, 2, 1), "`s` must be between 0"),
        (lambda: can_glue(2, 1, 1), "`n` must be an integer of at least 2, got 1"),
        (lambda: seam(1, 2), "`a` must be at least `b`, got 1 < 2"),
        (lambda: seam(2, 1, 2), "`n` must be an integer of at least 3, got 2"),
        (lambda: depth(1, 2), "`a` must be at least `b`"),
        (lambda: volume(1, 2), "`a` must be at least `b`"),
        (lambda: sheets(2, 1, 5, 1), "`m` must be an integer of at least 2, got 1"),
        (lambda: sampled_margin([1, 0], [0, 1]), "must have one shape"),
        (lambda: sampled_margin([1, 2, 3, 4, 5], [0, 1, 2, 3, 4]), "`x` must not rise"),
        (lambda: sampled_margin([2, 1, 1, 0.5, 0], [0, 1, 1, 2, 3]), "must not repeat a point"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
