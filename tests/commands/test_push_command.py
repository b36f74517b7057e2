"""`rlhf-kit push`: what a card says of each kind of run, what goes to the hub and what never does."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from hub import serving
from huggingface_hub import ModelCard, constants

from rlhf_kit import cli, zoo
from rlhf_kit.commands import human_loop
from rlhf_kit.commands import tour as tour_command
from rlhf_kit.commands.typed import command_of
from rlhf_kit.jobs import JOBS
from rlhf_kit.models import heads
from rlhf_kit.models.loading import load_policy, load_reward_model
from rlhf_kit.runs import card
from rlhf_kit.storage import new_folder

QUICK = ["--steps", "2", "--batch-size", "4", "--device", "cpu", "--json"]
PPO = [*QUICK, "--max-new-tokens", "6", "--minibatch-size", "4", "--reward", "good.py:reward"]
pytestmark = [pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),       # the hub's own client
              pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")]             # peft, of any GPT-2
SECRET = "the lamp is mine"
WORLD = """class Lamps:
    name = "lamps-en"
    lang = "en"

    def prompts(self, split="train", n=None, seed=0):
        found = [f"the {noun} is {degree}" for noun in ("lamp", "bag", "pen") for degree in ("very", "not", "quite")]
        found = found[::2] if split == "heldout" else found[1::2]
        return found if n is None else (found * n)[:n]

    def labelled(self, n, seed=0, split="train"):
        return [(f"{prompt} good, and it works.", 1) for prompt in self.prompts(split, n)]

    def corpus(self, n, seed=0, split="train"):
        return [text for text, _ in self.labelled(n, seed, split)]

    def gold(self, prompt, response):
        return float("works" in response)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory, policy, tokenizer, sentences):
    """Runs of several kinds, made once: on made-up prompts, on a person's own files, a reward model."""
    folder = tmp_path_factory.mktemp("push") / "desk"
    zoo.save_policy(policy, folder / "lm")
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in sentences))
    (folder / "mine.txt").write_text("".join(f"{SECRET}, and {text.split()[1]} {i}\n"
                                             for i, text in enumerate(sentences[:20])))
    rows = [{"prompt": "", "chosen": a, "rejected": c} for a, c in zip(sentences[::2], sentences[1::2], strict=True)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "world.py").write_text(WORLD)
    (folder / "good.py").write_text("def reward(prompts, responses):\n    return [len(r) for r in responses]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (["sft", "--model", "lm", "--data", "texts.txt", "--output", "runs/sft", *QUICK],
                      ["ppo", "--model", "runs/sft/model", "--prompts", "mine.txt", "--output", "runs/ppo", *PPO],
                      ["ppo", "--model", "lm", "--task", "world.py:Lamps", "--output", "runs/made-up", *PPO],
                      ["ppo", "--model", "lm", "--lora", "2", "--task", "world.py:Lamps", "--output", "runs/lora",
                       *PPO],
                      ["reward-model", "--pairs", "pairs.jsonl", "--output", "runs/rm", *QUICK]):
            assert cli.main(["train", *words]) == 0, words
    return folder


