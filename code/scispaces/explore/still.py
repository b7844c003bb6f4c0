"""Explorers without a kernel: all pictures, drawn once and stored."""

import base64
import io
import itertools
import time

import matplotlib.pyplot as plt
from IPython.display import publish_display_data

from scispaces.explore.columns import encode, weight
from scispaces.explore.drawing import ExplorerError, draw_figure, draw_picture
from scispaces.explore.picture import markup
from scispaces.style import book_style

__all__ = ["MAX_BYTES", "MIME", "show_still", "stored"]

MIME = "application/vnd.scispaces.explorer+json"

MAX_BYTES = 150_000
"""What the pictures of one explorer may weigh, compressed."""

POSTER = (960, 576)
"""Width and height in pixels into which the default picture is drawn for galleries and links."""


def show_still(explorer):
    """Publish an explorer with the pictures of all its stops.

    Parameters
    ----------
    explorer : Explorer
    """
    start = time.perf_counter()
    data, report = stored(explorer)
    report["seconds"] = round(time.perf_counter() - start, 3)
    publish_display_data({MIME: data}, metadata={"scispaces": report})


def stored(explorer):
    """Return an explorer as plain data, and its report.

    Parameters
    ----------
    explorer : Explorer

    Returns
    -------
    data : dict
        ``name``, ``caption``, ``alt``, ``controls``; ``svg``, the default picture, and ``poster``,
        the same as PNG; ``frames``, all pictures: None without controls, else by column
        (`columns.encode`) or, where that is too heavy, ``{"shape", "images"}``.
    report : dict
        ``frames``, ``bytes`` and ``reason``, which says why the pictures are images, or is None.

    Raises
    ------
    ExplorerError
        If the pictures weigh more than `MAX_BYTES` either way.
    """
    stops = [dict(zip(names, values, strict=True)) for names, values in _stops(explorer)]
    pictures = [draw_picture(explorer, values) for values in stops]
    default = 0
    for control in explorer.controls:
        default = default * len(control.values) + control.default
    sizes = {picture.attributes["viewBox"] for picture in pictures}
    if len(sizes) > 1:
        raise ExplorerError(
            f'explorer "{explorer.name}": all pictures must have one size, got {sorted(sizes)}'
        )
    frames, reason = None, None
    if explorer.controls:
        frames = encode(pictures, explorer.shape)
        if (columns := weight(frames)) > MAX_BYTES:
            frames = {"shape": list(explorer.shape), "images": _images(explorer, stops)}
            reason = f"{columns / 1000:.0f} KB as vectors"
    size = weight(frames) if frames else 0
    if size > MAX_BYTES:
        raise ExplorerError(
            f'explorer "{explorer.name}": its {len(pictures)} pictures weigh '
            f"{size / 1000:.0f} KB compressed ({reason}), more than {MAX_BYTES / 1000:.0f}; "
            "use fewer stops, fewer points or fewer texts that change"
        )
    data = {
        "name": explorer.name,
        "caption": explorer.caption,
        "alt": explorer.alt,
        "controls": [
            {
                "name": control.name,
                "label": control.label,
                "unit": control.unit,
                "kind": control.kind,
                "play": control.play,
                "values": list(control.texts),
                "default": control.default,
            }
            for control in explorer.controls
        ],
        "svg": markup(pictures[default], prefix=explorer.name + "-still-"),
        "poster": _poster(explorer, stops[default]),
        "frames": frames,
    }
    return data, {"frames": len(pictures), "bytes": size, "reason": reason}


def _stops(explorer):
    names = [control.name for control in explorer.controls]
    for values in itertools.product(*(control.values for control in explorer.controls)):
        yield names, values


def _poster(explorer, values):
    """Return a picture as PNG of 64 colours, on white."""
    from PIL import Image

    stream, small = io.BytesIO(), io.BytesIO()
    with book_style():
        figure = draw_figure(explorer, values)
        dpi = min(
            pixels / inches for pixels, inches in zip(POSTER, figure.get_size_inches(), strict=True)
        )
        figure.savefig(stream, format="png", dpi=dpi, facecolor="white")
        plt.close(figure)
    image = Image.open(stream).convert("RGB").quantize(64)
    image.save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def _images(explorer, stops):
    from PIL import Image

    images = []
    for values in stops:
        stream, small = io.BytesIO(), io.BytesIO()
        with book_style():
            figure = draw_figure(explorer, values)
            figure.savefig(stream, format="png", dpi=120)
            plt.close(figure)
        Image.open(stream).save(small, "WEBP", quality=60, method=6)
        images.append("data:image/webp;base64," + base64.b64encode(small.getvalue()).decode())
    return images
