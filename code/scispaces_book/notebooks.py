"""Each chapter as a notebook that opens and runs in Jupyter and Colab.

When a page is written, its resolved doctree becomes Markdown (`markdown`), its code cells come from
the source, and both become ``<part>/<slug>.ipynb``: no outputs, no dates, no random identifiers.
The first cells say where the chapter comes from and install what is missing.
"""

import ast
import hashlib
import json
import posixpath
import re
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.util.osutil import relative_uri

import scispaces
from scispaces_book.build import STAGING, swap
from scispaces_book.launch import repository
from scispaces_book.markdown import ANCHOR, CodeCell, Markdown

__all__ = ["SITE_FOLDER", "notebook", "path_of", "put_beside", "setup", "wheel_name"]

ROOM = "chapters/"
"""Where chapters are; below it a notebook has the path of its chapter."""

SITE_FOLDER = "_notebooks"
"""Where the notebooks are in the site, for the link that downloads them."""

EXTRAS = {"jax": "keras", "keras": "keras"}
"""Packages that a chapter may need besides those that scispaces brings, and their extra."""

HIDDEN = {"hide-cell", "hide-input", "remove-cell", "remove-input"}
"""Tags of cells whose code the page folds or leaves out."""

HEADING = re.compile(rf"({ANCHOR})*\s*#{{1,6}} ")


def path_of(env, docname):
    """Return where the notebook of a page is, as seen from the folder of notebooks.

    Parameters
    ----------
    env : sphinx.environment.BuildEnvironment
    docname : str

    Returns
    -------
    str or None
        None for a page without a kernel, which has no notebook.
    """
    if docname.startswith(ROOM) and "kernelspec" in env.metadata.get(docname, {}):
        return docname.removeprefix(ROOM) + ".ipynb"
    return None


def wheel_name():
    """Return the file name of the wheel of `scispaces`."""
    return f"scispaces-{version('scispaces')}-py3-none-any.whl"


def notebook(app, docname, document):
    """Return the notebook of a chapter.

    Parameters
    ----------
    app : sphinx.application.Sphinx
    docname : str
    document : docutils.nodes.document
        The resolved page.

    Returns
    -------
    dict
        nbformat 4.5.
    """
    source = Path(app.env.doc2path(docname)).read_text(encoding="utf-8")
    code = [
        cell if cell.cell_type == "code" else None
        for cell in read_myst_markdown_notebook(source, app.env.myst_config).cells
    ]
    page = Markdown(
        document, docname, app.builder, address=lambda *link: address(app, docname, *link)
    )
    title = page.children(next(document.findall(nodes.title)))
    cells = [
        markdown_cell(opening(app.config, app.builder.get_target_uri(docname), title)),
        install_cell(app.config, needs(cell.source for cell in code if cell)),
    ]
    blocks, written = [], 0

    def close():
        if blocks:
            cells.append(markdown_cell("\n\n".join(blocks)))
            blocks.clear()

    for block in page:
        if isinstance(block, CodeCell):
            close()
            # The page leaves out cells that show nothing; the code after them needs them.
            cells.extend(code_cell(cell) for cell in code[written : block.index + 1] if cell)
            written = block.index + 1
        else:
            if HEADING.match(block):
                close()
            blocks.append(block)
    close()
    cells.extend(code_cell(cell) for cell in code[written:] if cell)
    if references := page.references():
        cells.append(markdown_cell(f"## 参考文献\n\n{references}"))
    seen = Counter()
    for cell in cells:
        # A cell keeps its identifier when others come and go.
        content = f"{cell['cell_type']}\0{cell['source']}"
        seen[content] += 1
        cell["id"] = hashlib.sha256(f"{content}\0{seen[content]}".encode()).hexdigest()[:16]
        cell["source"] = cell["source"].splitlines(keepends=True)
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def opening(config, uri, title):
    """Return the sentence that says which chapter of which book this is."""
    if config.html_baseurl:
        title = f"[{title}]({posixpath.join(config.html_baseurl, uri)})"
    return (
        f"这是《{config.html_title or config.project}》中“{title}”一章的笔记本。先运行下面一格，它只安装缺少的东西；"  # noqa: E501
        "然后依次运行各格，滑块就会动起来。"
    )


