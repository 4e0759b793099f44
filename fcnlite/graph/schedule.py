"""Which layers run, in which order, and the lifetime of each value.

Several layers may write the same blob name (in-place layers). Each write makes a new *version*, a number that
identifies the value written, so that every version has one producer and known readers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from fcnlite.errors import SpecError, nearest
from fcnlite.layers.base import Layer
from fcnlite.layers.calls import is_user_defined
from fcnlite.layers.registry import UnknownLayer


@dataclass(frozen=True)
class Step:
    """The run of one layer: the versions that it reads and writes."""

    layer: Layer
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    release: tuple[int, ...] = ()
    """Versions to free after this step: nothing reads them later."""
    overwrite: bool = False
    """Whether the layer writes its top over its first bottom: it works in place, and nothing else reads that bottom."""


@dataclass(frozen=True)
class Versions:
    """The layers of a net that can run, and the versions of its blobs."""

    steps: tuple[Step, ...]
    """The layers with bottoms, in the order of the description."""
    inputs: dict[str, int]
    """The versions of the inputs that are fed, by blob name."""
    last: dict[str, int]
    """The last version of each blob name."""
    unknown: tuple[UnknownLayer, ...]
    """Layers of unknown types that would run; neither they nor the layers that depend on them are in `steps`."""

    @staticmethod
    def number(layers: Iterable[Layer], fed: frozenset[str] | None = None, *, unknown_types: bool = False) -> Versions:
        """Number the versions of all blobs, and leave out the layers whose inputs are not in `fed`.

        `fed`: names of inputs, None for all. `unknown_types`: treat layers of unknown types like others.
        """
        current: dict[str, int] = {}
        inputs: dict[str, int] = {}
        steps: list[Step] = []
        unknown: list[UnknownLayer] = []
        count = 0
        for layer in layers:
            bottom, top = layer.spec.bottom, layer.spec.top
            if any(name not in current for name in bottom):
                continue
            if bottom and isinstance(layer, UnknownLayer) and not unknown_types:
                unknown.append(layer)
                for name in top:
                    current.pop(name, None)  # the layer may work in place: its bottom is not the last version
                continue
            written = [name for name in top if bottom or fed is None or name in fed]
            versions = range(count, count + len(written))
            count += len(written)
            if bottom:
                steps.append(Step(layer, tuple(current[name] for name in bottom), tuple(versions)))
            else:
                inputs.update(zip(written, versions, strict=True))
            current.update(zip(written, versions, strict=True))
        return Versions(tuple(steps), inputs, current, tuple(unknown))

    def needed(self, wanted: Iterable[int]) -> tuple[Step, ...]:
        """The steps that the wanted versions depend on."""
        needed = set(wanted)
        kept = []
        for step in reversed(self.steps):
            if needed.intersection(step.top):
                needed.update(step.bottom)
                kept.append(step)
        return tuple(reversed(kept))


@dataclass(frozen=True)
class Schedule:
    """The layers that run for given inputs and outputs."""

    steps: tuple[Step, ...]
    """The layers that run, in order."""
    inputs: dict[str, int]
    """The versions of the inputs that are fed, by blob name."""
    outputs: dict[str, int]
    """The versions of the outputs, by blob name."""
    last: dict[str, int]
    """The last version of each blob name."""
    losses: dict[int, float] = field(default_factory=dict)
    """The versions that add to the loss, with their weights."""
    aliased: frozenset[int] = frozenset()
    """The inputs, and versions that may share memory with another one: outputs among them are copied for the caller."""
    unknown: tuple[UnknownLayer, ...] = ()
    """Layers of unknown types that would run; neither they nor the layers that depend on them are in `steps`."""

    @staticmethod
    def make(layers: Sequence[Layer], fed: frozenset[str], outputs: tuple[str, ...] | None, keep: bool) -> Schedule:
        """The schedule for the inputs `fed`, without the layers whose inputs are not fed.

        `outputs` None means the tops that no layer reads. Without `keep`, layers that the outputs do not need are left
        out too. With `keep`, the last version of every blob stays until after the pass. Raises `SpecError` for an
        output that cannot be computed from the inputs.
        """
        versions = Versions.number(layers, fed)
        wanted = _outputs(layers, versions, outputs)
        steps = versions.steps if outputs is None or keep else versions.needed(wanted.values())
        losses = _losses(steps)
        # The versions read after the pass: the outputs, and with `keep` the last of every blob and the losses.
        live = {*wanted.values(), *(versions.last.values() if keep else ()), *(losses if keep else ())}
        return Schedule(
            steps=_lifetimes(steps, live, keep, versions.inputs.values()),
            inputs=versions.inputs,
            outputs=wanted,
            last=versions.last,
            losses=losses,
            aliased=frozenset(
                {*versions.inputs.values(), *(each for step in steps if step.layer.aliases for each in step.top)}
            ),
            unknown=versions.unknown,
        )

    def version(self, name: str) -> int:
        """The last version of blob `name`. Raises `SpecError` if the schedule does not make it."""
        if name not in self.last:
            raise SpecError(f"the forward pass made no blob {name!r}; {nearest(name, self.last)}")
        return self.last[name]


def unread(versions: Versions, judges: Sequence[Step] = ()) -> dict[str, int]:
    """The blobs that layers make and none reads; if there are none, those that only Silence reads.

    `judges`: layers such as losses, whose first bottom counts as not read, and whose tops are left out.
    """
    for silence in ("", "Silence"):
        read = set(versions.inputs.values())
        for step in versions.steps:
            if step in judges:
                read.update((*step.bottom[1:], *step.top))
            elif step.layer.type != silence:
                read.update(step.bottom)
        if found := {name: version for name, version in versions.last.items() if version not in read}:
            return found
    return {}


def _outputs(layers: Sequence[Layer], versions: Versions, names: tuple[str, ...] | None) -> dict[str, int]:
    """The versions of the outputs: the blobs called `names`, by default the tops that no layer reads."""
    inputs, last, unknown = versions.inputs, versions.last, versions.unknown
    if names is None:
        found = unread(versions)
        if not found and unknown:
            raise unknown[0].error()
        if not found:
            raise SpecError(f"no layer can run on the inputs {', '.join(sorted(inputs))} alone; feed the others too.")
        return found
    for name in names:
        if name not in last:
            known = {top for layer in layers for top in layer.spec.top}
            if name not in known:
                raise SpecError(f"the net has no blob {name!r}; {nearest(name, known)}")
            if unknown:
                raise unknown[0].error()
            missing = {top for layer in layers if not layer.spec.bottom for top in layer.spec.top} - set(inputs)
            raise SpecError(f"blob {name!r} needs inputs that were not fed; feed {', '.join(sorted(missing))} too.")
    return {name: last[name] for name in names}


def _losses(steps: Iterable[Step]) -> dict[int, float]:
    """The weight of each top that adds to the loss: its `loss_weight`, else 1 for the first top of a loss layer."""
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


def _lifetimes(steps: Sequence[Step], live: set[int], keep: bool, inputs: Iterable[int]) -> tuple[Step, ...]:
    """The steps with `release` and `overwrite` set. `live`: the versions that are read after the last step."""
    readers: dict[int, int] = {}
    producer: dict[int, Layer] = {}
    last_use: dict[int, int] = dict.fromkeys(inputs, 0)
    for i, step in enumerate(steps):
        for version in step.bottom:
            readers[version] = readers.get(version, 0) + 1
            last_use[version] = i
        for version in step.top:
            producer[version] = step.layer
            last_use[version] = i
    released: dict[int, list[int]] = {}
    for version, i in last_use.items():
        if version not in live:
            released.setdefault(i, []).append(version)

    def may_overwrite(step: Step) -> bool:
        spec, version = step.layer.spec, step.bottom[0]
        made_by = producer.get(version)
        return (
            step.layer.overwrites
            and spec.bottom[0] == spec.top[0]
            and version not in live
            and made_by is not None
            and not made_by.aliases
            and not (keep and ("top" in made_by.backward_reads or is_user_defined(made_by)))
            and readers[version] == 1
        )

    return tuple(
        replace(step, release=tuple(released.get(i, ())), overwrite=may_overwrite(step)) for i, step in enumerate(steps)
    )
