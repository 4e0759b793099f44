"""Real calls of the kernels: small nets run and train, and the arguments of some calls of every function are kept."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import fcnlite
from fcnlite._kernels import isa
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from fcnlite.segmentation.metrics import confusion
from fcnlite.segmentation.segmenter import best_classes

KEPT = 6
"""The calls that are kept of each function."""

MANY = """
input: "data" input_dim: 2 input_dim: 6 input_dim: 20 input_dim: 22 force_backward: true
layer { name: "dilated" type: "Convolution" bottom: "data" top: "dilated"
  convolution_param { num_output: 24 kernel_size: 3 dilation: 2 pad: 2 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "dilated" top: "bn" }
layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }
layer { name: "average" type: "Pooling" bottom: "bn" top: "average"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "wide" type: "Convolution" bottom: "average" top: "wide"
  convolution_param { num_output: 32 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "groups" type: "Convolution" bottom: "wide" top: "groups"
  convolution_param { num_output: 8 kernel_size: 3 group: 2 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "lrn" type: "LRN" bottom: "groups" top: "lrn" }
layer { name: "scores" type: "Slice" bottom: "data" top: "u" top: "colours" }
layer { name: "crf" type: "MultiStageMeanfield" bottom: "u" bottom: "u" bottom: "colours" top: "crf"
  multi_stage_meanfield_param { num_iterations: 2 theta_alpha: 5 theta_beta: 1 theta_gamma: 2 } }
layer { name: "up" type: "Deconvolution" bottom: "lrn" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "max" type: "Pooling" bottom: "up" top: "max" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "product" type: "InnerProduct" bottom: "max" top: "product"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
"""
"""Layers that the zoo's nets lack."""

RESIDUAL = """
input: "data" input_dim: 2 input_dim: 5 input_dim: 9 input_dim: 20
layer { name: "first" type: "Convolution" bottom: "data" top: "first"
  convolution_param { num_output: 20 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "own" type: "Convolution" bottom: "first" top: "own"
  convolution_param { num_output: 20 group: 20 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "first" bottom: "own" top: "sum" }
layer { name: "limited" type: "ReLU6" bottom: "sum" top: "sum" }
layer { name: "both" type: "Concat" bottom: "sum" bottom: "first" top: "both" }
layer { name: "bn" type: "BatchNorm" bottom: "both" top: "bn" }
layer { name: "max" type: "Pooling" bottom: "bn" top: "max" top: "places" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "unpooled" type: "Upsample" bottom: "max" bottom: "places" top: "unpooled"
  upsample_param { upsample_h: 9 upsample_w: 20 } }
layer { name: "up" type: "Deconvolution" bottom: "unpooled" top: "up"
  convolution_param { num_output: 5 kernel_size: 4 stride: 2 weight_filler { type: "xavier" } } }
"""
"""Layers that have kernels in inference only."""


class Call(NamedTuple):
    """The arguments of a call, with copies of the arrays."""

    arguments: list[Any]
    options: dict[str, Any]


def functions() -> dict[str, Callable[..., Any]]:
    """All functions of the kernels, for the instruction set in use, by module and name."""
    names = ["update", "confusion", "best_class", "permutohedral", "pooling.nchw", "products.im2col", "products.blas"]
    names += [f"fast_{isa.name()}"]
    modules = [importlib.import_module(f"fcnlite._kernels.{name}") for name in names]
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if type(value).__name__ in ("cython_function_or_method", "fused_cython_function")
    }


def recorded(drive: Callable[[], object]) -> dict[str, list[Call]]:
    """The first calls that `drive` makes of each function, by module and name."""
    calls: dict[str, list[Call]] = {}
    with _recording(calls):
        drive()
    return calls


@contextmanager
def _recording(calls: dict[str, list[Call]]) -> Iterator[None]:
    """Replace every kernel, where a module of fcnlite has it, by one that keeps its arguments."""
    replaced: list[tuple[ModuleType, str, Any]] = []
    for name, function in functions().items():
        for module in [each for key, each in sys.modules.items() if key.startswith("fcnlite")]:
            for attribute, value in list(vars(module).items()):
                if value is function:
                    setattr(module, attribute, _keeping(calls.setdefault(name, []), function))
                    replaced.append((module, attribute, function))
    try:
        yield
    finally:
        for module, attribute, function in replaced:
            setattr(module, attribute, function)


def _keeping(calls: list[Call], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if len(calls) < KEPT:
            calls.append(Call([_copy(each) for each in arguments], {key: _copy(each) for key, each in options.items()}))
        return function(*arguments, **options)

    return call


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def call_all() -> None:
    """Run nets on both paths, so that every kernel is called."""
    rng = np.random.default_rng(0)
    for path in ("fast", "plain"):
        for name, width, side in (
            ("lite-fcn4s", 0.125, 40),
            ("voc-fcn8s", 0.0625, 32),
            ("voc-fcn-googlenet", 0.125, 64),
        ):
            _train(name, width, side, path, "SGD", rng)
        net = Net(parse_net(MANY), phase="TRAIN", path=path)
        out = net.forward(data=rng.normal(size=(2, 6, 20, 22)), keep=True)
        net.backward({name: np.ones_like(value) for name, value in out.items()})
        Net(parse_net(RESIDUAL), path=path).forward(data=rng.normal(size=(2, 5, 9, 20)))
    for solver in ("Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"):
        _train("lite-fcn4s", 0.0625, 32, "fast", solver, rng)
    confusion(np.arange(3), np.arange(3), 3)
    best_classes(np.ones((3, 4, 5), np.float32))
    _multiply_patches()


def _train(name: str, width: float, side: int, path: str, solver: str, rng: np.random.Generator) -> None:
    """A step of a solver on a net of the zoo, then a forward pass of one picture."""
    net = fcnlite.models.build(name, classes=3, width=width, phase="TRAIN", path=path)
    data, label = rng.normal(size=(2, 3, side, side)), rng.integers(0, 3, (2, 1, side, side))
    getattr(fcnlite, solver)(net, base_lr=1e-4).step(data=data, label=label)
    net.share(phase="TEST").forward(data=data[:1])


def _multiply_patches() -> None:
    """A 1×1 convolution as nets with far larger weights compute it."""
    kernels = isa.kernels("fast")
    x, y, u = (np.ones(shape, np.float32) for shape in ((2, 2, 3, 5, 16), (2, 3, 3, 5, 16), 2 * 2 * 16 * 32))
    kernels.prepare_direct(np.ones((48, 32, 1, 1), np.float32), u, False, False, 2)
    scratch = np.empty(kernels.patches_scratch(2, 20, 2), np.float32)
    none = np.empty(0, np.float32)
    places = np.arange(15)[None]
    kernels.patches_forward(
        x, u, np.ones(64, np.float32), none, none.reshape((0,) * 5), y, places, True, 6, 20, scratch, 2
    )
