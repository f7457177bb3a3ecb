"""The log is JSON, line by line, whoever writes; no key gets into it. And who may ask from a browser."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from polysema.app.config.api_keys import make_key
from polysema.app.config.settings import Settings
from polysema.app.service.log import query_shown, set_up, without_keys
from tests.browser.conftest import until
from tests.service.conftest import Service


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of this process, put back afterwards."""
    names = (None, "polysema.service", "uvicorn", "uvicorn.error", "uvicorn.asgi", "py.warnings")
    loggers = [logging.getLogger(name) for name in names]
    before = [(list(one.handlers), one.propagate, one.level) for one in loggers]
    stream = io.StringIO()
    set_up(stream)
    yield stream
    logging.captureWarnings(False)
    for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def test_every_line_is_json_also_of_the_server_and_of_libraries(log: io.StringIO) -> None:
    logging.getLogger("polysema.service").info("%s", json.dumps({"event": "request", "status": 200}))
    logging.getLogger("polysema.service").info('"no object"')
    logging.getLogger("uvicorn.error").error("[Errno 98] %s\nin two lines", "address in use")
    logging.getLogger("some.library").warning("what it says")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("deprecated", stacklevel=1)
    try:
        raise ValueError("a text of somebody")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line.get("message", line["event"]).split("\n")[0] for line in lines[:4]] == [
        "request",
        '"no object"',
        "[Errno 98] address in use",
        "what it says",
    ]
    assert "deprecated" in lines[4]["message"]
    assert (lines[5]["error"], "somebody" in log.getvalue()) == ("ValueError", False)
    assert {line["level"] for line in lines} == {"info", "error", "warning"}


def test_a_key_is_never_logged(served: Service, log: io.StringIO) -> None:
    key, line = make_key("mine")
    url, _ = served(keys=(line,), log_texts=True)
    for query in (
        f"api_key={key}",
        f"word=bank&token={key}",
        f"{key}=1",
        "access_token=abc123",
        f"word={key}",
        f"word=a%20{key}",
    ):
        httpx.get(f"{url}/v1/neighbors?{query}", headers={"x-api-key": key}, trust_env=False, timeout=60)
        httpx.get(f"{url}/nothing?{query}", trust_env=False, timeout=60)
    httpx.get(f"{url}/v1/spaces/{key}", headers={"x-api-key": key}, trust_env=False, timeout=60)
    httpx.get(f"{url}/v1/neighbors?word=bank&k=2", headers={"x-api-key": key}, trust_env=False, timeout=60)
    until(lambda: "k=2" in log.getvalue(), "the last request was never logged")  # a line follows its answer
    written = log.getvalue()
    assert key[:20] not in written
    assert "abc123" not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert lines[0]["query"] == "api_key=***"
    assert ("word=bank&k=2", "mine") in [(line["query"], line["key"]) for line in lines]
    assert "/v1/spaces/***" in [line["path"] for line in lines]


@pytest.mark.parametrize(
    "secret", ["ps_0123456789abcdef0123", "sk-proj-0123456789", "Bearer abcdef", "hf_abcdefghijk", "ghp_abcdefghijk"]
)
def test_what_looks_like_a_key_is_hidden(secret: str) -> None:
    assert without_keys(f"in {secret} out") == "in *** out"
    assert query_shown(f"word={secret}".encode(), ["word"]) == "word=***"
    assert without_keys("the sky-blue bank of hf") == "the sky-blue bank of hf"


def test_a_browser_asks_from_pages_of_the_named_origins_only(served: Service) -> None:
    key, line = make_key("mine", "write")
    url, _ = served(keys=(line,), cors_origins=("https://a.example", "http://localhost:3000"), max_body=1024)
    query = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}

    def ask(method: str, path: str, origin: str, **more: object) -> httpx.Response:
        headers = {"origin": origin} | dict(more.pop("headers", {}))  # type: ignore[call-overload]
        return httpx.request(method, url + path, headers=headers, trust_env=False, timeout=60, **more)  # type: ignore[arg-type]

    for origin in ("https://a.example", "http://localhost:3000"):
        before = ask("OPTIONS", "/v1/analogy", origin, headers=query)  # as a browser asks first: without the key
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, origin)
        assert "authorization" in before.headers["access-control-allow-headers"]
        done = ask(
            "POST", "/v1/neighbors", origin, headers={"authorization": f"Bearer {key}"}, json={"words": ["bank"]}
        )
        assert (done.status_code, done.headers["access-control-allow-origin"]) == (200, origin)
        for wrong in ({}, {"authorization": "Bearer x"}, {"authorization": f"Bearer {key}"}):
            refused = ask("POST", "/v1/neighbors", origin, headers=wrong, content=b"{" * 2000)
            assert refused.status_code in (401, 413)
            assert refused.headers["access-control-allow-origin"] == origin  # else the page could not read why
    for origin in ("https://b.example", "https://a.example.evil", "null"):
        assert ask("OPTIONS", "/v1/analogy", origin, headers=query).status_code == 400
        assert "access-control-allow-origin" not in ask("GET", "/health", origin).headers
    foreign = ask("OPTIONS", "/v1/analogy", "https://a.example", headers=query | {"host": "evil.example"})
    assert (foreign.status_code, "access-control-allow-origin" in foreign.headers) == (421, False)


def test_without_the_setting_no_page_may_ask(http: httpx.Client) -> None:
    query = {"origin": "https://a.example", "access-control-request-method": "POST"}
    answer = http.options("/v1/analogy", headers=query)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in http.get("/health", headers=query).headers


def test_origins_are_as_a_browser_sends_them() -> None:
    for wrong in (
        "example.org",
        "https://a.example/",
        "https://a.example/x",
        "HTTPS://a",
        "ftp://a",
        "",
        "https://a@b",
    ):
        with pytest.raises(ValidationError, match="cors_origins are origins as a browser sends them"):
            Settings(cors_origins=(wrong,))
    assert Settings(cors_origins=("*", "https://a.b:8080", "http://[::1]:3")).cors_origins[0] == "*"
