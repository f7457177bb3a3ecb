"""What stands beside a move, so that chance isn't read as meaning: random axes, and the text's words shuffled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polysema.core.inside.decomposition import ResidualStream
from polysema.core.inside.embedding_path import EmbeddingPath
from polysema.core.inside.hooks import one_reading, positions_of, twin_of
from polysema.core.inside.move_parts import MoveParts, move_parts
from polysema.core.model.tokens import find_word, find_words, words_of
from polysema.core.space.array_types import Doubles
from polysema.core.space.space import Floats

if TYPE_CHECKING:
    from polysema.core.inside.hooks import HookedRun
    from polysema.core.model.load import LanguageModel

N_RANDOM_AXES = 200
RANDOM_AXIS, SHUFFLED_TEXT = "random axis", "shuffled text"


@dataclass(frozen=True, slots=True)
class MoveControl:
    """One control: `moved` is what is seen there in place of the move (of the first of `n`), `spread` how large it
    typically is (the root mean square of all n), and `share` in how many of them it is at least as large as the move.

    `text` is what was read, `largest` the part with the largest value there.
    """

    name: str
    text: str
    moved: float
    spread: float
    share: float
    n: int
    largest: str
    largest_value: float


def random_control(found: MoveParts, axis: Floats | Doubles, seed: int, text: str) -> MoveControl:
    """The same move on axes drawn at random, of length 1."""
    axes = np.random.default_rng(seed).normal(size=(len(axis), N_RANDOM_AXES))
    axes /= np.linalg.norm(axes, axis=0)
    return _control(RANDOM_AXIS, text, found.move @ axes, float(found.move @ axis), found, axes[:, 0])


def shuffled_control(
    model: "LanguageModel", reading: "HookedRun", found: MoveParts, axis: Floats | Doubles, choice: "ShuffleChoice"
) -> MoveControl | None:
    """The move of the same word on the same axis in the text's own words in other orders; None of one word alone."""
    texts = shuffled_texts(reading.text, choice)
    if not texts:
        return None
    source = None if reading.source is None else reading.source.text
    moves = [_moved(model, text, nth, source, choice) for text, nth in texts]
    seen = np.array([one.move @ axis for one in moves])
    return _control(SHUFFLED_TEXT, texts[0][0], seen, float(found.move @ axis), moves[0], axis)


@dataclass(frozen=True, slots=True)
class ShuffleChoice:
    """The word that is followed and its occurrence, the layer, the seed, and how many orders of the words."""

    word: str
    nth: int
    layer: int
    seed: int
    n: int


def shuffled_texts(text: str, choice: ShuffleChoice) -> list[tuple[str, int]]:
    """The text with its words in other orders, the signs between them where they are, and which occurrence of the word
    is the one meant then. Orders that give the text itself are left out.
    """
    words, target = words_of(text), find_word(text, choice.word, choice.nth)
    own = next((place for place, span in enumerate(words) if span.start <= target.start < span.end), None)
    if own is None or len(words) < 2:
        return []
    made = []
    rng = np.random.default_rng(choice.seed)
    for _ in range(choice.n):
        order = rng.permutation(len(words)).tolist()
        pieces, at, start = [], 0, 0
        for place, span in enumerate(words):
            pieces.append(text[at : span.start])
            if order[place] == own:
                start = sum(map(len, pieces)) + target.start - words[own].start
            pieces.append(text[words[order[place]].start : words[order[place]].end])
            at = span.end
        shuffled = "".join(pieces) + text[at:]
        places = [span.start for span in find_words(shuffled, choice.word)]
        if shuffled != text and start in places:
            made.append((shuffled, places.index(start) + 1))
    return made


def _moved(model: "LanguageModel", text: str, nth: int, source: str | None, choice: ShuffleChoice) -> MoveParts:
    reading = one_reading(model, text, source)
    with twin_of(model) as twin:
        stream, path = ResidualStream(twin, positions_of(reading, choice.word, nth), choice.layer), EmbeddingPath(twin)
        twin.run(reading)
        return move_parts(model, stream, path, choice.word)


def _control(
    name: str, text: str, seen: Floats | Doubles, moved: float, found: MoveParts, axis: Floats | Doubles
) -> MoveControl:
    values = found.vectors @ axis
    largest = int(np.abs(values).argmax())
    share = float((np.abs(seen) >= abs(moved)).mean())
    spread = float(np.sqrt((seen**2).mean()))
    first = found.names[largest].name
    return MoveControl(name, text, float(seen[0]), spread, share, len(seen), first, float(values[largest]))
