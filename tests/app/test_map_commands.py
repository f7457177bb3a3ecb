from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.maps.options import MapOptions


@pytest.fixture
def run():  # type: ignore[no-untyped-def]
    def call(*words: str) -> str:
        done = CliRunner().invoke(cli, ["map", *words], standalone_mode=False, catch_exceptions=True)
        if done.exception is not None:
            raise done.exception
        return done.output

    return call


def test_the_file_is_what_the_explorer_says(run, tmp_path: Path, explorer: Explorer) -> None:  # type: ignore[no-untyped-def]
    message = run("glove-6b-50d", str(tmp_path / "a.csv"), "--rows", "300", "--epochs", "20", "--seed", "3")
    found = explorer.maps.map("glove-6b-50d", "umap", MapOptions(n_epochs=20, seed=3), n=300)
    table = pyarrow.csv.read_csv(tmp_path / "a.csv")
    assert table.column_names == ["name", "x", "y", "kept"]
    assert table.column("name").to_pylist() == list(found.space.keys)
    written = np.stack([table.column(axis).to_numpy() for axis in "xy"], axis=1).astype(np.float32)
    np.testing.assert_array_equal(written, found.map.positions)
    np.testing.assert_allclose(table.column("kept").to_numpy(), found.kept, atol=1e-7)
    assert (
        f"300 points of glove-6b-50d by umap are in {tmp_path / 'a.csv'}; trustworthiness "
        f"{found.distortion.trustworthiness:.3f}" in message
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_occurrences_bring_their_columns_and_a_picture(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file, picture = tmp_path / "b.parquet", tmp_path / "b.svg"
    run("minilm-l6@6", str(file), "--method", "pca", "--rows", "200", "--dimensions", "3", "--picture", str(picture))
    table = pyarrow.parquet.read_table(file)
    assert table.column_names[:5] == ["name", "x", "y", "z", "kept"]
    assert {"text", "start", "end", "sense"} <= set(table.column_names)
    row = table.slice(17, 1).to_pylist()[0]
    assert row["text"][row["start"] : row["end"]] == row["name"]
    circles = [one for one in ElementTree.parse(picture).iter() if one.tag.endswith("circle")]
    assert len(circles) == 200
    assert all(0 <= float(one.get(axis)) <= 900 for one in circles for axis in ("cx", "cy"))


def test_a_page_is_written_whole_or_not_at_all(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    words = ("glove-6b-50d", "--method", "pca", "--rows", "60")
    run(*words, str(tmp_path / "map.html"))
    assert "polysema.show(" in (tmp_path / "map.html").read_text("utf-8")
    with pytest.raises(UserError, match=r"color must be one of .*order of the rows.*, not 'nothing'"):
        run(*words, str(tmp_path / "other.html"), "--color", "nothing")
    assert not (tmp_path / "other.html").exists()


def test_mistakes_are_told_before_anything_is_laid_out(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    there = tmp_path / "there.csv"
    there.write_text("kept")
    for words, message in (
        (
            ["glove-6b-50d", str(tmp_path / "a.txt")],
            "the ending says what is written: .csv or .parquet or .npy or .html; got",
        ),
        (["glove-6b-50d", str(there)], "is there already; choose another name, or --replace"),
        (["glove-6b-50d", str(tmp_path / "no" / "a.csv")], "there is no folder"),
        (
            ["glove-6b-50d", str(tmp_path / "a.csv"), "--picture", "a.png"],
            "the ending says what is written: .svg; got 'a.png'",
        ),
        (
            ["glove-6b-50d", str(tmp_path / "a.csv"), "--method", "mds"],
            "map method 'mds' does not exist; choose one of pca",
        ),
        (
            ["glove-6b-50d", str(tmp_path / "a.csv"), "--dimensions", "101"],
            "n_components must be a whole number from 2 to 100; got 101",
        ),
        (
            ["glove-6b-50d", str(tmp_path / "a.html"), "--dimensions", "10"],
            "a page shows 2 or 3 dimensions; got 10: write .csv, .parquet or .npy",
        ),
        (["glove-6b-50d", str(tmp_path / "a.npy"), "--areas"], "a .npy file holds the positions alone"),
        (
            ["glove-6b-50d", str(tmp_path / "a.csv"), "--method", "pca", "--metric", "manhattan"],
            "pca takes no metric, it turns unit vectors; got metric 'manhattan': choose one of umap, densmap",
        ),
        (
            ["glove-6b-50d", str(tmp_path / "a.csv"), "--rows", "50", "--target", "topic"],
            "target 'topic' is no column of glove-6b-50d; it has no columns",
        ),
        (["glove-6b-50d", str(tmp_path / "a.csv"), "--rows", "0"], "a map shows from 1 to 400,000 rows"),
        (["nosuchspace", str(tmp_path / "a.csv")], "nosuchspace"),
    ):
        with pytest.raises(UserError, match=message.replace(".", r"\.")):
            run(*words)
    assert there.read_text() == "kept"
    run("glove-6b-50d", str(there), "--method", "pca", "--rows", "5", "--replace")
    assert there.read_text().startswith('"name","x","y","kept"')
    assert len(list(tmp_path.iterdir())) == 1


def test_many_dimensions_by_another_metric_and_a_column(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """From a file of one's own to coordinates and areas: six columns wide, by Manhattan, supervised by its topic."""
    rng = np.random.default_rng(0)
    topics = [None if row == 3 else "abc"[row % 3] for row in range(60)]
    vectors = (rng.normal(size=(3, 8)) * 3)[np.arange(60) % 3] + rng.normal(size=(60, 8))
    file = tmp_path / "mine.parquet"
    columns = {"word": [f"w{row}" for row in range(60)], "topic": topics, "vector": list(vectors.astype(np.float32))}
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    how = ("--metric", "manhattan", "--target", "topic", "--dimensions", "6", "--epochs", "30", "-k", "5")
    output = run(str(file), str(tmp_path / "a.parquet"), *how, "--areas", "--picture", str(tmp_path / "a.svg"))
    assert "note: supervised by topic (3 categories): groups of its values are partly its own making; 1 of 60" in output
    assert "a.svg shows the first two of 6 dimensions" in output
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["name", "x1", "x2", "x3", "x4", "x5", "x6", "kept", "area", "topic"]
    assert table.column("topic").to_pylist() == topics
    names = {area for area in table.column("area").to_pylist() if area is not None}
    assert len(names) == 3
    run(str(file), str(tmp_path / "a.npy"), *how)
    positions = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert positions.shape == (60, 6)
    np.testing.assert_array_equal(positions[:, 4], table.column("x5").to_numpy())
