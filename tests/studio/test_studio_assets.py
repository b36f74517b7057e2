"""What a page is made of comes from memory and is named at its head; where Gradio's scripts are others, nothing is."""

import asyncio
import re

import pytest
from brotli import decompress

from rlhf_kit.studio import assets

SCRIPTS = {
    "index.html": '<script type="module" crossorigin src="./assets/index-aaaaaaaa.js"></script>',
    "assets/index-aaaaaaaa.js": '(m.f||(m.f=["./Index-bbbbbbbb.js","./core-cccccccc.js","./look-dddddddd.css"]'
                                ")) X(()=>import(`./Index-bbbbbbbb.js`),__vite__mapDeps([0,1,2]),u),"
                                "X(()=>import(`./core-cccccccc.js`),__vite__mapDeps([1]),u)",
    "assets/Index-bbbbbbbb.js": '(m.f||(m.f=["./Blocks-eeeeeeee.js","./Login-ffffffff.js"])) '
                                "X(()=>import(`./Blocks-eeeeeeee.js`),__vite__mapDeps([0]),u),"
                                "X(()=>import(`./Login-ffffffff.js`),__vite__mapDeps([1]),u)",
    "assets/core-cccccccc.js": '(m.f||(m.f=["./Row-gggggggg.js","./Map-hhhhhhhh.js","./both-iiiiiiii.css"])) '
                               "Y={row:{component:()=>v(()=>import(`./Row-gggggggg.js`),__vite__mapDeps([0,2]),u)},"
                               "map:{component:()=>v(()=>import(`./Map-hhhhhhhh.js`),__vite__mapDeps([1,2]),u)}}",
    **{f"assets/{name}": "" for name in ("look-dddddddd.css", "Blocks-eeeeeeee.js", "Login-ffffffff.js",
                                         "Row-gggggggg.js", "Map-hhhhhhhh.js", "both-iiiiiiii.css")}}


def written(folder, **others):
    for name, text in {**SCRIPTS, **others}.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    return folder


def test_a_page_names_what_its_components_need_and_nothing_else(tmp_path):
    assert assets.needed(["row"], written(tmp_path)) == [
        "index-aaaaaaaa.js", "Index-bbbbbbbb.js", "core-cccccccc.js", "look-dddddddd.css", "Blocks-eeeeeeee.js",
        "Row-gggggggg.js", "both-iiiiiiii.css"]


@pytest.mark.parametrize("changed", [{"index.html": "<p>"}, {"assets/index-aaaaaaaa.js": "written otherwise"},
                                     {"assets/core-cccccccc.js": "row: another way"}])
def test_scripts_of_another_kind_cost_speed_only(tmp_path, changed):
    assert "Row-gggggggg.js" not in assets.needed(["row"], written(tmp_path, **changed))


def test_of_the_gradio_that_is_installed_the_files_of_each_component_are_found():
    found = assets.needed(["dropdown", "html", "slider"], assets.frontend())
    assert len(found) > 30
    assert all((assets.frontend() / "assets" / name).is_file() for name in found)


def test_head_asks_for_scripts_and_styles_as_what_they_are():
    said = assets.head(["a-aaaaaaaa.js", "b-bbbbbbbb.css", "no-hash.js"])
    assert re.findall(r'rel="(\w+)".*?href="([^"]+)"', said) == [("modulepreload", "./assets/a-aaaaaaaa.js"),
                                                                 ("preload", "./assets/b-bbbbbbbb.css")]


def asked(app, path, method="GET", **headers):
    sent = []

    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": method, "path": path,
             "headers": [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]}
    asyncio.run(app(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(one["body"] for one in sent[1:])


def answering(body, status=200):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-length", str(len(body)).encode()), (b"x", b"y")]})
        await send({"type": "http.response.body", "body": body})
    return app


def test_a_file_comes_from_memory_as_it_is_and_what_there_is_not_is_left_to_gradio():
    name = next(file.name for file in (assets.frontend() / "assets").iterdir() if assets.HASHED.search(file.name))
    whole = (assets.frontend() / "assets" / name).read_bytes()
    app = assets.FromMemory(answering(b"gradio"), ["", "zh"], [])
    for headers, unpacked in (({}, bytes), ({"accept_encoding": "gzip, br"}, decompress)):
        status, said, body = asked(app, f"/assets/{name}", **headers)
        assert (status, unpacked(body), int(said[b"content-length"])) == (200, whole, len(body))
        assert b"immutable" in said[b"cache-control"]
    for path in (f"/assets/../assets/{name}", "/assets/none-aaaaaaaa.js", f"/x/{name}", "/config"):
        assert asked(app, path)[2] == b"gradio"
    assert asked(app, f"/assets/{name}", method="POST")[2] == b"gradio"


def test_only_a_page_is_added_to_and_says_how_long_it_has_become():
    page = b'<html><head lang="x"><script>window.gradio_config = {}</script></head><body class="a">b</body>'
    more = [("<head", "H"), ("<body", "B")]
    for path, body, wanted in (("/", page, page.replace(b'"x">', b'"x">H').replace(b'"a">', b'"a">B')),
                               ("/zh", page, page.replace(b'"x">', b'"x">H').replace(b'"a">', b'"a">B')),
                               ("/other", page, page), ("/", form := b"<head></head><body>a form", form)):
        _, headers, seen = asked(assets.FromMemory(answering(body), ["", "zh"], more), path)
        assert (seen, int(headers[b"content-length"]), headers[b"x"]) == (wanted, len(wanted), b"y")
