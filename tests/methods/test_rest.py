"""ReST: Grow and Improve on a small task, what is counted and kept, and that a run goes on where it stopped."""

from dataclasses import replace

import pytest
import torch

from rlhf_kit.methods import rest, sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.rewards import Normalised
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.storage import StorageError

WORDS = ["lamp", "kettle", "bag", "chair"]
COLOURS = ["red", "blue", "green", "small"]
PROMPTS = [f"the {a} is" for a in WORDS]
ORIGINAL = [(f"the {a} is", f" {b}.") for a in WORDS for b in COLOURS for _ in range(3)]
QUICK = rest.Config(grows=2, responses=8, thresholds=(0.3, 0.6), updates=12, batch_size=8, learning_rate=3e-3,
                    sampling=Sampling(max_new_tokens=6, temperature=1.0))


@pytest.fixture(scope="module")
def imitated():
    """The weights of a policy that has learnt to write the original data."""
    policy = new_policy()
    sft.train(policy, ORIGINAL, sft.Config(steps=60, batch_size=16, learning_rate=1e-2, warmup=5, max_length=16))
    return {name: value.clone() for name, value in policy.lm.state_dict().items()}


def new_policy(weights=None):
    tokenizer = text.train_tokenizer([x + y for x, y in ORIGINAL], 60)
    policy = Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=24), tokenizer)
    if weights:
        policy.lm.load_state_dict(weights)
    return policy


def worth(prompts, responses):
    """Red is what we want, blue is half as good."""
    return [1.0 if r == " red." else 0.5 if r == " blue." else 0.0 for r in responses]


def mean_worth(policy):
    written = generate(policy, PROMPTS * 50, Sampling(max_new_tokens=6), seed=5)
    return sum(worth(None, written)) / len(written)


def all_weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.lm.parameters()])


def test_reward_rises_and_fewer_are_kept_with_each_improve(imitated):
    policy = new_policy(imitated)
    before, history = mean_worth(policy), rest.train(policy, PROMPTS, ORIGINAL, worth, QUICK)
    firsts = [step.metrics for step in history[::QUICK.updates]]
    assert [(m["grow"], m["improve"], m["threshold"]) for m in firsts] == [(1, 1, 0.3), (1, 2, 0.6), (2, 1, 0.3),
                                                                          (2, 2, 0.6)]
    assert firsts[1]["kept"] < firsts[0]["kept"] < firsts[0]["drawn"] == 32
    assert firsts[0]["kept_score"] < firsts[1]["kept_score"] == 1
    assert firsts[2]["score"] > firsts[0]["score"] + 0.2                    # the second Grow draws better responses
    assert mean_worth(policy) > before + 0.2


def test_the_reward_is_asked_once_for_each_drawn_response_however_many_improves():
    for thresholds in ((0.3,), (0.1, 0.2, 0.3, 0.4)):
        asked = []

        def half(prompts, responses, asked=asked):
            asked += responses
            return [0.5] * len(responses)
        history = rest.train(new_policy(), PROMPTS, ORIGINAL, half, replace(QUICK, thresholds=thresholds, updates=1))
        assert len(asked) == 2 * 4 * 8 == history[-1].metrics["reward_calls"]


@pytest.mark.parametrize("loss", ["bc", "gold", "bvmpo", "oac"])
def test_every_loss_raises_the_reward(imitated, loss):
    policy = new_policy(imitated)
    before = mean_worth(policy)
    rest.train(policy, PROMPTS, ORIGINAL, worth, replace(QUICK, loss=loss, grows=1, responses=16, learning_rate=1e-3))
    assert mean_worth(policy) > before + 0.1


def test_the_critics_guesses_are_asked_for_the_original_data_too(imitated):
    history = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, replace(QUICK, loss="oac", updates=1, grows=1))
    assert history[-1].metrics["reward_calls"] == 32 + len(ORIGINAL)


def test_percentiles_and_what_lies_between_mean_and_best(imitated):
    config = replace(QUICK, updates=1, grows=1, kind="percentile", thresholds=(0.0, 50.0))
    half = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, config)[1].metrics
    assert half["kept"] <= 16
    config = replace(config, kind="interpolated", thresholds=(0.25,))
    between = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, config)[0].metrics
    assert between["threshold"] == pytest.approx(0.25 * 1 + 0.75 * between["score"])


