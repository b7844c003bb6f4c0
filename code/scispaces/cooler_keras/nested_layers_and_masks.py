"""Layers made of layers, and sequences of unequal length."""

import os

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

__all__ = [
    "DenseStack",
    "MaskedPooling1D",
    "ReverseBidirectional",
    "additive_masked_softmax",
    "causal_mask",
    "masked_max",
    "masked_mean",
    "masked_softmax",
    "padding_mask",
    "reverse_sequence",
]


def padding_mask(ids, pad=0):
    """Where a padded sequence of token ids has tokens.

    Parameters
    ----------
    ids : array_like of int, shape (...)
    pad : int, default 0
        The id that stands for padding.

    Returns
    -------
    ndarray of bool, shape (...)
        True for a token, False for padding.

    Raises
    ------
    ValueError
        If `ids` are not integers.
    """
    ids = np.asarray(ids)
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"`ids` must be integers, got {ids.dtype}")
    return ids != pad


def causal_mask(n):
    """Which keys each of `n` queries may see: itself and those before it.

    Parameters
    ----------
    n : int
        At least 1.

    Returns
    -------
    ndarray of bool, shape (n, n)
        Row: query; column: key.

    Raises
    ------
    ValueError
        If `n` is no integer of at least 1.
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"`n` must be an integer of at least 1, got {n}")
    return np.tri(n, dtype=bool)


def masked_mean(x, mask, axis=-1, empty=0.0):
    """Mean of the entries that the mask keeps.

    Parameters
    ----------
    x : array_like, shape (...)
        What is masked may be NaN or infinite.
    mask : array_like of bool, broadcastable to the shape of `x`
        True keeps.
    axis : int, default -1
    empty : float, default 0.0
        The mean of nothing.

    Returns
    -------
    ndarray, shape of `x` without `axis`

    Raises
    ------
    ValueError
        If `mask` is not boolean, or its shape does not fit.
    """
    x, mask = _masked(x, mask)
    count = mask.sum(axis)
    total = np.where(mask, x, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), empty)


def masked_max(x, mask, axis=-1, empty=0.0):
    """Largest of the entries that the mask keeps.

    Parameters
    ----------
    x : array_like, shape (...)
        What is masked may be NaN or infinite.
    mask : array_like of bool, broadcastable to the shape of `x`
        True keeps.
    axis : int, default -1
    empty : float, default 0.0
        The largest of nothing.

    Returns
    -------
    ndarray, shape of `x` without `axis`

    Raises
    ------
    ValueError
        If `mask` is not boolean, or its shape does not fit.
    """
    x, mask = _masked(x, mask)
    return np.where(mask.any(axis), np.where(mask, x, -np.inf).max(axis), empty)


def masked_softmax(x, mask, axis=-1):
    """Softmax over the entries that the mask keeps; the others get exactly zero.

    Parameters
    ----------
    x : array_like, shape (...)
        Logits; what is masked may be NaN or infinite.
    mask : array_like of bool, broadcastable to the shape of `x`
        True keeps.
    axis : int, default -1

    Returns
    -------
    ndarray, shape of `x`
        Sums to one along `axis`, or is zero where nothing is kept.

    Raises
    ------
    ValueError
        If `mask` is not boolean, or its shape does not fit.
    """
    x, mask = _masked(x, mask)
    top = np.where(mask, x, -np.inf).max(axis, keepdims=True)
    # Shift first: the sum of a row of 1e300 would overflow.  An empty row has no top.
    shifted = np.where(mask, x, 0.0) - np.where(np.isfinite(top), top, 0.0)
    e = np.where(mask, np.exp(np.where(mask, shifted, 0.0)), 0.0)
    return e / np.maximum(e.sum(axis, keepdims=True), np.finfo(float).tiny)


def additive_masked_softmax(x, mask, big=1e10, dtype="float32"):
    """Softmax of ``x - (1 - mask) * big``, every operation rounded to `dtype`.

    This is how masks are often applied; where it fails, this function fails in the same way.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Logits.
    mask : array_like of bool, broadcastable to the shape of `x`
        True keeps.
    big : float, default 1e10
        What is subtracted, not negative.
    dtype : str or dtype, default "float32"
        A floating-point type; "bfloat16" too.

    Returns
    -------
    ndarray of `dtype`, shape (..., n)

    Raises
    ------
    ValueError
        If `mask` is not boolean, or its shape does not fit, or `big` is negative.
    """
    x, mask = _masked(x, mask)
    if not big >= 0:
        raise ValueError(f"`big` must not be negative, got {big}")
    dtype = np.dtype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = x.astype(dtype) - (dtype.type(1) - mask.astype(dtype)) * np.asarray(big, dtype)
        e = np.exp(logits - logits.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True, dtype=dtype)


def reverse_sequence(x, lengths):
    """Reverse the first steps of each sequence and leave its padding in place.

    Parameters
    ----------
    x : array_like, shape (b, t, ...)
    lengths : array_like of int, shape (b,)
        How many steps of each row to reverse, from 0 to t.

    Returns
    -------
    ndarray, shape (b, t, ...)

    Raises
    ------
    ValueError
        If `lengths` does not fit.
    """
    x, lengths = np.asarray(x), np.asarray(lengths)
    if x.ndim < 2 or lengths.shape != x.shape[:1]:
        shapes = f"{x.shape} and {lengths.shape}"
        raise ValueError(f"`x` and `lengths` must have shapes (b, t, ...) and (b,), got {shapes}")
    if not np.issubdtype(lengths.dtype, np.integer) or np.any(
        (lengths < 0) | (lengths > x.shape[1])
    ):
        raise ValueError(f"`lengths` must be integers from 0 to {x.shape[1]}, got {lengths}")
    step = np.arange(x.shape[1])
    source = np.where(step < lengths[:, None], lengths[:, None] - 1 - step, step)
    return x[np.arange(len(x))[:, None], source]


def _masked(x, mask):
    """Return `x` as floats and `mask` in its shape, or refuse."""
    x, mask = np.asarray(x, dtype=float), np.asarray(mask)
    if mask.dtype != bool:
        raise ValueError(f"`mask` must be boolean, got {mask.dtype}")
    try:
        return x, np.broadcast_to(mask, x.shape)
    except ValueError:
        message = f"`mask` of shape {mask.shape} must broadcast to `x` of shape {x.shape}"
        raise ValueError(message) from None


@keras.saving.register_keras_serializable(package="scispaces")
class DenseStack(keras.layers.Layer):
    """Two dense layers in one: ``y = g(f(x W1 + b1) W2 + b2)``.

    Parameters
    ----------
    hidden_dim, output_dim : int
        At least 1.
    hidden_activation, output_activation : str, default "linear"
    **kw
        What every layer takes, such as ``name``.

    Raises
    ------
    ValueError
        If a dimension is below 1.
    """

    def __init__(
        self,
        hidden_dim,
        output_dim,
        hidden_activation="linear",
        output_activation="linear",
        **kw,
    ):
        for name, dim in (("hidden_dim", hidden_dim), ("output_dim", output_dim)):
            if dim < 1:
                raise ValueError(f"`{name}` must be at least 1, got {dim}")
        super().__init__(**kw)
        policy = self.dtype_policy
        self.hidden = keras.layers.Dense(hidden_dim, hidden_activation, name="hidden", dtype=policy)
        self.last = keras.layers.Dense(output_dim, output_activation, name="output", dtype=policy)
        self.supports_masking = True

    def build(self, input_shape):
        """Make the weights of the inner layers, before anything is computed."""
        self.hidden.build(input_shape)
        self.last.build((*input_shape[:-1], self.hidden.units))

    def call(self, x):
        """Apply one after the other."""
        return self.last(self.hidden(x))

    def get_config(self):
        """Return what makes a layer like this one."""
        return {
            **super().get_config(),
            "hidden_dim": self.hidden.units,
            "output_dim": self.last.units,
            "hidden_activation": keras.activations.serialize(self.hidden.activation),
            "output_activation": keras.activations.serialize(self.last.activation),
        }


@keras.saving.register_keras_serializable(package="scispaces")
class MaskedPooling1D(keras.layers.Layer):
    """Mean or maximum over the steps that the mask keeps; the mask ends here.

    Parameters
    ----------
    mode : {"mean", "max"}
    **kw
        What every layer takes, such as ``name``.

    Raises
    ------
    ValueError
        If `mode` is unknown.
    """

    def __init__(self, mode="mean", **kw):
        if mode not in ("mean", "max"):
            raise ValueError(f"`mode` must be 'mean' or 'max', got {mode!r}")
        super().__init__(**kw)
        self.mode = mode
        self.supports_masking = True

    def call(self, x, mask=None):
        """From shape (b, t, d) to (b, d); a row without any step gives zeros."""
        if mask is None:
            mask = keras.ops.ones(keras.ops.shape(x)[:2], dtype="bool")
        keep = keras.ops.expand_dims(mask, -1)
        if self.mode == "mean":
            count = keras.ops.sum(keras.ops.cast(keep, x.dtype), axis=1)
            return keras.ops.sum(keras.ops.where(keep, x, 0), axis=1) / keras.ops.maximum(count, 1)
        largest = keras.ops.max(keras.ops.where(keep, x, -np.inf), axis=1)
        return keras.ops.where(keras.ops.any(keep, axis=1), largest, 0)

    def compute_mask(self, x, mask=None):
        """Return None: there are no steps any more."""
        return None

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        return (input_shape[0], input_shape[2])

    def get_config(self):
        """Return what makes a layer like this one."""
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="scispaces")
class ReverseBidirectional(keras.layers.Layer):
    """A recurrent layer in both directions, by reversing only what is no padding.

    Parameters
    ----------
    layer : keras.layers.RNN
        With ``return_sequences=True``; it is copied twice.
    **kw
        What every layer takes, such as ``name``.

    Raises
    ------
    ValueError
        If `layer` does not return sequences.
    """

    def __init__(self, layer, **kw):
        if not getattr(layer, "return_sequences", False):
            raise ValueError(f"`layer` must have `return_sequences=True`, got {layer.name}")
        super().__init__(**kw)
        self.forward_layer, self.backward_layer = (
            layer.__class__.from_config({**layer.get_config(), "name": f"{way}_{layer.name}"})
            for way in ("forward", "backward")
        )
        self.supports_masking = True

    def build(self, input_shape):
        """Make the weights of both directions."""
        self.forward_layer.build(input_shape)
        self.backward_layer.build(input_shape)

    def call(self, x, mask=None):
        """From shape (b, t, d) to (b, t, 2 * units), zero where the mask hides a step."""
        if mask is None:
            mask = keras.ops.ones(keras.ops.shape(x)[:2], dtype="bool")
        length = keras.ops.sum(keras.ops.cast(mask, "int32"), axis=1, keepdims=True)
        step = keras.ops.arange(keras.ops.shape(x)[1])
        source = keras.ops.where(step < length, length - 1 - step, step)[:, :, None]
        there = self.forward_layer(x, mask=mask)
        flipped = keras.ops.take_along_axis(x, source, axis=1)
        back = self.backward_layer(flipped, mask=mask)
        back = keras.ops.take_along_axis(back, source, axis=1)
        return keras.ops.where(mask[:, :, None], keras.ops.concatenate([there, back], -1), 0)

    def compute_output_shape(self, input_shape):
        """Return the shape of the output."""
        return (*input_shape[:2], 2 * self.forward_layer.units)

    def get_config(self):
        """Return what makes a layer like this one."""
        layer = keras.saving.serialize_keras_object(self.forward_layer)
        layer["config"]["name"] = layer["config"]["name"].removeprefix("forward_")
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config):
        """Make a layer from what `get_config` returned."""
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(config.pop("layer")), **config)
