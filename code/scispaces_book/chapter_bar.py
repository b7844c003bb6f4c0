"""What every chapter must have: rules, each a function that returns its faults with file and line.

Some rules read the source, some the outputs of the executed cells, some the page as built, some the
chapter's module.  `tests/book/test_chapters.py` holds every chapter against all of them.
"""

import ast
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bs4 import BeautifulSoup
from jupyter_cache import get_cache
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig

from scispaces.explore.still import MIME
from scispaces_book.chapters import EXTENSIONS, Fault
from scispaces_book.named_values import named_values

__all__ = [
    "MAX_CELL_LINES",
    "MAX_CHAPTER_FRAMES",
    "MAX_FRAMES",
    "MIN_EXERCISES",
    "MIN_STOPS",
    "NotBuilt",
    "built_page",
    "cell_faults",
    "executed",
    "exercise_faults",
    "explorer_faults",
    "explorers",
    "few_stops",
    "frame_faults",
    "module_faults",
    "opening_faults",
    "output_faults",
    "page_faults",
    "prompt_faults",
    "room_faults",
    "suppression_faults",
    "value_faults",
]

MAX_CELL_LINES = 25
MAX_FRAMES, MAX_CHAPTER_FRAMES = 231, 320
MIN_EXERCISES = 3
MIN_STOPS = 8

PROMPT = "**试一试**："
ENDS_EXPLORER = {"heading", "code-cell", "exercise", "solution"}

SUPPRESSION = re.compile(
    r"suppress_warnings|remove-stderr|remove-warnings|nb_output_stderr|%%capture"
    r"|simplefilter\(\s*[\"']ignore|filterwarnings\(\s*[\"']ignore[\"']\s*\)"
    r"|filterwarnings\(\s*[\"']ignore[\"']\s*,\s*category\s*=\s*\w*Warning\s*\)"
    r"|PYTHONWARNINGS|-W\s*ignore"
)
CLOCK = re.compile(
    r"^\s*(?:import|from)\s+(?:time|timeit)\b|^\s*%%?time|\bperf_counter\b|\bdatetime\.now\b", re.M
)
IN_OUTPUT = {
    "a memory address": re.compile(r"\b0x[0-9a-fA-F]{6,}"),
    "a timing": re.compile(r"Wall time|CPU times|per loop|[mµμn]?s ± "),
    "a missing glyph": re.compile(r"Glyph \d+|missing from (?:current )?font"),
    "a warning": re.compile(r"\b\w*Warning\b:?"),
    "a widget": re.compile(r"application/vnd\.jupyter\.widget"),
}
RAW_MYST = re.compile(
    r"\{(?:eq|numref|ref|doc|cite[:\w]*|index|math|term|download)\}|:::|\$\$|```"
    r"|\((?:eq|def|fig|ex)-[\w-]+\)|\*\*"
)


class NotBuilt(Exception):
    """The book, or a chapter in its present form, is not built."""


@dataclass(frozen=True)
class Explorer:
    """A call of `explore` in a chapter, with the words around it.

    Attributes
    ----------
    name : str
    line : int
        The line of its cell.
    comment : str
        The comment right before its cell, or "".
    after : tuple of Block
        What follows, up to the next heading, code cell, exercise or solution.
    """

    name: str
    line: int
    comment: str
    after: tuple

    @property
    def prompts(self):
        return [b for b in self.after if b.kind == "paragraph" and b.text.startswith(PROMPT)]


# Rules on the source


def opening_faults(page):
    """The label and the title come first, then prose: no list, no table, no cell."""
    faults = []
    blocks = [block for block in page.blocks if block.kind != "comment"]
    titles = [b for b in blocks if b.kind == "heading" and b.argument == "1"]
    if len(titles) != 1:
        return [page.fault(1, f"a chapter has one title `# …`, got {len(titles)}")]
    at = blocks.index(titles[0])
    before = blocks[at - 1] if at else None
    if before is None or before.kind != "target" or before.text != page.prefix:
        faults.append(
            page.fault(titles[0].line, f"the line `({page.prefix})=` must precede the title")
        )
    if "$" in titles[0].text:
        message = "a title must not hold a formula: it stands in links and tabs, as plain text"
        faults.append(page.fault(titles[0].line, message))
    opening = blocks[at + 1] if at + 1 < len(blocks) else titles[0]
    if opening.kind not in {"paragraph", "image", "figure"}:
        message = f"the chapter must open with prose, not with a {opening.kind}"
        faults.append(page.fault(opening.line, message))
    elif opening.text.startswith(tuple("•·-*1１①")) and not opening.text.startswith("**"):
        faults.append(page.fault(opening.line, "the opening must not be a list"))
    return faults


