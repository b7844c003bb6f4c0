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
