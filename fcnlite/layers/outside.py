"""The layer types of Caffe and its forks that fcnlite does not compute, and why.

A net that has such a layer is read, and what does not depend on the layer runs.
"""

from __future__ import annotations

_DETECTION = "is a layer of object detection, and fcnlite is for dense prediction."
_SEQUENCES = "is a layer over sequences, and fcnlite is for pictures."
TYPES = {
    _DETECTION: """
        AnnotatedData DetectionEvaluate DetectionOutput MultiBoxLoss PriorBox Proposal PSROIAlign PSROIPooling
        RegionLoss ROIAlign ROIPooling Yolov3DetectionOutput""",
    _SEQUENCES: "LSTM LSTMUnit Recurrent RNN",
    "looks up words by number, and fcnlite is for pictures.": "Embed",
    "makes a batch whose size depends on values, and in fcnlite shapes depend on shapes only.": "BatchReindex Filter",
    "compares pairs of pictures, and fcnlite is for dense prediction.": "ContrastiveLoss",
    "writes a file, and in fcnlite the caller writes what forward returns.": "HDF5Output MatWrite",
    "scores predictions, which `python -m fcnlite.evaluate` does.": "SegAccuracy",
    "is a dense CRF that does not learn, and fcnlite has the one that learns, MultiStageMeanfield.": "DenseCRF",
}
"""By the end of the sentence that says why: the types."""


def reason(type_: str) -> str:
    """Why fcnlite does not compute the type, as the end of a sentence; empty for other types."""
    return next((why for why, types in TYPES.items() if type_ in types.split()), "")
