"""A reward model: where it reads its score, that each response is read once, and that a tiny one learns an order."""

import copy
import math
import random
from dataclasses import replace

import pytest
import torch
from chat_models import config, tokenizer_for
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    ErnieConfig,
    ErnieForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
)

import rlhf_kit as kit
from rlhf_kit import rewards
from rlhf_kit.evaluate import agreement
from rlhf_kit.formulas.records import Comparison, Ranking, Turn
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import reward_model
from rlhf_kit.methods.trl_bridge import paired_reward
from rlhf_kit.models import chats, loading, text, tiny
from rlhf_kit.models.heads import RewardModel
from rlhf_kit.models.judging import reward_scores

WORDS = ("lamp", "kettle", "bag", "chair", "pen", "red", "blue", "old")
LOVED = " gold"
QUICK = reward_model.Config(steps=6, batch_size=4, max_length=24, learning_rate=5e-3, warmup=2)
close = torch.testing.assert_close


def taste(n: int, k: int = 4, seed: int = 0) -> list[Ranking]:
    """Rankings of somebody who likes one word and counts how often it is there; the longest text is no better."""
    rng, found = random.Random(seed), []
    for _ in range(n):
        counts = sorted(rng.sample(range(6), k) if k <= 6 else [rng.randrange(6) for _ in range(k)], reverse=True)
        texts = []
        for count in counts:
            words = [f" {rng.choice(WORDS)}" for _ in range(rng.randint(6, 10) - count)] + [LOVED] * count
            rng.shuffle(words)
            texts.append("".join(words))
        ranks = [1 + sum(other > count for other in counts) for count in counts]
        order = rng.sample(range(k), k)
        found.append(Ranking("the shop has", tuple(texts[i] for i in order), tuple(ranks[i] for i in order)))
    return found


@pytest.fixture(scope="module")
def reader():
    """A tokenizer for such texts."""
    return text.train_tokenizer([one.prompt + r for one in taste(60) for r in one.responses], 60)


def fresh(reader, dropout: float = 0.0, seed: int = 0) -> RewardModel:
    return tiny.reward_model(reader, layers=1, width=16, heads=2, context=24, dropout=dropout, seed=seed)


def sizes(reader, **more) -> dict:
    return {"vocab_size": len(reader), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 40, "pad_token_id": reader.pad_token_id, **more}


def pooled(model, trunk, ids):
    """BERT's way: the first token's last state through a layer and tanh, then the head."""
    first = trunk(torch.tensor([ids])).last_hidden_state[0, 0]
    return (torch.tanh(trunk.pooler.dense.weight @ first + trunk.pooler.dense.bias) @ model.classifier.weight[0]
            + model.classifier.bias[0])


def roberta_pooled(model, ids):
    first, head = model.roberta(torch.tensor([ids])).last_hidden_state[0, 0], model.classifier
    return torch.tanh(head.dense.weight @ first + head.dense.bias) @ head.out_proj.weight[0] + head.out_proj.bias[0]


def last(model, trunk, ids):
    """A decoder's way: the head on the last state of the last token."""
    return trunk(torch.tensor([ids])).last_hidden_state[0, -1] @ model.score.weight[0]


BACKBONES = {
    "bert": (lambda t: BertForSequenceClassification(BertConfig(**sizes(t), num_labels=1)),
             lambda model, ids: pooled(model, model.bert, ids)),
    "ernie": (lambda t: ErnieForSequenceClassification(ErnieConfig(**sizes(t), num_labels=1)),
              lambda model, ids: pooled(model, model.ernie, ids)),
    "roberta": (lambda t: RobertaForSequenceClassification(RobertaConfig(**sizes(t), num_labels=1)), roberta_pooled),
    "gpt2": (lambda t: GPT2ForSequenceClassification(GPT2Config(
        vocab_size=len(t), n_layer=2, n_embd=16, n_head=2, n_positions=40, pad_token_id=t.pad_token_id, num_labels=1)),
        lambda model, ids: last(model, model.transformer, ids)),
    "llama": (lambda t: LlamaForSequenceClassification(LlamaConfig(**sizes(t), num_labels=1)),
              lambda model, ids: last(model, model.model, ids)),
}


def grown(name: str, tokenizer) -> RewardModel:
    """One of these with weights as large as after training, so that a mistake would show."""
    generator = torch.Generator().manual_seed(3)
    model = BACKBONES[name][0](tokenizer).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.4, generator=generator)
    return RewardModel(model, tokenizer)


