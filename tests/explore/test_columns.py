"""The page's script gets back, from the columns, what matplotlib drew at every stop."""

import base64
import io
import itertools
import json
import zlib
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import py_mini_racer
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scispaces_book
from scispaces.explore import control
from scispaces.explore.columns import _varints, encode
from scispaces.explore.drawing import draw_figure, explorer
from scispaces.explore.picture import Numbers, canonical
from scispaces.explore.still import stored
from scispaces.style import book_style
from svg_drawing import assert_same_drawing

SCRIPT = Path(scispaces_book.__file__).parent / "static" / "explorer.js"


@pytest.fixture(scope="module")
def script():
    context = py_mini_racer.MiniRacer()
    context.eval(SCRIPT.read_text())
    return context


def draw_curves(n=3):
    x = np.linspace(0, np.pi, 61)
    fig, ax = plt.subplots()
    ax.plot(x, np.sin(x) ** n, label=f"n={n}")
    if n > 4:
        ax.plot(x, np.cos(x), "--", label="另一条")
    ax.fill_between(x, np.sin(n * x), alpha=0.2)
    ax.legend()
    return fig


def draw_histogram(bins=5, log=False):
    rng = np.random.default_rng(0)
    fig, ax = plt.subplots()
    ax.hist(rng.normal(size=500), bins=bins, hatch="//" if log else None)
    ax.set_yscale("log" if log else "linear")
    return fig


def draw_contours(levels=4, shape="鞍"):
    x, y = np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15))
    z = x * y if shape == "鞍" else x**2 + y
    fig, (left, right) = plt.subplots(1, 2, figsize=(6.0, 3.0))
    left.contourf(x, y, z, levels)
    left.clabel(left.contour(x, y, z, levels, colors="k"))
    right.quiver(x[::4, ::4], y[::4, ::4], z[::4, ::4] * levels, z[::4, ::4])
    return fig


def draw_cloud(count=1):
    rng = np.random.default_rng(1)
    fig, ax = plt.subplots()
    points = rng.random((40 * count, 2))
    ax.scatter(*points.T, c=points[:, 0], s=10 * count)
    ax.annotate("最大\n值", points[0], (0.5, 0.5), arrowprops={"arrowstyle": "->"})
    ax.set_xlabel(rf"$x_{{{count}}}^2$ 与 $\theta$")
    return fig


def draw_space(angle=0):
    fig, ax = plt.subplots(subplot_kw={"projection": "3d"})
    t = np.linspace(0, 9, 50)
    ax.plot(np.cos(t), np.sin(t), t)
    ax.view_init(20, angle)
    return fig


def draw_matrix(k=1):
    fig, ax = plt.subplots()
    ax.imshow(np.outer(np.arange(6) % (k + 1), np.arange(6)))
    return fig


CASES = {
    "curves that come and go": (draw_curves, {"n": (2, 7)}),
    "bins, hatches and ticks": (draw_histogram, {"bins": (3, 7), "log": False}),
    "contours and arrows": (
        draw_contours,
        {"levels": control(values=[3, 4, 9]), "shape": ["鞍", "坡"]},
    ),
    "points, words and formulas": (draw_cloud, {"count": (1, 3)}),
    "three dimensions": (draw_space, {"angle": (0, 90, 30)}),
    "an image": (draw_matrix, {"k": (1, 4)}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_stop_is_what_matplotlib_draws(case, script):
    draw, controls = case
    made = explorer(draw, "fig-test-case", "标题", "所见", controls)
    data, _ = stored(made)
    frames = data["frames"]
    values = columns(script, frames)
    stops = itertools.product(*(c.values for c in made.controls))
    for stop, choice in enumerate(stops):
        arguments = dict(zip(controls, choice, strict=True))
        shown = svg_at(frames, values, stop)
        with book_style():
            figure = draw_figure(made, arguments)
            stream = io.StringIO()
            figure.savefig(stream, format="svg")
            plt.close(figure)
        assert_same_drawing(shown, stream.getvalue(), where=f"{draw.__name__}({arguments})")
        if stop == default_stop(made):
            assert_same_drawing(data["svg"], stream.getvalue(), where="default")


def test_a_merged_tree_keeps_common_elements_once():
    with book_style():
        figures = [draw_curves(n) for n in (2, 5)]
        pictures = [canonical(figure) for figure in figures]
    plt.close("all")
    merged = json.dumps(encode(pictures, (2,))["tree"])
    # Six ticks, five of them shared, would be eleven if matched by position alone.
    assert merged.count('"use"') <= max(count(p, "use") for p in pictures) + 2


def test_identifiers_of_two_explorers_do_not_meet():
    first, _ = stored(explorer(draw_cloud, "fig-test-a", "甲", "乙", {}))
    second, _ = stored(explorer(draw_cloud, "fig-test-b", "甲", "乙", {}))
    ids = [set(_ids(data["svg"])) for data in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]


@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=50))
def test_integers_survive_the_stream(numbers):
    context = _context()
    stream = list(_varints([np.array(numbers, dtype=np.int64)]))
    got = json.loads(
        context.eval(f"JSON.stringify(Array.from(scispaces.integers(new Uint8Array({stream}))))")
    )
    assert got == numbers


