"""Facts that the chapter on what a matrix is claims."""

import itertools

import numpy as np
import pytest
import scipy.linalg
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from scispaces.mathematics.what_is_a_matrix import (
    change_of_frame,
    count_walks,
    fibonacci,
    from_frame,
    matrix_of,
    matrix_power,
    quadratic_form,
    represent,
    signed_area,
    to_frame,
    transform_grid,
)

A = [[3, 2], [1, 3]]
C = [[2, 0], [1, 1]]
F = [[1, 1], [1, 0]]
TURN = [[0, -1], [1, 0]]
SHEAR = np.array([[1.0, 1.0], [0.0, 1.0]])
TRIANGLE = 1 - np.eye(3, dtype=int)
K4 = 1 - np.eye(4, dtype=int)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def derivative(c):
    return np.array([c[1], 2 * c[2], 3 * c[3], 0.0])


small = st.floats(-3, 3).map(lambda x: round(x, 3))
tables = arrays(float, (2, 2), elements=small)
arrows = arrays(float, 2, elements=small)


def frames(n=2):
    """Frames with condition below 100, so that solving costs at most two digits."""
    return arrays(float, (n, n), elements=small).filter(
        lambda B: abs(np.linalg.det(B)) > 0.1 and np.linalg.cond(B) < 100
    )


D = [[0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 3], [0, 0, 0, 0]]
GOLDEN = (1 + np.sqrt(5)) / 2

# What a second route gives, and how closely: the post, or by hand, or a closed form.
NUMBERS = {
    "arrow (2, 2) of frame A": (lambda: from_frame(A, [2, 2]), [10, 8], 0),
    "back to frame A": (lambda: to_frame(A, [10, 8]), [2, 2], 1e-14),
    "e1 in frame A": (lambda: to_frame(A, [1, 0]), [3 / 7, -1 / 7], 1e-14),
    "e2 in frame A": (lambda: to_frame(A, [0, 1]), [-2 / 7, 3 / 7], 1e-14),
    "area of frame A": (lambda: signed_area([3, 1], [2, 3]), 7, 0),
    "quarter turn in frame A": (
        lambda: represent(TURN, A),
        np.array([[-9, -13], [10, 9]]) / 7,
        1e-14,
    ),
    "from frame A to frame C": (lambda: change_of_frame(A, C), [[1.5, 1], [-0.5, 2]], 1e-14),
    "address in C from address in A": (lambda: change_of_frame(A, C) @ [2, 2], [5, 3], 1e-14),
    "address in C from the arrow": (lambda: to_frame(C, [10, 8]), [5, 3], 1e-14),
    "table of a map to three dimensions": (
        lambda: matrix_of(lambda x: [x[0] + 2 * x[1], 3 * x[1], x[0]], 2),
        [[1, 2], [0, 3], [1, 0]],
        0,
    ),
    "derivative of cubics": (lambda: matrix_of(derivative, 4), D, 0),
    "fourth derivative of cubics": (
        lambda: np.linalg.matrix_power(matrix_of(derivative, 4), 4),
        np.zeros((4, 4)),
        0,
    ),
    "quadratic form": (lambda: quadratic_form(F, [2, 3]), 16, 0),
    "shear after rotation": (lambda: (SHEAR @ rotation(np.pi / 6))[0, 0], 1.3660254, 1e-7),
    "rotation after shear": (lambda: (rotation(np.pi / 6) @ SHEAR)[0, 0], 0.8660254, 1e-7),
    "golden ratio": (lambda: np.linalg.eigvalsh(F)[-1], 1.618033988749895, 1e-14),
}


