"""Layers compose: kernel and stride of whole nets (section 3).

A layer with kernel k and stride s on top of one with kernel k' and stride s' equals one layer of the same form, with
kernel k' + (k − 1)·s' and stride s·s'. Applied layer by layer, the rule gives the receptive field and the stride of
every blob.
"""

from __future__ import annotations

from fcnlite import models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.receptive_fields import Place, layer_filters, place
from fcnlite.description.shapes import placements
from fcnlite.description.spec import NetSpec
from fcnlite.layers import links

PAPER = (
    ("AlexNet", "voc-fcn-alexnet", "score_fr", 355),
    ("VGG-16", "voc-fcn32s", "score_fr", 404),
    ("GoogLeNet", "googlenet", "pool5/7x7_s1", 907),
)
"""Receptive fields of table 1, and the blobs here that they belong to; the stride of all three is 32."""
STRIDE = 32
_SHOWN = ("pool1", "pool2", "pool3", "pool4", "pool5", "score_fr", "score")


def placed(spec: NetSpec) -> list[tuple[str, Place]]:
    """The blobs worth showing: those with usual names, or else the last one with a place."""
    layers = spec.for_phase("TEST")
    rows, columns = (placements(links(layers, axis)) for axis in (0, 1))
    shown = [blob for blob in rows if blob in _SHOWN] or list(rows)[-1:]
    return [(blob, Place(rows[blob][0], rows[blob][1], columns[blob][1])) for blob in shown]


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the rule, layer by layer for one net, and its results for the zoo."""
    for net, name, blob, field in PAPER:
        found = place(models.describe(name), blob)
        note = "the same" if (found.rows.field, found.rows.stride) == (field, STRIDE) else "differs"
        page.compare(f"receptive field of {net}", field, found.rows.field, note)
        page.compare(f"stride of {net}", STRIDE, found.rows.stride, note)
    shorter = place(models.describe("voc-fcn-googlenet"), "score_fr").rows.field
    page.text(
        "A layer with kernel k and stride s on top of layers with kernel k' and stride s' equals one layer with kernel "
        "k' + (k − 1)·s' and stride s·s'. A net of such layers is a nonlinear filter: it takes a picture of any size, "
        "and each output sees a window of the picture, its receptive field. Nothing is trained here: all numbers "
        "follow from the descriptions of the nets. The paper's numbers above are from its table 1."
    )
    page.text(
        "GoogLeNet's 907 pixels are the field of the classifier, which averages a map of 7×7 at its end. The paper "
        f"found the FCN better without this average. The scores of that FCN see {shorter} pixels."
    )
    page.heading("VGG-16, layer by layer")
    page.table(
        ("layer", "kernel", "stride", "kernel so far", "stride so far"),
        list(layer_filters(models.describe("voc-fcn32s"), "score_fr")),
    )
    page.heading("The zoo")
    page.text(
        "The receptive field of position y has its centre at stride·y + offset, in pixels of the input. Upsampling "
        "makes the stride of a score smaller than that of the features below it. An offset is negative if a pad moves "
        "the centre of the first field out of the picture."
    )
    page.table(
        ("net", "blob", "stride", "offset", "receptive field"),
        [
            (name, blob, found.rows.stride, found.rows.offset, found.rows.field)
            for name in models.names()
            for blob, found in placed(models.describe(name))
        ],
    )
