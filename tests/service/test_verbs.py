"""A program changes one line to go remote: every verb of the explorer, here and over HTTP, with the same answers to the last digit."""

import inspect
import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from polysema.app.client import Client
from polysema.app.explorer import Asking, Explorer, Finding
from polysema.app.inspection import Looking
from polysema.app.remote import RemoteMap, RemoteSpace
from polysema.app.schemas import SpaceMap
from polysema.core.errors import ConflictError, IncompatibleError, UnknownWordError, UserError
from polysema.core.inside.lens import LensView
from polysema.core.space.expression import Context, Term
from polysema.core.space.policy import Case, Policy
from polysema.core.space.projection import MapOptions
from polysema.core.space.space import Space

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
HERE = {
    "model",
    "inside",
    "held",
    "index",
    "look_up",
}  # what they give are weights and indexes, which stay where they are
POLICY = Policy(Case.IGNORE)
Ask = Callable[[Any], Any]
CLOUD = "minilm-l6@6"

VERBS: list[tuple[str, Ask]] = [
    ("space", lambda of: of.space("minilm-l6@6")),
    ("view", lambda of: of.view("glove-6b-50d", "all-but-the-top:2", ("poor -> rich",))),
    ("neighbors", lambda of: of.neighbors("BANK", k=7, policy=POLICY)),
    ("neighbors", lambda of: of.neighbors("bank", CLOUD, 5, finding=Finding("sense != ''", recall=1.0))),
    ("neighbors", lambda of: of.neighbors('bank in "They sat on the river bank"', CLOUD, 4)),
    ("neighbors", lambda of: of.neighbors(Term(1.0, "bank", Context('A "bank" by the bank.', None, 2)), CLOUD, 4)),
    ("neighbors", lambda of: of.neighbors("bank", of.view("glove-6b-50d", "centred"), 4)),
    ("nearest", lambda of: of.nearest(np.eye(3, 384, dtype=np.float32), CLOUD, 3, Finding("word = 'swan'"))),
    ("analogy", lambda of: of.analogy("queen - king + man", method="3cosmul", k=4)),
    ("analogy", lambda of: of.analogy("king", method="3cosavg", k=3, asking=Asking((("man", "woman"),), POLICY))),
    ("analogy", lambda of: of.analogy("rome - italy + france", k=2, asking=Asking(evidence=False))),
    ("similarity", lambda of: of.similarity(["king"], ["queen"])),
    ("similarity", lambda of: of.similarity(["king", "prince"], ["QUEEN"], policy=POLICY)),
    ("closer_than", lambda of: of.closer_than("bank", "river")),
    ("odd_one_out", lambda of: of.odd_one_out(["breakfast", "cereal", "dinner", "lunch"])),
    ("direction", lambda of: of.direction("poor -> rich")),
    ("project", lambda of: of.project(["house", "palace"], ["poor -> rich", "man -> woman"])),
    ("travel", lambda of: of.travel("house", "poor -> rich", steps=3, reach=-1.0, k=2)),
    ("embed", lambda of: of.embed(TEXTS, layers=[0, 6])),
    ("embed", lambda of: of.embed(TEXTS, layers=[3], word="bank", pooling="last")),
    ("embed", lambda of: of.embed(TEXTS, unit="sentences")),
    ("compare", lambda of: of.compare("bank", TEXTS, layers=[0, 6])),
    ("baselines", lambda of: of.baselines()),
    ("corpus_layers", lambda of: of.corpus_layers()),
    ("corpus", lambda of: of.corpus(layer=6)),
    ("occurrence_neighbors", lambda of: of.occurrence_neighbors("bank", TEXTS[0], layer=6, k=4)),
    ("attention", lambda of: of.attention("The white swan swam in the blue water.", layers=[1, 6])),
    ("attention", lambda of: of.attention("A " + "swan and " * 200, layers=[2], looking=Looking(special="fold"))),
    ("attention", lambda of: of.attention("phone", "g2p-t5", looking=Looking(cross=True, unit="tokens"))),
    ("attention", lambda of: of.attention("phone", "g2p-t5", [1], Looking(stack="encoder"))),
    (
        "find_heads",
        lambda of: of.find_heads([("blue", "water")], ["Blue water.", "The blue water ran."], layers=[1, 2]),
    ),
    ("lens", lambda of: of.lens(TEXTS[0], layers=[0, 6], words=["money"], view=LensView(("before", "mlp"), 3))),
    ("lens", lambda of: of.lens("phone", "g2p-t5", words=["F"], looking=Looking(target="F OW"))),
    ("contributions", lambda of: of.contributions(TEXTS[0], "money", against="water", at="bank")),
    ("contributions", lambda of: of.contributions("phone", "F", "g2p-t5", at=-1)),
    ("map", lambda of: of.map("glove-6b-50d", "umap", MapOptions(n_epochs=20, seed=3, n_components=3), 400, 5)),
    ("map", lambda of: of.map(CLOUD, "pca", n=3000, k=4)),
    ("sense_clusters", lambda of: of.sense_clusters("bank")),
    ("word_map", lambda of: of.word_map("bank", method="pca", extra=TEXTS)),
    ("senses", lambda of: of.senses()),
]


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


@pytest.fixture(scope="module")
def client(url: str):  # type: ignore[no-untyped-def]
    with Client(url, timeout=300) as one:
        yield one