def install_cell(config, packages):
    """Return the cell that installs `scispaces` and `packages` where they are missing."""
    names = ", ".join(f'"{name}"' for name in ["scispaces", *packages])
    extras = ",".join(sorted({EXTRAS[name] for name in packages}))
    extras = f"[{extras}]" if extras else ""
    if found := repository(config):
        default = f'os.environ.get("SCISPACES_WHEEL", "{found.file(wheel_name())}")'
    else:
        default = 'os.environ["SCISPACES_WHEEL"]  # 本书还没有公开的地址：请给出 wheel 文件的地址'
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"cellView": "form", "jupyter": {"source_hidden": True}},
        "outputs": [],
        "source": (
            "#@title 安装缺少的东西（已有时什么也不做）\n"
            "import importlib.util\n"
            "import os\n"
            "\n"
            f"if not all(importlib.util.find_spec(name) for name in [{names}]):\n"
            f"    wheel = {default}\n"
            f'    %pip install --quiet "scispaces{extras} @ {{wheel}}"\n'
            "    importlib.invalidate_caches()"
        ),
    }


def markdown_cell(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code_cell(cell):
    tags = set(cell.metadata.get("tags", []))
    metadata = {}
    if tags & HIDDEN:
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if "raises-exception" in tags:
        metadata["tags"] = ["raises-exception"]
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": cell.source,
    }


def address(app, docname, target, anchor):
    """Return what a notebook links to: a notebook, else a page of the site, else None."""
    here, there = path_of(app.env, docname), path_of(app.env, target)
    if there:
        return relative_uri(here, there)
    if app.config.html_baseurl:
        uri = posixpath.join(app.config.html_baseurl, app.builder.get_target_uri(target))
        return f"{uri}#{anchor}" if anchor else uri
    return None


def needs(sources):
    """Return the packages of `EXTRAS` that code imports, directly or through `scispaces`.

    Parameters
    ----------
    sources : iterable of str
        Python; magics are left out.

    Returns
    -------
    list of str
    """
    found, seen, todo = set(), set(), list(sources)
    root = Path(scispaces.__file__).parent.parent
    while todo:
        lines = [line for line in todo.pop().splitlines() if not re.match(r"\s*[%!]", line)]
        for name in imported(ast.parse("\n".join(lines))):
            package = name.partition(".")[0]
            if package in EXTRAS:
                found.add(package)
            elif package == "scispaces" and name not in seen:
                seen.add(name)
                stem = root.joinpath(*name.split("."))
                files = [stem.with_suffix(".py"), stem / "__init__.py"]
                todo += [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return sorted(found)


def imported(tree):
    """Yield the names of the modules that code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def write(app, docname, templatename, context, document):
    """Write the notebook of a page into the site when the page is written."""
    if document is None or app.builder.name != "html" or not path_of(app.env, docname):
        return
    text = json.dumps(notebook(app, docname, document), ensure_ascii=False, indent=1) + "\n"
    path = Path(app.outdir, SITE_FOLDER, path_of(app.env, docname))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def gather(app, error):
    """Drop the notebooks of chapters that are gone, and put the others beside a finished site."""
    if error or app.builder.name != "html":
        return
    inside = Path(app.outdir, SITE_FOLDER)
    kept = {path_of(app.env, docname) for docname in app.env.found_docs}
    for path in inside.glob("*/*.ipynb"):
        if path.relative_to(inside).as_posix() not in kept:
            path.unlink()
    if Path(app.outdir).name != STAGING:
        put_beside(Path(app.outdir))


def put_beside(site):
    """Copy the notebooks of a site to the folder ``notebooks`` beside it, whole or not at all.

    Parameters
    ----------
    site : pathlib.Path
    """
    inside, beside = site / SITE_FOLDER, site.parent / "notebooks"
    new = site.parent / ".staging-notebooks"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    if inside.is_dir():
        shutil.copytree(inside, new, dirs_exist_ok=True)
    swap(new, beside)
    shutil.rmtree(new, ignore_errors=True)


def setup(app):
    """Write notebooks with the pages."""
    # After the extensions that still change the page; before the links of `launch`.
    app.connect("html-page-context", write, priority=600)
    app.connect("build-finished", gather)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