def test_raft_is_one_improve_on_the_best_share():
    config = rest.raft(replace(QUICK, responses=4))
    assert (config.thresholds, config.kind, config.original_share) == ((75.0,), "percentile", 0.0)


def test_evaluation_rewards_are_reported_and_never_filtered_by(imitated):
    plain = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, replace(QUICK, updates=2, grows=1))
    seen = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, replace(QUICK, updates=2, grows=1),
                      evaluation_rewards={"gold": lambda p, r: [float(len(x)) for x in r]})
    assert [s.metrics["loss"] for s in plain] == [s.metrics["loss"] for s in seen]
    assert seen[0].metrics["drawn_gold"] > 1


CUT = {loss: replace(QUICK, loss=loss, value_updates=5) for loss in ("bc", "bvmpo")}


@pytest.fixture(scope="module")
def whole(imitated):
    """The weights at the end of a run in one go, by its loss."""
    found = {}
    for loss, config in CUT.items():
        rest.train(policy := new_policy(imitated), PROMPTS, ORIGINAL, worth, config)
        found[loss] = all_weights(policy)
    return found


@pytest.mark.parametrize("stop", [3, 11, 12, 25, 40])
@pytest.mark.parametrize("loss", CUT)
def test_a_run_cut_short_anywhere_ends_with_the_same_weights(imitated, whole, tmp_path, stop, loss):
    config, cut, later = CUT[loss], new_policy(imitated), new_policy(imitated)
    for step in rest.steps(cut, PROMPTS, ORIGINAL, worth, config, checkpoint=tmp_path, checkpoint_every=3):
        if step.number == stop:
            break
    again = rest.train(later, PROMPTS, ORIGINAL, worth, config, checkpoint=tmp_path)
    assert len(again) == config.steps
    assert torch.equal(whole[loss], all_weights(later))


@pytest.mark.parametrize("stop", [3, 5, 7])
def test_a_reward_that_remembers_goes_on_remembering(imitated, tmp_path, stop):
    """Stopped within a Grow, before the next one, and after that one was drawn but before a checkpoint behind it."""
    config = replace(QUICK, grows=3, updates=3, kind="percentile", thresholds=(25, 50))
    whole = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, Normalised(worth), config)
    for step in rest.steps(new_policy(imitated), PROMPTS, ORIGINAL, Normalised(worth), config, checkpoint=tmp_path,
                           checkpoint_every=3):
        if step.number == stop:
            break
    again = rest.train(new_policy(imitated), PROMPTS, ORIGINAL, Normalised(worth), config, checkpoint=tmp_path)
    assert [step.metrics["score"] for step in again] == [step.metrics["score"] for step in whole]


def test_a_resumed_run_has_its_data_where_the_policy_is(imitated, tmp_path, monkeypatch):
    """A file is read into memory; the policy may stand elsewhere, such as on a GPU (here: on no device at all)."""
    for step in rest.steps(new_policy(imitated), PROMPTS, ORIGINAL, worth, QUICK, checkpoint=tmp_path,
                           checkpoint_every=1):
        if step.number == 2:
            break
    places = []

    def noted(batch, *_):
        places.append({batch.prompt_ids.device.type, batch.mask.device.type, batch.logprob.device.type})
        raise InterruptedError
    monkeypatch.setattr(rest, "check", lambda *_: None)
    monkeypatch.setattr(rest, "passes", noted)
    monkeypatch.setattr(Policy, "device", torch.device("meta"))
    with pytest.raises(InterruptedError):
        rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, QUICK, checkpoint=tmp_path)
    assert places == [{"meta"}]


def test_another_run_does_not_learn_from_this_ones_data(imitated, tmp_path):
    rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, replace(QUICK, updates=1), checkpoint=tmp_path)
    (tmp_path / "checkpoint.safetensors").unlink()
    with pytest.raises(StorageError, match="other settings"):
        rest.train(new_policy(imitated), PROMPTS, ORIGINAL, worth, replace(QUICK, updates=1, responses=4),
                   checkpoint=tmp_path)


