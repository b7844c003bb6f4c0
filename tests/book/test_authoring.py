"""What the pages get from front matter, errata, notation and the tests' marks."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from scispaces_book import page_nodes
from scispaces_book.page import keep_room

CONF = """
extensions = ["myst_nb", "scispaces_book.authoring", "scispaces_book.verification"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
nb_execution_mode = "off"
author, copyright, html_title = "编者", "2026", "书"
html_theme = "basic"
"""

FRONT = """---
jupytext: {{text_representation: {{extension: .md, format_name: myst}}}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
post: {{title: "{post}", date: "2019-01-01", url: "https://kexue.fm/archives/1"}}
{series}needs: [{needs}]
summary: 一句话。
---
"""

TEA = (
    FRONT.format(
        post="茶《上》", series='series: {name: "茶", number: 2}\n', needs="exponentials, angles"
    )
    + """(tea)=
# 茶的温度

"""
    + "茶" * 900
    + """

$$ T = T_0 e^{-t/\\tau} $$ (eq-tea-law)

$$ \\tau = 30 $$ (def-tea-tau)

:::{erratum} eq-tea-law
:test: test_law
原文漏了负号，正确的是{eq}`eq-tea-law`。
:::

:::{erratum} 时间的单位$t$
:test: test_law
原文以秒计。
:::

:::{notation}
$\\tau$ | 时间常数
$|T|$ | 温差$|T - T_0|$
:::
"""
)

ANGLES = (
    FRONT.format(post="夹角", series="", needs="")
    + """(angles)=
# 夹角θ的分布

## 圆周

$$ \\tau = 2\\pi $$ (eq-angles-tau)

:::{notation}
$n$ | 维数
$\\tau$ | 圆周率的两倍
:::
"""
)

PAGES = {
    "conf.py": CONF,
    "index.md": "# 书\n\n```{toctree}\nchapters/physics/tea\nchapters/mathematics/angles\n"
    "chapters/appendix/notation\nchapters/appendix/verification\n```\n",
    "chapters/physics/tea.md": TEA,
    "chapters/mathematics/angles.md": ANGLES,
    "chapters/appendix/notation.md": "# 记号\n\n```{notation-list}\n```\n",
    "chapters/appendix/verification.md": "# 检验\n\n```{verification-list}\n```\n",
    "tests/physics/test_tea.py": """import pytest


@pytest.mark.verifies("eq-tea-law", by="closed form")
@pytest.mark.verifies("eq-tea-law", by="library")
def test_law():
    pass
""",
}


class Book:
    """A small book on disk that can be built again and again."""

    def __init__(self, root):
        self.root = root
        self.warnings = ""
        self.write(PAGES)

    def write(self, files):
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def build(self, builder="html", **config):
        warnings = io.StringIO()
        out = self.root / "_build" / builder
        try:
            with docutils_namespace():
                app = Sphinx(
                    self.root,
                    self.root,
                    out,
                    self.root / "_build" / "doctrees",
                    builder,
                    confoverrides=config,
                    status=None,
                    warning=warnings,
                )
                app.build()
        finally:
            self.warnings = re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue())
        return out

    def html(self, docname, **config):
        page = self.build(**config) / f"{docname}.html"
        return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def book(tmp_path):
    return Book(tmp_path)


def fields(soup, selector):
    names = [name.get_text().rstrip(":：") for name in soup.select(f"{selector} > dt")]
    return dict(zip(names, soup.select(f"{selector} > dd"), strict=True))


def test_the_book_builds_without_a_warning(book):
    book.build()
    assert book.warnings == ""


def test_the_lines_under_the_title(book):
    soup = book.html("chapters/physics/tea")
    about = fields(soup, ".chapter-about:not(.chapter-after)")
    assert list(about) == ["原文", "系列", "预备", "阅读"]
    assert about["原文"].get_text().strip() == "《茶〈上〉》，苏剑林，科学空间，2019-01-01"
    assert about["原文"].a["href"] == "https://kexue.fm/archives/1"
    assert about["系列"].get_text().strip() == "《茶》之2"
    # A chapter of the book is a link with its title, another slug is plain text.
    assert about["预备"].get_text().strip() == "exponentials、夹角θ的分布"
    assert [a["href"] for a in about["预备"].select("a")] == ["../mathematics/angles.html"]
    assert about["阅读"].get_text().strip() == "约3分钟"
    heading = soup.find("h1")
    assert "chapter-about" in heading.find_next_sibling()["class"]


def test_the_lines_at_the_end(book):
    soup = book.html("chapters/mathematics/angles")
    after = fields(soup, ".chapter-after")
    assert after["通向"].a["href"] == "../physics/tea.html"
    assert after["通向"].get_text().strip() == "茶的温度"
    details = soup.select_one("details.chapter-cite")
    assert details.summary.get_text() == "引用本章"
    entry = details.pre.get_text()
    assert entry.startswith("@incollection{scispaces-angles,\n  author = {编者},\n")
    assert "title = {夹角θ的分布}" in entry
    assert "year = {2026}" in entry
    assert "url" not in entry
    assert "系列" not in fields(soup, ".chapter-about:not(.chapter-after)")


def test_the_citation_has_the_address_of_the_book(book):
    soup = book.html("chapters/mathematics/angles", html_baseurl="https://example.org/book/")
    expected = "url = {https://example.org/book/chapters/mathematics/angles.html}"
    assert expected in soup.select_one("details.chapter-cite pre").get_text()


def test_other_pages_have_no_frame(book):
    soup = book.html("chapters/appendix/notation")
    assert not soup.select(".chapter-about, .chapter-cite")


def test_errata(book):
    soup = book.html("chapters/physics/tea")
    first, second = soup.select("div.admonition.erratum")
    assert first.select_one(".admonition-title").get_text() == "勘误1：式(1)"
    assert first.select_one(".admonition-title a")["href"] == "#equation-eq-tea-law"
    assert second.select_one(".admonition-title").get_text().startswith("勘误2：时间的单位")
    assert (first["id"], second["id"]) == ("erratum-tea-1", "erratum-tea-2")
    assert first.select_one(".erratum-test").get_text() == "检验：test_law"
    assert not first.select(".erratum-test a")


def test_tests_are_linked_where_the_repository_is_known(book):
    theme = {"repository_url": "https://example.org/repo", "repository_branch": "dev"}
    soup = book.html("chapters/physics/tea", html_theme_options=theme)
    address = "https://example.org/repo/blob/dev/tests/physics/test_tea.py#L6"
    assert soup.select_one(".erratum-test a")["href"] == address
    assert soup.select_one("a.verified-mark")["href"] == address
    page = book.root / "_build/html/chapters/appendix/verification.html"
    listed = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    assert len(listed.select(f'.verification a[href="{address}"]')) == 4


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        (":test: test_law\n原文漏", ":test: test_flaw\n原文漏", 18, 'test_tea.py, got "test_flaw"'),
        (":test: test_law\n原文漏", "原文漏", 18, 'test_tea.py, got ""'),
        ("原文以秒计。\n", "", 23, "say what the post has and what is right"),
        ("| 时间常数", "时间常数", 29, 'a row reads "symbol | meaning", got "$\\tau$ 时间常数"'),
        ('"2019-01-01"', "'2019-13-01'", 4, '`post.date` must be "YYYY-MM-DD"'),
        ("exponentials, angles", "2013", 6, "`needs` must be a list of slugs, got [2013]"),
    ],
)
def test_faults_are_warnings_with_file_and_line(book, old, new, line, expected):
    assert old in TEA
    book.write({"chapters/physics/tea.md": TEA.replace(old, new, 1)})
    book.build()
    (warning,) = [text for text in book.warnings.splitlines() if expected in text]
    assert Path(warning.split(":")[0]).name == "tea.md"
    assert warning.split(":")[1] == str(line)


def test_an_unquoted_date_is_named_before_the_build_breaks(book):
    book.write({"chapters/physics/tea.md": TEA.replace('"2019-01-01"', "2019-01-01")})
    with contextlib.suppress(Exception):  # whatever comes of a date, the reason stands above it
        book.build()
    assert 'tea.md:4: WARNING: front matter: `post.date` must be quoted ("YYYY-MM-DD")' in (
        book.warnings
    )


def test_notation_of_a_chapter(book):
    soup = book.html("chapters/physics/tea")
    symbols = [term.get_text() for term in soup.select("dl.symbols > dt")]
    meanings = [meaning.get_text().strip() for meaning in soup.select("dl.symbols > dd")]
    assert symbols == [r"\(\tau\)", r"\(|T|\)"]
    # A bar inside a formula does not part symbol and meaning.
    assert meanings == ["时间常数", r"温差\(|T - T_0|\)"]


def test_notation_of_the_book(book):
    soup = book.html("chapters/appendix/notation")
    symbols = [term.get_text() for term in soup.select("dl.symbols > dt")]
    assert symbols == [r"\(n\)", r"\(|T|\)", r"\(\tau\)"]
    tau = soup.select("dl.symbols > dd")[2]
    assert [line.get_text() for line in tau.select("p")] == [
        "时间常数　茶的温度",
        "圆周率的两倍　夹角θ的分布",
    ]
    links = [link["href"] for link in tau.select("a")]
    assert links == ["../physics/tea.html", "../mathematics/angles.html"]


def test_verified_equations_are_marked(book):
    soup = book.html("chapters/physics/tea")
    (mark,) = soup.select(".verified-mark")
    assert mark.get_text() == "✓"
    assert mark["title"] == mark["aria-label"] == "已由测试检验：闭式结果、独立的程序库"
    assert mark["href"] == "../appendix/verification.html#verified-eq-tea-law"
    assert mark.find_parent(class_="verified-equation").select_one("#equation-eq-tea-law, .math")
    assert not book.html("chapters/mathematics/angles").select(".verified-mark")


def test_the_page_of_all_equations(book):
    soup = book.html("chapters/appendix/verification")
    assert "全书2章共有2个断言，由1个测试检验。" in soup.get_text()
    term = soup.select_one("dt#verified-eq-tea-law")
    assert term.get_text() == "(1)　茶的温度"
    assert term.a["href"] == "../physics/tea.html#equation-eq-tea-law"
    assert [line.get_text() for line in term.find_next("dd").select("p")] == [
        "闭式结果　test_law",
        "独立的程序库　test_law",
    ]
    untested = soup.select_one("dt#verified-eq-angles-tau")
    assert untested.find_next("dd").get_text().strip() == "尚无检验"
    assert "def-tea-tau" not in str(soup)
    errata = soup.select('a[href^="../physics/tea.html#erratum-tea-"]')
    assert [link.get_text() for link in errata] == ["勘误1", "勘误2"]


def test_pages_follow_changes_elsewhere(book):
    book.build()
    book.write(
        {
            "tests/mathematics/test_angles.py": "import pytest\n\n\n"
            '@pytest.mark.verifies("eq-angles-tau", by="table")\ndef test_tau():\n    pass\n',
            "chapters/physics/tea.md": TEA.replace("exponentials, angles", "exponentials").replace(
                "# 茶的温度", "# 茶有多烫"
            ),
        }
    )
    soup = book.html("chapters/mathematics/angles")  # itself unchanged
    assert soup.select_one(".verified-mark")["title"] == "已由测试检验：原文或论文的表"
    assert not soup.select(".chapter-after")
    pages = book.root / "_build/html/chapters/appendix"
    assert "test_tau" in (pages / "verification.html").read_text(encoding="utf-8")
    assert "茶有多烫" in (pages / "notation.html").read_text(encoding="utf-8")


def test_chapters_are_gathered_once_a_build(book, monkeypatch):
    read = []
    real = page_nodes.read_page
    monkeypatch.setattr(page_nodes, "read_page", lambda *a: read.append(a[0]) or real(*a))
    book.build()
    assert read
    assert len(read) == len(set(read))


@pytest.mark.parametrize("size", ['width="30" height="20"', ""])
def test_pictures_say_their_size(tmp_path, size):
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 30 20"/>'
    tmp_path.joinpath("格.svg").write_text(svg, encoding="utf-8")
    app = SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(images={"格.svg": "格.svg"}))
    body = '<p>1</p><img alt="一格" src="../_images/%E6%A0%BC.svg" /><p>2</p>'
    sized = body.replace("<img ", f"<img {size} ") if size else body
    assert keep_room(body, app) == sized
    assert keep_room(sized, app) == sized


def test_parallel_reading_gathers_the_same(book):
    pages = [f"chapters/appendix/{name}.html" for name in ("notation", "verification")]
    out = book.build()
    serial = [(out / page).read_text(encoding="utf-8") for page in pages]
    shutil.rmtree(book.root / "_build")
    # Sphinx starts processes for six pages and more.
    book.write({f"z{i}.md": f"---\norphan: true\n---\n# {i}\n" for i in range(9)})
    # A process that has tested JAX must not fork; this one has not.
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-j", "2", "-d", out.parent / "doctrees"]
    subprocess.run([*command, book.root, out], check=True, timeout=300)
    assert [(out / page).read_text(encoding="utf-8") for page in pages] == serial


def test_other_formats_have_the_same_words(book):
    text = (book.build("text") / "chapters/physics/tea.txt").read_text(encoding="utf-8")
    for words in ("《茶〈上〉》", "夹角", "勘误1", "检验：", "引用本章", "@incollection"):
        assert words in text
    assert "✓" not in text
