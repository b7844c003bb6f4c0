"""What an SVG draws, read without the engine: the yardstick for its pictures.

The one normalisation that pictures of the book may differ by: lengths are rounded to 0.01 px,
identifiers are resolved, colours of the theme are read back from their CSS variables, fonts are the
page's, and what paints nothing counts for nothing.
"""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np

__all__ = ["assert_same_drawing", "drawing"]

NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
LENGTHS = ("d", "x", "y", "width", "height", "points")


def drawing(svg):
    """Return what `svg` paints, in order: a list of ``(what, lengths)``."""
    root = ElementTree.fromstring(svg)
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    parts = []
    _paint(root, by_id, (), parts)
    return parts


def assert_same_drawing(shown, expected, where=""):
    """Fail unless both SVG texts paint the same things at the same places."""
    shown, expected = drawing(shown), drawing(expected)
    for index, (a, b) in enumerate(zip(shown, expected, strict=False)):
        assert a[0] == b[0], f"{where}: part {index}: shown {a[0]}, drawn {b[0]}"
        assert len(a[1]) == len(b[1]), f"{where}: part {index}: {a[0]}: other number of lengths"
        worst = np.max(np.abs(np.subtract(a[1], b[1])), initial=0)
        # Half a unit of 0.01 px from rounding, and its float noise.
        assert worst <= 0.0051, f"{where}: part {index}: {a[0]}: off by {worst} px"
    assert len(shown) == len(expected), f"{where}: {len(shown)} parts, {len(expected)} drawn"


def _paint(element, by_id, context, parts):
    tag = element.tag.rpartition("}")[2]
    if tag in ("defs", "metadata", "clipPath", "pattern", "style"):
        return
    if element.get("display") == "none":
        return
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    style = _style(attributes.get("style", ""))
    for name in ("transform", "clip-path"):
        if name in attributes and not attributes[name].startswith("rotate(-0 "):
            context = (*context, name, _resolved(attributes[name], by_id))
    if tag == "path" and style == (("fill", "none"),):
        return
    if tag in ("path", "use", "text", "tspan", "image", "rect"):
        words = "" if len(element) else (element.text or "")
        shape, lengths = _shape(attributes)
        if tag == "use":
            target = by_id[attributes["href"].lstrip("#")]
            target_attributes = dict(target.attrib)
            more, extra = _shape(target_attributes)
            inner = _style(target_attributes.get("style", ""))
            shape, lengths = (shape, more, inner), lengths + extra
        # A data URI may be encoded differently; its place and size are compared.
        parts.append(((tag, words, style, _texts(context), shape), lengths + _lengths(context)))
    for child in element:
        _paint(child, by_id, context, parts)


def _shape(attributes):
    lengths = []
    shape = []
    for name in LENGTHS:
        if name in attributes:
            value = attributes[name]
            lengths += [float(number) for number in NUMBER.findall(value)]
            # SVG lets a repeated command go without saying.
            commands = re.findall(r"[A-Za-z]", value) if name == "d" else []
            counts = [len(NUMBER.findall(run)) for run in re.split(r"[A-Za-z]", value)[1:]]
            merged = []
            for command, count in zip(commands, counts, strict=True) if name == "d" else ():
                if merged and merged[-1][0] == command != "M":
                    merged[-1][1] += count
                else:
                    merged.append([command, count])
            shape.append((name, tuple(map(tuple, merged))))
    return tuple(shape), lengths


def _resolved(value, by_id):
    match = re.match(r"url\(#(.+)\)", value)
    if not match:
        return value
    return " ".join(
        f"{child.get('x')},{child.get('y')},{child.get('width')},{child.get('height')}"
        if child.get("width")
        else child.get("d")
        for child in by_id[match[1]]
    )


def _texts(context):
    return tuple(re.sub(r"\s+", "", NUMBER.sub("0", part)) for part in context)


def _lengths(context):
    return [float(number) for part in context for number in NUMBER.findall(part)]


def _style(style):
    kept = []
    for declaration in filter(str.strip, style.split(";")):
        name, value = (part.strip() for part in declaration.split(":", 1))
        value = re.sub(r"var\(--fig-[a-z0-9]+,\s*(#[0-9a-f]{6})\)", r"\1", value)
        value = re.sub(r"url\(.*\)", "url()", value)
        if name != "font-family" and (name, value) != ("stroke-dashoffset", "0"):
            kept.append((name, value))
    return tuple(sorted(kept))