def same(here: Any, there: Any, at: str = "the answer") -> None:
    if isinstance(here, Space):
        assert isinstance(there, RemoteSpace)
        assert (len(here), here.dim, here.origin) == (len(there), there.dim, there.origin)
        names = here.columns.column_names if here.columns is not None else []
        assert list(there.columns) == names
    elif isinstance(here, SpaceMap):
        assert isinstance(there, RemoteMap)
        same(here.map.positions, there.map.positions)
        same(here.kept, there.kept)
        same(here.distortion, there.distortion)
        assert (here.map.options, here.map.scale) == (there.map.options, there.map.scale)
        assert [row["key"] for row in there.rows] == list(here.space.keys)
    elif is_dataclass(here):
        assert type(here) is type(there), at
        for one in fields(here):
            if one.name != "more":  # what a service says beside the rows
                same(getattr(here, one.name), getattr(there, one.name), f"{at}.{one.name}")
    elif isinstance(here, np.ndarray):
        assert (here.dtype, here.shape) == (there.dtype, there.shape), at
        assert np.array_equal(here, there, equal_nan=here.dtype.kind == "f"), at
    elif isinstance(here, pa.Table):
        assert here.equals(there), at
    elif isinstance(here, tuple):
        assert len(here) == len(there), at
        for number, (a, b) in enumerate(zip(here, there, strict=True)):
            same(a, b, f"{at}[{number}]")
    else:
        assert here == there or (here != here and there != there), (at, here, there)


def test_the_client_has_every_verb_with_the_same_arguments() -> None:
    assert {name for name, _ in VERBS} | {"place"} == public(Explorer) - HERE
    for name in public(Explorer) - HERE:
        here, there = (inspect.signature(getattr(kind, name)).parameters for kind in (Explorer, Client))
        assert list(here) == list(there), name
        for one in here:
            if one != "progress":
                assert here[one].default == there[one].default, (name, one)


@pytest.mark.parametrize(("name", "ask"), VERBS, ids=[f"{number}-{name}" for number, (name, _) in enumerate(VERBS)])
def test_a_verb_answers_the_same_here_and_there(name: str, ask: Ask, client: Client, explorer: Explorer) -> None:
    same(ask(explorer), ask(client))


def test_new_vectors_are_placed_on_a_map_there_as_here(client: Client, explorer: Explorer) -> None:
    options, vectors = MapOptions(n_epochs=20), explorer.space().vectors[500:503]
    here, there = (of.map("glove-6b-50d", "umap", options, 300) for of in (explorer, client))
    same(explorer.place(here, vectors), client.place(there, vectors))
    with pytest.raises(UserError, match="50 wide"):
        client.place(there, np.ones((1, 7)))


@pytest.mark.parametrize(
    ("ask", "kind", "match"),
    [
        (lambda of: of.similarity(["bankk"], ["bank"]), UnknownWordError, "bankk"),
        (lambda of: of.project(["bank"], ["poor"]), UserError, "poor"),
        (lambda of: of.travel("house", "poor -> rich", steps=3, reach=1e9), UserError, "reach"),
        (lambda of: of.attention(TEXTS[0], layers=[9]), UserError, "layer"),
        (lambda of: of.attention(TEXTS[0], looking=Looking(cross=True)), UserError, "cross-attention"),
        (lambda of: of.attention(TEXTS[0], looking=Looking(target="x")), UserError, "no target to give"),
        (lambda of: of.lens(TEXTS[0], view=LensView(("nowhere",))), UserError, "nowhere"),
        (lambda of: of.lens(TEXTS[0], view=LensView(k=10**6)), UserError, "k goes from|numbers"),
        (lambda of: of.contributions(TEXTS[0], " "), UserError, "empty"),
        (lambda of: of.contributions(TEXTS[0], "money"), UserError, "say at which word"),
        (lambda of: of.find_heads([("a", "b")], [TEXTS[0]]), UserError, "none of the texts"),
        (lambda of: of.map("glove-6b-50d", "nope", n=50), UserError, "'nope' does not exist"),
        (lambda of: of.map("glove-6b-50d", n=10**7), UserError, "400,000"),
        (lambda of: of.word_map("nosuchword"), UserError, "nosuchword"),
        (lambda of: of.view("glove-6b-50d", "nope"), UserError, "nope"),
        (lambda of: of.nearest(np.ones((1, 7))), IncompatibleError, "50"),
    ],
)  # fmt: skip
def test_mistakes_raise_the_same_there_as_here(
    ask: Ask, kind: type, match: str, client: Client, explorer: Explorer
) -> None:
    for of in (explorer, client):
        with pytest.raises(kind, match=match):
            ask(of)


def test_a_progress_that_raises_cancels_the_job(client: Client) -> None:
    class StopError(Exception):
        pass

    seen = threading.Event()

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "lay out" and done:
            seen.set()
            raise StopError

    with pytest.raises(StopError):
        client.map("glove-6b-50d", "umap", MapOptions(n_epochs=10_000), 4000, progress=progress)
    assert seen.is_set()


def test_only_a_map_has_a_result_of_its_own(client: Client) -> None:
    job = client.job("word_map", word="bank", method="pca")
    assert [event["state"] for event in client.events(job)][-1] == "done"
    with pytest.raises(ConflictError, match="has all of its result"):
        client.ask("GET", f"/v1/jobs/{job}/result")
