"""When the outputs of a chapter may be used again, and when it must execute.

jupyter-cache finds outputs by the code cells alone, so a changed module would leave stale outputs.
Here every entry of the cache is sealed with a fingerprint of all that the outputs depend on: the
code cells, the modules under ``code/`` that they import, directly or through others, the files that
they name, the locked dependencies, the interpreter and the environment of the kernels.  An entry
without a seal that matches is thrown away before it is used.
"""

import ast
import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from sqlalchemy.exc import DatabaseError

from scispaces.explore.still import MIME
from scispaces_book.reproducible import KERNEL_ENVIRONMENT

__all__ = ["Cache", "Seal", "digest_of", "fingerprint", "notebook", "source_files"]


def notebook(path, md_config):
    """Return a page as the notebook that myst-nb reads, or None if it is plain text.

    Parameters
    ----------
    path : pathlib.Path
    md_config : myst_parser.config.main.MdParserConfig

    Returns
    -------
    nbformat.NotebookNode or None
    """
    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), md_config, NbParserConfig(), text)
    return reader and reader.read(text)


def fingerprint(root, path, nb):
    """Return a digest of all that the outputs of a notebook depend on.

    Parameters
    ----------
    root : pathlib.Path
        Folder of the book.
    path : pathlib.Path
        File of the notebook.
    nb : nbformat.NotebookNode
    """
    digest = hashlib.sha256()
    cells = [(cell.source, cell.metadata) for cell in nb.cells if cell.cell_type == "code"]
    facts = [cells, nb.metadata.get("kernelspec"), sys.version_info[:2], KERNEL_ENVIRONMENT]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for file in sorted({*source_files(root, path, nb), root / "requirements.txt"}):
        if file.is_file():
            digest.update(f"{file.relative_to(root).as_posix()}\0{digest_of(file)}\0".encode())
    return digest.hexdigest()


def source_files(root, path, nb):
    """Return the files of the book that the code of a notebook reads.

    Parameters
    ----------
    root, path, nb
        As in `fingerprint`.

    Returns
    -------
    set of pathlib.Path
        Modules under ``code/`` that the cells import, directly or through others, and files that
        cells and modules name in a string, seen from their own folder.
    """
    found = set()
    waiting = set()
    for cell in nb.cells:
        if cell.cell_type == "code":
            waiting |= _files_named(_syntax(cell.source), root, path)
    while waiting:
        file = waiting.pop()
        found.add(file)
        if file.suffix == ".py":
            tree = _syntax(file.read_text(encoding="utf-8"))
            waiting |= _files_named(tree, root, file) - found
    return found


def _syntax(code):
    try:
        return ast.parse(code)
    except SyntaxError:  # a cell with a magic; IPython knows what it stands for
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            return ast.parse(TransformerManager().transform_cell(code))
        except SyntaxError:  # says so when it executes
            return ast.Module([], [])


