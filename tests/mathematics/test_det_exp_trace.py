"""Facts that the chapter on det exp A = exp tr A claims."""

import cmath
import math

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from scispaces.mathematics.det_exp_trace import (
    det_path,
    dlogdet,
    expm,
    expm_series,
    hutchinson_trace,
    liouville,
    logdet_expm,
    logm_series,
    product_defect,
)

E = math.e
PROJECTOR = np.array([[1.0, 0.0], [1.0, 0.0]])
JORDAN = 2 * np.eye(3) + np.diag([1.0, 1.0], 1)
N = np.array([[0.0, 1.0], [0.0, 0.0]])
HILBERT = 1 / (np.arange(5)[:, None] + np.arange(5) + 1.0)
NEAR_ONE = np.array([[1.2, 0.3], [-0.1, 0.9]])
UNIPOTENT = np.array([[1.0, 5.0], [0.0, 1.0]])
MOLER = np.array([[-49.0, 24.0], [-64.0, 31.0]])
C1, S1 = math.cosh(1), math.sinh(1)


def damped(t):
    """A driven, damped oscillator: trace -0.2 at all times."""
    return np.array([[0, 1], [-1 - 0.5 * np.cos(2 * t), -0.2]])


def matrices(n=3, size=2.0):
    entries = st.floats(-size, size).map(lambda x: round(x, 3))
    return arrays(float, (n, n), elements=entries)


LOG_111 = math.log(1.11)
ROWS = {
    "expm of [[1,2],[3,4]]": (
        lambda: expm([[1, 2], [3, 4]]),
        [[51.9689562, 74.7365646], [112.1048468, 164.0738031]],
        1e-8,
    ),
    "det of it": (lambda: det_path([[1, 2], [3, 4]], 1.0), 148.4131591025766, 1e-11),
    "projector": (lambda: expm(PROJECTOR), [[E, 0], [E - 1, 1]], 1e-12),
    "det of the projector's": (lambda: det_path(PROJECTOR, 1.0), E, 1e-12),
    "Jordan block, first row": (lambda: expm(JORDAN)[0], E**2 * np.array([1, 1, 0.5]), 1e-12),
    "Jordan block, digits": (lambda: expm(JORDAN)[0, 2], 3.6945280, 1e-7),
    "Jordan block, det": (lambda: det_path(JORDAN, 1.0), 403.4287934927, 1e-12),
    "exp of the sum": (lambda: expm(N + N.T), [[C1, S1], [S1, C1]], 1e-12),
    "product of the exps": (lambda: expm(N) @ expm(N.T), [[2, 1], [1, 1]], 1e-12),
    "defect of the product": (lambda: product_defect(N, N.T), 0.7517331964870, 1e-10),
    "Hilbert 5x5": (lambda: logdet_expm(HILBERT), 1.787301587301587, 1e-11),
    "Mercator, 5 terms": (lambda: np.trace(logm_series(NEAR_ONE, 5)), 0.1043603333, 1e-9),
    "Mercator, 10 terms": (lambda: np.trace(logm_series(NEAR_ONE, 10)), 0.1043600153235, 1e-12),
    "Mercator, 20 terms": (lambda: np.trace(logm_series(NEAR_ONE, 20)), LOG_111, 1e-12),
    "unipotent, 3 terms": (lambda: logm_series(UNIPOTENT, 3), [[0, 5], [0, 0]], 1e-12),
    "unipotent, back": (lambda: expm(logm_series(UNIPOTENT, 3)), UNIPOTENT, 1e-12),
    "Moler-Van Loan": (
        lambda: expm(MOLER),
        [[-0.73575876, 0.55181910], [-1.47151760, 1.10363824]],
        1e-7,
    ),
    "Moler-Van Loan, 10 terms": (lambda: expm_series(MOLER, 10)[0, 0], -632163.66, 1e-5),
    "Moler-Van Loan, 30 terms": (lambda: expm_series(MOLER, 30)[0, 0], -59606.28, 1e-5),
    "Moler-Van Loan, 60 terms": (lambda: expm_series(MOLER, 60)[0, 0], -0.73575878, 1e-5),
    "Moler-Van Loan, det": (lambda: det_path(MOLER, 1.0), 1.522997974e-8, 1e-6),
    "Moler-Van Loan, det of 100 terms": (
        lambda: np.linalg.det(expm_series(MOLER, 100)),
        1.7311e-8,
        # The digits are rounding noise: what matters is that they are wrong by about 14 %.
        0.05,
    ),
    "Liouville, left": (lambda: liouville(damped, 0, 3)[1], -0.6, 1e-8),
    "Liouville, right": (lambda: liouville(damped, 0, 3)[2], -0.6, 1e-8),
}


