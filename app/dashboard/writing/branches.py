"""The tree of texts that were written: each branch is one text's ids, up to the token that was chosen by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

MAX_BRANCHES = 12
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Branches:
    """The beginnings of the branches in the order in which they were made (the first is empty), and which is shown."""

    prefixes: tuple[tuple[int, ...], ...] = ((),)
    current: int = 0

    @property
    def prefix(self) -> tuple[int, ...]:
        """The beginning of the branch that is shown."""
        return self.prefixes[self.current]

    def grown(self, written: Sequence[int], step: int, token: int) -> "Branches":
        """With a branch that is as what was written up to a step and has another token there; it is shown."""
        prefix = (*written[:step], token)
        if prefix in self.prefixes:
            return Branches(self.prefixes, self.prefixes.index(prefix))
        kept = self.prefixes if len(self.prefixes) < MAX_BRANCHES else (self.prefixes[0], *self.prefixes[2:])
        return Branches((*kept, prefix), len(kept))

    def shown(self, number: int) -> "Branches":
        """The same with another branch shown."""
        return Branches(self.prefixes, number if 0 <= number < len(self.prefixes) else 0)

    def packed(self) -> str:
        """As a text for the link; empty for the text alone."""
        return "" if len(self.prefixes) == 1 else json.dumps([self.prefixes, self.current])


def unpacked(text: object) -> Branches:
    """What a link holds; the text alone where it holds something else."""
    try:
        prefixes, current = json.loads(str(text))
        rows = tuple(tuple(row) for row in prefixes)
    except (ValueError, TypeError):
        return Branches()
    plain = all(type(one) is int and one >= 0 for row in rows for one in row)
    whole = 1 <= len(rows) <= MAX_BRANCHES and rows[0] == () and all(len(row) <= MAX_STEPS for row in rows)
    if not plain or not whole or type(current) is not int or not 0 <= current < len(rows):
        return Branches()
    return Branches(rows, current)


def branches_of(key: str) -> Branches:
    """The branches of a model's text in this session."""
    found = st.session_state.get(f"branches_{key}")
    return found if isinstance(found, Branches) else Branches()


def keep_branches(key: str, branches: Branches) -> None:
    """Take them into the session."""
    st.session_state[f"branches_{key}"] = branches
