"""Any word of any texts: counted, found, laid out, clustered, sorted; own sentences judged; senses on an axis."""

import json
from pathlib import Path

import numpy as np
import pytest

from polysema import Collection, Explorer
from polysema.app.collection.column_values import write_column
from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.app.explorer.results.contexts import WordCount
from polysema.core.errors import NotFoundError, UserError

RIVER = [f"The spoon lay in the mud of the river {place}." for place in ("bed", "bank", "bend", "mouth")]
KITCHEN = [f"She stirred the {dish} with a spoon." for dish in ("soup", "sauce", "broth", "stew")]
TEXTS = [*RIVER, *KITCHEN, "No such thing here.", "SPOON and spoon."]
TOPICS = ["river"] * 4 + ["kitchen"] * 4 + [None, None]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A collection of whole texts."""
    folder = tmp_path_factory.mktemp("data") / "texts"
    made = Collection.create(folder)
    vectors = np.random.default_rng(0).normal(size=(len(TEXTS), 4)).astype(np.float32)
    made.add([f"t{row}" for row in range(len(TEXTS))], vectors, {"text": TEXTS, "topic": TOPICS})
    return str(folder)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A collection of words in texts."""
    folder = tmp_path_factory.mktemp("data") / "words"
    made = Collection.create(folder)
    names = ["Bank", "bank", "bank", "barn", None]
    columns = {"word": names, "text": ["Bank bank", "Bank bank", "a bank", "a barn", "x"]}
    columns |= {"start": [0, 5, 2, 2, 0], "end": [4, 9, 6, 6, 1]}  # type: ignore[dict-item]
    made.add(list("abcde"), np.eye(5, dtype=np.float32), columns)
    return str(folder)


def test_words_are_counted_in_rows_and_in_texts(words: str, texts: str) -> None:
    found = Explorer().space(words).contexts.words("BA")
    assert found.words == (WordCount("bank", 3), WordCount("barn", 1))
    assert (found.matched, found.total, found.by) == (2, 4, "word")
    found = Explorer().space(texts).contexts.words(k=2)
    assert found.words == (WordCount("the", 16), WordCount("spoon", 10))
    assert (found.by, found.n_rows) == ("text", 10)


