"""A program changes one line to go remote: every verb of the explorer, here and over HTTP, with the same answers to
the last digit.
"""

import threading
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from polysema.app.client.client import Client, RemoteJobs
from polysema.app.client.internals import RemoteInternals, RemoteSenses
from polysema.app.client.maps import RemoteMap, RemoteMaps
from polysema.app.client.model import RemoteModel
from polysema.app.client.space import RemoteLookup, RemoteSpace
from polysema.app.explorer import AnalogyOptions, Explorer, MapExplorer, ModelExplorer, SearchOptions, WordSpace
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.results import SpaceMap
from polysema.app.explorer.senses import SenseExplorer
from polysema.app.explorer.word_lookup import WordLookup
from polysema.core.errors import ConflictError, IncompatibleError, UnknownWordError, UserError
from polysema.core.inside.lens import LensView
from polysema.core.maps.options import MapOptions
from polysema.core.space.expression import Context, Term
from polysema.core.space.lookup import Case, Policy
from polysema.core.space.space import Space
from tests.service.flat import MODELS, WORDS, Flat

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
POLICY = Policy(Case.IGNORE)
Ask = Callable[[Any], Any]
CLOUD = "minilm-l6@6"
FLOWERS, INSECTS = ["rose", "TULIP", "orchid", "daisy"], ["ant", "wasp", "flea", "moth", "beetle"]
PLEASANT, UNPLEASANT = ["love", "peace", "gift"], ["agony", "filth", "ugly"]

VERBS: list[tuple[str, Ask]] = [
    ("space", lambda of: of.space("minilm-l6@6")),
    ("view", lambda of: of.view("glove-6b-50d", "all-but-the-top:2", ("poor -> rich",))),
    ("neighbors", lambda of: of.neighbors("BANK", k=7, policy=POLICY)),
    ("neighbors", lambda of: of.neighbors("bank", CLOUD, 5, search=SearchOptions("sense != ''", recall=1.0))),
    ("neighbors", lambda of: of.neighbors('bank in "They sat on the river bank"', CLOUD, 4)),
    ("neighbors", lambda of: of.neighbors(Term(1.0, "bank", Context('A "bank" by the bank.', None, 2)), CLOUD, 4)),
    ("neighbors", lambda of: of.neighbors("bank", of.view("glove-6b-50d", "centered"), 4)),
    ("nearest", lambda of: of.nearest(np.eye(3, 384, dtype=np.float32), CLOUD, 3, SearchOptions("word = 'swan'"))),
    ("analogy", lambda of: of.analogy("queen - king + man", method="3cosmul", k=4)),
    (
        "analogy",
        lambda of: of.analogy("king", method="3cosavg", k=3, options=AnalogyOptions((("man", "woman"),), POLICY)),
    ),
    ("analogy", lambda of: of.analogy("rome - italy + france", k=2, options=AnalogyOptions(evidence=False))),
    ("similarity", lambda of: of.similarity(["king"], ["queen"])),
    ("similarity", lambda of: of.similarity(["king", "prince"], ["QUEEN"], policy=POLICY)),
    ("closer_than", lambda of: of.closer_than("bank", "river")),
    ("odd_one_out", lambda of: of.odd_one_out(["breakfast", "cereal", "dinner", "lunch"])),
    ("direction", lambda of: of.direction("poor -> rich")),
    ("noted_direction", lambda of: of.noted_direction("poor -> cafe\u0301")),
    ("noted_vector", lambda of: of.noted_vector("cafe\u0301 - man")),
    ("project", lambda of: of.project(["house", "palace"], ["poor -> rich", "man -> woman"])),
    ("vector", lambda of: of.vector("KING - man + woman", policy=POLICY)),
    ("vector", lambda of: of.vector('bank in "They sat on the river bank"', CLOUD)),
    ("baseline", lambda of: of.baseline()),
    ("baseline", lambda of: of.baseline(CLOUD)),
    ("baseline", lambda of: of.baseline(of.view("glove-6b-50d", "centered"))),
    ("association", lambda of: of.association(FLOWERS, INSECTS, PLEASANT, UNPLEASANT, policy=POLICY)),
    (
        "association",
        lambda of: of.association(
            FLOWERS[:2], INSECTS[:2], PLEASANT, ["agony", "filth"], of.view("glove-6b-50d", "whitened")
        ),
    ),
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
    (
        "attention",
        lambda of: of.attention("A " + "swan and " * 200, layers=[2], options=AttentionOptions(special="merge")),
    ),
    ("attention", lambda of: of.attention("phone", "g2p-t5", options=AttentionOptions(cross=True, unit="tokens"))),
    ("attention", lambda of: of.attention("phone", "g2p-t5", [1], AttentionOptions(stack="encoder"))),
    (
        "find_heads",
        lambda of: of.find_heads([("blue", "water")], ["Blue water.", "The blue water ran."], layers=[1, 2]),
    ),
    ("lens", lambda of: of.lens(TEXTS[0], layers=[0, 6], words=["money"], view=LensView(("before", "mlp"), 3))),
    ("lens", lambda of: of.lens("phone", "g2p-t5", words=["F"], options=AttentionOptions(target="F OW"))),
    ("contributions", lambda of: of.contributions(TEXTS[0], "money", against="water", at="bank")),
    ("contributions", lambda of: of.contributions("phone", "F", "g2p-t5", at=-1)),
    ("map", lambda of: of.map("glove-6b-50d", "umap", MapOptions(n_epochs=20, seed=3, n_components=3), 400, 5)),
    ("map", lambda of: of.map(CLOUD, "pca", n=3000, k=4)),
    ("map", lambda of: of.map(CLOUD, "umap", MapOptions(5, n_epochs=5, metric="manhattan", target="sense"), 300, 4)),
    ("sense_clusters", lambda of: of.sense_clusters("bank")),
    (
        "sense_clusters",
        lambda of: of.sense_clusters("bank", layer=4, min_cluster_size=2, texts=[*TEXTS, "No such word."]),
    ),
    ("word_map", lambda of: of.word_map("bank", method="pca", extra=TEXTS)),
    ("senses", lambda of: of.senses()),
]


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}  # those of the rooms it stands on too


