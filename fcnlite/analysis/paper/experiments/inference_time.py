"""The time of inference (sections 1 and 5, table 3): FCN-8s segments a 500×500 picture in less than 1/5 s on a GPU."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass

import numpy as np

from fcnlite import models
from fcnlite.analysis.layer_table import layer_rows
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.nets import open_net
from fcnlite.environment import machine
from fcnlite.errors import SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.net import Net

NETS = ("voc-fcn8s", "voc-fcn-alexnet", "lite-fcn8s", "lite-fcn2s")
SIZES = (250, 500)
REPEATS = 5
_PAPER_SIZE = 500


@dataclass(frozen=True)
class Time:
    """The work of a forward pass, and the time of its fastest run."""

    macs: int
    wall: float
    processor: float
    """The processor time of all threads."""


def timed(net: Net, size: int, seed: int) -> Time:
    """The fastest of `REPEATS` forward passes with a picture of `size`×`size` pixels, after one that prepares.

    Raises `SpecError` for a net with several inputs.
    """
    inputs = image_inputs(net.layers)
    if len(inputs) != 1:
        raise SpecError(f"net {net.spec.name!r} takes {', '.join(inputs) or 'no pictures'}; expected one picture.")
    ((name, shape),) = inputs.items()
    channels = shape[1] if shape is not None else 3
    picture = np.random.default_rng(seed).normal(0, 50, (1, channels, size, size)).astype(np.float32)
    output = next(iter(net.forward({name: picture})))
    found = []
    for _ in range(REPEATS):
        wall, processor = time.perf_counter(), time.process_time()
        net.forward({name: picture}, outputs=[output])
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    macs = sum(row.macs for row in layer_rows(net.spec, {name: picture.shape}))
    return Time(macs, *min(found))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the times of the nets, or of the model in the settings."""
    fill_page(settings, page, 1.0)


def fill_page(settings: Settings, page: Page, width: float) -> None:
    """`run` for nets of the zoo with `width` times the published channels."""
    rows = []
    for name in NETS if settings.model is None else (settings.model,):
        given = settings.model is not None
        net = open_net(name, settings.init) if given else models.build(name, width=width, seed=settings.seed)
        for size in SIZES:
            found = timed(net, size, settings.seed)
            cells = (f"{found.macs / 1e9:.1f}", f"{1e3 * found.wall:.0f}", f"{1e3 * found.processor:.0f}")
            rows.append((net.spec.name, f"{size}×{size}", *cells))
            if name == "voc-fcn8s" and size == _PAPER_SIZE:
                here, spent = f"{1e3 * found.wall:.0f} ms", f"{1e3 * found.processor:.0f} ms of processor time"
                page.compare("FCN-8s, 500×500 (section 1)", "less than 1/5 s", here, f"{spent}; a GPU in the paper")
                page.compare("FCN-8s (table 3)", "about 175 ms", here, f"{spent}; a Tesla K40c in the paper")
                page.compare("FCN-8s (PAMI)", "reported 100 ms", here, f"{spent}; a GPU in the paper")
        del net
        gc.collect()
    weights = "random weights" if settings.init is None and settings.model is None else "the weights given"
    page.text(
        f"Each time is the fastest of {REPEATS} forward passes of one picture, after a first pass that prepares, with "
        f"{weights}, on {machine()}. Processor time is the sum over the threads. A pass ends with the scores of every "
        "pixel; reading the picture and taking the largest score are not included. Times do not depend on the values "
        "of the weights."
    )
    page.table(("net", "picture", "multiply-accumulates, G", "time, ms", "processor time, ms"), rows)
    page.text(
        "The paper compares with SDS, which takes about 50 s for a picture: FCN-8s is 114 times faster than the "
        "convolutional net of SDS alone, and 286 times faster than all of SDS. The FCN reference pads a picture by 100 "
        "pixels, so a small picture takes more than its share of the time; the lite nets have no such pad."
    )
