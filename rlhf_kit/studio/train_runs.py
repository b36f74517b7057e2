"""What a training in the studio learns from, and the command that it is: people's lists, a reward model, PPO."""

from __future__ import annotations

import json

from rlhf_kit.datasets.reading import same_text
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.labels.records import language_of
from rlhf_kit.language import Lang
from rlhf_kit.studio.trainings import JobError, Look
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import REVIEWS, World

FEWEST = 12                         # lists with a decided pair to learn from
HELD_OUT = 3                        # of them at least are examined on, a fifth where that is more
RM_STEPS, PPO_STEPS = 60, 30
BETA = {"en": 0.05, "zh": 0.08}     # lower, and who likes short answers gets many that are empty
CENTRING = 0.1                      # else a dozen lists make scores of ±8, where σ is flat and PPO sees no difference
MOST_STEPS = 200
MINE, ALL = "mine", "all"
RANKINGS = "rankings.jsonl"


def lists(workspace: Workspace, lang: Lang, by: str | None = None, question: str | None = None) -> list[Ranking]:
    """The rankings to learn from, everybody's or one person's: of that language, with a decided pair.

    Blank responses are left out, and what occurs twice in a list counts once: no text is better than itself.
    """
    found = (_cleaned(one) for one in workspace.labels.rankings(by, question, split="train")
             if language_of(one.prompt) == lang)
    return [one for one in found if len(set(one.ranks)) > 1]


def questions(workspace: Workspace) -> list[str]:
    """What has been asked, "" where only one thing is."""
    return sorted({said.question for said in workspace.labels.judgements(kinds=("rank", "vote"))}) or [""]


def _cleaned(one: Ranking) -> Ranking:
    kept: dict[str, tuple[str, int]] = {}
    for response, rank in zip(one.responses, one.ranks, strict=True):
        if response.strip():
            kept.setdefault(same_text(response), (response, rank))
    return Ranking(one.prompt, tuple(text for text, _ in kept.values()), tuple(rank for _, rank in kept.values()))


# -- what the buttons do

def start_reward_model(workspace: Workspace, lang: Lang, *, by: str, whose: str = ALL, question: str | None = None,
                       name: str = "", steps: int = RM_STEPS, seed: int = 0, anew: bool = False) -> str:
    """Put a reward model in the line; returns its name. What is ranked from now on does not change it.

    It starts from a language model and so has no opinion of its own: only what the rankings say makes it.
    Raises: JobError; LabelsError; StorageError.
    """
    found = lists(workspace, lang, by if whose == MINE else None, question)
    if len(found) < FEWEST:
        raise JobError("too_few", n=len(found), missing=FEWEST - len(found))
    name = _name(workspace, name, "rm")
    rows = "".join(json.dumps({"prompt": one.prompt, "responses": one.responses, "ranks": one.ranks},
                              ensure_ascii=False) + "\n" for one in found)
    workspace.jobs.start("reward_model", name, [
        "train", "reward-model", "--model", workspace.world.model("lm", lang), *workspace.world.options,
        "--rankings", f"jobs/{name}/{RANKINGS}",
        "--held-out", str(max(HELD_OUT, len(found) // 5)), "--steps", str(_whole(steps)), "--centring", f"{CENTRING:g}",
        "--seed", str(seed), "--lang", lang, "--device", "cpu"],
        steps=_whole(steps), by=by, anew=anew, files={RANKINGS: rows},
        about={"lang": lang, "lists": len(found), "whose": by if whose == MINE else ""})
    return name


def start_ppo(workspace: Workspace, lang: Lang, *, by: str, judge: str, name: str = "", beta: float | None = None,
              steps: int = PPO_STEPS, seed: int = 0, anew: bool = False, start: str = "") -> str:
    """Put a PPO run towards that judge in the line; returns its name. Raises: JobError; StorageError.

    Args:
        start: the policy to go on from, as `starts` offers it; drift is measured from it. "" = the language model.
    """
    beta = BETA[lang] if beta is None else beta
    if start not in dict(starts(workspace.jobs.all(), lang, workspace.world)).values():
        raise JobError("no_start")
    if judge not in dict(judges(workspace.jobs.all(), lang, workspace.world)).values():
        raise JobError("no_judge")
    if not isinstance(beta, int | float) or not 0 <= beta <= 10:
        raise JobError("bad_number")
    name = _name(workspace, name, "policy")
    workspace.jobs.start("ppo", name, [
        "train", "ppo", "--model", start or workspace.world.model("lm", lang), *workspace.world.options,
        "--judge", judge, "--kl", f"{beta:g}", "--steps",
        str(_whole(steps)), "--seed", str(seed), "--lang", lang, "--device", "cpu"],
        steps=_whole(steps), by=by, anew=anew,
        about={"lang": lang, "judge": judge, "beta": beta, **({"start": start} if start else {})})
    return name


def judges(looks: list[Look], lang: Lang, world: World = REVIEWS) -> list[tuple[str, str]]:
    """(label, what --judge is given): the reward models trained here, the newest first, then the ready ones."""
    ours = [look.job.name for look in looks
            if look.job.kind == "reward_model" and look.state == "done" and look.job.about.get("lang") == lang]
    words = Words(lang, "train")
    return [*((name, f"runs/{name}/model") for name in reversed(ours)),
            (words("ready_rm"), world.model("rm", lang)), (words("ready_judge"), world.model("judge", lang))]


def starts(looks: list[Look], lang: Lang, world: World = REVIEWS) -> list[tuple[str, str]]:
    """(label, what --model is given): the language model, and the policies trained here, the newest first."""
    ours = [look.job.name for look in looks
            if look.job.kind == "ppo" and look.state == "done" and look.job.about.get("lang") == lang]
    return [(world.model("lm", lang), ""), *((name, f"runs/{name}/policy") for name in reversed(ours))]


def _name(workspace: Workspace, name: str, stem: str) -> str:
    """The name as it was typed, or the next free one of that stem."""
    if name.strip():
        return name.strip()
    number, places = 1, (workspace.folder / "runs", workspace.folder / "jobs")
    while any((place / f"{stem}-{number}").exists() for place in places):
        number += 1
    return f"{stem}-{number}"


def _whole(steps: object) -> int:
    if not isinstance(steps, int | float) or not 1 <= steps <= MOST_STEPS:
        raise JobError("bad_number")
    return int(steps)
