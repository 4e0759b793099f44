"""Listings of operations, as the compiler gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def made(line: str) -> str:
    """The name of the value that the operation of a line makes."""
    return line.rpartition(" → ")[2].split()[0]


def stages(listings: Mapping[str, list[str]], values: Collection[str]) -> str:
    """The operations that make these values: the layers, then the list again after each pass that changes it."""
    parts, before = [], None
    for name, lines in listings.items():
        shown = [line for line in lines if made(line) in values]
        if shown != before:
            parts.append("\n".join([f"# {name or 'the layers'}", *shown]))
        before = shown
    return "\n\n".join(parts) + "\n"
