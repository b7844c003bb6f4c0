"""Reads the source of a chapter: its front matter and its blocks, each with its line."""

import datetime
import functools
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

__all__ = [
    "Block",
    "Fault",
    "Page",
    "chapters",
    "front_matter_faults",
    "notation_faults",
    "notation_row",
    "pages",
    "read_page",
]

EXTENSIONS = {"amsmath", "colon_fence", "deflist", "dollarmath", "tasklist"}
"""The MyST extensions that `_config.yml` enables."""

VERBATIM = {"bibliography", "code", "code-block", "code-cell", "literalinclude", "math", "notation"}
"""Directives whose content is not Markdown."""

CONTAINERS = {
    "blockquote_open": "quote",
    "bullet_list_open": "list",
    "dl_open": "list",
    "ordered_list_open": "list",
    "table_open": "table",
}

REQUIRED = ("jupytext", "kernelspec", "needs", "post", "summary")
HAN_PER_MINUTE, CODE_LINES_PER_MINUTE = 400, 15


@dataclass(frozen=True, order=True)
class Fault:
    """Something wrong in a file, and where.

    Attributes
    ----------
    path : str
        The file, relative to the root of the book.
    line : int
    message : str
        What is wrong, what is expected, what came.
    """

    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes
    ----------
    kind : str
        ``heading``, ``paragraph``, ``list``, ``table``, ``quote``, ``math``, ``comment``,
        ``target``, ``code`` for a fence without directive, else the name of the directive.
    line : int
        Its first line, counted from 1.
    text : str
        Its source without the markup that makes it this kind of block.
    argument : str
        The argument of a directive, the label of a formula, the level of a heading.
    options : dict of str
        The options of a directive.
    """

    kind: str
    line: int
    text: str
    argument: str = ""
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A page of the book as its author wrote it.

    Attributes
    ----------
    path : str
        Relative to the root of the book, ``chapters/<part>/<slug>.md``.
    front : dict
        The front matter; empty if it cannot be read.
    text : str
    blocks : tuple of Block
        In the order of the page; the blocks inside a directive follow it.
    """

    path: str
    front: dict
    text: str
    blocks: tuple

    @property
    def slug(self):
        return Path(self.path).stem

    @property
    def part(self):
        return Path(self.path).parent.name

    @property
    def prefix(self):
        """The slug as labels carry it."""
        return self.slug.replace("_", "-")

    @property
    def title(self):
        return next((b.text for b in self.blocks if b.kind == "heading"), self.slug)

    @property
    def module(self):
        return f"code/scispaces/{self.part}/{self.slug}.py"

    @property
    def tests(self):
        return f"tests/{self.part}/test_{self.slug}.py"

    @property
    def minutes(self):
        """Reading time: 400 characters or 15 lines of code a minute."""
        code = [b.text for b in self.blocks if b.kind == "code-cell"]
        prose = [b.text for b in self.blocks if b.kind in {"heading", "list", "paragraph", "table"}]
        han = sum("\u4e00" <= c <= "\u9fff" for text in prose for c in text)
        lines = sum(bool(line.strip()) for text in code for line in text.splitlines())
        return max(1, math.ceil(han / HAN_PER_MINUTE + lines / CODE_LINES_PER_MINUTE))

    def fault(self, line, message):
        return Fault(self.path, line, message)

    def key_line(self, key):
        """Return the line of a key of the front matter, or 1."""
        match = re.search(rf"^{re.escape(key)}\s*:", self.text, re.M)
        return self.text.count("\n", 0, match.start()) + 1 if match else 1


def read_page(path, root):
    """Read a page.

    Parameters
    ----------
    path : path-like
        The file.
    root : path-like
        The root of the book.

    Returns
    -------
    Page
    """
    path = Path(path).resolve()
    return _read(path.relative_to(Path(root).resolve()).as_posix(), path.read_text("utf-8"))


def pages(root):
    """Read all pages in ``chapters/``.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    list of Page
        Sorted by path.
    """
    return [read_page(path, root) for path in sorted(Path(root, "chapters").glob("**/*.md"))]


def chapters(root):
    """Read the chapters: the pages that are neither in the appendix nor tell a series' thread.

    A series' page is one that has pages below it in ``_toc.yml``.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    list of Page
        Sorted by path.
    """
    series = _series(root)
    return [
        page
        for page in pages(root)
        if len(Path(page.path).parts) == 3
        and page.part != "appendix"
        and page.path.removesuffix(".md") not in series
    ]


