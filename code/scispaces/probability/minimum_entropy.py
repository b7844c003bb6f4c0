"""Words from text without spaces: merge what makes the text cheaper to write down."""

import math
import numbers
from collections import Counter

import numpy as np
from scipy.special import xlog1py

__all__ = [
    "LEXICON",
    "boundary_f1",
    "description_length",
    "entropy_per_char",
    "learn_merges",
    "merge_gain",
    "merge_pair",
    "viterbi_segment",
    "zipf_corpus",
]

_WORDS = """
the of and to in that is was he for it with as his on be at by had not are but from or have an they
which one you were her all she there would their we him been has when who will more no if out so
said what up its about into than them can only other
"""
LEXICON = tuple(_WORDS.split())
"""Sixty common English words, the most frequent first."""


def zipf_corpus(lexicon, n_words, seed=0, exponent=1.0):
    """Words drawn independently, the word of rank r with probability in proportion to r^-exponent.

    Parameters
    ----------
    lexicon : sequence of str
        Distinct words, at least 2, in the order of their ranks.
    n_words : int
        At least 1.
    seed : int, default 0
        Seed of the generator.
    exponent : float, default 1.0
        Not negative.

    Returns
    -------
    list of str
        `n_words` words.

    Raises
    ------
    ValueError
        If an argument is out of range, or the lexicon has an empty or repeated word.
    """
    lexicon = list(lexicon)
    if len(lexicon) < 2 or len(set(lexicon)) < len(lexicon) or not all(lexicon):
        raise ValueError(f"`lexicon` must hold 2 distinct words or more, none empty, got {lexicon}")
    if _not_integer(n_words) or n_words < 1:
        raise ValueError(f"`n_words` must be an integer of at least 1, got {n_words!r}")
    if not 0 <= exponent < math.inf:
        raise ValueError(f"`exponent` must be finite and not negative, got {exponent}")
    p = np.arange(1, len(lexicon) + 1) ** -float(exponent)
    drawn = np.random.default_rng(seed).choice(len(lexicon), size=n_words, p=p / p.sum())
    return [lexicon[i] for i in drawn]


def entropy_per_char(tokens, base=2.0):
    """Entropy of the tokens' own frequencies, per token and per character.

    Parameters
    ----------
    tokens : sequence of str
        Not empty, and without empty strings.
    base : float, default 2.0
        Base of the logarithm, above 1.

    Returns
    -------
    H : float
        Entropy per token.
    l : float
        Mean length of a token.
    L : float
        ``H / l``.

    Raises
    ------
    ValueError
        If `tokens` is empty or holds an empty string, or `base` is not above 1.
    """
    counts, lengths = _counted(tokens)
    if not 1 < base < math.inf:
        raise ValueError(f"`base` must be finite and above 1, got {base}")
    p = counts / counts.sum()
    H = float(p @ np.log(1 / p) / math.log(base))
    length = float(p @ lengths)
    return H, length, H / length


def merge_gain(p_ab, p_a, p_b):
    """What merging two different neighbours saves, in nats per token of the text before.

    Parameters
    ----------
    p_ab : array_like, shape (...)
        Number of merges divided by the number of tokens, positive and at most `p_a` and `p_b`.
    p_a, p_b : array_like, shape (...)
        Shares of the two tokens, below 1, with ``p_a + p_b <= 1``.

    Returns
    -------
    ndarray, shape (...)
        ``N`` times it is the drop of the code length ``N H`` of the whole text.

    Raises
    ------
    ValueError
        If a share is out of range.

    References
    ----------
    .. [1] A. N. Redlich, "Redundancy Reduction as a Strategy for Unsupervised Learning", Neural
       Computation 5 (1993) 289. doi:10.1162/neco.1993.5.2.289
    """
    p_ab, p_a, p_b = (np.asarray(p, dtype=float) for p in (p_ab, p_a, p_b))
    if not (np.all(p_ab > 0) and np.all((p_ab <= p_a) & (p_ab <= p_b))):
        raise ValueError(
            f"`p_ab` must be positive and at most `p_a` and `p_b`, got {p_ab.tolist()}"
        )
    # A rounding of the sum of all shares is allowed.
    if not (np.all(p_a + p_b <= 1 + 1e-12) and np.all(np.maximum(p_a, p_b) < 1)):
        raise ValueError(
            f"`p_a` and `p_b` must be below 1, with a sum of at most 1, "
            f"got {p_a.tolist()} and {p_b.tolist()}"
        )
    return (
        p_ab * np.log(p_ab / (p_a * p_b))
        - xlog1py(1 - p_ab, -p_ab)
        + xlog1py(p_a - p_ab, -p_ab / p_a)
        + xlog1py(p_b - p_ab, -p_ab / p_b)
    )


