# What a developer or an operator runs. `./justw RECIPE` is the same on a machine that has only Python.

set no-exit-message
set positional-arguments

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

[private]
default:
    @just --list --unsorted

# Run the bundled demo, or files of yours, from import to wave plan
[no-cd]
demo *ARGS: (_sync "embedded")
    @modernize demo "$@"

# Run the platform until Ctrl-C: embedded, or `up distributed` with one process a service
up *ARGS: (_sync "embedded")
    @modernize up "$@"

# Run every check and test, or the pytest ARGS you give
test *ARGS: (_sync "embedded" "dev" "scan" "agents")
    @python -m pytest -n auto --dist worksteal "$@"

# Ask real model providers, as far as their keys are in the environment, whether they keep their contract
test-live *ARGS: (_sync "embedded" "dev" "agents")
    @python -m pytest -rs tests/live/providers.py "$@"

# Run the checks alone: ruff, format, mypy, import rules, house style, schema drift, bandit, semgrep, secrets, zizmor
check: (_sync "embedded" "dev" "scan" "agents")
    @python -m pytest -n auto --dist worksteal tests/architecture \
        tests/contracts/test_schemas.py::test_the_committed_files_are_as_the_code_says

# Format the code and fix what ruff can fix
fmt: (_sync "embedded" "dev")
    @ruff format .
    @ruff check --fix .

# Run a benchmark with its peers; prints a table and writes .bench/NAME.json
bench NAME: (_sync "embedded" if NAME == "agents" { "agents" } else { "" })
    @python -m deploy.bench "$1"

# Fit what the evidence for a column's meaning weighs, on FOLDERs of labelled exports, into evidence_weights.toml
fit-mapping *FOLDERS: (_sync "embedded")
    @python -m deploy.bench.mapping_fit "$@"

# Ask agents labelled questions and print how often their rules are right; `--model openai/gpt-4.1` scores a model, too
evaluate-agents *ARGS: (_sync "embedded")
    @python -m deploy.agent_evaluation "$@"

# Run faults drawn from a seed (kills, zombies, crashes, poison) and the check of the checks: `chaos --seconds 600`
chaos *ARGS: (_sync "embedded" "dev")
    @python -m tests.chaos "$@"

# Send drawn requests to a platform as one tenant beside another, over the whole REST interface: `fuzz --seconds 900`
fuzz *ARGS: (_sync "embedded" "dev")
    @python -m tests.security.fuzzing "$@"

# Generate asyncapi.yaml, openapi.yaml and the JSON Schemas from the code
schemas: (_sync "embedded" "dev")
    @python -m services.cli.schemas

# Write the next version of a service's tables from its tables.py: `migration gateway "add invoices"`
migration SERVICE MESSAGE: (_sync "embedded" "dev")
    @python -m services.cli.new_migration "$1" "$2"

# Begin a service of its own: folder, tables, first handler, test
new-service NAME: (_sync "embedded" "dev")
    @python -m services.cli.new_service "$1"

# Check docker-compose.yml and the Dockerfile
compose-check: (_sync "embedded" "dev" "scan")
    @python -m pytest tests/deploy/test_compose.py

# Install PART beside the runtime: embedded, agents (CrewAI, about 850 MB), kms, embeddings (80 MB) or dev
install PART: (_sync PART)

# Lock every dependency with its hashes; `lock --upgrade` takes newer versions
lock *ARGS: _tools
    @uv pip compile pyproject.toml --all-extras --group dev --group tools --universal --generate-hashes \
        --no-annotate --no-header --quiet --output-file requirements.lock "$@"
    @uv pip compile --group scan --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-header --quiet --output-file deploy/scan.lock "$@"

# Makes .venv with just and uv, for those who call `just` itself
_tools:
    @./justw --version > /dev/null

# Brings .venv to what the lock says
_sync *PARTS: _tools
    @.venv/bin/python -I deploy/environment.py sync {{ PARTS }}
