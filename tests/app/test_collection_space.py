"""A collection by its name: through its own index, exactly at a recall of 1, and never read whole into memory."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polysema import Collection, Explorer
from polysema.app.explorer import AnalogyOptions, SearchOptions, WordSpace
from polysema.core.errors import UnknownWordError, UserError
from polysema.core.space import Origin
from polysema.indexes.store.space_rows import SpaceRows
from polysema.indexes.streamed import StreamedIndex
from tests.endurance import ENDURE
from tests.store.conftest import shm

__all__ = ["shm"]

ROWS, DIM = 3000, 24
EXACT = SearchOptions(recall=1.0)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(ROWS, DIM)).astype(np.float32)
    made = Collection.create(tmp_path_factory.mktemp("data") / "mine")
    columns = {"kind": ["even", "odd"] * (ROWS // 2), "text": [f"text {row}" for row in range(ROWS)]}
    made.add([f"w{row}" for row in range(ROWS)], vectors, columns)
    made.compact(index="ivf:nlist=30,nprobe=4")
    made.add([f"x{row}" for row in range(50)], vectors[:50] + np.float32(0.01))  # rows outside the index
    made.delete(["w7", "w8", "x3"])
    return made


@pytest.fixture(scope="module")
def whole(collection: Collection) -> WordSpace:
    return Explorer().space(collection.space())


@pytest.fixture(scope="module", params=[1 << 30, 0], ids=["in memory", "streamed"])
def words(collection: Collection, request: pytest.FixtureRequest) -> WordSpace:
    return Explorer().hold(SpaceRows(collection.view(), None, resident_bytes=request.param))


def test_a_space_of_a_collection_is_the_space_read_whole(words: WordSpace, whole: WordSpace) -> None:
    assert list(words.space.keys) == list(whole.space.keys)
    rows = np.array([[0, 2999], [3046, 5]])
    for chosen in (slice(10, 3010), slice(0, 0), 3000, -1, rows, np.arange(ROWS) % 700 == 0, slice(9, 2, -3)):
        wanted = chosen if not isinstance(chosen, np.ndarray) or chosen.dtype != bool else np.flatnonzero(chosen)
        np.testing.assert_array_equal(np.asarray(words.space.vectors[chosen]), whole.space.vectors[wanted])
    np.testing.assert_array_equal(np.asarray(words.space.vectors), whole.space.vectors)
    assert words.space.columns is not None
    assert whole.space.columns is not None
    assert words.space.columns.column("text").to_pylist() == whole.space.columns.column("text").to_pylist()
    taken = words.space.take([3046, 1, 2995])
    assert taken.columns == whole.space.take([3046, 1, 2995]).columns
    assert words.baseline == whole.baseline


def test_messages_name_the_collection_and_say_what_its_rows_are(tmp_path: Path) -> None:
    made = Collection.create(tmp_path / "mine")
    columns = {"word": ["bank", "swan", "bank"], "start": [4, 0, 2], "end": [8, 4, 6]}
    made.add(
        ["s1:4-8", "s1:0-4", "s2:2-6"], np.eye(3, 4, dtype=np.float32), columns, origin=Origin("minilm-l6", layer=6)
    )
    opened = Explorer(collections=tmp_path).space("mine")
    said = "'bank' is not among the 3 ids of mine, such as 's1:4-8': its rows are words in texts, which `polysema cont"
    for space in (opened, Explorer().space(made.space())):
        with pytest.raises(UnknownWordError, match=re.escape(said)):
            space.neighbors("bank")
    assert opened.neighbors("s1:4-8", 1).how == "as written"


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a", "3cosavg", "lrcos"])
def test_an_analogy_at_recall_1_is_that_of_the_space_read_whole(
    words: WordSpace, whole: WordSpace, method: str
) -> None:
    of_pairs = method in ("3cosavg", "lrcos")
    question, pairs = ("w1", (("w2", "w3"), ("w4", "w5"))) if of_pairs else ("w1 - w2 + w3", ())
    for where, first in (("", None), ("kind = 'odd' and word != 'w11'", 2500)):
        exact = whole.analogy(question, 12, method, AnalogyOptions(pairs, where=where, restrict_vocab=first))
        options = AnalogyOptions(pairs, where=where, restrict_vocab=first, recall=1.0)
        answer = words.analogy(question, 12, method, options)
        assert (answer.neighbors, answer.inputs, answer.evidence) == (exact.neighbors, exact.inputs, exact.evidence)
        assert answer.recall == 1.0
        assert answer.search.startswith("exact")


def test_the_own_index_answers_and_tells_its_recall(words: WordSpace, whole: WordSpace) -> None:
    for answer in (
        words.analogy("w1 - w2 + w3", 10),
        words.neighbors("w1", 10),
        words.travel("w1", "w2 -> w3", 20),
        words.neighbors("w1", 10, search=SearchOptions(index="ivf")),
        words.neighbors("w1", 10, search=SearchOptions(index="ivf:nlist=30")),
        words.neighbors("w1", 10, search=SearchOptions(index="auto")),
    ):
        assert answer.search == "ivf, nprobe 4; exact among 49 rows outside it"
        assert answer.recall is not None
        assert 0.1 < answer.recall < 1
    scores = {one.key: one.score for one in whole.neighbors("w1", ROWS).neighbors}
    near = words.neighbors("w1", 10).neighbors
    assert near[0].key == "x1"  # added after the index was built
    assert all(abs(scores[one.key] - one.score) < 1e-6 for one in near)
    assert [one.text for one in near[1:]] == [f"text {one.key[1:]}" for one in near[1:]]
    assert words.analogy("w1 - w2 + w3", 10, "3cosmul").search.startswith("exact: no index answers 3cosmul")
    reached = words.neighbors("w1", 10, search=SearchOptions(recall=0.9))
    assert reached.recall is not None
    assert 0.9 <= reached.recall < 1
    rare = words.neighbors("w1", 10, search=SearchOptions("text in ('text 12', 'text 15')"))
    assert {one.key for one in rare.neighbors} == {"w12", "w15"}


def test_other_verbs_answer_as_in_the_space_read_whole(words: WordSpace, whole: WordSpace) -> None:
    assert words.neighbors("w1", 20, search=EXACT).neighbors == whole.neighbors("w1", 20).neighbors
    assert words.neighbors("w1", search=SearchOptions(index="flat")).neighbors == whole.neighbors("w1").neighbors
    assert words.closer_than("w1", "w900").words == whole.closer_than("w1", "w900").words
    assert words.odd_one_out(["w1", "w2", "w3"]).words == whole.odd_one_out(["w1", "w2", "w3"]).words
    assert words.project("w1", ["w2 -> w3"]).words == whole.project("w1", ["w2 -> w3"]).words
    assert words.similarity("w1", "w2").rank == whole.similarity("w1", "w2").rank
    steps = words.travel("w1", "w2 -> w3", 5, search=EXACT).steps
    for step, expected in zip(steps, whole.travel("w1", "w2 -> w3", 5).steps, strict=True):
        assert [one.key for one in step.neighbors] == [one.key for one in expected.neighbors]
    centered = words.view("centered").neighbors("w1").neighbors
    assert centered == whole.view("centered").neighbors("w1").neighbors


def test_another_index_is_built_only_of_a_collection_that_is_small(words: WordSpace, collection: Collection) -> None:
    other = words.neighbors("w1", search=SearchOptions(index="hnsw:M=8"))
    assert other.search.startswith("hnsw")
    limited = Explorer().hold(SpaceRows(collection.view(), None))
    limited.search.max_build_bytes = 1000  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"too many to build an index of in memory; its own is ivf.*compact"):
        limited.neighbors("w1", search=SearchOptions(index="hnsw:M=8"))


def test_a_large_collection_is_streamed_in_ever_the_same_blocks(words: WordSpace, whole: WordSpace) -> None:
    """Queries that are repeated go by way of codes, or not: the answers are the same."""
    for _ in range(6):
        assert words.neighbors("w1", search=EXACT).neighbors == whole.neighbors("w1").neighbors
    streamed = StreamedIndex(words.space.vectors)
    many = whole.space.vectors[:70]
    for query, row in enumerate(streamed.search(many, 3).rows[:, 0]):
        assert row == query


MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
from polysema import Collection, Explorer
from polysema.app.explorer import AnalogyOptions, SearchOptions

def ask(words):
    words.neighbors("w7", 10)
    words.neighbors("w7", 10, search=SearchOptions(recall=1.0))
    words.neighbors("w7", 10, search=SearchOptions("kind = 'odd' and not text contains '7'"))
    for method in ("3cosadd", "3cosmul", "pairdirection"):
        words.analogy("w1 - w2 + w3", 10, method)
    words.analogy("w1", 10, "lrcos", AnalogyOptions(pairs=(("w2", "w3"), ("w4", "w5")), recall=1.0))
    words.closer_than("w7", "w8"), words.travel("w1", "w2 -> w3"), words.similarity("w1", "w2"), words.baseline
    return len(words)

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) << 10

small, large = sys.argv[1:]
ask(Explorer().space(small))
Path("/proc/self/clear_refs").write_text("5")
rest = peak()
rows = ask(Explorer().space(large))
print(json.dumps([rows, peak() - rest]))
"""


