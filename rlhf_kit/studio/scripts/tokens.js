// A text as a strip of tinted tokens: one stop of the Tab key, arrow keys move inside, and the number of the token
// stands beneath, where screen readers hear it. `tokenStrip(label)` makes one; its `show` may be called again and again.
const signed = (x, digits = 2) => (x < 0 ? '−' : '+') + Math.abs(x).toFixed(digits);
const plain = (x, digits = 2) => (x < 0 ? '−' : '') + Math.abs(x).toFixed(digits);
const MOST_TINT = 50, LEAST_MARKED = 0.1;               // percent of colour; share of the largest number

const tokenStrip = label => {
    const box = make('div', '', { class: 'rk-strip' });
    const row = make('div', '', { class: 'rk-tokens', role: 'group', tabindex: '0', 'aria-label': label, lang: props.lang });
    const line = make('p', '', { class: 'rk-number', 'aria-live': 'polite' });
    box.append(row, line);
    let spans = [], now = -1, state = { tokens: [], say: () => '', hint: '' };
    const point = at => {
        if (spans[now]) spans[now].classList.remove('rk-on');
        now = at >= 0 && at < spans.length ? at : -1;
        if (now >= 0) spans[now].classList.add('rk-on');
        const said = now >= 0 ? state.say(state.tokens[now]) : state.hint;
        if (line.textContent !== said) line.textContent = said;
    };
    row.addEventListener('keydown', event => {
        const last = spans.length - 1;
        const to = { ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last,
                     ArrowDown: Math.min(now + 1, last), ArrowUp: Math.max(now - 1, 0) }[event.key];
        if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        point(to);
    });
    row.addEventListener('focus', () => { if (now < 0) point(0); });
    row.addEventListener('blur', () => point(-1));
    row.addEventListener('pointerover', event => {
        const at = spans.indexOf(event.target);
        if (at >= 0) point(at);
    });
    row.addEventListener('pointerleave', () => { if (document.activeElement !== row) point(-1); });
    row.addEventListener('click', event => { const at = spans.indexOf(event.target); if (at >= 0) point(at); });

    // tokens: [{ text, number, other }], number null = not known, other = to be set in bold; max: the number of full tint; say(token) -> line.
    const show = ({ tokens, max, say, hint }) => {
        state = { tokens, say, hint };
        spans = tokens.map(token => {
            const empty = token.text === '';
            const span = make('span', empty ? words.end_mark : token.text.replace(/\n/g, '↵\n'), { class: 'rk-token' });
            if (empty) span.classList.add('rk-end');
            const share = token.number === null || !(max > 0) ? 0 : Math.min(Math.abs(token.number) / max, 1);
            if (share > 0.01) {
                span.classList.add(token.number > 0 ? 'rk-plus' : 'rk-minus');
                span.style.setProperty('--tint', (share * MOST_TINT).toFixed(1) + '%');
            }
            if (share >= LEAST_MARKED) span.classList.add('rk-marked');
            if (token.other) span.classList.add('rk-other');
            return span;
        });
        row.replaceChildren(...spans);
        point(now);
    };
    return { element: box, show, row, line };
};
