"""A book with an address: canonical links, previews, sitemap, feed, 404 for any depth."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from tiny_book import build_plainly, make_tiny_book

ADDRESS = "https://example.org/book/"
ATOM = "{http://www.w3.org/2005/Atom}"

EXPLORER = """
```{code-cell} ipython3
import matplotlib.pyplot as plt
from scispaces.explore import explore

def draw_line(k=1):
    fig, ax = plt.subplots()
    ax.plot([0, k])
    return fig

explore(draw_line, k=(1, 8), name="fig-line", caption="直线", alt="一条线段，末端随k升高。")
```
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of a small book with an address."""
    book = make_tiny_book(tmp_path_factory.mktemp("addressed") / "book", slugs=("one", "two"))
    config = book / "_config.yml"
    text = config.read_text()
    for part in ("reproducible", "outputs", "explorers"):
        text = text.replace(f"    - scispaces_book.{part}\n", "")
    text = text.replace("extra_extensions:\n", "extra_extensions:\n    - scispaces_book\n")
    text += f"html: {{baseurl: '{ADDRESS}'}}\nbibtex_bibfiles: [references.bib]\n"
    config.write_text(text)
    book.joinpath("references.bib").touch()
    with open(book / "chapters" / "part" / "one.md", "a") as chapter:
        chapter.write(EXPLORER)
    appendix = book / "chapters" / "appendix"
    appendix.mkdir()
    appendix.joinpath("changes.md").write_text("# 改动\n\n```{changes}\n```\n")
    with open(book / "_toc.yml", "a") as toc:
        toc.write("  - file: chapters/appendix/changes\n")
    book.joinpath("CHANGELOG.md").write_text("# Changes\n\n## 2026-02-03\n\n- A & B.\n")
    status, output = build_plainly(book)
    assert status == 0, output
    return book / "_build" / "html"


def page(site, name):
    return BeautifulSoup(site.joinpath(name).read_text(encoding="utf-8"), "html.parser")


def test_pages_name_their_address(site):
    head = page(site, "chapters/part/one.html").head
    address = f"{ADDRESS}chapters/part/one.html"
    assert head.find("link", rel="canonical")["href"] == address
    assert head.find("meta", property="og:url")["content"] == address
    assert page(site, "search.html").find("link", rel="canonical") is None


def test_sitemap_lists_the_pages_of_the_book(site):
    places = re.findall("<loc>(.*?)</loc>", site.joinpath("sitemap.xml").read_text())
    names = ["chapters/appendix/changes", "chapters/part/one", "chapters/part/two", "index"]
    assert places == [f"{ADDRESS}{name}.html" for name in names]


def test_feed_tells_the_changes(site):
    feed = ElementTree.parse(site / "changes.xml").getroot()
    assert feed.find(f"{ATOM}updated").text == "2026-02-03T00:00:00Z"
    entry = feed.find(f"{ATOM}entry")
    assert entry.find(f"{ATOM}content").text == "A & B."
    link, _, anchor = entry.find(f"{ATOM}link").get("href").partition("#")
    assert page(site, link.removeprefix(ADDRESS)).find(id=anchor).get_text() == "2026-02-03"
    head = page(site, "index.html").head
    assert head.find("link", type="application/atom+xml")["href"] == f"{ADDRESS}changes.xml"


def test_a_link_to_a_chapter_shows_its_first_picture(site):
    head = page(site, "chapters/part/one.html").head
    card = head.find("meta", property="og:image")["content"].removeprefix(ADDRESS)
    with Image.open(site / card) as picture:
        assert picture.size == (1200, 630)
    assert site.joinpath(card).stat().st_size <= 60_000
    assert head.find("meta", property="og:image:alt")["content"].startswith("一条线段")
    assert page(site, "chapters/part/two.html").find("meta", property="og:image") is None


def test_the_404_page_works_at_any_depth(site):
    missing = page(site, "404.html")
    tags = missing.find_all(["a", "link", "script"])
    addresses = [found for tag in tags if (found := tag.get("href") or tag.get("src"))]
    assert all(found.startswith(("/book/", "#", ADDRESS)) for found in addresses)
    assert any(found.startswith("/book/_static/pages.css") for found in addresses)
    assert missing.find("form")["action"] == "/book/search.html"
