"""The explorer's answers, and what it refuses."""

import threading
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer, SingleFlightCache
from polysema.core.errors import BeyondMemoryError, UnknownWordError, UserError
from polysema.core.inside.families import COMPARED_MODELS
from polysema.core.maps.options import MapOptions
from polysema.core.measure.senses import load_senses
from polysema.core.model.catalog import entry
from polysema.indexes.collection import Collection


def test_analogy_says_where_the_inputs_would_have_stood(explorer: Explorer) -> None:
    answer = explorer.space().analogy("queen - king + man", k=4)
    assert [(n.key, round(n.score, 3)) for n in answer.neighbors] == [
        ("woman", 0.895),
        ("girl", 0.849),
        ("her", 0.793),
        ("boy", 0.782),
    ]
    assert [(i.word, i.weight, i.rank) for i in answer.inputs] == [("queen", 1, 72), ("king", -1, 7740), ("man", 1, 3)]
    queen = explorer.space().analogy("king - man + woman", k=1).neighbors[0]
    assert (queen.key, round(queen.score, 3)) == ("queen", 0.852)


def test_a_word_named_twice_is_left_out_once(explorer: Explorer) -> None:
    answer = explorer.space().analogy("king + king - 2*man + 2*woman", k=3)
    assert answer.neighbors[0].key == "queen"
    assert not {"king", "man", "woman"} & {n.key for n in answer.neighbors}


def test_neighbors_of_an_unknown_word(explorer: Explorer) -> None:
    with pytest.raises(UnknownWordError) as error:
        explorer.space().neighbors("bankk")
    assert error.value.suggestions[0] == "bank"


def test_an_occurrence_finds_its_own_sense(explorer: Explorer) -> None:
    river = explorer.model().occurrences("bank", "They had a picnic on the bank of the river.", k=5)
    money = explorer.model().occurrences("bank", "She opened an account at the bank.", k=5)
    assert [hit.sense for hit in river.hits].count("river") >= 4
    assert [hit.sense for hit in money.hits].count("money") >= 3
    assert (river.hits[0].sense, money.hits[0].sense) == ("river", "money")
    assert river.static == money.static
    assert (river.start, river.end, river.origin.layer) == (25, 29, 6)
    assert all(hit.text[hit.start : hit.end].lower() == hit.word.lower() for hit in river.hits)
    assert river.hits[0].score > river.baseline


def test_a_sentence_of_the_corpus_finds_itself(explorer: Explorer) -> None:
    sense = load_senses().of("bank")[0]
    text = load_senses().texts[sense.text_id]
    hit = explorer.model().occurrences("bank", text, layer=3, k=1).hits[0]
    assert (hit.text, hit.start, round(hit.score, 4)) == (text, sense.start, 1.0)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_the_map_has_every_occurrence_and_the_static_point(explorer: Explorer, method: str) -> None:
    found = explorer.maps.word_map("bank", method=method, extra=["Our bank is closed."])
    n = len(load_senses().of("bank")) + 1
    assert found.layers == tuple(range(7))
    assert [p.shape for p in found.positions] == [(n + 1, 2)] * 7
    assert (len(found.texts), found.senses[-1], found.texts[-1]) == (n, "yours", "Our bank is closed.")
    assert all(found.texts[i][a:b].lower() == "bank" for i, (a, b) in enumerate(found.spans))
    assert all(np.isfinite(p).all() for p in found.positions)
    assert found.within[-1] > found.between[-1] > found.baselines[-1]


