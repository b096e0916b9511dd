"""What keeps the documentation true: `python -m docs.generate` writes cli.md and the worked examples of formats/."""
