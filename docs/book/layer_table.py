"""The table of all layer types, from the registry, the compiler and the tests."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

from fcnlite.formats.caffe import parse_net
from fcnlite.layers import Layer, outside, registered
from fcnlite.layers.registry import is_of_fork
from fcnlite.net import Net

DOCS = Path(__file__).parents[1]

EXAMPLES = {
    "AbsVal": "",
    "Accuracy": "",
    "ArgMax": "argmax_param { axis: 1 }",
    "Axpy": "",
    "BN": "bn_param { bn_mode: INFERENCE }",
    "BNLL": "",
    "BatchNorm": "",
    "Bias": "",
    "Clip": "clip_param { min: 0 max: 6 }",
    "Concat": "",
    "Convolution": "convolution_param { num_output: 64 kernel_size: 3 pad: 1 }",
    "Crop": "crop_param { axis: 2 offset: 5 }",
    "Data": 'data_param { source: "train_lmdb" batch_size: 1 backend: LMDB }',
    "Deconvolution": "convolution_param { num_output: 21 kernel_size: 4 stride: 2 bias_term: false }",
    "DenseImageData": 'dense_image_data_param { source: "train.txt" batch_size: 4 }',
    "Dropout": "dropout_param { dropout_ratio: 0.5 }",
    "DummyData": "dummy_data_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } }",
    "ELU": "elu_param { alpha: 1 }",
    "Eltwise": "eltwise_param { operation: SUM }",
    "EuclideanLoss": "",
    "Exp": "exp_param { base: 2 }",
    "Flatten": "",
    "HDF5Data": 'hdf5_data_param { source: "train.txt" batch_size: 1 }',
    "HingeLoss": "hinge_loss_param { norm: L2 }",
    "Im2col": "convolution_param { kernel_size: 3 }",
    "ImageData": 'image_data_param { source: "train.txt" batch_size: 1 }',
    "ImageSegData": 'image_data_param { source: "train.txt" root_folder: "VOC2012" batch_size: 10 }',
    "InfogainLoss": 'infogain_loss_param { source: "infogain.binaryproto" }',
    "InnerProduct": "inner_product_param { num_output: 10 }",
    "Input": "input_param { shape { dim: 1 dim: 3 dim: 500 dim: 500 } }",
    "Interp": "interp_param { zoom_factor: 8 }",
    "LRN": "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }",
    "Log": "",
    "MVN": "mvn_param { normalize_variance: true }",
    "MemoryData": "memory_data_param { batch_size: 1 channels: 3 height: 32 width: 32 }",
    "MultiStageMeanfield": (
        "multi_stage_meanfield_param { num_iterations: 5 theta_alpha: 160 theta_beta: 3 theta_gamma: 3 }"
    ),
    "MultinomialLogisticLoss": "",
    "Normalize": "norm_param { across_spatial: false }",
    "PReLU": "",
    "Parameter": "parameter_param { shape { dim: 8 } }",
    "Permute": "permute_param { order: 0 order: 2 order: 3 order: 1 }",
    "Pooling": "pooling_param { pool: MAX kernel_size: 2 stride: 2 }",
    "Power": "power_param { scale: 0.0039 shift: -0.5 }",
    "Python": 'python_param { module: "voc_layers" layer: "VOCSegDataLayer" }',
    "ReLU": "",
    "ReLU6": "",
    "Reduction": "reduction_param { operation: MEAN axis: 1 }",
    "Reshape": "reshape_param { shape { dim: 0 dim: -1 } }",
    "SPP": "spp_param { pyramid_height: 3 pool: MAX }",
    "Scale": "scale_param { bias_term: true }",
    "ShuffleChannel": "shuffle_channel_param { group: 2 }",
    "Sigmoid": "",
    "SigmoidCrossEntropyLoss": "",
    "Silence": "",
    "Slice": "slice_param { axis: 1 slice_point: 4 }",
    "Softmax": "",
    "SoftmaxWithLoss": "loss_param { ignore_label: 255 normalize: false }",
    "Split": "",
    "Swish": "",
    "TanH": "",
    "Threshold": "threshold_param { threshold: 0.5 }",
    "Tile": "tile_param { axis: 1 tiles: 2 }",
    "UnevenPooling": "pooling_param { pool: MAX kernel_size: 3 stride: 2 pad_r: 1 pad_b: 1 }",
    "Unpooling": "unpooling_param { unpool: MAX unpool_size: 64 kernel_size: 2 stride: 2 }",
    "Upsample": "upsample_param { scale: 2 }",
    "WindowData": 'window_data_param { source: "windows.txt" batch_size: 1 }',
    "WindowSegData": 'image_data_param { source: "windows.txt" batch_size: 4 }',
}
"""The options of a typical layer of each type. What is not written down has Caffe's default."""

