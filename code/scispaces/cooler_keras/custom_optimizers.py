"""Optimizers as solvers of the gradient flow, on paper and in Keras 3."""

import math
import os

import numpy as np
from numpy.polynomial import chebyshev

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax
import keras

from scispaces.generative.diffusion_ode import rk4_step

__all__ = [
    "GradientModel",
    "HeavyBall",
    "HeunModel",
    "PlainSGD",
    "gradient_flow_step",
    "minimize",
    "stability_limit",
    "stability_polynomial",
]

METHODS = ("euler", "heun", "rk4", "chebyshev")
RK4_LIMIT = 2.785293563405282  # the real root of z^3 - 4 z^2 + 12 z - 24


def stability_polynomial(z, method, stages=1, damping=1.0):
    """Factor by which one step of size ``z / curvature`` multiplies the distance to a minimum.

    Parameters
    ----------
    z : array_like, shape (...)
        Step size times curvature.
    method : {"euler", "heun", "rk4", "chebyshev"}
    stages : int, default 1
        Gradients a step of ``"chebyshev"``, at least 1.
    damping : float, default 1.0
        How strongly ``"chebyshev"`` damps, not negative.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If `method` is unknown, or `stages` or `damping` is out of range.

    References
    ----------
    .. [1] B. P. Sommeijer, L. F. Shampine and J. G. Verwer, "RKC: An explicit solver for
       parabolic PDEs", Journal of Computational and Applied Mathematics 88 (1998), 315.
    """
    w0, w1 = _check_method(method, stages, damping)
    z = np.asarray(z, dtype=float)
    if method == "chebyshev":
        return _chebyshev(stages, w0 - w1 * z) / _chebyshev(stages, w0)
    order = {"euler": 1, "heun": 2, "rk4": 4}[method]
    return sum((-z) ** k / math.factorial(k) for k in range(order + 1))


def stability_limit(method, stages=1, damping=1.0):
    """Largest step size, times the curvature, with which a solver of the flow does not blow up.

    Parameters
    ----------
    method : {"euler", "heun", "rk4", "chebyshev"}
    stages : int, default 1
        Gradients a step of ``"chebyshev"``, at least 1.
    damping : float, default 1.0
        How strongly ``"chebyshev"`` damps, not negative.

    Returns
    -------
    float
        The largest ``z0`` such that `stability_polynomial` stays in [-1, 1] on [0, z0].

    Raises
    ------
    ValueError
        If `method` is unknown, or `stages` or `damping` is out of range.
    """
    w0, w1 = _check_method(method, stages, damping)
    if method == "chebyshev":
        return float(2 * w0 / w1)
    return {"euler": 2.0, "heun": 2.0, "rk4": RK4_LIMIT}[method]


def gradient_flow_step(grad, x, lr, method="euler", stages=1, damping=1.0):
    """One step of a solver of the gradient flow ``dx/dt = -grad(x)``.

    Parameters
    ----------
    grad : callable
        Gradient of the loss, from an array of shape (...) to one of that shape.
    x : array_like, shape (...)
        Where to start.
    lr : float
        Step size, positive and finite.
    method : {"euler", "heun", "rk4", "chebyshev"}
        They take 1, 2, 4 and `stages` gradients a step.
    stages : int, default 1
        Gradients a step of ``"chebyshev"``, at least 1.
    damping : float, default 1.0
        How strongly ``"chebyshev"`` damps, not negative.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    w0, w1 = _check_method(method, stages, damping)
    if not 0 < lr < math.inf:
        raise ValueError(f"`lr` must be positive and finite, got {lr}")
    x = np.asarray(x, dtype=float)
    if method == "euler":
        return x - lr * grad(x)
    if method == "heun":
        g = grad(x)
        return x - lr / 2 * (g + grad(x - lr * g))
    if method == "rk4":
        return rk4_step(lambda y, _: -grad(y), x, 0.0, lr)
    older, y = x, x - w1 / w0 * lr * grad(x)
    for j in range(1, stages):
        before, now, after = (_chebyshev(k, w0) for k in (j - 1, j, j + 1))
        pull = 2 * w1 * now / after * lr * grad(y)
        older, y = y, 2 * w0 * now / after * y - before / after * older - pull
    return y


def minimize(grad, x0, lr, n_steps, method="euler", stages=1, damping=1.0):
    """Path of a solver of the gradient flow.

    Parameters
    ----------
    grad : callable
        Gradient of the loss, from an array of shape (...) to one of that shape.
    x0 : array_like, shape (...)
    lr : float
        Step size, positive and finite.
    n_steps : int
        At least 0.
    method : {"euler", "heun", "rk4", "chebyshev"}
        They take 1, 2, 4 and `stages` gradients a step.
    stages : int, default 1
        Gradients a step of ``"chebyshev"``, at least 1.
    damping : float, default 1.0
        How strongly ``"chebyshev"`` damps, not negative.

    Returns
    -------
    ndarray, shape (n_steps + 1, ...)
        The start and where each step ends.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _check_integer("n_steps", n_steps, 0)
    path = [np.asarray(x0, dtype=float)]
    for _ in range(n_steps):
        path.append(gradient_flow_step(grad, path[-1], lr, method, stages, damping))
    return np.stack(path)


