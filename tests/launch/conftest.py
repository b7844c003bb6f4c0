"""A little book that uses all of MyST, built with a repository to launch from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

collect_ignore = ["book"]
"""The little book's own tests are read, never run."""


@pytest.fixture(scope="session")
def little_book(tmp_path_factory):
    """Folder of the little book, built."""
    book = shutil.copytree(HERE / "book", tmp_path_factory.mktemp("launch") / "book")
    done = subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", "-W", "--keep-going", "."],
        cwd=book,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1] / "code")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return book


def pytest_addoption(parser):
    parser.addoption(
        "--every-notebook", action="store_true", help="run every exported notebook, not three"
    )
