"""Numbers of few bits in training: what they hold, what they lose, and what the compiler fuses."""

import math
import os

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
import jax

__all__ = [
    "DynamicLossScale",
    "accumulate",
    "adam_run",
    "best_loss_scale",
    "float_info",
    "hlo_stats",
    "overflow_fraction",
    "round_to",
    "sgd_in_format",
    "underflow_fraction",
]

FORMATS = {"float16": (5, 10), "bfloat16": (8, 7), "tf32": (8, 10), "float32": (8, 23)}
"""Bits of exponent and of mantissa."""


def float_info(fmt):
    """Range and spacing of a floating-point format.

    Parameters
    ----------
    fmt : {"float16", "bfloat16", "tf32", "float32"}

    Returns
    -------
    dict of str to float
        ``max``, ``min_normal``, ``min_subnormal``, and ``eps``, the spacing above 1.

    Raises
    ------
    ValueError
        If `fmt` is unknown.
    """
    largest, smallest, digits = _format(fmt)
    return {
        "max": (2 - 2.0**-digits) * 2.0**largest,
        "min_normal": 2.0**smallest,
        "min_subnormal": 2.0 ** (smallest - digits),
        "eps": 2.0**-digits,
    }


def round_to(x, fmt):
    """Nearest number of a format, ties to even, with subnormal numbers.

    Parameters
    ----------
    x : array_like, shape (...)
    fmt : {"float16", "bfloat16", "tf32", "float32"}

    Returns
    -------
    ndarray of float64, shape (...)
        Infinite beyond the largest number by half a spacing or more.

    Raises
    ------
    ValueError
        If `fmt` is unknown.
    """
    largest, smallest, digits = _format(fmt)
    x = np.asarray(x, dtype=float)
    exponent = np.maximum(np.frexp(x)[1] - 1, smallest)
    spacing = np.ldexp(1.0, exponent - digits)
    y = np.rint(x / spacing) * spacing
    return np.where(np.abs(y) >= 2.0 ** (largest + 1), np.copysign(np.inf, y), y)


def underflow_fraction(g, scale=1.0, fmt="float16"):
    """Share of the nonzero numbers that become zero in a format.

    Parameters
    ----------
    g : array_like, shape (...)
    scale : float, default 1.0
        What they are multiplied by first, positive.
    fmt : {"float16", "bfloat16", "tf32", "float32"}

    Returns
    -------
    float
        Zero where no number is nonzero.

    Raises
    ------
    ValueError
        If `g` is empty, `scale` not positive, or `fmt` unknown.
    """
    g = _scaled(g, scale)
    alive = g[g != 0]
    return float(np.mean(round_to(alive, fmt) == 0)) if alive.size else 0.0


def overflow_fraction(g, scale=1.0, fmt="float16"):
    """Share of the numbers that become infinite in a format.

    Parameters
    ----------
    g : array_like, shape (...)
    scale : float, default 1.0
        What they are multiplied by first, positive.
    fmt : {"float16", "bfloat16", "tf32", "float32"}

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `g` is empty, `scale` not positive, or `fmt` unknown.
    """
    return float(np.mean(np.isinf(round_to(_scaled(g, scale), fmt))))


def best_loss_scale(g, fmt="float16"):
    """Largest power of two by which all numbers can be multiplied without overflow.

    Parameters
    ----------
    g : array_like, shape (...)
        Finite, not all zero.
    fmt : {"float16", "bfloat16", "tf32", "float32"}

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `g` is empty, all zero or not finite, or `fmt` is unknown.
    """
    g = np.asarray(g, dtype=float)
    if not g.size or not np.all(np.isfinite(g)) or not np.any(g):
        raise ValueError("`g` must be finite and hold a number that is not zero")
    top = float(np.abs(g).max())
    power = math.floor(math.log2(float_info(fmt)["max"] / top))
    # The largest number may still round down to the maximum: try one more.
    while np.isfinite(round_to(top * 2.0 ** (power + 1), fmt)):
        power += 1
    return 2.0**power


