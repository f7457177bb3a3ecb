"""A client of the service with the verbs of `Explorer` and `Collection`: a program changes one line to go remote.

    explorer = Explorer()                          # here
    explorer = Client("http://127.0.0.1:8502")     # there
    explorer.neighbors("bank", k=5).neighbours

Answers are the same values of `polysema.app.schemas`, errors the same classes of `polysema.core.errors`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.app.schemas import (
    AnalogyAnswer,
    Comparison,
    Evidence,
    InputRank,
    LayerComparison,
    MethodAnswer,
    Neighbour,
    NeighbourAnswer,
)
from polysema.core import errors
from polysema.core.errors import UnavailableError, UserError
from polysema.core.space.space import Origin

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer import Asking
    from polysema.core.space.policy import Policy
    from polysema.core.space.space import Floats

BASE64 = "application/vnd.polysema.base64+json"
ERRORS: dict[str, type[UserError]] = {
    kind.code: kind
    for kind in (
        UserError, errors.NotFoundError, errors.UnreadableError, errors.IncompatibleError, errors.UnavailableError,
        errors.ConflictError, errors.CorruptError, errors.BusyError,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Rows with vectors: `rows` (a dictionary each) and `vectors` (n_rows, dim), and the card of where they come from."""

    rows: list[dict[str, Any]]
    vectors: Floats
    origin: Origin


@dataclass(frozen=True, slots=True)
class RemoteMatches:
    """What a search found: for each query ids and scores, best first, the rows themselves, and the version searched."""

    ids: list[list[str]]
    scores: list[list[float]]
    rows: list[list[dict[str, Any]]]
    version: int
    recall: float | None


