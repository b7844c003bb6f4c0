"""Search in the built book: phrases find their chapter, by keyboard, and nothing from a folder."""

import re

import pytest
from playwright.sync_api import expect

from scispaces_book.chapters import chapters
from site_server import ROOT, SITE

from .phrases import PHRASES

TITLES = {
    page.path.removesuffix(".md"): re.split("[：:$]", page.title)[0]
    for page in chapters(ROOT)
    if SITE.joinpath(page.path).with_suffix(".html").is_file()
}


@pytest.fixture(scope="module")
def search_page(browser, server):
    page = browser.new_page()
    problems = []
    page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server}/search.html")
    yield page
    page.close()
    assert problems == []


def look_for(page, phrase):
    """Search for a phrase; return the addresses of the chapters that are found, in order."""
    page.locator("#query").fill(phrase)
    page.locator("#query").press("Enter")
    expect(page.locator("#search-status")).to_contain_text(f"“{phrase}”：")
    links = page.locator("#search-results h2 a").all()
    return [link.get_attribute("href").partition("/chapters/")[2] for link in links]


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrase_finds_its_chapter(search_page, phrase):
    expected = PHRASES[phrase].removeprefix("chapters/") + ".html"
    assert expected in look_for(search_page, phrase)[:3]
    marks = search_page.locator("#search-results mark").all_inner_texts()
    assert marks
    assert all(mark.strip() for mark in marks)


@pytest.mark.parametrize("chapter", TITLES)
def test_title_finds_its_chapter(search_page, chapter):
    expected = chapter.removeprefix("chapters/") + ".html"
    assert expected in look_for(search_page, TITLES[chapter])[:3]


def test_phrases_are_of_chapters_in_the_book(site):
    assert len(PHRASES) >= 40
    missing = {name for name in PHRASES.values() if not (site / f"{name}.html").is_file()}
    assert not missing


def test_what_is_nowhere_is_not_found(search_page):
    assert look_for(search_page, "鼷鼠") == []
    expect(search_page.locator("#search-status")).to_have_text("“鼷鼠”：没有找到")


def test_result_leads_to_the_section_with_the_words(search_page):
    look_for(search_page, "夹角就是纬度")
    link = search_page.locator("#search-results ul a").first
    assert link.inner_text() == "夹角就是纬度"
    address = link.get_attribute("href")
    with search_page.context.browser.new_page() as page:
        page.goto(address)
        assert page.locator(":target h2").inner_text().startswith("夹角就是纬度")


def test_excerpts_read_as_the_chapters_do(search_page):
    look_for(search_page, "随机方向")
    text = search_page.locator("#search-results p").first.inner_text()
    assert "随机方向" in text
    assert "随 机" not in text


def test_keyboard_walks_through_the_results(search_page):
    look_for(search_page, "矩阵")
    page = search_page
    page.locator("#query").press("ArrowDown")
    expect(page.locator("#search-results a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#query")).to_be_focused()


def test_field_of_every_page_leads_here(browser, server):
    with browser.new_page() as page:
        page.goto(f"{server}/chapters/mathematics/random_angles.html")
        page.locator("header input[type=search]").fill("卡皮察势")
        page.keyboard.press("Enter")
        expect(page.locator("#search-results h2 a").first).to_have_attribute(
            "href", f"{server}/chapters/physics/inverted_pendulum.html"
        )


def test_pages_from_a_folder_say_that_search_needs_a_server(browser, site):
    with browser.new_page() as page:
        problems = []
        page.on("console", lambda message: problems.append(message.text))
        page.goto((site / "index.html").as_uri())
        page.locator("header input[type=search]").fill("矩阵")
        page.keyboard.press("Enter")
        expect(page.locator("#search-status")).to_contain_text("不能搜索")
        expect(page.locator("#search")).to_be_hidden()
        assert problems == []
