"""The tables of the store, as numbered SQL files that are applied once each, in order."""