class Client:
    """Asks a service at `url`. Safe to share between threads; raises the errors of the local API, and `UnavailableError`
    where nothing answers. A request that was turned away for want of room (429) is tried again, `tries` times.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8502", key: str | None = None, timeout: float = 60.0, tries: int = 5
    ):
        try:
            import httpx
        except ImportError:
            raise UnavailableError("the client needs httpx; install it with pip install 'polysema[serve]'") from None
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._errors = (httpx.TransportError, httpx.InvalidURL)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)
        self._url, self._tries = url, tries

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Spaces

    def neighbors(
        self, word: str, space: str = "glove-6b-50d", k: int = 10, policy: Policy | None = None
    ) -> NeighbourAnswer:
        """See `Explorer.neighbors`."""
        answer = self.ask("POST", "/v1/neighbors", {"words": [word], "space": space, "k": k, **_spelling(policy)})
        one = answer["answers"][0]
        origin = Origin.from_json(answer["origin"])
        return NeighbourAnswer(word, one["word"], _neighbours(one["neighbors"]), origin, one["how"], answer["policy"])

    def nearest(
        self, vectors: npt.ArrayLike, space: str = "glove-6b-50d", k: int = 10, where: str | None = None
    ) -> tuple[tuple[Neighbour, ...], ...]:
        """See `polysema.app.near.of_vectors`."""
        asked = {"vectors": _sent(vectors), "space": space, "k": k, "where": where}
        return tuple(_neighbours(one["neighbors"]) for one in self.ask("POST", "/v1/neighbors", asked)["answers"])

    def analogy(
        self, expression: str, space: str = "glove-6b-50d", k: int = 10, method: str = "3cosadd",
        asking: Asking | None = None,
    ) -> AnalogyAnswer:  # fmt: skip
        """See `Explorer.analogy`; the vectors of the answer (`target`, `input_vectors`) stay on the service, empty here."""
        asked: dict[str, Any] = {"expression": expression, "space": space, "k": k, "method": method}
        if asking is not None:
            asked |= {
                "pairs": [list(pair) for pair in asking.pairs],
                "evidence": asking.evidence,
                "epsilon": asking.epsilon,
            }
            asked |= _spelling(asking.policy)
        found = self.ask("POST", "/v1/analogy", asked)
        inputs = tuple(InputRank(i["word"], i["weight"], i["rank"], i["cosine"], i["how"]) for i in found["left_out"])
        evidence = None
        if found["evidence"] is not None:
            beside = found["evidence"]["beside"].items()
            evidence = Evidence(
                _neighbours(found["evidence"]["with_inputs"]),
                tuple(MethodAnswer(name, _neighbours(rows)) for name, rows in beside),
            )
        none = np.empty(0, np.float32)
        return AnalogyAnswer(
            found["expression"], _neighbours(found["neighbors"]), inputs, none, none, Origin.from_json(found["origin"]),
            found["method"], found["policy"], evidence, tuple(found["pairs"]), tuple(found["pairs_left_out"]),
        )  # fmt: skip

    # Texts

    def compare(
        self, word: str, texts: Sequence[str], model: str = "minilm-l6", layers: Sequence[int] | None = None,
        pooling: str = "mean",
    ) -> Comparison:  # fmt: skip
        """See `Explorer.compare`."""
        asked = {"word": word, "texts": list(texts), "model": model, "pooling": pooling}
        found = self.ask("POST", "/v1/compare", asked | ({"layers": list(layers)} if layers is not None else {}))
        rows = tuple(
            LayerComparison(row["layer"], tuple(row["pairs"]), tuple(row["static"]), row["baseline"])
            for row in found["layers"]
        )
        split = tuple(found["split"])
        return Comparison(found["word"], tuple(texts), rows, found["pieces"], split, Origin.from_json(found["origin"]))

    def embed(
        self, texts: Sequence[str], model: str = "minilm-l6", layers: Sequence[int] = (-1,), unit: str = "words",
        word: str | None = None, pooling: str = "mean",
    ) -> Vectors:  # fmt: skip
        """The vectors of words, of one word, of tokens or of whole texts (`sentences`), at any layers."""
        asked = {"texts": list(texts), "model": model, "layers": list(layers), "unit": unit, "pooling": pooling}
        return _vectors(self.ask("POST", "/v1/embed", asked | ({"word": word} if word else {}), accept=BASE64))

    # Collections

    def collections(self) -> list[str]:
        """The names of the collections that are there."""
        return list(self.ask("GET", "/v1/collections")["collections"])

    def create(self, name: str) -> RemoteCollection:
        """Make an empty collection."""
        self.ask("PUT", f"/v1/collections/{_part(name)}")
        return RemoteCollection(self, name)

    def collection(self, name: str) -> RemoteCollection:
        """The collection of that name; raises `NotFoundError`."""
        self.ask("GET", f"/v1/collections/{_part(name)}")
        return RemoteCollection(self, name)

    def delete(self, name: str) -> None:
        """Delete a collection with all its versions."""
        self.ask("DELETE", f"/v1/collections/{_part(name)}")

    # Jobs

    def job(self, kind: str, **asked: Any) -> str:
        """Start long work; returns its id. See the kinds in the service's document."""
        return str(self.ask("POST", "/v1/jobs", {"kind": kind, **asked})["id"])

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job."""
        return self.ask("DELETE", f"/v1/jobs/{_part(job)}")

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """A job's progress as it comes; the last one holds its state and result."""
        with self._http.stream("GET", f"/v1/jobs/{_part(job)}/events", timeout=None) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _error(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line[6:])

    # How it is asked

    def ask(
        self, method: str, path: str, body: Any = None, params: Any = None, accept: str = "application/json"
    ) -> Any:
        """The service's answer to one request, as plain values; raises its error."""
        content = None if body is None else json.dumps({k: v for k, v in body.items() if v is not None}).encode()
        headers = {"Accept": accept} | ({"Content-Type": "application/json"} if content is not None else {})
        for attempt in range(self._tries + 1):
            try:
                answer = self._http.request(method, path, content=content, params=params, headers=headers)
            except self._errors as error:
                raise UnavailableError(
                    f"nothing answers at {self._url}: {error}; is `polysema serve` running there?"
                ) from None
            if answer.status_code != 429 or attempt == self._tries:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.status_code >= 400:
            raise _error(answer)
        return answer.json()


