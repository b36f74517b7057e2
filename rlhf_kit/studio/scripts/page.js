// For the page itself, not for one widget. A key presses the visible button that has it as a class: `rk-key-ctrl-enter`,
// `rk-key-1`, `rk-key-escape`. In text fields only Ctrl+Enter and Escape do; in a list to choose from, Escape closes the
// list. Ctrl+. turns the keys that are letters, digits or signs off and on (WCAG 2.1.4), also for the scripts of widgets:
// `data-rk-keys="off"` on <html>.
(() => {
    const flags = document.documentElement.dataset;
    const noText = ['button', 'checkbox', 'color', 'file', 'image', 'radio', 'range', 'reset', 'submit'];
    const fields = `input:not(${noText.map(type => `[type=${type}]`)}), textarea, select, [contenteditable]`;
    let quiet;
    const turn = () => {
        const on = flags.rkKeys === 'off', said = document.querySelector('.rk-keys');
        if (on) delete flags.rkKeys; else flags.rkKeys = 'off';
        if (!said) return;
        said.textContent = on ? said.dataset.on : said.dataset.off;
        clearTimeout(quiet);
        if (on) quiet = setTimeout(() => { said.textContent = ''; }, 5000);
    };
    document.addEventListener('keydown', event => {
        if (event.ctrlKey && event.key === '.') { turn(); event.preventDefault(); return; }
        // A list that is open would stay so when Tab leaves it; Gradio closes it on Escape.
        if (event.key === 'Tab' && event.target.matches('[role=combobox][aria-expanded=true]'))
            event.target.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', code: 'Escape', bubbles: true }));
        const typing = event.target.closest(fields), escape = event.key === 'Escape';
        const withCtrl = event.ctrlKey || event.metaKey;
        if (event.altKey || event.defaultPrevented) return;
        if (typing && !(withCtrl && event.key === 'Enter') && !escape) return;
        if (escape && event.target.closest('select, [role=combobox], [role=listbox]')) return;
        if (flags.rkKeys === 'off' && !withCtrl && !escape) return;
        const name = withCtrl ? { Enter: 'ctrl-enter', z: 'ctrl-z' }[event.key]
                              : { Escape: 'escape' }[event.key] || event.key.toLowerCase();
        if (!name || !/^[a-z0-9?-]+$/.test(name)) return;
        const buttons = [...document.querySelectorAll(`.rk-key-${CSS.escape(name)}`)];
        const button = buttons.find(b => b.offsetParent !== null && !b.disabled);
        if (button) { event.preventDefault(); button.click(); }
    });

    // Each tab has an address, #TAB, and a comparison #compare/KEY (compare.js): the back button and a reload lead there,
    // and the other language opens the same.
    const tabOf = hash => hash.replace(/^#/, '').split('/')[0];
    const buttonOf = tab => /^[a-z]+$/.test(tab) ? document.querySelector(`[role=tab][data-tab-id=${tab}]`) : null;
    const go = () => {
        const button = buttonOf(tabOf(location.hash) || document.querySelector('[role=tab]')?.dataset.tabId || '');
        if (button && button.getAttribute('aria-selected') !== 'true') button.click();
        return button;
    };
    let arrived = !location.hash, leading = false;
    const arrive = () => {
        if (arrived || !document.querySelector('[role=tab]')) return;
        leading = true;
        const button = go();                                    // a tab does not listen yet when it is first seen
        leading = false;
        arrived = !button || button.getAttribute('aria-selected') === 'true';
    };
    window.addEventListener('popstate', () => {
        leading = true;
        go();
        leading = false;
        window.dispatchEvent(new Event('rk-address'));
    });
    document.addEventListener('click', event => {
        const link = event.target.closest?.('.rk-language a');
        if (link) link.href = link.getAttribute('href').replace(/#.*$/, '') + location.hash;
        const tab = event.target.closest?.('[role=tab][data-tab-id]')?.dataset.tabId;
        if (!tab || leading) return;
        arrived = true;
        if (tab === tabOf(location.hash)) return;
        const first = document.querySelector('[role=tab]').dataset.tabId;
        if (tab === first && !location.hash) return;
        const address = tab === 'compare' && flags.rkCompare ? flags.rkCompare : '#' + tab;
        history.pushState(null, '', location.pathname + location.search + address);     // "#data" alone would be of /, not of /zh
    });

    // What is folded behind the button before it; page.css hides it, so that its fields are in the page all the time.
    const folds = () => document.querySelectorAll('.rk-fold-button:not([aria-expanded])')
        .forEach(button => button.setAttribute('aria-expanded', 'false'));
    document.addEventListener('click', event => {
        const button = event.target.closest?.('.rk-fold-button');
        if (button) button.setAttribute('aria-expanded', String(button.getAttribute('aria-expanded') !== 'true'));
    });

    // Below a notebook's cell the page says how high it is, so that its frame has no scroll bar and no empty room (inline.py).
    const framed = window.parent !== window;
    if (framed) document.documentElement.classList.add('rk-framed');
    let high = 0, ticks = 0;
    const tellHeight = () => {
        const content = framed && document.querySelector('main > .column');
        if (!content) return;
        const now = Math.ceil(content.getBoundingClientRect().bottom + scrollY) + 12;
        if (now === high && ++ticks % 10) return;               // now and then again, for a notebook that listens late
        high = now;
        window.parent.postMessage({ rlhfKitHeight: now }, '*');
    };
    setInterval(() => { folds(); arrive(); tellHeight(); }, 200);       // an observer would be asked at every step of drawing

    // A request that reaches nobody means that the server is gone; the next one that does means that it is back.
    // Gradio's own message about that is English on every page, and hidden by page.css.
    const fetched = window.fetch.bind(window);
    const gone = yes => document.documentElement.classList.toggle('rk-server-gone', yes);
    window.fetch = (...asked) => fetched(...asked).then(
        answer => { gone(false); return answer; },
        error => { if (error.name !== 'AbortError') gone(true); throw error; });
})();