def test_the_first_map_reads_only_the_texts_with_the_word(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = explorer.model().senses.corpus(layer=3)
    senses = load_senses().of("bank")
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    cold, stages = Explorer(), []
    cold.maps.word_map("bank", method="pca", progress=lambda stage, done, total: stages.append(stage))
    told = list(dict.fromkeys(stages))
    assert told[0] == "load minilm-l6"  # and then each stage of the loading
    assert told[-3:] == [f"read {len({s.text_id for s in senses})} sentences", "baseline", "lay out"]
    assert not any("embed" in stage for stage in told)
    assert not (tmp_path / "corpora").exists()
    cloud = cold.model("minilm-l6").senses.cloud("bank")
    places = {key: row for row, key in enumerate(zip(space.column("text_id"), space.column("start"), strict=True))}
    rows = [places[o.text, o.span.start] for o in cloud.occurrences]
    assert len(rows) == len(senses)
    np.testing.assert_allclose(cloud.vectors[3], space.vectors[rows], atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.model().occurrences("bank", "no such word"), "'bank' is not a word of 'no such word'"),
        (lambda e: e.model().occurrences("bank", " "), "text 1 is empty"),
        (
            lambda e: e.model().occurrences("bank", "bank", layer=7),
            r"minilm-l6 has layers 0 \(embeddings\) to 6; got 7",
        ),
        (lambda e: e.model().occurrences("bank", "bank", k=0), "k must be 1 or more; got 0"),
        (lambda e: e.model().occurrences("bank", "bank " * 9000), "text 1 has 45,000 characters; at most 20,000"),
        (lambda e: e.maps.word_map("zebra"), "the corpus of senses has no 'zebra'"),
        (lambda e: e.maps.word_map("bank", extra=["nothing here"]), "'bank' is not a word of 'nothing here'"),
        (lambda e: e.model().compare("bank", []), "give 1 to 64 texts; got 0"),
        (lambda e: e.model().compare("bank", ["bank"] * 65), "give 1 to 64 texts; got 65"),
    ],
)
def test_mistakes_are_named(explorer: Explorer, call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call(explorer)


def test_what_is_kept_is_made_once_and_the_oldest_goes_first() -> None:
    kept, made = SingleFlightCache(2), []

    def get(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key)  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=get, args=("a",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    for key in ("b", "a", "c", "a", "b"):
        get(key)
    assert made == ["a", "b", "c", "b"]


def test_more_are_kept_as_long_as_they_are_small_together() -> None:
    kept = SingleFlightCache(2, len, 10)

    def get(text: str) -> None:
        kept.get(text, lambda: text)

    for text in ("aaa", "bbb", "ccc"):
        get(text)
    assert kept.values() == ["aaa", "bbb", "ccc"]  # 9 bytes: no number is too many
    get("dd")
    assert kept.values() == ["bbb", "ccc", "dd"]
    for text in ("e" * 50, "f" * 50, "g" * 50):
        get(text)
    assert kept.values() == ["f" * 50, "g" * 50]  # of any size two


def test_the_four_that_ship_are_loaded_side_by_side() -> None:
    explorer = Explorer()
    first = [explorer.model(name) for name in COMPARED_MODELS]
    assert [explorer.model(name) for name in COMPARED_MODELS] == first
    assert explorer.memory_usage()["models"] == len(COMPARED_MODELS) > 3
    row_bytes = sum(member.bytes for name in COMPARED_MODELS for member in entry(name).members)
    assert row_bytes < 20_000_000
    assert explorer.memory_usage()["model_bytes"] < 100_000_000


def test_a_model_that_was_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from polysema.core.model import loading_cost

    explorer = Explorer()
    explorer.model("gpt-tiny-en")
    memory = tmp_path / "meminfo"
    memory.write_text("MemAvailable:   20 kB\n")
    monkeypatch.setattr(loading_cost, "MEMORY_FILE", memory)
    with pytest.raises(BeyondMemoryError, match="of memory in float32, and 0.0 GB are free"):
        explorer.model("bert-tiny-en")
    assert explorer.memory_usage()["models"] == 0


def test_what_failed_is_tried_again() -> None:
    kept = SingleFlightCache(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 2) == 2


def test_a_text_read_in_windows_is_told(explorer: Explorer) -> None:
    long = "The river bank. " + "swan " * 600
    assert explorer.model().occurrences("bank", long).split is True
    assert explorer.model().occurrences("bank", "The river bank.").split is False
    assert explorer.maps.word_map("bank", method="pca", extra=("a bank", long)).split == (1,)
    assert explorer.model().compare("bank", ["a bank", long]).split == (1,)


def test_a_map_of_a_space_says_what_it_kept(explorer: Explorer) -> None:
    found = explorer.maps.map("glove-6b-50d", "umap", MapOptions(n_epochs=60), n=1500)
    assert found.map.positions.shape == (1500, 2)
    assert found.distortion is not None
    assert found.distortion.trustworthiness > 0.85
    np.testing.assert_allclose(found.kept, found.distortion.kept, atol=0.101)
    assert found.distortion.preservation > 10 * found.distortion.by_chance
    flat = explorer.maps.map("glove-6b-50d", "pca", n=1500)
    assert flat.neighbors is not None
    assert found.neighbors is not None
    assert np.shares_memory(flat.neighbors.rows, found.neighbors.rows)  # searched once
    new = explorer.space("glove-6b-50d").space.vectors[[1600, 1700]]
    placed = explorer.maps.place(found, new)
    np.testing.assert_array_equal(explorer.maps.place(found, new[1:]), placed[1:])
    with pytest.raises(UserError, match="a map shows from 1 to 400,000 rows"):
        explorer.maps.map("glove-6b-50d", n=0)


def test_a_collection_has_a_map(explorer: Explorer, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    Collection.create(tmp_path / "c").add([f"id{i}" for i in range(40)], rows)
    found = explorer.maps.map(str(tmp_path / "c"), "pca")
    assert (len(found.space), found.space.keys[3]) == (40, "id3")


def test_sense_clusters_of_a_word(explorer: Explorer) -> None:
    found = explorer.model().senses.clusters("match")
    assert len(found.clusters) >= 2
    assert found.adjusted_rand > 0.4
    assert {"played", "won"} & set(" ".join(cluster.name for cluster in found.clusters).replace(",", "").split())


def test_sense_clusters_of_texts_of_ones_own(explorer: Explorer) -> None:
    river = [
        f"The {what} drifted past the grassy bank of the river." for what in ("boat", "log", "swan", "leaf", "raft")
    ]
    money = [
        f"The bank {what} on the loan."
        for what in ("paid interest", "lost money", "made a profit", "called", "charged fees")
    ]
    found = explorer.model().senses.clusters("bank", texts=[*river, *money, "No such word here."])
    assert [len(cluster.rows) for cluster in found.clusters] == [5, 5]
    assert {frozenset(cluster.rows) for cluster in found.clusters} == {frozenset(range(5)), frozenset(range(5, 10))}
    assert np.isnan(found.adjusted_rand)
    assert found.without_word == 1
    assert all(text[start:].lower().startswith("bank") for text, start in zip(found.texts, found.starts, strict=True))
    twice = explorer.model().senses.clusters("bank", min_cluster_size=2, texts=["The bank by the bank."])
    assert len(twice.texts) == 2
    with pytest.raises(UserError, match="two or more occurrences of 'bank'; the texts have 1"):
        explorer.model().senses.clusters("bank", texts=["A bank.", "Nothing."])
    with pytest.raises(UserError, match="give 1 to 2,000 texts; got 2,001"):
        explorer.model().senses.clusters("bank", texts=["A bank."] * 2001)
    with pytest.raises(UserError, match="text 2 is empty"):
        explorer.model().senses.clusters("bank", texts=["A bank.", " "])


def test_two_layers_side_by_side(explorer: Explorer) -> None:
    found = explorer.maps.matched("minilm-l6@0", "minilm-l6@6", n=300, method="pca", through=["minilm-l6@3"])
    assert (len(found), found.by) == (300, "text, start and end")
    assert found.rule == f"300 of {found.matched:,} occurrences that match, spread evenly over the texts"
    assert [side.name for side in found.sides] == ["minilm-l6@0", "minilm-l6@3", "minilm-l6@6"]
    assert {side.positions.shape for side in found.sides} == {(300, 2)}
    assert list(found.a.space.keys) == list(found.b.space.keys)
    assert found.a.space.column("start") == found.b.space.column("start")
    assert found.overlap[found.changed[0]] == found.overlap.min() < 0.2
    assert found.by_chance < found.overlap.mean() < 0.9
    row = int(found.changed[0])
    lost, gained, stayed = found.lost(row), found.gained(row), found.stayed(row)
    assert len(lost) == len(gained) == found.k - len(stayed)
    assert [s.rank_a for s in sorted((*lost, *stayed), key=lambda s: s.rank_a)] == list(range(1, 11))
    assert all(s.rank_b > 10 for s in lost)
    assert [s.rank_b for s in gained] == sorted(s.rank_b for s in gained)
    spaces = [explorer.space(f"minilm-l6@{layer}").space for layer in (0, 6, 3)]
    unnamed = explorer.maps.matched(spaces[0], spaces[1], n=300, method="pca", through=spaces[2:])
    assert [side.name for side in unnamed.sides] == [spaces[place].origin.card() for place in (0, 2, 1)]
    same = explorer.maps.matched("minilm-l6@6", "minilm-l6@6", n=300, method="pca")
    assert same.overlap.min() == 1
    with pytest.raises(UserError, match=r"row must be from 0 to 299, the rows that are shown; got 300"):
        found.lost(300)


def test_two_spaces_of_words_side_by_side(explorer: Explorer) -> None:
    found = explorer.maps.matched("glove-6b-50d", "minilm-l6", n=400, k=5, options=MapOptions(n_epochs=20))
    assert found.rule.startswith("the first 400 of 2")
    assert found.a.left_out == 400_000 - found.matched
    assert found.b.left_out == 30_522 - found.matched
    assert found.a.space.keys[0] == found.b.space.keys[0] == "the"
    assert np.isfinite(found.a.positions).all()
    with pytest.raises(UserError, match="occurrences and static vectors can't be matched row by row"):
        explorer.maps.matched("glove-6b-50d", "minilm-l6@6")
    with pytest.raises(UserError, match="k must be 1 or more; got 0"):
        explorer.maps.matched("glove-6b-50d", "minilm-l6", n=400, k=0)
    assert explorer.maps.matched("glove-6b-50d", "minilm-l6", n=20, k=400, method="pca").k == 19
    with pytest.raises(UserError, match="n must be 1 or more rows"):
        explorer.maps.matched("glove-6b-50d", "minilm-l6", n=0)
    with pytest.raises(UserError, match="map method 'mds' does not exist"):
        explorer.maps.matched("glove-6b-50d", "minilm-l6", n=100, method="mds")


def test_a_collection_without_rows_answers_with_nothing(tmp_path: Path) -> None:
    from polysema.indexes.collection import Collection

    mine = Collection.create(tmp_path / "mine")
    mine.add(["a"], [[1, 0]])
    mine.delete(["a"])
    explorer = Explorer()
    assert [list(one) for one in explorer.space(str(tmp_path / "mine")).nearest([[1, 0], [0, 1]])] == [[], []]
    assert (len(explorer.space(str(tmp_path / "mine")).space), explorer.space(str(tmp_path / "mine")).space.dim) == (
        0,
        2,
    )
    with pytest.raises(UnknownWordError, match="'a' is not among the 0 words"):
        explorer.space(str(tmp_path / "mine")).neighbors("a")
    with pytest.raises(UserError, match=r"a map shows .*0"):
        explorer.maps.map(str(tmp_path / "mine"))
