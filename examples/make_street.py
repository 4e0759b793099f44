"""Draw a street for weights/camvid-fcn8s.h5: examples/street.png, and street_truth.png, the class of each pixel.

    python examples/make_street.py [FOLDER]

It has what the net expects of a photograph: a road between houses as a driver sees it, on a dull day, 480×360 pixels.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fcnlite import plots
from fcnlite.data.camvid import COLORS

SKY, BUILDING, POLE, ROAD, SIDEWALK, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
WIDTH, HEIGHT, HORIZON, MIDDLE = 480, 360, 165, 240


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    picture, truth = Image.new("RGB", (WIDTH, HEIGHT)), Image.new("L", (WIDTH, HEIGHT))
    pens = ImageDraw.Draw(picture), ImageDraw.Draw(truth)

    def paint(kind: str, points: list[tuple[float, float]], color: tuple[int, ...], label: int) -> None:
        for pen, fill in zip(pens, (color, label), strict=True):
            getattr(pen, kind)(points, fill=fill)

    paint("rectangle", [(0, 0), (WIDTH, HEIGHT)], (150, 143, 135), SIDEWALK)
    for y in range(HORIZON):
        paint("line", [(0, y), (WIDTH, y)], (170 + y // 3, 185 + y // 4, 205 + y // 6), SKY)
    paint("polygon", [(233, HORIZON), (247, HORIZON), (456, HEIGHT), (24, HEIGHT)], (95, 93, 95), ROAD)
    paint("line", [(MIDDLE, 185), (MIDDLE, HEIGHT)], (215, 215, 210), ROAD)
    for side, wall in ((-1, (120, 95, 80)), (1, (140, 125, 105))):
        corners = ((30, 135), (30, 169), (240, 260), (240, 0), (200, 0))
        paint("polygon", [(MIDDLE + side * x, y) for x, y in corners], wall, BUILDING)
        for away, floor in np.ndindex(5, 3):
            x, near = MIDDLE + side * (60 + 36 * away), (60 + 36 * away) / 240
            y, half = 135 - 130 * near * (0.8 - 0.3 * floor), 2 + 8 * near
            paint("rectangle", [(x - half, y), (x + half, y + 3 * half)], (50, 55, 62), BUILDING)
    for x, size in ((112, 22), (345, 20), (395, 30)):
        paint("rectangle", [(x - 3, 155), (x + 3, 205)], (60, 45, 35), TREE)
        for dx, dy, shade in rng.normal(0, 0.7, (150, 3)):
            left, top, color = x + size * dx - 6, 124 + size * dy, tuple(int(c + 11 * shade) for c in (45, 65, 35))
            paint("ellipse", [(left, top), (left + 12, top + 12)], color, TREE)
    for x, y, size, color in ((214, 188, 34, (150, 30, 30)), (318, 225, 84, (35, 40, 70))):
        top, low, wheel = y - 0.35 * size, y + 0.15 * size, size / 9
        paint("rectangle", [(x - size / 2, top), (x + size / 2, low)], color, CAR)
        paint("rectangle", [(x - 0.35 * size, top - 0.3 * size), (x + 0.35 * size, top)], (40, 45, 52), CAR)
        for at in (x - 0.35 * size, x + 0.35 * size):
            paint("ellipse", [(at - wheel, low - wheel), (at + wheel, low + wheel)], (20, 20, 20), CAR)
    dull = 0.6 * np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7))) + rng.normal(0, 2.5, (HEIGHT, WIDTH, 1))
    plots.save_png(folder / "street.png", Image.fromarray(dull.clip(0, 255).astype(np.uint8)))
    plots.save_png(folder / "street_truth.png", plots.label_image(np.array(truth), COLORS))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
