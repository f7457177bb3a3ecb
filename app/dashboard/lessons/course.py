"""The lessons in their order: those that come with polysema, and those of a folder of one's own."""

from functools import lru_cache
from pathlib import Path

from polysema.app.config.loading import load_settings
from polysema.app.dashboard.lessons.lesson import Lesson
from polysema.app.dashboard.lessons.lesson_file import read_lesson
from polysema.core.errors import UserError

FOLDER = Path(__file__).parent / "texts"
MAX_OWN = 200

LESSONS: tuple[Lesson, ...] = tuple(sorted(map(read_lesson, FOLDER.glob("*.md")), key=lambda one: one.number))


def lessons() -> tuple[Lesson, ...]:
    """All lessons: polysema's and one's own, by their numbers."""
    return tuple(sorted((*LESSONS, *own_lessons()[0]), key=lambda one: one.number))


def own_lessons() -> tuple[tuple[Lesson, ...], tuple[str, ...]]:
    """The lessons of the folder of one's own, and a line for each file of it that can't be used."""
    folder = load_settings().settings.lessons
    if not folder:
        return (), ()
    try:
        files = sorted(path for path in Path(folder).expanduser().iterdir() if path.suffix == ".md")
    except OSError as error:
        return (), (f"the folder of lessons {folder} can't be read: {error.strerror}",)
    found: list[Lesson] = []
    problems = [f"{len(files):,} lessons are in {folder}; {MAX_OWN} are shown"] if len(files) > MAX_OWN else []
    for path in files[:MAX_OWN]:
        try:
            lesson = _lesson_at(path, path.stat().st_mtime_ns)
        except (UserError, OSError) as error:
            problems.append(str(error))
            continue
        taken = next((one for one in (*LESSONS, *found) if one.name == lesson.name), None)
        if taken is None:
            found.append(lesson)
        else:
            problems.append(
                f"the lesson {path.name} can't be used: the name {lesson.name!r} is that of “{taken.title}”"
            )
    return tuple(found), tuple(problems)


@lru_cache(maxsize=256)
def _lesson_at(path: Path, _changed: int) -> Lesson:
    return read_lesson(path)


def lesson_of(name: str) -> Lesson | None:
    """The lesson of that name, None where there is none."""
    return next((lesson for lesson in lessons() if lesson.name == name), None)
