// Numbers that say what they are: a group of them is one stop of the Tab key, arrow keys move inside, and a line beside
// the number tells its meaning, where screen readers hear it. Escape puts the line away.
const told = make('p', '', { class: 'rk-explain', role: 'status', hidden: '' });
element.append(told);
let pointed = null;
const tell = (number, line) => {
    pointed = line ? number : null;
    told.textContent = line;
    told.hidden = !line;
    if (line) standBeside(number);
};
const standBeside = number => {
    const at = number.getBoundingClientRect(), own = told.getBoundingClientRect();
    const below = at.bottom + 6 + own.height < innerHeight;
    told.style.left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - own.width - 8)) + 'px';
    told.style.top = (below ? at.bottom + 6 : Math.max(8, at.top - own.height - 6)) + 'px';
};

// group: an element whose children are the numbers, each with its line in `data-about`; its children may be replaced.
const explained = (group, label) => {
    let now = -1;
    for (const [name, value] of Object.entries({ tabindex: '0', role: 'group', 'aria-label': label })) group.setAttribute(name, value);
    group.classList.add('rk-numbers');
    const point = at => {
        group.querySelector('.rk-told')?.classList.remove('rk-told');
        now = at;
        const number = group.children[at];
        if (number) number.classList.add('rk-told');
        tell(number, number ? number.dataset.about || '' : '');
    };
    const of = event => [...group.children].indexOf(event.target.closest('[data-about]'));
    group.addEventListener('keydown', event => {
        const last = group.children.length - 1;
        const to = { ArrowRight: Math.min(now + 1, last), ArrowLeft: Math.max(now - 1, 0), Home: 0, End: last }[event.key];
        if (event.key === 'Escape' && !told.hidden) { point(-1); event.stopPropagation(); return; }
        if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        point(to);
    });
    group.addEventListener('focus', () => { if (now < 0 && group.matches(':focus-visible')) point(0); });
    group.addEventListener('blur', () => point(-1));
    group.addEventListener('pointerover', event => { const at = of(event); if (at >= 0) point(at); });
    group.addEventListener('pointerleave', () => point(-1));
    group.addEventListener('click', event => { const at = of(event); if (at >= 0) point(at); });
    return group;
};
// A sentence whose numbers explain themselves; parts: { field: [what is written there, its line], ... }.
const say = (group, sentence, parts) => group.replaceChildren(...sentence.split(/(\{\w+\})/).map(bit => {
    const part = parts[bit.slice(1, -1)];
    return bit.startsWith('{') && part ? make('span', part[0], part[1] ? { 'data-about': part[1] } : {}) : document.createTextNode(bit);
}));
// One element on its own, such as the head of a row: with its line, and a stop of the Tab key unless that is another's.
const explain = (one, line, stop = true) => {
    if (stop) one.setAttribute('tabindex', '0');
    one.classList.add('rk-explained');
    for (const event of ['pointerenter', 'focus', 'click']) one.addEventListener(event, () => tell(one, line));
    for (const event of ['pointerleave', 'blur']) one.addEventListener(event, () => tell(one, ''));
    one.addEventListener('keydown', event => { if (event.key === 'Escape') tell(one, ''); });
    return one;
};
window.addEventListener('scroll', () => {                       // it goes along, until its number is out of sight
    if (!pointed) return;
    const at = pointed.getBoundingClientRect();
    if (at.bottom < 0 || at.top > innerHeight) tell(pointed, '');
    else standBeside(pointed);
}, { passive: true });
