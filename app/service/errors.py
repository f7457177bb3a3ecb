"""Errors of requests, and the one JSON shape of every error response (OpenAI's, with our stable codes)."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from polysema.app.service.openai_messages import input_mistake
from polysema.app.service.parameters import fields_of
from polysema.app.service.validation_messages import mistake_of
from polysema.core.errors import DiskFullError, UserError

STATUS = {
    "invalid": 422,
    "unknown_word": 404,
    "not_found": 404,
    "unreadable": 422,
    "incompatible": 409,
    "unavailable": 503,
    "beyond_memory": 422,
    "conflict": 409,
    "corrupt": 500,
    "storage": 500,
    "disk_full": 507,
    "misdirected": 421,
    "busy": 503,
    "unauthorized": 401,
    "forbidden": 403,
    "too_large": 413,
    "slow": 408,
    "too_many": 429,
    "timeout": 503,
    "not_acceptable": 406,
    "unsupported": 415,
}
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
RETRY = "1"  # seconds


class RefusedError(UserError):
    """A request that isn't worked on, for the reason that `code` says."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class MistakeError(UserError):
    """A mistake in one field or parameter of a request, `param`."""

    def __init__(self, message: str, param: str | None):
        super().__init__(message)
        self.param = param


def answer(
    status: int, code: str, message: str, param: str | None = None, more: dict[str, Any] | None = None
) -> Response:
    """An error as it is sent."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    value = {"error": {"message": message, "type": kind, "param": param, "code": code, **(more or {})}}
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = RETRY
    # ASCII: what was given, and is repeated here, may be no text that can be sent otherwise
    return Response(json.dumps(value).encode(), status, headers, "application/json")


def of(error: UserError, path: str = "", without_paths: Callable[[str], str] = str) -> Response:
    """The response for a user's mistake; `without_paths` takes out what is not disclosed."""
    status = STATUS.get(error.code, 422)
    if status == 422 and path == "/v1/embeddings":
        status = 400  # as OpenAI has it
    suggestions = getattr(error, "suggestions", None)
    message = without_paths(str(error))
    param = getattr(error, "param", None)
    return answer(status, error.code, message, param, {"suggestions": list(suggestions)} if suggestions else {})


def disk_full() -> DiskFullError:
    """The error for a disk that filled up outside a collection."""
    return DiskFullError("the disk of the service is full: nothing was kept of this; free space and try again")


def add_handlers(app: FastAPI) -> None:
    """Register the handlers of all errors."""

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> Response:
        return of(error, request.url.path, request.app.state.polysema.without_paths)

    @app.exception_handler(OSError)
    async def full(request: Request, error: OSError) -> Response:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        return of(disk_full())

    @app.exception_handler(RequestValidationError)
    async def wrong(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        status = 400 if request.url.path == "/v1/embeddings" else 422
        if first["type"] == "json_invalid":
            why = str(first.get("ctx", {}).get("error", ""))[:200]
            return answer(status, "invalid", f"the body is no JSON, from character {first['loc'][-1]} on: {why}")
        where = first["loc"][0]
        errors = [one | {"loc": one["loc"][1:]} for one in error.errors() if one["loc"][0] == where]
        given: Any = error.body if where == "body" else dict(request.query_params) | request.path_params
        mistake = input_mistake(given) if where == "body" and status == 400 else None
        if mistake is None:
            mistake = mistake_of(errors, given, fields_of(request.scope, given) if where == "body" else ())
        return answer(status, "invalid", mistake.message, mistake.field)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        codes = {404: "not_found", 405: "not_allowed"}
        given = answer(error.status_code, codes.get(error.status_code, "invalid"), str(error.detail))
        for name, value in (error.headers or {}).items():
            given.headers[name] = value
        return given
