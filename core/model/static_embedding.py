"""Static embedding models: a table of tokens' vectors, whose mean is a text's (Model2Vec, StaticEmbedding)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.errors import UnreadableError, UserError, list_of
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.model_folder import (
    CONFIG_FILE,
    MODEL2VEC,
    STATIC_MODULE,
    files_hash,
    read_json,
    read_modules,
    static_modules,
)
from polysema.core.model.static import token_names
from polysema.core.space.metric import unit
from polysema.core.space.space import Family, Floats, Keys, Origin, Space

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEFAULT_MAX_TOKENS = 512  # of a text, where a folder of Model2Vec doesn't say


@dataclass(frozen=True, slots=True, eq=False)
class StaticEmbedding:
    """A table (n_tokens, dim) and its tokenizer; a text's vector is the mean of its tokens' rows.

    Model2Vec leaves out tokens that are unknown and reads the first `max_tokens` of a text; sentence-transformers'
    StaticEmbedding does neither.
    """

    tokenizer: "Tokenizer"
    table: Floats
    names: tuple[str, ...]
    origin: Origin
    unknown: int | None = None
    max_tokens: int | None = None

    def space(self) -> Space:
        """The tokens as a static space, a row a token."""
        return Space(Keys(list(self.names)), self.table[: len(self.names)], self.origin)

    def encode(self, texts: Sequence[str]) -> Floats:
        """The vectors of whole texts.

        Args:
            texts: Any texts.

        Returns:
            One for each, (n_texts, dim) float32, of length 1 where the folder says so.

        Raises:
            UserError: A text has no token that is known.
        """
        read = list_of(texts, "texts")
        vectors = np.zeros((len(read), self.table.shape[1]), np.float32)
        for place, ids in enumerate(self._ids(read)):
            if not ids:
                raise UserError(f"text {place + 1} has no token that {self.origin.source} knows, so it has no vector")
            vectors[place] = self.table[ids].mean(axis=0)
        return unit(vectors) if self.origin.normalized else vectors

    def count_tokens(self, text: str) -> int:
        """How many tokens of a text its vector is the mean of."""
        return len(self._ids([text])[0])

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """The rows of the table that each text is made of."""
        if self.max_tokens is not None:  # as Model2Vec cuts a text before it is tokenized, to save time
            longest = self.max_tokens * int(np.median([len(token) for token in self.tokenizer.get_vocab()]))
            texts = [text[:longest] for text in texts]
        read = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [[number for number in one.ids[: self.max_tokens] if number != self.unknown] for one in read]


def open_static_embedding(found: ModelLocation) -> StaticEmbedding:
    """The model of a folder that Model2Vec or sentence-transformers (as StaticEmbedding) saved.

    Args:
        found: A folder for which `is_static_embedding` holds.

    Returns:
        Its table with its tokenizer; nothing of it is run.

    Raises:
        UnreadableError: Its table, tokenizer or a module can't be read, or they don't fit each other.
    """
    assert found.path is not None
    folder, normalized = _layout(found.path)
    tensors = _tensors(folder)
    table = _folded(folder, tensors)
    names = token_names(folder)
    if len(names) > len(table):
        raise UnreadableError(f"the tokenizer of {found.name} has {len(names):,} tokens, its table {len(table):,} rows")
    if not np.isfinite(table.sum(dtype=np.float64)):
        raise UnreadableError(f"the table of {found.name} holds numbers that are NaN or infinite; get the file again")
    config = read_json(folder / CONFIG_FILE) if "embeddings" in tensors and (folder / CONFIG_FILE).is_file() else None
    tokenizer = _tokenizer(folder)
    origin = Origin(
        found.name,
        Family.STATIC,
        weights_sha256=files_hash(folder),
        pooling="input embeddings",
        normalized=normalized,
        revision=found.entry.requirement if found.entry else "",
    )
    if config is None:
        return StaticEmbedding(tokenizer, table, tuple(names), origin)
    most = config.get("max_length", DEFAULT_MAX_TOKENS)
    if most is not None and (not isinstance(most, int) or most < 1):
        raise UnreadableError(f"{folder / CONFIG_FILE}: max_length is a number from 1; got {most!r}")
    return StaticEmbedding(tokenizer, table, tuple(names), origin, _unknown_id(tokenizer), most)


def _unknown_id(tokenizer: "Tokenizer") -> int | None:
    """The id of what stands for every unknown token; None where the tokenizer has none."""
    spec = json.loads(tokenizer.to_str())["model"]
    name = spec.get("unk_token")
    found: int | None = tokenizer.token_to_id(name) if name is not None else spec.get("unk_id")
    return found


def _layout(folder: Path) -> tuple[Path, bool]:
    """Where the table lies, and whether a text's vector is scaled to length 1."""
    if (folder / CONFIG_FILE).is_file():
        config = read_json(folder / CONFIG_FILE)
        if config.get("model_type") == MODEL2VEC:
            return folder, bool(config.get("normalize"))
    kinds = [str(one.get("type", "")).rsplit(".", 1)[-1] for one in read_modules(folder)]
    others = [kind for kind in kinds if kind not in (STATIC_MODULE, "Normalize")]
    if others:
        raise UnreadableError(f"{folder} has a module behind its table that is not known: {others[0]}")
    place = folder / str(static_modules(folder)[0].get("path", ""))
    if not place.resolve().is_relative_to(folder.resolve()):
        raise UnreadableError(f"the modules of {folder} name a folder outside of it")
    return place, "Normalize" in kinds


def _tensors(folder: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            return {name: file.get_tensor(name).numpy() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError) as error:
        raise UnreadableError(f"{folder} holds no table as safetensors: {error}") from None


def _folded(folder: Path, tensors: dict[str, np.ndarray[Any, np.dtype[Any]]]) -> Floats:
    """A row a token: Model2Vec may share rows among tokens (`mapping`) and weigh each (`weights`)."""
    table = tensors.get("embeddings", tensors.get("embedding.weight"))
    if table is None or table.ndim != 2:
        raise UnreadableError(f"{folder} holds no table of embeddings; there are: {', '.join(tensors) or 'none'}")
    mapping, weights = tensors.get("mapping"), tensors.get("weights")
    if mapping is not None:
        if mapping.ndim != 1 or mapping.min(initial=0) < 0 or mapping.max(initial=0) >= len(table):
            raise UnreadableError(f"{folder} has a mapping to rows that its table of {len(table):,} doesn't have")
        table = table[mapping]
    if weights is not None:
        if weights.shape != (len(table),):
            raise UnreadableError(f"{folder} has {weights.size:,} weights for {len(table):,} tokens")
        table = table * weights.astype(np.float32)[:, None]
    return np.ascontiguousarray(table, np.float32)


def _tokenizer(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises bare Exception
        raise UnreadableError(f"{folder} has no tokenizer.json that can be read: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
