"""The Host header of requests is checked: a page of a foreign site whose name was bound to this address (DNS rebinding)
asks under that name, and is refused; and so is what is no name of a host at all.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from starlette.types import Scope

from polysema.app.service.errors import RefusedError

MAX_PORT = 65_535
# a name, with one dot at its end as DNS has it, or an address in brackets; no user, no path
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]|([A-Za-z0-9._-]*[A-Za-z0-9_-])\.?)(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(r"https?://([^/]*)(/.*|)", re.IGNORECASE | re.DOTALL)


def check_host(scope: Scope, hosts: frozenset[str]) -> None:
    """Raise `RefusedError` (421) unless a request names one host, and that is one of `hosts`.

    The whole address of an absolute-form request (`GET http://host/path`) counts as well; the path is then taken from
    it.
    """
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(given) != 1:
        what = "without a Host header" if not given else "with two Host headers"
        raise RefusedError("misdirected", f"a request {what} is refused; HTTP/1.1 requires exactly one")
    absolute = _ABSOLUTE.fullmatch(scope["path"])
    for one in (*given, *([absolute[1]] if absolute else ())):
        if host_of(one) not in hosts:
            raise RefusedError(
                "misdirected", f"the host {one[:80]!r} is not allowed; add it to the setting allowed_hosts"
            )
    if absolute:
        scope["path"] = unquote(absolute[2]) or "/"
        scope["raw_path"] = scope["path"].encode()


@lru_cache(maxsize=256)  # a client sends the same one with each request
def host_of(authority: str) -> str | None:
    """The host of `host:port`, in lower case and without brackets; None for what is no such thing."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None or (found[3] is not None and int(found[3]) > MAX_PORT):
        return None
    return (found[1] or found[2]).lower()
