// Who has entered, and the way out. The value is the name.
const root = element.querySelector('.rk-who');
const draw = () => {
    root.replaceChildren();
    if (typeof props.value !== 'string' || !props.value) return;
    const out = make('button', words.leave, { type: 'button' });
    out.addEventListener('click', async () => {
        try { await fetch('logout'); } finally { location.reload(); }
    });
    root.append(make('span', fill(words.you_are, { name: props.value })), out);
};
watch('value', draw);
draw();
