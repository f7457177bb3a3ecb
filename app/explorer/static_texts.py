"""`StaticTextExplorer`: the handle of a static embedding model, whose texts have vectors and which has no layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from polysema.app.explorer.embedding import SENTENCES, EmbedOptions, TextVectors, numbered, occurrence_rows
from polysema.app.explorer.model_explorer import ModelExplorer
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError, list_of
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.recipe import SentenceOptions, check_unit
from polysema.core.model.static_embedding import StaticEmbedding
from polysema.core.model.tokens import occurrence_at, occurrences_of
from polysema.core.space.metric import unit as unit_rows
from polysema.core.space.space import Floats


@checked_arguments
class StaticTextExplorer(ModelExplorer):
    """A folder of Model2Vec or of sentence-transformers' StaticEmbedding: `explorer.model("my-m2v").embed(texts)`.

    What needs layers is a `PolysemaError`.
    """

    is_static = True

    def __init__(self, table: StaticEmbedding, name: str):
        self.table, self.name, self.memory_bytes = table, name, table.table.nbytes

    def __getattr__(self, name: str) -> object:
        """What a model with layers has and this one lacks."""
        if name.startswith("__") or name in ("table", "name", "memory_bytes"):
            raise AttributeError(name)
        raise UserError(
            f"{self.name} is a static space: it has no layers, so there are no hidden states; ask for neighbors or "
            "analogies in it, for the vectors of texts (embed), or choose a model"
        )

    def __repr__(self) -> str:
        return f"StaticTextExplorer({self.name}, static, {self.table.table.shape[1]})"

    def embed(
        self,
        texts: Sequence[str],
        layers: Sequence[int] | None = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        options: SentenceOptions | None = None,
    ) -> TextVectors:
        """The vectors of words, of one word, or of whole texts: a word has the same one in every text.

        Args:
            texts: The texts.
            layers: There is none but the table: -1 or 0.
            unit: words or sentences.
            word: Only this word, its first occurrence in each text.
            pooling: The mean of the tokens.
            options: Of sentences the prompt and the dimensions; as `EmbedOptions` another occurrence, or a span.

        Returns:
            A row for each place.

        Raises:
            UserError: There is no such layer, unit, pooling or word, or a text has no token that is known.
        """
        given = list_of(texts, "texts")
        check_unit(options, unit)
        if layers is not None and any(layer not in (-1, 0) for layer in layers):
            raise UserError(f"{self.name} is a static space, which has no layers; got the layers {tuple(layers)}")
        if pooling not in ("mean", "own"):
            raise UserError(
                f"the vector of a text in {self.name} is the mean of its tokens; got the pooling {pooling!r}"
            )
        how = options if isinstance(options, EmbedOptions) else EmbedOptions()
        if unit == SENTENCES:
            if word is not None or how.span is not None:
                raise UserError("sentences are whole texts; leave out the word, or ask for the unit words")
            return self._sentences(given, options or SentenceOptions())
        if unit != "words":
            raise UserError(f"the units of {self.name} are words and sentences; got {unit!r}")
        if word is None and how.span is None:
            every = occurrences_of(given)
            places = [place for place in every if self.table.count_tokens(place.word)]
            unseen = tuple(place for place in every if place not in places)
        else:
            unseen = ()
            places = [occurrence_at(text, number, word, how.nth, how.span) for number, text in enumerate(given)]
        vectors: Floats = self.table.encode([place.word for place in places])[None]
        origin = replace(self.table.origin, pooling="mean of the word")
        return occurrence_rows(HiddenBatch(tuple(places), (0,), vectors, origin, unseen=unseen))

    def _sentences(self, texts: Sequence[str], options: SentenceOptions) -> TextVectors:
        if options.prompt_name is not None:
            raise UserError(f"{self.name} has no prompts by name; give the prompt itself")
        vectors = self.table.encode([f"{options.prompt or ''}{text}" for text in texts])
        origin = replace(self.table.origin, pooling="mean of the text")
        if options.dimensions is not None:
            vectors = self._cut(vectors, options.dimensions)
            origin = replace(origin, normalized=True, dimensions=options.dimensions)
        return TextVectors(numbered(len(vectors), 0), vectors, origin)

    def _cut(self, vectors: Floats, dimensions: int) -> Floats:
        dim = vectors.shape[1]
        if not 1 <= dimensions <= dim:
            raise UserError(f"{self.name} has {dim} dimensions: choose from 1 to {dim}; got {dimensions}")
        return unit_rows(np.ascontiguousarray(vectors[:, :dimensions]))
