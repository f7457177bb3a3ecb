"""What was written to files."""

from dataclasses import dataclass
from typing import Any

from polysema.core.space.space import Origin


@dataclass(frozen=True, slots=True)
class ExportAnswer:
    """A finished export: its `rows`, and the `words` (or tokens, or texts) of the `texts` that they are of.

    `split` texts were longer than the model's window, `unknown` words have pieces that the tokenizer doesn't know, and
    of `unseen` ones it makes no token, so that they have no row.
    """

    folder: str
    rows: int
    words: int
    texts: int
    files: int
    unit: str
    layers: tuple[int, ...]
    split: int
    unknown: int
    unseen: int
    origin: Origin

    @classmethod
    def of(cls, folder: str, manifest: dict[str, Any]) -> "ExportAnswer":
        """What the manifest of an export says."""
        files = sum(len(shard["files"]) for shard in manifest["shards"])
        names = ("rows", "words", "texts", "unit", "split", "unknown", "unseen")
        values = {name: manifest[name] for name in names}
        origin = Origin.from_json(manifest["origin"])
        return cls(folder, files=files, layers=tuple(manifest["layers"]), origin=origin, **values)


@dataclass(frozen=True, slots=True)
class WrittenVectors:
    """The files that hold a space: its `rows`, and how many numbers each has."""

    paths: tuple[str, ...]
    rows: int
    dim: int
    origin: Origin