@pytest.fixture(scope="module")
def client(url: str):  # type: ignore[no-untyped-def]
    with Client(url, timeout=300) as one:
        yield Flat(one)


def same(here: Any, there: Any, at: str = "the answer") -> None:
    if isinstance(here, (Space, WordSpace)):
        space = here.space if isinstance(here, WordSpace) else here
        assert isinstance(there, RemoteSpace)
        assert (len(space), space.dim, space.origin) == (len(there), there.dim, there.origin)
        names = space.columns.column_names if space.columns is not None else []
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


ON_A_MAP = {"place", "around", "matched", "areas", "columns", "typical"}


def test_every_verb_of_the_client_is_tried() -> None:
    own = {"steer", "ablate", "generate", "concordance"}  # in `test_contract`
    tried = {(WORDS | MODELS).get(name, (name, ""))[0].split(".")[-1] for name, _ in VERBS}
    for kind in (RemoteSpace, RemoteLookup, RemoteModel, RemoteSenses, RemoteMaps):
        verbs = {name for name in public(kind) if callable(vars(kind)[name])}
        assert verbs <= tried | own | ON_A_MAP, kind
    here = {"resolver", "axis", "matches", "cloud", "accuracy", "caches", "checked_layer"}
    for kind in (WordSpace, WordLookup, ModelExplorer, SenseExplorer, MapExplorer):
        verbs = {name for name in public(kind) if callable(vars(kind)[name])}
        assert verbs <= tried | own | here | ON_A_MAP, kind


def test_no_handle_has_more_than_ten_verbs() -> None:
    for kind in (Client, RemoteSpace, RemoteLookup, RemoteModel, RemoteSenses, RemoteInternals, RemoteMaps, RemoteJobs):
        verbs = {name for name in public(kind) if callable(getattr(kind, name))}
        assert len(verbs) <= 10, kind


@pytest.mark.parametrize(("name", "ask"), VERBS, ids=[f"{number}-{name}" for number, (name, _) in enumerate(VERBS)])
def test_a_verb_answers_the_same_here_and_there(name: str, ask: Ask, client: Client, explorer: Explorer) -> None:
    same(ask(Flat(explorer)), ask(client))


