"""Blocks in series, heads in parallel: a model drawn with its real widths."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.components.drawing import drawing
from polysema.app.dashboard.lessons.lesson import (
    MODEL,
    LessonInput,
    LessonResult,
    Verdict,
)
from polysema.app.explorer import Explorer
from polysema.core.inside.architectures import CROSS, MLP, SELF
from polysema.core.inside.parameter_counts import HEAD, NORM, POSITIONS, REST, TABLE, StackWidths, Widths, widths
from polysema.core.model.contextual import embed
from polysema.core.model.hidden_batch import HiddenBatch
from polysema.core.model.load import on_torch
from polysema.core.progress import Progress

NAMES = {
    TABLE: "table of tokens",
    SELF: "self-attention",
    CROSS: "cross-attention",
    MLP: "MLPs",
    NORM: "norms",
    POSITIONS: "positions",
    HEAD: "head",
    REST: "the rest",
}
OPTIONS = (TABLE, SELF, MLP)


def _sentences(found: Widths, states: HiddenBatch | None, most: str, name: str) -> str:
    """What the model is made of; `most` is the kind of part with the most parameters."""
    counted, one = found.parameters, found.stacks[-1]
    blocks = sum(sum(stack.parameters.values()) for stack in found.stacks)
    attention = counted.get(SELF, 0) + counted.get(CROSS, 0)
    share = {TABLE: counted[TABLE], SELF: attention, MLP: counted.get(MLP, 0)}[most] / found.total
    layers = " and ".join(f"{stack.n_layers} blocks ({stack.name})" for stack in found.stacks)
    said = (
        f"**{widgets.plain(name)}** has **{found.total:,} parameters**: {layers} in series. Every token is a "
        f"vector of **{found.dim}** numbers, before and after each block"
    )
    if states is not None:
        n = states.vectors.shape[1]
        said += (
            f"; your text just went through as {states.vectors.shape[0]} layers × {n} word{'s' * (n > 1)} × "
            f"{states.vectors.shape[2]} numbers"
        )
    said += (
        f".\n\nIn a block **{one.n_heads} heads** work in parallel, each of dimension {one.head_dim}: {one.n_heads} × "
        f"{one.head_dim} = {one.n_heads * one.head_dim}, "
        + (
            "the whole width shared out. "
            if one.n_heads * one.head_dim == found.dim
            else f"which is not the width of {found.dim}. "
        )
    )
    if one.n_key_heads != one.n_heads:
        said += (
            f"Groups of {one.n_heads // one.n_key_heads} heads share their keys, so there are only "
            f"{one.n_key_heads} key heads. "
        )
    said += f"Then the MLP widens each token to {one.mlp_dim:,} and back.\n\n"
    said += (
        "Most parameters sit in "
        f"**{'the ' if most != SELF else ''}{'attention' if most == SELF else NAMES[most]}** "
        f"({share:.0%})"
    )
    said += (
        f"; of the blocks alone the MLPs have {counted.get(MLP, 0) / blocks:.0%} and attention "
        f"{attention / blocks:.0%}."
    )
    return said


def check(explorer: Explorer, query: LessonInput, progress: Progress) -> LessonResult:
    """Count the parameters, and run a text to see the widths met."""
    name, text = query[MODEL], query["text"]
    progress(f"load {name}", 0, 1)
    model = on_torch(explorer.model(name).model)
    found = widths(model)
    states = embed(model, [text]) if not model.reads_two else None
    counted = found.parameters
    attention = counted.get(SELF, 0) + counted.get(CROSS, 0)
    groups = {TABLE: counted[TABLE], SELF: attention, MLP: counted.get(MLP, 0)}
    most = max(groups, key=lambda kind: groups[kind])
    fits = all(stack.n_heads * stack.head_dim == found.dim for stack in found.stacks)
    met = states is not None and states.vectors.shape[0] == model.n_layers + 1 and states.vectors.shape[2] == found.dim
    verdict = Verdict.WORKS if fits and met else Verdict.PARTLY if met else Verdict.FAILS
    said = _sentences(found, states, most, name)
    rows = [
        {"part": NAMES[kind], "parameters": number, "share": number / found.total}
        for kind, number in sorted(counted.items(), key=lambda item: -item[1])
    ]
    return LessonResult(
        verdict,
        said,
        OPTIONS.index(most),
        rows,
        f"from polysema.app.explorer import Explorer\n\nfound = Explorer().model({name!r}).internals.widths()\n"
        "print(found.total, found.parameters)\nfor "
        "stack in found.stacks:\n    print(stack)",
        "Counted in the loaded weights; what two parts share (a head that is the table itself) counts once.",
        found,
    )


def picture(found: Widths, stacks: Sequence[StackWidths]) -> str:
    """Stacks of a model side by side as an SVG drawing, its colors those of the page."""
    width, gap = 360, 40
    columns = []
    height = 0
    for place, stack in enumerate(stacks):
        drawn, tall = _stack(found, stack, place * (width + gap), width)
        columns.append(drawn)
        height = max(height, tall)
    whole = len(stacks) * width + (len(stacks) - 1) * gap
    names = " and ".join(stack.name for stack in stacks)
    label = f"{found.model}, {names}: blocks in series, heads in parallel, {found.dim} numbers wide"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {height}" role="img" '
        f'aria-label="{escape(label)}" font-family="sans-serif" font-size="14" fill="currentColor" '
        f'style="max-width:{whole}px"><defs><marker id="pl-tip" markerWidth="8" markerHeight="8" refX="5" '
        'refY="3" orient="auto"><path d="M0 0 L6 3 L0 6 z" '
        f'fill="currentColor"/></marker></defs>{"".join(columns)}</svg>'
    )


class _StackDrawing:
    """One stack of a model as SVG elements, from its input (below) to its end."""

    def __init__(self, found: Widths, stack: StackWidths, x: int, width: int) -> None:
        self.found, self.stack = found, stack
        self.left, self.right, self.middle = x + 10, x + width - 50, x + (width - 40) / 2
        self.inner_left, self.inner_right = self.left + 14, self.right - 14
        self.elements: list[str] = []

    def text(self, line: str, at: float, size: int = 14, bold: bool = False) -> None:
        """A line in the middle."""
        weight = ' font-weight="600"' if bold else ""
        self.elements.append(
            f'<text x="{self.middle}" y="{at}" text-anchor="middle" font-size="{size}"{weight}>{escape(line)}</text>'
        )

    def box(self, top: float, tall: float, fill: str, dash: bool = False) -> None:
        """A box as wide as the stack; a dashed one has no color."""
        stroke, dashes = ("currentColor", ' stroke-dasharray="5 4"') if dash else (fill, "")
        self.elements.append(
            f'<rect x="{self.left}" y="{top}" width="{self.right - self.left}" height="{tall}" rx="8" fill="{fill}" '
            f'fill-opacity="{0 if dash else 0.16}" stroke="{stroke}" stroke-width="1.5"{dashes}/>'
        )

    def part(self, at: float, tall: float, fill: str) -> None:
        """A box within that of the block."""
        self.elements.append(
            f'<rect x="{self.inner_left}" y="{at}" width="{self.inner_right - self.inner_left}" height="{tall}" '
            f'rx="6" fill="{fill}" fill-opacity="0.16" stroke="{fill}" stroke-width="1.5"/>'
        )

    def arrow(self, top: float, what: str = "") -> None:
        """An arrow up, with what it carries."""
        self.elements.append(
            f'<path d="M{self.middle} {top + 20} V{top + 4}" stroke="currentColor" stroke-width="2" '
            'marker-end="url(#pl-tip)"/>'
        )
        if what:
            self.elements.append(f'<text x="{self.middle + 10}" y="{top + 16}" font-size="12">{escape(what)}</text>')

    def bracket(self, top: float, tall: float) -> None:
        """How many blocks there are, beside the box of one."""
        x = self.right + 8
        self.elements.append(
            f'<path d="M{x} {top} h8 V{top + tall} h-8" stroke="currentColor" stroke-width="1.5" fill="none"/>'
        )
        self.elements.append(
            f'<text x="{x + 14}" y="{top + tall / 2 + 5}" font-size="15" font-weight="600">×{self.stack.n_layers}'
            "</text>"
        )

    def parameters(self, kind: str) -> int:
        """The parameters of a kind of part in one block."""
        return {name: number // self.stack.n_layers for name, number in self.stack.parameters.items()}.get(kind, 0)

    def mlp(self, at: float) -> None:
        """The MLP of a block, 58 tall."""
        dim = self.found.dim
        self.part(at, 58, "#0d9488")
        self.text("MLP, each token alone", at + 20, 13, True)
        self.text(f"{dim} → {self.stack.mlp_dim:,} → {dim}", at + 37, 13)
        self.text(f"{self.parameters(MLP):,} parameters", at + 52, 11)

    def attention(self, at: float, kind: str, name: str, color: str) -> None:
        """The heads of a block side by side, 88 tall."""
        stack, n = self.stack, self.stack.n_heads
        self.part(at, 88, color)
        self.text(f"{name}: {n} heads side by side", at + 18, 12, True)
        step = (self.inner_right - self.inner_left - 16) / n
        self.elements += [
            f'<rect x="{self.inner_left + 8 + head * step + 1:.1f}" y="{at + 25}" width="{step - 2:.1f}" '
            f'height="14" rx="2" fill="{color}" fill-opacity="0.75"/>'
            for head in range(n)
        ]
        width = f"{n} × {stack.head_dim} = {n * stack.head_dim} numbers"
        self.text(f"{width}; {self.parameters(kind):,} parameters", at + 54, 11)
        groups = (
            "looks at what the encoder ends with"
            if kind == CROSS
            else f"{stack.n_key_heads} key heads, each read by {n // stack.n_key_heads} heads"
            if stack.n_key_heads != n
            else "each head has its own queries, keys, values"
        )
        self.text(groups, at + 74, 11)


def _stack(found: Widths, stack: StackWidths, x: int, width: int) -> tuple[str, int]:
    """One stack from its input (below) to its end, and how tall it is."""
    drawn = _StackDrawing(found, stack, x, width)
    drawn.text(stack.name, 16, 15, True)
    drawn.arrow(28, f"{found.dim} numbers for each token")
    top, tall = 52, 206 + (96 if stack.cross else 0)
    drawn.box(top, tall, "none", True)
    drawn.bracket(top, tall)
    drawn.mlp(top + 12)
    drawn.arrow(top + 76)
    at = top + 100
    for kind, name, color in ((CROSS, "cross-attention", "#7c3aed"), (SELF, "self-attention", "#d97706")):
        if kind == SELF or stack.cross:
            drawn.attention(at, kind, name, color)
            at += 96
    y = top + tall + 4
    drawn.arrow(y, f"{found.dim} numbers for each token")
    y += 26
    drawn.box(y, 44, "#64748b")
    table = "table of tokens" if stack is found.stacks[0] else "the same table, for what is written"
    drawn.text(table, y + 18, 13, True)
    drawn.text(f"{found.vocabulary:,} rows × {found.dim} = {found.parameters[TABLE]:,}", y + 35, 12)
    y += 48
    drawn.arrow(y, "ids of tokens")
    return "".join(drawn.elements), y + 28


def draw(found: LessonResult, key: str) -> None:
    """The drawing, and the parameters by part."""
    shown: Widths = found.shown
    svg = picture(shown, shown.stacks)
    left, right = st.columns([8, 4] if len(shown.stacks) > 1 else [6, 6], gap="medium")
    with left:
        for column, stack in zip(
            st.columns(len(shown.stacks)), shown.stacks, strict=True
        ):  # one below the other on a phone
            with column:
                drawing(picture(shown, [stack]), key=f"{key}_{stack.name}")
        background = "<defs>", '<rect width="100%" height="100%" fill="#fff"/><defs>'
        downloads.picture(lambda: svg.replace("currentColor", downloads.INK).replace(*background), f"{key}_drawing")
    with right:
        widgets.say("**Where the parameters are**")
        rows = [(f"{row['part']} ({row['parameters']:,})", float(row["share"])) for row in found.rows]
        widgets.bars(rows, "part", label="share")
