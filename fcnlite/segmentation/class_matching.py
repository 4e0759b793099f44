"""Matches the classes of a net to those of a data set, by name or by number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.segmentation.heads import Head


class ClassMatch(NamedTuple):
    """The correspondence of the classes of a net and those of a data set."""

    order: tuple[int, ...] | None = None
    """For each class of the net, its number in the data set; None if the numbers are equal."""
    remark: str = ""
    """A remark for the user; empty if the names are equal."""


def match_classes(
    head: Head, labels: Labels, *, whose: str, other: str, remedy: str, by_number: bool = False
) -> ClassMatch:
    """Match the classes of `head` to `labels`, which must have the same number of classes.

    `whose` and `other` name the owners of both in messages. Equal lists of names keep their numbers. Names in another
    order are matched by name; case, spaces, hyphens and underscores do not count. Classes without names (`class 0`,
    `1`) are matched by number, and so are all classes with `by_number`. Raises `DataError`, which ends with `remedy`,
    for other names.
    """
    ours, theirs = head.labels.classes, labels.classes
    if by_number or ours == theirs:
        return ClassMatch()
    found, wanted = _normalized(ours), _normalized(theirs)
    if found == wanted:
        pairs = [f"{a!r} is {b!r}" for a, b in zip(ours, theirs, strict=True) if a != b]
        return ClassMatch(remark=f"class names of {whose} and {other} differ only in spelling: {_few(pairs)}.")
    if sorted(found) == sorted(wanted) and len(set(found)) == len(found):
        order = tuple(wanted.index(name) for name in found)
        moved = [f"{name!r} is {i} and {n}" for i, (name, n) in enumerate(zip(ours, order, strict=True)) if i != n]
        remark = f"the classes of {whose} have other numbers in {other}; they are matched by name: {_few(moved)}."
        return ClassMatch(order, remark)
    if not head.named or _numbers_only(ours) or _numbers_only(theirs):
        return ClassMatch()
    only_ours = [name for name, each in zip(ours, found, strict=True) if each not in wanted]
    only_theirs = [name for name, each in zip(theirs, wanted, strict=True) if each not in found]
    differing = f"; only the former have {_few(only_ours)}, only the latter {_few(only_theirs)}" if only_ours else ""
    raise DataError(
        f"the classes of {whose} ({_few(ours, 12)}) are not those of {other} ({_few(theirs, 12)}){differing}; {remedy}."
    )


def _normalized(names: Sequence[str]) -> list[str]:
    """The names in a normal form of case and separators; unchanged if two names would become equal."""
    normalized = [" ".join(re.split(r"[\s_-]+", name.strip())).casefold() for name in names]
    return normalized if len(set(normalized)) == len(normalized) else list(names)


def _numbers_only(names: Sequence[str]) -> bool:
    """Whether the names of all classes are numbers."""
    return all(re.fullmatch(r"(class|label)?[\s_-]*\d+", name.strip(), re.IGNORECASE) for name in names)


def _few(items: Sequence[str], shown: int = 6) -> str:
    """The first items, and the number of the others."""
    return ", ".join(items[:shown]) + (f" and {len(items) - shown} more" if len(items) > shown else "")
