// Two responses to choose from. Before the vote the value holds two texts and no names; after it, `reveal` as well.
const root = element.querySelector('.rk-pair');
let since = 0;
const empty = make('p', words.first_one, { class: 'empty' });
const all = make('div'), prompt = make('div', '', { class: 'prompt', dir: 'auto' }), progress = make('p', '', { class: 'progress' });
const asked = make('p', '', { class: 'asked', role: 'status' });
const sides = make('div', '', { class: 'sides' });
const cards = ['A', 'B'].map(letter => {
    const card = make('section', '', { class: 'side', 'aria-label': letter });
    card.append(make('h3', letter), make('p', '', { class: 'text', dir: 'auto' }), explained(make('p', '', { class: 'whose' }), fill(words.numbers_of, { name: letter })));
    sides.append(card);
    return card;
});
const bar = make('div', '', { class: 'bar' });
const button = (text, press, names) => {
    const made = make('button', text, { type: 'button', class: names });
    made.addEventListener('click', press);
    bar.append(made);
    return made;
};
const choices = ['a', 'tie', 'b', 'bad'].map((said, i) => button(words[`vote_${said}`], () => send('vote', said), `choice rk-key-${i + 1}`));
const next = button(words.next, () => trigger('next'), 'main rk-key-ctrl-enter');
button(words.undo, () => send('undo'), 'rk-key-ctrl-z');
const people = explained(make('p', '', { class: 'people' }), words.numbers_votes);
all.append(progress, prompt, asked, sides, bar, people);
root.append(empty, all);

function send(what, said) {
    const { annotator, task, repeat, question } = props.value ?? {};
    if (what === 'vote') props.value = { annotator, task, repeat, question, vote: said, seconds: (performance.now() - since) / 1000 };
    trigger(what === 'vote' ? 'vote' : 'undo');
}

function draw() {
    const value = props.value;
    if (value && !value.texts && !value.empty) return;              // what we sent ourselves
    all.hidden = !value?.texts;
    empty.hidden = Boolean(value?.texts);
    empty.textContent = value?.empty ?? words.first_one;
    next.hidden = !value?.reveal;
    if (!value?.texts) return;
    const reveal = value.reveal;
    progress.textContent = value.progress;
    chatView(prompt, value.prompt, value.chat);
    asked.textContent = value.asked || '';
    asked.hidden = !value.asked;
    cards.forEach((card, i) => {
        card.querySelector('.text').textContent = value.texts[i].replace(/^ /, '');            // English responses begin with one
        say(card.querySelector('.whose'), reveal ? words.whose : '', reveal ? { model: [reveal.models[i], ''],
            reward: [reveal.rewards[i], words.explain_reward], length: [String(reveal.lengths[i]), words.explain_length] } : {});
        card.classList.toggle('won', Boolean(reveal) && reveal.vote === 'ab'[i]);
    });
    choices.forEach((choice, i) => {
        choice.disabled = Boolean(reveal);
        choice.setAttribute('aria-pressed', String(Boolean(reveal) && reveal.vote === ['a', 'tie', 'b', 'bad'][i]));
    });
    say(people, reveal ? words.this_pair : '', Object.fromEntries(Object.entries(reveal?.people ?? {})
        .map(([said, n]) => [said, [String(n), words.explain_this_pair]])));
    for (const group of root.querySelectorAll('.rk-numbers')) group.tabIndex = reveal ? 0 : -1;
    if (reveal) next.focus({ preventScroll: true });
    else { since = performance.now(); if (root.contains(document.activeElement)) document.activeElement.blur(); }
}
watch('value', draw);
draw();
