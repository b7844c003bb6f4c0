"""Numbers that a source gives, beside the same numbers computed anew."""

import math
import numbers
import re
from decimal import Decimal

__all__ = ["comparison"]

QUOTED = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?(±\d+(\.\d+)?(e[+-]?\d+)?)?")


class _Table:
    """A table that Jupyter shows."""

    def __init__(self, markdown):
        self.markdown = markdown

    def __repr__(self):
        return self.markdown

    def _repr_markdown_(self):
        return self.markdown


def comparison(rows):
    """Table of quoted numbers beside computed ones, with the verdict whether they agree.

    Parameters
    ----------
    rows : list of (str, str, float)
        What it is (Markdown, with formulas), the number as the source prints it, and the number
        computed here.  A quoted number claims half a unit of its last decimal; an integer claims
        to be exact; ``"0.94±0.02"`` claims what it says.

    Returns
    -------
    object
        Shown by Jupyter as a table.

    Raises
    ------
    ValueError
        If there is no row, or a quoted number does not read as one.
    TypeError
        If a quoted number is no text.
    """
    if not rows:
        raise ValueError("`rows` must hold at least one row, got none")
    lines = ["| 量 | 引用的数 | 算得的数 | 相符 |", "| :-- | --: | --: | :-: |"]
    for what, quoted, computed in rows:
        value, tolerance, digits = _claim(what, quoted)
        agree = abs(float(computed) - value) <= tolerance
        verdict = "✓" if agree else f"差{_shown(float(computed) - value, 2)}"
        # A bar inside a formula would end the cell.
        cell = what.replace("|", r"\vert ")
        lines.append(
            f"| {cell} | {quoted.replace('-', '−')} | {_shown(computed, digits)} | {verdict} |"
        )
    return _Table("\n".join(lines))


def _claim(what, quoted):
    """Return the value of a quoted number, its tolerance, and how many digits to show."""
    if not isinstance(quoted, str):
        raise TypeError(f"`rows`: the quoted number of “{what}” must be text, got {quoted!r}")
    if not QUOTED.fullmatch(quoted):
        raise ValueError(f"`rows`: the quoted number of “{what}” must read as one, got {quoted!r}")
    number, _, spread = quoted.partition("±")
    exact = Decimal(number)
    last = exact.as_tuple().exponent
    whole = re.fullmatch(r"[+-]?\d+", number)
    # Computed numbers lie on the edge of what a decimal claims with an error of rounding.
    unit = 0.0 if whole else 0.5 * 10.0**last * (1 + 1e-6)
    tolerance = float(spread) if spread else max(unit, 1e-12 * abs(float(number)))
    digits = max(exact.adjusted() - last + 1, 1) + (0 if whole and not spread else 2)
    return float(number), tolerance, min(max(digits, 3), 16)


def _shown(value, digits):
    if isinstance(value, numbers.Integral):
        return str(int(value)).replace("-", "−")
    value = float(value)
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value)).replace("-", "−")
    return f"{value:.{digits}g}".replace("-", "−")
