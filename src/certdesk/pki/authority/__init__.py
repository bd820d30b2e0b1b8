"""The built-in CA: hierarchy, profiles, and the one path prepare, lint, sign."""
