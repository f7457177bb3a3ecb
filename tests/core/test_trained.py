"""A T5 and a Marian, trained here for some seconds to reverse and to copy: the cross-attention shows it."""

import random
from pathlib import Path

import numpy as np
import pytest

from polysema.core.inside.attention import AttentionView, attention
from polysema.core.inside.attribution import contributions
from polysema.core.inside.families import family_run
from polysema.core.inside.head_search import find_heads
from polysema.core.model.load import load_model

LETTERS = "abcdefghijklmnopqrst"
LENGTH = 6


def word_level() -> object:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate(["<pad>", "</s>", "<unk>", *LETTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def trained(kind: str, folder: Path) -> Path:
    """One layer and one head a stack, taught to reverse (T5) or copy (Marian) letters of which none comes twice."""
    import torch
    from transformers import MarianConfig, MarianMTModel, T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    chance = random.Random(0)
    size, dim = 3 + len(LETTERS), 32
    if kind == "t5":
        steps = 700
        model = T5ForConditionalGeneration(
            T5Config(
                vocab_size=size,
                d_model=dim,
                d_kv=dim,
                d_ff=64,
                num_layers=1,
                num_heads=1,
                dropout_rate=0.0,
                relative_attention_num_buckets=8,
                relative_attention_max_distance=16,
                decoder_start_token_id=0,
            )
        )
    else:
        steps = 400
        model = MarianMTModel(
            MarianConfig(
                vocab_size=size,
                d_model=dim,
                encoder_layers=1,
                decoder_layers=1,
                encoder_attention_heads=1,
                decoder_attention_heads=1,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                dropout=0.0,
                attention_dropout=0.0,
                activation_dropout=0.0,
                max_position_embeddings=32,
                pad_token_id=0,
                eos_token_id=1,
                decoder_start_token_id=0,
                forced_eos_token_id=1,
                scale_embedding=True,
                init_std=0.1,
            )
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 50, (steps - step) / (steps - 50))
    )
    for _ in range(steps):
        rows = [chance.sample(range(3, size), LENGTH) for _ in range(64)]
        ids = torch.tensor([[*row, 1] for row in rows])
        labels = torch.tensor([[*(row[::-1] if kind == "t5" else row), 1] for row in rows])
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.save_pretrained(folder)
    word_level().save_pretrained(folder)  # type: ignore[attr-defined]
    return folder


@pytest.mark.parametrize("kind", ["t5", "marian"])
def test_cross_attention_looks_at_the_right_letter(kind: str, tmp_path: Path) -> None:
    model = load_model(str(trained(kind, tmp_path / kind)), "cpu", "torch", stack="decoder")
    chance = random.Random(99)
    texts = [" ".join(chance.sample(LETTERS, LENGTH)) for _ in range(20)]
    wanted = [text[::-1] if kind == "t5" else text for text in texts]
    assert np.mean([a == b for a, b in zip(model.generate(texts), wanted, strict=True)]) >= 0.9
    right = []
    for text, written in zip(texts, wanted, strict=True):
        (found,) = attention(model, written, None, text, AttentionView("cross"))
        names = [unit.name for unit in found.columns]
        assert [unit.name for unit in found.rows] == [*written.split(), "(end)"]
        right += [found.weights[0, 0, row, names.index(letter)] for row, letter in enumerate(written.split())]
    assert np.mean(right) >= 0.8
    # the same, as a question about heads, as what is carried, and with the parts adding up
    pairs = [(letter, letter) for letter in LETTERS]
    best = find_heads(model, pairs, wanted, texts, AttentionView("cross")).scores[0]
    assert best.mean == pytest.approx(np.mean(right), abs=1e-5)
    carried = family_run(model, texts[0]).carried
    assert [item.looks_at[0][0] for item in carried[:LENGTH]] == wanted[0].split()
    first = wanted[0].split()[0]
    parts = contributions(model, wanted[0], first, None, texts[0], 0)
    assert parts.total == pytest.approx(parts.score, rel=1e-3)
    assert max(parts.parts, key=lambda part: part.value).kind in ("cross head", "mlp")
