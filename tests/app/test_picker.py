"""The one picker of models and spaces: what is here, what was opened before, and what can be opened besides."""

import json
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard import widgets
from polysema.app.dashboard.picker import choices
from polysema.app.explorer import opened_models as history
from polysema.core.model.hub import cached_folder
from polysema.core.space.space import Family
from tests.app.test_dashboard import MAIN, as_launched, html, page, settle  # noqa: F401
from tests.conftest import build
from tests.core.hub_server import served_hub


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A POLYSEMA_HOME of the test's own, with what the tests have computed before."""
    there = Path(os.environ["POLYSEMA_HOME"])
    own = tmp_path / "home"
    own.mkdir()
    for folder in there.iterdir() if there.is_dir() else ():
        (own / folder.name).symlink_to(folder)
    monkeypatch.setenv("POLYSEMA_HOME", str(own))
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield own
    config.set_option("server.address", before)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "birds.txt").write_text("swan 1 0\ncrane 0.9 0.1\ncoal -1 0.2\n")
    build("bert-mlm", folder / "my-bert")
    return folder


def texts(app: AppTest) -> str:
    return " ".join(str(one.value) for one in (*app.markdown, *app.caption, *app.info, *app.warning, *app.error))


def look_at(app: AppTest, key: str, path: Path | str) -> AppTest:
    app.segmented_control(key=f"{key}_from").set_value("Folder or file").run()
    app.text_input(key=f"{key}_path").set_value(str(path))
    next(one for one in app.button if one.label == "Look at it").click().run()
    return app


def test_a_file_is_described_opened_and_kept(home: Path, own: Path) -> None:
    app = look_at(page("neighbors"), "ns", own / "birds.txt")
    assert "**Kind**: file of vectors \\(static\\), word2vec, GloVe or fastText text" in texts(app)
    assert "read from the disk as it is needed, at most 35 bytes; " in texts(app)
    app.button(key="ns_open").click().run()
    app.text_input(key="w").set_value("swan")
    next(one for one in app.button if one.label == "Go").click().run()
    app = settle(app)
    assert app.selectbox(key="ns").value == str(own / "birds.txt")
    assert [one.label for one in app.button if "crane" in one.label], texts(app)
    assert history.opened_before()[0].name == str(own / "birds.txt")
    assert f"birds.txt (in {own})" in page("neighbors").selectbox(key="ns").options


