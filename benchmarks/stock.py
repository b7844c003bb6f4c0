"""The same chapters as jupyter-book builds them by itself: theme, MathJax, search."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["stock_book"]

ROOT = Path(__file__).resolve().parents[1]

CONFIG = """\
title: 可交互的科学空间
only_build_toc_files: true
execute: {execute_notebooks: "off"}
parse: {myst_enable_extensions: [amsmath, colon_fence, deflist, dollarmath, tasklist]}
bibtex_bibfiles: [references.bib]
sphinx:
  extra_extensions: [sphinx_exercise, stand_ins]
  config: {language: zh_CN, numfig: true}
"""

STAND_INS = '''\
"""The directives that only the book has: their words stay."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Words(SphinxDirective):
    optional_arguments, final_argument_whitespace, has_content = 1, True, True
    option_spec = {"test": str}

    def run(self):
        return [nodes.paragraph("", "", *self.parse_inline(" ".join(self.content))[0])]


def setup(app):
    names = "erratum notation notation-list verification-list concept-map gallery changes"
    for name in names.split():
        app.add_directive(name, Words)
'''


def stock_book(folder):
    """Build the chapters, without executing them.

    Parameters
    ----------
    folder : pathlib.Path
        Empty; holds sources and site afterwards.

    Returns
    -------
    pathlib.Path
        The folder of the site.
    """
    for name in ("chapters", "_toc.yml", "index.md", "references.bib"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    folder.joinpath("_config.yml").write_text(CONFIG, encoding="utf-8")
    folder.joinpath("stand_ins.py").write_text(STAND_INS, encoding="utf-8")
    subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", "--quiet", "."],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder)},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return folder / "_build" / "html"
