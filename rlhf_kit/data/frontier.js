// The page of `rlhf-kit frontier`: the mark that is pointed at, with its settings and its texts. Texts go in as text.
const points = JSON.parse(document.getElementById('points').textContent);
const figures = [...document.querySelectorAll('figure')];
const rows = [...document.querySelectorAll('tr[data-place]')];
const near = 40;                                            // pixels within which a mark is meant
let chosen = points.begin;

function element(name, text, parent, kind) {
  const made = parent.appendChild(document.createElement(name));
  if (text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function pairs(list, entries) {
  list.replaceChildren();
  for (const [name, value] of entries) { element('dt', name, list); element('dd', value, list); }
}

function centre(figure, place) {
  const mark = figure.querySelector(`#proxy-${place}, #gold-${place}`);
  if (!mark) return null;
  const box = mark.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}

function ring(figure, place) {
  const svg = figure.querySelector('svg'), at = centre(figure, place);
  let circle = svg.querySelector('#ring');
  if (!circle) {
    circle = svg.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'circle'));
    circle.id = 'ring';
    circle.setAttribute('r', 8);
  }
  const spot = new DOMPoint(...at).matrixTransform(svg.getScreenCTM().inverse());
  circle.setAttribute('cx', spot.x);
  circle.setAttribute('cy', spot.y);
}

function show(place) {
  chosen = place;
  const point = points.all[place];
  document.getElementById('title').textContent = point.title;
  pairs(document.getElementById('numbers'), point.numbers);
  pairs(document.getElementById('settings'), point.settings);
  document.getElementById('of').hidden = !point.settings.length;
  const texts = document.getElementById('texts');
  texts.replaceChildren();
  for (const text of point.texts) {
    const answer = element('div', null, texts, 'answer');
    element('span', text.prompt, answer);
    answer.append(text.response);
    for (const name of ['proxy', 'gold']) {
      const meter = element('div', null, answer, 'meter');
      const bar = element('b', '', element('i', null, meter));
      bar.style.width = `${100 * text[name]}%`;
      bar.style.background = `var(--${name})`;
      meter.append(`${points.names[name]} ${text[name].toFixed(2)}`);
    }
  }
  for (const row of rows) row.classList.toggle('on', Number(row.dataset.place) === place);
  for (const figure of figures) ring(figure, place);
}

function nearest(figure, event) {
  let best = null, least = near;
  points.all.forEach((_, place) => {
    const at = centre(figure, place);
    const away = at && Math.hypot(at[0] - event.clientX, at[1] - event.clientY);
    if (at && away < least) { least = away; best = place; }
  });
  return best;
}

for (const figure of figures) {
  for (const kind of ['pointermove', 'pointerdown']) {
    figure.addEventListener(kind, event => {
      const place = nearest(figure, event);
      if (place !== null && place !== chosen) show(place);
    });
  }
  figure.addEventListener('keydown', event => {
    const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    show((chosen + step + points.all.length) % points.all.length);
  });
}
for (const row of rows) row.addEventListener('click', () => show(Number(row.dataset.place)));
show(chosen);