def test_state_survives_the_address():
    context = _context()
    hash_ = context.eval("scispaces.writeFragment")
    assert hash_ is not None
    written = context.eval('JSON.stringify(scispaces.readFragment("#fig-a-b?n=3&%E6%B8%A9=0.5+s"))')
    assert json.loads(written) == ["fig-a-b", {"n": "3", "温": "0.5 s"}]


_CONTEXTS = []


def _context():
    if not _CONTEXTS:
        context = py_mini_racer.MiniRacer()
        # V8 alone has no URLSearchParams; pages do.
        context.eval(
            "class URLSearchParams{constructor(q){this.q=q} *[Symbol.iterator]()"
            "{for(const p of this.q.split('&'))yield p.split('=').map("
            "s=>decodeURIComponent(s.replace(/\\+/g,' ')))}}"
        )
        context.eval(SCRIPT.read_text())
        _CONTEXTS.append(context)
    return _CONTEXTS[0]


def columns(script, frames):
    """Return ``values[column][stop]``, read by the page's script."""
    packed = list(zlib.decompress(base64.b64decode(frames["data"])))
    stops = int(np.prod(frames["shape"]))
    return json.loads(
        script.eval(
            "JSON.stringify((() => {"
            f"const frames = {json.dumps({**frames, 'data': ''})};"
            f"const stream = scispaces.integers(new Uint8Array({packed}));"
            "return scispaces.readColumns(frames, stream).map("
            f"(column) => Array.from({{length: {stops}}}, (_, stop) => column(stop)));"
            "})())"
        )
    )


def svg_at(frames, values, stop):
    """Return the SVG of a stop as a browser would hold it."""
    changes = {}
    for (node, name, *_), column in zip(frames["columns"], values, strict=True):
        changes.setdefault(node, {})[name] = column[stop]
    counter = itertools.count()

    def markup(tree):
        tag, attributes, children = tree
        attributes = {**attributes, **changes.get(next(counter), {})}
        words = attributes.pop("#", None) or ""
        written = "".join(
            f' {name}="{escape(value)}"' for name, value in attributes.items() if value is not None
        )
        return f"<{tag}{written}>{escape(words)}{''.join(map(markup, children))}</{tag}>"

    return markup(frames["tree"])


def default_stop(made):
    stop = 0
    for ctrl in made.controls:
        stop = stop * len(ctrl.values) + ctrl.default
    return stop


def count(node, tag):
    return (node.tag == tag) + sum(count(child, tag) for child in node.children)


def _ids(svg):
    return [part.split('"')[0] for part in svg.split(' id="')[1:]]


def test_lengths_are_written_as_short_as_they_are():
    assert str(Numbers(("M", 2, "L", 2, "z", 0), (-5, 100, 1234, -20))) == "M-0.05 1L12.34 -0.2z"
