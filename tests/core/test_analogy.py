"""Methods as their papers define them, against a slow twin; relations against gensim; transforms; the policy."""

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from benchmarks.call_walk import returns, walk
from polysema.app.explorer import AnalogyOptions, Explorer
from polysema.core.errors import IncompatibleError, UnknownWordError, UserError
from polysema.core.space.analogy import METHODS, random_rows
from polysema.core.space.expression import parse
from polysema.core.space.lookup import Policy, look_up
from polysema.core.space.metric import unit
from polysema.core.space.space import Keys, Origin, Space
from polysema.core.space.transform import Transform, fit, moments, view, without

WORDS = ["king", "queen", "man", "woman", "boy", "girl", "uncle", "aunt", "New", "york", "new_york", "Paris", "paris"]


@pytest.fixture(scope="module")
def space() -> Space:
    rng = np.random.default_rng(3)
    names = WORDS + [f"w{i}" for i in range(700)]
    return Space(Keys(names), (rng.standard_normal((len(names), 12)) + 0.3).astype(np.float32), Origin("made"))


@pytest.fixture(scope="module")
def theirs(space: Space) -> KeyedVectors:
    vectors = KeyedVectors(space.dim)
    vectors.add_vectors(list(space.keys), space.vectors)
    return vectors


@pytest.fixture(scope="module")
def ours() -> Explorer:
    return Explorer()


def slow(space: Space, method: str) -> np.ndarray:
    """The score of every word for king : queen :: man, straight from the formula, in float64."""
    x = space.vectors.astype(np.float64)
    x /= np.linalg.norm(x, axis=1)[:, None]
    a, a_star, b = (x[space.keys.row(w)] for w in ("king", "queen", "man"))

    def cos(y: np.ndarray) -> np.ndarray:
        return x @ y / np.linalg.norm(y)

    if method == "3cosadd":
        return cos(a_star - a + b)
    if method == "3cosmul":
        return ((1 + cos(a_star)) / 2) * ((1 + cos(b)) / 2) / ((1 + cos(a)) / 2 + 0.001)
    if method == "pairdirection":
        away = x - b
        with np.errstate(invalid="ignore"):
            return away @ (a_star - a) / (np.linalg.norm(away, axis=1) * np.linalg.norm(a_star - a))
    return cos(b) if method == "only-b" else cos(a_star + b)


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a"])
def test_a_method_is_what_its_paper_says(ours: Explorer, space: Space, method: str) -> None:
    for _ in range(5):  # from the fourth question on 3CosMul is compiled
        answer = ours.space(space).analogy("queen - king + man", 10, method, AnalogyOptions(epsilon=0.001))
    scores = slow(space, method)
    scores[[space.keys.row(w) for w in ("king", "queen", "man")]] = -np.inf
    order = np.argsort(-scores)[:10]
    assert [n.row for n in answer.neighbors] == order.tolist()
    assert [n.score for n in answer.neighbors] == pytest.approx(scores[order], abs=2e-6)


def test_methods_of_pairs(ours: Explorer, space: Space) -> None:
    pairs = (("king", "queen"), ("man", "woman"), ("boy", "girl"))
    x = unit(np.asarray(space.vectors))
    a, a_star = (x[[space.keys.row(pair[side]) for pair in pairs]] for side in (0, 1))
    b = x[space.keys.row("uncle")]
    average = ours.space(space).analogy("uncle", 5, "3cosavg", AnalogyOptions(pairs))
    expected = x @ unit((b + a_star.mean(0) - a.mean(0))[None])[0]
    left_out = [space.keys.row(w) for pair in (*pairs, ("uncle", "uncle")) for w in pair]
    expected[left_out] = -9
    assert [n.row for n in average.neighbors] == np.argsort(-expected)[:5].tolist()
    learned = ours.space(space).analogy("uncle", 5, "lrcos", AnalogyOptions(pairs))
    others = x[random_rows(space, 50, left_out)]
    learner = LogisticRegression(class_weight="balanced", C=10.0, max_iter=1000)
    learner.fit(np.concatenate([a_star, a, others]), [1] * 3 + [0] * 53)
    expected = learner.predict_proba(x)[:, 1] * (x @ b)
    expected[left_out] = -9
    assert [n.row for n in learned.neighbors] == np.argsort(-expected)[:5].tolist()
    assert [n.score for n in learned.neighbors] == pytest.approx(np.sort(expected)[::-1][:5], abs=1e-5)
    assert learned.pairs == ("king:queen", "man:woman", "boy:girl")