@pytest.mark.verifies("eq-det-exp-trace-identity", by="table")
@pytest.mark.verifies("eq-det-exp-trace-projector", by="closed form")
@pytest.mark.verifies("eq-det-exp-trace-mercator", by="closed form")
@pytest.mark.parametrize(("compute", "value", "rtol"), ROWS.values(), ids=ROWS)
def test_numbers(compute, value, rtol):
    assert_allclose(compute(), value, rtol=rtol, atol=rtol * np.max(np.abs(value)))


@pytest.mark.verifies("eq-det-exp-trace-branch", by="closed form")
def test_principal_values_differ_by_a_turn():
    C = np.diag([cmath.exp(2.5j), cmath.exp(2.5j)])
    trace = np.trace(scipy.linalg.logm(C))
    assert_allclose(trace, 5j, atol=1e-12)
    log_det = cmath.log(np.linalg.det(C))
    assert_allclose(log_det, -1.2831853j, atol=1e-7)
    assert_allclose(trace - log_det, 2j * math.pi, atol=1e-12)


@pytest.mark.verifies("eq-det-exp-trace-identity", by="property")
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_identity_for_random_matrices(n, seed):
    A = np.random.default_rng(seed).normal(size=(n, n))
    A *= 5 / np.linalg.norm(A, 2)
    # exp(A) has a condition up to e^10, which costs four to five of sixteen digits.
    assert_allclose(logdet_expm(A), np.trace(A), rtol=0, atol=1e-9)


@pytest.mark.verifies("eq-det-exp-trace-series", by="library")
@given(matrices(4, 12.0))
def test_expm_agrees_with_scipy(A):
    expected = scipy.linalg.expm(A)
    # The problem's own condition is about the norm of A, at most 50 here.
    scale = np.abs(expected).sum(axis=0).max()
    assert np.abs(expm(A) - expected).sum(axis=0).max() <= 1e-11 * scale


@pytest.mark.verifies("eq-det-exp-trace-series", by="library")
def test_expm_agrees_with_mpmath():
    with mpmath.workdps(40):
        exact = mpmath.expm(mpmath.matrix(MOLER.tolist()))
        exact = np.array(exact.tolist(), dtype=float)
    assert_allclose(expm(MOLER), exact, rtol=1e-9)
    # The series has terms near ten million, sums near five million, and ends near one.
    sums = np.array([expm_series(MOLER, n) for n in range(1, 61)])
    assert_allclose(np.abs(np.diff(sums, axis=0)).max(), 9.30e6, rtol=1e-3)
    assert_allclose(np.abs(sums).max(), 4.72e6, rtol=1e-3)
    assert 1e-9 < np.abs(sums[-1] - exact).max() < 1e-7
    assert np.linalg.cond(exact) > np.exp(16)


@pytest.mark.verifies("eq-det-exp-trace-diagonal", by="property")
@given(matrices(), matrices().filter(lambda S: np.linalg.cond(S) < 100))
def test_similar_matrices_have_equal_determinants(A, S):
    B = S @ A @ np.linalg.inv(S)
    assert_allclose(expm(B), S @ expm(A) @ np.linalg.inv(S), rtol=0, atol=1e-5)
    assert_allclose(logdet_expm(B), np.trace(A), rtol=0, atol=1e-6)


