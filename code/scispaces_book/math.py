"""Formulas that stand in the page as it arrives: KaTeX runs while the book is built.

Every formula is typeset by KaTeX's own script, which V8 evaluates inside this process, and the page
holds the result: HTML for the eye, MathML with the TeX source for everyone else.  No script is
needed to read it.  When all pages are written, they are looked through, and one stylesheet with the
rules that occur, and fonts with the glyphs that occur, are made from the installed packages.

What KaTeX cannot typeset as LaTeX would stops the build.
"""

import atexit
import functools
import html
import importlib.metadata
import io
import itertools
import json
import logging
import os
import re
import shutil
from collections import defaultdict
from pathlib import Path

from docutils import nodes
from docutils.utils import get_source_line
from fontTools import subset
from fontTools.ttLib import TTFont
from py_mini_racer import MiniRacer
from sphinx.errors import SphinxError
from sphinx.locale import _
from sphinx.util.math import get_node_equation_number

__all__ = ["FormulaError", "plain", "render", "setup"]

STATIC = Path(__file__).parent / "static"


class FormulaError(SphinxError):
    """Formulas that cannot be typeset."""

    category = "Formula error"


# Typesetting


@functools.cache
def render(tex, display=False):
    r"""Typeset a formula.

    Parameters
    ----------
    tex : str
        In KaTeX's part of LaTeX, without dollar signs.
    display : bool, default False
        In a line of its own, rather than within the text.

    Returns
    -------
    str
        HTML for the eye next to MathML, whose annotation holds `tex`.

    Raises
    ------
    ValueError
        If KaTeX does not know a macro or cannot read the formula, or if the formula is not LaTeX
        (Chinese outside of ``\text``, say), or if it numbers itself.
    """
    answer = _context().call("typeset", tex, bool(display))
    if not answer.startswith("<"):  # what is no HTML is KaTeX's complaint
        raise ValueError(answer.removeprefix("KaTeX parse error: "))
    if re.search(r'class="(?:eqn-num|tag)\b', answer):
        raise ValueError(
            r"an equation is numbered by the label after it; use aligned or gathered "
            r"rather than align or gather, and no \tag"
        )
    return answer


_contexts = {}


def _context():
    """Return this process's V8 with KaTeX in it."""
    # Sphinx forks.  A context works only in the process that made it, and closing it elsewhere
    # waits forever: a child makes its own and leaves that of its parent alone.
    if os.getpid() not in _contexts:
        context = MiniRacer()
        # Before Python stops the thread that closing waits for, or the process may never end.
        atexit.register(context.close)
        context.eval(_installed("sphinxcontrib-katex", "katex.min.js")[0].read_text("utf-8"))
        context.eval("""
            function typeset(tex, displayMode) {
                const options = {displayMode, output: "htmlAndMathml", strict: "error"};
                try { return katex.renderToString(tex, options); }
                catch (error) { return error.message; }
            }
        """)
        _contexts[os.getpid()] = context
    return _contexts[os.getpid()]


def _installed(distribution, pattern):
    """Return the files of an installed distribution whose path matches, sorted."""
    files = importlib.metadata.files(distribution) or ()
    found = sorted(Path(file.locate()) for file in files if file.match(pattern))
    if not found:
        raise FormulaError(f"the installed {distribution} has no {pattern}")
    return found


def plain(text):
    """Return HTML without its tags; of a formula, its symbols where they say it, else its TeX.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Still escaped, as Jinja's ``striptags`` leaves it; blanks are single.
    """
    for formula in sorted(set(_formulas(text)), key=len, reverse=True):
        symbols, tex = re.search(
            r"<semantics>(.*?)<annotation[^>]*>(.*?)</annotation>", formula, re.DOTALL
        ).groups()
        in_line = not re.search(r"<(?!/|mrow\b|mi\b|mn\b|mo\b|mtext\b)", symbols)
        # U+2061 stands unseen between a function and its argument.
        text = text.replace(formula, symbols.replace("\u2061", "") if in_line else tex)
    return " ".join(re.sub(r"<!--.*?-->|<[^>]*>", "", text, flags=re.DOTALL).split())


