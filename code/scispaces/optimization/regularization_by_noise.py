"""Noise on the input as a penalty: what random and what adversarial perturbations cost."""

import math

import numpy as np

from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "fgm",
    "gaussian_expectation",
    "hutchinson",
    "input_fisher",
    "kernel_regression",
    "kl_divergence",
    "laplacian",
    "noise_ridge",
    "output_curvature",
    "smoothness_penalty",
    "softmax",
    "vat_direction",
]


def gaussian_expectation(f, x, sigma, order=32):
    """Mean of a function of one variable when Gaussian noise is added to its argument.

    Parameters
    ----------
    f : callable
        Vectorised; is given shape ``(..., order)``.
    x : array_like, shape (...)
        Where the noise is added.
    sigma : float
        Standard deviation of the noise, finite and not negative.
    order : int, default 32
        Number of nodes of Gauss-Hermite quadrature, at least 1; polynomials up to degree
        ``2 * order - 1`` are exact.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `sigma` is negative or not finite, or `order` is no integer of at least 1.
    """
    sigma = _not_negative("sigma", sigma)
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < 1:
        raise ValueError(f"`order` must be an integer of at least 1, got {order}")
    nodes, weights = np.polynomial.hermite.hermgauss(order)
    values = f(np.asarray(x, dtype=float)[..., None] + math.sqrt(2) * sigma * nodes)
    return values @ weights / math.sqrt(math.pi)


def laplacian(f, x, h=1e-4):
    """Sum of the second derivatives, by central differences.

    Parameters
    ----------
    f : callable
        Maps a point of shape (d,) to a number.
    x : array_like, shape (d,)
        The point.
    h : float, default 1e-4
        Step, positive and finite.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `x` is no finite vector, or `h` is not positive and finite.
    """
    x = _array("x", x, 1)
    if not 0 < h < math.inf:
        raise ValueError(f"`h` must be positive and finite, got {h}")
    around = sum(f(x + step) + f(x - step) for step in h * np.eye(x.size))
    return float((around - 2 * x.size * f(x)) / h**2)


def noise_ridge(X, y, sigma):
    """Weights that minimise the mean squared error of a linear model under input noise.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Inputs, one a row; no intercept is added.
    y : array_like, shape (n,)
        Targets.
    sigma : float
        Standard deviation of the noise of every input, finite and not negative.

    Returns
    -------
    ndarray, shape (d,)
        ``(X.T X + n sigma**2 I)^-1 X.T y``; for `sigma` 0 the shortest least-squares solution.

    Raises
    ------
    ValueError
        If the shapes do not match, an entry is not finite, or `sigma` is negative.

    References
    ----------
    .. [1] C. M. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", Neural
       Computation 7 (1995), 108-116.
    """
    X, y, sigma = _array("X", X, 2), _array("y", y, 1), _not_negative("sigma", sigma)
    if y.shape != X.shape[:1]:
        raise ValueError(
            f"`y` must have shape ({X.shape[0]},) to match `X` of shape {X.shape}, got {y.shape}"
        )
    if sigma == 0:
        return np.linalg.lstsq(X, y, rcond=None)[0]
    return np.linalg.solve(X.T @ X + len(y) * sigma**2 * np.eye(X.shape[1]), X.T @ y)


def kernel_regression(x, y, sigma, at):
    """The best function of all for squared error under Gaussian input noise, in one dimension.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Inputs and targets of the training points.
    sigma : float
        Standard deviation of the noise, positive and finite.
    at : array_like, shape (...)
        Where the function is wanted.

    Returns
    -------
    ndarray, shape (...)
        Mean of `y`, weighted by the probability that each point was moved to `at`.

    Raises
    ------
    ValueError
        If the shapes of `x` and `y` differ, or `sigma` is not positive and finite.
    """
    x, y, at = _array("x", x, 1), _array("y", y, 1), np.asarray(at, dtype=float)
    if y.shape != x.shape:
        raise ValueError(f"`y` must have shape {x.shape} to match `x`, got {y.shape}")
    if not 0 < sigma < math.inf:
        raise ValueError(f"`sigma` must be positive and finite, got {sigma}")
    return softmax(-(((at[..., None] - x) / sigma) ** 2) / 2) @ y


