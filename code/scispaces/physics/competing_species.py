r"""Two species that crowd themselves and each other: who survives, and how one knows beforehand.

The model is ``x_i' = r_i x_i (1 - x_i / N_i) - a_i x_1 x_2`` for ``i = 1, 2``: logistic growth with
rate ``r`` (1/time) and capacity ``N`` (animals), and a loss ``a`` (1/(animal time)) in proportion
to the number of meetings.
"""

import math

import numpy as np
from scipy.integrate import solve_ivp

__all__ = [
    "classify",
    "coexistence",
    "jacobian",
    "latex_system",
    "lyapunov",
    "outcome",
    "rhs",
    "separatrix",
    "simulate",
]


def rhs(x, r, N, a):
    """Rates of change of the two populations.

    Parameters
    ----------
    x : array_like, shape (..., 2)
        Populations.
    r : array_like, shape (..., 2)
        Growth rates, positive; `r`, `N` and `a` broadcast against `x`.
    N : array_like, shape (..., 2)
        Capacities, positive: where each species settles alone.
    a : array_like, shape (..., 2)
        Losses of each species by meetings with the other, not negative.

    Returns
    -------
    ndarray, shape (..., 2)

    Raises
    ------
    ValueError
        If the last axis of an argument is not of length 2, or a parameter is out of range.
    """
    x, r, N, a = _pairs("x", x), *_parameters(r, N, a)
    return x * (r * (1 - x / N) - a * x[..., ::-1])


def jacobian(x, r, N, a):
    """Matrix of derivatives of `rhs`.

    Parameters
    ----------
    x : array_like, shape (2,)
        Populations at which to linearise.
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    ndarray, shape (2, 2)
        Entry ``(i, j)`` is the derivative of rate ``i`` by population ``j``.

    Raises
    ------
    ValueError
        If an argument is not a pair of finite numbers, or a parameter is out of range.
    """
    x, (r, N, a) = _pair("x", x), _case(r, N, a)
    own = r - 2 * r / N * x - a * x[::-1]
    return np.array([[own[0], -a[0] * x[0]], [-a[1] * x[1], own[1]]])


def coexistence(r, N, a):
    """Equilibrium with both species present, stable or not.

    Parameters
    ----------
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    ndarray, shape (2,), or None
        Populations, both positive; None if the straight nullclines do not cross in one point with
        both coordinates positive.

    Raises
    ------
    ValueError
        If an argument is not a pair of finite numbers, or is out of range.
    """
    r, N, a = _case(r, N, a)
    b = r / N
    det = b[0] * b[1] - a[0] * a[1]
    if abs(det) <= 1e-14 * b[0] * b[1]:
        return None
    point = (r * b[::-1] - a * r[::-1]) / det
    return point if np.all(point > 0) else None


def classify(J):
    """Type of the equilibrium of ``u' = J u``.

    Parameters
    ----------
    J : array_like, shape (2, 2)

    Returns
    -------
    str
        'stable node', 'unstable node', 'stable focus', 'unstable focus', 'saddle', 'center', or
        'degenerate' where a real eigenvalue is below 1e-9 of the larger one.

    Raises
    ------
    ValueError
        If `J` is not a finite matrix of shape (2, 2).
    """
    J = np.asarray(J, dtype=float)
    if J.shape != (2, 2) or not np.all(np.isfinite(J)):
        raise ValueError(f"`J` must be a finite matrix of shape (2, 2), got {J.tolist()}")
    # Written with the discriminant: a routine for eigenvalues may split a double one into a pair
    # of complex ones, and would call a node a focus.
    (p, q), (s, t) = J
    middle, square = (p + t) / 2, ((p - t) / 2) ** 2 + q * s
    if square < 0:
        if abs(middle) <= 1e-9 * math.hypot(middle, math.sqrt(-square)):
            return "center"
        return "stable focus" if middle < 0 else "unstable focus"
    low, high = middle - math.sqrt(square), middle + math.sqrt(square)
    if min(abs(low), abs(high)) <= 1e-9 * max(abs(low), abs(high)):
        return "degenerate"
    if low < 0 < high:
        return "saddle"
    return "stable node" if high < 0 else "unstable node"


