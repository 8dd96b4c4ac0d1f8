"""A small clean export that no person has to look at."""

INVENTORY = "inventory.csv"
SERVERS = 12


def clean_inventory(servers: int = SERVERS) -> bytes:
    """A CSV whose columns are clear: `servers` machines of three applications."""
    header = "Hostname,IP Address,Operating System,CPU Cores,Memory (GB),Storage (GB),Environment,Application"
    rows = [
        f"srv-{number:05d},10.0.{number // 250}.{number % 250 + 1},Ubuntu 22.04,4,16,250,Production,Shop {number % 3}"
        for number in range(servers)
    ]
    return "\n".join([header, *rows, ""]).encode()
