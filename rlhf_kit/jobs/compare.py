"""`rlhf-kit compare`: two models answer the same prompts, and one judge says whose answers are better."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from rlhf_kit import zoo
from rlhf_kit.datasets.chats import readable
from rlhf_kit.datasets.door import OPTIONS, Account, Brought, bring, columns_in, dialogues, named
from rlhf_kit.evaluate import FEW, Evaluation, evaluate, head_to_head, mean, side_by_side
from rlhf_kit.formulas.records import Chat
from rlhf_kit.jobs import scores, written
from rlhf_kit.jobs.settings import SMALL, use_threads
from rlhf_kit.language import counted
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.places import ModelUnavailable
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs.lineage import began_with, model_of, run_of
from rlhf_kit.sampling import Sampling, check_room

Note = tuple[str, dict[str, Any]]

MOST = 256                          # prompts, drawn from the file
SHOWN = 10                          # of them in the result
FEWEST = 2                          # prompts; one has no interval


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which two models, asked what, judged by whom."""

    models: tuple[str, str]                 # tiny names, folders of models or of runs, hub ids
    prompts: str                            # a file, a folder of them, or a set on the hub
    column: str = "prompt"                  # its column, unless it is a .txt
    columns: str | None = None              # or "prompt=question,system=rules"
    template: str | None = None             # that conversations are written by; None = each model's own
    judge: str | None = None                # a classifier or a reward model; None and None: texts, lengths and KL
    label: str = "positive"                 # of a classifier: the output that is the score
    reward: str | None = None               # or a function: my_reward.py:reward
    reference: str | None = None            # what both KLs are measured from; None = what each was trained from
    limit: int = MOST
    max_new_tokens: int | None = None       # None = by the models' size
    temperature: float = 1.0
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.judge is not None and self.reward is not None:
            raise ValueError("both --judge and --reward are given; answers are compared by one score. Leave one out.")
        if self.judge is None and self.label != "positive":
            raise ValueError("--judge-class is an output of a classifier, and there is none. Name it with --judge.")
        if self.limit < FEWEST:
            raise ValueError(f"--limit is {self.limit}; at least {FEWEST} prompts are needed for an interval.")
        columns_in(self.columns)
        self.sampling(Sampling())

    def sampling(self, usual: Sampling) -> Sampling:
        """How answers are drawn. Raises: ValueError for what means nothing."""
        return replace(usual, temperature=self.temperature,
                       **({} if self.max_new_tokens is None else {"max_new_tokens": self.max_new_tokens}))

    @cached_property
    def brought(self) -> Brought:
        """What the file holds, read once. Raises: datasets.reading.FileError."""
        column = None if self.column == "prompt" else self.column
        return bring(self.prompts, "prompts", named(self.columns, prompt=column), OPTIONS)

    def result(self, threads: int | None = None) -> dict[str, Any]:
        """Let both answer and measure everything, as plain JSON values.

        With the same seed the same model gives the same answers, so that a model ties with itself.
        Raises: ValueError, OSError, one line, before the first answer.
        """
        brought = self.brought
        score = None if self.judge is None and self.reward is None else scores.asked(
            self.judge, self.reward, self.label, device=self.device, rows=brought.rows)
        policies = [zoo.load_policy(model_of(name), value_head=False, device=self.device) for name in self.models]
        for policy in policies:
            use_threads(threads, policy)
        small = all(parameters(policy) < SMALL for policy in policies)
        sampling = self.sampling((zoo.TINY_PPO if small else zoo.GPT2_PPO).sampling)
        asked, chats, notes, account = self._asked(brought, policies)
        for policy, prompts in zip(policies, zip(*asked.values(), strict=True), strict=True):
            check_room(policy, prompts, sampling)
        references, missing = self._references(policies)
        seen = []
        for side, (policy, reference) in enumerate(zip(policies, references, strict=True)):
            judged = {} if score is None else {
                "score": score if not chats[side] else scores.on_chats(score, chats[side], self.judge)}
            found = evaluate(policy, reference or policy, [both[side] for both in asked.values()], judged, sampling,
                             self.seed)
            seen.append(replace(found, prompts=tuple(map(_shown, asked))))
        models = [{"name": name, **_measures(one, reference is not None), "reference": told}
                  for name, one, reference, told in zip(self.models, seen, references, self._told(), strict=True)]
        return {"job": "compare", "prompts": len(asked), "judge": self.judge or self.reward, "read": account.numbers(),
                "sampling": asdict(sampling), "seed": self.seed, "models": models,
                **(head_to_head(*seen).numbers() if score else {"longer": asdict(_longer(*seen))}),
                "samples": [{"a": pair["before"], "b": pair["after"]} for pair in side_by_side(*seen)[:SHOWN]],
                "notes": [*notes, *missing, *_cut(seen, sampling), *([("few_examined", {"n": len(asked), "few": FEW})]
                                              if len(asked) < FEW else []),
                          *([] if score else [("compare_no_judge", {})])]}

    # -- what is asked -------------------------------------------------------------------------------------------------

    def _asked(self, brought: Brought, policies: Sequence[Policy]) -> tuple[
            dict[Any, tuple[str, str]], list[Mapping[str, Chat]], list[Note], Account]:
        """Each prompt as both models read it: {item: (text, text)}; and of each model which text was which chat."""
        items = dialogues(brought.items) if self.template is not None else list(brought.items)
        notes: list[Note] = []
        if len(items) > self.limit:
            notes.append(("compare_drawn", {"n": self.limit, "of": len(items)}))
            items = [items[i] for i in sorted(random.Random(self.seed).sample(range(len(items)), self.limit))]
        read = [written.prompts(items, policy.tokenizer, self.template, name)
                for policy, name in zip(policies, self.models, strict=True)]
        texts = [{**{text: text for text in one.items if text not in one.chats},
                  **{chat: text for text, chat in one.chats.items()}} for one in read]
        asked = {item: (texts[0][item], texts[1][item]) for item in dict.fromkeys(items)
                 if item in texts[0] and item in texts[1]}
        if len(asked) < FEWEST:
            raise ValueError(f"{self.prompts} has {counted(len(asked), 'prompt')} that both models can be asked; at "
                             f"least {FEWEST} are needed for an interval. Give more.")
        said = dict.fromkeys((key, tuple(values.items())) for one in read for key, values in one.notes)
        notes += [(key, dict(values)) for key, values in said]
        if len(asked) < len(set(items)):
            notes.append(("read_refused", {"n": len(set(items)) - len(asked)}))
        return asked, [one.chats for one in read], notes, brought.account

    # -- KL ------------------------------------------------------------------------------------------------------------

    def _told(self) -> list[str | None]:
        """What each model's KL is measured from, by name."""
        return [self.reference or (None if (run := run_of(model_of(name))) is None else began_with(run))
                for name in self.models]

    def _references(self, policies: Sequence[Policy]) -> tuple[list[Policy | None], list[Note]]:
        """A frozen model for each of both, None where there is none to measure from; and why."""
        found, notes, loaded = [], [], {}
        for name, policy, told in zip(self.models, policies, self._told(), strict=True):
            reference = None
            if told is None:
                notes.append(("compare_no_reference", {"model": name}))
            else:
                try:
                    if told not in loaded:
                        loaded[told] = zoo.load_policy(model_of(told), value_head=False, device=self.device).eval()
                    reference = loaded[told].requires_grad_(False)
                except ModelUnavailable:
                    if self.reference is not None:
                        raise
                    notes.append(("compare_lost_reference", {"model": name, "reference": told}))
            if reference is not None and reference.tokenizer.get_vocab() != policy.tokenizer.get_vocab():
                notes.append(("compare_other_tokens", {"model": name, "reference": told}))
                reference = None
            found.append(reference)
        return found, notes


def _measures(seen: Evaluation, measured: bool) -> dict[str, Any]:
    numbers = seen.numbers()
    characters = mean([float(len(response)) for response in seen.responses])
    return {**numbers, "kl": numbers["kl"] if measured else None, "characters": asdict(characters)}


def _cut(seen: Sequence[Evaluation], sampling: Sampling) -> list[Note]:
    """A note if answers were cut off before they ended."""
    ended = min(one.eos_rate for one in seen)
    return [("answers_cut", {"share": 1 - ended, "limit": sampling.max_new_tokens})] if ended < 1 else []


def _longer(ours: Evaluation, theirs: Evaluation) -> Any:
    return mean([float(len(a) - len(b)) for a, b in zip(ours.responses, theirs.responses, strict=True)])


def _shown(item: Any) -> str:
    """A prompt for a person."""
    return f"{readable(item)}\n" if written.is_chat(item) else item
