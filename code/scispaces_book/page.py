"""The page around a chapter: the book's own lean theme, in place of the stock one.

The stock theme ships two megabytes of scripts, styles and fonts, and a script that throws on every
page.  Here a page is one layout, one style sheet and a few small classic scripts.
"""

import base64
import hashlib
import html
import re
from pathlib import Path
from urllib.parse import unquote

from pygments.formatters import HtmlFormatter
from pypinyin import lazy_pinyin, load_phrases_dict
from sphinx.util import logging
from sphinx.util.images import get_image_size

from scispaces_book.math import PRELOAD
from scispaces_book.page_nodes import book_chapters

__all__ = ["part_captions", "setup"]

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
STOCK = (
    "pydata_sphinx_theme",
    "sphinx_book_theme",
    "sphinx_comments",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_thebe",
    "sphinx_togglebutton",
)
"""Extensions that jupyter-book loads for the stock theme, and that add weight here."""

THEME_SCRIPT = """\
document.documentElement.dataset.theme = (() => {
  try {
    const kept = localStorage.getItem("theme");
    if (kept) return kept;
  } catch {}
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();"""
"""Sets the colours before the first paint."""

load_phrases_dict({"重参数": [["chóng"], ["cān"], ["shù"]]})


def _hash(script):
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy(pagename):
    """Return the Content-Security-Policy of a page.

    Parameters
    ----------
    pagename : str

    Returns
    -------
    str
    """
    scripts = f"'self' {_hash(THEME_SCRIPT)} {_hash(PRELOAD)}"
    if pagename == "search":
        scripts += " 'wasm-unsafe-eval'"
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'"
    )


def take_over(app, config):
    """Put the book's theme in the place of the stock one, and silence what belongs to that."""
    config.html_theme = "scispaces"
    config.html_theme_options = {
        key: value
        for key, value in config.html_theme_options.items()
        if key in ("repository_url", "repository_branch")
    }
    for listeners in app.events.listeners.values():
        listeners[:] = [
            listener
            for listener in listeners
            if listener.handler.__module__.partition(".")[0] not in STOCK
        ]


def prepare(app):
    """Leave out Sphinx's own search, which misses most Chinese phrases."""
    app.builder.search = False


