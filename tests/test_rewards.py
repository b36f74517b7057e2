"""A reward is a function: what it may return, and the usual ones against numbers worked out by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from rlhf_kit import rewards, zoo
from rlhf_kit.models import tiny
from rlhf_kit.rewards import Normalised, RewardError, RunningMoments

ORACLE = json.loads((Path(__file__).parent / "data" / "oracle_trl0114.json").read_text())["score_scaling"]["steps"]
PROMPTS, RESPONSES = ["the lamp is", "the bag", "the"], [" sturdy.", " broke", " very pretty lamp"]
close = torch.testing.assert_close


def always(answer):
    return lambda prompts, responses: answer


def said(reward, prompts=PROMPTS, responses=RESPONSES) -> list[float]:
    return torch.as_tensor(reward(prompts, responses)).tolist()


# What a reward may return.

@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, dtype=np.float16), torch.tensor,
                                  lambda x: torch.tensor(x, dtype=torch.float64), lambda x: [np.float64(y) for y in x],
                                  lambda x: [torch.tensor(y) for y in x],
                                  lambda x: torch.tensor(x, requires_grad=True)])
def test_any_row_of_numbers_is_a_score(rollout, kind):
    numbers = [i / 4 for i in range(len(rollout))]
    score = rewards.score(always(kind(numbers)), rollout)
    assert score.tolist() == numbers
    assert (score.dtype, score.requires_grad) == (torch.float32, False)


@pytest.mark.parametrize("numbers", [[True, False] * 8, [1, 0] * 8])
def test_yes_and_no_are_one_and_zero(rollout, numbers):
    assert rewards.score(always(numbers), rollout).tolist() == [1.0, 0.0] * 8


@pytest.mark.parametrize(("answer", "seen"), [
    (None, "NoneType None"),
    ("good", "str 'good'"),
    (["good"] * 16, r"list \['good', 'good'"),
    ([0.5, None] * 8, "list .0.5, None"),
    ({"score": 1.0}, "dict {'score': 1.0}"),
    ((x for x in [0.5] * 16), "generator"),
    (np.array([["a"]] * 16), "ndarray array"),
    ([[1.0], [1.0, 2.0]] * 8, r"list \[\[1.0\], \[1.0, 2.0\]"),
    ([10**400] * 16, "list .1000"),
    (0.5, r"shape \(\) for 16 responses"),
    ([0.5] * 15, r"shape \(15,\) for 16 responses"),
    ([[0.5]] * 16, r"shape \(16, 1\) for 16 responses"),
    (torch.zeros(2, 16), r"shape \(2, 16\) for 16"),
    ([0.5] * 3 + [math.nan] * 13, "nan for response 3"),
    ([0.5] * 15 + [-math.inf], "-inf for response 15"),
    ([1e300] + [0.5] * 15, "inf for response 0"),
])
def test_anything_else_is_refused_in_one_line_that_names_the_function(rollout, answer, seen):
    def my_reward(prompts, responses):
        return answer

    with pytest.raises(RewardError, match=rf"my_reward returned {seen}.*expected") as caught:
        rewards.score(my_reward, rollout)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_class_with_a_call_is_named_too(rollout):
    class Taste:
        def __call__(self, prompts, responses):
            return None

    with pytest.raises(RewardError, match="the reward function Taste returned None"):
        rewards.score(Taste(), rollout)


def test_an_error_of_the_function_itself_is_left_alone(rollout):
    with pytest.raises(ZeroDivisionError):
        rewards.score(lambda prompts, responses: [1 / 0 for _ in responses], rollout)


def test_a_reward_is_asked_about_the_texts(rollout):
    seen = []
    rewards.score(lambda prompts, responses: seen.extend([prompts, responses]) or [0.0] * len(prompts), rollout)
    assert seen == [rollout.prompts, rollout.responses]


def test_a_reward_on_tokens_is_asked_about_ids_with_the_end_and_without_padding(rollout, tokenizer):
    seen = []
    rewards.score(rewards.on_tokens(lambda p, r: seen.extend([p, r]) or [0.0] * len(p)), rollout)
    assert seen[0] == [tokenizer(prompt, add_special_tokens=False).input_ids for prompt in rollout.prompts]
    for row, ids in enumerate(seen[1]):
        drawn, end = rollout.response_ids[row].tolist(), tokenizer.eos_token_id
        assert ids == (drawn[:drawn.index(end) + 1] if end in drawn else drawn)


# Classifiers.

def judge(tokenizer, names: dict[int, str], context: int = 32):
    model = tiny.classifier(tokenizer, layers=1, width=16, heads=2, context=context)
    if len(names) != 2:
        model.classifier = torch.nn.Linear(16, len(names))
    model.config.id2label = names
    return opinionated(model)


def opinionated(model):
    """Weights so large that every text gets another answer."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model.eval()