def explorers(page):
    """Return the explorers of a page, with the words around them."""
    found = []
    for index, block in enumerate(page.blocks):
        for name in _explored(block):
            before = page.blocks[index - 1] if index else block
            after = []
            for later in page.blocks[index + 1 :]:
                if later.kind in ENDS_EXPLORER:
                    break
                after.append(later)
            comment = before.text if before.kind == "comment" else ""
            found.append(Explorer(name, block.line, comment, tuple(after)))
    return found


def explorer_faults(page):
    """At least one explorer, each followed by a prompt."""
    found = explorers(page)
    if not found:
        return [page.fault(1, "a chapter has at least one explorer: a cell that calls `explore`")]
    return [
        page.fault(explorer.line, f'explorer "{explorer.name}": a paragraph {PROMPT}… must follow')
        for explorer in found
        if not explorer.prompts
    ]


def prompt_faults(all_pages):
    """No prompt stands twice in the book."""
    faults, first = [], {}
    for page in all_pages:
        for block in page.blocks:
            if block.kind != "paragraph" or not block.text.startswith(PROMPT):
                continue
            said = re.sub(r"\s", "", block.text)
            if said in first:
                faults.append(page.fault(block.line, f"the same prompt stands at {first[said]}"))
            first.setdefault(said, f"{page.path}:{block.line}")
    return faults


def exercise_faults(page):
    """At least three exercises, each with a label and a folded solution."""
    exercises = [block for block in page.blocks if block.kind == "exercise"]
    solutions = {block.argument: block for block in page.blocks if block.kind == "solution"}
    faults = []
    if len(exercises) < MIN_EXERCISES:
        line = exercises[0].line if exercises else 1
        message = f"a chapter has at least {MIN_EXERCISES} exercises, got {len(exercises)}"
        faults.append(page.fault(line, message))
    labels = set()
    for exercise in exercises:
        label = exercise.options.get("label", "")
        labels.add(label)
        if not label:
            faults.append(page.fault(exercise.line, "the exercise has no `:label:`"))
        elif label not in solutions:
            faults.append(page.fault(exercise.line, f'exercise "{label}" has no solution'))
    for label, solution in solutions.items():
        if label not in labels:
            faults.append(page.fault(solution.line, f'solution of "{label}", which is no exercise'))
        if not solution.text.strip():
            faults.append(page.fault(solution.line, f'the solution of "{label}" is empty'))
        if "dropdown" not in solution.options.get("class", ""):
            message = f'the solution of "{label}" must be folded: `:class: dropdown`'
            faults.append(page.fault(solution.line, message))
    return faults


def cell_faults(page):
    """No cell longer than 25 lines, none that measures time."""
    faults = []
    for cell in page.blocks:
        if cell.kind != "code-cell":
            continue
        lines = len(cell.text.strip().splitlines())
        if lines > MAX_CELL_LINES:
            message = f"a cell has at most {MAX_CELL_LINES} lines, got {lines}"
            faults.append(page.fault(cell.line, message))
        if clock := CLOCK.search(cell.text):
            message = f"a chapter never measures time: `{clock[0].strip()}`; count operations"
            faults.append(page.fault(cell.line, message))
    return faults


def suppression_faults(root, path):
    """No file hides warnings."""
    lines = Path(root, path).read_text(encoding="utf-8").splitlines()
    return [
        Fault(str(path), number, f"warnings must not be hidden: `{found[0].strip()}`")
        for number, line in enumerate(lines, start=1)
        if (found := SUPPRESSION.search(line))
    ]


def room_faults(root, page):
    """The module, the tests and the entry in the table of contents exist."""
    faults = [
        page.fault(1, f"{path} is missing")
        for path in (page.module, page.tests)
        if not Path(root, path).is_file()
    ]
    entry = re.escape(page.path.removesuffix(".md"))
    toc = Path(root, "_toc.yml").read_text(encoding="utf-8")
    if not re.search(rf"file:\s*[\"']?{entry}(?:\.md)?[\"']?\s*$", toc, re.M):
        faults.append(page.fault(1, "the chapter is not in _toc.yml"))
    return faults


# Rules on the executed cells


def executed(root, page):
    """Return the executed notebook of a page in its present form.

    Raises
    ------
    NotBuilt
        If the book's cache does not hold it.
    """
    cache = Path(root, "_build", ".jupyter_cache")
    if not (cache / "global.db").is_file():
        raise NotBuilt(f"{cache} does not exist; run make book first")
    notebook = read_myst_markdown_notebook(
        page.text, config=MdParserConfig(enable_extensions=EXTENSIONS), path=page.path
    )
    try:
        record = get_cache(str(cache)).match_cache_notebook(notebook)
    except KeyError:
        message = f"{page.path} is not executed in its present form; run make book first"
        raise NotBuilt(message) from None
    return get_cache(str(cache)).get_cache_bundle(record.pk).nb


