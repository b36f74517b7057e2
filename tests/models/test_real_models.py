"""The article's models by name: everything that can be known of them offline, on folders that look like theirs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import hub
import lookalikes
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

import rlhf_kit as kit
from rlhf_kit import cli, rewards, zoo
from rlhf_kit.jobs import settings
from rlhf_kit.models import loading, text
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from tests.test_zoo import SMALL, SMALL_JUDGE

WRITERS = {"chinese_gpt2": lookalikes.CHINESE, "gpt2": lookalikes.ENGLISH, "gpt2_imdb": lookalikes.ENGLISH}
JUDGES = {"chinese_judge": lookalikes.CHINESE, "film_judge": lookalikes.ENGLISH}
LABELS = {"chinese_judge": lookalikes.STARS, "film_judge": lookalikes.SIGNS}
PAIRS = [("chinese_gpt2", "chinese_judge"), ("gpt2_imdb", "film_judge")]
NAMES = {"chinese_gpt2": "uer/gpt2-chinese-cluecorpussmall", "gpt2_imdb": "lvwerra/gpt2-imdb",
         "chinese_judge": "uer/roberta-base-finetuned-jd-binary-chinese", "film_judge": "lvwerra/distilbert-imdb"}
FEW = ("--steps", "2", "--batch-size", "8", "--minibatch-size", "8", "--epochs", "1", "--max-new-tokens", "8",
       "--lang", "en")


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("lookalikes")
    made = {name: getattr(lookalikes, name)(root / name) for name in (*WRITERS, *JUDGES)}
    turned = {f"{name}_turned": getattr(lookalikes, name)(root / f"{name}_turned", labels=LABELS[name][::-1])
              for name in JUDGES}
    return made | turned


@pytest.fixture(scope="module", params=WRITERS)
def writer(request, folders) -> tuple[kit.Policy, list[str]]:
    """A policy from such a folder, and texts of its language; frozen, for it is shared."""
    return kit.load_policy(folders[request.param]).requires_grad_(False), WRITERS[request.param]


@pytest.fixture
def prompts(request, tmp_path):
    """A file of prompts of several lengths, in the language of the writer."""
    def write(name: str) -> str:
        path = tmp_path / "prompts.txt"
        path.write_text("\n".join(line[:5 + i] for i, line in enumerate(WRITERS[name])), encoding="utf-8")
        return str(path)
    return write


def train(capsys, *arguments: str) -> dict:
    """The result of `rlhf-kit train`."""
    assert cli.main(["train", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


# --- What stands in the folder is what is read ------------------------------------------------------------------------

def test_each_loads_as_the_class_that_the_hub_names(folders):
    for name in (*WRITERS, *JUDGES):
        load = kit.load_policy if name in WRITERS else kit.load_classifier
        model = load(folders[name])
        model = model.lm if name in WRITERS else model[0]
        config = json.loads((folders[name] / "config.json").read_text())
        assert [type(model).__name__] == config["architectures"]
        dropouts = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
        assert 0.1 in dropouts
        assert not model.training


def test_the_weights_are_those_of_the_file_whatever_prefix_they_have(folders):
    """gpt2 has them without "transformer.", and buffers beside them that no class wants any more."""
    for name, prefix in (("gpt2", ""), ("gpt2_imdb", "transformer."), ("chinese_gpt2", "transformer.")):
        file, lm = load_file(folders[name] / "model.safetensors"), kit.load_policy(folders[name]).lm
        for parameter, value in lm.named_parameters():
            assert torch.equal(value, file[prefix + parameter.removeprefix("transformer.")])
        assert lm.lm_head.weight is lm.transformer.wte.weight


def test_weights_in_several_files_are_read_together(folders, tmp_path):
    whole = kit.load_policy(folders["gpt2_imdb"])
    whole.lm.save_pretrained(tmp_path, max_shard_size="40KB")
    whole.tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    parts = kit.load_policy(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(whole.lm.parameters(), parts.lm.parameters(), strict=True))
    max(tmp_path.glob("model-*.safetensors")).unlink()
    with pytest.raises(kit.ModelUnavailable):
        kit.load_policy(tmp_path)


# --- Text -------------------------------------------------------------------------------------------------------------

def test_a_prompt_keeps_cls_and_loses_sep(folders):
    """`tokenizer(prompt)` ends with [SEP], after which the model would begin something new."""
    tokenizer = kit.load_policy(folders["chinese_gpt2"]).tokenizer
    words = (folders["chinese_gpt2"] / "vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = [words.index(token) for token in ("[CLS]", "这", "个", "台", "灯")]
    assert tokenizer("这个台灯").input_ids == [*ids, words.index("[SEP]")]
    assert text.prompt_rows(tokenizer, ["这个台灯"]) == [ids]
    rollout = sample_rollout(kit.load_policy(folders["chinese_gpt2"]), ["这个台灯", "很"], Sampling(max_new_tokens=2))
    assert rollout.prompt_ids.tolist() == [ids, [words.index("[PAD]")] * 3 + [ids[0], words.index("很")]]


def test_gpt2_adds_nothing_to_a_prompt_and_an_empty_one_is_its_end_token(folders):
    tokenizer = kit.load_policy(folders["gpt2_imdb"]).tokenizer
    assert tokenizer.pad_token is None
    assert tokenizer.eos_token == "<|endoftext|>"
    ids = text.prompt_rows(tokenizer, ["This film", ""])
    assert tokenizer.decode(ids[0]) == "This film"
    assert ids[1] == [tokenizer.eos_token_id]


def test_texts_come_back_as_they_were(writer):
    """In Chinese without a space between characters, in English with every one that was there."""
    policy, texts = writer
    rows = policy.tokenizer(texts, add_special_tokens=False).input_ids
    assert text.decode(policy.tokenizer, *text.pad_right(rows, text.pad_id(policy.tokenizer))) == texts


def test_quotes_and_dots_in_chinese_have_no_spaces_either(folders, tmp_path):
    marked = ["他说“很好”……我不信——真的。", "客服说：“没有”"]
    folder = tmp_path / "marks"
    lookalikes.chinese_gpt2(folder, [*lookalikes.CHINESE, *marked])
    tokenizer = kit.load_policy(folder).tokenizer
    rows = tokenizer(marked, add_special_tokens=False).input_ids
    assert text.decode(tokenizer, *text.pad_right(rows, 0)) == marked


# --- Sampling ---------------------------------------------------------------------------------------------------------

def test_a_response_ends_with_the_end_token_also_where_that_fills_the_padding(writer):
    policy, texts = writer
    end = policy.tokenizer.convert_tokens_to_ids("[SEP]" if policy.tokenizer.sep_token else "<|endoftext|>")
    rollout = sample_rollout(policy, texts * 20, Sampling(max_new_tokens=40), seed=1)
    assert 0 < rollout.ended.sum() < len(rollout)
    for ids, mask, ended, response in zip(rollout.response_ids, rollout.mask, rollout.ended, rollout.responses,
                                          strict=True):
        kept = ids[mask].tolist()
        assert (kept[-1] == end) == ended.item()
        assert kept.count(end) == ended.item()
        assert ended or mask.all()
        assert not any(token in response for token in ("[SEP]", "[PAD]", "<|endoftext|>"))
    if policy.tokenizer.pad_token is None:
        assert (rollout.response_ids[~rollout.mask] == end).all()


def test_padding_changes_no_log_probability(writer):
    """Against the model alone: one text at a time, no padding, no positions, no cache."""
    policy, texts = writer
    starts = [line[:3 + 2 * i] for i, line in enumerate(texts)]
    rollout = sample_rollout(policy, starts, Sampling(max_new_tokens=10), seed=1)
    assert len(set(rollout.prompt_mask.sum(-1).tolist())) > 3
    together = response_logprob(policy, rollout)
    for row in range(len(starts)):
        prompt = rollout.prompt_ids[row][rollout.prompt_mask[row]]
        response = rollout.response_ids[row][rollout.mask[row]]
        logits = policy.lm(torch.cat([prompt, response])[None]).logits[0, len(prompt) - 1:-1]
        alone = logits.log_softmax(-1).gather(-1, response[:, None])[:, 0]
        torch.testing.assert_close(together[row][rollout.mask[row]], alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(rollout.logprob[row][rollout.mask[row]], alone, atol=1e-5, rtol=0)


# --- The judge --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("judge", JUDGES)
def test_the_positive_label_is_found_by_name_in_whatever_order(judge, folders):
    texts = JUDGES[judge]
    straight, turned = (rewards.classifier(*kit.load_classifier(folders[name])) for name in (judge, f"{judge}_turned"))
    score = straight(texts, [""] * len(texts))
    torch.testing.assert_close(turned(texts, [""] * len(texts)), score)
    assert score.std() > 0.02
    torch.testing.assert_close(rewards.classifier(*kit.load_classifier(folders[judge]), label=LABELS[judge][0])(
        texts, [""] * len(texts)), 1 - score)


@pytest.mark.parametrize("judge", JUDGES)
def test_a_score_is_that_of_the_class_on_prompt_and_response_as_one_text(judge, folders):
    model, tokenizer = kit.load_classifier(folders[judge])
    texts = JUDGES[judge]
    score = rewards.classifier(model, tokenizer)([line[:4] for line in texts], [line[4:] for line in texts])
    at = [name.lower()[:8] for _, name in sorted(model.config.id2label.items())].index("positive")
    for line, said in zip(texts, score, strict=True):
        ids = tokenizer(line, return_tensors="pt").input_ids
        assert ids[0, 0] == tokenizer.cls_token_id
        assert ids[0, -1] == tokenizer.sep_token_id
        assert model(ids).logits.softmax(-1)[0, at].item() == pytest.approx(said.item(), abs=1e-5)


@pytest.mark.parametrize("judge", JUDGES)
def test_a_text_longer_than_the_judge_reads_is_cut_and_not_refused(judge, folders):
    model, tokenizer = kit.load_classifier(folders[judge])
    reward, line = rewards.classifier(model, tokenizer), JUDGES[judge][0]
    long = line * (900 // len(line) + 1)
    assert len(tokenizer(long).input_ids) > 512
    torch.testing.assert_close(*reward([long, long + line * 3], ["", line]).split(1))


def test_a_label_that_is_not_there_names_those_that_are(folders):
    with pytest.raises(kit.RewardError, match=r"it has negative \(stars 1, 2 and 3\), positive \(stars 4 and 5\)"):
        rewards.classifier(*kit.load_classifier(folders["chinese_judge"]), label="praise")


# --- Learning ---------------------------------------------------------------------------------------------------------

def test_the_first_ratio_is_one_although_the_config_asks_for_dropout(folders):
    """The checks before the first update are on; with the whole batch in one gradient nothing has moved yet."""
    for name, texts in WRITERS.items():
        policy = kit.load_policy(folders[name]).train()                 # as somebody may leave it
        assert policy.lm.config.resid_pdrop == 0.1
        config = kit.ppo.Config(steps=1, batch_size=8, minibatch_size=None, epochs=1,
                                sampling=Sampling(max_new_tokens=8))
        step, = kit.ppo.steps(policy, policy.reference(), [t[:4 + i] for i, t in enumerate(texts)],
                              rewards.length(10), config)
        assert step.metrics["kl"] == pytest.approx(0, abs=1e-5)
        assert step.metrics["approx_kl"] == pytest.approx(0, abs=1e-9)
        assert step.metrics["clip_fraction"] == 0


@pytest.mark.parametrize(("name", "wanted"), [("chinese_gpt2", lambda c: not c.isascii()), ("gpt2_imdb", str.isalpha)])
def test_a_policy_learns_what_is_rewarded(name, wanted, folders):
    policy = kit.load_policy(folders[name])

    def share(prompts, responses):
        return [sum(map(wanted, response)) / max(len(response), 1) for response in responses]

    config = kit.ppo.Config(steps=6, batch_size=32, learning_rate=2e-2, kl=kit.KL(coefficient=0.0),
                            sampling=Sampling(max_new_tokens=8))
    history = kit.ppo.train(policy, policy.reference(), [t[:4] for t in WRITERS[name]], share, config)
    assert history[-1].metrics["score"] > history[0].metrics["score"] + 0.2


# --- The command line -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("writer_name", "judge"), PAIRS)
def test_imitation_and_then_ppo_on_the_command_line(writer_name, judge, folders, prompts, capsys, tmp_path):
    """What is saved is the class that came in: plain transformers loads it, and its gelu is still the old one."""
    (tmp_path / "texts.txt").write_text("\n".join(WRITERS[writer_name] * 2), encoding="utf-8")
    learned = train(capsys, "sft", "--model", str(folders[writer_name]), "--data", str(tmp_path / "texts.txt"),
                    "--steps", "60", "--batch-size", "6", "--output", str(tmp_path / "sft"))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "sft" / "metrics.jsonl").read_text().splitlines()]
    assert learned["steps"] == len(losses) == 60
    assert losses[-1] < losses[0] - 1
    ppo = ("ppo", "--model", str(tmp_path / "sft" / "model"), "--prompts", prompts(writer_name), *FEW)
    result = train(capsys, *ppo, "--judge", str(folders[judge]), "--output", str(tmp_path / "a"))
    assert result["steps"] == 2
    assert 0 < result["after"]["scores"]["score"]["mean"] < 1
    turned = train(capsys, *ppo, "--judge", str(folders[f"{judge}_turned"]), "--output", str(tmp_path / "b"))
    assert turned["after"]["scores"]["score"]["mean"] == pytest.approx(result["after"]["scores"]["score"]["mean"],
                                                                       abs=1e-4)
    plain, saved = AutoModelForCausalLM.from_pretrained(tmp_path / "a" / "policy"), tmp_path / "a" / "policy"
    assert AutoConfig.from_pretrained(saved).activation_function == "gelu_new"
    ours, line = kit.load_policy(saved), WRITERS[writer_name][0]
    ids = AutoTokenizer.from_pretrained(saved)(line, return_tensors="pt").input_ids
    assert ids.tolist() == AutoTokenizer.from_pretrained(folders[writer_name])([line]).input_ids
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(ids).logits, ours.lm(ids).logits, atol=1e-5, rtol=1e-5)


def test_a_large_model_takes_every_core_and_a_tiny_one_a_single_one(folders, prompts, monkeypatch, tmp_path, capsys):
    """Unless OMP_NUM_THREADS says how many; here "large" is whatever the test says."""
    counts = []

    def run(output: str, **environment: str) -> None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch, "set_num_threads", counts.append)
        train(capsys, "ppo", "--model", str(folders["gpt2"]), "--judge", str(folders["film_judge"]), "--prompts",
              prompts("gpt2"), *FEW, "--output", str(tmp_path / output))

    run("tiny")
    assert (counts, os.environ["OMP_NUM_THREADS"]) == ([], "1")
    monkeypatch.setattr(settings, "SMALL", 1000)
    run("large")
    assert counts == [settings.cores()]
    assert counts[0] >= 1
    run("chosen", OMP_NUM_THREADS="3")
    assert (len(counts), os.environ["OMP_NUM_THREADS"]) == (1, "3")


# --- By name ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess, list[str]]:
    """A hub cache filled by the real client from a hub that serves all four; with it, what the command line said."""
    root = tmp_path_factory.mktemp("hub")
    for name, known in NAMES.items():
        pickled = {"pickled": True} if name == "gpt2_imdb" else {}
        getattr(lookalikes, name)(root / known, **pickled)
    (root / "prompts.txt").write_text("\n".join(line[:6] for line in lookalikes.ENGLISH))
    with hub.serving(root) as (address, asked):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE"))}
        environment = {**kept, "HF_ENDPOINT": address, "HF_HOME": str(root / "home")}
        command = ["train", "ppo", "--model", NAMES["gpt2_imdb"], "--judge", NAMES["film_judge"],
                   "--prompts", str(root / "prompts.txt"), *FEW, "--output", str(root / "out")]
        program = f"import rlhf_kit as kit; from rlhf_kit import cli; assert cli.main({command!r}) == 0; " \
                  f"kit.load_policy({NAMES['chinese_gpt2']!r}); kit.load_classifier({NAMES['chinese_judge']!r})"
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    return root / "home" / "hub", done, asked


@pytest.fixture
def offline(fetched, monkeypatch):
    """No network, and the cache of `fetched`."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(fetched[0]))
    assert constants.HF_HUB_OFFLINE


