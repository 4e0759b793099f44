"""A network as data.

`NetSpec` describes a net in Caffe's terms, as a prototxt does, and computes nothing. File formats are converted to a
`NetSpec` and from one; `Net` runs it. Options contain only what the description sets; the layers have the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fcnlite.description import json_form
from fcnlite.description.model_info import Labels, MeanPicture, ModelInfo, Preprocessing
from fcnlite.errors import SpecError, nearest

__all__ = [
    "LONGEST_NAME",
    "PHASES",
    "Labels",
    "LayerSpec",
    "MeanPicture",
    "ModelInfo",
    "NetSpec",
    "ParamSpec",
    "Preprocessing",
    "StateRule",
]

PHASES = ("TRAIN", "TEST")
LONGEST_NAME = 500
"""Maximum number of characters in the name of a layer or blob, since messages quote names in full."""


@dataclass(frozen=True)
class ParamSpec:
    """One `param { ... }` of a layer: multipliers of learning rate and weight decay, and a name for sharing.

    Layers whose parameters have the same name share one parameter.
    """

    json_fields = json_form.decoders(lr_mult=json_form.number, decay_mult=json_form.number)

    name: str = ""
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    share_mode: str = "STRICT"
    """STRICT or PERMISSIVE, as in Caffe; fcnlite requires equal shapes in both cases."""


@dataclass(frozen=True)
class StateRule:
    """One `include { ... }` or `exclude { ... }` of a layer: conditions on the net's state (see `NetSpec.stage`)."""

    json_fields = json_form.decoders(
        min_level=json_form.integer,
        max_level=json_form.integer,
        stage=json_form.strings,
        not_stage=json_form.strings,
    )

    phase: str | None = None
    min_level: int | None = None
    max_level: int | None = None
    stage: tuple[str, ...] = ()
    not_stage: tuple[str, ...] = ()

    def matches(self, phase: str, level: int, stages: frozenset[str]) -> bool:
        """Whether a net of this phase, level and stages satisfies all conditions of the rule."""
        return (
            (self.phase is None or self.phase == phase)
            and (self.min_level is None or level >= self.min_level)
            and (self.max_level is None or level <= self.max_level)
            and all(stage in stages for stage in self.stage)
            and not any(stage in stages for stage in self.not_stage)
        )


@dataclass(frozen=True)
class LayerSpec:
    """One layer: type, blobs, multipliers, and the options that the description sets.

    `options` merges the layer's `*_param` messages (for SoftmaxWithLoss: `loss_param` and `softmax_param`) into one
    mapping of JSON values: numbers, strings (enums by name), booleans, lists for repeated fields, mappings for nested
    messages (fillers, `shape`).
    """

    json_fields = json_form.decoders(
        bottom=json_form.strings,
        top=json_form.strings,
        options=json_form.mapping,
        param=json_form.many(ParamSpec),
        loss_weight=json_form.numbers,
        propagate_down=json_form.booleans,
        include=json_form.many(StateRule),
        exclude=json_form.many(StateRule),
    )

    name: str
    type: str
    bottom: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    param: tuple[ParamSpec, ...] = ()
    loss_weight: tuple[float, ...] = ()
    propagate_down: tuple[bool, ...] = ()
    phase: str | None = None
    """Overrides the net's phase for this layer only."""
    include: tuple[StateRule, ...] = ()
    exclude: tuple[StateRule, ...] = ()
    where: str = field(default="", compare=False)
    """File and line, for error messages; set if the type was unknown when the file was read."""

    def included(self, phase: str, level: int, stages: frozenset[str]) -> bool:
        """Whether the rules include the layer in a net of this state.

        Raises `SpecError` if the layer has rules of both kinds.
        """
        if self.include and self.exclude:
            raise SpecError(f"layer {self.name!r}: has include and exclude rules; keep one kind.")
        if self.include:
            return any(rule.matches(phase, level, stages) for rule in self.include)
        return not any(rule.matches(phase, level, stages) for rule in self.exclude)


