"""Programs that people have speak with `/v1/embeddings` as they are, in an environment of their own: `make clients`."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from polysema.app.explorer import Explorer
from polysema.core.model.sentences import embed_sentences
from tests.service.conftest import running

PLACE = Path(os.environ.get("POLYSEMA_CLIENTS", ""))  # bin/python of a virtual environment, and node_modules
HERE = Path(__file__).parent
CLIENTS = sorted(HERE.glob("with_*"))

pytestmark = pytest.mark.skipif("POLYSEMA_CLIENTS" not in os.environ, reason="`make clients` installs and runs them")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda path: path.name)
def test_a_client_gets_the_vectors_of_its_texts(client: Path, explorer: Explorer, tmp_path: Path) -> None:
    program = "node" if client.suffix == ".mjs" else str(PLACE / "bin" / "python")
    texts = [f"{n} boats lay at the bank of the river" + ", and slept" * (n % 3) for n in range(300)]
    with running(explorer, data=str(tmp_path)) as (url, _):
        found = subprocess.run(
            [program, str(client), f"{url}/v1"],
            input=json.dumps(texts),
            capture_output=True,
            text=True,
            timeout=300,
            cwd=PLACE,
            env={**os.environ, "PYTHONPATH": "", "NO_PROXY": "127.0.0.1"},
        )
    assert found.returncode == 0, found.stderr
    expected = embed_sentences(explorer.model().model, texts[::50], (-1,), "own").vectors[0]
    given = np.array(json.loads(found.stdout), np.float32)
    assert given.shape == (300, 384)
    np.testing.assert_allclose(given[::50], expected, atol=1e-6)
