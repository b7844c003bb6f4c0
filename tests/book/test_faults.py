"""Whatever goes wrong, the site in place is whole, and the next build goes on where it can."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from tiny_book import build, environment, executed, files, make_tiny_book, start_build

KILLS = 5
"""A chain of builds that are killed, before one that is not; there are six chains."""


def set_value(book, value):
    """Change what every chapter prints, so that every chapter must execute again."""
    for path in book.glob("code/scispaces/tiny/*.py"):
        text = re.sub(r"return \d+", f"return {value}", path.read_text())
        if text != "":
            path.write_text(text)


def site(book):
    return files(book / "_build", "html", "notebooks")


def processes(book):
    """Return the processes that work in the book's folder."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "status"]):
        if (process.info["cwd"] or "").startswith(str(book)):
            found.append(process.info)
    return [info for info in found if info["status"] != psutil.STATUS_ZOMBIE]


def assert_no_process_is_left(book):
    for _ in range(100):
        if not processes(book):
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {processes(book)}")


def add_cell(book, slug, code):
    path = book / "chapters" / "part" / f"{slug}.md"
    path.write_text(path.read_text() + f"\n```{{code-cell}} ipython3\n{code}\n```\n")


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A built book, and what its site is when every chapter says 1, and when it says 2."""
    book = make_tiny_book(tmp_path_factory.mktemp("versions") / "book")
    sites = {}
    for value in (2, 1):
        set_value(book, value)
        start = time.perf_counter()
        status, output = build(book)
        seconds = time.perf_counter() - start
        assert status == 0, output
        sites[value] = site(book)
    assert sites[1] != sites[2]
    return book, sites, seconds


@pytest.fixture
def book(versions, tmp_path):
    """A copy of the built book, whose chapters say 1."""
    return shutil.copytree(versions[0], tmp_path / "book", symlinks=True)


@pytest.mark.parametrize("chain", range(6))
def test_killed_at_any_moment(book, versions, chain):
    _, sites, seconds = versions
    chance = random.Random(chain)
    for kill in range(KILLS):
        value = 2 - (chain + kill) % 2  # other outputs are wanted than are in the cache
        set_value(book, value)
        process = start_build(book)
        # One in three kills aims at the end: the pages are written and the site is swapped there.
        moment = chance.uniform(0.7 if kill % 3 == 2 else 0, 1.05) * seconds
        try:
            output = process.communicate(timeout=moment)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0]
        assert site_is_whole(book, sites), f"half a site after {moment:.2f} s:\n{output}"
        assert_no_process_is_left(book)
        finished = set(re.findall(r"^\[ +\d/\d\] +chapters/part/(\w+) ", output, re.M))
    status, output = build(book)
    assert status == 0, output
    assert site(book) == sites[value]
    assert not executed(output) & finished, "a chapter that had finished executed again"


def site_is_whole(book, sites):
    """Tell whether readers have one of the two sites, and their notebooks one of the two sets."""
    both = [book / "_build" / name for name in ("html", "notebooks")]
    return all(
        {f"{folder.name}/{name}": digest for name, digest in files(folder).items()}
        in [
            {name: d for name, d in known.items() if name.startswith(f"{folder.name}/")}
            for known in sites.values()
        ]
        for folder in both
        if folder.exists() or folder.name == "html"
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_text(path.read_text().replace("one", "eno")),
        lambda path: path.unlink(),
    ],
    ids=["truncated", "altered", "lost"],
)
def test_damaged_outputs_are_made_again_with_one_warning(book, versions, damage):
    before = site(book)
    paths = book.glob("_build/.jupyter_cache/executed/*/base.ipynb")
    damage(next(path for path in paths if '"one' in path.read_text()))
    book.joinpath("index.md").write_text("# 小书\n\n改动。\n")
    status, output = build(book)
    assert status == 0, output
    assert executed(output) == {"one"}
    assert len(re.findall(r"warning: .*base\.ipynb is damaged", output)) == 1
    after = site(book)
    assert {name for name in after if after[name] != before.get(name)} <= {
        "html/index.html",
        "html/searchindex.js",
    }


def test_damaged_database_costs_no_execution(book):
    book.joinpath("_build", ".jupyter_cache", "global.db").write_bytes(b"no database")
    book.joinpath("index.md").write_text("# 小书\n\n改动。\n")
    status, output = build(book)
    assert (status, executed(output)) == (0, set())
    assert output.count("global.db is damaged") == 1


# A disk that is full, and one that cannot be written: small tmpfs in a namespace of its own, since
# permissions do not stop root.

ON_A_DISK = """
import json, subprocess, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from tiny_book import build, files

