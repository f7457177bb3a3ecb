"""One shape per answer: the JSON of shell and HTTP, the client's and the explorer's are the same, digit by digit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli as cli_group
from polysema.app.client.client import Client
from polysema.app.explorer import AnalogyOptions, Explorer, OccurrenceOptions, SearchOptions
from polysema.app.explorer.bias_measure import BiasOptions
from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.app.explorer.inside_options import AttentionOptions
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.results.words import VECTOR_FIELDS
from polysema.app.explorer.serialization import to_json
from polysema.app.service.app import create_app
from polysema.core.corpus import open_corpus
from polysema.core.inside.ablation import Ablation
from polysema.core.inside.explained_move import MoveOptions
from polysema.core.inside.generation_results import DecodingOptions
from polysema.core.inside.lens import LensView
from polysema.core.inside.move_axis import AxisChoice
from polysema.core.inside.patch_inputs import Noise, PatchOptions
from polysema.core.inside.steering import Statement
from polysema.core.measure.analogies import Protocol, read_analogies
from polysema.core.measure.annotations import read_annotations, read_context_pairs
from polysema.core.measure.bias_lists import read_bias_lists
from polysema.core.measure.similarity import read_pairs
from polysema.core.model.recipe import SentenceOptions
from polysema.core.space.lookup import Case, Policy
from tests.service.conftest import Service
from tests.service.flat import Flat

TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
SWAN = "The white swan swam in the blue water."
LISTS = {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "joy"], "away": ["ugly", "pain"]}
POLICY = Policy(Case.IGNORE)
CONCEPT = ["phone", "-m", "g2p-t5", "--toward", "photo", "--away", "top"]
STEERED = {"text": "phone", "model": "g2p-t5", "toward": ["photo"], "away": ["top"], "words": ["F"]}
# commands that have no route, and why
ONLY_IN_THE_SHELL = {
    "app": "opens the dashboard",
    "contexts map": "over HTTP a job",
    "convert": "writes a file",
    "export": "writes files",
    "generate next-sentence": "of a model with such a head, and none that ships has one: tests/app/test_both_heads.py",
    "key": "of the service itself",
    "lessons list": "of the dashboard",
    "lessons page": "writes a file",
    "map": "writes a file; over HTTP a job",
    "measure int8": "of an engine of this machine",
    "models prepare": "writes an engine of this machine",
    "models pull": "brings weights here",
    "mcp": "is a service of its own, see test_tools.py",
    "serve": "is the service",
    "settings": "of the service itself",
    "models list": "is models",
    "spaces": "of this machine's own collections: tests/app/test_own_catalog.py",
    "table": "writes a file",
}
# routes that have no command, and why
ONLY_OVER_HTTP = {
    "POST /v1/contributions": "the former path of /v1/attribution",
    "GET /health": "of the service itself",
    "GET /ready": "of the service itself",
    "GET /metrics": "of the service itself",
    "POST /v1/embeddings": "OpenAI's protocol",
    "GET /v1/models/{name}": "one row of models",
    "GET /v1/models/{name}/baselines": "stands beside each answer",
    "GET /v1/spaces": "of the service's own collections: tests/service/test_own_models.py",
    "GET /v1/spaces/{name}": "the card of a space",
    "GET /v1/analogy": "as POST",
    "POST /v1/direction": "a vector for programs",
    "POST /v1/vector": "a vector for programs",
    "POST /v1/baseline": "stands beside each answer",
    "POST /v1/next-sentence": "of a model with such a head, and none that ships has one: tests/app/test_both_heads.py",
}


@dataclass(frozen=True)
class Verb:
    """A verb in the four ways: the command, the route with its body, and the call of explorer and client alike."""

    command: str
    route: str
    arguments: list[str] = field(default_factory=list)
    body: dict[str, Any] | None = None
    ask: Callable[[Any], Any] | None = None  # None: its answer has another shape in Python
    without: tuple[str, ...] = ()
    query: str = ""


NUMBERS = [0.25, -1.5] * 25
VERBS = [
    Verb(
        "neighbors",
        "GET /v1/neighbors",
        ["BANK", "-k", "4", "--case", "ignore"],
        ask=lambda of: of.neighbors("BANK", k=4, policy=POLICY),
        query="?word=BANK&k=4&case=ignore",
    ),
    Verb(
        "neighbors",
        "GET /v1/neighbors",
        ["bank", "-s", "minilm-l6@6", "-k", "3", "--where", "sense != ''"],
        ask=lambda of: of.neighbors("bank", "minilm-l6@6", 3, search=SearchOptions("sense != ''")),
        query="?word=bank&k=3&space=minilm-l6@6&where=sense+!=+%27%27",
    ),
    Verb(
        "neighbors",
        "POST /v1/neighbors",
        ["--vector", ",".join(map(str, NUMBERS)), "-k", "3", "--recall", "0.9"],
        {"vectors": [NUMBERS], "k": 3, "recall": 0.9},
        lambda of: of.nearest([NUMBERS], k=3, search=SearchOptions(recall=0.9)),
    ),
    Verb(
        "neighbors",
        "POST /v1/neighbors",
        ["--text", TEXTS[0], "--text", TEXTS[1], "-s", "minilm-l6@6", "-k", "2"],
        {"texts": TEXTS, "space": "minilm-l6@6", "k": 2},
        lambda of: of.nearest(TEXTS, "minilm-l6@6", 2),
    ),
    Verb(
        "analogy",
        "POST /v1/analogy",
        ["queen - king + man", "--method", "3cosmul", "-k", "3"],
        {"expression": "queen - king + man", "method": "3cosmul", "k": 3},
        lambda of: of.analogy("queen - king + man", k=3, method="3cosmul"),
        VECTOR_FIELDS,
    ),
    Verb(
        "analogy",
        "POST /v1/analogy",
        ["king", "--method", "3cosavg", "--pair", "man:woman", "--no-evidence"],
        {"expression": "king", "method": "3cosavg", "pairs": [["man", "woman"]], "evidence": False},
        lambda of: of.analogy("king", method="3cosavg", options=AnalogyOptions((("man", "woman"),), evidence=False)),
        VECTOR_FIELDS,
    ),
    Verb(
        "similarity",
        "POST /v1/similarity",
        ["king,prince", "queen"],
        {"first": ["king", "prince"], "second": ["queen"]},
        lambda of: of.similarity(["king", "prince"], ["queen"]),
    ),
    Verb(
        "closer",
        "POST /v1/closer",
        ["bank", "money"],
        {"word": "bank", "other": "money"},
        lambda of: of.closer_than("bank", "money"),
    ),
    Verb(
        "odd-one-out",
        "POST /v1/odd-one-out",
        ["lunch", "cereal", "dinner"],
        {"words": ["lunch", "cereal", "dinner"]},
        lambda of: of.odd_one_out(["lunch", "cereal", "dinner"]),
    ),
    Verb(
        "distances",
        "POST /v1/distances",
        ["bank", "money", "river"],
        {"word": "bank", "others": ["money", "river"]},
        lambda of: of.space("glove-6b-50d").relations.distances("bank", ["money", "river"]),
    ),
    Verb(
        "most-similar-to-given",
        "POST /v1/most-similar-to-given",
        ["bank", "money", "river", "-s", "minilm-l6"],
        {"word": "bank", "others": ["money", "river"], "space": "minilm-l6"},
        lambda of: of.space("minilm-l6").relations.most_similar_to_given("bank", ["money", "river"]),
    ),
    Verb(
        "relative-cosine-similarity",
        "POST /v1/relative-cosine-similarity",
        ["bank", "banks", "-k", "7"],
        {"first": "bank", "second": "banks", "k": 7},
        lambda of: of.space("glove-6b-50d").relations.relative_cosine_similarity("bank", "banks", 7),
    ),
    Verb(
        "word-movers-distance",
        "POST /v1/word-movers-distance",
        ["obama speaks here", "a president greets xyzzyx"],
        {"first": ["obama", "speaks", "here"], "second": ["a", "president", "greets", "xyzzyx"]},
        lambda of: of.space("glove-6b-50d").relations.word_movers_distance(
            ["obama", "speaks", "here"], ["a", "president", "greets", "xyzzyx"]
        ),
    ),
    Verb(
        "mean-vector",
        "POST /v1/mean-vector",
        ["king", "queen", "--weights", "2,1"],
        {"words": ["king", "queen"], "weights": [2, 1]},
        lambda of: of.space("glove-6b-50d").relations.mean_vector(["king", "queen"], [2, 1]),
    ),
    Verb(
        "project",
        "POST /v1/project",
        ["house", "palace", "--axis", "poor -> rich"],
        {"words": ["house", "palace"], "axes": ["poor -> rich"]},
        lambda of: of.project(["house", "palace"], ["poor -> rich"]),
    ),
    Verb(
        "travel",
        "POST /v1/travel",
        ["house", "poor -> rich", "--steps", "2"],
        {"word": "house", "axis": "poor -> rich", "steps": 2},
        lambda of: of.travel("house", "poor -> rich", steps=2),
    ),
    Verb(
        "concordance",
        "POST /v1/concordance",
        ["river", "-m", "bert-tiny-en", "--layer", "1", "--like", "2"],
        {"word": "river", "model": "bert-tiny-en", "layer": 1, "like": 2},
        lambda of: of.model("bert-tiny-en").senses.concordance("river", layer=1, like=2),
    ),
    Verb(
        "contexts words",
        "POST /v1/contexts/words",
        ["bert-tiny-en@1", "--prefix", "BA", "-k", "3"],
        {"space": "bert-tiny-en@1", "prefix": "BA", "k": 3},
        lambda of: of.space("bert-tiny-en@1").contexts.words("BA", 3),
    ),
    Verb(
        "contexts occurrences",
        "POST /v1/contexts/occurrences",
        ["river", "bert-tiny-en@1", "--label", "sense", "-k", "2"],
        {"space": "bert-tiny-en@1", "word": "river", "label": "sense", "k": 2},
        lambda of: of.space("bert-tiny-en@1").contexts.occurrences("river", 2, "sense"),
    ),
    Verb(
        "contexts verdicts",
        "POST /v1/contexts/verdicts",
        ["bank", f"mine | {TEXTS[0]}", "-m", "bert-tiny-en", "-k", "2"],
        {"word": "bank", "sentences": [f"mine | {TEXTS[0]}"], "model": "bert-tiny-en", "k": 2},
        lambda of: of.model("bert-tiny-en").senses.contexts.verdicts("bank", [f"mine | {TEXTS[0]}"], k=2),
    ),
    Verb(
        "contexts axis",
        "POST /v1/contexts/axis",
        ["bank", "-m", "bert-tiny-en", "--layer", "1", "-s", "bert-tiny-en@1", "--label", "sense"],
        {"word": "bank", "model": "bert-tiny-en", "layer": 1, "space": "bert-tiny-en@1", "label": "sense"},
        lambda of: of.model("bert-tiny-en").senses.contexts.axis(
            "bank", layer=1, texts=SpaceTexts("bert-tiny-en@1", "sense")
        ),
    ),
    Verb(
        "compare",
        "POST /v1/compare",
        ["bank", *TEXTS],
        {"word": "bank", "texts": TEXTS},
        lambda of: of.compare("bank", TEXTS),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--layers", "0,6"],
        {"texts": TEXTS, "layers": [0, 6]},
        lambda of: of.embed(TEXTS, layers=[0, 6]).answer(),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--unit", "sentences"],
        {"texts": TEXTS, "unit": "sentences"},
        lambda of: of.embed(TEXTS, unit="sentences").answer(),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--unit", "sentences", "--pooling", "own", "--prompt", "query: ", "--dimensions", "64"],
        {"texts": TEXTS, "unit": "sentences", "pooling": "own", "prompt": "query: ", "dimensions": 64},
        lambda of: of.embed(
            TEXTS, unit="sentences", pooling="own", options=SentenceOptions("query: ", None, 64)
        ).answer(),
    ),
    Verb(
        "embed",
        "POST /v1/embed",
        [*TEXTS, "--word", "bank", "--model", "minilm-l6@3"],
        {"texts": TEXTS, "word": "bank", "model": "minilm-l6@3"},
        lambda of: of.embed(TEXTS, layers=[3], word="bank").answer(),
    ),
    Verb(
        "inside attention",
        "POST /v1/attention",
        [SWAN, "--head", "6.3", "--special", "fold"],
        {"text": SWAN, "layers": [6], "head": 3, "special": "fold"},
        lambda of: of.attention(SWAN, layers=[6], options=AttentionOptions(special="fold")).of_head(3),
    ),
    Verb(
        "inside attention",
        "POST /v1/attention",
        ["phone", "-m", "g2p-t5", "--cross", "--layers", "2"],
        {"text": "phone", "model": "g2p-t5", "cross": True, "layers": [2]},
        lambda of: of.attention("phone", "g2p-t5", [2], AttentionOptions(cross=True)),
    ),
    Verb(
        "inside find-head",
        "POST /v1/find-heads",
        ["blue -> water", "--text", SWAN, "-k", "72"],
        {"pairs": [["blue", "water"]], "texts": [SWAN]},
        lambda of: of.find_heads([("blue", "water")], [SWAN]),
    ),
    Verb(
        "inside lens",
        "POST /v1/lens",
        ["phone", "-m", "g2p-t5", "--at", "0", "--word", "F", "-k", "3"],
        {"text": "phone", "model": "g2p-t5", "at": 0, "words": ["F"], "k": 3},
        lambda of: of.lens("phone", "g2p-t5", None, ["F"], LensView(k=3, at=0)).at_token(0),
    ),
    Verb(
        "inside attribution",
        "POST /v1/attribution",
        [SWAN, "money", "-m", "minilm-l6", "--at", "swan"],
        {"text": SWAN, "word": "money", "at": "swan"},
        lambda of: of.contributions(SWAN, "money", at="swan"),
    ),
    Verb(
        "association",
        "POST /v1/association",
        ["rose,tulip", "ant,wasp", "--toward", "love,joy", "--away", "ugly,pain"],
        LISTS,
        lambda of: of.association(*LISTS.values()),
    ),
    Verb(
        "inside attention",
        "POST /v1/rollout",
        [SWAN, "--rollout", "--layers", "3"],
        {"text": SWAN, "layer": 3},
        lambda of: of.model("minilm-l6").internals.rollout(SWAN, 3),
    ),
    Verb(
        "inside steer",
        "POST /v1/steer",
        [*CONCEPT, "--layer", "1", "--word", "F", "--new", "3", "-k", "4"],
        STEERED | {"layer": 1, "max_new_tokens": 3, "k": 4},
        lambda of: of.model("g2p-t5").steer("phone", ["photo"], ["top"], 1, None, Statement(4, ("F",), 3)),
    ),
    Verb(
        "inside steer",
        "POST /v1/sweep",
        [*CONCEPT, "--layer", "all", "--sweep", "0,1", "--word", "F"],
        STEERED | {"strengths": [0, 1]},
        lambda of: of.model("g2p-t5").internals.sweep(
            "phone", ["photo"], ["top"], [0, 1], None, Statement(words=("F",))
        ),
    ),
    Verb(
        "inside ablate",
        "POST /v1/ablate",
        ["phone", "-m", "g2p-t5", "--head", "1.2", "--cross", "--mlp", "2", "--word", "F"],
        {"text": "phone", "model": "g2p-t5", "heads": [[1, 2]], "mlps": [2], "cross": True, "words": ["F"]},
        lambda of: of.model("g2p-t5").ablate(
            "phone", [Ablation(1, 2, "cross"), Ablation(2, None, "mlp")], "zero", Statement(10, ("F",), 0)
        ),
    ),
    Verb(
        "inside heads",
        "POST /v1/head-outputs",
        ["bank", TEXTS[0], "--layers", "3,4"],
        {"word": "bank", "texts": TEXTS[:1], "layers": [3, 4]},
        lambda of: of.model("minilm-l6").internals.head_outputs("bank", TEXTS[:1], [3, 4]),
    ),
    Verb(
        "inside compare-families",
        "POST /v1/compare-families",
        ["the white swan", "-m", "g2p-t5"],
        {"text": "the white swan", "models": ["g2p-t5"]},
        lambda of: of.compare_families("the white swan", ["g2p-t5"]),
    ),
    Verb(
        "inside generate",
        "POST /v1/generate",
        ["phone", "-m", "g2p-t5", "-k", "2"],
        {"text": "phone", "model": "g2p-t5", "k": 2},
        lambda of: of.model("g2p-t5").generate("phone", k=2),
    ),
    Verb(
        "generate text",
        "POST /v1/generate",
        ["phone", "-m", "g2p-t5", "--temperature", "2", "--seed", "4", "--top-k", "9", "--begin", "#9,31"],
        {"text": "phone", "model": "g2p-t5", "temperature": 2.0, "seed": 4, "top_k": 9, "prefix": [9, 31]},
        lambda of: of.model("g2p-t5").generate(
            "phone", options=DecodingOptions(temperature=2.0, seed=4, top_k=9, prefix=(9, 31))
        ),
    ),
    Verb(
        "generate text",
        "POST /v1/generate",
        ["The bank lends money.", "-m", "marian-en-fr", "--beams", "3", "--max-new-tokens", "9"],
        {"text": "The bank lends money.", "model": "marian-en-fr", "num_beams": 3, "max_new_tokens": 9},
        lambda of: list(
            of.model("marian-en-fr").generation.stream("The bank lends money.", 9, 5, DecodingOptions(num_beams=3))
        )[-1],
    ),
    Verb(
        "generate fill",
        "POST /v1/fill-mask",
        ["She put her ___ in the [MASK].", "-k", "4", "--pieces", "2"],
        {"text": "She put her ___ in the [MASK].", "k": 4, "max_pieces": 2},
        lambda of: of.model("bert-tiny-en").generation.fill("She put her ___ in the [MASK].", 4, 2),
    ),
    Verb(
        "inside patch",
        "POST /v1/patch",
        ["phone", "shone", "--answer", "F", "--against", "SH", "-m", "g2p-t5", "--stack", "encoder", "--layers", "0,2"],
        {"clean": "phone", "corrupted": "shone", "answer": "F", "against": "SH", "model": "g2p-t5"}
        | {"stack": "encoder", "layers": [0, 2]},
        lambda of: of.model("g2p-t5").circuits.patch(
            ("phone", "shone"), "F", "SH", PatchOptions(stack="encoder", layers=(0, 2))
        ),
    ),
    Verb(
        "inside patch",
        "POST /v1/patch",
        ["phone", "--answer", "F", "-m", "g2p-t5", "--noise", "phone", "--samples", "2", "--part", "cross-head"],
        {"clean": "phone", "answer": "F", "model": "g2p-t5", "noise": {"word": "phone", "samples": 2}}
        | {"part": "cross-head"},
        lambda of: of.model("g2p-t5").circuits.patch(
            ("phone", None), "F", None, PatchOptions("cross-head", noise=Noise("phone", samples=2))
        ),
    ),
    Verb(
        "inside head",
        "POST /v1/head-computation",
        ["phone", "1.2", "-m", "g2p-t5", "--cross", "--target", "F OW"],
        {"text": "phone", "layer": 1, "head": 2, "model": "g2p-t5", "cross": True, "target": "F OW"},
        lambda of: of.model("g2p-t5").circuits.head_computation("phone", 1, 2, True, "", "F OW"),
    ),
    Verb(
        "inside head-statistics",
        "POST /v1/head-statistics",
        [SWAN, TEXTS[0], "-m", "minilm-l6", "--by", "previous-token", "--layers", "2,3", "-k", "1000"],
        {"texts": [SWAN, TEXTS[0]], "model": "minilm-l6", "by": "previous-token", "layers": [2, 3]},
        lambda of: of.model("minilm-l6").circuits.head_statistics([SWAN, TEXTS[0]], "previous-token", [2, 3]),
    ),
    Verb(
        "inside surprisal",
        "POST /v1/surprisal",
        ["phone", "-m", "g2p-t5", "--target", "F OW N"],
        {"text": "phone", "model": "g2p-t5", "target": "F OW N"},
        lambda of: of.model("g2p-t5").circuits.surprisal("phone", target="F OW N"),
    ),
    Verb(
        "inside move",
        "POST /v1/explain-move",
        ["bank", TEXTS[0], "--axis", "money -> river", "--layer", "3", "--shuffles", "2"],
        {"word": "bank", "text": TEXTS[0], "axis": "money -> river", "layer": 3, "shuffles": 2},
        lambda of: of.model("minilm-l6").circuits.explain_move(
            "bank", TEXTS[0], "money -> river", 3, MoveOptions(shuffles=2)
        ),
    ),
    Verb(
        "inside move",
        "POST /v1/explain-move",
        ["bank", "A bank.", "-m", "marian-en-fr", "--stack", "encoder", "--toward", "A river.", "--away", "Some cash."],
        {"word": "bank", "text": "A bank.", "model": "marian-en-fr", "stack": "encoder"}
        | {"toward": ["A river."], "away": ["Some cash."]},
        lambda of: of.model("marian-en-fr").circuits.explain_move(
            "bank", "A bank.", AxisChoice(None, ("A river.",), ("Some cash.",)), reads=AttentionOptions(None, "encoder")
        ),
    ),
    Verb(
        "inside check",
        "POST /v1/check",
        ["g2p-t5"],
        {"model": "g2p-t5"},
        lambda of: of.model("g2p-t5").internals.check(),
    ),
    Verb(
        "occurrences",
        "POST /v1/occurrences",
        ["bank", TEXTS[0], "--layer", "3", "-k", "3", "--where", "sense != ''"],
        {"word": "bank", "text": TEXTS[0], "layer": 3, "k": 3, "where": "sense != ''"},
        lambda of: of.occurrence_neighbors(
            "bank", TEXTS[0], layer=3, k=3, options=OccurrenceOptions(where="sense != ''")
        ),
    ),
    Verb("models", "GET /v1/models", without=("folder",)),
]


def shell(verb: Verb) -> Any:
    """What a command prints as JSON, in this process."""
    done = CliRunner().invoke(
        cli_group, [*verb.command.split(), *verb.arguments, "--format", "json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as made:
        yield made


@pytest.mark.parametrize("verb", VERBS, ids=[f"{number}-{verb.command}" for number, verb in enumerate(VERBS)])
def test_an_answer_has_one_shape(verb: Verb, http: httpx.Client, client: Client, explorer: Explorer) -> None:
    method, _, path = verb.route.partition(" ")
    answer = http.request(method, path + verb.query, json=verb.body)
    assert answer.status_code == 200, answer.text
    there = answer.json()
    printed = shell(verb)
    for row in printed.get("data", ()):  # where the weights are is said here alone
        row.pop("folder", None)
    assert printed == there
    if verb.ask is not None:
        found = verb.ask(Flat(client))
        assert to_json(found, without=verb.without) == there
        assert to_json(verb.ask(Flat(explorer)), without=verb.without) == there
        whole = to_json(found)
        assert to_json(from_json(type(found), json.loads(json.dumps(whole)))) == whole


QUESTIONS = ": gender\nman woman king queen\nman woman boy girl\n: odd\nking queen man nobodysword\n"
RATINGS = "king\tqueen\t8.5\nking\tcabbage\t0.5\nman\twoman\t7\n"
LABELS = """word,sense,text
bank,river,The river bank was muddy.
bank,money,The bank lends money.
bank,river,They sat on the bank of the river.
bank,money,A bank keeps gold.
"""
PAIRS = "word,sentence1,sentence2,label\n" + "".join(
    f"bank,The river bank was muddy.,The bank {verb} money.,{same}\n"
    for verb, same in (("lends", "F"), ("keeps", "T"), ("has", "F"), ("saves", "T"), ("takes", "F"), ("gets", "T"))
)
BIAS = "flowers\n" + "".join(f"{name}: {', '.join(words)}\n" for name, words in LISTS.items())
MEASURES: dict[str, tuple[list[str], Callable[[Any, Path], Any]]] = {
    "measure analogies": (
        ["q.txt", "--method", "3cosadd", "--method", "only-b", "--vocabulary", "20000"],
        lambda of, folder: of.measures.analogies(
            read_analogies(folder / "q.txt"), methods=["3cosadd", "only-b"], protocol=Protocol(vocabulary=20_000)
        ),
    ),
    "measure similarity": (
        ["s.tsv", "--keep-case"],
        lambda of, folder: of.measures.similarity({"s.tsv": read_pairs(folder / "s.tsv")}, lower=False),
    ),
    "measure senses": (["-m", "g2p-t5"], lambda of, folder: of.measures.senses(["g2p-t5"])),
    "measure senses labels.csv": (
        ["-m", "g2p-t5"],
        lambda of, folder: of.measures.annotated_senses(read_annotations(folder / "labels.csv"), ["g2p-t5"]),
    ),
    "measure contextuality": (
        ["labels.csv", "-m", "g2p-t5", "--min-contexts", "2"],
        lambda of, folder: of.measures.contextuality(list(open_corpus(folder / "labels.csv")), ["g2p-t5"], 2),
    ),
    "measure wic": (
        ["pairs.csv", "-m", "g2p-t5", "-m", "bert-tiny-en"],
        lambda of, folder: of.measures.word_in_context(
            read_context_pairs(folder / "pairs.csv"), ["g2p-t5", "bert-tiny-en"]
        ),
    ),
    "measure probe": (
        ["labels.csv", "-m", "g2p-t5"],
        lambda of, folder: of.measures.probe(read_annotations(folder / "labels.csv"), ["g2p-t5"]),
    ),
    "measure bias": (
        ["bias.txt", "-s", "glove-6b-50d", "-m", "g2p-t5", "--template", "A {}."],
        lambda of, folder: of.measures.bias(
            read_bias_lists(folder / "bias.txt"), models=["g2p-t5"], options=BiasOptions(templates=("A {}.",))
        ),
    ),
}


@pytest.mark.parametrize("command", MEASURES)
def test_a_measure_has_one_shape(
    command: str, client: Client, explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP they are jobs, whose results the client reads."""
    arguments, ask = MEASURES[command]
    monkeypatch.chdir(tmp_path)
    Path("q.txt").write_text(QUESTIONS, encoding="utf-8")
    for name, text in (("s.tsv", RATINGS), ("labels.csv", LABELS), ("pairs.csv", PAIRS), ("bias.txt", BIAS)):
        Path(name).write_text(text, encoding="utf-8")
    printed = shell(Verb(command, "", arguments))
    assert to_json(ask(explorer, tmp_path)) == printed
    assert to_json(ask(client, tmp_path)) == printed


