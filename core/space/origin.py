"""`Origin`: the card that says where vectors come from."""

from dataclasses import asdict, dataclass, fields, replace
from enum import Enum
from typing import Any

from polysema.core.display import HtmlRepr
from polysema.core.errors import IncompatibleError


class Family(Enum):
    """How the vectors of an origin come about."""

    STATIC = "static"
    ENCODER = "encoder"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder-decoder"


@dataclass(frozen=True, slots=True, repr=False)
class Origin(HtmlRepr):
    """The provenance card of a space: what made its vectors, and what is to be known of them.

    Args:
        source: A name of the catalog, a folder, a hub id or a file.
        family: How the vectors come about.
        weights_sha256: Tells two revisions of a file or a model apart.
        revision: Of a model of the hub.
        layer: As transformers counts (0 the embedding output, n the last block), None for a static space.
        pooling: How sub-words become a word, or words a text.
        transform: What was done to the vectors of a whole space (`raw`, `centered`, …).
        normalized: Whether every vector has length 1.
        dtype: Of the weights.
        engine: What computed them.
        stack: `encoder` or `decoder`, for an encoder-decoder.
        final_norm: `after` or `before`, for a stack that ends in a norm: where its last layer is taken.
        windows: How texts longer than the model's window were read.
        versions: Name and version of each library that counts.
        notes: What was passed over or mended when the vectors were read, and what is to be known of an answer's words.
        prompt: Stood before each text; a question and what it finds may have different ones.
        beginning: A token put before each text.
        dimensions: How many first numbers were kept of more, scaled to length 1 (Matryoshka); None: all.

    Example:
        >>> Origin("mine.txt", transform="centered")
        Origin(mine.txt, static, centered)
    """

    source: str
    family: Family = Family.STATIC
    weights_sha256: str = ""
    revision: str = ""
    layer: int | None = None
    pooling: str = ""
    transform: str = "raw"
    normalized: bool = False
    dtype: str = "float32"
    engine: str = ""
    stack: str = ""
    final_norm: str = ""
    windows: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    prompt: str = ""
    beginning: str = ""
    dimensions: int | None = None

    def __repr__(self) -> str:
        return f"Origin({self.card()})"

    def card(self) -> str:
        """The card on one line: what differs between two spaces can be read from it.

        Returns:
            Its parts with commas between them.
        """
        pooling = self.pooling if " " in self.pooling else f"{self.pooling} of sub-words"
        parts = (
            (True, self.source),
            (True, self.family.value),
            (self.layer is not None, f"layer {self.layer}"),
            (self.stack == "decoder", "its decoder"),
            (self.final_norm == "before", "before the final norm"),
            (self.pooling, pooling),
            (self.beginning, f"behind {self.beginning}"),
            (self.prompt, f"prompt {self.prompt!r}"),
            (self.dimensions is not None, f"first {self.dimensions} dimensions"),
            (self.transform != "raw", self.transform),
            (self.weights_sha256, f"weights {self.weights_sha256[:12]}"),
            (self.engine.endswith("int8"), f"engine {self.engine}: not exact"),
        )
        return ", ".join(part for told, part in parts if told)

    def require_same(self, other: "Origin") -> None:
        """Check that vectors of the two may be compared.

        Args:
            other: The card of the other vectors.

        Raises:
            IncompatibleError: They are of another model, layer, pooling or transform; the message has both cards.
        """
        names = (
            "source",
            "family",
            "weights_sha256",
            "stack",
            "layer",
            "final_norm",
            "pooling",
            "transform",
            "beginning",
        )
        if any(getattr(self, name) != getattr(other, name) for name in names):
            raise IncompatibleError(
                f"these vectors don't belong together: [{self.card()}] and [{other.card()}]; take both from the same "
                "model, layer and pooling"
            )

    def with_notes(self, *notes: str) -> "Origin":
        """The same card with what is to be said of one answer: each note once, none that is empty.

        Args:
            *notes: One sentence each.

        Returns:
            A new card, or this one where there is nothing new to say.
        """
        more = tuple(note for note in dict.fromkeys(notes) if note and note not in self.notes)
        return replace(self, notes=(*self.notes, *more)) if more else self

    def to_json(self) -> dict[str, object]:
        """The card as plain JSON types.

        Returns:
            A value for each field.
        """
        card = asdict(self)
        card["family"] = self.family.value
        card["versions"] = dict(self.versions)
        card["notes"] = list(self.notes)
        return card

    @classmethod
    def from_json(cls, card: dict[str, Any]) -> "Origin":
        """The inverse of `to_json`.

        Args:
            card: Its fields; those that a newer version added are ignored.

        Returns:
            The card.
        """
        known = {f.name for f in fields(cls)}
        values = {name: value for name, value in card.items() if name in known}
        values["family"] = Family(values.get("family", "static"))
        values["versions"] = tuple(sorted(dict(values.get("versions", {})).items()))
        values["notes"] = tuple(values.get("notes", ()))
        # cards that were written when transforms had British names
        values["transform"] = str(values.get("transform", "raw")).replace("centred", "centered")
        return cls(**values)
