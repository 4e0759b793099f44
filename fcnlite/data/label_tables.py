"""Reads tables that people write by hand: names of classes, colours of classes, values of labels.

A `#` at the start of a line or after a space begins a comment. In every table, a class called void, ignore, unlabeled
or a similar name is ignored in training and evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fcnlite.data.sample import VOID
from fcnlite.errors import DataError
from fcnlite.files import cannot_read, read_text

Warn = Callable[[str], None]
"""Called with one sentence about something doubtful, for a warning."""

COLOR_FORM = (
    "one line per class, `red green blue name`, such as `128 64 128 road` (or `road,128,64,128`, or CVAT's "
    "labelmap.txt); the name void for colours to ignore"
)
REMAP_FORM = "one line per value, `value class`, such as `128 roof`, `1-254 person` or `94 void`"

_VOID_NAMES = frozenset(
    ("void", "ignore", "ignored", "ignorelabel", "unlabeled", "unlabelled", "dontcare", "don'tcare")
)
_LONGEST = 500
"""The greatest length of a line in a table, in characters."""
_GREATEST = 65535
"""The greatest value of a 16-bit label."""

# Numbers before the name (`0 sky`, `2: car`, `3. tree`), or after it and a separator (`car: 2`).
_NUMBER_FIRST = re.compile(r"(\d+)(?:\s*[:=,;]\s*|[.)]\s+|\s+-\s+|\s+)(\S.*)")
_NUMBER_LAST = re.compile(r"(\S.*?)(?:\s*[:=,;]\s*|\s*\t\s*)(\d+)")
_SIGNED_NUMBER = re.compile(r"\d+\s*[:=,;]")

_GAP = r"(?:\s*[,;]\s*|\s+)"
_RGB = rf"[(\[]?\s*(\d{{1,3}}){_GAP}(\d{{1,3}}){_GAP}(\d{{1,3}})\s*[)\]]?"
_COLOR_FIRST = re.compile(rf"{_RGB}(?:{_GAP}(\S.*))?")
_COLOR_LAST = re.compile(rf"(\S.*?)(?:\s*[,;:=]\s*|\s+){_RGB}")
_CVAT = re.compile(r"(\S.*?):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")
_HEADER = frozenset(("r", "g", "b", "red", "green", "blue", "name", "names", "class", "classes", "label", "labels"))
_HEADINGS = frozenset(("name", "names", "class", "classes", "label", "labels"))
_HEXADECIMAL = re.compile(r"#[0-9a-fA-F]{6}\b")

_REMAPPED = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?(?:\s*(?:->|=>|[:=,;])\s*|\s+)([^\s-].*)")


class Meaning(NamedTuple):
    """The meaning of the numbers in labels."""

    names: tuple[str, ...]
    """The names of the classes."""
    values: dict[int, int]
    """The class of each number, or `VOID`."""


class ColorRow(NamedTuple):
    """One line of a colour table."""

    line: int
    color: tuple[int, int, int]
    name: str


def find_table(root: Path, name: str, warn: Warn) -> Path | None:
    """Find the file root/`name`, in upper or lower case; a different case is a warning. None if it does not exist.

    Raises `DataError` if the names of several files differ from it only in case.
    """
    try:
        found = sorted(each for each in root.iterdir() if each.name.lower() == name and each.is_file())
    except OSError as error:
        raise cannot_read(root, error) from error
    if not found:
        return None
    if len(found) > 1:
        raise DataError(
            f"{root}: holds {' and '.join(each.name for each in found)}, whose names differ only in case; keep one."
        )
    if found[0].name != name:
        warn(f"{found[0]} is read as {name}.")
    return found[0]


def is_void(name: str) -> bool:
    """Whether training and evaluation ignore a class of this name."""
    return re.sub(r"[\s_-]", "", name.lower()) in _VOID_NAMES


def numbered(count: int) -> tuple[str, ...]:
    """Names by number for `count` classes without names."""
    return tuple(f"class {number}" for number in range(count))


def table_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a table with their numbers from 1, without comments and empty lines.

    A run of white space becomes one space, or one tab if it contains a tab; this bounds the time of the patterns.
    """
    kept = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        text = re.sub(r"\s+", lambda blank: "\t" if "\t" in blank[0] else " ", text)
        if len(text) > _LONGEST:
            raise DataError(f"{path}, line {number}: has {len(text)} characters; expected at most {_LONGEST}.")
        if text:
            kept.append((number, text))
    return kept


