"""Write the reference pages from the code: commands, routes and settings. Run by `make docs`, kept fresh by a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

REFERENCE = Path(__file__).parent / "reference"


def command_page() -> str:
    """Every command with its arguments, its options and its help."""
    from polysema.app.cli.main import cli

    parts = ["# Commands\n\nWritten from the commands themselves; `polysema COMMAND --help` prints the same.\n"]
    for name, command in _commands(cli, "polysema"):
        context = click.Context(command)
        parameters = command.get_params(context)
        usage = " ".join(one.make_metavar(context) for one in parameters if isinstance(one, click.Argument))
        parts.append(f"## {name}\n\n```text\n{name} {usage}".rstrip() + f"\n```\n\n{_paragraphs(command.help)}\n")
        rows = [_option_row(one) for one in parameters if isinstance(one, click.Option) and "--help" not in one.opts]
        if rows:
            parts.append("| option | default | meaning |\n|---|---|---|\n" + "".join(rows))
    return "\n".join(parts)


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for child, command in sorted(group.commands.items()):
        if not isinstance(command, click.Group):
            whole = f"{name} {child}"
            # `export run` is what `export` does when it is given files
            yield whole.removesuffix(" run") if whole.endswith(" export run") else whole, command
        else:
            yield from _commands(command, f"{name} {child}")


def _paragraphs(text: str | None) -> str:
    blocks = [" ".join(block.split()) for block in (text or "").replace("\b", "").split("\n\n")]
    return "\n\n".join(_escaped(block) for block in blocks if block)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _option_row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    default = option.default
    shown = (
        ""
        if default is None or callable(default) or default is False or "Sentinel" in repr(default)
        else f"`{default}`"
    )
    return f"| {names} | {shown} | {_escaped(' '.join((option.help or '').split()))} |\n"


def settings_table() -> str:
    """A row for each setting of the service."""
    from polysema.app.config.settings import Settings

    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        shown = f"`{field.default}`" if field.default not in ("", ()) else ""
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Every setting of the service, and where a setting comes from."""
    return (
        "# Settings\n\nA setting comes from a TOML file (`--settings FILE`, or the file that `POLYSEMA_SETTINGS` "
        "names), from the environment\n"
        "(`POLYSEMA_MAX_K=50`) or from a flag of `polysema serve` (`--max-k 50`); a later source wins. `polysema "
        "settings` prints them\n"
        "as they are read, with keys masked.\n\n" + settings_table()
    )


def http_page() -> str:
    """Every route with its parameters, the fields of its request and of its answer, from the OpenAPI document."""
    from polysema.app.explorer import Explorer
    from polysema.app.service.app import create_app

    document = create_app(Explorer()).openapi()
    parts = [
        "# HTTP\n\nWritten from the service's OpenAPI document, which it serves at `/openapi.json` with examples.\n"
    ]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            parts.append(
                f"## {method.upper()} {path}\n\n{_paragraphs(route.get('description') or route.get('summary'))}\n"
            )
            parts += [table for table in _route_tables(route, document["components"]["schemas"]) if table]
    return "\n".join(parts)


def _route_tables(route: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    rows = [(one["name"], one["schema"], one.get("description", "")) for one in route.get("parameters", ())]
    yield _field_table("parameter", [(name, _type_of(schema), text) for name, schema, text in rows])
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    yield _field_table("request field", _fields_of(body, schemas))
    answer = route["responses"].get("200", route["responses"].get("201", {})).get("content", {})
    yield _field_table("answer field", _fields_of(answer.get("application/json", {}).get("schema", {}), schemas))


def _fields_of(schema: dict[str, Any], schemas: dict[str, Any]) -> list[tuple[str, str, str]]:
    name = schema.get("$ref", "").rpartition("/")[2]
    whole = schemas.get(name, schema)
    return [(field, _type_of(one), one.get("description", "")) for field, one in whole.get("properties", {}).items()]


def _type_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(dict.fromkeys(_type_of(one) for one in schema.get("anyOf") or schema["oneOf"]))
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _field_table(head: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {head} | type | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {_escaped(kind)} | {_escaped(' '.join(text.split()))} |" for name, kind, text in rows]
    return "\n".join(lines) + "\n"


PAGES = {"cli.md": command_page, "settings.md": settings_page, "http.md": http_page}


if __name__ == "__main__":
    for file, page in PAGES.items():
        (REFERENCE / file).write_text(page(), encoding="utf-8")
