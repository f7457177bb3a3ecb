"""The OpenAPI document describes requests and responses: real answers of every route fit it, and so do its own
examples.
"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from pydantic import BaseModel

from polysema.app.explorer import Explorer
from polysema.app.explorer.json_reading import from_json
from polysema.app.explorer.serialization import to_json
from polysema.app.service.app import create_app
from polysema.app.service.schemas.fields import RequestModel
from polysema.app.service.schemas.response_model import EXAMPLES, model_of

BASE64 = "application/vnd.polysema.base64+json"
TEXTS = ["The river bank was muddy.", "Gringotts bank keeps its gold."]
IN_BASE64 = {"accept": BASE64}
STEERED = {"text": "phone", "model": "g2p-t5", "toward": ["photo"], "away": ["top"], "words": ["F"]}
POSTS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("/v1/embeddings", {"model": "minilm-l6", "input": TEXTS}, {}),
    ("/v1/embeddings", {"model": "minilm-l6", "input": TEXTS, "encoding_format": "base64"}, {}),
    ("/v1/neighbors", {"words": ["bank", "swan"], "k": 2}, {}),
    ("/v1/neighbors", {"space": "minilm-l6@6", "texts": TEXTS, "k": 2}, {}),
    ("/v1/analogy", {"expression": "queen - king + man", "method": "3cosmul", "vectors": True}, {}),
    ("/v1/similarity", {"first": ["king"], "second": ["queen"]}, {}),
    ("/v1/closer", {"word": "bank", "other": "river", "k": 3}, {}),
    ("/v1/odd-one-out", {"words": ["king", "queen", "cereal"]}, {}),
    ("/v1/distances", {"word": "bank", "others": ["money"]}, {}),
    ("/v1/most-similar-to-given", {"word": "bank", "others": ["money", "river"]}, {}),
    ("/v1/relative-cosine-similarity", {"first": "bank", "second": "banks"}, {}),
    ("/v1/word-movers-distance", {"first": ["king", "rules"], "second": ["queen", "xyzzyx"]}, {}),
    ("/v1/mean-vector", {"words": ["king", "queen"], "weights": [2, 1]}, {}),
    ("/v1/project", {"words": ["house"], "axes": ["poor -> rich"]}, {}),
    ("/v1/direction", {"axis": "poor -> rich"}, {}),
    ("/v1/direction", {"axis": "poor -> rich"}, IN_BASE64),
    ("/v1/vector", {"expression": "king - man"}, {}),
    ("/v1/vector", {"expression": "king - man"}, IN_BASE64),
    ("/v1/baseline", {"transform": "centered"}, {}),
    (
        "/v1/association",
        {"first": ["rose", "tulip"], "second": ["ant", "wasp"], "toward": ["love", "joy"], "away": ["ugly", "pain"]},
        {},
    ),
    ("/v1/travel", {"word": "house", "axis": "poor -> rich", "steps": 2}, {}),
    ("/v1/occurrences", {"word": "bank", "text": TEXTS[0], "k": 2}, {}),
    ("/v1/concordance", {"word": "bank", "texts": TEXTS, "layer": 3}, {}),
    ("/v1/contexts/words", {"space": "minilm-l6@6", "prefix": "ba", "k": 2}, {}),
    ("/v1/contexts/occurrences", {"space": "minilm-l6@6", "word": "bank", "k": 2}, {}),
    ("/v1/contexts/verdicts", {"word": "bank", "sentences": TEXTS[:1], "k": 2}, {}),
    ("/v1/contexts/axis", {"word": "bank", "ends": ["money", "river"]}, {}),
    ("/v1/compare", {"word": "bank", "texts": TEXTS}, {}),
    ("/v1/embed", {"texts": TEXTS, "layers": [0, 6]}, {}),
    ("/v1/embed", {"texts": TEXTS, "unit": "sentences"}, IN_BASE64),
    ("/v1/attention", {"text": TEXTS[0], "layers": [6]}, {}),
    ("/v1/attention", {"text": TEXTS[0], "layers": [6], "head": 2, "special": "merge"}, IN_BASE64),
    ("/v1/find-heads", {"pairs": [["river", "bank"]], "texts": TEXTS, "k": 3}, {}),
    ("/v1/check", {"model": "minilm-l6"}, {}),
    ("/v1/lens", {"text": TEXTS[0], "layers": [0, 6], "words": ["money"], "k": 2}, {}),
    ("/v1/lens", {"text": TEXTS[0], "at": "bank", "k": 2}, IN_BASE64),
    ("/v1/attribution", {"text": TEXTS[0], "word": "money", "at": "bank"}, {}),
    ("/v1/contributions", {"text": TEXTS[0], "word": "money", "at": "bank"}, {}),
    ("/v1/rollout", {"text": TEXTS[0], "layer": 2}, {}),
    ("/v1/steer", STEERED | {"layer": 1, "max_new_tokens": 2}, {}),
    ("/v1/sweep", STEERED | {"layers": [1], "strengths": [0, 1]}, {}),
    ("/v1/ablate", {"text": "phone", "model": "g2p-t5", "heads": [[1, 2]], "cross": True, "words": ["F"]}, {}),
    ("/v1/head-outputs", {"word": "bank", "texts": TEXTS[:1], "layers": [6]}, {}),
    ("/v1/compare-families", {"text": "the white swan", "models": ["minilm-l6", "g2p-t5"]}, {}),
    ("/v1/generate", {"text": "phone", "model": "g2p-t5", "k": 2}, {}),
    ("/v1/generate", {"text": "The bank.", "model": "marian-en-fr", "num_beams": 2, "max_new_tokens": 3}, {}),
    ("/v1/fill-mask", {"text": "The river ___ is muddy.", "k": 2, "max_pieces": 1}, {}),
    ("/v1/patch", {"clean": "phone", "corrupted": "shone", "answer": "F", "model": "g2p-t5", "layers": [1]}, {}),
    ("/v1/patch", {"clean": "phone", "corrupted": "shone", "answer": "F", "model": "g2p-t5"}, IN_BASE64),
    ("/v1/head-computation", {"text": TEXTS[0], "layer": 2, "head": 3, "model": "minilm-l6"}, {}),
    ("/v1/head-computation", {"text": "phone", "layer": 2, "head": 3, "model": "g2p-t5"}, IN_BASE64),
    ("/v1/head-statistics", {"texts": TEXTS, "model": "minilm-l6", "layers": [1], "by": "previous-token"}, {}),
    ("/v1/head-statistics", {"random": 1, "model": "minilm-l6", "layers": [1]}, {}),
    ("/v1/explain-move", {"word": "bank", "text": TEXTS[0], "axis": "money -> river", "shuffles": 1}, {}),
    ("/v1/explain-move", {"word": "bank", "text": TEXTS[0], "shuffles": 0}, IN_BASE64),
    ("/v1/surprisal", {"text": "phone", "model": "g2p-t5", "target": "F OW N"}, {}),
    ("/v1/collections/doc/rows", {"ids": ["a", "b"], "vectors": [[1, 0], [0, 1]], "columns": {"c": ["x", None]}}, {}),
    ("/v1/collections/doc/column", {"column": "sense", "values": {"b": "river"}}, {}),
    ("/v1/collections/doc/widen", {"column": "c", "type": "large_string"}, {}),
    ("/v1/collections/doc/search", {"vectors": [[1, 0]], "k": 2}, {}),
    ("/v1/collections/doc/restore", {"version": 3}, {}),
    ("/v1/collections/doc/delete", {"ids": ["a"]}, {}),
]
GETS = [
    "/health",
    "/ready",
    "/metrics",
    "/v1/models",
    "/v1/models/minilm-l6",
    "/v1/models/minilm-l6/baselines",
    "/v1/spaces",
    "/v1/spaces/minilm-l6@6",
    "/v1/spaces/doc",
    "/v1/neighbors?word=bank",
    "/v1/analogy?expression=queen+-+king",
    "/v1/collections",
    "/v1/collections/doc",
    "/v1/collections/doc/versions",
    "/v1/collections/doc/recall",
    "/v1/collections/doc/rows?id=b",
    "/v1/neighbors?word=bankk",
    "/v1/neighbors?k=0",
    "/nowhere",
]


@pytest.fixture(scope="module")
def conforms(http: httpx.Client) -> Callable[[httpx.Response], None]:
    """Holds an answer against the document."""
    schema = schemathesis.openapi.from_dict(http.get("/openapi.json").json())
    paths = [one.ok() for one in schema.get_all_operations()]
    seen: set[str] = set()

    def hold(answer: httpx.Response) -> None:
        path = answer.request.url.path
        parts = path.split("/")

        def fits(pattern: str) -> bool:
            own = pattern.split("/")
            return len(own) == len(parts) and all(a == b or a.startswith("{") for a, b in zip(own, parts, strict=True))

        fitting = [one for one in paths if one.method.upper() == answer.request.method and fits(one.path)]
        if path == "/nowhere":
            return
        best = min(fitting, key=lambda one: one.path.count("{"))
        best.validate_response(answer)
        seen.add(best.label)

    hold.seen, hold.labels = seen, {one.label for one in paths}  # type: ignore[attr-defined]
    return hold


def test_real_answers_fit_the_document(http: httpx.Client, conforms: Any) -> None:
    made = http.put("/v1/collections/doc")
    assert made.status_code == 201
    conforms(made)
    for path, body, headers in POSTS:
        answer = http.post(path, json=body, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        conforms(answer)
    for answer in (
        http.put("/v1/collections/doc/rows", json={"ids": ["b"], "vectors": [[1, 1]]}),
        http.put("/v1/collections/doc/spaces/wide", json={"dim": 3}),
        http.delete("/v1/collections/doc/spaces/wide"),
        http.put("/v1/collections/doc/snapshots/now"),
        http.put("/v1/collections/doc/snapshots/now"),
    ):
        assert answer.status_code in (200, 201, 409), answer.text
        conforms(answer)
    for path in GETS:
        conforms(http.get(path))
    conforms(http.get("/v1/collections/doc/rows?id=b", headers=IN_BASE64))
    conforms(http.delete("/v1/collections/doc/snapshots/now"))
    for kind in (
        {"kind": "map", "n": 60, "method": "pca"},
        {
            "kind": "matched",
            "a": "minilm-l6@0",
            "b": {"space": "minilm-l6@6", "transform": "centered"},
            "n": 40,
            "k": 3,
        },
        {"kind": "word_map", "word": "bank", "method": "pca"},
        {"kind": "sense_clusters", "word": "bank"},
        {"kind": "sense_clusters", "word": "bank", "texts": TEXTS, "min_cluster_size": 2},
        {"kind": "corpus"},
        {"kind": "embed", "collection": "doc", "space": "texts", "texts": TEXTS, "unit": "sentences"},
        {"kind": "compact", "collection": "doc", "space": "texts"},
        {"kind": "verify", "collection": "doc"},
    ):
        started = http.post("/v1/jobs", json=kind)
        assert started.status_code == 202, started.text
        conforms(started)
        job = started.json()["id"]
        http.get(f"/v1/jobs/{job}/events")  # up to its end
        done = http.get(f"/v1/jobs/{job}")
        assert done.json()["state"] == "done", done.text
        conforms(done)
        if kind["kind"] in ("map", "matched"):
            for headers in ({}, IN_BASE64, {"accept": "application/vnd.apache.arrow.stream"}):
                conforms(http.get(f"/v1/jobs/{job}/result", headers=headers))
            conforms(http.post(f"/v1/jobs/{job}/place", json={"vectors": [[1.0] * 50]}))
            conforms(http.post(f"/v1/jobs/{job}/around", json={"row": 3, "k": 4}))
            conforms(http.get(f"/v1/jobs/{job}/shifts?row=3"))
            conforms(http.get(f"/v1/jobs/{job}/areas"))
            conforms(http.post(f"/v1/jobs/{job}/columns", json={}))
            conforms(http.post(f"/v1/jobs/{job}/typical", json={"rows": [1, 2], "k": 3}))
        conforms(http.get(f"/v1/jobs/{job}/result"))
        conforms(http.delete(f"/v1/jobs/{job}"))
    conforms(http.delete("/v1/collections/doc"))
    without = {"GET /v1/jobs/{job}/events", "POST /v1/next-sentence"}  # the second needs a model with such a head
    assert conforms.labels - conforms.seen == without, conforms.labels - conforms.seen


def test_every_example_of_the_document_is_right() -> None:
    shown = 0
    for one in _kinds(RequestModel):
        for example in (one.model_config.get("json_schema_extra") or {}).get("examples") or []:  # type: ignore[union-attr]
            one.model_validate(example)
            shown += 1
    for kind, examples in EXAMPLES.items():
        for example in examples:
            assert to_json(from_json(kind, example)) == model_of(kind).model_validate(example).model_dump(
                exclude_unset=True
            ), kind
            shown += 1
    assert shown > 70


def _kinds(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [one for child in base.__subclasses__() for one in (child, *_kinds(child))]


def test_every_route_shows_an_example_of_its_answer(explorer: Explorer) -> None:
    document = create_app(explorer).openapi()
    shapes = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ((status, answer),) = [one for one in operation["responses"].items() if one[0].startswith("2")]
            for kind, content in answer["content"].items():
                if "json" in kind:
                    for schema in content["schema"].get("anyOf", [content["schema"]]):
                        shape = shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
                        assert shape["additionalProperties"] is False, (method, path, status)
                        assert shape["examples"], (method, path, kind)
            assert "example" in str(operation.get("requestBody", "example")) or _examples(operation, shapes), path


def _examples(operation: dict[str, Any], shapes: dict[str, Any]) -> bool:
    """Whether the request body has an example, or each of its kinds."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    kinds = [one["$ref"] for one in schema.get("oneOf", [schema]) if "$ref" in one]
    return bool(kinds) and all("example" in str(shapes[one.rpartition("/")[2]]) for one in kinds)
