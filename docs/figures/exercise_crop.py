"""Where the outputs of conv 3 (pad 3), pool 2 and deconv 4/2 are along a picture of 8 pixels."""

from _cells import box, color, document, words

from fcnlite.exercise.solutions.crop import crop_offset, placement

LAYERS = [("conv", 3, 1, 3), ("pool", 2, 2, 0), ("deconv", 4, 2, 0)]
NAMES = ("picture", "conv 3, pad 3", "pool 2, stride 2", "deconv 4, stride 2")
STEP = 26
ORIGIN = 250


def draw() -> str:
    parts, size = [], 8
    for row, name in enumerate(NAMES):
        if row:
            kind, kernel, stride, pad = LAYERS[row - 1]
            size = (size - 1) * stride + kernel if kind == "deconv" else -(-(size + 2 * pad - kernel) // stride) + 1
        step, offset = placement(LAYERS[:row])
        y = 30 + 46 * row
        parts.append(words(10, y, name, 13, "start"))
        for i in range(size):
            x = ORIGIN + STEP * float(step * i + offset)
            crop = row == 3 and i < (crop_offset(LAYERS) or 0)
            parts.append(
                box(x - 9, y - 11, 18, 22, 2 if crop else 1 if row in (0, 3) else 0, 0.25 if row in (0, 3) else 0)
            )
            parts.append(words(x, y, str(i), 11))
    for at in (0, 7):
        x = ORIGIN + STEP * at
        parts.append(
            f'<line x1="{x}" y1="42" x2="{x}" y2="156" stroke="{color(1)}" stroke-width="1" stroke-dasharray="4 3"/>'
        )
    parts.append(words(ORIGIN - STEP * 1.5, 196, "cut off", 12))
    return document(560, 210, parts)
