"""The recipe that a folder of sentence-transformers holds: prompt, window, poolings, and what follows them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polysema.core.errors import UnreadableError, UserError
from polysema.core.model.language_model import LanguageModel
from polysema.core.model.model_folder import read_json
from polysema.core.model.recipe_modules import Step, check_inputs, dense, layer_norm
from polysema.core.space.metric import unit
from polysema.core.space.space import Floats

MODULES_FILE, CONFIG_FILE, WINDOW_FILE = (
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
)
OWN_PACKAGE = "sentence_transformers."  # a module of that name from elsewhere would be another thing
POOLS = ("cls", "last", "max", "mean", "root mean", "weighted mean")
# as sentence-transformers names them, in the order in which it puts them side by side
_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "root mean",
    "pooling_mode_weightedmean_tokens": "weighted mean",
    "pooling_mode_lasttoken": "last",
}
_NAMED = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "root mean",
    "weightedmean": "weighted mean",
    "lasttoken": "last",
}
IGNORED_MODULES = ("Dropout",)  # modules that change nothing outside of training
# settings of the Transformer module that would change what is read; any value but these is refused by name
PLAIN_SETTINGS: dict[str, tuple[Any, ...]] = {
    "transformer_task": (None, "feature-extraction"),
    "module_output_name": (None, "token_embeddings"),
    "processing_kwargs": (None, {}),
    "tokenizer_args": (None, {}),
    "processor_kwargs": (None, {}),
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
}


@dataclass(frozen=True, slots=True)
class SentenceOptions:
    """What is wanted of sentence vectors beyond their pooling.

    `prompt` stands before every text, or the folder's prompt of the name `prompt_name`; neither: the folder's default.
    `dimensions` first numbers are kept, scaled to length 1 (Matryoshka embeddings); None: all, as the model gives them.
    """

    prompt: str | None = None
    prompt_name: str | None = None
    dimensions: int | None = None

    @property
    def has_prompt(self) -> bool:
        """Whether a prompt is given, an empty one included."""
        return self.prompt is not None or self.prompt_name is not None


@dataclass(frozen=True, slots=True)
class SentenceRecipe:
    """What a folder of sentence-transformers says: poolings side by side, and what follows them.

    `window` is the most tokens it was made for, 0 where the folder doesn't say; `prompt` stands before every text, and
    its tokens stay out of the pooling unless `include_prompt`; `truncate_dim` first numbers are kept (None: all), as
    they are.
    """

    poolings: tuple[str, ...]
    after: tuple[Step, ...] = ()
    window: int = 0
    normalized: bool = False
    lower_case: bool = False
    prompt: str = ""
    include_prompt: bool = True
    truncate_dim: int | None = None

    def notes(self) -> tuple[str, ...]:
        """What the vectors' card has to say about them."""
        notes = []
        if self.prompt:
            left = "" if self.include_prompt else "; its tokens stay out of the pooling"
            notes.append(f"the prompt {self.prompt!r} stands before each text{left}")
        if self.truncate_dim is not None:
            notes.append(f"cut to the first {self.truncate_dim} numbers, as the model's folder says (truncate_dim)")
        return tuple(notes)

    def texts(self, texts: Sequence[str]) -> list[str]:
        """The texts as the model reads them: with the prompt before them, and in lower case where the folder says
        so.
        """
        read = [self.prompt + text for text in texts] if self.prompt else list(texts)
        if not self.lower_case:
            return read
        from tokenizers.normalizers import Lowercase

        lower = Lowercase()
        return [str(lower.normalize_str(text)) for text in read]

    def finish(self, vectors: Floats) -> Floats:
        """What follows the poolings, (n, dim) to (n, other)."""
        for step in self.after:
            vectors = step(vectors)
        return vectors if self.truncate_dim is None else np.ascontiguousarray(vectors[:, : self.truncate_dim])


def check_unit(options: SentenceOptions | None, unit: str) -> None:
    """Raise `UserError` for options of sentences beside another unit."""
    if unit == "sentences" or options is None:
        return
    if options.has_prompt:
        raise UserError(f"a prompt is for whole texts by the model's own recipe (sentences, own); got the unit {unit}")
    if options.dimensions is not None:
        raise UserError(f"dimensions are chosen for whole texts (the unit sentences); got the unit {unit}")