ORACLES = {
    "AbsVal Exp Log ELU": "test_activations.py::test_the_formula_holds_for_blobs_of_any_axes",
    "ArgMax": "test_accuracy_and_argmax.py::test_arg_max_is_caffes",
    "Axpy BNLL Clip ReLU6 Swish Threshold": "test_forks.py::test_elementwise_ones",
    "BN": "test_forks.py::test_bn_of_pspnet",
    "Bias": "test_arithmetic.py::test_bias_is_added_along_its_axes",
    "Dropout": "test_dropout.py::test_dropout_keeps_the_mean_and_drops_the_share",
    "HingeLoss MultinomialLogisticLoss": "test_forks.py::test_losses_of_pictures",
    "Im2col": "test_forks.py::test_im2col_is_the_first_half_of_a_convolution",
    "InfogainLoss": "test_infogain_loss.py::test_the_loss_is_the_weighted_sum_of_all_logarithms",
    "Interp": "test_forks.py::test_interp_by_its_formula",
    "MultiStageMeanfield": "test_mean_field.py::test_mean_field_by_its_formula",
    "Normalize": "test_forks.py::test_normalize",
    "Parameter": "test_forks.py::test_a_parameter_is_learned",
    "Permute ShuffleChannel": "test_forks.py::test_the_order_of_shuffled_channels_and_permuted_axes",
    "Reduction": "test_arithmetic.py::test_reduction_sums_over_the_axis_and_those_after_it",
    "SPP": "test_forks.py::test_a_pyramid_is_its_poolings",
    "Split": "test_shaping.py::test_split_sums_gradients",
    "Tile": "test_shaping.py::test_tile_is_numpys",
    "UnevenPooling": "test_forks.py::test_pooling_with_different_pads",
    "Unpooling": "test_forks.py::test_unpooling_over_windows",
    "Upsample": "test_forks.py::test_upsample_undoes_a_pooling",
}
"""By types that Caffe has not recorded: the test in `tests/layers` that computes their numbers in another way."""


@cache
def _pages() -> dict[str, str]:
    """The section of each type, from the tables in docs/layers/index.md."""
    text = (DOCS / "layers" / "index.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| \[`(\w+)`\]\((\S+)\) \|", text, re.M))


def page(cls: type[Layer]) -> str:
    """The section of a layer type, or its file where the book has none."""
    return f"../layers/{_pages()[cls.type]}" if cls.type in _pages() else file_of(cls.__module__)


def file_of(module: str) -> str:
    return f"../../{module.replace('.', '/')}.py"


def table(_: str = "") -> str:
    """A row for each registered type: an example, its page, gradient, place on the fast path, and test."""
    rows = ["| type | typical options | gradient | on the fast path | numbers from |", "|---|---|---|---|---|"]
    for name, cls in sorted(_ours().items()):
        example = f"`{EXAMPLES[name]}`" if EXAMPLES[name] else ""
        inputs = cls.bottoms == (0, 0)
        gradient = "" if inputs or name == "Silence" else "yes" if cls.backward is not Layer.backward else "none"
        where = "" if inputs else compiled(name)
        words, file = oracle(name)
        source = f"[{words}](../../{file})" if file else ""
        rows.append(f"| [{name}]({page(cls)}) | {example} | {gradient} | {where} | {source} |")
    return "\n".join(rows)


def oracle(type_: str) -> tuple[str, str]:
    """What a test compares the numbers of a type with, and the file of the test; empty for inputs and Silence.

    Raises `LookupError` for a type without an oracle.
    """
    if registered()[type_].bottoms == (0, 0) or type_ == "Silence":
        return "", ""
    if type_ in _recorded():
        return "Caffe", f"tests/parity/{'test_real' if type_ == 'MVN' else 'test_layers'}.py"
    for types, test in ORACLES.items():
        if type_ in types.split():
            return "its formula", f"tests/layers/{test.partition('::')[0]}"
    raise LookupError(f"{type_}: no test compares its numbers; name one in ORACLES")


