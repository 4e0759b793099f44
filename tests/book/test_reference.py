"""The public names, which the reference is made from, and the table of layers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import fcnlite
from fcnlite import layers
from fcnlite.__main__ import _COMMANDS
from fcnlite.formats.caffe import saving
from fcnlite.layers import outside
from tests.book.pages import DOCS

if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))

from book import doors, layer_table


def test_every_public_name_has_a_docstring() -> None:
    assert doors.undocumented() == []


def test_docstrings_of_functions_of_arrays_give_shapes() -> None:
    assert doors.without_shapes() == []


def test_a_missing_docstring_is_found(monkeypatch) -> None:
    monkeypatch.setattr(fcnlite.Net.forward, "__doc__", None)
    monkeypatch.setattr(fcnlite.spec.LayerSpec, "__doc__", "LayerSpec(name, type)")
    monkeypatch.setattr(fcnlite.metrics, "__doc__", None)
    found = set(doors.undocumented())
    assert found >= {"fcnlite.Net.forward", "fcnlite.LayerSpec", "fcnlite.spec.LayerSpec", "fcnlite.metrics"}


def test_each_public_module_has_a_page() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md"))
    named = re.findall(r"^```\{generated\} module (\S+)$", pages, re.M)
    assert sorted(named) == sorted(doors.modules())


def test_each_layer_type_has_an_example() -> None:
    types = {name for name, cls in layers.registered().items() if cls.__module__.startswith("fcnlite.")}
    assert set(layer_table.EXAMPLES) == types
    assert layer_table.compiled("ReLU") == "part of the convolution before it"
    assert layer_table.compiled("TanH") == "its own code"
    assert layer_table.compiled("Split") == "removed"


def test_each_layer_type_has_an_oracle_that_runs() -> None:
    tests = DOCS.parent / "tests"
    unrecorded = set()
    for name, cls in layer_table._ours().items():
        words, file = layer_table.oracle(name)
        assert words in (("",) if cls.bottoms == (0, 0) or name == "Silence" else ("Caffe", "its formula")), name
        text = (DOCS.parent / file).read_text(encoding="utf-8").lower() if file else name.lower()
        assert name.lower() in text, f"{file} does not mention {name}"
        unrecorded |= {name} if words == "its formula" else set()
    named = [name for types in layer_table.ORACLES for name in types.split()]
    assert sorted(named) == sorted(unrecorded)
    for test in layer_table.ORACLES.values():
        file, function = test.split("::")
        text = (tests / "layers" / file).read_text(encoding="utf-8")
        before, found, _ = text.partition(f"def {function}(")
        assert found and "mark.s" not in before.rpartition("\n\n\n")[2], f"{test} does not run in `make test`"


def test_every_type_of_caffe_is_computed_or_outside() -> None:
    missing = set(saving._TYPES.split()) - set(layers.registered())
    refused = {name for types in outside.TYPES.values() for name in types.split()}
    assert missing <= refused and not refused & set(layers.registered())


def test_the_first_page_names_every_command() -> None:
    found = re.findall(r"^\|.*\| `(\w+)` \|$", (DOCS / "start" / "index.md").read_text(encoding="utf-8"), re.M)
    assert sorted(found) == sorted(_COMMANDS)
    listed = re.findall(r"^```\{generated\} command (\w+)$", (DOCS / "reference" / "commands.md").read_text(), re.M)
    assert sorted(listed) == sorted(_COMMANDS)


def test_pages_of_layers_exist() -> None:
    for cls in layers.registered().values():
        if cls.__module__.startswith("fcnlite."):
            assert (DOCS / "reference" / Path(layer_table.page(cls).partition("#")[0])).exists()
