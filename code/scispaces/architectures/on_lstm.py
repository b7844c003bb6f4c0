"""ON-LSTM: an LSTM whose hidden units are ordered from low levels to high ones."""

import numpy as np
from scipy.special import expit

from scispaces.architectures._adam import minimized
from scispaces.probability.softmax_alternatives import softmax

__all__ = [
    "constituents",
    "cumax",
    "expand_levels",
    "hard_segment_update",
    "level",
    "master_gates",
    "on_lstm",
    "on_lstm_cell",
    "parse_tree",
    "reachable_trees",
    "segment_update",
    "split_tree",
    "toy_language",
    "toy_lines",
    "train_letter_model",
]

CONVENTIONS = ("symmetric", "paper")


def cumax(x, reverse=False):
    """Cumulative sum of the softmax along the last axis: a step with a soft edge.

    Parameters
    ----------
    x : array_like, shape (..., p)
        Logits, finite.
    reverse : bool, default False
        Sum from the right: the first entry is 1, and the values fall.

    Returns
    -------
    ndarray, shape (..., p)

    Raises
    ------
    ValueError
        If `x` is a scalar, empty or not finite.
    """
    return _cumax(softmax(x), reverse)


def _cumax(p, reverse):
    return p[..., ::-1].cumsum(-1)[..., ::-1] if reverse else p.cumsum(-1)


def master_gates(zf, zi, convention="symmetric"):
    """Which levels keep the history, and which take the input.

    Parameters
    ----------
    zf, zi : array_like, shape (..., p)
        Logits of the level of the history and of the level of the input.
    convention : {"symmetric", "paper"}
        The input gate is ``cumax(zi, reverse=True)``, or ``1 - cumax(zi)``, which is the same
        moved by one level.

    Returns
    -------
    f_master : ndarray, shape (..., p)
        Rises to 1.
    i_master : ndarray, shape (..., p)
        Falls from 1, or to 0.

    Raises
    ------
    ValueError
        If shapes differ, an entry is not finite, or `convention` is unknown.
    """
    zf, zi = np.asarray(zf, dtype=float), np.asarray(zi, dtype=float)
    if zf.shape != zi.shape:
        raise ValueError(f"`zi` must have the shape of `zf`, {zf.shape}, got {zi.shape}")
    _check_convention(convention)
    return _master_gates(zf, zi, convention, softmax)


def _master_gates(zf, zi, convention, softmax):
    pf, pi = softmax(zf), softmax(zi)
    if convention == "symmetric":
        return _cumax(pf, False), _cumax(pi, True)
    return _cumax(pf, False), 1 - _cumax(pi, False)


def segment_update(c_prev, c_hat, f, i, f_master, i_master):
    """New cell state: copies outside the overlap of the master gates, an LSTM's mix inside it.

    Parameters
    ----------
    c_prev, c_hat, f, i, f_master, i_master : array_like, shape (..., n)
        History, candidate, forget and input gate, and the two master gates; they broadcast.

    Returns
    -------
    ndarray, shape (..., n)
    """
    overlap = f_master * i_master
    mixed = f * c_prev + i * c_hat
    return overlap * mixed + (f_master - overlap) * c_prev + (i_master - overlap) * c_hat


def hard_segment_update(c_prev, c_hat, f, i, d_f, d_i):
    """New cell state by slices, for levels that are integers.

    Parameters
    ----------
    c_prev, c_hat, f, i : array_like, shape (n,)
        History, candidate, forget and input gate; the gates may be numbers.
    d_f : int
        The history keeps the levels from `d_f` on, counted from 0.
    d_i : int
        The input writes the levels up to `d_i`.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError
        If shapes do not fit, or a level is not one of 0 to n - 1.
    """
    c_prev, c_hat = np.asarray(c_prev, dtype=float), np.asarray(c_hat, dtype=float)
    if c_prev.ndim != 1 or c_prev.shape != c_hat.shape:
        raise ValueError(
            f"`c_hat` must be a vector like `c_prev`, got shapes {c_hat.shape} and {c_prev.shape}"
        )
    n = c_prev.size
    for name, d in (("d_f", d_f), ("d_i", d_i)):
        if not isinstance(d, (int, np.integer)) or isinstance(d, bool) or not 0 <= d < n:
            raise ValueError(f"`{name}` must be a level from 0 to {n - 1}, got {d}")
    f, i = np.broadcast_to(f, n), np.broadcast_to(i, n)
    c = np.zeros(n)
    c[: d_i + 1] = c_hat[: d_i + 1]
    c[d_f:] = c_prev[d_f:]
    both = slice(d_f, d_i + 1)
    c[both] = (f * c_prev + i * c_hat)[both]
    return c


