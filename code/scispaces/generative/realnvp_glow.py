"""Flows: invertible networks whose log-determinant is a sum, from RealNVP to Glow.

Every layer returns what it makes and the log-determinant of its Jacobian; the log-determinants of
a chain add.  Planar flows are trained with JAX in single precision and evaluated with NumPy in
double precision: both run the same lines.
"""

import math
import numbers

import numpy as np
import scipy.linalg
from scipy.integrate import trapezoid

from scispaces.generative.denoising_autoencoders import gmm_logpdf

__all__ = [
    "actnorm",
    "actnorm_init",
    "bits_per_dim",
    "conv1x1",
    "coupling_floor",
    "coupling_forward",
    "coupling_inverse",
    "fit_flow",
    "flow_forward",
    "flow_inverse",
    "flow_log_prob",
    "init_flow",
    "kl_from_mixture",
    "lu_compose",
    "lu_params",
    "multiscale_shapes",
    "split_prior",
    "squeeze",
    "training_path",
    "unsqueeze",
]


def coupling_forward(x, log_scale, shift, d):
    """Affine coupling: the first `d` coordinates stay and say how the others are stretched.

    Parameters
    ----------
    x : array_like, shape (n, D)
        Points.
    log_scale, shift : callable
        Map the first coordinates, shape (n, d), to an array that broadcasts to (n, D - d).
    d : int
        How many coordinates stay, ``0 < d < D``.

    Returns
    -------
    h : ndarray, shape (n, D)
        ``[x1, exp(log_scale(x1)) * x2 + shift(x1)]``.
    logdet : ndarray, shape (n,)
        Logarithm of the determinant of the Jacobian.

    Raises
    ------
    ValueError
        If `x` is not two-dimensional or `d` is out of range.

    References
    ----------
    .. [1] L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017.
    """
    x1, x2 = _halves("x", x, d)
    log_s, t = _broadcast(log_scale, x1, x2), _broadcast(shift, x1, x2)
    return np.concatenate([x1, np.exp(log_s) * x2 + t], axis=1), log_s.sum(axis=1)


def coupling_inverse(h, log_scale, shift, d):
    """Inverse of `coupling_forward`; neither `log_scale` nor `shift` is inverted.

    Parameters
    ----------
    h : array_like, shape (n, D)
        Points that a coupling made.
    log_scale, shift, d
        As for `coupling_forward`.

    Returns
    -------
    x : ndarray, shape (n, D)
        The points before the coupling.
    logdet : ndarray, shape (n,)
        Log-determinant of the inverse, minus that of the coupling at `x`.

    Raises
    ------
    ValueError
        If `h` is not two-dimensional or `d` is out of range.
    """
    h1, h2 = _halves("h", h, d)
    log_s, t = _broadcast(log_scale, h1, h2), _broadcast(shift, h1, h2)
    return np.concatenate([h1, (h2 - t) * np.exp(-log_s)], axis=1), -log_s.sum(axis=1)


