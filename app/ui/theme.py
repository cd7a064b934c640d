"""How gradio's own components look here: system fonts only (nothing is fetched), flat, quiet."""

import gradio as gr
from gradio.themes.utils import colors, sizes

_TEAL = colors.Color(
    name="bingli",
    c50="#f0f6f7", c100="#e4f0f2", c200="#c3dde2", c300="#94c1ca", c400="#559aa8", c500="#2b7788",
    c600="#0f5c6e", c700="#0c4e5e", c800="#0a4654", c900="#083a46", c950="#052730",
)  # fmt: skip
_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "sans-serif")


def theme() -> gr.themes.Base:
    """The theme; light only, since marks and their colours are made for paper."""
    base = gr.themes.Base(
        primary_hue=_TEAL,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_sm,
        text_size=sizes.text_md,
        font=_FONTS,
        font_mono=("Noto Sans Mono CJK SC", "monospace"),
    )
    return base.set(
        body_background_fill="#f4f6f7",
        body_background_fill_dark="#f4f6f7",
        body_text_color="#1c2a33",
        body_text_color_dark="#1c2a33",
        block_border_width="0px",
        block_shadow="none",
        button_primary_background_fill="#0f5c6e",
        button_primary_background_fill_hover="#0a4654",
        button_primary_text_color="#ffffff",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_hover="#e4f0f2",
        button_secondary_border_color="#b7c3ca",
    )
