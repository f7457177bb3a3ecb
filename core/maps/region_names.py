"""Words that set groups of texts apart: class TF-IDF (Grootendorst 2022)."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from polysema.core.import_lock import IMPORTING
from polysema.core.space.space import Ints

MAX_TEXTS = 400  # of a group that are read, evenly spread
MAX_LETTERS = 2_000  # of a text
_WORD = re.compile(r"[^\W\d_][\w'’-]*[^\W_]|[^\W\d_]")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text[:MAX_LETTERS].lower())


def distinctive_words(texts: Sequence[str], groups: Sequence[Ints], most: int) -> list[list[str]]:
    """For each group of rows the words that set its texts apart from those of the other groups, at most so many.

    A word counts once a text. Its weight in a group is its share of the group's words times log(1 + A / f): A words in
    a group on average, f of them this one in all groups. Words of no meaning of their own ("the") are left out, and
    those that a group hasn't more often than all have.
    """
    with IMPORTING:
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    counted = [_counted(texts, rows) for rows in groups]
    total: Counter[str] = Counter()
    for words in counted:
        total.update(words)
    read = sum(min(len(rows), MAX_TEXTS) for rows in groups)
    average = sum(total.values()) / max(1, len(groups))
    found = []
    for words, rows in zip(counted, groups, strict=True):
        length, n_read = sum(words.values()) or 1, min(len(rows), MAX_TEXTS)
        weights = {
            word: count / length * float(np.log1p(average / total[word]))
            for word, count in words.items()
            if len(word) > 1
            and word not in ENGLISH_STOP_WORDS
            and (len(groups) == 1 or count / n_read > 1.2 * total[word] / read)
        }
        found.append([word for word, _ in sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:most]])
    return found


def _counted(texts: Sequence[str], rows: Ints) -> Counter[str]:
    step = max(1, -(-len(rows) // MAX_TEXTS))
    return Counter(word for row in rows[::step].tolist() for word in set(words_of(texts[row])))
