"""Whether the versions of a collection follow one another without a gap."""

from pathlib import Path

from polysema.core.errors import CorruptError
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.disk import REPAIR, Disk
from polysema.indexes.store.manifest import Manifest
from polysema.indexes.store.version_span import VersionSpan, read_span, unbroken

CHAIN_TRIES = 10  # listings in which another process may add and remove versions


def check_chain(disk: Disk, root: Path) -> tuple[list[Manifest], list[str]]:
    """The versions that are kept, oldest first, and what is wrong with their sequence: one is missing, or isn't the
    parent of the next."""
    problems: list[str] = []
    for _ in range(CHAIN_TRIES):
        span, problems, found = read_span(disk, root), [], {}
        for number in layout.versions(disk, root):
            try:
                found[number] = layout.read_manifest(disk, root, number)
            except FileNotFoundError:  # collected meanwhile
                continue
            except CorruptError as error:
                problems.append(str(error))
        newest = found[max(found)] if found else None
        wanted = set(range(span.oldest, span.newest + 1)) if span is not None else set()
        wanted -= set(newest.lost) if newest is not None else set()
        there = set(layout.versions(disk, root))
        problems += [f"{layout.numbered(root, number)} is missing; {REPAIR}" for number in sorted(wanted - there)]
        for number, one in found.items():
            before = found.get(number - 1)
            if before is not None and one.parent != before.sha256:
                path = layout.numbered(root, number - 1)
                problems.append(f"{path} is not the version that {number} was made of; {REPAIR}")
        if span is None and newest is not None and newest.marked:
            name = VersionSpan(unbroken(list(found), newest.version), newest.version).name
            problems.append(f"{root / name} is missing, which says which versions are kept; {REPAIR}")
        if not problems or read_span(disk, root) == span:
            break
    return [found[number] for number in sorted(found)], problems
