"""Spaces that have a name, their neighbours and analogies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from polysema.app import near
from polysema.app.explorer import DEFAULT_SPACE, Asking, Explorer
from polysema.app.schemas import AnalogyAnswer, Neighbour, NeighbourAnswer
from polysema.app.service.asked import NAME, AnalogyAsked, NeighborsAsked, Spelling
from polysema.app.service.state import The
from polysema.app.service.vectors import answer, matrix
from polysema.core.errors import UserError
from polysema.core.model.catalog import folder_of
from polysema.core.space.expression import Term
from polysema.core.space.policy import Policy
from polysema.core.space.space import Family, Space

router = APIRouter(prefix="/v1", tags=["spaces"])
Word = Annotated[str, Query(min_length=1, max_length=200, examples=["bank"])]
Name = Annotated[str, Query(min_length=1, max_length=64, pattern=NAME)]
Count = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/spaces")
async def spaces(state: The) -> dict[str, Any]:
    """The static spaces that have a name; a model's name with a layer, `minilm-l6@6`, is one of occurrences."""
    return {
        "spaces": [
            {"name": row.name, "family": row.family.value, "here": folder_of(row) is not None,
             "layers": row.family is not Family.STATIC}
            for row in state.served()
        ]
    }  # fmt: skip


@router.get("/spaces/{name}")
async def space(name: str, state: The) -> Response:
    """A space's size and its provenance card."""
    state.known(name, "not_found")

    def ask() -> Response:
        held = state.explorer.space(name)
        columns = held.columns.column_names if held.columns is not None else []
        return answer(
            {"name": name, "rows": len(held), "dim": held.dim, "columns": columns, "origin": held.origin.to_json()}
        )

    return await state.work(ask)


@router.get("/neighbors")
async def neighbors(word: Word, state: The, space: Name = DEFAULT_SPACE, k: Count = 10) -> Response:
    """The words nearest to a word by cosine."""
    state.known(space)
    state.check_k(k)
    return await state.work(lambda: answer(_neighbors(state.explorer.neighbors(word, space, k))))


@router.post("/neighbors")
async def neighbors_of(asked: NeighborsAsked, state: The) -> Response:
    """The rows nearest to each of several words, occurrences, texts or vectors, also under a condition on columns."""
    given = [asked.words, asked.occurrences, asked.texts, asked.vectors]
    if sum(one is not None for one in given) != 1:
        raise UserError("give one of words, occurrences, texts and vectors: what the rows should be near to")
    state.known(asked.space)
    state.check_k(asked.k)
    for what, one in zip(("words", "occurrences", "texts", "vectors"), given, strict=True):
        if isinstance(one, list):
            state.check_many(len(one), what)

    def ask() -> Response:
        held, policy = seen(state.explorer, asked)
        value: dict[str, Any] = {"origin": held.origin.to_json(), "policy": policy.describe()}
        if asked.words is not None or asked.occurrences is not None:
            terms = [Term(1.0, word) for word in asked.words or ()]
            terms += [near.occurrence(one.word, one.text, one.nth) for one in asked.occurrences or ()]
            found = near.of_terms(state.explorer, terms, held, asked.k, policy, asked.where)
            value["answers"] = [
                {"asked": one.asked, "word": one.word, "how": one.how, "neighbors": rows(one.neighbours)}
                for one in found
            ]
            return answer(value)
        if asked.texts is not None:
            if held.origin.layer is not None:
                state.check_tokens(state.explorer.model(held.origin.source), asked.texts)
            vectors = near.text_vectors(state.explorer, asked.texts, held)
        else:
            vectors = matrix(asked.vectors or [], held.dim)
            state.check_many(len(vectors), "vectors")
        lists = near.of_vectors(state.explorer, vectors, held, asked.k, asked.where)
        return answer(value | {"answers": [{"neighbors": rows(one)} for one in lists]})

    return await state.work(ask)


@router.get("/analogy")
async def analogy(
    expression: Annotated[str, Query(max_length=10_000, examples=["queen - king + man"])], state: The,
    space: Name = DEFAULT_SPACE, k: Count = 10,
) -> Response:  # fmt: skip
    """The words nearest to a sum of words, such as `queen - king + man`, with their evidence."""
    state.known(space)
    state.check_k(k)
    return await state.work(lambda: answer(_analogy(state.explorer.analogy(expression, space, k))))


@router.post("/analogy")
async def analogy_by(asked: AnalogyAsked, state: The) -> Response:
    """The same by any method, with example pairs, in a space that is seen centred, whitened or without directions."""
    state.known(asked.space)
    state.check_k(asked.k)

    def ask() -> Response:
        held, policy = seen(state.explorer, asked)
        asking = Asking(tuple((a, b) for a, b in asked.pairs), policy, asked.evidence, asked.epsilon)
        return answer(_analogy(state.explorer.analogy(asked.expression, held, asked.k, asked.method, asking)))

    return await state.work(ask)


def seen(explorer: Explorer, asked: Spelling) -> tuple[Space, Policy]:
    """The space as it is to be seen, and the policy."""
    policy = Policy.of(asked.case, asked.phrases, asked.unknown)
    return explorer.view(asked.space, asked.transform, asked.without), policy


def rows(neighbours: tuple[Neighbour, ...], score: str = "cosine") -> list[dict[str, Any]]:
    """A row for each neighbour, scores to the last digit."""
    return [
        {"rank": n.rank, "word": n.key, score: n.score, "row": n.row} | ({"text": n.text} if n.text else {})
        for n in neighbours
    ]


def _neighbors(found: NeighbourAnswer) -> dict[str, Any]:
    return {
        "asked": found.asked, "word": found.word, "how": found.how, "policy": found.policy,
        "neighbors": rows(found.neighbours), "origin": found.origin.to_json(),
    }  # fmt: skip


def _analogy(found: AnalogyAnswer) -> dict[str, Any]:
    score = "cosine" if found.method in ("3cosadd", "3cosavg", "only-b", "ignore-a", "pairdirection") else "score"
    evidence = found.evidence
    return {
        "expression": found.expression,
        "method": found.method,
        "policy": found.policy,
        "neighbors": rows(found.neighbours, score),
        "left_out": [
            {"word": i.word, "weight": i.weight, "rank": i.rank, "cosine": i.score, "how": i.how} for i in found.inputs
        ],
        "evidence": None
        if evidence is None
        else {
            "with_inputs": rows(evidence.with_inputs, score),
            "beside": {one.method: rows(one.neighbours, "score") for one in evidence.beside},
        },
        "pairs": list(found.pairs),
        "pairs_left_out": list(found.pairs_left_out),
        "origin": found.origin.to_json(),
    }
