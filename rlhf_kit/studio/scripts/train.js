const MOST = 5;                     // trainings that are shown without asking
const MOST_OVER = 2;                // other trainings in the charts
const root = element.querySelector('.rk-train') || element;
const said = make('p', '', { class: 'said', role: 'status', 'aria-live': 'polite' });
const counted = make('p', '', { class: 'counted', 'aria-live': 'polite' });
const list = make('ul', '', { class: 'jobs', 'aria-label': words.trainings });
const full = make('div', '', { class: 'full' });
const older = make('ul', '', { class: 'jobs', 'aria-label': words.older });
const rest = make('details');
rest.append(make('summary', words.older), older);
root.append(counted, said, list, rest, full);

// One picture of a curve, with the same of other trainings laid over it; it says what it means beneath.
const short = value => (Math.abs(value) < 0.005 ? 0 : value).toFixed(Math.abs(value) >= 10 ? 0 : 2);
const chart = (curve, name, steps) => {
    const box = make('div', '', { class: 'curve' }), last = curve.points[curve.points.length - 1];
    const label = fill(words.latest, { title: curve.title, value: short(last[1]), step: last[0] });
    const series = [{ name, points: curve.points }, ...curve.others].map(one => ({ ...one, points: one.points.filter(([, y]) => Number.isFinite(y)) }));
    const ends = series.flatMap(one => one.points.map(p => p[0]));
    box.append(explain(make('h4', curve.title), curve.about), lines({ series, last: Math.max(steps, ...ends), label, along: words.step, up: curve.unit }),
               make('p', label, { class: 'latest' }));
    return box;
};
const legend = (name, others) => {
    const list = make('ul', '', { class: 'legend' });
    [name, ...others.map(one => one.name)].forEach((one, i) => {
        const item = make('li', one), mark = make('span', '', { class: 'mark' });
        mark.style.borderTop = `3px ${['solid', 'dashed', 'dotted'][i]} ${COLOURS[i]}`;
        item.prepend(mark);
        list.append(item);
    });
    return list;
};

// How long a training will take yet, from how fast its steps came while this page looked.
const paces = new Map();
const left = job => {
    if (job.state !== 'running' || !job.done) { paces.delete(job.name); return ''; }
    const first = paces.get(job.name) ?? { at: performance.now(), done: job.done };
    paces.set(job.name, first);
    if (job.done - first.done < 2) return '';
    const seconds = (performance.now() - first.at) / 1000 / (job.done - first.done) * (job.steps - job.done);
    const time = seconds < 90 ? fill(words.seconds, { n: Math.max(1, Math.round(seconds)) }) : fill(words.minutes, { n: Math.round(seconds / 60) });
    return ' · ' + fill(words.time_left, { time });
};

const over = () => (props.value || {}).over || [];
const button = (text, act, name) => {
    const made = make('button', text, { type: 'button', 'data-act': act, 'data-name': name,
                                        'aria-label': `${text}: ${name}` });
    made.addEventListener('click', () => trigger('act', { act, name, over: over() }));
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
    row.append(head, make('div', job.text + left(job), { class: 'text' }));
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
    if (!chosen && job.overlay) {
        const laid = over().includes(job.name);
        const made = make('button', laid ? words.overlaid : words.overlay, { type: 'button', 'data-act': 'over', 'data-name': job.name,
            'aria-pressed': String(laid), 'aria-label': `${laid ? words.overlaid : words.overlay}: ${job.name}` });
        made.addEventListener('click', () => trigger('act', { act: 'over', name: (props.value || {}).shown,
            over: laid ? over().filter(name => name !== job.name) : [...over().slice(1 - MOST_OVER), job.name] }));
        buttons.append(made);
    }
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
const paint = () => {
    const value = props.value || {};
    if (!value.version || value.version === drawn) return;
    drawn = value.version;
    const looked = [...root.querySelectorAll('.rk-chart')].indexOf(document.activeElement);
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
        curves.append(...shown.curves.map(curve => chart(curve, shown.called, shown.steps)));
        if (shown.curves[0]?.others.length) parts.push(legend(shown.called, shown.curves[0].others));
        parts.push(curves);
        if (shown.table.length) {
            const measures = table([words.measure, words.before, words.after], shown.table, 'measures');
            measures.querySelectorAll('tbody th').forEach((head, i) => explain(head, shown.about[i]));
            parts.push(measures);
        }
        if (shown.samples.length) parts.push(table([words.prompt, words.before, words.after],
            shown.samples.map(row => row.map(text => text.trim() || words.empty)), 'samples'));
    }
    full.replaceChildren(...parts);
    if (looked >= 0) root.querySelectorAll('.rk-chart')[looked]?.focus();
    if (focus && focus.act) {
        const again = [...root.querySelectorAll('button')].find(b => b.dataset.act === focus.act && b.dataset.name === focus.name);
        (again || root.querySelector(`li[data-job="${CSS.escape(focus.name || '')}"] button`))?.focus();
    }
};

// News is asked for while somebody looks: every second and a half while something runs, else now and then.
const ask = () => {
    const value = props.value || {};
    trigger('tick', { version: drawn, shown: value.shown, said: value.said || '', judges: value.judges,
                      questions: value.questions, over: value.over });
};
let since = Infinity;
const clock = setInterval(() => {
    if (!element.isConnected) { clearInterval(clock); return; }
    if (element.offsetParent === null || document.hidden) { since = Infinity; return; }
    since += 0.5;
    if (since >= ((props.value || {}).busy ? 1.5 : 8)) { since = 0; ask(); }
}, 500);
watch('value', paint);
paint();
