# %% [markdown] lang="en"
# # When RLHF goes wrong
#
# A run seldom crashes. It goes on, its score rises, and it is ill. Here sixteen faults are made on purpose, each in one line of a sound PPO
# run; you see each in its curves, write the number that gives it away, and mend it. At the end six runs have no name: you say what is
# wrong with each. The picture you will make: gold falls while the proxy rises.
#
# Level 6 · about 75 minutes · CPU only · no account · works offline after install · you should know PPO's parts
# ([lesson 01](01_sentiment_ppo.ipynb)) and best-of-n ([lesson 04a](04a_best_of_n.ipynb)).
#
# It explains `rlhf_kit/studies/gallery/` and `rlhf_kit/runs/explain.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="85bb"
# # RLHF 出毛病的时候
#
# 训练很少直接崩掉。它照跑，得分照涨，其实已经病了。这一课故意造出十六种毛病，每一种都只在好好的 PPO 里改一行；你在曲线上看到它，
# 写出能揭穿它的那个数，再把它修好。最后有六次训练不写名字，由你来说每一次病在哪里。你会画出这样一张图：代理奖励在涨，真值在掉。
#
# 第 6 级 · 约 75 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识 PPO 的各个部件（[第 01 课](01_sentiment_ppo.ipynb)）
# 和 best-of-n（[第 04a 课](04a_best_of_n.ipynb)）。
#
# 本课讲解的是 `rlhf_kit/studies/gallery/` 和 `rlhf_kit/runs/explain.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - say where optimising a proxy stops helping, and what an ensemble of reward models can do about it;
# - write checks that must hold whatever is learned, and read a fault from the one that does not;
# - name what is wrong with a run that you have never seen.
# %% [markdown] lang="zh" of="94b0"
# **学完之后你能够**
#
# - 说清优化代理奖励到哪里就不再有用，一组奖励模型又能帮上什么忙；
# - 写出不管学什么都必须成立的检查，并从不成立的那一条读出毛病；
# - 对一次从没见过的训练，说出它病在哪里。
# %% [markdown] lang="en"
# ## The gallery
#
# The healthy run: a tiny language model of product reviews pleases a tiny reward model, 20 PPO steps. Its twin with a fault
# differs in one line, so the mend is always to take that line back. All runs below come with the kit.
# %% [markdown] lang="zh" of="a6dc"
# ## 故障集
#
# 健康的那次训练是：一个写商品评论的小语言模型去讨好一个小奖励模型，PPO 二十步。有毛病的孪生兄弟只差一行，所以修法永远是把那一行改回来。
# 下面的训练都随工具包附带。
# %%
import math

import torch
from rlhf_kit.language import fault_words
from rlhf_kit.runs import explain
from rlhf_kit.studies import gallery

log = kit.stored()
healthy, said = log["parts"]["healthy"], fault_words(LANG)                # its metrics; of each fault, title and mend
kit.tell("made_by", **log["about"])
for name in gallery.FAULTS:
    print(f"{name:17s}{said[name]['title']}")
# %%
def beside(faults, metrics, runs=log["parts"]):
    """Curves of these runs over the healthy one's."""
    shown = {"healthy": healthy, **{name: runs[name] for name in faults}}
    return kit.plots.overlay({metric: {name: ([*range(1, len(run[metric]) + 1)], run[metric]) for name, run in shown.items()}
                              for metric in metrics}, size=(2.5, 1.9))


print(gallery.named("no-kl").line)
# %% [markdown] lang="en"
# ## The score rises, the truth does not
#
# `no-kl` takes away the price of drifting; in `rm-epochs` the reward model has read a dozen rankings more than sixty times. Both policies
# please their reward model. Here the truth is known. Over the last four steps, is the gold of `no-kl` "higher" than that of the healthy run,
# "lower", or the "same" within 0.05?
# %% [markdown] lang="zh" of="e0cc"
# ## 得分在涨，真值不涨
#
# `no-kl` 去掉了偏离的代价；`rm-epochs` 里，奖励模型把十来个排序读了六十多遍。两个策略都让自己的奖励模型满意。
# 而这里的真值是知道的。最后四步里，`no-kl` 的真值比健康的那次高 ("higher")、低 ("lower")，还是相差不到 0.05 ("same")？
# %% guess="1"
my_gold = None              # "higher", "lower" or "same"
# %%
def late(run, metric):
    """The mean of the last four steps."""
    return sum(run[metric][-4:]) / 4


away = late(log["parts"]["no-kl"], "gold") - late(healthy, "gold")
kit.guessed(my_gold, "same" if abs(away) < 0.05 else "higher" if away > 0 else "lower")
beside(["no-kl", "rm-epochs"], ["score", "gold", "kl"])
# %% [markdown] lang="en"
# A proxy is right where it was trained, and nobody knows where it is wrong until something looks for the place. Gao, Schulman and Hilton
# (2022) let a large "gold" reward model play the human and found two laws in $d = \sqrt{\text{KL}}$ for how far gold rises above its start:
#
# $$R_{\text{best-of-n}}(d) = d\,(\alpha - \beta d), \qquad R_{\text{RL}}(d) = d\,(\alpha - \beta \log d)$$
#
# α is what optimising gives, β what over-optimising takes away.
# %% [markdown] lang="zh" of="d2bd"
# 代理奖励在训练过的地方是对的；它在哪里错，要等有人专门去找那个地方才知道。Gao、Schulman 和 Hilton（2022）让一个大奖励模型扮演人，
# 叫它“真值”，发现真值比起点高出多少，对 $d = \sqrt{\text{KL}}$ 有两条规律：
#
# $$R_{\text{best-of-n}}(d) = d\,(\alpha - \beta d), \qquad R_{\text{RL}}(d) = d\,(\alpha - \beta \log d)$$
#
# α 是优化带来的，β 是过度优化拿走的。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.1 - Where is the peak?
#
# `Difficulty ●●●○ · Importance ●●●○ · 15 min · 3 points`
#
# In: `distance`, `[N]`, at least three values of d, all above 0 and different, in any order; `gold`, `[N]`, measured above the start, with noise; `rl`, True for the
# second form. Out: three numbers. `alpha` and `beta` of the form that fits best, with the least sum of squared errors *of gold*. `peak`: the d
# at which the fitted curve is highest, α/(2β) or, with `rl`, exp(α/β - 1). Where β ≤ 0 it never turns down: `math.inf`. A negative peak becomes 0.
#
# For d = (1, 2, 4), gold (0.5, 0.8, 0.8), first form: (0.6, 0.1, 3).
# %% [markdown] lang="zh" of="5740"
# ### ✏️ 练习 6.1 - 峰值在哪里？
#
# `难度 ●●●○ · 重要 ●●●○ · 15 分钟 · 3 分`
#
# 输入：`distance`，`[N]`，至少三个 d，都大于 0，互不相同，次序不定；`gold`，`[N]`，比起点高出多少，测量带噪声；`rl`，True 表示第二种形式。
# 输出三个数。`alpha` 和 `beta`：拟合得最好的那两个，也就是*真值*误差的平方和最小。`peak`：拟合曲线在哪个 d 最高，是 α/(2β)；`rl` 时是 exp(α/β - 1)。
# β ≤ 0 时曲线从不往下拐，给 `math.inf`。峰值为负时给 0。
#
# 例如 d = (1, 2, 4)，真值 (0.5, 0.8, 0.8)，第一种形式：(0.6, 0.1, 3)。
# %% exercise="6.1"
# EXERCISE 6.1
def fit_peak(distance, gold, rl):
    """(alpha, beta, the d at which the fitted curve is highest)."""
    # solution:
    second = distance * distance.log() if rl else distance ** 2
    columns = torch.stack([distance, -second], 1)                                        # (N, 2)
    alpha, beta = torch.linalg.lstsq(columns, gold[:, None]).solution[:, 0].tolist()
    if beta <= 0:
        return alpha, beta, math.inf
    return alpha, beta, math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)
    # end
