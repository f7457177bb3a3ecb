import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polysema.app.explorer import Explorer, map_cache
from polysema.core.environment import home
from polysema.core.maps.options import MapOptions
from polysema.core.space.space import Keys, Origin, Space

OPTIONS = MapOptions(n_epochs=3)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))


def space(seed: int = 0, n: int = 200, side: int = 0) -> Space:
    vectors = np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)
    sides = pa.table({"side": [row % 2 == side for row in range(n)]})
    return Space(Keys([f"w{row}" for row in range(n)]), vectors, Origin("made"), sides)


def stages(of: Space, method: str = "umap", options: MapOptions = OPTIONS, k: int = 10) -> tuple[list[str], np.ndarray]:
    seen: list[str] = []
    found = Explorer().maps.map(of, method, options, k=k, progress=lambda stage, done, total: seen.append(stage))
    assert found.distortion is not None
    assert found.distortion.preservation == pytest.approx(found.kept.mean(), abs=1e-6)
    return list(dict.fromkeys(seen)), found.map.positions


FILES = ["72d192dfe4fe2ef55f86be80ce9e20a798389eae", "d78315656217bb2cf6605e4b2c46334771af9f9e"]
MADE = ["find neighbors", "lay out", "measure the distortion"]


def test_the_same_map_is_read_the_next_time() -> None:
    seen, first = stages(space())
    assert seen == MADE
    seen, again = stages(space())
    assert seen == ["read the map"]
    np.testing.assert_array_equal(first, again)
    assert not list((home() / "maps").glob(".*.part"))


@pytest.mark.parametrize(
    ("other", "seen"),
    [
        ({"of": space(1)}, MADE),
        ({"of": space(n=150)}, MADE),
        ({"of": space(), "method": "densmap"}, MADE[1:]),
        ({"of": space(), "options": MapOptions(n_epochs=4)}, MADE[1:]),
        ({"of": space(), "options": MapOptions(n_epochs=3, seed=1)}, MADE),
        ({"of": space(), "options": MapOptions(n_epochs=3, n_components=3)}, MADE[1:]),
        ({"of": space(), "k": 5}, MADE[1:]),
        ({"of": space(), "options": MapOptions(n_epochs=3, metric="manhattan")}, MADE),
        ({"of": space(), "options": MapOptions(n_epochs=3, target="side")}, MADE[1:]),
    ],
)
def test_another_map_is_another_file(other: dict, seen: list[str]) -> None:
    stages(space())
    assert stages(**other)[0] == seen


def test_a_supervised_map_is_kept_by_what_the_column_says() -> None:
    how = MapOptions(n_epochs=3, target="side")
    _, first = stages(space(), options=how)
    seen, again = stages(space(), options=how)
    assert seen == ["read the map"]
    np.testing.assert_array_equal(first, again)
    assert stages(space(side=1), options=how)[0] == ["read the map"], "the same sides by other names"
    other = space()
    assert other.columns is not None
    columns = pa.table({"side": [row % 3 == 0 for row in range(200)]})
    assert stages(Space(other.keys, other.vectors, other.origin, columns), options=how)[0] == MADE[1:]
    heavy = MapOptions(n_epochs=3, target="side", target_weight=0.9)
    assert stages(space(), options=heavy)[0] == MADE[1:]
    numbers = MapOptions(n_epochs=3, metric="euclidean")
    assert stages(space(), options=numbers)[0] == MADE
    assert stages(space(), options=numbers)[0] == ["read the map"]


def test_the_files_of_maps_by_the_cosine_are_called_as_ever() -> None:
    """Whoever has maps on disk must find them: the names are those of the options before metrics were among them."""
    stages(space())
    assert sorted(path.stem for path in (home() / "maps").glob("*.npz")) == FILES


def test_what_is_linear_is_kept_with_its_plane() -> None:
    first = Explorer().maps.map(space(), "pca")
    again = Explorer().maps.map(space(), "pca")
    assert again.map.plane is not None
    new = space(3).vectors[:5]
    np.testing.assert_array_equal(Explorer().maps.place(first, new), Explorer().maps.place(again, new))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)


def _foreign(path: Path) -> None:
    np.savez(path.open("wb"), something=np.zeros(3))


def _pickled(path: Path) -> None:
    np.savez(path.open("wb"), positions=np.array([{}], object), rows=np.array([{}], object))


def _short(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name][:-1] if len(file[name]) == 200 else file[name] for name in file.files}
    np.savez(path.open("wb"), **arrays)


def _not_finite(path: Path) -> None:
    with np.load(path) as file:
        arrays = {
            name: np.where(file[name] > 0, np.nan, file[name]).astype(file[name].dtype)
            if file[name].dtype == np.float32
            else file[name]
            for name in file.files
        }
    np.savez(path.open("wb"), **arrays)


@pytest.mark.parametrize(
    "damage",
    [
        _truncated,
        _flipped,
        _foreign,
        _pickled,
        _short,
        _not_finite,
        lambda path: path.write_bytes(b""),
        lambda path: zipfile.ZipFile(path, "w").close(),
        lambda path: path.write_text("not a map"),
    ],
)
def test_a_damaged_file_is_made_anew(damage) -> None:  # type: ignore[no-untyped-def]
    _, first = stages(space())
    files = sorted((home() / "maps").glob("*.npz"))
    assert len(files) == 2
    for path in files:
        damage(path)
    seen, again = stages(space())
    assert seen == MADE
    np.testing.assert_array_equal(first, again)
    assert stages(space())[0] == ["read the map"]


def test_a_home_that_can_not_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (home() / "maps").write_text("a file where the folder would be")
    assert stages(space())[0] == stages(space())[0] == MADE


def test_what_was_used_longest_ago_goes() -> None:
    stages(space())
    first = list((home() / "maps").glob("*.npz"))
    large = home() / "maps" / f"{'0' * 40}.npz"
    with large.open("wb") as file:
        file.truncate(
            map_cache.MAX_CACHE_BYTES - sum(path.stat().st_size for path in first)
        )  # a hole: it takes no room
    for path in first:
        os.utime(path, (1, 1))
    os.utime(large, (2, 2))
    stages(space(1))  # one too many
    assert not any(path.exists() for path in first)
    assert large.exists()
    assert stages(space(1))[0] == ["read the map"]
    assert stages(space())[0] == MADE
