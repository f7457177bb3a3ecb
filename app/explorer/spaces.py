"""Spaces by their names: files, tables, collections, layers of a corpus; seen as they are or transformed."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from polysema.app.explorer.corpora import Corpora
from polysema.app.explorer.options import DEFAULT_MODEL, DEFAULT_SPACE, check_texts
from polysema.core.errors import UserError, list_of
from polysema.core.files.formats import open_glove, read_vectors
from polysema.core.measure.anisotropy import random_pair_cosine
from polysema.core.model.catalog import CATALOG, locate
from polysema.core.model.contextual import embed
from polysema.core.model.pooling import POOLINGS
from polysema.core.model.static import input_table
from polysema.core.model.tokens import Occurrence, find_word
from polysema.core.progress import Progress, no_progress
from polysema.core.space.analogy import (
    Resolve,
    target,
)
from polysema.core.space.axes import axis_ends
from polysema.core.space.expression import Term, parse
from polysema.core.space.lookup import Policy, WordMatch, look_up
from polysema.core.space.metric import Metric, unit
from polysema.core.space.space import Floats, Origin, Space
from polysema.core.space.spelling import spelling_note
from polysema.core.space.transform import fit, named_direction, view, without
from polysema.indexes.collection import Collection
from polysema.indexes.exact import ExactIndex
from polysema.indexes.store.manifest import FORMAT_FILE, MANIFESTS
from polysema.indexes.store.manifest import NAME as COLLECTION_NAME


class Spaces(Corpora):
    """Holds the spaces last used and their indexes."""

    def space(self, name: str = DEFAULT_SPACE, progress: Progress = no_progress) -> Space:
        """The space of that name: a file of vectors, the catalog's GloVe, a model's input embeddings, as `minilm-l6@6`
        the occurrences of every word of the corpus of senses at a layer of a model, or a collection, by its folder or
        by its name in the data folder (`mine`, or `mine/layer-6` where it has several spaces).
        """
        contextual = re.fullmatch(r"(.+)@(-?\d{1,4})", name)
        if contextual and not Path(name).exists():
            return self.corpus(contextual[1], int(contextual[2]), progress)
        folder, inner = self._collection(name)
        if folder is not None:
            return self._spaces.get(
                ("stored", str(folder), inner, _stamp(str(folder))), lambda: Collection(folder).space(inner)
            )
        return self._spaces.get(("static", name, _stamp(name)), lambda: _static_space(name, progress))

    def _collection(self, name: str) -> tuple[Path | None, str | None]:
        """The folder of the collection that a name stands for, and the space in it; None where it is none of the data
        folder.
        """
        first, _, inner = name.partition("/")
        if not COLLECTION_NAME.fullmatch(first) or any(row.name == name for row in CATALOG) or Path(name).exists():
            return None, None
        folder = self._collections / first
        return (folder, inner or None) if is_collection(folder) else (None, None)

    def stamp(self, name: str) -> Hashable:
        """What tells whether the collection or file of that name has changed since; None for a space that can't."""
        folder, _ = self._collection(name)
        return _stamp(name if folder is None else str(folder))

    def view(self, space: "str | Space" = DEFAULT_SPACE, transform: str = "raw", removed: Sequence[str] = ()) -> Space:
        """A space centered, without its top components or whitened (`transform`), and without directions (`removed`,
        each written `poor -> rich`). The Origin of what is returned says so; the methods here take it as a space.
        """
        current, removed = self._held(space), list_of(removed, "the directions removed")
        if transform.partition(":")[0] == "raw" and not removed:
            return current

        def make() -> tuple[Space, Space]:
            shown, done = current, self._transforms.get(current)
            if transform.partition(":")[0] != "raw":
                change = fit(current, transform)
                shown, done = view(current, change), change if done is None else done.then(change)
                self._transforms[shown] = done
            if removed:
                axes = np.stack([self.direction(axis, shown) for axis in removed])
                change = without(axes, f"without {' and '.join(' '.join(axis.split()) for axis in removed)}")
                shown, done = view(shown, change), change if done is None else done.then(change)
                self._transforms[shown] = done
            return current, shown

        return self._spaces.get(("view", id(current), transform, tuple(removed)), make)[1]

    def _held(self, space: "str | Space") -> Space:
        return space if isinstance(space, Space) else self.space(space)

    def baseline(self, space: "str | Space" = DEFAULT_SPACE) -> float:
        """Mean cosine of random pairs of a space's rows, beside which a cosine means something; nan for a single row.

        Where the rows are words in texts, the two of a pair are of different texts.
        """
        opened = self._held(space)

        def make() -> tuple[Space, float]:
            columns = opened.columns
            apart = columns is not None and "text_id" in columns.column_names
            return opened, random_pair_cosine(
                opened.vectors, opened.column("text_id") if apart else np.arange(len(opened))
            )

        return self._small.get(("random pairs", id(opened)), make)[1]

    def index(self, space: "str | Space" = DEFAULT_SPACE, n_rows: int | None = None) -> ExactIndex:
        """The exact cosine index of a space, or of its first rows alone."""
        opened = self._held(space)
        first = None if n_rows is None or n_rows >= len(opened) else n_rows
        # the space is kept beside its index, so that its id is not given to another meanwhile
        return self._indexes.get(
            ("of", id(opened), first), lambda: (opened, ExactIndex(opened.vectors[:first], Metric.COSINE))
        )[1]

    def look_up(self, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Resolve:
        """What a term of an expression stands for in a space: a word, or an occurrence at the space's layer.

        Raises `IncompatibleError` with both cards for an occurrence that doesn't belong to the space.
        """
        current, chosen = self._held(space), policy or Policy()

        def resolve(term: Term) -> WordMatch:
            return look_up(current, term.word, chosen) if term.context is None else self._occurrence(current, term)

        return resolve

    def vector(self, expression: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Floats:
        """Where a sum of words leads in a space, `king - man + woman`, or an occurrence, `bank in "the bank of a
        river"`: (dim,).
        """
        return self.noted_vector(expression, space, policy)[0]

    def noted_vector(
        self, expression: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> tuple[Floats, Origin]:
        """What `vector` returns, and the card of the space with what is to be said of the words."""
        current = self._held(space)
        wanted = target(current, parse(expression), self.look_up(current, policy))
        return wanted.vector, noted(current, wanted.found)

    def _occurrence(self, space: Space, term: Term) -> WordMatch:
        context = term.context
        assert context is not None
        check_texts([context.text], least=1)
        known = space.origin.layer is not None or not locate(space.origin.source).is_vectors
        model = self.model(space.origin.source if known else DEFAULT_MODEL)
        layer = context.layer if context.layer is not None else space.origin.layer
        (layer,) = model.check_layers([-1 if layer is None else layer])
        # of rows that are no words the cards differ, which tells why the occurrence doesn't belong
        pooling = space.origin.pooling if space.origin.pooling in POOLINGS else "mean"
        model.origin(layer, pooling).require_same(replace(space.origin, transform="raw"))
        span = find_word(context.text, term.word, context.nth)
        place = Occurrence(0, context.text[span.start : span.end], span)
        hidden = embed(model, [context.text], [layer], pooling, [place])
        if hidden.unseen:
            raise UserError(f"the tokenizer of {model.name} makes no token of {term.word!r}, so it has no vector")
        vectors = hidden.vectors[0]
        if (done := self._transforms.get(space)) is not None:
            vectors = done.apply(vectors)
        notes = hidden.origin.with_notes(spelling_note(term.word, place.word)).notes
        how = f"its occurrence at layer {layer}"
        return WordMatch(str(term), place.word, np.empty(0, np.int64), unit(vectors)[0], how, notes)

    def direction(self, axis: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None) -> Floats:
        """The unit vector (dim,) of an axis `poor -> rich`: from one word (or sum of words) to another."""
        return self.noted_direction(axis, space, policy)[0]

    def noted_direction(
        self, axis: str, space: "str | Space" = DEFAULT_SPACE, policy: Policy | None = None
    ) -> tuple[Floats, Origin]:
        """What `direction` returns, and the card of the space with what is to be said of the words."""
        current = self._held(space)
        direction, found = self._axis(axis, current, policy)
        return direction, noted(current, found)

    def _axis(self, axis: str, space: Space, policy: Policy | None) -> tuple[Floats, list[WordMatch]]:
        """The direction of an axis, and what its words stand for."""
        start, end = axis_ends(axis)
        resolve = self.look_up(space, policy)
        ends = [target(space, parse(text), resolve) for text in (start, end)]
        a, b = (unit(each.vector[None])[0] for each in ends)
        return named_direction(b - a, start, end), [found for each in ends for found in each.found]


def noted(space: Space, found: Sequence[WordMatch]) -> Origin:
    """The card of a space with what is to be said of the words of an answer."""
    return space.origin.with_notes(*(note for each in found for note in each.notes))


def is_collection(path: Path) -> bool:
    """Whether a folder is a collection's."""
    return (path / FORMAT_FILE).is_file()


def _stamp(name: str) -> Hashable:
    """What tells whether a file or folder has changed since it was opened; None for what isn't one."""
    try:
        path = Path(name).expanduser()
        known = (path / MANIFESTS if is_collection(path) else path).stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return (known.st_mtime_ns, known.st_size, known.st_ino)


def _static_space(name: str, progress: Progress = no_progress) -> Space:
    found = locate(name)
    if found.path is not None and is_collection(found.path):
        return Collection(found.path).space()
    if not found.is_vectors:
        return input_table(found)
    assert found.path is not None
    if found.entry is None:
        return read_vectors(found.path, progress)
    origin = Origin(name, weights_sha256=found.entry.members[0].sha256, revision=found.entry.requirement)
    return open_glove(found.path, origin)
