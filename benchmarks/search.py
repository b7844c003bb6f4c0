"""Asks three searches for the same phrases, and says which find their chapter.

    python benchmarks/search.py

The book's own search, Pagefind with its own way of cutting Chinese, and Sphinx's stock search with
jieba, each in Chromium over the same chapters.  Writes ``benchmarks/results/search.md``.
"""

import datetime
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from machine import machine  # noqa: E402
from pagefind.service import get_executable  # noqa: E402
from playwright.sync_api import expect  # noqa: E402
from stock import stock_book  # noqa: E402

from browser.phrases import PHRASES  # noqa: E402
from site_server import SITE, chromium, served  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "search.md"


def plain_pagefind(folder):
    """Index the book with Pagefind as it comes; return the folder of the site."""
    site = shutil.copytree(SITE, folder / "plain")
    shutil.rmtree(site / "pagefind")
    command = [get_executable(), "--site", site, "--quiet", "--root-selector", "article"]
    subprocess.run(command, check=True)
    return site


def ask_book(page, address, phrase):
    """Return the addresses that the book's search page lists."""
    if "search.html" not in page.url:
        page.goto(f"{address}/search.html")
    page.locator("#query").fill(phrase)
    page.locator("#query").press("Enter")
    expect(page.locator("#search-status")).to_contain_text(f"“{phrase}”：")
    return [link.get_attribute("href") for link in page.locator("#search-results h2 a").all()]


def ask_plain_pagefind(page, address, phrase):
    """Return the addresses of Pagefind's results."""
    if "search.html" not in page.url:
        page.goto(f"{address}/search.html")
    return page.evaluate(
        """async (phrase) => {
             const { search } = await import("/pagefind/pagefind.js");
             const { results } = await search(phrase);
             return Promise.all(results.map(async (result) => (await result.data()).url));
           }""",
        phrase,
    )


def ask_stock(page, address, phrase):
    """Return the addresses that Sphinx's search page lists."""
    page.goto(f"{address}/search.html?q={quote(phrase)}", wait_until="domcontentloaded")
    page.wait_for_selector(".search-summary:not(:empty)", timeout=30_000)
    page.wait_for_timeout(400)  # results are listed one after another
    links = page.locator("ul.search > li > a").all()
    return list(dict.fromkeys(link.get_attribute("href").partition("#")[0] for link in links))


def positions(browser, folder, ask):
    """Return for each phrase at which place its chapter is found, or None."""
    found = {}
    with served(folder) as address, browser.new_page() as page:
        page.route(
            "**", lambda route: route.continue_() if address in route.request.url else route.abort()
        )
        for phrase, chapter in PHRASES.items():
            listed = [chapter in result for result in ask(page, address, phrase)]
            found[phrase] = listed.index(True) + 1 if any(listed) else None
    return found


def main():
    """Ask all, and write the table."""
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        book, plain = Path(scratch, "book"), Path(scratch, "pagefind")
        book.mkdir()
        plain.mkdir()
        searches = {
            "this book": positions(browser, SITE, ask_book),
            "Pagefind as it comes": positions(browser, plain_pagefind(plain), ask_plain_pagefind),
            "Sphinx with jieba": positions(browser, stock_book(book), ask_stock),
        }
    lines = [
        "# Search: phrases that find their chapter",
        "",
        f"{len(PHRASES)} phrases of `tests/browser/phrases.py`, asked in Chromium. {machine()}, "
        f"{datetime.date.today()}; made by `python benchmarks/search.py`.",
        "",
        "| search | among the first three | at all |",
        "| --- | --- | --- |",
    ]
    for name, found in searches.items():
        first = sum(place is not None and place <= 3 for place in found.values())
        anywhere = sum(place is not None for place in found.values())
        lines.append(f"| {name} | {first} | {anywhere} |")
    lines += ["", f"| phrase | {' | '.join(searches)} |", "| --- |" + " --- |" * len(searches)]
    for phrase in PHRASES:
        places = (str(found[phrase] or "–") for found in searches.values())
        lines.append(f"| {phrase} | {' | '.join(places)} |")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[:10]))


if __name__ == "__main__":
    main()
