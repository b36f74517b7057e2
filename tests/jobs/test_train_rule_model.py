"""`rlhf-kit train rule-model`: one classifier that reads a rule and a dialogue; what it tells, and what it refuses."""

import json
from pathlib import Path

import pytest

from rlhf_kit import cli

FEW = ["--steps", "60", "--batch-size", "16", "--learning-rate", "5e-3", "--lang", "en"]


@pytest.fixture(autouse=True)
def labels(tmp_path, monkeypatch):
    """Two rules that contradict each other: which one is asked about decides, so no rule can be left unread."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for i in range(60):
        for word, broken in (("tea", "Say no tea."), ("milk", "Say no milk.")):
            for rule in ("Say no tea.", "Say no milk."):
                rows.append({"prompt": f"Number {i}?", "response": f" I like {word}.", "rule": rule,
                             "level": "definitely break" if rule == broken else "definitely follow"})
    write(tmp_path / "rules.jsonl", rows)
    return rows


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def trained(*words: str, output: str = "out") -> dict:
    assert cli.main(["train", "rule-model", "--data", "rules.jsonl", "--output", output, *FEW, "--json", *words]) == 0
    return json.loads(Path(output, "result.json").read_text())


@pytest.mark.timeout(600)
def test_with_the_rule_it_tells_and_without_it_nobody_could():
    told, blind = trained(), trained("--without-rule", output="blind")
    assert told["auc"]["mean"] > 0.95
    assert abs(blind["auc"]["mean"] - 0.5) < 0.2            # every dialogue is as often right as wrong
    assert told["broken"] == 0.5
    assert (Path("out") / "model" / "model.safetensors").is_file()


def test_a_level_that_is_none_is_told_before_anything_is_trained(tmp_path, labels, capsys):
    write(tmp_path / "rules.jsonl", [{**row, "level": "certainly"} for row in labels])
    assert cli.main(["train", "rule-model", "--data", "rules.jsonl", "--output", "out", *FEW]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "certainly" in said
    assert not Path("out", "model").exists()


def test_labels_of_one_kind_teach_nothing(tmp_path, labels, capsys):
    write(tmp_path / "rules.jsonl", [row for row in labels if "follow" in row["level"]])
    assert cli.main(["train", "rule-model", "--data", "rules.jsonl", "--output", "out", *FEW]) == 2
    assert "both are needed" in capsys.readouterr().err
