"""Tags of files and of the data source."""
from life import *

customer = own()
first, second, third = files(customer)[:3]
tagged = customer.files.create_user_file_tags(
    organization_user_file_id=first.id, tags={"colour": "red", "sizes": ["s", "m"], "count": 4}, **STRICT
)
assert tagged.tags == {"team": "support", "level": "4", "colour": "red", "sizes": ["s", "m"], "count": "4"}, tagged.tags
customer.files.create_user_file_tags(organization_user_file_id=second.id, tags={"colour": "blue"}, **STRICT)
refused(400, customer.files.create_user_file_tags, organization_user_file_id=first.id, tags={"user_id": "x"})


def ids(**filters):
    return [file.id for file in files(customer, **filters)]


assert ids(tags={"colour": "red"}) == [first.id]
assert ids(tags={"colour": ["red", "blue"], "team": "support"}) == [first.id, second.id]
assert ids(tags={"count": 4}) == [first.id]
assert len(ids(tags={}, tags_v2={})) == ARTICLES
red, blue = {"key": "colour", "value": "red"}, {"key": "colour", "value": "blue"}
assert ids(tags_v2={"OR": [red, blue]}) == [first.id, second.id]
assert ids(tags_v2={"AND": [red, blue]}) == []
assert ids(tags_v2={"OR": [{"key": "sizes", "value": ["m", "xl"]}]}, tags={"colour": "blue"}) == [first.id]
nested = {"AND": [{"OR": [red, {"AND": [blue, {"key": "team", "value": "support"}]}]}, {**red, "negate": True}]}
assert ids(tags_v2=nested) == [second.id]
assert len(ids(tags_v2={"AND": [{**red, "negate": True}]})) == ARTICLES - 1
deep = {"OR": [{"OR": [{"OR": [{"OR": [red]}]}]}]}
assert "3 levels" in str(refused(422, ids, tags_v2=deep))

left = customer.files.delete_file_tags(organization_user_file_id=first.id, tags=["colour", "sizes", "count", "none"], **STRICT)
assert left.tags == {"team": "support", "level": "4"}, left.tags
assert ids(tags={"colour": "red"}) == []

one = source(customer)
changed = customer.data_sources.add_tags(data_source_id=one.id, tags={"plan": "max", "zone": ["eu", "us"]}, **STRICT)
assert changed.tags == {"plan": "max", "more": "yes", "zone": ["eu", "us"]}, changed.tags
assert source(customer, tags={"OR": [{"key": "zone", "value": "eu"}]}).id == one.id
none = customer.data_sources.query_user_data_sources(filters={"tags": {"AND": [{"key": "zone", "value": "asia"}]}}, **STRICT)
assert none.count == 0
whole = keyed().data_sources.query(filters={"tags": {"AND": [{"key": "plan", "value": "max"}]}, "source": "ZENDESK"}, **STRICT)
assert [found.id for found in whole.results] == [one.id]
assert customer.data_sources.remove_tags(data_source_id=one.id, tags_to_remove=["zone"], **STRICT).tags == {"plan": "max", "more": "yes"}
assert customer.data_sources.remove_tags(data_source_id=one.id, remove_all_tags=True, **STRICT).tags == {}
