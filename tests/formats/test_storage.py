"""Weight files: what is saved is what is loaded, and what cannot be saved is refused."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fcnlite import models, storage
from fcnlite.description.model_info import ModelInfo
from fcnlite.errors import FileError, SpecError
from fcnlite.files import MappedFile, mapping_of
from fcnlite.formats.storage import WeightFile, is_weight_file, load, save
from fcnlite.solver import SGD
from tests.formats.weight_files import assert_same_arrays, example, net

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40, deadline=None)
@given(
    params=st.dictionaries(st.text(max_size=12), st.lists(hnp.arrays(np.float32, SHAPES), max_size=3), max_size=4),
    state=st.dictionaries(
        st.text(max_size=12),
        st.sampled_from([np.float32, np.float64, np.int64]).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)),
        max_size=3,
    ),
    progress=st.dictionaries(st.text(), JSON, max_size=3),
)
def test_saved_values_are_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    params: dict[str, list[np.ndarray]],
    state: dict[str, np.ndarray],
    progress: dict[str, Any],
) -> None:
    file = tmp_path_factory.mktemp("round") / "x.h5"
    save(file, WeightFile(net(*params), params, ModelInfo(record=progress), state, progress))
    loaded = load(file)
    assert loaded.spec == net(*params)
    assert loaded.info == ModelInfo(record=progress)
    assert loaded.progress == progress
    assert list(loaded.params) == list(params)
    for layer, arrays in params.items():
        assert len(loaded.params[layer]) == len(arrays)
        for found, expected in zip(loaded.params[layer], arrays, strict=True):
            assert_same_arrays(found, expected)
    assert list(loaded.state) == list(state)
    for name, expected in state.items():
        assert_same_arrays(loaded.state[name], expected)


def test_information_is_kept(weight_file: Path) -> None:
    assert load(weight_file).info == example().info


def test_layers_that_differ_only_in_odd_characters_stay_apart(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "..", "../x", "a\0b", "", "ä" * 300]
    arrays = {name: [np.full(2, i, "f4")] for i, name in enumerate(names)}
    save(tmp_path / "x.h5", WeightFile(net(*names), arrays))
    loaded = load(tmp_path / "x.h5").params
    assert [float(loaded[name][0][0]) for name in names] == [float(i) for i in range(len(names))]


def test_data_sets_tell_people_whose_they_are(weight_file: Path) -> None:
    with h5py.File(weight_file) as file:
        assert list(file["params"]) == ["00000 conv1 0", "00001 conv1 1", "00002 conv2 0"]
        assert file["spec"][()].startswith(b"{")


def test_data_sets_are_contiguous_and_start_on_pages(weight_file: Path) -> None:
    with h5py.File(weight_file) as file:
        for data_set in [*file["params"].values(), *file["state"].values()]:
            assert data_set.chunks is None
            assert data_set.id.get_offset() % 4096 == 0


def test_equal_contents_make_equal_files(weight_file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.h5"
    save(again, load(weight_file))
    assert again.read_bytes() == weight_file.read_bytes()


def test_arrays_are_mapped_and_read_only(weight_file: Path) -> None:
    array = load(weight_file).params["conv1"][0]
    assert not array.flags.writeable
    assert not array.flags.owndata
    mapped = mapping_of(array)
    assert mapped is not None and mapped.path == str(weight_file)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_costs_no_memory_until_touched(tmp_path: Path) -> None:
    file = tmp_path / "big.h5"
    save(file, WeightFile(net("fc"), {"fc": [np.ones((64, 1 << 18), "f4")]}))

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    load(file)
    before = resident()
    weight = load(file).params["fc"][0]
    assert resident() - before < 8 << 20
    assert weight.sum() == 64 << 18


def test_a_file_system_without_mapping_is_read(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no mapping here")

    monkeypatch.setattr(MappedFile, "of", refuse)
    loaded = load(weight_file)
    for layer, arrays in example().params.items():
        for found, expected in zip(loaded.params[layer], arrays, strict=True):
            assert_same_arrays(found, expected)


def test_a_file_without_our_alignment_loads_aligned(weight_file: Path) -> None:
    """Rewrite the file as other tools do."""
    repacked = weight_file.with_name("repacked.h5")
    with h5py.File(weight_file) as source, h5py.File(repacked, "w", libver="latest") as target:
        target.attrs.update(dict(source.attrs))
        target["one byte"] = np.uint8(1)
        for name in source:
            source.copy(name, target)
    with h5py.File(repacked) as file:
        assert any(data_set.id.get_offset() % 4 for data_set in file["params"].values())
    for found, expected in zip(load(repacked).params["conv1"], example().params["conv1"], strict=True):
        assert_same_arrays(found, expected)
        assert found.flags.aligned


def test_an_open_mapping_survives_a_new_file_of_its_name(weight_file: Path) -> None:
    old = load(weight_file)
    other = example()
    other.params["conv1"][1] = np.zeros(4, "f4")
    save(weight_file, other)
    assert_same_arrays(old.params["conv1"][1], example().params["conv1"][1])
    assert not load(weight_file).params["conv1"][1].any()


def test_parameters_of_a_float64_net_keep_every_digit(tmp_path: Path) -> None:
    save(tmp_path / "x.h5", WeightFile(net("a"), {"a": [np.full((2, 3), 0.1).T]}))
    assert_same_arrays(load(tmp_path / "x.h5").params["a"][0], np.full((3, 2), 0.1))


def test_is_weight_file(weight_file: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    h5py.File(tmp_path / "other.h5", "w").close()
    assert is_weight_file(weight_file)
    assert not any(is_weight_file(tmp_path / name) for name in ("missing", "text", "other.h5"))


# What cannot be saved


def test_unsuitable_contents_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.h5"
    for contents, message in [
        (WeightFile(net("a"), {"b": []}), "parameters for layer 'b'"),
        (WeightFile(net("a"), {}, state={"s": np.zeros(2, complex)}), "state 's' is complex128"),
        (WeightFile(net("a"), {}, progress={"p": object()}), "must be JSON"),
        (WeightFile(net("a"), {}, ModelInfo(record={"p": np.float32(1)})), "must be JSON"),
    ]:
        with pytest.raises(SpecError, match=message):
            save(file, contents)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"x\.h5: cannot be written \(No such file or directory\)"):
        save(tmp_path / "missing" / "x.h5", example())


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("room", [0, 3000, 30_000, 60_000])
def test_a_full_disk_is_a_sentence_and_keeps_the_old_file(weight_file: Path, room: int) -> None:
    """In a process of its own: HDF5 may crash at exit when its writes fail."""
    before = weight_file.read_bytes()
    code = f"""
        import resource, sys
        from pathlib import Path
        from fcnlite import storage
        from fcnlite.errors import FileError
        path = Path({str(weight_file)!r})
        contents = storage.load(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
        try:
            storage.save(path, contents)
        except FileError as error:
            sys.exit(str(error))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"{weight_file}: cannot be written (File too large); raise the limit on the size of files (ulimit -f); the "
        "file that was there before, if any, is unchanged."
    )
    assert weight_file.read_bytes() == before
    assert list(weight_file.parent.iterdir()) == [weight_file]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("x.caffemodel", r"\.h5; .*fcnlite\.caffe\.save"),
        ("x.caffemodel.h5", r"\.h5; .*fcnlite\.caffe\.save"),
        ("net.PROTOTXT", r"\.h5; .*fcnlite\.caffe\.save"),
        ("x.onnx", r"\.h5; .*fcnlite\.interop\.save_onnx"),
        ("x.pth", r"no PyTorch files; .*save_onnx"),
        ("x.safetensors", "writes none"),
        ("x.npz", r"ends in \.h5\.$"),
    ],
)
def test_a_name_of_another_format_is_refused(tmp_path: Path, name: str, way: str) -> None:
    net = models.build("lenet", phase="TRAIN")
    for write in (net.save, SGD(net).snapshot):
        with pytest.raises(FileError, match=rf"{name}: not written.*{way}"):
            write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.h5", "x.hdf5", "x", "net.v2", "x.weights"])
def test_other_names_are_free(tmp_path: Path, name: str) -> None:
    net = models.build("lenet")
    net.save(tmp_path / name)
    assert storage.load(tmp_path / name).spec == net.spec