# %% [markdown] lang="en" hints="6.1"
# <details><summary>Hint 1: the idea</summary>
#
# Both forms are linear in α and β: gold = α · (first column) + β · (second column), and there is no constant.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.linalg.lstsq(columns, gold[:, None]).solution`; the columns are d and -d², or d and -d log d.
#
# </details>
# %% [markdown] lang="zh" of="34c8" hints="6.1"
# <details><summary>线索 1：思路</summary>
#
# 两种形式对 α 和 β 都是线性的：真值 = α ·（第一列）+ β ·（第二列），没有常数项。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.linalg.lstsq(columns, gold[:, None]).solution`；两列是 d 和 -d²，或者 d 和 -d log d。
#
# </details>
# %% check="6.1"
fit_peak = kit.check("6.1", fit_peak)
# %% [markdown] lang="en"
# A toy with a known truth: gold is drawn from a bell curve, and five proxies each see it with errors that are small nearly always and huge now and
# then. Best-of-n picks what one proxy likes best among n.
# %% [markdown] lang="zh" of="40af"
# 一个知道真相的玩具例子：真值从钟形曲线里抽，五个代理奖励各自看它，误差几乎总是很小，偶尔大得离谱。best-of-n 就是在 n 个里取某个代理最喜欢的。
# %%
torch.manual_seed(0)
ns = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
truth = torch.randn(400, 1024)                                                           # (trials, draws)
members = truth + 0.35 * torch.distributions.StudentT(2.0).sample((5, 400, 1024))        # (5, trials, draws)


def best_of(opinion, value=truth):
    """Mean value of the draw that the opinion likes best among the first n, for every n."""
    return [value.gather(1, opinion[:, :n].argmax(1, keepdim=True)).mean().item() for n in ns]


d = torch.tensor([math.log(n) - (n - 1) / n for n in ns[1:]]).sqrt()                     # (10,) root of best-of-n's KL
single = torch.tensor(best_of(members[0]))
alpha, beta, peak = fit_peak(d, single[1:] - single[0], False)
kit.tell("peak", alpha=alpha, beta=beta, peak=peak, last=d[-1].item())
kit.plots.lines(d.tolist(), {"proxy": best_of(members[0], members[0])[1:], "gold": single[1:].tolist(), "fitted": (d * (alpha - beta * d)).tolist()},
                across="d, root of the KL", unit="mean of what was chosen", title="Best-of-n by one proxy", dashed=["fitted"])
# %% [markdown] lang="en"
# The proxy rises to the end, far above all gold there is. Among a thousand draws there is nearly always one that this proxy misjudges.
#
# And real ones? Here PPO pleased reward models that had learned from 200 and from 4,000 comparisons, with no price of drifting (`rlhf-kit overoptimisation`;
# the page `docs/overoptimisation.md` has all its curves). Your function finds their peaks; gold is counted in its deviations over the start's answers:
# %% [markdown] lang="zh" of="8716"
# 代理奖励一路涨到底，远高于真值所能达到的任何数。抽一千次，几乎总有一个是这个代理看走了眼的。
#
# 真的奖励模型呢？下面的 PPO 去讨好两个奖励模型，一个学过 200 次比较，一个学过 4,000 次，偏离不扣分（`rlhf-kit overoptimisation`；全部曲线在 `docs/zh/overoptimisation.md`）。
# 用你的函数找它们的峰值；真值以起点回答的标准差为单位：
# %%
real = log["overoptimised"]                                                              # comparisons -> d, gold above the start
fits = [fit_peak(torch.tensor(run["d"]), torch.tensor(run["gold"]), True) for run in real.values()]
kit.table({"": [*real], "α": [x[0] for x in fits], "β": [x[1] for x in fits], "d*": [x[2] for x in fits],
           "max d": [max(run["d"]) for run in real.values()], "gold": [run["gold"][-1] for run in real.values()]}, digits=2)
