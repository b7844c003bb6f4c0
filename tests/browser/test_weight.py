"""What a reader has to load: budgets of bytes, requests and movement for every page."""

import pytest

from site_server import SITE

from .conftest import html_pages, show_all

PAGES = html_pages() if SITE.is_dir() else ["index.html"]
FIRST_VISIT, NEXT_PAGE, EXPLORER = 250_000, 150_000, 150_000
LAYOUT_SHIFT = 0.02

SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


class Traffic:
    """Bytes on the wire of a page's requests, by when they began."""

    def __init__(self, context, page):
        self.sizes = {}
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)
        self._urls = {}

    def _sent(self, event):
        self._urls[event["requestId"]] = event["request"]["url"]

    def _finished(self, event):
        url = self._urls.get(event["requestId"], "")
        if not url.startswith("data:"):
            self.sizes[url] = self.sizes.get(url, 0) + event["encodedDataLength"]

    @property
    def total(self):
        return sum(self.sizes.values())


@pytest.mark.parametrize("name", PAGES)
def test_page_is_light_and_stands_still(browser, server, name):
    with browser.new_context(viewport={"width": 390, "height": 800}) as context:
        context.add_init_script(SHIFTS)
        page = context.new_page()
        traffic = Traffic(context, page)
        page.goto(f"{server}/{name}", wait_until="load")
        assert traffic.total <= FIRST_VISIT, traffic.sizes
        show_all(page)
        frames = {url: size for url, size in traffic.sizes.items() if "/_frames/" in url}
        assert all(size <= EXPLORER for size in frames.values()), frames
        assert page.evaluate("shifts") < LAYOUT_SHIFT


@pytest.mark.parametrize("name", PAGES)
def test_next_page_is_lighter_still(browser, server, name):
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"{server}/genindex.html", wait_until="networkidle")
        traffic = Traffic(context, page)
        page.goto(f"{server}/{name}", wait_until="load")
        assert traffic.total <= NEXT_PAGE, traffic.sizes
