"""The front door: one line and exit code 2 for bad input, help at once, results as people and machines read them."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rlhf_kit import cli
from rlhf_kit.commands import showing
from rlhf_kit.commands import tour as command
from rlhf_kit.jobs import tour
from tests.jobs.test_tour import JUDGE, LM, PPO


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The same command, with models that train in a second."""
    full = command.settings

    def shrunk(options):
        settings = full(options)
        return replace(settings, language_model=LM, judge=JUDGE, ppo=replace(PPO, steps=min(settings.ppo.steps, 4)))

    monkeypatch.setattr(tour, "EVALUATED", 24)
    monkeypatch.setattr(tour, "EXAMINED", 160)
    monkeypatch.setattr(command, "settings", shrunk)


def one_line_of_error(capsys, *arguments) -> str:
    assert cli.main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert err.startswith("rlhf-kit: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    return err


def test_a_tour_prints_before_and_after_and_a_second_run_says_that_it_is_finished(capsys, tmp_path):
    command = ["tour", "--lang", "en", "--output", str(tmp_path / "t")]
    assert cli.main(command) == 0
    first = capsys.readouterr()
    assert "before" in first.out
    assert "report.html" in first.out
    assert first.err == ""
    assert cli.main(command) == 0
    assert "--fresh" in capsys.readouterr().out


def test_json_is_the_result_and_nothing_else(capsys, tmp_path):
    assert cli.main(["tour", "--lang", "zh", "--output", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["after"]["scores"]["score"]["n"] == 24
    assert err == ""


@pytest.mark.slow
def test_fresh_starts_anew_and_other_settings_are_refused_without_it(capsys, tmp_path):
    base = ["tour", "--lang", "en", "--output", str(tmp_path), "--steps", "1", "--json"]
    assert cli.main(base) == 0
    assert "other settings" in one_line_of_error(capsys, *base, "--seed", "3")
    assert cli.main([*base, "--seed", "3", "--fresh"]) == 0


@pytest.mark.parametrize(("arguments", "message"), [
    (["--reviews", "no-such-file.csv"], "no-such-file.csv"), (["--kl", "-1"], "KL coefficient is -1"),
    (["--steps", "0"], "steps is 0"), (["--judge", "ranked", "--reviews", "mine.csv"], "--judge ranked learns from")])
def test_bad_input_is_one_line_and_exit_code_2_and_writes_nothing(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in one_line_of_error(capsys, "tour", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_column_is_reported_with_the_columns_seen(capsys, tmp_path):
    (tmp_path / "r.csv").write_text("review,stars\nfine,1\n")
    line = one_line_of_error(capsys, "tour", "--reviews", str(tmp_path / "r.csv"), "--output", str(tmp_path / "o"))
    assert "review" in line
    assert not (tmp_path / "o").exists()


def test_an_output_folder_that_cannot_be_written_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written" in one_line_of_error(capsys, "tour", "--output", str(tmp_path / "file" / "t"))


def test_ctrl_c_says_how_to_go_on_and_loses_nothing(capsys, tmp_path, monkeypatch):
    def interrupted(*arguments, **numbers):
        raise KeyboardInterrupt
    monkeypatch.setattr(showing, "watch", interrupted)
    assert cli.main(["tour", "--lang", "zh", "--output", str(tmp_path)]) == 130
    assert "再次运行同一条命令" in capsys.readouterr().err


def test_help_comes_well_under_a_second_and_without_torch():
    code = "import sys; from rlhf_kit import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n" \
           "assert not {'torch', 'transformers', 'rich', 'matplotlib'} & set(sys.modules)"
    before = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tour" in result.stdout
    assert time.perf_counter() - before < 5          # generous: only a busy machine or an import of torch takes that


def test_an_unknown_command_is_exit_code_2():
    with pytest.raises(SystemExit) as stop:
        cli.main(["fly"])
    assert stop.value.code == 2