def kl_divergence(p, q):
    """Kullback-Leibler divergence of two distributions along the last axis.

    Parameters
    ----------
    p, q : array_like, shape (..., k)
        Probabilities, which sum to one.

    Returns
    -------
    ndarray, shape (...)
        Not negative; infinite where `q` excludes what `p` allows.

    Raises
    ------
    ValueError
        If a probability is negative or NaN, or a row does not sum to one.
    """
    p, q = _probabilities("p", p), _probabilities("q", q)
    p, q = np.broadcast_arrays(p, q)
    possible, excluded = p > 0, (p > 0) & (q == 0)
    ratio = np.divide(p, q, out=np.ones_like(p), where=possible & ~excluded)
    terms = np.where(excluded, np.inf, p * np.log(ratio))
    return np.maximum(terms.sum(axis=-1), 0)


def output_curvature(f, loss="mse"):
    """Second derivative of the loss between an output and itself, for each component.

    Parameters
    ----------
    f : array_like, shape (..., k)
        Outputs; positive for "kl".
    loss : {"mse", "kl"}
        Sum of squares, or the divergence of the fixed output from the moved one.

    Returns
    -------
    ndarray, shape (..., k)
        2 for "mse", ``1 / f`` for "kl".

    Raises
    ------
    ValueError
        If `loss` is unknown, or an output is not positive for "kl".
    """
    f = np.asarray(f, dtype=float)
    if loss == "mse":
        return np.full_like(f, 2.0)
    if loss != "kl":
        raise ValueError(f'`loss` must be "mse" or "kl", got {loss!r}')
    if not np.all(f > 0):
        raise ValueError(f'`f` must be positive for "kl", got {f.min():g}')
    return 1 / f


def smoothness_penalty(jac, f, sigma, loss="mse"):
    """What small Gaussian input noise adds to the loss between an output and itself.

    Parameters
    ----------
    jac : array_like, shape (k, d)
        Derivatives of the outputs with respect to the inputs.
    f : array_like, shape (k,)
        Outputs.
    sigma : float
        Standard deviation of the noise, finite and not negative.
    loss : {"mse", "kl"}
        As in `output_curvature`.

    Returns
    -------
    float
        ``sigma**2 / 2 * sum(curvature * |gradient|**2)``.

    Raises
    ------
    ValueError
        If an argument is out of range, or the shapes do not match.
    """
    jac, f, sigma = _array("jac", jac, 2), _array("f", f, 1), _not_negative("sigma", sigma)
    if f.shape != jac.shape[:1]:
        raise ValueError(f"`f` must have shape ({jac.shape[0]},) to match `jac`, got {f.shape}")
    return float(sigma**2 / 2 * output_curvature(f, loss) @ np.sum(jac**2, axis=1))


def hutchinson(jac, n_probes, rng, kind="rademacher"):
    """Estimates of the sum of squares of a Jacobian, from one backward pass each.

    Parameters
    ----------
    jac : array_like, shape (k, d)
        The Jacobian.
    n_probes : int
        Number of estimates, at least 1.
    rng : numpy.random.Generator
        Source of the probes.
    kind : {"rademacher", "gaussian"}
        Distribution of the entries of a probe.

    Returns
    -------
    ndarray, shape (n_probes,)
        ``|eta @ jac|**2`` for each probe; their mean is the sum of squares.

    Raises
    ------
    ValueError
        If `jac` is no finite matrix, `n_probes` is no integer of at least 1, or `kind` is unknown.

    References
    ----------
    .. [1] M. F. Hutchinson, "A Stochastic Estimator of the Trace of the Influence Matrix for
       Laplacian Smoothing Splines", Communications in Statistics 19 (1990), 433-450.
    """
    jac = _array("jac", jac, 2)
    if isinstance(n_probes, bool) or not isinstance(n_probes, (int, np.integer)) or n_probes < 1:
        raise ValueError(f"`n_probes` must be an integer of at least 1, got {n_probes}")
    if kind not in ("rademacher", "gaussian"):
        raise ValueError(f'`kind` must be "rademacher" or "gaussian", got {kind!r}')
    shape = (n_probes, jac.shape[0])
    probes = rng.choice([-1.0, 1.0], shape) if kind == "rademacher" else rng.normal(size=shape)
    return np.sum((probes @ jac) ** 2, axis=1)


