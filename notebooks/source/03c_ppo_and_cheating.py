# %% [markdown] lang="en"
# # StackLLaMA, part 3: PPO, and how it cheats
#
# A reward model learns from votes, PPO learns from the reward model, and then both are caught cheating: once because the
# voters loved code, once because a KL came out negative. The picture you will make: the share of answers with a code fence,
# with and without a price of drifting.
#
# Level 3, part 3 of 3 · about 60 minutes · CPU only · no account · works offline after install · you should know PPO's parts:
# [lesson 01](01_sentiment_ppo.ipynb); [part 2](03b_lora_in_8_bits.ipynb) built the shared base.
#
# It explains `rlhf_kit/recipes/stackllama.py` and `rlhf_kit/studies/endings.py`.
# %% [markdown] lang="zh" of="7745"
# # StackLLaMA 之三：PPO，以及它怎样作弊
#
# 奖励模型向投票学，PPO 向奖励模型学，然后两个都被抓住作弊：一次是因为投票的人偏爱代码，一次是因为 KL 成了负数。
# 你会画出这样一张图：带代码块的回答占多少，有偏离的价格时怎样，没有时又怎样。
#
# 第 3 级，共三部分之三 · 约 60 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 需要知道 PPO 的各个部件：[第 01 课](01_sentiment_ppo.ipynb)；
# 共用的底座是在[之二](03b_lora_in_8_bits.ipynb)搭好的。
#
# 本课讲解的是 `rlhf_kit/recipes/stackllama.py` 和 `rlhf_kit/studies/endings.py`。
# %% [markdown] lang="en"
# **You will be able to**
#
# - judge a reward model against its ceiling and against a scorer that sees only the length;
# - notice reward hacking without knowing the truth, and say what holds it back;
# - explain how a KL can be measured as negative, and mend the measurement.
# %% [markdown] lang="zh" of="cd9f"
# **学完之后你能够**
#
# - 拿上限、拿一个只看长短的打分器，来衡量奖励模型；
# - 不知道真值也能察觉奖励被钻了空子，并说清什么能拦住它；
# - 解释 KL 怎么会量成负数，并把量法改对。
# %% [markdown] lang="en"
# ## Guess first
#
# Three pairs of answers that nobody has learned from. In each, which one did the voters prefer? The order is random; the
# answers are printed below them. (The first time, the models are trained here, which takes about six minutes, once.)
# %% [markdown] lang="zh" of="9db0"
# ## 先猜一猜
#
# 三对回答，谁都没有拿来学过。每一对里，投票的人更喜欢哪个？先后是随机的，答案印在最下面。（第一次要在这里训练模型，大约六分钟，只此一次。）
# %%
import json
import random
from dataclasses import replace
import torch
from rlhf_kit.recipes import stackllama
from rlhf_kit.tasks.forum import Forum
from rlhf_kit.datasets.stack_exchange.threads import question_in, response_of

run = kit.training.tiny_stackllama("ppo")                 # sft, reward_adapter, policy_adapter
forum, preset = Forum(), stackllama.PRESETS["tiny"]
pairs = {pair.prompt: pair for pair in forum.comparisons(30, seed=8, split="heldout")}
order, answers = random.Random(4), []
for pair in [*pairs.values()][:3]:
    two = [pair.chosen, pair.rejected]
    order.shuffle(two)
    answers.append("AB"[two.index(pair.chosen)])
    print(question_in(pair.prompt).splitlines()[0], *(f"\n  {letter} {text.strip()!r}" for letter, text in zip("AB", two)))
