"""What people are told to look for when they rank and vote: one text for all, which the teacher may change."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from rlhf_kit.language import Lang
from rlhf_kit.storage import write_text
from rlhf_kit.studio.answers import reason
from rlhf_kit.studio.fields import when_open, when_shown
from rlhf_kit.studio.turns import QUIET
from rlhf_kit.studio.widget import Update, widget
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

FILE = "guidelines-{lang}.txt"      # in the workspace's folder
LONGEST = 10_000                    # characters


@dataclass(frozen=True)
class Guidelines:
    """The text of one language; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """Sentences of the panels with labels."""
        return Words(self.lang, "labels")

    def read(self) -> str:
        """What was written in the folder, else the kit's own."""
        try:
            text = (self.workspace.folder / FILE.format(lang=self.lang)).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return self.words("guide_own")
        return text[:LONGEST] if text.strip() else self.words("guide_own")

    def save(self, text: str, request: gr.Request) -> str:
        """Keep it for everybody, in a class if the teacher asks; an empty one brings the kit's own back. The line."""
        name = getattr(request, "username", None)
        if name is not None and name != self.workspace.teacher:
            return self.words("guide_not_you")
        if len(text) > LONGEST:
            return self.words("guide_long", n=len(text), most=LONGEST)
        try:
            write_text(self.workspace.folder / FILE.format(lang=self.lang), text)
        except OSError as error:
            return self.words("not_saved") + reason(self.lang, error)
        return self.words("guide_saved")

    def field(self, request: gr.Request) -> Update:
        """The text to be changed; hidden from who may not."""
        name = getattr(request, "username", None)
        return gr.update(value=self.read(), interactive=name is None or name == self.workspace.teacher)


def shown(lang: Lang, workspace: Workspace) -> None:
    """The text, folded, above what is judged; read again each time the tab is turned to."""
    guide = Guidelines(lang, workspace)
    text = widget("guide", guide.words, guide.read())
    when_open(guide.read, None, text, **QUIET)
    when_shown(guide.read, None, text)


def editor(lang: Lang, workspace: Workspace) -> None:
    """The text to be changed, folded."""
    guide, words = Guidelines(lang, workspace), Words(lang, "labels")
    with gr.Accordion(words("guide_edit"), open=False):
        text = gr.Textbox(label=words("guide"), info=words("guide_about"), lines=6, max_lines=20, max_length=LONGEST,
                          elem_id=f"rk-guide-{lang}")
        save = gr.Button(words("guide_save"))
        line = widget("notice", words)
    when_open(guide.field, None, text, **QUIET)
    save.click(guide.save, text, line, **QUIET)
