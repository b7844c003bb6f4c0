"""Facts that the chapter on relativistic dynamics claims."""

import math

import mpmath
import numpy as np
import pytest
import scipy.constants
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from scispaces.physics.relativistic_dynamics import (
    boris,
    constant_force,
    coulomb_orbit,
    energy,
    free_action,
    invariant_mass,
    kinetic_energy,
    momentum,
    precession_angle,
    velocity,
)
from scispaces.physics.relativity_from_symmetry import boost_matrix, momentum_energy

SPEED = st.floats(-0.99, 0.99).map(lambda v: round(v, 6))
MOMENTUM = st.tuples(*[st.floats(-5, 5).map(lambda q: round(q, 6))] * 3).map(np.array)
MASS = st.floats(0.1, 10)
G = 9.80665
YEAR = 365.25 * 86400
LIGHT = scipy.constants.c

# By hand, except for the orbit and the precession, which come from mpmath at 30 digits.
ROWS = {
    "momentum": (lambda: momentum([0.6, 0, 0]), [0.75, 0, 0], 1e-15),
    "energy": (lambda: energy([0.75, 0, 0]), 1.25, 1e-15),
    "kinetic energy": (lambda: kinetic_energy([0.75]), 0.25, 1e-15),
    "slow": (lambda: kinetic_energy([1e-9]), 5e-19, 1e-33),
    "photon": (lambda: velocity([3, 4, 0], mass=0), [0.6, 0.8, 0], 1e-15),
    "energy of a photon": (lambda: energy([3, 4], 0), 5, 0),
    "opposite photons": (lambda: invariant_mass([[3, 0, 0], [-3, 0, 0]], 0), 6, 0),
    "crossing photons": (lambda: invariant_mass([[1, 0], [0, 1]], 0), math.sqrt(2), 1e-15),
    "parallel photons": (lambda: invariant_mass([[1, 0], [2, 0]], 0), 0, 0),
    "at rest": (lambda: free_action([0, 10], [0, 0]), -10, 0),
    "there and back at 0.6": (lambda: free_action([0, 5, 10], [0, 3, 0]), -8, 1e-15),
    "there and back at 0.8": (lambda: free_action([0, 5, 10], [0, 4, 0]), -6, 1e-15),
    "constant force": (
        lambda: constant_force(1, 1),
        [math.sqrt(2) - 1, math.sqrt(0.5), math.asinh(1)],
        1e-15,
    ),
    "quarter turn": (lambda: precession_angle(1, 0.6), math.pi / 2, 1e-15),
    "precession": (lambda: precession_angle(1, 0.1), 0.0316535268, 1e-10),
    "orbit": (lambda: coulomb_orbit(0, L=1, k=0.5, E=0.9), 1.0792159249, 1e-10),
}


@pytest.mark.verifies("eq-relativistic-dynamics-momentum", by="closed form")
@pytest.mark.verifies("eq-relativistic-dynamics-action", by="closed form")
@pytest.mark.verifies("eq-relativistic-dynamics-photons", by="closed form")
@pytest.mark.verifies("eq-relativistic-dynamics-precession", by="closed form")
@pytest.mark.parametrize(("value", "expected", "atol"), ROWS.values(), ids=ROWS)
def test_numbers(value, expected, atol):
    assert_allclose(value(), expected, rtol=0, atol=atol)


@pytest.mark.verifies("eq-relativistic-dynamics-momentum", by="property")
@pytest.mark.verifies("eq-relativistic-dynamics-action", by="property")
@given(SPEED, MASS)
def test_momentum_is_the_slope_of_the_action(v, mass):
    # Central differences of -m c sqrt(c^2 - v^2) with c = 1; near 0.99 the third derivative is
    # 1e5, times h^2 = 1e-10, and rounding of 1e-15 / h.
    h = 1e-5 * (1 - abs(v))
    slope = (free_action([0, 1], [0, v + h], mass) - free_action([0, 1], [0, v - h], mass)) / 2 / h
    assert_allclose(slope, momentum([v], mass)[0], rtol=1e-6, atol=1e-7)


