"""What the MLP adds: which part of the model says the word."""

from dataclasses import dataclass

import altair as alt
import pandas as pd
import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.lessons.chips import AMBER, TEAL, visible
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    Lesson,
    LessonField,
    LessonInput,
    LessonResult,
    LetterField,
    NextStep,
    Verdict,
    lines_of,
    writers,
)
from polysema.app.dashboard.series import COLORS, SHAPES
from polysema.app.explorer import Explorer
from polysema.core.inside.attribution import Attribution, contributions
from polysema.core.inside.lens import LensView, lens
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress

GROUPS = {"embedding": 0, "head": 1, "cross head": 1, "mlp": 2, "bias": 0}
NAMES = ("the embedding", "the attention heads", "the MLPs")
N_NEAREST = 10


@dataclass(frozen=True, slots=True, eq=False)
class FeatureShift:
    """Per layer what attention and MLP add; the word's rank on the way; the best next tokens; and the controls."""

    word: str
    layers: list[dict[str, object]]
    way: list[dict[str, object]]
    best: tuple[tuple[str, float], ...]
    controls: tuple[tuple[str, float, int, str], ...]


def _given(model: LanguageModel, text: str) -> tuple[str | None, str | None]:
    return (None, text) if model.reads_two else (text, None)


def _place(model: LanguageModel) -> int:
    return 0 if model.reads_two else -1  # of a letter model the first sound, else the next word


def says(model: LanguageModel, text: str, word: str, k: int = 1) -> tuple[float, int, tuple[tuple[str, float], ...]]:
    """A word's probability and rank as the next, and the k best."""
    query, source = _given(model, text)
    found = lens(model, query, [model.n_layers], [word], source, LensView(k=k, at=_place(model)))
    at = _place(model)
    best = zip(found.best[0, at].tolist(), found.scores[0, at].tolist(), strict=True)
    return (
        float(found.followed[0, at, 0]),
        int(found.ranks[0, at, 0]),
        tuple((visible(found.names[i]), float(s)) for i, s in best),
    )


def sums_of(found: Attribution) -> list[float]:
    """What the embedding, all heads and all MLPs add; see `NAMES`."""
    sums = [0.0, 0.0, 0.0]
    for part in found.parts:
        sums[GROUPS[part.kind]] += part.value
    return sums