class RemoteCollection:
    """A collection of a service, with the verbs of `polysema.indexes.collection.Collection`."""

    def __init__(self, client: Client, name: str):
        self.name = name
        self._client = client
        self._path = f"/v1/collections/{_part(name)}"

    def __len__(self) -> int:
        return int(self.info()["rows"])

    def info(self) -> dict[str, Any]:
        """Its spaces with their provenance, rows, columns and version."""
        found: dict[str, Any] = self._client.ask("GET", self._path)
        return found

    def create_space(self, name: str, dim: int, metric: str = "cosine", origin: Origin | None = None) -> None:
        """See `Collection.create_space`."""
        body = {"dim": dim, "metric": metric, "origin": origin.to_json() if origin else None}
        self._client.ask("PUT", f"{self._path}/spaces/{_part(name)}", body)

    def drop_space(self, name: str) -> None:
        """See `Collection.drop_space`."""
        self._client.ask("DELETE", f"{self._path}/spaces/{_part(name)}")

    def add(
        self, ids: Sequence[str], vectors: npt.ArrayLike, columns: Mapping[str, Any] | None = None,
        space: str | None = None, origin: Origin | None = None,
    ) -> int:  # fmt: skip
        """See `Collection.add`."""
        return int(self._put("POST", ids, vectors, columns, space, origin)["added"])

    def upsert(
        self, ids: Sequence[str], vectors: npt.ArrayLike, columns: Mapping[str, Any] | None = None,
        space: str | None = None, origin: Origin | None = None,
    ) -> int:  # fmt: skip
        """See `Collection.upsert`."""
        return int(self._put("PUT", ids, vectors, columns, space, origin)["replaced"])

    def _put(
        self, method: str, ids: Sequence[str], vectors: npt.ArrayLike, columns: Mapping[str, Any] | None,
        space: str | None, origin: Origin | None,
    ) -> Any:  # fmt: skip
        matrix = _matrix(vectors)
        body = {
            "ids": list(ids), "vectors": _encoded(matrix), "dim": matrix.shape[1], "space": space,
            "columns": {name: list(values) for name, values in columns.items()} if columns else None,
            "origin": origin.to_json() if origin else None,
        }  # fmt: skip
        return self._client.ask(method, f"{self._path}/rows", body)

    def delete(self, ids: Sequence[str], space: str | None = None) -> int:
        """See `Collection.delete`."""
        return int(self._client.ask("POST", f"{self._path}/delete", {"ids": list(ids), "space": space})["deleted"])

    def delete_where(self, where: str, space: str | None = None) -> int:
        """See `Collection.delete_where`."""
        return int(self._client.ask("POST", f"{self._path}/delete", {"where": where, "space": space})["deleted"])

    def get(self, ids: Sequence[str], space: str | None = None) -> Vectors:
        """See `Collection.get`."""
        params = {"id": list(ids)} | ({"space": space} if space else {})
        return _vectors(self._client.ask("GET", f"{self._path}/rows", params=params, accept=BASE64))

    def search(
        self, queries: npt.ArrayLike, k: int = 10, where: str | None = None, *, space: str | None = None,
        recall: float | None = None, exact: bool = False,
    ) -> RemoteMatches:  # fmt: skip
        """See `Collection.search`."""
        asked = {"vectors": _sent(queries), "k": k, "where": where, "space": space, "recall": recall, "exact": exact}
        found = self._client.ask("POST", f"{self._path}/search", asked)
        rows = found["answers"]
        return RemoteMatches(
            [[row["id"] for row in one] for one in rows], [[row["score"] for row in one] for one in rows], rows,
            found["version"], found["recall"],
        )  # fmt: skip


def _part(name: str) -> str:
    from urllib.parse import quote

    if name in ("", ".", ".."):
        raise UserError(f"this is no name: {name!r}")
    return quote(name, safe="")


def _error(answer: Any) -> UserError:
    try:
        told = answer.json()["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"{answer.url} answered {answer.status_code}, and not as this service does")
    if code == "unknown_word":
        return errors.UnknownWordError(message, "", tuple(told.get("suggestions") or ()))
    error = ERRORS.get(code, UserError)(message)
    if code not in ERRORS:
        error.code = code  # one of the door's own: unauthorized, forbidden, too_many, …
    return error


def _spelling(policy: Policy | None) -> dict[str, str]:
    if policy is None:
        return {}
    return {"case": policy.case.value, "phrases": policy.phrases.value, "unknown": policy.unknown.value}


def _neighbours(rows: list[dict[str, Any]]) -> tuple[Neighbour, ...]:
    return tuple(
        Neighbour(
            row["rank"],
            row["word"],
            row["cosine"] if "cosine" in row else row["score"],
            row["row"],
            row.get("text", ""),
        )
        for row in rows
    )


def _matrix(vectors: npt.ArrayLike) -> Floats:
    from polysema.indexes.base import checked

    return checked(vectors, None, "vectors")


def _encoded(matrix: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(matrix, "<f4").tobytes()).decode()


def _sent(vectors: npt.ArrayLike) -> list[list[float]]:
    sent: list[list[float]] = _matrix(vectors).tolist()
    return sent


def _vectors(found: dict[str, Any]) -> Vectors:
    flat = np.frombuffer(base64.b64decode(found["vectors"]), "<f4").astype(np.float32)
    return Vectors(found["rows"], flat.reshape(-1, found["dim"]), Origin.from_json(found["origin"]))
