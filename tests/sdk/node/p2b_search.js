// Chunks, embeddings and search.
const { ARTICLES, assert, browse, files, own, part, refused, until } = require("./life");

part(async () => {
  const customer = await own();
  const everything = await until("every file to be embedded", async () => {
    const found = await files(customer);
    return found.every((file) => file.file_statistics.num_embeddings > 0) ? found : null;
  });
  const one = everything[0];
  assert.deepEqual(one.embedding_properties, { OPENAI: { chunk_size: 1500, chunk_overlap: 20 } });
  const chunks = (
    await customer.embeddings.getEmbeddingsAndChunks({
      filters: { user_file_id: one.id },
      order_by: "chunk_index",
      include_vectors: true,
    })
  ).data;
  assert.equal(chunks.count, one.file_statistics.num_embeddings);
  const first = chunks.results[0];
  assert.ok(first.embedding.length > 0);
  const every = (await customer.embeddings.list({ filters: {}, pagination: { limit: 1000 } })).data;
  assert.ok(every.count >= ARTICLES && every.results.every((chunk) => chunk.embedding === null));
  await refused(404, customer.embeddings.getEmbeddingsAndChunks({ filters: { user_file_id: 1e9 } }));

  const search = { query: first.source_content.slice(0, 2000), k: 3, include_vectors: true, include_raw_file: true };
  const answer = await customer.embeddings.getDocuments(search);
  assert.equal(answer.headers["helpsync-search"], "semantic");
  const best = answer.data.documents[0];
  assert.equal(best.file_id, one.id);
  assert.equal(best.vector.length, first.embedding.length);
  assert.match(await browse(best.presigned_url), /</);
  const hybrid = { query: one.name, k: 5, file_ids: [one.id], hybrid_search: true };
  assert.equal((await customer.embeddings.getDocuments(hybrid)).data.documents[0].file_id, one.id);
  const weights = { weight_a: 1, weight_b: 1 };
  await refused(422, customer.embeddings.getDocuments({ ...hybrid, hybrid_search_tuning_parameters: weights }));
  await refused(422, customer.embeddings.getDocuments({ query: "", k: 1 }));

  const brought = [{ file_id: one.id, chunks_and_embeddings: [{ chunk_number: 0, chunk: "mine", embedding: [0.5, 0.5] }] }];
  const upload = { embedding_model: "COHERE_MULTILINGUAL_V3", chunks_and_embeddings: brought };
  await refused(409, customer.embeddings.uploadChunksAndEmbeddings(upload));
  await customer.embeddings.uploadChunksAndEmbeddings({ ...upload, overwrite_existing: true });
  const near = { query: "-", query_vector: [0.5, 0.5], k: 1, embedding_model: "COHERE_MULTILINGUAL_V3" };
  assert.equal((await customer.embeddings.getDocuments(near)).data.documents[0].content, "mine");

  await customer.files.resync({ file_id: one.id, chunk_size: 100, chunk_overlap: 10 });
  const again = await until("the file to be cut anew", async () => {
    const file = (await files(customer, { ids: [one.id] }))[0];
    const fresh = file.sync_status === "READY" && file.embedding_properties?.OPENAI;
    return fresh && file.file_statistics.num_embeddings > 0 ? file : null;
  });
  assert.deepEqual([again.chunk_size, again.chunk_overlap], [100, 10]);
});
