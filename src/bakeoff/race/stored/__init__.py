"""Stored runs: scorecards, tables, reports and recipes made of them."""
