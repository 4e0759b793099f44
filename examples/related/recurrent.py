"""Pinheiro and Collobert: a net that reads its own scores of the round before and corrects them.

    python examples/related/recurrent.py [--iterations 600] [--out related/recurrent]

Each round applies the same convolutions to the features and to the scores of the round before; the first round reads
zeros. All rounds share their parameters, and each has a loss. A later round sees farther, since the scores it reads
have seen their surroundings, and has no parameter more. The figure is the mean IU of each round.
"""

import numpy as np
from common import options, save
from PIL import Image

import fcnlite
from fcnlite import data, metrics, plots
from fcnlite.description.spec import ParamSpec
from fcnlite.models.builder import Builder

ROUNDS, CLASSES, SIDE, STRIDE = 3, 6, 96, 4


def build(rounds: int) -> fcnlite.Net:
    """Tops score1, score2, ... of the rounds, at a stride of 4 pixels. Blob score0 is what the first round reads."""
    net, cells = Builder("recurrent"), SIDE // STRIDE
    blob, label = net.input("data", 1, 3, SIDE, SIDE), net.input("label", 1, 1, cells, cells)
    score = net.input("score0", 1, CLASSES, cells, cells)

    def convolve(name: str, bottom: str, count: int, side: int, turn: str = "") -> str:
        shared = tuple(ParamSpec(f"{name}_{each}") for each in ("weight", "bias"))
        filler = {"type": "msra"}
        return net.convolution(name + turn, bottom, count, side, pad=side // 2, param=shared, weight_filler=filler)

    for i, count in ((1, 16), (2, 32)):
        blob = net.pool(f"pool{i}", net.relu(f"relu{i}", convolve(f"conv{i}", blob, count, 5)), 2, 2)
    for turn in map(str, range(1, rounds + 1)):
        both = net.add(f"both{turn}", "Concat", (blob, score))
        hidden = net.relu(f"hidden_relu{turn}", convolve("hidden", both, 48, 5, turn))
        score = convolve("score", hidden, CLASSES, 1, turn)
        net.loss(f"loss{turn}", score, label, "VALID", ignore_label=255)
    return fcnlite.Net(net.spec(), phase="TRAIN")


def inputs(samples: list[data.Sample]) -> dict[str, np.ndarray]:
    """The pictures, scores of zero, and the label of the middle of every 4×4 pixels."""
    x = np.stack([each.image.transpose(2, 0, 1) for each in samples]) / 255 - 0.5
    label = np.stack([each.label[None, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE] for each in samples])
    return {"data": x, "label": label, "score0": np.zeros((len(x), CLASSES, *label.shape[2:]))}


def main(arguments: list[str] | None = None) -> list[float]:
    given = options(__doc__, "recurrent", 600, arguments)
    net, train, count = build(ROUNDS), data.open("shapes", None, "train", size=SIDE), 4
    solver = fcnlite.Adam(net, base_lr=2e-3, lr_policy="poly", power=1, max_iter=given.iterations)
    for iteration in range(given.iterations):
        solver.step(inputs([train[(iteration * count + i) % len(train)] for i in range(count)]))
    test = data.open("shapes", None, "test", size=SIDE, count=50)
    fed = inputs([test[i] for i in range(len(test))])
    label = fed.pop("label")[:, 0]
    names = [f"score{turn}" for turn in range(1, ROUNDS + 1)]
    scores = net.share("TEST").forward(fed, outputs=names)
    found = [scores[name].argmax(1).astype(np.uint8) for name in names]
    figures = [metrics.Metrics.from_matrix(metrics.confusion(label, each, CLASSES)).mean_iu for each in found]
    sheet = Image.new("RGB", ((ROUNDS + 2) * SIDE, 3 * SIDE))
    for row in range(3):
        sheet.paste(Image.fromarray(test[row].image), (0, row * SIDE))
        for column, labels in enumerate((*found, label), start=1):
            shown = plots.label_image(labels[row], test.colors).convert("RGB").resize((SIDE, SIDE), 0)
            sheet.paste(shown, (column * SIDE, row * SIDE))
    save(given.out, "recurrent", sheet, 2)
    print("mean IU of rounds 1, 2, ...:", ", ".join(f"{each:.3f}" for each in figures))
    return figures


if __name__ == "__main__":
    main()