@pytest.mark.verifies("eq-relativistic-dynamics-energy", by="property")
@given(MOMENTUM, MASS, st.floats(0.1, 10))
def test_energy_is_pv_minus_l(p, mass, c):
    v = velocity(p, mass, c)
    L = -mass * c**2 * math.sqrt(1 - v @ v / c**2)
    assert_allclose(energy(p, mass, c), p @ v - L, rtol=1e-9)
    assert_allclose(momentum(v, mass, c), p, rtol=1e-9, atol=1e-12)
    gamma = 1 / math.sqrt(1 - v @ v / c**2)
    assert_allclose(energy(p, mass, c), gamma * mass * c**2, rtol=1e-9)


@pytest.mark.verifies("eq-relativistic-dynamics-hamiltonian", by="property")
@given(MOMENTUM, MASS, st.floats(0.1, 10))
def test_energy_and_momentum_lie_on_a_shell(p, mass, c):
    E = energy(p, mass, c)
    assert_allclose(E**2, (p @ p) * c**2 + mass**2 * c**4, rtol=1e-13)
    assert_allclose(velocity(p, mass, c), c**2 * p / E, rtol=1e-13)
    assert_allclose(kinetic_energy(p, mass, c), E - mass * c**2, rtol=0, atol=1e-12 * E)


@pytest.mark.verifies("eq-relativistic-dynamics-hamiltonian", by="property")
@given(MOMENTUM, MASS)
def test_velocity_is_the_slope_of_the_energy(p, mass):
    h = 1e-5
    slopes = [(energy(p + d, mass) - energy(p - d, mass)) / (2 * h) for d in h * np.eye(3)]
    # h^2 times a third derivative of up to 1 / mass^2, and 1e-15 / h.
    assert_allclose(slopes, velocity(p, mass), rtol=0, atol=1e-7)


@given(SPEED)
def test_agrees_with_the_chapter_on_symmetry(v):
    p, T = momentum_energy(v, 2.0, 0.25)
    assert_allclose(momentum([v], 2.0, 2.0), [p], rtol=1e-13)
    assert_allclose(kinetic_energy([p], 2.0, 2.0), T, rtol=1e-12)


def test_extremes():
    assert_allclose(velocity([1e150, 0], 1.0), [1, 0])
    assert_allclose(velocity([1e-200], 1.0), [1e-200], rtol=1e-15)
    # Newton's p^2 / 2m, off by p^2 / 4 of itself.
    assert_allclose(kinetic_energy([1e-4], 2.0), 2.5e-9, rtol=1e-8)


def boosted(t, x, eta):
    return boost_matrix(eta) @ np.stack([t, x])


@pytest.mark.verifies("eq-relativistic-dynamics-action", by="property")
@given(st.lists(SPEED, min_size=1, max_size=6), st.floats(-1.5, 1.5))
def test_action_is_the_same_for_all(speeds, eta):
    t = np.arange(len(speeds) + 1.0)
    x = np.concatenate([[0], np.cumsum(speeds)])
    # A boost makes squares of up to 500 cancel to 0.02.
    assert_allclose(free_action(*boosted(t, x, eta)), free_action(t, x), rtol=1e-9)


@pytest.mark.verifies("eq-relativistic-dynamics-galilei", by="property")
@given(st.lists(SPEED, min_size=1, max_size=6), st.floats(-2, 2))
def test_newton_changes_by_its_ends_alone(speeds, u):
    t = np.arange(len(speeds) + 1.0)
    x = np.concatenate([[0], np.cumsum(speeds)])
    T, X = boost_matrix(u, 0.0) @ np.stack([t, x])

    def newton(t, x):
        return np.sum(np.diff(x) ** 2 / np.diff(t)) / 2

    by_ends = u * (x[-1] - x[0]) + u**2 / 2 * (t[-1] - t[0])
    assert_allclose(newton(T, X) - newton(t, x), by_ends, rtol=0, atol=1e-12)


