"""A file of one's own: uploaded, embedded, kept, taken away, and found again from a copied link."""

import re
import threading
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.browser.conftest import at_rest, until
from tests.conftest import build
from tests.core.hub_server import LocalHub

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TEXTS = "The bank of the river was muddy.\nHer bank keeps gold.\nThe swan slept on the bank.\n"


def test_upload_embed_export_and_reopen_from_a_copied_link(page: Any, browser: Any, tmp_path: Path) -> None:
    name = f"diary-{uuid.uuid4().hex[:8]}"
    source = tmp_path / f"{name}.txt"
    source.write_text(TEXTS)
    page.goto("/data?dadd=Upload+files")
    page.wait_for_selector("text=Pickles are never opened", timeout=120_000)
    page.locator("input[type=file]").set_input_files(source)
    page.wait_for_selector("text=3 texts", timeout=120_000)
    page.wait_for_selector("text=can be cancelled", timeout=180_000)  # the model is loaded
    page.get_by_text("Every word", exact=True).click()  # else a vector for each text
    page.wait_for_url("**deu=Every+word*")
    at_rest(page)
    page.get_by_role("button", name="Put it in").click()
    page.wait_for_selector(f"text=The new collection {name} has 17 rows", timeout=120_000)
    page.get_by_role("button", name="Open the collection").click()
    page.wait_for_selector("text=10 of 17 rows", timeout=120_000)
    page.get_by_text("Like a text", exact=True).click()
    page.wait_for_selector("text=Nearest to bank", timeout=120_000)
    marked = page.locator("[class*=st-key-rows_] strong").all_inner_texts()
    assert marked[:3] == ["bank", "bank", "bank"]
    box = page.get_by_role("textbox", name="Only rows that pass")
    box.fill("word = 'swan'")
    box.press("Enter")
    until(
        lambda: page.locator("[class*=st-key-rows_] strong").all_inner_texts() == ["swan"], "only the row that passes"
    )
    at_rest(page)
    page.get_by_role("button", name="Make the file").click()
    save = page.get_by_role("button", name=re.compile(f"Save {name}-layer-6-v"))
    save.wait_for(timeout=120_000)
    with page.expect_download() as download:
        save.click()
    download.value.save_as(tmp_path / "saved.parquet")
    saved = pq.read_table(tmp_path / "saved.parquet")
    assert saved.column("word").to_pylist() == ["swan"]
    assert saved.column("text").to_pylist() == ["The swan slept on the bank."]
    assert saved.column("vector").type.list_size == 384
    until(lambda: f"dc={name}" in page.url and "dq=Like" in page.url and "s=" in page.url, "the link holds the view")

    elsewhere = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = elsewhere.new_page()
    other.goto(page.url)
    other.wait_for_selector("text=Nearest to bank", timeout=120_000)
    box = other.get_by_role("textbox", name="Only rows that pass")
    until(lambda: box.input_value() == "word = 'swan'", "the condition is not restored")
    assert other.locator("[class*=st-key-rows_] strong").all_inner_texts() == ["swan"]
    at_rest(other)
    other.get_by_text("Delete this collection").click()
    other.get_by_role("textbox", name="Its name, to delete it").fill(name)
    other.get_by_role("button", name="Delete", exact=True).click()
    other.get_by_text(f"{name} is deleted").wait_for(timeout=120_000)
    elsewhere.close()


def test_a_paste_beyond_every_box_is_refused_in_words_and_the_page_goes_on(page: Any) -> None:
    page.goto("/data")
    box = page.get_by_role("textbox", name="Texts, one a line")
    box.wait_for(timeout=120_000)
    at_rest(page)
    before = box.input_value()
    message: list[str] = []
    page.on("dialog", lambda dialog: (message.append(dialog.message), dialog.dismiss()))
    paste = """(box, length) => {
        const data = new DataTransfer();
        data.setData('text/plain', 'a'.repeat(length));
        const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        return box.dispatchEvent(event);
    }"""
    assert box.evaluate(paste, 30_000)
    assert message == []
    assert not box.evaluate(paste, 1_300_000)
    assert ["1,300,000 characters; a box takes at most 200,000" in line for line in message] == [True]
    assert box.input_value() == before


def test_loading_a_model_is_cancelled(page: Any, hub: LocalHub, tmp_path: Path) -> None:
    hub.add("owner/tiny", "main", build("bert-mlm", tmp_path / "tiny"))
    cancelled = threading.Event()
    hub.hold = lambda: cancelled.wait(120)  # its weights come slowly
    page.goto("/neighbors")
    at_rest(page)
    page.get_by_role("button", name="Other").click()
    page.get_by_text("Hub", exact=True).click()
    box = page.get_by_role("textbox", name="Id of the hub")
    box.fill("owner/tiny")
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("button", name="Open it").click(timeout=120_000)
    page.wait_for_selector("text=One moment: download", timeout=120_000)
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.click()
    cancel.wait_for(state="detached", timeout=120_000)  # the server knows; a small file would come sooner
    cancelled.set()
    page.wait_for_selector("text=Cancelled. Nothing of it is in memory.", timeout=120_000)
    at_rest(page)
    assert page.get_by_role("button", name="Open it").is_enabled()
