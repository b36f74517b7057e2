# %% [markdown] lang="en"
# # Sentiment PPO: praise, and what it costs
#
# You write the seven formulas of PPO and watch them teach a small language model to praise. Then you break them, to see what
# each is for.
#
# Level 1 · about 60 minutes · CPU only · no account · works offline after install · you should know what a gradient step
# and `log_softmax` are; [lesson 00](00_map.ipynb) helps.
#
# It explains `rlhf_kit/methods/ppo.py`, and sentiment PPO as TRL and transformers_tasks made it known. The whole takes about
# 90 seconds of one CPU core; a line follows every training.
# %% [markdown] lang="zh" of="0158"
# # 情感 PPO：学会夸人，以及夸人的代价
#
# PPO 的七个公式由你来写；写完看它们教会一个小语言模型写好评，再逐个拆掉，看看每一个到底管什么用。
#
# 第 1 级 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道什么是梯度更新、什么是 `log_softmax`；
# 最好先学[第 00 课](00_map.ipynb)。
#
# 本课讲解的是 `rlhf_kit/methods/ppo.py`，以及由 TRL 和 transformers_tasks 流传开来的“情感 PPO”。从头跑到尾，一个 CPU 核约 90 秒；
# 每次训练，单元格下面都有一行进度。
# %% [markdown] lang="en"
# **You will be able to**
#
# - write one PPO step for a language model, from rollout to gradient, and say what each line prevents;
# - read a run: score, KL, length and diversity, on prompts it never trained on;
# - recognise the mistakes that the first tutorials made, by their symptoms.
#
# **What is graded:** the functions named in the exercises. They may use imports, functions and constants that stand at the
# top level of a cell. No call is run again for grading, except one that only computes a constant, such as `math.log(2)`.
# %% [markdown] lang="zh" of="682f"
# **学完之后你能够**
#
# - 写出语言模型 PPO 的完整一步，从采样到梯度，并说清每一行在防什么；
# - 看懂一次训练：在没训练过的提示上，看得分、KL、长度和多样性；
# - 凭症状认出早期教程里的那些错误。
#
# **评分看什么：** 看练习里点名的函数；它们可以用写在单元格最外层的 import、函数和常量。评分时不会重跑任何调用，
# 只有单纯算出一个常量的除外，例如 `math.log(2)`。
# %% [markdown] lang="en"
# ## Guess first
#
# A **judge** reads a review and says how likely it is positive. That number is all the policy will ever hear. Here are four
# responses to one opening: some praise, the same praise four times, a word salad, and a complaint worded in a way that the
# judge has never read.
# %% [markdown] lang="zh" of="3197"
# ## 先猜一猜
#
# **评判 (judge)** 读一条评论，说出它是好评的概率。策略听得到的，自始至终只有这一个数。下面是同一个开头的四种回答：一句好话；
# 同一句好话说四遍；一串胡乱堆起来的词；一句抱怨，说法是评判从没读到过的。
# %%
import copy
import torch
from dataclasses import replace

reviews = kit.Reviews(LANG)
judge = kit.rewards.classifier(*kit.load_classifier(f"tiny-judge-{LANG}"))
gold = kit.rewards.gold(reviews)                      # the truth: measured, never optimised
opening = reviews.prompts("train")[0]
praise, salad, complaint = {
    "en": (" The delivery was quick.", " Quick quick neat spent.", " The delivery was not quick."),
    "zh": ("颜色很鲜亮。", "鲜亮鲜亮值值。", "快递一点都不快。")}[LANG]
four = {"praise": praise, "four times": 4 * praise, "salad": salad, "complaint": complaint}
print(opening, *(f"  {name:10} |{response}" for name, response in four.items()), sep="\n")
# %% [markdown] lang="en"
# Which of them does the judge score above 0.9? Enter their names, as in `["praise", "salad"]`.
# %% [markdown] lang="zh" of="854e"
# 评判给哪几种的得分会超过 0.9？填上它们的名字，例如 `["praise", "salad"]`。
# %% guess="1"
above = None
# %%
said, true = (f([opening] * 4, [*four.values()]).tolist() for f in (judge, gold))
kit.table({"": [*four], kit.words("judge"): said, kit.words("gold"): true}, digits=2)
kit.guessed(above, [name for name, p in zip(four, said) if p > 0.9])
worst = max(range(4), key=lambda i: abs(said[i] - true[i]))
kit.tell("misjudged", name=[*four][worst], judge=said[worst], gold=true[worst])
# %% [markdown] lang="en"
# The judge is a stand-in. **Gold** reads the text back by its grammar and knows better; the policy never sees it.
#
# ## One step of PPO
#
# | | what happens | tensors | you write |
# |---|---|---|---|
# | 1 act | the policy answers prompts | tokens, log-probabilities, mask | 1.1 |
# | 2 judge | a score for the response, a KL penalty for drifting | reward per token | 1.2 |
# | 3 credit | which token earned it? | advantage per token | 1.3, 1.4 |
# | 4 learn | make good tokens likelier, in small steps; teach the critic | two losses | 1.5, 1.7 |
# | 5 adjust | drifted too far? raise the penalty | β | 1.6 |
#
# Whose formulas are they? The clip is PPO's own (Schulman et al. 2017); GAE is older (Schulman et al. 2016). Ziegler et al.
# (2019) brought them to language models. The KL penalty per token and the β that adapts are in their paper, whitening and the
# clipped critic in their code.
#
# ## 1 Act
#
# The **prompt pool** holds openings of reviews. Some products are kept out of it, for measuring. A **rollout** is one batch
# of responses, together with the log-probabilities that the policy gave them while it wrote.
# %% [markdown] lang="zh" of="f359"
# 评判只是个替身。**真值 (gold)** 按语法读懂文本，看得更准；策略从来看不到它。
#
# ## PPO 的一步
#
# | | 做什么 | 张量 | 你来写 |
# |---|---|---|---|
# | 1 行动 | 策略回答提示 | 词元、对数概率、掩码 | 1.1 |
# | 2 评判 | 给回答打分，偏离要付 KL 惩罚 | 每个词元的奖励 | 1.2 |
# | 3 归功 | 功劳是哪个词元的 | 每个词元的优势 | 1.3、1.4 |
# | 4 学习 | 让好的词元更可能，步子要小；也教价值头 | 两个损失 | 1.5、1.7 |
# | 5 调整 | 走得太远了？加大惩罚 | β | 1.6 |
#
# 这些公式是谁的？截断是 PPO 自己的（Schulman 等 2017），GAE 更早（Schulman 等 2016）。把它们用到语言模型上的是 Ziegler 等 (2019)：
# 每个词元的 KL 惩罚和会调整的 β 写在论文里，白化和截断的价值损失在他们的代码里。
#
# ## 1 行动
#
# **提示池**里是评论的开头。有些商品不放进去，留着测量用。**采样 (rollout)** 是一批回答，连同策略写下它们时给出的对数概率。
# %% shown="yes"
MODEL = f"tiny-lm-{LANG}"
reference = kit.load_policy(MODEL).reference()        # frozen: drift is measured from here
train, heldout = reviews.prompts("train"), reviews.prompts("heldout", 128)
rollout = kit.sample_rollout(reference, train[:64], seed=0)
print("response_ids", tuple(rollout.response_ids.shape), "  logprob", tuple(rollout.logprob.shape))   # (B, T)
for row in range(3):
    print(f"{rollout.prompts[row]} |{rollout.responses[row]}")
