"""Explorers in the page: the figure, its controls, and a script file with its pictures.

While a chapter executes, `scispaces.explore` publishes each explorer as data; here it becomes a
numbered figure.  The default picture and the controls stand in the page.  The other pictures go
to one classic script file beside it, which `static/explorer.js` loads when the figure nears the
screen.
"""

import hashlib
import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.osutil import relative_uri

from scispaces.explore.still import MIME
from scispaces.style import THEME

__all__ = ["ExplorerRenderer", "explorer_picture", "setup"]

FOLDER = "_frames"


class explorer_picture(nodes.General, nodes.Element):
    """The picture and the controls of an explorer; its data is in ``data``."""


class ExplorerRenderer:
    """Renders the output of `scispaces.explore` for myst-nb."""

    mime_priority_overrides = (("*", MIME, 1),)

    @staticmethod
    def handle_mime(renderer, data, inline):
        """Return the figure for an explorer, or None for any other output.

        Parameters
        ----------
        renderer : myst_nb.core.render.NbElementRenderer
        data : myst_nb.core.render.MimeData
        inline : bool

        Returns
        -------
        list of docutils.nodes.Element or None
        """
        if data.mime_type != MIME or inline:
            return None
        content = data.content
        myst = renderer.renderer
        figure = nodes.figure(classes=["explorer" if content["controls"] else "still"])
        figure.source, figure.line = myst.document["source"], data.line
        figure["names"].append(nodes.fully_normalize_name(content["name"]))
        myst.document.note_explicit_target(figure, figure)
        caption = nodes.caption(content["caption"], "")
        caption.source, caption.line = figure.source, figure.line
        with myst.current_node_context(caption):
            myst.nested_render_text(content["caption"], data.line or 0, inline=True)
        figure += [explorer_picture(data=content), caption]
        return [figure]


def visit_explorer_picture(translator, node):
    """Write the picture and the controls, and the file with the other pictures."""
    data = node["data"]
    translator.body.append(
        f'<div class="explorer-picture" role="img" aria-label="{escape(data["alt"])}">'
        f"{data['svg']}</div>"
    )
    if data["controls"]:
        source = _write_frames(translator.builder, data)
        rows = "".join(_row(data["name"], control) for control in data["controls"])
        translator.body.append(
            f'<form class="explorer-controls" data-frames="{escape(source)}" autocomplete="off">'
            f'{rows}<button type="reset" disabled>复位</button></form>'
        )
    raise nodes.SkipNode


def visit_as_text(translator, node):
    """In formats without pictures the words stand for the picture."""
    translator.body.append(node["data"]["alt"])
    raise nodes.SkipNode


def _write_frames(builder, data):
    """Write the pictures of an explorer; return the address as seen from the current page."""
    name = data["name"]
    frames = json.dumps(data["frames"], separators=(",", ":"), ensure_ascii=False)
    text = f"scispaces.frames({json.dumps(name)},{frames});\n"
    folder = Path(builder.outdir, FOLDER)
    folder.mkdir(exist_ok=True)
    folder.joinpath(f"{name}.js").write_text(text, encoding="utf-8")
    page = builder.get_target_uri(builder.current_docname)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{relative_uri(page, f'{FOLDER}/{name}.js')}?v={digest}"


def _row(figure, control):
    values, default = control["values"], control["default"]
    key = f"{figure}--{control['name']}"
    unit = f" {control['unit']}" if control["unit"] else ""
    label = f'<label for="{key}">{escape(control["label"])}</label>'
    name = escape(control["name"])
    if control["kind"] == "select":
        options = "".join(
            f'<option value="{i}"{" selected" if i == default else ""}>'
            f"{escape(value + unit)}</option>"
            for i, value in enumerate(values)
        )
        field = f'<select id="{key}" name="{name}" data-default="{default}">{options}</select>'
    elif control["kind"] == "checkbox":
        checked = " checked" if default else ""
        field = (
            f'<input id="{key}" name="{name}" type="checkbox" data-default="{default}"{checked}>'
        )
    else:
        texts = escape(json.dumps([value + unit for value in values], ensure_ascii=False))
        play = (
            '<button type="button" class="explorer-play" '
            f'aria-label="播放{escape(control["label"])}">▶</button>'
            if control["play"]
            else ""
        )
        field = (
            f'<input id="{key}" name="{name}" type="range" min="0" max="{len(values) - 1}" '
            f'step="1" value="{default}" data-default="{default}" data-texts="{texts}" '
            f'aria-valuetext="{escape(values[default] + unit)}">'
            f'<output for="{key}">{escape(values[default] + unit)}</output>{play}'
        )
    return f'<div class="explorer-control">{label}{field}</div>'


def _write_colours(app):
    """Write the colours of figures on light and dark pages, from their one definition."""
    if app.builder.format != "html":
        return
    light = "".join(f"{name}:{drawn};" for drawn, (name, _) in THEME.items())
    dark = "".join(f"{name}:{shown};" for name, shown in THEME.values())
    folder = Path(app.outdir, "_static")
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("figure-colours.css").write_text(
        f":root{{{light}}}\n"
        f'html[data-theme="dark"]{{{dark}}}\n'
        f"@media print{{:root,html[data-theme=dark]{{{light}}}}}\n"
    )


def setup(app):
    """Register explorers with Sphinx."""
    app.add_node(
        explorer_picture,
        html=(visit_explorer_picture, None),
        latex=(visit_as_text, None),
        text=(visit_as_text, None),
    )
    app.connect("builder-inited", _write_colours)
    app.add_css_file("figure-colours.css")
    app.add_css_file("explorer.css")
    app.add_js_file("explorer.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
