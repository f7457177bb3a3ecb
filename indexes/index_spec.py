"""Which index: its kind, its parameters by the field's names, and the choice that `auto` makes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from polysema.core.errors import UserError
from polysema.core.space.metric import Metric

Kind = Literal["flat", "hnsw", "hnsw-sq8", "ivf", "ivf-sq8", "ivf-pq", "pq-fastscan", "auto"]
KINDS: tuple[str, ...] = get_args(Kind)
ALIASES = {"ivf-flat": "ivf", "hnsw-flat": "hnsw"}
EXACT_ROWS = 20_000_000  # numbers (rows x width) below which the exact search answers in a millisecond or two

# in the order of the answers a second that benchmarks/indexes.py measured at a recall@10 of 0.95, 100,000 x 384; each
# takes less memory than the one before
KINDS_FASTEST_FIRST: tuple[tuple[Kind, str], ...] = (
    ("hnsw", "the most answers a second"),
    ("hnsw-sq8", "HNSW's links over 8-bit codes, the most answers a second in that memory"),
    ("pq-fastscan", "4-bit codes scanned in registers and refined by 8-bit ones, the fastest in that memory"),
    ("ivf-sq8", "cells of 8-bit codes"),
    ("ivf-pq", "the smallest codes"),
)

AUTO_SECONDS = 240.0  # of building on two cores, beyond which `auto` takes a kind that is built sooner
GRAPH_STEPS_A_SECOND = 2e9  # numbers compared while a graph is built, and
CELL_STEPS_A_SECOND = 2e10  # while cells are trained, on two cores
NODE_STEPS = 192  # what it costs to reach a row in a graph, in numbers compared
TRAINING_ROUNDS = 20
TRAINED_ROWS = 64  # of each cell

# parameter, least, most
SPEC_LIMITS = (
    ("M", 2, 512),
    ("ef_construction", 1, 100_000),
    ("ef_search", 1, 1_000_000),
    ("nlist", 0, 10_000_000),
    ("nprobe", 1, 10_000_000),
    ("m", 0, 1_000_000),
    ("nbits", 0, 12),
    ("k_factor", 1, 100_000),
)
USED_PARAMETERS = {
    "flat": (),
    "auto": (),
    "hnsw": ("M", "ef_construction", "ef_search"),
    "hnsw-sq8": ("M", "ef_construction", "ef_search"),
    "ivf": ("nlist", "nprobe"),
    "ivf-sq8": ("nlist", "nprobe"),
    "ivf-pq": ("nlist", "nprobe", "m", "nbits", "k_factor"),
    "pq-fastscan": ("nlist", "nprobe", "m", "nbits", "k_factor"),
}


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """Which FAISS index, with the field's names for its parameters; 0 means: chosen by the rows and the width.

    `M` links a node and `ef_construction`, `ef_search` list lengths (HNSW); `nlist` cells and `nprobe` of them looked
    into (IVF); `m` sub-quantizers of `nbits` bits (PQ), `k_factor` times k candidates are scored better.
    Raises `UserError` for a kind or a value that doesn't exist.
    """

    kind: Kind = "flat"
    M: int = 32
    ef_construction: int = 120
    ef_search: int = 64
    nlist: int = 0
    nprobe: int = 16
    m: int = 0
    nbits: int = 0
    k_factor: int = 8

    def __post_init__(self) -> None:
        kind = ALIASES.get(self.kind, self.kind) if isinstance(self.kind, str) else self.kind
        if kind not in KINDS:
            raise UserError(f"index kind {self.kind!r} does not exist; choose {', '.join(KINDS[:-1])} or {KINDS[-1]}")
        object.__setattr__(self, "kind", kind)
        for name, least, most in SPEC_LIMITS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UserError(f"{name} must be a whole number; got {value!r}")
            if value < least:
                raise UserError(f"{name} must be at least {least}; got {value}")
            if value > most:
                raise UserError(f"{name} must be at most {most:,}; got {value:,}")
        if kind == "pq-fastscan" and self.nbits not in (0, 4):
            raise UserError(f"pq-fastscan has codes of nbits 4; got {self.nbits}")

    def __str__(self) -> str:
        shown = [f"{name} {getattr(self, name)}" for name in USED_PARAMETERS[self.kind] if getattr(self, name)]
        return ", ".join([self.kind, *shown])

    @classmethod
    def parse(cls, text: str) -> "IndexSpec":
        """A recipe written as on the command line: `hnsw`, `ivf-sq8:nlist=1000,nprobe=32`."""
        kind, _, rest = text.strip().partition(":")
        card: dict[str, Any] = {"kind": kind.strip().lower()}
        for part in filter(None, (part.strip() for part in rest.split(","))):
            name, sign, value = part.partition("=")
            if not sign or not value.strip().lstrip("-").isdecimal() or len(value) > 20:
                raise UserError(f"a recipe is written ivf-sq8:nlist=1000,nprobe=32; got {text[:80]!r}")
            card[name.strip()] = int(value)
        return cls.from_json(card)

    def to_json(self) -> dict[str, object]:
        """The recipe as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, card: Mapping[str, Any]) -> "IndexSpec":
        """The inverse of `to_json`; raises `UserError` for a parameter that doesn't exist."""
        known = [f.name for f in fields(cls)]
        for name in card:
            if name not in known:
                raise UserError(f"an index has no parameter {str(name)[:60]!r}; there are {', '.join(known[1:])}")
        return cls(**card)

    def fitted(self, n: int, dim: int) -> "IndexSpec":
        """This recipe with every 0 filled in for n rows of a width. Raises `UserError` for an `m` that doesn't divide
        it.
        """
        changes: dict[str, Any] = {}
        if "nlist" in USED_PARAMETERS[self.kind]:
            changes["nlist"] = max(1, min(self.nlist or _cells(self.kind, n), n))
            changes["nprobe"] = min(self.nprobe, changes["nlist"])
        if "m" in USED_PARAMETERS[self.kind]:
            if self.m and dim % self.m:
                near = sorted(_divisors(dim), key=lambda m: abs(m - self.m))[:4]
                raise UserError(
                    f"m, the sub-quantizers, must divide the width {dim}; got {self.m}; near it do "
                    f"{', '.join(map(str, sorted(near)))}"
                )
            wanted = dim / (4 if self.kind == "pq-fastscan" else 8)
            changes["m"] = self.m or min(_divisors(dim), key=lambda m: (max(m / wanted, wanted / m), m))
            changes["nbits"] = 4 if self.kind == "pq-fastscan" else self.nbits or 8
        return replace(self, **changes)

    def index_bytes(self, n: int, dim: int) -> int:
        """About how many bytes the index takes beside the vectors themselves."""
        full = self.fitted(n, dim)
        links = n * (full.M * 2 * 4 + full.M // 8 * 4 + 12)
        cells = full.nlist * dim * 4 + n * 8
        codes = n * full.m * full.nbits // 8
        return {
            "flat": n * dim * 4,
            "hnsw": n * dim * 4 + links,
            "hnsw-sq8": n * dim + links,
            "ivf": n * dim * 4 + cells,
            "ivf-sq8": n * dim + cells,
            "ivf-pq": codes + cells,
            "pq-fastscan": codes + n * dim + cells,
        }[full.kind]

    def build_seconds(self, n: int, dim: int) -> float:
        """About how many seconds it takes to build the index, on two cores that do nothing else."""
        full = self.fitted(n, dim)
        if full.kind == "flat":
            return 0.0
        if full.kind in ("hnsw", "hnsw-sq8"):
            return n * full.ef_construction * full.M * (dim + NODE_STEPS) / GRAPH_STEPS_A_SECOND
        trained = min(n, TRAINED_ROWS * full.nlist) * TRAINING_ROUNDS
        return (trained + n) * full.nlist * dim / CELL_STEPS_A_SECOND

    def cost(self, n: int, dim: int) -> str:
        """What it takes to build the index, in words: `about 3 minutes and 210 MiB`."""
        seconds = self.build_seconds(n, dim)
        time = f"{max(2, seconds):,.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
        return f"about {time} and {self.index_bytes(n, dim) / 2**20:,.0f} MiB"


def _cells(kind: str, n: int) -> int:
    if kind == "pq-fastscan":  # codes are scanned so fast that few large cells are best
        return 1 if n < 50_000 else int(n**0.5)
    return int(4 * n**0.5)


def _divisors(n: int) -> list[int]:
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def choose(
    n_rows: int,
    dim: int,
    memory_bytes: int | None = None,
    recall: float | None = None,
    metric: "Metric | str" = Metric.COSINE,
) -> tuple[IndexSpec, str]:
    """The recipe for so many rows of a width, and one sentence that says why.

    `memory_bytes` is what the index may take beside the vectors, `recall` the recall@10 that is wanted of it. Of the
    kinds that fit, the fastest that is built within `AUTO_SECONDS`; where none is, the one that is built soonest.
    """
    if n_rows < 1 or dim < 1:
        raise UserError(f"an index needs at least one row and one number a row; got {n_rows} x {dim}")
    check_recall(recall)
    metric = Metric.parse(metric)
    size = f"{n_rows:,} x {dim}"
    if recall is not None and recall >= 1:
        return IndexSpec("flat"), "flat: recall 1.0 is the exact search"
    if n_rows * dim <= EXACT_ROWS:
        return IndexSpec("flat"), f"flat: {size} is searched exactly in a millisecond or two"
    high = (recall or 0.95) > 0.97
    need = 0
    fitting: list[tuple[float, IndexSpec, str]] = []
    for kind, why in KINDS_FASTEST_FIRST:
        recipe = IndexSpec(kind, M=32 if high else 16, ef_search=128 if high else 64, nprobe=64 if high else 32)
        need = recipe.index_bytes(n_rows, dim)
        if memory_bytes is None or need <= memory_bytes:
            budget = "" if memory_bytes is None else f", within {memory_bytes / 2**20:,.0f} MiB"
            reason = f"{kind}: {why} for {size}, about {need / 2**20:,.0f} MiB{budget}"
            fitting.append((recipe.build_seconds(n_rows, dim), recipe, reason))
    if fitting:
        first = fitting[0]
        seconds, recipe, reason = next((one for one in fitting if one[0] <= AUTO_SECONDS), min(fitting, key=_seconds))
        if recipe is not first[1]:
            reason += (
                f"; {first[1].kind} would take {first[0] / 60:,.0f} minutes to build, this one {seconds / 60:,.1f}"
            )
        return recipe, reason
    raise UserError(
        f"no kind of index for {size} fits into {memory_bytes:,} bytes; the smallest, ivf-pq, takes about {need:,}"
    )


def _seconds(option: tuple[float, IndexSpec, str]) -> float:
    return option[0]


def check_recall(recall: float | None) -> None:
    """Raise `UserError` for a recall that is none."""
    if recall is not None and not (isinstance(recall, (int, float)) and 0 < recall <= 1):
        raise UserError(f"recall is a share above 0 and at most 1, such as 0.95; got {recall!r}")
