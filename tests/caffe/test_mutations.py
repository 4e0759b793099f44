"""Damaged and hostile files: an error of ours comes out, or a net, and soon."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fcnlite.caffe import parse_net, parse_solver, read_net, read_weights, write_weights
from fcnlite.errors import FcnliteError

NET = """
name: "net" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } engine: CAFFE } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: 'label' top: "loss" loss_weight: 0.5
  loss_param { ignore_label: 255 normalization: VALID } include { phase: TRAIN stage: "x" } }
"""
SOLVER = 'net_param { name: "n" } base_lr: 1e-4 lr_policy: "step" stepvalue: [1, 2] solver_mode: CPU\n'


def mutated(original: bytes, rng: random.Random) -> bytes:
    """`original` cut, with bits flipped, parts repeated, moved or nested, or with huge numbers put in."""
    data = bytearray(original)
    for _ in range(rng.randint(1, 4)):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0:
                del data[at:]
            case 1:
                for _ in range(rng.randint(1, 8)):
                    if data:
                        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 2:
                data[at:at] = data[at:to] * rng.randint(1, 50)
            case 3:
                del data[at:to]
            case 4:
                data[at:at] = rng.choice([b"layer {", b"[", b"<", b"\x0b", b"\xa2\x06\xff"]) * rng.randint(
                    1, 3000
                )
            case 5:
                data[at:to] = rng.choice(
                    [b"9" * 400, b"-1", b"1e999", b"\xff" * 9 + b"\x01", b"\xff\xff\xff\xff\x07"]
                )
    return bytes(data)


def survives(read: Callable[[], Any]) -> bool:
    """Whether `read` came to a result; ends in the test's failure for any error that is not ours."""
    started = time.monotonic()
    try:
        read()
        return True
    except FcnliteError as error:
        assert len(str(error)) < 2000
        return False
    finally:
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(("parse", "text"), [(parse_net, NET), (parse_solver, SOLVER)])
def test_mutated_text(parse: Callable[[str], Any], text: str) -> None:
    parse(text)
    rng = random.Random(20140613)
    results = [
        survives(lambda: parse(mutated(text.encode(), rng).decode("utf-8", "replace"))) for _ in range(400)
    ]
    assert not all(results)


def test_mutated_files(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_weights(path, {"conv": [np.ones((2, 3, 3, 3)), np.zeros(2)], "fc": [np.ones((4, 18))]})
    original = path.read_bytes()
    rng = random.Random(20150608)
    results = []
    for _ in range(400):
        path.write_bytes(mutated(original, rng))
        results.append(survives(lambda: read_weights(path)))
        survives(lambda: read_net(path))
    assert any(results) and not all(results)


@pytest.mark.parametrize(
    "text",
    [
        "layer { " * 100_000,
        "layer { convolution_param { weight_filler { " * 20_000,
        "[a.b/c] { " * 50_000,
        "layer { loss_weight: " + "[" * 200_000,
        "layer { top: " + '"a" ' * 200_000,
        "input: 'a' input_shape { dim: 999999999999999999999999 }",
        "\0" * 100_000,
    ],
)
def test_hostile_text(text: str) -> None:
    assert not survives(lambda: parse_net(text))


@pytest.mark.parametrize(
    "content",
    [
        b"\x0b" * 1_000_000,
        b"\xa2\x06\xff\xff\xff\xff\x07",
        b"\xa2\x06\x0a\x0a\x01a\x3a\x05\x2a\xff\xff\xff\x0f",
        b"\xff" * 100_000,
        b"\xa2\x06\x00" * 1_000_000,
    ],
)
def test_hostile_binary(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert not survives(lambda: read_weights(path))
