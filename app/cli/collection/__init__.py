"""`polysema collection …`: collections of vectors on disk."""

from __future__ import annotations

import click

from polysema.app.cli.collection import content, maintenance
from polysema.app.cli.collection.search import search


@click.group(name="collection", short_help="Store, search and version vectors on disk.")
def collection_group() -> None:
    """Store vectors in a collection: a folder that can grow, be searched, and survive a crash at any moment.

    A collection has rows (an id, a vector, columns) in one or more spaces, each with its own dimension, metric and
    origin. Any number of programs can read it while one writes; every change is a version that can be restored. In the
    place of a folder each command takes the name of a collection of the data folder, or an address of Milvus,
    milvus://host:19530/name or milvus-lite:///path/of/file.db/name, but for what Milvus hasn't: versions.
    """


for command in (search, *content.COMMANDS, *maintenance.COMMANDS):
    collection_group.add_command(command)
