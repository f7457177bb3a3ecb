"""A text while it is written: its steps come one by one, are shown as they come, and stay where it is stopped."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

import streamlit as st

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.app.dashboard.writing.step_charts import text_html
from polysema.core.inside.generation_results import DecodingOptions, GeneratedText, GenerationStep
from polysema.core.progress import Progress

N_CANDIDATES = 8
MAX_TEXTS = 64
SECONDS = 0.4  # between two looks at what has come


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


@st.cache_resource(show_spinner=False, max_entries=1)
def _steps_so_far() -> OrderedDict[Hashable, list[GenerationStep]]:
    return OrderedDict()


def _begun(key: Hashable) -> list[GenerationStep]:
    """The steps of a text so far, shared by all who look at it; those of the oldest texts are forgotten."""
    every = _steps_so_far()
    steps = every.setdefault(key, [])
    while len(every) > MAX_TEXTS:
        every.popitem(last=False)
    return steps


def written(wanted: Written, joined: bool) -> WrittenText | None:
    """The text, or None while it is written or where it was stopped: then what has come is shown, token by token."""
    key = ("write", *wanted)
    place = st.container()
    found = work.answer(key, lambda progress: _write(wanted, key, progress))
    if found is None:
        job = widgets.jobs().find(key)
        alive = job is not None and job.pending and not job.stopping
        with place:
            st.fragment(run_every=SECONDS if alive else None)(_show)(key, wanted.text, joined)
    return found


def _write(wanted: Written, key: Hashable, progress: Progress) -> WrittenText:
    widgets.check_length(wanted.text)
    steps = _begun(key)
    steps.clear()
    generation = widgets.explorer().model(wanted.model).generation
    for one in generation.stream(wanted.text, wanted.n, N_CANDIDATES, wanted.options):
        if isinstance(one, GeneratedText):
            return WrittenText(one, tuple(steps))
        steps.append(one)
        progress("write", len(steps), wanted.n)
    raise AssertionError("a stream ends with the whole text")


def _show(key: Hashable, prompt: str, joined: bool) -> None:
    """What has come so far."""
    steps = list(_steps_so_far().get(key, ()))
    if not steps:
        return
    if steps[-1].beams:  # the best beam of a step may go on another one than that of the step before
        st.markdown(widgets.plain(steps[-1].text))
    else:
        st.html(text_html(prompt, steps, joined))
    st.caption(f"{len(steps)} tokens so far")
