"""An export is killed at random points, and ends in the bytes of one that never was."""

import json
import subprocess
import sys
from pathlib import Path

from tests.endurance import ENDURE

KILLS = 50 if ENDURE else 6

DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path

import torch

torch.set_num_threads(1)  # nothing of the parent's threads may be needed in a child
from polysema.app.export import run as module
from polysema.app.export.run import export
from polysema.app.export.options import ExportInput, ExportSource
from polysema.core.model.load import load_model

folder, base, kills_wanted = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
model = load_model(folder, "cpu", "torch")
module.shard_texts = lambda n_layers, dim: 8
texts = [f"the white swan {i} in the blue water of the river bank {i * 7}" for i in range(240)]
source = ExportSource("texts", "0" * 64, len(texts))


def child(out):
    pid = os.fork()
    if pid == 0:
        try:
            export(ExportInput(texts, source), out, model, [0, 1, 2])
        except BaseException as error:
            print("child:", repr(error), file=sys.stderr)
            os._exit(3)
        os._exit(0)
    return pid


start = time.perf_counter()
assert os.waitpid(child(base / "whole"), 0)[1] == 0
took = time.perf_counter() - start
rng = random.Random(7)
kills, halves, points, round_ = 0, 0, set(), 0
while kills < kills_wanted:
    out = base / f"killed-{round_}"
    round_ += 1
    status = None
    while status != 0:  # also one that is killed while it cleans up is run again
        pid = child(out)
        wait = time.perf_counter() + rng.uniform(0, took * 0.6)
        if kills % 3:
            while time.perf_counter() < wait:
                time.sleep(0.001)
        else:  # in the middle of a write
            while time.perf_counter() < wait + took and not (out.is_dir() and list(out.glob(".*.part"))):
                pass
        if kills < kills_wanted:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        assert status in (0, signal.SIGKILL), status
        if status:
            kills += 1
            there = sorted(p.name for p in out.iterdir()) if out.is_dir() else []
            halves += any(name.endswith(".part") for name in there)
            points.add(len(there))
print(json.dumps({"kills": kills, "halves": halves, "points": len(points), "exports": round_}))
"""


def test_many_kills_and_the_same_bytes(tiny: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(tiny["bert"]), str(tmp_path), str(KILLS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    message = json.loads(run.stdout.splitlines()[-1])
    assert message["kills"] >= KILLS
    assert message["halves"] >= 1  # some of them in the middle of a write
    assert message["points"] >= (3 if ENDURE else 2)
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()}
    assert len(whole) == 32
    for number in range(message["exports"]):
        assert {p.name: p.read_bytes() for p in (tmp_path / f"killed-{number}").iterdir()} == whole
