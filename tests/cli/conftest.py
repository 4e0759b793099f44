"""Calling commands in this process, as the command line does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from fcnlite import models
from fcnlite._cli.running import Main, run_command
from fcnlite.description.model_info import ModelInfo, Preprocessing
from tests.cli.converting import random_weights
from tests.color_net import color_net
from tests.train.runs import leave_out_pictures


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command(main, *arguments)` runs a command; arguments may be paths."""

    def run(main: Main, *arguments: object) -> Ended:
        try:
            status = run_command(main, [str(argument) for argument in arguments])
        except SystemExit as end:  # argparse: --help, or a command line that it refuses
            status = int(end.code or 0)
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """`leave_out_pictures`, for a whole test."""
    leave_out_pictures(monkeypatch)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weight file of the net that recognises red, green and blue."""
    color_net().save(tmp_path / "color.h5")
    return tmp_path / "color.h5"


@pytest.fixture
def tiny(shared: Path) -> Path:
    """The folder of the reference's narrow VGG-16."""
    return shared / "reference" / "nets" / "tiny-vgg16-classifier"


@pytest.fixture
def fcn32s(tmp_path: Path) -> Path:
    """A narrow FCN-32s of three classes with names and colors."""
    net = models.build("voc-fcn32s", classes=3, width=1 / 32)
    for name, arrays in random_weights("voc-fcn32s").items():
        if name != "upscore":
            for parameter, array in zip(net.params[name], arrays, strict=True):
                parameter.data = array
    net.info = ModelInfo(Preprocessing(mean=(1.0, 2.0, 3.0)), ("sky", "road", "car"), ((1, 1, 1),) * 3, {"a": 1})
    net.save(tmp_path / "fcn32s.h5")
    return tmp_path / "fcn32s.h5"