# %% [markdown] lang="en"
# ### ✏️ Exercise 1.1 - Where a response ends
#
# `Difficulty ●○○○ · Importance ●●●● · 5 min · 1 point`
#
# Responses differ in length; the rest of each row is padding and must not count. A response ends with its first **EOS**, and
# that EOS belongs to it: stopping is an action like any other. A response that never stops counts whole.
#
# In: `ids`, `[B, T]`; `eos`, a number. Out: booleans, `[B, T]`. For `ids = [[5, 7, 2, 0], [4, 2, 0, 0]]` and `eos = 2`:
# `[[True, True, True, False], [True, True, False, False]]`.
# %% [markdown] lang="zh" of="d7b8"
# ### ✏️ 练习 1.1 - 回答到哪里为止
#
# `难度 ●○○○ · 重要 ●●●● · 5 分钟 · 1 分`
#
# 回答长短不一，每行剩下的是填充，不能算数。回答到第一个**结束符 (EOS)** 为止，这个 EOS 也算在内：停下来同样是一个动作。
# 从没停下的回答，整行都算。
#
# 输入：`ids`，`[B, T]`；`eos`，一个数。输出：布尔值，`[B, T]`。例如 `ids = [[5, 7, 2, 0], [4, 2, 0, 0]]`、`eos = 2`，
# 结果是 `[[True, True, True, False], [True, True, False, False]]`。
# %% exercise="1.1"
# EXERCISE 1.1
def response_mask(ids, eos):
    """True on the tokens of each response, its first EOS included; the whole row where there is none."""
    # solution:
    is_eos = (ids == eos).long()                      # (B, T)
    before = is_eos.cumsum(-1) - is_eos               # how many EOS stand before this token
    return before == 0
    # end
# %% [markdown] lang="en" hints="1.1"
# <details><summary>Hint 1: the idea</summary>
#
# A token counts if no EOS stands *before* it. Do not look for the padding: GPT-2 pads with EOS.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `cumsum(-1)` of `(ids == eos).long()` counts the EOS up to and including each token.
#
# </details>
# %% [markdown] lang="zh" of="6250" hints="1.1"
# <details><summary>线索 1：思路</summary>
#
# 一个词元*之前*没有 EOS，它就算。不要去找填充符：GPT-2 就是用 EOS 来填充的。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(ids == eos).long()` 的 `cumsum(-1)`，数的是到这个词元为止（含它自己）有几个 EOS。
#
# </details>
# %% check="1.1"
response_mask = kit.check("1.1", response_mask)
# %% [markdown] lang="en"
# Your mask at work: how many responses are still going at each token? The first tutorials drew exactly 16 tokens and paid no
# attention to EOS. What does that do to a review?
# %% [markdown] lang="zh" of="66dd"
# 用上你的掩码：写到每个词元时，还有多少回答没写完？早期教程不管 EOS，一律只采 16 个词元。评论会变成什么样？
# %%
EOS = reference.tokenizer.eos_token_id
short = kit.sample_rollout(reference, train[:64], kit.Sampling(max_new_tokens=16), seed=0)
going = {}
for name, r in (("16 tokens", short), ("until EOS", rollout)):
    mask = response_mask(r.response_ids, EOS)                                     # (B, T)
    ended = ((r.response_ids == EOS) & mask).any(-1)                              # (B,)
    print(f"{name}: {ended.float().mean():.0%} end by themselves, gold {gold(r.prompts, r.responses).mean():.2f}")
    going[name] = torch.nn.functional.pad(mask.float().mean(0), (0, 48 - mask.shape[1]))
print(f"for instance |{short.responses[2]}|")
kit.plots.lines(range(1, 49), going, across="token", unit="share of responses", title="Still writing")
# %% [markdown] lang="en"
# ## 2 Judge, and charge for drifting
#
# The judge scores the whole text, once. If nothing else counted, the policy would soon write whatever fools the judge,
# language or not. So each token that is likelier than under the **reference model** pays a **KL penalty**; a token that is
# less likely gets some back:
#
# $$r_t = \underbrace{-\,\beta\,\big(\log \pi(y_t) - \log \pi_{\text{ref}}(y_t)\big)}_{\text{minus the penalty}}\; + \;\text{score, on the last token}$$
#
# The bracket, summed over a response and averaged over responses, estimates the **KL divergence** in nats.
# %% [markdown] lang="zh" of="9bbf"
# ## 2 评判，偏离要付费
#
# 评判读完整段文本，只打一次分。如果只看这个分，策略很快就会去写一切能糊弄评判的东西，不管那还是不是人话。所以，一个词元若比在
# **参考模型 (reference model)** 那里更可能，就要付 **KL 惩罚 (KL penalty)**；若更不可能，则退回一些：
#
# $$r_t = \underbrace{-\,\beta\,\big(\log \pi(y_t) - \log \pi_{\text{ref}}(y_t)\big)}_{\text{减去惩罚}}\; + \;\text{得分（只加在最后一个词元上）}$$
#
# 括号里的差，对一条回答求和，再对各条回答取平均，就是 **KL 散度 (KL divergence)** 的估计，单位是奈特。
# %% [markdown] lang="en"
# ### ✏️ Exercise 1.2 - What a token earns
#
# `Difficulty ●●○○ · Importance ●●●● · 5-10 min · 2 points`
#
# In: `logprob`, `ref_logprob`, `[B, T]`; `score`, `[B]`; `mask`, `[B, T]`, True on the first n tokens of each row, n at least
# 1; `beta`. Out: the reward, `[B, T]`, 0 on padding. Padding may hold anything, NaN and `-inf` too.
#
# | token | 1 | 2 | 3 |
# |---|---|---|---|
# | log π | -1 | -2 | -0.5 |
# | log π_ref | -1.2 | -1.5 | -0.5 |
# | KL penalty, β = 0.1 | **+**0.02 | **-**0.05 | 0 |
# | reward = -penalty (+ score 2 on the last) | **-**0.02 | **+**0.05 | 2 |
# %% [markdown] lang="zh" of="db65"
# ### ✏️ 练习 1.2 - 一个词元挣多少
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 2 分`
#
# 输入：`logprob`、`ref_logprob`，`[B, T]`；`score`，`[B]`；`mask`，`[B, T]`，每行前 n 个词元处为 True，n 至少是 1；`beta`。
# 输出：奖励，`[B, T]`，填充处为 0。填充处可能是任何数，NaN 和 `-inf` 也可能。
#
# | 词元 | 1 | 2 | 3 |
# |---|---|---|---|
# | log π | -1 | -2 | -0.5 |
# | log π_ref | -1.2 | -1.5 | -0.5 |
# | KL 惩罚，β = 0.1 | **+**0.02 | **-**0.05 | 0 |
# | 奖励 = -惩罚（最后一个词元再加得分 2） | **-**0.02 | **+**0.05 | 2 |
# %% exercise="1.2"
# EXERCISE 1.2
def token_reward(logprob, ref_logprob, score, mask, beta):
    """-beta * (log pi - log pi_ref) on every marked token, plus the score on the last one; 0 elsewhere."""
    # solution:
    reward = torch.where(mask, -beta * (logprob - ref_logprob), 0.0)              # (B, T)
    rows, last = torch.arange(len(score)), mask.sum(-1) - 1                       # (B,)
    reward[rows, last] += score
    return reward
    # end
# %% [markdown] lang="en" hints="1.2"
# <details><summary>Hint 1: the idea</summary>
#
# First minus the penalty on every marked token. Then the score, in one place a row: on the last marked token, which is not
# always the last column.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, ..., 0.0)` cleans the padding; multiplying would turn `-inf` into NaN. Index with
# `[torch.arange(B), mask.sum(-1) - 1]`.
#
# </details>
# %% [markdown] lang="zh" of="6dab" hints="1.2"
# <details><summary>线索 1：思路</summary>
#
# 先在每个被标出的词元上减去惩罚；再在每行的一个位置加得分：最后一个被标出的词元，它不一定在最后一列。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.where(mask, ..., 0.0)` 能把填充清干净；用乘法，`-inf` 会变成 NaN。位置用 `[torch.arange(B), mask.sum(-1) - 1]`。
#
# </details>
# %% check="1.2"
token_reward = kit.check("1.2", token_reward)
# %% [markdown] lang="en"
# A policy that writes at temperature 0.7 is bolder than its reference, so on average it has a penalty to pay. Of the responses that
# score well, take the one that pays most. What has it earned after each token? If there is a slider, move β.
# %% [markdown] lang="zh" of="fc9a"
# 用温度 0.7 来写的策略比参考模型更大胆，所以平均来说有惩罚要付。得分高的回答里，取付得最多的那条：每写一个词元，累计挣了多少？
# 图下如有滑块，可以拖动 β。
# %%
bold = kit.sample_rollout(reference, train[:64], kit.Sampling(temperature=0.7), seed=1)
bold_ref = kit.sampling.response_logprob(reference, replace(bold, temperature=1.0))
bold_score = judge(bold.prompts, bold.responses)
nats = torch.where(bold.mask, bold.logprob - bold_ref, 0.0).sum(-1)               # (B,)
payer = int((nats * (bold_score > 0.5)).argmax())     # who scores well and pays most


