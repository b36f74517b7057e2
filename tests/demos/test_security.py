"""The security table: what an unguarded Gradio page gives away, this one does not."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from rlhf_kit.studio import pages as studio
from rlhf_kit.studio import serving
from rlhf_kit.studio.workspace import Workspace

CODE = "three green pears"


def ask(url: str, *, data: bytes | None = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers, whatever the status is."""
    request = urllib.request.Request(url, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def enter(address: str, name: str, code: str) -> tuple[int, str]:
    """Status, and the cookie to be sent from then on."""
    form = urllib.parse.urlencode({"username": name, "password": code}).encode()
    status, _, headers = ask(f"{address}login", data=form)
    return status, headers.get("set-cookie", "").split(";")[0]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def page(workspace) -> Iterator[str]:
    pages, address = studio.serve(workspace, ["data"])
    yield address
    pages.close(verbose=False)


@pytest.fixture(scope="module")
def class_page(workspace) -> Iterator[str]:
    """As a class reaches it."""
    pages, address = studio.serve(workspace, ["data"], host="0.0.0.0", code=CODE)
    yield address
    pages.close(verbose=False)


def test_no_history_of_what_others_did(page):
    assert json.loads(ask(f"{page}config")[1]).get("run_history") in (None, False)
    assert ask(f"{page}gradio_api/runs")[0] in (404, 405)


def test_no_monitoring(page):
    for path in ("monitoring", "monitoring/summary"):
        status, body, _ = ask(page + path)
        assert status >= 400 or b"disabled" in body.lower()


def test_another_page_in_the_same_browser_may_not_read_answers(page):
    assert ask(f"{page}config", Origin=page.rstrip("/"))[0] == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        status, body, _ = ask(f"{page}config", Origin=origin)
        assert (status, body) == (403, b"This page answers its own visitors only.")


def test_a_name_that_points_to_this_machine_is_not_this_machine(page):
    """DNS rebinding: the visitor's browser believes that evil.example is here."""
    port = urllib.parse.urlsplit(page).port
    assert ask(f"{page}config", Host=f"evil.example:{port}")[0] == 403


@pytest.mark.parametrize("path", ["/etc/passwd", "pyproject.toml", "{data}/labels.db", "../../../../etc/passwd"])
def test_no_file_of_this_machine_is_handed_out(page, workspace, path):
    assert workspace.labels.progress()["tasks"] == 0          # the file of labels is there
    place = urllib.parse.quote(path.format(data=workspace.folder))
    assert ask(f"{page}gradio_api/file={place}")[0] in (403, 404)


def test_no_file_is_taken(page):
    boundary = "x"
    body = (b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\n\r\na"
            + b"\r\n--x--\r\n")
    status, _, _ = ask(f"{page}gradio_api/upload", data=body, Content_Type=f"multipart/form-data; boundary={boundary}")
    assert status == 403


def test_nothing_is_seen_before_the_class_code(class_page):
    for path in ("config", "gradio_api/info", "gradio_api/queue/status"):
        status, body, _ = ask(class_page + path)
        assert status == 401, (path, body[:100])


def test_the_right_code_lets_any_name_in(class_page):
    status, cookie = enter(class_page, "小明", CODE)
    assert (status, ask(f"{class_page}config", Cookie=cookie)[0]) == (200, 200)


def test_another_page_may_not_read_answers_on_a_network_either(class_page):
    cookie = enter(class_page, "ana", CODE)[1]
    assert ask(f"{class_page}config", Cookie=cookie, Origin="http://evil.example")[0] == 403


def test_a_wrong_code_is_slow_and_refused(class_page):
    began = time.monotonic()
    status, cookie = enter(class_page, "ana", "three green plums")
    assert (status, cookie) == (400, "")
    assert time.monotonic() - began >= 0.4                      # serving.WRONG_WAITS is half a second


def test_a_name_is_locked_after_many_wrong_codes(class_page, monkeypatch):
    monkeypatch.setattr(serving, "WRONG_WAITS", 0.0)
    for _ in range(serving.FREE_GUESSES + 4):
        enter(class_page, "ana", "no")
    assert enter(class_page, "ana", CODE)[0] == 400
    assert enter(class_page, "ben", CODE)[0] == 200
