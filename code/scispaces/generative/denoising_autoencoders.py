"""Denoising with Gaussian noise: the score of the noisy density, and samplers made from it.

A Gaussian mixture is given by `weights` of shape (K,), `means` of shape (K, d) and isotropic `stds`
of shape (K,).  Points have shape (..., d); leading axes are kept.  The noise is
``y = x + sigma * eps`` with standard normal ``eps``.
"""

import math
import numbers

import numpy as np
from scipy.integrate import trapezoid
from scipy.special import logsumexp, ndtr

from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "RBFDenoiser",
    "annealed_langevin",
    "bit_denoiser",
    "generator_gradient",
    "gmm_cdf_1d",
    "gmm_logpdf",
    "gmm_score",
    "kolmogorov_distance",
    "langevin",
    "mmse_1d",
    "optimal_denoiser",
    "posterior_covariance",
    "smoothed_kl_1d",
]


def gmm_logpdf(x, weights, means, stds):
    """Logarithm of the density of a Gaussian mixture.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Points.
    weights : array_like, shape (K,)
        Weights, non-negative, with sum 1.
    means : array_like, shape (K, d)
        Centres.
    stds : array_like, shape (K,)
        Standard deviations of the isotropic components, positive.

    Returns
    -------
    ndarray, shape (...)
        Log-density; finite also far from every component.

    Raises
    ------
    ValueError
        If shapes do not fit, weights are not a distribution, or a standard deviation is not
        positive (a point mass has no density).
    """
    weights, means, stds = _mixture(weights, means, stds, points_allowed=False)
    return logsumexp(_log_terms(_points("x", x, means), weights, means, stds), axis=-1)


def gmm_cdf_1d(x, weights, means, stds):
    """Distribution function of a Gaussian mixture on the line.

    Parameters
    ----------
    x : array_like, shape (...)
        Points; there is no axis for the single coordinate.
    weights, means, stds
        As for `gmm_logpdf`, with ``d == 1``.

    Returns
    -------
    ndarray, shape (...)
        Probability of being at most `x`.

    Raises
    ------
    ValueError
        If the mixture is not on the line, or as for `gmm_logpdf`.
    """
    weights, means, stds = _on_the_line(*_mixture(weights, means, stds, points_allowed=False))
    x = np.asarray(x, dtype=float)
    return ndtr((x[..., None] - means[:, 0]) / stds) @ weights


def kolmogorov_distance(samples, weights, means, stds):
    """Largest gap between the shares of samples and the probabilities below any point.

    Parameters
    ----------
    samples : array_like, shape (n,)
        Samples on the line, ``n >= 1``.
    weights, means, stds
        As for `gmm_logpdf`, with ``d == 1``.

    Returns
    -------
    float
        ``sup |F_n - F|``, between 0 and 1; about ``0.87 / sqrt(n)`` for n true samples.

    Raises
    ------
    ValueError
        If `samples` is not a vector, or as for `gmm_cdf_1d`.
    """
    samples = np.sort(np.asarray(samples, dtype=float))
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"`samples` must have shape (n,) with n >= 1, got {samples.shape}")
    exact, n = gmm_cdf_1d(samples, weights, means, stds), samples.size
    # The empirical distribution function jumps at each sample: look at both sides.
    below, above = exact - np.arange(n) / n, np.arange(1, n + 1) / n - exact
    return float(max(below.max(), above.max()))


def gmm_score(x, weights, means, stds):
    """Gradient of the log-density of a Gaussian mixture.

    Parameters
    ----------
    x, weights, means, stds
        As for `gmm_logpdf`.

    Returns
    -------
    ndarray, shape (..., d)
        ``sum_k gamma_k(x) (mu_k - x) / s_k²`` with the responsibilities ``gamma_k``.

    Raises
    ------
    ValueError
        As for `gmm_logpdf`.
    """
    weights, means, stds = _mixture(weights, means, stds, points_allowed=False)
    x = _points("x", x, means)
    pull = _responsibilities(x, weights, means, stds) / stds**2
    return pull @ means - pull.sum(axis=-1, keepdims=True) * x


def optimal_denoiser(y, sigma, weights, means, stds):
    """Posterior mean of the clean point, the least-squares optimal denoiser.

    Parameters
    ----------
    y : array_like, shape (..., d)
        Noisy points.
    sigma : float
        Standard deviation of the noise, positive.
    weights, means, stds
        Mixture of the clean points, as for `gmm_logpdf`; a standard deviation of 0 is a point mass.

    Returns
    -------
    ndarray, shape (..., d)
        ``E[x | y]``.

    Raises
    ------
    ValueError
        If shapes do not fit, weights are not a distribution, or `sigma` is not positive.
    """
    weights, means, stds = _mixture(weights, means, stds)
    y, sigma = _points("y", y, means), _positive("sigma", sigma)
    gamma, shrunk = _posterior(y, sigma, weights, means, stds)
    return np.einsum("...k,...kd->...d", gamma, shrunk)