def test_new_vectors_are_placed_on_a_map_there_as_here(client: Client, explorer: Explorer) -> None:
    options, vectors = MapOptions(n_epochs=20), explorer.space().space.vectors[500:503]
    here, there = (of.map("glove-6b-50d", "umap", options, 300) for of in (Flat(explorer), client))
    same(explorer.maps.place(here, vectors), client.place(there, vectors))
    with pytest.raises(UserError, match="dimension 50"):
        client.place(there, np.ones((1, 7)))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("umap", {"metric": "dot"}, "'dot' is no distance"),
        ("pca", {"metric": "euclidean"}, "pca takes no metric"),
        ("tsne", {"n_components": 10}, "tsne lays out 2 to 3 dimensions; got 10"),
        ("tsne", {"target": "sense"}, "tsne is not supervised; got target 'sense'"),
        ("umap", {"target_weight": 2}, "target_weight"),
        ("umap", {"target": 5}, "target"),
    ],
)
def test_options_that_make_no_map_are_refused_before_the_job(
    method: str, options: dict[str, Any], message: str, http: Any
) -> None:
    body = {"kind": "map", "space": "glove-6b-50d", "n": 50, "method": method, "options": options}
    refused = http.post("/v1/jobs", json=body)
    assert (refused.status_code, message in refused.json()["error"]["message"]) == (422, True), refused.text


def test_several_spaces_are_laid_out_by_any_metric(client: Client, explorer: Explorer) -> None:
    here, there = (
        of.matched("minilm-l6@0", "minilm-l6@6", 60, 5, options=MapOptions(metric="manhattan", n_epochs=5))
        for of in (Flat(explorer), client)
    )
    assert here.options.metric == there.options.metric == "manhattan"
    np.testing.assert_array_equal(here.b.positions, there.b.positions)
    same(here.lost(3), there.lost(3))


def test_what_several_spaces_are_not_laid_out_by_is_one_line(client: Client, explorer: Explorer) -> None:
    for options, message in (
        (MapOptions(target="sense"), "laid out together are not supervised"),
        (MapOptions(n_components=4), "laid out together in 2 to 3 dimensions; got 4"),
    ):
        for of in (Flat(explorer), client):
            with pytest.raises(UserError, match=message):
                of.matched("minilm-l6@0", "minilm-l6@6", 50, options=options)
    for of in (Flat(explorer), client):
        with pytest.raises(UserError, match="pca takes no metric, it turns unit vectors; got metric 'euclidean'"):
            of.matched("minilm-l6@0", "minilm-l6@6", 50, method="pca", options=MapOptions(metric="euclidean"))


def test_what_is_on_a_map_there_as_here(client: Client, explorer: Explorer) -> None:
    here, there = (of.map("minilm-l6@6", "pca", n=400) for of in (Flat(explorer), client))
    same(explorer.maps.areas(here), client.areas(there))
    wide = [of.map("minilm-l6@6", "pca", MapOptions(n_components=6), 400) for of in (Flat(explorer), client)]
    same(explorer.maps.areas(wide[0]), client.areas(wide[1]))
    for names, where in ((None, ""), (["sense", "start"], "word = 'bank' and sense is not null")):
        same(explorer.maps.columns(here, names, where), client.columns(there, names, where))
    same(explorer.maps.typical(here, range(20), 3), client.typical(there, range(20), 3))
    for of, on in ((Flat(explorer), here), (client, there)):
        with pytest.raises(UserError, match="did you mean sense"):
            of.columns(on, ["sens"])
        with pytest.raises(UserError, match="some of the 400 rows can be compared with the rest|rows: "):
            of.typical(on, [])


