"""The HTTP service: the same questions as on the command line, over the same explorer.

A function of its dependencies: `create_app(explorer)`. A route is parsing and one call.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from polysema.app.explorer import DEFAULT_MODEL, DEFAULT_SPACE, MAX_TEXT, MAX_TEXTS, Explorer, Finding
from polysema.core.errors import UserError
from polysema.core.model.catalog import CATALOG, folder_of

STATUS = {
    "invalid": 422,
    "unknown_word": 404,
    "not_found": 404,
    "unreadable": 422,
    "incompatible": 409,
    "unavailable": 503,
    "conflict": 409,
}
MOST = 1000  # answers to one request
NO_TELEMETRY: dict[str, Any] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}

Word = Annotated[str, Query(min_length=1, max_length=200)]
Name = Annotated[str, Query(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Count = Annotated[int, Query(ge=1, le=MOST)]


class CompareRequest(BaseModel):
    """A word and the texts in which it stands."""

    word: str = Field(min_length=1, max_length=200, examples=["bank"])
    texts: list[Annotated[str, Field(max_length=MAX_TEXT)]] = Field(
        min_length=1, max_length=MAX_TEXTS, examples=[["The river bank.", "A bank of gold."]]
    )
    model: str = Field(default=DEFAULT_MODEL, max_length=64)
    layers: list[int] | None = Field(default=None, max_length=200)
    pooling: str = Field(default="mean", max_length=16)


def create_app(explorer: Explorer) -> FastAPI:
    """The service over an explorer. Only names of the catalog are served, never paths of this machine."""
    app = FastAPI(title="Polysema", version="1", docs_url=None, redoc_url=None, telemetry=NO_TELEMETRY)  # type: ignore[arg-type,unused-ignore]

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> JSONResponse:
        body: dict[str, Any] = {"code": error.code, "message": str(error)}
        if getattr(error, "suggestions", None):
            body["suggestions"] = error.suggestions  # type: ignore[attr-defined]
        return JSONResponse({"error": body}, STATUS.get(error.code, 422))

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the service answers."""
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> list[dict[str, Any]]:
        """The catalog: what has a name, and whether it is here."""
        return [
            {
                "name": row.name,
                "family": row.family.value,
                "licence": row.licence,
                "from": row.requirement,
                "here": folder_of(row) is not None,
            }
            for row in CATALOG
        ]

    @app.get("/v1/neighbors")
    def neighbors(
        word: Word, space: Name = DEFAULT_SPACE, k: Count = 10,
        where: Annotated[str, Query(max_length=10_000)] = "",
    ) -> dict[str, Any]:  # fmt: skip
        """The words nearest to a word by cosine; `where` is a filter over the space's columns."""
        answer = explorer.neighbors(word, _known(space), k, finding=Finding(where))
        return {"word": answer.word, "neighbors": _rows(answer.neighbours), "origin": answer.origin.to_json()}

    @app.get("/v1/analogy")
    def analogy(
        expression: Annotated[str, Query(max_length=10_000)], space: Name = DEFAULT_SPACE, k: Count = 10
    ) -> dict[str, Any]:
        """The words nearest to a sum of words, such as `queen - king + man`."""
        answer = explorer.analogy(expression, _known(space), k)
        left_out = [{"word": i.word, "weight": i.weight, "rank": i.rank, "cosine": i.score} for i in answer.inputs]
        return {
            "expression": answer.expression,
            "neighbors": _rows(answer.neighbours),
            "left_out": left_out,
            "origin": answer.origin.to_json(),
        }

    @app.post("/v1/compare")
    def compare(asked: CompareRequest) -> dict[str, Any]:
        """A word in several texts, layer by layer."""
        answer = explorer.compare(asked.word, asked.texts, _known(asked.model), asked.layers, asked.pooling)
        return {
            "word": answer.word,
            "layers": [asdict(layer) for layer in answer.layers],
            "origin": answer.origin.to_json(),
        }

    return app


def _known(name: str) -> str:
    if name not in {row.name for row in CATALOG}:
        raise UserError(f"{name!r} is not in the catalog: {', '.join(row.name for row in CATALOG)}")
    return name


def _rows(neighbours: Any) -> list[dict[str, Any]]:
    return [{"rank": n.rank, "word": n.key, "cosine": n.score} for n in neighbours]
