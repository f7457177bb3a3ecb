"""Actions of the table of cases that need a model: see tests/cases/actions.py."""

import json
import shutil
from pathlib import Path


def sentences_by_own_recipe(given: list[str], folder: Path) -> str:
    """CONFIG FILE, its JSON, TEXT and the text that a plain minilm-l6 would have to read for the same vector."""
    from polysema.core.model.catalog import locate
    from polysema.core.model.load import load_model
    from polysema.core.model.sentences import embed_sentences
    from polysema.core.space.metric import cosine

    file, config, text, read = given
    whole = locate("minilm-l6").path
    assert whole is not None
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    (folder / file).write_text(json.dumps(json.loads(config)))
    made = embed_sentences(load_model(str(folder), "cpu", "torch"), [text], pooling="own")
    plain = embed_sentences(load_model("minilm-l6", "cpu", "torch"), [read], pooling="own").vectors[0, 0]
    vector = made.vectors[0, 0]
    near = cosine(vector, plain[: len(vector)])
    return f"{len(vector)} wide, cosine {near:.5f} to the text with its prompt; {'; '.join(made.origin.notes)}"


MODEL_ACTIONS = {"own_sentences": sentences_by_own_recipe}
