"""The built site, a server for it, and a real Chromium."""

import pytest

from site_server import SITE, chromium, served


@pytest.fixture(scope="session")
def site():
    """Folder of the built site."""
    if not (SITE / "index.html").is_file():
        pytest.fail("there is no built book; run `make book` first")
    return SITE


@pytest.fixture(scope="session")
def server(site):
    """Address of the built site, served with gzip."""
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """A Chromium without a window."""
    with chromium() as instance:
        yield instance


def html_pages():
    """Addresses of all pages of the built site, relative to it."""
    return sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


def show_all(page):
    """Make the window as tall as its page, so that all explorers come near and load their frames.

    To scroll through a long page step by step takes ten times as long.
    """
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_selector("figure.explorer:not([data-ready])", state="detached", timeout=60_000)
    page.wait_for_load_state("networkidle")
