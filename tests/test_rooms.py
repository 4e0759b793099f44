"""docs/reading/rooms-*.md has a room for every package of the import contract, on the page of its levels."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_docs import levels

READING = Path(__file__).parents[1] / "docs" / "reading"
PAGES = {"rooms-ground.md": (1, 4), "rooms-nets.md": (5, 8), "rooms-uses.md": (9, 12)}


def test_every_package_has_its_room() -> None:
    lowest_first = levels()[::-1]
    for page, (low, high) in PAGES.items():
        headings = re.findall(r"^## (.*)$", (READING / page).read_text(encoding="utf-8"), re.MULTILINE)
        rooms = re.findall(r"`(\w+)`", "\n".join(headings))
        assert sorted(rooms) == sorted(name for names in lowest_first[low - 1 : high] for name in names), page
