// Small pictures in SVG, drawn with elements and text nodes; each has its numbers in words as its label.
const SVG = 'http://www.w3.org/2000/svg';
const draw = (tag, attributes = {}, text = '') => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== '') made.textContent = text;
    return made;
};
const WIDE = 420, HIGH = 180, LEFT = 34, RIGHT = 18, TOP = 10, BELOW = 34;
const COLOURS = ['#0072B2', '#D55E00', '#007A5A'];

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

const picture = (label, parts) => {
    const svg = draw('svg', { viewBox: '0 0 ' + WIDE + ' ' + HIGH, role: 'img', 'aria-label': label, class: 'rk-chart' });
    svg.append(...parts);
    return svg;
};

const reach = numbers => {
    const low = Math.min(...numbers), high = Math.max(...numbers), room = (high - low || 1) * 0.02;
    return [low - room, high + room];
};

// series: [[number, ...], ...], each in its colour, side by side in a bin; mark: a number to point at.
const histogram = ({ series, range, label, along, mark }) => {
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
    parts.push(...axes(low, high, across, along, String(most)));
    if (mark !== undefined && mark !== null) {
        const x = across(mark);
        parts.push(draw('line', { x1: x, x2: x, y1: TOP, y2: HIGH - BELOW, class: 'rk-mark' }),
                   draw('path', { d: 'M' + x + ' ' + (HIGH - BELOW) + ' l -6 8 l 12 0 z', class: 'rk-tip' }));
    }
    return picture(label, parts);
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
               draw('text', { x: LEFT + 4, y: TOP + 2 }, up));
    if (mark) parts.push(draw('circle', { cx: across(mark[0]), cy: over(mark[1]), r: 6, class: 'rk-tip' }));
    return picture(label, parts);
};
