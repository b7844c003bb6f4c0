"""Differential forms with polynomial coefficients, exactly: wedge, d, and both sides of Stokes."""

import itertools
import math
from fractions import Fraction
from numbers import Rational, Real

import numpy as np

from scispaces.mathematics.what_is_a_matrix import signed_area as area_in_the_plane

__all__ = [
    "Form",
    "d",
    "dx",
    "flux_form",
    "function",
    "integrate_boundary",
    "integrate_box",
    "line_integral",
    "loop_integral",
    "polygon_area",
    "signed_area",
    "wedge",
    "work_form",
]


class Form:
    """A `p`-form on R^n with polynomial coefficients.

    Parameters
    ----------
    n : int
        Dimension of the space, at least 1.
    p : int
        Degree, at least 0.
    terms : dict, optional
        Maps tuples of `p` indices from 0 to n - 1, in any order, to a polynomial
        ``{exponents: number}`` with tuples of `n` exponents, or to a number.

    Attributes
    ----------
    n, p : int
    terms : dict of tuple to (dict of tuple to Fraction)
        Increasing tuples of indices to polynomials; no zeros.

    Raises
    ------
    ValueError
        If `n`, `p`, an index or an exponent is out of range, or a tuple has the wrong length.
    TypeError
        If a coefficient is not a real number.
    """

    def __init__(self, n, p, terms=None):
        if not _is_integer(n) or n < 1:
            raise ValueError(f"`n` must be an integer of at least 1, got {n}")
        if not _is_integer(p) or p < 0:
            raise ValueError(f"`p` must be an integer of at least 0, got {p}")
        self.n, self.p, self.terms = int(n), int(p), {}
        for indices, polynomial in (terms or {}).items():
            if len(indices) != p:
                raise ValueError(f"`terms` must have tuples of {p} indices, got {indices}")
            if not all(_is_integer(i) and 0 <= i < n for i in indices):
                raise ValueError(f"`terms` must have indices from 0 to {n - 1}, got {indices}")
            sign, ordered = _sorted(indices)
            if sign:
                self._add(ordered, _scaled(_polynomial(n, polynomial), sign))

    def _add(self, indices, polynomial):
        total = _sum(self.terms.get(indices, {}), polynomial)
        if total:
            self.terms[indices] = total
        else:
            self.terms.pop(indices, None)

    def __repr__(self):
        return f"Form({self.n}, {self.p}, {self.terms})"

    def __eq__(self, other):
        if not isinstance(other, Form):
            return NotImplemented
        return (self.n, self.p, self.terms) == (other.n, other.p, other.terms)

    __hash__ = None

    def __bool__(self):
        return bool(self.terms)

    def __add__(self, other):
        if not isinstance(other, Form):
            return NotImplemented
        if (self.n, self.p) != (other.n, other.p):
            raise ValueError(
                f"forms must have one dimension and degree to be added, got "
                f"({self.n}, {self.p}) and ({other.n}, {other.p})"
            )
        total = Form(self.n, self.p, self.terms)
        for indices, polynomial in other.terms.items():
            total._add(indices, polynomial)
        return total

    def __neg__(self):
        return -1 * self

    def __sub__(self, other):
        return self + -other if isinstance(other, Form) else NotImplemented

    def __rmul__(self, number):
        if not isinstance(number, Real):
            return NotImplemented
        factor = _fraction(number)
        return Form(self.n, self.p, {i: _scaled(f, factor) for i, f in self.terms.items()})

    def __call__(self, x, *vectors):
        """Value at the point `x` on `p` vectors.

        Parameters
        ----------
        x : array_like, shape (n,)
        *vectors : array_like, shape (n,)

        Returns
        -------
        float
            Coefficients times signed areas of shadows on the coordinate planes.

        Raises
        ------
        ValueError
            If there are not `p` vectors, or a shape is not (n,).
        """
        if len(vectors) != self.p:
            raise ValueError(f"`vectors` must be {self.p} of them, got {len(vectors)}")
        x = _vector("x", x, self.n)
        box = np.array([_vector("vectors", v, self.n) for v in vectors]).reshape(self.p, self.n)
        total = 0.0
        for indices, polynomial in self.terms.items():
            shadow = np.linalg.det(box[:, list(indices)]) if self.p else 1.0
            total += _value(polynomial, x) * shadow
        return float(total)


def dx(n, i):
    """The basis form that reads off coordinate `i` of a vector.

    Parameters
    ----------
    n, i : int
        Dimension, and index from 0 to n - 1.

    Returns
    -------
    Form
        Of degree 1.

    Raises
    ------
    ValueError
        If `n` or `i` is out of range.
    """
    return Form(n, 1, {(i,): 1})


