"""One pass through a model with the lid off: what it reads, and a twin that may be hooked and changed."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import (
    CROSS,
    MLP,
    SELF,
    Anatomy,
    anatomy,
    find_plan,
    require_hooks,
    require_plan,
    shares_layers,
    with_own_layers,
)
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import EncodedText, Span, find_word, words_of
from polysema.core.space.space import Family, Floats, Ints

UNITS = ("words", "tokens")
EMBEDDING, BEFORE, ATTENTION = "embedding", "before", "attention"
POINTS = (BEFORE, ATTENTION, CROSS, MLP)  # where in a block the residual stream is read


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or a token of a text, at its characters; `span` is None for a token that the model adds."""

    name: str
    span: Span | None = None

    @property
    def special(self) -> bool:
        """Whether the model added it."""
        return self.span is None


@dataclass(frozen=True, slots=True, eq=False)
class HookedRun:
    """What one pass reads: a text, or one window of a text that is longer than the model's.

    `ids` are the tokens at each position; `tokens` what they are, a special one without a span; `fresh` (n_positions,)
    says which have their most context in this window (all, where there is one). `source` is what the encoder reads.
    """

    text: str
    ids: tuple[int, ...]
    tokens: tuple[Unit, ...]
    fresh: "np.ndarray[Any, np.dtype[np.bool_]]"
    window: int = 1
    windows: int = 1
    source: "HookedRun | None" = None

    def __len__(self) -> int:
        return len(self.ids)


def read(model: LanguageModel, text: str | None, source: str | None = None) -> tuple[HookedRun, ...]:
    """The passes that a text takes: one, or one for each window where the text is longer than the model's.

    The decoder of an encoder-decoder needs a `source`; its `text` is what the model itself writes when None. Raises
    `UserError` for an empty text, a source where none is read, and what is too long for two stacks.
    """
    if not model.reads_two:
        if source is not None:
            raise UserError(f"{model.name} reads one text: a source is for the decoder of an encoder-decoder")
        if text is None:
            raise UserError("give a text")
        return _readings(model, text, model.encode([text])[0])
    if source is None:
        raise UserError(f"the decoder of {model.name} reads a source beside each text; none was given")
    beside = _readings(model, source, model.one_window(model.encode([source])[0], "the source"))[0]
    written = model.generate([source])[0] if text is None else text
    encoded = model.decoder_input(model.encode_targets([written])[0])
    if not len(encoded):
        raise UserError(f"{model.name} writes nothing for {source!r}; give the decoder's text")
    (reading,) = _readings(model, written, encoded)
    return (HookedRun(written, reading.ids, reading.tokens, reading.fresh, source=beside),)


def _readings(model: LanguageModel, text: str, encoded: EncodedText) -> tuple[HookedRun, ...]:
    if not len(encoded):
        raise UserError(f"there is nothing to read in {text[:60]!r}")
    many = len(encoded.windows)
    readings = []
    for number, ids in enumerate(encoded.windows):
        mine = np.flatnonzero(encoded.takes[:, 0] == number)
        places = encoded.takes[mine, 1]
        fresh = np.zeros(len(ids), bool)
        fresh[places] = True
        if many > 1:  # tokens that have more context in another window stand here too
            first = int(mine[0] - places[0] + encoded.takes[0, 1])  # the text's token at the first own position
            before = int(encoded.takes[0, 1])
            after = len(encoded.windows[-1]) - 1 - int(encoded.takes[-1, 1])
            places = np.arange(before, len(ids) - after)
            mine = np.arange(first, first + len(places))
        if number == 0:  # the special tokens once: those before the text in the first window, the others in the last
            fresh[: places[0]] = True
        if number == many - 1:
            fresh[places[-1] + 1 :] = True
        names = model.tokenizer.convert_ids_to_tokens(list(ids))
        units = [Unit(name) for name in names]
        for place, token in zip(places.tolist(), mine.tolist(), strict=True):
            start, end = (int(number) for number in encoded.offsets[token])
            units[place] = Unit(text[start:end] or names[place], Span(start, end))
        readings.append(HookedRun(text, ids, tuple(units), fresh, number + 1, many))
    return tuple(readings)


def grouped(reading: HookedRun, unit: str, writes: bool = False) -> tuple[tuple[Unit, ...], Ints]:
    """The units of a reading in order, and each position's unit: (n_positions,).

    With the unit `words` a token goes to the first word that it shares characters with; what belongs to no word (a
    comma, a special token) is a unit of its own. With `writes` a decoder's position stands for the token that is
    written there, not for the one read: the last writes the end.
    """
    if unit not in UNITS:
        raise UserError(f"unit {unit!r} does not exist; choose one of {', '.join(UNITS)}")
    tokens = list(reading.tokens)
    if writes:
        tokens = [*tokens[1:], Unit("(end)")]
    words = words_of(reading.text) if unit == "words" else []
    starts = [word.start for word in words]
    units: list[Unit] = []
    groups = np.empty(len(tokens), np.int64)
    known: dict[Span, int] = {}
    for place, token in enumerate(tokens):
        word = _word_at(words, starts, _inked(reading.text, token.span)) if token.span is not None else None
        if word is not None and word in known:
            groups[place] = known[word]
            continue
        if word is not None:
            known[word] = len(units)
        groups[place] = len(units)
        units.append(token if word is None else Unit(reading.text[word.start : word.end], word))
    return tuple(units), groups


