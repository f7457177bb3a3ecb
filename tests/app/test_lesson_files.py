"""Lessons as files: a teacher's own in a folder of theirs, and one clear line for each file that can't be used."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from polysema.app.cli.main import cli
from polysema.app.dashboard.lessons.course import LESSONS, lesson_of, lessons, own_lessons
from polysema.app.dashboard.lessons.lesson import Verdict, checked
from polysema.app.dashboard.lessons.lesson_file import read_lesson
from polysema.app.dashboard.lessons.measurements import MEASUREMENTS
from polysema.app.explorer import Explorer
from polysema.core.errors import UserError
from polysema.core.progress import no_progress
from tests.app.test_dashboard import as_launched, page
from tests.app.test_page_lessons import words

__all__ = ["as_launched"]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "lessons.md"


def example() -> str:
    """The lesson that the guide shows."""
    text = GUIDE.read_text(encoding="utf-8")
    return text.partition("````markdown\n")[2].partition("````")[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "lessons"
    made.mkdir()
    (made / "seal.md").write_text(example(), encoding="utf-8")
    monkeypatch.setenv("POLYSEMA_LESSONS", str(made))
    return made


def test_the_lesson_of_the_guide_measures(folder: Path, explorer: Explorer) -> None:
    one = lesson_of("seal")
    assert one is not None
    assert lessons()[-1] is one
    found = one.check(explorer, checked(one, one.starts()), no_progress)
    assert found.verdict is Verdict.WORKS
    assert one.options[found.option] == "whale, the animal"
    rank = explorer.space().similarity(["seal"], ["envelope"]).rank
    first = explorer.space().neighbors("seal", k=1).neighbors[0]
    assert f"**{first.key}** (cosine {first.score:.2f})" in found.said
    assert f"“envelope” is number {rank:,}" in found.said


def test_a_lesson_is_handed_out_from_the_shell(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["lessons", *arguments])

    listed = json.loads(run("list", "--lessons", str(folder), "--format", "json").output)
    assert (len(listed), listed[-1]["name"], listed[0]["name"]) == (len(lessons()), "seal", "tokens")
    file = tmp_path / "seal.html"
    done = run("page", "seal", "--lessons", str(folder), "--out", str(file))
    assert done.exit_code == 0, done.output
    made = file.read_text("utf-8")
    for said in (
        "A seal swims, and a seal closes a letter",
        "The nearest word is",
        "whale, the animal",
        "not what they",
    ):
        assert said in made, said
    assert "<svg" in made
    assert "text/csv" in made
    assert re.findall(r"(?:src|href)=\"(?!data:|#)", made) == []
    nothing = run("page", "whale", "--out", str(tmp_path / "whale.html"))
    assert "there is no lesson 'whale'; there are tokens, one-vector" in str(nothing.exception)
    assert not (tmp_path / "whale.html").exists()


def test_a_lesson_of_ones_own_stands_on_the_page(folder: Path) -> None:
    (folder / "broken.md").write_text("# no head", encoding="utf-8")
    app = page("lessons")
    assert not app.exception
    assert "in 20 short lessons" in words(app)
    assert app.button(key="open_seal").label == "Open"
    (warning,) = app.warning
    assert "can't be used" in warning.value
    assert "between two lines of" in warning.value
    app = page("lessons", lesson="seal")
    assert app.title[0].value == "20. One seal, two meanings"
    assert "Which of the two stands nearer" in words(app)


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    assert lesson_of("seal") is not None
    path = folder / "seal.md"
    path.write_text(example().replace("One seal", "Another seal"), encoding="utf-8")
    found = lesson_of("seal")
    assert found is not None
    assert found.title == "Another seal, two meanings"
    path.write_text(example().replace('name = "seal"', 'name = "travel"'), encoding="utf-8")
    assert own_lessons() == (
        (),
        ("the lesson seal.md can't be used: the name 'travel' is that of “Vectors that travel”",),
    )
    path.unlink()
    assert lessons() == LESSONS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("+++", "---", "between two lines of +++"),
        ('title = "', "title = ", "is no TOML"),
        ('measurement = "neighbors"', 'measurement = "os.system"', "there is no measurement 'os.system'; there are"),
        ("minutes = 3", 'minutes = "3"', "minutes is a whole number"),
        ("minutes = 3", "minuets = 3", "it has 'minuets', which is none of name, title"),
        ("[fields.other]", "[fields.another]", "it lacks [fields.other]"),
        ('choices = "spaces"', 'choices = "files"', "has choices of 'files'"),
        ("## Claim", "## Claims", "it lacks the section ## Claim"),
        ("- whale, the animal\n", "", "a question needs at least two options"),
        ('"rank <= 100"', '"rank <= 100", ""', "one for each of the 2 options (the last may be empty); got 3"),
        ('"rank <= 100"', '"__import__(1)"', "a condition is written FIGURE < NUMBER"),
        ('"rank <= 100"', '"rank <= many"', "<= compares with a number or a figure of the measurement; got 'many'"),
        ('"rank <= 100"', '"size > 3"', "the measurement gives no figure 'size'; it gives first"),
        ("{first}", "{first.__class__}", "a figure is written {name}"),
        ("{first}", "{word}", "“Measured” has {word}; the figures are"),
        ('page = "neighbors"', 'page = "http://x"', "there is no page 'http://x'"),
        ('{ w = "{word}"', '{ w = "{wort}"', "the query of a way on has 'wort'"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_line(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "seal.md"
    assert old in example()
    path.write_text(example().replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_lesson(path)
    assert str(error.value).startswith("the lesson seal.md can't be used: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_told(folder: Path) -> None:
    (folder / "seal.md").write_bytes(b"+++\n\xff\xfe\n+++\n")
    assert own_lessons()[1][0].startswith("the lesson seal.md can't be read as UTF-8 text")


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYSEMA_LESSONS", "/no/such/folder")
    assert own_lessons() == ((), ("the folder of lessons /no/such/folder can't be read: No such file or directory",))
    done = CliRunner().invoke(cli, ["app", "--lessons", "/no/such/folder"])
    assert done.exit_code == 2
    assert "does not exist" in done.output


def test_the_guide_names_every_measurement() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for name, one in MEASUREMENTS.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert [f"`{field}`" in row for field in (*one.reads, *one.figures)].count(False) == 0, name
