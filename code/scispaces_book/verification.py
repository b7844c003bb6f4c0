"""Trust that can be seen: a mark beside each verified equation, and the page that lists them all.

Both are read from the tests' marks (`claims`); no test is run.
"""

from html import escape

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from scispaces_book.authoring import erratum_id
from scispaces_book.claims import KINDS, equations, errata, evidence, test_functions
from scispaces_book.page_nodes import (
    book_chapters,
    chapter_link,
    equation_link,
    listed,
    stale,
    test_address,
)

__all__ = ["Verification", "VerificationList", "setup", "verification_list", "verified_equation"]

PAGE = "chapters/appendix/verification"


class verified_equation(nodes.General, nodes.Element):
    """A displayed equation with its mark; ``address`` and ``words`` say where and what."""


class verification_list(nodes.General, nodes.Element):
    """Stands for all equations, tests and errata until all chapters are read."""


class VerificationList(SphinxDirective):
    """``{verification-list}``: all equations by chapter, their tests, and all errata."""

    def run(self):
        self.env.scispaces_verification_page = self.env.docname
        return [verification_list()]


class Verification(SphinxPostTransform):
    """Marks verified equations in HTML, and fills the page that lists them."""

    default_priority = 5  # before references are resolved, at 10

    def run(self, **kwargs):
        found = evidence(self.env.srcdir)
        if self.app.builder.format == "html":
            for block in list(self.document.findall(nodes.math_block)):
                if block.get("label") in found:
                    self.mark(block, found[block["label"]])
        for node in list(self.document.findall(verification_list)):
            node.replace_self([*self.all_equations(found), *self.all_errata()])

    def mark(self, block, marks):
        wrapper = verified_equation("", words=words(marks), address=self.address(block, marks))
        block.replace_self(wrapper)
        wrapper += block

    def address(self, block, marks):
        address = test_address(self.config, marks[0].path, marks[0].line)
        if address or PAGE not in self.env.all_docs:
            return address
        page = self.app.builder.get_relative_uri(self.env.docname, PAGE)
        return f"{page}#{row_id(block['label'])}"

    def all_equations(self, found):
        chapters = book_chapters(self.env)
        claims = {
            docname: [e for e in equations(page) if e.label.startswith("eq-")]
            for docname, page in chapters.items()
        }
        labels = [equation.label for of_one in claims.values() for equation in of_one]
        tests = {(mark.path, mark.test) for label in labels for mark in found.get(label, [])}
        summary = f"全书{len(chapters)}章共有{len(labels)}个断言，由{len(tests)}个测试检验。"
        result = [nodes.paragraph("", summary)]
        for docname, of_one in claims.items():
            if of_one:
                result.append(heading(self.link(docname)))
                result.append(
                    listed([self.claim(equation, found) for equation in of_one], "verification")
                )
        return result

    def claim(self, equation, found):
        term = [equation_link(self.env, equation.label), nodes.Text("　")]
        term += with_formulas(equation.section)
        proofs = [
            [
                nodes.inline("", KINDS[mark.by], classes=["evidence"]),
                nodes.Text("　"),
                self.test(mark.path, mark.test, mark.line),
            ]
            for mark in found.get(equation.label, [])
        ]
        return row_id(equation.label), term, proofs or [[nodes.Text("尚无检验")]]

    def all_errata(self):
        items = []
        for docname, page in book_chapters(self.env).items():
            for number, erratum in enumerate(errata(page), start=1):
                uri = self.app.builder.get_relative_uri(self.env.docname, docname)
                anchor = f"{uri}#{erratum_id(page.slug, number)}"
                term = [
                    self.link(docname),
                    nodes.Text("　"),
                    nodes.reference("", f"勘误{number}", refuri=anchor, internal=True),
                    nodes.Text("："),
                ]
                if erratum.subject.startswith(("eq-", "def-")):
                    term += [nodes.Text("式"), equation_link(self.env, erratum.subject)]
                else:
                    term += with_formulas(erratum.subject)
                line = test_functions(self.env.srcdir, page.tests).get(erratum.test, 1)
                items.append((None, term, [[self.test(page.tests, erratum.test, line)]]))
        return [heading(nodes.Text("勘误")), listed(items, "verification")] if items else []

    def link(self, target):
        return chapter_link(self.app.builder, self.env.docname, target)

    def test(self, path, name, line):
        literal = nodes.literal("", name)
        if address := test_address(self.config, path, line):
            return nodes.reference("", "", literal, refuri=address, internal=False)
        return literal


def heading(child):
    """Return the heading of a list that is made after sections are numbered."""
    return nodes.rubric("", "", child)


def with_formulas(text):
    """Return the nodes of a line of text that may hold ``$formulas$``."""
    parts = text.split("$")
    return [
        nodes.math("", part) if index % 2 else nodes.Text(part)
        for index, part in enumerate(parts)
        if part
    ]


def row_id(label):
    """Return the anchor of an equation on the page of all equations."""
    return f"verified-{label}"


def words(marks):
    """Return what the mark of an equation says: the kinds of evidence, each once."""
    kinds = dict.fromkeys(KINDS[mark.by] for mark in marks)
    return f"已由测试检验：{'、'.join(kinds)}"


def visit_verified_equation(translator, node):
    """Open the box around an equation and its mark."""
    translator.body.append('<div class="verified-equation">')


def depart_verified_equation(translator, node):
    """Write the mark after the equation, as a link where there is something to link to."""
    said = escape(node["words"])
    inside = f'title="{said}" aria-label="{said}" data-pagefind-ignore>✓'
    if node["address"]:
        mark = f'<a class="verified-mark" href="{escape(node["address"])}" {inside}</a>'
    else:
        mark = f'<span class="verified-mark" role="img" {inside}</span>'
    translator.body.append(f"{mark}</div>\n")


def changed_pages(app, env):
    """Return the pages whose marks or lists must follow a change in the tests or elsewhere."""
    found = evidence(app.srcdir)
    views, everything = {}, []
    for docname, page in book_chapters(env).items():
        labels = [equation.label for equation in equations(page)]
        views[docname] = [(label, found.get(label)) for label in labels]
        everything.append((docname, page.title, equations(page), errata(page), views[docname]))
    if hasattr(env, "scispaces_verification_page"):
        views[env.scispaces_verification_page] = everything
    return stale(env, "scispaces_verified", views)


def merge(app, env, docnames, other):
    """Take over what another process read."""
    if hasattr(other, "scispaces_verification_page"):
        env.scispaces_verification_page = other.scispaces_verification_page


def setup(app):
    """Register marks and their page with Sphinx."""
    app.add_directive("verification-list", VerificationList)
    app.add_node(verification_list)
    app.add_node(verified_equation, html=(visit_verified_equation, depart_verified_equation))
    app.add_post_transform(Verification)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