def _inked(text: str, span: Span) -> Span:
    """The span, or for a token that is the space before a word the character behind it."""
    return span if text[span.start : span.end].strip() else Span(span.end, span.end + 1)


def _word_at(words: Sequence[Span], starts: Sequence[int], span: Span) -> Span | None:
    from bisect import bisect_right

    if span.start >= span.end:
        return None
    place = max(0, bisect_right(starts, span.start) - 1)
    for word in words[place : place + 2]:
        if word.start < span.end and span.start < word.end:
            return word
    return None


def positions_of(reading: HookedRun, word: str, nth: int = 1, writes: bool = False) -> list[int]:
    """The positions of the n-th `word` of a reading's text; with `writes` those where a decoder writes it."""
    span = find_word(reading.text, word, nth)
    found = [
        place - writes
        for place, token in enumerate(reading.tokens)
        if token.span is not None and token.span.start < span.end and span.start < token.span.end
    ]
    if not found:
        raise UserError(f"the tokenizer makes no token of {word!r} that this pass reads")
    return found


@dataclass(slots=True)
class Twin:
    """A copy of a model's modules around the very same weights: what is hooked or switched here is nowhere else.

    So a call can use plain attention, which gives its weights, and change states on their way, while other threads use
    the model as it is.
    """

    model: LanguageModel
    root: Any
    parts: Anatomy
    asked: bool = False  # whether a pass is asked for attention weights
    handles: list[Any] = field(default_factory=list)

    def on_output(self, module: Any, take: Callable[[Any], Any]) -> None:
        """Call `take` with what a module returns; what `take` returns, unless None, takes its place."""
        self.handles.append(module.register_forward_hook(lambda _m, _inputs, out: take(out)))

    def on_input(self, module: Any, take: Callable[[Any], Any]) -> None:
        """Call `take` with the first thing that a module is given; what it returns, unless None, takes its place."""

        def hook(_module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
            name = None if args else next(iter(given))
            changed = take(args[0] if name is None else given[name])
            if changed is None:
                return None
            return ((changed, *args[1:]), given) if name is None else (args, given | {name: changed})

        self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

    def run(self, reading: HookedRun) -> None:
        """One pass over what is read."""
        self.run_rows([reading.ids], reading.source)

    def run_rows(self, rows: Sequence[Sequence[int]], source: HookedRun | None = None) -> None:
        """One pass over several rows of ids, all as long, with the same source beside each."""
        import torch

        device = self.model.engine.device  # type: ignore[attr-defined]

        def tensors(of: Sequence[Sequence[int]]) -> tuple[Any, Any]:
            table = torch.tensor([list(ids) for ids in of], device=device)
            return table, torch.ones_like(table)

        ids, mask = tensors(rows)
        given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
        if source is not None:
            read, read_mask = tensors([source.ids] * len(rows))
            given = {"input_ids": read, "attention_mask": read_mask, "decoder_input_ids": ids}
            given["decoder_attention_mask"] = mask  # without it T5Gemma sees no start token that is the padding too
        if self.model.causal:
            given["use_cache"] = False
        if self.asked:
            given["output_attentions"] = True
        with torch.inference_mode():
            self.root(**given, return_dict=True)


@contextmanager
def twin_of(model: LanguageModel) -> Iterator[Twin]:
    """A twin of the model, with plain attention; its hooks are gone afterwards, however the block ends.

    Raises `UnavailableError` for an engine that can't be hooked, `UserError` for a model without blocks.
    """
    require_hooks(model)
    original = model.engine.module  # type: ignore[attr-defined]
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*original.parameters(), *original.buffers())}
    root = copy.deepcopy(original, shared)
    if shares_layers(model):
        root = with_own_layers(root)
    for module in root.modules():
        forget_hooks(module)
        if hasattr(module, "config"):
            module.config._attn_implementation = "eager"
    twin = Twin(model, root, anatomy(model, root.get_decoder() if model.reads_two else root))
    try:
        yield twin
    finally:
        for handle in twin.handles:
            handle.remove()


def forget_hooks(module: Any) -> None:
    """Drop the hooks of a copied module: those that another thread has on the model just now, and what transformers
    gathers states with, so that it installs that anew where it is asked for.
    """
    module._forward_hooks.clear()
    module._forward_pre_hooks.clear()
    module.__dict__.pop("_output_capturing_hooks_installed", None)


def rows_of(out: Any) -> Any:
    """(n_positions, n) of what a module is given or returns for one text; OPT's last linear map has no batch."""
    states = first_of(out)
    return states[0] if states.ndim == 3 else states


