"""Adam for the small networks that chapters of this part train."""

__all__ = ["minimized"]


def minimized(loss, params, batches, rates, betas=(0.9, 0.999)):
    """Parameters after one step of Adam for each batch, and the losses on the way.

    Parameters
    ----------
    loss : callable
        ``loss(params, batch)``, a scalar that JAX can differentiate.
    params : pytree of ndarray
    batches : pytree of ndarray
        The first axis counts the steps.
    rates : array_like, shape (steps,)
        Learning rates.
    betas : tuple of float, default (0.9, 0.999)
        Decay rates of the two moments.

    Returns
    -------
    params : pytree of ndarray
    losses : ndarray, shape (steps,)
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    b1, b2 = betas
    tree = jax.tree_util.tree_map

    def step(carry, inputs):
        params, first, second, t = carry
        batch, rate = inputs
        value, slope = jax.value_and_grad(loss)(params, batch)
        t = t + 1
        first = tree(lambda m, g: b1 * m + (1 - b1) * g, first, slope)
        second = tree(lambda s, g: b2 * s + (1 - b2) * g * g, second, slope)
        params = tree(
            lambda p, m, s: p - rate * (m / (1 - b1**t)) / (jnp.sqrt(s / (1 - b2**t)) + 1e-8),
            params,
            first,
            second,
        )
        return (params, first, second, t), value

    params = tree(lambda p: jnp.asarray(p, jnp.float32), params)
    zeros = tree(jnp.zeros_like, params)
    inputs = (batches, jnp.asarray(rates, jnp.float32))
    run = jax.jit(lambda start, inputs: jax.lax.scan(step, start, inputs))
    (params, *_), losses = run((params, zeros, zeros, jnp.float32(0)), inputs)
    return tree(lambda p: np.asarray(p, dtype=float), params), np.asarray(losses, dtype=float)
