"""The dashboard's server and its headers; its background work."""

import threading
import time

import pytest

from polysema.app.dashboard.jobs import Jobs
from polysema.app.dashboard.launch import security_headers, settings
from polysema.app.dashboard.parts import marked, plain
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


def test_work_is_done_once_and_tried_again_after_it_failed() -> None:
    jobs, done, go = Jobs(), [], threading.Event()

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
