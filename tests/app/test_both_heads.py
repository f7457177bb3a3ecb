"""A BERT with both of its heads, for masked words and for the next sentence, through every door."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.app.client.client import Client
from polysema.app.explorer import Explorer
from polysema.app.explorer.serialization import to_json
from tests.app.test_dashboard import as_launched, page
from tests.app.test_page_lessons import words
from tests.service.conftest import running
from tests.tiny_tokenizers import wordpiece

__all__ = ["as_launched"]
GAP, FIRST, SECOND = "the white [MASK] in the water", "the white swan", "the river bank was blue"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertForPreTraining

    torch.manual_seed(3)
    tokenizer: Any = wordpiece()
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
    config = BertConfig(**sizes, vocab_size=len(tokenizer), max_position_embeddings=64)
    made = tmp_path_factory.mktemp("both")
    BertForPreTraining(config).save_pretrained(made / "model")
    tokenizer.save_pretrained(made / "model")
    rows = f'[[model]]\nname = "both"\nfamily = "encoder"\npath = "{made / "model"}"\n'
    (made / "catalog.toml").write_text(rows)
    return made


@pytest.fixture(autouse=True)
def named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("POLYSEMA_CATALOG", str(folder / "catalog.toml"))
    return


def test_python_shell_http_and_client_agree(tmp_path: Path) -> None:
    explorer = Explorer()
    here = explorer.model("both").generation
    filled, follows = here.fill(GAP, 4, 1, ""), here.next_sentence(FIRST, SECOND)
    assert 0 < follows.probability < 1
    shell = CliRunner().invoke(cli, ["generate", "next-sentence", FIRST, SECOND, "-m", "both", "--format", "json"])
    assert json.loads(shell.stdout) == to_json(follows)
    shell = CliRunner().invoke(
        cli, ["generate", "fill", GAP, "-m", "both", "--pieces", "1", "-k", "4", "--space", "", "--format", "json"]
    )
    assert json.loads(shell.stdout) == to_json(filled)
    with running(explorer, data=str(tmp_path / "data")) as (url, _), Client(url) as client:
        body = {"model": "both", "first": FIRST, "second": SECOND}
        assert httpx.post(f"{url}/v1/next-sentence", json=body, trust_env=False).json() == to_json(follows)
        there = client.model("both").generation
        assert there.next_sentence(FIRST, SECOND) == follows
        assert there.fill(GAP, 4, 1, "") == filled


def test_the_page_asks_both_heads_and_tells_where_one_is_missing() -> None:
    app = page("writing", do="Fill a gap", fm="both")
    assert not app.exception
    assert [one.value for one in app.error] == []
    assert "Does one sentence follow another?" in words(app)
    assert [one.label for one in app.text_input][-2:] == ["First sentence", "Second sentence"]
    other = page("writing", do="Fill a gap")
    assert "No next-sentence head: " in words(other)
