"""A client of the service with the verbs of `Explorer` and `Collection`: a program changes one line to go remote.

    explorer = Explorer()                          # here
    explorer = Client("http://127.0.0.1:8502")     # there
    explorer.neighbors("bank", k=5).neighbors

Answers are the same values of `polysema.app.explorer.results`, errors the same classes of `polysema.core.errors`. What
is long work there is a job: the verb waits for it, tells `progress`, and cancels it when `progress` raises.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.app.client.remote import RemoteCollection, RemoteMap, RemoteMatched, RemoteSpace, part, sent
from polysema.app.explorer.embedding import TextVectors
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.results import (
    AnalogyAnswer,
    AssociationAnswer,
    AxisAnswer,
    BaselineAnswer,
    BaselinesAnswer,
    CloserAnswer,
    Comparison,
    Neighbor,
    NeighborAnswer,
    NeighborAnswers,
    OccurrenceAnswer,
    OddAnswer,
    SenseReport,
    SimilarityAnswer,
    TravelAnswer,
    WordMap,
)
from polysema.app.explorer.serialization import from_json, to_json
from polysema.core import errors
from polysema.core.errors import UnavailableError, UserError, list_of
from polysema.core.maps.distortion import Distortion
from polysema.core.maps.projection import Map, MapOptions
from polysema.core.progress import Progress, no_progress
from polysema.core.space.expression import Term
from polysema.core.space.space import Origin

if TYPE_CHECKING:
    import numpy.typing as npt

    from polysema.app.explorer import AnalogyOptions, SearchOptions
    from polysema.app.explorer.map_neighbors import PointNeighbors
    from polysema.core.inside.attention import Attention, HeadRanking
    from polysema.core.inside.attribution import Attribution
    from polysema.core.inside.lens import Lens, LensView
    from polysema.core.measure.sense_clusters import SenseClusters
    from polysema.core.model.recipe import Prompt
    from polysema.core.space.lookup import Policy
    from polysema.core.space.space import Floats

BASE64 = "application/vnd.polysema.base64+json"
ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
SPACE, MODEL = "glove-6b-50d", "minilm-l6"
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
        errors.DiskFullError,
        errors.StorageError,
    )
}


class Client:
    """Asks a service at `url`. Safe to share between threads; raises the errors of the local API, and
    `UnavailableError` where nothing answers. A request that was turned away for want of room (429) is tried again,
    `tries` times.
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

    def space(self, name: str = SPACE, progress: Progress = no_progress) -> RemoteSpace:
        """The space of that name, or a collection's (`mine`, `mine/SPACE`): its size and card; its rows stay there."""
        return self.view(name)

    def view(
        self, space: str | RemoteSpace = SPACE, transform: str = "raw", removed: Sequence[str] = ()
    ) -> RemoteSpace:
        """See `Explorer.view`: what the other verbs take as a space."""
        name = space if isinstance(space, str) else space.name
        if isinstance(space, RemoteSpace) and (space.transform != "raw" or space.removed):
            if transform != "raw" or removed:
                raise UserError("a space is seen in one way over HTTP: give transform and removed directions together")
            transform, removed = space.transform, space.removed
        if "/" in name:
            found = self._of_collection(name)
        else:
            found = self.ask(
                "GET", f"/v1/spaces/{part(name)}", params={"transform": transform, "without": list(removed)}
            )
        return RemoteSpace(
            name,
            found["rows"],
            found["dim"],
            tuple(found["columns"]),
            Origin.from_json(found["origin"]),
            transform,
            tuple(removed),
        )

    def neighbors(
        self,
        word: str | Term,
        space: str | RemoteSpace = SPACE,
        k: int = 10,
        policy: Policy | None = None,
        search: SearchOptions | None = None,
    ) -> NeighborAnswer:
        """See `Explorer.neighbors`."""
        query = {**_space(space), **_spelling(policy), **_search_fields(search), "k": k}
        if isinstance(word, Term) and word.context is not None:
            if word.context.layer is not None:
                raise UserError("over HTTP an occurrence is at the layer of its space; leave out its own")
            query["occurrences"] = [{"word": word.word, "text": word.context.text, "nth": word.context.nth}]
        else:
            query["words"] = [word.word if isinstance(word, Term) else word]
        found: NeighborAnswers = from_json(NeighborAnswers, self.ask("POST", "/v1/neighbors", query))
        return replace(found.each()[0], query=str(word))

    def nearest(
        self,
        vectors: npt.ArrayLike,
        space: str | RemoteSpace = SPACE,
        k: int = 10,
        search: SearchOptions | None = None,
    ) -> tuple[tuple[Neighbor, ...], ...]:
        """See `Explorer.nearest`."""
        query = {**_space(space), **_search_fields(search), "vectors": sent(vectors), "k": k}
        found: NeighborAnswers = from_json(NeighborAnswers, self.ask("POST", "/v1/neighbors", query))
        return tuple(one.neighbors for one in found.answers)

    def analogy(
        self,
        expression: str,
        space: str | RemoteSpace = SPACE,
        k: int = 10,
        method: str = "3cosadd",
        options: AnalogyOptions | None = None,
    ) -> AnalogyAnswer:
        """See `Explorer.analogy`."""
        query: dict[str, Any] = {**_space(space), "expression": expression, "k": k, "method": method, "vectors": True}
        if options is not None:
            query |= {
                "pairs": [list(pair) for pair in options.pairs],
                "evidence": options.evidence,
                "epsilon": options.epsilon,
                "restrict_vocab": options.restrict_vocab,
            }
            query |= _spelling(options.policy)
        found: AnalogyAnswer = from_json(AnalogyAnswer, self.ask("POST", "/v1/analogy", query))
        return found

    # Relations of words

    def similarity(
        self,
        first: Sequence[str],
        second: Sequence[str],
        space: str | RemoteSpace = SPACE,
        policy: Policy | None = None,
    ) -> SimilarityAnswer:
        """See `Explorer.similarity`."""
        query = {
            **_space(space),
            **_spelling(policy),
            "first": list_of(first, "words"),
            "second": list_of(second, "words"),
        }
        answer: SimilarityAnswer = from_json(SimilarityAnswer, self.ask("POST", "/v1/similarity", query))
        return answer

    def closer_than(
        self, word: str, other: str, space: str | RemoteSpace = SPACE, policy: Policy | None = None
    ) -> CloserAnswer:
        """See `Explorer.closer_than`."""
        query = {**_space(space), **_spelling(policy), "word": word, "other": other}
        found: CloserAnswer = from_json(CloserAnswer, self.ask("POST", "/v1/closer", query))
        return found

    def odd_one_out(
        self, words: Sequence[str], space: str | RemoteSpace = SPACE, policy: Policy | None = None
    ) -> OddAnswer:
        """See `Explorer.odd_one_out`."""
        query = {**_space(space), **_spelling(policy), "words": list_of(words, "words")}
        found: OddAnswer = from_json(OddAnswer, self.ask("POST", "/v1/odd-one-out", query))
        return found

    def direction(self, axis: str, space: str | RemoteSpace = SPACE, policy: Policy | None = None) -> Floats:
        """See `Explorer.direction`."""
        return self.noted_direction(axis, space, policy)[0]

    def noted_direction(
        self, axis: str, space: str | RemoteSpace = SPACE, policy: Policy | None = None
    ) -> tuple[Floats, Origin]:
        """See `Explorer.noted_direction`."""
        found = self.ask_rows("POST", "/v1/direction", {**_space(space), **_spelling(policy), "axis": axis})
        return found.vectors[0], found.origin

    def vector(self, expression: str, space: str | RemoteSpace = SPACE, policy: Policy | None = None) -> Floats:
        """See `Explorer.vector`."""
        return self.noted_vector(expression, space, policy)[0]

    def noted_vector(
        self, expression: str, space: str | RemoteSpace = SPACE, policy: Policy | None = None
    ) -> tuple[Floats, Origin]:
        """See `Explorer.noted_vector`."""
        found = self.ask_rows("POST", "/v1/vector", {**_space(space), **_spelling(policy), "expression": expression})
        return found.vectors[0], found.origin

    def baseline(self, space: str | RemoteSpace = SPACE) -> float:
        """See `Explorer.baseline`."""
        found: BaselineAnswer = from_json(BaselineAnswer, self.ask("POST", "/v1/baseline", _space(space)))
        return found.baseline

    def association(
        self,
        first: Sequence[str],
        second: Sequence[str],
        toward: Sequence[str],
        away: Sequence[str],
        space: str | RemoteSpace = SPACE,
        policy: Policy | None = None,
    ) -> AssociationAnswer:
        """See `Explorer.association`."""
        lists = {
            "first": list_of(first, "words"),
            "second": list_of(second, "words"),
            "toward": list_of(toward, "words"),
            "away": list_of(away, "words"),
        }
        query = {**_space(space), **_spelling(policy), **lists}
        found: AssociationAnswer = from_json(AssociationAnswer, self.ask("POST", "/v1/association", query))
        return found

    def project(
        self,
        words: Sequence[str],
        axes: Sequence[str],
        space: str | RemoteSpace = SPACE,
        policy: Policy | None = None,
    ) -> AxisAnswer:
        """See `Explorer.project`."""
        query = {**_space(space), **_spelling(policy), "words": list_of(words, "words"), "axes": list_of(axes, "axes")}
        found: AxisAnswer = from_json(AxisAnswer, self.ask("POST", "/v1/project", query))
        return found

    def travel(
        self, word: str, axis: str, space: str | RemoteSpace = SPACE, steps: int = 8, reach: float = 1.5, k: int = 3
    ) -> TravelAnswer:
        """See `Explorer.travel`."""
        query = {**_space(space), "word": word, "axis": axis, "steps": steps, "reach": reach, "k": k}
        found: TravelAnswer = from_json(TravelAnswer, self.ask("POST", "/v1/travel", query))
        return found

    # Texts

    def compare(
        self,
        word: str,
        texts: Sequence[str],
        model: str = MODEL,
        layers: Sequence[int] | None = None,
        pooling: str = "mean",
        progress: Progress = no_progress,
    ) -> Comparison:
        """See `Explorer.compare`."""
        query = {
            "word": word,
            "texts": list_of(texts, "texts"),
            "model": model,
            "pooling": pooling,
            "layers": _list(layers),
        }
        found: Comparison = from_json(Comparison, self.ask("POST", "/v1/compare", query))
        return found

    def embed(
        self,
        texts: Sequence[str],
        model: str = MODEL,
        layers: Sequence[int] = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        prompt: Prompt | None = None,
    ) -> TextVectors:
        """See `Explorer.embed`."""
        query: dict[str, Any] = {
            "texts": list_of(texts, "texts"),
            "model": model,
            "layers": list(layers),
            "unit": unit,
            "pooling": pooling,
        }
        if prompt is not None:
            query |= {"prompt": prompt.text, "prompt_name": prompt.name}
        return self.ask_rows("POST", "/v1/embed", query | {"word": word})

    def occurrence_neighbors(
        self,
        word: str,
        text: str,
        model: str = MODEL,
        layer: int = -1,
        k: int = 10,
        nth: int = 1,
        progress: Progress = no_progress,
    ) -> OccurrenceAnswer:
        """See `Explorer.occurrence_neighbors`."""
        query = {"word": word, "text": text, "model": model, "layer": layer, "k": k, "nth": nth}
        found: OccurrenceAnswer = from_json(OccurrenceAnswer, self.ask("POST", "/v1/occurrences", query))
        return found

    def baselines(self, model: str = MODEL, progress: Progress = no_progress) -> tuple[float, ...]:
        """See `Explorer.baselines`."""
        return self._baselines(model).baselines

    def corpus_layers(self, model: str = MODEL) -> tuple[int, ...]:
        """See `Explorer.corpus_layers`."""
        return self._baselines(model).corpus_layers

    def _baselines(self, model: str) -> BaselinesAnswer:
        found: BaselinesAnswer = from_json(BaselinesAnswer, self.ask("GET", f"/v1/models/{part(model)}/baselines"))
        return found

    # Inside a model

    def attention(
        self,
        text: str,
        model: str = MODEL,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
        most: int | None = None,
    ) -> tuple[Attention, ...]:
        """See `Explorer.attention`; the service's own limit holds as well."""
        from polysema.core.inside.attention import Attention

        query = {"text": text, "model": model, "layers": _list(layers), **_attention_fields(options)}
        found = self.ask("POST", "/v1/attention", query, accept=BASE64)
        parts: tuple[Attention, ...] = tuple(from_json(Attention, window) for window in found["windows"])
        if most is not None and sum(one.weights.size for one in parts) > most:
            raise UserError(f"that is more than {most:,} numbers: ask for fewer layers, or a shorter text")
        return parts

    def find_heads(
        self,
        pairs: Sequence[tuple[str, str]],
        texts: Sequence[str],
        model: str = MODEL,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> HeadRanking:
        """See `Explorer.find_heads`."""
        from polysema.core.inside.attention import HeadRanking

        query = {
            "pairs": [list(pair) for pair in pairs],
            "texts": list_of(texts, "texts"),
            "model": model,
            "layers": _list(layers),
        }
        found: HeadRanking = from_json(
            HeadRanking, self.ask("POST", "/v1/find-heads", query | _attention_fields(options))
        )
        return found

    def lens(
        self,
        text: str,
        model: str = MODEL,
        layers: Sequence[int] | None = None,
        words: Sequence[str] = (),
        view: LensView | None = None,
        options: AttentionOptions | None = None,
    ) -> Lens:
        """See `Explorer.lens`."""
        from polysema.core.inside.lens import Lens, LensView

        shown = view or LensView()
        query = {
            "text": text,
            "model": model,
            "layers": _list(layers),
            "words": list_of(words, "words"),
            "points": list(shown.points),
            "k": shown.k,
            "kind": shown.kind,
            "forms_at": shown.at,
            **_read(options),
        }
        found: Lens = from_json(Lens, self.ask("POST", "/v1/lens", query, accept=BASE64))
        return found

    def contributions(
        self,
        text: str,
        word: str,
        model: str = MODEL,
        against: str | None = None,
        at: str | int | None = None,
        options: AttentionOptions | None = None,
    ) -> Attribution:
        """See `Explorer.contributions`."""
        from polysema.core.inside.attribution import Attribution

        query = {"text": text, "word": word, "model": model, "against": against, "at": at, **_read(options)}
        found: Attribution = from_json(Attribution, self.ask("POST", "/v1/contributions", query))
        return found

    # Long work

    def corpus(self, model: str = MODEL, layer: int = -1, progress: Progress = no_progress) -> RemoteSpace:
        """See `Explorer.corpus`."""
        return self.space(self.done("corpus", progress, model=model, layer=layer)["name"])

    def map(
        self,
        space: str | RemoteSpace = SPACE,
        method: str = "umap",
        options: MapOptions | None = None,
        n: int | None = None,
        k: int = 10,
        progress: Progress = no_progress,
    ) -> RemoteMap:
        """See `Explorer.map`."""
        query = {**_space(space), "method": method, "options": to_json(options or MapOptions()), "n": n, "k": k}
        job = self.job("map", **query)
        self._ended(job, progress)
        found = self.ask_rows("GET", f"/v1/jobs/{job}/result", name="position")
        rows = found.table.to_pylist()
        message = found.more["distortion"]
        kept = np.array([row.pop("kept") for row in rows], np.float32)
        distortion = None if message is None else from_json(Distortion, message)
        laid = Map(
            found.vectors,
            found.more["method"],
            MapOptions(**found.more["options"]),
            found.more["scale"],
            notes=tuple(found.more["notes"]),
        )
        return RemoteMap(rows, laid, distortion, kept, found.origin, job)

    def place(self, on: RemoteMap, vectors: npt.ArrayLike) -> Floats:
        """See `Explorer.place`."""
        return _floats(self.ask("POST", f"/v1/jobs/{part(on.job)}/place", {"vectors": sent(vectors)})["positions"])

    def around(
        self, on: RemoteMap, whole: str | RemoteSpace, at: int | tuple[Floats, Floats], k: int = 10
    ) -> PointNeighbors:
        """See `Explorer.around`."""
        from polysema.app.explorer.map_neighbors import PointNeighbors

        query: dict[str, Any] = {**_space(whole), "k": k}
        if isinstance(at, int):
            query["row"] = at
        else:
            vector, position = (sent(np.asarray(numbers)[None])[0] for numbers in at)
            query |= {"vector": vector, "position": position}
        found: PointNeighbors = from_json(PointNeighbors, self.ask("POST", f"/v1/jobs/{part(on.job)}/around", query))
        return found

    def matched(
        self,
        a: str | RemoteSpace,
        b: str | RemoteSpace,
        n: int | None = 2000,
        k: int = 10,
        method: str = "umap",
        options: MapOptions | None = None,
        through: Sequence[str | RemoteSpace] = (),
        progress: Progress = no_progress,
    ) -> RemoteMatched:
        """See `Explorer.matched`."""
        one, two, *between = [space if isinstance(space, str) else space.to_request() for space in (a, b, *through)]
        how = {"method": method, "options": to_json(options or MapOptions())}
        job = self.job("matched", a=one, b=two, through=between, n=n, k=k, **how)
        self._ended(job, progress)
        return RemoteMatched.of(self, job, self.ask("GET", f"/v1/jobs/{part(job)}/result", accept=BASE64))

    def sense_clusters(
        self,
        word: str,
        model: str = MODEL,
        layer: int = -1,
        min_cluster_size: int = 3,
        texts: Sequence[str] = (),
        progress: Progress = no_progress,
    ) -> SenseClusters:
        """See `Explorer.sense_clusters`."""
        from polysema.core.measure.sense_clusters import SenseClusters

        query = {
            "word": word,
            "model": model,
            "layer": layer,
            "min_cluster_size": min_cluster_size,
            "texts": list_of(texts, "texts"),
        }
        found: SenseClusters = from_json(SenseClusters, self.done("sense_clusters", progress, **query))
        return found

    def word_map(
        self,
        word: str,
        model: str = MODEL,
        method: str = "umap",
        extra: Sequence[str] = (),
        progress: Progress = no_progress,
    ) -> WordMap:
        """See `Explorer.word_map`."""
        query = {"word": word, "model": model, "method": method, "texts": list_of(extra, "texts")}
        found: WordMap = from_json(WordMap, self.done("word_map", progress, **query))
        return found

    def senses(self, models: Sequence[str] = (MODEL,), progress: Progress = no_progress) -> SenseReport:
        """See `Explorer.senses`."""
        found: SenseReport = from_json(SenseReport, self.done("senses", progress, models=list_of(models, "models")))
        return found

    # Collections

    def collections(self) -> list[str]:
        """The names of the collections that are there."""
        return list(self.ask("GET", "/v1/collections")["collections"])

    def create(self, name: str) -> RemoteCollection:
        """Make an empty collection."""
        self.ask("PUT", f"/v1/collections/{part(name)}")
        return RemoteCollection(self, name)

    def collection(self, name: str) -> RemoteCollection:
        """The collection of that name; raises `NotFoundError`."""
        self.ask("GET", f"/v1/collections/{part(name)}")
        return RemoteCollection(self, name)

    def delete(self, name: str) -> None:
        """Delete a collection with all its versions."""
        self.ask("DELETE", f"/v1/collections/{part(name)}")

    def _of_collection(self, name: str) -> dict[str, Any]:
        collection, _, space = name.partition("/")
        info = self.ask("GET", f"/v1/collections/{part(collection)}")
        if space not in info["spaces"]:
            raise errors.NotFoundError(f"{collection} has no space {space!r:.80}; it has {', '.join(info['spaces'])}")
        card = info["spaces"][space]
        origin = card["origin"] or Origin("vectors of your own").to_json()
        return {"rows": card["rows"], "dim": card["dim"], "columns": list(info["columns"]), "origin": origin}

    # Jobs

    def job(self, kind: str, **request: Any) -> str:
        """Start long work; returns its id. See the kinds in the service's document."""
        return str(self.ask("POST", "/v1/jobs", {"kind": kind, **request})["id"])

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job."""
        found: dict[str, Any] = self.ask("DELETE", f"/v1/jobs/{part(job)}")
        return found

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """A job's progress as it comes; the last one holds its state and result."""
        from httpx_sse import EventSource

        with self._http.stream("GET", f"/v1/jobs/{part(job)}/events", timeout=None) as answer:
            if answer.status_code >= 400:
                answer.read()
                raise _error(answer)
            for event in EventSource(answer).iter_sse():
                yield json.loads(event.data)

    def done(self, kind: str, progress: Progress = no_progress, **request: Any) -> Any:
        """Start long work, wait for it, and return its result; raises the error that it ended with."""
        return self._ended(self.job(kind, **request), progress)["result"]

    def _ended(self, job: str, progress: Progress) -> dict[str, Any]:
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
        return last

    # Requests

    def ask(self, method: str, path: str, body: Any = None, params: Any = None, accept: str = JSON) -> Any:
        """The service's answer to one request, as plain values; raises its error."""
        return self._answer(method, path, body, params, accept).json()

    def ask_rows(
        self, method: str, path: str, body: Any = None, params: Any = None, name: str = "vector"
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
        return TextVectors(rest, vectors, Origin.from_json(more["origin"]), tuple(more.get("split", ())), more)

    def _answer(self, method: str, path: str, body: Any, params: Any, accept: str) -> Any:
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


def _error(answer: Any) -> UserError:
    try:
        return _raised(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"{answer.url} answered {answer.status_code}, and not as this service does")


def _raised(notes: dict[str, Any]) -> UserError:
    code, message = str(notes["code"]), str(notes["message"])
    if code == "unknown_word":
        return errors.UnknownWordError(message, "", tuple(notes.get("suggestions") or ()))
    error = ERRORS.get(code, UserError)(message)
    if code not in ERRORS:
        error.code = code  # one of the door's own: unauthorized, forbidden, too_many, …
    return error


def _space(space: str | RemoteSpace) -> dict[str, Any]:
    return {"space": space} if isinstance(space, str) else space.to_request()


def _spelling(policy: Policy | None) -> dict[str, str]:
    if policy is None:
        return {}
    return {"case": policy.case.value, "phrases": policy.phrases.value, "unknown": policy.unknown.value}


def _search_fields(search: SearchOptions | None) -> dict[str, Any]:
    if search is None:
        return {}
    if search.index:
        raise UserError("over HTTP an index is a collection's: build one there, and search the collection")
    return {"where": search.where or None, "recall": search.recall, "restrict_vocab": search.restrict_vocab}


def _read(options: AttentionOptions | None) -> dict[str, Any]:
    how = options or AttentionOptions()
    return {"stack": how.stack, "target": how.target}


def _attention_fields(options: AttentionOptions | None) -> dict[str, Any]:
    how = options or AttentionOptions()
    return {**_read(how), "cross": how.cross, "unit": how.unit, "special": how.special}


def _list(layers: Sequence[int] | None) -> list[int] | None:
    return None if layers is None else [int(layer) for layer in layers]


def _floats(numbers: Any) -> Floats:
    return np.array(numbers, np.float32)