# %% [markdown] lang="en"
# ## Ask several
#
# Five reward models with different seeds err in different places (Coste et al. 2023). Three ways to make one score of K opinions: their
# **mean**; the **worst** of them; or the mean less λ times their **variance** ("uncertainty-weighted": disagreement costs).
# %% [markdown] lang="zh" of="bafa"
# ## 多问几个
#
# 五个种子不同的奖励模型，错的地方也不同（Coste 等 2023）。K 个意见变成一个得分，有三种办法：取**平均**；取其中**最低**的；
# 或者平均减去 λ 乘它们的**方差**（按不确定性加权：有分歧就扣分）。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.2 - The opinion of an ensemble
#
# `Difficulty ●●○○ · Importance ●●●○ · 5-10 min · 2 points`
#
# In: `score`, `[K, N]`, what each of K ≥ 1 members says of N responses; `weight`, λ ≥ 0. Out: three tensors, `[N]`: `mean`; `worst`, the lowest;
# `cautious`, mean - λ · variance over the members, where the variance is the mean squared distance from the mean (divided by K).
#
# For one response with scores 1, 1.2, 2.6 and λ = 0.5: mean 1.6, worst 1, variance 0.5067, cautious 1.3467.
# %% [markdown] lang="zh" of="6088"
# ### ✏️ 练习 6.2 - 一组模型的意见
#
# `难度 ●●○○ · 重要 ●●●○ · 5-10 分钟 · 2 分`
#
# 输入：`score`，`[K, N]`，K ≥ 1 个成员各自给 N 条回答的得分；`weight`，λ ≥ 0。输出三个张量，`[N]`：`mean`，平均；`worst`，最低的；
# `cautious`，平均 - λ · 各成员之间的方差，方差是与平均之差的平方的平均（除以 K）。
#
# 例如一条回答的得分是 1、1.2、2.6，λ = 0.5：平均 1.6，最低 1，方差 0.5067，cautious 是 1.3467。
# %% exercise="6.2"
# EXERCISE 6.2
def ensemble(score, weight):
    """(mean, worst, mean - weight · variance) over the members, [N] each."""
    # solution:
    mean = score.mean(0)                                                                 # (N,)
    return mean, score.min(0).values, mean - weight * ((score - mean) ** 2).mean(0)
    # end
# %% [markdown] lang="en" hints="6.2"
# <details><summary>Hint 1: the idea</summary>
#
# Everything runs over the members, dimension 0. One member has no disagreement: variance 0.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.mean(0)`, `.min(0).values`; `.var(0, correction=0)` divides by K.
#
# </details>
# %% [markdown] lang="zh" of="e92a" hints="6.2"
# <details><summary>线索 1：思路</summary>
#
# 都是对成员、也就是第 0 维来算。只有一个成员就没有分歧：方差是 0。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.mean(0)`、`.min(0).values`；`.var(0, correction=0)` 除的是 K。
#
# </details>
# %% check="6.2"
ensemble = kit.check("6.2", ensemble)
# %% [markdown] lang="en"
# At n = 1024, which of the two chooses better texts, by gold: "mean" or "worst"? And if all members share a blind spot, one text in a hundred that
# everybody overrates by 4 while its gold is -2: does "worst" still help, "yes" or "no"?
# %% [markdown] lang="zh" of="c062"
# n = 1024 时，按真值看，哪一个选得更好："mean"（平均）还是 "worst"（最低）？再假定所有成员有同一个盲点：一百段文本里有一段，真值是 -2，
# 人人都高估它 4 分。"worst" 还帮得上忙吗，"yes"（能）还是 "no"（不能）？
# %% guess="2"
my_ensemble = {"better": None, "blind spot": None}
# %%
opinions = dict(zip(("mean", "worst", "cautious"), (x.reshape(400, 1024) for x in ensemble(members.flatten(1), 0.5))))
curves = {"one": single.tolist(), **{name: best_of(opinion) for name, opinion in opinions.items()}}
hack = torch.rand(400, 1024) < 0.01                                                      # the same for all members
fooled, worth = ensemble((members.where(~hack, members + 4)).flatten(1), 0.5)[1].reshape(400, 1024), truth.where(~hack, -2.0)
shared = best_of(fooled, worth)
kit.guessed(my_ensemble, {"better": max(("mean", "worst"), key=lambda name: curves[name][-1]),
                          "blind spot": "yes" if shared[-1] > shared[0] else "no"})
kit.table({"n": ns, **{kit.words(name): curve for name, curve in curves.items()}, kit.words("shared"): shared}, digits=2)
kit.plots.lines([0.0, *d.tolist()], {**curves, "worst, shared blind spot": shared}, across="d, root of the KL", unit="gold of what was chosen",
                title="Ask several", dashed=["worst, shared blind spot"])
# %% [markdown] lang="en"
# The mean is dragged along by one member's huge error; the cautious ones need *all* members to be wrong. Where all are, nothing helps but new labels
# from there. A KL penalty is a brake, not a cure: in Gao's study it ended earlier on
# the same road. In the runs above gold was higher with the price than without it at the same drift, on three seeds (`docs/overoptimisation.md`).
#
# ## The books must balance
#
# Some faults break a law that holds whatever is learned. PPO gives each token β times its drift as a price, and the last token the score. So over a response:
#
# $$\sum_t r_t = \text{score} - \beta \sum_t (\log\pi_t - \log\pi_{\text{ref},t})$$
# %% [markdown] lang="zh" of="c312"
# 平均会被一个成员的巨大误差拖走；谨慎的两种，要*所有*成员都错才会上当。要是真的都错，就只有回到那里重新标注。KL 惩罚是刹车，不是药：
# 在 Gao 的研究里，走的是同一条路，只是停得早一些；上面那几次运行里，偏离一样远时，付代价的真值更高，三个种子合起来如此（`docs/zh/overoptimisation.md`）。
#
# ## 账要平
#
# 有些毛病破坏的是不管学什么都成立的规律。PPO 给每个词元扣 β 乘它的偏离，再把得分给最后一个词元。所以整条回答应当有：
#
# $$\sum_t r_t = \text{得分} - \beta \sum_t (\log\pi_t - \log\pi_{\text{ref},t})$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.3 - What was lost on the way
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `score`, `[B]`; `token_reward`, `logprob`, `ref_logprob`, `[B, T]`; `mask`, `[B, T]`, True on the tokens that are learned from, at least one a row; `beta`.
# Anything may stand outside the mask, NaN too. Out: `[B]`, what should have arrived at the marked tokens less what did arrive: 0 if the books balance, negative if too much arrived.
#
# Score 2, log π (-1, -2, -0.5), log π_ref (-1.2, -1.5, -0.5), β = 0.1, rewards (-0.02, 0.05, 2), all marked: due 2 + 0.03, arrived 2.03: 0. Score 1, no drift, rewards (0, 0, 1), the last token not marked: 1.
# %% [markdown] lang="zh" of="4f51"
# ### ✏️ 练习 6.3 - 路上丢了多少
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`score`，`[B]`；`token_reward`、`logprob`、`ref_logprob`，`[B, T]`；`mask`，`[B, T]`，参与学习的词元是 True，每行至少一个；`beta`。
# 掩码之外可能是任何数，NaN 也可能。输出：`[B]`，有标记的词元应得的减去实得的：账平是 0，送多了是负数。
#
# 例如得分 2，log π (-1, -2, -0.5)，log π_ref (-1.2, -1.5, -0.5)，β = 0.1，奖励 (-0.02, 0.05, 2)，全有标记：应得 2 + 0.03，实得 2.03：结果 0。
# 得分 1，没有偏离，奖励 (0, 0, 1)，最后一个没有标记：结果 1。
# %% exercise="6.3"
# EXERCISE 6.3
def lost_on_the_way(score, token_reward, logprob, ref_logprob, mask, beta):
    """What the marked tokens should have been given, less what they were given, [B]."""
    # solution:
    kl = torch.where(mask, logprob - ref_logprob, 0.0).sum(1)                            # (B,)
    return score - beta * kl - torch.where(mask, token_reward, 0.0).sum(1)
    # end
