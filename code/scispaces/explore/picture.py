"""A matplotlib figure as a canonical SVG tree.

The tree draws what matplotlib's own SVG draws, after one normalisation: lengths are rounded to
0.01 px, identifiers are local, colours of the book's theme are CSS variables, fonts are left to the
page, and what paints nothing is dropped.
"""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from html import escape

from matplotlib.backends.backend_svg import FigureCanvasSVG

from scispaces.style import THEME

__all__ = ["Node", "Numbers", "canonical", "markup"]

GEOMETRY = {"d", "height", "points", "transform", "width", "x", "x1", "x2", "y", "y1", "y2"}
"""Attributes whose numbers are lengths in px."""

UNIT = 100
"""Lengths are integers in 1/`UNIT` px."""

MATH_FONT = "var(--fig-math, STIXGeneral, 'Times New Roman', serif)"

_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")


@dataclass(frozen=True)
class Numbers:
    """A geometric attribute: literals, each followed by a run of numbers.

    Attributes
    ----------
    template : tuple
        ``(literal, count, literal, count, ...)``.
    values : tuple of int
        The numbers of all runs, in units of 0.01 px.
    """

    template: tuple
    values: tuple

    def __str__(self):
        parts, start = [], 0
        for literal, count in zip(self.template[::2], self.template[1::2], strict=True):
            parts += [literal, " ".join(map(_decimal, self.values[start : start + count]))]
            start += count
        return "".join(parts)


@dataclass
class Node:
    """An element of the picture.

    Attributes
    ----------
    tag : str
        Name of the SVG element.
    role : str
        What matplotlib calls it (``xtick``, ``line2d``, ...), for matching across pictures.
    attributes : dict
        ``{name: str or Numbers}``.
    children : list of Node
    text : str
        Text of a leaf.
    """

    tag: str
    role: str = ""
    attributes: dict = field(default_factory=dict)
    children: list = field(default_factory=list)
    text: str = ""


def canonical(figure):
    """Return `figure` as a canonical tree.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    Node
        An ``svg`` element; its first child holds everything that others refer to.
    """
    stream = io.StringIO()
    # Not savefig, which would draw everything twice.
    FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(stream.getvalue())
    definitions = Node("defs", "defs")
    body = [node for child in root for node in _nodes(child, definitions)]
    width, height = (round(72 * inches, 2) for inches in figure.get_size_inches())
    return Node("svg", "svg", {"viewBox": f"0 0 {width:g} {height:g}"}, [definitions, *body])


def markup(node, prefix=""):
    """Return `node` as SVG text; `prefix` keeps its identifiers apart from those of other pictures.

    Parameters
    ----------
    node : Node
    prefix : str, default ""
        Put before every identifier.

    Returns
    -------
    str
    """
    attributes = "".join(
        f' {name}="{escape(_prefixed(name, str(value), prefix))}"'
        for name, value in node.attributes.items()
    )
    inside = escape(node.text, quote=False) + "".join(markup(c, prefix) for c in node.children)
    if node.tag == "svg":
        attributes += ' xmlns="http://www.w3.org/2000/svg"'
    return f"<{node.tag}{attributes}>{inside}</{node.tag}>"


def _prefixed(name, value, prefix):
    if name == "id":
        return prefix + value
    return _REFERENCE.sub(
        lambda match: f"url(#{prefix}{match[1]})" if match[1] else f"#{prefix}{match[2]}", value
    )


def _nodes(element, definitions):
    """Return the nodes of an element; what carries an identifier goes to `definitions`."""
    tag = element.tag.rpartition("}")[2]
    if tag in ("metadata", "style"):
        return []
    children = [node for child in element for node in _nodes(child, definitions)]
    if tag == "defs":
        definitions.children += children
        return []
    gid = element.get("id", "")
    node = Node(tag, re.sub(r"_?\d+$", "", gid) if tag == "g" else "", {}, children)
    for name, value in element.attrib.items():
        name = name.rpartition("}")[2]
        if name == "id":
            if tag in ("clipPath", "pattern", "path"):
                node.attributes["id"] = value
        elif (read := _attribute(tag, name, value)) is not None:
            node.attributes[name] = read
    if tag in ("text", "tspan") and not children:
        node.text = element.text or ""
    empty = tag == "g" and not children
    return [] if empty or _paints_nothing(node) else [node]


def _paints_nothing(node):
    return node.tag == "path" and node.attributes.get("style") == "fill:none"


def _attribute(tag, name, value):
    if name == "style":
        return _style(value)
    if name == "href" and tag == "image":
        return _smaller_image(value)
    if name in ("fill", "stroke"):
        return _themed(value)
    if name not in GEOMETRY or "scale" in value or "matrix" in value:
        return value
    if name == "transform" and value.startswith("rotate(-0 "):
        return None
    return _numbers(name, value)


def _numbers(name, value):
    template, values = [], []
    literals = _NUMBER.split(value)
    found = [*_NUMBER.findall(value), None]
    for literal, number in zip(literals, found, strict=True):
        literal = re.sub(r"\s+", "" if name == "d" else " ", literal)
        # A repeated command goes without saying: L 1 2 L 3 4 is L 1 2 3 4.
        repeated = template and (
            literal in ("", " ") or (name == "d" and literal == template[-2] != "M")
        )
        if not repeated:
            template += [literal, 0]
        if number is not None:
            template[-1] += 1
            values.append(round(UNIT * float(number)))
    return Numbers(tuple(template), tuple(values))


def _style(value):
    declarations = []
    for declaration in value.split(";"):
        name, _, setting = (part.strip() for part in declaration.partition(":"))
        if name == "font-family":
            if "STIX" not in setting:
                continue
            setting = MATH_FONT
        if name == "stroke-dashoffset" and setting == "0":
            continue
        declarations.append(f"{name}:{_themed(setting)}")
    return ";".join(declarations)


def _themed(value):
    theme = THEME.get(value.lower())
    return f"var({theme[0]},{value})" if theme else value


def _smaller_image(uri):
    """Return a PNG data URI as lossless WebP, which takes about two thirds of the bytes."""
    from PIL import Image

    head, _, data = uri.partition(",")
    if not head.startswith("data:image/png"):
        return uri
    stream = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    image.save(stream, "WEBP", lossless=True, method=6)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()


def _decimal(value):
    whole, part = divmod(abs(value), UNIT)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{part:02d}".rstrip("0").rstrip(".")
