"""The one way to make text safe and to cut it; texts of events are hostile.

`clean` and `one_line` are for whatever people read, `cut` for whatever has a limit, `shown` and
`printable` for terminals, logs and faults, `safe_url` for whatever can be clicked. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import quote, urlsplit

_LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNWANTED = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff"  # controls, halves of characters
    "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use: the marks of templates are of these
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0"  # bidirectional and invisible ones
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff"  # no characters, and tags
)
_DROPPED = re.compile(f"[{_UNWANTED}]")
_JOINERS = re.compile("[\u200c\u200d\ufe0f]+")
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_STACK = re.compile(f"({_MARKS}{{4}}){_MARKS}+")
_SUSPECT = re.compile(f"[{_UNWANTED}\r\v\f\x85\u2028\u2029\u200c\u200d\ufe0f]")
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff"
    "\u25a0-\u27bf\u2934\u2935\u2b00-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
    "0-9#*]"
)
"""What a joiner or a variation selector may follow: emoji and the signs they are made of."""
_JOINED_SCRIPTS = re.compile("[\u0620-\u0dff\u1000-\u109f\u1780-\u17b3\u17b6-\u18af]")
"""Persian, Hindi, Malayalam, Sinhala and their kin write words with joiners."""
_CUT_NOTES = {"en": "… (cut, {} more)", "de": "… (gekürzt um {} Zeichen)"}
_THOUSANDS = {"de": "."}
_LONGEST_URL = 2_000
"""Below Slack's 3,000 for a button; longer ones break elsewhere too."""


def is_on(text: str) -> bool:
    """A switch in the environment: 1, true, yes or on."""
    return text.strip().lower() in {"1", "true", "yes", "on"}


def clean(text: str) -> str:
    """Text without what could deceive a reader or break a channel; line ends are newlines.

    Controls, halves of characters, private-use, bidirectional and invisible characters go, and
    all but four of a stack of combining marks. Tabs stay, and joiners where they join something.
    """
    if text.isascii() and text.isprintable():
        return text
    if not _SUSPECT.search(text) and (text.isascii() or not _STACK.search(text)):
        return text
    return _cleaned_short(text) if len(text) <= 200 else _cleaned(text)


def _cleaned(text: str) -> str:
    text = _DROPPED.sub("", _LINE_ENDS.sub("\n", text))
    return _STACK.sub(r"\1", _JOINERS.sub(_kept_joiner, text))


_cleaned_short = lru_cache(maxsize=1024)(_cleaned)
"""Titles begin with the same few emoji, which are not clean at first sight."""


def _kept_joiner(found: re.Match[str]) -> str:
    text, start, end = found.string, found.start(), found.end()
    before, after = text[start - 1 : start] or " ", text[end : end + 1] or " "
    if _JOINED_SCRIPTS.match(before) and _JOINED_SCRIPTS.match(after):
        return found[0][0].replace("\ufe0f", "")
    if not _EMOJI.match(before):
        return ""
    selector = "\ufe0f" if found[0][0] == "\ufe0f" else ""
    joins = "\u200d" in found[0] and _EMOJI.match(after) and not after.isascii()
    return selector + ("\u200d" if joins else "")


def one_line(text: str, limit: int | None = None, language: str = "en") -> str:
    """Clean text on one line, its spaces single, of at most `limit` units."""
    line = text
    if not (text.isascii() and text.isprintable() and "  " not in text and text == text.strip()):
        line = " ".join(clean(text).split())
    if limit is None or (len(line) <= limit and line.isascii()):
        return line
    return cut(line, limit, language)


def units(text: str) -> int:
    """UTF-16 code units, the strictest way to count the characters of a limit."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_note(lost: int, language: str = "en") -> str:
    """What stands where so many characters were cut, in the reader's language."""
    code = language.partition("-")[0]
    count = f"{lost:,}".replace(",", _THOUSANDS.get(code, ","))
    return _CUT_NOTES.get(code, _CUT_NOTES["en"]).format(count)


def cut(text: str, limit: int, language: str = "en", *, size: Callable[[str], int] = units) -> str:
    """Text of at most `limit` by `size`, with a note where it was cut, between two signs.

    `size` must not shrink as text grows, and be at least its number of characters.
    """
    if (size is units and 2 * len(text) <= limit) or (len(text) <= limit and size(text) <= limit):
        return text
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle] + cut_note(len(text) - middle, language)) <= limit:
            low = middle
        else:
            high = middle - 1
    kept = boundary(text, low)
    short = text[:kept] + cut_note(len(text) - kept, language)
    return short if size(short) <= limit else "…"[:limit]


def boundary(text: str, index: int) -> int:
    """The nearest index at or before `index` that parts nothing that is shown as one sign.

    Flags, emoji joined to one, letters with their marks, Korean syllables (Unicode, UAX 29).
    """
    while 0 < index < len(text) and _is_inside(text, index):
        index -= 1
    return index


def _is_inside(text: str, index: int) -> bool:
    before, after = text[index - 1], text[index]
    if after < "\u0300":
        return before == "\r" and after == "\n"
    if (
        after in "\u200c\u200d"
        or before == "\u200d"
        or unicodedata.category(after)[0] == "M"
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # the tags of a flag
    ):
        return True
    if _is_flag_letter(after) and _is_flag_letter(before):
        start = index
        while start and _is_flag_letter(text[start - 1]):
            start -= 1
        return (index - start) % 2 == 1
    if unicodedata.combining(before) == 9:  # a virama binds the next letter
        return unicodedata.category(after) == "Lo"
    return "\u1100" <= before <= "\ud7ff" and (
        "\u1160" <= after <= "\u11ff"
        or "\ud7b0" <= after <= "\ud7fb"
        or ("\u1100" <= before <= "\u115f" and ("\uac00" <= after <= "\ud7a3" or after <= "\u115f"))
    )


def _is_flag_letter(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def printable(text: str, instead: str = " ") -> str:
    """Text that cannot steer a terminal or hide: what is not printable becomes `instead`."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else instead for sign in text)


def shown(text: str, longest: int) -> str:
    """A text as a fault quotes it: on one line, printable, cut where it is longer."""
    head = text[: longest * 4]
    line = " ".join("".join(s for s in head if s.isprintable() or s.isspace()).split())
    short = line if len(line) <= longest else line[: boundary(line, longest)]
    return short if short == line and len(head) == len(text) else f"{short}…"


def nearest(word: str, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known word that a misspelt one most probably means, whatever its case."""
    from difflib import get_close_matches  # only whoever errs pays for it

    by_fold = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold()[:80], by_fold, 1, least)
    return by_fold[close[0]] if close else None


def safe_url(url: str) -> str | None:
    """The URL if a person may be given it to click: http or https with a host; else None."""
    return _safe_url(url) if len(url) <= _LONGEST_URL else None


@lru_cache(maxsize=512)
def _safe_url(url: str) -> str | None:
    if not url.isprintable() or any(c in url for c in " <>\"'`|\\^{}") or clean(url) != url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    return url if url.isascii() else quote(url, safe="%/:?#[]@!$&()*+,;=~-._")
