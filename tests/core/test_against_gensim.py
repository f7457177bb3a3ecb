"""Neighbors and analogies equal gensim's on the same vectors: the same ten, the same scores to 1e-5."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from polysema.app.explorer import AnalogyOptions, Explorer, SearchOptions
from polysema.core.errors import UserError


@pytest.fixture(scope="module")
def gensim(explorer: Explorer) -> KeyedVectors:
    space = explorer.space("glove-6b-50d").space
    vectors = KeyedVectors(space.dim, count=len(space))  # filled as gensim's own readers do; `add_vectors` takes 13 s
    vectors.vectors = space.vectors
    vectors.index_to_key = list(space.keys)
    vectors.key_to_index = {word: row for row, word in enumerate(space.keys)}
    return vectors


@pytest.mark.parametrize(
    ("expression", "positive", "negative"),
    [
        ("queen - king + man", ["queen", "man"], ["king"]),
        ("paris - france + italy", ["paris", "italy"], ["france"]),
        ("bigger - big + small", ["bigger", "small"], ["big"]),
        ("0.5*blue + swan - 2*river", [("blue", 0.5), "swan"], [("river", -2.0)]),
        ("bank", ["bank"], []),
    ],
)
def test_the_same_answers(
    explorer: Explorer, gensim: KeyedVectors, expression: str, positive: list, negative: list
) -> None:
    ours = explorer.space().analogy(expression, k=10).neighbors
    theirs = gensim.most_similar(positive=positive, negative=negative, topn=10)
    assert [n.key for n in ours] == [word for word, _ in theirs]
    assert [n.score for n in ours] == pytest.approx([score for _, score in theirs], abs=1e-5)


@pytest.mark.parametrize("first", [50, 30_000])
def test_restricted_to_the_first_words_the_same_answers(explorer: Explorer, gensim: KeyedVectors, first: int) -> None:
    """Also of a word that is not among them: `swan` is word 14,000."""
    for expression, positive, negative in (
        ("queen - king + man", ["queen", "man"], ["king"]),
        ("swan + the", ["swan", "the"], []),
        ("bank", ["bank"], []),
    ):
        theirs = gensim.most_similar(positive=positive, negative=negative, topn=10, restrict_vocab=first)
        for evidence in (True, False):
            ours = explorer.space().analogy(
                expression, k=10, options=AnalogyOptions(evidence=evidence, restrict_vocab=first)
            )
            assert [n.key for n in ours.neighbors] == [word for word, _ in theirs]
            assert [n.score for n in ours.neighbors] == pytest.approx([score for _, score in theirs], abs=1e-5)
            assert max(n.row for n in ours.neighbors) < first
            if ours.evidence is not None:
                assert all(n.row < first for m in ours.evidence.beside for n in m.neighbors)
                assert all(n.row < first for n in ours.evidence.with_inputs)
                inside = [i.word for i in ours.inputs if i.rank is not None]
                assert inside == [i.word for i in ours.inputs if explorer.space().space.keys.row(i.word) < first]
    theirs = gensim.most_similar("swan", topn=10, restrict_vocab=first)
    near = explorer.space().neighbors("swan", k=10, search=SearchOptions(restrict_vocab=first))
    assert [n.key for n in near.neighbors] == [word for word, _ in theirs]


@pytest.mark.parametrize("method", ["3cosmul", "pairdirection"])  # gensim's cosmul passes the restriction over
def test_restricted_to_the_first_words_the_best_of_all_that_lie_there(explorer: Explorer, method: str) -> None:
    def best(k: int, first: int | None) -> list[int]:
        options = AnalogyOptions(evidence=False, restrict_vocab=first)
        found = explorer.space().analogy("queen - king + man", k=k, method=method, options=options)
        return [n.row for n in found.neighbors]

    for first in (2_000, 30_000):
        assert best(3, first) == [row for row in best(9_000, None) if row < first][:3]


def test_a_restriction_with_a_filter_an_index_and_more_than_there_is(explorer: Explorer) -> None:
    def near(**how: object) -> list[str]:
        return [n.key for n in explorer.space().neighbors("bank", k=5, search=SearchOptions(**how)).neighbors]  # type: ignore[arg-type]

    assert near(restrict_vocab=10**9) == near()
    assert near(restrict_vocab=5000, where="word != 'banks'") == near(
        where="word != 'banks' and word in ("
        + ", ".join(repr(w) for w in list(explorer.space().space.keys)[:5000] if "'" not in w)
        + ")"
    )
    assert near(restrict_vocab=3000, index="flat") == near(restrict_vocab=3000)
    few = explorer.space().nearest(explorer.space().space.vectors[:1], k=5, search=SearchOptions(restrict_vocab=2))
    assert [n.row for n in few[0]] == [0, 1]
    for wrong in (0, -3):
        with pytest.raises(UserError, match=f"restrict_vocab is how many words .* at least 1; got {wrong}"):
            near(restrict_vocab=wrong)
        with pytest.raises(UserError, match="restrict_vocab"):
            explorer.space().analogy("king", options=AnalogyOptions(restrict_vocab=wrong))


WORDS = ["money", "river", "banks", "cereal"]


def test_distances_and_what_is_most_similar_are_gensims(explorer: Explorer, gensim: KeyedVectors) -> None:
    ours = explorer.space().relations
    found = ours.distances("bank", WORDS)
    assert [word for word, _ in found.words] == WORDS
    assert [one.distance for one in found.words] == pytest.approx(gensim.distances("bank", WORDS), abs=1e-5)
    whole = [one.distance for one in ours.distances("bank").words]
    assert whole[:2000] == pytest.approx(gensim.distances("bank")[:2000], abs=1e-5)
    assert len(whole) == len(explorer.space())
    assert ours.most_similar_to_given("bank", WORDS).best == gensim.most_similar_to_given("bank", WORDS) == "banks"
    for other in WORDS:
        theirs = gensim.relative_cosine_similarity("bank", other, topn=7)
        assert ours.relative_cosine_similarity("bank", other, 7).relative == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_weighted_mean_is_gensims(explorer: Explorer, gensim: KeyedVectors, normalize: bool) -> None:
    words, weights = [*WORDS, "no-such-word"], [2.0, -1.0, 0.5, 3.0, 9.0]
    ours = explorer.space().relations
    found = ours.mean_vector(words, weights, normalize)
    assert found.left_out == ("no-such-word",)
    assert found.vector == pytest.approx(gensim.get_mean_vector(words, weights, pre_normalize=normalize), abs=1e-5)
    plain = gensim.get_mean_vector(WORDS, pre_normalize=normalize)
    assert ours.mean_vector(WORDS, normalize=normalize).vector == pytest.approx(plain, abs=1e-5)
    with pytest.raises(UserError, match="there are 4 words and 1 weights"):
        ours.mean_vector(WORDS, [1.0])


def test_words_are_moved_at_the_least_cost(explorer: Explorer, gensim: KeyedVectors) -> None:
    """Of as many words each, a best plan moves each word to one other (Birkhoff): the best of all assignments."""
    ours = explorer.space().relations
    first, second = ["obama", "speaks", "media", "illinois"], ["president", "greets", "press", "chicago"]
    one, two = ([gensim.get_vector(word, norm=True) for word in words] for words in (first, second))
    costs = [[float(np.linalg.norm(a - b)) for b in two] for a in one]
    best = min(sum(costs[row][place] for row, place in enumerate(order)) for order in permutations(range(4))) / 4
    found = ours.word_movers_distance([*first, "no-such-word"], second)
    assert found.distance == pytest.approx(best, abs=1e-5)
    assert found.left_out == ("no-such-word",)
    assert ours.word_movers_distance(first, first).distance == pytest.approx(0, abs=1e-6)
    king, queen = (gensim.get_vector(word, norm=True) for word in ("king", "queen"))
    twice = ours.word_movers_distance(["king", "king", "queen"], ["king", "queen", "queen"]).distance
    assert twice == pytest.approx(float(np.linalg.norm(king - queen)) / 3, abs=1e-5)
    with pytest.raises(UserError, match="1 to 300 different known words; got 0"):
        ours.word_movers_distance(["no-such-word"], second)


def test_a_limit_opens_the_words_that_gensim_opens(explorer: Explorer, gensim: KeyedVectors, tmp_path: Path) -> None:
    file = str(tmp_path / "v.txt")
    few = KeyedVectors(gensim.vector_size)
    few.add_vectors(gensim.index_to_key[:60], gensim.vectors[:60])
    few.save_word2vec_format(file)
    theirs = KeyedVectors.load_word2vec_format(file, limit=20)
    ours = explorer.space(file, limit=20)
    assert list(ours) == theirs.index_to_key
    assert [n.key for n in ours.neighbors("the", k=5).neighbors] == [w for w, _ in theirs.most_similar("the", topn=5)]
    assert "the first 20 of 60 words" in ours.origin.notes
    assert explorer.space(file, limit=20) is ours
    assert len(explorer.space(file, limit=100)) == len(explorer.space(file)) == 60
    with pytest.raises(UserError, match="at least 1; got 0"):
        explorer.space(file, limit=0)