def test_3cosmul_equals_gensims(ours: Explorer, space: Space, theirs: KeyedVectors) -> None:
    for expression, positive, negative in (
        ("queen - king + man", ["queen", "man"], ["king"]),
        ("queen + man", ["queen", "man"], []),
        ("queen - king - boy + man + girl", ["queen", "man", "girl"], ["king", "boy"]),
    ):
        answer = ours.space(space).analogy(expression, 10, "3cosmul").neighbors
        expected = theirs.most_similar_cosmul(positive, negative, topn=10)
        assert [n.key for n in answer] == [word for word, _ in expected]
        assert [n.score for n in answer] == pytest.approx([score for _, score in expected], rel=1e-5)


def test_the_evidence(ours: Explorer, space: Space) -> None:
    answer = ours.space(space).analogy("queen - king + man", 4)
    assert answer.evidence is not None
    scores = slow(space, "3cosadd")
    assert [n.row for n in answer.evidence.with_inputs] == np.argsort(-scores)[:3].tolist()
    for found in answer.inputs:
        row = space.keys.row(found.word)
        assert (found.rank, found.score) == (1 + (scores > scores[row]).sum(), pytest.approx(scores[row], abs=1e-6))
    assert [m.method for m in answer.evidence.beside] == ["3cosmul", "pairdirection", "only-b", "ignore-a"]
    for other in answer.evidence.beside:
        assert other.neighbors == ours.space(space).analogy("queen - king + man", 3, other.method).neighbors
    assert [m.method for m in ours.space(space).analogy("queen + man", 1).evidence.beside] == ["3cosmul"]  # type: ignore[union-attr]
    assert ours.space(space).analogy("queen", 1, options=AnalogyOptions(evidence=False)).evidence is None


@pytest.mark.parametrize(
    ("expression", "method", "pairs", "message"),
    [
        ("queen - king", "pairdirection", (), "asks a question of three words, .*; got queen - king"),
        ("queen - queen + man", "pairdirection", (), "the same point"),
        ("queen", "3cosavg", (), "3cosavg needs example pairs, such as man:woman"),
        ("queen - king", "lrcos", (("man", "woman"),), "lrcos asks about one word"),
        ("queen", "3cosadd", (("man", "woman"),), "3cosadd takes no example pairs; 3cosavg and lrcos do"),
        ("queen", "4cos", (), f"method '4cos' does not exist; choose one of {METHODS[0]}"),
        ('bank in "a bank" @3', "3cosadd", (), "these vectors don't belong together|no model or space 'made'"),
    ],
)
def test_what_a_method_can_not_answer(
    ours: Explorer, space: Space, expression: str, method: str, pairs: tuple, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ours.space(space).analogy(expression, 3, method, AnalogyOptions(pairs))


def test_relations_equal_gensims(ours: Explorer, space: Space, theirs: KeyedVectors) -> None:
    assert ours.space(space).odd_one_out(["king", "queen", "man", "w5"]).words[0][0] == theirs.doesnt_match(
        ["king", "queen", "man", "w5"]
    )
    near = ours.space(space).closer_than("king", "queen")
    assert {word for word, _ in near.words} == set(theirs.closer_than("king", "queen"))
    assert [s for _, s in near.words] == sorted((s for _, s in near.words), reverse=True)
    answer = ours.space(space).similarity(["king"], ["queen"])
    assert (answer.cosine, answer.rank) == (
        pytest.approx(theirs.similarity("king", "queen"), abs=1e-6),
        theirs.rank("king", "queen"),
    )
    lists = (["king", "man"], ["queen", "w7", "girl"])
    assert ours.space(space).similarity(*lists).cosine == pytest.approx(theirs.n_similarity(*lists), abs=1e-6)
    assert [n.key for n in ours.space(space).neighbors("king").neighbors] == [w for w, _ in theirs.most_similar("king")]


def test_axes_and_travel(ours: Explorer, space: Space) -> None:
    x = unit(np.asarray(space.vectors))
    king, man, woman = (x[space.keys.row(w)] for w in ("king", "man", "woman"))
    axis = (woman - man) / np.linalg.norm(woman - man)
    assert ours.space(space).project(["king"], ["man -> woman"]).words == (
        ("king", (pytest.approx(float(king @ axis), abs=1e-6),)),
    )
    way = ours.space(space).travel("king", "man -> woman", steps=4, reach=2.0, k=3)
    assert [round(step.at, 3) for step in way.steps] == [0, 0.5, 1, 1.5, 2]
    for step, point in zip(way.steps, way.points, strict=True):
        np.testing.assert_allclose(point, king + step.at * axis, atol=1e-6)
        scores = x @ point / np.linalg.norm(point)
        scores[space.keys.row("king")] = -9
        assert [n.row for n in step.neighbors] == np.argsort(-scores)[:3].tolist()
    assert ours.space(space).travel("king", "man -> woman", steps=1, reach=50).steps[-1].neighbors[0].key == "woman"
    for axis_text, message in (
        ("man", "an axis is written with two ends"),
        ("man -> man", "are the same point"),
        ("-> man", "two ends"),
    ):
        with pytest.raises(UserError, match=message):
            ours.space(space).travel("king", axis_text)
    with pytest.raises(UserError, match="steps go from 1 to 1000 and the reach"):
        ours.space(space).travel("king", "man -> woman", steps=0)


def test_transforms(space: Space) -> None:
    x = space.vectors.astype(np.float64)
    mean, covariance = moments(space)
    np.testing.assert_allclose(mean, x.mean(0), atol=1e-9)
    np.testing.assert_allclose(covariance, np.cov(x.T, bias=True), atol=1e-9)
    np.testing.assert_allclose(view(space, fit(space, "centered")).vectors.mean(0), 0, atol=1e-5)
    white = view(space, fit(space, "whitened")).vectors
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(12), atol=1e-3)
    top = view(space, fit(space, "all-but-the-top:3"))
    assert top.origin.transform == "all-but-the-top:3"
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
    np.testing.assert_allclose(top.vectors @ axes[:3].T.astype(np.float32), 0, atol=1e-4)
    np.testing.assert_allclose(top.vectors @ axes[3:].T, (x - x.mean(0)) @ axes[3:].T, atol=1e-4)
    out = view(space, without(space.vectors[:2], "without two"))
    np.testing.assert_allclose(out.vectors @ space.vectors[:2].T, 0, atol=1e-4)
    assert fit(space, "raw").name == "raw"
    assert view(space, fit(space, "raw")) is space
    chain = fit(space, "centered").then(Transform("twice", np.ones(12, np.float32), 2 * np.eye(12, dtype=np.float32)))
    np.testing.assert_allclose(chain.apply(space.vectors), 2 * (x - x.mean(0) - 1), atol=1e-5)
    for name in ("tilted", "centered:2", "all-but-the-top:x", "all-but-the-top:12"):
        with pytest.raises(UserError, match="does not exist; choose one of raw|takes off 1 to 11 components"):
            fit(space, name)


