# %% [markdown] lang="en"
# # The map: from a language model to one that does what people like
#
# In half an hour you take a small language model through the three steps of RLHF and measure, after each step, how good it
# *really* is. At the end you have drawn this picture: three bars, each higher than the one before, and you know what each
# step cost.
#
# Level 0 · about 30 minutes · CPU only · no account · works offline after install · you should know what a Python
# function and a mean are.
# %% [markdown] lang="zh" of="f429"
# # 全景图：从语言模型到讨人喜欢的模型
#
# 用半个小时，带着一个小小的语言模型走完 RLHF 的三步，每走一步都量一量它*真正*变好了多少。最后你会画出这样一张图：三根柱子，一根比一根高；
# 并且知道每一步付出了什么代价。
#
# 第 0 级 · 约 30 分钟 · 只用 CPU · 不需要账号 · 装好后可离线运行 · 只需要知道什么是 Python 函数、什么是平均数。
# %% [markdown] lang="en"
# **You will be able to**
#
# - say what each of the three steps learns from, and who makes that data;
# - read the two numbers that every RLHF run is judged by, score and KL;
# - tell a model that got better from a model that learned to please.
# %% [markdown] lang="zh" of="1fd0"
# **学完之后你能够**
#
# - 说出三步各从什么数据中学习，这些数据由谁来做；
# - 看懂评价每一次 RLHF 训练的两个数：得分和 KL；
# - 分清模型是真的变好了，还是只学会了讨好。
# %% [markdown] lang="en"
# ## Guess first
#
# The model will write product reviews. We want *good* ones: praise, about the right product, without contradiction or
# repetition. It starts as a plain language model, which writes whatever its training texts would say. Then come
#
# 1. **SFT**: it imitates a few hundred good reviews,
# 2. a **reward model**, which learns what good means,
# 3. **PPO**: it tries for itself and is told how well it did.
#
# Suppose quality runs from 0 to 1 and the plain model has 0.2. What will it be after SFT? After PPO? Write two numbers down.
# %% [markdown] lang="zh" of="ac3f"
# ## 先猜一猜
#
# 这个模型要写商品评论。我们想要*好的*评论：说的是好话，说的是那件商品，不自相矛盾，也不翻来覆去。一开始它只是普通的语言模型，
# 训练文本里怎么说，它就怎么写。接下来：
#
# 1. **监督微调 (SFT)**：模仿几百条好评论；
# 2. **奖励模型 (reward model)**：学会什么叫好；
# 3. **PPO**：自己去试，再由奖励模型告诉它写得怎么样。
#
# 假设质量从 0 到 1，普通模型是 0.2。SFT 之后会是多少？PPO 之后呢？先写下两个数。
# %% [markdown] lang="en"
# ## A world in which the truth is known
#
# Nobody can look up the true quality of a real text. So this lesson uses made-up reviews: a grammar wrote them, and a
# program can read them back. Its verdict is called **gold**. The model never sees it; only you do.
# %% [markdown] lang="zh" of="4453"
# ## 一个知道真相的世界
#
# 真实文本的质量到底如何，没有地方可查。所以这一课用的是造出来的评论：由一套语法写成，程序能把它读回去。程序的判断叫做
# **真值 (gold)**。模型从来看不到它，只有你看得到。
# %%
reviews = kit.Reviews(LANG)
for text in reviews.corpus(3):
    print(text, "\n")

prompt, response = reviews.rankings(1)[0].prompt, reviews.rankings(1)[0].responses[0]
print(reviews.explain(prompt, response))
# %% [markdown] lang="en"
# Read the last block from the top: gold is a product of five factors, and below stands what the program understood of each
# clause. A response that is nothing but praise repeated, or praise of another product, loses on one of them.
#
# ## The starting point
#
# A language model continues text. This one has read 6,000 reviews, good and bad ones alike. (If it is not on your machine
# yet, it is trained now, which takes up to a minute.)
# %% [markdown] lang="zh" of="4fa6"
# 最后那一段从上往下读：真值是五个因子的乘积，下面是程序对每个分句的理解。满篇重复的好话，或者夸了别的商品，都会在其中某一项上丢分。
#
# ## 出发点
#
# 语言模型做的事是把文字接着写下去。这一个读过 6000 条评论，好评差评都有。（如果你的机器上还没有它，现在会训练一次，最多一分钟。）
# %%
plain = kit.load_policy(f"tiny-lm-{LANG}")
openings = reviews.prompts("heldout", 128)              # about products that no training text mentions
gold = kit.rewards.gold(reviews)
for opening, answer in zip(openings[:3], kit.generate(plain, openings[:3], seed=3)):
    print(opening + answer, "\n")
