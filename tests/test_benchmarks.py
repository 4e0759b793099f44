"""The benchmarks' own parts: what is compared, counted and shown. No peer runs here, and no time is judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import benchmarks.engines
from benchmarks import __main__ as command
from benchmarks import algorithms, augmentation, machine, memory, more, roofline, single_thread, steps, table
from benchmarks.engines import AVX2, OURS, PEERS, Engine, build_net, engines, save_net
from benchmarks.nets import NETS
from benchmarks.workers import EngineError, Worker
from benchmarks.workloads import CLASSES, FURTHER, WORKLOADS, Workload
from fcnlite import config
from fcnlite._cli.running import run_command
from fcnlite._kernels import isa
from fcnlite.data.augmentation import TRANSFORMS, Augment
from fcnlite.errors import SpecError
from fcnlite.net import Net

TINY = Workload("tiny", "lite-fcn8s", (1, 3, 33, 48), width=0.125)
ONE, OTHER = (next(each for each in PEERS if each.name == name) for name in ("ONNX Runtime", "OpenVINO, f32"))
BFLOAT16 = next(each for each in PEERS if not each.peer)


class Ran:
    """A worker that has run."""

    def __init__(self, engine: Engine, *results: Sequence[float]) -> None:
        self.engine = engine
        self._results = [np.array(each, np.float32) for each in results]

    def results(self) -> list[np.ndarray]:
        return self._results


def agreeing(*workers: Ran) -> list[Engine]:
    return [each.engine for each in table._agreeing(cast(list[Worker], workers))]


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Pretend that these packages are not installed and that all others are."""
    monkeypatch.setattr(benchmarks.engines, "find_spec", lambda module: None if module in modules else object())


def test_workloads_come_back_from_json_and_have_names_of_their_own() -> None:
    there = [*WORKLOADS, *FURTHER]
    assert [Workload.from_json(each.to_json()) for each in there] == there
    assert len({each.name for each in there}) == len(there)


def test_the_strong_list_has_every_transform_but_two() -> None:
    strong = {each.name for each in Augment.of(augmentation.STRONG).transforms}
    assert strong == set(TRANSFORMS) - {"turn", "shift"}


