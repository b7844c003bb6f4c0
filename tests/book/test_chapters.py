"""Every chapter meets the bar, and the bar notices a chapter that does not."""

import re
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig

from scispaces.explore.still import MIME
from scispaces_book.chapter_bar import (
    NotBuilt,
    built_page,
    cell_faults,
    executed,
    exercise_faults,
    explorer_faults,
    few_stops,
    frame_faults,
    module_faults,
    opening_faults,
    output_faults,
    page_faults,
    prompt_faults,
    room_faults,
    suppression_faults,
    value_faults,
)
from scispaces_book.chapters import chapters, front_matter_faults, read_page

ROOT = Path(__file__).parents[2]
CHAPTERS = chapters(ROOT)

every_chapter = pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.slug)


def refuse(faults):
    if said := "\n".join(map(str, faults)):
        pytest.fail(said, pytrace=False)


@every_chapter
@pytest.mark.parametrize(
    "rule",
    [front_matter_faults, opening_faults, explorer_faults, exercise_faults, cell_faults],
    ids=lambda rule: rule.__name__.removesuffix("_faults"),
)
def test_source(page, rule):
    refuse(rule(page))


@every_chapter
def test_module_and_tests(page):
    refuse(room_faults(ROOT, page))
    refuse(module_faults(ROOT, page.module))


@every_chapter
@pytest.mark.parametrize(
    "rule",
    [output_faults, frame_faults, value_faults],
    ids=lambda rule: rule.__name__.removesuffix("_faults"),
)
def test_outputs(page, rule):
    refuse(rule(page, executed(ROOT, page)))


@every_chapter
def test_built_page(page):
    refuse(page_faults(page, built_page(ROOT, page)))


def test_the_index_has_chinese_terms_under_both_names():
    refuse(
        f"{path.relative_to(ROOT)}: {{index}}`{term}` needs <pair: Chinese; English>"
        for path in sorted(ROOT.glob("chapters/**/*.md"))
        for term in re.findall(r"\{index\}`([^`]*)`", path.read_text(encoding="utf-8"))
        if not term.isascii() and "<pair: " not in term
    )


def test_no_prompt_stands_twice():
    refuse(prompt_faults(CHAPTERS))


def test_no_warning_is_hidden():
    paths = [ROOT / "_config.yml", *ROOT.glob("chapters/**/*.md")]
    for folder in ("code", "tests"):
        paths += ROOT.glob(f"{folder}/**/*.py")
    own = {Path(__file__), ROOT / "code/scispaces_book/chapter_bar.py"}
    refuse(
        fault
        for path in sorted(set(paths) - own)
        for fault in suppression_faults(ROOT, path.relative_to(ROOT).as_posix())
    )


def test_the_book_has_chapters():
    assert CHAPTERS  # else nothing above has looked at anything


# The bar itself: one sound chapter, and every way to fall short of it.

FRONT = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
post: {title: "一杯茶能热多久？", date: "2019-01-01", url: "https://kexue.fm/archives/1"}
series: {name: "茶", number: 1}
needs: [exponentials]
summary: 由一个测得的数预言茶温。
---
"""

EXPLORER = """```{code-cell} ipython3
explore(draw_cup, tau=(10, 90, 10), name="fig-tea-cup", caption="茶", alt="曲线")
```

**试一试**：把$\\tau$从10拖到60，两点怎样移动？

$\\tau=30$时能喝的是第17到第38分钟。
"""


def exercise(name):
    return (
        f"```{{exercise}}\n:label: ex-tea-{name}\n问题$\\tau=7$。\n```\n\n"
        f"```{{solution}} ex-tea-{name}\n:class: dropdown\n解答。\n```\n\n"
    )


CHAPTER = (
    FRONT
    + "(tea)=\n# 一杯茶能热多久？\n\n90 °C的茶烫口。\n\n## 图\n\n"
    + EXPLORER
    + "\n## 习题\n\n"
    + "".join(map(exercise, ["milk", "cup", "room"]))
)

MODULE = '''"""Newton's law of cooling."""

import numpy as np

__all__ = ["temperature"]


def temperature(t, T0, *, tau):
    """Temperature at time `t`.

    Parameters
    ----------
    t, T0 : array_like, shape (...)
        Minutes; degrees.
    tau : float
        Minutes.

    Returns
    -------
    ndarray, shape (...)
        Degrees.

    Raises
    ------
    ValueError
        If `tau` is not positive.
    """
    _check(tau)
    return T0 * np.exp(-t / tau)


def _check(tau):
    if not tau > 0:
        raise ValueError(f"`tau` must be positive (minutes), got {tau}")
