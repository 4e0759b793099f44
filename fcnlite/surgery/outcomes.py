"""A table of the outcome for each parameter of copying weights into a net."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fcnlite.description.shapes import show
from fcnlite.net import Net
from fcnlite.surgery.transplanting import Transfer
from fcnlite.text import columns

_COUNTED = {"taken": "taken", "coerced": "coerced", "expanded": "expanded", "unused": "dropped"}
"""The outcomes that are counted, and the words that the table has for them."""


def table(net: Net, transfers: Sequence[Transfer]) -> str:
    """A line for each layer, and one with the counts."""
    types = {layer.spec.name: layer.type for layer in net.layers}
    by_layer: dict[str, list[Transfer]] = {}
    for each in transfers:
        by_layer.setdefault(each.layer, []).append(each)
    cells = [("layer", "type", "shapes", "outcome")]
    for name, parts in by_layer.items():
        outcomes = dict.fromkeys(_outcome(net, each) for each in parts)
        cells.append((name, types.get(name, "–"), _shapes(parts), ", ".join(outcomes)))
    counts = Counter(each.outcome for each in transfers)
    counted = ", ".join(f"{counts[outcome]} {word}" for outcome, word in _COUNTED.items())
    total = f"{len(transfers)} parameters: {counted}, {counts['left']} left at their fillers"
    return f"{columns(cells, '<<<<')}\n\n{total}"


def _outcome(net: Net, transfer: Transfer) -> str:
    if transfer.outcome == "left":
        return f"left: {_filler(net, transfer)}"
    return _COUNTED.get(transfer.outcome, transfer.outcome)


def _filler(net: Net, transfer: Transfer) -> str:
    """The filler of a parameter that the weights lack."""
    layer = net.spec.layer(transfer.layer)
    if layer.type == "Deconvolution":
        return "bilinear"
    if not net.params[transfer.layer][transfer.index].array.any():
        return "zero"
    filler = layer.options.get("bias_filler" if transfer.index else "weight_filler", {})
    return filler.get("type") or "msra"


def _shapes(parts: Sequence[Transfer]) -> str:
    """The shapes of weight and bias in the file, and those in the net where they differ."""
    found = ", ".join(show(each.found) for each in parts if each.found is not None)
    wanted = ", ".join(show(each.wanted) for each in parts if each.wanted is not None)
    return " → ".join(dict.fromkeys(each for each in (found, wanted) if each))
