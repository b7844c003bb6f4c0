"""Attention by a matrix, by a prefix sum and by a recurrence: what a bracket saves and costs."""

import math

import numpy as np

from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "attention_matrix",
    "efficient_attention",
    "feature_map",
    "flops",
    "linear_attention",
    "linear_attention_step",
    "memory",
    "softmax_attention",
]


def softmax_attention(q, k, v, causal=False, scale=None):
    """Means of the values, weighted by the softmax of the inner products.

    Parameters
    ----------
    q : array_like, shape (n, d)
        Queries, finite.
    k : array_like, shape (m, d)
        Keys, finite.
    v : array_like, shape (m, e)
        Values, finite; the identity matrix gives the weights themselves.
    causal : bool, default False
        Let row i see only the keys up to i; then n must be m.
    scale : float, optional
        Factor of the inner products; ``1 / sqrt(d)`` if not given.

    Returns
    -------
    ndarray, shape (n, e)

    Raises
    ------
    ValueError
        If shapes do not fit, or an entry or `scale` is not finite.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NIPS 2017, arXiv:1706.03762.
    """
    q, k, v = _inputs(q, k, v, causal)
    scale = 1 / math.sqrt(q.shape[1]) if scale is None else scale
    if not math.isfinite(scale):
        raise ValueError(f"`scale` must be finite, got {scale}")
    logits = scale * (q @ k.T)
    if causal:
        # Finite, because softmax refuses infinities; its exponential is zero all the same.
        logits = np.where(np.tri(len(q), dtype=bool), logits, -1e300)
    return softmax(logits) @ v


