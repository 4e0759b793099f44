"""The problems of many files, collected and reported in one error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fcnlite import config
from fcnlite.errors import DataError, FcnliteError

SHOWN = 10
"""The number of problems that an error lists; the others are counted."""

Progress = Callable[[int, int], None]
"""Called with the number of items done and the total."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def try_all(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    progress: Progress | None = None,
) -> tuple[list[Result], list[str]]:
    """Call `work` on every item in several threads; return the results, and the messages of `FcnliteError`s, in order.

    `progress(done, total)` is called in the calling thread after each item.
    """
    results: list[Result] = []
    problems: list[str] = []
    with ThreadPoolExecutor(config.num_threads(), "fcnlite-check") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for done, future in enumerate(futures, start=1):
                try:
                    results.append(future.result())
                except FcnliteError as error:
                    problems.append(str(error))
                if progress is not None:
                    progress(done, len(items))
        finally:
            pool.shutdown(cancel_futures=True)
    return results, problems


def raise_if_any(where: str, problems: Sequence[str]) -> None:
    """Raise one `DataError` that lists `problems`, if there are any."""
    if problems:
        count = f"{len(problems)} " + ("problem" if len(problems) == 1 else "problems")
        raise DataError(format_problems(f"{where}: {count}", problems))


def format_problems(heading: str, problems: Sequence[str], shown: int = SHOWN) -> str:
    """The heading, then the first problems, one per line, and the number of the others."""
    lines = [f"{heading}:", *(f"  {problem}" for problem in problems[:shown])]
    if len(problems) > shown:
        lines.append(f"  and {len(problems) - shown} more.")
    return "\n".join(lines)
