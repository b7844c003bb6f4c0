"""How the moments of the inputs set the smoothness of a layer, and what normalisation changes."""

import math

import numpy as np

__all__ = [
    "batch_norm_backward",
    "batch_norm_forward",
    "condition_number",
    "gd_iterations",
    "second_moment",
    "smoothness",
    "standardize",
    "trace_bound",
    "update_running_stats",
]


def second_moment(x, fit_intercept=False):
    """Mean of the products of the inputs, two at a time.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    fit_intercept : bool, default False
        Whether a constant input of 1 is added as the last column.

    Returns
    -------
    ndarray, shape (d, d), or (d + 1, d + 1) with intercept

    Raises
    ------
    ValueError
        If `x` is no finite matrix.
    """
    x = _design(x, fit_intercept)
    return x.T @ x / len(x)


def trace_bound(x, mu=0.0, sigma=1.0):
    """Mean squared length of the inputs after a shift and a scaling.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    mu, sigma : float or array_like, shape (d,)
        What is subtracted, and what is divided by (positive).

    Returns
    -------
    float
        An upper bound of the largest eigenvalue of the second moment.

    Raises
    ------
    ValueError
        If `x` is no finite matrix, or a `sigma` is not positive.
    """
    x, sigma = _matrix("x", x), np.asarray(sigma, dtype=float)
    if not np.all(sigma > 0):
        raise ValueError(f"`sigma` must be positive, got {sigma}")
    return float(np.sum(((x - np.asarray(mu, dtype=float)) / sigma) ** 2) / len(x))


def smoothness(x, loss="squared", fit_intercept=True):
    """Lipschitz constant of the gradient of a linear model's mean loss.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    loss : {"squared", "logistic"}
        Half the squared error, for which the constant is exact, or the logistic loss, for which it
        is a bound.
    fit_intercept : bool, default True
        Whether the model has a bias.

    Returns
    -------
    float
        Gradient descent is safe for learning rates below 2 divided by it.

    Raises
    ------
    ValueError
        If `x` is no finite matrix, or `loss` is unknown.
    """
    if loss not in ("squared", "logistic"):
        raise ValueError(f'`loss` must be "squared" or "logistic", got {loss!r}')
    top = np.linalg.eigvalsh(second_moment(x, fit_intercept))[-1]
    return float(top if loss == "squared" else top / 4)


def condition_number(x, fit_intercept=True):
    """Largest over smallest eigenvalue of the second moment.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    fit_intercept : bool, default True
        Whether a constant input of 1 is added.

    Returns
    -------
    float
        At least 1; infinite if the inputs are linearly dependent.

    Raises
    ------
    ValueError
        If `x` is no finite matrix.
    """
    x = _design(x, fit_intercept)
    # Singular values of x itself: those of the product would lose half the digits.
    values = np.linalg.svd(x, compute_uv=False)
    if len(x) < x.shape[1] or values[-1] <= max(x.shape) * np.finfo(float).eps * values[0]:
        return math.inf
    return float((values[0] / values[-1]) ** 2)


def standardize(x, eps=0.0):
    """Subtract the mean of each column and divide by its standard deviation.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    eps : float, default 0.0
        Added to the variances; not negative.

    Returns
    -------
    z : ndarray, shape (n, d)
        The standardised inputs.
    mu : ndarray, shape (d,)
        The means.
    std : ndarray, shape (d,)
        The roots of the variances (of n, not n - 1) plus `eps`.

    Raises
    ------
    ValueError
        If `x` is no finite matrix, `eps` is negative, or a column is constant and `eps` is 0.
    """
    x = _matrix("x", x)
    if not 0 <= eps < math.inf:
        raise ValueError(f"`eps` must be finite and not negative, got {eps}")
    mu, std = x.mean(axis=0), np.sqrt(x.var(axis=0) + eps)
    if not np.all(std > 0):
        raise ValueError(f"`eps` must be positive where a column is constant, got {eps}")
    return (x - mu) / std, mu, std


def batch_norm_forward(x, gamma, beta, eps=1e-5):
    """Normalise a batch, then scale and shift it.

    Parameters
    ----------
    x : array_like, shape (n, d)
        The batch, at least two rows.
    gamma, beta : float or array_like, shape (d,)
        Scale and shift.
    eps : float, default 1e-5
        Added to the variances; not negative.

    Returns
    -------
    y : ndarray, shape (n, d)
        The normalised batch.
    cache : tuple
        What `batch_norm_backward` needs.

    Raises
    ------
    ValueError
        If `x` has fewer than two rows or is not finite, `eps` is negative, or a column is constant
        and `eps` is 0.

    References
    ----------
    .. [1] S. Ioffe and C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by
       Reducing Internal Covariate Shift", ICML 2015, arXiv:1502.03167.
    """
    x = _matrix("x", x)
    if len(x) < 2:
        raise ValueError(f"`x` must have at least 2 rows, got {len(x)}")
    normal, _, std = standardize(x, eps)
    gamma = np.broadcast_to(np.asarray(gamma, dtype=float), std.shape)
    return gamma * normal + np.asarray(beta, dtype=float), (normal, std, gamma)


