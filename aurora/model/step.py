"""One turn of the engine: the event, what is asked of the world, what was concluded."""

from typing import NamedTuple

from aurora.model.commands import Command
from aurora.model.events import Event
from aurora.model.facts import Fact, SoftFact


class Step(NamedTuple):
    """A tuple, because one is made on every tick and a frozen dataclass costs three times as much."""

    seq: int
    event: Event
    commands: tuple[Command, ...]
    facts: tuple[Fact, ...]

    @property
    def durable(self) -> bool:
        """Whether this step is a row of the journal."""
        if self.commands:
            return True
        return bool(self.facts) and not all(isinstance(fact, SoftFact) for fact in self.facts)
