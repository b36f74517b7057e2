// Samples of two or three policies in rows: the same prompt, side by side. The lens and the price are looked through here,
// nothing is asked again. Every number says what it is, and what the numbers mean together is said above them.
const root = element.querySelector('.rk-compare');
const own = 'rk' + Math.random().toString(36).slice(2);
const LENSES = ['reward', 'kl', 'surprise'];
const RISEN = 0.1, FLAT = 0.05;                             // of a reward and a truth from 0 to 1
const view = { lens: 'reward', beta: 0.04, touched: false, draws: 1 };

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
const pick = make('label', '', { class: 'rk-price', hidden: '' });
const draws = make('input', '', { type: 'range', min: '1', max: '1', step: '1', value: '1' });
const drawsSaid = make('output');
pick.append(make('span', words.best_of_n), draws, drawsSaid);
draws.addEventListener('input', () => { view.draws = Number(draws.value); paint(); });
const asked = make('p', '', { class: 'rk-asked' }), askedText = make('strong'), talk = make('div', '', { class: 'rk-talk' });
asked.append(make('span', words.prompt), askedText);
const verdict = make('p', '', { class: 'rk-verdict' }), about = make('p', '', { class: 'rk-about' });
const tools = make('div', '', { class: 'rk-tools' });
tools.append(lenses, price, pick);
const columns = make('div', '', { class: 'rk-columns' });
const by = make('p', '', { class: 'rk-by' }), old = make('p', words.otherwise, { class: 'rk-otherwise', role: 'status' });
root.append(asked, talk, verdict, tools, old, columns, by, about);

let painted = null;                                         // the value that is shown
let heads = [], cells = [];                                 // [column], [sample][column]
const known = x => x !== null && x !== undefined;
const place = { reward: 1, kl: 2, surprise: 3 };
const average = (samples, key) => {
    const found = samples.map(s => s[key]).filter(known);
    return found.length ? found.reduce((a, b) => a + b, 0) / found.length : null;
};
// What is looked at: of a column of choices those among the first `view.draws` draws.
const chosen = value => !value?.columns ? value : { ...value, columns: value.columns.map(column => !column.chosen ? column : {
    ...column, of: column.name, draws: view.draws, name: fill(words.best_of, { name: column.name, n: view.draws }),
    samples: column.chosen.map(found => found.filter(one => one.of <= view.draws).at(-1)) }) };
const card = (name, said, line) => {
    const box = make('dl', '', { 'data-about': line });
    box.append(make('dt', name), make('dd', said));
    return box;
};
const numbers = (samples, column, reward) => {
    const [earned, kl, tokens, gold] = ['reward', 'kl', 'tokens', 'gold'].map(key => average(samples, key));
    const drift = !column.reference ? words.kl_unknown
        : fill(words.explain_kl, { name: column.reference }) + (known(kl) && kl < 0 ? ' ' + words.explain_kl_below : '');
    const bound = column.chosen && column.kl_bounds[column.draws - 1];
    const cards = [card(words.card_reward, known(earned) ? plain(earned) : '–', fill(words.explain_reward, { reward: reward || '' })),
                   column.chosen ? card(words.kl, '≤ ' + plain(bound, 1), fill(words.explain_kl_best, { n: column.draws, name: column.of }))
                       : card(words.kl, known(kl) ? plain(kl, 1) : '–', drift),
                   card(words.tokens, known(tokens) ? String(Math.round(tokens)) : '–', words.explain_tokens),
                   card(words.net, known(earned) && known(kl) ? plain(earned - view.beta * kl) : '–',
                        fill(words.explain_net, { beta: view.beta.toFixed(2) }))];
    if (known(gold)) cards.push(card(words.card_gold, plain(gold), words.explain_gold));
    return [...cards, ...truths(samples)];
};

// Of a world that knows more: three H's, and the rules that are broken; of one sample with the sentences that cost something.
const truths = samples => {
    const alone = samples.length === 1 ? samples[0].why || {} : {}, cards = [];
    for (const name of ['helpful', 'honest', 'harmless']) {
        const mean = average(samples, name);
        if (known(mean)) cards.push(card(words[`card_${name}`], plain(mean), [words[`explain_${name}`], alone[name]].filter(Boolean).join(' ')));
    }
    if (!samples.every(s => s.broken)) return cards;
    const n = samples.reduce((sum, s) => sum + s.broken.length, 0);
    cards.push(card(words.card_broken, String(n), alone.broken ? fill(words.explain_broken, { rules: alone.broken })
        : n ? words.explain_broken_all : words.explain_unbroken));
    return cards;
};

