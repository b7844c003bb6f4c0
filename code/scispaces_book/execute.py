"""Executes the chapters that must, side by side, into the cache that Sphinx reads."""

import asyncio
import os
import signal
import tempfile
import traceback
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from scispaces_book.freshness import Seal

__all__ = ["MAX_SECONDS", "Chapter", "execute"]

MAX_SECONDS = 60
"""What a chapter may take, in seconds of processor time: a reader in Binder waits as long."""


@dataclass
class Chapter:
    """A page with code."""

    docname: str
    path: Path
    notebook: object
    fingerprint: str
    seal: Seal | None
    """What is known of its outputs; None until it has executed."""
    fault: str = ""
    """Why it could not be executed."""


def execute(chapters, cache, *, jobs, timeout, reports, times, progress):
    """Execute the chapters that have no outputs; longest first.

    Each chapter gets its `seal` or its `fault`.

    Parameters
    ----------
    chapters : list of Chapter
    cache : scispaces_book.freshness.Cache
    jobs : int
        Number of kernels at a time.
    timeout : float
        Seconds after which a chapter counts as hanging.
    reports : pathlib.Path
        Folder for the tracebacks of chapters that fail.
    times : dict of str to float
        Seconds of processor time that chapters took when they last executed; updated.
    progress : Progress
    """
    waiting = [chapter for chapter in chapters if chapter.seal is None]
    waiting.sort(key=lambda chapter: times.get(chapter.docname, MAX_SECONDS), reverse=True)
    if not waiting:
        return

    async def work(kernels):
        while waiting:
            chapter = waiting.pop(0)
            progress.started(chapter.docname)
            seconds = await _execute_chapter(chapter, timeout, reports, kernels)
            if not chapter.fault:
                times[chapter.docname] = round(seconds, 2)
                chapter.seal = cache.store(
                    chapter.path, chapter.notebook, seconds, chapter.fingerprint
                )
            progress.finished(chapter.docname, seconds, failed=bool(chapter.fault))

    async def work_side_by_side(kernels):
        display = asyncio.create_task(progress.shown())
        await asyncio.gather(*(work(kernels) for _ in range(jobs)))
        display.cancel()

    progress.plan({chapter.docname: times.get(chapter.docname) for chapter in waiting}, jobs)
    with _reaper() as kernels, asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(work_side_by_side(kernels))


async def _execute_chapter(chapter, timeout, reports, kernels):
    """Execute one chapter in a kernel of its own; return the seconds of processor time it took.

    Unlike the time on the wall, they do not grow when the machine is busy.
    """
    reports.joinpath(f"{chapter.docname}.log").unlink(missing_ok=True)
    current, seconds = None, 0.0

    def note_cell(cell, cell_index):
        nonlocal current
        current = cell_index

    def note_seconds(cell, cell_index):
        nonlocal seconds
        seconds = sum(psutil.Process(client.km.provisioner.pid).cpu_times()[:4])

    def register_kernel():
        os.write(kernels, f"{chapter.docname}\t{os.getpid()}\n".encode())

    with tempfile.TemporaryFile() as kernel_output:
        client = NotebookClient(
            chapter.notebook,
            timeout=None,
            startup_timeout=timeout,
            record_timing=False,
            coalesce_streams=True,  # what is printed comes in pieces, cut where time will have it
            shutdown_kernel="immediate",
            resources={"metadata": {"path": str(chapter.path.parent)}},
            on_cell_start=note_cell,
            on_cell_complete=note_seconds,
        )
        try:
            async with asyncio.timeout(timeout) as limit:
                await client.async_execute(
                    stdout=kernel_output, stderr=kernel_output, preexec_fn=register_kernel
                )
            if seconds > MAX_SECONDS:
                raise _TooSlow(f"takes {seconds:.0f} s, more than {MAX_SECONDS} s")
        except (_TooSlow, TimeoutError, RuntimeError, CellExecutionError) as error:
            kernel_output.seek(0)
            said = kernel_output.read().decode(errors="replace")
            # nbclient takes every end from outside for the kernel's death.
            cause = TimeoutError() if limit.expired() else error
            chapter.fault = _fault(chapter, current, cause, timeout)
            _write_report(reports, chapter, cause, said)
        finally:
            os.write(kernels, f"{chapter.docname}\t\n".encode())
    return seconds


class _TooSlow(Exception):
    pass


def _fault(chapter, cell_index, error, timeout):
    """Return in one line what happened, and where."""
    if isinstance(error, _TooSlow):
        return f"{chapter.path}: {error}"
    if isinstance(error, CellExecutionError):
        cell_index = next(i for i, cell in enumerate(chapter.notebook.cells) if _raised(cell))
        what = f"{error.ename}: {error.evalue}"
    elif isinstance(error, (TimeoutError, CellTimeoutError)):
        what = f"no end after {timeout:g} s; the kernel was killed"
    elif isinstance(error, DeadKernelError):
        what = "the kernel died (out of memory?)"
    else:
        what = f"{type(error).__name__}: {error}"
    if cell_index is None:
        return f"{chapter.path}: before its first cell: {what}"
    cells = chapter.notebook.cells
    number = sum(cell.cell_type == "code" for cell in cells[: cell_index + 1])
    line = chapter.notebook.metadata["source_map"][cell_index]
    first = cells[cell_index].source.strip().partition("\n")[0]
    return f"{chapter.path}:{line}: code cell {number}, `{first}`: {what}"


def _raised(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _write_report(reports, chapter, error, kernel_output):
    report = reports / f"{chapter.docname}.log"
    report.parent.mkdir(parents=True, exist_ok=True)
    trace = "".join(traceback.format_exception(error))
    report.write_text(f"{chapter.fault}\n\n{trace}\n{kernel_output}", encoding="utf-8")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that leaves signals alone.

    nbclient would take them over, and shut down one kernel instead of ending the build.
    """

    def add_signal_handler(self, signum, callback, *args):
        raise RuntimeError("signals end the build")

    def remove_signal_handler(self, signum):
        return False


@contextmanager
def _reaper():
    """Yield the pipe on which kernels are registered, so that none outlives this process.

    However this process ends, the pipe is closed then, and the reaper kills the process groups of
    the kernels, with the processes that chapters have started.
    """
    reading, writing = os.pipe()
    reaper = os.fork()
    if reaper == 0:
        os.close(writing)
        _reap(reading)
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)
        os.waitpid(reaper, 0)


def _reap(kernels):
    """Follow the lines ``docname TAB process``, and without a process when a chapter has ended."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = {}
    with open(kernels) as pipe:
        for line in pipe:
            docname, _, process = line.rstrip("\n").partition("\t")
            if process:
                running[docname] = int(process)
            elif docname in running:
                _kill_group(running.pop(docname))
    for process in running.values():
        _kill_group(process)
    os._exit(0)


def _kill_group(process):
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