def test_newton_does_not_survive_a_boost():
    # Two ways between the same events change by different amounts: the table of the chapter.
    t, straight, bent = np.array([0.0, 5, 10]), np.zeros(3), np.array([0.0, 3, 0])

    def newton(t, x):
        return np.sum(np.diff(x) ** 2 / np.diff(t)) / 2

    changes = [newton(*boosted(t, x, 0.5)) - newton(t, x) for x in (straight, bent)]
    assert abs(changes[0] - changes[1]) > 0.1


@given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=6), st.floats(-0.9, 0.9))
def test_straight_worldlines_have_the_least_action(wiggle, v):
    t = np.linspace(0, 1, len(wiggle) + 2)
    steps = np.concatenate([wiggle, [0.0]]) * 0.1
    x = v * t + np.concatenate([[0], np.cumsum(steps - steps.mean()) * np.diff(t)])
    assert free_action(t, x) >= free_action([0, 1], [0, v]) - 1e-14


@pytest.mark.verifies("eq-relativistic-dynamics-kink", by="property")
def test_corners_feel_the_difference_of_momenta():
    t, x, h = np.array([0.0, 1.0, 2.5, 3.0]), np.array([0.0, 0.4, -0.2, 0.1]), 1e-6
    p = momentum((np.diff(x) / np.diff(t))[:, None], mass=2.0)[:, 0]
    for i in (1, 2):
        d = h * np.eye(4)[i]
        slope = (free_action(t, x + d, 2.0) - free_action(t, x - d, 2.0)) / (2 * h)
        assert_allclose(slope, p[i - 1] - p[i], rtol=1e-8)


def relax(steps):
    t = np.linspace(0, 10, 42)
    y = 0.3 * t
    y[1:-1] += 0.05 * np.random.default_rng(0).normal(size=40)
    for _ in range(steps):
        p = momentum((np.diff(y) / np.diff(t))[:, None])[:, 0]
        y[1:-1] -= 0.06 * (p[:-1] - p[1:])
    return t, y


def test_descent_finds_the_straight_line():
    t, y = relax(4000)
    assert_allclose(free_action(t, y), -math.sqrt(91), rtol=0, atol=1e-6)
    assert np.max(np.abs(y - 0.3 * t)) < 1e-4


@pytest.mark.verifies("eq-relativistic-dynamics-photons", by="property")
@given(st.lists(MOMENTUM, min_size=1, max_size=4), MASS, st.floats(-1, 1))
def test_mass_of_a_system(momenta, mass, eta):
    p = np.array(momenta)
    M = invariant_mass(p, mass)
    assert len(p) * mass * (1 - 1e-9) <= M
    E, px = boost_matrix(eta) @ np.stack([energy(p, mass), p[:, 0]])
    assert_allclose(invariant_mass(np.column_stack([px, p[:, 1:]]), mass), M, rtol=1e-7)
    assert_allclose(E.sum() ** 2, M**2 + np.sum(np.array([px.sum(), *p[:, 1:].sum(0)]) ** 2))


@pytest.mark.verifies("eq-relativistic-dynamics-photons", by="closed form")
@given(st.floats(0.1, 5), st.floats(0.1, 5), st.floats(0.1, 3.1))
def test_two_photons(E1, E2, angle):
    p = [[E1, 0], [E2 * math.cos(angle), E2 * math.sin(angle)]]
    # Small angles cancel.
    assert_allclose(
        invariant_mass(p, [0, 0]), math.sqrt(2 * E1 * E2 * (1 - math.cos(angle))), rtol=1e-11
    )


