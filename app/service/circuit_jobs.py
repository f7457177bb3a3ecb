"""Patching as long work: every place of many layers and words, with its progress, and an end when it is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from polysema.app.service.dependencies import ServiceState
from polysema.app.service.routes.inside import check_read_tokens
from polysema.app.service.schemas.circuits import PatchJobRequest, PatchRequest
from polysema.core.inside.patching import Patching
from polysema.core.progress import Progress

if TYPE_CHECKING:
    from polysema.core.inside.patch_inputs import PatchOptions

PatchWork: TypeAlias = Callable[[Progress], Patching]


def patch_work(request: PatchJobRequest, state: ServiceState) -> PatchWork:
    """Activation patching; it may take more passes than one request may make."""
    state.names.check(request.model)

    def work(progress: Progress) -> Patching:
        circuits = state.explorer.model(request.model, progress=progress).circuits
        texts = [request.clean] if request.corrupted is None else [request.clean, request.corrupted]
        check_read_tokens(state, circuits.on_torch(), texts, request.target)
        pair = (request.clean, request.corrupted)
        return circuits.patch(pair, request.answer, request.against, patch_options(request), request.target, progress)

    return work


def patch_options(body: PatchRequest) -> PatchOptions:
    """What a request says of how is patched."""
    from polysema.core.inside.patch_inputs import Noise, PatchOptions

    noise = body.noise
    return PatchOptions(
        part=body.part,
        layers=None if body.layers is None else tuple(body.layers),
        head=body.head,
        at_words=None if body.words is None else tuple(body.words),
        into=body.into,
        place=body.at,
        stack=body.stack,
        noise=None if noise is None else Noise(noise.word, noise.strength, noise.samples, noise.seed),
    )
