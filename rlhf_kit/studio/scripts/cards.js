// Cards to put in order. The value from the server is one list to rank; what the person made of it goes back as the
// value of the events 'save', 'skip' and 'undo'. Cards are numbers, 0 is the first shown; groups are best first.
const root = element.querySelector('.rk-cards');
const letter = card => String.fromCharCode(65 + card);
const LINES = 8;                                    // longer texts are folded
// InstructGPT's yes and no questions, in its order (answers.py).
const FLAGS = ['instructions', 'inappropriate', 'facts', 'constraint', 'sexual', 'violent', 'abuse', 'denigrates', 'harmful', 'opinion', 'moral'];
const NEAR = 70;                                    // pixels from the window's edge where a drag scrolls
let task = null, groups = [], claims = new Map(), touched = false, past = [], active = 0, since = 0, cards = [];
let scores = [], flags = [];

const prompt = make('div', '', { class: 'prompt', dir: 'auto' });
const pinned = make('div', '', { class: 'pinned' });
pinned.append(make('div', words.prompt, { class: 'what' }), prompt);
const question = make('p', '', { class: 'question' });
const list = make('ol', '', { class: 'list' });
const pairsLine = make('p', '', { class: 'count' });
const pairsList = make('p', '', { class: 'pairs' });
const said = make('p', '', { class: 'said', role: 'status', 'aria-live': 'polite' });
const bar = make('div', '', { class: 'bar' });
const help = make('table', '', { class: 'help' });
help.hidden = true;
for (const row of words.keys_list.trim().split('\n')) {
    const [keys, what] = row.split(' = ');
    const line = make('tr');
    line.append(make('th', keys, { scope: 'row' }), make('td', what));
    help.append(line);
}
const button = (text, press, attributes = {}) => {
    const made = make('button', text, { type: 'button', ...attributes });
    made.addEventListener('click', event => { event.stopPropagation(); press(); });
    return made;
};
bar.append(
    button(words.save, save, { class: 'main rk-key-ctrl-enter' }),
    button(words.all_equal, allEqual, { class: 'equal-all' }),
    button(words.undo, undo, { class: 'undo rk-key-ctrl-z' }),
    button(words.skip, () => send('skip'), { class: 'skip rk-key-s' }),
    button('?', () => { help.hidden = !help.hidden; asked.setAttribute('aria-expanded', String(!help.hidden)); },
        { class: 'ask rk-key-?', 'aria-label': words.keys_about, 'aria-expanded': 'false' }));
const asked = bar.lastElementChild;
const empty = make('p', words.first_one, { class: 'empty' });
const all = make('div');
all.append(pinned, question, list, said, pairsLine, pairsList, bar, help);
root.append(empty, all);

const flat = () => groups.flat();
const placeOf = card => { let before = 0; for (const group of groups) { if (group.includes(card)) return before + 1; before += group.length; } };
const tiedAbove = card => groups.some(group => group.indexOf(card) > 0);
const speak = text => { said.textContent = text; };

// What is not saved yet outlives a page that is loaded again, as Gradio does when its server was restarted.
const nameOf = () => JSON.stringify([task.annotator, task.task, task.repeat, task.question, task.texts]);
const keep = () => { try { sessionStorage.setItem('rk-draft', JSON.stringify({ of: nameOf(), groups, touched, scores, flags })); } catch { /* a full store */ } };
const kept = () => {
    try {
        const draft = JSON.parse(sessionStorage.getItem('rk-draft'));
        return draft && draft.of === nameOf() ? draft : null;
    } catch { return null; }
};

function remember() {
    past.push({ groups, claims: new Map(claims), touched, scores: [...scores], flags: flags.map(f => [...f]) });
}

function change(next, { keepClaims = false } = {}) {
    remember();
    if (!keepClaims) claims.clear();
    groups = next.filter(group => group.length);
    touched = true;
    show();
    keep();
}

// -- what can be done to a card