def squeeze(x, f=2):
    """Turn blocks of f × f pixels into channels (the order of space-to-depth).

    Parameters
    ----------
    x : array_like, shape (n, H, W, C)
        Images of any dtype.
    f : int, default 2
        Side of a block; divides H and W.

    Returns
    -------
    ndarray, shape (n, H / f, W / f, f² C)
        Channel ``(a f + b) C + c`` at (i, j) is channel c of pixel ``(f i + a, f j + b)``.

    Raises
    ------
    ValueError
        If `x` is not four-dimensional or `f` does not divide its sides.
    """
    x, f = _images("x", x), _count("f", f)
    n, height, width, c = x.shape
    if height % f or width % f:
        raise ValueError(f"`f` must divide the sides {height} and {width} of `x`, got {f}")
    blocks = x.reshape(n, height // f, f, width // f, f, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, height // f, width // f, f * f * c)


def unsqueeze(x, f=2):
    """Inverse of `squeeze`.

    Parameters
    ----------
    x : array_like, shape (n, H, W, C)
        Images of any dtype; f² divides C.
    f : int, default 2
        Side of a block.

    Returns
    -------
    ndarray, shape (n, f H, f W, C / f²)

    Raises
    ------
    ValueError
        If `x` is not four-dimensional or `f` squared does not divide its channels.
    """
    x, f = _images("x", x), _count("f", f)
    n, height, width, c = x.shape
    if c % (f * f):
        raise ValueError(f"`f` squared must divide the {c} channels of `x`, got {f}")
    blocks = x.reshape(n, height, width, f, f, c // (f * f)).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(n, height * f, width * f, c // (f * f))


def lu_params(W):
    """Split a matrix into the parts that Glow freezes and the parts that it trains.

    Parameters
    ----------
    W : array_like, shape (c, c)
        Invertible matrix.

    Returns
    -------
    P : ndarray, shape (c, c)
        Permutation (frozen).
    L : ndarray, shape (c, c)
        Lower triangular with unit diagonal (trained below the diagonal).
    U : ndarray, shape (c, c)
        Strictly upper triangular (trained).
    sign : ndarray, shape (c,)
        Signs of the pivots (frozen).
    log_s : ndarray, shape (c,)
        Logarithms of the absolute pivots (trained); their sum is ``log|det W|``.

    Raises
    ------
    ValueError
        If `W` is not square or is singular.

    References
    ----------
    .. [1] D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1×1 Convolutions",
       NeurIPS 2018.
    """
    P, L, U = scipy.linalg.lu(_square(W))
    pivots = np.diag(U)
    if np.any(np.abs(pivots) < 1e-300):
        raise ValueError(f"`W` must be invertible, got the pivots {pivots}")
    return P, L, np.triu(U, 1), np.sign(pivots), np.log(np.abs(pivots))


def lu_compose(P, L, U, sign, log_s):
    """Matrix with given LU parts; never singular.

    Parameters
    ----------
    P : array_like, shape (c, c)
        Permutation.
    L, U : array_like, shape (c, c)
        Only the strict lower triangle of `L` and the strict upper triangle of `U` are read.
    sign, log_s : array_like, shape (c,)
        Signs and logarithms of the pivots.

    Returns
    -------
    ndarray, shape (c, c)
        ``P @ L @ (U + diag(sign * exp(log_s)))``.

    Raises
    ------
    ValueError
        If a shape does not fit `P`.
    """
    P = _square(P, "P")
    parts = {"L": (L, P.shape), "U": (U, P.shape), "sign": (sign, P.shape[:1])}
    for name, (part, shape) in (parts | {"log_s": (log_s, P.shape[:1])}).items():
        if np.shape(part) != shape:
            raise ValueError(f"`{name}` must have shape {shape}, got {np.shape(part)}")
    pivots = np.diag(np.asarray(sign) * np.exp(log_s))
    return P @ (np.tril(L, -1) + np.eye(len(P))) @ (np.triu(U, 1) + pivots)


def conv1x1(x, W):
    """Multiply the channels of every pixel by one matrix.

    Parameters
    ----------
    x : array_like, shape (n, H, W, C)
        Images.
    W : array_like, shape (C, C)
        Invertible matrix; row vectors of channels are multiplied from the right.

    Returns
    -------
    h : ndarray, shape (n, H, W, C)
    logdet : float
        ``H * W * log|det W|``, the same for every image.

    Raises
    ------
    ValueError
        If `x` is not four-dimensional, `W` does not fit its channels or is singular.
    """
    x, W = _images("x", x), _square(W)
    if len(W) != x.shape[3]:
        raise ValueError(f"`W` must have {x.shape[3]} rows, the channels of `x`, got {len(W)}")
    sign, logdet = np.linalg.slogdet(W)
    if sign == 0:
        raise ValueError("`W` must be invertible, got a matrix of determinant 0")
    return x @ W, float(x.shape[1] * x.shape[2] * logdet)


def actnorm_init(x, eps=1e-6):
    """Bias and scale that give a first batch mean 0 and deviation 1 in each channel.

    Parameters
    ----------
    x : array_like, shape (n, ..., C)
        First batch of real data.
    eps : float, default 1e-6
        Added to the deviation.

    Returns
    -------
    bias, log_scale : ndarray, shape (C,)

    Raises
    ------
    ValueError
        If `x` has fewer than two axes or no entries.
    """
    x = _channels(x)
    axes = tuple(range(x.ndim - 1))
    return -x.mean(axis=axes), -np.log(x.std(axis=axes) + eps)


def actnorm(x, bias, log_scale, inverse=False):
    """Shift and scale each channel.

    Parameters
    ----------
    x : array_like, shape (n, ..., C)
        Activations; the axes between the first and the last are space.
    bias, log_scale : array_like, shape (C,)
    inverse : bool, default False

    Returns
    -------
    y : ndarray, shape of x
        ``(x + bias) * exp(log_scale)``, or its inverse.
    logdet : float
        Number of pixels times the sum of `log_scale`, negated for the inverse.

    Raises
    ------
    ValueError
        If `x` has fewer than two axes, or the parameters do not have shape (C,).
    """
    x = _channels(x)
    bias, log_scale = np.asarray(bias, float), np.asarray(log_scale, float)
    if not bias.shape == log_scale.shape == x.shape[-1:]:
        raise ValueError(
            f"`bias` and `log_scale` must have shape {x.shape[-1:]}, one entry for each channel, "
            f"got {bias.shape} and {log_scale.shape}"
        )
    logdet = float(math.prod(x.shape[1:-1]) * log_scale.sum())
    if inverse:
        return x * np.exp(-log_scale) - bias, -logdet
    return (x + bias) * np.exp(log_scale), logdet


def split_prior(z, mu, log_sigma, inverse=False):
    """Standardise the half that leaves, with mean and deviation told by the half that stays.

    Parameters
    ----------
    z : array_like, shape (n, ...)
        The half that leaves, with at least two axes.
    mu, log_sigma : array_like
        Broadcast to the shape of `z`.
    inverse : bool, default False
        Whether to turn standard normal numbers into the half that left.

    Returns
    -------
    zhat : ndarray, shape of z
        ``(z - mu) * exp(-log_sigma)``, or ``mu + exp(log_sigma) * z`` for the inverse.
    logdet : ndarray, shape (n,)
        Minus the sum of `log_sigma` over all axes but the first, negated for the inverse.

    Raises
    ------
    ValueError
        If `z` has fewer than two axes, or a parameter does not broadcast to it.
    """
    z = np.asarray(z, dtype=float)
    if z.ndim < 2:
        raise ValueError(f"`z` must have at least two axes, got shape {z.shape}")
    spread = {}
    for name, value in (("mu", mu), ("log_sigma", log_sigma)):
        try:
            spread[name] = np.broadcast_to(np.asarray(value, dtype=float), z.shape)
        except ValueError:
            raise ValueError(
                f"`{name}` must broadcast to the shape {z.shape} of `z`, got {np.shape(value)}"
            ) from None
    mu, log_sigma = spread["mu"], spread["log_sigma"]
    logdet = -log_sigma.sum(axis=tuple(range(1, z.ndim)))
    if inverse:
        return mu + np.exp(log_sigma) * z, -logdet
    return (z - mu) * np.exp(-log_sigma), logdet


def multiscale_shapes(h, w, c, levels):
    """Shapes of what leaves a multi-scale flow at each level.

    Parameters
    ----------
    h, w, c : int
        Height, width and channels of the image; ``2**levels`` divides `h` and `w`.
    levels : int
        Number of levels; all but the last let half of the channels go.

    Returns
    -------
    list of (int, int, int)
        Their sizes add up to ``h * w * c``.

    Raises
    ------
    ValueError
        If a number is no positive integer, or `h` or `w` cannot be halved often enough.
    """
    h, w, c, levels = (
        _count(name, value) for name, value in {"h": h, "w": w, "c": c, "levels": levels}.items()
    )
    if h % 2**levels or w % 2**levels:
        raise ValueError(f"`h` and `w` must be divisible by {2**levels}, got {h} and {w}")
    shapes = []
    for level in range(levels):
        h, w, c = h // 2, w // 2, 4 * c
        if level < levels - 1:
            c //= 2  # one half leaves, the other goes on
        shapes.append((h, w, c))
    return shapes


def bits_per_dim(log_prob, dim, n_bins=256):
    """Code length for data that were scaled to [0, 1) from `n_bins` equal steps.

    Parameters
    ----------
    log_prob : array_like, shape (...)
        Log-density in nats, of data with the uniform noise of a step added.
    dim : int
        Number of coordinates.
    n_bins : int, default 256

    Returns
    -------
    ndarray, shape (...)
        ``-log_prob / (dim log 2) + log2(n_bins)``.

    Raises
    ------
    ValueError
        If `dim` or `n_bins` is no positive integer.
    """
    dim, n_bins = _count("dim", dim), _count("n_bins", n_bins)
    return -np.asarray(log_prob, dtype=float) / (dim * math.log(2)) + math.log2(n_bins)


def kl_from_mixture(log_q, weights, means, stds, n=121):
    """Kullback-Leibler divergence of a model from a Gaussian mixture in the plane.

    Parameters
    ----------
    log_q : callable
        Log-density of the model; maps points of shape (m, 2) to shape (m,).
    weights, means, stds
        Mixture as in `scispaces.generative.denoising_autoencoders`, with ``d == 2``.
    n : int, default 121
        Nodes of the trapezoid rule along each axis; the square reaches eight deviations further
        than the centres.

    Returns
    -------
    float
        ``E_p[log p - log_q]`` in nats.

    Raises
    ------
    ValueError
        If the mixture is not in the plane, or `n` is no positive integer.
    """
    means, stds = _planar(means), np.asarray(stds, dtype=float)
    edge = (np.abs(means) + 8 * stds[:, None]).max()
    axis = np.linspace(-edge, edge, _count("n", n))
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    log_p = gmm_logpdf(points, weights, means, stds)
    # Far from every blob the integrand is below the rounding of the sum: leave it out.
    there = log_p > log_p.max() - 40
    gap = np.zeros(len(points))
    gap[there] = np.exp(log_p[there]) * (log_p[there] - log_q(points[there]))
    return float(gap.sum() * (axis[1] - axis[0]) ** 2)


def coupling_floor(weights, means, stds, n=2001):
    """Smallest divergence that one affine coupling of a standard normal can reach.

    Parameters
    ----------
    weights, means, stds
        Mixture in the plane, as for `kl_from_mixture`; the coupling keeps the first coordinate.
    n : int, default 2001
        Nodes of the trapezoid rule along the first coordinate.

    Returns
    -------
    marginal : float
        ``KL(p(x1) || N(0, 1))`` in nats.
    conditional : float
        Mean over x1 of the entropy of the normal law with the variance of ``x2 | x1``, minus the
        entropy of ``x2 | x1``.

    Raises
    ------
    ValueError
        If the mixture is not in the plane, or `n` is no positive integer.
    """
    means, stds = _planar(means), np.asarray(stds, dtype=float)
    edge = (np.abs(means[:, 0]) + 10 * stds).max()
    x = np.linspace(-edge, edge, _count("n", n))
    log_p1 = gmm_logpdf(x[:, None], weights, means[:, :1], stds)
    p1 = np.exp(log_p1)
    log_parts = np.stack(
        [gmm_logpdf(x[:, None], [1.0], m[None, :1], [s]) for m, s in zip(means, stds, strict=True)],
        axis=1,
    )
    share = np.asarray(weights) * np.exp(log_parts - log_p1[:, None])
    variance = share @ (stds**2 + means[:, 1] ** 2) - (share @ means[:, 1]) ** 2
    matched = trapezoid(p1 * np.log(2 * np.pi * np.e * variance) / 2, x)
    # Chain rule: the entropy of x2 given x1 is that of the pair minus that of x1.
    negative_joint = kl_from_mixture(lambda z: np.zeros(len(z)), weights, means, stds)
    negative_first = trapezoid(p1 * log_p1, x)
    marginal = negative_first + trapezoid(p1 * (x**2 + math.log(2 * np.pi)) / 2, x)
    return float(marginal), float(matched + negative_joint - negative_first)


def init_flow(seed, n_couplings=6, hidden=32):
    """Parameters of a planar flow that starts as the identity.

    Parameters
    ----------
    seed : int
    n_couplings : int, default 6
        Coupling i moves coordinate 1 if i is even and coordinate 0 if i is odd.
    hidden : int, default 32
        Width of the two hidden layers that turn the other coordinate into log-scale and shift.

    Returns
    -------
    list
        For each coupling three pairs (matrix, bias); the last pair is zero.

    Raises
    ------
    ValueError
        If `n_couplings` or `hidden` is no positive integer.
    """
    rng = np.random.default_rng(seed)
    hidden, n_couplings = _count("hidden", hidden), _count("n_couplings", n_couplings)

    def dense(m, k):
        return rng.standard_normal((m, k)) / math.sqrt(m), np.zeros(k)

    last = np.zeros((hidden, 2)), np.zeros(2)
    return [[dense(1, hidden), dense(hidden, hidden), last] for _ in range(n_couplings)]


def flow_forward(params, x):
    """Send points of the plane to the latent plane.

    Parameters
    ----------
    params : list
        Couplings, as from `init_flow`; a slice of them is a shorter flow.
    x : array_like, shape (n, 2)

    Returns
    -------
    z : ndarray, shape (n, 2)
    logdet : ndarray, shape (n,)

    Raises
    ------
    ValueError
        If `x` does not have shape (n, 2).
    """
    return _forward(params, _planar(x, "x"), np)


def flow_inverse(params, z):
    """Send latent points back; one pass, like `flow_forward`.

    Parameters
    ----------
    params : list
    z : array_like, shape (n, 2)

    Returns
    -------
    ndarray, shape (n, 2)

    Raises
    ------
    ValueError
        If `z` does not have shape (n, 2).
    """
    x = _planar(z, "z")
    for i, coupling in reversed(list(enumerate(params))):
        keep, moved = _roles(x, i)
        log_s, t = _scale_and_shift(coupling, keep, np)
        x = _joined(keep, (moved - t) * np.exp(-log_s), i, np)
    return x


def flow_log_prob(params, x, temperature=1.0):
    """Log-density of ``flow_inverse(params, temperature * z)`` with standard normal z.

    Parameters
    ----------
    params : list
    x : array_like, shape (n, 2)
    temperature : float, default 1.0
        Standard deviation of the latent normal law, positive.

    Returns
    -------
    ndarray, shape (n,)
        In nats.

    Raises
    ------
    ValueError
        If `x` does not have shape (n, 2) or `temperature` is not positive.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"`temperature` must be positive and finite, got {temperature}")
    return _log_prob(params, _planar(x, "x"), np, temperature)


def training_path(x, n_couplings=6, hidden=32, steps=1500, batch=256, lr=5e-3, seed=0, every=50):
    """Train a planar flow by maximum likelihood and keep it on the way.

    Parameters
    ----------
    x : array_like, shape (n, 2)
        Training points.
    n_couplings, hidden, seed
        As for `init_flow`; `seed` also chooses the batches.
    steps, batch : int
        Number of steps of Adam, and points in each.
    lr : float, default 5e-3
        First learning rate; it falls to zero along half a cosine.
    every : int, default 50
        Steps between two flows that are kept; divides `steps`.

    Returns
    -------
    path : list
        Parameters at steps 0, `every`, ..., `steps`.
    history : ndarray, shape (steps,)
        Mean of ``-log q`` over each batch, in nats.

    Raises
    ------
    ValueError
        If `x` does not have shape (n, 2), `every` does not divide `steps`, or a number is not
        positive.
    """
    import jax
    import jax.numpy as jnp
    from jax.example_libraries.optimizers import adam

    x = _planar(x, "x")
    steps, batch, every = _count("steps", steps), _count("batch", batch), _count("every", every)
    if steps % every:
        raise ValueError(f"`every` must divide `steps` = {steps}, got {every}")
    if not 0 < lr < np.inf:
        raise ValueError(f"`lr` must be positive and finite, got {lr}")
    tree = jax.tree_util.tree_map
    start = init_flow(seed, n_couplings, hidden)
    prepare, update, current = adam(lambda t: lr / 2 * (1 + jnp.cos(jnp.pi * t / steps)))
    slope = jax.value_and_grad(lambda params, b: -jnp.mean(_log_prob(params, b, jnp)))

    def one_step(state, inputs):
        t, points = inputs
        loss, gradient = slope(current(state), points)
        return update(t, gradient, state), loss

    def one_chunk(state, inputs):
        state, losses = jax.lax.scan(one_step, state, inputs)
        return state, (current(state), losses)

    picks = np.random.default_rng([seed, 1]).integers(0, len(x), (steps // every, every, batch))
    inputs = jnp.arange(steps).reshape(-1, every), jnp.asarray(x[picks], jnp.float32)
    state = prepare(tree(lambda p: jnp.asarray(p, jnp.float32), start))
    kept, losses = jax.jit(lambda s, i: jax.lax.scan(one_chunk, s, i)[1])(state, inputs)
    kept = tree(lambda p: np.asarray(p, dtype=float), kept)
    path = [tree(lambda p, k=k: p[k], kept) for k in range(steps // every)]
    return [start, *path], np.asarray(losses, dtype=float).ravel()


def fit_flow(x, n_couplings=6, hidden=32, steps=1500, batch=256, lr=5e-3, seed=0):
    """Train a planar flow by maximum likelihood.

    Parameters
    ----------
    x, n_couplings, hidden, steps, batch, lr, seed
        As for `training_path`.

    Returns
    -------
    params : list
        Parameters after the last step.
    history : ndarray, shape (steps,)
        Mean of ``-log q`` over each batch, in nats.

    Raises
    ------
    ValueError
        As for `training_path`.
    """
    path, history = training_path(x, n_couplings, hidden, steps, batch, lr, seed, every=steps)
    return path[-1], history


def _roles(x, i):
    """The coordinate that coupling i keeps and the one that it moves, each of shape (n, 1)."""
    return (x[:, :1], x[:, 1:]) if i % 2 == 0 else (x[:, 1:], x[:, :1])


def _joined(keep, moved, i, xp):
    return xp.concatenate([keep, moved] if i % 2 == 0 else [moved, keep], axis=1)


def _scale_and_shift(coupling, keep, xp):
    (W1, b1), (W2, b2), (W3, b3) = coupling
    raw = xp.tanh(xp.tanh(keep @ W1 + b1) @ W2 + b2) @ W3 + b3
    # The tanh keeps the scale between exp(-2) and exp(2): a raw exponential overflows early.
    return 2 * xp.tanh(raw[:, :1] / 2), raw[:, 1:]


def _forward(params, x, xp):
    logdet = xp.zeros(len(x))
    for i, coupling in enumerate(params):
        keep, moved = _roles(x, i)
        log_s, t = _scale_and_shift(coupling, keep, xp)
        x = _joined(keep, xp.exp(log_s) * moved + t, i, xp)
        logdet = logdet + log_s[:, 0]
    return x, logdet


def _log_prob(params, x, xp, temperature=1.0):
    z, logdet = _forward(params, x, xp)
    square = xp.sum(z * z, axis=1) / temperature**2
    return logdet - square / 2 - math.log(2 * math.pi * temperature**2)


def _halves(name, x, d):
    x = np.asarray(x, dtype=float)
    if x.ndim != 2:
        raise ValueError(f"`{name}` must have shape (n, D), got {x.shape}")
    if not isinstance(d, numbers.Integral) or not 0 < d < x.shape[1]:
        raise ValueError(f"`d` must be an integer with 0 < d < D = {x.shape[1]}, got {d!r}")
    return x[:, :d], x[:, d:]


def _broadcast(network, kept, moved):
    return np.broadcast_to(np.asarray(network(kept), dtype=float), moved.shape)


def _images(name, x):
    x = np.asarray(x)
    if x.ndim != 4:
        raise ValueError(f"`{name}` must have shape (n, H, W, C), got {x.shape}")
    return x


def _channels(x):
    x = np.asarray(x, dtype=float)
    if x.ndim < 2 or not x.size:
        raise ValueError(f"`x` must have shape (n, ..., C) with entries, got {x.shape}")
    return x


def _square(W, name="W"):
    W = np.asarray(W, dtype=float)
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise ValueError(f"`{name}` must be a square matrix, got shape {W.shape}")
    return W


def _planar(x, name="means"):
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"`{name}` must have shape (n, 2), points of the plane, got {x.shape}")
    return x


def _count(name, value):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer, got {value!r}")
    return int(value)
