"""Preference models of the labs: a warm start from votes (PMP), weights of two kinds, choices with distractors."""

import copy
import random
from dataclasses import replace

import pytest
import torch

from rlhf_kit import rewards
from rlhf_kit.datasets.recast import binarised, choices, turned, with_distractors
from rlhf_kit.evaluate import agreement
from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.methods import reward_model
from rlhf_kit.models import text, tiny
from rlhf_kit.storage import StorageError

NOUNS = ("lamp", "bag", "pen", "chair", "kettle", "shelf")
GOOD = ("sturdy", "pretty", "quiet", "cheap", "bright", "solid", "gentle", "handy")
BAD = ("loud", "ugly", "weak", "dear", "dull", "rough", "clumsy", "shaky")
QUICK = reward_model.Config(steps=6, batch_size=6, max_length=40, learning_rate=5e-3, warmup=2)


def pairs(n, seed, ask="how is the {} ?", drop=0):
    """A good word against a bad one; of `drop` of them nothing is said."""
    rng = random.Random(seed)
    good, bad = GOOD[drop:], BAD[drop:]
    return [Comparison(ask.format(noun := rng.choice(NOUNS)), f" the {noun} is {rng.choice(good)} .",
                       f" the {noun} is {rng.choice(bad)} .") for _ in range(n)]


@pytest.fixture(scope="module")
def reader():
    """A tokenizer that knows all these words, and the ratings."""
    some = [one.prompt + side for one in pairs(300, 0) + pairs(100, 1, "votes on the {} :")
            for side in (one.chosen, one.rejected)]
    return text.train_tokenizer([*some, *(one.chosen for one in binarised(pairs(20, 2))), "harm :"], 120)


def fresh(reader, seed=0, **sizes):
    return tiny.reward_model(reader, **{"layers": 1, "width": 32, "heads": 2, "context": 40, "seed": seed, **sizes})


def accuracy(model, examined):
    return agreement(rewards.learned(model), [Ranking(one.prompt, (one.chosen, one.rejected), (1, 2))
                                              for one in examined]).pair_accuracy.mean


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ranked", "binarised"])
def test_votes_are_a_warm_start_that_shows_where_labels_are_few(reader, form):
    """Votes on other questions first: with 3 labels far ahead, with 400 no more than .03 apart; three seeds' means."""
    votes, examined = pairs(300, 1, "votes on the {} :"), pairs(200, 99)
    votes = binarised(votes) if form == "binarised" else votes
    won = {3: [], 400: []}
    for seed in range(3):
        start = fresh(reader, seed)
        reward_model.train(start, votes, replace(QUICK, steps=80, batch_size=16, seed=seed))
        for n, steps in ((3, 10), (400, 120)):
            models = fresh(reader, seed), copy.deepcopy(start)
            for model in models:
                reward_model.train(model, pairs(n, seed), replace(QUICK, steps=steps, batch_size=8, seed=seed))
            won[n].append([accuracy(model, examined) for model in models])
    few, many = (torch.tensor(won[n]).mean(0).tolist() for n in (3, 400))        # (from nothing, warm) each
    assert few[1] > few[0] + 0.05
    assert abs(many[1] - many[0]) < 0.03


def in_harm(some):
    """The same asked by somebody who means harm."""
    return [replace(one, prompt=one.prompt.replace("how", "harm : how")) for one in some]


@pytest.mark.slow
def test_helpful_labels_alone_are_below_chance_where_the_less_harmful_answer_wins(reader):
    """Who tries to do harm picks the *more harmful* answer, here the obliging one. Turned round and mixed with the
    helpful pairs, such pairs make one model good at both; helpful ones alone, or pairs left unturned, teach the
    opposite."""
    helpful, attacks = pairs(150, 0), in_harm(pairs(150, 5))
    config, examined = replace(QUICK, steps=250, batch_size=16), pairs(150, 77)
    harmless = turned(in_harm(examined))
    found = {}
    for name, learn in (("alone", helpful), ("unturned", [*helpful, *attacks]), ("both", [*helpful, *turned(attacks)])):
        model = fresh(reader, layers=2)
        reward_model.train(model, learn, config)
        found[name] = accuracy(model, examined), accuracy(model, harmless)
    assert found["alone"][0] > 0.9
    assert max(found["alone"][1], found["unturned"][1]) < 0.3
    assert min(found["both"]) > 0.75


