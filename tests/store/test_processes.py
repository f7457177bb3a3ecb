"""Eight processes read while one writes: no error, and each sees whole versions.

The writer goes on until there are enough batches and every reader has seen enough, however slow the machine is.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from polysema.indexes.collection import Collection, CollectionOptions
from tests.endurance import ENDURE

BATCHES = 2000 if ENDURE else 60
READERS = 8
LIMIT = 900  # seconds for a machine that does next to nothing

READER = """
import json, sys, time
from pathlib import Path
import numpy as np
from polysema.indexes.collection import Collection
from polysema.indexes.store.matches import Search
from polysema.indexes.store.view_search import search_view

c = Collection(sys.argv[1])
done = Path(sys.argv[2])
reads, seen, last = 0, set(), 0
while not (done / "all").exists():
    view = c.view()
    version = view.manifest.version
    assert version >= last, (version, last)
    space = view.space(None)
    # a version is whole: every batch has 20 rows, all with its number, in the columns and in the vectors
    batches = space.column("batch")
    counts = {batch: batches.count(batch) for batch in set(batches)}
    assert all(count == 20 for count in counts.values()), counts
    assert np.array_equal(space.vectors[:, 0], np.array(batches, np.float32))
    best = search_view(view, space.vectors[:1], Search(3)).ids[0][0]
    found = c.search(space.vectors[-1:], 3)
    assert found.version >= version
    reads += 1
    seen.add(version)
    last = version
    if reads > 5 and len(seen) > 3:
        (done / sys.argv[3]).touch()
print(json.dumps({"reads": reads, "versions": len(seen)}))
"""

WRITER = """
import sys
from pathlib import Path
import numpy as np
from polysema.indexes.collection import Collection, CollectionOptions

c = Collection(sys.argv[1], CollectionOptions(keep=2))
done, batches, readers = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
batch = 1
while batch <= batches or len(list(done.iterdir())) < readers:
    vectors = np.random.default_rng(batch).normal(size=(20, 8)).astype(np.float32)
    vectors[:, 0] = batch
    c.upsert([f"{batch % 40}-{row}" for row in range(20)], vectors, {"batch": [batch] * 20})
    if batch % 15 == 0:
        c.delete(where=f"batch = {batch - 3}")
    if batch % 25 == 0:
        c.compact(index="hnsw" if batch % 50 == 0 else "none")
    batch += 1
(done / "all").touch()
print(batch)
"""


def test_eight_readers_and_a_writer(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c", CollectionOptions(keep=2))
    first = np.zeros((20, 8), np.float32)
    first[:, 1] = 1
    c.add([f"0-{row}" for row in range(20)], first, {"batch": [0] * 20})

    done = tmp_path / "done"
    done.mkdir()

    def start(script: str, *words: object) -> "subprocess.Popen[str]":
        given = [str(tmp_path / "c"), str(done), *map(str, words)]
        return subprocess.Popen(
            [sys.executable, "-c", script, *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    readers = [start(READER, number) for number in range(READERS)]
    writer = start(WRITER, BATCHES, READERS)
    try:
        out, errors = writer.communicate(timeout=LIMIT)
    finally:  # what a reader met is said, also where the writer waits for it in vain
        (done / "all").touch()
        writer.kill()
        ended = [reader.communicate(timeout=LIMIT) for reader in readers]
    assert writer.returncode == 0, errors[-2000:]
    assert int(out) > BATCHES
    for reader, (out, errors) in zip(readers, ended, strict=True):
        assert reader.returncode == 0, errors[-2000:]
        message = json.loads(out)
        assert message["reads"] > 5
        assert message["versions"] > 3


BOTH = """
import sys
import numpy as np
from polysema.indexes.collection import Collection

c = Collection(sys.argv[1])
for number in range(40):
    vector = np.full((1, 8), number + 1, np.float32)
    c.upsert([f"{sys.argv[2]}-{number}"], vector)
    c.upsert(["shared"], vector)
"""


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    c = Collection.create(tmp_path / "c")
    writers = [subprocess.Popen([sys.executable, "-c", BOTH, str(tmp_path / "c"), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(c.space().keys) == sorted(["shared", *(f"{name}-{n}" for name in "ab" for n in range(40))])
    assert c.get(["a-7"]).vectors[0, 0] == 8