def write_style(app):
    """Write the book's style sheets as one: each would cost a phone a round trip."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    own = [STATIC / name for name in ("book.css", "authoring.css", "explorer.css", "launch.css")]
    sheets = [*own, STATIC / "maps.css", static / "figure-colours.css"]
    text = [code_colours(), *(sheet.read_text(encoding="utf-8") for sheet in sheets)]
    static.joinpath("pages.css").write_text("\n".join(text), encoding="utf-8", newline="\n")


def code_colours():
    """Return the colours of code, for light and for dark pages."""
    light = HtmlFormatter(style="a11y-light")
    dark = HtmlFormatter(style="a11y-dark")
    sheet = light.get_style_defs(".highlight") + "\n"
    sheet += dark.get_style_defs('[data-theme="dark"] .highlight') + "\n"
    # The page's own background, and no rule for line numbers, which the book has not.
    kept = [line for line in sheet.splitlines() if "linenos" not in line and "{" in line]
    kept = [re.sub(r"background(-color)?: [^;}]*;? ?", "", line) for line in kept]
    return "\n".join(kept)


def by_sound(index):
    """Return Sphinx's index with Chinese terms by their pinyin among the Latin ones.

    Parameters
    ----------
    index : list of (str, list of (str, object))
        Initial, and its terms with what is known of them.
    """
    found = {}
    for _, terms in index:
        for name, known in terms:
            sound = " ".join(lazy_pinyin(name)).lower()
            initial = sound[0].upper() if "a" <= sound[0] <= "z" else "符号"
            found.setdefault(initial, []).append((sound, name, known))
    return [
        (initial, [(name, known) for _, name, known in sorted(found[initial], key=lambda t: t[:2])])
        for initial in sorted(found, key=lambda initial: (initial != "符号", initial))
    ]


def extra_pages(app):
    """Yield the pages that no source stands for."""
    yield "search", {"title": "搜索"}, "search.html"
    yield "404", {"title": "没有这一页"}, "404.html"


def add_context(app, pagename, templatename, context, doctree):
    """Give the layout what it shows: parts, summary, policy; and drop files of the stock theme."""
    own = {path.name for path in STATIC.glob("*.js")} | {"pages.css", "math.css"}

    def kept(files):
        found = {}
        for file in files:
            filename = str(getattr(file, "filename", None) or "")
            if Path(filename).name.partition("?")[0] in own:
                found.setdefault(filename, file)
        return sorted(found.values(), key=lambda file: (file.priority, str(file.filename)))

    context["css_files"] = kept(context["css_files"])
    context["script_files"] = kept(context["script_files"])
    context["project"] = app.config.html_title
    context["policy"] = policy(pagename)
    context["theme_script"] = THEME_SCRIPT
    context["parts"] = parts(app, pagename)
    context["summary"] = app.env.metadata.get(pagename, {}).get("summary", "")
    _, before, after = app.builder.relations.get(pagename, (None, None, None))
    series = series_of_chapters(app.env)
    context["series_goes_on"] = {
        side: bool(docname) and pagename in series and series[pagename] == series.get(docname)
        for side, docname in (("prev", before), ("next", after))
    }
    if "genindexentries" in context:
        context["genindexentries"] = by_sound(context["genindexentries"])
    if "body" in context:
        body = fold(context["body"]).replace(DEPRECATED, 'role="listitem"')
        context["body"] = keep_room(body, app)


def parts(app, pagename):
    """Return the table of contents as nested dicts, with the current part marked."""
    site_map = app.env.external_site_map

    def chapter(docname):
        trees = site_map[docname].subtrees if docname in site_map else []
        return {
            "docname": docname,
            "title": html.escape(app.env.titles[docname].astext()),
            "summary": app.env.metadata.get(docname, {}).get("summary", ""),
            "chapters": [chapter(item) for tree in trees for item in tree.items],
        }

    def flat(found):
        return [each for one in found for each in (one, *flat(one["chapters"]))]

    result = []
    for tree in site_map.root.subtrees:
        found = [chapter(docname) for docname in tree.items]
        everything = flat(found)
        current = pagename in [each["docname"] for each in everything]
        result.append(
            {"caption": tree.caption, "chapters": found, "all": everything, "current": current}
        )
    return result


def series_of_chapters(env):
    """Return the name of the series of each chapter that belongs to one."""
    return {
        docname: chapter.front["series"]["name"]
        for docname, chapter in book_chapters(env).items()
        if "series" in chapter.front
    }


def part_captions(env):
    """Return the caption of the part that holds each page of the table of contents.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment

    Returns
    -------
    dict of str to str
        In the order of the book.
    """
    found = {}

    def walk(docname, caption):
        found[docname] = caption
        if docname in env.external_site_map:
            for tree in env.external_site_map[docname].subtrees:
                for below in tree.items:
                    walk(below, caption)

    for tree in env.external_site_map.root.subtrees:
        for docname in tree.items:
            walk(docname, tree.caption)
    return found


DEPRECATED = 'role="doc-biblioentry"'
"""What Sphinx writes on an entry of the bibliography, inside a list."""

DROPDOWN = re.compile(
    r'<div class="([^"]*\bdropdown\b[^"]*)"([^>]*)>\s*<p class="admonition-title">'
)


def fold(body):
    """Return HTML with admonitions of class ``dropdown`` as details, which fold without a script.

    Parameters
    ----------
    body : str

    Returns
    -------
    str
    """
    while match := DROPDOWN.search(body):
        depth, end = 1, len(body)
        for tag in re.finditer(r"<(/?)div\b[^>]*>", body[match.end() :]):
            depth += -1 if tag[1] else 1
            if depth == 0:
                end = match.end() + tag.start()
                break
        head, rest = body[match.end() : end].split("</p>", 1)
        # A summary is a button: no link has a place in it.
        head = re.sub(r"</?a\b[^>]*>", "", head)
        names = " ".join(name for name in match[1].split() if name != "dropdown")
        body = (
            f'{body[: match.start()]}<details class="{names} folded"{match[2]}>'
            f'<summary class="admonition-title">{head}</summary>{rest}</details>'
            + body[end + len("</div>") :]
        )
    return body


PICTURE = re.compile(r'<img (?![^>]*\bwidth=)(?=[^>]*\bsrc="[^"]*_images/([^"]+)")')
"""A picture that does not say its size."""


def keep_room(body, app):
    """Return HTML whose pictures say how large they are, so that text below them stands still.

    Parameters
    ----------
    body : str
    app : sphinx.application.Sphinx

    Returns
    -------
    str
    """
    sources = {name: source for source, name in app.builder.images.items()}

    def sized(match):
        source = sources[unquote(match[1])]
        size = get_image_size(Path(app.srcdir, source))
        if size is None:
            logger.warning("%s does not say its width and height", source, type="scispaces")
            return match[0]
        return f'<img width="{size[0]}" height="{size[1]}" '

    return PICTURE.sub(sized, body)


def setup(app):
    """Register the book's theme with Sphinx."""
    app.add_html_theme("scispaces", str(Path(__file__).parent / "theme"))
    app.connect("config-inited", take_over, priority=1)
    app.connect("builder-inited", prepare)
    app.connect("html-collect-pages", extra_pages)
    app.connect("html-page-context", add_context, priority=900)
    app.connect("builder-inited", write_style, priority=950)  # after the colours of figures
    app.add_css_file("pages.css", priority=100)
    app.add_js_file("book.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
