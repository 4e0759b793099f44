"""Narrow copies of the published nets against Caffe: scores, losses and gradients."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite.formats.caffe import read_net, read_weights
from fcnlite.net import Net
from tests.parity.reference import assert_close, layer_and_index, part, read_case, set_param

OUTPUT_BAR = 1e-4
GRADIENT_BAR = 1e-3

QUICK = [
    "pascalcontext-fcn16s",
    "siftflow-fcn8s",
    "tiny-vgg16-classifier",
    "voc-fcn-alexnet",
    "voc-fcn32s",
    "voc-fcn8s",
    "voc-fcn8s-atonce",
    "voc-fcn8s-deploy",
]
SLOW = [
    "nyud-fcn32s-color",
    "nyud-fcn32s-color-d",
    "nyud-fcn32s-color-hha",
    "nyud-fcn32s-hha",
    "pascalcontext-fcn32s",
    "pascalcontext-fcn8s",
    "siftflow-fcn16s",
    "siftflow-fcn32s",
    "voc-fcn16s",
]


@pytest.mark.parametrize("path", ["plain", "fast"])
@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_net(name: str, path: str, shared: Path) -> None:
    folder = shared / "reference" / "nets" / name
    case = read_case(folder / "case.npz")
    net = Net(read_net(folder / "net.prototxt"), phase="TEST", path=path)
    weights = read_weights(folder / "weights.caffemodel")
    for layer, parameters in net.params.items():
        assert len(parameters) == len(weights[layer])
        for index, values in enumerate(weights[layer]):
            set_param(net, layer, index, values)

    net.forward(part(case, "in."), keep=True)
    outputs = part(case, "out.")
    assert outputs
    for blob, reference in outputs.items():
        assert_close(net.blobs[blob], reference, OUTPUT_BAR, f"blob {blob}")

    blob_gradients, gradients = part(case, "din."), part(case, "dparam.")
    if not gradients:
        assert name in ("voc-fcn8s-deploy", "tiny-vgg16-classifier")
        return
    net.backward(wrt=list(blob_gradients), frozen=True)
    for blob, reference in blob_gradients.items():
        assert_close(net.grads[blob], reference, GRADIENT_BAR, f"gradient of {blob}")
    compared = 0
    for key, reference in gradients.items():
        layer, index = layer_and_index(key)
        assert_close(net.params[layer][index].grad, reference, GRADIENT_BAR, f"gradient of {key}")
        compared += 1
    compared_layers = [each.spec.name for each in net.layers if each.type != "Deconvolution"]
    assert compared == sum(len(net.params.get(layer, ())) for layer in compared_layers)


def test_all_nets_are_run(shared: Path) -> None:
    """No reference net is missing from the lists above."""
    there = [path.parent.name for path in (shared / "reference" / "nets").glob("*/net.prototxt")]
    assert sorted(there) == sorted(QUICK + SLOW)
