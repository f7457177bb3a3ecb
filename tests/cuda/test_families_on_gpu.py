"""The proof of every family on a GPU, in float32 and bfloat16.

Nothing of the application is imported, so that it runs on a bare machine with torch and transformers, without
installing anything:

    mkdir -p /tmp/site/polysema && ln -sfn $PWD/core /tmp/site/polysema/core
    PYTHONPATH=/tmp/site:$PWD POLYSEMA_HOME=/tmp/polysema python3 -m pytest --noconftest -m cuda tests/cuda
"""

from pathlib import Path

import pytest

from tests.families import BOTH, FAMILIES, VARIANTS, save_family

torch = pytest.importorskip("torch", reason="torch is not installed")
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here: torch.cuda.is_available() is false"),
]
ALL = FAMILIES | VARIANTS


@pytest.mark.parametrize("name", ALL)
def test_every_family_holds_its_identities_on_a_gpu(name: str, tmp_path: Path) -> None:
    from polysema.core.inside.proof import ATTENTION, LENS, PARTS, proofs_of
    from polysema.core.model.load import load_model

    transformers = pytest.importorskip("transformers")
    if not hasattr(transformers, ALL[name].model):
        pytest.skip(f"transformers {transformers.__version__} has no {ALL[name].model}")
    folder = save_family(name, tmp_path / name)
    torch.backends.cuda.matmul.allow_tf32 = False  # the tolerances are those of float32
    for dtype in ("float32", "bfloat16"):
        proofs = proofs_of(load_model(str(folder), "cuda", "torch", dtype), anew=True)
        assert len(proofs) == (2 if ALL[name].family == BOTH else 1)
        for proof in proofs:
            # weights this wide of the mark leave nothing of bfloat16's eight bits: there only attention is compared
            failed = [one for one in proof.checks if one.applies and not one.holds]
            assert not failed or dtype == "bfloat16", failed
            assert proof.check(ATTENTION).holds, proof.check(ATTENTION)
            assert proof.check(PARTS).applies
            assert proof.check(LENS).applies == (proof.stack != "encoder")
