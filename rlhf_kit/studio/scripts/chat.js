// A prompt as a conversation: what each said in a bubble of its own, what stands before it folded, examples marked as such.
// `chatView(box, prompt, chat)` fills the box, with plain text where there is no conversation; every text is textContent.
const bubble = (who, text, extra = '') => {
    const made = make('div', '', { class: `rk-turn rk-${who}${extra}`, role: 'listitem' });
    made.append(make('span', ({ user: words.chat_user, assistant: words.chat_assistant })[who], { class: 'rk-who' }), make('span', text, { class: 'rk-bubble', dir: 'auto' }));
    return made;
};
const folded = (title, text) => {
    const made = make('details', '', { class: 'rk-before' });
    made.append(make('summary', title), make('div', text, { class: 'rk-above', dir: 'auto' }));
    return made;
};
const chatView = (box, prompt, chat) => {
    box.classList.toggle('rk-chat', Boolean(chat));
    if (!chat) { box.textContent = prompt; return; }
    const parts = [], few = chat.kind === 'few-shot', turns = make('div', '', { class: 'rk-turns', role: 'list', 'aria-label': words.prompt });
    if (chat.preamble) parts.push(folded(words.chat_preamble, chat.preamble));
    if (chat.note) parts.push(make('p', chat.note, { class: 'rk-note' + (few ? ' rk-rule' : '') }));
    if (few && chat.turns.length > 1) {
        const shown = make('details', '', { class: 'rk-before' }), inside = make('div', '', { class: 'rk-turns', role: 'list', 'aria-label': words.chat_examples });
        shown.append(make('summary', fill(words.chat_shown, { n: (chat.turns.length - 1) / 2 })), inside);
        inside.append(...chat.turns.slice(0, -1).map(([who, text]) => bubble(who, text, ' rk-example')));
        parts.push(shown);
    }
    turns.append(...(few ? chat.turns.slice(-1) : chat.turns).map(([who, text]) => bubble(who, text)));
    box.replaceChildren(make('span', ({ plain: words.chat_plain, 'few-shot': words.chat_few_shot, 'user-based': words.chat_user_based })[chat.kind], { class: 'rk-kind' }), ...parts, turns);
};
