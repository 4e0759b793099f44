"""`data.open`: names, splits and options."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fcnlite import data
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError


def test_every_name_opens_or_asks_for_its_root() -> None:
    assert len(data.open("shapes", count=3)) == 3
    for name in set(data.names()) - {"shapes"}:
        with pytest.raises(DataError, match=rf"'{name}' needs its root folder \(--root DIR\)\. .*hold"):
            data.open(name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "shape"}, "no data set is called 'shape'; did you mean 'shapes'"),
        ({"name": "shapes", "split": "valid"}, "no split 'valid'; did you mean 'val'"),
        ({"name": "shapes", "cuont": 3}, "no option 'cuont'; did you mean 'count'"),
        ({"name": "shapes", "root": "/tmp"}, "no option 'root'"),
        ({"name": "folder", "root": "/tmp", "fraction": 0.5}, "no option 'fraction'"),
    ],
)
def test_unknown_names_are_refused_with_similar_ones(arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data.open(**arguments)


def test_the_voc_palette() -> None:
    colors = data.voc_colors(256)
    assert colors[:5] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert colors[8] == (64, 0, 0)
    assert colors[20] == (0, 64, 128)
    assert colors[255] == (224, 224, 192)
    assert len(set(colors)) == 256


def test_importing_the_package_does_not_import_pillow() -> None:
    program = "import fcnlite.data, sys; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_data_set_describes_its_preprocessing() -> None:
    dataset = data.open("shapes", count=1)
    assert dataset.preprocessing == Preprocessing() and dataset.own_preprocessing is None
    batch = next(data.Loader(dataset, batch_size=1, preprocessing=dataset.preprocessing).batches())
    assert batch["data"].shape == (1, 3, 96, 96)
