"""Reads the fenced blocks of our pages; a block of commands says how it is tried."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\S*)\s*(\S*)\s*$")
FENCE_LIKE = re.compile(r"```|~~~")
INLINE = re.compile(r"`([^`\n]+)`")
OURS = re.compile(r"(?:\$ |\./|\.venv/bin/)?(?:skalp-bot|scripts/\w+)(?: |$)")
LANGUAGES = {"sh", "text", "yaml", "mermaid", "json"}
MARKS = {
    "": "run as it stands",
    "daemon": "run while a daemon trades; STATE_DIR is its directory, HALT_ID its present halt",
    "slow": "run by scripts/test --all",
    "tape": "the same, with TAPE naming a recorded tape of the shared data",
    "ci": "what CI runs, or a daemon that runs until stopped",
    "elsewhere": "needs an account, a network or docker",
}
OPERATORS = {"|", "||", "&&", ";", "&", ">", ">>", "<"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> Iterator[Block]:
    opened: tuple[int, str, str] | None = None
    held: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = FENCE.match(line)
        assert fence or not FENCE_LIKE.search(line), f"{page}:{number}: a fence nobody would see: {line}"
        if fence is None:
            held.append(line)
        elif opened is None:
            opened, held = (number, fence[1], fence[2]), []
        else:
            start, language, mark = opened
            yield Block(page=page, line=start, language=language, mark=mark, text="\n".join(held) + "\n")
            opened = None
    assert opened is None, f"{page}: a block is never closed"


def blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]


def spans() -> Iterator[Block]:
    """Commands of ours that stand in the running text."""
    for page in pages():
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            for shown in INLINE.findall(line):
                if OURS.match(shown) and not shown.endswith("/bin/skalp-bot"):
                    yield Block(page=page, line=number, language="sh", mark="", text=f"{shown}\n")


def commands_of(block: Block) -> Iterator[list[str]]:
    """The words after each `skalp-bot`, up to what the shell keeps for itself."""
    for line in whole_lines(block.text):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        words: list[str] | None = None
        for word in lexer:
            if words is None and (word == "skalp-bot" or word.endswith("bin/skalp-bot")):
                words = []
            elif words is not None and set(word) <= set("|&;<>()"):
                yield words
                words = None
            elif words is not None:
                words.append(word)
        if words is not None:
            yield words


def whole_lines(text: str) -> Iterator[str]:
    """Lines as the shell takes them: continued by a backslash or an open quote."""
    held = ""
    for line in text.replace("\\\n", " ").splitlines():
        held += line
        try:
            shlex.split(held, comments=True)
        except ValueError:
            held += "\n"
            continue
        yield held
        held = ""


def scripts_of(block: Block) -> list[str]:
    return re.findall(r"(?:^|[\s\"])(?:\./)?(scripts/\w+)", block.text)
