"""Weight files: what goes in comes out, and what is not one is refused in a sentence."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fcnlite import models, storage
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FcnliteError, FileError, SpecError
from fcnlite.formats.storage import WeightFile, is_weight_file, load, save
from fcnlite.solver import SGD

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def net(*names: str) -> NetSpec:
    return NetSpec("net", tuple(LayerSpec(name, "Convolution", ("data",), (name,)) for name in names))


def example() -> WeightFile:
    """A small checkpoint with something in every field."""
    rng = np.random.default_rng(1)
    return WeightFile(
        spec=net("conv1", "conv2"),
        params={
            "conv1": [rng.normal(size=(4, 3, 3, 3)).astype("f4"), rng.normal(size=4).astype("f4")],
            "conv2": [rng.normal(size=(2, 4, 1, 1)).astype("f4")],
        },
        info=ModelInfo(
            Preprocessing("RGB", (1.0, 2.0, 3.0), 0.5),
            classes=("sky", "road"),
            colors=((1, 2, 3), (4, 5, 6)),
            record={"mean_iu": 0.5},
        ),
        state={"momentum conv1 0": rng.normal(size=(4, 3, 3, 3)), "steps": np.array([7])},
        progress={"iteration": 7, "best": None},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "net.h5"
    save(file, example())
    return file


def assert_same_arrays(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


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
def test_what_is_saved_is_loaded(
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


def test_information_is_kept(path: Path) -> None:
    assert load(path).info == example().info


def test_layers_that_differ_only_in_odd_characters_stay_apart(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "..", "../x", "a\0b", "", "ä" * 300]
    arrays = {name: [np.full(2, i, "f4")] for i, name in enumerate(names)}
    save(tmp_path / "x.h5", WeightFile(net(*names), arrays))
    loaded = load(tmp_path / "x.h5").params
    assert [float(loaded[name][0][0]) for name in names] == [float(i) for i in range(len(names))]


def test_data_sets_tell_people_whose_they_are(path: Path) -> None:
    with h5py.File(path) as file:
        assert list(file["params"]) == ["00000 conv1 0", "00001 conv1 1", "00002 conv2 0"]
        assert file["spec"][()].startswith(b"{")


def test_data_sets_are_contiguous_and_start_on_pages(path: Path) -> None:
    with h5py.File(path) as file:
        for data_set in [*file["params"].values(), *file["state"].values()]:
            assert data_set.chunks is None
            assert data_set.id.get_offset() % 4096 == 0


def test_equal_contents_make_equal_files(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.h5"
    save(again, load(path))
    assert again.read_bytes() == path.read_bytes()


def test_arrays_are_mapped_and_read_only(path: Path) -> None:
    array = load(path).params["conv1"][0]
    assert not array.flags.writeable
    assert not array.flags.owndata
    base: Any = array
    while not isinstance(base, np.memmap):
        base = base.base
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


def test_a_file_system_without_mapping_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no mapping here")

    monkeypatch.setattr(np, "memmap", refuse)
    loaded = load(path)
    for layer, arrays in example().params.items():
        for found, expected in zip(loaded.params[layer], arrays, strict=True):
            assert_same_arrays(found, expected)


def test_a_file_without_our_alignment_loads_aligned(path: Path) -> None:
    """As other tools rewrite it."""
    repacked = path.with_name("repacked.h5")
    with h5py.File(path) as source, h5py.File(repacked, "w", libver="latest") as target:
        target.attrs.update(dict(source.attrs))
        target["one byte"] = np.uint8(1)
        for name in source:
            source.copy(name, target)
    with h5py.File(repacked) as file:
        assert any(data_set.id.get_offset() % 4 for data_set in file["params"].values())
    for found, expected in zip(load(repacked).params["conv1"], example().params["conv1"], strict=True):
        assert_same_arrays(found, expected)
        assert found.flags.aligned


def test_an_open_mapping_survives_a_new_file_of_its_name(path: Path) -> None:
    old = load(path)
    other = example()
    other.params["conv1"][1] = np.zeros(4, "f4")
    save(path, other)
    assert_same_arrays(old.params["conv1"][1], example().params["conv1"][1])
    assert not load(path).params["conv1"][1].any()


def test_parameters_of_a_float64_net_keep_every_digit(tmp_path: Path) -> None:
    save(tmp_path / "x.h5", WeightFile(net("a"), {"a": [np.full((2, 3), 0.1).T]}))
    assert_same_arrays(load(tmp_path / "x.h5").params["a"][0], np.full((3, 2), 0.1))


def test_is_weight_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    h5py.File(tmp_path / "other.h5", "w").close()
    assert is_weight_file(path)
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
def test_a_full_disk_is_a_sentence_and_keeps_the_old_file(path: Path, room: int) -> None:
    """In a process of its own: HDF5 may crash at exit when its writes fail."""
    before = path.read_bytes()
    code = f"""
        import resource, sys
        from pathlib import Path
        from fcnlite import storage
        from fcnlite.errors import FileError
        path = Path({str(path)!r})
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
    assert done.stderr.strip() == (f"{path}: cannot be written (File too large); what stood there before is unchanged.")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# What cannot be loaded


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("layer { }")
    with h5py.File(tmp_path / "caffe", "w") as file:
        file.create_group("data/conv1")["0"] = np.zeros(3)
    with h5py.File(tmp_path / "solver", "w") as file:
        file["iter"] = 3
        file.create_group("history")
    with h5py.File(tmp_path / "other", "w") as file:
        file.attrs["format"] = "fcnlite weights"
    for name, message in {
        "missing": "missing: no such file",
        ".": "cannot be read",
        "empty": "is not an HDF5 file",
        "text": "is not an HDF5 file",
        "caffe": r"looks like Caffe's \(\.caffemodel\.h5\)",
        "solver": r"is Caffe's solver state",
        "other": "is an HDF5 file, but not a weight file of fcnlite",
    }.items():
        with pytest.raises(FileError, match=message):
            load(tmp_path / name)


