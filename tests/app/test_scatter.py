"""The scatter plot's Python side: what is checked, published, served, and read back from a browser that may say
anything.
"""

import json
import math
import re
import statistics
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard.components import point_store
from polysema.app.dashboard.components.plot_payload import _payload, _wished
from polysema.app.dashboard.components.point_columns import write_rows
from polysema.app.dashboard.components.point_routes import MAX_TEXT_ROWS, point_routes
from polysema.app.dashboard.components.point_store import PointStore, publish, store
from polysema.app.dashboard.components.points import Points, PublishedCloud, check
from polysema.app.dashboard.components.scatter import PlotMarks, module_text
from polysema.app.dashboard.components.scatter.selection import (
    NO_SELECTION,
    Region,
    Selection,
    checked_view,
    read_view,
    rows_inside,
    write_view,
)
from polysema.app.dashboard.components.scatter.selection_memory import SelectionMemory


def some(n: int = 6, dim: int = 2, **changes: Any) -> Points:
    rng = np.random.default_rng(3)
    whole = Points(
        positions=rng.normal(size=(n, dim)),
        labels=[f"w{row}" for row in range(n)],
        categories=["a", "b"],
        category=np.arange(n) % 2,
        details=[f"détail {row}" for row in range(n)],
        marks=[(0, 6)] * n,
        shapes=np.arange(n) % 3,
        values=np.linspace(0, 1, n),
        value_name="kept",
    )
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.zeros((6, 4))}, r"positions must have shape (n, 2) or (n, 3), not (6, 4)"),
        ({"positions": np.full((6, 2), np.nan)}, "positions must be finite in float32, but row 0 is [nan, nan]"),
        ({"positions": np.full((6, 2), 1e300)}, "positions must be finite in float32, but row 0"),
        ({"positions": np.array([["a", "b"]] * 6)}, "positions must be real numbers"),
        ({"labels": ["x"]}, "labels must have 6 entries, not 1"),
        ({"labels": "abcdef"}, "labels must be a sequence of texts, not one text"),
        ({"labels": ["a", "b", 3, "d", "e", "f"]}, "labels must be strings, but entry 2 is int"),
        ({"labels": ["\ud800"] * 6}, "labels must be valid Unicode"),
        ({"category": np.array([0, 1, 2, 0, 0, 0])}, "category must lie in [0, 2), but row 2 is 2"),
        ({"category": np.zeros(6)}, "category must be integers, not float64"),
        ({"shapes": np.array([0, 0, 0, 0, 0, -1])}, "shapes must lie in [0, 3), but row 5 is -1"),
        ({"values": np.array([0, 1, 2, 3, np.inf, 5])}, "values must be finite in float32, but row 4 is inf"),
        ({"values": np.zeros(5)}, "values must have shape (6,), not (5,)"),
        ({"marks": [(0, 7)] * 5 + [(0, 9)]}, "marks of row 5 must lie in [0, 8], not (0, 9)"),
        ({"marks": [(0, 1)]}, "marks must have 6 entries, not 1"),
        ({"marks": [(0, 1, 2)] * 6}, "marks must be pairs of whole numbers"),
        ({"details": None}, "marks need details"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(some(**changes))


def test_columns_arrive_as_they_were() -> None:
    given = some(300, 3)
    cloud = check(given)
    assert np.array_equal(cloud.positions, np.asarray(given.positions, np.float32))
    assert np.array_equal(cloud.category, given.category)
    value, shape = cloud.column("value"), cloud.column("shape")
    assert value is not None
    assert np.array_equal(value, np.asarray(given.values, np.float32))
    assert shape is not None
    assert np.array_equal(shape, given.shapes)
    assert cloud.column("nothing") is None
    assert not cloud.positions.flags.writeable
    assert cloud.labels.to_pylist() == given.labels
    assert [name for name, _, _ in cloud.layout] == ["position", "value", "category", "shape"]


def test_many_categories_take_two_bytes_each() -> None:
    names = [str(name) for name in range(300)]
    cloud = check(some(300, categories=names, category=np.arange(300)))
    assert {name: kind for name, kind, _ in cloud.layout}["category"] == "u2"
    assert np.array_equal(cloud.category, np.arange(300))


def test_each_column_changes_the_version_and_only_names_change_the_identity() -> None:
    whole = check(some())
    assert check(some()).version == whole.version
    names = {"labels": ["x"] * 6, "details": ["another one"] * 6}
    drawn: dict[str, Any] = {
        "positions": np.zeros((6, 2)),
        "categories": ["a", "c"],
        "category": np.zeros(6, int),
        "marks": [(1, 2)] * 6,
        "shapes": np.zeros(6, int),
        "values": np.zeros(6),
        "value_name": "lost",
    }
    versions = {whole.version}
    for name, value in (names | drawn).items():
        other = check(some(**{name: value}))
        assert (other.identity == whole.identity) == (name in drawn), name
        versions.add(other.version)
    assert len(versions) == 1 + len(names) + len(drawn)
    assert (
        check(some(labels=["ab", "c", "", "", "", ""])).identity
        != check(some(labels=["a", "bc", "", "", "", ""])).identity
    )


def test_the_store_lets_go_of_what_was_not_used_for_longest() -> None:
    clouds = [check(some(100, positions=np.full((100, 2), float(n)))) for n in range(4)]
    kept = PointStore(max_bytes=3 * clouds[0].nbytes, max_clouds=9)
    for cloud in clouds[:3]:
        kept.keep(cloud)
    assert kept.get(clouds[0].version) is clouds[0]
    kept.keep(clouds[3])
    assert [kept.get(cloud.version) is not None for cloud in clouds] == [True, False, True, True]
    few = PointStore(max_bytes=1, max_clouds=9)
    few.keep(clouds[0])
    few.keep(clouds[1])
    assert (len(few), few.get(clouds[1].version)) == (1, clouds[1])
    few.keep(clouds[1])
    assert len(few) == 1
    one = PointStore(max_clouds=1)
    one.keep(clouds[0])
    one.keep(clouds[1])
    assert one.get(clouds[0].version) is None


def client(base: str = "") -> TestClient:
    return TestClient(Starlette(routes=list(point_routes(base))))


def test_points_are_served_once_and_kept_by_the_browser() -> None:
    cloud = publish(some(5_000, 3))
    with client() as http:
        answer = http.get(f"/api/points/{cloud.version}/positions", headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.content == cloud.body
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert np.array_equal(np.frombuffer(answer.content[:60_000], "<f4").reshape(5_000, 3), cloud.positions)
        again = http.get(f"/api/points/{cloud.version}/positions", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert http.head(f"/api/points/{cloud.version}/positions").headers["content-length"] == str(len(cloud.body))
        assert http.post(f"/api/points/{cloud.version}/positions").status_code == 405
        texts = http.get(f"/api/points/{cloud.version}/texts?rows=7,0")
        assert texts.json() == {
            "rows": [7, 0],
            "labels": ["w7", "w0"],
            "details": ["détail 7", "détail 0"],
            "marks": [[0, 6], [0, 6]],
        }
        numbers = [str(row) for row in range(5_000)]
        found = http.get(f"/api/points/{cloud.version}/search?q=W4").json()
        assert found == {"first": 4, "rows": [row for row, text in enumerate(numbers) if text.startswith("4")]}
        found = http.get(f"/api/points/{cloud.version}/search?q=32 DÉTAIL").json()  # its words, in any order
        assert found == {"first": -1, "rows": [row for row, text in enumerate(numbers) if "32" in text]}
    with client("/lab/") as http:
        assert http.get(f"/lab/api/points/{cloud.version}/positions").status_code == 200
        assert http.get(f"/api/points/{cloud.version}/positions").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("{}/texts", 400, "rows must be row numbers"),
        ("{}/texts?rows=", 400, "rows must be row numbers"),
        ("{}/search?q=", 400, "q must be a text of 1 to 200 characters"),
        ("{}/search?q=" + "x" * 201, 400, "q must be a text of 1 to 200 characters"),
        ("{}/texts?rows=-1", 400, "rows must be row numbers"),
        ("{}/texts?rows=1,", 400, "rows must be row numbers"),
        ("{}/texts?rows=1.5", 400, "rows must be row numbers"),
        ("{}/texts?rows=٣", 400, "rows must be row numbers"),
        ("{}/texts?rows=99999999999999999999", 400, "rows must be row numbers"),
        ("{}/texts?rows=6", 400, "rows must lie in [0, 6), not 6"),
        (
            "{}/texts?rows=" + ",".join("0" * (MAX_TEXT_ROWS + 1)),
            400,
            "at most 500 rows can be requested at once, got 501",
        ),
        ("nothing/texts?rows=0", 404, "the server no longer has these points"),
        ("nothing/positions", 404, "the server no longer has these points"),
        ("../../etc/passwd/positions", 404, None),
        ("%2e%2e%2f/positions", 404, None),
    ],
)
def test_wrong_addresses_are_answered_in_a_line(path: str, status: int, message: str | None) -> None:
    cloud = publish(some())
    with client() as http:
        answer = http.get("/api/points/" + path.format(cloud.version))
    assert answer.status_code == status
    if message is not None:
        assert message in answer.json()["message"]
        assert answer.headers["cache-control"] == "no-store"


def slow_inside(cloud: PublishedCloud, region: Region) -> list[int]:
    """The obvious twin of `rows_inside`: one point at a time."""
    found = []
    for row in range(cloud.count):
        if region.category >= 0 and cloud.category[row] != region.category:
            continue
        place = [0.0, 0.0, 0.0]
        for axis in range(cloud.dim):
            place[axis] = float(np.float32((float(cloud.positions[row, axis]) - region.center[axis]) * region.scale))
        x, y, z = place
        m = region.matrix
        w = m[3] * x + m[7] * y + m[11] * z + m[15]
        if not w > region.near:
            continue
        px = (m[0] * x + m[4] * y + m[8] * z + m[12]) / w
        py = (m[1] * x + m[5] * y + m[9] * z + m[13]) / w
        within = False
        for i, (ax, ay) in enumerate(region.corners):
            bx, by = region.corners[i - 1]
            if (ay > py) != (by > py) and px < ((bx - ax) * (py - ay)) / (by - ay) + ax:
                within = not within
        if within:
            found.append(row)
    return found


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("category", [-1, 1])
def test_regions_hold_the_rows_that_the_obvious_way_finds(dim: int, category: int) -> None:
    cloud = check(some(2_000, dim))
    rng = np.random.default_rng(5)
    matrix = [0.8, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 0, 0, 0.05, -0.1, 0, 1.0]
    if dim == 3:
        matrix = rng.normal(size=16).tolist()
        matrix[15] = 1.5  # most points before the camera, some behind it
    center = tuple(rng.normal(size=dim).tolist())
    for corners in (
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)],
        [(math.cos(a) * (1 - a % 1), math.sin(a)) for a in np.linspace(0, 12, 40)],  # crosses itself
        [(-9.0, -9.0), (9.0, -9.0), (9.0, 9.0)],
        [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0)],
    ):
        region = Region(
            tuple((float(x), float(y)) for x, y in corners), tuple(matrix), center, 0.37, 0.01 * (dim == 3), category
        )
        assert rows_inside(cloud, region).tolist() == slow_inside(cloud, region)
    big = Region(((-9.0, -9.0), (9.0, -9.0), (9.0, 9.0), (-9.0, 9.0)), tuple(matrix), center, 0.37, 0.0, category)
    assert len(rows_inside(cloud, big)) > 300


