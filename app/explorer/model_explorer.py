"""`ModelExplorer`: a model and its queries: about words in texts, and about what happens between its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.circuits import CircuitExplorer
from polysema.app.explorer.embedding import TextVectors, embedded
from polysema.app.explorer.inside_options import AttentionOptions, given, readings
from polysema.app.explorer.internals import ModelInternals
from polysema.app.explorer.occurrence_answer import OccurrenceQuestion, nearest_occurrences
from polysema.app.explorer.options import OccurrenceOptions, check_texts
from polysema.app.explorer.results import Comparison, LayerComparison, OccurrenceAnswer
from polysema.app.explorer.senses import SenseExplorer
from polysema.core.argument_types import checked_arguments
from polysema.core.model.contextual import word_vectors
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import static_vector
from polysema.core.progress import Progress, no_progress
from polysema.core.space.metric import cosine

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.inside.ablation import Ablation
    from polysema.core.inside.attention import Attention
    from polysema.core.inside.attribution import Attribution
    from polysema.core.inside.directions import Direction
    from polysema.core.inside.generation import GeneratedText
    from polysema.core.inside.head_search import HeadRanking
    from polysema.core.inside.lens import Lens, LensView
    from polysema.core.inside.steering import Statement, Steer, SteeredToken
    from polysema.core.model.recipe import SentenceOptions


@checked_arguments
class ModelExplorer:
    """A model and its queries: `explorer.model("minilm-l6")`.

    `model` is the model itself, `senses` the corpus of senses as it sees it, `internals` what the verbs that look inside
    stand on, `circuits` how it comes to its answer. Safe to share between threads.
    """

    def __init__(self, explorer: Explorer, model: LanguageModel, name: str = ""):
        self.model = model
        self.name = name or model.name
        self.senses = SenseExplorer(explorer, model)
        self.internals = ModelInternals(model)
        self.circuits = CircuitExplorer(model)
        self._explorer = explorer

    def __repr__(self) -> str:
        return f"ModelExplorer({self.name}, {self.model.family.value}, {self.model.n_layers} layers, {self.model.dim})"

    def embed(
        self,
        texts: Sequence[str],
        layers: Sequence[int] = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        options: SentenceOptions | None = None,
    ) -> TextVectors:
        """The vectors of words, of one word, of tokens or of whole texts, at any layers.

        Args:
            texts: The texts.
            layers: 0 (the embeddings) to n; -1 is the last.
            unit: words, tokens or sentences.
            word: Only its first occurrence in each text.
            pooling: How sub-words become a word, or tokens a text.
            options: Of sentences: what stands before each text, and how many dimensions are kept.

        Returns:
            A row for each layer and place, layer after layer, with vectors (n_rows, dim) float32.

        Raises:
            UserError: for a unit that isn't there, or a word beside another unit.
        """
        return embedded(self.model, texts, layers, unit, word, pooling, options)

    def compare(
        self,
        word: str,
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        pooling: str = "mean",
        progress: Progress = no_progress,
    ) -> Comparison:
        """The first occurrence of `word` in each text against the others and against its static vector, by layer.

        Args:
            word: The word.
            texts: From 1 to 64 texts with the word in them.
            layers: None: all.
            pooling: How sub-words become a word.
            progress: Told of each stage.

        Returns:
            For each layer the cosines of all pairs of texts, beside the layer's random-pair baseline.
        """
        check_texts(texts, least=1)
        hidden = word_vectors(self.model, word, texts, layers, pooling)
        static, pieces = static_vector(self.model, word.strip())
        baselines = self.senses.baselines(progress)
        rows = []
        for place, layer in enumerate(hidden.layers):
            vectors = hidden.vectors[place]
            pairs = [cosine(vectors[i], vectors[j]) for i in range(len(texts)) for j in range(i + 1, len(texts))]
            to_static = [cosine(vector, static) for vector in vectors]
            rows.append(LayerComparison(layer, tuple(pairs), tuple(to_static), baselines[layer]))
        return Comparison(word.strip(), tuple(texts), tuple(rows), pieces, hidden.split, hidden.origin)

    def occurrences(
        self,
        word: str,
        text: str,
        layer: int = -1,
        k: int = 10,
        options: OccurrenceOptions | None = None,
        progress: Progress = no_progress,
    ) -> OccurrenceAnswer:
        """The occurrences in the corpus of senses nearest to a `word` of `text`, at one layer.

        Args:
            word: The word.
            text: A text with the word in it.
            layer: 0 to n; -1 is the last.
            k: How many occurrences.
            options: Which occurrence of the word (`nth`), and how the corpus is searched.
            progress: Told of each stage.

        Returns:
            The occurrences, nearest first, beside the layer's baseline and the nearest rows to the word's static vector.
        """
        return nearest_occurrences(self._explorer, self, OccurrenceQuestion(word, text, layer, k, options), progress)

    def attention(
        self,
        text: str,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
        most: int | None = None,
    ) -> tuple[Attention, ...]:
        """Who looks at whom in a text: an answer for each window of it.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            layers: From 1; None: all.
            options: The stack, self or cross, words or tokens, the model's own tokens.
            most: How many numbers are kept at most; None: a gigabyte of them.

        Returns:
            For each window the weights (layers, heads, rows, columns); every row adds up to 1.
        """
        from polysema.core.inside.attention import MAX_BYTES, attention

        how, model, query, source = self.internals.reading(text, options)
        limit = MAX_BYTES if most is None else min(MAX_BYTES, 4 * most)
        return attention(model, query, layers, source, how.view(model), limit)

    def rank_heads(
        self,
        pairs: Sequence[tuple[str, str]],
        texts: Sequence[str],
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> HeadRanking:
        """All heads by how much the first word of each pair attends to the second, over all the texts.

        Args:
            pairs: Who looks, and at whom.
            texts: Sentences in which both words of a pair stand.
            layers: From 1; None: all.
            options: As for `attention`.

        Returns:
            The heads, best first, beside what a head that looks at all words alike would give.
        """
        from polysema.core.inside.head_search import find_heads

        how = options or AttentionOptions()
        model = self.internals.on_torch(how.stack)
        written, sources = readings(model, texts, how.target)
        return find_heads(model, pairs, written, sources, how.view(model), layers)

    def lens(
        self,
        text: str,
        layers: Sequence[int] | None = None,
        words: Sequence[str] = (),
        view: LensView | None = None,
        options: AttentionOptions | None = None,
    ) -> Lens:
        """What the model would say if it stopped at a layer, 0 to n (None: all). See `core.inside.lens`."""
        from polysema.core.inside.lens import lens

        _, model, query, source = self.internals.reading(text, options)
        return lens(model, query, layers, words, source, view)

    def attribution(
        self,
        text: str,
        word: str,
        against: str | None = None,
        at: str | int | None = None,
        options: AttentionOptions | None = None,
    ) -> Attribution:
        """What each part of the model adds to the logit of a word: the parts add up to it. See `core.inside.attribution`."""
        from polysema.core.inside.attribution import contributions

        _, model, query, source = self.internals.reading(text, options)
        return contributions(model, query, word, against, source, at)

    def steer(
        self,
        text: str,
        direction: Direction,
        how: Steer | None = None,
        statement: Statement | None = None,
        target: str | None = None,
    ) -> SteeredToken:
        """Add a direction to the hidden states of a text at its layer, and see the next word before and after.

        Args:
            text: What the model reads.
            direction: Of `internals.directions`.
            how: How strongly, and where.
            statement: How many words are shown and followed, and how many are written.
            target: Of an encoder-decoder the decoder's text.
        """
        from polysema.core.inside.steering import steer

        model = self.internals.on_torch()
        query, source = given(model, text, target)
        return steer(model, query, direction, how, statement, source)

    def ablate(
        self,
        text: str,
        cuts: Sequence[Ablation],
        how: str = "zero",
        statement: Statement | None = None,
        over: Sequence[str] = (),
        target: str | None = None,
    ) -> SteeredToken:
        """Set heads or MLPs to zero or to their mean (over the texts `over`), and see the next word before and after."""
        from polysema.core.inside.ablation import ablate

        model = self.internals.on_torch()
        query, source = given(model, text, target)
        return ablate(model, query, cuts, how, statement, source, over)

    def generate(
        self, text: str, max_new_tokens: int = 24, k: int = 5, progress: Progress = no_progress
    ) -> GeneratedText:
        """At most so many tokens that a decoder writes after a text, or an encoder-decoder for it, each the most probable.

        Args:
            text: What stands before, or what the encoder reads.
            max_new_tokens: How many tokens at most.
            k: How many candidates are kept for each.
            progress: Told of each token.
        """
        from polysema.core.inside.generation import write

        return write(self.internals.on_torch(), text, max_new_tokens, k, progress)
