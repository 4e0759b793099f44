"""What runs, in which order, and how long each value lives.

A blob name may be written several times (in-place layers). Here every writing is a *version*, a number of its own,
so that a value, once made, has one producer and known readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from fcnlite.errors import SpecError, nearest
from fcnlite.layers.base import Layer
from fcnlite.layers.calls import is_own
from fcnlite.layers.registry import UnknownLayer


@dataclass(frozen=True)
class Step:
    """One layer's turn."""

    layer: Layer
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    release: tuple[int, ...] = ()
    """Versions that nobody reads after this step."""
    overwrite: bool = False
    """Whether the layer may write its top over its first bottom."""


@dataclass(frozen=True)
class Schedule:
    """The layers that run when certain inputs are fed and certain outputs wanted."""

    steps: tuple[Step, ...]
    inputs: dict[str, int]
    outputs: dict[str, int]
    last: dict[str, int]
    """The last version of each blob name."""
    losses: dict[int, float] = field(default_factory=dict)
    """Versions that add to the loss, with their weights."""
    aliased: frozenset[int] = frozenset()
    """Versions that may share memory with another one or with an input."""
    unknown: tuple[UnknownLayer, ...] = ()
    """Layers that would have to run, but are of unknown types; neither they nor what depends on them is in `steps`."""

    @staticmethod
    def make(layers: Sequence[Layer], fed: frozenset[str], outputs: tuple[str, ...] | None, keep: bool) -> Schedule:
        """Leave out the layers whose inputs are not fed and, unless `keep`, those that `outputs` do not need."""
        current: dict[str, int] = {}
        inputs: dict[str, int] = {}
        steps: list[Step] = []
        unknown: list[UnknownLayer] = []
        count = 0
        for layer in layers:
            bottom, top = layer.spec.bottom, layer.spec.top
            if any(name not in current for name in bottom):
                continue
            if bottom and isinstance(layer, UnknownLayer):
                unknown.append(layer)
                for name in top:
                    current.pop(name, None)  # written in place: its value of before is not its last
                continue
            made = [name for name in top if bottom or name in fed]
            versions = range(count, count + len(made))
            count += len(made)
            if bottom:
                steps.append(Step(layer, tuple(current[name] for name in bottom), tuple(versions)))
            else:
                inputs.update(zip(made, versions, strict=True))
            current.update(zip(made, versions, strict=True))
        wanted = _outputs(layers, steps, inputs, current, unknown, outputs)
        if outputs is not None and not keep:
            steps = _needed_steps(steps, set(wanted.values()))
        losses = _losses(steps)
        # What is looked at after the pass: outputs, and with keep every blob's last value.
        lasting = {*wanted.values(), *(current.values() if keep else ()), *(losses if keep else ())}
        return Schedule(
            steps=_lifetimes(steps, lasting, keep, set(inputs.values())),
            inputs=inputs,
            outputs=wanted,
            last=current,
            losses=losses,
            unknown=tuple(unknown),
            aliased=frozenset({*inputs.values(), *(v for step in steps if step.layer.aliases for v in step.top)}),
        )

    def version(self, name: str) -> int:
        """The last version of blob `name`. Raises `SpecError` where the pass did not make it."""
        if name not in self.last:
            raise SpecError(f"the forward pass made no blob {name!r}; {nearest(name, self.last)}")
        return self.last[name]


def _outputs(
    layers: Sequence[Layer],
    steps: Sequence[Step],
    inputs: dict[str, int],
    current: dict[str, int],
    unknown: Sequence[UnknownLayer],
    asked: tuple[str, ...] | None,
) -> dict[str, int]:
    """The output blobs: those asked for, else the tops that no layer reads."""
    if asked is None:
        read = {version for step in steps for version in step.bottom} | set(inputs.values())
        found = {name: version for name, version in current.items() if version not in read}
        if not found and unknown:
            raise unknown[0].error()
        if not found:
            raise SpecError(f"no layer can run on the inputs {', '.join(sorted(inputs))} alone; feed the others too.")
        return found
    for name in asked:
        if name not in current:
            known = {top for layer in layers for top in layer.spec.top}
            if name not in known:
                raise SpecError(f"the net has no blob {name!r}; {nearest(name, known)}")
            if unknown:
                raise unknown[0].error()
            missing = {top for layer in layers if not layer.spec.bottom for top in layer.spec.top} - set(inputs)
            raise SpecError(f"blob {name!r} needs inputs that were not fed; feed {', '.join(sorted(missing))} too.")
    return {name: current[name] for name in asked}


def _needed_steps(steps: Sequence[Step], wanted: set[int]) -> list[Step]:
    """The steps that the wanted versions depend on."""
    kept = []
    for step in reversed(steps):
        if wanted.intersection(step.top):
            wanted.update(step.bottom)
            kept.append(step)
    return kept[::-1]


def _losses(steps: Iterable[Step]) -> dict[int, float]:
    """Weighted tops: `loss_weight` where written, else 1 for the first top of a loss layer."""
    losses = {}
    for step in steps:
        layer = step.layer
        weights = layer.spec.loss_weight or ((1.0,) if layer.is_loss else ())
        if layer.spec.loss_weight and len(weights) != len(step.top):
            raise SpecError(
                f"layer {layer.spec.name!r}: {len(weights)} loss_weight for {len(step.top)} tops; "
                "expected one for each."
            )
        losses.update({version: w for version, w in zip(step.top, weights, strict=False) if w})
    return losses


def _lifetimes(steps: Sequence[Step], lasting: set[int], keep: bool, inputs: set[int]) -> tuple[Step, ...]:
    """The steps with `release` and `overwrite` filled in."""
    readers: dict[int, list[int]] = {}
    producer: dict[int, Layer] = {}
    last_use: dict[int, int] = dict.fromkeys(inputs, 0)
    for i, step in enumerate(steps):
        for version in step.bottom:
            readers.setdefault(version, []).append(i)
            last_use[version] = i
        for version in step.top:
            producer[version] = step.layer
            last_use[version] = i
    released: dict[int, list[int]] = {}
    for version, i in last_use.items():
        if version not in lasting:
            released.setdefault(i, []).append(version)

    def may_overwrite(step: Step) -> bool:
        spec, version = step.layer.spec, step.bottom[0]
        made_by = producer.get(version)
        return (
            step.layer.overwrites
            and spec.bottom[0] == spec.top[0]
            and version not in lasting
            and made_by is not None
            and not made_by.aliases
            and not (keep and ("top" in made_by.backward_reads or is_own(made_by)))
            and len(readers[version]) == 1
        )

    return tuple(
        replace(step, release=tuple(released.get(i, ())), overwrite=may_overwrite(step)) for i, step in enumerate(steps)
    )