@pytest.mark.parametrize("workload", [each for each in [*WORKLOADS, *FURTHER] if each.model in NETS], ids=str)
def test_nets_have_scores_of_the_expected_size(workload: Workload) -> None:
    (height, width), classes = workload.shape[2:], CLASSES
    sizes = {
        "deeplab-largefov": (65, 65),  # every eighth pixel
        "det1": ((height - 2 + 1) // 2 - 4, (width - 2 + 1) // 2 - 4),
        "u-net": (388, 388),
        **dict.fromkeys(("enet", "erfnet", "segnet-basic", "pspnet-50"), (height, width)),
        **dict.fromkeys(("mobilenet-v1", "mobilenet-v2", "squeezenet-1.1"), (1, 1)),
    }
    shapes = {}
    for each, _, tops in Net(NETS[workload.model](classes)).shapes({"data": workload.shape}):
        shapes.update(zip(each.spec.top, tops, strict=True))
    count = 2 if workload.model == "det1" else classes
    assert shapes[workload.outputs[-1]] == (workload.shape[0], count, *sizes.get(workload.model, ()))


def test_inputs_are_the_same_for_every_engine_and_have_labels_in_training() -> None:
    training = replace(TINY, training=True)
    first, again = training.inputs(), training.inputs()
    assert all((first[name] == again[name]).all() for name in ("data", "label"))
    assert set(np.unique(first["label"])) == {*range(CLASSES), 255}
    assert set(TINY.inputs()) == {"data"}


def test_differences_are_relative_to_our_largest_value() -> None:
    ours = [np.array([1.0, -4.0]), np.array([10.0])]
    assert table.differences([np.array([1.0, -3.0]), np.array([10.0])], ours) == [0.25, 0]


@pytest.mark.parametrize("theirs", [[1.0, np.nan], [1.0, np.inf], [1.0, 2.0, 3.0]])
def test_values_that_are_not_finite_or_of_another_size_do_not_agree(theirs: list[float]) -> None:
    assert table.differences([np.array(theirs)], [np.array([1.0, 2.0])]) == [np.inf]


def test_nothing_agrees_with_nothing_but_zeros() -> None:
    assert table.differences([np.zeros(3)], [np.zeros(3)]) == [np.inf]


def test_who_disagrees_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert agreeing(Ran(OURS, [1, 2]), Ran(ONE, [1, 2]), Ran(OTHER, [1, 2.1])) == [OURS, ONE]
    assert "OpenVINO, f32 differs from ours by 0.05" in capsys.readouterr().err


def test_bfloat16_and_gradients_may_differ_more() -> None:
    assert agreeing(Ran(OURS, [1, 2]), Ran(ONE, [1, 2]), Ran(BFLOAT16, [1, 2.1])) == [OURS, ONE, BFLOAT16]
    assert agreeing(Ran(OURS, [2], [2]), Ran(ONE, [2], [2.01])) == [OURS, ONE]
    with pytest.raises(EngineError, match="no peer agrees"):
        agreeing(Ran(OURS, [2], [2]), Ran(ONE, [2.01], [2]))


def test_results_that_no_float32_peer_has_are_a_failure_of_ours() -> None:
    with pytest.raises(EngineError, match="no peer agrees with fcnlite"):
        agreeing(Ran(OURS, [1, 2]), Ran(ONE, [1, 3]), Ran(OTHER, [1, 4]), Ran(BFLOAT16, [1, 2]))


def test_our_instruction_sets_must_agree() -> None:
    with pytest.raises(EngineError, match="AVX2 and fcnlite compute different results"):
        agreeing(Ran(OURS, [1, 2]), Ran(AVX2, [1, 3]), Ran(ONE, [1, 2]))


def test_ours_must_have_a_float32_peer() -> None:
    with pytest.raises(EngineError, match="no float32 peer ran"):
        agreeing(Ran(OURS, [1, 2]), Ran(BFLOAT16, [1, 2]))


def test_peers_that_all_fail_while_they_are_timed_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Worker(Ran):
        def __init__(self, workload: Workload, engine: Engine, folder: Path) -> None:
            super().__init__(engine, [1, 2])

        def __enter__(self) -> Worker:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def run(self) -> float:
            if self.engine is not OURS:
                raise EngineError("ended with status -9: it said nothing")
            return 1.0

    monkeypatch.setattr(table, "Worker", Worker)
    monkeypatch.setattr(table, "PAUSE", 0)
    with pytest.raises(EngineError, match="no float32 peer could be timed"):
        table.measure(TINY, 1, [OURS, ONE])
    assert "ONNX Runtime ended with status -9" in capsys.readouterr().err


def test_peers_that_are_not_installed_are_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "cv2", "onnx")
    table.check_peers(WORKLOADS)
    captured = capsys.readouterr().err
    assert "left out: ONNX Runtime; OpenVINO, f32; OpenCV; OpenVINO, default, since" in captured
    assert "these are not installed: onnx, opencv-python-headless; `make bench` installs all" in captured
    assert [each.name for each in engines() if each not in (OURS, AVX2)] == ["PyTorch, channels last", "PyTorch, NCHW"]
    save_net(TINY, tmp_path)
    assert not (tmp_path / "net.onnx").exists()


def test_workloads_without_an_installed_peer_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "measure", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(command, "HERE", tmp_path)
    without(monkeypatch, "torch")
    assert run_command(command.main, []) == 1
    assert capsys.readouterr().err == (
        "error: no peer can run FCN-8s, 500×500, training (and 2 more workloads), since these are not installed: "
        "torch; `make bench` installs all, as does pip install -e '.[bench]'.\n"
    )
    without(monkeypatch, "torch", "cv2", "onnx")
    with pytest.raises(EngineError, match=r"no peer can run FCN-8s, 500×500, since .*: torch, onnx, opencv"):
        more.scaling(1)


