"""Track which layers a file holds weights for, so that saving a net does not silently lose weights."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence

from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import UnknownLayer


class LoadedWeights:
    """Which file holds weights for which layers, and which layers know the sizes of their parameters."""

    def __init__(self) -> None:
        self._origins: dict[str, str] = {}
        self._sized: set[str] = set()

    def note(self, layers: Iterable[str], origin: str | os.PathLike[str]) -> None:
        """Record that the file `origin` holds weights for these layers."""
        self._origins.update(dict.fromkeys(layers, os.fspath(origin)))

    def note_sized(self, layers: Iterable[str]) -> None:
        """Record that the sizes of these layers' parameters, if they have any, are known."""
        self._sized.update(layers)

    def check_complete(
        self,
        layers: Sequence[Layer],
        params: Container[str],
        target: str | os.PathLike[str],
        wanted: Container[str] | None = None,
    ) -> None:
        """Raise `SpecError` if weights were loaded for layers that have no parameters to hold them.

        Such a layer has an unknown type, reads from a layer with one, or has not run yet. `target`: the file that would
        lack the weights. `wanted`: the layers that the file is to hold (default: all).
        """
        lost = self._origins.keys() - self._sized
        names = [each.spec.name for each in layers if each.spec.name in lost and each.spec.name not in params]
        names = [each for each in names if wanted is None or each in wanted]
        if not names:
            return
        types = dict.fromkeys(each.spec.type for each in layers if isinstance(each, UnknownLayer))
        if types:
            why = (
                f"they could not be loaded into layers of unknown types ({', '.join(types)}); import the module that "
                "registers these types before loading (--import MODULE for commands)"
            )
        else:
            why = "these layers have no parameters before they run; call forward with all inputs first"
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise SpecError(
            f"{target}: not written, because the weights that {self._origins[names[0]]} has for {shown} would be lost: "
            f"{why}."
        )
