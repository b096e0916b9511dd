"""Who may do what: permissions of commits, the quarantine, the rollout of forms, revocations."""
