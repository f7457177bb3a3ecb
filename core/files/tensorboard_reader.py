"""TensorBoard's projector pair: tab-separated numbers, and the words in the file of metadata."""

from collections.abc import Iterator

from polysema.core.files.readers import BLOCK_BYTES, Block, VectorSource, check_dim, read_errors
from polysema.core.files.text_lines import Shape, fields
from polysema.core.files.text_reader import BOM, HeaderlessFile, blocks_of
from polysema.core.files.vocabulary import read_metadata


def read_tensorboard(source: VectorSource) -> Iterator[Block]:
    """TensorBoard's pair: a vector a line, and beside it a word a line, or a table with named columns."""
    metadata = read_metadata(source, count_rows(source))
    row = 0
    with read_errors(source), source.opened() as file:
        head = file.read(BLOCK_BYTES).removeprefix(BOM)
        dim = check_dim(source, len(fields(head.partition(b"\n")[0])), "line 1: ")
        for block in blocks_of(
            source, HeaderlessFile.prefix(head), HeaderlessFile(file), Shape(dim, named=False, padded=True)
        ):
            part = slice(row, row + len(block.vectors))
            row += len(block.vectors)
            if row > len(metadata.words):
                break
            columns = None if metadata.columns is None else metadata.columns[part]
            yield Block(metadata.words[part], block.vectors, block.places, columns)
    if row != len(metadata.words):
        raise source.fail(
            f"{row:,} vectors for the {len(metadata.words):,} words of {source.companion}; they must be as many"
        )


def count_rows(source: VectorSource) -> int:
    """How many lines of a file aren't blank."""
    rows, rest = 0, b""
    with read_errors(source), source.opened() as file:
        while chunk := file.read(BLOCK_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            rows += sum(1 for line in whole if line.strip())
    return rows + bool(rest.strip())
