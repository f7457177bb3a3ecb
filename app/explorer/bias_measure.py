"""How bias is measured: tests of words in static spaces, and of words or sentences at every layer of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.results.bias import BiasReport, BiasScore
from polysema.core.errors import UserError, list_of
from polysema.core.measure.bias import ripa, weat
from polysema.core.measure.bias_lists import BiasLists
from polysema.core.model.contextual import embed
from polysema.core.model.tokens import Occurrence, Span
from polysema.core.progress import Progress
from polysema.core.space.lookup import WordMatch

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.space.space import Floats

UNITS = ("words", "sentences")
TEMPLATES = ("This is {}.", "That is {}.", "Here is {}.", "There is {}.")  # bleached, as May et al. 2019 have them
GAP = "{}"


@dataclass(frozen=True, slots=True)
class BiasOptions:
    """How words become vectors of a model: of `words` the mean of their vectors in all `templates`, of `sentences` the
    mean over all words of the templates filled. What has several words is a sentence already and stands alone.
    """

    unit: str = "words"
    templates: tuple[str, ...] = TEMPLATES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UserError(f"the unit is words or sentences; got {self.unit!r}")
        wrong = next((one for one in self.templates if one.count(GAP) != 1), None)
        if wrong is not None or not self.templates:
            raise UserError(f"a template holds {GAP} once, where the word stands: 'This is {GAP}.'; got {wrong!r}")


def measure_bias(
    explorer: Explorer,
    tests: Sequence[BiasLists],
    spaces: Sequence[str],
    models: Sequence[str],
    options: BiasOptions,
    progress: Progress,
) -> BiasReport:
    """WEAT and RIPA of each test in each space, and at each layer of each model."""
    if not tests:
        raise UserError("give at least one test: four lists of words")
    if not list_of(spaces, "spaces") and not list_of(models, "models"):
        raise UserError("give a space or a model in which the bias is measured")
    rows: list[BiasScore] = []
    notes: list[str] = []
    for name in dict.fromkeys(spaces):
        words = explorer.space(name, progress)
        for test in tests:
            lists = [_known(words.lookup.matches(each), each, name) for each in test.lists()]
            stacked = [np.stack([_vector(words.space.vectors, one) for one in each]) for each in lists]
            rows.append(_score(test.name, name, None, stacked, options.seed))
            notes += [note for each in lists for one in each for note in one.notes]
    for name in dict.fromkeys(models):
        explorer.model(name, progress=progress)
        progress(f"embed with {name}", 0, 0)
        for test in tests:
            layers, vectors = _layer_means(explorer, name, test, options)
            for layer, at in zip(layers, vectors, strict=True):
                rows.append(_score(test.name, name, layer, at, options.seed))
    seen = f"; in models each {options.unit[:-1]} in {len(options.templates)} templates" if models else ""
    line = f"WEAT: effect in standard deviations and its p; RIPA: mean inner products, not scaled{seen}"
    return BiasReport(line, tuple(rows), tuple(dict.fromkeys(notes)))


def _known(found: list[WordMatch], given: Sequence[str], name: str) -> list[WordMatch]:
    if len(found) < 2:
        raise UserError(f"a list needs at least two words of {name}; of {', '.join(given)!r} it has {len(found)}")
    return found


def _score(test: str, source: str, layer: int | None, lists: Sequence[Floats], seed: int) -> BiasScore:
    first, second, toward, away = lists
    found = weat(first, second, toward, away, seed)
    exact = found.n_partitions == comb(len(first) + len(second), len(first))
    places = [float(ripa(words, toward, away).mean()) for words in (first, second)]
    return BiasScore(test, source, layer, found.effect, found.p, found.n_partitions, exact, *places)


def _vector(vectors: Floats, match: WordMatch) -> Floats:
    """A word's vector as it stands in the space; of one that is no single row its unit vector."""
    found: Floats = np.asarray(vectors[match.rows[0]]) if len(match.rows) == 1 else match.vector
    return found


def _layer_means(
    explorer: Explorer, name: str, test: BiasLists, options: BiasOptions
) -> tuple[tuple[int, ...], list[list[Floats]]]:
    """For each layer the four lists as vectors, each the mean over the texts of one word or sentence."""
    model = explorer.model(name).model
    texts: list[str] = []
    places: list[Occurrence] = []
    owners: list[int] = []
    words = [word for each in test.lists() for word in each]
    for owner, word in enumerate(words):
        given = (word,) if " " in word.strip() else tuple(one.replace(GAP, word) for one in options.templates)
        for template, text in zip(options.templates, given, strict=False):
            start = 0 if given == (word,) else template.index(GAP)
            places.append(Occurrence(len(texts), word, Span(start, start + len(word))))
            owners.append(owner)
            texts.append(text)
    hidden = embed(model, texts, occurrences=places if options.unit == "words" else None)
    if options.unit == "words":
        order = {(one.text, one.span): row for row, one in enumerate(hidden.occurrences)}
        rows_of = [[order[one.text, one.span]] if (one.text, one.span) in order else [] for one in places]
    else:
        rows_of = [[] for _ in texts]
        for row, one in enumerate(hidden.occurrences):
            rows_of[one.text].append(row)
    means = []
    for owner, word in enumerate(words):
        rows = [row for of, each in zip(owners, rows_of, strict=True) for row in each if of == owner]
        if not rows:
            raise UserError(f"the tokenizer of {name} makes no token of {word!r}")
        means.append(hidden.vectors[:, rows].mean(1))
    ends = np.cumsum([len(each) for each in test.lists()])[:-1]
    return hidden.layers, [
        list(np.split(np.stack([one[place] for one in means]), ends)) for place in range(len(hidden.layers))
    ]