def function(n, poly):
    """A polynomial as a form of degree 0.

    Parameters
    ----------
    n : int
    poly : dict or number
        ``{exponents: number}`` with tuples of `n` exponents.

    Returns
    -------
    Form

    Raises
    ------
    ValueError
        If `n` or an exponent is out of range.
    """
    return Form(n, 0, {(): poly})


def work_form(*polys):
    """The form ``P0 dx0 + P1 dx1 + ...`` whose line integral is the work of a field.

    Parameters
    ----------
    *polys : dict or number
        As many polynomials as dimensions.

    Returns
    -------
    Form
        Of degree 1.

    Raises
    ------
    ValueError
        If there are none, or one is not a polynomial in that many variables.
    """
    return Form(len(polys), 1, {(i,): poly for i, poly in enumerate(polys)})


def flux_form(P, Q, R):
    """The form ``P dy^dz + Q dz^dx + R dx^dy`` whose surface integral is the flux of a field.

    Parameters
    ----------
    P, Q, R : dict or number
        Polynomials in three variables.

    Returns
    -------
    Form
        Of degree 2 on R^3.

    Raises
    ------
    ValueError
        If one is not a polynomial in three variables.
    """
    return Form(3, 2, {(1, 2): P, (2, 0): Q, (0, 1): R})


def wedge(a, b):
    """The exterior product.

    Parameters
    ----------
    a, b : Form
        On the same space, of degrees p and q.

    Returns
    -------
    Form
        Of degree p + q; zero where that exceeds the dimension.

    Raises
    ------
    ValueError
        If the dimensions differ.
    """
    if a.n != b.n:
        raise ValueError(f"`a` and `b` must live on one space, got dimensions {a.n} and {b.n}")
    product = Form(a.n, a.p + b.p)
    for (i, f), (j, g) in itertools.product(a.terms.items(), b.terms.items()):
        sign, indices = _sorted(i + j)
        if sign:
            product._add(indices, _scaled(_times(f, g), sign))
    return product


def d(omega):
    """The exterior derivative.

    Parameters
    ----------
    omega : Form

    Returns
    -------
    Form
        One degree higher.
    """
    result = Form(omega.n, omega.p + 1)
    for indices, polynomial in omega.terms.items():
        for i in range(omega.n):
            sign, ordered = _sorted((i, *indices))
            if sign:
                result._add(ordered, _scaled(_partial(polynomial, i), sign))
    return result


def signed_area(u, v, i, j):
    """Signed area of the shadow of the parallelogram (u, v) on the plane of coordinates i and j.

    Parameters
    ----------
    u, v : array_like, shape (n,)
    i, j : int
        From 0 to n - 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ or an index is out of range.
    """
    u = np.asarray(u, dtype=float)
    v = _vector("v", v, u.size)
    for name, index in (("i", i), ("j", j)):
        if not (_is_integer(index) and 0 <= index < u.size):
            raise ValueError(f"`{name}` must be an index from 0 to {u.size - 1}, got {index}")
    return area_in_the_plane(u[[i, j]], v[[i, j]])


def line_integral(omega, p, q, order=12):
    """Integral of a 1-form along the segment from `p` to `q`.

    Parameters
    ----------
    omega : Form
        Of degree 1.
    p, q : array_like, shape (n,)
    order : int, default 12
        Gauss nodes: exact for coefficients of degree up to ``2 * order - 1``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `omega` is not of degree 1, or a shape is not (n,).
    """
    if omega.p != 1:
        raise ValueError(f"`omega` must be of degree 1, got {omega.p}")
    p, q = _vector("p", p, omega.n), _vector("q", q, omega.n)
    nodes, weights = np.polynomial.legendre.leggauss(order)
    values = [omega((p + q) / 2 + t * (q - p) / 2, q - p) for t in nodes]
    return float(weights @ values / 2)


def loop_integral(omega, x, u, v, order=12):
    """Integral of a 1-form round the parallelogram from `x` along `u`, then along `v`, and back.

    Parameters
    ----------
    omega : Form
        Of degree 1.
    x, u, v : array_like, shape (n,)
    order : int, default 12
        As in `line_integral`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `omega` is not of degree 1, or a shape is not (n,).
    """
    x, u, v = (_vector(name, a, omega.n) for name, a in (("x", x), ("u", u), ("v", v)))
    corners = [x, x + u, x + u + v, x + v, x]
    return sum(line_integral(omega, a, b, order) for a, b in itertools.pairwise(corners))


def integrate_box(omega, lo, hi):
    """Integral of an n-form over a box in R^n, oriented by ``dx0 ^ dx1 ^ ...``.

    Parameters
    ----------
    omega : Form
        Of degree n.
    lo, hi : sequence of n numbers
        Corners, ``lo < hi``.

    Returns
    -------
    fractions.Fraction

    Raises
    ------
    ValueError
        If the degree is not n, or the corners do not make a box.
    """
    if omega.p != omega.n:
        raise ValueError(f"`omega` must be of degree {omega.n}, got {omega.p}")
    lo, hi = _box(omega.n, lo, hi)
    sides = dict(enumerate(zip(lo, hi, strict=True)))
    return _integral(omega.terms.get(tuple(range(omega.n)), {}), sides)


