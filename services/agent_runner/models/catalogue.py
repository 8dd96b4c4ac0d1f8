"""Which providers and models there are, and what they charge: read from `models.toml`."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MILLION = Decimal(1_000_000)


class Price(BaseModel):
    """USD for a million tokens; `cached_input` is what the provider itself had in its cache."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Decimal = Field(default=Decimal(0), ge=0)
    output: Decimal = Field(default=Decimal(0), ge=0)
    cached_input: Decimal | None = Field(default=None, ge=0)

    def cost(self, tokens_in: int, tokens_out: int, cached_in: int = 0) -> Decimal:
        """USD, exact; `cached_in` of the input tokens came from the provider's cache."""
        cached = self.input if self.cached_input is None else self.cached_input
        return ((tokens_in - cached_in) * self.input + cached_in * cached + tokens_out * self.output) / MILLION


class Model(Price):
    """One model: its price, the tokens that it can look at, and the dimensions of its vectors if it makes those."""

    context: int = Field(default=32_768, gt=0)
    embeds: int | None = None


class Provider(BaseModel):
    """One provider: how it is called, and its models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    wire: Literal["openai", "anthropic"]
    base_url: str | None = None
    key: bool = True
    key_variable: str | None = None
    default_model: str | None = None
    cheap_model: str | None = None
    embedding_model: str | None = None
    structured: Literal["json_schema", "json_object", "tool"] = "json_schema"
    max_tokens_field: str = "max_tokens"
    any_model: bool = False
    at_once: int = Field(default=32, gt=0)
    models: Mapping[str, Model] = {}

    @property
    def url_variable(self) -> str:
        """Where commands look for another address than its own."""
        return f"{self.name.upper()}_BASE_URL"

    def model(self, name: str) -> Model | None:
        """A model that may be called here; of one that is not listed only the name is known."""
        return self.models.get(name) or (Model() if self.any_model else None)


def parse_catalogue(text: str) -> dict[str, Provider]:
    """The providers of a text as `models.toml` is; raises `pydantic.ValidationError`."""
    return {name: Provider(name=name, **table) for name, table in tomllib.loads(text).items()}


@cache
def providers() -> Mapping[str, Provider]:
    """The providers that there are, in the order in which they are taken where nobody chose."""
    return parse_catalogue(files(__package__).joinpath("models.toml").read_text(encoding="utf-8"))
