// One text and what a judge says of it: the number, its place among others, each word's worth, score against length.
const root = element.querySelector('.rk-probe');
const strip = tokenStrip(words.strip);
const numbers = (label, names = '') => explained(make('p', '', { class: names }), label);
const says = numbers(words.score_axis, 'rk-says'), means = numbers(words.numbers_probability), by = make('p', '', { class: 'rk-by' });
const worth = make('p'), truth = make('p'), where = numbers(words.numbers_place), paid = numbers(words.length_title), right = numbers(words.numbers_right);
const bar = make('div'), dots = make('div');
const left = make('section'), beside = make('section'), both = make('div', '', { class: 'rk-pair' });
left.append(make('h3', words.numbers_place), where, bar);
beside.append(make('h3', words.length_title), paid, dots);
both.append(left, beside);
root.append(by, says, means, truth, make('h3', words.effects), worth, strip.element, both, right);

const between = props.lang === 'zh' ? '' : ' ';
const correlation = points => {
    const n = points.length, mean = i => points.reduce((sum, p) => sum + p[i], 0) / n, [mx, my] = [mean(0), mean(1)];
    let xy = 0, xx = 0, yy = 0;
    for (const [x, y] of points) { xy += (x - mx) * (y - my); xx += (x - mx) ** 2; yy += (y - my) ** 2; }
    return xx * yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
};
const paint = () => {
    const value = props.value;
    root.hidden = !(value && value.parts);
    if (root.hidden) return;
    const known = x => x !== null && x !== undefined, score = plain(value.score);
    by.textContent = fill(words.judged_by, { name: value.judge, kind: words['kind_' + value.kind] });
    tell(root, '');
    say(says, (known(value.gold) ? words.says_gold : words.says) + (known(value.was) ? between + words.change : ''), {
        score: [score, words['explain_score_' + value.kind]], gold: [known(value.gold) ? plain(value.gold) : '', words.explain_gold],
        change: [known(value.was) ? signed(value.score - value.was) : '', words.explain_change] });
    say(means, words['means_' + value.kind], { probability: [plain(value.probability), words.explain_probability] });
    truth.textContent = words.truth_about;
    const max = Math.max(0, ...value.parts.map(p => Math.abs(p[1] ?? 0)));
    worth.textContent = fill(words.scale, { max: max.toFixed(2) }) + ' ' + (touch ? words.hint_touch : words.hint)
        + (value.parts.some(p => !known(p[1])) ? ' ' + fill(words.cut, { n: value.parts.length - 1 }) : '');
    strip.show({ tokens: value.parts.map(p => ({ text: p[0], number: known(p[1]) ? p[1] : null })), max, hint: '',
                 say: t => t.number === null ? '“' + t.text + '”' : fill(words.say_effect, { text: t.text, x: signed(t.number) }) });
    const points = value.held_out || [], scores = points.map(p => p[1]), n = scores.length;
    both.hidden = n === 0;
    if (n) {
        const lower = Math.round(100 * scores.filter(x => x < value.score).length / n);
        say(where, words.bar, { n: [String(n), words.explain_n], share: [String(lower), words.explain_share] });
        bar.replaceChildren(histogram({ series: [scores], range: reach([...scores, value.score]), mark: value.score,
                                        label: fill(words.bar_label, { n, score }), along: words.score_axis, up: words.reviews }));
        say(paid, words.length_about, { r: [signed(correlation(points)), words.explain_r] });
        dots.replaceChildren(scatter({ points, mark: [value.length, value.score], label: paid.textContent,
                                       along: words.length_along, up: words.score_axis }));
    }
    const a = value.accuracy;
    right.hidden = !a;
    if (a) say(right, words.accuracy, { mean: [a.mean.toFixed(2), words.explain_mean], n: [String(a.n), words.explain_pairs],
                                        low: [a.low.toFixed(2), words.explain_interval], high: [a.high.toFixed(2), words.explain_interval] });
};
watch('value', paint);
paint();
