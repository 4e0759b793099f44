"""The representation of nets, layers, solvers, data sets and segmenters at a prompt and in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, data, models
from fcnlite.analysis.layer_table import layer_rows
from fcnlite.data.dataset import Dataset
from fcnlite.description.model_info import Labels
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.layers import Layer, create
from fcnlite.net import Net
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.solver import Solver
from tests.color_net import CLASSES, INFO, color_net

NET = """
name: "two"
layer { name: "data" type: "Input" top: "data" SHAPE }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { name: "w" }
        convolution_param { num_output: 3 kernel_size: 3 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "again" type: "Convolution" bottom: "conv" top: "again" param { name: "w" }
        convolution_param { num_output: 3 kernel_size: 3 bias_term: false } }
layer { name: "odd" type: "Mystery" bottom: "again" top: "odd" }
layer { name: "relu" type: "ReLU" bottom: "odd" top: "odd" }
layer { name: "relu2" type: "ReLU" bottom: "again" top: "again" relu_param { negative_slope: 0.5 } }
"""
SHAPED = NET.replace("SHAPE", "input_param { shape { dim: 2 dim: 3 dim: 8 dim: 9 } }")


class Cells(HTMLParser):
    """The rows of a table, and whether the tags are balanced."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.title = ""
        self.feed(markup)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "p" in self.open:
            self.title += data
        else:
            self.rows[-1][-1] += data


def rows(net: Net) -> list[list[str]]:
    return [line.split() for line in repr(net).splitlines()[1:]]


def test_a_net_is_a_table_of_its_layers() -> None:
    assert repr(Net(caffe.parse_net(SHAPED))) == "\n".join(
        [
            "Net 'two': phase TEST, fast path, float32, 6 layers, 81 parameters",
            "layer  type         top      parameters",
            "data   Input        2×3×8×9",
            "conv   Convolution  2×3×6×7          81",
            "again  Convolution  2×3×4×5",
            "odd    Mystery",
            "relu   ReLU",
            "relu2  ReLU         2×3×4×5",
        ]
    )


def test_it_says_what_summary_says() -> None:
    net = models.build("voc-fcn8s", classes=3, width=0.05)
    fed = {layer.spec.top[0]: layer.top_shapes()[0] for layer in net.layers if not layer.spec.bottom}
    expected = {
        row.name: (row.type, "×".join(map(str, row.shape)) or "scalar", f"{row.parameters:,}" if row.parameters else "")
        for row in layer_rows(net.spec, fed)
    }
    found = {name: (*rest, "")[:3] for name, *rest in rows(net)[1:]}
    assert found == expected


def test_a_net_without_sizes_shows_what_is_known() -> None:
    net = Net(caffe.parse_net(NET.replace("SHAPE", "")))
    assert "parameters have no sizes before the first forward" in repr(net)
    assert rows(net)[2] == ["conv", "Convolution"]
    net.forward(data=np.ones((1, 3, 9, 9)), outputs=["again"])
    assert ", 81 parameters" in repr(net) and rows(net)[2] == ["conv", "Convolution", "81"]


def test_a_large_net_shows_its_beginning_and_its_end() -> None:
    def chain(count: int) -> Net:
        layers = [LayerSpec("data", "Input", (), ("data",), {"shape": [{"dim": [1, 3, 4, 4]}]})]
        layers += [LayerSpec(f"relu{i}", "ReLU", ("data",), ("data",)) for i in range(1, count)]
        return Net(NetSpec("chain", tuple(layers)))

    assert len(rows(chain(200))) == 201
    shown = [line[0] for line in rows(chain(250))[1:]]
    assert shown[:2] == ["data", "relu1"] and shown[160] == "..." and shown[-1] == "relu249" and len(shown) == 201
    assert rows(chain(250))[161] == ["...", "50", "more"] and shown[159] == "relu159" and shown[161] == "relu210"


def test_nets_in_a_notebook() -> None:
    net = Net(caffe.parse_net(SHAPED.replace('"two"', '"<b>&"').replace('"conv"', '"<script>x</script>"')))
    markup = net._repr_html_()
    assert markup is not None and "<script>" not in markup and "<b>" not in markup
    cells = Cells(markup)
    assert cells.title.startswith("Net '<b>&': phase TEST")
    assert cells.rows[0] == ["layer", "type", "top", "parameters"]
    assert cells.rows[2] == ["<script>x</script>", "Convolution", "2×3×6×7", "81"]


def test_a_name_stays_on_its_line() -> None:
    layers = (LayerSpec("a\nb", "Input", (), ("data",)), LayerSpec("r" * 100, "ReLU", ("data",), ("y",)))
    found = rows(Net(NetSpec("n", layers)))
    assert found[1][0] == "a\\nb" and found[2][0] == "r" * 57 + "..."