def _formulas(text):
    """Yield the typeset formulas in HTML."""
    tags = re.compile(r"<(/?)span\b[^>]*>")
    for start in re.finditer(r'<span class="katex">', text):
        depth = 0
        for tag in tags.finditer(text, start.start()):
            depth += -1 if tag[1] else 1
            if depth == 0:
                yield text[start.start() : tag.end()]
                break


# Pages


def block_tex(source):
    r"""Return what a block of formulas means to Sphinx.

    A blank line starts a new line, and so does ``\\`` outside of braces and environments.

    Parameters
    ----------
    source : str

    Returns
    -------
    str
    """
    lines = [part.strip() for part in source.split("\n\n") if part.strip()]
    if len(lines) == 1 and not _breaks(lines[0]):
        return lines[0]
    return "\\begin{split}" + r"\\".join(lines) + "\\end{split}"


def _breaks(tex):
    r"""Return whether ``\\`` stands outside of braces and environments."""
    depth = 0
    for token in re.findall(r"\\begin\b|\\end\b|\\.|[{}]", tex, re.DOTALL):
        if token == r"\\" and depth == 0:
            return True
        depth += {r"\begin": 1, "{": 1, r"\end": -1, "}": -1}.get(token, 0)
    return False


def _typeset(node):
    """Return the HTML of a formula's node."""
    if isinstance(node, nodes.math_block):
        return render(block_tex(node.astext()), display=True)
    return render(node.astext())


def _fault(node, error):
    """Return what is wrong with a node's formula, and where."""
    source, line = get_source_line(node)
    where = f"{source}:{line}" if line else source
    return f"{where}: {error}\n    {node.astext()}"


def choose(app, config):
    """Leave no formula to MathJax."""
    config.html_math_renderer = "katex"
    if "myst_update_mathjax" in config:
        config.myst_update_mathjax = False


def check(app, doctree):
    """Raise if a page that was just read has formulas that cannot be typeset."""
    if app.builder.format != "html":
        return
    faults = []
    for node in doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)):
        try:
            _typeset(node)
        except ValueError as error:
            faults.append(_fault(node, error))
    if faults:
        raise FormulaError("\n".join(faults))


def visit_math(self, node):
    """Write a formula within the text."""
    # A line may break on either side of a formula, whatever stands there, unless a word joiner
    # does: no line begins with a full stop, or ends with an opening bracket.
    siblings = node.parent.children
    place = siblings.index(node)
    before, after = siblings[max(place - 1, 0)], siblings[min(place + 1, len(siblings) - 1)]
    self.body.append(JOINER if isinstance(before, nodes.Text) and before.endswith(OPENING) else "")
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_written(node))
    self.body.append("</span>")
    self.body.append(JOINER if isinstance(after, nodes.Text) and after.startswith(CLOSING) else "")
    raise nodes.SkipNode


JOINER = "\u2060"
OPENING = tuple("（《〈「『【〔“‘([")
CLOSING = tuple("，。、；：！？）》〉」』】〕”’…—％,.;:!?)]%")


def visit_math_block(self, node):
    """Write a formula in a line of its own, with its number."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(f'<div class="math-scroll">{_written(node)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _written(node):
    """Return the HTML of a node that other extensions may have made after the check."""
    try:
        return _typeset(node)
    except ValueError as error:
        raise FormulaError(_fault(node, error)) from None


def add_scripts(app, pagename, templatename, context, doctree):
    """Give pages with formulas the script that copies TeX, and their fonts an early start."""
    first = list(itertools.islice(_formulas(context.get("body", "")), 12))
    if not first:
        return
    app.add_js_file("math.js", loading_method="defer")
    faces = _faces(_used(first, _rules(_katex_css()))[1])
    names = " ".join(sorted(_file_name(*face) for face in faces))
    folder = context["pathto"]("_static/math/", resource=True)
    # Above all stylesheets, or it waits for them.
    script = f'<script data-folder="{folder}" data-fonts="{names}">{PRELOAD}</script>\n'
    context["metatags"] = script + context.get("metatags", "")


# Fonts that arrive before the first paint move no line after it.  From a disk they need no head
# start, and Chromium would log an error for each.
PRELOAD = """\
if (location.protocol !== "file:") {
  const {folder, fonts} = document.currentScript.dataset;
  for (const name of fonts.split(" ")) {
    const link = document.createElement("link");
    const properties = {rel: "preload", as: "font", type: "font/woff2", crossOrigin: ""};
    document.head.append(Object.assign(link, properties, {href: folder + name}));
  }
}"""


def strip_formulas(app):
    """Let templates strip formulas to text: in the page's title, say."""
    if app.builder.format == "html":
        app.builder.templates.environment.filters["striptags"] = lambda value: plain(str(value))


