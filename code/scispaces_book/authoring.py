"""What authors write besides MyST: front matter, errata, notation; what their chapters get for it.

A chapter's front matter becomes the lines under its title (the post, the series, what it needs, the
reading time) and at its end (what it leads to, how to cite it).  The directive ``erratum`` states
what a post has, what is right, and which test shows it.  The directive ``notation`` lists symbols;
``notation-list`` gathers those of all chapters on one page.
"""

import re

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from scispaces_book.chapters import (
    chapters,
    front_matter_faults,
    notation_faults,
    notation_row,
)
from scispaces_book.claims import errata_faults, test_functions
from scispaces_book.page_nodes import (
    book_chapters,
    chapter_link,
    equation_link,
    fields,
    joined,
    listed,
    stale,
    test_address,
)

__all__ = ["ChapterFrame", "Erratum", "Notation", "NotationList", "notation_list", "setup"]

logger = logging.getLogger(__name__)


class Erratum(SphinxDirective):
    """``{erratum} eq-label-or-short-name`` with ``:test:``: what a post has and what is right."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"test": directives.unchanged_required}  # noqa: RUF012 (as in docutils)

    def run(self):
        subject = self.arguments[0]
        # chapters/<part>/<slug> is tested by tests/<part>/test_<slug>.py.
        part, slug = self.env.docname.split("/")[-2:]
        path, test = f"tests/{part}/test_{slug}.py", self.options.get("test", "")
        number = self.env.new_serialno("erratum") + 1
        title = nodes.title("", f"勘误{number}：")
        if re.match(r"(eq|def)-", subject):
            title += [nodes.Text("式"), equation_link(self.env, subject)]
        else:
            title += self.parse_inline(subject)[0]
        box = nodes.admonition("", title, classes=["erratum"], ids=[erratum_id(slug, number)])
        self.set_source_info(box)
        box += self.parse_content_to_nodes()
        proof = nodes.inline("", "", nodes.literal("", test), test_path=path, test=test)
        box += nodes.paragraph("", "检验：", proof, classes=["erratum-test"])
        return [box]


def erratum_id(slug, number):
    """Return the anchor of the `number`-th erratum of a chapter, counted from 1."""
    return f"erratum-{slug.replace('_', '-')}-{number}"


class Notation(SphinxDirective):
    """``{notation}``: a row ``symbol | meaning`` for each symbol of a chapter."""

    has_content = True

    def run(self):
        rows = []
        for row in filter(None, map(notation_row, self.content)):
            rows.append((*row, *(self.parse_inline(text)[0] for text in row)))
        notation_of(self.env)[self.env.docname] = (
            notation_of(self.env).get(self.env.docname, []) + rows
        )
        items = [(None, copies(symbol), [copies(meaning)]) for _, _, symbol, meaning in rows]
        return [nodes.rubric("", "本章记号"), listed(items, "symbols")]


class notation_list(nodes.General, nodes.Element):
    """Stands for the symbols of all chapters until all chapters are read."""


class NotationList(SphinxDirective):
    """``{notation-list}``: the symbols of all chapters, with their meaning in each."""

    def run(self):
        self.env.scispaces_notation_pages = {
            *getattr(self.env, "scispaces_notation_pages", ()),
            self.env.docname,
        }
        return [notation_list()]


def copies(children):
    """Return copies of nodes, for one more place."""
    return [child.deepcopy() for child in children]


def notation_of(env):
    """Return the symbols by docname, each as source and as nodes."""
    if not hasattr(env, "scispaces_notation"):
        env.scispaces_notation = {}
    return env.scispaces_notation


STYLES = r"\\(?:boldsymbol|mathbf|mathcal|mathbb|mathrm|operatorname|text|hat|bar|tilde)"


def symbol_key(symbol):
    r"""Return what symbols are sorted by: ``$\boldsymbol{x}_i$`` stands at x, Greek after Latin."""
    bare = re.sub(STYLES, "", symbol)
    name = re.search(r"\\?[A-Za-z]+", bare)
    word = name[0] if name else bare
    return (word.startswith("\\"), word.lstrip("\\").lower(), len(symbol), symbol)


class ChapterFrame(SphinxPostTransform):
    """Puts the lines around a chapter, fills the notation page, links the tests of errata."""

    default_priority = 5  # before references are resolved, at 10

    def run(self, **kwargs):
        chapters_by_docname = book_chapters(self.env)
        if page := chapters_by_docname.get(self.env.docname):
            section = next(self.document.findall(nodes.section), None)
            if section is not None:
                section.insert(1, self.head(page, chapters_by_docname))
                section += self.foot(page, chapters_by_docname)
        for node in list(self.document.findall(notation_list)):
            node.replace_self(self.all_symbols(chapters_by_docname))
        for node in list(self.document.findall(nodes.inline)):
            if "test_path" in node:
                self.link_test(node)

    def head(self, page, all_chapters):
        post, series = page.front["post"], page.front.get("series")
        rows = [("原文", cited(post))]
        if series:
            rows.append(("系列", [nodes.Text(f"{quoted(series['name'])}之{series['number']}")]))
        if needs := page.front.get("needs"):
            by_slug = {other.slug: docname for docname, other in all_chapters.items()}
            names = [
                self.link(by_slug[slug]) if slug in by_slug else nodes.Text(slug.replace("_", " "))
                for slug in needs
            ]
            rows.append(("预备", joined(names)))
        rows.append(("阅读", [nodes.Text(f"约{page.minutes}分钟")]))
        return fields(rows, "chapter-about")

    def foot(self, page, all_chapters):
        parts = []
        if after := leads_to(page, all_chapters):
            links = joined(self.link(docname) for docname in after)
            parts.append(fields([("通向", links)], "chapter-about", "chapter-after"))
        entry = nodes.literal_block("", "", language="bibtex", classes=["chapter-citation"])
        entry += nodes.Text(citation(page, self.env.docname, self.config))
        if self.app.builder.format == "html":
            opening = '<details class="chapter-cite"><summary>引用本章</summary>'
            parts += [nodes.raw("", opening, format="html"), entry]
            parts.append(nodes.raw("", "</details>", format="html"))
        else:
            parts += [nodes.rubric("", "引用本章"), entry]
        return parts

    def all_symbols(self, all_chapters):
        by_symbol = {}
        for docname in all_chapters:
            for symbol, _, symbol_nodes, meaning in notation_of(self.env).get(docname, []):
                by_symbol.setdefault(symbol, (symbol_nodes, []))[1].append((docname, meaning))
        items = []
        for symbol in sorted(by_symbol, key=symbol_key):
            term, uses = by_symbol[symbol]
            lines = [
                [
                    *copies(meaning),
                    nodes.Text("　"),
                    nodes.inline(
                        "",
                        "",
                        self.link(docname),
                        classes=["where"],
                    ),
                ]
                for docname, meaning in uses
            ]
            items.append((None, copies(term), lines))
        return listed(items, "symbols")

    def link(self, target):
        return chapter_link(self.app.builder, self.env.docname, target)

    def link_test(self, node):
        path, test = node["test_path"], node["test"]
        line = test_functions(self.env.srcdir, path).get(test, 1)
        if address := test_address(self.config, path, line):
            name = node.children
            node.clear()
            node += nodes.reference("", "", *name, refuri=address, internal=False)
        del node["test_path"], node["test"]


def quoted(title):
    """Return a title in Chinese quotation marks, those inside it as the inner ones."""
    return f"《{title.translate(str.maketrans('《》', '〈〉'))}》"


def cited(post):
    """Return the nodes that name a post."""
    title = nodes.reference("", quoted(post["title"]), refuri=post["url"], internal=False)
    return [title, nodes.Text(f"，苏剑林，科学空间，{post['date']}")]


def leads_to(page, all_chapters):
    """Return the docnames of the chapters that need `page`."""
    return [
        docname
        for docname, other in all_chapters.items()
        if page.slug in (other.front.get("needs") or [])
    ]


def citation(page, docname, config):
    """Return the BibTeX entry of a chapter."""
    post = page.front["post"]
    year = re.search(r"\d{4}", config.copyright or "")
    entry = {
        "author": config.author,
        "title": page.title,
        "booktitle": config.html_title or config.project,
        "year": year[0] if year else None,
        "url": config.html_baseurl and f"{config.html_baseurl.rstrip('/')}/{docname}.html",
        "note": f"改写自：苏剑林，{quoted(post['title'])}，科学空间，{post['date']}，\n"
        f"    {post['url']}",
    }
    lines = [f"  {key} = {{{value}}}," for key, value in entry.items() if value]
    return "\n".join([f"@incollection{{scispaces-{page.prefix},", *lines, "}"])


def check_sources(app, env, docnames):
    """Warn of each fault in the chapters that are about to be read."""
    for page in chapters(app.srcdir):
        docname = page.path.removesuffix(".md")
        if docname in docnames:
            faults = [
                *front_matter_faults(page),
                *notation_faults(page),
                *errata_faults(app.srcdir, page),
            ]
            for fault in faults:
                logger.warning(fault.message, location=(docname, fault.line), type="scispaces")


def purge(app, env, docname):
    """Forget the symbols of a page that is read again."""
    notation_of(env).pop(docname, None)
    getattr(env, "scispaces_notation_pages", set()).discard(docname)


def merge(app, env, docnames, other):
    """Take over the symbols that another process read."""
    for docname in docnames:
        if docname in notation_of(other):
            notation_of(env)[docname] = notation_of(other)[docname]
    env.scispaces_notation_pages = {
        *getattr(env, "scispaces_notation_pages", ()),
        *getattr(other, "scispaces_notation_pages", ()),
    }


def changed_pages(app, env):
    """Return the pages whose frame or list must follow a change elsewhere."""
    all_chapters = book_chapters(env)
    titles = {page.slug: page.title for page in all_chapters.values()}
    views = {}
    for docname, page in all_chapters.items():
        needs = [(slug, titles.get(slug)) for slug in page.front.get("needs") or []]
        after = [(other, all_chapters[other].title) for other in leads_to(page, all_chapters)]
        views[docname] = (needs, after)
    rows = [
        (docname, page.title, [row[:2] for row in notation_of(env).get(docname, [])])
        for docname, page in all_chapters.items()
    ]
    views |= dict.fromkeys(getattr(env, "scispaces_notation_pages", ()), rows)
    return stale(env, "scispaces_frames", views)


def setup(app):
    """Register the authors' vocabulary with Sphinx."""
    app.add_directive("erratum", Erratum)
    app.add_directive("notation", Notation)
    app.add_directive("notation-list", NotationList)
    app.add_node(notation_list)
    app.add_post_transform(ChapterFrame)
    app.connect("env-before-read-docs", check_sources)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed_pages)
    app.add_css_file("authoring.css")
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
