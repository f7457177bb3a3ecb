"""How many analogy questions a space answers: Google's questions-words.txt, BATS's folders.

Google (Mikolov et al. 2013): `: category` lines, then a, a*, b, b* a line; the one right answer is b*. BATS (Gladkova
et al. 2016): a file a category, a line a pair, `word<TAB>answer/answer/…`; every pair is combined with every other as
its example, and any of its answers is right. Input words are left out of the answers unless the protocol says
otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from polysema.core.errors import NotFoundError, UnreadableError, UserError
from polysema.core.progress import Progress, no_progress
from polysema.core.space.analogy import EPSILON, OF_PAIRS, lr_cos, random_rows, three_cos_avg
from polysema.core.space.metric import unit
from polysema.core.space.space import Space

VOCABULARY = 300_000  # the published protocol's: gensim and GluonNLP take the 300,000 most frequent words
MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Pair:
    """A word and the words that are right beside it."""

    word: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """Questions of one kind: written out as (a, a*, b, b*), or as `pairs` of which each is combined with every
    other.
    """

    name: str
    group: str
    questions: tuple[tuple[str, str, str, str], ...] = ()
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a set of questions is evaluated. `vocabulary` takes the first so many words (None: all), `lower` puts
    questions in lower case.
    """

    method: str = "3cosadd"
    vocabulary: int | None = VOCABULARY
    lower: bool = True
    exclude: bool = True
    epsilon: float = EPSILON


@dataclass(frozen=True, slots=True)
class Score:
    """One category, group or the total: `evaluated` of `questions` had all their words in the vocabulary."""

    category: str
    method: str
    questions: int
    evaluated: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Share of the evaluated questions with the right answer; nan when none was evaluated."""
        return self.correct / self.evaluated if self.evaluated else float("nan")


def mean_accuracy(scores: Sequence[Score]) -> float:
    """The mean of the accuracies of scores, each of equal weight, without those of which nothing was evaluated."""
    known = [score.accuracy for score in scores if score.evaluated]
    return sum(known) / len(known) if known else float("nan")


def read_analogies(path: "Path | str") -> list[Category]:
    """The categories of a file in Google's format, or of a folder in BATS's.

    Raises `NotFoundError`, or `UnreadableError` that names the file and line.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.txt") if "metadata" not in file.name.lower())
        if not files:
            raise NotFoundError(f"{path} holds no .txt files: a BATS folder has one for each category")
        return [_bats(file, path) for file in files]
    return _google(path)


def read_lines(path: Path) -> list[str]:
    """The lines of a small text file; raises `NotFoundError` or `UnreadableError`."""
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise UnreadableError(f"{path} has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read")
    try:
        return path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not UTF-8: {error.reason} at byte {error.start:,}") from None


def _google(path: Path) -> list[Category]:
    found: dict[str, list[tuple[str, str, str, str]]] = {}
    name = ""
    for number, line in enumerate(read_lines(path), 1):
        if line.startswith(":"):
            name = line[1:].strip()
            found.setdefault(name, [])
        elif line.strip():
            words = line.split()
            if len(words) != 4 or not name:
                raise UnreadableError(
                    f"{path}, line {number:,}: four words under a ': category' line were expected; got {line[:60]!r}"
                )
            found[name].append((words[0], words[1], words[2], words[3]))
    if not any(found.values()):
        raise UnreadableError(f"{path} holds no questions")
    groups = {name: "syntactic" if name.startswith("gram") else "semantic" for name in found}
    return [Category(name, groups[name], tuple(questions)) for name, questions in found.items()]


def _bats(path: Path, root: Path) -> Category:
    pairs = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        parts = line.split("\t") if "\t" in line else line.split(None, 1)
        answers = tuple(answer.strip() for answer in parts[1].split("/") if answer.strip()) if len(parts) == 2 else ()
        if not answers:
            raise UnreadableError(
                f"{path}, line {number:,}: a word, a tab and its answers were expected; got {line[:60]!r}"
            )
        pairs.append(Pair(parts[0].strip(), answers))
    group = path.parent.name if path.parent != root else ""
    return Category(path.stem, group, pairs=tuple(pairs))


def measure_analogies(
    space: Space,
    categories: Sequence[Category],
    protocol: Protocol,
    progress: Progress = no_progress,
) -> list[Score]:
    """The score of each category, of each group, and in total (the last row).

    3CosAvg and LRCos learn from a category's other pairs (leave one out). Raises `UserError` when no question has all
    of its words in the vocabulary.
    """
    n = len(space) if protocol.vocabulary is None else min(protocol.vocabulary, len(space))
    if n < 4:
        raise UserError(f"the vocabulary must have at least 4 words; got {n}")
    look = _Lookup(space, categories, protocol, n)
    if protocol.method in OF_PAIRS:
        scores = [_of_pairs(space, look, category, protocol, n, progress) for category in categories]
    else:
        scores = _of_questions(space, look, categories, protocol, n, progress)
    if not any(score.evaluated for score in scores):
        raise UserError(f"none of the questions has all its words among the {n:,} words of {space.name}")
    groups = dict.fromkeys(category.group for category in categories if category.group)
    kinds = {category.name: category.group for category in categories}
    sums = [_sum(group, [s for s in scores if kinds[s.category] == group], protocol.method) for group in groups]
    return [*scores, *(sums if len(groups) > 1 else []), _sum("total", scores, protocol.method)]


