"""Chapters come alive in a real JupyterLab: as Binder opens them, and as `make lab` does."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from scispaces_book.publish import lay_out

ROOT = Path(__file__).parents[2]
PATIENCE = 120_000
"""Milliseconds to start a kernel, import everything and draw on a busy machine."""


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.fail("Chromium is missing; install it (on Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )


@contextlib.contextmanager
def jupyterlab(python, folder, log, **environment):
    """Serve a folder with the JupyterLab of an environment; yield the server's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token="]
    options += ["--LabApp.expose_app_in_browser=True", f"--notebook-dir={folder}"]
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SCISPACES_STATIC")}
    with open(log, "wb") as output:
        server = subprocess.Popen(
            [python, "-m", "jupyterlab", *options],
            env={**clean, "JUPYTER_RUNTIME_DIR": f"{log.parent}/runtime", **environment},
            stdout=output,
            stderr=output,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/api/status", timeout=2)
                break
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
        else:
            pytest.fail(f"JupyterLab does not answer:\n{log.read_text()}")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def run_all_and_move_a_slider(browser, address):
    """Open a notebook, run all its cells, move the first slider; return the page."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE)
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    page.wait_for_function(kernel, timeout=PATIENCE)
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(".widget-html-content svg", timeout=PATIENCE)
    page.wait_for_function(kernel, timeout=PATIENCE)
    errors = page.locator(".jp-OutputArea-output[data-mime-type*='error']")
    assert errors.count() == 0, errors.first.inner_text()
    slider = page.locator(".widget-slider .noUi-handle").first
    slider.scroll_into_view_if_needed()
    picture = page.locator(".widget-html-content svg").first
    before = picture.evaluate("e => e.outerHTML")
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.widget-html-content svg').outerHTML !== before",
        arg=before,
        timeout=PATIENCE,
    )
    return page


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The content of the branch that Binder opens."""
    folder = tmp_path_factory.mktemp("published") / "branch"
    lay_out(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def binder(published):
    """Python of the environment that repo2docker makes: the published requirements, no more."""
    runtime = published.joinpath("runtime.txt").read_text().strip()
    assert re.fullmatch(r"python-3\.\d+", runtime)
    if runtime != f"python-3.{sys.version_info[1]}":
        pytest.fail(f"this test needs {runtime}, the Python that the book is locked for")
    venv = published.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    # As repo2docker does: in the folder of the repository.
    subprocess.run([*pip, "--requirement", "requirements.txt"], cwd=published, check=True)
    return python


def test_binder_opens_and_runs_a_chapter(browser, binder, published, tmp_path):
    with jupyterlab(binder, published, tmp_path / "log") as server:
        page = run_all_and_move_a_slider(
            browser, f"{server}/lab/tree/mathematics/random_angles.ipynb"
        )
        # A reference leads to its formula.
        link = page.locator(".jp-RenderedMarkdown a[href*='#equation-']").first
        link.scroll_into_view_if_needed()
        name = link.get_attribute("href").partition("#")[2]
        link.click()
        page.wait_for_function(
            "name => { const place = document.querySelector(`[data-jupyter-id='${name}']`);"
            " const top = place?.getBoundingClientRect().top; return top > 0 && top < 1000; }",
            arg=name,
        )
        # Formulas are typeset, with their numbers.
        assert page.locator(".jp-RenderedMarkdown mjx-container").count() > 30
        page.close()


def test_make_lab_opens_a_chapter_as_a_notebook(browser, tmp_path):
    book = tmp_path / "book"
    shutil.copytree(ROOT / "chapters", book / "chapters")
    source = book / "chapters" / "mathematics" / "random_angles.md"
    before = source.read_text(encoding="utf-8")
    recipe = re.search(
        r"^lab:.*\n\t@(.*)$", ROOT.joinpath("Makefile").read_text(encoding="utf-8"), re.M
    )[1]
    assert recipe == ("JUPYTER_CONFIG_PATH=.jupyter $(BIN)/jupyter lab --notebook-dir chapters")
    with jupyterlab(
        sys.executable,
        book / "chapters",
        tmp_path / "log",
        JUPYTER_CONFIG_PATH=str(ROOT / ".jupyter"),
    ) as server:
        page = run_all_and_move_a_slider(browser, f"{server}/lab/tree/mathematics/random_angles.md")
        page.close()
    assert source.read_text(encoding="utf-8") == before  # opening and running writes nothing
    assert not list(book.rglob("*.ipynb"))  # no pairing


def test_the_setting_that_opens_chapters_as_notebooks_is_json():
    path = ROOT / ".jupyter" / "labconfig" / "default_setting_overrides.json"
    viewers = json.loads(path.read_text())["@jupyterlab/docmanager-extension:plugin"]
    assert set(viewers["defaultViewers"].values()) == {"Jupytext Notebook"}
