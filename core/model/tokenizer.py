"""A model's tokenizer: read from its folder, in whatever form it lies there, and able to tell characters."""

import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from polysema.core.errors import UnavailableError, UnreadableError, UserError
from polysema.core.model.sentencepiece_tokens import AddedTokens, PieceTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizer

TOKENIZER_FILE = "tokenizer.json"
PIECE_PATTERNS = ("*.model", "*.spm")  # files of SentencePiece
# families whose tokenizers have no class of their own any more
TOKENIZER_CLASSES = {"mt5": "T5Tokenizer", "umt5": "T5Tokenizer"}


class Encoding(Protocol):
    """The tokens of one text."""

    @property
    def ids(self) -> list[int]:
        """The id of each token."""

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """The characters [start, end) of the text that each token stands for."""

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for a token of the text, None for one that the tokenizer adds."""


class Backend(Protocol):
    """What makes tokens of texts and tells their characters."""

    def encode(self, text: str, /, *, add_special_tokens: bool = True) -> Encoding:
        """The tokens of one text."""

    def encode_batch(self, texts: list[str], /, *, add_special_tokens: bool = True) -> Sequence[Encoding]:
        """The tokens of each text."""


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers; `backend_tokenizer` tells the characters."""

    backend_tokenizer: Any  # a `Backend`, with a `model` of the package tokenizers or None
    model_max_length: int
    pad_token_id: int | None
    unk_token_id: int | None
    bos_token: str | None
    mask_token: str | None
    mask_token_id: int | None
    all_special_ids: list[int]
    all_special_tokens: list[str]

    def __len__(self) -> int: ...

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> Mapping[str, list[int]]:
        """The tokens of a text; `input_ids` are their ids."""

    @overload
    def convert_ids_to_tokens(self, ids: int) -> str: ...

    @overload
    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]: ...

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...

    @overload
    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]: ...

    def get_vocab(self) -> dict[str, int]:
        """Every token and its id."""

    def get_added_vocab(self) -> dict[str, int]:
        """The tokens that were added to the vocabulary, and their ids."""

    def decode(self, token_ids: object, **options: bool) -> str:
        """The text that ids stand for."""


def read_tokenizer(folder: Path, name: str, model_type: str, **options: bool | str) -> Tokenizer:
    """The tokenizer of a folder, which tells the characters of its tokens.

    Args:
        folder: The folder of a model.
        name: What it is called in messages.
        model_type: The family, as the config names it.
        **options: Handed to transformers.

    Returns:
        A tokenizer of transformers.

    Raises:
        UnavailableError: It is one of SentencePiece, and that package isn't installed.
        PolysemaError: It doesn't tell characters.
    """
    import transformers

    check_sentencepiece(folder, name)
    own = TOKENIZER_CLASSES.get(model_type)
    if own is not None and not (folder / TOKENIZER_FILE).is_file():
        tokenizer = getattr(transformers, own).from_pretrained(str(folder), **options)
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # which makes no token
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), use_fast=True, **options)
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    else:
        backend = _of_pieces(tokenizer)
        if backend is None:
            raise UserError(
                f"the tokenizer of {name} ({type(tokenizer).__name__}) gives no character offsets, so words can't be "
                f"found in its tokens; a folder with a {TOKENIZER_FILE} works"
            )
        tokenizer.backend_tokenizer = backend
    found: Tokenizer = tokenizer
    return found


def check_sentencepiece(folder: Path, name: str) -> None:
    """Refuse a folder whose tokenizer is SentencePiece's alone where that package isn't installed.

    Args:
        folder: A model's folder; another is passed over.
        name: What it is called in the message.

    Raises:
        UnavailableError: The package is missing.
    """
    if (folder / TOKENIZER_FILE).is_file():
        return
    pieces = sorted(path.name for pattern in PIECE_PATTERNS for path in folder.glob(pattern))
    missing = [package for package in ("sentencepiece", "google.protobuf") if not _is_installed(package)]
    if pieces and missing:
        raise UnavailableError(
            f"the tokenizer of {name} is a model of SentencePiece ({pieces[0]}), which needs "
            f"{missing[0].replace('google.', '')}; install it with pip install 'polysema[models]'"
        )


def check_vocabulary(tokenizer: Tokenizer, name: str) -> None:
    """Refuse a tokenizer that has only special tokens: transformers makes one where no file of a vocabulary is.

    Args:
        tokenizer: Of a model.
        name: What the model is called in the message.

    Raises:
        UnreadableError: No token of it stands for text.
    """
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens) - set(tokenizer.get_added_vocab()):
        raise UnreadableError(
            f"{name} has no tokenizer: no {TOKENIZER_FILE} and no other file of its vocabulary is there, so no text "
            "can be read; save the tokenizer beside the weights"
        )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a package within one that isn't there
        return False


def target_backend(tokenizer: Tokenizer) -> Backend:
    """What reads the texts of a decoder, where its language has tokens of its own.

    Args:
        tokenizer: Of a model.

    Returns:
        The backend for them, which for most tokenizers is the only one.
    """
    own = getattr(tokenizer, "target_backend", None)
    backend: Backend = tokenizer.backend_tokenizer if own is None else own
    return backend


def _of_pieces(tokenizer: "PreTrainedTokenizer") -> PieceTokenizer | None:
    """The backend of a slow tokenizer over SentencePiece, None of another; that for targets is put beside it."""
    added = AddedTokens(
        tokenizer.tokens_trie.split,
        {
            token: (tokenizer.added_tokens_decoder[number].lstrip, tokenizer.added_tokens_decoder[number].rstrip)
            for token, number in tokenizer.added_tokens_encoder.items()
        },
    )
    end = [tokenizer.eos_token]
    if type(tokenizer).__name__ == "MarianTokenizer":
        to_ids = tokenizer.convert_tokens_to_ids
        tokenizer.target_backend = PieceTokenizer(
            tokenizer.spm_target, _target_ids(tokenizer), added, (), end, has_languages=True
        )
        return PieceTokenizer(tokenizer.spm_source, to_ids, added, (), end, has_languages=True)
    if type(tokenizer).__name__ == "M2M100Tokenizer":
        languages = {
            side: [tokenizer.get_lang_token(language or tokenizer.src_lang)]
            for side, language in (("source", tokenizer.src_lang), ("target", tokenizer.tgt_lang))
        }
        to_ids = tokenizer.convert_tokens_to_ids
        tokenizer.target_backend = PieceTokenizer(tokenizer.sp_model, to_ids, added, languages["target"], end)
        return PieceTokenizer(tokenizer.sp_model, to_ids, added, languages["source"], end)
    return None


def _target_ids(tokenizer: "PreTrainedTokenizer") -> Callable[[list[str]], list[int]]:
    """What numbers the pieces of a Marian's targets: a table of its own where source and target have one each.

    transformers switches the tokenizer to the other table and back; another thread would meet it in between.
    """
    if not tokenizer.separate_vocabs:
        to_ids: Callable[[list[str]], list[int]] = tokenizer.convert_tokens_to_ids
        return to_ids
    numbers, added = tokenizer.target_encoder, tokenizer.added_tokens_encoder
    unknown = numbers[tokenizer.unk_token]
    return lambda tokens: [added[token] if token in added else numbers.get(token, unknown) for token in tokens]
