"""What a model writes, token by token: greedily, drawn, or by beam search, as transformers does, and how sure it is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks
from polysema.core.inside.beam_search import BeamSearch
from polysema.core.inside.cross_attention import cross_attention, cross_attention_reader
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
from polysema.core.inside.logit_processing import checked_options, end_tokens, rule_processors, with_warpers
from polysema.core.inside.next_token import NextTokenModel
from polysema.core.inside.output_head import head_class_note
from polysema.core.inside.token_distribution import Distribution
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LogitsProcessorList

__all__ = ["MAX_NEW_TOKENS", "DecodingOptions", "GeneratedText", "Generation", "end_tokens", "generate"]

MAX_NEW_TOKENS = 200


def generate(
    model: LanguageModel,
    text: str,
    max_new_tokens: int = 24,
    k: int = 5,
    options: DecodingOptions | None = None,
    progress: Progress = no_progress,
) -> GeneratedText:
    """What a decoder writes after a text, or an encoder-decoder for it: the same tokens as `transformers` writes.

    Args:
        model: A decoder, or the decoder of an encoder-decoder.
        text: What stands before, or what the encoder reads.
        max_new_tokens: How many tokens at most, those of a prefix included.
        k: How many candidates are kept for each step.
        options: How the next token is chosen; None: the most probable one.
        progress: Told of each token; what it raises ends the work.

    Returns:
        The text, with every step.

    Raises:
        UserError: The model doesn't write, the text is longer than its window, or a number is out of range.
    """
    generation = Generation(model, text, max_new_tokens, k, options)
    for step in generation:
        progress("write", step.number + 1, max_new_tokens)
    return generation.result()


class Generation:
    """A text while it is written: iterating gives its steps, each as soon as it is there, and then `result` all of it.

    Of a beam search a step is that of the best beam so far; those of the result are of the text that won.

    Args:
        model: A decoder, or the decoder of an encoder-decoder.
        text: What stands before, or what the encoder reads.
        max_new_tokens: How many tokens at most, those of a prefix included.
        k: How many candidates are kept for each step.
        options: How the next token is chosen; None: the most probable one.

    Raises:
        UserError: The model doesn't write, the text is longer than its window, or a number is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        text: str,
        max_new_tokens: int = 24,
        k: int = 5,
        options: DecodingOptions | None = None,
    ):
        check_writer(model)
        if not 1 <= max_new_tokens <= MAX_NEW_TOKENS:
            raise UserError(f"1 to {MAX_NEW_TOKENS} tokens are written; got {max_new_tokens}")
        if not 1 <= k <= len(model.input_table):
            raise UserError(f"k goes from 1 to the {len(model.input_table):,} tokens of {model.name}; got {k}")
        self.options = checked_options(model, options or DecodingOptions())
        if len(self.options.prefix) > max_new_tokens:
            raise UserError(
                f"the prefix has {len(self.options.prefix)} tokens, and {max_new_tokens} are written at most"
            )
        self._model, self._text, self._k = model, text, k
        self._writer = NextTokenModel(model, text, self.options.prefix)
        self._limit = min(max_new_tokens, self._writer.room)
        if len(self.options.prefix) > self._limit:
            raise UserError(f"{model.name} has room for {self._limit} tokens behind this text; the prefix has more")
        self._ends = end_tokens(model)
        self._steps: list[GenerationStep] = []
        self._search: BeamSearch | None = None

    def __iter__(self) -> Iterator[GenerationStep]:
        n_start, n_prefix = len(self._writer.start), len(self.options.prefix)
        rules = rule_processors(self._model, n_start + n_prefix, n_start + self._limit)
        if self.options.num_beams > 1 and self._limit > n_prefix:
            early = getattr(getattr(self._model.whole, "generation_config", None), "early_stopping", None) or False
            self._search = BeamSearch(self._writer, rules, self.options, self._ends, self._k, early)
            yield from self._beam_steps(self._search)
            return
        yield from self._single_steps(with_warpers(rules, self.options))

    def with_cross_attention(self) -> Iterator[GenerationStep]:
        """The steps, those of an encoder-decoder each with its look at the source: one pass more for each of them."""
        if not self._writer.two:
            yield from self
            return
        with cross_attention_reader(self._model, self._writer) as read:
            for step in self:
                yield replace(step, cross_attention=read(self._ids_behind(step))[-1])

    def _ids_behind(self, step: GenerationStep) -> tuple[int, ...]:
        """The ids of the text behind a step that was just made: of a beam search those of the best beam."""
        prefix = self.options.prefix
        if step.number < len(prefix):
            return prefix[: step.number + 1]
        if self._search is not None:
            return (*prefix, *self._search.best_ids)
        return tuple(one.id for one in self._steps)

    def _single_steps(self, processors: "LogitsProcessorList") -> Iterator[GenerationStep]:
        """One text: the prefix, and then the most probable token each time, or one that is drawn."""
        import torch

        device = self._model.whole.device
        draws = torch.Generator(device).manual_seed(self.options.seed or 0)
        ids: list[int] = []
        rows = list(self._first_rows())
        n_prefix = len(self.options.prefix)
        for number in range(self._limit):
            with torch.inference_mode():
                logits = rows[number] if number < len(rows) else self._writer.advance(ids[-1:], number)
                logits = logits.float()
                before = torch.tensor([[*self._writer.start, *ids]], device=device)
                forced = number < n_prefix
                scores = processors(before, logits.clone())
                if forced:
                    chosen = self.options.prefix[number]
                elif self.options.do_sample:
                    chosen = int(torch.multinomial(scores.softmax(-1), 1, generator=draws))
                else:
                    chosen = int(scores.argmax(-1))
                found = Distribution.of(self._writer, logits.log_softmax(-1), scores, self._k)
                ids.append(chosen)
                step = found.step(number, 0, chosen, self._writer.decode(ids), self._ends, forced)
            self._steps.append(step)
            yield step
            if step.ends and not forced:
                return

    def _first_rows(self) -> "Iterator[Tensor]":
        """The logits (1, vocabulary) of the first steps, up to the first behind the prefix."""
        for row in self._writer.begin():
            yield row[None]

    def _beam_steps(self, search: BeamSearch) -> Iterator[GenerationStep]:
        prefix = self.options.prefix
        head: list[GenerationStep] = []
        if prefix:  # what stands at each of its places is shown as of any other text
            beside = Generation(self._model, self._text, len(prefix), self._k, DecodingOptions(prefix=prefix))
            head = list(beside)
            yield from head
        yield from search.steps(self._limit - len(prefix))
        self._steps = [*head, *search.finished[0].path.steps] if search.finished else head

    def result(self) -> GeneratedText:
        """All of it, once every step is there."""
        ids = [step.id for step in self._steps]
        ended = bool(self._steps) and self._steps[-1].ends
        return GeneratedText(
            self._writer.decode(ids),
            tuple(self._steps),
            ended,
            self._model.name,
            tuple(unit.name for unit in self._writer.units),
            cross_attention(self._model, self._writer, ids) if self._writer.two and ids else (),
            self._search.hypotheses() if self._search is not None else (),
        )


def check_writer(model: LanguageModel) -> None:
    """Raise `UserError` for a model that writes nothing."""
    if model.family is Family.ENCODER:
        raise UserError(f"{model.name} is an encoder: it reads and doesn't write; choose a decoder")
    require_hooks(model)
    if model.whole.get_output_embeddings() is None:
        raise UserError(f"{model.name} has no head that scores words, so it writes nothing{head_class_note(model)}")
    require_finite(model)
