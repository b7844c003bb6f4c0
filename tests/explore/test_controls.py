"""What a reader may change, and how an author says it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scispaces.explore.controls import as_control, control, text


@pytest.mark.parametrize(
    ("abbreviation", "values"),
    [
        ((2, 5), (2, 3, 4, 5)),
        ((2, 10, 4), (2, 6, 10)),
        ((0.0, 0.3), (0.0, 0.1, 0.2, 0.3)),
        ((-1, 1, 0.5), (-1.0, -0.5, 0.0, 0.5, 1.0)),
        (True, (False, True)),
        (["a", "b"], ("a", "b")),
        ({"低": 1, "高": 9}, (1, 9)),
        (control(1, 100, log=True, num=3), (1.0, 10.0, 100.0)),
        (control(0, 1, num=5), (0.0, 0.25, 0.5, 0.75, 1.0)),
        (control(values=[2, 768, 4096]), (2, 768, 4096)),
        (control(np.float64(0.1), np.float64(0.3), np.float64(0.1)), (0.1, 0.2, 0.3)),
    ],
    ids=str,
)
def test_stops(abbreviation, values):
    assert as_control("x", abbreviation).values == values


def test_integers_stay_integers():
    assert {type(value) for value in as_control("n", (2, 9)).values} == {int}


def test_kinds_follow_interact():
    kinds = [as_control("x", a).kind for a in [(0, 3), [1, 2], {"a": 1, "b": 2}, False]]
    assert kinds == ["range", "select", "select", "checkbox"]


@given(st.integers(-50, 50), st.integers(1, 40), st.sampled_from([0.01, 0.05, 0.1, 0.25, 2.0]))
def test_a_range_has_the_stops_the_author_wrote(start, count, step):
    low, high = round(start * step, 10), round((start + count) * step, 10)
    values = control(low, high, step).values
    assert len(values) == count + 1
    # No 0.30000000000000004: each stop is the float that its decimals denote.
    assert values == tuple(round((start + k) * step, 10) for k in range(count + 1))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3, "3"), (0.1, "0.1"), (-0.25, "−0.25"), (1 / 3, "0.3333"), (12345.0, "12345"),
     (1e-7, "1e−07"), (0.0, "0"), ("鞍面", "鞍面"), (np.int64(4), "4")],
)  # fmt: skip
def test_what_the_reader_sees(value, shown):
    assert text(value) == shown


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: control(), TypeError, "needs either `min` and `max`, or `values`"),
        (lambda: control(1, 2, values=[1, 2]), TypeError, "needs either"),
        (lambda: control(1, "2"), TypeError, "`max` must be a real number, got '2'"),
        (lambda: control(True, 2), TypeError, "`min` must be a real number, got True"),
        (lambda: control(3, 3), ValueError, "`min` must be below `max`, got 3 and 3"),
        (lambda: control(0, 1, 0.3), ValueError, "whole number of steps, got 3.33"),
        (lambda: control(0, 1, -0.5), ValueError, "`step` must be positive, got -0.5"),
        (lambda: control(0, 10, log=True, num=5), ValueError, "positive `min`, got 5, 0"),
        (lambda: control(1, 10, log=True), ValueError, "a log range needs `num`"),
        (lambda: control(1, 10, num=1), ValueError, "`num` must be at least 2"),
        (lambda: control(values=[1]), ValueError, "at least 2 stops, got 1"),
        (lambda: control(values=[1, 1]), ValueError, "must read differently, got 1, 1"),
        (lambda: as_control("n", "3"), TypeError, "control \"n\": expected .* got '3'"),
        (lambda: as_control("n", (1, 0)), ValueError, 'control "n": `min` must be below `max`'),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_default_must_be_a_stop():
    with pytest.raises(ValueError, match=r'"tau": the default of draw .* stops \[10, 30\], got 15'):
        control(values=[10, 30]).bind("tau", 15)


def test_a_bool_is_no_number():
    with pytest.raises(ValueError, match="got True"):
        control(0, 1).bind("flag", True)
