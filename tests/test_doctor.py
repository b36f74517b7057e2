"""The examination of a machine: what it says of one that is ill, and that it asks nobody it should not ask."""

import json
import time
import urllib.error
import urllib.request
from collections import namedtuple
from importlib.metadata import PackageNotFoundError

import pytest

from rlhf_kit import cli, doctor, zoo
from rlhf_kit.doctor import examine, healthy
from rlhf_kit.language import say

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def asked(monkeypatch):
    """Who was asked over the network; answers, or raises what stands in `asked.answer`."""
    class Asked(list):
        answer = None

        def close(self):
            pass

    asked = Asked()

    def urlopen(request, timeout):
        asked.append((request, timeout))
        if asked.answer:
            raise asked.answer
        return asked

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return asked


def finding(findings, name):
    return next(f for f in findings if f.name == name)


def hub(online=True):
    return finding(examine("en", online), "Hugging Face hub")


def test_a_sound_machine_is_well(asked):
    findings = examine("en")
    assert healthy(findings)
    assert finding(findings, "torch").seen.startswith("2.")
    assert finding(findings, "Hugging Face hub").good


@pytest.mark.parametrize(("variable", "online"), [(None, False), ("1", True), ("true", True), ("ON", True)])
def test_offline_nobody_is_asked(asked, monkeypatch, variable, online):
    if variable:
        monkeypatch.setenv("HF_HUB_OFFLINE", variable)
    assert hub(online).seen == "not asked (offline)"
    assert asked == []


@pytest.mark.parametrize("variable", ["0", "", "no"])
def test_a_variable_that_says_no_is_no(asked, monkeypatch, variable):
    monkeypatch.setenv("HF_HUB_OFFLINE", variable)
    assert hub().good
    assert len(asked) == 1


def test_the_question_says_nothing_and_is_not_waited_for_long(asked):
    hub()
    (request, timeout), = asked
    assert (request.get_method(), request.data, dict(request.header_items())) == ("HEAD", None, {})
    assert request.full_url == "https://huggingface.co"
    assert timeout <= 3


def test_a_mirror_is_asked_in_its_place(asked, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert hub().seen == "https://mirror.example"
    assert asked[0][0].full_url == "https://mirror.example"


def test_a_hub_that_says_no_has_answered(asked):
    asked.answer = urllib.error.HTTPError("https://huggingface.co", 403, "Forbidden", {}, None)
    assert hub().good


@pytest.mark.parametrize("error", [urllib.error.URLError("no route"), TimeoutError("timed out"), ValueError("odd")])
def test_a_hub_out_of_reach_is_no_illness_and_a_mirror_is_named(asked, error):
    asked.answer = error
    findings = examine("en")
    seen = finding(findings, "Hugging Face hub")
    assert seen.good is None
    assert "did not answer" in seen.seen
    assert "HF_ENDPOINT names a mirror" in seen.seen
    assert healthy(findings)
    assert "give a folder" in finding(findings, "rlhf-kit train --model gpt2").seen


def test_a_cache_that_cannot_be_written_is_exit_code_1(asked, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "file" / "cache"))
    assert cli.main(["doctor", "--lang", "en"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "Name another folder in RLHF_KIT_CACHE." in shown
    assert say("en", "doctor_ill") in shown


def test_too_little_room_is_an_illness_and_looking_leaves_nothing(asked, monkeypatch, tmp_path):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "not" / "yet"))
    assert finding(examine("en"), "model cache").good
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 2**30))
    assert not healthy(examine("en"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("library", "well"), [("safetensors", False), ("gradio", True)])
def test_a_library_that_is_missing(asked, monkeypatch, library, well):
    real = doctor.version

    def version(name):
        if name == library:
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    findings = examine("en")
    assert healthy(findings) is well
    assert finding(findings, library).seen == "not installed"
    assert ("pip install" in finding(findings, library).advice) is not well


def test_models_that_are_ready_are_named(asked, monkeypatch):
    row = {"lang": "en", "kind": "writer", "about": "", "label": None}
    monkeypatch.setattr(zoo, "names", lambda: [{**row, "name": "tiny-a", "tiny": True, "here": True},
                                               {**row, "name": "tiny-b", "tiny": True, "here": False},
                                               {**row, "name": "big-c", "tiny": False, "here": True}])
    asked.answer = urllib.error.URLError("no route")
    findings = examine("en")
    assert "Models ready: tiny-a." in finding(findings, "rlhf-kit tour").seen
    assert "only what was fetched before: big-c." in finding(findings, "rlhf-kit train --model gpt2").seen


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_for_machines_and_for_people(asked, capsys, lang):
    began = time.process_time()
    assert cli.main(["doctor", "--offline", "--lang", lang, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert time.process_time() - began < 5
    assert all(set(row) == {"name", "seen", "good", "advice"} for row in rows)
    assert not any(row["advice"] for row in rows if row["good"])
    assert cli.main(["doctor", "--offline", "--lang", lang]) == 0
    shown = capsys.readouterr().out
    assert all(row["name"] in shown for row in rows)
    assert say(lang, "doctor_well") in shown
    assert asked == []
