// One line of what has just happened. Its value is the text, or null. It is read out by screen readers, but at most every
// three seconds: what comes sooner stands beside the live region until then, and the last one always gets into it.
const EVERY = 3000;
const live = make('p', '', { role: 'status', 'aria-live': 'polite' }), silent = make('div');
element.querySelector('.rk-notice').append(live, silent);
let spoken = -Infinity, later;
const put = (read, unread) => { live.textContent = read; silent.textContent = unread; };   // taking away is not read out
const speak = text => { spoken = performance.now(); put(text, ''); };
const say = () => {
    const text = typeof props.value === 'string' ? keyless(props.value) : '', wait = spoken + EVERY - performance.now();
    clearTimeout(later);
    if (!text || text === live.textContent) put(text, '');
    else if (wait <= 0) speak(text);
    else { put('', text); later = setTimeout(speak, wait, text); }
};
watch('value', say);
say();