def test_regions_of_more_points_than_are_tested_at_once() -> None:
    cloud = check(some(500))
    region = Region(
        ((-1, -1), (1, -1), (1, 1), (-1, 1)), (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1), (0, 0), 1, 0, -1
    )
    whole = rows_inside(cloud, region).tolist()
    assert rows_inside(cloud, region, chunk_rows=7).tolist() == whole == slow_inside(cloud, region)
    assert 100 < len(whole) < 500


def state(cloud: PublishedCloud, **changes: Any) -> dict[str, Any]:
    return {
        "identity": cloud.identity,
        "version": cloud.version,
        "command": 0,
        "at": 1000,
        "by": "click",
        "clicked": 2,
        "count": 1,
        "rows": [2],
        "bits": None,
        "region": None,
        "view": None,
        "missing": None,
    } | changes


def no_rows() -> Any:
    return np.zeros(0, np.int64)


def test_a_click_is_read() -> None:
    cloud = check(some())
    assert SelectionMemory().read(state(cloud), cloud) == Selection((2,), 1, "click", 2)
    assert SelectionMemory().read(state(cloud, rows=[4, 1], clicked=None, by="lasso"), cloud) == Selection(
        (1, 4), 2, "lasso"
    )
    assert SelectionMemory().read(state(cloud, rows=[], clicked=None, by="", view=[1.0, 2.0, 3.0]), cloud) == Selection(
        (), 0, view=(1.0, 2.0, 3.0)
    )


