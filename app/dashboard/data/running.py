"""The page Data, running embedding jobs of all sessions: a page that was closed or reloaded finds its job, and its
end.
"""

from collections.abc import Callable, Hashable
from typing import cast

import streamlit as st

from polysema.app.collection.ingest import Destination, IngestResult
from polysema.app.dashboard import progress, widgets
from polysema.app.dashboard.jobs import WatchedJob
from polysema.core.errors import UserError
from polysema.core.jobs import JobCancelledError

INTAKE = "intake"


def running(show: Callable[[str, str], None]) -> None:
    """The work that this session did not ask for but has seen under way, and what came of it; `show` opens a
    collection.
    """
    mine = st.session_state.get("own_jobs", set())
    seen: dict[Hashable, WatchedJob] = st.session_state.setdefault("seen_work", {})
    seen |= {key: job for key, job in widgets.jobs().under_way(INTAKE) if key not in mine}
    for number, (key, job) in enumerate(list(seen.items())):
        if job.pending and not job.stopping:
            st.caption(f"Under way: {_named(key)}")
            progress.watch(job, key, waits=False)
        elif not job.pending:
            _end(number, key, job, show)


def _named(key: Hashable) -> str:
    _, upload, target = cast("tuple[str, str, Destination]", key)[:3]  # the beginning of the job's key
    return f"{widgets.plain(upload)} into {widgets.plain(target.collection)}"


def _end(number: int, key: Hashable, job: WatchedJob, show: Callable[[str, str], None]) -> None:
    """How it ended, until it is opened or put aside."""

    def forget() -> None:
        st.session_state["seen_work"].pop(key, None)

    box, button = st.columns([8, 2], vertical_alignment="center")
    try:
        put = cast(IngestResult, job.result())
    except JobCancelledError:
        box.info(f"Cancelled: {_named(key)}.")
    except UserError as error:
        box.error(f"Failed: {_named(key)}. {widgets.plain(str(error))}", icon="⚠️")
    else:

        def take() -> None:
            forget()
            show(put.collection, next(iter(put.rows), ""))

        box.success(f"Done: {_named(key)}, {sum(put.rows.values()):,} rows.")
        button.button(
            f"Open {put.collection}",
            on_click=take,
            key=f"open_done_{number}",
            help="Show that collection.",
            type="primary",
        )
        return
    button.button("Put aside", on_click=forget, key=f"aside_{number}", help="Show this no longer.")
