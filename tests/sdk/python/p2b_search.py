"""Chunks, embeddings and search."""
from life import *

customer = own()


def embedded():
    found = files(customer)
    return found if all(file.file_statistics.num_embeddings > 0 for file in found) else None


everything = until("every file to be embedded", embedded)
one = everything[0]
assert one.chunk_size == 1200 and one.chunk_overlap == 10 and one.skip_embedding_generation is False
assert one.file_statistics.num_tokens > 0 and one.embedding_properties["OPENAI"]["chunk_size"] == 1200
assert one.chunk_properties.set_page_as_boundary is False
assert len(files(customer, embedding_generators=["OPENAI"])) == ARTICLES
assert files(customer, embedding_generators=["SOLAR_1_MINI"]) == []

chunks = customer.embeddings.get_embeddings_and_chunks(
    filters={"user_file_id": one.id}, order_by="chunk_index", include_vectors=True, **STRICT
)
assert chunks.count == len(chunks.results) == one.file_statistics.num_embeddings
first = chunks.results[0]
assert first.user_file_id == one.id and first.chunk_index == 0 and len(first.embedding) > 0
every = customer.embeddings.list(filters={}, pagination={"limit": 1000}, order_by="id", **STRICT)
assert every.count == len(every.results) >= ARTICLES and every.results[0].embedding is None
refused(404, customer.embeddings.get_embeddings_and_chunks, filters={"user_file_id": 10**9})

answer = customer.embeddings.get_documents(
    query=first.source_content[:2000],
    k=3,
    include_tags=True,
    include_vectors=True,
    include_raw_file=True,
    include_file_level_metadata=True,
    **STRICT,
)
assert len(answer.documents) == 3
best = answer.documents[0]
assert best.file_id == one.id and best.content == first.source_content, best
assert best.source_type == "ZENDESK" and len(best.vector) == len(first.embedding) and best.score > 0.9
assert "<" in browse(best.presigned_url)
same = customer.embeddings.get_documents(query="-", query_vector=first.embedding, k=1, **STRICT).documents
assert same[0].file_id == one.id and same[0].vector is None
narrow = dict(query=one.name, k=5, file_ids=[one.id], hybrid_search=True)
for weights in [None, {"weight_a": 0.2, "weight_b": 0.8}]:
    found = customer.embeddings.get_documents(hybrid_search_tuning_parameters=weights, **narrow, **STRICT)
    assert {document.file_id for document in found.documents} == {one.id}
refused(422, customer.embeddings.get_documents, hybrid_search_tuning_parameters={"weight_a": 1, "weight_b": 1}, **narrow)
refused(422, customer.embeddings.get_documents, query="x", k=10**6)
assert customer.embeddings.get_documents(query="x", k=1, media_type="IMAGE", **STRICT).documents == []

brought = [{"file_id": one.id, "chunks_and_embeddings": [{"chunk_number": 0, "chunk": "mine", "embedding": [0.5, 0.5]}]}]
upload = dict(embedding_model="COHERE_MULTILINGUAL_V3", chunks_and_embeddings=brought)
refused(409, customer.embeddings.upload_chunks_and_embeddings, **upload)
assert customer.embeddings.upload_chunks_and_embeddings(overwrite_existing=True, **upload, **STRICT).success
mine = customer.embeddings.get_documents(
    query="-", query_vector=[0.5, 0.5], k=1, embedding_model="COHERE_MULTILINGUAL_V3", **STRICT
)
assert mine.documents[0].content == "mine"

customer.files.resync(file_id=one.id, chunk_size=100, chunk_overlap=5, force_embedding_generation=True, **STRICT)


def cut_anew():
    file = files(customer, ids=[one.id])[0]
    fresh = file.sync_status == "READY" and "OPENAI" in (file.embedding_properties or {})
    return file if fresh and file.file_statistics.num_embeddings > 0 else None


again = until("the file to be cut anew", cut_anew)
assert again.chunk_size == 100 and again.chunk_overlap == 5
