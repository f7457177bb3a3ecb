"""LoRA adapters, GGUF files, and what a model costs before it is loaded."""

import json
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polysema.app.explorer import Explorer
from polysema.core.errors import BeyondMemoryError, NotFoundError, UnavailableError, UnreadableError
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.description import describe_model
from polysema.core.model.gguf import parsing_once
from polysema.core.model.load import load_model
from polysema.core.model.loading_cost import count_parameters

TEXT = ["the river bank"]


@pytest.fixture(scope="module")
def adapter(tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("lora")
    base = LlamaForCausalLM.from_pretrained(tiny["llama"])
    changed = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in changed.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.4)
    changed.save_pretrained(folder)
    return folder


def test_a_lora_adapter_is_merged_as_peft_runs_it(tiny: dict[str, Path], adapter: Path) -> None:
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    model = load_model(str(adapter), "cpu", "torch")
    base = load_model(str(tiny["llama"]), "cpu", "torch")
    assert model.origin(0, "mean").notes == (f"the LoRA adapter {adapter} is merged into {tiny['llama']}",)
    assert model.name == str(adapter)
    assert model.weights_sha256 != base.weights_sha256
    theirs = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(tiny["llama"]), adapter).eval()
    ids = torch.tensor([model.encode(TEXT)[0].windows[0]])
    with torch.inference_mode():
        states = theirs(ids, output_hidden_states=True).hidden_states
    own = embed(model, TEXT, options=EmbeddingOptions(unit="tokens")).vectors
    np.testing.assert_allclose(own, torch.stack(states)[:, 0].numpy(), atol=1e-5)
    assert np.abs(own - embed(base, TEXT, options=EmbeddingOptions(unit="tokens")).vectors).max() > 0.01


def test_the_table_of_an_adapter_is_that_of_its_base(tiny: dict[str, Path], adapter: Path) -> None:
    explorer = Explorer()
    space, base = explorer.space(str(adapter)).space, explorer.space(str(tiny["llama"])).space
    assert list(space.keys) == list(base.keys)
    np.testing.assert_array_equal(space.vectors, base.vectors)
    assert (space.origin.source, space.origin.notes) == (str(adapter), (f"the table of {tiny['llama']}",))


def test_what_is_wrong_with_an_adapter_is_told(
    adapter: Path, tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(adapter, tmp_path / "other"))
    config = json.loads((folder / "adapter_config.json").read_text())

    def write(**changes: object) -> None:
        (folder / "adapter_config.json").write_text(json.dumps(config | changes))

    write(peft_type="IA3")
    with pytest.raises(UnreadableError, match="an adapter of the kind 'IA3'; LORA is read"):
        load_model(str(folder), "cpu", "torch")
    write(base_model_name_or_path="")
    with pytest.raises(UnreadableError, match="names no base model"):
        load_model(str(folder), "cpu", "torch")
    write(base_model_name_or_path=str(adapter))
    with pytest.raises(UnreadableError, match=f"is an adapter of {adapter}, which is an adapter itself: merge that"):
        load_model(str(folder), "cpu", "torch")
    write(base_model_name_or_path="some/base")
    with pytest.raises(NotFoundError, match=r"^some/base can't be loaded from the hub or its cache"):
        load_model(str(folder), "cpu", "torch")
    write(base_model_name_or_path=str(tiny["gpt2"]))
    with pytest.raises(UnreadableError, match=f"doesn't fit {tiny['gpt2']}"):
        load_model(str(folder), "cpu", "torch")
    write(r=2, target_modules=["q_proj"])
    with pytest.raises(UnreadableError, match="has no counterpart"):
        load_model(str(folder), "cpu", "torch")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UnavailableError, match=r"is a LoRA adapter of .*pip install 'polysema\[lora\]'"):
        load_model(str(adapter), "cpu", "torch")