# %% [markdown] lang="en" hints="6.3"
# <details><summary>Hint 1: the idea</summary>
#
# Two sums over the marked tokens of each row: of the drift, and of the rewards.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, x, 0.0).sum(1)`. Multiplying by the mask leaves NaN as NaN.
#
# </details>
# %% [markdown] lang="zh" of="0bc0" hints="6.3"
# <details><summary>线索 1：思路</summary>
#
# 对每一行有标记的词元求两个和：偏离的和，奖励的和。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(mask, x, 0.0).sum(1)`。乘掩码的话，NaN 还是 NaN。
#
# </details>
# %% check="6.3"
lost_on_the_way = kit.check("6.3", lost_on_the_way)
# %%
from rlhf_kit.formulas import advantages, kl_penalty
from rlhf_kit.sampling import response_logprob, sample_rollout
from rlhf_kit.studies.gallery import slips

run = gallery.healthy(LANG)                                                              # policy, reference, prompts, reward, config
torch.manual_seed(0)
with torch.no_grad():
    for weight in run.policy.lm.parameters():
        weight += 0.05 * weight.std() * torch.randn_like(weight) if weight.dim() > 1 else 0.0    # shaken, so that it has drifted
rollout = sample_rollout(run.policy, run.prompts[:32], run.config.sampling, 0)
with torch.no_grad():
    ref_logprob, score = response_logprob(run.reference, rollout), torch.as_tensor(run.reward(rollout.prompts, rollout.responses))
books = (rollout.logprob, ref_logprob, rollout.mask)
pays = {"right": kl_penalty.token_reward, "wrong-token": slips.at_last_column, "kl-reversed": slips.wrong_way}
lost = {name: lost_on_the_way(score, pay(score, *books, 0.5), *books, 0.5) for name, pay in pays.items()}      # (B,) each
kit.table({"": [*lost], kit.words("mean"): [round(x.mean().item(), 4) + 0.0 for x in lost.values()],
           kit.words("furthest"): [round(x[x.abs().argmax()].item(), 4) + 0.0 for x in lost.values()]})
# %% [markdown] lang="en"
# A score in the last column reaches only the longest responses; everybody else is told nothing but a price. A reversed price *pays* for
# drifting, so the KL grows faster the higher β is. In a log the two show as `kl_price`, which must be β · KL:
# %% [markdown] lang="zh" of="660d"
# 得分放在最后一列，只有最长的回答收得到，别的只扣分、不得分。惩罚的符号反了，偏离就*有奖*，β 越高 KL 涨得越快。
# 在日志里，两者都看 `kl_price`，它必须等于 β · KL：
# %%
three = {name: log["parts"][name] for name in ("healthy", "wrong-token", "kl-reversed")}
kit.table({"": [*three], "kl_price": [late(one, "kl_price") for one in three.values()],
           "β · KL": [late(one, "kl_coef") * late(one, "kl") for one in three.values()], "gold": [late(one, "gold") for one in three.values()]})
