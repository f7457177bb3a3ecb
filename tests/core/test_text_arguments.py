"""Texts that aren't Unicode, and one string where a list of texts is meant."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.cli.text_arguments import UnicodeText
from polysema.app.client.client import Client
from polysema.app.client.space import RemoteSpace
from polysema.app.explorer import Explorer
from polysema.app.explorer.sense_report import sense_report
from polysema.app.export.options import ExportInput, ExportSource
from polysema.app.export.run import export
from polysema.core.errors import UserError
from polysema.core.model.contextual import embed, embed_stream
from polysema.core.model.load import LanguageModel
from polysema.core.model.sentences import embed_sentences
from polysema.core.model.static import word_table

HALF = "ab\ud83d"


@pytest.mark.parametrize(
    "ask",
    [
        lambda e: e.model().embed(["good", HALF]),
        lambda e: e.model().embed([HALF], unit="sentences"),
        lambda e: e.model().compare("bank", ["the bank", f"the bank {HALF}"]),
        lambda e: e.model().occurrences("bank", f"bank {HALF}", layer=0),
        lambda e: e.space().neighbors(HALF),
        lambda e: e.space("minilm-l6@0").neighbors(f'bank in "the bank {HALF}"'),
        lambda e: e.space().analogy(f"king - man + {HALF}"),
        lambda e: e.space().odd_one_out(["king", "queen", HALF]),
        lambda e: e.space().similarity(["king"], [HALF]),
        lambda e: e.space().project(["king"], [f"poor -> {HALF}"]),
        lambda e: e.model().lens(f"a {HALF}"),
        lambda e: word_table(e.model("minilm-l6").model, [HALF]),
    ],
)
def test_half_a_character_is_refused_in_one_line(explorer: Explorer, ask: Callable[[Explorer], object]) -> None:
    with pytest.raises(UserError, match=r"is not Unicode text: character \d+ is \\ud83d") as error:
        ask(explorer)
    assert "\n" not in str(error.value)
    str(error.value).encode()


def _text_params(command: click.Command) -> list[click.Parameter]:
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [*command.params, *(param for each in below for param in _text_params(each))]


def test_every_text_of_the_command_line_is_checked() -> None:
    texts = [param for param in _text_params(cli) if param.type.name == "text"]
    assert len(texts) > 100
    assert all(isinstance(param.type, UnicodeText) for param in texts)


@pytest.mark.parametrize(
    "command",
    [
        ["embed", "a\udcff"],
        ["neighbors", "a\udcff"],
        ["compare", "bank", "the bank a\udcff"],
        ["analogy", "-king + a\udcff"],
        ["similarity", "a\udcff", "b"],
        ["neighbors", "king", "--where", "word = 'a\udcff'"],
        ["embed", "good", "--model", "no-such-\udcff"],
    ],
)
def test_bytes_that_are_not_utf_8_are_refused(command: list[str]) -> None:
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert "is not Unicode text" in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_file_may_have_any_name(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    Path("caf\udce9.txt").write_text("a 1 0\nb 0 1\n")  # its byte is no UTF-8
    result = CliRunner().invoke(cli, ["similarity", "a", "b", "--space", "caf\udce9.txt"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda e, m: e.model().embed("the bank"), "texts"),
        (lambda e, m: e.model().embed("the bank", unit="sentences"), "texts"),
        (lambda e, m: e.model().embed("the bank", word="bank"), "texts"),
        (lambda e, m: e.model().compare("bank", "the bank"), "texts"),
        (lambda e, m: e.model().senses.clusters("bank", texts="the bank"), "texts"),
        (lambda e, m: e.maps.word_map("bank", extra="the bank"), "extra"),
        (lambda e, m: sense_report(e, "minilm-l6"), "models"),
        (lambda e, m: e.space().odd_one_out("the bank"), "words"),
        (lambda e, m: e.space().project(["king"], "poor -> rich"), "axes"),
        (lambda e, m: e.space().association("king", ["a"], ["b"], ["c"]), "first"),
        (lambda e, m: e.space().view(without="poor -> rich").space, "without"),
        (lambda e, m: embed(m, "the bank"), "texts"),
        (lambda e, m: list(embed_stream(m, "the bank", [0])), "texts"),
        (lambda e, m: embed_sentences(m, "the bank"), "texts"),
        (lambda e, m: export(ExportInput("the bank", ExportSource("t", "0", 1)), "nowhere", m, [0]), "texts"),
        (lambda e, m: Client("http://127.0.0.1:9").model().embed("the bank"), "texts"),
        (lambda e, m: RemoteSpace(Client("http://127.0.0.1:9").transport, "x").odd_one_out("the bank"), "words"),
    ],
)
def test_one_string_is_no_list(
    explorer: Explorer, minilm: LanguageModel, ask: Callable[[Explorer, LanguageModel], object], what: str
) -> None:
    with pytest.raises(TypeError, match=rf"^{what} (are|is) a list; got the one string '.*': write \['"):
        ask(explorer, minilm)
