// What a reward model would have said of the list that was just ranked: both orders in one table.
const root = element.querySelector('.rk-verdict');
const draw = () => {
    root.replaceChildren();
    const value = props.value;
    if (!value?.rows) return;
    const table = make('table'), head = make('tr');
    for (const key of ['col_card', 'col_yours', 'col_theirs', 'col_score', 'col_text']) head.append(make('th', words[key], { scope: 'col' }));
    table.append(make('caption', value.numbers), head);
    for (const row of value.rows) {
        const same = row.yours === row.theirs, line = make('tr', '', { class: same ? 'same' : 'other' });
        line.append(make('th', row.card, { scope: 'row' }), make('td', row.yours),
                    make('td', `${row.theirs} ${same ? '=' : '≠'}`), make('td', row.score),
                    make('td', row.text, { class: 'text', dir: 'auto' }));
        table.append(line);
    }
    root.append(make('p', value.prompt, { class: 'prompt', dir: 'auto' }), table,
                make('p', words.colours, { class: 'legend' }));
};
watch('value', draw);
draw();
