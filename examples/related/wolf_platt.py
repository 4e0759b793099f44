"""Wolf and Platt: maps of scores find the four corners of an address block.

    python examples/related/wolf_platt.py [--iterations 300] [--out related/wolf_platt]

The net scores every second pixel of an envelope as one of the four corners. It learns maps that are 1 at its corner and
fall off as a Gaussian, by Euclidean loss. The maximum of each map is the corner. The figures are the median distance
from the true corner in pixels and the share of corners within 4 pixels.
"""

import numpy as np
from common import options, picture, save
from PIL import Image, ImageDraw, ImageFont

import fcnlite
from fcnlite.models.builder import Builder

STRIDE, SPREAD, COLORS = 2, 4.0, ("red", "lime", "cyan", "yellow")


def envelope(height: int, width: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The ink of a block of text and a stamp, 1×H×W from 0 to 1, and the block's corners (x, y), clockwise."""
    lines, letters, block = int(rng.integers(3, 5)), int(rng.integers(7, 11)), Image.new("L", (width, height), 255)
    left, top = rng.uniform(10, width - 7 * letters - 10), rng.uniform(14, height - 12 * lines - 14)
    for i, letter in enumerate(rng.integers(65, 91, lines * letters).tolist()):
        place = left + 7 * (i % letters), top + 12 * (i // letters)
        ImageDraw.Draw(block).text(place, chr(letter), 40, ImageFont.load_default(12))
    corners = (left, top) + np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (7 * letters, 12 * lines)
    turn, middle = rng.uniform(-8, 8), np.array([width, height]) / 2
    turned = block.rotate(turn, Image.Resampling.BILINEAR, fillcolor=255)
    x, y = rng.uniform(0, width - 16), rng.choice([0, height - 14])
    ImageDraw.Draw(turned).rectangle((x, y, x + 14, y + 12), int(rng.integers(60, 160)))  # a stamp
    unit = np.exp(1j * np.radians(turn))  # with y downwards, the picture turns by −turn
    corners = (corners - middle) @ [[unit.real, -unit.imag], [unit.imag, unit.real]] + middle
    return (255 - np.asarray(turned, float) + rng.normal(0, 15, (height, width)))[None] / 255, corners


def maps(corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """The wanted scores 4×H/2×W/2 of a picture of H×W: exp(−d² / 2σ²) at distance d from the corner, σ = 4 pixels."""
    rows, columns = STRIDE * np.mgrid[: height // STRIDE, : width // STRIDE] + 0.5
    squared = (columns - corners[:, 0, None, None]) ** 2 + (rows - corners[:, 1, None, None]) ** 2
    return np.exp(-squared / (2 * SPREAD**2))


def build() -> fcnlite.Net:
    net, filler = Builder("wolf_platt"), {"weight_filler": {"type": "xavier"}}
    blob, wanted = net.input("data", 1, 1, 96, 128), net.input("maps", 1, 4, 48, 64)
    blob = net.pool("pool1", net.add("tanh1", "TanH", net.convolution("conv1", blob, 8, 5, pad=2, **filler)), 2, 2)
    for i in (2, 3):
        blob = net.add(f"tanh{i}", "TanH", net.convolution(f"conv{i}", blob, 16, 7, pad=3, **filler))
    net.add("loss", "EuclideanLoss", (net.convolution("score", blob, 4, 7, pad=3), wanted))
    return fcnlite.Net(net.spec(), phase="TRAIN")


def main(arguments: list[str] | None = None) -> tuple[float, float]:
    given = options(__doc__, "wolf_platt", 300, arguments)
    rng, net = np.random.default_rng(0), build()
    solver = fcnlite.Adam(net, base_lr=3e-3, lr_policy="poly", power=1, max_iter=given.iterations)
    for _ in range(given.iterations):
        pictures, corners = zip(*[envelope(96, 128, rng) for _ in range(4)], strict=True)
        solver.step(data=np.stack(pictures), maps=np.stack([maps(each, 96, 128) for each in corners]))
    net, away = net.share("TEST"), []
    for _ in range(50):  # larger than those in training
        shown, corners = envelope(128, 192, rng)
        score = net.forward(data=shown[None])["score"][0]
        rows, columns = np.divmod(score.reshape(4, -1).argmax(1), score.shape[2])
        found = STRIDE * np.stack([columns, rows], 1) + 0.5
        away.extend(np.hypot(*(found - corners).T))
    sheet = picture(1 - shown[0]).convert("RGB")
    for (x, y), color in zip(found, COLORS, strict=True):
        ImageDraw.Draw(sheet).ellipse((x - 3, y - 3, x + 3, y + 3), outline=color)
    save(given.out, "wolf_platt", sheet, 4)
    median, share = float(np.median(away)), float((np.array(away) <= 4).mean())
    print(f"corners of 50 envelopes: median distance {median:.1f} pixels, {share:.0%} within 4 pixels")
    return median, share


if __name__ == "__main__":
    main()
