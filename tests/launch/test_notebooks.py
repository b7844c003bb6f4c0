"""Every chapter is a notebook that Jupyter and Colab can show: nothing of MyST is left over."""

import json
import posixpath
import re
from pathlib import Path

import nbformat
import pytest
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser

from scispaces_book.chapters import chapters, pages
from scispaces_book.markdown import escaped
from scispaces_book.notebooks import needs

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "_build" / "notebooks"
CHAPTERS = chapters(ROOT)

MYST = MdParserConfig(
    enable_extensions={
        "amsmath",
        "attrs_block",
        "attrs_inline",
        "colon_fence",
        "deflist",
        "dollarmath",
        "fieldlist",
        "html_admonition",
        "html_image",
        "strikethrough",
        "substitution",
        "tasklist",
    }
)
READ_BY_ALL = {
    *("paragraph", "inline", "text", "heading", "softbreak", "hardbreak", "hr", "blockquote"),
    *("bullet_list", "ordered_list", "list_item", "link", "image", "em", "strong", "code_inline"),
    *("fence", "html_block", "html_inline", "math_inline", "math_block", "math_inline_double"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
"""Kinds of token that CommonMark, GFM tables and dollar signs make."""
TAGS = {"a", "abbr", "b", "br", "cite", "details", "div", "em", "strong", "sub", "summary", "sup"}
WORD_OF_MYST = re.compile(r"\{(?:[a-z-]+:)?[a-z-]+\}`|:::|^\([\w-]+\)=$|\]\{#|\{\{|^%", re.M)


def markdown(cells):
    return [cell["source"] for cell in cells if cell["cell_type"] == "markdown"]


def kinds(tokens):
    for token in tokens:
        yield token, re.sub(r"_(open|close)$", "", token.type)
        yield from kinds(token.children or [])


def leftovers(source):
    """Return what a viewer without MyST would print as it stands."""
    tokens = create_md_parser(MYST, DocutilsRenderer).parse(source)
    found = []
    for token, kind in kinds(tokens):
        if kind not in READ_BY_ALL:
            found.append(f"{kind}: {token.content[:60]}")
        if kind == "fence" and token.info.strip().startswith("{"):
            found.append(f"directive: {token.info}")
        if kind == "text" and (word := WORD_OF_MYST.search(token.content)):
            found.append(f"{word[0]}: {token.content[:60]}")
        if kind.startswith("html"):
            tags = set(re.findall(r"</?([a-zA-Z][\w-]*)", token.content))
            found += [f"tag: {tag}" for tag in tags - TAGS]
    return found


def faults(notebook):
    """Return everything that is wrong with a notebook by itself."""
    nbformat.validate(notebook)
    cells = notebook["cells"]
    text = "\n\n".join(markdown(cells))
    found = [fault for source in markdown(cells) for fault in leftovers(source)]
    identifiers = [cell["id"] for cell in cells]
    found += [f"id {name} stands twice" for name in identifiers if identifiers.count(name) > 1]
    anchors = re.findall(r'<a id="([^"]*)"', text)
    found += [f"anchor {name} stands twice" for name in anchors if anchors.count(name) > 1]
    found += [
        f"link to #{name}, which is nowhere"
        for name in re.findall(r"\]\(#([^)]*)\)", text)
        if name not in anchors
    ]
    found += ["outputs" for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    return found


def read(path):
    return nbformat.reads(Path(path).read_text(encoding="utf-8"), as_version=4)


# The little book, which uses all that authors may write.


@pytest.fixture(scope="module")
def tea(little_book):
    return read(little_book / "_build" / "notebooks" / "tea" / "tea.ipynb")


def test_nothing_of_myst_is_left_of_all_that_there_is(little_book, tea):
    said = little_book.joinpath("chapters", "tea", "tea.md").read_text(encoding="utf-8")
    assert len(set(re.findall(r"^[`:]{3,}\{([\w-]+)\}", said, re.M))) >= 14  # kinds of directive
    # House style keeps quotation marks out of bold; MyST itself prints these stars.
    assert faults(tea) == []


@pytest.mark.parametrize(
    "source",
    [
        "见{eq}`eq-tea-law`。",
        "{cite:t}`su2019tea`",
        "$$ x $$ (eq-tea-law)",
        "```{note}\n提醒\n```",
        ":::{note}\n提醒\n:::",
        "(tea)=\n# 茶",
        "% 注释",
        "正文[^1]\n\n[^1]: 脚注",
        "时间\n: 定义",
        "\\begin{align}\nx\n\\end{align}",
        "+++",
        "{{ 代换 }}",
        "[字]{#name}",
        "<script>1</script>",
        "- [ ] 待办",
    ],
)
def test_the_search_for_leftovers_finds_each_kind(source):
    assert leftovers(source)


def test_numbers_references_and_notes_are_written_out(tea):
    text = "\n\n".join(markdown(tea.cells))
    assert r"e^{-t/\tau} \tag{1} $$" in text
    assert "由[(1)](#equation-eq-tea-law)" in text
    assert "[O'Sullivan, 1990](#cite-osullivan1990)" in text
    assert "苏剑林 [[2019](#cite-su2019tea)]" in text
    assert text.rstrip().splitlines()[-2].startswith('- <a id="cite-osullivan1990"')
    assert "如[图 1](#fig-tea-cup)" in text
    assert "**表 1**　茶温 $T$" in text
    assert "<sup>[1](#note)</sup>" in text
    assert "> **勘误1：式[(1)](#equation-eq-tea-law)**" in text
    assert "`test_tea_cools`](https://github.com/someone/spaces/blob/trunk/tests/tea" in text


def test_exercises_keep_their_number_and_solutions_are_folded(tea):
    text = "\n\n".join(markdown(tea.cells))
    assert "**练习 1 (加奶)**" in text
    solution = text[text.index("<summary><b>解答 练习 1 (加奶)") :]
    assert "先加的热" in solution[: solution.index("</details>")]


def test_links_lead_to_notebooks_where_there_are_some(tea):
    text = "\n\n".join(markdown(tea.cells))
    assert "[杯子](../cups/cups.ipynb)" in text
    assert "[漫谈](https://someone.example/spaces/chapters/tea/thread.html)" in text
    assert "(https://someone.example/spaces/chapters/tea/tea.html)" in tea.cells[0].source


def test_all_code_is_there_in_order_and_hidden_cells_are_folded(little_book, tea):
    code = [cell for cell in tea.cells if cell.cell_type == "code"]
    assert [cell.source.splitlines()[0] for cell in code[1:]] == [
        "import matplotlib.pyplot as plt",
        "def draw_cup(tau=30.0):",
        'explore(draw_cup, tau=(10.0, 90.0, 10.0), name="fig-tea-cup", '
        'caption="茶从90 °C冷却，$\\\\tau$越大越慢", alt="下降的曲线。")',
        "hidden = 1",
        "1 + 1",
        "1 / 0",
    ]
    folded = [bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in code]
    assert folded == [True, False, True, True, True, False, False]
    assert code[-1].metadata["tags"] == ["raises-exception"]


def test_a_chapter_on_jax_asks_for_it(little_book, tea):
    cups = read(little_book / "_build" / "notebooks" / "cups" / "cups.ipynb")
    install = cups.cells[1].source
    assert '["scispaces", "jax"]' in install
    assert "scispaces[keras] @" in install
    assert '["scispaces"]' in tea.cells[1].source
    compile(install.replace("%pip", "pass  # %pip"), "install", "exec")


def test_what_is_needed_is_found_through_modules():
    assert needs(["import numpy\n%matplotlib inline\n!ls"]) == []
    assert needs(["from scispaces.explore import explore"]) == []
    assert needs(["import jax.numpy as jnp", "from keras import layers"]) == ["jax", "keras"]


def test_a_cell_keeps_its_identifier_when_another_comes(little_book, tea):
    identifiers = {cell.id for cell in tea.cells}
    assert len(identifiers) == len(tea.cells)
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in identifiers)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a*b", r"a\*b"),
        ("a_b_c", "a_b_c"),
        ("_x_", r"\_x\_"),
        ("$5", r"\$5"),
        ("[x](y)", "[x&#93;(y)"),
        ("<b>", "&lt;b>"),
        ("a<5", "a<5"),
        ("&amp;", "&amp;amp;"),
        ("`x`", "&#96;x&#96;"),
    ],
)
def test_plain_text_stays_plain(text, written):
    assert escaped(text) == written
    html = create_md_parser(MdParserConfig(enable_extensions={"dollarmath"}), DocutilsRenderer)
    tokens = html.parse(f"字{written}字")
    assert {kind for _, kind in kinds(tokens)} <= {"paragraph", "inline", "text", "text_special"}
    shown = "".join(t.content for t, kind in kinds(tokens) if kind.startswith("text"))
    assert shown == f"字{text}字"


