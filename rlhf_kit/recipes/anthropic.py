"""Anthropic's assistant: a prompt distilled, two sets of comparisons, one preference model, PPO; and again online.

    1. distil    the base learns to answer without the HHH prompt as behind it           base → distilled
    2. votes     a judge first learns from a forum's votes, each answer under GOOD and BAD (PMP)   base → pmp
    3. labels    of two answers the more helpful one; to a red team's the more harmful one, turned round
    4. first     a preference model of these                                             pmp → first
    5. sampled   of two answers, each the best of 16 by that model, the more helpful one
    6. reward    the preference model of all comparisons, from scratch                   pmp → reward model
    7. requests  the base reads lists of people's requests and writes more
    8. ppo       the distilled model pleases it, on people's prompts and its own         distilled → policy
    … several snapshots of the policy answer and are compared; 6 and 8 again, from scratch, on all data

Source: Bai et al. 2022, arXiv:2204.05862; 1 and 2 Askell et al. 2021, arXiv:2112.00861.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from rlhf_kit import rewards
from rlhf_kit.evaluate import Estimate, Evaluation, evaluate, mean
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison, Step
from rlhf_kit.loops.batches import seed_for
from rlhf_kit.loops.mixing import mixed
from rlhf_kit.methods import collecting, distil, ppo, reward_model, self_instruct
from rlhf_kit.models.adapters import LoRA
from rlhf_kit.models.chats import first_turn
from rlhf_kit.models.heads import Policy, RewardModel
from rlhf_kit.models.text import prompt_rows
from rlhf_kit.recipes.learners import updates
from rlhf_kit.sampling import Sampling, sample_rollout

Team = Literal["helpful", "red_team"]       # who writes prompts: people who want help, people who want to see harm done
Pairs = list[tuple[str, str]]
AT_ONCE = 128                               # answers drawn together
# What is reported of one team's prompts alone; everything else is of both.
OF_TEAM: dict[str, Team] = {"helpful": "helpful", "balked": "helpful", "invented": "helpful", "harmless": "red_team",
                            "explained": "red_team"}


class Requests(NamedTuple):
    """How a model is asked for more requests."""

    seeds: list[str]                        # of people, one line each
    write: Callable[[Sequence[str]], str]   # a list of them, up to where the next one begins
    keep: Callable[[str], bool]             # whether a new one is a request
    asked: Callable[[str], str]             # as a prompt


class Data(Protocol):
    """What the recipe asks of its data: of the assistant's world, or of somebody's folder."""

    @property
    def asks(self) -> bool:
        """True if there is somebody to compare new answers."""

    @property
    def mark(self) -> str | None:
        """The word behind which an answer begins in every prompt; None if there is none."""

    @property
    def marks(self) -> Sequence[str] | None:
        """What turns of the user and of the assistant begin with; None where a template ends them."""

    def behind(self, prompt: str) -> str:
        """What the teacher reads in place of a prompt: the HHH prompt above it."""

    def pretraining(self, n: int) -> list[str]: ...

    def votes(self, n: int) -> list[Comparison]:
        """n pairs of votes as a base that has read rated texts learns from them: `recast.binarised`."""

    def prompts_of(self, team: Team, n: int, split: str = "train", purpose: str = "ppo") -> list[str]: ...

    def compare(self, team: Team, purpose: str) -> collecting.Compare:
        """Somebody who says of two answers which is better; of a red team's, which does less harm."""

    def compared(self, team: Team, n: int, split: str = "train") -> list[Comparison]:
        """What somebody brought, where nobody can be asked."""

    def requests(self) -> Requests | None:
        """What self-instruction begins with; None where there are too few."""

    def measured(self) -> Mapping[str, rewards.Reward]:
        """What is reported and never optimised."""

    def taxed(self, policy: Policy) -> Mapping[str, Estimate]:
        """What a policy can do on tasks that nothing here is about."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """All settings of a run at one scale."""

    base: str                               # a tiny model's name, a folder, or a hub id
    data: str | None = None                 # where comparisons come from if nobody says; None = the made-up world
    answered: int                           # prompts that the prompted base answers, to be distilled,
    pretraining: int                        # and texts that it reads behind its prompt
    distil: distil.Config
    votes: int                              # pairs, each of which PMP makes two of
    pmp: reward_model.Config
    helpful: int                            # comparisons of plain answers
    harmless: int
    sampled: int                            # comparisons of the best of k
    k: int = 16
    online: int                             # comparisons of each later round
    snapshots: int = 3                      # of the policy, which answer there in turns
    harmless_weight: float = 1.0            # λ: what a comparison of a red team's counts
    epochs: int = 1                         # of the preference model
    reward: reward_model.Config
    likelihood: float = 0.0                 # of a made-up world: reward per nat of an answer token's mean log-prob.
    prompts: int                            # of people, that PPO draws from
    requests: int                           # of the base's own writing
    red_team: float = 0.3                   # share of the red team's among people's prompts
    shots: int = 10
    lora: LoRA | None = None                # what learns is an adapter, which every stage merges; None = all weights
    merge_in: Literal["bfloat16", "float32"] = "float32"
    ppo: ppo.Config
    held_out: int                           # prompts of each team to be examined on
    held_out_pairs: int                     # comparisons of each team


PRESETS: dict[str, Preset] = {
    # A pair teaches a third of a million parameters little: which of two answers is likely tells them more of help, and
    # of harm nothing (of held-out pairs 88 % and 39 % are the likelier ones), so the judge hears that besides its head.
    "tiny": Preset(
        base="tiny-base-{lang}", answered=500, pretraining=100, votes=300, helpful=400, harmless=120, sampled=40,
        online=100, likelihood=4.0, prompts=900, requests=150, shots=4, held_out=100, held_out_pairs=80,
        distil=distil.Config(steps=120, batch_size=16, learning_rate=1e-3, max_length=384),
        pmp=reward_model.Config(batch_size=16, learning_rate=2e-4, warmup=5, max_length=256),
        reward=reward_model.Config(batch_size=16, learning_rate=5e-4, warmup=5, max_length=256),
        ppo=ppo.Config(steps=24, batch_size=48, minibatch_size=16, epochs=1, learning_rate=5e-4, warmup=4, lam=1.0,
                       value_coef=0.5, kl=KL(coefficient=0.01), sampling=Sampling(max_new_tokens=64),
                       missing_eos_penalty=1.0)),
    # Half a billion parameters on a free GPU of 16 GB: all weights learn. PMP learns at a tenth of the rate of
    # pretraining and the preference model at a hundredth, as theirs did (arXiv:2204.05862, appendix A).
    "colab": Preset(
        base="Qwen/Qwen2.5-0.5B", data="Anthropic/hh-rlhf", answered=2000, pretraining=0, votes=4000, helpful=8000,
        harmless=8000, sampled=0, online=0, prompts=4000, requests=2000, held_out=100, held_out_pairs=400,
        distil=distil.Config(steps=250, batch_size=32, learning_rate=1e-5, max_length=1024, micro_batch=2,
                             activation_checkpointing=True),
        pmp=reward_model.Config(batch_size=32, learning_rate=2e-5, warmup=20, max_length=512, micro_batch=4,
                                activation_checkpointing=True),
        reward=reward_model.Config(batch_size=32, learning_rate=9e-6, warmup=20, max_length=512, micro_batch=4,
                                   activation_checkpointing=True),
        ppo=ppo.Config(steps=150, batch_size=64, minibatch_size=16, epochs=1, learning_rate=3e-6, warmup=10,
                       kl=KL(coefficient=0.01), sampling=Sampling(max_new_tokens=128), missing_eos_penalty=1.0,
                       tokens_per_pass=2560, activation_checkpointing=True)),
    # One GPU of 80 GB; an adapter learns. λ of the KL is the paper's, and so is one update of each batch.
    "7b": Preset(
        base="Qwen/Qwen2.5-7B", data="Anthropic/hh-rlhf", answered=10_000, pretraining=0, votes=100_000,
        helpful=44_000, harmless=42_000, sampled=0, online=0, prompts=60_000, requests=60_000, held_out=300,
        held_out_pairs=2000, lora=LoRA(rank=16, alpha=32), merge_in="bfloat16",
        distil=distil.Config(steps=1000, batch_size=32, learning_rate=5e-5, max_length=2048, micro_batch=2,
                             activation_checkpointing=True, autocast="bfloat16"),
        pmp=reward_model.Config(batch_size=64, learning_rate=5e-5, warmup=50, max_length=1024, micro_batch=4,
                                activation_checkpointing=True, autocast="bfloat16"),
        reward=reward_model.Config(batch_size=64, learning_rate=3e-5, warmup=50, max_length=1024, micro_batch=4,
                                   activation_checkpointing=True, autocast="bfloat16"),
        ppo=ppo.Config(steps=800, batch_size=512, minibatch_size=64, epochs=1, learning_rate=3e-5, warmup=50,
                       kl=KL(coefficient=0.001), sampling=Sampling(max_new_tokens=128), missing_eos_penalty=1.0,
                       tokens_per_pass=8192, activation_checkpointing=True, autocast="bfloat16")),
}


# -- 1: the prompt becomes the model ----------------------------------------------------------------------------------

def answered(preset: Preset, data: Data, teacher: Policy, seed: int = 0) -> Pairs:
    """What the prompted base answers to as many prompts as it has room for; of a red team's their usual share.

    An answer ends where the next speaker begins. One that comes to no end says nothing of ends, and is left out.
    """
    wanted = {team: round(preset.answered * share) for team, share in _shares(preset).items()}
    prompts = [one for team, n in wanted.items() for one in data.prompts_of(team, n, purpose="distil")]
    prompts = with_room(teacher, prompts, data.behind, preset.ppo.sampling)
    found: Pairs = []
    for first in range(0, len(prompts), AT_ONCE):
        part = prompts[first:first + AT_ONCE]
        rollout = sample_rollout(teacher, [data.behind(one) for one in part], preset.ppo.sampling,
                                 seed_for(seed, "answered", first))
        for prompt, said, ended in zip(part, rollout.responses, rollout.ended.tolist(), strict=True):
            answer = first_turn(said, data.marks)
            if ended or answer != said or data.marks is None:
                found.append((prompt, answer))
    if not found and not preset.pretraining:
        raise ValueError(f"none of {len(prompts)} answers comes to an end within {preset.ppo.sampling.max_new_tokens} "
                         f"tokens, so there is nothing to distil. Raise --max-new-tokens.")
    return found


def with_room(teacher: Policy, prompts: Sequence[str], behind: Callable[[str], str], sampling: Sampling) -> list[str]:
    """The prompts that leave the prompted teacher room for an answer. Raises: ValueError if none does."""
    if teacher.context is None:
        return list(prompts)
    rows = prompt_rows(teacher.tokenizer, [behind(one) for one in prompts])
    room = teacher.context - sampling.max_new_tokens
    kept = [one for one, row in zip(prompts, rows, strict=True) if len(row) <= room]
    if not kept:
        raise ValueError(f"the model reads {teacher.context} tokens, and the shortest prompt behind the HHH prompt has "
                         f"{min(map(len, rows))}, with an answer of {sampling.max_new_tokens} to come. Shorten "
                         f"preamble.txt, or lower --max-new-tokens.")
    return kept


def distil_steps(preset: Preset, data: Data, policy: Policy, teacher: Policy, answers: Pairs,
                 checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 1: of those answers and of pretraining texts the student predicts every token as the prompted base does.

    Where answers were cut at the next speaker's mark, their end is learnt as it stands.
    """
    texts = [("", text) for text in data.pretraining(preset.pretraining)] if preset.pretraining else []
    yield from distil.steps(policy, teacher, [*answers, *texts], data.behind,
                            replace(preset.distil, closed=data.marks is not None), checkpoint=checkpoint)


