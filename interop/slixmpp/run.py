"""Runs one scenario: run.py MODULE.FUNCTION, with the server's facts as JSON on standard input.

Prints what the scenario returned as one line of JSON. What went wrong goes to standard error, with everything that the
clients sent and received.
"""

import asyncio
import importlib
import json
import logging
import sys

from support import Server, close_all

SCENARIO_TIMEOUT_SECONDS = 40


async def main() -> int:
    module, _, function = sys.argv[1].partition('.')
    scenario = getattr(importlib.import_module(f'scenarios.{module}'), function)
    server = Server(json.load(sys.stdin))
    try:
        result = await asyncio.wait_for(scenario(server), SCENARIO_TIMEOUT_SECONDS)
    finally:
        await close_all()
    print(json.dumps(result))
    return 0


if __name__ == '__main__':
    logging.basicConfig(level=logging.DEBUG, format='%(relativeCreated)d %(name)s %(levelname)s %(message)s')
    sys.exit(asyncio.new_event_loop().run_until_complete(main()))
