"""Train `bert-tiny-en`, the BERT that fills gaps and ships with polysema, from scratch on short English sentences.

    python benchmarks/train_fill_mask.py prepare fra-eng.zip FOLDER      vocabulary of word pieces, encoded sentences
    python benchmarks/train_fill_mask.py train FOLDER                    train, print accuracy and perplexity
    python benchmarks/train_fill_mask.py pack FOLDER                     quantize, write core/data/bert-tiny-en/
    python benchmarks/train_fill_mask.py evaluate FOLDER --model MODEL   accuracy and perplexity of a folder's weights
    python benchmarks/train_fill_mask.py baselines FOLDER                what counting alone reaches

With `--model MODEL` (the folder of `minilm-l6`) in `prepare` and `train`, it is a head alone that is trained, on that
model's frozen states and with its word pieces: what was tried beside, and fills fewer gaps.

The sentences are the English side of Tatoeba's pairs (CC BY 2.0 FR) and of our own; the test ones are those of the
translator. A sentence loses 15 % of its word pieces, of which 80 % become [MASK], 10 % another piece and 10 % stay
(Devlin et al. 2019). The seed is fixed; training runs on a GPU where there is one.
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from train_translator import read_own_pairs, read_pairs, split

TARGET = Path(__file__).parent.parent / "core" / "data" / "bert-tiny-en"
MAX_TOKENS = 40
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD = 0
VOCABULARY_SIZE = 8000
SEED = 20
Sentences = np.ndarray


@dataclass(frozen=True)
class Pieces:
    """The size of a vocabulary, and where its special pieces stand."""

    size: int
    cls: int
    sep: int
    mask: int


def make_tokenizer(texts: Iterable[str]) -> Any:
    """Word pieces as BERT's, in small letters, trained on the texts."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=VOCABULARY_SIZE, special_tokens=SPECIALS, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def prepare(archive: Path, folder: Path, model: Path | None) -> None:
    """Encode the distinct English sentences of each part by word pieces: the model's, or new ones."""
    from tokenizers import Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    train, tested, curve = split(read_pairs(archive))
    parts = {
        "train": dict.fromkeys(e for e, _ in [*train, *read_own_pairs()]),
        "test": dict.fromkeys(e for e, _ in tested),
        "curve": dict.fromkeys(e for e, _ in curve),
    }
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json")) if model else make_tokenizer(parts["train"])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if not model:
        tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    arrays = {"pieces": np.array([tokenizer.get_vocab_size(), *map(tokenizer.token_to_id, SPECIALS[2:])])}
    for name, texts in parts.items():
        rows = [one.ids for one in tokenizer.encode_batch(list(texts))]
        array = np.zeros((len(rows), MAX_TOKENS), dtype=np.int32)
        for row, ids in enumerate(rows):
            array[row, : len(ids)] = ids
        arrays[name] = array
    np.savez_compressed(folder / "sentences.npz", **arrays)
    print({name: len(rows) for name, rows in arrays.items()}, arrays["pieces"])


def masked(ids: Any, pieces: Pieces, generator: Any, share: float = 0.15) -> tuple[Any, Any]:
    """Ids with word pieces hidden, and the labels: the hidden pieces' ids, -100 elsewhere; at least one a sentence."""
    import torch

    special = (ids == PAD) | (ids == pieces.cls) | (ids == pieces.sep)
    draw = torch.rand(ids.shape, generator=generator, device=ids.device).masked_fill(special, 2.0)
    chosen = (draw < share) | ((draw == draw.min(1, keepdim=True).values) & ~special)
    labels = ids.masked_fill(~chosen, -100)
    how = torch.rand(ids.shape, generator=generator, device=ids.device)
    other = torch.randint(pieces.mask + 1, pieces.size, ids.shape, generator=generator, device=ids.device)
    out = torch.where(chosen & (how < 0.8), pieces.mask, ids)
    return torch.where(chosen & (how >= 0.9), other, out), labels