def square(**changes: Any) -> dict[str, Any]:
    return {
        "corners": [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]],
        "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        "center": [0, 0],
        "scale": 1,
        "near": 0,
        "category": -1,
    } | changes


def test_a_region_gives_all_rows_however_many() -> None:
    cloud = check(some(9_000))
    memory = SelectionMemory()
    found = memory.read(state(cloud, rows=None, by="lasso", clicked=None, region=square()), cloud)
    x, y = cloud.positions.T
    inside = np.flatnonzero((abs(x) < 0.5) & (abs(y) < 0.5))
    assert found.count == len(found.rows) == len(inside)
    assert found.rows == tuple(inside.tolist())
    assert found.region is not None
    # the same points elsewhere: the rows stay, the region is no longer theirs
    moved = check(some(9_000, positions=np.asarray(cloud.positions) + 9))
    assert moved.identity == cloud.identity
    kept = memory.read(state(cloud, rows=None, by="lasso", clicked=None, region=square()), moved)
    assert (kept.rows, kept.region) == (found.rows, None)
    # another session, which has not seen the first points, has them from the store or has no selection
    region = state(cloud, rows=None, by="lasso", clicked=None, region=square())
    store().clear()
    assert SelectionMemory().read(region, moved) == NO_SELECTION
    store().keep(cloud)
    assert SelectionMemory().read(region, moved).rows == found.rows


