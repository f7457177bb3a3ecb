"""`checked_arguments`: a wrong type is named before anything runs, by the annotations of what is called."""

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from inspect import Parameter, getattr_static, isfunction, signature
from sys import maxsize
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np

from polysema.core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
ClassT = TypeVar("ClassT", bound=type)

# what a value of Python's own types is called, and the annotations that take it
SIMPLE_TYPES: dict[type, tuple[str, ...]] = {
    str: ("str",),
    bytes: ("bytes",),
    bool: ("bool", "int", "float"),
    int: ("int", "float"),
    float: ("float",),
    np.integer: ("int", "float"),
    np.floating: ("float",),
    type(None): ("None",),
    list: ("Sequence", "Iterable", "list", "Collection"),
    tuple: ("Sequence", "Iterable", "tuple", "Collection", "Hashable"),
    set: ("Iterable", "set", "Collection"),
    dict: ("dict", "Mapping", "Iterable"),
}
UNCHECKED = {
    "Any",
    "object",
    "ArrayLike",
    "Hashable",
    "Callable",
    "Progress",
    "TypeVar",
    "ndarray",
    "Union",
    "Optional",
    "Floats",
    "Ints",
    "Mask",
}
MAKER = "__init__"
CHECKED = "__checked_arguments__"  # the mark of a function that is checked already
OWN_CHECKS = {"k", "recall"}  # arguments with a check of their own everywhere, such as `indexes.base.check_k`
OWN_ELEMENT_CHECKS = {"ids"}  # lists whose elements are checked where they are used, with their row
WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "None": "None",
    "bytes": "bytes",
    "Path": "a path",
    "dict": "a dictionary",
    "Mapping": "a dictionary",
}
ELEMENT_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int, np.integer),
    "float": (int, float, np.number),
}
ELEMENTS = {"str": "strings", "int": "whole numbers", "float": "numbers"}


class ArgumentType(NamedTuple):
    """What an annotation allows: names without what stands in brackets, and what the elements of a list are."""

    names: tuple[str, ...]
    element: str

    @property
    def described(self) -> str:
        """In words, for a message."""
        words = []
        for name in self.names:
            if name in ("Sequence", "Iterable", "list"):
                words.append(f"a list of {ELEMENTS.get(self.element, self.element or 'values')}")
            else:
                words.append(WORDS.get(name, f"a {name}"))
        return " or ".join(dict.fromkeys(words))


def parse_annotation(annotation: object) -> ArgumentType | None:
    """What an annotation allows; None for one that is not checked."""
    text = annotation if isinstance(annotation, str) else str(getattr(annotation, "__name__", annotation))
    if not isinstance(annotation, (str, type)) or "[" in str(annotation):
        text = str(annotation)
    names, element = [], ""
    for part in _alternatives(text.strip("'\"")):
        name, _, inside = part.partition("[")
        name = name.rpartition(".")[2]
        names.append("None" if name == "NoneType" else name)
        if inside and name in ("Sequence", "Iterable", "list"):
            element = inside.removesuffix("]").rpartition(".")[2]
    return None if UNCHECKED & set(names) else ArgumentType(tuple(names), element)


def _alternatives(text: str) -> list[str]:
    """The parts of `a | b[c | d]`: those that stand outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


@lru_cache(maxsize=1024)
def _taken(kind: type) -> tuple[str, ...] | None:
    """The annotations that take a value of this type; None for a type that is none of Python's own."""
    return next((names for simple, names in SIMPLE_TYPES.items() if issubclass(kind, simple)), None)


def check_argument(name: str, value: object, wanted: ArgumentType) -> None:
    """Raise `TypeError` for a value of Python's own types that the annotation doesn't take; others are passed on."""
    kind: type = type(value)
    taken = _taken(kind)
    if taken is None:
        return
    lists = isinstance(value, str) and wanted.element and "str" not in wanted.names
    if lists and wanted.element == "str":
        verb = "are" if name.endswith("s") else "is"
        raise TypeError(f"{name} {verb} a list; got the one string {value!r:.60}: write [{value!r:.60}]")
    allowed = set(wanted.names)
    if not allowed & set(taken) and not (isinstance(value, str) and "Path" in allowed):
        raise TypeError(f"{name} must be {wanted.described}; got {value!r:.60}, of type {type(value).__name__}")
    if wanted.element in ELEMENTS and isinstance(value, (list, tuple)) and name not in OWN_ELEMENT_CHECKS:
        _check_elements(name, value, wanted)


