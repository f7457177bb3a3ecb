"""The token by which a word is followed: as it is shown, by its id, or the likelier of its forms."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polysema.core.errors import UserError
from polysema.core.inside.hooks import token_name
from polysema.core.model.load import LanguageModel
from polysema.core.model.static import PIECE, byte_alphabet

if TYPE_CHECKING:
    from torch import Tensor

ID = re.compile(r"#(\d{1,9})")
QUOTES = ("'", '"')
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\'": "'", '\\"': '"', "\\\\": "\\"}  # as repr writes them


@dataclass(frozen=True, slots=True)
class FollowedTarget:
    """The token that a word is scored by: the first, where it is several (`pieces` names them all).

    `note` is what has to be said about it; empty where the word is one token in one form.
    """

    word: str
    id: int
    pieces: tuple[str, ...]
    note: str = ""


def forms_of(model: LanguageModel, word: str) -> tuple[FollowedTarget, ...]:
    """The tokens by which a word may be meant, as it stands behind a space first.

    A token is given as it is shown, in quotes (`"','"`, `"' bank'"`), or by its id (`#11`); a space before the word
    says that it begins one. Any other word has a second form, without a space before it, where that is one token too
    or both are several. Raises `UserError` for a word without a token.
    """
    query = word.strip()
    if not query:
        raise UserError("a word is needed; got an empty one")
    if (by_id := ID.fullmatch(query)) is not None:
        return (_by_id(model, query, int(by_id[1])),)
    if len(query) > 2 and query[0] == query[-1] and query[0] in QUOTES:
        return (_as_shown(model, query),)
    spaced, bare = _spaced(model, query), _bare(model, query)
    if bare is not None and (query in model.tokenizer.all_special_tokens or query.startswith(PIECE)):
        return (bare,)
    if spaced is None and bare is None:
        raise UserError(f"the tokenizer of {model.name} has no token for {query!r}")
    if spaced is None or bare is None:
        return tuple(form for form in (spaced, bare) if form is not None)
    if not spaced.pieces[0].strip() and not word[0].isspace():  # its first piece is the space alone
        return (bare,)
    # a first piece says less than a whole token
    worse = len(bare.pieces) > 1 and len(spaced.pieces) == 1
    return (spaced,) if bare.id == spaced.id or worse or word[0].isspace() else (spaced, bare)


def likelier(forms: tuple[FollowedTarget, ...], scores: "Tensor | None" = None) -> FollowedTarget:
    """The form with the highest of `scores` (vocabulary,); without scores the one of fewest tokens. Its note tells
    so.
    """

    def rank(form: FollowedTarget) -> float:
        return -float(len(form.pieces)) if scores is None else float(scores[form.id])

    chosen = max(forms, key=rank)
    notes = []
    if len(forms) > 1:
        why = "of fewest tokens" if scores is None else "likelier"
        shown = " and ".join(repr(form.pieces[0]) for form in forms)
        notes.append(
            f"{chosen.word!r} is followed as {chosen.pieces[0]!r}, the {why} of {shown} (quote a token to follow "
            "that one)"
        )
    if len(chosen.pieces) > 1:
        named = ", ".join(map(repr, chosen.pieces))
        notes.append(
            f"{chosen.word!r} is {len(chosen.pieces)} tokens ({named}): the first, {chosen.pieces[0]!r}, is used"
        )
    return replace(chosen, note="; ".join(notes))


def _by_id(model: LanguageModel, query: str, number: int) -> FollowedTarget:
    most = len(model.input_table) - 1
    if number > most:
        raise UserError(f"token ids of {model.name} go from #0 to #{most:,}; got {query}")
    return FollowedTarget(query, number, (token_name(model, number),))


def _as_shown(model: LanguageModel, query: str) -> FollowedTarget:
    text = re.sub(r"\\.", lambda escape: ESCAPES.get(escape[0], escape[0]), query[1:-1])
    number = _token_of(model, text)
    if number is None:
        raise UserError(
            f"no token of {model.name} reads {text!r}: in quotes a token is given as it is shown, with its "
            "space; without "
            "the quotes a word is followed by its first token"
        )
    return FollowedTarget(query, number, (text,))


def _spaced(model: LanguageModel, query: str) -> FollowedTarget | None:
    """The word as it stands behind a space."""
    return _target(model, query, model.tokenizer(f" {query}", add_special_tokens=False)["input_ids"])


def _bare(model: LanguageModel, query: str) -> FollowedTarget | None:
    """The word as it goes on with what stands before it, such as a comma."""
    number = _token_of(model, query)
    if number is not None:
        return FollowedTarget(query, number, (query,))
    found = _target(model, query, model.tokenizer(query, add_special_tokens=False)["input_ids"])
    return None if found is None or found.pieces[0][:1].isspace() else found


def _target(model: LanguageModel, query: str, ids: list[int]) -> FollowedTarget | None:
    if not ids or ids[0] == model.tokenizer.unk_token_id:
        return None
    return FollowedTarget(query, int(ids[0]), tuple(token_name(model, number) for number in ids))


def _token_of(model: LanguageModel, text: str) -> int | None:
    """The token that is shown as this text, whatever sign the tokenizer writes a space or a byte with."""
    signs = {byte: sign for sign, byte in byte_alphabet().items()}
    written = (text, "".join(signs[byte] for byte in text.encode()), text.replace(" ", "▁"))
    for name in written:
        number = model.tokenizer.convert_tokens_to_ids(name)  # of a name that isn't there None, or that of [UNK]
        known = number is not None and model.tokenizer.convert_ids_to_tokens(number) == name
        if known and token_name(model, number) == text:
            return int(number)
    return None