def make_model(model: Path | None, pieces: Pieces, device: str) -> Any:
    """A BERT from scratch; or the model with a fresh head, all else frozen."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(SEED)
    if model:
        made = BertForMaskedLM.from_pretrained(model, dtype=torch.float32)
        for name, parameter in made.named_parameters():
            parameter.requires_grad = name.startswith("cls.")
    else:
        made = BertForMaskedLM(
            BertConfig(
                vocab_size=pieces.size,
                hidden_size=256,
                num_hidden_layers=4,
                num_attention_heads=8,
                intermediate_size=1024,
                max_position_embeddings=128,
            )
        )
    return made.to(device)


def loss_of(model: Any, given: Any, labels: Any, frozen: bool) -> tuple[Any, Any]:
    """Cross-entropy over the hidden pieces (in nats), and their scores."""
    import torch
    from torch.nn import functional

    chosen = labels != -100
    with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
        states = model.bert(input_ids=given, attention_mask=(given != PAD).long()).last_hidden_state
    scores = model.cls(states[chosen]).float()
    return functional.cross_entropy(scores, labels[chosen]), scores


def train(folder: Path, model_folder: Path | None, epochs: int, seconds: float) -> None:
    """Train the model, or the head, and save what was trained."""
    import torch
    from safetensors.torch import save_file

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    arrays = np.load(folder / "sentences.npz")
    rows = torch.from_numpy(arrays["train"]).long().to(device)
    curve_rows = torch.from_numpy(arrays["curve"]).long().to(device)
    lengths = (rows != PAD).sum(1)
    pieces = Pieces(*arrays["pieces"].tolist())
    model = make_model(model_folder, pieces, device)
    frozen, which = model_folder is not None, "head" if model_folder else "bert"
    model.train(not frozen)
    parameters = [p for p in model.parameters() if p.requires_grad]
    batch, rate = (1024, 1e-3) if device == "cuda" else (256, 1e-3)
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    generator = torch.Generator(device=device).manual_seed(SEED)
    order_by = torch.Generator().manual_seed(SEED)
    total, step, begun, curve = epochs * (len(rows) // batch), 0, time.monotonic(), []
    for epoch in range(epochs):
        running, n_seen = torch.zeros((), device=device), 0
        for picked in torch.randperm(len(rows), generator=order_by).to(device).split(batch)[: len(rows) // batch]:
            step += 1
            for group in optimizer.param_groups:
                done = min(1.0, max(step / total, (time.monotonic() - begun) / seconds))
                group["lr"] = rate * min(step / 500, 1.0) * max(0.02, 0.5 * (1 + math.cos(math.pi * done)))
            ids = rows[picked, : int(lengths[picked].max())]
            given, labels = masked(ids, pieces, generator)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
                loss, _ = loss_of(model, given, labels, frozen)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            running += loss.detach()
            n_seen += 1
        elapsed = time.monotonic() - begun
        if epoch % 5 == 4 or epoch == epochs - 1 or elapsed > seconds:
            found = scores_of(model, curve_rows, pieces)
            curve.append({"epoch": epoch + 1, "train": round(float(running) / n_seen, 4)} | found)
            print(which, f"{elapsed:.0f} s", curve[-1], flush=True)
        if elapsed > seconds:
            break
    test = scores_of(model, torch.from_numpy(arrays["test"]).long().to(device), pieces)
    print(which, "test", test, flush=True)
    kept = {
        name: parameter.detach().float().contiguous().cpu()
        for name, parameter in model.named_parameters()
        if not frozen or (name.startswith("cls.") and "decoder" not in name)
    }
    save_file(kept, folder / f"{which}.safetensors")
    record = {"epochs": epoch + 1, "seconds": round(elapsed), "curve": curve, "test": test, "steps": step}
    (folder / f"{which}.json").write_text(json.dumps(record))


def scores_of(model: Any, rows: Any, pieces: Pieces) -> dict[str, float]:
    """Accuracy and perplexity over every hidden piece: each piece of a sentence is hidden once, one at a time."""
    import torch

    training = model.training
    model.eval()
    right, nats, count, top5 = 0, 0.0, 0, 0
    special = (rows == PAD) | (rows == pieces.cls) | (rows == pieces.sep)
    places = (~special).nonzero()
    with torch.no_grad():
        for part in places.split(1024):
            ids = rows[part[:, 0]]
            ids = ids[:, : int((ids != PAD).sum(1).max())]
            labels = torch.full_like(ids, -100)
            at = torch.arange(len(part), device=ids.device)
            labels[at, part[:, 1]] = ids[at, part[:, 1]]
            given = ids.clone()
            given[at, part[:, 1]] = pieces.mask
            loss, scores = loss_of(model, given, labels, True)
            wanted = labels[labels != -100]
            nats += float(loss) * len(wanted)
            best = scores.topk(5).indices
            right += int((best[:, 0] == wanted).sum())
            top5 += int((best == wanted[:, None]).any(1).sum())
            count += len(wanted)
    model.train(training)
    return {
        "accuracy": round(right / count, 4),
        "top5": round(top5 / count, 4),
        "perplexity": round(math.exp(nats / count), 2),
        "pieces": count,
    }


def baselines(train_rows: Sentences, test_rows: Sentences, pieces: Pieces) -> dict[str, dict[str, float]]:
    """What counting alone does: the most frequent piece, and the most frequent one between left and right neighbors.

    The bigram's probability of a piece is P(piece | left) x P(right | piece), normalized over the vocabulary; both are
    counts interpolated with the unigram (Jelinek-Mercer, 0.7 to 0.3).
    """
    flat = [row[row != PAD] for row in train_rows]
    unigrams: Counter[int] = Counter()
    pairs: Counter[tuple[int, int]] = Counter()
    for row in flat:
        unigrams.update(row.tolist())
        pairs.update(zip(row[:-1].tolist(), row[1:].tolist(), strict=True))
    n = pieces.size
    counts = np.ones(n)
    for piece, times in unigrams.items():
        counts[piece] += times
    counts[[PAD, pieces.cls, pieces.sep, pieces.mask]] = 0
    p = counts / counts.sum()
    following: dict[int, tuple[list[int], list[int]]] = {}
    preceding: dict[int, tuple[list[int], list[int]]] = {}
    for (left, right), times in pairs.items():
        following.setdefault(left, ([], []))[0].append(right)
        following[left][1].append(times)
        preceding.setdefault(right, ([], []))[0].append(left)
        preceding[right][1].append(times)
    totals = {piece: max(1, times) for piece, times in unigrams.items()}
    every = np.array([totals.get(i, 1) for i in range(n)], dtype=float)
    found = {"unigram": [0, 0.0, 0], "bigram": [0, 0.0, 0]}
    for row in test_rows:
        ids = row[row != PAD]
        for i in range(1, len(ids) - 1):
            left, wanted, right = int(ids[i - 1]), int(ids[i]), int(ids[i + 1])
            forward = 0.3 * p.copy()
            if left in following:
                forward[following[left][0]] += 0.7 * np.array(following[left][1]) / every[left]
            backward = np.full(n, 0.3 * (totals.get(right, 1) / counts.sum()))
            if right in preceding:
                at = preceding[right][0]
                backward[at] += 0.7 * np.array(preceding[right][1]) / every[at]
            both = forward * backward
            both /= both.sum()
            for name, probabilities in (("unigram", p), ("bigram", both)):
                found[name][0] += int(probabilities.argmax() == wanted)
                found[name][1] -= math.log(max(probabilities[wanted], 1e-12))
                found[name][2] += 1
    return {
        name: {"accuracy": round(right / count, 4), "perplexity": round(math.exp(nats / count), 2)}
        for name, (right, nats, count) in found.items()
    }


def pack(folder: Path, target: Path = TARGET) -> None:
    """Write the weights in 8 bits, the config and the tokenizer that ship with polysema."""
    import shutil

    from safetensors.numpy import load_file, save_file

    from polysema.core.model.quantized import WEIGHTS_FILE, quantize_rows

    target.mkdir(parents=True, exist_ok=True)
    weights = load_file(folder / "bert.safetensors")
    save_file(quantize_rows(weights), target / WEIGHTS_FILE, metadata={"format": "pt"})
    config = make_model(None, Pieces(VOCABULARY_SIZE, 2, 3, 4), "cpu").config
    config.architectures = ["BertForMaskedLM"]
    config.save_pretrained(target)
    shutil.copyfile(folder / "tokenizer.json", target / "tokenizer.json")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": MAX_TOKENS,
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    print(f"{sum(path.stat().st_size for path in target.iterdir()):,} bytes in {target}")


def evaluate(folder: Path, model: Path) -> dict[str, float]:
    """Accuracy and perplexity of a folder's weights on the test sentences."""
    import torch
    from transformers import BertForMaskedLM

    arrays = np.load(folder / "sentences.npz")
    rows = torch.from_numpy(arrays["test"]).long()
    found = scores_of(BertForMaskedLM.from_pretrained(model), rows, Pieces(*arrays["pieces"].tolist()))
    print(found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["prepare", "train", "pack", "evaluate", "baselines"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    first, *rest = given.paths
    if given.stage == "prepare":
        prepare(first, rest[0], given.model)
    elif given.stage == "train":
        train(first, given.model, given.epochs, given.seconds)
    elif given.stage == "pack":
        pack(first)
    elif given.stage == "evaluate":
        evaluate(first, given.model)
    else:
        arrays = np.load(first / "sentences.npz")
        print(json.dumps(baselines(arrays["train"], arrays["test"], Pieces(*arrays["pieces"].tolist()))))


if __name__ == "__main__":
    main()
