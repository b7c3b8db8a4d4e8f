"""What a reader does on any page, and what stands there."""

import json
import time


def widget(page, kind, key):
    return next(item for item in getattr(page, kind) if item.key == key)


def press(page, key):
    widget(page, "button", key).click()
    page.run()
    assert not page.exception, page.exception
    return page


def settle(pages, page):
    """Wait until no job runs, and draw the page again, as the panel does when a job ends."""
    limit = time.monotonic() + 30  # a busy machine's
    while any(not view.finished for view in pages.jobs.jobs_of(owner(pages))):
        assert time.monotonic() < limit
        time.sleep(0.01)
    page.run()
    assert not page.exception, page.exception
    return page


def settle_all(jobs, name, page):
    """Wait until no job of an owner runs, whatever engine runs it, and draw the page again."""
    limit = time.monotonic() + 30
    while any(not view.finished for view in jobs.jobs_of(name)):
        assert time.monotonic() < limit
        time.sleep(0.01)
    page.run()
    assert not page.exception, page.exception
    return page


def owner(pages):
    return next(iter({job.owner for job in pages.jobs._jobs.values()}), "")


def newest_job(pages):
    return pages.jobs.jobs_of(owner(pages))[-1]


def stories(page):
    """Return what each story component shows: (given, fresh) of every card."""
    found = []
    for item in page.get("bidi_component"):
        data = json.loads(item.proto.json)
        found += [(one["given"], one["fresh"]) for one in data.get("texts", [])]
    return found


def links(page):
    """Return the links that the page's buttons copy; "" where one is too long."""
    found = [json.loads(item.proto.json) for item in page.get("bidi_component")]
    return [data["link"] for data in found if "link" in data]


def messages(page):
    return [
        item.value.replace("\\", "").replace("\u2060", "")
        for kind in ("error", "warning", "info")
        for item in getattr(page, kind)
    ]


def marked(page, setting):
    """Say whether a setting, by its key, has the dot of those that differ from the model's default."""
    name = setting.replace(".", "-")
    return any(f".st-key-{name} " in item.proto.body for item in page.get("html"))


def said(page):
    """Return every sentence on the page."""
    kinds = ("error", "warning", "info", "caption", "markdown", "text")
    return " | ".join(str(item.value) for kind in kinds for item in getattr(page, kind)).replace("\\", "")
