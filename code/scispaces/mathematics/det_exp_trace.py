"""Matrix exponentials, their determinants, and the trace that both of them follow."""

import math
import numbers

import numpy as np

__all__ = [
    "det_path",
    "dlogdet",
    "expm",
    "expm_series",
    "hutchinson_trace",
    "liouville",
    "logdet_expm",
    "logm_series",
    "product_defect",
]

TAYLOR_TERMS = 20
"""Terms of the scaled series: with norm 1/2 the first one left out is 2^-20 / 20! < 1e-24."""


def expm_series(A, n_terms):
    """Partial sum of the exponential series, term by term.

    Deliberately naive: for large `A` the terms grow before they fall, and cancel in rounding.

    Parameters
    ----------
    A : array_like, shape (n, n)
    n_terms : int
        Number of terms, ``n_terms >= 1``; one term is the identity.

    Returns
    -------
    ndarray, shape (n, n)
        ``sum(A**k / k! for k < n_terms)``.

    Raises
    ------
    ValueError
        If `A` is not a finite square matrix, or `n_terms` is not a positive integer.
    """
    A, n_terms = _square("A", A), _count("n_terms", n_terms)
    term = np.eye(len(A), dtype=A.dtype)
    total = term.copy()
    for k in range(1, n_terms):
        term = term @ A / k
        total += term
    return total


def expm(A):
    """Matrix exponential, by scaling and squaring.

    Parameters
    ----------
    A : array_like, shape (n, n)

    Returns
    -------
    ndarray, shape (n, n)

    Raises
    ------
    ValueError
        If `A` is not a finite square matrix.

    References
    ----------
    .. [1] C. Moler, C. Van Loan, "Nineteen dubious ways to compute the exponential of a matrix,
       twenty-five years later", SIAM Review 45 (2003), 3-49.
    """
    A = _square("A", A)
    norm = np.abs(A).sum(axis=0).max()
    squarings = max(0, math.ceil(math.log2(2 * norm))) if norm > 0 else 0
    result = expm_series(A / 2.0**squarings, TAYLOR_TERMS)
    for _ in range(squarings):
        result = result @ result
    return result


def logm_series(B, n_terms):
    """Partial sum of Mercator's series for the logarithm.

    Parameters
    ----------
    B : array_like, shape (n, n)
        The spectral radius of ``B - I`` must be below 1; its norm need not be.
    n_terms : int
        Number of terms, ``n_terms >= 1``.

    Returns
    -------
    ndarray, shape (n, n)
        ``sum((-1)**(k-1) * (B - I)**k / k for k in 1..n_terms)``.

    Raises
    ------
    ValueError
        If `B` is not a finite square matrix, the series diverges, or `n_terms` is below 1.
    """
    B, n_terms = _square("B", B), _count("n_terms", n_terms)
    X = B - np.eye(len(B))
    radius = np.abs(np.linalg.eigvals(X)).max()
    if not radius < 1:
        raise ValueError(f"`B` - I must have a spectral radius below 1, got {radius:.6g}")
    power, total = X, X.copy()
    for k in range(2, n_terms + 1):
        power = -power @ X
        total = total + power / k
    return total


def logdet_expm(A):
    """Logarithm of ``|det exp(A)|``, from the left side: exponential first.

    Parameters
    ----------
    A : array_like, shape (n, n)

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `A` is not a finite square matrix.
    """
    # slogdet, since the determinant itself underflows long before its logarithm is large.
    return float(np.linalg.slogdet(expm(A))[1])


def det_path(A, ts):
    """Determinant of ``exp(t A)`` along `ts`.

    Parameters
    ----------
    A : array_like, shape (n, n)
    ts : array_like, shape (...)
        Times.

    Returns
    -------
    ndarray, shape of `ts`

    Raises
    ------
    ValueError
        If `A` is not a finite square matrix, or `ts` is not finite.
    """
    A, ts = _square("A", A), np.asarray(ts, dtype=float)
    if not np.all(np.isfinite(ts)):
        raise ValueError(f"`ts` must be finite, got {ts[~np.isfinite(ts)].flat[0]}")
    values = [np.linalg.det(expm(t * A)) for t in ts.flat]
    return np.array(values, dtype=A.dtype).reshape(ts.shape)


