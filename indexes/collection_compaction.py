"""The compaction of a collection's space: one segment, with an index, while others read and write."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polysema.core.errors import ConflictError
from polysema.core.progress import Progress
from polysema.indexes.collection_files import CollectionFiles
from polysema.indexes.store import manifest as layout
from polysema.indexes.store.compaction import carried_over, compacted, planned
from polysema.indexes.store.layout import translate_os_errors
from polysema.indexes.store.new_file import locked

if TYPE_CHECKING:
    from polysema.indexes.index_spec import IndexSpec


@dataclass(frozen=True, slots=True)
class Compaction:
    """What is compacted, and which index is built: see `Collection.compact`."""

    space: str | None = None
    index: "IndexSpec | str | None" = None
    memory_bytes: int | None = None
    recall: float | None = None


def compact(files: CollectionFiles, how: Compaction, progress: Progress) -> str:
    """Write a space's rows anew as one segment with an index; why that index was taken."""
    lock = files.root / layout.COMPACTING
    with (
        translate_os_errors(files.root, "compact"),
        locked(lock, files.options.wait, "compacted"),
    ):
        view = files.view()
        name = view.name(how.space)
        recipe, reason = planned(view, name, how.index, how.memory_bytes, how.recall)
        new, sources = compacted(files.disk, files.root, view, name, recipe, progress)
        with files.writing("compact"):
            now = files.view()
            if name not in now.manifest.spaces:
                raise ConflictError(f"the space {name} was dropped while it was compacted")
            card = replace(now.manifest.spaces[name], index=recipe.to_json() if recipe else {"kind": "none"})
            segments = carried_over(files.disk, files.root, new, sources, now)
            spaces = now.manifest.spaces | {name: card}
            files.publish(replace(now.manifest.next(f"compact {name}"), spaces=spaces, segments=segments))
            files.collect(compacted=True)
    return reason
