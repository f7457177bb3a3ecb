"""The points of a plot as a drawing: colored by their groups, with a legend and some labels."""

from html import escape

import numpy as np

from polysema.app.dashboard.components.points import Points

COLORS = ("#0d9488", "#d97706", "#8b5cf6", "#2563eb", "#be123c", "#65a30d", "#0891b2", "#a16207", "#7c3aed", "#475569")
WIDTH, HEIGHT, EDGE = 720, 480, 16
MAX_DRAWN, MAX_LABELS, MAX_GROUPS, FEW_POINTS = 6_000, 40, 20, 2_000


def points_svg(shown: Points, alt: str = "") -> str:
    """The drawing.

    Args:
        shown: The points; of three dimensions the first two are drawn.
        alt: What it shows, for those who can't see it.

    Returns:
        An SVG. Of very many points every so-manieth is drawn, which it says.
    """
    places = np.asarray(shown.positions, np.float64)[:, :2]
    step = -(-len(places) // MAX_DRAWN) or 1
    low, high = places.min(0), places.max(0)
    span = np.where(high > low, high - low, 1.0)
    x = EDGE + (places[:, 0] - low[0]) / span[0] * (WIDTH - 2 * EDGE)
    y = HEIGHT - EDGE - (places[:, 1] - low[1]) / span[1] * (HEIGHT - 2 * EDGE)
    radius = 3.2 if len(places) < FEW_POINTS else 1.8
    drawn = [
        f'<circle cx="{x[row]:.1f}" cy="{y[row]:.1f}" r="{radius}" '
        f'fill="{COLORS[int(shown.category[row]) % len(COLORS)]}" fill-opacity=".75"/>'
        for row in range(0, len(places), step)
    ]
    drawn += [
        f'<text x="{x[row] + 5:.1f}" y="{y[row] + 4:.1f}" font-size="11">{_plain(shown.labels[row], 40)}</text>'
        for row in _labeled(shown)
    ]
    for number, name in enumerate(list(shown.categories)[:MAX_GROUPS]):
        top = HEIGHT + 14 + 18 * number
        drawn.append(f'<circle cx="{EDGE}" cy="{top}" r="5" fill="{COLORS[number % len(COLORS)]}"/>')
        drawn.append(f'<text x="{EDGE + 12}" y="{top + 4}" font-size="12">{_plain(name, 80)}</text>')
    if step > 1:
        told = f"one of every {step} points"
        drawn.append(f'<text x="{WIDTH - EDGE}" y="{HEIGHT + 18}" text-anchor="end" font-size="12">{told}</text>')
    height = HEIGHT + 24 + 18 * min(len(shown.categories), MAX_GROUPS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(alt)}" font-family="sans-serif" fill="#1b2733">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{"".join(drawn)}</svg>'
    )


def _labeled(shown: Points) -> range | list[int]:
    """The rows whose label is drawn: some of all, or the last where nearly all have the same."""
    n = len(shown.labels)
    if len(set(shown.labels)) <= 2:
        return [n - 1]
    return range(0, n, max(1, n // MAX_LABELS))


def _plain(text: object, most: int) -> str:
    return escape("".join(one for one in str(text)[:most] if one.isprintable()))