def feature_map(x, kind="elu1"):
    """Features whose inner products take the place of exponentials.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Queries or keys, finite.
    kind : {"elu1", "relu", "exp", "taylor", "taylor2"}
        ``x + 1`` continued by ``exp(x)``; the positive part; ``exp(x)``; 1 and the unit vector
        of `x` (zero for zero); 1, `x`, and the products of two entries divided by sqrt(2).

    Returns
    -------
    ndarray, shape (..., D)
        D is d for the first three kinds, then 1 + d and 1 + d + d**2.

    Raises
    ------
    ValueError
        If `kind` is unknown, or `x` is a scalar, empty or not finite.

    References
    ----------
    .. [1] A. Katharopoulos et al., "Transformers are RNNs", ICML 2020, arXiv:2006.16236.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"`x` must have at least one entry along an axis, got shape {x.shape}")
    _check_finite("x", x)
    one = np.ones((*x.shape[:-1], 1))
    if kind == "elu1":
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))
    if kind == "relu":
        return np.maximum(x, 0)
    if kind == "exp":
        with np.errstate(over="ignore"):  # infinities are refused where the features are used
            return np.exp(x)
    if kind == "taylor":
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        return np.concatenate([one, x / np.where(length > 0, length, 1)], axis=-1)
    if kind == "taylor2":
        square = x[..., :, None] * x[..., None, :] / math.sqrt(2)
        return np.concatenate([one, x, square.reshape(*x.shape[:-1], -1)], axis=-1)
    raise ValueError(f'`kind` must be "elu1", "relu", "exp", "taylor" or "taylor2", got {kind!r}')


def linear_attention(q, k, v, kind="elu1", causal=False, chunk=64):
    """Attention with ``sim(q, k) = phi(q) . phi(k)``, without the matrix of all pairs.

    Parameters
    ----------
    q : array_like, shape (n, d)
        Queries, finite.
    k : array_like, shape (m, d)
        Keys, finite.
    v : array_like, shape (m, e)
        Values, finite.
    kind : str or callable, default "elu1"
        A kind of `feature_map`, or a function from rows to rows of features.
    causal : bool, default False
        Let row i see only the keys up to i; then n must be m.
    chunk : int, default 64
        Causal only: pairs are formed inside chunks of this many rows, a state links the chunks.

    Returns
    -------
    ndarray, shape (n, e)

    Raises
    ------
    ValueError
        If shapes do not fit, an entry or a feature is not finite, `kind` is unknown, `chunk` is
        below 1, or the weights of a row do not have a positive sum.
    """
    q, k, v = _inputs(q, k, v, causal)
    if not isinstance(chunk, (int, np.integer)) or isinstance(chunk, bool) or chunk < 1:
        raise ValueError(f"`chunk` must be an integer of at least 1, got {chunk}")
    fq, fk = _features(q, kind), _features(k, kind)
    # A column of ones beside the values becomes the denominator.
    v = np.concatenate([v, np.ones((len(v), 1))], axis=1)
    if causal:
        read = _read_in_chunks(fq, fk, v, chunk)
        reach = np.sum(np.abs(fq) * np.cumsum(np.abs(fk), axis=0), axis=1)
    else:
        read = fq @ (fk.T @ v)
        reach = np.abs(fq) @ np.abs(fk).sum(axis=0)
    return _normalised(read[:, :-1], read[:, -1], reach)


def _read_in_chunks(fq, fk, v, chunk):
    state, read = 0.0, np.empty_like(v)
    for start in range(0, len(v), chunk):
        part = slice(start, start + chunk)
        read[part] = np.tril(fq[part] @ fk[part].T) @ v[part]
        if start:
            read[part] += fq[part] @ state
        state = state + fk[part].T @ v[part]
    return read


def linear_attention_step(state, q, k, v, kind="elu1"):
    """One step of causal linear attention, as a recurrent network takes it.

    Parameters
    ----------
    state : tuple of ndarray of shapes (D, e) and (D,), or None
        ``(S, z)``, as returned by the step before; None at the start.
    q, k : array_like, shape (d,)
        Query and key of this step, finite.
    v : array_like, shape (e,)
        Value of this step, finite.
    kind : str or callable, default "elu1"
        As for `linear_attention`.

    Returns
    -------
    state : tuple of ndarray, shapes (D, e) and (D,)
        The sums with this step's ``phi(k) v`` and ``phi(k)``; the given state is not changed.
    out : ndarray, shape (e,)

    Raises
    ------
    ValueError
        As for `linear_attention`.
    """
    given = [np.asarray(x, dtype=float) for x in (q, k, v)]
    for name, x in zip("qkv", given, strict=True):
        if x.ndim != 1:
            raise ValueError(f"`{name}` must have one axis, got shape {x.shape}")
    q, k, v = _inputs(*(x[None] for x in given), causal=True)
    fq, fk = _features(q, kind), _features(k, kind)
    S, z = fk.T @ v, fk[0]
    if state is not None:
        S, z = state[0] + S, state[1] + z
    return (S, z), _normalised(fq @ S, fq @ z, np.abs(fq) @ np.abs(z))[0]


def attention_matrix(q, k, kind="elu1", causal=False):
    """All weights of `linear_attention`, formed one pair at a time.

    Parameters
    ----------
    q : array_like, shape (n, d)
        Queries, finite.
    k : array_like, shape (m, d)
        Keys, finite.
    kind : str or callable, default "elu1"
        As for `linear_attention`.
    causal : bool, default False

    Returns
    -------
    ndarray, shape (n, m)
        Rows sum to one.

    Raises
    ------
    ValueError
        As for `linear_attention`.
    """
    q, k, _ = _inputs(q, k, np.zeros((len(np.atleast_1d(k)), 1)), causal)
    fq, fk = _features(q, kind), _features(k, kind)
    sim, reach = fq @ fk.T, np.abs(fq) @ np.abs(fk).T
    if causal:
        sim, reach = np.tril(sim), np.tril(reach)
    return _normalised(sim, sim.sum(axis=1), reach.sum(axis=1))


def efficient_attention(q, k, v):
    """Attention with one softmax over the channels of `q` and one over the positions of `k`.

    Parameters
    ----------
    q : array_like, shape (n, d)
        Queries, finite.
    k : array_like, shape (m, d)
        Keys, finite.
    v : array_like, shape (m, e)
        Values, finite.

    Returns
    -------
    ndarray, shape (n, e)

    Raises
    ------
    ValueError
        If shapes do not fit, or an entry is not finite.

    References
    ----------
    .. [1] Z. Shen et al., "Efficient Attention: Attention with Linear Complexities", WACV 2021,
       arXiv:1812.01243.
    """
    q, k, v = _inputs(q, k, v, causal=False)
    return softmax(q, axis=1) @ (softmax(k, axis=0).T @ v)


def flops(n, d, kind):
    """Multiplications and additions of the two products of an attention head.

    Parameters
    ----------
    n : int
        Number of tokens, at least 1.
    d : int
        Width of queries, keys and values, at least 1; also the number of features.
    kind : {"softmax", "linear"}

    Returns
    -------
    int
        ``4 n**2 d`` or ``4 n d**2``.

    Raises
    ------
    ValueError
        If `kind` is unknown, or a size is not an integer of at least 1.
    """
    n, d = _size("n", n), _size("d", d)
    counts = {"softmax": 4 * n * n * d, "linear": 4 * n * d * d}
    if kind not in counts:
        raise ValueError(f"`kind` must be one of {sorted(counts)}, got {kind!r}")
    return counts[kind]


def memory(n, d, kind):
    """Numbers that an attention head holds between its two products.

    Parameters
    ----------
    n : int
        Number of tokens, at least 1.
    d : int
        Width of queries, keys and values, at least 1; also the number of features.
    kind : {"softmax", "linear", "cumsum"}
        The matrix of all pairs; one state, as in the recurrence; the states of all positions, as
        a cumulative sum makes them.

    Returns
    -------
    int
        ``n**2``, ``d**2`` or ``n d**2``.

    Raises
    ------
    ValueError
        If `kind` is unknown, or a size is not an integer of at least 1.
    """
    n, d = _size("n", n), _size("d", d)
    counts = {"softmax": n * n, "linear": d * d, "cumsum": n * d * d}
    if kind not in counts:
        raise ValueError(f"`kind` must be one of {sorted(counts)}, got {kind!r}")
    return counts[kind]


def _size(name, value):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1, got {value!r}")
    return int(value)


def _check_finite(name, x):
    if not np.all(np.isfinite(x)):
        raise ValueError(f"`{name}` must be finite, got {x[~np.isfinite(x)].flat[0]}")


def _inputs(q, k, v, causal):
    q, k, v = (np.asarray(x, dtype=float) for x in (q, k, v))
    for name, x in (("q", q), ("k", k), ("v", v)):
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"`{name}` must have two axes and an entry, got shape {x.shape}")
        _check_finite(name, x)
    if q.shape[1] != k.shape[1]:
        raise ValueError(f"`k` must be as wide as `q`, got {k.shape[1]} and {q.shape[1]}")
    if len(k) != len(v):
        raise ValueError(f"`v` must be as long as `k`, got {len(v)} and {len(k)}")
    if causal and len(q) != len(k):
        raise ValueError(f"`q` must be as long as `k` when causal, got {len(q)} and {len(k)}")
    return q, k, v


def _features(x, kind):
    features = kind(x) if callable(kind) else feature_map(x, kind)
    _check_finite("kind", features)
    return features


def _normalised(rows, sums, reach):
    # Rounding turns an exact zero into some 1e-16 of what cancelled, which is `reach`.
    bad = ~(sums > 1e-14 * reach)
    if np.any(bad):
        row = int(np.argmax(bad))
        raise ValueError(
            f"the weights of a row must have a positive sum, got {sums[row]:.3g} in row {row}; "
            "use positive features"
        )
    return rows / sums[:, None]
