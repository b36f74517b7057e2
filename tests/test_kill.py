"""Processes killed at any moment, full disks, damaged files: the same command ends with the same numbers, or one line.

Whatever is killed here is a real process, and the kill is SIGKILL. "The same numbers" are those of a run that was left
alone: every file byte for byte, but for the seconds that are in some.
"""

import json
import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from children import NO_SPACE, Run, Trouble, left_by, small_disk, strays

from rlhf_kit import cli, zoo
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import is_complete, load_tensors

KILLED = -9
SLOW = pytest.mark.slow
REWARD = """
from rlhf_kit.rewards import Normalised, length
pleasing = Normalised(length(40))                    # it remembers every score, so a resumed run must remember too
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory, policy, sentences) -> Path:
    """A model, texts, prompts, rankings, a reward and a file of reviews."""
    folder = tmp_path_factory.mktemp("material")
    zoo.save_policy(policy, folder / "model")
    (folder / "texts.txt").write_text("\n".join(sentences))
    (folder / "prompts.txt").write_text("\n".join(" ".join(text.split()[:4]) for text in sentences))
    (folder / "reward.py").write_text(REWARD)
    rng = random.Random(0)
    words = ["lamp", "kettle", "chair", "phone", "bag", "coat", "plate", "spoon", "screen", "box"]
    rows = [f"the {rng.choice(words)} and the {rng.choice(words)} I got number {i} {verdict},{i % 2}"
            for i, verdict in enumerate(["broke", "are lovely"] * 150)]
    (folder / "reviews.csv").write_text("review,label\n" + "\n".join(rows) + "\n")
    lists = ["\t".join(f"the {word} number {i} {verdict}" for verdict in ("is lovely", "is fine", "broke"))
             for i, word in enumerate(words * 4)]
    (folder / "lists.tsv").write_text("\n".join(lists) + "\n")
    labels = [{"prompt": f"the {word} number {i}", "completion": f" {verdict}.", "label": good}
              for i, word in enumerate(words * 4) for verdict, good in (("works", True), ("broke", False))]
    (folder / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)))
    return folder


class Scene:
    """Where one command is run again and again: its output folder, its cache, and what it must end with."""

    def __init__(self, base: Path, arguments: list[str]) -> None:
        self.base, self.arguments = base, arguments
        self.output, self.cache, self.logs = base / "output", base / "cache", base / "logs"

    def run(self, trouble: Trouble | None = None, *more: str) -> Run:
        return Run([*self.arguments, "--output", str(self.output), *more], self.logs, self.cache, trouble)

    def elsewhere(self, base: Path) -> "Scene":
        return Scene(base, self.arguments)

    def copied_to(self, base: Path) -> "Scene":
        shutil.copytree(self.base, base, dirs_exist_ok=True)
        return self.elsewhere(base)

    def finish(self) -> dict[str, object]:
        """Run to the end; what is left then, with nothing temporary beside it."""
        run = self.run()
        assert (run.wait(), run.err.read_text()) == (0, ""), run.said()
        assert strays(self.output, self.cache) == []
        return left_by(self.output, self.cache)

    def places(self, trouble: Trouble) -> Trouble:
        return replace(trouble, places=(str(self.output), str(self.cache)))

    @property
    def checkpoint(self) -> Path:
        return next((self.output / "checkpoints").rglob("checkpoint.safetensors"))


def assert_same(one: dict[str, object], other: dict[str, object]) -> None:
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def commands(material: Path) -> dict[str, list[str]]:
    tour = ["tour", "--lang", "en"]
    common = ["--model", str(material / "model"), "--lang", "en", "--device", "cpu", "--steps"]
    ranked = ["train", "reward-model", "--lang", "en", "--rankings", str(material / "lists.tsv"), "--steps", "60",
              "--batch-size", "4"]
    return {
        "tour": tour,
        "reviews": [*tour, "--reviews", str(material / "reviews.csv"), "--text-column", "review"],
        "sft": ["train", "sft", *common, "60", "--data", str(material / "texts.txt"), "--batch-size", "4"],
        "ppo": ["train", "ppo", *common, "24", "--prompts", str(material / "prompts.txt"), "--reward",
                f"{material / 'reward.py'}:pleasing", "--batch-size", "8", "--minibatch-size", "4", "--epochs", "1",
                "--max-new-tokens", "8"],
        "grpo": ["train", "grpo", *common, "24", "--prompts", str(material / "prompts.txt"), "--reward",
                 f"{material / 'reward.py'}:pleasing", "--batch-size", "8", "--group-size", "4", "--max-new-tokens",
                 "8"],
        **{name: ["train", name, *common, "60", "--data", str(material / "labels.jsonl"), "--batch-size", "4",
                  "--max-new-tokens", "8"] for name in ("dpo", "kto")},
        "ranked": [*ranked, "--example", "the lamp broke"],
        "pretrained": [*ranked, "--pretrain", str(material / "reviews.csv"), "--text-column", "review"],
    }


@pytest.fixture(scope="module")
def alone(material, tmp_path_factory):
    """A run of the command that was left alone, made once, and what it left."""
    made = {}

    def whole(name: str) -> tuple[Scene, dict[str, object]]:
        if name not in made:
            scene = Scene(tmp_path_factory.mktemp(name), commands(material)[name])
            made[name] = scene, scene.finish()
        return made[name]

    return whole


@pytest.fixture(scope="module")
def halfway(alone, tmp_path_factory):
    """The same command, killed between its first and its second checkpoint."""
    made = {}

    def half(name: str) -> Scene:
        if name not in made:
            scene = alone(name)[0].elsewhere(tmp_path_factory.mktemp(f"half-{name}"))
            run = scene.run(Trouble(die_at_event={"sft": ("sft", 57), "ppo": ("ppo", 15)}[name]))
            assert run.wait() == KILLED, run.said()
            made[name] = scene
        return made[name]

    return half


# -- kills -------------------------------------------------------------------------------------------------------------

def event(stage: str, done: int) -> Trouble:
    return Trouble(die_at_event=(stage, done))


def in_save(number: int, half: bool = False) -> Trouble:
    return Trouble(die_in_save=number, half=half)


def after(named: str, number: int = 1) -> Trouble:
    return Trouble(die_after_replace=number, named=named)


def killed(scene: Scene, troubles: list[Trouble]) -> Counter:
    """Start the command again and again, each time into the next trouble; kills by stage, and those in a save."""
    kills = Counter()
    for trouble in troubles:
        run = scene.run(trouble)
        assert run.wait() == KILLED, (trouble, run.said())
        kills[run.events()[-1][0]] += 1
        kills["in a save"] += bool(trouble.die_in_save or trouble.die_after_replace)
    return kills


def test_ppo_killed_again_and_again_ends_with_the_same_numbers(alone, tmp_path):
    """Its reward has a memory. Saves are at steps 10, 20 and 24; then value head and language model are written."""
    scene, expected = alone("ppo")
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event("ppo", 7), in_save(1, half=True), after("checkpoint"), event("ppo", 23), in_save(2),
                           after("policy"), after("result.json")])
    assert kills == {"ppo": 7, "in a save": 5}
    assert_same(scene.finish(), expected)


def test_grpo_killed_again_and_again_ends_with_the_same_numbers(alone, tmp_path):
    """As PPO, with a reward that remembers; the language model alone is saved."""
    scene, expected = alone("grpo")
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event("grpo", 7), in_save(1, half=True), event("grpo", 23), after("policy")])
    assert kills == {"grpo": 4, "in a save": 2}
    assert_same(scene.finish(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_learning_from_judged_answers_killed_again_and_again_ends_with_the_same_numbers(alone, tmp_path, name):
    """Saves are at steps 50 and 60."""
    scene, expected = alone(name)
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event(name, 20), in_save(1), event(name, 59), in_save(2, half=True), after("policy"),
                           after("result.json")])
    assert kills == {name: 6, "in a save": 4}
    assert_same(scene.finish(), expected)


@pytest.mark.slow
def test_fine_tuning_killed_again_and_again_ends_with_the_same_numbers(alone, tmp_path):
    scene, expected = alone("sft")
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event("sft", 20), in_save(1), event("sft", 59), in_save(2, half=True), after("model"),
                           after("times.json"), after("result.json")])
    assert kills == {"sft": 7, "in a save": 5}
    assert_same(scene.finish(), expected)


@pytest.mark.slow
def test_a_reward_model_killed_again_and_again_ends_with_the_same_numbers(alone, tmp_path):
    """Saves are at steps 50 and 60; then the model is written, and the result."""
    scene, expected = alone("ranked")
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event("reward_model", 20), in_save(1), event("reward_model", 59), in_save(2, half=True),
                           event("examine", 0), after("model"), event("examine", 1), after("result.json")])
    assert kills == {"reward_model": 3, "examine": 5, "in a save": 4}
    assert_same(scene.finish(), expected)


@pytest.mark.slow
def test_a_pretrained_reward_model_killed_in_each_stage_ends_with_the_same_numbers(alone, tmp_path):
    """What it is examined on, and what it was pretrained on, is the same each time; so are the weights between."""
    scene, expected = alone("pretrained")
    scene = scene.elsewhere(tmp_path)
    kills = killed(scene, [event("pretrain", 30), in_save(1, half=True), event("pretrain", 57), after("checkpoint"),
                           event("reward_model", 0), event("reward_model", 30), in_save(1), event("reward_model", 57),
                           after("metrics.jsonl", 2), event("examine", 0), after("model")])
    assert kills == {"pretrain": 4, "reward_model": 5, "examine": 2, "in a save": 5}
    assert_same(scene.finish(), expected)


@SLOW
@pytest.mark.parametrize("name", ["tour", "reviews"])
def test_a_tour_killed_in_every_stage_ends_with_the_same_numbers(alone, tmp_path, name):
    """Models of the embedded tour are made in the cache and copied; those of a file's are made in its own folder."""
    scene, expected = alone(name)
    scene = scene.elsewhere(tmp_path)
    lm, judge = ("tiny-lm", "tiny-judge") if name == "tour" else ("language_model", "judge")
    second = [event("second_judge", 31), in_save(1, half=True), in_save(2), after("second_judge")]
    kills = killed(scene, [
        event("language_model", 20), in_save(1, half=True), in_save(1), after("checkpoint"), in_save(2, half=True),
        after(lm), event("judge", 0), in_save(1), event("judge", 55), in_save(2), after(judge),
        *(second if name == "reviews" else [after("judge")]),
        event("ppo", 3), after("metrics.jsonl", 5), in_save(1, half=True), event("ppo", 13), after("metrics.jsonl", 15),
        after("checkpoint"), event("ppo", 24), in_save(1), after("policy"),
        event("evaluate", 0), event("evaluate", 1), event("evaluate", 2), after("report.html"), after("result.json")])
    stages = ["language_model", "judge", "ppo", "evaluate", *(["second_judge"] if name == "reviews" else [])]
    assert all(kills[stage] >= 3 for stage in stages), kills
    assert kills["in a save"] >= 12
    assert_same(scene.finish(), expected)


