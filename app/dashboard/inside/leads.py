"""Where a click on a token or a text leads: into the question of the page that asks about it."""

from collections.abc import Callable

from polysema.app.dashboard.inside.controls import letter_kind
from polysema.app.dashboard.inside.find_head import CROSS_ATTENTION
from polysema.app.dashboard.picker import choices
from polysema.app.dashboard.trail import ask
from polysema.core.space.space import Family

WRITE, FILL, SCORE = "Write", "Fill a gap", "Score a text"
"""The parts of the page Writing."""


def text_kind(model: str) -> str:
    """What a model that writes goes on from or reads: the ending of the key of the page Writing's box."""
    if choices.reads_letters(model):
        return "letters"
    return "sentences" if choices.family_of(model) is Family.ENCODER_DECODER else "texts"


def quoted(token: str) -> str:
    """A token as the box for a word to follow takes exactly that one."""
    return repr(token)


def follow_in(model: str) -> Callable[[object], None]:
    """What a click on (text, word) does: the word is followed through the layers of the text, in the tab Lens."""

    def go(value: object) -> None:
        if isinstance(value, tuple):
            text, word = value
            kind = letter_kind(model)
            ask("inside", {"see": "Lens", "lm": model}, {f"lt_{kind}": text, f"lw_{kind}": word})

    return go


def look_at_heads(model: str, text: str, pair: str = "", head: tuple[int, int] | None = None) -> None:
    """See the heads of a text in the tab Attention: one of them (layer, head) large, or ranked by how they connect a
    pair of words, `blue -> water`. Of an encoder-decoder it is the attention to the source.
    """
    controls: dict[str, object] = {"see": "Attention", "am": model}
    family = choices.family_of(model)
    if family is Family.ENCODER_DECODER:
        controls["ak"] = CROSS_ATTENTION
    if head is not None:
        controls |= {f"al_{model}_self": head[0], f"ah_{model}_self": head[1]}
    pairs = {f"fp_{'d' if family is Family.DECODER else 'e'}": pair} if pair else {}
    ask("inside", controls, {f"at_{letter_kind(model)}": text} | pairs)


def compute_head(model: str, text: str, layer: int, head: int) -> None:
    """See one head step by step in the tab Head."""
    ask("inside", {"see": "Head", "qm_in": model, "ql": layer, "qh": head}, {f"qt_{letter_kind(model)}": text})


def write_from(model: str) -> Callable[[object], None]:
    """What a click on a text does: the page Writing goes on from it."""

    def go(text: object) -> None:
        ask("writing", {"do": WRITE, "wm": model}, {f"wt_{text_kind(model)}": str(text)})

    return go


def fill_in(model: str) -> Callable[[object], None]:
    """What a click on a sentence with a gap does: the page Writing fills it."""

    def go(text: object) -> None:
        ask("writing", {"do": FILL, "fm": model}, {"ft": str(text)})

    return go