# The book itself.


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda page: page.slug)
def chapter(request):
    path = NOTEBOOKS / request.param.part / f"{request.param.slug}.ipynb"
    if not path.is_file():
        pytest.fail(f"{path} does not exist; run `make book` first")
    return request.param, read(path)


def test_notebook_is_sound(chapter):
    _, notebook = chapter
    assert faults(notebook) == []


def test_notebook_has_the_code_of_the_chapter(chapter):
    page, notebook = chapter
    cells = [block.text.strip() for block in page.blocks if block.kind == "code-cell"]
    written = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
    assert written[1:] == cells
    assert "SCISPACES_WHEEL" in written[0]


def test_links_to_other_notebooks_lead_somewhere(chapter):
    page, notebook = chapter
    text = "\n".join(markdown(notebook.cells))
    for link in re.findall(r"\]\(([^)#]*\.ipynb)(?:#[^)]*)?\)", text):
        assert NOTEBOOKS.joinpath(posixpath.normpath(posixpath.join(page.part, link))).is_file()


def test_there_is_no_other_notebook():
    have = {path.relative_to(NOTEBOOKS).as_posix() for path in NOTEBOOKS.rglob("*.ipynb")}
    with_code = [page for page in pages(ROOT) if "{code-cell}" in page.text]
    assert have == {f"{page.part}/{page.slug}.ipynb" for page in with_code}


def test_every_notebook_is_in_the_site_too():
    inside = ROOT / "_build" / "html" / "_notebooks"
    for path in NOTEBOOKS.rglob("*.ipynb"):
        assert inside.joinpath(path.relative_to(NOTEBOOKS)).read_bytes() == path.read_bytes()
        json.loads(path.read_text(encoding="utf-8"))
