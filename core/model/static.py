"""Static vectors of a model: its table of input embeddings, read without loading the model."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.gguf import converted, is_gguf
from polysema.core.model.hub_download import bring
from polysema.core.model.lora import read_adapter
from polysema.core.model.model_folder import check_folder, files_hash, is_adapter, read_json
from polysema.core.model.tokenizer import TOKENIZER_FILE, check_vocabulary, read_tokenizer
from polysema.core.model.watched_load import Watch
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Family, Floats, Keys, Origin, Space
from polysema.core.space.spelling import encoded

if TYPE_CHECKING:
    from polysema.core.model.language_model import LanguageModel

PIECE = "##"  # what stands before a token that goes on with a word, as WordPiece writes it

# how the families name the table; the first that is there is taken
TABLE_ENDINGS = (
    "embeddings.word_embeddings.weight",
    "encoder.embed_tokens.weight",
    "shared.weight",
    "embed_tokens.weight",
    "wte.weight",
    "word_embeddings.weight",
    "embed_in.weight",
    "word_embedding.weight",
    "tok_embeddings.weight",
)


def input_table(found: ModelLocation, progress: Progress = no_progress) -> Space:
    """The input embeddings of a model's folder as a static space: (vocabulary, dim), a row a token.

    A token that begins a word is named by the word alone, one that goes on with a word has `##` before it, whatever
    the tokenizer's own sign; special tokens keep their names. `progress` is told of what is brought from the hub or
    converted. Raises `UnreadableError` when there is no such table.
    """
    found = bring(found, Watch(progress))
    assert found.path is not None
    if is_gguf(found.path):
        return input_table(replace(found, path=converted(found.path, progress)))
    if is_adapter(found.path):  # LoRA leaves the table as the base model has it
        adapter = read_adapter(found)
        space = input_table(adapter.base, progress)
        return replace(
            space, origin=replace(space.origin, source=found.name).with_notes(f"the table of {adapter.told}")
        )
    vectors = _table(found.path)
    names = token_names(found.path)
    if not (found.path / TOKENIZER_FILE).is_file():
        names = names[: len(vectors)]  # such a tokenizer may have more tokens of its own than the table has rows
    if len(names) > len(vectors):
        raise UnreadableError(
            f"the tokenizer of {found.name} has {len(names):,} tokens, its table {len(vectors):,} rows"
        )
    origin = Origin(
        found.name,
        Family.STATIC,
        weights_sha256=files_hash(found.path),
        pooling="input embeddings",
        revision=found.entry.requirement if found.entry else "",
    )
    return Space(Keys(names), vectors[: len(names)], origin)


def _table(folder: Path) -> Floats:
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        check_folder(folder)
    for path in files:
        try:
            with safe_open(path, framework="pt") as tensors:
                there = sorted(tensors.keys())
                name = next((key for end in TABLE_ENDINGS for key in there if f".{key}".endswith(f".{end}")), None)
                if name is not None:
                    vectors: Floats = tensors.get_tensor(name).float().numpy()
                    return _finite(vectors, path, name)
        except (SafetensorError, OSError) as error:
            raise UnreadableError(f"{path} can't be read as safetensors: {error}") from None
    raise UnreadableError(f"{folder} has no table of input embeddings under a name that is known")


def _finite(vectors: Floats, path: Path, name: str) -> Floats:
    """The same table; raises `UnreadableError` where a number of it is NaN or infinite."""
    # one sum of each row tells NaN and infinity, and is much cheaper than a look at each number
    bad = np.flatnonzero(~np.isfinite(vectors.sum(axis=1, dtype=np.float32)))
    bad = bad[~np.isfinite(vectors[bad]).all(axis=1)]
    if len(bad):
        raise UnreadableError(
            f"{path}: NaN or infinite are {len(bad):,} of {len(vectors):,} rows of {name}; get the file again, or "
            "save it anew"
        )
    return vectors


def token_names(folder: Path) -> list[str]:
    """The names of a tokenizer's tokens, by id; an id without a token is named `[unused id]`."""
    from tokenizers import Tokenizer

    path = folder / TOKENIZER_FILE
    if not path.is_file():
        return _piece_names(folder)
    try:
        tokenizer = Tokenizer.from_file(str(path))
        spec: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises bare Exception
        raise UnreadableError(f"{path} can't be read as a tokenizer: {error}") from None
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    special = {token["content"] for token in spec.get("added_tokens", [])}
    size = max(vocabulary.values(), default=-1) + 1
    if size > 10_000_000:
        raise UnreadableError(f"{path} numbers its tokens up to {size:,}; at most 10,000,000 are read")
    byte_level = "ByteLevel" in json.dumps([spec.get("pre_tokenizer"), spec.get("decoder")])
    word_piece = spec.get("model", {}).get("type") == "WordPiece"
    names = [""] * size
    for token, row in vocabulary.items():
        names[row] = token if token in special or word_piece else _readable(token, byte_level)
    return _distinct(names)


