"""What has changed in the book: a page, made from CHANGELOG.md."""

import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from scispaces_book.page_nodes import book_chapters, chapter_link, stale

__all__ = ["Change", "changes", "setup"]


@dataclass(frozen=True)
class Change:
    """What changed on one day.

    Attributes
    ----------
    date : str
        YYYY-MM-DD.
    lines : tuple of str
    """

    date: str
    lines: tuple


def changes(root):
    """Return what CHANGELOG.md says, as it stands there: the latest first.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    list of Change
    """
    text = Path(root, "CHANGELOG.md").read_text(encoding="utf-8")
    days = re.findall(r"^## (\d{4}-\d\d-\d\d)\s*$(.*?)(?=^## |\Z)", text, re.M | re.S)
    return [
        Change(
            date, tuple(" ".join(item.split()) for item in re.split(r"^- ", body, flags=re.M)[1:])
        )
        for date, body in days
    ]


class change_list(nodes.General, nodes.Element):
    """Stands for all changes until all chapters are read."""


class ChangeList(SphinxDirective):
    """``{changes}``: the lines of CHANGELOG.md, chapters linked."""

    def run(self):
        self.env.note_dependency(str(Path(self.env.srcdir, "CHANGELOG.md")))
        self.env.scispaces_changes = self.env.docname
        return [change_list()]


class FillChanges(SphinxPostTransform):
    """Fills the page of changes."""

    default_priority = 5

    def run(self, **kwargs):
        for node in list(self.document.findall(change_list)):
            by_slug = {page.slug: name for name, page in book_chapters(self.env).items()}
            result = []
            for change in changes(self.env.srcdir):
                result.append(nodes.rubric("", change.date, ids=[f"changes-{change.date}"]))
                items = [self.item(line, by_slug) for line in change.lines]
                result.append(nodes.bullet_list("", *items, classes=["changes"]))
            node.replace_self(result)

    def item(self, line, by_slug):
        parts = []
        for word in re.split(r"([a-z][a-z0-9_]*)", line.replace("`", "")):
            if word in by_slug:
                link = chapter_link(self.app.builder, self.env.docname, by_slug[word])
                parts.append(link)
            else:
                parts.append(nodes.Text(word))
        return nodes.list_item("", nodes.paragraph("", "", *parts))


def changed_pages(app, env):
    """Return the page of changes if a chapter has come or has another title."""
    if not hasattr(env, "scispaces_changes"):
        return []
    view = [(name, page.title) for name, page in book_chapters(env).items()]
    return stale(env, "scispaces_changes_view", {env.scispaces_changes: view})


def merge(app, env, docnames, other):
    """Take over what another process read."""
    if hasattr(other, "scispaces_changes"):
        env.scispaces_changes = other.scispaces_changes


def setup(app):
    """Register the page of changes with Sphinx."""
    app.add_directive("changes", ChangeList)
    app.add_node(change_list)
    app.add_post_transform(FillChanges)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", changed_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
