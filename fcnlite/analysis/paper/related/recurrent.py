"""Pinheiro and Collobert: a net that reads its own scores of the round before and corrects them (section 2).

Each round applies the same convolutions to the features of the picture and to the scores of the round before (zeros for
the first), and has a loss. A later round sees more of the picture, because each score that it reads has a receptive
field of its own. A net of one round, with the same number of parameters, is trained for comparison.
"""

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import MSRA, best, explain, train
from fcnlite.analysis.paper.tools.figures import class_colors, colored
from fcnlite.analysis.paper.tools.statistics import compare_differences
from fcnlite.arrays import Array
from fcnlite.description.spec import ParamSpec
from fcnlite.models.builder import Builder
from fcnlite.net import Net
from fcnlite.segmentation.metrics import Metrics, confusion

ROUNDS, CLASSES, SIDE, STRIDE, SEEDS = 3, 6, 96, 4, 4
HEADING = ("round 1", "round 2", "round 3", "one round")


def build(rounds: int, seed: int) -> Net:
    """Tops score1, score2, ... of the rounds, at a stride of 4 pixels. Blob score0 is what the first round reads."""
    net, cells = Builder("recurrent"), SIDE // STRIDE
    blob, label = net.input("data", 1, 3, SIDE, SIDE), net.input("label", 1, 1, cells, cells)
    score = net.input("score0", 1, CLASSES, cells, cells)

    def convolve(name: str, bottom: str, count: int, side: int, turn: str = "") -> str:
        shared = ParamSpec(f"{name}_weight"), ParamSpec(f"{name}_bias")
        return net.convolution(name + turn, bottom, count, side, pad=side // 2, param=shared, **MSRA)

    for i, count in ((1, 16), (2, 32)):
        blob = net.pool(f"pool{i}", net.relu(f"relu{i}", convolve(f"conv{i}", blob, count, 5)), 2, 2)
    for turn in map(str, range(1, rounds + 1)):
        hidden = convolve("hidden", net.add(f"both{turn}", "Concat", (blob, score)), 48, 5, turn)
        score = convolve("score", net.relu(f"hidden_relu{turn}", hidden), CLASSES, 1, turn)
        net.loss(f"loss{turn}", score, label, "VALID", ignore_label=255)
    return Net(net.spec(), phase="TRAIN", seed=seed)


def inputs(samples: list[data.Sample]) -> dict[str, Array]:
    """The pictures, scores of zero, and the label of the middle of every 4×4 pixels."""
    x = np.stack([each.image.transpose(2, 0, 1) for each in samples]) / 255 - 0.5
    label = np.stack([each.label[None, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] for each in samples])
    return {"data": x, "label": label, "score0": np.zeros((len(x), CLASSES, *label.shape[2:]))}


def measure(net: Net, fed: dict[str, Array]) -> tuple[list[float], list[Array]]:
    """The mean IU of each round in percent, and its predictions."""
    names = [top for layer in net.spec for top in layer.top if top.startswith("score") and top != "score0"]
    found = [each.argmax(1).astype(np.uint8) for each in net.forward(fed, outputs=names).values()]
    return [100 * Metrics.from_matrix(confusion(fed["label"][:, 0], each, CLASSES)).mean_iu for each in found], found


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the mean IU of each round, over several seeds."""
    sets = {name: data.open("shapes", None, name, size=SIDE, count=400) for name in ("train", "val", "test")}
    val, test = (inputs([sets[name][i] for i in range(60)]) for name in ("val", "test"))
    seed, steps = settings.seed, settings.iterations or 400

    def batch(rng: np.random.Generator) -> dict[str, Array]:
        return inputs([sets["train"][i] for i in rng.integers(0, len(sets["train"]), 4).tolist()])

    explain(page, __doc__)
    _, rate = best(page, lambda: build(ROUNDS, seed), batch, steps, seed, lambda net: measure(net, val)[0][-1] / 100)
    rows, found = [], list[Array]()
    for each in range(seed + 1, seed + 1 + SEEDS):
        rounds, found = measure(train(build(ROUNDS, each), batch, steps, rate, each), test)
        rows.append([*rounds, *measure(train(build(1, each), batch, steps, rate, each), test)[0]])
    page.table(("seed", *HEADING), [(i, *(f"{each:.1f}" for each in row)) for i, row in enumerate(rows, seed + 1)])
    for name, i in (("a net of one round", 3), ("round 1", 0)):
        compare_differences(page, f"mean IU of round 3 less that of {name}", None, [row[2] - row[i] for row in rows])
    page.picture("picture", sets["test"][0].image, "The first picture.")
    for name, labels in zip(("truth", *HEADING), (test["label"][:, 0], *found), strict=False):
        page.picture(name.replace(" ", "-"), colored(labels[0], sets["test"].colors), f"Its label map: {name}.")
    page.legend(class_colors(sets["test"].classes, sets["test"].colors))