def earned(beta):
    """The reward of one response, summed up to each token."""
    n = int(bold.length[payer])
    so_far = {f"β = {b:g}": token_reward(bold.logprob, bold_ref, bold_score, bold.mask, b)[payer, :n].cumsum(0)
              for b in dict.fromkeys((0.0, beta, 0.1))}
    return kit.plots.lines(range(1, n + 1), so_far, across="token", unit="reward so far",
                           title="Pay as you go, paid at the end")


print(f"|{bold.responses[payer]}")
kit.tell("bold", mean=nats.mean().item(), most=nats[payer].item(), score=bold_score[payer].item())
kit.slide(earned, beta=(0.0, 0.2, 0.02, 0.04))
# %% [markdown] lang="en"
# ## 3 Who deserves the credit?
#
# One score came at the end. Which of 30 tokens earned it? Let the policy guess, before each token, how much reward is still
# to come. A **value head**, one linear layer on the last hidden state, makes that guess V; it is also called the **critic**.
# A token is good if things look better after it than before:
#
# $$\delta_t = r_t + \gamma V_{t+1} - V_t \qquad \hat A_t = \delta_t + \gamma\lambda\,\hat A_{t+1}$$
#
# This is **GAE**. Behind the last token, V and Â are 0. By hand, from the end, for γ = 1 and λ = 0.95:
#
# | token | 1 | 2 | 3 |
# |---|---|---|---|
# | r | 0 | 0 | 1 |
# | V | 0.2 | 0.4 | 0.6 |
# | δ | 0 + 0.4 - 0.2 = 0.2 | 0 + 0.6 - 0.4 = 0.2 | 1 + 0 - 0.6 = 0.4 |
# | Â | 0.2 + 0.95 · 0.58 = 0.751 | 0.2 + 0.95 · 0.4 = 0.58 | 0.4 |
# %% [markdown] lang="zh" of="a681"
# ## 3 功劳归谁？
#
# 得分只在末尾来一次，三十个词元里，是谁挣来的？办法是让策略在写每个词元之前先猜一猜后面还能挣多少，这就是
# **价值头 (value head)**：加在最后一层隐状态上的一个线性层，也叫**价值网络 (critic)**，它猜的数就是 V。写完这个词元，前景比写之前好，
# 它就是好词元：
#
# $$\delta_t = r_t + \gamma V_{t+1} - V_t \qquad \hat A_t = \delta_t + \gamma\lambda\,\hat A_{t+1}$$
#
# 这叫**广义优势估计 (GAE)**，Â 就是**优势 (advantage)**。最后一个词元之后，V 和 Â 都是 0。取 γ = 1、λ = 0.95，从末尾往前手算：
#
# | 词元 | 1 | 2 | 3 |
# |---|---|---|---|
# | r | 0 | 0 | 1 |
# | V | 0.2 | 0.4 | 0.6 |
# | δ | 0 + 0.4 - 0.2 = 0.2 | 0 + 0.6 - 0.4 = 0.2 | 1 + 0 - 0.6 = 0.4 |
# | Â | 0.2 + 0.95 · 0.58 = 0.751 | 0.2 + 0.95 · 0.4 = 0.58 | 0.4 |
# %% [markdown] lang="en"
# ### ✏️ Exercise 1.3 - GAE
#
# `Difficulty ●●●○ · Importance ●●●● · 10-15 min · 3 points`
#
# In: `reward`, `value`, `[B, T]`; `mask`, as in 1.2; `gamma`, `lam`. Out: Â, `[B, T]`, 0 on padding. Whatever stands in the
# padding, NaN and `-inf` too, must not leak into real tokens. Example: the table above, Â = (0.751, 0.58, 0.4).
# %% [markdown] lang="zh" of="058f"
# ### ✏️ 练习 1.3 - GAE
#
# `难度 ●●●○ · 重要 ●●●● · 10-15 分钟 · 3 分`
#
# 输入：`reward`、`value`，`[B, T]`；`mask`，同 1.2；`gamma`、`lam`。输出：Â，`[B, T]`，填充处为 0。
# 填充处不管是什么数（NaN 和 `-inf` 也一样），都不能漏进真实的词元。例子就是上面的表：Â = (0.751, 0.58, 0.4)。
# %% exercise="1.3"
# EXERCISE 1.3
def gae(reward, value, mask, gamma, lam):
    """Generalised advantage estimation; nothing behind the last marked token counts."""
    # solution:
    reward, value = torch.where(mask, reward, 0.0), torch.where(mask, value, 0.0)
    advantage = torch.zeros_like(reward)                                          # (B, T)
    next_value = next_advantage = torch.zeros_like(reward[:, 0])                  # (B,)
    for t in reversed(range(reward.shape[1])):
        delta = reward[:, t] + gamma * next_value - value[:, t]
        advantage[:, t] = next_advantage = delta + gamma * lam * next_advantage
        next_value = value[:, t]
    return advantage
    # end
# %% [markdown] lang="en" hints="1.3"
# <details><summary>Hint 1: the idea</summary>
#
# Walk from the last column to the first and carry two things along: the value and the advantage of the token behind. Once
# the padding holds only zeros, nothing but 0 comes out of it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.where(mask, x, 0.0)` first, then `for t in reversed(range(T))` over whole columns `reward[:, t]`.
#
# </details>
# %% [markdown] lang="zh" of="2106" hints="1.3"
# <details><summary>线索 1：思路</summary>
#
# 从最后一列走到第一列，手里带着两样东西：后一个词元的价值和它的优势。只要填充处全是 0，从那里带出来的也就是 0。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# 先 `torch.where(mask, x, 0.0)`，再 `for t in reversed(range(T))`，每次处理一整列 `reward[:, t]`。
#
# </details>
# %% check="1.3"
gae = kit.check("1.3", gae)
# %% [markdown] lang="en"
# What λ does: a response of eight tokens, score 1. The critic's guess falls from 0.5 to 0.2 after token 3 and jumps to 0.8
# after token 5. Which λ points at those two tokens, and which spreads the praise?
# %% [markdown] lang="zh" of="9f48"
# λ 管什么：八个词元的回答，得分 1。第 3 个词元之后，价值从 0.5 跌到 0.2；第 5 个之后又跳到 0.8。哪个 λ 指得准这两个词元？
# 哪个把功劳摊给了大家？
# %%
expected = torch.tensor([[0.5, 0.5, 0.5, 0.2, 0.2, 0.8, 0.8, 0.8]])               # (1, 8)
paid = torch.zeros(1, 8)
paid[0, -1] = 1.0


def credit(lam):
    """The advantages of that response for λ = 0, 1 and one between."""
    shown = {f"λ = {x:g}": gae(paid, expected, torch.ones(1, 8).bool(), 1.0, x)[0]
             for x in dict.fromkeys((0.0, lam, 1.0))}
    return kit.plots.lines(range(1, 9), shown, across="token", unit="advantage", title="Trust the critic, or what happened")


