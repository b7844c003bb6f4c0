"""The build executes what changed and nothing else, and two builds give the same bytes."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from jupyter_cache import get_cache
from myst_parser.config.main import MdParserConfig

from scispaces_book import build as build_module
from scispaces_book.freshness import notebook, source_files
from tiny_book import (
    ROOT,
    build,
    build_plainly,
    environment,
    executed,
    files,
    make_tiny_book,
    start_build,
)

EXPLORER = """
```{code-cell} ipython3
import matplotlib.pyplot as plt
from scispaces.explore import explore

def draw_line(k=1):
    fig, ax = plt.subplots()
    ax.plot([0, k])
    return fig

explore(draw_line, k=(1, 8), name="fig-line", caption="直线", alt="一条线段，末端随k升高。")
```
"""


def append(path, text):
    path.write_text(path.read_text() + text)


def replace(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book that is built: one and two share a module, three has an explorer."""
    book = make_tiny_book(tmp_path_factory.mktemp("built") / "book")
    modules = book / "code" / "scispaces" / "tiny"
    modules.joinpath("shared.py").write_text("NUMBER = 1\n")
    for slug in ("one", "two"):
        replace(modules / f"{slug}.py", "return 1", "return NUMBER")
        append(modules / f"{slug}.py", "\n\nfrom .shared import NUMBER\n")
    append(book / "chapters" / "part" / "three.md", EXPLORER)
    status, output = build(book)
    assert status == 0, output
    return book, output


@pytest.fixture
def book(built, tmp_path):
    """A copy of the built book."""
    return shutil.copytree(built[0], tmp_path / "book", symlinks=True)


def page(book, slug):
    return book.joinpath("_build", "html", "chapters", "part", f"{slug}.html").read_text()


def test_first_build_executes_all_and_sums_up(built):
    book, output = built
    assert executed(output) == {"one", "two", "three"}
    assert "3 of 3 chapters executed" in output
    assert str(book / "_build" / "html" / "index.html") in output
    line = next(line for line in output.splitlines() if "fig-line" in line)
    _, seconds, frames, kilobytes = line.split()
    assert frames == "8"
    assert 0 < float(seconds) < 30
    assert 0 < float(kilobytes) < 10


def test_nothing_changed_nothing_done(book):
    before = book.joinpath("_build", "html").stat().st_ino
    status, output = build(book)
    assert (status, executed(output)) == (0, set())
    assert "0 of 3 chapters executed" in output
    assert book.joinpath("_build", "html").stat().st_ino == before


def test_prose_executes_nothing_and_is_seen_on_every_page(book, tmp_path):
    replace(book / "chapters" / "part" / "one.md", "# 第one章", "# 新的题目")
    status, output = build(book)
    assert (status, executed(output)) == (0, set())
    assert "新的题目" in page(book, "one")
    assert "新的题目" in page(book, "three"), "the table of contents is stale"
    clean = clean_copy(book, tmp_path / "clean")
    assert build(clean)[0] == 0
    assert files(book / "_build" / "html") == files(clean / "_build" / "html")


def clean_copy(book, place):
    return shutil.copytree(book, place, ignore=shutil.ignore_patterns("_build", "__pycache__"))


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("code/scispaces/tiny/two.py", {"two"}),
        ("code/scispaces/tiny/shared.py", {"one", "two"}),
        ("code/scispaces/explore/columns.py", {"three"}),
        ("code/scispaces/style.py", {"three"}),
        ("requirements.txt", {"one", "two", "three"}),
        ("code/scispaces/explore/picture.py", {"three"}),
    ],
)
def test_changed_module_executes_its_chapters_and_no_other(book, file, stale):
    append(book / file, "\n# changed\n")
    status, output = build(book)
    assert status == 0, output
    assert executed(output) == stale


def test_changed_cell_executes_its_chapter(book):
    replace(book / "chapters" / "part" / "one.md", "value())", "value() + 41)")
    status, output = build(book)
    assert (status, executed(output)) == (0, {"one"})
    assert "one 42" in page(book, "one")