def test_what_is_half_made_has_a_repr() -> None:
    class Odd(Layer):
        type = "Odd"

        def top_shapes(self, *bottom: tuple[int, ...]) -> list[tuple[int, ...]]:
            raise RuntimeError("odd")

    net = Net(caffe.parse_net(SHAPED))
    net.layers[1] = Odd(LayerSpec("odd", "Odd", ("data",), ("conv",)), "TEST")
    assert rows(net)[1] == ["data", "Input", "2×3×8×9"]
    for kind in (Net, Layer, Solver, Segmenter, data.shapes.Shapes):
        made = object.__new__(kind)
        assert kind.__name__ in repr(made)
        assert getattr(made, "_repr_html_", lambda: None)() is None


@pytest.mark.parametrize(
    ("type_", "bottom", "options", "expected"),
    [
        ("ReLU", ("x",), {}, "ReLU 'it': x → y"),
        (
            "Convolution",
            ("x",),
            {"num_output": 2, "kernel_size": [3], "pad": [], "weight_filler": {"type": "xavier"}},
            "Convolution 'it' (num_output=2, kernel_size=(3,), weight_filler=Filler(type='xavier')): x → y",
        ),
        ("Eltwise", ("a", "b"), {"operation": "SUM"}, "Eltwise 'it': a, b → y"),
        ("Data", (), {"batch_size": 2}, "Data 'it': y"),
        ("Mystery", ("x",), {"size": 2}, "Mystery 'it' (unknown type, size=2): x → y"),
    ],
)
def test_a_layer_shows_the_options_that_are_not_usual(
    type_: str, bottom: tuple[str, ...], options: dict[str, Any], expected: str
) -> None:
    assert repr(create(LayerSpec("it", type_, bottom, ("y",), options), "TEST")) == expected


def test_a_long_option_is_cut() -> None:
    spec = LayerSpec("it", "InfogainLoss", ("x", "label"), ("y",), {"matrix": [0.5] * 10_000})
    assert len(repr(create(spec, "TEST"))) < 200


def test_a_solver() -> None:
    net = models.build("lite-fcn8s", classes=2, width=0.02, phase="TRAIN")
    sgd = fcnlite.SGD(net, base_lr=0.1, lr_policy="step", stepsize=10, momentum=0.9)
    sgd.iteration = 20
    expected = "SGD at iteration 20, rate 0.001: base_lr=0.1, lr_policy='step', stepsize=10, momentum=0.9"
    assert repr(sgd) == expected
    assert repr(fcnlite.Adam(net)) == "Adam at iteration 0, rate 0.001"
    assert repr(fcnlite.Adam(net, momentum=0.0)) == "Adam at iteration 0, rate 0.001: momentum=0.0"
    grows = fcnlite.SGD(net, lr_policy="exp", gamma=10.0)
    grows.iteration = 10_000
    assert repr(grows).startswith("SGD at iteration 10000, rate not finite: lr_policy='exp'")


class Two(Dataset):
    splits = ("train",)

    def __init__(self) -> None:
        labels = {"sem": Labels(("<i>sky", "road"), ((1, 2, 3), (4, 5, 6))), "geo": Labels(tuple(map(str, range(20))))}
        super().__init__("two", "train", labels, pictures=("color", "hha"))

    def __len__(self) -> int:
        return 1234

    def __getitem__(self, index: int) -> data.dataset.Sample:
        raise AssertionError("no sample is read for a repr")


def test_a_data_set() -> None:
    assert repr(Two()) == (
        "Two 'two' (train): 1,234 samples, pictures for color, hha; sem: 2 classes (<i>sky, road); "
        "geo: 20 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...)"
    )
    cells = Cells(Two()._repr_html_() or "")
    assert cells.title == "Two 'two' (train): 1,234 samples, pictures for color, hha"
    assert cells.rows[1:3] == [["sem", "0", "<i>sky", "1, 2, 3"], ["sem", "1", "road", "4, 5, 6"]]
    assert cells.rows[3] == ["geo", "0", "0", ""] and len(cells.rows) == 23
    shapes = data.open("shapes", split="val")
    assert repr(shapes).startswith(f"Shapes 'shapes' (val): {len(shapes)} samples, pictures for data; label: 6 classes")


def test_a_segmenter(tmp_path: Path) -> None:
    color_net().save(tmp_path / "color.h5")
    segmenter = Segmenter(tmp_path / "color.h5")
    title, fed, classes = repr(segmenter).splitlines()
    assert title == f"Segmenter of the net {segmenter.net.spec.name!r}"
    assert fed == f"  data: fed as {INFO.preprocessing}"
    assert classes == f"  label: {len(CLASSES)} classes ({', '.join(CLASSES)})"
    cells = Cells(segmenter._repr_html_() or "")
    assert cells.title == title and cells.rows[1:] == [
        ["data", f"fed as {INFO.preprocessing}"],
        ["label", classes.strip().removeprefix("label: ")],
    ]
