"""What a collection answers, refuses and remembers."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from polysema.core.errors import BusyError, ConflictError, IncompatibleError, NotFoundError, UserError
from polysema.core.space.space import Family, Origin
from polysema.indexes import collection_compaction as module
from polysema.indexes.collection import Collection, CollectionOptions
from polysema.indexes.store.copy import copy
from polysema.indexes.store.disk import Disk, StoreLimits
from polysema.indexes.store.new_file import locked
from polysema.indexes.store.verify import verify
from tests.store.scenario import collection_state, rows

RNG = np.random.default_rng(7)
X = RNG.normal(size=(300, 12)).astype(np.float32)
NAMES = [f"w{number}" for number in range(300)]
COLUMNS = {
    "layer": [number % 7 for number in range(300)],
    "word": [f"{'ab'[number % 2]}{number}" for number in range(300)],
}


@pytest.fixture
def c(tmp_path: Path) -> Collection:
    found = Collection.create(tmp_path / "c")
    found.add(NAMES, X, COLUMNS)
    return found


def exact(queries: Any, vectors: Any, k: int) -> Any:
    """The oracle: the rows of the k highest cosines, by sorting all."""
    scores = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def test_it_answers_as_the_exact_search(c: Collection) -> None:
    queries = RNG.normal(size=(5, 12)).astype(np.float32)
    found = c.search(queries, 6)
    assert found.ids == [[NAMES[row] for row in line] for line in exact(queries, X, 6)]
    assert found.recall == 1.0
    assert found.scores.shape == (5, 6)
    assert np.allclose(found.vectors()[0], X[exact(queries, X, 6)[0]])
    table = found.table(["layer"])
    assert table.column_names == ["query", "rank", "score", "id", "layer"]
    assert table.column("layer").to_pylist() == [COLUMNS["layer"][row] for row in exact(queries, X, 6).ravel()]
    assert table.column("rank").to_pylist() == [1, 2, 3, 4, 5, 6] * 5


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "euclidean"])
@pytest.mark.parametrize("kind", ["none", "hnsw", "ivf", "ivf-sq8", "ivf-pq", "pq-fastscan"])
def test_every_kind_and_metric_over_changes(tmp_path: Path, metric: str, kind: str) -> None:
    """After adding, deleting, replacing and compacting, exact search and full recall equal the plain oracle."""
    c = Collection.create(tmp_path / "c")
    c.spaces.create("s", 12, metric)
    truth = dict(zip(NAMES, X, strict=True))
    c.add(NAMES, X, COLUMNS)
    c.compact(index=kind)
    replaced = RNG.normal(size=(20, 12)).astype(np.float32)
    c.upsert([*NAMES[:10], *(f"new{number}" for number in range(10))], replaced)
    truth |= dict(zip([*NAMES[:10], *(f"new{number}" for number in range(10))], replaced, strict=True))
    c.delete(NAMES[100:200])
    for name in NAMES[100:200]:
        del truth[name]
    names, matrix = list(truth), np.stack(list(truth.values()))
    queries = RNG.normal(size=(4, 12)).astype(np.float32)
    if metric == "cosine":
        scores = queries @ matrix.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(matrix, axis=1)
    elif metric == "inner_product":
        scores = queries @ matrix.T
    else:
        scores = -np.linalg.norm(queries[:, None] - matrix[None], axis=2)
    best = np.argsort(-scores, axis=1)[:, :8]
    for found in (c.search(queries, 8, exact=True), c.search(queries, 8, recall=1.0)):
        assert found.ids == [[names[row] for row in line] for line in best]
        assert np.allclose(found.scores, np.take_along_axis(scores, best, axis=1), atol=1e-4)
    message = c.search(queries, 8)
    assert not {name for line in message.ids for name in line} & set(NAMES[100:200])
    assert len(c) == 210


def test_conditions_equal_filtering_the_exact_answer(c: Collection) -> None:
    c.delete(["w3"])
    c.upsert(["w5", "late"], X[:2], {"layer": [2, 2]})
    space = c.space()
    layers, words = space.column("layer"), space.column("word")
    queries = X[7:9]
    for where, passing in (
        ("layer = 2", [value == 2 for value in layers]),
        (
            "layer in (1, 4) and word starts with 'a1'",
            [v in (1, 4) and (w or "").startswith("a1") for v, w in zip(layers, words, strict=True)],
        ),
        ("not (layer > 1)", [value <= 1 for value in layers]),
        ("word is null", [value is None for value in words]),
        ("id in ('w1', 'w3', 'late')", [key in ("w1", "w3", "late") for key in space.keys]),
    ):
        kept = np.flatnonzero(passing)
        best = kept[exact(queries, space.vectors[kept], 10)]
        found = c.search(queries, 10, where)
        assert found.ids == [[space.keys[row] for row in line] for line in best], where
        assert c.space(where=where).vectors.shape[0] == len(kept)
    few = c.search(queries, 10, "word is null")
    assert [len(line) for line in few.ids] == [2, 2]  # fewer pass than were requested
    assert np.isneginf(few.scores[:, 2:]).all()
    with pytest.raises(UserError, match="no column 'lauer'"):
        c.search(queries, 3, "lauer = 2")


@pytest.mark.parametrize("kind", ["none", "hnsw", "ivf", "pq-fastscan"])
def test_fewer_rows_than_k_are_the_answer(c: Collection, kind: str) -> None:
    c.compact(index=kind)
    c.delete(NAMES[150:])
    c.add(["late"], X[:1], {"layer": [9]})  # in a segment of its own
    for how in ({}, {"exact": True}, {"recall": 0.9}):
        found = c.search(X[:2], 1000, **how)  # type: ignore[arg-type]
        assert found.scores.shape == (2, 151)
        assert [sorted(line) for line in found.ids] == [sorted([*NAMES[:150], "late"])] * 2
        assert c.search(X[:2], 1000, "layer = 9", **how).ids == [["late"]] * 2  # type: ignore[arg-type]
        assert c.search(X[:2], 1000, "layer = 12", **how).ids == [[], []]  # type: ignore[arg-type]
    c.delete(where="layer < 100")
    assert c.search(X[:2], 10).ids == [[], []]


def test_rows_are_found_at_once_and_deleted_ones_never(c: Collection) -> None:
    new = np.full((1, 12), 3, np.float32)
    c.add(["new"], new)
    assert c.search(new, 1).ids == [["new"]]
    assert c.delete(["new", "never there"]) == 1
    assert c.search(new, 1).ids != [["new"]]
    assert c.delete(["new"]) == 0
    assert c.upsert(["w0"], new) == 1
    assert c.search(new, 1).ids == [["w0"]]
    assert np.array_equal(c.get(["w0"]).vectors, new)
    assert c.delete(where="layer = 1") == sum(value == 1 for value in COLUMNS["layer"])
    assert c.search(X, 5).table(["layer"]).column("layer").to_pylist().count(1) == 0


def test_vectors_come_back_by_id(c: Collection) -> None:
    found = c.get(["w9", "w2"])
    assert list(found.keys) == ["w9", "w2"]
    assert np.array_equal(found.vectors, X[[9, 2]])
    assert found.column("layer") == [2, 2]
    with pytest.raises(NotFoundError, match="'nobody': no such id in vectors"):
        c.get(["w1", "nobody"])


def test_columns_of_many_types_come_back_as_they_were(tmp_path: Path) -> None:
    import datetime
    import decimal

    table = pa.table(
        {
            "flag": pa.array([True, None, False]),
            "small": pa.array([1, 2, None], pa.int8()),
            "money": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3.00")], pa.decimal128(9, 2)),
            "when": pa.array(
                [datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), None, None], pa.timestamp("us", "UTC")
            ),
            "day": pa.array([datetime.date(2020, 1, 2), None, None]),
            "tags": pa.array([["a", "b"], [], None]),
            "pair": pa.array([{"x": 1, "y": "z"}, None, {"x": 2, "y": None}]),
            "kind": pa.array(["a", "a", None]).dictionary_encode(),
            "raw": pa.array([b"\x00\xff", b"", None]),
            "wide": pa.array([1.5, float("nan"), None], pa.float64()),
        }
    )
    c = Collection.create(tmp_path / "c")
    c.add(["a", "b", "c"], np.eye(3, dtype=np.float32), table)
    for _ in range(2):
        back = Collection(tmp_path / "c").get(["a", "b", "c"]).columns
        assert back is not None
        assert back.schema.types == table.schema.types
        for name in table.column_names:
            assert str(back.column(name).to_pylist()) == str(table.column(name).to_pylist())
        c.compact()
    c.add(["d"], np.ones((1, 3), np.float32), {"later": ["x"]})  # a column that comes later is missing before
    assert c.get(["a", "d"]).column("later") == [None, "x"]
    assert c.get(["a", "d"]).column("small") == [1, None]


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("NaN", lambda c: c.add(["n"], [[np.nan] * 12]), UserError, "row 0 holds NaN or Inf"),
    ("Inf", lambda c: c.upsert(["n"], [[np.inf] * 12]), UserError, "row 0 holds NaN or Inf"),
    ("width", lambda c: c.add(["n"], [[1.0] * 11]), IncompatibleError, "vectors: expected dimension 12, got 11"),
    ("flat", lambda c: c.add(["n"], [1.0] * 12), IncompatibleError, r"must have the shape \(n, dim\)"),
    ("no width", lambda c: c.add(["n"], np.empty((1, 0))), IncompatibleError, "at least 1 dimension"),
    ("there", lambda c: c.add(["w1"], X[:1]), ConflictError, "'w1': there already in vectors; upsert replaces them"),
    ("twice", lambda c: c.upsert(["n", "n"], X[:2]), UserError, "'n' stands there more than once"),
    ("empty id", lambda c: c.add([""], X[:1]), UserError, "an id must not be empty"),
    ("number", lambda c: c.add([3], X[:1]), UserError, "ids are texts; got 3, a int"),
    ("none", lambda c: c.add([None], X[:1]), UserError, "ids are texts; row 1 has none"),
    ("surrogate", lambda c: c.add(["\ud800"], X[:1]), UserError, "half a surrogate pair"),
    ("one text", lambda c: c.add("abc", X[:3]), TypeError, "ids are a list; got the one string 'abc'"),
    ("long id", lambda c: c.add(["x" * 65_537], X[:1]), UserError, "at most 65,536 bytes; got one of 65,537"),
    ("too few ids", lambda c: c.add(["n"], X[:2]), IncompatibleError, "1 ids for 2 vectors"),
    (
        "short column",
        lambda c: c.add(["n", "m"], X[:2], {"a": [1]}),
        IncompatibleError,
        "columns of 1 rows for 2 vectors",
    ),
    ("ragged columns", lambda c: c.add(["n", "m"], X[:2], {"a": [1, 2], "b": [1]}), UserError, "lists of one length"),
    ("own column", lambda c: c.add(["n"], X[:1], {"vector": [1]}), UserError, "can't be called vector"),
    (
        "type",
        lambda c: c.add(["n"], X[:1], {"layer": ["six"]}),
        IncompatibleError,
        "the column layer holds int64 in this collection; got string",
    ),
    ("space", lambda c: c.search(X[:1], space="other"), NotFoundError, "no space 'other'; it has vectors"),
    ("k 0", lambda c: c.search(X[:1], 0), UserError, "k must be 1 or more; got 0"),
    ("query width", lambda c: c.search(X[:1, :5]), IncompatibleError, r"queries must have the shape \(n, 12\)"),
    ("query NaN", lambda c: c.search(np.full((1, 12), np.nan)), UserError, "NaN or Inf"),
    ("zero query", lambda c: c.search(np.zeros((1, 12))), UserError, "all zeros"),
    ("recall", lambda c: c.search(X[:1], recall=1.5), UserError, "recall is a share"),
    ("condition", lambda c: c.search(X[:1], where="layer >"), UserError, "layer >"),
    ("column", lambda c: c.delete(where="nope = 1"), UserError, "no column 'nope'"),
    ("index", lambda c: c.compact(index="hnws"), UserError, "index kind 'hnws' does not exist"),
    ("name", lambda c: c.spaces.create("../up", 3), UserError, "a space is named with"),
    ("snapshot", lambda c: c.history.snapshot("a/b"), UserError, "a snapshot is named with"),
    ("version", lambda c: c.history.restore(99), NotFoundError, "keeps the versions"),
    (
        "other space",
        lambda c: c.spaces.create("vectors", 5),
        ConflictError,
        "has a space vectors already: 12 dimensions",
    ),
    ("metric", lambda c: c.spaces.create("m", 5, "manhattan"), UserError, "metric 'manhattan' does not exist"),
]


@pytest.mark.parametrize(("do", "error", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_mistakes_are_told_in_a_line_and_change_nothing(
    c: Collection, do: Any, error: type[Exception], message: str
) -> None:
    before = c.view().manifest.version
    with pytest.raises(error, match=message) as caught:
        do(c)
    assert "\n" not in str(caught.value)
    assert c.view().manifest.version == before
    assert len(c) == 300


def test_what_is_allowed_at_the_edges(c: Collection) -> None:
    long = "x" * 65_536
    assert c.add([long, "naïve 🦢", " "], X[:3]) == 3
    assert list(c.get([long, "naïve 🦢", " "]).keys) == [long, "naïve 🦢", " "]
    assert c.add([], np.empty((0, 12), np.float32)) == 0
    assert c.delete([]) == 0
    assert c.search(np.empty((0, 12), np.float32), 3).ids == []
    c.add(["zero"], np.zeros((1, 12), np.float32))  # it has no direction: its cosine with anything is 0
    assert c.search(X[:1], len(c)).ids[0].count("zero") == 1
    assert "zero" not in c.search(X[:1], 5).ids[0]


def test_an_empty_collection(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    assert len(c) == 0
    for where in (None, "id = 'w1'"):
        found = c.search(X[:2], where=where)
        assert (found.ids, found.scores.shape, found.recall, found.table().num_rows) == ([[], []], (2, 0), 1.0, 0)
        assert found.vectors().size == 0
    with pytest.raises(NotFoundError, match="no space 'other'"):
        c.search(X[:1], space="other")
    with pytest.raises(UserError, match="k must be 1 or more; got 0"):
        c.search(X[:1], 0)
    c.spaces.create("s", 12)
    assert c.search(X[:2], 3).ids == [[], []]
    with pytest.raises(IncompatibleError, match=r"queries must have the shape \(n, 12\)"):
        c.search(X[:1, :5])
    assert c.search(X[:1], where="nope = 1").ids == [[]]  # no column is known yet
    with pytest.raises(UserError, match="can't be read at character 7"):
        c.search(X[:1], where="nope =")
    assert c.compact()
    with pytest.raises(ConflictError, match="holds a collection already"):
        Collection.create(tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "letter.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"holds other things \(letter.txt\) already"):
        Collection.create(tmp_path / "d")
    with pytest.raises(NotFoundError, match="holds no collection; make one with"):
        Collection(tmp_path / "d")
    with pytest.raises(NotFoundError, match="is not there; make the folder first"):
        Collection.create(tmp_path / "no" / "where")


def test_spaces_are_never_mixed(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    six, three = (Origin("minilm-l6", Family.ENCODER, "abc", layer=layer, pooling="mean") for layer in (6, 3))
    c.add(["a", "b"], X[:2], space="layer-6", origin=six)
    c.add(["a"], X[2:3], space="layer-3", origin=three)
    with pytest.raises(UserError, match="several spaces, which are never mixed: name one of layer-6, layer-3"):
        c.search(X[:1])
    with pytest.raises(IncompatibleError, match="don't belong together"):
        c.add(["c"], X[:1], space="layer-6", origin=three)
    with pytest.raises(IncompatibleError, match=r"the space layer-6 holds \[minilm-l6.*got \[no origin\]"):
        c.upsert(["c"], X[:1], space="layer-6")
    with pytest.raises(UserError, match="has no single space"):
        c.delete(["a"])
    assert np.array_equal(c.get(["a"], "layer-3").vectors, X[2:3])
    assert np.array_equal(c.get(["a"], "layer-6").vectors, X[:1])
    c.delete(["a"], "layer-6")
    assert c.view().n_rows("layer-3") == 1
    c.spaces.drop("layer-6")
    assert len(c) == 1


def test_going_back(c: Collection, tmp_path: Path) -> None:
    start = c.view().manifest.version
    assert c.history.snapshot("start") == start
    c.delete(where="layer < 5")
    c.compact()
    left = len(c)
    assert left < 100
    assert [found.version for found in c.history.versions()] == list(range(1, start + 3))
    for _ in range(30):
        c.upsert(["w6"], X[:1])
    assert len(c.history.versions()) < 30  # old ones are collected
    assert c.history.restore("start") == c.view().manifest.version
    assert len(c) == 300
    assert c.search(X[:1], 1).ids == [["w0"]]
    with pytest.raises(ConflictError, match="has a snapshot start already"):
        c.history.snapshot("start")
    assert c.history.restore(c.view().manifest.version - 1)
    assert len(c) == left
    c.history.drop_snapshot("start")
    with pytest.raises(NotFoundError, match="has no snapshot start; it has none"):
        c.history.drop_snapshot("start")
    c.history.collect(1)
    assert not verify(tmp_path / "c").problems
    assert len(list((tmp_path / "c" / "manifests").iterdir())) == 1


def test_a_copy_is_a_collection_of_its_own(c: Collection, tmp_path: Path) -> None:
    c.delete(["w1"])
    assert copy(tmp_path / "c", tmp_path / "k") == 299
    k = Collection(tmp_path / "k")
    assert np.array_equal(k.space().vectors, c.space().vectors)
    k.delete(["w2"])
    assert (len(c), len(k)) == (299, 298)
    with pytest.raises(ConflictError, match="is there already"):
        copy(tmp_path / "c", tmp_path / "k")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_process_sees_a_change(c: Collection, tmp_path: Path) -> None:
    other = Collection(tmp_path / "c")
    for number in range(20):  # also within the grain of the file system's clock
        c.upsert([f"n{number}"], X[number : number + 1])
        assert f"n{number}" in other.space().keys


def test_many_small_changes_don_t_become_many_files(c: Collection, tmp_path: Path) -> None:
    for number in range(100):
        c.upsert([f"n{number}"], X[number : number + 1])
    assert len(c.view().manifest.segments) <= 33
    assert len(c) == 400
    c.history.collect(1)
    assert len(list((tmp_path / "c" / "segments").iterdir())) < 80


def test_threads_write_together_and_read_meanwhile(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c", CollectionOptions(keep=2))
    c.add(*rows(["first"], 0))
    errors: list[BaseException] = []
    stop = threading.Event()

    def write(thread: int) -> None:
        try:
            for value in range(12):
                c.upsert(*rows([f"t{thread}-{value}", f"t{thread}"], 100 * thread + value))
        except BaseException as error:
            errors.append(error)

    def read() -> None:
        try:
            while not stop.is_set():
                collection_state(c)
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=write, args=(thread,)) for thread in range(1, 7)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    c.compact()
    stop.set()
    for thread in readers:
        thread.join()
    assert not errors
    assert collection_state(c) == {"first": 0} | {f"t{t}-{v}": 100 * t + v for t in range(1, 7) for v in range(12)} | {
        f"t{t}": 100 * t + 11 for t in range(1, 7)
    }
    assert c.view().manifest.version < 2 + 6 * 12  # several changes in one commit


def test_changes_of_one_commit_replace_each_others_rows(c: Collection) -> None:
    """Two threads upsert one id, another deletes a row that was just put there: each id stands there once."""
    before = c.view().manifest.version
    answers: dict[str, int] = {}

    def change(name: str, do: Any) -> threading.Thread:
        waiting = len(c._files._queue)
        thread = threading.Thread(target=lambda: answers.update({name: do()}))
        thread.start()
        while len(c._files._queue) == waiting:
            assert thread.is_alive()
        return thread

    with c._files._writing:  # all of them wait, in this order, and are written together
        threads = [
            change("first", lambda: c.upsert(["x", "y", "w0"], X[:3], {"layer": [71, 72, 73]})),
            change("second", lambda: c.upsert(["x", "z"], X[3:5], {"layer": [81, 82]})),
            change("third", lambda: c.upsert(["x", "w0"], X[5:7], {"layer": [91, 92]})),
            change("delete", lambda: c.delete(["y"])),
            change("where", lambda: c.delete(where="layer = 82")),
        ]
    for thread in threads:
        thread.join()
    assert c.view().manifest.version == before + 1
    assert answers == {"first": 1, "second": 1, "third": 2, "delete": 1, "where": 1}
    keys = list(c.space().keys)
    assert sorted(keys) == sorted([*NAMES, "x"])
    assert np.array_equal(c.get(["x", "w0"]).vectors, X[5:7])
    assert c.get(["x", "w0"]).column("layer") == [91, 92]
    assert not verify(c.root).problems


def test_a_group_of_changes_fails_one_by_one(c: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes that are written in one commit don't share their mistakes."""
    answers: list[object] = []

    def change(do: Any) -> None:
        try:
            answers.append(do())
        except UserError as error:
            answers.append(str(error))

    with c._files._writing:  # a commit is under way: these wait and go together
        threads = [
            threading.Thread(target=change, args=(do,))
            for do in (
                lambda: c.add(["n1"], X[:1]),
                lambda: c.add(["w1"], X[:1]),
                lambda: c.add(["n2"], X[:1, :5]),
                lambda: c.delete(["w2"]),
            )
        ]
        for thread in threads:
            thread.start()
        while len(c._files._queue) < 4:
            pass
    before = c.view().manifest.version
    for thread in threads:
        thread.join()
    assert c.view().manifest.version == before + 1
    assert answers.count(1) == 2
    assert (
        len([answer for answer in answers if "there already" in str(answer) or "expected dimension 12" in str(answer)])
        == 2
    )
    assert len(c) == 300