# Stylesheet and fonts


def write_assets(app, exception):
    """Write the stylesheet and the fonts that the pages need."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    formulas = set()
    for page in sorted(Path(app.outdir).rglob("*.html")):
        formulas.update(_formulas(page.read_text("utf-8")))
    rules = _rules(_katex_css())
    classes, characters = _used(formulas, rules)
    fonts = static / "math"
    shutil.rmtree(fonts, ignore_errors=True)
    sheet = [
        "/* KaTeX, (c) Khan Academy and other contributors, MIT License; fonts under OFL 1.1 */"
    ]
    for (family, weight, style), used in sorted(_faces(characters).items()):
        name = _file_name(family, weight, style)
        fonts.mkdir(parents=True, exist_ok=True)
        (fonts / name).write_bytes(_subset(family, weight, style, used))
        # `block`: in another font a formula is wrong, its brackets and roots in pieces.  The boxes
        # of a formula have heights of their own, so lines keep their places while fonts arrive.
        sheet.append(
            f"@font-face{{font-family:{family};font-weight:{weight};font-style:{style};"
            f"font-display:block;src:url(math/{name})format('woff2')}}"
        )
    for selectors, declarations in rules:
        kept = [s for s in selectors if set(re.findall(r"\.([\w-]+)", s)) <= classes]
        if kept and "body" not in kept:
            sheet.append(f"{','.join(kept)}{{{';'.join(f'{k}:{v}' for k, v in declarations)}}}")
    sheet.append((STATIC / "math.css").read_text("utf-8"))
    static.mkdir(exist_ok=True)
    (static / "math.css").write_text("\n".join(sheet), encoding="utf-8", newline="\n")


def _file_name(family, weight, style):
    """Return the name of a font's file."""
    return f"{family.removeprefix('KaTeX_')}-{weight}-{style}.woff2".lower()


@functools.cache
def _katex_css():
    """Return KaTeX's stylesheet."""
    # It lies in a script, as the text of a template literal whose ${…} are the fonts' addresses.
    literal = re.compile(r"`(?:[^`\\]|\\.)*@font-face(?:[^`\\]|\\.)*KaTeX_(?:[^`\\]|\\.)*`")
    for script in _installed("jupyterlab-myst", "static/*.js"):
        text = script.read_text("utf-8")
        if "KaTeX_Main" in text and (found := literal.search(text)):
            return json.loads(
                _context().eval(f"JSON.stringify({re.sub(r'[$]{[^}]*}', '', found[0])})")
            )
    raise FormulaError("no script of the installed jupyterlab-myst has KaTeX's stylesheet")


def _rules(css):
    """Return a stylesheet's rules, less its fonts: lists of selectors and of declarations."""
    found = []
    for head, body in re.findall(
        r"([^{}]+)\{([^{}]*)\}", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    ):
        if not head.strip().startswith("@"):
            selectors = [re.sub(r"\s*>\s*", ">", " ".join(s.split())) for s in head.split(",")]
            pairs = (item.split(":", 1) for item in body.split(";") if item.strip())
            found.append((selectors, [(name.strip(), " ".join(v.split())) for name, v in pairs]))
    return found