def test_bits_give_all_rows() -> None:
    cloud = check(some(9_000))
    rows = np.arange(1, 9_000, 3)
    packed = write_rows(rows, 9_000)
    assert list(packed) == ["bits"]
    found = SelectionMemory().read(state(cloud, rows=None, by="lasso", clicked=None, bits=packed["bits"]), cloud)
    assert found.rows == tuple(rows.tolist())
    assert write_rows(rows[:2_000], 9_000) == {"rows": rows[:2_000].tolist()}


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": [6]},
        {"rows": [-1]},
        {"rows": [True]},
        {"rows": ["1"]},
        {"rows": [1.0]},
        {"rows": "all"},
        {"rows": None},
        {"rows": list(range(3_000))},
        {"rows": [1, 2]},
        {"clicked": 3},
        {"clicked": "2"},
        {"clicked": True},
        {"by": "magic"},
        {"by": None},
        {"by": ["click"]},
        {"rows": None, "bits": "!"},
        {"rows": None, "bits": "AAAA"},
        {"rows": None, "region": {}},
        {"rows": None, "region": square(corners=[[0, 0]] * 257)},
        {"rows": None, "region": square(corners=[[0, 0]] * 2)},
        {"rows": None, "region": square(matrix=[1] * 15)},
        {"rows": None, "region": square(matrix=[math.nan] * 16)},
        {"rows": None, "region": square(scale=None)},
        {"rows": None, "region": square(center=[0, 0, 0])},
        {"rows": None, "region": square(category=2)},
        {"rows": None, "region": square(near=10**400)},
        {"rows": None, "region": [1]},
        {"identity": "other"},
        {"command": 1},
        {"version": 7, "rows": None, "region": square()},
    ],
)
def test_what_the_browser_can_not_mean_is_no_selection(changes: dict[str, Any]) -> None:
    cloud = check(some())
    found = SelectionMemory().read(state(cloud, **changes), cloud)
    assert (found.rows, found.count, found.clicked) == ((), 0, None)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(state(check(some())))), anything), anything)
