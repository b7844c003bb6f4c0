"""The look of every figure of the book, on light and dark pages.

Figures are drawn in the colours of `THEME`.  When a figure becomes SVG, each of these colours is
replaced by a CSS variable with the same colour as fallback, so that a page can restyle them.
"""

from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager

__all__ = ["THEME", "book_style"]

WIDTH = 6.0
"""Width of every figure in inches, so that text has one size on every page."""

THEME = {
    # hex drawn: (CSS variable, colour on dark pages); each pair has a contrast of 4.5:1 or more.
    "#1b5fb8": ("--fig-0", "#7cb2ff"),
    "#b4520a": ("--fig-1", "#ffae66"),
    "#187a3f": ("--fig-2", "#73d394"),
    "#b3243b": ("--fig-3", "#ff93a0"),
    "#7440b0": ("--fig-4", "#cba6ff"),
    "#0b717e": ("--fig-5", "#63d2df"),
    "#000000": ("--fig-ink", "#e8e6e3"),
    "#6b6b6b": ("--fig-muted", "#a6a6a6"),
    "#808080": ("--fig-muted", "#a6a6a6"),
    "#d0d0d0": ("--fig-grid", "#4a4a4a"),
    "#ffffff": ("--fig-paper", "#121212"),
}
"""What a drawn colour becomes: ``{hex: (CSS variable, hex on a dark page)}``."""

FONT = "Noto Sans SC"


def _register_font():
    """Make the locked CJK font known to matplotlib, without importing its package.

    Importing zhplot would change the global rcParams.
    """
    if FONT not in font_manager.fontManager.get_font_names():
        package = Path(find_spec("zhplot").origin).parent
        font_manager.fontManager.addfont(package / "fonts" / "NotoSansSC-Regular.ttf")


def book_style():
    """Context manager under which figures are drawn in the book's style.

    Returns
    -------
    context manager
        `matplotlib.rc_context` with the book's settings.
    """
    _register_font()
    cycle = list(THEME)[:6]
    return mpl.rc_context(
        {
            **mpl.rcParamsDefault,
            "backend": mpl.rcParams["backend"],
            "figure.figsize": (WIDTH, 3.6),
            "figure.dpi": 72,
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "axes.facecolor": "none",
            "axes.prop_cycle": mpl.cycler(color=cycle),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "grid.color": "#d0d0d0",
            "legend.frameon": False,
            # On filled bars: white there, dark on the light bars of dark pages.
            "hatch.color": "#ffffff",
            "lines.linewidth": 1.8,
            # Simplified curves would have another number of points at every stop of a slider.
            "path.simplify": False,
            "patch.linewidth": 0.8,
            "font.family": [FONT, "DejaVu Sans"],
            "font.size": 11,
            "mathtext.fontset": "stix",
            "savefig.facecolor": "none",
            "svg.fonttype": "none",
            "svg.hashsalt": "scispaces",
        }
    )
