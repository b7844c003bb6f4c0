"""The parts of T5: text in, text out; and one small enough to train in seconds."""

import numpy as np

from scispaces.architectures._adam import minimized
from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "attention",
    "corrupted_lengths",
    "feed_forward",
    "gated_feed_forward",
    "gelu",
    "greedy_decode",
    "init_tiny_t5",
    "parameter_count",
    "random_spans",
    "relative_position_bucket",
    "rms_norm",
    "span_corrupt",
    "span_restore",
    "tiny_t5_logits",
    "toy_batch",
    "train_tiny_t5",
]

TASKS = 3
FIRST_DIGIT = 5


def span_corrupt(tokens, spans, sentinels):
    """Replace spans by sentinels, and list what stood there.

    Parameters
    ----------
    tokens : sequence
        Text, as tokens.
    spans : sequence of (int, int)
        ``(start, stop)`` of each span, in order, not empty, not overlapping.
    sentinels : sequence
        At least one for each span; none of them is a token.

    Returns
    -------
    inputs : list
        The tokens with one sentinel in the place of each span.
    targets : list
        Each sentinel, followed by the tokens of its span.

    Raises
    ------
    ValueError
        If the spans are not so, there are too few sentinels, or a sentinel is a token.

    References
    ----------
    .. [1] C. Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
       Transformer", JMLR 21 (2020), arXiv:1910.10683.
    """
    tokens, spans, sentinels = list(tokens), list(spans), list(sentinels)
    if len(spans) > len(sentinels):
        raise ValueError(
            f"`sentinels` must hold one for each span, got {len(sentinels)} for {len(spans)} spans"
        )
    if shared := set(sentinels) & set(tokens):
        raise ValueError(f"`sentinels` must not occur in `tokens`, got {shared.pop()!r}")
    inputs, targets, done = [], [], 0
    for (start, stop), sentinel in zip(spans, sentinels, strict=False):
        if not done <= start < stop <= len(tokens):
            raise ValueError(
                "`spans` must be in order, not empty, not overlapping and inside the "
                f"{len(tokens)} tokens, got {(start, stop)}"
            )
        inputs += [*tokens[done:start], sentinel]
        targets += [sentinel, *tokens[start:stop]]
        done = stop
    return inputs + tokens[done:], targets


def span_restore(inputs, targets, sentinels):
    """Put the spans back: the inverse of `span_corrupt`.

    Parameters
    ----------
    inputs, targets : sequence
        As returned by `span_corrupt`.
    sentinels : sequence
        The sentinels that may occur.

    Returns
    -------
    list
        The tokens.

    Raises
    ------
    ValueError
        If `targets` does not start with a sentinel or names one twice, or the sentinels of the two
        differ.
    """
    sentinels, spans, current = set(sentinels), {}, None
    for token in targets:
        if token in sentinels:
            if token in spans:
                raise ValueError(f"`targets` must name each sentinel once, got {token!r} twice")
            current = spans[token] = []
        elif current is None:
            raise ValueError(f"`targets` must start with a sentinel, got {token!r}")
        else:
            current.append(token)
    found = [token for token in inputs if token in sentinels]
    if len(found) != len(set(found)) or set(found) != set(spans):
        raise ValueError(
            f"`inputs` must hold the sentinels of `targets`, {list(spans)}, each once, got {found}"
        )
    return [t for token in inputs for t in spans.get(token, [token])]


