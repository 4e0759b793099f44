"""The picture and the upsampled scores of FCN-32s along one axis, in pixels of the picture."""

from _cells import box, color, document, words

from fcnlite import layers, models, shapes
from fcnlite.net import Net

SIDE = 500
SCALE = 0.9
START = 40


def draw() -> str:
    spec = models.describe("voc-fcn32s", width=1 / 64)
    known = shapes.placements(layers.links(spec.for_phase("TEST").layers, 0))
    offset = shapes.crop_offset(known, "upscore", "data")
    steps = Net(spec).shapes({"data": (1, 3, SIDE, SIDE)})
    sizes = {layer.spec.name: tops[0][2] for layer, _, tops in steps}
    coarse, upsampled = sizes["score_fr"], sizes["upscore"]
    stride, centre = (float(each) for each in (known["score_fr"][1].stride, known["score_fr"][1].offset))

    def at(pixel: float) -> float:
        return START + SCALE * (pixel + offset)

    parts = [words(START, 24, "scores, one for every 32 pixels", 13, "start")]
    for i in range(coarse):
        x = at(centre + stride * i)
        parts.append(f'<circle cx="{x:g}" cy="50" r="5" fill="{color(2)}"/>')
    parts.append(words(START, 88, f"upsampled: {upsampled} pixels, the first one at pixel −{offset}", 13, "start"))
    parts.append(box(at(-offset), 100, SCALE * upsampled, 26, 2, 0.15))
    parts.append(words(START, 152, f"picture: {SIDE} pixels", 13, "start"))
    parts.append(box(at(0), 164, SCALE * SIDE, 26, 1, 0.25))
    for pixel, text in ((0, f"{offset} cut off"), (SIDE, f"{upsampled - offset - SIDE} cut off")):
        parts.append(
            f'<line x1="{at(pixel):g}" y1="36" x2="{at(pixel):g}" y2="204" stroke="{color(1)}" stroke-dasharray="4 3"/>'
        )
        parts.append(words(at(pixel), 218, text, 12, "middle" if pixel else "start"))
    return document(560, 232, parts)
