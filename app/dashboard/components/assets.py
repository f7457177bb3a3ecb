"""The JavaScript and CSS beside the components: ES modules of several files, put together without a build step.

A component of Streamlit is one ES module as a text, which has no address that `import` could start from. So the files
of a component, which import each other as the browser and the type checker know it, are joined here into one scope.
"""

import posixpath
import re
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["asset", "module"]

_IMPORT = re.compile(r"^import \{[^}]*\} from '(\.[\w./-]+)';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const)\b)", re.MULTILINE)


_HERE = files("polysema.app.dashboard.components")


def asset(path: str, folder: Traversable = _HERE) -> str:
    """Text of a file that ships beside this module, by its path from here."""
    return folder.joinpath(path).read_text(encoding="utf-8")


def module(entry: str, folder: Traversable = _HERE) -> str:
    """One ES module: a file and all that it imports, each once and after those that it imports itself.

    Args:
        entry: The path of the file that has the default export.
        folder: Where the paths begin.

    Returns:
        The text of the module. Its names are those of all files together, so no two of them may declare the same.

    Raises:
        ValueError: Files import each other in a circle.
    """
    joined: dict[str, str] = {}

    def add(path: str, waiting: tuple[str, ...]) -> None:
        if path in waiting:
            raise ValueError(f"modules import each other in a circle: {' -> '.join([*waiting, path])}")
        if path in joined:
            return
        text = asset(path, folder)
        for imported in _IMPORT.findall(text):
            add(posixpath.normpath(posixpath.join(posixpath.dirname(path), imported)), (*waiting, path))
        joined[path] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(entry, ())
    return "\n".join(joined.values())
