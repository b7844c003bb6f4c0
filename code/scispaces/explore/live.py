"""Explorers in a running kernel: ipywidgets drive the draw function."""

from html import escape

import ipywidgets as widgets
from IPython.display import display

from scispaces.explore.drawing import draw_picture
from scispaces.explore.picture import markup

__all__ = ["show_live"]


def show_live(explorer):
    """Display an explorer as widgets that redraw the picture while they move.

    Parameters
    ----------
    explorer : Explorer

    Returns
    -------
    None
    """
    picture = widgets.HTML()
    inputs = {control.name: _widget(control) for control in explorer.controls}

    def redraw(_=None):
        values = {
            control.name: control.values[inputs[control.name].index]
            if control.kind != "checkbox"
            else inputs[control.name].value
            for control in explorer.controls
        }
        svg = markup(draw_picture(explorer, values), prefix=explorer.name + "-")
        label = escape(explorer.alt)
        picture.value = f'<div role="img" aria-label="{label}" style="max-width:640px">{svg}</div>'

    for widget in inputs.values():
        widget.observe(redraw, names="value")
    redraw()
    caption = widgets.HTMLMath(explorer.caption)
    rows = [_row(control, inputs[control.name]) for control in explorer.controls]
    display(widgets.VBox([picture, *rows, caption]))


def _widget(control):
    label = f"{control.label}（{control.unit}）" if control.unit else control.label
    style = {"description_width": "initial"}
    if control.kind == "checkbox":
        return widgets.Checkbox(
            value=control.values[control.default], description=label, style=style
        )
    options = list(zip(control.texts, range(len(control.texts)), strict=True))
    kind = widgets.Dropdown if control.kind == "select" else widgets.SelectionSlider
    extra = {} if control.kind == "select" else {"continuous_update": True}
    return kind(
        options=options,
        index=control.default,
        description=label,
        style=style,
        layout={"width": "min(640px, 100%)"},
        **extra,
    )


def _row(control, widget):
    if not control.play:
        return widget
    play = widgets.Play(min=0, max=len(control.values) - 1, value=control.default, interval=100)
    play.observe(lambda change: setattr(widget, "index", change.new), names="value")
    widget.observe(lambda change: setattr(play, "value", widget.index), names="index")
    return widgets.HBox([play, widget])