def merge_pair(tokens, pair):
    """Replace each occurrence of two neighbours by one token, from left to right.

    Parameters
    ----------
    tokens : sequence of str
        Not empty, and without empty strings.
    pair : tuple of (str, str)
        The neighbours; if they are equal, occurrences that overlap a merged one stay.

    Returns
    -------
    list of str
        With the same characters in the same order.

    Raises
    ------
    ValueError
        If `tokens` is empty or holds an empty string.
    """
    tokens = _tokens(tokens)
    a, b = pair
    merged, i = [], 0
    while i < len(tokens):
        if i + 1 < len(tokens) and tokens[i] == a and tokens[i + 1] == b:
            merged.append(a + b)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged


def learn_merges(tokens, n_merges, criterion="gain", stop="none"):
    """Merge the best pair of different neighbours, count again, and so on.

    Parameters
    ----------
    tokens : sequence of str
        Not empty, and without empty strings.
    n_merges : int
        At most so many merges, not negative.
    criterion : {"gain", "count"}
        Take the pair with the largest `merge_gain`, while it is positive, or with the largest count
        (byte pair encoding).  Pairs that occur once, or of equal tokens, are never taken; of
        equally good pairs, the first in the alphabet is.
    stop : {"none", "mdl"}
        With "mdl", stop before the first merge that does not lower `description_length`.

    Returns
    -------
    tokens : list of str
        The text after the merges.
    history : list of ((str, str), float, float)
        For each merge the pair, its score, and the bits per character after it.

    Raises
    ------
    ValueError
        If `tokens` is empty or holds an empty string, `n_merges` is negative, or a name is unknown.
    """
    tokens = _tokens(tokens)
    if _not_integer(n_merges) or n_merges < 0:
        raise ValueError(f"`n_merges` must be an integer, not negative, got {n_merges!r}")
    if criterion not in ("gain", "count"):
        raise ValueError(f"`criterion` must be 'gain' or 'count', got {criterion!r}")
    if stop not in ("none", "mdl"):
        raise ValueError(f"`stop` must be 'none' or 'mdl', got {stop!r}")
    alphabet = len(set("".join(tokens)))
    names = sorted(set(tokens))
    index = {name: i for i, name in enumerate(names)}
    text = np.array([index[t] for t in tokens])
    cost = description_length(tokens, alphabet)[0]
    history = []
    while len(history) < n_merges and (best := _best_pair(text, names, criterion)):
        a, b, score = best
        name = names[a] + names[b]
        if name not in index:
            index[name] = len(names)
            names.append(name)
        # Two different tokens cannot overlap with themselves.
        at = np.flatnonzero((text[:-1] == a) & (text[1:] == b))
        merged = text.copy()
        merged[at] = index[name]
        merged = np.delete(merged, at + 1)
        as_words = [names[i] for i in merged]
        if stop == "mdl":
            new_cost = description_length(as_words, alphabet)[0]
            if new_cost >= cost:
                break
            cost = new_cost
        text, tokens = merged, as_words
        history.append(((names[a], names[b]), score, entropy_per_char(tokens)[2]))
    return tokens, history