'''

STOPS = [str(value) for value in range(10, 100, 10)]


def page_of(root, text=CHAPTER):
    path = root / "chapters" / "physics" / "tea.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_page(path, root)


def control(values, name="tau", kind="range"):
    return {"name": name, "label": name, "unit": "", "kind": kind, "values": values}


def notebook(*outputs, controls=None):
    """Return the notebook of `CHAPTER` with the outputs of its one cell."""
    data = {"name": "fig-tea-cup", "caption": "茶", "controls": controls or [control(STOPS)]}
    shown = nbformat.v4.new_output("display_data", {MIME: data})
    return nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("…"),
            nbformat.v4.new_code_cell("explore(…)", outputs=[shown, *outputs]),
        ]
    )


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def only(faults):
    (fault,) = faults
    return str(fault)


def test_a_sound_chapter_passes(tmp_path):
    page = page_of(tmp_path)
    source_rules = [
        front_matter_faults,
        opening_faults,
        explorer_faults,
        exercise_faults,
        cell_faults,
    ]
    assert [fault for rule in source_rules for fault in rule(page)] == []
    for rule in (output_faults, frame_faults, value_faults):
        assert rule(page, notebook(stream("τ = 30"))) == []
    html = "<article><p>图1</p><pre>$$ **</pre></article>"
    assert page_faults(page, html) == prompt_faults([page]) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '"2019-01-01"',
            "2019-01-01",
            '4: front matter: `post.date` must be quoted ("YYYY-MM-DD")',
        ),
        ('"2019-01-01"', '"2019-1-1"', '4: front matter: `post.date` must be "YYYY-MM-DD"'),
        ('"2019-01-01"', '"2019-02-30"', '4: front matter: `post.date` must be "YYYY-MM-DD"'),
        ('title: "一杯茶能热多久？", ', "", "4: front matter: `post` must be {title, date, url}"),
        ('title: "一杯茶能热多久？"', "title: 3", "4: front matter: `post.title` must be"),
        ("https://", "", "4: front matter: `post.url` must be the address"),
        ("number: 1", 'number: "1"', "5: front matter: `series` must be {name: text, number"),
        ("[exponentials]", "[2013]", "6: front matter: `needs` must be a list of slugs"),
        ("[exponentials]", "exponentials", "6: front matter: `needs` must be a list of slugs"),
        ("[exponentials]", "[tea]", "6: front matter: a chapter cannot need itself"),
        ("[exponentials]", "[a, a]", "6: front matter: a slug stands twice"),
        ("summary: 由", "resume: 由", "1: front matter: `summary` is missing"),
        ("summary: 由", "summary: ''\n#", "7: front matter: `summary` must be one sentence"),
        ("needs: [", "next: x\nneeds: [", "6: front matter: `next` is not a key"),
        ("post: {", "post: [", "1: the chapter must start with front matter"),
    ],
)
def test_front_matter(tmp_path, old, new, expected):
    faults = [str(f) for f in front_matter_faults(page_of(tmp_path, CHAPTER.replace(old, new, 1)))]
    assert any(fault.startswith(f"chapters/physics/tea.md:{expected}") for fault in faults), faults


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "90 °C的茶烫口。",
            "- 茶\n- 水",
            "12: the chapter must open with prose, not with a list",
        ),
        (
            "90 °C的茶烫口。\n\n",
            "",
            "12: the chapter must open with prose, not with a heading",
        ),
        ("90 °C的茶烫口。", "① 茶；② 水。", "12: the opening must not be a list"),
        ("(tea)=\n", "", "9: the line `(tea)=` must precede the title"),
        ("## 图", "# 图", "1: a chapter has one title `# …`, got 2"),
        (
            "# 一杯茶",
            "# $x$：一杯茶",
            "10: a title must not hold a formula: it stands in links and tabs, as plain text",
        ),
    ],
)
def test_opening(tmp_path, old, new, expected):
    fault = only(opening_faults(page_of(tmp_path, CHAPTER.replace(old, new))))
    assert fault == f"chapters/physics/tea.md:{expected}"


def test_an_explorer_is_required(tmp_path):
    page = page_of(tmp_path, CHAPTER.replace("explore(", "show("))
    assert "at least one explorer" in only(explorer_faults(page))


@pytest.mark.parametrize("words", ["试一试：把", "**试一试**把", "## 试一试\n\n**试一试**：把"])
def test_an_explorer_needs_its_prompt(tmp_path, words):
    page = page_of(tmp_path, CHAPTER.replace("**试一试**：把", words))
    assert only(explorer_faults(page)) == (
        'chapters/physics/tea.md:16: explorer "fig-tea-cup": a paragraph **试一试**：… must follow'
    )


def test_a_prompt_stands_once(tmp_path):
    page = page_of(tmp_path, CHAPTER.replace("## 习题", EXPLORER.replace("从10", "从 10")))
    assert "the same prompt stands at chapters/physics/tea.md:20" in only(prompt_faults([page]))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (exercise("cup"), "", "at least 3 exercises, got 2"),
        ("solution} ex-tea-cup", "note} ex-tea-cup", 'exercise "ex-tea-cup" has no solution'),
        (":label: ex-tea-cup\n", "\n", "the exercise has no `:label:`"),
        ("```{solution} ex-tea-cup\n:class: dropdown\n", "```{solution} ex-tea-cup\n", "folded"),
        ("ex-tea-cup\n:class: dropdown\n解答。", "ex-tea-cup\n:class: dropdown\n", "is empty"),
    ],
)
def test_exercises(tmp_path, old, new, expected):
    assert old in CHAPTER
    faults = exercise_faults(page_of(tmp_path, CHAPTER.replace(old, new)))
    assert any(expected in fault.message for fault in faults)


def test_a_cell_of_25_lines_is_the_longest(tmp_path):
    for lines, count in ((24, 0), (25, 1)):
        body = "explore(" + "\n".join(["0,"] * lines) + "\n"
        assert len(cell_faults(page_of(tmp_path, CHAPTER.replace("explore(", body)))) == count


@pytest.mark.parametrize("line", ["import time", "%timeit f()", "from time import sleep", "%%time"])
def test_a_cell_measures_no_time(tmp_path, line):
    page = page_of(tmp_path, CHAPTER.replace("explore(", f"{line}\nexplore("))
    assert "a chapter never measures time" in only(cell_faults(page))


@pytest.mark.parametrize(
    "line",
    [
        "suppress_warnings: [myst]",
        ":tags: [remove-stderr]",
        'warnings.filterwarnings("ignore")',
        'warnings.simplefilter("ignore")',
        'warnings.filterwarnings("ignore", category=RuntimeWarning)',
    ],
)
def test_hidden_warnings(tmp_path, line):
    page_of(tmp_path, f"# 茶\n\n{line}\n")
    fault = only(suppression_faults(tmp_path, "chapters/physics/tea.md"))
    assert fault.startswith("chapters/physics/tea.md:3: warnings must not be hidden: `")


def test_rooms(tmp_path):
    page = page_of(tmp_path)
    (tmp_path / "_toc.yml").write_text("root: index\nchapters:\n- file: chapters/physics/teapot\n")
    assert [fault.message for fault in room_faults(tmp_path, page)] == [
        "code/scispaces/physics/tea.py is missing",
        "tests/physics/test_tea.py is missing",
        "the chapter is not in _toc.yml",
    ]


def test_chapters_are_pages_without_appendix_and_series(tmp_path):
    for name in ("physics/tea", "physics/drinks", "appendix/notation"):
        path = tmp_path / "chapters" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# 一\n")
    (tmp_path / "_toc.yml").write_text(
        "root: index\nparts:\n- chapters:\n  - file: chapters/physics/drinks\n"
        "    sections:\n    - file: chapters/physics/tea\n"
    )
    assert [page.slug for page in chapters(tmp_path)] == ["tea"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            stream("a.py:1: RuntimeWarning: x", "stderr"),
            "the cell writes to stderr: a.py:1: Runtime",
        ),
        (nbformat.v4.new_output("error", ename="KeyError", evalue="'x'"), "raises KeyError: 'x'"),
        (stream("<Tea at 0x7f4e1a953c60>"), "a memory address: '0x7f4e1a953c60'"),
        (stream("UserWarning: Glyph 33590 missing from font"), "a missing glyph: 'Glyph 33590'"),
        (stream("DeprecationWarning: old"), "a warning: 'DeprecationWarning:'"),
        (stream("1.2 ms ± 3 µs per loop"), "a timing: 'ms ± '"),
        (
            nbformat.v4.new_output(
                "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}
            ),
            "a widget",
        ),
        (
            nbformat.v4.new_output("execute_result", {"text/plain": "<map at 0x7f4e1a953c60>"}),
            "a memory address",
        ),
    ],
)
def test_outputs_to_refuse(tmp_path, output, expected):
    faults = output_faults(page_of(tmp_path), notebook(output))
    assert any(expected in fault.message for fault in faults)
    assert {fault.line for fault in faults} == {16}


def test_too_many_frames(tmp_path):
    page = page_of(tmp_path)
    large = [control([str(i) for i in range(21)]), control([str(i) for i in range(12)], "n")]
    assert "at most 231 frames, got 252" in only(frame_faults(page, notebook(controls=large)))
    twice = page_of(tmp_path, CHAPTER + EXPLORER.replace("fig-tea-cup", "fig-tea-pot"))
    both = notebook(controls=[control([str(i) for i in range(200)])])
    both.cells += [cell.copy() for cell in both.cells]
    second = both.cells[-1].copy()
    second.outputs = [
        nbformat.v4.new_output(
            "display_data", {MIME: second.outputs[0].data[MIME] | {"name": "fig-tea-pot"}}
        )
    ]
    both.cells[-1] = second
    assert "a chapter has at most 320 frames, got 400" in only(frame_faults(twice, both))


def test_few_stops_need_a_reason(tmp_path):
    page, few = page_of(tmp_path), notebook(controls=[control(STOPS[:6])])
    assert "has 6 stops, fewer than 8: say why" in only(frame_faults(page, few))
    comment = "<!-- few stops: 茶只有六种 -->\n\n"
    page = page_of(tmp_path, CHAPTER.replace("```{code-cell}", f"{comment}```{{code-cell}}"))
    assert frame_faults(page, few) == []
    assert few_stops(page, few) == [("fig-tea-cup", 6, "茶只有六种")]


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("$\\tau=30$时", "$\\tau=35$时", 22, "names tau = 35, which is not one of [10, 20, 30"),
        ("从10拖到60", "从10拖到65", 20, "names tau = 65, which is not one of"),
        ("把$\\tau$从10拖到60", "拖到65再看60", 20, "names 65, which is a stop of none"),
        ("把$\\tau$从10拖到60", "把滑块拖到底", 20, "the prompt must name a value"),
    ],
)
def test_values_that_are_no_stops(tmp_path, old, new, line, expected):
    faults = value_faults(page_of(tmp_path, CHAPTER.replace(old, new)), notebook())
    assert any(fault.line == line and expected in fault.message for fault in faults), faults


def test_exercises_may_name_any_value(tmp_path):
    # The exercises of `CHAPTER` name τ = 7, which is no stop; they follow a heading.
    page = page_of(tmp_path, CHAPTER.replace("## 习题\n\n", ""))
    assert value_faults(page, notebook()) == []


@pytest.mark.parametrize(
    "text",
    ["见{eq}`eq-tea-law`", "{numref}`图`", ":::", "$$ x $$", "(eq-tea-law)", "**粗。**字", "```"],
)
def test_raw_myst(tmp_path, text):
    html = f"<html><nav>**</nav><article><p>前{text}后</p></article></html>"
    faults = page_faults(page_of(tmp_path), html)
    assert faults
    assert all("raw MyST in the built page: “前" in f.message or "x" in text for f in faults)


def test_a_book_that_is_not_built_is_a_failure(tmp_path):
    page = page_of(tmp_path)
    with pytest.raises(NotBuilt, match=r"\.jupyter_cache does not exist; run make book first"):
        executed(tmp_path, page)
    with pytest.raises(NotBuilt, match=r"tea\.html does not exist; run make book first"):
        built_page(tmp_path, page)


def test_a_chapter_that_changed_since_is_a_failure(tmp_path):
    page = page_of(tmp_path)
    book = read_myst_markdown_notebook(page.text, config=MdParserConfig(), path=page.path)
    cache = get_cache(str(tmp_path / "_build" / ".jupyter_cache"))
    cache.cache_notebook_bundle(CacheBundleIn(book, page.path), check_validity=False)
    assert [cell.source[:8] for cell in executed(tmp_path, page).cells] == ["explore("]
    with pytest.raises(NotBuilt, match="not executed in its present form; run make book first"):
        executed(tmp_path, page_of(tmp_path, CHAPTER.replace("(10, 90", "(20, 90")))


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ('__all__ = ["temperature"]\n', "", 1, "the module has no `__all__`"),
        (
            '["temperature"]',
            '["temperature", "milk"]',
            1,
            "names `milk`, which the module does not",
        ),
        ('["temperature"]', "[]", 8, "`temperature` is public and not in `__all__`"),
        ('"""Newton\'s law of cooling."""', "", 1, "the module has no docstring"),
        ("    t, T0 : array_like", "    t : array_like", 8, "`T0` is missing under Parameters"),
        ("    tau : float", "    tau, g : float", 8, "`g` stands under Parameters"),
        ("    Returns\n    -------\n", "", 8, "Returns is missing"),
        ("    Raises\n    ------\n", "", 8, "Raises is missing, and it raises"),
        ("    ndarray, shape (...)", "    ndarray", 8, "`ndarray` does not say its shape"),
    ],
)
def test_modules(tmp_path, old, new, line, expected):
    path = tmp_path / "tea.py"
    path.write_text(MODULE)
    assert module_faults(tmp_path, "tea.py") == []
    assert old in MODULE
    path.write_text(MODULE.replace(old, new))
    faults = module_faults(tmp_path, "tea.py")
    assert any(fault.line == line and expected in fault.message for fault in faults), faults
