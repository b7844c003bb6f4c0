"""Gradient descent as Euler's method, and step sizes that follow the gradient."""

import math

import numpy as np

__all__ = [
    "adam",
    "arc_length_euler",
    "euler_local_error",
    "gradient_descent",
    "rmsprop",
    "rmsprop_gain",
    "sign_descent",
]


def gradient_descent(grad, theta0, lr, steps):
    """Path of Euler's method for the gradient flow ``theta' = -grad(theta)``.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta0 : float or array_like, shape (d,)
        Where to start; a number counts as one parameter.
    lr : float
        Learning rate, the time of one step; positive and finite.
    steps : int
        Number of steps, not negative.

    Returns
    -------
    ndarray, shape (steps + 1, d)
        The first row is `theta0`.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.
    """
    lr = _positive("lr", lr)
    return _path(grad, theta0, steps, lambda g: lr * g)


def sign_descent(grad, theta0, lr, steps):
    """Path of steps of one length in every coordinate, against the sign of the gradient.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta0 : float or array_like, shape (d,)
        Where to start; a number counts as one parameter.
    lr : float
        Length of a step in each coordinate, positive and finite.
    steps : int
        Number of steps, not negative.

    Returns
    -------
    ndarray, shape (steps + 1, d)
        The first row is `theta0`; a coordinate whose gradient is zero does not move.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.
    """
    lr = _positive("lr", lr)
    return _path(grad, theta0, steps, lambda g: lr * np.sign(g))


def arc_length_euler(grad, theta0, ds, steps):
    """Euler's method for the gradient flow with steps of one length and times solved for.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta0 : float or array_like, shape (d,)
        Where to start; a number counts as one parameter.
    ds : float
        Length of a step, positive and finite.
    steps : int
        Number of steps, not negative.

    Returns
    -------
    t : ndarray, shape (n + 1,)
        Times; they grow by ``ds / |grad|``.
    theta : ndarray, shape (n + 1, d)
        Parameters at these times; ``n`` is `steps`, or less if the gradient became exactly zero.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.
    """
    ds = _positive("ds", ds)
    times = [0.0]

    def displacement(g):
        size = np.linalg.norm(g)
        if size == 0:
            return None
        times.append(times[-1] + ds / size)
        return ds / size * g

    theta = _path(grad, theta0, steps, displacement)
    return np.array(times), theta


def rmsprop(
    grad,
    theta0,
    lr=0.01,
    rho=0.9,
    eps=1e-8,
    steps=100,
    mode="coordinate",
    return_state=False,
):
    """Path of gradient steps divided by the root of a moving average of the squared gradient.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta0 : float or array_like, shape (d,)
        Where to start; a number counts as one parameter.
    lr : float, default 0.01
        Learning rate, positive and finite.
    rho : float, default 0.9
        Memory of the average, which starts at zero; in [0, 1).
    eps : float, default 1e-8
        Added to the average inside the root; not negative.
    steps : int, default 100
        Number of steps, not negative.
    mode : {"coordinate", "norm"}
        Average the square of each coordinate (a learning rate for each), or of the norm (one
        learning rate, and the direction of the gradient).
    return_state : bool, default False
        Whether to return the averages too.

    Returns
    -------
    theta : ndarray, shape (steps + 1, d)
        The first row is `theta0`; what has gradient zero does not move.
    G : ndarray, shape (steps + 1, d), or (steps + 1,) for "norm"
        The averages, if `return_state`; row ``n`` is the one that step ``n`` divided by.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.

    References
    ----------
    .. [1] T. Tieleman and G. Hinton, "Lecture 6.5: RMSProp", Coursera, 2012.
    """
    lr, rho, eps = _positive("lr", lr), _fraction("rho", rho), _not_negative("eps", eps)
    if mode not in ("coordinate", "norm"):
        raise ValueError(f'`mode` must be "coordinate" or "norm", got {mode!r}')
    start = _start(theta0)
    averages = [np.zeros(start.size) if mode == "coordinate" else np.float64(0)]

    def displacement(g):
        square = g * g if mode == "coordinate" else g @ g
        averages.append(rho * averages[-1] + (1 - rho) * square)
        root = np.sqrt(averages[-1] + eps)
        # Where the root is zero, so is the gradient: no step.
        return lr * np.divide(g, root, out=np.zeros_like(g), where=root > 0)

    theta = _path(grad, start, steps, displacement)
    return (theta, np.array(averages)) if return_state else theta


