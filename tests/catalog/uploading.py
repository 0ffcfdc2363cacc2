"""A process of its own on a real database; `test_pictures.py` starts it.

python -m tests.catalog.uploading ROUNDS

In each round a prompt that has six pictures gets one from each of four processes at the same moment, and a file from
each of two, while a seventh takes it off sale and puts it back. Prints what database and storages hold in the end.
"""

import json
import multiprocessing
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from catalog.attachments import attach_file  # noqa: E402
from catalog.images import list_stored_sizes  # noqa: E402
from catalog.listings import publish_prompt, withdraw_prompt  # noqa: E402
from catalog.models import Prompt, PromptVersion  # noqa: E402
from catalog.pictures import add_picture  # noqa: E402
from marketplace.uploads import UploadRefused  # noqa: E402
from tests.accounts.pictures import draw, upload  # noqa: E402
from tests.factories import NOON, make_prompt  # noqa: E402

PICTURE_SENDERS, FILE_SENDERS = 4, 2
HAD = [f"https://a.example/{number}.png" for number in range(6)]


def work(number: int, keys: list, meeting, results) -> None:
    picture = draw((700, 500), colour=(number * 40, 9, 9))
    for key in keys:
        prompt = Prompt.objects.get(pk=key)
        meeting.wait(120)
        try:
            if number < PICTURE_SENDERS:
                add_picture(prompt=prompt, upload=upload(picture), alt=f"from {number}", now=NOON)
            elif number < PICTURE_SENDERS + FILE_SENDERS:
                attach_file(prompt=prompt, upload=SimpleUploadedFile("a.txt", b"%d" % number), now=NOON)
            else:
                for _ in range(5):
                    withdraw_prompt(prompt=prompt, reason="", now=NOON)
                    publish_prompt(prompt=prompt, now=NOON, is_staff_decision=True)
            results.put("done")
        except UploadRefused:
            results.put("refused")
    connections.close_all()


def main(rounds: int) -> None:
    call_command("migrate", verbosity=0)
    keys = [make_prompt(image_urls=HAD).pk for _ in range(rounds)]
    connections.close_all()
    forks = multiprocessing.get_context("fork")
    people = PICTURE_SENDERS + FILE_SENDERS + 1
    meeting, results = forks.Barrier(people), forks.Queue()
    processes = [forks.Process(target=work, args=(number, keys, meeting, results)) for number in range(people)]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=300) for _ in range(rounds * people)]
    for process in processes:
        process.join(60)
    prompts = list(Prompt.objects.select_related("listing"))
    own = [address for prompt in prompts for address in prompt.image_urls[len(HAD) :]]
    sizes = sum(len(list_stored_sizes(address)) for address in own)
    versions = PromptVersion.objects.filter(file_url__isnull=False)
    told = {
        "exits": sorted({process.exitcode for process in processes}),
        "refused": outcomes.count("refused"),
        "pictures": [len(prompt.image_urls) for prompt in prompts],
        "descriptions": sum(len(prompt.listing.image_alts) for prompt in prompts),
        "lost_sizes": sizes - sum(path.is_file() for path in (settings.MEDIA_ROOT / "prompts").iterdir()),
        "versions": sorted(versions.values_list("number", flat=True)),
        "files": sum(path.is_file() for path in settings.PRIVATE_ROOT.rglob("*")),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]))
