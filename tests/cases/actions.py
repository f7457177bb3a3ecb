"""The actions of the table of cases: each takes a row's arguments and returns what a user would see, as text.

Arguments are split as a shell does; escapes (`\\u0301`) are undone first. A path is relative to `files/`. An error of
ours is shown as `refused: ` and its message, with the exit status for the shell; any other exception fails the test.
"""

import shlex
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from polysema.core.errors import UserError
from tests.cases import FILES
from tests.cases.collection_actions import COLLECTION_ACTIONS
from tests.cases.model_actions import MODEL_ACTIONS
from tests.command_line import call

Action = Callable[[list[str], Path], str]


def run(action: str, arguments: str, folder: Path) -> str:
    """What a case shows; `folder` is an empty one that the action may write to."""
    given = shlex.split(arguments.encode("latin-1", "backslashreplace").decode("unicode_escape"))
    try:
        return ACTIONS[action](given, folder)
    except UserError as error:
        return f"refused: {error}"


def read_file_of_vectors(given: list[str], folder: Path) -> str:
    from polysema.core.files.formats import read_vectors

    space = read_vectors(FILES / given[0])
    shown = f"{len(space)} words x {space.dim}: {[space.keys[row] for row in range(min(len(space), 12))]!r}"
    names = space.columns.column_names if space.columns is not None else []
    return f"{shown} columns {names!r} notes: {'; '.join(space.origin.notes)}"


def open_texts(given: list[str], folder: Path) -> str:
    """A file, then the column of the texts and of the ids, and `separator=`, `header=` (yes or no) or `encoding=`."""
    from polysema.core.corpus import Dialect, open_corpus

    said = dict(word.split("=", 1) for word in given[1:] if "=" in word)
    header = {"yes": True, "no": False}.get(said.pop("header", ""))
    columns = [word for word in given[1:] if "=" not in word]
    corpus = open_corpus(FILES / given[0], *columns, dialect=Dialect(header=header, **said))
    rows = list(corpus.rows())
    shown = (
        f"{corpus.lines} rows, {corpus.texts} texts: {[text for _, text in rows]!r} ids {[name for name, _ in rows]!r}"
    )
    return f"{shown} column {corpus.column} notes: {'; '.join(corpus.notes)}"


def look_at_upload(given: list[str], folder: Path) -> str:
    """What the page Data says of a file: what is in it, its columns, the one that is chosen, its first texts, and the
    notes.
    """
    from polysema.app.collection import upload_kind, upload_preview, uploads

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYSEMA_HOME", str(folder))
        upload = uploads.receive([(Path(given[0]).name, (FILES / given[0]).read_bytes())], 1 << 20)
        kind, layout = upload_kind.kind(upload), upload_preview.look_at_layout(upload)
        texts = upload_preview.read_texts(upload)
    shown = f"{kind}: columns {list(layout.columns)!r}, chosen {layout.column!r}, {[text for _, text in texts.first]!r}"
    return f"{shown} notes: {'; '.join(texts.notes)}"


def shell(given: list[str], folder: Path) -> str:
    """A command, run in `folder`; `{files}` stands for the folder of the inputs."""
    words = [word.replace("{files}", str(FILES)) for word in given]
    done = call(words[1:], folder)
    written = "".join(f"\n{path.name}:\n{path.read_text()[:2000]}" for path in sorted(folder.glob("*.csv")))
    return f"exit {done.status}\n{done.out}\n{done.err}{written}"


def spread_of_a_map(given: list[str], folder: Path) -> str:
    """SPACE METHOD DIMENSIONS [ROWS]: how far the points of a map reach on its narrower axis."""
    from polysema.app.explorer import Explorer
    from polysema.core.maps.options import MapOptions

    name, method, n_components, *n = given
    file = FILES / name
    options = MapOptions(n_components=int(n_components))
    found = Explorer().maps.map(str(file) if file.exists() else name, method, options, int(n[0]) if n else None)
    positions = found.map.positions
    extent = min(float(positions[:, axis].max() - positions[:, axis].min()) for axis in range(positions.shape[1]))
    return f"{len(positions)} points, smallest extent {extent:.3f}; {'; '.join(found.map.notes)}"


def find_words_of_text(given: list[str], folder: Path) -> str:
    """The words of a text; of a text and a word, where it is found."""
    from polysema.core.model.tokens import find_word, find_words, words_of

    if len(given) == 1:
        return repr([given[0][span.start : span.end] for span in words_of(given[0])])
    find_word(*given)
    return repr([(span.start, span.end) for span in find_words(*given)])


@lru_cache(maxsize=1)
def client_of_the_service() -> Any:
    from starlette.testclient import TestClient

    from polysema.app.config.settings import Settings
    from polysema.app.explorer import Explorer
    from polysema.app.service.app import create_app

    app = create_app(Explorer(), Settings(data=tempfile.mkdtemp()))
    return TestClient(app, "http://127.0.0.1", raise_server_exceptions=False).__enter__()


def ask_the_service(given: list[str], folder: Path) -> str:
    """`METHOD ADDRESS [BODY] [NAME:VALUE ...]`: a request, the rest its headers; the collection `c` is there, and
    empty.
    """
    method, address, *rest = given
    body = rest.pop(0) if rest and rest[0][:1] in ("{", "[", '"') else None
    headers = {"content-type": "application/json"} | dict(one.split(":", 1) for one in rest)
    client = client_of_the_service()
    client.delete("/v1/collections/c")
    client.put("/v1/collections/c")
    answer = client.request(method, address, content=body, headers=headers)
    return f"{answer.status_code} {answer.text[:4000]}"


ACTIONS: dict[str, Action] = {
    "read_vectors": read_file_of_vectors,
    "open_corpus": open_texts,
    "upload": look_at_upload,
    "shell": shell,
    "map_spread": spread_of_a_map,
    "words": find_words_of_text,
    "http": ask_the_service,
    **COLLECTION_ACTIONS,
    **MODEL_ACTIONS,
}
