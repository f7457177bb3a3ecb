"""The rows of a space that annotations are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.core.errors import NotFoundError, UserError

if TYPE_CHECKING:
    from polysema.app.explorer.space_contexts import SpaceContexts
    from polysema.core.measure.annotations import LabeledWord

SEPARATOR = "; "  # between the senses of several occurrences in one whole text


def annotated_values(contexts: SpaceContexts, annotations: Sequence[LabeledWord]) -> tuple[dict[str, str], int]:
    """The sense of each row that annotations are about, by its id, and how many of them stand in no row.

    A row that is a whole text in which several were annotated has all of their senses.

    Raises:
        NotFoundError: None of them stands in the space.
    """
    places: dict[tuple[str, int], str] = {}
    for word in dict.fromkeys(one.word.casefold() for one in annotations):
        try:
            found = contexts.occurrences(word)
        except UserError:
            continue
        places |= {(one.text, one.start): one.id for one in found.occurrences}
    senses: dict[str, list[str]] = {}
    missing = 0
    for one in annotations:
        key = None if one.start is None else places.get((one.text, one.start))
        if key is None:
            missing += 1
            continue
        senses.setdefault(key, []).append(one.label)
    if not senses:
        raise NotFoundError(f"none of the {len(annotations):,} annotations stands in the texts of these rows")
    return {key: SEPARATOR.join(dict.fromkeys(labels)) for key, labels in senses.items()}, missing