def outcome(r, N, a):
    """Who survives, by the invasion test: does a rare species grow where the other has settled?

    Parameters
    ----------
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    str
        'coexistence', 'species 1 wins', 'species 2 wins', 'bistable', or 'degenerate' where a
        growth rate of a rare species is below 1e-12 of its rate alone.

    Raises
    ------
    ValueError
        If an argument is not a pair of finite numbers, or is out of range.
    """
    r, N, a = _case(r, N, a)
    rare = r - a * N[::-1]
    if np.any(np.abs(rare) <= 1e-12 * r):
        return "degenerate"
    invades = tuple(bool(rate > 0) for rate in rare)
    return {
        (True, True): "coexistence",
        (True, False): "species 1 wins",
        (False, True): "species 2 wins",
        (False, False): "bistable",
    }[invades]


def lyapunov(x, r, N, a):
    """Volterra's function, which falls along every orbit if the species coexist.

    Parameters
    ----------
    x : array_like, shape (..., 2)
        Populations, positive.
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    ndarray, shape (...)
        ``a_2 g(x_1, x_1*) + a_1 g(x_2, x_2*)`` with ``g(x, y) = x - y - y ln(x / y)``, or with
        weights 1 if an `a` is 0; zero at the interior equilibrium alone.

    Raises
    ------
    ValueError
        If an `x` is not positive, a parameter is out of range, or there is no interior equilibrium.
    """
    x, (r, N, a) = _pairs("x", x), _case(r, N, a)
    if not np.all(x > 0):
        raise ValueError(f"`x` must be positive (the logarithm is taken), got {x.min():g}")
    point = coexistence(r, N, a)
    if point is None:
        raise ValueError(f"`a` must leave an equilibrium with both species, got {a.tolist()}")
    weights = a[::-1] if np.all(a > 0) else np.ones(2)
    return (x - point - point * np.log(x / point)) @ weights


def simulate(t, x0, r, N, a):
    """Populations at given times.

    Parameters
    ----------
    t : array_like, shape (n,)
        Times, increasing, ``n >= 2``; the run starts at ``t[0]``.
    x0 : array_like, shape (2,)
        Populations at ``t[0]``, not negative; a species that is absent stays absent.
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    ndarray, shape (n, 2)
        By LSODA, with a relative error of about 1e-8.

    Raises
    ------
    ValueError
        If `t` does not increase, `x0` is negative, or a parameter is out of range.
    """
    t = np.asarray(t, dtype=float)
    if t.ndim != 1 or len(t) < 2 or not np.all(np.isfinite(t)) or not np.all(np.diff(t) > 0):
        raise ValueError(f"`t` must be 1-D, finite and increasing, 2 times or more, got {t}")
    x0, (r, N, a) = _pair("x0", x0), _case(r, N, a)
    if not np.all(x0 >= 0):
        raise ValueError(f"`x0` must not be negative (animals), got {x0.min():g}")
    present = x0 > 0

    # Logarithms keep a species that dies out positive, however rare it gets.
    def rates(_, y):
        x = present * np.exp(y)
        return present * (r - r / N * x - a * x[::-1])

    y0 = np.log(np.where(present, x0, 1.0))
    found = solve_ivp(rates, (t[0], t[-1]), y0, method="LSODA", t_eval=t, rtol=1e-10, atol=1e-10)
    return present * np.exp(found.y.T)


