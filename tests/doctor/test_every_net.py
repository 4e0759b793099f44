"""The doctor and the summary on every available net and solver, with few channels and small pictures."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import fcnlite
from fcnlite import doctor, models, summary
from fcnlite._cli.running import Main, run_command
from fcnlite.description.spec import NetSpec
from fcnlite.doctor import __main__ as command
from fcnlite.doctor import structure
from fcnlite.net import Net
from tests.conftest import shared_folder

SIDE = 32
"""Height and width of pictures without a described size; the published nets pad them by 100."""

SHARED = shared_folder()
FILES = sorted(
    path.relative_to(SHARED).as_posix()
    for folder in ("reference/nets", "reference/zoo", "reference/solvers", "real", "cases")
    for path in (SHARED / folder).rglob("*.prototxt")
)
SOLVERS = [name for name in FILES if "base_lr" in (SHARED / name).read_text()]
NETS = [name for name in FILES if name not in SOLVERS]


def net_of(solver: str) -> str:
    """The description that a solver trains."""
    found = re.search(r'^(?:train_)?net: *"(.*?)"', (SHARED / solver).read_text(), re.M)
    assert found is not None
    return (Path(solver).parent / Path(found[1]).name).as_posix()


WITH_SOLVER = {net_of(name) for name in SOLVERS}

TRAINED = {
    "real/cifar10_v1/cifar10_full.prototxt": "cifar10_full_iter_70000.caffemodel",
    "real/cifar10_v1/cifar10_full_train_test.prototxt": "cifar10_full_iter_70000.caffemodel",
    "real/cifar10_v1/cifar10_quick.prototxt": "cifar10_quick_iter_5000.caffemodel",
    "real/cifar10_v2_hdf5/cifar10_full.prototxt": "cifar10_full_iter_95000.caffemodel.h5",
    "real/lenet_v1/lenet_image_memory_data.prototxt": "lenet_iter_10000",
    "real/mtcnn/det1.prototxt": "det1.caffemodel",
    "real/mtcnn/det2.prototxt": "det2.caffemodel",
    "real/mtcnn/det3.prototxt": "det3.caffemodel",
    "real/triplet_3d/3d_triplet_testIMG.prototxt": "3d_triplet_iter_30000.caffemodel",
}
SHIPPED = ["camvid-fcn8s", "em-membrane-fcn8s", "shapes-fcn8s"]


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "TRIAL_SIDE", SIDE)


def sampled(names: Iterable[str]) -> list[Any]:
    """The names. Of the reference's large nets, those of VOC in each run, the others in slow ones."""
    return [
        pytest.param(name, marks=pytest.mark.slow)
        if name.startswith("reference/zoo/") and "/voc-" not in name
        else name
        for name in names
    ]


def narrowed(name: str, folder: Path) -> Path:
    """A copy of a description; published nets get 5 classes and a sixteenth of the features."""

    def fewer(found: re.Match[str]) -> str:
        channels = int(found[1])
        return f"num_output: {channels // 16 if channels >= 64 else 5 if channels >= 20 else channels}"

    text = (SHARED / name).read_text()
    if name.startswith("reference/zoo/"):
        text = re.sub(r"num_output: *(\d+)", fewer, text)
    copy = folder / "net.prototxt"
    copy.write_text(text)
    return copy


def resized(spec: NetSpec, side: int) -> NetSpec:
    """`spec` with inputs of this height and width."""
    layers = []
    for layer in spec:
        shapes = [[*each["dim"][:2], side, side] for each in layer.options.get("shape", [])]
        options = {"shape": [{"dim": each} for each in shapes]} if layer.type == "Input" else layer.options
        layers.append(dataclasses.replace(layer, options=options))
    return dataclasses.replace(spec, layers=tuple(layers))


