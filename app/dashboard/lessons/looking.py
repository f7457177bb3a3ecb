"""Who may look at whom: in an encoder, in a decoder, and across."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from polysema.app.dashboard import widgets
from polysema.app.dashboard.attention_mask import mask
from polysema.app.dashboard.lessons.chips import chips, visible
from polysema.app.dashboard.lessons.lesson import (
    LessonInput,
    LessonResult,
    Verdict,
    encoders,
    writers,
)
from polysema.app.dashboard.picker.choices import family_of
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.families import VisibleTokens
from polysema.core.inside.hooks import one_reading
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import Span, words_of
from polysema.core.progress import Progress
from polysema.core.space.metric import cosine
from polysema.core.space.space import Family, Floats

ROUNDING_DISTANCE = 1e-4  # 1 - cosine: what is below it is rounding, not change
LETTERS = "g2p-t5"


@dataclass(frozen=True, slots=True, eq=False)
class AttentionShift:
    """The effect of a change on the states of other positions: 1 - cosine at the last layer, `fixed` or changed."""

    name: str
    what: str
    places: tuple[str, ...]
    moved: tuple[float, ...]
    sight: VisibleTokens
    causal: bool = False

    @property
    def most(self) -> float:
        """The largest change."""
        return max(self.moved)


def _sight(model: LanguageModel, text: str, source: str | None, kind: str, unit: str, name: str) -> VisibleTokens:
    """The mask as it is met in the first block."""
    (found,) = attention(model, text, [1], source, AttentionView(kind, unit))
    return VisibleTokens(name, found.rows, found.columns, found.weights.max((0, 1)) > 0)


def _moved(first: Sequence[Floats], second: Sequence[Floats]) -> tuple[float, ...]:
    return tuple(max(0.0, 1 - cosine(a, b)) for a, b in zip(first, second, strict=True))


def in_text(model: LanguageModel, text: str, other: str, n: int, name: str) -> AttentionShift:
    """The words before the last of two texts that differ in it."""
    states = [embed(model, [each], [-1]) for each in (text, other)]
    vectors = [hidden.vectors[0][:n] for hidden in states]
    sight = _sight(model, text, None, "self", "words", name)
    words = tuple(o.word for o in states[0].occurrences[:n])
    return AttentionShift(name, "the last word was changed", words, _moved(*vectors), sight, model.causal)


def across(model: LanguageModel, source: str, other: str) -> tuple[AttentionShift, AttentionShift]:
    """Of an encoder-decoder's decoder: the effect of a changed end of the source, and of a changed own text."""
    written = one_reading(model, None, source).text
    tokens = [unit.name for unit in one_reading(model, written, source).tokens][1:]
    if len(tokens) < 2:
        raise UserError(f"{model.name} writes only {written!r} for {source!r}; give a longer word")
    later = " ".join([*(visible(t) for t in tokens[:-1]), "S" if visible(tokens[-1]) != "S" else "T"])
    runs = [(written, source), (written, other), (later, source)]
    states = [
        embed(model, [text], [-1], EmbeddingOptions(unit="tokens"), sources=[read]).vectors[0] for text, read in runs
    ]
    n = len(tokens) - 1
    names = tuple(visible(token) for token in tokens[:n])
    cross = _sight(model, written, source, "cross", "tokens", "cross-attention")
    own = _sight(model, written, source, "self", "tokens", "decoder")
    return (
        AttentionShift(
            "decoder beside an encoder, across",
            "the end of the source was changed",
            names,
            _moved(states[0][:n], states[1][:n]),
            cross,
        ),
        AttentionShift(
            "decoder beside an encoder, itself",
            "the last written sound was changed",
            names,
            _moved(states[0][:n], states[2][:n]),
            own,
            True,
        ),
    )


def _checked_words(query: LessonInput) -> list[Span]:
    """The words of the sentence; raises `UserError` for inputs of which nothing can be learned."""
    sentence, last, source, other = (query[key] for key in ("sentence", "last", "source", "other"))
    spans = words_of(sentence)
    if len(spans) < 2 or len(words_of(last)) != 1:
        raise UserError(
            "give a sentence of at least two words, and one other word for its end; "
            f"got {sentence[:60]!r} and {last[:60]!r}"
        )
    if sentence[spans[-1].start : spans[-1].end] == last:
        raise UserError(f"the sentence ends in {last!r} already; give another word")
    if source == other:
        raise UserError(f"both spellings are {source!r}; change the last letter of one")
    return list(spans)


