"""The configuration as text: base.yaml with every knob, and each key with the layer that set it."""

from skalp_bot.config.knobs import COMMON, OWN, Knob, knobs, sections, shown
from skalp_bot.config.load import Loaded

HEAD = """\
# Every knob there is, at the value the code gives it; a file that extends this one names what it changes.
# Made by scripts/base_config from the code; a test holds the two together.
# Stronger, in this order: a file that extends this one, a profile, AURORA_TP_PCT and AURORA_MAX_CONCURRENT,
# AURORA__SECTION__KEY, the command line. `skalp-bot config explain PROFILE` shows who set what.
"""


def base_yaml() -> str:
    """All knobs with their meaning and range."""
    lines = [HEAD]
    section = ""
    for knob in knobs().values():
        here, _, key = knob.name.rpartition(".")
        if here != section:
            section = here
            about = " ".join(sections()[here].split()).replace("``", "")
            lines += ["", f"# {about}", f"{here}:"]
        lines += commented(knob, key, "  " if here else "")
    return "\n".join(lines) + "\n"


def commented(knob: Knob, key: str, indent: str) -> list[str]:
    about = (knob.field.description or "").replace("``", "")
    allowed = "" if knob.allowed in ("true", "true or false") else f"[{knob.allowed}]"
    comment = " ".join(part for part in (about, allowed) if part)
    return [*([f"{indent}# {comment}"] if comment else []), f"{indent}{key}: {quoted(knob)}"]


def quoted(knob: Knob) -> str:
    text = shown(knob.default)
    return f'"{text}"' if isinstance(knob.default, str) and not text.isidentifier() else text


def explained(loaded: Loaded) -> list[dict[str, str]]:
    """One row a key: value, who set it, and what that overruled, weakest last; then what symbols have own."""
    own = [name for name in loaded.entries if name.startswith(f"{OWN}.")]
    rows = [
        explanation(loaded, name, f"{shown(knob.default)} (code)")
        for name, knob in knobs().items()
        if not (own and name == OWN)
    ]
    for name in own:
        common = f"{COMMON}.{name.rpartition('.')[2]}"
        rows.append(explanation(loaded, name, f"{shown(loaded.value(common))} ({common})"))
    return rows


def explanation(loaded: Loaded, name: str, last: str) -> dict[str, str]:
    beaten = [f"{shown(entry.value)} ({entry.origin})" for entry in reversed(loaded.overruled.get(name, ()))]
    if name in loaded.entries:
        beaten.append(last)
    return {
        "key": name,
        "value": shown(loaded.value(name)),
        "set_by": loaded.origin(name),
        "overrules": ", ".join(beaten),
    }
