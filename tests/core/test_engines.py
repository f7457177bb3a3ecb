"""ONNX Runtime against torch, and what is chosen when."""

import sys
from pathlib import Path

import numpy as np
import pytest

from polysema.core.errors import UnavailableError, UserError
from polysema.core.model import onnx_engine
from polysema.core.model.contextual import embed
from polysema.core.model.load import LanguageModel, load_model
from polysema.core.model.onnx_engine import OnnxEngine

TEXTS = ["the white swan in the blue water", "money", "", "The king and the queen sat on the river bank. " * 70]


@pytest.fixture(scope="module")
def fast() -> LanguageModel:
    return load_model("minilm-l6", "cpu", "onnx")


def test_onnx_equals_torch_at_every_layer(fast: LanguageModel) -> None:
    plain = load_model("minilm-l6", "cpu", "torch")
    assert (fast.engine.name, plain.engine.name) == ("onnx", "torch")
    ours, theirs = embed(fast, TEXTS), embed(plain, TEXTS)
    assert ours.occurrences == theirs.occurrences
    assert ours.split == theirs.split == (3,)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-5)
    assert (ours.origin.engine, theirs.origin.engine) == ("onnx", "torch")
    np.testing.assert_array_equal(ours.vectors, embed(fast, TEXTS).vectors)  # the same bytes each time


def test_int8_is_close_and_says_that_it_is_not_exact(fast: LanguageModel) -> None:
    quantized = load_model("minilm-l6", "cpu", "onnx-int8")
    ours, exact = embed(quantized, TEXTS, [6]), embed(fast, TEXTS, [6])
    a, b = ours.vectors[0], exact.vectors[0]
    cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosines.mean() > 0.985
    assert np.abs(a - b).max() > 1e-3
    assert "engine onnx-int8: not exact" in ours.origin.card()


@pytest.mark.parametrize("kind", ["modernbert", "gpt2", "t5"])
def test_other_families_run_on_it_too(kind: str, tiny: dict[str, Path]) -> None:
    texts = ["the river bank", "swan", "the white swan in the blue water of the river"]
    ours, plain = (embed(load_model(str(tiny[kind]), "cpu", engine), texts) for engine in ("onnx", "torch"))
    scale = np.abs(plain.vectors).max(axis=(1, 2), keepdims=True).clip(1)
    np.testing.assert_allclose(ours.vectors / scale, plain.vectors / scale, atol=1e-5)


def test_auto_takes_the_exact_engine_that_was_faster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: dict[str, Path]
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path))
    where = str(tiny["bert"])
    assert load_model(where, "cpu", patient=False).engine.name == "torch"  # nothing exported yet
    assert list(tmp_path.iterdir()) == []
    for faster, chosen in ((3.0, "onnx"), (0.5, "torch")):
        record = {"exact": True, "faster": faster, "why": ""}
        with monkeypatch.context() as patch:
            patch.setattr(onnx_engine, "_record", lambda folder, r=record: r)
            patch.setattr(onnx_engine, "_session", lambda path: None)
            assert load_model(where, "cpu").engine.name == chosen
    # one that can't be exported stays on torch, for good, and says why when it is requested
    monkeypatch.setattr(onnx_engine, "export_graph", lambda model, path: (_ for _ in ()).throw(TypeError("an odd op")))
    assert load_model(where, "cpu").engine.name == "torch"
    with pytest.raises(UnavailableError, match=r"can't be exported \(TypeError: an odd op\); use torch"):
        load_model(where, "cpu", "onnx")


def test_an_export_that_differs_is_not_used(tiny: dict[str, Path]) -> None:
    model = load_model(str(tiny["bert"]), "cpu", "torch")

    class Wrong(OnnxEngine):
        def run(self, windows, layers, take, sources=None):  # type: ignore[no-untyped-def]
            model.engine.run(windows, layers, lambda item, states: take(item, [state + 1e-3 for state in states]))

    record = onnx_engine._compare(model, Wrong(None, 0))
    assert record["exact"] is False
    assert record["why"].startswith("its states differ from torch's by ")
    with pytest.raises(UnavailableError, match="its graph has the last layer after the final norm; use torch"):
        load_model(str(tiny["gpt2"]), "cpu", "onnx", final_norm="before")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tpu"}, "engine 'tpu' does not exist; choose one of auto, torch, onnx, onnx-int8"),
        ({"dtype": "int4"}, "dtype 'int4' does not exist; choose one of float32, float16, bfloat16"),
        ({"stack": "both"}, "stack 'both' does not exist"),
        ({"final_norm": "no"}, "final norm 'no' does not exist"),
        (
            {"engine": "onnx", "dtype": "bfloat16"},
            "can't run minilm-l6: it computes in float32, not bfloat16; use torch",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        load_model("minilm-l6", "cpu", **options)  # type: ignore[arg-type]


def test_a_narrower_type_is_in_the_card(tiny: dict[str, Path]) -> None:
    model = load_model(str(tiny["bert"]), "cpu", dtype="bfloat16")
    hidden = embed(model, ["the river bank"])
    exact = embed(load_model(str(tiny["bert"]), "cpu", "torch"), ["the river bank"])
    assert (hidden.origin.dtype, hidden.vectors.dtype) == ("bfloat16", np.float32)
    assert 1e-4 < np.abs(hidden.vectors - exact.vectors).max() < 0.2


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # as if it were not installed
    with pytest.raises(UnavailableError, match=r"it needs onnxscript: pip install 'polysema\[onnx\]'; use torch"):
        load_model("minilm-l6", "cpu", "onnx")
    assert load_model("minilm-l6", "cpu").engine.name == "torch"
