"""What needs the book's own address: canonical links, pictures for links, sitemap, feed, 404.

The address is `html_baseurl` in ``_config.yml``; while it is not set, nothing of this is made, and
one notice says so.
"""

import io
import shutil
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from sphinx.util import logging

from scispaces_book.changes import changes
from scispaces_book.gallery import figures

__all__ = ["card", "setup"]

logger = logging.getLogger(__name__)

FOLDER = "_cards"
CARD = (1200, 630)
CARD_BYTES = 60_000
FEED, SITEMAP = "changes.xml", "sitemap.xml"


def base(config):
    """Return the address of the book with a slash at the end, or ""."""
    return config.html_baseurl and config.html_baseurl.rstrip("/") + "/"


def card(image):
    """Return a picture as PNG of the size that link previews have, of at most 60 KB.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    bytes
    """
    inside = image.copy()
    inside.thumbnail((CARD[0] - 120, CARD[1] - 50), Image.Resampling.LANCZOS)
    whole = Image.new("RGB", CARD, "white")
    whole.paste(
        inside, tuple((all_ - part) // 2 for all_, part in zip(CARD, inside.size, strict=True))
    )
    for colours in (64, 32, 16, 8, 4):
        stream = io.BytesIO()
        whole.quantize(colours).save(stream, "PNG", optimize=True)
        if stream.tell() <= CARD_BYTES:
            break
    return stream.getvalue()


def first_picture(env, docname):
    """Return the page whose first picture stands for a page: itself, or the landing page."""
    known = figures(env)
    return next((name for name in (docname, env.config.root_doc) if known.get(name)), None)


def add_context(app, pagename, templatename, context, doctree):
    """Give the layout the absolute addresses of a page."""
    address = base(app.config)
    if not address:
        context["pageurl"] = None
        return
    if pagename == "404":
        # It is shown at any depth, where relative addresses lead nowhere.
        context["pathto"] = from_root(app, context["pathto"])
    if pagename in ("404", "search"):
        context["pageurl"] = None
    context["feed"] = address + FEED
    if name := first_picture(app.env, pagename):
        context["picture"] = f"{address}{FOLDER}/{card_name(name)}"
        context["picture_alt"] = figures(app.env)[name][0].alt


def card_name(docname):
    """Return the file name of a page's picture."""
    return docname.replace("/", "-") + ".png"


def root(config):
    """Return the path of the book on its host."""
    return urlsplit(base(config)).path


def from_root(app, pathto):
    """Return `pathto` with addresses that begin at the root of the host."""

    def absolute(target, resource=False):
        found = pathto(target, True) if resource else app.builder.get_target_uri(target)
        return root(app.config) + found

    return absolute


def write_files(app, exception):
    """Write pictures, sitemap and feed beside the pages."""
    if exception or app.builder.name != "html":
        return
    folder = Path(app.outdir, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    for name in (FEED, SITEMAP):
        Path(app.outdir, name).unlink(missing_ok=True)
    if not base(app.config):
        logger.info("html_baseurl is not set: no canonical links, sitemap, feed, link pictures")
        return
    folder.mkdir()
    for docname, of_page in figures(app.env).items():
        folder.joinpath(card_name(docname)).write_bytes(card(of_page[0].image))
    Path(app.outdir, SITEMAP).write_text(sitemap(app), encoding="utf-8")
    Path(app.outdir, FEED).write_text(feed(app), encoding="utf-8")


def sitemap(app):
    """Return the addresses of all pages."""
    uris = [app.builder.get_target_uri(docname) for docname in sorted(app.env.found_docs)]
    rows = "".join(f"<url><loc>{escape(base(app.config) + uri)}</loc></url>\n" for uri in uris)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n'
    )


def feed(app):
    """Return the changes of the book as an Atom feed."""
    days = changes(app.srcdir)
    here = base(app.config) + FEED
    page = base(app.config) + app.builder.get_target_uri("chapters/appendix/changes")
    entries = "".join(
        f"<entry><title>{day.date}</title><id>{escape(page)}#changes-{day.date}</id>"
        f'<link href="{escape(page)}#changes-{day.date}"/>'
        f"<updated>{day.date}T00:00:00Z</updated>"
        f'<content type="text" xml:lang="en">{escape(chr(10).join(day.lines))}</content></entry>\n'
        for day in days
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh-CN">'
        f"<title>{escape(app.config.html_title)}</title><id>{escape(here)}</id>"
        f'<link rel="self" href="{escape(here)}"/><link href="{escape(page)}"/>'
        f"<author><name>{escape(app.config.author)}</name></author>"
        f"<updated>{max((day.date for day in days), default='1970-01-01')}T00:00:00Z</updated>\n"
        f"{entries}</feed>\n"
    )


def setup(app):
    """Register with Sphinx what needs the book's address."""
    app.connect("html-page-context", add_context, priority=100)  # before anyone uses `pathto`
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
