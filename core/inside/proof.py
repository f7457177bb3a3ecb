"""Proof that what is seen inside a model is what the model does: identities, tested once for each model and then kept.

A hook that reads the wrong module, or a row of the table of parts that doesn't fit, gives numbers that look like any
other. So each kind of answer has an identity against plain transformers, and is refused to a model that fails it.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel
from polysema.core.progress import Progress, no_progress

WEIGHTS, PADDING, STATES = "weights", "padding", "hidden states"
ATTENTION, CROSS_ATTENTION, LENS, PARTS = "attention", "cross-attention", "lens", "parts"
MEANINGS = {
    WEIGHTS: "every weight is a finite number",
    PADDING: "a text alone has the states that it has padded in a batch",
    STATES: "the states between the layers equal those of plain transformers",
    ATTENTION: "the attention of every token adds up to 1",
    CROSS_ATTENTION: "the attention of every token to the source adds up to 1",
    LENS: "the lens at the last layer equals the model's own logits",
    PARTS: "what the parts add equals the score",
}


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """One identity of a model: the largest `difference` that was seen (of the largest number compared, except for
    attention and weights), the `tolerance`, and whether it `holds`.

    `applies` is false where a model has nothing to compare, and `note` says why, or what has to be known.
    """

    identity: str
    meaning: str
    holds: bool
    difference: float | None
    tolerance: float
    applies: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The identities of a model, or of one stack of an encoder-decoder."""

    json_properties: ClassVar[tuple[str, ...]] = ("holds",)

    model: str
    architecture: str
    stack: str
    dtype: str
    checks: tuple[IdentityCheck, ...]

    @property
    def holds(self) -> bool:
        """Whether every identity holds that applies."""
        return all(check.holds for check in self.checks if check.applies)

    def check(self, identity: str) -> IdentityCheck:
        """The check of an identity."""
        return next(check for check in self.checks if check.identity == identity)


_PROOFS: "WeakKeyDictionary[Any, dict[tuple[str, str], Proof]]" = WeakKeyDictionary()  # by the whole model


def proof_of(model: LanguageModel, anew: bool = False, progress: Progress = no_progress) -> Proof:
    """The proof of a model: what is known of it, from this process or an earlier one, else (or `anew`) tested now.

    Args:
        model: On the engine torch.
        anew: Whether to test it although its proof is known.
        progress: Is told of each identity; what it raises ends the test, and no proof is kept.

    Returns:
        The identities.

    Raises:
        PolysemaError: The engine can't be looked into, or the model has no layers to look between.
    """
    from polysema.core.inside.proof_passes import prove
    from polysema.core.inside.proof_store import keep_proof, kept_proof

    known = _PROOFS.setdefault(model.whole, {})
    key = (model.stack, model.dtype)
    if anew or key not in known:
        found = None if anew else kept_proof(model)
        if found is None:
            found = prove(model, progress)
            keep_proof(model, found)
        known[key] = found
    return known[key]


def proofs_of(model: LanguageModel, anew: bool = False, progress: Progress = no_progress) -> tuple[Proof, ...]:
    """The proofs of a model's stacks: of an encoder-decoder the encoder's and the decoder's, else the one.

    Args:
        model: Any that is loaded; it is looked into on the engine torch.
        anew: Whether to test it although its proof is known.
        progress: As `proof_of` takes it.

    Returns:
        A proof for each stack.
    """
    from polysema.core.model.load import STACKS, on_torch
    from polysema.core.space.space import Family

    sides = STACKS if model.family is Family.ENCODER_DECODER else ("",)
    return tuple(proof_of(on_torch(model, side), anew, progress) for side in sides)


def require_identities(model: LanguageModel, *identities: str) -> None:
    """Raise `UserError` for a model that fails one of them, naming it and the difference.

    An identity that doesn't apply passes: what a model lacks is said where it is used.
    """
    proof = proof_of(model)
    for identity in (WEIGHTS, *identities):
        check = proof.check(identity)
        if check.holds or not check.applies:
            continue
        by = "" if check.difference is None else f" (off by {check.difference:.3g}, at most {check.tolerance:g})"
        raise UserError(
            f"{model.name} ({proof.architecture}) fails the identity {identity}: that {check.meaning}{by}"
            f"{': ' + check.note if check.note else ''}; so this is not shown, and "
            f"`polysema inside check {model.name}` prints what is"
        )