def _against(model: LanguageModel, control: str, word: str, sums: list[float]) -> str:
    """Which parts make the difference between a text and another one."""
    query, source = _given(model, control)
    theirs = sums_of(contributions(model, query, word, source=source, at=_place(model)))
    more = [own - other for own, other in zip(sums, theirs, strict=True)]
    most = max(range(3), key=lambda group: more[group])
    return (
        f"Against “{widgets.plain(control)}” the score is {sum(more):+.2f}: from the embedding {more[0]:+.2f}, "
        "the attention heads "
        f"{more[1]:+.2f}, the MLPs {more[2]:+.2f}. "
        + (
            f"What is different about this text comes most from {NAMES[most]}."
            if sum(more) > 0
            else "So the text brings nothing."
        )
    )


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """The score of a word, part by part and layer by layer."""
    name, text, word = query[MODEL], query["text"], query["word"]
    progress(f"load {name}", 0, 4)
    model = explorer.inside(name)
    given, source = _given(model, text)
    progress("take the score apart", 1, 4)
    at = _place(model)
    found = contributions(model, given, word, source=source, at=at)
    sums = sums_of(found)
    by_layer: dict[tuple[int, str], float] = {}
    for part in found.parts:
        if part.layer and part.kind != "bias":
            where = (part.layer, "MLP" if part.kind == "mlp" else "attention")
            by_layer[where] = by_layer.get(where, 0.0) + part.value
    progress("look between the layers", 2, 4)
    steps = lens(model, given, None, [word], source, LensView(("attention", "mlp"), 1, at=at))
    points = {"attention": "after attention", "mlp": "after the MLP", "embedding": "embedding"}
    way: list[dict[str, object]] = [
        {
            "layer": layer + (-0.5 if point == "attention" else 0),
            "block": layer,
            "read": points[point],
            "rank": int(steps.ranks[step, at, 0]),
            "probability": float(steps.followed[step, at, 0]),
        }
        for step, (layer, point) in enumerate(steps.steps)
    ]
    probability, rank, best = says(model, text, word, 8)
    controls = [(text, probability, rank, best[0][0])]
    others = lines_of(query["others"])[:8]
    for number, other in enumerate(others):
        progress("read the other texts", number, len(others))
        p, r, top = says(model, other, word)
        controls.append((other, p, r, top[0][0]))
    option = max(range(3), key=lambda group: sums[group])
    verdict = Verdict.WORKS if rank == 1 and option == 2 else Verdict.PARTLY if rank <= N_NEAREST else Verdict.FAILS
    w = widgets.plain(word)
    said = (
        f"After “{widgets.plain(text)}” {widgets.plain(name)} gives **{w}** a probability of "
        f"**{probability:.1%}**: number **{rank:,}**. "
    )
    said += (
        "It does say it. "
        if rank == 1
        else f"What it says first is **{widgets.plain(best[0][0])}** ({best[0][1]:.1%}). "
        + (
            "The right word is near, but a model this small isn’t sure. "
            if rank <= N_NEAREST
            else "It does not know this, or not in these words. "
        )
    )
    said += (
        f"\n\nThe score (logit) of {w} is {found.score:.2f}: the embedding gives {sums[0]:+.2f}, all attention "
        f"heads {sums[1]:+.2f}, all MLPs **{sums[2]:+.2f}**. "
        f"So {NAMES[option]} add most"
    )
    if by_layer:
        (layer, kind), value = max(by_layer.items(), key=lambda item: item[1])
        said += f"; the largest single step is the {kind} of layer {layer} ({value:+.2f})."
    else:
        said += "."
    if len(controls) > 1:
        said += "\n\n" + _compare(w, controls) + " " + _against(model, others[0], word, sums)
    if found.target.note:
        said += f"\n\n{widgets.plain(found.target.note[0].upper() + found.target.note[1:])}."
    layers: list[dict[str, object]] = [
        {"layer": layer, "part": kind, "adds": value} for (layer, kind), value in sorted(by_layer.items())
    ]
    rows = [{"part": p.name, "kind": p.kind, "layer": p.layer, "head": p.head, "adds": p.value} for p in found.parts]
    return LessonResult(
        verdict,
        said,
        option,
        rows,
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.attribution import "
        f"contributions\n\nmodel = Explorer().inside({name!r})\n"
        f"found = contributions(model, {given!r}, {word!r}, source={source!r}, at={at})\nprint(found.score, "
        "sum(p.value for p in found.parts if p.kind == 'mlp'))",
        "Direct contributions: each part’s vector through the last norm (its scale frozen) and the row of the "
        "word in the output table (Elhage et al. 2021). They add up to the score. "
        "The rank on the way reads each state as if it were the last (the logit lens).",
        FeatureShift(word, layers, way, best, tuple(controls)),
    )


def _compare(word: str, controls: list[tuple[str, float, int, str]]) -> str:
    """What the other texts give the same word."""
    own = controls[0][1]
    higher = [text for text, p, _, _ in controls[1:] if p >= own]
    if higher:
        return (
            f"Beware: {len(higher)} of the {len(controls) - 1} other texts give {word} at least as much, so it "
            "isn’t the name alone that brings it."
        )
    second = max(p for _, p, _, _ in controls[1:])
    times = own / second if second > 0 else float("inf")
    return (
        f"The other texts give {word} less, at most {second:.1%}: with this one it is {times:.1f} times as likely."
        + (" That is little: the name does some of it." if times < 2 else " So the text makes the difference.")
    )


