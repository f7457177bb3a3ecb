"""A measurement of the four architectures: one sentence through each, with what it is built of and what it costs."""

from typing import Any

from polysema.app.dashboard.lessons.lesson import LessonChart, LessonFigures, LessonInput
from polysema.app.dashboard.picker import choices
from polysema.app.explorer import Explorer
from polysema.app.explorer.inside_options import text_for
from polysema.core.inside.families import COMPARED_MODELS, family_run
from polysema.core.inside.family_card import family_card
from polysema.core.model.catalog import READABLE
from polysema.core.progress import Progress
from polysema.core.space.space import Family

FIGURES = ("models", "causal", "both_sides", "two_stacks", "largest", "largest_parameters", "smallest", "translation")


def architectures(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """A BERT, a decoder, the Transformer of 2017 and a T5, as far as they are here."""
    here = choices.models(READABLE)
    names, written = [name for name in COMPARED_MODELS if name in here], ""
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        progress(f"run {name}", number, len(names))
        model = explorer.model(name).internals.on_torch()
        text = text_for(model, query["text"])
        run, card = family_run(model, text), family_card(model, text)
        sees = "both sides" if model.family is Family.ENCODER else "the left side alone"
        if model.family is Family.ENCODER_DECODER:
            sees = "the source whole, of its own text the left side"
        written = explorer.model(name).generate(text).text if name == "marian-en-fr" else written
        rows.append(
            {"model": name, "family": run.family.value, "sees": sees, "task": card.task, "norms": card.norms}
            | {"positions": card.positions, "parameters": card.n_parameters, "megaFLOPs": round(card.flops / 1e6, 3)}
            | {"milliseconds": round(card.milliseconds, 2), "ends in": run.ends}
        )
    kinds = [row["family"] for row in rows]
    largest, smallest = (pick(rows, key=lambda row: row["parameters"]) for pick in (max, min))
    return LessonFigures(
        {
            "models": float(len(rows)),
            "causal": float(kinds.count(Family.DECODER.value)),
            "both_sides": float(kinds.count(Family.ENCODER.value)),
            "two_stacks": float(kinds.count(Family.ENCODER_DECODER.value)),
            "largest": largest["model"],
            "largest_parameters": float(largest["parameters"]),
            "smallest": smallest["model"],
            "translation": written,
        },
        rows,
        f"from polysema.app.explorer import Explorer\n\nfor run in Explorer().compare_families({query['text']!r}, "
        f"{names!r}):\n    print(run.model, run.family.value, run.ends)",
        "FLOPs (two for each multiplication with its addition) and milliseconds are of one pass, measured here now.",
        LessonChart("bars", "model", "parameters", "Parameters of each model"),
    )
