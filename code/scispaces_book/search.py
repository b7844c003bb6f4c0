"""Search in Chinese: a Pagefind index of the pages, beside them.

Pagefind cuts Chinese into words, with one dictionary while indexing and another in the browser;
where the two disagree a phrase is not found.  So no dictionary is asked: each Han character is a
word here, and `static/search.js` looks for the characters of a phrase in a row.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path

from sphinx.util import logging

from scispaces_book.page import part_captions

__all__ = ["indexed", "setup", "spaced"]

logger = logging.getLogger(__name__)

FOLDER = "pagefind"
HAN = "[\u3400-\u4dbf\u4e00-\u9fff]"  # as in static/search.js

LEFT_OUT = (
    # Controls; formulas on a line of their own; of those in a sentence all but the source.
    "form, div.math, .katex-html, semantics > :not(annotation)",
    # What stands on every page, or beside every heading and equation.
    ".headerlink, .eqno, .verified-mark, .launch, .chapter-cite, .hide > summary",
)
UNUSED = ("wasm.unknown.pagefind", "*-ui.*", "pagefind-highlight.js", "pagefind-worker.js")
"""Files of Pagefind's own search boxes, which no page loads."""


def spaced(text):
    """Return text in which every Han character begins a word.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return re.sub(f"(?={HAN})|(?<={HAN})(?=[A-Za-z0-9])", " ", text)


def plain(tex):
    r"""Return the source of a formula with less markup: ``p(\theta)`` as ``p(θ)``.

    Parameters
    ----------
    tex : str

    Returns
    -------
    str
    """
    style = r"\\(?:operatorname\*?|math[a-z]+|text[a-z]*|boldsymbol) *"
    tex = re.sub(style + r"\{([^{}]*)\}", r" \1 ", tex)
    tex = re.sub(style + r"|\\(?:(?:left|right|quad|qquad)(?![a-z])|[,;:!])", " ", tex)
    return re.sub(r"\\([A-Za-z]+)", lambda command: _greek(command[1]) or f" {command[0]}", tex)


def _greek(name):
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    name = name.removeprefix("var").upper().replace("LAMBDA", "LAMDA")
    with suppress(KeyError):
        return unicodedata.lookup(f"GREEK {case} LETTER {name}")
    return None


def indexed(html, part):
    """Return what Pagefind reads of a page.

    Parameters
    ----------
    html : str
        The page as written.
    part : str
        Caption of the part of the book that holds it.

    Returns
    -------
    str
    """
    article = re.search(r"<article\b.*</article>", html, re.S)[0]
    article = re.sub(r"<svg\b.*?</svg>|[\u2060-\u2064]", "", article, flags=re.S)
    # Pagefind finds sections by headings that carry an id; Sphinx gives it to the section.
    article = re.sub(
        r'<section id="([^"]*)">(\s*(?:<span id="[^"]*"></span>)*<h\d)',
        r'<section>\2 id="\1"',
        article,
    )
    article = re.sub(
        r"(<annotation[^>]*>)([^<]*)", lambda found: found[1] + plain(found[2]), article
    )
    article = article.replace('class="highlight"', 'class="highlight" data-pagefind-weight="0.3"')
    article = re.sub(r">([^<]+)", lambda text: f">{spaced(text[1])}", article)
    return f'<html><body data-pagefind-meta="part:{part}">{article}</body></html>'


def write_index(app, exception):
    """Write the index of all pages but those with ``nosearch`` in their front matter."""
    if exception or app.builder.name != "html" or not app.config.scispaces_search:
        return
    folder = Path(app.outdir, FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as site:
        for docname, part in part_captions(app.env).items():
            if "nosearch" not in app.env.metadata[docname]:
                uri = app.builder.get_target_uri(docname)
                html = Path(app.outdir, uri).read_text(encoding="utf-8")
                page = Path(site, uri)
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(indexed(html, part), encoding="utf-8")
        # Not its Python API, which kills the service while it may still be writing.
        command = [sys.executable, "-m", "pagefind", "--silent", "--keep-index-url"]
        command += ["--site", site, "--output-path", folder]
        # English stems for English words, and no dictionary for Chinese.
        command += ["--force-language", "en", "--exclude-selectors", ", ".join(LEFT_OUT)]
        subprocess.run(command, check=True)
    for pattern in UNUSED:
        for file in folder.glob(pattern):
            file.unlink()


def setup(app):
    """Register the index with Sphinx."""
    app.add_config_value("scispaces_search", True, "", bool)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
