"""Big batches in little memory: accumulate gradients, in a model of the idea and in Keras 3."""

import math
import os

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax
import keras

from scispaces.cooler_keras.custom_optimizers import GradientModel

__all__ = [
    "AccumModel",
    "MicroStepSchedule",
    "accum_stream",
    "weighted_mean_gradient",
    "with_accumulation",
]

STRATEGIES = ("exact", "lr_zero", "switch_bug")


def weighted_mean_gradient(grads, sizes):
    """Gradient of the mean loss over all samples, from the mean gradients of micro-batches.

    Parameters
    ----------
    grads : array_like, shape (k, ...)
        Gradient of the mean loss of each micro-batch.
    sizes : array_like, shape (k,)
        Number of samples in each micro-batch, positive.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If there is no micro-batch, the lengths differ, or a size is not positive.
    """
    grads, sizes = np.asarray(grads, dtype=float), np.asarray(sizes, dtype=float)
    if sizes.ndim != 1 or not sizes.size or grads.shape[:1] != sizes.shape:
        shapes = f"{grads.shape} and {sizes.shape}"
        raise ValueError(f"`grads` and `sizes` must have shapes (k, ...) and (k,), got {shapes}")
    if not np.all(sizes > 0):
        raise ValueError(f"`sizes` must be positive, got {sizes.min():g}")
    return np.tensordot(sizes / sizes.sum(), grads, axes=1)


def accum_stream(grad, x0, n_micro, k, lr, momentum=0.0, strategy="exact"):
    """Path of gradient descent that accumulates the gradients of `k` micro-batches.

    Parameters
    ----------
    grad : callable
        ``grad(i, x)`` is the gradient of micro-batch ``i`` at ``x``, an array of shape (...).
    x0 : array_like, shape (...)
    n_micro : int
        Number of micro-steps, at least 0.
    k : int
        Micro-steps an update, at least 1.
    lr : float
        Positive and finite.
    momentum : float, default 0.0
        In [0, 1).
    strategy : {"exact", "lr_zero", "switch_bug"}
        Average and update every `k` micro-steps; or update every time, with a learning rate of
        zero and a momentum of nearly one in between, as a wrapper of 2019 did; or update every
        time by the unfinished average, as a mistake of 2018 did (which ignored the momentum).

    Returns
    -------
    ndarray, shape (n_micro + 1, ...)

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _check_integer("n_micro", n_micro, 0)
    _check_integer("k", k, 1)
    if not 0 < lr < math.inf:
        raise ValueError(f"`lr` must be positive and finite, got {lr}")
    if not 0 <= momentum < 1:
        raise ValueError(f"`momentum` must be in [0, 1), got {momentum}")
    if strategy not in STRATEGIES:
        raise ValueError(f"`strategy` must be one of {STRATEGIES}, got {strategy!r}")
    x = np.asarray(x0, dtype=float)
    path, v, total = [x], np.zeros_like(x), np.zeros_like(x)
    for i in range(n_micro):
        g = grad(i, x)
        if strategy == "exact":
            total = total + g
            if (i + 1) % k == 0:
                v = momentum * v - lr * total / k
                x, total = x + v, np.zeros_like(x)
        else:
            due = i % k == 0
            if strategy == "lr_zero":
                v = (momentum if due else 1 - 1e-7) * v - (lr if due else 0.0) * total / k
                x, total = x + v, np.zeros_like(x) if due else total + g
            else:
                x, total = x - lr * total / k, g if due else total + g
        path.append(x)
    return np.stack(path)


def with_accumulation(optimizer, steps):
    """Optimizer of the same class and settings that updates every `steps` micro-steps.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        It is left as it is.
    steps : int
        At least 1; with 1 nothing is accumulated.

    Returns
    -------
    keras.optimizers.Optimizer

    Raises
    ------
    ValueError
        If `steps` is no integer of at least 1.
    """
    _check_integer("steps", steps, 1)
    config = optimizer.get_config()
    config["gradient_accumulation_steps"] = None if steps == 1 else int(steps)
    return type(optimizer).from_config(config)


@keras.saving.register_keras_serializable(package="scispaces")
class MicroStepSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that counts updates, for an optimizer that counts micro-steps.

    Parameters
    ----------
    schedule : keras.optimizers.schedules.LearningRateSchedule
        Of the number of updates.
    steps : int
        Micro-steps an update, at least 1.

    Raises
    ------
    ValueError
        If `steps` is no integer of at least 1.
    """

    def __init__(self, schedule, steps):
        _check_integer("steps", steps, 1)
        super().__init__()
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        """Learning rate at a micro-step."""
        return self.schedule(step // self.steps)

    def get_config(self):
        """Return what makes a schedule like this one."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        """Make a schedule from what `get_config` returned."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps"])


@keras.saving.register_keras_serializable(package="scispaces")
class AccumModel(GradientModel):
    """A functional model that cuts each batch into parts and hands the optimizer one gradient.

    Attributes
    ----------
    micro_batches : int
        Number of parts, which must divide the batch; set it before ``fit``.
    """

    micro_batches = 1

    def gradients(self, state, batch):
        """Return the mean gradient, and loss and outputs of the whole batch."""
        size, k = len(jax.tree.leaves(batch)[0]), self.micro_batches
        if size % k:
            raise ValueError(f"the batch must be divisible by `micro_batches` = {k}, got {size}")
        parts = jax.tree.map(lambda a: a.reshape(k, size // k, *a.shape[1:]), batch)

        def one(carry, part):
            total, non_trainable, metrics = carry
            inner = (state[0], non_trainable, state[2], metrics)
            gradients, loss, y_pred, *after = self.backpropagate(state[0], inner, part)
            return (jax.tree.map(jax.numpy.add, total, gradients), *after), (loss, y_pred)

        zeros = jax.tree.map(jax.numpy.zeros_like, list(state[0]))
        start = (zeros, list(state[1]), list(state[3]))
        # A scan keeps the activations of one part at a time; only the sum of gradients stays.
        (total, non_trainable, metrics), (losses, y_pred) = jax.lax.scan(one, start, parts)
        y_pred = jax.tree.map(lambda a: a.reshape(size, *a.shape[2:]), y_pred)
        mean = [g / k for g in total]
        return mean, losses.mean(), y_pred, non_trainable, metrics


def _check_integer(name, value, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value}")
