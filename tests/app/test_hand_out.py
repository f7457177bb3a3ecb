"""A page or lesson as one HTML file: what is in it, and that nothing of a user's breaks out of it."""

import base64
import re

import altair as alt
import numpy as np
import pandas as pd

from polysema.app.dashboard.components.points import Points
from polysema.app.dashboard.downloads import chart_svg
from polysema.app.dashboard.sharing.page_file import page_file
from polysema.app.dashboard.sharing.page_record import PageRecord, RecordedPart
from polysema.app.dashboard.sharing.points_svg import points_svg
from tests.app.test_dashboard import as_launched, page
from tests.app.test_page_lessons import press

__all__ = ["as_launched"]


def record(*parts: RecordedPart, title: str = "A page") -> PageRecord:
    return PageRecord(title, {(one.kind, one.name): one for one in parts})


def test_texts_numbers_and_recipes_stand_in_the_file() -> None:
    rows = [{"word": "bank", "cosine": 0.5}, {"word": "<script>", "cosine": float("nan"), "n": 2}]
    made = page_file(
        record(
            RecordedPart("text", "a", lambda: "**bank** and <b>no tag</b> ![x](http://x/y.png)"),
            RecordedPart("numbers", "near", lambda: rows),
            RecordedPart("recipe", "c", lambda: "print('<b>')", "Model: *minilm*"),
            title="<i>Title</i>",
        ),
        "http://localhost:8501/lessons?lesson=travel",
    )
    assert "<strong>bank</strong> and &lt;b&gt;no tag&lt;/b&gt;" in made
    assert "<title>&lt;i&gt;Title&lt;/i&gt;</title>" in made
    assert "<img" not in made
    assert "<script" not in made.replace("&lt;script", "")
    assert "<pre>print(&#x27;&lt;b&gt;&#x27;)</pre>" in made
    assert "Made at http://localhost:8501/lessons?lesson=travel" in made
    (data,) = re.findall(r"data:text/csv;charset=utf-8;base64,([^\"]+)", made)
    assert base64.b64decode(data).decode() == "word,cosine,n\nbank,0.5,\n<script>,nan,2\n"
    assert "default-src 'none'" in made


def test_a_chart_is_a_drawing() -> None:
    drawn = alt.Chart(pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})).mark_bar().encode(x="a:N", y="b:Q")
    svg = chart_svg(drawn)
    assert svg.startswith("<svg")
    assert svg.count('aria-roledescription="bar"') == 2


def test_points_are_a_drawing() -> None:
    shown = Points(
        positions=np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]]),
        labels=["a", "<b>", "c"],
        categories=["river", "mon<ey"],
        category=np.array([0, 1, 0]),
    )
    svg = points_svg(shown, "a map")
    assert svg.count("<circle") == 3 + 2
    assert "&lt;b&gt;" in svg
    assert "mon&lt;ey" in svg
    many = Points(np.random.default_rng(0).normal(size=(20_000, 2)), ["x"] * 20_000, ["one"], np.zeros(20_000, int))
    assert "one of every 4 points" in points_svg(many)


def test_a_lesson_is_handed_out_whole() -> None:
    app = page("lessons", lesson="one-vector")
    press(app, "next")
    from polysema.app.dashboard.sharing.page_record import SESSION

    made = page_file(app.session_state[SESSION], "")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", made))
    assert "2. One word, one vector" in text
    assert "bank has 1 row" in text
    assert "What could fool you" in text
    assert "Explorer().space(" in text
    assert made.count("<svg") >= 1
    assert "Numbers: one-vector_see_all" in text
    assert "glove-6b-50d" in text