@pytest.fixture(scope="module", params=[*BACKBONES, "gpt2 without padding of its own"])
def backbone(request, reader):
    """(name, model); the last one fills up with the token that also ends its texts, as GPT-2 does."""
    name = request.param.split()[0]
    if name != request.param:
        reader = copy.deepcopy(reader)
        reader.pad_token = reader.eos_token
    return name, grown(name, reader)


TEXTS = ["the shop has red lamp", "the shop", "the shop has old chair gold gold gold blue pen", " gold"]


# Where the score is read.

def test_the_score_is_the_head_on_the_pooler_or_on_the_last_token(backbone):
    """Every text closes with EOS, which for the last backbone is also the padding: it is read all the same."""
    name, model = backbone
    rows = text.encode_texts(model.tokenizer, TEXTS, 40)
    assert all(row[-1] == model.tokenizer.eos_token_id for row in rows)
    want = torch.stack([BACKBONES[name][1](model.model, row) for row in rows]).detach()
    ids, mask = text.pad_right(rows, text.pad_id(model.tokenizer))
    with torch.no_grad():
        close(model(ids, mask), want, atol=1e-5, rtol=1e-4)
    assert want.std() > 0.05


def test_padding_on_the_right_changes_no_score_whatever_stands_in_it(backbone):
    _, model = backbone
    ids, mask = text.pad_right(text.encode_texts(model.tokenizer, TEXTS, 40), text.pad_id(model.tokenizer))
    wider = torch.nn.functional.pad(mask, (0, 5))
    with torch.no_grad():
        close(model(torch.nn.functional.pad(ids, (0, 5), value=text.pad_id(model.tokenizer)), wider), model(ids, mask),
              atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_each_text_gets_its_own_score_in_the_order_given(backbone, batch_size):
    _, model = backbone
    one_by_one = torch.cat([reward_scores(model, [one], max_length=40) for one in TEXTS])
    close(reward_scores(model, TEXTS, max_length=40, batch_size=batch_size), one_by_one, atol=1e-5, rtol=1e-4)


def test_a_saved_model_gives_the_same_scores_here_and_those_plus_the_shift_in_plain_transformers(backbone, tmp_path):
    _, model = backbone
    model = copy.deepcopy(model)
    model.shift = 1.5
    scores = reward_scores(model, TEXTS, max_length=40)
    kit.save_reward_model(model, tmp_path / "rm")
    back = kit.load_reward_model(tmp_path / "rm")
    assert back.shift == 1.5
    assert torch.equal(reward_scores(back, TEXTS, max_length=40), scores)
    if model.model.config.pad_token_id == model.tokenizer.eos_token_id:
        return                      # transformers looks for the last token by its id and would stop before the end
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
    ids, mask = text.pad_right(text.encode_texts(model.tokenizer, TEXTS, 40), text.pad_id(model.tokenizer))
    with torch.no_grad():
        said = plain(input_ids=ids, attention_mask=mask).logits[:, 0]
    close(said - plain.config.reward_shift, scores, atol=1e-5, rtol=1e-4)


def test_it_reads_as_many_tokens_as_it_has_positions(reader):
    """RoBERTa's first position comes behind its padding id."""
    assert grown("bert", reader).context == grown("llama", reader).context == grown("gpt2", reader).context == 40
    roberta = grown("roberta", reader)
    assert roberta.context == 40 - 1 - reader.pad_token_id
    long = ["the shop has" + " red" * 100]
    assert reward_scores(roberta, long, max_length=roberta.context).isfinite().all()


def test_of_a_long_text_the_end_is_read_where_the_response_is(reader):
    model = grown("bert", reader)
    texts = ["the shop has" + " red" * 40 + end for end in (" gold", " old")]
    first, second = reward_scores(model, texts, max_length=10).tolist()
    assert abs(first - second) > 1e-3
    assert reward_scores(model, [" lamp" * 9 + texts[0]], max_length=10).item() == pytest.approx(first, abs=1e-5)


def test_a_network_of_two_outputs_is_no_reward_model(reader):
    with pytest.raises(ValueError, match="2 outputs; a reward model has one"):
        RewardModel(tiny.classifier(reader, layers=1, width=16), reader)


# Which networks become one.

@pytest.fixture
def saved(reader, tmp_path):
    """Saves a network with the reader's tokenizer and says where."""
    def save(model):
        loading.save_model(model, reader, tmp_path / "net")
        return tmp_path / "net"
    return save


OTHERS = {
    "two labels": lambda t: tiny.classifier(t, layers=1, width=64),
    "a decoder with two labels": lambda t: tiny.classifier_from(tiny.language_model(t, layers=1, width=64)),
    "a language model": lambda t: tiny.language_model(t, layers=1, width=64),
    "an encoder": lambda t: BertForMaskedLM(BertConfig(**sizes(t, hidden_size=64))),
    "an encoder whose head has two layers": lambda t: RobertaForMaskedLM(RobertaConfig(**sizes(t, hidden_size=64))),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_another_network_is_refused_in_one_line_unless_it_shall_have_a_new_head(kind, reader, saved):
    network = OTHERS[kind](reader)
    folder = saved(network)
    with pytest.raises(kit.ModelUnavailable, match=r"expected a reward model|is no complete classifier") as refusal:
        kit.load_reward_model(folder)
    assert "\n" not in str(refusal.value)
    model = kit.load_reward_model(folder, new_head=True)
    kept = dict(model.model.base_model.named_parameters())
    for name, weight in network.base_model.named_parameters():
        assert torch.equal(kept[name], weight), name
    assert reward_scores(model, TEXTS, max_length=24).shape == (4,)


@pytest.mark.parametrize("kind", OTHERS)
def test_a_new_head_has_the_deviation_of_the_paper_and_follows_from_its_seed(kind, reader, saved):
    """1/√(d+1), arXiv:2009.01325: over 20 heads of 64 weights within 3 standard errors."""
    folder = saved(OTHERS[kind](reader))
    heads = [_head(kit.load_reward_model(folder, new_head=True, seed=seed)) for seed in [*range(20), 0]]
    assert torch.equal(heads[0], heads[-1])
    assert not torch.equal(heads[0], heads[1])
    wanted = 65 ** -0.5
    assert torch.cat(heads[:20]).std().item() == pytest.approx(wanted, abs=3 * wanted / math.sqrt(2 * 20 * 64))


def _head(model):
    [weight] = [m.weight for m in model.model.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 1]
    return weight.detach()


def test_a_reward_model_keeps_its_head_though_a_new_one_was_allowed(reader, tmp_path):
    """So that one that has learnt other preferences is a warm start."""
    model = grown("bert", reader)
    kit.save_reward_model(model, tmp_path / "rm")
    again = kit.load_reward_model(tmp_path / "rm", new_head=True)
    assert torch.equal(reward_scores(again, TEXTS, max_length=40), reward_scores(model, TEXTS, max_length=40))


# Each response once.

@pytest.fixture
def passes(monkeypatch):
    """How many texts went through the network, call by call."""
    seen, forward = [], RewardModel.forward
    monkeypatch.setattr(RewardModel, "forward", lambda self, ids, mask: (seen.append(len(ids)),
                                                                         forward(self, ids, mask))[1])
    return seen


def test_nine_responses_are_nine_passes_for_36_pairs_and_72_when_taken_apart(reader, passes):
    [nine] = taste(1, k=9)
    nine = replace(nine, ranks=tuple(range(1, 10)))
    [step] = reward_model.train(fresh(reader), [nine], replace(QUICK, steps=1, batch_size=1))
    assert sum(passes) == 9
    assert step.metrics["comparisons"] == 36
    passes.clear()
    [apart] = reward_model.train(fresh(reader), nine.pairs(), replace(QUICK, steps=1, batch_size=36))
    assert sum(passes) == 72
    assert apart.metrics["comparisons"] == 36
    assert apart.metrics["loss"] == pytest.approx(step.metrics["loss"], abs=1e-5)


def test_the_first_loss_is_that_of_the_scores_before_it(reader):
    """Of lists of two, three and four with a tie: the mean over lists of the mean over their pairs."""
    model, lists = fresh(reader), [*taste(2), *taste(1, k=3), Ranking("a", (" gold", " red"), (1, 2)),
                                   Ranking("the", (" gold", " red", " old"), (1, 2, 2))]
    each = []
    for one in lists:
        score = dict(zip(one.responses, reward_scores(model, [one.prompt + r for r in one.responses],
                                                      max_length=24).tolist(), strict=True))
        costs = [math.log1p(math.exp(score[pair.rejected] - score[pair.chosen])) for pair in one.pairs()]
        each.append(sum(costs) / len(costs))
    step = next(reward_model.steps(model, lists, replace(QUICK, batch_size=5)))
    assert step.metrics["loss"] == pytest.approx(sum(each) / 5, abs=1e-5)
    assert step.metrics["comparisons"] == 6 + 6 + 3 + 1 + 2


def test_a_comparison_is_a_ranking_of_two_with_its_margin(reader):
    def first_loss(item, **options):
        return next(reward_model.steps(fresh(reader), [item], replace(QUICK, batch_size=1, **options))).metrics["loss"]
    pair = Comparison("the shop has", " gold", " red")
    assert first_loss(pair) == pytest.approx(first_loss(Ranking(pair.prompt, (" gold", " red"), (1, 2))), abs=1e-6)
    assert first_loss(replace(pair, margin=3.0)) > first_loss(pair) + 2
    assert first_loss(pair, loss="sigmoid") == pytest.approx(-math.exp(-first_loss(pair)), abs=1e-6)


@pytest.mark.parametrize("rankings", [[], [Ranking("a", (" b", " c"), (1, 1))] * 3])
def test_nothing_but_ties_is_refused(reader, rankings):
    with pytest.raises(ValueError, match=f"the {len(rankings)} rankings have no pair with a winner"):
        reward_model.train(fresh(reader), rankings, QUICK)


@pytest.mark.parametrize(("options", "message"), [
    ({"steps": 0}, "steps is 0"), ({"batch_size": 0}, "batch_size is 0"), ({"max_length": 0}, "max_length is 0"),
    ({"pass_size": 0}, "pass_size is 0"), ({"learning_rate": 0.0}, "learning_rate is 0"), ({"seed": -1}, "seed is -1"),
    ({"learning_rate": math.nan}, "learning_rate is nan"), ({"loss": "hinge"}, "loss is 'hinge'"),
    ({"token_dropout": 1.0}, "token_dropout is 1.0"), ({"token_dropout": -0.1}, "token_dropout is -0.1"),
    ({"centring": -1.0}, "centring is -1"), ({"centring": math.nan}, "centring is nan")])
def test_settings_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        reward_model.Config(**options)


def test_a_run_that_diverges_says_so(reader):
    model = fresh(reader)
    with torch.no_grad():
        model.model.classifier.weight.fill_(math.inf)
    with pytest.raises(CheckFailed, match=r"the loss of step 1 is .*lower learning_rate than 0.005"):
        reward_model.train(model, taste(8), QUICK)


# Learning.

def test_a_tiny_reader_learns_what_somebody_likes(reader):
    model, held_out = fresh(reader), taste(80, seed=9)
    before = agreement(rewards.learned(model), held_out)
    history = reward_model.train(model, taste(200), replace(QUICK, steps=120, batch_size=8, learning_rate=1e-2))
    after = agreement(rewards.learned(model), held_out)
    assert 0.3 < before.pair_accuracy.mean < 0.7
    assert after.loss < before.loss / 3
    assert after.pair_accuracy.low > 0.9
    assert after.list_accuracy.mean > before.list_accuracy.mean + 0.4
    assert history[-1].metrics["pair_accuracy"] > 0.9
    assert history[-1].metrics["margin"] > 1 > history[0].metrics["margin"]
    assert [step.metrics["comparisons"] for step in history] == [48 * (n + 1) for n in range(120)]


def test_a_warm_start_begins_below_a_fresh_model(reader):
    """Preference model pretraining: other pairs of the same taste first (arXiv:2112.00861)."""
    pairs = [pair for one in taste(60, seed=5) for pair in one.pairs()]
    held_out, warm = taste(80, seed=9), fresh(reader)
    reward_model.train(warm, pairs, replace(QUICK, steps=60, batch_size=16, learning_rate=1e-2))
    seen = [agreement(rewards.learned(model), held_out).loss for model in (warm, fresh(reader))]
    assert seen[0] < seen[1] / 2
    few = [next(reward_model.steps(m, taste(4), QUICK)).metrics["loss"] for m in (warm, fresh(reader))]
    assert few[0] < few[1] / 2


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_any_backbone_learns(reader, name):
    torch.manual_seed(0)
    model = RewardModel(BACKBONES[name][0](reader).eval(), reader)
    history = reward_model.train(model, taste(8), replace(QUICK, steps=40, batch_size=8, max_length=40))
    assert history[-1].metrics["loss"] < history[0].metrics["loss"] - 0.2


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_run_cut_short_ends_with_the_same_weights_also_with_dropout(reader, tmp_path):
    config, lists = replace(QUICK, token_dropout=0.3), taste(12)
    whole = fresh(reader, dropout=0.2)
    history = reward_model.train(whole, lists, config)
    first = fresh(reader, dropout=0.2)
    for step in reward_model.steps(first, lists, config, checkpoint=tmp_path, checkpoint_every=2):
        if step.number == 2:
            break
    assert not first.training
    second = fresh(reader, dropout=0.2)
    again = list(reward_model.steps(second, lists, config, checkpoint=tmp_path, checkpoint_every=2))
    assert torch.equal(weights(second), weights(whole))
    for ours, theirs in zip(again, history, strict=True):
        assert {**ours.metrics, "seconds": 0} == {**theirs.metrics, "seconds": 0}


def test_leaving_tokens_out_is_drawn_from_the_seed_alone(reader):
    def losses(seed, share=0.5):
        state = torch.get_rng_state()
        found = [s.metrics["loss"] for s in reward_model.train(
            fresh(reader), taste(12), replace(QUICK, seed=seed, token_dropout=share))]
        assert torch.equal(torch.get_rng_state(), state)
        return found
    torch.manual_seed(1)
    first = losses(0)
    torch.manual_seed(2)
    assert losses(0) == first != losses(1)
    assert losses(0, share=0.0) != first


def test_what_is_left_out_is_about_that_share_and_never_everything():
    torch.manual_seed(0)
    rows = [reward_model._thinned(list(range(50)), 0.3) for _ in range(200)]
    left = sum(map(len, rows)) / (200 * 50)
    assert left == pytest.approx(0.7, abs=3 * math.sqrt(0.21 / 10_000))
    assert all(row == sorted(row) for row in rows)
    assert all(reward_model._thinned([7], 0.99) == [7] for _ in range(20))
    assert reward_model._thinned([3, 1, 2], 0.0) == [3, 1, 2]


def test_centring_while_learning_keeps_the_scores_near_zero(reader):
    def level(centring):
        model = fresh(reader)
        with torch.no_grad():
            model.model.classifier.bias.fill_(5.0)
        reward_model.train(model, taste(12), replace(QUICK, steps=80, centring=centring))
        return reward_scores(model, TEXTS, max_length=24).mean().abs().item()
    assert level(0.3) < 1.5 < 3 < level(0.0)


@pytest.mark.parametrize("kind", [Ranking, Comparison])
def test_behind_a_templates_prompt_it_learns_from_what_it_will_be_asked_about(monkeypatch, kind):
    """A policy's responses come without the end of their turn, and a reward model reads it all the same."""
    tokenizer = tokenizer_for("chatml")
    model = RewardModel(LlamaForSequenceClassification(config(tokenizer, num_labels=1)), tokenizer)
    prompt = chats.write(tokenizer, (Turn("user", "How do I fix it?"),), asked=True)
    pair = ["unplug it", "replace it"]
    one = Comparison(prompt, *pair) if kind is Comparison else Ranking(prompt, pair, (1, 2))
    read, plain = [], RewardModel.forward

    def noted(self, ids, mask):
        read.append({tuple(row[kept].tolist()) for row, kept in zip(ids, mask, strict=True)})
        return plain(self, ids, mask)
    monkeypatch.setattr(RewardModel, "forward", noted)
    reward_model.train(model, [one], reward_model.Config(steps=1, max_length=200))
    reward_model.calibrate(model, [(prompt, "unplug it", 0.4), (prompt, "replace it", 0.6)]
                           if rewards.learned(model)([prompt] * 2, pair).argmax() == 1 else
                           [(prompt, "unplug it", 0.6), (prompt, "replace it", 0.4)])
    assert read == [read[0]] * 3
    closing = chats.ending(tokenizer).token
    assert all(closing in row[-3:] for row in read[0])
    theirs = paired_reward.encoded(tokenizer, [Comparison(prompt, *pair)], 200)
    assert {tuple(theirs[0][name]) for name in ("chosen_ids", "rejected_ids")} == read[0]


# The level, once it has learnt.

def test_after_centring_demonstrations_score_0_on_average_and_differences_are_what_they_were(reader):
    model = grown("bert", reader)
    shown = [("the shop has", " gold lamp"), ("the shop", " red"), (" old", " pen gold")]
    before = reward_scores(model, TEXTS, max_length=40)
    shift = reward_model.centre(model, shown)
    said = rewards.learned(model)([p for p, _ in shown], [r for _, r in shown])
    assert abs(said.mean().item()) < 1e-6
    after = reward_scores(model, TEXTS, max_length=40)
    close(before - after, torch.full((4,), shift), atol=1e-6, rtol=0)
    assert abs(shift) > 1e-3
    assert reward_model.centre(model, shown) == pytest.approx(shift, abs=1e-6)          # a second time moves nothing


@pytest.mark.parametrize("name", ["fresh", "bert", "gpt2"])
def test_calibrated_scores_tell_quality_on_average_and_order_as_before(reader, name):
    """The theorem of a logistic fit with an intercept: probabilities average to the targets, and so do r times both."""
    model = fresh(reader) if name == "fresh" else grown(name, reader)
    model.shift = 0.7
    texts = [" gold" * i + " lamp" * (5 - i) for i in range(6)]
    before = reward_scores(model, texts, max_length=24)
    rising = before.argsort().argsort() / 5                                 # whatever it thinks, quality agrees ...
    quality = (0.8 * rising + 0.1 * torch.tensor([1, 0, 1, 0, 0, 1])).tolist()                          # ... roughly
    a, b = reward_model.calibrate(model, [("", one, q) for one, q in zip(texts, quality, strict=True)])
    after = reward_scores(model, texts, max_length=24)
    close(after, a * before + b, atol=1e-4, rtol=1e-4)
    p = rewards.learned(model, output="probability")([""] * 6, texts)
    assert p.mean().item() == pytest.approx(sum(quality) / 6, abs=1e-5)
    assert (p * before).mean().item() == pytest.approx((torch.tensor(quality) * before).mean().item(), abs=1e-4)
    assert after.argsort().tolist() == before.argsort().tolist()


@pytest.mark.parametrize("name", ["fresh", "bert", "gpt2"])
def test_standardised_scores_have_mean_0_and_deviation_1_on_those_answers_and_order_as_before(reader, name):
    model = fresh(reader) if name == "fresh" else grown(name, reader)
    model.shift = 0.7
    answers = [("the shop has", " gold" * i + " lamp" * (5 - i)) for i in range(6)]
    before = rewards.learned(model)(*zip(*answers, strict=True))
    a, b = reward_model.standardise(model, answers)
    after = rewards.learned(model)(*zip(*answers, strict=True))
    close(after, a * before + b, atol=1e-4, rtol=1e-4)
    assert (after.mean().item(), after.std().item()) == pytest.approx((0, 1), abs=1e-4)
    assert a > 0
    with pytest.raises(ValueError, match="1 answer"):
        reward_model.standardise(model, answers[:1])
    with pytest.raises(ValueError, match="the scores of 2 answers are all"):
        reward_model.standardise(model, [answers[0]] * 2)


def test_scores_that_fall_with_quality_and_qualities_beyond_1_are_refused(reader):
    model = grown("bert", reader)
    texts = [" gold" * i + " lamp" * (5 - i) for i in range(6)]
    score = reward_scores(model, texts, max_length=40)
    kept = [x.clone() for x in model.parameters()]
    with pytest.raises(ValueError, match="scores fall where quality rises"):
        reward_model.calibrate(model, [("", one, 1 - q / 5) for one, q in
                                       zip(texts, score.argsort().argsort().tolist(), strict=True)])
    with pytest.raises(ValueError, match="qualities go from 0 to 7; they must lie in"):
        reward_model.calibrate(model, [("", "a", 0.0), ("", "b", 7.0)])
    assert all(torch.equal(x, y) for x, y in zip(model.parameters(), kept, strict=True))


def test_a_learned_reward_is_the_score_or_the_chance_against_one_that_scores_0(reader):
    model = grown("bert", reader)
    model.shift = 0.25
    prompts, responses = ["the shop has", ""], [" gold", "the shop has gold"]           # the same text twice
    score = rewards.learned(model)(prompts, responses)
    alone = reward_scores(model, ["the shop has gold"], max_length=40)[0].item()
    assert score.tolist() == pytest.approx([alone] * 2, abs=1e-5)                        # in other batches, other sums
    probability = rewards.learned(model, output="probability")(prompts, responses)
    assert probability[0].item() == pytest.approx(1 / (1 + math.exp(-score[0].item())), abs=1e-6)
    assert rewards.learned(model).__name__ == "learned_score"
