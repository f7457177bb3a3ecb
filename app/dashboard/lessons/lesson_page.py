"""A lesson as one HTML file without a browser: its page is run as the dashboard runs it, and what it shows written."""

import time
from pathlib import Path

from polysema.app.dashboard.launch import settings
from polysema.app.dashboard.lessons.course import lesson_of, lessons
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.sharing.page_file import page_file
from polysema.core.errors import NotFoundError, UnavailableError, UserError
from polysema.core.model.catalog import catalog, folder_of
from polysema.core.progress import Progress, no_progress

MAIN = Path(__file__).parents[1] / "main.py"
SECONDS = 600  # at most, until all is measured


def lesson_page(name: str, progress: Progress = no_progress) -> str:
    """The file of a lesson: idea, question, what was measured just now with its picture and numbers, what could fool.

    Args:
        name: Of a lesson, polysema's or one's own.
        progress: Told while the lesson is measured.

    Returns:
        HTML that opens without a network and without Python.

    Raises:
        NotFoundError: There is no such lesson.
        UnavailableError: The model that it is measured on isn't here.
        UserError: It can't be measured.
    """
    lesson = lesson_of(name)
    if lesson is None:
        raise NotFoundError(f"there is no lesson {name!r}; there are {', '.join(one.name for one in lessons())}")
    if any(row.name == lesson.wants and folder_of(row) is None for row in catalog()):
        raise UnavailableError(
            f"the lesson {name} is measured on {lesson.wants}, which is not here; bring it with polysema models pull "
            f"{lesson.wants}"
        )
    return page_file(_measured(name, progress))


def _measured(name: str, progress: Progress) -> page_record.PageRecord:
    """What the page of a lesson shows once all is measured."""
    from streamlit import config
    from streamlit.testing.v1 import AppTest

    for option in ("runner.magicEnabled", "server.address"):
        config.set_option(option, settings(8501, "127.0.0.1", False)[option])
    app = AppTest.from_file(str(MAIN), default_timeout=SECONDS)
    app.query_params["lesson"], app.query_params["step"] = name, "reveal"
    app.run()
    app.switch_page("app_pages/lessons.py").run()
    end = time.monotonic() + SECONDS
    while True:
        if app.exception or app.error:
            first = app.exception[0] if app.exception else app.error[0]
            raise UserError(f"the lesson {name} can't be measured: {first.value or first.message}")
        record: page_record.PageRecord = app.session_state[page_record.SESSION]
        if any(part.kind == "recipe" for part in record.parts.values()):
            return record
        if time.monotonic() > end:
            raise UserError(f"the lesson {name} was not measured within {SECONDS} seconds")
        progress("measure", 0, 0)
        time.sleep(0.5)
        app.run()
