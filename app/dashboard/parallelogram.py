"""The words of a sum, the traveled vector and the answers on the plane of their first two principal components."""

import numpy as np

from polysema.app.dashboard import downloads, widgets
from polysema.app.dashboard.components.plot_options import Arrow
from polysema.app.dashboard.components.scatter import PlotMarks, PlotOptions, Points, scatter
from polysema.app.explorer.results import AnalogyAnswer
from polysema.core.maps.pca import principal_plane
from polysema.core.space.metric import unit
from polysema.core.space.space import Space


def arrows_of(answer: AnalogyAnswer) -> list[Arrow]:
    """b -> a and c -> target where the sum is a - b + c; else from every word to the target."""
    weights = [i.weight for i in answer.inputs]
    target = len(weights)
    minus = [place for place, weight in enumerate(weights) if weight == -1]
    plus = [place for place, weight in enumerate(weights) if weight == 1]
    if len(minus) == 1 and len(plus) == 2 and len(weights) == 3:
        a, c = plus
        return [Arrow(minus[0], a), Arrow(c, target), Arrow(minus[0], c, dashed=True), Arrow(a, target, dashed=True)]
    return [Arrow(place, target, dashed=weights[place] < 0) for place in range(target)]


def parallelogram(answer: AnalogyAnswer, space: Space, key: str, height: int = 430, near: str = "") -> str | None:
    """Draw it, with its points as CSV under it, and the word `near` that is looked at lit on it; returns the word that
    was clicked.
    """
    inputs = answer.input_vectors
    found = unit(np.asarray(space.vectors[[n.row for n in answer.neighbors]]))
    vectors = np.concatenate([inputs, answer.target[None], found])
    plane = principal_plane(vectors)
    labels = [i.word for i in answer.inputs] + [answer.expression] + [n.key for n in answer.neighbors]
    category = [0] * len(inputs) + [1] + [2] * len(found)
    if near and near not in labels:  # the plane stays that of the sum
        labels, category = [*labels, near], [*category, 2]
        vectors = np.concatenate([vectors, unit(np.asarray(space.vectors[[space.resolve(near)]]))])
    points = Points(
        positions=plane.project(vectors),
        labels=labels,
        categories=["in the sum", "where the sum leads", "nearest words"],
        category=np.array(category),
        shapes=np.array([2 if kind == 1 else 0 for kind in category]),
    )
    shown = f"Plane of the words of {answer.expression}, the vector it leads to, and the nearest words"
    selected = scatter(
        points,
        key=f"{key}_map",
        alt=shown,
        marks=PlotMarks(
            arrows=arrows_of(answer),
            label_rows=list(range(len(labels))),
            highlight=[labels.index(near)] if near in labels else [],
        ),
        options=PlotOptions(height=height, report_view=False),
    )
    downloads.points(points, key)
    share = plane.explained.sum()
    widgets.remark(
        f"The first two principal components of these {len(labels)} vectors hold {share:.0%} of their spread: a "
        "shadow, "
        "in which parallels stay parallel. The list beside it is from the full space. Click a word to see what is "
        "around it."
    )
    at = len(inputs)  # where the sum leads is no word
    return labels[selected.clicked] if selected.clicked is not None and selected.clicked != at else None
