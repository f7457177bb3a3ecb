"""The actions of the table of cases that are about collections and indexes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from polysema.core.errors import PolysemaError
from tests.cases import FILES


def add_a_column(given: list[str], folder: Path) -> str:
    """The values of a column `x` after each batch, a Python expression, was added; `widen:TYPE` widens it between."""
    from polysema.indexes.collection import Collection

    collection = Collection.create(folder / "c")
    said = []
    for number, expression in enumerate(given):
        try:
            if expression.startswith("widen:"):
                collection.widen("x", expression.removeprefix("widen:"))
            else:
                values = _python(expression)
                ids = [f"{number}-{row}" for row in range(len(values))]
                collection.add(ids, [[1, 2]] * len(ids), {"x": values})
        except PolysemaError as error:
            said.append(f"refused: {error.code} {error}")
    if not len(collection):
        return "\n".join(said)
    space = collection.space()
    there = space.columns is not None
    kind = space.columns.schema.field("x").type if space.columns is not None else "nothing"
    return "\n".join([f"ok {kind} {space.column('x') if there else []!r}", *said])


def import_file(given: list[str], folder: Path) -> str:
    """The rows of a file, FILE [ID COLUMN [VECTOR COLUMN]], in a collection."""
    from polysema.indexes.collection import Collection
    from polysema.indexes.import_export import ImportOptions, import_into

    collection = Collection.create(folder / "c")
    try:
        name, id_column, vector_column = [*given, "", ""][:3]
        how = ImportOptions("s", None, id_column or None, vector_column=vector_column or None)
        counts = import_into(collection, FILES / name, how)
    except PolysemaError as error:
        spaces = list(collection.view().manifest.spaces)
        return f"refused: {error.code} {error}; spaces {spaces}"
    space = collection.space()
    columns = space.columns
    shown = (
        []
        if columns is None
        else [f"{one.name} {one.type} {columns.column(one.name).to_pylist()!r}" for one in columns.schema]
    )
    return (
        f"ids {list(space.keys)!r} vectors {space.vectors.tolist()} columns {'; '.join(shown) or 'none'}; notes: "
        f"{'; '.join(counts.notes)}"
    )


def filter_rows(given: list[str], folder: Path) -> str:
    """The ids of the rows that pass a condition, of four about a river, a bank and a swan."""
    from polysema.indexes.collection import Collection

    collection = Collection.create(folder / "c")
    texts = ["the river bank", "a bank of money", None, "two swans"]
    columns = {"text": texts, "tags": [["water", "bank"], ["money"], [], None], "year": [2001, None, 2003, 2004]}
    collection.add(["a", "b", "c", "d"], [[1, 0], [1, 1], [0, 1], [1, 2]], columns)
    return repr(sorted(collection.search([[1, 0]], 10, given[0]).ids[0]))


def search_for_more(given: list[str], folder: Path) -> str:
    """What is found by `KIND ROWS K [CONDITION]`: `collection`, `exact` or a kind of FAISS; ids, or rows."""
    import numpy as np

    from polysema.indexes import ExactIndex, FaissIndex, IndexSpec
    from polysema.indexes.collection import Collection

    kind, n, k = given[0], int(given[1]), int(given[2])
    vectors = np.eye(max(n, 2), dtype=np.float32)[:n]
    query = np.ones((1, max(n, 2)), np.float32)
    if kind == "collection":
        collection = Collection.create(folder / "c")
        names = [chr(ord("a") + row) for row in range(n)]
        collection.add(names, vectors, {"x": list(range(n))})
        return repr(collection.search(query, k, *given[3:]).ids)
    index = ExactIndex(vectors) if kind == "exact" else FaissIndex(vectors, recipe=IndexSpec.parse(kind))
    return repr(index.search(query, k).rows.tolist())


def _python(expression: str) -> Any:
    import datetime
    from decimal import Decimal

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    names = {"np": np, "pd": pd, "pa": pa, "D": Decimal, "dt": datetime, "nan": float("nan")}
    return eval(expression, names)


COLLECTION_ACTIONS: dict[str, Callable[[list[str], Path], str]] = {
    "add_column": add_a_column,
    "import": import_file,
    "filter": filter_rows,
    "search_rows": search_for_more,
}
