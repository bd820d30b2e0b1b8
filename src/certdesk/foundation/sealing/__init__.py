"""Secrets at rest: key-encryption keys in a file, envelope encryption, rotation."""
