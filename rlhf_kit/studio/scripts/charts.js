// Small pictures in SVG, drawn with elements and text nodes; each has its numbers in words as its label, names with units
// at both axes, and says the numbers under the pointer, or under the arrow keys, in the line beneath.
const SVG = 'http://www.w3.org/2000/svg';
const draw = (tag, attributes = {}, text = '') => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== '') made.textContent = text;
    return made;
};
const WIDE = 420, HIGH = 190, LEFT = 38, RIGHT = 18, TOP = 22, BELOW = 34;
const COLOURS = ['#0072B2', '#D55E00', '#007A5A'], DASHES = ['none', '7 3', '2 3'];

// What every picture has: a line beneath with five numbers and what they are, and the highest number at the left.
const axes = (low, high, across, along, top) => {
    const parts = [draw('line', { x1: LEFT, x2: WIDE - RIGHT, y1: HIGH - BELOW, y2: HIGH - BELOW, class: 'rk-axis' })];
    for (let i = 0; i <= 4; i++) {
        const x = low + (high - low) * i / 4;
        parts.push(draw('text', { x: across(x), y: HIGH - BELOW + 14, 'text-anchor': 'middle' },
                        x.toFixed(high - low >= 20 ? 0 : high - low > 2 ? 1 : 2).replace('-', '−')));
    }
    parts.push(draw('text', { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 4, 'text-anchor': 'middle' }, along));
    parts.push(draw('text', { x: LEFT - 6, y: TOP + 8, 'text-anchor': 'end' }, top));
    return parts;
};

// at: what can be pointed at, [[x in the picture, line, y of a mark or null, ...more y], ...], from left to right.
const picture = (label, parts, at = [], wide = WIDE, high = HIGH) => {
    const figure = make('figure', '', { class: 'rk-figure' }), said = make('p', '', { class: 'rk-value', role: 'status' });
    const svg = draw('svg', { viewBox: '0 0 ' + wide + ' ' + high, role: 'img', 'aria-label': label, class: 'rk-chart' });
    svg.append(...parts);
    figure.append(svg, said);
    if (!at.length) return figure;
    const hair = draw('line', { y1: TOP, y2: high - BELOW, class: 'rk-hair', visibility: 'hidden' });
    const rings = Array.from({ length: Math.max(...at.map(one => one.length)) - 2 }, () => draw('circle', { r: 5, class: 'rk-ring', visibility: 'hidden' }));
    svg.append(hair, ...rings);
    svg.setAttribute('tabindex', '0');
    let now = -1;
    const point = index => {
        now = index;
        const [x, line, ...ys] = at[index] || [0, ''];
        said.textContent = line;
        for (const [name, value] of Object.entries({ x1: x, x2: x, visibility: line ? 'visible' : 'hidden' })) hair.setAttribute(name, value);
        rings.forEach((ring, i) => {
            const there = line && ys[i] !== null && ys[i] !== undefined;
            ring.setAttribute('visibility', there ? 'visible' : 'hidden');
            if (there) { ring.setAttribute('cx', x); ring.setAttribute('cy', ys[i]); }
        });
    };
    const nearest = event => {
        const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * wide, y = (event.clientY - box.top) / box.height * high;
        const far = at.map(([ax, , ay]) => Math.abs(ax - x) * 1000 + (ay === null || ay === undefined ? 0 : Math.abs(ay - y)));
        point(far.indexOf(Math.min(...far)));
    };
    svg.addEventListener('pointermove', nearest);
    svg.addEventListener('pointerdown', nearest);
    svg.addEventListener('pointerleave', () => { if (document.activeElement !== svg) point(-1); });
    svg.addEventListener('focus', () => { if (now < 0 && svg.matches(':focus-visible')) point(at.length - 1); });
    svg.addEventListener('blur', () => point(-1));
    svg.addEventListener('keydown', event => {
        const to = { ArrowRight: Math.min(now + 1, at.length - 1), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: at.length - 1 }[event.key];
        if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        point(to);
    });
    return figure;
};
const written = (x, digits = 2) => x.toFixed(digits).replace('-', '−');

const reach = numbers => {
    const low = Math.min(...numbers), high = Math.max(...numbers), room = (high - low || 1) * 0.02;
    return [low - room, high + room];
};

