"""Requests and answers about what is on a map: its areas, its columns, and what is typical of some of its rows."""

from typing import Annotated

import numpy as np
from pydantic import Field

from polysema.app.explorer.results import Neighbor
from polysema.app.explorer.results.columns import (
    ColumnBar,
    ColumnChart,
    ColumnCharts,
    TypicalRows,
    ValueShare,
    WordShare,
)
from polysema.app.service.schemas.fields import MAX_ITEMS, K, RequestModel, Where, request_config
from polysema.app.service.schemas.response_model import response_model
from polysema.core.maps.regions import RegionLevel, Regions

ColumnName = Annotated[str, Field(min_length=1, max_length=1000)]


class ColumnsRequest(RequestModel):
    """Columns of a map (all that have a chart where none is named), and a condition on its rows."""

    model_config = request_config({"columns": ["sense"], "where": "word = 'bank'"})
    columns: Annotated[list[ColumnName], Field(max_length=1000)] | None = None
    where: Where = ""


class TypicalRequest(RequestModel):
    """Rows of a map, from 0, to be compared with the rest."""

    model_config = request_config({"rows": [3, 17, 231], "k": 5})
    rows: Annotated[list[Annotated[int, Field(ge=0, le=2**53)]], Field(min_length=1, max_length=MAX_ITEMS)]
    k: K = 10


_LEVEL = RegionLevel(("bank, loan, credit",), np.array([17]), np.zeros((1, 2), np.float32), np.array([0, -1]))
RegionsResponse = response_model(Regions((_LEVEL,)))
_BAR = ColumnBar("river", "sense = 'river'", 4, 18, True)
ColumnsResponse = response_model(
    ColumnCharts(90, 4, "word = 'bank'", (ColumnChart("sense", "category", False, (_BAR,), 0, 72),))
)
TypicalResponse = response_model(
    TypicalRows(
        3,
        90,
        (WordShare("river", 0.7, 0.1),),
        (ValueShare("sense", "river", 1.0, 0.2, "sense = 'river'"),),
        (Neighbor(1, "bank", 0.93, 17),),
        0.9,
        0.3,
    )
)