def test_a_second_writer_waits_or_is_told(c: Collection, tmp_path: Path) -> None:
    impatient = Collection(tmp_path / "c", CollectionOptions(wait=0.05))
    with locked(tmp_path / "c" / "LOCK", 0, "changed"):
        with pytest.raises(BusyError, match="is being changed by another process; waited 0.05 s"):
            impatient.delete(["w1"])
        done: list[int] = []
        waiting = threading.Thread(target=lambda: done.append(Collection(tmp_path / "c").delete(["w1"])))
        waiting.start()
        waiting.join(0.2)
        assert not done
    waiting.join()
    assert done == [1]
    with (
        locked(tmp_path / "c" / "COMPACTING", 0, "compacted"),
        pytest.raises(BusyError, match="is being compacted by another process"),
    ):
        impatient.compact()


def test_a_compaction_and_changes_at_the_same_time(c: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added, replaced and deleted while rows are written anew is so afterwards."""
    compacted = module.compacted

    def slow(*args: Any) -> Any:
        answer = compacted(*args)
        c.delete(["w1"])
        c.upsert(["w2", "late"], X[:2])
        return answer

    monkeypatch.setattr(module, "compacted", slow)
    c.compact(index="hnsw")
    assert len(c) == 300
    assert np.array_equal(c.get(["w2", "late", "w5"]).vectors, X[[0, 1, 5]])
    with pytest.raises(NotFoundError):
        c.get(["w1"])
    assert c.search(X[2:3], 1).ids != [["w2"]]
    monkeypatch.undo()
    c.compact()
    assert len(c.view().manifest.segments) == 1
    assert c.space().vectors.shape == (300, 12)


def test_large_segments_are_mapped_and_indexed(tmp_path: Path) -> None:
    disk = Disk(StoreLimits(mapped_bytes=1 << 16, small_segment_rows=16))
    c = Collection.create(tmp_path / "c", disk=disk)
    many = RNG.normal(size=(5000, 16)).astype(np.float32)
    c.add([str(number) for number in range(5000)], many, {"n": list(range(5000))})
    assert "hnsw" in c.compact(index="hnsw:M=16,ef_search=64")
    (ref,) = c.view().manifest.segments
    assert ref.vectors is not None
    assert ref.index is not None
    opened = Collection(tmp_path / "c", disk=disk)
    queries = RNG.normal(size=(50, 16)).astype(np.float32)
    truth = [[str(row) for row in line] for line in exact(queries, many, 10)]
    found = opened.search(queries, 10, recall=0.95)
    hit = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.ids, truth, strict=True)])
    assert found.recall is not None
    assert found.recall >= 0.95
    assert hit >= 0.9
    assert opened.search(queries, 10, exact=True).ids == truth
    assert opened.search(queries[:1], 5, "n < 40").ids[0] == [str(row) for row in exact(queries[:1], many[:40], 5)[0]]
    opened.delete([str(row) for row in range(0, 5000, 2)])
    assert all(int(one) % 2 for line in opened.search(queries, 10).ids for one in line)


def test_former_names_of_a_collection_still_work(c: Collection) -> None:
    assert c.snapshot("now") == c.view().manifest.version
    assert list(c.snapshots()) == list(c.history.snapshots()) == ["now"]
    assert c.delete_where("layer = 1") == sum(value == 1 for value in COLUMNS["layer"])
    c.create_space("other", 3)
    assert c.spaces.names() == ["vectors", "other"]
    with pytest.raises(UserError, match="delete takes ids, or a condition"):
        c.delete()
    with pytest.raises(AttributeError, match="'Collection' object has no attribute 'compress'"):
        c.compress()
