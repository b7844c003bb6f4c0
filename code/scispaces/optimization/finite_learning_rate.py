"""The differential equation that gradient descent with a finite learning rate follows."""

import math

import numpy as np
from scipy.integrate import solve_ivp

from scispaces.optimization.adaptive_learning_rates import gradient_descent

__all__ = [
    "gradient_descent",
    "gradient_flow",
    "modified_gradient",
    "modified_loss",
    "modified_rate",
    "product_grad",
    "product_hess",
    "product_loss",
    "product_third",
    "train_product",
]


def modified_loss(loss, grad, theta, lr):
    """The loss whose gradient flow gradient descent follows to first order in the learning rate.

    Parameters
    ----------
    loss : callable
        Maps parameters of shape (d,) to the loss.
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta : array_like, shape (d,)
        Parameters.
    lr : float
        Learning rate, finite and not negative.

    Returns
    -------
    float
        ``loss + lr / 4 * |grad|**2``.

    Raises
    ------
    ValueError
        If `lr` is negative or not finite, or `theta` is no finite vector.

    References
    ----------
    .. [1] D. Barrett and B. Dherin, "Implicit Gradient Regularization", ICLR 2021,
       arXiv:2009.11162.
    """
    theta, lr = _vector("theta", theta), _not_negative("lr", lr)
    return float(loss(theta) + lr / 4 * np.sum(np.square(grad(theta))))


def modified_gradient(grad, hess, theta, lr, order=1, third=None):
    """Minus the velocity of the flow that passes through the points of gradient descent.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    hess : callable
        Maps parameters of shape (d,) to the Hessian, of shape (d, d).
    theta : array_like, shape (d,)
        Parameters.
    lr : float
        Learning rate, finite and not negative.
    order : {0, 1, 2}
        Powers of `lr` to keep; 0 is the plain gradient.
    third : callable, optional
        Maps ``theta, u, v`` to the third derivative applied to two vectors, of shape (d,); needed
        for order 2.

    Returns
    -------
    ndarray, shape (d,)
        ``g + lr/2 H g + lr**2 (H H g / 3 + T[g, g] / 12)`` up to `order`.

    Raises
    ------
    ValueError
        If an argument is out of range, or `third` is missing for order 2.

    References
    ----------
    .. [1] E. Hairer, C. Lubich and G. Wanner, "Geometric Numerical Integration", 2nd edition,
       chapter IX, Springer, 2006.
    """
    theta, lr = _vector("theta", theta), _not_negative("lr", lr)
    if order not in (0, 1, 2):
        raise ValueError(f"`order` must be 0, 1 or 2, got {order}")
    if order == 2 and third is None:
        raise ValueError("`third` must be given for order 2, got None")
    g = np.asarray(grad(theta), dtype=float)
    if order == 0:
        return g
    hessian = np.asarray(hess(theta), dtype=float)
    first = hessian @ g
    field = g + lr / 2 * first
    if order == 2:
        field = field + lr**2 * (hessian @ first / 3 + np.asarray(third(theta, g, g)) / 12)
    return field


def gradient_flow(field, theta0, t_eval, rtol=1e-10, atol=1e-12):
    """Solution of ``theta' = -field(theta)`` from time 0.

    Parameters
    ----------
    field : callable
        Maps parameters of shape (d,) to a vector of shape (d,).
    theta0 : array_like, shape (d,)
        Parameters at time 0.
    t_eval : array_like, shape (n,)
        Times, increasing and not negative.
    rtol, atol : float
        Tolerances of a step of the solver (DOP853).

    Returns
    -------
    ndarray, shape (n, d)
        Parameters at these times.

    Raises
    ------
    ValueError
        If `theta0` is no finite vector, or the times are negative or do not increase.
    RuntimeError
        If the solver fails.
    """
    theta0, t_eval = _vector("theta0", theta0), _vector("t_eval", t_eval)
    if t_eval[0] < 0 or np.any(np.diff(t_eval) <= 0):
        raise ValueError("`t_eval` must increase and not be negative")
    if t_eval[-1] == 0:
        return theta0[None].copy()
    solution = solve_ivp(
        lambda t, theta: -np.asarray(field(theta), dtype=float),
        (0.0, t_eval[-1]),
        theta0,
        method="DOP853",
        t_eval=t_eval,
        rtol=rtol,
        atol=atol,
    )
    if not solution.success:
        raise RuntimeError(f"the flow could not be followed: {solution.message}")
    return solution.y.T


