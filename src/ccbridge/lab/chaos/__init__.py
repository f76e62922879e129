"""Chaos: real calls while everything around them is killed, frozen or cut, and what became of them."""