# %%
quality = {}


def examine(name, policy, start):
    """Answer all openings, remember the mean gold, and say how far the policy is from where it started."""
    seen = kit.evaluate.evaluate(policy, start, openings, {"gold": gold}, seed=1)
    quality[name] = seen.scores["gold"]
    print(f"{name}: gold {seen.scores['gold']}, KL {abs(seen.kl):.1f} nats")
    return seen


before = examine("plain", plain, plain.reference())
# %% [markdown] lang="en"
# The interval behind the mean says how far off a sample of 128 responses may be. **KL** counts in nats how much more
# likely the policy finds its own responses than the model it came from does: 0, so far, for nothing has changed.
#
# ## Who labels what
#
# | step | what people do | the data | learned by |
# |---|---|---|---|
# | SFT | write a good answer | prompt, answer | imitation |
# | reward model | put several answers in order | prompt, ranking | the ranking loss |
# | PPO | nothing more | prompts only | trial and reward |
#
# What "good" means is decided here, by the people who write and rank, and by the guide they are given. Anthropic sums it
# up as three H: **helpful** (does what was asked), **honest** (does not mislead), **harmless** (hurts nobody). They can
# pull apart: the most harmless answer, "I cannot say", helps nobody. InstructGPT's people put helpfulness first while they
# labelled, and truth and harmlessness first in the final evaluation.
# %% [markdown] lang="zh" of="f88e"
# 平均数后面的区间，说的是只看 128 条回答时可能差多少。**KL** 以奈特为单位，量的是：对自己写出的回答，策略给出的概率比出发时的模型高出多少。
# 现在是 0，因为什么都还没变。
#
# ## 谁来标注什么
#
# | 步骤 | 人做什么 | 数据 | 怎么学 |
# |---|---|---|---|
# | SFT | 写一个好回答 | 提示、回答 | 模仿 |
# | 奖励模型 | 把几个回答排个先后 | 提示、排序 | 排序损失 |
# | PPO | 不用再做什么 | 只有提示 | 尝试与奖励 |
#
# “好”是什么意思，就在这里定下：由写的人、排的人，以及发给他们的标注指南决定。Anthropic 把它概括成三个 H：**有用 (helpful)**，做了要它做的事；
# **诚实 (honest)**，不误导人；**无害 (harmless)**，不伤害谁。三者会打架：最无害的回答“我不便说”，对谁都没用。
# InstructGPT 的标注者在标注时把有用放在第一位，最后评估时则把真实和无害放在前面。
# %% [markdown] lang="en"
# ## Step 1: imitate
#
# Demonstrations first. Four reviews are written for an opening, the best of them is kept: that is our good example. The
# model then learns to write these responses, which means making their tokens likely:
#
# $$L = -\frac{1}{N}\sum_{\text{response tokens}} \log \pi(y_t \mid x, y_{<t})$$
#
# N counts the response tokens of the whole batch. The prompt is given, not learned, so its tokens do not count.
# %% [markdown] lang="zh" of="463d"
# ## 第一步：模仿
#
# 先要有示范。为同一个开头写四条评论，留下最好的一条，这就是示范。然后让模型学着写出这些回答，也就是让其中的词元变得更可能：
#
# $$L = -\frac{1}{N}\sum_{\text{回答的词元}} \log \pi(y_t \mid x, y_{<t})$$
#
# N 是整个批次里回答词元的个数。提示是给定的，不需要学，所以它的词元不算。
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.1 - The imitation loss
#
# `Difficulty ●○○○ · Importance ●●●○ · 5 min · 1 point`
#
# In: `logprob`, the log-probability of each token, `[B, T]`; `response`, True on the tokens that count, `[B, T]`. Out: one
# number. For `logprob = [[-0.5, -1.5], [-1, -3]]`, all four tokens counting, the loss is 6 / 4 = 1.5.
# %% [markdown] lang="zh" of="ec65"
# ### ✏️ 练习 0.1 - 模仿损失
#
# `难度 ●○○○ · 重要 ●●●○ · 5 分钟 · 1 分`
#
# 输入：`logprob`，每个词元的对数概率，`[B, T]`；`response`，要算的词元处为 True，`[B, T]`。输出：一个数。
# 例如 `logprob = [[-0.5, -1.5], [-1, -3]]`，四个词元都算，损失就是 6 / 4 = 1.5。
# %% exercise="0.1"
# EXERCISE 0.1
def imitation_loss(logprob, response):
    """Mean negative log-probability of the response tokens, each token weighing the same."""
    # solution:
    return -logprob[response].mean()
    # end