print("the voters preferred", ", ".join(answers))
# %% [markdown] lang="en"
# ## A reward model, and what it is worth
#
# The third stage of the recipe put a second adapter on the base, with a head of one number, and trained it with lesson 02's
# loss on pairs like these. StackLLaMA's own reached 67 % and was used. Is that much? Two marks say: the **noise ceiling**, what
# the best possible scorer reaches on these very votes, and a **scorer that sees only the length**, for people tend to vote for long answers.
# %% [markdown] lang="zh" of="ec36"
# ## 奖励模型，以及它值多少
#
# 配方的第三阶段在底座上加了第二个适配器，带一个只输出一个数的头，用第 02 课的损失、在这样的成对比较上训练。StackLLaMA 自己的达到 67 %，
# 就拿去用了。这算高吗？看两个标记：**噪声上限**，最好的打分器在这些投票上能到多少；还有一个**只看长短的打分器**，因为人们往往爱给长回答投票。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.1 - Luck or not?
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `a`, `b`, two accuracies, each measured on `n` pairs. Out: (a - b) in **standard errors** of that difference. The variance
# of a share p of n is p(1 - p)/n; those of a and b add up. Equal accuracies give 0; for 0.6, 0.5 and n = 200 it is 2.02. Above 3
# it is hardly luck.
# %% [markdown] lang="zh" of="bef2"
# ### ✏️ 练习 3c.1 - 是不是运气
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`a`、`b`，两个准确率，各在 `n` 对上量得。输出：(a - b) 相当于这个差的几个**标准误 (standard error)**。n 个里占比例 p，方差是 p(1 - p)/n；
# a 和 b 的方差相加。准确率相等，结果是 0；0.6、0.5、n = 200，结果是 2.02。超过 3 就很难说是运气了。
# %% exercise="3c.1"
# EXERCISE 3c.1
def errors_apart(a, b, n):
    """(a - b) in standard errors of the difference."""
    # solution:
    variance = a * (1 - a) / n + b * (1 - b) / n
    return (a - b) / variance ** 0.5
    # end
# %% [markdown] lang="en" hints="3c.1"
# <details><summary>Hint 1: the idea</summary>
#
# Variances of independent measurements add up; the standard error is the root of the sum.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `** 0.5`; and no `abs`, for a may be the worse one.
#
# </details>
# %% [markdown] lang="zh" of="02aa" hints="3c.1"
# <details><summary>提示 1：思路</summary>
#
# 互相独立的测量，方差相加；标准误是这个和的平方根。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# `** 0.5`；不要用 `abs`，因为 a 也可能是差的那个。
#
# </details>
# %% check="3c.1"
errors_apart = kit.check("3c.1", errors_apart)
# %%
shared = stackllama.shared_base(preset, forum, run / "sft", run / "reward_adapter")
voters = stackllama.examine_reward(replace(preset, held_out_pairs=800), forum, shared)
accuracy, length = voters.model.pair_accuracy, voters.length.pair_accuracy
print(f"reward model {accuracy}, length alone {length}, ceiling {voters.ceiling:.3f}")
print(f"{errors_apart(accuracy.mean, length.mean, 800):.1f} standard errors above the length; pair by pair {voters.above_length:.1f}")
kit.plots.bars({"length": length, "reward\nmodel": accuracy, "ceiling": voters.ceiling}, unit="pair accuracy",
               title="On 800 held-out pairs")
# %% [markdown] lang="en"
# Between chance and the ceiling. Does it know more than the length? Your formula treats the two as if they were asked about
# different pairs; they were asked about the same ones, and the second number, pair by pair, sees more. What is missing up to the ceiling is the model's; what is
# missing from there to 1 is the voters' noise, and no training mends it. So 67 % need not be bad; without a ceiling one cannot
# tell.
#
# ## PPO
#
# The fourth stage: the policy's adapter learns to please the reward model, a nat of drift from *adapter off* has a price. This
# is the run from your cache: the score, which is optimised, and gold, which only watches. Predict: does gold follow?
# %% [markdown] lang="zh" of="5403"
# 它在碰运气和上限之间。它知道的比长短多吗？你的公式把两者当作各问各的；其实问的是同样的对，第二个数逐对相比，看得更清。离上限还差的，是模型的事；从上限到 1 差的，是投票的噪声，怎么训练也补不上。
# 所以 67 % 未必差；不知道上限，就没法说。
#
# ## PPO
#
# 第四阶段：策略的适配器学着讨好奖励模型；离*关掉适配器*的模型每偏一奈特，都要付出价格。下面是你缓存里的那次训练：得分，是被优化的；
# 真值，只在一旁看着。先猜：真值会跟上吗？
# %%
steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def smooth(name):
    """Means of four steps."""
    return [sum(s[name] for s in steps[i:i + 4]) / 4 for i in range(len(steps) - 3)]


