"""The limit on the memory that nets and files may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import config
from fcnlite._cli.parser import command_parser
from fcnlite.data.bands import read_bands
from fcnlite.errors import DataError, ShapeError
from fcnlite.net import Net
from tests.compiler.path_comparison import conv, spec_of


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    config._max_memory = None


def test_the_default_is_below_the_machines_memory() -> None:
    pages = int(Path("/proc/meminfo").read_text().split()[1]) if Path("/proc/meminfo").exists() else 1 << 40
    assert 1 << 20 < config.max_memory() <= pages * 1024


def test_blobs_parameters_and_plans_are_limited() -> None:
    fcnlite.set_max_memory(4 << 20)
    with pytest.raises(ShapeError, match=r"'conv', parameter 0: .* would take 9.0 MiB; at most 4.0 MiB .*--max-m"):
        Net(spec_of((1, 512, 8, 8), conv("conv", "data", 512)))
    with pytest.raises(ShapeError, match=r"the net's parameters would take 4.5 MiB; at most 4.0 MiB"):
        Net(spec_of((1, 256, 8, 8), conv("one", "data", 256), conv("two", "one", 256)))
    net = Net(spec_of((1, 1, 8, 8), conv("conv", "data", 16)))
    with pytest.raises(ShapeError, match=r"top conv .* would take 15.3 MiB; at most 4.0 MiB may be used"):
        net.forward(data=np.zeros((1, 1, 502, 502)))
    deep = [conv(f"conv{i}", f"conv{i - 1}" if i else "data", 16) for i in range(3)]
    with pytest.raises(ShapeError, match=r"the net's blobs would take .* at most 4.0 MiB may be used"):
        Net(spec_of((1, 1, 8, 8), *deep)).forward(data=np.zeros((1, 1, 240, 240)))


def test_pictures_are_limited(tmp_path: Path) -> None:
    fcnlite.set_max_memory(4 << 20)
    Image.new("RGB", (600, 600)).save(tmp_path / "x.png")
    np.save(tmp_path / "x.npy", np.zeros((600, 600, 4), np.float32))
    for name in ("x.png", "x.npy"):
        with pytest.raises(DataError, match=rf"{name}: its pixels would take .* at most 4.0 MiB"):
            read_bands(tmp_path / name)


def test_every_command_takes_the_limit(capsys: pytest.CaptureFixture[str]) -> None:
    options = command_parser("test", "", "").parse_args(["--max-memory", "3G"])
    assert config.max_memory() == 3 << 30 and "max_memory" not in vars(options)
    for wrong in ("3", "0M", "many"):
        with pytest.raises(SystemExit):
            command_parser("test", "", "").parse_args(["--max-memory", wrong])
        assert f"{wrong!r} is not a size such as 2G" in capsys.readouterr().err
    with pytest.raises(ValueError, match="at least 1,048,576"):
        fcnlite.set_max_memory(1000)