def test_passes_of_few_tokens_give_the_same_gradient(imitated):
    for loss in ("bc", "bvmpo"):
        found = []
        for tokens in (None, 20):
            policy = new_policy(imitated)
            rest.train(policy, PROMPTS, ORIGINAL, worth, replace(QUICK, loss=loss, updates=1, grows=1, value_updates=5,
                                                                 tokens_per_pass=tokens))
            found.append(all_weights(policy))
        assert torch.allclose(*found, atol=1e-4)


@pytest.mark.parametrize(("settings", "words"), [
    ({"thresholds": (0.7, 0.7)}, "must rise"), ({"thresholds": (0.9, 0.8)}, "must rise"), ({"thresholds": ()}, "must"),
    ({"thresholds": (0.7, 1.0)}, "below 1"),             # a fixed threshold is for rewards up to 1
    ({"kind": "percentile", "thresholds": (50.0, 100.0)}, "below 100"),
    ({"kind": "interpolated", "thresholds": (0.5, 1.0)}, "below 1"), ({"loss": "dpo"}, "one of"),
    ({"original_share": 1.0}, "nothing that was drawn"), ({"loss": "bvmpo", "batch_size": 1}, "at least 2"),
    ({"anchor": (1.0, -1.0)}, "none below 0"), ({"anchor": ()}, "two numbers"), ({"gold_floor": 1.5}, "gold_floor"),
    ({"rate_ratio": 0.0}, "above 0"), ({"updates": 0}, "at least 1"),
])
def test_bad_settings_are_one_line(settings, words):
    with pytest.raises(ValueError, match=words):
        rest.Config(**settings)


def test_original_data_that_the_model_cannot_read_are_told_before_anything_is_drawn():
    asked = []

    def noted(prompts, responses):
        asked.extend(responses)
        return worth(prompts, responses)
    with pytest.raises(ValueError, match=r"^1 of 49 original responses.*number 49 has .* reads 24 at most") as error:
        rest.train(new_policy(), PROMPTS, [*ORIGINAL, ("the lamp is", " red." * 20)], noted, QUICK)
    assert not asked
    assert "\n" not in str(error.value)


def test_a_threshold_that_leaves_nothing_is_told_before_anything_is_learnt(imitated):
    policy = new_policy(imitated)
    before = all_weights(policy).clone()

    def half(prompts, responses):
        return [x / 2 for x in worth(prompts, responses)]
    with pytest.raises(ValueError, match=r"leaves none of the 32.*0.3 still leaves"):
        rest.train(policy, PROMPTS, ORIGINAL, half, replace(QUICK, thresholds=(0.3, 0.5)))
    assert torch.equal(before, all_weights(policy))


def test_rewards_beyond_0_and_1_want_another_kind_of_threshold(imitated):
    def marks(prompts, responses):
        return [10 * x - 3 for x in worth(prompts, responses)]
    with pytest.raises(ValueError, match=r"run from -3 to 7.*percentile"):
        rest.train(new_policy(imitated), PROMPTS, ORIGINAL, marks, QUICK)
    rest.train(new_policy(imitated), PROMPTS, ORIGINAL, marks, replace(QUICK, kind="percentile", thresholds=(20.0,),
                                                                       updates=1, grows=1))


def test_data_the_wrong_way_round_or_missing_are_told(imitated):
    with pytest.raises(ValueError, match="wrong way round"):
        next(rest.steps(new_policy(imitated), PROMPTS, [(y, x) for x, y in ORIGINAL], worth, QUICK))
    with pytest.raises(ValueError, match="no original"):
        next(rest.steps(new_policy(imitated), PROMPTS, [], worth, QUICK))
    with pytest.raises(ValueError, match="pair of texts"):
        next(rest.steps(new_policy(imitated), PROMPTS, ["the lamp is red."], worth, QUICK))
    with pytest.raises(ValueError, match="no prompts"):
        next(rest.steps(new_policy(imitated), [], ORIGINAL, worth, QUICK))
    next(rest.steps(new_policy(imitated), PROMPTS, [], worth, replace(QUICK, original_share=0.0)))
