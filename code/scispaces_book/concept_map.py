"""The map of all chapters: a picture that can be clicked, and the same in words.

Both are made from `needs` in the chapters' front matter.  A chapter stands to the right of all that
it needs, in the lane of its part.
"""

import re
import unicodedata
from collections import defaultdict
from html import escape

from docutils import nodes
from sphinx.errors import SphinxError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from scispaces_book.page import part_captions
from scispaces_book.page_nodes import book_chapters, chapter_link, joined, listed, stale

__all__ = ["depths", "drawing", "lines_of", "setup"]

BOX, GAP = (112, 40), (36, 12)
LANE = 30
"""Pixels: a chapter's box, the room between two, and above the first of a lane."""

LINE = 7
"""Characters of a title on a line; a box has two lines."""


class concept_map(nodes.General, nodes.Element):
    """Stands for the map until all chapters are read."""


class ConceptMap(SphinxDirective):
    """``{concept-map}``: all chapters and what each needs."""

    def run(self):
        self.env.scispaces_concept_map = self.env.docname
        return [concept_map()]


class FillConceptMap(SphinxPostTransform):
    """Draws the map and lists what it shows."""

    default_priority = 5  # before references are resolved, at 10

    def run(self, **kwargs):
        for node in list(self.document.findall(concept_map)):
            chapters = book_chapters(self.env)
            needs = needs_of(chapters)
            made = self.words(chapters, needs)
            if self.app.builder.format == "html":
                made.insert(0, nodes.raw("", self.picture(chapters, needs), format="html"))
            node.replace_self(made)

    def picture(self, chapters, needs):
        captions = part_captions(self.env)
        uri = self.app.builder.get_relative_uri
        facts = {
            docname: (
                captions.get(docname, ""),
                lines_of(page.title),
                self.env.titles[docname].astext(),
                uri(self.env.docname, docname),
            )
            for docname, page in chapters.items()
        }
        return drawing(facts, needs)

    def words(self, chapters, needs):
        """Return the list that says the same as the picture."""
        items = []
        for docname in chapters:
            before = [self.link(other) for other in needs[docname]]
            after = [self.link(other) for other in chapters if docname in needs[other]]
            lines = [
                [nodes.Text(f"{name}："), *joined(links)]
                for name, links in (("需要", before), ("通向", after))
                if links
            ]
            items.append((None, [self.link(docname)], lines or [[nodes.Text("独立成章")]]))
        return [nodes.rubric("", "同一张地图，用文字说"), listed(items, "concept-list")]

    def link(self, target):
        return chapter_link(self.app.builder, self.env.docname, target)


def needs_of(chapters):
    """Return the docnames that each chapter needs, as far as the book has them."""
    by_slug = {page.slug: docname for docname, page in chapters.items()}
    return {
        docname: [by_slug[slug] for slug in page.front["needs"] if slug in by_slug]
        for docname, page in chapters.items()
    }


def depths(needs):
    """Return for each chapter the length of the longest way to it.

    Parameters
    ----------
    needs : dict of str to list of str

    Returns
    -------
    dict of str to int
        0 for a chapter that needs none.

    Raises
    ------
    sphinx.errors.SphinxError
        If chapters need each other in a circle.
    """
    found = {}

    def depth(name, way):
        if name in way:
            raise SphinxError(f"Chapters need each other in a circle: {' → '.join([*way, name])}")
        if name not in found:
            found[name] = max((1 + depth(other, [*way, name]) for other in needs[name]), default=0)
        return found[name]

    for name in needs:
        depth(name, [])
    return found


def lines_of(title):
    """Return a title as one or two short lines: without what follows a colon."""
    short = re.split("[：:]", title)[0]
    if _width(short) <= LINE + 1:
        return [short]
    # Best at punctuation, with no line much longer than the other; else in the middle.
    at = [found.end() for found in re.finditer("[，、,！？!?]", short)]
    at = [end for end in at if _width(short[:end]) <= LINE + 1 and _width(short[end:]) <= LINE + 1]
    cut = at[0] if at else next(i for i in range(len(short)) if _width(short[:i]) >= LINE)
    first, second = short[:cut].strip("，、, "), short[cut:].strip()
    while _width(second) > LINE + 1:
        second = second[:-2] + "…"
    return [first, second] if second else [first]


