"""What of the hub is on this machine already, in the cache that transformers and huggingface_hub share."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

from polysema.core.model.model_folder import CONFIG_FILE, WEIGHTS

DEFAULT_REVISION = "main"
INDEX_FILE = "model.safetensors.index.json"
HUB_ID_EXAMPLE = "google-bert/bert-base-uncased"
HUB_ADDRESS = "https://huggingface.co"
OFFLINE = "HF_HUB_OFFLINE is set"
OFFLINE_VALUES = {"1", "true", "yes", "on"}
REACH_SECONDS = 3.0  # seconds in which the hub has to answer


def hub_cache() -> Path:
    """The folder in which models of the hub are kept, as huggingface_hub finds it.

    Returns:
        What HF_HUB_CACHE names, else `hub` in HF_HOME, else `huggingface/hub` in the user's cache.
    """
    chosen = os.environ.get("HF_HUB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    own = os.environ.get("HF_HOME")
    base = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return base.expanduser() / "hub"


def cached_folder(hub_id: str, revision: str = "") -> Path | None:
    """The folder of a model of the hub that was brought before.

    Args:
        hub_id: `owner/name`.
        revision: A branch, tag, commit or `refs/pr/N`; empty: the main branch.

    Returns:
        Its folder, None where its config and all its weights aren't there.
    """
    repository = hub_cache() / f"models--{hub_id.replace('/', '--')}"
    wanted = revision or DEFAULT_REVISION
    try:
        commit = (repository / "refs" / wanted).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = wanted
    folder = repository / "snapshots" / commit
    return folder if (folder / CONFIG_FILE).is_file() and _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether a folder has weights, and all files of them that its index names: a download may have ended early."""
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        return all((folder / name).is_file() for name in set(index["weight_map"].values()))
    except FileNotFoundError:
        return any(folder.glob(WEIGHTS))
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def cached_models() -> list[str]:
    """The ids of the models of the hub that were brought before.

    Returns:
        `owner/name` of each whose config and weights are in the hub's cache.
    """
    names = [path.name.removeprefix("models--").replace("--", "/") for path in hub_cache().glob("models--*")]
    return sorted(name for name in names if cached_folder(name) is not None)


def hub_address() -> str:
    """Where the hub is: HF_ENDPOINT, else huggingface.co.

    Returns:
        An address without a slash at its end.
    """
    return os.environ.get("HF_ENDPOINT", HUB_ADDRESS).rstrip("/")


def is_offline() -> bool:
    """Whether the user has said that the hub is not to be reached (HF_HUB_OFFLINE).

    Returns:
        True where nothing may be brought from it.
    """
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in OFFLINE_VALUES


def why_unreachable() -> str:
    """Why the hub can't be reached from this machine now.

    Returns:
        One line, empty where it answers.
    """
    if is_offline():
        return OFFLINE
    request = urllib.request.Request(f"{hub_address()}/api/models?limit=1", method="HEAD")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=REACH_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError:  # it answers, whatever it says
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return f"{hub_address()}: {str(reason)[:120]}"
