# %% [markdown] lang="en"
# # After PPO
#
# PPO needs four models: policy, reference, reward model, and a critic that is learned on the way. Each method after it leaves something out. DPO and KTO
# need neither reward model nor sampling; RLOO and GRPO need no critic; and where a program can check the answer, there is no reward model either.
# You write the loss of each, with the conventions of TRL 1.16, train two of them, and read all of them in one picture.
#
# Level 7 · about 60 minutes · CPU only · no account · works offline after install · you should know PPO's parts
# ([lesson 01](01_sentiment_ppo.ipynb)) and what a KL penalty pulls at ([lesson 06](06_when_rlhf_goes_wrong.ipynb)).
#
# It explains `rlhf_kit/formulas/direct_alignment.py` and `rlhf_kit/formulas/policy_gradient.py`.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="0d4f"
# # PPO 之后
#
# PPO 要四个模型：策略、参考模型、奖励模型，还有一个边训边学的价值网络（评论家）。后来的方法各省掉一些：DPO 和 KTO 不要奖励模型，也不用采样；
# RLOO 和 GRPO 不要价值网络；能用程序检查对错的时候，连奖励模型都不要。每一种的损失你都亲手写一遍，约定和 TRL 1.16 一致；其中两种当场训练；
# 最后在一张图里把它们放在一起看。
#
# 第 7 级 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要认识 PPO 的各个部件（[第 01 课](01_sentiment_ppo.ipynb)），
# 知道 KL 惩罚拉的是什么（[第 06 课](06_when_rlhf_goes_wrong.ipynb)）。
#
# 本课讲解的是 `rlhf_kit/formulas/direct_alignment.py` 和 `rlhf_kit/formulas/policy_gradient.py`。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write the losses of DPO, IPO, KTO, RLOO and GRPO, and say what each leaves out of PPO;
# - see from a formula what it does wrong: which pairs still pull, which questions count more, which groups teach nothing;
# - choose a method for your own data, and start it with one command.
# %% [markdown] lang="zh" of="c7f5"
# **学完之后你能够**
#
# - 写出 DPO、IPO、KTO、RLOO、GRPO 的损失，说清每一种从 PPO 里省掉了什么；
# - 从公式看出它会出什么毛病：哪些成对样本还在拉，哪些题更占分量，哪些组什么也教不了；
# - 给自己的数据选一种方法，用一条命令开始训练。
# %% [markdown] lang="en"
# ## A student who copies
#
# Our small model has read twelve thousand sums, of which three in ten were wrong. It imitates what it read, faults included. Whether an answer
# is right can be checked, so here the truth is known and nobody has to be asked.
# %% [markdown] lang="zh" of="62f4"
# ## 一个照抄的学生
#
# 这个小模型读过一万二千道算式，其中三成是错的。它读到什么就学什么，错的也照学。答案对不对可以直接检查，所以这里真相是已知的，不用问任何人。
# %%

import torch
from rlhf_kit import rewards
from rlhf_kit.evaluate import evaluate
from rlhf_kit.methods import best_of_n, dpo, grpo
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.arithmetic import Arithmetic

task, short = Arithmetic(), Sampling(max_new_tokens=4)
check, asked, held_out = rewards.gold(task), task.prompts(), task.prompts("heldout")
start = kit.load_policy("tiny-lm-arithmetic", value_head=False)
reference = start.reference()


def share_right(policy):
    """Of the questions that are trained on, and of others, the share answered right when sampled."""
    return [evaluate(policy, reference, one, {"gold": check}, short, 1).mean["gold"] for one in (asked * 4, held_out * 12)]


before = share_right(start)
drawn = list(best_of_n.draws(start, asked * 2, check, best_of_n.Config(n=8, batch_size=8, sampling=short)))
for one in drawn[:4]:
    print(one.prompt, *(response.strip() for response in one.responses), sep="  ")
kit.tell("before", trained=before[0], others=before[1])
# %% [markdown] lang="en"
# ## Without a reward model: DPO
#
# PPO's goal, reward r less β times KL, has a known optimum: $\pi^* \propto \pi_{\text{ref}}\, e^{r/\beta}$. Read backwards, every policy is the optimum of *some* reward:
# $r = \beta \log(\pi / \pi_{\text{ref}})$, up to a constant of the prompt. Rafailov et al. (2023) put this implicit reward into the loss of a reward model
# ([lesson 02](02_rank_loss_reward_model.ipynb)). The constant cancels, and what is trained is the policy itself:
#
# $$L = \text{mean of } -(1-\varepsilon)\log\sigma(\beta\Delta) - \varepsilon\log\sigma(-\beta\Delta), \qquad
# \Delta = \log\frac{\pi(y_w)}{\pi_{\text{ref}}(y_w)} - \log\frac{\pi(y_l)}{\pi_{\text{ref}}(y_l)}$$
#
# $y_w$ is the chosen response of a pair, $y_l$ the rejected one, and Δ the *margin*, in nats. ε is the label smoothing: the share of labels that are taken to be the wrong way round.
# %% [markdown] lang="zh" of="7b93"
# ## 不要奖励模型：DPO
#
# PPO 的目标是奖励 r 减去 β 乘 KL，它的最优解是已知的：$\pi^* \propto \pi_{\text{ref}}\, e^{r/\beta}$。反过来读，每个策略都是*某个*奖励的最优解：
# $r = \beta \log(\pi / \pi_{\text{ref}})$，只差一个由提示决定的常数。Rafailov 等（2023）把这个隐式奖励代进奖励模型的损失
# （[第 02 课](02_rank_loss_reward_model.ipynb)），常数正好消掉，训练的就成了策略自己：
#
# $$L = -(1-\varepsilon)\log\sigma(\beta\Delta) - \varepsilon\log\sigma(-\beta\Delta) \text{ 的平均}, \qquad
# \Delta = \log\frac{\pi(y_w)}{\pi_{\text{ref}}(y_w)} - \log\frac{\pi(y_l)}{\pi_{\text{ref}}(y_l)}$$
#
# $y_w$ 是一对里入选的回答，$y_l$ 是落选的，Δ 是两者的*差距*，单位奈特。ε 是标签平滑：有多大比例的标签要当成标反了。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.1 - The loss of DPO
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 3 points`
#
# In: `chosen`, `ref_chosen`, `rejected`, `ref_rejected`, `[B]`, log-probabilities of whole responses, of policy and reference; `beta`, above 0; `smoothing`, ε, from 0 to below ½.
# Out: one number, the mean over the pairs. It must be right where βΔ is ±1000, too.
#
# For one pair -10, -11, -14, -13, β = 0.1, ε = 0.1: Δ = 2, loss 0.9 · 0.5981 + 0.1 · 0.7981 = 0.6181.
# %% [markdown] lang="zh" of="f095"
# ### ✏️ 练习 7.1 - DPO 的损失
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 3 分`
#
# 输入：`chosen`、`ref_chosen`、`rejected`、`ref_rejected`，`[B]`，整条回答的对数概率，分别来自策略和参考模型；`beta`，大于 0；`smoothing`，即 ε，从 0 到不足 ½。
# 输出一个数，各对的平均。βΔ 到 ±1000 时也要算对。
#
# 例如一对 -10、-11、-14、-13，β = 0.1，ε = 0.1：Δ = 2，损失 0.9 · 0.5981 + 0.1 · 0.7981 = 0.6181。
# %% exercise="7.1"
# EXERCISE 7.1
def dpo_loss(chosen, ref_chosen, rejected, ref_rejected, beta, smoothing):
    """The mean over pairs of DPO's loss with label smoothing."""
    # solution:
    delta = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))                   # (B,)
    log_sigmoid = torch.nn.functional.logsigmoid
    return (-(1 - smoothing) * log_sigmoid(delta) - smoothing * log_sigmoid(-delta)).mean()
    # end
