"""The answers about words as JSON: written here once, for the command line and the service alike; the client reads it
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polysema.app.explorer.results import AnalogyAnswer, Neighbor, NeighborAnswer

# 3CosMul multiplies and LRCos weighs: theirs are no cosines
METHODS_WITHOUT_COSINE = ("3cosmul", "lrcos")


def score_name(method: str) -> str:
    """What the score of a method is called: `cosine` where it is one (of PairDirection, of two offsets), else
    `score`.
    """
    return "score" if method in METHODS_WITHOUT_COSINE else "cosine"


def score_of(row: dict[str, Any]) -> float:
    """The score of a row, whatever it is called."""
    value: float = row["cosine"] if row.get("cosine") is not None else row["score"]
    return value


def neighbor_rows(neighbors: Sequence[Neighbor], score: str = "cosine") -> list[dict[str, Any]]:
    """A row for each neighbor, scores to the last digit; of an occurrence with its text."""
    return [
        {"rank": n.rank, "word": n.key, score: n.score, "row": n.row} | ({"text": n.text} if n.text else {})
        for n in neighbors
    ]


def neighbors_json(found: NeighborAnswer) -> dict[str, Any]:
    """The nearest words of a word, without their space's card."""
    return {
        "query": found.query,
        "word": found.word,
        "how": found.how,
        "search": found.search,
        "recall": found.recall,
        "neighbors": neighbor_rows(found.neighbors),
    }


def analogy_json(found: AnalogyAnswer) -> dict[str, Any]:
    """An analogy's answer with its evidence; beside it every method has a `score`, so that they stand in one table."""
    score, evidence = score_name(found.method), found.evidence
    beside = {} if evidence is None else {one.method: neighbor_rows(one.neighbors, "score") for one in evidence.beside}
    return {
        "expression": found.expression,
        "method": found.method,
        "policy": found.policy,
        "neighbors": neighbor_rows(found.neighbors, score),
        "left_out": [
            {"word": i.word, "weight": i.weight, "rank": i.rank, score: i.score, "how": i.how} for i in found.inputs
        ],
        "evidence": None
        if evidence is None
        else {"with_inputs": neighbor_rows(evidence.with_inputs, score), "beside": beside},
        "pairs": list(found.pairs),
        "pairs_left_out": list(found.pairs_left_out),
        "origin": found.origin.to_json(),
    }
