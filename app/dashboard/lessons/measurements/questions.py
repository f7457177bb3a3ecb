"""Measurements of understanding: questions with one right answer, and sentences whose meaning is turned round."""

from itertools import takewhile
from math import prod
from typing import Any

from polysema.app.dashboard.lessons.chips import visible
from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput, lines_of
from polysema.app.dashboard.picker.choices import family_of
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from polysema.core.space.metric import cosine
from polysema.core.space.space import Family

FIGURES = ("right", "questions", "share", "wrong", "wrong_answer", "wrong_probability", "right_answer")
MEANINGS = ("changed_cosine", "same_cosine", "difference")
MAX_QUESTIONS, N_WORDS, N_LOOKED = 24, 10, 5


def questions(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """How many questions a model answers right: each a beginning, or a text with a gap, and behind a = its answer, or
    several with `or` between them.
    """
    name = query[MODEL]
    given = [_split(line) for line in lines_of(query["questions"])]
    if not 1 <= len(given) <= MAX_QUESTIONS:
        raise UserError(f"write from 1 to {MAX_QUESTIONS} questions, a line each, with the answer behind a =")
    rows: list[dict[str, Any]] = []
    for number, (text, answer) in enumerate(given):
        progress("ask", number, len(given))
        said = _said(explorer, name, text)
        wanted = {one.strip().lower() for one in answer.split(" or ")}
        place = next((n for n, (word, _) in enumerate(said, 1) if word.lower() in wanted), 0)
        first, probability = said[0]
        rows.append(
            {"question": text, "right": answer, "says": first, "probability": probability}
            | {"rank of the right one": str(place) if place else f"> {len(said)}", "is right": place == 1}
        )
    wrong = max((row for row in rows if not row["is right"]), key=lambda row: row["probability"], default=None)
    right = sum(row["is right"] for row in rows)
    return LessonFigures(
        {
            "right": float(right),
            "questions": float(len(rows)),
            "share": right / len(rows),
            "wrong": wrong["question"] if wrong else "(none)",
            "wrong_answer": wrong["says"] if wrong else "(none)",
            "wrong_probability": wrong["probability"] if wrong else 0.0,
            "right_answer": wrong["right"] if wrong else "(none)",
        },
        rows,
        _python(name, rows[0]["question"]),
        "The most probable next token (of a masked encoder the most probable word for the gap) is the answer; none is "
        "drawn by chance. The probability is the model’s own.",
        LessonChart("bars", "question", "probability", "How sure the model is of what it says", "is right"),
    )


def _split(line: str) -> tuple[str, str]:
    text, sign, answer = line.rpartition("=")
    if not sign or not text.strip() or not answer.strip():
        raise UserError(
            f"a question is a text and its answer behind a =, such as “Two and two is ___. = four”; got {line[:60]!r}"
        )
    return text.strip(), answer.strip()


def _said(explorer: Explorer, name: str, text: str) -> list[tuple[str, float]]:
    """The words that the model finds most probable there, with their probabilities."""
    model = explorer.model(name)
    if family_of(name) is Family.ENCODER:
        if "___" not in text and "[MASK]" not in text:
            raise UserError(f"{name} fills gaps: write ___ where the answer is missing; got {text[:60]!r}")
        return [(one.word, one.probability) for one in model.generation.fill(text, N_WORDS, 1).gaps[0].words]
    start = text.split("___")[0].rstrip()
    found = model.generate(start, N_LOOKED, N_WORDS)
    if not found.steps:
        raise UserError(f"{name} writes nothing after {start[:60]!r}")
    # some write the space before a number as a token of its own: the answer is what comes then
    step = next((one for one in found.steps if one.token.strip()), found.steps[0])
    said = [(visible(one.token), one.probability) for one in step.candidates]
    if step.token.strip().isdigit():  # of a number each digit may be a token: what they make together is the answer
        digits = [step, *takewhile(lambda one: one.token.isdigit(), found.steps[step.number + 1 :])]
        number = "".join(one.token for one in digits).strip()
        said[0] = (number, prod(one.probability for one in digits))
    return said


def _python(name: str, text: str) -> str:
    begin = f"from polysema.app.explorer import Explorer\n\nmodel = Explorer().model({name!r})\n"
    if family_of(name) is Family.ENCODER:
        return (
            begin
            + f"for one in model.generation.fill({text!r}, 5, 1).gaps[0].words:\n    print(one.word, one.probability)"
        )
    start = text.split("___")[0].rstrip()
    return (
        begin
        + f"for one in model.generate({start!r}, 1, 5).steps[0].candidates:\n    print(one.token, one.probability)"
    )


def meanings(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """How alike a model finds a sentence and one that says the opposite, beside one that says the same otherwise."""
    name = query[MODEL]
    texts = [query["text"], query["changed"], query["same"]]
    progress(f"load {name}", 0, 1)
    vectors = explorer.model(name).embed(texts, unit="sentences", pooling="own").vectors
    changed, same = cosine(vectors[0], vectors[1]), cosine(vectors[0], vectors[2])
    return LessonFigures(
        {"changed_cosine": changed, "same_cosine": same, "difference": changed - same},
        [
            {"sentence": texts[1], "cosine": changed, "says": "the opposite"},
            {"sentence": texts[2], "cosine": same, "says": "the same"},
        ],
        f"from polysema.app.explorer import Explorer\nfrom polysema.core.space.metric import cosine\n\nvectors = "
        f"Explorer().model({name!r}).embed({texts!r}, unit='sentences', pooling='own').vectors\n"
        "print(cosine(vectors[0], vectors[1]), cosine(vectors[0], vectors[2]))",
        "The cosine of the vectors of whole sentences, as the model’s own recipe makes them.",
        LessonChart("bars", "sentence", "cosine", "How alike the sentences are to the first"),
    )
