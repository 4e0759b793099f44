"""Solvers against Caffe: every parameter after each of eight steps."""

from __future__ import annotations

import pytest

from fcnlite import solver
from tests.parity.reference import assert_close, case_folder, layer_and_index, part, read_case, set_param

BAR = 1e-5


@pytest.mark.parametrize("name", ["sgd_fixed_heavy", "sgd_step", "sgd_poly", "sgd_iter_size4"])
def test_solver(name: str) -> None:
    folder = case_folder("solvers", name)
    case = read_case(folder / f"{name}.npz")
    sgd = solver.load(folder / f"{name}.prototxt")
    for key, values in part(case, "init.").items():
        set_param(sgd.net, *layer_and_index(key), values)

    for step in range(8):
        passes = [part(case, f"step{step}.pass{i}.") for i in range(sgd.options.iter_size)]
        if sgd.options.iter_size == 1:
            loss = sgd.step(data=case[f"step{step}.data"], label=case[f"step{step}.label"])
        else:
            assert all(set(each) == {"data", "label"} for each in passes)
            loss = sgd.step(passes)
        assert loss == pytest.approx(float(case["losses"][step]), rel=BAR)

        params = part(case, f"step{step}.param.")
        assert {layer_and_index(key)[0] for key in params} == {"conv1", "score", "up"}
        for key, reference in params.items():
            layer, index = layer_and_index(key)
            assert_close(sgd.net.params[layer][index].array, reference, BAR, f"step {step}: {key}")
