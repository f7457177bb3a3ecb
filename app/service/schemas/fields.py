"""What requests share: the kinds of fields and their limits, and how a space is chosen."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema

from polysema.app.explorer import DEFAULT_SPACE, MAX_TEXT

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@-?[0-9]{1,4})?$"
MAX_ITEMS = 100_000  # of anything in one list; the settings allow less
MAX_UNKNOWN = 10  # fields that no request has, of which is told
Word = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME)]
# a name of the catalog, with or without a layer, or a collection's, with or without one of its spaces
SPACE = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(@-?[0-9]{1,4}|/[A-Za-z0-9][A-Za-z0-9_.-]*)?$"
SpaceName = Annotated[str, Field(min_length=1, max_length=129, pattern=SPACE)]
Id = Annotated[str, Field(min_length=1, max_length=4096)]
K = Annotated[int, Field(ge=1, le=1_000_000)]
Rows = Annotated[int, Field(ge=1, le=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[Number], Field(min_length=1, max_length=65_536)]
Vectors = Annotated[list[Vector], Field(min_length=1, max_length=MAX_ITEMS)] | Annotated[str, Field(min_length=1)]
Where = Annotated[str, Field(max_length=200_000)]
Layer = Annotated[int, Field(ge=-10_000, le=10_000)]
Layers = Annotated[list[Layer], Field(min_length=1, max_length=200)]
Axis = Annotated[str, Field(min_length=1, max_length=1000)]
# a word of a question, or an occurrence: bank in "the river bank" @6
Term = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
FewWords = Annotated[list[Term], Field(min_length=2, max_length=256)]
# of whole texts: a default, for the fields of several requests
DIMENSIONS: int | None = Field(
    default=None, ge=1, le=100_000, description="Keep the first numbers of each vector, scaled to length 1."
)
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


def _collections_in(schema: object) -> Iterator[dict[str, Any]]:
    """The schemas of lists and dictionaries in a schema of pydantic's."""
    if isinstance(schema, dict):
        if schema.get("type") in ("list", "dict"):
            yield schema
        for inner in schema.values():
            yield from _collections_in(inner)
    elif isinstance(schema, (list, tuple)):
        for inner in schema:
            yield from _collections_in(inner)


class RequestModel(BaseModel):
    """A body: nothing unknown in it, no text where a number is meant. Of a body that is wrong throughout, few mistakes
    are found: each is kept in memory.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema, in which the first wrong item of a list or dictionary ends the search in it."""
        schema = handler(source)
        for inner in _collections_in(schema):
            inner["fail_fast"] = True
        return schema

    @model_validator(mode="before")
    @classmethod
    def _few_unknown_fields(cls, given: object) -> object:
        names = cls.model_fields
        if not isinstance(given, dict) or len(given) <= len(names) + MAX_UNKNOWN:
            return given
        known = {name: given[name] for name in names if name in given}
        return known | dict(islice(((name, item) for name, item in given.items() if name not in names), MAX_UNKNOWN))


class SearchFields(RequestModel):
    """How rows are searched: under a condition, through which index, to which recall, among how many."""

    where: Where | None = Field(default=None, description="A condition on the columns, such as `sense != ''`.")
    index: str = Field(
        default="", max_length=200, description="An approximate index, such as `hnsw:M=16`. Empty: the search is exact."
    )
    recall: Share | None = Field(default=None, description="The exact answer has all of it.")
    restrict_vocab: Rows | None = Field(
        default=None, description="How many words of the space, from the first on, are searched."
    )


class SpaceView(RequestModel):
    """The space (of the catalog, or a collection by its name), and how it is seen."""

    space: SpaceName = DEFAULT_SPACE
    transform: str = Field(default="raw", max_length=40)
    without: list[Axis] = Field(default=[], max_length=8)
    limit: Rows | None = Field(
        default=None, description="Open only the first words of the space (gensim's `limit`); not of a collection."
    )


class LookupChoice(SpaceView):
    """The space, how it is seen, and what a word stands for in it."""

    case: str = Field(default="fallback", max_length=16)
    phrases: str = Field(default="join", max_length=16)
    unknown: str = Field(default="refuse", max_length=16)


def request_config(*examples: dict[str, Any]) -> ConfigDict:
    """The settings of a request that stands in the document with examples."""
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": list(examples)})
