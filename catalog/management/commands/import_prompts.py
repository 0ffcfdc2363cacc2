import argparse
import json
from dataclasses import asdict
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from catalog.imports import COLUMNS, UnknownColumn, import_prompts, match_columns
from catalog.prompt_files import FileUnreadable, PromptFile
from sellers.models import Seller

MISUSE = 2


class Command(BaseCommand):
    help = f"""Take prompts from a CSV or JSON file. Columns: {", ".join(COLUMNS)}.

A prompt without an id gets one made from its title and text, so a second run adds none. Prompts that are there are left
as they are. A file without a price gives prompts that cost nothing.

examples:
  manage.py import_prompts prompts.csv --dry-run
  manage.py import_prompts prompts.csv --map title=act --map prompt_text=prompt --default price=1000 --seller my-studio

exit status: 0 all taken or there already, 1 some could not be taken, 2 wrong use"""

    def create_parser(self, *args, **kwargs):
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="CSV (UTF-8 or CP949), a JSON array, or JSON lines")
        parser.add_argument(
            "--map", action="append", default=[], metavar="OURS=THEIRS", help="take a column of ours from this one"
        )
        parser.add_argument(
            "--default", action="append", default=[], metavar="OURS=VALUE", help="where the file has no value"
        )
        parser.add_argument("--seller", metavar="SLUG", help="who offers them; nobody by default")
        parser.add_argument("--dry-run", action="store_true", help="try everything and keep nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args, **options):
        try:
            with PromptFile(options["file"]) as file:
                result = self.take(file, options)
        except (FileUnreadable, UnknownColumn) as error:
            raise CommandError(str(error), returncode=MISUSE) from error
        if options["json"]:
            report = {**asdict(result), "dry_run": options["dry_run"]}
            self.stdout.write(json.dumps(report, ensure_ascii=False, indent=2))
        else:
            self.describe(result, unit=file.unit, is_dry_run=options["dry_run"])
        if result.refused:
            raise CommandError(f"{len(result.refused)} could not be taken", returncode=1)

    def take(self, file: PromptFile, options):
        mapping, defaults = self.split_pairs("--map", options["map"]), self.split_pairs("--default", options["default"])
        sources = match_columns(file_columns=file.columns, mapping=mapping, defaults=defaults)
        with tqdm(
            total=file.size, unit="B", unit_scale=True, desc=options["file"].name, leave=False, disable=None
        ) as bar:
            result = import_prompts(
                records=file.records(),
                sources=sources,
                defaults=defaults,
                seller=self.find_seller(options["seller"]),
                now=timezone.now(),
                is_dry_run=options["dry_run"],
                on_progress=lambda count: bar.update(file.position - bar.n),
            )
        result.ignored_columns = [column for column in file.columns if column not in sources.values()]
        if "price" not in {**sources, **defaults}:
            result.notes.append("no column gives a price, so they cost nothing; --default price=… sets one")
        if file.encoding == "cp949":
            result.notes.append("the file is not UTF-8 and was read as CP949")
        return result

    def split_pairs(self, option: str, pairs: list[str]) -> dict[str, str]:
        split = [pair.partition("=") for pair in pairs]
        for ours, equals, value in split:
            if not ours or not equals or (option == "--map" and not value):
                raise CommandError(f"{option} wants two parts with = between them", returncode=MISUSE)
        return {ours.strip(): value.strip() for ours, _, value in split}

    def find_seller(self, slug: str | None) -> Seller | None:
        if slug is None:
            return None
        seller = Seller.objects.filter(slug=slug).first()
        if seller is None:
            raise CommandError(f"there is no seller “{slug}”", returncode=MISUSE)
        return seller

    def describe(self, result, *, unit: str, is_dry_run: bool) -> None:
        for refused in result.refused:
            where = f"{unit} {refused.line}" + (f", {refused.column}" if refused.column else "")
            self.stderr.write(f"{where}: {refused.reason}")
        for note in result.notes:
            self.stderr.write(f"note: {note}")
        if result.ignored_columns:
            self.stderr.write(f"note: not used: {', '.join(result.ignored_columns)}")
        verb = "would be added" if is_dry_run else "added"
        self.stdout.write(
            f"{result.added} prompts {verb}, {result.there_already} there already, {len(result.refused)} not taken"
        )
