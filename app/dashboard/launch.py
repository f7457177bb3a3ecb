"""Start the dashboard: the port is checked first, the settings are ours, and nothing leaves the machine."""

from __future__ import annotations

import logging
import os
import re
import sys
import uuid
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polysema.app.config.loading import load_settings
from polysema.app.config.ports import check_port
from polysema.app.config.settings import is_loopback
from polysema.app.dashboard.addresses import Addresses, index_page, script_hashes
from polysema.app.dashboard.theme import DARK, LIGHT
from polysema.core.errors import UnavailableError, UserError
from polysema.core.maps.step_process import run_steps_apart
from polysema.core.model.catalog import entry, folder_of
from polysema.core.model.pull import pull
from polysema.core.progress import Progress, no_progress
from polysema.indexes.int8_candidates import spare_memory as search_plainly

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LESSON_MODEL = "smollm2-135m"  # the decoder of the three families: its package can't be a dependency
LAUNCH_FOLDER = Path(__file__).parent
MAIN = LAUNCH_FOLDER / "main.py"
PLAIN_NUMBERS = 100_000_000  # n x dim of a space up to which no compiled code is loaded for its search


def settings(port: int, address: str, open_browser: bool) -> dict[str, Any]:
    """Streamlit's options: telemetry off, uploads and messages limited, errors without their traceback."""
    options: dict[str, Any] = {
        "browser.gatherUsageStats": False,
        "browser.serverAddress": "127.0.0.1" if address in {"0.0.0.0", "::"} else address,  # noqa: S104
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "viewer",
        "server.address": address,
        "server.allowedHosts": allowed_hosts(address),
        "server.port": port,
        "server.headless": not open_browser,
        # A collection after every run goes through all objects of what is being loaded: pages that look for their
        # answer twice a second left it no time. Python's own collections do.
        "runner.postScriptGC": False,
        "runner.magicEnabled": False,  # it parses pages, which Python 3.11 can't do while another thread parses too
        "server.fileWatcherType": "none",
        "server.maxUploadSize": load_settings().settings.received_megabytes,
        "server.maxMessageSize": 50,
        "server.disconnectedSessionTTL": 60,
        "theme.baseRadius": "0.4rem",
    }
    options |= {f"theme.light.{name}": value for name, value in LIGHT.items()}
    return options | {f"theme.dark.{name}": value for name, value in DARK.items()}


def launch(port: int, address: str, browser: bool | None, main: Path = MAIN) -> None:
    """Serve `main` until stopped. `ConflictError` when the port is taken, `UnavailableError` without the extra."""
    check_port(port, address)
    try:
        import streamlit as st
        from starlette.middleware import Middleware
        from streamlit import config

        from polysema.app.dashboard.components.point_routes import point_routes
    except ImportError:
        raise UnavailableError("the dashboard needs streamlit; install it with pip install 'polysema[app]'") from None

    open_browser = browser if browser is not None else _has_screen()
    sys.argv = [str(main)]
    options = settings(port, address, open_browser)
    config.get_config_options(options_from_flags=options)  # with these from the start: Streamlit warns of later changes
    base_path = str(config.get_option("server.baseUrlPath") or "")
    middleware = [Middleware(SecurityHeaders, hosts=allowed_hosts(address))]
    if main == MAIN:
        middleware.append(Middleware(Addresses, base_path=base_path))
    spare_memory()
    application = st.App(
        main,
        routes=point_routes(base_path),
        middleware=middleware,
        on_script_error=tell,
    )
    application.run(config=options)


def spare_memory() -> None:
    """Keep what compiles loops (numba and LLVM, 95 MB) out of the server: maps are laid out by a process of its own,
    and words are searched by plain products, which for spaces up to this size take some hundredths of a second.
    """
    run_steps_apart()
    search_plainly(PLAIN_NUMBERS)


def missing(progress: Progress = no_progress) -> str:
    """Bring what the lessons need and is not here.

    Args:
        progress: Told of the bytes.

    Returns:
        One line that says what is missing where it can't be brought, else an empty text.
    """
    row = entry(LESSON_MODEL)
    if folder_of(row) is not None:
        return ""
    os.environ.setdefault("PIP_RETRIES", "1")  # the dashboard waits for it
    try:
        pull(row, progress)
    except UserError as error:
        return f"{error}. The dashboard starts without it, and its pages offer to bring it"
    return ""


def allowed_hosts(address: str) -> list[str]:
    """The names that a dashboard on loopback answers to; of any other address they are not known here, so all are."""
    return ["localhost", "127.0.0.1", "::1"] if is_loopback(address) else []


def tell(error: Exception) -> bool:
    """What a page shows for a fault of ours: a number, under which the log has the details."""
    import streamlit as st

    number = uuid.uuid4().hex[:6].upper()
    logging.getLogger("polysema").error("a page failed, number %s", number, exc_info=error)
    st.error(
        f"Something went wrong on this page (number {number}). Nothing of yours is lost: go on with another "
        "page, or reload this one. "
        "Whoever runs the dashboard finds the details in its log under that number.",
        icon="⚠️",
    )
    return True


def _has_screen() -> bool:
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


class SecurityHeaders:
    """Middleware that puts a content security policy and its company on every response: no script from elsewhere.

    With `hosts` a request for another name is refused: a page from elsewhere may have its name point to this machine.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()):
        self._app = app
        self._hosts = hosts
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers().items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers added to the response's start; a host that isn't this one's is refused."""
        from starlette.responses import PlainTextResponse

        if scope["type"] == "http" and self._hosts and _host(scope) not in self._hosts:
            await PlainTextResponse("This dashboard answers to this machine's own names only.\n", 403)(
                scope, receive, send
            )
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers)


def _host(scope: Scope) -> str | None:
    """The name in a request's Host header, without its port; None for none, or for one that is no name."""
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    parts = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^\[\]:/@?#\s]+))(?::\d*)?", given.lower())
    return (parts[1] or parts[2]) if parts else None


def security_headers() -> dict[str, str]:
    """The response headers; the inline scripts of Streamlit's page are allowed by their hashes."""
    hashes = script_hashes(index_page())
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' blob: {hashes}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self' ws: wss:",
        "worker-src": "'self' blob:",
        "frame-src": "'self' blob: data:",
        "frame-ancestors": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "same-origin",
    }
