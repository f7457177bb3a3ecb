"""The lessons' measurements: their numbers are the Explorer's, and their wording follows what is measured."""

import re

import numpy as np
import pytest

from polysema.app.dashboard.lessons import LESSONS, Lesson, LessonResult, Verdict, lesson_of
from polysema.app.dashboard.lessons.lesson import checked
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.inside.parameter_counts import widths
from polysema.core.model import catalog
from polysema.core.model.load import LanguageModel
from polysema.core.progress import no_progress

TOPICS = [
    "tokens",
    "one-vector",
    "travel",
    "senses",
    "looking",
    "heads",
    "explained-move",
    "mlp",
    "blocks",
    "embedding",
    "writing",
    "filling",
    "translating",
    "architectures",
    "cost",
    "window",
    "bias",
    "nonsense",
    "understanding",
]


@pytest.fixture
def no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where smollm2-135m was never pulled."""
    real = catalog.folder_of
    monkeypatch.setattr(catalog, "folder_of", lambda row: None if row.name == "smollm2-135m" else real(row))


def lesson(name: str) -> Lesson:
    found = lesson_of(name)
    assert found is not None
    return found


def check(explorer: Explorer, name: str, **changed: str) -> LessonResult:
    one = lesson(name)
    query = one.starts(changed.get("model", "")) | changed
    return one.check(explorer, checked(one, query), no_progress)


def test_every_topic_has_its_lesson() -> None:
    assert [one.name for one in LESSONS] == TOPICS
    for one in LESSONS:
        assert one.question.strip()
        assert len(one.options) >= 3
        assert one.traps
        assert one.ways
        for values in one.presets.values():
            assert set(values) <= {f.key for f in one.fields}


@pytest.mark.parametrize("name", TOPICS)
@pytest.mark.usefixtures("no_decoder")
def test_a_lesson_measures_its_example(explorer: Explorer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lesson(name)
    found = check(explorer, name)
    assert 0 <= found.option < len(one.options)
    assert found.rows
    assert "nan" not in found.said
    for row in found.rows:
        assert all(np.isfinite(value) for value in row.values() if isinstance(value, float))
    names: dict[str, object] = {}
    monkeypatch.setattr("polysema.app.explorer.Explorer", lambda: explorer)  # the models are here already
    exec(compile(found.python, name, "exec"), names)  # the lines under Details run as they stand


@pytest.mark.usefixtures("no_decoder")
def test_the_small_decoder_writes_where_no_larger_one_is_here() -> None:
    assert lesson("writing").starts("")["model"] == "gpt-tiny-en"


def test_numbers_are_the_explorer_s(explorer: Explorer) -> None:
    travel = check(explorer, "travel")
    answer = explorer.space().analogy("queen - king + man", k=8)
    assert [(r["word"], r["cosine"]) for r in travel.rows[:8]] == [(n.key, n.score) for n in answer.neighbors]
    senses = check(explorer, "senses")
    starts = lesson("senses").starts()
    texts = [*starts["first"].splitlines(), *starts["second"].splitlines()]
    compared = explorer.model(starts["model"]).compare("bank", texts)
    for row, layer in zip(senses.rows, compared.layers, strict=True):
        pairs = dict(zip([(i, j) for i in range(6) for j in range(i + 1, 6)], layer.pairs, strict=True))
        same = [value for (i, j), value in pairs.items() if (i < 3) == (j < 3)]
        other = [value for (i, j), value in pairs.items() if (i < 3) != (j < 3)]
        assert row["within"] == pytest.approx(np.mean(same), abs=1e-6)
        assert row["between"] == pytest.approx(np.mean(other), abs=1e-6)
        assert row["random words"] == layer.baseline
    vector = check(explorer, "one-vector")
    rank = explorer.space().similarity(["bank"], ["river"]).rank
    assert f"neighbor number {rank:,} and" in vector.said
    blocks = check(explorer, "blocks")
    assert f"{widths(explorer.model('minilm-l6').internals.on_torch()).total:,} parameters" in blocks.said


@pytest.mark.parametrize(
    ("name", "changed", "verdict", "words"),
    [
        ("tokens", {"text": "the swan is white"}, Verdict.PARTLY, "Every word here is frequent enough"),
        ("tokens", {"model": "g2p-t5", "text": "swan"}, Verdict.FAILS, "cuts every word into its letters"),
        (
            "one-vector",
            {"word": "mouse", "first": "cheese", "second": "keyboard"},
            Verdict.PARTLY,
            "Only **keyboard** is among the nearest hundredth",
        ),
        (
            "one-vector",
            {"word": "swan", "first": "interest", "second": "salary"},
            Verdict.FAILS,
            "Neither is among the nearest hundredth",
        ),
        (
            "travel",
            {"expression": "paris - france + italy", "wanted": "rome"},
            Verdict.WORKS,
            "That is the word you expect",
        ),
        ("travel", {"wanted": "girl"}, Verdict.PARTLY, "You expect girl: it is number 2"),
        ("travel", {"wanted": "swan"}, Verdict.FAILS, "it is not among the best 8"),
        (
            "senses",
            {"word": "dog", "first": "The dog slept.\nMy dog barks.", "second": "A dog ran by.\nHis dog is old."},
            Verdict.FAILS,
            "too small to call two meanings",
        ),
        ("heads", {}, Verdict.PARTLY, "don’t give the head a name yet"),
        (
            "heads",
            {"sentence": "the dog that chased the cats barks", "looker": "the", "at": "that", "more": ""},
            Verdict.WORKS,
            "this head does link the to that",
        ),
        ("mlp", {"model": "g2p-t5", "text": "phone", "word": "S"}, Verdict.FAILS, "It does not know this"),
        ("mlp", {"model": "g2p-t5", "text": "phone", "word": "F"}, Verdict.WORKS, "It does say it"),
        ("explained-move", {}, Verdict.PARTLY, "All heads together took most from **river**"),
        ("explained-move", {"text": "The bank of the club is empty."}, Verdict.FAILS, "on the axis the word goes"),
        ("writing", {"model": "marian-en-fr"}, Verdict.WORKS, "gave **1** different texts"),
        ("filling", {}, Verdict.WORKS, "With the left side alone it is **tree**"),
        (
            "filling",
            {"text": "He paid with his credit ___.", "word": "card"},
            Verdict.PARTLY,
            "number **1** of the ten",
        ),
        ("translating", {}, Verdict.WORKS, "handed over **11** vectors of 256 numbers, 2,816 numbers in all"),
        (
            "translating",
            {"other": "The bank of the river is muddy."},
            Verdict.FAILS,
            "“**La rive de la rivière est boue",
        ),
        ("cost", {}, Verdict.WORKS, "the products between tokens became **256** times as many"),
        ("cost", {"lengths": "16, 32"}, Verdict.PARTLY, "**4** times as large"),
        ("understanding", {"model": "bert-tiny-en"}, Verdict.WORKS, "of 8 are right"),
        (
            "understanding",
            {"model": "bert-tiny-en", "questions": "A robin is a ___. = bird"},
            Verdict.FAILS,
            "**1** of 1",
        ),
        ("window", {"first": "the", "second": "The"}, Verdict.FAILS, "choose beginnings that differ more"),
        (
            "bias",
            {"first": "table, spoon, river, cloud, paper, stone", "second": "chair, fork, lake, rain, book, sand"},
            Verdict.PARTLY,
            "one that chance could make",
        ),
        (
            "nonsense",
            {"model": "g2p-t5", "invented": "phone", "real": "phone"},
            Verdict.WORKS,
            "about as sure of the invention",
        ),
        (
            "nonsense",
            {"model": "g2p-t5", "invented": "'", "real": "phone"},
            Verdict.PARTLY,
            "much less sure of the invention",
        ),
    ],
)
def test_the_wording_follows_the_measurement(
    explorer: Explorer, name: str, changed: dict[str, str], verdict: Verdict, words: str
) -> None:
    found = check(explorer, name, **changed)
    assert found.verdict is verdict
    assert words.lower() in found.said.lower()


def test_doubt_in_what_is_written_is_found() -> None:
    from polysema.app.dashboard.lessons.nonsense import doubts

    assert doubts(" There is no king of the Moon; it doesn’t exist.") == "doesn't exist"
    assert doubts(" a powerful sorcerer") == ""


def test_what_small_decoders_say_is_shown_as_it_is(smollm: LanguageModel, explorer: Explorer) -> None:
    found = check(explorer, "mlp", model="smollm2-135m")
    assert found.shown.best[0] == ("basketball", pytest.approx(0.204, abs=0.005))
    assert "It does say it" in found.said
    assert all(first != "basketball" for _, _, _, first in found.shown.controls[1:])
    assert "So the text makes the difference." in found.said
    against = re.search(r"Against “The sport that my neighbor played is” the score is \+([\d.]+)", found.said)
    assert against is not None
    assert float(against[1]) > 0.5
    score = re.search(r"The score \(logit\) of basketball is (-?[\d.]+):", found.said)
    assert score is not None
    assert sum(row["adds"] for row in found.rows) == pytest.approx(float(score[1]), abs=0.02)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("tokens", {"text": "  "}, "“Text” is empty"),
        ("tokens", {"text": "…!"}, "there is no word in"),
        ("tokens", {"text": "a" * 5000}, "5,000 characters; at most 4,000"),
        ("tokens", {"model": "evil"}, "“Model” has the choices minilm-l6"),
        ("one-vector", {"word": "bankk"}, "'bankk' is not among the 400,000 words"),
        ("travel", {"expression": "queen - - king"}, "a word is missing"),
        ("travel", {"wanted": "womann"}, "'womann' is not among"),
        ("senses", {"first": "one bank"}, "at least two sentences"),
        ("senses", {"first": "a bank\nno such word"}, "'bank' is not a word of"),
        ("senses", {"first": "a bank\nthe bank", "second": "a bank\nmy bank"}, "stands in both boxes"),
        ("looking", {"sentence": "swan"}, "at least two words"),
        ("looking", {"last": "river"}, "ends in 'river' already"),
        ("looking", {"other": "cat"}, "both spellings are 'cat'"),
        ("heads", {"looker": "zebra"}, "none of the texts has both words"),
        ("heads", {"sentence": "a white swan"}, "the sentence has not both words"),
        ("mlp", {"model": "g2p-t5", "text": "phone", "word": "日"}, "has no token for '日'"),
        ("blocks", {"text": ""}, "“Text” is empty"),
        ("embedding", {"word": "river"}, "'river' is not a word of"),
        ("embedding", {"others": "one"}, "at least two texts"),
        ("window", {"second": "We went fishing in the river."}, "both beginnings are the same"),
        ("window", {"word": "river"}, "'river' is not a word of"),
        ("window", {"filler": "…"}, "no word in the filler"),
        ("bias", {"first": "qqqqx, zzzzy, bank"}, "at least two words that glove-6b-50d knows"),
        ("bias", {"words": "qqqqx"}, "knows none of the words"),
        ("nonsense", {"model": "g2p-t5", "invented": "a" * 90}, "90 tokens"),
        ("nonsense", {"model": "minilm-l6"}, "“Model” has the choices"),
        ("explained-move", {"word": "boat"}, "'boat' is not a word of"),
        ("explained-move", {"axis": "money"}, "two ends"),
        ("writing", {"temperatures": "1"}, "from 2 to 6 temperatures"),
        ("writing", {"temperatures": "warm, 2"}, "a temperature is a number"),
        ("writing", {"temperatures": "0, 2"}, "above 0"),
        ("filling", {"text": "no gap"}, "mask"),
        ("filling", {"text": "___ and ___"}, "about one gap"),
        ("translating", {"model": "g2p-t5"}, "“Model” has the choices marian-en-fr"),
        ("cost", {"lengths": "16"}, "two or more whole numbers"),
        ("cost", {"lengths": "16, 100000"}, "is measured at 2 to"),
        ("understanding", {"questions": "two and two"}, "its answer behind a ="),
        ("understanding", {"model": "bert-tiny-en", "questions": "two = two"}, "write ___ where the answer"),
    ],
)
def test_a_wrong_text_makes_one_line(explorer: Explorer, name: str, changed: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as error:
        check(explorer, name, **changed)
    assert message.lower() in str(error.value).lower()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("one-vector", {"word": "cafe\u0301", "first": "coffee", "second": "restaurant"}, "looked up as"),
        ("travel", {"expression": "cafe\u0301 - paris + rome"}, "looked up as"),
        ("bias", {"words": "cafe\u0301 nurse engineer"}, "looked up as"),
        ("senses", {"word": "bank\u00ad"}, "looked up as"),
        ("embedding", {"word": "\u0e41\u0e21\u0e27", "text": "\u0e41\u0e21\u0e27 sat here"}, "doesn't know"),
    ],
)
@pytest.mark.usefixtures("no_decoder")
def test_a_finding_has_the_notes_of_its_answers(
    explorer: Explorer, name: str, changed: dict[str, str], message: str
) -> None:
    assert not check(explorer, name).notes
    notes = check(explorer, name, **changed).notes
    assert any(message in note for note in notes), notes
