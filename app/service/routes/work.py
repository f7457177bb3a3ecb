"""Jobs: long work with progress and cancel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from polysema.app.service.asked import JobAsked
from polysema.app.service.jobs import Job, Progress
from polysema.app.service.state import State, The, check_writes
from polysema.app.service.vectors import answer, plain
from polysema.core.errors import UserError

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
EVERY = 0.1  # seconds between two looks at a job


@router.post("", status_code=202)
async def start(asked: JobAsked, state: The, request: Request) -> Response:
    """Start long work: answers at once with the job, whose events tell how far it is."""
    if asked.kind == "compact":
        check_writes(request)
    return answer(state.jobs.start(asked.kind, KINDS[asked.kind](asked, state)).to_json(), 202)


@router.get("/{job}")
async def look(job: str, state: The) -> Response:
    """How far a job is, and its result when it is done."""
    return answer(state.jobs.get(job).to_json())


@router.delete("/{job}")
async def cancel(job: str, state: The) -> Response:
    """Cancel a job: at once when it waits, at its next step when it runs."""
    return answer(state.jobs.cancel(job).to_json())


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
)
async def events(job: str, state: The) -> Response:
    """A job's progress as server-sent events; the last one, `end`, holds the result."""
    return StreamingResponse(_events(state.jobs.get(job), state), media_type="text/event-stream")


async def _events(job: Job, state: State) -> AsyncIterator[bytes]:
    version = -1
    while not job.ended and not state.draining:
        if job.version != version:
            version = job.version
            yield _event("progress", {**job.to_json(), "result": None})
        await asyncio.sleep(EVERY)
    yield _event("end" if job.ended else "progress", job.to_json())


def _event(name: str, value: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(plain(value))}\n\n".encode()


# What the kinds of jobs do. Each checks what was asked, and returns the work.

Work = Callable[[Progress], Any]


def _word_map(asked: JobAsked, state: State) -> Work:
    if asked.word is None:
        raise UserError("a word_map is of a word; give one of the corpus of senses, such as bank")
    word = asked.word
    state.known(asked.model)

    def work(progress: Progress) -> Any:
        found = state.explorer.word_map(word, asked.model, asked.method, asked.texts, progress)
        value = {name: getattr(found, name) for name in found.__slots__ if name not in ("positions", "origin")}
        return value | {"positions": [one.tolist() for one in found.positions], "origin": found.origin.to_json()}

    return work


def _senses(asked: JobAsked, state: State) -> Work:
    state.known(asked.model)
    return lambda progress: asdict(state.explorer.senses((asked.model,), progress))


def _corpus(asked: JobAsked, state: State) -> Work:
    state.known(asked.model)

    def work(progress: Progress) -> Any:
        space = state.explorer.corpus(asked.model, asked.layer, progress)
        return {"name": f"{asked.model}@{space.origin.layer}", "rows": len(space), "origin": space.origin.to_json()}

    return work


def _compact(asked: JobAsked, state: State) -> Work:
    if asked.collection is None:
        raise UserError("give the collection that is to be compacted")
    held = state.shelf.get(asked.collection)

    def work(progress: Progress) -> Any:
        return {"index": held.compact(asked.space, asked.index, progress)}

    return work


KINDS: dict[str, Callable[[JobAsked, State], Work]] = {
    "word_map": _word_map, "senses": _senses, "corpus": _corpus, "compact": _compact,
}  # fmt: skip