def check_number(value: object, what: str) -> None:
    """Refuse what is no whole number where one of a model's places is meant.

    Args:
        value: What was given.
        what: What it is called in the message.

    Raises:
        UserError: It is text, a fraction or anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise UserError(f"{what} is a whole number; got {value!r:.60}")


def _check_elements(name: str, values: Sequence[object], wanted: ArgumentType) -> None:
    kinds = ELEMENT_TYPES[wanted.element]
    if all(isinstance(one, kinds) for one in values):
        return
    place, odd = next((place, one) for place, one in enumerate(values) if not isinstance(one, kinds))
    raise TypeError(
        f"{name} must be a list of {ELEMENTS[wanted.element]}; number {place + 1} is {odd!r:.60}, "
        f"of type {type(odd).__name__}"
    )


def keyword_annotations(function: Callable[..., object]) -> dict[str, object]:
    """The names and annotations of the keywords that a function takes by a dictionary of types.

    Args:
        function: One with `**more: Unpack[Keywords]`, its annotation a string; of another there are none.

    Returns:
        The annotation of each keyword.
    """
    *_, last = (None, *signature(function).parameters.values())
    if last is None or last.kind is not Parameter.VAR_KEYWORD or not str(last.annotation).startswith("Unpack["):
        return {}
    found = getattr(function, "__globals__", {})[str(last.annotation).removeprefix("Unpack[").removesuffix("]")]
    return {name: getattr(one, "__forward_arg__", one) for name, one in found.__annotations__.items()}


def checked_function(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which names an argument of a wrong type before it runs."""
    parameters, keywords = signature(function).parameters, keyword_annotations(function)
    annotations = keywords | {
        name: one.annotation
        for name, one in parameters.items()
        if one.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) and one.annotation is not Parameter.empty
    }
    named = {
        name: kind
        for name, annotation in annotations.items()
        if name not in OWN_CHECKS
        if (kind := parse_annotation(annotation)) is not None
    }
    places = [(place, name) for place, name in enumerate(parameters) if name in named]
    places += [(maxsize, name) for name in keywords if name in named]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        unknown = keywords and kwargs.keys() - parameters.keys() - keywords.keys()
        if unknown:
            raise TypeError(f"{function.__name__}() got an unexpected keyword argument {min(unknown)!r}")
        for place, name in places:
            if place < len(args):
                check_argument(name, args[place], named[name])
            elif name in kwargs:
                check_argument(name, kwargs[name], named[name])
        return function(*args, **kwargs)

    setattr(checked, CHECKED, True)
    return checked


def checked_arguments(kind: ClassT) -> ClassT:
    """The class, whose public methods, inherited ones too, name an argument of a wrong type before they run."""
    ours = kind.__module__.partition(".")[0]
    for name in dir(kind):
        value = getattr_static(kind, name)
        function = value.__func__ if isinstance(value, classmethod) else value
        if name.startswith("_") or not isfunction(function) or function.__module__.partition(".")[0] != ours:
            continue
        if hasattr(function, CHECKED):
            continue
        checked = checked_function(function)
        setattr(kind, name, classmethod(checked) if isinstance(value, classmethod) else checked)
    return kind


def checked_fields(kind: ClassT) -> ClassT:
    """The dataclass, which names a field of a wrong type when it is made; a list that is given becomes a tuple."""
    make = checked_function(getattr(kind, MAKER))

    @wraps(make)
    def made(self: object, *values: object, **named: object) -> None:
        make(self, *map(_frozen, values), **{name: _frozen(value) for name, value in named.items()})

    setattr(kind, MAKER, made)
    return kind


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
