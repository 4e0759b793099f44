"""The options that say which results predict writes, besides label maps and overlays."""

from __future__ import annotations

import argparse

from fcnlite.data.annotations.libraries import shapely
from fcnlite.segmentation.outputs.polygons import FORMATS
from fcnlite.segmentation.outputs.results import PROBABILITIES, Wanted
from fcnlite.segmentation.outputs.selection import Selection
from fcnlite.segmentation.segmenter import Segmenter


def add_outputs(to: argparse.ArgumentParser) -> None:
    """Add the options; `wanted_outputs` reads them."""
    group = to.add_argument_group("further results (of the first label map)")
    words = "write the probabilities of the classes: OUT/NAME_probabilities.tif (16 bits, 65535 is 1) or .npy (float32)"
    group.add_argument("--probabilities", choices=tuple(PROBABILITIES), help=words)
    words = (
        "write a polygon for each connected region, except of the class background: OUT/annotations.json (coco), "
        "OUT/NAME.geojson or OUT/NAME.json (labelme)"
    )
    group.add_argument("--polygons", choices=tuple(FORMATS), help=words)
    words = "how far polygons may be from the label map; 0: along the sides of the pixels (default: 1)"
    group.add_argument("--tolerance", metavar="PIXELS", type=float, default=1.0, help=words)
    words = "write a table of the area, the share and the number of connected objects of each class and picture"
    group.add_argument("--table", metavar="FILE.csv", help=words)
    words = (
        "for pictures that are GeoTIFFs: write OUT/NAME.tif with their georeference, and areas and GeoJSON in its units"
    )
    group.add_argument("--geotiff", action="store_true", help=words)
    group = to.add_argument_group("which pixels keep their class (the others are 255, unknown)")
    words = "keep these classes, with commas between them"
    group.add_argument("--only", metavar="CLASS,CLASS", type=_names, default=[], help=words)
    words = "keep pixels whose class has at least this probability"
    group.add_argument("--min-confidence", metavar="P", type=float, default=0.0, help=words)
    words = "give regions of fewer pixels the class of the nearest larger region"
    group.add_argument("--min-area", metavar="PIXELS", type=int, default=0, help=words)


def wanted_outputs(options: argparse.Namespace, segmenter: Segmenter) -> Wanted:
    """The results that the options ask for.

    Raises `DataError` for unknown classes and values out of range, `FcnliteError` where polygons lack their library.
    """
    if options.polygons is not None:
        shapely()
    return Wanted(
        Selection.of(segmenter.classes, options.only, options.min_confidence, options.min_area),
        options.probabilities,
        options.polygons,
        options.tolerance,
        options.geotiff,
        options.table is not None or options.json is not None,
    )


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of names with commas between them")
    return names
