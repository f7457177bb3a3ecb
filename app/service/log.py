"""The log: a line of JSON for each event, of the service, of the server under it and of every library; never a key."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TextIO
from urllib.parse import parse_qsl, urlencode

TIME = "%Y-%m-%dT%H:%M:%S%z"
MAX_LOGGED = 2000  # characters of a path or query
HIDDEN = "***"
# what polysema's keys and those of other services look like; a query may hold one where a text is meant
_SECRET = re.compile(
    r"(?i)\bps_[\w-]{16,}|\b(?:sk|pk|hf|ghp|xox[a-z])[-_][\w-]{8,}|\bbearer\s+\S+|\beyJ[\w-]{8,}\.[\w.-]+"
)


def set_up(stream: TextIO | None = None) -> None:
    """Let every logger, and every warning, write lines of JSON to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    for name in ("polysema.service", "uvicorn", "uvicorn.error", "uvicorn.asgi"):
        one = logging.getLogger(name)
        one.handlers, one.propagate = [], True
    logging.getLogger("polysema.service").setLevel(logging.INFO)
    logging.captureWarnings(True)
    # what no line holds need not be found out for each
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def line(event: str, **more: object) -> str:
    """A line for what is written before there is a log."""
    return json.dumps({"time": time.strftime(TIME), "level": "info", "event": event, **more})


def without_keys(text: str) -> str:
    """A text in which whatever looks like a key is hidden."""
    return _SECRET.sub(HIDDEN, text)


def query_shown(query: bytes, known: Iterable[str]) -> str:
    """A query for the log: of parameters that the route doesn't know, a key among them, only that there was one."""
    names = set(known)
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace")
    shown = [(name, without_keys(value)) if name in names else (without_keys(name), HIDDEN) for name, value in pairs]
    return urlencode(shown, safe="*")[:MAX_LOGGED]


class JsonLines(logging.Formatter):
    """A line of JSON for each event: its time, its level, and what the event says."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record: ours hold JSON, those of others a message."""
        value = _value_of(record)
        written = {"time": _written_time(int(record.created)), "level": record.levelname.lower(), **value}
        if record.exc_info and record.exc_info[1] is not None:
            # where it happened, not what it said: a message may hold a text
            error, trace = record.exc_info[1], record.exc_info[2]
            places = []
            while trace is not None:
                places.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}")
                trace = trace.tb_next
            written |= {"error": type(error).__name__, "at": places[-12:]}
        return json.dumps(written)


@lru_cache(maxsize=4)
def _written_time(second: int) -> str:
    return time.strftime(TIME, time.localtime(second))


def _value_of(record: logging.LogRecord) -> dict[str, object]:
    if isinstance(record.msg, dict) and record.name == "polysema.service":
        return record.msg
    message = record.getMessage()
    if record.name == "polysema.service":
        try:
            value = json.loads(message)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
    return {"event": "message", "logger": record.name, "message": without_keys(message)}