def _piece_names(folder: Path) -> list[str]:
    """The same of a folder whose tokenizer is SentencePiece's alone."""
    tokenizer = read_tokenizer(folder, folder.name, str(read_json(folder / "config.json").get("model_type", "")))
    check_vocabulary(tokenizer, str(folder))
    vocabulary = tokenizer.get_vocab()
    special = set(tokenizer.all_special_tokens) | set(tokenizer.get_added_vocab())
    names = [""] * (max(vocabulary.values(), default=-1) + 1)
    for token, row in vocabulary.items():
        names[row] = token if token in special else _readable(token, False)
    return _distinct(names)


def _distinct(names: list[str]) -> list[str]:
    taken: set[str] = set()
    for row, name in enumerate(names):
        if not name or name in taken:  # a byte that is no text, or two tokens that read the same
            names[row] = f"[unused {row}]" if not name else f"{name} [{row}]"
        taken.add(names[row])
    return names


def _readable(token: str, byte_level: bool) -> str:
    start = token[:1] in ("Ġ", "▁")
    text = token[1:] if start else token
    if byte_level:
        with suppress(KeyError, UnicodeDecodeError):  # half a character is shown as the tokenizer writes it
            text = bytes(_BYTES[character] for character in text).decode("utf-8")
    else:
        text = text.replace("▁", " ")
    if not text.strip():
        return repr((" " if start else "") + text)
    return text if start else PIECE + text


def byte_alphabet() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for characters from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = byte_alphabet()


def word_table(model: "LanguageModel", words: Sequence[str]) -> Space:
    """The static vectors of whole words, (n_words, dim): a word's row where it is one token, else the mean of its
    tokens'.

    Column `tokens` counts them. Raises `UserError` without a word, for a word named twice, and for one without a token.
    """
    if not words:
        raise UserError("a table needs at least one word; got none")
    twice = [word for word, times in Counter(words).items() if times > 1]
    if twice:
        raise UserError(f"a word is named twice: {twice[0]!r}")
    rows = [static_vector(model, word) for word in words]
    origin = replace(
        model.origin(None, "input embeddings, mean of sub-words"), family=Family.STATIC, engine="", windows=""
    ).with_notes(*_unknown_notes(model, words))
    return Space(
        Keys(list(words)),
        np.stack([vector for vector, _ in rows]),
        origin,
        pa.table({"tokens": pa.array([pieces for _, pieces in rows], pa.int32())}),
    )


def _unknown_notes(model: "LanguageModel", words: Sequence[str]) -> tuple[str, ...]:
    """What is said of the words of a table that the tokenizer doesn't know."""
    from polysema.core.model.tokens import Occurrence, Span
    from polysema.core.model.unknown import UnknownWord, unknown_id, unknown_notes

    unknown, found = unknown_id(model.tokenizer), []
    if unknown is None:
        return ()
    for word in words:
        ids = _ids(model, word)
        if unknown in ids:
            found.append(UnknownWord(Occurrence(0, word, Span(0, len(word))), ids.count(unknown), len(ids)))
    return unknown_notes(model.tokenizer, model.name, found)


def _ids(model: "LanguageModel", word: str) -> list[int]:
    """A word's tokens as it stands after a space, within a sentence."""
    encoded(word)
    return model.tokenizer(" " + word, add_special_tokens=False)["input_ids"]


def static_vector(model: "LanguageModel", word: str) -> tuple[Floats, int]:
    """A word's static vector in the model's own table: the mean of its tokens' rows, (dim,), and how many they are.

    The word is tokenized as it stands after a space, as within a sentence.
    """
    ids = _ids(model, word)
    if not ids:
        raise UserError(f"the tokenizer of {model.name} makes no token of {word!r}, so it has no static vector")
    rows = model.input_table[ids].float().cpu().numpy()
    vector: Floats = rows.mean(axis=0, dtype=np.float32)
    return vector, len(ids)