def corrupted_lengths(length, noise_density=0.15, mean_span_length=3.0):
    """Lengths of inputs and targets that a text of a given length becomes.

    Parameters
    ----------
    length : int
        Number of tokens, at least 2.
    noise_density : float, default 0.15
        Share of the tokens that are masked, between 0 and 1.
    mean_span_length : float, default 3.0
        At least 1.

    Returns
    -------
    inputs_length, targets_length : int
        Each with one sentinel for each span and one end-of-text token.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    noise, spans = _noise(length, noise_density, mean_span_length)
    return length - noise + spans + 1, noise + spans + 1


def _noise(length, noise_density, mean_span_length):
    if not isinstance(length, (int, np.integer)) or isinstance(length, bool) or length < 2:
        raise ValueError(f"`length` must be an integer of at least 2, got {length}")
    if not 0 < noise_density < 1:
        raise ValueError(f"`noise_density` must be between 0 and 1, got {noise_density}")
    if not 1 <= mean_span_length < np.inf:
        raise ValueError(
            f"`mean_span_length` must be finite and at least 1, got {mean_span_length}"
        )
    noise = min(max(round(length * noise_density), 1), length - 1)
    # There is a piece of plain text before each span.
    return noise, min(max(round(noise / mean_span_length), 1), length - noise, noise)


def random_spans(length, rng, noise_density=0.15, mean_span_length=3.0):
    """Draw the spans to mask: plain text and noise take turns, plain text first.

    Parameters
    ----------
    length : int
        Number of tokens, at least 2.
    rng : numpy.random.Generator
    noise_density : float, default 0.15
        Share of the tokens that are masked, between 0 and 1.
    mean_span_length : float, default 3.0
        At least 1.

    Returns
    -------
    list of (int, int)
        They never touch, and the last one ends the text.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    noise, spans = _noise(length, noise_density, mean_span_length)

    def pieces(total):
        cuts = np.sort(rng.choice(np.arange(1, total), size=spans - 1, replace=False))
        return np.diff(np.concatenate([[0], cuts, [total]]).astype(int))

    edges = np.cumsum(np.stack([pieces(length - noise), pieces(noise)], axis=1).ravel())
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def relative_position_bucket(
    relative_position, bidirectional=True, num_buckets=32, max_distance=128
):
    """Number of the bucket that holds a distance: exact when near, logarithmic when far.

    Parameters
    ----------
    relative_position : array_like of int, shape (...)
        Position of the key minus position of the query.
    bidirectional : bool, default True
        Half of the buckets for keys behind the query; otherwise those all go to bucket 0.
    num_buckets : int, default 32
        At least 4, and even if bidirectional.
    max_distance : int, default 128
        From here on there is one bucket; more than the distances that are exact.

    Returns
    -------
    ndarray of int, shape (...)

    Raises
    ------
    ValueError
        If positions are no integers, or the sizes do not fit.
    """
    offset = np.asarray(relative_position)
    if not np.issubdtype(offset.dtype, np.integer):
        raise ValueError(f"`relative_position` must hold integers, got {offset.dtype}")
    if num_buckets < 4 or (bidirectional and num_buckets % 2):
        raise ValueError(
            f"`num_buckets` must be at least 4, even if bidirectional, got {num_buckets}"
        )
    size = num_buckets // 2 if bidirectional else num_buckets
    exact = size // 2
    if max_distance <= exact:
        raise ValueError(
            f"`max_distance` must be more than the {exact} distances that are exact, "
            f"got {max_distance}"
        )
    base = np.where(offset > 0, size, 0) if bidirectional else 0
    distance = np.abs(offset) if bidirectional else np.maximum(-offset, 0)
    growth = np.log(np.maximum(distance, exact) / exact) / np.log(max_distance / exact)
    far = exact + (growth * (size - exact)).astype(int)
    return base + np.where(distance < exact, distance, np.minimum(far, size - 1))


def rms_norm(x, scale=1.0, eps=1e-6):
    """Divide by the root of the mean square; nothing is subtracted, nothing added.

    Parameters
    ----------
    x : array_like, shape (..., d)
    scale : float or array_like, shape (d,), default 1.0
    eps : float, default 1e-6
        Added to the mean square.

    Returns
    -------
    ndarray, shape (..., d)
    """
    return _rms_norm(np.asarray(x, dtype=float), scale, eps)


def _rms_norm(x, scale, eps=1e-6):
    return x / ((x * x).mean(-1, keepdims=True) + eps) ** 0.5 * scale


