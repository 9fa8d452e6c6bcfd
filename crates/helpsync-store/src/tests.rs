//! The store's behaviour towards the outside, on both databases.

mod attachments;
mod chunks;
mod connections;
mod customers;
mod deletion;
mod embedding;
mod event_subscriptions;
mod files;
mod grants;
mod limits;
mod names;
mod outages;
mod pages;
mod pgvector;
mod release;
mod schedule;
mod search_scale;
mod search_words;
mod searches;
mod selection;
mod shards;
mod speed;
mod synced_items;
mod tag_filters;
mod tokens;
mod webhooks;
