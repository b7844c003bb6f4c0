"""GANs with a quadratic potential on finite spaces: optimal critics, pairs, reconstructions.

Laws are vectors of probabilities over n points, `dist` is the (n, n) matrix of their distances.  A
pair (point i, code k) of an (n, m) joint has the index ``i * m + k``, the order of ``ravel``.
"""

import numpy as np

__all__ = [
    "bigan_qp_divergence",
    "conditional_mean_mse",
    "encoder_joint",
    "generator_joint",
    "guide_gradient",
    "js_divergence",
    "pair_distance",
    "posterior_generator",
    "qp_critic",
    "qp_discriminator",
    "qp_divergence",
    "qp_objective",
    "reconstruction_mse",
]


def qp_discriminator(p, q, dist, lam=1.0):
    """Difference ``T(x, y) - T(y, x)`` of the optimal discriminator of two arguments.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities of the real points.
    q : array_like, shape (n,)
        Probabilities of the generated points.
    dist : array_like, shape (n, n)
        Distances: symmetric, not negative, zero on the diagonal.
    lam : float, default 1.0
        Scale of the quadratic potential, positive.

    Returns
    -------
    ndarray, shape (n, n)
        ``lam * dist * (a - b) / (a + b)`` with ``a = p_i q_j`` and ``b = p_j q_i``; antisymmetric,
        and 0 where ``a + b`` is 0, since such a pair never comes.

    Raises
    ------
    ValueError
        If `p` or `q` is no law, `dist` no distance matrix of fitting shape, or `lam` not positive.
    """
    p, q, dist, lam = _problem(p, q, dist, lam)
    return lam * dist * _contrast(p, q)


def qp_objective(D, p, q, dist, lam=1.0):
    """What the discriminator maximises, at a given difference.

    Parameters
    ----------
    D : array_like, shape (n, n)
        Differences ``T(x_i, x_j) - T(x_j, x_i)``; real points come first.
    p, q, dist, lam
        As for `qp_discriminator`.

    Returns
    -------
    float
        ``sum p_i q_j (D_ij - D_ij² / (2 lam dist_ij))``; minus infinity if `D` is not 0 for a pair
        that comes and has distance 0.

    Raises
    ------
    ValueError
        If `D` has another shape than `dist`, or as for `qp_discriminator`.
    """
    p, q, dist, lam = _problem(p, q, dist, lam)
    D = np.asarray(D, dtype=float)
    if D.shape != dist.shape:
        raise ValueError(f"`D` must have the shape of `dist`, {dist.shape}, got {D.shape}")
    weight = np.outer(p, q)
    if np.any((weight > 0) & (dist == 0) & (D != 0)):
        return -np.inf
    return float(np.sum(weight * (D - _ratio(D**2, 2 * lam * dist))))


def qp_divergence(p, q, dist, lam=1.0):
    """Largest value of `qp_objective`, a divergence of two laws.

    Parameters
    ----------
    p, q, dist, lam
        As for `qp_discriminator`.

    Returns
    -------
    float
        ``lam / 4 * sum dist (a - b)² / (a + b)`` with ``a = p_i q_j`` and ``b = p_j q_i``.

    Raises
    ------
    ValueError
        As for `qp_discriminator`.
    """
    p, q, dist, lam = _problem(p, q, dist, lam)
    a = np.outer(p, q)
    return float(lam / 4 * np.sum(dist * (a - a.T) * _contrast(p, q)))


def qp_critic(p, q, dist, lam=1.0):
    """Optimal critic of one argument: the voltages of a network of resistors.

    Parameters
    ----------
    p, q, dist, lam
        As for `qp_discriminator`.

    Returns
    -------
    T : ndarray, shape (n,)
        Solves ``L T = p - q`` for the Laplacian with conductances
        ``(p_i q_j + p_j q_i) / (lam dist_ij)``; mean zero over the points with ``p + q > 0``, and
        0 elsewhere.
    value : float
        The maximum ``(p - q) @ T / 2``, at most `qp_divergence`.

    Raises
    ------
    ValueError
        If two distinct points that come as a pair have distance 0, or as for `qp_discriminator`.
    """
    p, q, dist, lam = _problem(p, q, dist, lam)
    used = np.flatnonzero(p + q > 0)
    a = np.outer(p[used], q[used])
    conductance, resistance = a + a.T, lam * dist[np.ix_(used, used)]
    np.fill_diagonal(conductance, 0.0)
    if np.any((conductance > 0) & (resistance == 0)):
        i, j = np.argwhere((conductance > 0) & (resistance == 0))[0]
        raise ValueError(
            "`dist` must be positive between distinct points that come as a pair, "
            f"got 0 between {used[i]} and {used[j]}"
        )
    weight = _ratio(conductance, resistance)
    degree, current = weight.sum(axis=1), (p - q)[used]
    # The best connected point is grounded; equal diagonals keep what is small beside it exact.
    rest = np.flatnonzero(np.arange(used.size) != np.argmax(degree))
    scale = 1 / np.sqrt(degree[rest])
    network = np.eye(rest.size) - scale[:, None] * weight[np.ix_(rest, rest)] * scale
    T = np.zeros(p.size)
    T[used[rest]] = scale * np.linalg.solve(network, scale * current[rest])
    T[used] -= T[used].mean()
    return T, float(current @ T[used] / 2)