@pytest.fixture(autouse=True)
def desk(sound, tmp_path, monkeypatch):
    shutil.copytree(sound, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


def dry(capsys, run: str, *words: str) -> tuple[str, dict]:
    """The card and what was printed."""
    capsys.readouterr()
    assert cli.main(["push", run, "me/it", "--dry-run", "--lang", "en", "--json", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    return Path(told["folder"], "README.md").read_text(encoding="utf-8"), told


# The card.

def test_the_card_of_a_made_up_world_has_everything_and_the_hub_can_read_it(capsys):
    text, told = dry(capsys, "runs/made-up")
    data = ModelCard(text).data
    assert (data.library_name, data.pipeline_tag, data.language) == ("transformers", "text-generation", ["en"])
    assert {"rlhf-kit", "rlhf", "ppo"} <= set(data.tags)
    assert data.base_model is None                                      # a folder here is nothing on the hub
    assert "| score: what PPO maximises |" in text
    result = json.loads(Path("runs/made-up/result.json").read_text())
    score = result["after"]["scores"]["score"]
    assert f"{score['mean']:.3f} ({score['low']:.3f}–{score['high']:.3f})" in text
    assert all(pair["after"]["response"] in text for pair in result["samples"][:3])
    assert "Base: lm, a model of its maker's own" in text
    assert "Data: world.py:Lamps, a made-up world" in text
    assert "rlhf-kit train ppo --model lm --reward good.py:reward" in text
    assert told["notes"] == ["card_no_licence"]                         # nobody knows that of the folder lm


def test_of_a_person_s_own_data_nothing_is_shown_unless_asked(capsys):
    text, told = dry(capsys, "runs/ppo")
    assert SECRET not in text
    assert "card_no_samples" in told["notes"]
    assert "Data: mine.txt, which is not published here." in text
    assert "Data: texts.txt, which is not published here." in text      # of the run that its base came from
    assert "Base: lm, " in text
    assert SECRET in dry(capsys, "runs/ppo", "--samples")[0]
    everything = b"".join(file.read_bytes() for file in Path("runs/ppo/hub").iterdir() if file.name != "README.md")
    assert SECRET.encode() not in everything
    assert str(Path.cwd()).encode() not in everything + text.encode()


def test_a_licence_is_what_base_and_data_say_or_what_is_chosen(capsys, tmp_path):
    assert "This model: not stated." in dry(capsys, "runs/ppo")[0]
    text, told = dry(capsys, "runs/ppo", "--license", "cc-by-4.0")
    assert ModelCard(text).data.license == "cc-by-4.0"
    assert "card_no_licence" not in told["notes"]


@pytest.mark.parametrize(("settings", "expected"), [
    ({"lang": "en"}, {"base": None, "world": "reviews-en", "licence": "apache-2.0"}),
    ({"job": "ppo", "model": "tiny-lm-zh", "lang": "zh"}, {"base": "tiny-lm-zh", "world": "reviews-zh",
                                                               "licence": "apache-2.0"}),
    ({"job": "sft", "model": "gpt2", "lang": "en"}, {"base": "gpt2", "world": "reviews-en", "licence": "mit"}),
    ({"job": "sft", "model": "some/body", "lang": "en"}, {"base": "some/body", "world": "reviews-en", "licence": None}),
    ({"job": "sft", "model": "gpt2", "data": "some/set"}, {"base": "gpt2", "sets": ("some/set",), "licence": None}),
    ({"job": "stackllama", "preset": "colab"}, {"base": "Qwen/Qwen2.5-0.5B", "licence": None,
                                                    "sets": ("lvwerra/stack-exchange-paired",)}),
    ({"job": "stackllama", "preset": "tiny"}, {"base": "tiny-forum", "world": "forum-en", "licence": "apache-2.0"}),
    ({"job": "stackllama", "preset": "tiny", "task": "forum-zh"}, {"base": "tiny-forum-zh", "world": "forum-zh",
                                                                   "licence": "apache-2.0"}),
    ({"job": "rewardmodel", "model": "new", "rankings": "/home/a b/r.tsv"}, {"base": None, "files": ("r.tsv",),
                                                                                 "licence": None})])
def test_where_a_model_comes_from(tmp_path, settings, expected):
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    made = card.origin(tmp_path)
    licences = {made.base: card._licence(made.base, "model", ask=False)} if made.base_on_hub else {}
    found = {"base": made.base, "world": made.world, "sets": made.sets, "files": made.files,
                 "licence": card._following(made, licences)}
    assert found == {"world": None, "sets": (), "files": (), **expected}
    assert made.base_on_hub == (expected["base"] is not None and not expected["base"].startswith("tiny-"))


def test_a_policy_of_a_tour_s_own_model_begins_with_nothing(tmp_path):
    """The chain ends where the first model was made by the run itself, also when that is the run asked about."""
    with new_folder(tmp_path / "tour" / "language_model") as folder:
        (folder / "config.json").write_text("{}")
    (tmp_path / "tour" / "settings.json").write_text(json.dumps({"lang": "zh", "reviews": "mine.csv"}))
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "settings.json").write_text(json.dumps({"job": "ppo", "lang": "zh",
                                                                "model": str(tmp_path / "tour" / "language_model")}))
    made = card.origin(tmp_path / "ppo")
    assert (made.base, made.files, made.world) == (None, ("mine.csv",), None)


def test_a_sample_cannot_leave_its_fence_nor_a_name_its_line(capsys):
    result = json.loads(Path("runs/made-up/result.json").read_text())
    for pair in result["samples"]:
        pair["after"]["response"] = "````\n---\n# out\n| a | b |"
    Path("runs/made-up/result.json").write_text(json.dumps(result))
    text, _ = dry(capsys, "runs/made-up")
    assert "`````text\n" in text
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.M | re.S)
    assert "# out" not in outside
    assert yaml.safe_load(text.split("---\n")[1])["model_name"] == "it"


def test_the_card_of_each_kind_of_run(capsys):
    sft, _ = dry(capsys, "runs/sft")
    loss = json.loads(Path("runs/sft/result.json").read_text())["loss"]
    assert f"| loss, nats per token | {loss['before']:.3f} | {loss['after']:.3f} |" in sft
    rm, _ = dry(capsys, "runs/rm")
    assert ModelCard(rm).data.pipeline_tag == "text-classification"
    assert "| pairs in the right order |" in rm
    assert "kit.load_reward_model('me/it')" in rm
    chinese = Path("runs/rm/hub/README.md")
    assert cli.main(["push", "runs/rm", "me/it", "--dry-run", "--lang", "zh", "--json"]) == 0
    assert "## 从什么学来" in chinese.read_text(encoding="utf-8")


# What goes.

def test_what_goes_is_what_a_model_needs_and_it_loads(capsys, monkeypatch):
    _, told = dry(capsys, "runs/made-up")
    assert "value_head.safetensors" in told["left_out"]
    names = {file.name for file in Path("runs/made-up/hub").iterdir()}
    assert names == {*told["files"], "manifest.json"}
    assert not [name for name in names if "checkpoint" in name or name.endswith(".jsonl")]
    assert isinstance(load_policy("runs/made-up/hub"), heads.Policy)
    dry(capsys, "runs/rm")
    assert isinstance(load_reward_model("runs/rm/hub"), heads.RewardModel)


def test_an_adapter_on_a_base_that_is_only_here_goes_as_a_whole_model(capsys):
    """Its own file would tell where that base lies, and nobody else has it."""
    assert Path("runs/lora/policy/adapter_config.json").is_file()
    text, told = dry(capsys, "runs/lora")
    assert "push_merged" in told["notes"]
    assert not [name for name in told["files"] if "adapter" in name]
    assert ModelCard(text).data.library_name == "transformers"
    sent, ours = (load_policy(f"runs/lora/{name}", value_head=False) for name in ("hub", "policy"))
    for name, weight in sent.lm.state_dict().items():
        assert torch.allclose(weight, ours.lm.state_dict()[name], atol=1e-5), name


def test_an_adapter_on_a_base_of_the_hub_goes_as_it_is(capsys):
    place = Path("runs/lora/policy/adapter_config.json")
    place.write_text(json.dumps({**json.loads(place.read_text()), "base_model_name_or_path": "some/base"}))
    settings = Path("runs/lora/settings.json")
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "model": "some/base"}))
    manifest = Path("runs/lora/policy/manifest.json")
    sizes = json.loads(manifest.read_text())
    sizes["files"]["adapter_config.json"] = place.stat().st_size
    manifest.write_text(json.dumps(sizes))
    text, told = dry(capsys, "runs/lora")
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {*told["files"]}
    assert {"base.json", "value_head.safetensors"} == {*told["left_out"]}
    data = ModelCard(text).data
    assert (data.library_name, data.base_model, data.license) == ("peft", "some/base", None)
    assert "kit.load_policy('me/it')" in text


