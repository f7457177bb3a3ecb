"""The lessons: what each asks, measures and shows. Nothing is claimed that isn't measured when it is read."""

from polysema.app.dashboard.lessons.course import LESSONS, lesson_of, lessons
from polysema.app.dashboard.lessons.lesson import Lesson, LessonField, LessonInput, LessonResult, Verdict

__all__ = ["LESSONS", "Lesson", "LessonField", "LessonInput", "LessonResult", "Verdict", "lesson_of", "lessons"]
