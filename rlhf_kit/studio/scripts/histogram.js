// The rewards of many prompts, one colour a policy.
const root = element.querySelector('.rk-histogram');
const paint = () => {
    const value = props.value;
    if (!value || !value.series) { root.replaceChildren(); return; }
    const mean = numbers => numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const list = make('ul', '', { class: 'rk-legend' });
    value.series.forEach((one, s) => {
        const item = make('li'), box = make('span', '', { class: 'rk-box' });
        box.style.background = COLOURS[s];
        item.append(box, make('span', fill(words.histogram_one, { name: one.name, mean: mean(one.scores).toFixed(2) })));
        list.append(item);
    });
    const label = value.series.map(one => fill(words.histogram_one, { name: one.name, mean: mean(one.scores).toFixed(2) }));
    root.replaceChildren(
        make('p', fill(words.histogram_about, { n: value.series[0].scores.length, reward: value.reward })),
        list,
        histogram({ series: value.series.map(one => one.scores), range: [0, 1], label: label.join('; '), along: words.card_reward, up: words.responses,
                    names: value.series.map(one => one.name) }));
};
watch('value', paint);
paint();
