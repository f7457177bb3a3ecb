"""Measurements of the pre-training tasks of 2017 and 2018: filling a gap, and translating."""

from typing import Any

import numpy as np

from polysema.app.dashboard.lessons.chips import visible
from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.progress import Progress

FIGURES = ("first", "probability", "second", "rank", "word_probability", "blind_first", "blind_probability")
TRANSLATION = (
    "translation",
    "other_translation",
    "source_tokens",
    "handed_over",
    "dim",
    "most_at",
    "written",
    "share",
    "typical_share",
)
N_WORDS, MAX_NEW_TOKENS = 10, 40


def fill(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """The words for a gap, with both sides in sight and with the left side alone."""
    name, text, word = query[MODEL], query["text"], query["word"]
    progress(f"load {name}", 0, 2)
    handle = explorer.model(name).generation
    found = handle.fill(text, N_WORDS, 1, progress=progress)
    if len(found.gaps) != 1:
        raise UserError(f"this lesson is about one gap, written ___; the text has {len(found.gaps)}")
    words = found.gaps[0].words
    left = text[: text.index(_mark(text))] + "___."
    blind = handle.fill(left, N_WORDS, 1).gaps[0].words
    rank = next((place for place, one in enumerate(words, 1) if one.word.lower() == word.strip().lower()), 0)
    rows = [
        {"word": one.word, "probability": one.probability, "in sight": which}
        for which, some in (("both sides", words), ("left side alone", blind))
        for one in some
    ]
    return LessonFigures(
        {
            "first": words[0].word,
            "probability": words[0].probability,
            "second": words[1].word,
            "rank": float(rank),
            "word_probability": words[rank - 1].probability if rank else 0.0,
            "blind_first": blind[0].word,
            "blind_probability": blind[0].probability,
        },
        rows,
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).generation.fill({text!r}, "
        f"{N_WORDS}, 1)\nfor one in found.gaps[0].words:\n    print(one.word, one.probability)",
        f"The masked-word head of {name}; for the left side alone the text ends in a point after the gap.",
        LessonChart("bars", "word", "probability", "The words for the gap", "in sight"),
    )


def _mark(text: str) -> str:
    return next(mark for mark in ("[MASK]", "<mask>", "___") if mark in text)


def translate(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """What a translator writes for a sentence, where it looks for each token, and what it writes for another one."""
    name, text, other = query[MODEL], query["text"], query["other"]
    progress(f"load {name}", 0, 1)
    handle = explorer.model(name)
    found, beside = (handle.generate(one, MAX_NEW_TOKENS, 3, progress=progress) for one in (text, other))
    looks = np.array(found.cross_attention)
    if not len(looks):
        raise UserError(f"{name} writes nothing for {text[:60]!r}, or has no cross-attention: choose a translator")
    source = [visible(one) for one in found.prompt]
    rows: list[dict[str, Any]] = [
        {"written": visible(step.token), "probability": step.probability, "looks most at": source[int(row.argmax())]}
        | {"share": float(row.max())}
        for step, row in zip(found.steps, looks, strict=True)
        if not step.ends
    ]
    best = max(rows, key=lambda row: row["share"])
    return LessonFigures(
        {
            "translation": found.text,
            "other_translation": beside.text,
            "source_tokens": float(len(source)),
            "dim": float(handle.model.dim),
            "handed_over": float(len(source) * handle.model.dim),
            "written": best["written"],
            "most_at": best["looks most at"],
            "share": best["share"],
            "typical_share": float(np.median([row["share"] for row in rows])),
        },
        rows,
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).generate({text!r}, "
        f"{MAX_NEW_TOKENS}, 3)\nprint(found.text)\nfor step, row in zip(found.steps, found.cross_attention):\n"
        "    print(step.token, found.prompt[row.index(max(row))], max(row))",
        "The cross-attention of each step, the mean of all layers and heads; the encoder’s last states, one for each "
        "token of the source, are what the decoder looks at.",
        LessonChart("bars", "written", "share", "How much of its look each written token gives to one token"),
    )
