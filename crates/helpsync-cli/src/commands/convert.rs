//! `helpsync convert`: how an article will be stored, without a server, a store or settings.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use helpsync_content::{
    CONVERTER_VERSION, ChunkOptions, Converted, INPUT_BYTES_MAX, Limits, TextChunk, chunks, content_hash,
    convert as run,
};
use serde_json::json;

use crate::args::{Convert, Form};
use crate::output::Output;

pub(crate) fn convert(args: &Convert, output: Output) -> anyhow::Result<()> {
    let html = read(args.file.as_deref())?;
    let converted = run(&html, args.url.as_deref(), &Limits::default())?;
    let form = if output.json { Form::Json } else { args.form };
    let said = match form {
        Form::Json => return output.json_answer(&document(args, &html, &converted)?),
        Form::Markdown => converted.markdown,
        Form::Text => converted.text,
        Form::Chunks => listing(&chunked(&converted)?),
    };
    output.data(&said)
}

/// The HTML of a file, or of standard input.
fn read(file: Option<&Path>) -> anyhow::Result<String> {
    let file = file.filter(|file| *file != Path::new("-"));
    // One byte more than is converted, so that what is too long is refused and not cut off.
    let most = INPUT_BYTES_MAX as u64 + 1;
    let name = file.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let mut bytes = Vec::new();
    match file {
        Some(file) => std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
        None => std::io::stdin().lock().take(most).read_to_end(&mut bytes),
    }
    .with_context(|| format!("{name} cannot be read"))?;
    if bytes.len() > INPUT_BYTES_MAX {
        bail!("{name} has more than {INPUT_BYTES_MAX} bytes");
    }
    String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))
}

fn chunked(converted: &Converted) -> anyhow::Result<Vec<TextChunk>> {
    Ok(chunks(&converted.markdown, ChunkOptions::default(), None)?)
}

/// Each chunk under its number, tokens and the headings that it stands below.
fn listing(chunks: &[TextChunk]) -> String {
    let parts = (1..).zip(chunks).map(|(number, chunk)| {
        let below = chunk.headings.iter().map(|heading| format!(" > {heading}")).collect::<String>();
        format!("=== chunk {number} of {}, {} tokens{below}\n{}", chunks.len(), chunk.tokens, chunk.text)
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

fn document(args: &Convert, html: &str, converted: &Converted) -> anyhow::Result<String> {
    let chunks: Vec<_> = (1..)
        .zip(chunked(converted)?)
        .map(|(number, chunk): (usize, TextChunk)| {
            json!({"number": number, "tokens": chunk.tokens, "headings": chunk.headings, "hash": chunk.hash, "text": chunk.text})
        })
        .collect();
    let document = json!({
        "converter_version": CONVERTER_VERSION,
        "hash": content_hash(&args.title, html),
        "title": args.title,
        "url": args.url,
        "markdown": converted.markdown,
        "text": converted.text,
        "links": converted.links,
        "images": converted.images,
        "chunks": chunks,
    });
    Ok(serde_json::to_string_pretty(&document)?)
}
