"""fcnlite: fully convolutional networks for semantic segmentation, on CPUs.

    net = fcnlite.load("weights.h5")            # or ("net.prototxt", "weights.caffemodel")
    out = net.forward(data=x)                   # {"score": array}, any height and width
    labels = fcnlite.Segmenter("weights.h5")(image)

Importing this package is cheap: each name below is imported when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from fcnlite._cli import starting
from fcnlite._version import __version__

if starting.is_command():
    starting.end_plainly()

if sys.byteorder != "little":
    # Weight files are mapped, and the kernels read them as they are.
    raise ImportError("fcnlite runs on little-endian machines, such as x86-64 and ARM; this one is big-endian.")

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from fcnlite import data, distributed, layers, models, solver, surgery
    from fcnlite.analysis import dense
    from fcnlite.config import set_max_memory, set_num_threads
    from fcnlite.description import fillers, shapes, spec
    from fcnlite.description.spec import LayerSpec, NetSpec
    from fcnlite.environment import show_config
    from fcnlite.errors import FcnliteError
    from fcnlite.formats import caffe, interop, storage
    from fcnlite.loading import load
    from fcnlite.net import Net
    from fcnlite.segmentation import metrics, plots
    from fcnlite.segmentation.segmenter import Segmenter
    from fcnlite.solver import SGD, AdaDelta, AdaGrad, Adam, AdamW, Nesterov, RMSProp

_HOME = {
    "AdaDelta": "solver",
    "AdaGrad": "solver",
    "Adam": "solver",
    "AdamW": "solver",
    "FcnliteError": "errors",
    "LayerSpec": "description.spec",
    "Nesterov": "solver",
    "Net": "net",
    "NetSpec": "description.spec",
    "RMSProp": "solver",
    "SGD": "solver",
    "Segmenter": "segmentation.segmenter",
    "load": "loading",
    "set_max_memory": "config",
    "set_num_threads": "config",
    "show_config": "environment",
}
"""The module of each public class and function."""
_MODULES = ("data", "distributed", "layers", "models", "solver", "surgery")
_SHORT_NAMES = {
    "caffe": "formats.caffe",
    "dense": "analysis.dense",
    "fillers": "description.fillers",
    "interop": "formats.interop",
    "metrics": "segmentation.metrics",
    "plots": "segmentation.plots",
    "shapes": "description.shapes",
    "spec": "description.spec",
    "storage": "formats.storage",
}
"""Public modules that users import by a shorter name: `fcnlite.metrics` is `fcnlite.segmentation.metrics`."""

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
    "dense",
    "distributed",
    "fillers",
    "interop",
    "layers",
    "load",
    "metrics",
    "models",
    "plots",
    "set_max_memory",
    "set_num_threads",
    "shapes",
    "show_config",
    "solver",
    "spec",
    "storage",
    "surgery",
]


class _ShortNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds short names such as `fcnlite.metrics`, also in `import` statements: the same module under both names."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, rest = name.partition(".")
        if package != "fcnlite" or rest.split(".")[0] not in _SHORT_NAMES:
            return None
        return importlib.util.spec_from_loader(name, self)

    def exec_module(self, module: ModuleType) -> None:
        first, *rest = module.__name__.split(".")[1:]
        sys.modules[module.__name__] = importlib.import_module(".".join(("fcnlite", _SHORT_NAMES[first], *rest)))


sys.meta_path.insert(0, _ShortNames())


def __getattr__(name: str) -> Any:
    if name in _MODULES or name in _SHORT_NAMES:
        return importlib.import_module(f"fcnlite.{name}")
    if name in _HOME:
        value = getattr(importlib.import_module(f"fcnlite.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'fcnlite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
