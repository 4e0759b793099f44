"""A graph before and after the pass."""

from _cells import arrow, box, document, words

from fcnlite.exercise.solutions.compiler import eliminate_identity

GRAPH = [
    ("relu", "ReLU", ("x",), ("a",)),
    ("drop", "Dropout", ("a",), ("b",)),
    ("split", "Split", ("b",), ("c", "d")),
    ("abs", "AbsVal", ("c",), ("e",)),
    ("sum", "Eltwise", ("e", "d"), ("f",)),
]
PLACES = {"relu": (0, 1), "drop": (1, 1), "split": (2, 1), "abs": (3, 0), "sum": (4, 1)}


def graph(operations: list, top: float, title: str) -> list[str]:
    parts = [words(10, top + 8, title, 13, "start")]
    makers = {made: name for name, _, _, outputs in operations for made in outputs}

    def center(name: str) -> tuple[float, float]:
        column, row = PLACES[name]
        return 110 + 105 * column, top + 44 + 46 * row

    for name, kind, inputs, _ in operations:
        x, y = center(name)
        parts += [box(x - 36, y - 14, 72, 28, 2 if kind in ("Dropout", "Split") else 1, 0.2), words(x, y, kind, 13)]
        for value in inputs:
            fx, fy = center(makers[value]) if value in makers else (30, y)
            start = fx + 36 if value in makers else fx
            parts.append(arrow(start, fy, x - 37, y))
            if value not in makers:
                parts.append(words(20, y, value, 13))
                continue
            share = 0.5 if abs(x - fx) < 150 else 0.75
            parts.append(words(start + (x - 37 - start) * share, fy + (y - fy) * share - 10, value, 12))
    return parts


def draw() -> str:
    after, _ = eliminate_identity(GRAPH, ["f"])
    return document(590, 270, [*graph(GRAPH, 4, "before"), *graph(after, 138, "after")])