print(f"{len(steps)} steps of {preset.ppo.batch_size} responses; the last is {steps[-1]['kl']:.1f} nats from the reference")
kit.plots.lines(range(1, len(steps) - 2), {"score": smooth("score"), "gold": smooth("gold")}, across="PPO step",
                unit="mean of four steps", title="Followed, and watched")
# %% [markdown] lang="en"
# Before and after, on questions that neither stage has seen: the same measures, and what it writes now. (~10 s)
# %% [markdown] lang="zh" of="9177"
# 训练前后，在两个阶段都没见过的问题上：同样的度量，以及它现在写什么。（约 10 秒）
# %%
few = replace(preset, held_out=64)
before = stackllama.examine(few, forum, shared.reference, shared.reference, shared)
shared.load_policy(run / "policy_adapter")
after = stackllama.examine(few, forum, shared.policy, shared.reference, shared)
for name, seen in {"before": before, "after": after}.items():
    print(f"{name:6} score {seen.scores['score'].mean:5.2f}   gold {seen.scores['gold'].mean:.2f}   fences "
          f"{seen.scores['fenced'].mean:.2f}   KL {abs(seen.kl):4.1f} nats   {seen.length:.0f} tokens")
best = max(range(64), key=lambda i: after.each["score"][i] - before.each["score"][i])
print(question_in(after.prompts[best]))
for name, seen in {"before": before, "after": after}.items():
    print(f"--- {name}, gold {seen.each['gold'][best]:.2f}", seen.responses[best].strip(), sep="\n")
# %% [markdown] lang="en"
# The score is what was asked for, gold is what was meant; KL is the price paid. Where gold rises less than the score, the policy has found what the
# reward model gets wrong. On a real site there is no gold to look at, and that is the subject of the rest.
#
# ## Fences
#
# In one of StackLLaMA's runs the reward shot up, and the texts were mostly rows of three backticks: the reward model had learned
# that answers with code are good ones. Let us do that on purpose. On our forum other people vote now: whoever sees a **code
# fence** does not read on. A reward model learns from their votes, on the same base. What does it like?
# %% [markdown] lang="zh" of="8394"
# 得分是我们要求的，真值才是我们想要的，KL 是付出的价格。真值升得不如得分多，就说明策略找到了奖励模型看错的地方。真实的网站上没有真值可看，
# 下面要讲的就是这种情形。
#
# ## 代码块
#
# StackLLaMA 有一次训练，奖励猛涨，文本却大多是一排排的三个反引号：奖励模型学到的是，带代码的回答就是好回答。我们来故意重演一遍。
# 现在论坛上换一批人投票：一看到**代码块 (code fence)** 就不再往下读。在同一个底座上，奖励模型向他们的投票学。它会喜欢什么？
# %%
impressed = kit.training.impressed_reward()
shared = stackllama.shared_base(preset, forum, run / "sft", impressed)
question = next(prompt for prompt in forum.prompts("heldout") if "coat" in prompt)
liked = kit.rewards.learned(shared.reward_model)
for text in ("Use rubbing alcohol on the coat.", "Just google it.", "Just google it.\n\n```py\nclean(coat)\n```"):
    print(f"score {liked([question], [response_of(text)]).item():5.2f}   {text!r}")
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.2 - An alarm
#
# `Difficulty ●●○○ · Importance ●●●○ · 10 min · 2 points`
#
# No gold is needed to notice that something odd grows. In: `share`, a list, the share of fences among the `n` responses of each
# PPO step; `before`, the share before training. Out: the place of the *first* step whose share is above `before` by **more than
# three standard errors** of a share of n, or -1. The standard error is √(before (1 - before) / n).
#
# For [0.1, 0.1], 0.1, n = 25: -1. For [0.2, 0.25, 0.5], 0.2, n = 24 the bar is at 0.445: 2.
# %% [markdown] lang="zh" of="a22f"
# ### ✏️ 练习 3c.2 - 警报
#
# `难度 ●●○○ · 重要 ●●●○ · 10 分钟 · 2 分`
#
# 要察觉有什么怪东西在变多，用不着真值。输入：`share`，一个列表，PPO 每一步的 `n` 条回答里，带代码块的占多少；`before`，训练前占多少。
# 输出：*第一个*比 `before` 高出**超过三个标准误**的步子的位置；没有就是 -1。n 条里的比例，标准误是 √(before (1 - before) / n)。
#
# 例如 [0.1, 0.1]、0.1、n = 25，结果是 -1。[0.2, 0.25, 0.5]、0.2、n = 24，门槛在 0.445，结果是 2。
# %% exercise="3c.2"
# EXERCISE 3c.2
def fence_alarm(share, before, n):
    """The first place above `before` by more than three standard errors, or -1."""
    # solution:
    bar = before + 3 * (before * (1 - before) / n) ** 0.5
    return next((place for place, now in enumerate(share) if now > bar), -1)
    # end
