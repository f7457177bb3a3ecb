"""Whether every weight of a model is a finite number: looked at once for its content, and before any vector is made."""

import hashlib
from contextlib import suppress
from weakref import WeakKeyDictionary

from polysema.core.atomic import atomic_write, prune
from polysema.core.environment import home
from polysema.core.errors import UnreadableError
from polysema.core.model.language_model import LanguageModel

MAX_MARKS = 1000
_KNOWN: "WeakKeyDictionary[object, str]" = WeakKeyDictionary()  # by the whole model


def bad_weights(model: LanguageModel) -> str:
    """What is said of weights that are no numbers.

    Args:
        model: Any that is loaded.

    Returns:
        Which are NaN or infinite, and what to do; empty where none is.
    """
    if model.whole not in _KNOWN:
        content = model.weights_sha256 or (model.revision and f"{model.name} {model.revision}")
        mark = f"{hashlib.sha256(f'{content} {model.dtype}'.encode()).hexdigest()[:32]}.finite"
        path = home() / "weights" / mark
        if content and path.is_file():
            _KNOWN[model.whole] = ""
        else:
            _KNOWN[model.whole] = _look(model)
            if content and not _KNOWN[model.whole]:
                with suppress(OSError):  # the next process looks again
                    path.parent.mkdir(parents=True, exist_ok=True)
                    atomic_write(path, b"", durable=False)
                    prune(path.parent, "*.finite", max_files=MAX_MARKS)
    return _KNOWN[model.whole]


def require_finite(model: LanguageModel) -> None:
    """Refuse a model with weights that are no numbers: its vectors would be none either.

    Args:
        model: Any that is loaded.

    Raises:
        UnreadableError: A weight is NaN or infinite.
    """
    bad = bad_weights(model)
    if bad:
        raise UnreadableError(f"the weights of {model.name} are not all numbers: {bad}")


def _look(model: LanguageModel) -> str:
    import torch

    bad = []
    with torch.inference_mode():
        for name, weights in model.whole.named_parameters():
            # one sum of all tells NaN and infinity, and is much cheaper than a look at each
            if not bool(torch.isfinite(weights.sum(dtype=torch.float32))):
                number = int((~torch.isfinite(weights)).sum())
                bad += [f"{number:,} of {weights.numel():,} in {name}"] * (number > 0)
    more = f" and {len(bad) - 1} more of its weights" if len(bad) > 1 else ""
    return f"NaN or infinite are {bad[0]}{more}; get the file again, or save it anew" if bad else ""
