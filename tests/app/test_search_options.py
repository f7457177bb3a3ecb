"""Every verb that searches takes a filter, an index and a recall; an index is kept for the next process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from polysema import Explorer, Space, write_vectors
from polysema.app.cli.main import cli
from polysema.app.explorer import AnalogyOptions, SearchOptions
from polysema.app.explorer.index_builds import BuildLimits, build_turn, limited_builds
from polysema.app.explorer.index_cache import kept_index
from polysema.core.errors import BusyError, UserError
from polysema.core.space.space import Origin
from polysema.indexes.faiss_index import FaissIndex
from polysema.indexes.index_spec import IndexSpec


@pytest.fixture(scope="module")
def space() -> Space:
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(60, 24))[generator.integers(0, 60, 3000)] + generator.normal(size=(3000, 24)) / 3
    columns = pa.table({"kind": ["even" if row % 2 == 0 else "odd" for row in range(3000)]})
    keys = [f"w{row}" for row in range(3000)]
    made = Space.from_vectors(keys, vectors.astype(np.float32), "mine")
    return Space(made.keys, made.vectors, Origin("mine"), columns)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a"])
def test_an_analogy_through_an_index_is_the_exact_one_at_recall_1(space: Space, home: Path, method: str) -> None:
    words = Explorer().space(space)
    exact = words.analogy("w1 - w2 + w3", 12, method)
    answer = words.analogy("w1 - w2 + w3", 12, method, AnalogyOptions(index="hnsw:M=8", recall=1.0))
    assert (answer.neighbors, answer.inputs, answer.evidence) == (exact.neighbors, exact.inputs, exact.evidence)
    assert answer.recall == 1.0
    assert (exact.search, exact.recall) == ("exact", 1.0)
    linear = method in ("3cosadd", "only-b", "ignore-a")
    assert answer.search.startswith(f"exact: no index answers {method}") is not linear


def test_an_approximate_analogy_tells_the_recall_to_expect(space: Space, home: Path) -> None:
    words = Explorer().space(space)
    exact = words.analogy("w1 - w2 + w3", 10, options=AnalogyOptions(evidence=False))
    answer = words.analogy("w1 - w2 + w3", 10, options=AnalogyOptions(evidence=False, index="ivf-pq", recall=0.5))
    assert answer.recall is not None
    assert 0.5 <= answer.recall <= 1.0
    shared = {one.key: one.score for one in exact.neighbors}
    again = [one for one in answer.neighbors if one.key in shared]
    assert again
    assert all(shared[one.key] == one.score for one in again)


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul", "pairdirection"])
@pytest.mark.parametrize("evidence", [True, False])
def test_an_analogy_has_only_rows_that_pass(space: Space, method: str, evidence: bool) -> None:
    words = Explorer().space(space)
    every = words.analogy("w1 - w2 + w3", 2997, method, AnalogyOptions(evidence=False)).neighbors
    odd = AnalogyOptions(evidence=evidence, where="kind = 'odd'", restrict_vocab=2000)
    answer = words.analogy("w1 - w2 + w3", 9, method, odd)
    expected = [one.key for one in every if one.row % 2 == 1 and one.row < 2000][:9]
    assert [one.key for one in answer.neighbors] == expected
    if answer.evidence is not None:
        assert all(one.row % 2 for part in answer.evidence.beside for one in part.neighbors)
        assert all(one.row % 2 for one in answer.evidence.with_inputs)


def test_travel_and_closer_take_the_same_options(space: Space, home: Path) -> None:
    words = Explorer().space(space)
    odd = SearchOptions("kind = 'odd'")
    step = words.travel("w1", "w2 -> w3", 2, k=4, search=odd).steps[2]
    assert len(step.neighbors) == 4
    assert all(one.row % 2 for one in step.neighbors)
    exact, near = words.travel("w1", "w2 -> w3"), words.travel("w1", "w2 -> w3", search=SearchOptions("", "hnsw", 1.0))
    assert (near.steps, near.recall, exact.search) == (exact.steps, 1.0, "exact")
    every, some = words.closer_than("w1", "w3"), words.closer_than("w1", "w3", search=odd)
    assert some.words == tuple(one for one in every.words if int(one[0][1:]) % 2)
    assert 0 < len(some.words) < len(every.words)
    assert words.closer_than("w1", "w3", search=SearchOptions("", "hnsw")).search.startswith("exact: an index finds")


def test_the_nearest_rows_of_vectors_say_how_they_were_found(space: Space, home: Path) -> None:
    words, queries = Explorer().space(space), space.vectors[[4, 9]]
    exact, (file, *_) = words.nearest(queries, 3), write_vectors(space, home / "mine.parquet")
    assert [(one.search, one.recall, one[0].key) for one in exact] == [("exact", 1.0, "w4"), ("exact", 1.0, "w9")]
    near = words.nearest(queries, 3, SearchOptions(index="hnsw:M=8", recall=0.9))
    assert all(one.search.startswith("hnsw") and one.recall is not None and one.recall >= 0.9 for one in near)
    np.save(home / "two.npy", queries)
    command = ["neighbors", "--vectors", str(home / "two.npy"), "-s", str(file), "-k", "3", "--index", "hnsw:M=8"]
    ran = CliRunner().invoke(cli, [*command, "--recall", "0.9", "--format", "json"])
    assert json.loads(ran.stdout)["answers"] == near.to_dict()["answers"]
    with pytest.raises(TypeError, match=r"queries are a list; got the one string 'w4': write \['w4'\]"):
        words.nearest("w4")
    ran = CliRunner().invoke(cli, ["neighbors", "w4", "--vector", "1,2", "-s", str(file)])
    assert (ran.exit_code, "give one of WORD, --text, --vector and --vectors" in str(ran.exception)) == (1, True)


def test_the_commands_take_them(space: Space, home: Path) -> None:
    (file, *_) = write_vectors(space, home / "mine.parquet")
    runner = CliRunner()
    for command in (["analogy", "w1 - w2 + w3"], ["travel", "w1", "w2 -> w3"], ["neighbors", "w1"]):
        ran = runner.invoke(cli, [*command, "-s", str(file), "--index", "hnsw:M=8", "--recall", "0.9"])
        assert (ran.exit_code, "recall@10 expected: " in ran.output) == (0, True), ran.output
    ran = runner.invoke(cli, ["closer", "w1", "w3", "-s", str(file), "--where", "word = 'w2'", "--format", "json"])
    assert ran.exit_code == 0, ran.output
    assert {row["word"] for row in json.loads(ran.stdout)["closer"]} <= {"w2"}


ASK = """
import sys, time, numpy as np
from polysema.app.explorer.index_builds import BuildLimits, build_turn, limited_builds
from polysema.app.explorer.index_cache import kept_index
from polysema.core.errors import BusyError, UserError
from polysema.indexes import faiss_index
from polysema.indexes.index_spec import IndexSpec
built = []
build = faiss_index.FaissIndex._build
faiss_index.FaissIndex._build = lambda self, vectors: (built.append(1), build(self, vectors))[1]
vectors = np.random.default_rng(1).normal(size=(2500, 16)).astype(np.float32)
hits = kept_index(vectors, IndexSpec.parse("hnsw:M=8")).search(vectors[:3], 4)
print(len(built), hits.rows.tolist())
"""


def test_the_next_process_builds_no_index(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, env={**os.environ}
        )
        return ran.stdout.split(maxsplit=1)

    first = ask()
    vectors = np.random.default_rng(1).normal(size=(2500, 16)).astype(np.float32)
    built: list[int] = []
    build = FaissIndex._build
    monkeypatch.setattr(FaissIndex, "_build", lambda self, vectors: (built.append(1), build(self, vectors))[1])

    def again() -> tuple[int, str]:
        """In this process, which has built none: how often one is built, and what is found."""
        built.clear()
        hits = kept_index(vectors, IndexSpec.parse("hnsw:M=8")).search(vectors[:3], 4)
        return len(built), f"{hits.rows.tolist()}\n"

    assert first[0] == "1"
    assert again() == (0, first[1])
    (file,) = (home / "indexes").glob("*.faiss")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert again() == (1, first[1])
    assert again()[0] == 0


def test_kept_indexes_have_a_limit_and_go_by_use(home: Path) -> None:
    vectors = np.random.default_rng(2).normal(size=(2000, 8)).astype(np.float32)
    kept_index(vectors, IndexSpec.parse("flat"))
    (first,) = (home / "indexes").glob("*.faiss")
    kept_index(vectors * 2 + 1, IndexSpec.parse("flat"), max_bytes=100)
    (second,) = (home / "indexes").glob("*.faiss")
    assert first != second
    assert [path.stem for path in (home / "indexes").glob("*.json")] == [second.stem]
    kept_index(vectors[:10], IndexSpec.parse("flat"))
    assert len(list((home / "indexes").iterdir())) == 2


def test_one_index_is_built_at_a_time_and_within_limits(space: Space, home: Path) -> None:
    words = Explorer().space(space)
    known = SearchOptions(index="ivf:nlist=20")
    words.neighbors("w1", search=known)
    with limited_builds(BuildLimits(1_000_000, 5.0, wait=False)):
        with build_turn():  # as another request does
            assert words.neighbors("w1", search=known).search.startswith("ivf")
            with pytest.raises(BusyError, match="another index is being built; ask again"):
                words.neighbors("w1", search=SearchOptions(index="ivf:nlist=21"))
        assert words.neighbors("w1", search=SearchOptions(index="ivf:nlist=21")).search.startswith("ivf")
        with pytest.raises(UserError, match=r"hnsw, M 512.* of 3,000 x 24 takes about [\d,]+ bytes; 1,000,000 may be"):
            words.neighbors("w1", search=SearchOptions(index="hnsw:M=512"))
        with pytest.raises(UserError, match=r"takes about [\d,]+ seconds to build; 5 may go into a request"):
            words.neighbors("w1", search=SearchOptions(index="hnsw:M=4,ef_construction=99999"))


def test_many_words_at_once_have_the_answers_of_each(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polysema.indexes.exact_batch.MAX_SCORES", 2 * len(space) + 1)  # two queries at a time
    words, chosen = Explorer().space(space), [f"w{row}" for row in range(0, 50, 10)]
    for k in (5, len(space)):
        each = words.neighbors(chosen, k)
        assert [one.neighbors for one in each] == [words.neighbors(word, k).neighbors for word in chosen]
        assert all(word not in [found.key for found in one.neighbors] for word, one in zip(chosen, each, strict=True))