def test_a_weighted_batch_is_the_weighted_sum_of_its_kinds(reader):
    """L = (n_h L_h + λ n_s L_s) / (n_h + n_s) of one batch; and the gradient is that of the sum."""
    model, kinds, weight = fresh(reader), (pairs(6, 0), pairs(6, 1, "harm the {} ?")), 3.0
    whole = reward_model.steps(model, [*kinds[0], *kinds[1]], replace(QUICK, batch_size=12, steps=1),
                               weights=[1.0] * 6 + [weight] * 6)
    apart = [next(reward_model.steps(fresh(reader), kind, QUICK)).metrics["loss"] for kind in kinds]
    assert next(whole).metrics["loss"] == pytest.approx((apart[0] + weight * apart[1]) / 2, abs=1e-6)
    with pytest.raises(ValueError, match="6 rankings and 2 weights"):
        next(reward_model.steps(model, kinds[0], QUICK, weights=[1.0, 2.0]))


def test_other_weights_are_another_run(reader, tmp_path):
    list(reward_model.steps(fresh(reader), pairs(6, 0), QUICK, weights=[1.0] * 6, checkpoint=tmp_path))
    with pytest.raises(StorageError, match="weights"):
        list(reward_model.steps(fresh(reader), pairs(6, 0), QUICK, weights=[2.0] * 6, checkpoint=tmp_path))


def means(model, turns):
    """Mean score of what was picked, what was not, and what is off the topic."""
    score = rewards.learned(model)
    said = torch.tensor([score([one.prompt] * 3, one.responses[:3]).tolist() for one in turns])
    return said.mean(0).tolist()


def trained(reader, distractors, seed=0, **changes):
    turns = choices(pairs(200, seed))
    learn = with_distractors(turns, 2, seed) if distractors else turns
    model = fresh(reader, seed, layers=2)
    reward_model.train(model, learn, replace(reward_model.SPARROW, steps=150, batch_size=12, max_length=40,
                                             learning_rate=5e-3, seed=seed, **changes))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_is_off_the_topic_scores_lowest_only_with_distractors(reader, seed):
    """The off-topic replies are good ones of other questions: without distractors they score as good ones do."""
    examined = [replace(one, responses=(*one.responses[:2], next(
        other.responses[0] for other in choices(pairs(60, 77 + i)) if other.prompt != one.prompt)), ranks=(1, 2, 2))
        for i, one in enumerate(choices(pairs(60, 55)))]
    good, bad, off = means(trained(reader, True, seed), examined)
    assert off < bad < good
    good, bad, off = means(trained(reader, False, seed), examined)
    assert bad < off


def test_centring_takes_the_scores_to_0_from_wherever_they_are(reader):
    """From an offset of 5; without it nothing moves them."""
    ended = {}
    for centring in (0.0, 0.1):
        model = fresh(reader)
        model.shift = -5.0                                   # every score is 5 higher
        reward_model.train(model, choices(pairs(100, 0)), replace(
            reward_model.SPARROW, steps=100, batch_size=16, max_length=40, learning_rate=5e-3, centring=centring))
        ended[centring] = abs(sum(means(model, [replace(one, responses=(*one.responses, one.responses[0]),
                                                        ranks=(1, 2, 2)) for one in choices(pairs(50, 9))])[:2]) / 2)
    assert ended[0.1] < 0.5 < ended[0.0]
    assert ended[0.1] < 0.05 * 5


@pytest.mark.parametrize(("change", "message"), [({"loss": "listwise"}, "loss is 'listwise'"),
                                                 ({"bradley_terry": -1}, "bradley_terry is -1")])
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        reward_model.Config(**change)
