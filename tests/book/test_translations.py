"""Chinese pages follow the English pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import translations
from tests.book.pages import name_of

BLOCK = re.compile(r"^( *)```(python|sh|text)\n(.*?)^\1```$", re.M | re.S)


def code(text: str) -> list[tuple[str, str]]:
    """Language and text of each block of code, without its indentation."""
    return [(match[2], re.sub(f"^{match[1]}", "", match[3], flags=re.M)) for match in BLOCK.finditer(text)]


def test_no_page_has_fallen_behind() -> None:
    assert [words for page in translations.pages() if (words := translations.complaint(page))] == []


@pytest.mark.parametrize("page", translations.pages(), ids=name_of)
def test_the_code_is_that_of_the_english_page(page: Path) -> None:
    assert code(page.read_text(encoding="utf-8")) == code(translations.english(page).read_text(encoding="utf-8"))


def touching(text: str) -> list[str]:
    """The formulas within a line that touch a letter or a sign that is not ASCII."""
    prose = re.sub(r"^( *)(`{3,}).*?^\1\2 *$|\$\$.*?\$\$|`[^`\n]+`", "", text, flags=re.M | re.S)
    found = re.finditer(r"(.?)(\$[^$\n]+\$)(.?)", prose)
    return [match[0] for match in found if not (match[1] + match[3]).isascii()]


@pytest.mark.parametrize("page", translations.pages(), ids=name_of)
def test_formulas_stand_apart(page: Path) -> None:
    """GitHub shows `$x$` as a formula only if no Chinese letter and no full-width sign touches it."""
    assert touching(page.read_text(encoding="utf-8")) == []


def test_a_formula_that_touches_a_letter_is_found() -> None:
    assert touching("设 $x$ 是 **$y$** 。\n`设$x$`\n\n$$\n甲$$\n```text\n设$x$\n```\n") == []
    assert touching("设$x$ 是 $y$，$z$ 。") == ["设$x$ ", " $y$，"]


def test_changed_and_moved_code_is_found() -> None:
    text = "# A\n```python\nx = 1\n\n```\n```c\ny\n```\n- b\n  ```text\n  1\n    2\n  ```\n"
    assert code(text) == [("python", "x = 1\n\n"), ("text", "1\n  2\n")]
    assert code(text.replace("# A", "# 甲")) == code(text)
    assert code(text.replace("1", "3", 1)) != code(text)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small book of one page in both languages, the Chinese one without a mark."""
    for folder in ("docs/start", "docs/zh/start"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/start/index.md").write_text("# Start\n\nA page.\n")
    (tmp_path / "docs/zh/start/index.md").write_text("# 开始\n")
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    monkeypatch.setattr(translations, "CHINESE", tmp_path / "docs" / "zh")
    return tmp_path


def test_a_change_of_the_english_page_is_found(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    english, chinese = book / "docs/start/index.md", book / "docs/zh/start/index.md"
    assert "first line" in (translations.complaint(chinese) or "")
    assert translations.main(["update", str(chinese)]) == 0
    assert translations.complaint(chinese) is None
    assert chinese.read_text().endswith("-->\n# 开始\n")
    english.write_text("# Start  \n\nA page.")
    assert translations.complaint(chinese) is None
    english.write_text("# Start\n\nAnother page.\n")
    assert translations.main([]) == 1
    assert "docs/start/index.md has changed" in capsys.readouterr().out
    translations.update(chinese)
    assert translations.main([]) == 0
    assert chinese.read_text().count("follows") == 1


def test_what_is_not_translated_is_listed(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (book / "docs/start/more.md").write_text("# More\n")
    assert translations.missing() == ["docs/start/more.md"]
    english = book / "docs/start/index.md"
    english.unlink()
    assert "there is no docs/start/index.md" in (translations.complaint(book / "docs/zh/start/index.md") or "")
    with pytest.raises(SystemExit):
        translations.main(["update", str(english)])