class DynamicLossScale:
    """Loss scale that halves at an overflow and doubles after many steps without one.

    Parameters
    ----------
    initial_scale : float, default 2**15
        Positive.
    growth_steps : int, default 2000
        At least 1.

    Attributes
    ----------
    scale : float
    counter : int
        Good steps since the last change.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, initial_scale=2.0**15, growth_steps=2000):
        if not initial_scale > 0:
            raise ValueError(f"`initial_scale` must be positive, got {initial_scale}")
        if growth_steps < 1:
            raise ValueError(f"`growth_steps` must be at least 1, got {growth_steps}")
        self.scale, self.growth_steps, self.counter = float(initial_scale), growth_steps, 0

    def update(self, grads):
        """Return whether all gradients are finite, that is, whether the step is to be taken."""
        if not all(np.all(np.isfinite(g)) for g in grads):
            self.scale, self.counter = self.scale / 2, 0
            return False
        self.counter += 1
        if self.counter == self.growth_steps:
            self.scale, self.counter = self.scale * 2, 0
        return True


def adam_run(grads, x0=0.0, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, loss_scale=1.0):
    """Path of Adam, as Keras writes it, over given gradients.

    Parameters
    ----------
    grads : array_like, shape (T, ...)
    x0 : array_like, shape (...), default 0.0
    lr : float, default 1e-3
        Positive.
    beta1, beta2 : float
        Rates at which the two moments forget.
    eps : float, default 1e-7
        Not negative.
    loss_scale : float, default 1.0
        What the gradients are multiplied by, and *not* divided by again; positive.

    Returns
    -------
    ndarray, shape (T + 1, ...)

    Raises
    ------
    ValueError
        If `lr`, `eps` or `loss_scale` is out of range.
    """
    if not lr > 0:
        raise ValueError(f"`lr` must be positive, got {lr}")
    if not eps >= 0:
        raise ValueError(f"`eps` must not be negative, got {eps}")
    if not loss_scale > 0:
        raise ValueError(f"`loss_scale` must be positive, got {loss_scale}")
    grads = loss_scale * np.asarray(grads, dtype=float)
    path = [np.asarray(x0, dtype=float) + np.zeros(grads.shape[1:])]
    m, v = np.zeros(grads.shape[1:]), np.zeros(grads.shape[1:])
    for t, g in enumerate(grads, start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        rate = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        path.append(path[-1] - rate * m / (np.sqrt(v) + eps))
    return np.stack(path)


def accumulate(values, fmt, acc=None):
    """Sum numbers one by one, rounding each of them and the running sum.

    Parameters
    ----------
    values : array_like, shape (n,)
    fmt : {"float16", "bfloat16", "tf32", "float32"}
        Of the numbers.
    acc : str, optional
        Format of the running sum; `fmt` if it is not given.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a format is unknown.
    """
    total = 0.0
    for value in round_to(values, fmt):
        total = round_to(total + value, acc or fmt)
    return float(total)


def sgd_in_format(grad, x0, lr, n_steps, fmt, master=True):
    """Gradient descent whose gradients, and perhaps whose parameters, live in a small format.

    Parameters
    ----------
    grad : callable
        From the rounded parameter to its gradient.
    x0 : float
    lr : array_like, shape (...)
        Learning rates, positive; each gives a path of its own.
    n_steps : int
        At least 0.
    fmt : {"float16", "bfloat16", "tf32", "float32"}
    master : bool, default True
        Whether the parameter itself is kept in float32.

    Returns
    -------
    ndarray, shape (n_steps + 1, ...)

    Raises
    ------
    ValueError
        If `lr` or `n_steps` is out of range, or `fmt` is unknown.
    """
    lr = np.asarray(lr, dtype=float)
    if not np.all(lr > 0):
        raise ValueError(f"`lr` must be positive, got {lr.min()}")
    if n_steps < 0:
        raise ValueError(f"`n_steps` must not be negative, got {n_steps}")
    kept = "float32" if master else fmt
    path = [round_to(np.full(lr.shape, float(x0)), kept)]
    for _ in range(n_steps):
        g = round_to(grad(round_to(path[-1], fmt)), fmt)
        path.append(round_to(path[-1] - lr * g, kept))
    return np.stack(path)


def hlo_stats(fn, *args):
    """What XLA makes of a function: operations before, kernels after, memory traffic.

    Parameters
    ----------
    fn : callable
        Of JAX arrays.
    *args : arrays, shape (...)
        Their shapes and types matter, their values do not.

    Returns
    -------
    dict of str to int or float
        ``jaxpr_eqns`` operations written, ``fusions`` kernels made of several operations,
        ``bytes_accessed`` and ``flops`` by the compiler's own account.
    """
    compiled = jax.jit(fn).lower(*args).compile()
    cost = compiled.cost_analysis()
    cost = cost[0] if isinstance(cost, list) else cost  # before JAX 0.4.36 a list of one
    return {
        "jaxpr_eqns": len(jax.make_jaxpr(fn)(*args).jaxpr.eqns),
        "fusions": compiled.as_text().count(" fusion("),
        "bytes_accessed": float(cost["bytes accessed"]),
        "flops": float(cost["flops"]),
    }


def _format(fmt):
    """Return the exponents of the largest and the smallest normal number, and the digits."""
    if fmt not in FORMATS:
        raise ValueError(f"`fmt` must be one of {sorted(FORMATS)}, got {fmt!r}")
    exponent_bits, digits = FORMATS[fmt]
    largest = 2 ** (exponent_bits - 1) - 1
    return largest, 1 - largest, digits


def _scaled(g, scale):
    g = np.asarray(g, dtype=float).ravel()
    if not g.size:
        raise ValueError("`g` must hold at least one number, got none")
    if not scale > 0:
        raise ValueError(f"`scale` must be positive, got {scale}")
    return g * scale