# -- 2, 4 and 6: preference models ------------------------------------------------------------------------------------

def votes_steps(preset: Preset, model: RewardModel, votes: Sequence[Comparison],
                checkpoint: Path | None = None) -> Iterator[Step]:
    """Stage 2, PMP: each vote pair once, as two examples."""
    config = replace(preset.pmp, steps=updates(preset.pmp, len(votes), 1))
    yield from reward_model.steps(model, votes, config, checkpoint=checkpoint)


def reward_updates(preset: Preset, comparisons: int) -> int:
    """How many updates a preference model of so many comparisons takes."""
    return updates(preset.reward, comparisons, preset.epochs)


def reward_steps(preset: Preset, model: RewardModel, helpful: Sequence[Comparison], harmless: Sequence[Comparison],
                 checkpoint: Path | None = None) -> Iterator[Step]:
    """Stages 4 and 6: both sets at once; at the end the answers that were compared score 0 on average.

        L = L_helpful + λ · L_harmless
    """
    pairs = [*helpful, *harmless]
    config = replace(preset.reward, steps=reward_updates(preset, len(pairs)))
    weights = [1.0] * len(helpful) + [preset.harmless_weight] * len(harmless)
    yield from reward_model.steps(model, pairs, config, weights=None if preset.harmless_weight == 1 else weights,
                                  checkpoint=checkpoint)
    reward_model.centre(model, [(one.prompt, answer) for one in pairs for answer in (one.chosen, one.rejected)],
                        config.max_length)


