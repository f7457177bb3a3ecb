"""What the words of a question stand for in a space: rows, occurrences in a text, sums of words, axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from polysema.app.explorer.options import DEFAULT_MODEL, OCCURRENCE_FORM, check_texts
from polysema.core.argument_types import checked_arguments
from polysema.core.errors import UserError, list_of
from polysema.core.space.analogy import Resolve, target
from polysema.core.space.axes import axis_ends
from polysema.core.space.expression import Term, parse
from polysema.core.space.lookup import Policy, WordMatch, look_up, look_up_each
from polysema.core.space.metric import unit
from polysema.core.space.spelling import spelling_note
from polysema.core.space.transform import named_direction

if TYPE_CHECKING:
    from polysema.app.explorer.explorer import Explorer
    from polysema.core.space.space import Floats, Origin, Space
    from polysema.core.space.transform import Transform


@checked_arguments
class WordLookup:
    """Resolves the words of a space, `bank`, and occurrences that its model embeds, `bank in "the bank of a river"`."""

    def __init__(self, explorer: Explorer, space: Space, transform: Transform | None = None):
        self.space = space
        self._explorer, self._transform = explorer, transform

    def resolver(self, policy: Policy | None = None) -> Resolve:
        """What resolves a term of an expression to a word of the space, or to an occurrence at the space's layer.

        Args:
            policy: How a word that isn't there as it is written is looked up.

        Returns:
            A function of a term. It raises `UnknownWordError`, and `IncompatibleError` with both cards for an
            occurrence that doesn't belong to the space.
        """
        chosen = policy or Policy()

        def resolve(term: Term) -> WordMatch:
            return look_up(self.space, term.word, chosen) if term.context is None else self._occurrence(term)

        return resolve

    def matches(self, words: Sequence[str], policy: Policy | None = None) -> list[WordMatch]:
        """What each of several words stands for; those that the policy skips are left out.

        Args:
            words: The words, or occurrences.
            policy: How they are looked up.

        Returns:
            A match for each word that stands for something.

        Raises:
            UnknownWordError: for a word that isn't there, where the policy refuses it.
        """
        terms = [
            parse(word).terms[0] if OCCURRENCE_FORM.search(word) else Term(1.0, word)
            for word in list_of(words, "words")
        ]
        return [one for one in look_up_terms(self, terms, policy) if one.known]

    def vector(self, expression: str, policy: Policy | None = None) -> Floats:
        """Where a sum of words leads, `king - man + woman`.

        Args:
            expression: A word, an occurrence, or a sum of them.
            policy: How the words are looked up.

        Returns:
            The weighted sum of their unit vectors, (dim,) float32.

        Example:
            `explorer.space("glove-6b-50d").lookup.vector("king - man + woman").shape` is `(50,)`.
        """
        return self.noted_vector(expression, policy)[0]

    def noted_vector(self, expression: str, policy: Policy | None = None) -> tuple[Floats, Origin]:
        """What `vector` returns, and the card of the space with what is to be said of the words.

        Args:
            expression: As for `vector`.
            policy: How the words are looked up.

        Returns:
            The vector (dim,), and the card.
        """
        parsed = parse(expression)
        wanted = target(self.space, parsed, look_up_terms(self, parsed.terms, policy))
        return wanted.vector, noted(self.space, wanted.found)

    def direction(self, axis: str, policy: Policy | None = None) -> Floats:
        """The unit vector of an axis `poor -> rich`: from one word (or sum of words) to another.

        Args:
            axis: Two words or sums with an arrow between.
            policy: How the words are looked up.

        Returns:
            A vector (dim,) of length 1.
        """
        return self.axis(axis, policy)[0]

    def noted_direction(self, axis: str, policy: Policy | None = None) -> tuple[Floats, Origin]:
        """What `direction` returns, and the card of the space with what is to be said of the words.

        Args:
            axis: As for `direction`.
            policy: How the words are looked up.

        Returns:
            The direction (dim,), and the card.
        """
        direction, found = self.axis(axis, policy)
        return direction, noted(self.space, found)

    def axis(self, axis: str, policy: Policy | None = None) -> tuple[Floats, list[WordMatch]]:
        """The direction of an axis, and what its words stand for.

        Args:
            axis: As for `direction`.
            policy: How the words are looked up.

        Returns:
            The direction (dim,), and the words.
        """
        start, end = axis_ends(axis)
        parsed = [parse(text) for text in (start, end)]
        ends = [target(self.space, each, look_up_terms(self, each.terms, policy)) for each in parsed]
        a, b = (unit(each.vector[None])[0] for each in ends)
        return named_direction(b - a, start, end), [found for each in ends for found in each.found]

    def _occurrence(self, term: Term) -> WordMatch:
        from polysema.core.model.contextual import EmbeddingOptions, embed
        from polysema.core.model.pooling import POOLINGS
        from polysema.core.model.tokens import Occurrence, find_word

        context, space = term.context, self.space
        assert context is not None
        check_texts([context.text], least=1)
        known = space.origin.layer is not None or not self._explorer.names.locate(space.origin.source).is_vectors
        model = self._explorer.model(space.origin.source if known else DEFAULT_MODEL).model
        layer = context.layer if context.layer is not None else space.origin.layer
        (layer,) = model.check_layers([-1 if layer is None else layer])
        # of rows that are no words the cards differ, which tells why the occurrence doesn't belong
        pooling = space.origin.pooling if space.origin.pooling in POOLINGS else "mean"
        model.origin(layer, pooling).require_same(replace(space.origin, transform="raw"))
        span = find_word(context.text, term.word, context.nth)
        place = Occurrence(0, context.text[span.start : span.end], span)
        hidden = embed(model, [context.text], [layer], EmbeddingOptions(pooling), [place])
        if hidden.unseen:
            raise UserError(f"the tokenizer of {model.name} makes no token of {term.word!r}, so it has no vector")
        vectors = hidden.vectors[0]
        if self._transform is not None:
            vectors = self._transform.apply(vectors)
        notes = hidden.origin.with_notes(spelling_note(term.word, place.word)).notes
        how = f"its occurrence at layer {layer}"
        return WordMatch(str(term), place.word, np.empty(0, np.int64), unit(vectors)[0], how, notes)


def look_up_terms(lookup: WordLookup, terms: Sequence[Term], policy: Policy | None) -> list[WordMatch]:
    """What each of several terms stands for, as `WordLookup.resolver` has it."""
    if any(term.context is not None for term in terms):
        return list(map(lookup.resolver(policy), terms))
    return look_up_each(lookup.space, [term.word for term in terms], policy or Policy())


def noted(space: Space, found: Sequence[WordMatch]) -> Origin:
    """The card of a space with what is to be said of the words of an answer."""
    return space.origin.with_notes(*(note for each in found for note in each.notes))
