"""Amazon GameLift. One module per family of operations; a family registers itself when it is imported here.

errors, collections, arns, pages, tagging, records: what the families share. states: the life of things, as tables.
To add a family: a module, and its name in FAMILIES.
"""

from apitrail.services.gamelift import (
    aliases,
    auto_scaling,
    builds,
    compute_access,
    container_computes,
    container_definitions,
    container_fleets,
    deployments,
    fleet_actions,
    fleet_capacity,
    fleet_events,
    fleet_locations,
    fleet_ports,
    fleet_runtime,
    fleet_utilization,
    fleets,
    game_server_claims,
    game_servers,
    game_sessions,
    instances,
    locations,
    matchmaking_configurations,
    peering_authorizations,
    peering_connections,
    placements,
    player_sessions,
    queues,
    rule_sets,
    scaling_policies,
    scripts,
    server_groups,
    tagging,
)
from apitrail.services.gamelift.records import FREE, RULES
from apitrail.services.operation import Service

FAMILIES = (
    aliases,
    auto_scaling,
    builds,
    compute_access,
    container_computes,
    container_definitions,
    container_fleets,
    deployments,
    fleet_actions,
    fleet_capacity,
    fleet_events,
    fleet_locations,
    fleet_ports,
    fleet_runtime,
    fleet_utilization,
    fleets,
    game_server_claims,
    game_servers,
    game_sessions,
    instances,
    locations,
    matchmaking_configurations,
    peering_authorizations,
    peering_connections,
    placements,
    player_sessions,
    queues,
    rule_sets,
    scaling_policies,
    scripts,
    server_groups,
    tagging,
)

SERVICE = Service("gamelift", rules=RULES, free=FREE, validation_code="InvalidRequestException")