def test_occurrences_have_texts_places_and_vectors(words: str, texts: str) -> None:
    found = Explorer().space(words).contexts.occurrences("BANK")
    assert [(one.id, one.start, one.end) for one in found.occurrences] == [("a", 0, 4), ("b", 5, 9), ("c", 2, 6)]
    np.testing.assert_array_equal(found.vectors, np.eye(5)[:3])
    found = Explorer().space(texts).contexts.occurrences("spoon", k=3, label="topic")
    assert (found.found, [one.id for one in found.occurrences]) == (10, ["t0", "t4", "t9"])
    assert [one.label for one in found.occurrences] == ["river", "kitchen", ""]
    assert (found.occurrences[2].start, found.occurrences[2].end) == (10, 15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.occurrences("fork"), "'fork' stands in none of the 10 rows of .*: the, spoon"),
        (lambda c: c.occurrences(" "), "a word is needed"),
        (lambda c: c.occurrences("spoon", 0), "1 to 2,000; got 0"),
        (lambda c: c.occurrences("spoon", label="tpic"), "no column 'tpic'; there are: text, topic"),
    ],
)
def test_what_is_not_there_is_named(texts: str, call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        call(Explorer().space(texts).contexts)


def test_a_space_without_texts_says_which_have_them(explorer: Explorer) -> None:
    with pytest.raises(UserError, match="glove-6b-50d has no texts: words in contexts are those of a collection"):
        explorer.space().contexts.words()


def test_a_word_of_ones_own_is_laid_out_clustered_and_sorted(explorer: Explorer, texts: str) -> None:
    source = SpaceTexts(texts, "topic")
    found = explorer.maps.word_map("spoon", method="pca", extra=["My spoon fell into the river."], texts=source)
    assert [one.shape for one in found.positions] == [(12, 2)] * 7
    assert (found.found, found.senses[0], found.senses[5], found.senses[-1]) == (10, "river", "kitchen", "yours")
    assert found.within[6] > found.between[6]
    clustered = explorer.model().senses.clusters("spoon", 6, texts=source)
    assert clustered.adjusted_rand == pytest.approx(1)
    lines = explorer.model().senses.concordance("spoon", source, 6).lines
    assert len(lines) == 10
    assert {line.sense for line in lines} == {"river", "kitchen", ""}


def test_any_word_of_the_corpus_of_senses_may_be_asked_for(explorer: Explorer) -> None:
    found = explorer.maps.word_map("otter", method="pca")
    assert set(found.senses) == {""}
    assert all(text[start:end].lower() == "otter" for text, (start, end) in zip(found.texts, found.spans, strict=True))


def test_own_sentences_are_judged_by_their_nearest(explorer: Explorer, texts: str) -> None:
    contexts = explorer.model().senses.contexts
    sentences = ["mine | They had a picnic on the bank of the river.", "She opened an account at the bank."]
    one, two = contexts.verdicts("bank", sentences).sentences
    assert (one.name, one.text[one.start : one.end], one.sentence) == ("mine", "bank", "like river: 4 of 5 nearest")
    assert (two.name, two.label) == ("2", "money")
    assert [near.score for near in one.neighbors] == sorted((near.score for near in one.neighbors), reverse=True)
    cloud = contexts.cloud("bank")
    assert all(cloud.texts[near.place] == near.text for near in one.neighbors)
    found = contexts.verdicts("spoon", ["He ate his soup with a spoon."], k=3, texts=SpaceTexts(texts, "topic"))
    assert found.sentences[0].sentence == "like kitchen: 3 of 3 nearest"
    found = contexts.verdicts("spoon", ["He ate his soup with a spoon."], k=3, texts=SpaceTexts(texts))
    assert found.sentences[0].sentence == "like none that has a label: 0 of 3 nearest"
    assert contexts.verdicts("bank", sentences, by="clusters").sentences[0].label == "3: floods, town, stands"


def test_senses_lie_apart_on_an_axis(explorer: Explorer, texts: str) -> None:
    contexts = explorer.model().senses.contexts
    found = contexts.axis("spoon", texts=SpaceTexts(texts, "topic"))
    assert (found.ends, found.counts, found.accuracy) == (("kitchen", "river"), (4, 4), 1)
    assert (len(found.places), found.made_of_vectors) == (10, False)
    with pytest.raises(UserError, match="an axis needs two groups, and there are 0 by labels: take clusters"):
        contexts.axis("spoon", texts=SpaceTexts(texts))
    with pytest.raises(UserError, match="grouped by labels or clusters; got 'topic'"):
        contexts.axis("spoon", by="topic", texts=SpaceTexts(texts))


def test_senses_are_written_into_a_collection_in_place(polysema, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "mine"
    status, _, err = polysema("collection", "copy", words, str(folder))
    assert status == 0, err
    rows = [
        {"word": "bank", "sense": "river", "text": "Bank bank", "start": 5, "end": 9},
        {"word": "bank", "sense": "money", "text": "a bank", "start": 2, "end": 6},
        {"word": "fork", "sense": "x", "text": "a fork", "start": 2, "end": 6},
    ]
    (tmp_path / "senses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = Collection(folder).view().manifest.version
    status, out, err = polysema("collection", "write-column", str(folder), "sense", str(tmp_path / "senses.jsonl"))
    assert (status, err.strip()) == (0, "note: 1 annotations stand in none of its texts")
    assert "the column sense is written into 2 of vectors" in out
    found = Collection(folder).space()
    assert found.columns is not None
    by_id = dict(zip(found.keys, found.columns.column("sense").to_pylist(), strict=True))
    assert by_id == {"a": None, "b": "river", "c": "money", "d": None, "e": None}
    assert found.columns.column("word").null_count == 1
    np.testing.assert_array_equal(found["b"], np.eye(5)[1])
    assert Collection(folder).view().manifest.version == before + 1
    with pytest.raises(NotFoundError, match="'z': no such id in vectors"):
        write_column(Collection(folder), "sense", {"a": "x", "z": "y"})
    with pytest.raises(UserError, match="a name other than id; got 'id'"):
        write_column(Collection(folder), "id", {"a": "x"})


def test_a_collection_that_changed_is_read_anew(explorer: Explorer, tmp_path: Path) -> None:
    made = Collection.create(tmp_path / "mine")
    made.add(["a", "b"], np.eye(2, dtype=np.float32), {"text": ["The spoon.", "A spoon."]})
    source, contexts = SpaceTexts(str(tmp_path / "mine")), explorer.model().senses.contexts
    assert len(contexts.cloud("spoon", source).texts) == 2
    made.add(["c"], np.ones((1, 2), np.float32), {"text": ["My spoon."]})
    assert len(contexts.cloud("spoon", source).texts) == 3


def test_a_column_is_written_into_more_rows_than_a_condition_has_letters_for(tmp_path: Path) -> None:
    made = Collection.create(tmp_path / "many")
    ids = [f'row "{number}" \\ é' for number in range(12_000)]
    made.add(ids, np.ones((len(ids), 2), np.float32), {"year": list(range(len(ids)))})
    assert write_column(made, "sense", dict.fromkeys(ids[1:], "a")) == {"vectors": 11_999}
    columns = made.get([ids[0], ids[-1]]).columns
    assert columns.to_pydict() == {"year": [0, 11_999], "sense": [None, "a"]}


def test_words_without_their_texts_are_counted_and_not_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    Collection.create(folder).add(list("abc"), np.eye(3, dtype=np.float32), {"word": ["crane", "crane", "heron"]})
    explorer = Explorer()
    assert explorer.space(str(folder)).contexts.words("cr").words == (WordCount("crane", 2),)
    with pytest.raises(UserError, match=r"bare has the words of texts and not the texts \(no column text\)"):
        explorer.model("bert-tiny-en").senses.contexts.axis("crane", texts=SpaceTexts(str(folder)))