def js_divergence(p, q):
    """Jensen-Shannon divergence.

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities.
    q : array_like, shape (n,)
        Probabilities.

    Returns
    -------
    float
        In nats, between 0 and log 2.

    Raises
    ------
    ValueError
        If `p` or `q` is no law, or they differ in length.
    """
    p, q = _law("p", p), _law("q", q)
    if p.size != q.size:
        raise ValueError(f"`q` must have the length of `p`, {p.size}, got {q.size}")
    total = 0.0
    for law in (p, q):
        on = law > 0
        total += np.sum(law[on] * np.log(2 * law[on] / (p + q)[on])) / 2
    return float(total)


def encoder_joint(px, enc):
    """Joint law of a real point and its code.

    Parameters
    ----------
    px : array_like, shape (n,)
        Probabilities of the points.
    enc : array_like, shape (n, m)
        Row i is the law of the code of point i.

    Returns
    -------
    ndarray, shape (n, m)
        ``px_i * enc_ik``.

    Raises
    ------
    ValueError
        If `px` is no law, or `enc` not row-stochastic with n rows.
    """
    px = _law("px", px)
    return px[:, None] * _rows("enc", enc, px.size)


def generator_joint(qz, gen):
    """Joint law of a generated point and the code it was made from.

    Parameters
    ----------
    qz : array_like, shape (m,)
        Probabilities of the codes.
    gen : array_like, shape (m, n)
        Row k is the law of the point made from code k.

    Returns
    -------
    ndarray, shape (n, m)
        ``qz_k * gen_ki``: points along the rows, as in `encoder_joint`.

    Raises
    ------
    ValueError
        If `qz` is no law, or `gen` not row-stochastic with m rows.
    """
    qz = _law("qz", qz)
    return (qz[:, None] * _rows("gen", gen, qz.size)).T


def pair_distance(dx, dz):
    """Distances of pairs, the sum of those of their parts.

    Parameters
    ----------
    dx : array_like, shape (n, n)
        Distances of the points.
    dz : array_like, shape (m, m)
        Distances of the codes.

    Returns
    -------
    ndarray, shape (n m, n m)
        ``dx_ij + dz_kl`` between the pairs ``i * m + k`` and ``j * m + l``.

    Raises
    ------
    ValueError
        If `dx` or `dz` is no distance matrix.
    """
    dx, dz = _distances("dx", dx), _distances("dz", dz)
    size = len(dx) * len(dz)
    return (dx[:, None, :, None] + dz[None, :, None, :]).reshape(size, size)


def bigan_qp_divergence(px, enc, qz, gen, dx, dz, lam=1.0):
    """Divergence of the encoder's joint law from the generator's.

    Parameters
    ----------
    px : array_like, shape (n,)
        Probabilities of the points.
    enc : array_like, shape (n, m)
        Encoder, row-stochastic.
    qz : array_like, shape (m,)
        Probabilities of the codes.
    gen : array_like, shape (m, n)
        Generator, row-stochastic.
    dx : array_like, shape (n, n)
        Distances of the points.
    dz : array_like, shape (m, m)
        Distances of the codes.
    lam : float, default 1.0
        Scale of the potential, positive.

    Returns
    -------
    float
        `qp_divergence` of the two joints for `pair_distance`.

    Raises
    ------
    ValueError
        As for `encoder_joint`, `generator_joint`, `pair_distance` and `qp_divergence`.
    """
    real, fake = encoder_joint(px, enc), generator_joint(qz, gen)
    if real.shape != fake.shape:
        raise ValueError(
            f"`gen` must have shape {real.shape[::-1]} to match `enc`, got {fake.shape[::-1]}"
        )
    return qp_divergence(real.ravel(), fake.ravel(), pair_distance(dx, dz), lam)


def posterior_generator(px, enc):
    """The only generator whose joint law is the encoder's: the posterior of the point.

    Parameters
    ----------
    px : array_like, shape (n,)
        Probabilities of the points.
    enc : array_like, shape (n, m)
        Encoder, row-stochastic.

    Returns
    -------
    ndarray, shape (m, n)
        Row k is the law of the point given code k.

    Raises
    ------
    ValueError
        If a code has probability 0, or as for `encoder_joint`.
    """
    joint = encoder_joint(px, enc)
    qz = joint.sum(axis=0)
    if not np.all(qz > 0):
        raise ValueError(
            f"`enc` must give every code a positive probability, got 0 for {np.argmin(qz)}"
        )
    return (joint / qz).T


