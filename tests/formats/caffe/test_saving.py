"""Nets saved for Caffe: what is written is read back to the same net, and what Caffe cannot say is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import fcnlite
from fcnlite import caffe, layers, models
from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec, StateRule
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import FileError, SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.layers.base import Layer
from fcnlite.net import Net
from tests.random_nets import picture, specs, with_values

DATA = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": [1, 2, 8, 8]}]})


def conv(name: str, bottom: str = "data", *, num_output: int = 2, **fields: Any) -> LayerSpec:
    options = {"num_output": num_output, "kernel_size": [3], "pad": [1], "weight_filler": {"type": "xavier"}}
    return LayerSpec(name, "Convolution", (bottom,), (name,), options, **fields)


def small(*others: LayerSpec) -> Net:
    return Net(NetSpec("small", (DATA, conv("conv"), *others)))


def arrays(net: Net) -> dict[str, list[Array]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def hdf5_arrays(path: Path) -> dict[str, list[Array]]:
    """The arrays that Caffe reads from its HDF5 weights."""
    with h5py.File(path) as file:
        return {name: [group[str(i)][()] for i in range(len(group))] for name, group in file["data"].items()}


def assert_same(first: dict[str, list[Array]], second: dict[str, list[Array]]) -> None:
    assert sorted(first) == sorted(second)
    for name, found in first.items():
        for array, other in zip(found, second[name], strict=True):
            np.testing.assert_array_equal(array, other, strict=True)


NETS = ["lenet", "voc-fcn-alexnet", "voc-fcn8s", "lite-fcn8s", "googlenet", "siftflow-fcn16s", "nyud-fcn32s-color-hha"]


@pytest.mark.parametrize("name", NETS)
def test_a_saved_net_is_loaded_and_saved_as_the_same_files(name: str, tmp_path: Path) -> None:
    net = models.build(name, width=1 / 32)
    once, twice = tmp_path / "once", tmp_path / "twice"
    caffe.save(net, f"{once}.prototxt", f"{once}.caffemodel")
    loaded = fcnlite.load(f"{once}.prototxt", f"{once}.caffemodel")
    assert loaded.spec == net.spec
    assert_same(arrays(loaded), arrays(net))
    caffe.save(loaded, f"{twice}.prototxt", f"{twice}.caffemodel")
    for kind in ("prototxt", "caffemodel"):
        assert once.with_suffix(f".{kind}").read_bytes() == twice.with_suffix(f".{kind}").read_bytes()


@pytest.mark.parametrize("name", ["weights.caffemodel.h5", "weights.h5"])
def test_weights_go_into_hdf5_if_the_name_ends_so(name: str, tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", width=1 / 32)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / name)
    assert caffe.read_net(tmp_path / "net.prototxt") == net.spec
    assert_same(hdf5_arrays(tmp_path / name), arrays(net))
    loaded = fcnlite.load(tmp_path / "net.prototxt", tmp_path / name)
    assert_same(arrays(loaded), arrays(net))


def test_caffes_own_files_are_saved_with_the_same_weights(shared: Path, tmp_path: Path) -> None:
    folder = shared / "reference/nets/tiny-vgg16-classifier"
    net = fcnlite.load(folder / "net.prototxt", folder / "weights.caffemodel")
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "weights.caffemodel.h5")
    theirs = {name: found for name, found in hdf5_arrays(folder / "weights.caffemodel.h5").items() if found}
    assert_same(hdf5_arrays(tmp_path / "weights.caffemodel.h5"), theirs)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "weights.caffemodel")
    assert_same(caffe.read_weights(tmp_path / "weights.caffemodel"), theirs)


@given(specs())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_nets_compute_the_same_after_saving(tmp_path: Path, spec: NetSpec) -> None:
    net, x = with_values(spec), picture(spec)
    blobs = [top for layer in spec for top in layer.top if layer.bottom]
    expected = net.forward(data=x, outputs=blobs)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "weights.caffemodel")
    found = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "weights.caffemodel").forward(data=x, outputs=blobs)
    for name, array in expected.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)


def test_batch_norm_keeps_its_three_blobs(tmp_path: Path) -> None:
    net = small(LayerSpec("bn", "BatchNorm", ("conv",), ("conv",)))
    for parameter, value in zip(net.params["bn"], (1.0, 2.0, 4.0), strict=True):
        parameter.data = np.full(parameter.shape, value)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    saved = caffe.read_weights(tmp_path / "w.caffemodel")["bn"]
    assert [array.tolist() for array in saved] == [[1.0, 1.0], [2.0, 2.0], [4.0]]


@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_shared_parameters_are_there_under_each_layer(name: str, tmp_path: Path) -> None:
    shared_by_name = {"param": (ParamSpec("w"), ParamSpec("b"))}
    net = small(conv("one", **shared_by_name), conv("two", "one", **shared_by_name))
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / name)
    read = hdf5_arrays if name.endswith(".h5") else caffe.read_weights
    saved = read(tmp_path / name)
    assert_same(saved, arrays(net))
    assert_same({"one": saved["one"]}, {"one": saved["two"]})
    loaded = fcnlite.load(tmp_path / "net.prototxt", tmp_path / name)
    assert loaded.params["one"][0] is loaded.params["two"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hdf5_holds_a_shared_parameter_once(dtype: str, tmp_path: Path) -> None:
    param = {"param": (ParamSpec("w"), ParamSpec("b"))}
    layers = (DATA, conv("conv"), conv("one", **param), conv("two", "one", **param))
    net = Net(NetSpec("small", layers), path="plain", dtype=dtype)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5") as file:
        assert file["data/one/0"].id == file["data/two/0"].id
        assert file["data/one/0"].id != file["data/conv/0"].id


def test_float64_nets_are_saved_as_float32(tmp_path: Path) -> None:
    net = Net(NetSpec("small", (DATA, conv("conv"))), path="plain", dtype="float64")
    for name in ("w.caffemodel", "w.h5"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / name)
    rounded = {"conv": [each.array.astype(np.float32) for each in net.params["conv"]]}
    assert_same(caffe.read_weights(tmp_path / "w.caffemodel"), rounded)
    assert_same(hdf5_arrays(tmp_path / "w.h5"), rounded)


def test_saving_leaves_the_net_as_it_was(tmp_path: Path) -> None:
    net = small()
    versions = [each.version for each in net.params["conv"]]
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert [each.version for each in net.params["conv"]] == versions


def test_the_matrix_of_an_infogain_loss_goes_into_a_file_beside_the_text(tmp_path: Path) -> None:
    options = {"matrix": [2.0, 0.0, 0.0, 0.5]}
    loss = LayerSpec("loss/1", "InfogainLoss", ("conv", "label"), ("loss",), options)
    net = small(label(1, 8, 8), loss)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    text = (tmp_path / "net.prototxt").read_text()
    assert 'source: "net.loss_1.binaryproto"' in text and "matrix" not in text
    assert caffe.read_blob(tmp_path / "net.loss_1.binaryproto").shape == (1, 1, 2, 2)
    assert fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel").spec == net.spec


def label(*shape: int) -> LayerSpec:
    return LayerSpec("label", "Input", top=("label",), options={"shape": [{"dim": list(shape)}]})


def test_outputs_keep_only_the_layers_that_compute_them(tmp_path: Path) -> None:
    net = models.build("voc-fcn8s", width=1 / 32, phase="TRAIN")
    caffe.save(net, tmp_path / "deploy.prototxt", tmp_path / "w.caffemodel", outputs=["pool3"])
    deploy = fcnlite.load(tmp_path / "deploy.prototxt", tmp_path / "w.caffemodel")
    assert [layer.name for layer in deploy.spec][-2:] == ["relu3_3", "pool3"]
    assert sorted(caffe.read_weights(tmp_path / "w.caffemodel")) == sorted(deploy.params)
    x = np.random.default_rng(0).normal(size=(1, 3, 40, 50))
    expected = net.share("TEST").forward(data=x, outputs=["pool3"])["pool3"]
    np.testing.assert_array_equal(deploy.forward(data=x)["pool3"], expected)


def test_outputs_leave_out_labels_losses_and_rules(tmp_path: Path) -> None:
    loss = LayerSpec("loss", "SoftmaxWithLoss", ("conv", "label"), ("loss",))
    only_test = conv("test", "conv", include=(StateRule("TEST"),))
    net = small(label(1, 8, 8), loss, only_test)
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.h5", outputs=["test"])
    expected = (DATA, conv("conv"), conv("test", "conv"))
    assert caffe.read_net(tmp_path / "net.prototxt").layers == expected


def test_outputs_make_inputs_of_data_layers(tmp_path: Path) -> None:
    options = {"batch_size": 4, "channels": 2, "height": 8, "width": 6}
    data = LayerSpec("source", "MemoryData", (), ("data", "label"), options)
    net = Net(NetSpec("small", (data, conv("conv"))))
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert caffe.read_net(tmp_path / "net.prototxt") == net.spec
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel", outputs=["conv"])
    expected = LayerSpec("source", "Input", (), ("data",), {"shape": [{"dim": [4, 2, 8, 6]}]})
    assert caffe.read_net(tmp_path / "net.prototxt").layers[0] == expected


def test_outputs_may_come_from_layers_that_fcnlite_cannot_run(tmp_path: Path) -> None:
    spp = LayerSpec("spp", "SPP", ("conv",), ("y",), {"pyramid_height": 2})
    caffe.save(small(spp), tmp_path / "net.prototxt", tmp_path / "w.caffemodel", outputs=["y"])
    assert caffe.read_net(tmp_path / "net.prototxt").layers == (DATA, conv("conv"), spp)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [(["cnv"], "no blob 'cnv' in phase TEST; did you mean 'conv'"), ([], "outputs is empty; name at least one blob")],
)
def test_outputs_that_are_no_blobs_are_refused(outputs: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=words):
        caffe.save(small(), tmp_path / "net.prototxt", tmp_path / "w.caffemodel", outputs=outputs)


def test_layers_of_caffe_that_fcnlite_does_not_know_are_kept(tmp_path: Path) -> None:
    """In the other phase, for here nothing could compute them."""
    text = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 8 dim: 8 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
      convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: "over" type: "Threshold" bottom: "conv" top: "over" threshold_param { threshold: 0.5 }
      include { phase: TRAIN } }"""
    (tmp_path / "given.prototxt").write_text(text)
    net = fcnlite.load(tmp_path / "given.prototxt")
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert "threshold: 0.5" in (tmp_path / "net.prototxt").read_text()
    assert fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel").spec == net.spec


