"""The beams of a beam search as a tree: a column for each step, the text that won marked."""

from collections.abc import Sequence
from html import escape

from polysema.core.inside.generation_results import Beam, GenerationStep

COLUMN, ROW, TOP = 92, 30, 22
MAX_DRAWN_STEPS = 40


def beams_svg(steps: Sequence[GenerationStep], winner: Sequence[int]) -> str:
    """The tree of the beams of each step; `winner` are the ids of the text that won."""
    drawn = [step for step in steps if step.beams][:MAX_DRAWN_STEPS]
    first = drawn[0].number if drawn else 0
    height = TOP + ROW * max((len(step.beams) for step in drawn), default=1) + 8
    parts: list[str] = []
    alive: list[tuple[int, Beam, bool]] = []
    for column, step in enumerate(drawn):
        x = 10 + column * COLUMN
        parts.append(f'<text x="{x}" y="13" font-size="10" opacity="0.7">{step.number}</text>')
        going: list[tuple[int, Beam, bool]] = []
        for row, beam in enumerate(step.beams):
            y = TOP + row * ROW + 14
            parent = alive[beam.parent] if alive and beam.parent < len(alive) else None
            at = first + column
            on = (parent is None or parent[2]) and at < len(winner) and beam.id == winner[at]
            color, width = ("#0d9488", 2.5) if on else ("currentColor", 1)
            if parent is not None:
                start, middle = x - COLUMN + 74, x - 8
                parts.append(
                    f'<path d="M{start} {parent[0] - 4} C{middle} {parent[0] - 4} {start} {y - 4} {x - 3} {y - 4}" '
                    f'fill="none" stroke="{color}" stroke-width="{width}" opacity="{0.9 if on else 0.45}"/>'
                )
            name = escape(beam.token.strip() or "␣")[:24]
            weight = "700" if on else "400"
            parts.append(
                f'<text x="{x}" y="{y}" font-size="12" font-weight="{weight}" fill="{color}">{_short(name)}'
                f"<title>{escape(beam.text)}: log-probability {beam.score:.3f}</title></text>"
            )
            if not beam.ends:
                going.append((y, beam, on))
        alive = going
    width_ = 20 + COLUMN * max(1, len(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width_} {height}" role="img" '
        f'style="min-width:{round(0.8 * width_)}px" '
        f'aria-label="The beams of {len(drawn)} steps, best first; the text that won is marked">{"".join(parts)}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 11 else f"{name[:10]}…"