@pytest.fixture
def online(monkeypatch, tmp_path):
    """Asks the hub that is started here."""
    def at(address: str, token: str | None) -> None:
        for name, value in {"ENDPOINT": address, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True,
                            "HF_TOKEN_PATH": str(tmp_path / "none")}.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setenv("HF_TOKEN", token or "")
    return at


def test_an_upload_that_breaks_off_is_one_line(tmp_path, online, capsys, monkeypatch):
    """Of a large file whose upload fails the hub's library says so with a RuntimeError."""
    def broken(*arguments, **options):
        raise RuntimeError("Error while uploading 'model.safetensors' to the Hub.") from OSError("connection reset")
    with serving(tmp_path / "hub", token="hf_good") as (address, _):
        online(address, "hf_good")
        monkeypatch.setattr("huggingface_hub.HfApi.create_commit", broken)
        refused(capsys, "the hub cannot be reached (connection reset)")


def test_it_is_uploaded_once_and_again_and_to_nobody_else_s_place(tmp_path, online, capsys):
    root = tmp_path / "hub"
    (root / "me" / "other").mkdir(parents=True)
    (root / "me" / "other" / "config.json").write_text("{}")
    with serving(root, token="hf_good") as (address, asked):
        online(address, "hf_good")
        assert cli.main(["push", "runs/made-up", "me/it", "--private", "--lang", "en"]) == 0
        out = capsys.readouterr().out
        assert "What goes: README.md, config.json" in out
        assert f"It is at {address}/me/it" in out
        assert (root / "me" / "it" / "model.safetensors").read_bytes() == Path(
            "runs/made-up/policy/model.safetensors").read_bytes()
        assert sorted(file.name for file in (root / "me" / "it").iterdir()) == sorted(
            ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
             "tokenizer_config.json"])
        assert not Path("runs/made-up/hub").exists()
        assert cli.main(["push", "runs/made-up", "it", "--lang", "en"]) == 0         # the same place, by its short name
        assert sum("/commit/" in one for one in asked) == 2
        capsys.readouterr()
        assert cli.main(["push", "runs/made-up", "me/other", "--lang", "en"]) == 2
        assert "holds something that rlhf-kit did not put there (config.json)" in capsys.readouterr().err
        assert [file.name for file in (root / "me" / "other").iterdir()] == ["config.json"]


