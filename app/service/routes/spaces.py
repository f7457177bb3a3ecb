"""Spaces that have a name, their neighbours and analogies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from polysema.app import near
from polysema.app.explorer import DEFAULT_SPACE, Asking, Finding
from polysema.app.schemas import AnalogyAnswer, Neighbour, NeighbourAnswer
from polysema.app.service.answered import (
    AnalogyOf,
    NeighborsAnswer,
    NeighborsAnswers,
    SpaceInfo,
    Spaces,
    json,
)
from polysema.app.service.asked import SPACE, AnalogyAsked, Axis, NeighborsAsked, SpaceSeen, Spelling
from polysema.app.service.state import State, The
from polysema.app.service.vectors import answer, matrix
from polysema.core.errors import UserError
from polysema.core.model.catalog import folder_of
from polysema.core.space.expression import Term
from polysema.core.space.policy import Policy
from polysema.core.space.space import Family, Space

router = APIRouter(prefix="/v1", tags=["spaces"])
Word = Annotated[str, Query(min_length=1, max_length=4096, examples=["bank"])]
Name = Annotated[str, Query(min_length=1, max_length=129, pattern=SPACE)]
Count = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/spaces", responses=json(Spaces))
async def spaces(state: The) -> Response:
    """The static spaces that have a name; a model's name with a layer, `minilm-l6@6`, is one of occurrences. A collection is
    a space by its name as well (`mine`, or `mine/SPACE`).
    """
    rows = [
        {"name": row.name, "family": row.family.value, "here": folder_of(row) is not None,
         "layers": row.family is not Family.STATIC}
        for row in state.served()
    ]  # fmt: skip
    return answer({"spaces": rows})


@router.get("/spaces/{name}", responses=json(SpaceInfo))
async def space(
    name: str, state: The, transform: Annotated[str, Query(max_length=40)] = "raw",
    without: Annotated[list[Axis] | None, Query(max_length=8)] = None,
) -> Response:  # fmt: skip
    """A space's size and its provenance card; also of a collection, and of a space seen centred, whitened, or without axes."""

    def ask() -> Response:
        held = state.view(name, transform, without or [], "not_found")
        columns = held.columns.column_names if held.columns is not None else []
        return answer(
            {"name": name, "rows": len(held), "dim": held.dim, "columns": columns, "origin": held.origin.to_json()}
        )

    return await state.work(ask)


@router.get("/neighbors", responses=json(NeighborsAnswer))
async def neighbors(word: Word, state: The, space: Name = DEFAULT_SPACE, k: Count = 10) -> Response:
    """The words nearest to a word by cosine."""
    state.check_k(k)

    def ask() -> Response:
        held = state.space(space)
        state.check_terms(held, [word])
        found = state.explorer.neighbors(word, held, k)
        return answer(_neighbors(found) | {"policy": found.policy, "origin": found.origin.to_json()})

    return await state.work(ask)


@router.post("/neighbors", responses=json(NeighborsAnswers))
async def neighbors_of(asked: NeighborsAsked, state: The) -> Response:
    """The rows nearest to each of several words, occurrences, texts or vectors, also under a condition on columns."""
    given = [asked.words, asked.occurrences, asked.texts, asked.vectors]
    if sum(one is not None for one in given) != 1:
        raise UserError("give one of words, occurrences, texts and vectors: what the rows should be near to")
    state.check_k(asked.k)
    for what, one in zip(("words", "occurrences", "texts", "vectors"), given, strict=True):
        if isinstance(one, list):
            state.check_many(len(one), what)

    def ask() -> Response:
        held, policy = seen(state, asked)
        finding = Finding(asked.where or "", "", asked.recall)
        value: dict[str, Any] = {"origin": held.origin.to_json(), "policy": policy.describe()}
        if asked.words is not None or asked.occurrences is not None:
            state.check_terms(held, asked.words or ())
            terms: list[str | Term] = list(asked.words or ())
            if asked.occurrences is not None:
                state.check_model(held)
                terms = [near.occurrence(one.word, one.text, one.nth) for one in asked.occurrences]
            found = [state.explorer.neighbors(term, held, asked.k, policy, finding) for term in terms]
            return answer(value | {"answers": [_neighbors(one) for one in found]})
        if asked.texts is not None:
            if held.origin.layer is not None:
                state.check_model(held)
                state.check_tokens(state.explorer.model(held.origin.source), asked.texts)
            vectors = near.text_vectors(state.explorer, asked.texts, held)
        else:
            vectors = matrix(asked.vectors or [], held.dim)
            state.check_many(len(vectors), "vectors")
        lists = state.explorer.nearest(vectors, held, asked.k, finding)
        return answer(value | {"answers": [{"neighbors": rows(one)} for one in lists]})

    return await state.work(ask)


@router.get("/analogy", responses=json(AnalogyOf))
async def analogy(
    expression: Annotated[str, Query(max_length=10_000, examples=["queen - king + man"])], state: The,
    space: Name = DEFAULT_SPACE, k: Count = 10,
) -> Response:  # fmt: skip
    """The words nearest to a sum of words, such as `queen - king + man`, with their evidence."""
    state.check_k(k)

    def ask() -> Response:
        held = state.space(space)
        state.check_terms(held, [expression])
        return answer(_analogy(state.explorer.analogy(expression, held, k)))

    return await state.work(ask)


@router.post("/analogy", responses=json(AnalogyOf))
async def analogy_by(asked: AnalogyAsked, state: The) -> Response:
    """The same by any method, with example pairs, in a space that is seen centred, whitened or without directions."""
    state.check_k(asked.k)

    def ask() -> Response:
        held, policy = seen(state, asked)
        state.check_terms(held, [asked.expression, *(word for pair in asked.pairs for word in pair)])
        asking = Asking(tuple((a, b) for a, b in asked.pairs), policy, asked.evidence, asked.epsilon)
        found = state.explorer.analogy(asked.expression, held, asked.k, asked.method, asking)
        vectors = {"target": found.target.tolist(), "input_vectors": found.input_vectors.tolist()}
        return answer(_analogy(found) | (vectors if asked.vectors else {}))

    return await state.work(ask)


def seen(state: State, asked: Spelling) -> tuple[Space, Policy]:
    """The space as it is to be seen, and the policy."""
    policy = Policy.of(asked.case, asked.phrases, asked.unknown)
    return view(state, asked), policy


def view(state: State, asked: SpaceSeen) -> Space:
    """The space as it is to be seen."""
    return state.view(asked.space, asked.transform, asked.without)


def rows(neighbours: tuple[Neighbour, ...], score: str = "cosine") -> list[dict[str, Any]]:
    """A row for each neighbour, scores to the last digit."""
    return [
        {"rank": n.rank, "word": n.key, score: n.score, "row": n.row} | ({"text": n.text} if n.text else {})
        for n in neighbours
    ]


def _neighbors(found: NeighbourAnswer) -> dict[str, Any]:
    return {
        "asked": found.asked, "word": found.word, "how": found.how, "search": found.search, "recall": found.recall,
        "neighbors": rows(found.neighbours),
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
