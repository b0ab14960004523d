"""Passwords within URLs: finds them, hides them, and puts them back where a text that was shown returns. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

HIDDEN = "[hidden]"

_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_CHARACTER = r"(?:[^\s/?#$]|\$(?!\{)|\$\{[^{}]*\})"
_PASSWORD = re.compile(
    # A user, then a password up to the last @ of the authority. A reference in it may have slashes.
    rf"://(?P<user>[^/\s:@,?#]*):(?:(?P<password>{_CHARACTER}+)@"
    # A password with an unescaped slash makes no valid URL, and is a secret all the same; a port is none.
    r"|(?!\d{1,5}(?:[/?#,\s]|$))(?P<unescaped>(?:[^\s@$]|\$(?!\{)){1,64})@)"
    r"(?=(?P<host>[^/\s,?#@\"'<>]*))"
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_SCHEME_CHARACTERS_MAX = 31


@dataclass(frozen=True, slots=True)
class UrlPassword:
    """A password in a text.

    Attributes:
        text: The password.
        start: Where it begins.
        end: Where it ends.
        site: For whom it is: scheme, user, host and port.
    """

    text: str
    start: int
    end: int
    site: str

    @property
    def literal(self) -> bool:
        """Whether it has more in it than references."""
        return bool(_REFERENCE.sub("", self.text))


def find_passwords(value: str) -> list[UrlPassword]:
    """Find every password of a URL in a text, in order."""
    found = []
    for match in _PASSWORD.finditer(value):
        name = "password" if match["password"] is not None else "unescaped"
        scheme = _SCHEME.search(value[max(0, match.start() - _SCHEME_CHARACTERS_MAX) : match.start()])
        site = f"{scheme[0].lower() if scheme else ''}://{match['user']}@{match['host'].lower()}"
        found.append(UrlPassword(match[name], match.start(name), match.end(name), site))
    return found


def hide_passwords(value: str) -> str:
    """The text with `[hidden]` for every password that is written out; references stay."""
    return _replaced(value, {each: HIDDEN for each in find_passwords(value) if each.literal})


def restore_passwords(value: str, stored: str) -> tuple[str, list[str]]:
    """A text that was shown with its passwords hidden, and comes back.

    Args:
        value: The text, in which `[hidden]` stands for a stored password.
        stored: The text that was shown. A password goes back to its own scheme, user, host and port only.

    Returns:
        The text with its passwords, and what is wrong: one sentence for each password that can't be put back.
    """
    given, known = find_passwords(value), _by_site(find_passwords(stored))
    counts = Counter(each.site for each in given)
    single = {site: texts[0] for site, texts in known.items() if len(set(texts)) == 1}
    seen: Counter[str] = Counter()
    wanted: dict[UrlPassword, str] = {}
    problems = []
    for each in given:
        number = seen[each.site]
        seen[each.site] += 1
        if HIDDEN not in each.text:
            continue
        there = known.get(each.site, [])
        if each.text != HIDDEN:
            problems.append(f"{HIDDEN} is a part of the password in {each.site}; write the whole")
        elif each.site in single:
            wanted[each] = single[each.site]
        elif there and len(there) == counts[each.site]:
            wanted[each] = there[number]
        elif there:
            problems.append(f"{HIDDEN} in {each.site} may stand for several stored passwords; write them")
        elif known:
            problems.append(
                f"{HIDDEN} stands for the password of {next(iter(known))}, and is not sent to {each.site}; "
                "write the password again"
            )
        else:
            problems.append(f"{HIDDEN} in {each.site} stands for a stored password, and none is stored; write it")
    return _replaced(value, wanted), problems


def _by_site(passwords: list[UrlPassword]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in passwords:
        found.setdefault(each.site, []).append(each.text)
    return found


def _replaced(value: str, new: dict[UrlPassword, str]) -> str:
    parts, end = [], 0
    for each in sorted(new, key=lambda one: one.start):
        parts += [value[end : each.start], new[each]]
        end = each.end
    return "".join([*parts, value[end:]])