def draw(found: LessonResult, key: str) -> None:
    """What each layer adds, the rank on the way, the next words, and the other texts."""
    shown: FeatureShift = found.shown
    bars = (
        alt.Chart(pd.DataFrame(shown.layers))
        .mark_bar()
        .encode(
            x=alt.X("layer:O", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            xOffset=alt.XOffset("part:N", sort=["attention", "MLP"]),
            y=alt.Y("adds:Q", title="adds to the score"),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=["attention", "MLP"], range=[AMBER, TEAL]),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=["layer", "part", alt.Tooltip("adds:Q", format="+.3f")],
        )
        .properties(height=250)
    )
    line = (
        alt.Chart(pd.DataFrame(shown.way))
        .mark_line(color="#8b94a0", strokeWidth=1)
        .encode(
            x=alt.X("layer:Q", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("rank:Q", scale=alt.Scale(type="log", reverse=True), title="rank (1 is the best)"),
        )
    )
    dots = (
        alt.Chart(pd.DataFrame(shown.way))
        .mark_point(filled=True, size=45)
        .encode(
            x="layer:Q",
            y=alt.Y("rank:Q", scale=alt.Scale(type="log", reverse=True)),
            color=alt.Color(
                "read:N",
                scale=alt.Scale(domain=["embedding", "after attention", "after the MLP"], range=list(COLORS)),
                legend=alt.Legend(orient="top", title=None),
            ),
            shape=alt.Shape(
                "read:N",
                scale=alt.Scale(domain=["embedding", "after attention", "after the MLP"], range=list(SHAPES)),
                legend=alt.Legend(orient="top", title=None),
            ),
            tooltip=[alt.Tooltip("block:Q", title="layer"), "read", "rank", alt.Tooltip("probability:Q", format=".4f")],
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**What each layer adds to the score**")
        downloads.chart(bars, "What attention and the MLP of each layer add")
    with right:
        st.markdown("**Its rank on the way through the layers**")
        downloads.chart((line + dots).properties(height=250), "The rank of the word, layer by layer")
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**What it would say next**")
        widgets.bars(shown.best, "token", label="prob.")
        downloads.ranked(shown.best, f"{key}_next", "token", "probability")
    with right:
        st.markdown(f"**“{widgets.plain(shown.word)}” after other texts**")
        rows = [(f"{text} … (first: {top})", p) for text, p, _, top in shown.controls]
        widgets.bars(rows, "text", label="prob.")
        downloads.numbers(
            [{"text": text, "probability": p, "rank": rank, "first": top} for text, p, rank, top in shown.controls],
            f"{key}_controls",
            "Other texts (CSV)",
        )


LESSON = Lesson(
    name="mlp",
    chapter="Inside a block",
    title="What the MLP adds",
    idea="After attention has fetched something from other words, the MLP of the block works on each word alone. Much "
    "of what a model “knows” seems to be stored there: given “Michael Jordan”, something has to add “basketball”.",
    question="“The sport that Michael Jordan played is …”: which parts add most to the score of “basketball”?",
    options=("The embedding (the table)", "The attention heads", "The MLPs"),
    claim="The model says the word, and its MLPs put it there.",
    fields=(
        LessonField(MODEL, "Model", "Which model goes on with the text.", choices=writers),
        LessonField(
            "text",
            "Text",
            "The model says what comes next. One that reads letters says the first sound of a word.",
            "The sport that Michael Jordan played is",
            "phone",
        ),
        LessonField(
            "word", "Word to follow", "Whose score is taken apart; of several tokens the first.", "basketball", "F"
        ),
        LessonField(
            "others",
            "The same with something else, a line each",
            "What do they give the same word? Without this you can’t tell what the name does.",
            "The sport that my neighbor played is\nThe sport that Tiger Woods played is\nThe sport that Lionel "
            "Messi played is",
            "fone\nponder\ntelephone",
            lines=True,
            optional=True,
        ),
    ),
    check=check,
    draw=draw,
    reading="Bars upwards push the word, bars downwards push it away. On the right "
    "the word climbs to rank 1 at the top: "
    "watch whether it climbs after attention or after the MLP.",
    task="Take away the first name: “The sport that Jordan played is”. Then try a person the model can’t know.",
    presets={
        "Without the first name": {"text": "The sport that Jordan played is", "word": "basketball"},
        "Another person": {"text": "The sport that Tiger Woods played is", "word": "golf"},
        "A capital": {
            "text": "The capital of France is",
            "word": "Paris",
            "others": "The capital of Italy is\nThe capital is",
        },
    },
    traps=(
        "This counts only what a part adds directly. Earlier heads that carried the name to the last word get no "
        "credit (Elhage et al. 2021).",
        "Compare with other names. A word that is likely after any name tells nothing about Michael Jordan.",
        "Early layers weren’t trained to be read with the last layer’s table: ranks there mean little.",
        "Small models often fail here. smollm2-135m has 135 million parameters in 4-bit weights; its answers are "
        "shown as they are.",
    ),
    ways=(
        NextStep("inside", "Every head and MLP of it", lambda asked: {"see": "Contributions", "cm_in": asked[MODEL]}),
        NextStep("inside", "The lens, layer by layer", lambda asked: {"see": "Lens", "lm": asked[MODEL]}),
    ),
    sources=(
        "Geva et al. 2021, Transformer feed-forward layers are key-value memories",
        "Meng et al. 2022, Locating and editing factual associations in GPT",
        "nostalgebraist 2020, interpreting GPT: the logit lens",
    ),
    minutes=5,
    wants="smollm2-135m",
    letters=LetterField(
        "“phone”: which parts add most to the score of its first sound, F?",
        ("The embedding (the table)", "The attention heads", "The MLPs"),
        "Spell the same sound otherwise: “fone”, “pfone”. Which parts say F now?",
        {"Another spelling": {"text": "fone"}, "Another sound": {"text": "pound", "word": "P"}},
    ),
)
