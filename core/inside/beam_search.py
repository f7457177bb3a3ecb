"""Beam search as transformers does it, one step at a time, with the beams of every step."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from polysema.core.inside.generation_results import Beam, DecodingOptions, GenerationStep, Hypothesis
from polysema.core.inside.next_token import NextTokenModel
from polysema.core.inside.token_distribution import Distribution

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LogitsProcessorList


@dataclass(frozen=True, slots=True)
class _Path:
    """A text of the search: its ids, its log-probability, and the step of each of its tokens."""

    ids: tuple[int, ...] = ()
    score: float = 0.0
    steps: tuple[GenerationStep, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedPath:
    """A text that came to its end or to its greatest length, with the score by which it is compared."""

    path: _Path
    score: float
    ended: bool


@dataclass(slots=True)
class BeamSearch:
    """The search over one text; `steps` runs it, and `finished` are then the texts that it came to, best first."""

    writer: NextTokenModel
    rules: "LogitsProcessorList"
    options: DecodingOptions
    ends: set[int]
    k: int
    early: bool | str = False
    finished: list[FinishedPath] = field(default_factory=list)
    best_ids: tuple[int, ...] = ()  # of the best beam behind the last step
    _improvable: bool = True

    def steps(self, limit: int) -> Iterator[GenerationStep]:
        """At most so many steps, each with its beams; a step's own token is that of its best beam."""
        import torch

        running = [_Path()]
        for number in range(limit):
            with torch.inference_mode():
                if number == 0:
                    logits = self.writer.begin()[-1:]
                else:
                    logits = self.writer.advance([path.ids[-1] for path in running], self._n_prefix + number)
                kept = self._continued(running, logits, number)
                stops = [path.ids[-1] in self.ends or number + 1 == limit for path, _ in kept]
                self._finish([path for path, _ in kept], stops, number)
                alive = [one for one, stop in zip(kept, stops, strict=True) if not stop]
                going = alive[: self.options.num_beams]
            shown = sorted([*going, *self._just_ended(kept, stops)], key=lambda one: -one[0].score)
            yield self._step(shown)
            if not going or not self._goes_on(going[0][0].score, number + 1, limit):
                return
            if number + 1 < limit:
                self.writer.take_rows([parent for _, parent in going])
            running = [path for path, _ in going]

    @property
    def _n_prefix(self) -> int:
        return len(self.writer.prefix)

    def _continued(self, running: list[_Path], logits: "Tensor", number: int) -> list[tuple[_Path, int]]:
        """The best continuations of all beams together, best first, each with the number of the beam it goes on."""
        import torch

        device = logits.device
        before = torch.tensor([[*self.writer.start, *self.writer.prefix, *path.ids] for path in running], device=device)
        logs = logits.float().log_softmax(-1)
        scores = self.rules(before, logs)
        found = Distribution.of(self.writer, logs, scores, self.k)
        total = scores + torch.tensor([path.score for path in running], device=device)[:, None]
        n_kept = min(max(2, 1 + len(self.ends)) * self.options.num_beams, total.numel())
        best = total.flatten().topk(n_kept)
        kept = []
        for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            parent, number_of = divmod(place, total.shape[1])
            path = running[parent]
            step = found.step(self._n_prefix + number, parent, number_of, self._text((*path.ids, number_of)), self.ends)
            kept.append((_Path((*path.ids, number_of), score, (*path.steps, step)), parent))
        return kept

    def _text(self, ids: tuple[int, ...]) -> str:
        return self.writer.decode((*self.writer.prefix, *ids))

    def _finish(self, kept: list[_Path], stops: list[bool], number: int) -> None:
        """Take up those of the best continuations that stop; the best of all stay."""
        full = self.early is True and len(self.finished) == self.options.num_beams
        if full or not self._improvable:
            return
        length = (number + 1) ** float(self.options.length_penalty or 0.0)
        new = [
            FinishedPath(path, path.score / length, path.ids[-1] in self.ends)
            for path, stop in zip(kept[: self.options.num_beams], stops[: self.options.num_beams], strict=True)
            if stop
        ]
        self.finished = sorted([*self.finished, *new], key=lambda one: -one.score)[: self.options.num_beams]

    def _goes_on(self, best: float, length: int, limit: int) -> bool:
        """Whether a running beam could still become better than the worst of those that are finished."""
        penalty = float(self.options.length_penalty or 0.0)
        full = len(self.finished) == self.options.num_beams
        hoped = limit if self.early == "never" and penalty > 0 else length
        worst = self.finished[-1].score if full else -1e9
        self._improvable = self._improvable and best / hoped**penalty > worst
        return self._improvable and not (full and self.early is True)

    def _just_ended(self, kept: list[tuple[_Path, int]], stops: list[bool]) -> list[tuple[_Path, int]]:
        n = self.options.num_beams
        return [one for one, stop in zip(kept[:n], stops[:n], strict=True) if stop]

    def _step(self, shown: list[tuple[_Path, int]]) -> GenerationStep:
        beams = tuple(
            Beam(
                parent,
                self.writer.name(path.ids[-1]),
                path.ids[-1],
                path.score,
                self._text(path.ids),
                path.ids[-1] in self.ends,
            )
            for path, parent in shown
        )
        self.best_ids = shown[0][0].ids
        return replace(shown[0][0].steps[-1], beams=beams)

    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The texts that the search came to, best first."""
        return tuple(
            Hypothesis(self._text(one.path.ids), (*self.writer.prefix, *one.path.ids), one.score, one.ended)
            for one in self.finished
        )