const titled = column => column.name + (known(column.step) ? ' · ' + fill(words.at_step, { step: column.step, steps: column.steps }) : '');

// What became of the reward and of the truth, of the last policy against the first.
const judgement = value => {
    const ends = [value.columns[0], value.columns[value.columns.length - 1]].map(column => column.samples);
    const [earned, truth] = ['reward', 'gold'].map(key => {
        const [before, after] = ends.map(samples => samples.every(s => known(s[key])) ? average(samples, key) : null);
        return known(before) && known(after) ? after - before : null;
    });
    if (value.columns.length < 2 || !known(earned) || !known(truth)) return null;
    const key = earned < RISEN ? (earned > -RISEN ? 'same' : 'down')
        : truth < FLAT ? 'cheats' : truth < earned / 2 ? 'partly' : 'honest';
    const name = value.columns[value.columns.length - 1].name;
    return { cheats: key === 'cheats', line: fill(words['verdict_' + key], {
        name, reward: signed(earned), gold: signed(truth), n: ends[1].length }) };
};

// Which tokens of `these` are not in `those`, in the same order: the longest common subsequence stays unmarked.
const differing = (these, those) => {
    const n = these.length, m = those.length, long = Array.from({ length: n + 1 }, () => new Uint16Array(m + 1));
    for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--)
        long[i][j] = these[i] === those[j] ? long[i + 1][j + 1] + 1 : Math.max(long[i + 1][j], long[i][j + 1]);
    const other = Array(n).fill(true);
    for (let i = 0, j = 0; i < n && j < m;) {
        if (these[i] === those[j]) { other[i] = false; i++; j++; }
        else if (long[i + 1][j] >= long[i][j + 1]) i++; else j++;
    }
    return other;
};

const build = value => {
    heads = value.columns.map(column => {
        const box = make('section', '', { class: 'rk-column', 'aria-label': column.name });
        const group = explained(make('div'), '');
        box.append(make('h3'), group);
        return { box, group };
    });
    columns.replaceChildren(...heads.map(head => head.box));
    cells = value.columns[0].samples.map((_, s) => {
        columns.append(make('h4', fill(words.sample_short, { n: s + 1 }), { class: 'rk-row' }));
        return value.columns.map(() => {
            const whose = make('p', '', { class: 'rk-whose' }), strip = tokenStrip(''), group = explained(make('div'), '');
            const one = make('div', '', { class: 'rk-sample' });
            one.append(whose, strip.element, group);
            columns.append(one);
            return { whose, strip, group };
        });
    });
};
const same = value => value.columns.length === heads.length
    && value.columns.every(column => column.samples.length === cells.length);
const paint = () => {
    if (props.value !== painted) {
        painted = props.value;
        old.hidden = true;
        root.classList.remove('old');
        const most = Math.max(1, ...(painted?.columns || []).map(column => column.kl_bounds?.length || 1));
        pick.hidden = most === 1;
        draws.max = draws.value = String(most);
        view.draws = most;
    }
    const value = chosen(props.value);
    drawsSaid.textContent = String(view.draws);
    by.textContent = value && value.reward ? fill(words.scored_by, { name: value.reward }) : '';
    root.hidden = !value || !value.columns;
    if (root.hidden) { columns.replaceChildren(); heads = cells = []; return; }
    if (!view.touched && known(value.beta)) { view.beta = value.beta; beta.value = String(value.beta); }
    betaSaid.textContent = view.beta.toFixed(2);
    if (!same(value)) build(value);
    columns.style.setProperty('--n', value.columns.length);
    columns.classList.toggle('rk-three', value.columns.length > 2);
    askedText.textContent = value.prompt || '';
    asked.hidden = Boolean(value.chat);
    talk.hidden = !value.chat;
    if (value.chat) chatView(talk, value.prompt, value.chat);
    const found = judgement(value);
    verdict.textContent = found ? found.line : '';
    verdict.classList.toggle('rk-cheats', Boolean(found && found.cheats));
    const at = place[view.lens];
    const all = value.columns.flatMap(c => c.samples.flatMap(s => s.pieces.map(p => p[at]))).filter(known);
    const max = Math.max(0, ...all.map(Math.abs));
    about.textContent = [words['about_' + view.lens], fill(words.scale, { max: max.toFixed(2) }),
        ...(value.columns.length > 1 ? [words.bold] : []), touch ? words.hint_touch : words.hint].join(' ');
    value.columns.forEach((column, c) => {
        const { box, group } = heads[c];
        box.style.setProperty('--own', COLOURS[c % COLOURS.length]);
        box.setAttribute('aria-label', column.name);
        box.querySelector('h3').textContent = titled(column);
        group.setAttribute('aria-label', fill(words.numbers_of, { name: column.name }));
        group.replaceChildren(...numbers(column.samples, column, value.reward));
        column.samples.forEach((sample, s) => {
            const first = value.columns[0].samples[s].pieces.map(p => p[0]);
            const other = c ? differing(sample.pieces.map(p => p[0]), first) : [];
            const { whose, strip, group: own } = cells[s][c], label = fill(words.sample, { n: s + 1, name: column.name });
            strip.row.setAttribute('aria-label', label);
            own.setAttribute('aria-label', fill(words.numbers_of, { name: label }));
            whose.textContent = column.name;
            strip.show({
                tokens: sample.pieces.map((p, i) => ({ text: p[0], number: known(p[at]) ? p[at] : null, other: other[i] && p[0] !== '' })),
                max, hint: '',
                say: t => t.number === null ? '“' + t.text + '”'
                    : fill(words['say_' + view.lens], { text: t.text === '' ? words.end_mark : t.text, x: signed(t.number) }) });
            own.replaceChildren(...numbers([sample], column, value.reward));
        });
    });
};

