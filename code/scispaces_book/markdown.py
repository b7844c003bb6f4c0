"""A resolved page as the Markdown that Jupyter and Colab show.

Sphinx has done the work by then: numbers, references, citations and titles stand in the doctree.
What is left is to write each node in the common ground of the two viewers: CommonMark with GFM
tables, inline HTML, and MathJax between dollars.
"""

import base64
import mimetypes
import posixpath
import re
from html import escape
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes
from sphinx.locale import admonitionlabels
from sphinx_design.dropdown import dropdown_title
from sphinx_design.tabs import sd_tab_input
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

__all__ = ["ANCHOR", "CodeCell", "Markdown"]

SILENT = (
    addnodes.highlightlang,
    addnodes.index,
    addnodes.toctree,
    nodes.colspec,
    nodes.comment,
    nodes.label,
    nodes.meta,
    nodes.substitution_definition,
    nodes.system_message,
    sd_tab_input,
)
"""Nodes that a notebook has no place for."""

FOLDED = {"dropdown", "toggle"}
"""Classes of admonitions that the page folds."""

TAGS = {
    nodes.subscript: "sub",
    nodes.superscript: "sup",
    nodes.title_reference: "cite",
}


ANCHOR = r'<a id="[^"]*" name="[^"]*"></a>'
"""Where a link leads: JupyterLab goes by the identifier, Colab by the name."""


class CodeCell(NamedTuple):
    """Stands for the code cell with this index in the chapter."""

    index: int


