"""Train `gpt-tiny-en`, the GPT that writes on and ships with polysema, from scratch on short English sentences.

    python benchmarks/train_decoder.py prepare fra-eng.zip FOLDER     a vocabulary of byte pairs, encoded sentences
    python benchmarks/train_decoder.py train FOLDER                   train, print the held-out perplexity
    python benchmarks/train_decoder.py pack FOLDER                    quantize, write core/data/gpt-tiny-en/
    python benchmarks/train_decoder.py evaluate FOLDER --model MODEL  perplexity of a folder's weights, and of counting

The sentences are the English side of Tatoeba's pairs (CC BY 2.0 FR) and of our own; the held-out ones are those of the
translator. Each goes on to its end token, so that the model ends what it writes. The seed is fixed; it trains on a
GPU where there is one, and else in bfloat16 on the processor. A checkpoint is written each epoch, and a run that was
stopped goes on from it.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from train_translator import read_own_pairs, read_pairs, split

TARGET = Path(__file__).parent.parent / "core" / "data" / "gpt-tiny-en"
MAX_TOKENS = 64
END = 0  # the one special token: the end of a sentence, and what fills up a row
VOCABULARY_SIZE = 4000
SEED = 20
OWN_COPIES = 4  # how often an epoch shows a sentence of our own
RATE = 2e-3
TOKENS = 2_500  # of a batch


def make_tokenizer(texts: Iterable[str]) -> Any:
    """Byte pairs as GPT-2's, trained on the texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    return tokenizer


def prepare(archive: Path, folder: Path) -> None:
    """Encode the distinct English sentences of each part."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test, curve = split(read_pairs(archive))
    own = list(dict.fromkeys(e for e, _ in read_own_pairs()))
    parts = {
        "train": [*dict.fromkeys(e for e, _ in train), *own * OWN_COPIES],
        "test": list(dict.fromkeys(e for e, _ in test)),
        "curve": list(dict.fromkeys(e for e, _ in curve)),
    }
    tokenizer = make_tokenizer(parts["train"])
    tokenizer.save(str(folder / "tokenizer.json"))
    arrays = {}
    for name, texts in parts.items():
        arrays[name], arrays[f"{name}_lengths"] = encoded_sentences(tokenizer, texts)
    np.savez_compressed(folder / "sentences.npz", **arrays)
    print({name: array.shape for name, array in arrays.items()}, int(arrays["train_lengths"].sum()), "tokens")


class EncodedSentences(NamedTuple):
    """Rows of ids (n, MAX_TOKENS), filled up with END, and how long each is, its end included."""

    ids: Any
    lengths: Any


def encoded_sentences(tokenizer: Any, texts: Sequence[str]) -> EncodedSentences:
    """Each text up to its end token."""
    rows = [[*one.ids[: MAX_TOKENS - 1], END] for one in tokenizer.encode_batch(texts)]
    ids = np.zeros((len(rows), MAX_TOKENS), dtype=np.int16)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
    return EncodedSentences(ids, np.array([len(row) for row in rows], dtype=np.int32))


def make_model() -> Any:
    """A GPT-2 from scratch."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(SEED)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY_SIZE,
            n_positions=128,
            n_embd=192,
            n_layer=3,
            n_head=6,
            bos_token_id=END,
            eos_token_id=END,
            pad_token_id=END,
            resid_pdrop=0.1,
            embd_pdrop=0.1,
            attn_pdrop=0.0,
        )
    )


def batches(lengths: Any, generator: Any) -> Iterator[Any]:
    """The rows of an epoch in batches of about as many tokens, rows of like length together, in a drawn order."""
    import torch

    noise = torch.rand(len(lengths), generator=generator)
    order = (lengths + noise).argsort()
    cuts, start = [], 0
    for end in range(1, len(order) + 1):
        longest = int(lengths[order[end - 1]])
        if longest * (end - start + 1) > TOKENS or end == len(order):
            cuts.append(order[start:end])
            start = end
    for place in torch.randperm(len(cuts), generator=generator).tolist():
        yield cuts[place]


def loss_of(model: Any, ids: Any, lengths: Any, reduction: str = "mean") -> Any:
    """Cross-entropy of every token behind the first, the end included, in nats."""
    import torch
    from torch.nn import functional

    states = model.transformer(input_ids=ids[:, :-1]).last_hidden_state
    wanted = torch.arange(1, ids.shape[1])[None].to(ids.device) < lengths[:, None]
    scores = model.lm_head(states[wanted]).float()
    return functional.cross_entropy(scores, ids[:, 1:][wanted], reduction=reduction)


