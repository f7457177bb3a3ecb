"""Handles behind flat verbs: `flat.neighbors("bank", "glove", 5)` for `of.space("glove").neighbors("bank", 5)`."""

from typing import Any

WORDS = {
    "neighbors": ("neighbors", "word space k policy search"),
    "nearest": ("nearest", "queries space k search"),
    "analogy": ("analogy", "expression space k method options"),
    "similarity": ("similarity", "first second space policy"),
    "closer_than": ("closer_than", "word other space policy"),
    "odd_one_out": ("odd_one_out", "words space policy"),
    "project": ("project", "words axes space policy"),
    "association": ("association", "first second toward away space policy"),
    "travel": ("travel", "word axis space steps reach k"),
    "view": ("view", "space transform without"),
    "baseline": ("baseline", "space"),
    "direction": ("lookup.direction", "axis space policy"),
    "noted_direction": ("lookup.noted_direction", "axis space policy"),
    "vector": ("lookup.vector", "expression space policy"),
    "noted_vector": ("lookup.noted_vector", "expression space policy"),
}
MODELS = {
    "compare": ("compare", "word texts model layers pooling progress"),
    "embed": ("embed", "texts model layers unit word pooling options"),
    "occurrence_neighbors": ("occurrences", "word text model layer k options progress"),
    "baselines": ("senses.baselines", "model"),
    "corpus_layers": ("senses.layers", "model"),
    "corpus": ("senses.corpus", "model layer progress"),
    "sense_clusters": ("senses.clusters", "word model layer min_cluster_size texts progress"),
    "attention": ("attention", "text model layers options most"),
    "find_heads": ("rank_heads", "pairs texts model layers options"),
    "lens": ("lens", "text model layers words view options"),
    "contributions": ("attribution", "text word model against at options"),
}
MAPS = ("areas", "around", "columns", "map", "matched", "place", "typical", "word_map")
OWN = ("compare_families", "space", "model", "maps", "senses", "create", "collection", "collections", "delete")


class Flat:
    """Every verb of the handles of an explorer or of a client."""

    def __init__(self, of: Any):
        self._of = of

    def __getattr__(self, name: str) -> Any:
        if name == "senses":
            return self._of.measures.senses
        if name in OWN:
            return getattr(self._of, name)
        if name in MAPS:
            return getattr(self._of.maps, name)

        def ask(*given: Any, **named: Any) -> Any:
            path, parameters = (WORDS | MODELS)[name]
            values = dict(zip(parameters.split(), given, strict=False)) | named
            where = "space" if name in WORDS else "model"
            handle: Any = getattr(self._of, where)(*([values.pop(where)] if where in values else []))
            for part in path.split("."):
                handle = getattr(handle, part)
            return handle(**values) if callable(handle) else handle

        return ask
