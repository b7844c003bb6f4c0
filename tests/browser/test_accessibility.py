"""No violation of WCAG 2.2 AA that axe-core finds: every page, light on a desk, dark on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from site_server import SITE

from .conftest import html_pages

PAGES = html_pages() if SITE.is_dir() else ["index.html"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Thousands of elements for which axe has no rule: a formula is MathML and, hidden, its layout.
AREA = {"exclude": [[".katex"]]}
SCREENS = {"light": (1280, 900), "dark": (390, 800)}  # axe takes seconds for a page


@pytest.mark.parametrize("colours", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser, server, name, colours):
    width, height = SCREENS[colours]
    # Axe brings its script into the page by itself, which the page's own policy forbids.
    page = browser.new_page(
        color_scheme=colours,
        viewport={"width": width, "height": height},
        bypass_csp=True,
        reduced_motion="reduce",
    )
    page.goto(f"{server}/{name}")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    options = {"runOnly": {"type": "tag", "values": TAGS}}
    violations = Axe().run(page, context=AREA, options=options).response["violations"]
    page.close()
    assert [
        f"{violation['id']}: {node['target'][0]}: {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ] == []


def test_focus_is_seen_on_everything(browser, server):
    with browser.new_page() as page:
        page.goto(f"{server}/chapters/mathematics/random_angles.html")
        for _ in range(25):
            page.keyboard.press("Tab")
            style = page.evaluate(
                "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
                "(getComputedStyle(document.activeElement))"
            )
            tag = page.evaluate("document.activeElement.outerHTML.slice(0, 80)")
            assert style[0] != "none", tag
            assert float(style[1].removesuffix("px")) >= 2, tag


def test_nothing_moves_by_itself_for_those_who_ask(browser, server):
    with browser.new_page(reduced_motion="reduce") as page:
        page.goto(f"{server}/index.html")
        moving = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(moving) == "auto"
        assert page.evaluate("document.getAnimations().length") == 0
