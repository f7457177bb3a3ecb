"""What a request may ask for at most, by the settings."""

from collections.abc import Sequence

from polysema.app.config.settings import Settings
from polysema.app.service.embeddings import EmbeddingInput
from polysema.app.service.errors import MistakeError
from polysema.core.errors import UserError
from polysema.core.model.load import LanguageModel

MAX_COSINES = 64_000_000  # four bytes each


class RequestLimits:
    """Checks that raise a line with what was requested and what is allowed.

    Args:
        settings: Of the service.
    """

    def __init__(self, settings: Settings):
        self._settings = settings

    def check_numbers(self, count: int, what: str) -> None:
        """Raise `UserError` for an answer of more numbers than one may have."""
        if count > self._settings.max_numbers:
            raise UserError(
                f"{what} would be {count:,} numbers; an answer has at most {self._settings.max_numbers:,}: ask for less"
            )

    def check_compared(self, count: int, what: str) -> None:
        """Raise `UserError` for more cosines in memory at once than a request may have."""
        if count > MAX_COSINES:
            raise UserError(f"{what} takes {count:,} cosines at once; a request may take {MAX_COSINES:,}: ask for less")

    def check_k(self, k: int) -> int:
        """k back; raises `UserError` beyond the limit."""
        if k > self._settings.max_k:
            raise UserError(f"k is at most {self._settings.max_k:,} here; got {k:,}")
        return k

    def check_many(self, count: int, what: str) -> None:
        """Raise `UserError` for more texts, words or vectors than a request may have."""
        if count > self._settings.max_texts:
            raise UserError(f"a request may have {self._settings.max_texts:,} {what}; got {count:,}")

    def check_inputs(self, inputs: Sequence[EmbeddingInput], model: str, token_ids: bool) -> None:
        """Raise `UserError` for more inputs than a request for embeddings may have, and for token ids where
        neither the request nor the settings accept them: clients that send them by default mean another vocabulary.
        """
        if len(inputs) > self._settings.max_inputs:
            raise MistakeError(f"a request may have {self._settings.max_inputs:,} inputs; got {len(inputs):,}", "input")
        if not (token_ids or self._settings.token_ids) and any(isinstance(one, tuple) for one in inputs):
            raise MistakeError(
                f"input holds token ids; here texts are read: LangChain sends them with OpenAIEmbeddings(..., "
                f"check_embedding_ctx_length=False). For ids of {model}'s own tokenizer say so: token_ids true, in the "
                "request or the settings",
                "input",
            )

    def check_job_texts(self, count: int) -> None:
        """Raise `UserError` for more texts than a job may have."""
        if count > self._settings.max_job_texts:
            raise UserError(f"a job may have {self._settings.max_job_texts:,} texts; got {count:,}")

    def check_tokens(self, model: LanguageModel, texts: Sequence[str]) -> int:
        """How many tokens all texts have together; raises `UserError` for more than a request may have."""
        count = sum(len(of) for of in model.encode(texts))
        if count > self._settings.max_tokens:
            raise UserError(f"a request may have {self._settings.max_tokens:,} tokens in all; got {count:,}")
        return count
