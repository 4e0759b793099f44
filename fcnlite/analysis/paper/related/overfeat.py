"""Sermanet et al. (OverFeat): a classifier of patches detects shapes in a large picture (section 2).

LeNet learns to classify 28×28 patches: a shape in the middle, or none. Made fully convolutional, it scores every window
of a picture at a stride of 4 pixels. The most probable of overlapping windows is a detection, right if the class is
right and the IU with the true box is at least 0.5. F1 is 2 · right / (detections + shapes).
"""

import numpy as np
from PIL import Image, ImageDraw

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import best, draws, explain
from fcnlite.analysis.paper.related.drawing import Shape, shapes
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.arrays import Array
from fcnlite.net import Net

SIDE, MIDDLE, STRIDE, COLORS = 28, 13.5, 4, ("red", "lime", "cyan")


def patch(rng: np.random.Generator) -> tuple[Array, int]:
    """A patch and its class: that of a shape within 3 pixels of the middle, or 0 if the shape is 8 or more away."""
    inside, kind, angle = rng.uniform() < 0.6, int(rng.integers(1, 4)), rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0, 3) if inside else rng.uniform(8, 24)
    shape = kind, MIDDLE + away * np.cos(angle), MIDDLE + away * np.sin(angle)
    return shapes(SIDE, SIDE, [shape], rng)[None], kind if inside else 0


def batch(rng: np.random.Generator) -> dict[str, Array]:
    patches, kinds = zip(*[patch(rng) for _ in range(32)], strict=True)
    return {"data": np.stack(patches), "label": np.array(kinds)}


def iu(a: Shape, b: Shape) -> float:
    shared = max(0.0, SIDE - abs(a[1] - b[1])) * max(0.0, SIDE - abs(a[2] - b[2]))
    return shared / (2 * SIDE**2 - shared)


def detect(prob: Array, threshold: float = 0.8) -> list[Shape]:
    """The windows whose probability of a shape reaches the threshold and is the largest nearby."""
    sure, found = prob[1:].max(0), list[Shape]()
    for row, column in np.argwhere(sure >= threshold)[np.argsort(-sure[sure >= threshold], kind="stable")].tolist():
        window = int(prob[1:, row, column].argmax()) + 1, STRIDE * column + MIDDLE, STRIDE * row + MIDDLE
        if all(iu(window, each) < 0.2 for each in found):
            found.append(window)
    return found


def detections(net: Net, split: str, seed: int) -> tuple[float, Array, list[Shape]]:
    """F1 in 20 pictures, the last picture and what was found in it."""
    spec, weights = surgery.fully_convolutional(net.spec, {k: [p.array for p in v] for k, v in net.params.items()})
    surgery.transplant(detector := Net(spec), weights)
    rng, right, total = draws(split, seed), 0, 0
    for _ in range(20):  # shapes in 12 cells of a grid of 4×6 cells, each 40 pixels wide
        corners = 40 * np.stack(np.divmod(rng.permutation(24)[:12], 6), 1)
        true = [(int(rng.integers(1, 4)), *(corner[::-1] + rng.uniform(16, 24, 2)).tolist()) for corner in corners]
        scene = shapes(160, 240, true, rng)
        found = detect(detector.forward(data=scene[None, None])["prob"][0])
        right += sum(any(a[0] == b[0] and iu(a, b) >= 0.5 for b in true) for a in found)
        total += len(found) + len(true)
    return 2 * right / total, scene, found


def build(seed: int) -> Net:
    return models.build("lenet", classes=4, width=0.4, phase="TRAIN", seed=seed)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with F1 of the detections."""
    seed, steps = settings.seed, settings.iterations or 400
    explain(page, __doc__)
    net, _ = best(page, lambda: build(seed), batch, steps, seed, lambda net: detections(net, "validation", seed)[0])
    f1, scene, found = detections(net, "test", seed)
    page.compare("F1 of the detections in 20 pictures of 12 shapes", None, f"{f1:.3f}")
    sheet = Image.fromarray(gray(scene + 0.5))
    for kind, x, y in found:
        ImageDraw.Draw(sheet).regular_polygon((x, y, SIDE / 2**0.5), 4, outline=COLORS[kind - 1])
    page.picture("detections", np.asarray(sheet), "Detections: circles red, squares green, triangles blue.")
