"""The table of the architectures that were compared: what each is, costs, and can't do, as measured here."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from polysema.app.dashboard import widgets
from polysema.core.inside.families import FamilyRun
from polysema.core.inside.family_card import FamilyCard


def card_row(run: FamilyRun, card: FamilyCard) -> dict[str, object]:
    """What there is to say about one of them."""
    return {
        "model": run.model,
        "architecture": f"{card.architecture}, {run.family.value}",
        "trained to": card.task,
        "can’t": card.cannot,
        "masks": "; ".join(f"{sight.name}: {sight.describe}" for sight in run.sights),
        "layers": " + ".join(map(str, run.n_layers)),
        "norms": card.norms,
        "positions": card.positions,
        "parameters": card.n_parameters,
        "files, MB": round(card.file_bytes / 1e6, 1),
        "memory, MB": round(card.weight_bytes / 1e6, 1),
        "tokens": card.n_tokens,
        "MFLOPs": round(card.flops / 1e6, 1),
        "milliseconds": round(card.milliseconds, 1),
    }


def four_table(found: Sequence[tuple[FamilyRun, FamilyCard]]) -> None:
    """A column for each model, a row for each figure; on a narrow screen each figure has a line for each model."""
    widgets.say("**The four in figures**, as measured here now")
    rows = [card_row(run, card) for run, card in found]
    models = [str(row["model"]) for row in rows]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in models)
    lines = "".join(
        f'<tr><th scope="row">{escape(figure)}</th>'
        + "".join(f'<td data-model="{escape(str(row["model"]))}">{_cell(row[figure])}</td>' for row in rows)
        + "</tr>"
        for figure in rows[0]
        if figure != "model"
    )
    st.html(f'<table class="ps-four"><thead><tr><td></td>{head}</tr></thead><tbody>{lines}</tbody></table>')
    total = sum(card.file_bytes for _, card in found) / 1e6
    widgets.remark(
        f"The files of all {len(found)} together take {total:.1f} MB, as they come; in memory their numbers are "
        "unpacked. FLOPs and milliseconds are of one pass over what each reads (and writes), the median of five. What "
        "could fool you: sizes and training texts differ by much more than the architectures do; none is large."
    )


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, (int, float)) else escape(str(value))
