"""The gallery of all explorers, each as a small picture that leads to it.

`scispaces.explore` stores with each explorer its default picture as PNG; the gallery shows it
smaller, and `addresses` puts it behind links to a chapter.
"""

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from scispaces_book.explorers import explorer_picture
from scispaces_book.page_nodes import book_chapters, chapter_link, stale

__all__ = ["Figure", "figures", "setup"]

FOLDER = "_pictures"
WIDTH = 320


@dataclass(frozen=True)
class Figure:
    """A picture of a chapter.

    Attributes
    ----------
    name, alt : str
    poster : str
        PNG, base64.
    moves : bool
    caption : tuple of docutils.nodes.Node
    """

    name: str
    alt: str
    poster: str
    moves: bool
    caption: tuple

    @property
    def image(self):
        return Image.open(io.BytesIO(base64.b64decode(self.poster))).convert("RGB")


def figures(env):
    """Return the pictures of all pages by docname."""
    if not hasattr(env, "scispaces_figures"):
        env.scispaces_figures = {}
    return env.scispaces_figures


class gallery(nodes.General, nodes.Element):
    """Stands for all explorers until all chapters are read."""


class thumbnail(nodes.General, nodes.Element):
    """A small picture; ``figure`` is the `Figure`."""


class Gallery(SphinxDirective):
    """``{gallery}``: the explorers of all chapters."""

    def run(self):
        self.env.scispaces_gallery = self.env.docname
        return [gallery()]


class FillGallery(SphinxPostTransform):
    """Fills the gallery."""

    default_priority = 5

    def run(self, **kwargs):
        for node in list(self.document.findall(gallery)):
            result = []
            for docname in book_chapters(self.env):
                moving = [figure for figure in figures(self.env).get(docname, ()) if figure.moves]
                if moving:
                    link = chapter_link(self.app.builder, self.env.docname, docname)
                    result.append(nodes.rubric("", "", link))
                    items = [self.item(docname, figure) for figure in moving]
                    result.append(nodes.bullet_list("", *items, classes=["gallery"]))
            node.replace_self(result)

    def item(self, docname, figure):
        uri = self.app.builder.get_relative_uri(self.env.docname, docname)
        link = nodes.reference("", "", internal=True, refuri=f"{uri}#{figure.name}")
        link += thumbnail(figure=figure)
        caption = nodes.paragraph("", "", *(node.deepcopy() for node in figure.caption))
        for reference in caption.findall(addnodes.pending_xref):
            reference["refdoc"] = self.env.docname
        return nodes.list_item("", nodes.paragraph("", "", link), caption)


def visit_thumbnail(translator, node):
    """Write the picture into the page, and its file."""
    figure, builder = node["figure"], translator.builder
    image = figure.image
    size = (WIDTH, round(WIDTH * image.height / image.width))
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(stream, "WEBP", quality=70, method=6)
    file = Path(builder.outdir, FOLDER, f"{figure.name}.webp")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(stream.getvalue())
    page = builder.get_target_uri(builder.current_docname)
    source = relative_uri(page, f"{FOLDER}/{file.name}")
    digest = hashlib.sha256(stream.getvalue()).hexdigest()[:8]
    alt = translator.attval(figure.alt)
    translator.body.append(
        f'<img src="{source}?v={digest}" width="{size[0]}" height="{size[1]}" alt="{alt}" '
        'loading="lazy" decoding="async">'
    )
    raise nodes.SkipNode


def visit_as_text(translator, node):
    """In formats without pictures the words stand for the picture."""
    translator.body.append(node["figure"].alt)
    raise nodes.SkipNode


def collect(app, document):
    """Note the pictures of a page that was read."""
    found = []
    for picture in document.findall(explorer_picture):
        data = picture["data"]
        caption = next(picture.parent.findall(nodes.caption))
        words = tuple(caption.deepcopy().children)
        moves = bool(data["controls"])
        found.append(Figure(data["name"], data["alt"], data["poster"], moves, words))
    if found:
        figures(app.env)[app.env.docname] = tuple(found)


def purge(app, env, docname):
    """Forget the pictures of a page that is read again."""
    figures(env).pop(docname, None)


def merge(app, env, docnames, other):
    """Take over the pictures that another process read."""
    figures(env).update({name: figures(other)[name] for name in docnames if name in figures(other)})
    if hasattr(other, "scispaces_gallery"):
        env.scispaces_gallery = other.scispaces_gallery


def changed_pages(app, env):
    """Return the page of the gallery if any picture, caption or title has changed."""
    if not hasattr(env, "scispaces_gallery"):
        return []
    view = [
        (
            page.title,
            [(f.name, f.alt, f.poster, str(f.caption)) for f in figures(env).get(name, ())],
        )
        for name, page in book_chapters(env).items()
    ]
    return stale(env, "scispaces_gallery_view", {env.scispaces_gallery: view})


def setup(app):
    """Register the gallery with Sphinx."""
    app.add_directive("gallery", Gallery)
    app.add_node(gallery)
    app.add_node(
        thumbnail,
        html=(visit_thumbnail, None),
        latex=(visit_as_text, None),
        text=(visit_as_text, None),
    )
    app.add_post_transform(FillGallery)
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