@pytest.mark.slow
def test_the_names_of_the_article_work_online(fetched):
    """A hub model without safetensors is read as plain tensors, and that is said."""
    _, done, _ = fetched
    assert done.returncode == 0, done.stderr
    assert "score: what PPO" in done.stdout                 # the table breaks the line behind it
    assert done.stderr.strip().splitlines() == ["lvwerra/gpt2-imdb has no safetensors file; its .bin was read as plain "
                                                "tensors (weights_only); no code in it ran."]


@pytest.mark.slow
def test_the_hub_is_asked_for_the_models_and_for_nothing_else(fetched):
    """No telemetry, no conversion by a third party, no list of what people run."""
    asked = fetched[2]
    assert {line.split()[0] for line in asked} == {"GET", "HEAD"}
    assert not [line for line in asked if not any(name in line for name in NAMES.values())]
    assert not [line for line in asked if "discussions" in line or "from_auto_class" in line]
    assert all("telemetry/off" in line for line in asked if "/resolve/" in line)


@pytest.mark.slow
@pytest.mark.parametrize(("writer_name", "judge"), PAIRS)
def test_and_offline_once_they_have_been_fetched(writer_name, judge, offline, prompts, capsys, tmp_path):
    assert cli.main(["train", "ppo", "--model", NAMES[writer_name], "--judge", NAMES[judge], "--prompts",
                     prompts(writer_name), *FEW, "--output", str(tmp_path / "out"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["steps"] == 2
    here = {row["name"] for row in zoo.names() if row["here"] and not row["tiny"]}
    assert here == set(NAMES.values())


def test_a_model_fetched_by_hand_into_the_cache_loads_by_its_name(folders, monkeypatch, tmp_path):
    lookalikes.in_hub_cache(tmp_path, "gpt2", lookalikes.gpt2)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    by_name, by_folder = kit.load_policy("gpt2"), kit.load_policy(folders["gpt2"])
    assert all(torch.equal(a, b) for a, b in zip(by_name.parameters(), by_folder.parameters(), strict=True))


@pytest.mark.parametrize("arguments", [("--model", "lvwerra/gpt2-imdb", "--judge", "film_judge"),
                                       ("--model", "gpt2_imdb", "--judge", "lvwerra/distilbert-imdb")])
def test_the_command_line_never_falls_back(arguments, folders, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    given = [str(folders.get(argument, argument)) for argument in arguments]
    assert cli.main(["train", "ppo", *given, *FEW, "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"rlhf-kit: '{next(a for a in given if a.startswith('lvwerra'))}' is neither a folder here nor" in err
    assert not (tmp_path / "out").exists()


# --- Other architectures ----------------------------------------------------------------------------------------------

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "max_position_embeddings": 64}
GROUPED = {**SIZES, "num_key_value_heads": 2}
WRITE = {"llama": GROUPED, "mistral": {**GROUPED, "sliding_window": 8}, "qwen2": GROUPED,
         "qwen3": {**GROUPED, "head_dim": 8},
         "gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 8}, "gpt_neox": SIZES,
         "opt": {**SIZES, "ffn_dim": 64, "word_embed_proj_dim": 32},
         "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4}}
DO_NOT = {"mamba": ({"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}, "no key-value cache"),
          "openai-gpt": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, "no key-value cache"),
          "bert": ({**SIZES, "initializer_range": 0.3}, "reads to the end before it predicts")}


def built(kind: str, sizes: dict, tokenizer, folder: Path) -> Path:
    config = AutoConfig.for_model(kind, **sizes, vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1,
                                  bos_token_id=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loading.save_model(AutoModelForCausalLM.from_config(config), tokenizer, folder)
    return folder


@pytest.mark.parametrize("kind", WRITE)
def test_other_decoders_come_through_the_same_door(kind, tokenizer, tmp_path):
    policy = kit.load_policy(built(kind, WRITE[kind], tokenizer, tmp_path / kind))
    config = kit.ppo.Config(steps=2, batch_size=8, minibatch_size=8, epochs=1, sampling=Sampling(max_new_tokens=12))
    starts = ["the lamp", "the", "the pen is not"]
    history = kit.ppo.train(policy, policy.reference(), starts, rewards.length(9), config)
    assert history[0].metrics["kl"] == pytest.approx(0, abs=1e-5)
    kit.save_policy(policy, tmp_path / "saved")
    assert kit.load_policy(tmp_path / "saved").lm.config.model_type == kind


@pytest.mark.parametrize("kind", DO_NOT)
def test_what_cannot_be_sampled_from_is_refused_in_one_line(kind, tokenizer, tmp_path):
    sizes, why = DO_NOT[kind]
    with pytest.raises(kit.ModelUnavailable, match=why):
        kit.load_policy(built(kind, sizes, tokenizer, tmp_path))


# --- Falling back, where it is asked for ------------------------------------------------------------------------------

@pytest.fixture
def small_zoo(monkeypatch, tmp_path):
    monkeypatch.setenv("RLHF_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(zoo, "TINY", {"small-lm": (SMALL, "en"), "small-judge": (SMALL_JUDGE, "zh")})


def test_load_model_says_which_of_both_it_is(small_zoo, folders, capsys):
    kit.load_policy("small-lm"), kit.load_classifier("small-judge")
    capsys.readouterr()
    policy = kit.load_model("gpt2", fallback="small-lm")
    assert isinstance(policy, kit.Policy)
    assert policy.lm.config.n_layer == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("'gpt2' is neither a folder here nor in the hub's cache")
    assert said[1:] == ["small-lm stands in for gpt2."]
    model, tokenizer = kit.load_model("lvwerra/distilbert-imdb", fallback="small-judge")
    assert (model.config.num_labels, tokenizer.eos_token) == (2, "<eos>")
    assert "由 small-judge 顶替 lvwerra/distilbert-imdb。" in capsys.readouterr().err       # it reads Chinese
    assert kit.load_model(folders["gpt2"], fallback="small-lm").lm.config.n_layer == 2
    assert capsys.readouterr().err == f"{folders['gpt2']} is loaded.\n"


def test_load_model_falls_back_for_what_is_unavailable_and_for_nothing_else(small_zoo, folders, monkeypatch):
    with pytest.raises(ValueError, match="fallback is 'gpt2'; expected one of small-judge, small-lm"):
        kit.load_model("gpt2", fallback="gpt2")
    with pytest.raises(TypeError):
        kit.load_model(folders["gpt2"], fallback="small-lm", colour="red")
    monkeypatch.setattr(loading, "load_policy", lambda *a, **k: (_ for _ in ()).throw(MemoryError("too large")))
    with pytest.raises(MemoryError):
        kit.load_model(folders["gpt2"], fallback="small-lm")
