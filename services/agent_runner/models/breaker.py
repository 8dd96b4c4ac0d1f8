"""A circuit breaker: a provider that fails again and again is left alone for a while, so that nobody waits for it."""

from dataclasses import dataclass

FAILURES = 5
OPEN_SECONDS = 30.0


@dataclass
class Breaker:
    """Opens after so many failures in a row; after a while one call tries whether it is well again. Seconds."""

    failures: int = 0
    open_until: float = 0.0
    trying_until: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether a call may go there now; where it was open, only one a while may try."""
        if self.failures < FAILURES:
            return True
        if now < self.open_until or now < self.trying_until:
            return False
        self.trying_until = now + OPEN_SECONDS
        return True

    def succeeded(self) -> None:
        """It answered: everything is forgotten."""
        self.failures, self.open_until, self.trying_until = 0, 0.0, 0.0

    def failed(self, now: float) -> None:
        """It did not answer, or not with an answer."""
        self.failures += 1
        self.trying_until = 0.0
        if self.failures >= FAILURES:
            self.open_until = now + OPEN_SECONDS

    def untried(self) -> None:
        """The call that was admitted was not made, or says nothing about the provider."""
        self.trying_until = 0.0
