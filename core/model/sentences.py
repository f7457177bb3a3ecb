"""Sentence vectors: one for a whole text, by a pooling of ours or by the recipe that a folder of sentence-transformers
holds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from polysema.core.errors import UserError, list_of
from polysema.core.model.engine import hidden_states
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.first_position import first_outliers, span_of_layers
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.load import position_limit
from polysema.core.model.recipe import SentenceOptions, SentenceRecipe, own_recipe
from polysema.core.model.text_batches import batched, texts_a_batch
from polysema.core.model.tokens import EncodedText
from polysema.core.model.unknown import unknown_id, unknown_texts_note, unknown_tokens
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats, Origin

SENTENCE_POOLINGS = ("mean", "cls", "last", "own")


def check_sentence_pooling(name: str) -> str:
    """The name back; raises `UserError` when there is no such pooling of a sentence."""
    if name not in SENTENCE_POOLINGS:
        raise UserError(f"sentence pooling {name!r} does not exist; choose one of {', '.join(SENTENCE_POOLINGS)}")
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """Vectors of whole texts at several layers, (n_layers, n_texts, dim) float32; a text without tokens has zeros.

    `split` lists the texts that were longer than the window: their vectors are made of the tokens of all windows;
    `unknown` those with a word that the tokenizer doesn't know.
    """

    first: int
    layers: tuple[int, ...]
    vectors: Floats
    origin: Origin
    split: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SentencePlan:
    """How the vectors of whole texts are made: `model` has the window that the pooling was made for."""

    model: LanguageModel
    layers: tuple[int, ...]
    pooling: str
    recipe: SentenceRecipe | None
    origin: Origin
    outliers: tuple[int, ...] = ()  # places in `layers` at which a mean leaves out the first token
    dimensions: int | None = None  # the first numbers that are kept, scaled to length 1

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """The tokens of the texts, with the prompt before each."""
        return self.model.encode(texts if self.recipe is None else self.recipe.texts(texts))

    def finish(self, vectors: Floats) -> Floats:
        """What comes after the poolings, (n_layers, n_texts, pooled) to (n_layers, n_texts, dim)."""
        if self.recipe is not None:
            vectors = self.recipe.finish(vectors[0])[None]
        if self.dimensions is None:
            return vectors
        return np.stack([unit(np.ascontiguousarray(layer[:, : self.dimensions])) for layer in vectors])

    @property
    def dim(self) -> int:
        """The numbers of a vector."""
        n_poolings = len(self.recipe.poolings) if self.recipe is not None else 1
        return int(self.finish(np.zeros((len(self.layers), 1, n_poolings * self.model.dim), np.float32)).shape[-1])


def plan_sentences(
    model: LanguageModel, layers: Sequence[int] = (-1,), pooling: str = "mean", options: SentenceOptions | None = None
) -> SentencePlan:
    """How a pooling makes vectors of whole texts, and the card that they will have.

    Raises `UserError` for a pooling that the model has no place for, for a prompt beside another pooling than `own`,
    and for more dimensions than the vectors have.
    """
    plan = _plan(model, layers, pooling, options)
    dimensions = options.dimensions if options is not None else None
    if dimensions is None:
        return plan
    dim = plan.dim
    if not 1 <= dimensions <= dim:
        raise UserError(f"{model.name} has {dim} dimensions: choose from 1 to {dim}; got {dimensions}")
    note = f"cut to the first {dimensions} of {dim} dimensions and scaled to length 1"
    origin = replace(plan.origin, normalized=True, dimensions=dimensions, notes=(*plan.origin.notes, note))
    return replace(plan, dimensions=dimensions, origin=origin)


def _plan(model: LanguageModel, layers: Sequence[int], pooling: str, options: SentenceOptions | None) -> SentencePlan:
    chosen = model.check_layers(layers)
    check_sentence_pooling(pooling)
    require_finite(model)
    if model.reads_two:
        raise UserError(f"sentence vectors come from the encoder of {model.name}, not from its decoder")
    origin = model.origin(None, f"{pooling} of the text")
    if pooling != "own":
        if options is not None and options.has_prompt:
            raise UserError(f"a prompt is for the pooling own, which is the model's recipe; got {pooling}")
        outliers = tuple(layer for layer in first_outliers(model).long if layer in chosen) if pooling == "mean" else ()
        if outliers:
            note = (
                f"the mean leaves out the first token at {span_of_layers(outliers)}: its state there is an "
                "outlier, nearly the same in every text"
            )
            origin = replace(origin, notes=(*origin.notes, note))
        return SentencePlan(model, chosen, pooling, None, origin, tuple(chosen.index(layer) for layer in outliers))
    if chosen != (model.n_layers,):
        raise UserError(f"{model.name}'s own pooling is of its last layer; got {', '.join(map(str, chosen))}")
    recipe = own_recipe(model, options)
    origin = replace(origin, normalized=recipe.normalized, prompt=recipe.prompt, notes=(*origin.notes, *recipe.notes()))
    if recipe.window:
        model = replace(model, window=min(position_limit(model.whole.config.get_text_config()), recipe.window))
        origin = replace(origin, windows=model.origin(None, "").windows)
    return SentencePlan(model, chosen, pooling, recipe, origin)


def embed_sentences(
    model: LanguageModel,
    texts: Iterable[str],
    layers: Sequence[int] = (-1,),
    pooling: str = "mean",
    options: SentenceOptions | None = None,
) -> Sentences:
    """The vectors of whole texts, (n_layers, n_texts, dim).

    `mean` over the text's own tokens; `cls` the first position, which an encoder fills for the purpose; `last` the
    text's last own token; `own` what the model's folder says (the last layer only), equal to sentence-transformers' to
    1e-5 for every text within its window, with its default prompt unless another is given; a longer text is read
    in windows where sentence-transformers cuts it. Raises `UserError` for a pooling that the model has no place for.
    """
    plan = plan_sentences(model, layers, pooling, options)
    parts = list(sentence_stream(plan, list_of(texts, "texts")))
    if not parts:
        return Sentences(0, plan.layers, np.empty((len(plan.layers), 0, plan.dim), np.float32), plan.origin)
    unknown = tuple(t for p in parts for t in p.unknown)
    origin = parts[0].origin.with_notes(unknown_texts_note(model.tokenizer, model.name, unknown))
    return Sentences(
        0,
        parts[0].layers,
        np.concatenate([p.vectors for p in parts], axis=1),
        origin,
        tuple(t for p in parts for t in p.split),
        tuple(t for p in parts for t in p.empty),
        unknown,
    )


def sentence_stream(plan: SentencePlan, texts: Iterable[str]) -> Iterator[Sentences]:
    """As `embed_sentences`, some hundred texts at a time, in their order."""
    for start, batch, _ in batched(texts, None, texts_a_batch(len(plan.layers), plan.model.dim)):
        yield embed_encoded(plan, plan.encode(batch), start)


def embed_encoded(plan: SentencePlan, encoded: Sequence[EncodedText], first: int = 0) -> Sentences:
    """As `embed_sentences`, of texts whose tokens are there already: `plan.encode` makes them. `first` is the first's
    number.
    """
    recipe, layers = plan.recipe, plan.layers
    windows = [(number, w) for number, of in enumerate(encoded) if of.windows[0] for w in range(len(of.windows))]
    states = hidden_states(plan.model.engine, [encoded[n].windows[w] for n, w in windows], layers)
    by_text: dict[int, list[Floats]] = {}
    for (number, _), state in zip(windows, states, strict=True):
        by_text.setdefault(number, []).append(state)
    names = recipe.poolings if recipe is not None else (plan.pooling,)
    n_left_out = _prompt_length(plan)
    out = np.zeros((len(layers), len(encoded), len(names) * plan.model.dim), np.float32)
    empty = []
    for number, of in enumerate(encoded):
        if number in by_text and (len(of) or recipe is not None):
            parts = [_POOLS[name](of, by_text[number], recipe is not None, n_left_out) for name in names]
            out[:, number] = np.concatenate(parts, axis=1)
            if plan.outliers and len(of) > 1:
                states_of = _tokens(of, by_text[number], False)[list(plan.outliers), 1:]  # (n_outliers, n - 1, dim)
                out[list(plan.outliers), number] = states_of.mean(axis=1, dtype=np.float32)
        else:
            empty.append(first + number)
    out = plan.finish(out)
    split = tuple(first + number for number, of in enumerate(encoded) if len(of.windows) > 1)
    token = unknown_id(plan.model.tokenizer)
    unknown = tuple(first + number for number, of in enumerate(encoded) if unknown_tokens(of, token) is not None)
    return Sentences(first, layers, out, plan.origin, split, tuple(empty), unknown)


def _prompt_length(plan: SentencePlan) -> int:
    """How many positions at the start of each text stay out of the pooling, counted as sentence-transformers does: the
    prompt's with the tokens that stand before it, without one that stands behind.
    """
    recipe = plan.recipe
    if recipe is None or recipe.include_prompt or not recipe.prompt:
        return 0
    ids = plan.model.tokenizer.backend_tokenizer.encode(recipe.texts([""])[0]).ids
    return len(ids) - (bool(ids) and ids[-1] in plan.model.tokenizer.all_special_ids)


def _tokens(encoded: EncodedText, states: Sequence[Floats], special: bool) -> Floats:
    """The text's tokens, (n_layers, n, dim); with `special` those that the tokenizer adds at both ends as well."""
    if len(states) == 1 and special:
        return states[0]
    own = (
        np.stack([states[window][:, place] for window, place in encoded.takes.tolist()], axis=1)
        if len(encoded)
        else None
    )
    if not special and own is not None:
        return own
    before = states[0][:, : int(encoded.takes[0, 1])] if len(encoded) else states[0]
    after = states[-1][:, int(encoded.takes[-1, 1]) + 1 :] if len(encoded) else states[0][:, :0]
    return np.concatenate([before, *([own] if own is not None else []), after], axis=1)


