const MOST = 5;                     // trainings that are shown without asking
const WIDE = 320, HIGH = 130, LEFT = 44, FOOT = 24;
const root = element.querySelector('.rk-train') || element;
const said = make('p', '', { class: 'said', role: 'status', 'aria-live': 'polite' });
const counted = make('p', '', { class: 'counted', 'aria-live': 'polite' });
const list = make('ul', '', { class: 'jobs', 'aria-label': words.trainings });
const full = make('div', '', { class: 'full' });
const older = make('ul', '', { class: 'jobs', 'aria-label': words.older });
const rest = make('details');
rest.append(make('summary', words.older), older);
root.append(counted, said, list, rest, full);

// A chart is drawn by hand: it changes every second, and must neither flicker nor lose what it says to a screen reader.
const svg = (tag, attributes) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
};
const written = (x, y, text, anchor) => {
    const made = svg('text', { x, y, 'text-anchor': anchor });
    made.textContent = text;
    return made;
};
const short = value => (Math.abs(value) < 0.005 ? 0 : value).toFixed(Math.abs(value) >= 10 ? 0 : 2);
const chart = (curve, steps, number) => {
    const figure = make('figure');
    figure.append(make('figcaption', curve.title));
    const points = curve.points.filter(([, y]) => Number.isFinite(y));
    const last = points[points.length - 1];
    const label = last ? fill(words.latest, { title: curve.title, value: short(last[1]), step: last[0] }) : curve.title;
    const drawn = svg('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, role: 'img', 'aria-label': label });
    const low = Math.min(0, ...points.map(p => p[1])), high = Math.max(low + 0.01, ...points.map(p => p[1]));
    const x = step => LEFT + (WIDE - LEFT - 10) * (step - 1) / Math.max(steps - 1, 1);
    const y = value => 8 + (HIGH - FOOT - 8) * (high - value) / (high - low);
    for (const value of [low, high]) {
        drawn.append(svg('line', { x1: LEFT, x2: WIDE - 10, y1: y(value), y2: y(value), class: 'rule' }));
        drawn.append(written(LEFT - 6, y(value) + 4, short(value), 'end'));
    }
    drawn.append(written(LEFT, HIGH - 6, '1', 'start'), written(WIDE - 10, HIGH - 6, `${steps}`, 'end'));
    drawn.append(written((LEFT + WIDE) / 2, HIGH - 6, words.step, 'middle'));
    if (last) {
        drawn.append(svg('polyline', { points: points.map(p => `${x(p[0])},${y(p[1])}`).join(' '), class: `line c${number}` }));
        drawn.append(svg('circle', { cx: x(last[0]), cy: y(last[1]), r: 3.5, class: `dot c${number}` }));
    }
    figure.append(drawn, make('p', last ? label : '', { class: 'latest' }));
    return figure;
};

const button = (text, act, name) => {
    const made = make('button', text, { type: 'button', 'data-act': act, 'data-name': name,
                                        'aria-label': `${text}: ${name}` });
    made.addEventListener('click', () => trigger('act', { act, name }));
    return made;
};
const openCompare = name => {
    window.dispatchEvent(new CustomEvent('rk-compare', { detail: { run: name } }));
    document.querySelector('#rk-tab-compare-button')?.click();
};
const rowOf = (job, chosen) => {
    const row = make('li', '', { 'data-state': job.state, 'data-job': job.name, ...(chosen ? { class: 'chosen' } : {}) });
    const head = make('div', '', { class: 'head' });
    head.append(make('strong', job.name), make('span', `${job.kind} · ${job.by}`, { class: 'kind' }));
    row.append(head, make('div', job.text, { class: 'text' }));
    if (job.bar) {
        const bar = make('div', '', { class: 'bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': job.steps,
                                      'aria-valuenow': job.done, 'aria-label': fill(words.progress, { name: job.name }) });
        const inside = make('div');
        inside.style.width = `${100 * job.done / Math.max(job.steps, 1)}%`;
        bar.append(inside);
        row.append(bar);
    }
    const buttons = make('div', '', { class: 'buttons' });
    if (job.stop) buttons.append(button(words.stop, 'stop', job.name));
    if (job.resume) buttons.append(button(words.resume, 'resume', job.name));
    if (!chosen) buttons.append(button(words.show, 'show', job.name));
    if (job.compare && document.querySelector('#rk-tab-compare-button')) {
        const open = make('button', words.compare, { type: 'button', 'data-act': 'compare' });
        open.addEventListener('click', () => openCompare(job.name));
        buttons.append(open);
    }
    row.append(buttons);
    return row;
};
const cells = (texts, head) => {
    const row = make('tr');
    texts.forEach((text, i) => row.append(make(head || i === 0 ? 'th' : 'td', text,
                                              head ? { scope: 'col' } : i === 0 ? { scope: 'row' } : {})));
    return row;
};
const table = (head, rows, name) => {
    const frame = make('div', '', { class: 'frame', tabindex: 0, role: 'region', 'aria-label': head[0] }), made = make('table', '', { class: name }), body = make('tbody');
    const top = make('thead');
    top.append(cells(head, true));
    rows.forEach(row => body.append(cells(row, false)));
    made.append(top, body);
    frame.append(made);
    return frame;
};

let drawn = '';
const draw = () => {
    const value = props.value || {};
    if (!value.version || value.version === drawn) return;
    drawn = value.version;
    const focus = document.activeElement && root.contains(document.activeElement)
        ? { act: document.activeElement.dataset.act, name: document.activeElement.dataset.name } : null;
    if (said.textContent !== (value.said || '')) said.textContent = value.said || '';
    if (value.lists !== undefined && counted.textContent !== value.lists) counted.textContent = value.lists;
    const rows = value.jobs.map(job => rowOf(job, job.name === value.shown));
    list.replaceChildren(...rows.slice(0, MOST));
    older.replaceChildren(...rows.slice(MOST));
    rest.hidden = rows.length <= MOST;
    const shown = value.full, parts = [];
    if (!value.jobs.length) parts.push(make('p', value.example ? words.example : words.none_yet, { class: 'hint' }));
    if (shown) {
        parts.push(make('h3', shown.name));
        shown.lines.forEach(line => parts.push(make('p', line)));
        const curves = make('div', '', { class: 'curves' });
        shown.curves.forEach((curve, i) => curve.points.length && curves.append(chart(curve, shown.steps, i)));
        parts.push(curves);
        if (shown.table.length) parts.push(table([words.measure, words.before, words.after], shown.table, 'measures'));
        if (shown.samples.length) parts.push(table([words.prompt, words.before, words.after],
            shown.samples.map(row => row.map(text => text.trim() || words.empty)), 'samples'));
    }
    full.replaceChildren(...parts);
    if (focus && focus.act) {
        const again = [...root.querySelectorAll('button')].find(b => b.dataset.act === focus.act && b.dataset.name === focus.name);
        (again || root.querySelector(`li[data-job="${CSS.escape(focus.name || '')}"] button`))?.focus();
    }
};

// News is asked for while somebody looks: every second and a half while something runs, else now and then.
const ask = () => {
    const value = props.value || {};
    trigger('tick', { version: drawn, shown: value.shown, said: value.said || '', judges: value.judges,
                      questions: value.questions });
};
let since = Infinity;
const clock = setInterval(() => {
    if (!element.isConnected) { clearInterval(clock); return; }
    if (element.offsetParent === null || document.hidden) { since = Infinity; return; }
    since += 0.5;
    if (since >= ((props.value || {}).busy ? 1.5 : 8)) { since = 0; ask(); }
}, 500);
watch('value', draw);
draw();