@pytest.fixture
def unknown_to_caffe() -> Iterator[str]:
    class Twice(Layer):
        type = "Twice"
        messages = ("twice_param",)

        def forward(self, bottom: list[Array], run: Any) -> list[Array]:
            return [2 * bottom[0]]

    layers.register(Twice)
    yield "Twice"
    del layers.registry._registry["Twice"]


def test_layers_of_the_users_own_are_refused(unknown_to_caffe: str, tmp_path: Path) -> None:
    net = small(LayerSpec("double", unknown_to_caffe, ("conv",), ("double",)))
    with pytest.raises(SpecError, match=r"layer 'double' \(Twice\): Caffe has no layer of this type"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert not list(tmp_path.iterdir())


def test_inputs_without_shape_are_refused(tmp_path: Path) -> None:
    net = Net(NetSpec("small", (replace(DATA, options={}), conv("conv"))))
    net.forward(data=np.zeros((1, 2, 8, 8)))
    with pytest.raises(SpecError, match=r"layer 'data' \(Input\): has no shape, .*add `input_param"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")


@pytest.mark.parametrize(
    "layer",
    [
        conv("again", "conv"),
        LayerSpec("again", "Eltwise", ("data", "conv"), ("conv",)),
        LayerSpec("again", "Scale", ("data", "conv"), ("conv",), {"axis": 0}),
    ],
    ids=lambda layer: layer.type,
)
def test_layers_that_caffe_cannot_write_in_place_are_refused(layer: LayerSpec, tmp_path: Path) -> None:
    net = Net(NetSpec("small", (DATA, conv("conv"), replace(layer, top=("conv",)))))
    with pytest.raises(SpecError, match=rf"layer 'again' \({layer.type}\): writes its bottom 'conv' in place"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")


def test_names_with_a_slash_are_refused_by_hdf5_alone(tmp_path: Path) -> None:
    net = Net(NetSpec("small", (DATA, conv("inception/1x1"))))
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    with pytest.raises(FileError, match=r"w.h5: layer 'inception/1x1' .*slash.*save to a .caffemodel"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.h5")
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_weights_that_no_reader_takes_are_refused(value: float, tmp_path: Path) -> None:
    net = Net(NetSpec("small", (DATA, conv("conv"))), path="plain", dtype="float64")
    net.params["conv"][1].data[1] = value
    with pytest.raises(FileError, match=r"w.caffemodel: not written, for layer 'conv', parameter 1 holds NaN"):
        caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert not list(tmp_path.iterdir())


def spoil_text(folder: Path) -> tuple[Path, Path]:
    (folder / "net.prototxt").mkdir()
    return folder / "net.prototxt", folder / "w.caffemodel"


def spoil_weights(folder: Path) -> tuple[Path, Path]:
    (folder / "w.caffemodel").mkdir()
    return folder / "net.prototxt", folder / "w.caffemodel"


def no_folder_for_text(folder: Path) -> tuple[Path, Path]:
    return folder / "absent" / "net.prototxt", folder / "w.caffemodel"


def no_folder_for_weights(folder: Path) -> tuple[Path, Path]:
    return folder / "net.prototxt", folder / "absent" / "w.caffemodel"


def one_name_for_both(folder: Path) -> tuple[Path, Path]:
    return folder / "net.prototxt", folder / "." / "net.prototxt"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_text, "net.prototxt: is a folder"),
        (spoil_weights, "w.caffemodel: is a folder"),
        (no_folder_for_text, r"net.prototxt: cannot be written \(No such file"),
        (no_folder_for_weights, r"w.caffemodel: cannot be written \(No such file"),
        (one_name_for_both, "net.prototxt: is given for two files"),
    ],
)
def test_all_files_are_written_or_none(spoil: Callable[[Path], tuple[Path, Path]], words: str, tmp_path: Path) -> None:
    net = small()
    prototxt, weights = spoil(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileError, match=words):
        caffe.save(net, prototxt, weights)
    assert sorted(tmp_path.iterdir()) == before


def test_a_failed_write_of_the_weights_leaves_the_old_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prototxt, weights = tmp_path / "net.prototxt", tmp_path / "w.caffemodel"
    caffe.save(small(), prototxt, weights)
    before = (prototxt.read_bytes(), weights.read_bytes())
    opened = Path.open

    def full_disk(path: Path, mode: str = "r", *more: Any) -> Any:
        if path.suffix == ".caffemodel" and mode == "wb":
            raise OSError(28, "No space left on device")
        return opened(path, mode, *more)

    monkeypatch.setattr(Path, "open", full_disk)
    with pytest.raises(FileError, match=r"w.caffemodel: cannot be written \(No space left"):
        caffe.save(small(conv("more", "conv")), prototxt, weights)
    assert (prototxt.read_bytes(), weights.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.prototxt", "w.caffemodel"]


def test_anything_with_a_spec_and_params_can_be_saved(tmp_path: Path) -> None:
    class Described:
        spec = NetSpec("small", (DATA, conv("conv")))
        params = {"conv": [Parameter(np.ones((2, 2, 3, 3))), Parameter(np.zeros(2))]}  # noqa: RUF012

    caffe.save(Described(), tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    assert fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel").params["conv"][0].array.sum() == 36


def test_the_dialect_of_opencv(tmp_path: Path) -> None:
    """tests/peers/test_opencv.py runs such files in OpenCV."""
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }'
    pool = 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 3 %s } }'
    files = (tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    net = Net(parse_net(data + pool % "stride: 2 round_mode: FLOOR"))
    caffe.save(net, *files, dialect="opencv")
    assert "ceil_mode: false" in files[0].read_text() and "round_mode" not in files[0].read_text()
    assert caffe.read_net(files[0]) == net.spec
    with pytest.warns(UserWarning, match=r"n\.prototxt: .*OpenCV cannot run round_mode FLOOR \(p\).*dialect='opencv'"):
        caffe.save(net, *files)
    assert "round_mode: FLOOR" in files[0].read_text()
    interp = data + 'layer { name: "i" type: "Interp" bottom: "data" top: "i" interp_param { %s } }'
    caffe.save(Net(parse_net(interp % "zoom_factor: 2")), *files, dialect="opencv")
    for text, dialect, words in (
        (interp % "zoom_factor: 2", "caffe", r"'i' \(Interp\): Caffe has no layer of this type"),
        (interp % "shrink_factor: 2", "opencv", r"'i' \(Interp\): OpenCV knows only zoom_factor, or height and width"),
        (data + pool.replace("Pooling", "SPP") % "", "opencv", r"'p' \(SPP\): OpenCV has no layer of this type"),
        (data, "cafe", "dialect is 'cafe'"),
    ):
        with pytest.raises(SpecError, match=words):
            caffe.save(Net(parse_net(text)), *files, dialect=dialect)
