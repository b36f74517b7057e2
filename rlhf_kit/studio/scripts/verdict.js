// What a reward model would have said of the list that was just ranked: both orders in one table.
const root = element.querySelector('.rk-verdict');
const draw = () => {
    tell(root, '');
    root.replaceChildren();
    const value = props.value;
    if (!value?.rows) return;
    const table = make('table'), head = make('tr');
    for (const key of ['card', 'yours', 'theirs', 'score', 'text']) {
        const one = make('th', words['col_' + key], { scope: 'col' }), line = words['explain_' + key];
        head.append(line ? explain(one, line) : one);
    }
    table.append(explain(make('caption', value.numbers), words.explain_numbers), head);
    for (const row of value.rows) {
        const same = row.yours === row.theirs, line = make('tr', '', { class: same ? 'same' : 'other' });
        line.append(make('th', row.card, { scope: 'row' }), explain(make('td', row.yours), words.explain_yours, false),
                    explain(make('td', `${row.theirs} ${same ? '=' : '≠'}`), words.explain_theirs, false),
                    explain(make('td', row.score), words.explain_score, false),
                    make('td', row.text, { class: 'text', dir: 'auto' }));
        table.append(line);
    }
    root.append(make('p', value.prompt, { class: 'prompt', dir: 'auto' }), table,
                make('p', words.colours, { class: 'legend' }));
};
watch('value', draw);
draw();
