"""Requests to the service: the answer as plain values, a value of a class or rows, or its error."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

import numpy as np

from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.json_reading import from_json
from polysema.core import errors
from polysema.core.errors import UnavailableError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats, Origin

if TYPE_CHECKING:
    import httpx
    import numpy.typing as npt

T = TypeVar("T")
Params: TypeAlias = "Mapping[str, str | int | list[str] | None] | None"  # of a query
BASE64 = "application/vnd.polysema.base64+json"
ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
EVENTS = "text/event-stream"
ERRORS: dict[str, type[UserError]] = {
    kind.code: kind
    for kind in (
        UserError,
        errors.NotFoundError,
        errors.UnreadableError,
        errors.IncompatibleError,
        errors.UnavailableError,
        errors.ConflictError,
        errors.CorruptError,
        errors.BusyError,
        errors.BeyondMemoryError,
        errors.DiskFullError,
        errors.StorageError,
    )
}


class Transport:
    """Asks a service at `url`. Safe to share between threads. A request that was turned away for want of room (429) is
    tried again, `tries` times.
    """

    def __init__(self, url: str, key: str | None, timeout: float, tries: int):
        try:
            import httpx
        except ImportError:
            raise UnavailableError("the client needs httpx; install it with pip install 'polysema[serve]'") from None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._errors = (httpx.TransportError, httpx.InvalidURL)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        self._url, self._tries = url, tries

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self, method: str, path: str, body: object = None, params: Params = None, accept: str = JSON
    ) -> dict[str, Any]:
        """The service's answer to one request, as plain values; raises its error."""
        found: dict[str, Any] = self._answer(method, path, body, params, accept).json()
        return found

    def ask_for(self, kind: type[T], path: str, body: Mapping[str, object], accept: str = JSON) -> T:
        """The service's answer to a question, as a value of that class; raises its error."""
        return from_json(kind, self.ask("POST", path, dict(body), accept=accept))

    def ask_rows(
        self, method: str, path: str, body: object = None, params: Params = None, name: str = "vector"
    ) -> TextVectors:
        """The service's answer as rows with vectors, which come as an Arrow stream."""
        import pyarrow as pa

        with pa.ipc.open_stream(self._answer(method, path, body, params, ARROW).content) as reader:
            table = reader.read_all()
        more = json.loads(table.schema.metadata[b"polysema"])
        column = table.column(name).combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        vectors = np.ascontiguousarray(flat, np.float32).reshape(-1, column.type.list_size)
        rest = table.drop_columns([name]).replace_schema_metadata(None)
        return TextVectors(rest, vectors, Origin.from_json(more["origin"]), tuple(more.get("split", ())), more=more)

    def start(self, kind: str, request: Mapping[str, object]) -> str:
        """Start long work; returns its id."""
        return str(self.ask("POST", "/v1/jobs", {"kind": kind, **request})["id"])

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job."""
        return self.ask("DELETE", f"/v1/jobs/{part(job)}")

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """A job's progress as it comes; the last one holds its state and result."""
        with self._http.stream("GET", f"/v1/jobs/{part(job)}/events", timeout=None) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _error(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[tuple[str, Any]]:
        """The names and values of the events that answer a question, as they come; raises its error."""
        headers = {"Accept": EVENTS, "Content-Type": JSON}
        content = json.dumps(dict(body)).encode()
        name = ""
        try:
            with self._http.stream("POST", path, content=content, headers=headers, timeout=None) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise _error(answer)
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        value = json.loads(line[6:])
                        if name == "error":
                            raise _raised(value["error"])
                        yield name, value
        except self._errors as error:
            raise self._unavailable(error) from None

    def finish(self, job: str, progress: Progress = no_progress) -> dict[str, Any]:
        """Wait for a job and return its result, or raise its error. What `progress` raises cancels it."""
        last: dict[str, Any] = {}
        try:
            for last in self.events(job):
                if last["stage"]:
                    progress(last["stage"], last["done"], last["total"])
        except self._errors as error:
            raise self._unavailable(error) from None
        except BaseException:
            self.cancel(job)
            raise
        if last.get("state") == "failed":
            raise _raised(last["error"])
        if last.get("state") != "done":
            raise errors.ConflictError(f"the job {job} is {last.get('state', 'lost')}")
        result: dict[str, Any] = last["result"]
        return result

    def done(self, kind: str, progress: Progress | None = None, **request: object) -> dict[str, Any]:
        """Start long work, wait for it, and return its result; raises the error that it ended with."""
        return self.finish(self.start(kind, request), progress or no_progress)

    def _answer(self, method: str, path: str, body: object, params: Params, accept: str) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept} | ({"Content-Type": JSON} if content is not None else {})
        for attempt in range(self._tries + 1):
            try:
                answer = self._http.request(method, path, content=content, params=params, headers=headers)
            except self._errors as error:
                raise self._unavailable(error) from None
            if answer.status_code != 429 or attempt == self._tries:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.status_code >= 400:
            raise _error(answer)
        return answer

    def _unavailable(self, error: Exception) -> UnavailableError:
        return UnavailableError(f"nothing answers at {self._url}: {error}; is `polysema serve` running there?")


def _error(answer: httpx.Response) -> UserError:
    try:
        return _raised(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"{answer.url} returned {answer.status_code}, and not as this service does")


def _raised(notes: dict[str, Any]) -> UserError:
    code, message = str(notes["code"]), str(notes["message"])
    if code == "unknown_word":
        return errors.UnknownWordError(message, "", tuple(notes.get("suggestions") or ()))
    error = ERRORS.get(code, UserError)(message)
    if code not in ERRORS:
        error.code = code  # one of the door's own: unauthorized, forbidden, too_many, …
    return error


def part(name: str) -> str:
    """A name as a part of a path."""
    if name in ("", ".", ".."):
        raise UserError(f"this is no name: {name!r}")
    return quote(name, safe="")


def sent(vectors: npt.ArrayLike) -> list[list[float]]:
    """Vectors as a request has them."""
    numbers: list[list[float]] = matrix(vectors).tolist()
    return numbers


def matrix(vectors: npt.ArrayLike) -> Floats:
    """(n, dim) float32; raises what the local verbs raise."""
    from polysema.indexes.base import checked

    return checked(vectors, None, "vectors")