def reconstruction_mse(px, enc, gen, x):
    """Mean squared distance of a point from what is made of its code.

    Parameters
    ----------
    px : array_like, shape (n,)
        Probabilities of the points.
    enc : array_like, shape (n, m)
        Encoder, row-stochastic.
    gen : array_like, shape (m, n)
        Generator, row-stochastic.
    x : array_like, shape (n,) or (n, k)
        Where the points lie.

    Returns
    -------
    float
        ``E |x - x'|²`` with a code from `enc` and x' drawn from `gen`.

    Raises
    ------
    ValueError
        If `x` has another number of points, or as for `encoder_joint` and `generator_joint`.
    """
    joint = encoder_joint(px, enc)
    x, gen = _places(x, len(joint)), _rows("gen", gen, joint.shape[1])
    if gen.shape[1] != len(joint):
        raise ValueError(
            f"`gen` must have shape {joint.shape[::-1]} to match `enc`, got {gen.shape}"
        )
    squared = np.sum((x[:, None] - x[None]) ** 2, axis=-1)
    return float(np.sum((joint @ gen) * squared))


def conditional_mean_mse(px, enc, x):
    """Smallest mean squared distance from a point that anything made of its code can have.

    Parameters
    ----------
    px : array_like, shape (n,)
        Probabilities of the points.
    enc : array_like, shape (n, m)
        Encoder, row-stochastic; every code must come.
    x : array_like, shape (n,) or (n, k)
        Where the points lie.

    Returns
    -------
    float
        ``E |x - E[x | z]|²``.

    Raises
    ------
    ValueError
        As for `posterior_generator` and `reconstruction_mse`.
    """
    joint = encoder_joint(px, enc)
    x = _places(x, len(joint))
    mean = posterior_generator(px, enc) @ x
    return float(np.sum(joint * np.sum((x[:, None] - mean[None]) ** 2, axis=-1)))


def guide_gradient(e, g, s, beta1=1.0, beta2=1.0, stop_gradient=True):
    """Derivatives of the guiding terms for linear maps on the line.

    With ``E(x) = e x``, ``G(z) = g z``, x normal of standard deviation `s` and z standard normal,
    the guiding terms are ``beta1 E(z - e g z)² + beta2 E(x - g e x)²``.

    Parameters
    ----------
    e : array_like, shape (...)
        Slope of the encoder.
    g : array_like, shape (...)
        Slope of the generator; broadcasts against `e`.
    s : float
        Standard deviation of x, positive.
    beta1, beta2 : float, default 1.0
        Weights of the two terms.
    stop_gradient : bool, default True
        Whether the first term moves only `e` and the second only `g`.

    Returns
    -------
    de, dg : ndarray, shape (...)
        What descent subtracts from `e` and `g`, per unit of the learning rate.

    Raises
    ------
    ValueError
        If `s` is not positive and finite.
    """
    if not 0 < s < np.inf:
        raise ValueError(f"`s` must be positive and finite, got {s}")
    e, g = np.asarray(e, dtype=float), np.asarray(g, dtype=float)
    miss = 1 - e * g
    on_e, on_g = beta1, beta2 * s**2
    if not stop_gradient:
        on_e = on_g = on_e + on_g
    return -2 * on_e * g * miss, -2 * on_g * e * miss


def _contrast(p, q):
    """(a - b) / (a + b) for a = p_i q_j, b = p_j q_i; 0 where both are 0."""
    a = np.outer(p, q)
    return _ratio(a - a.T, a + a.T)


def _ratio(top, bottom):
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _problem(p, q, dist, lam):
    p, q, dist = _law("p", p), _law("q", q), _distances("dist", dist)
    for name, law in (("p", p), ("q", q)):
        if law.size != len(dist):
            raise ValueError(
                f"`{name}` must have shape ({len(dist)},) to match `dist`, got {law.shape}"
            )
    if not 0 < lam < np.inf:
        raise ValueError(f"`lam` must be positive and finite, got {lam}")
    return p, q, dist, lam


def _law(name, p):
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not p.size:
        raise ValueError(f"`{name}` must have shape (n,) with n >= 1, got {p.shape}")
    if not (np.all(p >= 0) and np.isclose(p.sum(), 1)):
        raise ValueError(f"`{name}` must be non-negative with sum 1, got the sum {p.sum():g}")
    return p


def _rows(name, rows, n):
    rows = np.asarray(rows, dtype=float)
    if rows.ndim != 2 or len(rows) != n or not rows.size:
        raise ValueError(f"`{name}` must have shape ({n}, m), got {rows.shape}")
    if not (np.all(rows >= 0) and np.allclose(rows.sum(axis=1), 1)):
        raise ValueError(f"`{name}` must have non-negative rows with sum 1, got {rows.tolist()}")
    return rows


def _distances(name, dist):
    dist = np.asarray(dist, dtype=float)
    if dist.ndim != 2 or dist.shape[0] != dist.shape[1] or not dist.size:
        raise ValueError(f"`{name}` must have shape (n, n), got {dist.shape}")
    fits = np.all(np.isfinite(dist)) and np.all(dist >= 0) and np.allclose(dist, dist.T)
    if not (fits and np.all(np.diag(dist) == 0)):
        raise ValueError(f"`{name}` must be symmetric, non-negative, with a zero diagonal")
    return dist


def _places(x, n):
    x = np.asarray(x, dtype=float)
    if x.ndim not in (1, 2) or len(x) != n:
        raise ValueError(f"`x` must have shape ({n},) or ({n}, k), got {x.shape}")
    return x.reshape(n, -1)