kit.slide(credit, lam=(0.0, 1.0, 0.05, 0.95))
# %% [markdown] lang="en"
# λ = 0 trusts the critic. λ = 1 trusts only what happened, the reward still to come minus the guess: noisy, but never misled
# by a bad critic. 0.95 is the usual choice.
#
# ### ✏️ Exercise 1.4 - Whiten
#
# `Difficulty ●●○○ · Importance ●●●○ · 5-10 min · 2 points`
#
# A step should not depend on the scale of the reward. **Whitening** shifts the advantages to mean 0 and scales them to
# variance 1 (with n - 1), over the marked tokens of the *whole batch*.
#
# In: `advantage`, `mask`, `[B, T]`; from here on the marks may have gaps. What is not marked may hold anything, NaN and `-inf`
# too. The deviation of the marked ones is at least 0.001; 1e-8 added to the variance does no harm.
# Out: `[B, T]`, 0 where nothing is marked. For (0.751, 0.58, 0.4), all marked: (0.991, 0.017, -1.008).
# %% [markdown] lang="zh" of="6530"
# λ = 0 只信价值头。λ = 1 只信真正发生的事，也就是后面实际挣到的减去猜测：噪声大，但不会被差劲的价值头带偏。通常取 0.95。
#
# ### ✏️ 练习 1.4 - 白化
#
# `难度 ●●○○ · 重要 ●●●○ · 5-10 分钟 · 2 分`
#
# 步子的大小不该取决于奖励用什么单位。**白化 (whitening)** 把优势移到均值 0、缩到方差 1（分母是 n - 1），
# 范围是*整个批次*里被标出的词元。
#
# 输入：`advantage`、`mask`，`[B, T]`；从这里起，标出的词元不一定连在一起。没标出的地方可能是任何数，NaN 和 `-inf` 也可能；
# 标出的数的标准差至少是 0.001；为防除以 0 而给方差加上 1e-8，也可以。输出：`[B, T]`，没标出的地方为 0。例如 (0.751, 0.58, 0.4) 全部标出，结果是 (0.991, 0.017, -1.008)。
# %% exercise="1.4"
# EXERCISE 1.4
def whiten(advantage, mask):
    """Mean 0 and variance 1 (n - 1) over the marked tokens of the whole batch; 0 elsewhere."""
    # solution:
    marked = advantage[mask]                          # (number of real tokens,)
    return torch.where(mask, (advantage - marked.mean()) / marked.std(), 0.0)
    # end
# %% [markdown] lang="en" hints="1.4"
# <details><summary>Hint 1: the idea</summary>
#
# One mean and one deviation for the batch, from real tokens only; then clean the padding.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `advantage[mask]` is the flat list of real tokens; `.std()` divides by n - 1.
#
# </details>
# %% [markdown] lang="zh" of="ce32" hints="1.4"
# <details><summary>线索 1：思路</summary>
#
# 整个批次只有一个均值、一个标准差，只由真实的词元算出；然后把填充清成 0。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `advantage[mask]` 是真实词元排成的一列；`.std()` 的分母就是 n - 1。
#
# </details>
# %% check="1.4"
whiten = kit.check("1.4", whiten)
# %% [markdown] lang="en"
# An early implementation whitened each response alone. Take a critic that knows nothing (V = 0) and two responses of 16
# tokens, one with R = 1, one with R = 0.1. What is left of the difference?
# %% [markdown] lang="zh" of="d86c"
# 早期有个实现是每条回答各自白化。设价值头一无所知（V = 0），两条回答各 16 个词元，一条 R = 1，一条 R = 0.1。差别还剩多少？
# %%
reward, every = torch.zeros(2, 16), torch.ones(2, 16).bool()
reward[:, -1] = torch.tensor([1.0, 0.1])
raw = gae(reward, torch.zeros(2, 16), every, 1.0, 0.95)                           # (2, 16)
alone = torch.cat([whiten(raw[:1], every[:1]), whiten(raw[1:], every[1:])])
batch = whiten(raw, every)
kit.tell("apart", alone=(alone[0] - alone[1]).abs().max().item(), batch=(batch[0] - batch[1]).abs().max().item())
kit.plots.lines(range(1, 17), {"R = 1, alone": alone[0], "R = 1, batch": batch[0], "R = 0.1, batch": batch[1],
                               "R = 0.1, alone": alone[1]},
                across="token", unit="whitened advantage", dashed=("R = 0.1, alone",), size=(6, 3))
# %% [markdown] lang="en"
# Alone, a brilliant response and a poor one teach the same thing: "late tokens good, early tokens bad".
#
# ## 4 Learn, in small steps
#
# A rollout is expensive, so several gradient steps use it. Meanwhile the policy moves away from the one that sampled. The
# **ratio** $\rho_t = \pi(y_t)/\pi_{\text{old}}(y_t)$ corrects for that, which is importance sampling. The **clip** takes away
# the incentive to move the ratio beyond 1 ± ε:
#
# $$L = -\text{mean}_t\,\min\big(\rho_t \hat A_t,\; \text{clip}(\rho_t, 1-\varepsilon, 1+\varepsilon)\,\hat A_t\big)$$
#
# "Old" is the policy *at the start of this step*, not the reference.
# %% [markdown] lang="zh" of="33b7"
# 各自白化之后，出色的回答和糟糕的回答教的是同一件事：“靠后的词元好，靠前的词元坏”。
#
# ## 4 学习，步子要小
#
# 采样很贵，所以一批要走好几次梯度。走着走着，策略就和当初采样的那个不一样了。**概率比 (ratio)**
# $\rho_t = \pi(y_t)/\pi_{\text{old}}(y_t)$ 修正这一点，这就是重要性采样 (importance sampling)；**截断 (clip)** 则让它越出 1 ± ε 之后无利可图：
#
# $$L = -\text{mean}_t\,\min\big(\rho_t \hat A_t,\; \text{clip}(\rho_t, 1-\varepsilon, 1+\varepsilon)\,\hat A_t\big)$$
#
# “old”是*这一步开始时*的策略，不是参考模型。
# %% [markdown] lang="en"
# ### ✏️ Exercise 1.5 - The clipped loss
#
# `Difficulty ●●●○ · Importance ●●●● · 10-15 min · 3 points`
#
# In: `logprob` (with gradient), `old_logprob`, `advantage`, `mask`, `[B, T]`; `clip`, which is ε. Out: one number, the mean
# over marked tokens. No gradient flows into the advantage. What is not marked may hold anything, NaN and `-inf` too, and must
# spoil neither the number nor the gradient in `logprob`.
#
# | token | 1 | 2 | 3 |
# |---|---|---|---|
# | ρ | 1 | 1.1 | 0.9 |
# | Â | 1 | -1 | 2 |
# | min(...), ε = 0.2 | 1 | -1.1 | 1.8 |
#
# Loss: -(1 - 1.1 + 1.8) / 3 = -0.5667.
# %% [markdown] lang="zh" of="bea1"
# ### ✏️ 练习 1.5 - 截断的损失
#
# `难度 ●●●○ · 重要 ●●●● · 10-15 分钟 · 3 分`
#
# 输入：`logprob`（带梯度）、`old_logprob`、`advantage`、`mask`，`[B, T]`；`clip`，即 ε。输出：一个数，只对被标出的词元取平均。
# 梯度不流进优势。没标出的地方可能是任何数，NaN 和 `-inf` 也可能，但不能弄坏这个数，也不能弄坏对 `logprob` 的梯度。
#
# | 词元 | 1 | 2 | 3 |
# |---|---|---|---|
# | ρ | 1 | 1.1 | 0.9 |
# | Â | 1 | -1 | 2 |
# | min(...)，ε = 0.2 | 1 | -1.1 | 1.8 |
#
# 损失：-(1 - 1.1 + 1.8) / 3 = -0.5667。
# %% exercise="1.5"
# EXERCISE 1.5
def clipped_policy(logprob, old_logprob, advantage, mask, clip):
    """PPO's clipped objective, as a loss."""
    # solution:
    advantage = advantage[mask].detach()                                          # (real tokens,)
    ratio = (logprob[mask] - old_logprob[mask]).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
    # end
# %% [markdown] lang="en" hints="1.5"
# <details><summary>Hint 1: the idea</summary>
#
# Two versions of ρ · Â, one with ρ cut off; keep the *smaller* for each token. That is an objective, which should go up; a
# loss should go down.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `(logprob - old_logprob).exp()`, `.clamp(1 - clip, 1 + clip)`, `torch.minimum`, `advantage.detach()`.
#
# </details>
# %% [markdown] lang="zh" of="f1cf" hints="1.5"
# <details><summary>线索 1：思路</summary>
#
# ρ · Â 有两个版本，其中一个的 ρ 截断过；每个词元取*较小*的那个。目标要往上走，损失要往下走。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `(logprob - old_logprob).exp()`、`.clamp(1 - clip, 1 + clip)`、`torch.minimum`、`advantage.detach()`。
#
# </details>
# %% check="1.5"
clipped_policy = kit.check("1.5", clipped_policy)
# %%
ratios, one = torch.linspace(0.4, 1.8, 57), torch.ones(1, 1)