def test_a_large_view_is_mapped(space: Space) -> None:
    seen = view(space, fit(space, "centered"), mapped_bytes=100)
    assert isinstance(seen.vectors.base, np.memmap) or isinstance(seen.vectors, np.memmap)
    np.testing.assert_allclose(seen.vectors.mean(0), 0, atol=1e-5)


def test_a_view_says_so_and_is_not_mixed_with_another(ours: Explorer, space: Space) -> None:
    seen = ours.space(space).view("centered", ["man -> woman"]).space
    assert seen.origin.transform == "centered, without man -> woman"
    assert ours.space(space).view("centered", ["man -> woman"]).space is seen
    assert ours.space(space).view().space is space
    man, woman = seen.vector("man"), seen.vector("woman")
    np.testing.assert_allclose(
        unit(man[None]), unit(woman[None]) * np.sign(man @ woman), atol=2
    )  # they differ only elsewhere
    with pytest.raises(IncompatibleError, match="don't belong together"):
        seen.origin.require_same(space.origin)


@pytest.mark.parametrize(
    ("word", "policy", "expected"),
    [
        ("Paris", Policy.of(), ("Paris", "as written")),
        ("PARIS", Policy.of(), ("paris", "in lower case")),
        ("Paris", Policy.of(case="lower"), ("paris", "in lower case")),
        ("PARIS", Policy.of(case="ignore"), ("Paris", "whatever its case")),
        ("new york", Policy.of(), ("new_york", "joined")),
        ("king queen", Policy.of(phrases="mean"), ("king queen", "mean of king, queen")),
        ("nope", Policy.of(unknown="skip"), ("nope", "left out: not in the space")),
    ],
)
def test_the_policy(space: Space, word: str, policy: Policy, expected: tuple[str, str]) -> None:
    found = look_up(space, word, policy)
    assert (found.word, found.how) == expected


