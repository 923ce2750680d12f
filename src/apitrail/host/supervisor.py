"""The host at work: it takes orders, keeps folders and processes, and reports what becomes of them.

Work on the folders of one fleet is done in the order in which it was ordered. When the server's end of the channel closes, every
process that was started is told to end, killed if it does not, and the host ends.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from apitrail.host import builds
from apitrail.host.builds import BuildError, ending
from apitrail.host.logs import GAME, LOGS, BoundedLog, drop_old_logs, log_name
from apitrail.host.messages import (
    PATH_PROBLEM,
    START_PROBLEM,
    Began,
    Begin,
    Exited,
    Installing,
    Kill,
    Order,
    Prepare,
    Prepared,
    RemoveFleet,
    RemoveInstance,
    Report,
    SetUp,
    Start,
    Started,
    WasSetUp,
    orders,
    pack,
    read_message,
)
from apitrail.host.ports import free_port
from apitrail.host.programs import PORT, ProgramError, arguments, find_program
from apitrail.host.running import Jail, Program, StartError, start_program
from apitrail.host.strays import end_group, kill_children, kill_group, kill_marked, reap_orphans

log = logging.getLogger("apitrail.host")
CHUNK = 65536
END_S = 1.0
"""How long game servers may take to end by SIGTERM when the host ends."""

PRINTED_S = 2.0
"""How long what a process has printed is still read after its end; longer only a child of its that holds on to the pipe."""


class _Game:
    """A game server from its order to its end. leader: its pid, 0 before it runs."""

    def __init__(self, order: Start) -> None:
        self.order = order
        self.leader = 0
        self.port = 0
        self.unwanted = False


class Supervisor:
    """One host. mark: found in the environment of whatever it starts, and of what an earlier one has started."""

    def __init__(self, begin: Begin, mark: str, pid: int, writer: asyncio.StreamWriter) -> None:
        self._begin = begin
        self._root = Path(begin.root)
        self._jail = Jail(mark, begin.user, begin.limits)
        self._pid = pid
        self._writer = writer
        self._games: dict[str, _Game] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Take orders until the channel closes; then end what runs. Raises: msgspec.DecodeError."""
        try:
            kill_marked(self._jail.mark)
            await asyncio.to_thread(builds.keep_only, self._root, self._begin.keep)
            self._report(Began(self._pid))
            while (order := await read_message(reader, orders)) is not None:
                self._take(order)
                await self._writer.drain()
        except ConnectionError:
            log.warning("the server is gone")
        finally:
            await self.end()

    async def end(self) -> None:
        """End every process that was started and is not gone: by SIGTERM, and a moment later by SIGKILL."""
        for leader in self._leaders():
            end_group(leader)
        if self._leaders():
            await asyncio.wait(set(self._tasks), timeout=END_S)
        for leader in self._leaders():
            kill_group(leader)
        kill_marked(self._jail.mark)
        kill_children()

    def _leaders(self) -> list[int]:
        return [game.leader for game in self._games.values() if game.leader]

    def _take(self, order: Order) -> None:
        if isinstance(order, Kill):
            self._kill(order)
            return
        if isinstance(order, Start):
            if order.process in self._games:
                return
            self._games[order.process] = _Game(order)
        bodies: dict[type, Callable[[Any], Awaitable[None]]] = {
            Prepare: self._prepare,
            SetUp: self._set_up,
            Start: self._run,
            RemoveInstance: self._remove_instance,
            RemoveFleet: self._remove_fleet,
        }
        task = asyncio.ensure_future(self._guard(bodies[type(order)], order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, body: Callable[[Any], Awaitable[None]], order: Order) -> None:
        """Carry out an order; a failure that nobody has thought of is logged, and reported where the server waits."""
        try:
            await body(order)
        except Exception as error:
            log.exception("order %s failed", type(order).__name__)
            text = f"the host failed: {error}"
            if isinstance(order, Prepare):
                self._report(Prepared(order.place, order.fleet, builds.OTHER_PROBLEM, text))
            elif isinstance(order, SetUp):
                self._report(WasSetUp(order.place, order.fleet, order.instance, text))
            elif isinstance(order, Start):
                self._games.pop(order.process, None)
                self._report(Exited(order.place, order.process, text, START_PROBLEM))

    def _report(self, report: Report) -> None:
        if not self._writer.is_closing():
            self._writer.write(pack(report))

    async def _prepare(self, order: Prepare) -> None:
        async with self._locks[order.fleet]:
            try:
                report = Prepared(order.place, order.fleet, installed=await self._make_build(order))
            except BuildError as error:
                report = Prepared(order.place, order.fleet, error.code, str(error))
            await asyncio.to_thread(Path(order.archive).unlink, missing_ok=True)
            self._report(report)

    async def _make_build(self, order: Prepare) -> bool:
        """Make a fleet's build; return whether it had to be installed. Raises: BuildError."""
        limits, user = self._begin.limits, self._begin.user
        beside = await asyncio.to_thread(builds.unpack_build, self._root, order, limits, user)
        installer = beside / builds.INSTALLER
        has_installer = installer.is_file()
        if has_installer:
            self._report(Installing(order.place, order.fleet))
            await self._install(installer)
        await asyncio.to_thread(builds.finish_build, self._root, order, beside)
        return has_installer

    async def _install(self, installer: Path) -> None:
        """Run an install script in its folder. Raises: BuildError."""
        program = Program(Path("/bin/sh"), [f"./{installer.name}"], installer.parent, {})
        try:
            running = await start_program(program, self._jail)
        except StartError as error:
            raise BuildError(builds.INSTALL_PROBLEM, f"{installer.name} cannot be run: {error}") from error
        try:
            problem = await builds.run_installer(running, self._begin.limits.install_s)
        finally:
            kill_group(running.process.pid)
        await running.process.wait()
        if problem:
            raise BuildError(builds.INSTALL_PROBLEM, problem)

    async def _set_up(self, order: SetUp) -> None:
        async with self._locks[order.fleet]:
            facts = (order.fleet, order.instance)
            problem = await asyncio.to_thread(builds.set_up_instance, self._root, *facts, self._begin.user)
            self._report(WasSetUp(order.place, *facts, problem))

    async def _remove_instance(self, order: RemoveInstance) -> None:
        async with self._locks[order.fleet]:
            await asyncio.to_thread(builds.remove_instance, self._root, order.fleet, order.instance)

    async def _remove_fleet(self, order: RemoveFleet) -> None:
        async with self._locks[order.fleet]:
            await asyncio.to_thread(builds.remove_fleet, self._root, order.fleet)

    def _kill(self, order: Kill) -> None:
        game = self._games.get(order.process)
        if game is not None:
            game.unwanted = True
            if game.leader:
                kill_group(game.leader)

    async def _run(self, order: Start) -> None:
        """Run a game server from its start to its end, and report both."""
        game = self._games[order.process]
        try:
            text = await self._play(game)
        except ProgramError as error:
            report = Exited(order.place, order.process, str(error), PATH_PROBLEM)
        except StartError as error:
            report = Exited(order.place, order.process, str(error), START_PROBLEM)
        else:
            report = Exited(order.place, order.process, text)
        del self._games[order.process]
        self._report(report)

    async def _play(self, game: _Game) -> str:
        """Start a game server, wait for its end and return how it has ended. Raises: ProgramError, StartError."""
        order, folder = game.order, builds.instance_folder(self._root, game.order.fleet, game.order.instance)
        path = await asyncio.to_thread(find_program, folder / GAME, order.path)
        words = arguments(order.parameters, self._port(game))
        await asyncio.to_thread(drop_old_logs, folder / LOGS)
        program = Program(path, words, path.parent, order.environment)
        process, printed = await start_program(program, self._jail)
        game.leader = process.pid
        self._report(Started(order.place, order.process, process.pid))
        if game.unwanted:
            kill_group(process.pid)
        printing = asyncio.ensure_future(self._keep_printed(printed, folder / LOGS / log_name(order.process)))
        code = await process.wait()
        self._clear(game)
        await asyncio.wait((printing,), timeout=PRINTED_S)
        printing.cancel()
        return ending(code)

    def _clear(self, game: _Game) -> None:
        """Kill what a game server has left running, wherever it went."""
        kill_group(game.leader)
        kill_marked(self._jail.mark, game.order.process)
        reap_orphans({other.leader for other in self._games.values()})

    def _port(self, game: _Game) -> int | None:
        """Return a port for a game server that asks for one, or None. Raises: StartError."""
        if PORT not in game.order.parameters:
            return None
        found = free_port(game.order.ports, {other.port for other in self._games.values()})
        if found is None:
            raise StartError("no port is free that the fleet's inbound permissions allow")
        game.port = found
        return found

    async def _keep_printed(self, printed: asyncio.StreamReader, path: Path) -> None:
        """Write what a process prints to its log."""
        kept = BoundedLog(path, self._begin.limits.log_bytes)
        try:
            while chunk := await printed.read(CHUNK):
                kept.write(chunk)
        finally:
            kept.close()
