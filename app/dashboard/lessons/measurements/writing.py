"""Measurements of writing: the next word with its rivals, and what a temperature does to a text."""

from typing import Any

from polysema.app.dashboard.lessons.chips import visible
from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput, words_in
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.generation_results import DecodingOptions
from polysema.core.progress import Progress

NEXT_WORD = ("first", "probability", "second", "second_probability", "entropy", "rank", "word_probability", "text")
TEMPERATURE = ("coldest", "hottest", "cold_texts", "hot_texts", "cold_surety", "hot_surety", "cold_text", "hot_text")
N_CANDIDATES, N_WRITTEN, N_DRAWS = 10, 12, 5
MAX_TEMPERATURES = 6


def next_word(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """What a model would write next, how open the place is, and where an expected word stands."""
    name, text, word = query[MODEL], query["text"], query["word"]
    progress(f"load {name}", 0, 1)
    found = explorer.model(name).generate(text, N_WRITTEN, N_CANDIDATES, progress=progress)
    if not found.steps:
        raise UserError(f"{name} writes nothing after {text[:60]!r}: write another beginning")
    step = found.steps[0]
    names = [visible(one.token) for one in step.candidates]
    rank = next((place for place, one in enumerate(names, 1) if one.lower() == word.strip().lower()), 0)
    values: dict[str, str | float] = {
        "first": names[0],
        "probability": step.candidates[0].probability,
        "second": names[1],
        "second_probability": step.candidates[1].probability,
        "entropy": step.entropy,
        "rank": float(rank),
        "word_probability": step.candidates[rank - 1].probability if rank else 0.0,
        "text": found.text,
    }
    return LessonFigures(
        values,
        [{"token": shown, "probability": one.probability} for shown, one in zip(names, step.candidates, strict=True)],
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).generate({text!r}, "
        f"{N_WRITTEN}, {N_CANDIDATES})\nfor one in found.steps[0].candidates:\n    print(one.token, one.probability)\n"
        "print(found.text)",
        f"The probabilities that {name} gives every token of its list, after this text; what is written takes the most "
        "probable one each time (greedy).",
        LessonChart("bars", "token", "probability", "The most probable next tokens"),
    )


def temperature(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """The same beginning, gone on with several times at each of some temperatures."""
    name, text = query[MODEL], query["text"]
    chosen = sorted(_number(one) for one in words_in(query["temperatures"]))
    if not 2 <= len(chosen) <= MAX_TEMPERATURES:
        raise UserError(f"give from 2 to {MAX_TEMPERATURES} temperatures, such as 0.2, 1, 2; got {len(chosen)}")
    model, rows = explorer.model(name), list[dict[str, Any]]()
    for number, one in enumerate(chosen):
        for seed in range(N_DRAWS):
            progress("write", number * N_DRAWS + seed, len(chosen) * N_DRAWS)
            found = model.generate(text, N_WRITTEN, 1, DecodingOptions(temperature=one, top_k=0, seed=seed))
            rows.append({"temperature": one, "seed": seed, "text": found.text, "surety": found.surety})
    cold, hot = ([row for row in rows if row["temperature"] == one] for one in (chosen[0], chosen[-1]))
    values: dict[str, str | float] = {"coldest": chosen[0], "hottest": chosen[-1]}
    for what, some in (("cold", cold), ("hot", hot)):
        values[f"{what}_texts"] = float(len({row["text"] for row in some}))
        values[f"{what}_surety"] = sum(row["surety"] for row in some) / len(some)
        values[f"{what}_text"] = some[0]["text"] or "(nothing)"
    return LessonFigures(
        values,
        rows,
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.generation_results import "
        f"DecodingOptions\n\nmodel = Explorer().model({name!r})\nfor temperature in {chosen!r}:\n"
        f"    for seed in range({N_DRAWS}):\n        options = DecodingOptions(temperature=temperature, top_k=0, "
        f"seed=seed)\n        print(temperature, seed, model.generate({text!r}, {N_WRITTEN}, 1, options).text)",
        "A temperature divides the logits before the softmax; the token is drawn from what comes out. The surety is "
        "the geometric mean of the probabilities that the model itself (temperature 1) gave the drawn tokens.",
        LessonChart("bars", "text", "surety", "How probable each text was to the model", "temperature"),
    )


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise UserError(f"a temperature is a number such as 0.7; got {text[:40]!r}") from None
    if not 0 < found <= 100:
        raise UserError(f"a temperature is above 0 and at most 100; got {text[:40]}")
    return found