@pytest.mark.parametrize(
    ("word", "policy"),
    [
        ("PARIS", Policy.of(case="exact")),
        ("new york", Policy.of(phrases="exact")),
        ("king queen", Policy.of()),
        ("kinng", Policy.of()),
    ],
)
def test_what_the_policy_refuses(space: Space, word: str, policy: Policy) -> None:
    with pytest.raises(UnknownWordError, match="is not among the 713 words of made"):
        look_up(space, word, policy)
    with pytest.raises(UserError, match="case 'any' does not exist; choose one of exact, lower, fallback, ignore"):
        Policy.of(case="any")


def test_a_skipped_word_is_reported(ours: Explorer, space: Space) -> None:
    options = AnalogyOptions(policy=Policy.of(unknown="skip"))
    answer = ours.space(space).analogy("queen - nope + man", 3, options=options)
    assert answer.neighbors == ours.space(space).analogy("queen + man", 3).neighbors
    assert [i.how for i in answer.inputs] == ["as written", "left out: not in the space", "as written"]
    assert answer.policy == "case fallback, phrases join, unknown words skip"
    with pytest.raises(UserError, match="none of its words is in made"):
        ours.space(space).analogy("nope + nada", 3, options=options)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WORDS[:8]), min_size=1, max_size=4, unique=True), st.data())
def test_any_sum_is_answered_as_the_formula_says(words: list[str], data: st.DataObject) -> None:
    rng = np.random.default_rng(3)
    space = Space(Keys(WORDS), rng.standard_normal((len(WORDS), 5)).astype(np.float32), Origin("made"))
    weights = [data.draw(st.sampled_from([1.0, -1.0, 0.5, 2.0])) for _ in words]
    text = " ".join(f"{'-' if w < 0 else '+'} {abs(w)}*{word}" for w, word in zip(weights, words, strict=True))
    answer = Explorer().space(space).analogy(text, 5)
    x = unit(np.asarray(space.vectors))
    scores = x @ unit((np.array(weights, np.float32) @ x[[WORDS.index(w) for w in words]])[None])[0]
    scores[[WORDS.index(w) for w in words]] = -9
    assert [n.row for n in answer.neighbors] == np.argsort(-scores, kind="stable")[:5].tolist()
    assert parse(answer.expression) == parse(text)


def test_occurrences_in_the_algebra(explorer: Explorer) -> None:
    space = explorer.space("minilm-l6@6").space
    assert (space.origin.layer, space.columns is not None) == (6, True)
    answer = explorer.space("minilm-l6@6").neighbors('bank in "They sat on the river bank"', 5)
    direct = explorer.model("minilm-l6").occurrences("bank", "They sat on the river bank", 6, 5)
    assert [(n.key, n.text) for n in answer.neighbors] == [(h.word, h.text) for h in direct.hits]
    assert [n.score for n in answer.neighbors] == pytest.approx([h.score for h in direct.hits], abs=1e-5)
    both = 'bank in "the bank of the river bank" #2 - bank in "the bank of the river bank"'
    difference = explorer.space("minilm-l6@6").analogy(both, 2)
    assert [i.rank for i in difference.inputs] == [None, None]
    river = explorer.space("minilm-l6@6").analogy("river", 1)
    assert river.inputs[0].how.startswith("mean of its ")
    seen = explorer.space("minilm-l6@6").view("centered").space
    assert explorer.space(seen).neighbors('bank in "They sat on the river bank"', 1).neighbors[0].key == "bank"
    for expression, name in (
        ('bank in "a bank" @3', "minilm-l6@6"),
        ('bank in "a bank"', "glove-6b-50d"),
        ('bank in "a bank"', "minilm-l6"),
    ):
        with pytest.raises(IncompatibleError, match=r"\[minilm-l6, encoder, layer \d.*\] and \["):
            explorer.space(name).analogy(expression)
    with pytest.raises(UserError, match="bank"):
        explorer.space("minilm-l6@6").analogy('bank in "no such word"')


def spelled(*names: str) -> Space:
    vectors = np.random.default_rng(0).standard_normal((len(names), 8)).astype(np.float32)
    return Space(Keys(names), vectors, Origin("spelled"))


