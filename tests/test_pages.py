"""What our pages show is true: commands parse, scripts and links exist."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main

from skalp_bot.cli.app import app
from tests.pages_kit import (
    LANGUAGES,
    MARKS,
    OURS,
    ROOT,
    Block,
    blocks,
    blocks_of,
    commands_of,
    pages,
    scripts_of,
    spans,
)

SHELL = [block for block in blocks() if block.language == "sh"]
LINK = re.compile(r"\]\(([^)#:\s]+)\)")


def named(block: Block) -> str:
    return block.where


@pytest.mark.parametrize("block", blocks(), ids=named)
def test_every_block_names_its_language_and_how_it_is_tried(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block.where}: one of {sorted(LANGUAGES)}"
    assert block.mark in (MARKS if block.language == "sh" else {""}), f"{block.where}: one of {list(MARKS)}"
    if block.language != "sh":
        for line in block.text.splitlines():
            assert not OURS.match(line.strip()), f"{block.where}: commands are of language sh: {line}"


@pytest.mark.parametrize("block", SHELL, ids=named)
def test_every_command_shown_is_one_we_know(block: Block) -> None:
    for words in commands_of(block):
        parsed(words, block.where)
    for script in scripts_of(block):
        assert os.access(ROOT / script, os.X_OK), f"{block.where}: {script} is no script"
    done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), block.where


@pytest.mark.parametrize("span", list(spans()), ids=lambda span: f"{span.where} {span.text.strip()}")
def test_every_command_in_the_running_text_is_one_we_know(span: Block) -> None:
    for words in commands_of(span):
        if words:  # The bare name of the program is no command.
            parsed(words, span.where)
    for script in scripts_of(span):
        assert os.access(ROOT / script, os.X_OK), f"{span.where}: {script} is no script"


@pytest.mark.parametrize("line", ["  ```sh", "~~~sh", "```sh daemon twice"])
def test_a_fence_that_would_hide_its_commands_is_refused(tmp_path: Path, line: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{line}\nskalp-bot dance\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError):
        list(blocks_of(page))


def parsed(words: list[str], where: str) -> None:
    """Resolve sub-commands and parse the options; nothing is run, what is wrong is raised."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    name = "skalp-bot"
    while hasattr(command, "commands"):
        name = rest.pop(0) if rest else ""
        assert name in command.commands, f"{where}: no command {name!r}"
        command = command.commands[name]
    command.make_context(name, rest)


@pytest.mark.parametrize("words", ["dance", "status --jsn", "resume H-1", "config", "run --profile"])
def test_a_command_that_does_not_parse_is_noticed(words: str) -> None:
    with pytest.raises((AssertionError, typer.BadParameter.__mro__[1])):
        parsed(words.split(), "here")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme]
    assert missing == []


def test_commands_are_found_behind_assignments_pipes_and_comments() -> None:
    text = (
        'A=1 .venv/bin/skalp-bot status --json | jq . # skalp-bot no\nexec skalp-bot halt --reason "a b" &\n'
    )
    block = Block(page=ROOT / "README.md", line=1, language="sh", mark="", text=text)
    assert list(commands_of(block)) == [["status", "--json"], ["halt", "--reason", "a b"]]