def by_hand(model, tokenizer) -> list[list[float]]:
    """The probability of every label for each text, one text at a time."""
    texts = ["the lamp is sturdy.", "the bag broke", "the very pretty lamp"]
    logits = [model(input_ids=torch.tensor([tokenizer(text).input_ids])).logits[0].tolist() for text in texts]
    return [[math.exp(z) / sum(math.exp(x) for x in row) for z in row] for row in logits]


@pytest.mark.parametrize("names", [{0: "negative", 1: "positive"}, {0: "POSITIVE", 1: "NEGATIVE"},
                                   {0: "bad", 1: "positive (stars 4 and 5)", 2: "so-so"},
                                   {0: "positively bad", 1: "positive"}])
def test_the_label_is_found_by_its_name_wherever_it_stands(tokenizer, names):
    model = judge(tokenizer, names)
    index = next(i for i, name in names.items() if name.lower() in ("positive", "positive (stars 4 and 5)"))
    expected = [row[index] for row in by_hand(model, tokenizer)]
    assert said(rewards.classifier(model, tokenizer)) == pytest.approx(expected, abs=1e-6)
    assert max(expected) - min(expected) > 0.01


def test_another_label_may_be_asked_for(tokenizer):
    model = judge(tokenizer, {0: "negative", 1: "positive"})
    good, bad = (said(rewards.classifier(model, tokenizer, label=label)) for label in ("positive", "Negative"))
    assert [g + b for g, b in zip(good, bad, strict=True)] == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("names", [{0: "negative", 1: "positive"}, {0: "bad", 1: "positive", 2: "so-so"}])
def test_log_odds_are_those_of_the_probability(tokenizer, names):
    model = judge(tokenizer, names)
    log_odds = said(rewards.classifier(model, tokenizer, output="log_odds"))
    assert log_odds == pytest.approx([math.log(row[1] / (1 - row[1])) for row in by_hand(model, tokenizer)], abs=1e-5)
    if len(names) == 2:
        probability = said(rewards.classifier(model, tokenizer))
        assert [1 / (1 + math.exp(-x)) for x in log_odds] == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("names", [{0: "LABEL_0", 1: "LABEL_1"}, {0: "positive a", 1: "positive b"}])
def test_a_label_that_is_not_there_or_not_clear_is_refused_with_the_names(tokenizer, names):
    with pytest.raises(RewardError, match=f"no label 'positive'.*{names[0].lower()}, {names[1].lower()}"):
        rewards.classifier(judge(tokenizer, names), tokenizer)


