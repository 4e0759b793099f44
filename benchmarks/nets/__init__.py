"""Nets that the zoo does not have, as their papers or the usual Caffe ports describe them, with random weights."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.nets import deeplab, encoder_decoder, enet, mobilenet, resnet, small
from fcnlite.description.spec import NetSpec

NETS: dict[str, Callable[[int], NetSpec]] = {
    "deeplab-largefov": deeplab.largefov,
    "resnet-50": resnet.resnet50,
    "pspnet-50": resnet.pspnet50,
    "mobilenet-v1": mobilenet.mobilenet_v1,
    "mobilenet-v2": mobilenet.mobilenet_v2,
    "squeezenet-1.1": small.squeezenet,
    "det1": small.det1,
    "enet": enet.enet,
    "erfnet": enet.erfnet,
    "segnet-basic": encoder_decoder.segnet_basic,
    "u-net": encoder_decoder.unet,
}
"""Each takes the number of classes."""