# %% [markdown] lang="en" hints="7.1"
# <details><summary>Hint 1: the idea</summary>
#
# First how much likelier each response has become, then the difference, times β. The label as it is counts 1 - ε, its opposite ε.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.nn.functional.logsigmoid`: `torch.log(torch.sigmoid(x))` is minus infinity where x is -1000.
#
# </details>
# %% [markdown] lang="zh" of="ab99" hints="7.1"
# <details><summary>线索 1：思路</summary>
#
# 先看每条回答变得更容易了多少，再相减，乘 β。原标签占 1 - ε，相反的标签占 ε。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.nn.functional.logsigmoid`：x 是 -1000 时，`torch.log(torch.sigmoid(x))` 会变成负无穷。
#
# </details>
# %% check="7.1"
dpo_loss = kit.check("7.1", dpo_loss)
# %%
margins = torch.linspace(-40, 80, 121)


def pull_of(loss):
    """How strongly a pair is pulled apart at each margin: minus the slope of its loss."""
    x = margins.clone().requires_grad_()
    return (-torch.autograd.grad(sum(loss(one[None]) for one in x), x)[0]).tolist()


zero = torch.zeros(1)
pulls = {f"ε = {e}": pull_of(lambda x, e=e: dpo_loss(x, zero, zero, zero, 0.1, e)) for e in (0.0, 0.1, 0.3)}
kit.plots.lines(margins.tolist(), pulls, across="Δ, nats", unit="pull", title="DPO, β = 0.1")
# %% [markdown] lang="en"
# Without smoothing the pull never ends: a pair that always goes one way drives Δ to infinity, *whatever β is*. With ε the curve crosses 0 where
# σ(βΔ) = 1 - ε: the pair has had enough.
#
# ## A margin to be met: IPO
#
# Azar et al. (2023) ask for a margin of exactly 1/(2β): $L = \text{mean of } (\Delta - \frac{1}{2\beta})^2$. A sum of log-ratios grows with the length of a response, and
# one margin would mean different things for short and long ones. So TRL 1.16 takes the mean *per token*.
# %% [markdown] lang="zh" of="ee31"
# 没有平滑，拉力永远不停：总是同一条赢的那种对，会把 Δ 推向无穷，*β 取多少都一样*。有了 ε，曲线在 σ(βΔ) = 1 - ε 处过零：这一对已经够了。
#
# ## 差距要正好：IPO
#
# Azar 等（2023）要求差距正好是 1/(2β)：$L = (\Delta - \frac{1}{2\beta})^2$ 的平均。对数概率比之和随回答变长而变大，同一个目标对短回答和长回答就不是一回事。
# 所以 TRL 1.16 用的是*每个词元*的对数概率比，也就是平均。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.2 - IPO, per token
#
# `Difficulty ●●○○ · Importance ●●○○ · 10 min · 2 points`
#
# In: `chosen`, `rejected`, the log-ratios log π - log π_ref of each token, `[B, T]` and `[B, U]`; `chosen_mask`, `rejected_mask` of the same shapes, True on the tokens of the response, at least one a row,
# anything outside, NaN too; `beta`. Out: one number, the mean over the pairs of (Δ - 1/(2β))², where Δ is the difference of the two *means over marked tokens*.
#
# For (1, 3), (0.5, 0.5, 0.5), β = 0.25: Δ = 2 - 0.5, target 2, loss 0.25.
# %% [markdown] lang="zh" of="5805"
# ### ✏️ 练习 7.2 - 按词元平均的 IPO
#
# `难度 ●●○○ · 重要 ●●○○ · 10 分钟 · 2 分`
#
# 输入：`chosen`、`rejected`，每个词元的对数概率比 log π - log π_ref，`[B, T]` 和 `[B, U]`；`chosen_mask`、`rejected_mask`，形状相同，属于回答的词元是 True，每行至少一个，
# 之外可能是任何数，NaN 也可能；`beta`。输出一个数：各对 (Δ - 1/(2β))² 的平均，Δ 是两条回答*有标记词元的平均*之差。
#
# 例如 (1, 3)、(0.5, 0.5, 0.5)，β = 0.25：Δ = 2 - 0.5，目标是 2，损失 0.25。
# %% exercise="7.2"
# EXERCISE 7.2
def ipo_loss(chosen, chosen_mask, rejected, rejected_mask, beta):
    """The mean over pairs of the squared distance from the margin 1/(2β)."""
    # solution:
    def per_token(x, mask):
        return torch.where(mask, x, 0.0).sum(1) / mask.sum(1)                            # (B,)
    delta = per_token(chosen, chosen_mask) - per_token(rejected, rejected_mask)
    return ((delta - 1 / (2 * beta)) ** 2).mean()
    # end
# %% [markdown] lang="en" hints="7.2"
# <details><summary>Hint 1: the idea</summary>
#
# A helper for the mean over the marked tokens of each row, used twice. β appears once.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, x, 0.0).sum(1) / mask.sum(1)`; mind the brackets in `1 / (2 * beta)`.
#
# </details>
# %% [markdown] lang="zh" of="b846" hints="7.2"
# <details><summary>线索 1：思路</summary>
#
# 写一个小函数，求每行有标记词元的平均，用两次。β 只出现一次。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(mask, x, 0.0).sum(1) / mask.sum(1)`；注意 `1 / (2 * beta)` 的括号。
#
# </details>
# %% check="7.2"
ipo_loss = kit.check("7.2", ipo_loss)
# %%
marked = torch.ones(1, 1, dtype=torch.bool)
ipo_pull = pull_of(lambda x: ipo_loss(x[None], marked, zero[None], marked, 0.02))
at_0 = margins.tolist().index(0.0)
kit.plots.lines(margins.tolist(), {"DPO, β = 0.1": [x / pulls["ε = 0.0"][at_0] for x in pulls["ε = 0.0"]],
                                   "IPO, β = 0.02": [x / ipo_pull[at_0] for x in ipo_pull]}, across="Δ, nats", unit="pull, 1 at Δ = 0", title="Enough, or never enough")
