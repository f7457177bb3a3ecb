"""What happens between the layers of a model, for a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polysema.app.explorer.inside_options import AttentionOptions, given
from polysema.app.explorer.models import Models
from polysema.app.explorer.options import DEFAULT_MODEL

if TYPE_CHECKING:
    from polysema.core.inside.attention import Attention, HeadRanking
    from polysema.core.inside.attribution import Attribution
    from polysema.core.inside.lens import Lens, LensView


class InsideVerbs(Models):
    """Looks inside models."""

    def attention(
        self,
        text: str,
        model: str = DEFAULT_MODEL,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
        most: int | None = None,
    ) -> "tuple[Attention, ...]":
        """Who looks at whom in a text, at layers from 1 (None: all): an answer for each window. See
        `core.inside.attention`.

        `most` numbers are kept (None: a gigabyte of them).
        """
        from polysema.core.inside.attention import MAX_BYTES, attention

        how = options or AttentionOptions()
        loaded = self.inside(model, how.stack)
        query, source = given(loaded, text, how.target)
        limit = MAX_BYTES if most is None else min(MAX_BYTES, 4 * most)
        return attention(loaded, query, layers, source, how.view(loaded), limit)

    def find_heads(
        self,
        pairs: Sequence[tuple[str, str]],
        texts: Sequence[str],
        model: str = DEFAULT_MODEL,
        layers: Sequence[int] | None = None,
        options: AttentionOptions | None = None,
    ) -> "HeadRanking":
        """All heads by how much the first word of each pair looks at the second. See
        `core.inside.attention.find_heads`.
        """
        from polysema.core.inside.attention import find_heads
        from polysema.core.inside.hooks import one_reading

        how = options or AttentionOptions()
        loaded = self.inside(model, how.stack)
        both = [given(loaded, text, how.target) for text in texts]
        if not loaded.reads_two:
            return find_heads(loaded, pairs, list(texts), None, how.view(loaded), layers)
        written = [one_reading(loaded, query, source).text for query, source in both]
        return find_heads(loaded, pairs, written, list(texts), how.view(loaded), layers)

    def lens(
        self,
        text: str,
        model: str = DEFAULT_MODEL,
        layers: Sequence[int] | None = None,
        words: Sequence[str] = (),
        view: "LensView | None" = None,
        options: AttentionOptions | None = None,
    ) -> "Lens":
        """What a model would say if it stopped at a layer, 0 to n (None: all). See `core.inside.lens`."""
        from polysema.core.inside.lens import lens

        how = options or AttentionOptions()
        loaded = self.inside(model, how.stack)
        query, source = given(loaded, text, how.target)
        return lens(loaded, query, layers, words, source, view)

    def contributions(
        self,
        text: str,
        word: str,
        model: str = DEFAULT_MODEL,
        against: str | None = None,
        at: "str | int | None" = None,
        options: AttentionOptions | None = None,
    ) -> "Attribution":
        """What each part of a model adds to the logit of a word. See `core.inside.contribution`."""
        from polysema.core.inside.attribution import contributions

        how = options or AttentionOptions()
        loaded = self.inside(model, how.stack)
        query, source = given(loaded, text, how.target)
        return contributions(loaded, query, word, against, source, at)
