// Where there is no keyboard, no sentence names a key: "Stop (Esc)" is "Stop".
const touch = matchMedia('(hover: none) and (pointer: coarse)').matches;
const keyless = text => touch ? text.replace(/\s*[(（](?:Ctrl\+[^)）]+|Esc|[A-Z])[)）](?:\s(?=[一-鿿]))?/g, '').replace(/^\d {2}/, '') : text;
const words = Object.fromEntries(Object.entries(props.words).map(([key, text]) => [key, keyless(text)]));
const fill = (sentence, values) => sentence.replace(/\{(\w+)[^}]*\}/g, (all, key) => key in values ? values[key] : all);
const make = (tag, text = '', attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
};