# -- 3 and 5: comparisons ---------------------------------------------------------------------------------------------

# Prompts asked for one comparison: where two answers are alike or barely differ there is none, and two that both do no
# harm are the rule.
SPARE: dict[Team, float] = {"helpful": 2.0, "red_team": 5.0}


def collect(preset: Preset, data: Data, policies: Sequence[Policy], team: Team, n: int, purpose: str,
            split: str = "train", *, k: int = 1, judge: RewardModel | None = None, seed: int = 0) -> list[Comparison]:
    """Stages 3 and 5, and online: n comparisons of what these policies answer, or those that somebody brought.

    Of one's own making there may be fewer than n: as many as `SPARE` times n prompts give.
    """
    if not data.asks:
        return data.compared(team, n, split)
    if not n:
        return []
    config = collecting.Config(k=k, batch_size=max(AT_ONCE // (2 * k), 1), sampling=preset.ppo.sampling,
                               seed=seed_for(seed, purpose, team, split))
    found = collecting.comparisons(policies, data.prompts_of(team, round(n * SPARE[team]), split, purpose),
                                   data.compare(team, f"{purpose} {split}"), config,
                                   reward=None if judge is None else rewards.learned(judge))
    return list(islice(found, n))


# -- 7 and 8: PPO -----------------------------------------------------------------------------------------------------

def requested(preset: Preset, data: Data, writer: Policy, seed: int = 0) -> list[str]:
    """Stage 7: prompts whose requests the model wrote itself, as many as the preset wants; none without seeds."""
    how = data.requests()
    if how is None or not preset.requests:
        return []
    config = self_instruct.Config(shots=preset.shots, batch_size=AT_ONCE // 2, seed=seed)
    found = self_instruct.requests(writer, how.seeds, config, write=how.write, keep=how.keep)
    return [how.asked(one) for one in islice(found, preset.requests)]


def prompts(preset: Preset, data: Data, own: Sequence[str], seed: int = 0) -> list[str]:
    """What PPO answers: people's prompts, a red team's among them, and the model's own, each once."""
    sources = {name: one for name, one in {**people(preset, data), "own": list(own)}.items() if one}
    return mixed(sources, {name: len(one) for name, one in sources.items()}, sum(map(len, sources.values())),
                 seed).prompts


def people(preset: Preset, data: Data) -> dict[Team, list[str]]:
    """What people ask, of the red team its share."""
    return {team: data.prompts_of(team, round(preset.prompts * share)) for team, share in _shares(preset).items()}


def ppo_steps(preset: Preset, data: Data, policy: Policy, reference: Policy, judge: RewardModel,
              asked: Sequence[str], checkpoint: Path | None = None, *,
              test: RewardModel | None = None) -> Iterator[Step]:
    """Stage 8: PPO against the preference model. `test`, a model of other data, is reported and never pleased."""
    watched = dict(data.measured()) if test is None else {**data.measured(), "test_score": rewards.learned(test)}
    yield from ppo.steps(policy, reference, asked, rewards.learned(judge), preset.ppo, evaluation_rewards=watched,
                         checkpoint=checkpoint)


def kept_after(preset: Preset) -> list[int]:
    """The updates after which a policy that goes on to be compared is kept, the last one among them."""
    n = min(preset.snapshots, preset.ppo.steps)
    return [round(preset.ppo.steps * (i + 1) / n) for i in range(n)]


def _shares(preset: Preset) -> dict[Team, float]:
    return {"helpful": 1 - preset.red_team, "red_team": preset.red_team}


# -- what came of it --------------------------------------------------------------------------------------------------

def examined(preset: Preset, data: Data) -> dict[Team, list[str]]:
    """The held-out prompts of both teams."""
    return {team: data.prompts_of(team, preset.held_out, "heldout", "test") for team in ("helpful", "red_team")}


def examine(preset: Preset, data: Data, policy: Policy, reference: Policy, judge: RewardModel,
            asked: Mapping[Team, Sequence[str]], *, prompted: bool = False) -> Evaluation:
    """One answer to each prompt, the preference model's score of it, and what is measured besides.

    What `OF_TEAM` names is averaged over that team's prompts alone. With `prompted` the policy reads the HHH prompt. A
    base writes on in the name of the next speaker; of what anybody writes the first turn is judged.
    """
    plain = [one for part in asked.values() for one in part]
    shown = partial(first_turn, marks=data.marks)
    measures = {name: rewards.on_responses(one, shown)
                for name, one in {"score": rewards.learned(judge), **data.measured()}.items()}
    read = [data.behind(one) for one in plain] if prompted else plain
    if prompted:
        bare = dict(zip(read, plain, strict=True))
        measures = {name: rewards.on_prompts(one, bare) for name, one in measures.items()}
    seen = evaluate(policy, reference, read, measures, preset.ppo.sampling, preset.ppo.seed + 1)
    whose = [team for team, part in asked.items() for _ in part]
    apart = {name: mean([x for x, one in zip(seen.each[name], whose, strict=True) if one == OF_TEAM[name]], (0, 1))
             for name in seen.each if name in OF_TEAM}
    return replace(seen, prompts=tuple(plain), scores={**seen.scores, **apart})
