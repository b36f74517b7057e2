// What to look for, folded. The value is a text, which may have several lines.
const fold = make('details'), text = make('p', '', { dir: 'auto' });
fold.append(make('summary', words.guide), text);
element.querySelector('.rk-guide').append(fold);
const draw = () => { text.textContent = typeof props.value === 'string' ? props.value : ''; };
watch('value', draw);
draw();
