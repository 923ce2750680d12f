"""kill -9 under load: each acknowledged call has exactly one record in the bucket, each change its record."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Running
from load import Answer, Connection, credential, run_callers

SOAK = bool(os.environ.get("APITRAIL_SOAK"))
CALLS = 100_000 if SOAK else 3_000
KILLS = 25 if SOAK else 4
CALLERS = 32
SEED = int(os.environ.get("APITRAIL_SEED", "1"))


class Load:
    """Mixed calls from many callers, until enough are answered; remembers every answer."""

    def __init__(self, server: Running, calls: int) -> None:
        self.server = server
        self.left = calls
        self.answers: list[tuple[str, Answer]] = []
        self.builds: set[str] = set()

    def host(self) -> str:
        return self.server.endpoint.removeprefix("http://")

    async def caller(self, number: int) -> None:
        chance = random.Random(f"{SEED}/{number}")
        connection = Connection(self.host, credential(*self.server.keys))
        mine: list[str] = []
        while self.left > 0:
            operation, params = self.choose(chance, mine, number)
            answer = await connection.call("gamelift", operation, params)
            if answer.status == 0:
                await asyncio.sleep(0.05)
                continue
            self.left -= 1
            self.answers.append((operation, answer))
            if operation == "CreateAlias" and answer.status == 200:
                mine.append(answer.body["Alias"]["AliasId"])
        await connection.close()

    def choose(self, chance: random.Random, mine: list[str], number: int) -> tuple[str, dict[str, Any]]:
        """Return a call: writes, reads, failures of the service, and parameters that break the model."""
        name = f"caller-{number}-{chance.getrandbits(32):x}"
        strategy = {"Type": "TERMINAL", "Message": "closed"}
        kinds: list[tuple[str, dict[str, Any]]] = [
            ("CreateAlias", {"Name": name, "RoutingStrategy": strategy}),
            ("CreateLocation", {"LocationName": f"custom-{name}"}),
            ("ListBuilds", {}),
            ("DescribeFleetAttributes", {}),
            ("DescribeBuild", {"BuildId": "build-00000000-0000-0000-0000-000000000000"}),
            ("CreateAlias", {"Name": "", "RoutingStrategy": strategy}),
        ]
        if mine:
            kinds.append(("UpdateAlias", {"AliasId": chance.choice(mine), "Name": name}))
            kinds.append(("DescribeAlias", {"AliasId": chance.choice(mine)}))
        if len(mine) > 5:
            kinds.append(("DeleteAlias", {"AliasId": mine.pop(chance.randrange(len(mine)))}))
        return chance.choice(kinds)


async def kill_now_and_then(load: Load, kills: int) -> int:
    """Kill the server at random moments, spread over the load, and start it again."""
    chance, done, total = random.Random(f"{SEED}/kills"), 0, load.left
    while load.left > 0:
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        if done < kills and load.left < total * (1 - done / (kills + 1)):
            await asyncio.to_thread(lambda: (load.server.kill(), load.server.start()))
            done += 1
    return done


def all_aliases(server: Running) -> set[str]:
    pages = server.client("gamelift").get_paginator("list_aliases").paginate()
    return {alias["AliasId"] for page in pages for alias in page["Aliases"]}


def check_records(load: Load, records: list[dict[str, Any]]) -> None:
    """Compare what was answered with what is in the bucket."""
    by_request = Counter(record["requestID"] for record in records)
    assert max(Counter(record["eventID"] for record in records).values()) == 1
    missing = [(name, a.request_id) for name, a in load.answers if a.status < 500 and by_request[a.request_id] != 1]
    assert missing == []
    refused = [a for _, a in load.answers if a.status >= 500]
    assert all(by_request[answer.request_id] == 0 for answer in refused)


def check_state(server: Running, records: list[dict[str, Any]]) -> None:
    """Compare what exists with what the records say was made and deleted."""
    made = {
        record["responseElements"]["alias"]["aliasId"]
        for record in records
        if record["eventName"] == "CreateAlias" and "errorCode" not in record
    }
    gone = {
        record["requestParameters"]["aliasId"]
        for record in records
        if record["eventName"] == "DeleteAlias" and "errorCode" not in record
    }
    assert all_aliases(server) == made - gone


@pytest.mark.timeout(3600 if SOAK else 240)
def test_each_acknowledged_call_has_one_record_whatever_is_killed_when(make_server: Callable[..., Running]) -> None:
    server = make_server()
    server.make_trail()
    load = Load(server, CALLS)

    async def run() -> int:
        killing = asyncio.ensure_future(kill_now_and_then(load, KILLS))
        await run_callers(CALLERS, load.caller)
        return await killing

    kills = asyncio.run(run())
    assert kills >= KILLS
    server.kill()
    server.start()
    wanted = {answer.request_id for _, answer in load.answers if answer.status < 500}
    records = server.wait_delivered(
        lambda records: records if wanted <= {record["requestID"] for record in records} else None
    )
    check_records(load, records)
    check_state(server, records)