def _width(text):
    """Return the width of text in Chinese characters."""
    return sum(1 if unicodedata.east_asian_width(c) in "WFA" else 0.55 for c in text)


def drawing(facts, needs):
    """Return the map as SVG.

    Parameters
    ----------
    facts : dict of str to (str, list of str, str, str)
        Part, lines, title and address of each chapter.
    needs : dict of str to list of str

    Returns
    -------
    str
    """
    depth = depths(needs)
    lanes = defaultdict(lambda: defaultdict(list))
    for name, (part, *_) in facts.items():
        lanes[part][depth[name]].append(name)
    width = (max(depth.values(), default=0) + 1) * (BOX[0] + GAP[0]) - GAP[0] + 2
    places, captions, top = {}, [], 0
    for part, columns in lanes.items():
        captions.append(f'<text class="lane" x="1" y="{top + 20}">{escape(part)}</text>')
        captions.append(f'<path class="lane" d="M0 {top + 0.5}H{width}"/>')
        top += LANE
        for column, names in columns.items():
            for row, name in enumerate(names):
                places[name] = (1 + column * (BOX[0] + GAP[0]), top + row * (BOX[1] + GAP[1]))
        top += max(map(len, columns.values())) * (BOX[1] + GAP[1])
    numbers = {name: number for number, name in enumerate(facts)}
    arrows, rules = [], []
    for name, others in needs.items():
        for other in others:
            classes = f"n{numbers[other]} n{numbers[name]}"
            arrows.append(f'<path class="{classes}" d="{_arrow(places[other], places[name])}"/>')
    boxes = [_box(f"b{numbers[name]}", *places[name], *facts[name][1:]) for name in facts]
    for number in numbers.values():
        rules.append(
            f".concept-map:has(.b{number}:is(:hover,:focus-visible)) .n{number}"
            "{stroke:var(--pst-color-link);stroke-width:2.5}"
        )
    return (
        '<div class="concept-map" tabindex="0" role="group" aria-label="概念地图，可左右滚动">'
        f"<style>{''.join(rules)}</style>"
        f'<svg viewBox="0 0 {width} {top + 2}" width="{width}" height="{top + 2}">'
        f'<g class="arrows">{"".join(arrows)}</g>{"".join(captions)}{"".join(boxes)}</svg></div>'
    )


def _arrow(start, end):
    (x0, y0), (x1, y1) = start, end
    x0, y0, y1 = x0 + BOX[0], y0 + BOX[1] // 2, y1 + BOX[1] // 2
    # A long arrow in a row goes below the boxes between.
    dip = BOX[1] if y0 == y1 and x1 - x0 > GAP[0] else 0
    bend = GAP[0] // 2 + dip
    return f"M{x0} {y0}C{x0 + bend} {y0 + dip} {x1 - bend} {y1 + dip} {x1} {y1}m-6 -4l6 4l-6 4"


def _box(name, x, y, lines, title, address):
    middle = y + BOX[1] / 2 - 8.5 * (len(lines) - 1) + 4.5
    text = "".join(
        f'<tspan x="{x + BOX[0] // 2}" y="{middle + 17 * number:g}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    return (
        f'<a class="{name}" href="{escape(address)}" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
        f"<text>{text}</text></a>"
    )


def changed_pages(app, env):
    """Return the page of the map if any chapter has another title or other needs."""
    if not hasattr(env, "scispaces_concept_map"):
        return []
    chapters = book_chapters(env)
    view = [(name, page.title, page.front["needs"]) for name, page in chapters.items()]
    return stale(env, "scispaces_concept_map_view", {env.scispaces_concept_map: view})


def merge(app, env, docnames, other):
    """Take over what another process read."""
    if hasattr(other, "scispaces_concept_map"):
        env.scispaces_concept_map = other.scispaces_concept_map


def setup(app):
    """Register the map with Sphinx."""
    app.add_directive("concept-map", ConceptMap)
    app.add_node(concept_map)
    app.add_post_transform(FillConceptMap)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
