"""The Chinese pages and the English pages that they follow.

    python -m docs.translations                  # what has fallen behind, what is not translated yet
    python -m docs.translations update PAGE ...  # after translating: these pages, such as docs/zh/index.md, are current

The first line of a Chinese page is `<!-- follows docs/start/index.md at 1a2b3c4d5e6f -->`: the English page, and the
beginning of the SHA-256 of its text. A page has fallen behind when that text has changed since.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHINESE = ROOT / "docs" / "zh"
PARTS = ("start", "reading", "questions", "exercises")
"""The folders of which every page is to be translated."""
LAYERS = ("convolution", "pooling", "deconvolution", "crop", "eltwise", "softmax_loss", "batch_norm")
"""The pages of `docs/layers` that are to be translated."""
MARK = re.compile(r"<!-- follows (\S+) at ([0-9a-f]{12}) -->\n")


def fingerprint(text: str) -> str:
    """Twelve hexadecimal digits of an English page's text. Spaces at the ends of lines do not count."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def pages() -> list[Path]:
    """The Chinese pages that there are."""
    readme = ROOT / "README.zh.md"
    return [*([readme] if readme.exists() else []), *sorted(CHINESE.rglob("*.md"))]


def english(page: Path) -> Path:
    """The English page that has the same place."""
    return ROOT / "README.md" if page.parent == ROOT else ROOT / "docs" / page.relative_to(CHINESE)


def complaint(page: Path) -> str | None:
    """What is wrong with a Chinese page, or None."""
    name, source = page.relative_to(ROOT).as_posix(), english(page)
    if not source.exists():
        return f"{name}: there is no {source.relative_to(ROOT).as_posix()}, which it would follow"
    expected = source.relative_to(ROOT).as_posix()
    mark = MARK.match(page.read_text(encoding="utf-8"))
    if mark is None or mark[1] != expected:
        return f"{name}: the first line is not `<!-- follows {expected} at ... -->`"
    if mark[2] != fingerprint(source.read_text(encoding="utf-8")):
        return (
            f"{name}: {expected} has changed; translate the change, then run python -m docs.translations update {name}"
        )
    return None


def missing() -> list[str]:
    """The English pages that are to be translated and are not."""
    wanted = [page for part in PARTS for page in sorted((ROOT / "docs" / part).glob("*.md"))]
    wanted += [page for name in LAYERS if (page := ROOT / "docs" / "layers" / f"{name}.md").exists()]
    done = {english(page) for page in pages()}
    return [page.relative_to(ROOT).as_posix() for page in wanted if page not in done]


def update(page: Path) -> None:
    """Write into a Chinese page that it follows the English page as that is now."""
    source = english(page)
    text = MARK.sub("", page.read_text(encoding="utf-8"), count=1)
    mark = (
        f"<!-- follows {source.relative_to(ROOT).as_posix()} at {fingerprint(source.read_text(encoding='utf-8'))} -->"
    )
    page.write_text(f"{mark}\n{text}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what has fallen behind, or update the pages that are named; the status is 1 if a page is behind."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "action", nargs="?", choices=("update",), help="say that the pages named follow the English ones"
    )
    parser.add_argument("page", nargs="*", type=Path, help="a Chinese page, such as docs/zh/start/index.md")
    options = parser.parse_args(arguments)
    for page in options.page:
        if page.resolve() not in pages():
            parser.error(f"{page} is not a Chinese page; expected one of docs/zh, or README.zh.md")
    for page in options.page:
        update(page.resolve())
    behind = [words for page in pages() if (words := complaint(page))]
    print("\n".join(behind) or f"{len(pages())} Chinese pages follow the English ones.")
    if not options.page and (untranslated := missing()):
        print("\nnot translated yet:", *untranslated, sep="\n  ")
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
