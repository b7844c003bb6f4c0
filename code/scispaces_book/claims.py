"""What the book claims and what checks it: labelled equations, errata, and the marks of tests.

A displayed equation labelled ``eq-…`` is a claim, and a test marked
``@pytest.mark.verifies("eq-…", by="…")`` checks it.  Both sides are read as text: no chapter is
executed, no test is run.
"""

import ast
import functools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from scispaces_book.chapters import Fault, chapters, pages

__all__ = [
    "KINDS",
    "Equation",
    "Erratum",
    "Mark",
    "equations",
    "errata",
    "errata_faults",
    "evidence",
    "label_faults",
    "marks",
    "test_functions",
    "truth_faults",
]

KINDS = {
    "closed form": "闭式结果",
    "library": "独立的程序库",
    "property": "恒成立的性质",
    "table": "原文或论文的表",
    "literature": "文献中的结果",
}
"""The kinds of evidence, and how a page names them."""


@dataclass(frozen=True)
class Equation:
    """A labelled displayed equation.

    Attributes
    ----------
    label : str
        ``eq-…`` for a claim, ``def-…`` for a definition.
    section : str
        The heading above it.
    path : str
    line : int
    """

    label: str
    section: str
    path: str
    line: int


@dataclass(frozen=True)
class Erratum:
    """A correction of a post.

    Attributes
    ----------
    subject : str
        The label of the right equation, or a short name.
    test : str
        The test function that shows it.
    text : str
        What the post has and what is right.
    path : str
    line : int
    """

    subject: str
    test: str
    text: str
    path: str
    line: int


@dataclass(frozen=True)
class Mark:
    """A test's mark ``verifies(label, by=…)``.

    Attributes
    ----------
    label : str
    by : str
        A key of `KINDS`.
    test : str
        The test function, ``Class.function`` for a method.
    path : str
    line : int
        The line of the test function.
    """

    label: str
    by: str
    test: str
    path: str
    line: int


def equations(page):
    """Return the labelled equations of a page.

    Parameters
    ----------
    page : Page

    Returns
    -------
    list of Equation
    """
    found, section = [], ""
    for block in page.blocks:
        if block.kind == "heading":
            section = block.text
        elif block.kind == "math" and block.argument:
            found.append(Equation(block.argument, section, page.path, block.line))
    return found


def errata(page):
    """Return the errata of a page.

    Parameters
    ----------
    page : Page

    Returns
    -------
    list of Erratum
    """
    return [
        Erratum(
            block.argument, block.options.get("test", ""), block.text.strip(), page.path, block.line
        )
        for block in page.blocks
        if block.kind == "erratum"
    ]


def marks(root):
    """Return the marks of all test files, and what is wrong with their form.

    Parameters
    ----------
    root : path-like
        The root of the book.

    Returns
    -------
    marks : list of Mark
    faults : list of Fault
    """
    found, faults = [], []
    for path in sorted(Path(root, "tests").glob("**/test_*.py")):
        relative = path.relative_to(root).as_posix()
        for name, function in _tests(path):
            for decorator in function.decorator_list:
                if not _is_mark(decorator):
                    continue
                label, by = _arguments(decorator)
                if label is None or by not in KINDS:
                    kinds = ", ".join(f'"{kind}"' for kind in KINDS)
                    message = (
                        f"{name}: the mark must read verifies(label, by=kind) with kind one of "
                        f"{kinds}, got {ast.unparse(decorator)}"
                    )
                    faults.append(Fault(relative, decorator.lineno, message))
                else:
                    found.append(Mark(label, by, name, relative, function.lineno))
    return found, faults


def evidence(root):
    """Return the marks by label.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    dict of str to list of Mark
    """
    by_label = defaultdict(list)
    for mark in marks(root)[0]:
        by_label[mark.label].append(mark)
    return dict(by_label)


def test_functions(root, path):
    """Return the lines of the test functions of a file by name.

    Parameters
    ----------
    root : path-like
    path : str
        Relative to `root`; a file that does not exist has no tests.

    Returns
    -------
    dict of str to int
    """
    file = Path(root, path)
    if not file.is_file():
        return {}
    return {name: function.lineno for name, function in _tests(file)}


test_functions.__test__ = False  # its name is no invitation to pytest


