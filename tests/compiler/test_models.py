"""Whole nets of the zoo on both paths, forward and backward, and the choice of the instruction set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fcnlite import models
from fcnlite._kernels import isa
from fcnlite.compiler.operations.border import Border
from fcnlite.errors import FcnliteError
from fcnlite.net import Net
from tests.compiler.path_comparison import GRADIENT_BAR, assert_all_near, assert_near, normal, reference_net

ZOO = ["voc-fcn8s", "voc-fcn8s-atonce", "siftflow-fcn16s", "lite-fcn8s", "voc-fcn-alexnet", "nyud-fcn32s-color-hha"]
SLOW = [name for name in models.names() if name not in ZOO and not name.startswith("voc-fcn-google")]


def random_net(name: str, phase: str = "TEST", width: float = 0.26) -> Net:
    """The net with random score layers, and biases that keep sums away from ReLU's kink."""
    net = models.build(name, width=width, phase=phase, normalization=None if phase == "TEST" else "VALID")
    rng = np.random.default_rng(0)
    for layer in net.layers:
        parameters = net.params.get(layer.spec.name, [])
        if layer.type == "BatchNorm":
            for parameter, values in zip(parameters, (0.3, 1.5, 1.0), strict=True):
                parameter.data = values + 0.2 * np.abs(rng.normal(size=parameter.shape))
        elif layer.type != "Deconvolution" and parameters:
            weight = parameters[0]
            if len(weight.shape) > 1:
                weight.data = rng.normal(0, np.sqrt(2 / np.prod(weight.shape[1:])), weight.shape)
            for bias in parameters[1:]:
                bias.data = rng.normal(0, 0.5, bias.shape)
    return net


def channels_of_inputs(net: Net) -> dict[str, int]:
    return {each.spec.top[0]: each.top_shapes()[0][1] for each in net.layers if not each.spec.bottom}


@pytest.mark.parametrize("name", [*ZOO, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_inference_of_the_zoo(name: str) -> None:
    net = random_net(name)
    scoring = [each for each in net.layers if each.type not in ("SoftmaxWithLoss", "Accuracy")]
    read = {blob for each in scoring for blob in each.spec.bottom}
    inputs = [layer for layer in net.layers if layer.spec.top[0] in read and not layer.spec.bottom]
    shapes = {layer.spec.top[0]: layer.top_shapes()[0] for layer in inputs}
    if "fcn" in name:
        shapes = {top: (2, shape[1], 37, 50) for top, shape in shapes.items()}
    feeds = {top: normal(i, *shape) for i, (top, shape) in enumerate(sorted(shapes.items()))}
    outputs = list(reference_net(net).forward(feeds))
    found = net.forward(feeds, outputs=outputs)
    assert_all_near(found, reference_net(net).forward(feeds, outputs=outputs))


TRAINED = ["voc-fcn8s", "lite-fcn8s", "siftflow-fcn16s"]
LONG = [name for name in models.names() if "fcn" in name and name not in TRAINED]


@pytest.mark.parametrize("name", [*TRAINED, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)])
@pytest.mark.parametrize(("batch", "size", "seed"), [(1, (1, 1), 3), (2, (37, 50), 4)])
def test_training_of_whole_nets(name: str, batch: int, size: tuple[int, int], seed: int) -> None:
    """With these seeds no value is so near to ReLU's kink that rounding matters."""
    fast = random_net(name, "TRAIN")
    slow = reference_net(fast)
    rng = np.random.default_rng(0)
    labels = {each.spec.bottom[1] for each in fast.layers if each.type == "SoftmaxWithLoss"}
    feeds = {}
    for i, (top, channels) in enumerate(sorted(channels_of_inputs(fast).items())):
        x = rng.integers(0, 3, (batch, 1, *size)) if top in labels else normal(seed + i, batch, channels, *size)
        feeds[top] = x
    gradients = []
    statistics = {name: [each.array.copy() for each in parameters] for name, parameters in fast.params.items()}
    for net in (fast, slow):
        for layer, values in statistics.items():
            for parameter, array in zip(net.params[layer], values, strict=True):
                parameter.data = array  # BatchNorm's sums: both begin with the same
        net.iteration = 0
        net.forward(feeds, keep=True)
        net.backward()
        gradients.append({name: each.grad.copy() for name, each in net.learnable()})
    assert fast.loss == pytest.approx(slow.loss, rel=1e-4)
    score = "score" if "score" in fast.blobs else "score_sem"
    assert_near(fast.blobs[score], slow.blobs[score])
    assert_all_near(*gradients, GRADIENT_BAR)


# The instruction set


@pytest.mark.parametrize("name", ["v4", "v3", "any"])
def test_the_instruction_set_is_chosen_at_the_start(name: str, tmp_path: Path) -> None:
    """Tested in a new process, since the choice is made once."""
    script = (
        "import sys; import numpy as np; from fcnlite._kernels import isa; from tests.compiler.test_models import *;"
        "y = random_net('lite-fcn8s').forward(data=normal(0, 1, 3, 40, 33))['score'];"
        "np.save(sys.argv[1], y); print(isa.kernels('fast').__name__)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "score.npy"], capture_output=True, text=True,
        env={**os.environ, "FCNLITE_ISA": name}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if name not in isa.available():
        assert ended.returncode and "FCNLITE_ISA" in ended.stderr
        return
    assert ended.stdout.split() == [f"fcnlite._kernels.fast_{name}"], ended.stderr
    expected = reference_net(random_net("lite-fcn8s")).forward(data=normal(0, 1, 3, 40, 33))["score"]
    assert_near(np.load(tmp_path / "score.npy"), expected)


def test_an_unknown_instruction_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isa, "_asked", "v9")
    with pytest.raises(FcnliteError, match=r"FCNLITE_ISA is 'v9'.*any: set it to one of these"):
        isa.name.__wrapped__()


def test_without_a_name_the_best_instruction_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isa, "_asked", "")
    assert isa.name.__wrapped__() == isa.available()[0]


def test_the_environment_is_read_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCNLITE_ISA", "v9")
    assert isa.name.__wrapped__() == isa.name()


def test_scaled_skips_do_not_prevent_border_elision() -> None:
    plans = [Net(models.describe(name)).plan({"data": (1, 3, 200, 200)}) for name in ("voc-fcn8s", "voc-fcn8s-atonce")]
    found = [[each.inputs[0].shape for each in plan.graph.operations if isinstance(each, Border)] for plan in plans]
    assert found[0] == found[1] != []
