"""The composition root and the loop that carries events to the engine."""
