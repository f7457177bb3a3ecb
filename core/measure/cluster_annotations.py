"""Clusters of a word's occurrences as annotations: named, merged and corrected, in the layout of `senses.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from polysema.core.errors import UserError
from polysema.core.measure.annotations import LabeledWord
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.model.tokens import find_words


def cluster_annotations(
    word: str,
    clustered: SenseClusters,
    names: Mapping[int, str] | None = None,
    corrections: Mapping[int, str] | None = None,
) -> tuple[LabeledWord, ...]:
    """Each occurrence with the name of its cluster as its sense; those without a sense are left out.

    Args:
        word: The word that was clustered.
        clustered: Its clusters.
        names: What clusters are called, by their numbers from 0; clusters of one name are merged. One without a name
            here keeps its own.
        corrections: The sense of single occurrences, by their rows from 0, also of those in no cluster; an empty one
            leaves the row out.

    Raises:
        UserError: There is no such cluster or occurrence.
    """
    n_rows, given = len(clustered.texts), corrections or {}
    for what, keys, count in (("cluster", names or {}, len(clustered.clusters)), ("occurrence", given, n_rows)):
        wrong = next((key for key in keys if not 0 <= key < count), None)
        if wrong is not None:
            raise UserError(f"there is no {what} {wrong}: they are numbered 0 to {count - 1}")
    called = [(names or {}).get(place, one.name).strip() for place, one in enumerate(clustered.clusters)]
    rows = []
    for row, (text, start, place) in enumerate(
        zip(clustered.texts, clustered.starts, clustered.assigned.tolist(), strict=True)
    ):
        sense = given.get(row, called[place] if place >= 0 else "").strip()
        if sense:
            end = next((span.end for span in find_words(text, word) if span.start == start), start + len(word))
            rows.append(LabeledWord(word, sense, text, start, end))
    return tuple(rows)


def annotation_lines(rows: Iterable[LabeledWord]) -> str:
    """Annotations as JSON Lines, as `senses.jsonl` has them: word, sense, text, start and end.

    `read_annotations` reads them, and with it `polysema measure senses` and `probe`.
    """
    return "".join(
        json.dumps(
            {"word": row.word, "sense": row.label, "text": row.text, "start": row.start, "end": row.end},
            ensure_ascii=False,
        )
        + "\n"
        for row in rows
    )