@pytest.mark.verifies("eq-relativistic-dynamics-rocket", by="library")
@pytest.mark.parametrize(("force", "mass", "c"), [(1.0, 1.0, 1.0), (-0.7, 2.0, 3.0)])
def test_constant_force_agrees_with_an_integrator(force, mass, c):
    def rate(_, y):
        v = velocity(y[:1], mass, c)[0]
        return [force, v, math.sqrt(1 - (v / c) ** 2)]

    t = np.linspace(0, 6, 13)
    found = solve_ivp(rate, (0, 6), [0, 0, 0], t_eval=t, rtol=1e-12, atol=1e-13)
    p, x, tau = found.y
    ours = constant_force(t, force, mass, c)
    assert_allclose(ours[0], x, rtol=0, atol=1e-10)
    assert_allclose(ours[1], velocity(p[:, None], mass, c)[:, 0], rtol=0, atol=1e-12)
    assert_allclose(ours[2], tau, rtol=0, atol=1e-10)


def test_no_force_and_little_force():
    for force in (0.0, 1e-12):
        x, v, tau = constant_force([0.0, 2.0], force)
        assert_allclose(x, [0, 2 * force], rtol=1e-12)
        assert_allclose(v, [0, 2 * force], rtol=1e-12)
        assert_allclose(tau, [0, 2], rtol=1e-15)


@pytest.mark.verifies("eq-relativistic-dynamics-rocket", by="closed form")
def test_worldline_is_a_hyperbola():
    # (x + 1/g)^2 - t^2 = 1/g^2, and x = (cosh(g tau) - 1) / g.
    t = np.linspace(0, 20, 21)
    x, v, tau = constant_force(t, 0.5)
    assert_allclose((x + 2) ** 2 - t**2, 4, rtol=1e-12)
    assert_allclose(x, 2 * (np.cosh(0.5 * tau) - 1), rtol=1e-12)
    assert_allclose(v, np.tanh(0.5 * tau), rtol=1e-13)


@pytest.mark.verifies("eq-relativistic-dynamics-flip", by="closed form")
def test_one_g():
    x, v, tau = constant_force(10 * YEAR, G, c=LIGHT)
    light_year = LIGHT * YEAR
    assert_allclose([x / light_year, v / LIGHT, tau / YEAR], [9.078096, 0.9953407, 2.935066], 1e-6)
    # Half-way to Andromeda: the crew from arcosh, the Earth from the hyperbola.
    half = 2.537e6 / 2 * light_year
    with mpmath.workdps(30):
        z = 1 + mpmath.mpf(G) * mpmath.mpf(half) / mpmath.mpf(LIGHT) ** 2
        crew = 2 * mpmath.mpf(LIGHT) / G * mpmath.acosh(z) / YEAR
        earth = 2 * mpmath.mpf(LIGHT) / G * mpmath.sqrt(z * z - 1) / YEAR
    assert_allclose([float(crew), float(earth)], [28.6319, 2537001.9], rtol=2e-6)
    x, _, tau = constant_force(float(earth) / 2 * YEAR, G, c=LIGHT)
    assert_allclose([x, 2 * tau / YEAR], [half, float(crew)], rtol=1e-12)


@pytest.mark.verifies("eq-relativistic-dynamics-cyclotron", by="closed form")
def test_cyclotron():
    period, n = 2 * math.pi * 1.25, 400
    X, P = boris([0, 0, 0], [0.75, 0, 0], [0, 0, 0], [0, 0, 1], period / n, n)
    assert np.max(np.abs(np.linalg.norm(P, axis=1) - 0.75)) < 1e-14
    # The rotation lags by (omega dt)^2 / 12 of an angle: 1.3e-4 in 2 pi, times the radius.
    assert np.linalg.norm(X[-1] - X[0]) < 2e-4
    # Centre below the start: the force on a positive charge points to -y.
    radii = np.linalg.norm(X - [0, -0.75, 0], axis=1)
    assert_allclose(radii, 0.75, rtol=1e-4)


