"""`rlhf-kit train sft`: a language model's name and a file of texts become a language model that imitates them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from rlhf_kit import zoo
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, columns_in, named
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.formulas.records import Step
from rlhf_kit.jobs import written
from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.scaling import Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.methods import sft
from rlhf_kit.models.heads import Policy
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage

TINY_SFT = sft.Config(steps=300, batch_size=16, learning_rate=1e-3)
REAL_SFT = sft.Config(steps=300, batch_size=16, learning_rate=5e-5, max_length=256)     # GPT-2 and larger
RATES = {"tiny": Rates(whole=1e-3, adapter=3e-3), "small": Rates(whole=5e-5, adapter=2e-4),
         "large": Rates(whole=1e-5, adapter=1e-4)}


@dataclass(frozen=True, kw_only=True)
class SftJob(ScaledJob):
    """Fine-tune a language model on texts, on (prompt, response) pairs of which only the response counts, or on
    conversations of which only what the assistant says counts."""

    name: ClassVar[str] = "sft"
    files: ClassVar[tuple[str, ...]] = ("data",)

    model: str                              # a tiny model's name, a folder, or a hub id
    data: str | None = None                 # a file, a folder of them, or a set on the hub; None = the made-up reviews
    text: str = "text"                      # its column of whole texts or conversations, unless it holds pairs:
    prompt: str | None = None
    response: str | None = None
    columns: str | None = None              # or "prompt=question,response=answer"
    template: str | None = None             # that conversations are written by; None = the model's own
    lang: Lang = "en"                       # of the made-up reviews
    task: str | None = None                 # another made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `sft.Config` that differ from its defaults

    def __post_init__(self) -> None:
        if (self.prompt is None) != (self.response is None):
            there, missing = ("--prompt-column", "--response-column")[::1 if self.response is None else -1]
            raise ValueError(f"{there} is given without {missing}; pairs need both columns, whole texts neither.")
        if self.data is None and (self.prompt is not None or self.text != "text" or self.columns is not None):
            raise ValueError("--text-column, --prompt-column, --response-column and --columns are columns of a file, "
                             "and there is none. Name it with --data.")
        if self.prompt is not None and self.prompt == self.response:
            raise ValueError(f"--prompt-column and --response-column are both {self.prompt!r}; name two columns.")
        columns_in(self.columns)
        check_task(self.task, self.data, "--data")
        self.check_scale()
        changed(TINY_SFT, self.changes)

    def plan(self, run: Run) -> Plan:
        """One stage, which leaves `model/`; the loss on what is held out before and after it."""
        brought = self.brought
        policy, chosen = self.open_policy(self.changes.get("seed", 0), value_head=False)
        learn, held_out, account, _ = self._examples(brought, policy)
        use_threads(run.threads, policy)
        config = further(self._config(chosen), run.more)
        fit = sft.fit(policy, learn, config)
        account = account and _with_room(account, fit)
        loss = {"before": sft.loss_on(policy, held_out, config)}

        def train() -> Iterator[Step]:
            steps = sft.steps(policy, learn, config, checkpoint=run.checkpoint(), **self.often(50))
            yield from run.with_models(lambda folder: zoo.save_policy(policy, folder), self.save_every, config.total,
                                       run.checkpoint(), steps)
            loss["after"] = sft.loss_on(policy, held_out, config)
            zoo.save_policy(policy, run.at("model"))

        def result() -> dict[str, Any]:
            return {"job": "sft", "settings": described(self, config), "examples": len(learn),
                    "held_out": 0 if held_out == learn else len(held_out), "loss": loss,
                    "left_out": fit.left_out, "cut": fit.cut, "steps": len(run.history("sft")),
                    **({} if account is None else {"read": account.numbers()})}
        return Plan([Stage("sft", train, total=config.total, metrics=Metrics())], result,
                    notes=[*self.preset(chosen, config, self.changes), *written.news(brought, account),
                           *unread(policy.tokenizer, _texts(learn))])

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become, and counts of all; no weights are read. Raises: as `plan` does."""
        policy, chosen = self.outline_policy()
        learn, held_out, account, of = self._examples(self.brought, policy)
        config = self._config(chosen)
        fit = sft.fit(policy, learn, config)
        kind = Of(*of, lambda items: sft.as_read(policy, items, config), learn, held_out)
        return rows([kind], n, job="sft", model=self.model, tokenizer=policy.tokenizer,
                    generation=policy.lm.generation_config, limit=fit.limit,
                    account=account and _with_room(account, fit), notes=unread(policy.tokenizer, _texts(learn)))

    def _config(self, chosen: Chosen) -> sft.Config:
        return self.config_for(chosen, TINY_SFT if chosen.size == "tiny" else REAL_SFT, RATES, self.changes)

    @cached_property
    def brought(self) -> Brought | None:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        return None if self.data is None else bring(
            self.data, "examples", named(self.columns, prompt=self.prompt, response=self.response,
                                         text=None if self.text == "text" else self.text), OPTIONS,
            joined=self.template is None)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _examples(self, brought: Brought | None, policy: Policy
                  ) -> tuple[list, list, Account | None, tuple[list, list[int | None]]]:
        """To learn from and held out, what was understood, and both in the file's order with their lines."""
        if brought is None:
            task = world(self.task, self.lang)
            learn, held_out = task.corpus(6000), task.corpus(300, split="heldout")
            return learn, held_out, None, (learn, [None] * len(learn))
        found = written.examples(brought.items, policy.tokenizer, self.template, self.model)
        return *hold_out(found.items), found.told(brought.account), found.where(brought.lines)


def _texts(examples: list) -> list[str]:
    """Each as one text."""
    return [one if isinstance(one, str) else "".join(getattr(part, "text", part) for part in one) for one in examples]


def _with_room(account: Account, fit: sft.Fit) -> Account:
    """The account with what there was no room for."""
    notes = []
    if fit.left_out:
        notes.append(("read_no_token", {"left_out": fit.left_out, "n": fit.examples, "limit": fit.limit}))
    if fit.cut:
        notes.append(("read_cut_end", {"cut": fit.cut, "n": fit.examples, "limit": fit.limit}))
    return replace(account, notes=(*account.notes, *notes))
