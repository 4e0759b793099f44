"""Pool5 with a stride of 1 (section 4.2): finer scores without skips need 14×14 filters in fc6, at a high cost.

Halving a stride doubles the resolution of the scores. To see as much as before, fc6 then needs filters twice as wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fcnlite import models
from fcnlite.analysis.layer_table import layer_rows
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.receptive_fields import place, pruned
from fcnlite.description.spec import NetSpec

SIDE = 500


def changed(spec: NetSpec, options: Mapping[str, Mapping[str, Any]]) -> NetSpec:
    """`spec` with other options of the layers of these names."""
    layers = tuple(replace(each, options={**each.options, **options.get(each.name, {})}) for each in spec)
    return replace(spec, layers=layers)


def variants() -> dict[str, NetSpec]:
    """FCN-32s up to its scores, and the same with a stride of 1 in pool5, with other filters in fc6."""
    scores = replace(models.describe("voc-fcn32s"), name="FCN-32s")
    fine = {"pool5": {"stride": 1}}
    return {
        "FCN-32s: stride 2, fc6 7×7": scores,
        "stride 1, fc6 7×7": changed(scores, fine),
        "stride 1, fc6 14×14": changed(scores, {**fine, "fc6": {"kernel_size": [14]}}),
        "stride 1, fc6 7×7 dilated by 2": changed(scores, {**fine, "fc6": {"kernel_size": [7], "dilation": [2]}}),
    }


def run(settings: Settings, page: Page) -> None:
    """Fill the page with field, parameters and multiply-accumulates of the variants, and of the skips of FCN-16s."""
    rows, costs, sizes = [], [], []
    for name, spec in variants().items():
        found = place(spec, "score_fr")
        layers = layer_rows(pruned(spec, "score_fr"), {"data": (1, 3, SIDE, SIDE)})
        (fc6,) = (each for each in layers if each.name == "fc6")
        costs.append(sum(each.macs for each in layers))
        sizes.append(fc6.parameters)
        rows.append(
            (
                name,
                found.rows.stride,
                found.rows.field,
                f"{fc6.parameters / 1e6:.0f} M",
                f"{fc6.macs / 1e9:.1f} G",
                f"{costs[-1] / 1e9:.1f} G",
            )
        )
    plain, skipped = (models.describe(name) for name in ("voc-fcn32s", "voc-fcn16s"))
    more = [
        sum(row.macs for row in layer_rows(pruned(spec, "score"), {"data": (1, 3, SIDE, SIDE)}))
        for spec in (plain, skipped)
    ]
    page.compare("pool5 with stride 1 and fc6 with 14×14", "costly", f"{costs[2] / costs[0]:.2f} times the MACs")
    page.compare("parameters of fc6", None, f"{sizes[2] / sizes[0]:.1f} times as many")
    page.compare("FCN-16s with a skip from pool4", None, f"{more[1] / more[0]:.3f} times the MACs of FCN-32s")
    page.text(
        f"Multiply-accumulates of FCN-32s up to the scores for a picture of {SIDE}×{SIDE} pixels, padded by 100. With "
        "a stride of 1 in pool5, scores have a stride of 16 pixels, as those of FCN-16s. Then fc6 computes about four "
        "times as many positions; filters of 7×7 see less of the picture than before, and filters of 14×14 have four "
        "times as many weights. The paper tried this and found it costly and hard to learn."
    )
    page.table(("variant", "stride", "field", "fc6, parameters", "fc6, MACs", "all MACs"), rows)
    page.text(
        "Dilated filters, the rarefied ones of section 3.2, keep field and weights, and cost about four times as much "
        "in fc6. The skip of FCN-16s also gives scores at a stride of 16, from the finer features of pool4, at almost "
        "no cost. How well each variant learns needs ImageNet's weights and long trainings, which this page leaves out."
    )
