"""`ModelExplorer`: a model and its queries: about words in texts, and about what happens between its layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.circuits import CircuitExplorer
from polysema.app.explorer.comparison import compared
from polysema.app.explorer.embedding import TextUnit, TextVectors, embedded
from polysema.app.explorer.generation import GenerationExplorer
from polysema.app.explorer.inside_options import AttentionOptions, given, reading, readings
from polysema.app.explorer.internals import ModelInternals
from polysema.app.explorer.occurrence_answer import OccurrenceQuestion, nearest_occurrences
from polysema.app.explorer.options import OccurrenceOptions
from polysema.app.explorer.results import Comparison, OccurrenceAnswer
from polysema.app.explorer.results.inside import AttentionAnswer, LensAnswer
from polysema.app.explorer.senses import SenseExplorer
from polysema.core.argument_types import checked_arguments
from polysema.core.inside.ablation import Ablation, Replacement, ablate
from polysema.core.inside.attention import MAX_BYTES, attention
from polysema.core.inside.attribution import Attribution, contributions
from polysema.core.inside.directions import Direction
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText
from polysema.core.inside.head_search import HeadRanking, find_heads
from polysema.core.inside.lens import LensView, lens
from polysema.core.inside.steering import Statement, Steer, SteeredToken, steer
from polysema.core.model.load import LanguageModel
from polysema.core.model.loading_cost import weight_bytes
from polysema.core.model.recipe import SentenceOptions
from polysema.core.progress import Progress, no_progress

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer


@checked_arguments
class ModelExplorer:
    """A model and its queries: `explorer.model("minilm-l6")`.

    `model` is the model itself, `senses` the corpus of senses as it sees it, `internals` what the verbs that look
    inside stand on, `circuits` how it comes to its answer, `generation` what it writes and fills. A layer, head or word
    that isn't there is a `PolysemaError`. Safe to share between threads.

    Example:
        `explorer.model("minilm-l6").embed(["The river bank."], word="bank").vectors.shape` is `(1, 384)`.
    """

    is_static = False  # whether texts have vectors and there are no layers

    def __init__(self, explorer: Explorer, model: LanguageModel, name: str = ""):
        self.model, self.name, self.memory_bytes = model, name or model.name, weight_bytes(model)
        self.senses, self.circuits = SenseExplorer(explorer, model), CircuitExplorer(model)
        self.internals, self._explorer = ModelInternals(model, self.name), explorer
        self.generation = GenerationExplorer(explorer, model, self.name)

    def __repr__(self) -> str:
        return f"ModelExplorer({self.name}, {self.model.family.value}, {self.model.n_layers} layers, {self.model.dim})"

    def embed(
        self,
        texts: Sequence[str],
        layers: Sequence[int] | None = (-1,),
        unit: str = "words",
        word: str | None = None,
        pooling: str = "mean",
        options: SentenceOptions | None = None,
    ) -> TextVectors:
        """The vectors of words, of one word, of tokens or of whole texts, at any layers.

        Args:
            texts: The texts.
            layers: 0 (the embeddings) to n; -1 is the last; None: all.
            unit: words, tokens or sentences.
            word: Only this word, its first occurrence in each text.
            pooling: How sub-words become a word, or tokens a text.
            options: Of sentences the prompt and the dimensions; as `EmbedOptions` another occurrence, a span, sources.

        Returns:
            A row for each layer and place, layer after layer, with vectors (n_rows, dim) float32.
        """
        return embedded(self.model, texts, layers, TextUnit(unit, word, pooling), options)

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
        return compared(self, word, texts, layers, pooling, progress)

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
            The occurrences, nearest first, beside the layer's baseline and the rows nearest to the static vector.
        """
        return nearest_occurrences(self._explorer, self, OccurrenceQuestion(word, text, layer, k, options), progress)

    def attention(
        self,
        text: str,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
        most: int | None = None,
    ) -> AttentionAnswer:
        """Who looks at whom in a text: an answer for each window of it.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            layers: From 1; None: all.
            options: The stack, self or cross, words or tokens, the model's own tokens.
            most: How many numbers are kept at most; None: a gigabyte of them.

        Returns:
            For each window the weights (layers, heads, rows, columns); every row adds up to 1.
        """
        how = options or AttentionOptions()
        model, query, source = reading(self.model, text, how)
        limit = MAX_BYTES if most is None else min(MAX_BYTES, 4 * most)
        return AttentionAnswer.of(self.name, attention(model, query, layers, source, how.view(model), limit))

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
    ) -> LensAnswer:
        """What the model would say if it stopped at a layer.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            layers: 0 to n; None: all.
            words: Words that are followed.
            view: Where in a block it is read, how many tokens are kept, by which head, and where a word is decided.
            options: The stack and the decoder's text.

        Returns:
            For each layer, point and token the most probable tokens (n_steps, n_tokens, k), and the words' ranks.
        """
        model, query, source = reading(self.model, text, options or AttentionOptions())
        return LensAnswer.of(self.name, lens(model, query, layers, words, source, view))

    def attribution(
        self,
        text: str,
        word: str,
        against: str | None = None,
        at: str | int | None = None,
        options: AttentionOptions | None = None,
    ) -> Attribution:
        """What each part of the model adds to the logit of a word: the parts add up to it.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            word: The word whose logit it is.
            against: Another word: what makes the first likelier than this one.
            at: A word of the text, or a token's number; None: where the next word, or the mask, is predicted.
            options: The stack and the decoder's text.

        Returns:
            What each head, each MLP, the embedding and each bias adds, and their sum.
        """
        model, query, source = reading(self.model, text, options or AttentionOptions())
        return contributions(model, query, word, against, source, at)

    def steer(
        self,
        text: str,
        toward: Sequence[str] | str | Direction,
        away: Sequence[str] = (),
        layer: int | None = None,
        how: Steer | None = None,
        statement: Statement | None = None,
    ) -> SteeredToken:
        """Add a direction to the hidden states of a text at a layer, and see the next word before and after.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            toward: Texts of the concept to go to, a sum of words such as `happy - sad`, or a direction of one's own.
            away: Texts of what to go away from.
            layer: 0 to n; None: the middle one, or that of the direction.
            how: How strongly, and where.
            statement: How many words are shown and followed, how many are written, and of an encoder-decoder what the
                decoder has written so far.

        Returns:
            The next word's probabilities before and after, and how far apart the two are.
        """
        model = self.internals.on_torch()
        query, source = given(model, text, None if statement is None else statement.target)
        if isinstance(toward, Direction):
            direction = toward
        else:
            (direction,) = self.internals.directions(toward, away, None if layer is None else [layer]).values()
        return steer(model, query, direction, how, statement, source)

    def ablate(
        self,
        text: str,
        cuts: Sequence[Ablation],
        how: str = "zero",
        statement: Statement | None = None,
        over: Sequence[str] = (),
    ) -> SteeredToken:
        """Set heads or MLPs to zero or to their mean, and see the next word before and after.

        Args:
            text: What the model reads; of an encoder-decoder the encoder.
            cuts: The heads and MLPs.
            how: zero or mean.
            statement: As for `steer`.
            over: Texts that the mean is taken over; none: this one.

        Returns:
            The next word's probabilities before and after, and how far apart the two are.
        """
        model = self.internals.on_torch()
        query, source = given(model, text, None if statement is None else statement.target)
        return ablate(model, query, cuts, Replacement(how, tuple(over)), statement, source)

    def generate(
        self,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
        progress: Progress = no_progress,
    ) -> GeneratedText:
        """What a decoder writes after a text, or an encoder-decoder for it: the tokens that `transformers` writes.

        `generation` has its steps one by one, another token at any step, and gaps that are filled.

        Args:
            text: What stands before, or what the encoder reads.
            max_new_tokens: How many tokens at most, those of a prefix included.
            k: How many candidates are kept for each.
            options: How the next token is chosen; None: the most probable one.
            progress: Told of each token.

        Returns:
            The text with its steps: the candidates with their probabilities, the entropy, the beams; of an
            encoder-decoder how each step looks at the source.
        """
        return self.generation.generate(text, max_new_tokens, k, options, progress)