def front_matter_faults(page):
    """Return what is wrong with the front matter of a chapter.

    Parameters
    ----------
    page : Page

    Returns
    -------
    list of Fault
    """
    front = page.front
    if not front:
        return [page.fault(1, "the chapter must start with front matter between two lines `---`")]
    faults = []

    def check(ok, key, message, got=None):
        if not ok:
            found = "" if got is None else f", got {got!r}"
            faults.append(page.fault(page.key_line(key), f"front matter: {message}{found}"))

    for key in REQUIRED:
        check(key in front, key, f"`{key}` is missing")
    for key in set(front) - {*REQUIRED, "series"}:
        check(False, key, f"`{key}` is not a key of a chapter")
    if "post" in front:
        for message, got in _post_faults(front["post"]):
            check(False, "post", message, got)
    if "series" in front:
        series = front["series"]
        ok = (
            isinstance(series, dict)
            and set(series) == {"name", "number"}
            and _is_text(series["name"])
            and type(series["number"]) is int
            and series["number"] >= 1
        )
        check(ok, "series", "`series` must be {name: text, number: 1, 2, …}", series)
    needs = front.get("needs", [])
    ok = isinstance(needs, list) and all(
        isinstance(slug, str) and re.fullmatch(r"[a-z][a-z0-9_]*", slug) for slug in needs
    )
    check(ok, "needs", "`needs` must be a list of slugs", needs)
    check(not ok or page.slug not in needs, "needs", "a chapter cannot need itself")
    check(not ok or len(set(needs)) == len(needs), "needs", "a slug stands twice", needs)
    check(
        "summary" not in front or _is_text(front["summary"]),
        "summary",
        "`summary` must be one sentence",
        front.get("summary"),
    )
    return faults


@functools.lru_cache(maxsize=4096)
def _read(path, text):
    return Page(path, _front_matter(text), text, tuple(_blocks(text, 0)))


def notation_row(line):
    """Return symbol and meaning of a row ``symbol | meaning``, None if it is none.

    Parameters
    ----------
    line : str

    Returns
    -------
    tuple of str or None
    """
    # A bar inside a formula belongs to the formula.
    parts = re.fullmatch(r"((?:\$[^$]*\$|[^$|])+)\|(.+)", line.strip())
    return (parts[1].strip(), parts[2].strip()) if parts else None


def notation_faults(page):
    """Return the rows of a page's notation that are none.

    Parameters
    ----------
    page : Page

    Returns
    -------
    list of Fault
    """
    return [
        page.fault(
            block.line + number,
            f'notation: a row reads "symbol | meaning", got "{line.strip()}"',
        )
        for block in page.blocks
        if block.kind == "notation"
        for number, line in enumerate(block.text.splitlines(), start=1)
        if line.strip() and notation_row(line) is None
    ]


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def _post_faults(post):
    """Yield a message, and what came, for each fault of `post`."""
    if not isinstance(post, dict) or set(post) != {"title", "date", "url"}:
        yield "`post` must be {title, date, url}", post
        return
    if not _is_text(post["title"]):
        yield "`post.title` must be the title of the post", post["title"]
    if isinstance(post["date"], datetime.date):
        yield '`post.date` must be quoted ("YYYY-MM-DD")', str(post["date"])
    elif not _is_date(post["date"]):
        yield '`post.date` must be "YYYY-MM-DD"', post["date"]
    if not re.fullmatch(r"https?://\S+", str(post["url"])):
        yield "`post.url` must be the address of the post", post["url"]


def _is_date(value):
    try:
        return value == datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        return False


def _front_matter(text):
    match = re.match(r"---\n(.*?)^---\s*$", text, re.M | re.S)
    try:
        front = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        front = None
    return front if isinstance(front, dict) else {}


def _series(root):
    toc = Path(root, "_toc.yml")
    if not toc.exists():
        return set()
    found = set()

    def walk(entry):
        if isinstance(entry, list):
            for item in entry:
                walk(item)
        elif isinstance(entry, dict):
            below = [entry[key] for key in ("sections", "entries", "subtrees") if key in entry]
            if below and "file" in entry:
                found.add(entry["file"].removesuffix(".md"))
            for value in entry.values():
                walk(value)

    walk(yaml.safe_load(toc.read_text(encoding="utf-8")))
    return found


@functools.cache
def _parser():
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


def _blocks(text, above):
    """Yield the blocks of `text`, which `above` lines precede in the file."""
    lines = text.splitlines()
    tokens = _parser().parse(text)
    for index, token in enumerate(tokens):
        if token.map is None:
            continue
        line = above + token.map[0] + 1
        if token.type == "heading_open":
            yield Block("heading", line, tokens[index + 1].content, argument=token.tag[1:])
        elif token.type == "paragraph_open" and token.level == 0:
            yield Block("paragraph", line, tokens[index + 1].content)
        elif token.type in CONTAINERS and token.level == 0:
            source = "\n".join(lines[token.map[0] : token.map[1]])
            yield Block(CONTAINERS[token.type], line, source)
        elif token.type in {"math_block", "math_block_label", "amsmath"}:
            label = token.info if token.type == "math_block_label" else ""
            yield Block("math", line, token.content, argument=label)
        elif token.type == "myst_target":
            yield Block("target", line, token.content)
        elif token.type == "html_block" and token.content.startswith("<!--"):
            yield Block("comment", line, token.content.strip()[4:].removesuffix("-->").strip())
        elif token.type in {"fence", "colon_fence"}:
            yield from _fence(token, line)


def _fence(token, line):
    found = re.match(r"\{([^}]+)\}\s*(.*)", token.info.strip())
    if not found:
        yield Block("code", line, token.content)
        return
    name, argument = found[1], found[2].strip()
    lines = token.content.splitlines()
    options, used = {}, 0
    while used < len(lines) and (option := re.match(r":([\w-]+):\s*(.*)", lines[used])):
        options[option[1]] = option[2].strip()
        used += 1
    body = "\n".join(lines[used:])
    if name == "math":
        argument = options.get("label", argument)
    yield Block(name, line, body, argument, options)
    if name not in VERBATIM:
        yield from _blocks(body, line + used)