def _used(formulas, rules):
    """Return the classes of formulas, and the set of characters by family, weight and style."""
    looks = []
    for selectors, declarations in rules:
        if look := _look(dict(declarations)):
            looks += [(_steps(selector), look) for selector in selectors if ":" not in selector]

    @functools.cache
    def computed(path):
        look = computed(path[:-1]) if path else {"weight": 400, "style": "normal"}
        for steps, change in looks:
            if _matches(steps, path):
                look = look | change
        return look

    classes, characters = set(), defaultdict(set)
    token = re.compile(
        r'<span class="katex-mathml">.*?</math></span>|<(/?)(\w+)([^>]*)>|([^<]+)', re.DOTALL
    )
    for formula in formulas:
        path = ()
        for end, tag, attributes, text in token.findall(formula):
            if text:
                look = computed(path)
                characters[look["family"], look["weight"], look["style"]] |= set(
                    html.unescape(text)
                )
            elif end:
                path = path[:-1]
            elif tag and not attributes.endswith("/"):
                names = re.search(r'class="([^"]*)"', attributes)
                path = (*path, (tag, frozenset(names[1].split() if names else ())))
                classes |= path[-1][1]
    # The hidden MathML is skipped above; a block's wrapper stands outside of the formula.
    return classes | {"katex-mathml", "katex-display"}, characters


def _look(declarations):
    """Return what a rule says of family, weight and style."""
    look = {}
    if font := declarations.get("font"):
        look = {"weight": 400, "style": "normal"}
    if family := re.search(r"KaTeX_\w+", font or declarations.get("font-family", "")):
        look["family"] = family[0]
    if weight := declarations.get("font-weight"):
        look["weight"] = {"normal": 400, "bold": 700}.get(weight) or int(weight)
    if style := declarations.get("font-style"):
        look["style"] = style
    return look


def _steps(selector):
    """Return a selector as steps: whether a child is meant, its tag, its classes."""
    steps = []
    for sign, tag, names in re.findall(r"([ >]?)(\w*)((?:\.[\w-]+)*)", selector):
        if tag or names:
            steps.append((sign == ">", tag, frozenset(names.split(".")[1:])))
    return steps


def _matches(steps, path):
    """Return whether a selector's steps select the last element of a path."""
    if not steps:
        return True
    if not path:
        return False
    *before, (child, tag, names) = steps
    if not (names <= path[-1][1] and tag in ("", path[-1][0])):
        return False
    ancestors = [path[:-1]] if child else [path[:n] for n in range(len(path))]
    return not before or any(_matches(before, ancestor) for ancestor in ancestors)


@functools.cache
def _fonts():
    """Return KaTeX's font files by family, weight and style."""
    found = {}
    for path in _installed("jupyterlab-myst", "static/*.woff2"):
        with TTFont(path, lazy=True) as font:
            family, style = font["name"].getDebugName(1), font["name"].getDebugName(2)
        if family.startswith("KaTeX_"):
            weight = 700 if "Bold" in style else 400
            found[family, weight, "italic" if "Italic" in style else "normal"] = path
    return found


def _faces(characters):
    """Return the characters by the fonts that a browser takes for them."""
    faces = defaultdict(set)
    for (family, weight, style), used in characters.items():
        # Where a family lacks a face, the browser slants or thickens another one.
        have = [face for face in _fonts() if face[0] == family]
        face = min(have, key=lambda f: (f[2] != style, f[1] != weight))
        with TTFont(_fonts()[face], lazy=True) as font:
            known = set(map(chr, font.getBestCmap()))
        if used & known:
            faces[face] |= used & known
    return faces


def _subset(family, weight, style, characters):
    """Return a font with the glyphs of some characters, as bytes that depend on nothing else."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff2", hinting=False, notdef_outline=True)
    # The licence reserves the font's name to the whole font; the copyright stays.
    options.name_IDs = [0, 13, 14]
    with TTFont(_fonts()[family, weight, style], recalcTimestamp=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text="".join(sorted(characters)))
        cutter.subset(font)
        font.flavor = "woff2"
        file = io.BytesIO()
        font.save(file)
    return file.getvalue()


def setup(app):
    """Register the typesetting of formulas with Sphinx."""
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.connect("config-inited", choose, priority=100)  # before MyST looks
    app.connect("builder-inited", strip_formulas)
    app.connect("doctree-read", check)
    app.connect("html-page-context", add_scripts)
    # Before what weighs or rewrites the finished pages.
    app.connect("build-finished", write_assets, priority=100)
    app.add_css_file("math.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
