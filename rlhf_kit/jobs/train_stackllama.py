"""`rlhf-kit train stackllama`: questions and answers with votes become an assistant, stage by stage in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from transformers import PreTrainedTokenizerBase

from rlhf_kit import tasks, zoo
from rlhf_kit.datasets.stack_exchange.paired import HELD_OUT, Stack
from rlhf_kit.datasets.stack_exchange.threads import question_in, response_of
from rlhf_kit.evaluate import Evaluation, side_by_side, win_rate
from rlhf_kit.formulas.records import Comparison, Step, Turn
from rlhf_kit.jobs.recipe_runs import tiny_base
from rlhf_kit.jobs.settings import LOOKED_AT, changed, check_task, described, unread
from rlhf_kit.language import Lang
from rlhf_kit.loops.process_group import divided, joined
from rlhf_kit.models.chats import OWN, use_template, write, write_answers
from rlhf_kit.models.loading import context_of, load_tokenizer
from rlhf_kit.models.quantization import Quantization, check_machine
from rlhf_kit.models.shared import SharedBase
from rlhf_kit.recipes import stackllama
from rlhf_kit.recipes.stackllama import PRESETS, Preset, Questions, Voters
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run, Stage
from rlhf_kit.sampling import check_room
from rlhf_kit.scale.launching import check_processes
from rlhf_kit.storage import is_complete
from rlhf_kit.tasks.forum import Forum

STAGES = ("sft", "merge", "reward", "ppo", "evaluate")
IMPRESSED = 1.5                     # fence_bias of voters who take code for quality
FEWEST = 2                          # questions on either side of the split; fewer have no interval
SHOWN = 10                          # questions in the result


@dataclass(frozen=True, kw_only=True)
class StackLlamaJob(Job):
    """SFT, merge, reward model, PPO, merge: each an adapter on one base.

    A stage of TRL's that was killed begins again, PPO goes on from its checkpoint. Of several processes the main one
    writes, the others take part.
    """

    name: ClassVar[str] = "stackllama"
    files: ClassVar[tuple[str, ...]] = ("data",)
    several: ClassVar[bool] = True

    preset: str = "tiny"
    model: str | None = None                # another base: a folder or a hub id
    data: str | None = None                 # a dump, a folder or file of pairs, a data set on the hub; None = preset's
    task: str | None = None                 # forum-zh, or another made-up forum: my_task.py:Forum; None = forum-en
    template: Literal["own"] | None = None  # an instruct base is asked through its own chat template; None = as the
                                            # recipe writes: "Question: ... Answer:"
    quantize: Quantization | Literal["none", "preset"] = "preset"
    voters: Literal["fair", "fences"] = "fair"              # of the made-up forum: who votes there
    seed: int = 0
    device: str = "cpu"
    changes: dict[str, Any] = field(default_factory=dict)   # fields of `ppo.Config` that differ from the preset's

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise ValueError(f"--preset is {self.preset!r}; expected one of {', '.join(PRESETS)}.")
        check_task(self.task, self.data, "--data")
        if self.task not in (None, "forum-zh") and self.voters == "fences":
            raise ValueError("--voters belongs to the kit's own forum, and --task names another world. Leave one out.")
        if self.voters == "fences" and self.source is not None:
            raise ValueError("--voters belongs to the made-up forum, and --data names other questions. Leave one out.")
        base = self.model or PRESETS[self.preset].base
        if self.template is not None and (self.template != OWN or zoo.is_tiny(base)):
            raise ValueError(f"--template is {self.template!r}; expected own, with an instruct model that brings one "
                             f"itself: --model Qwen/Qwen2.5-0.5B-Instruct, for example.")
        if self.kind is not None:
            check_machine()
        self.settings()

    @property
    def kind(self) -> Quantization | None:
        """How the frozen bases are held."""
        return {"preset": PRESETS[self.preset].quantize, "none": None}.get(self.quantize, self.quantize)

    @property
    def lang(self) -> Lang:
        """Of the made-up forum."""
        return stackllama.forum_lang(self.task)

    @property
    def source(self) -> str | None:
        """Where people's questions come from; None for a made-up forum."""
        return None if self.task is not None else self.data or PRESETS[self.preset].data

    def settings(self) -> Preset:
        """The preset with everything that was changed."""
        preset, kind = stackllama.in_language(PRESETS[self.preset], self.lang), self.kind
        sft = replace(preset.sft, quantize=kind, seed=self.seed)
        reward = replace(preset.reward, quantize=kind if preset.reward.quantize else None, seed=self.seed)
        return replace(preset, base=self.model or preset.base, quantize=kind, sft=sft, reward=reward,
                       ppo=changed(preset.ppo, {"seed": self.seed, **self.changes}))

    def plan(self, run: Run) -> Plan:
        """Five parts: an adapter, merged, two more on it, merged and compared."""
        data = self.questions()
        if self.template is not None:
            base = self.settings().base
            tokenizer = load_tokenizer(base)
            use_template(tokenizer, self.template, base)
            data = Asked(data, tokenizer)
        return _Work(run, self.settings(), data, self).plan()

    def questions(self) -> Questions:
        """The made-up forum, another world with questions, or people's."""
        if self.task not in (None, "forum-zh"):
            found = tasks.find(self.task)
            if missing := [name for name in ("answered", "comparisons") if not hasattr(found, name)]:
                raise ValueError(f"the task {found.name} has no {' and no '.join(missing)}, from which StackLLaMA "
                                 f"learns. Add what is missing, or take it in rlhf-kit tour.")
            return found
        if self.source is None:
            return Forum(self.lang, fence_bias=IMPRESSED if self.voters == "fences" else 0.0)
        preset = PRESETS[self.preset]
        most = max(preset.answers, preset.pairs, preset.prompts) + round(preset.held_out / HELD_OUT)
        stack = Stack.read(self.source, seed=self.seed, limit=most)
        for split in ("train", "heldout"):              # before hours are spent on what could not be examined
            if len(stack.prompts(split)) < FEWEST:
                raise ValueError(f"{self.source} leaves one question in the split {split!r}; at least {FEWEST} are "
                                 f"needed. Give more questions.")
        return stack


