"""Part 3 of the book: every layer type has a section with its options, and blocks print what is below them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fcnlite import layers
from tests.book.pages import DOCS

if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))

from book import layer_pages

OWN = sorted(name for name, cls in layers.registered().items() if cls.__module__.startswith("fcnlite."))
PAGES = sorted((DOCS / "layers").glob("*.md"))


@pytest.mark.parametrize("kind", OWN)
def test_a_type_has_a_section_with_its_options(kind: str) -> None:
    assert layer_pages.complaints(kind) == []


def test_the_table_has_no_other_types() -> None:
    assert set(layer_pages.places()) == set(OWN)


def test_an_option_that_is_missing_or_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "| option | default | meaning |\n|---|---|---|\n| `alpha` | 2 | … |\n"
    monkeypatch.setattr(layer_pages, "section", lambda page, anchor: text)
    assert layer_pages.complaints("ELU") == ["ELU: activations.md says 2 for `alpha`; the default is 1"]
    missing, *_ = layer_pages.complaints("Dropout")
    assert "no row for the option `dropout_ratio`, default 0.5" in missing
    monkeypatch.setattr(layer_pages, "places", dict)
    assert "index.md has no row" in layer_pages.complaints("ELU")[0]


@pytest.mark.parametrize("kind", OWN)
def test_a_new_section_begins_complete(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = layer_pages.skeleton(kind)
    monkeypatch.setattr(layer_pages, "section", lambda page, anchor: text)
    assert layer_pages.complaints(kind) == []


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_block_prints_is_below_it(page: Path) -> None:
    assert layer_pages.outputs(page) == page.read_text(encoding="utf-8")
