"""Maps from logits to probabilities: softmax, its relatives, and the losses that fit them."""

import math

import numpy as np
from scipy.special import log_ndtr, logsumexp

__all__ = [
    "am_softmax_loss",
    "entmax",
    "entmax_jacobian",
    "fenchel_young_loss",
    "perturb_max",
    "softmax",
    "sparse_softmax",
    "sparsemax",
    "taylor_softmax",
]


def softmax(x, tau=1.0, axis=-1):
    """Exponentials of the logits, normalised.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits, finite, with at least one axis.
    tau : float, default 1.0
        Temperature, positive and finite.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...)
        Sums to one along `axis`.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `tau` is not positive and finite.
    """
    x = _logits(x)
    if not 0 < tau < math.inf:
        raise ValueError(f"`tau` must be positive and finite, got {tau}")
    e = np.exp((x - x.max(axis, keepdims=True)) / tau)
    return e / e.sum(axis, keepdims=True)


def taylor_softmax(x, order=2, axis=-1):
    """Softmax with the Taylor polynomial of the exponential in its place.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits, finite.
    order : int, default 2
        Even, at least 2: such a polynomial is positive everywhere.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...)
        Sums to one along `axis`; neither monotone nor invariant under shifts.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `order` is not even and at least 2.
    """
    x = _logits(x)
    if not _is_integer(order) or order < 2 or order % 2:
        raise ValueError(f"`order` must be an even integer of at least 2, got {order}")
    value = np.ones_like(x)
    for k in range(order, 0, -1):
        value = 1 + x / k * value
    return value / value.sum(axis, keepdims=True)


def sparse_softmax(x, k, axis=-1):
    """Softmax over the `k` largest logits, zero for the others.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits, finite.
    k : int
        Number of entries to keep, from 1 to the length of the axis.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...)
        Exactly `k` positive entries along `axis`; of equal logits the first are kept.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `k` is out of range.
    """
    x = _logits(x)
    n = x.shape[axis]
    if not _is_integer(k) or not 1 <= k <= n:
        raise ValueError(f"`k` must be an integer from 1 to {n}, the length of `x`, got {k}")
    kept = np.take(np.argsort(-x, axis=axis, kind="stable"), np.arange(k), axis=axis)
    chosen = np.take_along_axis(x, kept, axis)
    p = np.zeros_like(x)
    np.put_along_axis(p, kept, softmax(chosen, axis=axis), axis)
    return p


_NOISES = {
    # Logarithms of the density and of the distribution function.
    "gumbel": (lambda u: -u - np.exp(-u), lambda u: -np.exp(-u)),
    "normal": (lambda u: -u * u / 2 - math.log(2 * math.pi) / 2, log_ndtr),
    "logistic": (
        lambda u: -np.abs(u) - 2 * np.log1p(np.exp(-np.abs(u))),
        lambda u: -np.logaddexp(0, -u),
    ),
}


def perturb_max(x, noise="gumbel"):
    """Probability that each logit is the largest after independent noise is added.

    Parameters
    ----------
    x : array_like, shape (n,)
        Logits, finite.
    noise : {"gumbel", "normal", "logistic"}
        Standard form of the noise; Gumbel noise gives `softmax`.

    Returns
    -------
    ndarray, shape (n,)
        Off by less than 1e-10.

    Raises
    ------
    ValueError
        If `x` is not a finite vector, or `noise` is unknown.
    """
    x = _logits(x)
    if x.ndim != 1:
        raise ValueError(f"`x` must have one axis, got shape {x.shape}")
    if noise not in _NOISES:
        raise ValueError(f"`noise` must be one of {sorted(_NOISES)}, got {noise!r}")
    log_density, log_distribution = _NOISES[noise]
    # The winning value u is common to all entries.  The trapezoidal rule is spectrally accurate
    # for an analytic integrand that vanishes at both ends.
    u = x.max() + np.arange(-10 if noise == "gumbel" else -40, 60, 0.05)
    gaps = u[:, None] - x
    below = log_distribution(gaps)
    inside = log_density(gaps) - below + below.sum(axis=1, keepdims=True)
    log_p = logsumexp(inside, axis=0)
    return np.exp(log_p - logsumexp(log_p))


def sparsemax(x, axis=-1):
    """Point of the probability simplex nearest to the logits.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits, finite.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...)
        Sums to one along `axis`, with exact zeros.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite.

    References
    ----------
    .. [1] A. Martins and R. Astudillo, "From Softmax to Sparsemax", ICML 2016.
    """
    x = np.moveaxis(_logits(x), axis, -1)
    x = x - x.max(-1, keepdims=True)
    falling = -np.sort(-x, axis=-1)
    sums = np.cumsum(falling, axis=-1)
    counts = np.arange(1, x.shape[-1] + 1)
    size = np.sum(1 + counts * falling > sums, axis=-1, keepdims=True)
    cut = (np.take_along_axis(sums, size - 1, -1) - 1) / size
    return np.moveaxis(np.maximum(x - cut, 0), -1, axis)