def batch_norm_backward(dy, cache):
    """Gradients of a loss with respect to what went into `batch_norm_forward`.

    Parameters
    ----------
    dy : array_like, shape (n, d)
        Gradient with respect to the normalised batch.
    cache : tuple
        What `batch_norm_forward` returned.

    Returns
    -------
    dx : ndarray, shape (n, d)
        Gradient with respect to the batch; mean and variance count as functions of it.
    dgamma, dbeta : ndarray, shape (d,)
        Gradients with respect to scale and shift.

    Raises
    ------
    ValueError
        If `dy` has another shape than the batch.
    """
    normal, std, gamma = cache
    dy = np.asarray(dy, dtype=float)
    if dy.shape != normal.shape:
        raise ValueError(f"`dy` must have the shape {normal.shape} of the batch, got {dy.shape}")
    mean, along = dy.mean(axis=0), (dy * normal).mean(axis=0)
    dx = gamma / std * (dy - mean - normal * along)
    return dx, along * len(dy), mean * len(dy)


def update_running_stats(running_mean, running_var, x, momentum=0.99, unbiased=False):
    """Moving averages of mean and variance, for use after training.

    Parameters
    ----------
    running_mean, running_var : array_like, shape (d,)
        The averages so far.
    x : array_like, shape (n, d)
        The batch.
    momentum : float, default 0.99
        Share of the old average, in [0, 1] (as in Keras; PyTorch gives the share of the new one).
    unbiased : bool, default False
        Whether the variance of the batch is divided by n - 1 (as in PyTorch).

    Returns
    -------
    mean, var : ndarray, shape (d,)

    Raises
    ------
    ValueError
        If `momentum` is out of range, or `x` is no finite matrix or has one row and `unbiased`.
    """
    x = _matrix("x", x)
    if not 0 <= momentum <= 1:
        raise ValueError(f"`momentum` must be between 0 and 1, got {momentum}")
    if unbiased and len(x) < 2:
        raise ValueError(f"`x` must have at least 2 rows for `unbiased`, got {len(x)}")
    mean = momentum * np.asarray(running_mean, dtype=float) + (1 - momentum) * x.mean(axis=0)
    spread = x.var(axis=0, ddof=1 if unbiased else 0)
    return mean, momentum * np.asarray(running_var, dtype=float) + (1 - momentum) * spread


def gd_iterations(x, y, tol=1e-6, max_steps=100_000, fit_intercept=True):
    """Number of steps that gradient descent needs on a least-squares problem.

    The learning rate is 1 over the smoothness, the start is zero.  The steps are not taken: along
    each eigenvector of the second moment the error shrinks by a known factor.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Inputs, one a row.
    y : array_like, shape (n,)
        Targets.
    tol : float, default 1e-6
        Part of the initial excess loss that may be left; between 0 and 1.
    max_steps : int, default 100000
        When to give up.
    fit_intercept : bool, default True
        Whether the model has a bias.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the shapes do not match, or `tol` is out of range.
    RuntimeError
        If `max_steps` are not enough.
    """
    design, y = _design(x, fit_intercept), np.asarray(y, dtype=float)
    if y.shape != (len(design),):
        raise ValueError(f"`y` must have shape ({len(design)},) to match `x`, got {y.shape}")
    if not 0 < tol < 1:
        raise ValueError(f"`tol` must be between 0 and 1, got {tol}")
    left, values, _ = np.linalg.svd(design, full_matrices=False)
    # Where the loss is flat, nothing is left to do.
    steep = values > max(design.shape) * np.finfo(float).eps * values[0]
    shares = (left.T @ y)[steep] ** 2  # of the excess loss, along each eigenvector
    factors = 1 - (values[steep] / values[0]) ** 2

    def enough(n):
        return shares @ factors ** (2.0 * n) <= tol * shares.sum()

    if not enough(max_steps):
        raise RuntimeError(f"`max_steps` = {max_steps} steps do not reach {tol} of the start")
    low, high = -1, max_steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _matrix(name, x):
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"`{name}` must have shape (n, d) and entries, got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be finite, got {x[~np.isfinite(x)][0]}")
    return x


def _design(x, fit_intercept):
    x = _matrix("x", x)
    return np.column_stack([x, np.ones(len(x))]) if fit_intercept else x