def test_a_model_tells_its_cost_and_a_mistake_is_one_line(home: Path, own: Path, tmp_path: Path) -> None:
    app = look_at(page("neighbors"), "ns", own / "my-bert")
    for line in ("**Kind**: encoder, BertForMaskedLM", "**License**: not stated", "**Tokenizer**: tokenizer"):
        assert line in texts(app)
    assert "once it is loaded; " in texts(app)
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04K\x01.")
    for path, message in (
        ("/nowhere/at/all", "There is no model or space"),
        ("../../etc/nothing", "no model or space"),
        (tmp_path / "x.pkl", "pickle"),
        (tmp_path, "is not a model: it has no config.json"),
    ):
        app = look_at(app, "ns", path)
        assert message.lower() in texts(app).lower()
        assert "ns_open" not in [one.key for one in app.button]
    huge = tmp_path / "huge"
    huge.mkdir()
    (huge / "config.json").write_text((own / "my-bert" / "config.json").read_text())
    header = json.dumps({"x": {"dtype": "F32", "shape": [10**6, 10**9], "data_offsets": [0, 0]}}).encode()
    (huge / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    app = look_at(app, "ns", huge)
    assert "It takes 4000000.0 GB of memory, and" in texts(app)
    assert app.button(key="ns_open").disabled


def test_the_hub_is_said_to_be_out_of_reach(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page("neighbors")
    app.segmented_control(key="ns_from").set_value("Hub").run()
    assert "The hub is not reachable from this machine" in texts(app)
    assert any("not reachable" in one.label for one in app.text_input)
    app.text_input(key="ns_hub").set_value("google-bert/bert-base-uncased")
    next(one for one in app.button if one.label == "Look at it").click().run()
    assert "is a model of the hub that is not on this machine" in texts(app)


def test_a_model_of_the_hub_is_loaded_with_a_bar_that_cancels(
    home: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ("open", "owner/tiny", "ns")

    def hold() -> None:
        while not widgets.jobs().find(key).stopping:
            time.sleep(0.05)

    with served_hub(monkeypatch, tmp_path / "hub") as hub:
        hub.add("owner/tiny", "main", own / "my-bert")
        hub.commits["main"] = "0123456789abcdef0123456789abcdef01234567"
        hub.hold = hold
        app = page("neighbors")
        app.segmented_control(key="ns_from").set_value("Hub").run()
        app.text_input(key="ns_hub").set_value("owner/tiny")
        next(one for one in app.button if one.label == "Look at it").click().run()
        assert "**Kind**: encoder, BertForMaskedLM" in texts(app)
        app.button(key="ns_open").click().run()
        assert any("One moment: download" in one.proto.text for one in app.get("progress"))
        next(one for one in app.button if one.label == "Cancel").click().run()
        assert "Cancelled. Nothing of it is in memory." in texts(settle(app))
        assert cached_folder("owner/tiny") is None
        hub.hold = lambda: None
        app.button(key="ns_open").click().run()
        app = settle(app)
        assert app.selectbox(key="ns").value == "owner/tiny", texts(app)
        assert not app.error
        assert [one.name for one in history.opened_before()] == ["owner/tiny"]


@pytest.mark.parametrize(
    ("name", "key", "chosen"), [("compare", "a", "owner/tiny@"), ("contexts", "model", "owner/tiny")]
)
def test_any_control_that_needs_a_model_loads_it_with_the_same_bar(  # noqa: PLR0913  fixtures, and a table
    name: str, key: str, chosen: str, home: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ("load", "owner/tiny")
    history.remember("owner/tiny", Family.ENCODER)
    cancelled = threading.Event()
    with served_hub(monkeypatch, tmp_path / "hub") as hub:
        hub.add("owner/tiny", "main", own / "my-bert")
        hub.commits["main"] = "0123456789abcdef0123456789abcdef01234567"
        hub.hold = lambda: cancelled.wait(60)
        app = AppTest.from_file(str(MAIN), default_timeout=120)
        app.query_params[key] = chosen
        app.run().switch_page(f"app_pages/{name}.py").run()
        assert any("One moment: download" in one.proto.text for one in app.get("progress")), texts(app)
        next(one for one in app.button if one.label == "Cancel").click().run()
        cancelled.set()
        widgets.jobs().find(job).wait(60)
        app.run()
        assert "Cancelled. Nothing was changed." in texts(app)
        assert (cached_folder("owner/tiny"), widgets.explorer().room.holds("owner/tiny")) == (None, False)
        next(one for one in app.button if one.label == "Start again").click().run()
        widgets.jobs().find(job).wait(60)
        assert widgets.explorer().room.holds("owner/tiny")
    widgets.jobs().forget(job)
    widgets.explorer().close()


def test_only_this_machine_may_open_folders(home: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history.remember(str(own / "my-bert"), Family.ENCODER)
    assert str(own / "my-bert") in choices.models()
    config.set_option("server.address", "0.0.0.0")
    assert not choices.on_this_machine()
    assert str(own / "my-bert") not in choices.models()


def test_what_was_opened_is_kept_in_order_and_forgotten(home: Path, own: Path) -> None:
    for number in range(25):
        path = own / f"v{number}.txt"
        path.write_text("a 1 0\n")
        history.remember(str(path), Family.STATIC)
    history.remember(str(own / "birds.txt"), Family.STATIC)
    kept = [Path(one.name).name for one in history.opened_before()]
    assert (kept[:2], len(kept)) == (["birds.txt", "v24.txt"], 20)
    history.forget(str(own / "birds.txt"))
    (own / "v24.txt").unlink()
    assert Path(history.opened_before()[0].name).name == "v23.txt"
    (home / "opened.json").write_text("{")
    assert history.opened_before() == ()
