"""Lesson 01, sentiment PPO: where a response ends, what a token earns, who deserves the credit, and both clipped "
"losses."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.answers import Case, Exercise
from rlhf_kit.classroom.exercises.mistakes_01_credit import GAE, WHITEN
from rlhf_kit.classroom.exercises.mistakes_01_learning import ADAPT, CLIPPED_POLICY, CLIPPED_VALUE
from rlhf_kit.classroom.exercises.mistakes_01_rollout import RESPONSE_MASK, TOKEN_REWARD
from rlhf_kit.formulas import advantages, kl_penalty, losses


def response_mask(ids: Tensor, eos: int) -> Tensor:
    """True on the tokens of each response, its first EOS included; the whole row where there is none."""
    ended = (ids == eos).long().cumsum(-1)
    return (ended - (ids == eos).long()) == 0


def token_reward(logprob: Tensor, ref_logprob: Tensor, score: Tensor, mask: Tensor, beta: float) -> Tensor:
    """-β · (log π - log π_ref) on every marked token, plus the score on the last one; 0 elsewhere."""
    return kl_penalty.token_reward(score, logprob, ref_logprob, mask, beta)


def gae(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimation; nothing behind the last marked token counts."""
    return advantages.gae(reward, value, mask, gamma, lam)[0]


