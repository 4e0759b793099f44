"""Options of a training as they are stored."""

from __future__ import annotations

import pytest

from fcnlite.train.options import TrainOptions


@pytest.mark.parametrize(
    ("path", "name"),
    [("/data/set", "set"), ("data/set/", "set"), ("C:\\data\\set", "set"), ("set", "set"), ("~/data/set", "set")],
)
def test_paths_of_every_system_become_names(path: str, name: str) -> None:
    options = TrainOptions(root=path, init=path, model=path, data_option=(f"voc={path}", "val=0.5"))
    public = options.public()
    assert (public["root"], public["init"], public["model"]) == (name, name, name)
    assert public["data_option"][1] == "val=0.5"
    assert public["data_option"][0] in (f"voc={name}", "voc=data/set/")  # a relative one tells of no machine
