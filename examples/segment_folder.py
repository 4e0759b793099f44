"""Segment every picture of a folder: write label maps, overlays, and a table of the area of each class.

    python examples/segment_folder.py weights.h5 holiday segmented

The table, segmented/shares.csv, has a row for each picture and a column for each class.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from fcnlite import Segmenter, plots
from fcnlite.data.pictures import SUFFIXES, read_image
from fcnlite.errors import FcnliteError


def main(weights: str, folder: str, out: str) -> None:
    segment = Segmenter(weights)  # reads the weights once; pictures may differ in size
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    with (target / "shares.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["picture", *segment.classes])
        for path in sorted(each for each in Path(folder).iterdir() if each.suffix.lower() in SUFFIXES):
            try:
                image = read_image(path)  # H×W×3 uint8, rotated as the camera was held
                labels = segment(image)  # H×W uint8: the class of every pixel
            except FcnliteError as error:
                print(f"skipped: {error}", file=sys.stderr)
                continue
            shares = np.bincount(labels.ravel(), minlength=len(segment.classes)) / labels.size
            table.writerow([path.name, *(f"{share:.4f}" for share in shares)])
            plots.save_png(target / f"{path.name}_labels.png", plots.label_image(labels, segment.colors))
            tinted = plots.overlay(image, labels, segment.classes, segment.colors)
            tinted = plots.with_legend(tinted, labels, segment.classes, segment.colors)
            plots.save_png(target / f"{path.name}_overlay.png", tinted)
            print(f"{path.name}: mostly {segment.classes[int(shares.argmax())]}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