# %% [markdown] lang="en"
# Past its margin, 25 nats here, IPO pulls *back*. DPO pulls less and less, but never back.
#
# ## DPO, live
#
# Each question was answered 16 times. A right and a wrong answer to the same question make a pair, and only the *difference* of the two is trained. While it grows, will the
# log-probability of the right answers "rise" or "fall"? And that of the wrong ones? (~3 s)
# %% [markdown] lang="zh" of="0784"
# 过了自己的目标（这里是 25 奈特），IPO 会往*回*拉。DPO 越拉越轻，却从不往回拉。
#
# ## 当场训练 DPO
#
# 每道题答了 16 次。同一道题的一个对的和一个错的凑成一对。训练的只是两者之*差*。差在变大，那么对的答案，对数概率会升 ("rise") 还是降 ("fall")？
# 错的呢？（约 3 秒）
# %% guess="1"
my_logprob = {"right": None, "wrong": None}     # "rise" or "fall"
# %%
pairs = [kit.Comparison(one.prompt, right, wrong) for one in drawn
         for right in [x for x, s in zip(one.responses, one.scores) if s == 1][:3]
         for wrong in [x for x, s in zip(one.responses, one.scores) if s == 0][:3]]
by_dpo = kit.load_policy("tiny-lm-arithmetic", value_head=False)
history = dpo.train(by_dpo, reference, pairs, dpo.Config(steps=150, batch_size=32, learning_rate=3e-4, beta=0.1))
first, last = ({name: sum(step.metrics[f"{name}_logprob"] for step in part) / 10 for name in ("chosen", "rejected")}
               for part in (history[:10], history[-10:]))
kit.guessed(my_logprob, {"right": "rise" if last["chosen"] > first["chosen"] else "fall",
                         "wrong": "rise" if last["rejected"] > first["rejected"] else "fall"})
after_dpo = share_right(by_dpo)
kit.tell("dpo", pairs=len(pairs), before=before[0], after=after_dpo[0])
kit.plots.lines(range(1, 151), {"right answers": [s.metrics["chosen_logprob"] for s in history],
                                "wrong answers": [s.metrics["rejected_logprob"] for s in history]}, across="step", unit="log π, nats", title="DPO on sums")
# %% [markdown] lang="en"
# A sum has one right answer, and most of what the wrong ones lose goes there. Where many answers are good, chosen and rejected are often alike, and *both* may become
# rarer: what gains is something that nobody compared. Watch `chosen_logprob` in the log, and the KL.
#
# ## Without pairs: KTO
#
# Often all you have is a thumb, up or down, on single responses. Let $d = \log(\pi/\pi_{\text{ref}})$ of a response. Ethayarajh et al. (2024) value d as people value gains and losses:
# measured from a *reference point* z, and the further from z, the less another nat counts.
#
# $$L = \text{mean of } \lambda_y (1 - v), \qquad v = \sigma(\beta(d - z)) \text{ if good},\quad \sigma(\beta(z - d)) \text{ if bad}$$
#
# v is that value and $\lambda_y$ a weight, one for good responses and one for bad ones. z says how far the policy has drifted as a whole: the mean d of the responses put
# behind *other* prompts, and never below 0.
# %% [markdown] lang="zh" of="000f"
# 算式只有一个正确答案，错的答案失去的概率大多流到那里。要是好答案有很多，入选的和落选的往往相像，可能*两条一起*变少见：得到概率的，是谁也没比较过的东西。
# 要看日志里的 `chosen_logprob`，也要看 KL。
#
# ## 不要成对数据：KTO
#
# 很多时候手里只有对单条回答的赞或踩。记一条回答的 $d = \log(\pi/\pi_{\text{ref}})$。Ethayarajh 等（2024）像人衡量得失那样给 d 估价：跟一个*参照点* z 比，
# 离 z 越远，再多一奈特就越不当回事。
#
# $$L = \lambda_y (1 - v) \text{ 的平均}, \qquad v = \sigma(\beta(d - z)) \text{（好）},\quad \sigma(\beta(z - d)) \text{（坏）}$$
#
# v 就是这个估价；$\lambda_y$ 是权重，好的回答一个，坏的一个。z 表示策略整体偏离了多远：把回答接到*别的*提示后面，取 d 的平均，并且不小于 0。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.3 - Gains, losses, and what they are measured from
#
# `Difficulty ●●●○ · Importance ●●●○ · 10-15 min · 3 points`
#
# In: `ratio`, d of each response, `[B]`; `mismatched`, `[B]`, d of the same responses behind other prompts; `good`, `[B]`, True or False; `beta`; `good_weight`, `bad_weight`, λ.
# Out: one number, the mean over all B responses. z is the mean of `mismatched`, 0 if that is negative, and **no gradient flows into it**.
#
# For d = (1, -1), good and bad, `mismatched` (0.5, -0.1), β = 0.5, weights 1: z = 0.2, v = (σ(0.4), σ(0.6)), loss 0.3778.
# %% [markdown] lang="zh" of="f0db"
# ### ✏️ 练习 7.3 - 得与失，从哪里算起
#
# `难度 ●●●○ · 重要 ●●●○ · 10-15 分钟 · 3 分`
#
# 输入：`ratio`，每条回答的 d，`[B]`；`mismatched`，`[B]`，同样的回答接在别的提示后面时的 d；`good`，`[B]`，True 或 False；`beta`；`good_weight`、`bad_weight`，即 λ。
# 输出一个数，对全部 B 条回答取平均。z 是 `mismatched` 的平均，为负时取 0，而且**梯度不流进它**。
#
# 例如 d = (1, -1)，一好一坏，`mismatched` (0.5, -0.1)，β = 0.5，权重都是 1：z = 0.2，v = (σ(0.4), σ(0.6))，损失 0.3778。
# %% exercise="7.3"
# EXERCISE 7.3
def kto_loss(ratio, mismatched, good, beta, good_weight, bad_weight):
    """The mean over responses of λ (1 - v)."""
    # solution:
    z = mismatched.mean().clamp(min=0).detach()
    value = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))                # (B,)
    weight = torch.where(good, good_weight, bad_weight)
    return (weight * (1 - value)).mean()
    # end
