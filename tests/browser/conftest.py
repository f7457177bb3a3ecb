"""The dashboard as a user starts it, and Debian's Chromium."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from polysema.app.dashboard import reader_notes
from tests.conftest import NO_BROWSER
from tests.core.hub_server import LocalHub

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # only the plots draw by a graphics library in software; the page around them costs a third without
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
]
NOTHING: Mapping[str, str] = MappingProxyType({})
ROOT = Path(__file__).parents[2]
DERIVED = ("baselines", "corpora", "engines", "maps", "models", "proofs", "weights")


def chromium() -> str | None:
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


def home_of_its_own(home: Path) -> Path:
    """The derived data of the tests, with views and notes of the reader that no other dashboard writes."""
    home.mkdir()
    for name in DERIVED:
        (ROOT / ".cache" / "tests" / name).mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(ROOT / ".cache" / "tests" / name)
    return home


@contextmanager
def running_dashboard(
    folder: Path, main: Path | None = None, base_path: str = "", environment: Mapping[str, str] = NOTHING
) -> Iterator[str]:
    """`polysema app` from another folder, on a free port, with the derived data of the tests; or served the same way,
    the page `main`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {**os.environ, "POLYSEMA_HOME": str(home_of_its_own(folder / "home")), **environment}
    if base_path:
        (folder / ".streamlit").mkdir()
        (folder / ".streamlit" / "config.toml").write_text(f'[server]\nbaseUrlPath = "{base_path}"\n')
    with (folder / "server.log").open("w") as log:
        command = [sys.executable, "-m", "polysema.app", "app", "--port", str(port), "--no-browser"]
        if main is not None:
            start = f"launch({port}, '127.0.0.1', False, Path({str(main)!r}))"
            imports = "from pathlib import Path; from polysema.app.dashboard.launch import launch"
            command = [sys.executable, "-c", f"{imports}; {start}"]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=variables)
        url = f"http://127.0.0.1:{port}{base_path and f'/{base_path}'}"
        try:
            for _ in range(1200):  # of a busy machine
                assert server.poll() is None, (folder / "server.log").read_text()
                try:
                    urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).read()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                pytest.fail((folder / "server.log").read_text() or "the dashboard does not answer")
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="session")
def dashboard_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the dashboard of all tests runs, with its home."""
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="session")
def hub() -> Iterator[LocalHub]:
    """What the dashboard of all tests reaches as the hub: nothing is there yet."""
    with LocalHub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def dashboard(dashboard_folder: Path, hub: LocalHub) -> Iterator[str]:
    _need_browser()
    reached = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(dashboard_folder / "hub"), "HF_HUB_OFFLINE": "0"}
    with running_dashboard(dashboard_folder, environment=reached) as url:
        yield url


def _need_browser() -> None:
    if chromium() is None:
        if os.environ.get("POLYSEMA_REQUIRE_BROWSER"):
            pytest.fail(f"{NO_BROWSER}, and POLYSEMA_REQUIRE_BROWSER says that it must be: run `make browser`")
        pytest.skip(f"{NO_BROWSER}: get it with `make browser`")


@pytest.fixture(scope="session")
def chromium_type() -> Iterator[Any]:
    """Playwright's way to start Chromium."""
    _need_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture(scope="session")
def browser(chromium_type: Any) -> Iterator[Any]:
    """A browser whose contexts know nothing of each other, nor of `page`."""
    launched = chromium_type.launch(executable_path=chromium(), args=FLAGS)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def profile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def profile(chromium_type: Any, dashboard: str, profile_folder: Path) -> Iterator[Any]:
    """A browser with a folder of its own, as a user has one: it keeps the compiled code of the page, which a new
    context compiles anew at half of what a test takes.
    """
    launched = chromium_type.launch_persistent_context(
        profile_folder,
        executable_path=chromium(),
        args=FLAGS,
        viewport={"width": 1440, "height": 1000},
        base_url=dashboard,
    )
    launched.set_default_navigation_timeout(120_000)  # of a busy machine
    yield launched
    launched.close()


def _is_error(message: Any) -> bool:
    # below a page's own path Streamlit looks for its server in two places, and one of them is not there
    looked_for = "404" in message.text and "/_stcore/" in message.location["url"]
    # the browser itself reports points that the server let go of; the plot asks for them again
    let_go = "/api/points/" in message.location["url"]
    return message.type == "error" and not looked_for and not let_go


@pytest.fixture
def page(profile: Any, dashboard: str, dashboard_folder: Path) -> Iterator[Any]:
    """A page that fails the test on any request that leaves the machine and on any error in the console."""
    (dashboard_folder / "home" / reader_notes.NOTES_FILE).unlink(missing_ok=True)  # nothing was opened before
    opened = profile.new_page()
    requests: list[str] = []
    errors: list[str] = []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("websocket", lambda socket: requests.append(socket.url))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text + " " + message.location["url"]) if _is_error(message) else None,
    )
    yield opened
    icons = opened.eval_on_selector_all("link[rel~=icon]", "links => links.map(link => link.href)")
    kept = {"origin": dashboard, "storageTypes": "cookies,local_storage,indexeddb"}
    profile.new_cdp_session(opened).send("Storage.clearDataForOrigin", kept)
    for each in profile.pages[1:]:  # the first one keeps the browser open
        each.close()
    outside = [
        url
        for url in requests + icons
        if not re.match(rf"(https?|wss?)://127\.0\.0\.1:{dashboard.rpartition(':')[2]}/|data:|blob:", url)
    ]
    assert requests
    assert outside == []
    assert errors == []


def until(true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait from outside: the page's own policy forbids to evaluate a condition inside it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def at_rest(page: Any, seconds: float = 180) -> None:
    """Wait until no work is under way and nothing of the page is about to be replaced."""
    until(
        lambda: (
            page.get_by_text("One moment").count() == 0
            and page.locator("[data-stale=true]").count() == 0
            and page.locator("[data-testid=stApp][data-test-script-state=running]").count() == 0
        ),
        "the page never came to rest",
        seconds,
    )
