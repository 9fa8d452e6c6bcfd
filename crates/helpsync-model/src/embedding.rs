//! What Carbon calls the models that make embeddings.

/// Carbon's names of embedding models.
pub const EMBEDDING_MODELS: [&str; 15] = [
    "OPENAI",
    "AZURE_OPENAI",
    "AZURE_ADA_LARGE_256",
    "AZURE_ADA_LARGE_1024",
    "AZURE_ADA_LARGE_3072",
    "AZURE_ADA_SMALL_512",
    "AZURE_ADA_SMALL_1536",
    "COHERE_MULTILINGUAL_V3",
    "VERTEX_MULTIMODAL",
    "OPENAI_ADA_LARGE_256",
    "OPENAI_ADA_LARGE_1024",
    "OPENAI_ADA_LARGE_3072",
    "OPENAI_ADA_SMALL_512",
    "OPENAI_ADA_SMALL_1536",
    "SOLAR_1_MINI",
];

/// What a model is called where no request names one.
pub const EMBEDDING_MODEL_DEFAULT: &str = "OPENAI";