@pytest.mark.verifies("eq-relativistic-dynamics-drift", by="closed form")
def test_drift():
    X, _ = boris([0, 0, 0], [0, 0, 0], [0, 0.5, 0], [0, 0, 1], 0.05, 4000)
    # Within one turn of at most 4 units in 200.
    assert abs(X[-1, 0] / 200 - 0.5) < 0.005
    opposite, _ = boris([0, 0, 0], [0, 0, 0], [0, 0.5, 0], [0, 0, 1], 0.2, 1000, charge=-1.0)
    assert abs(opposite[-1, 0] / 200 - 0.5) < 0.01


def test_no_drift_where_the_electric_field_wins():
    _, P = boris([0, 0, 0], [0, 0, 0], [[0, 0.9, 0], [0, 1.2, 0]], [0, 0, 1], 0.2, 2000)
    sizes = np.linalg.norm(P, axis=-1)
    assert sizes[:, 0].max() < 12
    assert sizes[-1, 1] > 100


@pytest.mark.verifies("eq-relativistic-dynamics-lorentz", by="library")
def test_boris_agrees_with_an_integrator():
    E, B = np.array([0.2, -0.3, 0.1]), np.array([0.4, 0.1, 0.9])
    x0, p0 = np.array([1.0, 2, 3]), np.array([0.5, -0.2, 0.4])

    def rate(_, y):
        v = velocity(y[3:], 2.0, 1.5)
        return np.concatenate([v, -0.8 * (E + np.cross(v, B))])

    end = solve_ivp(rate, (0, 5), np.concatenate([x0, p0]), rtol=1e-12, atol=1e-12).y[:, -1]
    errors = []
    for n in (50, 100, 200):
        X, P = boris(x0, p0, E, B, 5 / n, n, charge=-0.8, mass=2.0, c=1.5)
        errors.append(np.linalg.norm(np.concatenate([X[-1], P[-1]]) - end))
    assert errors[-1] < 1e-4
    # Second order: a quarter per halving.
    assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 4, atol=0.2)


@given(MOMENTUM, MOMENTUM, MOMENTUM)
@settings(max_examples=20, deadline=None)
def test_boris_runs_backwards(p, E, B):
    X, P = boris([0, 0, 0], p, E, B, 0.1, 20)
    back, _ = boris(X[-1], -P[-1], E, -B, 0.1, 20)
    # Momenta up to 15 and places up to 2, over 40 steps.
    assert_allclose(back[-1], X[0], rtol=0, atol=1e-11)


def test_boris_along_the_electric_field_is_exact():
    X, P = boris([0, 0, 0], [0.3, 0, 0], [2, 0, 0], [0, 0, 0], 0.1, 10)
    assert_allclose(P[:, 0], 0.3 + 0.2 * np.arange(11), rtol=1e-14)
    assert X.shape == P.shape == (11, 3)


@pytest.mark.verifies("eq-relativistic-dynamics-binet", by="library")
@pytest.mark.verifies("eq-relativistic-dynamics-orbit", by="library")
def test_orbit_agrees_with_an_integrator():
    L, k, E = 1.0, 0.5, 0.9

    def rate(_, y):
        r = np.hypot(*y[:2])
        return np.concatenate([velocity(y[2:]), -k * y[:2] / r**3])

    near = coulomb_orbit(0.0, L, k, E)
    start = [near, 0, 0, L / near]
    found = solve_ivp(rate, (0, 120), start, method="DOP853", rtol=1e-12, atol=1e-12)
    x, y, px, py = found.y
    phi, r = np.unwrap(np.arctan2(y, x)), np.hypot(x, y)
    assert phi[-1] > 20
    assert_allclose(coulomb_orbit(phi, L, k, E), r, rtol=1e-9)
    p = np.stack([px, py], axis=-1)
    assert_allclose(energy(p) - k / r, E, rtol=1e-10)
    assert_allclose(x * py - y * px, L, rtol=1e-10)


