"""`rlhf-kit train anthropic`: a prompt distilled, two sets of comparisons, PMP, PPO, again online; in one folder."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.datasets.rankings import as_ranking
from rlhf_kit.evaluate import Agreement, Estimate, Evaluation, agreement, share_kept, side_by_side, win_rate
from rlhf_kit.formulas.records import Comparison, Step
from rlhf_kit.formulas.root_kl import root_kl_line
from rlhf_kit.jobs.helpful_harmless import Folder, World
from rlhf_kit.jobs.recipe_runs import JobInRounds, RecipeRun
from rlhf_kit.jobs.settings import described, use_threads
from rlhf_kit.language import say
from rlhf_kit.loops.checkpoints import steps_in
from rlhf_kit.models.heads import Policy
from rlhf_kit.plots import lines
from rlhf_kit.recipes import anthropic, learners
from rlhf_kit.recipes.anthropic import PRESETS, Data, Preset, Team
from rlhf_kit.recipes.learners import updates
from rlhf_kit.runs import pipeline, stages_report
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Metrics, Plan, Run, Stage
from rlhf_kit.runs.stages_report import Chart
from rlhf_kit.sampling import Sampling
from rlhf_kit.storage import new_folder, write_json_lines
from rlhf_kit.tasks.assistant import Assistant

SHOWN = 10                          # prompts in the result
POINTS = 8                          # of the picture of reward along √KL, each the mean of as many steps
TEAMS: tuple[Team, ...] = ("helpful", "red_team")
STRAIGHT = 0.5                      # of a run, in which reward against √KL should be a line (arXiv:2204.05862)


@dataclass(frozen=True, kw_only=True)
class AnthropicJob(JobInRounds):
    """Distillation, PMP, comparisons, preference model, PPO; with more rounds comparisons, model and PPO again."""

    name: ClassVar[str] = "anthropic"
    presets: ClassVar[Mapping[str, Preset]] = PRESETS

    harmless_weight: float | None = None    # λ; None = the preset's

    def check(self) -> None:
        if self.harmless_weight is not None and not 0 <= self.harmless_weight < float("inf"):
            raise ValueError(f"--harmless-weight is {self.harmless_weight}; it is a weight, 0 or more, such as 2.")
        super().check()

    def settings(self) -> Preset:
        preset, weight = PRESETS[self.preset], self.harmless_weight
        return replace(preset, harmless_weight=preset.harmless_weight if weight is None else weight,
                       **self.based(("distil", "pmp", "reward")))

    def plan(self, run: Run) -> Plan:
        """Read and check the data, and say in which stages the work is done."""
        preset = self.settings()
        if self.source is None:
            return _Work(run, preset, World(Assistant(self.lang), self.seed), self).plan()
        data = Folder.read(self.source, preset.base, self.template, self.lang)
        if not data.votes(1):
            data.notes.append(("anthropic_no_votes", {}))
        how = data.requests()
        if preset.requests and (how is None or len(how.seeds) < preset.shots):
            data.notes.append(("anthropic_no_requests", {"n": 0 if how is None else len(how.seeds),
                                                         "shots": preset.shots}))
            preset = replace(preset, requests=0)
        return _Work(run, preset, data, self).plan()


class _Work(RecipeRun):
    """The stages of one run, in one folder."""

    def __init__(self, run: Run, preset: Preset, data: Data, job: AnthropicJob) -> None:
        super().__init__(run, preset, job)
        self.data = data
        self.votes = data.votes(preset.votes)
        self.seen: dict[str, Evaluation] = {}
        self.taxed: dict[str, Mapping[str, Estimate]] = {}
        self.agreed: dict[str, dict[str, Agreement]] = {}

    def asked(self) -> tuple[list[str], Sampling]:
        preset, data = self.preset, self.data
        parts = (*anthropic.people(preset, data).values(), *anthropic.examined(preset, data).values())
        return [one for part in parts for one in part], preset.ppo.sampling

    def plan(self) -> Plan:
        """In the order of the paper; what a round needs is named by its number, the last one's has no number."""
        preset, asks = self.preset, self.data.asks
        judged_from = ("pmp",) if self.votes else ()
        stages = [*self.tiny_base("distil"), Stage("answer", work=self.answer, total=1, part="distil",
                                                   leaves=("answers",), check=self.check),
                  Stage("distil", work=self.distil, total=preset.distil.total, needs=("answers",),
                        leaves=("distilled",))]
        if self.votes:
            stages.append(Stage("pmp", work=self.pmp, total=updates(preset.pmp, len(self.votes), 1),
                                leaves=("pmp",)))
        if asks:
            stages.append(Stage("compared", work=self.label, total=1, part="labels", needs=("distilled",),
                                leaves=("labels",)))
        if asks and preset.sampled:
            n = preset.helpful + preset.harmless
            stages += [Stage("first_model", work=partial(self.reward, 0), part="first", needs=("labels", *judged_from),
                             total=anthropic.reward_updates(preset, n), leaves=("first_model",)),
                       Stage("sampled", work=self.sample, total=1, needs=("distilled", "first_model"),
                             leaves=("sampled",))]
        if preset.requests:
            stages.append(Stage("requests", work=self.request, total=1, leaves=("requests",)))
        for number in range(1, self.job.rounds + 1):
            part, last = "" if number == 1 else f"-{number}", number == self.job.rounds
            judge, policy = self.named("reward_model", number), self.named("policy", number)
            if number > 1:
                stages.append(Stage(f"compared{part}", work=partial(self.online, number), total=1, part=f"labels{part}",
                                    needs=self.snapshots(number - 1), leaves=(f"labels-{number}",)))
            stages.append(Stage(f"reward_model{part}", work=partial(self.reward, number), part=f"reward{part}",
                                needs=(*judged_from, *self.collected(number)), total=self.most_updates(number),
                                leaves=(judge,)))
            stages.append(Stage(f"ppo{part}", work=partial(self.ppo, number),
                                total=preset.ppo.steps, leaves=(policy, *(() if last else self.snapshots(number))),
                                needs=("distilled", judge, *(("requests",) if preset.requests else ())),
                                metrics=Metrics() if last else None))
        everything = ("distilled", *(self.named(name, n) for n in range(1, self.job.rounds + 1)
                                     for name in ("reward_model", "policy")))
        stages.append(Stage("evaluate", work=self.evaluate, total=self.job.rounds + 4, needs=everything))
        return Plan(stages, self.result, report=self.report, notes=self.data.notes)

    # -- the stages ---------------------------------------------------------------------------------------------------

    def answer(self) -> Iterator[Step]:
        """What the base says behind the HHH prompt."""
        pairs = anthropic.answered(self.preset, self.data, self.open(self.base), self.job.seed)
        self.keep_rows("answers", "answers", [{"prompt": prompt, "response": response} for prompt, response in pairs])
        yield from ()

    def distil(self) -> Iterator[Step]:
        student, teacher = self.learner(self.base), self.open(self.base)
        teacher.requires_grad_(False).eval()
        pairs = [(row["prompt"], row["response"]) for row in self.rows("answers", "answers")]
        yield from anthropic.distil_steps(self.preset, self.data, student, teacher, pairs,
                                          self.run.checkpoint("distil"))
        learners.keep(self.preset, student, self.base, self.at("distilled"))

    def pmp(self) -> Iterator[Step]:
        """The base with a head, which learns from votes."""
        model = learners.opened_judge(self.preset, self.base, self.data.mark, self.job.device, seed=self.job.seed)
        yield from anthropic.votes_steps(self.preset, model, self.votes, self.run.checkpoint("pmp"))
        learners.keep_judge(self.preset, model, self.base, self.at("pmp"))

    def label(self) -> Iterator[Step]:
        """Comparisons of plain answers by the distilled model, and some to be examined on."""
        writers = [self.open(self.at("distilled"))]
        for_teams = {"helpful": self.preset.helpful, "red_team": self.preset.harmless}
        self.compare("labels", "labels", writers, for_teams, dict.fromkeys(TEAMS, self.preset.held_out_pairs))
        yield from ()

    def sample(self) -> Iterator[Step]:
        """Comparisons of the best of k."""
        judge = zoo.load_reward_model(self.at("first_model"), device=self.job.device)
        self.compare("sampled", "sampled", [self.open(self.at("distilled"))], {"helpful": self.preset.sampled}, {},
                     k=self.preset.k, judge=judge)
        yield from ()

    def online(self, number: int) -> Iterator[Step]:
        """Comparisons of what several snapshots of the policy before answer."""
        writers = [self.open(self.at(name)) for name in self.snapshots(number - 1)]
        self.compare(f"labels-{number}", f"labels-{number}", writers, {"helpful": self.preset.online},
                     {"helpful": max(self.preset.held_out_pairs // 2, 2)})
        yield from ()

    def compare(self, folder: str, purpose: str, writers: Sequence[Policy], wanted: Mapping[Team, int],
                held_out: Mapping[Team, int], **how: Any) -> None:
        with new_folder(self.at(folder)) as unfinished:
            for split, numbers in (("train", wanted), ("heldout", held_out)):
                for team, n in numbers.items():
                    found = anthropic.collect(self.preset, self.data, writers, team, n, purpose, split,
                                              seed=self.job.seed, **how)
                    write_json_lines(unfinished / f"{team}-{split}.jsonl", [asdict(one) for one in found])

    def reward(self, number: int) -> Iterator[Step]:
        """A preference model of everything that was compared so far; with number 0 the first one, of plain answers."""
        source = self.at("pmp") if self.votes else self.base
        model = learners.opened_judge(self.preset, source, self.data.mark, self.job.device, seed=self.job.seed,
                                      new_head=not self.votes)
        steps = anthropic.reward_steps(self.preset, model, *(self.compared(team, number) for team in TEAMS),
                                       self.run.checkpoint(f"reward-{number}"))
        yield from steps
        learners.keep_judge(self.preset, model, source, self.at(
            self.named("reward_model", number) if number else "first_model"))

    def request(self) -> Iterator[Step]:
        """Prompts that the base writes, as people's before them."""
        found = anthropic.requested(self.preset, self.data, self.open(self.base), self.job.seed)
        self.keep_rows("requests", "requests", [{"prompt": one} for one in found])
        yield from ()

    def ppo(self, number: int) -> Iterator[Step]:
        """Each round begins at the distilled model; all but the last keep the policies that will be compared."""
        preset, last = self.preset, number == self.job.rounds
        policy = learners.actor(preset, self.open(self.at("distilled")), preset.ppo.seed)
        reference, checkpoint = policy.reference(), self.run.checkpoint(f"ppo-{number}")
        use_threads(self.run.threads, policy)
        own = [row["prompt"] for row in self.rows("requests", "requests")] if preset.requests else []
        asked = anthropic.prompts(preset, self.data, own, self.job.seed)
        steps = anthropic.ppo_steps(preset, self.data, policy, reference, self.judge(number), asked, checkpoint)
        if last:
            steps = self.run.with_snapshots(policy, preset.ppo.steps, checkpoint, steps)
        keep = {} if last else dict(zip(anthropic.kept_after(preset), self.snapshots(number), strict=True))
        behind = len(steps_in(checkpoint))
        for step in steps:
            if (taken := step.number + 1) in keep and taken >= behind:
                learners.keep(preset, policy, self.at("distilled"), self.at(keep[taken]))
            yield step
        learners.keep(preset, policy, self.at("distilled"), self.at(self.named("policy", number)))

    def evaluate(self) -> Iterator[Event]:
        """Every policy answers the same held-out prompts; the last preference model says what it thinks of each."""
        judge, reference = self.judge(self.job.rounds), self.open(self.at("distilled"))
        asked = anthropic.examined(self.preset, self.data)
        base = self.open(self.base)
        room = set(anthropic.with_room(base, [one for part in asked.values() for one in part], self.data.behind,
                                       self.preset.ppo.sampling))
        asked = {team: [one for one in part if one in room] for team, part in asked.items()}
        places = {"base": self.base, "prompted": self.base, "distilled": self.at("distilled"),
                  **{self.named("policy", n): self.at(self.named("policy", n)) for n in range(1, self.job.rounds + 1)}}
        for done, (name, place) in enumerate(places.items(), start=1):
            policy = self.open(place)
            self.seen[name] = anthropic.examine(self.preset, self.data, policy, reference, judge, asked,
                                                prompted=name == "prompted")
            if name != "prompted":
                self.taxed[name] = self.data.taxed(policy)
            yield Event("evaluate", done, len(places) + 1)
        for number in range(1, self.job.rounds + 1):
            score = rewards.learned(self.judge(number))
            self.agreed[self.named("reward_model", number)] = {
                kind: agreement(score, [as_ranking(one) for one in pairs])
                for kind, pairs in self.held_out(number).items() if len(pairs) > 1}
        yield Event("evaluate", len(places) + 1, len(places) + 1)

    # -- what comes of it ---------------------------------------------------------------------------------------------

    def result(self) -> dict[str, Any]:
        """All policies side by side, what the student kept, how well each preference model agrees, and √KL."""
        first, after = self.seen["distilled"], self.seen["policy"]
        kept = {name: share_kept(self.seen["base"].each[name], self.seen["prompted"].each[name], first.each[name])
                for name in first.each}
        numbers = range(1, self.job.rounds + 1)
        return {"job": "anthropic", "settings": described(self.job, self.preset.ppo), "base": self.preset.base,
                "votes": len(self.votes) // 2,
                "comparisons": [{team: len(self.compared(team, n)) for team in TEAMS} for n in numbers],
                "requests": len(self.rows("requests", "requests")) if self.preset.requests else 0,
                "policies": {name: one.numbers() for name, one in self.seen.items()},
                "tax": {name: {key: asdict(x) for key, x in one.items()} for name, one in self.taxed.items()},
                "kept": {name: None if one is None else asdict(one) for name, one in kept.items()},
                "reward_models": {name: {kind: one.numbers() for kind, one in found.items()}
                                  for name, found in self.agreed.items()},
                "root_kl": self.root_kl(),
                "win_rate": {name: asdict(win_rate(after.each[name], first.each[name])) for name in after.each},
                "samples": [row for team in (0, len(first.prompts) // 2)
                            for row in side_by_side(first, after)[team:team + SHOWN // 2]],
                "steps": self.preset.ppo.steps}

    def root_kl(self) -> dict[str, Any]:
        """Reward along √KL in the first half of the last PPO, and along the KL itself."""
        rows = [json.loads(line) for line in self.at(pipeline.METRICS).read_text(encoding="utf-8").splitlines()]
        kl, score = (torch.tensor([row[name] for row in rows]) for name in ("kl", "score"))
        half = max(round(len(rows) * STRAIGHT), 3)
        found: dict[str, Any] = {"kl": kl.tolist(), "score": score.tolist()}
        if len(rows) >= half and len(kl[:half].clamp(min=0).unique()) > 1:
            found |= asdict(root_kl_line(kl[:half], score[:half]))
        return found

    def report(self, result: Mapping[str, Any]) -> None:
        """The pictures, beside the result: those of every recipe, and reward along √KL."""
        lang, run = self.job.lang, result["root_kl"]
        along = _means(sorted(zip([max(x, 0.0) ** 0.5 for x in run["kl"]], run["score"], strict=True)))
        charts = [Chart("chart_root_kl", "note_root_kl", lambda drawn: lines(
            [x for x, _ in along], {say(drawn, "measure_score"): [y for _, y in along]},
            across=say(drawn, "root_kl_across"), unit=say(drawn, "measure_score")))]
        kept, lead = result["kept"].get("gold"), []
        if kept is not None:
            lead.append(say(lang, "anthropic_kept", share=kept["mean"], low=kept["low"], high=kept["high"]))
        if "r2" in run:
            lead.append(say(lang, "anthropic_root_kl", r2=run["r2"]))
        stages_report.write(self.at("report.html"), result, lang, first="distilled", lead=lead, charts=charts)

    # -- places -------------------------------------------------------------------------------------------------------

    def collected(self, number: int) -> tuple[str, ...]:
        """The folders with what was compared before the preference model of a round; 0: the first one."""
        if not self.data.asks:
            return ()
        sampled = ("sampled",) if number and self.preset.sampled else ()
        return ("labels", *sampled, *(f"labels-{n}" for n in range(2, number + 1)))

    def snapshots(self, number: int) -> tuple[str, ...]:
        """The folders of the policies of a round that answer in the next one."""
        return tuple(f"snapshots-{number}/step-{step:04}" for step in anthropic.kept_after(self.preset))

    def compared(self, team: Team, number: int) -> list[Comparison]:
        """Everything that the preference model of a round learns from."""
        if not self.data.asks:
            n = self.preset.helpful if team == "helpful" else self.preset.harmless
            return self.data.compared(team, n)
        return [one for folder in self.collected(number) for one in self.comparisons(folder, f"{team}-train")]

    def held_out(self, number: int) -> dict[str, list[Comparison]]:
        """What a preference model of a round is examined on, by the kind of comparison."""
        if not self.data.asks:
            return {team: self.data.compared(team, self.preset.held_out_pairs, "heldout") for team in TEAMS}
        found = {team: self.comparisons("labels", f"{team}-heldout") for team in TEAMS}
        return {**found, **{f"labels-{n}": self.comparisons(f"labels-{n}", "helpful-heldout")
                            for n in range(2, number + 1)}}

    def comparisons(self, folder: str, name: str) -> list[Comparison]:
        if not (self.at(folder) / f"{name}.jsonl").exists():        # nobody compared that for this team
            return []
        return [Comparison(**row) for row in self.rows(folder, name)]

    def most_updates(self, number: int) -> int:
        """How many updates a preference model takes if everything was compared that was to be."""
        preset = self.preset
        n = sum(len(self.compared(team, number)) for team in TEAMS) if not self.data.asks else (
            preset.helpful + preset.harmless + preset.sampled + preset.online * (number - 1))
        return anthropic.reward_updates(preset, n)

    def keep_rows(self, folder: str, name: str, rows: list[dict[str, Any]]) -> None:
        with new_folder(self.at(folder)) as unfinished:
            write_json_lines(unfinished / f"{name}.jsonl", rows)


def _means(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbours, `POINTS` of them or as many as there are."""
    each = max(len(points) // POINTS, 1)
    parts = [points[i:i + each] for i in range(0, len(points), each)]
    return [(statistics.fmean(x for x, _ in part), statistics.fmean(y for _, y in part)) for part in parts]
