"""Permissions of commits, the quarantine, the rollout of forms, revocations."""
