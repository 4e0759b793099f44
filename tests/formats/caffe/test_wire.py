"""The records of protobuf's wire format."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.formats.caffe.schema import message_class
from fcnlite.formats.caffe.wire import BYTES, records


def byte_fields(data: bytes) -> list[tuple[int, bytes]]:
    found = list(records(memoryview(data), 0, len(data)))
    assert [record.begin for record in found] == [0, *(record.end for record in found[:-1])][: len(found)]
    return [(record.number, data[record.start : record.end]) for record in found if record.wire_type == BYTES]


def test_fields_with_bytes_are_found_and_the_others_passed_over() -> None:
    solver: Any = message_class("SolverParameter")(
        train_net="a" * 300,
        max_iter=2**31 - 1,
        base_lr=0.5,
        random_seed=-1,
        train_state={"level": 3},
        type="SGD",
    )
    assert byte_fields(solver.SerializeToString()) == [(1, b"a" * 300), (26, b"\x10\x03"), (40, b"SGD")]


def test_eight_byte_fields_are_passed_over() -> None:
    assert byte_fields(b"\x09" + bytes(8) + b"\x12\x01x") == [(2, b"x")]


def test_a_message_within_others_is_walked_by_its_own_bounds() -> None:
    data = memoryview(b"\xff\xff\x12\x01x\x08\x96\x01\xff")
    assert [record.number for record in records(data, 2, 8)] == [2, 1]
    with pytest.raises(ValueError, match="announced"):
        list(records(data, 2, 4))
    with pytest.raises(ValueError, match="unterminated number"):
        list(records(data, 5, 7))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00", "field number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x0a\x05ab", "5 bytes announced at byte 2, 2 left"),
        (b"\x0d\x00", "4 bytes announced"),
        (b"\x0a\x80", "unterminated number at byte 1"),
        (b"\xff" * 20, "unterminated number at byte 0"),
        (b"\x08", "unterminated number at byte 1"),
    ],
)
def test_bytes_that_are_not_a_message(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        byte_fields(data)