# %% [markdown] lang="en" hints="7.3"
# <details><summary>Hint 1: the idea</summary>
#
# z first: mean, then at least 0, then detached. Good and bad differ in a sign and in a weight.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.clamp(min=0)`, `.detach()`, `torch.where(good, a, b)`, `torch.sigmoid`.
#
# </details>
# %% [markdown] lang="zh" of="ccf7" hints="7.3"
# <details><summary>线索 1：思路</summary>
#
# 先求 z：平均，再不小于 0，再 detach。好坏之间差一个符号和一个权重。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.clamp(min=0)`、`.detach()`、`torch.where(good, a, b)`、`torch.sigmoid`。
#
# </details>
# %% check="7.3"
kto_loss = kit.check("7.3", kto_loss)
# %%
yes, still = torch.ones(1, dtype=torch.bool), torch.zeros(1)
kit.plots.lines(margins.tolist(), {"good, z = 0": pull_of(lambda x: kto_loss(x, still, yes, 0.1, 1.0, 1.0)),
                                   "good, z = 20": pull_of(lambda x: kto_loss(x, still + 20, yes, 0.1, 1.0, 1.0)),
                                   "bad, z = 0": pull_of(lambda x: kto_loss(x, still, ~yes, 0.1, 1.0, 1.0))},
                across="d, nats", unit="pull", title="KTO, β = 0.1")
# %% [markdown] lang="en"
# The pull is strongest at z and dies away on both sides: a response that has become much likelier already, or much rarer, is left alone. So a wrong label does less harm
# than in DPO, and a hard example teaches less.
#
# ## Without a critic: RLOO
#
# The methods so far learn from data that was collected before. A method that samples has to know whether a score was *better than expected*. In PPO the critic says what to expect.
# Ahmadian et al. (2024) answer each prompt G times instead, and expect of each answer what the *others* got. Its advantage A is
#
# $$A_i = R_i - \frac{1}{G-1}\sum_{j \ne i} R_j, \qquad R_i = \text{score}_i - \beta\,\text{KL}_i$$
#
# The KL of a response, the sum over its tokens of log π - log π_ref, is taken off the *reward* R here.
# %% [markdown] lang="zh" of="6a6c"
# 拉力在 z 处最大，往两边都渐渐消失：已经变得常见得多的，和已经变得少见得多的，都不再管。所以标错一个，害处比 DPO 小；难的例子，教的也就少。
#
# ## 不要价值网络：RLOO
#
# 前面几种学的是事先收集好的数据。要采样的方法，得知道一个得分是不是*比预期好*。在 PPO 里，预期由价值网络给出。Ahmadian 等（2024）改成每个提示答 G 次，
# 对每一条的预期就是*其余*几条得到的。于是优势 A 是
#
# $$A_i = R_i - \frac{1}{G-1}\sum_{j \ne i} R_j, \qquad R_i = \text{得分}_i - \beta\,\text{KL}_i$$
#
# 一条回答的 KL 是它各词元 log π - log π_ref 之和；在这里它从*奖励* R 里扣。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.4 - Leave one out
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `score`, `kl`, `[B]`, of each response; a `kl` may be negative; the G answers to one prompt stand side by side; `beta`; `group`, G ≥ 2, of which B is a multiple. Out: `[B]`, the advantages.
#
# For scores (1, 0, 0, 1), KL (2, 0, 0, 0), β = 0.1, G = 4: rewards (0.8, 0, 0, 1), advantages (0.4667, -0.6, -0.6, 0.7333).
# %% [markdown] lang="zh" of="2cd8"
# ### ✏️ 练习 7.4 - 留一个在外面
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`score`、`kl`，`[B]`，每条回答的；`kl` 可以是负的；同一个提示的 G 条回答挨在一起；`beta`；`group`，即 G ≥ 2，B 是它的倍数。输出：`[B]`，优势。
#
# 例如得分 (1, 0, 0, 1)，KL (2, 0, 0, 0)，β = 0.1，G = 4：奖励 (0.8, 0, 0, 1)，优势 (0.4667, -0.6, -0.6, 0.7333)。
# %% exercise="7.4"
# EXERCISE 7.4
def rloo_advantage(score, kl, beta, group):
    """Reward less the mean reward of the other answers to the prompt, [B]."""
    # solution:
    reward = (score - beta * kl).reshape(-1, group)                                      # (prompts, G)
    others = (reward.sum(1, keepdim=True) - reward) / (group - 1)
    return (reward - others).reshape(-1)
    # end
# %% [markdown] lang="en" hints="7.4"
# <details><summary>Hint 1: the idea</summary>
#
# The sum of the others is the sum of all less one's own. There are G - 1 of them.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.reshape(-1, group)`, `.sum(1, keepdim=True)`, and back with `.reshape(-1)`.
#
# </details>
# %% [markdown] lang="zh" of="7e8f" hints="7.4"
# <details><summary>线索 1：思路</summary>
#
# 其余几条之和，就是总和减去自己。它们有 G - 1 条。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.reshape(-1, group)`、`.sum(1, keepdim=True)`，最后用 `.reshape(-1)` 变回来。
#
# </details>
# %% check="7.4"
rloo_advantage = kit.check("7.4", rloo_advantage)
# %% [markdown] lang="en"
# Your advantages in a case whose optimum is known: three answers, worth 0, 1 and 2, which the reference gives with probabilities 0.5, 0.3 and 0.2; β is 0.5. Each of 300 small
# steps makes answers with a positive advantage likelier.
# %% [markdown] lang="zh" of="4b95"
# 用你的优势试一个最优解已知的例子：三个答案，分别值 0、1、2，参考模型给出它们的概率是 0.5、0.3、0.2；β 取 0.5。走 300 小步，每一步都让优势为正的答案更容易出现。
# %%
torch.manual_seed(0)
worth, first_prob, beta = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.5, 0.3, 0.2]), 0.5
best_prob = (first_prob.log() + worth / beta).softmax(0)                                 # in proportion to π_ref e^(r/β)
logits, path = first_prob.log(), []
for _ in range(300):
    prob = logits.softmax(0)
    path.append((prob - best_prob).abs().sum().item() / 2)
    drawn_now = torch.multinomial(prob, 64, replacement=True)                            # 8 prompts, 8 answers each
    drift = (prob / first_prob).log()[drawn_now]
    advantage = rloo_advantage(worth[drawn_now], drift, beta, 8)                         # (64,)
    one_hot = torch.nn.functional.one_hot(drawn_now, 3).float()
    logits = logits + 0.1 * (advantage[:, None] * (one_hot - prob)).mean(0)              # REINFORCE
