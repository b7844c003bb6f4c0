"""Lays out and publishes the branch that Colab and Binder open.

    python -m scispaces_book.publish [--to REMOTE]

After a build, ``_build/publish`` is a repository of one commit with the notebooks, the wheel of
`scispaces`, and what Binder reads: the locked dependencies and the version of Python.  With
``--to``, the commit becomes the branch ``notebooks`` of that remote.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scispaces_book.launch import BRANCH
from scispaces_book.notebooks import wheel_name

__all__ = [
    "binder_requirements",
    "build_wheel",
    "commit",
    "lay_out",
    "main",
    "package_source",
    "push",
]

README = """\
# 《可交互的科学空间》的笔记本

这一分支由构建自动生成：每章一个笔记本，`requirements.txt`是Binder要装的环境，
wheel文件是各章用到的软件包`scispaces`。源文件在主分支；要修改一章，请改那里的 `chapters/`。
"""

PYTHON = "3.11"
"""The version for which the dependencies are locked."""

EPOCH = "1767225600"
"""Time stamp of what is published, 2026-01-01, so that equal contents are equal bytes."""


def main(arguments=None):
    """Lay out the branch and perhaps publish it; return the exit status."""
    parser = argparse.ArgumentParser(prog="scispaces_book.publish", description=__doc__)
    parser.add_argument("--to", metavar="REMOTE", help="publish to this remote repository")
    options = parser.parse_args(arguments)
    root = Path().resolve()
    folder = root / "_build" / "publish"
    try:
        lay_out(root, folder)
        commit(folder)
        if options.to:
            push(folder, options.to)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{error}\n{error.stderr or ''}", file=sys.stderr)
        return 1
    count = len(list(folder.glob("*/*.ipynb")))
    print(f"{count} notebooks and {wheel_name()} in {folder}")
    return 0


def lay_out(root, folder):
    """Write the content of the branch to a folder.

    Parameters
    ----------
    root : pathlib.Path
        The book, built.
    folder : pathlib.Path
        Replaced if it exists.

    Raises
    ------
    FileNotFoundError
        If the book is not built.
    subprocess.CalledProcessError
        If the wheel cannot be made.
    """
    notebooks = root / "_build" / "notebooks"
    if not any(notebooks.glob("*/*.ipynb")):
        raise FileNotFoundError(f"there are no notebooks in {notebooks}; run `make book` first")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(notebooks, folder)
    build_wheel(root, folder)
    lock = root.joinpath("requirements.txt").read_text(encoding="utf-8")
    folder.joinpath("requirements.txt").write_text(binder_requirements(lock), encoding="utf-8")
    folder.joinpath("runtime.txt").write_text(f"python-{PYTHON}\n")
    folder.joinpath("README.md").write_text(README, encoding="utf-8")


def build_wheel(root, folder):
    """Make the wheel of `scispaces`, byte by byte the same for the same source.

    Parameters
    ----------
    root : pathlib.Path
        The book's source; nothing is written there.
    folder : pathlib.Path
        Gets the wheel.

    Raises
    ------
    subprocess.CalledProcessError
        If the wheel cannot be made.
    """
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(
            [*command, "--no-deps", "--wheel-dir", folder, package_source(root, Path(scratch))],
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
            stderr=subprocess.PIPE,
            text=True,
        )


def package_source(root, folder):
    """Copy what the package is made of, so that a build leaves nothing in the book's source.

    Parameters
    ----------
    root, folder : pathlib.Path

    Returns
    -------
    pathlib.Path
        `folder`.
    """
    made = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(root / "code", folder / "code", ignore=made)
    for path in (root / "pyproject.toml", root / "README.md", *root.glob("LICENSE*")):
        shutil.copy(path, folder)
    return folder


def binder_requirements(lock):
    """Return the lock with the wheel beside it in the place of the source.

    Without jupyterlab-myst: it would read the notebooks as MyST, and lose their anchors and folds.

    Parameters
    ----------
    lock : str
        ``requirements.txt``, in which ``-e .`` stands for the project itself.

    Returns
    -------
    str
    """
    text, count = re.subn(r"^-e \.$", f"./{wheel_name()}", lock, flags=re.M)
    if count != 1:
        raise ValueError(f"`lock` must hold the line `-e .` once, got it {count} times")
    return re.sub(r"^jupyterlab-myst==.*\n", "", text, flags=re.M)


def commit(folder):
    """Make the folder a repository with one commit on the branch."""
    _git(folder, "init", "--quiet", "--initial-branch", BRANCH)
    _git(folder, "add", "--all")
    who = ["-c", "user.name=scispaces", "-c", "user.email=noreply@example.org"]
    when = {"GIT_AUTHOR_DATE": f"{EPOCH} +0000", "GIT_COMMITTER_DATE": f"{EPOCH} +0000"}
    _git(folder, *who, "commit", "--quiet", "--message", "Notebooks of the book", **when)


def push(folder, remote):
    """Make the commit the branch of a remote repository, in place of what was there."""
    _git(folder, "push", "--quiet", "--force", remote, f"{BRANCH}:{BRANCH}")


def _git(folder, *arguments, **environment):
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        stderr=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    sys.exit(main())
