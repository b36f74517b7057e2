"""The door of a class: who comes without having entered sees a form for name and code, in the page's language."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from rlhf_kit.language import Lang
from rlhf_kit.studio.widget import read_script
from rlhf_kit.studio.words import Words

CODES = {"en": "en", "zh": "zh-CN"}         # what a page says of its language, for screen readers and fonts


def page(lang: Lang, other: str) -> str:
    """The form, as HTML that needs nothing else; what is written in it goes to Gradio's own `login`.

    Args:
        other: where the form in the other language is, seen from here.
    """
    words = Words(lang, "studio")
    said = {key: escape(words(key)) for key in ("title", "about_class", "door_name", "door_code", "door_note", "enter",
                                                "other_language")}
    answers = escape(json.dumps({key: words(f"door_{key}") for key in ("wrong", "lost", "looking")}))
    return f"""<!doctype html>
<html lang="{CODES[lang]}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{said["title"]}</title>
<style>{read_script("door.css")}</style></head>
<body><main>
<p class="rk-language"><a href="{escape(other)}">{said["other_language"]}</a></p>
<h1>{said["title"]}</h1>
<p>{said["about_class"]}</p>
<form data-said="{answers}">
<label>{said["door_name"]}<input name="username" autocomplete="username" maxlength="100" required autofocus></label>
<label>{said["door_code"]}<input name="password" type="password" autocomplete="current-password" required></label>
<p class="note">{said["door_note"]}</p>
<button>{said["enter"]}</button>
<p role="alert"></p>
</form>
</main><script>{read_script("door.js")}</script></body></html>
"""


class Door:
    """ASGI: the form instead of the pages at these paths, for whoever has not entered.

    Args:
        pages: path -> language, the one at "" first.
    """

    def __init__(self, app: Callable, pages: Mapping[str, Lang]) -> None:
        self.app, self.pages = app, dict(pages)

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", "")).strip("/")
        if scope["type"] != "http" or scope["method"] != "GET" or path not in self.pages or _inside(scope):
            await self.app(scope, receive, send)
            return
        other = next(one for one in self.pages if one != path)
        form = page(self.pages[path], other or "./")
        await HTMLResponse(form, headers={"Cache-Control": "no-store"})(scope, receive, send)


def _inside(scope: dict[str, Any]) -> bool:
    """Whether the request carries a token that Gradio has given out; True where Gradio keeps them elsewhere."""
    tokens, number = (getattr(scope.get("app"), name, None) for name in ("tokens", "cookie_id"))
    if tokens is None or number is None:
        return True                                     # then Gradio shows its own form
    cookies = Request(scope).cookies
    return any(cookies.get(f"access-token{kind}-{number}") in tokens for kind in ("", "-unsecure"))