kit.tell("gibbs", best=" ".join(f"{x:.2f}" for x in best_prob), end=" ".join(f"{x:.2f}" for x in prob))
kit.plots.lines(range(300), {"distance": path}, across="step", unit="distance from the optimum, 0 to 1", title="RLOO on three answers")
# %% [markdown] lang="en"
# No critic had to be learned, and it ends close to the optimum that DPO is derived from.
#
# ## GRPO, and what its deviation does
#
# Shao et al. (2024) subtract the mean of the *whole* group, and divide by its standard deviation. That looks harmless. Of 8 answers to question A one was right, of 8 to question B
# four. Without the division a right answer to A has an advantage of 1 - 1/8, one to B of 1 - 4/8: 1.75 times as much for A. How many times is it *with* the division?
# %% [markdown] lang="zh" of="ff8d"
# 没有价值网络要学，终点却很接近 DPO 推导时用的那个最优解。
#
# ## GRPO，以及标准差做了什么
#
# Shao 等（2024）减的是*整组*的平均，再除以组内的标准差。看上去没什么害处。A 题八个答案对一个，B 题八个对四个。不除的话，A 题里对的答案优势是 1 - 1/8，
# B 题里是 1 - 4/8，A 是 B 的 1.75 倍。*除*了标准差之后是几倍？
# %% guess="2"
my_times = None             # a number
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.5 - The advantage of GRPO, and of Dr. GRPO
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `score`, `[B]`, the answers to one prompt side by side; `group`, G ≥ 2; `scale`. Out: `[B]`: score less the mean of its group; with `scale` divided by (s + 1e-4), where s is the
# *unbiased* standard deviation of the group (divided by G - 1), as in TRL 1.16. Without `scale` it is Dr. GRPO's (Liu et al. 2025).
#
# For (1, 0, 0, 1), G = 4: 0.8659, -0.8659, -0.8659, 0.8659; without `scale` ±0.5.
# %% [markdown] lang="zh" of="d6b1"
# ### ✏️ 练习 7.5 - GRPO 的优势，和 Dr. GRPO 的
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`score`，`[B]`，同一个提示的回答挨在一起；`group`，即 G ≥ 2；`scale`。输出：`[B]`，得分减去本组的平均；`scale` 为 True 时再除以 (s + 1e-4)，s 是本组的*无偏*标准差
# （除以 G - 1），和 TRL 1.16 一样。`scale` 为 False 就是 Dr. GRPO（Liu 等 2025）。
#
# 例如 (1, 0, 0, 1)，G = 4：0.8659、-0.8659、-0.8659、0.8659；不缩放是 ±0.5。
# %% exercise="7.5"
# EXERCISE 7.5
def grpo_advantage(score, group, scale):
    """Score less the group's mean, with `scale` in the group's standard deviations, [B]."""
    # solution:
    groups = score.reshape(-1, group)                                                    # (prompts, G)
    above = groups - groups.mean(1, keepdim=True)
    return (above / (groups.std(1, keepdim=True) + 1e-4) if scale else above).reshape(-1)
    # end
# %% [markdown] lang="en" hints="7.5"
# <details><summary>Hint 1: the idea</summary>
#
# Everything happens inside a group. The small number keeps a group whose answers all score alike from being 0 / 0.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `.reshape(-1, group)`, `.mean(1, keepdim=True)`, `.std(1, keepdim=True)`, which divides by G - 1 by itself.
#
# </details>
# %% [markdown] lang="zh" of="15e4" hints="7.5"
# <details><summary>线索 1：思路</summary>
#
# 一切都在组内进行。那个小数是为了得分全都相同的组，免得 0 / 0。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `.reshape(-1, group)`、`.mean(1, keepdim=True)`、`.std(1, keepdim=True)`；std 默认除的就是 G - 1。
#
# </details>
# %% check="7.5"
grpo_advantage = kit.check("7.5", grpo_advantage)
# %%
def of_right(k, scale):
    """The advantage of a right answer where k of 8 are right."""
    return grpo_advantage(torch.tensor([1.0] * k + [0.0] * (8 - k)), 8, scale)[0].item()


kit.guessed(my_times, of_right(1, True) / of_right(4, True))
weights = {name: [k * of_right(k, scale) for k in range(1, 8)] for name, scale in (("GRPO", True), ("Dr. GRPO", False))}
kit.plots.lines(range(1, 8), {name: [x / y[3] for x in y] for name, y in weights.items()}, across="right answers of 8",
                unit="weight of the question, even = 1", title="What the division does")
