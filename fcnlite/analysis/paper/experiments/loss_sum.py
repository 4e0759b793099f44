"""A loss that is a sum over positions (section 3).

If l(x; θ) = Σ_ij l'(x_ij; θ), the gradient of l is the sum of the gradients of its terms. Stochastic gradient descent
on l with whole pictures therefore equals that on l' with all receptive fields of the last layer as a batch. These
fields overlap, so computing layer by layer over the whole picture is cheaper than patch by patch.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.datasets import scene
from fcnlite.analysis.patches import macs, patch_gradients, seconds, whole_gradients, with_loss
from fcnlite.analysis.receptive_fields import place
from fcnlite.net import Net

GRIDS = (1, 2, 4, 8, 16)
"""The sides of the grids of outputs."""
_SCORE = "ip2"


def lenet(path: str = "fast", dtype: str = "float32") -> Net:
    """LeNet as a convolutional net with a summed loss. It has no pads, so every field is a crop of the picture."""
    spec, _ = surgery.fully_convolutional(models.describe("lenet"))
    return Net(with_loss(spec, _SCORE), path=path, dtype=dtype)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with gradients and costs of whole pictures against patches, for several grids."""
    exact = lenet(path="plain", dtype="float64")
    fast = lenet()
    found = place(fast.spec, _SCORE)
    stride, field = int(found.rows.stride), int(found.rows.field)
    rng = np.random.default_rng(settings.seed)
    works, times = [], []
    worst = worst_fast = 0.0
    for grid in GRIDS:
        size = field + stride * (grid - 1)
        _, picture = scene(size, 1, settings.seed)
        picture = picture / 64
        label = rng.integers(0, 10, (1, 1, grid, grid))
        error, error_fast = (
            whole_gradients(net, picture.astype(net.dtype), label).difference(
                patch_gradients(net, _SCORE, picture.astype(net.dtype), label)
            )
            for net in (exact, fast)
        )
        worst, worst_fast = max(worst, error), max(worst_fast, error_fast)
        count = grid * grid
        whole_macs = macs(fast, {"data": (1, 1, size, size), "label": (1, 1, grid, grid)})
        patch_macs = macs(fast, {"data": (count, 1, field, field), "label": (count, 1, 1, 1)})
        whole_time = seconds(partial(whole_gradients, fast, picture, label))
        patch_time = seconds(partial(patch_gradients, fast, _SCORE, picture, label))
        works.append(
            (
                f"{size}×{size}",
                count,
                f"{error:.0e}",
                f"{error_fast:.0e}",
                f"{whole_macs / 1e6:.1f} M",
                f"{patch_macs / 1e6:.1f} M",
                f"{patch_macs / whole_macs:.1f}",
            )
        )
        taken = (f"{1e3 * each:.1f} ms" for each in (whole_time, patch_time))
        times.append((f"{size}×{size}", count, *taken, f"{patch_time / whole_time:.1f}"))
    page.compare("gradient of the sum against the sum of the gradients, float64", "equal", f"{worst:.0e}", "rounding")
    page.compare("the same in float32, fast path", "equal", f"{worst_fast:.0e}", "rounding")
    _, count, *_, more = works[-1]
    page.compare(f"work of {count} patches against the picture", "overlap saves", f"{more} times", "forward MACs")
    page.compare(f"time of {count} patches against the picture", None, f"{times[-1][-1]} times", "forward and backward")
    page.text(
        f"The net is LeNet made fully convolutional, with random weights: each output sees {field}×{field} pixels, and "
        f"outputs are {stride} pixels apart. The gradients of all parameters and of the picture are computed in two "
        "ways: from the whole picture, and from a batch of all its receptive fields, whose gradients are added. "
        "Differences are relative to the largest value of each gradient. MACs are multiply-accumulates of the forward "
        "pass; times are those of forward and backward."
    )
    page.table(
        ("picture", "patches", "difference, float64", "float32", "MACs, picture", "MACs, patches", "factor"), works
    )
    page.table(("picture", "patches", "time, picture", "time, patches", "factor"), times)
    page.text(
        "The factor grows with the picture, because a larger share of each patch overlaps others. A layer saves "
        "much if neighbouring patches share most of its positions, as in the first layers. The last layers save "
        "nothing, because patches share none of their positions. A patch has "
        f"{field}² pixels, of which {stride}² are new, so no layer saves more than a factor of "
        f"({field} / {stride})² = {(field / stride) ** 2:.0f}."
    )
