const words = props.words;
const fill = (sentence, values) => sentence.replace(/\{(\w+)[^}]*\}/g, (all, key) => key in values ? values[key] : all);
const make = (tag, text = '', attributes = {}) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
};
