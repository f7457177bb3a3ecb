"""Train `marian-en-fr`, the translator that ships with polysema: English to French, the 2017 encoder-decoder.

    python benchmarks/train_translator.py prepare fra-eng.zip FOLDER    split the pairs, train the vocabulary, encode
    python benchmarks/train_translator.py train FOLDER first
    python benchmarks/train_translator.py train FOLDER second --start first --sample 20000 --epochs 2 --rate 2e-4
    python benchmarks/train_translator.py pack FOLDER second            quantize, write core/data/marian-en-fr/
    python benchmarks/train_translator.py evaluate FOLDER second        BLEU and chrF on 2,000 test sentences

The pairs are Tatoeba's, as manythings.org/anki selects them (CC BY 2.0 FR), and those of
benchmarks/data/pairs_en_fr.tsv. Everything is seeded; `train` goes on from its last checkpoint, stops itself by
`--seconds`, and runs on a GPU where there is one.
"""

import argparse
import hashlib
import json
import math
import random
import time
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TARGET = Path(__file__).parent.parent / "core" / "data" / "marian-en-fr"
OWN_PAIRS = Path(__file__).parent / "data" / "pairs_en_fr.tsv"
N_HELD_OUT = 2000  # English sentences, tested once, at the end
N_VALIDATION = 1000  # English sentences of the loss curve
VOCABULARY_SIZE = 8000
PAD = VOCABULARY_SIZE - 1
MAX_TOKENS = 60
OWN_COPIES = 8  # how often an epoch shows a pair of our own
Pair = tuple[str, str]


def normalized(text: str) -> str:
    """One spelling of spaces and apostrophes: French typography sets narrow spaces before ? and !."""
    text = unicodedata.normalize("NFC", text)
    for old, new in {"\u202f": " ", "\u00a0": " ", "\u2009": " ", "\u2019": "'", "\u2018": "'"}.items():
        text = text.replace(old, new)
    return " ".join(text.split())


def sentence_key(english: str) -> str:
    """What two spellings of one English sentence have in common: its letters and digits, in lower case."""
    return " ".join("".join(c if c.isalnum() else " " for c in english.lower()).split())


def read_pairs(archive: Path) -> list[Pair]:
    """The pairs of the archive, in its order."""
    with zipfile.ZipFile(archive) as opened:
        name = next(one for one in opened.namelist() if one.endswith("fra.txt"))
        lines = opened.read(name).decode("utf-8").splitlines()
    return [(normalized(line.split("\t")[0]), normalized(line.split("\t")[1])) for line in lines if "\t" in line]