@pytest.mark.verifies("eq-what-is-a-matrix-frame", by="table")
@pytest.mark.verifies("eq-what-is-a-matrix-columns", by="closed form")
@pytest.mark.verifies("eq-what-is-a-matrix-change", by="closed form")
@pytest.mark.verifies("eq-what-is-a-matrix-similar", by="closed form")
@pytest.mark.parametrize(("compute", "value", "rtol"), NUMBERS.values(), ids=NUMBERS)
def test_numbers(compute, value, rtol):
    assert_allclose(compute(), value, rtol=rtol, atol=rtol)


@pytest.mark.verifies("eq-what-is-a-matrix-fibonacci", by="closed form")
@pytest.mark.verifies("eq-what-is-a-matrix-walks", by="closed form")
@pytest.mark.parametrize(
    ("compute", "value"),
    [
        pytest.param(lambda: matrix_power(F, 10).tolist(), [[89, 55], [55, 34]], id="F^10"),
        pytest.param(lambda: fibonacci(100), 354224848179261915075, id="F_100"),
        pytest.param(lambda: count_walks(F, 0, 0, 10), 89, id="golden graph, 10 steps"),
        pytest.param(lambda: count_walks(TRIANGLE, 0, 0, 10), (2**10 + 2) // 3, id="triangle"),
        pytest.param(lambda: count_walks(K4, 0, 1, 20), (3**20 - 1) // 4, id="K4, 20 steps"),
        pytest.param(lambda: (2**10 + 2) // 3, 342, id="triangle, number"),
        pytest.param(lambda: (3**20 - 1) // 4, 871696100, id="K4, number"),
    ],
)
def test_exact_numbers(compute, value):
    assert compute() == value


@pytest.mark.verifies("eq-what-is-a-matrix-frame", by="library")
@given(frames(3), arrays(float, (3, 2), elements=small))
def test_there_and_back(B, x):
    # Condition below 100 costs two of sixteen digits.
    assert_allclose(to_frame(B, from_frame(B, x)), x, rtol=0, atol=1e-12)
    assert_allclose(to_frame(B, x), scipy.linalg.solve(B, x), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-what-is-a-matrix-change", by="property")
@given(frames(), frames(), frames())
def test_changes_of_frame_compose(P, Q, R):
    assert_allclose(
        change_of_frame(P, R) @ change_of_frame(Q, P), change_of_frame(Q, R), rtol=0, atol=1e-9
    )
    assert_allclose(change_of_frame(P, P), np.eye(2), rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-what-is-a-matrix-similar", by="property")
@given(tables, tables, frames())
def test_the_motion_keeps_trace_determinant_and_product(M, N, B):
    there = represent(M, B)
    # Entries stay below 3 * 3 * 100; twelve digits remain after solving.
    assert_allclose(np.trace(there), np.trace(M), rtol=0, atol=1e-9)
    assert_allclose(np.linalg.det(there), np.linalg.det(M), rtol=0, atol=1e-8)
    assert_allclose(represent(M @ N, B), there @ represent(N, B), rtol=0, atol=1e-8)
    assert_array_equal(represent(M, np.eye(2)), M)


@pytest.mark.verifies("eq-what-is-a-matrix-product", by="property")
@given(tables, tables)
def test_the_product_is_the_table_of_the_composite(M, N):
    composite = matrix_of(lambda x: M @ (N @ x), 2)
    by_rule = [[sum(M[i, k] * N[k, j] for k in range(2)) for j in range(2)] for i in range(2)]
    assert_allclose(composite, by_rule, rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-what-is-a-matrix-columns", by="property")
@given(tables, arrows)
def test_columns_are_the_images_of_the_basis(M, x):
    table = matrix_of(lambda v: v[0] * M[:, 0] + v[1] * M[:, 1], 2)
    assert_array_equal(table, M)
    assert_allclose(from_frame(table, x), x[0] * M[:, 0] + x[1] * M[:, 1], rtol=0, atol=1e-13)


@pytest.mark.verifies("eq-what-is-a-matrix-area", by="property")
@given(tables, arrows, arrows)
def test_areas_grow_by_the_determinant(M, u, v):
    assert_allclose(
        signed_area(M @ u, M @ v), np.linalg.det(M) * signed_area(u, v), rtol=0, atol=1e-11
    )


@pytest.mark.verifies("eq-what-is-a-matrix-collapse", by="closed form")
def test_the_grid_collapses_at_the_golden_ratio():
    t = 1 / GOLDEN
    flat = (1 - t) * np.eye(2) + t * np.array(F)
    assert_allclose(np.linalg.det(flat), 0, atol=1e-15)
    for t in (0.0, 0.3, 1.0):
        between = (1 - t) * np.eye(2) + t * np.array(F)
        area = signed_area(*between.T)
        assert_allclose(area, 1 - t - t**2, rtol=0, atol=1e-15)


@pytest.mark.verifies("eq-what-is-a-matrix-fibonacci", by="property")
@given(st.integers(1, 400))
def test_cassini(n):
    assert fibonacci(n + 1) * fibonacci(n - 1) - fibonacci(n) ** 2 == (-1) ** n


@pytest.mark.verifies("eq-what-is-a-matrix-fibonacci", by="property")
def test_fibonacci_by_adding():
    a, b = 0, 1
    for n in range(300):
        assert fibonacci(n) == a
        a, b = b, a + b


@given(st.integers(0, 60), st.integers(0, 60))
def test_powers_add(a, b):
    assert_array_equal(matrix_power(A, a) @ matrix_power(A, b), matrix_power(A, a + b))


@given(arrays(int, (3, 3), elements=st.integers(-3, 3)), st.integers(0, 12))
def test_power_agrees_with_numpy_where_int64_holds(M, k):
    assert_array_equal(matrix_power(M, k).astype(float), np.linalg.matrix_power(M, k))


@pytest.mark.verifies("eq-what-is-a-matrix-walks", by="property")
@given(arrays(int, (3, 3), elements=st.integers(0, 2)), st.integers(0, 6))
def test_walks_by_listing_them(adj, length):
    walks = 0
    for nodes in itertools.product(range(3), repeat=length + 1):
        if nodes[0] == 0 and nodes[-1] == 2:
            walks += np.prod([adj[a, b] for a, b in itertools.pairwise(nodes)], dtype=int)
    assert count_walks(adj, 0, 2, length) == walks


@given(arrays(int, (4, 4), elements=st.integers(0, 1)), st.integers(0, 20))
def test_walks_back_are_as_many_where_edges_go_both_ways(adj, length):
    adj = adj + adj.T
    assert count_walks(adj, 1, 3, length) == count_walks(adj, 3, 1, length)


@pytest.mark.verifies("eq-what-is-a-matrix-strings", by="property")
@pytest.mark.parametrize("n", range(12))
def test_strings_without_two_ones_in_a_row(n):
    strings = ["".join(s) for s in itertools.product("01", repeat=n)]
    count = sum("11" not in s for s in strings)
    assert count == fibonacci(n + 2) == sum(matrix_power(F, n)[0])


@pytest.mark.verifies("eq-what-is-a-matrix-form", by="closed form")
@given(arrays(float, (5, 2), elements=small))
def test_form_of_the_golden_table(x):
    assert_allclose(quadratic_form(F, x), x[:, 0] ** 2 + 2 * x[:, 0] * x[:, 1], atol=1e-13)
    assert quadratic_form(F, x[0]).shape == ()


@given(tables)
def test_grid_lines(M):
    lines = transform_grid(M, -1, 2, n_lines=4, n_pts=3)
    assert lines.shape == (8, 3, 2)
    corners = [[-1, -1], [-1, 2], [2, -1], [2, 2]]
    got = [lines[0, 0], lines[0, -1], lines[3, 0], lines[3, -1]]
    assert_allclose(got, np.array(corners) @ M.T, atol=1e-13)
    assert_allclose(lines[4, -1], M @ [2, -1], atol=1e-13)


def test_reflections_by_turning_the_mirror():
    a = 0.4
    mirror = [[np.cos(2 * a), np.sin(2 * a)], [np.sin(2 * a), -np.cos(2 * a)]]
    assert_allclose(represent(np.diag([1.0, -1.0]), rotation(-a)), mirror, atol=1e-15)


def test_numbers_quoted_in_the_chapter():
    assert_allclose(to_frame(C, from_frame(A, [1, 1])), [2.5, 1.5], rtol=1e-14)
    assert fibonacci(92) < 2**63 <= fibonacci(93)
    assert float(fibonacci(78)) == fibonacci(78)
    assert float(fibonacci(79)) != fibonacci(79)
    with np.errstate(over="ignore"):
        assert np.linalg.matrix_power(np.array(F), 93)[0, 1] < 0


AFFINE = "`f` must be linear, got"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_frame([1, 2], [1]), "`B` must be a non-empty 2-D array, got shape"),
        (lambda: from_frame(A, [1, 2, 3]), r"`x` must have shape \(2,\) or \(2, k\), got \(3,\)"),
        (lambda: from_frame([[np.nan, 1]], [1, 2]), "`B` must be finite, got nan"),
        (lambda: to_frame([[1, 2, 3], [4, 5, 6]], [1, 2]), "`B` must be square to be a frame"),
        (lambda: to_frame([[1, 2], [2, 4]], [1, 2]), "`B` must have independent columns"),
        (lambda: to_frame([[1, 1], [1, 1 + 1e-13]], [1, 2]), "condition at most 1e\\+12"),
        (lambda: change_of_frame(A, np.eye(3)), r"`B_to` must have the shape \(2, 2\)"),
        (lambda: represent(np.eye(3), A), r"`A` must have the shape \(2, 2\) of `B`"),
        (lambda: matrix_of(lambda x: x + 1, 2), AFFINE),
        (lambda: matrix_of(lambda x: x**2, 2), AFFINE),
        (lambda: matrix_of(lambda x: x, 0), "`n` must be an integer of at least 1, got 0"),
        (lambda: matrix_power([[0.5]], 2), "`A` must hold integers, got 0.5"),
        (lambda: matrix_power([[1, 2]], 2), "`A` must be a square table"),
        (lambda: matrix_power(F, -1), "`k` must be an integer of at least 0, got -1"),
        (lambda: matrix_power(F, True), "`k` must be an integer of at least 0, got True"),
        (lambda: count_walks([[1, -1], [0, 1]], 0, 1, 2), "`adj` must have non-negative entries"),
        (lambda: count_walks(F, 0, 2, 2), "`j` must be a node below 2, got 2"),
        (lambda: count_walks(F, -1, 0, 2), "`i` must be an integer of at least 0, got -1"),
        (lambda: fibonacci(2.0), "`n` must be an integer of at least 0, got 2.0"),
        (lambda: quadratic_form([[1, 2]], [1]), "`A` must be square"),
        (lambda: quadratic_form(F, [1, 2, 3]), r"`x` must have shape \(..., 2\), got \(3,\)"),
        (lambda: signed_area([1, 2, 3], [1, 2]), r"`u` must have shape \(2,\), got \(3,\)"),
        (lambda: transform_grid(np.eye(3), 0, 1), r"`A` must have shape \(2, 2\)"),
        (lambda: transform_grid(F, 1, 1), "`lo` must be below `hi`, got 1 and 1"),
        (lambda: transform_grid(F, 0, 1, n_lines=1), "`n_lines` must be an integer of at least 2"),
        (lambda: transform_grid(F, 0, 1, n_pts=1), "`n_pts` must be an integer of at least 2"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(frames(), arrows)
def test_no_frame_changes_the_arrow(B, y):
    assume(np.linalg.norm(y) > 0)
    assert_allclose(from_frame(B, to_frame(B, y)), y, rtol=0, atol=1e-12)
