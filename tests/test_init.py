"""The package's door: public names, and how little an import costs."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import numpy as np
import pytest

import fcnlite
from fcnlite import config
from fcnlite._kernels.products import im2col

HEAVY = ["google", "h5py", "matplotlib", "PIL", "tqdm", "scipy"]


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import fcnlite", "import fcnlite; fcnlite.Net, fcnlite.load, fcnlite.models"])
def test_an_import_is_light(statement: str) -> None:
    loaded = loaded_by(statement)
    assert "fcnlite" in loaded
    assert not loaded.intersection(HEAVY)


def test_the_check_detects_loaded_modules() -> None:
    assert "h5py" in loaded_by("import h5py")


def test_a_big_endian_machine_is_refused_in_one_sentence() -> None:
    script = "import sys; sys.byteorder = 'big'; import fcnlite"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"ImportError: fcnlite runs on little-endian machines, [^.]*\.", done.stderr.splitlines()[-1])


@pytest.mark.parametrize("name", fcnlite.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(fcnlite, name) is not None
    assert name in dir(fcnlite)


SHORT_NAMES = {
    "fcnlite.caffe": "fcnlite.formats.caffe",
    "fcnlite.caffe.prototxt": "fcnlite.formats.caffe.prototxt",
    "fcnlite.dense": "fcnlite.analysis.dense",
    "fcnlite.interop.onnx": "fcnlite.formats.interop.onnx",
    "fcnlite.metrics": "fcnlite.segmentation.metrics",
    "fcnlite.plots": "fcnlite.segmentation.plots",
    "fcnlite.spec": "fcnlite.description.spec",
}


@pytest.mark.parametrize("short_first", [True, False])
def test_a_short_name_is_the_same_module(short_first: bool) -> None:
    """Whichever is imported first, so in a process of its own."""
    order = [*SHORT_NAMES, *SHORT_NAMES.values()] if short_first else [*SHORT_NAMES.values(), *SHORT_NAMES]
    script = f"import sys, {', '.join(order)}; names = {SHORT_NAMES!r}\n"
    script += "sys.exit(any(sys.modules[short] is not sys.modules[full] for short, full in names.items()))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_short_name_that_does_not_exist_is_an_import_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="fcnlite"):
        importlib.import_module("fcnlite.caffe.protoxt")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="laod"):
        _ = fcnlite.laod


def test_threads_are_a_positive_number() -> None:
    before = config.num_threads()
    try:
        fcnlite.set_num_threads(1)
        assert config.num_threads() == 1
        for threads in (0, 1025, 1.5, 2.0, "2", None):
            with pytest.raises(ValueError, match=rf"\({threads!r}\): expected 1 to 1024 threads"):
                fcnlite.set_num_threads(threads)
            assert config.num_threads() == 1
        fcnlite.set_num_threads(np.int64(2))
        assert config.num_threads() == 2
    finally:
        fcnlite.set_num_threads(before)


@pytest.mark.parametrize(("threads", "words"), [("1", "1 thread,"), ("2", "2 threads,")])
def test_show_config_tells_versions_and_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], threads: str, words: str
) -> None:
    monkeypatch.setattr(config, "_threads", None)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    described = fcnlite.show_config()
    assert fcnlite.__version__ in described and "NumPy" in described
    assert f"kernels: {words if im2col.openmp() else '1 thread'}" in described
    assert "1 threads" not in described and "1 cores" not in described
    assert described in capsys.readouterr().out
