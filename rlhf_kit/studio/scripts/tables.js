// Tables of plain text: {tables: [{caption, head: [...], rows: [[...]], notes: [...]}]}.
const root = element.querySelector('.rk-tables');
const draw = () => {
    root.replaceChildren();
    for (const { caption, head, rows, notes } of props.value?.tables ?? []) {
        const scroll = make('div', '', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption });
        const table = make('table'), top = make('tr');
        for (const cell of head) top.append(make('th', cell, { scope: 'col' }));
        table.append(make('caption', caption), top);
        for (const row of rows) {
            const line = make('tr');
            row.forEach((cell, i) => line.append(make(i ? 'td' : 'th', cell, i ? { dir: 'auto' } : { scope: 'row', dir: 'auto' })));
            table.append(line);
        }
        scroll.append(table);
        root.append(scroll, ...(notes ?? []).map(note => make('p', note, { class: 'note' })));
    }
};
watch('value', draw);
draw();
