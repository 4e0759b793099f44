"""Matan et al.: a convolutional LeNet reads digit strings of any length, decoded by Viterbi's algorithm.

    python examples/related/matan.py [--iterations 400] [--out related/matan]

The net scores a window every 4 pixels of a strip: a digit in its middle, or none. The decoder finds the best path in
which a digit lasts 2 or 3 columns of scores and at least one without a digit separates two. The figure is the share of
strings read without an error. The digits are Pillow's font at random sizes, places and brightness, with noise.
"""

import numpy as np
from common import options, picture, save
from PIL import Image, ImageDraw, ImageFont

import fcnlite
from fcnlite.models.builder import Builder

SIDE, STRIDE, NONE = 28, 4, 10


def strip(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, str]:
    """A 1×28×W strip of `count` digits, the class of each column of scores, and the string."""
    digits, centres = rng.integers(0, 10, count), np.cumsum(rng.uniform(18, 22, count)) - 2
    width = 22 * count + SIDE - 22 * count % STRIDE
    drawn = Image.new("L", (width, SIDE), int(rng.integers(0, 60)))
    for digit, x in zip(digits, centres, strict=True):
        y, fill, size = SIDE / 2 + rng.uniform(-2, 2), int(rng.integers(140, 256)), int(rng.integers(18, 25))
        ImageDraw.Draw(drawn).text((x, y), str(digit), fill, ImageFont.load_default(size), anchor="mm")
    away = abs(STRIDE * np.arange((width - SIDE) // STRIDE + 1)[:, None] + SIDE / 2 - centres)
    label = np.where(away.min(1) < 5, digits[away.argmin(1)], NONE)
    return (drawn + rng.normal(0, 25, (SIDE, width)))[None] / 255 - 0.5, label, "".join(map(str, digits))


def build() -> fcnlite.Net:
    net, filler = Builder("matan"), {"weight_filler": {"type": "xavier"}}
    blob, label = net.input("data", 1, 1, SIDE, SIDE), net.input("label", 1, 1, 1, 1)
    blob = net.pool("pool1", net.convolution("conv1", blob, 12, 5, **filler), 2, 2)
    blob = net.pool("pool2", net.convolution("conv2", blob, 32, 5, **filler), 2, 2)
    blob = net.relu("relu3", net.convolution("conv3", blob, 96, 4, **filler))  # LeNet's inner product
    net.loss("loss", net.convolution("score", blob, 11, 1, **filler), label, "VALID")
    return fcnlite.Net(net.spec(), phase="TRAIN")


def viterbi(score: np.ndarray) -> str:
    """The string of the best path through 11×T scores. State s < 30: digit s % 10, column s // 10 of it; 30: none."""
    steps, digits = np.full((31, 31), -np.inf), np.arange(10)  # steps: from, to
    steps[30, digits] = steps[digits, digits + 10] = steps[digits + 10, digits + 20] = steps[10:, 30] = 0
    best, origins = np.append(np.full(30, -np.inf), 0), []  # as if a column without a digit came first
    for column in score[[*digits, *digits, *digits, NONE]].T:
        through = best[:, None] + steps
        origins.append(through.argmax(0))
        best = through.max(0) + column
    state, string = int(best.argmax()), ""
    for origin in reversed(origins):
        string = f"{state}{string}" if state < 10 else string
        state = origin[state]
    return string


def main(arguments: list[str] | None = None) -> float:
    given = options(__doc__, "matan", 400, arguments)
    rng, net = np.random.default_rng(0), build()
    solver = fcnlite.Adam(net, base_lr=2e-3, lr_policy="poly", power=1, max_iter=given.iterations)
    for _ in range(given.iterations):
        strips, labels, _ = zip(*[strip(6, rng) for _ in range(8)], strict=True)
        solver.step(data=np.stack(strips), label=np.stack(labels)[:, None, None])
    net, right = net.share("TEST"), 0
    for _ in range(100):
        digits, _, string = strip(int(rng.integers(3, 9)), rng)
        score = net.forward(data=digits[None])["score"][0, :, 0]
        right += viterbi(score) == string
    columns = np.kron(np.exp(score - score.max(0)), np.ones((4, STRIDE)))  # a row for each class, below the strip
    sheet = np.vstack([digits[0] + 0.5, np.pad(columns, ((0, 0), (12, 12)))])
    save(given.out, "matan", picture(sheet), 3)
    print(f"strings of 3 to 8 digits read without an error: {right} of 100; {string} was read as {viterbi(score)}")
    return right / 100


if __name__ == "__main__":
    main()
