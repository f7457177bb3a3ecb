"""The Model Context Protocol: an explorer's questions as tools that a language model may call; none of them writes.

The answers are those of Python, the shell and HTTP, and so are their schemas.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from polysema.app.explorer import DEFAULT_MODEL, DEFAULT_SPACE, Explorer, SearchOptions, WordSpace
from polysema.app.explorer.collection_answers import search_answer
from polysema.app.explorer.query_vectors import load_like, text_in
from polysema.app.explorer.results.collection import SearchAnswer
from polysema.app.explorer.results.inside import LensAnswer
from polysema.app.explorer.results.spaces import ModelCards, model_cards
from polysema.app.explorer.results.texts import Comparison
from polysema.app.explorer.results.words import AnalogyAnswer, NeighborAnswer
from polysema.app.explorer.serialization import to_json
from polysema.app.service.encoding import dump
from polysema.app.service.schemas.collection import SearchResponse
from polysema.app.service.schemas.inside import AttributionResponse, LensResponse
from polysema.app.service.schemas.openai import ModelsResponse
from polysema.app.service.schemas.texts import CompareResponse
from polysema.app.service.schemas.words import AnalogyResponse, NeighborsResponse
from polysema.app.service.served_names import ServedNames
from polysema.core.errors import UserError
from polysema.core.inside.attribution import Attribution
from polysema.core.inside.lens import LensView
from polysema.core.model.load import LanguageModel
from polysema.core.space.space import Origin

MAX_ANSWERS = 200  # words or rows of one answer: more is nothing that a language model reads
MAX_CHARACTERS = 2000  # of a text: an answer about each of its tokens is long
INSTRUCTIONS = (
    "Embedding spaces: static word vectors (one vector a word) and the hidden states of models (a vector for each word "
    "in its text). Call `models` for the names that are there. A cosine says little alone: compare it with the "
    "baseline of random pairs where an answer has one."
)
K = Annotated[int, Field(ge=1, le=MAX_ANSWERS, description="how many answers")]
SpaceName = Annotated[
    str, Field(max_length=129, description="a static space, a collection, or a model's layer as NAME@LAYER")
]
ModelName = Annotated[str, Field(max_length=64, description="a model, see `models`")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
Word = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
Condition = Annotated[str, Field(max_length=10_000, description="a condition on the columns, such as sense != ''")]
Expression = Annotated[str, Field(max_length=10_000, description="a sum of words: queen - king + man")]
Method = Annotated[str, Field(description="3cosadd, 3cosmul or pairdirection")]
Texts = Annotated[list[Text], Field(min_length=1, max_length=32)]
Columns = Annotated[list[str] | None, Field(description="the columns of a row that are shown; null: all")]
FewTokens = Annotated[int, Field(ge=1, le=20, description="how many tokens of each place and layer")]
Followed = Annotated[Sequence[str], Field(max_length=20, description="words whose ranks are told")]
InText = Annotated[str | None, Field(description="a word of the text, where the collection is of words in texts")]
Against = Annotated[str | None, Field(description="another word: what makes the first likelier than it")]


def create_server(explorer: Explorer) -> MCPServer:
    """The server, not yet running; its tools ask `explorer`."""
    from polysema import __version__

    server = MCPServer("polysema", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR")
    tools = Tools(explorer)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for call, answer in (
        (tools.models, ModelsResponse),
        (tools.neighbors, NeighborsResponse),
        (tools.analogy, AnalogyResponse),
        (tools.compare, CompareResponse),
        (tools.search_collection, SearchResponse),
        (tools.lens, LensResponse),
        (tools.explain, AttributionResponse),
    ):
        server.add_tool(_answering(call, answer), description=inspect.getdoc(call), annotations=reads)
    return server


class Tools:
    """The tools: each is one call of the explorer, within limits that a language model does not miss."""

    def __init__(self, explorer: Explorer):
        self._explorer = explorer
        self._names = ServedNames(explorer.names, explorer.collections)

    def _named(self, name: str) -> str:
        """The name back where it is one of `models` or a collection's: a path of this machine is never opened."""
        self._names.check_space(name)
        return name

    def _space(self, name: str, question: str) -> WordSpace:
        """The space of that name; an occurrence in the question (`bank in "…"`) is read only by one of `models`."""
        found = self._explorer.space(self._named(name))
        if '"' in question:
            self._named(found.origin.source)
        return found

    def _load(self, origin: Origin) -> LanguageModel:
        """The model that made a collection's vectors, where its card names one of `models`."""
        self._named(origin.source)
        return load_like(origin)

    def models(self) -> ModelCards:
        """The static spaces and models that have a name here, with family, size, license, and whether they are here."""
        return model_cards(self._names.rows())

    def neighbors(
        self, word: Word, space: SpaceName = DEFAULT_SPACE, k: K = 10, where: Condition = ""
    ) -> NeighborAnswer:
        """The words nearest to a word by cosine. `bank in "the river bank"` asks for the word in that text, in the
        space of a model's layer.
        """
        return self._space(space, word).neighbors(word, k, search=SearchOptions(where))

    def analogy(
        self, expression: Expression, space: SpaceName = DEFAULT_SPACE, k: K = 10, method: Method = "3cosadd"
    ) -> AnalogyAnswer:
        """The best words for a sum of words, with the evidence: what would have come first if the words of the question
        were allowed as answers, and what other methods say.
        """
        return self._space(space, expression).analogy(expression, k, method)

    def compare(self, word: Word, texts: Texts, model: ModelName = DEFAULT_MODEL) -> Comparison:
        """A word in several texts: at each layer the cosines of its vectors, and of each with its static vector, beside
        the layer's baseline.
        """
        return self._explorer.model(self._named(model)).compare(word, texts)

    def search_collection(
        self,
        collection: SpaceName,
        text: Text,
        word: InText = None,
        k: K = 10,
        where: Condition = "",
        columns: Columns = None,
    ) -> SearchAnswer:
        """The rows of a collection that are nearest to a text, or to a word in it, which is read by the model that made
        the vectors.
        """
        found = self._explorer.collections.get(collection)
        queries = text_in(found.view(), None, text, word, self._load)
        return search_answer(found.search(queries, k, where or None), columns)

    def lens(self, text: Text, model: ModelName = DEFAULT_MODEL, k: FewTokens = 3, words: Followed = ()) -> LensAnswer:
        """What a model would say at each token if it stopped at a layer (the logit lens), and the ranks of `words`."""
        return self._explorer.model(self._named(model)).lens(text, None, words, LensView(k=k))

    def explain(self, text: Text, word: Word, model: ModelName = DEFAULT_MODEL, against: Against = None) -> Attribution:
        """What each head, each MLP, the embedding and each bias of a model adds to the logit of a word where the next
        word, or the mask, is predicted: the parts add up to it.
        """
        return self._explorer.model(self._named(model)).attribution(text, word, against)


def _answering(call: Callable[..., object], answer: type[BaseModel]) -> Callable[..., CallToolResult]:
    """The call, its answer as JSON of the schema of `answer`; a mistake of the caller is told by its line alone."""

    @wraps(call)
    def run(*given: object, **named: object) -> CallToolResult:
        try:
            found = to_json(call(*given, **named))
        except UserError as error:
            raise ToolError(str(error)) from None
        return CallToolResult(content=[TextContent(text=dump(found).decode())], structured_content=found)

    # what the caller is shown: the tool's parameters, and the answer's schema
    signature = inspect.signature(call, eval_str=True).replace(return_annotation=Annotated[CallToolResult, answer])
    run.__signature__ = signature  # type: ignore[attr-defined]
    return run
