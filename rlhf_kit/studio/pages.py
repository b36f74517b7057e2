"""One page for each language, with a tab for each panel: English at /, Chinese at /zh."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from html import escape

import gradio as gr
from gradio.context import Context
from starlette.middleware import Middleware

from rlhf_kit.language import LANGS, Lang
from rlhf_kit.studio import PANELS, assets
from rlhf_kit.studio.door import CODES
from rlhf_kit.studio.fields import when_open
from rlhf_kit.studio.serving import asking_nobody_else, launch_settings
from rlhf_kit.studio.widget import widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

HOURLY = (3600, 3600)               # how often copies of downloaded labels are thrown away, and how old they are; s

# Gradio takes a page's language from the browser, and has one title for all pages.
NAME = "([lang, title]) => { document.documentElement.lang = lang; document.title = title; }"


def build(workspace: Workspace, panels: Sequence[str] = PANELS, first: Lang = "en", *, door: bool = False
          ) -> gr.Blocks:
    """The pages, not yet served: the first language at /.

    Args:
        door: whether people enter by name and code from elsewhere; then each sees who they are, and the way out.

    Raises: ValueError for a panel that there is not.
    """
    unknown = [name for name in panels if name not in PANELS]
    if unknown:
        raise ValueError(f"there is no panel {unknown[0]!r}; expected some of {', '.join(PANELS)}.")
    second = LANGS[1 - LANGS.index(first)]
    with gr.Blocks(title=_title(first, panels), analytics_enabled=False, delete_cache=HOURLY) as pages:
        _page(first, second, workspace, panels, door)
        pages.unload(_left(workspace))
    with pages.route(Words(first, "studio")("other_language"), f"/{second}", show_in_navbar=False):
        _page(second, "", workspace, panels, door)
    pages.queue(api_open=False, max_size=256, default_concurrency_limit=4)      # a class with a few presses each
    return pages


def serve(workspace: Workspace, panels: Sequence[str] = PANELS, *, host: str = "127.0.0.1", port: int | None = None,
          code: str | None = None, teacher_code: str | None = None, inline: bool = False, lang: Lang = "en"
          ) -> tuple[gr.Blocks, str]:
    """Start serving, and go on: the pages, to be closed with `close()`, and their address.

    Args:
        code: of the class; without one only this machine is served.
        teacher_code: what the workspace's teacher enters with.
        inline: below a notebook's cell; then `lang` is the page at /, since only that one is shown there.
    """
    settings = launch_settings(host=host, port=port, code=code, inline=inline, teacher=(
        (workspace.teacher, teacher_code or "") if workspace.teacher else None))
    pages = build(workspace, panels, lang if inline else "en", door=code is not None)
    files = assets.needed((block.get_block_name() for block in pages.blocks.values()), assets.frontend())
    settings.setdefault("app_kwargs", {}).setdefault("middleware", []).append(Middleware(
        assets.FromMemory, pages=["", *LANGS], more=[("<head", assets.head(files)), ("<body", assets.early())]))
    with asking_nobody_else():
        _, address, _ = pages.launch(**settings)
    return pages, address


def _page(lang: Lang, other: str, workspace: Workspace, panels: Sequence[str], door: bool) -> None:
    """`other` is where the page in the other language is, seen from here; "" is /."""
    words, title = Words(lang, "studio"), _title(lang, panels)
    gr.Navbar(visible=False)
    Context.root_block.load(None, None, None, js=f"() => ({NAME})({json.dumps([CODES[lang], title])})")
    unseen = {"elem_classes": "rk-unseen", "js_on_load": None}
    gr.HTML(f'<p class="rk-lost" role="alert">{words("lost")}</p>', **unseen)           # shown by page.js
    gr.HTML(f'<p class="rk-keys" role="status" data-on="{escape(words("keys_on"))}" '
            f'data-off="{escape(words("keys_off"))}"></p>', **unseen)                   # filled by page.js
    with gr.Row(elem_classes="rk-head"):
        about = words("about_class" if door else "about") if len(panels) > 1 else ""
        gr.Markdown(f"# {title}" + (f"\n{about}" if about else ""))                     # ours, and nobody else's text
        if door:
            who = widget("who", words, elem_classes="rk-enters")
            when_open(_name, None, who, show_progress="hidden", api_visibility="private")
        gr.HTML(f'<a href="{other or "./"}">{words("other_language")}</a>', elem_classes="rk-language",
                js_on_load=None)
    if len(panels) == 1:
        _panel(panels[0], lang, workspace)
        return
    with gr.Tabs(overflow_behavior="wrap"):
        for name in panels:
            with gr.Tab(words(name), id=name, elem_id=f"rk-tab-{name}"):
                _panel(name, lang, workspace)


def _title(lang: Lang, panels: Sequence[str]) -> str:
    """The studio's, or of a panel that is the whole page its own."""
    return Words(lang, "studio")(f"title_{panels[0]}" if len(panels) == 1 else "title")


def _left(workspace: Workspace) -> Callable[[gr.Request], None]:
    """What is done when a page is closed: it gives up its place in the line."""
    def left(request: gr.Request) -> None:
        workspace.line.gone(str(request.session_hash))
    return left


def _name(request: gr.Request) -> str | None:
    return getattr(request, "username", None)


def _panel(name: str, lang: Lang, workspace: Workspace) -> None:
    gr.HTML(f'<h2 class="rk-read">{escape(Words(lang, "studio")(name))}</h2>', elem_classes="rk-unseen",
            js_on_load=None)                            # between the page's own heading and those in the panel
    importlib.import_module(f"rlhf_kit.studio.{name}").build(lang, workspace)
