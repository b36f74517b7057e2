"""How pages are served: the settings, who may enter, and how often."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest

from rlhf_kit import cli
from rlhf_kit.commands.studio import _check_offered
from rlhf_kit.studio import serving
from rlhf_kit.studio.serving import Bucket, class_code, launch_settings


def test_the_settings_leave_nothing_open():
    settings = launch_settings(host="127.0.0.1", port=None, code=None)
    off = ("share", "run_history", "enable_monitoring", "mcp_server", "ssr_mode", "pwa")
    assert {name: settings[name] for name in off} == dict.fromkeys(off, False)
    assert (settings["allowed_paths"], settings["footer_links"], settings["strict_cors"]) == ([], [], True)
    assert settings["max_file_size"] == "1mb"
    assert "auth" not in settings


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::"])
def test_beyond_this_machine_only_with_a_class_code(host):
    with pytest.raises(ValueError, match="needs --class-code"):
        launch_settings(host=host, port=None, code=None)
    assert callable(launch_settings(host=host, port=None, code="three green pears")["auth"])


def test_a_class_is_told_the_address_at_which_others_find_this_machine(monkeypatch):
    class Door:
        def __init__(self, *kind):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def connect(self, place):
            if not network:
                raise OSError("Network is unreachable")

        def getsockname(self):
            return "192.168.1.20", 51000

    monkeypatch.setattr(serving.socket, "socket", Door)
    here, network = "http://localhost:7860/", True
    assert serving.seen_from_outside("0.0.0.0", here) == "http://192.168.1.20:7860/"
    assert serving.seen_from_outside("192.168.1.7", "http://192.168.1.7:7860/") == "http://192.168.1.7:7860/"
    network = False
    assert serving.seen_from_outside("0.0.0.0", here) == here


def test_a_short_code_is_refused():
    with pytest.raises(ValueError, match="expected at least 6"):
        class_code("12345")


OPENS = """
import os, sys, urllib.request
from rlhf_kit.studio import serving
serving.prepare()
from rlhf_kit.studio import pages
from rlhf_kit.studio.workspace import Workspace
served, address = pages.serve(Workspace(sys.argv[1]), ["probe"])
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address).status, os.environ["ALL_PROXY"],
      os.environ.get("NO_PROXY"), os.environ["no_proxy"])
served.close(verbose=False)
"""


def test_the_page_opens_behind_proxies_that_lead_nowhere_and_leaves_them_as_they_were(tmp_path):
    """A SOCKS proxy breaks Gradio's import, an http proxy its question whether its own server is up."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    nowhere = {"ALL_PROXY": "socks5://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "https_proxy": "no address",
               "no_proxy": "example.org"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", OPENS, tmp_path], env={**kept, **nowhere},
                          capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["200", "socks5://127.0.0.1:9", "None", "example.org"], done.stderr


def test_what_lets_visitors_run_code_is_refused(monkeypatch):
    monkeypatch.setenv("GRADIO_VIBE_MODE", "1")
    with pytest.raises(ValueError, match="Unset it"):
        serving.prepare()