@given(matrices(), st.floats(-1, 1))
def test_there_and_back(A, t):
    assert_allclose(det_path(A, t) * det_path(A, -t), 1, rtol=1e-9)


@given(matrices(2), matrices(2))
def test_blocks_add(A, B):
    block = scipy.linalg.block_diag(A, B)
    assert_allclose(logdet_expm(block), logdet_expm(A) + logdet_expm(B), rtol=0, atol=1e-10)


@given(matrices())
def test_skew_matrices_turn(A):
    Q = expm(A - A.T)
    assert_allclose(Q @ Q.T, np.eye(3), rtol=0, atol=1e-12)
    assert_allclose(np.linalg.det(Q), 1, rtol=1e-12)


@pytest.mark.verifies("eq-det-exp-trace-noncommuting", by="property")
@given(matrices(), matrices())
def test_the_determinant_cannot_see_the_order(A, B):
    left = np.linalg.slogdet(expm(A + B))[1]
    right = np.linalg.slogdet(expm(A) @ expm(B))[1]
    assert_allclose(left, right, rtol=0, atol=1e-8)


@pytest.mark.verifies("eq-det-exp-trace-noncommuting", by="property")
def test_products_differ_unless_they_commute():
    A = np.array([[0.3, 1.0], [-0.5, 0.2]])
    assert product_defect(A, 1.7 * A) < 1e-13
    # By hand: cosh and sinh of the square root of 2 against [[3, 1], [2, 1]].
    assert_allclose(product_defect(N, 2 * N.T), 1.656, atol=5e-4)
    assert product_defect(N, N.T) > 0.7


@pytest.mark.verifies("eq-det-exp-trace-jacobi", by="property")
@given(matrices().filter(lambda M: abs(np.linalg.det(M)) > 0.5), matrices())
def test_jacobi_against_differences(M, dM):
    h = 1e-5
    up, down = (np.linalg.slogdet(M + s * h * dM)[1] for s in (1, -1))
    # Central differences: h² times the third derivative, at most (|M⁻¹||dM|)³ ~ 1e5 here.
    assert_allclose((up - down) / (2 * h), dlogdet(M, dM), rtol=1e-4, atol=1e-4)


@pytest.mark.verifies("eq-det-exp-trace-first-order", by="property")
@given(matrices())
def test_first_order_volume(A):
    assert_allclose(dlogdet(np.eye(3), A), np.trace(A), rtol=0, atol=1e-13)
    errors = [np.linalg.det(np.eye(3) + h * A) - 1 - h * np.trace(A) for h in (1e-3, 1e-4)]
    # Second order: the coefficient is a sum of 2x2 minors, at most 3 * 8.
    assert abs(errors[0]) <= 25e-6
    assert abs(errors[1]) <= 25e-8


@pytest.mark.verifies("eq-det-exp-trace-limit", by="property")
def test_compound_interest_converges_at_first_order():
    A = np.array([[0.4, -1.0], [2.0, 0.3]])
    dets = [np.linalg.det(np.linalg.matrix_power(np.eye(2) + A / m, m)) for m in (10**3, 10**4)]
    errors = np.abs(np.array(dets) - math.exp(0.7))
    assert_allclose(errors[0] / errors[1], 10, rtol=0.02)


@pytest.mark.verifies("eq-det-exp-trace-flow", by="closed form")
@given(matrices(2, 1.5), st.lists(st.floats(-2, 2), min_size=1, max_size=4))
def test_volume_along_the_flow(A, ts):
    assert_allclose(det_path(A, ts), np.exp(np.trace(A) * np.array(ts)), rtol=1e-9)


