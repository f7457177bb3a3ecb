"""Directions in the hidden states of a layer: the difference of two sets of texts, or a sum of words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks
from polysema.core.inside.embedding_path import state_vector
from polysema.core.inside.hooks import Twin, as_floats, one_reading, states_of, twin_of
from polysema.core.inside.proof import STATES, require_identities
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Occurrence, find_word
from polysema.core.space.expression import Term, parse
from polysema.core.space.space import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Direction:
    """A vector (dim,) of the hidden states at a layer, and what it stands for."""

    layer: int
    vector: Floats
    what: str


def concepts(
    model: LanguageModel, toward: Sequence[str], away: Sequence[str], layers: Sequence[int]
) -> dict[int, Direction]:
    """For each layer the mean difference of the hidden states of two sets of texts (Rimsky et al. 2024).

    A text counts by the mean of its own tokens; in a causal model without the very first one, which is an outlier in
    all of them. Of a decoder with cross-attention the texts are sources, and the states those of what it writes.
    """
    require_hooks(model)
    chosen = model.check_layers(layers)
    require_identities(model, STATES)
    if not toward or not away:
        raise UserError("a concept is the difference of two sets of texts; one of them is empty")
    means = {}
    with twin_of(model) as twin:
        for name, texts in (("toward", toward), ("away", away)):
            means[name] = np.mean([_text_means(model, twin, text, chosen) for text in texts], axis=0)
    difference = (means["toward"] - means["away"]).astype(np.float32)  # (n_layers, dim)
    what = f"the mean of {len(toward)} texts less that of {len(away)}"
    for layer, vector in zip(chosen, difference, strict=True):
        if not vector.any():
            raise UserError(
                f"the two sets of texts have the same mean at layer {layer}, so there is no direction to go"
            )
    return {layer: Direction(layer, vector, what) for layer, vector in zip(chosen, difference, strict=True)}


def _text_means(model: LanguageModel, twin: Twin, text: str, layers: Sequence[int]) -> Floats:
    reading = one_reading(model, None if model.reads_two else text, text if model.reads_two else None)
    own = [place for place, token in enumerate(reading.tokens) if not token.special]
    own = [place for place in own if place > 0 or not model.causal] or own
    states = states_of(twin, reading, layers)
    found: Floats = np.stack([as_floats(states[layer][own].float().mean(0)) for layer in layers])
    return found


def expression_direction(model: LanguageModel, expression: str, layer: int) -> Direction:
    """A sum of words as a direction: `happy - sad`, or `bank in "the river bank" - bank in "the bank lends"`.

    A word in a text is its hidden state at the layer; a word alone is its row of the model's input table (where
    that is narrower than the states, as the model's projection takes it). Raises `UserError` for an occurrence at
    another layer.
    """
    (layer,) = model.check_layers([layer])
    parsed = parse(expression)
    vector = np.zeros(model.dim, np.float64)
    for term in parsed.terms:
        vector += term.weight * _term(model, term, layer).astype(np.float64)
    if not vector.any():
        raise UserError(f"{expression!r} is 0, so there is no direction to go")
    return Direction(layer, vector.astype(np.float32), str(parsed))


def _term(model: LanguageModel, term: Term, layer: int) -> Floats:
    if term.context is None:
        return state_vector(model, term.word)
    query = term.context.layer
    if query is not None and model.check_layers([query])[0] != layer:
        raise UserError(f"{term} is at layer {query}, but the vector is added at layer {layer}; give both the same")
    if model.reads_two:
        raise UserError(f"{model.name} reads two texts; an occurrence needs a model that reads one")
    span = find_word(term.context.text, term.word, term.context.nth)
    occurrence = Occurrence(0, term.context.text[span.start : span.end], span)
    hidden = embed(model, [term.context.text], [layer], occurrences=[occurrence])
    if hidden.unseen:
        raise UserError(f"the tokenizer of {model.name} makes no token of {term.word!r}, so it has no vector")
    found: Floats = hidden.vectors[0, 0]
    return found