# %% [markdown] lang="en" hints="0.1"
# <details><summary>Hint 1: the idea</summary>
#
# Which tokens take part? How many are they? A mean of the rows' means is something else when rows differ in length.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# A tensor can be indexed by a mask of its own shape: `logprob[response]` holds just the marked numbers.
#
# </details>
# %% [markdown] lang="zh" of="04f4" hints="0.1"
# <details><summary>提示 1：思路</summary>
#
# 哪些词元要算？一共有几个？各行长短不一时，“各行平均数的平均数”就不是要的那个数了。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# 张量可以用同样形状的掩码来取值：`logprob[response]` 里恰好只有被标出的数。
#
# </details>
# %% check="0.1"
imitation_loss = kit.check("0.1", imitation_loss)
# %% [markdown] lang="en"
# Your function at work. People wrote four reviews for each opening and put them in order. How surprised is the plain model
# by the best of them, and how surprised by the worst? Guess before you run the cell.
# %% [markdown] lang="zh" of="a2e0"
# 让你的函数动起来。每个开头有四条评论，已经排好先后。面对其中最好的，普通模型有多意外？面对最差的呢？先猜，再运行。
# %%
rankings = reviews.rankings(600, k=4, seed=5)
demonstrations = [(ranking.prompt, ranking.responses[0]) for ranking in rankings]
surprise = {}
for name, place in (("worst of four", -1), ("best of four", 0)):
    pairs = [(ranking.prompt, ranking.responses[place]) for ranking in rankings[:200]]
    read = kit.sampling.given_rollout(plain, *zip(*pairs))
    surprise[name] = imitation_loss(read.logprob, read.mask).item()
kit.plots.bars(surprise, unit="nats per token", title="How surprised the plain model is")
# %% [markdown] lang="en"
# Nearly the same: a language model knows what is *likely*, and has no opinion about what is good.
# %% [markdown] lang="zh" of="e47a"
# 几乎一样：语言模型知道什么*常见*，至于什么好，它没有意见。
# %% [markdown] lang="en"
# Now imitate: 120 updates, 16 demonstrations each (about 5 s on a laptop).
# %% [markdown] lang="zh" of="ffa3"
# 现在开始模仿：更新 120 次，每次 16 条示范（笔记本电脑上约 5 秒）。
# %%
import copy

