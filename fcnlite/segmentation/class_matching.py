"""Which class of a net is which class of a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError
from fcnlite.segmentation.heads import Head


class ClassMatch(NamedTuple):
    """How the classes of a net and those of a data set correspond."""

    order: tuple[int, ...] | None = None
    """For each class of the net its number in the data; None where the numbers are the same."""
    remark: str = ""
    """What the user should know of it; empty where the names are equal."""


def match_classes(
    head: Head, labels: Labels, *, whose: str, other: str, remedy: str, by_number: bool = False
) -> ClassMatch:
    """How the classes of `head`, those of `whose` weights, correspond to `labels`, those of `other`; as many of both.

    Equal names keep their numbers. The same names in another order are matched by name, also where they differ in
    upper case, spaces, hyphens and underscores. Classes without names (`class 0`, `1`) are matched by number, and so
    are all `by_number`. Raises `DataError`, which ends in the `remedy`, for other names.
    """
    ours, theirs = head.labels.classes, labels.classes
    if by_number or ours == theirs:
        return ClassMatch()
    plain, wanted = _plain_names(ours), _plain_names(theirs)
    if plain == wanted:
        pairs = [f"{a!r} is {b!r}" for a, b in zip(ours, theirs, strict=True) if a != b]
        return ClassMatch(remark=f"class names of {whose} and {other} differ in spelling only: {_few(pairs)}.")
    if sorted(plain) == sorted(wanted) and len(set(plain)) == len(plain):
        order = tuple(wanted.index(name) for name in plain)
        moved = [f"{name!r} is {i} and {n}" for i, (name, n) in enumerate(zip(ours, order, strict=True)) if i != n]
        remark = f"the classes of {whose} have other numbers in {other} and are matched by name: {_few(moved)}."
        return ClassMatch(order, remark)
    if not head.named or _numbers_only(ours) or _numbers_only(theirs):
        return ClassMatch()
    only_ours = [name for name, each in zip(ours, plain, strict=True) if each not in wanted]
    only_theirs = [name for name, each in zip(theirs, wanted, strict=True) if each not in plain]
    differing = f"; only the former have {_few(only_ours)}, only the latter {_few(only_theirs)}" if only_ours else ""
    raise DataError(
        f"the classes of {whose} ({_few(ours, 12)}) are not those of {other} ({_few(theirs, 12)}){differing}; {remedy}."
    )


def _plain_names(names: Sequence[str]) -> list[str]:
    """The names without what people write either way; as they are where they would no longer differ."""
    plain = [" ".join(re.split(r"[\s_-]+", name.strip())).casefold() for name in names]
    return plain if len(set(plain)) == len(plain) else list(names)


def _numbers_only(names: Sequence[str]) -> bool:
    """Whether the classes have numbers for names."""
    return all(re.fullmatch(r"(class|label)?[\s_-]*\d+", name.strip(), re.IGNORECASE) for name in names)


def _few(items: Sequence[str], shown: int = 6) -> str:
    return ", ".join(items[:shown]) + (f" and {len(items) - shown} more" if len(items) > shown else "")
