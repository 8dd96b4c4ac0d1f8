"""`modernize technology`: which product and release a text means, without a server."""

from dataclasses import asdict
from typing import Annotated

import typer

from services.cli.command import command
from services.cli.terminal import out, print_json

Texts = Annotated[list[str], typer.Argument(help='As an inventory writes it, such as "Win srv 2k12 R2 std".')]


@command
def technology(texts: Texts, as_json: bool = False) -> None:
    """Name the product and release that each text means, or refuse to; needs no running platform."""
    from services.field_mapping.technology_names import recognise

    found = {text: recognise(text) for text in texts}
    if as_json:
        print_json(
            {
                "technologies": [
                    {"text": text, **(asdict(one) if one else {"product": None})} for text, one in found.items()
                ]
            }
        )
        return
    for text, one in found.items():
        if one is None:
            out.print(f'"{text}" names no technology that is known with certainty.', markup=False)
        else:
            by = f" by {one.vendor}" if one.vendor else ""
            out.print(f"{one.name} ({one.kind}{by}, {one.confidence:.0%}): {one.reason}.", markup=False)
