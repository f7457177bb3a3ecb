"""A model's figures: what is counted is what the weights and the products are, by hand."""

from pathlib import Path

import pytest

from polysema.core.inside.family_card import family_card
from polysema.core.model.load import load_model


@pytest.mark.parametrize(
    ("kind", "norms", "positions", "task"),
    [
        ("bert-mlm", "layer norm after each sum", "learned", "fill masked tokens"),
        ("bert", "layer norm after each sum", "learned", "no head here"),
        ("gpt2", "layer norm before each part", "learned", "say the next token"),
        ("llama", "RMS norm before each part", "rotary", "say the next token"),
        ("t5", "RMS norm before each part", "relative (a bias on the scores)", "write the target"),
        ("marian", "layer norm after each sum", "sinusoidal", "write the target"),
    ],
)
def test_what_a_family_is(headed: dict[str, Path], kind: str, norms: str, positions: str, task: str) -> None:
    two = kind in ("t5", "marian")
    model = load_model(str(headed[kind]), "cpu", "torch", stack="decoder" if two else "encoder")
    found = family_card(model, "the white swan")
    assert (found.norms, found.positions) == (norms, positions)
    assert found.task.startswith(task)
    assert found.n_parameters == sum(one.numel() for one in model.whole.parameters())
    assert found.weight_bytes == 4 * found.n_parameters
    assert found.milliseconds > 0


def test_flops_are_those_of_the_products(headed: dict[str, Path]) -> None:
    model = load_model(str(headed["gpt2"]), "cpu", "torch")
    found = family_card(model, "the white swan in the blue water")
    n, dim, layers, vocabulary = found.n_tokens, 16, 2, len(model.input_table)
    maps = layers * (4 * dim * dim + 2 * dim * 64) + dim * vocabulary
    attention = layers * 2 * n * n * dim
    assert found.flops == pytest.approx(2 * (n * maps + attention), rel=0.02)


def test_the_shell_prints_the_figures() -> None:
    from click.testing import CliRunner

    from polysema.app.cli.main import cli

    done = CliRunner().invoke(cli, ["inside", "compare-families", "the swan", "-m", "g2p-t5", "--figures"])
    assert done.exit_code == 0, done.output
    (row,) = [line for line in done.output.splitlines() if line.startswith("g2p-t5  write the target")]
    assert "RMS norm before each part" in row
    assert "1,124,864" in row