def integrate_boundary(omega, lo, hi):
    """Integral of an (n - 1)-form over the boundary of a box, outward direction first.

    Parameters
    ----------
    omega : Form
        Of degree n - 1.
    lo, hi : sequence of n numbers
        Corners, ``lo < hi``.

    Returns
    -------
    fractions.Fraction

    Raises
    ------
    ValueError
        If the degree is not n - 1, or the corners do not make a box.
    """
    n = omega.n
    if omega.p != n - 1:
        raise ValueError(f"`omega` must be of degree {n - 1}, got {omega.p}")
    lo, hi = _box(n, lo, hi)
    total = Fraction(0)
    for i in range(n):
        face = tuple(j for j in range(n) if j != i)
        sides = {j: (lo[j], hi[j]) for j in face}
        polynomial = omega.terms.get(face, {})
        for sign, at in ((1, hi[i]), (-1, lo[i])):
            total += (-1) ** i * sign * _integral(_fixed(polynomial, i, at), sides)
    return total


def polygon_area(P):
    """Signed area of a polygon: half the integral of ``x dy - y dx`` round it.

    Parameters
    ----------
    P : array_like, shape (k, 2)
        Vertices in order, ``k >= 3``.

    Returns
    -------
    float
        Positive if the vertices run anticlockwise.

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    P = np.asarray(P, dtype=float)
    if P.ndim != 2 or P.shape[1] != 2 or len(P) < 3:
        raise ValueError(f"`P` must have shape (k, 2) with k >= 3, got {P.shape}")
    # Seen from its first vertex, so that a polygon far from the origin loses no digits.
    x, y = (P - P[0]).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _fraction(value):
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`terms` must have real coefficients, got {value!r}")
    if not isinstance(value, Rational) and not math.isfinite(value):
        raise ValueError(f"`terms` must have finite coefficients, got {value}")
    return Fraction(value) if isinstance(value, Rational) else Fraction(float(value))


def _sorted(indices):
    """Sign of the permutation that sorts distinct indices, or 0; and the sorted indices."""
    if len(set(indices)) < len(indices):
        return 0, ()
    swaps = sum(a > b for a, b in itertools.combinations(indices, 2))
    return (-1) ** swaps, tuple(sorted(int(i) for i in indices))


def _polynomial(n, poly):
    if not isinstance(poly, dict):
        poly = {(0,) * n: poly}
    found = {}
    for exponents, number in poly.items():
        if len(exponents) != n or not all(_is_integer(e) and e >= 0 for e in exponents):
            raise ValueError(f"exponents must be {n} integers of at least 0, got {exponents}")
        found = _sum(found, {tuple(exponents): _fraction(number)})
    return found


def _sum(f, g):
    total = {e: f.get(e, 0) + g.get(e, 0) for e in {**f, **g}}
    return {e: number for e, number in total.items() if number}


def _scaled(f, factor):
    return {e: factor * number for e, number in f.items() if factor}


def _times(f, g):
    total = {}
    for (e, a), (k, b) in itertools.product(f.items(), g.items()):
        total = _sum(total, {tuple(map(sum, zip(e, k, strict=True))): a * b})
    return total


def _partial(f, i):
    return {(*e[:i], e[i] - 1, *e[i + 1 :]): e[i] * number for e, number in f.items() if e[i]}


def _fixed(f, i, at):
    total = {}
    for e, number in f.items():
        total = _sum(total, {(*e[:i], 0, *e[i + 1 :]): number * at ** e[i]})
    return total


def _integral(f, sides):
    return sum(
        (
            number
            * math.prod(
                (high ** (e[j] + 1) - low ** (e[j] + 1)) / (e[j] + 1)
                for j, (low, high) in sides.items()
            )
            for e, number in f.items()
        ),
        Fraction(0),
    )


def _value(f, x):
    return sum(float(number) * np.prod(x ** np.array(e)) for e, number in f.items())


def _vector(name, value, n):
    value = np.asarray(value, dtype=float)
    if value.shape != (n,):
        raise ValueError(f"`{name}` must have shape ({n},), got {value.shape}")
    return value


def _box(n, lo, hi):
    if len(lo) != n or len(hi) != n:
        raise ValueError(f"`lo` and `hi` must have {n} entries, got {len(lo)} and {len(hi)}")
    lo, hi = [_fraction(x) for x in lo], [_fraction(x) for x in hi]
    for i, (low, high) in enumerate(zip(lo, hi, strict=True)):
        if low >= high:
            raise ValueError(f"`lo` must be below `hi`, got {low} and {high} at index {i}")
    return lo, hi
