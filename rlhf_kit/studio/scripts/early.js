// The saved comparison, drawn while Gradio still begins: by the same script, with the same words and value, out of the page's
// own configuration. It can be looked at, not pressed; as soon as the page has drawn its own, it is gone.
(() => {
    const early = document.currentScript.previousElementSibling, parts = window.gradio_config.components || [];
    const shown = parts.find(part => part.props.elem_id === 'rk-compare-view')?.props;
    const tabs = parts.filter(part => part.type === 'tabitem').map(part => part.props);
    const heading = parts.find(part => part.type === 'markdown')?.props.value || '';
    const dark = new URLSearchParams(location.search).get('__theme') || (matchMedia('(prefers-color-scheme: dark)').matches && 'dark');
    const over = () => early.remove();
    const first = !tabs.length || tabs[0].elem_id === 'rk-tab-compare';
    if (!first || !shown?.value || !/^(#compare)?$/.test(location.hash) || window.parent !== window) { over(); return; }
    const element = early.querySelector('div'), style = document.createElement('style'), colours = document.createElement('link');
    style.textContent = `#rk-early { ${shown.css_template} }`;
    early.append(style);
    early.classList.toggle('dark', dark === 'dark');
    early.querySelector('b').textContent = heading.split('\n')[0].replace('# ', '');
    early.querySelector('p').textContent = tabs.map(tab => tab.label).join('\u2003');
    element.innerHTML = shown.html_template;                    // a constant of ours, see widget.py
    const draw = () => {
        if (!early.isConnected) return;
        try {
            new Function('element', 'props', 'trigger', 'watch', shown.js_on_load)(
                element, { ...shown.props, value: shown.value }, () => {}, () => {});
        } catch (error) { over(); throw error; }
    };
    Object.assign(colours, { rel: 'stylesheet', href: './theme.css?v=' + window.gradio_config.theme_hash, onload: draw, onerror: over });
    document.head.append(colours);                              // Gradio asks for the same a little later
    const drawn = () => document.querySelector('main .rk-compare > *');
    const look = () => { if (drawn()) over(); else setTimeout(look, 20); };
    setTimeout(over, 20000);
    look();
})();
