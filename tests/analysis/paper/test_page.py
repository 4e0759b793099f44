"""Pages: what they show, what they escape, and what an experiment refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.table import EXPERIMENTS, named
from fcnlite.errors import FileError, SpecError


def test_a_page_shows_its_parts_and_escapes_them(tmp_path: Path) -> None:
    page = Page("name", "3.2", "a < b")
    page.heading("Costs")
    page.text("<script>")
    page.table(("n", "seconds"), [(1, 0.5)])
    page.picture("found", np.full((2, 3, 3), 7, np.uint8), "two & three")
    page.compare("factor", 5, 4.5, "near")
    page.command = "python -m fcnlite.paper name --root 'a b'"
    text = page.write(tmp_path / "new" / "name").read_text()
    assert "<script>" not in text and "&lt;script&gt;" in text and "a &lt; b" in text
    for each in (
        "<h2>Costs</h2>",
        '<td class="number">0.5</td>',
        "found.png",
        "two &amp; three",
        ">4.5</td>",
        ">near</td>",
    ):
        assert each in text
    assert "name --root &#x27;a b&#x27;</code>" in text
    with Image.open(tmp_path / "new" / "name" / "found.png") as picture:
        assert np.asarray(picture).tolist() == np.full((2, 3, 3), 7).tolist()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"cannot be made a folder .*file is a file.*--out"):
        Page("name", "3", "").write(tmp_path / "file" / "name")


def test_small_pictures_are_enlarged_by_whole_factors_and_stand_side_by_side() -> None:
    page = Page("name", "3", "")
    for name, width in (("a", 100), ("b", 400)):
        page.picture(name, np.zeros((5, width, 3)), name)
    text = page.html()
    assert re.findall(r'width="(\d+)"', text) == ["400", "400"]
    assert text.count('<img class="enlarged" src="a.png"') == text.count('<img src="b.png"') == 1
    assert text.count('class="figures"') == 1


def test_a_legend_names_the_colours_of_the_pictures_before_it() -> None:
    page = Page("name", "3", "")
    page.picture("a", np.zeros((5, 5, 3)), "")
    page.legend({"sky": (1, 2, 3), "a & b": (4, 5, 6)})
    text = page.html()
    assert re.findall(r"rgb\((.*?)\)\"></i>(.*?)<", text) == [("1, 2, 3", "sky"), ("4, 5, 6", "a &amp; b")]
    assert text.index("a.png") < text.index("rgb(1, 2, 3)")


def test_experiments_have_names_of_their_own_and_modules() -> None:
    assert len({each.name for each in EXPERIMENTS}) == len(EXPERIMENTS)
    folder = Path(__file__).parents[3] / "fcnlite" / "analysis" / "paper"
    assert all((folder / f"{each.module.replace('.', '/')}.py").exists() for each in EXPERIMENTS)


def test_the_page_of_the_documentation_lists_every_experiment() -> None:
    text = (Path(__file__).parents[3] / "docs" / "paper.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\| .*", text, re.MULTILINE)]
    assert rows[0] == ["claim", "section", "command", "the paper", "here", "same, or why not"]
    assert [row[:3] for row in rows[1:]] == [
        [each.claim, each.section, f"`python -m fcnlite.paper {each.name}`"] for each in EXPERIMENTS
    ]
    assert all(len(row) == 6 and all(row) for row in rows[1:])


def test_a_wrong_name_and_a_setting_without_use_are_errors() -> None:
    with pytest.raises(SpecError, match=r"'uper-bounds'.*'upper-bounds'"):
        named("uper-bounds")
    with pytest.raises(SpecError, match="upper-bounds does not use --init"):
        named("upper-bounds").run(Settings(init="x.h5"))
