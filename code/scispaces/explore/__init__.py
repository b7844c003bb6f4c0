"""Figures with sliders: one call, alive in a kernel, still alive on a page without one.

`explore` shows what a function draws and lets the reader change its parameters.  In a notebook,
ipywidgets drive the function.  While the book is built, every stop of the controls is drawn once
and stored, so that the page needs no kernel.  `show` is the same without controls.
"""

import os

from scispaces.explore.controls import control
from scispaces.explore.drawing import ExplorerError, explorer

__all__ = ["ExplorerError", "control", "explore", "show"]


def explore(draw, *, name=None, caption=None, alt=None, **controls):
    """Show what `draw` draws, with a control for each keyword.

    Parameters
    ----------
    draw : callable
        Takes the controlled parameters by keyword, each with a default at one of its stops, and
        returns a `matplotlib.figure.Figure`.
    name : str
        Label of the numbered figure, ``fig-slug-what``.
    caption : str
        One sentence; may hold inline MyST such as ``$x^2$``.
    alt : str
        What is seen, in plain words, for readers without the picture.
    **controls
        For each parameter a `control`, or an abbreviation as in `ipywidgets.interact`:
        ``(min, max[, step])``, a list, a dict or a bool.

    Raises
    ------
    ExplorerError
        If a word is missing, a control does not fit, a picture cannot be drawn, or all pictures
        together weigh more than a page may carry.
    """
    made = explorer(draw, name, caption, alt, controls)
    if os.environ.get("SCISPACES_STATIC"):
        from scispaces.explore.still import show_still

        show_still(made)
    else:
        from scispaces.explore.live import show_live

        show_live(made)


def show(draw, *, name=None, caption=None, alt=None):
    """Show the figure that `draw` returns, numbered and captioned.

    Parameters
    ----------
    draw : callable
        Takes no arguments and returns a `matplotlib.figure.Figure`.
    name, caption, alt : str
        As for `explore`.

    Raises
    ------
    ExplorerError
        As for `explore`.
    """
    explore(draw, name=name, caption=caption, alt=alt)
