"""An upload: its files in a folder of their own, and checks of what is in them."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from polysema.core.corpus import CorpusLimits
from polysema.core.corpus.packed import FAULTS, STREAMS, open_bytes
from polysema.core.errors import UnreadableError, UserError
from polysema.core.files.array_readers import NPZ_FAULTS

TEXT_LIMITS = CorpusLimits(rows=1_000_000, characters=200_000_000)
MAX_UNPACKED_RATIO = 10  # times its own size and the limit, as which a packed file may unfold at most


@dataclass(frozen=True, slots=True)
class Upload:
    """Files in a folder of their own: `name` for people, `key` by content and names, `sha256` by content alone.

    Those of a path lie where they are (`by_path`), and the folder holds only what is begun with them.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    key: str
    sha256: str
    bytes: int
    by_path: bool = False

    @property
    def limits(self) -> CorpusLimits | None:
        """The most texts that are read: of a file on this machine all."""
        return None if self.by_path else TEXT_LIMITS

    @property
    def stem(self) -> str:
        """The name's beginning with letters, digits, _ and - only: 1 to 24 of them."""
        first = self.files[0].name.partition(".")[0]
        return re.sub(r"[^A-Za-z0-9]+", "-", first).strip("-")[:24].rstrip("-") or "upload"


def check_row_count(path: Path, rows: int) -> None:
    """Raises `UserError` for more rows than are taken here."""
    if rows > TEXT_LIMITS.rows:
        raise UserError(
            f"{path} holds {rows:,} rows; up to {TEXT_LIMITS.rows:,} are taken here: use `polysema collection "
            "import`, which has no limit"
        )


def check_unpacked_size(path: Path, most_bytes: int) -> None:
    """A small file may unfold into one that fills the memory or the disk: that is told before anything reads it."""
    most = MAX_UNPACKED_RATIO * most_bytes
    with path.open("rb") as file:
        head = file.read(4)
    try:
        if head.startswith(STREAMS):
            size = 0
            with open_bytes(path) as unfolded:
                while chunk := unfolded.read(1 << 20):
                    size += len(chunk)
                    if size > most:
                        break
        elif head[:2] == b"PK":
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
        elif head == b"PAR1":
            with pq.ParquetFile(path) as table:
                check_row_count(path, table.metadata.num_rows)
                groups = [table.metadata.row_group(place) for place in range(table.metadata.num_row_groups)]
                chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
                size = sum(max(chunk.total_uncompressed_size, 4 * chunk.num_values) for chunk in chunks)
        else:
            return
    except (*FAULTS, *NPZ_FAULTS, pa.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        raise UnreadableError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from None
    if size > most:
        raise UserError(
            f"{path} unfolds to more than {most:,} bytes, {MAX_UNPACKED_RATIO} times what is taken here; split it"
        )


@contextmanager
def messages_name_files(folder: Path) -> Iterator[None]:
    """Messages name the file, not the folder that the user has never seen."""
    try:
        yield
    except UserError as error:
        message = str(error).replace(f"{folder}/", "").replace(f"{folder}", "the upload")
        if message == str(error):
            raise
        raise type(error)(message) from None
