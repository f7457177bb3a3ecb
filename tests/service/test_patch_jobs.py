"""Patching as a job: the same numbers as at once, told of as it goes on, and cancelled by what a progress raises."""

import numpy as np
import pytest

from polysema.app.client.client import Client
from polysema.app.explorer import Explorer
from polysema.core.errors import PolysemaError
from polysema.core.inside.ablation import Ablation
from polysema.core.inside.patch_inputs import PatchOptions

PAIR, ANSWER = ("phone", "shone"), "F"


class Enough(Exception):
    """Raised by a progress that has seen enough."""


def test_a_patching_is_a_job_with_progress_and_an_end(url: str) -> None:
    with Client(url) as client:
        circuits = client.model("g2p-t5").circuits
        seen: list[tuple[str, int, int]] = []
        options = PatchOptions(layers=(1, 2))
        job = circuits.patch(PAIR, ANSWER, options=options, progress=lambda *step: seen.append(step))
        at_once = circuits.patch(PAIR, ANSWER, options=options)
        np.testing.assert_array_equal(job.effects, at_once.effects)
        np.testing.assert_array_equal(job.scores, at_once.scores)
        assert (job.columns, job.answer, job.n_passes) == (at_once.columns, at_once.answer, at_once.n_passes)

        def stop(*step: object) -> None:
            raise Enough

        with pytest.raises(Enough):
            circuits.patch(PAIR, ANSWER, progress=stop)
        with pytest.raises(PolysemaError, match="99"):
            circuits.patch(PAIR, ANSWER, options=PatchOptions(layers=(99,)), progress=lambda *step: None)


def test_a_place_of_another_type_is_named(explorer: Explorer) -> None:
    model = explorer.model("g2p-t5")
    for layer, head in (("two", 1), (1.5, 1), (1, "two"), (1, 1.5)):
        with pytest.raises(PolysemaError, match=r"a (layer|head) is a whole number; got ('two'|1\.5)"):
            model.ablate("phone", [Ablation(layer, head)])  # type: ignore[arg-type]
        with pytest.raises(PolysemaError, match=r"a (layer|head) is a whole number; got ('two'|1\.5)"):
            model.circuits.patch(PAIR, ANSWER, options=PatchOptions("head", (layer,), head))  # type: ignore[arg-type]