book, saved, options = Path({book!r}), {saved!r}, {options!r}
target = book / "_build"
def mount(*words):
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit("cannot mount: " + done.stderr)
mount("-t", "tmpfs", "-o", "size={size}k", "tmpfs", str(target))
subprocess.run(["cp", "-a", saved + "/.", str(target)], check=True)
if options:
    mount("-o", options, str(target))
before = files(target / "html")
status, output = build(book)
print(json.dumps({{"status": status, "output": output, "same": before == files(target / "html")}}))
"""


def build_on_a_disk(book, *, spare, options=""):
    """Build where ``_build`` is a disk with so many spare kilobytes; return what happened."""
    saved = book.with_name("saved")
    book.joinpath("_build").rename(saved)
    book.joinpath("_build").mkdir()
    used = subprocess.check_output(["du", "--summarize", "--block-size=4K", saved], text=True)
    code = ON_A_DISK.format(
        tests=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        book=str(book),
        saved=str(saved),
        options=options,
        size=4 * int(used.split()[0]) + spare,
    )
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(book),
    )
    if done.returncode:
        pytest.fail(f"this test needs a mount namespace: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def test_enough_room_is_enough(book):
    set_value(book, 2)
    happened = build_on_a_disk(book, spare=20_000)
    assert happened["status"] == 0, happened["output"]
    assert not happened["same"]


@pytest.mark.parametrize("spare", [0, 40, 200])
def test_full_disk(book, spare):
    set_value(book, 2)
    happened = build_on_a_disk(book, spare=spare)
    assert happened["status"] == 1, happened["output"]
    assert "No space left on device" in happened["output"] or "disk is full" in happened["output"]
    assert "The site in place is as it was." in happened["output"]
    assert "Traceback" not in happened["output"]
    assert happened["same"]


def test_read_only_disk(book):
    set_value(book, 2)
    happened = build_on_a_disk(book, spare=20_000, options="remount,ro")
    assert happened["status"] == 1
    said = f"Cannot write {book / '_build'}: Read-only file system."
    assert said in happened["output"]
    assert "Traceback" not in happened["output"]
    assert happened["same"]


# Chapters that misbehave.


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import time\nwhile True:\n    time.sleep(1)", "no end after 8 s; the kernel was killed"),
        # What the system does to a kernel that takes all memory.
        ("import os\nos.kill(os.getpid(), 9)", r"the kernel died \(out of memory\?\)"),
        ("raise SystemExit", "SystemExit"),
        ("x = [0] * 10**15", "MemoryError"),
    ],
    ids=["hangs", "killed", "exits", "memory"],
)
def test_a_chapter_that_misbehaves(book, versions, code, complaint):
    before = site(book)
    # It has a child too, which must not outlive it.
    add_cell(book, "two", f"import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n{code}")
    status, output = build(book, SCISPACES_TIMEOUT="8")
    assert status == 1
    path = book / "chapters" / "part" / "two.md"
    assert re.search(rf"^{path}:\d+: code cell 2, .*: .*{complaint}", output, re.M), output
    assert site(book) == before
    assert_no_process_is_left(book)
    assert executed(output) == {"two"}  # the others are as they were
