"""The page Start: two doors, what was opened last, and how far the lessons were taken."""

import json
import uuid
from pathlib import Path
from threading import Event

import pytest
from streamlit import config

from polysema.app.collection.ingest import IngestResult
from polysema.app.dashboard import reader_notes, widgets
from polysema.core.environment import home
from polysema.core.errors import UserError
from polysema.core.progress import Progress
from tests.app.test_dashboard import as_launched, page
from tests.browser.conftest import home_of_its_own

__all__ = ["as_launched"]


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that other processes open meanwhile are noted elsewhere."""
    monkeypatch.setenv("POLYSEMA_HOME", str(home_of_its_own(tmp_path / "home")))


def labels(name: str = "start") -> list[str]:
    app = page(name)
    assert not app.exception
    return [link.proto.label.replace("\\", "") for link in app.get("page_link")]


def test_two_doors_and_what_was_opened_last() -> None:
    app = page("start")
    assert [one.value for one in app.subheader] == ["Learn on live models", "Explore your own texts or vectors"]
    assert not any("Opened last" in one.value for one in app.markdown)
    page("data", data="Models and spaces")
    page("lessons", lesson="travel")
    page("lessons", lesson="travel")
    assert [label for label in labels() if label.startswith(("Lessons", "Data"))] == ["Lessons: travel", "Data"]


def test_the_progress_of_the_lessons_is_kept_for_the_next_session() -> None:
    reader_notes.note_lessons({"tokens": 4, "travel": 2})
    assert any("1 of 19 lessons done" in str(one.proto) for one in page("lessons").main.children.values())
    assert any(label.startswith("Go on with") for label in labels())
    assert reader_notes.lesson_steps() == {"tokens": 4, "travel": 2}


def test_notes_that_can_not_be_read_are_none() -> None:
    file = home() / reader_notes.NOTES_FILE
    for content in (b"", b"[]", b"\xff", b'{"pages": [["x", {}], 3, ["map", 1]], "lessons": {"a": "b"}}'):
        file.write_bytes(content)
        assert (reader_notes.opened_last(), reader_notes.lesson_steps()) == ([], {})
    page("data")
    assert json.loads(file.read_bytes())["pages"] == [["data", {}]]


def test_where_others_reach_the_dashboard_nothing_is_kept_on_disk() -> None:
    config.set_option("server.address", "0.0.0.0")
    page("data")
    assert not (home() / reader_notes.NOTES_FILE).exists()


def test_the_end_of_a_job_is_told_on_every_page_with_the_way_to_what_was_made() -> None:
    app = page("start")
    ended, failed = Event(), Event()

    def work(progress: Progress) -> IngestResult:
        ended.wait(60)
        return IngestResult("mine", {"text": 12}, {}, True)

    def fails(progress: Progress) -> IngestResult:
        failed.wait(60)
        raise UserError("there is no room on the disk")

    keys = ("intake", uuid.uuid4().hex), ("intake", uuid.uuid4().hex)
    jobs = [widgets.jobs().start(key, done) for key, done in zip(keys, (work, fails), strict=True)]
    app.session_state["own_jobs"] = set(keys)
    app.run()
    assert not app.success
    ended.set()
    failed.set()
    for job in jobs:
        job.wait(60)
    app.run()
    assert not app.exception
    assert [one.value for one in app.sidebar.success] == ["Done: 12 rows are in mine."]
    assert [one.value for one in app.sidebar.error] == ["An embedding job failed: there is no room on the disk"]
    assert "Open the map of mine" in [link.proto.label for link in app.get("page_link")]
    next(button for button in app.button if button.label == "Put aside").click().run()
    assert not app.sidebar.success
    app.switch_page("app_pages/data.py").run()
    assert not app.sidebar.error