def meaning_of(names: Sequence[str], where: str, warn: Warn) -> Meaning:
    """Number the classes in the order of their list, which `where` describes; names of void become `VOID`.

    Raises `DataError` for repeated names, and for too few or too many names.
    """
    classes = [name for name in names if not is_void(name)]
    if not 2 <= len(classes) <= VOID:
        raise DataError(
            f"data set 'folder': {len(classes)} classes are given ({where}, void not counted); expected 2 to {VOID}, "
            "in a file one name per line."
        )
    for name in classes:
        if classes.count(name) > 1:
            raise DataError(f"{where}: the class {name!r} is given {classes.count(name)} times; keep one of them.")
    values = {VOID: VOID}
    for number, name in enumerate(names):
        values[number] = VOID if is_void(name) else classes.index(name)
        if is_void(name):
            shift = "; each class after it has a number one less than in the labels" if number < len(names) - 1 else ""
            warn(
                f"{where}: {name!r} is not a class: training and evaluation ignore label number {number}{shift}. Give "
                "it another name to make it a class."
            )
    return Meaning(tuple(classes), values)


def read_classes(path: Path) -> list[str]:
    """Read the names in a list of classes, one per line, in the order of their numbers.

    Lines may contain the numbers (`0 sky`, `sky: 0`); they may then have any order. Raises `DataError` for numbers that
    do not start at 0 or have a gap.
    """
    listed = table_lines(path)
    if listed and listed[0][1].lower().rstrip(": ") in _HEADINGS:
        raise DataError(
            f"{path}, line {listed[0][0]}: {listed[0][1]!r} looks like a heading but would be class 0; remove the "
            "line, or put # before it."
        )
    texts = [text.strip("\"',; \t") for _, text in listed]
    folded: dict[str, str] = {}
    for (line, _), text in zip(listed, texts, strict=True):
        if text.startswith(("//", ";")):
            raise DataError(f"{path}, line {line}: {text[:60]!r} looks like a comment; comments begin with #.")
        if text != folded.setdefault(text.lower(), text):
            raise DataError(
                f"{path}, line {line}: {text!r} and {folded[text.lower()]!r} differ only in case; rename one."
            )
    if texts and all(text.isdecimal() for text in texts) and texts != [str(number) for number in range(len(texts))]:
        raise DataError(
            f"{path}: holds only numbers ({', '.join(texts[:6])}); expected one name per line. If these are the "
            "values of the labels, map them to classes in a table (remap=FILE)."
        )
    for form, number_at, name_at in ((_NUMBER_FIRST, 1, 2), (_NUMBER_LAST, 2, 1)):
        matched = [each for each in map(form.fullmatch, texts) if each]
        if texts and len(matched) == len(texts):
            return _in_order(path, [(int(each[number_at]), each[name_at].strip("\"' \t")) for each in matched])
    if any(_SIGNED_NUMBER.match(text) for text in texts):
        (line, _), text = next(each for each in zip(listed, texts, strict=True) if not _NUMBER_FIRST.fullmatch(each[1]))
        lacks = "no name after its number" if _SIGNED_NUMBER.match(text) else "no number, but other lines have one"
        raise DataError(f"{path}, line {line}: {text[:60]!r} has {lacks}; number all lines or none.")
    return texts


def _in_order(path: Path, pairs: Sequence[tuple[int, str]]) -> list[str]:
    """The names in the order of their numbers. Raises `DataError` for repeated and missing numbers."""
    names: dict[int, str] = {}
    for number, name in pairs:
        if number in names:
            raise DataError(f"{path}: the number {number} is given twice ({names[number]!r}, {name!r}); keep one.")
        names[number] = name
    if VOID in names and is_void(names[VOID]):
        del names[VOID]  # 255 is void in any case
    missing = next((number for number in range(len(names)) if number not in names), None)
    if missing is not None:
        raise DataError(
            f"{path}: numbers its classes {', '.join(map(str, sorted(names)[:6]))}"
            f"{', ...' if len(names) > 6 else ''}, but {missing} has no line; add `{missing} NAME` (or `{missing} "
            "void` to ignore it), or remove all numbers if the classes are numbered from 0 in this order."
        )
    return [names[number] for number in range(len(names))]