def expand_levels(gates, n_hidden):
    """Repeat each of p levels for the hidden units that belong to it.

    Parameters
    ----------
    gates : array_like, shape (..., p)
    n_hidden : int
        A multiple of p.

    Returns
    -------
    ndarray, shape (..., n_hidden)

    Raises
    ------
    ValueError
        If `n_hidden` is not a multiple of p.
    """
    gates = np.asarray(gates, dtype=float)
    _check_levels(n_hidden, gates.shape[-1])
    return gates.repeat(n_hidden // gates.shape[-1], axis=-1)


def on_lstm_cell(x, h, c, params, n_levels, convention="symmetric"):
    """One step of ON-LSTM.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Input.
    h, c : array_like, shape (..., n)
        Output and cell state of the step before.
    params : dict of ndarray of shapes (d, 4n + 2p), (n, 4n + 2p) and (4n + 2p,)
        ``"W"``, ``"U"`` and ``"b"``; columns: forget gate, input gate, output gate, candidate (n
        each), master forget gate, master input gate (p each).
    n_levels : int
        The number p of levels; it divides n.
    convention : {"symmetric", "paper"}
        As for `master_gates`.

    Returns
    -------
    h, c : ndarray, shape (..., n)
    f_master, i_master : ndarray, shape (..., p)

    Raises
    ------
    ValueError
        If shapes do not fit, p does not divide n, or `convention` is unknown.
    """
    x, h, c = (np.asarray(a, dtype=float) for a in (x, h, c))
    _check_convention(convention)
    _check_params(x.shape[-1], h.shape[-1], params, n_levels)
    if c.shape[-1] != h.shape[-1]:
        raise ValueError(f"`c` must be as long as `h`, got {c.shape[-1]} and {h.shape[-1]}")
    return _cell(x, h, c, params, n_levels, convention, np, softmax, expit)


def _cell(x, h, c, params, n_levels, convention, xp, softmax, sigmoid):
    n = h.shape[-1]
    z = x @ params["W"] + h @ params["U"] + params["b"]
    f, i, o = (sigmoid(z[..., k * n : (k + 1) * n]) for k in range(3))
    c_hat = xp.tanh(z[..., 3 * n : 4 * n])
    zf, zi = z[..., 4 * n : 4 * n + n_levels], z[..., 4 * n + n_levels :]
    masters = _master_gates(zf, zi, convention, softmax)
    wide = (gate.repeat(n // n_levels, axis=-1) for gate in masters)
    c = segment_update(c, c_hat, f, i, *wide)
    return o * xp.tanh(c), c, *masters


def level(f_master):
    """Level of the history, from 0, all is kept, to almost 1, all is dropped.

    Parameters
    ----------
    f_master : array_like, shape (..., p)
        Master forget gate.

    Returns
    -------
    ndarray, shape (...)
        ``1 - mean``, in [0, 1 - 1/p].
    """
    return 1 - np.mean(f_master, axis=-1)


def on_lstm(xs, params, n_levels, convention="symmetric", h0=None, c0=None):
    """Run ON-LSTM over a sequence and read the levels.

    Parameters
    ----------
    xs : array_like, shape (T, d) or (T, batch, d)
        Inputs.
    params : dict of ndarray of shapes (d, 4n + 2p), (n, 4n + 2p) and (4n + 2p,)
        As for `on_lstm_cell`.
    n_levels : int
        The number p of levels.
    convention : {"symmetric", "paper"}
        As for `master_gates`.
    h0, c0 : array_like, shape (n,), optional
        State before the first step; zero if not given.

    Returns
    -------
    h, c : ndarray, shape (T, n) or (T, batch, n)
        Outputs and cell states.
    levels : ndarray, shape (T,) or (T, batch)
        High where the history is cut.

    Raises
    ------
    ValueError
        If `xs` has no step or too few axes, or as for `on_lstm_cell`.
    """
    xs = np.asarray(xs, dtype=float)
    if xs.ndim < 2 or len(xs) == 0:
        raise ValueError(f"`xs` must have shape (T, d) with T at least 1, got {xs.shape}")
    start = np.zeros((*xs.shape[1:-1], np.shape(params["U"])[0]))
    h = start if h0 is None else start + h0
    c = start if c0 is None else start + c0
    steps = []
    for x in xs:
        h, c, f_master, _ = on_lstm_cell(x, h, c, params, n_levels, convention)
        steps.append((h, c, level(f_master)))
    return tuple(np.array(column) for column in zip(*steps, strict=True))


def parse_tree(tokens, levels):
    """Binary tree by cutting before the token of the highest level, again and again.

    Parameters
    ----------
    tokens : sequence of length n
        Leaves of the tree.
    levels : array_like, shape (n,)
        Level at each token; of equal ones the first counts as the highest.

    Returns
    -------
    object or list
        ``[left, [token, right]]`` for the token with the highest level, and so on inside; without
        what is empty.  A single token is returned as it is.

    Raises
    ------
    ValueError
        If there is no token, or the lengths differ.

    References
    ----------
    .. [1] Y. Shen, S. Tan, A. Sordoni and A. Courville, "Ordered Neurons", ICLR 2019,
       arXiv:1810.09536.
    """
    tokens, levels = _checked_tokens(tokens, levels)
    return _tree(tokens, levels)


def _tree(tokens, levels):
    k = int(np.argmax(levels))
    right = tokens[k]
    if k + 1 < len(tokens):
        right = [right, _tree(tokens[k + 1 :], levels[k + 1 :])]
    return [_tree(tokens[:k], levels[:k]), right] if k else right


def split_tree(tokens, levels):
    """Binary tree by cutting between tokens where the level after the cut is highest.

    Parameters
    ----------
    tokens : sequence of length n
        Leaves of the tree.
    levels : array_like, shape (n,)
        Level at each token; the first token of a piece does not count.

    Returns
    -------
    object or list
        ``[left, right]``, and so on inside; a single token is returned as it is.

    Raises
    ------
    ValueError
        If there is no token, or the lengths differ.
    """
    tokens, levels = _checked_tokens(tokens, levels)

    def tree(start, stop):
        if stop - start == 1:
            return tokens[start]
        cut = start + 1 + int(np.argmax(levels[start + 1 : stop]))
        return [tree(start, cut), tree(cut, stop)]

    return tree(0, len(tokens))


def constituents(tree):
    """Pieces of the sequence that a tree holds together.

    Parameters
    ----------
    tree : object or list
        As made by `parse_tree` or `split_tree`; what is no list is a leaf.

    Returns
    -------
    set of tuple of int
        ``(start, stop)`` of each inner node, counted in leaves.
    """
    found = set()

    def walk(node, start):
        if not isinstance(node, list):
            return start + 1
        stop = start
        for child in node:
            stop = walk(child, stop)
        found.add((start, stop))
        return stop

    walk(tree, 0)
    return found


def reachable_trees(n):
    """All trees that `parse_tree` can make of n tokens.

    Parameters
    ----------
    n : int
        From 1 to 8.

    Returns
    -------
    set of str
        Each tree of the tokens 0 to n - 1, as `repr` writes it.

    Raises
    ------
    ValueError
        If `n` is out of range.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or not 1 <= n <= 8:
        raise ValueError(f"`n` must be an integer from 1 to 8, got {n}")
    return {repr(tree) for tree in _trees(list(range(n)))}


def _trees(tokens):
    # The highest level may stand anywhere; the orders to its left and right are independent.
    for k, token in enumerate(tokens):
        rest = tokens[k + 1 :]
        for right in [[token, tree] for tree in _trees(rest)] if rest else [token]:
            for left in _trees(tokens[:k]) if k else [None]:
                yield [left, right] if k else right


def toy_language(rng, n_letters=12, n_words=8, n_phrases=6):
    """A language of random words of 2 to 4 letters, and random phrases of 2 or 3 words.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_letters, n_words, n_phrases : int
        At least 1.

    Returns
    -------
    list of list of tuple of int
        The phrases, as lists of words, which are tuples of letters.

    Raises
    ------
    ValueError
        If a size is below 1.
    """
    for name, size in (("n_letters", n_letters), ("n_words", n_words), ("n_phrases", n_phrases)):
        if size < 1:
            raise ValueError(f"`{name}` must be at least 1, got {size}")
    words = [
        tuple(map(int, rng.integers(n_letters, size=rng.integers(2, 5)))) for _ in range(n_words)
    ]
    return [
        [words[k] for k in rng.integers(n_words, size=rng.integers(2, 4))] for _ in range(n_phrases)
    ]


def toy_lines(language, rng, count, length):
    """Lines of random phrases without spaces, cut at a length, and where things begin.

    Parameters
    ----------
    language : list of list of tuple of int
        As made by `toy_language`.
    rng : numpy.random.Generator
    count, length : int

    Returns
    -------
    letters : ndarray of int, shape (count, length)
    starts : ndarray of int, shape (count, length)
        2 where a phrase begins, 1 where another word begins, 0 inside words.
    """
    phrases = [
        [
            (letter, 0 if place else 1 + (number == 0))
            for number, word in enumerate(phrase)
            for place, letter in enumerate(word)
        ]
        for phrase in language
    ]
    lines = np.zeros((count, length, 2), dtype=int)
    for line in lines:
        pairs = []
        while len(pairs) < length:
            pairs += phrases[rng.integers(len(phrases))]
        line[:] = pairs[:length]
    return lines[..., 0], lines[..., 1]


def train_letter_model(
    language,
    seed=0,
    steps=300,
    n_hidden=48,
    n_levels=12,
    width=24,
    lr=0.01,
    batch_size=32,
    length=40,
):
    """Train an ON-LSTM to predict the next letter.  Needs JAX.

    Parameters
    ----------
    language : list of list of tuple of int
        As made by `toy_language`.
    seed : int, default 0
        Of the lines and of the first parameters.
    steps : int, default 300
    n_hidden, n_levels, width : int
        Sizes n, p, and d of the embedding.
    lr : float, default 0.01
        Learning rate of Adam.
    batch_size, length : int
        Lines a step, letters a line.

    Returns
    -------
    params : dict of ndarray
        ``"W"``, ``"U"``, ``"b"`` as for `on_lstm_cell`; ``"E"``, of shape (letters, d), the
        inputs; ``"V"`` and ``"a"``, which make logits of outputs.
    losses : ndarray, shape (steps,)
        Mean cross entropy per letter, in nats.
    """
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(seed)
    n_letters = 1 + max(letter for phrase in language for word in phrase for letter in word)
    columns = 4 * n_hidden + 2 * n_levels
    shapes = {"W": (width, columns), "U": (n_hidden, columns), "V": (n_hidden, n_letters)}
    params = {name: rng.normal(size=s) / np.sqrt(s[0]) for name, s in shapes.items()}
    params |= {"E": rng.normal(size=(n_letters, width))}
    params |= {"b": np.zeros(columns), "a": np.zeros(n_letters)}
    letters, _ = toy_lines(language, rng, steps * batch_size, length)
    letters = letters.reshape(steps, batch_size, length)

    def loss(params, batch):
        def step(carry, x):
            h, c, *_ = _cell(
                x, *carry, params, n_levels, "symmetric", jnp, jax.nn.softmax, jax.nn.sigmoid
            )
            return (h, c), h

        zero = jnp.zeros((batch_size, n_hidden))
        inputs = params["E"][batch[:, :-1]].swapaxes(0, 1)
        _, hidden = jax.lax.scan(step, (zero, zero), inputs)
        log_p = jax.nn.log_softmax(hidden @ params["V"] + params["a"])
        return -jnp.take_along_axis(log_p, batch[:, 1:].T[..., None], axis=-1).mean()

    return minimized(loss, params, letters, np.full(steps, lr))


def _checked_tokens(tokens, levels):
    tokens, levels = list(tokens), np.asarray(levels, dtype=float)
    if levels.shape != (len(tokens),) or not tokens:
        raise ValueError(
            f"`levels` must hold one number for each of the tokens, at least 1; got shape "
            f"{levels.shape} for {len(tokens)} tokens"
        )
    return tokens, levels


def _check_convention(convention):
    if convention not in CONVENTIONS:
        raise ValueError(f"`convention` must be one of {CONVENTIONS}, got {convention!r}")


def _check_levels(n_hidden, n_levels):
    if n_levels < 1 or n_hidden % n_levels:
        raise ValueError(
            f"`n_hidden` must be a multiple of the number of levels, got {n_hidden} and {n_levels}"
        )


def _check_params(d, n, params, n_levels):
    _check_levels(n, n_levels)
    columns = 4 * n + 2 * n_levels
    for name, shape in {"W": (d, columns), "U": (n, columns), "b": (columns,)}.items():
        if np.shape(params[name]) != shape:
            raise ValueError(
                f'`params["{name}"]` must have shape {shape}, got {np.shape(params[name])}'
            )