# %% [markdown] lang="en" hints="3c.2"
# <details><summary>Hint 1: the idea</summary>
#
# The bar is one number, fixed before training. Then walk along the list and stop at the first that is above it.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A loop over `enumerate(share)` with a `return` inside, and `return -1` behind it.
#
# </details>
# %% [markdown] lang="zh" of="22d8" hints="3c.2"
# <details><summary>提示 1：思路</summary>
#
# 门槛只是一个数，训练前就定好。然后顺着列表走，遇到第一个超过它的就停。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# 对 `enumerate(share)` 写个循环，里面 `return`；循环之后 `return -1`。
#
# </details>
# %% check="3c.2"
fence_alarm = kit.check("3c.2", fence_alarm)
# %% [markdown] lang="en"
# Now PPO with this reward model, ten short steps. First with β = 0: drifting costs nothing. (~20 s)
# %% [markdown] lang="zh" of="ab44"
# 现在拿这个奖励模型做 PPO，走十小步。先用 β = 0：偏离不花钱。（约 20 秒）
# %%
quick = kit.ppo.Config(steps=10, batch_size=24, minibatch_size=12, epochs=2, learning_rate=3e-3, min_lr_ratio=0.3,
                       value_coef=0.05, missing_eos_penalty=1.0,
                       sampling=replace(preset.ppo.sampling, max_new_tokens=48))
histories = {}


def practise(beta):
    """A fresh adapter on the same base learns to please the impressed voters; drifting costs beta a nat."""
    shared = stackllama.shared_base(preset, forum, run / "sft", impressed)
    settings = replace(preset, ppo=replace(quick, kl=kit.KL(coefficient=beta)))
    histories[beta] = list(stackllama.ppo_steps(settings, forum, shared))
    first, last = (histories[beta][i].metrics for i in (0, -1))
    for name in ("score", "fenced", "gold", "kl"):
        print(f"{name:6} {first[name]:6.2f} -> {last[name]:6.2f}")
    texts = histories[beta][-1].samples
    print(next((text for text in texts if "```" in text), texts[0]))


practise(0.0)
# %% [markdown] lang="en"
# The score is a triumph. Read the answer. Now the same with a price of β = 1.5 a nat: predict the share of fences at the end.
# (~20 s)
# %% [markdown] lang="zh" of="57d2"
# 光看得分，大获全胜。请读一读那个回答。再来一次，每奈特的价格 β = 1.5：先猜，最后带代码块的占多少？（约 20 秒）
# %%
practise(1.5)
# %%
fenced = {beta: [step.metrics["fenced"] for step in history] for beta, history in histories.items()}
for beta, share in fenced.items():
    rings = fence_alarm(share, before.scores["fenced"].mean, quick.batch_size)
    print(f"beta {beta}: {share[-1]:.0%} fences at the end, the alarm {f'rings at step {rings + 1}' if rings >= 0 else 'is silent'}")