beside(["wrong-token", "kl-reversed"], ["score", "kl", "kl_price"])
# %% [markdown] lang="en"
# ## Does learning follow the score?
#
# Advantages are whitened over *all* tokens of a batch. One well-known repository whitened each response on its own. Then every
# response has mean 0, good or bad, and a reward of 1 teaches exactly what 0.1 teaches.
# %% [markdown] lang="zh" of="2495"
# ## 学习跟着得分走吗？
#
# 优势要在一批的*全部*词元上白化。有个很出名的仓库却逐条回答来白化。这样每条回答的平均都是 0，好的坏的一样；
# 奖励是 1 和奖励是 0.1，教的东西分毫不差。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.4 - Credit
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `advantage`, `mask`, `[B, T]`, at least one token marked in each row, anything outside the mask; `score`, `[B]`, B ≥ 2. Out: one number, the correlation (Pearson's) over the B responses of
# score and *mean advantage* of the response's marked tokens. If the standard deviation (divided by B) of either is below 1e-5, it does not vary, and the result is **0**.
#
# Advantages (1, -1), (2, 2, 2), (0, -3), scores (0.5, 1, 0): means (0, 2, -1.5), correlation 0.9966.
# %% [markdown] lang="zh" of="3b21"
# ### ✏️ 练习 6.4 - 功劳归谁
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`advantage`、`mask`，`[B, T]`，每行至少标记一个词元，掩码之外可能是任何数；`score`，`[B]`，B ≥ 2。输出一个数：在 B 条回答上，得分与该条有标记词元的*平均优势*的
# 相关系数（皮尔逊）。两者之中若有一个的标准差（除以 B）小于 1e-5，就是没有变化，结果是 **0**。
#
# 例如优势 (1, -1)、(2, 2, 2)、(0, -3)，得分 (0.5, 1, 0)：平均是 (0, 2, -1.5)，相关系数 0.9966。
# %% exercise="6.4"
# EXERCISE 6.4
def credit(advantage, mask, score):
    """The correlation over responses of score and mean advantage; 0 where one of them does not vary."""
    # solution:
    mean = torch.where(mask, advantage, 0.0).sum(1) / mask.sum(1)                        # (B,)
    x, y = mean - mean.mean(), score - score.mean()
    if min(x.std(correction=0), y.std(correction=0)) < 1e-5:
        return torch.tensor(0.0)
    return (x * y).sum() / (x.norm() * y.norm())
    # end
# %% [markdown] lang="en" hints="6.4"
# <details><summary>Hint 1: the idea</summary>
#
# First one number a response, then one number for the batch. Look whether anything varies before you divide.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, ...)`, `.std(correction=0)`; `torch.corrcoef(torch.stack([x, y]))[0, 1]`.
#
# </details>
# %% [markdown] lang="zh" of="332a" hints="6.4"
# <details><summary>线索 1：思路</summary>
#
# 先每条回答得一个数，再整批得一个数。除之前先看有没有变化。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(mask, ...)`、`.std(correction=0)`；`torch.corrcoef(torch.stack([x, y]))[0, 1]`。
#
# </details>
# %% check="6.4"
credit = kit.check("6.4", credit)
# %%
reward = kl_penalty.token_reward(score, *books, run.config.kl.coefficient)
advantage = advantages.gae(reward.double(), torch.zeros_like(reward).double(), rollout.mask, 1.0, 1.0)[0]      # (B, T) not yet whitened
for name, whiten in (("batch", advantages.whiten), ("alone", slips.each_alone)):
    kit.tell("credit", way=kit.words(name), credit=abs(round(float(credit(whiten(advantage, rollout.mask), rollout.mask, score.double())), 2)))
# %% [markdown] lang="en"
# Now live, on your machine: the fault, then the run without it (~10 s each on a laptop CPU). The stored healthy run gained about 0.3 of gold in its 20 steps.
# How much will the one with `whitened-alone` gain?
# %% [markdown] lang="zh" of="63f7"
# 现在在你的机器上现场来一次：先带毛病，再去掉（笔记本电脑 CPU 上各约 10 秒）。存好的那次健康训练，二十步里真值涨了大约 0.3。
# 带着 `whitened-alone` 的会涨多少？
# %% guess="3"
my_gain = None              # such as 0.3, or below 0
# %%
ill, _ = gallery.train(gallery.named("whitened-alone").spoil(gallery.healthy(LANG)))
# %%
mended, _ = gallery.train(gallery.healthy(LANG))
# %%
live = {name: {m: [step.metrics[m] for step in steps] for m in healthy if m in steps[0].metrics}
        for name, steps in (("whitened-alone", ill), ("healthy", mended))}
gain = {name: late(one, "gold") - sum(one["gold"][:4]) / 4 for name, one in live.items()}
kit.guessed(my_gain, gain["whitened-alone"])
kit.tell("live", ill=gain["whitened-alone"], well=gain["healthy"], kl=late(live["whitened-alone"], "kl"))
kit.plots.lines([*range(1, 21)], {name: one["gold"] for name, one in live.items()}, across="PPO step", unit="gold", title="One line apart")
# %% [markdown] lang="en"
# ## An end that nobody learns
#
# GPT-2 has no padding token, so people take the end token for it and write `mask = ids != pad`. That masks each response's own end
# as well: stopping is never rewarded and never punished.
# %% [markdown] lang="zh" of="080a"
# ## 没人学的结尾
#
# GPT-2 没有填充符，于是大家拿结束符来充数，写成 `mask = ids != pad`。这样一来，每条回答自己的结尾也被掩掉了：停下来既不受奖，也不受罚。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.5 - Are ends learned?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5-10 min · 1 point`
#
# In: `ids`, `[B, T]`, token ids of responses; a response ends with its *first* `eos`, and what follows is padding, which may be the same token; `mask`, `[B, T]`, what is
# learned from, right or wrong; `eos`. Out: one number: of the responses that end, the share whose end token is marked. **1** if none ends.
#
# For eos 2, ids (5 2 2), (7 8 2), (4 4 4), masks (T T F), (T T F), (T T T): two end, of one the end is marked: 0.5.
# %% [markdown] lang="zh" of="8e65"
# ### ✏️ 练习 6.5 - 结尾学到了吗？
#
# `难度 ●○○○ · 重要 ●●●○ · 5-10 分钟 · 1 分`
#
# 输入：`ids`，`[B, T]`，回答的词元编号；一条回答在*第一个* `eos` 处结束，后面是填充，可能也是同一个词元；`mask`，`[B, T]`，哪些词元参与学习，可能对也可能错；`eos`。
# 输出一个数：结束了的回答里，结束符有标记的占多少。一条都没有结束时是 **1**。
#
# 例如 eos 是 2，ids 是 (5 2 2)、(7 8 2)、(4 4 4)，掩码 (T T F)、(T T F)、(T T T)：两条结束了，其中一条的结尾有标记：0.5。
# %% exercise="6.5"
# EXERCISE 6.5
def ends_learnt(ids, mask, eos):
    """Of the responses that end, the share whose end token is marked; 1 if none ends."""
    # solution:
    end = ids == eos
    first = end & (end.cumsum(1) == 1)                                                   # (B, T) one a row at most
    return (first & mask).sum() / end.any(1).sum() if end.any() else torch.tensor(1.0)
    # end
# %% [markdown] lang="en" hints="6.5"
# <details><summary>Hint 1: the idea</summary>
#
# Find each row's first end token, and look up the mask there.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `(ids == eos).cumsum(1) == 1` is True from the first end to the second; `.any(1)` says which rows end.
#
# </details>
# %% [markdown] lang="zh" of="6369" hints="6.5"
# <details><summary>线索 1：思路</summary>
#
# 找到每行的第一个结束符，再看那里的掩码。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(ids == eos).cumsum(1) == 1` 从第一个结束符到第二个之前是 True；`.any(1)` 说哪些行结束了。
#
# </details>
# %% check="6.5"
ends_learnt = kit.check("6.5", ends_learnt)
# %%
eos = run.policy.tokenizer.eos_token_id
for name, draw in (("right", sample_rollout), ("eos-as-padding", slips.end_as_padding)):
    one = draw(run.policy, run.prompts[:32], run.config.sampling, 0)
    print(f"{name:15s}ends_learnt {float(ends_learnt(one.response_ids, one.mask, eos)):.2f}")
beside(["eos-as-padding"], ["score", "response_length", "ends_learnt"])
# %% [markdown] lang="en"
# Score and length hardly show it here, as the tiny model ends well by itself: only the check finds it. On a model that rambles,
# responses run to the limit.
#
# ## Which KL is pulled at?
#
# GRPO and others put the KL into the *loss*. With $r = \pi_{\text{ref}}/\pi$ at a drawn token, three estimates of $\text{KL}(\pi\|\pi_{\text{ref}})$ are in use:
#
# $$k_1 = -\log r, \qquad k_2 = \tfrac12 (\log r)^2, \qquad k_3 = r - 1 - \log r$$
#
# k1 and k3 have the right mean. But a loss is differentiated with the drawn tokens held *fixed*, and then a good estimate may pull in another direction.
# %% [markdown] lang="zh" of="b469"
# 这里从得分和长度几乎看不出来，因为小模型本来就会收尾：只有检查能发现它。换成爱啰嗦的模型，回答会一直写到上限。
#
# ## 拉的是哪个 KL？
#
# GRPO 等方法把 KL 放进*损失*。在抽到的词元上记 $r = \pi_{\text{ref}}/\pi$，$\text{KL}(\pi\|\pi_{\text{ref}})$ 常用的估计有三个：
#
# $$k_1 = -\log r, \qquad k_2 = \tfrac12 (\log r)^2, \qquad k_3 = r - 1 - \log r$$
#
# k1 和 k3 的平均是对的。但损失求导时，抽到的词元是*固定*的；这样一来，好的估计也可能拉向别的方向。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.6 - Three pulls
#
# `Difficulty ●●●● · Importance ●●●○ · 15 min · 3 points`
#
# In: `logits`, `ref_logits`, `[V]`, of policy and reference for one next token, not normalised. A token is drawn from the policy; each estimate is differentiated in `logits`
# with that token held fixed. Out: three tensors, `[V]`, `k1`, `k2`, `k3`: the *expected* gradients, over what may be drawn.
#
# For π = (0.5, 0.3, 0.2), π_ref = (0.25, 0.25, 0.5) and logits their logarithms: k1 (0, 0, 0), k2 (0.2376, -0.0107, -0.2269), k3 (0.25, 0.05, -0.3).
# %% [markdown] lang="zh" of="cb9e"
# ### ✏️ 练习 6.6 - 三种拉力
#
# `难度 ●●●● · 重要 ●●●○ · 15 分钟 · 3 分`
#
# 输入：`logits`、`ref_logits`，`[V]`，策略和参考模型对下一个词元的 logits，没有归一化。词元从策略里抽；抽到之后固定不动，对 `logits` 求各个估计的梯度。
# 输出三个张量，`[V]`，`k1`、`k2`、`k3`：对各种可能抽到的词元取*期望*之后的梯度。
#
# 例如 π = (0.5, 0.3, 0.2)，π_ref = (0.25, 0.25, 0.5)，logits 是它们的对数：k1 (0, 0, 0)，k2 (0.2376, -0.0107, -0.2269)，k3 (0.25, 0.05, -0.3)。
# %% exercise="6.6"
# EXERCISE 6.6
def kl_pulls(logits, ref_logits):
    """The expected gradients of k1, k2 and k3 in the logits, [V] each."""
    # solution:
    logits = logits.clone().requires_grad_()
    away = logits.log_softmax(0) - ref_logits.log_softmax(0)                             # (V,) -log r
    drawn = logits.softmax(0).detach()                                                   # (V,) how often each is drawn
    estimates = away, away ** 2 / 2, torch.exp(-away) - 1 + away
    return tuple(torch.autograd.grad((drawn * k).sum(), logits, retain_graph=True)[0] for k in estimates)
    # end
# %% [markdown] lang="en" hints="6.6"
# <details><summary>Hint 1: the idea</summary>
#
# An expectation is a sum over all V tokens, weighed by how often each is drawn. These weights are plain numbers: nothing flows through them.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `logits.clone().requires_grad_()`, `log_softmax`, `.detach()`, `torch.autograd.grad(..., retain_graph=True)`.
#
# </details>
# %% [markdown] lang="zh" of="4d81" hints="6.6"
# <details><summary>线索 1：思路</summary>
#
# 期望就是对全部 V 个词元求和，按各自多常被抽到来加权。这些权重是普通的数：梯度不从它们那里过。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `logits.clone().requires_grad_()`、`log_softmax`、`.detach()`、`torch.autograd.grad(..., retain_graph=True)`。
#
# </details>
# %% check="6.6"
kl_pulls = kit.check("6.6", kl_pulls)
# %% [markdown] lang="en"
# Let a policy follow each pull for 60 steps. With k1 in the loss, how much of the KL will be left: "all", "half" or "none"?
# %% [markdown] lang="zh" of="7579"
# 让策略跟着每一种拉力走 60 步。损失里放 k1 的，KL 会剩下多少：全部 ("all")、一半 ("half")，还是没有 ("none")？
# %% guess="4"
my_left = None              # "all", "half" or "none"
# %%
reference_logits, paths = torch.tensor([0.0, 0.5, -1.0, 1.0, -3.0]), {}
for place, name in enumerate(("k1", "k2", "k3")):
    now, paths[name] = torch.tensor([2.5, -1.0, 0.0, -1.0, 1.0]), []
    for _ in range(61):
        log_p = now.log_softmax(0)
        paths[name].append((log_p.exp() * (log_p - reference_logits.log_softmax(0))).sum().item())
        now = now - 0.5 * kl_pulls(now, reference_logits)[place]
left = paths["k1"][-1] / paths["k1"][0]
kit.guessed(my_left, "all" if left > 0.9 else "half" if left > 0.1 else "none")
kit.plots.lines(range(61), paths, across="step", unit="KL to the reference, nats", title="Three losses, one KL")
# %% [markdown] lang="en"
# k1 as a loss pulls at nothing on average and only adds noise; k2 pulls along the KL that was meant; k3 along the *other* one, KL(π_ref ‖ π),
# with π - π_ref. As a price in the *reward*, k1 is right: there the score function does the rest.
#
# ## Two models where there should be one
#
# The next faults have one cause in common: what draws is not what learns. Which number of the log gives each away? Choose from `ratio_gap`
# (distance of log π from log π_old before the first update, must be 0), `ratio_shift` (the same with its sign), `surprise` (of what was drawn; must equal the entropy), and `kl`.
# Each is to be used once.
# %% [markdown] lang="zh" of="d7a7"
# k1 放进损失，平均下来什么都不拉，只添噪声；k2 拉的是本来要的那个 KL；k3 拉的是*另一个*，KL(π_ref ‖ π)，拉力是 π - π_ref。
# 要是作为惩罚放进*奖励*，k1 就是对的：剩下的由策略梯度完成。
#
# ## 该是一个模型，却有两个
#
# 下面几种毛病病根相同：采样的和学习的不是同一个。每一种，日志里哪个数会揭穿它？从这几个里选：`ratio_gap`（第一次更新之前 log π 与 log π_old 的距离，必须是 0）、
# `ratio_shift`（同一个差，带符号）、`surprise`（抽到的词元的惊奇度，必须等于熵）、`kl`。每个只用一次。
# %% guess="5"
my_traces = {"dropout": None, "top-k": None, "temperature": None, "negative-kl": None}
# %%
kit.guessed(my_traces, {"dropout": "ratio_gap", "top-k": "ratio_shift", "temperature": "surprise", "negative-kl": "kl"})
names = ["healthy", *my_traces, "int8-kernels", "ratio-reference"]
rows = [log["parts"][name] for name in names]
kit.table({"": names, **{metric: [late(one, metric) for one in rows] for metric in ("ratio_gap", "ratio_shift", "surprise", "entropy", "kl", "gold")}})
beside(["dropout", "temperature", "negative-kl"], ["score", "kl", "ratio_gap"])
# %% [markdown] lang="en"
# Dropout compares two different networks, so the gap goes both ways; what top-k cut off makes every drawn token less likely to the learner, one way. A wrong
# temperature leaves no gap, but what is drawn surprises less than the policy's own entropy. A KL below zero for long is no KL: an engine that never
# gets new weights, or a forbidden end ([lesson 03c](03c_ppo_and_cheating.ipynb) mends that one). Several of these runs score well all the same. That is the danger.
#
# ## Scale, length, spikes
# %% [markdown] lang="zh" of="a6be"
# dropout 让两个不同的网络相比，差距两个方向都有；top-k 截掉的部分，让每个抽到的词元在学习者眼里都更不可能，只有一个方向。温度不对，没有差距，
# 但抽到的词元没有策略自己的熵那么出人意料。KL 长时间小于零，就不是 KL 了：也许采样的引擎一直没拿到新权重，也许不许结束（后一种在[第 03c 课](03c_ppo_and_cheating.ipynb)修好）。
# 其中好几次，得分照样不错。危险就在这里。
#
# ## 尺度、长度、尖峰
# %%
beside(["reward-scale", "length-bias", "spikes"], ["gold", "kl", "response_length"])
# %% [markdown] lang="en"
# `reward-scale`: scores a hundred times too large, beside a price that stayed as it was. `length-bias`: ten words are worth a point. `spikes`:
# twenty times the learning rate, and no limit on the gradient; one step moves the policy so far that its old responses say nothing
# about it any more. StackLLaMA met such spikes; TRL has since left out minibatches whose ratio explodes.
# %% [markdown] lang="zh" of="1069"
# `reward-scale`：得分大了一百倍，旁边的惩罚却没变。`length-bias`：每十个词值一分。`spikes`：学习率大二十倍，梯度也不设上限；一步就把策略挪得太远，
# 旧回答已经说明不了什么。StackLLaMA 遇到过这样的尖峰；后来 TRL 会跳过概率比爆掉的小批。
# %% [markdown] lang="en"
# ### ✏️ Exercise 6.7 - A guarded step
#
# `Difficulty ●●●○ · Importance ●●●○ · 10 min · 2 points`
#
# In: `weight`, `gradient`, `[P]`; `logprob`, `old_logprob`, `[B, T]`; `mask`, `[B, T]`, at least one True, anything outside it; `rate`; `most`, above 0. The ratio of a token is exp(logprob - old_logprob).
# Out: `[P]`, the new weights. If the *mean* ratio over the marked tokens is above **10** or is NaN, or if any entry of the gradient is NaN or infinite, the minibatch is skipped: the weights stay as
# they were. Otherwise weight - rate · gradient, where a gradient whose Euclidean norm is above `most` is first scaled to that norm.
#
# Weights (1, 2), gradient (3, 4), ratios 1, rate 0.5, most 1: the norm 5 becomes 1, so (0.7, 1.6).
# %% [markdown] lang="zh" of="34cf"
# ### ✏️ 练习 6.7 - 有护栏的一步
#
# `难度 ●●●○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 输入：`weight`、`gradient`，`[P]`；`logprob`、`old_logprob`，`[B, T]`；`mask`，`[B, T]`，至少一个 True，之外可能是任何数；`rate`；`most`，大于 0。一个词元的概率比是 exp(logprob - old_logprob)。
# 输出：`[P]`，新的权重。有标记词元的*平均*概率比大于 **10** 或是 NaN，或者梯度里有 NaN 或无穷大，就跳过这个小批：权重保持原样。
# 否则是 weight - rate · gradient；梯度的欧氏范数超过 `most` 时，先缩到 `most`。
#
# 例如权重 (1, 2)，梯度 (3, 4)，概率比都是 1，rate 0.5，most 1：范数 5 缩成 1，所以是 (0.7, 1.6)。
# %% exercise="6.7"
# EXERCISE 6.7
def guarded_step(weight, gradient, logprob, old_logprob, mask, rate, most):
    """The weights after a step, or as they were if the minibatch cannot be trusted, [P]."""
    # solution:
    ratio = (logprob - old_logprob)[mask].exp().mean()
    if not ratio <= 10 or not gradient.isfinite().all():                                 # NaN <= 10 is False
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=most))
    # end