def test_plain_build_sees_a_changed_module(book):
    replace(book / "code" / "scispaces" / "tiny" / "shared.py", "1", "7")
    outputs = book / "_build" / ".jupyter_cache" / "executed"
    before = files(outputs)
    status, output = build_plainly(book)
    assert status == 0, output
    assert "one 7" in page(book, "one")
    assert "two 7" in page(book, "two")
    assert len(before.items() - files(outputs).items()) == 4, "two chapters: outputs and seals"
    # What it executed is sealed: the next build of either kind uses it.
    status, output = build(book)
    assert (status, executed(output)) == (0, set())


def test_plain_build_gives_the_same_bytes(built, tmp_path):
    book, _ = built
    clean = clean_copy(book, tmp_path / "another" / "place")
    status, output = build_plainly(clean, PYTHONHASHSEED="4321")
    assert status == 0, output
    assert files(clean / "_build" / "html") == files(book / "_build" / "html")
    # Built once more in place, all pages again, it is still the same.
    append(clean / "index.md", "\n")
    assert build_plainly(clean, PYTHONHASHSEED="1")[0] == 0
    assert files(clean / "_build" / "html") == files(book / "_build" / "html")


AGAIN = ("random_angles", "softmax_alternatives", "inverted_pendulum")


def test_plain_build_of_the_book_gives_the_same_bytes(tmp_path):
    """Three chapters execute again, elsewhere and in turn; all pages are written again."""
    site = ROOT / "_build" / "html"
    if not site.is_dir():
        pytest.fail("the book is not built; run make book first")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    clone = tmp_path / "clone"
    for name in filter(None, tracked):
        if ROOT.joinpath(name).is_file():
            clone.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    cache = clone / "_build" / ".jupyter_cache"
    shutil.copytree(ROOT / "_build" / ".jupyter_cache", cache)
    chapters = [next(clone.glob(f"chapters/*/{slug}.md")) for slug in AGAIN]
    for chapter in chapters:
        forget_outputs(cache, chapter)
    status, output = build_plainly(clone, PYTHONHASHSEED="99")
    assert status == 0, output
    for chapter in chapters:
        assert outputs_file(cache, chapter).is_file(), f"{chapter.name} was not executed"
    assert files(clone / "_build" / "html") == files(site)


def outputs_file(cache, chapter):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    markdown = MdParserConfig(enable_extensions=config["parse"]["myst_enable_extensions"])
    key = get_cache(str(cache)).create_hashed_notebook(notebook(chapter, markdown))[1]
    return cache / "executed" / key / "base.ipynb"


def forget_outputs(cache, chapter):
    outputs = outputs_file(cache, chapter)
    assert outputs.is_file(), f"{chapter.name} is not executed; run make book first"
    shutil.rmtree(outputs.parent)


def test_files_that_a_chapter_reads(tmp_path):
    book = make_tiny_book(tmp_path, slugs=("one",))
    modules = book / "code" / "scispaces" / "tiny"
    modules.joinpath("one.py").write_text(
        "from pathlib import Path\n"
        "def value():\n"
        "    from .. import tiny\n"
        "    from . import other as o\n"
        "    return Path(__file__).with_name('table.csv').read_text()\n"
    )
    modules.joinpath("other.py").write_text("import numpy, scispaces.style\n")
    modules.joinpath("table.csv").write_text("1\n")
    book.joinpath("data.csv").write_text("1\n")
    chapter = book / "chapters" / "part" / "one.md"
    append(chapter, '\n```{code-cell} ipython3\n%pwd\nopen("../../data.csv")\n```\n')
    append(chapter, f'\n```{{code-cell}} ipython3\n"{"长" * 120}"\n```\n')  # no name of a file
    nb = notebook(chapter, MdParserConfig())
    found = {file.relative_to(book).as_posix() for file in source_files(book, chapter, nb)}
    assert found == {
        "code/scispaces/__init__.py",
        "code/scispaces/style.py",
        "code/scispaces/tiny/__init__.py",
        "code/scispaces/tiny/one.py",
        "code/scispaces/tiny/other.py",
        "code/scispaces/tiny/table.csv",
        "data.csv",
    }


