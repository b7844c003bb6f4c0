"""One table of numbers, read as a frame, a motion, a recurrence, a network and a form."""

import numbers

import numpy as np

__all__ = [
    "change_of_frame",
    "count_walks",
    "fibonacci",
    "from_frame",
    "matrix_of",
    "matrix_power",
    "quadratic_form",
    "represent",
    "signed_area",
    "to_frame",
    "transform_grid",
]

MAX_CONDITION = 1e12
"""A frame beyond this condition number loses more than twelve digits of every coordinate."""


def from_frame(B, x):
    """Standard coordinates of the arrows that have coordinates `x` in the frame `B`.

    Parameters
    ----------
    B : array_like, shape (m, n)
        The basis vectors as columns, written in the standard frame; may be rectangular.
    x : array_like, shape (n,) or (n, k)
        Coordinates in the frame; columns are arrows.

    Returns
    -------
    ndarray, shape (m,) or (m, k)

    Raises
    ------
    ValueError
        If `B` is not a finite 2-D array, or `x` does not fit it.
    """
    B = _matrix("B", B)
    return B @ _vectors("x", x, B.shape[1])


def to_frame(B, y):
    """Coordinates in the frame `B` of the arrows that have standard coordinates `y`.

    Parameters
    ----------
    B : array_like, shape (n, n)
        The basis vectors as columns.
    y : array_like, shape (n,) or (n, k)
        Standard coordinates; columns are arrows.

    Returns
    -------
    ndarray, shape (n,) or (n, k)

    Raises
    ------
    ValueError
        If `B` is not square or its columns are dependent to working precision, or `y` does not fit.
    """
    B = _frame("B", B)
    return np.linalg.solve(B, _vectors("y", y, B.shape[0]))


def change_of_frame(B_from, B_to):
    """Matrix that turns coordinates in `B_from` into coordinates in `B_to`.

    Parameters
    ----------
    B_from, B_to : array_like, shape (n, n)
        Two frames, basis vectors as columns.

    Returns
    -------
    ndarray, shape (n, n)
        ``P`` with ``P @ coordinates_in_from == coordinates_in_to``.

    Raises
    ------
    ValueError
        If either is no frame, or their shapes differ.
    """
    B_from, B_to = _frame("B_from", B_from), _frame("B_to", B_to)
    if B_from.shape != B_to.shape:
        raise ValueError(f"`B_to` must have the shape {B_from.shape} of `B_from`, got {B_to.shape}")
    return np.linalg.solve(B_to, B_from)


def represent(A, B):
    """Table that the motion `A` has in the frame `B`: ``B⁻¹ A B``.

    Parameters
    ----------
    A : array_like, shape (n, n)
        The motion, written in the standard frame.
    B : array_like, shape (n, n)
        A frame, basis vectors as columns.

    Returns
    -------
    ndarray, shape (n, n)

    Raises
    ------
    ValueError
        If `B` is no frame, or `A` does not have its shape.
    """
    A, B = _matrix("A", A), _frame("B", B)
    if A.shape != B.shape:
        raise ValueError(f"`A` must have the shape {B.shape} of `B`, got {A.shape}")
    return np.linalg.solve(B, A @ B)


def matrix_of(f, n, rtol=1e-9, seed=0):
    """Table of a linear map: its columns are the images of the standard basis.

    Parameters
    ----------
    f : callable
        Takes an array of shape (n,), returns one of shape (m,).
    n : int
        Dimension of the input, ``n >= 1``.
    rtol : float, default 1e-9
        Relative error up to which `f` counts as linear.
    seed : int, default 0
        Seed of the four random arrows on which linearity is checked.

    Returns
    -------
    ndarray, shape (m, n)

    Raises
    ------
    ValueError
        If `n` is not a positive integer, or `f` is not linear (a constant term shows only here:
        the columns alone look fine).
    """
    n = _count("n", n, 1)
    A = np.stack([np.asarray(f(e), dtype=float) for e in np.eye(n)], axis=1)
    for x in np.random.default_rng(seed).normal(size=(4, n)):
        image = np.asarray(f(x), dtype=float)
        size = np.abs(A) @ np.abs(x) + np.abs(image)
        if not np.all(np.abs(A @ x - image) <= rtol * size + np.finfo(float).tiny):
            raise ValueError(
                f"`f` must be linear, got f(x) = {image} where its table gives {A @ x}"
            )
    return A


def matrix_power(A, k):
    """Exact power of an integer matrix, by repeated squaring in Python's integers.

    Parameters
    ----------
    A : array_like of int, shape (n, n)
    k : int
        Exponent, ``k >= 0``; 0 gives the identity.

    Returns
    -------
    ndarray of int, dtype object, shape (n, n)

    Raises
    ------
    ValueError
        If `A` is not a square table of integers, or `k` is not a non-negative integer.
    """
    base, k = _integer_matrix("A", A), _count("k", k, 0)
    result = np.array(
        [[int(i == j) for j in range(len(base))] for i in range(len(base))], dtype=object
    )
    while k:
        if k & 1:
            result = result @ base
        k >>= 1
        if k:
            base = base @ base
    return result