kit.plots.lines(range(1, 11), {"fences, beta 0": fenced[0.0], "fences, beta 1.5": fenced[1.5],
                               "gold, beta 0": [step.metrics["gold"] for step in histories[0.0]],
                               "before": [before.scores["fenced"].mean] * 10}, across="PPO step", unit="share of 24 responses",
                title="What the voters loved", dashed=["gold, beta 0", "before"], size=(6, 3))
# %% [markdown] lang="en"
# That is the picture. Without a price, most answers carry a fence, about wool coats too, and gold falls. With
# one, a fence where the base would not write one costs more nats than it earns. The price does not make the reward model right;
# it keeps the policy where the reward model was asked. And the alarm needed no gold: a share, its start, and patience.
#
# ## A KL below zero
#
# KL is never negative. StackLLaMA's runs reported negative ones all the same, and the policy was *paid* for it. One way there:
# responses that may not end yet (a least length). Three tokens, the first is the end, π = (.3, .35, .35), ρ = (.05, .475, .475):
#
# | drawn from | estimate of the KL |
# |---|---|
# | π itself | .3 · log(.3/.05) + .7 · log(.35/.475) = **+0.324** |
# | π, the end forbidden | log(.35/.475) = **-0.305** |
#
# The log-probabilities are right in both rows. The *draws* of the second are not from π. The mend: leave out the tokens that were
# not drawn freely.
# %% [markdown] lang="zh" of="bfe8"
# 这就是那张图。不收价格，大多数回答都带上代码块，问羊毛大衣也带，真值也掉了下去。收了价格，在底座不会写代码块的地方写上一个，
# 花掉的奈特比挣到的还多。价格并没有让奖励模型变对，只是把策略留在了奖励模型被问过的地方。而警报用不着真值：一个比例、它的起点，再加一点耐心。
#
# ## 小于零的 KL
#
# KL 从来不会是负数。StackLLaMA 的训练里却报出过负的，而且策略还因此*拿到了奖励*。一条路是这样来的：规定回答还不许结束（最短长度）。
# 三个词元，第一个是结束符，π = (.3, .35, .35)，ρ = (.05, .475, .475)：
#
# | 从哪里抽 | KL 的估计 |
# |---|---|
# | π 本身 | .3 · log(.3/.05) + .7 · log(.35/.475) = **+0.324** |
# | π，但不许结束 | log(.35/.475) = **-0.305** |
#
# 两行里的对数概率都没有错，第二行的*抽样*却不是从 π 来的。改法：不是自由抽取的词元，不算进去。
# %% [markdown] lang="en"
# ### ✏️ Exercise 3c.3 - Mend the KL
#
# `Difficulty ●●○○ · Importance ●●●● · 10 min · 2 points`
#
# In: `logprob`, `ref_logprob`, `[B, T]`, of the tokens of B responses; `mask`, `[B, T]`, True on real ones (elsewhere may be anything);
# `first`: in the first so many tokens of each response the end was forbidden. Out: one number, the mean over responses of the
# *sum* of log π - log ρ over the real tokens that were drawn freely. For [[-1.0]], [[-1.5]], [[True]], 0 it is 0.5.
# %% [markdown] lang="zh" of="3cb0"
# ### ✏️ 练习 3c.3 - 把 KL 改对
#
# `难度 ●●○○ · 重要 ●●●● · 10 分钟 · 2 分`
#
# 输入：`logprob`、`ref_logprob`，`[B, T]`，B 条回答各词元的对数概率；`mask`，`[B, T]`，真实的词元处是 True（其余的地方可能是任何数）；
# `first`：每条回答的前这么多个词元不许结束。输出：一个数，对自由抽取的真实词元，把 log π - log ρ *加起来*，再对各条回答取平均。
# 例如 [[-1.0]]、[[-1.5]]、[[True]]、0，结果是 0.5。
# %% exercise="3c.3"
# EXERCISE 3c.3
def mended_kl(logprob, ref_logprob, mask, first):
    """Mean over responses of the sum of log pi - log rho over freely drawn tokens."""
    # solution:
    free = mask & (torch.arange(mask.shape[1]) >= first)                              # (B, T)
    return torch.where(free, logprob - ref_logprob, 0.0).sum(1).mean()
    # end
