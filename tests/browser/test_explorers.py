"""Every explorer of the built book, moved in a real browser.

The picture at a stop must be the one that matplotlib draws for it: the chapter's own draw function
is called again here, and its SVG is compared with what the page holds.
"""

import ast
import asyncio
import base64
import contextlib
import inspect
import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest
from PIL import Image, ImageChops, ImageStat

import scispaces.explore
from scispaces.explore.drawing import draw_figure, explorer
from scispaces.style import book_style
from svg_drawing import assert_same_drawing

ROOT = Path(__file__).parents[2]
RASTER_ERROR = 6.0
"""Mean error of a raster frame, in levels of 255: what WebP at quality 60 costs."""

CUT = """picture => {
  const frame = picture.getBoundingClientRect();
  const scale = frame.width / picture.viewBox.baseVal.width;
  return [...picture.querySelectorAll("text")].filter(text => {
    const box = text.getBoundingClientRect();
    const spare = scale * parseFloat(getComputedStyle(text).fontSize) / 4;
    return box.width && (box.left < frame.left - spare || box.right > frame.right + spare
      || box.top < frame.top - spare || box.bottom > frame.bottom + spare);
  }).map(text => text.textContent);
}"""
"""The texts that the edge cuts off; a line of a Chinese font has a quarter em to spare."""

PAGES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix()
    for path in [ROOT / "index.md", *ROOT.glob("chapters/*/*.md")]
    if "explore(" in path.read_text(encoding="utf-8")
)


