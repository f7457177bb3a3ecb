"""Names and ids as Milvus takes them: names of letters and digits, keys of a limited length."""

import hashlib
import re
from collections.abc import Sequence

MAX_KEY_BYTES = 512  # an id that is longer, or would need escaping in a condition, has its hash as its key
HASHED = "sha256:"
MAX_ID_BYTES = 65_535  # of a VARCHAR
MAX_NAME = 120
ENTRY = "___entry_"  # a space begins with a letter or digit after two low lines
DRAWS = 1 << 31  # a row's number for sampling is below this

_PLAIN = re.compile(r"""[^\x00-\x1f\x7f"'\\]+""")


def collection_name(name: str) -> str:
    """What a collection of ours is called in Milvus; two of ours never share a name there."""
    return f"polysema_{_coded(name)}"


def space_name(collection: str, space: str) -> str:
    """What a space of a collection (by its name in Milvus) is called there."""
    made = f"{collection}__{_coded(space)}"
    return made if len(made) <= 2 * MAX_NAME else f"{collection}__h{hashlib.sha256(space.encode()).hexdigest()[:32]}"


def entry_name(collection: str, number: int) -> str:
    """What the entry of a collection is called after so many changes; no space is called so."""
    return f"{collection}{ENTRY}{number}" if number else collection


def entry_number(collection: str, name: str) -> int | None:
    """The number of an entry by its name; None for what is no entry of the collection, or its first."""
    number = name.removeprefix(f"{collection}{ENTRY}")
    return int(number) if number != name and number.isdecimal() else None


def _coded(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", name)
    return plain if len(plain) <= MAX_NAME else f"h{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def key_of(name: str) -> str:
    """The key of an id: itself, or its hash."""
    encoded = name.encode()
    if len(encoded) <= MAX_KEY_BYTES and not name.startswith(HASHED) and _PLAIN.fullmatch(name):
        return name
    return HASHED + hashlib.sha256(encoded).hexdigest()


def draw_of(name: str) -> int:
    """A number that an id draws, the same each time and as good as random: a sample is what draws the least."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") % DRAWS


def one_of(keys: Sequence[str]) -> str:
    """The condition that a row has one of these keys."""
    return "id in [" + ", ".join(f'"{key}"' for key in keys) + "]"
