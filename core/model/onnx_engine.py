"""ONNX Runtime as an engine: a model is exported once, with all its hidden states, checked against torch and kept.

One session serves a thread a core, each running a batch of its own on one core: small products gain nothing from two.
"""

import contextlib
import hashlib
import importlib.util
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.atomic import atomic_folder
from polysema.core.environment import cores, home
from polysema.core.errors import UnavailableError
from polysema.core.model.engine import Engine, Take, hidden_states, padded, plan_batches
from polysema.core.model.onnx_export import export_graph, quantize_graph
from polysema.core.progress import current_check, ended_by

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from polysema.core.model.language_model import LanguageModel

LAYOUT = 1  # counts up when what is exported, or how it is quantized, changes
BATCH_TOKENS = 512  # a batch on one core
EXACT_TOLERANCE = 1e-5  # of the largest number of a layer
THREADS = _threads = cores()
# its fused form of a sum and a norm is several times as slow as the two one after the other (on a CPU with AVX2)
DISABLED_OPTIMIZERS = ["SkipLayerNormFusion"]
NEEDED_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
SAMPLE_TEXTS = (
    "The bank of the river, where the white swans in the blue water are seen, is not a bank that keeps money."
)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxEngine:
    """Runs the exported graph of one stack on the CPU, a few texts shared between `n_cores` of it; see `Engine`."""

    session: Any
    pad_id: int
    name: str = "onnx"
    n_cores: int = THREADS

    def run(
        self,
        windows: Sequence[Sequence[int]],
        layers: Sequence[int],
        take: Take,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> None:
        """See `Engine`. `sources` are not for it."""
        if sources is not None:
            raise ValueError("a decoder with cross-attention runs on torch")
        names = [f"layer_{layer}" for layer in layers]
        lengths = [len(window) for window in windows]
        # a few short texts are shared between the cores too
        budget = max(64, min(BATCH_TOKENS, -(-sum(lengths) // self.n_cores)))

        check = current_check()

        def run(batch: list[int]) -> None:
            if check is not None:
                check()
            ids, mask = padded([windows[item] for item in batch], self.pad_id)
            states = self.session.run(names, {"input_ids": ids, "attention_mask": mask})
            for row, item in enumerate(batch):
                take(item, [state[row, : lengths[item]] for state in states])

        batches = plan_batches(lengths, budget)[::-1]  # the longest first: the last ones even the cores out
        if len(batches) == 1:
            run(batches[0])
        else:
            for done in _pool().map(run, batches):
                del done


def limit_threads(count: int) -> None:
    """How many threads run batches in this process, one of several that share the cores; before the first of them."""
    global _threads
    _threads = count


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_threads, thread_name_prefix="onnx")


def why_not(model: "LanguageModel") -> str | None:
    """Why this engine can't run a model as it is loaded; None when it can."""
    missing = [name for name in NEEDED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return f"it needs {', '.join(missing)}: pip install 'polysema[onnx]'"
    if model.reads_two:
        return "a decoder with cross-attention reads two texts"
    if model.final_norm == "before":
        return "its graph has the last layer after the final norm"
    if model.dtype != "float32":
        return f"it computes in float32, not {model.dtype}"
    if getattr(model.engine, "device", "cpu") != "cpu":
        return "it runs on the CPU"
    if not model.weights_sha256:
        return "what it exports is kept by the hash of the weights, which a hub model has none of; give its folder"
    return None


def exact_engine(model: "LanguageModel", patient: bool, required: bool = False) -> OnnxEngine | None:
    """The engine in float32; None where it is not exact, not faster than torch, or not there and `patient` is false.

    With `required` only what is not exact is refused, with `UnavailableError`.
    """
    folder = _folder(model)
    record = _record(folder)
    if record is None:
        if not patient:
            return None
        record = _make(model, folder)
    if required and not record["exact"]:
        raise UnavailableError(f"the engine onnx can't run {model.name}: {record['why']}; use torch")
    if not record["exact"] or not (required or record["faster"] >= 1):
        return None
    return OnnxEngine(_session(folder / "model.onnx"), _pad(model))


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What was found when a model was exported: whether its states are torch's, by how much they differ, how many times
    as fast they come on this machine, and else why it stays on torch.
    """

    exact: bool
    difference: float
    faster: float
    why: str


def engine_report(model: "LanguageModel") -> EngineReport | None:
    """What is kept of the export of a model, None before there is one."""
    record = _record(_folder(model))
    if record is None:
        return None
    return EngineReport(record["exact"], record.get("difference", 0.0), record["faster"], record["why"])


def int8_engine(model: "LanguageModel") -> OnnxEngine:
    """The engine with weights in 8 bits and activations quantized as they come: faster, and not exact."""
    exact_engine(model, True, required=True)
    folder = _folder(model)
    path = folder / "int8.onnx"
    if not path.is_file():
        quantize_graph(folder / "model.onnx", path)
    return OnnxEngine(_session(path), _pad(model), "onnx-int8")


def int8_folder(model: "LanguageModel") -> Path:
    """Where what belongs to a model's quantized form is kept."""
    return _folder(model)


def _pad(model: "LanguageModel") -> int:
    pad = model.tokenizer.pad_token_id
    return int(pad) if pad is not None else 0


def _folder(model: "LanguageModel") -> Path:
    config = json.dumps(model.whole.config.to_dict(), sort_keys=True, default=str)
    versions = [metadata.version(name) for name in ("torch", "transformers", "onnxruntime")]
    key = hashlib.sha256(repr((LAYOUT, model.weights_sha256, model.stack, config, versions)).encode()).hexdigest()
    return home() / "engines" / key[:40]


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.keys() >= {"exact", "faster", "why"} else None


def _make(model: "LanguageModel", folder: Path) -> dict[str, Any]:
    """Export, compare and time; then the folder is there whole."""
    with (
        ended_by(None),  # what it comes to is kept for everybody
        contextlib.suppress(FileExistsError),  # another process was sooner
        atomic_folder(folder, durable=False, replace=lambda: _record(folder) is None) as part,
    ):
        try:
            export_graph(model, part / "model.onnx")
            record = _compare(model, OnnxEngine(_session(part / "model.onnx"), _pad(model)))
        except Exception as error:
            # an exporter meets models it was not made for, and raises whatever it met: torch stays
            first = next(iter(str(error).splitlines()), "")
            record = {
                "exact": False,
                "faster": 0.0,
                "why": f"it can't be exported ({type(error).__name__}: {first[:160]})",
            }
        (part / "record.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
    return _record(folder) or record


def _compare(model: "LanguageModel", engine: OnnxEngine) -> dict[str, object]:
    """Whether the states equal torch's, alone and in a padded batch, and how many times as fast they come."""
    long = model.encode([SAMPLE_TEXTS])[0].windows[0]
    layers = range(model.n_layers + 1)
    worst = 0.0
    for windows in ([long], [long[: max(3, len(long) // 3)], long, long[: max(3, len(long) // 2)]]):
        for ours, plain in zip(
            hidden_states(engine, windows, layers), hidden_states(model.engine, windows, layers), strict=True
        ):
            size = np.abs(plain).max(axis=(1, 2)).clip(1)
            worst = max(worst, float((np.abs(ours - plain).max(axis=(1, 2)) / size).max()))
    exact = bool(worst <= EXACT_TOLERANCE)
    many = [long[: 8 + place % max(1, len(long) - 8)] for place in range(48)]

    def timed(run: Engine) -> float:
        start = time.perf_counter()
        hidden_states(run, many, [model.n_layers])
        return time.perf_counter() - start

    # in turn, and the shortest of each: what else the machine does makes a round longer, never shorter
    rounds = [(timed(model.engine), timed(engine)) for _ in range(4)] if exact else [(0.0, 1.0)]
    plain_seconds, seconds = np.min(rounds, axis=0)
    faster = float(plain_seconds / seconds)
    why = "" if exact else f"its states differ from torch's by {worst:.1e} of the largest number"
    return {"exact": exact, "faster": round(faster, 2), "why": why, "difference": worst}


def _session(path: Path) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=DISABLED_OPTIMIZERS
        )
    except Exception as error:  # its errors have no common base
        first = str(error).splitlines()[0][:200]
        raise UnavailableError(f"{path} can't be run: {first}; remove {path.parent}") from None