function place(card, number) {                      // the same number twice is a tie
    if (number > cards.length) return;
    const wanted = new Map(claims).set(card, number);
    const free = groups.map(group => group.filter(c => !wanted.has(c))).filter(group => group.length);
    const slots = Array.from({ length: cards.length }, (_, i) => flat().filter(c => wanted.get(c) === i + 1));
    for (const slot of slots) if (!slot.length && free.length) slot.push(...free.shift());
    change(slots, { keepClaims: true });
    claims.set(card, number);
    const next = cards.findIndex((_, c) => !claims.has(c));
    speak(fill(words.placed, { card: letter(card), place: placeOf(card), n: cards.length }));
    focus(next < 0 ? card : next);
}

function move(card, by) {
    const from = groups.findIndex(group => group.includes(card));
    const rest = groups.map(group => group.filter(c => c !== card));
    const alone = groups[from].length === 1;
    const to = alone ? from + by : by < 0 ? from : from + 1;
    if (to < 0 || (alone && to >= groups.length)) return speak(words.at_the_end);
    if (alone) rest.splice(from, 1);
    rest.splice(to, 0, [card]);
    change(rest);
    speak(fill(words.placed, { card: letter(card), place: placeOf(card), n: cards.length }));
    focus(card);
}

function tie(card) {
    const at = groups.findIndex(group => group.includes(card)), inside = groups[at].indexOf(card);
    if (inside > 0) {                               // tied already: a second press lets go
        const next = groups.map(group => group.filter(c => c !== card));
        next.splice(at + 1, 0, [card]);
        change(next);
        speak(fill(words.untied, { card: letter(card) }));
    } else if (at === 0) {
        return speak(words.nothing_above);
    } else {
        const above = groups[at - 1].at(-1);
        const next = groups.map(group => [...group]);
        next.splice(at - 1, 2, [...groups[at - 1], ...groups[at]]);
        change(next);
        speak(fill(words.tied, { card: letter(card), other: letter(above) }));
    }
    focus(card);
}

function allEqual() {
    if (!task) return;
    change([cards.map((_, c) => c)]);
    speak(words.all_equal_done);
}

function open(card) {
    const body = cards[card].querySelector('.text'), opener = cards[card].querySelector('.open');
    if (opener.hidden) return;
    const folded = body.classList.toggle('folded');
    opener.textContent = folded ? words.open : words.close;
    opener.setAttribute('aria-expanded', String(!folded));
}

function undo() {
    const before = past.pop();
    if (!before) return send('undo');
    ({ groups, claims, touched, scores, flags } = before);
    show();
    keep();
    speak(words.undone_here);
}

function save() {
    if (!task) return;
    if (!touched) return speak(words.untouched);
    if (task.instruct && scores.some(score => score === null)) return speak(words.score_all);
    send('save');
}

function send(what) {
    if (!task && what !== 'undo') return;
    props.value = { ...(task ? { annotator: task.annotator, task: task.task, repeat: task.repeat,
                                 question: task.question } : { annotator: props.value?.annotator }),
                    groups, touched, seconds: (performance.now() - since) / 1000,
                    ...(task?.instruct ? { scores, flags } : {}) };
    trigger(what === 'save' ? 'save' : what === 'skip' ? 'skip' : 'undo');
}

// -- keys

root.addEventListener('keydown', event => {
    const card = Number(event.target.closest('.card')?.dataset.card ?? NaN);
    if (Number.isNaN(card) || event.ctrlKey || event.metaKey || event.target.matches('input, summary')) return;
    const step = { ArrowUp: -1, ArrowDown: 1, k: -1, j: 1 }[event.key];
    if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) move(card, step);
    else if (event.altKey || event.key.length === 1 && document.documentElement.dataset.rkKeys === 'off') return;
    else if (/^[1-9]$/.test(event.key)) place(card, Number(event.key));
    else if (step) focus(flat()[Math.min(Math.max(flat().indexOf(card) + step, 0), cards.length - 1)]);
    else if (event.key.toLowerCase() === 't') tie(card);
    else if (event.key.toLowerCase() === 'o') open(card);
    else return;
    event.preventDefault();
    event.stopPropagation();
});

function focus(card) {
    active = card;
    roving();
    cards[card].focus();
}

