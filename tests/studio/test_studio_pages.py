"""The studio's command, the demos, and panels in notebooks: what can be tested without a browser."""

import re
import runpy
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from string import Formatter

import pytest

import rlhf_kit as kit
from rlhf_kit import cli
from rlhf_kit.language import LANGS
from rlhf_kit.studio import PANELS, inline

ROOT = Path(__file__).parents[2]
BOOKS = sorted(path.name for path in files("rlhf_kit.studio.words").iterdir() if path.name.endswith(".toml"))


def fields(sentence: str) -> list[tuple[str, str]]:
    """Each `{name:form}`, but for English's one and many."""
    return sorted((name, form) for _, name, form, _ in Formatter().parse(sentence)
                  if name is not None and "|" not in form)


@pytest.mark.parametrize("book", BOOKS)
def test_every_sentence_of_a_panel_is_there_in_both_languages(book):
    tables = tomllib.loads((files("rlhf_kit.studio.words") / book).read_text(encoding="utf-8"))
    assert list(tables) == list(LANGS)
    assert list(tables["en"]) == list(tables["zh"])
    assert [key for key in tables["en"] if fields(tables["en"][key]) != fields(tables["zh"][key])] == []


@pytest.mark.parametrize("book", BOOKS)
def test_each_language_of_a_panel_is_itself(book):
    tables = tomllib.loads((files("rlhf_kit.studio.words") / book).read_text(encoding="utf-8"))
    def chinese(text):
        return any("\u4e00" <= character <= "\u9fff" for character in text)
    assert [key for key, text in tables["en"].items() if chinese(text) and key != "other_language"] == []
    assert [key for key, text in tables["zh"].items()
            if not chinese(text) and len(text.split()) > 3 and key != "other_language"] == []


@pytest.mark.parametrize("book", BOOKS)
def test_every_sentence_is_used_by_some_panel(book):
    """Quoted as it is (or `words.key` in a script), or put together from a prefix, as in f"chip_{n}", and its rest."""
    home = ROOT / "rlhf_kit" / "studio"
    source = "\n".join(path.read_text(encoding="utf-8") for path in (*home.rglob("*.py"), *home.rglob("*.js")))
    quoted = set(re.findall(r"""(?<=["'`])\w+(?=["'`])""", source)) | set(re.findall(r"\bwords\.(\w+)", source))
    prefixes = set(re.findall(r"""["'`]([a-z_]+_)(?:\{|\$\{|' \+)""", source))
    def used(key):
        rests = [key.removeprefix(prefix) for prefix in prefixes if key.startswith(prefix)]
        return key in quoted or any(rest in quoted or rest.isdigit() for rest in rests)
    tables = tomllib.loads((home / "words" / book).read_text(encoding="utf-8"))
    assert [key for key in tables["en"] if not used(key)] == []


# What Gradio does with a component of ours, done before Gradio has begun: template and script are constants of our own,
# and no text of anybody is in them; texts come as a value, which the script puts into textContent.
AS_GRADIO = ("element.innerHTML = shown.html_template;",
             "new Function('element', 'props', 'trigger', 'watch', shown.js_on_load)(")


def test_no_template_takes_text_in():
    """Gradio 6.31 runs `${...}` inside an html_template as JavaScript, and puts `{{x}}` there."""
    for path in (ROOT / "rlhf_kit" / "studio").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not [bad for bad in ("${value", "{{") if bad in source], path
    for path in (ROOT / "rlhf_kit" / "studio" / "scripts").iterdir():
        source = path.read_text(encoding="utf-8")
        for line in AS_GRADIO if path.name == "early.js" else ():
            assert source.count(line) == 1
            source = source.replace(line, "")
        assert not [bad for bad in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                                    "new Function", "html`") if bad in source], path
        assert path.suffix != ".css" or ("${" not in source and "{{" not in source), path


def test_one_panel_a_demo_and_all_in_the_studio(monkeypatch):
    asked = {}
    monkeypatch.setattr(sys, "argv", ["demo", "--port", "7861"])
    for path in sorted((ROOT / "demos").glob("*.py")):
        monkeypatch.setattr(cli, "main", lambda words, name=path.stem: asked.setdefault(name, words) and 0)
        with pytest.raises(SystemExit):
            runpy.run_path(str(path), run_name="__main__")
    assert asked.pop("studio") == ["studio", "--port", "7861"]
    assert [words[2] for words in asked.values()] == ["compare", "rank", "probe", "vote", "data"]
    assert all(words[:2] == ["studio", "--panel"] and words[3:] == ["--port", "7861"] for words in asked.values())


@pytest.mark.parametrize(("words", "complaint"), [
    (["--host", "0.0.0.0"], "needs --class-code"), (["--host", "0.0.0.0", "--class-code", "abc"], "at least 6"),
    (["--data", "{tmp}/a_file"], "Name another"), (["--port", "80000"], "port")])
def test_bad_options_are_one_line(words, complaint, tmp_path, capsys):
    (tmp_path / "a_file").write_text("")
    options = {"--data": str(tmp_path / "studio")} | dict(zip(words[::2], words[1::2], strict=True))
    typed = [word.format(tmp=tmp_path) for pair in options.items() for word in pair]
    assert cli.main(["studio", *typed]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--host", "0.0.0.0"], ["--class-code", "abc"], ["--port", "80000"]])
def test_who_may_not_enter_is_answered_before_gradio_is_imported(words, monkeypatch, capsys):
    monkeypatch.setattr("rlhf_kit.studio.serving.prepare", lambda: pytest.fail("Gradio was imported"))
    assert cli.main(["studio", *words]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_without_gradio_the_command_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["studio"]) == 2
    assert 'pip install "rlhf-kit[ui]"' in capsys.readouterr().err


# In notebooks

def test_a_panel_that_nobody_sees_is_a_command(monkeypatch, capsys):
    monkeypatch.setenv(inline.SWITCH, "off")
    kit.panel("compare", "zh")
    assert "rlhf-kit studio --panel compare --lang zh" in capsys.readouterr().out


def test_without_gradio_a_cell_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.delenv(inline.SWITCH, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    kit.panel("rank")
    assert 'pip install "rlhf-kit[ui]"' in capsys.readouterr().out


def test_an_unknown_panel_is_named():
    with pytest.raises(ValueError, match=f"expected one of {', '.join(PANELS)}"):
        kit.panel("compair")
