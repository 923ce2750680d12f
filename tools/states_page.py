"""Make docs/reference/gamelift-states.md from the tables in services/gamelift/states.py; --check only compares."""

import sys
from pathlib import Path

from apitrail.services.gamelift.states import (
    ANYWHERE_FLEET,
    ANYWHERE_LOCATION,
    BUILD,
    CONTAINER_FLEET,
    CONTAINER_LOCATION,
    DEPLOYMENT,
    FLEET,
    GAME_SERVER,
    GAME_SESSION,
    GROUP_VERSION,
    INSTANCE,
    LOCATION,
    PEERING,
    PLACEMENT,
    PLAYER_SESSION,
    SERVER_GROUP,
    SERVER_PROCESS,
    TICKET,
    Machine,
    Step,
)

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "gamelift-states.md"
MACHINES = {
    "Build": BUILD,
    "EC2 fleet": FLEET,
    "Location of an EC2 fleet": LOCATION,
    "Anywhere fleet": ANYWHERE_FLEET,
    "Location of an Anywhere fleet": ANYWHERE_LOCATION,
    "Container fleet": CONTAINER_FLEET,
    "Location of a container fleet": CONTAINER_LOCATION,
    "Version of a container group definition": GROUP_VERSION,
    "Deployment": DEPLOYMENT,
    "Instance": INSTANCE,
    "Game session": GAME_SESSION,
    "Player session": PLAYER_SESSION,
    "Game server group": SERVER_GROUP,
    "Game server": GAME_SERVER,
    "Placement": PLACEMENT,
    "Matchmaking ticket": TICKET,
    "Server process": SERVER_PROCESS,
    "VPC peering connection": PEERING,
}
HEAD = """# States of GameLift's things

Made by `python tools/states_page.py` from `src/apitrail/services/gamelift/states.py`.

A step with a delay is taken by itself that many seconds after the state was entered, times the setting
`gamelift.delay_scale`; any other step is somebody's call or message. An EC2 fleet has the status of its home location and
goes through its creation with it; remote locations do so on their own. Deadlines, such as the 60 seconds of a
reserved player slot, are not scaled.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_section(title, machine) for title, machine in MACHINES.items())])


def _section(title: str, machine: Machine) -> str:
    picture = [f"    {_node(step.source)} --> {_node(step.target)}" for step in machine.steps]
    rows = [_row(step) for step in machine.steps]
    lines = [
        f"## {title}",
        "",
        "```mermaid",
        "stateDiagram-v2",
        *picture,
        "```",
        "",
        "| from | to | brought about by | delay | fleet events |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _node(state: str) -> str:
    """Return a state's name in a picture, where it may have no hyphen."""
    return state.replace("-", "_") or "[*]"


def _row(step: Step) -> str:
    wait = "" if step.delay_s is None else f"{step.delay_s:g} s"
    cells = (step.source or "-", step.target or "gone", step.trigger, wait, ", ".join(step.events))
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is as it should be."""
    if "--check" in arguments:
        return 0 if PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
