"""The spaces of a collection: made, named and taken out."""

from polysema.core.argument_types import checked_arguments
from polysema.core.errors import NotFoundError, UserError
from polysema.core.space.metric import Metric
from polysema.core.space.space import Origin
from polysema.indexes.collection_files import CollectionFiles
from polysema.indexes.store.batch import Batch
from polysema.indexes.store.columns import joined
from polysema.indexes.store.manifest import SpaceCard
from polysema.indexes.store.transaction import Draft

DEFAULT_SPACE = "vectors"


@checked_arguments
class CollectionSpaces:
    """The spaces of a collection, each of one width, metric and origin: `collection.spaces`."""

    def __init__(self, files: CollectionFiles):
        self._files = files

    def names(self) -> list[str]:
        """Their names, in the order in which they were made."""
        return list(self._files.view().manifest.spaces)

    def create(self, name: str, dim: int, metric: "Metric | str" = Metric.COSINE, origin: Origin | None = None) -> None:
        """Make an empty space; the same once more is no change.

        Args:
            name: Letters, digits, `.`, `-` and `_`.
            dim: Width of its vectors.
            metric: `cosine`, `inner_product` or `euclidean`.
            origin: Where its vectors come from: only such ones may be added then.

        Raises:
            ConflictError: There is one of that name with another width, metric or origin.
        """
        card = SpaceCard(int(dim), Metric.parse(metric), origin)
        self._files.commit(lambda draft: draft.create_space(name, card))

    def drop(self, name: str) -> None:
        """Take a space and its rows out.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name.
        """
        self._files.commit(lambda draft: draft.drop_space(named_space(draft, name)))


def named_space(draft: Draft, space: str | None) -> str:
    """The space that is meant, among those of the version in the making."""
    if space is None and len(draft.spaces) == 1:
        return next(iter(draft.spaces))
    if space is not None and space in draft.spaces:
        return space
    there = ", ".join(draft.spaces) or "none yet"
    if space is None:
        raise UserError(f"{draft.root} has no single space: name one; it has {there}")
    raise NotFoundError(f"{draft.root} has no space {space!r:.80}; it has {there}")


def put_rows(draft: Draft, batch: Batch, space: str | None, origin: Origin | None, replaces: bool) -> int:
    """Add rows to a space, or take them in the place of those with their ids; how many were new, or replaced."""
    name = space
    if name is None:
        name = named_space(draft, None) if draft.spaces else DEFAULT_SPACE
    if name not in draft.spaces:
        if not len(batch):
            return 0
        joined(draft.columns, batch.columns)  # what is wrong with the rows is told before their space is made
        draft.create_space(name, SpaceCard(batch.vectors.shape[1], Metric.COSINE, origin))
    return draft.put(name, batch, replaces, origin)