def separatrix(r, N, a, n=200):
    """Border between the starts from which species 1 wins and those from which species 2 wins.

    It is the stable manifold of the saddle, followed backwards in time.

    Parameters
    ----------
    r, N, a : array_like, shape (2,)
        As for `rhs`, with a bistable `outcome`.
    n : int, default 200
        Points on either side of the saddle, at least 2.

    Returns
    -------
    ndarray, shape (2n + 1, 2)
        From near the origin (no population above 1e-6 of its capacity) through the saddle, which is
        row ``n``, outwards until a population reaches 1.5 of its capacity; on each side evenly
        spaced in time.

    Raises
    ------
    ValueError
        If the outcome is not bistable, a parameter is out of range, or `n` is no integer of at
        least 2.
    """
    r, N, a = _case(r, N, a)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"`n` must be an integer of at least 2, got {n!r}")
    if (found := outcome(r, N, a)) != "bistable":
        raise ValueError(f"`a` must make the outcome bistable, got {a.tolist()}: {found}")
    saddle = coexistence(r, N, a)
    rates, vectors = np.linalg.eig(jacobian(saddle, r, N, a))
    stable = vectors[:, np.argmin(rates)] / saddle
    stable = stable / stable[np.argmax(np.abs(stable))]  # both entries are positive

    # Logarithms keep their digits near the origin, where one species is far rarer than the other.
    def backwards(_, y):
        x = np.exp(y)
        return r / N * x + a * x[::-1] - r

    def near_origin(_, y):
        return np.max(y - np.log(N)) - math.log(1e-6)

    def far_out(_, y):
        return np.max(y - np.log(N)) - math.log(1.5)

    branches = []
    for side, end in ((-1, near_origin), (1, far_out)):
        end.terminal = True
        run = solve_ivp(
            backwards,
            (0.0, math.inf),
            np.log(saddle) + side * 1e-6 * stable,
            method="DOP853",
            events=end,
            rtol=1e-10,
            atol=1e-12,
            dense_output=True,
        )
        branches.append(np.exp(run.sol(np.linspace(0, run.t[-1], n)).T))
    return np.concatenate([branches[0][::-1], saddle[None], branches[1]])


def latex_system(r, N, a):
    r"""LaTeX of the two equations with their numbers.

    Parameters
    ----------
    r, N, a : array_like, shape (2,)
        As for `rhs`.

    Returns
    -------
    str
        An ``aligned`` block behind a brace, without dollar signs.

    Raises
    ------
    ValueError
        If an argument is not a pair of finite numbers, or is out of range.
    """
    lines = [
        rf"\dot x_{i} &= {_latex(ri)}\,x_{i}\left(1-\frac{{x_{i}}}{{{_latex(Ni)}}}\right)"
        rf"-{_latex(ai)}\,x_1x_2"
        for i, ri, Ni, ai in zip((1, 2), *_case(r, N, a), strict=True)
    ]
    return r"\left\{\begin{aligned}" + r"\\ ".join(lines) + r"\end{aligned}\right."


def _latex(value):
    digits, _, power = f"{value:g}".partition("e")
    return rf"{digits}\times10^{{{int(power)}}}" if power else digits


def _pairs(name, value):
    value = np.asarray(value, dtype=float)
    if value.ndim == 0 or value.shape[-1] != 2:
        raise ValueError(f"`{name}` must have a last axis of length 2, got shape {value.shape}")
    return value


def _pair(name, value):
    value = _pairs(name, value)
    if value.shape != (2,) or not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be two finite numbers, got {value.tolist()}")
    return value


def _parameters(r, N, a):
    r, N, a = _pairs("r", r), _pairs("N", N), _pairs("a", a)
    for name, value, unit in (("r", r, "1/time"), ("N", N, "animals")):
        if not np.all((value > 0) & (value < math.inf)):
            raise ValueError(f"`{name}` must be positive and finite ({unit}), got {value.tolist()}")
    if not np.all((a >= 0) & (a < math.inf)):
        raise ValueError(f"`a` must be finite and not negative, got {a.tolist()}")
    return r, N, a


def _case(r, N, a):
    return _parameters(*(_pair(name, value) for name, value in zip("rNa", (r, N, a), strict=True)))
