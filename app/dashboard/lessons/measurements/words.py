"""Measurements of words: the neighbors of one, and two occurrences beside each other."""

from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput
from polysema.app.explorer import Explorer
from polysema.core.progress import Progress

NEIGHBORS = ("first", "cosine", "second", "rank", "other_cosine", "baseline")
COMPARISON = ("first_cosine", "last_cosine", "baseline", "layers")
N_NEIGHBORS = 12


def neighbors(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """The nearest words of a word, and where another word stands among all."""
    name, word, other = query["space"], query["word"], query["other"]
    progress(f"load {name}", 0, 1)
    space = explorer.space(name)
    found, beside = space.neighbors(word, k=N_NEIGHBORS), space.similarity([word], [other])
    return LessonFigures(
        {
            "first": found.neighbors[0].key,
            "cosine": found.neighbors[0].score,
            "second": found.neighbors[1].key,
            "rank": float(beside.rank or 0),
            "other_cosine": beside.cosine,
            "baseline": space.baseline,
        },
        [{"word": one.key, "cosine": one.score} for one in found.neighbors],
        f"from polysema.app.explorer import Explorer\n\nfor one in Explorer().space({name!r}).neighbors({word!r}, "
        f"k={N_NEIGHBORS}).neighbors:\n    print(one.key, one.score)",
        "The cosine of the words’ vectors; the baseline is that of two words at random.",
        LessonChart("bars", "word", "cosine", "The nearest words"),
    )


def compare(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """A word in two sentences, layer by layer."""
    name, word, texts = query[MODEL], query["word"], [query["first"], query["second"]]
    found = explorer.model(name).compare(word, texts, progress=progress)
    rows = [
        {"layer": one.layer, "cosine": value, "pair": pair}
        for one in found.layers
        for pair, value in (("the two occurrences", one.pairs[0]), ("random words", one.baseline))
    ]
    return LessonFigures(
        {
            "first_cosine": found.layers[0].pairs[0],
            "last_cosine": found.layers[-1].pairs[0],
            "baseline": found.layers[-1].baseline,
            "layers": float(len(found.layers) - 1),
        },
        rows,
        f"from polysema.app.explorer import Explorer\n\nfor one in Explorer().model({name!r}).compare({word!r}, "
        f"{texts!r}).layers:\n    print(one.layer, one.pairs[0], one.baseline)",
        "The cosine of the two hidden states at each layer, beside that of two words at random.",
        LessonChart("lines", "layer", "cosine", "How alike the two occurrences are, layer by layer", "pair"),
    )
