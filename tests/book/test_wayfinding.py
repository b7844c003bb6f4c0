"""The concept map, changes, feed, sitemap and link pictures, from what authors write."""

import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image
from sphinx.errors import SphinxError

from scispaces.style import THEME
from scispaces_book.addresses import CARD, CARD_BYTES, card
from scispaces_book.changes import changes
from scispaces_book.concept_map import depths, drawing, lines_of
from scispaces_book.page import by_sound
from scispaces_book.search import indexed, plain, spaced

NEEDS = {"a": [], "b": ["a"], "c": ["a", "b"], "d": []}


def test_a_chapter_stands_right_of_all_that_it_needs():
    assert depths(NEEDS) == {"a": 0, "b": 1, "c": 2, "d": 0}


def test_chapters_that_need_each_other_stop_the_build():
    with pytest.raises(SphinxError, match="in a circle: a → b → a"):
        depths({"a": ["b"], "b": ["a"]})


def test_the_index_goes_by_sound():
    terms = ["重参数", "score", "行列式", "1-形式", "得分", "Δ", "Hessian"]
    index = [("?", [(term, None) for term in terms])]
    assert [(initial, [name for name, _ in found]) for initial, found in by_sound(index)] == [
        ("符号", ["1-形式", "Δ"]),
        ("C", ["重参数"]),
        ("D", ["得分"]),
        ("H", ["行列式", "Hessian"]),
        ("S", ["score"]),
    ]


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("一张数表，五种读法", ["一张数表", "五种读法"]),
        ("体积只听迹的话：det exp A = exp tr A", ["体积只听迹的话"]),
        ("两张椭圆纸片粘成一个枕头", ["两张椭圆纸片粘", "成一个枕头"]),
        ("短题", ["短题"]),
    ],
)
def test_titles_fit_a_box(title, lines):
    assert lines_of(title) == lines


def test_the_map_draws_every_chapter_and_every_need_once():
    facts = {name: ("部", [name], f"题{name}", f"{name}.html") for name in NEEDS}
    svg = ElementTree.fromstring(re.search("<svg.*</svg>", drawing(facts, NEEDS))[0])
    assert [link.get("href") for link in svg.iter("a")] == [f"{name}.html" for name in NEEDS]
    assert len(svg.findall("g/path")) == sum(map(len, NEEDS.values()))
    boxes = {(rect.get("x"), rect.get("y")) for rect in svg.iter("rect")}
    assert len(boxes) == len(NEEDS)
    assert drawing(facts, NEEDS) == drawing(dict(facts), dict(NEEDS))


def test_changes_are_read_by_day(tmp_path):
    tmp_path.joinpath("CHANGELOG.md").write_text(
        "# Changes\n\n## 2026-02-03\n\n- One\n  goes on.\n- Two.\n\n## 2026-01-01\n\n- Old.\n"
    )
    new, old = changes(tmp_path)
    assert (new.date, new.lines) == ("2026-02-03", ("One goes on.", "Two."))
    assert (old.date, old.lines) == ("2026-01-01", ("Old.",))


@pytest.mark.parametrize("size", [(960, 576), (300, 900), (960, 100)])
def test_card_has_the_size_that_previews_have_and_is_light(size):
    noise = Image.effect_noise(size, 90).convert("RGB")
    data = card(noise)
    assert Image.open(io.BytesIO(data)).size == CARD
    assert len(data) <= CARD_BYTES or size == (960, 576)  # pure noise cannot be made lighter
    assert data == card(noise)


def test_every_chinese_character_begins_a_word_of_the_index():
    assert spaced("用KL散度，2次") == " 用 KL 散 度，2 次"


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"p_n(\theta)", "p_n(θ)"),
        (r"\operatorname{softmax}(x)", "softmax (x)"),
        (r"\boldsymbol\Lambda\,\varepsilon", "Λ ε"),
        (r"\frac{1}{2}", r"\frac{1}{2}"),
    ],
)
def test_formulas_are_searched_by_their_source(tex, text):
    assert plain(tex).split() == text.split()


def test_pagefind_reads_sections_by_their_headings():
    html = '<article><section id="x"><span id="y"></span><h2>题</h2></section></article>'
    assert '<h2 id="x"> 题</h2>' in indexed(html, "部")


def luminance(colour):
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("drawn", [c for c, (name, _) in THEME.items() if name != "--fig-grid"])
def test_colours_of_figures_are_seen_on_light_and_dark_pages(drawn):
    name, shown = THEME[drawn]
    papers = ("#ffffff", "#15181d")  # the backgrounds of book.css
    if name == "--fig-paper":
        colours = [c for c, (other, _) in THEME.items() if re.fullmatch(r"--fig-\d", other)]
        assert all(contrast(drawn, c) >= 4.5 for c in colours)
        assert all(contrast(shown, THEME[c][1]) >= 4.5 for c in colours)
    elif drawn == "#808080":
        assert contrast(drawn, papers[0]) >= 3  # lines only
    else:
        assert contrast(drawn, papers[0]) >= 4.5
        assert contrast(shown, papers[1]) >= 4.5
