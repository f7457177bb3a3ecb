"""What scores hidden states for the lens: the model's own head, or the nearest rows of its input table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.followed_tokens import FollowedTarget
from polysema.core.inside.output_head import OutputHead, find_head, head_class_note, require_head
from polysema.core.inside.proof import LENS, STATES, require_identities
from polysema.core.model.load import LanguageModel
from polysema.core.progress import go_on
from polysema.core.space.space import Family, Floats, Ints

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("auto", "logits", "static")
CHUNK_ROWS = 64  # positions scored at once: with 50,000 tokens in the vocabulary that is 13 MB
BLOCK_ROWS = 8  # of them, those whose probabilities are looked at together: few enough for a processor's cache
LOGITS, MASKED, STATIC = "logit lens", "masked-language-model head", "nearest static vectors"


@dataclass(frozen=True, slots=True, eq=False)
class LensScores:
    """What is known of (n_steps, n_tokens) states so far: the arrays of a `Lens`."""

    best: Ints
    scores: Floats
    entropy: Floats
    ranks: Ints
    followed: Floats

    @classmethod
    def empty(cls, shape: tuple[int, int], k: int, n_targets: int) -> "LensScores":
        """Room for the answers of (n_steps, n_tokens) states."""
        return cls(
            np.empty((*shape, k), np.int64),
            np.empty((*shape, k), np.float32),
            np.full(shape, np.nan, np.float32),
            np.empty((*shape, n_targets), np.int64),
            np.empty((*shape, n_targets), np.float32),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Scores every token for hidden states: by the head behind the final norm (`head`), or by cosine with `table`."""

    kind: str
    head: OutputHead | None = None
    final_norm: Any = None
    table: "Tensor | None" = None
    lengths: "Tensor | None" = None

    def logits(self, states: "Tensor") -> "Tensor":
        """(n, dim) to (n, vocabulary): logits, or cosines."""
        if self.head is not None:
            return self.head.logits(self.final_norm.forward(states) if self.final_norm is not None else states).float()
        assert self.table is not None
        states = states.float()
        found: Tensor = (states @ self.table.T) / (states.norm(dim=-1, keepdim=True).clamp_min(1e-12) * self.lengths)
        return found

    def fill(
        self, answer: LensScores, step: int, rows: slice, states: "Tensor", targets: Sequence[FollowedTarget]
    ) -> None:
        """Write what the states of some tokens say into one step of an answer."""
        block = BLOCK_ROWS if states.device.type == "cpu" else CHUNK_ROWS
        for start in range(0, len(states), CHUNK_ROWS):
            go_on()
            scores = self.logits(states[start : start + CHUNK_ROWS])
            for first in range(0, len(scores), block):
                at = slice(rows.start + start + first, rows.start + start + min(first + block, len(scores)))
                self._fill_block(answer, step, at, scores[first : first + block], targets)

    def _fill_block(
        self, answer: LensScores, step: int, at: slice, scores: "Tensor", targets: Sequence[FollowedTarget]
    ) -> None:
        for place, target in enumerate(targets):
            own = scores[:, target.id, None]
            answer.ranks[step, at, place] = (scores > own).sum(-1).cpu().numpy() + 1
        logs = scores.log_softmax(-1) if self.head is not None else None
        if logs is not None:
            scores = logs.exp()
        best = scores.topk(answer.best.shape[-1], dim=-1)
        answer.best[step, at], answer.scores[step, at] = best.indices.cpu().numpy(), best.values.cpu().numpy()
        for place, target in enumerate(targets):
            answer.followed[step, at, place] = scores[:, target.id].cpu().numpy()
        if logs is not None:
            answer.entropy[step, at] = _bits(scores, logs).cpu().numpy()


def _bits(probabilities: "Tensor", logs: "Tensor") -> "Tensor":
    """The entropy of each row, (n,); both tables are written over."""
    found = -probabilities.mul_(logs).sum(-1) / np.log(2)
    if bool(found.isnan().any()):  # a probability of 0 has the logarithm -inf: it adds nothing
        found = -probabilities.nan_to_num_(0.0).sum(-1) / np.log(2)
    answer: Tensor = found
    return answer


def find_scorer(model: LanguageModel, kind: str) -> Scorer:
    """What scores the states of a model for a kind of lens; raises `UserError` where there is none."""
    if kind not in KINDS:
        raise UserError(f"the kind of lens {kind!r} does not exist; choose one of {', '.join(KINDS)}")
    head = find_head(model)
    encoder = model.family is Family.ENCODER or model.stack == "encoder"
    if kind == "static" or (kind == "auto" and head is None and encoder):
        require_identities(model, STATES)
        table = model.input_table.float()
        if table.shape[1] != model.dim:
            raise UserError(
                f"the static vectors of {model.name} have {table.shape[1]} dimensions, its hidden states {model.dim}, "
                f"so no static vector is near a state, and it has no head that scores words{head_class_note(model)}"
            )
        return Scorer(STATIC, table=table, lengths=table.norm(dim=-1).clamp_min(1e-12))
    return head_scorer(model)


def head_scorer(model: LanguageModel) -> Scorer:
    """The model's own head, behind the final norm; raises `UserError` for a model without one."""
    from polysema.core.inside.architectures import anatomy

    head = require_head(model)
    require_identities(model, STATES, LENS)
    masked = model.family is Family.ENCODER
    return Scorer(MASKED if masked else LOGITS, head, anatomy(model).final_norm)
