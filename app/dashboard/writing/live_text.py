"""A text while it is written: its steps come one by one, are shown as they come, and stay where it is stopped."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.decorators import cached_resource
from polysema.app.dashboard.writing.step_charts import best_tokens, lit_source, text_html
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
from polysema.core.inside.next_token import source_units
from polysema.core.progress import Progress

N_CANDIDATES = 8
MAX_TEXTS = 64
SECONDS = 0.4  # between two looks at what has come
FIRST_SECONDS = 0.2  # a text that takes no longer is shown whole at once


class Written(NamedTuple):
    """The request: the model, the text, how many tokens, and how they are chosen."""

    model: str
    text: str
    n: int
    options: DecodingOptions


class WrittenText(NamedTuple):
    """A text that is complete, and the steps as they came: of a beam search those of the best beam of the time."""

    text: GeneratedText
    steps: tuple[GenerationStep, ...]


@dataclass(slots=True)
class LiveText:
    """What has come of a text: the tokens of an encoder-decoder's source, and the steps."""

    source: tuple[str, ...] = ()
    steps: list[GenerationStep] = field(default_factory=list)


@cached_resource(1)
def _live_texts() -> OrderedDict[Hashable, LiveText]:
    return OrderedDict()


def _begin(key: Hashable) -> LiveText:
    """A text of which nothing has come, shared by all who look at it; the oldest texts are forgotten."""
    every = _live_texts()
    every[key] = LiveText()
    every.move_to_end(key)
    while len(every) > MAX_TEXTS:
        every.popitem(last=False)
    return every[key]


def written(wanted: Written, joined: bool) -> WrittenText | None:
    """The text, or None while it is written or where it was stopped: then what has come is shown, token by token."""
    key = ("write", *wanted)
    place = st.container()
    found = work.answer(key, lambda progress: _write(wanted, key, progress), FIRST_SECONDS)
    if found is None:
        job = widgets.jobs().find(key)
        alive = job is not None and job.pending and not job.stopping
        with place:
            st.fragment(run_every=SECONDS if alive else None)(_show)(key, wanted.text, joined)
    return found


def _write(wanted: Written, key: Hashable, progress: Progress) -> WrittenText:
    widgets.check_length(wanted.text)
    live = _begin(key)
    generation = widgets.explorer().model(wanted.model, progress=progress).generation
    model = generation.on_torch()
    if model.reads_two:
        live.source = tuple(unit.name for unit in source_units(model, wanted.text))
    for one in generation.stream(wanted.text, wanted.n, N_CANDIDATES, wanted.options, True):
        if isinstance(one, GeneratedText):
            return WrittenText(one, tuple(live.steps))
        live.steps.append(one)
        progress("write", len(live.steps), wanted.n)
    raise AssertionError("a stream ends with the whole text")


def _show(key: Hashable, prompt: str, joined: bool) -> None:
    """What has come so far; of an encoder-decoder with the source beside it, lit by the look of the last token."""
    live = _live_texts().get(key)
    steps = list(live.steps) if live is not None else []
    if live is None or not steps:
        return
    if live.source:
        tokens = best_tokens(steps)
        lit_source(live.source, steps[-1].cross_attention, tokens, len(tokens) - 1)
    elif steps[-1].beams:  # the best beam of a step may go on another one than that of the step before
        st.markdown(widgets.plain(steps[-1].text))
    else:
        st.html(text_html(prompt, steps, joined))
    st.caption(f"{len(steps)} tokens so far")