def test_the_ratio_is_to_the_fastest_float32_peer() -> None:
    seconds = {OURS.name: 1.0, AVX2.name: 1.5, ONE.name: 4.0, OTHER.name: None, BFLOAT16.name: 0.5}
    assert table._ratios(seconds) == {"ratio": 0.25, "ratio_avx2": 0.375}
    assert table._ratios({OURS.name: 1.0, BFLOAT16.name: 0.5}) == {"ratio": None, "ratio_avx2": None}


def result(**seconds: float | None) -> dict[str, Any]:
    named = {OURS.name: 1.0, ONE.name: 4.0, **seconds}
    return {"workload": "a net", "bar": 0.3, "limit": None, **table._ratios(named), "seconds": named}


def test_rows_have_the_heading_s_columns() -> None:
    heading, rule = table.heading().splitlines()
    row = table.row(result(**{AVX2.name: None}))
    assert heading.count("|") == rule.count("|") == row.count("|")
    cells = dict(zip(heading.split(" | "), row.split(" | "), strict=True))
    assert (cells[OURS.name], cells[ONE.name], cells[AVX2.name], cells["ratio"]) == ("1.000", "4.000", "–", "0.25")


def test_a_ratio_above_its_bar_is_missed() -> None:
    assert table.missed(result(**{ONE.name: 3.3})) == ["a net: the ratio is 0.303, above its bar of 0.3"]
    assert not table.missed(result(**{ONE.name: 3.4, AVX2.name: 3.0}))
    assert not table.missed({**result(**{ONE.name: 3.3}), "bar": None})


def test_one_thread_has_neither_bar_nor_limit() -> None:
    found = replace(FURTHER[0], limit=1.0).on_one_thread()
    assert (found.threads, found.bar, found.limit, found.processor_time) == (1, None, None, True)
    assert Workload.from_json(found.to_json()) == found


def test_a_call_above_its_limit_is_missed() -> None:
    limited = {**result(), "bar": None, "limit": 0.9}
    assert table.missed(limited) == ["a net: a call takes 1000.000 ms, more than its limit of 900 ms"]
    assert "| 900 ms | no |" in table.row(limited)
    assert not table.missed({**limited, "limit": 1.1})
    assert "| 0.30 | yes |" in table.row(result())


def test_a_missed_bar_is_a_failure_that_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch)
    monkeypatch.setattr(table, "measure", lambda workload, repeats: result(**{ONE.name: 3.3}))
    assert run_command(command.main, ["375x500"]) == 1
    ended = capsys.readouterr()
    assert ended.err == "error: a net: the ratio is 0.303, above its bar of 0.3\n"
    assert "bar: the largest ratio that the project allows itself" in ended.out
    monkeypatch.setattr(table, "measure", lambda workload, repeats: result())
    assert run_command(command.main, ["375x500"]) == 0


def test_avx2_is_shown_where_the_machine_has_more() -> None:
    assert (AVX2 in engines()) == (isa.name() == "v4" and "v3" in isa.available())
    assert {each.name for each in engines()} <= set(table.heading().splitlines()[0].split(" | "))


def test_charts_are_drawn(tmp_path: Path) -> None:
    table.draw([result(), result(**{ONE.name: None})], tmp_path / "table.png")
    more.draw_sizes({"net": [{"side": 10, "seconds": 1.0, "per_pixel": 0.01, "products": 5.0}]}, tmp_path / "sizes.png")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("training", [False, True])
