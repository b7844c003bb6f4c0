"""Differentiable stand-ins for functions built from max, argmax, counting and choosing."""

import math
import numbers

import numpy as np
from scipy.special import expit

from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "fermi_topk",
    "smooth_abs",
    "smooth_max",
    "soft_accuracy",
    "soft_argmax",
    "soft_f1",
    "soft_kmax",
]


def smooth_max(x, K=1.0, axis=-1):
    """Maximum softened by ``log(sum(exp(K x))) / K``.

    Parameters
    ----------
    x : array_like, shape (...)
        Finite, with at least one axis.
    K : float, default 1.0
        Sharpness, positive and finite; the maximum itself in the limit of large `K`.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...) without `axis`
        Between the maximum and the maximum plus ``log(n) / K``.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `K` is not positive and finite.
    """
    x, K = _values(x), _sharpness(K)
    top = x.max(axis, keepdims=True)
    excess = np.log(np.sum(np.exp(K * (x - top)), axis=axis)) / K
    return np.squeeze(top, axis) + excess


def smooth_abs(x, K=1.0):
    """Absolute value softened by ``log(2 cosh(K x)) / K``: `smooth_max` of `x` and ``-x``.

    Parameters
    ----------
    x : array_like, shape (...)
        Finite; a number is allowed.
    K : float, default 1.0
        Sharpness, positive and finite.

    Returns
    -------
    ndarray, shape (...)
        Larger than the absolute value, by at most ``log(2) / K``.

    Raises
    ------
    ValueError
        If `x` is not finite, or `K` is not positive and finite.
    """
    x, K = np.abs(_finite("x", x)), _sharpness(K)
    # cosh itself overflows from 711 on.
    return x + np.log1p(np.exp(-2 * K * x)) / K


def soft_argmax(x, K=1.0, base=1, axis=-1):
    """Mean position under the softmax of `x`.

    Parameters
    ----------
    x : array_like, shape (...)
        Finite, with at least one axis.
    K : float, default 1.0
        Sharpness, positive and finite.
    base : int, default 1
        Number of the first position.
    axis : int, default -1

    Returns
    -------
    ndarray, shape (...) without `axis`
        The position of the maximum in the limit of large `K`, if there is only one.

    Raises
    ------
    ValueError
        If `x` is empty, a scalar or not finite, or `K` is not positive and finite.
    """
    p = np.moveaxis(softmax(_values(x), 1 / _sharpness(K), axis), axis, -1)
    return p @ (base + np.arange(p.shape[-1]))


def soft_accuracy(probs, labels):
    """Mean probability given to the right class.

    Parameters
    ----------
    probs : array_like, shape (B, C)
        Probabilities; rows sum to one within 1e-6.
    labels : array_like of int, shape (B,)
        Right classes, from 0 to C - 1.

    Returns
    -------
    float
        The accuracy itself where every row is one-hot.

    Raises
    ------
    ValueError
        If `probs` holds no probabilities, or `labels` no classes.
    """
    probs, labels = _finite("probs", probs), np.asarray(labels)
    if probs.ndim != 2 or probs.size == 0:
        raise ValueError(f"`probs` must have shape (B, C), got {probs.shape}")
    if np.any(probs < 0) or np.any(np.abs(probs.sum(axis=1) - 1) > 1e-6):
        raise ValueError("`probs` must hold rows that are not negative and sum to 1, got others")
    if labels.shape != probs.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`labels` must be {len(probs)} integers, got {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= probs.shape[1]:
        raise ValueError(f"`labels` must lie in [0, {probs.shape[1]}), got {labels.tolist()}")
    return float(np.mean(np.take_along_axis(probs, labels[:, None], axis=1)))


def soft_f1(t, p):
    """F1 score with probabilities in the place of decisions.

    Parameters
    ----------
    t : array_like, shape (B,)
        Truths, 0 or 1.
    p : array_like, shape (B,)
        Probabilities of 1, between 0 and 1.

    Returns
    -------
    float
        ``2 sum(t p) / sum(t + p)``.

    Raises
    ------
    ValueError
        If shapes differ, values are out of range, or there is nothing but zeros.
    """
    t, p = _finite("t", t), _finite("p", p)
    if t.ndim != 1 or t.shape != p.shape:
        raise ValueError(f"`p` must have shape {t.shape} with one axis like `t`, got {p.shape}")
    if not np.all((t == 0) | (t == 1)):
        raise ValueError("`t` must hold zeros and ones, got another number")
    if np.any(p < 0) or np.any(p > 1):
        raise ValueError("`p` must lie between 0 and 1, got a number outside")
    total = np.sum(t + p)
    if total == 0:
        raise ValueError("`t` and `p` must not be all zero: F1 is 0/0, got only zeros")
    return float(2 * np.sum(t * p) / total)


def soft_kmax(x, k, K=1.0):
    """Weights of the `k` largest entries by repeated softmax, taken entries pushed down.

    Parameters
    ----------
    x : array_like, shape (n,)
        Finite.
    k : int
        From 1 to n.
    K : float, default 1.0
        Sharpness, positive and finite.

    Returns
    -------
    ndarray, shape (n,)
        Sums to `k`; an entry may exceed 1 (`fermi_topk` never does that).

    Raises
    ------
    ValueError
        If `x` is not a finite vector, or `k` or `K` is out of range.
    """
    x, K = _vector(x), _sharpness(K)
    _check_count(k, len(x))
    x = K * (x - x.min())
    p = np.zeros_like(x)
    for _ in range(k):
        p += softmax((1 - p) * x)
    return p


def fermi_topk(x, k, K=1.0):
    """Occupation of `n` levels by `k` particles: ``sigmoid(K x - mu)`` with the sum `k`.

    Parameters
    ----------
    x : array_like, shape (n,)
        Finite, n >= 2.
    k : int
        From 1 to n - 1.
    K : float, default 1.0
        Sharpness, positive and finite.

    Returns
    -------
    ndarray, shape (n,)
        Between 0 and 1, in the order of `x`, with the sum `k`.

    Raises
    ------
    ValueError
        If `x` is not a finite vector, or `k` or `K` is out of range.
    """
    x, K = _vector(x), _sharpness(K)
    _check_count(k, len(x) - 1)
    # Measured from the k-th largest entry, so that the threshold is small and hence precise.
    z = K * (x - np.sort(x)[-k])
    margin = math.log(len(x)) + 5
    low, high = z.min() - margin, z.max() + margin
    for _ in range(200):
        mu = (low + high) / 2
        if expit(z - mu).sum() > k:
            low = mu
        else:
            high = mu
    return expit(z - mu)


def _finite(name, x):
    x = np.asarray(x, dtype=float)
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be finite, got {x[~np.isfinite(x)][0]}")
    return x


def _values(x):
    x = _finite("x", x)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"`x` must have at least one entry along an axis, got shape {x.shape}")
    return x


def _vector(x):
    x = _values(x)
    if x.ndim != 1:
        raise ValueError(f"`x` must have one axis, got shape {x.shape}")
    return x


def _sharpness(K):
    if not 0 < K < math.inf:
        raise ValueError(f"`K` must be positive and finite, got {K}")
    return float(K)


def _check_count(k, largest):
    if isinstance(k, bool) or not isinstance(k, numbers.Integral) or not 1 <= k <= largest:
        raise ValueError(f"`k` must be an integer from 1 to {largest}, got {k}")
