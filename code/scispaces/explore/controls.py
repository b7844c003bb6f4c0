"""What a reader may change: controls as plain data.

A control is a finite list of stops, so that a page can hold a picture for each of them; the same
data makes the live widget.  `as_control` reads the abbreviations of `ipywidgets.interact`.
"""

import math
import numbers
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

__all__ = ["Control", "as_control", "control", "text"]

FLOAT_STEP = 0.1
"""Step of ``(min, max)`` for floats, as in ipywidgets."""


@dataclass(frozen=True)
class Control:
    """A named list of stops.

    Attributes
    ----------
    kind : {"range", "select", "checkbox"}
        The widget: a slider, a menu or a box to tick.
    values : tuple
        The value that the draw function gets at each stop.
    texts : tuple of str
        What the reader sees at each stop.
    name, label, unit : str
        Parameter of the draw function, its name for the reader, and its unit.
    play : bool
        Whether a button runs through the stops.
    default : int
        Index of the stop at which the figure starts.
    """

    kind: str
    values: tuple
    texts: tuple
    name: str = ""
    label: str = ""
    unit: str = ""
    play: bool = False
    default: int = 0

    def bind(self, name, value):
        """Return this control for the parameter `name`, starting at the stop `value`."""
        for index, stop in enumerate(self.values):
            if _same(stop, value):
                return replace(self, name=name, label=self.label or name, default=index)
        raise ValueError(
            f'control "{name}": the default of draw must be one of its stops '
            f"[{', '.join(self.texts)}], got {value!r}"
        )


def control(
    min=None,
    max=None,
    step=None,
    *,
    log=False,
    num=None,
    values=None,
    label="",
    unit="",
    play=False,
):
    """Describe a slider: its range, its label and its unit.

    Parameters
    ----------
    min, max : int or float, optional
        First and last stop.
    step : int or float, optional
        Distance of two stops; 1 for integers and 0.1 for floats if neither `step` nor `num` is
        given.  The range must be a whole number of steps.
    log : bool, default False
        Space the stops evenly in the logarithm; then `num` is required and `min` positive.
    num : int, optional
        Number of stops from `min` to `max`, both included.
    values : list or dict, optional
        The stops themselves, instead of `min` and `max`; a dict maps what is shown to the value.
    label : str, default ""
        Name for the reader; the parameter's own name if empty.
    unit : str, default ""
        Unit shown behind the value.
    play : bool, default False
        Give the slider a button that runs through its stops; for parameters that act like time.

    Returns
    -------
    Control

    Raises
    ------
    TypeError
        If `min`, `max` or `step` is not a real number, or both a range and `values` are given.
    ValueError
        If the range is empty, or not a whole number of steps; if fewer than two stops result; or
        if a logarithmic range lacks `num` or includes zero.
    """
    if (values is None) == (min is None):
        raise TypeError("`control` needs either `min` and `max`, or `values`")
    if values is not None:
        texts, stops = _listed(values)
    else:
        stops = _stops(min, max, step, log, num)
        texts = tuple(text(value) for value in stops)
    if len(stops) < 2:
        raise ValueError(f"`values` must hold at least 2 stops, got {len(stops)}")
    if len(set(texts)) < len(texts):
        raise ValueError(f"stops must read differently, got {', '.join(texts)}")
    return Control("range", tuple(stops), texts, label=label, unit=unit, play=play)


def as_control(name, abbreviation):
    """Return the control that `abbreviation` stands for, as in `ipywidgets.interact`.

    Parameters
    ----------
    name : str
        Parameter of the draw function, for messages.
    abbreviation : Control, bool, tuple, list or dict
        A control, a box to tick, ``(min, max[, step])``, or the choices of a menu.

    Returns
    -------
    Control

    Raises
    ------
    TypeError
        If `abbreviation` is none of these.
    ValueError
        If the range or the list is not one of stops.
    """
    try:
        if isinstance(abbreviation, Control):
            return abbreviation
        if isinstance(abbreviation, bool):
            return Control("checkbox", (False, True), ("否", "是"))
        if isinstance(abbreviation, tuple) and len(abbreviation) in (2, 3):
            return control(*abbreviation)
        if isinstance(abbreviation, (list, dict)):
            return replace(control(values=abbreviation), kind="select")
    except (TypeError, ValueError) as error:
        raise type(error)(f'control "{name}": {error}') from None
    raise TypeError(
        f'control "{name}": expected (min, max[, step]), a list, a dict, a bool or control(...), '
        f"got {abbreviation!r}"
    )


def text(value):
    """Return a stop as the reader sees it: four significant digits, true minus sign."""
    if isinstance(value, str):
        return value
    if isinstance(value, numbers.Integral):
        shown = str(int(value))
    else:
        shown = f"{value:.4g}"
        if "e" in shown and 1e-4 <= abs(value) < 1e6:
            shown = f"{value:.0f}"
    return shown.replace("-", "−")


def _same(a, b):
    if isinstance(a, numbers.Real) and isinstance(b, numbers.Real):
        return isinstance(a, bool) == isinstance(b, bool) and math.isclose(a, b, rel_tol=1e-9)
    return type(a) is type(b) and a == b


def _listed(values):
    if isinstance(values, dict):
        return tuple(str(key) for key in values), tuple(values.values())
    stops = tuple(values)
    return tuple(text(value) for value in stops), stops


def _stops(low, high, step, log, num):
    for name, value in (("min", low), ("max", high), ("step", step)):
        missing = name == "step" and value is None
        if not missing and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
            raise TypeError(f"`{name}` must be a real number, got {value!r}")
    if not low < high:
        raise ValueError(f"`min` must be below `max`, got {low!r} and {high!r}")
    if num is not None and (step is not None or num < 2):
        raise ValueError(f"`num` must be at least 2 and excludes `step`, got {num!r}")
    if log:
        if num is None or low <= 0:
            raise ValueError(f"a log range needs `num` and a positive `min`, got {num!r}, {low!r}")
        # Six digits are more than a reader sees, and equal on every machine.
        return tuple(float(f"{value:.6g}") for value in np.geomspace(low, high, num))
    whole = all(isinstance(x, numbers.Integral) for x in (low, high, step or 1))
    if num is not None:
        stops = np.linspace(low, high, num)
        return tuple(float(f"{value:.10g}") for value in stops)
    step = step if step is not None else (1 if whole else FLOAT_STEP)
    if step <= 0:
        raise ValueError(f"`step` must be positive, got {step!r}")
    # Decimals make 0.1 + 2 * 0.1 the 0.3 that the author wrote.
    start, stride = Decimal(str(low)), Decimal(str(step))
    count = (Decimal(str(high)) - start) / stride
    if count != int(count):
        raise ValueError(f"`max` - `min` must be a whole number of steps, got {count} steps")
    kind = int if whole else float
    return tuple(kind(start + k * stride) for k in range(int(count) + 1))