def test_whatever_the_browser_says_is_read(changes: dict[str, Any], instead: object) -> None:
    cloud = check(some())
    for value in (state(cloud, **changes), instead):
        found = SelectionMemory().read(value, cloud)
        assert all(0 <= row < 6 for row in found.rows)
        assert found.count == len(found.rows)
        assert found.view is None or len(found.view) == 3


def test_a_wish_of_python_holds_until_the_user_selects() -> None:
    cloud, memory = check(some()), SelectionMemory()
    memory.wish(_wished([3, 1, 1], 6), cloud.identity)
    assert memory.read(None, cloud) == Selection((1, 3), 2, "python")
    assert memory.read(state(cloud), cloud) == Selection((1, 3), 2, "python"), "the browser has not heard of it yet"
    assert memory.read(state(cloud, command=1), cloud) == Selection((2,), 1, "click", 2)
    memory.wish(_wished([3, 1], 6), cloud.identity)
    assert memory.command == 1, "the same wish again is none"
    # the page writes the user's selection in its link and gives it back: no wish, and nothing is lost of what it was
    memory.wish(_wished([2], 6), cloud.identity)
    assert memory.command == 1
    assert memory.read(state(cloud, command=1), cloud) == Selection((2,), 1, "click", 2)
    memory.read(state(cloud, command=1, rows=[], clicked=None, by="", at=1001), cloud)
    memory.wish(_wished([], 6), cloud.identity)
    assert memory.command == 1
    memory.wish(_wished([4], 6), cloud.identity)
    assert memory.command == 2
    assert memory.read(state(cloud, command=1), cloud) == Selection((4,), 1, "python")


def test_nothing_wished_is_no_wish() -> None:
    memory = SelectionMemory()
    memory.wish(no_rows(), "any")
    memory.wish(no_rows(), "other")
    assert memory.command == 0


@pytest.mark.parametrize("wrong", [[6], [-1], [1.5], ["a"], [[1]]])
def test_a_wish_for_rows_that_are_not_there(wrong: Any) -> None:
    with pytest.raises(ValueError, match="selected must"):
        _wished(wrong, 6)


def test_views_travel_in_links() -> None:
    assert read_view(write_view((100.25, -7.0, 3.0))) == (100.25, -7.0, 3.0)
    assert write_view(None) == ""
    for text in ("", "1_2", "1_2_3_4", "1_2_nan", "1_2_inf", "1_2_0", "1_2_-1", "a_b_c", "1_2_1e400", "<script>"):
        assert read_view(text) is None, text
    assert read_view("1_2_3_4_0.5_-0.5", 3) == (1, 2, 3, 4, 0.5, -0.5)
    assert checked_view((1, 2, 3), 2) == [1.0, 2.0, 3.0]
    assert checked_view((1, 2, 3), 3) is None
    assert checked_view(None, 2) is None


