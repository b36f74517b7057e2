"""A panel as a Hugging Face Space: the files are what a Space reads, and say how it is guarded."""

import ast
import json
from pathlib import Path

import pytest
import yaml

from rlhf_kit import REPOSITORY, cli
from rlhf_kit.scale.spaces import SDK, TITLES, write_space
from rlhf_kit.studio import PANELS


@pytest.mark.parametrize("name", ["studio", *PANELS])
def test_a_space_has_a_header_requirements_and_an_app(name, tmp_path):
    write_space(name, tmp_path)
    header = yaml.safe_load((tmp_path / "README.md").read_text().split("---")[1])
    assert (header["sdk"], header["sdk_version"], header["app_file"]) == ("gradio", SDK, "app.py")
    assert (tmp_path / "requirements.txt").read_text() == f"rlhf-kit[ui] @ git+{REPOSITORY}\n"
    app = ast.unparse(ast.parse((tmp_path / "app.py").read_text()))
    assert "'--class-code', code" in app
    assert "CLASS_CODE" in app
    assert (f"'--panel', '{name}'" in app) == (name != "studio")


def test_a_space_offers_models_that_it_will_have_and_no_others(tmp_path, capsys):
    (tmp_path / "space" / "mine").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    command = ["export", "space", "compare", "--output", str(tmp_path / "space"), "--lang", "en"]
    assert cli.main([*command, "--model", "gpt2", "--model", str(tmp_path / "space" / "mine")]) == 0
    app = ast.unparse(ast.parse((tmp_path / "space" / "app.py").read_text()))
    assert "'--model', 'gpt2', '--model', './mine'" in app
    capsys.readouterr()
    for wrong, said in ((tmp_path / "elsewhere", "is a folder of this machine, which a Space does not have"),
                        (tmp_path / "gone", "there is no such folder")):
        assert cli.main([*command, "--model", str(wrong)]) == 2
        assert said in capsys.readouterr().err
    assert ast.unparse(ast.parse((tmp_path / "space" / "app.py").read_text())) == app


@pytest.mark.parametrize("name", ["studio", *PANELS])
def test_a_space_speaks_of_no_panel_that_it_lacks_and_its_app_starts(name, tmp_path):
    write_space(name, tmp_path, ["gpt2"])
    text = (tmp_path / "README.md").read_text()
    assert ("Data panel" in text) == (name in ("studio", "data"))
    assert ("is kept in `data/`" in text) == (name not in ("compare", "probe", "frontier"))
    app = ast.parse((tmp_path / "app.py").read_text())
    words = next(ast.unparse(node) for node in ast.walk(app) if isinstance(node, ast.List))
    options = cli._parser().parse_args(eval(words, {"code": "three green pears"}))
    assert (options.panels, options.models, options.host) == (None if name == "studio" else [name], ["gpt2"], "0.0.0.0")


@pytest.mark.parametrize(("address", "warned"), [("https://github.com/OWNER/rlhf-kit", True),
                                                 ("https://github.com/somebody/rlhf-kit", False)])
def test_a_placeholder_in_place_of_the_address_is_said(address, warned, tmp_path, capsys, monkeypatch):
    for place in ("rlhf_kit.REPOSITORY", "rlhf_kit.scale.spaces.REPOSITORY"):
        monkeypatch.setattr(place, address)
    assert cli.main(["export", "space", "compare", "--output", str(tmp_path), "--lang", "en", "--json"]) == 0
    assert ("is a placeholder: write the repository's own address" in capsys.readouterr().err) == warned


def test_a_space_runs_the_gradio_that_is_tested():
    pins = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    assert f"gradio=={SDK}" in pins


def test_every_panel_can_be_a_space():
    assert list(TITLES) == ["studio", *PANELS]


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    assert cli.main(["export", "space", "compare", "--output", str(tmp_path / "space"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [str(tmp_path / "space" / name)
                                                   for name in ("README.md", "requirements.txt", "app.py")]


def test_without_its_secret_a_space_does_not_open(capsys):
    """What app.py runs when nobody has set CLASS_CODE."""
    assert cli.main(["studio", "--panel", "compare", "--host", "0.0.0.0", "--class-code", ""]) == 2
    assert "expected at least 6" in capsys.readouterr().err


@pytest.mark.parametrize("what", [["space", "compare"], ["accelerate"], ["openrlhf", "--made-up", "3"]])
def test_an_export_replaces_its_own_files_and_nobody_elses(what, tmp_path, capsys):
    """The person's own file may have any of the names; once it is moved away, the same command goes through."""
    command = ["export", *what, "--output", str(tmp_path / "out"), "--lang", "en"]
    assert cli.main(command) == 0
    assert cli.main(command) == 0
    mine = sorted(path for path in (tmp_path / "out").iterdir() if path.name[0] != ".")[0]
    mine.write_text("# My own")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    assert cli.main(command) == 2
    assert f"{mine} is there already and is not, or no longer, what the kit wrote" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    mine.rename(tmp_path / "moved")
    assert cli.main(command) == 0
