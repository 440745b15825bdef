"""Which fonts an invoice is set in: those of installed packages and given folders, never the machine's own.

So equal invoices are equal bytes on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from airflow_provider_kashoo.core.errors import ConfigurationError

if TYPE_CHECKING:
    import typst

PACKAGES = (
    "fontpkg_noto_sans",  # Latin, Greek, Cyrillic: in the extra [pdf]
    "manimgx_fonts_cjk",  # Noto Sans CJK as Google publishes it: in the extra [pdf-cjk]
    "fontpkg_noto_sans_arabic",
    "fontpkg_noto_sans_devanagari",
    "fontpkg_noto_sans_thai",
    "fontpkg_heebo",  # Hebrew
)
"""Used if they are installed; all under the SIL Open Font License."""

CJK = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-tw": "TC", "zh-hk": "HK"}
"""One character is drawn in several ways: language -> the Noto Sans CJK that has the one of its readers."""

_KANA, _HANGUL = re.compile("[\u3040-\u30ff]"), re.compile("[\u1100-\u11ff\uac00-\ud7af]")


def families(text: str, language: str) -> list[str]:
    """Name the font families for a text, the first that has a character draws it.

    :param text: all of the invoice; it tells Japanese and Korean names on an invoice in English.
    """
    if (drawn_in := CJK.get(language.lower()) or CJK.get(language.partition("-")[0].lower())) is None:
        drawn_in = "JP" if _KANA.search(text) else "KR" if _HANGUL.search(text) else "SC"
    others = ("Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai", "Heebo")
    return ["Noto Sans", f"Noto Sans CJK {drawn_in}", *others]


def typst_of_the_extra() -> ModuleType:
    """Import typst.

    :raises ConfigurationError: when it, or the font that comes with it, is not installed.
    """
    try:
        if find_spec(PACKAGES[0]) is None:
            raise ModuleNotFoundError
        import typst
    except ImportError:
        raise ConfigurationError(
            "An invoice as PDF needs typst and a font, which are not installed.",
            written="No PDF was made.",
            remedy='Run: pip install "airflow-provider-kashoo[pdf]"',
        ) from None
    return typst


def fonts(own: Sequence[Path | str] = ()) -> typst.Fonts:
    """Find the fonts of installed packages, and of folders.

    :raises ConfigurationError: when a folder is not there.
    """
    if missing := [str(each) for each in own if not Path(each).is_dir()]:
        raise ConfigurationError(f"The folder of fonts {missing[0]} is not there.", remedy="Correct its path.")
    packages = [find_spec(name) for name in PACKAGES]
    return _found((*(str(Path(each.origin).parent) for each in packages if each and each.origin), *map(str, own)))


@lru_cache(maxsize=8)
def _found(folders: tuple[str, ...]) -> typst.Fonts:
    """Read the fonts once for all invoices of a process; typst's own draw a sign that no other has, such as ✓."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[*folders])
