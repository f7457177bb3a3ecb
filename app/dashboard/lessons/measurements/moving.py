"""The measurement of the explained move: what carried a word from its static vector to its hidden state."""

from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput
from polysema.app.explorer import Explorer
from polysema.core.progress import Progress

FIGURES = (
    "moved",
    "length",
    "parts",
    "head",
    "head_value",
    "mover",
    "word",
    "word_value",
    "random",
    "shuffled",
    "random_share",
    "shuffled_share",
)


def explain(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """A word's move on an axis: by layer, by head and by the word that was attended to, beside its controls."""
    name, word, text, axis = (query[key] for key in (MODEL, "word", "text", "axis"))
    progress(f"load {name}", 0, 1)
    found = explorer.model(name).circuits.explain_move(word, text, axis)
    head = found.largest(1, ("head", "cross head"))[0]
    others = [one for one in found.sources if one.name.lower() != word.lower()]
    source = max(others, key=lambda one: abs(one.value))
    random, shuffled = found.controls[0], found.controls[-1]
    return LessonFigures(
        {
            "moved": found.moved,
            "length": found.length,
            "parts": float(len(found.parts)),
            "head": head.name,
            "head_value": head.value,
            "mover": head.mover,
            "word": source.name,
            "word_value": source.value,
            "random": random.spread,
            "random_share": random.share,
            "shuffled": shuffled.spread,
            "shuffled_share": shuffled.share,
        },
        [{"by": one.name, "adds": one.value, "most through": one.head} for one in found.sources]
        + [{"layer": one.layer, "layer adds": one.value, "reached": one.reached} for one in found.layers],
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).circuits.explain_move("
        f"{word!r}, {text!r}, {axis!r})\nfor one in found.sources:\n    print(one.name, one.value, one.head)",
        "Hidden state less static vector, taken apart into heads, MLPs, norms and biases, the norms’ scales frozen; "
        "of each head attention weight times value.",
        LessonChart("bars", "by", "adds", "What all heads took from each word, on the axis"),
    )
