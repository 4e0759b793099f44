"""Messages: what is packed is unpacked, and damaged bytes are an error."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.errors import DataError
from fcnlite.explore.messages import TYPES, pack, unpack


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 5)])
def test_arrays_come_back_with_their_shapes(kind: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind)
    other = np.ones(3, np.uint8)
    found = unpack(pack({"é": [array, {"other": other}], "n": None}))
    assert found["n"] is None
    assert found["é"][0].dtype == array.dtype and found["é"][0].shape == shape
    np.testing.assert_array_equal(found["é"][0], array)
    np.testing.assert_array_equal(found["é"][1]["other"], other)


def test_arrays_begin_at_multiples_of_8() -> None:
    for text in ("", "a", "ab", "abcdefg"):
        content = pack([text, np.ones(3, np.uint8), np.full(2, 7.0)])
        head = 4 + int.from_bytes(content[:4], "little")
        assert head % 8 == 0 and len(content) == head + 8 + 16


def test_numbers_that_json_does_not_have_are_null() -> None:
    array = np.array([np.nan, np.inf], np.float32)
    found = unpack(pack({"a": [float("nan"), np.float32("inf"), np.float64("-inf"), 1.5], "b": array}))
    assert found["a"] == [None, None, None, 1.5]
    np.testing.assert_array_equal(found["b"], array)


def test_scalars_and_booleans_of_numpy() -> None:
    assert unpack(pack([np.float32(0.5), np.int64(3)])) == [0.5, 3]
    np.testing.assert_array_equal(unpack(pack(np.array([True, False]))), [1, 0])


@pytest.mark.parametrize("value", [np.ones(1, np.float16), np.ones(1, np.int64), object()])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        pack(value)


def _huge() -> bytes:
    text = b'{"$array": {"at": 0, "type": "u1", "shape": [%d]}}' % (1 << 70)
    return len(text).to_bytes(4, "little") + text


GOOD = pack({"a": np.arange(4, dtype=np.int32)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\x04\0\0\0nope",
        b"\x02\0\0\0\xff\xfe",
        GOOD[:-8],
        GOOD.replace(b'"i4"', b'"O8"'),
        GOOD.replace(b'"shape": [4]', b'"shape": [-1]'),
        GOOD.replace(b'"at": 0', b'"at": 9'),
        b"\x00\x00\x10\x00" + b"[" * (1 << 20),
        _huge(),
    ],
)
def test_damaged_bytes_are_one_error(content: bytes) -> None:
    with pytest.raises(DataError, match="message"):
        unpack(content)
