"""Where weights and data differ: what the user takes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Consent:
    """Options of one command. They are not recorded: a later --resume asks again."""

    classes_by_number: bool = False
    """Classes are those of the same number, whatever they are called."""
    new_scores: bool = False
    """Score layers are not taken from the weights to start from."""
    changed_data: bool = False
    """A run goes on although its data have changed."""


NO_CONSENT = Consent()
