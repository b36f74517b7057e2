// Columns of samples, one column a policy. The lens and the price are looked through here, nothing is asked again.
const root = element.querySelector('.rk-compare');
const own = 'rk' + Math.random().toString(36).slice(2);
const LENSES = ['reward', 'kl', 'surprise'];
const view = { lens: 'reward', beta: 0.04, touched: false };

const lenses = make('fieldset', '', { class: 'rk-lenses' });
lenses.append(make('legend', words.lens));
for (const lens of LENSES) {
    const label = make('label'), radio = make('input', '', { type: 'radio', name: own, value: lens });
    radio.checked = lens === view.lens;
    radio.addEventListener('change', () => { view.lens = lens; paint(); });
    label.append(radio, make('span', words['lens_' + lens]));
    lenses.append(label);
}
const price = make('label', '', { class: 'rk-price' });
const beta = make('input', '', { type: 'range', min: '0', max: '0.5', step: '0.01', value: '0.04' });
const betaSaid = make('output');
price.append(make('span', words.beta), beta, betaSaid);
beta.addEventListener('input', () => { view.beta = Number(beta.value); view.touched = true; paint(); });
const about = make('p', '', { class: 'rk-about' });
const tools = make('div', '', { class: 'rk-tools' });
tools.append(lenses, price, about);
const by = make('p', '', { class: 'rk-by' }), old = make('p', words.otherwise, { class: 'rk-otherwise', role: 'status' });
const columns = make('div', '', { class: 'rk-columns' });
root.append(tools, by, old, columns);

let painted = null;                                         // the value that is shown
let strips = [];                                            // [column][sample]
const known = x => x !== null && x !== undefined;
const place = { reward: 1, kl: 2, surprise: 3 };
const card = (name, said) => {
    const box = make('div');
    box.append(make('dt', name), make('dd', said));
    return box;
};
const numbers = samples => {
    const mean = key => {
        const found = samples.map(s => s[key]).filter(known);
        return found.length ? found.reduce((a, b) => a + b, 0) / found.length : null;
    };
    const reward = mean('reward'), kl = mean('kl'), tokens = mean('tokens'), gold = mean('gold');
    const cards = [card(words.reward, known(reward) ? plain(reward) : '–'),
                   card(words.kl, known(kl) ? plain(kl, 1) : '–'),
                   card(words.tokens, known(tokens) ? String(Math.round(tokens)) : '–'),
                   card(words.net, known(reward) && known(kl) ? plain(reward - view.beta * kl) : '–')];
    if (known(gold)) cards.push(card(words.gold, plain(gold)));
    return cards;
};
const build = value => {
    strips = [];
    columns.replaceChildren(...value.columns.map((column, c) => {
        const box = make('section', '', { class: 'rk-column', 'aria-label': column.name });
        box.append(make('h3'), make('p', '', { class: 'rk-from' }), make('p', words.mean, { class: 'rk-mean' }), make('dl'));
        strips.push(column.samples.map((sample, s) => {
            const strip = tokenStrip(''), one = make('div', '', { class: 'rk-sample' });
            one.append(make('h4', fill(words.sample_short, { n: s + 1 })), strip.element, make('dl'));
            box.append(one);
            return strip;
        }));
        return box;
    }));
};
const same = value => value.columns.length === strips.length
    && value.columns.every((column, c) => column.samples.length === strips[c].length);
const paint = () => {
    const value = props.value;
    if (value !== painted) { painted = value; old.hidden = true; root.classList.remove('old'); }
    by.textContent = value && value.reward ? fill(words.scored_by, { name: value.reward }) : '';
    if (!value || !value.columns) { columns.replaceChildren(); strips = []; return; }
    if (!view.touched && known(value.beta)) { view.beta = value.beta; beta.value = String(value.beta); }
    betaSaid.textContent = view.beta.toFixed(2);
    if (!same(value)) build(value);
    const at = place[view.lens];
    const all = value.columns.flatMap(c => c.samples.flatMap(s => s.pieces.map(p => p[at]))).filter(known);
    const max = Math.max(0, ...all.map(Math.abs));
    about.textContent = words['about_' + view.lens] + ' ' + fill(words.scale, { max: max.toFixed(2) }) + ' ' + words.hint;
    value.columns.forEach((column, c) => {
        const box = columns.children[c];
        box.style.setProperty('--own', COLOURS[c]);
        box.setAttribute('aria-label', column.name);
        box.querySelector('h3').textContent = column.name
            + (known(column.step) ? ' · ' + fill(words.at_step, { step: column.step, steps: column.steps }) : '');
        box.querySelector('.rk-from').textContent = column.reference
            ? fill(words.kl_from, { name: column.reference }) : words.kl_unknown;
        box.querySelector('dl').replaceChildren(...numbers(column.samples));
        column.samples.forEach((sample, s) => {
            strips[c][s].row.setAttribute('aria-label', fill(words.sample, { n: s + 1, name: column.name }));
            strips[c][s].show({
                tokens: sample.pieces.map(p => ({ text: p[0], number: known(p[at]) ? p[at] : null, all: p })),
                max, hint: '',
                say: t => t.number === null ? '“' + t.text + '”'
                    : fill(words['say_' + view.lens], { text: t.text === '' ? words.end_mark : t.text, x: signed(t.number) }) });
            box.querySelectorAll('.rk-sample > dl')[s].replaceChildren(...numbers([sample]));
        });
    });
};
watch('value', paint);
paint();
const onRun = event => { if (element.isConnected) trigger('choose', { run: event.detail.run }); };
window.addEventListener('rk-compare', onRun);
const onOther = event => {
    if (!element.isConnected || !props.value?.columns || event.detail === props.value.prompt) return;
    old.hidden = false;
    root.classList.add('old');
};
window.addEventListener('rk-otherwise', onOther);
