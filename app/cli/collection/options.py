"""The options that the commands of `polysema collection` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polysema.core.errors import UserError

if TYPE_CHECKING:
    from polysema.app.collection.registry import CollectionRegistry
    from polysema.indexes.engines.protocol import VectorCollection


folder_argument = click.argument("folder", type=click.Path())

space_option = click.option("--space", "-s", help="Which space of the collection.  [default: the only one]")

where_option = click.option(
    "--where", help="Only rows that pass, such as: layer >= 4 and word in ('bank', 'shore') and text starts with 'The'"
)

index_option = click.option(
    "--index",
    help="auto, none (the exact search), flat, hnsw, ivf, ivf-sq8, ivf-pq, pq-fastscan, also with parameters, such as"
    " hnsw:M=32,ef_search=64.  [default: as before, auto the first time]",
)


def open_collection(folder: str) -> VectorCollection:
    """The collection in a folder, at an address or of a name; raises `UserError` where there is none."""
    return collections().open(folder)


def collections() -> CollectionRegistry:
    """The collections of an explorer, which opens the data folder."""
    from polysema.app.explorer import Explorer

    return Explorer().collections


def check_folder(folder: str, verb: str) -> str:
    """The folder back; raises `UserError` for an address, whose engine keeps its files itself."""
    from polysema.indexes.engines.address import is_address

    if is_address(folder):
        raise UserError(
            f"{folder}: {verb} is for collections in folders; the engine looks after its own files. A copy with "
            f"`polysema collection copy {folder} FOLDER` can be checked"
        )
    return folder