class Asked:
    """The same questions, through a chat template: what is asked is a person's turn, an answer the assistant's."""

    def __init__(self, data: Questions, tokenizer: PreTrainedTokenizerBase) -> None:
        self.data, self.tokenizer = data, tokenizer
        self._plain: dict[Any, Any] = {}                # what was written -> what it was
        if hasattr(data, "gold"):                       # the recipe looks whether the truth is known
            self.gold = self._gold
        if hasattr(data, "bayes_accuracy"):
            self.bayes_accuracy = self._bayes_accuracy

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Up to where the answer begins."""
        return [self._asked(prompt) for prompt in self.data.prompts(split, n, seed)]

    def answered(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, str]]:
        """Prompts with answers, which whoever learns from them closes as the template does."""
        return [(self._asked(prompt), answer.strip()) for prompt, answer in self.data.answered(n, seed, split)]

    def comparisons(self, n: int, seed: int = 0, split: str = "train") -> list[Comparison]:
        """Pairs, each answer with the end of its turn."""
        return [self._compared(pair) for pair in self.data.comparisons(n, seed, split)]

    def read(self, prompt: str) -> str:
        """A prompt as a person reads it."""
        return f"{self._plain[prompt].strip()}\n"

    def _asked(self, prompt: str) -> str:
        written = write(self.tokenizer, (Turn("user", _question(prompt)),), asked=True)
        self._plain[written] = prompt
        return written

    def _compared(self, pair: Comparison) -> Comparison:
        answers = [(Turn("assistant", text.strip()),) for text in (pair.chosen, pair.rejected)]
        prompt, texts = write_answers(self.tokenizer, (Turn("user", _question(pair.prompt)),), answers)
        made = Comparison(prompt, *texts, pair.margin)
        self._plain[made] = pair
        return made

    def _gold(self, prompt: str, response: str) -> float:
        return self.data.gold(self._plain[prompt], response_of(response))

    def _bayes_accuracy(self, pairs: Sequence[Comparison]) -> float:
        return self.data.bayes_accuracy([self._plain[pair] for pair in pairs])


def _question(prompt: str) -> str:
    """Without the words that the recipe's own template puts around it."""
    try:
        return question_in(prompt).strip()
    except ValueError:
        return prompt.strip()