def description_length(tokens, alphabet_size=None):
    """Bits to write down the text and, letter by letter, the dictionary that it uses.

    Parameters
    ----------
    tokens : sequence of str
        Not empty, and without empty strings.
    alphabet_size : int, optional
        Number of letters; of the distinct ones in the text by default.

    Returns
    -------
    total : float
        ``data + dictionary``.
    data : float
        Number of tokens times their entropy.
    dictionary : float
        For each distinct token its letters and an end mark, each ``log2(alphabet_size + 1)``.

    Raises
    ------
    ValueError
        If `tokens` is empty or holds an empty string, or `alphabet_size` is below 1.
    """
    counts, lengths = _counted(tokens)
    if alphabet_size is None:
        alphabet_size = len(set("".join(tokens)))
    if _not_integer(alphabet_size) or alphabet_size < 1:
        raise ValueError(f"`alphabet_size` must be an integer of at least 1, got {alphabet_size!r}")
    data = float(np.sum(counts * np.log2(counts.sum() / counts)))
    dictionary = float(np.sum(lengths + 1) * math.log2(alphabet_size + 1))
    return data + dictionary, data, dictionary


def viterbi_segment(text, prob):
    """Segmentation of a text into words with the largest product of probabilities.

    Parameters
    ----------
    text : str
        Not empty.
    prob : dict of str to float
        Positive probabilities of the words.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If `text` is empty, a probability is not positive, or the words do not cover the text.
    """
    if not text:
        raise ValueError("`text` must not be empty, got ''")
    for word, p in prob.items():
        if not (word and 0 < p < math.inf):
            raise ValueError(f"`prob` must give words positive numbers, got {p} for {word!r}")
    cost = {word: -math.log(p) for word, p in prob.items()}
    longest = max(map(len, cost), default=0)
    best, last = [0.0] + [math.inf] * len(text), [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - longest), end):
            price = best[start] + cost.get(text[start:end], math.inf)
            if price < best[end]:
                best[end], last[end] = price, start
    if best[-1] == math.inf:
        raise ValueError(f"`prob` must cover the text, got no way to write {text[:20]!r}")
    words, end = [], len(text)
    while end:
        words.append(text[last[end] : end])
        end = last[end]
    return words[::-1]


def boundary_f1(pred, true):
    """How well the borders between tokens agree.

    Parameters
    ----------
    pred, true : sequence of str
        Segmentations of one text.

    Returns
    -------
    precision : float
        Share of the borders of `pred` that are right.
    recall : float
        Share of the borders of `true` that are found.
    f1 : float
        Their harmonic mean.

    Raises
    ------
    ValueError
        If a segmentation is empty or holds an empty string, or the texts differ.
    """
    pred, true = _tokens(pred, "pred"), _tokens(true, "true")
    if "".join(pred) != "".join(true):
        raise ValueError("`pred` must be a segmentation of the same text as `true`, got another")
    found, right = (set(np.cumsum([len(t) for t in words])[:-1].tolist()) for words in (pred, true))
    hits = len(found & right)
    precision = hits / len(found) if found else float(not right)
    recall = hits / len(right) if right else float(not found)
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


def _best_pair(text, names, criterion):
    """Return the best pair of different neighbours and its score, None if none is good."""
    size, n = len(names), len(text)
    codes, counts = np.unique(text[:-1] * size + text[1:], return_counts=True)
    a, b = np.divmod(codes, size)
    keep = (a != b) & (counts >= 2)
    a, b, counts = a[keep], b[keep], counts[keep]
    if len(counts) == 0:
        return None
    share = np.bincount(text, minlength=size) / n
    score = merge_gain(counts / n, share[a], share[b]) if criterion == "gain" else counts
    if score.max() <= 0:
        return None
    first = min(np.flatnonzero(score == score.max()), key=lambda i: (names[a[i]], names[b[i]]))
    return a[first], b[first], float(score[first])


def _counted(tokens):
    counts = Counter(_tokens(tokens))
    return np.array(list(counts.values()), dtype=float), np.array([len(t) for t in counts])


def _tokens(tokens, name="tokens"):
    tokens = list(tokens)
    if not tokens or not all(tokens):
        raise ValueError(f"`{name}` must be a list of tokens, none empty, got {tokens[:5]}")
    return tokens


def _not_integer(value):
    return isinstance(value, bool) or not isinstance(value, numbers.Integral)
