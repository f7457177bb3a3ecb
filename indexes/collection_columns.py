"""The columns of a collection: `collection.columns`."""

import pyarrow as pa

from polysema.core.argument_types import checked_arguments
from polysema.indexes.collection_files import CollectionFiles
from polysema.indexes.store.column_types import parse_type, stored_type


@checked_arguments
class CollectionColumns:
    """The columns of a collection, each of one type."""

    def __init__(self, files: CollectionFiles):
        self._files = files

    def widen(self, column: str, kind: "str | pa.DataType") -> str:
        """Give a column a type that holds all of its values and more; one of texts takes any value, as its text.

        Args:
            column: Its name.
            kind: A type, such as `double` or `string`.

        Returns:
            The name of the type.

        Raises:
            IncompatibleError: A value of the column doesn't fit without loss.
            NotFoundError: There is no such column.
            PolysemaError: There is no such type.
        """
        wanted = parse_type(kind) if isinstance(kind, str) else stored_type(kind, column)
        self._files.commit(lambda draft: draft.widen(column, wanted))
        return str(wanted)
