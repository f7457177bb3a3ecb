"""What the pages share: jobs that are cancelled, views kept under a number, files of what is shown."""

import csv
import io
import itertools
import json
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polysema.app.dashboard import downloads, permalink, point_colors
from polysema.app.dashboard.jobs import AWAY_SECONDS, JobRunner
from polysema.core.jobs import Job, JobCancelledError
from polysema.core.progress import Progress


def working() -> tuple[Callable[[Progress], str], threading.Event, threading.Event]:
    """Work that goes on, step by step, until told to end; and the events "it has begun" and "end"."""
    begun, end = threading.Event(), threading.Event()

    def work(progress: Progress) -> str:
        step = 0
        while not end.wait(0.005):
            step += 1
            progress("count", step, 1_000_000)
            begun.set()
        return "done"

    return work, begun, end


def test_a_cancelled_job_ends_at_its_next_step_and_is_made_anew() -> None:
    jobs = JobRunner()
    work, begun, end = working()
    job = jobs.start("a", work)
    assert begun.wait(10)
    job.seen_by("me")
    job.leave("me")
    job.wait(10)
    assert not job.pending
    with pytest.raises(JobCancelledError):
        job.result()
    end.set()
    again = jobs.start("a", work)
    assert again is not job
    assert again.result() == "done"
    assert jobs.start("a", work) is again


def test_a_job_goes_on_while_another_session_waits_for_it() -> None:
    jobs = JobRunner()
    work, begun, end = working()
    job = jobs.start("a", work)
    assert begun.wait(10)
    job.seen_by("me")
    job.seen_by("you")
    job.leave("me")
    assert not job.stopping
    job.watchers["gone"] = job.watchers["you"] - AWAY_SECONDS - 1  # a closed tab
    job.leave("you")
    assert job.stopping
    end.set()


def test_a_job_tells_how_long_it_may_still_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("polysema.core.jobs.time.monotonic", lambda: now[0])
    job = Job()
    job.advance("read", 0, 10)
    assert job.left is None
    now[0] += 4
    job.advance("read", 2, 10)
    assert job.left == pytest.approx(16)
    job.advance("lay out", 0, 500)
    assert job.left is None


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    return tmp_path


def test_a_view_is_kept_under_the_number_of_its_content(elsewhere: Path) -> None:
    view = {"page": "contexts", "values": {"widget:own": "The bank of the canal.\n<b>日本</b>", "selected": [1, 2]}}
    name = permalink.save(view)
    assert name is not None
    assert permalink.save(json.loads(json.dumps(view))) == name
    assert permalink.load(name) == view
    assert [path.name for path in (elsewhere / "views").iterdir()] == [f"{name}.json"]
    (elsewhere / "views" / f"{name}.json").write_text(
        json.dumps({"page": "contexts", "values": {"widget:own": "other"}})
    )
    assert permalink.load(name) is None, "a file that isn't what its name says"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 20, "0" * 19, "A" * 20, "0" * 20 + "/", "\0" * 20])
def test_a_name_of_no_view_is_none(elsewhere: Path, name: str) -> None:
    assert permalink.load(name) is None


def test_a_view_too_large_or_without_room_is_not_kept(elsewhere: Path) -> None:
    assert permalink.save({"page": "a", "values": {"x": "y" * (permalink.MAX_BYTES + 1)}}) is None
    (elsewhere / "views").write_text("a file where the folder should be")
    assert permalink.save({"page": "a", "values": {"x": "y"}}) is None


def test_the_oldest_views_go_first(elsewhere: Path) -> None:
    names = [permalink.save({"page": "a", "values": {"x": str(number)}}, 3) for number in range(5)]
    assert [permalink.load(name or "") is not None for name in names] == [False, False, True, True, True]


def test_numbers_are_written_as_csv() -> None:
    text = downloads.table([{"word": 'a "b", c', "score": 0.25}, {"word": "two\nlines", "sense": "é"}])
    assert list(csv.DictReader(io.StringIO(text))) == [
        {"word": 'a "b", c', "score": "0.25", "sense": ""},
        {"word": "two\nlines", "score": "", "sense": "é"},
    ]


def test_bars_are_drawn_as_svg_whatever_the_words_are() -> None:
    drawn = downloads.bars_svg([("<script>&\x00", 0.5), ("w" * 60, 2.0), ("minus", -1.0)], "word", "cosine", 0.1)
    picture = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{space}text")]
    assert "<script>&" in texts
    assert "w" * 21 + "…" in texts
    widths = [float(one.get("width", 0)) for one in picture.iter(f"{space}rect") if one.get("fill") == downloads.FILL]
    assert widths == [150.0, 300.0, 0.0]


def test_boxes_are_drawn_in_lines_that_fit() -> None:
    items = [(f"piece<{n}>", str(n), ("a", "b", "off", "")[n % 4]) for n in range(30)]
    picture = ET.fromstring(downloads.boxes_svg(items, 'The "tokens" & ids'))
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{space}text")]
    assert texts[0] == 'The "tokens" & ids'
    assert {text for text, _, _ in items} | {small for _, small, _ in items} <= set(texts)
    width, height = (float(picture.get(name, 0)) for name in ("width", "height"))
    boxes = [
        [float(one.get(name, 0)) for name in ("x", "y", "width", "height")] for one in picture.iter(f"{space}rect")
    ][1:]
    assert len(boxes) == 30
    assert len({y for _, y, _, _ in boxes}) > 1
    assert all(x + w <= width and y + h <= height for x, y, w, h in boxes)
    assert all(a[0] + a[2] <= b[0] or a[1] < b[1] for a, b in itertools.pairwise(boxes))


def test_squares_are_drawn_where_one_may_look() -> None:
    open_ = np.tri(3, dtype=bool)
    picture = ET.fromstring(
        downloads.squares_svg(open_, ["the", "white", "<swan>"], ["the", "white", "<swan>"], "decoder")
    )
    space = "{http://www.w3.org/2000/svg}"
    fills = [one.get("fill") for one in picture.iter(f"{space}rect")][1:]
    assert fills == [downloads.FILL if seen else downloads.TRACK for seen in open_.ravel()]
    assert [text.text for text in picture.iter(f"{space}text")].count("<swan>") == 2


def test_a_column_of_very_many_values_is_colored_by_the_most_frequent() -> None:
    values = [f"v{row}" for row in range(20_000)] + ["often"] * 3 + ["äfter"] * 2 + ["zzz"] * 2
    found = point_colors.by_column(pa.array(values))
    names = [name for name in found.categories if "other values" not in name]
    assert names[:4] == ["often", "zzz", "äfter", "v0"]
    assert "19,992 other values" in found.categories
    assert np.bincount(found.category)[found.categories.index("often")] == 3