def test_caffes_own_files_are_told_apart(shared: Path) -> None:
    folder = shared / "real" / "cifar10_v2_hdf5"
    with pytest.raises(FileError, match=r"looks like Caffe's \(\.caffemodel\.h5\)"):
        load(folder / "cifar10_quick_iter_5000.caffemodel.h5")
    with pytest.raises(FileError, match="solver state"):
        load(folder / "cifar10_quick_iter_5000.solverstate.h5")


def test_a_newer_version_asks_for_an_update(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.int64(2)
    with pytest.raises(FileError, match="format version 2, and this fcnlite reads up to version 1; update"):
        load(path)
    assert is_weight_file(path)


def replace_with(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Put another data set in the place of `name`."""

    def alter(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return alter


def chunked(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=np.zeros((4, 3, 3, 3), "f4"), chunks=(1, 3, 3, 3))(file)


def compressed(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=np.zeros((4, 3, 3, 3), "f4"), compression="gzip")(file)


def external(file: h5py.File) -> None:
    replace_with("params/00001 conv1 1", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)])(file)


def virtual(file: h5py.File) -> None:
    del file["params/00001 conv1 1"]
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (4,))
    file.create_virtual_dataset("params/00001 conv1 1", layout)


def compact(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    del file["params/00001 conv1 1"]
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file["params"].id, b"00001 conv1 1", h5py.h5t.IEEE_F32LE, space, plan)


def soft_link(file: h5py.File) -> None:
    del file["params/00001 conv1 1"]
    file["params/00001 conv1 1"] = h5py.SoftLink("/params/00000 conv1 0")


def external_link(file: h5py.File) -> None:
    del file["state"]
    file["state"] = h5py.ExternalLink("elsewhere.h5", "/")


def never_written(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", shape=(1 << 40, 1 << 20), dtype="f4")(file)


def null(file: h5py.File) -> None:
    replace_with("params/00000 conv1 0", data=h5py.Empty("f4"))(file)


def group_as_data_set(file: h5py.File) -> None:
    del file["params/00000 conv1 0"]
    file.create_group("params/00000 conv1 0")


def data_set_as_group(file: h5py.File) -> None:
    del file["state"]
    file["state"] = np.zeros(3)


def one_more(file: h5py.File) -> None:
    file["params/00003 conv2 1"] = np.zeros(3, "f4")


def text(name: str, value: str) -> Callable[[h5py.File], None]:
    return replace_with(name, data=np.bytes_(value))


ALTERATIONS: list[tuple[Callable[[h5py.File], None], str]] = [
    (chunked, "not stored in one piece"),
    (compressed, "not stored in one piece"),
    (external, "not stored in one piece"),
    (virtual, "not stored in one piece"),
    (compact, "not stored in one piece"),
    (soft_link, "missing or a link"),
    (external_link, "'state' is missing or a link"),
    (never_written, "beyond the end"),
    (null, "no data set"),
    (group_as_data_set, "no data set"),
    (data_set_as_group, "'state' is no group"),
    (replace_with("params/00000 conv1 0", data=np.zeros(3, "f2")), "is float16, expected float32"),
    (replace_with("params/00000 conv1 0", data=np.zeros(3, ">f4")), "expected float32"),
    (replace_with("state/00001 steps", data=np.zeros(3, "u1")), "expected float32, float64, int64"),
    (one_more, "its index tells of 3 arrays in 'params', not of 4"),
    (replace_with("spec", data="{}"), "'spec' is no text"),
    (replace_with("spec", data=np.zeros(3)), "'spec' is no text"),
    (text("spec", "{"), "network description is not JSON"),
    (text("spec", '{"nam": "x"}'), "unknown field 'nam'"),
    (text("spec", "{}"), "parameters for layer 'conv1', which the net does not have"),
    (text("info", '{"colors": [[1, 2, 300]]}'), "from 0 to 255"),
    (text("progress", "[1]"), "'progress' is no JSON mapping"),
    (text("progress", "[" * 100_000), "'progress' is not JSON"),
    (text("index", "{}"), "index is malformed"),
    (text("index", '{"params": [["conv1", -1]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1e3]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1], ["conv1", 2]], "state": []}'), "unusable entry"),
    (text("index", '{"params": [["conv1", 1], ["conv2", 2]], "state": [1, 2]}'), "unusable names"),
    (text("index", '{"params": [["conv1", 1], ["conv2", 2]], "state": ["a", "a"]}'), "unusable names"),
    (text("index", '{"params": [["conv2", 1], ["conv1", 2]], "state": []}'), "'00000 conv2 0' is missing"),
]


@pytest.mark.parametrize(("alter", "message"), ALTERATIONS)
def test_altered_files_are_refused(path: Path, alter: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(path, "r+") as file:
        alter(file)
    with pytest.raises(FileError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: is cut short, damaged or was altered (")
    assert "\n" not in str(caught.value)


def test_a_foreign_mark_of_great_size_is_not_read(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = np.bytes_(b"x" * 1000)
    assert not is_weight_file(path)


def test_texts_beyond_the_limit_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_MAX_TEXT", 10)
    with pytest.raises(FileError, match="more than 10"):
        load(path)


def test_damaged_files_load_or_are_refused(path: Path) -> None:
    """Some hundred cuts and flipped bytes: no crash, no other exception."""
    whole = path.read_bytes()
    meaningful = [position for position, byte in enumerate(whole) if byte]
    rng = random.Random(5)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        if rng.random() < 0.2:
            del content[rng.randrange(len(content)) :]
        for _ in range(rng.choice([1, 1, 3, 10])):
            position = rng.choice(meaningful) + rng.choice([0, 0, 1])
            if position < len(content):
                content[position] = rng.choice([content[position] ^ 1 << rng.randrange(8), 0, 255])
        path.write_bytes(content)
        is_weight_file(path)
        try:
            loaded = load(path)
        except FcnliteError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
        else:
            assert sum(array.nbytes for arrays in loaded.params.values() for array in arrays) <= len(whole)
    assert refused > 100


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
