// A rule to be broken, what was said and answered, and five levels to press. The value after a press is {level: 0 to 4}.
const root = element.querySelector('.rk-attack');
const rule = make('p', '', { class: 'rule', dir: 'auto' });
const another = make('button', words.attack_other, { type: 'button' });
another.addEventListener('click', () => trigger('another'));
const talk = make('div', '', { class: 'talk', 'aria-live': 'polite' }), asked = make('p', words.attack_level, { class: 'asked' });
const bar = make('div', '', { class: 'bar', role: 'group', 'aria-label': words.attack_level });
const levels = [0, 1, 2, 3, 4].map(level => {
    const made = make('button', words[`level_${level}`], { type: 'button' });
    made.addEventListener('click', () => { props.value = { level }; trigger('level'); });
    bar.append(made);
    return made;
});
root.append(make('p', words.attack_rule, { class: 'what' }), rule, another, talk, asked, bar);

function draw() {
    const value = props.value;
    if (!value || !value.rule) return;                              // what we sent ourselves
    rule.textContent = value.rule;
    const answered = typeof value.text === 'string';
    for (const part of [talk, asked, bar]) part.hidden = !answered;
    if (!answered) return;
    chatView(talk, value.prompt, value.chat);
    const turns = talk.querySelector('.rk-turns') ?? talk;
    turns.append(bubble('assistant', value.text));
    levels.forEach((made, i) => made.setAttribute('aria-pressed', String(value.level === i)));
}
watch('value', draw);
draw();
