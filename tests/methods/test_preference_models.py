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
    some += [one.prompt + response for one in turns(300, 0) for response in one.responses]
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
    """Who tries to do harm picks the *more harmful* answer, here the obliging one. Left as they are, such pairs teach
    what helpful ones teach; turned round and mixed with those, they make one model good at both."""
    helpful, attacks = pairs(150, 0), in_harm(pairs(150, 5))
    config, examined = replace(QUICK, steps=200, batch_size=12), pairs(150, 77)
    harmless = turned(in_harm(examined))
    found = {}
    for name, learn in (("unturned", [*helpful, *attacks]), ("turned", [*helpful, *turned(attacks)])):
        model = fresh(reader, layers=2)
        reward_model.train(model, learn, config)
        found[name] = accuracy(model, examined), accuracy(model, harmless)
    assert found["unturned"][0] > 0.9
    assert found["unturned"][1] < 0.3
    assert min(found["turned"]) > 0.75


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


TOPICS = {"how is it made ?": slice(0, 4), "how does it look ?": slice(4, 8)}     # each has words of its own


def topic(turn):
    return next(ask for ask in TOPICS if turn.prompt.startswith(ask))


def turns(n, seed, slips=0.25):
    """A good and a bad answer on the topic, of which raters pick the bad one now and then."""
    rng, found = random.Random(seed), []
    for _ in range(n):
        ask = rng.choice(list(TOPICS))
        good, bad = rng.choice(GOOD[TOPICS[ask]]), rng.choice(BAD[TOPICS[ask]])
        found.append(Ranking(f"{ask} {rng.choice(NOUNS)} :", (f" {good} .", f" {bad} ."),
                             (2, 1) if rng.random() < slips else (1, 2)))
    return found


def means(model, examined):
    """Mean score of what is good, what is bad, and of good answers to the other question."""
    rng, score = random.Random(0), rewards.learned(model)
    off = [f" {rng.choice(GOOD[next(words for ask, words in TOPICS.items() if ask != topic(one))])} ."
           for one in examined]
    return [score([one.prompt for one in examined], some).mean().item() for some in (
        [one.responses[0] for one in examined], [one.responses[1] for one in examined], off)]


def trained(reader, distractors, seed=0, **changes):
    learn = turns(200, seed)
    if distractors:
        learn = with_distractors(learn, 2, seed, [topic(one) for one in learn])
    model = fresh(reader, seed, layers=2)
    reward_model.train(model, learn, replace(reward_model.SPARROW, steps=150, batch_size=12, max_length=40,
                                             learning_rate=5e-3, seed=seed, **changes))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_is_off_the_topic_scores_lowest_only_with_distractors(reader, seed):
    """Without them nobody has ever seen such a reply, and a good word is a good word."""
    examined = turns(60, 55, slips=0)
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
        examined, score = pairs(50, 9), rewards.learned(model)
        both = score([one.prompt for one in examined] * 2, [one.chosen for one in examined] + [
            one.rejected for one in examined])
        ended[centring] = abs(both.mean().item())
    assert ended[0.1] < 0.25                                 # a twentieth of where it began
    assert ended[0.0] > 0.5


@pytest.mark.parametrize(("change", "message"), [({"loss": "listwise"}, "loss is 'listwise'"),
                                                 ({"bradley_terry": -1}, "bradley_terry is -1")])
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        reward_model.Config(**change)
