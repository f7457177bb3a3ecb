"""A measurement of what a text costs: products, memory and time of one pass against its length."""

from polysema.app.dashboard.lessons.lesson import MODEL, LessonChart, LessonFigures, LessonInput, words_in
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.length_cost import cost_by_length
from polysema.core.progress import Progress

FIGURES = (
    "shortest",
    "longest",
    "times_length",
    "times_flops",
    "times_attention",
    "times_memory",
    "attention_share",
    "memory",
)


def cost(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonFigures:
    """One pass at each of some lengths, and how much the shortest and the longest differ."""
    name = query[MODEL]
    given = words_in(query["lengths"])
    wrong = [one for one in given if not one.isdecimal()]
    if wrong or len(given) < 2:
        raise UserError(
            f"lengths are two or more whole numbers of tokens, such as 16, 64, 256; got {query['lengths']!r}"
        )
    lengths = sorted(int(one) for one in given)
    progress(f"load {name}", 0, len(lengths))
    found = cost_by_length(explorer.model(name).internals.on_torch(), lengths, progress)
    first, last = found[0], found[-1]
    rows = [
        {"tokens": one.n_tokens, "FLOPs": n, "part": part, "milliseconds": round(one.milliseconds, 2)}
        | {"bytes of one table": one.attention_bytes}
        for one in found
        for part, n in (("all products", one.flops), ("between tokens", one.attention_flops))
    ]
    return LessonFigures(
        {
            "shortest": float(first.n_tokens),
            "longest": float(last.n_tokens),
            "times_length": last.n_tokens / first.n_tokens,
            "times_flops": last.flops / first.flops,
            "times_attention": last.attention_flops / max(first.attention_flops, 1),
            "times_memory": last.attention_bytes / max(first.attention_bytes, 1),
            "attention_share": last.attention_flops / last.flops,
            "memory": float(last.attention_bytes),
        },
        rows,
        "from polysema.app.explorer import Explorer\nfrom polysema.core.inside.length_cost import cost_by_length\n\n"
        f"model = Explorer().model({name!r}).internals.on_torch()\nfor one in cost_by_length(model, {lengths!r}):\n"
        "    print(one.n_tokens, one.flops, one.attention_flops, one.attention_bytes, one.milliseconds)",
        "FLOPs are counted by torch while the pass runs, two for each multiplication with its addition; the table is "
        "the largest of all tokens by all tokens that plain attention laid out; milliseconds the median of three.",
        LessonChart("lines", "tokens", "FLOPs", "FLOPs of one pass against the number of tokens", "part", log=True),
    )
