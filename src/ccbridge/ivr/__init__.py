"""Flows without a phone: drawn, walked and tried."""