def _sentences(encoder: AttentionShift | None, decoder: AttentionShift, across_: AttentionShift) -> list[str]:
    """What changed before the end, in each kind of attention."""
    sees, blind = encoder is not None and encoder.most > ROUNDING_DISTANCE, decoder.most <= ROUNDING_DISTANCE
    said = []
    if encoder is not None:
        said.append(
            f"In the **encoder** the words before the end {'changed' if sees else 'did not change'} "
            f"(the largest change of direction, 1 − cosine, is {encoder.most:.3f}): "
            + (
                "every word may look at every other, to the right too."
                if sees
                else "nothing came back from the new word."
            )
        )
    said.append(
        "In the **decoder** they "
        f"{'stayed the same (within rounding)' if blind else f'changed by up to {decoder.most:.4f}'}"
        + (": a word sees only itself and what came before." if blind else ", which a causal mask should not allow.")
    )
    crossed = across_.most > ROUNDING_DISTANCE
    effect = "changed" if crossed else "did not change"
    if across_.moved[0] > ROUNDING_DISTANCE:
        effect = "changed, from the first sound on,"
    said.append(
        f"**Across**, the decoder’s states {effect} "
        f"when the end of the source became another (up to {across_.most:.3f}): "
        + (
            "cross-attention sees the whole source at every step."
            if crossed
            else "here the last letter made no difference."
        )
    )
    return said


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """Change the end, and see which states before it change."""
    sentence, last, source, other = (query[key] for key in ("sentence", "last", "source", "other"))
    spans = _checked_words(query)
    changed = f"{sentence[: spans[-1].start]}{last}{sentence[spans[-1].end :]}"
    changes = []
    names = [*encoders()[:1], *[name for name in writers() if family_of(name) is Family.DECODER][:1]]
    for name in names:
        progress(f"read with {name}", 0, 1)
        kind = "encoder" if family_of(name) is Family.ENCODER else "decoder"
        changes.append(
            in_text(explorer.model(name).internals.on_torch(), sentence, changed, len(spans) - 1, f"{kind} ({name})")
        )
    progress(f"read with {LETTERS}", 0, 1)
    pair = across(explorer.model(LETTERS).internals.on_torch(), source, other)
    all_of_them = [*changes, *pair]
    encoder = next((c for c in changes if not c.causal), None)
    decoder = next((c for c in changes if c.causal), pair[1])
    sees, blind = encoder is not None and encoder.most > ROUNDING_DISTANCE, decoder.most <= ROUNDING_DISTANCE
    verdict = Verdict.WORKS if sees and blind else Verdict.PARTLY if sees or blind else Verdict.FAILS
    option = {(True, False): 0, (True, True): 1, (False, False): 2, (False, True): 3}[sees, blind]
    said = _sentences(encoder, decoder, pair[0])
    rows = [
        {"model": c.name, "changed": c.what, "place": place, "1 - cosine": moved}
        for c in all_of_them
        for place, moved in zip(c.places, c.moved, strict=True)
    ]
    first = names[0] if names else LETTERS
    return LessonResult(
        verdict,
        "\n\n".join(said),
        option,
        rows,
        "from polysema.app.explorer import Explorer\nfrom polysema.core.model.contextual import embed\n"
        f"from polysema.core.space.metric import cosine\n\nmodel = Explorer().model({first!r}).internals.on_torch()\n"
        f"a = embed(model, [{sentence!r}], [-1])\nb = embed(model, [{changed!r}], [-1])\n"
        "for word, one, other in zip(a.occurrences, a.vectors[0], b.vectors[0]):\n"
        "    print(word.word, 1 - cosine(one, other))",
        "Hidden states of the last layer, before and after the change. Anything below 0.0001 is rounding. "
        "The squares are the observed mask of the first block: filled where any head gives any weight.",
        all_of_them,
    )


def draw(found: LessonResult, key: str) -> None:
    """For each model which places changed, and its mask."""
    columns = st.columns(2, gap="medium")
    for number, change in enumerate(found.shown):
        with columns[number % 2]:
            widgets.say(f"**{widgets.plain(change.name[0].upper() + change.name[1:])}**")
            widgets.remark(f"{change.what[0].upper()}{change.what[1:]}. Before it:")
            chips(
                [
                    (
                        place,
                        f"{moved:.3f} changed" if moved > ROUNDING_DISTANCE else "0 the same",
                        "b" if moved > ROUNDING_DISTANCE else "a",
                    )
                    for place, moved in zip(change.places, change.moved, strict=True)
                ],
                f"{change.name}: how much each place changed",
                f"{key}_{number}_changed",
            )
            mask(change.sight, f"{key}_{number}_mask")
