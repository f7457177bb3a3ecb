"""Attention and lens of a text from the same pass."""

from dataclasses import dataclass

from polysema.core.inside.architectures import require_hooks
from polysema.core.inside.attention import Attention, AttentionView, AttentionWatcher
from polysema.core.inside.hooks import read, watch
from polysema.core.inside.lens import Lens, LensView, LensWatcher
from polysema.core.model.load import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Who looks at whom in a text (an answer for each window of it), and what its states say at every layer."""

    attention: tuple[Attention, ...]
    lens: Lens


def observe(
    model: LanguageModel,
    text: str | None,
    source: str | None = None,
    attention_view: AttentionView | None = None,
    lens_view: LensView | None = None,
) -> Observation:
    """Attention and lens of a text at all layers, from one pass over each of its windows.

    Args:
        model: On the engine torch.
        text: What it reads; None: what an encoder-decoder writes for the source.
        source: Of an encoder-decoder what its encoder reads.
        attention_view: How attention is looked at.
        lens_view: How the states are read.

    Returns:
        The same as `attention` and `lens` give one after the other.

    Raises:
        PolysemaError: The model has no attention weights to show, or fails an identity of one of the two.

    Example:
        >>> from polysema.core.model.load import load_model
        >>> seen = observe(load_model("bert-tiny-en", engine="torch"), "The [MASK] sat by the river.")
        >>> seen.attention[0].weights.shape[:2], len(seen.lens.steps)
        ((4, 8), 5)
    """
    require_hooks(model)
    readings = read(model, text, source)
    attention = AttentionWatcher.of(model, readings, view=attention_view)
    lens = LensWatcher.of(model, readings, view=lens_view)
    watch(model, readings, [attention, lens])
    return Observation(tuple(attention.found), lens.result())
