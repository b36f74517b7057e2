"""Wrong answers to lesson 00 as people write them: {exercise: [(name, function, what the message must say), ...]}.

Each has the right shape and agrees with the worked example of the text, so only the checks can tell.
"""

from itertools import combinations


def mean_of_everything(logprob, response):
    return -1 * logprob.mean()


def counts_padding(logprob, response):
    total = 0.0
    for row, marks in zip(logprob, response, strict=True):
        for x, marked in zip(row, marks, strict=True):
            total = total - (x if marked else 0.0)
    return total / (logprob.shape[0] * logprob.shape[1])


def mean_of_means(logprob, response):
    rows = []
    for row, marks in zip(logprob, response, strict=True):
        rows.append(-row[marks].mean())
    return sum(rows) / len(rows)


def times_the_mask(logprob, response):
    marks = response.float()
    return -(logprob * marks).sum() / marks.sum()


def every_pair(ranks):
    return len(list(combinations(ranks, 2)))


def one_answer_a_rank(ranks):
    return len(list(combinations(set(ranks), 2)))


def in_order(ranks):
    count = 0
    for i in range(len(ranks)):
        for j in range(i + 1, len(ranks)):
            if ranks[i] < ranks[j]:
                count += 1
    return count


def how_many(ranks):
    return len(ranks)


def kl_is_a_distance(score, logprob, ref_logprob, beta):
    return (score - beta * abs(logprob - ref_logprob)).mean()


def kl_is_never_negative(score, logprob, ref_logprob, beta):
    return (score - beta * (logprob - ref_logprob).relu()).mean()


def total(score, logprob, ref_logprob, beta):
    return score.sum() - beta * (logprob - ref_logprob).sum()


MUTANTS = {
    "0.1": [("mean_of_everything", mean_of_everything, "every position"),
            ("counts_padding", counts_padding, "the count is not"),
            ("mean_of_means", mean_of_means, "mean of means"),
            ("times_the_mask", times_the_mask, "0 · (-inf) is NaN")],
    "0.2": [("every_pair", every_pair, "are a tie"),
            ("one_answer_a_rank", one_answer_a_rank, "pairs of different ranks"),
            ("in_order", in_order, "best first"), ("how_many", how_many, "the number of answers")],
    "0.3": [("kl_is_a_distance", kl_is_a_distance, "not a distance"),
            ("kl_is_never_negative", kl_is_never_negative, "were cut off"), ("total", total, "sum over responses")],
}