def _mean(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    tokens = _tokens(encoded, states, special)[:, left_out:]
    mean: Floats = (
        tokens.sum(axis=1, dtype=np.float32) * 0 if not tokens.shape[1] else tokens.mean(axis=1, dtype=np.float32)
    )
    return mean


def _root_mean(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    tokens = _tokens(encoded, states, special)[:, left_out:]
    found: Floats = (tokens.sum(axis=1, dtype=np.float32) / np.sqrt(np.float32(max(1, tokens.shape[1])))).astype(
        np.float32
    )
    return found


def _weighted(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    """Later tokens weigh more: token i weighs i, counted from 1 (SGPT, Muennighoff 2022)."""
    tokens = _tokens(encoded, states, special)
    weights = np.arange(1, tokens.shape[1] + 1, dtype=np.float32)
    weights[:left_out] = 0
    found: Floats = (np.einsum("lnd,n->ld", tokens, weights) / max(weights.sum(), np.float32(1e-9))).astype(np.float32)
    return found


def _max(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    found: Floats = _tokens(encoded, states, special)[:, left_out:].max(axis=1)
    return found


def _cls(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    if not special and len(encoded) and encoded.takes[0, 1] == 0:
        raise UserError(
            "this model's tokenizer puts no token before a text, so there is no CLS vector; take mean or last"
        )
    return states[0][:, min(left_out, states[0].shape[1] - 1)]


def _last(encoded: EncodedText, states: Sequence[Floats], special: bool, left_out: int) -> Floats:
    return _tokens(encoded, states, special)[:, -1]


_POOLS: dict[str, Callable[[EncodedText, Sequence[Floats], bool, int], Floats]] = {
    "mean": _mean,
    "cls": _cls,
    "last": _last,
    "max": _max,
    "root mean": _root_mean,
    "weighted mean": _weighted,
}