def posterior_covariance(y, sigma, weights, means, stds):
    """Covariance of the clean point given the noisy one.

    Parameters
    ----------
    y, sigma, weights, means, stds
        As for `optimal_denoiser`.

    Returns
    -------
    ndarray, shape (..., d, d)
        ``Cov[x | y]``, which is also sigma² times the Jacobian of the optimal denoiser.

    Raises
    ------
    ValueError
        As for `optimal_denoiser`.
    """
    weights, means, stds = _mixture(weights, means, stds)
    y, sigma = _points("y", y, means), _positive("sigma", sigma)
    gamma, shrunk = _posterior(y, sigma, weights, means, stds)
    away = shrunk - np.einsum("...k,...kd->...d", gamma, shrunk)[..., None, :]
    between = np.einsum("...k,...ki,...kj->...ij", gamma, away, away)
    within = gamma @ (stds**2 * sigma**2 / (stds**2 + sigma**2))
    return between + within[..., None, None] * np.eye(means.shape[1])


def mmse_1d(sigma, weights, means, stds, n=4001):
    """Smallest mean squared error of a denoiser, for a mixture on the line.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise, positive.
    weights, means, stds
        As for `optimal_denoiser`, with ``d == 1``.
    n : int, default 4001
        Nodes of the trapezoid rule, at least 2.

    Returns
    -------
    float
        ``E Var[x | y]``.

    Raises
    ------
    ValueError
        If the mixture is not on the line, `n` is too small, or as for `optimal_denoiser`.
    """
    weights, means, stds = _mixture(weights, means, stds)
    sigma, n = _positive("sigma", sigma), _count("n", n, 2)
    _on_the_line(weights, means, stds)
    noisy = np.hypot(stds, sigma)
    y = np.linspace((means[:, 0] - 12 * noisy).min(), (means[:, 0] + 12 * noisy).max(), n)[:, None]
    density = np.exp(gmm_logpdf(y, weights, means, noisy))
    variance = posterior_covariance(y, sigma, weights, means, stds)[:, 0, 0]
    return float(trapezoid(density * variance, y[:, 0]))


def langevin(score, x0, step, n_steps, rng):
    """Unadjusted Langevin chains ``x <- x + step * score(x) + sqrt(2 step) * z``.

    Parameters
    ----------
    score : callable
        Gradient of a log-density; maps an array to an array of the same shape.
    x0 : array_like, shape (...)
        Starts of the chains.
    step : float
        Step size, positive.
    n_steps : int
        Number of steps, ``>= 0``.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray, shape of x0
        The chains after the last step; `x0` is not changed.

    Raises
    ------
    ValueError
        If `step` is not positive or `n_steps` is negative.
    """
    step, n_steps = _positive("step", step), _count("n_steps", n_steps, 0)
    x = np.array(x0, dtype=float)
    for _ in range(n_steps):
        x = x + step * score(x) + math.sqrt(2 * step) * rng.standard_normal(x.shape)
    return x


def annealed_langevin(score_at, x0, sigmas, step_ratio, n_steps, rng):
    """Langevin chains along falling noise, with steps in proportion to the noise variance.

    Parameters
    ----------
    score_at : callable
        ``score_at(x, sigma)``, the score of the density with noise `sigma`.
    x0 : array_like, shape (...)
        Starts of the chains.
    sigmas : array_like, shape (L,)
        Noise levels, positive and strictly decreasing.
    step_ratio : float
        The step at level `sigma` is ``step_ratio * sigma**2``.
    n_steps : int
        Steps at each level.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray, shape of x0
        The chains after the last level.

    Raises
    ------
    ValueError
        If `sigmas` is not positive and strictly decreasing, or as for `langevin`.
    """
    sigmas = np.asarray(sigmas, dtype=float)
    falling = sigmas.ndim == 1 and sigmas.size > 0 and np.all(np.diff(sigmas) < 0)
    if not (falling and np.all(np.isfinite(sigmas)) and sigmas[-1] > 0):
        raise ValueError(f"`sigmas` must be positive and strictly decreasing, got {sigmas}")
    step_ratio = _positive("step_ratio", step_ratio)
    x = np.array(x0, dtype=float)
    for sigma in sigmas:
        x = langevin(lambda x, s=sigma: score_at(x, s), x, step_ratio * sigma**2, n_steps, rng)
    return x