imitator = kit.Policy(copy.deepcopy(plain.lm), plain.tokenizer)
history = kit.sft.train(imitator, demonstrations, kit.sft.Config(steps=120, batch_size=16, learning_rate=1e-3))
print(f"loss {history[0].metrics['loss']:.2f} -> {history[-1].metrics['loss']:.2f} nats per token")
after_sft = examine("SFT", imitator, plain.reference())
# %% [markdown] lang="en"
# Much better. Imitation has a limit, though: the model copies what good reviews look like, token by token, and nobody
# tells it which of its own reviews were any good.
#
# ## Step 2: learn what good means
#
# To write a good answer is work; to say which of four answers is better is less. So people rank. A ranking of K answers
# holds many comparisons at once:
# %% [markdown] lang="zh" of="37d0"
# 好了不少。但模仿有它的上限：模型一个词元一个词元地照搬好评论的样子，却没有人告诉它，它自己写的哪些好、哪些不好。
#
# ## 第二步：学会什么叫好
#
# 自己写一个好回答很费力，说出四个回答里哪个更好就省力得多。所以让人来排序。K 个回答的一次排序，里面藏着许多次比较：
# %%
ranking = reviews.rankings(1, k=4, noise=0.2, seed=11)[0]
print(ranking.prompt)
for rank, response in zip(ranking.ranks, ranking.responses):
    print(f"  {rank}. {response.strip()}")
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.2 - Comparisons in a ranking
#
# `Difficulty ●○○○ · Importance ●●○○ · 5 min · 1 point`
#
# In: `ranks`, a list with the rank of each answer, 1 for the best; equal ranks are a tie. Out: how many pairs of answers
# have a winner. For `[1, 2, 3]` it is 3.
# %% [markdown] lang="zh" of="e3c3"
# ### ✏️ 练习 0.2 - 一次排序里有几次比较
#
# `难度 ●○○○ · 重要 ●●○○ · 5 分钟 · 1 分`
#
# 输入：`ranks`，每个回答的名次，1 最好；名次相同就是平局。输出：有多少对回答分出了胜负。`[1, 2, 3]` 的答案是 3。
# %% exercise="0.2"
# EXERCISE 0.2
def count_comparisons(ranks):
    """How many pairs of a ranking have a winner."""
    # solution:
    return sum(a != b for i, a in enumerate(ranks) for b in ranks[i + 1:])
    # end
# %% [markdown] lang="en" hints="0.2"
# <details><summary>Hint 1: the idea</summary>
#
# Take every pair once. It has a winner unless both ranks are the same.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# `itertools.combinations(ranks, 2)` gives every pair once.
#
# </details>
# %% [markdown] lang="zh" of="020c" hints="0.2"
# <details><summary>提示 1：思路</summary>
#
# 每一对只看一次。只要两个名次不同，就有胜负。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# `itertools.combinations(ranks, 2)` 恰好给出每一对一次。
#
# </details>
# %% check="0.2"
count_comparisons = kit.check("0.2", count_comparisons)
# %%
ks = list(range(2, 10))
kit.plots.lines(ks, {"comparisons": [count_comparisons(list(range(k))) for k in ks], "answers to read": ks},
                across="answers in a ranking, K", unit="count", title="Why InstructGPT ranked 4 to 9 answers")
# %% [markdown] lang="en"
# A **reward model** learns from such comparisons to give every answer one number. How, lesson 02 shows; here is one that has
# learned from 3,000 rankings, made by people who sometimes err. (It, too, is trained on first use.) Its score is the
# probability that an answer is preferred to an average demonstration. Does it agree with the truth?
# %% [markdown] lang="zh" of="5f47"
# 奖励模型就从这样的比较里学习，给每个回答打一个分。怎么学，第 02 课会讲；这里先用一个学好了的：它学过 3000 次排序，排序的人有时会出错。
#（它同样是第一次用到时才训练。）它的得分，是一个回答比平均的示范更受欢迎的概率。它和真值一致吗？
# %%
reward_model = kit.rewards.learned(kit.load_reward_model(f"tiny-rm-{LANG}"), output="probability")
score = reward_model(openings, after_sft.responses)
high = [g for g, s in zip(after_sft.each["gold"], score) if s > 0.5]
low = [g for g, s in zip(after_sft.each["gold"], score) if s <= 0.5]
kit.plots.bars({"score below 1/2": kit.evaluate.mean(low), "score above 1/2": kit.evaluate.mean(high)},
               unit="gold (the truth)", title="What the reward model likes is better, on average")
