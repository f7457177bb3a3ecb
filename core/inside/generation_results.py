"""What is known of a text that a model writes: each step with its candidates, and the beams beside it."""

from dataclasses import dataclass
from math import exp
from typing import ClassVar

import numpy as np

from polysema.core.argument_types import checked_fields


@checked_fields
@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How the next token is chosen.

    What is None is as the model's own generation config says, and else as transformers has it (temperature 1,
    `top_k` 50, `top_p` 1).

    Args:
        do_sample: Draw the token, by the probabilities that temperature and cut-offs leave; else the most probable one
            is taken. None: drawn where a temperature, a cut-off or a seed is given.
        temperature: Divides the logits: below 1 the likely become likelier.
        top_k: Only the so many most probable tokens are drawn; 0: all.
        top_p: Only the most probable tokens that together reach this probability.
        min_p: Only tokens at least so many times as probable as the most probable one.
        num_beams: So many texts are gone on with side by side, and the one with the best score is the answer.
        length_penalty: A beam's score is its log-probability divided by its length to this power.
        seed: Of the draws: the same seed draws the same tokens. None: 0.
        prefix: Ids of the tokens that the text begins with: it goes on from there.
    """

    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    num_beams: int = 1
    length_penalty: float | None = None
    seed: int | None = None
    prefix: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token that could stand at a step: its `probability` by the model, and the `chance` that it is drawn, which is
    what temperature and cut-offs make of it.
    """

    token: str
    id: int
    probability: float
    chance: float


@dataclass(frozen=True, slots=True)
class Beam:
    """One text that a beam search went on with at a step.

    `parent` is the number of the beam before that it goes on (from 0, of those that didn't end), `token` what it
    added, `score` its log-probability in all. One that `ends` is gone on with no more.
    """

    parent: int
    token: str
    id: int
    score: float
    text: str
    ends: bool = False


@dataclass(frozen=True, slots=True)
class GenerationStep:
    """A token that was written, and what else could have been.

    `log_probability` is natural and by the model, `entropy` in bits how open the place was, `rank` (from 1) the token's
    place among all. The `candidates` are the most probable tokens, best first. `forced` tokens were given, `ends` says
    that the token is the end. `text` is what is written so far. Of a beam search `beams` are those after this step.
    `cross_attention` is of a step that is streamed: how much it looks at each token of an encoder-decoder's source; of
    a whole text it stands there for all steps.
    """

    number: int
    token: str
    id: int
    log_probability: float
    entropy: float
    rank: int
    candidates: tuple[Candidate, ...]
    text: str
    forced: bool = False
    ends: bool = False
    beams: tuple[Beam, ...] = ()
    cross_attention: tuple[float, ...] = ()

    @property
    def probability(self) -> float:
        """Of the token, by the model."""
        return exp(self.log_probability)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text that a beam search came to, with its score: the log-probability over the length to the length penalty."""

    text: str
    ids: tuple[int, ...]
    score: float
    ended: bool


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """What a model wrote, step by step.

    `ended` says that the model itself ended it; the end is the last of the `steps` then, and in `ids`, but not among
    the `tokens`. `prompt` are the tokens of what it read. Of an encoder-decoder `cross_attention` (steps x source
    tokens) is how much each step looks at each token of the `prompt`: the mean of all layers and heads. Of a beam
    search `hypotheses` are the texts that it came to, best first.
    """

    json_properties: ClassVar[tuple[str, ...]] = ("ids", "tokens", "probabilities", "others", "surety")

    text: str
    steps: tuple[GenerationStep, ...]
    ended: bool
    model: str = ""
    prompt: tuple[str, ...] = ()
    cross_attention: tuple[tuple[float, ...], ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Of all steps, the end included."""
        return tuple(step.id for step in self.steps)

    @property
    def tokens(self) -> tuple[str, ...]:
        """What was written, without the end."""
        return tuple(step.token for step in self.steps if not step.ends)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """Those that the tokens had."""
        return tuple(step.probability for step in self.steps if not step.ends)

    @property
    def others(self) -> tuple[tuple[tuple[str, float], ...], ...]:
        """For each token the most probable ones with their probabilities, best first."""
        return tuple(
            tuple((one.token, one.probability) for one in step.candidates) for step in self.steps if not step.ends
        )

    @property
    def surety(self) -> float:
        """Geometric mean of the tokens' probabilities; 0 where nothing was written."""
        if not self.probabilities:
            return 0.0
        return float(np.exp(np.mean(np.log(np.maximum(self.probabilities, 1e-30)))))