def test_a_worker_runs_our_engine(training: bool, tmp_path: Path) -> None:
    workload = replace(TINY, training=training)
    save_net(workload, tmp_path)
    with Worker(workload, OURS, tmp_path) as worker:
        assert worker.run() > 0
        results = worker.results()
    if training:
        assert results[0] > 0 and results[1].any()  # the loss, and the gradient of the first filters
    else:
        here = build_net(workload).forward(workload.inputs(), outputs=["score"])
        assert table.differences(results, [here["score"]])[0] < 1e-5


def test_the_error_of_a_failing_engine_gives_the_reason(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"status 1: .*net\.h5: no such file"):
        Worker(TINY, OURS, tmp_path)


def test_a_failure_of_ours_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(workload: Workload, repeats: int) -> dict[str, Any]:
        if workload is WORKLOADS[0]:
            raise EngineError("fcnlite ended with status 1: no")
        return {**result(), "workload": workload.name}

    without(monkeypatch)
    monkeypatch.setattr(table, "measure", measure)
    monkeypatch.setattr(command, "HERE", tmp_path)
    assert run_command(command.main, ["500×500"]) == 1
    assert not list(tmp_path.iterdir())  # a part of the table leaves the figures of the whole alone
    assert f"error: {WORKLOADS[0].name}: fcnlite ended with status 1: no" in capsys.readouterr().err
    assert run_command(command.main, ["--chart", str(tmp_path / "chart.png")]) == 1
    saved = json.loads((tmp_path / "results.json").read_text())
    assert WORKLOADS[3].name in [each["workload"] for each in saved["results"]]
    assert saved["machine"]["isa"] == isa.name()
    assert (tmp_path / "chart.png").exists()


def test_a_part_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise SpecError("no such layer.")

    monkeypatch.setattr(more, "scaling", lambda repeats: [result(), result()])
    monkeypatch.setattr(more, "sizes", fails)
    monkeypatch.setattr(more, "peak", lambda repeats: {"seconds": 1.0, "sgemm": 1e9, "direct": 1e9, "done": 1e9})
    monkeypatch.setattr(memory, "measure", dict)
    monkeypatch.setattr(command, "HERE", tmp_path)
    assert run_command(command.main, ["--more"]) == 1
    ended = capsys.readouterr()
    assert "## Memory and the first forward" in ended.out
    assert ended.err == "error: Cost against picture size: no such layer.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["results.more.json"]


def test_sizes_in_names_may_be_typed_with_an_x() -> None:
    typed, shown = command._chosen(["8s, 500x500"]), command._chosen(["8s, 500×500"])
    assert typed == shown and WORKLOADS[0] in typed
    assert [each.name for each in command._chosen(["AlexNet"])] == ["FCN-AlexNet, 500×500"]


def test_names_that_are_no_workload_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(command.main, ["no such net"]) == 1
    assert "no workload has such a name; there are: FCN-8s" in capsys.readouterr().err


def test_a_profile_has_every_step_of_the_plan() -> None:
    net, blobs = build_net(TINY), TINY.inputs()
    plan = net.plan(steps.shapes_of(blobs), TINY.outputs)
    found = steps.measure(plan, blobs, 1)
    assert len(found) == len(plan.graph.operations)
    assert all(each.seconds > 0 and each.memory > 0 for each in found)
    assert sum(each.products for each in found) > 0


def test_floors_are_counts_over_rates() -> None:
    found = [steps.MeasuredStep("conv", "direct", 0.004, 2e9, 1e6), steps.MeasuredStep("pool", "max", 0.001, 0, 5e6)]
    shown = steps.show(found, 500e9, 10e9, 2)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()[2:]]
    assert rows[0] == ["conv", "direct", "4.00", "2.00", "0.10", "50 %"]
    assert rows[1] == ["pool", "max", "1.00", "0.00", "0.50", "50 %"]
    assert rows[2] == ["**all**", "", "5.00", "2.00", "0.60", "50 %"]


