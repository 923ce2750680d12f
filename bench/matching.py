"""C2: a pass of the matching engine over many waiting tickets, half of which can be matched.

Two teams of five, one rule about skill and one about latency. Of the other half, one part is near to no location, one is
like nobody else. CPU seconds of this process, which does what the engine's own process does.
"""

import json
import random
import time

from apitrail.flexmatch import Player, Pool, RuleSet, Ticket, parse_rule_set
from bench.results import Row, Target

SIZES = (1_000, 10_000, 100_000)
MARKED = 10_000
PASS_S_MAX = 1.0
BUDGET_S = 0.05
BUDGET_MS_MAX = 75.0
NEWCOMERS = 20
NOW = 1_000_000.0
PLACES = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "ap-southeast-2")
SKILLS = "flatten(teams[*].players.attributes[skill])"
RULES = {
    "ruleLanguageVersion": "1.0",
    "playerAttributes": [{"name": "skill", "type": "number"}],
    "teams": [{"name": name, "minPlayers": 5, "maxPlayers": 5} for name in ("red", "blue")],
    "rules": [
        {
            "name": "CloseSkill",
            "type": "distance",
            "measurements": [SKILLS],
            "referenceValue": f"avg({SKILLS})",
            "maxDistance": 50,
        },
        {"name": "NearServer", "type": "latency", "maxLatency": 100},
    ],
}


def c2(rounds: int) -> list[Row]:
    """Measure whole passes, what one newcomer costs beside those who wait, and passes that have little time."""
    rules = parse_rule_set(json.dumps(RULES))
    rows = []
    for size in SIZES:
        measured = [_pass(rules, size, number) for number in range(rounds)]
        matched = sum(share for _, share, _ in measured) / rounds
        target = Target(PASS_S_MAX) if size == MARKED else None
        whole, newcomer = [seconds for seconds, _, _ in measured], [1000 * later for _, _, later in measured]
        rows.append(
            Row("C2", f"a pass over {size:,} tickets", "s CPU", whole, target=target, beside=f"{matched:.0%} matched")
        )
        rows.append(Row("C2", f"a newcomer's pass beside the rest of {size:,}", "ms CPU", newcomer))
    for size in (MARKED, SIZES[-1]):
        longest = [1000 * _longest(rules, size, number) for number in range(rounds)]
        target = Target(BUDGET_MS_MAX) if size == MARKED else None
        name = f"the longest pass over {size:,} tickets with a budget of {1000 * BUDGET_S:.0f} ms"
        rows.append(Row("C2", name, "ms CPU", longest, target=target))
    return rows


def crowd(count: int, seed: int) -> list[Ticket]:
    """Return tickets of one player each; every second one can be matched."""
    chance = random.Random(seed)
    return [_ticket(chance, number) for number in range(count)]


def _ticket(chance: random.Random, number: int) -> Ticket:
    skill, low, high = chance.gauss(1_500, 300), 60, 250
    if number % 4 == 1:
        low, high = 110, 300
    elif number % 4 == 3:
        skill, low = 10_000 + 120.0 * number, 10
    latencies = {place: chance.randint(low, high) for place in PLACES}
    if number % 2 == 0:
        latencies[chance.choice(PLACES)] = chance.randint(10, 90)
    player = Player(f"p{number}", {"skill": skill}, latencies)
    return Ticket(f"t{number}", NOW - 600 + number / 1_000, (player,))


def _pool(rules: RuleSet, tickets: list[Ticket]) -> Pool:
    pool = Pool(rules, 1, time.process_time)
    for ticket in tickets:
        pool.add(ticket)
    return pool


def _pass(rules: RuleSet, size: int, seed: int) -> tuple[float, float, float]:
    """Return the CPU seconds of a pass, the share of tickets it matched, and the seconds of a pass for one newcomer."""
    *tickets, last = crowd(size + NEWCOMERS, seed)
    tickets, later = tickets[:size], [*tickets[size:], last]
    pool = _pool(rules, tickets)
    begin = time.process_time()
    proposals = pool.run(NOW)
    seconds = time.process_time() - begin
    begin = time.process_time()
    for ticket in later:
        pool.add(ticket)
        pool.run(NOW)
    return seconds, 10 * len(proposals) / size, (time.process_time() - begin) / len(later)


def _longest(rules: RuleSet, size: int, seed: int) -> float:
    """Return the CPU seconds of the longest pass, all of which have the same budget, until nothing is left to do."""
    pool = _pool(rules, crowd(size, seed))
    pool.run(NOW, 0.0)
    longest = 0.0
    while pool.next_change(NOW) is not None:
        begin = time.process_time()
        pool.run(NOW, BUDGET_S)
        longest = max(longest, time.process_time() - begin)
    return longest
