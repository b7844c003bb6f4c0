"""Gradients through samples: pathwise and score-function estimates, Gumbel noise, relaxations.

Randomness comes in from outside, as uniform (`u`) or standard normal (`eps`) numbers, so that every
function is deterministic.
"""

import math

import numpy as np
from scipy.special import expit, gammaln, logsumexp

from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "categorical_score_grad",
    "concrete_logpdf",
    "gradient_variances",
    "gumbel_max",
    "gumbel_softmax",
    "pathwise_grad",
    "relaxed_expectation",
    "score_function_grad",
]


def gumbel_max(logits, u):
    """Exact sample of a categorical variable: the place of the largest noisy logit.

    Parameters
    ----------
    logits : array_like, shape (k,)
        Finite, k >= 2; they need not be normalised.
    u : array_like, shape (..., k)
        Uniform numbers in [0, 1].

    Returns
    -------
    ndarray of int, shape (...)
        Classes from 0 to k - 1, with the probabilities ``softmax(logits)``.

    Raises
    ------
    ValueError
        If `logits` is no finite vector, or `u` does not fit or leaves [0, 1].
    """
    logits = _logits(logits)
    return np.argmax(logits + _gumbel(u, len(logits)), axis=-1)


def gumbel_softmax(logits, u, tau=1.0):
    """Relaxed sample: the softmax of the noisy logits.

    Parameters
    ----------
    logits : array_like, shape (k,)
        Finite, k >= 2.
    u : array_like, shape (..., k)
        Uniform numbers in [0, 1].
    tau : float, default 1.0
        Temperature, positive and finite.

    Returns
    -------
    ndarray, shape (..., k)
        Points of the simplex; the largest entry is where `gumbel_max` puts the sample.

    Raises
    ------
    ValueError
        If `logits` is no finite vector, `u` does not fit or leaves [0, 1], or `tau` is not positive
        and finite.

    References
    ----------
    .. [1] E. Jang, S. Gu, B. Poole, "Categorical Reparameterization with Gumbel-Softmax",
       ICLR 2017. arXiv:1611.01144
    """
    logits = _logits(logits)
    return softmax(logits + _gumbel(u, len(logits)), _temperature(tau))


def concrete_logpdf(y, logits, tau):
    """Logarithm of the density of `gumbel_softmax` on the simplex.

    Parameters
    ----------
    y : array_like, shape (..., k)
        Positive, sums to one within 1e-8.
    logits : array_like, shape (k,)
        Finite, k >= 2.
    tau : float
        Temperature, positive and finite.

    Returns
    -------
    ndarray, shape (...)
        With respect to the volume of the first k - 1 coordinates.

    Raises
    ------
    ValueError
        If `y` lies off the open simplex, `logits` is no finite vector, or `tau` is not positive and
        finite.

    References
    ----------
    .. [1] C. Maddison, A. Mnih, Y. W. Teh, "The Concrete Distribution", ICLR 2017.
       arXiv:1611.00712
    """
    logits, tau = _logits(logits), _temperature(tau)
    y, k = np.asarray(y, dtype=float), len(logits)
    if y.shape[-1:] != (k,):
        raise ValueError(f"`y` must have {k} entries along its last axis, got shape {y.shape}")
    if not (np.all(y > 0) and np.all(np.abs(y.sum(-1) - 1) <= 1e-8)):
        raise ValueError("`y` must be positive and sum to 1, got a point off the simplex")
    scaled = logits - tau * np.log(y)
    constant = gammaln(k) + (k - 1) * math.log(tau)
    return constant + np.sum(scaled - np.log(y), axis=-1) - k * logsumexp(scaled, axis=-1)


def relaxed_expectation(f, logit, tau):
    """Mean of `f` over a relaxed binary variable ``sigmoid((logit + noise) / tau)``.

    Parameters
    ----------
    f : callable
        Maps an array of numbers in [0, 1] to an array of the same shape.
    logit : float
        Finite; the hard variable is 1 with probability ``sigmoid(logit)``.
    tau : float
        Temperature, positive and finite.

    Returns
    -------
    float
        Off by less than 1e-9 for smooth `f` and `tau` from 0.02 on.

    Raises
    ------
    ValueError
        If `logit` is not finite, or `tau` is not positive and finite.
    """
    tau = _temperature(tau)
    if not math.isfinite(logit):
        raise ValueError(f"`logit` must be finite, got {logit}")
    # The trapezoidal rule converges exponentially: the nearest poles of the integrand lie
    # pi min(1, tau) off the real axis.  Beyond 45 the logistic noise has mass 6e-20.
    count = math.ceil(45 / min(tau / 12, 0.25))
    noise, step = np.linspace(-45, 45, 2 * count + 1, retstep=True)
    weight = step * expit(noise) * expit(-noise)
    return float(weight @ f(expit((logit + noise) / tau)))


def score_function_grad(f, mu, sigma, eps, baseline=0.0):
    """Estimates of the derivative of E f(z) in `mu`, z normal, from values of `f` alone.

    Parameters
    ----------
    f : callable
        Maps arrays to arrays of the same shape.
    mu : array_like, shape (...)
        Mean of z.
    sigma : float
        Standard deviation of z, positive.
    eps : array_like, shape (...)
        Standard normal numbers; broadcasts against `mu`.
    baseline : float, default 0.0
        Subtracted from `f`; any constant leaves the mean as it is.

    Returns
    -------
    ndarray, shape (...)
        ``(f(mu + sigma eps) - baseline) eps / sigma``, one estimate a sample.

    Raises
    ------
    ValueError
        If `sigma` is not positive and finite.
    """
    z, eps, sigma = _normal(mu, sigma, eps)
    return (f(z) - baseline) * eps / sigma


