// A comparison to be taken away, as one HTML file that needs nothing else or as a picture (PNG). Both are made here, from
// what is shown: { title, lines: [...], columns: [{ name, line }, ...], samples: [[{ pieces: [{ text, number, share, other }, ...], line }, ...], ...] }
// with share from −1 to 1, how strongly a piece is tinted. Texts are text, and the picture's letters are the browser's own.
const tintOf = share => `rgba(${share > 0 ? '0, 114, 178' : '213, 94, 0'}, ${(Math.abs(share) * MOST_TINT / 100).toFixed(3)})`;
const asPage = shown => {
    const kept = document.implementation.createHTMLDocument('rlhf-kit: ' + shown.title.slice(0, 60)), body = kept.body;
    kept.documentElement.lang = props.lang === 'zh' ? 'zh-CN' : 'en';
    const charset = kept.createElement('meta'), style = kept.createElement('style');
    charset.setAttribute('charset', 'utf-8');
    style.textContent = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 24px auto; padding: 0 16px; color: #27272a; }
        table { border-collapse: collapse; width: 100%; table-layout: fixed; } th, td { border: 1px solid #d4d4d8; padding: 6px 10px; vertical-align: top;
        text-align: left; overflow-wrap: anywhere; } td p { white-space: pre-wrap; margin: 0; unicode-bidi: isolate; } small { color: #52525b; font-weight: 400; }`;
    kept.head.prepend(charset);
    kept.head.append(style);
    const add = (to, tag, text, css = '') => {
        const made = kept.createElement(tag);
        made.textContent = text;
        if (css) made.setAttribute('style', css);
        to.append(made);
        return made;
    };
    add(body, 'h1', shown.title, 'font-size: 20px; white-space: pre-wrap');
    shown.lines.forEach((line, i) => add(body, 'p', line, i ? '' : 'font-weight: 600'));
    const table = add(body, 'table', ''), heads = add(table, 'tr', '');
    shown.columns.forEach((column, c) => {
        const head = add(heads, 'th', '', 'border-top: 4px solid ' + COLOURS[c]);
        add(head, 'div', column.name);
        add(head, 'small', column.line);
    });
    shown.samples.forEach(samples => {
        const row = add(table, 'tr', '');
        samples.forEach(sample => {
            const cell = add(row, 'td', ''), text = add(cell, 'p', '');
            for (const piece of sample.pieces) {
                const token = add(text, 'span', piece.text, [Math.abs(piece.share) > 0.01 ? 'background: ' + tintOf(piece.share) : '',
                                                             piece.other ? 'font-weight: 700' : ''].filter(Boolean).join('; '));
                if (piece.number) token.setAttribute('title', piece.number);
            }
            add(cell, 'small', sample.line);
        });
    });
    return '<!doctype html>\n' + new XMLSerializer().serializeToString(kept.documentElement).replace(/ xmlns="[^"]*"/, '');
};

// A picture is laid out line by line on a canvas. A line may break before a space and between Chinese characters, but not
// before their closing punctuation; a word that is longer than the line breaks anywhere.
const PICTURE = 1200, EDGE = 28, GAP = 20, MOST_PIXELS = 16_000;
const FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const UNITS = /\n|[^\S\n]*(?:[⺀-￯]|[^\s⺀-￯]+)?[、。〉》」』】〕〗，．！？；：”’）…]*/gu;
const asPicture = shown => {
    const canvas = document.createElement('canvas'), pen = canvas.getContext('2d'), later = [];
    const fontOf = (size, weight) => `${weight} ${size}px ${FONT}`;
    const put = (paint, ...of) => later.push(() => paint(...of));
    const fits = (text, width) => {                             // its longest beginning that does, of one character at least
        let n = 1;
        const signs = Array.from(text);
        while (n < signs.length && pen.measureText(signs.slice(0, n + 1).join('')).width <= width) n++;
        return signs.slice(0, n).join('');
    };
    // Pieces of text from (x, y) on, no wider than that; returns where the next line begins.
    const flow = (pieces, x, y, width, { size = 15, weight = 400, ink = '#27272a', high = size * 1.55 } = {}) => {
        let at = x, top = y, piece = 0, used = 0;
        const newLine = () => { at = x; top += high; };
        const next = length => {                                // the next so many letters, cut where a piece ends
            const parts = [];
            while (length > 0) {
                const part = pieces[piece].text.slice(used, used + length), font = fontOf(size, pieces[piece].other ? 700 : weight);
                if (part) parts.push({ text: part, font, share: pieces[piece].share || 0 });
                length -= part.length;
                used += part.length;
                if (used >= pieces[piece].text.length) { piece++; used = 0; }
            }
            return parts;
        };
        const widthOf = (text, font) => { pen.font = font; return pen.measureText(text).width; };
        const write = (text, font, share) => {
            const wide = widthOf(text, font);
            put((left, base) => {
                if (Math.abs(share) > 0.01) { pen.fillStyle = tintOf(share); pen.fillRect(left, base - size, wide, size * 1.3); }
                pen.font = font;
                pen.fillStyle = ink;
                pen.fillText(text, left, base);
            }, at, top + size);
            at += wide;
        };
        for (const unit of pieces.map(one => one.text).join('').match(UNITS).filter(Boolean)) {
            const parts = next(unit.length);
            if (unit === '\n') { newLine(); continue; }
            if (at === x && top === y) parts[0].text = parts[0].text.trimStart();      // English responses begin with a space
            if (at > x && at + parts.reduce((sum, one) => sum + widthOf(one.text, one.font), 0) > x + width) {
                newLine();
                parts[0].text = parts[0].text.trimStart();
            }
            for (let { text, font, share } of parts) while (text) {
                const room = x + width - at, part = widthOf(text, font) <= room ? text : fits(text, room);
                if (part.length < text.length && at > x && widthOf(part, font) > room) { newLine(); continue; }
                write(part, font, share);
                text = text.slice(part.length);
                if (text) newLine();
            }
        }
        return top + high;
    };
    const box = (x, y, width, bottom, colour) => put(() => {
        pen.strokeStyle = '#d4d4d8';
        pen.strokeRect(x + 0.5, y + 0.5, width - 1, bottom - y - 1);
        if (colour) { pen.fillStyle = colour; pen.fillRect(x, y, width, 4); }
    });
    const n = shown.columns.length, wide = (PICTURE - 2 * EDGE - (n - 1) * GAP) / n, left = c => EDGE + c * (wide + GAP);
    let y = flow([{ text: shown.title }], EDGE, EDGE, PICTURE - 2 * EDGE, { size: 22, weight: 700 }) + 4;
    shown.lines.forEach((line, i) => { y = flow([{ text: line }], EDGE, y, PICTURE - 2 * EDGE, { size: i ? 13 : 15, weight: i ? 400 : 600 }); });
    const row = (cells, colours = []) => {                      // all of a row are as high as the highest
        const ends = cells.map((cell, c) => cell(left(c) + 10, y + 12, wide - 20)), bottom = Math.max(...ends) + 6;
        cells.forEach((_, c) => box(left(c), y, wide, bottom, colours[c]));
        y = bottom + 8;
    };
    y += 8;
    const small = { size: 12.5, ink: '#52525b' };
    row(shown.columns.map(column => (x, top, width) => flow([{ text: column.line }], x,
        flow([{ text: column.name }], x, top, width, { size: 16, weight: 700 }), width, small)), COLOURS);
    shown.samples.forEach(samples => row(samples.map(sample => (x, top, width) => flow([{ text: sample.line }], x,
        flow(sample.pieces, x, top, width) + 2, width, small))));
    const high = Math.ceil(y + EDGE - 8), scale = Math.min(2, MOST_PIXELS / high);
    Object.assign(canvas, { width: PICTURE * scale, height: high * scale });
    pen.scale(scale, scale);
    pen.fillStyle = '#fff';
    pen.fillRect(0, 0, PICTURE, high);
    later.forEach(paint => paint());
    return canvas;
};
// Whether this browser can write Chinese: without a font, all of its characters are the same box.
const writesChinese = () => {
    const drawn = ['中', '语'].map(sign => {
        const canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
        Object.assign(canvas, { width: 32, height: 32 });
        pen.font = '24px ' + FONT;
        pen.fillText(sign, 2, 26);
        return canvas.toDataURL();
    });
    return drawn[0] !== drawn[1];
};

// Two buttons; shown() and name() are asked when one is pressed.
const takeAway = (shown, name) => {
    const bar = make('div', '', { class: 'rk-take' }), said = make('p', '', { role: 'status' });
    const save = (blob, kind) => {
        const link = make('a', '', { download: `rlhf-kit-${name()}.${kind}` });
        link.href = URL.createObjectURL(blob);
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    };
    const button = (text, press) => {
        const made = make('button', text, { type: 'button' });
        made.addEventListener('click', () => { said.textContent = ''; press(); });
        bar.append(made);
    };
    const page = () => save(new Blob([asPage(shown())], { type: 'text/html;charset=utf-8' }), 'html');
    button(words.save_file, page);
    button(words.save_picture, () => {
        if (/[⺀-￯]/u.test(JSON.stringify(shown())) && !writesChinese()) {
            said.textContent = words.no_chinese_font;
            page();
        } else asPicture(shown()).toBlob(blob => { if (blob) save(blob, 'png'); else { said.textContent = words.no_picture; page(); } }, 'image/png');
    });
    bar.append(said);
    return bar;
};
