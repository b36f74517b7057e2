// Asks for news every five seconds, as long as somebody looks.
const EVERY = 5000;
const said = make('p', words.live);
element.querySelector('.rk-live').append(said);
const clock = setInterval(() => {
    if (!element.isConnected) { clearInterval(clock); return; }
    if (element.offsetParent !== null && !document.hidden) trigger('tick', {});
}, EVERY);
