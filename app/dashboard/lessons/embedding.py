"""Two meanings of the word embedding: the table's row, and what the model makes of a word or a text."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.clickable import ListedRow, clickable_list
from polysema.app.dashboard.inside.leads import look_at_heads
from polysema.app.dashboard.lessons.chips import chips
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
    lines_of,
)
from polysema.app.dashboard.series import lines
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.model.contextual import word_vectors
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import embed_sentences
from polysema.core.model.static import static_vector
from polysema.core.progress import Progress
from polysema.core.space.metric import cosine

ALIKE, RELATED = 0.99, 0.5


def _kinship(option: int, above_chance: bool) -> str:
    """How alike the row and the hidden state are; `above_chance`: clearly more than random ones."""
    return (
        "They are nearly the same vector here: in this model the two meanings fall together."
        if option == 0
        else "They are related, but not the same vector."
        if option == 1
        else "They are only distant relatives, though both are called the embedding of the word."
        if above_chance
        else "They are as good as strangers, though both are called the embedding of the word."
    )


def _kinds(model: LanguageModel, word: str, pieces: int) -> list[tuple[str, str]]:
    """The three things that are called an embedding, and how many there are of each."""
    return [
        (
            "The row",
            f"{model.input_table.shape[0]:,} in the table, one for each token"
            + (f"; of {word} the mean of {pieces}" if pieces > 1 else ""),
        ),
        ("The hidden state", f"one for each word of each text, at each of {model.n_layers + 1} layers"),
        ("The text’s vector", "one for each text: here the mean of the last layer’s tokens"),
    ]


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """The row, the hidden state and the text's vector beside each other; and texts found by the last."""
    name, word, text = query[MODEL], query["word"], query["text"]
    others = lines_of(query["others"])
    if len(others) < 2:
        raise UserError("give at least two texts to search among, a line each")
    progress(f"read with {name}", 0, 1)
    model = explorer.model(name).model
    row, pieces = static_vector(model, word)
    hidden = word_vectors(model, word, [text])
    baselines = explorer.model(name).senses.baselines(progress)
    states = hidden.vectors[:, 0]  # (n_layers + 1, dim)
    sentences = embed_sentences(model, [text, *others], (-1,), "mean")
    whole = sentences.vectors[0]
    same = [cosine(row, state) for state in states]
    last = same[-1]
    verdict = Verdict.FAILS if last >= ALIKE else Verdict.PARTLY if last >= RELATED else Verdict.WORKS
    option = 0 if last >= ALIKE else 1 if last >= RELATED else 2
    found = sorted(
        ((other, cosine(whole[0], vector)) for other, vector in zip(others, whole[1:], strict=True)),
        key=lambda item: -item[1],
    )
    w, m = widgets.plain(word), widgets.plain(name)
    said = (
        f"The **row** of {w} in the table of {m} and its **hidden state** in “{widgets.plain(text[:80])}” at the "
        f"last layer have cosine **{last:.2f}** "
        f"(two random hidden states: {baselines[-1]:.2f}). "
    )
    said += _kinship(option, last > baselines[-1] + 0.1)
    said += (
        f"\n\nThe vector of the **whole text** has cosine {cosine(row, whole[0]):.2f} with the row and "
        f"{cosine(states[-1], whole[0]):.2f} with the hidden state. "
        f"It is made for comparing texts: nearest to yours is “**{widgets.plain(found[0][0])}**” ({found[0][1]:.2f})."
    )
    rows = [
        {"layer": layer, "row with the hidden state": value, "random words": baseline}
        for layer, (value, baseline) in enumerate(zip(same, baselines, strict=True))
    ]
    return LessonResult(
        verdict,
        said,
        option,
        rows,
        "from polysema.app.explorer import Explorer\nfrom polysema.core.model.contextual import word_vectors\n"
        "from polysema.core.model.sentences import embed_sentences\n"
        "from polysema.core.model.static import static_vector\n"
        f"from polysema.core.space.metric import cosine\n\nmodel = Explorer().model({name!r}).model\n"
        f"row, pieces = static_vector(model, {word!r})\nstate = word_vectors(model, {word!r}, [{text!r}], "
        "[-1]).vectors[0, 0]\n"
        f"whole = embed_sentences(model, [{text!r}]).vectors[0, 0]\n"
        "print(cosine(row, state), cosine(row, whole), cosine(state, whole))",
        f"Cosines of vectors of {model.dim} numbers. {widgets.plain(hidden.origin.card())}.",
        (name, rows, found, _kinds(model, w, pieces), np.float64(model.dim)),
        widgets.notes_of(hidden, sentences),
    )


def draw(found: LessonResult, key: str) -> None:
    """The three kinds, the row's likeness by layer, and the texts found."""
    name, rows, texts, kinds, dim = found.shown
    chips(
        [(name, what, kind) for (name, what), kind in zip(kinds, ("off", "a", "b"), strict=True)],
        "Three vectors",
        f"{key}_kinds",
    )
    frame = pd.DataFrame(
        [
            {"layer": r["layer"], "pair": name, "cosine": r[name]}
            for r in rows
            for name in ("row with the hidden state", "random words")
        ]
    )
    names = ["row with the hidden state", "random words"]
    base = alt.Chart(frame).encode(
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("cosine:Q"),
        tooltip=["layer", "pair", alt.Tooltip("cosine:Q", format=".3f")],
    )
    drawn = lines(base, "pair", names).properties(height=320)
    left, right = st.columns(2, gap="medium")
    with left:
        widgets.say("**How much of the row is left, layer by layer**")
        downloads.chart(drawn, "Cosine of the table’s row with the hidden state, layer by layer")
    with right:
        widgets.say("**Texts found by the whole text’s vector**")
        listed = [ListedRow(text, "", score, text) for text, score in texts]
        clickable_list(listed, f"{key}_found_texts", lambda text: look_at_heads(name, str(text)))
        downloads.ranked(texts, f"{key}_texts", "text", "cosine")
        widgets.remark(f"All of them are {int(dim)} numbers wide: the width doesn’t tell you which kind you have.")