@pytest.mark.parametrize(
    ("word", "case", "found", "how"),
    [
        ("cafe\u0301", "exact", "café", "composed"),
        ("CAFE\u0301", "fallback", "café", "composed"),
        ("cafés", "exact", "cafe\u0301s", "decomposed"),
        ("don’t", "exact", "don't", "another apostrophe"),
        ("rock 'n' roll", "exact", "rock ’n’ roll", "another apostrophe"),
        ("new\u00a0york", "exact", "new york", "other spaces"),
        ("new\n york", "lower", "new york", "other spaces"),
        ("co‑op", "exact", "co-op", "another hyphen"),
        ("ba\u00adnk", "exact", "bank", "signs that don't show"),
        ("Strasse", "fallback", "Straße", "ß as ss"),
        ("STRASSE", "ignore", "Straße", "ß as ss"),
        ("Cafe\u0301 noir", "fallback", "café_noir", "joined, composed"),
    ],
)
def test_the_same_text_written_otherwise_is_found_and_told(word: str, case: str, found: str, how: str) -> None:
    space = spelled(
        "café", "cafe\u0301s", "don't", "rock ’n’ roll", "new york", "co-op", "bank", "Straße", "café_noir", "café"
    )
    answer = look_up(space, word, Policy.of(case=case))
    assert answer.word == found
    assert answer.rows.tolist() == [space.keys.row(found)]
    assert answer.notes == (f"{word!r} was looked up as {found!r} ({how})",)
    np.testing.assert_allclose(answer.vector, unit(space.vectors[answer.rows])[0])


def test_what_is_there_as_written_comes_first_then_the_first_row() -> None:
    space = spelled("don’t", "don't", "donʼt", "cafe\u0301", "café", "STRASSE", "straße")
    assert look_up(space, "don't", Policy()).word == "don't"
    assert look_up(space, "don't", Policy()).notes == ()
    assert look_up(space, "don´t", Policy()).word == "don’t"
    assert look_up(space, "café", Policy()).word == "café"
    assert look_up(space, "STRASSE", Policy()).word == "STRASSE"
    assert look_up(space, "Strasse", Policy()).word == "straße"
    with pytest.raises(UnknownWordError):  # ß is ss only where case doesn't count
        look_up(space, "strasse", Policy.of(case="exact"))
    for nothing in ("\u200b", "cafe"):
        with pytest.raises(UnknownWordError):
            look_up(space, nothing, Policy())


def test_a_space_asked_like_a_dictionary_warns_of_another_spelling() -> None:
    space = spelled("café", "bank")
    with pytest.warns(UserWarning, match="was looked up as 'café' \\(composed\\)"):
        assert space["cafe\u0301"].tolist() == space.vectors[0].tolist()


def test_half_a_character_is_no_word() -> None:
    space = spelled(*(f"word{number}" for number in range(20)))
    for ask in (space.keys.row, lambda word: space.keys.rows([word] * 9), lambda word: look_up(space, word, Policy())):
        with pytest.raises(UserError, match=r"not Unicode text: character 1 is \\ud83d"):
            ask("a\ud83d")


def test_a_phrase_is_the_mean_of_its_words_unit_vectors() -> None:
    vectors = np.array([[3, 0], [0, 0.5], [1, 1]], np.float32)  # of other lengths, which don't weigh
    space = Space(Keys(["king", "queen", "swan"]), vectors, Origin("lengths"))
    found = look_up(space, "king queen", Policy.of(phrases="mean"))
    np.testing.assert_allclose(found.vector, [0.5**0.5, 0.5**0.5], rtol=1e-6)
    assert found.rows.tolist() == [0, 1]


def test_a_word_as_near_as_the_other_is_not_nearer() -> None:
    vectors = np.array([[1, 0], [1, 1], [1, 1], [1, 0.5], [0, 1]], np.float32)
    space = Space(Keys(["a", "other", "twin", "nearer", "far"]), vectors, Origin("made"))
    found = Explorer().space(space).closer_than("a", "other")
    assert [word for word, _ in found.words] == ["nearer"]
    assert Explorer().space(space).similarity(["a"], ["twin"]).rank == 2


def test_earlier_names_of_transforms_are_read() -> None:
    space = Space.from_vectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]])
    assert fit(space, "centred").name == "centered"
    assert Origin.from_json(Origin("a", transform="centred, without b").to_json()).transform == "centered, without b"


def test_an_analogy_is_one_way_through_the_code(explorer: Explorer) -> None:
    """Few calls go back to a file that was left; what is read on the way can be followed."""
    words = explorer.space()
    for _ in range(3):  # compiled code is imported by then
        words.analogy("queen - king + man")
    files = walk(lambda: words.analogy("queen - king + man"))
    assert returns(files) <= 30


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 2.0, float("nan")])
def test_an_epsilon_out_of_range_is_refused_where_it_is_given(epsilon: float) -> None:
    with pytest.raises(UserError, match="epsilon is above 0 and at most 1"):
        AnalogyOptions(epsilon=epsilon)