def explorers_of(page):
    """Return ``{name: Explorer}`` of a page, by running its cells with a recording `explore`."""
    found = {}

    def record(draw, *, name, caption, alt, **controls):
        found[name] = explorer(draw, name, caption, alt, controls)

    notebook = jupytext.read(ROOT / f"{page}.md")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    patch = pytest.MonkeyPatch()
    patch.setattr(scispaces.explore, "explore", record)
    patch.setattr(scispaces.explore, "show", record)
    with patch.context(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("default")  # the build has seen to it that readers get none
        # In a thread of its own: cells may await, and Playwright's loop runs in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(run_cells, cells, page).result()
    patch.undo()
    return found


def run_cells(cells, page):
    """Run our own chapter's cells as IPython does, which may await at the top level."""
    namespace = {"__name__": "__main__", "display": lambda *_: None}
    with asyncio.Runner() as runner:
        for cell in cells:
            code = compile(cell, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            made = eval(code, namespace)
            if inspect.iscoroutine(made):
                runner.run(made)
            plt.close("all")


@pytest.fixture(scope="module", params=PAGES)
def chapter(request, browser, server):
    """One page, open, with the explorers that its source makes."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    problems = []
    page.on("console", lambda m: m.type == "error" and problems.append(m.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server}/{request.param}.html")
    yield page, explorers_of(request.param)
    page.close()
    assert problems == []


def test_every_explorer_moves_and_shows_what_matplotlib_draws(chapter):
    page, explorers = chapter
    moving = {name: made for name, made in explorers.items() if made.controls}
    forms = page.locator("form.explorer-controls")
    assert forms.count() == len(moving)
    for name, made in moving.items():
        figure = page.locator(f"figure[id='{name}']")
        figure.scroll_into_view_if_needed()
        page.wait_for_selector(f"figure[id='{name}'][data-ready]", timeout=20_000)
        check(page, figure, made)  # where it starts
        pictures = set()
        for move in (to_first_by_key, to_middle, to_last_by_mouse):
            for control in made.controls:
                move(page, page.locator(f"[id='{name}--{control.name}']"), control)
            pictures.add(check(page, figure, made))
        assert len(pictures) >= min(3, len(made.controls[0].values)), (
            f"{name}: picture stands still"
        )
        defaults = {control.name: control.values[control.default] for control in made.controls}
        if values(page, made) != defaults:
            figure.locator("button[type=reset]").click()
        assert values(page, made) == defaults


def test_still_figures_are_what_matplotlib_draws(chapter):
    page, explorers = chapter
    for name, made in explorers.items():
        if not made.controls:
            svg = markup(page.locator(f"figure[id='{name}'] svg"))
            assert_same_drawing(svg, drawn(made, {})[0], where=name)


def test_a_linked_state_is_shown(chapter):
    page, explorers = chapter
    made = next(made for made in explorers.values() if made.controls)
    control = made.controls[-1]
    if control.kind == "checkbox":
        pytest.fail("choose another control for this test")
    last = control.texts[-1] + (f" {control.unit}" if control.unit else "")
    page.evaluate(
        "([name, key, text]) => { location.hash = scispaces.writeFragment(name, {[key]: text}) }",
        [made.name, control.name, last],
    )
    page.wait_for_selector(f"figure[id='{made.name}'][data-ready]")
    assert values(page, made)[control.name] == control.values[-1]
    reset = page.locator(f"figure[id='{made.name}'] button[type=reset]")
    if reset.is_enabled():  # it starts elsewhere
        reset.click()


def to_first_by_key(page, field, control):
    if control.kind == "checkbox":
        if field.is_checked():
            field.press("Space")
    elif control.kind == "select":
        field.select_option("0")
    else:
        field.press("Home")


def to_last_by_mouse(page, field, control):
    if control.kind == "checkbox":
        field.click()
    elif control.kind == "select":
        field.select_option(str(len(control.values) - 1))
    else:
        box = field.bounding_box()
        field.hover(position={"x": 2, "y": box["height"] / 2})
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=4)
        page.mouse.move(box["x"] + box["width"] + 20, box["y"] + box["height"] / 2, steps=4)
        page.mouse.up()
        assert field.input_value() == str(len(control.values) - 1)


def to_middle(page, field, control):
    if control.kind == "select":
        field.select_option(str(len(control.values) // 2))
    elif control.kind == "range":
        field.press("End")
        for _ in range(len(control.values) // 2):
            field.press("ArrowLeft")


def values(page, made):
    """Return the values at which the controls stand, read from the page."""
    result = {}
    for control in made.controls:
        field = page.locator(f"[id='{made.name}--{control.name}']")
        ticked = control.kind == "checkbox" and field.is_checked()
        index = int(ticked if control.kind == "checkbox" else field.input_value())
        if control.kind == "range":
            shown = page.locator(f"output[for='{made.name}--{control.name}']").inner_text()
            unit = f" {control.unit}" if control.unit else ""
            assert shown == control.texts[index] + unit
            assert field.get_attribute("aria-valuetext") == shown
        result[control.name] = control.values[index]
    return result


def markup(picture):
    """Return an SVG on a page as XML, which knows no entity of HTML."""
    return picture.evaluate("e => e.outerHTML").replace("&nbsp;", "\u00a0")


def check(page, figure, made):
    """Compare the picture on the page with a fresh one; return it."""
    arguments = values(page, made)
    where = f"{made.name}({arguments})"
    # The script answers an event at once; two frames later it is painted.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    svg, image = drawn(made, arguments)
    if figure.locator(".explorer-picture img").count():
        uri = figure.locator(".explorer-picture img").get_attribute("src")
        assert_same_image(uri, image, where)
        return uri
    picture = figure.locator(".explorer-picture svg")
    assert picture.evaluate(CUT) == [], where
    shown = markup(picture)
    assert_same_drawing(shown, svg, where)
    return shown


def drawn(made, arguments):
    """Return the figure at a stop as SVG text and as a function that makes its PNG."""
    with book_style():
        figure = draw_figure(made, arguments)
        stream, pixels = io.StringIO(), io.BytesIO()
        figure.savefig(stream, format="svg")
        figure.savefig(pixels, format="png", dpi=120)
        plt.close(figure)
    return stream.getvalue(), pixels


def assert_same_image(uri, pixels, where):
    shown = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA")
    difference = ImageChops.difference(shown, Image.open(pixels).convert("RGBA"))
    error = max(ImageStat.Stat(difference).mean)
    assert error <= RASTER_ERROR, f"{where}: mean error {error:.1f} levels"
