"""Sessions on a small net with all the layers that are taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite.explore import inference
from fcnlite.net import Net
from tests.explore.browsing import chromium
from tests.explore.nets import skip_net

Functions = dict[str, Callable[..., Any]]


def png(values: np.ndarray) -> np.ndarray:
    """The bytes of a PNG file, as the page sends them."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(values).save(stream, format="PNG")
    return np.frombuffer(stream.getvalue(), np.uint8)


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A picture of 37 rows and 50 columns."""
    return np.random.default_rng(3).integers(0, 256, (37, 50, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def net() -> Net:
    """The net that `functions` has opened, loaded by itself."""
    return skip_net()


@pytest.fixture
def functions(net: Net, picture: np.ndarray, tmp_path: Path) -> Functions:
    """The functions of a session in which the net and the picture are open."""
    net.save(tmp_path / "skips.h5")
    made = inference.functions(net=str(tmp_path / "skips.h5"))
    made["upload"](name="picture.png", content=png(picture))
    return made


@pytest.fixture(scope="session")
def shapes() -> Functions:
    """The functions of a session with the shipped weights and the first sample; tests do not change it."""
    made = inference.functions()
    made["sample"](index=0)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, for the tests of the explorer's pages."""
    for package in ("starlette", "uvicorn"):
        pytest.importorskip(package, reason=f"{package} is not installed (pip install 'fcnlite[explore]')")
    with chromium() as found:
        yield found