def write_gguf(path: Path) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """A Llama of two layers whose tokens are single letters and some words; returns its table."""
    from gguf import GGUFWriter

    dim, hidden = 16, 32
    merges = ["Ġ t", "h e", "Ġt he", "Ġ r", "i v", "e r", "Ġr iv", "Ġriv er"]
    tokens = ["<|endoftext|>", *map(chr, range(33, 127)), "Ġ", *(merge.replace(" ", "") for merge in merges)]
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(dim)
    writer.add_block_count(2)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(4)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(merges)
    writer.add_token_types([3] + [1] * (len(tokens) - 1))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    shapes = {"token_embd": (len(tokens), dim), "output_norm": (dim,), "output": (len(tokens), dim)}
    for layer in range(2):
        sizes = {"attn_norm": (dim,), "ffn_norm": (dim,), "attn_q": (dim, dim), "attn_output": (dim, dim)}
        sizes |= {"attn_k": (8, dim), "attn_v": (8, dim), "ffn_gate": (hidden, dim), "ffn_up": (hidden, dim)}
        shapes |= {f"blk.{layer}.{name}": size for name, size in (sizes | {"ffn_down": (dim, hidden)}).items()}
    random = np.random.default_rng(0)
    tensors = {name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors["token_embd"]


def test_a_gguf_file_of_ones_own_is_a_model_and_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    path = tmp_path / "tiny.gguf"
    table = write_gguf(path)
    explorer = Explorer("cpu", models={"mine": str(path)})
    for name in ("mine", str(path)):
        space = explorer.space(name).space
        np.testing.assert_array_equal(space.vectors, table)
        assert space.origin.source == name
        assert list(space.keys)[-1] == "river"
        (state,) = explorer.model(name).embed([" river"], [0], unit="tokens").vectors
        np.testing.assert_array_equal(state, space.vector("river"))
    assert explorer.model("mine").lens(" the river").steps[-1][0] == 2


def test_a_gguf_file_is_parsed_once_with_what_gguf_itself_finds(tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    plain = gguf.GGUFReader(path)
    with parsing_once():
        read = gguf.GGUFReader(str(path))
        assert gguf.GGUFReader(str(path)) is read
        assert not isinstance(read.data, np.memmap)
    assert type(gguf.GGUFReader(path)) is type(plain)
    assert {name: field.contents() for name, field in read.fields.items()} == {
        name: field.contents() for name, field in plain.fields.items()
    }
    for one, other in zip(read.tensors, plain.tensors, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.data, other.data)


def test_two_threads_parse_one_after_the_other() -> None:
    import gguf

    own, entered, leave = gguf.GGUFReader, threading.Event(), threading.Event()

    def second() -> None:
        with parsing_once():
            entered.set()
            assert leave.wait(60)

    with parsing_once():
        other = threading.Thread(target=second)
        other.start()
        assert not entered.wait(0.2)
    assert entered.wait(60)
    leave.set()
    other.join(60)
    assert gguf.GGUFReader is own  # not what the first one had put there


def test_a_gguf_file_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    with pytest.raises(UnreadableError, match="x.gguf can't be read as GGUF: it doesn't begin with GGUF"):
        load_model(str(tmp_path / "x.gguf"), "cpu", "torch")
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(UnreadableError, match="x.gguf can't be read as GGUF"):
        load_model(str(tmp_path / "x.gguf"), "cpu", "torch")
    assert not list((tmp_path / "home").rglob("*.safetensors"))


def test_a_description_needs_no_weights(tiny: dict[str, Path]) -> None:
    told = describe_model(str(tiny["llama"]), "bfloat16")
    model = load_model(str(tiny["llama"]), "cpu", "torch")
    n = sum(parameter.numel() for parameter in model.whole.parameters())
    assert (told.model_type, told.architecture, told.tokenizer) == ("llama", "LlamaForCausalLM", "tokenizer.json")
    assert (told.n_parameters, told.loading_bytes) == (n, 2 * n)
    assert describe_model("minilm-l6").license == "Apache-2.0 (package MIT)"


def test_a_model_bigger_than_memory_is_told_before_it_is_loaded(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(tiny["bert"], tmp_path / "huge")
    n = 10**13  # numbers, as its header says
    header = json.dumps({"x": {"dtype": "F32", "shape": [n], "data_offsets": [0, 4 * n]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert count_parameters(folder) == n
    with pytest.raises(
        BeyondMemoryError, match=r"takes 40000.0 GB of memory in float32, and \d+.\d GB are free; float16"
    ):
        load_model(str(folder), "cpu", "torch")


def test_a_gguf_file_bigger_than_memory_is_told_before_it_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYSEMA_HOME", str(tmp_path / "home"))
    write_gguf(tmp_path / "tiny.gguf")
    monkeypatch.setattr("polysema.core.model.loading_cost.free_memory", lambda: 1000)
    with pytest.raises(BeyondMemoryError, match=r"tiny.gguf takes .* GB of memory in float32, and 0.0 GB are free"):
        load_model(str(tmp_path / "tiny.gguf"), "cpu", "torch")
    assert not (tmp_path / "home").exists()
