"""The lessons in their order."""

from polysema.app.dashboard.lessons import (
    adds,
    bias,
    blocks,
    embedding,
    looking,
    nonsense,
    one_vector,
    pieces,
    senses,
    swan,
    travel,
    window,
)
from polysema.app.dashboard.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = tuple(
    module.LESSON
    for module in (pieces, one_vector, travel, senses, looking, swan, adds, blocks, embedding, window, bias, nonsense)
)


def lesson_of(name: str) -> Lesson | None:
    """The lesson of that name, None where there is none."""
    return next((lesson for lesson in LESSONS if lesson.name == name), None)
