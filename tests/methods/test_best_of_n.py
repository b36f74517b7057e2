"""Best-of-n: what is chosen, that it is streamed and repeats, and that learning from it raises the score."""

import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.evaluate import best_of_n_curve
from rlhf_kit.formulas.best_of_n import best_of_n as best_of_n_law
from rlhf_kit.formulas.best_of_n import kl_bound, kl_estimate
from rlhf_kit.loops.batches import seed_for
from rlhf_kit.methods import best_of_n
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.models.text import decode
from rlhf_kit.rewards import RewardError
from rlhf_kit.sampling import Sampling, sample_rollout
from rlhf_kit.storage import StorageError

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "far", "away", "from", "big", "red", "dogs"]
PROMPTS = [f"{a} {b}" for a in WORDS[:6] for b in WORDS[6:]]
QUICK = best_of_n.Config(n=4, batch_size=6, steps=3, learning_rate=3e-3, sampling=Sampling(max_new_tokens=6))


def new_policy(**options) -> Policy:
    tokenizer = text.train_tokenizer([" ".join(WORDS)] * 5, 80)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=32), tokenizer, **options)


def letters(prompts, responses):
    return [float(r.count("a")) for r in responses]


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.parameters()])


def test_the_chosen_response_has_the_highest_score_of_its_prompt():
    found = list(best_of_n.draws(new_policy(), PROMPTS[:10], letters, QUICK))
    assert [d.prompt for d in found] == PROMPTS[:10]
    for d in found:
        assert len(d.responses) == len(d.scores) == 4
        assert d.scores == tuple(letters([d.prompt] * 4, d.responses))
        assert d.scores[d.best] == max(d.scores)
        assert d.best == d.scores.index(max(d.scores))                      # the first of several
        assert d.response == d.responses[d.best]


def test_with_n_1_every_draw_is_chosen_and_lies_0_nats_away():
    found = list(best_of_n.draws(new_policy(), PROMPTS[:4], letters, best_of_n.Config(n=1, sampling=QUICK.sampling)))
    assert [d.best for d in found] == [0] * 4
    assert [d.kl_estimate for d in found] == pytest.approx([0.0] * 4)


def test_its_log_probability_is_at_the_temperature_that_it_was_drawn_at():
    policy = new_policy()
    hot = best_of_n.Config(n=2, batch_size=3, sampling=Sampling(max_new_tokens=6, temperature=2.0))
    found = list(best_of_n.draws(policy, PROMPTS[:3], letters, hot))
    drawn = sample_rollout(policy, [p for p in PROMPTS[:3] for _ in range(2)], hot.sampling, seed_for(0, "draws", 0))
    for i, d in enumerate(found):
        each = []
        for row in (drawn[2 * i], drawn[2 * i + 1]):
            ids = torch.cat([row.prompt_ids[row.prompt_mask], row.response_ids[row.mask]])
            with torch.no_grad():
                logits = policy.lm(ids[None]).logits[0, :-1] / 2.0
                logprob = logits.log_softmax(-1).gather(1, ids[1:, None])[:, 0]
            each.append(logprob[-int(row.mask.sum()):].sum().item())
        assert d.logprobs == pytest.approx(each, abs=1e-4)
        assert d.logprob == pytest.approx(each[d.best], abs=1e-4)
        assert 0 <= d.kl_estimate <= kl_bound(2).item()


def test_how_far_a_choice_lies_is_counted_from_what_was_drawn():
    """Of a policy of four words at temperature 1/2: on average Beirami's estimate of that law, not of the policy's."""
    policy = new_policy()
    bias = torch.full((policy.lm.config.vocab_size,), -1e4)
    bias[3:7] = torch.tensor([3.0, 1.0, 0.0, -1.0])

    class FourWords(Policy):
        def forward(self, *given, **how):
            said = super().forward(*given, **how)
            return replace(said, logits=torch.zeros_like(said.logits) + bias)

    cold = best_of_n.Config(n=4, batch_size=100, sampling=Sampling(max_new_tokens=1, temperature=0.5))
    words = {decode(policy.tokenizer, torch.tensor([[i]]), torch.ones(1, 1).bool())[0]: i for i in range(3, 7)}
    found = list(best_of_n.draws(FourWords(policy.lm, policy.tokenizer), PROMPTS[:1] * 400,
                                 lambda prompts, responses: [float(words[x]) for x in responses], cold))
    law = (bias / 0.5).softmax(-1).double()
    chosen = best_of_n_law(law, torch.arange(len(law)).double(), 4)
    wanted = (chosen[3:7] * kl_estimate(4, law[3:7])).sum().item()                  # 0.070; 0.217 by the plain policy
    assert sum(d.kl_estimate for d in found) / len(found) == pytest.approx(wanted, abs=0.03)


def test_the_drift_of_a_copy_is_0_in_bfloat16_too():
    policy = new_policy()
    config = replace(QUICK, steps=1, autocast="bfloat16")
    step = next(best_of_n.steps(policy, policy.reference(), PROMPTS, letters, config))
    assert step.metrics["kl"] == pytest.approx(0, abs=1e-6)


def test_drawing_keeps_no_graph_for_a_gradient_and_reads_no_response_again(monkeypatch):
    """What each response's log-probability is, sampling has said."""
    drawn, again, sample = [], [], best_of_n.sample_rollout
    monkeypatch.setattr(best_of_n, "sample_rollout", lambda *given: drawn.append(sample(*given)) or drawn[-1])
    monkeypatch.setattr(best_of_n, "response_logprob", lambda *given: again.append(given))
    list(best_of_n.draws(new_policy(), PROMPTS[:2], letters, QUICK))
    assert [x.logprob.requires_grad for x in drawn] == [False]
    assert again == []