def first_of(out: Any) -> Any:
    """The hidden states among what a module returns."""
    return out[0] if isinstance(out, tuple) else out


def replaced(out: Any, states: Any) -> Any:
    """What a module returned, with other hidden states."""
    return (states, *out[1:]) if isinstance(out, tuple) else states


def points_of(model: LanguageModel) -> tuple[str, ...]:
    """Where in a block the residual stream can be read: before it and behind it in any model; behind its attentions
    where the table names them and they don't stand beside the MLP.
    """
    plan = find_plan(model)
    if plan is None or plan.parallel:
        return (BEFORE, MLP)
    return tuple(point for point in POINTS if point != CROSS or model.reads_two)


def check_points(model: LanguageModel, points: Sequence[str]) -> tuple[str, ...]:
    """The points in the order of a pass; raises `UserError` for one that isn't there."""
    there = points_of(model)
    for point in points:
        if point in (ATTENTION, CROSS) and point not in there and find_plan(model) is None:
            require_plan(model)
        if point not in there:
            raise UserError(f"a layer of {model.name} is seen at {', '.join(there)}; got {point!r}")
    if not points:
        raise UserError(f"choose at least one of the points {', '.join(there)}")
    return tuple(point for point in there if point in points)


def tap_states(twin: Twin, layers: Sequence[int], points: Sequence[str], take: Callable[[int, str, Any], None]) -> None:
    """Give the residual stream (n_positions, dim) to `take` at each of `points` of each of `layers`, as a pass meets
    it.

    Layer 0 has one point, the embedding. In a block with norms behind its sub-layers a point is behind the norm.
    """

    def taker(layer: int, point: str) -> Callable[[Any], None]:
        return lambda out: take(layer, point, rows_of(out))

    for layer in layers:
        if layer == 0:
            twin.on_input(twin.parts.blocks[0], taker(0, EMBEDDING))
            continue
        block = twin.parts.blocks[layer - 1]
        if BEFORE in points:
            twin.on_input(block, taker(layer, BEFORE))
        if MLP in points:
            twin.on_output(block, taker(layer, MLP))
        between = [name for name in (ATTENTION, CROSS) if name in points]
        parts = twin.parts.sublayers[layer - 1] if between and twin.parts.sublayers else ()
        for place, part in enumerate(parts[:-1]):
            name = ATTENTION if part.kind == SELF else part.kind
            if name not in between:
                continue
            if twin.parts.post_norm:
                twin.on_output(part.norm, taker(layer, name))
            else:
                twin.on_input(parts[place + 1].norm, taker(layer, name))


def token_name(model: LanguageModel, number: int) -> str:
    """A token as text, with its leading space where it begins a word."""
    name = model.tokenizer.convert_ids_to_tokens(int(number))
    if name is None:
        return f"[unused {number}]"
    if name in model.tokenizer.all_special_tokens:
        return str(name)
    text = str(model.tokenizer.decode([int(number)], clean_up_tokenization_spaces=False))
    if not text or "\ufffd" in text:
        return str(name)
    if not text.strip():
        return text
    return f" {text.strip().removeprefix('▁')}" if name[:1] in ("Ġ", "▁") else text


def last_place(model: LanguageModel, reading: HookedRun) -> int:
    """Where a word is predicted unless said otherwise: the last position, or, of a masked encoder, the mask."""
    if model.family is not Family.ENCODER:
        return len(reading) - 1
    masks = [place for place, number in enumerate(reading.ids) if number == model.tokenizer.mask_token_id]
    if not masks:
        raise UserError(
            f"{model.name} predicts a word where the text has {model.tokenizer.mask_token or 'a mask'}; write it "
            "into the text, or "
            "say at which word to look"
        )
    return masks[0]


def place_in(model: LanguageModel, reading: HookedRun, at: "str | int | None", nth: int = 1) -> int:
    """The position meant: a word's last token, a number of a token (from 0, negative ones from the end), or where the
    next word (of a masked encoder the mask) is predicted.
    """
    if at is None:
        return last_place(model, reading)
    if isinstance(at, str):
        return positions_of(reading, at, nth)[-1]
    if not -len(reading) <= at < len(reading):
        raise UserError(f"the text has the tokens 0 to {len(reading) - 1}; got {at}")
    return at % len(reading)


def one_reading(model: LanguageModel, text: str | None, source: str | None = None) -> HookedRun:
    """The one pass of a text that fits the model's window; raises `UserError` for a longer one."""
    readings = read(model, text, source)
    if len(readings) > 1:
        raise UserError(
            f"the text has more tokens than {model.name} reads at once ({model.window}), and this needs "
            "one pass: give a "
            "shorter text"
        )
    return readings[0]


def as_floats(tensor: Any) -> Floats:
    """A tensor as float32."""
    found: Floats = tensor.detach().float().cpu().numpy()
    return found
