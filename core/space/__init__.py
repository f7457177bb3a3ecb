"""Vectors with names: the space, its metrics, its algebra, its maps and its files."""

from polysema.core.space.hits import Hits
from polysema.core.space.metric import Metric
from polysema.core.space.space import Family, Keys, Origin, Space

__all__ = ["Family", "Hits", "Keys", "Metric", "Origin", "Space"]
