"""Long work on a page: its progress with the time it may still take, cancel, and one line when it can't be done."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from polysema.app.dashboard import widgets
from polysema.app.dashboard.jobs import WatchedJob
from polysema.core.errors import UserError
from polysema.core.jobs import JobCancelledError
from polysema.core.progress import Progress

Result = TypeVar("Result")

QUICK_SECONDS = 0.6  # seconds in which an answer comes without a progress bar
YOUNG_SECONDS = 4.0  # seconds after which the progress of a job is updated less often
OFTEN, SELDOM = 0.7, 2.5  # seconds between two updates


def answer(
    key: Hashable,
    work: Callable[[Progress], Result],
    seconds: float = QUICK_SECONDS,
    box: str = "",
    fresh: Callable[[], object] = lambda: None,
) -> Result | None:
    """What `work` returns, or None while it runs (its progress is shown, and the page runs again when it is done, or
    when `fresh` says something else), when it was cancelled, or when it failed for a reason that is the user's (which
    is shown in a line; `box` is the key of the text box that holds the words).
    """
    if key in _stopped():
        offer_again(key)
        return None
    job = widgets.jobs().start(key, work)
    job.wait(seconds)
    return cast("Result | None", outcome(job, key, box, fresh))


def on_request(
    key: Hashable, work: Callable[[Progress], Result], pressed: bool, stopped: Callable[[], object] | None = None
) -> Result | None:
    """As `answer`, for work that changes something: it starts when it was `pressed`, not whenever the page runs, and
    one that failed is not tried again by itself. `stopped` shows what is left when it was cancelled.
    """
    query: set[Hashable] = st.session_state.setdefault("own_jobs", set())
    if pressed:
        _stopped().discard(key)
        before = widgets.jobs().find(key)
        if before is not None and not before.pending:
            widgets.jobs().forget(key)
        query.add(key)
        widgets.jobs().start(key, work).wait(QUICK_SECONDS)
    job = widgets.jobs().find(key)
    if job is None or key not in query:
        return None
    if job.pending and job.stopping:
        job.wait(5)  # it ends at its next step
    if job.pending:
        watch(job, None if job.stopping else key)
        return None
    return cast("Result | None", _ended(job, stopped))


def _ended(job: WatchedJob, stopped: Callable[[], object] | None) -> object:
    """The result of a job that has ended, or None with a line that says why there is none."""
    try:
        return job.result()
    except JobCancelledError:
        if stopped is not None:
            stopped()
        else:
            st.info("Cancelled. Nothing was changed.")
    except UserError as error:
        widgets.problem(error)
    return None


def dismiss(key: Hashable) -> None:
    """Stop showing the result of a job of this session."""
    st.session_state.setdefault("own_jobs", set()).discard(key)


def outcome(job: WatchedJob, key: Hashable = None, box: str = "", fresh: Callable[[], object] = lambda: None) -> object:
    """What a job returned, or None while it runs or when it failed: which is shown. Without a key it can't be
    cancelled.
    """
    if job.pending:
        watch(job, key, fresh=fresh)
        return None
    try:
        return job.result()
    except JobCancelledError:
        offer_again(key)
    except UserError as error:
        widgets.problem(error, box)
    return None


def watch(
    job: WatchedJob, key: Hashable = None, waits: bool = True, fresh: Callable[[], object] = lambda: None
) -> None:
    """Show how far a job is, with a button that cancels it, and run the page again when it is done.

    A session that only watches (not `waits`) doesn't keep the job from being cancelled by those who wait for it.

    A job of some seconds is updated less often: after each update Streamlit collects garbage in the whole process, and
    on a busy machine that would leave nothing for the work itself.
    """
    old = job.age > YOUNG_SECONDS
    st.fragment(run_every=SELDOM if old else OFTEN)(_show)(job, key, old, waits, _News(fresh))


class _News:
    """Whether there is something else to show than at first."""

    def __init__(self, fresh: Callable[[], object]):
        self._fresh, self._before = fresh, fresh()

    def there(self) -> bool:
        """Whether there is."""
        return self._fresh() != self._before


def _show(job: WatchedJob, key: Hashable, old: bool, waits: bool, news: _News) -> None:
    if not job.pending or (not old and job.age > YOUNG_SECONDS) or news.there():
        st.rerun()
    if waits:
        job.seen_by(_session())
    share = min(1.0, job.done / job.total) if job.total else 0.0
    left = job.left
    message = (f" {share:.0%}" if job.total > 1 else "") + (f", about {_time(left)} left" if left and left > 2 else "")
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    line.container(width="stretch").progress(share, text=f"One moment: {job.stage} …{message}")
    if key is not None and line.container(width="content").button(
        "Cancel", key=f"cancel_{hash(key)}", help="Stop this work."
    ):
        job.leave(_session())
        _stopped().add(key)
        st.rerun()


def offer_again(key: Hashable) -> None:
    """Say that work was cancelled, with a button that starts it again."""
    st.info("Cancelled. Nothing was changed.")
    if st.button("Start again", key=f"again_{hash(key)}"):
        _stopped().discard(key)
        st.rerun()


def _stopped() -> set[Hashable]:
    """What this session has cancelled."""
    stopped: set[Hashable] = st.session_state.setdefault("cancelled_work", set())
    return stopped


def _session() -> str:
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