def outside_types(_: str = "") -> str:
    """A row for each reason why types of Caffe and its forks are not computed."""
    rows = ["| types | a net that has one |", "|---|---|"]
    for why, types in outside.TYPES.items():
        rows.append(f"| {', '.join(f'`{each}`' for each in types.split())} | … {why} |")
    return "\n".join(rows)


def _ours() -> dict[str, type[Layer]]:
    return {name: cls for name, cls in registered().items() if cls.__module__.startswith("fcnlite.")}


def _recorded() -> set[str]:
    """The types whose outputs and gradients Caffe itself has recorded: the keys of `CASES` in the parity tests."""
    found = {"MVN"}  # in tests/parity/test_real.py
    for node in ast.parse((DOCS.parent / "tests" / "parity" / "test_layers.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CASES":
            found |= set(ast.literal_eval(node.value))
    return found


def net_of(type_: str) -> str:
    """A net in which a layer of this type is between two convolutions, as a prototxt."""
    bottoms = {"Eltwise": 2, "Concat": 2, "Crop": 2}.get(type_, 1)
    labelled = registered()[type_].is_loss or type_ == "Accuracy"
    names = ["a", *(["label"] if labelled else ["b"] * (bottoms - 1))]
    tops = {"Slice": ["y", "z"], "Silence": []}.get(type_, ["y"])
    channels = "8" if type_ in ("EuclideanLoss", "SigmoidCrossEntropyLoss") else "1"
    side = "20" if type_ == "Crop" else "32"
    bottom = " ".join(f"bottom: {name!r}" for name in names)
    top = " ".join(f"top: {name!r}" for name in tops)
    lines = [
        _input("data", "16", "32"),
        _input("label", channels, "32"),
        _input("b", "8", side),
        _convolution("a", "data"),
        f'layer {{ name: "layer" type: "{type_}" {bottom} {top} {EXAMPLES[type_]} }}',
    ]
    if type_ not in ("Flatten", "Reshape", "InnerProduct", "ArgMax", "Reduction") and tops and not labelled:
        lines.append(_convolution("last", "y"))
    return "\n".join(lines)


def _input(name: str, channels: str, side: str) -> str:
    shape = f"shape {{ dim: 1 dim: {channels} dim: {side} dim: {side} }}"
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ {shape} }} }}'


def _convolution(name: str, bottom: str) -> str:
    options = "convolution_param { num_output: 8 kernel_size: 3 pad: 1 }"
    return f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {options} }}'


def _of_fork(type_: str) -> bool:
    """Whether only forks of Caffe have the type; the compiler has no operation for such a type."""
    return is_of_fork(registered()[type_])


@cache
def compiled(type_: str) -> str:
    """What the compiler makes of such a layer, in inference."""
    if type_ == "InfogainLoss":
        return "its own code"  # its example names a file
    if type_ == "Silence":
        return "left out"
    if _of_fork(type_) or type_ in ("HingeLoss", "MultinomialLogisticLoss", "Parameter", "SPP"):
        return "its own code"  # their bottoms are not those of `net_of`
    net = Net(parse_net(net_of(type_)))
    read = {name for layer in net.spec.layers for name in layer.bottom}
    fed = {
        layer.top[0]: tuple(layer.options["shape"][0]["dim"])
        for layer in net.spec.layers
        if layer.type == "Input" and layer.top[0] in read
    }
    for operation in net.plan(fed).graph.operations:
        if "layer" in operation.layers:
            break
    else:
        return "removed"
    if "a" in operation.layers:
        return "part of the convolution before it"
    if type_ == "Deconvolution":
        return "its own code; interpolation where it is bilinear"
    return {"layer": "its own code", "crop": "a copy at a fixed place"}.get(operation.kind, operation.kind)


def docstrings(_: str = "") -> str:
    """The docstrings of the layers' files, which have formula, shapes and options, under the types they are about."""
    from book.docstrings import converted  # imports Sphinx, which tests of this file do without

    by_file: dict[str, list[str]] = {}
    for name, cls in sorted(_ours().items()):
        by_file.setdefault(cls.__module__, []).append(name)
    lines = []
    for module, types in sorted(by_file.items(), key=lambda item: item[1]):
        doc = inspect.getdoc(importlib.import_module(module))
        assert doc, module
        lines += [f"## {', '.join(types)}", "", f"[{module}]({file_of(module)})"]
        lines += ["", "```{eval-rst}", *converted(doc.splitlines()), "```", ""]
    return "\n".join(lines)