def adam(
    grad,
    theta0,
    lr=0.001,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    steps=100,
    bias_correction=True,
):
    """Path of Adam: RMSprop with an averaged gradient, and averages corrected for their start.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    theta0 : float or array_like, shape (d,)
        Where to start; a number counts as one parameter.
    lr : float, default 0.001
        Learning rate, positive and finite.
    beta1, beta2 : float, default 0.9 and 0.999
        Memory of the averages of the gradient and of its square; in [0, 1).
    eps : float, default 1e-8
        Added to the root of the corrected average; not negative.
    steps : int, default 100
        Number of steps, not negative.
    bias_correction : bool, default True
        Whether the averages are divided by ``1 - beta**n``.

    Returns
    -------
    ndarray, shape (steps + 1, d)
        The first row is `theta0`.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.

    References
    ----------
    .. [1] D. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
       arXiv:1412.6980.
    """
    lr, eps = _positive("lr", lr), _not_negative("eps", eps)
    beta1, beta2 = _fraction("beta1", beta1), _fraction("beta2", beta2)
    start = _start(theta0)
    mean, square, n = np.zeros_like(start), np.zeros_like(start), 0

    def displacement(g):
        nonlocal mean, square, n
        n += 1
        mean = beta1 * mean + (1 - beta1) * g
        square = beta2 * square + (1 - beta2) * g * g
        scale1, scale2 = (1 - beta1**n, 1 - beta2**n) if bias_correction else (1, 1)
        root = np.sqrt(square / scale2) + eps
        return lr * np.divide(mean / scale1, root, out=np.zeros_like(g), where=root > 0)

    return _path(grad, start, steps, displacement)


def rmsprop_gain(n, rho):
    """How much longer than `lr` the n-th step of RMSprop is while the gradient is constant.

    Parameters
    ----------
    n : array_like, shape (...)
        Number of the step, at least 1.
    rho : float
        Memory of the average, in [0, 1).

    Returns
    -------
    ndarray, shape (...)
        Falls from ``1 / sqrt(1 - rho)``, a bound for every step, to 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, rho = np.asarray(n, dtype=float), _fraction("rho", rho)
    if not np.all(n >= 1):
        raise ValueError(f"`n` must be at least 1, got {n.min():g}")
    return 1 / np.sqrt(1 - rho**n)


def euler_local_error(grad, hess, theta, lr):
    """Leading term of how far one gradient step ends from the gradient flow.

    Parameters
    ----------
    grad : callable
        Maps parameters of shape (d,) to the gradient, of shape (d,).
    hess : callable
        Maps parameters of shape (d,) to the Hessian, of shape (d, d).
    theta : float or array_like, shape (d,)
        Where the step begins.
    lr : float
        Learning rate, positive and finite.

    Returns
    -------
    float
        ``lr**2 |H g| / 2``.

    Raises
    ------
    ValueError
        If an argument is out of range, or the gradient has another shape than the parameters.
    """
    lr, theta = _positive("lr", lr), _start(theta, "theta")
    hessian = np.reshape(np.asarray(hess(theta.copy()), dtype=float), (theta.size, theta.size))
    return float(lr**2 / 2 * np.linalg.norm(hessian @ _gradient(grad, theta)))


def _path(grad, theta0, steps, displacement):
    """Return the points visited by subtracting ``displacement(gradient)``; None stops."""
    theta = _start(theta0)
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(f"`steps` must be an integer that is not negative, got {steps}")
    points = [theta]
    for _ in range(steps):
        step = displacement(_gradient(grad, theta))
        if step is None:
            break
        theta = theta - step
        points.append(theta)
    return np.array(points)


def _gradient(grad, theta):
    # A copy, so that a gradient that works in place does no harm.
    g = np.asarray(grad(theta.copy()), dtype=float)
    if g.size != theta.size:
        raise ValueError(f"`grad` must return shape {theta.shape}, got {g.shape}")
    return g.reshape(theta.shape)


def _start(theta, name="theta0"):
    theta = np.array(theta, dtype=float, ndmin=1)
    if theta.ndim > 1 or theta.size == 0:
        raise ValueError(f"`{name}` must be a number or have one axis, got shape {theta.shape}")
    if not np.all(np.isfinite(theta)):
        raise ValueError(f"`{name}` must be finite, got {theta[~np.isfinite(theta)][0]}")
    return theta


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)


def _not_negative(name, value):
    if not 0 <= value < math.inf:
        raise ValueError(f"`{name}` must be finite and not negative, got {value}")
    return float(value)


def _fraction(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"`{name}` must be at least 0 and less than 1, got {value}")
    return float(value)
