"""The costliest requests within the limits, at least one for each route of the service."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from polysema.indexes.collection import Collection

SENTENCE = "The bank of the river is near the bank of the town. "
LONG = SENTENCE * 380  # nearly the 20,000 characters of a text
LONGEST = [LONG] * 7  # 32,000 tokens, nearly the most of a request
WINDOW = SENTENCE * 38  # as much as the models here read at once
WIDE_ROWS, WIDE_TEXT = 5000, 4000
FLAT_ROWS, FLAT_DIM = 20_000, 256
MANY = 256  # texts, words or vectors of a request
K = 1000
MINI, SMOL, G2P, MARIAN, BERT = "minilm-l6", "smollm2-135m", "g2p-t5", "marian-en-fr", "bert-tiny-en"
MODELS, SPACES = (MINI, SMOL, G2P, MARIAN, BERT), ("glove-6b-50d", f"{MINI}@6")
JOB = "{job}"  # stands for the id of a job that made a map
MATCHED_JOB = "{matched}"


@dataclass(frozen=True)
class WorstRequest:
    """One request. `path` has the values of the route's parameters, `endures` says that it takes more than a second
    or two, `accept` in which form its answer comes, `refused` that it costs too much or has no model here.
    """

    route: str
    path: str
    body: Any = None
    endures: bool = False
    accept: str = "*/*"
    refused: bool = False

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def content(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()


def post(path: str, body: Any, endures: bool = False, accept: str = "*/*", route: str = "") -> WorstRequest:
    return WorstRequest(f"POST {route or path}", path, body, endures, accept)


def refused(request: WorstRequest) -> WorstRequest:
    return replace(request, refused=True)


def get(path: str, endures: bool = False, accept: str = "*/*", route: str = "") -> WorstRequest:
    return WorstRequest(f"GET {route or path.partition('?')[0]}", path, None, endures, accept)


def make_collections(folder: Path) -> None:
    """Rows with long texts, many wide rows with short ones, and some to be written to."""
    random = np.random.default_rng(0)
    wide = Collection.create(folder / "wide")
    texts = [f"{row:06} " + "bank " * (WIDE_TEXT // 5) for row in range(WIDE_ROWS)]
    wide.add([f"w{row}" for row in range(WIDE_ROWS)], random.normal(size=(WIDE_ROWS, 8)), {"text": texts})
    flat = Collection.create(folder / "flat")
    columns = {"word": [f"word{row}" for row in range(FLAT_ROWS)], "part": [row % 7 for row in range(FLAT_ROWS)]}
    vectors = random.normal(size=(FLAT_ROWS, FLAT_DIM)).astype(np.float32)
    flat.add([f"f{row}" for row in range(FLAT_ROWS)], vectors, columns)
    small = Collection.create(folder / "small")
    small.add([f"s{row}" for row in range(1000)], random.normal(size=(1000, 8)), {"count": list(range(1000))})


KNOWN = [("bank", "river", "money", "king", "queen")[number % 5] for number in range(MANY)]
WEAT = {"first": KNOWN[:64], "second": KNOWN[64:128], "toward": KNOWN[128:192], "away": KNOWN[192:256]}
STEERED = {"toward": ["photo"] * 100, "away": ["top"] * 100}
BASE64 = "application/vnd.polysema.base64+json"
ARROW = "application/vnd.apache.arrow.stream"
ROWS = base64.b64encode(np.ones((20_000, 8), np.float32).tobytes()).decode()
IN = "/v1/collections/{name}"
OF_JOB = "/v1/jobs/{job}"

WORST: tuple[WorstRequest, ...] = (
    get("/health"),
    get("/ready"),
    get("/metrics"),
    post("/v1/embeddings", {"model": MINI, "input": ["a"] * 2048}, True),
    post("/v1/embeddings", {"model": MINI, "input": [SENTENCE] * 70}),
    post("/v1/embeddings", {"model": MINI, "input": [LONG] * 60}, True),
    get("/v1/models"),
    get(f"/v1/models/{SMOL}", route="/v1/models/{name}"),
    get("/v1/spaces"),
    get("/v1/spaces/glove-6b-50d?transform=whitened", True, route="/v1/spaces/{name}"),
    get("/v1/neighbors?word=bank&k=1000"),
    post("/v1/neighbors", {"words": KNOWN, "k": K}, True),
    post("/v1/neighbors", {"vectors": [[0.1] * 50] * MANY, "k": K}, True),
    post("/v1/neighbors", {"space": f"{MINI}@6", "texts": [SENTENCE] * MANY, "k": K}, True),
    post("/v1/neighbors", {"space": "flat", "vectors": [[0.1] * FLAT_DIM] * 64, "k": K}),
    refused(post("/v1/neighbors", {"space": "wide", "vectors": [[0.1] * 8] * MANY, "k": K})),
    post("/v1/neighbors", {"words": KNOWN, "k": K, "where": " or ".join(["word = 'bank'"] * 1000)}, True),
    get("/v1/analogy?expression=king%20-%20man%20%2B%20woman&k=1000&vectors=true"),
    post("/v1/analogy", {"expression": "king - man + woman", "k": K, "vectors": True, "method": "3cosmul"}),
    post("/v1/analogy", {"expression": "king", "k": K, "method": "lrcos", "pairs": [["man", "woman"]] * 1000}),
    post("/v1/analogy", {"expression": " + ".join(["king"] * 256), "k": K, "vectors": True}, True),
    post("/v1/similarity", {"first": KNOWN[:128], "second": KNOWN[128:]}),
    post("/v1/closer", {"word": "bank", "other": "bankrupting", "k": None}),
    post("/v1/closer", {"word": "bank", "other": "the", "k": None}),
    post("/v1/odd-one-out", {"words": KNOWN}),
    post("/v1/project", {"words": KNOWN, "axes": ["poor -> rich"] * 64}),
    post("/v1/direction", {"axis": "poor -> rich"}),
    post("/v1/vector", {"expression": " + ".join(["king"] * 256)}),
    post("/v1/vector", {"space": f"{MINI}@6", "expression": f'bank in "{SENTENCE * 15}"'}),
    post("/v1/baseline", {"space": "glove-6b-50d", "transform": "centered"}, True),
    post("/v1/association", WEAT),
    post("/v1/travel", {"word": "house", "axis": "poor -> rich", "steps": 1000, "k": K}, True),
    post("/v1/occurrences", {"word": "bank", "text": WINDOW, "k": K}),
    post("/v1/distances", {"word": "bank"}),
    post("/v1/most-similar-to-given", {"word": "bank", "others": KNOWN}),
    post("/v1/relative-cosine-similarity", {"first": "bank", "second": "river", "k": K}),
    post("/v1/word-movers-distance", {"first": KNOWN[:128], "second": KNOWN[128:]}),
    post("/v1/mean-vector", {"words": KNOWN, "weights": [1.0] * MANY}),
    post("/v1/compare", {"word": "bank", "texts": [SENTENCE] * 64}),
    post("/v1/compare", {"word": "bank", "texts": LONGEST}, True),
    post("/v1/embed", {"model": MINI, "texts": [WINDOW] * 2, "layers": [0, 1, 2], "unit": "tokens"}),
    post("/v1/embed", {"model": MINI, "texts": LONGEST, "layers": [6], "unit": "tokens"}, True),
    post("/v1/embed", {"model": MINI, "texts": LONGEST, "layers": [6], "unit": "tokens"}, True, ARROW),
    post("/v1/embed", {"model": MINI, "texts": LONGEST, "layers": [6], "unit": "tokens"}, True, BASE64),
    post("/v1/concordance", {"word": "bank", "texts": [SENTENCE] * 64}),
    post("/v1/concordance", {"word": "bank", "texts": LONGEST}, True),
    get(f"/v1/models/{MINI}/baselines", route="/v1/models/{name}/baselines"),
    post("/v1/contexts/words", {"space": "wide", "k": 100_000}, True),
    post("/v1/contexts/words", {"space": f"{MINI}@6", "k": 100_000}),
    post("/v1/contexts/occurrences", {"space": f"{MINI}@6", "word": "the", "k": 2000}),
    post("/v1/contexts/occurrences", {"space": "wide", "word": "bank", "k": 2000}, True),
    post("/v1/contexts/verdicts", {"word": "bank", "sentences": [SENTENCE] * 64, "k": 2000}),
    post(
        "/v1/contexts/verdicts",
        {"word": "bank", "sentences": [SENTENCE], "space": "wide", "limit": 2000, "k": 2000},
        True,
    ),
    post("/v1/contexts/axis", {"word": "bank", "ends": ["money", "river"], "limit": 2000}),
    post("/v1/contexts/axis", {"word": "bank", "by": "clusters", "space": "wide", "limit": 2000}, True),
    post("/v1/attention", {"model": MINI, "text": WINDOW}, True),
    post("/v1/attention", {"model": MINI, "text": LONG}, True, ARROW),
    post("/v1/attention", {"model": SMOL, "text": SENTENCE * 150, "layers": [1]}, True),
    post("/v1/attention", {"model": SMOL, "text": SENTENCE * 100, "layers": [1], "head": 1}, True),
    refused(post("/v1/attention", {"model": SMOL, "text": SENTENCE * 112, "layers": [1], "head": 1}, True)),
    post("/v1/find-heads", {"pairs": [["bank", "river"]] * 1000, "texts": [SENTENCE] * MANY}, True),
    post("/v1/find-heads", {"pairs": [["bank", "river"]] * 1000, "texts": [WINDOW]}),
    post("/v1/find-heads", {"model": SMOL, "pairs": [["bank", "river"]], "texts": [SENTENCE * 150] * 2}, True),
    post("/v1/lens", {"model": MINI, "text": WINDOW, "k": K}, True),
    post("/v1/lens", {"model": SMOL, "text": WINDOW, "k": 100}, True),
    post("/v1/lens", {"model": SMOL, "text": SENTENCE * 150, "k": 10, "layers": [30]}, True),
    post("/v1/attribution", {"model": MINI, "text": WINDOW, "word": "money", "at": "river"}),
    post("/v1/attribution", {"model": SMOL, "text": SENTENCE * 36, "word": "money"}, True),
    refused(post("/v1/attribution", {"model": SMOL, "text": SENTENCE * 150, "word": "money"}, True)),
    post("/v1/contributions", {"model": MINI, "text": WINDOW, "word": "money", "at": "river"}),
    post("/v1/check", {"model": MINI, "anew": True}),
    post("/v1/check", {"model": SMOL, "anew": True}, True),
    post("/v1/rollout", {"model": MINI, "text": WINDOW}),
    post("/v1/rollout", {"model": MINI, "text": LONG}, True),
    post("/v1/rollout", {"model": SMOL, "text": SENTENCE * 90}, True),
    post("/v1/steer", {"model": G2P, "text": "phone" * 12, **STEERED, "max_new_tokens": 200, "k": 69}, True),
    post("/v1/steer", {"model": SMOL, "text": SENTENCE * 60, **STEERED, "max_new_tokens": 50, "k": 1000}, True),
    post("/v1/sweep", {"model": G2P, "text": "phone" * 12, **STEERED, "strengths": list(range(30))}, True),
    post("/v1/sweep", {"model": SMOL, "text": SENTENCE * 60, **STEERED, "strengths": [1, 2]}, True),
    post("/v1/ablate", {"model": G2P, "text": "phone" * 12, "heads": [[1, 1]] * 100, "max_new_tokens": 200}),
    post(
        "/v1/ablate", {"model": SMOL, "text": SENTENCE * 150, "mlps": [1], "how": "mean", "over": [WINDOW] * 50}, True
    ),
    post("/v1/head-outputs", {"word": "bank", "texts": [SENTENCE] * 50}, True),
    post("/v1/head-outputs", {"word": "bank", "texts": [SENTENCE], "layers": [6]}),
    post("/v1/head-outputs", {"word": "bank", "texts": [SENTENCE] * MANY, "layers": [6]}, True),
    post("/v1/compare-families", {"text": SENTENCE * 2, "models": [MINI, BERT, G2P]}),
    post("/v1/compare-families", {"text": SENTENCE * 30, "models": [MINI, SMOL, G2P, MARIAN]}, True),
    post("/v1/patch", {"model": G2P, "clean": "phone", "corrupted": "shone", "answer": "F"}),
    post(
        "/v1/patch",
        {"model": SMOL, "clean": SENTENCE * 12, "answer": " money", "noise": {"word": "river"}, "layers": [1]},
        True,
    ),
    post("/v1/head-computation", {"model": MINI, "text": WINDOW, "layer": 6, "head": 1}),
    post("/v1/head-computation", {"model": SMOL, "text": SENTENCE * 140, "layer": 6, "head": 1}, True),
    post("/v1/head-statistics", {"model": MINI, "texts": [WINDOW]}),
    post("/v1/head-statistics", {"model": MINI, "random": 1000}, True),
    post("/v1/head-statistics", {"model": SMOL, "texts": [SENTENCE * 150]}, True),
    post("/v1/surprisal", {"model": MARIAN, "text": SENTENCE, "target": SENTENCE * 4}),
    post("/v1/surprisal", {"model": BERT, "text": SENTENCE * 20}, True),
    post("/v1/surprisal", {"model": SMOL, "text": SENTENCE * 150}, True),
    post("/v1/surprisal", {"model": SMOL, "text": LONG}, True),
    post("/v1/explain-move", {"model": MINI, "word": "bank", "text": SENTENCE * 36, "shuffles": 1}),
    post("/v1/explain-move", {"model": MINI, "word": "bank", "text": SENTENCE * 36, "shuffles": 100}, True),
    post("/v1/explain-move", {"model": SMOL, "word": "bank", "text": SENTENCE * 150, "shuffles": 0}, True),
    post("/v1/generate", {"model": G2P, "text": "phone" * 12, "max_new_tokens": 200, "k": 69, "num_beams": 2}),
    post(
        "/v1/generate",
        {"model": MARIAN, "text": SENTENCE * 4, "max_new_tokens": 20, "k": 1000, "num_beams": 16},
        True,
    ),
    post("/v1/generate", {"model": SMOL, "text": SENTENCE * 5, "max_new_tokens": 20, "k": 1000, "num_beams": 16}, True),
    refused(
        post(
            "/v1/generate",
            {"model": SMOL, "text": SENTENCE * 150, "max_new_tokens": 20, "num_beams": 16},
            True,
        )
    ),
    post("/v1/fill-mask", {"model": BERT, "text": SENTENCE * 2 + "[MASK].", "k": 20}),
    post("/v1/fill-mask", {"model": BERT, "text": SENTENCE * 2 + "[MASK].", "k": 1000, "max_pieces": 5}, True),
    refused(post("/v1/next-sentence", {"model": BERT, "first": WINDOW, "second": WINDOW})),
    get("/v1/collections"),
    WorstRequest(f"PUT {IN}", "/v1/collections/made"),
    WorstRequest(f"PUT {IN}/spaces/{{space}}", "/v1/collections/made/spaces/other", {"dim": 65_536}),
    WorstRequest(f"DELETE {IN}/spaces/{{space}}", "/v1/collections/made/spaces/other"),
    WorstRequest(f"DELETE {IN}", "/v1/collections/made"),
    get("/v1/collections/wide", route=IN),
    post(
        "/v1/collections/small/rows",
        {"ids": [f"p{n}" for n in range(20_000)], "vectors": ROWS},
        route=f"{IN}/rows",
    ),
    WorstRequest(
        f"PUT {IN}/rows",
        "/v1/collections/small/rows",
        {
            "ids": [f"n{n}" for n in range(90_000)],
            "vectors": [[1, 2, 3, 4, 5, 6, 7, 8]] * 90_000,
            "columns": {"count": [1] * 90_000},
        },
    ),
    get("/v1/collections/wide/rows?" + "&".join(f"id=w{row}" for row in range(K)), route=f"{IN}/rows"),
    get("/v1/collections/flat/rows?" + "&".join(f"id=f{row}" for row in range(K)), route=f"{IN}/rows"),
    get("/v1/collections/flat/rows?" + "&".join(f"id=f{row}" for row in range(K)), False, ARROW, f"{IN}/rows"),
    post("/v1/collections/wide/search", {"vectors": [[0.1] * 8] * 64, "k": K}, route=f"{IN}/search"),
    post("/v1/collections/wide/search", {"vectors": [[0.1] * 8] * 4, "k": K}, route=f"{IN}/search"),
    post("/v1/collections/flat/search", {"vectors": [[0.1] * FLAT_DIM] * MANY, "k": K}, route=f"{IN}/search"),
    post(
        "/v1/collections/flat/search",
        {"ids": [f"f{row}" for row in range(MANY)], "k": K, "columns": []},
        route=f"{IN}/search",
    ),
    post(
        "/v1/collections/flat/search",
        {"vectors": [[0.1] * FLAT_DIM] * MANY, "k": K, "where": " or ".join(["part = 3"] * 1000)},
        route=f"{IN}/search",
    ),
    post("/v1/collections/small/delete", {"ids": [f"n{n}" for n in range(100_000)]}, route=f"{IN}/delete"),
    post("/v1/collections/wide/widen", {"column": "text", "type": "large_string"}, route=f"{IN}/widen"),
    post(
        "/v1/collections/flat/column",
        {"column": "sense", "values": {f"f{n}": "river" * 100 for n in range(MANY)}},
        route=f"{IN}/column",
    ),
    get("/v1/collections/flat/versions", route=f"{IN}/versions"),
    WorstRequest(f"PUT {IN}/snapshots/{{snapshot}}", "/v1/collections/flat/snapshots/one"),
    WorstRequest(f"DELETE {IN}/snapshots/{{snapshot}}", "/v1/collections/flat/snapshots/one"),
    post("/v1/collections/small/restore", {"version": 2}, route=f"{IN}/restore"),
    get("/v1/collections/flat/recall", route=f"{IN}/recall"),
    post("/v1/jobs", {"kind": "verify", "collection": "wide"}),
    get(f"/v1/jobs/{JOB}", route=OF_JOB),
    get(f"/v1/jobs/{JOB}/result", route=f"{OF_JOB}/result"),
    get(f"/v1/jobs/{JOB}/result", False, ARROW, f"{OF_JOB}/result"),
    get(f"/v1/jobs/{MATCHED_JOB}/result", route=f"{OF_JOB}/result"),
    get(f"/v1/jobs/{MATCHED_JOB}/shifts?row=1", route=f"{OF_JOB}/shifts"),
    get(f"/v1/jobs/{JOB}/events", route=f"{OF_JOB}/events"),
    post(f"/v1/jobs/{JOB}/around", {"space": "glove-6b-50d", "row": 1, "k": K}, route=f"{OF_JOB}/around"),
    post(f"/v1/jobs/{JOB}/place", {"vectors": [[0.1] * 50] * MANY}, route=f"{OF_JOB}/place"),
    get(f"/v1/jobs/{JOB}/areas", True, route=f"{OF_JOB}/areas"),
    post(f"/v1/jobs/{JOB}/columns", {"columns": ["word"] * 10}, route=f"{OF_JOB}/columns"),
    post(f"/v1/jobs/{JOB}/typical", {"rows": list(range(MANY)), "k": K}, route=f"{OF_JOB}/typical"),
    WorstRequest(f"DELETE {OF_JOB}", f"/v1/jobs/{JOB}"),
)
