"""Filling a gap: the words that a masked encoder would put in place of its mask, those of several pieces too."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks
from polysema.core.inside.output_head import head_class_note, logits_of
from polysema.core.inside.readings import one_reading, token_name
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, go_on, no_progress
from polysema.core.space.space import Family

if TYPE_CHECKING:
    from torch import Tensor

MASK_FORMS = re.compile(r"\[MASK\]|<mask>|_{3,}", re.IGNORECASE)
WORD = re.compile(r"\w[\w'’.-]*", re.UNICODE)
MAX_PIECES = 5
MIN_BREADTH = 24  # beginnings of words of several pieces that are gone on with
PIECE, SPACED = "##", ("Ġ", "▁")


@dataclass(frozen=True, slots=True)
class FilledWord:
    """A word in a gap: its `pieces`, and the log-probability of all of them together, from left to right."""

    json_properties: ClassVar[tuple[str, ...]] = ("probability",)

    word: str
    pieces: tuple[str, ...]
    log_probability: float
    text: str

    @property
    def probability(self) -> float:
        """That of all pieces together; those of words of as many pieces add up to at most 1."""
        return float(np.exp(self.log_probability))


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap: the best `words`, and beside them the nearest static `neighbors` of the best, whatever the sentence."""

    words: tuple[FilledWord, ...]
    neighbors: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class FilledMask:
    """The gaps of a text, in order; each is filled while the others stay hidden.

    `text` has the model's own mask; `space` is where the neighbors are from, empty where none were looked for.
    """

    model: str
    text: str
    gaps: tuple[Gap, ...]
    space: str = ""


def fill_mask(
    model: LanguageModel, text: str, k: int = 10, max_pieces: int = 3, progress: Progress = no_progress
) -> FilledMask:
    """The words that a masked encoder would put into the gaps of a text.

    A word of several pieces is scored as Kauf and Ivanova (2023) score it: each piece with those before it in sight and
    those behind it hidden, and their log-probabilities added up. So whole words compare, whatever they are made of.

    Args:
        model: An encoder with its masked-word head.
        text: With `[MASK]`, `<mask>` or `___` where a word is missing.
        k: How many words of each gap.
        max_pieces: Words of at most so many pieces.
        progress: Told of each gap and number of pieces.

    Returns:
        For each gap its words, best first.

    Raises:
        UserError: The model has no such head, the text has no gap or is longer than the window.
    """
    check_filler(model)
    if k < 1:
        raise UserError(f"k starts at 1; got {k}")
    if not 1 <= max_pieces <= MAX_PIECES:
        raise UserError(f"words of 1 to {MAX_PIECES} pieces are looked for; got {max_pieces}")
    masked = with_mask(model, text)
    ids = one_reading(model, masked).ids
    places = [place for place, number in enumerate(ids) if number == model.tokenizer.mask_token_id]
    mask = str(model.tokenizer.mask_token)
    starts = [match.start() for match in re.finditer(re.escape(mask), masked)]
    if len(places) != len(starts):
        raise UserError(f"the tokenizer of {model.name} doesn't read its mask {mask} as one token")
    gaps = []
    for number, (place, start) in enumerate(zip(places, starts, strict=True)):
        around = (masked[:start], masked[start + len(mask) :])
        found: list[FilledWord] = []
        for n in range(1, max_pieces + 1):
            progress("fill", number * max_pieces + n - 1, max_pieces * len(places))
            found += _words(model, ids, place, around, (n, k))
        gaps.append(Gap(tuple(sorted(found, key=lambda one: -one.log_probability)[:k])))
    return FilledMask(model.name, masked, tuple(gaps))


def check_filler(model: LanguageModel) -> None:
    """Raise `UserError` for a model that fills no gaps."""
    if model.family is not Family.ENCODER:
        raise UserError(
            f"{model.name} is no masked encoder, so it fills no gap: it writes on from the left; choose an encoder "
            "with its masked-word head, such as bert-tiny-en"
        )
    require_hooks(model)
    if model.whole.get_output_embeddings() is None:
        raise UserError(
            f"{model.name} has no masked-word head, so it fills no gap{head_class_note(model)}; choose a model with "
            "one, such as bert-tiny-en"
        )
    if model.tokenizer.mask_token_id is None:
        raise UserError(f"the tokenizer of {model.name} has no mask token, so it fills no gap")
    require_finite(model)


