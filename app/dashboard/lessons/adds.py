"""What the MLP adds: which part of the model says the word."""

from polysema.app.dashboard import widgets
from polysema.app.dashboard.lessons.adds_picture import FeatureShift, _compare
from polysema.app.dashboard.lessons.chips import visible
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
    lines_of,
)
from polysema.app.explorer import Explorer
from polysema.core.inside.attribution import Attribution, contributions
from polysema.core.inside.lens import Lens, LensView, lens
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress

GROUPS = {"embedding": 0, "head": 1, "cross head": 1, "mlp": 2, "bias": 0}
NAMES = ("the embedding", "the attention heads", "the MLPs")
N_NEAREST = 10


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


def _sums_by_layer(found: Attribution) -> dict[tuple[int, str], float]:
    """What the attention and the MLP of each layer add."""
    by_layer: dict[tuple[int, str], float] = {}
    for part in found.parts:
        if part.layer and part.kind != "bias":
            where = (part.layer, "MLP" if part.kind == "mlp" else "attention")
            by_layer[where] = by_layer.get(where, 0.0) + part.value
    return by_layer


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


def _prediction(text: str, word: str, model: str, found: tuple[float, int, tuple[tuple[str, float], ...]]) -> str:
    """How likely the word is as the next, and what the model says first."""
    probability, rank, best = found
    said = (
        f"After “{widgets.plain(text)}” {widgets.plain(model)} gives **{word}** a probability of "
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
    return said


def _way(steps: Lens, at: int) -> list[dict[str, object]]:
    """The rank and probability of the word after the attention and the MLP of each layer, at one token."""
    points = {"attention": "after attention", "mlp": "after the MLP", "embedding": "embedding"}
    return [
        {
            "layer": layer + (-0.5 if point == "attention" else 0),
            "block": layer,
            "read": points[point],
            "rank": int(steps.ranks[step, at, 0]),
            "probability": float(steps.followed[step, at, 0]),
        }
        for step, (layer, point) in enumerate(steps.steps)
    ]


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """The score of a word, part by part and layer by layer."""
    name, text, word = query[MODEL], query["text"], query["word"]
    progress(f"load {name}", 0, 4)
    model = explorer.model(name).internals.on_torch()
    given, source = _given(model, text)
    progress("take the score apart", 1, 4)
    at = _place(model)
    found = contributions(model, given, word, source=source, at=at)
    sums = sums_of(found)
    by_layer = _sums_by_layer(found)
    progress("look between the layers", 2, 4)
    steps = lens(model, given, None, [word], source, LensView(("attention", "mlp"), 1, at=at))
    way = _way(steps, at)
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
    said = _prediction(text, w, name, (probability, rank, best))
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
        f"contributions\n\nmodel = Explorer().model({name!r}).internals.on_torch()\n"
        f"found = contributions(model, {given!r}, {word!r}, source={source!r}, at={at})\nprint(found.score, "
        "sum(p.value for p in found.parts if p.kind == 'mlp'))",
        "Direct contributions: each part’s vector through the last norm (its scale frozen) and the row of the "
        "word in the output table (Elhage et al. 2021). They add up to the score. "
        "The rank on the way reads each state as if it were the last (the logit lens).",
        FeatureShift(name, word, layers, way, best, tuple(controls)),
    )
