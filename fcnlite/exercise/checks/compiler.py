"""Exercise 9: the first pass of a compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import FcnliteError
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import check_lines, pair
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Call, Student, WrongError
from fcnlite.net import Net

HINT = """\
Walk through the operations once, in order, with a dict `source` from each copied value to the value that it is a
copy of. For every operation, first replace its inputs: `source.get(name, name)`. If the operation copies, do not
keep it; note for each of its outputs that its source is the (already replaced) input. Since the input was replaced
before, a copy of a copy leads to the first value in one step. At the end, replace the outputs of the graph in the
same way."""

Operation = tuple[str, str, tuple[str, ...], tuple[str, ...]]
Graph = tuple[list[Operation], list[str]]

COPIES = ("Dropout", "Split")


def expected(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    """The graph without copies."""
    source: dict[str, str] = {}
    kept = []
    for name, kind, inputs, made in operations:
        inputs = tuple(source.get(each, each) for each in inputs)
        if kind in COPIES:
            source.update(dict.fromkeys(made, inputs[0]))
        else:
            kept.append((name, kind, inputs, made))
    return kept, [source.get(each, each) for each in outputs]


def _outputs_forgotten(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    return expected(operations, outputs)[0], list(outputs)


def _one_step(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    """A copy of a copy is followed one step only."""
    source = {top: inputs[0] for _, kind, inputs, made in operations if kind in COPIES for top in made}
    kept = [
        (name, kind, tuple(source.get(each, each) for each in inputs), made)
        for name, kind, inputs, made in operations
        if kind not in COPIES
    ]
    return kept, [source.get(each, each) for each in outputs]


def _while_iterating(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    """The list changes under its own loop, so the operation after each removed one is not looked at."""
    left = list(operations)
    source: dict[str, str] = {}
    for each in left:
        if each[1] in COPIES:
            left.remove(each)
            source.update(dict.fromkeys(each[3], source.get(each[2][0], each[2][0])))
    kept = [(name, kind, tuple(source.get(each, each) for each in inputs), made) for name, kind, inputs, made in left]
    return kept, [source.get(each, each) for each in outputs]


def _first_output(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    """Only the first output of a Split is replaced."""
    source: dict[str, str] = {}
    kept = []
    for name, kind, inputs, made in operations:
        inputs = tuple(source.get(each, each) for each in inputs)
        if kind in COPIES:
            source[made[0]] = inputs[0]
        else:
            kept.append((name, kind, inputs, made))
    return kept, [source.get(each, each) for each in outputs]


def _not_renamed(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    return [each for each in operations if each[1] not in COPIES], list(outputs)


def _first_input(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
    """Only the first input of each operation is replaced."""
    kept, ends = expected(operations, outputs)
    before = {each[0]: each[2] for each in operations}
    return [(name, kind, (*inputs[:1], *before[name][1:]), made) for name, kind, inputs, made in kept], ends


def _only(copy: str) -> Callable[[Sequence[Operation], Sequence[str]], Graph]:
    """Only one type of copy is removed."""

    def change(operations: Sequence[Operation], outputs: Sequence[str]) -> Graph:
        other = next(each for each in COPIES if each != copy)
        kept, ends = expected([(n, f"kept {k}" if k == other else k, i, o) for n, k, i, o in operations], outputs)
        return [(name, kind.removeprefix("kept "), inputs, made) for name, kind, inputs, made in kept], ends

    return change


MISTAKES: dict[str, Callable[[Sequence[Operation], Sequence[str]], Graph]] = {
    "An output of the graph that was a copy must become its source too: rename `outputs`.": _outputs_forgotten,
    "The copies are removed, but their readers still read the removed values.": _not_renamed,
    "A copy of a copy is followed one step only; follow it to its first source.": _one_step,
    "A list that shrinks while a loop runs over it skips the next operation; build a new list.": (_while_iterating),
    "Only the first output of a Split is renamed; all of them are copies.": _first_output,
    "Only the first input of each operation is renamed; any input may be a copy.": _first_input,
    "Split is still there; its outputs are copies of its input.": _only("Dropout"),
    "Dropout is still there; in the TEST phase it copies its input.": _only("Split"),
}


def _one(student: Student, operations: Sequence[Operation], outputs: Sequence[str]) -> Call:
    call = student.call("eliminate_identity", operations=list(operations), outputs=list(outputs))
    kept, ends = pair(call, ("operations", "outputs"))
    got = _graph(call, kept, ends)
    right = expected(operations, outputs)
    if got == right:
        _same_results(call, operations, outputs, got)
        return call
    hint = next((sentence for sentence, wrong in MISTAKES.items() if wrong(operations, outputs) == got), None)
    raise WrongError(f"{hint or _difference(got, right, operations)}\n{call}\nexpected{_text(right)}\ngot{_text(got)}")


def _graph(call: Call, kept: Any, ends: Any) -> Graph:
    try:
        found = [(name, kind, tuple(inputs), tuple(made)) for name, kind, inputs, made in kept]
        return found, list(ends)
    except (TypeError, ValueError):
        raise WrongError(
            f"operations must be a list of (name, type, inputs, outputs) and outputs a list of names; got {kept!r} and "
            f"{ends!r}.\n{call}"
        ) from None


def _difference(got: Graph, right: Graph, before: Sequence[Operation]) -> str:
    """A sentence about the first thing that is wrong."""
    known = {"x", "y"} | {top for _, _, _, made in got[0] for top in made}
    names, wanted = [each[0] for each in got[0]], [each[0] for each in right[0]]
    lost = [each for each in before if each[0] in wanted and each[0] not in names]
    if lost:
        return f"{lost[0][0]} ({lost[0][1]}) is removed, but it does not copy its input."
    for name, _, inputs, _ in got[0]:
        for each in inputs:
            if each not in known:
                return f"{name} reads {each}, which nobody computes any more."
    for each in got[1]:
        if each not in known:
            return f"The graph's output {each} is computed by nobody any more."
    if names != wanted:
        return f"The operations are {', '.join(names)}; expected {', '.join(wanted)}, in this order."
    if got[1] != right[1]:
        return f"The outputs of the graph are {', '.join(got[1])}; expected {', '.join(right[1])}."
    one, other = next((a, b) for a, b in zip(got[0], right[0], strict=True) if a != b)
    return f"{one[0]} reads {', '.join(one[2])}; expected {', '.join(other[2])}."


def _same_results(call: Call, operations: Sequence[Operation], outputs: Sequence[str], after: Graph) -> None:
    """Run both graphs on the engine."""
    one, other = _run(operations, outputs), _run(*after)
    for name, before, now in zip(outputs, one, other, strict=True):
        if not np.array_equal(before, now):
            raise WrongError(f"The engine computes another value for the output {name} after the pass.\n{call}")


def _run(operations: Sequence[Operation], outputs: Sequence[str]) -> list[Any]:
    inputs = {name: integers(i, 1, 2, 3, 4) / 4 for i, name in enumerate(("x", "y"))}
    layers = [LayerSpec(name, "Input", (), (name,), {"shape": [{"dim": [1, 2, 3, 4]}]}) for name in inputs]
    layers += [LayerSpec(name, kind, tuple(read), tuple(made), {}) for name, kind, read, made in operations]
    if all(name in inputs for name in outputs):
        return [inputs[name] for name in outputs]
    try:
        net = Net(NetSpec("graph", tuple(layers)), path="plain")
        blobs = net.forward(inputs, outputs=sorted(set(outputs) - set(inputs)))
    except FcnliteError as error:
        raise WrongError(f"The engine cannot run the graph: {error}") from None
    return [inputs[name] if name in inputs else blobs[name] for name in outputs]


def _text(graph: Graph) -> str:
    return "\n    ".join(["", *map(str, graph[0]), f"outputs {graph[1]}"])


def _cases(*cases: tuple[list[Operation], list[str]]) -> Callable[[Student], None]:
    def check(student: Student) -> None:
        for operations, outputs in cases:
            _one(student, operations, outputs)

    return check


EXAMPLE: list[Operation] = [
    ("relu", "ReLU", ("x",), ("a",)),
    ("drop", "Dropout", ("a",), ("b",)),
    ("abs", "AbsVal", ("b",), ("c",)),
]


def random_graph(seed: int) -> tuple[list[Operation], list[str]]:
    """Operations with one to two inputs among what is computed before."""
    rng = np.random.default_rng(seed)
    values = ["x", "y"]
    operations: list[Operation] = []
    for i in range(int(rng.integers(2, 4 + seed // 2))):
        kind = str(rng.choice(["ReLU", "AbsVal", "Sigmoid", "Eltwise", "Dropout", "Dropout", "Split"]))
        count = 2 if kind == "Eltwise" else 1
        inputs = tuple(str(each) for each in rng.choice(values, count))
        made = tuple(f"v{i}{end}" for end in (("a", "b") if kind == "Split" else ("",)))
        operations.append((f"op{i}", kind, inputs, made))
        values += made
    outputs = sorted({str(each) for each in rng.choice(values[2:], 2)})
    return operations, outputs


def _random(student: Student) -> None:
    for seed in range(40):
        _one(student, *random_graph(seed))


def _loops(student: Student) -> None:
    """The work grows with the number of operations, not with its square."""
    operations: list[Operation] = []
    for i in range(300):
        operations.append((f"drop{i}", "Dropout", (f"a{i - 1}" if i else "x",), (f"b{i}",)))
        operations.append((f"relu{i}", "ReLU", (f"b{i}",), (f"a{i}",)))
    call = student.call("eliminate_identity", operations=operations, outputs=["a299"])
    if _graph(call, *pair(call, ("operations", "outputs"))) != expected(operations, ["a299"]):
        raise WrongError("A chain of 600 operations ends in another graph than it should.")
    check_lines(
        call, 60_000, "Walk over the operations once, with a dict of the renamed values, not once for each copy."
    )


EXERCISE = Exercise(
    "compiler",
    "the first pass of a compiler",
    ("eliminate_identity",),
    {
        "the example of the page": _cases((EXAMPLE, ["c"])),
        "nothing to remove": _cases(([("relu", "ReLU", ("x",), ("a",))], ["a"])),
        "a Split": _cases(
            (
                [
                    ("split", "Split", ("x",), ("a", "b")),
                    ("relu", "ReLU", ("a",), ("c",)),
                    ("abs", "AbsVal", ("b",), ("d",)),
                ],
                ["c", "d"],
            )
        ),
        "a copy as second input": _cases(
            ([("drop", "Dropout", ("x",), ("a",)), ("sum", "Eltwise", ("y", "a"), ("b",))], ["b"])
        ),
        "a copy of a copy": _cases(
            (
                [
                    ("drop1", "Dropout", ("x",), ("a",)),
                    ("drop2", "Dropout", ("a",), ("b",)),
                    ("relu", "ReLU", ("b",), ("c",)),
                ],
                ["c"],
            )
        ),
        "an output that is a copy": _cases(
            ([("relu", "ReLU", ("x",), ("a",)), ("drop", "Dropout", ("a",), ("b",))], ["b"]),
            ([("relu", "ReLU", ("x",), ("a",)), ("split", "Split", ("a",), ("b", "c"))], ["b", "c"]),
        ),
        "40 random graphs, run on the engine before and after": _random,
        "600 operations": _loops,
    },
    HINT,
)
