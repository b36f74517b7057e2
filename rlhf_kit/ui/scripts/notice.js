// One line of what has just happened, read out by screen readers. Its value is the text, or null.
const line = make('p', '', { role: 'status', 'aria-live': 'polite' });
element.querySelector('.rk-notice').append(line);
const say = () => { line.textContent = typeof props.value === 'string' ? props.value : ''; };
watch('value', say);
say();
