"""Facts that the chapter on Feynman's cup claims."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.transform import Rotation

from scispaces.physics.feynman_cup import (
    arm_quaternion,
    axis_angle_to_quat,
    interference,
    lift_path,
    loop_class,
    quat_mul,
    quat_to_matrix,
    quat_to_su2,
    string_points,
    untwist,
)

Z, PI = [0, 0, 1], math.pi
ONE, X_UNIT, _, Z_UNIT = np.eye(4)

numbers = st.floats(-2, 2).map(lambda v: round(v, 3))
quats = arrays(float, 4, elements=numbers).filter(lambda q: np.linalg.norm(q) > 0.1)
axes = arrays(float, 3, elements=numbers).filter(lambda v: np.linalg.norm(v) > 0.1)
angles = st.floats(-15, 15)
unit = st.floats(0, 1)


def turns(k, axis=Z, frames=121):
    return quat_to_matrix(axis_angle_to_quat(axis, np.linspace(0, 2 * PI * k, frames)))


@pytest.mark.verifies("eq-feynman-cup-product", by="closed form")
def test_multiplication_table():
    i, j, k = np.eye(4)[1:]
    for a, b, c in ((i, j, k), (j, k, i), (k, i, j)):
        assert_array_equal(quat_mul(a, b), c)
        assert_array_equal(quat_mul(b, a), -c)
        assert_array_equal(quat_mul(a, a), -ONE)
        assert_array_equal(quat_mul(ONE, a), a)
    assert quat_mul(np.ones((3, 1, 4)), np.ones((2, 4))).shape == (3, 2, 4)


@pytest.mark.verifies("eq-feynman-cup-product", by="library")
@pytest.mark.verifies("eq-feynman-cup-rotation", by="library")
@given(quats, quats)
def test_products_agree_with_scipy(a, b):
    peers = [Rotation.from_quat(q, scalar_first=True) for q in (a, b)]
    product = quat_mul(a, b)
    assert_allclose(quat_to_matrix(product), (peers[0] * peers[1]).as_matrix(), atol=1e-12)
    assert_allclose(quat_to_matrix(a), peers[0].as_matrix(), atol=1e-13)
    assert_allclose(np.linalg.norm(product), np.linalg.norm(a) * np.linalg.norm(b), rtol=1e-12)


@pytest.mark.verifies("eq-feynman-cup-rotation", by="library")
@given(axes, angles, axes)
def test_rotations_agree_with_scipy(axis, angle, v):
    q = axis_angle_to_quat(axis, angle)
    peer = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
    assert_allclose(quat_to_matrix(q) @ v, peer.apply(v), atol=1e-12)
    # The sandwich q v q*, and the same quaternion up to its sign.
    sandwich = quat_mul(quat_mul(q, [0, *v]), q * [1, -1, -1, -1])
    assert_allclose(sandwich, [0, *peer.apply(v)], atol=1e-12)
    assert_allclose(abs(q @ peer.as_quat(scalar_first=True)), 1, rtol=1e-12)


@pytest.mark.verifies("eq-feynman-cup-rotation", by="closed form")
def test_known_rotations():
    third = axis_angle_to_quat([1, 1, 1], 2 * PI / 3)
    assert_allclose(third, [0.5] * 4, rtol=1e-15)
    assert_allclose(quat_to_matrix(third), [[0, 0, 1], [1, 0, 0], [0, 1, 0]], atol=1e-15)
    once_and_twice = axis_angle_to_quat([0, 0, 2], [2 * PI, 4 * PI])
    assert_allclose(once_and_twice, [-ONE, ONE], atol=1e-15)
    assert axis_angle_to_quat(np.ones((5, 1, 3)), np.zeros(4)).shape == (5, 4, 4)


@pytest.mark.verifies("eq-feynman-cup-cover", by="property")
@given(quats)
def test_two_names(q):
    assert_allclose(quat_to_matrix(-q), quat_to_matrix(q), rtol=0, atol=1e-15)
    assert_array_equal(quat_to_su2(-q), -quat_to_su2(q))


@pytest.mark.verifies("eq-feynman-cup-su2", by="library")
@given(axes, angles)
def test_su2_is_an_exponential(axis, angle):
    n = axis / np.linalg.norm(axis)
    sigma = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    exact = scipy.linalg.expm(-0.5j * angle * np.tensordot(n, sigma, 1))
    assert_allclose(quat_to_su2(axis_angle_to_quat(axis, angle)), exact, rtol=0, atol=1e-12)


@pytest.mark.verifies("eq-feynman-cup-su2", by="property")
@given(quats, quats)
def test_su2_multiplies_as_quaternions(a, b):
    A, B = quat_to_su2(a), quat_to_su2(b)
    assert_allclose(quat_to_su2(quat_mul(a, b)), A @ B, rtol=0, atol=1e-13)
    assert_allclose(A.conj().T @ A, (a @ a) * np.eye(2), rtol=0, atol=1e-13)
    assert_allclose(np.linalg.det(A), a @ a, rtol=1e-12)


def test_quarter_turn_as_a_matrix():
    h = math.sqrt(0.5)
    U = quat_to_su2(axis_angle_to_quat(Z, PI / 2))
    assert_allclose(U, np.diag([h - h * 1j, h + h * 1j]), atol=1e-15)


@pytest.mark.verifies("eq-feynman-cup-sign", by="closed form")
@pytest.mark.parametrize("k", [0, 1, 2, 3, 4])
def test_full_turns(k):
    for axis in (Z, [1, -2, 0.5]):
        q = lift_path(turns(k, axis))
        assert_allclose(q[0], ONE, atol=1e-12)
        assert_allclose(q[-1], (-1) ** k * ONE, atol=1e-12)
        assert loop_class(turns(k, axis)) == k % 2
    assert loop_class(turns(k, frames=501)) == k % 2


@given(quats, quats)
@settings(max_examples=40)
def test_lift_is_above_the_path(a, b):
    # Fine enough for paths that stay away from 0: no step exceeds 50 degrees.
    s = np.linspace(0, 1, 400)[:, None]
    path = a * np.cos(6 * s) + b * np.sin(5 * s) + 3 * np.eye(4)[1] * s
    assume(np.linalg.norm(path, axis=1).min() > 0.3)
    R = quat_to_matrix(path)
    q = lift_path(R)
    assert_allclose(quat_to_matrix(q), R, rtol=0, atol=1e-7)
    assert np.all(np.sum(q[1:] * q[:-1], axis=1) > 0.7)
    assert_allclose(np.linalg.norm(q, axis=1), 1, rtol=1e-12)


def test_lift_at_half_turns():
    # 180 degrees about any axis, where the trace is -1.
    for axis in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [-1, 2, 3]):
        R = Rotation.from_rotvec(PI * np.array(axis) / np.linalg.norm(axis)).as_matrix()
        q = lift_path(R[None])[0]
        assert_allclose(np.abs(q[1:] @ axis), np.linalg.norm(axis), rtol=1e-7)
        assert q[np.abs(q) > 1e-9][0] > 0


def wobble(rng, frames=25):
    """Return a small loop of quaternions that begins and ends at 1, seen from a random side."""
    u = np.linspace(0, 2 * PI, frames)
    shape = 0.4 * np.stack([1 - np.cos(u), np.sin(u), np.sin(2 * u)], axis=-1)
    small = np.concatenate([np.ones((frames, 1)), shape], axis=1)
    side = rng.normal(size=4)
    side /= np.linalg.norm(side)
    return quat_mul(quat_mul(side, small), side * [1, -1, -1, -1])


def choreography(rng, m):
    """Return the rotations of `m` full turns about random axes, with wobbles between them."""
    loops = [wobble(rng)]
    for _ in range(m):
        turn = axis_angle_to_quat(rng.normal(size=3), np.linspace(0, 2 * PI, 25))
        loops += [turn, wobble(rng)]
    return quat_to_matrix(np.concatenate(loops))


@pytest.mark.verifies("eq-feynman-cup-class", by="property")
def test_random_choreography():
    rng = np.random.default_rng(3)
    for _ in range(200):
        m = int(rng.integers(0, 7))
        R = choreography(rng, m)
        assert loop_class(R) == m % 2
        # Seen from another side, and from the end.
        G = quat_to_matrix(rng.normal(size=4))
        assert loop_class(G @ R @ G.T) == m % 2
        assert loop_class(R[::-1]) == m % 2


@pytest.mark.verifies("eq-feynman-cup-class", by="closed form")
def test_turns_about_two_axes_cancel():
    z, x = turns(1), turns(1, [1, 0, 0])
    assert loop_class(np.concatenate([z, x])) == 0
    assert loop_class(np.concatenate([z, x, z])) == 1
    # The reversed turn is the same class: -1 is its own inverse.
    assert loop_class(turns(-1)) == 1
    assert loop_class(np.concatenate([turns(1), turns(-1)])) == 0


@pytest.mark.verifies("eq-feynman-cup-untwist", by="closed form")
def test_known_points_of_the_disc():
    assert_allclose(untwist(0.25, 0), Z_UNIT, atol=1e-15)
    assert_allclose(untwist(0.5, 0.5), X_UNIT, atol=1e-15)
    assert_allclose(untwist(0.25, 0.5), [0.5, 0.5, 0, math.sqrt(0.5)], atol=1e-15)


@pytest.mark.verifies("eq-feynman-cup-untwist", by="property")
@given(unit, unit)
def test_untwisting(s, t):
    q = untwist(s, t)
    assert_allclose(np.linalg.norm(q), 1, rtol=0, atol=4e-15)
    assert_allclose(untwist(s, 0), axis_angle_to_quat(Z, 4 * PI * s), atol=3e-15)
    assert_allclose(untwist(s, 1), ONE, atol=3e-15)
    assert_allclose(untwist([0, 1], t), [ONE, ONE], atol=3e-15)
    # A circle: in the plane through 1 with this normal.
    beta = PI * t / 2
    normal = math.sin(beta) * ONE + math.cos(beta) * X_UNIT
    assert_allclose(q @ normal, math.sin(beta), atol=3e-15)


@pytest.mark.verifies("eq-feynman-cup-norm", by="property")
def test_untwisting_on_a_grid():
    g = np.linspace(0, 1, 41)
    assert np.abs(np.linalg.norm(untwist(g[:, None], g), axis=-1) - 1).max() < 4e-15


@pytest.mark.verifies("eq-feynman-cup-arm", by="property")
@given(unit, st.floats(0, 4 * PI))
def test_arm(s, phi):
    assert_allclose(arm_quaternion(1, phi), axis_angle_to_quat(Z, phi), atol=4e-15)
    assert_allclose(arm_quaternion(0, phi), ONE, atol=4e-15)
    assert_allclose(arm_quaternion(s, [0, 4 * PI]), [ONE, ONE], atol=4e-15)
    assert_allclose(arm_quaternion(s, phi), untwist(phi / (4 * PI), 1 - s), atol=4e-15)


@pytest.mark.verifies("eq-feynman-cup-middle", by="closed form")
@given(unit)
def test_arm_after_one_turn(s):
    assert_allclose(
        arm_quaternion(s, 2 * PI), axis_angle_to_quat([1, 0, 0], 2 * PI * s), atol=4e-15
    )


def test_middle_of_the_arm_is_upside_down():
    assert_allclose(arm_quaternion(0.5, 2 * PI), X_UNIT, atol=1e-15)


def test_arm_is_continuous():
    s, phi = np.linspace(0, 1, 200), np.linspace(0, 4 * PI, 200)
    q = arm_quaternion(s[:, None], phi)
    for axis in (0, 1):
        assert np.linalg.norm(np.diff(q, axis=axis), axis=-1).max() < 0.1
    assert loop_class(quat_to_matrix(arm_quaternion(s, 2 * PI))) == 1
    assert loop_class(quat_to_matrix(arm_quaternion(s, 4 * PI))) == 0
    assert_allclose(quat_to_matrix(q[:, -1]), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=2e-15)
    # The slack for a rounded angle.
    assert_allclose(arm_quaternion(0.5, 4 * PI + 1e-13), ONE, atol=1e-12)


@pytest.mark.verifies("eq-feynman-cup-length", by="library")
@pytest.mark.parametrize("phi", [0.3, 1.0, PI, 5.0, 2 * PI, 3 * PI])
def test_turning_along_the_arm(phi):
    q = arm_quaternion(np.linspace(0, 1, 4001), phi)
    total = np.sum(4 * np.arcsin(np.linalg.norm(np.diff(q, axis=0), axis=1) / 2))
    exact = 4 * np.sin(phi / 4) ** 2 * scipy.special.ellipe(-1 / np.tan(phi / 4) ** 2)
    assert_allclose(total, exact, rtol=1e-6)
    assert exact >= min(phi, 4 * PI - phi) - 1e-12


@pytest.mark.verifies("eq-feynman-cup-strings", by="property")
@given(axes, axes, st.floats(0, 4 * PI))
@settings(max_examples=50)
def test_strings_never_meet(d, e, phi):
    first, second = (string_points(phi, v, n=30) for v in (d, e))
    radius = np.linspace(1, 0.25, 30)
    assert_allclose(np.linalg.norm(first, axis=1), radius, rtol=1e-12)
    apart = np.linalg.norm(d / np.linalg.norm(d) - e / np.linalg.norm(e))
    assert_allclose(np.linalg.norm(first - second, axis=1), radius * apart, atol=1e-14)


@pytest.mark.verifies("eq-feynman-cup-strings", by="closed form")
def test_ends_of_a_string():
    for phi in (0, 1.0, 2 * PI, 7.5, 4 * PI):
        points = string_points(phi, [2, 0, 0], r_cup=0.1, r_wall=2.0)
        assert_allclose(points[0], [2, 0, 0], atol=1e-14)
        assert_allclose(points[-1], [0.1 * math.cos(phi), 0.1 * math.sin(phi), 0], atol=1e-14)
    straight = string_points(4 * PI, [0, 0, -3], n=4)
    assert_allclose(straight, [[0, 0, -r] for r in (1, 0.75, 0.5, 0.25)], atol=1e-14)


@pytest.mark.verifies("eq-feynman-cup-interference", by="library")
@given(st.floats(-20, 20), unit)
def test_interference_of_two_spinors(angle, contrast):
    # Half of the beam turned by the matrix, half not: |(1 + U) psi / 2|^2 for a spin along x.
    up = np.array([1, 1]) / math.sqrt(2)
    turned = quat_to_su2(axis_angle_to_quat(Z, angle)) @ up
    both = np.sum(np.abs(up + turned) ** 2) / 4
    assert_allclose(interference(angle), both, rtol=0, atol=1e-14)
    mixed = contrast * both + (1 - contrast) / 2
    assert_allclose(interference(angle, contrast), mixed, atol=1e-14)


@pytest.mark.verifies("eq-feynman-cup-interference", by="closed form")
def test_known_intensities():
    assert_allclose(interference([0, PI, 2 * PI, 4 * PI]), [1, 0.5, 0, 1], atol=1e-15)
    assert_allclose(interference(2 * PI, 0.6), 0.2, rtol=1e-14)


def test_numbers_quoted_in_the_chapter():
    q = arm_quaternion(np.linspace(0, 1, 4001), PI)
    total = np.sum(4 * np.arcsin(np.linalg.norm(np.diff(q, axis=0), axis=1) / 2))
    assert_allclose(total, 3.8202, atol=5e-5)
    assert_allclose(np.degrees(total), 218.9, atol=0.05)


def test_slerp_needs_the_sign():
    # From the identity to a turn of 40 degrees, given by its other name.
    far = -axis_angle_to_quat(Z, np.radians(40))
    middle = (ONE + far) / np.linalg.norm(ONE + far)
    angle = 2 * math.atan2(np.linalg.norm(middle[1:]), middle[0])
    assert_allclose(np.degrees(angle), 160, rtol=1e-12)


def one_turn(frames):
    return quat_to_matrix(axis_angle_to_quat(Z, np.linspace(0, 2 * PI, frames)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quat_mul([1, 2, 3], ONE), r"`a` must have a last axis of length 4, got \(3,\)"),
        (lambda: quat_mul(ONE, 1.0), r"`b` must have a last axis of length 4, got \(\)"),
        (lambda: axis_angle_to_quat([0, 0, 0], 1), r"`axis` must be finite and not zero, got \[0"),
        (lambda: axis_angle_to_quat([0, 1], 1), "`axis` must have a last axis of length 3"),
        (lambda: axis_angle_to_quat(Z, np.inf), r"`angle` must be finite \(radians\), got inf"),
        (lambda: quat_to_matrix([0, 0, 0, 0]), "`q` must be finite and not zero"),
        (lambda: quat_to_matrix([np.nan, 0, 0, 0]), "`q` must be finite and not zero"),
        (lambda: quat_to_su2([1, 0]), "`q` must have a last axis of length 4"),
        (lambda: lift_path(np.eye(3)), r"`R` must have shape \(n, 3, 3\) with n >= 1, got \(3, 3"),
        (lambda: lift_path([1.1 * np.eye(3)]), "`R` must be orthogonal to 1e-6, got 0.21"),
        (lambda: lift_path([np.nan * np.eye(3)]), "`R` must be finite, got NaN"),
        (lambda: lift_path([-np.eye(3)]), "`R` must hold rotations, .* got a reflection"),
        (lambda: loop_class(one_turn(4)), "`R` must take steps of at most 90 degrees, got 120"),
        (lambda: loop_class(turns(0.25)), "`R` must end where it began, got 90 degrees apart"),
        (lambda: untwist(1.1, 0), "`s` must be from 0 to 1, got 1.1"),
        (lambda: untwist(0, np.nan), "`t` must be from 0 to 1, got nan"),
        (lambda: arm_quaternion(-0.1, 0), "`s` must be from 0 to 1, got -0.1"),
        (lambda: arm_quaternion(0, 13), "`phi` must be from 0 to 12.5664, got 13"),
        (lambda: string_points(0, [0, 0, 0]), "`direction` must be a vector other than zero"),
        (lambda: string_points(0, Z, n=1), "`n` must be an integer of at least 2, got 1"),
        (lambda: string_points(0, Z, r_cup=2), "`r_cup` must be positive and below `r_wall`"),
        (lambda: interference(0, 1.5), "`contrast` must be from 0 to 1, got 1.5"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_ninety_degrees_are_enough():
    assert loop_class(one_turn(5)) == 1
