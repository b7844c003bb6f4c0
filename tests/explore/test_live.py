"""Explorers in a real kernel, driven as a notebook drives them."""

import os
import queue

import pytest
from jupyter_client.manager import start_new_kernel

from scispaces.explore.still import MIME

DRAW = """
import matplotlib.pyplot as plt
from scispaces.explore import control, explore

def draw(n=3, tau=1.0, shape="线", filled=False):
    fig, ax = plt.subplots()
    ax.plot([0, n], [0, tau], "--" if shape == "点" else "-", label=f"参数{n}")
    if filled:
        ax.fill_between([0, n], [0, tau], alpha=0.2)
    ax.set_xlabel("横轴：中文")
    ax.legend()
    return fig

explore(
    draw, n=(2, 6), tau=control(0.1, 10, log=True, num=5, label="温度", unit="K"),
    shape=["线", "点"], filled=False, name="fig-live-line", caption="线", alt="一条线段。",
)
"""
# As on a machine with no font but matplotlib's own.
NO_SYSTEM_FONTS = """
from matplotlib import font_manager
fonts = font_manager.fontManager.ttflist
fonts[:] = [font for font in fonts if "mpl-data" in font.fname]
"""


class Kernel:
    """A kernel and what it said."""

    def __init__(self, static):
        environment = {**os.environ, "SCISPACES_STATIC": "1" if static else ""}
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment)

    def run(self, code):
        """Return the iopub messages of a cell; a failing cell fails the test."""
        messages = self.listen(self.client.execute(code))
        errors = [m["content"] for m in messages if m["msg_type"] == "error"]
        assert not errors, errors[0]["ename"] + ": " + errors[0]["evalue"]
        return messages

    def listen(self, request):
        messages = []
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=60)
            except queue.Empty:
                pytest.fail("the kernel fell silent")
            if message["parent_header"].get("msg_id") != request:
                continue
            messages.append(message)
            if message["content"].get("execution_state") == "idle":
                return messages

    def set(self, widget, **state):
        """Move a widget as a page would; return the picture that the kernel answers with."""
        content = {"comm_id": widget, "data": {"method": "update", "state": state}}
        message = self.client.session.msg("comm_msg", content)
        self.client.shell_channel.send(message)
        for answer in self.listen(message["header"]["msg_id"]):
            value = answer["content"].get("data", {}).get("state", {}).get("value")
            if isinstance(value, str) and "<svg" in value:
                return value
        return pytest.fail(f"no new picture for {state}")


@pytest.fixture(scope="module")
def kernels():
    pair = [Kernel(static=False), Kernel(static=True)]
    yield pair
    for kernel in pair:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def live(kernels):
    kernels[0].run(NO_SYSTEM_FONTS)
    messages = kernels[0].run(DRAW)
    states = {
        m["content"]["comm_id"]: m["content"]["data"]["state"]
        for m in messages
        if m["msg_type"] == "comm_open"
    }
    warnings = [m["content"]["text"] for m in messages if m["msg_type"] == "stream"]
    assert not warnings, warnings
    return states


def widget(live, description):
    return next(key for key, state in live.items() if state.get("description") == description)


def svg(html):
    return html[html.index("<svg") : html.rindex("</svg>") + 6].replace("fig-live-line-", "")


MOVES = [
    ("n", "n", [{"index": i} for i in (0, 2, 4)], ["2", "4", "6"]),
    ("温度（K）", "tau", [{"index": i} for i in (0, 1, 4)], ["0.1", "0.316228", "10"]),
    ("shape", "shape", [{"index": i} for i in (1, 0, 1)], ["'点'", "'线'", "'点'"]),
    ("filled", "filled", [{"value": v} for v in (True, False, True)], ["True", "False", "True"]),
]


@pytest.mark.parametrize(
    ("description", "name", "moves", "values"), MOVES, ids=[move[1] for move in MOVES]
)
def test_a_moved_widget_shows_the_static_picture(kernels, live, description, name, moves, values):
    running, static = kernels
    pictures = []
    for move, value in zip(moves, values, strict=True):
        pictures.append(svg(running.set(widget(live, description), **move)))
        # The same draw function in a kernel of the build, with this stop as its default.
        code = DRAW.split("explore(\n")[0] + (
            "from functools import partial\n"
            f'explore(partial(draw, {name}={value}), name="fig-live-line", '
            'caption="线", alt="一条线段。")'
        )
        still = next(
            m["content"]["data"][MIME] for m in static.run(code) if m["msg_type"] == "display_data"
        )
        assert pictures[-1] == still["svg"].replace("fig-live-line-still-", "")
    assert pictures[0] != pictures[1]
    running.set(widget(live, description), **original(live, description))


def original(live, description):
    state = live[widget(live, description)]
    return {"value": state["value"]} if "value" in state else {"index": state["index"]}


def test_words_come_with_the_picture(kernels, live):
    assert "线" in [state.get("value") for state in live.values()]
    assert 'aria-label="一条线段。"' in kernels[0].set(widget(live, "n"), index=3)
    kernels[0].set(widget(live, "n"), **original(live, "n"))


def test_the_build_opens_no_widget(kernels):
    messages = kernels[1].run(DRAW)
    assert not [m for m in messages if m["msg_type"].startswith("comm")]
    shown = [m["content"]["data"] for m in messages if m["msg_type"] == "display_data"]
    assert [list(data) for data in shown] == [[MIME]]