def generator_gradient(x, eps, sigma, weights, means, stds, with_q=True):
    """Direction in which generated points raise the smoothed Kullback-Leibler divergence.

    Parameters
    ----------
    x : array_like, shape (n, d)
        Generated points; their smoothed law is ``q = mean_j N(x_j, sigma²)``.
    eps : array_like, shape (n, d)
        Noise already scaled by `sigma`.
    sigma : float
        Standard deviation of the smoothing noise, positive.
    weights, means, stds
        Mixture of the data, as for `optimal_denoiser`.
    with_q : bool, default True
        Whether the score of the generated points is there; without it, they fall into the modes.

    Returns
    -------
    ndarray, shape (n, d)
        ``score_q(x + eps) - score_p(x + eps)``; averaged over `eps`, n times the gradient of
        ``KL(q || p)``.  Costs O(n² d).

    Raises
    ------
    ValueError
        If `x` is not two-dimensional, `eps` has another shape, or as for `optimal_denoiser`.
    """
    weights, means, stds = _mixture(weights, means, stds)
    x, eps, sigma = np.asarray(x, float), np.asarray(eps, float), _positive("sigma", sigma)
    if x.ndim != 2 or x.shape[1] != means.shape[1]:
        raise ValueError(f"`x` must have shape (n, {means.shape[1]}), got {x.shape}")
    if eps.shape != x.shape:
        raise ValueError(f"`eps` must have the shape of `x`, {x.shape}, got {eps.shape}")
    toward = -gmm_score(x + eps, weights, means, np.hypot(stds, sigma))
    if with_q:
        n = len(x)
        toward = toward + gmm_score(x + eps, np.full(n, 1 / n), x, np.full(n, sigma))
    return toward


def smoothed_kl_1d(x, sigma, weights, means, stds, n=4001):
    """Divergence of generated points from the data on the line, both smoothed by the same noise.

    Parameters
    ----------
    x : array_like, shape (m,)
        Generated points; their smoothed law is ``q = mean_j N(x_j, sigma²)``.
    sigma : float
        Standard deviation of the smoothing noise, positive.
    weights, means, stds
        Mixture of the data, as for `optimal_denoiser`, with ``d == 1``.
    n : int, default 4001
        Nodes of the trapezoid rule, at least 2.

    Returns
    -------
    float
        ``KL(q || p)`` in nats, with p the smoothed law of the data.

    Raises
    ------
    ValueError
        If `x` is not a vector, the mixture is not on the line, or as for `optimal_denoiser`.
    """
    weights, means, stds = _on_the_line(*_mixture(weights, means, stds))
    sigma, n, x = _positive("sigma", sigma), _count("n", n, 2), np.asarray(x, dtype=float)
    if x.ndim != 1 or not x.size:
        raise ValueError(f"`x` must have shape (m,) with m >= 1, got {x.shape}")
    y = np.linspace(x.min() - 12 * sigma, x.max() + 12 * sigma, n)[:, None]
    m = x.size
    log_q = gmm_logpdf(y, np.full(m, 1 / m), x[:, None], np.full(m, sigma))
    log_p = gmm_logpdf(y, weights, means, np.hypot(stds, sigma))
    return float(trapezoid(np.exp(log_q) * (log_q - log_p), y[:, 0]))


def bit_denoiser(noisy, rho):
    """Probability that a received bit is right, from the law of the received words alone.

    Parameters
    ----------
    noisy : array_like, shape (2,) * n
        Probability of each received word of n bits, positive, with sum 1.
    rho : float
        Probability that a bit is flipped on the way, independently, ``0 <= rho < 1/2``.

    Returns
    -------
    ndarray, shape (n, 2, ..., 2)
        Entry ``[i, y]`` is ``P(x_i = y_i | y)``.

    Raises
    ------
    ValueError
        If `noisy` is not such a law, or `rho` is out of range.
    """
    noisy = np.asarray(noisy, dtype=float)
    if noisy.ndim == 0 or noisy.shape != (2,) * noisy.ndim:
        raise ValueError(f"`noisy` must have shape (2, ..., 2), got {noisy.shape}")
    if not (np.all(noisy > 0) and np.isclose(noisy.sum(), 1)):
        raise ValueError(f"`noisy` must be positive with sum 1, got {noisy.tolist()}")
    if not 0 <= rho < 0.5:
        raise ValueError(f"`rho` must be at least 0 and below 1/2, got {rho}")
    ratio = np.stack([np.flip(noisy, axis=i) / noisy for i in range(noisy.ndim)])
    return (1 - rho) / (1 - 2 * rho) * ((1 - rho) - rho * ratio)