def read_color_rows(path: Path) -> list[ColorRow]:
    """Read the lines of a colour table; a missing name is empty. Raises `DataError`, which names the line."""
    _refuse_hexadecimal(path)
    rows: list[ColorRow] = []
    for number, text in table_lines(path):
        if not rows and set(re.split(r"[\s,;:]+", text.lower())) <= _HEADER:
            continue
        row = _color_row(number, text)
        if row is None:
            raise DataError(f"{path}, line {number}: found {text[:60]!r}, expected {COLOR_FORM}.")
        rows.append(row)
    named = [row for row in rows if row.name]
    if named and len(named) < len(rows):
        line = next(row.line for row in rows if not row.name)
        raise DataError(f"{path}, line {line}: the colour has no name, but others have one; name all of them or none.")
    if named and all(re.match(r"\d+\b", row.name) for row in named):
        raise DataError(
            f"{path}, line {named[0].line}: found a fourth number; expected {COLOR_FORM}. Leave out numbers of classes "
            "and alpha: classes are numbered from 0 by their lines."
        )
    return rows


def _color_row(line: int, text: str) -> ColorRow | None:
    """The colour and the name in one line; None if it has another form."""
    if match := _CVAT.fullmatch(text):
        name, *words = match.groups()
    elif match := _COLOR_FIRST.fullmatch(text):
        *words, name = match.groups()
    elif match := _COLOR_LAST.fullmatch(text):
        name, *words = match.groups()
    else:
        return None
    red, green, blue = map(int, words)
    if max(red, green, blue) > 255:
        return None
    return ColorRow(line, (red, green, blue), (name or "").strip(" \t\"',;"))


def _refuse_hexadecimal(path: Path) -> None:
    """Raise `DataError` for colours such as #804080, which would be read as comments."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        found = _HEXADECIMAL.match(line.strip())
        if found and re.search(r"\d", found[0]):
            color = [str(int(found[0][place : place + 2], 16)) for place in (1, 3, 5)]
            raise DataError(f"{path}, line {number}: write the colour {found[0]} as `{' '.join(color)}`.")


def read_remap(path: Path, names: Sequence[str], with_void: bool, warn: Warn) -> Meaning:
    """Read the table that maps each value of the labels to a class, by name or by number.

    `names` are the classes in their order, if another list gives them; `with_void` says whether that list contains
    void. Without `names`, classes given by name are numbered in the order of the table. Raises `DataError`, which names
    the line.
    """
    rows: list[tuple[int, int, int, str]] = []
    for line, text in table_lines(path):
        match = _REMAPPED.fullmatch(text)
        if match is None:
            raise DataError(f"{path}, line {line}: found {text[:60]!r}, expected {REMAP_FORM}.")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= _GREATEST:
            raise DataError(f"{path}, line {line}: the values {first} to {last}: expected 0 to {_GREATEST}.")
        rows.append((line, first, last, match[3].strip("\"'")))
    meant = [word for *_, word in rows if not is_void(word) and word != str(VOID)]
    if meant and all(word.isdecimal() for word in meant):
        if with_void:
            raise DataError(
                f"{path}: gives classes by number, but the list of classes contains void, so that the numbers are "
                f"ambiguous; give the classes by name: {', '.join(names[:12])}."
            )
        known = list(names or numbered(min(VOID, max(map(int, meant))) + 1))
        place = {str(number): number for number in range(len(known))}
    else:
        known = list(names or dict.fromkeys(meant))
        place = {name: number for number, name in enumerate(known)}
    if not 2 <= len(known) <= VOID:
        raise DataError(f"{path}: gives {len(known)} classes; expected 2 to {VOID}, {REMAP_FORM}.")
    values: dict[int, int] = {}
    for line, first, last, word in rows:
        target = VOID if is_void(word) or word == str(VOID) else place.get(word)
        if target is None:
            classes = ", ".join(list(place)[:12])
            raise DataError(f"{path}, line {line}: {word!r} is not a class; the classes are {classes}.")
        for value in range(first, last + 1):
            if value in values:
                raise DataError(f"{path}, line {line}: the value {value} is given twice; keep one.")
            values[value] = target
    unused = sorted(set(range(len(known))) - set(values.values()))
    if unused:
        warn(f"{path}: no value is mapped to {', '.join(repr(known[number]) for number in unused[:6])}.")
    return Meaning(tuple(known), values)
