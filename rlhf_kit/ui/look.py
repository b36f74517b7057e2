"""How every page looks: a theme whose fonts are the system's, colours that are told apart by everybody, a few rules."""

from __future__ import annotations

import gradio as gr

# Chinese first asks for the fonts of macOS, Windows and Linux. The bold font that Gradio brings is incomplete.
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC",
         "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono CJK SC", "monospace")

THEME = gr.themes.Default(font=FONTS, font_mono=MONO).set(
    button_primary_background_fill="#9a3412", button_primary_background_fill_dark="#9a3412",
    button_primary_background_fill_hover="#7c2d12", button_primary_background_fill_hover_dark="#7c2d12",
    button_primary_text_color="#ffffff", button_primary_text_color_dark="#ffffff",
    # Gradio's own greys and its orange are too pale on white for WCAG AA.
    body_text_color_subdued="#52525b", body_text_color_subdued_dark="#b4b4bd", block_info_text_color="#52525b",
    block_info_text_color_dark="#b4b4bd", block_label_text_color="#52525b", block_title_text_color="#3f3f46",
    input_placeholder_color="#6b6b74", input_placeholder_color_dark="#a1a1aa", color_accent="#9a3412",
    slider_color="#9a3412", slider_color_dark="#ea580c")

CSS = """
.gradio-container { max-width: 1100px !important; }
footer, .nav-holder { display: none !important; }
.rk-head { display: grid !important; grid-template-columns: 1fr auto; align-items: start; }
.rk-head .block { overflow: visible !important; }
.tab-container button.selected { color: #9a3412 !important; }
.dark .tab-container button.selected { color: #fb923c !important; }
.rk-language { flex: 0 0 auto !important; min-width: 5em !important; text-align: right; overflow: visible !important; }
@media (max-width: 480px) { .gradio-container { padding: 8px !important; } }
"""

# A key presses the visible button that has it as a class: `rk-key-ctrl-enter`, `rk-key-1`, `rk-key-escape`. In text
# fields only Ctrl+Enter and Escape do; in a list to choose from, Escape closes the list. Ctrl+. turns the keys that are
# letters, digits or signs off and on (WCAG 2.1.4), also for the scripts of widgets: `data-rk-keys="off"` on <html>.
# A request that reaches nobody means that the server is gone; the next one that does means that it is back.
# Gradio's own message about that is English on every page, and its CSS is for what is inside of its container.
HEAD = """<style>
.rk-lost { display: none; margin: 0; padding: .6em 1em; border-radius: 6px; background: #9a3412;
           color: #fff !important; }
.rk-server-gone .rk-lost { display: block; position: fixed; z-index: 10000; top: 8px; left: 50%;
                           transform: translateX(-50%); max-width: 92vw; }
.rk-server-gone .toast-wrap { display: none; }
.rk-keys { position: fixed; z-index: 10000; bottom: 8px; left: 8px; margin: 0; border-radius: 6px;
           background: #27272a; color: #fff !important; }
.rk-keys:not(:empty) { padding: .4em .8em; }
</style>
<script>
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
    const fetched = window.fetch.bind(window);
    const gone = yes => document.documentElement.classList.toggle('rk-server-gone', yes);
    window.fetch = (...asked) => fetched(...asked).then(
        answer => { gone(false); return answer; },
        error => { if (error.name !== 'AbortError') gone(true); throw error; });
})();
</script>"""
