"""What a text says of the stops of a control."""

import pytest

from scispaces_book.named_values import named_values

N = {"name": "n", "label": "维数 n", "kind": "range", "values": ["2", "3", "100", "768", "1536"]}
TAU = {"name": "tau", "label": "温度", "kind": "range", "values": ["−2", "0.001", "0.1", "30"]}
RATIO = {"name": "h0_over_l", "label": "h₀/l", "kind": "range", "values": ["0", "0.45"]}
ANGLE = {"name": "phi", "label": "相位φ", "kind": "range", "values": ["0", "0.7854", "1.571"]}
SURFACE = {"name": "shape", "label": "曲面", "kind": "select", "values": ["鞍面", "碗"]}
TRACE = {"name": "a", "label": "迹", "kind": "range", "values": ["−2", "2"]}
CONTROLS = [N, TAU, RATIO, ANGLE, SURFACE, TRACE]


def named(text):
    values = named_values(text, CONTROLS)
    return [
        (value.control and value.control["name"], value.text, value.is_stop) for value in values
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$n=768$时", [("n", "768", True)]),
        ("$n = 767$时", [("n", "767", False)]),
        ("n=3，n＝4", [("n", "3", True), ("n", "4", False)]),
        ("$n=1{,}536$", [("n", "1536", True)]),
        ("$n=2,3,4$", [("n", "2", True), ("n", "3", True), ("n", "4", False)]),
        ("$n=100$、$300$和$768$", [("n", "100", True), ("n", "300", False), ("n", "768", True)]),
        (r"$n=100,\ \tau=0.1$", [("n", "100", True), ("tau", "0.1", True)]),
        (r"$\tau=10^{-3}$", [("tau", "0.001", True)]),
        (r"$\tau=-2$，τ=−2", [("tau", "−2", True), ("tau", "−2", True)]),
        (
            r"$\phi=\pi/2$与$\varphi=\frac{\pi}{4}$",
            [("phi", "1.571", True), ("phi", "0.7854", True)],
        ),
        (r"$h_0/l=0.45$", [("h0_over_l", "0.45", True)]),
        (r"$\tau$从$30$调到$0.5$", [("tau", "30", True), ("tau", "0.5", False)]),
        ("把维数$n$从2逐渐拖到$768$", [("n", "2", True), ("n", "768", True)]),
        ("维数取$3$到$100$", [("n", "3", True), ("n", "100", True)]),
        ("温度降到0.1时", [("tau", "0.1", True)]),
        ("把滑块拖到$100$", [(None, "100", True)]),
        ("再从2拖回7", [(None, "2", True), (None, "7", False)]),
        ("都停在2，再停在0.5", [(None, "2", True), (None, "0.5", False)]),
        ("迹为−2时，迹停在5", [("a", "−2", True), ("a", "5", False)]),
        ("选“碗”，再换成“锅”", [(None, "碗", True), (None, "锅", False)]),
    ],
)
def test_values_are_found(text, expected):
    assert named(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "$p_n=0.3$",
        "$f(n)=5$",
        "$n=2m$，$n=k+1$，$n=5m$",
        r"$n\to\infty$，$n\ge 5$",
        "方差从1降到0.4，约90%",
        "$n$个点里有5个",
        "维数为5的幂次",
        "`n=5`与{eq}`eq-n=5`",
        "第5步",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert named(text) == []


def test_numbers_after_a_value_belong_to_something_else():
    assert named("$n=3$时概率为0.5，降到0.2") == [("n", "3", True)]
