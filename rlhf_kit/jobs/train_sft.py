"""`rlhf-kit train sft`: a language model's name and a file of texts become a language model that imitates them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rlhf_kit import zoo
from rlhf_kit.datasets.texts import hold_out, read_pairs, read_texts
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs.settings import SMALL, changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.methods import sft
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run, Stage

TINY_SFT = sft.Config(steps=300, batch_size=16, learning_rate=1e-3)
REAL_SFT = sft.Config(steps=300, batch_size=16, learning_rate=5e-5, max_length=256)     # GPT-2 and larger


@dataclass(frozen=True, kw_only=True)
class SftJob(Job):
    """Fine-tune a language model on texts, or on (prompt, response) pairs of which only the response counts."""

    name: ClassVar[str] = "sft"
    files: ClassVar[tuple[str, ...]] = ("data",)

    model: str                              # a tiny model's name, a folder, or a hub id
    data: str | None = None                 # a file; None = the made-up reviews
    text: str = "text"                      # its column of whole texts, unless it holds pairs:
    prompt: str | None = None
    response: str | None = None
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `sft.Config` that differ from its defaults

    def __post_init__(self) -> None:
        if (self.prompt is None) != (self.response is None):
            there, missing = ("--prompt-column", "--response-column")[::1 if self.response is None else -1]
            raise ValueError(f"{there} is given without {missing}; pairs need both columns, whole texts neither.")
        if self.data is None and (self.prompt is not None or self.text != "text"):
            raise ValueError("--text-column, --prompt-column and --response-column are columns of a file, and there is "
                             "none. Name it with --data.")
        check_task(self.task, self.data, "--data")
        changed(TINY_SFT, self.changes)

    def plan(self, run: Run) -> Plan:
        """One stage, which leaves `model/`; the loss on what is held out before and after it."""
        learn, held_out = self._examples()
        policy = zoo.load_policy(self.model, value_head=False, device=self.device)
        use_threads(run.threads, policy)
        config = changed(TINY_SFT if parameters(policy) < SMALL else REAL_SFT, self.changes)
        loss = {"before": sft.loss_on(policy, held_out, config)}

        def train() -> Iterator[Step]:
            yield from sft.steps(policy, learn, config, checkpoint=run.checkpoint())
            loss["after"] = sft.loss_on(policy, held_out, config)
            zoo.save_policy(policy, run.at("model"))

        def result() -> dict[str, Any]:
            return {"job": "sft", "settings": described(self, config), "examples": len(learn),
                    "held_out": 0 if held_out == learn else len(held_out), "loss": loss,
                    "steps": len(run.history("sft"))}
        whole = [one if isinstance(one, str) else "".join(one) for one in learn]
        return Plan([Stage("sft", train, total=config.steps, metrics=Metrics())], result,
                    notes=unread(policy.tokenizer, whole))

    def _examples(self) -> tuple[list, list]:
        if self.data is None:
            task = world(self.task, self.lang)
            return task.corpus(6000), task.corpus(300, split="heldout")
        if self.prompt is not None:
            return hold_out(read_pairs(self.data, self.prompt, self.response))
        return hold_out(read_texts(self.data, self.text))
