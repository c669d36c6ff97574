"""Runs the command line: `python -m skalp_bot --help`."""

import sys

from skalp_bot.cli.app import main

sys.exit(main())
