"""A model that a page needs, loaded before its first use: with a bar that says how far that is, and cancels it."""

from functools import partial

from polysema.app.dashboard import progress as work
from polysema.app.dashboard import widgets
from polysema.core.progress import Progress


def loaded(name: str) -> bool:
    """Whether a model is in memory; while it is loaded, the bar is shown, or why it can't be, and the page goes on
    without it.

    Args:
        name: A name, a path or a hub id.
    """
    if widgets.explorer().room.holds(name):
        return True
    key = ("load", name)
    before = widgets.jobs().find(key)
    if before is not None and not before.pending:  # it was let go of meanwhile
        widgets.jobs().forget(key)
    return work.answer(key, partial(_load, name)) is not None


def _load(name: str, progress: Progress) -> str:
    """The name alone: what a job returned is kept, and is not to keep a model in memory."""
    widgets.explorer().model(name, progress=progress)
    return name
