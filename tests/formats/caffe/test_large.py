"""A caffemodel of the published VGG-16's size and form: time and memory of loading it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from fcnlite import caffe, models
from fcnlite.net import Net

pytestmark = pytest.mark.large


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob_head(shape: tuple[int, ...]) -> tuple[bytes, int]:
    """The bytes before the numbers of a BlobProto of four sizes, and the number of their bytes."""
    sizes = (1,) * (4 - len(shape)) + shape
    count = int(np.prod(shape))
    head = b"".join(varint(i << 3) + varint(size) for i, size in enumerate(sizes, start=1))
    return head + varint(5 << 3 | 2) + varint(4 * count), count


def write_v1(stream: BinaryIO, net: Net) -> None:
    """The parameters of `net` in V1's form, random numbers in their place, layer by layer."""
    rng = np.random.default_rng(0)
    for name, parameters in net.params.items():
        heads = [blob_head(each.shape) for each in parameters]
        blobs = [(varint(6 << 3 | 2) + varint(len(head) + 4 * count) + head, count) for head, count in heads]
        front = field(4, name.encode())
        size = len(front) + sum(len(head) + 4 * count for head, count in blobs)
        stream.write(varint(2 << 3 | 2) + varint(size) + front)
        for head, count in blobs:
            stream.write(head)
            for at in range(0, count, 1 << 22):
                stream.write(rng.standard_normal(min(1 << 22, count - at), np.float32).tobytes())


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("large")
    spec = models.describe("vgg16")
    prototxt, weights = folder / "vgg16.prototxt", folder / "VGG_ILSVRC_16_layers.caffemodel"
    prototxt.write_text(caffe.write_net(spec))
    with weights.open("wb") as stream:
        write_v1(stream, Net(spec))
    assert 553_000_000 < weights.stat().st_size < 554_000_000
    yield prototxt, weights
    weights.unlink()


MEASURE = """
import json, resource, sys, time
import fcnlite, fcnlite.caffe, fcnlite.loading, fcnlite.storage
began = time.perf_counter()
net = fcnlite.load(sys.argv[1], sys.argv[2])
seconds = time.perf_counter() - began
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "peak": 1024 * kilobytes, "sum": float(net.params["fc8"][1].array.sum())}))
"""


def test_time_and_memory(vgg16: tuple[Path, Path]) -> None:
    """At most 8 times what `cat` takes from the disk cache, and 1.3 times the file's size in memory."""
    prototxt, weights = vgg16
    cats, loads = [], []
    for _ in range(4):
        began = time.perf_counter()
        with Path("/dev/null").open("wb") as null:
            subprocess.run(["cat", weights], stdout=null, check=True)
        cats.append(time.perf_counter() - began)
        command = [sys.executable, "-c", MEASURE, prototxt, weights]
        loads.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    seconds, peak = min(each["seconds"] for each in loads), max(each["peak"] for each in loads)
    size = weights.stat().st_size
    print(f"cat {min(cats):.3f} s, load {seconds:.3f} s ({seconds / min(cats):.1f}×), peak {peak / size:.2f}× the file")
    assert seconds <= 8 * min(cats)
    assert peak <= 1.3 * size
