"""The options that name a net and say how it takes pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fcnlite._cli.parser import positive
from fcnlite.errors import FileError, SpecError
from fcnlite.loading import load
from fcnlite.segmentation.segmenter import Segmenter


def add_weights(to: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the argument WEIGHTS, or several, and the options --net, --mean, --scale and --order.

    `open_segmenter` reads them.
    """
    words = "a weight file (.h5), or a .caffemodel together with --net"
    count: dict[str, Any] = {"nargs": "+"} if several else {}
    to.add_argument("weights", metavar="WEIGHTS", help=words, **count)
    to.add_argument("--net", metavar="PROTOTXT", help="the net's description, for weights that come without one")
    add_preprocessing(to)


def add_preprocessing(to: argparse.ArgumentParser) -> None:
    """Add the options --mean, --scale and --order; `preprocessing_settings` reads them."""
    group = to.add_argument_group("preprocessing of pictures (default: as the weight file or the description says)")
    words = "the value to subtract: one number, one for each channel in the net's order, or a .binaryproto or .npy file"
    group.add_argument("--mean", metavar="B,G,R", help=words)
    group.add_argument("--scale", metavar="X", type=float, help="the factor to multiply by after subtracting the mean")
    group.add_argument("--order", choices=("bgr", "rgb"), help="the order of the colours in the net's input")


def preprocessing_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The values of --mean, --scale and --order as arguments of `load`. Raises `SpecError` for a malformed mean."""
    mean: Any = options.mean
    if mean is not None and not Path(mean).is_file():
        try:
            values = [float(each) for each in mean.split(",")]
        except ValueError:
            raise SpecError(
                f"--mean {mean}: is neither a file nor numbers; expected one number, or one for each channel, such as "
                "104,117,123."
            ) from None
        mean = values[0] if len(values) == 1 else values
    return {"mean": mean, "scale": options.scale, "order": options.order}


def add_views(to: argparse.ArgumentParser) -> None:
    """Add the options --flip, --scales, --tile and --overlap; `open_segmenter` reads them."""
    group = to.add_argument_group("views (the class probabilities of all views of a picture are averaged)")
    group.add_argument("--flip", action="store_true", help="segment each picture mirrored left to right too")
    words = "segment each picture at these scales, such as 0.75 1 1.25 (default: 1)"
    group.add_argument("--scales", metavar="FACTOR", type=float, nargs="+", default=[1.0], help=words)
    words = "compute larger pictures in tiles of this many pixels along each side, with the scores of the whole picture"
    to.add_argument("--tile", metavar="PIXELS", type=positive, help=words)
    words = "let tiles overlap by so many pixels only, and blend their scores, which then differ near the seams"
    to.add_argument("--overlap", metavar="PIXELS", type=_count, help=words)


def open_segmenter(options: argparse.Namespace) -> Segmenter:
    """A segmenter with the net, the preprocessing and the views that the options name."""
    settings = preprocessing_settings(options)
    views: dict[str, Any] = {"flip": options.flip, "scales": options.scales}
    views |= {"tile": options.tile, "overlap": options.overlap}
    if options.net is not None:
        return Segmenter(load(options.net, options.weights, **settings), **views)
    if Path(options.weights).suffix in (".caffemodel", ".prototxt"):
        raise FileError(
            f"{options.weights}: is not a self-contained weight file (.h5); "
            "for Caffe's files give the .caffemodel and --net net.prototxt."
        )
    if any(value is not None for value in settings.values()):
        return Segmenter(load(options.weights, **settings), **views)
    return Segmenter(options.weights, **views)


def _count(text: str) -> int:
    """An argument type: a whole number."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)
