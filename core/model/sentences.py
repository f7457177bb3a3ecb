"""Sentence vectors: one for a whole text, by a pooling of ours or by the recipe that a folder of sentence-transformers holds."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import UnreadableError, UserError, list_of
from polysema.core.model.contextual import batched, texts_a_batch
from polysema.core.model.engine import hidden_states
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Encoded
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
class Recipe:
    """What follows the last layer in a folder of sentence-transformers: poolings side by side, dense layers, a norm.

    `window` is the most tokens it was made for, 0 where the folder doesn't say.
    """

    poolings: tuple[str, ...]
    after: tuple[Callable[[Floats], Floats], ...]
    window: int
    normalised: bool


def embed_sentences(
    model: LanguageModel, texts: Iterable[str], layers: Sequence[int] = (-1,), pooling: str = "mean"
) -> Sentences:
    """The vectors of whole texts, (n_layers, n_texts, dim).

    `mean` over the text's own tokens; `cls` the first position, which an encoder fills for the purpose; `last` the
    text's last own token; `own` what the model's folder says (the last layer only), equal to sentence-transformers' to
    1e-5 for every text within its window. Raises `UserError` for a pooling that the model has no place for.
    """
    parts = list(sentence_stream(model, list_of(texts, "texts"), layers, pooling))
    if not parts:
        chosen = model.check_layers(layers)
        return Sentences(
            0, chosen, np.empty((len(chosen), 0, model.dim), np.float32), model.origin(None, f"{pooling} of the text")
        )
    unknown = tuple(t for p in parts for t in p.unknown)
    origin = parts[0].origin.with_notes(unknown_texts_note(model.tokenizer, model.name, unknown))
    return Sentences(
        0, parts[0].layers, np.concatenate([p.vectors for p in parts], axis=1), origin,
        tuple(t for p in parts for t in p.split), tuple(t for p in parts for t in p.empty), unknown,
    )  # fmt: skip


def sentence_stream(
    model: LanguageModel, texts: Iterable[str], layers: Sequence[int] = (-1,), pooling: str = "mean", first: int = 0
) -> Iterator[Sentences]:
    """As `embed_sentences`, some hundred texts at a time, in their order."""
    chosen = model.check_layers(layers)
    recipe = _recipe(model, chosen, check_sentence_pooling(pooling))
    model = sentence_model(model, pooling)
    origin = replace(model.origin(None, f"{pooling} of the text"), normalized=recipe is not None and recipe.normalised)
    for start, batch, _ in batched(texts, None, texts_a_batch(len(chosen), model.dim)):
        yield _batch(model, batch, chosen, pooling, recipe, origin, first + start)


def _batch(
    model: LanguageModel, texts: Sequence[str], layers: tuple[int, ...], pooling: str, recipe: Recipe | None,
    origin: Origin, first: int,
) -> Sentences:  # fmt: skip
    return _of_encoded(model, model.encode(texts), layers, pooling, recipe, origin, first)


def embed_encoded(
    model: LanguageModel, encoded: Sequence[Encoded], layers: Sequence[int] = (-1,), pooling: str = "mean"
) -> Sentences:
    """As `embed_sentences`, of texts whose tokens are there already: `sentence_model(model, pooling).encode` makes them."""
    chosen = model.check_layers(layers)
    recipe = _recipe(model, chosen, check_sentence_pooling(pooling))
    origin = replace(model.origin(None, f"{pooling} of the text"), normalized=recipe is not None and recipe.normalised)
    return _of_encoded(model, encoded, chosen, pooling, recipe, origin, 0)


def sentence_model(model: LanguageModel, pooling: str) -> LanguageModel:
    """The model with the window that a pooling was made for."""
    recipe = own_recipe(model) if pooling == "own" else None
    if recipe is not None and recipe.window:
        return replace(model, window=min(model.window, recipe.window))
    return model


def _recipe(model: LanguageModel, layers: tuple[int, ...], pooling: str) -> Recipe | None:
    if model.reads_two:
        raise UserError(f"sentence vectors come from the encoder of {model.name}, not from its decoder")
    if pooling != "own":
        return None
    if layers != (model.n_layers,):
        raise UserError(f"{model.name}'s own pooling is of its last layer; got {', '.join(map(str, layers))}")
    return own_recipe(model)


def _of_encoded(
    model: LanguageModel, encoded: Sequence[Encoded], layers: tuple[int, ...], pooling: str, recipe: Recipe | None,
    origin: Origin, first: int,
) -> Sentences:  # fmt: skip
    windows = [(number, w) for number, of in enumerate(encoded) if of.windows[0] for w in range(len(of.windows))]
    states = hidden_states(model.engine, [encoded[n].windows[w] for n, w in windows], layers)
    by_text: dict[int, list[Floats]] = {}
    for (number, _), state in zip(windows, states, strict=True):
        by_text.setdefault(number, []).append(state)
    names = recipe.poolings if recipe is not None else (pooling,)
    out = np.zeros((len(layers), len(encoded), len(names) * model.dim), np.float32)
    empty = []
    for number, of in enumerate(encoded):
        if number in by_text and (len(of) or recipe is not None):
            parts = [_POOLS[name](of, by_text[number], recipe is not None) for name in names]
            out[:, number] = np.concatenate(parts, axis=1)
        else:
            empty.append(first + number)
    for step in recipe.after if recipe is not None else ():
        out = step(out[0])[None]
    split = tuple(first + number for number, of in enumerate(encoded) if len(of.windows) > 1)
    token = unknown_id(model.tokenizer)
    unknown = tuple(first + number for number, of in enumerate(encoded) if unknown_tokens(of, token) is not None)
    return Sentences(first, layers, out, origin, split, tuple(empty), unknown)


def _tokens(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
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


def _mean(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    mean: Floats = _tokens(encoded, states, special).mean(axis=1, dtype=np.float32)
    return mean


def _root_mean(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    tokens = _tokens(encoded, states, special)
    return (tokens.sum(axis=1, dtype=np.float32) / np.sqrt(np.float32(tokens.shape[1]))).astype(np.float32)


def _weighted(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    """Later tokens weigh more: token i weighs i, counted from 1 (SGPT, Muennighoff 2022)."""
    tokens = _tokens(encoded, states, special)
    weights = np.arange(1, tokens.shape[1] + 1, dtype=np.float32)
    return (np.einsum("lnd,n->ld", tokens, weights) / weights.sum()).astype(np.float32)


def _max(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    return _tokens(encoded, states, special).max(axis=1)


def _cls(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    if not special and len(encoded) and encoded.takes[0, 1] == 0:
        raise UserError(
            "this model's tokenizer puts no token before a text, so there is no CLS vector; take mean or last"
        )
    return states[0][:, 0]


def _last(encoded: Encoded, states: Sequence[Floats], special: bool) -> Floats:
    return _tokens(encoded, states, special)[:, -1]


_POOLS: dict[str, Callable[[Encoded, Sequence[Floats], bool], Floats]] = {
    "mean": _mean, "cls": _cls, "last": _last, "max": _max, "root mean": _root_mean, "weighted mean": _weighted,
}  # fmt: skip

# as sentence-transformers names them, in the order in which it puts them side by side
_MODES = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "root mean", "pooling_mode_weightedmean_tokens": "weighted mean",
    "pooling_mode_lasttoken": "last",
}  # fmt: skip
_NAMED = {
    "cls": "cls", "max": "max", "mean": "mean", "mean_sqrt_len_tokens": "root mean", "weightedmean": "weighted mean",
    "lasttoken": "last",
}  # fmt: skip


def own_recipe(model: LanguageModel) -> Recipe:
    """What `modules.json` in the model's folder says; raises `UserError` where there is none, or a module unknown to us."""
    if model.path is None or not (model.path / "modules.json").is_file():
        raise UserError(f"{model.name} has no sentence pooling of its own (no modules.json); choose mean, cls or last")
    poolings: tuple[str, ...] = ()
    after: list[Callable[[Floats], Floats]] = []
    window, normalised = 0, False
    for module in _json(model.path / "modules.json"):
        kind, folder = str(module["type"]).rsplit(".", 1)[-1], model.path / str(module.get("path", ""))
        if not folder.resolve().is_relative_to(model.path.resolve()):
            raise UnreadableError(f"{model.path / 'modules.json'} names a folder outside the model's: {module['path']}")
        if kind == "Transformer":
            path = folder / "sentence_bert_config.json"
            window = int(_json(path).get("max_seq_length") or 0) if path.is_file() else 0
        elif kind == "Pooling":
            poolings = _poolings(folder / "config.json")
        elif kind == "Normalize":
            after.append(unit)
            normalised = True
        elif kind == "Dense":
            after.append(_dense(folder))
            normalised = False
        else:
            raise UserError(
                f"{model.name}'s own pooling has a module that is not known: {module['type']}; choose mean, cls or last"
            )
    if not poolings:
        raise UserError(f"{model.name}'s modules.json names no pooling; choose mean, cls or last")
    return Recipe(poolings, tuple(after), window, normalised)