def _files_named(tree, root, file):
    files = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                files |= _module_files(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level and file.is_relative_to(root / "code"):
                folder = file.parents[node.level - 1].relative_to(root / "code")
                package = ".".join([*folder.parts, *filter(None, [node.module])])
            for alias in node.names:
                files |= _module_files(root, f"{package}.{alias.name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            files |= _data_file(root, file.parent, node.value)
    return files


def _module_files(root, name):
    """Return the files that ``import name`` executes, as far as they are the book's own."""
    files, place = set(), root / "code"
    for part in name.split("."):
        place /= part
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                files.add(file)
    return files


def _data_file(root, folder, text):
    # No name of a file has more than 255 bytes.
    if not 0 < len(text.encode()) < 256 or "\n" in text or "\0" in text:
        return set()
    file = Path(os.path.normpath(folder / text))
    return {file} if file.is_relative_to(root) and file.is_file() else set()


def digest_of(file):
    """Return the digest of a file's content, read once as long as it does not change."""
    return _digest_at(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest_at(file, mtime):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Seal:
    """What is known of the outputs in the cache."""

    fingerprint: str
    """What the outputs depend on."""
    sha256: str
    """Digest of the file that holds them: a truncated file does not match."""
    seconds: float
    """How long they took to execute."""
    explorers: list
    """Of each explorer its ``name``, ``frames``, ``bytes``, ``seconds`` and ``reason``."""


class Cache:
    """The jupyter-cache of the book, with sealed entries.

    Parameters
    ----------
    path : pathlib.Path
    warn : callable
        Takes a message.
    """

    def __init__(self, path, warn):
        self.path = Path(path)
        self.warn = warn
        self.path.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._cache = self._opened()

    def _opened(self):
        cache = get_cache(str(self.path))
        try:
            cache.list_cache_records()
        except (DatabaseError, RuntimeError) as error:
            if not _is_broken(error):
                raise
            self.warn(f"{self.path / 'global.db'} is damaged; it is made anew from the entries")
            for name in ("global.db", "global.db-journal"):
                self.path.joinpath(name).unlink(missing_ok=True)
            cache = get_cache(str(self.path))
        return cache

    @contextmanager
    def _alone(self):
        """Keep other builds out: a chapter alone may be built beside the book."""
        with open(self.path / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def key(self, nb):
        """Return the name under which jupyter-cache keeps the outputs of a notebook."""
        return self._cache.create_hashed_notebook(nb)[1]

    def _folder(self, key):
        return self.path / "executed" / key

    def find(self, nb, wanted):
        """Return the seal of usable outputs, or None, after which there is no entry.

        Parameters
        ----------
        nb : nbformat.NotebookNode
        wanted : str
            The fingerprint that the outputs must have.

        Returns
        -------
        Seal or None
        """
        key = self.key(nb)
        with self._alone():
            seal = self._seal(key)
            if seal and seal.fingerprint == wanted and self._whole(key, seal):
                self._register(key, seal)
                return seal
            self._forget(key)
        return None

    def _seal(self, key):
        try:
            return Seal(**json.loads(self._folder(key).joinpath("seal.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _whole(self, key, seal):
        outputs = self._folder(key) / "base.ipynb"
        if outputs.is_file() and hashlib.sha256(outputs.read_bytes()).hexdigest() == seal.sha256:
            return True
        self.warn(f"{outputs} is damaged; its chapter executes again")
        return False

    def _register(self, key, seal):
        try:
            NbCacheRecord.record_from_hashkey(key, self._cache.db)
        except KeyError:
            data = {"execution_seconds": seal.seconds}
            NbCacheRecord.create_record(uri=key, hashkey=key, db=self._cache.db, data=data)

    def _forget(self, key):
        self._folder(key).joinpath("seal.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder(key), ignore_errors=True)
        try:
            record = NbCacheRecord.record_from_hashkey(key, self._cache.db)
        except KeyError:
            return
        NbCacheRecord.remove_record(record.pk, self._cache.db)

    def store(self, path, nb, seconds, mark):
        """Keep the outputs of an executed notebook and return their seal.

        Parameters
        ----------
        path : pathlib.Path
            File of the notebook.
        nb : nbformat.NotebookNode
        seconds : float
        mark : str
            The fingerprint from before the execution.

        Returns
        -------
        Seal
        """
        key = self.key(nb)
        bundle = CacheBundleIn(nb, str(path), data={"execution_seconds": seconds})
        with self._alone():
            self._cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            outputs = self._folder(key) / "base.ipynb"
            content = outputs.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            seal = Seal(mark, sha256, round(seconds, 2), _explorers(json.loads(content)))
            draft = outputs.with_name("seal.json.new")
            draft.write_text(json.dumps(asdict(seal)))
            draft.rename(outputs.with_name("seal.json"))
        return seal


def _is_broken(error):
    """Tell a damaged database from a full disk or a folder that cannot be written."""
    text = f"{error} {error.__cause__}"
    return any(sign in text for sign in ("malformed", "not a database", "no such table"))


def _explorers(executed):
    return [
        {"name": output["data"][MIME]["name"], **output["metadata"]["scispaces"]}
        for cell in executed["cells"]
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
