"""Solvers against Caffe: every parameter after each of eight steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import solver
from tests.parity.reference import assert_close, case_folder, layer_and_index, part, read_case, set_param

BAR = 1e-5
CASES = [
    "adadelta",
    "adagrad",
    "adam",
    "nesterov",
    "rmsprop",
    "sgd_clip",
    "sgd_clip_above_and_below",
    "sgd_clip_frozen_excluded",
    "sgd_clip_iter_size3",
    "sgd_exp",
    "sgd_fixed_heavy",
    "sgd_inv",
    "sgd_iter_size4",
    "sgd_l1_decay",
    "sgd_multistep",
    "sgd_poly",
    "sgd_sigmoid",
    "sgd_step",
]


@pytest.mark.parametrize("name", CASES)
def test_solver(name: str) -> None:
    folder = case_folder("solvers", name)
    case = read_case(folder / f"{name}.npz")
    loaded = solver.load(folder / f"{name}.prototxt")
    for key, values in part(case, "init.").items():
        set_param(loaded.net, *layer_and_index(key), values)

    for step in range(8):
        if loaded.options.iter_size == 1:
            loss = loaded.step(data=case[f"step{step}.data"], label=case[f"step{step}.label"])
        else:
            passes = [part(case, f"step{step}.pass{i}.") for i in range(loaded.options.iter_size)]
            assert all(set(each) == {"data", "label"} for each in passes)
            loss = loaded.step(passes)
        assert loss == pytest.approx(float(case["losses"][step]), rel=BAR)

        params = part(case, f"step{step}.param.")
        assert {layer_and_index(key)[0] for key in params} == set(loaded.net.params)
        for key, reference in params.items():
            layer, index = layer_and_index(key)
            assert_close(loaded.net.params[layer][index].array, reference, BAR, f"step {step}: {key}")


def test_all_cases_are_run(shared: Path) -> None:
    assert sorted(path.stem for path in (shared / "reference" / "solvers").glob("*.npz")) == CASES
