"""What every part of the life needs: clients, a browser, waiting. Everything comes from the environment."""
import os
import time
import urllib.request

from carbon import Carbon
from carbon.exceptions import ApiException

HOST = os.environ["HELPSYNC_URL"]
KEY = os.environ["HELPSYNC_KEY"]
CUSTOMER = os.environ["HELPSYNC_CUSTOMER"]
SUBDOMAIN = os.environ["HELPSYNC_SUBDOMAIN"]
ARTICLES = int(os.environ["HELPSYNC_ARTICLES"])
LATE_SECONDS = 100
LOOK_EVERY_SECONDS = 0.1

# Strict: the SDK checks every answer against its models.
STRICT = {"validate": True}


def keyed():
    """The organization, on behalf of the customer."""
    return Carbon(host=HOST, api_key=KEY, customer_id=CUSTOMER)


def own():
    """The customer, by an access token."""
    return Carbon(host=HOST, access_token=keyed().auth.get_access_token(**STRICT).access_token)


def browse(url):
    """What a browser does with a URL: follows redirects to a page."""
    with urllib.request.urlopen(url, timeout=LATE_SECONDS) as page:
        return page.read().decode()


def until(what, look):
    """Waits for something true."""
    end = time.monotonic() + LATE_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(LOOK_EVERY_SECONDS)
    raise AssertionError(f"waited {LATE_SECONDS} s for {what}")


def refused(status, call, *args, **kwargs):
    """The body of an answer that must be an error."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == status, (error.status, error.body)
        return error.body
    raise AssertionError(f"expected {status}")


def source(client, **filters):
    """The customer's one data source."""
    answer = client.data_sources.query_user_data_sources(filters=filters, **STRICT)
    assert answer.count == 1, answer
    return answer.results[0]


def ready(client):
    """The data source, once its sync has ended."""
    def look():
        one = source(client)
        assert one.sync_status != "SYNC_ERROR", one
        return one if one.sync_status == "READY" and one.source_items_synced_at else None
    return until("the data source to be ready", look)


def files(client, **filters):
    """Every file that matches, page by page."""
    found = []
    while True:
        page = client.files.query_user_files(
            pagination={"limit": 7, "offset": len(found)}, order_by="id", order_dir="asc", filters=filters, **STRICT
        )
        found += page.results
        if not page.results:
            assert len(found) == page.count, (len(found), page.count)
            return found


def count(client, **filters):
    """How many files match at this moment."""
    return client.files.query_user_files(pagination={"limit": 1}, filters=filters, **STRICT).count
