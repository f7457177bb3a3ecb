"""What a model makes of a sentence: BERT fills a gap in it, a decoder writes on, an encoder-decoder writes its own."""

from dataclasses import dataclass

from polysema.app.dashboard import widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.controls import shown
from polysema.app.dashboard.inside.leads import fill_in, follow_in, quoted
from polysema.app.dashboard.picker import choices
from polysema.app.explorer.model_explorer import ModelExplorer
from polysema.core.inside.fill_mask import FilledMask
from polysema.core.inside.generation_results import GeneratedText
from polysema.core.model.tokens import words_of
from polysema.core.space.space import Family

MAX_NEW_TOKENS = 12
N_WORDS = 4


@dataclass(frozen=True, slots=True)
class Deed:
    """What was made of a text: gaps that were filled, one after the other, or a text that was written."""

    verb: str
    filled: tuple[tuple[str, FilledMask], ...] = ()
    written: GeneratedText | None = None
    refused: str = ""


def deed_of(handle: ModelExplorer, text: str) -> Deed:
    """What a model makes of a text, by its family."""
    if handle.model.family is Family.DECODER:
        return Deed("It writes on", written=handle.generate(text, MAX_NEW_TOKENS, N_WORDS))
    if handle.model.family is Family.ENCODER_DECODER:
        return Deed("It writes", written=handle.generate(text, 3 * MAX_NEW_TOKENS, N_WORDS))
    if handle.internals.on_torch().whole.get_output_embeddings() is None:
        return Deed("It only reads", refused="This folder holds no head, so it fills no gap and writes nothing.")
    filled = []
    for span in words_of(text):
        gap = f"{text[: span.start]}[MASK]{text[span.end :]}"
        filled.append((text[span.start : span.end], handle.generation.fill(gap, N_WORDS, 1, "")))
    return Deed("It fills each word’s gap", tuple(filled))


def deed_picture(deed: Deed, model: str, text: str) -> None:
    """The deed token by token, with the probabilities; a click leads to the gap, or into the lens at that token."""
    if deed.refused:
        widgets.remark(deed.refused)
        return
    widgets.say(f"**{deed.verb}**")
    if deed.written is not None:
        widgets.say(f"“{widgets.plain(deed.written.text)}”")
        two = choices.family_of(model) is Family.ENCODER_DECODER
        before = [text]
        rows = []
        for step in deed.written.steps:
            candidates = [(one.token, one.probability) for one in step.candidates]
            value = (text if two else "".join(before), quoted(step.token))
            rows.append(_row(step.token, candidates, step.probability, value))
            before.append(step.token)
        clickable_list(rows, f"deed_{model}", follow_in(model))
        return
    rows = [
        _row(word, [(one.word, one.probability) for one in gap.words], _own(word, found), found.text)
        for word, found in deed.filled
        for gap in found.gaps
    ]
    clickable_list(rows, f"deed_{model}", fill_in(model))


def _own(word: str, found: FilledMask) -> float:
    return next((one.probability for gap in found.gaps for one in gap.words if one.word == word.lower()), 0.0)


def _row(name: str, best: list[tuple[str, float]], own: float, value: object) -> ListedRow:
    others = ", ".join(f"{shown(token)} {share:.2f}" for token, share in best)
    return ListedRow(shown(name), others, own or None, value)