def test_broken_notebooks_of_the_environment_are_none_of_the_book(tmp_path):
    book = make_tiny_book(tmp_path / "book", slugs=("one",))
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    patterns = config["sphinx"]["config"]["exclude_patterns"]
    tiny = yaml.safe_load((book / "_config.yml").read_text())
    tiny["sphinx"]["config"]["exclude_patterns"] = patterns
    book.joinpath("_config.yml").write_text(yaml.safe_dump(tiny, allow_unicode=True))
    cell = {"cell_type": "code", "source": "1/0", "metadata": {}, "outputs": []}
    broken = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    for folder in (".venv/lib/python3.11/site-packages/x", "node_modules/y"):
        book.joinpath(folder).mkdir(parents=True)
        book.joinpath(folder, "broken.ipynb").write_text(json.dumps(broken))
        book.joinpath(folder, "broken.md").write_text("# {no-such-role}`x`\n")
    status, output = build_plainly(book, "-W", "-n", "--keep-going")
    assert status == 0, output
    assert not [name for name in files(book / "_build" / "html") if "broken" in name]
    status, output = build(book)
    assert (status, executed(output)) == (0, set())


def test_broken_cells_are_all_named_and_the_site_stays(book):
    site = files(book / "_build" / "html")
    replace(book / "chapters" / "part" / "one.md", "print(", "1 / 0  # oops\nprint(")
    append(
        book / "chapters" / "part" / "two.md",
        "\n```{code-cell} ipython3\nimport no_such_module\n```\n",
    )
    append(book / "code" / "scispaces" / "explore" / "columns.py", "\n# changed\n")
    status, output = build(book)
    assert status == 1
    one, two = book / "chapters" / "part" / "one.md", book / "chapters" / "part" / "two.md"
    line = one.read_text().splitlines().index("```{code-cell} ipython3") + 1
    cell = "code cell 1, `from scispaces.tiny.one import value`"
    assert f"{one}:{line}: {cell}: ZeroDivisionError: division by zero" in output
    line = two.read_text().splitlines().index("import no_such_module")
    cell = "code cell 2, `import no_such_module`"
    assert f"{two}:{line}: {cell}: ModuleNotFoundError: No module" in output
    report = book / "_build" / "reports" / "chapters" / "part" / "one.log"
    assert str(report) in output
    assert "1 / 0  # oops" in report.read_text()
    assert files(book / "_build" / "html") == site
    # The third chapter is whole, and is not executed again.
    replace(one, "1 / 0  # oops\n", "")
    replace(two, "import no_such_module", "import math")
    status, output = build(book)
    assert (status, executed(output)) == (0, {"two"})


def test_plain_build_fails_on_a_broken_cell(book):
    append(book / "chapters" / "part" / "one.md", "\n```{code-cell} ipython3\n1 / 0\n```\n")
    status, output = build_plainly(book)
    assert status != 0
    assert "ZeroDivisionError" in output


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n{ref}`no-such-label`\n", "undefined label: 'no-such-label'"),
        ("\n{doc}`nowhere`\n", "unknown document: 'nowhere'"),
        ("\n[gone](gone.md)\n", "target not found: 'gone.md'"),
        ("\n(dup)=\n## 甲\n\n(dup)=\n## 乙\n", "dup"),
    ],
)
def test_faults_of_a_page_stop_the_build(book, text, complaint):
    site = files(book / "_build" / "html")
    append(book / "chapters" / "part" / "two.md", text)
    status, output = build(book)
    assert status == 1
    faults = [line for line in output.splitlines() if "two.md" in line and "WARNING" in line]
    assert any(complaint in line for line in faults), output
    assert files(book / "_build" / "html") == site