@pytest.mark.verifies("eq-relativistic-dynamics-binet", by="property")
def test_orbit_oscillates_about_its_mean():
    # u'' + lambda^2 u = k E / (c L)^2, by central differences of u = 1 / r.
    L, k, E, mass, c, h = 1.3, 0.9, 4.2, 1.1, 2.0, 1e-3
    phi = np.linspace(0, 12, 25)
    u = [1 / coulomb_orbit(phi + d, L, k, E, mass, c) for d in (-h, 0.0, h)]
    second = (u[0] - 2 * u[1] + u[2]) / h**2
    stiffness = 1 - (k / (L * c)) ** 2
    # h^2 / 12 times a fourth derivative of size 1.
    assert_allclose(second + stiffness * u[1], k * E / (c * L) ** 2, rtol=0, atol=1e-6)


@pytest.mark.verifies("eq-relativistic-dynamics-precession", by="property")
def test_perihelion_comes_back_late():
    L, k, E = 1.0, 0.6, 0.9
    turn = 2 * math.pi + precession_angle(L, k)
    assert_allclose(coulomb_orbit(turn, L, k, E), coulomb_orbit(0.0, L, k, E), rtol=1e-14)
    assert coulomb_orbit(turn * 0.97, L, k, E) > coulomb_orbit(turn, L, k, E)


@pytest.mark.verifies("eq-relativistic-dynamics-scalar", by="library")
def test_scalar_coupling_turns_the_other_way():
    # H^2 = p^2 + (1 - k/r)^2: time between nearest points from an integration in the angle.
    L, k = 1.0, 0.3
    u0 = 0.35
    E = math.sqrt(L**2 * u0**2 + (1 - k * u0) ** 2)
    stiffness = 1 + k**2 / L**2
    mean = k / (L**2 * stiffness)

    def rate(_, y):
        x, p = y[:2], y[2:]
        r = np.hypot(*x)
        H = math.sqrt(p @ p + (1 - k / r) ** 2)
        # dp/dt = -dH/dx
        return np.concatenate([p / H, -(1 - k / r) / H * k * x / r**3])

    start = [1 / u0, 0, 0, L * u0]
    found = solve_ivp(rate, (0, 250), start, method="DOP853", rtol=1e-12, atol=1e-12)
    x, y = found.y[:2]
    phi, u = np.unwrap(np.arctan2(y, x)), 1 / np.hypot(x, y)
    assert phi[-1] > 6
    assert_allclose(u, mean + (u0 - mean) * np.cos(math.sqrt(stiffness) * phi), atol=1e-9)
    assert E < 1


def test_circular_orbits():
    least = math.sqrt(1 - 0.25)
    r = coulomb_orbit(np.linspace(0, 6, 7), 1.0, 0.5, least)
    assert_allclose(r, r[0], rtol=1e-7)
    assert_allclose(r[0], 0.75 / (least * 0.5), rtol=1e-7)
    assert coulomb_orbit(math.pi, 1.0, 0.5, 1.5) == np.inf


def mercury():
    GM, a, e = 1.32712440018e20, 5.790905e10, 0.205630
    orbits = 36525 / 87.9691
    arcseconds = 180 / math.pi * 3600
    ours = precession_angle(math.sqrt(GM * a * (1 - e**2)), GM, LIGHT) * orbits * arcseconds
    einstein = 6 * math.pi * GM / (LIGHT**2 * a * (1 - e**2)) * orbits * arcseconds
    return ours, einstein


@pytest.mark.verifies("eq-relativistic-dynamics-precession", by="literature")
def test_one_sixth_of_mercury():
    ours, einstein = mercury()
    assert_allclose([ours, einstein], [7.1634, 42.9807], atol=5e-5)
    assert_allclose(ours / einstein, 1 / 6, rtol=1e-6)


@pytest.mark.verifies("eq-relativistic-dynamics-photon-rocket", by="property")
@given(st.floats(0.01, 0.99))
def test_photon_rocket(beta):
    ratio = math.sqrt((1 + beta) / (1 - beta))
    # Ship of mass 1 leaves with beta, the light with the rest of energy and momentum.
    p = momentum([beta])[0]
    before = invariant_mass([[p], [-p]], [1.0, 0.0])
    assert_allclose(before, ratio, rtol=1e-12)


