"""docs/configuration.md below its marker: every knob by section, made from the typed configuration."""

from skalp_bot.config.knobs import Knob, knobs, sections, shown

HEAD = "| key | default | allowed | meaning |\n|---|---|---|---|"


def configuration_tables() -> str:
    """Plain keys first, then each section with the sentence that heads it in the code."""
    lines: list[str] = []
    section: str | None = None
    for knob in knobs().values():
        here = knob.name.rpartition(".")[0]
        if here != section:
            section = here
            about = sections()[here] if here else "Keys that stand at the top of a file."
            lines += [*([""] if lines else []), f"## {here or 'Top'}", "", " ".join(about.split()), "", HEAD]
        lines.append(row(knob))
    return "\n".join(lines) + "\n"


def row(knob: Knob) -> str:
    default = shown(knob.default)
    cells = (
        f"`{knob.name}`",
        f"`{default}`" if default else "empty",
        knob.allowed,
        knob.field.description or "",
    )
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def escaped(cell: str) -> str:
    """A bar would end the cell."""
    return " ".join(cell.split()).replace("|", "\\|")
