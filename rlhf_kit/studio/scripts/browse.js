// Labels one by one. The value holds one page of them; what is pressed goes back as the event 'act'.
const root = element.querySelector('.rk-browse');
const form = make('form', '', { role: 'search' }), label = make('label', words.find), box = make('input', '', { type: 'search' });
const find = make('button', words.find_it, { type: 'submit' });
label.append(box);
form.append(label, find);
const said = make('p', '', { role: 'status', class: 'said' }), count = make('p', '', { class: 'count' });
const list = make('ul', '', { class: 'rows' }), turns = make('div', '', { class: 'turns' });
const button = (text, act) => {
    const made = make('button', text, { type: 'button' });
    made.addEventListener('click', act);
    return made;
};
const page = by => trigger('act', { word: props.value.word, page: props.value.page + by });
const before = button(words.page_before, () => page(-1)), after = button(words.page_after, () => page(1));
turns.append(before, after);
root.append(form, said, count, list, turns);
form.addEventListener('submit', event => { event.preventDefault(); trigger('act', { word: box.value, page: 0 }); });

const rowOf = row => {
    const made = make('li'), more = make('details'), head = make('summary');
    head.append(make('strong', row.order, { class: 'order' }), make('span', row.prompt, { class: 'prompt', dir: 'auto' }),
                make('span', `${row.who} · ${row.when} · ${row.about}`, { class: 'whose' }));
    const texts = make('ul', '', { class: 'texts' });
    row.texts.forEach((text, i) => {
        const one = make('li');
        one.append(make('b', row.letters ? 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[i] ?? '' : ''), make('span', text.replace(/^ /, ''), { dir: 'auto' }));
        texts.append(one);
    });
    const edit = make('form', '', { class: 'edit' }), field = make('label', row.letters ? words.order : words.score_field);
    const order = make('input', '', { type: 'text', value: row.order, autocomplete: 'off', spellcheck: 'false' });
    field.append(order);
    let sure = false;
    const drop = button(words.drop, () => {
        if (sure) { trigger('act', { act: 'drop', key: row.key }); return; }
        sure = true;
        drop.textContent = words.drop_sure;
    });
    edit.append(field, make('button', words.change, { type: 'submit' }), drop);
    edit.addEventListener('submit', event => {
        event.preventDefault();
        trigger('act', { act: 'change', key: row.key, order: order.value });
    });
    more.append(head, texts, edit);
    made.append(more);
    return made;
};
const draw = () => {
    const value = props.value;
    if (!value || !value.rows) return;
    said.textContent = value.said || '';
    count.textContent = value.count || '';
    if (value.word !== undefined && document.activeElement !== box) box.value = value.word;
    list.replaceChildren(...value.rows.map(rowOf));
    before.disabled = !(value.page > 0);
    after.disabled = !(value.page + 1 < value.pages);
    turns.hidden = !(value.pages > 1);
};
watch('value', draw);
draw();
