// Tags of files and of the data source.
const { ARTICLES, assert, files, ids, keyed, own, part, refused, source } = require("./life");

part(async () => {
  const customer = await own();
  const [first, second] = await files(customer);
  const tag = (id, tags) => customer.files.createUserFileTags({ organization_user_file_id: id, tags });
  assert.deepEqual((await tag(first.id, { colour: "red", sizes: ["s", "m"] })).data.tags, {
    team: "support", colour: "red", sizes: ["s", "m"],
  });
  await tag(second.id, { colour: "blue" });
  await refused(400, tag(first.id, { organization_id: "x" }));
  const found = async (filters) => ids(await files(customer, filters));
  const [red, blue] = ["red", "blue"].map((value) => ({ key: "colour", value, negate: false }));
  assert.deepEqual(await found({ tags: { colour: "red", sizes: "s" } }), [first.id]);
  assert.deepEqual(await found({ tags_v2: { OR: [red, blue] } }), [first.id, second.id]);
  assert.deepEqual(await found({ tags_v2: { AND: [{ OR: [red, blue] }, { ...red, negate: true }] } }), [second.id]);
  assert.equal((await found({ tags_v2: { AND: [{ ...red, negate: true }] } })).length, ARTICLES - 1);
  await refused(422, found({ tags_v2: { OR: [{ OR: [{ OR: [{ AND: [red] }] }] }] } }));
  const left = await customer.files.deleteFileTags({ organization_user_file_id: first.id, tags: ["colour", "sizes"] });
  assert.deepEqual(left.data.tags, { team: "support" });

  const { id } = await source(customer);
  const added = await customer.dataSources.addTags({ data_source_id: id, tags: { zone: ["eu", "us"], plan: "pro" } });
  assert.deepEqual(added.data.tags, { zone: ["eu", "us"], plan: "pro" });
  assert.equal((await source(customer, { tags: { OR: [{ key: "zone", value: "us" }] } })).id, id);
  const all = await keyed().dataSources.query({ filters: { tags: { AND: [{ key: "plan", value: "free" }] } } });
  assert.equal(all.data.count, 0);
  const removed = await customer.dataSources.removeTags({ data_source_id: id, tags_to_remove: [], remove_all_tags: true });
  assert.deepEqual(removed.data.tags, {});
});
