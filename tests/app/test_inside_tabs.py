"""What the tabs Head, Patching and Surprisal of the page Inside make of an answer."""

import numpy as np

from polysema.app.dashboard.inside.head_tab import head_rows, statistic_rows
from polysema.app.dashboard.inside.patching_tab import PatchQuery, layers_to_patch, patching_of
from polysema.app.dashboard.inside.surprisal_tab import _token
from polysema.app.explorer import Explorer
from polysema.core.inside.head_statistics import HeadStatistic, HeadStatistics
from polysema.core.inside.scored_tokens import ScoredToken
from polysema.core.model.tokens import Span


def test_a_token_is_escaped_and_stronger_where_it_surprises() -> None:
    made = _token(ScoredToken("<b>", Span(0, 3), -1.0, 8.0, 3, "<i>", 0.5, 1.0))
    assert "&lt;b&gt;" in made
    assert "expected &lt;i&gt; (50%)" in made
    assert "<b>" not in made
    assert "rgba(217,119,6,0.30)" in made
    assert "nothing stands before it" in _token(ScoredToken("The", Span(0, 3)))


def test_numbers_of_a_head_and_of_all_heads(explorer: Explorer) -> None:
    found = explorer.model("g2p-t5").circuits.head_computation("phone", 1, 2, stack="encoder")
    rows = head_rows(found, 0)
    assert abs(sum(float(str(row["share"])) for row in rows) - 1) < 0.005
    assert rows[1]["query \u00b7 key"] == round(float(found.dot_products[0, 1]), 3)
    one = HeadStatistics("m", "induction", (HeadStatistic(3, 5, 0.25),), 1, 4, ())
    assert statistic_rows(one) == [
        {"head": "3.5 (L2H4)", "previous token": 0.25, "duplicate token": None, "induction": None}
    ]


def test_the_letters_of_a_word_are_patched_where_they_are_read() -> None:
    found = patching_of(PatchQuery("g2p-t5", "residual", "corrupted", False, "phone", "shone", "F", "SH"))
    assert found.layers == (0, 1, 2, 3)
    assert layers_to_patch(12, "mlp", False) == (1, 4, 7, 10, 12)
    assert layers_to_patch(12, "residual", True) is None
    assert found.best(1)[0][:2] == (0, "p")
    np.testing.assert_allclose(found.effects[0, 1:], 0, atol=1e-4)
