"""Asks one page and tells by its exit code whether it answered 200: a health check without curl."""

import sys
import urllib.error
import urllib.request
from http import HTTPStatus

TIMEOUT_S = 4.0


def main(arguments: list[str]) -> int:
    """0 for 200; 1 for anything else; 2 when no address was given."""
    if len(arguments) != 1 or not arguments[0].startswith(("http://", "https://")):
        sys.stderr.write("probe: give one address, as http://127.0.0.1:9464/livez\n")
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=TIMEOUT_S) as answer:  # noqa: S310  # Checked above.
            return 0 if answer.status == HTTPStatus.OK else 1
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        sys.stderr.write(f"probe: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