function roving() {                                 // Tab reaches one card and its buttons; arrows reach the others
    cards.forEach((made, card) => {
        made.tabIndex = card === active ? 0 : -1;
        for (const inside of made.querySelectorAll('.moves button, .open')) inside.tabIndex = made.tabIndex;
    });
}

// -- dragging, with a mouse, a pen or a finger

function drag(card, down) {
    if (down.button > 0) return;
    down.preventDefault();
    const made = cards[card], others = flat().filter(c => c !== card);
    let at = flat().indexOf(card), y = down.clientY, scrolling = 0;
    const from = at;
    made.classList.add('dragged');
    const dropped = () => {
        const rest = groups.map(group => group.filter(c => c !== card)).filter(group => group.length);
        let seen = 0, index = 0;
        while (index < rest.length && seen + rest[index].length <= at) seen += rest[index++].length;
        if (seen === at) rest.splice(index, 0, [card]);
        else rest[index].splice(at - seen, 0, card);                // between two that tie: one more of them
        return rest;
    };
    const lay = () => {
        others.toSpliced(at, 0, card).forEach((c, i) => { cards[c].parentElement.style.order = i; });
        number(at === from ? groups : dropped());
    };
    const settle = () => {
        const next = others.filter(c => { const box = cards[c].getBoundingClientRect(); return y > box.top + box.height / 2; }).length;
        if (next !== at) { at = next; lay(); }
    };
    const follow = event => { if (event.pointerId === down.pointerId) { y = event.clientY; settle(); } };
    const scroll = () => {
        const by = y < NEAR ? -8 : y > innerHeight - NEAR ? 8 : 0;
        if (by) { window.scrollBy(0, by); settle(); }
        scrolling = requestAnimationFrame(scroll);
    };
    const end = event => {
        if (event.pointerId !== down.pointerId) return;
        cancelAnimationFrame(scrolling);
        for (const name of ['pointermove', 'pointerup', 'pointercancel']) document.removeEventListener(name, name === 'pointermove' ? follow : end);
        made.classList.remove('dragged');
        cards.forEach(c => { c.parentElement.style.order = ''; });
        if (event.type === 'pointerup' && at !== from) {
            change(dropped());
            speak(fill(words.placed, { card: letter(card), place: placeOf(card), n: cards.length }));
        } else number(groups);
        focus(card);
    };
    document.addEventListener('pointermove', follow);
    document.addEventListener('pointerup', end);
    document.addEventListener('pointercancel', end);
    scrolling = requestAnimationFrame(scroll);
}

// -- drawing

function makeCard(text, card) {
    const made = make('div', '', { class: 'card', role: 'group', 'data-card': card });
    const head = make('div', '', { class: 'head' });
    const handle = make('span', '⠿', { class: 'handle', 'aria-hidden': 'true', title: words.drag });
    handle.addEventListener('pointerdown', event => drag(card, event));
    const moves = make('span', '', { class: 'moves' });
    const name = letter(card);
    moves.append(button('▲', () => move(card, -1), { class: 'up', 'aria-label': fill(words.up, { card: name }) }),
                 button('▼', () => move(card, 1), { class: 'down', 'aria-label': fill(words.down, { card: name }) }),
                 button('=', () => tie(card), { class: 'tie', 'aria-label': fill(words.tie, { card: name }), 'aria-pressed': 'false' }));
    head.append(handle, make('span', '', { class: 'place' }), make('strong', name), moves);
    const body = make('div', text.replace(/^ /, ''), { class: 'text folded', dir: 'auto' });
    const opener = button(words.open, () => open(card), { class: 'open', 'aria-expanded': 'false' });
    made.append(head, body, opener);
    if (task.instruct) made.append(makeInstruct(card));
    made.addEventListener('focusin', () => { if (active !== card) { active = card; roving(); } });
    return made;
}

