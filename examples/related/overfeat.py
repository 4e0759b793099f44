"""Sermanet et al. (OverFeat): a classifier of patches detects shapes in a large picture.

    python examples/related/overfeat.py [--iterations 400] [--out related/overfeat]

LeNet learns 28×28 patches: a shape in the middle, or none. Made fully convolutional, it scores every window of a
picture at a stride of 4 pixels. The most probable of overlapping windows is a detection, right if the class is right
and the IU with the true box is at least 0.5. The figure is F1 = 2 · right / (detections + shapes).
"""

import numpy as np
from common import options, picture, save
from PIL import Image, ImageDraw

import fcnlite
from fcnlite import models, surgery

SIDE, MIDDLE, STRIDE = 28, 13.5, 4
Shape = tuple[int, float, float]  # class, centre x, centre y


def draw(height: int, width: int, shapes: list[Shape], rng: np.random.Generator) -> np.ndarray:
    """A 1×H×W picture from −0.5 to 0.5: bright shapes on a background with a slope and noise."""
    drawn = Image.new("L", (width, height), int(rng.integers(30, 90)))
    for kind, x, y in shapes:
        turn, fill, circle = int(rng.integers(-20, 21)), int(rng.integers(130, 250)), (x, y, rng.uniform(9, 12))
        ImageDraw.Draw(drawn).regular_polygon(circle, (48, 4, 3)[kind - 1], rotation=turn, fill=fill)
    noise = np.linspace(-20, 20, width) * rng.uniform(-1, 1) + rng.normal(0, 12, (height, width))
    return (drawn + noise)[None] / 255 - 0.5


def patch(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """A patch and its class: that of a shape within 3 pixels of the middle, or 0 if the shape is 8 or more away."""
    inside, kind, angle = rng.uniform() < 0.6, int(rng.integers(1, 4)), rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0, 3) if inside else rng.uniform(8, 24)
    shape = kind, MIDDLE + away * np.cos(angle), MIDDLE + away * np.sin(angle)
    return draw(SIDE, SIDE, [shape], rng), kind if inside else 0


def iu(a: Shape, b: Shape) -> float:
    shared = max(0, SIDE - abs(a[1] - b[1])) * max(0, SIDE - abs(a[2] - b[2]))
    return shared / (2 * SIDE**2 - shared)


def detect(prob: np.ndarray, threshold: float = 0.8) -> list[Shape]:
    """The windows whose probability of a shape reaches the threshold and is the largest nearby."""
    best, found = prob[1:].max(0), list[Shape]()
    for row, column in np.argwhere(best >= threshold)[np.argsort(-best[best >= threshold], kind="stable")].tolist():
        window = int(prob[1:, row, column].argmax()) + 1, STRIDE * column + MIDDLE, STRIDE * row + MIDDLE
        if all(iu(window, each) < 0.2 for each in found):
            found.append(window)
    return found


def main(arguments: list[str] | None = None) -> float:
    given = options(__doc__, "overfeat", 400, arguments)
    rng, net = np.random.default_rng(0), models.build("lenet", classes=4, width=0.4, phase="TRAIN")
    solver = fcnlite.Adam(net, base_lr=2e-3, lr_policy="poly", power=1, max_iter=given.iterations)
    for _ in range(given.iterations):
        patches, kinds = zip(*[patch(rng) for _ in range(32)], strict=True)
        solver.step(data=np.stack(patches), label=np.array(kinds))
    spec, weights = surgery.fully_convolutional(net.spec, {k: [p.array for p in v] for k, v in net.params.items()})
    surgery.transplant(detector := fcnlite.Net(spec), weights)
    right = total = 0
    for _ in range(10):  # pictures with shapes in 12 cells of a grid of 4×6 cells, each 40 pixels wide
        corners = 40 * np.stack(np.divmod(rng.permutation(24)[:12], 6), 1)
        shapes = [(int(rng.integers(1, 4)), *(corner[::-1] + rng.uniform(16, 24, 2)).tolist()) for corner in corners]
        scene = draw(160, 240, shapes, rng)
        found = detect(detector.forward(data=scene[None])["prob"][0])
        right += sum(a[0] == b[0] and iu(a, b) >= 0.5 for a in found for b in shapes)
        total += len(found) + len(shapes)
    sheet = picture(scene[0] + 0.5).convert("RGB")
    for kind, x, y in found:
        ImageDraw.Draw(sheet).regular_polygon((x, y, SIDE / 2**0.5), 4, outline=("red", "lime", "cyan")[kind - 1])
    save(given.out, "overfeat", sheet, 3)
    print(f"F1 of the detections in 10 pictures: {(figure := 2 * right / total):.3f}")
    return figure


if __name__ == "__main__":
    main()