def gain(r, a, clip):
    """The objective of a single token."""
    return -clipped_policy(r.log() * one, 0 * one, a * one, one.bool(), clip).item()


def objective(clip):
    """What a good and a bad token are worth against their ratio."""
    shown = {"Â = +1": [gain(r, 1.0, clip) for r in ratios], "Â = -1": [gain(r, -1.0, clip) for r in ratios],
             "Â = +1, no clip": ratios, "Â = -1, no clip": -ratios}
    return kit.plots.lines(ratios, shown, across="ratio", unit="objective", title="Flat = nothing more to gain",
                           dashed=("Â = +1, no clip", "Â = -1, no clip"))


kit.slide(objective, clip=(0.05, 0.6, 0.05, 0.2))
# %% [markdown] lang="en"
# Two slopes are *not* cut off: a good token that became rarer and a bad one that became likelier can always be mended.
# Clipping removes an incentive; it forbids nothing.
#
# ## 5 Adjust the penalty
#
# ### ✏️ Exercise 1.6 - A β that adapts
#
# `Difficulty ●○○○ · Importance ●●○○ · 5 min · 1 point`
#
# Which β is right? It is easier to name the KL you can afford, the target, and let β follow. With e = KL / target - 1,
# cut off at ±0.2: $\beta \leftarrow \beta\,(1 + e\,n / \text{horizon})$, where n is the number of responses.
#
# In and out: plain numbers, not tensors. For β = 0.2, KL 6.3, target 6, n = 256, horizon 10000: e = 0.05, so β = 0.200256.
# Take the KL as it comes: its estimate may be negative or 0. Only e is cut off, and nothing rounded.
# %% [markdown] lang="zh" of="39f6"
# 注意那两段*没有*被压平的斜线：好词元变少见了，坏词元变常见了，这两种情况永远可以纠正。截断拿走的是动机，并不禁止什么。
#
# ## 5 调整惩罚
#
# ### ✏️ 练习 1.6 - 会调整的 β
#
# `难度 ●○○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# β 取多少合适？更容易说的是能接受多大的 KL，也就是目标；那就让 β 跟着走。令 e = KL / 目标 - 1，限制在 ±0.2 之内：
# $\beta \leftarrow \beta\,(1 + e\,n / \text{horizon})$，n 是回答的条数。
#
# 输入输出都是普通的数，不是张量。例如 β = 0.2、KL 6.3、目标 6、n = 256、horizon 10000：e = 0.05，于是 β = 0.200256。
# KL 是多少就用多少：它的估计也可能是负的，或者是 0。除 e 以外，什么都不截断，也不四舍五入。
# %% exercise="1.6"
# EXERCISE 1.6
def adapt(beta, kl, target, n, horizon):
    """beta * (1 + e * n / horizon), where e = kl / target - 1, cut off at +-0.2."""
    # solution:
    error = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + error * n / horizon)
    # end
# %% [markdown] lang="en" hints="1.6"
# <details><summary>Hint 1: the idea</summary>
#
# Too much drift raises β, too little lowers it, and one strange batch must not move it far.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `max(-0.2, min(0.2, ...))`.
#
# </details>
# %% [markdown] lang="zh" of="bf63" hints="1.6"
# <details><summary>线索 1：思路</summary>
#
# 走远了就加大 β，太近了就减小；一个反常的批次不能让它大变。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `max(-0.2, min(0.2, ...))`。
#
# </details>
# %% check="1.6"
adapt = kit.check("1.6", adapt)
# %% [markdown] lang="en"
# See it act. A toy policy drifts more where drifting is cheap: each step takes it a tenth of the way to 1.2 / β nats. The
# target is 6 nats. Does the KL get there from a β that is wrong at first? Move β.
# %% [markdown] lang="zh" of="0c94"
# 看它怎么起作用。设一个玩具策略，惩罚越轻它走得越远：每一步都向 1.2 / β 奈特走十分之一。目标是 6 奈特。一开始 β 定错了，
# KL 到得了目标吗？可以拖动 β。
# %%
def controlled(beta, adapts=True, steps=500):
    """The KL of the toy at each step, and the last β."""
    path = [0.0]
    for _ in range(steps):
        path.append(path[-1] + 0.1 * (1.2 / beta - path[-1]))
        beta = adapt(beta, path[-1], target=6, n=256, horizon=10_000) if adapts else beta
    return path, beta


def followed(beta):
    """The toy with a β that adapts and with a fixed one."""
    paths = {"β adapts": controlled(beta)[0], "β fixed": controlled(beta, adapts=False)[0], "target": [6.0] * 501}
    return kit.plots.lines(range(501), paths, across="step of 256 responses", unit="KL (nats)", dashed=("target",),
                           title="The KL comes to where it is wanted")


path, last = controlled(0.1)
kit.tell("controlled", first=0.1, last=last, kl=path[-1], fixed=controlled(0.1, adapts=False)[0][-1])
kit.slide(followed, beta=(0.05, 0.8, 0.05, 0.1))
# %% [markdown] lang="en"
# ## Teach the critic
#
# V learns from the same rollout. What it should have said before token t is the **target**
# $R_t = \hat A_t + V_{\text{old},t}$, with Â before whitening. Its loss is a squared error, clipped too: a guess that moves
# further than c from the old one gains nothing more.
#
# $$L = \tfrac12\,\text{mean}_t\,\max\big((V_t - R_t)^2,\;(\text{clip}(V_t, V_{\text{old},t} - c, V_{\text{old},t} + c) - R_t)^2\big)$$
#
# ### ✏️ Exercise 1.7 - The critic's loss
#
# `Difficulty ●●○○ · Importance ●●●○ · 5-10 min · 2 points`
#
# In: `value` V (with gradient), `old_value`, `target` R, `mask`, `[B, T]`; `clip`, which is c. Out: one number, over the
# marked tokens. The gradient flows into V alone. What is not marked may hold anything, NaN and `-inf` too, and must spoil
# neither the number nor the gradient.
#
# | token, c = 0.2 | 1 | 2 | 3 |
# |---|---|---|---|
# | V | 0.5 | 0.9 | 0.1 |
# | V_old | 0.4 | 0.5 | 0.5 |
# | R | 1 | 1 | 0 |
# | clipped V | 0.5 | 0.7 | 0.3 |
# | max of both squares | 0.25 | 0.09 | 0.09 |
#
# Loss: ½ · (0.25 + 0.09 + 0.09) / 3 = 0.0717.
# %% [markdown] lang="zh" of="2fbd"
# ## 教价值头
#
# V 从哪里来？它从同一批采样里学。写第 t 个词元之前它本该说的数，就是**目标 (target)** $R_t = \hat A_t + V_{\text{old},t}$，其中 Â 是白化之前的。
# 它的损失是平方误差，同样有截断：猜测离旧猜测超过 c 之后，再走也没有好处。
#
# $$L = \tfrac12\,\text{mean}_t\,\max\big((V_t - R_t)^2,\;(\text{clip}(V_t, V_{\text{old},t} - c, V_{\text{old},t} + c) - R_t)^2\big)$$
#
# ### ✏️ 练习 1.7 - 价值头的损失
#
# `难度 ●●○○ · 重要 ●●●○ · 5-10 分钟 · 2 分`
#
# 输入：`value`，即 V（带梯度）、`old_value`、`target`，即 R、`mask`，`[B, T]`；`clip`，即 c。输出：一个数，只算被标出的词元。
# 梯度只流进 V。没标出的地方可能是任何数，NaN 和 `-inf` 也可能，但不能弄坏这个数，也不能弄坏梯度。
#
# | 词元，c = 0.2 | 1 | 2 | 3 |
# |---|---|---|---|
# | V | 0.5 | 0.9 | 0.1 |
# | V_old | 0.4 | 0.5 | 0.5 |
# | R | 1 | 1 | 0 |
# | 截断后的 V | 0.5 | 0.7 | 0.3 |
# | 两个平方里较大的 | 0.25 | 0.09 | 0.09 |
#
# 损失：½ · (0.25 + 0.09 + 0.09) / 3 = 0.0717。
# %% exercise="1.7"
# EXERCISE 1.7
def clipped_value(value, old_value, target, mask, clip):
    """Half the mean over marked tokens of the larger of two squared errors: of V, and of V kept near its old value."""
    # solution:
    value, old_value, target = value[mask], old_value[mask].detach(), target[mask].detach()   # (real tokens,)
    near = torch.clamp(value, old_value - clip, old_value + clip)
    return 0.5 * torch.maximum((value - target).square(), (near - target).square()).mean()
    # end