def commands(group: click.Group, name: str = "") -> Iterator[str]:
    for child, command in group.commands.items():
        whole = f"{name} {child}".strip()
        if isinstance(command, click.Group) and child != "export":
            yield from commands(command, whole)
        else:
            yield whole


def test_every_verb_is_in_the_table_or_said_to_be_of_one_side_alone(explorer: Explorer) -> None:
    there = {
        f"{method.upper()} {path}"
        for path, operations in create_app(explorer).openapi()["paths"].items()
        for method in operations
        if not path.startswith(("/v1/collections", "/v1/jobs"))
    }
    assert {verb.route for verb in VERBS} | set(ONLY_OVER_HTTP) == there
    here = {name for name in commands(cli_group) if not name.startswith("collection ")} | {"models"}
    measures = {" ".join(name.split()[:2]) for name in MEASURES}
    assert {verb.command for verb in VERBS} | measures | set(ONLY_IN_THE_SHELL) == here


def test_a_collection_has_one_shape(served: Service, tmp_path: Path) -> None:
    url, _ = served()
    folder = str(tmp_path / "data" / "mine")
    with Client(url) as client:
        mine = client.create("mine")
        mine.add(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]], {"color": ["red", None, "blue"]})
        mine.history.snapshot("now")
        for command, arguments, path, params, body in (
            ("info", [], "", None, None),
            ("versions", [], "/versions", None, None),
            ("recall", [], "/recall", None, None),
            ("get", ["c", "a"], "/rows", {"id": ["c", "a"]}, None),
            ("search", ["--vector", "1,0.25", "-k", "2"], "/search", None, {"vectors": [[1, 0.25]], "k": 2}),
        ):
            method = "GET" if body is None else "POST"
            there = client.transport.ask(method, f"/v1/collections/mine{path}", body, params)
            assert there == shell(Verb(f"store {command}", "", [folder, *arguments]))