# %% [markdown] lang="en"
# The picture adds up the advantages of all right answers to a question, next to those of a question that is solved every second time. For one that is solved once in eight this weight
# is 0.44 without the division and 0.66 with it, half as much again: *difficulty bias*. One lucky answer, or one wrong label, counts for much there. For that reason Dr. GRPO
# drops this division, and also the one by length, which comes next.
#
# ## The loss of GRPO
#
# All tokens of a response share its advantage. The ratio is clipped as in PPO, and the KL stands in the *loss*, by k3 ([lesson 06](06_when_rlhf_goes_wrong.ipynb): it pulls
# along KL(π_ref ‖ π)). With $\rho_t = \pi / \pi_{\text{old}}$ and, as there, $r_t = \pi_{\text{ref}} / \pi$, a ratio and no reward, the loss of token t is
#
# $$x_t = -\min\big(\rho_t A,\ \text{clip}(\rho_t, 1-\varepsilon, 1+\varepsilon) A\big) + \beta\,(r_t - 1 - \log r_t)$$
#
# The paper takes the mean of x over the tokens of each response, then over the responses. So a token of a long response weighs less: a wrong answer is cheaper if it is long. DAPO, another successor,
# averages over all tokens at once, Dr. GRPO divides by a constant; TRL lets you choose (`loss_type`).
# %% [markdown] lang="zh" of="5701"
# 图里把一道题所有对的答案的优势加起来，和对错各半的题相比。八次只对一次的题，不除的话分量是 0.44，除了是 0.66，多出一半：这叫*难度偏差*。
# 在那里，碰巧答对一次，或者标错一次，影响就特别大。Dr. GRPO 因此去掉了这个除法，还去掉了下面要讲的另一个：除以长度。
#
# ## GRPO 的损失
#
# 一条回答的所有词元共用它的优势。概率比像 PPO 一样截断；KL 放在*损失*里，用 k3（[第 06 课](06_when_rlhf_goes_wrong.ipynb)：它沿着 KL(π_ref ‖ π) 拉）。
# 记 $\rho_t = \pi / \pi_{\text{old}}$；$r_t = \pi_{\text{ref}} / \pi$ 和那一课一样是概率比，不是奖励。第 t 个词元的损失是
#
# $$x_t = -\min\big(\rho_t A,\ \text{clip}(\rho_t, 1-\varepsilon, 1+\varepsilon) A\big) + \beta\,(r_t - 1 - \log r_t)$$
#
# 论文先对每条回答的词元取 x 的平均，再对回答取平均。于是长回答里的一个词元分量更轻：答错了，写得越长越便宜。另一种后来的方法 DAPO 对全部词元一起取平均，
# Dr. GRPO 除以一个常数；在 TRL 里由 `loss_type` 来选。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.6 - The loss of GRPO
#
# `Difficulty ●●●● · Importance ●●●● · 15-20 min · 4 points`
#
# In: `logprob`, `old_logprob`, `ref_logprob`, `[B, T]`; `advantage`, `[B]`; `mask`, `[B, T]`, at least one True a row, anything outside it, NaN and -inf too; `clip`, ε; `beta`. Out: one number: x of each marked token,
# its mean over the tokens of each response, the mean of these over the responses. The gradient in `logprob` flows through ratio *and* penalty, and is 0 outside the mask.
#
# For one response of two tokens with ratios (1.5, 1), advantage 1, ε = 0.2, r = (1, 2), β = 0.1: x = (-1.2, -1 + 0.0307), loss -1.0847.
# %% [markdown] lang="zh" of="b181"
# ### ✏️ 练习 7.6 - GRPO 的损失
#
# `难度 ●●●● · 重要 ●●●● · 15-20 分钟 · 4 分`
#
# 输入：`logprob`、`old_logprob`、`ref_logprob`，`[B, T]`；`advantage`，`[B]`；`mask`，`[B, T]`，每行至少一个 True，之外可能是任何数，NaN 和 -inf 也可能；`clip`，即 ε；`beta`。
# 输出一个数：有标记词元的 x，先对每条回答的词元取平均，再对回答取平均。对 `logprob` 的梯度既流过概率比，*也*流过惩罚；掩码之外梯度是 0。
#
# 例如一条回答两个词元，概率比 (1.5, 1)，优势 1，ε = 0.2，r = (1, 2)，β = 0.1：x = (-1.2, -1 + 0.0307)，损失 -1.0847。
# %% exercise="7.6"
# EXERCISE 7.6
def grpo_loss(logprob, old_logprob, ref_logprob, advantage, mask, clip, beta):
    """The clipped objective with k3 as a penalty, a mean of means."""
    # solution:
    now, old, ref = (x.masked_fill(~mask, 0.0) for x in (logprob, old_logprob, ref_logprob))
    ratio, a = (now - old).exp(), advantage[:, None]
    k3 = (ref - now).exp() - 1 - (ref - now)
    x = -torch.minimum(ratio * a, ratio.clamp(1 - clip, 1 + clip) * a) + beta * k3       # (B, T)
    return (torch.where(mask, x, 0.0).sum(1) / mask.sum(1)).mean()
    # end
# %% [markdown] lang="en" hints="7.6"
# <details><summary>Hint 1: the idea</summary>
#
# Clean the three log-probabilities *before* anything is computed: a NaN that is only masked away at the end comes back in the gradient.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `x.masked_fill(~mask, 0.0)`, `torch.minimum`, `.clamp(1 - clip, 1 + clip)`, `advantage[:, None]`.
#
# </details>
# %% [markdown] lang="zh" of="9737" hints="7.6"
# <details><summary>线索 1：思路</summary>
#
# 三个对数概率要在计算*之前*就清干净：NaN 只在最后遮掉的话，会从梯度里再冒出来。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `x.masked_fill(~mask, 0.0)`、`torch.minimum`、`.clamp(1 - clip, 1 + clip)`、`advantage[:, None]`。
#
# </details>
# %% check="7.6"
grpo_loss = kit.check("7.6", grpo_loss)
# %%
ratios, one_token = torch.linspace(0.3, 2.0, 86), torch.ones(1, 1, dtype=torch.bool)


def loss_at(advantage, beta):
    """The loss of one token at each ratio; the reference is the policy that drew it."""
    return [grpo_loss(x.log()[None, None], zero[None], zero[None], torch.tensor([advantage]), one_token, 0.2, beta).item() for x in ratios]


kit.plots.lines(ratios.tolist(), {"A = 1": loss_at(1.0, 0.0), "A = -1": loss_at(-1.0, 0.0), "A = 1, β = 1": loss_at(1.0, 1.0)},
                across="π / π_old", unit="loss", title="One token, ε = 0.2")
# %% [markdown] lang="en"
# Flat means that nothing more can be gained, as in PPO. With β the loss turns up again to the right: the penalty pulls back to the reference.
#
# ## When truth itself is the reward
#
# A sum is right or wrong, a test passes or fails, a format is kept or not: *verifiable rewards*. No reward model has to guess, and as long as the check has no hole, nothing is overrated. Their
# weakness is another one: a group whose answers are all right, or all wrong, has advantages of 0.
# %% [markdown] lang="zh" of="968b"
# 平的地方就是再没有好处可得，和 PPO 一样。有了 β，右边的损失又升上去：惩罚把策略拉回参考模型。
#
# ## 真相本身就是奖励
#
# 算式要么对要么错，测试要么过要么不过，格式要么守要么没守。这叫*可核对的奖励*。不需要奖励模型去猜；只要检查本身没有漏洞，也就没有什么会被高估。
# 它的弱点在别处：一组回答全对或全错，优势就全是 0。
# %% [markdown] lang="en"
# ### ✏️ Exercise 7.7 - Which questions teach?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `p`, `[N]`, how likely each question is answered right, 0 and 1 included; `group`, G ≥ 2 independent answers. Out: `[N]`, the probability that the group holds right *and* wrong answers.
#
# For p = (0.5, 0.1), G = 2: (0.5, 0.18).
# %% [markdown] lang="zh" of="e44e"
# ### ✏️ 练习 7.7 - 哪些题教得了东西？
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`p`，`[N]`，每道题答对的概率，可以是 0 或 1；`group`，即 G ≥ 2 条独立的回答。输出：`[N]`，一组里*既有*对*又有*错的概率。
#
# 例如 p = (0.5, 0.1)，G = 2：(0.5, 0.18)。
# %% exercise="7.7"
# EXERCISE 7.7
def teaches(p, group):
    """How likely a group is to hold both right and wrong answers, [N]."""
    # solution:
    return 1 - p ** group - (1 - p) ** group
    # end
