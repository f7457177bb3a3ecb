"""The commands that look inside a model: `polysema inside …`."""

from __future__ import annotations

import click

from polysema.app.cli.former_names import CurrentGroup
from polysema.app.cli.inside.attention import attention
from polysema.app.cli.inside.circuits import head, head_statistics, surprisal
from polysema.app.cli.inside.families import compare_families
from polysema.app.cli.inside.heads import find_head, heads
from polysema.app.cli.inside.intervention import ablate, steer
from polysema.app.cli.inside.lens import attribution, lens
from polysema.app.cli.inside.move import move
from polysema.app.cli.inside.patching import patch
from polysema.app.cli.inside.proof import check


@click.group(
    cls=CurrentGroup,
    former_names={"contributions": "attribution", "roads": "compare-families"},
    short_help="Look inside a model: attention, logit lens, steering.",
)
def inside() -> None:
    """Look inside a model: attention, the logit lens, direct logit attribution, steering, ablation, patching.

    Layers and heads are counted from 1 (layer 0 is the embedding output), and a head is written LAYER.HEAD: 3.5. The
    notation of TransformerLens, which counts both from 0, is read and printed as well: L2H4 is the same head. TEXT is
    what the model reads: of an encoder-decoder the encoder's input, while the decoder generates its own text or is
    given --target.
    """


COMMANDS = (
    attention,
    find_head,
    head,
    head_statistics,
    lens,
    attribution,
    move,
    heads,
    steer,
    ablate,
    patch,
    surprisal,
    compare_families,
    check,
)
for command in COMMANDS:
    inside.add_command(command)
