"""Runs the paper exchange alone: `python -m skalp_bot.paper --help`."""

import sys

from skalp_bot.paper.command import main

sys.exit(main())
