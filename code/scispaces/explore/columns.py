"""Many pictures stored by column.

The trees of all stops are merged into one tree of slots.  An attribute that never changes stands in
that tree; one that changes is a column of its values over all stops.  Numbers are integers in
0.01 px, replaced by their differences along the controls and along the curve, whichever is shorter,
and compressed as one stream.
"""

import base64
import itertools
import json
import zlib
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np

from scispaces.explore.picture import Numbers

__all__ = ["encode"]


@dataclass
class _Slot:
    """An element that some of the pictures have."""

    tag: str
    key: tuple
    count: int
    children: list = field(default_factory=list)
    columns: dict = field(default_factory=dict)  # attribute -> list over pictures

    def fill(self, node, picture):
        values = {**node.attributes, "#": node.text} if node.text else node.attributes
        for name in self.columns.keys() | values.keys():
            self.columns.setdefault(name, [None] * self.count)[picture] = values.get(name)
        self.columns.setdefault("present", [False] * self.count)[picture] = True
        self._align(node.children)
        for slot, child in self._pairs(node.children):
            slot.fill(child, picture)

    def _align(self, nodes):
        """Make sure that every node has a slot, in order."""
        keys, wanted = [slot.key for slot in self.children], [_key(node) for node in nodes]
        if keys == wanted:
            self._matches = range(len(keys))
            return
        merged, self._matches = [], [None] * len(nodes)
        matcher = SequenceMatcher(None, keys, wanted, autojunk=False)
        for _, i1, i2, j1, j2 in matcher.get_opcodes():
            old, new = self.children[i1:i2], list(range(j1, j2))
            for slot in old:
                # What kind of element it is must agree; how it looks may change.
                if new and wanted[new[0]][:2] == slot.key[:2]:
                    self._matches[new.pop(0)] = len(merged)
                merged.append(slot)
            for index in new:
                self._matches[index] = len(merged)
                merged.append(_Slot(nodes[index].tag, wanted[index], self.count))
        self.children = merged

    def _pairs(self, nodes):
        return [
            (self.children[match], node) for match, node in zip(self._matches, nodes, strict=True)
        ]


def encode(pictures, shape):
    """Return all pictures as one JSON-ready object.

    Parameters
    ----------
    pictures : list of Node
        Canonical trees, one a stop, in C order of `shape`.
    shape : tuple of int
        Number of stops of each control.

    Returns
    -------
    dict
        ``shape``; ``tree`` (``[tag, attributes, children]``); ``columns`` (``[node, attribute,
        kind, choices, axes]`` in the order of the stream, nodes counted in document order);
        ``data``, the stream of integers: zigzag, base-128, deflated, base64.
    """
    root = _Slot("svg", (), len(pictures))
    for index, picture in enumerate(pictures):
        root.fill(picture, index)
    _number_definitions(root)
    columns, stream = [], []
    counter = itertools.count()
    tree = _tree(root, [True] * len(pictures), shape, counter, columns, stream)
    return {
        "shape": list(shape),
        "tree": tree,
        "columns": columns,
        "data": base64.b64encode(zlib.compress(_varints(stream), 9)).decode(),
    }


def _key(node):
    """What must agree for two elements to share a slot: kind first, then looks."""
    style = node.attributes.get("style") or next(
        (child.attributes["style"] for child in node.children if "style" in child.attributes), ""
    )
    shape = node.attributes.get("d")
    return (node.tag, node.role, style, shape.template if isinstance(shape, Numbers) else ())


def _number_definitions(root):
    """Give definitions the numbers of their slots, and let references follow."""
    names = [{} for _ in range(root.count)]
    for number, slot in enumerate(root.children[0].children):
        for picture, name in enumerate(slot.columns["id"]):
            names[picture][name] = f"d{number}"
        slot.columns["id"] = [f"d{number}"] * root.count
    _refer(root, names)


