"""The table of passes: the compiler runs it, and docs/performance.md and `summary --plan` show it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fcnlite.compiler import report
from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.passes import table
from fcnlite.compiler.passes.table import PASSES, passes_for, register
from fcnlite.errors import SpecError
from fcnlite.net import Net
from tests.compiler.passes.small_nets import FEEDS, POOLED, net_of
from tests.compiler.path_comparison import plan_of

ROOT = Path(__file__).parents[3]


def test_the_page_on_performance_has_the_same_table() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"]
    documented = [(name, purpose, modes) for name, purpose, _, modes in (row for row in rows if len(row) == 4)]
    assert documented == [(f"`{each.name}`", each.purpose, ", ".join(each.modes)) for each in PASSES]


def test_every_pass_is_in_a_file_of_its_name() -> None:
    for each in PASSES:
        assert each.run.__module__ == f"fcnlite.compiler.passes.{each.name}"


@pytest.mark.parametrize("training", [False, True])
def test_the_compiler_runs_the_passes_of_the_mode_in_order(training: bool) -> None:
    plan = plan_of(net_of(*POOLED), FEEDS, keep=training)
    expected = passes_for("training" if training else "inference")
    assert list(plan.notes) == [each.name for each in expected]


def test_passes_that_the_modes_leave_out() -> None:
    names = {each.name for each in PASSES}
    training = {each.name for each in passes_for("training")}
    assert names - {each.name for each in passes_for("inference")} == {"elide_padding"}
    assert names - training == {
        "lower_deconvolution",
        "fold_affine",
        "fuse_pool",
        "elide_border",
        "fuse_first_convolution",
        "fuse_sum",
        "join_concatenations",
        "lower_affine",
    }


def test_the_report_names_each_pass_and_what_it_did() -> None:
    text = report.passes(plan_of(net_of(*POOLED), FEEDS))
    headings = re.findall(r"^(\w+): (.*)$", text, re.MULTILINE)
    assert headings == [(each.name, each.purpose) for each in passes_for("inference")]
    assert "\n  relu_a into a\n" in text


def test_a_pass_of_a_user_runs_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_own", [])

    def own(graph: Graph, machine: Machine) -> list[str]:
        return [f"{len(graph.operations)} operations"]

    with pytest.raises(SpecError, match=r"no pass 'fold_afine' to run before.*fold_affine"):
        register("counts", before="fold_afine")
    assert register("counts", before="fuse_relu", modes=("inference",))(own) is own
    with pytest.raises(SpecError, match="'own' is registered already"):
        register("counts")(own)
    plan = plan_of(net_of(*POOLED), FEEDS)
    names = list(plan.notes)
    assert (
        names[names.index("own") + 1] == "fuse_relu" and "own" not in plan_of(net_of(*POOLED), FEEDS, keep=True).notes
    )
    assert re.search(r"^own: counts\n  \d+ operations$", report.passes(plan), re.MULTILINE)


@pytest.mark.parametrize("keep", [False, True])
def test_listings_are_the_operations_between_the_passes(keep: bool) -> None:
    net = net_of(*POOLED)
    fed = {name: array.shape for name, array in FEEDS.items()}
    listings = net.listings(fed, keep=keep)
    assert list(listings) == ["", *(each.name for each in passes_for("training" if keep else "inference"))]
    assert len(listings[""]) == len(net.layers) - len(fed)
    assert all(line.startswith("layer ") for line in listings[""])
    assert len(listings["fuse_relu"]) < len(listings["lower_layers"])
    assert not any(line.startswith("layer ") for line in listings["fuse_relu"])
    last = "assign_layouts" if keep else "join_concatenations"
    assert listings[last] == report.operations(plan_of(net, FEEDS, keep=keep).graph)


def test_a_net_on_the_reference_path_has_the_same_listings() -> None:
    net = net_of(*POOLED)
    fed = {name: array.shape for name, array in FEEDS.items()}
    assert Net(net.spec, path="plain").listings(fed) == net.listings(fed)
