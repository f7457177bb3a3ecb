import pytest
from hypothesis import given
from hypothesis import strategies as st

from polysema.core.errors import UserError
from polysema.core.space.expression import Context, Expression, Term, parse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("queen - king + man", [(1, "queen"), (-1, "king"), (1, "man")]),
        ("  bank  ", [(1, "bank")]),
        ("-king + man", [(-1, "king"), (1, "man")]),
        ("0.5*blue + .25 * swan", [(0.5, "blue"), (0.25, "swan")]),
        ("2*(a - 3*b) - (c - d)", [(2, "a"), (-6, "b"), (-1, "c"), (1, "d")]),
        ('"new york" - york', [(1, "new york"), (-1, "york")]),
        ("e-mail - c++ + don't", [(1, "e-mail"), (-1, "c++"), (1, "don't")]),
        ("1990 - 1980", [(1, "1990"), (-1, "1980")]),
        ("a − b – c", [(1, "a"), (-1, "b"), (-1, "c")]),
        ("in + out - #2x + @home", [(1, "in"), (1, "out"), (-1, "#2x"), (1, "@home")]),
    ],
)
def test_terms(text: str, terms: list[tuple[float, str]]) -> None:
    assert parse(text).terms == tuple(Term(float(weight), word) for weight, word in terms)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ('bank in "the bank" @6', [Term(1, "bank", Context("the bank", 6))]),
        ('bank in "the bank of the bank" #2 @-1', [Term(1, "bank", Context("the bank of the bank", -1, 2))]),
        ('0.5*(bank in "a \\"bank\\"" - money)', [Term(0.5, "bank", Context('a "bank"')), Term(-0.5, "money")]),
        (
            '"new york" in "in new york" @0 + in in "in"',
            [Term(1, "new york", Context("in new york", 0)), Term(1, "in", Context("in"))],
        ),
    ],
)
def test_occurrences(text: str, terms: list[Term]) -> None:
    assert parse(text).terms == tuple(terms)
    assert parse(str(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the expression is empty"),
        ("  \t\n", "the expression is empty"),
        ("queen -", "a word is missing at the end of the expression"),
        ("queen - - king", "a word is missing at character 9"),
        ("+", "a word is missing at the end"),
        ("queen king", r"a sign \(\+ or -\) is missing between two words .* at character 7"),
        ("(a - b", "a closing parenthesis is missing at the end"),
        ("a - b)", "a closing parenthesis has no opening one at character 6"),
        ("()", "a word is missing at character 2"),
        ("bank @6", r"a layer \(@6\) or number \(#2\) belongs to an occurrence"),
        ('bank in "x" @6 @7', r"a second layer \(@\) of one occurrence"),
        ('bank in "x" #0', "out of range"),
        ('bank in "x" @99999999', "out of range"),
        ('bank in ""', "hold no word"),
        ('"new york', "the quote opened at character 1 is not closed"),
        ('"" + a', "the quotes at character 1 hold no word"),
        ("0*a - 0*b", "every word has the weight 0"),
        (" + ".join(["a"] * 10_000), "at most 256 words"),
        ("(" * 40 + "a" + ")" * 40, "nested more than 32 deep"),
        ("x" * 20_000, "at most 10,000 characters"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(text)


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(lambda w: w.strip())
weights = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda w: abs(w) > 1e-9) | st.sampled_from([1.0, -1.0])


contexts = st.none() | st.builds(Context, words, st.none() | st.integers(-99, 99), st.integers(1, 99))


@given(st.lists(st.builds(Term, weights, words, contexts), min_size=1, max_size=6))
def test_what_is_printed_parses_to_the_same_terms(terms: list[Term]) -> None:
    expression = Expression(tuple(terms))
    assert parse(str(expression)) == expression


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except UserError:
        return
    assert parse(str(parsed)) == parsed
