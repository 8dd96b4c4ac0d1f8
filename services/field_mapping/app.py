"""Field mapping: hears what to read and clean, answers with tables, mappings and assets."""

from services.field_mapping import asset_handlers, learning_handlers
from services.field_mapping.handlers import service

__all__ = ["asset_handlers", "learning_handlers", "service"]