@SLOW
@pytest.mark.parametrize("seed", [0, 1])
def test_a_tour_killed_from_outside_at_random_moments_ends_with_the_same_numbers(alone, tmp_path, seed):
    scene, expected = alone("reviews")
    scene, rng, kills = scene.elsewhere(tmp_path), random.Random(seed), 0
    for _ in range(12):
        run, patience = scene.run(), rng.randint(20, 75)            # of 213 events, those seen again included
        if run.wait_for(lambda run=run, patience=patience: len(run.events()) >= patience):
            time.sleep(rng.random() / 20)                           # anywhere in the midst of what comes next
        if run.kill() != KILLED:
            break
        kills += 1
    assert kills >= 2
    assert_same(scene.finish(), expected)


@SLOW
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "stride"), [("sft", 1), ("ppo", 1), ("reviews", 9)])
def test_killed_at_each_change_of_a_file_in_turn(alone, tmp_path, name, stride):
    """The first time at its first change, then, resumed, at its second, and so on until it gets through."""
    scene, expected = alone(name)
    scene = scene.elsewhere(tmp_path)
    for number in count(1, stride):
        run = scene.run(scene.places(Trouble(die_at_change=number)))
        if run.wait() != KILLED:
            break
    assert run.wait() == 0, run.said()
    assert number > 15
    assert_same(scene.finish(), expected)