def test_texts_longer_than_the_classifiers_context_are_cut(tokenizer):
    """RoBERTa's first position comes behind its padding id, so of 18 places only 17 can be read."""
    small = {"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16, "pad_token_id": 0, "id2label": {0: "negative", 1: "positive"}}
    roberta = opinionated(RobertaForSequenceClassification(RobertaConfig(max_position_embeddings=18, **small)))
    for model in (judge(tokenizer, {0: "negative", 1: "positive"}, context=17), roberta):
        read = []
        model.register_forward_pre_hook(lambda module, args, given, read=read: read.append(given["input_ids"].shape),
                                        with_kwargs=True)
        said(rewards.classifier(model, tokenizer), ["the lamp is"], [" very" * 50])
        assert read == [(1, 17)]


# Rewards without a model.

def test_gold_asks_the_task_about_each_pair():
    class Task:
        def gold(self, prompt, response):
            return len(prompt) + len(response) / 100

    assert said(rewards.gold(Task())) == pytest.approx([11.08, 7.06, 3.17])


def test_length_by_hand():
    texts = ["x" * n for n in (0, 2, 4, 5, 8, 20)]
    assert said(rewards.length(4), [""] * 6, texts) == [0.0, 0.5, 1.0, 0.75, 0.0, 0.0]


def test_rules_give_the_share_that_is_kept():
    reward = rewards.rules({"ends": lambda p, r: r.endswith("."), "on topic": lambda p, r: "lamp" in p + r,
                            "truthy": lambda p, r: len(r)})
    assert said(reward) == pytest.approx([1.0, 1 / 3, 2 / 3])


def test_a_weighted_sum_by_hand():
    reward = rewards.weighted([(2.0, always([1.0, 0.0, 0.5])), (-0.5, always(torch.tensor([1.0, 2.0, 3.0])))])
    assert said(reward) == [1.5, -1.0, -0.5]


def test_an_ensemble_by_hand():
    members = [always([1.0, 0.0, 0.5]), always([1.2, 0.0, 0.5]), always([2.6, 3.0, 0.5])]
    assert said(rewards.ensemble(members, "mean")) == pytest.approx([1.6, 1.0, 0.5])
    assert said(rewards.ensemble(members, "worst")) == [1.0, 0.0, 0.5]
    assert said(rewards.ensemble(members, "uwo", 0.5)) == pytest.approx([1.34667, 0.0, 0.5], abs=1e-4)     # variance 2
    assert rewards.ensemble(members, "uwo", 0.1).__name__.startswith("uwo(")
    with pytest.raises(ValueError, match="combination is 'median'"):
        rewards.ensemble(members, "median")


def test_clipping_by_hand():
    assert said(rewards.clipped(always([-3.0, 0.25, 3.0]), -1, 2)) == [-1.0, 0.25, 2.0]


@pytest.mark.parametrize("wrap", [lambda f: rewards.weighted([(1.0, f)]), lambda f: rewards.clipped(f, -1, 1),
                                  Normalised])
def test_a_bad_part_is_named_behind_whatever_is_wrapped_around_it(wrap):
    def my_part(prompts, responses):
        return [math.nan] * len(responses)

    with pytest.raises(RewardError, match="my_part returned nan"):
        wrap(my_part)(PROMPTS, RESPONSES)


@pytest.mark.parametrize(("make", "named"), [
    (lambda: rewards.length(0), "target is 0"), (lambda: rewards.rules({}), "no rules"),
    (lambda: rewards.weighted([]), "no parts"), (lambda: rewards.ensemble([], "mean"), "no members"),
    (lambda: rewards.clipped(always(0), 1, 1), "low is 1 and high is 1"),
])
def test_settings_that_mean_nothing_are_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()


# Scores in units of their own spread.

def test_running_moments_agree_with_trl():
    moments = RunningMoments()
    for step in ORACLE:
        moments.update(torch.tensor(step["scores"]))
        assert moments.count == step["running_count"]
        assert moments.mean == pytest.approx(step["running_mean"], abs=1e-5)
        assert moments.std == pytest.approx(step["running_std"], rel=1e-5)


@pytest.mark.parametrize(("options", "key"), [({}, "scaled_and_normed"), ({"centre": False}, "scaled")])
def test_normalised_scores_agree_with_trl(options, key):
    batches = iter([step["scores"] for step in ORACLE])
    reward = Normalised(lambda prompts, responses: next(batches), **options)
    for step in ORACLE:
        assert said(reward, [""] * 8, [""] * 8) == pytest.approx(step[key], abs=1e-5)


def test_normalised_scores_are_clipped_last():
    reward = Normalised(always([-9.0, 0.0, 0.0, 0.0, 0.0, 9.0]), clip=1.0)
    assert said(reward, [""] * 6, [""] * 6) == [-1.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def test_moments_of_batches_are_those_of_all_numbers_together():
    x = torch.randn(50, generator=torch.Generator().manual_seed(0)) * 3 + 1000
    moments = RunningMoments()
    for part in x.split([1, 7, 2, 40]):
        moments.update(part)
    assert moments.mean == pytest.approx(np.mean(x.double().numpy()))
    assert moments.std == pytest.approx(np.std(x.double().numpy(), ddof=1))


def test_one_number_has_no_spread():
    moments = RunningMoments()
    moments.update(torch.tensor([5.0]))
    assert (moments.mean, moments.std) == (5.0, 1.0)


def test_a_resumed_scale_goes_on_as_if_never_stopped():
    def stream():
        return Normalised(lambda prompts, responses: [float(r) for r in responses])

    whole, resumed = stream(), stream()
    whole(["", ""], ["1", "5"])
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert said(resumed, ["", ""], ["2", "9"]) == said(whole, ["", ""], ["2", "9"])


def test_what_is_built_from_a_reward_on_tokens_is_one_too(rollout):
    ids = rewards.on_tokens(lambda prompts, responses: [float(len(r)) for r in responses])
    wanted = rollout.length.float()
    for built in (rewards.weighted([(1.0, ids)]), rewards.clipped(ids, 0, 1e9)):
        assert torch.equal(rewards.score(built, rollout), wanted)
    assert rewards.wants_tokens(rewards.Normalised(ids))
    with pytest.raises(ValueError, match="all of them or none"):
        rewards.weighted([(1.0, ids), (1.0, rewards.length(5))])


REWORDED = [lambda f: rewards.on_prompts(f, {}), lambda f: rewards.on_responses(f, str),
            lambda f: rewards.of_chats(f, {})]


@pytest.mark.parametrize("reworded", REWORDED)
def test_a_reward_that_is_handed_other_texts_still_remembers(reworded):
    remembers = Normalised(lambda prompts, responses: [float(r) for r in responses])
    wrapped = reworded(remembers)
    wrapped(["", ""], ["1", "5"])
    kept = rewards.Memory({"reward": wrapped}).state_dict()
    other = Normalised(lambda prompts, responses: [float(r) for r in responses])
    rewards.Memory({"reward": reworded(other)}).load_state_dict(json.loads(json.dumps(kept)))
    assert (other.moments.count, other.moments.mean) == (2, 3.0)


@pytest.mark.parametrize("reworded", REWORDED)
def test_a_reward_on_tokens_is_handed_no_other_texts(rollout, reworded):
    ids = rewards.on_tokens(lambda prompts, responses: [float(len(r)) for r in responses])
    assert torch.equal(rewards.score(reworded(ids), rollout), rollout.length.float())


# A function in a file of one's own.

def own(folder, content, name="reward"):
    (folder / "mine.py").write_text(content)
    return rewards.from_file(f"{folder / 'mine.py'}:{name}")


def test_a_function_in_a_file_scores_as_it_stands_there(tmp_path):
    reward = own(tmp_path, "FACTOR = 2\n"
                           "def reward(prompts, responses):\n    return [FACTOR * len(r) for r in responses]\n")
    assert said(reward, ["", ""], ["a", "four"]) == [2, 8]


def test_its_name_changes_with_the_content_of_its_file_and_only_then(tmp_path):
    code = "def reward(prompts, responses):\n    return [1.0 for _ in responses]\n"
    (tmp_path / "elsewhere").mkdir()
    first, same, other = own(tmp_path, code), own(tmp_path / "elsewhere", code), own(tmp_path, code + "\n")
    assert rewards.name_of(first) == rewards.name_of(same) != rewards.name_of(other)
    assert rewards.name_of(first).startswith("reward@")


def test_a_failure_inside_names_the_last_line_of_the_own_file(tmp_path):
    reward = own(tmp_path, "import json\ndef help_out(r):\n    return json.loads(r)\n"
                           "def reward(prompts, responses):\n    return [help_out(r) for r in responses]\n")
    with pytest.raises(RewardError, match=r"mine\.py line 3: JSONDecodeError"):
        reward([""], ["{"])


def test_what_a_function_keeps_and_wants_is_kept_and_wanted_from_a_file_too(tmp_path):
    reward = own(tmp_path, "from rlhf_kit.rewards import Normalised, on_tokens\n"
                           "reward = Normalised(on_tokens(lambda prompts, responses: [len(r) for r in responses]))\n")
    assert rewards.wants_tokens(reward)
    reward([[]] * 2, [[1], [1, 2, 3]])
    fresh = own(tmp_path, (tmp_path / "mine.py").read_text())
    fresh.load_state_dict(json.loads(json.dumps(reward.state_dict())))
    assert said(fresh, [[]] * 2, [[1], [1, 2]]) == said(reward, [[]] * 2, [[1], [1, 2]])


def test_a_normalised_rewards_own_reward_may_remember_too():
    """Statistics within statistics come back both."""
    def made():
        return Normalised(rewards.weighted([(1.0, Normalised(lambda prompts, responses: [len(r) for r in responses]))]))
    first, second = made(), made()
    first(["", ""], ["a", "abcd"])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert second(["", ""], ["ab", "abc"]).tolist() == first(["", ""], ["ab", "abc"]).tolist()
    plain = Normalised(lambda prompts, responses: [len(r) for r in responses])
    plain.load_state_dict({"count": 2.0, "mean": 1.0, "squares": 0.5})              # of a checkpoint from before
    assert plain.moments.count == 2


# Other people's functions and judges

def test_a_function_with_trls_signature_gets_completions_and_columns_by_keyword(tmp_path):
    """As GRPOTrainer calls it: def reward(completions, answer, **kwargs)."""
    code = ("def reward(completions, answer, **others):\n"
            "    return [float(a in c) for a, c in zip(answer, completions)]\n")
    rows = [{"prompt": "1+1", "answer": "2"}, {"prompt": "2+2", "answer": "4"}]
    (tmp_path / "mine.py").write_text(code)
    asked = rewards.from_file(f"{tmp_path}/mine.py:reward", rows)
    assert said(asked, ["2+2", "1+1", "1+1"], ["= 4", "= 4", "= 2"]) == [1, 0, 1]
    with pytest.raises(RewardError, match=r"asks for answer; there are prompts, completions\. Give the"):
        rewards.from_file(f"{tmp_path}/mine.py:reward")(["1+1"], ["2"])


def test_trls_function_may_want_nothing_but_completions():
    assert said(rewards.from_trl(lambda completions: [len(c) for c in completions]), ["a"] * 2, ["b", "bb"]) == [1, 2]


def test_a_file_may_import_its_neighbours_now_and_when_it_is_called(tmp_path):
    (tmp_path / "neighbour_now.py").write_text("LIKED = 'tea'\n")
    (tmp_path / "neighbour_later.py").write_text("WEIGHT = 3\n")
    reward = own(tmp_path, "from neighbour_now import LIKED\ndef reward(prompts, responses):\n"
                           "    from neighbour_later import WEIGHT\n"
                           "    return [WEIGHT * r.count(LIKED) for r in responses]\n")
    assert said(reward, [""] * 2, ["tea", "coffee"]) == [3, 0]


def test_a_pandas_series_is_as_many_numbers_whatever_its_index():
    series = pytest.importorskip("pandas").Series([1.0, 2.0, 3.0], index=[7, 8, 9])
    assert rewards.checked(series, 3, len).tolist() == [1, 2, 3]


def test_a_pipeline_of_scikit_learn_is_a_judge():
    text, linear = pytest.importorskip("sklearn.feature_extraction.text"), pytest.importorskip("sklearn.linear_model")
    from sklearn.pipeline import make_pipeline
    texts, labels = ["good tea", "good cake", "bad tea", "bad soup"] * 5, ["fine", "fine", "poor", "poor"] * 5
    fitted = make_pipeline(text.TfidfVectorizer(), linear.LogisticRegression()).fit(texts, labels)
    kind = rewards.sklearn(fitted, label="fine")
    good, bad = said(kind, ["good ", "bad "], ["cake", "soup"])
    assert good > 0.6 > 0.4 > bad
    assert rewards.range_of(kind) == (0, 1)
    assert said(rewards.sklearn(fitted), ["good "], ["cake"]) == pytest.approx([1 - good])     # the last class
    with pytest.raises(RewardError, match="no class 'kind'; it has fine, poor"):
        rewards.sklearn(fitted, label="kind")
    with pytest.raises(ValueError, match="str has no predict"):
        rewards.sklearn("model.joblib")


def test_a_classifier_reads_the_end_of_a_long_text_and_says_once_that_it_cuts(judge_of_24, capsys):
    model, tokenizer = judge_of_24
    long = ["the lamp is very sturdy, and it works. " * 4, "the lamp is not cheap, and it broke. " * 4]
    by_end, by_start, by_both = (rewards.classifier(model, tokenizer, keep=keep) for keep in ("end", "start", "both"))
    ends = [" the pen is loud.", " the bag is pretty."]
    assert said(by_start, long[:1] * 2, ends) == pytest.approx([said(by_start, long[:1], [""])[0]] * 2)
    assert len(set(said(by_end, long[:1] * 2, ends))) == 2
    assert len(set(said(by_both, long[:1] * 2, ends))) == len(set(said(by_both, long, ends[:1] * 2))) == 2
    capsys.readouterr()
    again = rewards.classifier(model, tokenizer)
    again(["the lamp"], [" works."])
    assert capsys.readouterr().err == ""
    for _ in range(2):
        again([long[0], "the lamp"], ["", ""])
    assert capsys.readouterr().err == ("1 of 2 texts are longer than the 24 tokens that the judge reads; it reads "
                                       "their end.\n")


@pytest.fixture
def judge_of_24(tokenizer):
    return tiny.classifier(tokenizer, layers=1, width=16, context=24), tokenizer


def test_a_classifier_comes_by_its_folder(judge_of_24, tmp_path):
    zoo.save_classifier(*judge_of_24, tmp_path / "judge")
    by_name = rewards.classifier(tmp_path / "judge")
    assert said(by_name, ["the lamp"], [" works."]) == pytest.approx(said(rewards.classifier(*judge_of_24),
                                                                         ["the lamp"], [" works."]))
    with pytest.raises(ValueError, match=r"Take kit.rewards.classifier\(\*kit.load_classifier\('tiny-judge-en'\)\)"):
        rewards.classifier("tiny-judge-en")
    with pytest.raises(ValueError, match="there is no tokenizer"):
        rewards.classifier(judge_of_24[0])


def test_trl_hands_over_messages_and_gets_plain_numbers():
    """Prompts as they are written for the judge, answers as a person reads them; other columns are passed over."""
    seen = []

    def length(prompts, responses):
        seen.extend(zip(prompts, responses, strict=True))
        return [float(len(r)) for r in responses]
    question = [{"role": "user", "content": "How?"}]
    score = rewards.for_trl(length, lambda chat: f"<{chat[-1].text}>")
    assert score(prompts=[question, "plain"], completions=[[{"role": "assistant", "content": "So."}], "text"],
                 answer=[1, 2], trainer_state=None) == [3.0, 4.0]
    assert seen == [("<How?>", "So."), ("plain", "text")]
    assert rewards.from_trl(rewards.for_trl(length))(["a"], ["bcd"]) == [3.0]             # there and back
    with pytest.raises(rewards.RewardError):
        rewards.for_trl(lambda prompts, responses: [1.0])(prompts=["a", "b"], completions=["c", "d"])
