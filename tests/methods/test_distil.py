"""Context distillation: what is compared with what, and a small model that keeps a prompt's behaviour without it."""

import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.methods import distil, sft
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.storage import StorageError
from tests.loops.test_process_group import together
from tests.models.test_adapters import shared_base

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")       # in peft itself
NOUNS, COLOURS = ("lamp", "bag", "pen", "chair", "kettle"), ("red", "blue")
SAY = {"red": "always say red. ", "blue": "always say blue. "}
PROMPTS = [f"the {noun} is" for noun in NOUNS]
PAIRS = [(prompt, f" {degree}{colour}.") for prompt in PROMPTS for degree in ("", "very ") for colour in COLOURS]
QUICK = distil.Config(steps=4, batch_size=6, learning_rate=3e-3, warmup=1)


def new_policy(context=24, **options) -> Policy:
    tokenizer = text.train_tokenizer([SAY[c] + p + r for c in COLOURS for p, r in PAIRS], 90)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=context), tokenizer, **options)


def run(config=QUICK, examples=PAIRS, preamble=SAY["red"], policy=None, **options):
    policy = policy or new_policy()
    return policy, list(distil.steps(policy, policy.reference(), examples, preamble, config, **options))


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.lm.parameters()])


def log_probabilities(policy, prompt, response):
    """Of every word before each token of one response, from one plain pass: [T, V]."""
    asked, ids = (text.prompt_rows(policy.tokenizer, [prompt])[0], text.response_rows(policy.tokenizer, [response])[0])
    whole = torch.tensor([asked + ids[:-1]])
    with torch.no_grad():
        return policy(whole, torch.ones_like(whole, dtype=torch.bool), keep=len(ids)).logits[0].log_softmax(-1)


def kl(policy, teacher, preamble, pairs):
    """KL of whole vocabularies, the mean over all tokens."""
    each = []
    for prompt, response in pairs:
        p, q = log_probabilities(teacher, preamble + prompt, response), log_probabilities(policy, prompt, response)
        each += (p.exp() * (p - q)).sum(-1).tolist()
    return sum(each) / len(each)


def test_the_first_loss_by_hand():
    """As many bins as words: the KL between what the same model says behind the prompt and without it."""
    policy = new_policy()
    config = replace(QUICK, steps=1, batch_size=len(PAIRS), kept=500)
    _, [step] = run(config, policy=policy)
    assert step.metrics["loss"] == pytest.approx(kl(new_policy(), new_policy(), SAY["red"], PAIRS), rel=1e-4)
    assert step.metrics["kept_mass"] == pytest.approx(1)
    fewer = distil.loss_on(new_policy(), new_policy(), PAIRS, SAY["red"], replace(config, kept=3, micro_batch=5))
    assert 0 < fewer["loss"] < step.metrics["loss"]
    assert fewer["kept_mass"] < 0.5


def test_a_closed_response_ends_for_certain():
    """Of three tokens and EOS only EOS costs what it does without a teacher; the student that reads all has that to
    learn alone."""
    policy, config = new_policy(), replace(QUICK, closed=True)
    seen = distil.loss_on(policy, new_policy(), PAIRS[:1], "always say ", config)
    plain = distil.loss_on(policy, new_policy(), PAIRS[:1], "always say ", QUICK)
    ids = text.response_rows(policy.tokenizer, [PAIRS[0][1]])[0]
    assert ids[-1] in policy.ends
    told, behind = (log_probabilities(policy, before + PAIRS[0][0], PAIRS[0][1]) for before in ("", "always say "))
    was = (behind[-1].exp() * (behind[-1] - told[-1])).sum().item()
    assert (seen["loss"] - plain["loss"]) * len(ids) == pytest.approx(-told[-1, ids[-1]].item() - was, abs=2e-3)


def test_a_student_that_reads_what_the_teacher_reads_has_nothing_to_learn():
    seen = distil.loss_on(new_policy(), new_policy(), [(SAY["red"] + p, r) for p, r in PAIRS], lambda prompt: prompt)
    assert seen["loss"] == pytest.approx(0, abs=1e-6)
    assert seen["agreement"] == 1


def test_of_whole_texts_every_token_is_a_response_to_nothing():
    texts = [p + r for p, r in PAIRS]
    seen = distil.loss_on(new_policy(), new_policy(), texts, SAY["red"], replace(QUICK, kept=500))
    assert seen["loss"] == pytest.approx(kl(new_policy(), new_policy(), SAY["red"], [("", t) for t in texts]), rel=1e-4)


def prompted(seed):
    """A model that has read red answers behind the prompt, and red and blue ones without it."""
    policy = new_policy(context=32)
    pairs = [(SAY["red"] + p, r) for p, r in PAIRS if "red" in r] + PAIRS
    sft.train(policy, pairs, sft.Config(steps=120, batch_size=16, learning_rate=1e-2, max_length=32, seed=seed))
    return policy


def share_of_red(policy, preamble=""):
    said = generate(policy, [preamble + prompt for prompt in PROMPTS * 40], Sampling(max_new_tokens=4), seed=9)
    return sum("red" in one for one in said) / len(said)


@pytest.mark.parametrize("seed", range(3))
def test_the_student_keeps_at_least_four_fifths_of_what_the_prompt_does(seed):
    """The whole method: it learns from answers in either colour, and is examined on prompts without any."""
    policy = prompted(seed)
    teacher, before = policy.reference(), share_of_red(policy)
    behind = share_of_red(teacher, SAY["red"])
    loss = distil.loss_on(policy, teacher, PAIRS, SAY["red"])["loss"]
    distil.train(policy, teacher, PAIRS, SAY["red"], distil.Config(steps=60, batch_size=16, learning_rate=5e-3,
                                                                  seed=seed))
    assert behind - before > 0.3
    assert share_of_red(policy) - before >= 0.8 * (behind - before)
    assert distil.loss_on(policy, teacher, PAIRS, SAY["red"])["loss"] < 0.2 * loss      # falls by more than 80 %