class RBFDenoiser:
    """Denoiser learned by ridge regression on Gaussian bumps, the coordinates and a constant.

    Parameters
    ----------
    centers : array_like, shape (K, d)
        Centres of the bumps.
    width : float
        Standard deviation of the bumps, positive.
    ridge : float, default 1e-6
        Added to the diagonal of the normal equations (divided by the number of pairs).
    """

    def __init__(self, centers, width, ridge=1e-6):
        self.centers = np.asarray(centers, dtype=float)
        if self.centers.ndim != 2 or not self.centers.size:
            raise ValueError(f"`centers` must have shape (K, d), got {self.centers.shape}")
        self.width, self.ridge = _positive("width", width), _positive("ridge", ridge)
        self._coefficients = None

    def fit(self, y, x):
        """Fit ``x ~ r(y)`` by least squares.

        Parameters
        ----------
        y, x : array_like, shape (n, d)
            Noisy points and the clean points they came from.

        Returns
        -------
        RBFDenoiser
            The denoiser itself.

        Raises
        ------
        ValueError
            If the shapes are not equal or do not fit the centres.
        """
        y, x = _points("y", y, self.centers), np.asarray(x, dtype=float)
        if y.ndim != 2 or x.shape != y.shape:
            raise ValueError(
                f"`x` and `y` must both have shape (n, d), got {x.shape} and {y.shape}"
            )
        features = self._features(y)
        normal = features.T @ features / len(y)
        normal[np.diag_indices_from(normal)] += self.ridge
        self._coefficients = np.linalg.solve(normal, features.T @ x / len(y))
        return self

    def predict(self, y):
        """Denoise points.

        Parameters
        ----------
        y : array_like, shape (n, d)
            Noisy points.

        Returns
        -------
        ndarray, shape (n, d)
            Estimates of the clean points.

        Raises
        ------
        RuntimeError
            If the denoiser was not fitted.
        """
        if self._coefficients is None:
            raise RuntimeError("the denoiser must be fitted before it predicts: call `fit` first")
        return self._features(_points("y", y, self.centers)) @ self._coefficients

    def _features(self, y):
        bumps = np.exp(-_squared_distances(y, self.centers) / (2 * self.width**2))
        return np.concatenate([bumps, y, np.ones((len(y), 1))], axis=1)


def _squared_distances(x, centers):
    return np.sum((x[..., None, :] - centers) ** 2, axis=-1)


def _log_terms(x, weights, means, stds):
    """Logarithms of the weighted component densities, shape (..., K)."""
    normalizer = means.shape[1] * (np.log(stds) + math.log(2 * math.pi) / 2)
    return np.log(weights) - normalizer - _squared_distances(x, means) / (2 * stds**2)


def _responsibilities(x, weights, means, stds):
    return softmax(_log_terms(x, weights, means, stds))


def _posterior(y, sigma, weights, means, stds):
    """Responsibilities (..., K) and posterior means (..., K, d) of the components."""
    noisy = np.hypot(stds, sigma)
    gamma = _responsibilities(y, weights, means, noisy)
    keep = (stds / noisy)[:, None] ** 2
    return gamma, means + keep * (y[..., None, :] - means)


def _mixture(weights, means, stds, points_allowed=True):
    weights, means, stds = (np.asarray(a, dtype=float) for a in (weights, means, stds))
    if means.ndim != 2 or not means.size:
        raise ValueError(f"`means` must have shape (K, d), got {means.shape}")
    if weights.shape != means.shape[:1] or stds.shape != means.shape[:1]:
        raise ValueError(
            f"`weights` and `stds` must have shape ({len(means)},), one entry for each row of "
            f"`means`, got {weights.shape} and {stds.shape}"
        )
    if not (np.all(weights >= 0) and np.isclose(weights.sum(), 1)):
        raise ValueError(f"`weights` must be non-negative with sum 1, got {weights}")
    if not np.all(np.isfinite(means)):
        raise ValueError(f"`means` must be finite, got {means}")
    if not np.all(np.isfinite(stds) & (stds >= 0)):
        raise ValueError(f"`stds` must be non-negative and finite, got {stds}")
    if not points_allowed and np.any(stds == 0):
        raise ValueError(f"`stds` must be positive, since a point mass has no density, got {stds}")
    there = weights > 0
    return weights[there], means[there], stds[there]


def _on_the_line(weights, means, stds):
    if means.shape[1] != 1:
        raise ValueError(
            f"`means` must have shape (K, 1), a mixture on the line, got {means.shape}"
        )
    return weights, means, stds


def _points(name, x, means):
    x = np.asarray(x, dtype=float)
    if x.ndim == 0 or x.shape[-1] != means.shape[1]:
        raise ValueError(f"`{name}` must have shape (..., {means.shape[1]}), got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be finite, got {x[~np.isfinite(x)][0]}")
    return x


def _positive(name, value):
    if not (isinstance(value, numbers.Real) and math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be a positive finite number, got {value!r}")
    return float(value)


def _count(name, value, least):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")
    return int(value)
