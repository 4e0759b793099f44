"""Exercise 9: the first pass of a compiler."""

Operation = tuple[str, str, tuple[str, ...], tuple[str, ...]]


def eliminate_identity(operations: list[Operation], outputs: list[str]) -> tuple[list[Operation], list[str]]:
    source: dict[str, str] = {}
    kept = []
    for name, kind, inputs, made in operations:
        inputs = tuple(source.get(each, each) for each in inputs)
        if kind in ("Dropout", "Split"):
            source.update(dict.fromkeys(made, inputs[0]))
        else:
            kept.append((name, kind, inputs, made))
    return kept, [source.get(each, each) for each in outputs]
