"""Write examples/shapes.png and examples/shapes_truth.png, the first picture of `make demo` and its labels.

    python examples/make_shapes.py [FOLDER]

The picture is a generated scene of 480×320 pixels from the test split. On it, weights/shapes-fcn8s.h5 has a mean IU of
0.937, the closest to the median (0.935) of the first 100 scenes, so that it shows the net's typical quality.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from fcnlite import data, plots

INDEX = 41


def main(folder: Path) -> None:
    scenes = data.open("shapes", split="test", scene=True, size=320)
    sample = scenes[INDEX]
    plots.save_png(folder / "shapes.png", Image.fromarray(sample.image))
    plots.save_png(folder / "shapes_truth.png", plots.label_image(sample.label, scenes.colors))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
