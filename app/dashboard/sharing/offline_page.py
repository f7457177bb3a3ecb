"""A page as one HTML file that asks for nothing: its own policy forbids every request."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from polysema.app.dashboard.theme import DARK, LIGHT

_VARIABLES = {
    "primaryColor": "--st-primary-color",
    "backgroundColor": "--st-background-color",
    "secondaryBackgroundColor": "--st-secondary-background-color",
    "textColor": "--st-text-color",
    "borderColor": "--st-border-color",
}


@dataclass(frozen=True, slots=True)
class OfflinePage:
    """What stands in the file.

    Attributes:
        title: Of the window; escaped here.
        body: HTML, in which all texts of users are escaped already.
        styles: CSS.
        script: The text of an ES module without imports; empty for a page without one.
        values: Plain values that the script reads, as JSON in an element of that id.
        packed: Bytes that the script reads, gzip in base64 in an element of that id.
    """

    title: str
    body: str
    styles: str = ""
    script: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    packed: Mapping[str, bytes] = field(default_factory=dict)

    def html(self) -> str:
        """The whole file. Colors are the dashboard's, light or dark as the reader's machine is.

        Returns:
            HTML that shows the same without a network.
        """
        blocks = [_block(name, "application/json", _json(value)) for name, value in self.values.items()]
        blocks += [_block(name, "text/plain", packed(content)) for name, content in self.packed.items()]
        digest = base64.b64encode(hashlib.sha256(self.script.encode()).digest()).decode()
        allowed = f"script-src 'sha256-{digest}'; " if self.script else ""
        policy = f"default-src 'none'; {allowed}style-src 'unsafe-inline'; img-src data: blob:"
        script = f'<script type="module">{self.script}</script>' if self.script else ""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{_theme()}{self.styles}</style>\n</head>\n<body>\n"
            f"{self.body}\n{''.join(blocks)}{script}\n</body>\n</html>\n"
        )


def packed(content: bytes) -> str:
    """Bytes as text: gzip (of the same bytes always the same), then base64."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")


def _json(value: object) -> str:
    """JSON in which nothing ends the element that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _block(name: str, kind: str, content: str) -> str:
    return f'<script type="{kind}" id="{escape(name)}">{content}</script>\n'


def _theme() -> str:
    """The dashboard's colors as CSS variables."""
    rules = []
    for colors, head, tail in ((LIGHT, "", ""), (DARK, "@media (prefers-color-scheme: dark) {\n", "}\n")):
        lines = "".join(f"  {_VARIABLES[name]}: {value};\n" for name, value in colors.items())
        rules.append(f"{head}:root {{\n  color-scheme: {'dark' if head else 'light'};\n{lines}}}\n{tail}")
    return "".join(rules)
