"""`polysema inside …` from the shell: what it prints, and one line for a mistake."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from polysema.app.cli.main import cli
from polysema.core.errors import UserError


def run(*command: str) -> str:
    done = CliRunner().invoke(cli, ["inside", *command], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_letters_against_sounds() -> None:
    lines = run("attention", "phone", "-m", "g2p-t5", "--cross", "--head", "2.1").splitlines()
    assert lines[0] == "head 2.1 (L1H0); rows are queries, columns are keys"
    assert lines[1].split() == ["p", "h", "o", "n", "e", "</s>"]
    rows = {line.split()[0]: list(map(float, line.split()[1:])) for line in lines[2:6]}
    assert list(rows) == ["F", "OW", "N", "(end)"]
    assert rows["F"][0] + rows["F"][1] > 0.9  # "ph" -> F
    assert all(sum(row) == pytest.approx(1, abs=0.03) for row in rows.values())


def test_every_head_as_csv_and_a_mask_as_dots() -> None:
    rows = list(csv.DictReader(io.StringIO(run("attention", "the swan", "--format", "csv", "--layers", "1,6"))))
    assert len(rows) == 2 * 12 * 4 * 4
    total = sum(float(r["weight"]) for r in rows if (r["layer"], r["head"], r["from"]) == ("6", "12", "swan"))
    assert total == pytest.approx(1, abs=1e-5)
    table = run("attention", "phone", "-m", "g2p-t5", "--target", "F OW N", "--head", "1.1").splitlines()
    assert table[2].split()[2:] == ["·", "·", "·"]
    folded = run("attention", "the swan", "--special-tokens", "merge")
    assert folded.splitlines()[1].split() == ["the", "swan"]
    assert "of the weight had gone to special tokens" in folded
    rolled = run("attention", "the swan", "--rollout", "--layers", "6", "--format", "json")
    assert [window["heads"] for window in json.loads(rolled)["windows"]] == [[1]]


def test_heads_are_found_over_several_sentences() -> None:
    sentences = ["the white swan in the blue water", "a white swan swims in blue water"]
    texts = [part for sentence in sentences for part in ("--text", sentence)]
    found = json.loads(run("find-head", "blue -> water", "white -> swan", *texts, "-k", "3", "--format", "json"))
    assert len(found["places"]) == 4
    means = [head["mean"] for head in found["scores"]]
    assert means == sorted(means, reverse=True)
    assert means[0] > 4 * found["chance"]
    assert "One place shows luck" in run("find-head", "blue -> water", "--text", sentences[0])


def test_the_lens_the_parts_and_the_road_of_a_word() -> None:
    found = json.loads(
        run("lens", "phone", "-m", "g2p-t5", "--at", "0", "--word", "F", "--points", "all", "--format", "json")
    )
    assert found["steps"][:5] == [[0, "embedding"], [1, "before"], [1, "attention"], [1, "cross"], [1, "mlp"]]
    assert (found["place"], found["ranks"][-1]) == (0, [[1]])
    parts = json.loads(run("attribution", "phone", "F", "-m", "g2p-t5", "--at", "0", "--format", "json"))
    assert sum(part["value"] for part in parts["parts"]) == pytest.approx(parts["score"], rel=1e-3)
    table = run("attribution", "phone", "F", "--against", "P", "-m", "g2p-t5", "--at", "0", "-k", "3")
    assert "logit of 'F' less that of 'P' at '<pad>' (token 0)" in table
    (road,) = json.loads(run("compare-families", "the white swan", "-m", "g2p-t5", "--format", "json"))["runs"]
    assert (road["text"], road["written"]) == ("white", "W AY T")
    assert [sight["name"] for sight in road["sights"]] == ["encoder", "decoder", "cross-attention"]
    assert len(road["carried"]) == 4


def test_heads_become_a_file_of_vectors(tmp_path: Path) -> None:
    target = tmp_path / "heads.npz.vec"
    out = run("heads", "swan", "the white swan", "--layers", "3,4", "--to", str(target))
    assert out.startswith("24 heads, 384 dimensions")
    done = CliRunner().invoke(cli, ["neighbors", "swan L2H4", "--space", str(target), "-k", "1", "--format", "json"])
    assert done.exit_code == 0, done.output
    near = json.loads(done.stdout)["neighbors"][0]
    table = json.loads(run("heads", "swan", "the white swan", "--layers", "3,4", "--format", "json"))
    row = next(row for row in table["heads"] if (row["layer"], row["head"]) == (3, 5))
    assert (near["word"], near["cosine"]) == (row["most_like"], pytest.approx(row["cosine"], abs=1e-4))
    assert (row["width"], row["rank"]) == (32, 32)


def test_what_moved_a_word() -> None:
    given = ("move", "bank", "The bank of the river is muddy.", "--axis", "money -> river", "--shuffles", "2")
    lines = run(*given).splitlines()
    assert lines[0].split() == ["layer", "adds", "reached", "heads", "mlp", "rest", "most"]
    assert [line.split()[0] for line in lines[1:8]] == [str(layer) for layer in range(7)]
    told = " ".join(lines[9:])
    assert "the 117 parts add up to 0.3030, the move is 0.3030" in told
    assert "words: 'river' +0.354" in told
    assert "random axis (200): typically" in told
    assert "shuffled text (2): typically" in told
    parts = run(*given, "--by", "parts", "--format", "csv").splitlines()
    assert len(parts) == 118
    words = run(*given, "--by", "words").splitlines()
    assert [line.split()[0] for line in words[1:8]] == ["[CLS]", "The", "bank", "of", "the", "river", "is"]


def test_steering_and_ablation() -> None:
    concept = ("--toward", "photo", "--away", "top")
    found = json.loads(
        run("steer", "phone", "-m", "g2p-t5", *concept, "--layer", "1", "--word", "F", "--format", "json")
    )
    assert found["followed"][0]["before"] > 0.5
    assert found["continued_before"] == "F OW N"
    sweep = run("steer", "phone", "-m", "g2p-t5", *concept, "--layer", "all", "--sweep", "0,1").splitlines()
    assert [line.split()[:2] for line in sweep[1:]] == [[str(layer), f"{s:.3f}"] for layer in range(3) for s in (0, 1)]
    heads = [part for head in range(1, 5) for layer in (1, 2) for part in ("--head", f"{layer}.{head}")]
    blind = run("ablate", "phone", "-m", "g2p-t5", "--cross", *heads, "--word", "F", "--format", "json")
    (word,) = json.loads(blind)["followed"]
    assert word["after"] < 0.5 < word["before"]  # without its look at the letters it can't know the sound


def test_a_long_text_is_answered_window_by_window() -> None:
    text = " ".join(["the white swan in the blue water"] * 80)
    done = CliRunner().invoke(cli, ["inside", "attention", text, "--head", "1.1", "--format", "csv"])
    assert done.exit_code == 0, done.output[-300:]
    assert {line.partition(",")[0] for line in done.stdout.splitlines()} == {"window", "1", "2"}
    with pytest.raises(UserError, match="rows; at most 1,000,000 are: choose one --head"):
        CliRunner().invoke(
            cli, ["inside", "attention", text, "--format", "csv"], standalone_mode=False, catch_exceptions=False
        )
    seen = json.loads(
        run("lens", text, "-m", "minilm-l6", "--layers", "6", "--at", "-2", "--word", "water", "--format", "json")
    )
    assert seen["ranks"] == [[[1]]]  # the last token but [SEP] is the last word, seen in the last window
    assert "is longer than 512 tokens and is processed in 2 windows" in done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["attention", "swan", "--head", "9.1"], "layers 1 to 6; got 9"),
        (["attention", "swan", "--head", "1.13"], "heads 1 to 12; got layer 1, head 13"),
        (
            ["attention", "swan", "--head", "three"],
            "both counted from 1, such as 3.5, or L2H4, both counted from 0 as in TransformerLens; got 'three'",
        ),
        (["attention", "swan", "--layers", "x"], "layers are numbers"),
        (["attention", "swan", "--engine", "onnx"], "the engine onnx runs a compiled graph"),
        (["attention", "swan", "--engine", "magic"], "choose one of auto, torch, onnx, onnx-int8"),
        (["attention", "swan", "--cross"], "no cross-attention"),
        (["attention", "swan", "--stack", "decoder"], "has one stack"),
        (["attention", "swan", "--stack", "middle"], "choose one of encoder, decoder"),
        (["attention", "swan", "--target", "F"], "no decoder beside it"),
        (["attention", "", "-m", "minilm-l6"], "nothing to read"),
        (["attention", "phone " * 40, "-m", "g2p-t5"], "reads at most 64 of it at once"),
        (["find-head", "a", "--text", "b"], 'a pair is written "blue -> water"'),
        (["find-head", "a -> b", "--text", "b", "-k", "0"], "k starts at 1"),
        (["lens", "swan", "-m", "minilm-l6", "--kind", "logits"], "has no head that scores words"),
        (["lens", "swan", "-m", "minilm-l6"], "say at which word to look"),
        (["lens", "phone", "-m", "g2p-t5", "--points", "under"], "got 'under'"),
        (["attribution", "phone", "日", "-m", "g2p-t5"], "has no token for '日'"),
        (["attribution", "swan", "x", "-m", "glove-6b-50d"], "is a static space"),
        (["steer", "phone", "-m", "g2p-t5"], "give --toward and --away texts, or an --expression"),
        (["steer", "phone", "-m", "g2p-t5", "--expression", "p", "--strength", "nan"], "has to be a number; got nan"),
        (["steer", "phone", "-m", "g2p-t5", "--expression", "p", "--sweep", "a"], "strengths are numbers"),
        (["steer", "phone", "-m", "g2p-t5", "--expression", "p", "--layer", "0,1"], "several layers are for --sweep"),
        (["ablate", "phone", "-m", "g2p-t5", "--head", "3.1"], "layers 1 to 2; got 3"),
        (["ablate", "phone", "-m", "g2p-t5"], "at least one head or MLP"),
        (["ablate", "phone", "-m", "g2p-t5", "--mlp", "1", "--how", "half"], "zero or mean"),
        (["heads", "swan", "swan", "--to", "/nowhere/x.npy"], "there is no folder /nowhere"),
        (["compare-families", "...", "-m", "g2p-t5"], "there is no word in"),
    ],
)
def test_a_mistake_is_one_line(command: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(cli, ["inside", *command], standalone_mode=False, catch_exceptions=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_identities_of_both_stacks_are_printed() -> None:
    rows = list(csv.DictReader(io.StringIO(run("check", "g2p-t5", "--format", "csv"))))
    names = ["weights", "padding", "hidden states", "attention", "cross-attention", "lens", "parts"]
    assert [(row["stack"], row["identity"]) for row in rows] == [(s, n) for s in ("encoder", "decoder") for n in names]
    assert {row["holds"] for row in rows[7:]} == {"yes"}
    assert [row["identity"] for row in rows[:7] if row["holds"] == "-"] == ["cross-attention", "lens"]
    assert all(float(row["difference"]) <= float(row["at most"]) for row in rows if row["holds"] == "yes")
    found = json.loads(run("check", "minilm-l6", "--format", "json"))
    assert (found["model"], found["holds"]) == ("minilm-l6", True)
    assert [(proof["architecture"], proof["holds"]) for proof in found["proofs"]] == [("bert", True)]
    lens = next(one for one in found["proofs"][0]["checks"] if one["identity"] == "lens")
    assert (lens["applies"], lens["note"].partition(": ")[2]) == (
        False,
        "its folder holds a BertModel, a BertForMaskedLM would have one",
    )


def test_a_check_that_fails_ends_with_status_1(tmp_path: Path) -> None:
    from tests.families import tiny_family

    model, tokenizer = tiny_family("gpt2")
    model.lm_head.weight.data[0, 0] = float("inf")
    for saved in (model, tokenizer):
        saved.save_pretrained(tmp_path)
    done = CliRunner().invoke(cli, ["inside", "check", str(tmp_path)])
    assert done.exit_code == 1
    assert "NaN or infinite are 1 of 4,752 in transformer.wte.weight" in done.stdout
    refused = CliRunner().invoke(cli, ["inside", "attention", "the swan", "-m", str(tmp_path)])
    assert isinstance(refused.exception, UserError) or refused.exit_code == 2