def output_faults(page, notebook):
    """No stderr, error, warning, missing glyph, memory address, timing or widget in an output."""
    faults = []
    for line, output in _outputs(page, notebook):
        if output["output_type"] == "error":
            faults.append(
                page.fault(line, f"the cell raises {output['ename']}: {output['evalue']}")
            )
        elif output.get("name") == "stderr":
            said = output["text"].strip().splitlines()
            faults.append(
                page.fault(line, f"the cell writes to stderr: {said[-1] if said else ''}")
            )
        else:
            text = _output_text(output)
            faults += [
                page.fault(line, f"the output holds {what}: {found[0]!r}")
                for what, pattern in IN_OUTPUT.items()
                if (found := pattern.search(text))
            ]
    return faults


def frame_faults(page, notebook):
    """At most 231 frames an explorer and 320 a chapter; few stops have a reason."""
    faults, total = [], 0
    for explorer, data in _explored_data(page, notebook):
        count = _stops(data)
        total += count
        if count > MAX_FRAMES:
            message = f'explorer "{explorer.name}" has at most {MAX_FRAMES} frames, got {count}'
            faults.append(page.fault(explorer.line, message))
        if count < MIN_STOPS and not _reason(explorer):
            message = (
                f'explorer "{explorer.name}" has {count} stops, fewer than {MIN_STOPS}: say why in '
                "a comment right before its cell, `<!-- few stops: reason -->`"
            )
            faults.append(page.fault(explorer.line, message))
    if total > MAX_CHAPTER_FRAMES:
        message = f"a chapter has at most {MAX_CHAPTER_FRAMES} frames, got {total}"
        faults.append(page.fault(1, message))
    return faults


def few_stops(page, notebook):
    """Return the explorers with fewer than 8 stops: name, number of stops, reason."""
    return [
        (explorer.name, _stops(data), _reason(explorer))
        for explorer, data in _explored_data(page, notebook)
        if _stops(data) < MIN_STOPS
    ]


def value_faults(page, notebook):
    """Each prompt names a stop; each value that the text after an explorer names is a stop."""
    faults = []
    cells = defaultdict(list)
    for explorer, data in _explored_data(page, notebook):
        cells[explorer.line].append((explorer, data))
    for members in cells.values():
        controls = [control for _, data in members for control in data["controls"]]
        if not controls:
            continue
        explorer = members[0][0]
        names = " and ".join(f'"{member.name}"' for member, _ in members)
        for block in explorer.after:
            values = (
                named_values(block.text, controls) if block.kind in {"list", "paragraph"} else []
            )
            for value in values:
                if not value.is_stop:
                    message = f"explorer {names}: {_wrong(value, controls)}"
                    faults.append(page.fault(block.line, message))
            if block in explorer.prompts and not any(value.is_stop for value in values):
                message = f"explorer {names}: the prompt must name a value of one of its controls"
                faults.append(page.fault(block.line, message))
    return faults


# Rules on the built page


def built_page(root, page):
    """Return the HTML of a page.

    Raises
    ------
    NotBuilt
        If there is none.
    """
    path = Path(root, "_build", "html", page.path).with_suffix(".html")
    if not path.is_file():
        raise NotBuilt(f"{path} does not exist; run make book first")
    return path.read_text(encoding="utf-8")


def page_faults(page, html):
    """No MyST is left in the words of the page."""
    soup = BeautifulSoup(html, "html.parser")
    article = soup.find("article") or soup
    for element in article.select("pre, code, script, style, svg, math, annotation, .math, .katex"):
        element.decompose()
    text = article.get_text()
    faults = []
    for found in RAW_MYST.finditer(text):
        around = re.sub(r"\s+", " ", text[max(0, found.start() - 15) : found.end() + 25]).strip()
        faults.append(page.fault(1, f"raw MyST in the built page: “{around}”"))
    return faults


# Rules on the module


def module_faults(root, path):
    """The module has ``__all__``, and what it names has numpydoc docstrings."""
    tree = ast.parse(Path(root, path).read_text(encoding="utf-8"))
    faults = []

    def fault(node, message):
        faults.append(Fault(str(path), getattr(node, "lineno", 1), message))

    if not ast.get_docstring(tree):
        fault(tree, "the module has no docstring")
    named = _all(tree)
    if named is None:
        return [*faults, Fault(str(path), 1, "the module has no `__all__`")]
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name, node in (functions | classes).items():
        if not name.startswith("_") and name not in named:
            fault(node, f"`{name}` is public and not in `__all__`; rename it `_{name}` or list it")
    raising = _raising(functions)
    for name in named:
        if name in functions:
            for message in _docstring_faults(functions[name], name in raising):
                fault(functions[name], f"`{name}`: {message}")
        elif name in classes and not ast.get_docstring(classes[name]):
            fault(classes[name], f"`{name}` has no docstring")
        elif name in classes:
            for method in classes[name].body:
                public = isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
                if public and not ast.get_docstring(method):
                    fault(method, f"`{name}.{method.name}` has no docstring")
        elif name not in _assigned(tree):
            fault(tree, f"`__all__` names `{name}`, which the module does not define")
    return faults


