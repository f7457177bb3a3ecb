"""What the explorer answers: the only definition of each answer, for the command line, the service, its client and
programs.

A dataclass here is what Python gets; JSON is `serialization.to_json` of it, and the service's document is made from it.
"""

from polysema.app.explorer.results.maps import MatchedMaps, MatchedSide, SpaceMap, WordMap
from polysema.app.explorer.results.texts import (
    BaselinesAnswer,
    Comparison,
    LayerComparison,
    OccurrenceAnswer,
    OccurrenceHit,
    RowsAnswer,
    SenseReport,
    SenseRow,
)
from polysema.app.explorer.results.words import (
    AnalogyAnswer,
    AssociationAnswer,
    AxisAnswer,
    BaselineAnswer,
    CloserAnswer,
    Evidence,
    InputRank,
    MethodAnswer,
    Neighbor,
    NeighborAnswer,
    NeighborAnswers,
    OddAnswer,
    QueryNeighbors,
    SimilarityAnswer,
    TravelAnswer,
    TravelStep,
    WordCosine,
    WordCosines,
)

__all__ = [
    "AnalogyAnswer",
    "AssociationAnswer",
    "AxisAnswer",
    "BaselineAnswer",
    "BaselinesAnswer",
    "CloserAnswer",
    "Comparison",
    "Evidence",
    "InputRank",
    "LayerComparison",
    "MatchedMaps",
    "MatchedSide",
    "MethodAnswer",
    "Neighbor",
    "NeighborAnswer",
    "NeighborAnswers",
    "OccurrenceAnswer",
    "OccurrenceHit",
    "OddAnswer",
    "QueryNeighbors",
    "RowsAnswer",
    "SenseReport",
    "SenseRow",
    "SimilarityAnswer",
    "SpaceMap",
    "TravelAnswer",
    "TravelStep",
    "WordCosine",
    "WordCosines",
    "WordMap",
]
