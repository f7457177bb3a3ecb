"""Settings: file, environment, flags; each source wins over the one before, and a wrong one is reported."""

from pathlib import Path

import pytest

from polysema.app.config.api_keys import find_key, make_key, parse_key
from polysema.app.config.loading import load_settings
from polysema.core.errors import UserError


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "polysema.toml"
    file.write_text('port = 9001\nmax_k = 50\ntimeout = 5\nmodels = ["minilm-l6"]\n')
    environment = {
        "POLYSEMA_SETTINGS": str(file),
        "POLYSEMA_MAX_K": "60",
        "POLYSEMA_LOG_TEXTS": "true",
        "POLYSEMA_HOME": "/x",
    }
    loaded = load_settings({"max_k": 70, "port": None}, environment)
    one = loaded.settings
    assert (one.port, one.max_k, one.timeout, one.models, one.log_texts) == (9001, 70, 5.0, ("minilm-l6",), True)
    assert (loaded.sources["port"], loaded.sources["max_k"]) == (str(file), "flag")
    assert (loaded.sources["log_texts"], loaded.sources["queue"]) == ("POLYSEMA_LOG_TEXTS", "default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "there is no setting 'prot'"),
        ("port = 0", "the setting port goes from 1 to 65,535; got 0"),
        ("port = 'x'", "must be a whole number"),
        ("port = true", "must be a whole number"),
        ("timeout = nan", "the setting timeout goes from"),
        ("keys = ['secret']", "NAME:read:SALT:HASH"),
        ("models = ['nope']", "names rows of the catalog"),
        ("keys = 3", "must be a list of texts"),
        ("= 3", "can't be read as TOML"),
        ("address = '0.0.0.0'", "loopback only"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_settings(environment={}, file=str(tmp_path / "s.toml"))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "x"), ("LOG_TEXTS", "maybe"), ("QUEUE", "-1"), ("TIMEOUT", "inf")]
)
def test_a_wrong_variable_is_told(name: str, value: str) -> None:
    with pytest.raises(UserError):
        load_settings(environment={f"POLYSEMA_{name}": value})


def test_a_missing_file_is_told() -> None:
    with pytest.raises(UserError, match="is not there"):
        load_settings(environment={}, file="/nowhere/s.toml")


def test_keys_are_kept_as_hashes_and_masked() -> None:
    key, line = make_key("mine", "write")
    other = make_key("other")[1]
    loaded = load_settings(environment={"POLYSEMA_KEYS": f"{other},{line}"})
    keys = loaded.settings.api_keys
    assert find_key(keys, key) == parse_key(line)
    assert find_key(keys, key + "x") is find_key(keys, "") is None
    shown = next(row["value"] for row in loaded.rows() if row["name"] == "keys")
    assert shown == "other (read) ****, mine (read+write) ****"
    assert parse_key(line).digest not in str(loaded.rows())
