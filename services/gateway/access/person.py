"""The caller of what is about one's own account: a person who signed in, whatever roles it has."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from services.chassis.errors import Forbidden
from services.gateway.access.grants import user_id_of
from services.gateway.principal import Asker


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and the session in which it asks."""

    user_id: UUID
    session_id: UUID
    email: str


async def person(who: Asker) -> Person:
    """The person who asks; raises `Forbidden` for an API key."""
    if who.session_id is None:
        raise Forbidden("not_a_person", "This is about a person's own account, which an API key has not. Sign in.")
    return Person(user_id_of(who), who.session_id, who.name)


Self = Annotated[Person, Depends(person)]