# %% [markdown] lang="en" hints="1.7"
# <details><summary>Hint 1: the idea</summary>
#
# Two squared errors for each token. 1.5 kept the smaller of two gains; a loss is a gain with a minus, so here keep the
# *larger*. Leaving the neighbourhood of the old guess must not pay.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.clamp(value, old_value - clip, old_value + clip)`, `torch.maximum`, `.detach()` on `old_value` and `target`. Pick the
# marked tokens first, `value[mask]`.
#
# </details>
# %% [markdown] lang="zh" of="541c" hints="1.7"
# <details><summary>线索 1：思路</summary>
#
# 每个词元有两个平方误差。1.5 里是两个收益取较小的；损失就是添了负号的收益，所以这里取*较大*的。离开旧猜测的附近，不能有好处。
#
# </details>
#
# <details><summary>线索 2：用哪个函数</summary>
#
# `torch.clamp(value, old_value - clip, old_value + clip)`、`torch.maximum`；`old_value` 和 `target` 要 `.detach()`。
# 先用 `value[mask]` 取出被标出的词元。
#
# </details>
# %% check="1.7"
clipped_value = kit.check("1.7", clipped_value)
# %% [markdown] lang="en"
# One token with V_old = 0.4 and R = 1. Up to which V does it pay to move? (Whether this clip helps is disputed, see
# arXiv:2006.05990; the kit has it because Ziegler et al. and TRL do.)
# %% [markdown] lang="zh" of="6787"
# 一个词元，V_old = 0.4，R = 1。V 移到哪里为止还有好处？（这个截断有没有用，说法不一，见 arXiv:2006.05990；Ziegler 等的代码和 TRL 都有它，
# 工具包也就保留了下来。）
# %%
values = torch.linspace(-0.2, 1.4, 65)


def error(clip):
    """The critic's loss of a single token against its guess, and without a clip."""
    loss = [clipped_value(v * one, 0.4 * one, one, one.bool(), clip).item() for v in values]
    return kit.plots.lines(values, {"clipped": loss, "no clip": 0.5 * (values - 1).square()}, across="V", unit="value loss",
                           dashed=("no clip",), title="Flat = nothing more to gain")


kit.slide(error, clip=(0.05, 1.0, 0.05, 0.2))
# %% [markdown] lang="en"
# ## The whole step, made of your seven functions
#
# This loop hides nothing but sampling and the forward pass. Find each of your functions.
# (About 7 s of one CPU core.)
# %% [markdown] lang="zh" of="a95b"
# ## 完整的一步，由你的七个函数组成
#
# 下面的循环里就是完整的一步 PPO，除了采样和前向计算，什么都没藏起来。找一找你的每个函数在哪里。（一个 CPU 核约 7 秒。）
# %%
policy, beta = kit.load_policy(MODEL), 0.04
optimizer, gained = torch.optim.Adam(policy.parameters(), lr=5e-4), []
for step in range(6):
    old = kit.sample_rollout(policy, reviews.prompts("train", 64, seed=step), seed=step)     # 1 act
    mask = response_mask(old.response_ids, EOS)
    with torch.no_grad():
        ref_logprob = kit.sampling.response_logprob(reference, old)
    score = judge(old.prompts, old.responses)                                                # 2 judge
    reward = token_reward(old.logprob, ref_logprob, score, mask, beta)
    advantage = gae(reward, old.value, mask, gamma=1.0, lam=0.95)                            # 3 credit
    target = advantage + old.value                    # what the critic should have said
    advantage = whiten(advantage, mask)
    for _ in range(4):                                                                       # 4 learn
        logprob, value = kit.sampling.response_logprob_and_value(policy, old)
        loss = clipped_policy(logprob, old.logprob, advantage, mask, clip=0.2)
        loss = loss + 0.5 * clipped_value(value, old.value, target, mask, clip=0.2)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
    kl = (old.logprob - ref_logprob)[mask].sum().item() / len(old)                           # 5 adjust
    beta = adapt(beta, kl, target=6.0, n=len(old), horizon=1000)
    gained.append(score.mean().item())
    kit.tell("step", step=step + 1, score=gained[-1], kl=kl, beta=beta)
# %% [markdown] lang="en"
# While the KL is below the target of 6 nats, β falls; above it, β rises. `kit.ppo.steps` is the same loop with minibatches and
# checks.
#
# ## One response, every number
#
# Take a response of the policy as it is now, and give the policy one more update. Each row is a token. From left to right:
# how likely it was, what it paid, what it earned, what the critic expected, which credit it gets, how the update changed it.
# %% [markdown] lang="zh" of="5ca0"
# KL 低于 6 奈特的目标时 β 变小，高于目标时变大。`kit.ppo.steps` 是同一个循环，外加小批和各种检查。
#
# ## 一条回答，全部的数
#
# 取现在这个策略的一条回答，再更新一次。每行是一个词元，从左到右正是这一课走过的路：它有多可能，付了多少，挣了多少，价值头原来猜多少，
# 分到多少功劳，这次更新又让它变了多少。
# %%
seen = kit.sample_rollout(policy, train[:64], seed=50)
mask, later = response_mask(seen.response_ids, EOS), copy.deepcopy(policy)
with torch.no_grad():
    ref_logprob = kit.sampling.response_logprob(reference, seen)
reward = token_reward(seen.logprob, ref_logprob, judge(seen.prompts, seen.responses), mask, beta)
delta, raw = (gae(reward, seen.value, mask, 1.0, lam) for lam in (0.0, 0.95))       # with λ = 0 the advantage is δ
advantage, optimizer = whiten(raw, mask), torch.optim.Adam(later.parameters(), lr=5e-4)
logprob, value = kit.sampling.response_logprob_and_value(later, seen)
loss = clipped_policy(logprob, seen.logprob, advantage, mask, 0.2)
(loss + 0.5 * clipped_value(value, seen.value, raw + seen.value, mask, 0.2)).backward()
optimizer.step()
with torch.no_grad():
    logprob, value = kit.sampling.response_logprob_and_value(later, seen)          # (B, T), one update later
ratio = (logprob - seen.logprob).exp()
# %%
spread = [float(x[m].max() - x[m].min()) for x, m in zip(raw, mask)]
row = max(mask.sum(-1).argsort()[:16].tolist(), key=spread.__getitem__)              # a short one, good and bad in it
n, single = int(mask[row].sum()), torch.eye(mask.shape[1]).bool()                # a mask for each token
its = (logprob[row:row + 1], seen.logprob[row:row + 1], advantage[row:row + 1])                   # (1, T)
losses = [clipped_policy(*its, single[t:t + 1], 0.2).item() for t in range(n)]
columns = {"log π": seen.logprob, "log π_ref": ref_logprob, kit.words("penalty"): beta * (seen.logprob - ref_logprob),
           kit.words("reward"): reward, "V": seen.value, "δ": delta, "Â": raw, kit.words("whitened"): advantage,
           "ρ": ratio}
print(f"{seen.prompts[row]} |{seen.responses[row]}")
written = [reference.tokenizer.decode(i).strip() for i in seen.response_ids[row, :n, None].tolist()]
kit.table({kit.words("token"): written,
           **{name: x[row, :n].tolist() for name, x in columns.items()}, kit.words("loss"): losses}, digits=2)