def entmax(x, alpha=1.5, axis=-1):
    """The family from softmax (`alpha` 1) through sparsemax (`alpha` 2) to a hard choice.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits, finite.
    alpha : float, default 1.5
        At least 1 and finite.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...)
        Sums to one along `axis`, with exact zeros for ``alpha > 1``.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `alpha` is below 1 or not finite.

    References
    ----------
    .. [1] B. Peters, V. Niculae and A. Martins, "Sparse Sequence-to-Sequence Models", ACL 2019,
       arXiv:1905.05702.
    """
    alpha = _order(alpha)
    if alpha == 1:
        return softmax(x, axis=axis)
    if alpha == 2:
        return sparsemax(x, axis=axis)
    x = np.moveaxis(_logits(x), axis, -1)
    beta = alpha - 1
    z = beta * (x - x.max(-1, keepdims=True))
    # The largest z is 0, so the cut lies in [-1, 0): at -1 the largest entry alone gives 1.
    low, high = np.full((*z.shape[:-1], 1), -1.0), np.zeros((*z.shape[:-1], 1))
    for _ in range(70):
        cut = (low + high) / 2
        too_much = np.sum(_power(z - cut, beta), axis=-1, keepdims=True) >= 1
        low, high = np.where(too_much, cut, low), np.where(too_much, high, cut)
    p = _power(z - low, beta)
    return np.moveaxis(p / p.sum(-1, keepdims=True), -1, axis)


def _power(z, beta):
    return np.maximum(z, 0) ** (1 / beta)


def entmax_jacobian(x, alpha=1.5):
    """Derivative of `entmax` with respect to the logits.

    Parameters
    ----------
    x : array_like, shape (n,)
        Logits, finite.
    alpha : float, default 1.5
        At least 1 and finite.

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric and positive semidefinite; rows sum to zero.

    Raises
    ------
    ValueError
        If `x` is not a finite vector, or `alpha` is below 1 or not finite.
    """
    x = _logits(x)
    if x.ndim != 1:
        raise ValueError(f"`x` must have one axis, got shape {x.shape}")
    p = entmax(x, alpha)
    s = np.zeros_like(p)
    s[p > 0] = p[p > 0] ** (2 - alpha)
    return np.diag(s) - np.outer(s, s) / s.sum()


def fenchel_young_loss(x, t, alpha=1.5):
    """The loss whose gradient is ``entmax(x, alpha)`` minus the one-hot vector of the target.

    Parameters
    ----------
    x : array_like, shape (n,)
        Logits, finite.
    t : int
        Target class, from 0 to n - 1.
    alpha : float, default 1.5
        At least 1 and finite; 1 is cross entropy.

    Returns
    -------
    float
        Not negative; zero just where the target has all the probability.

    Raises
    ------
    ValueError
        If `x` is not a finite vector, `t` is no class, or `alpha` is below 1 or not finite.

    References
    ----------
    .. [1] M. Blondel, A. Martins and V. Niculae, "Learning with Fenchel-Young Losses",
       JMLR 21 (2020).
    """
    x, alpha = _vector_of_classes("x", x, t), _order(alpha)
    gaps = x - x[t]
    if alpha == 1:
        return float(logsumexp(gaps))
    p = entmax(x, alpha)
    return float((1 - np.sum(p**alpha)) / (alpha * (alpha - 1)) + p @ gaps)


def am_softmax_loss(cos, t, margin=0.35, tau=1 / 30):
    """Cross entropy of cosines with the target's cosine lowered by a margin.

    Parameters
    ----------
    cos : array_like, shape (n,)
        Cosines, in [-1, 1].
    t : int
        Target class, from 0 to n - 1.
    margin : float, default 0.35
        Not negative.
    tau : float, default 1/30
        Temperature, positive and finite.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    cos = _vector_of_classes("cos", cos, t)
    if np.any(np.abs(cos) > 1):
        raise ValueError(f"`cos` must be between -1 and 1, got {cos[np.abs(cos) > 1][0]:g}")
    if not 0 <= margin < math.inf:
        raise ValueError(f"`margin` must be finite and not negative, got {margin}")
    if not 0 < tau < math.inf:
        raise ValueError(f"`tau` must be positive and finite, got {tau}")
    logits = cos.copy()
    logits[t] -= margin
    return float(logsumexp((logits - logits[t]) / tau))


def _is_integer(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _logits(x, name="x"):
    x = np.asarray(x, dtype=float)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"`{name}` must have at least one entry along an axis, got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be finite, got {x[~np.isfinite(x)][0]}")
    return x


def _vector_of_classes(name, x, t):
    x = _logits(x, name)
    if x.ndim != 1:
        raise ValueError(f"`{name}` must have one axis, got shape {x.shape}")
    if not _is_integer(t) or not 0 <= t < x.size:
        raise ValueError(f"`t` must be a class from 0 to {x.size - 1}, got {t}")
    return x


def _order(alpha):
    if not 1 <= alpha < math.inf:
        raise ValueError(f"`alpha` must be finite and at least 1, got {alpha}")
    return float(alpha)