def _poolings(path: Path) -> tuple[str, ...]:
    config = _json(path)
    named = config.get("pooling_mode")
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        found = [_NAMED.get(name, name) for name in names]
    else:
        found = [name for mode, name in _MODES.items() if config.get(mode)]
    unknown = [name for name in found if name not in _POOLS]
    if unknown or not found or config.get("include_prompt") is False:
        raise UnreadableError(
            f"{path}: its pooling is not known ({', '.join(unknown) or 'none, or one that leaves prompts out'})"
        )
    return tuple(found)


def _dense(folder: Path) -> Callable[[Floats], Floats]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    config = _json(folder / "config.json")
    try:
        tensors = load_file(folder / "model.safetensors")
        weight = tensors["linear.weight"].astype(np.float32)
    except (OSError, SafetensorError, KeyError) as error:
        raise UnreadableError(f"{folder} holds no dense layer as safetensors: {error}") from None
    bias = tensors["linear.bias"].astype(np.float32) if "linear.bias" in tensors else np.float32(0)
    function = str(config.get("activation_function", "torch.nn.modules.linear.Identity")).rsplit(".", 1)[-1]
    if function not in ("Identity", "Tanh"):
        raise UnreadableError(f"{folder}: the activation {function} is not known")

    def dense(vectors: Floats) -> Floats:
        out = vectors @ weight.T + bias
        result: Floats = np.tanh(out) if function == "Tanh" else out
        return result

    return dense


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}") from None