def count_walks(adj, i, j, length):
    """Number of walks of `length` steps from node `i` to node `j`.

    Parameters
    ----------
    adj : array_like of int, shape (n, n)
        ``adj[a, b]`` counts the edges from a to b.
    i, j : int
        Nodes, counted from 0.
    length : int
        Number of steps, ``length >= 0``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an entry of `adj` is negative or no integer, a node is out of range, or `length` is
        negative.
    """
    adj = _integer_matrix("adj", adj)
    if any(entry < 0 for entry in adj.flat):
        raise ValueError(f"`adj` must have non-negative entries, got {min(adj.flat)}")
    for name, node in (("i", i), ("j", j)):
        if _count(name, node, 0) >= len(adj):
            raise ValueError(f"`{name}` must be a node below {len(adj)}, got {node}")
    return matrix_power(adj, _count("length", length, 0))[i, j]


def fibonacci(n):
    """Fibonacci number ``F_n`` with ``F_0 = 0`` and ``F_1 = 1``, exactly.

    Parameters
    ----------
    n : int
        Index, ``n >= 0``.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If `n` is not a non-negative integer.
    """
    return matrix_power([[1, 1], [1, 0]], _count("n", n, 0))[0, 1]


def quadratic_form(A, x):
    """Value of the quadratic form ``xᵀ A x``.

    Parameters
    ----------
    A : array_like, shape (n, n)
    x : array_like, shape (..., n)

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `A` is not square, or the last axis of `x` does not fit it.
    """
    A, x = _matrix("A", A), np.asarray(x, dtype=float)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"`A` must be square, got shape {A.shape}")
    if x.ndim == 0 or x.shape[-1] != A.shape[0]:
        raise ValueError(f"`x` must have shape (..., {A.shape[0]}), got {x.shape}")
    return np.einsum("...i,ij,...j->...", x, A, x)


def signed_area(u, v):
    """Signed area of the parallelogram from `u` to `v`, positive if `v` lies to the left of `u`.

    Parameters
    ----------
    u, v : array_like, shape (2,)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If either does not have shape (2,).
    """
    u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    for name, arrow in (("u", u), ("v", v)):
        if arrow.shape != (2,):
            raise ValueError(f"`{name}` must have shape (2,), got {arrow.shape}")
    return float(u[0] * v[1] - u[1] * v[0])


def transform_grid(A, lo, hi, n_lines=9, n_pts=2):
    """Images of the lines of a square grid.

    Parameters
    ----------
    A : array_like, shape (2, 2)
    lo, hi : float
        The grid covers ``[lo, hi]`` in both directions.
    n_lines : int, default 9
        Lines in each direction, at least 2.
    n_pts : int, default 2
        Points on each line, at least 2; straight lines stay straight, so 2 will do.

    Returns
    -------
    ndarray, shape (2 * n_lines, n_pts, 2)
        First the images of the vertical lines, from left to right, then of the horizontal ones,
        from bottom to top; points in the order of growing coordinate.

    Raises
    ------
    ValueError
        If `A` is not 2 by 2, the range is empty, or a count is below 2.
    """
    A = _matrix("A", A)
    if A.shape != (2, 2):
        raise ValueError(f"`A` must have shape (2, 2), got {A.shape}")
    if not lo < hi:
        raise ValueError(f"`lo` must be below `hi`, got {lo} and {hi}")
    fixed = np.linspace(lo, hi, _count("n_lines", n_lines, 2))
    along = np.linspace(lo, hi, _count("n_pts", n_pts, 2))
    vertical = np.stack(np.broadcast_arrays(fixed[:, None], along), axis=-1)
    return np.concatenate([vertical, vertical[..., ::-1]]) @ A.T


def _matrix(name, value):
    value = np.asarray(value, dtype=float)
    if value.ndim != 2 or value.size == 0:
        raise ValueError(f"`{name}` must be a non-empty 2-D array, got shape {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)][0]}")
    return value


def _frame(name, value):
    value = _matrix(name, value)
    if value.shape[0] != value.shape[1]:
        raise ValueError(f"`{name}` must be square to be a frame, got shape {value.shape}")
    condition = np.linalg.cond(value)
    if not condition <= MAX_CONDITION:
        raise ValueError(
            f"`{name}` must have independent columns (condition at most {MAX_CONDITION:g}), "
            f"got condition {condition:.3g}"
        )
    return value


def _vectors(name, value, n):
    value = np.asarray(value, dtype=float)
    if value.ndim not in (1, 2) or value.shape[0] != n:
        raise ValueError(f"`{name}` must have shape ({n},) or ({n}, k), got {value.shape}")
    return value


def _integer_matrix(name, value):
    table = np.array(value, dtype=object)
    if table.ndim != 2 or table.size == 0 or table.shape[0] != table.shape[1]:
        raise ValueError(f"`{name}` must be a square table, got shape {table.shape}")
    for entry in table.flat:
        if isinstance(entry, bool) or not isinstance(entry, numbers.Integral):
            raise ValueError(f"`{name}` must hold integers, got {entry!r}")
    return np.array([[int(entry) for entry in row] for row in table], dtype=object)


def _count(name, value, least):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")
    return int(value)