class Markdown:
    """Writes one page.

    Parameters
    ----------
    document : docutils.nodes.document
        Resolved for the HTML builder; it is not changed.
    docname : str
    builder : sphinx.builders.html.StandaloneHTMLBuilder
    address : callable
        Takes the docname of a page and an anchor or "", and returns the address that the notebook
        links to, or None for no link.
    """

    def __init__(self, document, docname, builder, address):
        self.docname, self.builder, self.env = docname, builder, builder.env
        self.address = address
        self.in_table = False
        self.placed = set()  # anchors that are written: an identifier stands once
        self.cited = {}  # keys of cited works, in the order of their citation
        self.pages = {builder.get_target_uri(name): name for name in self.env.found_docs}
        self.page_uri = builder.get_target_uri(docname)
        self.works = {
            (work.bibliography_key.docname, work.citation_id): work.key
            for work in self.env.get_domain("cite").citations
        }
        # Anchors of this page that something on it links to.
        targets = [self.target(node) for node in document.findall(nodes.reference)]
        notes = [node["refid"] for node in document.findall(nodes.footnote_reference)]
        self.wanted = {*notes, *(anchor for name, anchor in targets if name == docname)}
        self.document = document

    def __iter__(self):
        """Yield the blocks of the page: Markdown, and `CodeCell` where the code stands."""
        return self.blocks(self.document, 0)

    def references(self):
        """Return the list of the works that the page has cited, as Markdown, in their order."""
        from pybtex_docutils import Backend

        works = {work.key: work for work in self.env.get_domain("cite").citations}
        items = []
        for key in sorted(self.cited, key=list(works).index):
            entry = nodes.inline("", "", *works[key].formatted_entry.text.render(Backend()))
            items.append(f"- {anchor(f'cite-{key}')}{self.inline(entry)}")
        return "\n".join(items)

    # Where a link leads.

    def target(self, node):
        """Return docname and anchor that a reference leads to; the docname is None outside."""
        if "refid" in node:
            return self.docname, node["refid"]
        uri = node.get("refuri", "")
        if not node.get("internal") and not uri.startswith("#"):
            return None, ""
        path, _, anchor = uri.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.page_uri), path))
        return (self.pages.get(path) if uri.partition("#")[0] else self.docname), anchor

    def link(self, node):
        text = self.children(node)
        target, anchor = self.target(node)
        if key := self.works.get((target, anchor)):
            self.cited[key] = True
            return f"[{text}](#cite-{key})"
        if target == self.docname:
            return f"[{text}](#{anchor})" if anchor else text
        uri = self.address(target, anchor) if target else node.get("refuri")
        if not uri or (not target and node.get("internal")):
            return text
        uri = re.sub(r"[()<>\s]", lambda match: f"%{ord(match[0]):02X}", uri)
        return f"[{text}]({uri})"

    def anchors(self, node):
        """Return the anchors of a node that links need."""
        return "".join(map(self.anchor, node.get("ids", ())))

    def anchor(self, name):
        """Return one anchor, or nothing if no link needs it or it is there already."""
        if name not in self.wanted or name in self.placed:
            return ""
        self.placed.add(name)
        return anchor(name)

    def number(self, node):
        """Return the number of a figure, table, code block or exercise as Sphinx words it."""
        figtype = self.env.get_domain("std").get_enumerable_node_type(node)
        numbers = self.env.toc_fignumbers.get(self.docname, {}).get(figtype, {})
        for name in node["ids"]:
            if name in numbers:
                return self.builder.config.numfig_format[figtype] % ".".join(
                    map(str, numbers[name])
                )
        return ""

    # Blocks.

    def blocks(self, node, level):
        """Yield the blocks below `node`; `level` counts the sections around it."""
        pending = ""
        for child in node.children:
            for block in self.block(child, level):
                if isinstance(block, str):
                    if not re.sub(ANCHOR, "", block):
                        pending += block  # nothing but anchors: they belong to what follows
                        continue
                    block, pending = anchored(pending, block), ""
                elif pending:
                    yield pending
                    pending = ""
                yield block
        if pending:
            yield pending

    def block(self, node, level):
        anchors = self.anchors(node)
        if anchors and not isinstance(node, nodes.math_block):
            yield anchors
        if isinstance(node, SILENT):
            return
        name = type(node).__name__
        if method := getattr(self, f"block_{name}", None):
            yield from method(node, level)
        elif isinstance(node, (exercise_node, exercise_enumerable_node, solution_node)):
            yield from self.exercise(node, level)
        elif isinstance(node, (nodes.Admonition, nodes.topic, nodes.sidebar)):
            yield from self.admonition(node, level)
        elif isinstance(node, (nodes.Inline, nodes.Text)):
            if text := self.inline(node).strip():
                yield text
        elif isinstance(node, nodes.TextElement) and not any(
            isinstance(child, nodes.Body) for child in node.children
        ):
            yield self.children(node)
        else:
            yield from self.blocks(node, level)

    def text(self, node, level=0):
        """Return the blocks below `node` as one text; code cells do not occur there."""
        return "\n\n".join(block for block in self.blocks(node, level) if isinstance(block, str))

    def block_section(self, node, level):
        yield from self.blocks(node, level + 1)

    def block_title(self, node, level):
        yield f"{'#' * min(max(level, 1), 6)} {self.children(node)}"

    def block_paragraph(self, node, level):
        yield guarded(self.children(node))

    def block_rubric(self, node, level):
        yield f"**{self.children(node)}**"

    def block_transition(self, node, level):
        yield "---"

    def block_container(self, node, level):
        if node.get("nb_element") == "cell_code":
            figures = [self.number(figure) for figure in node.findall(nodes.figure)]
            anchors = "".join(self.anchors(figure) for figure in node.findall(nodes.figure))
            if any(figures):
                yield f"{anchors}**{'、'.join(filter(None, figures))}**"
            yield CodeCell(node["cell_index"])
        elif "literal-block-wrapper" in node["classes"]:
            caption = next(node.findall(nodes.caption))
            yield f"**{self.number(node)}**　{self.children(caption)}"
            yield from self.block(node.children[-1], level)
        else:
            yield from self.blocks(node, level)

    def block_target(self, node, level):
        if anchor := self.anchor(node.get("refid")):
            yield anchor

    def block_math_block(self, node, level):
        tag = rf" \tag{{{node['number']}}}" if node.get("number") else ""
        yield f"{self.anchors(node)}$$ {displayed(node.astext())}{tag} $$"

    def block_literal_block(self, node, level):
        text = node.astext().strip("\n")
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
        language = node.get("language", "")
        language = (
            ""
            if language in {"default", "none", "text"}
            else language.replace("ipython3", "python")
        )
        yield f"{fence}{language}\n{text}\n{fence}"

    block_doctest_block = block_literal_block

    def block_raw(self, node, level):
        # Scripts of the page's extensions have nothing to do here.
        if "html" in node.get("format", "").split() and "<script" not in node.astext():
            yield node.astext().strip()

    def block_line_block(self, node, level):
        lines = [self.children(line) for line in node.findall(nodes.line)]
        yield guarded("<br>".join(lines))

    def block_bullet_list(self, node, level):
        yield "\n".join(self.item(child, "- ", level) for child in node.children)

    def block_enumerated_list(self, node, level):
        start = node.get("start", 1)
        items = [self.item(c, f"{i}. ", level) for i, c in enumerate(node.children, start)]
        yield "\n".join(items)

    def item(self, node, bullet, level):
        blocks = [block for block in self.blocks(node, level) if isinstance(block, str)]
        # A list right below its line keeps the items together.
        text = ""
        for block in blocks:
            tight = re.match(r"(-|\d+\.) ", block) and text
            text += ("\n" if tight else "\n\n" if text else "") + block
        return bullet + text.replace("\n", "\n" + " " * len(bullet)).replace(
            "\n" + " " * len(bullet) + "\n", "\n\n"
        )

    def block_definition_list(self, node, level):
        items = []
        for item in node.children:
            terms = [self.children(term) for term in item.children if isinstance(term, nodes.term)]
            body = nodes.list_item("")
            body.children = [c for c in item.children if isinstance(c, nodes.definition)]
            items.append(f"- **{'、'.join(terms)}**：" + self.item(body, "- ", level)[2:])
        yield "\n".join(items)

    def block_field_list(self, node, level):
        lines = []
        for field in node.children:
            name, body = field.children
            lines.append(f"**{self.children(name)}**　{' '.join(self.text(body).split())}")
        yield "<br>\n".join(lines)

    def block_block_quote(self, node, level):
        yield quoted(self.text(node, level))

    def block_attribution(self, node, level):
        yield f"—— {self.children(node)}"

    def block_footnote(self, node, level):
        label = next(node.findall(nodes.label)).astext()
        yield anchored("".join(self.anchors(node)), f"<sup>{label}</sup> {self.text(node, level)}")

    def block_citation(self, node, level):
        yield f"- {self.text(node, level)}"

    def block_image(self, node, level):
        yield self.inline(node)

    def block_figure(self, node, level):
        for child in node.children:
            if isinstance(child, nodes.caption):
                yield f"**{self.number(node)}**　{self.children(child)}"
            else:
                yield from self.block(child, level)

    def block_table(self, node, level):
        title = next(iter(node.findall(nodes.title)), None)
        if title is not None:
            yield f"**{self.number(node)}**　{self.children(title)}"
        self.in_table = True
        head = [self.row(row) for part in node.findall(nodes.thead) for row in part.children]
        body = [self.row(row) for part in node.findall(nodes.tbody) for row in part.children]
        self.in_table = False
        first = next(node.findall(nodes.row))
        head = head or [[""] * len(first.children)]
        rows = [head[0], [self.rule(entry) for entry in first.children], *head[1:], *body]
        yield "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def row(self, node):
        cells = []
        for entry in node.children:
            blocks = self.text(entry).split("\n\n")
            cells.append("<br>".join(block.replace("\n", "<br>") for block in blocks))
            cells += [""] * entry.get("morecols", 0)
        return cells

    def rule(self, entry):
        classes = entry["classes"]
        if "text-center" in classes:
            return ":-:"
        return "--:" if "text-right" in classes else ":--" if "text-left" in classes else "---"

    # Boxes.

    def admonition(self, node, level):
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        heading = self.children(title) if title is not None else ""
        heading = heading or str(admonitionlabels.get(type(node).__name__, ""))
        if FOLDED & set(node["classes"]):
            yield from self.folded(heading, self.body(node, title, level))
            return
        blocks = [f"**{heading}**"] if heading else []
        blocks += [block for block in self.body(node, title, level) if isinstance(block, str)]
        yield quoted("\n\n".join(blocks))

    def exercise(self, node, level):
        title = next((c for c in node.children if isinstance(c, nodes.title)), None)
        heading = self.children(title).strip() if title is not None else ""
        if isinstance(node, exercise_enumerable_node):
            heading = f"{self.number(node)} {heading}".strip()
        body = list(self.body(node, title, level))
        if isinstance(node, solution_node) and all(isinstance(block, str) for block in body):
            yield from self.folded(heading, body)
        else:
            yield f"**{heading.replace('[ ', ' [')}**"
            yield from body

    def body(self, node, title, level):
        rest = nodes.container("")
        rest.children = [child for child in node.children if child is not title]
        return self.blocks(rest, level)

    def folded(self, heading, blocks):
        """Yield blocks that are shown on a click; viewers read Markdown between the two tags."""
        # A summary is HTML: of Markdown, links and escapes would be seen.
        plain = re.sub(r"<svg.*?</svg>", "", heading, flags=re.DOTALL)
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", plain)
        plain = re.sub(r"\\([*~_])", r"\1", plain)
        yield f"<details>\n<summary><b>{plain}</b></summary>"
        yield from blocks
        yield "</details>"

    def block_dropdown_main(self, node, level):
        title = next((c for c in node.children if isinstance(c, dropdown_title)), None)
        heading = self.children(title) if title is not None else "……"
        yield from self.folded(heading, self.body(node, title, level))

    def block_sd_tab_label(self, node, level):
        yield f"**{self.children(node)}**"

    # Inline.

    def children(self, node):
        return "".join(self.inline(child) for child in node.children)

    def inline(self, node):
        if isinstance(node, nodes.Text):
            text = escaped(node.astext())
            return text.replace("|", r"\|") if self.in_table else text
        if isinstance(node, SILENT):
            return ""
        anchors = self.anchors(node)
        name = type(node).__name__
        if method := getattr(self, f"inline_{name}", None):
            return anchors + method(node)
        if isinstance(node, nodes.reference):
            return anchors + self.link(node)
        if tag := TAGS.get(type(node)):
            return f"{anchors}<{tag}>{self.children(node)}</{tag}>"
        return anchors + self.children(node)

    def inline_strong(self, node):
        return emphasized(self.children(node), "**", "strong")

    def inline_emphasis(self, node):
        return emphasized(self.children(node), "*", "em")

    def inline_literal(self, node):
        if node.children and not all(isinstance(child, nodes.Text) for child in node.children):
            return self.children(node)
        text = " ".join(node.astext().split("\n"))
        if self.in_table:
            text = text.replace("|", r"\|")
        fence = "`" * (max([0, *map(len, re.findall("`+", text))]) + 1)
        pad = " " if text.startswith("`") or text.endswith("`") else ""
        return f"{fence}{pad}{text}{pad}{fence}"

    def inline_math(self, node):
        text = one_line(node.astext())
        if self.in_table:
            text = text.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
        return f"${text}$"

    def inline_math_block(self, node):
        return next(self.block_math_block(node, 0))

    def inline_raw(self, node):
        return node.astext().strip() if "html" in node.get("format", "").split() else ""

    def inline_abbreviation(self, node):
        return f'<abbr title="{escape(node.get("explanation", ""))}">{self.children(node)}</abbr>'

    def inline_footnote_reference(self, node):
        return f"<sup>[{node.astext()}](#{node['refid']})</sup>"

    def inline_target(self, node):
        return self.children(node)

    def inline_image(self, node):
        alt = escaped(node.get("alt", ""))
        source = self.picture(node)
        return f"![{alt}]({source})" if source else alt

    def picture(self, node):
        """Return the address of an image; pictures of the book travel inside the notebook."""
        candidates = node.get("candidates", {})
        if "?" in candidates:
            return candidates["?"]
        names = [name for name in candidates.values() if name]
        if not names:
            return None
        path = Path(self.env.srcdir, names[0])
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def anchor(name):
    return f'<a id="{escape(name)}" name="{escape(name)}"></a>'