def read_own_pairs() -> list[Pair]:
    """The pairs of our own: both meanings of words that the archive has with one."""
    rows = [line.split("\t") for line in OWN_PAIRS.read_text(encoding="utf-8").splitlines()[1:]]
    return [(normalized(english), normalized(french)) for _, _, english, french in rows]


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[tuple[str, list[str]]], list[Pair]]:
    """Pairs to train on, test sentences with all their translations, and pairs of the loss curve.

    A sentence is drawn by the hash of its letters, so that no spelling of it stands on both sides.
    """
    translations: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for english, french in pairs:
        translations[sentence_key(english)][english].append(french)
    drawn = sorted(translations, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    test, validation = drawn[:N_HELD_OUT], drawn[N_HELD_OUT : N_HELD_OUT + N_VALIDATION]
    tested = [next(iter(translations[key].items())) for key in test]
    curve = [(e, f) for key in validation for e, fs in translations[key].items() for f in fs[:1]]
    left_out = {*test, *validation}
    return [pair for pair in pairs if sentence_key(pair[0]) not in left_out], tested, curve


def varied(pairs: Sequence[Pair], rng: random.Random) -> list[Pair]:
    """The pairs, and some of them as people type: without the last stop, or in small letters."""
    out = list(pairs)
    for english, french in pairs:
        draw = rng.random()
        if draw < 0.08 and english.endswith(".") and french.endswith("."):
            out.append((english[:-1], french[:-1]))
        elif draw < 0.14:
            out.append((english.lower(), french))
    return out


def prepare(archive: Path, folder: Path) -> None:
    """Split the pairs, train one SentencePiece vocabulary for both languages, and encode everything."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    train, tested, curve = split(read_pairs(archive))
    own = read_own_pairs()
    if not (folder / "joint.model").exists():
        make_vocabulary(folder, [*dict.fromkeys(train), *own * 3])
    joint = sentencepiece.SentencePieceProcessor(model_file=str(folder / "joint.model"))
    vocabulary = {joint.id_to_piece(i): i for i in range(joint.get_piece_size())} | {"<pad>": joint.get_piece_size()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "held_out.json").write_text(json.dumps(tested, ensure_ascii=False), encoding="utf-8")
    rng = random.Random(20)
    theirs, ours = varied(train, rng), varied(own, rng)
    all_pairs = theirs + ours * OWN_COPIES
    arrays = {}
    for name, part in (("train", all_pairs), ("curve", curve)):
        arrays |= encode(joint, part, name)
    n_own = len(encode(joint, ours, "own")["own_source"]) * OWN_COPIES
    np.savez_compressed(folder / "corpus.npz", n_own=np.array(n_own), **arrays)
    print(
        f"{len(train):,} pairs and {len(own)} of our own, {len(tested):,} test sentences, {len(curve):,} of the curve"
    )


def make_vocabulary(folder: Path, pairs: Sequence[Pair]) -> None:
    """Train one SentencePiece model on both sides; one that is there stays, so that more pairs change no id."""
    import sentencepiece

    texts = folder / "texts.txt"
    texts.write_text("".join(f"{english}\n{french}\n" for english, french in pairs), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(texts),
        model_prefix=str(folder / "joint"),
        vocab_size=VOCABULARY_SIZE - 1,
        character_coverage=1.0,
        model_type="unigram",
        pad_id=-1,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        shuffle_input_sentence=False,
        num_threads=1,
        normalization_rule_name="nmt_nfkc",
    )
    texts.unlink()


def encode(joint: Any, pairs: Sequence[Pair], name: str) -> dict[str, np.ndarray]:
    """Ids of both sides, each ended by </s> (0) and padded; pairs of more than MAX_TOKENS tokens are left out."""
    sides = [joint.encode([pair[side] for pair in pairs]) for side in (0, 1)]
    fit = [i for i in range(len(pairs)) if max(len(sides[0][i]), len(sides[1][i])) < MAX_TOKENS]
    out = {}
    for side, ids in zip(("source", "target"), sides, strict=True):
        array = np.full((len(fit), MAX_TOKENS), PAD, dtype=np.int16)
        for row, i in enumerate(fit):
            array[row, : len(ids[i])] = ids[i]
            array[row, len(ids[i])] = 0
        out[f"{name}_{side}"] = array
    return out


def make_model(seed: int) -> Any:
    """A Marian model: post-norm, sinusoidal positions, one embedding table for both languages and the output."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(seed)
    config = MarianConfig(
        vocab_size=VOCABULARY_SIZE,
        decoder_vocab_size=VOCABULARY_SIZE,
        d_model=256,
        encoder_layers=4,
        decoder_layers=2,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=1024,
        decoder_ffn_dim=1024,
        dropout=0.15,
        attention_dropout=0.1,
        activation_dropout=0.0,
        activation_function="swish",
        scale_embedding=True,
        max_position_embeddings=256,
        eos_token_id=0,
        forced_eos_token_id=0,
        bos_token_id=None,
        pad_token_id=PAD,
        decoder_start_token_id=PAD,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
        init_std=1 / 16,
    )
    return MarianMTModel(config)


def batches(lengths: Any, tokens: int, generator: Any) -> Iterator[Any]:
    """Rows of about one length, about `tokens` tokens at a time, in random order."""
    import torch

    noise = torch.rand(len(lengths), generator=generator)
    order = torch.argsort(lengths.cpu() + 3 * noise)
    at, found = 0, []
    sorted_lengths = lengths.cpu()[order].tolist()
    while at < len(order):
        count = max(1, min(tokens // (int(sorted_lengths[min(at, len(order) - 1)]) + 2), len(order) - at))
        found.append(order[at : at + count])
        at += count
    for i in torch.randperm(len(found), generator=generator).tolist():
        yield found[i]


@dataclass
class Training:
    """What going on after an interruption needs; saved as `last.pt`."""

    model: Any
    optimizer: Any
    generator: Any
    seed: int
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    averaged: dict[str, Any] | None = None
    n_averaged: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write everything; a kill while writing leaves the checkpoint before."""
        import torch

        state = {name: getattr(self, name) for name in ("epoch", "step", "seconds", "averaged", "n_averaged", "curve")}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state | {"generator": self.generator.get_state()}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def restore(self, path: Path, device: str) -> None:
        """Take over what `save` wrote."""
        import torch

        state = torch.load(path, map_location=device, weights_only=True)
        self.model.load_state_dict(state.pop("model"))
        self.optimizer.load_state_dict(state.pop("optimizer"))
        self.generator.set_state(state.pop("generator").cpu())
        for name, value in state.items():
            setattr(self, name, value)

    def add_to_average(self) -> None:
        """Add the weights as they are to the sum that is averaged at the end."""
        now = {name: value.detach().float().clone() for name, value in self.model.state_dict().items()}
        self.averaged = now if self.averaged is None else {k: self.averaged[k] + v for k, v in now.items()}
        self.n_averaged += 1


@dataclass(frozen=True)
class Schedule:
    """How long to train and how fast: the rate rises over `warmup` steps, then falls as a half cosine."""

    epochs: int
    seconds: float
    rate: float
    warmup: int
    sample: int = 0  # pairs of Tatoeba that an epoch sees beside all of our own; 0: all

    def rate_at(self, training: Training, steps_an_epoch: int, elapsed: float) -> float:
        """The rate of the next step; the clock counts where it is ahead of the steps."""
        done = min(1.0, max(training.step / (steps_an_epoch * self.epochs), elapsed / self.seconds))
        return self.rate * min(training.step / self.warmup, 1.0) * max(0.5 * (1 + math.cos(math.pi * done)), 0.05)

    def is_late(self, epoch: int, elapsed: float) -> bool:
        """Whether the weights at the end of this epoch belong to the average: those of the last tenth."""
        return epoch >= self.epochs - max(1, self.epochs // 10) or elapsed > 0.9 * self.seconds


def train(folder: Path, name: str, seed: int, schedule: Schedule, start: str = "") -> None:
    """Train a model, from scratch or from another's weights; the weights of the last tenth of epochs are averaged."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(folder, device, schedule.sample)
    model = (load(folder, start).float() if start else make_model(seed)).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), eps=1e-9, fused=device == "cuda")
    training = Training(model, optimizer, torch.Generator().manual_seed(seed), seed)
    if (out / "last.pt").exists():
        training.restore(out / "last.pt", device)
    before, begun = training.seconds, time.monotonic()
    for epoch in range(training.epoch, schedule.epochs):
        loss = train_epoch(training, corpus["train"], schedule, before - begun)
        training.epoch, training.seconds = epoch + 1, before + time.monotonic() - begun
        late = schedule.is_late(epoch, training.seconds)
        if late:
            training.add_to_average()
        if late or epoch % 5 == 4:
            tested = validation_loss(model, corpus["curve"])
            training.curve.append({"epoch": epoch + 1, "train": round(loss, 4), "validation": round(tested, 4)})
            print(
                f"{name} epoch {epoch + 1} of {schedule.epochs}, step {training.step}: {loss:.3f}, validation "
                f"{tested:.3f}, {training.seconds:.0f} s",
                flush=True,
            )
        if device == "cpu" or epoch % 20 == 19:
            training.save(out / "last.pt")
        if training.seconds > schedule.seconds:
            break
    assert training.averaged is not None
    model.load_state_dict({k: v / training.n_averaged for k, v in training.averaged.items()})
    model.half().save_pretrained(out)
    record = {name: getattr(training, name) for name in ("seed", "epoch", "step", "n_averaged", "seconds", "curve")}
    record["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    (out / "training.json").write_text(json.dumps(record | {"start": start}))


def train_epoch(training: Training, corpus: tuple[Any, Any, Any], schedule: Schedule, clock: float) -> float:
    """One pass over the pairs; the mean loss, in nats a token, with label smoothing (Szegedy et al. 2016)."""
    import torch
    from torch.nn import functional

    source, target, lengths = corpus
    device = source.device.type
    tokens = 16_384 if device == "cuda" else 4096
    running, order = torch.zeros((), device=device), list(batches(lengths, tokens, training.generator))
    for rows in order:
        training.step += 1
        for group in training.optimizer.param_groups:
            group["lr"] = schedule.rate_at(training, len(order), clock + time.monotonic())
        longest = int(lengths[rows].max())
        given, wanted = (side[rows.to(device), :longest].long() for side in (source, target))
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            logits = next_logits(training.model, given, wanted)
        labels = wanted.masked_fill(wanted == PAD, -100)
        loss = functional.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, label_smoothing=0.1
        )
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(training.model.parameters(), 1.0)
        training.optimizer.step()
        running += loss.detach()
    return float(running) / len(order)


def next_logits(model: Any, given: Any, wanted: Any) -> Any:
    """Logits of every token of the target, given those before it."""
    import torch

    shifted = torch.cat([torch.full_like(wanted[:, :1], PAD), wanted[:, :-1]], dim=1)
    return model(input_ids=given, attention_mask=(given != PAD).long(), decoder_input_ids=shifted).logits


def load_corpus(folder: Path, device: str, sample: int = 0) -> dict[str, tuple[Any, Any, Any]]:
    """Ids on the device, with each pair's longer length (on the processor)."""
    import torch

    arrays = np.load(folder / "corpus.npz")
    out = {}
    for name in ("train", "curve"):
        source, target = (torch.from_numpy(arrays[f"{name}_{side}"]) for side in ("source", "target"))
        if sample and name == "train":
            theirs = len(source) - int(arrays["n_own"])
            drawn = torch.randperm(theirs, generator=torch.Generator().manual_seed(sample))[:sample]
            rows = torch.cat([drawn, torch.arange(theirs, len(source))])
            source, target = source[rows], target[rows]
        lengths = torch.stack([(side != PAD).sum(1) for side in (source, target)]).max(0).values
        out[name] = (source.to(device), target.to(device), lengths)
    return out


def validation_loss(model: Any, corpus: tuple[Any, Any, Any]) -> float:
    """Cross-entropy in nats a token, without smoothing."""
    import torch
    from torch.nn import functional

    source, target, lengths = corpus
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(source), 256):
            rows = slice(start, start + 256)
            longest = int(lengths[rows].max())
            given, wanted = (side[rows, :longest].long() for side in (source, target))
            labels = wanted.masked_fill(wanted == PAD, -100).flatten()
            logits = next_logits(model, given, wanted).float().flatten(0, 1)
            total += float(functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum"))
            count += int((labels != -100).sum())
    model.train()
    return total / count


def translate(folder: Path, model: Any, texts: Sequence[str], beams: int, batch: int = 256) -> list[str]:
    """Translations, greedy or with several beams."""
    import sentencepiece
    import torch

    joint = sentencepiece.SentencePieceProcessor(model_file=str(folder / "joint.model"))
    ids = joint.encode(list(texts))
    order = sorted(range(len(texts)), key=lambda i: len(ids[i]))
    out = [""] * len(texts)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        longest = max(len(ids[i]) for i in rows) + 1
        given = torch.full((len(rows), longest), PAD)
        for row, i in enumerate(rows):
            given[row, : len(ids[i]) + 1] = torch.tensor([*ids[i], 0])
        given = given.to(model.device)
        with torch.no_grad():
            made = model.generate(
                given,
                attention_mask=(given != PAD).long(),
                num_beams=beams,
                do_sample=False,
                max_new_tokens=2 * longest + 10,
                bad_words_ids=[[PAD]],
            )
        for i, line in zip(rows, made.tolist(), strict=True):
            out[i] = joint.decode([one for one in line if one not in (0, PAD)])
    return out


def load(folder: Path, name: str) -> Any:
    """The averaged weights of a trained model."""
    import torch
    from transformers import MarianMTModel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float16 if device == "cuda" else torch.float32
    return MarianMTModel.from_pretrained(folder / name, dtype=dtype).to(device).eval()


def evaluate(folder: Path, name: str) -> dict[str, float]:
    """BLEU and chrF on the test sentences against all their translations, greedy and with four beams."""
    import sacrebleu

    tested = json.loads((folder / "held_out.json").read_text(encoding="utf-8"))
    most = max(len(translations) for _, translations in tested)
    references = [[t[i] if i < len(t) else None for _, t in tested] for i in range(most)]
    model, found = load(folder, name), {}
    for way, beams in (("greedy", 1), ("beam", 4)):
        made = translate(folder, model, [english for english, _ in tested], beams)
        found[f"bleu_{way}"] = round(sacrebleu.corpus_bleu(made, references).score, 2)
        found[f"chrf_{way}"] = round(sacrebleu.corpus_chrf(made, references).score, 2)
    samples = [
        "The bank of the river is muddy.",
        "The bank lends money.",
        "She lit the candle with a match.",
        "He scored a goal in the last match.",
        "The spring of the clock is broken.",
        "We planted the tomatoes in spring.",
        "The queen is stronger than the king.",
    ]
    for english, french in zip(samples, translate(folder, model, samples, 4), strict=True):
        print(f"  {english} -> {french}")
    print(name, found, flush=True)
    (folder / name / "scores.json").write_text(json.dumps(found))
    return found


def make_tokenizer(model_file: Path) -> Any:
    """The SentencePiece model as a fast tokenizer, which knows where in the text a piece stands."""
    from sentencepiece.sentencepiece_model_pb2 import ModelProto
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    proto = ModelProto()
    proto.ParseFromString(model_file.read_bytes())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram([*pieces, ("<pad>", 0.0)], unk_id=1))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.NFKC(),
            normalizers.Strip(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.add_special_tokens(["</s>", "<unk>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 0)])
    return tokenizer


def pack(folder: Path, name: str, target: Path = TARGET) -> None:
    """Write the weights in 8 bits, the config and the tokenizer that ship with polysema."""
    from safetensors.numpy import load_file, save_file

    from polysema.core.model.quantized import WEIGHTS_FILE, quantize_rows

    target.mkdir(parents=True, exist_ok=True)
    weights = load_file(folder / name / "model.safetensors")
    save_file(quantize_rows(weights), target / WEIGHTS_FILE, metadata={"format": "pt"})
    config = make_model(0).config
    config.architectures = ["MarianMTModel"]
    config.save_pretrained(target)
    generation = {
        "decoder_start_token_id": PAD,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "pad_token_id": PAD,
        "bad_words_ids": [[PAD]],
        "max_length": 128,
    }
    (target / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    make_tokenizer(folder / "joint.model").save(str(target / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 64,
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": False,
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    print(f"{sum(path.stat().st_size for path in target.iterdir()):,} bytes in {target}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["prepare", "train", "pack", "evaluate"])
    parser.add_argument("paths", nargs=2, type=Path)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=70)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=0, help="pairs of Tatoeba that are seen; 0: all")
    parser.add_argument("--start", default="", help="the model whose weights training starts from")
    given = parser.parse_args()
    first, second = given.paths
    if given.stage == "prepare":
        prepare(first, second)
    elif given.stage == "train":
        schedule = Schedule(given.epochs, given.seconds, given.rate, given.warmup, given.sample)
        train(first, str(second), given.seed, schedule, given.start)
    elif given.stage == "pack":
        pack(first, str(second))
    else:
        evaluate(first, str(second))


if __name__ == "__main__":
    main()