def payload(cloud: PublishedCloud, **changes: Any) -> dict[str, Any]:
    drawn = {name: changes.pop(name) for name in ("arrows", "links", "label_rows", "highlight") if name in changes}
    rest: dict[str, Any] = {"alt": "a", "key": "k", "height": 300, "inline": True}
    return _payload(cloud, PlotMarks(**drawn), **(rest | changes))


def test_nothing_of_numpy_reaches_streamlits_json() -> None:
    cloud = publish(some())
    three = np.arange(3)
    data = payload(
        cloud, label_rows=three, highlight=three, links=np.array([[0, 1], [1, 2]]), height=np.int64(300), inline=False
    )
    assert json.loads(json.dumps(data)) == data
    assert data["texts"] == [[0, 1, 2], ["w0", "w1", "w2"]]
    assert data["layout"] == [["position", "f4", 12], ["value", "f4", 6], ["category", "u1", 6], ["shape", "u1", 6]]
    table = payload(cloud).pop("points")
    assert table.column_names == ["x", "y", "value", "category", "shape", "label", "detail", "mark_start", "mark_end"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ""}, "key must be a text that is not empty"),
        ({"height": 40}, "height must be an integer of at least 120 pixels, not 40"),
        ({"height": True}, "height must be an integer"),
        ({"links": [(0, 6)]}, "links must lie in [0, 6), not 6"),
        ({"highlight": [-1]}, "highlight must lie in [0, 6), not -1"),
        ({"label_rows": [1.5]}, "label_rows must be a row number, not 1.5"),
        ({"label_rows": [True]}, "label_rows must be a row number, not True"),
    ],
)
def test_wrong_arguments_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        payload(check(some()), **changes)


def test_a_run_with_published_points_costs_next_to_nothing() -> None:
    n = 400_000
    cloud = publish(some(n, details=None, marks=None, labels=[f"w{row}" for row in range(n)]))

    def run() -> float:
        start = time.perf_counter()
        payload(cloud, inline=False, label_rows=range(200))
        return time.perf_counter() - start

    run()
    assert statistics.median(run() for _ in range(5)) < 0.02


def test_ten_sessions_share_one_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = PointStore()
    monkeypatch.setattr(point_store, "store", lambda: kept)
    versions = {publish(some(7_000)).version for _ in range(10)}
    assert (len(versions), len(kept)) == (1, 1)


def test_pages_run_without_a_server() -> None:
    def page() -> None:
        import numpy as np
        import streamlit as st

        from polysema.app.dashboard.components.scatter import PlotOptions, PlotStart, Points, publish, scatter

        for n in (0, 3, 6_000):
            points = Points(np.zeros((n, 2)), ["w"] * n, ["all"], np.zeros(n, int))
            given = publish(points) if n > 10 else points
            found = scatter(
                given, key=f"plot{n}", alt="none", start=PlotStart((1, 2) if n else ()), options=PlotOptions(group="g")
            )
            st.text(f"{n} {found.count} {found.by}")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert [t.value for t in app.text] == ["0 0", "3 2 python", "6000 2 python"]
    app.run()
    assert not app.exception
    assert app.text[2].value == "6000 2 python"


def test_the_gradients_go_one_way_and_stand_out() -> None:
    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for name, paper, falls in (("RAMP_LIGHT", "#ffffff", True), ("RAMP_DARK", "#10161d", False)):
        found = re.search(rf"const {name} = \[(.*?)\]", module_text())
        assert found is not None
        levels = [luminance(color) for color in re.findall(r"#\w{6}", found[1])]
        assert len(levels) == 5
        assert levels == sorted(levels, reverse=falls)
        ground = luminance(paper)
        for level in levels:
            light, dark = max(level, ground), min(level, ground)
            assert (light + 0.05) / (dark + 0.05) >= 3