along = ((ratio > 1) == (advantage > 0))[mask].float().mean().item()
kit.tell("along", share=along)
# %% [markdown] lang="en"
# Check a row by hand: reward = -penalty until the last token, δ = r + V of the next row - V, loss = -ρ · whitened Â within the
# clip. Which token got most credit? Would you have given it the same? All tokens share the same weights, so not each of them
# gets its way.
#
# ## The long run
#
# First measure where you start, on **held-out** prompts, whose products the policy never trains on. Besides score and gold:
# KL, length, and diversity as the share of different neighbouring token pairs. A policy that flatters everybody with one
# sentence also scores well.
# %% [markdown] lang="zh" of="41f0"
# 挑一行自己算一算：除最后一个词元外，奖励 = -惩罚；δ = r + 下一行的 V - V；截断范围之内，损失 = -ρ · 白化后的 Â。
# 哪个词元分到的功劳最多？换作你，会这样分吗？所有词元共用同一套参数，所以不是每个都能如愿。
#
# ## 正式训练
#
# 先量一量起点，用的是**留出 (held-out)** 的提示，里面的商品训练时从不出现。除了得分和真值，还要看 KL、长度和多样性
#（相邻词元对里不重样的占多少）：一个见谁都说同一句奉承话的策略，得分也很高。
# %%
table = {}


def measure(name, policy):
    """One response to each held-out prompt: what was won, and what it cost."""
    seen = table[name] = kit.evaluate.evaluate(policy, reference, heldout, {"score": judge, "gold": gold}, seed=1)
    kit.tell("row", name=name, score=seen.scores["score"].mean, gold=seen.scores["gold"].mean, kl=seen.kl,
             length=seen.length, pairs=seen.distinct_2)


measure("before", reference)
measure("your six steps", policy)
# %% [markdown] lang="en"
# Now 20 steps of 32 responses. The picture follows the run; dotted is "before". (About 10 s of one CPU core.)
# %% [markdown] lang="zh" of="0a52"
# 现在走 20 步，每步 32 条回答。图跟着训练更新，虚线是训练之前。（一个 CPU 核约 10 秒。）
# %%
from IPython.display import clear_output, display

config = kit.ppo.Config(steps=20, batch_size=32, epochs=2, learning_rate=5e-4, value_coef=0.5,
                        kl=kit.KL(coefficient=0.04))
start = {name: estimate.mean for name, estimate in table["before"].scores.items()}
policy, history = kit.load_policy(MODEL), []
for step in kit.ppo.steps(policy, reference, train, judge, config, evaluation_rewards={"gold": gold}):
    history.append(step)
    if len(history) % 4 == 0:
        clear_output(wait=True)
        display(kit.plots.progress(history, before=start))
# %%
measure("PPO", policy)
before, after = table["before"], table["PPO"]
rose = {name: after.scores[name].low > before.scores[name].high for name in ("score", "gold")}
kit.tell("together" if all(rose.values()) else "score_alone" if rose["score"] else "little")
kit.tell("shorter" if after.length < before.length else "longer", before=before.length, after=after.length)
for i in range(4):
    print(f"\n{heldout[i]}")
    for name, seen in (("before", before), ("after", after)):
        print(f"  {kit.words(name)} {seen.each['score'][i]:.2f} {seen.each['gold'][i]:.2f} |{seen.responses[i]}")
# %% [markdown] lang="en"
# Before each text stand the judge's score and gold. Did the length change? Nobody asked for that. But a penalty per token makes
# short praise the cheapest way to please.
#
# ## What the first tutorials got wrong
#
# | they did | then | seen in |
# |---|---|---|
# | ratio against the reference | tokens clipped before anything is learned | below |
# | prompt encoded with [SEP] behind it | the model goes on after an *end* | below |
# | whitening per response | 1 and 0.1 teach the same | 1.4 |
# | no EOS, exactly 16 tokens | half sentences are judged | 1.1 |
# | no clip in the written formula | large steps go too far | Break it |
# | reward in [0, 1], β copied from elsewhere | β means something else | Break it |
# | no held-out prompts, KL or diversity | collapse looks like success | the table above |
#
# The first row: take your trained policy at the *start* of a step. It has learned nothing from this rollout yet, so every ratio
# must be 1.
# %% [markdown] lang="zh" of="de8d"
# 每段文本前的两个数是评判的得分和真值。长度变了吗？没有人这样要求过。不过惩罚按词元算，短短的好话就成了最省钱的讨好。
#
# ## 早期教程错在哪里
#
# | 它们的做法 | 后果 | 哪里看 |
# |---|---|---|
# | 概率比以参考模型为分母 | 还没学，词元就被截断了 | 下面 |
# | 编码提示时末尾带上 [SEP] | 模型在“结束”之后接着写 | 下面 |
# | 每条回答各自白化 | 1 分和 0.1 分教的一样 | 1.4 |
# | 不管 EOS，只采 16 个词元 | 评判读的是半句话 | 1.1 |
# | 写出来的公式没有截断 | 步子一大就走过头 | 弄坏它 |
# | 奖励在 [0, 1] 里，β 从别处抄来 | β 的含义变了 | 弄坏它 |
# | 没有留出的提示，不报告 KL 和多样性 | 崩溃看上去像成功 | 上面的表 |
#
# 先看第一行：拿训练好的策略，停在一步的*开头*。策略还没从这批采样里学到任何东西，所以每个概率比都必须是 1。
# %%
now = kit.sample_rollout(policy, train[:64], seed=7)
against = {"rollout policy": now.logprob, "reference": kit.sampling.response_logprob(reference, now)}
with torch.no_grad():
    logprob = kit.sampling.response_logprob(policy, now)
gaps = {name: (logprob - old)[now.mask].sort().values for name, old in against.items()}
for name, gap in gaps.items():
    kit.tell("outside", name=kit.words(name), share=((gap.exp() - 1).abs() > 0.2).float().mean().item())
share = torch.linspace(0, 1, len(gaps["reference"]))
kit.plots.lines(share, gaps, across="share of tokens", unit="log ratio", title="Before learning from this rollout")
# %% [markdown] lang="en"
# The second row: our tokenizer has no [SEP], but EOS is an end too. How likely does the model find the same responses behind
# the prompt, and behind the prompt with an end?
# %% [markdown] lang="zh" of="605d"
# 再看第二行：我们的分词器没有 [SEP]，但 EOS 同样表示结束。同样的回答，接在提示后面，和接在“提示 + 结束符”后面，模型各觉得有多可能？
# %%
end = torch.full((len(rollout), 1), EOS)
ended = replace(rollout, prompt_ids=torch.cat([rollout.prompt_ids, end], 1),
                prompt_mask=torch.cat([rollout.prompt_mask, end == EOS], 1))
for name, r in (("prompt", rollout), ("prompt + end", ended)):
    logprob = kit.sampling.response_logprob(reference, r)                         # (B, T)
    kit.tell("likely", name=kit.words(name), first=logprob[:, 0].mean().item(), all=logprob[r.mask].mean().item())
# %% [markdown] lang="en"
# ## Break it
#
# Change one thing, keep the rest, measure on held-out prompts. Guess first: compared with the row that it is held against,
# is gold `"higher"`, `"lower"` or, within 0.05, the `"same"`? First the KL penalty goes: β = 0. (About 10 s of one CPU core,
# like each of the others.)
# %% [markdown] lang="zh" of="00ce"
# ## 弄坏它
#
# 每次只改一处，其余不动，在留出的提示上测量。先猜：和它要比的那一行相比，真值是更高 `"higher"`、更低 `"lower"`，
# 还是差不多 `"same"`（相差不到 0.05）？先拿掉 KL 惩罚：β = 0。（一个 CPU 核约 10 秒，后面每个也一样。）
# %% guess="2"
gold_is = {"no KL penalty": None,       # against PPO: β = 0
           "large steps": None,         # against PPO: four times the learning rate
           "large, no clip": None,      # against large steps: no clip, nor a limit on the ratio
           "log-odds": None,            # against PPO: the same judge's log-odds are the reward
           "log-odds, larger β": None}  # against log-odds: β in proportion to their spread