# %% [markdown] lang="en"
# On average, yes. Not always: keep that in mind for step 3, in which a policy looks for whatever the reward model
# likes.
#
# ## Step 3: try, be judged, change
#
# The policy writes, the reward model scores, and what scored well becomes more likely. Left alone, the policy would soon
# write whatever fools the reward model. So drifting from the SFT model has a price β, and what is maximised is
#
# $$J = \text{mean over responses of}\ \big[\,\text{score} - \beta\,(\log \pi(y) - \log \pi_{\text{ref}}(y))\,\big]$$
# %% [markdown] lang="zh" of="a095"
# 平均来说，一致。但不总是：到第三步时要记着这一点，因为策略会去找奖励模型喜欢的一切东西。
#
# ## 第三步：尝试、打分、改变
#
# 策略来写，奖励模型打分，得分高的就变得更可能。放任不管的话，策略很快就会写出专门糊弄奖励模型的东西。所以偏离 SFT 模型要付出代价 β，
# 真正要最大化的是：
#
# $$J = \text{对回答取平均}\ \big[\,\text{得分} - \beta\,(\log \pi(y) - \log \pi_{\text{ref}}(y))\,\big]$$
# %% [markdown] lang="en"
# ### ✏️ Exercise 0.3 - What PPO maximises
#
# `Difficulty ●●○○ · Importance ●●●● · 5-10 min · 1 point`
#
# In: `score`, `logprob` and `ref_logprob`, one number a response, `[B]` (log-probabilities of the whole response); `beta`.
# Out: J, one number. For a score of 2, log-probabilities -3.5 and -3.7 and β = 0.1 it is 2 - 0.1 · 0.2 = 1.98.
# %% [markdown] lang="zh" of="510f"
# ### ✏️ 练习 0.3 - PPO 要最大化什么
#
# `难度 ●●○○ · 重要 ●●●● · 5-10 分钟 · 1 分`
#
# 输入：`score`、`logprob` 和 `ref_logprob`，每条回答各一个数，`[B]`（整条回答的对数概率）；`beta`。输出：J，一个数。
# 例如得分 2，对数概率 -3.5 和 -3.7，β = 0.1，结果是 2 - 0.1 · 0.2 = 1.98。
# %% exercise="0.3"
# EXERCISE 0.3
def objective(score, logprob, ref_logprob, beta):
    """Mean of score - beta * (log pi - log pi_ref) over B responses."""
    # solution:
    return (score - beta * (logprob - ref_logprob)).mean()
    # end
# %% [markdown] lang="en" hints="0.3"
# <details><summary>Hint 1: the idea</summary>
#
# The difference of log-probabilities is what this response says about the KL. For one response it may well be negative.
#
# </details>
#
# <details><summary>Hint 2: which function</summary>
#
# Plain tensor arithmetic, then `.mean()`. No `abs`, no `clamp`.
#
# </details>
# %% [markdown] lang="zh" of="c797" hints="0.3"
# <details><summary>提示 1：思路</summary>
#
# 对数概率之差，就是这条回答对 KL 的看法。单独一条回答，它完全可能是负数。
#
# </details>
#
# <details><summary>提示 2：用哪个函数</summary>
#
# 张量的加减乘，然后 `.mean()`。不要 `abs`，也不要 `clamp`。
#
# </details>
# %% check="0.3"
objective = kit.check("0.3", objective)
# %% [markdown] lang="en"
# PPO climbs this objective. 20 steps, 64 responses each (about 15 s on a laptop). Watch two curves: the score, which it
# maximises, and gold, which it never sees.
# %% [markdown] lang="zh" of="6658"
# PPO 就沿着这个目标往上爬。走 20 步，每步 64 条回答（笔记本电脑上约 15 秒）。看两条线：得分，是它追求的；真值，是它看不到的。
# %%
from dataclasses import replace

policy, start = kit.Policy(copy.deepcopy(imitator.lm), imitator.tokenizer), imitator.reference()
config = replace(kit.zoo.TINY_PPO, steps=20)
history = kit.ppo.train(policy, start, reviews.prompts("train"), reward_model, config, evaluation_rewards={"gold": gold})
kit.plots.lines(range(1, 21), {"reward model": [step.metrics["score"] for step in history],
                               "gold": [step.metrics["gold"] for step in history]},
                across="PPO step", unit="mean of 64 responses")