def _sum(name: str, scores: Sequence[Score], method: str) -> Score:
    return Score(
        name, method, sum(s.questions for s in scores), sum(s.evaluated for s in scores), sum(s.correct for s in scores)
    )


class _Lookup:
    """The rows of every word of the questions, looked up at once."""

    def __init__(self, space: Space, categories: Sequence[Category], protocol: Protocol, n: int):
        self._lower = protocol.lower
        words = {word for c in categories for question in c.questions for word in question}
        words |= {word for c in categories for pair in c.pairs for word in (pair.word, *pair.answers)}
        query = sorted({self.name(word) for word in words})
        rows = space.keys.rows(query)
        self._rows = {word: int(row) for word, row in zip(query, rows, strict=True) if 0 <= row < n}

    def name(self, word: str) -> str:
        """The word as it is looked up."""
        return word.lower() if self._lower else word

    def row(self, word: str) -> int:
        """Its row, -1 when it is not in the vocabulary."""
        return self._rows.get(self.name(word), -1)

    def pairs(self, category: Category) -> list[tuple[int, tuple[int, ...]]]:
        """A category's pairs as rows; a pair is dropped when its word or all of its answers are not there."""
        found = []
        for pair in category.pairs:
            answers = tuple(row for row in map(self.row, pair.answers) if row >= 0)
            if (row := self.row(pair.word)) >= 0 and answers:
                found.append((row, answers))
        return found


def _of_questions(
    space: Space,
    look: _Lookup,
    categories: Sequence[Category],
    protocol: Protocol,
    n: int,
    progress: Progress,
) -> list[Score]:
    from polysema.core.import_lock import IMPORTING

    with IMPORTING:
        from polysema.core.measure.analogy_kernel import best_words

    questions: list[tuple[int, int, int]] = []
    right: list[tuple[int, ...]] = []
    counts = []
    for category in categories:
        before = len(questions)
        for question in category.questions:
            a, a_star, b, b_star = map(look.row, question)
            if min(a, a_star, b, b_star) >= 0:
                questions.append((a, a_star, b))
                right.append((b_star,))
        pairs = look.pairs(category)
        for i, (a, answers) in enumerate(pairs):
            for j, (b, wanted) in enumerate(pairs):
                if i != j:
                    questions.append((a, answers[0], b))
                    right.append(wanted)
        total = len(category.questions) + len(category.pairs) * max(0, len(category.pairs) - 1)
        counts.append((category.name, total, before, len(questions)))
    if not questions:
        return [Score(name, protocol.method, total, 0, 0) for name, total, _, _ in counts]
    found = best_words(
        space.vectors[:n],
        np.array(questions, np.int64),
        protocol.method,
        protocol.epsilon,
        protocol.exclude,
        progress,
    )
    hit = [row in wanted for row, wanted in zip(found.tolist(), right, strict=True)]
    return [Score(name, protocol.method, total, b - a, sum(hit[a:b])) for name, total, a, b in counts]


def _of_pairs(
    space: Space,
    look: _Lookup,
    category: Category,
    protocol: Protocol,
    n: int,
    progress: Progress,
) -> Score:
    """Each pair of a category is evaluated once, learned from all the others."""
    if category.pairs:
        pairs, total = look.pairs(category), len(category.pairs)
    else:
        written = dict.fromkeys(pair for q in category.questions for pair in ((q[0], q[1]), (q[2], q[3])))
        rows = [(look.row(a), (look.row(b),)) for a, b in written]
        pairs, total = [(a, b) for a, b in rows if a >= 0 and b[0] >= 0], len(written)
    if len(pairs) < 2:
        return Score(category.name, protocol.method, total, 0, 0)
    taken = [row for a, answers in pairs for row in (a, *answers)]
    firsts = unit(np.asarray(space.vectors[[a for a, _ in pairs]]))
    seconds = unit(np.asarray(space.vectors[[answers[0] for _, answers in pairs]]))
    others = unit(
        np.asarray(
            space.vectors[:n][
                random_rows(space.take(range(n)) if n < len(space) else space, max(len(pairs), 50), taken)
            ]
        )
    )
    correct = 0
    for place, (b, wanted) in enumerate(pairs):
        rest = np.arange(len(pairs)) != place
        if protocol.method == "3cosavg":
            scoring = three_cos_avg(firsts[rest], seconds[rest], firsts[place])
        else:
            scoring = lr_cos(firsts[rest], seconds[rest], firsts[place], others)
        best, top = -1, -np.inf
        for start in range(0, n, 32_768):
            block = unit(np.asarray(space.vectors[start : min(n, start + 32_768)]))
            scores = scoring.combine(scoring.queries @ block.T)
            if protocol.exclude and start <= b < start + len(scores):
                scores[b - start] = -np.inf
            if scores.max() > top:
                best, top = start + int(scores.argmax()), float(scores.max())
        correct += best in wanted
        progress(f"{category.name} by {protocol.method}", place + 1, len(pairs))
    return Score(category.name, protocol.method, total, len(pairs), correct)
