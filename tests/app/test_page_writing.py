"""What the page Writing makes of a text: its tree of branches, the drawing of its beams, tokens that are escaped."""

from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from polysema.app.dashboard.writing.beam_drawing import beams_svg
from polysema.app.dashboard.writing.branches import MAX_BRANCHES, Branches, unpacked
from polysema.app.dashboard.writing.step_charts import MARKED, best_tokens, candidate_rows, text_html
from polysema.core.inside.generation_results import Beam, Candidate, GeneratedText, GenerationStep

STEP = GenerationStep(0, "<b>", 7, -0.5, 1.5, 1, (Candidate("<b>", 7, 0.6, 0.6), Candidate(" a", 2, 0.3, 0.3)), "<b>")


def test_a_branch_begins_as_another_and_is_kept_in_the_link() -> None:
    first = Branches()
    assert first.packed() == ""
    second = first.grown([5, 6, 7], 1, 9)
    assert (second.prefix, second.current) == ((5, 9), 1)
    third = second.grown([5, 9, 8, 4], 3, 2)
    assert third.prefixes == ((), (5, 9), (5, 9, 8, 2))
    assert third.grown([5, 6], 1, 9) == Branches(third.prefixes, 1)
    assert unpacked(third.packed()) == third
    assert unpacked(third.shown(1).packed()).prefix == (5, 9)
    for _ in range(MAX_BRANCHES):
        third = third.grown([5, 6, 7], 0, 100 + len(third.prefixes) + third.current)
    assert len(third.prefixes) <= MAX_BRANCHES
    assert third.prefixes[0] == ()


@pytest.mark.parametrize(
    "text", ["", "no json", "[1]", "[[[1]], 0]", "[[[], [-1]], 1]", "[[[], [1]], 2]", '[[[], ["a"]], 1]']
)
def test_a_link_that_holds_something_else_begins_anew(text: str) -> None:
    assert unpacked(text) == Branches()


def test_the_beams_are_drawn_with_the_text_that_won() -> None:
    steps = [
        GenerationStep(0, "a", 1, -0.1, 1, 1, (), "a", beams=(Beam(0, "a", 1, -0.1, "a"), Beam(0, "<", 2, -0.9, "<"))),
        GenerationStep(1, "b", 3, -0.2, 1, 1, (), "ab", beams=(Beam(1, "b", 3, -1, "<b"), Beam(0, "c", 4, -2, "ac"))),
    ]
    root = ElementTree.fromstring(beams_svg(steps, [2, 3]))
    texts = [one for one in root.iter() if one.tag.endswith("text") and one.get("font-weight")]
    assert [(one.text, one.get("font-weight")) for one in texts] == [
        ("a", "400"),
        ("<", "700"),
        ("b", "700"),
        ("c", "400"),
    ]
    assert len([one for one in root.iter() if one.tag.endswith("path")]) == 2


def test_tokens_are_escaped_and_colored_by_their_probability() -> None:
    made = text_html("<i>", [STEP], True)
    assert "&lt;i&gt;" in made
    assert "&lt;b&gt;" in made
    assert "<b>" not in made
    assert "rgba(217,119,6,0.24)" in made
    rows = candidate_rows(GeneratedText("<b>", (STEP,), False), 0)
    assert [(row["id"], row["taken"], row["place"]) for row in rows] == [(7, True, 1), (2, False, 2)]


def test_the_best_beam_is_followed_from_parent_to_parent() -> None:
    steps = [
        GenerationStep(0, "x", 1, -0.1, 1, 1, (), "x", forced=True),
        GenerationStep(1, "a", 1, -0.1, 1, 1, (), "xa", beams=(Beam(0, "a", 1, -1, "xa"), Beam(0, "b", 2, -2, "xb"))),
        GenerationStep(
            2,
            "c",
            3,
            -0.2,
            1,
            1,
            (),
            "xac",
            beams=(Beam(0, "</s>", 0, -1.5, "xa", True), Beam(1, "d", 4, -2.5, "xbd"), Beam(0, "c", 3, -3, "xac")),
        ),
        GenerationStep(3, "e", 5, -0.2, 1, 1, (), "xbde", beams=(Beam(0, "e", 5, -3, "xbde"),)),
    ]
    assert best_tokens(steps) == ["x", "b", "d", "e"]
    assert best_tokens(steps[:3]) == ["x", "a", "</s>"]
    assert best_tokens(steps[:1]) == ["x"]


def test_the_source_is_lit_while_the_text_is_written() -> None:
    def shown() -> None:
        from polysema.app.dashboard.writing import live_text
        from polysema.core.inside.generation_results import GenerationStep

        live = live_text._begin("key")
        live.source = ("The", " bank", "</s>")
        live.steps += [
            GenerationStep(0, "La", 1, -0.1, 1, 1, (), "La", cross_attention=(0.8, 0.1, 0.1)),
            GenerationStep(1, " <rive", 2, -0.1, 1, 1, (), "La <rive", cross_attention=(0.1, 0.7, 0.2)),
        ]
        live_text._show("key", "The bank", False)

    app = AppTest.from_function(shown).run()
    assert not app.exception
    source, written = (str(one.proto.body) for one in app.get("html"))
    assert source.count("<span") == 3
    assert '"0.700 of the look" style="background:rgba(13,148,136,0.75)' in source
    assert '"0.100 of the look" style="background:rgba(13,148,136,0.11)' in source
    assert written.endswith(f'>La<mark style="{MARKED}"> &lt;rive</mark></div>')
