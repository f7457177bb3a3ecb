"""The page Contexts: layer by layer, clusters against senses, and the occurrences like one of them."""

import math

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.clickable import ListedRow, clickable_list, occurrence_rows
from polysema.app.dashboard.components.scatter import Selection
from polysema.app.dashboard.contexts.focus import look_at, look_at_hit
from polysema.app.dashboard.contexts.words import WordChoice
from polysema.app.dashboard.series import lines
from polysema.app.dashboard.sharing import page_record
from polysema.app.explorer import OccurrenceOptions
from polysema.app.explorer.results import OccurrenceHit, WordMap
from polysema.core.measure.sense_clusters import SenseClusters
from polysema.core.model.tokens import find_words

MAX_SHOWN_TEXTS = 60  # sentences


def curves(found: WordMap, layer: int) -> None:
    """How alike two occurrences are at each layer: within a sense, between senses, and two words at random."""
    names = {"same sense": found.within, "other sense": found.between, "random words": found.baselines}
    if all(map(math.isnan, found.between)):  # no senses, or one
        names = {"its occurrences": found.within, "random words": found.baselines}
    table = pd.DataFrame(
        [
            {"layer": at, "pair": name, "cosine": value}
            for name, values in names.items()
            for at, value in zip(found.layers, values, strict=True)
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
        y=alt.Y("cosine:Q", title="mean cosine"),
    )
    rule = alt.Chart(pd.DataFrame({"layer": [layer]})).mark_rule(strokeDash=[4, 4], color="#8b94a0").encode(x="layer:Q")
    downloads.chart(
        (lines(base, "pair", list(names), columns=2) + rule).properties(height=320),
        "Mean cosine of two occurrences by layer: of one sense, of two senses, of random words",
    )
    downloads.numbers(
        [{str(name): value for name, value in row.items()} for row in table.to_dict("records")], "cosines"
    )
    place = found.layers.index(layer)
    within, between = found.within[place], found.between[place]
    said = f"At **layer {layer}** two occurrences of {widgets.plain(found.word)} have cosine "
    if math.isnan(between):
        said += f"**{within:.2f}**" if not math.isnan(within) else "no mean: there is one"
    else:
        said += (
            f"**{within:.2f}** within a sense and **{between:.2f}** between senses (a gap of {within - between:.2f})"
        )
    widgets.say(f"{said}; two words at random have {found.baselines[place]:.2f}.")


def agreement(found: WordMap, clustered: SenseClusters, layer: int) -> None:
    """The clusters with their most typical sentence, which is looked at by a click, and how well they agree with the
    marked senses.
    """
    said = (
        f"At layer {layer} the vectors form **{len(clustered.clusters)} groups** by themselves; "
        f"{int((clustered.assigned < 0).sum())} of {len(clustered.assigned)} occurrences lie in none."
    )
    if not math.isnan(clustered.adjusted_rand):
        said += (
            f" Against the marked senses: adjusted Rand index **{clustered.adjusted_rand:.2f}**, V-measure "
            f"**{clustered.v_measure:.2f}** (0 by chance, 1 the same)."
        )
    widgets.say(said)
    places = {(text, start): row for row, (text, (start, _)) in enumerate(zip(found.texts, found.spans, strict=True))}

    def choose(row: object) -> None:
        if isinstance(row, int):
            look_at(found, row)

    listed, rows = [], []
    for number, cluster in enumerate(clustered.clusters, 1):
        example = clustered.texts[cluster.central]
        there = places.get((example, clustered.starts[cluster.central]))
        listed.append(ListedRow(f"{cluster.name} ({len(cluster.rows)})", f"such as “{example}”", None, there))
        rows += [
            {"cluster": number, "name": cluster.name, "text": clustered.texts[row], "start": clustered.starts[row]}
            for row in cluster.rows
        ]
    clickable_list(listed, "clusters", choose)
    downloads.numbers(rows, "clusters")


def table(found: WordMap, selected: Selection) -> None:
    """The sentences that are selected, or all."""
    rows = [row for row in selected.rows if row < len(found.texts)] or list(range(len(found.texts)))
    chosen = bool(selected.count) and len(rows) < len(found.texts)
    widgets.say(
        f"**{len(rows)} sentences selected**"
        if chosen
        else f"**{len(rows)} sentences**: click a point, or draw a lasso, to see only some"
    )

    def choose(row: object) -> None:
        if isinstance(row, int):
            look_at(found, row)

    listed = [ListedRow(found.texts[row], found.senses[row], None, row, found.spans[row]) for row in rows]
    clickable_list(listed[:MAX_SHOWN_TEXTS], "sentences", choose)
    if len(rows) > MAX_SHOWN_TEXTS:
        widgets.remark(f"The first {MAX_SHOWN_TEXTS} are shown; the file has all {len(rows)}.")
    downloads.numbers(
        [
            {
                "text": found.texts[row],
                "start": found.spans[row][0],
                "end": found.spans[row][1],
                "sense": found.senses[row],
            }
            for row in rows
        ],
        "sentences",
    )


def like_this(found: WordMap, choice: WordChoice, layer: int, row: int) -> None:
    """What was clicked: the words of the corpus, or the word's other occurrences in a collection, nearest to it."""
    text, (start, end) = found.texts[row], found.spans[row]
    if choice.texts is not None:
        _like_this_in_texts(found, choice, layer, row)
        return
    nth = sum(place.start <= start for place in find_words(text, text[start:end]))
    model = found.origin.source
    answer = work.answer(
        ("occurrence", text, text[start:end], model, layer, 6, nth),
        lambda progress: (
            widgets.explorer()
            .model(model, progress=progress)
            .occurrences(text[start:end], text, layer, 6 + 1, options=OccurrenceOptions(nth=nth), progress=progress)
        ),
    )
    if answer is None:
        return
    others = [hit for hit in answer.hits if (hit.text, hit.start) != (text, start)][:6]
    _chosen(layer, text, (start, end))

    def choose(hit: object) -> None:
        if isinstance(hit, OccurrenceHit):
            look_at_hit(found, layer, hit)

    clickable_list(occurrence_rows(others), "like_this", choose, answer.baseline)
    widgets.remark(f"Two words taken at random have cosine {answer.baseline:.3f} at this layer.")
    widgets.notes(answer)
    downloads.occurrences(others, "like_this")


def _like_this_in_texts(found: WordMap, choice: WordChoice, layer: int, row: int) -> None:
    text, (start, end) = found.texts[row], found.spans[row]
    model = found.origin.source
    answer = work.answer(
        ("like this", choice, model, layer, text, start),
        lambda progress: (
            widgets.explorer()
            .model(model, progress=progress)
            .senses.concordance(choice.word, _texts(found, row), layer, 1)
        ),
    )
    if answer is None:
        return
    others = [line for line in answer.lines if (line.text, line.start) != (text, start)][:6]
    _chosen(layer, text, (start, end))
    rows = {(text, start): row for row, (text, (start, _)) in enumerate(zip(found.texts, found.spans, strict=True))}

    def choose(row: object) -> None:
        if isinstance(row, int):
            look_at(found, row)

    listed = [
        ListedRow(one.text, "", one.cosine, rows.get((one.text, one.start)), (one.start, one.end)) for one in others
    ]
    clickable_list(listed, "like_this", choose, answer.baseline)
    widgets.remark(f"Two words taken at random have cosine {answer.baseline:.3f} at this layer.")
    downloads.numbers([{"cosine": one.cosine, "text": one.text} for one in others], "like_this")


def _texts(found: WordMap, row: int) -> list[str]:
    """The texts of the map, that of a row first: a word that stands in it twice is compared by its first place."""
    return list(dict.fromkeys([found.texts[row], *found.texts]))


def _chosen(layer: int, text: str, span: tuple[int, int]) -> None:
    """The occurrence that was chosen, above those that are like it."""
    st.html(f'<p class="ps-text">Nearest at layer {layer} to the one you chose: {widgets.marked(text, *span)}</p>')
    before, word, behind = (widgets.plain(part) for part in (text[: span[0]], text[slice(*span)], text[span[1] :]))
    page_record.text(f"Nearest at layer {layer} to the one you chose: {before}**{word}**{behind}")
