"""fcnlite: fully convolutional networks for semantic segmentation, on CPUs.

    net = fcnlite.load("weights.h5")            # or ("net.prototxt", "weights.caffemodel")
    out = net.forward(data=x)                   # {"score": array}, any height and width
    labels = fcnlite.Segmenter("weights.h5")(image)

Importing this package is cheap: what follows is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fcnlite._version import __version__

if TYPE_CHECKING:
    from fcnlite import caffe, data, interop, layers, metrics, models, plots, shapes, solver, storage, surgery
    from fcnlite.config import set_num_threads, show_config
    from fcnlite.errors import FcnliteError
    from fcnlite.loading import load
    from fcnlite.net import Net
    from fcnlite.segmenter import Segmenter
    from fcnlite.solver import SGD, AdaDelta, AdaGrad, Adam, AdamW, Nesterov, RMSProp
    from fcnlite.spec import LayerSpec, NetSpec

_HOME = {
    "AdaDelta": "solver",
    "AdaGrad": "solver",
    "Adam": "solver",
    "AdamW": "solver",
    "FcnliteError": "errors",
    "LayerSpec": "spec",
    "Nesterov": "solver",
    "Net": "net",
    "NetSpec": "spec",
    "RMSProp": "solver",
    "SGD": "solver",
    "Segmenter": "segmenter",
    "load": "loading",
    "set_num_threads": "config",
    "show_config": "config",
}
_MODULES = (
    "caffe",
    "data",
    "interop",
    "layers",
    "metrics",
    "models",
    "plots",
    "shapes",
    "solver",
    "storage",
    "surgery",
)

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "FcnliteError",
    "LayerSpec",
    "Nesterov",
    "Net",
    "NetSpec",
    "RMSProp",
    "Segmenter",
    "__version__",
    "caffe",
    "data",
    "interop",
    "layers",
    "load",
    "metrics",
    "models",
    "plots",
    "set_num_threads",
    "shapes",
    "show_config",
    "solver",
    "storage",
    "surgery",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fcnlite.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"fcnlite.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fcnlite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