# %%
after_ppo = examine("PPO", policy, start)
kit.plots.bars(quality, unit="gold (the truth)", title="After each step")
# %% [markdown] lang="en"
# That is the map. Compare with the numbers you wrote down.
#
# And the price? Put your `objective` to work on what the policy writes now, for several β. At β = 0 it is the mean score.
# The steeper the line, the further the policy has drifted: the slope is the KL.
# %% [markdown] lang="zh" of="dfd0"
# 这就是全景图。和你写下的两个数比一比。
#
# 代价呢？用你的 `objective`，看策略现在写的东西在不同 β 下值多少。β = 0 时就是平均得分。线越陡，说明策略离出发点越远：斜率就是 KL。
# %%
now = kit.sample_rollout(policy, openings, seed=4)
logprob, ref_logprob = now.logprob.sum(-1), kit.sampling.response_logprob(start, now).sum(-1)          # (B,)
betas, scores = [0.0, 0.02, 0.04, 0.08, 0.16], reward_model(now.prompts, now.responses)
kit.plots.lines(betas, {"objective": [objective(scores, logprob, ref_logprob, b).item() for b in betas]},
                across="beta, the price of a nat", unit="objective", title="What the same policy is worth")
# %% [markdown] lang="en"
# ## Read, do not only count
#
# The same openings, before and after all three steps. Which sentence would you not believe?
# %% [markdown] lang="zh" of="a6a8"
# ## 不能只数数，要读
#
# 同样的开头，三步之前和三步之后。哪一句你不会信？
# %%
for i in range(3):
    print(openings[i])
    for name, seen in (("plain", before), ("SFT", after_sft), ("PPO", after_ppo)):
        print(f"  {name:5} gold {seen.each['gold'][i]:.2f} {seen.responses[i].strip()}")
# %% [markdown] lang="en"
# ## Break it
#
# Take the price away and let PPO run on for a while: `replace(kit.zoo.TINY_PPO, steps=40, kl=kit.KL(coefficient=0.0))`
# (about half a minute). Before you run it, guess what the two curves do. Then read the last responses:
# `history[-1].samples`.
#
# ## What you saw
#
# | step | learns from | gold | its limit |
# |---|---|---|---|
# | plain | all texts | about 0.2 | writes what texts say, good or bad |
# | SFT | demonstrations | about 0.4 | copies, and is never told how well |
# | PPO | its own tries and a reward model | about 0.6 | is only as good as the reward model |
#
# The order is that of InstructGPT (arXiv:2203.02155); the three H are Anthropic's (arXiv:2112.00861, arXiv:2204.05862).
# Next, lesson 01 opens step 3: what a policy earns token by token, who deserves the credit, and why PPO clips.
# %% [markdown] lang="zh" of="9aff"
# ## 把它弄坏
#
# 去掉代价，让 PPO 多跑一会儿：`replace(kit.zoo.TINY_PPO, steps=40, kl=kit.KL(coefficient=0.0))`（约半分钟）。运行之前先猜：两条线会怎么走？
# 然后读读最后的回答：`history[-1].samples`。
#
# ## 你看到了什么
#
# | 步骤 | 从什么学 | 真值 | 它的局限 |
# |---|---|---|---|
# | 普通模型 | 所有文本 | 约 0.3 | 文本怎么说就怎么写，好坏都有 |
# | SFT | 示范 | 约 0.5 | 照搬，没人告诉它写得怎样 |
# | PPO | 自己的尝试和奖励模型 | 约 0.6 | 奖励模型有多可靠，它才有多可靠 |
#
# 这个顺序来自 InstructGPT (arXiv:2203.02155)，三个 H 来自 Anthropic (arXiv:2112.00861、arXiv:2204.05862)。
# 下一课，第 01 课，打开第三步：策略的每个词元挣到多少，功劳归谁，PPO 为什么要截断。
# %% [markdown] lang="en"
# **Play with it.** The three models of this lesson side by side, on openings of yours, with every token's share of the reward and of the
# drift:
# %% [markdown] lang="zh" of="7a2b"
# **玩一玩。** 本课的三个模型并排放在一起，开头由你来写，还能看到每个词元占了多少奖励、多少漂移：
# %%
kit.panel("compare", LANG, models={"plain": plain, "SFT": imitator, "PPO": policy})