@pytest.mark.verifies("eq-det-exp-trace-liouville", by="property")
@given(matrices(2, 1.0), matrices(2, 1.0))
def test_liouville_for_matrices_that_do_not_commute(A, B):
    _, logdet, integral = liouville(lambda t: A + t * B, 0.0, 1.0, n_steps=100)
    exact = np.trace(A) + np.trace(B) / 2
    # Simpson is exact for linear traces; Runge-Kutta has an error of order h^4.
    assert_allclose(integral, exact, rtol=0, atol=1e-13)
    assert_allclose(logdet, exact, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-det-exp-trace-liouville", by="library")
def test_flow_of_a_constant_matrix_is_its_exponential():
    A = damped(0.0)
    # Runge-Kutta with steps of 0.005: an error of order h^4, some 1e-10.
    assert_allclose(liouville(lambda t: A, 0, 2)[0], scipy.linalg.expm(2 * A), atol=1e-9)


@pytest.mark.verifies("eq-det-exp-trace-liouville", by="property")
def test_liouville_converges_at_fourth_order():
    errors = [abs(liouville(damped, 0, 3, n)[1] + 0.6) for n in (20, 40, 80)]
    assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 4, atol=0.6)


@pytest.mark.verifies("eq-det-exp-trace-mercator", by="library")
@pytest.mark.verifies("eq-det-exp-trace-log", by="library")
@given(matrices(3, 0.25))
def test_mercator_agrees_with_scipy(X):
    B = np.eye(3) + X
    assert_allclose(logm_series(B, 300), scipy.linalg.logm(B), rtol=0, atol=1e-10)
    assert_allclose(np.trace(logm_series(B, 300)), np.linalg.slogdet(B)[1], rtol=0, atol=1e-10)


def test_rotation_of_half_a_turn():
    assert_allclose(expm(1j * math.pi * np.eye(3)), -np.eye(3), atol=1e-13)


@pytest.mark.verifies("eq-det-exp-trace-rotation", by="closed form")
@pytest.mark.parametrize("turns", [-2, 0, 1, 3])
def test_many_logarithms_of_one_rotation(turns):
    angle = 0.7
    J = np.array([[0.0, -1.0], [1.0, 0.0]])
    rotation = math.cos(angle) * np.eye(2) + math.sin(angle) * J
    # The norm of the logarithm grows with the turns, and so does rounding.
    assert_allclose(expm((angle + 2 * math.pi * turns) * J), rotation, atol=1e-13)


def spd(n=200):
    rng = np.random.default_rng(1)
    G = rng.normal(size=(n, n))
    S = G @ G.T / n + np.eye(n)
    return S / (1.05 * np.linalg.norm(S, 2))


def log_matvec(S, n_terms=60):
    def matvec(v):
        X, power, total = S - np.eye(len(S)), v, np.zeros_like(v)
        for k in range(1, n_terms + 1):
            power = X @ power
            total += (-1) ** (k - 1) * power / k
        return total

    return matvec


@pytest.mark.verifies("eq-det-exp-trace-hutchinson", by="closed form")
def test_log_determinant_without_determinants():
    S = spd()
    true = np.linalg.slogdet(S)[1]
    mean, stderr = hutchinson_trace(log_matvec(S), 200, 64, np.random.default_rng(2))
    assert_allclose(true, -213.99957, rtol=1e-7)
    assert abs(mean - true) <= 4 * stderr
    assert stderr < 2


@pytest.mark.verifies("eq-det-exp-trace-hutchinson", by="property")
def test_error_falls_with_the_root_of_the_probes():
    S = spd(60)
    errors = [
        hutchinson_trace(log_matvec(S), 60, k, np.random.default_rng(3))[1] for k in (64, 1024)
    ]
    # 16 times the probes, a quarter of the error, itself known to about 10 %.
    assert_allclose(errors[0] / errors[1], 4, rtol=0.3)