function makeInstruct(card) {
    const part = make('div', '', { class: 'instruct' });
    const scale = make('fieldset');
    scale.append(make('legend', words.score));
    for (let score = 1; score <= 7; score++) {
        const label = make('label', String(score)), box = make('input', '', { type: 'radio', name: `rk-score-${task.stamp}-${card}`, value: score });
        box.addEventListener('change', () => { remember(); scores[card] = score; keep(); });
        label.prepend(box);
        scale.append(label);
    }
    const marks = make('fieldset', '', { class: 'flags' }), fold = make('details', '', { class: 'flagged' });
    marks.append(make('legend', fill(words.flags_of, { card: letter(card) }), { class: 'unseen' }));
    for (const flag of FLAGS) {
        const label = make('label', words[`flag_${flag}`]), box = make('input', '', { type: 'checkbox', value: flag });
        box.addEventListener('change', () => {
            remember();
            flags[card] = [...marks.querySelectorAll('input:checked')].map(b => b.value);
            count(card);
            keep();
        });
        label.prepend(box);
        marks.append(label);
    }
    fold.append(make('summary'), marks);
    part.append(scale, fold);
    return part;
}

function count(card) {                              // what is ticked, beside the fold that hides it
    const summary = cards[card].querySelector('.flagged summary');
    if (summary) summary.textContent = flags[card].length ? fill(words.flags_some, { names: flags[card].map(flag => words[`flag_${flag}`]).join(', ') }) : words.flags_none;
}

function number(ordered) {                          // the place of each card, as it is or would be
    let before = 0;
    for (const group of ordered) {
        for (const card of group) cards[card].querySelector('.place').textContent = before + 1;
        before += group.length;
    }
}

function show() {
    const order = flat();
    const wanted = order.map(card => cards[card].parentElement);
    if (wanted.some((item, i) => list.children[i] !== item)) {
        const had = list.contains(document.activeElement) ? document.activeElement : null;
        list.append(...wanted);
        had?.focus({ preventScroll: true });
    }
    order.forEach(card => {
        const made = cards[card], group = groups.find(g => g.includes(card));
        made.classList.toggle('tied', tiedAbove(card));
        made.querySelector('.tie').setAttribute('aria-pressed', String(tiedAbove(card)));
        made.querySelector('.up').disabled = order[0] === card && group.length === 1;
        made.querySelector('.down').disabled = order.at(-1) === card && group.length === 1;
        const others = group.filter(c => c !== card).map(letter).join(', ');
        made.setAttribute('aria-label', fill(others ? words.card_tied : words.card,
                                             { card: letter(card), place: placeOf(card), n: cards.length, others }));
        made.querySelectorAll('input').forEach(box => {
            box.checked = box.type === 'radio' ? scores[card] === Number(box.value) : flags[card].includes(box.value);
        });
        count(card);
    });
    number(groups);
    const pairs = groups.flatMap((group, i) => group.flatMap(a => groups.slice(i + 1).flat().map(b => `${letter(a)}\u00a0>\u00a0${letter(b)}`)));
    pairsLine.textContent = fill(touched ? words.pairs : words.pairs_untouched, { n: pairs.length });
    pairsList.textContent = pairs.join('   ');
    list.classList.toggle('untouched', !touched);
    roving();
}

function draw() {
    const value = props.value;
    if (!value || value.groups && !value.texts) return;             // nothing yet, or what we sent ourselves
    const first = !task;
    task = value.texts ? value : null;
    all.hidden = !task;
    empty.hidden = Boolean(task);
    empty.textContent = value.empty ?? words.first_one;
    if (!task) return;
    chatView(prompt, task.prompt, task.chat);
    question.textContent = task.asked;
    const draft = task.groups ? null : kept();
    groups = task.groups ?? draft?.groups ?? task.texts.map((_, card) => [card]);
    touched = Boolean(task.touched || draft?.touched);
    past = []; claims = new Map(); active = flat()[0]; since = performance.now();
    scores = task.scores ?? draft?.scores ?? task.texts.map(() => null);
    flags = task.flags ?? draft?.flags ?? task.texts.map(() => []);
    cards = task.texts.map(makeCard);
    list.replaceChildren(...cards.map(made => { const item = make('li'); item.append(made); return item; }));
    said.textContent = '';
    show();
    cards.forEach(made => {
        const body = made.querySelector('.text');
        const fits = body.scrollHeight <= body.clientHeight + 2;
        made.querySelector('.open').hidden = fits;
    });
    if (!first) cards[active].focus();
}
watch('value', draw);
draw();