def test_what_lies_around_a_point_there_as_here(client: Client, explorer: Explorer, http: Any) -> None:
    here, there = (of.map("glove-6b-50d", "pca", n=500) for of in (Flat(explorer), client))
    for k, row in ((10, 231), (3, 0)):
        same(explorer.maps.around(here, "glove-6b-50d", row, k), client.around(there, "glove-6b-50d", row, k))
    vector = explorer.space().lookup.vector("queen")
    at = vector, explorer.maps.place(here, vector[None])[0]
    same(explorer.maps.around(here, "glove-6b-50d", at, 5), client.around(there, "glove-6b-50d", at, 5))
    mistakes: list[tuple[Any, Any, int, type, str]] = [
        ("glove-6b-50d", 500, 5, UserError, "rows 0 to 499"),
        ("glove-6b-50d", 1, 0, UserError, "k must be|k: "),
        ("glove-6b-50d", (vector[:7], at[1]), 5, IncompatibleError, r"\(n, 50\)"),
        ("glove-6b-50d", (vector, np.ones(3, np.float32)), 5, IncompatibleError, r"\(n, 2\)"),
        (CLOUD, 1, 5, IncompatibleError, "don't belong together"),
    ]
    for whole, where, k, kind, match in mistakes:
        for of, on in ((Flat(explorer), here), (client, there)):
            with pytest.raises(kind, match=match):
                of.around(on, whole, where, k)  # type: ignore[attr-defined]
    for body, message in (
        ({"row": 1, "vector": [1.0]}, "give the row of a point, or"),
        ({"vector": [1.0] * 50}, "its vector and its position"),
        ({}, "give the row of a point, or"),
        ({"vector": [1e39] * 50, "position": [0, 0]}, "must be finite"),
    ):
        refused = http.post(f"/v1/jobs/{there.job}/around", json=body)
        assert (refused.status_code, message in refused.json()["error"]["message"]) == (422, True), refused.text


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ("minilm-l6@0", CLOUD, {"n": 300, "k": 5, "through": ["minilm-l6@3"], "options": MapOptions(n_epochs=20)}),
        (
            "glove-6b-50d",
            ("glove-6b-50d", "all-but-the-top:2"),
            {"n": 200, "method": "pca", "options": MapOptions(n_components=3)},
        ),
        (("glove-6b-50d", "raw", ("poor -> rich",)), "glove-6b-50d", {"n": 120, "method": "umap", "k": 4}),
    ],
)
def test_spaces_are_matched_there_as_here(
    a: Any, b: Any, how: dict[str, Any], client: Client, explorer: Explorer
) -> None:
    def ask(of: Any) -> Any:
        return of.matched(*(one if isinstance(one, str) else of.view(*one) for one in (a, b)), **how)

    here, there = ask(Flat(explorer)), ask(client)
    assert len(here) == len(there) == how["n"]
    assert [row["key"] for row in there.rows] == list(here.a.space.keys)
    for name in ("k", "overlap", "changed", "by_chance", "matched", "by", "rule", "method", "options"):
        same(getattr(here, name), getattr(there, name), name)
    assert len(here.between) == len(there.between) == len(how.get("through", ()))
    for mine, theirs in zip(here.sides, there.sides, strict=True):
        assert (mine.name, mine.space.origin) == (theirs.name, theirs.origin)
        for name in ("positions", "neighbors", "kept", "baseline", "left_out"):
            same(getattr(mine, name), getattr(theirs, name), name)
    row = int(here.changed[0])
    for name in ("stayed", "lost", "gained"):
        same(getattr(here, name)(row), getattr(there, name)(row), name)
    assert here.lost(row)
    for of in (here, there):
        with pytest.raises(UserError, match="row must be from 0"):
            of.lost(how["n"])