# %% [markdown] lang="en" hints="6.7"
# <details><summary>Hint 1: the idea</summary>
#
# Ask what may go on, not what may not: NaN fails every comparison. The factor on the gradient is never above 1.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `x[mask].exp().mean()`, `.isfinite().all()`, `.norm()`; do not write into `weight`.
#
# </details>
# %% [markdown] lang="zh" of="80a2" hints="6.7"
# <details><summary>线索 1：思路</summary>
#
# 要问“可以继续吗”，不要问“该跳过吗”：NaN 和谁比都是 False。梯度乘的系数不会大于 1。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `x[mask].exp().mean()`、`.isfinite().all()`、`.norm()`；不要写进 `weight`。
#
# </details>
# %% check="6.7"
guarded_step = kit.check("6.7", guarded_step)
# %%
generator, calm, mask = torch.Generator().manual_seed(0), torch.full((4, 8), -1.5), torch.ones(4, 8, dtype=torch.bool)
plain, guarded, seen = torch.tensor([4.0]), torch.tensor([4.0]), {"plain": [], "guarded": []}
for number in range(60):                                                                 # downhill on w²/2
    jump = number == 30
    noise = 0.3 * torch.randn(1, generator=generator) - (150.0 if jump else 0.0)
    plain = plain - 0.1 * (plain + noise)
    guarded = guarded_step(guarded, guarded + noise, calm + (4.0 if jump else 0.0), calm, mask, 0.1, 1.0)
    seen["plain"].append(plain.item())
    seen["guarded"].append(guarded.item())
