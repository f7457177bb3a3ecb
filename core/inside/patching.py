"""Activation patching: what of one pass, put into another, brings its answer back.

Two texts that differ in a word or two are read; a vector of the one's pass takes the place of the other's, and the
model goes on from there. Where the answer turns, the difference is carried (Vig et al. 2020; Meng et al. 2022, "causal
tracing"; Heimersheim and Nanda 2024 on how to read it).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.errors import UserError
from polysema.core.inside.followed_tokens import FollowedTarget, forms_of, likelier
from polysema.core.inside.hooks import HookedRun, Unit, states_of, twin_of
from polysema.core.inside.lens_scores import Scorer, head_scorer
from polysema.core.inside.patch_inputs import PatchOptions, draws_of, place_of, positions_in, readings_of
from polysema.core.inside.patch_sites import PatchBench, PatchGrid, RecordedPass
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from torch import Tensor

MIN_DIFFERENCE = 1e-4  # of the two scores: below it effects would be made of rounding


@dataclass(frozen=True, slots=True, eq=False)
class Patching:
    """How much each place of a pass carries of what makes the answers of two texts differ.

    `scores` (n_layers, n_columns) are the answer's score with the one place patched, `effects` as large the share of
    the way from the pass that is patched to the other: 0 nothing changed, 1 the other's score is there. A column is a
    token of the clean text at one of the `positions`, or a head. `measure` says what the score is: the logit of one
    answer less that of another, or the log-probability of one.
    """

    part: str
    into: str
    measure: str
    layers: tuple[int, ...]
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    scores: Floats
    effects: Floats
    clean_score: float
    corrupted_score: float
    clean_tokens: tuple[Unit, ...]
    corrupted_tokens: tuple[Unit, ...]
    place: int
    answer: FollowedTarget
    against: FollowedTarget | None = None
    head: int | None = None
    n_passes: int = 0

    def best(self, k: int = 5) -> tuple[tuple[int, str, float], ...]:
        """The k places of the largest effect: layer, column, effect."""
        order = np.argsort(-self.effects, axis=None, kind="stable")[:k]
        rows, columns = np.unravel_index(order, self.effects.shape)
        places = zip(rows.tolist(), columns.tolist(), strict=True)
        return tuple((self.layers[r], self.columns[c], float(self.effects[r, c])) for r, c in places)


def patch(
    model: LanguageModel,
    texts: tuple[str | None, str | None],
    answer: str,
    against: str | None = None,
    options: PatchOptions | None = None,
    progress: Progress = no_progress,
) -> Patching:
    """Put each of a pass's activations in turn into another pass, and see what becomes of an answer.

    Args:
        model: One with a head that scores words; of an encoder-decoder its decoder.
        texts: The clean and the corrupted text, with as many tokens. Of an encoder-decoder they are what the decoder
            has written so far (None: nothing yet), and its sources are options.
        answer: The word whose score is looked at, where the next word (or the mask) is predicted.
        against: A second word: the score is then the difference of their logits.
        options: What is patched, and how.
        progress: Is told how many passes are done.

    Returns:
        Score and effect at each layer and position (or head).

    Raises:
        UserError: The texts don't align, or give the same score; a word, layer or head that isn't there; a model
            without a head; more passes than are made at once.
    """
    options = options or PatchOptions()
    require_finite(model)
    scorer = head_scorer(model)
    clean, corrupted = readings_of(model, texts, options)
    forms = [forms_of(model, word) for word in (answer, against) if word is not None]
    place = place_of(model, clean, corrupted, options)
    with twin_of(model) as twin:
        bench = PatchBench.of(twin, options.part, options.stack)
        read = clean.source if bench.beside and clean.source is not None else clean
        grid = bench.grid(options.layers, options.head, positions_in(model, read, options.at_words))
        _check_size(grid, len(clean) + len(read) * bench.beside, options)
        said = states_of(twin, clean, [model.n_layers])[model.n_layers][place]
        score = _Score.of(scorer, place, forms, said)
        runs = []
        for noise in draws_of(twin, clean, options.noise):
            passes = (RecordedPass(clean), RecordedPass(corrupted, noise))
            runs.append(_fill(bench, grid, passes, score, options.into == "clean", progress))
    return _answer(model, grid, runs, score, options, (clean, corrupted, read))


def _check_size(grid: PatchGrid, n_tokens: int, options: PatchOptions) -> None:
    n_passes = grid.n_sites * (options.noise.samples if options.noise else 1)
    if n_passes * n_tokens > options.max_tokens:
        raise UserError(
            f"{n_passes:,} places are patched one after the other, each in a pass of {n_tokens} tokens: "
            f"{n_passes * n_tokens:,} tokens to read, and at most {options.max_tokens:,} are read at once. "
            "Choose layers, positions (words), or a shorter text"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Score:
    """The score of an answer in the last hidden states of a pass."""

    scorer: Scorer
    place: int
    targets: tuple[FollowedTarget, ...]

    @classmethod
    def of(cls, scorer: Scorer, place: int, forms: Sequence[tuple[FollowedTarget, ...]], said: "Tensor") -> "_Score":
        """With the likelier form of each word by the state `said` (dim,)."""
        import torch

        with torch.inference_mode():
            logits = scorer.logits(said[None])[0]
        targets = tuple(likelier(of, logits) for of in forms)
        if len(targets) > 1 and targets[0].id == targets[1].id:
            raise UserError(
                f"{targets[0].word!r} and {targets[1].word!r} begin with the same token {targets[0].pieces[0]!r}; "
                "choose other answers"
            )
        return cls(scorer, place, targets)

    @property
    def measure(self) -> str:
        names = [repr(target.pieces[0]) for target in self.targets]
        return f"logit of {names[0]} less that of {names[1]}" if len(names) > 1 else f"log-probability of {names[0]}"

    def __call__(self, states: "Tensor") -> float:
        import torch

        with torch.inference_mode():
            logits = self.scorer.logits(states[self.place][None])[0].double()
            if len(self.targets) > 1:
                return float(logits[self.targets[0].id] - logits[self.targets[1].id])
            return float(logits.log_softmax(-1)[self.targets[0].id])


@dataclass(slots=True)
class _Run:
    """The scores of one pair of passes."""

    scores: Floats
    clean: float = 0.0
    corrupted: float = 0.0


def _fill(
    bench: PatchBench,
    grid: PatchGrid,
    passes: tuple[RecordedPass, RecordedPass],
    score: _Score,
    into_clean: bool,
    progress: Progress,
) -> _Run:
    """Patch every place of a grid."""
    clean, corrupted = passes
    run = _Run(np.empty((len(grid.layers), grid.n_columns), np.float64))
    run.clean, run.corrupted = (score(bench.record(one, grid.layers)) for one in passes)
    base, donor = (clean, corrupted) if into_clean else (corrupted, clean)
    for number, (row, column, site) in enumerate(grid.sites()):
        progress("patch", number, grid.n_sites)
        run.scores[row, column] = score(bench.patched(base, site, donor))
    progress("patch", grid.n_sites, grid.n_sites)
    return run


def _answer(
    model: LanguageModel,
    grid: PatchGrid,
    runs: Sequence[_Run],
    score: _Score,
    options: PatchOptions,
    readings: tuple[HookedRun, HookedRun, HookedRun],
) -> Patching:
    """The mean of the runs, with effects as shares of the way from one pass to the other."""
    clean, corrupted = (float(np.mean([getattr(run, name) for run in runs])) for name in ("clean", "corrupted"))
    scores = np.mean([run.scores for run in runs], axis=0)
    base, donor = (clean, corrupted) if options.into == "clean" else (corrupted, clean)
    if abs(donor - base) <= MIN_DIFFERENCE:
        raise UserError(
            f"{model.name} gives the clean and the corrupted text the same score ({base:.4g}), so there is nothing to "
            "bring back; choose texts or answers that differ"
        )
    own, other, read = readings
    several = len(grid.heads) > 1
    names = [f"head {head}" for head in grid.heads] if several else [read.tokens[p].name for p in grid.positions]
    return Patching(
        options.part,
        options.into,
        score.measure,
        grid.layers,
        tuple(names),
        () if several else grid.positions,
        scores.astype(np.float32),
        ((scores - base) / (donor - base)).astype(np.float32),
        clean,
        corrupted,
        own.tokens,
        other.tokens,
        score.place,
        score.targets[0],
        score.targets[1] if len(score.targets) > 1 else None,
        grid.heads[0] if grid.heads and not several else None,
        len(runs) * grid.n_sites,
    )
