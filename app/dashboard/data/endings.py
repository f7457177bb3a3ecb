"""The end of embedding jobs is told on every page, with the way to what was made."""

from collections.abc import Hashable
from typing import cast

import streamlit as st

from polysema.app.collection.ingest import IngestResult
from polysema.app.dashboard import widgets
from polysema.app.dashboard.data.running import INTAKE
from polysema.app.dashboard.jobs import WatchedJob
from polysema.core.errors import UserError
from polysema.core.jobs import JobCancelledError

EVERY_SECONDS = 3.0


def tell_endings(page: str) -> None:
    """Say in the list of pages how the jobs of this session ended; the page Data tells it itself.

    Args:
        page: The page that is open.
    """
    followed: dict[Hashable, WatchedJob] = st.session_state.setdefault("followed_jobs", {})
    own: set[Hashable] = st.session_state.get("own_jobs", set())
    followed |= {key: job for key, job in widgets.jobs().under_way(INTAKE) if key in own}
    for number, (key, job) in enumerate(list(followed.items())):
        if job.pending:
            continue
        if page == "data":
            followed.pop(key)
        else:
            _tell(number, key, job)
    if any(job.pending for job in followed.values()):
        st.fragment(run_every=EVERY_SECONDS)(_follow)(tuple(job for job in followed.values() if job.pending))


def _follow(jobs: tuple[WatchedJob, ...]) -> None:
    if any(not job.pending for job in jobs):
        st.rerun()
    st.caption(f"Under way: {jobs[0].stage} …")


def _tell(number: int, key: Hashable, job: WatchedJob) -> None:
    """One line in the list, and once a short message over the page."""
    try:
        put = cast(IngestResult, job.result())
        name = put.collection
        message = f"Done: {sum(put.rows.values()):,} rows are in {widgets.plain(name)}."
        st.success(message)
        label = f"Open the map of {widgets.plain(name)}"
        source = f"{name}/{next(iter(put.rows))}" if len(put.rows) > 1 else name
        st.page_link("app_pages/map.py", label=label, query_params={"space": source})
    except JobCancelledError:
        st.session_state["followed_jobs"].pop(key)
        return
    except UserError as error:
        message = f"An embedding job failed: {widgets.plain(str(error))}"
        st.error(message)
    told: set[Hashable] = st.session_state.setdefault("told_jobs", set())
    if key not in told:
        told.add(key)
        st.toast(message)
    if st.button("Put aside", key=f"ending_{number}", help="Show this no longer."):
        st.session_state["followed_jobs"].pop(key)
        st.rerun()
