"""The description of the API (OpenAPI 3.1), made from the registry and the models that read requests."""

from .document import document

__all__ = ["document"]
