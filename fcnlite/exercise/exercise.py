"""What an exercise is, and how a student's functions are graded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fcnlite.errors import brief
from fcnlite.exercise.student import Student, WrongError

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Exercise:
    """A row of the table of exercises."""

    name: str
    """The name of its files."""
    title: str
    functions: tuple[str, ...]
    """The functions that the student writes."""
    checks: Mapping[str, Callable[[Student], None]]
    """What is checked, in the order in which it is; each raises `WrongError`."""
    hint: str

    @property
    def skeleton(self) -> str:
        """The text of the file that the student completes."""
        return (_HERE / "skeletons" / f"{self.name}.py").read_text(encoding="utf-8")

    @property
    def solution(self) -> Path:
        return _HERE / "solutions" / f"{self.name}.py"


@dataclass(frozen=True)
class Outcome:
    """The result of one check."""

    check: str
    problem: str | None = None
    """What is wrong; None if nothing is."""
    tried: bool = True
    """Whether the check ran; those after a problem do not."""

    @property
    def passed(self) -> bool:
        return self.tried and self.problem is None

    def __str__(self) -> str:
        if not self.tried:
            return f"  -      {self.check} (not tried yet)"
        if self.problem is None:
            return f"  ok     {self.check}"
        first, *rest = self.problem.splitlines()
        return "\n".join([f"  wrong  {self.check}: {first}", *(f"           {line}" for line in rest)])


def grade(exercise: Exercise, student: Student) -> Iterator[Outcome]:
    """Run the checks up to the first that finds something wrong, and name the others."""
    checks = list(exercise.checks.items())
    for done, (name, check) in enumerate(checks, start=1):
        problem = _problem(check, student)
        yield Outcome(name, problem)
        if problem is not None:
            yield from (Outcome(other, tried=False) for other, _ in checks[done:])
            return


def _problem(check: Callable[[Student], None], student: Student) -> str | None:
    """What a check finds wrong; None if nothing."""
    try:
        check(student)
    except WrongError as wrong:
        return str(wrong)
    except Exception as error:  # by a result that no check expects, such as lists of different lengths
        return (
            f"The result cannot be compared with the engine's ({type(error).__name__}: {brief(error)}). Return arrays "
            "of numbers, or single numbers."
        )
    return None
