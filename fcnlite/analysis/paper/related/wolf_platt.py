"""Wolf and Platt: maps of scores find the four corners of an address block (section 2).

The net gives every second pixel of an envelope four scores, one for each corner of the address block. It learns maps
that are 1 at the corner and fall off as a Gaussian, by Euclidean loss. The maximum of each map is the corner. The
envelopes of the test are larger than those of training.
"""

import numpy as np
from PIL import Image, ImageDraw

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import XAVIER, best, draws, explain
from fcnlite.analysis.paper.related.drawing import envelope
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.arrays import Array
from fcnlite.models.builder import Builder
from fcnlite.net import Net

STRIDE, SPREAD, NEAR = 2, 4.0, 4
COLORS = {"top left": (220, 0, 0), "top right": (0, 150, 0), "bottom right": (0, 90, 250), "bottom left": (230, 130, 0)}


def maps(corners: Array, height: int, width: int) -> Array:
    """The wanted scores 4×H/2×W/2 of a picture of H×W: exp(−d² / 2σ²) at distance d from the corner, σ = 4 pixels."""
    rows, columns = STRIDE * np.mgrid[: height // STRIDE, : width // STRIDE] + 0.5
    squared = (columns - corners[:, 0, None, None]) ** 2 + (rows - corners[:, 1, None, None]) ** 2
    wanted: Array = np.exp(-squared / (2 * SPREAD**2))
    return wanted


def build(seed: int) -> Net:
    """A net with a pooling by 2, and a top of four maps."""
    net = Builder("wolf_platt")
    blob, wanted = net.input("data", 1, 1, 96, 128), net.input("maps", 1, 4, 48, 64)
    blob = net.pool("pool1", net.add("tanh1", "TanH", net.convolution("conv1", blob, 8, 5, pad=2, **XAVIER)), 2, 2)
    for i in (2, 3):
        blob = net.add(f"tanh{i}", "TanH", net.convolution(f"conv{i}", blob, 16, 7, pad=3, **XAVIER))
    net.add("loss", "EuclideanLoss", (net.convolution("score", blob, 4, 7, pad=3), wanted))
    return Net(net.spec(), phase="TRAIN", seed=seed)


def batch(rng: np.random.Generator) -> dict[str, Array]:
    """Four envelopes and their maps."""
    pictures, corners = zip(*[envelope(96, 128, rng) for _ in range(4)], strict=True)
    return {"data": np.stack(pictures), "maps": np.stack([maps(each, 96, 128) for each in corners])}


def distances(net: Net, split: str, seed: int) -> tuple[Array, list[tuple[Array, Array]]]:
    """The distance of each corner found from the true one in pixels, and the envelopes with the corners found."""
    rng, away, shown = draws(split, seed), [], []
    for picture, corners in [envelope(128, 192, rng) for _ in range(50)]:
        score = net.forward(data=picture[None])["score"][0]
        rows, columns = np.divmod(score.reshape(4, -1).argmax(1), score.shape[2])
        shown.append((picture, found := STRIDE * np.stack([columns, rows], 1) + 0.5))
        away.extend(np.hypot(*(found - corners).T))
    return np.array(away), shown


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the distances of the corners found from the true ones."""
    seed = settings.seed

    def near(net: Net) -> float:
        return float((distances(net, "validation", seed)[0] <= NEAR).mean())

    explain(page, __doc__)
    net, _ = best(page, lambda: build(seed), batch, settings.iterations or 300, seed, near)
    away, shown = distances(net, "test", seed)
    for i, (picture, found) in enumerate(shown[:2]):
        sheet = Image.fromarray(gray(1 - picture[0]))
        for (x, y), color in zip(found, COLORS.values(), strict=True):
            ImageDraw.Draw(sheet).ellipse((x - 4, y - 4, x + 4, y + 4), outline=color, width=2)
        page.picture(f"envelope-{i}", np.asarray(sheet), "The corners found.")
    page.legend(COLORS)
    page.compare("median distance of 200 corners", None, f"{np.median(away):.1f} pixels")
    page.compare(f"corners within {NEAR} pixels", None, f"{100 * (away <= NEAR).mean():.0f} %")