def gelu(x):
    """Smooth relative of ``max(x, 0)``, in the form with the hyperbolic tangent.

    Parameters
    ----------
    x : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)
    """
    return _gelu(np.asarray(x, dtype=float), np)


def _gelu(x, xp):
    return 0.5 * x * (1 + xp.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))


def feed_forward(x, w_in, w_out):
    """The layer of T5 1.0: ``relu(x w_in) w_out``.

    Parameters
    ----------
    x : array_like, shape (..., d)
    w_in : array_like, shape (d, h)
    w_out : array_like, shape (h, d)

    Returns
    -------
    ndarray, shape (..., d)
    """
    return np.maximum(np.asarray(x, dtype=float) @ w_in, 0) @ w_out


def gated_feed_forward(x, w_gate, w_lin, w_out):
    """The layer of T5 1.1, GEGLU: ``(gelu(x w_gate) * (x w_lin)) w_out``.

    Parameters
    ----------
    x : array_like, shape (..., d)
    w_gate, w_lin : array_like, shape (d, h)
    w_out : array_like, shape (h, d)

    Returns
    -------
    ndarray, shape (..., d)

    References
    ----------
    .. [1] N. Shazeer, "GLU Variants Improve Transformer", arXiv:2002.05202.
    """
    return _gated(np.asarray(x, dtype=float), w_gate, w_lin, w_out, np)


def _gated(x, w_gate, w_lin, w_out, xp):
    return (_gelu(x @ w_gate, xp) * (x @ w_lin)) @ w_out


def attention(q, k, v, bias=0.0):
    """Attention without the factor ``1 / sqrt(d)``, with a bias on the logits.

    Parameters
    ----------
    q : array_like, shape (..., n, d)
    k : array_like, shape (..., m, d)
    v : array_like, shape (..., m, e)
    bias : float or array_like, shape (..., n, m), default 0.0
        Finite.

    Returns
    -------
    ndarray, shape (..., n, e)

    Raises
    ------
    ValueError
        If the logits are not finite.
    """
    q, k, v = (np.asarray(x, dtype=float) for x in (q, k, v))
    return softmax(q @ k.swapaxes(-1, -2) + bias) @ v


