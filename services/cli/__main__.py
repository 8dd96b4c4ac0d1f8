"""`python -m services.cli`: the `modernize` command where its script is not on the path."""

from services.cli.main import app

app(prog_name="modernize")
