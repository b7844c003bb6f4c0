"""Every page of the built book: on its own, without faults, on a phone, without scripts."""

import pytest

from site_server import SITE

from .conftest import html_pages, show_all

PAGES = html_pages() if SITE.is_dir() else ["index.html"]
every_page = pytest.mark.parametrize("name", PAGES)


def opened(context, address):
    """Open a page; return it, its complaints, and the hosts that it asks."""
    page = context.new_page()
    problems, hosts = [], set()
    page.on("console", lambda m: m.type in ("error", "warning") and problems.append(m.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(address)
    show_all(page)
    return page, problems, hosts


@every_page
@pytest.mark.parametrize("where", ["server", "file"])
def test_page_is_on_its_own_and_without_faults(browser, server, name, where):
    address = f"{server}/{name}" if where == "server" else (SITE / name).as_uri()
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page, problems, hosts = opened(context, address)
        assert problems == []
        assert hosts <= {address.split("/")[2]}
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator("h1").count() == 1
        assert "default-src 'self'" in page.locator("meta[http-equiv]").get_attribute("content")


@every_page
def test_nothing_sticks_out_on_a_phone(browser, server, name):
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        page, _, _ = opened(context, f"{server}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@every_page
def test_pictures_and_formulas_stand_without_scripts(browser, server, name):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{server}/{name}")
        for figure in page.locator("figure.explorer, figure.still").all():
            assert figure.locator(".explorer-picture svg, .explorer-picture img").count() == 1
            assert figure.locator(".explorer-picture").is_visible()
            for controls in figure.locator(".explorer-controls").all():
                assert not controls.is_visible()
            assert figure.locator("figcaption").is_visible()
        assert page.locator(":not(.explorer-picture) > img:not([width][height])").count() == 0
        for formula in page.locator("article > section > p .katex-html").all()[:20]:
            assert formula.bounding_box()["width"] > 0


@every_page
def test_print_shows_the_default_picture(browser, server, name):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{server}/{name}")
        page.emulate_media(media="print")
        for figure in page.locator("figure.explorer").all():
            assert figure.locator(".explorer-picture").is_visible()
            assert not figure.locator(".explorer-controls").is_visible()


def test_colours_change_and_are_kept(browser, server):
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(f"{server}/index.html")
        theme = "document.documentElement.dataset.theme"
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert page.evaluate(theme) == "dark"
        page.locator("#theme").click()
        assert page.evaluate(theme) == "light"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
        page.reload()
        assert page.evaluate(theme) == "light"