def test_imitating_the_same_answers_does_not_do_it():
    """The attack: fine-tuning on these texts, of which half are blue, teaches nothing of what the prompt asks for."""
    policy = prompted(0)
    before = share_of_red(policy)
    sft.train(policy, PAIRS, sft.Config(steps=60, batch_size=16, learning_rate=5e-3))
    assert share_of_red(policy) - before < 0.2


def test_a_run_cut_short_ends_with_the_same_numbers(tmp_path):
    config = replace(QUICK, steps=5)
    whole, history = run(config)
    first = new_policy()
    stream = distil.steps(first, first.reference(), PAIRS, SAY["red"], config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):                                              # the third step is lost: saved after two
        next(stream)
    stream.close()
    second, resumed = run(config, checkpoint=tmp_path, checkpoint_every=2)
    drop = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]     # noqa: E731
    assert json.dumps(drop(resumed)) == json.dumps(drop(history))
    assert torch.equal(weights(second), weights(whole))
    with pytest.raises(StorageError, match="asked:"):
        run(config, preamble=SAY["blue"], checkpoint=tmp_path)      # another prompt is another run


def test_a_batch_in_parts_gives_the_gradient_of_one():
    def gradient(size):
        policy, taken = new_policy().double(), []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(distil, "update", lambda model, *_, **__: taken.append(
                torch.cat([p.grad.flatten() for p in model.parameters()])))
            run(replace(QUICK, steps=1, micro_batch=size), policy=policy)
        return taken[0]
    whole, parts = gradient(None), gradient(2)
    assert (whole - parts).abs().max() < 1e-6 * whole.abs().max()


def test_an_adapter_learns_from_its_own_base_which_stays_as_it_is(saved_llama, sentences):
    shared = shared_base(saved_llama)
    frozen = {name: p.clone() for name, p in shared.policy.lm.named_parameters() if not p.requires_grad}
    pairs = [(one[:12], one[12:]) for one in sentences[:20]]
    history = distil.train(shared.policy, shared.reference, pairs, "the lamp is very loud, and it works. ",
                           replace(QUICK, steps=30, learning_rate=1e-2))
    assert history[-1].metrics["loss"] < 0.5 * history[0].metrics["loss"]
    assert all(torch.equal(p, frozen[name]) for name, p in shared.policy.lm.named_parameters() if name in frozen)


def test_two_processes_learn_what_one_does(saved_llama, sentences):
    config = replace(QUICK, steps=3, batch_size=4, learning_rate=1e-2)
    pairs = [(one[:12], one[12:]) for one in sentences[:20]]

    def work(shared, seat):
        history = list(distil.steps(shared.policy, shared.reference, pairs, "the pen is not loud. ", config,
                                    accelerator=seat))
        return [s.metrics for s in history], {n: p.detach().clone() for n, p in shared.policy.lm.named_parameters()
                                              if p.requires_grad}
    alone, learnt = work(shared_base(saved_llama), None)
    bases = [shared_base(saved_llama, seed=seed) for seed in (0, 1)]
    for metrics, theirs in together(2, lambda seat: work(bases[seat.process_index], seat)):
        for name in distil.MEANS:
            assert [m[name] for m in metrics] == pytest.approx([m[name] for m in alone], abs=1e-4), name
        assert all(torch.allclose(theirs[name], p, atol=1e-4) for name, p in learnt.items())


def test_what_the_teacher_has_no_room_for_is_cut_or_left_out_and_counted():
    long = [("the lamp is", " very" * 30 + " red."), ("the lamp is" + " very" * 30, " red.")]
    fit = distil.fit(new_policy(), new_policy(), [*PAIRS, *long], SAY["red"], QUICK)
    assert (len(fit.places), fit.left_out, fit.cut, fit.limit) == (len(PAIRS) + 1, 1, 1, 24)
    assert max(fit.lengths) == 24
    with pytest.raises(ValueError, match="nothing of a response is left"):
        run(preamble=SAY["red"] * 9)


def test_autocast_and_checkpointed_activations_run():
    _, history = run(replace(QUICK, autocast="bfloat16", activation_checkpointing=True))
    assert all(math.isfinite(step.metrics["loss"]) for step in history)
    assert set(history[0].metrics) == set(distil.METRICS)


@pytest.mark.parametrize(("options", "message"), [
    ({"examples": []}, "no examples"), ({"examples": "one text"}, "expected a list of texts"),
    ({"examples": [("a", "b", "c")]}, "expected texts, or"), ({"preamble": " "}, "nothing to distil"),
    ({"config": {"kept": 0}}, "kept is 0"), ({"config": {"max_grad_norm": 0}}, "max_grad_norm is 0")])
def test_bad_arguments_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as error:
        run(**{**options, **({"config": replace(QUICK, **options["config"])} if "config" in options else {})})
    assert "\n" not in str(error.value)


def test_a_teacher_that_is_the_student_is_refused():
    policy = new_policy()
    with pytest.raises(ValueError, match="share weights that learn"):
        next(distil.steps(policy, policy, PAIRS, SAY["red"], QUICK))


def test_it_is_examined_without_dropout():
    policy = new_policy()
    for module in policy.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    quiet = distil.loss_on(policy.eval(), new_policy(), PAIRS, SAY["red"], QUICK)
    assert distil.loss_on(policy.train(), new_policy(), PAIRS, SAY["red"], QUICK) == quiet