@pytest.mark.verifies("eq-det-exp-trace-hutchinson", by="closed form")
def test_standard_error_has_the_size_of_the_spread():
    A = np.array([[1.0, 3.0], [3.0, 2.0]])
    # A probe gives 3 + 6 or 3 - 6, with equal chance: a spread of 6.  400 probes know it to 1 %.
    mean, stderr = hutchinson_trace(lambda v: A @ v, 2, 400, np.random.default_rng(5))
    assert_allclose(stderr, 6 / math.sqrt(400), rtol=0.01)
    assert abs(mean - 3) <= 4 * stderr


def test_trace_of_a_diagonal_matrix_is_exact_for_every_probe():
    mean, stderr = hutchinson_trace(lambda v: 3.0 * v, 7, 5, np.random.default_rng(0))
    assert (mean, stderr) == (21.0, 0.0)
    assert hutchinson_trace(lambda v: v, 7, 1, np.random.default_rng(0))[1] == math.inf


def test_elementwise_exponential_is_another_thing():
    assert_allclose(np.linalg.det(np.exp(PROJECTOR)), 0, atol=1e-12)
    assert_allclose(np.linalg.det(expm(PROJECTOR)), E, rtol=1e-12)


def test_left_side_loses_digits_where_eigenvalues_spread():
    A = np.random.default_rng(0).normal(size=(200, 200))
    error = abs(logdet_expm(A) - np.trace(A))
    assert 1e-9 < error < 1e-2


def test_determinants_underflow_where_their_logarithms_do_not():
    assert np.linalg.det(expm(-300 * np.eye(3))) == 0.0
    assert_allclose(logdet_expm(-300 * np.eye(3)), -900, rtol=1e-12)


def test_erratum_norm_is_not_what_decides():
    X = UNIPOTENT - np.eye(2)
    assert np.linalg.norm(X, 2) == pytest.approx(5)
    assert_allclose(expm(logm_series(UNIPOTENT, 1)), UNIPOTENT, atol=1e-14)


def test_erratum_the_power_is_a_slip():
    lam = np.array([0.3, -0.2])
    P = np.array([[1.0, 2.0], [0.5, -1.0]])
    X = P @ np.diag(lam) @ np.linalg.inv(P)
    right = P @ np.diag(np.log1p(lam)) @ np.linalg.inv(P)
    assert_allclose(logm_series(np.eye(2) + X, 200), right, atol=1e-14)
    squared = logm_series(np.eye(2) + X @ X, 200)
    assert np.abs(squared - right).max() > 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expm([[1, 2]]), r"`A` must be a square matrix, got shape \(1, 2\)"),
        (lambda: expm(np.zeros((0, 0))), "`A` must be a square matrix"),
        (lambda: expm([[np.inf]]), "`A` must be finite, got inf"),
        (lambda: expm_series([[1]], 0), "`n_terms` must be an integer of at least 1, got 0"),
        (lambda: expm_series([[1]], 2.0), "`n_terms` must be an integer of at least 1, got 2.0"),
        (lambda: logm_series([[2.5]], 3), "`B` - I must have a spectral radius below 1, got 1.5"),
        (lambda: logm_series([[1]], True), "`n_terms` must be an integer of at least 1, got True"),
        (lambda: dlogdet(np.eye(2), np.eye(3)), r"`dM` must have the shape \(2, 2\) of `M`"),
        (lambda: dlogdet([[1, 2], [2, 4]], np.eye(2)), "`M` must be invertible, got condition"),
        (lambda: product_defect(np.eye(2), np.eye(3)), r"`B` must have the shape \(2, 2\) of `A`"),
        (lambda: liouville(damped, 0, 1, 0), "`n_steps` must be an integer of at least 1"),
        (lambda: liouville(lambda t: [[1, 2]], 0, 1), "must be a square matrix"),
        (lambda: det_path([[1]], [0, np.nan]), "`ts` must be finite, got nan"),
        (lambda: hutchinson_trace(abs, 0, 1, None), "`n` must be an integer of at least 1, got 0"),
        (lambda: hutchinson_trace(abs, 1, 0, None), "`n_probes` must be an integer of at least 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
