"""Where a word of a request is looked for: in texts that were sent, or in those of a space."""

from __future__ import annotations

from polysema.app.explorer.context_cloud import SpaceTexts
from polysema.app.service.dependencies import ServiceState
from polysema.app.service.schemas.contexts import TextsFields
from polysema.core.errors import UserError


def texts_of(state: ServiceState, request: TextsFields) -> SpaceTexts | None:
    """Where the word of a request is looked for. For a worker: opening a space may take time."""
    if request.space is None:
        return None
    return SpaceTexts(state.space(request.space), request.label, request.limit)


def one_source(given: list[str], texts: SpaceTexts | None) -> list[str] | SpaceTexts:
    """The texts of a request, or the space whose texts are meant; raises `UserError` for both."""
    if given and texts is not None:
        raise UserError("give either texts or a space: where the word is looked for")
    return texts or given
