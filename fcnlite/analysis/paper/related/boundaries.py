"""Ning et al. and Ciresan et al.: boundaries of cells, learned from whole pictures in place of patches (section 2).

Each output of the net sees one window of 21×21 pixels. Patchwise training feeds windows as pictures of their own. The
loss is the mean over all windows in both cases, so the gradients are equal, but a whole picture computes what its
windows share once. Both nets then train for the same processor time: one on pairs of whole pictures, one on batches of
128 windows from many places.
"""

import time

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import MSRA, RATES, best, explain, train
from fcnlite.analysis.paper.related.slices import FIELD, WINDOWS, Slices, inner, iu, predicted, windows
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.arrays import Array
from fcnlite.data.seeding import generator
from fcnlite.models.builder import Builder
from fcnlite.net import Net

TIMED = 20


def build(seed: int) -> Net:
    """Five convolutions without padding, whose outputs have a receptive field of 21×21 pixels."""
    net = Builder("boundaries")
    blob, label = net.input("data", 1, 1, FIELD, FIELD), net.input("label", 1, 1, 1, 1)
    for i, (count, kernel_size) in enumerate(((12, 5), (12, 5), (12, 5), (24, 9)), start=1):
        blob = net.relu(f"relu{i}", net.convolution(f"conv{i}", blob, count, kernel_size, **MSRA))
    net.loss("loss", net.convolution("score", blob, 2, 1, **MSRA), label, "VALID", ignore_label=255)
    return Net(net.spec(), phase="TRAIN", seed=seed)


def gradients(net: Net, blobs: dict[str, Array]) -> tuple[Array, float]:
    """All gradients of the mean loss in one vector, and the processor time of forward and backward; best of 3."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        net.forward(blobs, keep=True)
        net.backward()
        seconds.append(time.process_time() - start)
    return np.concatenate([each.grad.ravel() for group in net.params.values() for each in group]), min(seconds)


def patchwise(slices: Slices, rate: float, seconds: float, seed: int) -> tuple[Net, int]:
    """A net trained on batches of windows for about this processor time, and the number of its iterations."""
    start = time.process_time()
    train(build(seed), slices.patches, TIMED, rate, seed)
    count = max(1, round(TIMED * seconds / (time.process_time() - start)))
    return train(build(seed), slices.patches, count, rate, seed), count


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the gradients, the times, and the IU of membranes after training in both ways."""
    slices, seed, steps = Slices.of(settings), settings.seed, settings.iterations or 200
    explain(page, __doc__)
    blobs = slices.batch(generator("related", seed), 1, 52)
    (whole, once), (patches, singly) = (gradients(build(seed), each) for each in (blobs, windows(blobs)))
    difference, count = abs(whole - patches).max() / abs(whole).max(), blobs["label"].size
    page.compare("largest difference of gradients, relative to the largest", "equal", f"{difference:.0e}", "rounding")
    page.compare(f"time of {count} windows against their picture", None, f"{singly / once:.0f} times")
    start = time.process_time()
    net, rate = best(page, lambda: build(seed), slices.batch, steps, seed, lambda net: iu(net, slices.validation))
    spent = (time.process_time() - start) / len(RATES)
    other, count = patchwise(slices, rate, spent, seed)
    page.compare(f"IU of membranes, {steps} steps of 2 whole pictures", None, f"{100 * iu(net, slices.test):.1f} %")
    found = f"{100 * iu(other, slices.test):.1f} %"
    page.compare(f"IU of membranes, {count} steps of {WINDOWS} windows", None, found, f"the same {spent:.0f} s")
    values, label = slices.test[0]
    page.picture("slice", gray(inner(values) + 0.5), f"The first slice of the test ({slices.name}).")
    for name, shown in (
        ("truth", inner(label) == 1),
        ("learned from whole pictures", predicted(net, values)),
        ("learned from windows", predicted(other, values)),
    ):
        page.picture(name.replace(" ", "-"), gray(1.0 - shown), f"Membranes: {name}.")
