"""Lists of one's own to rank: which model of the shelf writes them, to which prompts, and which lists are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from rlhf_kit.labels import Labels, LabelsError
from rlhf_kit.language import Lang
from rlhf_kit.studio import own_prompts, rank_tasks, talks
from rlhf_kit.studio.answers import why
from rlhf_kit.studio.entries import label
from rlhf_kit.studio.fields import Names, choices
from rlhf_kit.studio.own_prompts import prompts_field
from rlhf_kit.studio.problems import Problem, refusal, told
from rlhf_kit.studio.shelf import ShelfError
from rlhf_kit.studio.turns import prepared
from rlhf_kit.studio.widget import Update
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

ALL = ""                            # the lists of no writer in particular
LISTS, MOST_LISTS = 12, 50          # 12 are enough for a reward model, see `train_runs.FEWEST`


@dataclass(frozen=True)
class Fields:
    """What stands on the page."""

    writer: Names
    n: gr.Slider
    prompts: gr.Textbox
    write: gr.Button
    stop: gr.Button


def fields(words: Words) -> Fields:
    """The fields for new lists, folded away."""
    with gr.Accordion(words("own_lists"), open=False, elem_id=f"rk-rank-new-{words.lang}"):
        with gr.Row():
            writer = Names([], label=words("writer"), info=words("writer_about"), min_width=220,
                           elem_id=f"rk-rank-writer-{words.lang}")
            n = gr.Slider(1, MOST_LISTS, LISTS, step=1, label=words("n_lists"), min_width=160)
        prompts = prompts_field(words.lang, f"rk-rank-prompts-{words.lang}")
        with gr.Row():
            write = gr.Button(words("write_lists"), variant="primary")
            stop = gr.Button(words("stop"), interactive=False)
    return Fields(writer, n, prompts, write, stop)


def written(labels: Labels) -> dict[str, list[int]]:
    """Model -> the numbers of the lists that it wrote here, the newest writer last; not those of the saved example."""
    found: dict[str, list[int]] = {}
    for task in labels.tasks():
        models = {response.model for response in task.responses}
        if task.kind == "rank" and len(models) == 1 and None not in models and task.responses[0].seed is not None:
            found.setdefault(models.pop(), []).append(task.id)
    return dict(sorted(found.items(), key=lambda one: one[1][-1]))


def chosen(labels: Labels, writer: object) -> list[int] | None:
    """The numbers of that model's lists; None where all are meant, or it has written none."""
    return written(labels).get(writer) if isinstance(writer, str) and writer else None


@dataclass(frozen=True)
class Lists:
    """What happens when something is pressed; every method can be called without a browser."""

    lang: Lang
    workspace: Workspace

    @property
    def words(self) -> Words:
        """The panel's sentences."""
        return Words(self.lang, "rank")

    def offered(self, picked: object = ALL) -> Update:
        """The writers whose lists can be shown, the newest first; what was picked stays."""
        try:
            found = written(self.workspace.labels)
        except LabelsError:
            return gr.skip()
        listed = [(f"{label(name, self.lang)} ({len(tasks)})", name) for name, tasks in reversed(found.items())]
        return choices([(self.words("any_list"), ALL), *listed], ALL, picked)

    def writers(self, picked: str | None = None) -> Update:
        """The policies that can write: what was picked stays, else the one that was trained last, else the base."""
        listed = self.workspace.shelf.offered("policy", self.lang)
        base, trained, _ = self.workspace.shelf.defaults(self.lang)
        return gr.update(choices=listed, value=picked if picked in dict(listed).values() else trained or base)

    def refused(self, writer: str, prompts: str) -> str | None:
        """Why that may not be asked; None if it may."""
        return refusal(self.words, self._check, writer, prompts)

    def _check(self, writer: str, prompts: str) -> None:
        if writer not in self.workspace.shelf.names("policy", self.lang):
            raise Problem("no_writer")
        if prompts.strip() and not own_prompts.typed(prompts).prompts:
            raise Problem("no_prompts")

    def write(self, writer: str, n: float, prompts: str, k: int) -> Iterator[tuple[str | None, str]]:
        """Let it answer each prompt k times: yields (writer, line), the writer once lists of its are there."""
        try:
            self._check(writer, prompts)
            shelf, labels, own = self.workspace.shelf, self.workspace.labels, own_prompts.typed(prompts)
            yield from ((None, line) for line in prepared(shelf, [(writer, "policy")], self.words))
            policy, seed = shelf.policy(writer, self.lang), 1 + labels.count()
            n = int(min(max(n or LISTS, 1), MOST_LISTS))
            asked = [talks.typed(prompt, self.workspace.world, self.lang) for prompt in own.prompts] or (
                self.workspace.world.of(self.lang).prompts("train", n, seed=seed))
            made = 0
            for done, prompt in enumerate(asked, 1):
                made += rank_tasks.add(labels, policy, writer, prompt, k, 1000 * (seed + done))
                yield None, self.words("writing_lists", done=done, total=len(asked))
            said = [self.words("lists_written", made=made, total=len(asked))]
            if made < len(asked):
                said.append(self.words("too_alike", n=len(asked) - made, k=k))
            if own.left_out:
                said.append(Words(self.lang, "labels")("left_out", n=own.left_out, most=own_prompts.MOST))
            yield writer if writer in written(labels) else None, " ".join(said)
        except LabelsError as error:
            yield None, why(self.lang, error)
        except ShelfError as error:
            yield None, error.told(self.lang)
        except Exception as error:                      # whatever it is, the page says it
            yield None, told(error, self.words)