def ended(main: Main, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The command's status, output and last line of errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            status = run_command(main, [str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, (err.splitlines() or [""])[-1]


@pytest.mark.skipif(not FILES, reason=f"no shared test material at {SHARED} (set FCNLITE_SHARED)")
@pytest.mark.parametrize("name", sampled(NETS))
def test_every_net_is_examined_and_summed_up(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = narrowed(name, tmp_path)
    if name not in WITH_SOLVER:  # which is examined with its solver below
        status, out, error = ended(command.main, capsys, net)
        if error.startswith("error:"):
            assert (status, out) == (1, "") and (name.startswith("cases/") or "describes no layers" in error)
        else:
            assert re.search(r"^(nothing found|\d+ (error|warning|note)s?\b.*)$", out, re.M)
            assert "does-not-run" not in out or name.startswith("cases/")
            assert status == ("error:" in out)
    status, out, error = ended(summary.main, capsys, net)
    if "give one with --size" in error:
        status, out, error = ended(summary.main, capsys, net, "--size", f"{SIDE}x{SIDE}")
    assert (status == 0 and "parameters" in out) or (error.startswith("error:") and name.startswith("cases/")), error


@pytest.mark.skipif(not FILES, reason=f"no shared test material at {SHARED} (set FCNLITE_SHARED)")
@pytest.mark.parametrize("name", sampled(SOLVERS))
def test_every_solver_is_examined_with_its_net(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solver = SHARED / name
    net = narrowed(net_of(name), tmp_path)
    status, out, error = ended(command.main, capsys, net, "--solver", solver)
    assert "does-not-run" not in out and not error.startswith("error:")
    assert status == ("error:" in out)
    if name.startswith("reference/zoo"):
        assert "rate-" not in out  # the published rates are sound
    status, out, error = ended(command.main, capsys, solver)
    assert status == 1 and "expected a net (give a solver with --solver)" in error


@pytest.mark.parametrize("name", TRAINED)
def test_trained_nets_are_sound(name: str, shared: Path) -> None:
    net = fcnlite.load(shared / name, (shared / name).parent / TRAINED[name], phase="TRAIN")
    assert [str(each) for each in doctor.examine(net) if each.severity != "note"] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_are_sound(name: str) -> None:
    net = fcnlite.load(Path(__file__).parents[2] / "weights" / f"{name}.h5")
    assert [str(each) for each in doctor.examine(net) if each.severity != "note"] == []


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", models.names())
def test_our_nets_only_lack_their_trunk(name: str, phase: str) -> None:
    """At a sixteenth of the width, a branch of GoogLeNet has one channel, which may be dead by chance."""
    built = models.build(name, phase=phase) if name == "lenet" else models.build(name, width=1 / 16, phase=phase)
    net = Net(resized(built.spec, 64), phase=phase, shared=built.params, info=built.info) if "fcn" in name else built
    found = {each.id for each in doctor.examine(net) if each.severity != "note"}
    assert found <= {"trunk-untrained"} | ({"layer-dead"} if "googlenet" in name else set())


def test_scores_cropped_to_the_label_are_tried_and_judged(tmp_path: Path) -> None:
    """As in Caffe's tests: the label gives the crop its size, and thus the number of positions of the scores."""
    (tmp_path / "net.prototxt").write_text(
        """
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 10 } } }
        layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 1 dim: 7 dim: 8 } } }
        layer { name: "score" type: "Convolution" bottom: "data" top: "score"
                convolution_param { num_output: 3 kernel_size: 1 } }
        layer { name: "crop" type: "Crop" bottom: "score" bottom: "label" top: "crop"
                crop_param { axis: 2 offset: 1 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "crop" bottom: "label" top: "loss"
                loss_param { normalization: NONE } }
        """
    )
    net = fcnlite.load(tmp_path / "net.prototxt", phase="TRAIN")
    weight, bias = net.params["score"]
    weight.data, bias.data = weight.data, [0, 9e6, 0]  # class 1 everywhere
    solver = fcnlite.SGD(net, base_lr=1.0)
    found = {each.id: each.what for each in doctor.examine(net, solver=solver)}
    assert "is class 1" in found["scores-one-class"]
    assert f"a sum over {2 * 7 * 8} pixels" in found["rate-too-high"]
    assert "does-not-run" not in found
