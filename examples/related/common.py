"""What the examples of this folder share: their options and how they write their picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from fcnlite import plots


def options(description: str | None, name: str, iterations: int, arguments: list[str] | None) -> argparse.Namespace:
    """`iterations` and `out`, the folder for the picture, from the command line."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--iterations", type=int, default=iterations, help="of training; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("related") / name, help="folder; default: %(default)s")
    return parser.parse_args(arguments)


def picture(values: np.ndarray) -> Image.Image:
    """The picture of H×W gray or 3×H×W RGB values from 0 to 1; others are clipped."""
    return Image.fromarray(np.moveaxis(255 * values.clip(0, 1), 0, -1 if values.ndim == 3 else 0).astype(np.uint8))


def save(folder: Path, name: str, shown: Image.Image, factor: int = 1) -> None:
    """Write `shown`, enlarged by `factor`, to folder/name.png."""
    folder.mkdir(parents=True, exist_ok=True)
    enlarged = shown.resize((factor * shown.width, factor * shown.height), Image.Resampling.NEAREST)
    plots.save_png(folder / f"{name}.png", enlarged)
