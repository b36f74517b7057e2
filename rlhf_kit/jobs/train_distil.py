"""`rlhf-kit train distil`: a model and a prompt become a model that behaves as behind the prompt, without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, columns_in, named
from rlhf_kit.datasets.reading import read_text
from rlhf_kit.datasets.texts import hold_out
from rlhf_kit.evaluate import Evaluation, evaluate, share_kept, win_rate
from rlhf_kit.formulas.records import Chat, Step
from rlhf_kit.jobs import scores, written
from rlhf_kit.jobs.questions import examined, questions, samples
from rlhf_kit.jobs.rows import Of, Rows, rows
from rlhf_kit.jobs.scaling import Chosen, Rates, ScaledJob, further
from rlhf_kit.jobs.settings import changed, check_task, described, unread, use_threads, world
from rlhf_kit.language import Lang
from rlhf_kit.loops.fitting import Fit
from rlhf_kit.methods import distil
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.sampling import Sampling, check_room, generate
from rlhf_kit.storage import new_folder, write_json_lines
from rlhf_kit.tasks import room
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.corpus import preamble
from rlhf_kit.tasks.assistant.prompts import under

TINY_DISTIL = distil.Config(steps=300, batch_size=16, learning_rate=1e-3)
REAL_DISTIL = distil.Config(steps=500, batch_size=32, learning_rate=1e-5)
RATES = {"tiny": Rates(whole=1e-3, adapter=3e-3), "small": Rates(whole=1e-5, adapter=1e-4),
         "large": Rates(whole=2e-6, adapter=5e-5)}
ANSWERED, AT_ONCE = 1000, 32        # prompts that the teacher answers, at most; and at a time
HELD_OUT = 64                       # of its answers, to be examined on
ANSWERS = "answers"                 # the folder, and the file in it, with what the teacher wrote


@dataclass(frozen=True)
class Material:
    """What is learned from and examined on, as the student reads it."""

    learn: list[Any]                            # pairs and texts, or prompts that the teacher will answer
    kept_out: list[Any]
    prompts: list[str]                          # answered before and after
    watch: dict[str, rewards.Reward]            # what is known of the truth
    chats: Mapping[str, Chat]                   # of conversations: what the template wrote -> what it was
    account: Account | None
    of: tuple[Sequence[Any], Sequence[int | None]] = ((), ())   # both in the file's order, with their lines


@dataclass(frozen=True, kw_only=True)
class DistilJob(ScaledJob):
    """Distil a prompt into a model: on texts of yours, or on answers that the teacher writes behind the prompt."""

    name: ClassVar[str] = "distil"
    files: ClassVar[tuple[str, ...]] = ("preamble", "data", "prompts")

    model: str                              # a tiny model's name, a folder, or a hub id
    preamble: str | None = None             # a file with the prompt; None = that of the assistant's world
    teacher: str | None = None              # who reads the prompt; None = the model as it is now
    data: str | None = None                 # texts, prompts with responses, or conversations to be compared on;
    prompts: str | None = None              # or prompts alone, which the teacher answers; None and None = a world's
    columns: str | None = None              # of the file: "prompt=question,response=answer"
    template: str | None = None             # that conversations are written by; None = the model's own
    judge: str | None = None                # scores the answers before and after; nothing is learned from it
    label: str = "positive"
    reward: str | None = None               # or a function does: my_reward.py:reward
    max_new_tokens: int | None = None       # of an answer; None = 48, or what the world's answers take
    temperature: float = 1.0
    lang: Lang = "en"
    task: str | None = None                 # a made-up world: its name, or my_task.py:Weather
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)       # fields of `distil.Config` that differ

    def __post_init__(self) -> None:
        if self.judge is not None or self.reward is not None or self.label != "positive":
            scores.check_one(self.judge, self.reward, self.label)
        if self.data is not None and self.prompts is not None:
            raise ValueError("both --data and --prompts are given; a run compares on texts that are there, or on what "
                             "the teacher answers to prompts. Name one of them.")
        if self.columns is not None and self.data is None and self.prompts is None:
            raise ValueError("--columns are those of a file, and there is none. Name it with --data or --prompts.")
        columns_in(self.columns)
        check_task(self.task, self.data, "--data")
        check_task(self.task, self.prompts, "--prompts")
        if self.preamble is None and not (self.task or "").startswith("assistant"):
            raise ValueError("there is no --preamble, the file with the prompt that is to be distilled. Name one, or "
                             "--task assistant-en, which has a prompt of its own.")
        self.check_scale()
        Sampling(max_new_tokens=Sampling().max_new_tokens if self.max_new_tokens is None else self.max_new_tokens,
                 temperature=self.temperature)
        changed(TINY_DISTIL, self.changes)

    @property
    def sampling(self) -> Sampling:
        """Of every answer."""
        own = Sampling().max_new_tokens
        made_up = self.data is None and self.prompts is None
        length = self.max_new_tokens or (room(world(self.task, self.lang).name, own) if made_up else own)
        return Sampling(max_new_tokens=length, temperature=self.temperature)

    def claim(self) -> dict[str, Any]:
        """The file of the reward function belongs to it."""
        return scores.belongs(super().claim(), self.reward)

    def plan(self, run: Run) -> Plan:
        """Up to three stages: the teacher answers, the student learns, and both are asked the same questions."""
        score = None if self.judge is None and self.reward is None else scores.asked(
            self.judge, self.reward, self.label, device=self.device)
        text = self._preamble_text()
        policy, chosen = self.open_policy(self.changes.get("seed", 0), value_head=False)
        use_threads(run.threads, policy)
        teacher = self.open_reference(policy, self.teacher, "--teacher")
        material = self._material(policy)
        asks = written.behind(policy.tokenizer, text, material.chats)
        config = further(self._config(chosen), run.more)
        given = self.data is not None
        fit = distil.fit(policy, teacher, material.learn, asks, config) if given else None
        material, no_room = self._with_room(material, teacher, asks)
        if score is not None and material.chats:
            score = scores.on_chats(score, material.chats, self.judge)
        measured = {**({} if score is None else {"score": score}), **material.watch}
        behind = {name: rewards.on_prompts(one, {asks(prompt): prompt for prompt in material.prompts})
                  for name, one in measured.items()}
        seen: dict[str, Evaluation] = {}
        loss: dict[str, dict[str, float]] = {}
        if material.prompts:                            # a reward that fails does so before anything is written
            seen["before"] = self._look(policy, teacher, material.prompts, measured, config)

        def answer() -> Iterator[Step | Event]:
            yield from self._answers(run, teacher, asks, material, config.seed)

        def train() -> Iterator[Step]:
            learn, kept_out = (material.learn, material.kept_out) if given else _read_answers(run)
            loss["before"] = distil.loss_on(policy, teacher, kept_out, asks, config)
            steps = distil.steps(policy, teacher, learn, asks, config, checkpoint=run.checkpoint(), **self.often(50))
            yield from run.with_snapshots(policy, config.total, run.checkpoint(), steps, self.save_every)
            loss["after"] = distil.loss_on(policy, teacher, kept_out, asks, config)
            zoo.save_policy(policy, run.at("policy"))

        def examine() -> Iterator[Step]:
            if material.prompts:
                seen["teacher"] = self._look(teacher, teacher, [asks(one) for one in material.prompts], behind, config)
                seen["after"] = self._look(policy, teacher, material.prompts, measured, config)
            yield from ()

        def result() -> dict[str, Any]:
            return {"job": "distil", "settings": described(self, config), "examples": len(material.learn),
                    "held_out": len(material.kept_out), "preamble_tokens": len(policy.tokenizer(
                        text, add_special_tokens=False).input_ids), "loss": loss,
                    "left_out": no_room + (fit.left_out if given else 0), "cut": fit.cut if given else 0,
                    **_compared(seen, measured, material),
                    "steps": len(run.history("distil")),
                    **({} if material.account is None else {"read": material.account.numbers()})}
        stages = [*([] if given else [Stage("answer", answer, total=len(material.learn) + len(material.kept_out),
                                            leaves=(ANSWERS,))]),
                  Stage("distil", train, total=config.total, metrics=Metrics()), Stage("evaluate", examine)]
        notes = [("distil_no_room", {"n": no_room})] if no_room else []
        if given:
            notes += _cut(fit, len(material.learn))
        return Plan(stages, result, notes=[*self.preset(chosen, config, self.changes), *notes, *written.news(
            self.brought, material.account), *unread(policy.tokenizer, [text, *map(_text_of, material.learn)])])

    def rows(self, n: int) -> Rows:
        """What the first `n` rows become for student and teacher, and counts of all; no weights are read.

        Of prompts, which the teacher will answer, the student's side. Raises: as `plan` does.
        """
        text = self._preamble_text()
        policy, chosen = self.outline_policy()
        teacher = policy if self.teacher is None else Policy(*zoo.outline(self.teacher), value_head=False)
        material, config = self._material(policy), self._config(chosen)
        asks = written.behind(policy.tokenizer, text, material.chats)
        more = {"job": "distil", "model": self.model, "tokenizer": policy.tokenizer, "account": material.account,
                "generation": policy.lm.generation_config}
        if self.data is None:
            kind = Of(*material.of, lambda items: distil.prompts_as_read(teacher, items, asks,
                                                                         self.sampling.max_new_tokens),
                      material.learn, material.kept_out)
            return rows([kind], n, limit=policy.context, max_new_tokens=self.sampling.max_new_tokens, **more)
        fit = distil.fit(policy, teacher, material.learn, asks, config)
        kind = Of(*material.of, lambda items: distil.as_read(policy, teacher, items, asks, config), material.learn,
                  material.kept_out)
        return rows([kind], n, limit=fit.limit, notes=[*_cut(fit, len(material.learn)), *unread(
            policy.tokenizer, [text, *map(_text_of, material.learn)])], **more)

    def _config(self, chosen: Chosen) -> distil.Config:
        return self.config_for(chosen, TINY_DISTIL if chosen.size == "tiny" else REAL_DISTIL, RATES, self.changes)

    @cached_property
    def brought(self) -> Brought | None:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        if self.data is None and self.prompts is None:
            return None
        kind = "examples" if self.prompts is None else "prompts"
        return bring(self.data or self.prompts, kind, named(self.columns), OPTIONS, joined=self.template is None)

    def understood(self) -> Account | None:
        return None if self.brought is None else self.brought.account

    def _preamble_text(self) -> str:
        """The prompt that is distilled. Raises: FileError, ValueError."""
        if self.preamble is not None:
            return read_text(self.preamble) + "\n\n"
        known = world(self.task, self.lang)
        if not isinstance(known, Assistant):
            raise ValueError(f"--task {self.task} has no prompt of its own. Name a file with one: --preamble FILE.")
        return under(preamble(known), "")

    def _material(self, policy: Policy) -> Material:
        """Of a file a part is kept out; a made-up world keeps its own, and knows the truth. Raises: CannotWrite."""
        if self.data is None:
            asked = questions(self.brought, self.task, self.lang, policy, self.template, self.model)
            return Material(asked.learn[:ANSWERED], asked.held_out[:HELD_OUT], asked.held_out, asked.watch, asked.chats,
                            asked.account, asked.of)
        items, lines = self.brought.items, self.brought.lines       # all texts, or none
        found = written.Written(items, places=range(len(items))) if isinstance(items[0], str) else written.answered(
            items, policy.tokenizer, self.template, self.model)
        learn, kept_out = hold_out(found.items)
        prompts = examined(list(dict.fromkeys(one[0] for one in kept_out if not isinstance(one, str))))
        return Material(learn, kept_out, prompts, {}, found.chats, found.told(self.brought.account), found.where(lines))

    def _with_room(self, material: Material, teacher: Policy,
                   asks: Callable[[str], str]) -> tuple[Material, int]:
        """Without the prompts that leave the teacher no room for an answer, and how many these are. Raises: ValueError
        if none is left."""
        answered = material.prompts if self.data is not None else [*material.learn, *material.kept_out]
        if teacher.context is None or not answered:
            return material, 0
        every = list(dict.fromkeys([*answered, *material.prompts]))
        rows = prompt_rows(teacher.tokenizer, [asks(prompt) for prompt in every])
        fits = {prompt for prompt, row in zip(every, rows, strict=True)
                if len(row) + self.sampling.max_new_tokens <= teacher.context}
        prompts = [prompt for prompt in material.prompts if prompt in fits]
        if not prompts:
            check_room(teacher, [asks(prompt) for prompt in material.prompts], self.sampling)
        if self.data is not None:
            return replace(material, prompts=examined(prompts)), len(material.prompts) - len(prompts)
        learn, kept_out = ([one for one in side if one in fits] for side in (material.learn, material.kept_out))
        if not learn or not kept_out:
            check_room(teacher, [asks(prompt) for prompt in answered], self.sampling)
        return replace(material, learn=learn, kept_out=kept_out, prompts=examined(prompts)), len(every) - len(fits)

    def _look(self, at: Policy, teacher: Policy, prompts: Sequence[str], measured: Mapping[str, rewards.Reward],
              config: distil.Config) -> Evaluation:
        return evaluate(at, teacher, prompts, measured, self.sampling, config.seed + 1)

    def _answers(self, run: Run, teacher: Policy, asks: Callable[[str], str], material: Material,
                 seed: int) -> Iterator[Event]:
        """What the teacher says behind its prompt to every question, once; a stopped run begins them anew."""
        asked, rows = [*material.learn, *material.kept_out], []
        for start in range(0, len(asked), AT_ONCE):
            batch = asked[start:start + AT_ONCE]
            said = generate(teacher, [asks(prompt) for prompt in batch], self.sampling, seed=seed + start)
            rows += [{"prompt": prompt, "response": response, "learn": start + i < len(material.learn)}
                     for i, (prompt, response) in enumerate(zip(batch, said, strict=True))]
            yield Event("answer", len(rows), len(asked))
        with new_folder(run.at(ANSWERS)) as unfinished:
            write_json_lines(unfinished / f"{ANSWERS}.jsonl", rows)


def _read_answers(run: Run) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What the teacher wrote: to learn from, and kept out."""
    lines = (run.at(ANSWERS) / f"{ANSWERS}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple([(row["prompt"], row["response"]) for row in rows if row["learn"] == side] for side in (True, False))


def _compared(seen: Mapping[str, Evaluation], measured: Mapping[str, rewards.Reward],
              material: Material) -> dict[str, Any]:
    """The student before and after, its teacher, and how much of the difference the student keeps."""
    if not seen:
        return {"before": None, "teacher": None, "after": None, "kept": {}, "win_rate": {}, "samples": []}
    before, teacher, after = (seen[name] for name in ("before", "teacher", "after"))
    kept = {name: share_kept(before.each[name], teacher.each[name], after.each[name]) for name in measured}
    shown = [{**pair, "teacher": response} for pair, response in zip(samples(before, after, material.chats),
                                                                     teacher.responses, strict=False)]
    return {**{name: one.numbers() for name, one in seen.items()},
            "kept": {name: None if one is None else asdict(one) for name, one in kept.items()},
            "win_rate": {name: asdict(win_rate(after.each[name], before.each[name])) for name in measured},
            "samples": shown}


def _cut(fit: Fit, n: int) -> list[written.NOTE]:
    """What there is no room for, of so many texts."""
    if not fit.left_out and not fit.cut:
        return []
    return [("distil_cut", {"left_out": fit.left_out, "cut": fit.cut, "n": n, "limit": fit.limit})]


def _text_of(example: str | tuple[str, str]) -> str:
    return example if isinstance(example, str) else "".join(example)
