"""Integrals found by differentiating with respect to a parameter, and how far that may go."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import sici

__all__ = [
    "abel_cos",
    "abel_lorentz",
    "check_family",
    "cos_lorentz",
    "cos_lorentz_derivative",
    "cos_lorentz_quad",
    "leibniz",
    "truncated",
]


def cos_lorentz(a, c=1.0):
    """Integral of ``cos(a x) / (c**2 + x**2)`` over the real line, in closed form.

    Parameters
    ----------
    a : array_like, shape (...)
        Frequency; any real number.
    c : float, default 1.0
        Width of the Lorentz curve, ``c > 0``.

    Returns
    -------
    ndarray or float, shape (...)
        ``pi / c * exp(-|a| c)``.

    Raises
    ------
    ValueError
        If `a` is not finite, or `c` is not positive and finite.

    References
    ----------
    .. [1] Su Jianlin, https://kexue.fm/archives/1946 (2013).
    """
    a, c = _finite("a", a), _positive("c", c)
    return math.pi / c * np.exp(-np.abs(a) * c)


def cos_lorentz_derivative(a, c=1.0):
    """Derivative of `cos_lorentz` with respect to `a`.

    Parameters
    ----------
    a : array_like, shape (...)
    c : float, default 1.0

    Returns
    -------
    ndarray or float, shape (...)
        ``-pi * sign(a) * exp(-|a| c)``; zero at the corner, the mean of both sides.

    Raises
    ------
    ValueError
        If `a` is not finite, or `c` is not positive and finite.
    """
    a, c = _finite("a", a), _positive("c", c)
    return -math.pi * np.sign(a) * np.exp(-np.abs(a) * c)


def cos_lorentz_quad(a, c=1.0):
    """Integral of ``cos(a x) / (c**2 + x**2)`` over the real line, by quadrature.

    Parameters
    ----------
    a : float
    c : float, default 1.0

    Returns
    -------
    float
        Off by less than 1e-9 for ``1e-3 <= |a| <= 50`` and for ``a = 0``.

    Raises
    ------
    ValueError
        If `a` is not finite, or `c` is not positive and finite.
    """
    a, c = float(_finite("a", a)), _positive("c", c)

    def curve(x):
        return 1 / (c * c + x * x)

    if a == 0:
        return 2 * quad(curve, 0, math.inf, epsabs=1e-12)[0]
    # QUADPACK sums the cycles of the cosine and extrapolates the alternating series.
    return 2 * quad(curve, 0, math.inf, weight="cos", wvar=abs(a), epsabs=1e-11, limlst=500)[0]


def truncated(a, L):
    """Integral of ``cos(a x) / (1 + x**2)`` over [-L, L], and its two derivatives in `a`.

    Parameters
    ----------
    a : float
    L : float
        Where the integral is cut off, ``L > 0``.

    Returns
    -------
    F, dF, d2F : float
        Off by less than 1e-8 for ``|a| <= 20`` and ``L <= 1000``.

    Raises
    ------
    ValueError
        If `a` is not finite, or `L` is not positive and finite.
    """
    a, L = float(_finite("a", a)), _positive("L", L)
    if a == 0:
        area = 2 * math.atan(L)
        return area, 0.0, area - 2 * L
    settings = {"wvar": a, "epsabs": 1e-11, "limit": 400}
    F = 2 * quad(lambda x: 1 / (1 + x * x), 0, L, weight="cos", **settings)[0]
    dF = -2 * quad(lambda x: x / (1 + x * x), 0, L, weight="sin", **settings)[0]
    d2F = -2 * quad(lambda x: x * x / (1 + x * x), 0, L, weight="cos", **settings)[0]
    return F, dF, d2F


def abel_cos(a, eps):
    """Integral of ``exp(-eps |x|) cos(a x)`` over the real line.

    Parameters
    ----------
    a : array_like, shape (...)
    eps : float
        Rate of damping, ``eps > 0``.

    Returns
    -------
    ndarray or float, shape (...)
        ``2 eps / (eps**2 + a**2)``: its area over all `a` is 2 pi for every `eps`.

    Raises
    ------
    ValueError
        If `a` is not finite, or `eps` is not positive and finite.
    """
    a, eps = _finite("a", a), _positive("eps", eps)
    return 2 * eps / (eps * eps + a * a)


def abel_lorentz(a, eps):
    """Integral of ``exp(-eps |x|) cos(a x) / (1 + x**2)`` over the real line.

    Parameters
    ----------
    a : array_like, shape (...)
    eps : float
        Rate of damping, ``eps > 0``.

    Returns
    -------
    ndarray or float, shape (...)

    Raises
    ------
    ValueError
        If `a` is not finite, or `eps` is not positive and finite.

    References
    ----------
    .. [1] NIST Digital Library of Mathematical Functions, 6.7.13 (auxiliary function f).
    """
    a, eps = _finite("a", a), _positive("eps", eps)
    z = eps - 1j * np.abs(a)
    si, ci = sici(z)
    return 2 * np.real(ci * np.sin(z) + (math.pi / 2 - si) * np.cos(z))


def leibniz(f, df_da, a, lower, upper, dlower=None, dupper=None):
    """Derivative in `a` of the integral of ``f(x, a)`` from ``lower(a)`` to ``upper(a)``.

    Parameters
    ----------
    f, df_da : callable
        The integrand and its partial derivative in `a`, both of ``(x, a)``.
    a : float
    lower, upper : callable
        Limits as functions of `a`; may return an infinity.
    dlower, dupper : callable, optional
        Derivatives of the limits; left out where a limit does not move.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `a` is not finite, or an infinite limit is said to move.
    """
    a = float(_finite("a", a))
    low, high = lower(a), upper(a)
    total = quad(df_da, low, high, args=(a,), epsabs=1e-12, epsrel=1e-12, limit=200)[0]
    for name, sign, limit, speed in (("dlower", -1, low, dlower), ("dupper", 1, high, dupper)):
        if speed is not None:
            if not math.isfinite(limit):
                raise ValueError(f"`{name}` must be None, because the limit is {limit}")
            total += sign * f(limit, a) * speed(a)
    return total


def _log_power(a):
    def power(x):
        # expm1 keeps the quotient right near x = 1, where both vanish.
        return math.expm1(a * math.log(x)) / math.log(x) if 0 < x < 1 else (a if x else 0.0)

    value = quad(power, 0, 1, epsabs=1e-11, limit=200)[0]
    derivative = quad(lambda x: 1.0, 0, 1, weight="alg", wvar=(a, 0), epsabs=1e-12)[0]
    return value, math.log1p(a), derivative, 1 / (1 + a)


def _damped_sinc(a):
    def damping(x):
        return math.exp(-a * x)

    value = quad(lambda x: damping(x) * np.sinc(x / math.pi), 0, 40 / a, epsabs=1e-11, limit=2000)
    # The slope in a is -exp(-a x) sin x: QUADPACK's rule for a sine takes the exponential alone.
    slope = quad(lambda x: -damping(x), 0, math.inf, weight="sin", wvar=1, epsabs=1e-11)
    return value[0], math.atan(1 / a), slope[0], -1 / (1 + a * a)


def _gauss_cos(a):
    # Beyond x = 7 the bell is below 1e-21.
    value = 2 * quad(lambda x: math.exp(-x * x) * math.cos(a * x), 0, 7, epsabs=1e-12)[0]
    slope = -2 * quad(lambda x: x * math.exp(-x * x) * math.sin(a * x), 0, 7, epsabs=1e-12)[0]
    closed = math.sqrt(math.pi) * math.exp(-a * a / 4)
    return value, closed, slope, -a / 2 * closed


_FAMILIES = {
    "log_power": (_log_power, -1.0, "`a` must be above -1 for 'log_power'"),
    "damped_sinc": (_damped_sinc, 0.0, "`a` must be positive for 'damped_sinc'"),
    "gauss_cos": (_gauss_cos, -math.inf, ""),
}


def check_family(name, a):
    """Compare the closed form of a family of integrals with quadrature.

    Parameters
    ----------
    name : {"log_power", "damped_sinc", "gauss_cos"}
        Integral of ``(x**a - 1) / ln x`` over [0, 1], of ``exp(-a x) sin(x) / x`` over the positive
        half-line, or of ``exp(-x**2) cos(a x)`` over the real line.
    a : float
        Above -1 for "log_power", positive for "damped_sinc".

    Returns
    -------
    dict of str to float
        ``value`` by quadrature and ``closed``; ``derivative`` in `a`, by quadrature of the
        differentiated integrand, and ``d_closed``.

    Raises
    ------
    ValueError
        If `name` is unknown, or `a` is not finite or out of range.
    """
    if name not in _FAMILIES:
        raise ValueError(f"`name` must be one of {sorted(_FAMILIES)}, got {name!r}")
    a = float(_finite("a", a))
    family, low, complaint = _FAMILIES[name]
    if a <= low:
        raise ValueError(f"{complaint}, got {a:g}")
    return dict(zip(("value", "closed", "derivative", "d_closed"), family(a), strict=True))


def _finite(name, value):
    value = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(value)):
        raise ValueError(f"`{name}` must be finite, got {value[~np.isfinite(value)].flat[0]}")
    return value[()]


def _positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"`{name}` must be positive and finite, got {value}")
    return float(value)