def _explored(block):
    """Return the names of the explorers that a block shows."""
    if block.kind != "code-cell" or "explore(" not in block.text:
        return []
    try:
        tree = ast.parse(block.text)
    except SyntaxError:
        return []
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "explore"
    ]
    names = [{k.arg: k.value for k in call.keywords}.get("name") for call in calls]
    return [name.value if isinstance(name, ast.Constant) else "?" for name in names]


def _outputs(page, notebook):
    """Yield the line of the cell, and the output, for every output of a notebook."""
    lines = [block.line for block in page.blocks if block.kind == "code-cell"]
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for line, cell in zip(lines, cells, strict=True):
        for output in cell["outputs"]:
            yield line, output


def _output_text(output):
    """Return what a reader sees of an output, and the names of its formats."""
    if output["output_type"] == "stream":
        return output["text"]
    data = output.get("data", {})
    if MIME in data:
        pictures = {"frames", "poster", "svg"}
        seen = {key: value for key, value in data[MIME].items() if key not in pictures}
        return json.dumps(seen, ensure_ascii=False)
    texts = [str(value) for kind, value in data.items() if kind.startswith("text/")]
    return "\n".join([*data, *texts])


def _explored_data(page, notebook):
    """Return the explorers of a page, each with the data that its cell published."""
    by_name = {explorer.name: explorer for explorer in explorers(page)}
    data = [
        output["data"][MIME]
        for _, output in _outputs(page, notebook)
        if MIME in output.get("data", {})
    ]
    return [(by_name[d["name"]], d) for d in data if d["name"] in by_name]


def _stops(data):
    return math.prod(len(control["values"]) for control in data["controls"])


def _reason(explorer):
    found = re.fullmatch(r"few stops\s*[:：]\s*(.+)", explorer.comment, re.S)
    return found[1].strip() if found else None


def _wrong(value, controls):
    if value.control is None:
        return f"the text names {value.text}, which is a stop of none of its controls"
    stops = value.control["values"]
    listed = ", ".join(stops if len(stops) <= 12 else [*stops[:5], "…", *stops[-3:]])
    return f"the text names {value.control['name']} = {value.text}, which is not one of [{listed}]"


def _all(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def _assigned(tree):
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return names


def _raising(functions):
    """Return the functions that raise, themselves or through a private function they call."""
    raising = {
        name
        for name, node in functions.items()
        if any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    while True:
        more = {
            name
            for name, node in functions.items()
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in raising
            and call.func.id.startswith("_")
        } - raising
        if not more:
            return raising
        raising |= more


def _docstring_faults(function, raises):
    """Yield what a numpydoc docstring lacks."""
    docstring = ast.get_docstring(function)
    if not docstring:
        yield "it has no docstring"
        return
    sections = _sections(docstring)
    arguments = function.args
    given = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    given += [a.arg for a in (arguments.vararg, arguments.kwarg) if a]
    documented = {
        name.strip().lstrip("*")
        for entry in sections.get("Parameters", [])
        for name in entry[0].partition(" : ")[0].split(",")
    }
    for name in given:
        if name not in documented:
            yield f"`{name}` is missing under Parameters"
    for name in sorted(documented - set(given)):
        yield f"`{name}` stands under Parameters and is no parameter"
    returns = any(
        isinstance(node, ast.Return) and node.value is not None for node in _own(function)
    )
    yields = any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in _own(function))
    if returns and not yields and not sections.get("Returns"):
        yield "Returns is missing"
    if yields and not (sections.get("Yields") or sections.get("Returns")):
        yield "Yields is missing"
    if raises and not sections.get("Raises"):
        yield "Raises is missing, and it raises"
    for section in ("Parameters", "Returns"):
        for entry in sections.get(section, []):
            if re.search(r"\b(array_like|ndarray)\b", entry[0]) and "shape" not in " ".join(entry):
                yield f"under {section}, `{entry[0]}` does not say its shape"


def _own(function):
    """Yield the nodes of a function without those of the functions inside it."""
    todo = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)


def _sections(docstring):
    """Return the entries of a numpydoc docstring by section: a line, and the lines below it."""
    lines = docstring.splitlines()
    sections, current = {}, None
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and re.fullmatch(r"-{3,}", below.strip()) and line.strip():
            current = sections.setdefault(line.strip(), [])
        elif current is None or not line.strip() or re.fullmatch(r"-{3,}", line.strip()):
            continue
        elif not line.startswith(" "):
            current.append([line])
        elif current:
            current[-1].append(line.strip())
    return sections
