"""The table of quoted and computed numbers says truly whether they agree."""

from fractions import Fraction

import numpy as np
import pytest

from scispaces.comparison import comparison


def cells(quoted, computed):
    """Return what the single row shows: quoted number, computed number, verdict."""
    row = comparison([("x", quoted, computed)])._repr_markdown_().splitlines()[2]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize(
    ("quoted", "computed", "verdict"),
    [
        ("0.0945", 0.094522, "✓"),
        ("0.0945", 0.09455, "✓"),
        ("0.0945", 0.0946, "差0.0001"),
        ("3.06e-4", 3.0588e-4, "✓"),
        ("-3.06e-4", -3.07e-4, "差−1e−06"),
        ("45", 45, "✓"),
        ("45", 45.4, "差0.4"),
        ("45±0.5", 45.4, "✓"),
        ("0.94±0.02", 0.97, "差0.03"),
        ("1", np.nan, "差nan"),
    ],
)
def test_verdict(quoted, computed, verdict):
    assert cells(quoted, computed)[-1] == verdict


def test_two_more_digits_than_quoted_and_true_minus_signs():
    assert cells("-0.3334", -1 / 3) == ["−0.3334", "−0.333333", "差6.7e−05"]
    assert cells("6", np.int64(6)) == ["6", "6", "✓"]
    assert cells(str(3**50), 3**50) == [str(3**50), str(3**50), "✓"]
    assert cells("0.25", Fraction(1, 4)) == ["0.25", "0.25", "✓"]


def test_a_bar_in_a_formula_does_not_end_the_cell():
    table = comparison([("$|x|$", "1", 1)])._repr_markdown_()
    assert r"$\vert x\vert $" in table


def test_refusals():
    with pytest.raises(ValueError, match=r"`rows` must hold at least one row, got none"):
        comparison([])
    with pytest.raises(TypeError, match=r"quoted number of “x” must be text, got 1"):
        comparison([("x", 1, 1)])
    with pytest.raises(ValueError, match=r"quoted number of “x” must read as one, got 'about 1'"):
        comparison([("x", "about 1", 1)])
