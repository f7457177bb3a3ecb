"""The first word of a text in a decoder, whose states are outliers: told, and left out of means and baselines.

A decoder's first token is what all heads look at that have nothing to look at (an attention sink, Xiao et al. 2024). In
many layers its state is nearly the same whatever the token, and many times as long as others (massive activations, Sun
et al. 2024). Whether it is so is measured, model by model and layer by layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from polysema.core.model.engine import hidden_states
from polysema.core.model.language_model import LanguageModel
from polysema.core.space.metric import unit
from polysema.core.space.space import Family, Floats

SAME_COSINE = 0.9  # first states of other words are an outlier from this mean cosine on ...
SAME_SHARE = 0.25  # ... if they are at least four times as near to each other as other states are
LONG_RATIO = 2.0  # a first state this many times as long as the median of the others weighs too much in a mean
FIRST = "first in a text"  # how the notes below begin to speak of it
FIRST_ROWS_KEPT = f"rows {FIRST} are kept"  # how the note on an export begins
PROBE_TEXTS = (
    "The bank of the river was muddy after the rain.",
    "She put her money into a bank last year.",
    "Swans are large white birds that live on water.",
    "Nobody knew what the old king had meant.",
    "Music was playing when we came in from the garden.",
)


@dataclass(frozen=True, slots=True)
class Outliers:
    """The layers at which first states are alike whatever the word, and those at which they are too `long` for a
    mean.
    """

    alike: tuple[int, ...] = ()
    long: tuple[int, ...] = ()


_MEASURED: "WeakKeyDictionary[Any, dict[tuple[str, ...], Outliers]]" = WeakKeyDictionary()


def first_outliers(model: LanguageModel) -> Outliers:
    """At which layers the state of a text's first token is an outlier, measured once; none but of a decoder."""
    if model.family is not Family.DECODER:
        return Outliers()
    known = _MEASURED.setdefault(model.whole, {})
    key = (model.engine.name, model.final_norm, model.beginning)
    if key not in known:
        known[key] = _measured(model)
    return known[key]


def _measured(model: LanguageModel) -> Outliers:
    encoded = [of for of in model.encode(PROBE_TEXTS) if len(of) > 1 and len(of.windows) == 1]
    if len(encoded) < 2:
        return Outliers()
    layers = range(model.n_layers + 1)
    states = hidden_states(model.engine, [of.windows[0] for of in encoded], layers)
    own = [state[:, of.takes[:, 1]] for of, state in zip(encoded, states, strict=True)]  # (n_layers + 1, n, dim) each
    alike, long = [], []
    for layer in layers:
        first = np.stack([state[layer, 0] for state in own])
        others = [state[layer, 1:] for state in own]
        lengths = np.linalg.norm(first, axis=1)
        medians = np.array([np.median(np.linalg.norm(other, axis=1)) for other in others])
        same, usual = _mean_cosine([row[None] for row in first]), _mean_cosine(others)
        if same > SAME_COSINE and 1 - same < SAME_SHARE * (1 - usual):
            alike.append(layer)
        if np.median(lengths / np.maximum(medians, 1e-12)) > LONG_RATIO:
            long.append(layer)
    return Outliers(tuple(alike), tuple(long))


def _mean_cosine(groups: "Sequence[Floats]") -> float:
    """Mean cosine of rows of different groups."""
    units = [unit(np.ascontiguousarray(group)) for group in groups]
    pairs = [(a @ b.T).mean() for place, a in enumerate(units) for b in units[:place]]
    return float(np.mean(pairs))


def first_ends(model: LanguageModel, texts: Sequence[str]) -> list[int]:
    """Where the first token of each text ends: a word that starts before stands first."""
    return [int(of.offsets[0, 1]) if len(of) else 0 for of in model.encode(texts)]


def span_of_layers(layers: Sequence[int]) -> str:
    """`layers 2 to 9, 12 to 29`: those that follow each other together."""
    runs: list[list[int]] = []
    for layer in layers:
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    shown = ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"layer{'s' * (len(layers) > 1)} {shown}"


def _why(layers: Sequence[int]) -> str:
    return (
        f"at {span_of_layers(layers)} of this decoder the first state of a text is an outlier, nearly the same "
        "whatever the word"
    )


def first_note(layers: Sequence[int], words: Sequence[str]) -> str:
    """What is said of words that stand first and are shown."""
    shown = ", ".join(map(repr, words[:3])) + (f" and {len(words) - 3:,} more" if len(words) > 3 else "")
    return (
        f"{shown} {'stand' if len(words) > 1 else 'stands'} {FIRST}: {_why(layers)}; put words before it to see "
        "its own state"
    )


def left_out_note(layers: Sequence[int], count: int) -> str:
    """What is said of words that stand first and are left out."""
    return f"{count:,} occurrence{'s' * (count > 1)} {FIRST} left out: {_why(layers)}"


def first_rows_note(layers: Sequence[int]) -> str:
    """What is said of rows of a whole corpus, those that stand first among them."""
    return f"{FIRST_ROWS_KEPT}: {_why(layers)}"
