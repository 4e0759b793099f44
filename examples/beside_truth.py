"""Show a picture, the ground truth, a net's prediction and its errors side by side, and print the mean IU.

    python examples/beside_truth.py weights.h5 picture.png truth.png sheet.png

The ground truth is a label map: a PNG whose pixels are class numbers, or 255 for pixels that do not count.
"""

from __future__ import annotations

import sys

from fcnlite import Segmenter, plots
from fcnlite.data.label_files import read_label
from fcnlite.data.pictures import read_image
from fcnlite.errors import FcnliteError
from fcnlite.segmentation.metrics import Metrics, confusion, text


def main(weights: str, picture: str, truth: str, sheet: str) -> None:
    segment = Segmenter(weights)
    image, labels = read_image(picture), read_label(truth)
    predicted = segment(image)
    metrics = Metrics.from_matrix(confusion(labels, predicted, len(segment.classes)))
    title = f"mean IU {text(metrics.mean_iu)}, pixel accuracy {text(metrics.pixel_accuracy)}"
    plots.sample_sheet(sheet, [(image, labels, predicted)], segment.classes, segment.colors, [title], cell=480)
    print(f"{sheet}: {title}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except FcnliteError as error:
        sys.exit(str(error))
