"""Rotas as this service keeps them: versions, overrides, calendar feeds. The arithmetic is `shared.oncall`'s."""
