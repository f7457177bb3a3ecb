"""What a model or a file of vectors is, told before anything of it is loaded."""

from __future__ import annotations

from polysema.core.files.fasttext_reader import check_fasttext
from polysema.core.files.formats import recognize
from polysema.core.model.catalog import ModelLocation
from polysema.core.model.description import ModelDescription, describe_model
from polysema.core.model.model_folder import WEIGHTS
from polysema.core.space.space import Family


def describe(found: ModelLocation) -> ModelDescription:
    """Family, size, license and tokenizer of a model, and what loading it costs; of vectors their layout and size.

    Args:
        found: Where it is.

    Returns:
        The description. Vectors are mapped from the disk: in memory they take what is read of them, all of it at most.

    Raises:
        UserError: for what is no model and no file of vectors, is cut off, or can't be loaded safely.
    """
    path, row = found.path, found.entry
    if not found.is_vectors or path is None:
        return describe_model(found)
    stated = row.license if row is not None else ""
    if path.is_dir():
        files = [one.stat().st_size for one in path.glob(f"**/{WEIGHTS}")] or [0]
        sizes = [member.bytes for member in row.members] if row is not None and row.members else files
        return ModelDescription(found.name, Family.STATIC, "vectors", "", 0, sum(sizes), max(sizes), stated, "")
    form, size = recognize(path), path.stat().st_size
    if form.name == "fasttext":  # the only layout whose end is told by its beginning
        check_fasttext(path)
    return ModelDescription(found.name, Family.STATIC, form.name, form.what, 0, size, size, stated, "")