// Where the page does not show what has just come, it goes there; not while somebody reads what has come before.
const growing = value => Boolean(value && value.columns && value.columns.some(c => c.samples.some(s => !known(s.reward))));
let was = JSON.stringify(props.value ?? null), grew = growing(props.value);
const follow = () => {
    const value = props.value, now = JSON.stringify(value ?? null), began = !grew && now !== was;
    was = now;
    grew = growing(value);
    if (!began || root.hidden || root.getBoundingClientRect().top < innerHeight / 2) return;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    (document.querySelector('#rk-compare-line') || root).scrollIntoView({ block: 'start', behavior: calm ? 'auto' : 'smooth' });
};
// A comparison that was made has an address; who comes back to one asks for it again.
const flags = document.documentElement.dataset;
const addressed = () => {
    const address = props.value?.address ? '#compare/' + props.value.address : '';
    if (address) flags.rkCompare = address;
    else delete flags.rkCompare;
    if (address && address !== location.hash) history.pushState(null, '', location.pathname + location.search + address);
};
const onAddress = () => {
    const hash = location.hash;
    if (!element.isConnected || (hash && hash !== '#compare' && !hash.startsWith('#compare/'))) return;
    const address = hash.startsWith('#compare/') ? hash : '';
    if (address !== (props.value?.address ? '#compare/' + props.value.address : '')) trigger('turn', { address });
};
window.addEventListener('rk-address', onAddress);

// What is shown, to be taken away as a file (take.js).
const colon = props.lang === 'zh' ? '：' : ': ';
const outline = value => {
    const at = place[view.lens], all = value.columns.flatMap(c => c.samples.flatMap(s => s.pieces.map(p => p[at]))).filter(known);
    const max = Math.max(0, ...all.map(Math.abs)), found = judgement(value);
    const listed = (samples, column) => numbers(samples, column, value.reward)
        .map(one => [...one.children].map(e => e.textContent).join(colon)).join(' · ');
    return {
        title: words.prompt + colon + (value.prompt || ''),
        lines: [...(found ? [found.line] : []),
                fill(words.made_by, { temperature: value.temperature ?? '–', seed: value.seed ?? '–', reward: value.reward || '–' }),
                [words['about_' + view.lens], fill(words.scale, { max: max.toFixed(2) }), ...(value.columns.length > 1 ? [words.bold] : [])].join(' ')],
        columns: value.columns.map(column => ({ name: titled(column), line: listed(column.samples, column) })),
        samples: value.columns[0].samples.map((first, s) => value.columns.map((column, c) => {
            const sample = column.samples[s], other = c ? differing(sample.pieces.map(p => p[0]), first.pieces.map(p => p[0])) : [];
            return { line: listed([sample], column), pieces: sample.pieces.map((piece, i) => ({
                text: piece[0] === '' ? words.end_mark : piece[0], number: known(piece[at]) ? signed(piece[at]) : '',
                share: known(piece[at]) && max > 0 ? piece[at] / max : 0, other: Boolean(other[i] && piece[0] !== '') })) };
        })),
    };
};
root.append(takeAway(() => outline(chosen(props.value)), () => props.value.address || 'comparison'));

watch('value', () => { paint(); follow(); addressed(); });
paint();
addressed();
const onRun = event => { if (element.isConnected) trigger('choose', { run: event.detail.run }); };
window.addEventListener('rk-compare', onRun);
const onOther = event => {
    if (!element.isConnected || !props.value?.columns || event.detail === props.value.prompt) return;
    old.hidden = false;
    root.classList.add('old');
};
window.addEventListener('rk-otherwise', onOther);
