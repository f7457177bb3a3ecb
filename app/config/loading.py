"""Settings as they are read: from a file, the environment and flags, once.

A later source wins: the default, the TOML file named by `--settings` or POLYSEMA_SETTINGS, variables POLYSEMA_NAME,
flags. A wrong value is told with its source.
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError, TomlConfigSettingsSource

from polysema.app.config.api_keys import parse_key
from polysema.app.config.settings import Settings, Value
from polysema.core.errors import NotFoundError, UnreadableError, UserError

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and for each name where its value comes from."""

    settings: Settings
    sources: dict[str, str]

    def rows(self) -> list[dict[str, Value]]:
        """A row for each setting: name, value (secrets masked), source, meaning."""
        return [
            {
                "name": name,
                "value": _shown(name, getattr(self.settings, name)),
                "from": self.sources[name],
                "what": field.description or "",
            }
            for name, field in Settings.model_fields.items()
        ]


def load_settings(
    flags: Mapping[str, Value | None] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> LoadedSettings:
    """The settings of a file, the environment and flags, each source above the one before.

    Args:
        flags: Values by the setting's name; None where the flag was not given.
        environment: The variables to read instead of the process's own.
        file: A TOML file instead of the one that POLYSEMA_SETTINGS names.

    Raises:
        UserError: For a value of the wrong type or outside its limits, naming its source; for an unknown name.
    """
    environment = os.environ if environment is None else environment
    chosen = file or environment.get("POLYSEMA_SETTINGS")
    layers: list[tuple[str, dict[str, Value]]] = []
    if chosen:
        layers.append((chosen, _file_values(chosen)))
    try:
        variables = _Variables(environment)()
    except SettingsError as error:  # what `prepare_field_value` raised, wrapped
        raise UserError(str(error.__cause__)) from None
    layers.extend((f"POLYSEMA_{name.upper()}", {name: value}) for name, value in variables.items())
    layers.append(("flag", {name: value for name, value in (flags or {}).items() if value is not None}))
    values: dict[str, Value] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    for source, layer in layers:
        values |= layer
        sources |= dict.fromkeys(layer, source)
    try:
        return LoadedSettings(Settings.model_validate(values), sources)
    except ValidationError as error:
        raise UserError(_message(error, sources)) from None


class _Variables(EnvSettingsSource):
    """The variables POLYSEMA_NAME: a list is a text with commas, not JSON."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environment.items()}

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: str | None, value_is_complex: bool
    ) -> Value | None:
        """The value that a variable's text stands for."""
        if value is None:
            return None
        kind = type(field.default)
        variable = f"{self.env_prefix}{field_name}".upper()
        if kind is tuple:
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if kind is bool:
            if value.lower() not in _TRUTHS:
                raise UserError(f"{variable} must be true or false; got {value!r:.60}")
            return _TRUTHS[value.lower()]
        try:
            found: Value | None = kind(value)
            return found
        except ValueError:
            raise UserError(f"{variable} must be {_wanted(field)}; got {value!r:.60}") from None


def _file_values(name: str) -> dict[str, Value]:
    path = Path(name).expanduser()
    if not path.exists():
        raise NotFoundError(f"the settings file {name} is not there")
    try:
        return TomlConfigSettingsSource(Settings, toml_file=path)()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableError(f"the settings file {name} can't be read as TOML: {error}") from None


def _message(error: ValidationError, sources: Mapping[str, str]) -> str:
    """One line for the first error: which setting, from where, what is allowed, what was given."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    name, value = str(first["loc"][0]), first["input"]
    if first["type"] == "extra_forbidden":
        return f"{sources[name]}: there is no setting {name!r:.60}; there are: {', '.join(Settings.model_fields)}"
    field = Settings.model_fields[name]
    if first["type"] in ("greater_than_equal", "less_than_equal"):
        least, most = _limits(field)
        return f"the setting {name} goes from {least:,} to {most:,}; got {value}"
    source = sources[name]
    where = f"--{name}" if source == "flag" else source if source.startswith("POLYSEMA_") else f"{source}: {name}"
    return f"{where} must be {_wanted(field)}; got {value!r:.60}"


def _limits(field: FieldInfo) -> tuple[float, float]:
    bounds = {kind: getattr(one, kind) for one in field.metadata for kind in ("ge", "le") if hasattr(one, kind)}
    return bounds.get("ge", -math.inf), bounds.get("le", math.inf)


def _wanted(field: FieldInfo) -> str:
    kinds = {tuple: "a list of texts", bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return kinds[type(field.default)]


def _shown(name: str, value: Value) -> Value:
    if name == "keys" and isinstance(value, tuple):
        return ", ".join(f"{key.name} ({'+'.join(sorted(key.scopes))}) ****" for key in map(parse_key, value)) or "none"
    return ", ".join(value) if isinstance(value, tuple) else value