@SLOW
def test_starting_anew_may_be_killed_at_any_change(alone, tmp_path):
    """What is left is an unfinished run's folder, which takes the same command again."""
    whole, _ = alone("sft")
    for number in count(1, 2):
        scene = whole.copied_to(tmp_path / str(number))
        run = scene.run(scene.places(Trouble(die_at_change=number, die_at_event=("sft", 0))), "--fresh")
        assert run.wait() == KILLED
        if run.events():
            break
        place = RunFolder(scene.output)
        place.check()
        assert is_complete(scene.output / "model") or not place.finished
        place.clear()
        assert not list(scene.output.glob("[!.]*"))                 # a hidden one goes when the next run begins
    assert number > 10


def test_two_at_once(alone, tmp_path):
    """The second is told so in one line; the first does not notice."""
    scene, expected = alone("ppo")
    scene = scene.elsewhere(tmp_path)
    first = scene.run()
    assert first.wait_for(lambda: len(first.events()) > 1)
    first.pause()
    assert "in use by another run" in scene.run().refusal()
    assert "in use by another run" in scene.run(None, "--fresh").refusal()
    first.go_on()
    assert first.wait() == 0, first.said()
    assert_same(scene.finish(), expected)


# -- full disks --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kind", "size"), [
    ("full_from", 12), ("largest", 100_000),                        # the latter stops what safetensors writes, too
    *(pytest.param("full_from", n, marks=SLOW) for n in (1, 2, 6, 9, 15, 18))])