def test_points_of_the_roofline_have_the_counts_of_the_plan() -> None:
    net, blobs = build_net(TINY), TINY.inputs()
    plan = net.plan(steps.shapes_of(blobs), TINY.outputs)
    found = roofline.points(plan, blobs, repeats=1)
    assert [each["products"] for each in found] == [each.cost(1).needed for each in plan.graph.operations]
    assert all(each["bytes"] > 0 and each["seconds"] >= 0 for each in found)
    assert any(each["seconds"] > 0 for each in found)


def test_each_algorithm_that_suits_a_layer_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(algorithms, "LAYERS", (("small", 20, 24, 3, 12),))
    rows = list(algorithms.measured())
    assert [row["algorithm"] for row in rows] == ["direct", "Winograd F(4×4, 3×3)", "Winograd F(6×6, 3×3)", "im2col"]
    assert rows[-1]["products"] == 2 * 20 * 24 * 9 * 12 * 12
    assert all(row["predicted"] > 0 and row["prepared"] >= 4 * 20 * 24 * 9 for row in rows)


def test_rates_of_one_thread_leave_blas_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_thread, "MATRIX", 64)
    monkeypatch.setattr(single_thread, "seconds", lambda run, repeats=5: run() is None or 0.5)
    before = [info["num_threads"] for info in config.blas().info()]
    assert single_thread.product_rate() == 4 * 64**3
    assert [info["num_threads"] for info in config.blas().info()] == before


def test_the_work_of_a_net_follows_its_formulas() -> None:
    net = build_net(Workload("", "lenet", (1, 1, 28, 28)))
    products = 24 * 24 * 20 * 25 + 8 * 8 * 50 * 20 * 25 + 800 * 500 + 500 * CLASSES
    assert steps.direct_work(net, {"data": (1, 1, 28, 28)}) == 2 * products


def test_cost_against_size_is_by_the_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(more, "MAIN", TINY)
    monkeypatch.setattr(more, "UNPADDED", replace(TINY, model="lite-fcn4s"))
    monkeypatch.setattr(machine, "MATRIX", 64)
    monkeypatch.setattr(machine, "COPIED", 1 << 16)
    found = more.sizes(1, (20,))
    assert list(found) == [TINY.model, "lite-fcn4s"]
    for (row,) in found.values():
        assert row["per_pixel"] == row["seconds"] / 400
        assert row["products"] > 0 and row["floor"] > 0 and row["direct"] > 0
    assert more.show_sizes(found).count("| 20×20 |") == 2


def test_speed_up_leaves_out_who_did_not_run() -> None:
    shown = more.show_scaling([result(), result(**{OURS.name: 0.5, ONE.name: None})])
    assert "| fcnlite | 1.000 | 0.500 | 2.00 |" in shown
    assert ONE.name not in shown


def test_the_machine_is_described_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.describe()
    assert found["versions"]["numpy"] == np.__version__
    assert found["cpu"] in machine.line(found) and found["cores"] >= 1
    monkeypatch.setattr(machine, "MATRIX", 64)
    monkeypatch.setattr(machine, "COPIED", 1 << 16)
    assert machine.sgemm_rate(1, 1) > 0
    assert machine.copy_rate(2, 1) > 0
    # More than the arrays that this test has made, less than the machine has.
    peak = machine.peak_memory()
    assert peak is None or 10 << 20 < peak < 1 << 42


@pytest.mark.parametrize(
    "arguments",
    [["500×500", "--more"], ["--profile", "--chart", "x.png"], ["--repeats", "0"], ["--one-thread", "--more"]],
)
def test_options_that_do_not_fit_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_profile_tells_the_rates_of_its_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAIN", TINY)
    monkeypatch.setattr(machine, "MATRIX", 64)
    monkeypatch.setattr(machine, "COPIED", 1 << 16)
    shown = steps.profile(1)
    assert "conv1_1" in shown and "**all**" in shown
    assert shown.splitlines()[-1].startswith("tiny, ")