def modified_rate(k, lr, order=None):
    """Rate of decay of the flow through the points of gradient descent on ``k/2 theta**2``.

    Parameters
    ----------
    k : array_like, shape (...)
        Curvature.
    lr : array_like, shape (...)
        Learning rate, positive; broadcasts against `k`.
    order : int, optional
        Powers of `lr` to keep in the series; all of them if None.

    Returns
    -------
    ndarray, shape (...)
        ``-log(1 - lr k) / lr``, or the partial sum of its series.

    Raises
    ------
    ValueError
        If `lr` is not positive and finite, `order` is no integer or negative, or no real rate
        exists because ``lr * k >= 1``.
    """
    k, lr = np.asarray(k, dtype=float), np.asarray(lr, dtype=float)
    if not np.all((lr > 0) & (lr < np.inf)):
        raise ValueError(f"`lr` must be positive and finite, got {lr}")
    if order is None:
        if not np.all(lr * k < 1):
            raise ValueError(
                f"`lr` times `k` must be below 1, got {np.max(lr * k):g}; beyond, no real flow "
                "passes through the points"
            )
        return -np.log1p(-lr * k) / lr
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError(f"`order` must be an integer that is not negative, got {order}")
    value = np.zeros(np.broadcast(k, lr).shape)
    for i in range(order, -1, -1):
        value = 1 / (i + 1) + lr * k * value
    return k * value


def product_loss(theta, y=1.0):
    """Loss ``(y - a b)**2 / 2`` of a network with two weights in a row.

    Parameters
    ----------
    theta : array_like, shape (..., 2)
        The weights a, b.
    y : float, default 1.0
        What the product should be.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If the last axis of `theta` has not two entries.
    """
    a, b = _pair(theta)
    return (y - a * b) ** 2 / 2


def product_grad(theta, y=1.0):
    """Gradient of `product_loss`.

    Parameters
    ----------
    theta : array_like, shape (..., 2)
        The weights a, b.
    y : float, default 1.0
        What the product should be.

    Returns
    -------
    ndarray, shape (..., 2)

    Raises
    ------
    ValueError
        If the last axis of `theta` has not two entries.
    """
    a, b = _pair(theta)
    r = y - a * b
    return np.stack([-r * b, -r * a], axis=-1)


def product_hess(theta, y=1.0):
    """Hessian of `product_loss`.

    Parameters
    ----------
    theta : array_like, shape (..., 2)
        The weights a, b.
    y : float, default 1.0
        What the product should be.

    Returns
    -------
    ndarray, shape (..., 2, 2)

    Raises
    ------
    ValueError
        If the last axis of `theta` has not two entries.
    """
    a, b = _pair(theta)
    mixed = 2 * a * b - y
    return np.stack([np.stack([b * b, mixed], -1), np.stack([mixed, a * a], -1)], axis=-2)


def product_third(theta, u, v):
    """Third derivative of `product_loss`, applied to two vectors.

    Parameters
    ----------
    theta : array_like, shape (2,)
        The weights a, b.
    u, v : array_like, shape (2,)
        The vectors.

    Returns
    -------
    ndarray, shape (2,)
        What is left of the third derivative after two of its indices are summed.

    Raises
    ------
    ValueError
        If the last axis of `theta` has not two entries.
    """
    (a, b), (u1, u2), (v1, v2) = _pair(theta), u, v
    mixed = u1 * v2 + u2 * v1
    return np.array([2 * b * mixed + 2 * a * u2 * v2, 2 * b * u1 * v1 + 2 * a * mixed])


def train_product(theta0, lr, y=1.0, tol=1e-12, max_steps=10**6):
    """Gradient descent on `product_loss` until the product is right.

    Parameters
    ----------
    theta0 : array_like, shape (2,)
        The weights a, b at the start.
    lr : float
        Learning rate, positive and finite.
    y : float, default 1.0
        What the product should be.
    tol : float, default 1e-12
        How near ``|y - a b|`` must come to zero.
    max_steps : int, default 10**6
        When to give up.

    Returns
    -------
    theta : ndarray, shape (2,)
        The weights at the end.
    n : int
        The number of steps taken.

    Raises
    ------
    ValueError
        If `theta0` has not two finite entries, or `lr` is not positive and finite.
    RuntimeError
        If the product is not right after `max_steps`, or the weights overflow.
    """
    theta0 = _vector("theta0", theta0)
    a, b = (float(v) for v in _pair(theta0))
    if not 0 < lr < math.inf:
        raise ValueError(f"`lr` must be positive and finite, got {lr}")
    for n in range(max_steps + 1):
        r = y - a * b
        if abs(r) < tol:
            return np.array([a, b]), n
        if not abs(r) < 1e150:
            break
        a, b = a + lr * r * b, b + lr * r * a
    raise RuntimeError(f"`lr` = {lr} did not reach |y - a b| < {tol} within {n} steps")


def _pair(theta):
    theta = np.asarray(theta, dtype=float)
    if theta.ndim == 0 or theta.shape[-1] != 2:
        raise ValueError(f"`theta` must have two entries in its last axis, got {theta.shape}")
    return theta[..., 0], theta[..., 1]


def _vector(name, value):
    value = np.array(value, dtype=float)
    if value.ndim != 1 or value.size == 0:
        raise ValueError(f"`{name}` must have one axis, got shape {value.shape}")
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)][0]}")
    return value


def _not_negative(name, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be finite and not negative, got {value}")
    return float(value)
