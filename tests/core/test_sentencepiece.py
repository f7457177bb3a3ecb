"""Models whose tokenizer is SentencePiece's alone, as the hub has T5, Llama, mBART, Marian and M2M100."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from polysema.core.errors import UnavailableError
from polysema.core.model.catalog import locate
from polysema.core.model.contextual import EmbeddingOptions, embed
from polysema.core.model.load import load_model
from polysema.core.model.static import input_table

CORPUS = [
    "the white swan in the blue water of the river bank",
    "the bank keeps money, and the king and the queen sat on it",
    "Zürich, naïve café; où est la banque ? l'eau blanche",
]
TEXTS = ["the bank keeps money", "naïve  ﬁne Zürich zq☃ </s> swan", " où est l'eau ?", ""]
SEEDED: dict[str, Any] = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2}
SEEDED |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64}
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def pieces(kind: str = "unigram", size: int = 70, lines: Sequence[str] = CORPUS, **options: Any) -> bytes:
    out = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(list(lines) * 4),
        model_writer=out,
        vocab_size=size,
        model_type=kind,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return out.getvalue()


def spell(folder: Path, name: str, pieces: bytes, tokenizer_class: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(pieces)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class}))
    return folder


def save(model: torch.nn.Module, folder: Path) -> Path:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.4)
    model.save_pretrained(folder)  # type: ignore[operator]
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import transformers as hf

    torch.manual_seed(3)
    base = tmp_path_factory.mktemp("sentencepiece")
    t5 = spell(base / "t5", "spiece.model", pieces(pad_id=0, eos_id=1, unk_id=2, bos_id=-1), "T5Tokenizer")
    deberta = spell(
        base / "deberta",
        "spm.model",
        pieces(
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            pad_piece="[PAD]",
            bos_piece="[CLS]",
            eos_piece="[SEP]",
            unk_piece="[UNK]",
        ),
        "DebertaV2Tokenizer",
    )
    llama = spell(
        base / "llama",
        "tokenizer.model",
        pieces("bpe", 350, byte_fallback=True, normalization_rule_name="identity"),
        "LlamaTokenizer",
    )
    mbart = spell(base / "mbart", "sentencepiece.bpe.model", pieces(), "MBartTokenizer")
    nllb = spell(base / "nllb", "sentencepiece.bpe.model", pieces("bpe", 120), "NllbTokenizer")
    small_t5 = hf.T5Config(d_model=16, d_kv=4, d_ff=32, num_layers=2, num_heads=4, vocab_size=200)
    save(hf.T5ForConditionalGeneration(small_t5), t5)
    save(hf.DebertaV2Model(hf.DebertaV2Config(**SMALL, vocab_size=90, max_position_embeddings=64)), deberta)
    save(hf.LlamaForCausalLM(hf.LlamaConfig(**SMALL, num_key_value_heads=1, vocab_size=350)), llama)
    save(hf.MBartForConditionalGeneration(hf.MBartConfig(**SEEDED, vocab_size=140)), mbart)
    save(hf.M2M100ForConditionalGeneration(hf.M2M100Config(**SEEDED, vocab_size=400)), nllb)
    return {"t5": t5, "deberta": deberta, "llama": llama, "mbart": mbart, "nllb": nllb}


@pytest.mark.parametrize("kind", ["t5", "deberta", "llama", "mbart", "nllb"])
def test_a_folder_of_sentencepiece_alone_gives_the_states_of_transformers(folders: dict[str, Path], kind: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    assert not (folders[kind] / "tokenizer.json").exists()
    model = load_model(str(folders[kind]), "cpu", "torch")
    text = "the bank keeps money"
    hidden = embed(model, [text])
    assert [(o.word, o.span.start) for o in hidden.occurrences] == [
        ("the", 0),
        ("bank", 4),
        ("keeps", 9),
        ("money", 15),
    ]
    ids = AutoTokenizer.from_pretrained(folders[kind])(text, return_tensors="pt")
    assert list(model.encode([text])[0].windows[0]) == ids["input_ids"][0].tolist()
    plain = AutoModel.from_pretrained(folders[kind]).eval()
    stack = plain.get_encoder() if plain.config.is_encoder_decoder else plain
    with torch.inference_mode():
        states = stack(
            input_ids=ids["input_ids"], attention_mask=torch.ones_like(ids["input_ids"]), output_hidden_states=True
        )
    tokens = embed(model, [text], options=EmbeddingOptions(unit="tokens"))
    places = model.encode([text])[0].takes[:, 1]
    np.testing.assert_allclose(tokens.vectors[-1], states.hidden_states[-1][0].numpy()[places], atol=1e-5)


def test_its_input_embeddings_are_a_space_of_words(folders: dict[str, Path]) -> None:
    space = input_table(locate(str(folders["llama"])))
    assert "bank" in space
    assert len(space) == 350


def test_without_the_package_the_message_names_it(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sentencepiece" else real(name))
    with pytest.raises(
        UnavailableError,
        match=r"is a model of SentencePiece \(spiece.model\), which needs sentencepiece; install it with pip install "
        r"'polysema\[models\]'",
    ):
        load_model(str(folders["t5"]), "cpu", "torch")


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("marian")
    both = {"source.spm": pieces(lines=CORPUS[:2]), "target.spm": pieces(lines=CORPUS[2:])}
    names = ["</s>", "<unk>", ">>fra<<"]
    for name, model in both.items():
        (folder / name).write_bytes(model)
        processor = SentencePieceProcessor(model_proto=model)
        names += [processor.id_to_piece(number) for number in range(3, processor.get_piece_size())]
    names = [*dict.fromkeys(names), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    settings = {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    ends = {"pad_token_id": len(names) - 1, "eos_token_id": 0, "decoder_start_token_id": len(names) - 1}
    save(MarianMTModel(MarianConfig(**SEEDED, vocab_size=len(names), **ends, forced_eos_token_id=0)), folder)
    return folder


def test_marians_ids_are_those_of_transformers_and_its_characters_those_of_sentencepiece(marian: Path) -> None:
    from transformers import MarianTokenizer

    theirs = MarianTokenizer.from_pretrained(marian)
    model = load_model(str(marian), "cpu", "torch")
    for text in [*TEXTS, ">>fra<< the bank", "the >>fra<< bank"]:
        assert list(model.encode([text])[0].windows[0]) == theirs(text)["input_ids"], text
        assert list(model.encode_targets([text])[0].windows[0]) == theirs(text_target=text)["input_ids"], text
    processor = SentencePieceProcessor(model_file=str(marian / "source.spm"))
    (encoded,) = model.encode(["naïve white swan"])
    proto = processor.encode("naïve white swan", return_type="offset_mapping")
    assert [tuple(offset) for offset in encoded.offsets.tolist()] == [tuple(offset) for offset in proto["offsets"]]
    (encoded,) = model.encode([">>fra<< the bank"])
    assert encoded.offsets[0].tolist() == [0, 7]
    assert encoded.offsets[-1].tolist()[1] == len(">>fra<< the bank")


def test_a_marian_is_read_with_words_on_both_sides(marian: Path) -> None:
    encoder = load_model(str(marian), "cpu", "torch")
    hidden = embed(encoder, ["the white swan"])
    assert [o.word for o in hidden.occurrences] == ["the", "white", "swan"]
    decoder = load_model(str(marian), "cpu", "torch", stack="decoder")
    beside = embed(decoder, ["où est la banque"], sources=["the bank"])
    assert [o.word for o in beside.occurrences] == ["où", "est", "la", "banque"]
    assert isinstance(encoder.generate(["the white swan"], 4)[0], str)


def test_m2m100s_ids_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    torch.manual_seed(5)
    (tmp_path / "sentencepiece.bpe.model").write_bytes(pieces())
    processor = SentencePieceProcessor(model_file=str(tmp_path / "sentencepiece.bpe.model"))
    names = ["<s>", "<pad>", "</s>", "<unk>", *(processor.id_to_piece(n) for n in range(3, processor.get_piece_size()))]
    (tmp_path / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    settings = {"tokenizer_class": "M2M100Tokenizer", "src_lang": "en", "tgt_lang": "fr"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    save(M2M100ForConditionalGeneration(M2M100Config(**SEEDED, vocab_size=len(names) + 120)), tmp_path)
    theirs = M2M100Tokenizer.from_pretrained(tmp_path)
    model = load_model(str(tmp_path), "cpu", "torch")
    for text in TEXTS:
        assert list(model.encode([text])[0].windows[0]) == theirs(text)["input_ids"], text
        assert list(model.encode_targets([text])[0].windows[0]) == theirs(text_target=text)["input_ids"], text
    assert model.encode([TEXTS[0]])[0].offsets[-1].tolist()[1] == len(TEXTS[0])
    assert "sentencepiece" in sys.modules
