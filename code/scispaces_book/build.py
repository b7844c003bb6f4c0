"""Builds the book: ``python -m scispaces_book.build``.

Chapters that must execute do so side by side; Sphinx then reads their outputs from the cache and
writes the site beside the old one; the two are swapped in one step.  A build that is killed at any
moment leaves a whole site, and the chapters that had executed are not executed again.
"""

import argparse
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from scispaces_book.progress import CHAPTERS, summary

__all__ = ["STAGING", "BuildError", "build_book", "build_chapter", "main", "swap"]

STAGING = ".staging"
"""Folder in which the site is written before it takes the place of the old one."""


class BuildError(Exception):
    """Stops the build; its message is all that the author needs."""


def main(arguments=None):
    """Build the book or a chapter alone, and return the exit status."""
    options = _options(arguments)
    root = options.root.resolve()
    try:
        if options.chapter:
            build_chapter(root, options.chapter)
        else:
            build_book(root, jobs=options.jobs)
    except BuildError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The site in place is as it was.", file=sys.stderr)
        return 130
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(prog="scispaces_book.build", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="folder of the book")
    parser.add_argument("--chapter", metavar="SLUG", help="build this chapter alone")
    parser.add_argument(
        "--jobs",
        type=int,
        default=_cores(),
        help="chapters executed at a time (default: one a core)",
    )
    return parser.parse_args(arguments)


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def build_chapter(root, slug):
    """Execute and build one chapter alone, whatever the state of the others.

    Labels of other chapters lead nowhere there.

    Parameters
    ----------
    root : pathlib.Path
    slug : str

    Raises
    ------
    BuildError
        If there is no such chapter, or it fails.
    """
    files = sorted(root.glob(f"chapters/*/{slug}.md"))
    if len(files) != 1:
        raise BuildError(f'`SLUG` must name one file chapters/*/SLUG.md, got "{slug}"')
    docname = files[0].relative_to(root).with_suffix("").as_posix()
    folder = root / "_build" / "chapter" / slug
    toc = f"format: jb-book\nroot: {docname}\n"
    if root.joinpath("chapters/appendix/references.md").is_file():
        toc += "chapters: [file: chapters/appendix/references]\n"
    with _naming_the_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"):
            folder.joinpath("_toc.yml").write_text(toc)
            shutil.rmtree(folder / ".doctrees", ignore_errors=True)
            cache = root / "_build" / ".jupyter_cache"
            _run_sphinx(
                root,
                folder / "_toc.yml",
                folder / "html",
                nb_execution_cache_path=str(cache),
                scispaces_search=False,
            )
    print("\nLabels of other chapters are missing here; any other warning above is a fault.")
    print(f"Open {folder / 'html' / docname}.html")


def build_book(root, *, jobs):
    """Build the site of the book in ``_build/html``.

    Parameters
    ----------
    root : pathlib.Path
        Folder with ``_config.yml`` and ``_toc.yml``.
    jobs : int
        Number of chapters executed at a time.

    Raises
    ------
    BuildError
        If anything is wrong; the site in place is then as it was.
    """
    start = time.perf_counter()
    build = root / "_build"
    with _naming_the_disk(build):
        build.mkdir(exist_ok=True)
        with _locked(build / ".lock"):
            _recover(build)
            record = build / ".site"
            inputs = _digest_of_inputs(root)
            changed = not _is_in_place(build, record, inputs)
            if changed:
                record.unlink(missing_ok=True)
                _build_site(root, build, jobs)
                record.write_text(inputs)
            chapters = json.loads(build.joinpath(CHAPTERS).read_text())
    print(summary(chapters, time.perf_counter() - start, executed=changed))
    print(f"\nOpen {build / 'html' / 'index.html'}")


def _is_in_place(build, record, inputs):
    """Tell whether the site in place was made from the same files, and without a warning."""
    return (
        record.is_file()
        and record.read_text() == inputs
        and build.joinpath("html", "index.html").is_file()
        and build.joinpath(CHAPTERS).is_file()
    )


def _build_site(root, build, jobs):
    """Write the site beside the old one, and swap."""
    from scispaces_book.notebooks import put_beside  # which imports this module

    staging = build / STAGING
    shutil.rmtree(staging, ignore_errors=True)
    try:
        _run_sphinx(
            root, root / "_toc.yml", staging, strict=True, nitpicky=True, scispaces_jobs=jobs
        )
        swap(staging, build / "html")
        put_beside(build / "html")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run_sphinx(root, toc, folder, *, strict=False, **config):
    """Let jupyter-book execute and write the pages of a table of contents to a folder."""
    from jupyter_book.sphinx import build_sphinx

    # A build that was killed while reading leaves doctrees of which Sphinx knows nothing.
    doctrees = folder.parent / ".doctrees"
    unfinished = folder.parent / ".unfinished"
    if unfinished.exists():
        shutil.rmtree(doctrees, ignore_errors=True)
    unfinished.touch()
    result = build_sphinx(
        str(root),
        str(folder),
        noconfig=True,
        path_config=str(root / "_config.yml"),
        confoverrides={
            "latex_individualpages": False,
            "external_toc_path": toc.as_posix(),
            **config,
        },
        doctreedir=str(doctrees),
        quiet=True,
        warningiserror=strict,
        keep_going=True,
    )
    unfinished.unlink()
    if isinstance(result, KeyboardInterrupt):
        raise result
    if result:
        cause = result if isinstance(result, Exception) else None
        raise BuildError("Faults are named above. The site in place is as it was.") from cause


def swap(new, current):
    """Put the folder `new` in the place of `current`, in one step where the system has it.

    Afterwards the old folder, if there was one, is at `new`.

    Parameters
    ----------
    new, current : pathlib.Path
        On one file system.
    """
    if not current.exists():
        new.rename(current)
        return
    try:
        _exchange(new, current)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        previous = _previous(current)
        shutil.rmtree(previous, ignore_errors=True)
        current.rename(previous)
        new.rename(current)
        previous.rename(new)


def _exchange(one, other):
    """Exchange two folders with one call to the system: Linux."""
    at_cwd, exchange = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one), None, str(other))


def _previous(current):
    return current.with_name(f".previous-{current.name}")


def _recover(build):
    """Put what was in place back if a build was killed between the two steps of a swap."""
    for current in (build / "html", build / "notebooks"):
        if _previous(current).exists() and not current.exists():
            _previous(current).rename(current)


@contextmanager
def _locked(file):
    """Wait until no other build has the lock, and hold it."""
    with open(file, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another build is running here; waiting for it to end.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _naming_the_disk(build):
    """Turn a full or read-only disk into an error that names the folder."""
    try:
        yield
    except Exception as error:
        if why := _why_not_written(error):
            message = f"Cannot write {build}: {why}. The site in place is as it was."
            raise BuildError(message) from error
        raise


def _why_not_written(error):
    """Return what the system said about the disk, or None if it said nothing."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            return os.strerror(error.errno)
        for sign in ("disk is full", "readonly database"):
            if sign in str(error):
                return sign
        error = error.__cause__ or error.__context__
    return None


def _digest_of_inputs(root):
    """Return a digest of every file from which the site is made."""
    digest = hashlib.sha256(repr(sys.version_info).encode())
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not _is_output(name))
        for name in sorted(files):
            file = Path(folder, name)
            if file.is_file():
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(root)}\0{content}\0".encode())
    return digest.hexdigest()


def _is_output(name):
    made = ("_build", "build", "dist", "node_modules", "__pycache__")
    return name.startswith(".") or name in made or name.endswith(".egg-info")


if __name__ == "__main__":
    sys.exit(main())