def test_the_environment_cannot_open_what_is_closed(monkeypatch):
    for name in ("GRADIO_ALLOWED_PATHS", "GRADIO_SHARE", "GRADIO_MCP_SERVER", "GRADIO_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "True")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    serving.prepare()
    assert not {"GRADIO_ALLOWED_PATHS", "GRADIO_SHARE", "GRADIO_MCP_SERVER"} & set(os.environ)
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def entering(*guesses: tuple[str, str], clock: Clock, code: str = "three green pears") -> list[bool]:
    enter = class_code(code, sleep=clock.sleep, clock=clock)

    async def all_of_them() -> list[bool]:
        return [await enter(*guess) for guess in guesses]
    return asyncio.run(all_of_them())


def test_any_name_enters_with_the_right_code():
    clock = Clock()
    assert entering(("ana", "three green pears"), ("小明", "three green pears"), clock=clock) == [True, True]
    assert clock.slept == []


def test_the_teachers_name_enters_with_the_teachers_code_only():
    clock = Clock()
    enter = class_code("three green pears", ("Ms Li", "seven white plums"), sleep=clock.sleep, clock=clock)

    async def tale() -> list[bool]:
        return [await enter(*guess) for guess in (("Ms Li", "three green pears"), ("Ms Li", "seven white plums"),
                                                  ("ana", "seven white plums"), ("ana", "three green pears"))]
    assert asyncio.run(tale()) == [False, True, False, True]


@pytest.mark.parametrize(("code", "said"), [("12345", "--teacher-code has 5"), ("", "--teacher-code has 0 characters;"),
                                            ("x", "--teacher-code has 1 character;"),
                                            ("three green pears", "the same as --class-code")])
def test_a_teachers_code_that_guards_nothing_is_refused(code, said):
    with pytest.raises(ValueError, match=said):
        class_code("three green pears", ("Ms Li", code))


@pytest.mark.parametrize("options", [["--teacher", "Ana"], ["--teacher-code", "seven white plums"],
                                     ["--teacher", "Ana", "--teacher-code", "seven white plums"]])
def test_a_teacher_without_a_code_or_a_class_is_one_line(options, capsys):
    assert cli.main(["studio", *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a" * 101])
def test_what_is_no_name_does_not_enter(name):
    assert entering((name, "three green pears"), clock=Clock()) == [False]


def test_wrong_codes_wait_and_the_sixth_locks_the_name():
    clock = Clock()
    wrong = [("ana", "three green plums")] * 6
    assert entering(*wrong, ("ana", "three green pears"), ("ben", "three green pears"), clock=clock) == [
        False] * 7 + [True]                                   # ana's right one came while her name was locked
    assert clock.slept == [0.5] * 7


def test_the_lock_opens_after_a_while():
    clock, code = Clock(), "three green pears"
    enter = class_code(code, sleep=clock.sleep, clock=clock)

    async def tale() -> list[bool]:
        for _ in range(6):
            await enter("ana", "no")
        at_once = await enter("ana", code)
        clock.now += 1.0
        return [at_once, await enter("ana", code)]
    assert asyncio.run(tale()) == [False, True]


def test_twenty_guesses_a_second_however_many_ask():
    """Thirty guesses in thirty names at once: ten at a time, half a second each."""
    async def storm() -> float:
        enter, loop = class_code("three green pears"), asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(enter(f"robot {i}", "no") for i in range(30)))
        return loop.time() - began
    assert asyncio.run(storm()) >= 1.45


def test_a_bucket_gives_its_size_at_once_and_then_one_at_a_time():
    clock = Clock()
    bucket = Bucket(size=2, seconds=5.0, clock=clock)
    assert [bucket.wait("ana") for _ in range(3)] == [0, 0, 5.0]
    assert bucket.wait("ben") == 0
    clock.now = 4.0
    assert bucket.wait("ana") == pytest.approx(1.0)
    clock.now = 5.0
    assert bucket.wait("ana") == 0


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ValueError, match="cannot be used"):
        launch_settings(host="127.0.0.1", port=taken.getsockname()[1], code=None)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9",
                                   pytest.param("http://127.0.0.1:9", marks=pytest.mark.slow)])     # see OPENS, too
def test_it_opens_where_the_environment_names_a_proxy(proxy, tmp_path):
    """Gradio asks its own page whether it is there; a proxy that nobody serves must not be asked."""
    script = ("from rlhf_kit.studio.serving import prepare; prepare()\n"
              "from rlhf_kit.studio import pages\n"
              "from rlhf_kit.studio.workspace import Workspace\n"
              "import os, sys\n"
              "served, address = pages.serve(Workspace(sys.argv[1]), ['data'])\n"
              "print(address, os.environ['http_proxy'])\n"
              "served.close(verbose=False)\n")
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    said = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120,
                          env={**clean, "http_proxy": proxy, "HTTP_PROXY": proxy, "https_proxy": proxy,
                               "ALL_PROXY": proxy})
    assert said.returncode == 0, said.stderr[-400:]
    assert said.stdout.startswith("http://127.0.0.1:")
    assert said.stdout.strip().endswith(proxy)              # for what is fetched from elsewhere it stays


@pytest.mark.parametrize(("place", "said"), [
    ("nowhere/", "does not exist"), ("a.txt", "is a file; expected a folder"), ("empty", "is not a model: it has no")])
def test_a_model_that_cannot_be_offered_is_refused_before_anything_is_served(place, said, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("no model")
    assert cli.main(["studio", "--model", str(tmp_path / place), "--data", str(tmp_path / "labels")]) == 2
    out, err = capsys.readouterr()
    assert (said in err, err.count("\n"), out) == (True, 1, "")
    assert not (tmp_path / "labels").exists()


def test_a_tour_that_was_not_made_yet_is_not_asked_of_the_hub(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["studio", "--model", "runs/tour"]) == 2
    assert "./runs/tour does not exist" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_that_has_no_model_yet_a_judge_and_a_tiny_model_are_offered(tmp_path):
    for name, text in (("begun", "settings.json"), ("judge", "config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / text).write_text("{}")
    _check_offered([str(tmp_path / "begun"), str(tmp_path / "judge"), "tiny-lm-en", "someone/model"])