def _refer(slot, names):
    for name in ("href", "clip-path", "style"):
        column = slot.columns.get(name, [])
        for picture, value in enumerate(column):
            if value and name == "href" and value.startswith("#"):
                column[picture] = "#" + names[picture][value[1:]]
            elif value and "url(#" in value:
                before, _, rest = value.partition("url(#")
                target, _, after = rest.partition(")")
                column[picture] = f"{before}url(#{names[picture][target]}){after}"
    for child in slot.children:
        _refer(child, names)


def _tree(slot, parent, shape, counter, columns, stream):
    node, static = next(counter), {}
    present = slot.columns.pop("present")
    if present != parent:
        # Inside a hidden parent it does not matter whether a child is hidden.
        hidden = [None if here else "none" for here in present]
        _write(node, "display", _without_gaps(hidden, parent), shape, columns, stream)
    for name, column in sorted(slot.columns.items()):
        column = _without_gaps(column, present)
        if len(set(column)) == 1:
            if column[0] is not None:
                static[name] = str(column[0])
        else:
            _write(node, name, column, shape, columns, stream)
    children = [_tree(c, present, shape, counter, columns, stream) for c in slot.children]
    return [slot.tag, static, children]


def _without_gaps(column, present):
    """Return the column with the values of absent elements taken from a neighbour: no change."""
    filled, last = [], next(itertools.compress(column, present))
    for value, here in zip(column, present, strict=True):
        last = value if here else last
        filled.append(last)
    return filled


def _write(node, name, column, shape, columns, stream):
    numeric = all(isinstance(value, Numbers) for value in column)
    kinds = [value.template if numeric else value for value in column]
    choices = list(dict.fromkeys(kinds))
    if numeric and len(choices) == 1:
        values = np.array([value.values for value in column], dtype=np.int64)
        axes, differences = _differences(values.reshape(*shape, -1))
        columns.append([node, name, "numbers", list(choices[0]), axes])
        stream.append(differences)
        return
    indices = np.array([choices.index(kind) for kind in kinds], dtype=np.int64)
    axes, differences = _differences(indices.reshape(*shape, 1))
    stream.append(differences)
    if not numeric:
        choices = [None if choice is None else str(choice) for choice in choices]
        columns.append([node, name, "choice", choices, axes])
        return
    columns.append([node, name, "varying", [list(choice) for choice in choices], axes])
    for value in column:
        # Within one picture a curve moves by small steps: x from x, y from y.
        values = np.array(value.values, dtype=np.int64)
        stream.append(np.concatenate([values[:2], values[2:] - values[:-2]]))


def _differences(values):
    """Return the axes to sum along, and the differences, in the order of the stream.

    `values` has one axis for each control and a last one for the numbers of the attribute, of
    which every second belongs to the same coordinate.
    """
    best = None
    controls = range(values.ndim - 1)
    for count in range(values.ndim):
        for along in itertools.combinations(controls, count):
            differences = values
            for axis in along:
                differences = np.diff(differences, axis=axis, prepend=0)
            for order in range(3):
                if order:
                    differences = _diff_points(differences)
                cost = np.log2(1 + np.abs(differences)).sum()
                if best is None or cost < best[0]:
                    best = (cost, [*along, *[values.ndim - 1] * order], differences)
    # Columns: all stops of the first number, then all stops of the second, ...
    return best[1], np.moveaxis(best[2], -1, 0).ravel()


def _diff_points(values):
    result = values.copy()
    result[..., 2:] -= values[..., :-2]
    return result


def _varints(stream):
    """Return integers as bytes: sign in the lowest bit, seven bits a byte, last byte below 128."""
    values = np.concatenate([np.zeros(0, dtype=np.int64), *stream])
    unsigned = np.where(values < 0, -2 * values - 1, 2 * values)
    octets = bytearray()
    for value in unsigned.tolist():
        while value > 127:
            octets.append(value & 127 | 128)
            value >>= 7
        octets.append(value)
    return bytes(octets)


def weight(encoded):
    """Return the bytes that an object takes on the wire, compressed as a server would."""
    return len(zlib.compress(json.dumps(encoded, separators=(",", ":")).encode(), 9))
