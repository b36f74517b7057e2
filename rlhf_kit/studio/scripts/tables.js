// Tables of plain text: {tables: [{caption, head: [...], rows: [[...]], notes: [...], about: [...], of: "columns"}]}. `about`
// says what the numbers of each column are, or `of` each row ("rows"), to whoever points at one, or goes to its head.
const root = element.querySelector('.rk-tables');
let drawn = '';
const draw = () => {
    const now = JSON.stringify(props.value?.tables ?? []);
    if (now === drawn) return;
    drawn = now;
    const stops = () => [...root.querySelectorAll('[tabindex]')], looked = stops().indexOf(document.activeElement);
    tell(root, '');
    root.replaceChildren();
    for (const { caption, head, rows, notes, about = [], of } of props.value?.tables ?? []) {
        const scroll = make('div', '', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption });
        const table = make('table'), top = make('tr');
        const cell = (made, line, stop) => line ? explain(made, line, stop) : made;
        head.forEach((one, i) => top.append(cell(make('th', one, { scope: 'col' }), of === 'rows' ? '' : about[i], true)));
        table.append(make('caption', caption), top);
        rows.forEach((row, r) => {
            const line = make('tr');
            row.forEach((one, i) => line.append(cell(make(i ? 'td' : 'th', one, i ? { dir: 'auto' } : { scope: 'row', dir: 'auto' }),
                                                     of === 'rows' ? about[r] : about[i], of === 'rows' && i === 0)));
            table.append(line);
        });
        scroll.append(table);
        root.append(scroll, ...(notes ?? []).map(note => make('p', note, { class: 'note' })));
    }
    if (looked >= 0) stops()[looked]?.focus();
};
watch('value', draw);
draw();
