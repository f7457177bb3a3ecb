"""Tokens and ids: what a model is given instead of letters."""

from typing import Any

from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons.chips import chips, visible
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
)
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.hooks import token_name
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import EncodedText, words_of
from polysema.core.progress import Progress
from polysema.core.space.space import Ints

MAX_PIECES = 120  # tokens drawn


def _pieces(model: LanguageModel, encoded: EncodedText, text: str) -> tuple[Ints, list[dict[str, Any]]]:
    """The number of tokens of each word, and each token with its id and its word."""
    spans = words_of(text)
    tokens, sizes = encoded.tokens_of(spans)
    word_of = dict.fromkeys(range(len(encoded)), -1)
    start = 0
    for word, size in enumerate(sizes.tolist()):
        word_of |= dict.fromkeys(tokens[start : start + size].tolist(), word)
        start += size
    rows: list[dict[str, Any]] = []
    ids = encoded.ids()
    for place, number in enumerate(ids):
        first, last = encoded.offsets[place].tolist()
        of = word_of[place]
        rows.append(
            {
                "token": text[first:last] or token_name(model, number),
                "id": number,
                "word": text[spans[of].start : spans[of].end] if of >= 0 else "",
                "number": of,
            }
        )
    return sizes, rows


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """How many tokens a text becomes, and which words are cut."""
    progress(f"load {query[MODEL]}", 0, 1)
    model, text = explorer.model(query[MODEL]).model, query["text"]
    (encoded,) = model.encode([text])
    spans = words_of(text)
    if not len(encoded) or not spans:
        raise UserError(f"there is no word in {text[:60]!r}; write a sentence")
    sizes, rows = _pieces(model, encoded, text)
    ids = encoded.ids()
    cut = [text[span.start : span.end] for span, size in zip(spans, sizes, strict=True) if size > 1]
    longer = [text[span.start : span.end] for span in spans if span.end - span.start > 1]
    letters = bool(longer) and len(cut) == len(longer)
    option = 2 if letters else 1 if cut else 0
    verdict = Verdict.FAILS if letters else Verdict.WORKS if cut else Verdict.PARTLY
    said = f"{widgets.plain(model.name)} reads this as **{len(ids)} tokens** for {len(spans)} words. "
    if letters:
        said += (
            "It cuts every word into its letters: it was made to turn spelling into sounds, and needs no list of words."
        )
    elif cut:
        worst = int(sizes.argmax())
        rare = text[spans[worst].start : spans[worst].end]
        said += (
            f"Frequent words are whole; **{widgets.plain(rare)}** is rare enough to be cut into {int(sizes[worst])}."
        )
    else:
        said += "Every word here is frequent enough to be whole. Put in a rare word or a name, and see it cut."
    single = [place for place, row in enumerate(rows) if row["number"] >= 0 and sizes[row["number"]] == 1]
    whole = max(single, key=lambda place: len(str(rows[place]["token"])), default=0)
    number = ids[whole]
    beside = [token_name(model, n).strip() for n in (number - 1, number + 1) if 0 <= n < len(model.input_table)]
    said += (
        f"\n\n**{widgets.plain(str(rows[whole]['token']))}** has the id **{number}**: its row in a table of "
        f"{len(model.input_table):,}. "
        f"The number means nothing: the rows beside it are {' and '.join(widgets.plain(name) for name in beside)}."
    )
    return LessonResult(
        verdict,
        said,
        option,
        [{key: row[key] for key in ("token", "id", "word")} for row in rows],
        f"from polysema.app.explorer import Explorer\n\nmodel = Explorer().model({model.name!r}).model\n(encoded,) = "
        f"model.encode([{text!r}])\n"
        "print(encoded.ids())      # what the model is given\nprint(encoded.offsets)    # which characters each "
        "id stands for",
        "A tokenizer is made before the model: it keeps frequent strings whole and spells the others from pieces "
        "(byte-pair encoding or "
        "WordPiece). The model never sees letters, only the ids.",
        rows,
    )


def draw(found: LessonResult, key: str) -> None:
    """The tokens as chips, those of one word in one color."""
    rows = found.shown[:MAX_PIECES]
    chips(
        [
            (visible(row["token"]), str(row["id"]), "off" if row["number"] < 0 else "ab"[row["number"] % 2])
            for row in rows
        ],
        "The tokens with their ids",
        f"{key}_tokens",
    )
