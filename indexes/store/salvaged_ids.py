"""The ids of a Parquet file whose layout itself may be damaged, read by another process within limits."""

import json
import subprocess
import sys
from pathlib import Path

IDS_SECONDS = 60
IDS_BYTES = 4 << 30
READ_IDS = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
import pyarrow.parquet as pq
file = pq.ParquetFile(sys.argv[1], page_checksum_verification=True)
for group in range(file.num_row_groups):
    try:
        ids = file.read_row_group(group, columns=["id"], use_threads=False).column("id").to_pylist()
    except Exception:
        ids = [None] * file.metadata.row_group(group).num_rows
    print(json.dumps(ids), flush=True)
"""


def read_ids(path: Path, rows: int) -> list[str | None]:
    """The ids in a file of so many rows, None for one that can't be read; none at all where they are not as many.

    They are checked against the checksums that Parquet has of its own for each page.
    """
    try:
        run = subprocess.run(  # noqa: S603  (our own script, and a path as an argument)
            [sys.executable, "-c", READ_IDS, str(path), str(IDS_BYTES)],
            capture_output=True,
            timeout=IDS_SECONDS,
            check=False,
            text=True,
            errors="replace",
        )
        found = [json.loads(line) for line in run.stdout.splitlines()]
    except (subprocess.TimeoutExpired, ValueError):
        return []
    ids = [one for group in found for one in group]
    return ids if len(ids) == rows else []