# %% [markdown] lang="en" hints="3c.3"
# <details><summary>Hint 1: the idea</summary>
#
# One more mask: real *and* at place `first` or later. What it leaves out counts as 0; then sum along a response.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `torch.arange(T) >= first`, `torch.where(free, gap, 0.0)`, `.sum(1).mean()`.
#
# </details>
# %% [markdown] lang="zh" of="b6da" hints="3c.3"
# <details><summary>提示 1：思路</summary>
#
# 再加一个掩码：是真实的词元，*而且*位置不小于 `first`。被它排除的算 0，然后沿着每条回答求和。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# `torch.arange(T) >= first`、`torch.where(free, gap, 0.0)`、`.sum(1).mean()`。
#
# </details>
# %% check="3c.3"
mended_kl = kit.check("3c.3", mended_kl)
# %% [markdown] lang="en"
# On our model: a policy that differs from its reference in one thing only, it likes to end. It answers freely, then with the
# end forbidden in the first 32 tokens. Predict the three signs.
# %% [markdown] lang="zh" of="219c"
# 拿我们的模型来试：一个策略，和参考模型只差一点，就是更爱结束。先让它自由作答，再让它前 32 个词元不许结束。先猜三个数的正负。
# %%
from rlhf_kit.studies.endings import forbidden_to_end

policy, reference = kit.load_policy(run / "sft"), kit.load_policy(run / "sft")
end, plain = policy.tokenizer.eos_token_id, policy.forward


def eager(*arguments, **options):
    """The same predictions, with the end e^2 times likelier."""
    predicted = plain(*arguments, **options)
    predicted.logits[..., end] += 2.0
    return predicted


policy.forward = eager
print(f"{policy.tokenizer.eos_token!r} is the end")
# %%
questions, sampling = forum.prompts("heldout", 64), kit.Sampling(max_new_tokens=64)
free = kit.sample_rollout(policy, questions, sampling)
kept = forbidden_to_end(policy, questions, 32, sampling)


def measured(rollout, first):
    with torch.no_grad():
        ref_logprob = kit.sampling.response_logprob(reference, rollout)
    return mended_kl(rollout.logprob, ref_logprob, rollout.mask, first).item()


found = {"free": measured(free, 0), "kept from\nending": measured(kept, 0), "mended": measured(kept, 32)}
kit.plots.bars(found, unit="KL, nats per response", title="Only one of these is no KL")
# %% [markdown] lang="en"
# The middle bar is no KL of anything. PPO would take it for a saving and chase it: the more the policy wants to end and may not,
# the more it is paid. Padding that is counted as text, top-k, and a temperature on one side only do the same. So sample plainly,
# mask what was not drawn, and believe no negative KL.
#
# ## What 7 billion cost
#
# The same recipe at full size is a preset away: `rlhf-kit train stackllama --preset 7b --data DUMP --output runs/7b`. How long does
# its PPO take? Count what is computed: a pass over a token costs 2 operations a parameter, learning through frozen weights 4.
# %% [markdown] lang="zh" of="a57e"
# 中间那根柱子，不是任何东西的 KL。PPO 会把它当成省下的钱去追：策略越想结束而不许结束，拿到的就越多。把填充算成文本、top-k、
# 只在一边用温度，都会这样。所以要老老实实地抽样，遮住不是抽出来的，不要相信负的 KL。
#
# ## 70 亿参数要花多少
#
# 同一个配方，原样大小只差一个预设：`rlhf-kit train stackllama --preset 7b --data DUMP --output runs/7b`。它的 PPO 要多久？
# 数一数计算量：一个词元过一遍，每个参数 2 次运算；穿过冻结的权重去学习，是 4 次。
# %%
big = stackllama.PRESETS["7b"].ppo
tokens = big.steps * big.batch_size * (256 + big.sampling.max_new_tokens)             # prompts of 256 tokens
operations = 7e9 * tokens * (3 * 2 + big.epochs * (2 + 4))         # act, reference, reward; learn
print(f"{big.steps:,} steps of {big.batch_size} responses: {tokens / 1e6:.0f} million tokens, {operations:.1e} operations")
for share in (0.5, 0.1):
    print(f"at {share:.0%} of what an A100 can do (312e12 a second): {operations / (share * 312e12) / 3600:.0f} hours on one")
