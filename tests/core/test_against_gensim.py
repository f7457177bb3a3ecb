"""Neighbours and analogies equal gensim's on the same vectors: the same ten, the same scores to 1e-5."""

import pytest
from gensim.models import KeyedVectors

from polysema.app.explorer import Explorer


@pytest.fixture(scope="module")
def gensim(explorer: Explorer) -> KeyedVectors:
    space = explorer.space("glove-6b-50d")
    vectors = KeyedVectors(space.dim)
    vectors.add_vectors(list(space.keys), space.vectors)
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
    ours = explorer.analogy(expression, k=10).neighbours
    theirs = gensim.most_similar(positive=positive, negative=negative, topn=10)
    assert [n.key for n in ours] == [word for word, _ in theirs]
    assert [n.score for n in ours] == pytest.approx([score for _, score in theirs], abs=1e-5)
