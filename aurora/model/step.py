"""One turn of the engine: the event, what is asked of the world, what was concluded."""

from dataclasses import dataclass

from aurora.model.commands import Command
from aurora.model.events import Event
from aurora.model.facts import Fact, SoftFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    seq: int
    event: Event
    commands: tuple[Command, ...]
    facts: tuple[Fact, ...]

    @property
    def durable(self) -> bool:
        """Whether this step is a row of the journal."""
        return bool(self.commands) or any(not isinstance(fact, SoftFact) for fact in self.facts)