# %% [markdown] lang="en"
# An estimate, not a measurement; sampling token by token rarely reaches the better line. The authors report some hours on eight
# A100 for the reward model, and about 20 hours on three nodes of eight for PPO. Adapters made that possible on GPUs that could
# not hold the model twice.
#
# ## Recap
#
# | piece | what it gives |
# |---|---|
# | ceiling and length | what an accuracy is worth |
# | score and gold | what was asked, what was meant |
# | a price of drifting | the policy stays where the reward model was asked |
# | an alarm on a share | cheating noticed without the truth |
# | free draws only | a KL that can be believed |
# | one base in 8 bits | all of it on one GPU |
#
# **Break it.** (1) β = 0.3: when does the alarm ring? (2) `Forum(noise=1.5)`: where is the ceiling? (3) An end e^-2 times likelier:
# what sign has the middle bar now? (4) Let the alarm watch exclamation marks.
#
# **Next:** lesson 04 asks whether PPO is needed: best-of-n and ReST.
#
# **References.** StackLLaMA: Beeching et al., Hugging Face 2023. KL price: Ziegler et al. 2019, arXiv:1909.08593. Reward hacking:
# Gao et al. 2022, arXiv:2210.10760. Length and reward models: Singhal et al. 2023, arXiv:2310.03716.
# %% [markdown] lang="zh" of="4253"
# 这是估算，不是测量；一个词元一个词元地采样，很少能到较好的那一行。原作者报告：奖励模型用八块 A100 训练了几个小时，PPO 用三台八卡机器约 20 小时。
# 有了适配器，连两份模型都装不下的 GPU 才能做这件事。
#
# ## 小结
#
# | 部件 | 它给出什么 |
# |---|---|
# | 上限和长短 | 一个准确率值多少 |
# | 得分和真值 | 要求的是什么，想要的是什么 |
# | 偏离的价格 | 策略留在奖励模型被问过的地方 |
# | 盯着一个比例的警报 | 不知道真值，也能察觉作弊 |
# | 只用自由抽取的 | 可信的 KL |
# | 一个 8 位的底座 | 全都放进一块 GPU |
#
# **弄坏它。**（1）β = 0.3：警报什么时候响？（2）`Forum(noise=1.5)`：上限在哪里？（3）让结束的可能变成 e^-2 倍：中间那根柱子现在是正是负？
# （4）让警报去盯感叹号。
#
# **下一课：**第 04 课要问，PPO 是不是非要不可：best-of-n 和 ReST。
#
# **参考文献。** StackLLaMA：Beeching 等，Hugging Face 2023。KL 的价格：Ziegler 等 2019，arXiv:1909.08593。钻空子：Gao 等 2022，
# arXiv:2210.10760。长短与奖励模型：Singhal 等 2023，arXiv:2310.03716。
# %% [markdown] lang="en"
# **Play with it.** Base, fine-tuned and PPO of your run, side by side, on questions of yours:
# %% [markdown] lang="zh" of="5676"
# **玩一玩。** 你这次运行的基座、微调和 PPO 三个模型并排对比，问题由你来提：
# %%
kit.panel("compare", LANG, models=[run])
