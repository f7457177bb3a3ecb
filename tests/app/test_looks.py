"""What color distinguishes is distinguished by eyes that miss a cone too, and never by color alone."""

import re
from importlib.resources import files
from itertools import combinations

import altair as alt
import numpy as np
import pandas as pd
import pytest

from polysema.app.dashboard import point_colors
from polysema.app.dashboard.addresses import index_page
from polysema.app.dashboard.series import COLORS, DASHES, SHAPES, lines, series
from polysema.core.maps.regions import RegionLevel, Regions
from tests.app.color_vision import DEUTERANOPIA, PROTANOPIA, difference

VISIONS = ["", DEUTERANOPIA, PROTANOPIA]
GLANCE = {12: 25.0, 24: 20.0}  # of so many categories: what is nearer has to differ in shape
CONSTANTS = files("polysema.app.dashboard.components.scatter").joinpath("constants.js").read_text("utf-8")


def palette(name: str) -> list[str]:
    found = re.search(rf"const {name} = \[(.*?)\];", CONSTANTS, re.DOTALL)
    assert found is not None
    return re.findall(r"#[0-9A-F]{6}", found[1])


def markers() -> list[int]:
    found = re.search(r"const CATEGORY_MARKERS = \[(.*?)\];", CONSTANTS)
    assert found is not None
    return [int(number) for number in found[1].split(",")]


def test_our_rules_stand_in_the_page_behind_those_of_streamlit() -> None:
    head, rest = index_page().split("<body>")
    assert ".ps-mask" not in head
    assert rest.index('<div id="root">') < rest.index(".ps-mask") < rest.index(".pl-chip") < rest.index("</body>")


@pytest.mark.parametrize("vision", VISIONS)
def test_lines_of_a_chart_differ_in_color(vision: str) -> None:
    assert min(difference(a, b, vision) for a, b in combinations(COLORS, 2)) > 40


def test_lines_of_a_chart_differ_in_dash_and_shape_with_one_legend() -> None:
    assert len({*map(tuple, DASHES)}) == len(set(SHAPES)) == len(COLORS)
    base = alt.Chart(pd.DataFrame({"x": [0, 1, 2], "y": [0, 1, 2], "of": ["a", "b", "c"]})).encode(x="x:Q", y="y:Q")
    of_lines, of_points = lines(base, "of", ["a", "b", "c"]).to_dict()["layer"]
    assert of_lines["encoding"]["strokeDash"]["scale"]["range"] == [list(dash) for dash in DASHES]
    assert of_points["encoding"]["shape"]["scale"]["range"] == list(SHAPES)
    legends = [of_lines["encoding"][name]["legend"] for name in ("color", "strokeDash")]
    assert [*legends, of_points["encoding"]["shape"]["legend"]] == [legends[0]] * 3
    with pytest.raises(ValueError, match="at most 3"):
        series("of", ["a", "b", "c", "d"])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("name", ["PALETTE_LIGHT", "PALETTE_DARK"])
@pytest.mark.parametrize("n", [12, 24])
def test_points_of_near_colors_differ_in_shape(name: str, vision: str, n: int) -> None:
    colors, shapes = palette(name), markers()
    assert (len(colors), len(shapes)) == (12, 24)
    alike = [
        (one, other)
        for one, other in combinations(range(n), 2)
        if shapes[one] == shapes[other] and difference(colors[one % 12], colors[other % 12], vision) < GLANCE[n]
    ]
    assert alike == []


def test_a_color_has_all_four_shapes_before_one_comes_again() -> None:
    first, second = markers()[:12], markers()[12:]
    assert all((b - a) % 2 for a, b in zip(first, second, strict=True)), "the next two are those that it has not had"


@pytest.mark.parametrize("n", [5, 11, 12, 13, 40])
def test_no_two_areas_have_one_color(n: int) -> None:
    assigned = np.arange(n + 1) - 1  # one point lies in none
    names = tuple(f"area {i}" for i in range(n))
    found = Regions((RegionLevel(names, np.arange(n), np.zeros((n, 2), np.float32), assigned),))
    how = point_colors.by_areas(found)
    assert len(how.categories) <= 12
    assert how.category.max() < 12


@pytest.mark.parametrize(("values", "shown"), [(12, 12), (13, 12), (30, 12)])
def test_no_two_values_of_a_column_have_one_color(values: int, shown: int) -> None:
    import pyarrow as pa

    how = point_colors.by_column(pa.array([f"value {i % values}" for i in range(200)]))
    assert len(how.categories) == shown
    assert how.categories[6].endswith("other values") == (values > 12)
