// Two charts over the same points: what the reward model says and what is true, against drift. The point that is meant has
// a ring in both, and its numbers, settings and texts below; every text is textContent.
const SVG = 'http://www.w3.org/2000/svg', WIDE = 440, HIGH = 320, LEFT = 34, RIGHT = 12, TOP = 12, BELOW = 40, NEAR = 48;
const svgPart = (tag, attributes = {}, text = '') => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== '') made.textContent = text;
    return made;
};
const root = element.querySelector('.rk-frontier');
const waiting = make('p', words.loading), lead = make('p', '', { class: 'lead' }), said = make('ul', '', { class: 'headline' });
const charts = make('div', '', { class: 'charts' }), legend = make('ul', '', { class: 'legend' });
const card = make('section', '', { class: 'card', 'aria-live': 'polite', 'aria-label': words.picked });
root.append(waiting, lead, said, charts, legend, card);
let now = 0, places = [];

const list = entries => {
    const made = make('dl');
    for (const [name, value] of entries) {
        const pair = make('div');
        pair.append(make('dt', name), make('dd', value));
        made.append(pair);
    }
    return made;
};
const written = (value, text) => {
    const made = make('div', '', { class: 'answer' });
    made.append(make('span', text.prompt, { class: 'asked', dir: 'auto' }), make('span', text.response, { dir: 'auto' }));
    for (const { name } of value.charts) {
        const meter = make('div', '', { class: 'meter' }), bar = make('i'), filled = make('b', '', { class: name });
        filled.style.width = 100 * Math.min(Math.max(text[name], 0), 1) + '%';
        bar.append(filled);
        meter.append(bar, value.meters[name] + ' ' + text[name].toFixed(2));
        made.append(meter);
    }
    return made;
};

function choose(value, place) {
    now = place;
    const point = value.points[place];
    for (const chart of places) {
        chart.ring.setAttribute('cx', chart.at[place][0]);
        chart.ring.setAttribute('cy', chart.at[place][1]);
    }
    card.replaceChildren(make('h3', point.title), list(point.numbers));
    if (point.settings.length) card.append(make('h4', words.of), list(point.settings));
    card.append(make('h4', words.texts), ...(point.texts.length ? point.texts.map(text => written(value, text)) : [make('p', words.no_texts)]));
}

function chart(value, one) {
    const most = Math.max(...value.points.map(point => point.x), 1), figure = make('figure'), at = [];
    const across = x => LEFT + x / most * (WIDE - LEFT - RIGHT), up = y => HIGH - BELOW - y * (HIGH - TOP - BELOW);
    const svg = svgPart('svg', { viewBox: `0 0 ${WIDE} ${HIGH}`, role: 'img', tabindex: '0', 'aria-label': `${one.title}. ${value.across}` });
    for (let y = 0; y <= 4; y++) {
        svg.append(svgPart('line', { x1: LEFT, x2: WIDE - RIGHT, y1: up(y / 4), y2: up(y / 4), class: 'grid' }),
                   svgPart('text', { x: LEFT - 6, y: up(y / 4) + 4, 'text-anchor': 'end' }, (y / 4).toFixed(2)));
    }
    const step = Math.max(1, Math.ceil(most / 6));
    for (let x = 0; x <= most; x += step) svg.append(svgPart('text', { x: across(x), y: HIGH - BELOW + 16, 'text-anchor': 'middle' }, String(x)));
    svg.append(svgPart('text', { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 6, 'text-anchor': 'middle' }, value.across));
    const start = value.points[0];
    for (const method of value.methods) {
        const own = value.points.filter(point => point.method === method.name);
        const along = (own[0] === start ? own : [start, ...own]).map(point => `${across(point.x)},${up(point[one.name][0])}`);
        svg.append(svgPart('polyline', { points: along.join(' '), stroke: method.colour, class: 'along' }));
    }
    for (const point of value.points) {
        const { colour } = value.methods.find(method => method.name === point.method), [mean, low, high] = point[one.name];
        const [x, y] = [across(point.x), up(mean)];
        at.push([x, y]);
        svg.append(svgPart('line', { x1: x, x2: x, y1: up(low), y2: up(high), stroke: colour }),
                   svgPart('circle', { cx: x, cy: y, r: 5, fill: colour, class: 'point' }));
    }
    const ring = svg.appendChild(svgPart('circle', { r: 9, class: 'ring' }));
    const nearest = event => {
        const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * WIDE, y = (event.clientY - box.top) / box.height * HIGH;
        const away = at.map(place => Math.hypot(place[0] - x, place[1] - y)), least = Math.min(...away);
        if (least < NEAR && away.indexOf(least) !== now) choose(value, away.indexOf(least));
    };
    for (const kind of ['pointermove', 'pointerdown']) svg.addEventListener(kind, nearest);
    svg.addEventListener('keydown', event => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        choose(value, (now + by + value.points.length) % value.points.length);
    });
    figure.append(make('figcaption', one.title), svg);
    charts.append(figure);
    return { at, ring };
}

function show() {
    const value = props.value;
    if (!value) return;
    waiting.hidden = Boolean(value.points);
    waiting.textContent = value.gone ?? words.loading;
    for (const part of [lead, said, charts, legend, card]) part.hidden = !value.points;
    if (!value.points) return;
    lead.textContent = value.lead;
    said.replaceChildren(...value.headline.map(line => make('li', line)));
    legend.replaceChildren(...value.methods.map(method => {
        const made = make('li'), dot = make('i');
        dot.style.background = method.colour;
        made.append(dot, method.title);
        return made;
    }));
    charts.replaceChildren();
    places = value.charts.map(one => chart(value, one));
    choose(value, value.begin);
}
watch('value', show);
show();
