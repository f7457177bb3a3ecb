"""A client of the service with the handles of `Explorer`: a program changes one line to go remote.

    explorer = Explorer()                          # here
    explorer = Client("http://127.0.0.1:8502")     # there
    explorer.space("glove-6b-50d").neighbors("bank", k=5).neighbors

Answers are the same values of `polysema.app.explorer.results`, errors the same classes of `polysema.core.errors`. What
is long work there is a job: the verb waits for it, tells `progress`, and cancels it when `progress` raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from polysema.app.client.collection import RemoteCollection
from polysema.app.client.maps import RemoteMaps
from polysema.app.client.measures import RemoteMeasures
from polysema.app.client.model import RemoteModel
from polysema.app.client.space import RemoteSpace, first_words, opened
from polysema.app.client.transport import Transport, part
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE
from polysema.app.explorer.results.spaces import ModelCards, SpaceNames
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import list_of
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.results.inside import FamiliesAnswer


class RemoteJobs:
    """Long work of the service: started, watched and cancelled."""

    def __init__(self, transport: Transport):
        self._transport = transport

    def start(self, kind: str, **request: object) -> str:
        """Start long work; returns its id. See the kinds in the service's document."""
        return self._transport.start(kind, request)

    def cancel(self, job: str) -> dict[str, Any]:
        """Cancel a job."""
        return self._transport.cancel(job)

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """A job's progress as it comes; the last one holds its state and result."""
        return self._transport.events(job)

    def done(self, kind: str, progress: Progress | None = None, **request: object) -> dict[str, Any]:
        """Start long work, wait for it, and return its result; raises the error that it ended with."""
        return self._transport.done(kind, progress, **request)


@checked_arguments
class Client:
    """Asks a service at `url`. Safe to share between threads; raises the errors of the local API, and
    `UnavailableError` where nothing answers. A request that was turned away for want of room (429) is tried again,
    `tries` times. `maps` lays spaces out, `measures` runs benchmarks, `jobs` is long work.

    Args:
        url: Where the service listens.
        key: Its API key, if it asks for one.
        timeout: Seconds that an answer may take.
        tries: How often a request that was turned away is tried again.

    Example:
        `polysema.Client("http://127.0.0.1:8502").space("glove-6b-50d").neighbors("bank")` as `Explorer()` would.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8502", key: str | None = None, timeout: float = 60.0, tries: int = 5
    ):
        self.transport = Transport(url, key, timeout, tries)
        self.maps, self.jobs = RemoteMaps(self.transport), RemoteJobs(self.transport)
        self.measures = RemoteMeasures(self.transport)
        self.senses = self.measures.senses

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def space(
        self, name: str | RemoteSpace = DEFAULT_SPACE, progress: Progress = no_progress, limit: int | None = None
    ) -> RemoteSpace:
        """The space of that name, or a collection's (`mine`, `mine/SPACE`), with its queries about words.

        Args:
            name: A name of the catalog, with a layer (`minilm-l6@6`) or without, or a collection's.
            progress: Not told of anything: the space is opened there.
            limit: Only the first so many words of it are there (gensim's); None: all.

        Returns:
            The handle: as `WordSpace`.

        Raises:
            NotFoundError: for a name that isn't there.
            UserError: for a limit below 1 or of a collection.
        """
        if isinstance(name, RemoteSpace):
            return name if limit is None else first_words(name, limit)
        return opened(RemoteSpace(self.transport, name, limit=limit))

    def model(self, name: str = DEFAULT_MODEL, progress: Progress = no_progress) -> RemoteModel:
        """The model of that name, with its queries about words in texts and about its internals.

        Args:
            name: A name that the service has.
            progress: Not told of anything: the model is loaded there.

        Returns:
            The handle: as `ModelExplorer`.
        """
        return RemoteModel(self.transport, name)

    def compare_families(self, text: str, models: Sequence[str], figures: bool = False) -> FamiliesAnswer:
        """One sentence's way through models of several families: see `Explorer.compare_families`.

        Args:
            text: The sentence.
            models: Their names.
            figures: Whether parameters, memory, FLOPs and milliseconds are measured there as well.

        Returns:
            A way for each model, and a card for each where `figures` are wanted.
        """
        from polysema.app.explorer.results.inside import FamiliesAnswer

        query = {"text": text, "models": list_of(models, "models"), "figures": figures}
        return self.transport.ask_for(FamiliesAnswer, "/v1/compare-families", query)

    def spaces(self) -> SpaceNames:
        """The spaces that have a name there, the collections among them: as `Explorer.spaces`.

        Returns:
            A row each; `names` are those that are there.
        """
        found: SpaceNames = from_json(SpaceNames, self.transport.ask("GET", "/v1/spaces"))
        return found

    def models(self) -> ModelCards:
        """The language models that have a name there: as `Explorer.models`.

        Returns:
            A card each; `names` are those that are there.
        """
        found: ModelCards = from_json(ModelCards, self.transport.ask("GET", "/v1/models"))
        return found.without_static()

    def collections(self) -> list[str]:
        """The names of the collections that are there.

        Returns:
            Names that `collection` takes.
        """
        return list(self.transport.ask("GET", "/v1/collections")["collections"])

    def create(self, name: str) -> RemoteCollection:
        """Make an empty collection.

        Args:
            name: A new name.

        Returns:
            Its handle.

        Raises:
            ConflictError: The name is taken.
        """
        self.transport.ask("PUT", f"/v1/collections/{part(name)}")
        return RemoteCollection(self.transport, name)

    def collection(self, name: str) -> RemoteCollection:
        """The collection of that name.

        Args:
            name: Its name.

        Returns:
            Its handle.

        Raises:
            NotFoundError: There is none.
        """
        self.transport.ask("GET", f"/v1/collections/{part(name)}")
        return RemoteCollection(self.transport, name)

    def delete(self, name: str) -> None:
        """Delete a collection with all its versions.

        Args:
            name: Its name.
        """
        self.transport.ask("DELETE", f"/v1/collections/{part(name)}")