def test_evaluation_rewards_see_all_and_choose_nothing():
    plain = list(best_of_n.draws(new_policy(), PROMPTS[:6], letters, QUICK))
    seen = list(best_of_n.draws(new_policy(), PROMPTS[:6], letters, QUICK,
                                evaluation_rewards={"short": lambda p, r: [-float(len(x)) for x in r]}))
    assert [d.responses for d in seen] == [d.responses for d in plain]
    assert seen[0].others["short"] == tuple(-float(len(x)) for x in seen[0].responses)


def test_draws_are_streamed_a_batch_at_a_time():
    asked = []

    def noting(prompts, responses):
        asked.append(len(responses))
        return letters(prompts, responses)
    stream = best_of_n.draws(new_policy(), PROMPTS[:12], noting, QUICK)
    next(stream)
    assert asked == [24]


def test_going_on_from_a_prompt_gives_what_all_at_once_would_have():
    whole = list(best_of_n.draws(new_policy(), PROMPTS[:20], letters, QUICK))
    later = list(best_of_n.draws(new_policy(), PROMPTS[:20], letters, QUICK, begin=12))
    assert [d.responses for d in later] == [d.responses for d in whole[12:]]
    with pytest.raises(ValueError, match="multiple of batch_size"):
        next(best_of_n.draws(new_policy(), PROMPTS, letters, QUICK, begin=7))


def test_the_curve_starts_at_the_mean_and_ends_at_the_best_of_all():
    found = list(best_of_n.draws(new_policy(), PROMPTS, letters, QUICK))
    scores = torch.tensor([d.scores for d in found])
    curve = best_of_n_curve(scores)
    assert curve[0].mean == pytest.approx(scores.mean().item())
    assert curve[3].mean == pytest.approx(scores.max(-1).values.mean().item())
    assert [x.n for x in curve] == [len(PROMPTS)] * 4
    falls = best_of_n_curve(scores, -scores, bounds=(-10, 0))
    assert falls[3].mean == pytest.approx(-curve[3].mean)
    assert falls[0].high <= 0


def test_learning_from_the_best_raises_the_score_of_a_single_draw():
    for seed in (0, 1, 2):
        policy = new_policy()
        start = policy.reference()
        history = best_of_n.train(policy, start, PROMPTS, letters,
                                  best_of_n.Config(n=8, batch_size=16, steps=12, epochs=2, learning_rate=3e-3,
                                                   sampling=QUICK.sampling, seed=seed))
        first, last = history[0].metrics, history[-1].metrics
        assert last["score"] > 1.5 * first["score"]
        assert last["kl"] > 1 > abs(first["kl"])
        assert first["best_score"] > first["score"]


def test_the_first_loss_is_the_surprise_at_what_was_chosen():
    policy = new_policy()
    step = next(best_of_n.steps(policy, policy.reference(), PROMPTS, letters, QUICK))
    assert step.metrics["loss"] == pytest.approx(math.log(len(policy.tokenizer)), abs=0.3)      # an untrained model
    assert step.metrics["kl"] == pytest.approx(0, abs=1e-5)
    assert step.metrics["kl_bound"] == kl_bound(4).item()


def test_passes_of_few_tokens_give_the_same_gradient():
    runs = []
    for tokens in (None, 12):
        policy = new_policy()
        config = best_of_n.Config(n=2, batch_size=6, steps=1, learning_rate=1e-3, sampling=QUICK.sampling,
                                  tokens_per_pass=tokens)
        best_of_n.train(policy, policy.reference(), PROMPTS, letters, config)
        runs.append(weights(policy))
    assert torch.allclose(*runs, atol=1e-5)


def test_a_run_cut_short_ends_with_the_same_weights(tmp_path):
    whole, cut, later = (new_policy() for _ in range(3))
    best_of_n.train(whole, whole.reference(), PROMPTS, letters, QUICK)
    for step in best_of_n.steps(cut, cut.reference(), PROMPTS, letters, QUICK, checkpoint=tmp_path, checkpoint_every=1):
        if step.number == 1:
            break
    again = best_of_n.train(later, later.reference(), PROMPTS, letters, QUICK, checkpoint=tmp_path)
    assert len(again) == 3
    assert torch.equal(weights(whole), weights(later))
    with pytest.raises(StorageError):
        best_of_n.train(new_policy(), whole, PROMPTS, letters, best_of_n.Config(n=5, sampling=QUICK.sampling),
                        checkpoint=tmp_path)


def test_bad_settings_and_rewards_are_one_line():
    policy = new_policy()
    for wrong in ({"n": 0}, {"steps": 0}, {"batch_size": 6, "minibatch_size": 4}, {"max_grad_norm": 0},
                  {"min_lr_ratio": 2}, {"tokens_per_pass": 0}):
        with pytest.raises(ValueError, match=r"must|lies|multiple"):
            best_of_n.Config(**wrong)
    with pytest.raises(TypeError, match="learning_rate"):
        best_of_n.Config(learing_rate=1)
    with pytest.raises(ValueError, match="no prompts"):
        next(best_of_n.draws(policy, [], letters))
    with pytest.raises(ValueError, match="prompts"):
        next(best_of_n.draws(policy, "the cat", letters))
    with pytest.raises(RewardError, match="24 responses"):
        next(best_of_n.draws(policy, PROMPTS[:6], lambda p, r: [1.0], QUICK))
    with pytest.raises(ValueError, match="reads 32 at most"):
        next(best_of_n.draws(policy, PROMPTS, letters, best_of_n.Config(sampling=Sampling(max_new_tokens=40))))
    with pytest.raises(ValueError, match="reference is None"):
        next(best_of_n.steps(policy, None, PROMPTS, letters, QUICK))
