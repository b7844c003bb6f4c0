"""Formulas are typeset while the book is built, and a wrong one stops the build."""

import re
import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from scispaces_book.math import block_tex, plain, render
from tiny_book import CONFIG, build, make_tiny_book

PAGE = """\
# 公式

行内的$E=mc^2$，和编号的{eq}`eq-tiny-euler`。

$$ e^{i\\pi}+1=0 $$ (eq-tiny-euler)
"""


@pytest.fixture
def book(tmp_path):
    """A book of one page with formulas."""
    root = make_tiny_book(tmp_path / "book", slugs=("one",))
    root.joinpath("_config.yml").write_text(
        CONFIG.replace(
            "    - scispaces_book.explorers\n",
            "    - scispaces_book.explorers\n    - scispaces_book.math\n",
        ).replace(
            "sphinx:\n", "parse: {myst_enable_extensions: [dollarmath, amsmath]}\nsphinx:\n", 1
        )
    )
    root.joinpath("chapters", "part", "one.md").write_text(PAGE, encoding="utf-8")
    return root


def test_formulas_stand_in_the_page(book):
    status, output = build(book)
    assert status == 0, output
    file = book / "_build" / "html" / "chapters" / "part" / "one.html"
    page = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    formulas = page.select(".katex")
    assert [f.annotation.text for f in formulas] == ["E=mc^2", "e^{i\\pi}+1=0"]
    assert all(formula.find("math") for formula in formulas)
    number = page.select_one(".eqno").get_text()
    assert number.startswith("(1)")
    assert page.find("a", href="#equation-eq-tiny-euler", string="(1)")
    text = file.read_text(encoding="utf-8")
    assert "mathjax" not in text.lower()
    sheet = file.parents[2].joinpath("_static", "math.css").read_text(encoding="utf-8")
    assert not re.search(r"https?://", sheet)
    for font in re.findall(r"url\(([^)]*)\)", sheet):
        assert file.parents[2].joinpath("_static", font.strip("'\"")).is_file()


@pytest.mark.parametrize(
    ("tex", "complaint"),
    [("\\nosuchmacro{x}", "\\nosuchmacro"), ("\\frac{1}{", "Unexpected end of input")],
)
def test_wrong_formulas_stop_the_build(book, tex, complaint):
    page = book / "chapters" / "part" / "one.md"
    page.write_text(PAGE + f"\n好。\n\n$$ {tex} $$\n", encoding="utf-8")
    status, output = build(book)
    assert status == 1
    assert f"{page}:" in output
    assert complaint in output
    assert tex in output


def test_render_gives_one_formula():
    found = render("x^2")
    assert found.startswith('<span class="katex">')
    assert "katex-display" in render("x^2", display=True)
    assert render("x^2") == found
    with pytest.raises(ValueError, match="nosuchmacro"):
        render("\\nosuchmacro")


def test_a_process_closes_its_v8_before_it_ends():
    """Closed later, V8 waits for a thread that Python has stopped, now and then for ever."""
    told = (
        "import atexit, threading; tell = lambda: print(threading.active_count());"
        "atexit.register(tell);"  # runs after what is registered later
        "from scispaces_book.math import render; render('x'); tell()"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == [b"2", b"1"]


def test_blocks_with_several_lines():
    assert block_tex("a = b") == "a = b"
    assert block_tex("a\n\nb") == "\\begin{split}a\\\\b\\end{split}"
    assert block_tex("\\begin{matrix}a\\\\b\\end{matrix}").count("split") == 0


def test_plain_text_of_a_title():
    assert plain(f"体积：{render('x+1')}") == "体积：x+1"
