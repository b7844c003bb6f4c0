"""Do the marked tests notice when the functions they cover return something else?

    python tests/mutate.py [SLUG ...]

For each chapter, the tests that carry a `verifies` mark are run once, to see which public
functions of the chapter's module they call.  Then each function is changed in each of these ways,
and at least one of the marked tests that call it must fail:

- floats and complex numbers are multiplied by 1.001, and negated; where all that came was below
  1e-6, a residual, 0.001 is added instead;
- integers are increased by one;
- truth values are negated.

Each item of a returned tuple, and each field of a dataclass, is changed alone.  A function with a
parameter `rng` returns samples, which tests compare within a statistical error and whose
distribution may be symmetric: its floats are multiplied by 1.1 and never negated.

Exit status 1 names each change that no test noticed.  Functions that no marked test calls are
listed; they are no failure.
"""

import dataclasses
import functools
import importlib
import inspect
import numbers
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).resolve().parents[1]

RESIDUAL = 1e-6
CHANGES = {
    "float": {"times 1.001": lambda x: x * 1.001, "negated": lambda x: -x},
    "residual": {"plus 0.001": lambda x: x + 0.001},
    "sample": {"times 1.1": lambda x: x * 1.1},
    "integer": {"plus 1": lambda x: x + 1},
    "truth": {"not": np.logical_not},
}


class Probe:
    """A function that can be changed while it is called.

    Attributes
    ----------
    name : str
    callers : set of str
        The tests that called it.
    returned : dict of tuple to set of str
        The kinds of number that came at each place of what it returned.
    change : tuple or None
        A place and the change to make there.
    """

    def __init__(self, name, function):
        self.name = name
        self.samples = "rng" in inspect.signature(function).parameters
        self.callers, self.returned, self.change = set(), {}, None

    def wrap(self, function, current):
        @functools.wraps(function)
        def probe(*args, **kwargs):
            result = function(*args, **kwargs)
            if self.change is not None:
                return changed(result, *self.change)
            if current.test:
                self.callers.add(current.test)
                for place, leaf in leaves(result):
                    self.returned.setdefault(place, set()).add(self.kind(leaf))
            return result

        return probe

    def kind(self, leaf):
        array = np.asarray(leaf)
        if array.dtype == bool:
            return "truth"
        if array.dtype == object or np.issubdtype(array.dtype, np.integer):
            return "integer"
        if self.samples:
            return "sample"
        finite = np.abs(array[np.isfinite(array)])
        return "float" if np.any(finite > RESIDUAL) else "residual"

    def changes(self):
        """Yield the place, the name and the function of each change."""
        for place, kinds in self.returned.items():
            for kind in sorted(kinds - {"residual"} or kinds):
                for name, change in CHANGES[kind].items():
                    yield place, name, change


def leaves(result, place=()):
    """Yield the arrays and numbers in what a function returned, each with its place."""
    if isinstance(result, tuple):
        for index, item in enumerate(result):
            yield from leaves(item, (*place, index))
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        for field in dataclasses.fields(result):
            yield from leaves(getattr(result, field.name), (*place, field.name))
    elif isinstance(result, dict):
        for key, item in result.items():
            yield from leaves(item, (*place, key))
    elif is_numeric(result):
        yield place, result


def is_numeric(value):
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # a ragged list, an object of another kind
        return False
    if array.dtype == object:  # integers beyond 64 bits
        return array.size > 0 and all(isinstance(item, numbers.Integral) for item in array.flat)
    return array.size > 0 and (
        np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.bool_)
    )


def changed(result, place, change):
    """Return what a function returned with the change made at a place, if it has this place."""
    if not place:
        if isinstance(result, tuple) or not is_numeric(result):
            return result
        made = change(np.asarray(result) if isinstance(result, list) else result)
        return made.tolist() if isinstance(result, list) else made
    head, *rest = place
    if isinstance(result, tuple) and isinstance(head, int) and head < len(result):
        items = list(result)
        items[head] = changed(items[head], rest, change)
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    if isinstance(result, dict) and head in result:
        return result | {head: changed(result[head], rest, change)}
    if dataclasses.is_dataclass(result) and hasattr(result, str(head)):
        return dataclasses.replace(result, **{head: changed(getattr(result, head), rest, change)})
    return result


