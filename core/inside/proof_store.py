"""Where proofs are kept from one process to the next: by the content of the weights, the config and the versions."""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from polysema.core.atomic import atomic_write, prune
from polysema.core.environment import home
from polysema.core.inside.proof import IdentityCheck, Proof
from polysema.core.model.load import LanguageModel

PROOF_VERSION = 2  # of what is tested: a change makes every proof anew
MAX_PROOFS = 1000


def _path(model: LanguageModel) -> Path | None:
    """The file of a model's proof, None for one whose content has no name."""
    weights = model.weights_sha256 or (model.revision and f"{model.name} {model.revision}")
    if not weights:
        return None
    parts = [
        str(PROOF_VERSION),
        weights,
        model.whole.config.to_json_string(use_diff=False),
        model.stack,
        model.dtype,
        model.whole.device.type,
        type(model.whole).__name__,
        *(metadata.version(name) for name in ("torch", "transformers")),
    ]
    return home() / "proofs" / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.json"


def kept_proof(model: LanguageModel) -> Proof | None:
    """The proof of a model of the same content, under this model's name; None where none is kept."""
    path = _path(model)
    if path is None:
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        checks = tuple(IdentityCheck(**check) for check in fields.pop("checks"))
        return Proof(**fields | {"model": model.name, "checks": checks})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # none, or not one of ours: it is made anew


def keep_proof(model: LanguageModel, proof: Proof) -> None:
    """Keep a proof where its model's content has a name and the disk can be written."""
    path = _path(model)
    if path is None:
        return
    with suppress(OSError):  # the next process tests it again
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(asdict(proof)).encode(), durable=False)
        prune(path.parent, "*.json", max_files=MAX_PROOFS)