def whiten(advantage: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and variance 1 (n - 1 in the denominator) over the marked tokens of the whole batch; 0 elsewhere."""
    marked = advantage[mask]
    return torch.where(mask, (advantage - marked.mean()) / marked.std(), 0.0)


def clipped_policy(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float) -> Tensor:
    """PPO's clipped objective, as a loss."""
    return losses.clipped_policy(logprob, old_logprob, advantage, mask, clip)


def adapt(beta: float, kl: float, target: float, n: int, horizon: int) -> float:
    """β · (1 + e · n / horizon), where e = KL / target - 1, cut off at ±0.2."""
    return beta * (1 + max(-0.2, min(0.2, kl / target - 1)) * n / horizon)


def clipped_value(value: Tensor, old_value: Tensor, target: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the mean of the larger of two squared errors, of V and of V kept within ±c of its old value."""
    return losses.clipped_value(value, old_value, target, mask, clip)


# Cases

def _mask(rows: int, columns: int, g: torch.Generator) -> Tensor:
    """Responses of different lengths."""
    lengths = torch.randint(1, columns, (rows, 1), generator=g)
    lengths[0] = columns                                               # one row is full, the others are not
    return torch.arange(columns)[None] < lengths


def _holes(rows: int, columns: int, g: torch.Generator) -> Tensor:
    """Marks here and there, as where several turns count; at least one a row, two in the first."""
    mask = torch.rand(rows, columns, generator=g) < 0.6
    mask[:, 1], mask[0, 2] = True, True
    return mask


def _spoilt(x: Tensor, mask: Tensor, by: float) -> Tensor:
    return torch.where(mask, x, torch.full_like(x, by))


DRAWN = ((_mask, "random", "随机"), (_mask, "random", "随机"), (_holes, "marks here and there", "标记不连续"))
SPOILT = ((torch.nan, "NaN in the padding", "填充处有 NaN"), (-torch.inf, "-inf in the padding", "填充处有 -inf"),
          (50.0, "garbage in the padding", "填充处有杂数"))


def _ids(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    by_hand = [
        ([[5, 7, 9]], 2, "no EOS", "没有 EOS"),
        ([[2, 2, 2, 2]], 2, "EOS first, and as padding", "一开头就是 EOS，也用它填充"),
        ([[2, 5, 7, 0]], 2, "EOS first, and once", "开头一个 EOS"),
        ([[5, 2, 7, 2]], 2, "an EOS behind the end", "结尾之后又有 EOS"),
        ([[5, 0, 7, 2, 0]], 2, "token 0 is a word", "词元 0 是个词"),
        ([[5, 7, 2, 0], [2, 5, 0, 0]], 2, "two rows", "两行"), ([[5, 7, 9, 2]], 2, "EOS last", "最后是 EOS"),
        ([[5, 2, 1, 2, 7], [2, 2, 5, 7, 5], [1, 5, 1, 7, 7]], 1, "EOS is 1", "EOS 是 1"),
        ([[5, 2, 0, 0], [3, 4, 5, 6], [0, 1, 2, 0]], 0, "EOS is 0", "EOS 是 0"),
        ([[11, 50256, 50256], [50256, 7, 50256], [1, 2, 3]], 50256, "GPT-2: EOS and padding are 50256",
         "GPT-2：EOS 和填充都是 50256"),
        ([[3], [2]], 2, "one token", "一个词元"),
        ([[5, 7, *[2] * 300], [*[6] * 301, 2]], 2, "300 tokens", "300 个词元")]
    drawn = [(torch.randint(0, 5, (4, 8), generator=g).tolist(), eos, "random", "随机") for eos in (0, 1, 3, 4)]
    return [Case((torch.tensor(ids), eos), about, zh=zh) for ids, eos, about, zh in (*by_hand, *drawn)]


def _rewards(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    short = torch.tensor([[True, True, False, False], [True, True, True, False], [True] * 4])
    cases = [Case((torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor([2.0, -1.0]), torch.ones(2, 3).bool(), 0.1),
                  "two scores", zh="两个得分"),
             Case((torch.tensor([[-1.0, -2.0, -3.0, -1.5]]), torch.tensor([[-2.0, -0.5, -2.5, -1.0]]),
                   torch.tensor([0.75]), short[:1], 0.2), "padding", zh="有填充"),
             Case((draw(3, 4) - 2, draw(3, 4) - 2, torch.tensor([0.6, -0.4, 1.7]), short, 0.0), "β = 0", zh="β = 0"),
             Case((torch.tensor([[-1.0, -40.0]]), torch.tensor([[-31.0, -2.0]]), torch.tensor([-0.25]),
                   torch.ones(1, 2).bool(), 0.5), "far from the reference, either way", zh="离参考模型很远，有正有负"),
             Case((torch.tensor([[-1.0, -9.0]]), torch.tensor([[-2.0, -9.0]]), torch.tensor([1.5]),
                   torch.tensor([[True, False]]), 0.3), "one token", zh="一个词元")]
    for by, about, zh in SPOILT:
        logprob, ref_logprob = draw(3, 4) - 2, draw(3, 4) - 3
        spoilt = _spoilt(logprob, short, by), _spoilt(ref_logprob, short, by if by < 0 else -by)
        cases.append(Case((*spoilt, draw(3), short, 0.2), about, zh=zh))
    for beta in (0.2, 0.05, 1.0):
        cases.append(Case((draw(3, 6) - 2, draw(3, 6) - 2, draw(3), _mask(3, 6, g), beta), "random", zh="随机"))
    return cases


def _credit(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    reward, value = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.4, 0.6]])
    whole, short = torch.ones(1, 3).bool(), torch.tensor([[True, True, False, False], [True] * 4, [True, *[False] * 3]])
    cases = [Case((reward, value, whole, 0.9, 0.8), "γ below 1", zh="γ 小于 1"),
             Case((reward, value, whole, 1.0, 0.0), "λ = 0", zh="λ = 0"),
             Case((reward, value, whole, 0.9, 1.0), "λ = 1", zh="λ = 1"),
             Case((draw(2, 3), draw(2, 3), whole.expand(2, 3).clone(), 1.0, 0.95), "two responses", zh="两条回答"),
             Case((draw(3, 4), draw(3, 4), short, 0.95, 0.9), "padding", zh="有填充")]
    for by, about, zh in SPOILT:
        cases += [Case((_spoilt(draw(3, 4), short, by), _spoilt(draw(3, 4), short, by), short, 0.9, 0.8), about, zh=zh)]
    late = torch.zeros(1, 200)
    late[0, -1] = 4.0
    cases.append(Case((late, 0.1 * draw(1, 200), torch.ones(1, 200).bool(), 1.0, 0.99), "200 tokens", zh="200 个词元"))
    return cases + [Case((draw(3, 6), draw(3, 6), _mask(3, 6, g), gamma, lam), "random", zh="随机")
                    for gamma, lam in ((0.97, 0.9), (0.8, 0.5), (1.0, 0.95))]


def _advantages(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    short = torch.tensor([[True, True, False, False], [True] * 4, [True, True, True, False]])
    cases = [Case((torch.tensor([[1.0, 1.2], [0.1, 0.2]]), torch.ones(2, 2).bool()), "a good and a bad response",
                  zh="一条好回答和一条坏回答"),
             Case((torch.tensor([[1.0, 2.0, 4.0, 0.0]]), torch.tensor([[True, True, True, False]])), "padding",
                  zh="有填充"),
             Case((0.08 * draw(3, 5) + 0.1, _mask(3, 5, g) | torch.tensor([True, True, *[False] * 3])),
                  "small advantages", zh="优势很小"),
             Case((0.008 * draw(4, 5), torch.ones(4, 5).bool()), "very small advantages", zh="优势非常小"),
             Case((20 * draw(3, 5) - 40, _mask(3, 5, g)), "large advantages", zh="优势很大"),
             Case(((64 * draw(3, 5)).round() / 64 + 1500, torch.ones(3, 5).bool()), "nearly all mean",
                  zh="平均数远大于标准差"),
             Case((torch.cat([9 + draw(1, 1).abs(), draw(1, 19)], 1).reshape(4, 5), torch.ones(4, 5).bool()),
                  "one far from the others", zh="有一个离其余的很远"),
             Case((torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.5, 9.0]]), torch.tensor([[True] * 3, [True, True, False]])),
                  "an advantage of exactly 0", zh="有优势恰好是 0"),
             Case((draw(3, 5) + 500, _mask(3, 5, g) | torch.tensor([True, True, *[False] * 3])),
                  "nearly all mean", zh="平均数远大于标准差"),
             Case((draw(3, 5) + 1, _holes(3, 5, g)), "marks here and there", zh="标记不连续")]
    cases += [Case((_spoilt(draw(3, 4) + 1, short, by), short), about, zh=zh) for by, about, zh in SPOILT]
    return cases + [Case((draw(4, 6) * 3 + 1, _mask(4, 6, g)), "random", zh="随机") for _ in range(3)]


def _ratios(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    old, sure = torch.full((1, 4), -2.0), torch.ones(1, 4).bool()
    ratio, short = torch.tensor([[0.5, 1.0, 1.15, 1.5]]).log(), torch.tensor([[True, True, True, False], [True] * 4])
    signs = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    cases = [Case((old + ratio, old, torch.ones(1, 4), sure, 0.2), "Â = +1, ratios .5 1 1.15 1.5", (0,),
                  "Â = +1，概率比 .5 1 1.15 1.5"),
             Case((old + ratio, old, -torch.ones(1, 4), sure, 0.2), "Â = -1, ratios .5 1 1.15 1.5", (0,),
                  "Â = -1，概率比 .5 1 1.15 1.5"),
             Case((old + ratio, old, torch.ones(1, 4), sure, 0.05), "a narrow clip", (0,), "截断很窄"),
             Case((old + 2 * ratio, old, signs, sure, 0.6), "a wide clip", (0,), "截断很宽"),
             Case((old + torch.tensor([[4.0, -4.0, 3.0, -3.0]]), old, signs, sure, 0.2), "far from the old policy",
                  (0, 2), "离旧策略很远"),
             Case((100 * old + ratio, 100 * old, signs, sure, 0.2), "very unlikely tokens", (0,), "极不可能的词元"),
             Case((torch.cat([old + ratio, old - ratio]), torch.cat([old, old]), draw(2, 4), short, 0.1),
                  "two responses", (0, 2), "两条回答")]
    for by, about, zh in SPOILT:                                       # the gradient stays finite, too
        spoilt = [_spoilt(draw(2, 4) / 2 - 2, short, by), _spoilt(draw(2, 4) / 2 - 2, short, -3.0 if by == 50 else by),
                  _spoilt(draw(2, 4), short, by)]
        cases.append(Case((*spoilt, short, 0.2), about, (0, 2), zh))
    cases.append(Case((old + ratio, old, torch.tensor([[0.0, 2.0, 0.0, -1.0]]), sure, 0.2), "an advantage of exactly 0",
                      (0, 2), "有优势恰好是 0"))
    for kind, about, zh in DRAWN:
        old = draw(3, 6) - 3
        cases.append(Case((old + 0.3 * draw(3, 6), old, draw(3, 6), kind(3, 6, g), 0.17), about, (0, 2), zh))
    return cases


def _prices(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    pick = lambda low, high: low + (high - low) * torch.rand((), generator=g).item()            # noqa: E731
    by_hand = [
        (0.2, 12.0, 6.0, 256, 10_000, "far above", "远高于目标"),
        (0.2, 3.0, 6.0, 256, 10_000, "far below", "远低于目标"),
        (0.2, 6.0, 6.0, 256, 10_000, "on target", "正好在目标上"),
        (0.2, 6.1, 6.0, 256, 1_000, "hardly above the target", "略高于目标"),
        (0.05, -1.0, 6.0, 64, 2_000, "a negative estimate", "估计为负"),
        (0.3, -6.3, 6.0, 500, 1_000, "a negative estimate", "估计为负"),
        (0.1, 0.0, 3.0, 64, 1_000, "KL 0", "KL 为 0"),
        (0.0, 8.0, 6.0, 256, 1_000, "β 0", "β 为 0"),
        (0.0012345, 6.5, 6.0, 256, 2_000, "a small β", "β 很小"),
        (0.0000123456, 7.0, 6.0, 256, 2_000, "a very small β", "β 非常小"),
        (0.3, 1.0, 6.0, 1_200, 200, "six horizons in a step", "一步就是六个 horizon"),
        (0.1, 2.1, 2.0, 512, 1_000, "another target", "换一个目标"),
        (0.4, 9.0, 10.0, 600, 500, "a short horizon", "horizon 很短"),
        (0.4, 30.0, 10.0, 600, 500, "a short horizon", "horizon 很短"),
        (2.5, 5.5, 5.0, 1000, 4_000, "a large β", "β 很大"),
        (0.2, 6, 5, 256, 1_000, "whole numbers", "都是整数")]
    drawn = [(pick(0.01, 0.5), pick(0.0, 20.0), pick(2.0, 8.0), 64, 1_000, "random", "随机") for _ in range(3)]
    drawn += [(pick(0.01, 0.5), target * pick(0.85, 1.15), target, n, 1_500, "near the target", "接近目标")
              for target, n in ((pick(2.0, 8.0), 64), (pick(2.0, 8.0), 512), (pick(8.0, 20.0), 900))]
    return [Case(tuple(numbers), about, zh=zh) for *numbers, about, zh in by_hand + drawn]


def _guesses(seed: int) -> list[Case]:
    g = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=g)                                      # noqa: E731
    sure, short = torch.ones(1, 4).bool(), torch.tensor([[True, True, True, False], [True] * 4])
    old = torch.full((1, 4), 0.5)
    moved = old + torch.tensor([[-0.6, -0.1, 0.1, 0.6]])               # below, within and above ±0.2
    cases = [Case((moved, old, torch.full((1, 4), 2.0), sure, 0.2), "the target is above", (0, 1, 2), "目标在上面"),
             Case((moved, old, torch.full((1, 4), -1.0), sure, 0.2), "the target is below", (0, 1, 2), "目标在下面"),
             Case((moved, old, torch.full((1, 4), 2.0), sure, 0.05), "a narrow clip", (0, 1, 2), "截断很窄"),
             Case((moved, old, torch.full((1, 4), 2.0), sure, 1.0), "a wide clip", (0, 1, 2), "截断很宽"),
             Case((10 * draw(2, 4), 10 * draw(2, 4), 10 * draw(2, 4), short, 0.2), "large values", (0, 1, 2),
                  "数值很大"),
             Case((draw(2, 4), draw(2, 4), draw(2, 4), short, 0.3), "two responses", (0, 1, 2), "两条回答")]
    for by, about, zh in SPOILT:
        spoilt = [_spoilt(draw(2, 4), short, b) for b in (by, -by if by == 50 else by, by)]
        cases.append(Case((*spoilt, short, 0.2), about, (0, 1, 2), zh))
    for kind, about, zh in DRAWN:
        cases.append(Case((draw(3, 6), draw(3, 6), draw(3, 6) * 2, kind(3, 6, g), 0.37), about, (0, 1, 2), zh))
    return cases


EXERCISES = (
    Exercise("1.1", "response_mask", ("ids", "eos"), response_mask,
             Case((torch.tensor([[5, 7, 2, 0], [4, 2, 0, 0]]), 2)), _ids, RESPONSE_MASK, points=1),
    Exercise("1.2", "token_reward", ("logprob", "ref_logprob", "score", "mask", "beta"), token_reward,
             Case((torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.2, -1.5, -0.5]]), torch.tensor([2.0]),
                   torch.ones(1, 3, dtype=torch.bool), 0.1)), _rewards, TOKEN_REWARD, points=2),
    Exercise("1.3", "gae", ("reward", "value", "mask", "gamma", "lam"), gae,
             Case((torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.4, 0.6]]), torch.ones(1, 3).bool(), 1.0,
                   0.95)), _credit, GAE, points=3),
    Exercise("1.4", "whiten", ("advantage", "mask"), whiten,
             Case((torch.tensor([[0.751, 0.58, 0.4]]), torch.ones(1, 3).bool())), _advantages, WHITEN,
             points=2, tolerance=3e-4),
    Exercise("1.5", "clipped_policy", ("logprob", "old_logprob", "advantage", "mask", "clip"), clipped_policy,
             Case((torch.tensor([[1.0, 1.1, 0.9]]).log() - 2, torch.full((1, 3), -2.0),
                   torch.tensor([[1.0, -1.0, 2.0]]), torch.ones(1, 3).bool(), 0.2), gradient=(0,)), _ratios,
             CLIPPED_POLICY, points=3),
    Exercise("1.6", "adapt", ("beta", "kl", "target", "n", "horizon"), adapt, Case((0.2, 6.3, 6.0, 256, 10_000)),
             _prices, ADAPT, points=1, tolerance=1e-6, least=1e-9, exact=True),
    Exercise("1.7", "clipped_value", ("value", "old_value", "target", "mask", "clip"), clipped_value,
             Case((torch.tensor([[0.5, 0.9, 0.1]]), torch.tensor([[0.4, 0.5, 0.5]]), torch.tensor([[1.0, 1.0, 0.0]]),
                   torch.ones(1, 3).bool(), 0.2), gradient=(0, 1, 2)), _guesses, CLIPPED_VALUE, points=2),
)
