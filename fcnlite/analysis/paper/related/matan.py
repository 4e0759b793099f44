"""Matan et al.: a convolutional LeNet reads digit strings of any length, decoded by Viterbi's algorithm (section 2).

The net scores a window every 4 pixels of a strip: which digit is in its middle, or none. The decoder finds the best
path in which a digit lasts 2 or 3 columns of scores and at least one column without a digit is between two digits. The
handwritten digits are those of scikit-learn. Training, validation and test have different ones.
"""

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import XAVIER, best, draws, explain
from fcnlite.analysis.paper.related.digits import handwritten
from fcnlite.analysis.paper.related.drawing import strip
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.arrays import Array
from fcnlite.models.builder import Builder
from fcnlite.net import Net

SIDE, STRIDE, NONE = 28, 4, 10


def string(count: int, images: Array, kinds: Array, rng: np.random.Generator) -> tuple[Array, Array, str]:
    """A 1×28×W strip of `count` digits, the class of each column of scores, and the string."""
    chosen, centres = rng.integers(0, len(images), count), np.cumsum(rng.uniform(18, 22, count)) - 2
    width = 22 * count + SIDE - 22 * count % STRIDE
    away = abs(STRIDE * np.arange((width - SIDE) // STRIDE + 1)[:, None] + SIDE / 2 - centres)
    label = np.where(away.min(1) < 5, kinds[chosen][away.argmin(1)], NONE)
    return strip(images[chosen], centres, SIDE, width, rng)[None] / 255 - 0.5, label, "".join(map(str, kinds[chosen]))


def build(seed: int) -> Net:
    """LeNet with a convolution in place of its inner product."""
    net = Builder("matan")
    blob, label = net.input("data", 1, 1, SIDE, SIDE), net.input("label", 1, 1, 1, 1)
    for i, count in ((1, 12), (2, 32)):
        blob = net.pool(f"pool{i}", net.convolution(f"conv{i}", blob, count, 5, **XAVIER), 2, 2)
    blob = net.relu("relu3", net.convolution("conv3", blob, 96, 4, **XAVIER))
    net.loss("loss", net.convolution("score", blob, 11, 1, **XAVIER), label, "VALID")
    return Net(net.spec(), phase="TRAIN", seed=seed)


def viterbi(score: Array) -> str:
    """The string of the best path through 11×T scores. State s < 30: digit s % 10, column s // 10 of it; 30: none."""
    steps, ten = np.full((31, 31), -np.inf), np.arange(10)  # steps: from, to
    steps[30, ten] = steps[ten, ten + 10] = steps[ten + 10, ten + 20] = steps[10:, 30] = 0
    path, origins = np.append(np.full(30, -np.inf), 0), []  # as if a column without a digit came first
    for column in score[[*ten, *ten, *ten, NONE]].T:
        origins.append((path[:, None] + steps).argmax(0))
        path = (path[:, None] + steps).max(0) + column
    state, found = int(path.argmax()), ""
    for origin in reversed(origins):
        found, state = f"{state}{found}" if state < 10 else found, origin[state]
    return found


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the share of strings that are read without an error."""
    source, seed = {split: handwritten(split) for split in ("train", "validation", "test")}, settings.seed

    def batch(rng: np.random.Generator) -> dict[str, Array]:
        strips, labels, _ = zip(*[string(6, *source["train"], rng) for _ in range(8)], strict=True)
        return {"data": np.stack(strips), "label": np.stack(labels)[:, None, None]}

    def read(net: Net, split: str) -> list[tuple[Array, Array, str]]:
        rng = draws(split, seed)
        strips = [string(int(rng.integers(3, 9)), *source[split], rng) for _ in range(200)]
        return [(x, net.forward(data=x[None])["score"][0, :, 0], truth) for x, _, truth in strips]

    def right(net: Net) -> float:
        return float(np.mean([viterbi(score) == truth for _, score, truth in read(net, "validation")]))

    explain(page, __doc__)
    found = read(best(page, lambda: build(seed), batch, settings.iterations or 1000, seed, right)[0], "test")
    for x, score, truth in found[:2]:
        classes = np.pad(np.kron(np.exp(score - score.max(0)), np.ones((4, STRIDE))), ((0, 0), (12, 12)))
        words = f"{truth}, read as {viterbi(score)}. Below the strip: a row of scores for each of 0 to 9, and for none."
        page.picture(f"string-{truth}", gray(np.vstack([x[0] + 0.5, classes])), words)
    share = sum(viterbi(score) == truth for _, score, truth in found) / len(found)
    page.compare(f"{len(found)} strings of 3 to 8 digits read without an error", None, f"{100 * share:.1f} %")