def dlogdet(M, dM):
    """Rate at which ``ln det M`` changes when `M` changes at the rate `dM` (Jacobi's formula).

    Parameters
    ----------
    M, dM : array_like, shape (n, n)

    Returns
    -------
    float or complex
        ``trace(inv(M) @ dM)``.

    Raises
    ------
    ValueError
        If either is not a finite square matrix, the shapes differ, or `M` is singular (condition
        above 1e15).
    """
    M, dM = _square("M", M), _square("dM", dM)
    _same_shape("M", M, "dM", dM)
    if not np.linalg.cond(M) <= 1e15:
        raise ValueError(f"`M` must be invertible, got condition {np.linalg.cond(M):.3g}")
    return np.trace(np.linalg.solve(M, dM)).item()


def product_defect(A, B):
    """How far the exponential of a sum is from the product of the exponentials.

    Parameters
    ----------
    A, B : array_like, shape (n, n)

    Returns
    -------
    float
        Frobenius norm of ``exp(A + B) - exp(A) exp(B)``; 0 if `A` and `B` commute.

    Raises
    ------
    ValueError
        If either is not a finite square matrix, or the shapes differ.
    """
    A, B = _square("A", A), _square("B", B)
    _same_shape("A", A, "B", B)
    return float(np.linalg.norm(expm(A + B) - expm(A) @ expm(B)))


def liouville(A_of_t, t0, t1, n_steps=400):
    """Both sides of Liouville's formula for ``Phi' = A(t) Phi`` with ``Phi(t0) = I``.

    Parameters
    ----------
    A_of_t : callable
        Takes a float, returns an array of shape (n, n).
    t0, t1 : float
        Interval.
    n_steps : int, default 400
        Steps of the classical Runge-Kutta method, and of Simpson's rule for the trace.

    Returns
    -------
    Phi : ndarray, shape (n, n)
        Fundamental matrix at `t1`.
    logdet : float
        ``ln |det Phi|``.
    int_trace : float
        Integral of the trace of ``A(t)`` from `t0` to `t1`.

    Raises
    ------
    ValueError
        If `n_steps` is below 1, or ``A(t)`` is not a finite square matrix.
    """
    n_steps = _count("n_steps", n_steps)
    h = (t1 - t0) / n_steps
    right = _square("A_of_t(t0)", A_of_t(t0))
    Phi, integral = np.eye(len(right), dtype=right.dtype), 0.0
    for step in range(n_steps):
        t = t0 + step * h
        left = right
        middle = _square("A_of_t(t)", A_of_t(t + h / 2))
        right = _square("A_of_t(t)", A_of_t(t + h))
        k1 = left @ Phi
        k2 = middle @ (Phi + h / 2 * k1)
        k3 = middle @ (Phi + h / 2 * k2)
        k4 = right @ (Phi + h * k3)
        Phi = Phi + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        integral += h / 6 * np.trace(left + 4 * middle + right)
    return Phi, float(np.linalg.slogdet(Phi)[1]), integral.item()


def hutchinson_trace(matvec, n, n_probes, rng):
    """Estimate a trace from products with random signs, without the matrix.

    Parameters
    ----------
    matvec : callable
        Maps an array of shape (n,) to the product of the matrix with it.
    n : int
        Dimension.
    n_probes : int
        Number of random vectors.
    rng : numpy.random.Generator

    Returns
    -------
    mean : float
        Unbiased estimate of the trace.
    stderr : float
        Its standard error; infinite for a single probe.

    Raises
    ------
    ValueError
        If `n` or `n_probes` is below 1.

    References
    ----------
    .. [1] M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix for
       Laplacian smoothing splines", Communications in Statistics 19 (1990), 433-450.
    """
    n, n_probes = _count("n", n), _count("n_probes", n_probes)
    probes = rng.integers(0, 2, size=(n_probes, n)) * 2.0 - 1.0
    samples = np.array([v @ matvec(v) for v in probes])
    if n_probes == 1:
        return float(samples[0]), math.inf
    return float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(n_probes))


def _square(name, value):
    value = np.asarray(value)
    value = value.astype(complex if np.iscomplexobj(value) else float)
    if value.ndim != 2 or value.shape[0] != value.shape[1] or value.size == 0:
        raise ValueError(f"`{name}` must be a square matrix, got shape {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)][0]}")
    return value


def _same_shape(name, value, other_name, other):
    if value.shape != other.shape:
        raise ValueError(
            f"`{other_name}` must have the shape {value.shape} of `{name}`, got {other.shape}"
        )


def _count(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1, got {value!r}")
    return int(value)