kit.plots.lines(range(1, 61), seen, across="update", unit="one weight", title="One bad minibatch, number 31")
# %% [markdown] lang="en"
# One bad minibatch throws the plain weight far off, and it needs some twenty updates to come back. The guarded one skips that minibatch.
#
# ## Blind: six runs without a name
#
# Another seed. Five have a fault each, one is healthy. First draw any metrics that you like; then enter a name from
# the list at the top, or `"healthy"`.
# %% [markdown] lang="zh" of="4645"
# 一个坏的小批量就把普通的权重甩出很远，大约二十次更新才回得来。有护栏的那个跳过了这个小批量。
#
# ## 盲诊：六次没有名字的训练
#
# 换了一个种子。五次各有一种毛病，一次是健康的。先随意画你想看的曲线；再填开头清单里的名字，健康的填 `"healthy"`。
# %%
quiz = log["quiz"]
kit.table({"": ["a", "b", "c", "d", "e", "f"], **{metric: [late(quiz[letter], metric) for letter in "abcdef"] for metric in
          ("score", "gold", "kl", "kl_coef", "kl_price", "response_length", "entropy", "surprise")}}, digits=2)
kit.table({"": ["a", "b", "c", "d", "e", "f"], **{metric: [late(quiz[letter], metric) for letter in "abcdef"] for metric in
          ("credit", "score_std", "ratio_gap", "ratio_shift", "ends_learnt", "eos_rate", "approx_kl")}})