def train(folder: Path, epochs: int, seconds: float) -> None:
    """Train for so many epochs or seconds, with a checkpoint each epoch, and save the weights."""
    import torch
    from safetensors.torch import save_file

    device = "cuda" if torch.cuda.is_available() else "cpu"
    arrays = {name: torch.from_numpy(rows).long() for name, rows in np.load(folder / "sentences.npz").items()}
    rows, lengths = arrays["train"].to(device), arrays["train_lengths"]
    model = make_model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.05)
    total = epochs * len(list(batches(lengths, torch.Generator().manual_seed(0))))
    checkpoint, state = folder / "checkpoint.pt", {"epoch": 0, "step": 0, "seconds": 0.0, "curve": []}
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved.pop("model"))
        optimizer.load_state_dict(saved.pop("optimizer"))
        state = saved
    for epoch in range(state["epoch"], epochs):
        begun, running, count = time.monotonic(), 0.0, 0
        model.train()
        for picked in batches(lengths, torch.Generator().manual_seed(SEED + epoch)):
            state["step"] += 1
            elapsed = state["seconds"] + time.monotonic() - begun
            done = min(1.0, max(state["step"] / total, elapsed / seconds))
            rate = RATE * min(state["step"] / 200, 1.0) * max(0.02, 0.5 * (1 + math.cos(math.pi * done)))
            for group in optimizer.param_groups:
                group["lr"] = rate
            own = lengths[picked]
            ids = rows[picked, : int(own.max())]
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = loss_of(model, ids, own.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += float(loss.detach())
            count += 1
            if elapsed > seconds:
                break
            if count % 100 == 0:
                print(epoch, count, f"{running / count:.3f} {time.monotonic() - begun:.0f} s", flush=True)
        state["epoch"], state["seconds"] = epoch + 1, state["seconds"] + time.monotonic() - begun
        found = perplexity_of(model, arrays["curve"].to(device), arrays["curve_lengths"].to(device))
        state["curve"].append({"epoch": epoch + 1, "train": round(running / count, 4), "perplexity": found})
        print(f"{state['seconds']:.0f} s", state["curve"][-1], flush=True)
        saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), **state}
        torch.save(saved, folder / "checkpoint.new")
        (folder / "checkpoint.new").replace(checkpoint)
        if state["seconds"] > seconds:
            break
    state["test"] = perplexity_of(model, arrays["test"].to(device), arrays["test_lengths"].to(device))
    kept = {name: one.detach().float().contiguous().cpu() for name, one in model.named_parameters()}
    save_file(kept, folder / "gpt.safetensors")
    (folder / "gpt.json").write_text(json.dumps(state))
    print("test", state["test"], flush=True)


def perplexity_of(model: Any, rows: Any, lengths: Any) -> float:
    """The held-out perplexity a token, the end included, the first token of each sentence not."""
    import torch

    model.eval()
    nats, count = 0.0, 0
    with torch.inference_mode():
        for part in torch.arange(len(rows)).split(256):
            own = lengths[part]
            nats += float(loss_of(model, rows[part, : int(own.max())], own, "sum"))
            count += int((own - 1).sum())
    return round(math.exp(nats / count), 2)


def bigram_perplexity(train: Any, train_lengths: Any, test: Any, test_lengths: Any) -> float:
    """What counting pairs alone does: P(token | left), interpolated with the unigram (Jelinek-Mercer, 0.7 to 0.3)."""
    single, pairs, left_counts = np.ones(VOCABULARY_SIZE), Counter(), Counter()
    for row, length in zip(train.tolist(), train_lengths.tolist(), strict=True):
        single += np.bincount(row[1:length], minlength=VOCABULARY_SIZE)
        pairs.update(pairwise(row[:length]))
        left_counts.update(row[: length - 1])
    single /= single.sum()
    nats, count = 0.0, 0
    for row, length in zip(test.tolist(), test_lengths.tolist(), strict=True):
        for left, wanted in pairwise(row[:length]):
            seen = left_counts[left]
            share = 0.3 * single[wanted] + 0.7 * (pairs[left, wanted] / seen if seen else single[wanted])
            nats -= math.log(share)
            count += 1
    return round(math.exp(nats / count), 1)


def pack(folder: Path, target: Path = TARGET) -> None:
    """Write the weights in 8 bits, the config and the tokenizer that ship with polysema."""
    import shutil

    from safetensors.numpy import load_file, save_file

    from polysema.core.model.quantized import WEIGHTS_FILE, quantize_rows

    target.mkdir(parents=True, exist_ok=True)
    save_file(quantize_rows(load_file(folder / "gpt.safetensors")), target / WEIGHTS_FILE, metadata={"format": "pt"})
    config = make_model().config
    config.architectures = ["GPT2LMHeadModel"]
    config.save_pretrained(target)
    shutil.copyfile(folder / "tokenizer.json", target / "tokenizer.json")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 128,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    print(f"{sum(path.stat().st_size for path in target.iterdir()):,} bytes in {target}")


def evaluate(folder: Path, model: Path) -> None:
    """The perplexity of a folder's weights on the held-out sentences, beside that of counting."""
    import torch
    from transformers import GPT2LMHeadModel

    arrays = {name: torch.from_numpy(rows).long() for name, rows in np.load(folder / "sentences.npz").items()}
    made = GPT2LMHeadModel.from_pretrained(model, dtype=torch.float32)
    rows, lengths = arrays["test"], arrays["test_lengths"]
    print("perplexity", perplexity_of(made, rows, lengths), "on", int((lengths - 1).sum()), "tokens")
    print("of the first 200", perplexity_of(made, rows[:200], lengths[:200]))
    print("of pairs alone", bigram_perplexity(arrays["train"], arrays["train_lengths"], rows, lengths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["prepare", "train", "pack", "evaluate"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, default=TARGET)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    first, *rest = given.paths
    if given.stage == "prepare":
        prepare(first, rest[0])
    elif given.stage == "train":
        train(first, given.epochs, given.seconds)
    elif given.stage == "pack":
        pack(first)
    else:
        evaluate(first, given.model)


if __name__ == "__main__":
    main()