def test_what_is_printed_in_pieces_is_stored_in_one(book):
    cell = 'print("甲", end="", flush=True)\nimport time; time.sleep(0.3)\nprint("乙", flush=True)'
    append(book / "chapters" / "part" / "two.md", f"\n```{{code-cell}} ipython3\n{cell}\n```\n")
    status, output = build(book)
    assert status == 0, output
    assert "甲乙" in page(book, "two")


def test_slow_chapter_stops_the_build(book):
    chapter = book / "chapters" / "part" / "two.md"
    append(chapter, "\n```{code-cell} ipython3\nprint(2)\n```\n")
    before = files(book / "_build" / "html")
    impatient = (
        "from scispaces_book import build, execute; execute.MAX_SECONDS = 0.1;"
        "raise SystemExit(build.main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", impatient],
        cwd=book,
        env=environment(book),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert re.search(rf"{chapter}: takes \d+ s, more than 0.1 s", done.stderr), done
    assert files(book / "_build" / "html") == before


def test_second_build_waits(book):
    append(book / "index.md", "\n更多。\n")
    with open(book / "_build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = start_build(book)
        assert second.stdout.readline() == (
            "Another build is running here; waiting for it to end.\n"
        )
        time.sleep(0.5)
        assert second.poll() is None
    output = second.communicate(timeout=120)[0]
    assert second.returncode == 0, output
    assert "更多" in book.joinpath("_build", "html", "index.html").read_text()


def test_one_chapter_alone(tmp_path):
    book = make_tiny_book(tmp_path / "book")
    append(book / "chapters" / "part" / "one.md", "\n见{doc}`two`。\n")
    append(book / "chapters" / "part" / "two.md", "\n```{code-cell} ipython3\n1 / 0\n```\n")
    book.joinpath("chapters", "part", "three.md").unlink()
    status, output = build(book, "--chapter", "one")
    assert status == 0, output
    assert executed(output) == {"one"}
    path = book / "_build" / "chapter" / "one" / "html" / "chapters" / "part" / "one.html"
    assert output.endswith(f"Open {path}\n")
    assert "one 1" in path.read_text()
    # The book takes over what the chapter has executed.
    assert "one" not in executed(build(book)[1])


def test_unknown_chapter(tmp_path):
    book = make_tiny_book(tmp_path / "book", slugs=("one",))
    status, output = build(book, "--chapter", "nope")
    assert status == 1
    assert '`SLUG` must name one file chapters/*/SLUG.md, got "nope"' in output


def tree(folder, text):
    folder.mkdir()
    folder.joinpath("index.html").write_text(text)
    return folder


@pytest.mark.parametrize("by_system", [True, False])
def test_swap(tmp_path, monkeypatch, by_system):
    if not by_system:
        monkeypatch.delattr(build_module.ctypes, "CDLL")
    new, current = tree(tmp_path / "new", "new"), tmp_path / "html"
    build_module.swap(new, current)
    assert current.joinpath("index.html").read_text() == "new"
    newer = tree(tmp_path / "newer", "newer")
    build_module.swap(newer, current)
    assert current.joinpath("index.html").read_text() == "newer"
    assert newer.joinpath("index.html").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "newer"]


def test_site_is_put_back_after_half_a_swap(book, monkeypatch):
    site = files(book / "_build" / "html")
    monkeypatch.delattr(build_module.ctypes, "CDLL")
    rename = Path.rename

    def killed(path, target):
        if path.name == ".staging":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    tree(book / "_build" / ".staging", "new")
    with pytest.raises(KeyboardInterrupt):
        build_module.swap(book / "_build" / ".staging", book / "_build" / "html")
    assert not book.joinpath("_build", "html").exists()
    monkeypatch.undo()
    append(book / "chapters" / "part" / "two.md", "\n```{code-cell} ipython3\n1 / 0\n```\n")
    assert build(book)[0] == 1
    assert files(book / "_build" / "html") == site