def errata_faults(root, page):
    """Return the errata of a chapter that say nothing, or whose test does not exist.

    Parameters
    ----------
    root : path-like
        The root of the book.
    page : Page

    Returns
    -------
    list of Fault
    """
    faults = []
    tests = test_functions(root, page.tests)
    for erratum in errata(page):
        if erratum.test not in tests:
            message = (
                f'erratum: `:test:` must name a test function of {page.tests}, got "{erratum.test}"'
            )
            faults.append(Fault(erratum.path, erratum.line, message))
        if not erratum.text:
            message = "erratum: say what the post has and what is right"
            faults.append(Fault(erratum.path, erratum.line, message))
    return faults


def truth_faults(root):
    """Return the claims without a test, and the marks and errata without their other half.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    list of Fault
        Each claim, each mark and each erratum at most once, with file and line.
    """
    found, faults = marks(root)
    claimed = {}
    for page in pages(root):
        for equation in equations(page):
            claimed.setdefault(equation.label, equation)
    verified = {mark.label for mark in found}
    for label, equation in claimed.items():
        if label.startswith("eq-") and label not in verified:
            message = (
                f'no test verifies {label}; mark one with @pytest.mark.verifies("{label}", by=…)'
            )
            faults.append(Fault(equation.path, equation.line, message))
    for mark in found:
        if mark.label not in claimed:
            message = f"{mark.test} verifies {mark.label}, which no page has"
            faults.append(Fault(mark.path, mark.line, message))
    faults += [fault for chapter in chapters(root) for fault in errata_faults(root, chapter)]
    return sorted(faults)


def label_faults(root):
    """Return the labels that stand twice, and those that do not carry their chapter's slug.

    Parameters
    ----------
    root : path-like

    Returns
    -------
    list of Fault
    """
    faults, first = [], {}
    own = {chapter.path for chapter in chapters(root)}
    for page in pages(root):
        for label, line in _labels(page):
            if label in first:
                faults.append(Fault(page.path, line, f'label "{label}" also at {first[label]}'))
            first.setdefault(label, f"{page.path}:{line}")
            kind, _, rest = label.partition("-")
            misses_slug = not f"{rest}-".startswith(f"{page.prefix}-")
            if page.path in own and kind in {"eq", "def", "fig", "ex"} and misses_slug:
                message = f'label "{label}" must carry the slug: {kind}-{page.prefix}-…'
                faults.append(Fault(page.path, line, message))
        for block in page.blocks:
            kinds = ("eq-", "def-")
            if block.kind == "math" and block.argument and not block.argument.startswith(kinds):
                message = f'an equation\'s label starts with eq- or def-, got "{block.argument}"'
                faults.append(Fault(page.path, block.line, message))
    return sorted(faults)


def _labels(page):
    """Yield the labels of a page and their lines."""
    for block in page.blocks:
        if block.kind == "math" and block.argument:
            yield block.argument, block.line
        elif block.kind == "target":
            yield block.text, block.line
        elif block.kind == "code-cell":
            yield from _figure_labels(block)
        elif label := block.options.get("label") or block.options.get("name"):
            yield label, block.line


def _figure_labels(cell):
    """Yield the names of the explorers of a code cell."""
    try:
        tree = ast.parse(cell.text)
    except SyntaxError:  # a cell with magics shows no explorer
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"explore", "show"}:
            for keyword in node.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    yield keyword.value.value, cell.line


def _tests(path):
    """Return the test functions of a file with their names, methods as ``Class.function``."""
    # Keyed by time and size too: while a book is watched, tests change.
    stat = path.stat()
    return _parsed_tests(path, stat.st_mtime_ns, stat.st_size)


@functools.cache
def _parsed_tests(path, _time, _size):
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for item in inside:
            if isinstance(item, ast.FunctionDef) and item.name.startswith("test"):
                found.append((prefix + item.name, item))
    return found


def _is_mark(decorator):
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("mark.verifies")


def _arguments(call):
    """Return label and kind of a mark, None for what is not a literal text."""
    given = dict(zip(("label", "by"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords}
    if set(given) != {"label", "by"} or len(call.args) + len(call.keywords) > 2:
        return None, None
    values = [getattr(given[name], "value", None) for name in ("label", "by")]
    return [value if isinstance(value, str) else None for value in values]
