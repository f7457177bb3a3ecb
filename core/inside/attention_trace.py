"""What an attention does with its queries and keys, watched while the model does it.

Architectures differ in what stands between the product of query and key and the softmax: a scale, a cap, relative
positions, a window, a sink. Instead of a recipe for each, the calls that reach torch are followed from the product on.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, SupportsFloat

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

PRODUCTS = frozenset(("matmul", "bmm", "__matmul__"))
FACTORS = frozenset(("mul", "__mul__", "__rmul__", "__imul__", "mul_", "multiply"))
DIVISORS = frozenset(("div", "__truediv__", "__itruediv__", "div_", "true_divide"))


@dataclass(slots=True)
class AttentionTrace:
    """What was seen: `query` (…, n_rows, width), `key` and `value` (…, n_columns, width) as they are multiplied, the
    `scores` (…, n_rows, n_columns) that go into the softmax, the number that the products were multiplied by before
    (`scale`), the `cap` of cap * tanh(x / cap), the score of a `sink` beside the columns, and the weights that the
    values are multiplied by (`mixing`).
    """

    shape: tuple[int, int]
    query: "Tensor | None" = None
    key: "Tensor | None" = None
    value: "Tensor | None" = None
    scores: "Tensor | None" = None
    scale: float = 1.0
    cap: float | None = None
    sink: "Tensor | None" = None
    mixing: "Tensor | None" = None
    _current: "Tensor | None" = field(default=None, repr=False)
    _weights: "Tensor | None" = field(default=None, repr=False)

    @property
    def complete(self) -> bool:
        """Whether all of it was seen."""
        return self.query is not None and self.scores is not None and self.value is not None

    def tables(self) -> "tuple[Tensor, Tensor, Tensor, Tensor]":
        """Query, key, value and scores, of a trace that is complete."""
        assert self.query is not None
        assert self.key is not None
        assert self.value is not None
        assert self.scores is not None
        return self.query, self.key, self.value, self.scores

    def clear(self) -> None:
        """Forget what was seen: its memory is free for the next one."""
        self.query = self.key = self.value = self.scores = self.sink = self.mixing = None
        self._current = self._weights = None

    def note(self, name: str, args: tuple[Any, ...], given: dict[str, Any], made: "Tensor") -> None:
        """Take in one call of torch and what it made."""
        if self.value is not None:
            return
        if self._weights is not None:
            self._note_value(name, args, made)
        elif self._current is None:
            self._note_product(name, args, given, made)
        else:
            self._note_step(self._current, name, args, made)

    def _note_product(self, name: str, args: tuple[Any, ...], given: dict[str, Any], made: "Tensor") -> None:
        if name in PRODUCTS and tuple(made.shape[-2:]) == self.shape:
            left, right = args[0], args[1] if len(args) > 1 else given["other" if "other" in given else "mat2"]
        elif name == "baddbmm":  # ALiBi as BLOOM has it: beta * bias + alpha * query @ key
            left, right = (given[one] if one in given else args[at] for one, at in (("batch1", 1), ("batch2", 2)))
            self.scale = float(given.get("alpha", 1.0))
        else:
            return
        leading = made.shape[:-2]
        self.query = left.expand(*leading, *left.shape[-2:]).clone()
        self.key = right.expand(*leading, *right.shape[-2:]).transpose(-1, -2).clone()
        self._current = made

    def _note_step(self, current: "Tensor", name: str, args: tuple[Any, ...], made: "Tensor") -> None:
        beside = [one for one in args if one is not current]
        if len(beside) == len(args):
            if name == "cat" and args and any(one is current for one in args[0]):
                self.scores, self.sink = current.clone(), made[..., self.shape[1] :].clone()
                self._current = made
            return
        if name == "softmax":
            self.scores = current.clone() if self.scores is None else self.scores
            self._weights = made
            return
        if name == "tanh":
            self.cap = 1.0
        factor = _number(beside[0]) if beside else None
        if factor is not None and name in FACTORS | DIVISORS:
            by = factor if name in FACTORS else 1 / factor
            self.scale *= by
            self.cap = None if self.cap is None else self.cap * by
        if made.ndim >= 2 and made.shape[-2] == self.shape[0]:
            self._current = made

    def _note_value(self, name: str, args: tuple[Any, ...], made: "Tensor") -> None:
        if name in PRODUCTS and tuple(args[0].shape[-2:]) == self.shape:
            leading = made.shape[:-2]
            self.mixing = args[0]
            self.value = args[1].expand(*leading, *args[1].shape[-2:]).clone()


def _number(value: object) -> float | None:
    """A number, or a tensor of one; None for anything else."""
    return float(value) if isinstance(value, SupportsFloat) and getattr(value, "ndim", 0) == 0 else None


@contextmanager
def traced(module: "Module", trace: AttentionTrace) -> Iterator[None]:
    """While open, whatever the module asks torch to do in its forward is noted in the trace."""
    from torch import Tensor
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        def __torch_function__(
            self,
            func: Callable[..., object],
            types: Sequence[type],
            args: tuple[Any, ...] = (),
            kwargs: dict[str, Any] | None = None,
        ) -> object:
            made = func(*args, **(kwargs or {}))
            if isinstance(made, Tensor):
                trace.note(getattr(func, "__name__", ""), args, kwargs or {}, made)
            return made

    forward = module.forward

    def watched(*args: object, **given: object) -> object:
        with Watch():
            return forward(*args, **given)

    module.forward = watched
    try:
        yield
    finally:
        module.__dict__.pop("forward", None)
