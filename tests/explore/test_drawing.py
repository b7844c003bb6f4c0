"""Errors that teach: each names the explorer, and the stop where one is to blame."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from scispaces.explore import ExplorerError, control, explore
from scispaces.explore.drawing import draw_picture, explorer
from scispaces.explore.still import stored

WORDS = {"name": "fig-test-line", "caption": "一条线", "alt": "从左下到右上的直线。"}


def draw_line(n=3):
    fig, ax = plt.subplots()
    ax.plot([0, n])
    return fig


def made(draw=draw_line, *, words=WORDS, **controls):
    return explorer(draw, words["name"], words["caption"], words["alt"], controls)


def forgets(n=3):
    draw_line(n)


def breaks(n=3):
    return draw_line(1 / (n - 5))


def narrow(n=3):
    return plt.subplots(figsize=(4, 3))[0]


def strange(n=3):
    fig, ax = plt.subplots()
    ax.set_xlabel("\U0001f9ee")
    return fig


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: explore(draw_line), "`name` must look like fig-slug-what"),
        (lambda: made(words={**WORDS, "name": "Fig X"}), "`name` must look like"),
        (lambda: made(words={**WORDS, "alt": None}), '"fig-test-line": `alt` must be a sentence'),
        (lambda: made(words={**WORDS, "alt": "一条线。"}), "not repeat the caption"),
        (lambda: made(words={**WORDS, "caption": " "}), "`caption` must be a sentence, got ' '"),
        (lambda: made("draw"), "`draw` must be a function"),
        (lambda: made(k=(0, 3)), r"draw takes no parameter 'k' \(it takes n\)"),
        (lambda: made(lambda n: None, n=(0, 3)), "needs a default for 'n'"),
        (lambda: made(lambda n=1, m=0: None, n=(2, 5)), r"must be one of its stops \[2, 3, 4, 5\]"),
        (
            lambda: made(lambda m, n=1: None, n=(0, 3)),
            "'m' without a control and without a default",
        ),
        (lambda: made(n=(0, 231)), "at most 231 stops, got 232 = 232"),
        (lambda: made(lambda a=0, b=0: None, a=(0, 20), b=(0, 11)), "21 × 12 = 252"),
        (lambda: stored(made(forgets)), r"must return a matplotlib Figure, got NoneType; end it"),
        (lambda: stored(made(breaks, n=(3, 6))), r"draw\(n=5\) raised ZeroDivisionError"),
        (lambda: stored(made(narrow)), "must be 6 in wide, as all figures are, got 4"),
        (lambda: stored(made(strange)), r"draw\(\): Glyph .* missing"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ExplorerError, match=message):
        make()
    plt.close("all")


def test_too_heavy_either_way():
    def noisy(n=0):
        import numpy as np

        rng = np.random.default_rng(n)
        fig, ax = plt.subplots()
        ax.imshow(rng.random((300, 300)))
        return fig

    with pytest.raises(ExplorerError, match=r"its 12 pictures weigh \d+ KB .* as vectors.*fewer"):
        stored(made(noisy, n=(0, 11)))


def test_drawing_leaves_no_trace():
    before = dict(mpl.rcParams)
    draw_picture(made(), {"n": 3})
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_defaults_start_the_figure():
    data, report = stored(made(n=control(values=[1, 3, 9], label="条数", unit="条")))
    assert data["controls"] == [
        {"name": "n", "label": "条数", "unit": "条", "kind": "range", "play": False,
         "values": ["1", "3", "9"], "default": 1}
    ]  # fmt: skip
    assert (report["frames"], report["reason"]) == (3, None)


def test_pictures_are_the_same_every_time():
    assert stored(made(n=(1, 5))) == stored(made(n=(1, 5)))
