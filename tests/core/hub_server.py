"""A hub on loopback: repositories in the layout of huggingface.co, over plain HTTP, with ranges and cuts."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest


class LocalHub(ThreadingHTTPServer):
    """Serves `repositories[id][revision]`, the files of a commit or branch by their paths.

    After `cut_after` bytes of a file the connection ends, `cuts` times; `ranges` are the beginnings requested,
    `tampered` is what is sent in the place of what is listed, and `hold` is called before a file of weights is sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.discussions: dict[str, list[dict[str, Any]]] = {}
        self.commits: dict[str, str] = {}
        self.cut_after, self.cuts = 0, 0
        self.ranges: list[int] = []
        self.tampered: dict[str, bytes] = {}
        self.hold: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, revision: str, folder: Path) -> None:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.repositories.setdefault(name, {})[revision] = files


class _Handler(BaseHTTPRequestHandler):
    server: LocalHub

    def log_message(self, *_: Any) -> None:
        return

    def do_HEAD(self) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[0] == "api":  # as a client finds out whether it is there
            self._json([])
            return
        name, revision, path = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        content = (self._files(name, revision) or {}).get(path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.server.commits.get(revision, revision))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts = unquote(address.path).strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            self._listing("/".join(parts[2:4]), "/".join(parts[5:]))
        elif parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
            self._tree("/".join(parts[2:4]), "/".join(parts[5:]))
        elif parts[:2] == ["api", "models"] and parts[4:5] == ["discussions"]:
            assert parse_qs(address.query)["p"] == ["0"]
            found = self.server.discussions.get("/".join(parts[2:4]), [])
            self._json({"discussions": found, "count": len(found), "start": 0})
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), parts[3:])
        else:
            self.send_error(404)

    def _files(self, name: str, revision: str) -> dict[str, bytes] | None:
        of = self.server.repositories.get(name, {})
        named = next((branch for branch, commit in self.server.commits.items() if commit == revision), revision)
        return of.get(revision) or of.get(named)

    def _listing(self, name: str, revision: str) -> None:
        files = self._files(name, revision)
        if files is None:
            self.send_error(404)
            return
        siblings = []
        for path, content in files.items():
            one: dict[str, Any] = {"rfilename": path, "size": len(content), "pointerSize": 134}
            if path.endswith((".safetensors", ".bin")):
                one["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            one["blobId"] = _sha1(content)
            siblings.append(one)
        self._json({"id": name, "sha": self.server.commits.get(revision, revision), "siblings": siblings})

    def _tree(self, name: str, revision: str) -> None:
        files = (self._files(name, revision) or {}).items()
        self._json([{"type": "file", "path": path, "size": len(one), "oid": _sha1(one)} for path, one in files])

    def _file(self, name: str, rest: list[str]) -> None:
        revision, path = rest[0], "/".join(rest[1:])
        content = (self._files(name, revision) or {}).get(path)
        if content is None:
            self.send_error(404)
            return
        content = self.server.tampered.get(path, content)
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.server.ranges.append(start)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if path.endswith(".safetensors"):
            self.server.hold()
        rest_of = content[start:]
        if self.server.cuts and len(rest_of) > self.server.cut_after:
            self.server.cuts -= 1
            self.wfile.write(rest_of[: self.server.cut_after])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(rest_of)

    def _json(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _sha1(content: bytes) -> str:
    """As git names a file's content."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def served_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[LocalHub]:
    """A hub that is reached instead of the real one, as long as it lasts, and an empty cache for what it sends."""
    from huggingface_hub import constants

    with LocalHub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(cache))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # which is read once, at its import
        yield server
        server.shutdown()