def own_recipe(model: LanguageModel, options: SentenceOptions | None = None) -> SentenceRecipe:
    """What the model's folder says, with the requested prompt; dimensions that are requested replace its
    `truncate_dim`.

    Raises `UserError` where there is no recipe, for a module, a setting or a prompt that isn't known.
    """
    if model.path is None or not (model.path / MODULES_FILE).is_file():
        raise UserError(f"{model.name} has no sentence pooling of its own (no modules.json); choose mean, cls or last")
    fields: dict[str, Any] = {"poolings": (), "after": (), "normalized": False}
    for module in _modules(model.path / MODULES_FILE):
        fields |= _module(model, module, fields)
    if not fields["poolings"]:
        raise UserError(f"{model.name}'s modules.json names no pooling; choose mean, cls or last")
    path = model.path / CONFIG_FILE
    config = read_json(path) if path.is_file() else {}
    chosen = options or SentenceOptions()
    truncate_dim = _truncate_dim(path, config.get("truncate_dim")) if chosen.dimensions is None else None
    if truncate_dim is not None:
        fields["normalized"] = False  # sentence-transformers cuts behind the norm and leaves it at that
    return SentenceRecipe(**fields, prompt=_prompt(model, config, chosen), truncate_dim=truncate_dim)


def _modules(path: Path) -> list[dict[str, Any]]:
    """The modules that a folder names, in their order."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{path} can't be read: {error}") from None
    if not isinstance(modules, list) or not all(isinstance(one, dict) and "type" in one for one in modules):
        raise UnreadableError(f"{path} holds no list of modules with their types")
    return modules


def _module(model: LanguageModel, module: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a recipe that one module sets."""
    assert model.path is not None
    kind, folder = str(module["type"]).rsplit(".", 1)[-1], model.path / str(module.get("path", ""))
    if not folder.resolve().is_relative_to(model.path.resolve()):
        raise UnreadableError(f"{model.path / MODULES_FILE} names a folder outside the model's: {module['path']}")
    after: tuple[Step, ...] = fields["after"]
    if str(module["type"]).startswith(OWN_PACKAGE):
        if kind == "Transformer":
            return _transformer(folder / WINDOW_FILE)
        if kind == "Pooling":
            return _poolings(folder / "config.json")
        if kind == "Normalize":
            check_inputs(folder, ("module_input_name", "module_output_name"))
            return {"after": (*after, unit), "normalized": True}
        if kind == "Dense":
            return {"after": (*after, dense(folder)), "normalized": False}
        if kind == "LayerNorm":
            return {"after": (*after, layer_norm(folder)), "normalized": False}
        if kind in IGNORED_MODULES:
            return {}
    raise UserError(
        f"{model.name}'s own pooling has a module that is not known: {module['type']}; choose mean, cls or last"
    )


def _transformer(path: Path) -> dict[str, Any]:
    config = read_json(path) if path.is_file() else {}
    for name, plain in PLAIN_SETTINGS.items():
        if config.get(name) not in plain:
            raise UnreadableError(f"{path}: {name} {str(config[name])[:80]!r} is not known; choose mean, cls or last")
    return {"window": int(config.get("max_seq_length") or 0), "lower_case": bool(config.get("do_lower_case"))}


def _poolings(path: Path) -> dict[str, Any]:
    config = read_json(path)
    named = config.get("pooling_mode")
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        found = [_NAMED.get(name, name) for name in names]
    else:
        found = [name for mode, name in _MODES.items() if config.get(mode)]
    unknown = [str(name) for name in found if name not in POOLS]
    if unknown or not found:
        raise UnreadableError(f"{path}: its pooling is not known ({', '.join(unknown) or 'none'})")
    return {"poolings": tuple(found), "include_prompt": config.get("include_prompt") is not False}


def _truncate_dim(path: Path, given: object) -> int | None:
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
        raise UnreadableError(f"{path}: truncate_dim is a number from 1; got {given!r}")
    return given


def _prompt(model: LanguageModel, config: dict[str, Any], options: SentenceOptions) -> str:
    prompts = config.get("prompts") or {}
    if options.prompt is not None and options.prompt_name is not None:
        raise UserError("give a prompt, or the name of one of the model's, not both")
    if options.prompt is not None:
        return options.prompt
    name = options.prompt_name if options.prompt_name is not None else config.get("default_prompt_name")
    if name is None:
        return ""
    if name not in prompts:
        there = ", ".join(map(repr, prompts)) or "none"
        raise UserError(
            f"{model.name} has no prompt {name!r}; it has: {there}. Give the prompt itself, which may be empty"
        )
    return str(prompts[name] or "")
