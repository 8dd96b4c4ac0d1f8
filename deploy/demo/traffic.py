"""Who talks to whom: inside applications, within move groups, to shared services and across the estate."""

from itertools import pairwise

from deploy.demo.dice import Dice
from deploy.demo.estate import Application, Asset, Block, Connection, Role

Member = tuple[Application, list[Asset]]

# Port, protocol and target process of every shared service, and the share of servers that were seen using it.
SHARED_TRAFFIC: dict[str, tuple[int, str, str, float]] = {
    "Active Directory": (389, "TCP", "lsass.exe", 0.4),
    "Infrastructure Monitoring": (10051, "TCP", "zabbix_server", 0.3),
    "Enterprise Backup": (1556, "TCP", "pbx_exchange", 0.25),
}
BELOW: dict[Role, Role] = {"web": "app", "app": "db"}
REMEMBERED_APPLICATIONS = 400
CROSS_LINK_CHANCE = 0.3
EXTERNAL_CHANCE = 0.08
DECLARED_CHANCE = 0.7


class Traffic:
    """Draws the connections of one block after the other."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._shared: dict[str, list[Asset]] = {}
        self._earlier: list[tuple[str, Asset]] = []

    def register_shared(self, service: str, servers: list[Asset]) -> None:
        """Name the servers of a shared service that every block may use."""
        self._shared[service] = servers

    def connect(self, block: Block, members: list[Member]) -> None:
        """Add the connections of `members`, and declare some of their dependencies."""
        live = [(app, [server for server in servers if not server.decommissioned]) for app, servers in members]
        for application, servers in live:
            self._inside(block, servers)
            for server in servers:
                self._to_shared_services(block, server)
            if not block.coupled and self._dice.roll() < CROSS_LINK_CHANCE:
                self._to_earlier_application(block, application, servers)
        for (left, left_servers), (right, right_servers) in pairwise(live):
            self._couple(block, left, left_servers, right, right_servers)
        for application, servers in live:
            self._remember(application, servers)

    def _inside(self, block: Block, servers: list[Asset]) -> None:
        tiers: dict[tuple[str | None, Role], list[Asset]] = {}
        for server in servers:
            tiers.setdefault((server.environment, server.role), []).append(server)
        for (environment, role), sources in tiers.items():
            below = BELOW.get(role)
            targets = tiers.get((environment, below), []) if below else []
            low, high = (20_000, 900_000) if environment == "production" else (50, 5_000)
            for source in sources:
                for target in targets[:2]:
                    self._add(block, source, target, low, high)

    def _couple(
        self, block: Block, left: Application, lefts: list[Asset], right: Application, rights: list[Asset]
    ) -> None:
        """Heavy traffic in both the production and the test landscape: these two cannot move apart."""
        for environment, low, high in (("production", 50_000, 600_000), ("test", 100, 4_000)):
            sources = [server for server in lefts if server.environment == environment and server.role != "db"]
            targets = [server for server in rights if server.environment == environment]
            databases = [server for server in targets if server.role == "db"]
            for source in sources[:3]:
                for target in (databases or targets)[:2]:
                    self._add(block, source, target, low, high)
        if self._dice.roll() < DECLARED_CHANCE:
            left.dependencies.append(right.name)

    def _to_shared_services(self, block: Block, server: Asset) -> None:
        for service, (port, protocol, process, chance) in SHARED_TRAFFIC.items():
            if self._dice.roll() < chance:
                candidates = [target for target in self._shared[service] if target.site is server.site]
                target = self._dice.pick(candidates or self._shared[service])
                count = self._dice.between(100, 9_000)
                block.connections.append(Connection(server, _process(server), target, process, port, protocol, count))

    def _to_earlier_application(self, block: Block, application: Application, servers: list[Asset]) -> None:
        sources = [server for server in servers if server.environment == "production" and server.role == "app"]
        if not sources or not self._earlier:
            return
        other, target = self._dice.pick(self._earlier)
        count = self._dice.between(5, 400)
        block.connections.append(
            Connection(sources[0], _process(sources[0]), target, _process(target), 8443, "TCP", count)
        )
        if self._dice.roll() < DECLARED_CHANCE:
            application.dependencies.append(other)

    def _remember(self, application: Application, servers: list[Asset]) -> None:
        """Keep a bounded sample of servers that later applications may call."""
        for server in servers:
            if server.environment == "production" and server.role == "app":
                if len(self._earlier) < REMEMBERED_APPLICATIONS:
                    self._earlier.append((application.name, server))
                else:
                    self._earlier[int(self._dice.roll() * REMEMBERED_APPLICATIONS)] = (application.name, server)
                return

    def _add(self, block: Block, source: Asset, target: Asset, low: int, high: int) -> None:
        if target.database:
            port, process = target.database[2], target.database[3]
        else:
            port, process = (8443 if target.role == "app" else 443), _process(target)
        count = self._dice.between(low, high)
        block.connections.append(Connection(source, _process(source), target, process, port, "TCP", count))
        if self._dice.roll() < EXTERNAL_CHANCE:
            # RFC 5737 reserves these addresses for examples.
            outside = f"203.0.113.{self._dice.between(1, 254)}"
            block.connections.append(Connection(source, _process(source), outside, "", 443, "TCP", count // 100 + 1))


def _process(server: Asset) -> str:
    if server.role == "web":
        return "w3wp.exe" if server.os.is_windows else "nginx"
    if server.role == "db" and server.database:
        return server.database[3]
    return "java.exe" if server.os.is_windows else "java"
