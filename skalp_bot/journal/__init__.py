"""The durable record of every decision."""
