"""The studio's look: Gradio's theme in our colours, our style sheet, and the script that every page runs first.

`assets/styles/studio.css` is sent unscoped after Gradio's own theme variables. What a page can build on:

CSS variables, each with a light and a dark value (never write a colour into a page; charts read these):
  --paper the page            --panel a panel             --ink text               --muted lesser text
  --line borders              --soft chips, tracks, rows under the pointer
  --forward, --forward-soft, --on-forward   the forward model, blue: chips, bars, curves, phases
  --inverse, --inverse-soft, --on-inverse   the inverse model, amber
  --accent, --on-accent       teal, for the one thing to press       --truth  grey, for truth and baselines
  --wrong, --wrong-soft       red, for wrong alone        --good      green, for well
  --gap 18px between panels   --radius 12px               --mono      the monospaced stack

Classes (use them on `elem_classes` of Gradio blocks or in our own HTML):
  .panel                a panel: 12 px corners, 16 px inside; its title is an <h2>, a smaller one an <h3>
  .row .between .spread flex rows: items side by side; pushed to both ends; wrapping with a gap
  .grid-2 .grid-3       equal columns that stack on a narrow screen
  .scroll               what may be wider than its panel scrolls within it
  .chip                 a grey pill; with .forward .inverse .good .wrong it takes that colour
  .button               an outlined button; .button-primary teal; .button-danger red outline; .button-link a link
  .kbd (or <kbd>)       a key
  .verdict              a judgement: <p class="verdict good|wrong|neutral|inverse"><b>claim</b><small>why</small></p>
  .bar                  a track with a part of it filled: <span class="bar inverse"><i style="width:86%"></i></span>
  .figure               a large number with its caption: <div class="figure forward"><small>…</small><b>…</b></div>
  .field                an input, select or textarea of ours, with a <label>
  .error                what went wrong, in words, where it was done       .note   a quieter sentence
  .empty                an empty page: a picture, one sentence, one button
  .muted .small .mono .number (tabular, right) .forward-text .inverse-text .visually-hidden
  table.table           a plain table; numbers in <td class="number">
  .diff ins, .diff del  words that came, words that went
  .picture .framed .ab  a frame; with marks laid over it; two of them with a divider (studio/components/shared/frame.py)
  .marks                outline, heat or none: its buttons set data-marks on the panel above, `showMarks` does it
  .for-text .for-image  seen only where data-kind above says that the page shows texts, or pictures

The scripts are ES modules in `assets/scripts`: one for each block that `scripted` draws, which exports `mount`, and in
`shared/` what they have in common: parts of a page, the address, the server, storage, polling, late answers, the chosen
checkpoint, the colours. `start.js` runs on every page before anything is drawn. No module defines a global name.
Events on `window` say what happened: `studio:checkpoint` and `studio:theme`, that the chosen checkpoint or the colours
changed; `studio:models`, that a model may have been loaded; the others are named in the modules that send them.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

from studio.services import browser_scripts
from swirl.paths import assets

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's base theme with the studio's palette, fonts of the system, no shadows and no gradients."""
    base = gr.themes.Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.stone,
        spacing_size=sizes.spacing_md,
        radius_size=sizes.radius_md,
        font=[fonts.Font(name) for name in SANS],
        font_mono=[fonts.Font(name) for name in MONO],
    )
    pairs = {
        "body_background_fill": ("#faf9f7", "#14161a"),
        "body_text_color": ("#22201c", "#ece9e2"),
        "body_text_color_subdued": ("#645f55", "#a5a198"),
        "background_fill_primary": ("#ffffff", "#1c1f26"),
        "background_fill_secondary": ("#f1eee8", "#262a32"),
        "border_color_primary": ("#e7e3db", "#2d323b"),
        "border_color_accent": ("#0f766e", "#4fd1c5"),
        "color_accent_soft": ("#e6f2f0", "#1c302f"),
        "block_background_fill": ("#ffffff", "#1c1f26"),
        "block_border_color": ("#e7e3db", "#2d323b"),
        "block_info_text_color": ("#645f55", "#a5a198"),
        "block_label_background_fill": ("#ffffff", "#1c1f26"),
        "block_label_text_color": ("#645f55", "#a5a198"),
        "block_title_text_color": ("#22201c", "#ece9e2"),
        "input_background_fill": ("#ffffff", "#14161a"),
        "input_border_color": ("#8b867c", "#6b7280"),
        "input_border_color_focus": ("#0f766e", "#4fd1c5"),
        "input_placeholder_color": ("#6f6a60", "#918d85"),
        "button_primary_background_fill": ("#0f766e", "#4fd1c5"),
        "button_primary_background_fill_hover": ("#115e59", "#7ee0d6"),
        "button_primary_text_color": ("#ffffff", "#0c1f1d"),
        "button_secondary_background_fill": ("#ffffff", "#1c1f26"),
        "button_secondary_background_fill_hover": ("#f1eee8", "#262a32"),
        "button_secondary_border_color": ("#d8d3c9", "#3b414c"),
        "button_secondary_text_color": ("#22201c", "#ece9e2"),
        "button_cancel_background_fill": ("#ffffff", "#1c1f26"),
        "button_cancel_text_color": ("#b91c1c", "#ff8a80"),
        "button_cancel_border_color": ("#b91c1c", "#ff8a80"),
        "table_even_background_fill": ("#ffffff", "#1c1f26"),
        "table_odd_background_fill": ("#ffffff", "#1c1f26"),
        "link_text_color": ("#0f766e", "#4fd1c5"),
        "slider_color": ("#0f766e", "#4fd1c5"),
        "loader_color": ("#0f766e", "#4fd1c5"),
    }
    values = {name: light for name, (light, _) in pairs.items()}
    values |= {f"{name}_dark": dark for name, (_, dark) in pairs.items()}
    base.set(
        **values,
        block_radius="12px",
        block_padding="16px",
        block_shadow="none",
        block_label_shadow="none",
        button_border_width="1px",
        button_large_radius="10px",
        button_medium_radius="10px",
        button_small_radius="8px",
        button_primary_shadow="none",
        button_primary_shadow_hover="none",
        button_primary_shadow_active="none",
        button_secondary_shadow="none",
        button_secondary_shadow_hover="none",
        button_secondary_shadow_active="none",
        button_transition="none",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        input_radius="8px",
        layout_gap="18px",
        shadow_drop="none",
        shadow_drop_lg="none",
    )
    base.custom_css = (assets() / "styles" / "studio.css").read_text(encoding="utf-8")
    return base


def head() -> str:
    """What goes into the head of every page: the module that sets the colours before anything is drawn."""
    return f'<script type="module" src="{browser_scripts.address(browser_scripts.START)}"></script>'
