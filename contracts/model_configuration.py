"""What a tenant configures of language models: which, with whose keys, at which price, and how much of them."""

from typing import Annotated, Any

from pydantic import Field

from contracts.configuration_key import Key

_READ_BY = ("agent_runner",)
_Provider = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Model = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*/[^\s]{1,200}$")]
_Use = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}(/[a-z0-9_]{1,60})?$")]
_Url = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=500)]
_Dollars = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]

MODEL_PROVIDER_KEYS: Key[dict[str, str]] = Key(
    name="model_provider_keys",
    kind=Annotated[
        dict[_Provider, Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]],
        Field(max_length=20),
    ],
    default={},
    description='API keys by provider, {"deepinfra": "…"}; the providers are those of models.toml',
    read_by=_READ_BY,
    secret=True,
)
MODEL_BASE_URLS: Key[dict[str, str]] = Key(
    name="model_base_urls",
    kind=Annotated[dict[_Provider, _Url], Field(max_length=20)],
    default={},
    description='Where a provider is, in place of its own address: {"ollama": "http://127.0.0.1:11434/v1"}',
    read_by=_READ_BY,
)
MODELS: Key[dict[str, str]] = Key(
    name="models",
    kind=Annotated[dict[_Use, _Model], Field(max_length=200)],
    default={},
    description="Models by use, as PROVIDER/MODEL: default, cheap, strong, embedding, AGENT or AGENT/TASK; "
    "unset: what the first provider with a key offers",
    read_by=_READ_BY,
)
MODEL_FALLBACKS: Key[list[str]] = Key(
    name="model_fallbacks",
    kind=Annotated[list[_Model], Field(max_length=10)],
    default=[],
    description="Models that are asked in this order where the chosen one does not answer or would cost too much",
    read_by=_READ_BY,
)
MODEL_ESCALATION_BELOW: Key[float] = Key(
    name="model_escalation_below",
    kind=Annotated[float, Field(ge=0, le=1)],
    default=0.6,
    description="Where a model is less sure of its answer than this, the model for `strong` is asked, if there is one",
    read_by=_READ_BY,
)
MODEL_PRICES: Key[dict[str, list[float]]] = Key(
    name="model_prices",
    kind=Annotated[
        dict[_Model, Annotated[list[_Dollars], Field(min_length=2, max_length=2)]],
        Field(max_length=200),
    ],
    default={},
    description='USD for a million tokens in and out, {"openai/gpt-4.1": [2.0, 8.0]}, in place of models.toml',
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_BUDGET_USD_PER_DAY: Key[float | None] = Key(
    name="model_budget_usd_per_day",
    kind=_Dollars | None,
    default=None,
    description="USD that an engagement's models may cost in a day (UTC); a call that could exceed it is not made",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_BUDGET_USD_PER_FLOW: Key[float | None] = Key(
    name="model_budget_usd_per_flow",
    kind=_Dollars | None,
    default=None,
    description="USD that the models asked for one flow may cost; a call that could exceed it is not made",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_TOKENS_PER_DAY: Key[int | None] = Key(
    name="model_tokens_per_day",
    kind=_Count | None,
    default=None,
    description="Tokens, in and out, that an engagement's models may take in a day (UTC); no call is made beyond",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_CALLS_PER_MINUTE: Key[int] = Key(
    name="model_calls_per_minute",
    kind=_Count,
    default=600,
    description="Calls of models a minute for an engagement; more wait their turn, and give up at their deadline",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_CALLS_AT_ONCE: Key[int] = Key(
    name="model_calls_at_once",
    kind=_Count,
    default=16,
    description="Calls of models that one process makes at a time for an engagement",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_HEDGE_AFTER_SECONDS: Key[float | None] = Key(
    name="model_hedge_after_seconds",
    kind=Annotated[float, Field(gt=0, le=60)] | None,
    default=None,
    description="Seconds after which the next of `model_fallbacks` is asked beside a slow model; the first answer "
    "counts, and both may cost; unset: never",
    read_by=_READ_BY,
    scope="platform:write",
)
MODEL_CACHE_SECONDS: Key[int] = Key(
    name="model_cache_seconds",
    kind=Annotated[int, Field(ge=0, le=365 * 86_400)],
    default=7 * 86_400,
    description="How long the answer to the very same question is used again; 0: never",
    read_by=_READ_BY,
)
MODEL_REDACTION: Key[bool] = Key(
    name="model_redaction",
    kind=bool,
    default=True,
    description="Secrets and personal data are taken out of what models and spans are told",
    read_by=_READ_BY,
)
MODEL_PROMPTS_IN_SPANS: Key[bool] = Key(
    name="model_prompts_in_spans",
    kind=bool,
    default=False,
    description="Spans carry what models were asked and answered, redacted",
    read_by=_READ_BY,
    scope="platform:write",
)

MODEL_KEYS: tuple[Key[Any], ...] = (
    *(MODEL_PROVIDER_KEYS, MODEL_BASE_URLS, MODELS, MODEL_FALLBACKS, MODEL_ESCALATION_BELOW, MODEL_PRICES),
    *(MODEL_BUDGET_USD_PER_DAY, MODEL_BUDGET_USD_PER_FLOW, MODEL_TOKENS_PER_DAY),
    *(MODEL_CALLS_PER_MINUTE, MODEL_CALLS_AT_ONCE, MODEL_HEDGE_AFTER_SECONDS),
    *(MODEL_CACHE_SECONDS, MODEL_REDACTION, MODEL_PROMPTS_IN_SPANS),
)