@dataclass(frozen=True)
class NetSpec:
    """A net: its layers in order. An input is the top of a layer without bottoms, such as `Input`."""

    json_fields = json_form.decoders(
        layers=json_form.many(LayerSpec),
        force_backward=json_form.boolean,
        level=json_form.integer,
        stage=json_form.strings,
    )

    name: str = ""
    layers: tuple[LayerSpec, ...] = ()
    force_backward: bool = False
    level: int = 0
    stage: tuple[str, ...] = ()
    """Level, stages and phase together are the state of the net, which include and exclude rules match."""

    def __post_init__(self) -> None:
        seen: set[tuple[str, tuple[StateRule, ...], tuple[StateRule, ...]]] = set()
        for layer in self.layers:
            if any(len(name) > LONGEST_NAME for name in (layer.name, layer.type, *layer.bottom, *layer.top)):
                raise SpecError(
                    f"layer {layer.name[:40]!r}: its names are longer than {LONGEST_NAME} characters; shorten them."
                )
            key = (layer.name, layer.include, layer.exclude)
            if key in seen:
                raise SpecError(f"layer {layer.name!r}: two layers have this name; names must differ.")
            seen.add(key)

    def at(self, level: int = 0, stages: Sequence[str] = ()) -> NetSpec:
        """The net with this level, if it is not 0, and with `stages` in addition to its own."""
        return replace(self, level=level or self.level, stage=(*self.stage, *stages))

    def for_phase(self, phase: str) -> NetSpec:
        """The net in this phase: the layers whose include and exclude rules admit it.

        Raises `SpecError` if these layers do not form a net.
        """
        if phase not in PHASES:
            raise SpecError(f"phase {phase!r}: expected TRAIN or TEST.")
        given = frozenset(self.stage)
        kept = tuple(layer for layer in self.layers if layer.included(phase, self.level, given))
        available: set[str] = set()
        names: set[str] = set()
        for layer in kept:
            if layer.name in names:
                raise SpecError(f"layer {layer.name!r}: two layers have this name in phase {phase}; names must differ.")
            names.add(layer.name)
            for blob in layer.bottom:
                if blob not in available:
                    raise SpecError(
                        f"layer {layer.name!r}: no layer before it makes its bottom {blob!r}"
                        f"{self._elsewhere(blob, phase) or '; ' + nearest(blob, available)}"
                    )
            for blob in layer.top:
                if blob in available and blob not in layer.bottom:
                    raise SpecError(
                        f"layer {layer.name!r}: top {blob!r} is already made by an earlier layer; "
                        "rename it, or list it as bottom too to write it in place."
                    )
                available.add(blob)
        return replace(self, layers=kept)

    def _elsewhere(self, blob: str, phase: str) -> str:
        """The end of a message about a blob that no layer of `phase` makes, if one of the other phase does."""
        (other,) = (each for each in PHASES if each != phase)
        given = frozenset(self.stage)
        makers = [each.name for each in self.layers if blob in each.top and each.included(other, self.level, given)]
        if not makers:
            return ""
        return (
            f" in phase {phase}; in phase {other} layer {makers[0]!r} does: use phase {other}, or add an input for "
            f"phase {phase}."
        )

    def __iter__(self) -> Iterator[LayerSpec]:
        return iter(self.layers)

    def layer(self, name: str) -> LayerSpec:
        """The layer called `name`. Raises `SpecError` if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise SpecError(f"no layer is called {name!r}; {nearest(name, (each.name for each in self.layers))}")

    def to_json(self) -> str:
        """The net as JSON text, from which `from_json` makes an equal spec."""
        return json_form.dumps(self)

    @staticmethod
    def from_json(text: str) -> NetSpec:
        """The net that `to_json` wrote. Raises `SpecError` for anything else."""
        net: NetSpec = json_form.loads(NetSpec, text, "net", "the network description")
        return net