def pathwise_grad(df, mu, sigma, eps):
    """Estimates of the derivative of E f(z) in `mu`, z normal, from slopes of `f`.

    Parameters
    ----------
    df : callable
        The derivative of f; maps arrays to arrays of the same shape.
    mu : array_like, shape (...)
        Mean of z.
    sigma : float
        Standard deviation of z, positive.
    eps : array_like, shape (...)
        Standard normal numbers; broadcasts against `mu`.

    Returns
    -------
    ndarray, shape (...)
        ``df(mu + sigma eps)``, one estimate a sample.

    Raises
    ------
    ValueError
        If `sigma` is not positive and finite.
    """
    return df(_normal(mu, sigma, eps)[0])


def gradient_variances(kind, mu, sigma, omega=1.0):
    """Exact variances of one-sample estimates of the derivative of E f(z) in `mu`.

    Parameters
    ----------
    kind : {"quadratic", "sine"}
        f is ``z**2`` or ``sin(omega z)``; z is normal.
    mu, sigma : float
        Mean and standard deviation of z; `sigma` is positive.
    omega : float, default 1.0
        Frequency of the sine.

    Returns
    -------
    score, score_with_baseline, pathwise : float
        Variance of the score-function estimate, of the same with the best constant baseline, and
        of the pathwise estimate.

    Raises
    ------
    ValueError
        If `kind` is unknown, or `sigma` is not positive and finite.
    """
    sigma = _spread(sigma)
    if kind == "quadratic":
        # From E z² eps² = mu² + 3 sigma² and E z⁴ eps² = mu⁴ + 18 mu² sigma² + 15 sigma⁴.
        score = mu**4 / sigma**2 + 14 * mu**2 + 15 * sigma**2
        return score, 8 * mu**2 + 6 * sigma**2, 4 * sigma**2
    if kind != "sine":
        raise ValueError(f'`kind` must be one of "quadratic" and "sine", got {kind!r}')
    v, c = (omega * sigma) ** 2, math.cos(2 * omega * mu)
    mean = omega * math.cos(omega * mu) * math.exp(-v / 2)
    score = (1 - c * (1 - 4 * v) * math.exp(-2 * v)) / (2 * sigma**2) - mean**2
    saved = (math.sin(omega * mu) * (1 - v) * math.exp(-v / 2) / sigma) ** 2
    path = omega**2 / 2 * (1 + c * math.exp(-2 * v)) - mean**2
    return score, score - saved, path


def categorical_score_grad(logits, f_values, idx, baseline=0.0):
    """Estimates of the gradient of E f in the logits, from samples of a categorical variable.

    Parameters
    ----------
    logits : array_like, shape (k,)
        Finite, k >= 2.
    f_values : array_like, shape (k,)
        The value of f at each class, finite.
    idx : array_like of int, shape (...)
        Sampled classes, from 0 to k - 1.
    baseline : float, default 0.0
        Subtracted from f; any constant leaves the mean as it is.

    Returns
    -------
    ndarray, shape (..., k)
        ``(f - baseline) (e - p)`` with the one-hot vector e of the sample and p the probabilities.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, or `idx` holds no classes.
    """
    logits, f_values, idx = _logits(logits), np.asarray(f_values, dtype=float), np.asarray(idx)
    k = len(logits)
    if f_values.shape != (k,) or not np.all(np.isfinite(f_values)):
        raise ValueError(f"`f_values` must be {k} finite numbers, got shape {f_values.shape}")
    if not np.issubdtype(idx.dtype, np.integer) or np.any(idx < 0) or np.any(idx >= k):
        raise ValueError(f"`idx` must hold integers from 0 to {k - 1}, got {idx.tolist()}")
    return (f_values[idx] - baseline)[..., None] * (np.eye(k)[idx] - softmax(logits))


def _logits(logits):
    logits = np.asarray(logits, dtype=float)
    if logits.ndim != 1 or len(logits) < 2 or not np.all(np.isfinite(logits)):
        raise ValueError(f"`logits` must be at least 2 finite numbers, got {logits.tolist()}")
    return logits


def _gumbel(u, k):
    u = np.asarray(u, dtype=float)
    if u.shape[-1:] != (k,):
        raise ValueError(f"`u` must have {k} entries along its last axis, got shape {u.shape}")
    if not np.all((u >= 0) & (u <= 1)):  # this way round, NaN is refused too
        raise ValueError("`u` must lie in [0, 1], got a number outside")
    limits = np.finfo(float)
    return -np.log(-np.log(np.clip(u, limits.tiny, 1 - limits.epsneg)))


def _temperature(tau):
    if not 0 < tau < math.inf:
        raise ValueError(f"`tau` must be positive and finite, got {tau}")
    return float(tau)


def _spread(sigma):
    if not 0 < sigma < math.inf:
        raise ValueError(f"`sigma` must be positive and finite, got {sigma}")
    return float(sigma)


def _normal(mu, sigma, eps):
    sigma, eps = _spread(sigma), np.asarray(eps, dtype=float)
    return mu + sigma * eps, eps, sigma
