"""Wrong arguments for kernels: one or two arguments of a real call are changed, and arrays end at a guard page."""

from __future__ import annotations

import ctypes
import mmap
import random
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from tests.kernels.recording import Call

NUMBERS = (0, -1, 1, 2, 3, 5, 7, 8, 15, 16, 17, 64, 1000, 1025)
HUGE = (2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**64, -(2**31), -(2**63))
PAGE = mmap.PAGESIZE
PROTECT = ctypes.CDLL(None, use_errno=True).mprotect


class Guarded(Call):
    """A call whose arrays end, or begin, at a page that cannot be read or written. Arrays that overlap still do."""

    __slots__ = ()

    @classmethod
    def of(cls, call: Call, rng: random.Random) -> Guarded:
        """A copy of the call."""
        copies = _Copies(rng)
        values = [*call.arguments, *call.options.values()]
        for array in sorted((each for each in values if isinstance(each, np.ndarray)), key=lambda each: -each.nbytes):
            copies.of(array)
        return cls([copies.of(each) for each in call.arguments], {k: copies.of(v) for k, v in call.options.items()})


class _Copies:
    """Copies of arrays between guard pages."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._copied: dict[int, Array] = {}
        """By the address of the original."""

    def of(self, value: Any) -> Any:
        """The value, with copies of the arrays in it; an array that begins where a larger one does shares its copy."""
        if isinstance(value, SimpleNamespace):
            return SimpleNamespace(**{name: self.of(each) for name, each in vars(value).items()})
        if not isinstance(value, np.ndarray) or not value.flags.c_contiguous or not value.flags.aligned:
            return value
        if value.size and value.ctypes.data in self._copied:
            bytes_of = self._copied[value.ctypes.data].reshape(-1).view(np.uint8)
            return bytes_of[: value.nbytes].view(value.dtype).reshape(value.shape)
        self._copied[value.ctypes.data] = copy = self._between_guards(value)
        return copy

    def _between_guards(self, value: Array) -> Array:
        size = -(-max(value.nbytes, 1) // PAGE) * PAGE
        memory = mmap.mmap(-1, size + 2 * PAGE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for guard in (start, start + PAGE + size):
            PROTECT(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), 0)
        offset = PAGE + (size - value.nbytes if self._rng.random() < 0.8 else 0)
        guarded = np.ndarray(value.shape, value.dtype, memory, offset)
        guarded[...] = value
        guarded.flags.writeable = value.flags.writeable
        return guarded


def mutated(call: Call, rng: random.Random) -> tuple[Call, str]:
    """A copy of the call with none, one or two of its arguments changed, and what was changed."""
    arguments, options = [_plain(each) for each in call.arguments], {k: _plain(v) for k, v in call.options.items()}
    changed = []
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        places: list[tuple[Any, Any]] = [(arguments, i) for i in range(len(arguments))]
        places += [(options, name) for name in options]
        if not places:
            break
        holder, key = rng.choice(places)
        holder[key] = _other(holder[key], [holder[key] for holder, key in places], rng)
        changed.append(f"{key} = {_shown(holder[key])}")
    return Call(arguments, options), ", ".join(changed)


def _plain(value: Any) -> Any:
    """The value; a dataclass, such as a tiling, as a namespace that can be changed."""
    if is_dataclass(value) and not isinstance(value, type):
        return SimpleNamespace(**{each.name: getattr(value, each.name) for each in fields(value)})
    return value


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return repr(value)[:200]


def _other(value: Any, others: list[Any], rng: random.Random) -> Any:
    """Another value, mostly of the same type."""
    if rng.random() < 0.05:
        return rng.choice([None, 0, "x", (), np.float32(1)])
    if isinstance(value, SimpleNamespace):
        name = rng.choice(list(vars(value)))
        return SimpleNamespace(**{**vars(value), name: _other(vars(value)[name], others, rng)})
    if isinstance(value, np.ndarray):
        return _other_array(value, [each for each in others if isinstance(each, np.ndarray)], rng)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | np.integer):
        return rng.choice([*NUMBERS, *HUGE, int(value) + 1, int(value) - 1, int(value) * 2])
    if isinstance(value, float):
        return rng.choice([0.0, -1.0, float("nan"), float("inf"), 1e308, 1e-320])
    if isinstance(value, tuple):
        at = rng.randrange(len(value) + 1)
        if at == len(value):
            return rng.choice([value[:-1], (*value, *value[:1])])
        return (*value[:at], _other(value[at], others, rng), *value[at + 1 :])
    return None


def _other_array(array: Array, others: list[Array], rng: random.Random) -> Array:
    """An array of another shape, type, place in memory or content."""
    integers = array.dtype.kind in "iu"
    match rng.randrange(16):
        case 0 | 1 | 2 | 3 if array.size and array.ndim:
            axis = rng.randrange(array.ndim)
            length = array.shape[axis]
            return np.ascontiguousarray(array.take(range(rng.choice([0, 1, max(0, length - 1), length // 2])), axis))
        case 4 if array.ndim and len(array):
            return np.concatenate([array, array[:1]])
        case 5 | 6 | 7 if integers and array.size:
            limits = np.iinfo(array.dtype)
            changed = array.copy()
            value = rng.choice([limits.min, limits.max, 0, min(array.size, limits.max), min(255, limits.max)])
            changed.flat[rng.choice([rng.randrange(array.size), slice(None)])] = value
            return changed
        case 8:
            return array.astype(rng.choice(["f8", "f4", ">f4", "i4", "i8", "u1"]))
        case 9:
            return array[..., None] if rng.random() < 0.5 else array.reshape(-1)
        case 10 if array.ndim > 1:
            return np.swapaxes(array, 0, -1)  # not contiguous
        case 11 if not integers:
            return np.full_like(array, rng.choice([np.nan, np.inf, -np.inf, 1e-42, 3e38]))
        case 12:
            locked = array.copy()
            locked.flags.writeable = False
            return locked
        case 13:
            unaligned = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
            unaligned[...] = array
            return unaligned
        case 14:  # the memory of another argument
            larger = [each for each in others if each.nbytes >= array.nbytes and each.flags.c_contiguous]
            if larger and array.size:
                memory = rng.choice(larger).reshape(-1).view(np.uint8)[: array.nbytes]
                return memory.view(array.dtype).reshape(array.shape)
    shape = [rng.choice([0, 1, 2, 3, 4, 8, 16, 17]) for _ in array.shape]
    if 0 in shape and len(shape) > 1:
        shape[shape.index(0) - 1] = rng.choice([0, 1, 2**20, 2**33])
    return np.zeros(shape, array.dtype)