def test_a_disk_that_fills_up_is_one_line_and_the_last_checkpoint_stays(alone, halfway, tmp_path, kind, size):
    scene, trouble = halfway("ppo").copied_to(tmp_path), Trouble(**{kind: size})
    line = scene.run(scene.places(trouble)).refusal()
    assert NO_SPACE[1] in line or "File too large" in line
    assert len(load_tensors(scene.checkpoint)[1]["history"]) >= 10
    assert_same(scene.finish(), alone("ppo")[1])


@SLOW
@pytest.mark.parametrize("name", ["sft", "ppo", "reviews", "tour"])
def test_a_really_full_disk_is_one_line_and_with_space_the_same_command_goes_on(alone, tmp_path, name):
    """Room for a little more each time, so that it is full in the midst of another file each time."""
    scene, expected = alone(name)
    try:
        with small_disk(tmp_path / "disk", 8_000_000) as disk:
            scene, refusals = scene.elsewhere(disk), []
            scene.logs = tmp_path / "logs"
            for room in range(0, 2_000_000, 50_000):
                (disk / "filler").write_bytes(b"x" * (8_000_000 - 40_960 - used(disk) - room))
                run = scene.run()
                if run.wait() == 0:
                    break
                refusals.append(run.refusal())
            (disk / "filler").unlink()
            assert len(refusals) >= 3
            assert all("No space left" in line for line in refusals), refusals
            assert_same(scene.finish(), expected)
    except PermissionError as error:
        pytest.skip(str(error))


