"""What heads write: their outputs where a word stands, as a space, and the sub-space that a head can write into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from polysema.core.errors import UserError
from polysema.core.inside.architectures import CROSS, SELF, anatomy, check_head, check_layers, require_plan
from polysema.core.inside.decomposition import head_vectors, out_matrix
from polysema.core.inside.head_names import zero_based_head
from polysema.core.inside.hooks import ModuleOutput, one_reading, positions_of, rows_of, twin_of
from polysema.core.model.load import LanguageModel
from polysema.core.model.tokens import find_word
from polysema.core.space.space import Floats, Keys, Space

if TYPE_CHECKING:
    from torch import Tensor


def head_outputs(
    model: LanguageModel,
    texts: Sequence[str],
    words: Sequence[str],
    layers: Sequence[int] | None = None,
    sources: Sequence[str] | None = None,
    kind: str = SELF,
) -> Space:
    """What each head writes where a word stands, as a space: a row for each text, layer and head, (n, dim).

    `words` are one for each text (its first occurrence; sub-words are averaged). A row is named by its word and
    its head in the notation of TransformerLens (`bank L2H4`, counted from 0); the columns, counted from 1, are text_id,
    word, start, end, layer, head, and `key_head`, whose keys it reads.
    """
    if len(texts) != len(words) or not texts:
        raise UserError(f"give as many words as texts; got {len(texts)} texts and {len(words)} words")
    if kind == CROSS and not model.reads_two:
        raise UserError(f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)")
    require_plan(model)
    chosen = check_layers(model, layers)
    rows: list[dict[str, Any]] = []
    vectors: list[Floats] = []
    with twin_of(model) as twin:
        kept: dict[int, Tensor] = {}

        def taker(layer: int) -> Callable[[ModuleOutput], None]:
            def take(out: ModuleOutput) -> None:
                kept[layer] = rows_of(out)

            return take

        for layer in chosen:
            twin.on_input(twin.parts.attention(layer, kind).out, taker(layer))
        for number, (text, word) in enumerate(zip(texts, words, strict=True)):
            reading = one_reading(model, text, sources[number] if sources else None)
            span, places = find_word(reading.text, word), positions_of(reading, word)
            twin.run(reading)
            for layer in chosen:
                part = twin.parts.attention(layer, kind)
                written = head_vectors(part, kept[layer][places]).mean(1).float().cpu().numpy()  # (n_heads, dim)
                for head, vector in enumerate(written, 1):
                    vectors.append(vector)
                    rows.append(
                        {
                            "key": f"{reading.text[span.start : span.end]} {zero_based_head(layer, head)}",
                            "text_id": number,
                            "word": reading.text[span.start : span.end],
                            "start": span.start,
                            "end": span.end,
                            "layer": layer,
                            "head": head,
                            "key_head": (head - 1) * part.n_key_heads // part.n_heads + 1,
                        }
                    )
    origin = model.origin(None, f"what each {'cross ' if kind == CROSS else ''}head writes, mean of sub-words")
    table = pa.Table.from_pylist(rows)
    return Space(Keys(table.column("key")), np.stack(vectors), origin, table.drop_columns(["key"]))


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """Where a head writes: `basis` (rank, dim), orthonormal, spans all that it can write; it reads from its keys' head
    (`key_head`) through `width` numbers, so its rank is at most that.
    """

    layer: int
    head: int
    width: int
    rank: int
    key_head: int
    basis: Floats

    def share(self, vector: Floats) -> float:
        """Which part of a vector's squared length lies in the sub-space, 0 to 1; chance is rank / dim."""
        length = float(vector.astype(np.float64) @ vector)
        if not np.isfinite(length) or length == 0:
            raise UserError("the share of a vector needs one of finite length other than 0")
        return float(((self.basis.astype(np.float64) @ vector) ** 2).sum() / length)


def head_subspace(model: LanguageModel, layer: int, head: int, kind: str = SELF) -> Subspace:
    """The sub-space of the hidden states that a head can write into; layers and heads count from 1."""
    (layer,), head = check_layers(model, [layer]), check_head(model, head)
    if kind == CROSS and not model.reads_two:
        raise UserError(f"{model.name} has no cross-attention as it is loaded: that is the decoder's (stack decoder)")
    part = anatomy(model).attention(layer, kind)
    matrix = out_matrix(part).float().cpu().numpy()
    width = len(matrix) // part.n_heads
    _, sizes, basis = np.linalg.svd(matrix[(head - 1) * width : head * width].astype(np.float64), full_matrices=False)
    rank = int((sizes > sizes[0] * max(matrix.shape) * np.finfo(np.float32).eps).sum()) if sizes[0] > 0 else 0
    key_head = (head - 1) * part.n_key_heads // part.n_heads + 1
    return Subspace(layer, head, width, rank, key_head, basis[:rank].astype(np.float32))
