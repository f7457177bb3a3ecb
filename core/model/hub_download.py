"""A model of the hub: what is told of it before it is brought, and how it is brought into the hub's cache."""

from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from polysema.core.errors import NotFoundError, UnavailableError
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.config_check import first_words
from polysema.core.model.hub import (
    DEFAULT_REVISION,
    OFFLINE,
    REACH_SECONDS,
    cached_folder,
    hub_address,
    hub_cache,
    is_offline,
)
from polysema.core.model.model_folder import CONFIG_FILE, CONVERTED
from polysema.core.model.watched_load import Watch
from polysema.core.progress import Progress, no_progress

DOWNLOADING = "download"
# of a repository: one set of weights, and what config, tokenizer and the way to sentence vectors are made of
WEIGHT_FILES = ("model.safetensors", "model-*-of-*.safetensors")
TEXT_FILES = ("*.json", "*.txt", "*.model", "*.spm", "*.jinja")
NOT_THERE = (401, 403, 404)  # what the hub answers for models that aren't there, or are for some people
OTHER_FORMS = ("onnx/*", "openvino/*")
ADVICE = "check the id and the connection, or give a local folder"


@dataclass(frozen=True, slots=True)
class HubListing:
    """What the hub lists of a model: `n_parameters` is 0 where it doesn't count them, `license` empty where none is
    stated; `files` are their names, `file_bytes` the size of its weights.
    """

    n_parameters: int
    file_bytes: int
    license: str
    files: tuple[str, ...]


def hub_listing(found: ModelLocation) -> HubListing:
    """What the hub lists of a model that is not on this machine.

    Args:
        found: By its hub id.

    Returns:
        Its listing; nothing is brought.

    Raises:
        UnavailableError: The hub can't be reached, or has no such model.
        NotFoundError: Its weights are pickles.
    """
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=hub_address()).model_info(
            found.hub_id, revision=found.revision or DEFAULT_REVISION, files_metadata=True, timeout=REACH_SECONDS
        )
    except Exception as error:  # the hub's client raises types of its own
        raise UnavailableError(
            f"{found.name} is a model of the hub that is not on this machine, and the hub doesn't tell of it "
            f"({why(error)}); {ADVICE}"
        ) from None
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    weights = [name for name in sizes if any(fnmatch(name, pattern) for pattern in WEIGHT_FILES)]
    if not weights:
        raise NotFoundError(f"{found.name} has no weights as safetensors; {CONVERTED}")
    stated = getattr(info.card_data, "license", None) or ""
    count = info.safetensors.total if info.safetensors else 0
    return HubListing(count, sum(sizes[name] for name in weights), str(stated), tuple(sizes))


def why(error: Exception) -> str:
    """What an error of the hub's client says, in a few words.

    Args:
        error: Of the client, whose first line names a request and not the reason where a model isn't there.

    Returns:
        A part of a line.
    """
    if is_offline():
        return OFFLINE
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return "it has no such model, or not for everybody" if status in NOT_THERE else first_words(error)[:160]


def bring(found: ModelLocation, watch: Watch) -> ModelLocation:
    """Bring what loading needs of a model of the hub into the hub's cache, where it isn't there yet.

    Args:
        found: A model of the hub, or one on this machine, for which nothing is done.
        watch: Is told of the bytes; what it raises ends the download, and whole files are not brought again.

    Returns:
        Where it is on this machine; its revision is the commit.

    Raises:
        NotFoundError: The hub has no such model, can't be reached, or has its weights as pickles only.
    """
    if found.path is not None:
        return found
    folder = cached_folder(found.hub_id, found.revision)
    if folder is None:
        watch(DOWNLOADING, 0, 0)
        try:
            _download(found, watch)
        except Exception as error:  # the hub's client raises types of its own
            if watch.ended_by(error):
                raise
            raise NotFoundError(
                f"{found.name} can't be loaded from the hub or its cache ({why(error)}); {ADVICE}"
            ) from None
        folder = cached_folder(found.hub_id, found.revision)
    if folder is None:
        raise NotFoundError(f"{found.name} has no weights as safetensors; {CONVERTED}")
    return replace(found, path=folder, hub_id="", revision=folder.name)


def _download(found: ModelLocation, progress: Progress) -> None:
    from huggingface_hub import snapshot_download

    snapshot_download(
        found.hub_id,
        revision=found.revision or None,
        cache_dir=hub_cache(),
        endpoint=hub_address(),
        allow_patterns=[*TEXT_FILES, *WEIGHT_FILES],
        ignore_patterns=list(OTHER_FORMS),
        tqdm_class=_bar_of(progress),
    )


def bring_config(found: ModelLocation) -> Path:
    """The folder in the hub's cache that a model's config was brought to.

    Args:
        found: By its hub id.

    Returns:
        Its folder, in which weights need not be.

    Raises:
        UnavailableError: The hub has no config of it, or can't be reached.
    """
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(
            found.hub_id,
            CONFIG_FILE,
            revision=found.revision or None,
            cache_dir=hub_cache(),
            endpoint=hub_address(),
            tqdm_class=_bar_of(no_progress),
        )
    except Exception as error:  # the hub's client raises types of its own
        raise UnavailableError(
            f"{found.name} is not on this machine, and can't be brought from the hub ({why(error)}); {ADVICE}"
        ) from None
    return Path(path).parent


def _bar_of(progress: Progress) -> type[Any]:
    """A bar for the hub's client, which is not shown, and tells `progress` of the bytes."""
    from tqdm import tqdm

    most = [0]

    class _Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *_: object, total: float | None = None, unit: str = "", **__: object):
            super().__init__(disable=True)
            self.total = total
            self._of_bytes = unit == "B"

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            if self._of_bytes:
                # two bars count the same bytes, sent and written
                most[0] = max(most[0], int(self.n))
                progress(DOWNLOADING, most[0], max(most[0], int(self.total or 0)))
            return None

    return _Bar