# %% [markdown] lang="en" hints="7.7"
# <details><summary>Hint 1: the idea</summary>
#
# Only two outcomes teach nothing: all right, and all wrong. They exclude each other.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# None: two powers, subtracted from 1.
#
# </details>
# %% [markdown] lang="zh" of="251b" hints="7.7"
# <details><summary>线索 1：思路</summary>
#
# 教不了东西的只有两种：全对，和全错。它们不会同时发生。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 不用函数：两个乘方，从 1 里减掉。
#
# </details>
# %% check="7.7"
teaches = kit.check("7.7", teaches)
# %%
p = torch.linspace(0, 1, 51)
kit.plots.lines(p.tolist(), {f"G = {G}": teaches(p, G).tolist() for G in (2, 4, 8, 16)}, across="how often the question is answered right", unit="share of groups that teach",
                title="A question must be neither too hard nor too easy")
# %% [markdown] lang="en"
# Now GRPO on the sums, by nothing but the check (~8 s). As it gets better, will the share of groups that teach *nothing* go "up" or "down"? And will it get better at
# questions that it was never trained on, by more than 0.05: "yes" or "no"?
# %% [markdown] lang="zh" of="9012"
# 现在用 GRPO 学算式，只靠检查对错（约 8 秒）。随着它变好，*什么也教不了*的组会变多 ("up") 还是变少 ("down")？从没训练过的题，答对的比例会不会也提高 0.05 以上，
# 会 ("yes") 还是不会 ("no")？
# %% guess="3"
my_grpo = {"tied groups": None, "others": None}
# %%
by_grpo = kit.load_policy("tiny-lm-arithmetic", value_head=False)
config = grpo.Config(steps=40, batch_size=256, group_size=8, learning_rate=1e-3, min_lr_ratio=0.2, sampling=short, kl=kit.KL(coefficient=0.0))
history = grpo.train(by_grpo, reference, asked, check, config)
after_grpo, tied = share_right(by_grpo), [step.metrics["tied_groups"] for step in history]
kit.guessed(my_grpo, {"tied groups": "up" if sum(tied[-8:]) > sum(tied[:8]) else "down", "others": "yes" if after_grpo[1] > before[1] + 0.05 else "no"})
kit.table({"": [kit.words("start"), "DPO", "GRPO"], kit.words("trained"): [one[0] for one in (before, after_dpo, after_grpo)],
           kit.words("others"): [one[1] for one in (before, after_dpo, after_grpo)]}, digits=2)
kit.plots.lines(range(1, 41), {"share right": [s.metrics["score"] for s in history], "groups that teach nothing": tied}, across="step", unit="share",
                title="GRPO on sums")
# %% [markdown] lang="en"
# DPO learned from one set of answers; GRPO drew 256 new ones at every step, and each was checked. Compare what they got for it. The "others" are only 33 questions: a few hundredths
# there mean nothing. The better the policy, the more groups are all right: drawing them is wasted, and harder questions are due.
#
# ## The one picture
#
# Now a reward that can be cheated: the reviews, with a reward model. All methods share the start and the reward model, and each has a dial that lets it go further. Of how far a policy
# has gone, √KL is the measure ([lesson 05b](05b_anthropic.ipynb)). Two names are new: *A2C* is PPO without the clip ([lesson 05c](05c_sparrow.ipynb)), *rejection-sampling SFT* imitates the best of n answers.
# %% [markdown] lang="zh" of="0cca"
# DPO 学的是起点答的那一批；GRPO 每一步都重新作答 256 条，条条检查。比比它们各得到了什么。“别的题”只有 33 道，相差百分之几说明不了什么。
# 策略越好，全对的组就越多：为它们采样是白费，该换更难的题了。
#
# ## 一张图
#
# 再看一种骗得过的奖励：商品评论，加一个奖励模型。所有方法从同一个模型出发，跟同一个奖励模型学；每种有一个旋钮，拧得越大走得越远。走了多远，用 √KL 来量
# （[第 05b 课](05b_anthropic.ipynb)）。有两个名字是新的：*A2C* 是不截断的 PPO（[第 05c 课](05c_sparrow.ipynb)），*拒绝采样微调*模仿 n 条回答里最好的那条。
# %%
from rlhf_kit.studies.frontier import page

log = kit.stored()
points, drawn_in = log["parts"]["points"], LANG if kit.plots.speaking() else "en"
kit.tell("made_by", seeds=len(log["parts"]["seeds"]), **log["about"])
names = page.names(LANG)
best = {method: max((x for x in points if x["method"] == method), key=lambda x: x["gold"]["mean"]) for method in log["parts"]["methods"]}
kit.table({"": [names[method] for method in best], kit.words("setting"): [page.setting(x, LANG) or "-" for x in best.values()],
           "√KL": [x["root_kl"] for x in best.values()], kit.words("proxy"): [x["proxy"]["mean"] for x in best.values()],
           kit.words("gold"): [x["gold"]["mean"] for x in best.values()], kit.words("drawn"): [x["drawn"] for x in best.values()]}, digits=2)