def parameter_count(
    vocab_size, d_model, d_kv, n_heads, d_ff, n_layers, gated=True, tied=False, num_buckets=32
):
    """Where the parameters of a T5 sit.

    Parameters
    ----------
    vocab_size, d_model, d_kv, n_heads, d_ff, n_layers : int
        Rows of the embedding, width, width of a head, heads, width of the feed-forward layer, and
        layers of the encoder and of the decoder each; at least 1.
    gated : bool, default True
        Three matrices in the feed-forward layer instead of two.
    tied : bool, default False
        Use the embedding for the output too.
    num_buckets : int, default 32

    Returns
    -------
    dict of str to int
        ``embedding``, ``encoder``, ``decoder``, ``relative_bias`` and ``total``.

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    sizes = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "d_kv": d_kv,
        "n_heads": n_heads,
        "d_ff": d_ff,
        "n_layers": n_layers,
        "num_buckets": num_buckets,
    }
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"`{name}` must be at least 1, got {size}")
    attend = 4 * d_model * d_kv * n_heads
    feed = (3 if gated else 2) * d_model * d_ff
    # A norm stands before each sublayer, and one at the end of each stack.
    parts = {
        "embedding": (1 if tied else 2) * vocab_size * d_model,
        "encoder": n_layers * (attend + feed + 2 * d_model) + d_model,
        "decoder": n_layers * (2 * attend + feed + 3 * d_model) + d_model,
        "relative_bias": 2 * num_buckets * n_heads,
    }
    return parts | {"total": sum(parts.values())}


def toy_batch(rng, batch_size, length=6):
    """Questions of one of three tasks on digits, as tokens, with their answers.

    Tokens: 0 starts an answer, 1 ends a text, 2, 3 and 4 ask to copy, to reverse and to sort, and
    5 to 14 are the digits.

    Parameters
    ----------
    rng : numpy.random.Generator
    batch_size, length : int

    Returns
    -------
    x : ndarray of int, shape (batch_size, length + 2)
        Task, digits, end.
    y_in : ndarray of int, shape (batch_size, length + 1)
        Start, answer.
    y_out : ndarray of int, shape (batch_size, length + 1)
        Answer, end.
    task : ndarray of int, shape (batch_size,)
        0 to copy, 1 to reverse, 2 to sort.
    """
    digits = rng.integers(10, size=(batch_size, length)) + FIRST_DIGIT
    task = rng.integers(TASKS, size=batch_size)
    answer = np.select(
        [task[:, None] == 0, task[:, None] == 1],
        [digits, digits[:, ::-1]],
        np.sort(digits, axis=1),
    )
    column = np.ones((batch_size, 1), dtype=int)
    x = np.hstack([task[:, None] + 2, digits, column])
    return x, np.hstack([0 * column, answer]), np.hstack([answer, column]), task


def init_tiny_t5(seed, vocab=15, d_model=48, d_ff=96, n_heads=4, n_layers=1):
    """Random parameters of a T5 1.1 of a few layers.

    Parameters
    ----------
    seed : int
    vocab, d_model, d_ff, n_heads, n_layers : int
        Sizes; a head is ``d_model / n_heads`` wide.

    Returns
    -------
    dict
        ``"embedding"``, ``"output"``, and for ``"encoder"`` and ``"decoder"`` their layers, the
        last norm and the table of the position bias, of shape (32, n_heads).

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`.
    """
    if d_model % n_heads:
        raise ValueError(f"`n_heads` must divide `d_model`, got {n_heads} and {d_model}")
    rng = np.random.default_rng(seed)

    def matrix(rows, columns, std):
        return std * rng.normal(size=(rows, columns))

    def attend():
        # The factor that attention lacks is in the first values of q.
        std = d_model**-0.5
        return {
            "norm": np.ones(d_model),
            "q": matrix(d_model, d_model, std * (d_model / n_heads) ** -0.5),
            "k": matrix(d_model, d_model, std),
            "v": matrix(d_model, d_model, std),
            "o": matrix(d_model, d_model, std),
        }

    def feed():
        return {
            "norm": np.ones(d_model),
            "gate": matrix(d_model, d_ff, d_model**-0.5),
            "lin": matrix(d_model, d_ff, d_model**-0.5),
            "out": matrix(d_ff, d_model, d_ff**-0.5),
        }

    def stack(kinds):
        return {
            "layers": [
                {kind: feed() if kind == "feed" else attend() for kind in kinds}
                for _ in range(n_layers)
            ],
            "norm": np.ones(d_model),
            "bias": matrix(32, n_heads, 0.1),
        }

    return {
        "embedding": matrix(vocab, d_model, 1.0),
        "output": matrix(d_model, vocab, d_model**-0.5),
        "encoder": stack(("self", "feed")),
        "decoder": stack(("self", "cross", "feed")),
    }


def tiny_t5_logits(params, enc_ids, dec_ids, n_heads=4, use_position=True):
    """Scores of the next token after each token of the answer.  Needs JAX.

    Parameters
    ----------
    params : dict
        As made by `init_tiny_t5`.
    enc_ids : array_like of int, shape (batch, n)
        Questions.
    dec_ids : array_like of int, shape (batch, m)
        Beginnings of answers.
    n_heads : int, default 4
    use_position : bool, default True
        Add the position bias in self-attention.

    Returns
    -------
    array, shape (batch, m, vocab)
    """
    import jax
    import jax.numpy as jnp

    def attend(p, x, memory, bias):
        def heads(y, w):
            return (y @ w).reshape(*y.shape[:2], n_heads, -1).swapaxes(1, 2)

        normed = _rms_norm(x, p["norm"])
        memory = normed if memory is None else memory
        q, k, v = heads(normed, p["q"]), heads(memory, p["k"]), heads(memory, p["v"])
        weights = jax.nn.softmax(q @ k.swapaxes(-1, -2) + bias)
        return x + (weights @ v).swapaxes(1, 2).reshape(x.shape) @ p["o"]

    def feed(p, x):
        return x + _gated(_rms_norm(x, p["norm"]), p["gate"], p["lin"], p["out"], jnp)

    def position(stack, n, bidirectional):
        if not use_position:
            return 0.0
        offsets = np.arange(n) - np.arange(n)[:, None]
        return stack["bias"][relative_position_bucket(offsets, bidirectional)].transpose(2, 0, 1)

    params = jax.tree_util.tree_map(jnp.asarray, params)
    encoder, decoder = params["encoder"], params["decoder"]
    memory = params["embedding"][jnp.asarray(enc_ids)]
    bias = position(encoder, memory.shape[1], bidirectional=True)
    for layer in encoder["layers"]:
        memory = feed(layer["feed"], attend(layer["self"], memory, None, bias))
    memory = _rms_norm(memory, encoder["norm"])
    x = params["embedding"][jnp.asarray(dec_ids)]
    m = x.shape[1]
    bias = position(decoder, m, bidirectional=False) + jnp.where(np.tri(m, dtype=bool), 0, -1e9)
    for layer in decoder["layers"]:
        x = attend(layer["self"], x, None, bias)
        x = feed(layer["feed"], attend(layer["cross"], x, memory, 0.0))
    return _rms_norm(x, decoder["norm"]) @ params["output"]


def train_tiny_t5(steps=500, seed=0, lr=4e-3, batch_size=64, use_position=True):
    """Train a tiny T5 on the tasks of `toy_batch`.  Needs JAX.

    Parameters
    ----------
    steps : int, default 500
    seed : int, default 0
        Of the parameters and of the questions.
    lr : float, default 4e-3
        Highest learning rate of Adam, reached after 50 steps; it falls to zero over the last 40 %.
    batch_size : int, default 64
    use_position : bool, default True
        As for `tiny_t5_logits`.

    Returns
    -------
    params : dict
    losses : ndarray, shape (steps,)
        Mean cross entropy per token, in nats.
    """
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(seed)
    questions = [
        part.reshape(steps, batch_size, -1) for part in toy_batch(rng, steps * batch_size)[:3]
    ]
    step = np.arange(1, steps + 1)
    rates = lr * np.minimum(1, step / 50) * np.minimum(1, (steps + 1 - step) / (0.4 * steps))

    def loss(params, batch):
        x, y_in, y_out = batch
        log_p = jax.nn.log_softmax(tiny_t5_logits(params, x, y_in, use_position=use_position))
        return -jnp.take_along_axis(log_p, y_out[..., None], axis=-1).mean()

    return minimized(loss, init_tiny_t5(seed), questions, rates, betas=(0.9, 0.98))


def greedy_decode(params, enc_ids, length, n_heads=4, use_position=True):
    """Answers, one token after the other, each the likeliest.  Needs JAX.

    Parameters
    ----------
    params : dict
        As returned by `train_tiny_t5`.
    enc_ids : array_like of int, shape (batch, n)
        Questions.
    length : int
        Number of tokens of an answer.
    n_heads : int, default 4
    use_position : bool, default True
        As for `tiny_t5_logits`.

    Returns
    -------
    ndarray of int, shape (batch, length)
    """
    import jax

    enc_ids = np.asarray(enc_ids)
    logits = jax.jit(lambda *ids: tiny_t5_logits(*ids, n_heads, use_position))
    # The decoder looks at nothing that follows, so the answer can have its full length at once.
    answer = np.zeros((len(enc_ids), length + 1), dtype=int)
    for place in range(length):
        scores = np.asarray(logits(params, enc_ids, answer[:, :-1]))
        answer[:, place + 1] = np.argmax(scores[:, place], axis=-1)
    return answer[:, 1:]