@keras.saving.register_keras_serializable(package="scispaces")
class PlainSGD(keras.optimizers.Optimizer):
    """Gradient descent, ``p <- p - lr * g``: an optimizer without memory.

    Parameters
    ----------
    learning_rate : float or schedule, default 0.01
    name : str, default "plain_sgd"
    **kw
        What every optimizer of Keras takes, such as ``clipnorm``.
    """

    def __init__(self, learning_rate=0.01, name="plain_sgd", **kw):
        super().__init__(learning_rate=learning_rate, name=name, **kw)

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable."""
        self.assign_sub(variable, keras.ops.cast(learning_rate, variable.dtype) * gradient)


@keras.saving.register_keras_serializable(package="scispaces")
class HeavyBall(keras.optimizers.Optimizer):
    """Gradient descent with a velocity, ``v <- momentum * v - lr * g; p <- p + v``.

    Parameters
    ----------
    learning_rate : float or schedule, default 0.01
    momentum : float, default 0.9
        In [0, 1).
    name : str, default "heavy_ball"
    **kw
        What every optimizer of Keras takes, such as ``clipnorm``.

    Raises
    ------
    ValueError
        If `momentum` is out of range.
    """

    def __init__(self, learning_rate=0.01, momentum=0.9, name="heavy_ball", **kw):
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1), got {momentum}")
        super().__init__(learning_rate=learning_rate, name=name, **kw)
        self.momentum = momentum

    def build(self, variables):
        """Make a velocity for each variable."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable and its velocity."""
        v = self.velocities[self._get_variable_index(variable)]
        lr = keras.ops.cast(learning_rate, variable.dtype)
        self.assign(v, self.momentum * v - lr * gradient)
        self.assign_add(variable, v)

    def get_config(self):
        """Return what makes an optimizer like this one."""
        return {**super().get_config(), "momentum": self.momentum}


class GradientModel(keras.Model):
    """A functional model whose subclasses decide what the optimizer receives as the gradient.

    They override `gradients`; logs, metrics and the optimizer are served here.  As it stands it
    trains like `keras.Model`.  For the JAX backend, without loss scaling.
    """

    def gradients(self, state, batch):
        """Compute the gradients for one batch; a pure function.

        Parameters
        ----------
        state : tuple
            Values of the trainable, non-trainable, optimizer's and metrics' variables.
        batch : tuple
            Inputs, targets, and weights or None.

        Returns
        -------
        gradients : list of arrays
            One for each trainable variable.
        loss : array, shape ()
        y_pred : array
        non_trainable, metrics : list of arrays
            Their values after the pass.
        """
        return self.backpropagate(state[0], state, batch)

    def backpropagate(self, trainable, state, batch):
        """Return what `gradients` returns, for one pass at the given trainable variables."""
        _, non_trainable, optimizer, metrics = state
        slope = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (_, y_pred, non_trainable, metrics)), gradients = slope(
            trainable, non_trainable, metrics, *batch, True, optimizer
        )
        return gradients, loss, y_pred, non_trainable, metrics

    def learning_rate(self, optimizer):
        """Return the learning rate of this step, given the optimizer's variables."""
        known = list(zip(self.optimizer.variables, optimizer, strict=True))
        with keras.StatelessScope(state_mapping=known):
            return keras.ops.convert_to_tensor(self.optimizer.learning_rate)

    def train_step(self, state, data):
        """Return the logs and the next state; ``fit`` calls it inside ``jax.jit``."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        gradients, loss, y_pred, non_trainable, metrics = self.gradients(state, batch)
        trainable, optimizer = self.optimizer.stateless_apply(state[2], gradients, state[0])
        known = list(zip(self.metrics_variables, metrics, strict=True))
        with keras.StatelessScope(state_mapping=known) as scope:
            self.metrics[0].update_state(loss, sample_weight=len(y_pred))
            logs = self.compute_metrics(batch[0], batch[1], y_pred, batch[2])
        metrics = [scope.get_current_value(v) for v in self.metrics_variables]
        return logs, (trainable, non_trainable, optimizer, metrics)


@keras.saving.register_keras_serializable(package="scispaces")
class HeunModel(GradientModel):
    """A functional model whose optimizer receives ``(g(p) + g(p - lr * g(p))) / 2``.

    With `PlainSGD` that is Heun's method.  Loss and metrics are those at ``p``.  Both passes see
    one batch and one state: the same dropout masks, and only the first pass moves the statistics
    of batch normalization.
    """

    def gradients(self, state, batch):
        """Return the mean of two gradients, and the rest of the first pass."""
        first, *rest = self.backpropagate(state[0], state, batch)
        lr = self.learning_rate(state[2])
        ahead = [p - lr * g for p, g in zip(state[0], first, strict=True)]
        second, *_ = self.backpropagate(ahead, state, batch)
        return [(g + h) / 2 for g, h in zip(first, second, strict=True)], *rest


def _chebyshev(degree, x):
    return chebyshev.chebval(x, np.eye(degree + 1)[degree])


def _check_integer(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value}")


def _check_method(method, stages, damping):
    """Return the two numbers of the Chebyshev method, or refuse."""
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {METHODS}, got {method!r}")
    _check_integer("stages", stages, 1)
    if not 0 <= damping < math.inf:
        raise ValueError(f"`damping` must be finite and not negative, got {damping}")
    w0 = 1 + damping / stages**2
    slope = chebyshev.chebval(w0, chebyshev.chebder(np.eye(stages + 1)[stages]))
    return w0, _chebyshev(stages, w0) / slope
