"""What a tenant configures of MCP servers: which there are, which of their tools may be called, and by which agents."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from contracts.configuration_key import Key

_READ_BY = ("agent_runner",)
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")]
_Tool = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]{1,100}$")]
_Agent = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]
_Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=500)]
_Token = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]
MOST_SERVERS = 10


class McpServer(BaseModel):
    """A server whose tools agents may call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name = Field(description="Its tools are called mcp_NAME_TOOL")
    transport: Literal["http", "stdio"] = Field(description="http: streamable HTTP")
    url: _Url | None = Field(default=None, description="With http: where it is")
    command: _Name | None = Field(default=None, description="With stdio: a name in MODERNIZE_MCP_COMMANDS")
    tools: list[_Tool] = Field(default=[], max_length=50, description="Its tools that may be called; empty: none")
    agents: list[_Agent] = Field(default=[], max_length=50, description="Agents that may call them; empty: none")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        wanted, other = ("url", "command") if self.transport == "http" else ("command", "url")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"a server with the transport {self.transport} has a {wanted} and no {other}")
        return self


def _servers(given: Any) -> Any:
    """The servers in a value as JSON has it; raises `ValueError` that names the server and the field."""
    if not isinstance(given, list):
        return given
    servers = []
    for number, each in enumerate(given, 1):
        try:
            servers.append(McpServer.model_validate(each))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(["server", str(number), *map(str, first["loc"])])
            raise ValueError(f"{place}: {first['msg']}") from error
    if len({server.name for server in servers}) < len(servers):
        raise ValueError("two servers have the same name")
    return servers


MCP_SERVERS: Key[list[McpServer]] = Key(
    name="mcp_servers",
    kind=Annotated[list[McpServer], Field(max_length=MOST_SERVERS), BeforeValidator(_servers)],
    default=[],
    description='MCP servers whose tools agents may call: [{"name": "wiki", "transport": "http", "url": "https://…", '
    '"tools": ["search"], "agents": ["risk_assessor"]}]',
    read_by=_READ_BY,
)
MCP_SERVER_TOKENS: Key[dict[str, str]] = Key(
    name="mcp_server_tokens",
    kind=Annotated[dict[_Name, _Token], Field(max_length=MOST_SERVERS)],
    default={},
    description='What MCP servers on HTTP are sent as `Authorization: Bearer`, by name: {"wiki": "…"}',
    read_by=_READ_BY,
    secret=True,
)

MCP_KEYS: tuple[Key[Any], ...] = (MCP_SERVERS, MCP_SERVER_TOKENS)