def fgm(grad, epsilon):
    """Perturbation of a given length along the gradient of the loss.

    Parameters
    ----------
    grad : array_like, shape (..., d)
        Gradients with respect to the input.
    epsilon : float
        Length, finite and not negative.

    Returns
    -------
    ndarray, shape (..., d)
        Zero where the gradient is zero.

    Raises
    ------
    ValueError
        If `epsilon` is negative or not finite.
    """
    grad, epsilon = np.asarray(grad, dtype=float), _not_negative("epsilon", epsilon)
    size = np.linalg.norm(grad, axis=-1, keepdims=True)
    return epsilon * np.divide(grad, size, out=np.zeros_like(grad), where=size > 0)


def input_fisher(W, p):
    """Fisher information of the input of a softmax of a linear map.

    Parameters
    ----------
    W : array_like, shape (k, d)
        Derivatives of the logits with respect to the input.
    p : array_like, shape (k,)
        Probabilities.

    Returns
    -------
    ndarray, shape (d, d)
        ``W.T (diag(p) - p p.T) W``, the Hessian of the divergence from `p`.

    Raises
    ------
    ValueError
        If the shapes do not match, or `p` are no probabilities.
    """
    W, p = _array("W", W, 2), _probabilities("p", p)
    if p.shape != W.shape[:1]:
        raise ValueError(f"`p` must have shape ({W.shape[0]},) to match `W`, got {p.shape}")
    return W.T @ (np.diag(p) - np.outer(p, p)) @ W


def vat_direction(grad_fn, x, xi=1e-3, n_iter=1, rng=None, u0=None):
    """Unit vector along which the output changes most, by power iteration with gradients.

    Parameters
    ----------
    grad_fn : callable
        Maps an input of shape (d,) to the gradient there of the loss against the output at `x`.
    x : array_like, shape (d,)
        The input.
    xi : float, default 1e-3
        Length of the step at whose end the gradient is taken, positive and finite.
    n_iter : int, default 1
        Number of iterations; 0 gives the start.
    rng : numpy.random.Generator, optional
        Draws the start; needed if `u0` is not given.
    u0 : array_like, shape (d,), optional
        The start.

    Returns
    -------
    ndarray, shape (d,)
        Of length one; where a gradient is zero, the direction that was reached before.

    Raises
    ------
    ValueError
        If an argument is out of range, or neither `rng` nor `u0` is given.

    References
    ----------
    .. [1] T. Miyato, S. Maeda, M. Koyama and S. Ishii, "Virtual Adversarial Training", IEEE TPAMI
       41 (2019). doi:10.1109/TPAMI.2018.2858821
    """
    x = _array("x", x, 1)
    if not 0 < xi < math.inf:
        raise ValueError(f"`xi` must be positive and finite, got {xi}")
    if isinstance(n_iter, bool) or not isinstance(n_iter, (int, np.integer)) or n_iter < 0:
        raise ValueError(f"`n_iter` must be an integer that is not negative, got {n_iter}")
    if u0 is None and rng is None:
        raise ValueError("`rng` or `u0` must be given, got neither")
    u = rng.normal(size=x.size) if u0 is None else _array("u0", u0, 1)
    if u.shape != x.shape or not np.any(u):
        raise ValueError(f"`u0` must have shape {x.shape} and not be zero, got {u}")
    u = fgm(u, 1.0)
    for _ in range(n_iter):
        g = np.asarray(grad_fn(x + xi * u), dtype=float)
        if not np.any(g):
            break
        u = fgm(g, 1.0)
    return u


def _array(name, value, ndim):
    value = np.asarray(value, dtype=float)
    if value.ndim != ndim or value.size == 0:
        raise ValueError(f"`{name}` must have {ndim} axes and entries, got shape {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)][0]}")
    return value


def _probabilities(name, p):
    p = np.asarray(p, dtype=float)
    if p.ndim == 0 or not np.all(p >= 0):
        raise ValueError(f"`{name}` must hold probabilities along an axis, got {p}")
    if not np.allclose(p.sum(axis=-1), 1, rtol=1e-8, atol=0):
        raise ValueError(f"`{name}` must sum to 1, got {p.sum(axis=-1)}")
    return p


def _not_negative(name, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be finite and not negative, got {value}")
    return float(value)
