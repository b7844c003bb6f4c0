"""The Sphinx extension that turns the chapters into the book."""

import os
from pathlib import Path

PARTS = (
    "page",
    "reproducible",
    "outputs",
    "explorers",
    "math",
    "authoring",
    "bibliography",
    "verification",
    "concept_map",
    "gallery",
    "changes",
    "addresses",
    "launch",
    "notebooks",
    "search",
)
"""The extension's modules, each with its own `setup`."""


def setup(app):
    """Set up every part of the book.

    Parameters
    ----------
    app : sphinx.application.Sphinx
    """
    # Kernels inherit it: chapters store their pictures instead of opening widgets.
    os.environ["SCISPACES_STATIC"] = "1"
    static = str(Path(__file__).parent / "static")
    app.connect("builder-inited", lambda app: app.config.html_static_path.append(static))
    for part in PARTS:
        app.setup_extension(f"scispaces_book.{part}")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