class _Work:
    """The stages of one run, in one folder."""

    def __init__(self, run: Run, preset: Preset, data: Questions, job: StackLlamaJob) -> None:
        self.run, self.at, self.preset, self.data, self.job = run, run.at, preset, data, job
        self.base = zoo.place(preset.base) if zoo.is_tiny(preset.base) else preset.base
        self.voters: Voters | None = None
        self.seen: dict[str, Evaluation] = {}

    def plan(self) -> Plan:
        """In the order of the paper."""
        preset, device = self.preset, self.job.device
        sft, reward, last = preset.sft.steps or 1, preset.reward.steps or 1, preset.ppo.steps
        return Plan([
            *tiny_base(self.preset.base, "sft", "base", self.check_room),
            Stage("sft", lambda: stackllama.sft(preset, self.data, self.base, self.at("sft_adapter"), device),
                  total=sft, leaves=("sft_adapter",)),
            *tiny_base(self.preset.base, "merge", "base", self.check_room),
            self.merge("merge", lambda: self.base, "sft_adapter", "sft"),
            Stage("reward_model",
                  lambda: stackllama.reward(preset, self.data, self.at("sft"), self.at("reward_adapter"), device),
                  total=reward, part="reward", needs=("sft",), leaves=("reward_adapter",), check=self.check_reward),
            Stage("ppo", self.ppo, total=last, needs=("reward_adapter", "sft"), leaves=("policy_adapter",),
                  check=self.check_ppo, metrics=Metrics()),
            *tiny_base(self.preset.base, "evaluate", "base", self.check_room),
            self.merge("evaluate", lambda: self.at("sft"), "policy_adapter", "policy"),
            Stage("evaluate", self.evaluate, total=4, needs=("policy_adapter", "reward_adapter", "sft"),
                  main_only=True)], self.result, notes=self.unread())

    def unread(self) -> list[tuple[str, dict[str, Any]]]:
        """What of people's questions and answers the base's tokenizer does not know; asked of a base that is there."""
        there = not zoo.is_tiny(self.preset.base) or is_complete(self.base)
        if self.job.source is None or not there:
            return []
        return unread(load_tokenizer(self.base), ["".join(pair) for pair in self.data.answered(LOOKED_AT)])

    def merge(self, part: str, base: Callable[[], str | Path], adapter: str, folder: str) -> Stage:
        """Base and adapter become one model."""
        def work() -> Iterator[Step]:
            stackllama.merged(self.preset, base(), self.at(adapter), self.at(folder))
            yield from ()
        return Stage("merge", work, total=1, part=part, needs=(adapter,), leaves=(folder,), main_only=True, silent=True)

    def ppo(self) -> Iterator[Step]:
        """The policy learns to please the reward model; resumed within."""
        shared, checkpoint = self.shared(), self.run.checkpoint()
        steps = stackllama.ppo_steps(self.preset, self.data, shared, checkpoint=checkpoint,
                                     accelerator=self.together())
        yield from self.run.with_snapshots(shared.policy, self.preset.ppo.steps, checkpoint, steps)
        if self.run.main:
            zoo.save_policy(shared.policy, self.at("policy_adapter"))

    def evaluate(self) -> Iterator[Event]:
        """Base, SFT and policy answer the same questions."""
        preset, data, seen, shared = self.preset, self.data, self.seen, self.shared()
        self.voters = stackllama.examine_reward(preset, data, shared)
        yield Event("evaluate", 1, 4)
        untrained = stackllama.base_alone(preset, self.base, self.job.device)
        seen["base"] = stackllama.examine(preset, data, untrained, shared.reference, shared)
        del untrained
        yield Event("evaluate", 2, 4)
        seen["sft"] = stackllama.examine(preset, data, shared.reference, shared.reference, shared)
        yield Event("evaluate", 3, 4)
        shared.load_policy(self.at("policy_adapter"))
        seen["ppo"] = stackllama.examine(preset, data, shared.policy, shared.reference, shared)

    def result(self) -> dict[str, Any]:
        """The three side by side, and how well the reward model agrees with votes."""
        before, after = self.seen["sft"], self.seen["ppo"]
        samples = side_by_side(before, after)[:SHOWN]
        if isinstance(self.data, Asked):
            samples = [{side: {**row, "prompt": self.data.read(row["prompt"])} for side, row in pair.items()}
                       for pair in samples]
        return {"job": "stackllama", "settings": described(self.job, self.preset.ppo), "base": self.preset.base,
                "quantize": self.preset.quantize, "reward_model": self.voters.numbers(),
                "policies": {name: x.numbers() for name, x in self.seen.items()},
                "win_rate": {name: asdict(win_rate(after.each[name], before.each[name]))
                             for name in before.each if name != "fenced"},
                "samples": samples}

    # -- before the first stage -----------------------------------------------------------------------------------

    def check_reward(self, processes: int) -> None:
        """Raises ValueError if there are not enough comparisons for one update."""
        config = self.preset.reward
        needed = config.batch_size * config.gradient_accumulation * processes
        if (found := len(self.data.comparisons(needed, config.seed))) < needed:
            raise ValueError(f"one update of the reward model takes {needed} comparisons ({config.batch_size} at a "
                             f"time, {config.gradient_accumulation} times, in {processes} processes), and there are "
                             f"{found}. Give more questions, or start fewer processes.")

    def check_ppo(self, processes: int) -> None:
        """Raises ValueError if the batches cannot be divided, or a question and its answer have no room."""
        config = self.preset.ppo
        for name in ("batch_size", "minibatch_size"):
            divided(name, getattr(config, name), processes)
        if not zoo.is_tiny(self.preset.base) or is_complete(self.base):
            self.check_room()

    def check_room(self) -> None:
        """Raises ValueError if the longest question and its answer exceed what the base reads."""
        questions = [*self.data.prompts("train", self.preset.prompts), *self.data.prompts("heldout",
                                                                                          self.preset.held_out)]
        reader = _Reader(load_tokenizer(self.base), context_of(self.base))
        check_room(reader, questions, self.preset.ppo.sampling)

    def together(self) -> Any:
        """The accelerator of this run's processes, which know each other; None if there is one."""
        accelerator = joined(self.job.device)
        check_processes(connected=None if accelerator is None else accelerator.num_processes)
        return accelerator

    def shared(self) -> SharedBase:
        return stackllama.shared_base(self.preset, self.data, self.at("sft"), self.at("reward_adapter"),
                                      self.job.device)


class _Reader(NamedTuple):
    """What `check_room` asks of a policy."""

    tokenizer: PreTrainedTokenizerBase
    context: int | None
