"""The benchmarks that are commands of their own: two versions, the first picture, throughput. No time is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import first_picture, same, same_worker, throughput
from benchmarks.engines import build_net
from benchmarks.throughput import Run, Task
from benchmarks.workers import EngineError
from benchmarks.workloads import Workload
from fcnlite import plots, predict
from fcnlite._cli.running import run_command
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net
from tests.color_net import color_net

TINY = Workload("tiny", "lite-fcn8s", (1, 3, 33, 48), width=0.125)


# Two versions of fcnlite


def results(tmp_path: Path, bias: float) -> dict[str, str]:
    """The results of the comparison's worker for a net of one layer with this bias."""
    layers = (LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 2, 5, 4]}]}),)
    layers += (LayerSpec("conv", "Convolution", ("data",), ("score",), {"num_output": 2, "kernel_size": [3]}),)
    net = Net(NetSpec("one", layers))
    net.params["conv"][1].data = [0.5, bias]
    folder = tmp_path / str(bias)
    same.write_net(folder / "one", net, {"data": np.ones((1, 2, 5, 4))}, ["TEST"])
    found: dict[str, str] = {}
    same_worker.cases(found, "fast", folder)
    return found


@pytest.mark.filterwarnings("ignore:.*pictures are fed as")
def test_the_comparison_finds_a_difference_of_one_bit(tmp_path: Path) -> None:
    old = results(tmp_path, 0.25)
    assert same.differences(old, dict(old)) == []
    found = same.differences(old, results(tmp_path, float(np.nextafter(np.float32(0.25), np.float32(1)))))
    assert "one TEST forward score: differs" in found
    assert not any("backward from outputs conv[0]" in each for each in found)


def test_the_comparison_names_results_that_one_version_lacks() -> None:
    old = {"a": "1", "b": "2", "c": "3"}
    assert same.differences(old, {"a": "1", "c": "error ShapeError", "d": "4"}) == [
        "b: only the old version has it",
        "d: only the new version has it",
        "c: differs (3 before, error ShapeError now)",
    ]


def test_a_digest_tells_type_shape_and_sign_of_zero() -> None:
    zeros = np.zeros((2, 3), np.float32)
    others = (zeros.reshape(3, 2), zeros.astype(np.float64), -zeros)
    assert same_worker.digest(zeros) == same_worker.digest(zeros.copy())
    assert len({same_worker.digest(each) for each in (zeros, *others)}) == 4


def test_a_comparison_that_differs_ends_with_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(same, "write_files", lambda folder: None)
    monkeypatch.setattr(same, "computed", lambda tree, setting, folder: {"x": str(tree) if changed else "0"})
    for changed in (False, True):
        assert run_command(same.main, ["--tree", str(tmp_path)]) == int(changed)
    captured = capsys.readouterr()
    assert "results are equal" in captured.out and "plain path, 1 thread: x: differs" in captured.err


# The first picture


@pytest.mark.slow
def test_the_first_picture_of_a_process(tmp_path: Path) -> None:
    net = build_net(TINY)
    net.save(tmp_path / "net.h5")
    blobs = TINY.inputs()
    np.save(tmp_path / "picture.npy", blobs["data"])
    names = ["fcnlite", "fcnlite, low_memory"]
    seconds = first_picture.measure(names, tmp_path, 1)
    assert all(seconds[name] > 0 for name in names)
    expected = net.forward(data=blobs["data"])["score"][0].argmax(axis=0)
    for name in names:
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)
    assert first_picture.ratio_of(seconds) is None
    assert first_picture.ratio_of({"fcnlite": 1.0, "OpenCV": 4.0, "OpenVINO, f32": 2.0}) == 0.5
    with pytest.raises(EngineError, match=r"fcnlite: ended with status 1: .*no such file"):
        first_picture.measure(names[:1], tmp_path / "missing", 1)


def test_labels_that_differ_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        name = command[command.index("--run") + 1]
        np.save(tmp_path / f"{name}.npy", np.full((9, 9), len(name), np.uint8))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(EngineError, match=r"OpenCV: has the labels of fcnlite on only 0\.0% of the pixels"):
        first_picture.measure(["fcnlite", "OpenCV"], tmp_path, 1)


# Throughput

TASK = Task("a net", None, (6, 8), 20)


def test_the_row_of_a_net_has_the_fastest_way_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {
        "fcnlite, 1 in the net": [Run(5.0, 8.0), Run(4.0, 7.0)],
        "fcnlite, 2 in the net": [Run(2.5, 4.0), Run(2.6, 1.0)],
        "ONNX Runtime, 1 in the net": [Run(9.0, 16.0), Run(5.0, 9.0)],
        "ONNX Runtime, 2 in the net": [Run(6.0, 5.0), Run(7.0, 4.0)],
    }

    def run(way: str, command: list[str], folder: Path) -> Run:
        write_maps(folder / way, np.arange(48, dtype=np.uint8).reshape(6, 8))
        return runs[way].pop(0)

    monkeypatch.setattr(throughput, "_prepare", lambda *_: None)
    monkeypatch.setattr(throughput, "_together", lambda: [1, 2])
    monkeypatch.setattr(throughput, "_run", run)
    assert (
        throughput._row(TASK, 20, 2, False)
        == "| a net | 20 | 8.00 (2 in the net) | 4.00 (1 in the net) | 2.00 (2.25) |"
    )
    assert not any(runs.values())


def write_maps(folder: Path, labels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        plots.save_png(folder / name, plots.label_image(labels, [(9, 9, 9)]))


def test_scripts_that_compute_something_else_are_an_error(tmp_path: Path) -> None:
    labels = np.zeros((40, 50), np.uint8)
    write_maps(tmp_path / "one", labels)
    labels[0, :2] = 1  # as rounding may do
    write_maps(tmp_path / "other", labels)
    throughput._compare(TASK, tmp_path, "one", "other")
    labels[0, :3] = 1
    write_maps(tmp_path / "other", labels)
    with pytest.raises(EngineError, match="a net: the label maps of a differ"):
        throughput._compare(TASK, tmp_path, "one", "other")
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(tmp_path / "other" / "a.png")  # without the palette
    with pytest.raises(EngineError, match="a differ"):
        throughput._compare(TASK, tmp_path, "one", "other")


def test_a_command_is_timed_as_a_whole(tmp_path: Path) -> None:
    write_maps(tmp_path / "way", np.zeros((2, 2), np.uint8))
    run = throughput._run("way", [sys.executable, "-S", "-c", "sum(range(10 ** 6))"], tmp_path)
    assert run.seconds > 0 and run.processor > 0 and not (tmp_path / "way").exists()
    with pytest.raises(EngineError, match="way: ended with status 1: no"):
        throughput._run("way", [sys.executable, "-S", "-c", "raise SystemExit('no')"], tmp_path)


def test_our_command_line_is_one_of_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    color_net().save(tmp_path / "net.h5")
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "pictures" / "0000.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(throughput, "_together", lambda: [1, 2])
    for way, command in throughput._ours(tmp_path, overlay=False).items():
        assert run_command(predict.main, command[3:]) == 0
        assert [each.name for each in (tmp_path / way).iterdir()] == ["0000.png"]


@pytest.mark.slow
def test_onnx_runtime_writes_the_same_label_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="a peer that make bench installs")
    monkeypatch.setattr(throughput, "_together", lambda: [1])
    task = throughput.TASKS[0]._replace(size=(60, 80))
    assert throughput._row(task, 3, 1, False).startswith("| camvid-fcn8s, 360×480 | 3 | ")