class Session:
    """A pytest plugin that runs the marked tests of a chapter once for each change."""

    def __init__(self, module):
        self.module = module
        self.test = None
        self.survivors, self.unreached, self.broken = [], [], []
        self.count = 0
        self.probes = []
        self.install()

    def install(self):
        """Put probes in the place of the module's public functions, wherever they were imported."""
        for name in self.module.__all__:
            value = getattr(self.module, name)
            if not callable(value) or value.__module__ != self.module.__name__:
                continue
            if inspect.isclass(value):
                for method, function in list(vars(value).items()):
                    public = not method.startswith("_") or method == "__call__"
                    if public and inspect.isfunction(function):
                        probe = self.add(f"{name}.{method}", function)
                        setattr(value, method, probe.wrap(function, self))
                continue
            wrapped = self.add(name, value).wrap(value, self)
            for other in list(sys.modules.values()):
                if getattr(other, "__name__", "").startswith("scispaces."):
                    for key, held in list(vars(other).items()):
                        if held is value:
                            setattr(other, key, wrapped)

    def add(self, name, function):
        self.probes.append(Probe(name, function))
        return self.probes[-1]

    def pytest_configure(self):
        from hypothesis import HealthCheck, Phase, settings

        # The first failing example is enough; nothing is stored, nothing depends on the clock.
        settings.register_profile(
            "mutate",
            phases=[Phase.explicit, Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutate")

    def pytest_collectreport(self, report):
        if report.failed:
            self.broken.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_runtestloop(self, session):
        if self.broken:
            return True
        seconds = {}
        for item in session.items:
            self.test = item.nodeid
            start = time.perf_counter()
            if not self.passes(item):
                self.broken.append(f"{item.nodeid} fails as it stands")
            seconds[item.nodeid] = time.perf_counter() - start
        self.test = None
        fastest_first = sorted(session.items, key=lambda item: seconds[item.nodeid])
        for probe in self.probes if not self.broken else []:
            tests = [item for item in fastest_first if item.nodeid in probe.callers]
            if not tests:
                self.unreached.append(probe.name)
            for place, name, change in list(probe.changes()):
                self.count += 1
                probe.change = (place, change)
                if all(self.passes(item) for item in tests):
                    where = "".join(f"[{part!r}]" for part in place)
                    called = ", ".join(item.name for item in tests)
                    self.survivors.append(f"{probe.name}{where} {name}: unnoticed by {called}")
                probe.change = None
        return True

    def passes(self, item):
        for held in list(vars(self.module).values()):
            clear = getattr(getattr(held, "__wrapped__", held), "cache_clear", None)
            if clear:
                clear()
        reports = runtestprotocol(item, nextitem=None, log=False)
        return all(report.passed or report.skipped for report in reports)


def check(part, slug):
    """Change the functions of a chapter one by one; return whether every change was noticed."""
    start = time.perf_counter()
    tests = ROOT / "tests" / part / f"test_{slug}.py"
    session = Session(importlib.import_module(f"scispaces.{part}.{slug}"))
    pytest.main(
        ["-m", "verifies", "-p", "no:cacheprovider", "-p", "no:terminal", str(tests)],
        plugins=[session],
    )
    for message in session.broken:
        print(f"{slug}: {message}")
    for survivor in session.survivors:
        print(f"{slug}.{survivor}")
    if session.unreached:
        print(f"{slug}: no marked test calls {', '.join(session.unreached)}")
    noticed = session.count - len(session.survivors)
    seconds = time.perf_counter() - start
    print(f"{slug}: {noticed} of {session.count} changes noticed ({seconds:.1f} s)", flush=True)
    return not session.broken and not session.survivors


def main(slugs):
    chapters = {
        page.stem: page.parent.name
        for page in sorted(ROOT.glob("chapters/*/*.md"))
        if (ROOT / "tests" / page.parent.name / f"test_{page.stem}.py").exists()
    }
    if unknown := set(slugs) - set(chapters):
        raise SystemExit(f"no chapter with tests is called {', '.join(sorted(unknown))}")
    results = [check(chapters[slug], slug) for slug in slugs or chapters]
    raise SystemExit(0 if all(results) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
