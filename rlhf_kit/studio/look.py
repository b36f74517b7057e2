"""How every page looks: a theme whose fonts are the system's, colours that are told apart by everybody, a few rules."""

from __future__ import annotations

import gradio as gr

from rlhf_kit.studio.widget import read_script

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

HEAD = f"<style>\n{read_script('page.css')}</style>\n<script>\n{read_script('page.js')}</script>"