def test_a_bad_token_no_token_and_no_network_are_one_line_each(tmp_path, online, capsys):
    with serving(tmp_path / "hub", token="hf_good") as (address, _):
        for token, said in (("hf_bad", "does not let this token write to me/it (401)"), (None, "there is no token")):
            online(address, token)
            refused(capsys, said)
    online("http://127.0.0.1:9", "hf_good")                             # nobody is there
    refused(capsys, "the hub cannot be reached")
    assert not (tmp_path / "hub").exists()


def refused(capsys, said: str) -> None:
    capsys.readouterr()
    assert cli.main(["push", "runs/made-up", "me/it", "--lang", "en", "--json"]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize(("words", "said"), [
    (["nowhere", "me/it"], "nowhere is no run: it has no settings.json"),
    (["runs", "me/it"], "Runs lie in runs/lora, runs/made-up"),
    (["begun", "me/it"], "is not finished"), (["empty", "me/it"], "holds nothing to publish"),
    (["runs/made-up", "me/it/model"], "expected NAME or OWNER/NAME"), (["runs/made-up", "-x"], "expected NAME"),
    (["runs/made-up", "me/it", "--output", "x"], "--dry-run writes"),
    (["runs/made-up", "me/it", "--dry-run", "--output", "lm2"], "holds files that the kit did not write")])
def test_what_cannot_be_pushed_is_one_line_and_writes_nothing(capsys, words, said):
    for name in ("begun", "empty"):
        Path(name).mkdir()
        Path(name, "settings.json").write_text('{"job": "ppo", "model": "lm"}')
    Path("empty/result.json").write_text("{}")
    Path("lm2").mkdir()
    Path("lm2/notes.txt").write_text("mine")
    before = sorted(map(str, Path().rglob("*")))
    try:
        code = cli.main(["push", *words, "--lang", "en"])
    except SystemExit as stop:
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2
    assert said in err or "-x" in words
    assert err.count("\n") == 1
    assert sorted(map(str, Path().rglob("*"))) == before


# The command.

def claim_of(words: list[str]) -> dict:
    """What a typed command claims a folder with, as settings.json has it."""
    options = cli._parser().parse_args(words)
    if words[0] == "tour":
        job = tour_command.settings(options)
    elif words[0] == "human-loop":
        job = human_loop._job(options)
    else:
        job = JOBS[options.job](model=options.model, lang=options.lang, task=options.task, device="cpu",
                                **options.settings(options))
    return json.loads(json.dumps(job.claim()))


@pytest.mark.parametrize("words", [
    ["tour", "--lang", "zh", "--judge", "ranked", "--kl", "0.2", "--seed", "3"],
    ["train", "sft", "--model", "lm", "--data", "texts.txt", "--lang", "en", "--learning-rate", "0.002"],
    ["train", "ppo", "--model", "lm", "--prompts", "mine.txt", "--reward", "good.py:reward", "--kl", "0.1", "--epochs",
     "2", "--no-checks", "--lang", "en", "--temperature", "0.7"],
    ["train", "ppo", "--model", "lm", "--lora", "4", "--prompts", "mine.txt", "--reward", "good.py:reward", "--lang",
     "zh"],
    ["train", "ppo", "--model", "tiny-lm-en", "--judge", "tiny-judge-en", "--kl-target", "6", "--lang", "en"],
    ["train", "rest", "--model", "tiny-lm-en", "--judge", "tiny-judge-en", "--thresholds", "0.5,0.9", "--lang", "en"],
    ["train", "reward-model", "--pairs", "pairs.jsonl", "--loss", "sigmoid", "--held-out", "5", "--lang", "zh"],
    ["train", "judge", "--seed", "1", "--lang", "en", "--steps", "7"],
    ["human-loop", "--model", "tiny-lm-en", "--mode", "pick", "--batch", "4", "--lang", "en", "--device", "cpu"]])
def test_the_command_in_the_card_makes_the_same_run(words):
    """Typed again, it claims the same settings: nothing is lost and nothing is made up."""
    claim = claim_of([*words, "--output", "runs/x"])
    again = command_of(claim, "runs/x").split()
    assert again[0] == "rlhf-kit"
    assert claim_of([*again[1:], *(["--device", "cpu"] if words[0] == "human-loop" else [])]) == claim


def test_a_command_tells_no_place_of_this_machine():
    claim = {"job": "ppo", "model": "/home/ann/runs/sft/model", "prompts": "/home/ann/letters.csv", "column": "prompt",
             "reward": "/home/ann/good.py:reward", "lang": "en", "changes": {"steps": 3}}
    assert command_of(claim, "runs/ppo") == ("rlhf-kit train ppo --model sft/model --reward good.py:reward --prompts "
                                             "letters.csv --steps 3 --lang en --output runs/ppo")
