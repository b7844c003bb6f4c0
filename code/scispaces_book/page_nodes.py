"""Pieces of pages that are made from what the whole book says: links, tables, changes to follow."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

from scispaces_book.chapters import front_matter_faults, read_page

__all__ = [
    "book_chapters",
    "chapter_link",
    "equation_link",
    "fields",
    "joined",
    "listed",
    "stale",
    "test_address",
]

GATHERED = "scispaces_chapters"
"""The builder's attribute that holds the chapters."""


def book_chapters(env):
    """Return the chapters of the book by docname, in the order of its table of contents.

    A chapter with faults in its front matter, which are warnings, is left out.  Every page asks,
    so they are gathered once a build, when all pages have been read.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment

    Returns
    -------
    dict of str to Page
    """
    known = vars(env.app.builder)
    if GATHERED not in known:
        known[GATHERED] = _gathered(env)
    return known[GATHERED]


def _gathered(env):
    order, seen = [], set()

    def walk(docname):
        if docname not in seen and docname in env.all_docs:
            seen.add(docname)
            order.append(docname)
            for below in env.toctree_includes.get(docname, []):
                walk(below)

    walk(env.config.root_doc)
    order += sorted(set(env.all_docs) - seen)
    found = {}
    for docname in order:
        inside = re.fullmatch(r"chapters/([^/]+)/[^/]+", docname)
        if inside and inside[1] != "appendix":
            page = read_page(env.doc2path(docname), env.srcdir)
            if "post" in page.front and not front_matter_faults(page):
                found[docname] = page
    return found


def chapter_link(builder, docname, target):
    """Return a link to a chapter that shows its title.

    Parameters
    ----------
    builder : sphinx.builders.Builder
    docname : str
        The page that holds the link.
    target : str
        The chapter's docname.

    Returns
    -------
    docutils.nodes.reference
    """
    title = builder.env.titles[target].astext()
    return make_refnode(builder, docname, target, "", nodes.inline("", title))


def equation_link(env, label):
    """Return a link to a labelled equation that shows its number.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
    label : str

    Returns
    -------
    docutils.nodes.Node
    """
    link = addnodes.pending_xref(
        "",
        refdoc=env.docname,
        refdomain="math",
        reftype="eq",
        reftarget=label,
        refexplicit=False,
        refwarn=True,
    )
    link += nodes.literal("", label, classes=["xref", "eq"])
    return link


def joined(items, by="、"):
    """Return nodes with a text between any two."""
    result = []
    for item in items:
        if result:
            result.append(nodes.Text(by))
        result.append(item)
    return result


def fields(rows, *classes):
    """Return a list of names, each with the nodes of its value.

    Parameters
    ----------
    rows : list of (str, list of docutils.nodes.Node)
    *classes : str

    Returns
    -------
    docutils.nodes.field_list
    """
    result = nodes.field_list("", classes=list(classes))
    for name, value in rows:
        body = nodes.field_body("", nodes.paragraph("", "", *value))
        result += nodes.field("", nodes.field_name("", name), body)
    return result


def listed(items, *classes):
    """Return a list of terms with what is said of each.

    Parameters
    ----------
    items : list of (str or None, list of docutils.nodes.Node, list of list of docutils.nodes.Node)
        An id, the nodes of the term, and the nodes of each line below it.
    *classes : str

    Returns
    -------
    docutils.nodes.definition_list
    """
    result = nodes.definition_list("", classes=list(classes))
    for anchor, term, lines in items:
        definition = nodes.definition("", *(nodes.paragraph("", "", *line) for line in lines))
        ids = [anchor] if anchor else []
        result += nodes.definition_list_item("", nodes.term("", "", *term, ids=ids), definition)
    return result


def test_address(config, path, line):
    """Return the address of a test in the repository, None where no repository is configured.

    Parameters
    ----------
    config : sphinx.config.Config
    path : str
        Relative to the root of the book.
    line : int

    Returns
    -------
    str or None
    """
    theme = config.html_theme_options or {}
    url = (theme.get("repository_url") or "").rstrip("/")
    branch = theme.get("repository_branch") or "main"
    return f"{url}/blob/{branch}/{path}#L{line}" if url else None


test_address.__test__ = False  # its name is no invitation to pytest


def stale(env, name, views):
    """Return the pages that show something else than when they were last written.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
        Keeps `views` under `name` for the next build.
    name : str
    views : dict of str to object
        What each page shows of the rest of the book.

    Returns
    -------
    list of str
    """
    before = getattr(env, name, {})
    setattr(env, name, views)
    return [docname for docname, view in views.items() if before.get(docname) != view]
