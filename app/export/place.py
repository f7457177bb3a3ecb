"""Where an export is computed: `local:4` processes of this machine, or the nodes of a Ray cluster."""

import re
from dataclasses import dataclass

from polysema.core.environment import cores
from polysema.core.errors import UserError

MAX_WORKERS = 256
FORMS = "local:4 (processes of this machine), ray://HOST:PORT, ray:HOST:PORT or ray (a cluster that runs here)"
_ADDRESS = re.compile(
    r"(?P<kind>local|ray)(?:(?P<client>://)|:)?(?P<rest>[^?]*)(?:\?(?P<options>[a-z]+=[\d.]+(?:&[a-z]+=[\d.]+)*))?"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where work is done: `address` is a Ray cluster's, empty on this machine, where `workers` processes do it.

    `cpus` and `gpus` are what a piece of work needs on a cluster; `gpus` of None: one where the cluster has any.
    """

    address: str
    workers: int
    cpus: float = 1.0
    gpus: float | None = None


def parse_place(text: str) -> Place:
    """The place that an address names.

    Args:
        text: `local:4`, `ray://host:10001`, `ray:host:6379` or `ray`, the last three also with what a piece of work
            needs, such as `?cpus=2&gpus=0.5`.

    Returns:
        The place.

    Raises:
        UserError: It is no such address.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise _wrong(text)
    options = dict(pair.split("=") for pair in (found["options"] or "").split("&") if pair)
    if unknown := [name for name in options if name not in ("cpus", "gpus") or found["kind"] == "local"]:
        takes = "a Ray address takes cpus and gpus, such as ray?cpus=2&gpus=0.5"
        raise UserError(f"{text!r} has the option {unknown[0]!r}; {takes}")
    if found["kind"] == "local":
        if found["client"] or not (found["rest"].isdecimal() or text == "local"):
            raise _wrong(text)
        count = int(found["rest"]) if found["rest"] else cores()
        if not 1 <= count <= MAX_WORKERS:
            raise UserError(f"local:N takes 1 to {MAX_WORKERS} processes; got {count}")
        return Place("", count)
    address = f"{'ray://' if found['client'] else ''}{found['rest']}" if found["rest"] else "auto"
    if (found["client"] and not found["rest"]) or (found["rest"] and not _HOST.fullmatch(found["rest"])):
        raise _wrong(text)
    cpus, gpus = (_number(text, options[name]) if name in options else None for name in ("cpus", "gpus"))
    if cpus == 0:
        raise UserError(f"a piece of work needs some of a CPU; got cpus=0 in {text!r}")
    return Place(address, 0, 1.0 if cpus is None else cpus, gpus)


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _wrong(text) from None


def _wrong(text: str) -> UserError:
    return UserError(f"{text!r} is no place to compute on; give {FORMS}")