// series: [[number, ...], ...], each in its colour, side by side in a bin; names: of them; up: what is counted; mark: a
// number to point at.
const histogram = ({ series, range, label, along, up, names = [], mark }) => {
    const [low, high] = range, bins = 20, width = (WIDE - LEFT - RIGHT) / bins;
    const counted = series.map(numbers => {
        const counts = Array(bins).fill(0);
        for (const x of numbers) counts[Math.max(0, Math.min(bins - 1, Math.floor((x - low) / (high - low) * bins)))]++;
        return counts;
    });
    const most = Math.max(1, ...counted.flat());
    const across = x => LEFT + Math.max(0, Math.min(1, (x - low) / (high - low))) * (WIDE - LEFT - RIGHT);
    const tall = n => n / most * (HIGH - TOP - BELOW);
    const parts = counted.flatMap((counts, s) => counts.map((n, i) => draw('rect', {
        x: LEFT + i * width + 1 + s * (width - 2) / series.length, width: Math.max((width - 2) / series.length, 1),
        y: HIGH - BELOW - tall(n), height: tall(n), fill: COLOURS[s] })));
    parts.push(...axes(low, high, across, along, String(most)), draw('text', { x: LEFT, y: TOP - 10 }, up));
    if (mark !== undefined && mark !== null) {
        const x = across(mark);
        parts.push(draw('line', { x1: x, x2: x, y1: TOP, y2: HIGH - BELOW, class: 'rk-mark' }),
                   draw('path', { d: 'M' + x + ' ' + (HIGH - BELOW) + ' l -6 8 l 12 0 z', class: 'rk-tip' }));
    }
    const edge = i => written(low + (high - low) * i / bins);
    return picture(label, parts, counted[0].map((_, i) => [LEFT + (i + 0.5) * width, along + ' ' + edge(i) + ' – ' + edge(i + 1) + ': '
        + counted.map((counts, s) => (names[s] ? names[s] + ' ' : '') + counts[i]).join(', '), null]));
};

// points: [[x, y], ...]; mark: one more, drawn large.
const scatter = ({ points, mark, label, along, up }) => {
    const all = mark ? [...points, mark] : points;
    const [left, right] = reach(all.map(p => p[0])), [low, high] = reach(all.map(p => p[1]));
    const across = x => LEFT + (x - left) / (right - left) * (WIDE - LEFT - RIGHT);
    const over = y => HIGH - BELOW - (y - low) / (high - low) * (HIGH - TOP - BELOW);
    const parts = points.map(([x, y]) => draw('circle', { cx: across(x), cy: over(y), r: 2.5, class: 'rk-dot' }));
    parts.push(...axes(left, right, across, along, high.toFixed(1)),
               draw('text', { x: LEFT - 6, y: HIGH - BELOW, 'text-anchor': 'end' }, low.toFixed(1)),
               draw('text', { x: LEFT, y: TOP - 10 }, up));
    if (mark) parts.push(draw('circle', { cx: across(mark[0]), cy: over(mark[1]), r: 6, class: 'rk-tip' }));
    return picture(label, parts, [...points].sort((a, b) => a[0] - b[0]).map(([x, y]) => [
        across(x), along + ' ' + written(x, 0) + ', ' + up + ' ' + written(y), over(y)]));
};

// series: [{ name, points: [[x, y], ...] }, ...], each in its colour and dashes; last: the right end; up: what y is, and
// its unit; along: what x is.
const lines = ({ series, last, label, along, up, breadth = 300, height = 150 }) => {
    const all = series.flatMap(one => one.points), firsts = all.map(p => p[0]), ys = all.map(p => p[1]);
    const low = Math.min(0, ...ys), high = Math.max(low + 0.01, ...ys), left = Math.min(...firsts, 1), right = Math.max(last, left + 1);
    const across = x => LEFT + (x - left) / (right - left) * (breadth - LEFT - RIGHT);
    const over = y => height - BELOW - (y - low) / (high - low) * (height - TOP - BELOW);
    const digits = high - low >= 20 ? 0 : high - low > 2 ? 1 : 2;
    const parts = [draw('line', { x1: LEFT, x2: breadth - RIGHT, y1: height - BELOW, y2: height - BELOW, class: 'rk-axis' }),
                   draw('text', { x: (LEFT + breadth - RIGHT) / 2, y: height - 4, 'text-anchor': 'middle' }, along),
                   draw('text', { x: LEFT, y: TOP - 10 }, up)];
    for (const x of [left, right]) parts.push(draw('text', { x: across(x), y: height - BELOW + 14, 'text-anchor': x === left ? 'start' : 'end' }, String(x)));
    for (const y of [low, (low + high) / 2, high])
        parts.push(draw('line', { x1: LEFT, x2: breadth - RIGHT, y1: over(y), y2: over(y), class: 'rk-grid' }),
                   draw('text', { x: LEFT - 5, y: over(y) + 4, 'text-anchor': 'end' }, written(y, digits)));
    series.forEach((one, s) => {
        parts.push(draw('polyline', { points: one.points.map(p => across(p[0]) + ',' + over(p[1])).join(' '), fill: 'none', class: 'rk-line',
                                      stroke: COLOURS[s % COLOURS.length], 'stroke-dasharray': DASHES[s % DASHES.length] }));
        const end = one.points[one.points.length - 1];
        if (end) parts.push(draw('circle', { cx: across(end[0]), cy: over(end[1]), r: 3.5, fill: COLOURS[s % COLOURS.length] }));
    });
    const steps = [...new Set(firsts)].sort((a, b) => a - b);
    return picture(label, parts, steps.map(x => {
        const found = series.map(one => one.points.find(p => p[0] === x));
        return [across(x), along + ' ' + x + ': ' + series.map((one, s) => found[s] ? (series.length > 1 ? one.name + ': ' : '') + written(found[s][1]) : '')
            .filter(Boolean).join('; '), ...found.map(p => p ? over(p[1]) : null)];
    }), breadth, height);
};
