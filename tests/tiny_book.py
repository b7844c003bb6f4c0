"""A book of a few quick chapters, for tests of the build."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CONFIG = """\
title: 小书
author: 无名
copyright: "2026"
only_build_toc_files: true
execute: {execute_notebooks: cache, timeout: 300}
sphinx:
  extra_extensions:
    - scispaces_book.reproducible
    - scispaces_book.outputs
    - scispaces_book.explorers
  config:
    language: zh_CN
    nb_execution_raise_on_error: true
    exclude_patterns: [".*/**", "_build/**", "node_modules/**", "code/**"]
    html_copy_source: false
"""

CHAPTER = """\
---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---
# 第{slug}章

正文。

```{{code-cell}} ipython3
from scispaces.tiny.{slug} import value
print("{slug}", value())
```
"""

MODULE = '"""A number."""\n\n\ndef value():\n    """Return the number."""\n    return 1\n'


def make_tiny_book(root, slugs=("one", "two", "three")):
    """Write a book with a module of its own for each chapter; return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    code = root / "code" / "scispaces"
    shutil.copytree(
        ROOT / "code" / "scispaces" / "explore",
        code / "explore",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("__init__.py", "style.py"):
        shutil.copy(ROOT / "code" / "scispaces" / name, code)
    code.joinpath("tiny").mkdir()
    code.joinpath("tiny", "__init__.py").write_text("")
    chapters = root / "chapters" / "part"
    chapters.mkdir(parents=True)
    for slug in slugs:
        code.joinpath("tiny", f"{slug}.py").write_text(MODULE)
        chapters.joinpath(f"{slug}.md").write_text(CHAPTER.format(slug=slug))
    root.joinpath("_config.yml").write_text(CONFIG)
    files = "".join(f"  - file: chapters/part/{slug}\n" for slug in slugs)
    root.joinpath("_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{files}")
    root.joinpath("index.md").write_text("# 小书\n")
    root.joinpath("requirements.txt").write_text("numpy==1\n")
    return root


def environment(book, **more):
    """Return the environment in which a book finds its own modules."""
    return {**os.environ, "PYTHONPATH": str(book / "code"), **more}


def start_build(book, *options, **more):
    """Start `make book`'s build of a book; return the process."""
    return subprocess.Popen(
        [sys.executable, "-m", "scispaces_book.build", *options],
        cwd=book,
        env=environment(book, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def build(book, *options, **more):
    """Run `make book`'s build of a book; return the exit status and all that it printed."""
    process = start_build(book, *options, **more)
    output = process.communicate(timeout=300)[0]
    return process.returncode, output


def build_plainly(book, *options, **more):
    """Run ``jupyter-book build .``; return the exit status and all that it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", ".", *options],
        cwd=book,
        env=environment(book, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout


def executed(output):
    """Return the slugs of the chapters that a build executed."""
    lines = (line.split() for line in output.splitlines())
    return {line[1].split("/")[-1] for line in lines if line[:1] == ["executing"]}


def files(folder, *parts):
    """Return the digest of every file in a folder, or in the named parts of it, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in parts or ("",)
        for path in sorted(Path(folder, part).rglob("*"))
        if path.is_file()
    }