# %%
def experiment(name, than, reward=judge, **changes):
    """The long run again with other settings, held against another row of the table."""
    policy, changed = kit.load_policy(MODEL), replace(config, **changes)
    list(kit.progress(kit.ppo.steps(policy, reference, train, reward, changed), changed.steps))
    measure(name, policy)
    rise = {key: table[name].scores[key].mean - table[than].scores[key].mean for key in ("score", "gold")}
    found = {key: "same" if abs(x) < 0.05 else "higher" if x > 0 else "lower" for key, x in rise.items()}
    kit.guessed({name: gold_is.get(name)}, {name: found["gold"]})
    kit.tell("fooled" if found["gold"] == "lower" and found["score"] != "lower" else
             "broken" if found["gold"] == "lower" else "gold_" + found["gold"], than=than, **rise)
    print(*(f"   |{text}|" for text in table[name].responses[:2]), sep="\n")


experiment("no KL penalty", than="PPO", kl=kit.KL(coefficient=0.0))
# %% [markdown] lang="en"
# When the score holds and the truth falls, that is **reward hacking**: read the texts. By the score alone it is a success.
#
# Next the clip. It matters when steps are large. So make them large with the clip on, then take it away.
# %% [markdown] lang="zh" of="2c54"
# 得分还在，真值却降了，这就叫**钻空子 (reward hacking)**：读一读那些文本。只看得分的话，它反倒是成功的。
#
# 然后是截断。步子大的时候它才要紧，那就先把步子迈大，截断留着；再把它拿掉。
# %%
experiment("large steps", than="PPO", learning_rate=2e-3)
# %%
experiment("large, no clip", than="large steps", learning_rate=2e-3, clip=float("inf"), ratio_limit=float("inf"))
# %% [markdown] lang="en"
# Look at the token pairs and the texts of both rows: how much is left of what the model could say?
#
# Last the unit of the reward. A probability saturates: 0.99 and 0.999 are nearly the same. **Log-odds**, log p - log(1 - p),
# do not. But look what the same β now buys.
# %% [markdown] lang="zh" of="1aac"
# 看看这两行的词元对和文本：模型原来会说的话，还剩多少？
#
# 最后是奖励的单位。概率会饱和：0.99 和 0.999 几乎一样。**对数几率 (log-odds)**，即 log p - log(1 - p)，就不会。
# 可是看看，同样的 β 现在能换来什么。
# %%
log_odds = kit.rewards.classifier(*kit.load_classifier(f"tiny-judge-{LANG}"), output="log_odds")
spread = [f(before.prompts, before.responses).std().item() for f in (judge, log_odds)]
kit.tell("spread", p=spread[0], odds=spread[1], times=spread[1] / spread[0])
experiment("log-odds", than="PPO", reward=log_odds)
# %% [markdown] lang="en"
# As the spread grows, drifting becomes cheaper in proportion. β is measured *in units of the reward*: change the unit, and β
# must change too.
# %% [markdown] lang="zh" of="c445"
# 得分的幅度大了多少倍，偏离就便宜了多少倍。β *以奖励为单位*：换了单位，β 就得跟着换。
# %%
dearer = kit.KL(coefficient=0.04 * spread[1] / spread[0])
experiment("log-odds, larger β", than="log-odds", reward=log_odds, kl=dearer)
kit.plots.bars({name.replace(", ", ",\n").replace(" KL", "\nKL").replace(" steps", "\nsteps"): seen.scores["gold"]
                for name, seen in table.items()}, unit="gold (the truth)", size=(6, 3))
# %% [markdown] lang="en"
# ## The real thing
#
# The same lines train GPT-2. Set `REAL = True` where the Hugging Face hub can be reached; a GPU is advisable. If a model
# cannot be had, the tiny one stands in for it, and a line says so. (About 2 s with the tiny one.)
# %% [markdown] lang="zh" of="3be0"
# ## 换成真的
#
# 同样几行代码就能训练 GPT-2。能访问 Hugging Face hub 时，把 `REAL` 改成 `True`；最好有 GPU。国内可以先设环境变量
# `HF_ENDPOINT=https://hf-mirror.com`。取不到模型时，由小模型顶替，并且会说明。（用小模型约 2 秒。）
# %%
REAL = False
device = "cuda" if REAL and torch.cuda.is_available() else "cpu"
writer, reader = {"en": ("lvwerra/gpt2-imdb", "lvwerra/distilbert-imdb"),
                  "zh": ("uer/gpt2-chinese-cluecorpussmall", "uer/roberta-base-finetuned-jd-binary-chinese")}[LANG]
openings = {"en": ["This movie was", "I watched this film", "The acting", "The story of this film"],
            "zh": ["刚收到货，感觉", "这部电影很", "说实话，真的很", "这次购物总的来说体验很"]}[LANG] if REAL else train
tiny_judge = f"tiny-judge-{LANG}"
big = kit.load_model(writer if REAL else MODEL, fallback=MODEL, device=device)
critic = kit.load_model(reader if REAL else tiny_judge, fallback=tiny_judge, device=device)
settings = replace(kit.zoo.GPT2_PPO, steps=20) if REAL else replace(config, steps=2)
for step in kit.ppo.steps(big, big.reference(), openings, kit.rewards.classifier(*critic), settings):
    kit.tell("step", step=step.number + 1, score=step.metrics["score"], kl=step.metrics["kl"], beta=step.metrics["kl_coef"])
# %% [markdown] lang="en"
# ## Recap
#
# | piece | it prevents |
# |---|---|
# | mask up to the first EOS | learning from padding; never learning to stop |
# | KL penalty per token | leaving language behind |
# | critic, its loss, and GAE | praising every token alike |
# | whitening over the batch | steps that depend on the unit of the reward |
# | ratio and clip | one batch moving the policy too far |
# | held-out prompts, KL, diversity | believing the score |
#
# **Break it further.** (1) `experiment("dear", "PPO", kl=kit.KL(coefficient=0.4))`: what stays of the gain? (2) Switch the clip
# off at the *normal* step size: does it matter? (3) `kl=kit.KL(coefficient=0.04, target=3.0, horizon=500)`: does the KL settle
# at 3?
#
# **Next:** [lesson 02](02_rank_loss_reward_model.ipynb) trains a reward model on people's rankings.
#
# **References.** PPO: Schulman et al. 2017, arXiv:1707.06347. GAE: Schulman et al. 2016, arXiv:1506.02438. KL penalty and its
# controller: Ziegler et al. 2019, arXiv:1909.08593. InstructGPT: Ouyang et al. 2022, arXiv:2203.02155. Details that matter:
# Huang et al. 2024, arXiv:2403.17031; Zheng et al. 2023, arXiv:2307.04964.
# %% [markdown] lang="zh" of="b0f2"
# ## 小结
#
# | 部件 | 它防的是 |
# |---|---|
# | 到第一个 EOS 为止的掩码 | 从填充里学；永远学不会停 |
# | 每个词元的 KL 惩罚 | 不再说人话 |
# | 价值头、它的损失和 GAE | 不分好坏，每个词元都夸 |
# | 在整个批次上白化 | 步子大小随奖励的单位变 |
# | 概率比和截断 | 一个批次就让策略走得太远 |
# | 留出的提示、KL、多样性 | 轻信得分 |
#
# **接着弄坏它。**（1）`experiment("dear", "PPO", kl=kit.KL(coefficient=0.4))`：好处还剩多少？（2）步子*正常*时关掉截断，要紧吗？
# （3）`kl=kit.KL(coefficient=0.04, target=3.0, horizon=500)`：KL 会停在 3 吗？
#
# **下一课：**[第 02 课](02_rank_loss_reward_model.ipynb)用你自己从人的排序里训练出来的奖励模型，换掉这里的评判。
#
# **参考文献。** PPO：Schulman 等 2017，arXiv:1707.06347。GAE：Schulman 等 2016，arXiv:1506.02438。KL 惩罚及其调节：
# Ziegler 等 2019，arXiv:1909.08593。InstructGPT：Ouyang 等 2022，arXiv:2203.02155。要紧的细节：Huang 等 2024，arXiv:2403.17031；
# Zheng 等 2023，arXiv:2307.04964。
# %% [markdown] lang="en"
# **Play with it.** Before and after, side by side, on openings of yours; the colours show where the reward comes from and where the
# KL goes:
# %% [markdown] lang="zh" of="81d6"
# **玩一玩。** 训练前后并排对比，开头由你来写；颜色显示奖励从哪里来、KL 花在哪里：
# %%
kit.panel("compare", LANG, models={"before": reference, "PPO": policy})
