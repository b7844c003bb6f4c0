"""Links that open a chapter: Colab, Binder, the notebook as a file, its source.

They stand under the title as plain links, so that they need no script.  Owner, repository and
branch come from ``repository`` in ``_config.yml`` alone.  Notebooks are read from the branch
`BRANCH` of the same repository, which ``.github/workflows`` publishes.
"""

import re
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from sphinx.util import logging
from sphinx.util.osutil import relative_uri

__all__ = ["BRANCH", "Repository", "links", "repository", "setup"]

logger = logging.getLogger(__name__)

BRANCH = "notebooks"
"""The branch that holds the notebooks, what they need, and the wheel."""


class Repository(NamedTuple):
    """A repository on GitHub, the one host that both Colab and Binder read from.

    Attributes
    ----------
    name : str
        ``owner/repository``.
    branch : str
        The branch that holds the source.
    """

    name: str
    branch: str

    def file(self, path):
        """Return the address from which a file of the notebooks' branch is downloaded."""
        return f"https://raw.githubusercontent.com/{self.name}/{BRANCH}/{quote(path)}"

    def colab(self, path):
        """Return the address that opens a notebook in Colab."""
        return f"https://colab.research.google.com/github/{self.name}/blob/{BRANCH}/{quote(path)}"

    def binder(self, path):
        """Return the address that opens a notebook in JupyterLab on Binder."""
        inside = quote(f"lab/tree/{quote(path)}", safe="")
        return f"https://mybinder.org/v2/gh/{self.name}/{BRANCH}?urlpath={inside}"

    def source(self, path):
        """Return the address that shows a file of the book's source."""
        return f"https://github.com/{self.name}/blob/{quote(self.branch)}/{quote(path)}"


def repository(config):
    """Return the configured repository.

    Parameters
    ----------
    config : sphinx.config.Config

    Returns
    -------
    Repository or None
        None where none is configured, or one that Colab and Binder cannot read.
    """
    theme = config.html_theme_options or {}
    url = (theme.get("repository_url") or "").strip()
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", url)
    return Repository(match[1], theme.get("repository_branch") or "main") if match else None


def links(found, docname, notebook, source, here):
    """Return the links of a chapter.

    Parameters
    ----------
    found : Repository or None
    docname : str
    notebook : str
        Path of the notebook in the notebooks' branch.
    source : str
        Path of the chapter in the source.
    here : str
        Address of the page, relative to the site.

    Returns
    -------
    list of (str, str, str, str)
        Class, address, text, and what it does.
    """
    result = []
    if found:
        result += [
            ("colab", found.colab(notebook), "Colab", "在 Google Colab 中打开并运行本章"),
            (
                "binder",
                found.binder(notebook),
                "Binder",
                "在 Binder 的 JupyterLab 中打开并运行本章",
            ),
        ]
    file = relative_uri(here, f"_notebooks/{notebook}")
    result.append(("download", file, "下载笔记本", "下载本章的 Jupyter 笔记本"))
    if found:
        result.append(("source", found.source(source), "查看源文件", "查看本章的 MyST 源文件"))
    return result


def markup(items):
    """Return links as HTML."""
    rows = []
    for name, address, text, title in items:
        extra = " download" if name == "download" else ' rel="noopener"'
        rows.append(
            f'<li><a class="launch-{name}" href="{escape(address)}" title="{escape(title)}"{extra}>'
            f"{escape(text)}</a></li>"
        )
    return (
        '<nav class="launch" aria-label="打开本章" data-pagefind-ignore="all"><ul>'
        + "".join(rows)
        + "</ul></nav>"
    )


def add_links(app, docname, templatename, context, document):
    """Put the links of a chapter under its title."""
    from scispaces_book.notebooks import path_of  # which imports this module

    if document is None or app.builder.name != "html":
        return
    notebook = path_of(app.env, docname)
    if notebook and "</h1>" in context.get("body", ""):
        source = app.env.doc2path(docname, base=False)
        here = app.builder.get_target_uri(docname)
        shown = markup(links(repository(app.config), docname, notebook, source, here))
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{shown}", 1)


def note(app):
    """Say once what is left out, and why."""
    if app.builder.name != "html" or repository(app.config):
        return
    url = (app.config.html_theme_options or {}).get("repository_url")
    reason = f'"{url}" is no repository on GitHub' if url else "repository.url is not set"
    logger.info("launch: %s in _config.yml; links to Colab, Binder and source are left out", reason)


def setup(app):
    """Put launch links on chapters, in place of the theme's buttons."""
    app.connect("builder-inited", note)
    app.connect("html-page-context", add_links, priority=700)
    app.add_css_file("launch.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
