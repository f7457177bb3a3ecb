"""API keys: made at random, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from polysema.core.errors import UserError

SCOPES = {"read": frozenset({"read"}), "write": frozenset({"read", "write"})}
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63}):(read|write):([0-9a-f]{32}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: who it is for, what it allows, a salt and the hash of salt and key."""

    name: str
    scopes: frozenset[str]
    salt: str
    digest: str


def make_key(name: str, scope: str = "read") -> tuple[str, str]:
    """A new key, 256 random bits, and the line of settings that stands for it. The key itself is kept nowhere."""
    key, salt = "ps_" + secrets.token_urlsafe(32), secrets.token_hex(16)
    line = f"{name}:{scope}:{salt}:{_digest(salt, key)}"
    parse_key(line)
    return key, line


def parse_key(line: str) -> ApiKey:
    """A key's line of settings; raises `UserError`, which doesn't repeat the line."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise UserError(
            "an API key in the settings is NAME:read:SALT:HASH or NAME:write:SALT:HASH; `polysema key` prints it"
        )
    name, scope, salt, digest = found.groups()
    return ApiKey(name, SCOPES[scope], salt, digest)


def find_key(keys: Sequence[ApiKey], given: str) -> ApiKey | None:
    """The key that was given; every one is compared, each in constant time.

    One round of SHA-256 is enough for keys of 256 random bits, which nobody can guess.
    """
    found = None
    for key in keys:
        if hmac.compare_digest(_digest(key.salt, given), key.digest):
            found = key
    return found


def _digest(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt}:{key}".encode(errors="surrogateescape")).hexdigest()