def used(disk: Path) -> int:
    """Bytes on that disk, in whole pages, without the filler."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in disk.rglob("*") if path.name != "filler")


# -- damaged files -----------------------------------------------------------------------------------------------------

def damaged(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {"empty": b"", "cut": content[:middle], "zeroed": bytes(len(content)), "longer": content + b"x",
            "flipped": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1:],
            "another": b"[3]", "garbage": bytes(range(128, 256)) * 3}[how]


def refusal(scene: Scene, capsys) -> str:
    assert cli.main([*scene.arguments, "--output", str(scene.output)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("rlhf-kit: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    return err


@pytest.mark.parametrize("how", ["empty", "cut", "zeroed", "longer", "flipped", "garbage"])
def test_a_damaged_checkpoint_is_refused_and_stays(halfway, tmp_path, capsys, how):
    scene = halfway("ppo").copied_to(tmp_path)
    bad = damaged(scene.checkpoint.read_bytes(), how)
    scene.checkpoint.write_bytes(bad)
    assert "Delete it to start that part again" in refusal(scene, capsys)
    assert scene.checkpoint.read_bytes() == bad


def test_without_the_damaged_checkpoint_the_part_starts_again(alone, halfway, tmp_path):
    scene = halfway("ppo").copied_to(tmp_path)
    scene.checkpoint.unlink()
    assert_same(scene.finish(), alone("ppo")[1])


def test_a_checkpoint_of_another_run_is_refused(halfway, tmp_path, capsys):
    scene = halfway("ppo").copied_to(tmp_path)
    shutil.copy(halfway("sft").checkpoint, scene.checkpoint)
    assert "other settings" in refusal(scene, capsys)


@pytest.mark.parametrize(("name", "how"), [
    ("times.json", "cut"),
    *(pytest.param("times.json", how, marks=SLOW) for how in ("empty", "zeroed", "another", "garbage")),
    *(pytest.param("metrics.jsonl", how, marks=SLOW) for how in ("empty", "cut", "zeroed", "garbage"))])
def test_a_damaged_file_that_only_reports_is_written_anew(alone, halfway, tmp_path, name, how):
    scene = halfway("ppo").copied_to(tmp_path)
    (scene.output / name).write_bytes(damaged(b'{"ppo": {"cpu": 1.0, "wall": 2.0}}', how))
    assert_same(scene.finish(), alone("ppo")[1])


@pytest.mark.parametrize("how", ["empty", "cut", "zeroed", "flipped", "another", "garbage"])
@pytest.mark.parametrize("name", ["sft", pytest.param("tour", marks=SLOW)])
def test_damaged_settings_are_refused(alone, tmp_path, capsys, name, how):
    scene = alone(name)[0].copied_to(tmp_path)
    place = scene.output / "settings.json"
    place.write_bytes(damaged(place.read_bytes(), how))
    assert "start anew with --fresh" in refusal(scene, capsys)


@pytest.mark.parametrize("how", ["empty", "cut", "zeroed", "another", "garbage"])
def test_a_damaged_result_is_refused(alone, tmp_path, capsys, how):
    scene = alone("sft")[0].copied_to(tmp_path)
    place = scene.output / "result.json"
    place.write_bytes(damaged(place.read_bytes(), how))
    assert "Start anew with --fresh" in refusal(scene, capsys)


@pytest.mark.parametrize(("file", "how"), [
    ("model.safetensors", "cut"),
    *(pytest.param(file, how, marks=SLOW) for file in ("model.safetensors", "manifest.json", "config.json")
      for how in ("empty", "longer"))])
def test_a_damaged_model_is_made_again(alone, tmp_path, file, how):
    """Of a run that is not finished: from its checkpoint, without training again."""
    scene, expected = alone("sft")
    scene = scene.elsewhere(tmp_path)
    killed(scene, [after("times.json")])
    place = scene.output / "model" / file
    place.write_bytes(damaged(place.read_bytes(), how))
    assert_same(without_kept(scene.finish(), place), expected)


@SLOW
@pytest.mark.parametrize("stage", ["language_model", "judge", "second_judge", "policy"])
@pytest.mark.parametrize("file", ["model.safetensors", "manifest.json"])
def test_a_damaged_model_of_a_tour_is_made_again(alone, tmp_path, stage, file):
    scene, expected = alone("reviews")
    scene = scene.elsewhere(tmp_path)
    killed(scene, [event("evaluate", 1)])
    place = scene.output / stage / file
    place.write_bytes(damaged(place.read_bytes(), "cut"))
    assert_same(without_kept(scene.finish(), place), expected)


def without_kept(left: dict[str, object], place: Path) -> dict[str, object]:
    """A manifest that cannot be read does not say what is the kit's, so it is kept; nothing else differed, or it too
    would be."""
    kept = [name for name in left if name.endswith(".kept")]
    assert [Path(name).name for name in kept] == ["manifest.json.kept"] * (place.name == "manifest.json")
    return {name: content for name, content in left.items() if name not in kept}


@SLOW
def test_a_damaged_model_in_the_cache_is_made_again(alone, tmp_path):
    scene, expected = alone("tour")
    scene = scene.elsewhere(tmp_path)
    killed(scene, [event("judge", 20)])
    [model] = scene.cache.glob("tiny-lm-en-*/model.safetensors")
    model.write_bytes(damaged(model.read_bytes(), "cut"))
    shutil.rmtree(scene.output / "language_model")
    assert_same(scene.finish(), expected)


def test_what_a_watched_reward_remembers_is_in_the_checkpoint_too(policy, prompts, tmp_path):
    import copy

    from rlhf_kit.methods import ppo
    from rlhf_kit.rewards import Normalised, length
    from rlhf_kit.sampling import Sampling
    config = ppo.Config(steps=4, batch_size=8, minibatch_size=4, epochs=1, sampling=Sampling(max_new_tokens=4))

    def seen(steps: int, folder: Path) -> list[float]:
        learner = copy.deepcopy(policy).requires_grad_(True)
        stream = ppo.steps(learner, learner.reference(), prompts, Normalised(length(9)), config, checkpoint=folder,
                           checkpoint_every=2, evaluation_rewards={"other": Normalised(length(20))})
        return [step.metrics["other"] for _, step in zip(range(steps), stream, strict=False)]

    whole = seen(4, tmp_path / "whole")
    assert seen(2, tmp_path / "cut") == whole[:2]
    assert seen(4, tmp_path / "cut") == whole
