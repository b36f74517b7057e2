// A file of prompts, read here and put into the field above; it goes nowhere else.
const LARGEST = 200000;
const root = element.querySelector('.rk-file');
const label = make('label', words.from_file), box = make('input', '', { type: 'file', accept: '.txt,.jsonl,.json,.csv,text/plain' });
const said = make('p', '', { role: 'status' });
label.append(box);
root.append(label, said);
box.addEventListener('change', async () => {
    const file = box.files[0];
    if (!file) return;
    const text = await file.text();
    said.textContent = fill(text.length > LARGEST ? words.file_cut : words.file_read, { name: file.name });
    trigger('read', { text: text.slice(0, LARGEST) });
    box.value = '';
});