def anchored(anchors, block):
    """Return a block with anchors before it, inside it where a paragraph begins."""
    if not anchors:
        return block
    separate = re.match(r"(#|-|\d+\.|>|\||```|<details|---)", block)
    return f"{anchors}\n\n{block}" if separate else anchors + block


def quoted(text):
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def emphasized(text, mark, tag):
    """Return emphasized text; as HTML where CommonMark would print the stars."""
    words = text.strip()
    if not words:
        return text
    if words[0].isalnum() and words[-1].isalnum() and words == text:
        return f"{mark}{text}{mark}"
    return f"<{tag}>{text}</{tag}>"


def escaped(text):
    """Return plain text with what Markdown or MathJax would read as markup made harmless."""
    text = re.sub(r"\s*\n\s*", " ", text)
    text = text.replace("&", "&amp;") if re.search(r"&#?\w+;", text) else text
    text = text.replace("\\", "&#92;").replace("`", "&#96;")
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = re.sub(r"\](?=[(\[])", lambda match: "&#93;", text)
    text = re.sub(r"([*~$])", r"\\\1", text)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", text)


def guarded(text):
    """Return a paragraph whose beginning is no list, heading or quote."""
    text = re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", text)
    return re.sub(r"^(?=(#{1,6}|[-+])\s|>|={3,}|-{3,})", r"\\", text)


def one_line(tex):
    """Return TeX on one line: quotes and lists would put their marks between the lines."""
    lines = [re.sub(r"(?<!\\)%.*", "", line).strip() for line in tex.strip().split("\n")]
    tex = " ".join(line for line in lines if line)
    # `a<b` would be read as a tag.
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", tex)


def displayed(tex):
    """Return TeX for a display of its own, with the environments that MathJax allows inside."""
    tex = one_line(tex)
    for outer, inner in (("align", "aligned"), ("gather", "gathered"), ("alignat", "alignedat")):
        tex = re.sub(rf"\\(begin|end)\{{{outer}\*?\}}", rf"\\\1{{{inner}}}", tex)
    tex = re.sub(r"\\(begin|end)\{(equation|displaymath|math)\*?\}", "", tex).strip()
    rows = re.sub(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", "", tex)
    if r"\\" in rows or re.search(r"(?<!\\)&", rows):
        tex = rf"\begin{{aligned}} {tex} \end{{aligned}}"
    return tex