def test_numbers_quoted_in_the_chapter():
    # A proton of 10 MeV is half a turn late after 50 turns.
    rest = scipy.constants.physical_constants["proton mass energy equivalent in MeV"][0]
    assert_allclose(10 / rest * 50, 0.53, atol=0.005)
    # Threshold for p + p -> 4 p: kinetic energy of 6 masses.
    p = math.sqrt(7**2 - 1)
    assert_allclose(invariant_mass([[p], [0]], 1.0), 4, rtol=1e-14)
    # A rotating corner: forces along and across the motion.
    v, h = 0.8, 1e-6
    along = (momentum([v + h, 0]) - momentum([v - h, 0]))[0] / (2 * h)
    across = momentum([v, h])[1] / h
    assert_allclose([along, across], [(5 / 3) ** 3, 5 / 3], rtol=1e-8)
    # Precession in degrees at k = 0.02, 0.5, 0.98.
    degrees = [math.degrees(precession_angle(1, k)) for k in (0.02, 0.5, 0.98)]
    assert_allclose(degrees, [0.07, 55.7, 1449.1], atol=0.05)
    # One year of 1 g: hyperbola against parabola.
    v = constant_force(YEAR, G, c=LIGHT)[1]
    assert_allclose([v / LIGHT, G * YEAR / LIGHT], [0.718, 1.032], atol=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: momentum([1.0, 0]), "`v` must be slower than `c`, got 1 c"),
        (lambda: momentum([0.5], mass=0), "`mass` must be positive and finite, got 0"),
        (lambda: momentum([math.nan]), "`v` must be finite, got nan"),
        (lambda: velocity([0.0, 0], mass=0), "`p` must not be zero for a particle with `mass` 0"),
        (lambda: velocity([1.0], mass=-1), "`mass` must be finite and not negative, got -1"),
        (lambda: energy([math.inf]), "`p` must be finite, got inf"),
        (lambda: energy([1.0], c=0), "`c` must be positive and finite, got 0"),
        (lambda: kinetic_energy([1.0], mass=0), "`mass` must be positive and finite, got 0"),
        (lambda: invariant_mass([1, 2], 0), r"`p` must have shape \(n, d\), got \(2,\)"),
        (lambda: invariant_mass([[1]], -1), "`mass` must not be negative, got -1"),
        (lambda: free_action([0, 1], [0, 1]), "`x` must move slower than `c`"),
        (lambda: free_action([1, 0], [0, 0]), "`x` must move slower than `c`"),
        (
            lambda: free_action([0], [0]),
            r"`t` must have shape \(n,\) with n at least 2, got \(1,\)",
        ),
        (lambda: free_action([0, 1], [0]), r"`x` must have 2 rows to match `t`, got shape \(1,\)"),
        (lambda: constant_force(1, math.nan), "`force` must be finite, got nan"),
        (lambda: constant_force(1, 1, mass=-1), "`mass` must be positive and finite, got -1"),
        (
            lambda: boris([0, 0], [0] * 3, [0] * 3, [0] * 3, 0.1, 1),
            r"`x0` must have three components, got shape \(2,\)",
        ),
        (
            lambda: boris([0] * 3, [0] * 3, [0] * 3, [0] * 3, 0, 1),
            "`dt` must be positive and finite, got 0",
        ),
        (
            lambda: boris([0] * 3, [0] * 3, [0] * 3, [0] * 3, 0.1, 0),
            "`n_steps` must be an integer of at least 1, got 0",
        ),
        (lambda: coulomb_orbit(0, 1, 1, 1), "`k` must be below `L` times `c`, 1, got 1"),
        (lambda: coulomb_orbit(0, 1, 0.5, 0.8), "`E` must be at least 0.866.*got 0.8"),
        (lambda: coulomb_orbit(0, 1, -1, 1), "`k` must be positive and finite, got -1"),
        (lambda: precession_angle(0, 0.5), "`L` must be positive and finite, got 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
