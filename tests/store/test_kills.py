"""Processes that change a collection are killed at random points and in the middle of writes: nothing acknowledged is
lost.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.endurance import ENDURE

KILLS = 1000 if ENDURE else 30

DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
import faiss, numpy as np, pyarrow as pa
pa.set_cpu_count(1); pa.set_io_thread_count(1)
from polysema.indexes import faiss_index
from polysema.indexes.collection import Collection
from polysema.indexes.store.disk import Disk
from tests.store.scenario import NONE, OPTIONS, SMALL_DISK, SMALL_LIMITS, collection_state, rows, sound, state_of, steps

root, kills_wanted = Path(sys.argv[1]) / "c", int(sys.argv[2])


class Deadly(Disk):
    # half of the n-th write is done, or the n-th step is about to be, when the process kills itself
    left = 0

    def die(self):
        Deadly.left -= 1
        return Deadly.left == 0

    def append(self, fd, path, data):
        if self.die():
            super().append(fd, path, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        super().append(fd, path, data)


for name in ("create", "sync", "sync_folder", "link", "unlink"):
    def step(self, *args, _name=name):
        if self.die():
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(Disk, _name)(self, *args)
    setattr(Deadly, name, step)


def forked(work):
    # runs in a child of its own, so that this process stays free of threads; what it returns, or None when it was
    # killed
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 0
        try:
            work(lambda line: os.write(writing, (json.dumps(line) + "\\n").encode()))
        except BaseException as error:
            import traceback
            traceback.print_exc()
            status = 3
        os._exit(status)
    os.close(writing)
    return pid, os.fdopen(reading)


def live(seed, aimed, tell):
    rng = random.Random(seed)
    Deadly.left = rng.randrange(1, 120) if aimed else 0
    c = Collection(root, OPTIONS, Deadly(SMALL_LIMITS))
    for number, (what, change, effect) in enumerate(steps(rng, 10_000)):
        tell(["begin", what, number])
        change(c)
        tell(["ack", what, number])


def look(tell):
    before = sorted(p.name for folder in ("segments", "manifests") for p in (root / folder).iterdir())
    c = Collection(root, OPTIONS, SMALL_DISK)
    kept = [*c.history.versions(), *c.history.snapshots().values()]
    used = {f.name for m in kept for s in m.segments for f in s.files()}
    halves = [n for n in before if n not in used and not (n.endswith(".json") and n[:20].isdigit())]
    tell({"state": collection_state(c), "halves": halves})


def ask(work):
    pid, out = forked(work)
    lines = out.read().splitlines()
    assert os.waitpid(pid, 0)[1] == 0, lines
    return [json.loads(line) for line in lines]


ask(lambda tell: Collection.create(root, OPTIONS, SMALL_DISK) and None)
state, kills, acked, halves, by_step, left = {}, 0, 0, 0, {}, set()
timing = random.Random(11)
for seed in range(10 * kills_wanted):
    aimed = seed % 2 == 0
    pid, out = forked(lambda tell: live(seed, aimed, tell))
    if not aimed:
        first = out.readline()
        time.sleep(timing.uniform(0, 0.12))
        os.kill(pid, signal.SIGKILL)
        lines = [first, *out.read().splitlines()]
    else:
        lines = out.read().splitlines()
    status = os.waitpid(pid, 0)[1]
    assert status == signal.SIGKILL, (status, lines[-3:])
    kills += 1
    done = [json.loads(line) for line in lines if line.strip()]
    # the same changes, as this process knows them
    rng = random.Random(seed)
    if aimed:
        rng.randrange(1, 120)
    acks = sum(1 for kind, *_ in done if kind == "ack")
    coming = None
    for number, (what, change, effect) in enumerate(steps(rng, 10_000)):
        if number < acks:
            state = effect(state)
            acked += 1
            continue
        if number < len(done) - acks:
            coming = effect(state)
            by_step[what] = by_step.get(what, 0) + 1
        break
    (found,) = ask(look)
    halves += bool(set(found["halves"]) - left)  # files that this kill left behind, which no version refers to
    left = set(found["halves"])
    assert found["state"] in (state, coming), (seed, found["state"], state, coming)
    state = found["state"]
    if kills % 20 == 0:
        ask(lambda tell: sound(root))
    if kills >= kills_wanted:
        break
ask(lambda tell: (Collection(root, OPTIONS, SMALL_DISK).history.collect(1), sound(root)) and None)
print(json.dumps({"kills": kills, "acked": acked, "halves": halves, "steps": by_step, "rows": len(state)}))
"""


def test_many_kills(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tmp_path), str(KILLS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert run.returncode == 0, run.stderr[-3000:]
    message = json.loads(run.stdout.splitlines()[-1])
    assert message["kills"] >= KILLS
    assert message["acked"] >= KILLS
    assert message["halves"] >= KILLS // 4  # many of them in the middle of a write
    assert {"upsert", "delete", "where", "compact", "index"} <= set(message["steps"])
