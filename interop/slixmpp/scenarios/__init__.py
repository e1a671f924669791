"""Scenarios by subject; each is a coroutine function that takes the server and returns facts as JSON."""