# %% [markdown] lang="en"
# The table shows the setting of each method that has the most gold. Best-of-n learns nothing and pays at every answer instead, n draws each. Now guess, before you see the picture: is the
# point that the reward model overrates most also the one furthest from the start, "yes" or "no"?
# %% [markdown] lang="zh" of="10ee"
# 表里是每种方法真值最高的那个设置。best-of-n 不学习，代价在每次回答时付：每条要抽 n 次。画图之前先猜：奖励模型高估得最厉害的点，是不是离起点最远的点，是 ("yes") 还是不是 ("no")？
# %% guess="4"
my_overrated = None         # "yes" or "no"
# %%
ringed = page.ringed(points)
top, fooled = points[ringed["best"]], points[ringed.get("overrated", ringed["best"])]
kit.guessed(my_overrated, "yes" if fooled["root_kl"] == max(x["root_kl"] for x in points) else "no")
kit.tell("top", what=f"{names[top['method']]} {page.setting(top, LANG)}".strip(), gold=top["gold"]["mean"], start=points[0]["gold"]["mean"])
kit.tell("fooled", what=f"{names[fooled['method']]} {page.setting(fooled, LANG)}".strip(), proxy=fooled["proxy"]["mean"], gold=fooled["gold"]["mean"])
kit.plots.frontier(page.panels(log["parts"], drawn_in), across=page.across(drawn_in), names=page.names(drawn_in), size=(4.2, 3.4))
# %% [markdown] lang="en"
# Left is what the reward model says, right the truth; a large mark is a mean over the seeds, a pale one a single seed. Do not compare where the lines end, but at the *same drift*: which is higher on the right? A line is dashed where going on costs gold. Outside
# a made-up world you have the left panel alone, so stop where a second judge, or people, no longer follow. One small world decides nothing between lines whose bars touch.
#
# ## Which to take
#
# | you have | take | command |
# |---|---|---|
# | a model that may not be trained; a first look at a reward | best-of-n | `rlhf-kit best-of-n --model tiny-lm-en --judge tiny-rm-en --n 16` |
# | pairs that people compared | DPO; `--label-smoothing` if labels are noisy, `--loss ipo --per-token` if it runs away | `rlhf-kit train dpo --model tiny-lm-en --output runs/dpo` |
# | single answers with a thumb up or down | KTO | `rlhf-kit train kto --model tiny-lm-en --output runs/kto` |
# | a check: sums, tests, formats | GRPO; `--variant dr-grpo` against the two biases | `rlhf-kit train grpo --task arithmetic --model tiny-lm-arithmetic --answers gold --output runs/sums` |
# | a reward model, no room for a critic | RLOO | `rlhf-kit train grpo --variant rloo --model tiny-lm-en --judge tiny-rm-en --output runs/rloo` |
# | a reward model, and the drift must be held | PPO | `rlhf-kit train ppo --model tiny-lm-en --judge tiny-rm-en --kl 0.03 --output runs/ppo` |
# | a reward that is dear to ask | ReST ([lesson 04b](04b_rest.ipynb)) | `rlhf-kit train rest --task translation --model tiny-translator --judge tiny-rm-translation --output runs/rest` |
# | no idea how far to go | several settings of one method | `rlhf-kit frontier --methods ppo,grpo` |
# %% [markdown] lang="zh" of="c551"
# 左边是奖励模型怎么说，右边是真相；大的标记是各种子的平均，浅色的小标记是单个种子。不要比各条线的终点，要比*走得一样远*的地方：右图里哪条线更高？线变成虚线的地方，再走真值就要下降。离开虚构的世界，你手里只有左图；所以第二个评判或者真人开始不认同的时候，就该停。
# 而且这只是一个小世界，误差线相碰的两条线分不出高下。
#
# ## 该用哪一种
#
# | 你有什么 | 用 | 命令 |
# |---|---|---|
# | 不能训练的模型；或者想先看看一个奖励值不值 | best-of-n | `rlhf-kit best-of-n --model tiny-lm-en --judge tiny-rm-en --n 16` |
# | 人比较过的成对回答 | DPO；标签有噪声加 `--label-smoothing`，跑得太远用 `--loss ipo --per-token` | `rlhf-kit train dpo --model tiny-lm-en --output runs/dpo` |
# | 单条回答的赞或踩 | KTO | `rlhf-kit train kto --model tiny-lm-en --output runs/kto` |
# | 能检查的：算式、测试、格式 | GRPO；要避开那两种偏差用 `--variant dr-grpo` | `rlhf-kit train grpo --task arithmetic --model tiny-lm-arithmetic --answers gold --output runs/sums` |
# | 有奖励模型，放不下价值网络 | RLOO | `rlhf-kit train grpo --variant rloo --model tiny-lm-en --judge tiny-rm-en --output runs/rloo` |
# | 有奖励模型，偏离必须管住 | PPO | `rlhf-kit train ppo --model tiny-lm-en --judge tiny-rm-en --kl 0.03 --output runs/ppo` |
# | 问一次很贵的奖励 | ReST（[第 04b 课](04b_rest.ipynb)） | `rlhf-kit train rest --task translation --model tiny-translator --judge tiny-rm-translation --output runs/rest` |
# | 不知道该走多远 | 一种方法，几个设置 | `rlhf-kit frontier --methods ppo,grpo` |
# %% [markdown] lang="en"
# ## Recap
#
# | method | leaves out | watch |
# |---|---|---|
# | DPO | reward model, sampling, critic | `chosen_logprob`; Δ has no end without smoothing |
# | IPO | the same | sums or means: what β means depends on it |
# | KTO | the same, and pairs | z at 0 or above, without gradient; the two weights |
# | RLOO | critic | the KL belongs to the reward, before the comparison |
# | GRPO | critic | the deviation, the length, groups that teach nothing |
# | a check | reward model | questions that are neither too hard nor too easy |
#
# **Break it.** (1) `dpo.Config(label_smoothing=0.3)`: does Δ come to rest? (2) `grpo.dr_grpo(config)` and `grpo.rloo(config)` on the sums. (3) `group_size=2`: how many groups teach?
#
# **Next:** your own data: `rlhf-kit start`.
#
# **References.** DPO: Rafailov et al. 2023, arXiv:2305.18290. IPO: Azar et al. 2023, arXiv:2310.12036. KTO: Ethayarajh et al. 2024, arXiv:2402.01306. RLOO: Ahmadian et al. 2024, arXiv:2402.14740.
# GRPO: Shao et al. 2024, arXiv:2402.03300. DAPO: Yu et al. 2025, arXiv:2503.14476. Dr. GRPO: Liu et al. 2025, arXiv:2503.20783.
# %% [markdown] lang="zh" of="8291"
# ## 小结
#
# | 方法 | 省掉什么 | 留意什么 |
# |---|---|---|
# | DPO | 奖励模型、采样、价值网络 | `chosen_logprob`；不加平滑，Δ 没有尽头 |
# | IPO | 同上 | 求和还是平均：β 的含义随之而变 |
# | KTO | 同上，连成对数据也不要 | z 不小于 0，没有梯度；两个权重 |
# | RLOO | 价值网络 | KL 属于奖励，先扣再比 |
# | GRPO | 价值网络 | 标准差、长度、什么也教不了的组 |
# | 直接检查 | 奖励模型 | 题目既不能太难，也不能太容易 |
#
# **弄坏它。**（1）`dpo.Config(label_smoothing=0.3)`：Δ 会停下来吗？（2）在算式上试 `grpo.dr_grpo(config)` 和 `grpo.rloo(config)`。（3）`group_size=2`：有多少组教得了东西？
#
# **下一步：** 你自己的数据：`rlhf-kit start`。
#
# **参考文献。** DPO：Rafailov 等 2023，arXiv:2305.18290。IPO：Azar 等 2023，arXiv:2310.12036。KTO：Ethayarajh 等 2024，arXiv:2402.01306。RLOO：Ahmadian 等 2024，arXiv:2402.14740。
# GRPO：Shao 等 2024，arXiv:2402.03300。DAPO：Yu 等 2025，arXiv:2503.14476。Dr. GRPO：Liu 等 2025，arXiv:2503.20783。