def with_mask(model: LanguageModel, text: str) -> str:
    """The text with the model's own mask in its gaps; raises `UserError` for a text without one."""
    made, n_gaps = MASK_FORMS.subn(str(model.tokenizer.mask_token), text)
    if not n_gaps:
        raise UserError(
            f"there is no gap in {text[:60]!r}: write [MASK], <mask> or ___ where a word is missing, such as 'She put "
            "her money in the [MASK].'"
        )
    return made


def _words(
    model: LanguageModel, ids: Sequence[int], place: int, around: tuple[str, str], size: tuple[int, int]
) -> list[FilledWord]:
    """The best k words of n pieces at a place, the gap being n masks wide."""
    n, k = size
    mask = model.tokenizer.mask_token_id
    assert mask is not None
    if len(ids) + n - 1 > model.window:
        return []
    breadth = max(2 * k, MIN_BREADTH)
    paths: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    for done in range(n):
        rows = [[*ids[:place], *path, *[mask] * (n - done), *ids[place + 1 :]] for path, _ in paths]
        logs = _log_probabilities(model, rows, place + done)
        if n > 1:
            logs = logs.masked_fill(_continues(model).to(logs.device) == (done == 0), -np.inf)
        total = logs + logs.new_tensor([score for _, score in paths])[:, None]
        wanted = min(total.numel(), breadth if done + 1 < n or n > 1 else 4 * breadth)
        best = total.flatten().topk(wanted)
        paths = [
            ((*paths[at // total.shape[1]][0], at % total.shape[1]), score)
            for score, at in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            if np.isfinite(score)
        ]
    return list(_checked(model, ids, place, around, paths, k))


def _checked(
    model: LanguageModel,
    ids: Sequence[int],
    place: int,
    around: tuple[str, str],
    paths: Sequence[tuple[tuple[int, ...], float]],
    k: int,
) -> Iterator[FilledWord]:
    """The first k of the paths that are a word as the tokenizer itself would cut it there."""
    n_found = 0
    for path, score in paths:
        word = str(model.tokenizer.decode(list(path), clean_up_tokenization_spaces=False)).strip()
        if not WORD.fullmatch(word):
            continue
        filled = f"{around[0]}{word}{around[1]}"
        if one_reading(model, filled).ids != (*ids[:place], *path, *ids[place + 1 :]):
            continue
        n_found += 1
        yield FilledWord(word, tuple(token_name(model, number) for number in path), score, filled)
        if n_found == k:
            return


def _log_probabilities(model: LanguageModel, rows: Sequence[Sequence[int]], place: int) -> "Tensor":
    """(n_rows, vocabulary) of what is said at a place of rows of one length."""
    import torch

    go_on()
    table = torch.tensor([list(row) for row in rows], device=model.whole.device)
    with torch.inference_mode():
        out = model.whole(input_ids=table, attention_mask=torch.ones_like(table), return_dict=True)
        return logits_of(out)[:, place].float().log_softmax(-1)


def _continues(model: LanguageModel) -> "Tensor":
    """Which tokens go on with a word, (vocabulary,)."""
    import torch

    n = len(model.input_table)
    names = tuple(model.tokenizer.convert_ids_to_tokens(list(range(min(n, len(model.tokenizer))))))
    found = _continuations(names)
    return torch.tensor([*found, *[True] * (n - len(found))])


@lru_cache(maxsize=4)
def _continuations(names: tuple[str | None, ...]) -> tuple[bool, ...]:
    pieces = any((name or "").startswith(PIECE) for name in names)
    if pieces:
        return tuple((name or PIECE).startswith(PIECE) for name in names)
    return tuple(not (name or "").startswith(SPACED) for name in names)