def filled(root: Path, rows: int, dim: int, index: str | None) -> Path:
    """A collection of so many rows, most of whose numbers are zeros, so that it is soon written."""
    made, step = Collection.create(root), min(rows, 12_000 if rows < 100_000 else 50_000)
    vectors = np.zeros((step, dim), np.float32)
    vectors[:, :16] = np.random.default_rng(0).normal(size=(step, 16))
    for start in range(0, rows, step):
        vectors[:, 16] = start / rows
        names = [f"w{start + row}" for row in range(step)]
        made.add(names, vectors, {"kind": ["even", "odd"] * (step // 2), "text": [f"text of {name}" for name in names]})
    if index:
        made.compact(index=index)
    return root


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is told by Linux alone")
@pytest.mark.parametrize("index", [None, "ivf-sq8:nlist=64,nprobe=8"] if ENDURE else [None])
def test_a_large_collection_is_asked_within_little_memory(tmp_path: Path, shm: Path, index: str | None) -> None:
    rows, dim, limit = (1_000_000, 512, 300 << 20) if ENDURE else (12_000, 1536, 50 << 20)
    folder = tmp_path if ENDURE else shm
    small, large = filled(folder / "small", 4000, 512, index), filled(folder / "large", rows, dim, index)
    size = rows * dim * 4
    assert size > (2_000_000_000 if ENDURE else 1.4 * limit)
    run = [sys.executable, "-c", MEASURE, str(small), str(large)]
    environment = os.environ | {"POLYSEMA_HOME": str(tmp_path)}
    done = subprocess.run(run, check=True, capture_output=True, text=True, env=environment)
    found, grown = json.loads(done.stdout)
    assert found == rows
    assert grown < limit
