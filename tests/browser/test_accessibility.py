"""No violation of WCAG 2.2 AA that axe-core finds: every page, two screens, two colours."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from site_server import SITE

from .conftest import html_pages

PAGES = html_pages() if SITE.is_dir() else ["index.html"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {
    "light": {"runOnly": {"type": "tag", "values": TAGS}},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},  # all that may differ
}
# Thousands of elements for which axe has no rule: a formula is MathML and, hidden, its layout.
AREA = {"exclude": [[".katex"]]}
SCREENS = {"desktop": (1280, 900), "phone": (390, 800)}


@pytest.mark.parametrize("colours", RULES)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser, server, name, colours):
    # Axe brings its script into the page by itself, which the page's own policy forbids.
    page = browser.new_page(color_scheme=colours, bypass_csp=True, reduced_motion="reduce")
    page.goto(f"{server}/{name}")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    faults = []
    for screen, (width, height) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": height})
        response = Axe().run(page, context=AREA, options=RULES[colours]).response
        faults += [
            f"{screen}: {violation['id']}: {node['target'][0]}: {node['failureSummary']}"
            for violation in response["violations"]
            for node in violation["nodes"]
        ]
    page.close()
    assert faults == []


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