kit.plots.overlay({metric: {letter: ([*range(1, len(quiz[letter][metric]) + 1)], quiz[letter][metric]) for letter in "abcdef"}
                   for metric in ("score", "gold", "kl", "response_length", "credit", "entropy")}, size=(2.5, 1.9))
# %% guess="6"
my_names = {"a": None, "b": None, "c": None, "d": None, "e": None, "f": None}
# %%
kit.guessed(my_names, log["answers"])
# %% [markdown] lang="en"
# And what do the kit's rules say, which know the numbers only?
# %% [markdown] lang="zh" of="3940"
# 工具包的规则只看数字，它们又怎么说？
# %%
for letter, one in quiz.items():
    rows = [{"step": s + 1, **{name: values[s] for name, values in one.items() if s < len(values)}} for s in range(len(one["score"]))]
    found = explain.findings(explain.Record(rows))
    if found:
        words = said[found[0].fault]
        kit.tell("named", letter=letter, title=words["title"], evidence=words["evidence"].format(**found[0].evidence))
    else:
        kit.tell("nothing", letter=letter)
# %% [markdown] lang="en"
# ## Recap
#
# | fault | seen in | mend |
# |---|---|---|
# | over-optimisation | score up, gold flat or down | earlier end, KL price, new labels, a cautious ensemble |
# | KL reversed, score at the wrong token | `kl_price` is not β · KL | the sign; position `mask.sum(-1) - 1` |
# | whitened alone | `credit` 0 | whiten over the batch |
# | end as padding | `ends_learnt` below 1 | mask by length, first end included |
# | dropout, top-k, temperature, rounding | `ratio_gap`, `surprise` against `entropy` | one model draws and learns |
# | negative KL | `kl` below 0 for long | fresh weights, free drawing |
# | scale, length, spikes | `score_std`, `length_correlation`, `approx_kl` | rescale; count length out; smaller, guarded steps |
#
# A run that passes all checks is not proven sound: read its texts.
#
# **Break it.** (1) `gallery.train(gallery.named("length-bias").spoil(gallery.healthy(LANG)))`. (2) Two faults at once. (3) A fault of your own: one line.
# On your own runs: `rlhf-kit explain RUN`; `rlhf-kit gallery` shows every fault.
#
# **Next:** [lesson 07](07_after_ppo.ipynb) leaves PPO: DPO, KTO, RLOO, GRPO.
#
# **References.** Over-optimisation: Gao et al. 2022, arXiv:2210.10760. Ensembles: Coste et al. 2023, arXiv:2310.02743. KL estimates: joschu.net/blog/kl-approx.html. Implementation
# details: Huang et al. 2024, arXiv:2403.17031.
# %% [markdown] lang="zh" of="266b"
# ## 小结
#
# | 毛病 | 从哪里看出 | 怎么修 |
# |---|---|---|
# | 过度优化 | 得分涨，真值不动或下跌 | 早点停、KL 惩罚、新标注、谨慎的一组模型 |
# | KL 反了，得分给错词元 | `kl_price` 不等于 β · KL | 改符号；位置是 `mask.sum(-1) - 1` |
# | 逐条白化 | `credit` 是 0 | 在整批上白化 |
# | 结尾当填充 | `ends_learnt` 小于 1 | 按长度做掩码，第一个结束符算在内 |
# | dropout、top-k、温度、舍入 | `ratio_gap`，`surprise` 与 `entropy` 不等 | 采样和学习用同一个模型 |
# | 负的 KL | `kl` 长时间小于 0 | 及时给新权重，自由采样 |
# | 尺度、长度、尖峰 | `score_std`、`length_correlation`、`approx_kl` | 缩放奖励；扣掉长度；步子小些，装上护栏 |
#
# 所有检查都通过，也不能证明训练是好的：要读它写的文字。
#
# **弄坏它。**（1）`gallery.train(gallery.named("length-bias").spoil(gallery.healthy(LANG)))`。（2）两种毛病一起来。（3）自己造一种：只改一行。
# 你自己的训练用 `rlhf-kit explain RUN`；`rlhf-kit gallery` 把每种毛病都演一遍。
#
# **下一课：**[第 07 课](07_after_ppo.ipynb)离开 PPO：DPO、KTO、RLOO、GRPO。
#
# **参考文献。** 过度优化：Gao 等 2022，arXiv:2210.10760。一组奖励模型：Coste 等 2023，arXiv:2310.02743。KL 的估计：joschu.net/blog/kl-approx.html。实现细节：Huang 等 2024，
# arXiv:2403.17031。
