"""Builds the committed book twice, in two places, and compares every byte.

    python tests/reproduce.py

One clone is built as `make book` does, the other by a plain ``jupyter-book build .``, each with its
own hash seed.  Exit status 1 names the files that differ.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tiny_book import ROOT, files

BUILDS = {
    "first": ([sys.executable, "-m", "scispaces_book.build"], "1"),
    "somewhere/else/second": ([Path(sys.executable).with_name("jupyter-book"), "build", "."], "2"),
}


def main():
    """Return the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        # Both before either is built, so that both are of the same commit.
        for name in BUILDS:
            subprocess.run(["git", "clone", "--quiet", ROOT, Path(scratch, name)], check=True)
        sites = [build(Path(scratch, name), *how) for name, how in BUILDS.items()]
    one, other = sites
    differing = sorted(name for name in one | other if one.get(name) != other.get(name))
    for name in differing:
        print(f"differs: {name}")
    print(f"{len(one)} files, {len(differing)} differ")
    return bool(differing)


def build(clone, command, seed):
    """Build a clone; return the digests of what readers get."""
    environment = {**os.environ, "PYTHONPATH": str(clone / "code"), "PYTHONHASHSEED": seed}
    subprocess.run(command, cwd=clone, env=environment, check=True)
    return files(clone / "_build", "html", "notebooks")


if __name__ == "__main__":
    sys.exit(main())
