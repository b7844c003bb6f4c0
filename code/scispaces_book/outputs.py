"""Brings the outputs of the chapters up to date before Sphinx reads the pages.

myst-nb finds every chapter in the cache then, whether the build is `make book`, which executes
chapters side by side, or a plain ``jupyter-book build .``, which executes them in turn.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from sphinx.errors import SphinxError
from sphinx.util import logging

from scispaces_book.execute import Chapter, execute
from scispaces_book.freshness import Cache, digest_of, fingerprint, notebook
from scispaces_book.progress import CHAPTERS, Progress

__all__ = ["ChapterError", "setup"]

logger = logging.getLogger(__name__)


class ChapterError(SphinxError):
    """Chapters that cannot be executed stop the build."""

    category = "Chapters that cannot be executed"


class Outputs:
    """The pages of a book, as far as they have code, during one build.

    Parameters
    ----------
    app : sphinx.application.Sphinx
    """

    def __init__(self, app):
        self.app = app
        self.folder = Path(app.outdir).parent
        self._chapters = {}
        self._changed = False
        app.connect("env-get-outdated", self.outdated)
        app.connect("env-before-read-docs", self.execute)
        app.connect("env-updated", self.rewritten)

    def chapter(self, docname):
        """Return a page as a chapter, with what is known of its outputs, or None without code."""
        if docname not in self._chapters:
            self._chapters[docname] = self._read(docname)
        return self._chapters[docname]

    def _read(self, docname):
        path = Path(self.app.env.doc2path(docname))
        nb = notebook(path, self.app.env.myst_config)
        if nb is None:
            return None
        mark = fingerprint(Path(self.app.srcdir), path, nb)
        return Chapter(docname, path, nb, mark, seal=self.cache.find(nb, mark))

    @property
    def cache(self):
        """The cache that myst-nb will look into."""
        path = Path(self.app.env.mystnb_config.execution_cache_path)
        return Cache(path, warn=lambda text: print(f"warning: {text}", flush=True))

    def facts(self, docname):
        """Return what a page must be read again for when it changes."""
        chapter = self.chapter(docname)
        return digest_of(Path(self.app.env.doc2path(docname))), chapter and chapter.fingerprint

    def outdated(self, app, env, added, changed, removed):
        """Return the pages of which Sphinx does not see that they must be read again."""
        known = getattr(env, "scispaces_facts", {})
        self._changed = bool(removed)
        return [
            docname
            for docname in env.found_docs - added - changed
            if self.facts(docname) != known.get(docname)
        ]

    def execute(self, app, env, docnames):
        """Execute those of the pages about to be read that have no outputs."""
        env.scispaces_facts = getattr(env, "scispaces_facts", {})
        env.scispaces_facts.update({docname: self.facts(docname) for docname in docnames})
        self._changed = self._changed or bool(docnames)
        chapters = list(filter(None, map(self.chapter, sorted(env.found_docs))))
        waiting = [chapter for chapter in chapters if chapter.seal is None]
        times_file = self.folder / "times.json"
        times = _times(times_file)
        reports = self.folder / "reports"
        execute(
            waiting,
            self.cache,
            jobs=app.config.scispaces_jobs,
            timeout=float(os.environ.get("SCISPACES_TIMEOUT", app.config.nb_execution_timeout)),
            reports=reports,
            times=times,
            progress=Progress(),
        )
        times_file.write_text(json.dumps(times, indent=1, sort_keys=True))
        if faults := [chapter for chapter in waiting if chapter.fault]:
            raise ChapterError(
                "\n".join(f"{c.fault}\n    traceback: {reports / c.docname}.log" for c in faults)
            )
        self._list(chapters, waiting)

    def _list(self, chapters, executed):
        facts = [
            {
                "docname": chapter.docname,
                "seconds": chapter.seal.seconds,
                "cached": chapter not in executed,
                "explorers": chapter.seal.explorers,
            }
            for chapter in chapters
        ]
        self.folder.joinpath(CHAPTERS).write_text(json.dumps(facts, ensure_ascii=False, indent=1))

    def rewritten(self, app, env):
        """Return all pages if any was read: titles, numbers and links stand on others."""
        return env.found_docs if self._changed else None


def _times(file):
    with suppress(OSError, ValueError):
        return json.loads(file.read_text())
    return {}


def _digest_of_tools(app):
    """Return a digest of what turns sources into pages, beside Sphinx's own configuration."""
    files = [*Path(__file__).parent.rglob("*"), Path(app.srcdir, "requirements.txt")]
    read = (file for file in sorted(files) if file.is_file() and file.suffix != ".pyc")
    digests = [digest_of(file) for file in read]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def setup(app):
    """Register with Sphinx what executes chapters and knows which pages are stale."""
    app.add_config_value("scispaces_jobs", 1, "", int)
    # All pages are read again when the book's own extension or the locked dependencies change.
    app.add_config_value("scispaces_tools", _digest_of_tools(app), "env", str)
    app.connect("builder-inited", Outputs, priority=900)  # after myst-nb
    return {"parallel_read_safe": True, "parallel_write_safe": True}
