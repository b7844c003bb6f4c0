"""How long builds take: this book's, and generated books of 10 to 640 chapters beside stock ones.

    python benchmarks/build.py [--counts 10 40 160 640]

The book is cloned, so that nothing is there but what is committed.  A generated chapter has one
cell that prints a number; the same tree is built with `scispaces_book` and with plain
jupyter-book, one after the other.  Results go to ``benchmarks/results/build.md``.  Half an hour on
two cores, most of it the stock builds; nothing else should run meanwhile.
"""

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from machine import machine

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "build.md"
BIN = Path(sys.executable).parent

STOCK = """\
title: 小书
author: 无名
copyright: "2026"
only_build_toc_files: true
execute: {execute_notebooks: cache, timeout: 300}
bibtex_bibfiles: [references.bib]
sphinx:
  config:
    language: zh_CN
    exclude_patterns: [".*/**", "_build/**", "code/**"]
    html_copy_source: false
"""

OURS = STOCK.replace(
    "sphinx:\n", "sphinx:\n  extra_extensions: [sphinx_exercise, scispaces_book]\n"
)

CHAPTER = """\
---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
post: {{title: "第{number}篇", date: "2019-01-01", url: "https://kexue.fm/archives/{number}"}}
needs: []
summary: 一个数。
---
(chapter{number})=
# 第{number}章

正文，有公式$x^{number}$，也有下一段。

```{{code-cell}} ipython3
print({number})
```
"""


def main():
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 40, 160, 640])
    options = parser.parse_args()
    growth = []
    with tempfile.TemporaryDirectory() as scratch:
        book = book_rows(Path(scratch, "book"))
        peak = peak_rows(Path(scratch, "frames"))
        for count in options.counts:
            growth.append(growth_row(Path(scratch), count))
            # Each time, so that a run that is cut short leaves what it has measured.
            RESULT.write_text(table(book, growth, peak), encoding="utf-8")
    print(RESULT.read_text(encoding="utf-8"))


def run(command, folder):
    """Run a build in a folder; return its seconds, and its output."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "code")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stdout)
    return time.perf_counter() - start, done.stdout


OUR_BUILD = [sys.executable, "-m", "scispaces_book.build"]
STOCK_BUILD = [BIN / "jupyter-book", "build", "--quiet", "."]


def book_rows(clone):
    """Build the committed book cold, unchanged, and with one thing changed at a time."""
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    rows = [("cold", *measured(clone))]
    rows.append(("nothing changed", *measured(clone)))
    chapter = clone / "chapters" / "mathematics" / "random_angles.md"
    text = chapter.read_text(encoding="utf-8")
    chapter.write_text(text.replace("\n## 习题", "\n又一段。\n\n## 习题", 1), encoding="utf-8")
    rows.append(("prose of one chapter", *measured(clone)))
    rows.append(("the same, all pages again, nothing executed", *bare(clone)))
    module = clone / "code" / "scispaces" / "mathematics" / "random_angles.py"
    module.write_text(module.read_text() + "\n\n# A change.\n")
    rows.append(("module of one chapter", *measured(clone)))
    return rows


def measured(clone):
    seconds, output = run(OUR_BUILD, clone)
    chapters = json.loads(clone.joinpath("_build", "chapters.json").read_text())
    executed = re.search(r"(\d+) of \d+ chapters executed", output)[1]
    kernels = sum(c["seconds"] for c in chapters if not c["cached"]) if executed != "0" else 0.0
    return seconds, int(executed), kernels


def bare(clone):
    """What Sphinx alone takes to read and write all pages when every output is in the cache."""
    shutil.rmtree(clone / "_build" / ".doctrees")
    clone.joinpath("_build", ".site").unlink()
    return measured(clone)


def generated(folder, count, config):
    chapters = folder / "chapters" / "part"
    chapters.mkdir(parents=True)
    names = [f"chapter{number}" for number in range(count)]
    for number, name in enumerate(names):
        chapters.joinpath(f"{name}.md").write_text(CHAPTER.format(number=number))
    files = "".join(f"  - file: chapters/part/{name}\n" for name in names)
    folder.joinpath("_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{files}")
    folder.joinpath("index.md").write_text("# 小书\n")
    folder.joinpath("_config.yml").write_text(config)
    folder.joinpath("requirements.txt").write_text("numpy\n")
    folder.joinpath("references.bib").touch()
    return folder


def growth_row(scratch, count):
    """Build `count` generated chapters both ways: cold, and again unchanged."""
    ours = generated(scratch / f"ours{count}", count, OURS)
    stock = generated(scratch / f"stock{count}", count, STOCK)
    return count, [
        run(command, folder)[0]
        for command, folder in ((OUR_BUILD, ours), (STOCK_BUILD, stock))
        for _ in range(2)
    ]


FRAMES = """
```{{code-cell}} ipython3
import matplotlib.pyplot as plt
from scispaces.explore import explore

def draw_line(k=1):
    fig, ax = plt.subplots()
    ax.plot([0, k])
    return fig

explore(draw_line, k=(1, {stops}), name="fig-{number}", caption="直线", alt="一条线段。")
```
"""


def peak_rows(scratch):
    """Return the build process's peak memory with one chapter of few and of many frames."""
    rows = []
    for stops in (8, 80, 231):
        folder = generated(scratch / str(stops), 1, OURS)
        chapter = folder / "chapters" / "part" / "chapter0.md"
        chapter.write_text(chapter.read_text() + FRAMES.format(stops=stops, number=stops))
        code = (
            "import resource, runpy, sys\n"
            "sys.argv = ['build']\n"
            "try:\n    runpy.run_module('scispaces_book.build', run_name='__main__')\n"
            "except SystemExit as end:\n    assert not end.code\n"
            "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        _, output = run([sys.executable, "-c", code], folder)
        rows.append((stops, int(re.search(r"^peak (\d+)", output, re.M)[1]) / 1024))
    return rows


def table(book, growth, peak):
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("jupyter-book", "sphinx", "myst-nb")
    )
    lines = [
        "# Builds",
        "",
        f"{machine()}; Python {platform.python_version()}, {versions}; "
        f"{datetime.date.today()}. Made by `python benchmarks/build.py`.",
        "",
        "## This book",
        "",
        "| what changed | seconds | chapters executed | seconds of the kernels' processors |",
        "| --- | --: | --: | --: |",
    ]
    lines += [f"| {name} | {s:.1f} | {count} | {kernels:.1f} |" for name, s, count, kernels in book]
    lines += [
        "",
        "## Generated chapters of one cell, beside stock `jupyter-book build`",
        "",
        "| chapters | cold, s | stock, s | ratio | unchanged, s | stock, s | ours a chapter, s |",
        "| --: | --: | --: | --: | --: | --: | --: |",
    ]
    for count, (cold, again, stock_cold, stock_again) in growth:
        lines.append(
            f"| {count} | {cold:.1f} | {stock_cold:.1f} | {cold / stock_cold:.2f} | {again:.1f} "
            f"| {stock_again:.1f} | {cold / count:.2f} |"
        )
    lines += ["", "## Peak memory of the build process", "", "| frames | MB |", "| --: | --: |"]
    lines += [f"| {stops} | {megabytes:.0f} |" for stops, megabytes in peak]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
