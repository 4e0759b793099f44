"""Draw docs/augmentation.png: every transform of training pictures, on one generated picture and its labels.

    python examples/augmentation_sheet.py [FILE]

The first cell is the picture as it is. Each label map is inset, a third as large; void is pale. A second generated
picture is mixed in.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from fcnlite import data, plots
from fcnlite.data.augmentation import Augment, Streams, augmented
from fcnlite.description.model_info import Preprocessing

COLUMNS, WIDTH, HEIGHT, TITLE = 6, 180, 120, 14
PICTURES = 4, 11
CELLS = (
    ("", 0), ("scale=0.5:2", 3), ("turn", 2), ("crop=80:120", 1), ("classcrop=1", 5), ("flip", 3),
    ("shift=32", 0), ("rotation=20", 0), ("perspective=0.2", 0), ("elastic=12:48", 0), ("brightness=0.5", 4),
    ("contrast=0.7", 8), ("gamma=0.9", 5), ("temperature=0.3", 1), ("saturation=1", 4), ("hue=0.3", 0), ("blur=4", 1),
    ("noise=60", 1), ("cutout=2", 0), ("cutmix=1", 0), ("classmix=1", 0),
)  # fmt: skip
"""Entries, stronger than usual so that they show, and the epoch whose random numbers are drawn."""


def cell(scenes: data.Dataset, entry: str, epoch: int) -> Image.Image:
    """A picture after the entry, with its labels, below the entry's text."""
    crop = "crop=80:120" if entry.startswith(("crop", "classcrop")) else f"crop={HEIGHT}:{WIDTH}"
    settings = Augment.of([crop, *([entry] if entry and entry != crop else [])])
    read = [scenes[index] for index in PICTURES].__getitem__
    sample = augmented(read, len(PICTURES), settings, Streams(0, epoch, 0), Preprocessing())
    made = Image.new("RGB", (WIDTH, TITLE + HEIGHT), "white")
    ImageDraw.Draw(made).text((2, 1), entry or "the picture", "black")
    made.paste(Image.fromarray(sample.image), (0, TITLE))
    labels = plots.label_image(sample.label, scenes.colors).convert("RGB").resize((WIDTH // 3, HEIGHT // 3))
    made.paste(labels, (WIDTH - WIDTH // 3, TITLE + HEIGHT - HEIGHT // 3))
    return made


def main(path: Path) -> None:
    scenes = data.open("shapes", scene=True, size=HEIGHT)
    rows = -(-len(CELLS) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * (WIDTH + 4) - 4, rows * (HEIGHT + TITLE + 4) - 4), "white")
    for number, (entry, epoch) in enumerate(CELLS):
        row, column = divmod(number, COLUMNS)
        sheet.paste(cell(scenes, entry, epoch), (column * (WIDTH + 4), row * (HEIGHT + TITLE + 4)))
    plots.save_png(path, sheet.quantize(256))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "augmentation.png")
