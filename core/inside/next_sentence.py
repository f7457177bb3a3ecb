"""Next-sentence prediction: whether one sentence follows another, the second task that BERT was trained on."""

from dataclasses import dataclass

from polysema.core.errors import UserError
from polysema.core.inside.architectures import require_hooks
from polysema.core.model.finite_weights import require_finite
from polysema.core.model.load import LanguageModel


@dataclass(frozen=True, slots=True)
class NextSentence:
    """How probable a model finds it that the `second` sentence follows the `first`, with the two logits of its head."""

    model: str
    first: str
    second: str
    probability: float
    follows: float
    random: float


def next_sentence(model: LanguageModel, first: str, second: str) -> NextSentence:
    """The probability that one sentence follows another, by the model's own head.

    Args:
        model: An encoder with a next-sentence head, such as a BertForPreTraining.
        first: The sentence before.
        second: The one that may follow.

    Returns:
        The probability, and the logits that it is made of.

    Raises:
        UserError: The model has no such head, a sentence is empty, or the two are longer than the window.
    """
    import torch

    check_pairs(model)
    for which, sentence in (("first", first), ("second", second)):
        if not sentence.strip():
            raise UserError(f"the {which} sentence is empty; give two sentences")
    ids, kinds = _pair(model, first, second)
    if len(ids) > model.window:
        raise UserError(
            f"the two sentences have {len(ids):,} tokens; {model.name} reads {model.window:,}: give shorter ones"
        )
    device = model.whole.device
    table, types = torch.tensor([ids], device=device), torch.tensor([kinds], device=device)
    with torch.inference_mode():
        out = model.whole(
            input_ids=table, token_type_ids=types, attention_mask=torch.ones_like(table), return_dict=True
        )
        found = getattr(out, "seq_relationship_logits", None)
        logits = (out.logits if found is None else found)[0].float()
        share = logits.softmax(-1)
    return NextSentence(model.name, first, second, float(share[0]), float(logits[0]), float(logits[1]))


def _pair(model: LanguageModel, first: str, second: str) -> tuple[list[int], list[int]]:
    """[CLS] first [SEP] second [SEP], and which of the two each token belongs to."""
    backend = model.tokenizer.backend_tokenizer
    begin = model.tokenizer.convert_tokens_to_ids("[CLS]")
    end = model.tokenizer.convert_tokens_to_ids("[SEP]")
    one, two = (backend.encode(sentence, add_special_tokens=False).ids for sentence in (first, second))
    return [begin, *one, end, *two, end], [0] * (len(one) + 2) + [1] * (len(two) + 1)


def has_next_sentence_head(model: LanguageModel) -> bool:
    """Whether a model has the head."""
    return hasattr(getattr(model.whole, "cls", None), "seq_relationship")


def check_pairs(model: LanguageModel) -> None:
    """Raise `UserError` for a model without the head."""
    require_hooks(model)
    if not has_next_sentence_head(model):
        raise UserError(
            f"{model.name} has no next-sentence head: its folder holds a {type(model.whole).__name__}, a "
            "BertForPreTraining would have one"
        )
    require_finite(model)