def test_matched_maps_come_in_each_form(client: Client, http: Any) -> None:
    laid = client.matched("minilm-l6@0", CLOUD, n=60, k=3, method="pca")
    path = f"/v1/jobs/{laid.job}/result"
    as_json = http.get(path).json()
    stream = http.get(path, headers={"accept": "application/vnd.apache.arrow.stream"}).content
    with pa.ipc.open_stream(stream) as reader:
        table = reader.read_all()
    for number, side in enumerate(laid.sides):
        said = as_json["sides"][number]
        for name, given, array in (
            ("position", said["positions"], side.positions),
            ("near", said["neighbors"]["rows"], side.neighbors.rows),
            ("distance", said["neighbors"]["distances"], side.neighbors.distances),
            ("kept", said["kept"], side.kept),
        ):
            column = np.array(table.column(f"{name}_{number}").to_pylist(), array.dtype)
            assert np.array_equal(column, array)
            assert np.array_equal(np.array(given, array.dtype), array)
    assert table.column("changed").to_pylist() == as_json["changed"] == laid.changed.tolist()
    assert (
        table.column("text").to_pylist()
        == [row["text"] for row in as_json["rows"]]
        == [row["text"] for row in laid.rows]
    )
    for route, what in (("around", {"row": 1}), ("place", {"vectors": [[1.0] * 384]})):
        refused = http.post(f"/v1/jobs/{laid.job}/{route}", json=what)
        assert refused.status_code == 409
        assert "a job of kind map; this one is of kind matched" in refused.json()["error"]["message"]


def test_a_collection_is_matched_by_its_name(client: Client, explorer: Explorer) -> None:
    words = ["bank", "river", "money", "loan", "water", "gold", "shore", "cash"]
    rows = explorer.space().space.keys.rows(words)
    client.create("named").add(words, explorer.space().space.vectors[rows])
    try:
        laid = client.matched("named", "glove-6b-50d", k=2, method="pca")
        assert ([side.name for side in laid.sides], laid.matched) == (["named", "glove-6b-50d"], 8)
        assert laid.overlap.tolist() == [1.0] * 8
        assert laid.b.left_out == 400_000 - 8
        with pytest.raises(UserError, match="nowhere"):
            client.matched("named", "nowhere")
    finally:
        client.delete("named")


@pytest.mark.parametrize(
    ("ask", "kind", "match"),
    [
        (lambda of: of.similarity(["bankk"], ["bank"]), UnknownWordError, "bankk"),
        (lambda of: of.project(["bank"], ["poor"]), UserError, "poor"),
        (lambda of: of.travel("house", "poor -> rich", steps=3, reach=1e9), UserError, "reach"),
        (lambda of: of.attention(TEXTS[0], layers=[9]), UserError, "layer"),
        (lambda of: of.attention(TEXTS[0], options=AttentionOptions(cross=True)), UserError, "cross-attention"),
        (lambda of: of.attention(TEXTS[0], options=AttentionOptions(target="x")), UserError, "no target to give"),
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
        (lambda of: of.vector("bankk"), UnknownWordError, "bankk"),
        (lambda of: of.vector(""), UserError, "empty|at least 1"),
        (lambda of: of.association(["a"], FLOWERS, PLEASANT, UNPLEASANT), UserError, "at least two|at least 2"),
        (lambda of: of.association(FLOWERS, ["ant", "bankk"], PLEASANT, UNPLEASANT), UserError, "bankk"),
        (lambda of: of.sense_clusters("bank", texts=["No such word."]), UserError, "two or more occurrences"),
        (lambda of: of.sense_clusters("bank", texts=[" "]), UserError, "empty"),
        (lambda of: of.matched("glove-6b-50d", CLOUD), IncompatibleError, "can't be matched"),
        (lambda of: of.matched("minilm-l6@0", CLOUD, n=50, k=0), UserError, "k must be|k: "),
        (lambda of: of.matched("minilm-l6@0", CLOUD, n=0), UserError, "n must be 1 or more|greater than or equal to 1"),
        (lambda of: of.matched("minilm-l6@0", CLOUD, n=50, method="nope"), UserError, "'nope' does not exist"),
        (lambda of: of.matched("minilm-l6@0", "nope@3", n=50), UserError, "nope"),
    ],
)
def test_mistakes_raise_the_same_there_as_here(
    ask: Ask, kind: type, match: str, client: Client, explorer: Explorer
) -> None:
    for of in (Flat(explorer), client):
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


def test_only_a_map_has_a_result_of_its_own(url: str) -> None:
    client = Client(url)
    job = client.jobs.start("word_map", word="bank", method="pca")
    assert [event["state"] for event in client.jobs.events(job)][-1] == "done"
    with pytest.raises(ConflictError, match="has all of its result"):
        client.transport.ask("GET", f"/v1/jobs/{job}/result")
