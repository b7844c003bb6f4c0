"""What a build shows: the chapters while they execute, and a summary."""

import asyncio
import sys
import time

__all__ = ["CHAPTERS", "Progress", "summary"]

CHAPTERS = "chapters.json"
"""File beside the site that lists the chapters, with seconds and explorers, after a build."""


class Progress:
    """Chapters that execute, with seconds, and how long the others will take.

    On a terminal the running chapters are shown below the finished ones and redrawn; elsewhere
    every start and every end is a line.
    """

    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.live = stream.isatty()
        self.expected = {}
        self.running = {}
        self.done = 0
        self._drawn = 0

    def plan(self, expected, jobs):
        """Announce the chapters.

        Parameters
        ----------
        expected : dict of str to (float or None)
            Seconds by docname; None where nothing is known.
        jobs : int
            Number of chapters at a time.
        """
        known = [seconds for seconds in expected.values() if seconds is not None]
        usual = sum(known) / len(known) if known else None
        self.expected = {name: seconds or usual for name, seconds in expected.items()}
        self.jobs = jobs
        self.total = len(expected)

    def started(self, docname):
        """Note that a chapter has begun."""
        self.running[docname] = time.perf_counter()
        if not self.live:
            self._line(f"        executing {docname}")

    def finished(self, docname, seconds, failed):
        """Note that a chapter has ended."""
        del self.running[docname], self.expected[docname]
        self.done += 1
        remaining = self._remaining()
        after = f"   (about {remaining:.0f} s remain)" if remaining and not self.live else ""
        state = "FAILED" if failed else "      "
        self._clear()
        self._line(f"[{self.done:3}/{self.total}] {state} {docname}   {seconds:.1f} s{after}")

    async def shown(self):
        """Redraw the running chapters until cancelled."""
        try:
            while self.live:
                self._clear()
                self._draw()
                await asyncio.sleep(0.25)
        finally:
            self._clear()

    def _remaining(self):
        """Return the seconds that the other chapters will take, or None if nothing is known."""
        if None in self.expected.values():
            return None
        now = time.perf_counter()
        elapsed = {name: now - start for name, start in self.running.items()}
        left = [max(0.0, s - elapsed.get(name, 0.0)) for name, s in self.expected.items()]
        return max(sum(left) / self.jobs, *left) if left else 0.0

    def _draw(self):
        now = time.perf_counter()
        lines = [f"  executing {name}   {now - t:.0f} s" for name, t in self.running.items()]
        waiting = len(self.expected) - len(self.running)
        remaining = self._remaining()
        lines.append(
            f"  {self.done} of {self.total} done, {waiting} waiting"
            + (f", about {remaining:.0f} s remain" if remaining is not None else "")
        )
        for line in lines:
            self._line(line)
        self._drawn = len(lines)

    def _clear(self):
        if self._drawn:
            self.stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _line(self, text):
        print(text, file=self.stream, flush=True)


def summary(chapters, seconds, *, executed):
    """Return the table that ends a build.

    Parameters
    ----------
    chapters : list of dict
        What is in `CHAPTERS`.
    seconds : float
        What the build took.
    executed : bool
        Whether the list is of this build, not of an earlier one.
    """
    lines = ["", f"{'chapter and explorers':<50} {'seconds':>8} {'frames':>7} {'KB':>7}"]
    new = [chapter for chapter in chapters if executed and not chapter["cached"]]
    for chapter in chapters:
        state = f"{chapter['seconds']:.1f}" if chapter in new else "cached"
        lines.append(f"{chapter['docname']:<50} {state:>8}")
        for explorer in chapter["explorers"]:
            lines.append(
                f"    {explorer['name']:<46} {explorer['seconds']:>8.1f} "
                f"{explorer['frames']:>7} {explorer['bytes'] / 1000:>7.1f}"
                + (f"   images: {explorer['reason']}" if explorer["reason"] else "")
            )
    lines += ["", f"{len(new)} of {len(chapters)} chapters executed; {seconds:.1f} s in all"]
    return "\n".join(lines)
