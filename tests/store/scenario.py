"""A small life of a collection, and what must be true of it at any moment."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import NotFoundError
from polysema.indexes.collection import Collection, CollectionOptions
from polysema.indexes.store.disk import Disk, StoreLimits
from polysema.indexes.store.matches import Search
from polysema.indexes.store.verify import verify
from polysema.indexes.store.view_search import search_view

DIM = 8
INDEX = "hnsw:M=8,ef_search=200"
INDEX_ENDING = "faiss"
OPTIONS = CollectionOptions(wait=5, keep=2)
# every kind of file and of search from a few rows on
SMALL_LIMITS = StoreLimits(mapped_bytes=8 * 4 * 8, group_rows=16, small_segment_rows=4, collect_every=3)
SMALL_DISK = Disk(SMALL_LIMITS)

State = dict[str, int]  # what a collection should hold: the value of each id
NONE: State = {"no collection": 0}


def vector(name: str, value: int) -> Any:
    """The vector that goes with an id and its value: (DIM,)."""
    return np.random.default_rng([*name.encode(), value]).normal(size=DIM).astype(np.float32)


def rows(names: list[str], value: int) -> tuple[list[str], Any, dict[str, list[int]]]:
    """Ids, vectors and columns of a batch."""
    return names, np.stack([vector(name, value) for name in names]), {"value": [value] * len(names)}


def steps(
    rng: random.Random, count: int
) -> Iterator[tuple[str, Callable[[Collection], object], Callable[[State], State]]]:
    """Changes to a collection, each with its name and what it does to the state."""
    for value in range(count):
        names = sorted({f"w{rng.randrange(30)}" for _ in range(rng.randrange(1, 12))})
        what = ["upsert", "upsert", "delete", "upsert", "where", "compact", "upsert", "index"][value % 8]
        if what == "upsert":

            def put(c: Collection, names: list[str] = names, value: int = value) -> object:
                return c.upsert(*rows(names, value))

            yield what, put, lambda s, names=names, value=value: s | dict.fromkeys(names, value)  # type: ignore[misc]
        elif what == "delete":
            gone = names[:3]
            yield (
                what,
                lambda c, gone=gone: c.delete(gone),  # type: ignore[misc]
                lambda s, gone=gone: {k: v for k, v in s.items() if k not in gone},  # type: ignore[misc]
            )
        elif what == "where":
            yield (
                what,
                lambda c, value=value: c.delete(where=f"value = {value - 1}"),  # type: ignore[misc]
                lambda s, value=value: {k: v for k, v in s.items() if v != value - 1},  # type: ignore[misc]
            )
        elif what == "compact":
            yield what, lambda c: c.compact(index="none"), dict
        else:
            yield what, lambda c: c.compact(index=INDEX), dict


def state_of(root: Path, disk: Disk | None = None) -> State:
    """What the collection on the disk holds; each row's vector and the search's answers are checked."""
    try:
        c = Collection(root, OPTIONS, disk or SMALL_DISK)
    except NotFoundError:
        return NONE
    return collection_state(c)


def collection_state(c: Collection) -> State:
    """As `state_of`, of an open collection: all of it in one version, whatever is written meanwhile."""
    view = c.view()
    if not view.manifest.n_rows:
        return {}
    space = view.space(None)
    values = dict(zip(space.keys, space.column("value"), strict=True))
    assert len(values) == len(space)
    expected = np.stack([vector(name, value) for name, value in values.items()])
    assert np.array_equal(space.vectors, expected)
    k = min(5, len(space))
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    names = list(values)
    for query in (0, len(names) // 2):
        exact = unit @ unit[query]
        best = sorted(range(len(names)), key=lambda row: -exact[row])[:k]
        for how in (Search(k), Search(k, exact=True)):
            found = search_view(view, expected[query : query + 1], how)
            assert np.allclose(found.scores[0], exact[best], atol=1e-5), (found.ids, [names[row] for row in best])
            assert found.ids[0][0] == names[query]
    return values


def sound(root: Path) -> None:
    """Every version that is listed is whole."""
    try:
        report = verify(root)
    except NotFoundError:
        return
    assert not report.problems, report.problems
