"""The yardstick itself notices what a reader would."""

import pytest

from svg_drawing import assert_same_drawing

SVG = '<svg><g clip-path="url(#c)"><path d="M 1 2 L 3 4 L 5 6" style="stroke: {c}"/></g>{t}<defs>\
<clipPath id="c"><rect x="0" y="0" width="9" height="9"/></clipPath></defs></svg>'
TEXT = '<text x="1" y="2">甲</text>'


def test_spelling_does_not_matter():
    short = (
        SVG.replace("M 1 2 L 3 4 L 5 6", "M1 2L3 4 5 6").replace("#c", "#x").replace('"c"', '"x"')
    )
    assert_same_drawing(
        short.format(c="var(--fig-0,#1b5fb8)", t=TEXT), SVG.format(c="#1b5fb8", t=TEXT)
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3 4", "3.01 4"),
        ("L 5 6", ""),
        ("#1b5fb8", "#1b5fb9"),
        ("甲", "乙"),
        ('width="9"', 'width="8"'),
        ("</g>", '<path d="M 0 0" style="fill: #000000"/></g>'),
        ("<text", '<text display="none"'),
    ],
)
def test_changes_are_noticed(old, new):
    svg = SVG.format(c="#1b5fb8", t=TEXT)
    assert old in svg
    with pytest.raises(AssertionError):
        assert_same_drawing(svg.replace(old, new), svg)
