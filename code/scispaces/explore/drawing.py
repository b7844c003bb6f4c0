"""One explorer: its parts, checked, and the picture at one stop."""

import inspect
import re
import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from scispaces.explore.controls import as_control, text
from scispaces.explore.picture import canonical
from scispaces.style import WIDTH, book_style

__all__ = ["MAX_STOPS", "Explorer", "ExplorerError", "draw_picture", "explorer"]

MAX_STOPS = 231
"""Pictures of one explorer at most, since each takes about 50 ms to draw."""


class ExplorerError(ValueError):
    """An explorer that cannot be shown; the message says which, why and what to do."""


@dataclass(frozen=True)
class Explorer:
    """A draw function with its controls and words.

    Attributes
    ----------
    draw : callable
        Returns a matplotlib Figure.
    name : str
        Label of the figure.
    caption, alt : str
        What it shows, in MyST; what is seen, in plain words.
    controls : tuple of Control
    """

    draw: object
    name: str
    caption: str
    alt: str
    controls: tuple

    @property
    def shape(self):
        """Number of stops of each control."""
        return tuple(len(control.values) for control in self.controls)


def explorer(draw, name, caption, alt, controls):
    """Return the checked `Explorer`.

    Raises
    ------
    ExplorerError
        If a word is missing or a control does not fit the draw function.
    """
    if not isinstance(name, str) or not re.fullmatch(r"fig-[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ExplorerError(f"`name` must look like fig-slug-what (lower case), got {name!r}")
    complain = _complaints(name)
    if not callable(draw):
        complain(f"`draw` must be a function that returns a matplotlib Figure, got {draw!r}")
    for word, value in (("caption", caption), ("alt", alt)):
        if not isinstance(value, str) or not value.strip():
            complain(
                f"`{word}` must be a sentence, got {value!r}; readers without the picture need it"
            )
    if _plain(alt) == _plain(caption):
        complain("`alt` must say what is seen, not repeat the caption")
    parameters = inspect.signature(draw).parameters
    bound = []
    for key, abbreviation in controls.items():
        if key not in parameters:
            takes = ", ".join(parameters) or "no parameters"
            complain(f"draw takes no parameter {key!r} (it takes {takes})")
        default = parameters[key].default
        if default is inspect.Parameter.empty:
            complain(f"draw needs a default for {key!r}: the figure starts there")
        try:
            bound.append(as_control(key, abbreviation).bind(key, default))
        except (TypeError, ValueError) as error:
            complain(str(error))
    for key, parameter in parameters.items():
        if key not in controls and parameter.default is inspect.Parameter.empty:
            complain(f"draw has the parameter {key!r} without a control and without a default")
    result = Explorer(draw, name, caption, alt, tuple(bound))
    stops = 1
    for count in result.shape:
        stops *= count
    if stops > MAX_STOPS:
        product = " × ".join(map(str, result.shape))
        complain(f"at most {MAX_STOPS} stops, got {product} = {stops}; thin the controls evenly")
    return result


def draw_picture(explorer, values):
    """Return the canonical picture of `explorer` at one stop.

    Parameters
    ----------
    explorer : Explorer
    values : dict
        ``{parameter: value}``.

    Returns
    -------
    Node

    Raises
    ------
    ExplorerError
        If drawing raises, lacks a glyph, or does not end in a Figure of the book's width.
    """
    with book_style():
        figure = draw_figure(explorer, values)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "Glyph .* missing", UserWarning)
                return canonical(figure)
        except UserWarning as warning:
            _complaints(explorer.name)(f"{_call(values)}: {warning}")
        finally:
            plt.close(figure)


def draw_figure(explorer, values):
    """Return the figure of `explorer` at one stop, drawn in the current style."""
    complain = _complaints(explorer.name)
    try:
        figure = explorer.draw(**values)
    except Exception as error:
        message = (
            f'explorer "{explorer.name}": {_call(values)} raised {type(error).__name__}: {error}'
        )
        raise ExplorerError(message) from error
    if not isinstance(figure, Figure):
        complain(
            f"{_call(values)} must return a matplotlib Figure, got {type(figure).__name__}; "
            "end it with `return fig`"
        )
    if abs(figure.get_size_inches()[0] - WIDTH) > 1e-9:
        wide = figure.get_size_inches()[0]
        complain(f"{_call(values)} must be {WIDTH:g} in wide, as all figures are, got {wide:g}")
    return figure


def _complaints(name):
    def complain(message):
        raise ExplorerError(f'explorer "{name}": {message}')

    return complain


def _call(values):
    return f"draw({', '.join(f'{key}={text(value)}' for key, value in values.items())})"


def _plain(sentence):
    return re.sub(r"\W", "", sentence).lower()
